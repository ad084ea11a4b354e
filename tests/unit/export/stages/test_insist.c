/* A resilient below others: how often it calls, what it settles, and when it gives way. */
#include "export/stages/insist.h"

#include "base/env.h"
#include "export/combinator.h"
#include "export/stage.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define DOWN                                     \
    {                                            \
        .rest = VERDICT_RETRY, .message = "down" \
    }

static const struct {
    struct destination_step steps[4];
    size_t step_count;
    int64_t max_retries;
    int64_t failure_threshold;
    bool is_twice; /* delivered twice */
    const char *tried;
    enum verdict rest;
    uint32_t settled;
} rows[] = {
    {{DOWN}, 0, 2, 0, false, "0 1 2", VERDICT_DELIVERED, 3},
    {{DOWN, DOWN}, 2, 2, 0, false, "0 1 2|0 1 2|0 1 2", VERDICT_DELIVERED, 3},
    {{DOWN, DOWN}, 2, 1, 0, false, "0 1 2|0 1 2", VERDICT_RETRY, 0},
    {{{.rest = VERDICT_RETRY, .settled = 2, .message = "down"}},
     1,
     1,
     0,
     false,
     "0 1 2|2",
     VERDICT_DELIVERED,
     3},
    {{DOWN, DOWN}, 2, 0, 2, false, "0 1 2|0 1 2", VERDICT_RETRY, 0},
    {{DOWN, DOWN}, 2, 0, 2, true, "0 1 2|0 1 2", VERDICT_RETRY, 0}, /* the breaker is open */
    {{{.rest = VERDICT_HALT, .message = "who are you"}}, 1, 5, 0, false, "0 1 2", VERDICT_HALT, 0},
    {{{.rest = VERDICT_REJECTED, .message = "bad"}}, 1, 5, 0, false, "0 1 2", VERDICT_REJECTED, 0},
};

static void it_gives_way(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = sample_batch(0, 3);
        AUTO(outcome_release) struct outcome out;
        struct rng rng;
        struct destination d;
        struct fake_config fake;
        const struct env env = {.clock = clock_system(), .rng = &rng};
        const struct exporter_place place = {.env = &env, .name = STR("x")};
        const struct stage_config leaf = {.kind = &fake_kind, .config = &fake, .name = STR("a")};
        const struct stage_config *const children[] = {&leaf};
        struct resilient_config config = {
            .retry = {.backoff = {.initial_delay_ns = NS_PER_MS,
                                  .max_delay_ns = NS_PER_MS,
                                  .multiplier = 1,
                                  .jitter = JITTER_FALSE},
                      .max_retries = rows[i].max_retries},
            .breaker = {rows[i].failure_threshold, 3600 * NS_PER_S, 1}};
        const struct exporter_kind kind = {.name = "resilient", .stage = &stage_insist};
        const struct stage_config stage = {&kind, &config, STR("x"), children, 1};
        struct sink *sink = NULL;
        struct err e = ERR_INIT;

        rng_seed(&rng, 1);
        destination_init(&d);
        fake_config_init(&fake, &d);
        for (size_t s = 0; s < rows[i].step_count; s++) {
            destination_plan(&d, rows[i].steps[s]);
        }
        assert_true(stage_open(&place, &stage, &sink, &e));
        outcome_init(&out);
        for (int call = 0; call < (rows[i].is_twice ? 2 : 1); call++) {
            outcome_release(&out);
            sink->ops->deliver(sink, view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &out);
        }
        char *tried = destination_tried(&d);
        assert_string_equal(tried, rows[i].tried);
        mem_free(tried);
        assert_int_equal(out.rest, rows[i].rest);
        assert_int_equal(out.settled, rows[i].settled);
        sink_close(sink);
        destination_release(&d);
    }
}

/* Its leaf tries the statuses again that it lists itself, else those of the consumer. */
static void statuses_are_its_own(void **state)
{
    (void)state;
    int64_t listed = 404;
    struct resilient_config config = {.retry = {.max_retries = 1}};
    const struct option_ints outer = {0};
    struct exporter_place place = {.retry_on = &outer};

    stage_insist.inside(&config, &place);
    assert_ptr_equal(place.retry_on, &outer);
    config.retry.retry_on_status_codes = (struct option_ints){&listed, 1};
    stage_insist.inside(&config, &place);
    assert_ptr_equal(place.retry_on, &config.retry.retry_on_status_codes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_gives_way),
        cmocka_unit_test(statuses_are_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
