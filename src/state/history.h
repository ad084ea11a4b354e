/*
 * history.h - every change of alert state, with its cause and what became of its deliveries.
 *
 * The ledger is what is delivered from; this is what is looked at afterwards. Changes and ends of deliveries
 * are handed over without waiting and written by a thread of its own, a second behind at most; where it
 * cannot keep up, or the disk refuses, they are counted and left out, and nothing else is held up. Kept are
 * the newest changes, by number and age.
 *
 * Ownership: owns its database below the state folder; takes references to batches. Threads: any may give
 * and ask. Limits: HISTORY_QUEUE batches in hand; HISTORY_PAGE_MAX changes in an answer.
 */
#ifndef TELEX_STATE_HISTORY_H
#define TELEX_STATE_HISTORY_H

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum { HISTORY_QUEUE = 4096, HISTORY_PAGE_MAX = 1000 };

struct env;
struct history;

struct history_options {
    struct str path;     /* of the file */
    int64_t max_changes; /* the oldest go */
    int64_t max_age_ns;
};

MUST_USE bool history_open(const struct env *env, const struct history_options *options,
                           struct history **ret_history, struct err *e);

/* Writes what was given, and closes. NULL is fine. */
void history_close(struct history *h);

/* Changes of alert state that are to be durable; <told>: somebody is to be told. */
void history_changes(struct history *h, struct batch *edges, bool told);

/* How the delivery of some alerts to <exporter> ended: "delivered", "dead_letter", ... */
void history_ended(struct history *h, struct str exporter, struct view alerts, const char *result,
                   struct str reason);

/* Which changes are asked for; empty texts and zeros: all. */
struct history_filter {
    struct str rule; /* its name */
    struct str rule_id;
    struct str group;
    struct str state;  /* that it led to: pending, firing, resolved, inactive */
    struct str labels; /* a JSON object: all of these pairs */
    int64_t from_ns;
    int64_t to_ns;
    int64_t before; /* number of a change: older ones only, for the next page */
    int64_t limit;  /* 0: 100 */
    bool only_told;
};

/*
 * Appends the changes, newest first, as a JSON array of objects. *ret_next is the <before> of the next page; 0
 * when there is none.
 */
MUST_USE bool history_print(struct history *h, const struct history_filter *filter, struct buf *out,
                            int64_t *ret_next, struct err *e);

/* Returns when all that was given before is written; for tests. */
void history_settle(struct history *h);

#endif
