/* How much of a record's time was rest. */
#include "export/rests.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

static void rests_count_for_what_is_older(void **state)
{
    struct rests r = {0};

    (void)state;
    assert_int_equal(rests_since(&r, 0), 0);
    rests_add(&r, 100 * S, 10 * S);
    rests_add(&r, 200 * S, 30 * S);
    assert_int_equal(rests_since(&r, 50 * S), 40 * S);
    assert_int_equal(rests_since(&r, 100 * S), 30 * S);
    assert_int_equal(rests_since(&r, 150 * S), 30 * S);
    assert_int_equal(rests_since(&r, 200 * S), 0);
}

static void the_oldest_are_put_together(void **state)
{
    struct rests r = {0};

    (void)state;
    for (int64_t i = 1; i <= RESTS_MAX + 10; i++) {
        rests_add(&r, i * 10 * S, S);
    }
    assert_int_equal(rests_since(&r, 0), (RESTS_MAX + 10) * S);
    assert_int_equal(rests_since(&r, RESTS_MAX * 10 * S), 10 * S);
    assert_int_equal(rests_since(&r, 110 * S), (RESTS_MAX + 10 - 11) * S);
}

/* A limit of ours makes a rest per piece: together they are one, and leave the others known. */
static void short_ones_in_a_row_are_one(void **state)
{
    struct rests r = {0};

    (void)state;
    rests_add(&r, 100 * S, 10 * S);
    for (int64_t i = 1; i <= 10 * RESTS_MAX; i++) {
        rests_add(&r, 200 * S + i * S / 10, S / 20);
    }
    assert_int_equal(r.count, 2);
    assert_int_equal(rests_since(&r, 150 * S), RESTS_MAX * S / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rests_count_for_what_is_older),
        cmocka_unit_test(the_oldest_are_put_together),
        cmocka_unit_test(short_ones_in_a_row_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
