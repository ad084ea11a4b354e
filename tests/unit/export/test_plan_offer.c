/* What a giver is told of what it offered. */
#include "export/plan.h"

#include "base/clock.h"
#include "base/mem.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static struct receipt offer(struct plan_kit *k, double first, uint32_t rows)
{
    AUTO(batch_autounref) struct batch *b = sample_batch(first, rows);
    const struct give how = {.wait = {0, NULL}};
    struct receipt receipt = {0};
    struct err e = ERR_INIT;

    assert_true(plan_offer(k->plan, b, &how, &receipt, &e));
    return receipt;
}

/* Values 2 and 3 have a route, others have none. */
static void rows_without_a_route_are_counted(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_route(k, "value == 2", 1, false);
    plan_kit_route(k, "value == 3", 1, false);
    plan_kit_open(k);
    struct receipt some = offer(k, 0, 5);
    assert_int_equal(some.unrouted_rows, 3);
    assert_int_equal(some.kind, RECORD_SAMPLE);
    assert_true(some.seq > 0);
    struct wait wait = {clock_deadline_ms(k->env.clock, 5000), NULL};
    assert_true(plan_wait_held(k->plan, &some, wait, &e));
    struct receipt none = offer(k, 7, 2);
    assert_int_equal(none.unrouted_rows, 2);
    assert_int_equal(none.seq, 0);
    assert_true(plan_wait_held(k->plan, &none, (struct wait){0, NULL}, &e));
    assert_int_equal(plan_kit_drain(k, 5000), 0);
}

static void what_is_not_written_yet_is_not_held(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_open(k);
    struct receipt far = offer(k, 0, 1);
    far.seq += 100;
    assert_false(plan_wait_held(k->plan, &far, (struct wait){0, NULL}, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
}

static void it_is_known_what_is_taken(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_open(k);
    assert_true(plan_takes(k->plan, RECORD_SAMPLE));
    assert_false(plan_takes(k->plan, RECORD_SPAN));
}

/* Whether anything can be given at all is known without a batch. */
static void it_admits_while_somebody_has_room(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 2; i++) {
        plan_kit_output(k, i == 0 ? "a" : "b", &fake_kind_samples, i);
        k->configs[i].common.buffer.overflow = OVERFLOW_BLOCK;
        k->configs[i].common.buffer.max_disk_bytes = i == 0 ? 100 : 400;
        destination_refuse(&k->destinations[i], VERDICT_RETRY);
    }
    plan_kit_route(k, "value >= 100", 2, false);
    plan_kit_route(k, NULL, 1, false);
    plan_kit_open(k);
    assert_true(plan_admits(k->plan, RECORD_SAMPLE, &e));
    (void)offer(k, 0, 5);
    assert_true(plan_admits(k->plan, RECORD_SAMPLE, &e)); /* "b" has room */
    for (int i = 0; i < 3; i++) {
        (void)offer(k, 100, 5);
    }
    assert_false(plan_admits(k->plan, RECORD_SAMPLE, &e));
    assert_int_equal(e.code, ERR_FULL);
    assert_true(plan_admits(k->plan, RECORD_ALERT, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_without_a_route_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(it_admits_while_somebody_has_room, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_written_yet_is_not_held, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_known_what_is_taken, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
