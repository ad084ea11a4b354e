/*
 * delivery.h - takes a view to its end: tries, waits, breaks off, falls back, buries.
 *
 *     fallback( retry( breaker( stage )))
 *
 * A row has ended when it is delivered, when the fallback has it (divert), or when it is a dead
 * letter on disk. Everything between is here, so that a lane only reads and moves its cursor:
 *
 * - retry: delays grow, Retry-After is a floor; max_retries or the age end it.
 * - breaker: after failure_threshold calls failed in a row no call is made for recovery_timeout; then
 *   half_open_max_calls must succeed. An open breaker spends neither tries nor age.
 * - fallback: when tries are used up; and while the breaker is open, unless it only holds. What it
 *   does not take either becomes a dead letter, or waits.
 *
 * That a refused batch costs only the record at fault is the leaf's business (http_sink.h).
 *
 * Ownership: a delivery owns its sinks and borrows configs and dead letters. Threads: the lane's,
 * save delivery_status() and what changes it from outside (pause). Limits: one view in flight.
 */
#ifndef TELEX_EXPORT_DELIVERY_H
#define TELEX_EXPORT_DELIVERY_H

#include "export/dead_letters.h"
#include "export/exporter_options.h"
#include "export/gate.h"
#include "export/stage.h"

#include <stdatomic.h>

enum fallback_mode { FALLBACK_HOLD, FALLBACK_DIVERT, FALLBACK_COPY };

/* What the config says about one consumer's way out. */
enum { DELIVERY_LIMITS_MAX = 8 }; /* parallel multis that one consumer stands below */

struct delivery_config {
    const struct stage_config *stage;
    struct exporter_retry retry;
    struct exporter_breaker breaker;
    struct exporter_health health;
    const struct stage_config *fallback; /* or NULL */
    unsigned fallback_takes;             /* TAKES() of kinds; others are never its turn */
    int fallback_mode;                   /* enum fallback_mode */
    const struct stage_config *dlq;      /* NULL: only the dead-letter folder */
    unsigned dlq_takes;
    struct exporter_dead_letters dead;
    struct call_limit limits[DELIVERY_LIMITS_MAX]; /* by id */
    size_t limit_count;
};

/* How a delivery waits, which its lane decides. */
struct delivery_waits {
    /* Sleeps before the next try; false: there is to be none now. */
    bool (*sleep)(void *arg, int64_t deadline_mono_ns);
    void *arg;
    struct cancel *cancel; /* cuts a call short */
    struct cancel *rest;   /* ends waiting for a call; the one above implies it */
};

struct delivery;
struct drops;
struct output_status;

/* Events (output_status.halted_event) that become dead letters when they are refused though on_refused is `halt`: somebody
 * decided so. */
struct event_skips {
    const uint64_t *events;
    size_t count;
};

/* Which event it is, as far as a person can mean it; never 0. */
struct event;
uint64_t delivery_event_hash(const struct event *ev);

/* What a delivery is made of; all of it is borrowed. */
struct delivery_setup {
    struct exporter_place place;
    const struct delivery_config *config;
    struct dead_letters *dead;
    struct drops *drops;
    const struct delivery_waits *waits;
    const struct event_skips *skips; /* or NULL */
};

/* Opens the sinks; talks to nobody. */
MUST_USE bool delivery_open(const struct delivery_setup *setup, struct delivery **ret_delivery,
                            struct err *e);

/*
 * Goes on as <before>, which does nothing any more: its breaker, its tries, the end of its backoff, what it
 * says of itself. Before the first view, for one whose config is the same.
 */
void delivery_follow(struct delivery *d, struct delivery *before);

/*
 * Tries until each row of <view> has ended, or sleep() says no. <since_ns> is the wall clock from which
 * their age counts. Gives how many rows are still owed, and which of the batch: <ret_owed> has room for all, or is NULL.
 */
uint32_t delivery_run(struct delivery *d, struct view view, int64_t since_ns, uint32_t *ret_owed);

/* Keeps bytes that are no batch among the dead letters; false when cancelled before it could. */
MUST_USE bool delivery_bury_raw(struct delivery *d, struct str bytes, const struct err *why);

/* Says that something else is in the way, such as a log that cannot be read. */
void delivery_note_trouble(struct delivery *d, const struct err *e);

/* When the destination is to be asked whether it is there, monotonic; asking it, for three seconds at
 * most or until <cancel>; and leaving it for this time. */
int64_t delivery_probe_due_ns(const struct delivery *d);
void delivery_probe(struct delivery *d, struct cancel *cancel);
void delivery_skip_probe(struct delivery *d);

/* When the destination has something to do by the clock, monotonic, and letting it, a moment long. */
int64_t delivery_tend_due_ns(const struct delivery *d);
void delivery_tend(struct delivery *d, struct cancel *cancel);

/* When the time of an open breaker is over, monotonic, and making it half open then, though nothing is there
 * to be delivered. */
int64_t delivery_breaker_due_ns(const struct delivery *d);
void delivery_look_at_breaker(struct delivery *d);

/* Has the leaf complete what it took; at the end. */
void delivery_flush(struct delivery *d);

/* Adds what it did to <status>; from any thread. */
void delivery_status(struct delivery *d, struct output_status *status);

void delivery_close(struct delivery *d); /* NULL is fine */

#endif
