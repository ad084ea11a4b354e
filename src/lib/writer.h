/*
 * writer.h - the hub's thread: from the ring to the log.
 *
 * It takes what is complete, puts records of one kind behind each other (they are written as the log keeps
 * them) and gives that to the plan as one batch. While nothing comes it sleeps; the application's threads
 * wake it at most once per sleep. What the log does not take now it offers again, and the ring fills
 * meanwhile; what is dropped there is told once per interval.
 *
 * Ownership: the hub's; ring and plan are borrowed. Threads: writer_wake() and the figures from any.
 * Limits: WRITER_ROWS and <batch_bytes> per batch, WRITER_BYTES at most.
 */
#ifndef TELEX_LIB_WRITER_H
#define TELEX_LIB_WRITER_H

#include "base/thread.h"
#include "base/trace.h"
#include "export/plan.h"
#include "lib/ring.h"

enum { WRITER_BYTES = 1 << 20, WRITER_BYTES_MIN = 128 * 1024, WRITER_ROWS = 5000 };

/* What was dropped before it was in the ring, by reason. */
enum drop_cause { DROPPED_FULL, DROPPED_INVALID, DROPPED_TOO_LARGE, DROP_CAUSES };

enum writer_kind { WRITER_METRICS, WRITER_SPANS, WRITER_KINDS };

struct writer_batch {
    struct buf bytes;
    uint32_t rows;
};

struct writer {
    struct ring *ring;
    struct plan *plan;
    const struct env *env;
    struct trace trace;
    struct thread thread;
    size_t batch_bytes;          /* beyond it a batch is given; at least one record fits */
    _Atomic uint32_t state;      /* enum writer_state; a futex */
    _Atomic bool is_stopping;    /* end when the ring is empty, or at the deadline */
    _Atomic int64_t deadline_ns; /* monotonic; of stopping */
    _Atomic uint64_t dropped[DROP_CAUSES];
    _Atomic uint64_t logged;
    _Atomic uint64_t unrouted;
    _Atomic uint64_t lost;     /* taken out of the ring and never given: at the end */
    _Atomic int64_t behind_ns; /* since when the log takes nothing, monotonic; 0: it does */
    struct lock lock;
    struct cond given;
    uint64_t done[RING_SHARDS] GUARDED_BY(lock); /* what lies before is given */
    uint64_t last_seq GUARDED_BY(lock);          /* of the log, of what was given */
    struct writer_batch batches[WRITER_KINDS];   /* the thread's, as all below */
    size_t next_shard;
    unsigned held_up; /* looks in a row that found nothing but a place which somebody is filling */
    int64_t told_ns;
    int64_t told_behind_ns;
    uint64_t told_dropped;
};

/* <room> is what the log can hold: batches are so small that several fit. */
MUST_USE bool writer_start(struct writer *w, const struct env *env, struct ring *ring,
                           struct plan *plan, int64_t room, struct err *e);

/* Takes what is in the ring until it is empty or <deadline> is over, and ends. */
void writer_stop(struct writer *w, int64_t deadline_mono_ns);
void writer_release(struct writer *w); /* after writer_stop() */

/* Is it asleep, so that somebody has to call writer_wake()? */
bool writer_sleeps(struct writer *w);
void writer_wake(struct writer *w);

/* Waits until all that was in the ring before is given to the plan; *ret_seq is the last of it in the log. */
MUST_USE bool writer_wait_given(struct writer *w, int64_t deadline_mono_ns, uint64_t *ret_seq);

#endif
