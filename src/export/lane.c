/*
 * Invariants
 *   1. The cursor is set to a frame only when each of its rows is delivered, or durable among the
 * dead letters.
 *   2. Rows of a frame are delivered in order; a row is not tried again once it is settled.
 *   3. HALT spends neither tries nor age: the lane stays with the frame and asks again every
 * HALT_MS.
 *   4. The thread runs from open to stop and touches log and leaf only after the start; of what the
 * log holds it takes frames up to last_seq.
 */
#include "export/lane.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "export/backoff.h"
#include "log/log.h"
#include "wire/frame.h"

#include <stdatomic.h>
#include <stdio.h>

enum { HALT_MS = 30 * 1000, READ_AGAIN_MS = 1000 };

struct lane {
    struct lane_config config;
    const struct env *env;
    struct sink *sink;
    struct log_reader *reader;
    struct trace trace;
    struct thread thread;
    struct cancel *cancel;     /* stop now */
    struct cancel *rest;       /* stop between two calls to the leaf; the one above implies it */
    struct cancel *idle;       /* stop when there is nothing to do; the two above imply it */
    _Atomic uint64_t last_seq; /* frames beyond it are left, once idle is set */
    struct backoff backoff;
    struct metric *delivered;
    struct metric *rejected;
    struct metric *retried;
    struct metric *duplicates;
    struct metric *dropped;
    struct metric *sent_bytes;

    struct lock lock;
    struct cond changed;
    bool started GUARDED_BY(lock);
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

static bool is_owed(enum verdict verdict)
{
    return verdict == VERDICT_RETRY || verdict == VERDICT_UNKNOWN || verdict == VERDICT_HALT;
}

/* A verdict and its reason for each row of a view, read from an outcome. */
struct fate {
    enum verdict verdict;
    const char *reason; /* lives as long as the outcome */
};

/* The rows behind <settled> share the rest; those that are tried again anyway may be excepted
 * then. */
static struct fate *read_fates(const struct outcome *out, uint32_t n)
{
    struct fate *fates = mem_alloc0((size_t)n + 1, sizeof(*fates));
    const char *reason = out->err.message[0] != '\0' ? out->err.message : "not delivered";

    for (uint32_t i = 0; i < n; i++) {
        fates[i].verdict = i < out->settled ? VERDICT_DELIVERED : out->rest;
        fates[i].reason = reason;
    }
    for (size_t i = 0; i < out->except.list.len; i++) {
        const struct exception *x = &out->except.list.items[i];
        if (x->index < n && (x->index < out->settled || !is_owed(out->rest))) {
            fates[x->index] = (struct fate){x->verdict, x->reason};
        }
    }
    return fates;
}

/* Buries the rows that were rejected, one letter for neighbours that share a reason. */
static bool bury_rejected(struct lane *lane, struct view view, const struct fate *fates)
{
    uint32_t *rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    const char *reason = "";
    uint32_t n = 0;
    bool ok = true;

    for (uint32_t i = 0; ok && i <= view.n; i++) {
        bool is_rejected = i < view.n && fates[i].verdict == VERDICT_REJECTED;
        if (n > 0 && (i == view.n || (is_rejected && strcmp(fates[i].reason, reason) != 0))) {
            ok = bury(lane, (struct view){.batch = view.batch, .rows = rows, .n = n},
                      str_of(reason));
            n = 0;
        }
        if (is_rejected) {
            reason = fates[i].reason;
            rows[n++] = view_row(view, i);
        }
    }
    mem_free(rows);
    return ok;
}

/* The rows of the view that want another try, in order. */
static void keep_owed(struct owed *owed, const struct fate *fates)
{
    struct view view = owed_view(owed);
    uint32_t *rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t));
    uint32_t n = 0;

    for (uint32_t i = 0; i < view.n; i++) {
        if (is_owed(fates[i].verdict)) {
            rows[n++] = view_row(view, i);
        }
    }
    mem_free(owed->rows);
    owed->rows = rows;
    owed->count = n;
}

/* Has the frame been tried often or long enough? */
static bool is_given_up(const struct lane *lane, const struct owed *owed, const struct outcome *out)
{
    const struct exporter_retry *retry = &lane->config.delivery->retry;
    int64_t age_ns = clock_wall_ns(lane->env->clock) - owed->since_ns;

    if (out->rest == VERDICT_HALT) {
        return false;
    }
    return (retry->max_retries > 0 && owed->tries > (uint64_t)retry->max_retries) ||
           age_ns > retry->max_age_ns;
}

static void count_outcome(struct lane *lane, uint32_t n, const struct fate *fates,
                          const struct outcome *out)
{
    uint32_t taken = 0;

    for (uint32_t i = 0; i < n; i++) {
        taken += fates[i].verdict == VERDICT_DELIVERED || fates[i].verdict == VERDICT_HELD;
    }
    metric_add(lane->sent_bytes, out->bytes);
    if (out->dropped > 0) {
        metric_add(lane->dropped, out->dropped);
        trace_warn(&lane->trace, "the destination dropped records of a batch that it took",
                   T_STR("exporter", lane->config.place.name), T_U64("records", out->dropped),
                   T_ERR(&out->err));
    }
    if (taken > out->dropped) {
        note_delivered(lane, taken - out->dropped);
    }
}

/* Another try is due: waits; false when the lane must stop. */
static bool wait_for_retry(struct lane *lane, const struct outcome *out)
{
    int64_t delay_ms = out->rest == VERDICT_HALT
                           ? HALT_MS
                           : backoff_next_ms(&lane->backoff, lane->env->rng, out->retry_after_ms);
    struct wait wait = {clock_deadline_ms(lane->env->clock, delay_ms), lane->rest};

    note_retry(lane, out, delay_ms);
    return wait_sleep(wait);
}

/* Ends what the outcome ended; false when the lane must stop. */
static bool settle(struct lane *lane, struct owed *owed, const struct outcome *out)
{
    struct view view = owed_view(owed);

    if (out->except.list.len == 0 && out->dropped == 0 && out->settled >= view.n) {
        metric_add(lane->sent_bytes, out->bytes);
        note_delivered(lane, view.n);
        owed->count = 0;
        return true;
    }
    struct fate *fates = read_fates(out, view.n);
    count_outcome(lane, view.n, fates, out);
    bool goes_on = bury_rejected(lane, view, fates);
    keep_owed(owed, fates);
    mem_free(fates);
    return goes_on;
}

/* What the rows are buried with that were tried too often: the last reason known. */
static struct str last_reason(const struct outcome *out)
{
    for (size_t i = 0; out->err.message[0] == '\0' && i < out->except.list.len; i++) {
        if (is_owed(out->except.list.items[i].verdict)) {
            return str_of(out->except.list.items[i].reason);
        }
    }
    return out->err.message[0] != '\0' ? str_of(out->err.message) : STR("not delivered");
}

/* Hands over what is owed once; false when the lane must stop. */
static bool try_once(struct lane *lane, struct owed *owed)
{
    uint32_t before = owed->count;
    struct outcome out;

    outcome_init(&out);
    lane->sink->ops->deliver(lane->sink, owed_view(owed),
                             (struct wait){DEADLINE_NEVER, lane->cancel}, &out);
    bool goes_on = settle(lane, owed, &out);
    if (owed->count < before) {
        backoff_reset(&lane->backoff);
        owed->tries = 0;
    }
    owed->tries += out.rest != VERDICT_HALT;
    if (goes_on && owed->count > 0) {
        if (is_given_up(lane, owed, &out)) {
            goes_on = bury(lane, owed_view(owed), last_reason(&out));
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
    lock_take(&lane->lock);
    lane->status.rejected_rows++;
    lock_give(&lane->lock);
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

/* One look at the log, waiting unless the lane is to end; false when it could not be read. */
static bool read_frame(struct lane *lane, bool ending, const struct log_frame **ret_frame)
{
    struct wait wait = {ending ? 0 : DEADLINE_NEVER, ending ? NULL : lane->idle};
    struct err e = ERR_INIT;

    if (log_reader_next(lane->reader, wait, ret_frame, &e)) {
        return true;
    }
    note_state(lane, "retrying", &e);
    trace_error(&lane->trace, "the log cannot be read, trying again",
                T_STR("exporter", lane->config.place.name), T_ERR(&e));
    (void)wait_sleep((struct wait){clock_deadline_ms(lane->env->clock, READ_AGAIN_MS), lane->rest});
    return false;
}

/* The next frame; NULL when the lane is to end and has done what it was asked to do. */
static const struct log_frame *next_frame(struct lane *lane)
{
    while (!cancel_is_set(lane->rest)) {
        const struct log_frame *frame = NULL;
        bool ending = cancel_is_set(lane->idle);
        if (!read_frame(lane, ending, &frame)) {
            continue;
        }
        if (frame != NULL && ending && frame->seq > atomic_load(&lane->last_seq)) {
            log_frame_drop(frame);
            return NULL;
        }
        if (frame != NULL || ending) {
            return frame;
        }
    }
    return NULL;
}

static void deliver_all(struct lane *lane)
{
    const struct log_frame *frame = NULL;
    bool goes_on = true;

    while (goes_on && (frame = next_frame(lane)) != NULL) {
        goes_on = deliver_frame(lane, frame);
        if (goes_on) {
            log_cursor_set(lane->config.log, lane->config.bit, frame->seq);
        }
        log_frame_drop(frame);
    }
}

/* A leaf may hold what it took in a form that is not complete yet, such as a file without its
 * end. */
static void flush(struct lane *lane)
{
    struct err e = ERR_INIT;

    if (lane->sink->ops->flush != NULL && !lane->sink->ops->flush(lane->sink, &e)) {
        trace_error(&lane->trace, "what was delivered could not be completed",
                    T_STR("exporter", lane->config.place.name), T_ERR(&e));
    }
}

/* Waits for the start; false when the lane is closed without one. */
static bool wait_for_start(struct lane *lane)
{
    struct waiter waiter;

    waiter_begin(&waiter, (struct wait){DEADLINE_NEVER, lane->cancel}, &lane->lock, &lane->changed);
    lock_take(&lane->lock);
    while (!lane->started && waiter_pause(&waiter)) {
    }
    bool started = lane->started;
    lock_give(&lane->lock);
    waiter_end(&waiter);
    return started;
}

static void run(void *arg)
{
    struct lane *lane = arg;

    if (wait_for_start(lane)) {
        uint64_t done = log_cursor_get(lane->config.log, lane->config.bit);
        lane->reader = log_reader_new(lane->config.log, done + 1, UINT64_C(1) << lane->config.bit);
        deliver_all(lane);
        flush(lane);
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

    if (!stage_open(&config->place, config->delivery->stage, &sink, e)) {
        return false;
    }
    struct lane *lane = mem_new(struct lane);
    lane->config = *config;
    lane->env = config->place.env;
    lane->sink = sink;
    lane->cancel = cancel_new(NULL);
    lane->rest = cancel_new(lane->cancel);
    lane->idle = cancel_new(lane->rest);
    lane->config.place.data_folder = STR(""); /* was the leaf's to look at while it was opened */
    lane->status.state = "idle";
    trace_init(&lane->trace, lane->env->trace, "export", TRACE_INFO);
    backoff_init(&lane->backoff, &lane->config.delivery->retry.backoff);
    lock_init(&lane->lock);
    cond_init(&lane->changed);
    open_metrics(lane);
    if (!thread_start(&lane->thread, "lane", run, lane, e)) {
        lane_close(lane);
        return false;
    }
    *ret_lane = lane;
    return true;
}

void lane_start(struct lane *lane)
{
    lock_take(&lane->lock);
    lane->started = true;
    cond_broadcast(&lane->changed);
    lock_give(&lane->lock);
}

void lane_drain(struct lane *lane)
{
    struct log_status log;

    log_status(lane->config.log, &log);
    atomic_store(&lane->last_seq, log.next_seq - 1);
    cancel_fire(lane->idle);
}

void lane_rest(struct lane *lane)
{
    cancel_fire(lane->rest);
}

void lane_stop(struct lane *lane, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &lane->lock, &lane->changed);
    lock_take(&lane->lock);
    while (lane->started && !lane->ended && waiter_pause(&waiter)) {
    }
    lock_give(&lane->lock);
    waiter_end(&waiter);
    cancel_fire(lane->cancel);
    thread_join(&lane->thread);
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
    status->pending_frames += log_pending(lane->config.log, lane->config.bit);
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
    cancel_free(lane->rest);
    cancel_free(lane->cancel);
    cond_release(&lane->changed);
    lock_release(&lane->lock);
    mem_free(lane);
}
