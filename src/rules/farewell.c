/*
 * Rules that go while alerts of theirs fire. Whoever was told that those fire is told that they ended, and the run stays
 * until that is durable: neither a ledger without room nor a crash right behind a reload leaves an alert firing for ever.
 *
 * Invariants
 *   1. A run that leaves keeps its alerts' states, so that a snapshot has them until the ledger has their ends.
 *   2. <ended> from <told> on is not given yet. A rule that comes back goes on with those alerts; what was told is owed to the
 *      others, as of any edge that is given and not known to be durable.
 *   3. From before the first end is given until all are durable the run is committing, so that no snapshot that has its alerts
 *      firing claims the frames that say they ended.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"

struct farewell {
    struct rule_set *set;       /* of its rule; NULL: an orphan's */
    struct rule unknown;        /* stands in for the rule of an orphan: what is known of it */
    struct rule_group no_group; /* likewise */
    VEC(struct batch *) ended;
    size_t told;
    uint64_t seq; /* of the last that was told */
    bool is_late; /* it was said that the ledger does not take it */
};

static bool keep_end(void *arg, struct batch *b, struct err *e)
{
    struct rule_run *run = arg;

    (void)e;
    departed_keep(run, b);
    vec_push(&run->farewell->ended, batch_ref(b));
    return true;
}

static void end_series(struct rule_run *run)
{
    struct evaluation ev;
    struct sample_set set = {.ev = &ev};
    struct err e = ERR_INIT;

    evaluation_begin(&ev, run, clock_wall_ns(run->engine->env->clock),
                     (struct wait){0, NULL}); /* a full log holds nobody up */
    if (run->kind == RULE_ALERT) {
        alert_retire(run, &set, (struct edges_sink){keep_end, run});
    } else {
        record_retire(run, &set);
    }
    if (!sample_set_give(&set, run->kind == RULE_ALERT, false, &e)) {
        trace_warn(&run->engine->trace, "a removed rule's series stay until they age out",
                   T_STR("rule", run->rule->name), T_ERR(&e));
    }
    sample_set_release(&set);
    evaluation_end(&ev);
}

void farewell_begin(struct rule_run *run, struct rule_set *set)
{
    struct farewell *f = mem_new(struct farewell);

    run->farewell = f;
    run->engine->leaving++;
    if (run->rule != NULL) {
        f->set = rule_set_ref(set);
    } else {
        f->unknown = (struct rule){
            .group = &f->no_group, .kind = run->kind, .id = run->id, .name = run->name};
        run->rule = &f->unknown;
    }
    budget_move(run, NULL);
    end_series(run);
}

static bool tell_one(struct rule_run *run, struct err *e)
{
    const struct engine_output *output = &run->engine->output;
    struct farewell *f = run->farewell;
    bool begins = !run->is_committing;

    if (begins) {
        engine_commit_begin(run);
    }
    if (output->edges(output->arg, run->rule, f->ended.items[f->told], EDGES_ENDED, &f->seq, e)) {
        f->told++;
        return true;
    }
    if (begins) {
        engine_commit_end(run, 0);
    }
    return false;
}

static bool tell(struct rule_run *run)
{
    struct farewell *f = run->farewell;
    struct err e = ERR_INIT;

    while (f->told < f->ended.len) {
        if (!tell_one(run, &e)) {
            if (!f->is_late) {
                trace_warn(&run->engine->trace,
                           "the ledger does not take that the alerts of a removed rule ended; it "
                           "is tried again",
                           T_STR("rule", run->rule->name), T_ERR(&e));
            }
            f->is_late = true;
            return false;
        }
    }
    return true;
}

bool farewell_is_said(struct rule_run *run)
{
    const struct engine_output *output = &run->engine->output;
    const struct farewell *f = run->farewell;
    struct err ignored = ERR_INIT;

    if (!tell(run)) {
        return false;
    }
    if (f->told == 0) {
        return true;
    }
    if (!output->held(output->arg, f->seq, (struct wait){0, NULL}, &ignored)) {
        return false;
    }
    engine_commit_end(run, f->seq);
    return true;
}

/* What was told of these alerts is owed to them. */
static void owe(struct rule_run *run, struct batch *ended)
{
    const struct alerts *alerts = NULL;
    struct err ignored = ERR_INIT;

    INVARIANT(batch_alerts(ended, &alerts, &ignored)); /* made here, never encoded alone */
    for (uint32_t i = 0; i < alerts->count; i++) {
        uint32_t id = series_find(&run->table, alerts->rows[i].labels);
        if (id != HINDEX_NONE) {
            const struct alert_item *item = (const void *)series_at(&run->table, id);
            struct pending_edge edge = {.item = id, .next = item->status};
            edge.next.state = ALERT_RESOLVED;
            edge.next.resolved_at_ns = alerts->rows[i].resolved_at_ns;
            vec_push(&run->owed, edge);
        }
    }
}

void farewell_take_back(struct rule_run *run)
{
    const struct farewell *f = run->farewell;

    for (size_t i = 0; f != NULL && i < f->told; i++) {
        owe(run, f->ended.items[i]);
        run->owed_seq = f->seq;
    }
    farewell_drop(run);
}

void farewell_drop(struct rule_run *run)
{
    struct farewell *f = run->farewell;

    if (f == NULL) {
        return;
    }
    run->farewell = NULL;
    run->engine->leaving--;
    for (size_t i = 0; i < f->ended.len; i++) {
        batch_unref(f->ended.items[i]);
    }
    vec_release(&f->ended);
    rule_set_unref(f->set);
    mem_free(f);
}
