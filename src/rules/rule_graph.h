/*
 * rule_graph.h - which rules of a group read what earlier rules of it give.
 *
 * A rule reads an earlier one when one of its selectors could match the recorded metric, or ALERTS or
 * ALERTS_FOR_STATE of the alert. What a later rule, or the rule itself, gives is read as it was before:
 * so there are no circles. A selector that names no metric could read all that comes earlier.
 *
 * Ownership: the graph owns its numbers and borrows the group while it is made. Threads: immutable
 * afterwards. Limits: GRAPH_MATCHED_MAX rules are compared with a selector that matches names by a
 * pattern; in larger groups it counts as one that reads all that comes earlier.
 */
#ifndef TELEX_RULES_RULE_GRAPH_H
#define TELEX_RULES_RULE_GRAPH_H

#include "rules/rule.h"

enum { GRAPH_MATCHED_MAX = 256 };

/* What a rule reads: numbers below its own. */
struct rule_reads {
    const uint32_t *items; /* ascending; NULL with <all> */
    uint32_t count;
    bool all; /* every earlier one: the numbers 0 to count - 1 */
};

struct rule_graph;

/* What alerting rules write beside their edges. */
extern const struct str alert_series_names[2];

/* Could <selector> select what <giver> gives, as far as names go? */
bool rule_may_read(const struct promql_node *selector, const struct rule *giver);

/* Does every alternative of <selector> say something of <label>? */
bool selector_says(const struct promql_node *selector, struct str label);

struct rule_graph *rule_graph_new(const struct rule_group *group);
void rule_graph_free(struct rule_graph *g); /* NULL is fine */

struct rule_reads rule_graph_reads(const struct rule_graph *g, size_t rule);

static inline uint32_t rule_reads_at(const struct rule_reads *reads, uint32_t i)
{
    return reads->all ? i : reads->items[i];
}

#endif
