/*
 * targets.h - which consumers a target comes to for one record.
 *
 * Ownership: borrows the plan's config. Threads: immutable. Limits: STAGE_DEPTH_MAX deep.
 */
#ifndef TELEX_EXPORT_TARGETS_H
#define TELEX_EXPORT_TARGETS_H

#include "export/plan.h"

/* Bits of outputs. */
uint64_t expansion_outputs(const struct plan_expansion *x, const struct record_view *record);

/* Does it come to the same for all records that share what <is_static> says? */
bool expansion_only_uses(const struct plan_expansion *x,
                         bool (*is_static)(const void *arg, enum field_scope scope,
                                           struct str name),
                         const void *arg);

/* Are as many outputs of <x> done as it needs? <is_done>: bits of outputs. */
bool expansion_is_done(const struct plan_expansion *x, uint64_t done);

#endif
