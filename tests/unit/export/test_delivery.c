/* Breaker, fallback, dead letters' exporter and health, around one destination. */
#include "export/delivery.h"

#include "base/number.h"
#include "export/direct.h"
#include "fake/export_kit.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PRIMARY, FALLBACK, DLQ };

struct fixture {
    struct plan_kit kit;
    struct fake_config beside[3]; /* of the sinks beside the first */
    struct stage_config stages[3];
};

/* A stage that delivers to destination <i> of the kit. */
static const struct stage_config *stage_beside(struct fixture *f, size_t i, const char *name)
{
    fake_config_init(&f->beside[i], &f->kit.destinations[i]);
    f->stages[i] =
        (struct stage_config){.kind = &fake_kind, .config = &f->beside[i], .name = str_of(name)};
    return &f->stages[i];
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    plan_kit_start(&f->kit);
    plan_kit_output(&f->kit, "out", &fake_kind, PRIMARY);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    plan_kit_stop(&f->kit);
    mem_free(f);
    return 0;
}

static struct delivery_config *delivery_of(struct fixture *f)
{
    return &f->kit.outputs[0].delivery;
}

static void use_breaker(struct fixture *f, int64_t threshold, int64_t timeout_ms)
{
    delivery_of(f)->breaker =
        (struct exporter_breaker){.failure_threshold = threshold,
                                  .recovery_timeout_ns = timeout_ms * NS_PER_MS,
                                  .half_open_max_calls = 1};
}

static void use_fallback(struct fixture *f, enum fallback_mode mode)
{
    delivery_of(f)->fallback = stage_beside(f, FALLBACK, "spare");
    delivery_of(f)->fallback_takes = ~0U;
    delivery_of(f)->fallback_mode = (int)mode;
}

static void fail_times(struct fixture *f, size_t destination, uint32_t times)
{
    destination_plan(
        &f->kit.destinations[destination],
        (struct destination_step){.rest = VERDICT_RETRY, .message = "down", .times = times});
}

static void assert_got(struct fixture *f, size_t i, const char *want)
{
    char *got = destination_got(&f->kit.destinations[i]);

    assert_string_equal(got, want);
    mem_free(got);
}

static void assert_dead(struct fixture *f, const char *want)
{
    plan_kit_close(&f->kit);
    char *dead = plan_kit_dead(&f->kit, "out");
    assert_string_equal(dead, want);
    mem_free(dead);
}

static void assert_drained(struct fixture *f)
{
    assert_int_equal(plan_kit_drain(&f->kit, DESTINATION_PATIENCE_MS), 0);
}

static struct output_status status_of(struct fixture *f)
{
    struct output_status status;

    assert_int_equal(plan_status(f->kit.plan, &status, 1), 1);
    return status;
}

static void wait_for_breaker(struct fixture *f, const char *state)
{
    int64_t deadline_ns = clock_deadline_ms(clock_system(), DESTINATION_PATIENCE_MS);
    struct output_status status = status_of(f);

    while (status.breaker == NULL || strcmp(status.breaker, state) != 0) {
        assert_true(clock_mono_ns(clock_system()) < deadline_ns);
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 1), NULL});
        status = status_of(f);
    }
}

/* ---- breaker ---- */

static void an_open_breaker_makes_no_calls(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 3, 3600 * 1000);
    destination_refuse(&f->kit.destinations[PRIMARY], VERDICT_RETRY);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 1));
    wait_for_breaker(f, "open");
    assert_string_equal(status_of(f).state, "open");
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 50), NULL});
    char *tried = destination_tried(&f->kit.destinations[PRIMARY]);
    assert_string_equal(tried, "0|0|0");
    mem_free(tried);
    assert_int_equal(plan_kit_drain(&f->kit, 0), 1);
    assert_dead(f, "");
}

/* Unhealthy for as long as it is open, and half open when its time is over, though nothing comes. */
static void an_open_breaker_is_not_healthy(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 300);
    use_fallback(f, FALLBACK_DIVERT);
    fail_times(f, PRIMARY, 1);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 1));
    wait_for_breaker(f, "open");
    struct output_status status = status_of(f);
    assert_false(status.is_healthy);
    assert_string_equal(status.health_error, "the circuit breaker is open: down");
    assert_true(destination_wait(&f->kit.destinations[FALLBACK], 1));
    wait_for_breaker(f, "half_open");
    status = status_of(f);
    assert_true(status.is_healthy);
    assert_string_equal(status.health_error, "");
    assert_string_equal(status.state, "retrying");
    assert_true(plan_kit_samples(&f->kit, 1, 1));
    assert_true(destination_wait(&f->kit.destinations[PRIMARY], 1));
    wait_for_breaker(f, "closed");
    assert_string_equal(status_of(f).state, "ok");
}

/* Neither tries nor age are spent while it is open: the record outlives both. */
static void an_open_breaker_spends_nothing(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 60);
    f->kit.configs[0].common.retry.max_retries = 9;
    f->kit.configs[0].common.retry.max_age_ns = 100 * NS_PER_MS;
    fail_times(f, PRIMARY, 5); /* five openings of 60 ms each */
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1");
    assert_string_equal(status_of(f).breaker, "closed");
    assert_dead(f, "");
}

/* What waits behind the first record rests with it. */
static void what_waits_behind_rests_too(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 200);
    f->kit.outputs[0].buffer.buffer_size = 1;
    f->kit.configs[0].common.buffer.buffer_size = 1;
    f->kit.configs[0].common.retry.max_age_ns = 150 * NS_PER_MS;
    fail_times(f, PRIMARY, 1);
    plan_kit_open(&f->kit);
    for (int i = 0; i < 3; i++) {
        assert_true(plan_kit_alerts(&f->kit, i, 1));
    }
    assert_true(destination_wait(&f->kit.destinations[PRIMARY], 1));
    fail_times(f, PRIMARY, 1); /* of the second or third, older than max_age but for the rest */
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1 2");
    assert_dead(f, "");
}

static void a_rejection_is_an_answer(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 3600 * 1000);
    destination_plan(&f->kit.destinations[PRIMARY],
                     (struct destination_step){.settled = SETTLED_ALL,
                                               .except = {{0, VERDICT_REJECTED, "too old"}},
                                               .times = 3});
    plan_kit_open(&f->kit);
    for (int i = 0; i < 4; i++) {
        assert_true(plan_kit_alerts(&f->kit, i, 1));
        assert_true(destination_wait_calls(&f->kit.destinations[PRIMARY], (uint32_t)i + 1));
    }
    assert_drained(f);
    assert_string_equal(status_of(f).breaker, "closed");
    assert_dead(f, "too old: 0;too old: 1;too old: 2;");
}

/* ---- fallback ---- */

static void divert_is_done_once_the_fallback_has_it(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 2, 3600 * 1000);
    use_fallback(f, FALLBACK_DIVERT);
    destination_refuse(&f->kit.destinations[PRIMARY], VERDICT_RETRY);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_alerts(&f->kit, 0, 2));
    assert_true(plan_kit_alerts(&f->kit, 2, 1));
    assert_drained(f);
    assert_got(f, PRIMARY, "");
    assert_got(f, FALLBACK, "0 1 2");
    assert_dead(f, "");
}

static void after_recovery_the_first_gets_them_again(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 30);
    use_fallback(f, FALLBACK_DIVERT);
    fail_times(f, PRIMARY, 1);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_alerts(&f->kit, 0, 1));
    assert_true(destination_wait(&f->kit.destinations[FALLBACK], 1));
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 60), NULL});
    assert_true(plan_kit_alerts(&f->kit, 1, 1));
    assert_drained(f);
    assert_got(f, FALLBACK, "0");
    assert_got(f, PRIMARY, "1");
}

static void copy_is_still_owed(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 30);
    use_fallback(f, FALLBACK_COPY);
    fail_times(f, PRIMARY, 3);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1");
    assert_got(f, FALLBACK, "0 1");
}

/* Kinds that the fallback does not take stay with the destination. */
static void what_the_fallback_does_not_take_is_held(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 30);
    use_fallback(f, FALLBACK_DIVERT);
    delivery_of(f)->fallback_takes = TAKES(RECORD_ALERT);
    fail_times(f, PRIMARY, 2);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1");
    assert_got(f, FALLBACK, "");
}

static void hold_waits_behind_an_open_breaker(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 30);
    use_fallback(f, FALLBACK_HOLD);
    fail_times(f, PRIMARY, 2);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1");
    assert_got(f, FALLBACK, "");
}

static void the_fallback_comes_before_the_dead_letters(void **state)
{
    struct fixture *f = *state;

    use_fallback(f, FALLBACK_HOLD);
    f->kit.configs[0].common.retry.max_retries = 1;
    destination_refuse(&f->kit.destinations[PRIMARY], VERDICT_RETRY);
    destination_plan(
        &f->kit.destinations[FALLBACK],
        (struct destination_step){.settled = SETTLED_ALL, .except = {{1, VERDICT_REJECTED, "no"}}});
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 3));
    assert_drained(f);
    assert_got(f, FALLBACK, "0 2");
    assert_dead(f, "after 2 tries: not delivered: 1;");
}

static void a_fallback_that_is_down_loses_nothing(void **state)
{
    struct fixture *f = *state;

    use_breaker(f, 1, 20);
    use_fallback(f, FALLBACK_DIVERT);
    fail_times(f, PRIMARY, 3);
    destination_refuse(&f->kit.destinations[FALLBACK], VERDICT_RETRY);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 1");
    assert_got(f, FALLBACK, "");
    assert_dead(f, "");
}

/* ---- dead letters ---- */

static void the_dlq_exporter_gets_what_the_folder_keeps(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dlq = stage_beside(f, DLQ, "letters");
    delivery_of(f)->dlq_takes = ~0U;
    destination_plan(&f->kit.destinations[PRIMARY],
                     (struct destination_step){.settled = SETTLED_ALL,
                                               .except = {{1, VERDICT_REJECTED, "bad"}}});
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 3));
    assert_drained(f);
    assert_got(f, PRIMARY, "0 2");
    assert_got(f, DLQ, "1");
    const char *labels = buf_text(&f->kit.destinations[DLQ].labels);
    assert_non_null(strstr(labels, "dead_letter_exporter=\"out\""));
    assert_non_null(strstr(labels, "dead_letter_reason=\"bad\""));
    assert_dead(f, "bad: 1;");
}

/* What a filter left out is not the destination's: not counted as delivered, and no answer. */
static void what_is_left_out_is_not_delivered(void **state)
{
    struct fixture *f = *state;
    struct export_kit kit;
    const struct stage_config *inner[] = {&f->kit.stages[0]};
    struct err e = ERR_INIT;

    plan_kit_compile(&f->kit);
    assert_true(export_kit_start(&kit,
                                 "type: relabel\nexporter: x\nrelabel_configs:\n"
                                 "  - { source_labels: [n], regex: '[1-9]', action: drop }\n"));
    const struct stage_config relabel = {.kind = kit.kind,
                                         .config = kit.config,
                                         .name = STR("relabel"),
                                         .children = inner,
                                         .child_count = 1};
    delivery_of(f)->stage = &relabel;
    delivery_of(f)->breaker =
        (struct exporter_breaker){.failure_threshold = 2, .half_open_max_calls = 1};
    fail_times(f, PRIMARY, 1);
    assert_true(plan_open(&f->kit.env, &f->kit.config, &f->kit.plan, &e));
    assert_true(plan_kit_samples(&f->kit, 0, 5));
    assert_drained(f);
    assert_got(f, PRIMARY, "0");
    assert_int_equal(status_of(f).delivered_rows, 1);
    plan_kit_close(&f->kit);
    export_kit_stop(&kit);
}

static double dropped(struct fixture *f, const char *reason)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    double value = -1;

    buf_addf(&name, "telex_exporter_dropped_total{exporter=\"out\",reason=\"%s\"} ", reason);
    metrics_render(f->kit.metrics, &text);
    const char *at = strstr(buf_text(&text), buf_text(&name));
    assert_non_null(at);
    at += name.len;
    assert_true(number_parse(str_make(at, strcspn(at, "\n")), &value));
    return value;
}

/* Rejects <count> records, a letter each. */
static void reject(struct fixture *f, int count)
{
    destination_refuse(&f->kit.destinations[PRIMARY], VERDICT_REJECTED);
    plan_kit_open(&f->kit);
    for (int i = 0; i < count; i++) {
        assert_true(plan_kit_samples(&f->kit, i, 1));
        assert_true(destination_wait_calls(&f->kit.destinations[PRIMARY], (uint32_t)i + 1));
    }
}

static void the_oldest_letters_make_room(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead.max_disk_bytes = 2000;
    reject(f, 100);
    assert_drained(f);
    double lost = dropped(f, "dead_letters_overflow");
    assert_in_range((int)lost, 50, 97);
    plan_kit_close(&f->kit);
    char *dead = plan_kit_dead(&f->kit, "out");
    int kept = 0;
    for (const char *at = dead; (at = strchr(at, ':')) != NULL; at++) {
        kept++;
    }
    assert_non_null(strstr(dead, ": 99;")); /* the newest */
    mem_free(dead);
    assert_true(kept >= 100 - (int)lost); /* a segment goes as a whole, and the newest stays */
}

static void letters_that_are_too_old_go(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead.max_age_ns = 50 * NS_PER_MS;
    reject(f, 3);
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 200), NULL});
    assert_true(plan_kit_samples(&f->kit, 3, 1));
    assert_drained(f);
    assert_true(dropped(f, "dead_letters_age") == 3);
    assert_true(dropped(f, "dead_letters_overflow") == 0);
}

static void full_letters_may_block(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead =
        (struct exporter_dead_letters){.max_disk_bytes = 400, .overflow = DEAD_LETTERS_BLOCK};
    reject(f, 2);
    for (int i = 2; i < 10; i++) {
        assert_true(plan_kit_samples(&f->kit, i, 1));
    }
    for (int i = 0; i < 2000 && strstr(status_of(f).last_error, "is block") == NULL; i++) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 5), NULL});
    }
    assert_non_null(strstr(status_of(f).last_error, "replay or discard some"));
    assert_true(plan_kit_drain(&f->kit, 0) > 0);
    assert_true(dropped(f, "dead_letters_overflow") == 0);
}

/* ---- refused, and no dead letter ---- */

static void drop_is_counted(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead.on_refused = REFUSED_DROP;
    reject(f, 3);
    assert_drained(f);
    assert_true(dropped(f, "refused") == 3);
    assert_int_equal(status_of(f).delivered_rows, 0);
    assert_dead(f, "");
}

static void drop_ends_tries_that_are_used_up(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead.on_refused = REFUSED_DROP;
    f->kit.configs[0].common.retry.max_retries = 1;
    fail_times(f, PRIMARY, 2);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 1, 1));
    assert_true(destination_wait_calls(&f->kit.destinations[PRIMARY], 2));
    assert_true(plan_kit_samples(&f->kit, 2, 1));
    assert_true(destination_wait(&f->kit.destinations[PRIMARY], 1));
    assert_drained(f);
    assert_true(dropped(f, "refused") == 1);
    assert_dead(f, "");
}

static void halt_stays_where_it_is(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->dead.on_refused = REFUSED_HALT;
    reject(f, 1);
    for (int i = 0; i < 2000 && strcmp(status_of(f).state, "halted") != 0; i++) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 5), NULL});
    }
    assert_string_equal(status_of(f).state, "halted");
    assert_true(plan_kit_samples(&f->kit, 9, 1));
    assert_int_equal(plan_kit_drain(&f->kit, 0), 2); /* both are still owed */
    assert_dead(f, "");
}

/* ---- past the log ---- */

static struct batch *three_samples(void)
{
    return sample_batch(1, 3);
}

static void a_direct_delivery_goes_past_the_log(void **state)
{
    struct fixture *f = *state;
    struct direct *d = NULL;
    struct direct *other = NULL;
    struct err e = ERR_INIT;

    plan_kit_open(&f->kit);
    assert_true(direct_open(f->kit.plan, STR("out"), 2, &d, &e));
    assert_false(direct_open(f->kit.plan, STR("out"), 1, &other, &e));
    assert_false(direct_open(f->kit.plan, STR("nobody"), 1, &other, &e));
    AUTO(batch_autounref) struct batch *b = three_samples();
    destination_plan(&f->kit.destinations[PRIMARY],
                     (struct destination_step){.rest = VERDICT_RETRY, .times = 2});
    assert_int_equal(direct_run(d, 1, (struct view){.batch = b, .n = 3}, INT64_MAX, NULL), 0);
    assert_got(f, PRIMARY, "1 2 3");
    assert_int_equal(status_of(f).delivered_rows, 3);
    assert_int_equal(status_of(f).retries, 2);
    direct_rest(d);
    assert_int_equal(direct_run(d, 0, (struct view){.batch = b, .n = 3}, 0, NULL), 3);
    direct_close(d);
    assert_true(direct_open(f->kit.plan, STR("out"), 1, &d, &e));
    direct_close(d);
}

/* A lane that buried all it had is in no trouble, and what it found last holds until another delivers. */
static void a_lane_that_buried_all_rests(void **state)
{
    struct fixture *f = *state;
    struct direct *d = NULL;
    struct err e = ERR_INIT;

    delivery_of(f)->health.unhealthy_threshold = 2;
    f->kit.configs[0].common.retry.max_retries = 1;
    f->kit.configs[0].common.retry.backoff.initial_delay_ns = 1;
    plan_kit_open(&f->kit);
    assert_true(direct_open(f->kit.plan, STR("out"), 3, &d, &e));
    AUTO(batch_autounref) struct batch *b = three_samples();
    const struct view view = {.batch = b, .n = 3};
    assert_int_equal(direct_run(d, 0, view, INT64_MAX, NULL), 0);
    fail_times(f, PRIMARY, 2);
    assert_int_equal(direct_run(d, 1, view, INT64_MAX, NULL), 0);
    struct output_status status = status_of(f);
    assert_int_equal(status.rejected_rows, 3);
    assert_string_equal(status.state, "ok");
    assert_false(status.is_healthy);
    assert_string_equal(status.health_error, "down");
    for (unsigned lane = 0; lane < 3; lane += 2) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 2), NULL});
        assert_int_equal(direct_run(d, lane, view, INT64_MAX, NULL), 0);
        status = status_of(f);
        assert_string_equal(status.state, "ok");
        assert_true(status.is_healthy);
        assert_string_equal(status.health_error, "");
    }
    direct_close(d);
}

/* ---- a try that we cut short ourselves ---- */

static void a_cancelled_try_spends_nothing(void **state)
{
    struct fixture *f = *state;

    f->kit.configs[0].common.retry.max_retries = 1;
    f->kit.configs[0].common.retry.max_age_ns = 1;
    destination_plan(&f->kit.destinations[PRIMARY],
                     (struct destination_step){.rest = VERDICT_UNKNOWN, .hangs = true});
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 1));
    assert_true(destination_wait_calls(&f->kit.destinations[PRIMARY], 1));
    assert_int_equal(plan_kit_drain(&f->kit, 20), 1);
    assert_dead(f, "");
    plan_kit_open(&f->kit);
    assert_drained(f);
    assert_got(f, PRIMARY, "0");
}

/* ---- status ---- */

static void status_says_how_it_went(void **state)
{
    struct fixture *f = *state;

    delivery_of(f)->health.unhealthy_threshold = 2;
    f->kit.configs[0].common.retry.backoff.initial_delay_ns = 1;
    fail_times(f, PRIMARY, 3);
    plan_kit_open(&f->kit);
    assert_true(status_of(f).is_healthy);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    struct output_status status = status_of(f);
    assert_true(status.is_healthy);
    assert_true(status.last_result.success);
    assert_int_equal(status.last_result.exported_count, 2);
    assert_int_equal(status.retries, 3);
    destination_refuse(&f->kit.destinations[PRIMARY], VERDICT_RETRY);
    plan_kit_close(&f->kit);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 2, 1));
    assert_true(destination_wait_calls(&f->kit.destinations[PRIMARY], 4 + 3));
    status = status_of(f);
    assert_false(status.is_healthy);
    assert_false(status.last_result.success);
    assert_int_equal(plan_kit_drain(&f->kit, 0), 1);
}

/* Whoever looks at the last call learns of a record that was refused. */
static void a_call_that_refused_a_row_is_no_success(void **state)
{
    struct fixture *f = *state;

    destination_plan(
        &f->kit.destinations[PRIMARY],
        (struct destination_step){
            .rest = VERDICT_DELIVERED,
            .settled = 2,
            .except = {{.index = 1, .verdict = VERDICT_REJECTED, .reason = "bad name"}}});
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 2));
    assert_drained(f);
    struct output_status status = status_of(f);
    assert_false(status.last_result.success);
    assert_int_equal(status.last_result.exported_count, 1);
    assert_string_equal(status.last_result.error, "bad name");
    assert_int_equal(status.failed_calls, 1);
    assert_true(status.is_healthy);
}

static bool becomes(struct fixture *f, bool is_healthy)
{
    for (int i = 0; i < 1000 && status_of(f).is_healthy != is_healthy; i++) {
        (void)destination_wait_probes(&f->kit.destinations[PRIMARY], 1);
    }
    return status_of(f).is_healthy == is_healthy;
}

/* Only an answer changes what is known: that nobody could be asked is none. */
static void health_follows_answers(void **state)
{
    struct fixture *f = *state;
    struct destination *d = &f->kit.destinations[PRIMARY];

    delivery_of(f)->health =
        (struct exporter_health){.interval_ns = 5 * NS_PER_MS, .unhealthy_threshold = 2};
    f->kit.configs[0].common.retry.max_retries = 1;
    destination_plan(
        d, (struct destination_step){.rest = VERDICT_RETRY, .message = "down", .times = 2});
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 0, 1));
    assert_true(destination_wait_calls(d, 2));
    assert_true(destination_wait_probes(d, 3));
    assert_false(status_of(f).is_healthy);
    assert_string_equal(status_of(f).health_error, "down");
    destination_set_probed(d, PROBED_THERE);
    assert_true(becomes(f, true)); /* both of its lanes were answered */
    destination_set_probed(d, PROBED_FAILED);
    assert_true(becomes(f, false));
    assert_string_equal(status_of(f).health_error, "nobody is there");
    assert_drained(f);
}

/* One of two exporters side by side hangs: the other waits for its turn, which comes with the end of
 * the call's time. */
static void calls_take_turns(void **state)
{
    struct fixture *f = *state;
    const struct call_limit limit = {
        .id = f, .name = STR("both"), .max_concurrent = 1, .timeout_ns = 300 * NS_PER_MS};
    struct destination *slow = &f->kit.destinations[PRIMARY];
    struct destination *other = &f->kit.destinations[1];

    plan_kit_output(&f->kit, "other", &fake_kind_samples, 1);
    for (size_t i = 0; i < 2; i++) {
        f->kit.outputs[i].delivery.limits[0] = limit;
        f->kit.outputs[i].delivery.limit_count = 1;
    }
    destination_plan(slow, (struct destination_step){.rest = VERDICT_RETRY, .hangs = true});
    plan_kit_route(&f->kit, "value == 7", 1, false);
    plan_kit_route(&f->kit, NULL, 2, false);
    plan_kit_open(&f->kit);
    assert_true(plan_kit_samples(&f->kit, 7, 1));
    assert_true(destination_wait_calls(slow, 1));
    int64_t began_ns = clock_mono_ns(clock_system());
    assert_true(plan_kit_samples(&f->kit, 8, 1));
    assert_true(destination_wait(other, 1));
    assert_true(clock_mono_ns(clock_system()) - began_ns >= 150 * NS_PER_MS);
    assert_true(destination_wait(slow, 1)); /* tried again after the timeout */
    assert_drained(f);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(calls_take_turns),
        CASE(an_open_breaker_makes_no_calls),
        CASE(an_open_breaker_is_not_healthy),
        CASE(an_open_breaker_spends_nothing),
        CASE(what_waits_behind_rests_too),
        CASE(a_rejection_is_an_answer),
        CASE(divert_is_done_once_the_fallback_has_it),
        CASE(after_recovery_the_first_gets_them_again),
        CASE(copy_is_still_owed),
        CASE(what_the_fallback_does_not_take_is_held),
        CASE(hold_waits_behind_an_open_breaker),
        CASE(the_fallback_comes_before_the_dead_letters),
        CASE(a_fallback_that_is_down_loses_nothing),
        CASE(the_dlq_exporter_gets_what_the_folder_keeps),
        CASE(what_is_left_out_is_not_delivered),
        CASE(the_oldest_letters_make_room),
        CASE(letters_that_are_too_old_go),
        CASE(full_letters_may_block),
        CASE(drop_is_counted),
        CASE(drop_ends_tries_that_are_used_up),
        CASE(halt_stays_where_it_is),
        CASE(a_direct_delivery_goes_past_the_log),
        CASE(a_lane_that_buried_all_rests),
        CASE(a_cancelled_try_spends_nothing),
        CASE(status_says_how_it_went),
        CASE(a_call_that_refused_a_row_is_no_success),
        CASE(health_follows_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
