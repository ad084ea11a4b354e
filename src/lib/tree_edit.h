/*
 * tree_edit.h - a config's text as a tree in which options are set by their path.
 *
 * Ownership: everything lives in the caller's arena. Threads: confined. Limits: EDIT_DEPTH_MAX names in a path.
 */
#ifndef TELEX_LIB_TREE_EDIT_H
#define TELEX_LIB_TREE_EDIT_H

#include "base/yaml.h"

enum { EDIT_DEPTH_MAX = 16 };

/* A copy that may be changed; NULL gives an empty mapping. */
struct yaml_node *edit_copy(struct arena *a, const struct yaml_node *node);

/*
 * Puts <value> where <path> says ("exporters.vm.url"), with the mappings on the way; an exporter of a list is
 * found by its name, its options below `config` where that is written. <is_yaml>: the value is YAML.
 */
MUST_USE bool edit_set(struct arena *a, struct yaml_node *root, struct str path, struct str value,
                       bool is_yaml, struct err *e);

/* An empty mapping called <key> as a last member of <in>, or the one that is there. */
struct yaml_node *edit_mapping(struct arena *a, struct yaml_node *in, struct str key);

/* Sets the scalar <key> of mapping <in>. */
void edit_scalar(struct arena *a, struct yaml_node *in, struct str key, struct str value);

#endif
