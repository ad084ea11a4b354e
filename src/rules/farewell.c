/*
 * Rules that go while alerts of theirs fire. Whoever was told that those fire is told that they ended, and the run stays
 * until that is durable: neither a ledger without room nor a crash right behind a reload leaves an alert firing for ever.
 *
 * Invariants
 *   1. A run that leaves keeps its alerts' states, so that a snapshot has them until the ledger has their ends.
 *   2. <ended> from <told> on is not given yet. Once any of it is, the alerts are over: a rule that comes back begins anew.
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

static bool tell(struct rule_run *run)
{
    const struct engine_output *output = &run->engine->output;
    struct farewell *f = run->farewell;
    struct err e = ERR_INIT;

    while (f->told < f->ended.len) {
        if (!output->edges(output->arg, run->rule, f->ended.items[f->told], EDGES_ENDED, &f->seq,
                           &e)) {
            if (!f->is_late) {
                trace_warn(&run->engine->trace,
                           "the ledger does not take that the alerts of a removed rule ended; it "
                           "is tried again",
                           T_STR("rule", run->rule->name), T_ERR(&e));
            }
            f->is_late = true;
            return false;
        }
        f->told++;
    }
    return true;
}

bool farewell_is_said(struct rule_run *run)
{
    const struct engine_output *output = &run->engine->output;
    struct err ignored = ERR_INIT;

    return tell(run) &&
           (run->farewell->told == 0 ||
            output->held(output->arg, run->farewell->seq, (struct wait){0, NULL}, &ignored));
}

bool farewell_has_begun(const struct rule_run *run)
{
    return run->farewell != NULL && run->farewell->told > 0;
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
