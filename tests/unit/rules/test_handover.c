/* A reload that needs another engine: it goes on where the one before is. */
#include "engine_bench.h"

#include <stdlib.h>
#include <unistd.h>

/* As app does it; the bench has the new engine then. */
static bool hand_over(struct bench *b, const char *rules, struct err *e)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    struct engine *before = b->engine;
    struct rule_set *set = b->set;
    int fd = mkstemp(path);
    uint64_t seq = 0;

    assert_true(fd >= 0);
    (void)close(fd);
    if (!engine_settle(before, (struct wait){0, NULL}, e)) {
        (void)unlink(path);
        return false;
    }
    assert_true(engine_save_snapshot(before, str_of(path), &seq, e));
    bench_engine(b, rules);
    assert_true(engine_restore_snapshot(b->engine, str_of(path), &seq, e));
    engine_take_over(b->engine, before);
    engine_free(before);
    rule_set_unref(set);
    (void)unlink(path);
    return true;
}

static const char fires[] = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x}\n";

/* What fired is given and not durable: it is not handed over, since it would fire again under another id. */
static void what_is_on_its_way_arrives_first(void **state)
{
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    bench_start(&b, fires);
    answer_one(&b, "{\"i\":\"a\"}", 1);
    b.given.stalls = true;
    evaluate(&b, 1);
    expect_given(&b.given.edges, "told {alertname=\"A\", i=\"a\"} ready>alerting 1\n");
    assert_false(hand_over(&b, fires, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    b.given.stalls = false;
    assert_true(hand_over(&b, fires, &e));
    evaluate(&b, 2);
    expect_given(&b.given.edges, "");
    bench_stop(&b);
}

static void exports_go_on_at_their_pace(void **state)
{
    static const char rules[] =
        "groups:\n- name: g\n  rules:\n  - record: r\n    expr: x\n"
        "    labels: {export_to_datastore: 'true'}\n    annotations: {export_interval: 30s}\n";
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    bench_start(&b, rules);
    answer_one(&b, "{}", 1);
    evaluate(&b, 1);
    buf_clear(&b.given.samples);
    assert_true(hand_over(&b, rules, &e));
    evaluate(&b, 2);
    evaluate(&b, 4);
    expect_given(&b.given.samples, "r{export_to_datastore=\"true\"} 1 thinned\n"
                                   "r{export_to_datastore=\"true\"} 1\n");
    bench_stop(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_on_its_way_arrives_first),
        cmocka_unit_test(exports_go_on_at_their_pace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
