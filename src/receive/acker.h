/*
 * acker.h - answers pushes when they are held, in the order they came.
 *
 * One thread waits for the log on behalf of all connections, so that however many wait, one sync
 * answers them. A push for which the log had no room at once is given again here, where waiting is
 * allowed, for a short while.
 *
 * Ownership: the acker takes over exchanges that were held for it and references to batches, and
 * borrows the rest. Threads: acker_push() from any. Limits: as many pushes as there are
 * connections; GIVE_MS for room, HELD_MS for the log, then 503.
 */
#ifndef TELEX_RECEIVE_ACKER_H
#define TELEX_RECEIVE_ACKER_H

#include "base/env.h"
#include "base/err.h"
#include "export/plan.h"
#include "net/http_server.h"
#include "receive/receive_metrics.h"

struct acker;
struct push;

/* What differs between kinds of pushes. */
struct push_kind {
    /* Answers what is held, and gives the status. NULL: 204. */
    int (*answer)(struct push *push);
    /* Answers what is not held for now, and gives the status. NULL: 503 with Retry-After. */
    int (*busy)(struct push *push, int64_t retry_after_s, const char *why);
    /* What was given was not held in time: it may be on disk or not. May be NULL. */
    void (*lost)(struct push *push);
    /* Lets go of what the push has beside what every push has. May be NULL. */
    void (*release)(struct push *push);
};

/* A push on its way to its answer; the first member of what a kind makes of it. */
struct push {
    struct push *next;
    const struct push_kind *kind;
    struct http_exchange *exchange; /* held; NULL: the kind knows whom to answer */
    struct plan *plan;
    struct batch *batch; /* to be given yet; NULL: it was, and <receipt> says what became of it */
    struct receipt receipt;
    int64_t came_mono_ns; /* its last byte */
};

/* What becomes of those that are given by the acker: called before the answer. */
struct acker_hooks {
    void (*given)(void *arg, const struct push *push, uint32_t rows);
    void *arg;
};

MUST_USE bool acker_start(const struct env *env, struct receive_metrics *metrics,
                          const struct acker_hooks *hooks, struct acker **ret_acker, struct err *e);

/* Takes over <push>, from mem_new(). */
void acker_push(struct acker *a, struct push *push);

/* Lets go of what still waits. NULL is fine. */
void acker_free(struct acker *a);

#endif
