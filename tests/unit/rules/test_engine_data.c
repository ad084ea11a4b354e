/*
 * No data, partial answers, limits on series and deadlines: what an evaluation makes of them. Time is
 * slots of ten seconds.
 */
#include "engine_bench.h"
#include "rules/engine_int.h"

#include <stdio.h>
#include <string.h>

/* ---- the expression that says whether there is data ---- */

struct data_case {
    const char *expr;
    const char *labels;
    const char *data; /* "" when the answer is the data */
    bool by_series;
};

static const struct data_case data_cases[] = {
    {"up == 0", "", "up", true},
    {"0 < up", "", "up", true},
    {"rate(x[5m]) > 3 < 9", "", "rate(x[5m])", true},
    {"(sum by (i) (x) > 3) and y", "", "sum by (i) (x)", true},
    {"x unless y", "", "x", true},
    {"(a > 1) or (b > 2)", "", "(a) or (b)", true},
    {"a / b > 0.5", "", "a / b", true},
    {"a > on (i) group_left () b", "", "a", true},
    {"a > b", "", "a", true},
    {"x", "", "", false},
    {"up == bool 0", "", "", false},
    {"count(up == 0) > 2", "", "count(up)", false},
    {"a > on (i) b", "", "count(a) or count(b)", false},
    {"absent(x)", "", "count(x)", false},
    {"increase(x[1h] offset 5m) > 1", "", "increase(x[1h] offset 5m)", true},
    {"x > 1", "    labels: {v: '{{ $value }}'}\n", "count(x)", false},
};

static void what_is_asked_for_data(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(data_cases); i++) {
        const struct data_case *c = &data_cases[i];
        char text[512];
        (void)snprintf(text, sizeof(text),
                       "groups:\n- name: g\n  no_data: alert\n  rules:\n  - alert: A\n"
                       "    expr: '%s'\n%s",
                       c->expr, c->labels);
        struct rule_set *set = parse_rules(text);
        const struct rule *r = &set->groups[0].rules[0];
        if (!str_eq(r->data_expr, str_of(c->data)) || r->data_by_series != c->by_series) {
            fail_msg("%s: '%.*s' %d", c->expr, STR_FMT(r->data_expr), r->data_by_series);
        }
        rule_set_unref(set);
    }
}

/* ---- no_data ---- */

static const char *const policies[] = {"resolve", "keep_last_state", "alert"};

static void start_with(struct bench *b, const char *fields)
{
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "groups:\n- name: g\n  rules:\n  - alert: Low\n    expr: x < 5\n"
                   "    labels: {team: core}\n%s",
                   fields);
    bench_start(b, text);
    b->source.data_expr = "x";
}

static void start_policy(struct bench *b, const char *policy)
{
    char fields[64];

    (void)snprintf(fields, sizeof(fields), "    no_data: %s\n", policy);
    start_with(b, fields);
}

static void a_series_that_is_fine_resolves_whatever_the_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct bench b;
        start_policy(&b, policies[i]);
        answer_one(&b, "{\"i\":\"a\"}", 1);
        evaluate(&b, 1);
        assert_int_equal(b.source.queries, 1);
        b.source.count = 0;
        b.source.data_raws[0] = "{\"i\":\"a\"}";
        b.source.data_count = 1;
        evaluate(&b, 2);
        assert_int_equal(b.source.queries, i == 0 ? 2 : 3);
        expect_given(&b.given.edges,
                     "told {alertname=\"Low\", i=\"a\", team=\"core\"} ready>alerting 1\n"
                     "told {alertname=\"Low\", i=\"a\", team=\"core\"} alerting>resolved 1\n");
        evaluate(&b, 3);
        assert_int_equal(b.source.queries, i == 2 ? 5 : i == 0 ? 3 : 4);
        expect_given(&b.given.edges, "");
        bench_stop(&b);
    }
}

static void a_series_without_data_does_as_the_policy_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
        struct bench b;
        start_policy(&b, policies[i]);
        answer_one(&b, "{\"i\":\"a\"}", 1);
        evaluate(&b, 1);
        buf_clear(&b.given.edges);
        b.source.count = 0;
        b.source.data_raws[0] = "{\"i\":\"other\"}";
        b.source.data_count = 1;
        evaluate(&b, 2);
        evaluate(&b, 3);
        expect_given(
            &b.given.edges,
            i == 0 ? "told {alertname=\"Low\", i=\"a\", team=\"core\"} alerting>resolved 1\n" : "");
        b.source.data_raws[0] = "{\"i\":\"a\"}";
        evaluate(&b, 4);
        expect_given(
            &b.given.edges,
            i == 0 ? "" : "told {alertname=\"Low\", i=\"a\", team=\"core\"} alerting>resolved 1\n");
        bench_stop(&b);
    }
}

static void a_restored_alert_is_known_by_its_labels(void **state)
{
    static const char rules[] = "groups:\n- name: g\n  no_data: keep_last_state\n  rules:\n"
                                "  - alert: Low\n    expr: x < 5\n    labels: {team: core}\n";
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    b.source.data_expr = "x";
    answer_one(&b, "{\"i\":\"a\"}", 1);
    evaluate(&b, 1);
    bench_restart(&b, rules);
    buf_clear(&b.given.edges);
    b.source.count = 0;
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    b.source.data_raws[0] = "{\"__name__\":\"x\",\"i\":\"a\"}";
    b.source.data_count = 1;
    evaluate(&b, 3);
    expect_given(&b.given.edges,
                 "told {alertname=\"Low\", i=\"a\", team=\"core\"} alerting>resolved 1\n");
    bench_stop(&b);
}

static void no_data_at_all_is_an_alert_of_its_own(void **state)
{
    struct bench b;

    (void)state;
    start_with(&b, "    no_data: alert\n    for: 20s\n");
    for (int slot = 1; slot <= 4; slot++) {
        evaluate(&b, slot);
    }
    expect_given(&b.given.edges, "quiet {alertname=\"Low\", team=\"core\"} ready>pending 0\n"
                                 "told {alertname=\"Low\", team=\"core\"} pending>alerting 0\n");
    b.source.data_raws[0] = "{\"i\":\"a\"}";
    b.source.data_count = 1;
    evaluate(&b, 5); /* there is data, and it is fine */
    expect_given(&b.given.edges, "told {alertname=\"Low\", team=\"core\"} alerting>resolved 0\n");
    answer_one(&b, "{\"i\":\"a\"}", 1);
    evaluate(&b, 6);
    b.source.count = 0;
    b.source.data_count = 0;
    evaluate(&b, 7); /* the alert of the series says it already */
    evaluate(&b, 8);
    expect_given(&b.given.edges,
                 "quiet {alertname=\"Low\", i=\"a\", team=\"core\"} ready>pending 1\n"
                 "told {alertname=\"Low\", i=\"a\", team=\"core\"} pending>alerting 1\n");
    bench_stop(&b);
}

static void a_failed_look_for_data_changes_nothing(void **state)
{
    const struct rule_update *got = NULL;
    struct arena arena;
    struct bench b;

    (void)state;
    arena_init(&arena, ARENA_UNLIMITED);
    start_with(&b, "    no_data: keep_last_state\n");
    answer_one(&b, "{\"i\":\"a\"}", 1);
    evaluate(&b, 1);
    buf_clear(&b.given.edges);
    b.source.count = 0;
    b.source.data_fails = true;
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    struct str id = group_run_rules(engine_group(b.engine, 0))->rules[0].id;
    assert_int_equal(engine_rule_updates(b.engine, id, &arena, &got), 2);
    assert_true(got[0].failed);
    assert_true(str_find(got[0].error, STR("asking whether there is data")) < got[0].error.len);
    bench_stop(&b);
    arena_release(&arena);
}

/* ---- partial ---- */

static void partial_answers_do_as_the_rule_says(void **state)
{
    static const struct {
        const char *fields;
        const char *edges;
    } cases[] = {
        {"", ""},
        {"    partial: keep_last_state\n", ""},
        {"    partial: error\n", ""},
        {"    partial: resolve\n",
         "told {alertname=\"Low\", i=\"a\", team=\"core\"} alerting>resolved 1\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf json = BUF_INIT(BUF_SMALL);
        struct engine_filter filter = {0};
        struct bench b;
        start_with(&b, cases[i].fields);
        answer_one(&b, "{\"i\":\"a\"}", 1);
        evaluate(&b, 1);
        buf_clear(&b.given.edges);
        b.source.count = 0;
        b.source.partial = true;
        evaluate(&b, 2);
        expect_given(&b.given.edges, cases[i].edges);
        engine_print_rules(b.engine, &filter, &json);
        assert_int_equal(strstr(buf_text(&json), "the answer is partial") != NULL, i == 2);
        bench_stop(&b);
    }
}

/* ---- limits ---- */

static const char two_rules[] = "groups:\n"
                                "- name: g\n"
                                "  series_limit: 5\n"
                                "  rules:\n"
                                "  - {alert: A, expr: a, limit: 9}\n"
                                "  - {record: r, expr: b}\n"
                                "- name: h\n"
                                "  rules:\n"
                                "  - {record: s, expr: c}\n";

static void evaluate_group(struct bench *b, size_t group, size_t series, int slot)
{
    b->source.made = series;
    group_evaluate(engine_group(b->engine, group), START_NS + slot * SLOT_NS,
                   (struct wait){DEADLINE_NEVER, NULL});
}

static void expect_error(struct bench *b, const char *want)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct engine_filter filter = {.exclude_alerts = true};

    engine_print_rules(b->engine, &filter, &json);
    if (strstr(buf_text(&json), want) == NULL) {
        fail_msg("no '%s' in %s", want, buf_text(&json));
    }
}

static size_t count_lines(struct buf *text)
{
    size_t lines = 0;

    for (const char *at = buf_text(text); *at != '\0'; at++) {
        lines += *at == '\n';
    }
    buf_clear(text);
    return lines;
}

static void a_breach_says_what_was_seen_and_wipes_nothing(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, two_rules);
    evaluate_group(&b, 0, 2, 1);
    assert_int_equal(count_lines(&b.given.edges), 2);
    buf_clear(&b.given.samples);
    evaluate_group(&b, 0, 7, 2);
    expect_error(&b, "the answer has 7 series; the rules of group 'g' may have 5 together, and the "
                     "others have 2: narrow");
    expect_given(&b.given.edges, "");
    expect_given(&b.given.samples, ""); /* no stale markers, no new series */
    evaluate_group(&b, 0, 3, 3);
    expect_error(&b, "may have 5 together, and the others have 3"); /* of the second rule */
    assert_int_equal(count_lines(&b.given.edges), 1);
    evaluate_group(&b, 0, 2, 4); /* what is over gives its place back after a while */
    bench_stop(&b);
}

/* What a refused answer made is not kept, however often labels change. */
static void a_breach_leaves_nothing_behind(void **state)
{
    static const char text[] = "groups:\n- name: g\n  rules:\n"
                               "  - {alert: A, expr: a, limit: 3}\n";
    struct bench b;

    (void)state;
    bench_start(&b, text);
    evaluate_group(&b, 0, 2, 1);
    evaluate_group(&b, 0, 9, 2);
    expect_error(&b, "the answer has 9 series, and 'limit' allows this rule 3");
    const struct series_table *table = &engine_group(b.engine, 0)->runs[0]->table;
    assert_int_equal(table->count - table->dropped, 2);
    bench_stop(&b);
}

static void all_rules_together_have_a_limit(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, two_rules);
    engine_free(b.engine);
    rule_set_unref(b.set);
    b.limits.series_total = 8;
    b.limits.series_per_rule = 6;
    bench_engine(&b, two_rules);
    evaluate_group(&b, 0, 2, 1);
    evaluate_group(&b, 1, 4, 1);
    expect_error(&b, "\"health\":\"ok\"");
    assert_int_equal(count_lines(&b.given.samples), 2 * 2 + 2 + 4);
    evaluate_group(&b, 1, 5, 2);
    expect_error(&b,
                 "the answer has 5 series; all rules may have 8 together, and the others have 4");
    evaluate_group(&b, 1, 7, 3);
    expect_error(&b, "the answer has 7 series; all rules may have 8 together");
    engine_free(b.engine);
    rule_set_unref(b.set);
    b.limits.series_total = 0;
    bench_engine(&b, two_rules);
    evaluate_group(&b, 1, 7, 4);
    expect_error(&b, "the answer has 7 series, and 'limit' allows this rule 6");
    bench_stop(&b);
}

/* A rule that goes gives back what it had; one that moves takes it along. */
static void a_reload_counts_anew(void **state)
{
    static const char without[] = "groups:\n- name: g\n  series_limit: 5\n  rules:\n"
                                  "  - {record: r, expr: b}\n";
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, two_rules);
    evaluate_group(&b, 0, 2, 1);
    struct rule_set *set = parse_rules(without);
    assert_true(engine_set_rules(b.engine, set, &e));
    buf_clear(&b.given.samples);
    evaluate_group(&b, 0, 5, 2);
    assert_int_equal(count_lines(&b.given.samples), 5);
    rule_set_unref(set);
    bench_stop(&b);
}

/* ---- deadlines ---- */

static void queries_have_the_deadline_of_their_rule(void **state)
{
    static const char rules[] = "groups:\n- name: g\n  query_timeout: 2s\n  rules:\n"
                                "  - {record: r, expr: b}\n"
                                "- name: h\n  rules:\n"
                                "  - {record: r, expr: b, query_timeout: 700ms}\n"
                                "- name: i\n  rules:\n"
                                "  - {record: r, expr: b, query_timeout: 1h}\n";
    static const int64_t want_ms[] = {2000, 700, 5000};
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    for (size_t i = 0; i < ARRAY_LEN(want_ms); i++) {
        evaluate_group(&b, i, 0, 1);
        assert_in_range(b.source.last_timeout_ms, want_ms[i] - 500, want_ms[i] + 1);
    }
    bench_stop(&b);
}

static const char asks_in_text[] = "groups:\n- name: g\n  query_timeout: 700ms\n  rules:\n"
                                   "  - alert: A\n    expr: a\n    annotations:\n"
                                   "      seen: '{{ query \"x\" | len }}'\n";

/* What the rule's own query took is not taken off what its texts may ask. */
static void each_query_has_its_own_time(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, asks_in_text);
    b.source.takes_ms = 400;
    evaluate_group(&b, 0, 1, 1);
    assert_int_equal(b.source.queries, 2);
    assert_in_range(b.source.last_timeout_ms, 500, 701);
    bench_stop(&b);
}

static void alerts_that_ask_the_same_ask_once(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, asks_in_text);
    evaluate_group(&b, 0, 3, 1);
    assert_int_equal(count_lines(&b.given.edges), 3);
    assert_int_equal(b.source.queries, 2);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_asked_for_data),
        cmocka_unit_test(each_query_has_its_own_time),
        cmocka_unit_test(alerts_that_ask_the_same_ask_once),
        cmocka_unit_test(a_series_that_is_fine_resolves_whatever_the_policy),
        cmocka_unit_test(a_series_without_data_does_as_the_policy_says),
        cmocka_unit_test(a_restored_alert_is_known_by_its_labels),
        cmocka_unit_test(no_data_at_all_is_an_alert_of_its_own),
        cmocka_unit_test(a_failed_look_for_data_changes_nothing),
        cmocka_unit_test(partial_answers_do_as_the_rule_says),
        cmocka_unit_test(a_breach_says_what_was_seen_and_wipes_nothing),
        cmocka_unit_test(a_breach_leaves_nothing_behind),
        cmocka_unit_test(all_rules_together_have_a_limit),
        cmocka_unit_test(a_reload_counts_anew),
        cmocka_unit_test(queries_have_the_deadline_of_their_rule),
    };

    return cmocka_run_group_tests_name("rules/engine_data", tests, NULL, NULL);
}
