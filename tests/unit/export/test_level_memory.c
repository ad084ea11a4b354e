/* What a level output remembers of its alerts: keys that change, keys that two have, and what it must forget. */
#include "level_bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void set_key(struct fixture *f, size_t i, uint64_t key, uint64_t old_key)
{
    lock_take(&f->source.lock);
    f->source.alerts[i].key = key;
    f->source.alerts[i].old_key = old_key;
    lock_give(&f->source.lock);
}

/* Files of earlier versions have keys that were made in another way. */
static void test_knows_old_keys(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 3);
    source_add(&f->source, "a");
    set_key(f, 0, 11, 0);
    start(f, "");
    (void)wait_status(f, 1, 0);
    set_key(f, 0, 22, 11);
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 1);
    source_resolve(&f->source, 0);
    level_output_wake(f->output);
    assert_true(receiver_wait(&f->receiver, 2));
    assert_alerts(f, 1, "a(resolved)");
}

/* Two rules with the same labels, since the same slot: while one fires the destination is told that. */
static void test_two_with_one_key(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 9);
    source_add(&f->source, "a");
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    assert_alerts(f, 0, "a");
    source_resolve(&f->source, 0);
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 1);
    source_resolve(&f->source, 1);
    level_output_wake(f->output);
    (void)wait_status(f, 2, 0);
    assert_alerts(f, 1, "a(resolved)");
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 2);
    assert_int_equal(untold_at_the_end(f), 0);
}

/* What is over before the destination answers is counted. */
static void test_counts_what_it_forgets(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    for (int i = 0; i < 5; i++) {
        receiver_plan(&f->receiver, 503, NULL, NULL);
    }
    source_resolve(&f->source, 0);
    source_add(&f->source, "b");
    level_output_wake(f->output);
    (void)wait_status(f, 1, 1);
    source_clear(&f->source);
    wake_and_wait(f);
    assert_int_equal(untold_at_the_end(f), 0);
    assert_true(
        metric_of(f, "telex_exporter_forgotten_total{exporter=\"am\",reason=\"end_not_told\"}") ==
        1);
    assert_true(
        metric_of(f, "telex_exporter_forgotten_total{exporter=\"am\",reason=\"never_told\"}") == 1);
}

/* What nobody watches is not told, and when somebody does again it is the same. */
static void test_remembers_what_nobody_watches(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 2);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    lock_take(&f->source.lock);
    f->source.alerts[0].unwatched = true;
    f->source.alerts[0].firing = false;
    lock_give(&f->source.lock);
    wake_and_wait(f);
    lock_take(&f->source.lock);
    f->source.alerts[0].unwatched = false;
    f->source.alerts[0].firing = true;
    lock_give(&f->source.lock);
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 1);
}

/* What ended and was told of is not missed. */
static void test_forgets_what_was_told(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 2);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    source_resolve(&f->source, 0);
    level_output_wake(f->output);
    (void)wait_status(f, 2, 0);
    source_clear(&f->source);
    wake_and_wait(f);
    assert_int_equal(untold_at_the_end(f), 0);
    assert_true(
        metric_of(f, "telex_exporter_forgotten_total{exporter=\"am\",reason=\"end_not_told\"}") ==
        0);
    assert_true(
        metric_of(f, "telex_exporter_forgotten_total{exporter=\"am\",reason=\"never_told\"}") == 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_knows_old_keys),
        CASE(test_two_with_one_key),
        CASE(test_counts_what_it_forgets),
        CASE(test_forgets_what_was_told),
        CASE(test_remembers_what_nobody_watches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
