/*
 * routes.h - reads `routes` of the config into a plan_config whose targets are known.
 *
 * Ownership: the arena's, save the conditions, which plan_config_release() frees. Threads: confined.
 * Limits: those of the YAML reader.
 */
#ifndef TELEX_EXPORT_ROUTES_H
#define TELEX_EXPORT_ROUTES_H

#include "export/plan.h"

/* On failure <config> has the routes so far, to be released. */
MUST_USE bool plan_read_routes(const struct yaml_node *node, struct arena *a,
                               struct plan_config *config, struct err *e);

#endif
