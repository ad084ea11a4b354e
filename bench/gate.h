/*
 * Lets a set number of queries through and holds the rest, so that an engine can be stopped between
 * two passes, measured at rest, and sent on.
 *
 * Ownership: embedded in its user.
 *
 * Threads: any.
 *
 * Limits: a held query is let go after ten minutes whatever happens.
 */
#ifndef BENCH_GATE_H
#define BENCH_GATE_H

#include <pthread.h>
#include <stdint.h>

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t raised;
    uint64_t quota;
    uint64_t passed;
    uint64_t held; /* waiting now */
};

/* Starts with a quota of queries. */
void gate_init(struct gate *g, uint64_t quota);
/* Waits for room under the quota, then counts one query as passed. */
void gate_pass(struct gate *g);
/* Sets how many queries may pass in all, counted from the start. */
void gate_set(struct gate *g, uint64_t quota);
/* How many have passed, and how many wait now. */
void gate_read(struct gate *g, uint64_t *ret_passed, uint64_t *ret_held);

#endif
