/* Edges that the ledger takes in part: in batches that it holds, none told twice, none forgotten. */
#include "engine_bench.h"

/* More than one batch takes, and then the ledger has no more room. */
static void a_storm_is_told_in_parts(void **state)
{
    enum { ALERTS = 6000 };
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);
    struct bench b;

    (void)state;
    add_wordy_rule(&rules);
    bench_start(&b, buf_text(&rules));
    b.source.made = ALERTS;
    b.given.refuses_edges = ERR_FULL;
    b.given.takes_before = 1;
    evaluate(&b, 1);
    assert_int_equal(b.given.kept_count, 1);
    uint32_t first = batch_rows(b.given.kept[0]);
    assert_in_range(first, 1, ALERTS - 1);
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 2);
    assert_int_equal(b.given.kept_count, 2);
    assert_int_equal(first + batch_rows(b.given.kept[1]), ALERTS);
    evaluate(&b, 3);
    assert_int_equal(b.given.kept_count, 2);
    bench_stop(&b);
}

static const char two[] = "groups:\n- name: g\n  rules:\n  - {alert: A, expr: x, for: 20s}\n";

/* After an outage one alert fires, which is refused, and one goes on pending, which is not: the time of the outage is
 * credited to each once. */
static void an_outage_is_credited_once(void **state)
{
    static const char *const raws[] = {"{\"i\":\"old\"}", "{\"i\":\"young\"}"};
    static const double values[] = {1, 1};
    AUTO(buf_release) struct buf slots = BUF_INIT(BUF_SMALL);
    struct bench b;

    (void)state;
    bench_start(&b, two);
    answer(&b, 1, raws, values);
    evaluate(&b, 1);
    answer(&b, 2, raws, values);
    evaluate(&b, 2);
    engine_print_slots(b.engine, &slots);
    bench_restart(&b, two);
    engine_restore_slots(b.engine, buf_str(&slots));
    buf_clear(&b.given.edges);
    b.given.refuses_edges = ERR_FULL;
    b.given.takes_before = 1;
    evaluate(&b, 41);
    expect_given(&b.given.edges, "quiet {alertname=\"A\", i=\"young\"} pending>pending 1\n");
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 42);
    expect_given(&b.given.edges, "told {alertname=\"A\", i=\"old\"} pending>alerting 1\n"
                                 "told {alertname=\"A\", i=\"young\"} pending>alerting 1\n");
    bench_stop(&b);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_storm_is_told_in_parts),
        cmocka_unit_test(an_outage_is_credited_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
