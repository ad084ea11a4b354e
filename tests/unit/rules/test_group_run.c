/* Rules of a group that travel in one request, and what happens when such a request is in doubt. */
#include "engine_bench.h"

#include <string.h>

#define THREE                                                                            \
    "groups:\n- name: g\n  rules:\n  - {record: a, expr: x}\n  - {record: b, expr: y}\n" \
    "  - {record: c, expr: z}\n"
#define CHAIN                                                                                 \
    "groups:\n- name: g\n  rules:\n  - {record: a, expr: x}\n  - {record: b, expr: sum(a)}\n" \
    "  - {record: c, expr: z}\n  - {record: d, expr: vector(time()) or b}\n"

#define QUICK_CHAIN                                                              \
    "groups:\n- name: g\n  interval: 40ms\n  rules:\n  - {record: a, expr: x}\n" \
    "  - {record: b, expr: a}\n  - {record: c, expr: b}\n"

static void start(struct bench *b, const char *rules)
{
    bench_start(b, rules);
    b->source.super.takes_batches = true;
}

static void one_request_serves_all(void **state)
{
    static const char *const raws[] = {"{\"__rule__\":\"2\",\"i\":\"1\"}",
                                       "{\"__name__\":\"x\",\"__rule__\":\"0\"}",
                                       "{\"__rule__\":\"2\",\"i\":\"2\"}"};
    static const double values[] = {1, 2, 3};
    struct bench b;

    (void)state;
    start(&b, THREE);
    answer(&b, ARRAY_LEN(raws), raws, values);
    for (int slot = 0; slot < 2; slot++) {
        evaluate(&b, slot);
        assert_int_equal(b.source.queries, slot + 1);
        expect_given(&b.given.samples, "a 2\n"
                                       "c{i=\"1\"} 1\n"
                                       "c{i=\"2\"} 3\n");
    }
    b.source.super.takes_batches = false;
    answer_one(&b, "{\"i\":\"1\"}", 5); /* the same bytes as alone */
    evaluate(&b, 2);
    assert_int_equal(b.source.queries, 5);
    bench_stop(&b);
}

static void doubt_asks_for_each(void **state)
{
    struct bench b;

    (void)state;
    start(&b, THREE);
    answer_one(&b, "{\"i\":\"1\"}", 7); /* no row says whose it is */
    evaluate(&b, 0);
    assert_int_equal(b.source.queries, 1 + 3);
    expect_given(&b.given.samples, "a{i=\"1\"} 7\n"
                                   "b{i=\"1\"} 7\n"
                                   "c{i=\"1\"} 7\n");
    evaluate(&b, 1); /* two at once now, then one */
    assert_int_equal(b.source.queries, 4 + 1 + 2 + 1);
    evaluate(&b, 2); /* and none together */
    assert_int_equal(b.source.queries, 8 + 3);
    bench_stop(&b);
}

static void who_is_in_doubt_goes_alone(void **state)
{
    struct bench b;

    (void)state;
    start(&b, THREE);
    b.source.partial = true;
    evaluate(&b, 0);
    assert_int_equal(b.source.queries, 1 + 3);
    b.source.partial = false;
    evaluate(&b, 1);
    assert_int_equal(b.source.queries, 4 + 3);
    bench_stop(&b);
}

static void readers_come_after_givers(void **state)
{
    struct bench b;

    (void)state;
    start(&b, CHAIN);
    evaluate(&b, 0); /* a and c; then b; then d */
    assert_int_equal(b.source.queries, 3);
    assert_string_equal(b.source.last_expr, "vector(time()) or b");
    bench_stop(&b);
}

static void readers_wait_for_delivery(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, CHAIN);
    answer_one(&b, "{}", 1);
    b.given.late_by = 2;
    evaluate(&b, 0); /* c waits for nobody */
    expect_given(&b.given.samples, "a 1\nc 1\nb 1\nd 1\n");
    assert_int_equal(b.given.late_by, 0);
    assert_int_equal(b.given.hurried, 1);
    evaluate(&b, 1);
    expect_given(&b.given.samples, "a 1\nb 1\nc 1\nd 1\n");
    bench_stop(&b);
}

static void who_reads_nobody_asks_nothing(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, THREE);
    answer_one(&b, "{}", 1);
    evaluate(&b, 0);
    assert_int_equal(b.given.asked_delivered, 0);
    bench_stop(&b);
}

static void late_deliveries_are_not_waited_for_twice(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, QUICK_CHAIN);
    answer_one(&b, "{}", 1);
    b.given.late_by = 1000 * 1000;
    evaluate(&b, 0);
    expect_given(&b.given.samples, "a 1\nb 1\nc 1\n");
    assert_int_equal(b.given.hurried, 1);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    metrics_render(b.env.metrics, &text);
    assert_non_null(strstr(buf_text(&text), "telex_rule_chain_waits_total{result=\"late\"} 1"));
    bench_stop(&b);
}

static void a_dead_store_fails_each_rule(void **state)
{
    struct bench b;

    (void)state;
    start(&b, THREE);
    b.source.fails = true;
    evaluate(&b, 0);
    assert_int_equal(b.source.queries, 1 + 3);
    expect_given(&b.given.samples, "");
    bench_stop(&b);
}

static void rows_are_taken_from_the_budget(void **state)
{
    struct bench b;

    (void)state;
    start(&b, THREE);
    answer_one(&b, "{\"__rule__\":\"1\",\"i\":\"1\"}", 7);
    budget_init(&b.budget, NULL, "the test", 1000);
    evaluate(&b, 0);
    assert_int_equal(b.source.queries, 1 + 3);
    budget_init(&b.budget, NULL, "the test", INT64_MAX);
    bench_stop(&b);
    bench_start(&b, THREE);
    b.source.super.takes_batches = true;
    answer_one(&b, "{\"__rule__\":\"1\",\"i\":\"1\"}", 7);
    evaluate(&b, 0);
    assert_int_equal(budget_used(&b.budget), 0);
    bench_stop(&b);
}

/* Each rule once, and a reader after its giver, however many run side by side. */
static void rules_run_side_by_side(void **state)
{
    AUTO(buf_release) struct buf rules = BUF_INIT(BUF_UNLIMITED);
    struct bench b;
    size_t lines = 0;

    (void)state;
    buf_add_text(&rules, "groups:\n- name: g\n  concurrency: 8\n  rules:\n");
    for (int i = 0; i < 100; i++) {
        buf_addf(&rules, "  - {record: r%d, expr: '%s'}\n", i, i % 10 == 9 ? "r0" : "x");
    }
    bench_start(&b, buf_text(&rules));
    answer_one(&b, "{\"i\":\"a\"}", 1);
    evaluate(&b, 0);
    for (const char *p = buf_text(&b.given.samples); (p = strchr(p, '\n')) != NULL; p++) {
        lines++;
    }
    assert_int_equal(lines, 100);
    assert_true(strstr(buf_text(&b.given.samples), "r0{") <
                strstr(buf_text(&b.given.samples), "r9{"));
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request_serves_all),
        cmocka_unit_test(doubt_asks_for_each),
        cmocka_unit_test(who_is_in_doubt_goes_alone),
        cmocka_unit_test(readers_come_after_givers),
        cmocka_unit_test(readers_wait_for_delivery),
        cmocka_unit_test(who_reads_nobody_asks_nothing),
        cmocka_unit_test(late_deliveries_are_not_waited_for_twice),
        cmocka_unit_test(a_dead_store_fails_each_rule),
        cmocka_unit_test(rows_are_taken_from_the_budget),
        cmocka_unit_test(rules_run_side_by_side),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
