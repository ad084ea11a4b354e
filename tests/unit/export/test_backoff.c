/* The delays between tries, as a table. */
#include "export/backoff.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { TRIES = 6 };

struct plain_row {
    struct backoff_config config;
    int64_t asked_ms[TRIES];
    int64_t want_ms[TRIES];
};

static const struct plain_row plain_rows[] = {
    {{NS_PER_S, 60 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {0},
     {1000, 2000, 4000, 8000, 16000, 32000}},
    {{NS_PER_S, 5 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {0},
     {1000, 2000, 4000, 5000, 5000, 5000}},
    {{NS_PER_S, 60 * NS_PER_S, 1, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {0},
     {1000, 1000, 1000, 1000, 1000, 1000}},
    {{10 * NS_PER_MS, NS_PER_S, 10, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {0},
     {10, 100, 1000, 1000, 1000, 1000}},
    {{NS_PER_S, 5 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_LINEAR},
     {0},
     {1000, 2000, 3000, 4000, 5000, 5000}},
    {{NS_PER_S, 5 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_CONSTANT},
     {0},
     {1000, 1000, 1000, 1000, 1000, 1000}},
    /* What the destination asks for is a floor, with a cap of its own. */
    {{NS_PER_S, 60 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {5000, 1, 4000, 100000, 0, (int64_t)48 * 3600 * 1000},
     {5000, 2000, 4000, 100000, 16000, BACKOFF_ASKED_MAX_MS}},
    /* An initial delay above the cap is said once: later ones keep the cap. */
    {{10 * NS_PER_S, 2 * NS_PER_S, 2, JITTER_FALSE, BACKOFF_EXPONENTIAL},
     {0},
     {2000, 2000, 2000, 2000, 2000, 2000}},
};

static void test_plain(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 1);

    for (size_t r = 0; r < ARRAY_LEN(plain_rows); r++) {
        struct backoff b;
        backoff_init(&b, &plain_rows[r].config);
        for (size_t i = 0; i < TRIES; i++) {
            int64_t got = backoff_next_ms(&b, &rng, plain_rows[r].asked_ms[i]);
            if (got != plain_rows[r].want_ms[i]) {
                fail_msg("row %zu, try %zu: %lld ms", r, i, (long long)got);
            }
        }
        assert_int_equal(b.tries, TRIES);
    }
}

static void test_reset(void **state)
{
    (void)state;
    const struct backoff_config config = {NS_PER_S, 60 * NS_PER_S, 2, JITTER_FALSE,
                                          BACKOFF_EXPONENTIAL};
    struct backoff b;
    struct rng rng;

    rng_seed(&rng, 1);
    backoff_init(&b, &config);
    (void)backoff_next_ms(&b, &rng, 0);
    assert_int_equal(backoff_next_ms(&b, &rng, 0), 2000);
    backoff_reset(&b);
    assert_int_equal(b.tries, 0);
    assert_int_equal(backoff_next_ms(&b, &rng, 0), 1000);
}

/* The least and the greatest of many first delays of 1 s. */
static void spread(int jitter, int64_t *ret_least, int64_t *ret_greatest)
{
    const struct backoff_config config = {NS_PER_S, 60 * NS_PER_S, 2, jitter, BACKOFF_EXPONENTIAL};
    struct backoff b;
    struct rng rng;

    rng_seed(&rng, 7);
    *ret_least = INT64_MAX;
    *ret_greatest = 0;
    for (int i = 0; i < 10000; i++) {
        backoff_init(&b, &config);
        int64_t delay = backoff_next_ms(&b, &rng, 0);
        *ret_least = delay < *ret_least ? delay : *ret_least;
        *ret_greatest = delay > *ret_greatest ? delay : *ret_greatest;
    }
}

static void test_jitter(void **state)
{
    (void)state;
    int64_t least;
    int64_t greatest;

    spread(JITTER_FULL, &least, &greatest);
    assert_in_range(least, 0, 5);
    assert_in_range(greatest, 995, 1000);
    spread(JITTER_FRACTION, &least, &greatest);
    assert_in_range(least, 500, 505);
    assert_in_range(greatest, 995, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_jitter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
