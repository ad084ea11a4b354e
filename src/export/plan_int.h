/*
 * plan_int.h - the plan as its files see it.
 *
 * Ownership: the plan owns a graph, which owns outputs; the logs outlive graphs. Threads: the graph
 * is replaced under plan->lock; who gives holds a reference to it meanwhile. Limits: as plan.h.
 */
#ifndef TELEX_EXPORT_PLAN_INT_H
#define TELEX_EXPORT_PLAN_INT_H

#include "base/trace.h"
#include "base/vec.h"
#include "export/consumer.h"
#include "export/drops.h"
#include "export/level_set.h"
#include "export/plan.h"

#include <stdatomic.h>

enum { PLAN_LEDGER, PLAN_BULK, PLAN_LOGS };

/* An output has a way through each log, and another one through bulk where its spans go apart. */
enum { WAY_SPANS = PLAN_LOGS, PLAN_WAYS };

static inline unsigned way_log(unsigned way)
{
    return way == WAY_SPANS ? PLAN_BULK : way;
}

/* One exporter at work: a consumer per way that its kinds of records take, or a level output. */
struct output {
    const struct output_config *config;
    const struct plan_config *plan; /* that it is an output of */
    struct consumer *consumers[PLAN_WAYS];
    unsigned bits[PLAN_WAYS];
    struct dead_letters *dead;
    struct drops drops;
    struct level_set *level;
    struct attempts *attempts; /* of all ways to it */
    struct lock sharing;
    struct direct *direct GUARDED_BY(sharing); /* who delivers to it past the log, or NULL */
};

/* Outputs and routes of one config. */
struct graph {
    _Atomic uint32_t users;
    struct plan_config config;
    struct gates *gates;
    struct oauth2_pool *tokens;
    struct output outputs[PLAN_OUTPUTS_MAX];
};

struct plan {
    const struct env *env;
    struct str state_path; /* owned */
    struct plan_storage storage;
    struct log *logs[PLAN_LOGS];
    unsigned state_bit; /* the ledger's consumer that keeps edges until a snapshot has them */
    struct trace trace;
    struct taps *taps;
    struct call_meters *meters;
    struct pages *pages;
    struct ends *ends;
    struct lock changing; /* one change of who reads the logs at a time; taken before <lock> */
    struct lock lock;
    struct cond unused; /* a graph lost its last user */
    struct graph *graph GUARDED_BY(lock);
    const struct level_source *levels GUARDED_BY(lock);
    VEC(struct drops *) orphan_drops GUARDED_BY(lock); /* kept for their counts */
};

/* Opens what <config> says on the plan's logs; nothing runs yet. */
MUST_USE bool graph_open(struct plan *p, const struct plan_config *config, struct graph **ret_graph,
                         struct err *e);
void graph_start(struct graph *g, const struct level_source *levels);

/* Outputs that <before>, which has stopped, had too go on as they were there. */
void graph_follow(struct graph *g, struct graph *before);

/* Ends all outputs, which deliver what the logs hold now until <wait> is over; graph and status can
 * still be used. */
void graph_drain(struct graph *g, struct wait wait);

/* The same, but only what is under way is finished: another graph goes on with the rest. */
void graph_rest(struct graph *g, struct wait wait);
void graph_free(struct graph *g);

/* As plan_status() has it. */
void output_get_status(struct output *o, struct output_status *ret);

/* Says in the log what the outputs of <g>, which have ended, leave behind. */
void plan_tell_left(struct plan *p, struct graph *g, struct plan_left *ret_left);

/* The way that records of a kind take to the output; whether it has it, its consumers say. */
unsigned output_way(const struct output *o, enum record_kind kind);

/* "ledger", "bulk" */
const char *plan_log_name(unsigned log);

/* What stands behind an exporter's name in that of the consumer of its spans. */
#define SPANS_SUFFIX " (spans)"

/* Looks for consumers that no output of <g> has: done ones are retired, others are named. */
void plan_retire_unused(struct plan *p, const struct graph *g);

/* The graph for a while; give it back with plan_release_graph(). */
struct graph *plan_use_graph(struct plan *p);
void plan_release_graph(struct plan *p, struct graph *g);

#endif
