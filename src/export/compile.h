/*
 * compile.h - from the tree of exporters to what works: consumers, and targets that come to them.
 *
 * Walking down from an entry: what chooses (conditional, parallel multi) becomes an expansion; what
 * holds and insists (buffer, resilient) becomes options of the consumers below; the rest (stages,
 * failover, sequential, leaves) becomes what a consumer delivers through. A leaf that several name
 * is one consumer, called as the leaf, unless something above changes how it is delivered: then it is
 * a consumer of its own, called by its way: "both/influx".
 *
 * What has no defined meaning is refused, with the reason. Ownership: everything lives in the tree's
 * arena. Threads: confined. Limits: PLAN_OUTPUTS_MAX consumers, COMPILE_STEPS_MAX steps.
 */
#ifndef TELEX_EXPORT_COMPILE_H
#define TELEX_EXPORT_COMPILE_H

#include "export/tree.h"

enum { COMPILE_STEPS_MAX = 4096 };

/* Fills outputs, targets, exporters and self metrics of <config> from a tree that was read. */
MUST_USE bool plan_compile(struct tree *t, struct plan_config *config, struct err *e);

#endif
