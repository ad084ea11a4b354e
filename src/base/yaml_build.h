/*
 * yaml_build.h - the builder that yaml_parse() runs, shared by the files that build nodes.
 *
 * Invariants:
 *  1. <nodes> counts every node that a reader can reach, those behind aliases once per alias: an
 *     alias shares its anchor's children, so memory stays small, but who walks the tree would not
 *     end; the cap is on what is walked. The same holds for depth.
 *  2. An anchor whose node is not complete has node NULL; an alias to it is recursive and refused.
 *     So the tree has no cycles.
 *  3. Only nodes that are being built are written to; a finished node is const.
 *
 * Ownership: nodes in the arena; the parser and the tables are yaml_parse()'s. Threads: confined.
 * Limits: those of yaml.h.
 */
#ifndef TELEX_BASE_YAML_BUILD_H
#define TELEX_BASE_YAML_BUILD_H

#include "base/map.h"
#include "base/yaml_int.h"

struct yaml_anchor {
    const struct yaml_node *node; /* NULL while it is being built */
    size_t nodes;                 /* it and what is below it */
    int height;                   /* levels below it */
};

struct yaml_builder {
    struct arena *arena;
    const struct yaml_source *source;
    struct yaml_places places;
    size_t shift; /* of a byte order mark: from <places> to the source */
    yaml_parser_t parser;
    struct map anchors; /* of the document, by name */
    uint64_t seed;
    size_t nodes;
    int deepest; /* level reached since the anchor that is being built began */
    struct err *e;
};

/* Where an event begins and ends, in bytes. */
static inline size_t yaml_start_of(const struct yaml_builder *b, const yaml_event_t *event)
{
    return yaml_places_offset(&b->places, event->start_mark.index);
}

static inline size_t yaml_end_of(const struct yaml_builder *b, const yaml_event_t *event)
{
    return yaml_places_offset(&b->places, event->end_mark.index);
}

/* The next event in <event>, which is released first. */
MUST_USE bool yaml_next_event(struct yaml_builder *b, yaml_event_t *event);

/* Counts nodes against the caps; false with an error at <offset>. */
MUST_USE bool yaml_count_nodes(struct yaml_builder *b, size_t count, size_t offset);

/* A new node for what stands at [offset, end); NULL with an error when there are too many. */
struct yaml_node *yaml_new_node(struct yaml_builder *b, enum yaml_kind kind, size_t offset,
                                size_t end);

/* The node that begins with <event>, which is used for the events that follow; NULL on failure. */
struct yaml_node *yaml_build_node(struct yaml_builder *b, yaml_event_t *event, int depth);

/* Pairs up to the end of the mapping <node>. */
MUST_USE bool yaml_fill_mapping(struct yaml_builder *b, yaml_event_t *event, int depth,
                                struct yaml_node *node);

#endif
