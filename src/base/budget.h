/*
 * budget.h - the process's memory budget: what outsiders can make us hold is taken from here before
 * it is read.
 *
 * A budget is a counter with a cap and, optionally, a parent that is charged too. Refusal is
 * immediate; waiting for room is the caller's policy. Ownership: creator. Threads: any; two
 * atomics. Limits: <cap_bytes>; a release never exceeds what was taken (invariant).
 */
#ifndef TELEX_BASE_BUDGET_H
#define TELEX_BASE_BUDGET_H

#include "base/attr.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct budget {
    struct budget *parent; /* or NULL */
    const char *name;      /* for errors: "the process", "rule evaluation" */
    int64_t cap_bytes;
    _Atomic int64_t used_bytes;
    _Atomic int64_t peak_bytes;
    _Atomic int64_t refused_total;
};

void budget_init(struct budget *b, struct budget *parent, const char *name, int64_t cap_bytes);

/* Takes <bytes> here and in all parents, or nothing anywhere. */
MUST_USE bool budget_try_take(struct budget *b, int64_t bytes);

/* As budget_try_take(), with an ERR_LIMIT that names the budget, its cap and its use. */
MUST_USE bool budget_take(struct budget *b, int64_t bytes, struct err *e);

void budget_give(struct budget *b, int64_t bytes);
int64_t budget_used(const struct budget *b);

#endif
