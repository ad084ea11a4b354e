/*
 * Invariants
 *   1. A record is in the ring, or in a batch of the thread, or given, or counted as lost.
 *   2. <state> is ASLEEP only while the thread waits without an end; whoever changes that wakes it.
 */
#include "lib/writer.h"

#include "base/env.h"
#include "base/mem.h"
#include "wire/notes.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum writer_state { AWAKE, NAPPING, ASLEEP };

enum {
    NAP_MS = 5,             /* between looks while records come */
    FULL_BYTES = 64 * 1024, /* more than that in one look: look again at once */
    OFFER_MS = 200,
    TRY_AGAIN_MS = 20,
    TELL_S = 10,
    HELD_UP_LOOKS = 16, /* at a place that is being filled, before it is left alone for a while */
};

static const enum record_kind kinds[WRITER_KINDS] = {
    [WRITER_METRICS] = RECORD_PROFILE, [WRITER_SPANS] = RECORD_SPAN};

/* ---- sleeping ---- */

static void futex(_Atomic uint32_t *word, int operation, uint32_t value,
                  const struct timespec *timeout)
{
    (void)syscall(SYS_futex, (uint32_t *)(uintptr_t)word, operation | FUTEX_PRIVATE_FLAG, value,
                  timeout, NULL, 0);
}

bool writer_sleeps(struct writer *w)
{
    return atomic_load(&w->state) == ASLEEP;
}

void writer_wake(struct writer *w)
{
    if (atomic_exchange(&w->state, AWAKE) != AWAKE) {
        futex(&w->state, FUTEX_WAKE, 1, NULL);
    }
}

static void nap(struct writer *w, int64_t ms)
{
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * NS_PER_MS};

    atomic_store(&w->state, NAPPING);
    if (!atomic_load(&w->is_stopping)) {
        futex(&w->state, FUTEX_WAIT, NAPPING, &time);
    }
    atomic_store(&w->state, AWAKE);
}

/* The same also while it stops, when nobody may cut it short. */
static void pause_for(struct writer *w, int64_t ms)
{
    nap(w, ms);
    if (atomic_load(&w->is_stopping)) {
        (void)wait_sleep((struct wait){clock_deadline_ms(w->env->clock, ms), NULL});
    }
}

/* Writers move the tail before they look whether somebody sleeps, so one of both is seen. */
static void sleep_until_woken(struct writer *w)
{
    atomic_store(&w->state, ASLEEP);
    while (atomic_load(&w->state) == ASLEEP && ring_is_empty(w->ring) &&
           !atomic_load(&w->is_stopping)) {
        futex(&w->state, FUTEX_WAIT, ASLEEP, NULL);
    }
    atomic_store(&w->state, AWAKE);
}

/* ---- telling ---- */

static void tell_dropped(struct writer *w)
{
    int64_t now_ns = clock_mono_ns(w->env->clock);
    uint64_t dropped = atomic_load(&w->dropped[DROPPED_FULL]);

    if (dropped == w->told_dropped || now_ns - w->told_ns < TELL_S * NS_PER_S) {
        return;
    }
    trace_warn(&w->trace, "records were dropped: the ring was full",
               T_U64("dropped", dropped - w->told_dropped), T_U64("dropped_total", dropped));
    w->told_dropped = dropped;
    w->told_ns = now_ns;
}

/* Once per interval; since when is for who asks. */
static void tell_behind(struct writer *w, const struct err *e)
{
    int64_t now_ns = clock_mono_ns(w->env->clock);

    if (atomic_load(&w->behind_ns) == 0) {
        atomic_store(&w->behind_ns, now_ns);
    }
    if (w->told_behind_ns == 0 || now_ns - w->told_behind_ns >= TELL_S * NS_PER_S) {
        trace_warn(&w->trace, "the log takes nothing now", T_ERR(e));
        w->told_behind_ns = now_ns;
    }
}

/* ---- giving ---- */

static bool is_over(struct writer *w)
{
    return atomic_load(&w->is_stopping) &&
           clock_mono_ns(w->env->clock) >= atomic_load(&w->deadline_ns);
}

static void note_given(struct writer *w, const struct receipt *receipt, uint32_t rows)
{
    atomic_fetch_add(&w->unrouted, receipt->unrouted_rows);
    atomic_fetch_add(&w->logged, rows - receipt->unrouted_rows);
    atomic_store(&w->behind_ns, 0);
    lock_take(&w->lock);
    w->last_seq = receipt->seq > w->last_seq ? receipt->seq : w->last_seq;
    lock_give(&w->lock);
}

/* Offers it until the log takes it or the hub ends. */
static void give(struct writer *w, struct batch *b)
{
    struct receipt receipt = {0};
    struct err e = ERR_INIT;

    while (true) {
        const struct give how = {.wait = {clock_deadline_ms(w->env->clock, OFFER_MS), NULL}};
        if (plan_offer(w->plan, b, &how, &receipt, &e)) {
            note_given(w, &receipt, batch_rows(b));
            return;
        }
        tell_behind(w, &e);
        if (is_over(w)) {
            atomic_fetch_add(&w->lost, batch_rows(b));
            return;
        }
        tell_dropped(w);
        pause_for(w, TRY_AGAIN_MS);
    }
}

static void give_kind(struct writer *w, enum writer_kind kind)
{
    struct writer_batch *own = &w->batches[kind];
    const struct batch_info info = {
        .kind = kinds[kind], .origin = STR("library"), .time_ns = clock_wall_ns(w->env->clock)};

    if (own->rows == 0) {
        return;
    }
    struct batch *b =
        batch_from_bytes(notes_codec(kinds[kind]), buf_str(&own->bytes), true, &info, own->rows);
    buf_clear(&own->bytes);
    own->rows = 0;
    give(w, b);
    batch_unref(b);
}

/* ---- taking ---- */

static bool has_room(const struct writer *w, const struct writer_batch *b, uint32_t len)
{
    return b->rows < WRITER_ROWS && b->bytes.len + len <= w->batch_bytes;
}

/* Takes what is complete in one shard; false when a batch has no room for all of it. */
static bool take_shard(struct writer *w, size_t shard)
{
    struct ring_record record;
    struct ring_walk walk;
    bool all = true;

    ring_walk_begin(&walk, w->ring, shard);
    while (all && ring_walk_next(&walk, &record)) {
        struct writer_batch *b =
            &w->batches[record.what == RING_SPAN ? WRITER_SPANS : WRITER_METRICS];
        all = has_room(w, b, record.len);
        if (all) {
            buf_add(&b->bytes, record.bytes, record.len);
            b->rows++;
        } else {
            ring_walk_back(&walk, &record);
        }
    }
    ring_walk_end(&walk);
    return all;
}

static void note_done(struct writer *w)
{
    lock_take(&w->lock);
    for (size_t i = 0; i < RING_SHARDS; i++) {
        w->done[i] = atomic_load_explicit(&w->ring->shards[i].head, memory_order_relaxed);
    }
    cond_broadcast(&w->given);
    lock_give(&w->lock);
}

/* One look at all shards, a different one first each time. Gives how many bytes were taken. */
static size_t look(struct writer *w)
{
    for (size_t i = 0; i < RING_SHARDS; i++) {
        (void)take_shard(w, (w->next_shard + i) % RING_SHARDS);
    }
    w->next_shard = (w->next_shard + 1) % RING_SHARDS;
    size_t taken = w->batches[WRITER_METRICS].bytes.len + w->batches[WRITER_SPANS].bytes.len;
    for (enum writer_kind kind = 0; kind < WRITER_KINDS; kind++) {
        give_kind(w, kind);
    }
    note_done(w);
    return taken;
}

/* Until there may be more. A thread that is stopped between taking its place and saying what lies there leaves a ring
 * that is not empty and gives nothing: that may last. */
static void wait_for_more(struct writer *w, size_t taken, bool is_stopping)
{
    w->held_up = taken == 0 && !ring_is_empty(w->ring) ? w->held_up + 1 : 0;
    if (w->held_up > 0) {
        if (w->held_up > HELD_UP_LOOKS) {
            pause_for(w, NAP_MS);
        }
    } else if (taken == 0 && !is_stopping) {
        sleep_until_woken(w);
    } else if (taken < FULL_BYTES) {
        nap(w, NAP_MS);
    }
}

static void run(void *arg)
{
    struct writer *w = arg;

    while (true) {
        size_t taken = look(w);
        tell_dropped(w);
        bool is_stopping = atomic_load(&w->is_stopping);
        if (is_stopping && (ring_is_empty(w->ring) || is_over(w))) {
            break;
        }
        wait_for_more(w, taken, is_stopping);
    }
}

/* ---- life ---- */

/* An eighth of the log's room: what it has not given back yet must leave place for another. */
static size_t share_of(int64_t room)
{
    int64_t share = room / 8;

    share = share > WRITER_BYTES_MIN ? share : WRITER_BYTES_MIN;
    return share < WRITER_BYTES ? (size_t)share : WRITER_BYTES;
}

bool writer_start(struct writer *w, const struct env *env, struct ring *ring, struct plan *plan,
                  int64_t room, struct err *e)
{
    w->batch_bytes = share_of(room);
    w->ring = ring;
    w->plan = plan;
    w->env = env;
    trace_init(&w->trace, env->trace, "library", TRACE_INFO);
    for (enum writer_kind kind = 0; kind < WRITER_KINDS; kind++) {
        buf_init(&w->batches[kind].bytes, BUF_UNLIMITED);
    }
    lock_init(&w->lock);
    cond_init(&w->given);
    if (thread_start(&w->thread, "telex-writer", run, w, e)) {
        return true;
    }
    writer_release(w);
    return false;
}

void writer_stop(struct writer *w, int64_t deadline_mono_ns)
{
    atomic_store(&w->deadline_ns, deadline_mono_ns);
    atomic_store(&w->is_stopping, true);
    writer_wake(w);
    thread_join(&w->thread);
}

void writer_release(struct writer *w)
{
    for (enum writer_kind kind = 0; kind < WRITER_KINDS; kind++) {
        buf_release(&w->batches[kind].bytes);
    }
    cond_release(&w->given);
    lock_release(&w->lock);
}

bool writer_wait_given(struct writer *w, int64_t deadline_mono_ns, uint64_t *ret_seq)
{
    uint64_t wanted[RING_SHARDS];
    bool is_there = false;
    bool in_time = true;

    for (size_t i = 0; i < RING_SHARDS; i++) {
        wanted[i] = atomic_load(&w->ring->shards[i].tail);
    }
    writer_wake(w);
    lock_take(&w->lock);
    while (true) {
        is_there = true;
        for (size_t i = 0; i < RING_SHARDS; i++) {
            is_there = is_there && w->done[i] >= wanted[i];
        }
        if (is_there || !in_time) {
            break;
        }
        in_time = cond_wait_until(&w->given, &w->lock, deadline_mono_ns);
    }
    *ret_seq = w->last_seq;
    lock_give(&w->lock);
    return is_there;
}
