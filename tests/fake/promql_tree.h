/*
 * promql_tree.h - PromQL trees in tests: parsing without ceremony, and whether two trees say the
 * same.
 *
 * Ownership: trees live in the caller's arena. Threads: any. Limits: those of promql.h.
 */
#ifndef TELEX_FAKE_PROMQL_TREE_H
#define TELEX_FAKE_PROMQL_TREE_H

#include "promql/promql.h"

/* The tree of <text>; NULL when it does not parse. */
const struct promql_node *promql_tree(struct arena *a, const char *text,
                                      enum promql_dialect dialect);

/*
 * Do both trees say the same? Positions do not count, nor does the order of matchers, which
 * printing changes.
 */
bool promql_same(const struct promql_node *a, const struct promql_node *b);

#endif
