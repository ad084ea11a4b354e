/* Groups that read each other, at their slots: who waits for whom, for what, and for how long. */
#include "engine_bench.h"

#include "base/thread.h"

#include <string.h>

#define READER(more)                                                               \
    "groups:\n- name: r\n  interval: 400ms\n  eval_offset: 0s\n" more "  rules:\n" \
    "  - {record: b, expr: a}\n  - {record: free, expr: x}\n"
#define GIVER(more) "- name: g\n  eval_offset: 0s\n" more "  rules:\n  - {record: a, expr: x}\n"
#define QUICK "  interval: 400ms\n"

/* With time to wait for what comes. */
#define PATIENT                                                          \
    "groups:\n- name: r\n  interval: 20s\n  eval_offset: 0s\n  rules:\n" \
    "  - {record: b, expr: a}\n  - {record: free, expr: x}\n" GIVER("  interval: 20s\n")

enum { READS, GIVES };

static const struct wait no_end = {DEADLINE_NEVER, NULL};

static void run(struct bench *b, size_t group, int64_t after_ns)
{
    group_evaluate(engine_group(b->engine, group), START_NS + after_ns, no_end);
}

static void start(struct bench *b, const char *rules)
{
    bench_start(b, rules);
    answer_one(b, "{}", 1);
    engine_begin_slots(b->engine, START_NS);
}

static void expect_waits(struct bench *b, int delivered, int late)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);

    metrics_render(b->env.metrics, &text);
    buf_addf(&want,
             "telex_rule_chain_waits_total{result=\"delivered\"} %d\n"
             "telex_rule_chain_waits_total{result=\"late\"} %d\n",
             delivered, late);
    if (strstr(buf_text(&text), buf_text(&want)) == NULL) {
        fail_msg("expected %s", buf_text(&want));
    }
}

struct giver {
    struct bench *b;
    int64_t after_ns;
};

static void give_soon(void *arg)
{
    struct giver *giver = arg;
    struct wait soon = {clock_deadline_ms(clock_system(), 30), NULL};

    (void)wait_sleep(soon);
    run(giver->b, GIVES, giver->after_ns);
}

/* The reader's slot while the giver's begins a little later. */
static void read_while_giving(struct bench *b, int64_t after_ns)
{
    struct giver giver = {b, after_ns};
    struct thread thread = {0};
    struct err e = ERR_INIT;

    assert_true(thread_start(&thread, "giver", give_soon, &giver, &e));
    run(b, READS, after_ns);
    thread_join(&thread);
}

static void a_reader_waits_for_the_group_it_reads(void **state)
{
    struct bench b;

    (void)state;
    start(&b, PATIENT);
    read_while_giving(&b, 0);
    expect_given(&b.given.samples, "free 1\na 1\nb 1\n"); /* who reads nobody goes first */
    expect_waits(&b, 1, 0);
    run(&b, GIVES, 20 * NS_PER_S); /* it came first: nothing to wait for */
    run(&b, READS, 20 * NS_PER_S);
    expect_given(&b.given.samples, "a 1\nb 1\nfree 1\n");
    expect_waits(&b, 1, 0);
    bench_stop(&b);
}

static void it_waits_until_that_is_delivered(void **state)
{
    struct bench b;

    (void)state;
    start(&b, PATIENT);
    run(&b, GIVES, 0);
    b.given.late_by = 3;
    run(&b, READS, 0);
    expect_given(&b.given.samples, "a 1\nfree 1\nb 1\n");
    assert_int_equal(b.given.late_by, 0);
    assert_int_equal(b.given.hurried, 1);
    expect_waits(&b, 1, 0);
    bench_stop(&b);
}

static void it_goes_on_when_that_takes_too_long(void **state)
{
    struct bench b;

    (void)state;
    start(&b, READER("") GIVER(QUICK));
    run(&b, READS, 0);
    expect_given(&b.given.samples, "free 1\nb 1\n");
    expect_waits(&b, 0, 1);
    bench_stop(&b);
}

static const struct {
    const char *rules;
    int64_t slot_ms; /* of the reader */
    bool waits;
} slots[] = {
    {READER("") GIVER(QUICK), 0, true},
    {READER("") GIVER(QUICK), 400, true},
    {READER("") GIVER("  interval: 800ms\n"), 800, true},
    {READER("") GIVER("  interval: 800ms\n"), 1200, false}, /* the reader of 800 waited for that */
    {READER("") GIVER("  interval: 200ms\n"), 400, true},
    {READER("  query_offset: 100ms\n") GIVER(QUICK), 0, false}, /* before all that is to come */
    {READER("  query_offset: 100ms\n") GIVER("  query_offset: 100ms\n" QUICK), 0, true},
    {READER("") GIVER("  query_offset: 100ms\n" QUICK), 0, true},
};

/* The giver has not begun: a reader waits for it when the slot that it would see is in its own interval. */
static void what_is_waited_for_depends_on_slots(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        struct bench b;
        start(&b, slots[i].rules);
        run(&b, READS, slots[i].slot_ms * NS_PER_MS);
        expect_waits(&b, 0, slots[i].waits);
        bench_stop(&b);
    }
}

static void slots_that_never_come_are_not_waited_for(void **state)
{
    struct bench b;

    (void)state;
    start(&b, READER("") GIVER("  interval: 200ms\n"));
    engine_begin_slots(b.engine, START_NS + 300 * NS_PER_MS); /* the program began in between */
    run(&b, READS, 200 * NS_PER_MS);
    expect_waits(&b, 0, 0);
    run(&b, GIVES, 600 * NS_PER_MS); /* 400 was missed */
    run(&b, READS, 400 * NS_PER_MS);
    expect_waits(&b, 0, 0);
    bench_stop(&b);
}

static void without_a_schedule_nobody_waits(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, READER("") GIVER(QUICK));
    run(&b, READS, 0);
    expect_waits(&b, 0, 0);
    bench_stop(&b);
}

static void circles_are_not_waited_for(void **state)
{
    struct bench b;

    (void)state;
    start(&b,
          READER("") "- name: g\n  eval_offset: 0s\n" QUICK "  rules:\n  - {record: a, expr: b}\n");
    run(&b, READS, 0);
    run(&b, GIVES, 0);
    expect_waits(&b, 0, 0);
    bench_stop(&b);
}

/* b waits for c, which waits for d, which comes after b: no circle, so it must not look like one. */
static void groups_may_read_to_and_fro(void **state)
{
    struct bench b;

    (void)state;
    start(&b, "groups:\n- name: r\n  eval_offset: 0s\n  interval: 20s\n  rules:\n"
              "  - {record: b, expr: c}\n  - {record: d, expr: a}\n"
              "- name: g\n  eval_offset: 0s\n  interval: 20s\n  rules:\n"
              "  - {record: c, expr: d}\n  - {record: a, expr: x}\n");
    read_while_giving(&b, 0);
    expect_given(&b.given.samples, "a 1\nd 1\nc 1\nb 1\n");
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reader_waits_for_the_group_it_reads),
        cmocka_unit_test(it_waits_until_that_is_delivered),
        cmocka_unit_test(it_goes_on_when_that_takes_too_long),
        cmocka_unit_test(what_is_waited_for_depends_on_slots),
        cmocka_unit_test(slots_that_never_come_are_not_waited_for),
        cmocka_unit_test(without_a_schedule_nobody_waits),
        cmocka_unit_test(circles_are_not_waited_for),
        cmocka_unit_test(groups_may_read_to_and_fro),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
