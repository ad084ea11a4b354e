#include "base/budget.h"

#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void parent_is_charged_too(void **state)
{
    (void)state;
    struct budget process;
    struct budget queries;

    budget_init(&process, NULL, "the process", 100);
    budget_init(&queries, &process, "queries", 80);
    assert_true(budget_try_take(&process, 50));
    assert_true(budget_try_take(&queries, 50));
    assert_int_equal(budget_used(&process), 100);
    assert_false(budget_try_take(&queries, 1)); /* the parent refuses; nothing is taken anywhere */
    assert_int_equal(budget_used(&queries), 50);
    assert_int_equal(atomic_load(&process.refused_total), 1);
    assert_int_equal(atomic_load(&queries.refused_total), 0);
    budget_give(&process, 50);
    assert_false(budget_try_take(&queries, 31)); /* its own cap */
    assert_true(budget_try_take(&queries, 30));
    budget_give(&queries, 80);
    assert_int_equal(budget_used(&process), 0);
    assert_int_equal(atomic_load(&process.peak_bytes), 100);
    assert_int_equal(atomic_load(&queries.peak_bytes), 80);
}

static void error_names_who_refused(void **state)
{
    (void)state;
    struct budget process;
    struct budget queries;
    struct err e = ERR_INIT;

    budget_init(&process, NULL, "the process", 100);
    budget_init(&queries, &process, "queries", 1000);
    assert_true(budget_take(&queries, 60, &e));
    assert_false(budget_take(&queries, 41, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.message, "41 bytes"));
    assert_non_null(strstr(e.message, "the process may use 100 and uses 60"));
    assert_false(budget_take(&queries, INT64_MAX, &e));
}

static void take_and_give(void *arg)
{
    struct budget *b = arg;

    for (int i = 0; i < 20000; i++) {
        if (budget_try_take(b, 3)) {
            budget_give(b, 3);
        }
    }
}

static void threads_balance(void **state)
{
    (void)state;
    struct budget process;
    struct budget part;
    struct thread threads[4] = {0};
    struct err e = ERR_INIT;

    budget_init(&process, NULL, "the process", 7);
    budget_init(&part, &process, "part", 100);
    for (size_t i = 0; i < 4; i++) {
        assert_true(thread_start(&threads[i], "budget", take_and_give, &part, &e));
    }
    for (size_t i = 0; i < 4; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(budget_used(&process), 0);
    assert_int_equal(budget_used(&part), 0);
    assert_true(atomic_load(&process.peak_bytes) <= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parent_is_charged_too),
        cmocka_unit_test(error_names_who_refused),
        cmocka_unit_test(threads_balance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
