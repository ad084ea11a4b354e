/*
 * rests.h - time that is no age: while a breaker was open, a destination refused us, or a limit of ours
 * held records back.
 *
 * A record ages while it could be tried. What waits behind it in the log rests with it, so rests are
 * kept apart from records: how much of the time since a record was held was rest.
 *
 * Ownership: value. Threads: confined. Limits: of the last RESTS_MAX rests each is known; older ones
 * count for records that are older than all of these.
 */
#ifndef TELEX_EXPORT_RESTS_H
#define TELEX_EXPORT_RESTS_H

#include <stdint.h>

enum { RESTS_MAX = 64 };

/* Rests that are less apart count as one. */
#define RESTS_APART_NS INT64_C(1000000000)

struct rests {
    int64_t ended_ns[RESTS_MAX]; /* wall clock, rising; a ring */
    int64_t total_ns[RESTS_MAX]; /* of all rests up to that one */
    uint64_t count;              /* ever */
};

/* A rest of <length_ns> ended at <ended_ns>. */
void rests_add(struct rests *r, int64_t ended_ns, int64_t length_ns);

/* How much of the time from <since_ns> on was rest. */
int64_t rests_since(const struct rests *r, int64_t since_ns);

#endif
