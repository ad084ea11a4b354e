/* What the leaf said of rows becomes their end, or another try. */
#include "export/lane_int.h"

#include "base/mem.h"

#include <stdio.h>

enum { HALT_MS = 30 * 1000 };

/* ---- what a lane says about itself ---- */

void lane_note_state(struct lane *lane, const char *state, const struct err *e)
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
    lane_note_state(lane, out->rest == VERDICT_HALT ? "halted" : "retrying", &out->err);
    trace_warn(&lane->trace,
               out->rest == VERDICT_HALT ? "the destination refuses us; waiting for it to be mended"
                                         : "not delivered, trying again",
               T_STR("exporter", lane->config.place.name), T_I64("delay_ms", delay_ms),
               T_ERR(&out->err));
}

/* ---- one frame ---- */

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
        lane_note_state(lane, "retrying", &e);
        trace_error(&lane->trace, "dead letters cannot be written, trying again",
                    T_STR("exporter", lane->config.place.name), T_ERR(&e));
        if (!wait_sleep(wait_limit_ms(wait, lane->env->clock, LANE_READ_AGAIN_MS))) {
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
        drops_count(lane->config.drops, DROP_DESTINATION, out->dropped);
        trace_warn(&lane->trace, "the destination dropped records of a batch that it took",
                   T_STR("exporter", lane->config.place.name), T_U64("records", out->dropped),
                   T_ERR(&out->err));
    }
    if (taken > out->dropped) {
        note_delivered(lane, taken - out->dropped);
    }
}

/* Another try is due: waits; false when there is to be none now. */
static bool wait_for_retry(struct lane *lane, const struct outcome *out)
{
    int64_t delay_ms = out->rest == VERDICT_HALT
                           ? HALT_MS
                           : backoff_next_ms(&lane->backoff, lane->env->rng, out->retry_after_ms);

    note_retry(lane, out, delay_ms);
    return lane_sleep_until(lane, clock_deadline_ms(lane->env->clock, delay_ms));
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
bool lane_try_once(struct lane *lane, struct owed *owed)
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

bool lane_bury_raw(struct lane *lane, const struct log_frame *frame, const struct err *why)
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
        lane_note_state(lane, "retrying", &e);
        if (!wait_sleep(wait_limit_ms(wait, lane->env->clock, LANE_READ_AGAIN_MS))) {
            return false;
        }
    }
    return true;
}
