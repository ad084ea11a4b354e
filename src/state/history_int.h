/*
 * history_int.h - the two halves of the history: what a change says of itself, and what is asked.
 *
 * Ownership, threads, limits: as history.h.
 */
#ifndef TELEX_STATE_HISTORY_INT_H
#define TELEX_STATE_HISTORY_INT_H

#include "db/sqlite.h"
#include "state/history.h"

/* As people call a state: "pending", "firing", "resolved", "inactive". */
const char *history_state(enum alert_state state);

/* Why it changed, in words. */
const char *history_cause(const struct batch_info *info, const struct alert *a);

/* Labels and annotations as JSON objects, in <text>. */
struct str history_labels(const struct alert *a, struct buf *text);
struct str history_annotations(const struct alert *a, struct buf *text);

MUST_USE bool history_query(struct db *db, const struct history_filter *filter, struct buf *out,
                            int64_t *ret_next, struct err *e);

#endif
