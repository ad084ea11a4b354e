/*
 * Frames come in, and their appenders wait for the writing thread: group commit.
 *
 * Invariants, all under the log's lock
 *   1. kept_seq <= durable_seq or the policy acknowledges before the sync; durable_seq <= taken_seq < next_seq.
 *   2. A frame beyond kept_seq is in memory and stays there: should the sync fail it is written again.
 *   3. A frame beyond taken_seq can be withdrawn; up to taken_seq it is in the writer's hands.
 *   4. waiting_bytes counts the frames beyond kept_seq, withdrawn ones too.
 */
#include "base/crc32c.h"
#include "log/log_int.h"

#include <inttypes.h>

/* The payload copied behind a header to be; NULL with an error. */
static struct held *frame_of(const struct log *l, const struct log_record *record, struct err *e)
{
    size_t length = 0;

    INVARIANT(record->type < LOG_TYPE_RESERVED);
    for (int i = 0; i < record->part_count && length <= LOG_PAYLOAD_MAX; i++) {
        length += record->parts[i].iov_len;
    }
    struct held *h = length <= LOG_PAYLOAD_MAX ? held_new(length) : NULL;
    if (h == NULL) {
        (void)err_set(e, ERR_LIMIT,
                      "a record of %zu bytes does not fit into the %s log, which takes up to %d",
                      length, l->name, LOG_PAYLOAD_MAX);
        return NULL;
    }
    size_t at = 0;
    for (int i = 0; i < record->part_count; i++) {
        if (record->parts[i].iov_len > 0) {
            memcpy(h->payload + at, record->parts[i].iov_base, record->parts[i].iov_len);
        }
        at += record->parts[i].iov_len;
    }
    h->payload_crc = crc32c(0, h->payload, length);
    h->frame.type = record->type;
    h->frame.flags = record->flags;
    h->frame.mask = record->mask;
    h->frame.time_ns = clock_wall_ns(l->env->clock);
    return h;
}

/* Why there is no room for <bytes> more now; NULL when there is. */
static const char *no_room(const struct log *l, int64_t bytes)
{
    if (l->closing) {
        return "is being closed";
    }
    if (l->failing) {
        return l->reason;
    }
    if (l->low) {
        return l->low_reason;
    }
    if (l->waiting_bytes > 0 && bytes > l->memory_bytes_max - l->waiting_bytes) {
        return "has as much waiting to be written as it may hold in memory";
    }
    if (l->disk_bytes_max > 0 && l->disk_bytes + l->waiting_bytes + bytes > l->disk_bytes_max) {
        return l->full_reason;
    }
    return NULL;
}

/* Sets the error of a wait that was over before the log had done its part. Always false. */
static bool late(const struct log *l, struct wait w, const char *why, struct err *e)
{
    if (w.cancel != NULL && cancel_is_set(w.cancel)) {
        return err_set(e, ERR_CANCELED, "stopped while waiting for the %s log", l->name);
    }
    if (why == NULL) {
        return err_set(e, ERR_TIMEOUT, "the %s log did not get it onto the disk in time", l->name);
    }
    return err_set(e, l->failing ? ERR_IO : ERR_LIMIT, "the %s log %s", l->name, why);
}

static bool wait_for_room(struct log *l, struct waiter *waiter, int64_t bytes, struct err *e)
    REQUIRES(&l->lock)
{
    const char *why;

    for (bool waiting = true; (why = no_room(l, bytes)) != NULL;) {
        if (!waiting || l->closing) {
            return late(l, waiter->wait, why, e);
        }
        waiting = waiter_pause(waiter);
    }
    return true;
}

/* Takes <h> in. */
static uint64_t enqueue(struct log *l, struct held *h) REQUIRES(&l->lock)
{
    h->frame.seq = l->next_seq++;
    recent_push(&l->recent, h);
    l->waiting_bytes += held_bytes(h->length);
    owed_add(l, h);
    cond_signal(&l->work);
    return h->frame.seq;
}

bool log_append_async(struct log *l, const struct log_record *record, struct wait w,
                      uint64_t *ret_seq, struct err *e)
{
    struct waiter waiter;
    struct held *h = frame_of(l, record, e);

    if (h == NULL) {
        return false;
    }
    waiter_begin(&waiter, w, &l->lock, &l->done);
    lock_take(&l->lock);
    bool ok =
        (record->mask & ~named_mask(l)) == 0 ||
        err_set(e, ERR_INTERNAL, "a record for a consumer that the %s log does not know", l->name);
    ok = ok && wait_for_room(l, &waiter, held_bytes(h->length), e);
    if (ok) {
        *ret_seq = enqueue(l, h);
    }
    lock_give(&l->lock);
    waiter_end(&waiter);
    if (!ok) {
        held_drop(h);
    }
    return ok;
}

static bool wait_durable(struct log *l, struct waiter *waiter, uint64_t seq, struct err *e)
    REQUIRES(&l->lock)
{
    for (bool waiting = true; l->durable_seq < seq;) {
        if (!waiting) {
            return late(l, waiter->wait, l->failing ? l->reason : NULL, e);
        }
        waiting = waiter_pause(waiter);
    }
    return true;
}

bool log_wait_durable(struct log *l, uint64_t seq, struct wait w, struct err *e)
{
    struct waiter waiter;

    waiter_begin(&waiter, w, &l->lock, &l->done);
    lock_take(&l->lock);
    bool ok = wait_durable(l, &waiter, seq, e);
    lock_give(&l->lock);
    waiter_end(&waiter);
    return ok;
}

/* Takes frame <seq> back if the writer does not have it yet. */
static void withdraw(struct log *l, uint64_t seq) REQUIRES(&l->lock)
{
    if (seq > l->taken_seq) {
        struct held *h = recent_at(&l->recent, recent_find(&l->recent, seq));
        h->withdrawn = true;
        owed_withdraw(l, h);
    }
}

bool log_append(struct log *l, const struct log_record *record, struct wait w, uint64_t *ret_seq,
                struct err *e)
{
    struct waiter waiter;
    uint64_t seq = 0;

    if (!log_append_async(l, record, w, &seq, e)) {
        return false;
    }
    waiter_begin(&waiter, w, &l->lock, &l->done);
    lock_take(&l->lock);
    bool ok = wait_durable(l, &waiter, seq, e);
    if (!ok) {
        withdraw(l, seq);
    }
    lock_give(&l->lock);
    waiter_end(&waiter);
    if (ok) {
        *ret_seq = seq;
    }
    return ok;
}

void log_set_sync(struct log *l, enum log_sync sync)
{
    lock_take(&l->lock);
    l->asked_sync = sync;
    cond_signal(&l->work);
    while (l->sync != l->asked_sync && !l->closing) {
        (void)cond_wait_until(&l->done, &l->lock, DEADLINE_NEVER);
    }
    lock_give(&l->lock);
}

uint64_t log_durable_seq(struct log *l)
{
    lock_take(&l->lock);
    uint64_t seq = l->durable_seq;
    lock_give(&l->lock);
    return seq;
}
