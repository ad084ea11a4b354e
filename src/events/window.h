/*
 * window.h - what a stream has read and not finished, in the order of reading.
 *
 * Changes come in intakes, as they were read together. They are done in any order; the window's floor is the
 * position behind the done beginning, which is what may be kept. An intake is freed when all of it is done
 * and nobody uses it.
 *
 * Ownership: the window and each user hold a reference to an intake, which owns its changes and the batch of
 * their events. An intake of a pool goes back to it, which outlives it. Threads: all functions are for any, save that
 * one thread pushes. Limits: none of its own; the stream stops reading by window_size(). A pool holds the bytes that it
 * is given.
 */
#ifndef TELEX_EVENTS_WINDOW_H
#define TELEX_EVENTS_WINDOW_H

#include "base/buf.h"
#include "base/thread.h"
#include "events/change.h"
#include "model/batch.h"

#include <stdatomic.h>

/* What a change costs beside its texts. */
enum { WINDOW_CHANGE_BYTES = sizeof(struct change) + sizeof(struct event) };

struct intake_pool;

struct intake {
    _Atomic uint32_t refs;
    struct intake_pool *pool; /* or NULL */
    struct changes changes;
    struct batch *events;    /* NULL: none of the changes makes one */
    uint32_t *change_of_row; /* of the events; in the arena of the changes */
    int64_t read_ns;         /* wall; when it was read */
    bool *is_done;           /* by change, there too; the window's */
    size_t open;             /* not done yet; the window's */
    size_t floor;            /* changes of the done beginning; the window's */
    struct buf end;          /* the position behind it, when one came later; the window's */
    struct intake *next;     /* the window's, or the pool's */
};

/* Intakes that are not used now. A busy stream needs megabytes for each; those that come from the kernel anew
 * cost more than it takes to fill them. */
struct intake_pool {
    struct lock lock;
    struct intake *first GUARDED_BY(lock);
    size_t bytes GUARDED_BY(lock);
    size_t bytes_max;
};

void intake_pool_init(struct intake_pool *p, size_t bytes_max);
void intake_pool_release(struct intake_pool *p);

/* Gives back what is not used. */
void intake_pool_empty(struct intake_pool *p);

/* One of the pool, empty, or a new one; one reference. */
struct intake *intake_take(struct intake_pool *p);

/* A new one without changes; one reference. */
struct intake *intake_new(void);
struct intake *intake_ref(struct intake *in);
void intake_unref(struct intake *in); /* NULL is fine */

struct window {
    struct lock lock;
    struct cond changed; /* something was done */
    struct intake *first GUARDED_BY(lock);
    struct intake *last GUARDED_BY(lock);
    size_t changes GUARDED_BY(lock); /* not done */
    size_t bytes GUARDED_BY(lock);   /* of intakes that are not done */
    uint64_t done GUARDED_BY(lock);  /* changes, since it was made, up to the floor */
    struct buf floor GUARDED_BY(lock);
    bool has_moved GUARDED_BY(lock);
};

void window_init(struct window *w);
void window_release(struct window *w);

/* Takes a reference. Changes that are done already are marked in in->is_done. */
void window_push(struct window *w, struct intake *in);

/* The changes of these rows of the intake's events are done; rows NULL: all <n>. */
void window_done(struct window *w, struct intake *in, const uint32_t *rows, uint32_t n);

/* Moved since it was asked last? Then <out> is the floor, and *ret_done all that was ever done up to there. */
bool window_take_floor(struct window *w, struct buf *out, uint64_t *ret_done);

struct window_size {
    size_t changes;
    size_t bytes;
};
struct window_size window_size(struct window *w);

/* When the oldest change that is not done was made, or read where that is not known, wall; 0: all are done. */
int64_t window_oldest_ns(struct window *w);

/* Waits until less than <limit> is not done, in both respects; false when <wait> is over. */
bool window_wait_room(struct window *w, struct window_size limit, struct wait wait);

#endif
