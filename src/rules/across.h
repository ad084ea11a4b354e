/*
 * across.h - which rules read what rules of other groups give.
 *
 * A rule reads another one as in rule_graph.h; a selector that names no metric reads nobody here. Rules that
 * read each other in a circle, through whichever groups, read nobody of it here either: they get the values
 * of before. So whoever waits for whom it reads, here and in its group, does not wait for itself.
 *
 * Ownership: lives in the arena it is made in and borrows the set. Threads: immutable. Limits:
 * ACROSS_LOOKS_MAX comparisons and ACROSS_READS_MAX reads in a set; selectors behind them read nobody.
 */
#ifndef TELEX_RULES_ACROSS_H
#define TELEX_RULES_ACROSS_H

#include "base/arena.h"
#include "rules/rule.h"

enum { ACROSS_LOOKS_MAX = 1 << 22, ACROSS_READS_MAX = 1 << 20, GROUPS_TOGETHER_MAX = 64 };

/* A rule by the places of its group and in it. */
struct across_read {
    uint32_t group;
    uint32_t rule;
};

struct across_reads {
    const struct across_read *items; /* in no order */
    uint32_t count;
};

struct across;

/* NULL: nobody reads another group. */
const struct across *across_make(const struct rule_set *set, struct arena *a);

/* What a rule reads of other groups; <x> may be NULL. */
struct across_reads across_reads(const struct across *x, size_t group, size_t rule);

/* Of groups with one slot, those with lower ranks are best begun first; <x> may be NULL. */
uint32_t across_rank(const struct across *x, size_t group);

/*
 * The group whose place in the interval a group shares: one for all that read each other by name, up to
 * GROUPS_TOGETHER_MAX of them, else itself. One with an eval_offset comes before others. <x> may be NULL.
 */
size_t across_lead(const struct across *x, size_t group);

#endif
