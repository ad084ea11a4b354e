/*
 * rule_correct.h - what an expression that misleads would have to be.
 *
 * Checks that find something add edits to a correction; at the end it gives the whole expression
 * with all of them. Ownership: the correction borrows the text and an arena, and owns its list of
 * edits; release it. Threads: confined. Limits: 32 parts of a sum are looked at, 700 bytes shown.
 */
#ifndef TELEX_RULES_RULE_CORRECT_H
#define TELEX_RULES_RULE_CORRECT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/vec.h"
#include "promql/promql.h"

/* <text> in place of the bytes [at, end). */
struct correction_edit {
    size_t at;
    size_t end;
    struct str text;
};

struct correction {
    struct arena *arena;
    struct str text; /* of the expression */
    bool is_alert;   /* then series that are 0 would fire */
    VEC(struct correction_edit) edits;
};

/* (x > 80) * x: 0 where it does not hold; in an alert x > 80 alone. */
void correct_square(struct correction *c, const struct promql_node *node,
                    const struct promql_node *filter);

/* (x > 90) * 3 + (x > 80) * 2: a sum of 0 and 1; more about it goes to <why>. */
void correct_sum(struct correction *c, const struct promql_node *node, struct buf *why);

/* Appends the whole corrected expression; false when there is none that can be shown. */
bool correction_print(struct correction *c, enum promql_dialect dialect, struct buf *out);

static inline void correction_release(struct correction *c)
{
    vec_release(&c->edits);
}

#endif
