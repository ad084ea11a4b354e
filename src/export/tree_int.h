/*
 * tree_int.h - what tree.c (exporters) and tree_links.c (who names whom) know of each other.
 *
 * Ownership, threads, limits: as tree.h.
 */
#ifndef TELEX_EXPORT_TREE_INT_H
#define TELEX_EXPORT_TREE_INT_H

#include "export/tree.h"

/* Reads options and links of <x>, whose name, node and options are set, and keeps it. */
MUST_USE bool tree_read_exporter(struct tree *t, struct tree_exporter *x, struct err *e);

/* Sets the options of <x>: its node, with what stands below `config` lifted up. */
MUST_USE bool tree_flatten(struct tree *t, struct tree_exporter *x, struct err *e);
MUST_USE bool tree_check_name(const struct tree_exporter *x, struct err *e);

/* "TELEX_EXPORTER_" and "a-b": "TELEX_EXPORTER_A_B_". */
const char *tree_env_prefix(struct tree *t, const char *before, struct str name);

/* Reads what a combinator stands around, and whatever else it names. */
MUST_USE bool tree_read_links(struct tree *t, struct tree_exporter *x, struct err *e);

/* Does a combinator name other exporters by this key? */
bool tree_is_link_key(struct str key);

/* Reads the exporters that only the environment names. */
MUST_USE bool tree_read_environment(struct tree *t, struct err *e);

/* Finds the entries that links name; refuses circles and what is too deep. */
MUST_USE bool tree_resolve(struct tree *t, struct err *e);

#endif
