/*
 * rand.h - randomness as an injected table: spreading, jitter, seeds of hash maps. Not for keys or
 * tokens.
 *
 * Ownership: creator. Threads: any (an atomic state). Limits: 64 bits at a time.
 */
#ifndef TELEX_BASE_RAND_H
#define TELEX_BASE_RAND_H

#include <stdatomic.h>
#include <stdint.h>

struct rng {
    _Atomic uint64_t state;
};

/* From the system's entropy. */
void rng_init(struct rng *r);

/* Repeatable. */
void rng_seed(struct rng *r, uint64_t seed);

uint64_t rng_u64(struct rng *r);

/* In [0, limit); 0 when limit is 0. */
uint64_t rng_below(struct rng *r, uint64_t limit);

/* In [0, 1). */
double rng_unit(struct rng *r);

#endif
