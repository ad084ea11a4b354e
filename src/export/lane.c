/*
 * Invariants
 *   1. The cursor is set to a frame only when each of its rows is delivered, or durable among the
 * dead letters.
 *   2. Rows of a frame are delivered in order; a row is not tried again once it is settled.
 *   3. HALT spends neither tries nor age: the lane stays with the frame and asks again every
 * HALT_MS.
 */
#include "export/lane.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "export/backoff.h"
#include "log/log.h"
#include "wire/frame.h"

#include <stdio.h>

enum { HALT_MS = 30 * 1000, READ_AGAIN_MS = 1000 };

struct lane {
    struct lane_config config;
    const struct exporter_common *common;
    const struct env *env;
    struct sink *sink;
    struct log_reader *reader;
    struct trace trace;
    struct thread thread;
    struct cancel *cancel; /* stop now */
    struct cancel *idle;   /* stop when there is nothing to do */
    struct backoff backoff;
    struct metric *delivered;
    struct metric *rejected;
    struct metric *retried;
    struct metric *duplicates;
    struct metric *dropped;
    struct metric *sent_bytes;

    struct lock lock;
    struct cond changed;
    bool ended GUARDED_BY(lock);
    struct output_status status GUARDED_BY(lock);
};

/* ---- what a lane says about itself ---- */

static void note_state(struct lane *lane, const char *state, const struct err *e)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);

    if (e != NULL) {
        err_print_line(e, &line);
    }
    lock_take(&lane->lock);
    lane->status.state = state;
    if (e != NULL) {
        (void)snprintf(lane->status.last_error, sizeof(lane->status.last_error), "%s",
                       buf_text(&line));
    }
    lock_give(&lane->lock);
}

static void note_delivered(struct lane *lane, uint32_t rows)
{
    metric_add(lane->delivered, rows);
    lock_take(&lane->lock);
    lane->status.delivered_rows += rows;
    lane->status.last_success_ns = clock_wall_ns(lane->env->clock);
    lane->status.state = "ok";
    lock_give(&lane->lock);
}

static void note_retry(struct lane *lane, const struct outcome *out, int64_t delay_ms)
{
    metric_add(lane->retried, 1);
    metric_add(lane->duplicates, out->rest == VERDICT_UNKNOWN);
    lock_take(&lane->lock);
    lane->status.retries++;
    lock_give(&lane->lock);
    note_state(lane, out->rest == VERDICT_HALT ? "halted" : "retrying", &out->err);
    trace_warn(&lane->trace,
               out->rest == VERDICT_HALT ? "the destination refuses us; waiting for it to be mended"
                                         : "not delivered, trying again",
               T_STR("exporter", lane->config.place.name), T_I64("delay_ms", delay_ms),
               T_ERR(&out->err));
}

/* ---- one frame ---- */

/* Rows of the frame that are not settled yet. */
struct owed {
    struct batch *batch;
    uint32_t *rows; /* NULL: all from 0 */
    uint32_t count;
    uint32_t tries;
    int64_t since_ns; /* wall clock of the frame */
};

static struct view owed_view(const struct owed *owed)
{
    return (struct view){.batch = owed->batch, .rows = owed->rows, .n = owed->count};
}

/* Keeps rows as dead letters; tries until it can, false only when cancelled. */
static bool bury(struct lane *lane, struct view view, struct str reason)
{
    struct wait wait = {DEADLINE_NEVER, lane->cancel};

    metric_add(lane->rejected, view.n);
    lock_take(&lane->lock);
    lane->status.rejected_rows += view.n;
    lock_give(&lane->lock);
    trace_warn(&lane->trace, "records became dead letters",
               T_STR("exporter", lane->config.place.name), T_U64("records", view.n),
               T_STR("reason", reason));
    for (;;) {
        struct err e = ERR_INIT;
        if (dead_letters_add(lane->config.dead, view, reason, wait, &e)) {
            return true;
        }
        note_state(lane, "retrying", &e);
        trace_error(&lane->trace, "dead letters cannot be written, trying again",
                    T_STR("exporter", lane->config.place.name), T_ERR(&e));
        if (!wait_sleep(wait_limit_ms(wait, lane->env->clock, READ_AGAIN_MS))) {
            return false;
        }
    }
}

/* Rows that are not settled are tried again, and then rejected again. */
static bool is_rejected(const struct outcome *out, const struct exception *x)
{
    return x->verdict == VERDICT_REJECTED && x->index < out->settled;
}

/* Buries the rows that were rejected, one reason after the other. */
static bool bury_rejected(struct lane *lane, struct view view, const struct outcome *out)
{
    uint32_t *rows = mem_alloc((out->except.list.len + 1) * sizeof(uint32_t));
    bool ok = true;

    for (size_t i = 0; ok && i < out->except.list.len;) {
        const struct exception *first = &out->except.list.items[i];
        uint32_t n = 0;
        for (; i < out->except.list.len &&
               strcmp(out->except.list.items[i].reason, first->reason) == 0;
             i++) {
            if (is_rejected(out, &out->except.list.items[i])) {
                rows[n++] = view_row(view, out->except.list.items[i].index);
            }
        }
        ok = n == 0 || bury(lane, (struct view){.batch = view.batch, .rows = rows, .n = n},
                            str_of(first->reason));
    }
    mem_free(rows);
    return ok;
}

static bool is_owed(enum verdict verdict)
{
    return verdict == VERDICT_RETRY || verdict == VERDICT_UNKNOWN || verdict == VERDICT_HALT;
}

/* What remains: excepted rows that want another try, then everything behind <settled>. */
static void keep_owed(struct owed *owed, const struct outcome *out)
{
    struct view view = owed_view(owed);
    uint32_t *rows = mem_alloc((out->except.list.len + view.n + 1) * sizeof(uint32_t));
    uint32_t n = 0;

    for (size_t i = 0; i < out->except.list.len; i++) {
        const struct exception *x = &out->except.list.items[i];
        if (x->index < out->settled && is_owed(x->verdict)) {
            rows[n++] = view_row(view, x->index);
        }
    }
    for (uint32_t i = out->settled; is_owed(out->rest) && i < view.n; i++) {
        rows[n++] = view_row(view, i);
    }
    mem_free(owed->rows);
    owed->rows = rows;
    owed->count = n;
}

/* Has the frame been tried often or long enough? */
static bool is_given_up(const struct lane *lane, const struct owed *owed, const struct outcome *out)
{
    const struct exporter_retry *retry = &lane->common->retry;
    int64_t age_ns = clock_wall_ns(lane->env->clock) - owed->since_ns;

    if (out->rest == VERDICT_HALT) {
        return false;
    }
    return (retry->max_retries > 0 && owed->tries > (uint64_t)retry->max_retries) ||
           age_ns > retry->max_age_ns;
}

static void count_outcome(struct lane *lane, struct view view, const struct outcome *out)
{
    uint32_t settled = out->settled < view.n ? out->settled : view.n;
    uint32_t excepted = 0;

    for (size_t i = 0; i < out->except.list.len; i++) {
        excepted += out->except.list.items[i].index < settled;
    }
    metric_add(lane->sent_bytes, out->bytes);
    if (out->dropped > 0) {
        metric_add(lane->dropped, out->dropped);
        trace_warn(&lane->trace, "the destination dropped records of a batch that it took",
                   T_STR("exporter", lane->config.place.name), T_U64("records", out->dropped),
                   T_ERR(&out->err));
    }
    if (settled > excepted + out->dropped) {
        note_delivered(lane, settled - excepted - out->dropped);
    }
}

/* Another try is due: waits; false when cancelled. */
static bool wait_for_retry(struct lane *lane, const struct outcome *out)
{
    int64_t delay_ms = out->rest == VERDICT_HALT
                           ? HALT_MS
                           : backoff_next_ms(&lane->backoff, lane->env->rng, out->retry_after_ms);
    struct wait wait = {clock_deadline_ms(lane->env->clock, delay_ms), lane->cancel};

    note_retry(lane, out, delay_ms);
    return wait_sleep(wait);
}

/* Hands over what is owed once; false when the lane must stop. */
static bool try_once(struct lane *lane, struct owed *owed)
{
    struct view view = owed_view(owed);
    struct outcome out;

    outcome_init(&out);
    lane->sink->ops->deliver(lane->sink, view, (struct wait){DEADLINE_NEVER, lane->cancel}, &out);
    count_outcome(lane, view, &out);
    bool goes_on = bury_rejected(lane, view, &out);
    keep_owed(owed, &out);
    if (out.settled > 0) {
        backoff_reset(&lane->backoff);
        owed->tries = 0;
    }
    owed->tries += out.rest != VERDICT_HALT;
    if (goes_on && owed->count > 0) {
        if (is_given_up(lane, owed, &out)) {
            goes_on = bury(lane, owed_view(owed), str_of(out.err.message));
            owed->count = 0;
        } else {
            goes_on = wait_for_retry(lane, &out);
        }
    }
    outcome_release(&out);
    return goes_on;
}

static bool bury_raw(struct lane *lane, const struct log_frame *frame, const struct err *why)
{
    struct wait wait = {DEADLINE_NEVER, lane->cancel};
    struct err e = ERR_INIT;

    metric_add(lane->rejected, 1);
    trace_error(&lane->trace, "a frame of the log does not decode; kept among the dead letters",
                T_STR("exporter", lane->config.place.name), T_U64("seq", frame->seq), T_ERR(why));
    while (
        !dead_letters_add_raw(lane->config.dead, frame->payload, str_of(why->message), wait, &e)) {
        note_state(lane, "retrying", &e);
        if (!wait_sleep(wait_limit_ms(wait, lane->env->clock, READ_AGAIN_MS))) {
            return false;
        }
    }
    return true;
}

/* Every row of the frame delivered or buried; false when the lane must stop before. */
static bool deliver_frame(struct lane *lane, const struct log_frame *frame)
{
    struct owed owed = {.since_ns = frame->time_ns};
    struct err e = ERR_INIT;
    bool goes_on = true;

    if (!batch_from_frame(frame->payload, &owed.batch, &e)) {
        return bury_raw(lane, frame, &e);
    }
    owed.count = batch_rows(owed.batch);
    while (goes_on && owed.count > 0) {
        goes_on = try_once(lane, &owed);
    }
    batch_unref(owed.batch);
    mem_free(owed.rows);
    return goes_on;
}

/* ---- the thread ---- */

/* The next frame; NULL when there is none and the lane is asked to end. */
static const struct log_frame *next_frame(struct lane *lane)
{
    const struct log_frame *frame = NULL;
    struct err e = ERR_INIT;

    while (!cancel_is_set(lane->cancel)) {
        bool draining = cancel_is_set(lane->idle);
        struct wait wait = {draining ? 0 : DEADLINE_NEVER, draining ? NULL : lane->idle};
        if (!log_reader_next(lane->reader, wait, &frame, &e)) {
            note_state(lane, "retrying", &e);
            trace_error(&lane->trace, "the log cannot be read, trying again",
                        T_STR("exporter", lane->config.place.name), T_ERR(&e));
            (void)wait_sleep(
                (struct wait){clock_deadline_ms(lane->env->clock, READ_AGAIN_MS), lane->cancel});
        } else if (frame != NULL || draining) {
            return frame;
        }
    }
    return NULL;
}

static void run(void *arg)
{
    struct lane *lane = arg;
    const struct log_frame *frame = NULL;
    bool goes_on = true;

    while (goes_on && (frame = next_frame(lane)) != NULL) {
        goes_on = deliver_frame(lane, frame);
        if (goes_on) {
            log_cursor_set(lane->config.log, lane->config.bit, frame->seq);
        }
        log_frame_drop(frame);
    }
    lock_take(&lane->lock);
    lane->ended = true;
    cond_broadcast(&lane->changed);
    lock_give(&lane->lock);
}

/* ---- life ---- */

static const struct metric_desc delivered_desc = {.name = "telex_exporter_delivered_total",
                                                  .help = "Records that the destination has.",
                                                  .type = METRIC_COUNTER,
                                                  .labels = {"exporter"}};
static const struct metric_desc rejected_desc = {
    .name = "telex_exporter_dead_letters_total",
    .help = "Records kept as dead letters, never to be delivered.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};
static const struct metric_desc retried_desc = {
    .name = "telex_exporter_retries_total",
    .help = "Tries after which some records were still owed.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};
static const struct metric_desc duplicates_desc = {
    .name = "telex_exporter_unknown_total",
    .help = "Requests sent without an answer: possible duplicates.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};
static const struct metric_desc dropped_desc = {
    .name = "telex_exporter_dropped_total",
    .help = "Records that the destination took and threw away.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};
static const struct metric_desc bytes_desc = {.name = "telex_exporter_sent_bytes_total",
                                              .help = "Bytes of requests sent, after compression.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"exporter"}};

static void open_metrics(struct lane *lane)
{
    struct str name = lane->config.place.name;
    struct metrics *m = lane->env->metrics;

    lane->delivered = metrics_get1(m, &delivered_desc, name);
    lane->rejected = metrics_get1(m, &rejected_desc, name);
    lane->retried = metrics_get1(m, &retried_desc, name);
    lane->duplicates = metrics_get1(m, &duplicates_desc, name);
    lane->dropped = metrics_get1(m, &dropped_desc, name);
    lane->sent_bytes = metrics_get1(m, &bytes_desc, name);
}

bool lane_open(const struct lane_config *config, struct lane **ret_lane, struct err *e)
{
    struct sink *sink = NULL;

    if (!config->kind->open(&config->place, config->config, &sink, e)) {
        return err_wrap(e, "exporter '%.*s'", STR_FMT(config->place.name));
    }
    struct lane *lane = mem_new(struct lane);
    lane->config = *config;
    lane->common = config->config;
    lane->env = config->place.env;
    lane->sink = sink;
    lane->cancel = cancel_new(NULL);
    lane->idle = cancel_new(lane->cancel);
    lane->config.place.data_folder = STR(""); /* was the leaf's to look at while it was opened */
    lane->status.state = "idle";
    trace_init(&lane->trace, lane->env->trace, "export", TRACE_INFO);
    backoff_init(&lane->backoff, &lane->common->retry.backoff);
    lock_init(&lane->lock);
    cond_init(&lane->changed);
    open_metrics(lane);
    *ret_lane = lane;
    return true;
}

bool lane_start(struct lane *lane, struct err *e)
{
    uint64_t done = log_cursor_get(lane->config.log, lane->config.bit);

    lane->reader = log_reader_new(lane->config.log, done + 1, UINT64_C(1) << lane->config.bit);
    return thread_start(&lane->thread, "lane", run, lane, e);
}

void lane_drain(struct lane *lane)
{
    cancel_fire(lane->idle);
}

bool lane_wait(struct lane *lane, struct wait wait)
{
    lock_take(&lane->lock);
    while (lane->thread.started && !lane->ended && !wait_is_over(wait, lane->env->clock)) {
        (void)cond_wait_until(&lane->changed, &lane->lock, wait.deadline_mono_ns);
    }
    bool ended = lane->ended || !lane->thread.started;
    lock_give(&lane->lock);
    return ended;
}

/* The worse of two states: a lane in trouble speaks for the output. */
static const char *worse_state(const char *a, const char *b)
{
    static const char *const order[] = {"idle", "ok", "retrying", "halted"};
    size_t rank_a = 0;
    size_t rank_b = 0;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        rank_a = a != NULL && strcmp(a, order[i]) == 0 ? i : rank_a;
        rank_b = strcmp(b, order[i]) == 0 ? i : rank_b;
    }
    return order[rank_a > rank_b ? rank_a : rank_b];
}

void lane_status(struct lane *lane, struct output_status *status)
{
    struct log_status log;
    uint64_t cursor = log_cursor_get(lane->config.log, lane->config.bit);

    log_status(lane->config.log, &log);
    uint64_t first = cursor + 1 > log.first_seq ? cursor + 1 : log.first_seq;
    status->pending_frames += log.next_seq > first ? log.next_seq - first : 0;
    lock_take(&lane->lock);
    status->state = worse_state(status->state, lane->status.state);
    status->delivered_rows += lane->status.delivered_rows;
    status->rejected_rows += lane->status.rejected_rows;
    status->retries += lane->status.retries;
    if (lane->status.last_success_ns > status->last_success_ns) {
        status->last_success_ns = lane->status.last_success_ns;
    }
    if (lane->status.last_error[0] != '\0') {
        memcpy(status->last_error, lane->status.last_error, sizeof(status->last_error));
    }
    lock_give(&lane->lock);
}

void lane_close(struct lane *lane)
{
    if (lane == NULL) {
        return;
    }
    cancel_fire(lane->cancel);
    thread_join(&lane->thread);
    log_reader_free(lane->reader);
    sink_close(lane->sink);
    struct metric *const metrics[] = {lane->delivered,  lane->rejected, lane->retried,
                                      lane->duplicates, lane->dropped,  lane->sent_bytes};
    for (size_t i = 0; i < ARRAY_LEN(metrics); i++) {
        metric_drop(metrics[i]);
    }
    cancel_free(lane->idle);
    cancel_free(lane->cancel);
    cond_release(&lane->changed);
    lock_release(&lane->lock);
    mem_free(lane);
}
