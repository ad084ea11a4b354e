/*
 * The one thread that changes the log's files.
 *
 *     idle --work--> writing --ok--> idle
 *                       |  ^
 *                     error | backoff over, or closing
 *                       v  |
 *                     failing
 *
 * One round saves consumers, writes and syncs frames, writes cursors, removes segments. A round that fails is told of,
 * and the next one begins at the same place after a pause; appenders and readers go on as far as they can.
 *
 * Invariants
 *   1. A frame is acknowledged after its write (and sync, if the policy says so) and never before.
 *   2. After a failed sync, or a write that failed for another reason than room, the segment is abandoned and all frames
 *      beyond kept_seq are written again, to a new one whose header says where it begins.
 *   3. A segment is removed after the cursors that allow it are synced, and the newest segment never.
 */
#include "log/log_int.h"

#include "base/mem.h"

#include <errno.h>
#include <stdio.h>

enum {
    BATCH_FRAMES = 1024,
    BATCH_BYTES = 16 * 1024 * 1024,
    BATCHES_PER_SYNC = 4,
    BACKOFF_MS = 100,
    BACKOFF_MS_MAX = 5000,
    SWEEP_ALWAYS = 64 /* segments */
};
#define CURSOR_SYNC_NS NS_PER_S
#define SWEEP_NS (100 * NS_PER_MS)

/* Frames to write next, referenced. */
struct batch {
    struct held *frames[BATCH_FRAMES];
    size_t count;
    uint64_t last_seq; /* withdrawn ones included; 0: there is nothing to write */
    int64_t bytes;
};

static int64_t now_ns(void)
{
    return clock_mono_ns(clock_system());
}

/* Fits one more frame into the segment, or is the segment empty? */
static bool fits(const struct log *l, int64_t offset, const struct held *h)
{
    return offset == FILE_DATA_START ||
           offset + frame_bytes(h->length) <= l->segment_bytes - FOOTER_BYTES;
}

/* Takes the frames beyond written_seq that go into the segment at hand. */
static void batch_take(struct log *l, struct batch *b) REQUIRES(&l->lock)
{
    int64_t offset = l->active.segment != NULL ? l->active.offset : FILE_DATA_START;

    *b = (struct batch){0};
    for (size_t i = recent_find(&l->recent, l->written_seq + 1); i < l->recent.len; i++) {
        struct held *h = recent_at(&l->recent, i);
        if (b->count == BATCH_FRAMES || b->bytes >= BATCH_BYTES) {
            break;
        }
        if (!h->withdrawn) {
            if (!fits(l, offset + b->bytes, h)) {
                break;
            }
            (void)log_frame_ref(&h->frame);
            b->frames[b->count++] = h;
            b->bytes += frame_bytes(h->length);
        }
        b->last_seq = h->frame.seq;
    }
    l->taken_seq = b->last_seq > l->taken_seq ? b->last_seq : l->taken_seq;
}

static void batch_drop(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        held_drop(b->frames[i]);
    }
}

/* Forgets the oldest frames in memory as far as they may be forgotten and must. */
static void trim(struct log *l) REQUIRES(&l->lock)
{
    while (l->recent.len > 0 && l->recent.bytes > l->memory_bytes_max &&
           recent_at(&l->recent, 0)->frame.seq <= l->kept_seq) {
        recent_shift(&l->recent);
    }
}

/* Acknowledges up to <durable_seq>; memory is no longer needed up to <kept_seq>. */
static void acknowledge(struct log *l, uint64_t durable_seq, uint64_t kept_seq)
{
    lock_take(&l->lock);
    for (size_t i = recent_find(&l->recent, l->kept_seq + 1);
         i < l->recent.len && recent_at(&l->recent, i)->frame.seq <= kept_seq; i++) {
        l->waiting_bytes -= held_bytes(recent_at(&l->recent, i)->length);
    }
    l->kept_seq = kept_seq;
    active_publish(l);
    if (durable_seq > l->durable_seq) {
        l->durable_seq = durable_seq;
        cond_broadcast(&l->arrived);
    }
    trim(l);
    cond_broadcast(&l->done);
    lock_give(&l->lock);
}

/* What is not acknowledged or not synced goes to a new segment. */
static void start_over(struct log *l)
{
    active_abandon(l);
    l->written_seq = l->kept_seq;
    l->unsynced_bytes = 0;
}

static int sync_now(struct log *l)
{
    int result = 0;

    if (l->unsynced_bytes > 0) {
        result = active_sync(l);
        if (result != 0) {
            start_over(l);
            return result;
        }
        l->unsynced_bytes = 0;
    }
    l->synced_at_ns = now_ns();
    acknowledge(l, l->written_seq, l->written_seq);
    return 0;
}

/* Writes one batch; *ret_more: there was one. */
static int write_batch(struct log *l, bool *ret_more)
{
    struct batch b;
    int result = 0;

    lock_take(&l->lock);
    batch_take(l, &b);
    bool next_segment = b.last_seq == 0 && l->active.segment != NULL &&
                        recent_find(&l->recent, l->written_seq + 1) < l->recent.len;
    lock_give(&l->lock);
    if (next_segment) {
        result = sync_now(l);
        if (result == 0) {
            active_seal(l);
        }
    } else if (b.count > 0) {
        result = l->active.segment == NULL ? active_create(l, l->written_seq + 1) : 0;
        result = result == 0 ? active_write(l, b.frames, b.count) : result;
    }
    batch_drop(&b);
    if (result == 0 && b.last_seq > 0) {
        l->written_seq = b.last_seq;
        l->unsynced_bytes += l->sync == LOG_SYNC_NEVER ? 0 : b.bytes;
        metric_add(l->metrics.frames, b.count);
        metric_add(l->metrics.bytes, (uint64_t)b.bytes);
    }
    *ret_more = next_segment || b.last_seq > 0;
    return result;
}

/*
 * A write failed: for want of room it is tried again at the same place, and what it left there is cut off; after any
 * other error the segment is not trusted any more.
 */
static int write_failed(struct log *l, int result)
{
    bool full = result == -ENOSPC || result == -EDQUOT;

    if (!full || (l->active.segment != NULL &&
                  l->fs->ops->truncate(l->fs, l->active.fd, l->active.offset) != 0)) {
        start_over(l);
    }
    return result;
}

static bool sync_is_due(const struct log *l)
{
    return l->sync == LOG_SYNC_ALWAYS || l->unsynced_bytes >= l->memory_bytes_max / 2 ||
           (l->unsynced_bytes > 0 && now_ns() - l->synced_at_ns >= l->interval_ns);
}

static int write_frames(struct log *l)
{
    bool more = true;

    for (int i = 0; more && i < BATCHES_PER_SYNC; i++) {
        int result = write_batch(l, &more);
        if (result != 0) {
            return write_failed(l, result);
        }
    }
    if (l->sync == LOG_SYNC_NEVER) {
        acknowledge(l, l->written_seq, l->written_seq);
        return 0;
    }
    if (sync_is_due(l)) {
        return sync_now(l);
    }
    acknowledge(l, l->written_seq, l->kept_seq);
    return 0;
}

/* A segment to get rid of. */
struct removal {
    uint64_t serial;
    bool keep; /* in quarantine */
};

void segment_keep(struct log *l, uint64_t serial)
{
    lock_take(&l->lock);
    for (size_t i = 0; i < l->segments.len; i++) {
        struct segment *s = l->segments.items[i];
        s->keep = s->keep || s->serial == serial;
    }
    lock_give(&l->lock);
}

/* Takes the segments that nobody needs off the list. */
static void take_done(struct log *l, struct removal *removals, size_t max, size_t *ret_count)
    REQUIRES(&l->lock)
{
    size_t kept = 0;
    size_t count = 0;

    for (size_t i = 0; i < l->segments.len; i++) {
        struct segment *s = l->segments.items[i];
        bool newest = i + 1 == l->segments.len;
        if (!newest && !s->active && count < max && segment_is_done(l, s, true)) {
            removals[count++] = (struct removal){s->serial, s->keep};
            l->disk_bytes -= s->file_bytes;
            segment_free(s);
        } else {
            l->segments.items[kept++] = s;
        }
    }
    l->segments.len = kept;
    *ret_count = count;
}

/* Is there a segment to remove? Where there are many the question is only asked now and then. */
static bool any_done(struct log *l)
{
    bool found = false;

    lock_take(&l->lock);
    size_t count = l->segments.len;
    l->sweep_owed = count > SWEEP_ALWAYS && now_ns() - l->swept_at_ns < SWEEP_NS;
    for (size_t i = 0; i + 1 < count && !found && !l->sweep_owed; i++) {
        found = !l->segments.items[i]->active && segment_is_done(l, l->segments.items[i], false);
    }
    lock_give(&l->lock);
    if (!l->sweep_owed) {
        l->swept_at_ns = now_ns();
    }
    return found;
}

/* Out of the folder, into the quarantine. */
static int move_aside(struct log *l, const char *name, const char *path)
{
    char aside[64];
    char to[PATH_MAX];

    log_path(l, "quarantine", to);
    int result = l->fs->ops->mkdir(l->fs, to);
    (void)snprintf(aside, sizeof(aside), "quarantine/%s", name);
    log_path(l, aside, to);
    result = result == 0 ? l->fs->ops->rename(l->fs, path, to) : result;
    if (result == 0) {
        trace_warn(
            &l->trace,
            "a segment that could not be read whole is done with and was moved to quarantine",
            T_TEXT("log", l->name), T_TEXT("file", name));
        quarantine_bound(l);
    }
    return result;
}

static int unlink_segments(struct log *l, const struct removal *removals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[32];
        char path[PATH_MAX];
        segment_name(removals[i].serial, name);
        log_path(l, name, path);
        int result = removals[i].keep ? move_aside(l, name, path) : l->fs->ops->unlink(l->fs, path);
        if (result != 0 && result != -ENOENT) {
            return log_failed(l, "removing a segment", result);
        }
    }
    return 0;
}

/* Takes some segments off the list and removes their files; *ret_more: there may be others. */
static int remove_some(struct log *l, bool *ret_more)
{
    struct removal removals[64];
    size_t count = 0;

    lock_take(&l->lock);
    take_done(l, removals, ARRAY_LEN(removals), &count);
    cond_broadcast(&l->done);
    lock_give(&l->lock);
    *ret_more = count == ARRAY_LEN(removals);
    return unlink_segments(l, removals, count);
}

static int remove_segments(struct log *l)
{
    bool more = true;

    if (!any_done(l)) {
        return 0;
    }
    int result = cursors_write(l);
    result = result == 0 ? cursors_sync(l) : result;
    while (result == 0 && more) {
        result = remove_some(l, &more);
    }
    if (result == 0 && l->sync != LOG_SYNC_NEVER) {
        result = fs_sync_folder(l->fs, l->path);
        result = result == 0 ? 0 : log_failed(l, "syncing the folder", result);
    }
    return result;
}

static bool consumers_changed(struct log *l)
{
    lock_take(&l->lock);
    bool changed = l->saved_version < l->consumers_version;
    lock_give(&l->lock);
    return changed;
}

static bool cursor_sync_is_due(struct log *l)
{
    lock_take(&l->lock);
    bool due = l->sync_cursors;
    lock_give(&l->lock);
    return due || (l->cursor_file.unsynced && l->sync != LOG_SYNC_NEVER &&
                   now_ns() - l->cursors_synced_at_ns >= CURSOR_SYNC_NS);
}

static void note_first(int *first, int result)
{
    *first = *first != 0 ? *first : result;
}

/* Every step is tried, whatever became of the others: removing segments may make the room that a write needs. */
static int round_of_work(struct log *l)
{
    if (space_is_due(l, now_ns())) {
        space_look(l, now_ns());
    }
    /* Names before frames that carry their bits, cursors before the segments that they free. */
    int first = consumers_changed(l) ? consumers_save(l) : 0;
    note_first(&first, write_frames(l));
    note_first(&first, cursors_write(l));
    note_first(&first, cursor_sync_is_due(l) ? cursors_sync(l) : 0);
    note_first(&first, remove_segments(l));
    return first;
}

static bool has_work(const struct log *l) REQUIRES(&l->lock)
{
    return l->saved_version < l->consumers_version || l->written_version < l->cursors_version ||
           l->sync_cursors || l->asked_sync != l->sync ||
           recent_find(&l->recent, l->written_seq + 1) < l->recent.len;
}

static int64_t earlier(bool applies, int64_t since_ns, int64_t span_ns, int64_t than_ns)
{
    return applies && since_ns + span_ns < than_ns ? since_ns + span_ns : than_ns;
}

/* When the writer has to look again although nobody calls it. */
static int64_t next_look_ns(const struct log *l)
{
    bool cursors = l->cursor_file.unsynced && l->sync != LOG_SYNC_NEVER;

    if (l->failing) {
        return l->retry_at_ns;
    }
    int64_t at = earlier(l->unsynced_bytes > 0, l->synced_at_ns, l->interval_ns, DEADLINE_NEVER);
    at = earlier(cursors, l->cursors_synced_at_ns, CURSOR_SYNC_NS, at);
    at = earlier(l->low, l->space_looked_ns, NS_PER_S, at);
    return earlier(l->sweep_owed, l->swept_at_ns, SWEEP_NS, at);
}

/* Takes over the policy that was asked for. A segment that nothing of was synced, its name included, is left. */
static void follow_policy(struct log *l)
{
    lock_take(&l->lock);
    bool was_never = l->sync == LOG_SYNC_NEVER && l->asked_sync != LOG_SYNC_NEVER;
    lock_give(&l->lock);
    if (was_never) {
        active_seal(l);
    }
    lock_take(&l->lock);
    l->sync = l->asked_sync;
    cond_broadcast(&l->done);
    lock_give(&l->lock);
}

/* Sleeps until there is something to do; false when the log closes. */
static bool await_work(struct log *l)
{
    lock_take(&l->lock);
    while (!l->closing) {
        bool may_work = !l->failing && has_work(l);
        if (may_work || !cond_wait_until(&l->work, &l->lock, next_look_ns(l))) {
            break;
        }
    }
    bool open = !l->closing;
    bool changes = l->asked_sync != l->sync;
    lock_give(&l->lock);
    if (changes) {
        follow_policy(l);
    }
    return open;
}

/* Remembers how the round went, and when to try again. */
static void round_ended(struct log *l, int result)
{
    if (result == 0) {
        l->backoff_ms = BACKOFF_MS;
    } else {
        l->retry_at_ns = now_ns() + l->backoff_ms * NS_PER_MS;
        l->backoff_ms = l->backoff_ms * 2 < BACKOFF_MS_MAX ? l->backoff_ms * 2 : BACKOFF_MS_MAX;
    }
    lock_take(&l->lock);
    l->failing = result != 0;
    if (result != 0) {
        l->taken_seq = l->written_seq;
    }
    cond_broadcast(&l->done);
    lock_give(&l->lock);
}

/* The last round: everything out, synced and sealed, as far as the disk lets us. */
static void finish(struct log *l)
{
    bool more = true;
    int result = 0;

    while (more && result == 0) {
        result = round_of_work(l);
        lock_take(&l->lock);
        more = recent_find(&l->recent, l->written_seq + 1) < l->recent.len;
        lock_give(&l->lock);
    }
    if (result == 0 && l->sync != LOG_SYNC_NEVER) {
        result = sync_now(l);
        result = result == 0 ? cursors_sync(l) : result;
    }
    if (result == 0) {
        active_seal(l);
    } else {
        active_abandon(l);
    }
    round_ended(l, result);
}

void writer_run(void *arg)
{
    struct log *l = arg;

    l->synced_at_ns = now_ns();
    l->cursors_synced_at_ns = l->synced_at_ns;
    l->backoff_ms = BACKOFF_MS;
    while (await_work(l)) {
        round_ended(l, round_of_work(l));
    }
    finish(l);
}
