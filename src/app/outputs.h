/*
 * outputs.h - where what rules find goes: the engine's outputs over the delivery plan.
 *
 * A rule labelled export_to_datastore "true" that names an export_datastore gives its firings and
 * samples to that output alone; its resolves, and everything else, follow the routes. "false" keeps
 * what a rule finds inside. export_interval leaves out the samples of the evaluations between.
 *
 * Ownership: borrows plan and config, which are exchanged while nothing evaluates. Threads: the
 * engine's workers give, concurrently; outputs_use() while none does. Limits: none of its own.
 */
#ifndef TELEX_APP_OUTPUTS_H
#define TELEX_APP_OUTPUTS_H

#include "export/plan.h"
#include "rules/engine.h"

#include <stdatomic.h>

struct history;

struct outputs {
    const struct clock *clock;
    struct history *history; /* who keeps changes of alert state; or NULL */
    struct plan *plan;
    const struct plan_config *config;
    _Atomic uint64_t edges;      /* given since the start, told or not */
    _Atomic uint64_t edge_bytes; /* what they may take in the ledger */
};

/* From now on <config> says which exporter a name means; it is what <plan> runs. */
void outputs_use(struct outputs *o, struct plan *plan, const struct plan_config *config);

struct engine_output outputs_for_engine(struct outputs *o);

#endif
