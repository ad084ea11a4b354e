/* Rules that go while their alerts fire: the ends are told, and kept until they are. */
#include "engine_bench.h"

#include <stdlib.h>
#include <unistd.h>

static const char fires[] = "groups:\n- name: g\n  rules:\n  - alert: High\n    expr: x\n"
                            "    annotations: {summary: 'at {{ $value }}'}\n";
static const char others[] = "groups:\n- name: g\n  rules:\n  - record: r\n    expr: z\n";
static const char end_of_high[] = "told {alertname=\"High\", i=\"a\"} alerting>resolved 90 at 90\n";

static void set_rules(struct bench *b, const char *text)
{
    struct rule_set *set = parse_rules(text);
    struct err e = ERR_INIT;

    assert_true(engine_set_rules(b->engine, set, &e));
    rule_set_unref(set);
}

/* With one alert that fires. */
static void start(struct bench *b)
{
    bench_start(b, fires);
    answer_one(b, "{\"i\":\"a\"}", 90);
    evaluate(b, 1);
    buf_clear(&b->given.edges);
}

static void without_room_it_is_tried_again(void **state)
{
    struct bench b;

    (void)state;
    start(&b);
    b.given.refuses_edges = ERR_FULL;
    set_rules(&b, others);
    engine_forget_orphans(b.engine);
    assert_int_equal(engine_forgotten(b.engine), 0);
    expect_given(&b.given.edges, "");
    b.given.refuses_edges = ERR_NONE;
    engine_forget_orphans(b.engine);
    expect_given(&b.given.edges, end_of_high);
    assert_int_equal(engine_forgotten(b.engine), 1);
    engine_forget_orphans(b.engine);
    expect_given(&b.given.edges, "");
    bench_stop(&b);
}

/* Also over further reloads. */
static void the_next_reload_tries_again_too(void **state)
{
    struct bench b;

    (void)state;
    start(&b);
    b.given.refuses_edges = ERR_FULL;
    set_rules(&b, others);
    b.given.refuses_edges = ERR_NONE;
    set_rules(&b, others);
    expect_given(&b.given.edges, end_of_high);
    assert_int_equal(engine_forgotten(b.engine), 1);
    bench_stop(&b);
}

/* A snapshot in between has the alert still: after a crash somebody knows that it is to be ended. */
static void a_snapshot_has_it_until_its_end_is_durable(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    uint64_t seq = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    start(&b);
    b.given.stalls = true;
    set_rules(&b, others);
    expect_given(&b.given.edges, end_of_high);
    engine_forget_orphans(b.engine);
    assert_int_equal(engine_forgotten(b.engine), 0);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &seq, &e));
    engine_free(b.engine);
    rule_set_unref(b.set);
    b.keep_resolved_ns = 0;
    b.given.stalls = false;
    bench_engine(&b, others);
    assert_true(engine_restore_snapshot(b.engine, str_of(path), &seq, &e));
    engine_forget_orphans(b.engine);
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\"} alerting>resolved 90\n");
    bench_stop(&b);
    (void)unlink(path);
}

static void a_rule_that_comes_back_in_time_goes_on(void **state)
{
    struct bench b;

    (void)state;
    start(&b);
    b.given.refuses_edges = ERR_FULL;
    set_rules(&b, others);
    b.given.refuses_edges = ERR_NONE;
    buf_clear(&b.given.samples);
    set_rules(&b, fires);
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    expect_given(&b.given.samples, "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\"} 1\n"
                                   "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\"} 1700000010\n");
    engine_forget_orphans(b.engine);
    expect_given(&b.given.edges, "");
    bench_stop(&b);
}

/* Others heard that it ended, so it begins anew. */
static void a_rule_that_comes_back_late_begins_anew(void **state)
{
    struct bench b;

    (void)state;
    start(&b);
    b.given.stalls = true;
    set_rules(&b, others);
    b.given.stalls = false;
    expect_given(&b.given.edges, end_of_high);
    set_rules(&b, fires);
    evaluate(&b, 2);
    expect_given(&b.given.edges, "told {alertname=\"High\", i=\"a\"} resolved>alerting 90 at 90\n");
    bench_stop(&b);
}

/* The ledger took the ends of some: those begin anew, and the others go on, with an end of their own later. */
static void who_comes_back_in_the_middle_of_it(void **state)
{
    enum { ALERTS = 6000 };
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);
    struct bench b;

    (void)state;
    add_wordy_rule(&rules);
    bench_start(&b, buf_text(&rules));
    b.source.made = ALERTS;
    evaluate(&b, 1);
    size_t before = b.given.kept_count;
    b.given.refuses_edges = ERR_FULL;
    b.given.takes_before = 1;
    set_rules(&b, others);
    b.given.refuses_edges = ERR_NONE;
    assert_int_equal(b.given.kept_count, before + 1);
    uint32_t ended = batch_rows(b.given.kept[before]);
    set_rules(&b, buf_text(&rules));
    evaluate(&b, 2);
    assert_int_equal(b.given.kept_count, before + 2);
    assert_int_equal(batch_rows(b.given.kept[before + 1]), ended);
    b.source.made = 0;
    evaluate(&b, 3);
    uint32_t over = 0;
    for (size_t i = before + 2; i < b.given.kept_count; i++) {
        over += batch_rows(b.given.kept[i]);
    }
    assert_int_equal(over, ALERTS);
    bench_stop(&b);
}

/* An edge of another rule comes behind the end, and a snapshot, and a crash: the end is replayed. */
static void no_snapshot_claims_an_end_that_it_does_not_have(void **state)
{
    static const char other[] = "groups:\n- name: g\n  rules:\n  - {alert: Other, expr: y}\n";
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    uint64_t saved = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    start(&b);
    b.given.stalls = true;
    set_rules(&b, other);
    uint64_t end = b.given.seq;
    b.given.stalls = false;
    evaluate(&b, 2);
    assert_int_equal(b.given.seq, end + 1);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &saved, &e));
    assert_true(saved < end);
    engine_forget_orphans(b.engine);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &saved, &e));
    assert_int_equal(saved, end + 1);
    bench_stop(&b);
    (void)unlink(path);
}

/* What fired is on its way to the disk when its rule goes: it ends too. */
static void what_is_on_its_way_ends_too(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, fires);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    b.given.stalls = true;
    evaluate(&b, 1);
    buf_clear(&b.given.edges);
    set_rules(&b, others);
    b.given.stalls = false;
    engine_forget_orphans(b.engine);
    expect_given(&b.given.edges, end_of_high);
    assert_int_equal(engine_forgotten(b.engine), 1);
    bench_stop(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_room_it_is_tried_again),
        cmocka_unit_test(the_next_reload_tries_again_too),
        cmocka_unit_test(a_snapshot_has_it_until_its_end_is_durable),
        cmocka_unit_test(a_rule_that_comes_back_in_time_goes_on),
        cmocka_unit_test(a_rule_that_comes_back_late_begins_anew),
        cmocka_unit_test(who_comes_back_in_the_middle_of_it),
        cmocka_unit_test(no_snapshot_claims_an_end_that_it_does_not_have),
        cmocka_unit_test(what_is_on_its_way_ends_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
