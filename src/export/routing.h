/*
 * routing.h - which outputs a record goes to: the routes of the config, compiled.
 *
 * First match wins unless `continue: true`. Without routes a record goes to every output that takes
 * its kind. Outputs that do not take the kind never get it, whatever the routes say.
 *
 * Ownership: a routing borrows the plan's config. Threads: immutable. Limits: as the plan.
 */
#ifndef TELEX_EXPORT_ROUTING_H
#define TELEX_EXPORT_ROUTING_H

#include "base/arena.h"
#include "export/plan.h"

/* Rows of a batch that go to the same outputs. */
struct routed {
    uint64_t outputs;
    const uint32_t *rows; /* NULL: all */
    uint32_t count;
};

/*
 * Splits <b> by outputs; groups and their rows live in <a>. A route that depends on nothing but
 * what all rows share is evaluated once, and then the whole batch is one group.
 */
MUST_USE bool routing_split(const struct plan_config *config, struct batch *b, struct arena *a,
                            const struct routed **ret_groups, size_t *ret_count, struct err *e);

/* The outputs that take records of this kind; alert_series: only time series stores. */
uint64_t routing_takers(const struct plan_config *config, enum record_kind kind, bool alert_series);

#endif
