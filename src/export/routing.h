/*
 * routing.h - which outputs a record goes to: routes choose targets, targets come to outputs.
 *
 * First match wins unless `continue: true`. Without routes a record goes to the default targets.
 * Conditions of a target are asked for each record. Outputs that do not take the kind never get it,
 * whatever the routes say.
 *
 * Ownership: a routing borrows the plan's config. Threads: immutable. Limits: as the plan.
 */
#ifndef TELEX_EXPORT_ROUTING_H
#define TELEX_EXPORT_ROUTING_H

#include "base/arena.h"
#include "export/plan.h"

/* What decides: the routes, or targets that were named instead. */
struct routing {
    const struct plan_config *config;
    uint64_t only;   /* these targets and no routes; 0: the routes decide */
    uint64_t except; /* never these targets */
};

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
MUST_USE bool routing_split(const struct routing *how, struct batch *b, struct arena *a,
                            const struct routed **ret_groups, size_t *ret_count, struct err *e);

/* The outputs that the routes choose for an alert as it stands; its annotations are not known. */
uint64_t routing_of_alert(const struct plan_config *config, const struct batch_info *info,
                          const struct alert *alert);

/* The outputs that take records of this kind; alert_series: only time series stores. */
uint64_t routing_takers(const struct plan_config *config, enum record_kind kind, bool alert_series);

#endif
