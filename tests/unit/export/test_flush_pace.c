/* The flush interval after each kind of flush. */
#include "export/flush_pace.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct exporter_buffer adaptive = {.buffer_size = 1000,
                                                .flush_interval_ns = 30 * NS_PER_S,
                                                .adaptive_flushing = true,
                                                .min_flush_interval_ns = 5 * NS_PER_S,
                                                .max_flush_interval_ns = 300 * NS_PER_S};

static const struct {
    const char *name;
    double interval_s;
    uint64_t rows;
    bool early;
    double expected_s;
} steps[] = {
    {"full before the time", 30, 1000, true, 15},
    {"full before the time, near the lower bound", 8, 1000, true, 5},
    {"at the lower bound", 5, 1000, true, 5},
    {"nothing much", 30, 499, false, 37.5},
    {"half full", 30, 500, false, 30},
    {"nearly full", 30, 999, false, 30},
    {"little, near the upper bound", 280, 1, false, 300},
    {"at the upper bound", 300, 1, false, 300},
    {"a large frame before the time", 100, 50000, true, 50},
};

static void each_flush_fits_the_next_interval(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int64_t interval_ns = (int64_t)(steps[i].interval_s * (double)NS_PER_S);
        print_message("%s\n", steps[i].name);
        assert_int_equal(flush_pace_next(&adaptive, interval_ns, steps[i].rows, steps[i].early),
                         (int64_t)(steps[i].expected_s * (double)NS_PER_S));
    }
}

static void a_fixed_interval_stays(void **state)
{
    struct exporter_buffer fixed = adaptive;

    (void)state;
    fixed.adaptive_flushing = false;
    fixed.flush_interval_ns = NS_PER_S;
    assert_int_equal(flush_pace_first(&fixed), NS_PER_S);
    assert_int_equal(flush_pace_next(&fixed, NS_PER_S, 1000, true), NS_PER_S);
    assert_int_equal(flush_pace_next(&fixed, NS_PER_S, 0, false), NS_PER_S);
}

static void the_first_one_is_within_bounds(void **state)
{
    struct exporter_buffer config = adaptive;

    (void)state;
    assert_int_equal(flush_pace_first(&config), 30 * NS_PER_S);
    config.flush_interval_ns = 0;
    assert_int_equal(flush_pace_first(&config), 5 * NS_PER_S);
    config.flush_interval_ns = 3600 * NS_PER_S;
    assert_int_equal(flush_pace_first(&config), 300 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flush_fits_the_next_interval),
        cmocka_unit_test(a_fixed_interval_stays),
        cmocka_unit_test(the_first_one_is_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
