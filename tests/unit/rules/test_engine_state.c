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
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\", severity=\"page\"} "
                                 "alerting>resolved 90\n");
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

/* As many questions as there are alerts: those beyond the cap are counted, and have their own values. */
static void questions_are_capped(void **state)
{
    enum { ALERTS = 10003 };
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    bench_start(&b, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n"
                    "    labels: {export_to_datastore: 'true'}\n"
                    "    annotations: {export_query: 'y{n=\"{{ $labels.n }}\"}'}\n");
    b.source.made = ALERTS;
    b.source.made_expr = "x";
    evaluate(&b, 1);
    assert_true(batch_alerts(b.given.kept[0], &alerts, &e));
    assert_int_equal(alerts->count, ALERTS);
    assert_int_equal(b.source.queries, 1 + 10000);
    metrics_render(b.env.metrics, &text);
    assert_non_null(strstr(buf_text(&text), "\ntelex_export_query_cut_total 3\n"));
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
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\", severity=\"page\"} "
                                 "alerting>resolved 90\n");
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

/* The rule went to another group, and comes back: one episode, told once. */
static void moved_rules_keep_their_state(void **state)
{
    static const char moved[] = "groups:\n"
                                "- name: other\n"
                                "  rules:\n"
                                "  - alert: High\n"
                                "    expr: x > 80\n"
                                "    for: 20s\n"
                                "    labels: {severity: page}\n";
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    buf_clear(&b.given.edges);
    buf_clear(&b.given.samples);
    struct rule_set *other = parse_rules(moved);
    assert_true(engine_set_rules(b.engine, other, &e));
    rule_set_unref(other);
    assert_int_equal(engine_forgotten(b.engine), 1);
    expect_given(&b.given.samples, "");
    evaluate(&b, 4);
    expect_given(&b.given.edges, "");
    bench_restart(&b, moved); /* the ledger has it under its old id */
    engine_adopt_orphans(b.engine);
    assert_int_equal(engine_forgotten(b.engine), 1);
    evaluate(&b, 5);
    expect_given(&b.given.edges, "");
    b.source.count = 0;
    evaluate(&b, 6);
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\", severity=\"page\"} "
                                 "alerting>resolved 90\n");
    bench_stop(&b);
}

/* Which of two is the one that was moved is not known: then nobody gets its state. */
static void namesakes_are_not_taken_for_moved(void **state)
{
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    struct rule_set *other = parse_rules("groups:\n"
                                         "- name: a\n"
                                         "  rules: [{alert: High, expr: x}]\n"
                                         "- name: b\n"
                                         "  rules: [{alert: High, expr: x}]\n");
    buf_clear(&b.given.samples);
    assert_true(engine_set_rules(b.engine, other, &e));
    rule_set_unref(other);
    assert_non_null(strstr(b.given.samples.ptr, " stale\n"));
    bench_stop(&b);
}

/* A restart as after a crash: the ledger, and what was known of slots. */
static void restart_at(struct bench *b, const char *rules, const struct buf *slots)
{
    bench_restart(b, rules);
    engine_restore_slots(b->engine, buf_str(slots));
}

/* Pending for 10 s of 20, then nobody watches for 400 s. */
static void time_that_nobody_watched_does_not_count(void **state)
{
    AUTO(buf_release) struct buf slots = BUF_INIT(BUF_SMALL);
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    engine_print_slots(b.engine, &slots);
    restart_at(&b, alert_rules, &slots);
    buf_clear(&b.given.edges);
    evaluate(&b, 41);
    expect_given(&b.given.edges, "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} "
                                 "pending>pending 90\n");
    buf_clear(&slots);
    engine_print_slots(b.engine, &slots);
    restart_at(&b, alert_rules, &slots); /* what was credited is durable */
    evaluate(&b, 42);
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\", severity=\"page\"} "
                                 "pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

static void keep_firing_for_waits_for_us_too(void **state)
{
    static const char rules[] = "groups:\n- name: g\n  rules:\n  - alert: High\n    expr: x\n"
                                "    keep_firing_for: 20s\n";
    AUTO(buf_release) struct buf slots = BUF_INIT(BUF_SMALL);
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    b.source.count = 0;
    evaluate(&b, 2);
    engine_print_slots(b.engine, &slots);
    restart_at(&b, rules, &slots);
    buf_clear(&b.given.edges);
    evaluate(&b, 50);
    expect_given(&b.given.edges, "quiet {alertname=\"High\", i=\"a\"} alerting>alerting 90\n");
    evaluate(&b, 51);
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\"} alerting>resolved 90\n");
    bench_stop(&b);
}

/* Groups that the text lacks go by the latest slot, lines that are none are passed over. */
static void slots_are_read_as_far_as_they_go(void **state)
{
    AUTO(buf_release) struct buf slots = BUF_INIT(BUF_SMALL);
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    engine_print_slots(b.engine, &slots);
    assert_string_equal(buf_text(&slots), "");
    engine_restore_slots(b.engine, STR("garbage\nnobody 1700000000000000000\nx -5\n\ny z"));
    engine_print_slots(b.engine, &slots);
    assert_non_null(strstr(buf_text(&slots), " 1700000000000000000\n"));
    bench_stop(&b);
}

static const char record_rules[] = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: z\n";

static void temporary_path(char *path)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)close(fd);
}

static void series_that_went_while_we_were_away_get_their_marker(void **state)
{
    static const char *const raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    static const double values[] = {1, 2};
    char path[] = "/tmp/telex-test-XXXXXX";
    uint64_t rules = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    temporary_path(path);
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    assert_int_equal(engine_series_changes(b.engine), 0);
    evaluate(&b, 1);
    assert_int_equal(engine_series_changes(b.engine), 1);
    evaluate(&b, 2);
    assert_int_equal(engine_series_changes(b.engine), 1);
    assert_true(engine_save_series(b.engine, str_of(path), &e));
    bench_restart(&b, record_rules);
    assert_true(engine_restore_series(b.engine, str_of(path), &rules, &e));
    assert_int_equal(rules, 1);
    engine_adopt_orphans(b.engine);
    buf_clear(&b.given.samples);
    answer_one(&b, raws[1], 3);
    evaluate(&b, 3);
    expect_given(&b.given.samples, "r{i=\"b\"} 3\nr{i=\"a\"} stale\n");
    evaluate(&b, 4);
    expect_given(&b.given.samples, "r{i=\"b\"} 3\n");
    bench_stop(&b);
    (void)unlink(path);
}

static void a_damaged_file_of_series_is_refused(void **state)
{
    AUTO(buf_release) struct buf file = BUF_INIT(BUF_SMALL);
    char path[] = "/tmp/telex-test-XXXXXX";
    uint64_t rules = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    temporary_path(path);
    bench_start(&b, record_rules);
    answer_one(&b, "{\"i\":\"a\"}", 1);
    evaluate(&b, 1);
    assert_true(engine_save_series(b.engine, str_of(path), &e));
    assert_true(fs_read_file(fs_system(), str_of(path), BUF_SMALL, &file, &e));
    for (size_t i = 0; i < 2 * file.len; i++) {
        struct err refused = ERR_INIT;
        size_t at = i / 2;
        bool cut = i % 2 == 0;
        bool counts = cut || at < 12 || at >= 16; /* nobody looks at flags */
        file.ptr[at] = (char)(file.ptr[at] ^ (cut ? 0 : 1));
        assert_true(fs_replace_file(fs_system(), str_of(path),
                                    cut ? str_slice(buf_str(&file), 0, at) : buf_str(&file), &e));
        bench_restart(&b, record_rules);
        bool ok = engine_restore_series(b.engine, str_of(path), &rules, &refused);
        bool is_rows = !cut && at >= 20 && at < 24; /* what a reader could do without */
        bool is_end_rows = !cut && at >= file.len - 8 && at < file.len - 4;
        assert_true(!ok || !counts || is_rows || is_end_rows);
        file.ptr[at] = (char)(file.ptr[at] ^ (cut ? 0 : 1));
    }
    bench_stop(&b);
    (void)unlink(path);
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
        cmocka_unit_test(questions_are_capped),
        cmocka_unit_test(orphans_wait_for_their_rule_for_a_while),
        cmocka_unit_test(moved_rules_keep_their_state),
        cmocka_unit_test(namesakes_are_not_taken_for_moved),
        cmocka_unit_test(time_that_nobody_watched_does_not_count),
        cmocka_unit_test(keep_firing_for_waits_for_us_too),
        cmocka_unit_test(slots_are_read_as_far_as_they_go),
        cmocka_unit_test(series_that_went_while_we_were_away_get_their_marker),
        cmocka_unit_test(a_damaged_file_of_series_is_refused),
    };

    return cmocka_run_group_tests_name("rules/engine_state", tests, NULL, NULL);
}
