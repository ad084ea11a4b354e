/*
 * check.h - what the files of the type check share. Included only inside this folder.
 *
 * Ownership, threads and limits are those of parse.h.
 */
#ifndef TELEX_PROMQL_CHECK_H
#define TELEX_PROMQL_CHECK_H

#include "promql/parse.h"

/* Do the number and the types of <args>, each checked already, fit <signature>? */
MUST_USE bool check_args(struct parser *p, const struct promql_node *node, const char *name,
                         const struct promql_signature *signature, const struct promql_nodes *args);

/* A selector; unless it <may_be_empty>, some matcher must refuse the empty string. */
MUST_USE bool check_selector(struct parser *p, struct promql_node *node, bool may_be_empty);

#endif
