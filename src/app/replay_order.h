/*
 * replay_order.h - the order in which rules are replayed: who records before who reads it.
 *
 * Ownership: borrows the set; the order is in the caller's arena. Threads: any. Limits: the set's.
 */
#ifndef TELEX_APP_REPLAY_ORDER_H
#define TELEX_APP_REPLAY_ORDER_H

#include "base/arena.h"
#include "rules/rule.h"

struct replay_step {
    size_t group;
    size_t rule;
    bool reads_before; /* it reads what an earlier step gives */
    bool in_circle;    /* it also reads what a later step gives: the values of before the replay */
};

/* All rules, in file order but for those that read others' results. The number is set->rule_count. */
struct replay_step *replay_order(const struct rule_set *set, struct arena *a);

#endif
