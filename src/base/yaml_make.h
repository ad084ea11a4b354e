/*
 * yaml_make.h - nodes of YAML that nobody wrote as they are, made from those that somebody did.
 *
 * Another spelling of a config (a file of another program, a section that stands for several) becomes nodes as the
 * sections have them that it means. Each node keeps the place of what it was made from, so whoever reads them points
 * errors into the user's file.
 *
 * Ownership: nodes live in the arena; what they hold is shared with the nodes that they were made from. Threads:
 * confined. Limits: none of its own.
 */
#ifndef TELEX_BASE_YAML_MAKE_H
#define TELEX_BASE_YAML_MAKE_H

#include "base/arena.h"
#include "base/yaml.h"

struct yaml_made {
    struct arena *arena;
    struct yaml_node *node;
    struct yaml_node *last;
};

/* An empty mapping or sequence, which stands where <at> does. */
struct yaml_made yaml_make(struct arena *a, const struct yaml_node *at, enum yaml_kind kind);

/* Adds a copy of <child> under <key>, which is empty in a sequence. */
struct yaml_node *yaml_make_add(struct yaml_made *m, struct str key, const struct yaml_node *child);

/* Adds a text, which stands where <at> does; and one that is read as number, flag or duration. */
void yaml_make_text(struct yaml_made *m, struct str key, struct str text,
                    const struct yaml_node *at);
void yaml_make_plain(struct yaml_made *m, struct str key, struct str text,
                     const struct yaml_node *at);

#endif
