/*
 * outcome_rows.h - what became of each row of a view, read from an outcome.
 *
 * An outcome says it briefly (settled, rest, exceptions); whoever sorts rows wants a verdict for each.
 *
 * Ownership: the caller frees what it gets with mem_free(); reasons live as long as the outcome.
 * Threads: any. Limits: those of views.
 */
#ifndef TELEX_EXPORT_OUTCOME_ROWS_H
#define TELEX_EXPORT_OUTCOME_ROWS_H

#include "export/sink.h"

struct fate {
    enum verdict verdict;
    const char *reason;
};

/* One fate per row of a view of <n> rows. */
struct fate *outcome_fates(const struct outcome *out, uint32_t n);

/* Is a row of this verdict still to be delivered? */
static inline bool verdict_is_owed(enum verdict verdict)
{
    return verdict == VERDICT_RETRY || verdict == VERDICT_UNKNOWN || verdict == VERDICT_HALT;
}

/* The rows of <view> that are still owed, in order; *ret_count of them. */
uint32_t *fates_owed(const struct fate *fates, struct view view, uint32_t *ret_count);

/* Adds what another call of one delivery did: of several that failed, the first that is owed is told of. */
void outcome_add(struct outcome *out, const struct outcome *one);

/* The fate that is worse for what both are a part of. */
struct fate fate_worse(struct fate a, struct fate b);

/*
 * Says in <out> what became of <n> rows, one fate each; a reason that is NULL is the outcome's error. When any
 * row is owed, so is the rest, even behind the last row: whoever counts calls sees one that failed. When none is, it
 * is <rest>: DELIVERED, or REJECTED for rows at the end that share a reason.
 */
void outcome_word(struct outcome *out, const struct fate *fates, uint32_t n, enum verdict rest);

/* Is every row of a view of <n> rows delivered, none of them otherwise? */
bool outcome_is_clean(const struct outcome *out, uint32_t n);

/* Why rows are owed: the outcome's error, else the first reason of a row that is. */
struct str outcome_reason(const struct outcome *out);

#endif
