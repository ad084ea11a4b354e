/* How records are held and sent together: gathering, flushing, pausing, quotas and lanes. */
#include "export/consumer.h"

#include "base/fs.h"
#include "base/number.h"
#include "fake/plan_kit.h"
#include "log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    plan_kit_output(k, "out", &fake_kind, 0);
    k->configs[0].common.buffer.buffer_size = 100;
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static struct exporter_buffer *buffer_of(struct plan_kit *k)
{
    return &k->configs[0].common.buffer;
}

static void slow_retries(struct plan_kit *k, int64_t delay_ns)
{
    k->configs[0].common.retry.backoff.initial_delay_ns = delay_ns;
    k->configs[0].common.retry.backoff.max_delay_ns = delay_ns;
}

static void assert_text(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    mem_free(got);
}

static struct output_status status_of(struct plan_kit *k)
{
    struct output_status status;

    assert_int_equal(plan_status(k->plan, &status, 1), 1);
    return status;
}

static void pause_ms(int64_t ms)
{
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), ms), NULL});
}

static void await_gathered(struct plan_kit *k, uint64_t rows)
{
    for (int i = 0; i < DESTINATION_PATIENCE_MS && status_of(k).gathered_rows != rows; i++) {
        pause_ms(1);
    }
    assert_int_equal(status_of(k).gathered_rows, rows);
}

static void assert_drained(struct plan_kit *k)
{
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
}

/* ---- sent together ---- */

/* While the first is tried again, others come; they go together then. */
static void what_waits_is_sent_together(void **state)
{
    struct plan_kit *k = *state;

    slow_retries(k, 100 * NS_PER_MS);
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 1));
    for (int i = 1; i < 5; i++) {
        assert_true(plan_kit_samples(k, i, 1));
    }
    assert_drained(k);
    assert_text(destination_tried(&k->destinations[0]), "0|0|1 2 3 4");
}

static void a_full_buffer_is_sent_before_its_time(void **state)
{
    struct plan_kit *k = *state;

    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    buffer_of(k)->buffer_size = 3;
    plan_kit_open(k);
    for (int i = 0; i < 7; i++) {
        assert_true(plan_kit_samples(k, i, 1));
    }
    assert_true(destination_wait(&k->destinations[0], 6));
    await_gathered(k, 1);
    assert_text(destination_tried(&k->destinations[0]), "0 1 2|3 4 5");
    assert_drained(k);
    assert_text(destination_got(&k->destinations[0]), "0 1 2 3 4 5 6");
}

static void samples_wait_for_the_interval(void **state)
{
    struct plan_kit *k = *state;

    buffer_of(k)->flush_interval_ns = 50 * NS_PER_MS;
    plan_kit_open(k);
    int64_t began_ns = clock_mono_ns(clock_system());
    assert_true(plan_kit_samples(k, 0, 2));
    assert_true(plan_kit_samples(k, 2, 1));
    assert_true(destination_wait(&k->destinations[0], 3));
    assert_true(clock_mono_ns(clock_system()) - began_ns >= 50 * NS_PER_MS);
    assert_text(destination_tried(&k->destinations[0]), "0 1 2");
}

static void alerts_do_not_wait(void **state)
{
    struct plan_kit *k = *state;

    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    plan_kit_open(k);
    assert_true(plan_kit_alerts(k, 7, 1));
    assert_true(destination_wait(&k->destinations[0], 1));
}

static void a_flush_sends_what_waits(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(plan_kit_samples(k, 1, 1));
    await_gathered(k, 2);
    assert_true(plan_flush(k->plan, STR("out"), &e));
    assert_true(destination_wait(&k->destinations[0], 2));
    assert_text(destination_tried(&k->destinations[0]), "0 1");
    assert_false(plan_flush(k->plan, STR("nobody"), &e));
}

static void a_flush_ends_a_backoff(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    slow_retries(k, 3600 * NS_PER_S);
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    while (status_of(k).retries == 0) {
        pause_ms(1);
    }
    assert_true(plan_flush(k->plan, STR("out"), &e));
    assert_true(destination_wait(&k->destinations[0], 1));
}

static void a_hurry_sends_what_waits_and_ends_no_backoff(void **state)
{
    struct plan_kit *k = *state;

    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    slow_retries(k, 3600 * NS_PER_S);
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    await_gathered(k, 1);
    plan_hurry(k->plan);
    while (status_of(k).retries == 0) {
        pause_ms(1);
    }
    for (int i = 0; i < 50; i++) {
        plan_hurry(k->plan);
        pause_ms(1);
    }
    assert_text(destination_tried(&k->destinations[0]), "0");
}

static void left_for_the_next_start_when_told_so(void **state)
{
    struct plan_kit *k = *state;

    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    buffer_of(k)->flush_on_shutdown = false;
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    await_gathered(k, 1);
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 1);
    plan_kit_close(k);
    assert_text(destination_got(&k->destinations[0]), "");
    buffer_of(k)->flush_interval_ns = 0;
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 1));
}

/* ---- held back ---- */

static void check_metric(struct plan_kit *k, const char *line)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    metrics_render(k->metrics, &text);
    assert_non_null(strstr(buf_text(&text), line));
}

static void a_paused_one_delivers_nothing(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_open(k);
    assert_true(plan_pause(k->plan, STR("out"), &e));
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(plan_kit_alerts(k, 1, 1));
    pause_ms(50);
    struct output_status status = status_of(k);
    assert_string_equal(status.state, "paused");
    assert_int_equal(status.pending_frames, 2);
    assert_true(status.pending_bytes > 0 && status.oldest_ns > 0);
    assert_text(destination_got(&k->destinations[0]), "");
    check_metric(k, "telex_exporter_pending_frames{exporter=\"out\",log=\"bulk\"} 1\n");
    check_metric(k, "telex_exporter_pending_frames{exporter=\"out\",log=\"ledger\"} 1\n");
    check_metric(k, "telex_exporter_oldest_age_seconds{exporter=\"out\",log=\"bulk\"} 0.");
    assert_true(plan_resume(k->plan, STR("out"), &e));
    assert_true(destination_wait(&k->destinations[0], 2));
    assert_false(plan_pause(k->plan, STR("nobody"), &e));
    assert_drained(k);
    status = status_of(k);
    assert_true(status.flushes == 2 && status.pending_frames == 0 && status.oldest_ns == 0);
}

/* Waiting for another try is no part of a flush. */
static void a_flush_is_as_long_as_its_calls(void **state)
{
    struct plan_kit *k = *state;

    slow_retries(k, 400 * NS_PER_MS);
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    int64_t began_ns = clock_mono_ns(clock_system());
    assert_true(plan_kit_alerts(k, 0, 1));
    assert_true(destination_wait(&k->destinations[0], 1));
    assert_true(clock_mono_ns(clock_system()) - began_ns > 150 * NS_PER_MS);
    while (status_of(k).flushes == 0) {
        pause_ms(1);
    }
    assert_true(status_of(k).avg_flush_time_ms < 100);
}

static void a_paused_one_does_not_hold_up_a_stop(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    slow_retries(k, 3600 * NS_PER_S);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 1));
    assert_true(plan_pause(k->plan, STR("out"), &e));
    int64_t began_ns = clock_mono_ns(clock_system());
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 1);
    assert_true(clock_mono_ns(clock_system()) - began_ns < DESTINATION_PATIENCE_MS * NS_PER_MS / 2);
}

/* ---- quotas ---- */

static double dropped(struct plan_kit *k, const char *reason)
{
    static const struct metric_desc desc = {.name = "telex_exporter_dropped_total",
                                            .type = METRIC_COUNTER,
                                            .labels = {"exporter", "reason"}};
    struct metric *m = metrics_get2(k->metrics, &desc, STR("out"), str_of(reason));
    double value = metric_value(m);

    metric_drop(m);
    return value;
}

/* An output that is down, and owed as much as it may be by the first three frames. */
static void open_with_quota(struct plan_kit *k, int overflow)
{
    slow_retries(k, 3600 * NS_PER_S);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    buffer_of(k)->overflow = overflow;
    buffer_of(k)->max_disk_bytes = 300;
    buffer_of(k)->buffer_size = 1;
    plan_kit_open(k);
}

static bool give_one(struct plan_kit *k, double value, struct err *e)
{
    AUTO(batch_autounref) struct batch *b = sample_batch(value, 1);
    struct give how = {.durable = true, .wait = {DEADLINE_NEVER, NULL}};
    uint64_t seq = 0;

    return plan_give(k->plan, b, &how, &seq, e);
}

static void a_full_output_may_refuse(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;
    int given = 0;

    open_with_quota(k, OVERFLOW_BLOCK);
    while (given < 100 && give_one(k, given, &e)) {
        given++;
    }
    assert_in_range(given, 2, 20);
    assert_int_equal(e.code, ERR_FULL);
    assert_non_null(strstr(e.message, "exporter 'out' is owed"));
    assert_non_null(strstr(e.message, "max_disk_bytes"));
    assert_int_equal(status_of(k).usage_percent, 100);
    plan_kit_close(k);
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], (size_t)given));
    while (!give_one(k, given, &e)) {
        pause_ms(1);
    }
    assert_true(destination_wait(&k->destinations[0], (size_t)given + 1));
}

/* A destination whose health path hangs gets what comes at once, and is not unhealthy for it. */
static void a_health_check_delays_nothing(void **state)
{
    struct plan_kit *k = *state;
    struct destination *d = &k->destinations[0];
    struct err e = ERR_INIT;

    k->outputs[0].kind = &fake_kind_samples; /* one lane, which is never left alone for long */
    k->outputs[0].delivery.health =
        (struct exporter_health){.interval_ns = NS_PER_MS, .unhealthy_threshold = 1};
    destination_set_probed(d, PROBED_FAILED);
    destination_hang_probes(d);
    plan_kit_open(k);
    for (int i = 0; i < 5; i++) {
        assert_true(destination_wait_probes(d, 1));
        int64_t began_ns = clock_mono_ns(clock_system());
        assert_true(give_one(k, i, &e));
        assert_true(destination_wait(d, (size_t)i + 1));
        assert_true(clock_mono_ns(clock_system()) - began_ns < 2 * NS_PER_S);
    }
    assert_true(status_of(k).is_healthy);
}

/* A backoff that is longer than the drain brings nothing: the stop does not wait for it. */
static void a_long_backoff_does_not_hold_up_a_stop(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    open_with_quota(k, OVERFLOW_BLOCK);
    assert_true(give_one(k, 1, &e));
    assert_true(destination_wait_calls(&k->destinations[0], 1));
    int64_t began_ns = clock_mono_ns(clock_system());
    assert_int_equal(plan_kit_drain(k, 20000), 1);
    assert_true(clock_mono_ns(clock_system()) - began_ns < 10 * NS_PER_S);
}

/* What an earlier program left counts as what came since: a start gives no room. */
static void a_quota_holds_over_a_start(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;
    int given = 0;

    open_with_quota(k, OVERFLOW_BLOCK);
    while (given < 100 && give_one(k, given, &e)) {
        given++;
    }
    for (int i = 0; i < 2; i++) {
        plan_kit_close(k);
        plan_kit_open(k);
        e = ERR_INIT;
        assert_false(give_one(k, given, &e));
        assert_int_equal(e.code, ERR_FULL);
    }
}

/* What was not appended after all may still be delivered: it is not counted as dropped. */
static void only_what_was_given_is_dropped(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    plan_kit_output(k, "other", &fake_kind_samples, 1);
    open_with_quota(k, OVERFLOW_DROP_NEWEST);
    for (int i = 0; i < 100; i++) {
        assert_true(give_one(k, i, &e));
    }
    double before = dropped(k, "overflow_newest");
    unsigned taken = 0;
    for (int i = 0; i < 50; i++) {
        AUTO(batch_autounref) struct batch *b = sample_batch(i, 1);
        const struct give how = {.durable = true, .wait = {1, NULL}};
        taken += plan_give(k->plan, b, &how, &seq, &e); /* now and then the disk is that fast */
    }
    assert_true(dropped(k, "overflow_newest") == before + taken);
}

static void a_full_output_may_drop_the_newest(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    open_with_quota(k, OVERFLOW_DROP_NEWEST);
    for (int i = 0; i < 100; i++) {
        assert_true(give_one(k, i, &e));
    }
    double lost = dropped(k, "overflow_newest");
    assert_in_range((int)lost, 80, 98);
    plan_kit_close(k);
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 100 - (size_t)lost));
    assert_drained(k);
    assert_int_equal(k->destinations[0].got.items[0], 0);
    assert_int_equal(k->destinations[0].got.len, 100 - (size_t)lost);
}

/* In the middle of a backoff that would last an hour. */
static void a_full_output_may_drop_the_oldest(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    open_with_quota(k, OVERFLOW_DROP_OLDEST);
    for (int i = 0; i < 100; i++) {
        assert_true(give_one(k, i, &e));
    }
    while (status_of(k).pending_bytes > 300) {
        pause_ms(1);
    }
    double lost = dropped(k, "overflow_oldest");
    assert_in_range((int)lost, 80, 99);
    plan_kit_close(k);
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 100 - (size_t)lost));
    assert_drained(k);
    assert_int_equal(k->destinations[0].got.items[0], (int)lost);
    assert_int_equal(k->destinations[0].got.len, 100 - (size_t)lost);
}

/* The other one gets all, whatever becomes of this one. */
static void a_full_output_costs_others_nothing(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_output(k, "other", &fake_kind, 1);
    open_with_quota(k, OVERFLOW_DROP_OLDEST);
    for (int i = 0; i < 50; i++) {
        assert_true(give_one(k, i, &e));
    }
    assert_true(destination_wait(&k->destinations[1], 50));
}

/* ---- lanes ---- */

enum { SERIES = 20, ROUNDS = 30 };

/* Round <round> of all series: values series * 1000 + round, one row each. */
static struct batch *round_of(uint32_t round)
{
    struct batch *b = sample_batch(0, SERIES);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    for (uint32_t i = 0; i < SERIES; i++) {
        ((double *)(uintptr_t)s->value)[i] = (double)i * 1000 + round;
    }
    return b;
}

/* Each series came whole and in order. */
static void check_rounds(struct plan_kit *k)
{
    uint32_t next[SERIES] = {0};
    struct destination *d = &k->destinations[0];

    lock_take(&d->lock);
    assert_int_equal(d->got.len, SERIES * ROUNDS);
    for (size_t i = 0; i < d->got.len; i++) {
        uint32_t value = (uint32_t)d->got.items[i];
        assert_int_equal(value % 1000, next[value / 1000]++);
    }
    lock_give(&d->lock);
}

static void lanes_keep_the_order_of_each_series(void **state)
{
    struct plan_kit *k = *state;
    uint64_t seq = 0;

    buffer_of(k)->lanes = 4;
    buffer_of(k)->buffer_size = 3 * SERIES;
    for (int i = 0; i < 5; i++) {
        destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    }
    plan_kit_open(k);
    assert_int_equal(k->destinations[0].leaves, 8);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        assert_true(plan_kit_give(k, round_of(i), (struct give){0}, &seq));
    }
    assert_drained(k);
    check_rounds(k);
}

/* One lane hangs: the others go on, but the cursor stays, and another number of lanes goes on from it. */
static void a_slow_lane_holds_the_cursor(void **state)
{
    struct plan_kit *k = *state;
    struct destination *d = &k->destinations[0];
    uint64_t seq = 0;

    buffer_of(k)->lanes = 2;
    buffer_of(k)->buffer_size = SERIES;
    destination_plan(d, (struct destination_step){.rest = VERDICT_RETRY, .hangs = true});
    plan_kit_open(k);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(plan_kit_give(k, round_of(i), (struct give){0}, &seq));
    }
    assert_true(destination_wait(d, 3)); /* the other lane's */
    assert_true(status_of(k).pending_frames > 0);
    assert_true(plan_kit_drain(k, 0) > 0);
    plan_kit_close(k);
    destination_forget(d);
    buffer_of(k)->lanes = 3;
    plan_kit_open(k);
    assert_true(destination_wait(d, (size_t)3 * SERIES));
    assert_drained(k);
}

/* A reload in the middle: what one lane has done is not done again, and who is paused stays so. */
static void a_change_goes_on_where_each_lane_was(void **state)
{
    struct plan_kit *k = *state;
    struct destination *d = &k->destinations[0];
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    buffer_of(k)->lanes = 2;
    buffer_of(k)->buffer_size = SERIES;
    slow_retries(k, 3600 * NS_PER_S);
    destination_plan(d, (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_give(k, round_of(0), (struct give){0}, &seq));
    while (status_of(k).retries == 0 || status_of(k).flushes == 0) {
        pause_ms(1);
    }
    assert_true(plan_pause(k->plan, STR("out"), &e));
    assert_true(plan_change(k->plan, &k->config, &e));
    assert_string_equal(status_of(k).state, "paused");
    assert_true(plan_resume(k->plan, STR("out"), &e));
    assert_drained(k);
    lock_take(&d->lock);
    assert_int_equal(d->got.len, SERIES);
    lock_give(&d->lock);
}

/* ---- memory ---- */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { MEMORY_COUNTS = false }; /* freed memory stays, and memory has shadows */
#else
enum { MEMORY_COUNTS = true };
#endif

static int64_t resident_bytes(void)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    struct str first = STR("");
    int64_t pages = 0;

    assert_true(fs_read_file(fs_system(), STR("/proc/self/statm"), BUF_SMALL, &text, &e));
    struct str rest = buf_str(&text);
    assert_true(str_split(&rest, ' ', &first) && str_split(&rest, ' ', &first));
    assert_true(number_parse_i64(first, &pages));
    return pages * sysconf(_SC_PAGESIZE);
}

/* 200 MB are owed to an output that is down. */
static void a_backlog_is_on_disk_and_not_in_memory(void **state)
{
    enum { ROWS = 20000, OWED = 200 * 1000 * 1000, GROWTH = 80 * 1000 * 1000 };
    struct plan_kit *k = *state;
    AUTO(batch_autounref) struct batch *b = sample_batch(0, ROWS);
    struct give how = {.wait = {DEADLINE_NEVER, NULL}};
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    buffer_of(k)->buffer_size = 1000 * 1000;
    buffer_of(k)->max_memory_bytes = 8 * 1000 * 1000;
    buffer_of(k)->flush_interval_ns = 3600 * NS_PER_S;
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_give(k->plan, b, &how, &seq, &e));
    int64_t before = resident_bytes();
    while (status_of(k).pending_bytes < OWED) {
        assert_true(plan_give(k->plan, b, &how, &seq, &e));
    }
    assert_true(destination_wait_calls(&k->destinations[0], 1)); /* it holds what it may */
    int64_t growth = resident_bytes() - before;
    print_message("%lld bytes more for %d bytes owed\n", (long long)growth, OWED);
    assert_true(!MEMORY_COUNTS || growth < GROWTH);
    assert_true(status_of(k).gathered_bytes <= 8 * 1000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_waits_is_sent_together, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_buffer_is_sent_before_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_wait_for_the_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(alerts_do_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flush_sends_what_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flush_ends_a_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hurry_sends_what_waits_and_ends_no_backoff, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(left_for_the_next_start_when_told_so, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_one_delivers_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flush_is_as_long_as_its_calls, setup, teardown),
        cmocka_unit_test_setup_teardown(a_paused_one_does_not_hold_up_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_output_may_refuse, setup, teardown),
        cmocka_unit_test_setup_teardown(a_health_check_delays_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_backoff_does_not_hold_up_a_stop, setup, teardown),
        cmocka_unit_test_setup_teardown(a_quota_holds_over_a_start, setup, teardown),
        cmocka_unit_test_setup_teardown(only_what_was_given_is_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_output_may_drop_the_newest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_output_may_drop_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_output_costs_others_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(lanes_keep_the_order_of_each_series, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_lane_holds_the_cursor, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_goes_on_where_each_lane_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_backlog_is_on_disk_and_not_in_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
