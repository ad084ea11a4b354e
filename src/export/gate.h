/*
 * gate.h - no more than so many calls at a time: what the children of a parallel multi share.
 *
 * Who waits comes in in its order. Several gates of one caller are entered in the order that
 * call_limit.id gives, so that two callers never wait for each other.
 *
 * Ownership: the graph owns the gates of its config. Threads: any. Limits: none.
 */
#ifndef TELEX_EXPORT_GATE_H
#define TELEX_EXPORT_GATE_H

#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stdint.h>

/* What a parallel multi says of the calls of its children. */
struct call_limit {
    const void *id; /* the multi's config: equal ones share a gate */
    struct str name;
    int64_t max_concurrent;
    int64_t timeout_ns; /* of one call */
};

struct gate;
struct gates;

struct gates *gates_new(void);

/* All have left. NULL is fine. */
void gates_free(struct gates *all);

/* The gate of <limit>; lives as long as <all>. */
struct gate *gates_get(struct gates *all, const struct call_limit *limit);

/* Waits for its turn; false when <wait> is over before, and nothing was entered. */
MUST_USE bool gate_enter(struct gate *g, struct wait wait);
void gate_leave(struct gate *g);

#endif
