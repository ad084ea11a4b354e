/* The rules of the export patterns, and what their labels and annotations mean. */
#include "base/clock.h"
#include "base/fs.h"
#include "fake/problems.h"
#include "rules/rule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char cpu_query[] =
    "avg by(instance) (100 - (irate(node_cpu_seconds_total{mode=\"idle\"}[5m]) * 100))";

struct expected {
    const char *name;
    enum rule_kind kind;
    bool enabled;
    const char *query;
    const char *datastore;
    const char *database;
    const char *measurement;
    int64_t interval_s;
    double threshold; /* NaN: none */
    const char *metric_type;
};

static const struct expected seed_rules[] = {
    {"HighCPUUsage", RULE_ALERT, true, cpu_query, "influxdb", "alerts_db", "HighCPUUsage", 0, NAN,
     ""},
    {"node_cpu_usage_percent", RULE_RECORD, true, "", "", "", "node_cpu_usage_percent", 60, NAN,
     ""},
    {"high_cpu_threshold_data", RULE_RECORD, true, "", "", "", "high_cpu_threshold_data", 0, NAN,
     ""},
    {"CPUHigh", RULE_ALERT, true, "metric_expression", "influxdb", "alerts_db", "cpu_alerts", 0, 80,
     "cpu_usage"},
    {"multi_threshold_cpu_data", RULE_RECORD, false, "", "", "", "multi_threshold_cpu_data", 0, NAN,
     ""},
    {"hourly_avg_cpu_export", RULE_RECORD, true, "", "", "", "hourly_cpu_avg", 3600, NAN, ""},
    {"ExportFailure", RULE_ALERT, false, "", "", "", "ExportFailure", 0, NAN, ""},
};

static bool text_is(struct str found, const char *expected)
{
    return str_eq(found, str_of(expected));
}

static bool is_as_expected(const struct rule *r, const struct expected *x)
{
    bool has_threshold = !isnan(x->threshold);

    return text_is(r->name, x->name) && r->kind == x->kind && r->export.enabled == x->enabled &&
           !r->export.disabled && text_is(r->export.query, x->query) &&
           r->export.query_text == NULL && text_is(r->export.datastore, x->datastore) &&
           text_is(r->export.database, x->database) &&
           text_is(r->export.measurement, x->measurement) &&
           r->export.interval_ns == x->interval_s * NS_PER_S &&
           r->export.has_threshold == has_threshold &&
           (!has_threshold || r->export.threshold == x->threshold) &&
           text_is(r->export.metric_type, x->metric_type);
}

/* Two of the patterns do not do what is said of them, and Prometheus takes none; nothing else is said. */
static void check_advice(struct problems *p)
{
    struct str said = buf_str(&p->text);

    assert_int_equal(p->warnings, 3);
    assert_true(str_find(said, STR(":20:5: group 'export-triggering': record "
                                   "'node_cpu_usage_percent': Prometheus refuses")) < said.len);
    assert_true(str_find(said, STR(":24:11: group 'export-triggering': record "
                                   "'high_cpu_threshold_data': the comparison gives the value "
                                   "itself")) < said.len);
    assert_true(str_find(said, STR(":55:9: group 'advanced-patterns': record "
                                   "'multi_threshold_cpu_data': a comparison leaves")) < said.len);
}

static void the_documented_patterns_load(void **state)
{
    const struct rule_options options = {.check_only = true};
    const char *root = getenv("TELEX_SOURCE_ROOT");
    char path[1024];
    struct rule_set *set = NULL;
    struct problems p;
    struct err e = ERR_INIT;
    size_t count = 0;

    (void)state;
    problems_init(&p);
    (void)snprintf(path, sizeof(path), "%s/tests/golden/rules/seed000.yaml",
                   root != NULL ? root : ".");
    struct str pattern = str_of(path);
    if (!rule_set_load(&pattern, 1, STR(""), &options, &p.sink, &set, &e)) {
        fail_msg("%s", buf_text(&p.text));
    }
    check_advice(&p);
    for (size_t g = 0; g < set->group_count; g++) {
        for (size_t i = 0; i < set->groups[g].rule_count; i++, count++) {
            assert_true(count < ARRAY_LEN(seed_rules));
            if (!is_as_expected(&set->groups[g].rules[i], &seed_rules[count])) {
                fail_msg("%s", seed_rules[count].name);
            }
        }
    }
    assert_int_equal(count, ARRAY_LEN(seed_rules));
    rule_set_unref(set);
    problems_release(&p);
}

struct export_case {
    const char *labels;
    const char *annotations;
    struct rule_export export;
};

static const struct export_case cases[] = {
    {"a: b", "", {.interval_ns = 0}},
    {"export_to_datastore: true", "", {.enabled = true}},
    {"export_to_datastore: false", "", {.disabled = true}},
    {"export_to_datastore: ''", "", {.interval_ns = 0}},
    {"export_to_datastore: 'true'",
     "export_interval: 1.5s, threshold_value: ' -1e3 '",
     {.enabled = true, .interval_ns = 1500 * NS_PER_MS, .has_threshold = true, .threshold = -1000}},
    {"export_to_datastore: 'true'", "export_interval: 0", {.enabled = true}},
    {"export_to_datastore: 'true'",
     "export_interval: 90",
     {.enabled = true, .interval_ns = 90 * NS_PER_S}},
    {"export_to_datastore: 'false'", "export_database: db", {.disabled = true}},
};

static bool same_export(const struct rule_export *a, const struct rule_export *b)
{
    return a->enabled == b->enabled && a->disabled == b->disabled &&
           a->interval_ns == b->interval_ns && a->has_threshold == b->has_threshold &&
           a->threshold == b->threshold;
}

static struct rule_set *load(const char *text, size_t warnings)
{
    const struct rule_options options = {.check_only = true};
    struct problems p;

    problems_init(&p);
    struct rule_set *set = problems_load(&p, str_of(text), &options);
    if (set == NULL || p.warnings != warnings) {
        fail_msg("%s\n%s", buf_text(&p.text), text);
    }
    problems_release(&p);
    return set;
}

static void labels_and_annotations_mean_exports(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "groups:\n- name: g\n  labels: {export_to_datastore: 'true'}\n  rules:\n"
                       "  - record: m\n    expr: up\n    labels: {%s}\n    annotations: {%s}\n",
                       cases[i].labels, cases[i].annotations);
        struct rule_set *set = load(text, cases[i].annotations[0] != '\0');
        const struct rule_export *x = &set->groups[0].rules[0].export;
        struct rule_export expected = cases[i].export;
        expected.enabled |= i == 0; /* by the group */
        if (!same_export(x, &expected) || !text_is(x->measurement, "m")) {
            fail_msg("{%s} {%s}", cases[i].labels, cases[i].annotations);
        }
        rule_set_unref(set);
    }
}

static void a_query_may_be_a_template(void **state)
{
    struct rule_set *set =
        load("groups:\n- name: g\n  labels: {export_to_datastore: 'true'}\n  rules:\n"
             "  - alert: A\n    expr: up > 0\n    annotations:\n"
             "      export_query: 'up{job=\"{{ $labels.job }}\"}'\n"
             "      export_datastore: influx\n",
             0);
    const struct rule_export *x = &set->groups[0].rules[0].export;

    (void)state;
    assert_non_null(x->query_text);
    assert_int_equal(template_uses(x->query_text), USES_LABELS);
    assert_true(text_is(x->query, "up{job=\"{{ $labels.job }}\"}"));
    assert_int_equal(x->datastore_pos.line, 9);
    assert_int_equal(x->datastore_pos.column, 25);
    rule_set_unref(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_patterns_load),
        cmocka_unit_test(labels_and_annotations_mean_exports),
        cmocka_unit_test(a_query_may_be_a_template),
    };

    return cmocka_run_group_tests_name("rules/rule_export", tests, NULL, NULL);
}
