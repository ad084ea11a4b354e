/*
 * What other engines get wrong in these parts, each as a test: labels with commas and equal signs, hashes
 * that run names and values together, the order of rules after a reload, values in 32 bits. A store that hangs is in
 * tests/e2e/test_lifecycle.py and test_alertmanager.py.
 */
#include "engine_bench.h"

#include <string.h>

/* A key made of "name=value,..." loses such series, and its marker goes to another one. */
static void markers_find_series_with_commas_and_equal_signs(void **state)
{
    const char *raws[] = {"{\"path\":\"a=b,c=d\",\"q\":\"1\"}", "{\"path\":\"a\",\"q\":\"b,c=d\"}",
                          "{\"path\":\"\\\"=,\\\\\"}"};
    const double values[] = {1, 2, 3};
    struct bench b;

    (void)state;
    bench_start(&b, "groups:\n- name: g\n  rules:\n  - {record: r, expr: x}\n");
    answer(&b, 3, raws, values);
    evaluate(&b, 1);
    buf_clear(&b.given.samples);
    b.source.count = 0;
    evaluate(&b, 2);
    expect_given(&b.given.samples, "r{path=\"a=b,c=d\", q=\"1\"} stale\n"
                                   "r{path=\"a\", q=\"b,c=d\"} stale\n"
                                   "r{path=\"\\\"=,\\\\\"} stale\n");
    bench_stop(&b);
}

/* Label sets whose text runs together alike are no duplicates of each other. */
static void label_sets_that_run_together_alike_differ(void **state)
{
    const char *raws[] = {
        "{\"path\":\"a,b=c\"}", "{\"path\":\"a\",\"b\":\"c\"}", "{\"ab\":\"c\"}",
        "{\"a\":\"bc\"}",       "{\"a\":\"b\",\"c\":\"d\"}",    "{\"a\":\"bcd\"}"};
    const double values[] = {1, 2, 3, 4, 5, 6};
    static const char *const kinds[] = {"record: r", "alert: r"};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        AUTO(buf_release) struct buf rules = BUF_INIT(BUF_SMALL);
        struct bench b;
        size_t lines = 0;
        buf_addf(&rules, "groups:\n- name: g\n  rules:\n  - {%s, expr: x}\n", kinds[k]);
        bench_start(&b, buf_text(&rules));
        answer(&b, ARRAY_LEN(raws), raws, values);
        evaluate(&b, 1);
        struct buf *out = k == 0 ? &b.given.samples : &b.given.edges;
        for (const char *at = buf_text(out); *at != '\0'; at++) {
            lines += *at == '\n';
        }
        assert_int_equal(lines, ARRAY_LEN(raws));
        bench_stop(&b);
    }
}

/* Where <what> stands in what the API prints. */
static const char *place_of(struct buf *json, const char *what)
{
    const char *found = strstr(buf_text(json), what);

    if (found == NULL) {
        fail_msg("no %s in %s", what, buf_text(json));
    }
    return found;
}

static void rules_keep_the_order_of_the_file_over_a_reload(void **state)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    struct engine_filter filter = {0};
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, "groups:\n- name: g\n  rules:\n"
                    "  - {record: two, expr: x}\n  - {record: four, expr: x}\n");
    struct rule_set *set = parse_rules("groups:\n- name: g\n  rules:\n"
                                       "  - {record: one, expr: x}\n  - {record: two, expr: x}\n"
                                       "  - {record: three, expr: x}\n  - {record: four, expr: x}\n"
                                       "  - {record: five, expr: x}\n");
    assert_true(engine_set_rules(b.engine, set, &e));
    answer_one(&b, "{}", 1);
    evaluate(&b, 1);
    expect_given(&b.given.samples, "one 1\ntwo 1\nthree 1\nfour 1\nfive 1\n");
    engine_print_rules(b.engine, &filter, &json);
    const char *last = buf_text(&json);
    static const char *const names[] = {"\"one\"", "\"two\"", "\"three\"", "\"four\"", "\"five\""};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *at = place_of(&json, names[i]);
        assert_true(at > last);
        last = at;
    }
    rule_set_unref(set);
    bench_stop(&b);
}

/* 16777217 and 0.1 are no 32-bit floats. */
static void values_keep_their_64_bits(void **state)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {16777217, 0.1234567890123456};
    struct bench b;

    (void)state;
    bench_start(&b, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x > 0\n"
                    "    annotations: {v: '{{ $value }}'}\n");
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    engine_print_alerts(b.engine, &(struct engine_filter){0}, &json);
    (void)place_of(&json, "\"value\":\"1.6777217e+07\"");
    (void)place_of(&json, "\"value\":\"0.1234567890123456\"");
    assert_non_null(strstr(buf_text(&b.given.edges), " 16777217 1.6777217e+07"));
    bench_stop(&b);
}

/* All that decides comes back after a restart, of rules that fire at once too, and one rule that fails has
 * nothing to do with the others. */
static void every_rule_has_its_state_after_a_restart(void **state)
{
    static const char rules[] = "groups:\n- name: g\n  rules:\n"
                                "  - {alert: Broken, expr: broken, for: 1m}\n"
                                "  - {alert: AtOnce, expr: x}\n"
                                "  - {alert: Later, expr: x, for: 20s}\n"
                                "  - {alert: Held, expr: x, keep_firing_for: 30s}\n";
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    b.source.data_expr = "broken";
    b.source.data_fails = true;
    answer_one(&b, "{}", 1);
    for (int slot = 1; slot <= 3; slot++) {
        evaluate(&b, slot);
    }
    bench_restart(&b, rules);
    buf_clear(&b.given.edges);
    evaluate(&b, 4);
    expect_given(&b.given.edges, ""); /* nothing is told again */
    b.source.count = 0;
    evaluate(&b, 5);
    expect_given(&b.given.edges, "told {alertname=\"AtOnce\"} alerting>resolved 1\n"
                                 "told {alertname=\"Later\"} alerting>resolved 1\n"
                                 "quiet {alertname=\"Held\"} alerting>alerting 1\n");
    bench_stop(&b);
}

/* A store that takes no samples when an alert fires: the alert is known all the same, over a restart too, and its
 * series are written by the next evaluation. */
static void alerts_do_not_hang_on_their_series(void **state)
{
    static const char rules[] =
        "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x, keep_firing_for: 1h}\n";
    static const char series[] = "ALERTS{alertname=\"A\", alertstate=\"firing\"} 1\n"
                                 "ALERTS_FOR_STATE{alertname=\"A\"} 1700000010\n";
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    answer_one(&b, "{}", 1);
    b.given.refuses_samples = true;
    evaluate(&b, 1);
    expect_given(&b.given.edges, "told {alertname=\"A\"} ready>alerting 1\n");
    expect_given(&b.given.samples, "");
    b.given.refuses_samples = false;
    bench_restart(&b, rules);
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    expect_given(&b.given.samples, series);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markers_find_series_with_commas_and_equal_signs),
        cmocka_unit_test(label_sets_that_run_together_alike_differ),
        cmocka_unit_test(rules_keep_the_order_of_the_file_over_a_reload),
        cmocka_unit_test(values_keep_their_64_bits),
        cmocka_unit_test(every_rule_has_its_state_after_a_restart),
        cmocka_unit_test(alerts_do_not_hang_on_their_series),
    };

    return cmocka_run_group_tests_name("rules/engine_defects", tests, NULL, NULL);
}
