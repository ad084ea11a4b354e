/*
 * The engine against a scripted datasource: what is recorded, which edges are kept and told, what
 * survives failures, a restart and a reload. Time is slots of ten seconds.
 */
#include "engine_bench.h"

#include <stdio.h>
#include <string.h>

/* ---- recording rules ---- */

static const char record_rules[] = "groups:\n"
                                   "- name: g\n"
                                   "  rules:\n"
                                   "  - record: cpu\n"
                                   "    expr: rate(x[5m])\n"
                                   "    labels: {team: core, gone: ''}\n";

static void records_under_the_rules_name_and_labels(void **state)
{
    const char *raws[] = {"{\"__name__\":\"x\",\"instance\":\"a\",\"gone\":\"1\"}",
                          "{\"instance\":\"b\",\"team\":\"other\"}"};
    const double values[] = {1.5, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    expect_given(&b.given.samples,
                 "cpu{instance=\"a\", team=\"core\"} 1.5\ncpu{instance=\"b\", team=\"core\"} 2\n");
    evaluate(&b, 2);
    expect_given(&b.given.samples,
                 "cpu{instance=\"a\", team=\"core\"} 1.5\ncpu{instance=\"b\", team=\"core\"} 2\n");
    assert_string_equal(b.source.last_expr, "rate(x[5m])");
    bench_stop(&b);
}

static void a_series_that_goes_gets_one_stale_marker(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    answer_one(&b, raws[1], 3);
    buf_clear(&b.given.samples);
    evaluate(&b, 2);
    expect_given(&b.given.samples,
                 "cpu{i=\"b\", team=\"core\"} 3\ncpu{i=\"a\", team=\"core\"} stale\n");
    evaluate(&b, 3);
    expect_given(&b.given.samples, "cpu{i=\"b\", team=\"core\"} 3\n");
    answer(&b, 2, raws, values);
    evaluate(&b, 4);
    expect_given(&b.given.samples,
                 "cpu{i=\"a\", team=\"core\"} 1\ncpu{i=\"b\", team=\"core\"} 2\n");
    bench_stop(&b);
}

enum { ORDER_SERIES = 6, ORDER_ROUNDS = 60 };

/* A random part of the series in a random order, often the one of last time. */
static void answer_some(struct bench *b, bool is_there[ORDER_SERIES], int round)
{
    static const char *const all[ORDER_SERIES] = {"{\"i\":\"0\"}", "{\"i\":\"1\"}",
                                                  "{\"i\":\"2\"}", "{\"i\":\"3\"}",
                                                  "{\"i\":\"4\"}", "{\"i\":\"5\"}"};
    uint64_t change = rng_below(&b->rng, 3);
    uint64_t from = change == 2 ? rng_below(&b->rng, ORDER_SERIES) : 0;

    b->source.count = 0;
    for (size_t k = 0; k < ORDER_SERIES; k++) {
        size_t i = (k + from) % ORDER_SERIES;
        is_there[i] = change == 0 || rng_below(&b->rng, 4) > 0;
        if (is_there[i]) {
            b->source.raws[b->source.count] = all[i];
            b->source.values[b->source.count++] = round;
        }
    }
}

/* However an answer is ordered, each series has its value, and one marker when it goes. */
static void the_order_of_answers_says_nothing(void **state)
{
    bool before[ORDER_SERIES] = {false};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    for (int round = 1; round <= ORDER_ROUNDS; round++) {
        bool now[ORDER_SERIES] = {false};
        size_t lines = 0;
        answer_some(&b, now, round);
        buf_clear(&b.given.samples);
        evaluate(&b, round);
        for (int i = 0; i < ORDER_SERIES; i++) {
            char value[64];
            (void)snprintf(value, sizeof(value), "cpu{i=\"%d\", team=\"core\"} %d\n", i, round);
            char marker[64];
            (void)snprintf(marker, sizeof(marker), "cpu{i=\"%d\", team=\"core\"} stale\n", i);
            const char *text = buf_text(&b.given.samples);
            assert_int_equal(strstr(text, value) != NULL, now[i]);
            assert_int_equal(strstr(text, marker) != NULL, before[i] && !now[i]);
            lines += now[i] || before[i];
        }
        for (const char *c = buf_text(&b.given.samples); *c != '\0'; c++) {
            lines -= *c == '\n';
        }
        assert_int_equal(lines, 0);
        memcpy(before, now, sizeof(before));
    }
    bench_stop(&b);
}

static void failures_and_partial_answers_end_no_series(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    buf_clear(&b.given.samples);
    b.source.fails = true;
    evaluate(&b, 2);
    expect_given(&b.given.samples, "");
    b.source.fails = false;
    b.source.partial = true;
    answer_one(&b, raws[0], 5);
    evaluate(&b, 3);
    expect_given(&b.given.samples, "cpu{i=\"a\", team=\"core\"} 5\n");
    b.source.partial = false;
    evaluate(&b, 4);
    expect_given(&b.given.samples,
                 "cpu{i=\"a\", team=\"core\"} 5\ncpu{i=\"b\", team=\"core\"} stale\n");
    bench_stop(&b);
}

static void duplicates_fail_the_rule_and_give_nothing(void **state)
{
    const char *raws[] = {"{\"i\":\"a\",\"gone\":\"1\"}", "{\"i\":\"a\",\"gone\":\"2\"}"};
    const double values[] = {1, 2};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_SMALL);
    struct engine_filter filter = {0};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    expect_given(&b.given.samples, "");
    engine_print_rules(b.engine, &filter, &json);
    assert_non_null(strstr(buf_text(&json), "two series of the answer become the same one"));
    assert_non_null(strstr(buf_text(&json), "\"health\":\"err\""));
    bench_stop(&b);
}

static void export_interval_thins(void **state)
{
    struct bench b;

    (void)state;
    bench_start(
        &b, "groups:\n- name: g\n  rules:\n  - record: r\n    expr: x\n"
            "    labels: {export_to_datastore: 'true'}\n    annotations: {export_interval: 30s}\n");
    answer(&b, 0, NULL, NULL);
    evaluate(&b, 0); /* nothing to export: not the one that counts */
    answer_one(&b, "{}", 1);
    for (int slot = 1; slot <= 5; slot++) {
        evaluate(&b, slot);
    }
    expect_given(&b.given.samples, "r{export_to_datastore=\"true\"} 1\n"
                                   "r{export_to_datastore=\"true\"} 1 thinned\n"
                                   "r{export_to_datastore=\"true\"} 1 thinned\n"
                                   "r{export_to_datastore=\"true\"} 1\n"
                                   "r{export_to_datastore=\"true\"} 1 thinned\n");
    bench_stop(&b);
}

static void a_refused_export_does_not_use_up_the_interval(void **state)
{
    struct bench b;

    (void)state;
    bench_start(
        &b, "groups:\n- name: g\n  rules:\n  - record: r\n    expr: x\n"
            "    labels: {export_to_datastore: 'true'}\n    annotations: {export_interval: 30s}\n");
    answer_one(&b, "{}", 1);
    b.given.refuses_samples = true;
    evaluate(&b, 1);
    b.given.refuses_samples = false;
    evaluate(&b, 2);
    evaluate(&b, 3);
    expect_given(&b.given.samples, "r{export_to_datastore=\"true\"} 1\n"
                                   "r{export_to_datastore=\"true\"} 1 thinned\n");
    bench_stop(&b);
}

/* ---- alerting rules ---- */

static const char alert_rules[] = "groups:\n"
                                  "- name: g\n"
                                  "  notifier_headers: ['X-Team: core']\n"
                                  "  rules:\n"
                                  "  - alert: High\n"
                                  "    expr: x > 80\n"
                                  "    for: 20s\n"
                                  "    labels: {severity: page}\n"
                                  "    annotations: {summary: '{{ $labels.i }} at {{ $value }}'}\n";

static void an_alert_pends_fires_and_resolves(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"__name__\":\"x\",\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    expect_given(&b.given.edges,
                 "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n");
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"pending\", i=\"a\", severity=\"page\"} 1\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    buf_clear(&b.given.samples);
    b.source.values[0] = 95;
    evaluate(&b, 3);
    expect_given(
        &b.given.edges,
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 95 a at 95\n");
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"pending\", i=\"a\", severity=\"page\"} stale\n"
        "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} 1\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    b.source.count = 0;
    evaluate(&b, 4);
    expect_given(
        &b.given.edges,
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 95 a at 95\n");
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    evaluate(&b, 5);
    expect_given(&b.given.samples, "");
    assert_int_equal(b.given.changed, 5);
    bench_stop(&b);
}

static void nothing_changes_when_the_ledger_refuses(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    b.given.refuses_edges = ERR_IO;
    evaluate(&b, 1);
    evaluate(&b, 2);
    expect_given(&b.given.samples, "");
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 3);
    expect_given(&b.given.edges,
                 "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n");
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    b.given.refuses_edges = ERR_IO;
    evaluate(&b, 5);
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 6);
    expect_given(
        &b.given.edges,
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

static void a_slot_without_room_is_missed(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    b.given.refuses_edges = ERR_FULL;
    evaluate(&b, 1);
    metrics_render(b.env.metrics, &text);
    assert_non_null(
        strstr(strstr(buf_text(&text), "\ntelex_rule_group_iterations_missed"), "} 1\n"));
    bench_stop(&b);
}

static void errors_and_partial_answers_keep_alerts(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    b.source.fails = true;
    evaluate(&b, 2);
    b.source.fails = false;
    b.source.partial = true;
    b.source.count = 0;
    evaluate(&b, 3);
    b.source.partial = false;
    b.source.count = 1;
    evaluate(&b, 4);
    expect_given(
        &b.given.edges,
        "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n"
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

static void export_query_runs_once_and_joins_by_labels(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(
        &b,
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n"
        "    labels: {export_to_datastore: 'true'}\n    annotations: {export_query: 'avg by (i) (y)'}\n");
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    assert_int_equal(b.source.queries, 2);
    assert_string_equal(b.source.last_expr, "avg by (i) (y)");
    expect_given(&b.given.edges,
                 "told {alertname=\"A\", export_to_datastore=\"true\", i=\"a\"} ready>alerting 1 "
                 "avg by (i) (y) {i=\"a\"}=1\n"
                 "told {alertname=\"A\", export_to_datastore=\"true\", i=\"b\"} ready>alerting 2 "
                 "avg by (i) (y) {i=\"b\"}=2\n");
    evaluate(&b, 2);
    assert_int_equal(b.source.queries, 3);
    bench_stop(&b);
}

/* ---- levels ---- */

static const char asking_rules[] = "groups:\n"
                                   "- name: g\n"
                                   "  rules:\n"
                                   "  - alert: Plain\n"
                                   "    expr: up == 0\n"
                                   "    annotations: {n: '{{ query \"lookup\" | len }}'}\n";

struct seen_level {
    size_t firing;
    size_t resolved;
    struct level_alert last;
};

static void see_level(void *arg, const struct level_alert *alert)
{
    struct seen_level *seen = arg;

    seen->firing += alert->firing;
    seen->resolved += !alert->firing;
    seen->last = *alert;
}

/* What the texts ask is asked for the slot that decided, and no longer than the caller waits. */
static void levels_ask_for_the_slot(void **state)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct seen_level seen = {0};
    struct bench b;

    (void)state;
    bench_start(&b, asking_rules);
    struct level_source levels = engine_levels(b.engine);
    answer_one(&b, "{\"i\":\"a\"}", 0);
    evaluate(&b, 1);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 1);
    assert_true(seen.last.asks_ns > 0);
    assert_true(levels.describe(levels.arg, &seen.last,
                                (struct wait){clock_deadline_ms(b.env.clock, 700), NULL},
                                &annotations, &url));
    assert_string_equal(buf_text(&annotations), "{\"n\":\"1\"}");
    assert_string_equal(b.source.last_expr, "lookup");
    assert_true(b.source.last_time_ns == START_NS + SLOT_NS);
    assert_in_range(b.source.last_timeout_ms, 1, 700);
    bench_stop(&b);
}

static const char renamed_rules[] = "groups:\n"
                                    "- name: g\n"
                                    "  rules:\n"
                                    "  - alert: Other\n"
                                    "    expr: up == 0\n";

/* What the rule said of it is told to its end, as long as of any other alert. */
static void levels_show_alerts_of_removed_rules(void **state)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct seen_level seen = {0};
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    struct level_source levels = engine_levels(b.engine);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 1);
    uint64_t key = seen.last.key;

    struct rule_set *other = parse_rules(renamed_rules);
    assert_true(engine_set_rules(b.engine, other, &e));
    rule_set_unref(other);
    seen = (struct seen_level){0};
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 0);
    assert_int_equal(seen.resolved, 1);
    assert_true(seen.last.key == key);
    assert_true(seen.last.ends_at_ns > seen.last.starts_at_ns);
    assert_true(seen.last.starts_at_ns == START_NS + 3 * SLOT_NS);
    assert_true(str_eq(seen.last.headers[0].name, STR("X-Team")));
    assert_true(
        levels.describe(levels.arg, &seen.last, (struct wait){0, NULL}, &annotations, &url));
    assert_string_equal(buf_text(&annotations), "{\"summary\":\"a at 90\"}");

    /* The rule is back and its alert fires: the one before cannot be told apart from it. */
    struct rule_set *same = parse_rules(alert_rules);
    assert_true(engine_set_rules(b.engine, same, &e));
    rule_set_unref(same);
    evaluate(&b, 5);
    evaluate(&b, 7);
    seen = (struct seen_level){0};
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 1);
    assert_int_equal(seen.resolved, 0);
    bench_stop(&b);
}

static void levels_show_firing_and_lately_resolved(void **state)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct seen_level seen = {0};
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    struct level_source levels = engine_levels(b.engine);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing + seen.resolved, 0);
    evaluate(&b, 3);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 1);
    assert_true(seen.last.starts_at_ns == START_NS + 3 * SLOT_NS);
    assert_int_equal(seen.last.header_count, 1);
    assert_true(str_eq(seen.last.headers[0].name, STR("X-Team")));
    assert_true(levels.describe(levels.arg, &seen.last, (struct wait){DEADLINE_NEVER, NULL},
                                &annotations, &url));
    assert_string_equal(buf_text(&annotations), "{\"summary\":\"a at 90\"}");
    assert_true(str_starts(buf_str(&url), STR("http://telex/")));
    b.source.count = 0;
    evaluate(&b, 4);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.resolved, 1);
    evaluate(&b, 4 + 6 * 15);
    seen = (struct seen_level){0};
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing + seen.resolved, 0);
    bench_stop(&b);
}

static void slots_are_spread_and_never_skip(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    const struct rule_group *g = group_run_rules(engine_group(b.engine, 0));
    int64_t slot = group_next_slot(g, START_NS);
    assert_true(slot >= START_NS && slot < START_NS + SLOT_NS);
    assert_true(group_next_slot(g, slot) == slot);
    assert_true(group_next_slot(g, slot + 1) == slot + SLOT_NS);
    assert_true(group_next_slot(g, -START_NS) >= -START_NS);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_under_the_rules_name_and_labels),
        cmocka_unit_test(a_series_that_goes_gets_one_stale_marker),
        cmocka_unit_test(the_order_of_answers_says_nothing),
        cmocka_unit_test(failures_and_partial_answers_end_no_series),
        cmocka_unit_test(duplicates_fail_the_rule_and_give_nothing),
        cmocka_unit_test(export_interval_thins),
        cmocka_unit_test(a_refused_export_does_not_use_up_the_interval),
        cmocka_unit_test(an_alert_pends_fires_and_resolves),
        cmocka_unit_test(nothing_changes_when_the_ledger_refuses),
        cmocka_unit_test(a_slot_without_room_is_missed),
        cmocka_unit_test(errors_and_partial_answers_keep_alerts),
        cmocka_unit_test(export_query_runs_once_and_joins_by_labels),
        cmocka_unit_test(levels_show_firing_and_lately_resolved),
        cmocka_unit_test(levels_ask_for_the_slot),
        cmocka_unit_test(levels_show_alerts_of_removed_rules),
        cmocka_unit_test(slots_are_spread_and_never_skip),
    };

    return cmocka_run_group_tests_name("rules/engine", tests, NULL, NULL);
}
