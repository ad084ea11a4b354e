/* Every way through the three states. */
#include "export/breaker.h"

#include "base/attr.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct exporter_breaker config = {
    .failure_threshold = 3, .recovery_timeout_ns = 60 * NS_PER_S, .half_open_max_calls = 2};

struct step {
    int64_t at_s;
    char event; /* 'f' a call fails, 's' one succeeds, 'a' may one be made? 'r' no */
    enum breaker_state want;
};

static const struct step steps[] = {
    {0, 'a', BREAKER_CLOSED},      {0, 'f', BREAKER_CLOSED},      {1, 'f', BREAKER_CLOSED},
    {2, 's', BREAKER_CLOSED}, /* not in a row */
    {3, 'f', BREAKER_CLOSED},      {4, 'f', BREAKER_CLOSED},      {5, 'f', BREAKER_OPEN},
    {6, 'r', BREAKER_OPEN},        {64, 'r', BREAKER_OPEN},       {65, 'a', BREAKER_HALF_OPEN},
    {65, 's', BREAKER_HALF_OPEN},  {66, 'a', BREAKER_HALF_OPEN},  {66, 'f', BREAKER_OPEN},
    {67, 'r', BREAKER_OPEN}, /* from then on again */
    {126, 'a', BREAKER_HALF_OPEN}, {126, 's', BREAKER_HALF_OPEN}, {127, 's', BREAKER_CLOSED},
    {128, 'f', BREAKER_CLOSED},    {128, 'f', BREAKER_CLOSED},    {128, 'f', BREAKER_OPEN},
};

static void calls_open_and_close_it(void **state)
{
    struct breaker b;

    (void)state;
    breaker_init(&b, &config);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        int64_t now_ns = steps[i].at_s * NS_PER_S;
        if (steps[i].event == 'a' || steps[i].event == 'r') {
            assert_int_equal(breaker_admits(&b, now_ns), steps[i].event == 'a');
        } else {
            breaker_note(&b, steps[i].event == 's', now_ns);
        }
        if (b.state != steps[i].want) {
            fail_msg("step %zu: %s", i, breaker_state_name(b.state));
        }
    }
    assert_int_equal(breaker_opens_ns(&b), (128 + 60) * NS_PER_S);
}

static void without_a_threshold_it_stays_closed(void **state)
{
    static const struct exporter_breaker none = {.half_open_max_calls = 1};
    struct breaker b;

    (void)state;
    breaker_init(&b, &none);
    for (int i = 0; i < 100; i++) {
        breaker_note(&b, false, i);
        assert_true(breaker_admits(&b, i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_open_and_close_it),
        cmocka_unit_test(without_a_threshold_it_stays_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
