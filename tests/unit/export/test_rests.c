/* How much of a record's time was rest. */
#include "export/rests.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void rests_count_for_what_is_older(void **state)
{
    struct rests r = {0};

    (void)state;
    assert_int_equal(rests_since(&r, 0), 0);
    rests_add(&r, 100, 10);
    rests_add(&r, 200, 30);
    assert_int_equal(rests_since(&r, 50), 40);
    assert_int_equal(rests_since(&r, 100), 30);
    assert_int_equal(rests_since(&r, 150), 30);
    assert_int_equal(rests_since(&r, 200), 0);
}

static void the_oldest_are_put_together(void **state)
{
    struct rests r = {0};

    (void)state;
    for (int64_t i = 1; i <= RESTS_MAX + 10; i++) {
        rests_add(&r, i * 10, 1);
    }
    assert_int_equal(rests_since(&r, 0), RESTS_MAX + 10);
    assert_int_equal(rests_since(&r, RESTS_MAX * 10), 10);
    assert_int_equal(rests_since(&r, 110), RESTS_MAX + 10 - 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rests_count_for_what_is_older),
        cmocka_unit_test(the_oldest_are_put_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
