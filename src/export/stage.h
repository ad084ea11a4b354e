/*
 * stage.h - what a consumer delivers through: a tree of sinks, compiled from the config.
 *
 * The config nests exporters freely; the compiler (compile.h) sorts that out. What chooses
 * (conditional, parallel multi) becomes routing above the log; what holds and insists (buffer,
 * resilient) becomes options of the consumer; what is left are stages: sinks around sinks (relabel,
 * sample, rate_limit, monitor, failover, sequential) with leaves at the ends. A stage passes
 * outcomes through, row by row, so that stages compose.
 *
 * Ownership: configs live in the graph's arena; an opened stage owns the sinks below it. Threads: a
 * stage belongs to one lane, like a leaf. Limits: STAGE_DEPTH_MAX deep.
 */
#ifndef TELEX_EXPORT_STAGE_H
#define TELEX_EXPORT_STAGE_H

#include "export/exporter.h"

enum { STAGE_DEPTH_MAX = 16 };

struct stage_config {
    const struct exporter_kind *kind;           /* a leaf's kind, or a combinator's */
    const void *config;                         /* of kind->options */
    struct str name;                            /* its place in the tree: "either/influx" */
    const struct stage_config *const *children; /* a leaf has none */
    size_t child_count;
};

/*
 * Opens the tree, leaves first; <place> is the consumer's. Talks to no destination. On failure
 * everything that was opened is closed.
 */
MUST_USE bool stage_open(const struct exporter_place *place, const struct stage_config *config,
                         struct sink **ret_sink, struct err *e);

#endif
