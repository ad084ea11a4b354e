/*
 * left_out.h - reading on behind a mistake: what is left of a tree without the smallest part that the mistake is in.
 *
 * An option that is wrong is left out and the rest is read again, so that one look shows all mistakes. What is said
 * then of the mapping that it stood in, and names the option ("needs 'url'"), follows from that and is not told;
 * the mapping is left out too.
 *
 * Ownership: what is left lives in the arena and shares what is whole with the tree. Threads: confined. Limits:
 * LEFT_OUT_MAX parts, then no more is looked for.
 */
#ifndef TELEX_APP_LEFT_OUT_H
#define TELEX_APP_LEFT_OUT_H

#include "base/arena.h"
#include "base/err.h"
#include "base/yaml.h"

enum { LEFT_OUT_MAX = 50 };

struct left_out {
    struct arena *arena;
    bool is_list; /* the root's children stand alone: sections, exporters, routes */
    size_t count; /* parts left out */
    struct str names[LEFT_OUT_MAX];   /* of these parts */
    struct str instead[LEFT_OUT_MAX]; /* what they were perhaps meant to be */
    size_t blunt_count;
    size_t blunt[LEFT_OUT_MAX * 2]; /* offsets of nodes that parts of were left out */
};

/* Does <e> say no more than that something was left out? */
bool left_out_explains(const struct left_out *l, const struct yaml_node *node, const struct err *e);

/* <node> without what <e> is about; NULL when that has no place in it. */
const struct yaml_node *left_out_without(struct left_out *l, const struct yaml_node *node,
                                         const struct err *e);

#endif
