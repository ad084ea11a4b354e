/* What people want of a running plan: to see how outputs are doing, and to hold or hurry them. */
#include "export/attempts.h"
#include "export/ends.h"
#include "export/plan_int.h"

#include "export/direct.h"

#include "export/plan.h"
#include "export/tap.h"
#include "log/log.h"

enum { SETTLE_MS = 2000 };

void output_get_status(struct output *o, struct output_status *ret)
{
    *ret = (struct output_status){.is_healthy = true,
                                  .name = o->config->name,
                                  .kind = o->config->kind->name,
                                  .state = "idle"};
    for (unsigned way = 0; way < PLAN_WAYS; way++) {
        if (o->consumers[way] != NULL) {
            consumer_status(o->consumers[way], ret);
        }
    }
    if (o->level != NULL) {
        level_set_status(o->level, ret);
    }
    lock_take(&o->sharing);
    if (o->direct != NULL) {
        direct_add_status(o->direct, ret);
    }
    lock_give(&o->sharing);
    ret->dead_letter_bytes = o->dead != NULL ? dead_letters_bytes(o->dead) : 0;
}

bool plan_tap(struct plan *p, struct str name, uint64_t after, struct buf *out, uint64_t *ret_next,
              uint64_t *ret_missed, struct err *e)
{
    struct graph *g = plan_use_graph(p);
    bool known = false;

    for (size_t i = 0; i < g->config.output_count; i++) {
        known = known || str_eq(g->config.outputs[i].name, name);
    }
    plan_release_graph(p, g);
    return known ? taps_read(p->taps, name, after, out, ret_next, ret_missed, e)
                 : err_set(e, ERR_CONFLICT, "there is no exporter '%.*s'", STR_FMT(name));
}

size_t plan_status(struct plan *p, struct output_status *ret, size_t max)
{
    struct graph *g = plan_use_graph(p);
    size_t count = g->config.output_count < max ? g->config.output_count : max;

    for (size_t i = 0; i < count; i++) {
        output_get_status(&g->outputs[i], &ret[i]);
    }
    plan_release_graph(p, g);
    return count;
}

bool plan_output_status(struct plan *p, struct str name, struct output_status *ret)
{
    struct graph *g = plan_use_graph(p);
    bool found = false;

    for (size_t i = 0; !found && i < g->config.output_count; i++) {
        found = str_eq(g->outputs[i].config->name, name);
        if (found) {
            output_get_status(&g->outputs[i], ret);
        }
    }
    plan_release_graph(p, g);
    return found;
}

void plan_attempts(struct plan *p, struct str name, struct attempt_counts *ret)
{
    struct graph *g = plan_use_graph(p);

    *ret = (struct attempt_counts){0};
    for (size_t i = 0; i < g->config.target_count; i++) {
        uint64_t rest =
            str_eq(g->config.targets[i].name, name) ? g->config.targets[i].expansion->outputs : 0;
        for (; rest != 0; rest &= rest - 1) {
            const struct output *o = &g->outputs[__builtin_ctzll(rest)];
            if (o->attempts != NULL) {
                attempts_add_to(o->attempts, ret);
            }
        }
    }
    plan_release_graph(p, g);
}

bool plan_target_bit(struct plan *p, struct str name, uint64_t *ret_bit)
{
    struct graph *g = plan_use_graph(p);
    bool found = false;

    for (size_t i = 0; !found && i < g->config.target_count; i++) {
        found = str_eq(g->config.targets[i].name, name);
        if (found) {
            *ret_bit = UINT64_C(1) << i;
        }
    }
    plan_release_graph(p, g);
    return found;
}

void plan_level_targets(struct plan *p,
                        void (*visit)(void *arg, const struct level_set_target *target), void *arg)
{
    struct graph *g = plan_use_graph(p);

    for (size_t i = 0; i < g->config.output_count; i++) {
        if (g->outputs[i].level != NULL) {
            level_set_targets(g->outputs[i].level, visit, arg);
        }
    }
    plan_release_graph(p, g);
}

/* What was given without waiting for the disk is to be seen by the lanes that end. */
static bool settle_logs(struct plan *p, struct wait wait)
{
    bool settled = true;
    struct wait soon = wait_limit_ms(wait, p->env->clock, SETTLE_MS);

    for (unsigned log = 0; log < PLAN_LOGS; log++) {
        struct log_status status;
        struct err e = ERR_INIT;
        log_status(p->logs[log], &status);
        if (!log_wait_durable(p->logs[log], status.next_seq - 1, soon, &e)) {
            trace_warn(&p->trace, "the disk is late; what was given last may not be delivered now",
                       T_TEXT("log", plan_log_name(log)), T_ERR(&e));
            settled = false;
        }
    }
    return settled;
}

bool plan_drain(struct plan *p, struct wait wait, struct plan_left *ret_left)
{
    struct graph *g = plan_use_graph(p);
    bool settled = settle_logs(p, wait);

    graph_drain(g, wait);
    plan_tell_left(p, g, ret_left);
    plan_release_graph(p, g);
    return settled;
}

/* ---- holding and hurrying ---- */

static bool each_consumer_of(struct plan *p, struct str name, void (*visit)(struct consumer *),
                             struct err *e)
{
    struct graph *g = plan_use_graph(p);
    size_t found = 0;

    for (size_t i = 0; i < g->config.output_count; i++) {
        struct output *o = &g->outputs[i];
        if (!str_eq(o->config->name, name)) {
            continue;
        }
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (o->consumers[way] != NULL) {
                visit(o->consumers[way]);
                found++;
            }
        }
    }
    plan_release_graph(p, g);
    return found > 0 || err_set(e, ERR_CONFLICT, "there is no exporter '%.*s' that keeps a queue",
                                STR_FMT(name));
}

bool plan_pause(struct plan *p, struct str name, struct err *e)
{
    return each_consumer_of(p, name, consumer_pause, e);
}

bool plan_resume(struct plan *p, struct str name, struct err *e)
{
    return each_consumer_of(p, name, consumer_resume, e);
}

bool plan_flush(struct plan *p, struct str name, struct err *e)
{
    return each_consumer_of(p, name, consumer_flush, e);
}

void plan_hurry(struct plan *p)
{
    struct graph *g = plan_use_graph(p);

    for (size_t i = 0; i < g->config.output_count; i++) {
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (g->outputs[i].consumers[way] != NULL) {
                consumer_hurry(g->outputs[i].consumers[way]);
            }
        }
    }
    plan_release_graph(p, g);
}

void plan_tell_ends(struct plan *p, const struct end_listener *listener)
{
    ends_listen(p->ends, listener);
}
