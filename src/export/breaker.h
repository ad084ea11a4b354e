/*
 * breaker.h - a circuit breaker: whether a call may be made now.
 *
 *     closed --failure_threshold failures in a row--> open --recovery_timeout--> half open
 *     half open --half_open_max_calls successes--> closed; --one failure--> open
 *
 * Pure: time is given. An answer that refuses records is a success, since somebody answered.
 *
 * Ownership: value; borrows its config. Threads: confined. Limits: one call at a time.
 */
#ifndef TELEX_EXPORT_BREAKER_H
#define TELEX_EXPORT_BREAKER_H

#include "export/exporter_options.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN, BREAKER_STATES };

struct breaker {
    const struct exporter_breaker *config; /* failure_threshold 0: always closed */
    enum breaker_state state;
    int64_t calls;     /* that failed in a row while closed, that succeeded while half open */
    int64_t opened_ns; /* monotonic */
};

void breaker_init(struct breaker *b, const struct exporter_breaker *config);

/* May a call be made? An open breaker whose time is over is half open from then on. */
bool breaker_admits(struct breaker *b, int64_t now_ns);

/* When an open breaker admits a call again, monotonic. */
int64_t breaker_opens_ns(const struct breaker *b);

/* A call ended. */
void breaker_note(struct breaker *b, bool ok, int64_t now_ns);

/* "closed", "open", "half_open" */
const char *breaker_state_name(enum breaker_state state);

#endif
