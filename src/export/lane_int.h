/*
 * lane_int.h - a lane as its files see it.
 *
 * lane.c has the thread and what others want of it, lane_send.c makes batches of what was gathered
 * and passes over what must make room; the delivery brings their rows to an end.
 *
 * Ownership: a lane owns its delivery, reader and tokens. Threads: the lane's, but for what is said to
 * be under a lock. Limits: one batch in flight.
 */
#ifndef TELEX_EXPORT_LANE_INT_H
#define TELEX_EXPORT_LANE_INT_H

#include "base/env.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "export/gather.h"
#include "export/lane.h"
#include "log/log.h"

#include <stdatomic.h>

enum { LANE_READ_AGAIN_MS = 1000 };

struct lane {
    struct lane_config config;
    struct lane_place place; /* for the leaf */
    const struct env *env;
    struct delivery *delivery;
    struct delivery_waits waits;
    struct log_reader *reader;
    struct trace trace;
    struct thread thread;
    struct cancel *cancel;     /* stop now */
    struct cancel *rest;       /* stop between two calls to the leaf; the one above implies it */
    struct cancel *idle;       /* stop when there is nothing to do; the two above imply it */
    _Atomic uint64_t last_seq; /* frames beyond it are left, once idle is set */
    _Atomic int64_t until_ns;  /* monotonic: when a drain is over */
    _Atomic bool probes;       /* a health check is under way, and gives way to what comes */
    struct metric *ratio;

    /* the lane's thread alone */
    struct gather gather;
    int64_t interval_ns; /* how long samples wait for company now */
    int64_t slept_ns;    /* between tries, since the group was begun */
    bool sheds;          /* what is being delivered was given up to make room */
    bool read_all;       /* what comes now is beyond last_seq */

    struct lock lock;
    struct cond changed;
    bool started GUARDED_BY(lock);
    bool ended GUARDED_BY(lock);
    bool paused GUARDED_BY(lock);
    bool hurries GUARDED_BY(lock);   /* what waits for company is to be sent now */
    bool tries_now GUARDED_BY(lock); /* the backoff under way ends now */
    struct output_status status GUARDED_BY(lock);

    struct lock poke_lock;
    struct cancel *poke GUARDED_BY(poke_lock); /* look again; <rest> implies it */
};

/* lane.c */

/* A token that fires when there is something to look at; to be taken before looking. */
struct cancel *lane_poke_token(struct lane *lane);

/* Must the oldest records make room, and are they this lane's to drop? */
bool lane_must_shed(struct lane *lane);

/* Sleeps between two tries; false when the lane must stop, or what it holds must make room. */
bool lane_sleep_until(struct lane *lane, int64_t deadline_ns);

/* One look at the log; false when it could not be read, after a rest. */
bool lane_read_frame(struct lane *lane, struct wait wait, const struct log_frame **ret_frame);

/* lane_send.c */

/* Says what is in memory, for the status. */
void lane_note_gathered(struct lane *lane);

/* Sends the group; false when the lane must stop before all of it has ended. */
bool lane_send_group(struct lane *lane);

/* Passes over the oldest frames until the quota has room again. */
void lane_shed(struct lane *lane);

#endif
