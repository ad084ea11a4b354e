/*
 * delivery.h - takes a view to its end: tries, waits, breaks off, falls back, buries.
 *
 *     fallback( retry( breaker( split( stage ))))
 *
 * A row has ended when it is delivered, when the fallback has it (divert), or when it is a dead
 * letter on disk. Everything between is here, so that a lane only reads and moves its cursor:
 *
 * - retry: delays grow, Retry-After is a floor; max_retries or the age end it.
 * - breaker: after failure_threshold calls failed in a row no call is made for recovery_timeout; then
 *   half_open_max_calls must succeed. An open breaker spends neither tries nor age.
 * - split: 413 halves the rows; a rejected batch is bisected, so that one bad record costs only
 *   itself.
 * - fallback: while the breaker is open, and when tries are used up: hold, divert or copy.
 *
 * Ownership: a delivery owns its sinks and borrows configs and dead letters. Threads: the lane's,
 * save delivery_status() and what changes it from outside (pause). Limits: one view in flight.
 */
#ifndef TELEX_EXPORT_DELIVERY_H
#define TELEX_EXPORT_DELIVERY_H

#include "export/dead_letters.h"
#include "export/exporter_options.h"
#include "export/stage.h"

enum fallback_mode { FALLBACK_HOLD, FALLBACK_DIVERT, FALLBACK_COPY };

/* What the config says about one consumer's way out. */
struct delivery_config {
    const struct stage_config *stage;
    struct exporter_retry retry;
    struct exporter_breaker breaker;
    struct exporter_health health;
    const struct stage_config *fallback; /* or NULL */
    int fallback_mode;                   /* enum fallback_mode */
    const struct stage_config *dlq;      /* NULL: only the dead-letter folder */
};

#endif
