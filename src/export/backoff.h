/*
 * backoff.h - how long to wait before the next try.
 *
 * Delays grow from initial up to the cap, each the multiplier times the one before (exponential) or
 * one initial delay longer (linear), or stay (constant); jitter spreads them so that a fleet
 * does not come back at once: full picks in [0, delay], fraction in [delay/2, delay], false takes
 * the delay itself. What the destination asked for (Retry-After) is a floor, itself capped at
 * BACKOFF_ASKED_MAX_MS.
 *
 * Ownership: value. Threads: confined. Limits: delays up to a day.
 */
#ifndef TELEX_EXPORT_BACKOFF_H
#define TELEX_EXPORT_BACKOFF_H

#include "base/options.h"
#include "base/rand.h"

#include <stdint.h>

enum { BACKOFF_ASKED_MAX_MS = 3600 * 1000 };

enum backoff_jitter { JITTER_FULL, JITTER_FRACTION, JITTER_FALSE, JITTER_TRUE /* full */ };

enum backoff_strategy { BACKOFF_EXPONENTIAL, BACKOFF_LINEAR, BACKOFF_CONSTANT };

struct backoff_config {
    int64_t initial_delay_ns;
    int64_t max_delay_ns;
    double multiplier;
    int jitter;   /* enum backoff_jitter */
    int strategy; /* enum backoff_strategy */
};

struct backoff {
    const struct backoff_config *config;
    double delay_ns; /* of the next try, before jitter */
    uint32_t tries;
};

void backoff_init(struct backoff *b, const struct backoff_config *config);

/* Forgets the failures: something was delivered. */
void backoff_reset(struct backoff *b);

/* The delay before the next try, in ms; at least <asked_ms>. */
int64_t backoff_next_ms(struct backoff *b, struct rng *rng, int64_t asked_ms);

#endif
