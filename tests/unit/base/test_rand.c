#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void seeds_repeat(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;

    rng_seed(&a, 42);
    rng_seed(&b, 42);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(rng_u64(&a), rng_u64(&b));
    }
    rng_seed(&b, 43);
    assert_int_not_equal(rng_u64(&a), rng_u64(&b));
}

/* The published first outputs of SplitMix64 from seed 1234567. */
static void known_sequence(void **state)
{
    (void)state;
    static const uint64_t want[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                    UINT64_C(9817491932198370423)};
    struct rng r;

    rng_seed(&r, 1234567);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(rng_u64(&r), want[i]);
    }
}

static void entropy_differs(void **state)
{
    (void)state;
    struct rng a;
    struct rng b;

    rng_init(&a);
    rng_init(&b);
    assert_int_not_equal(rng_u64(&a), rng_u64(&b));
}

static void ranges_hold_and_fill(void **state)
{
    (void)state;
    struct rng r;
    unsigned seen[10] = {0};

    rng_seed(&r, 7);
    assert_int_equal(rng_below(&r, 0), 0);
    assert_int_equal(rng_below(&r, 1), 0);
    for (int i = 0; i < 10000; i++) {
        double unit = rng_unit(&r);
        assert_true(unit >= 0 && unit < 1);
        seen[rng_below(&r, 10)]++;
    }
    for (size_t i = 0; i < 10; i++) {
        assert_in_range(seen[i], 800, 1200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seeds_repeat),
        cmocka_unit_test(known_sequence),
        cmocka_unit_test(entropy_differs),
        cmocka_unit_test(ranges_hold_and_fill),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
