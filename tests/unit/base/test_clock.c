#include "base/clock.h"

#include "base/attr.h"
#include "fake/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void system_clock_moves(void **state)
{
    (void)state;
    const struct clock *c = clock_system();
    int64_t mono = clock_mono_ns(c);

    assert_true(clock_wall_ns(c) > INT64_C(1600000000) * NS_PER_S);
    assert_true(clock_mono_ns(c) >= mono);
}

static void deadlines_do_not_overflow(void **state)
{
    (void)state;
    static const struct {
        int64_t mono_ns, ms, want_ns;
    } rows[] = {
        {1000, 5, 1000 + 5 * NS_PER_MS},
        {1000, 0, 1000},
        {1000, -7, 1000},
        {1000, INT64_MAX, DEADLINE_NEVER},
        {INT64_MAX - 10, 1, DEADLINE_NEVER},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fake_clock f;
        fake_clock_init(&f, 0, rows[i].mono_ns);
        assert_int_equal(clock_deadline_ms(&f.clock, rows[i].ms), rows[i].want_ns);
    }
}

static void floor_division(void **state)
{
    (void)state;
    static const struct {
        int64_t value, step, want;
    } rows[] = {
        {7, 5, 1},
        {5, 5, 1},
        {4, 5, 0},
        {0, 5, 0},
        {-1, 5, -1},
        {-5, 5, -1},
        {-6, 5, -2},
        {INT64_MIN, NS_PER_S, -9223372037},
        {INT64_MAX, NS_PER_S, 9223372036},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(time_floor_div(rows[i].value, rows[i].step), rows[i].want);
    }
}

static void fake_clock_obeys(void **state)
{
    (void)state;
    struct fake_clock f;

    fake_clock_init(&f, 100, 200);
    fake_clock_advance_ms(&f, 3);
    assert_int_equal(clock_wall_ns(&f.clock), 100 + 3 * NS_PER_MS);
    assert_int_equal(clock_mono_ns(&f.clock), 200 + 3 * NS_PER_MS);
    fake_clock_step_wall(&f, 7);
    assert_int_equal(clock_wall_ns(&f.clock), 7);
    assert_int_equal(clock_mono_ns(&f.clock), 200 + 3 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clock_moves),
        cmocka_unit_test(deadlines_do_not_overflow),
        cmocka_unit_test(floor_division),
        cmocka_unit_test(fake_clock_obeys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
