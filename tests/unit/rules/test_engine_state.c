/*
 * What the engine knows over restarts and reloads: replay, snapshots, runs that come and go.
 */
#include "base/fs.h"
#include "engine_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char alert_rules[] = "groups:\n"
                                  "- name: g\n"
                                  "  rules:\n"
                                  "  - alert: High\n"
                                  "    expr: x > 80\n"
                                  "    for: 20s\n"
                                  "    labels: {severity: page}\n"
                                  "    annotations: {summary: '{{ $labels.i }} at {{ $value }}'}\n";

static void a_restart_neither_fires_again_nor_resolves(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    bench_restart(&b, alert_rules);
    evaluate(&b, 2);
    evaluate(&b, 3);
    expect_given(
        &b.given.edges,
        "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n"
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_restart(&b, alert_rules);
    buf_clear(&b.given.samples);
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    expect_given(&b.given.samples,
                 "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} 1\n"
                 "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    bench_restart(&b, alert_rules);
    b.source.count = 0;
    buf_clear(&b.given.samples);
    evaluate(&b, 5);
    expect_given(
        &b.given.edges,
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 90 a at 90\n");
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    bench_stop(&b);
}

static void a_snapshot_brings_everything_back(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    uint64_t saved = 0;
    uint64_t restored = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &saved, &e));
    assert_int_equal(saved, 2);
    engine_free(b.engine);
    rule_set_unref(b.set);
    buf_clear(&b.given.edges);
    bench_engine(&b, alert_rules);
    assert_true(engine_restore_snapshot(b.engine, str_of(path), &restored, &e));
    assert_int_equal(restored, 2);
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    b.source.count = 0;
    evaluate(&b, 5);
    expect_given(
        &b.given.edges,
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 90 a at 90\n");
    bench_stop(&b);
    (void)unlink(path);
}

static const char two_groups[] = "groups:\n"
                                 "- name: a\n"
                                 "  rules:\n"
                                 "  - alert: First\n"
                                 "    expr: x\n"
                                 "- name: b\n"
                                 "  rules:\n"
                                 "  - alert: Second\n"
                                 "    expr: y\n";

struct overtaking {
    struct bench *bench;
    const char *path;
    uint64_t saved;
};

/* While the first group's edge is durable and not yet a state: the second group's becomes one, and a
 * snapshot is made. */
static void overtake(void *arg)
{
    struct overtaking *o = arg;
    struct err e = ERR_INIT;

    group_evaluate(engine_group(o->bench->engine, 1), START_NS + SLOT_NS,
                   (struct wait){DEADLINE_NEVER, NULL});
    assert_true(engine_save_snapshot(o->bench->engine, str_of(o->path), &o->saved, &e));
}

static void a_snapshot_claims_no_edge_that_is_on_its_way(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    struct err e = ERR_INIT;
    struct bench b;
    struct overtaking o = {.bench = &b, .path = path};
    uint64_t restored = 0;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    bench_start(&b, two_groups);
    answer_one(&b, "{\"i\":\"a\"}", 1);
    b.given.meanwhile = overtake;
    b.given.meanwhile_arg = &o;
    group_evaluate(engine_group(b.engine, 0), START_NS + SLOT_NS,
                   (struct wait){DEADLINE_NEVER, NULL});
    assert_int_equal(b.given.kept_count, 2);
    buf_clear(&b.given.edges);
    engine_free(b.engine);
    rule_set_unref(b.set);
    bench_engine(&b, two_groups);
    assert_true(engine_restore_snapshot(b.engine, str_of(path), &restored, &e));
    for (size_t i = 0; i < b.given.kept_count; i++) {
        if (b.given.kept_seq[i] > restored) {
            assert_true(engine_restore_edge(b.engine, b.given.kept_seq[i], b.given.kept[i], &e));
        }
    }
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    bench_stop(&b);
    (void)unlink(path);
}

/* Every truncation of a snapshot is refused. */
static void a_damaged_snapshot_is_refused(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    AUTO(buf_release) struct buf file = BUF_INIT(BUF_SMALL);
    uint64_t seq = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &seq, &e));
    assert_true(fs_read_file(fs_system(), str_of(path), BUF_SMALL, &file, &e));
    for (size_t i = 0; i < file.len; i++) {
        struct err refused = ERR_INIT;
        assert_true(
            fs_replace_file(fs_system(), str_of(path), str_slice(buf_str(&file), 0, i), &e));
        assert_false(engine_restore_snapshot(b.engine, str_of(path), &seq, &refused));
    }
    bench_stop(&b);
    (void)unlink(path);
}

static void a_reload_keeps_what_stays_and_ends_what_goes(void **state)
{
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    buf_clear(&b.given.edges);
    /* Another expression, the same rule. */
    struct rule_set *edited = parse_rules(
        "groups:\n- name: g\n  rules:\n  - alert: High\n    expr: y > 70\n    for: 20s\n"
        "    labels: {severity: page}\n");
    assert_true(engine_set_rules(b.engine, edited, &e));
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    assert_string_equal(b.source.last_expr, "y > 70");
    buf_clear(&b.given.samples);
    struct rule_set *other =
        parse_rules("groups:\n- name: g\n  rules:\n  - record: r\n    expr: z\n");
    assert_true(engine_set_rules(b.engine, other, &e));
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    rule_set_unref(edited);
    rule_set_unref(other);
    bench_stop(&b);
}

static const char at_once[] = "groups:\n- name: g\n  rules:\n  - alert: First\n    expr: x\n";

/* The disk stalls with the edges in hand: they are told once, under one id, and become the state later. */
static void edges_on_their_way_are_not_decided_again(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, at_once);
    answer_one(&b, "{\"i\":\"a\"}", 1);
    b.given.stalls = true;
    evaluate(&b, 1);
    evaluate(&b, 2);
    expect_given(&b.given.edges, "told {alertname=\"First\", i=\"a\"} ready>alerting 1\n");
    expect_given(&b.given.samples, "");
    b.given.stalls = false;
    evaluate(&b, 3);
    expect_given(&b.given.edges, "");
    expect_given(&b.given.samples, "ALERTS{alertname=\"First\", alertstate=\"firing\", i=\"a\"} 1\n"
                                   "ALERTS_FOR_STATE{alertname=\"First\", i=\"a\"} 1700000010\n");
    bench_stop(&b);
}

/* Alerts that share no label with export_query's answer: each agrees with all of it. */
static void exports_are_capped(void **state)
{
    enum { ALERTS = 1200 };
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct alerts *alerts = NULL;
    size_t attached = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    bench_start(&b, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n"
                    "    labels: {export_to_datastore: 'true', n: '', i: '{{ $labels.n }}'}\n"
                    "    annotations: {export_query: y}\n");
    b.source.made = ALERTS;
    evaluate(&b, 1);
    assert_int_equal(b.given.kept_count, 1);
    assert_true(batch_alerts(b.given.kept[0], &alerts, &e));
    assert_int_equal(alerts->count, ALERTS);
    for (uint32_t i = 0; i < alerts->count; i++) {
        attached += alerts->rows[i].export_count;
        assert_true(alerts->rows[i].export_count <= 1000);
    }
    assert_int_equal(attached, 100000);
    metrics_render(b.env.metrics, &text);
    assert_non_null(strstr(buf_text(&text), "\ntelex_export_query_cut_total 1200\n"));
    bench_stop(&b);
}

static const char other_rules[] = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: z\n";

/* A rule is gone at the start, and comes back with the file that a slip had broken, or does not. */
static void orphans_wait_for_their_rule_for_a_while(void **state)
{
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    buf_clear(&b.given.edges);
    bench_restart(&b, other_rules);
    engine_forget_orphans(b.engine);
    assert_int_equal(engine_forgotten(b.engine), 0);
    struct rule_set *again = parse_rules(alert_rules);
    assert_true(engine_set_rules(b.engine, again, &e));
    rule_set_unref(again);
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    b.keep_resolved_ns = 0;
    bench_restart(&b, other_rules);
    buf_clear(&b.given.samples);
    engine_forget_orphans(b.engine);
    assert_int_equal(engine_forgotten(b.engine), 1);
    expect_given(
        &b.given.samples,
        "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
        "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    again = parse_rules(alert_rules);
    assert_true(engine_set_rules(b.engine, again, &e));
    rule_set_unref(again);
    evaluate(&b, 9);
    evaluate(&b, 11); /* told: it is another episode */
    expect_given(
        &b.given.edges,
        "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n"
        "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restart_neither_fires_again_nor_resolves),
        cmocka_unit_test(a_snapshot_brings_everything_back),
        cmocka_unit_test(a_snapshot_claims_no_edge_that_is_on_its_way),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(a_reload_keeps_what_stays_and_ends_what_goes),
        cmocka_unit_test(edges_on_their_way_are_not_decided_again),
        cmocka_unit_test(exports_are_capped),
        cmocka_unit_test(orphans_wait_for_their_rule_for_a_while),
    };

    return cmocka_run_group_tests_name("rules/engine_state", tests, NULL, NULL);
}
