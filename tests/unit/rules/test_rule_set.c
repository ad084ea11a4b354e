/* What is read from files that are right. */
#include "base/clock.h"
#include "fake/problems.h"
#include "rules/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MS NS_PER_MS
#define S NS_PER_S

/* Loads a text without errors or warnings. */
static struct rule_set *load_with(const char *text, const struct rule_options *options)
{
    struct problems p;

    problems_init(&p);
    struct rule_set *set = problems_load(&p, str_of(text), options);
    if (set == NULL || p.warnings > 0) {
        fail_msg("%s\n%s", buf_text(&p.text), text);
    }
    problems_release(&p);
    return set;
}

static struct rule_set *load(const char *text)
{
    const struct rule_options options = {.check_only = true};

    return load_with(text, &options);
}

static void assert_str(struct str found, const char *expected)
{
    if (!str_eq(found, str_of(expected))) {
        fail_msg("found '%.*s', expected '%s'", STR_FMT(found), expected);
    }
}

struct timing {
    const char *fields;
    int64_t interval_ns;
    int64_t query_offset_ns;
    int64_t eval_offset_ns; /* -1: none */
};

static const struct timing timings[] = {
    {"", 15 * S, 2 * S, -1},
    {"  interval: 0s\n", 15 * S, 2 * S, -1},
    {"  interval:\n", 15 * S, 2 * S, -1},
    {"  interval: 200ms\n", 200 * MS, 2 * S, -1},
    {"  interval: 1ms\n", MS, 2 * S, -1},
    {"  interval: 300\n", 300 * S, 2 * S, -1},
    {"  interval: 1.5m\n", 90 * S, 2 * S, -1},
    {"  interval: \"1h30m\"\n", 5400 * S, 2 * S, -1},
    {"  query_offset: 0\n", 15 * S, 0, -1},
    {"  query_offset: 500ms\n", 15 * S, 500 * MS, -1},
    {"  eval_delay: 30s\n", 15 * S, 30 * S, -1},
    {"  interval: 1m\n  eval_offset: 20s\n", 60 * S, 0, 20 * S},
    {"  interval: 1m\n  eval_offset: -20s\n", 60 * S, 0, 40 * S},
    {"  interval: 1m\n  eval_offset: -1m\n", 60 * S, 0, 0},
    {"  interval: 1m\n  eval_offset: 0\n  query_offset: 3s\n", 60 * S, 3 * S, 0},
    {"  interval: 1m\n  eval_alignment: false\n", 60 * S, 2 * S, -1},
    {"  interval: 1m\n  eval_alignment: true\n  query_offset: 0s\n", 60 * S, 0, 0},
    {"  interval: 1m\n  eval_alignment: true\n  eval_delay: 90s\n", 60 * S, 90 * S, 30 * S},
    {"  interval: 1m\n  eval_alignment: true\n  eval_offset: 7s\n", 60 * S, 0, 7 * S},
};

/* With the config's eval_alignment: where groups say nothing else. */
static const struct timing aligned_timings[] = {
    {"", 15 * S, 2 * S, 2 * S},
    {"  interval: 1m\n  eval_delay: 90s\n", 60 * S, 90 * S, 30 * S},
    {"  interval: 1m\n  eval_offset: 7s\n", 60 * S, 0, 7 * S},
    {"  eval_alignment: false\n", 15 * S, 2 * S, -1},
};

static void check_times(const struct timing *rows, size_t count, bool eval_alignment)
{
    const struct rule_options options = {
        .interval_ns = 15 * S, .query_offset_ns = 2 * S, .eval_alignment = eval_alignment};

    for (size_t i = 0; i < count; i++) {
        const struct timing *t = &rows[i];
        char text[256];
        (void)snprintf(text, sizeof(text), "groups:\n- name: g\n%s  rules: []\n", t->fields);
        struct rule_set *set = load_with(text, &options);
        const struct rule_group *g = &set->groups[0];
        if (g->interval_ns != t->interval_ns || g->query_offset_ns != t->query_offset_ns ||
            (g->has_eval_offset ? g->eval_offset_ns : -1) != t->eval_offset_ns) {
            fail_msg("%s: %lld %lld %d %lld", t->fields, (long long)g->interval_ns,
                     (long long)g->query_offset_ns, g->has_eval_offset,
                     (long long)g->eval_offset_ns);
        }
        rule_set_unref(set);
    }
}

static void times_of_a_group(void **state)
{
    (void)state;
    check_times(timings, ARRAY_LEN(timings), false);
    check_times(aligned_timings, ARRAY_LEN(aligned_timings), true);
}

static void groups_that_say_nothing_have_the_default_limit(void **state)
{
    const struct rule_options options = {.check_only = true, .limit = 7};
    struct rule_set *set = load_with("groups:\n- {name: a, rules: []}\n"
                                     "- {name: b, limit: 0, rules: []}\n"
                                     "- {name: c, limit: 9, rules: []}\n",
                                     &options);

    (void)state;
    assert_int_equal(set->groups[0].limit, 7);
    assert_int_equal(set->groups[1].limit, 0);
    assert_int_equal(set->groups[2].limit, 9);
    rule_set_unref(set);
}

static const char *lookup(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "FAST") == 0 ? "15s" : strcmp(name, "TEXT") == 0 ? "up{a=\"b\"}" : NULL;
}

static void placeholders_are_the_environments_values(void **state)
{
    const struct rule_options options = {.check_only = true, .lookup = lookup};
    struct rule_set *set = load_with("groups:\n"
                                     "- name: '%{FAST}-%{not a name}'\n"
                                     "  interval: %{FAST} # not %{THERE}\n"
                                     "  rules:\n"
                                     "  - record: r\n"
                                     "    expr: sum(%{TEXT})\n",
                                     &options);

    (void)state;
    assert_str(set->groups[0].name, "15s-%{not a name}");
    assert_int_equal(set->groups[0].interval_ns, 15 * S);
    assert_str(set->groups[0].rules[0].expr, "sum(up{a=\"b\"})");
    rule_set_unref(set);
}

static void without_any_interval_it_is_a_minute(void **state)
{
    struct rule_set *set = load("groups:\n- name: g\n  rules: []\n");

    (void)state;
    assert_int_equal(set->groups[0].interval_ns, 60 * S);
    assert_int_equal(set->groups[0].concurrency, 1);
    rule_set_unref(set);
}

static const char full_group[] = "groups:\n"
                                 "- name: full\n"
                                 "  limit: 1000\n"
                                 "  type: prometheus\n"
                                 "  concurrency: 1\n"
                                 "  debug: false\n"
                                 "  params:\n"
                                 "    nocache: ['1']\n"
                                 "    extra_label: [env=dev, team=a]\n"
                                 "    deny: true\n"
                                 "  headers: ['X-Scope-OrgID: a|b ', 'Empty:']\n"
                                 "  notifier_headers: ['TenantID: foo']\n"
                                 "  rules:\n"
                                 "  - record: job:up:sum\n"
                                 "    expr: |\n"
                                 "      sum by (job) (up)\n"
                                 "    limit: 7\n"
                                 "  - alert: Down\n"
                                 "    expr: up == 0\n"
                                 "    for: 1ms\n"
                                 "    keep_firing_for: 1d\n";

static void arguments_of_queries(void **state)
{
    static const char *const params[][2] = {
        {"nocache", "1"}, {"extra_label", "env=dev"}, {"extra_label", "team=a"}, {"deny", "true"}};
    struct rule_set *set = load(full_group);
    const struct rule_group *g = &set->groups[0];

    (void)state;
    assert_int_equal(g->param_count, ARRAY_LEN(params));
    for (size_t i = 0; i < ARRAY_LEN(params); i++) {
        assert_str(g->params[i].name, params[i][0]);
        assert_str(g->params[i].value, params[i][1]);
    }
    assert_int_equal(g->header_count, 2);
    assert_str(g->headers[0].name, "X-Scope-OrgID");
    assert_str(g->headers[0].value, "a|b");
    assert_str(g->headers[1].name, "Empty");
    assert_str(g->headers[1].value, "");
    assert_int_equal(g->notifier_header_count, 1);
    assert_str(g->notifier_headers[0].name, "TenantID");
    assert_str(g->notifier_headers[0].value, "foo");
    assert_int_equal(g->limit, 1000);
    rule_set_unref(set);
}

static void fields_of_a_rule(void **state)
{
    struct rule_set *set = load(full_group);
    const struct rule_group *g = &set->groups[0];

    (void)state;
    assert_int_equal(set->group_count, 1);
    assert_int_equal(set->rule_count, 2);
    assert_int_equal(g->rule_count, 2);
    const struct rule *r = &g->rules[0];
    assert_int_equal(r->kind, RULE_RECORD);
    assert_str(r->name, "job:up:sum");
    assert_str(r->expr, "sum by (job) (up)");
    assert_int_equal(r->tree->kind, PROMQL_AGGREGATE);
    assert_int_equal(r->limit, 7);
    assert_ptr_equal(r->group, g);
    assert_int_equal(r->pos.line, 14);
    assert_false(r->debug);
    assert_int_equal(r->pos.column, 5);
    r = &g->rules[1];
    assert_int_equal(r->kind, RULE_ALERT);
    assert_int_equal(r->policy.for_ns, MS);
    assert_int_equal(r->policy.keep_firing_for_ns, 86400 * S);
    assert_int_equal(r->keep_firing_for_ns, 86400 * S);
    assert_int_equal(r->policy.on_absent, ABSENT_RESOLVES);
    rule_set_unref(set);
}

/* What Go's YAML readers take for a text: numbers, booleans, nothing. */
static void values_are_texts(void **state)
{
    struct rule_set *set = load("groups:\n"
                                "- name: g\n"
                                "  rules:\n"
                                "  - alert: A\n"
                                "    record: ''\n"
                                "    expr: 1\n"
                                "    for:\n"
                                "    labels: {c: yes, b: 007, a: }\n"
                                "    annotations:\n");
    const struct rule *r = &set->groups[0].rules[0];

    (void)state;
    assert_str(r->expr, "1");
    assert_int_equal(r->label_count, 3);
    assert_str(r->labels[0].name, "a");
    assert_str(r->labels[0].source, "");
    assert_str(r->labels[1].source, "007");
    assert_str(r->labels[2].source, "yes");
    assert_int_equal(r->labels[2].pos.line, 8);
    assert_int_equal(r->labels[2].pos.column, 17);
    assert_int_equal(r->annotation_count, 0);
    rule_set_unref(set);
}

static void labels_of_the_group_are_under_those_of_the_rule(void **state)
{
    struct rule_set *set =
        load("groups:\n"
             "- name: g\n"
             "  labels: {team: core, severity: page, zone: '{{ $externalURL }}'}\n"
             "  rules:\n"
             "  - alert: A\n"
             "    expr: up > 0\n"
             "    labels: {severity: '', host: '{{ $labels.instance }}'}\n"
             "    annotations: {z: '{{ $value }}', a: text}\n");
    const struct rule *r = &set->groups[0].rules[0];
    struct str text = STR_NONE;

    (void)state;
    assert_int_equal(r->label_count, 4);
    assert_str(r->labels[0].name, "host");
    assert_str(r->labels[1].name, "severity");
    assert_str(r->labels[1].source, "");
    assert_str(r->labels[2].name, "team");
    assert_true(template_is_text(r->labels[2].text, &text));
    assert_str(text, "core");
    assert_str(r->labels[3].name, "zone");
    assert_int_equal(r->label_uses, USES_LABELS | USES_EXTERNAL);
    assert_int_equal(r->annotation_count, 2);
    assert_str(r->annotations[0].name, "z");
    assert_int_equal(r->annotation_uses, USES_VALUE);
    rule_set_unref(set);
}

static void all_documents_are_read(void **state)
{
    struct rule_set *set = load("\n---\n"
                                "groups:\n- name: a\n  rules: [{record: x, expr: up}]\n"
                                "---\n"
                                "groups:\n"
                                "---\n"
                                "groups:\n- name: b\n  rules: [{record: x, expr: up}]\n");

    (void)state;
    assert_int_equal(set->group_count, 2);
    assert_str(set->groups[1].name, "b");
    assert_int_equal(set->groups[1].rules[0].pos.line, 11);
    rule_set_unref(set);
}

static void anchors_and_merges_work(void **state)
{
    struct rule_set *set = load("groups:\n"
                                "- name: a\n"
                                "  rules:\n"
                                "  - &base\n"
                                "    alert: A\n"
                                "    expr: up == 0\n"
                                "    labels: &labels {severity: page}\n"
                                "  - <<: *base\n"
                                "    alert: B\n"
                                "  - alert: C\n"
                                "    expr: up == 0\n"
                                "    labels: *labels\n");

    (void)state;
    assert_str(set->groups[0].rules[1].name, "B");
    assert_str(set->groups[0].rules[1].expr, "up == 0");
    assert_str(set->groups[0].rules[2].labels[0].source, "page");
    rule_set_unref(set);
}

static void metricsql_is_for_those_who_speak_it(void **state)
{
    static const char text[] = "groups:\n- name: a\n  rules:\n"
                               "  - {record: x, expr: 'rate(up) keep_metric_names'}\n"
                               "  - {record: y, expr: 'up[5m]'}\n";
    const struct rule_options options = {.dialect = PROMQL_METRICSQL};
    struct rule_set *set = load_with(text, &options);

    (void)state;
    assert_int_equal(set->rule_count, 2);
    rule_set_unref(set);
}

static void sets_are_shared(void **state)
{
    struct rule_set *set = load(full_group);

    (void)state;
    assert_ptr_equal(rule_set_ref(set), set);
    rule_set_unref(set);
    assert_str(set->groups[0].name, "full");
    rule_set_unref(set);
    rule_set_unref(NULL);
}

struct need {
    const char *annotation;
    bool needs_series;
};

static const struct need needs[] = {
    {"text", false},
    {"{{ $value }}", false},
    {"{{ $labels.instance }} and {{ .Labels.job }}", false},
    {"{{ $labels.instance | reReplaceAll \"a\" \"b\" }}", false},
    {"{{ range query \"up\" }}{{ .Labels.job }}{{ end }}", false},
    {"{{ $labels.__name__ }}", true},
    {"{{ $labels.severity }}", false},
    {"{{ .Labels.__name__x }}", false},
    {"{{ $labels }}", true},
    {"{{ index $labels \"job\" }}", true},
    {"{{ range $k, $v := $labels }}{{ $k }}{{ end }}", true},
    {"{{ with $labels }}{{ .job }}{{ end }}", true},
    {"{{ . }}", true},
};

static void labels_of_the_series_are_kept_when_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(needs); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "groups:\n- name: g\n  labels: {severity: page}\n  rules:\n"
                       "  - alert: A\n    expr: up > 0\n    annotations:\n      x: '%s'\n",
                       needs[i].annotation);
        struct rule_set *set = load(text);
        if (set->groups[0].rules[0].needs_series != needs[i].needs_series) {
            fail_msg("%s", needs[i].annotation);
        }
        rule_set_unref(set);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_a_group),
        cmocka_unit_test(groups_that_say_nothing_have_the_default_limit),
        cmocka_unit_test(placeholders_are_the_environments_values),
        cmocka_unit_test(without_any_interval_it_is_a_minute),
        cmocka_unit_test(arguments_of_queries),
        cmocka_unit_test(fields_of_a_rule),
        cmocka_unit_test(values_are_texts),
        cmocka_unit_test(labels_of_the_group_are_under_those_of_the_rule),
        cmocka_unit_test(all_documents_are_read),
        cmocka_unit_test(anchors_and_merges_work),
        cmocka_unit_test(metricsql_is_for_those_who_speak_it),
        cmocka_unit_test(sets_are_shared),
        cmocka_unit_test(labels_of_the_series_are_kept_when_asked_for),
    };

    return cmocka_run_group_tests_name("rules/rule_set", tests, NULL, NULL);
}
