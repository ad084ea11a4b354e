#include "app/outputs.h"

#include "base/mem.h"
#include "export/pick.h"

/* The target that the rule's own annotation names, as a mask; 0: none, the routes decide. */
static uint64_t named_target(const struct outputs *o, const struct rule *rule)
{
    struct err ignored = ERR_INIT;

    if (!rule->export.enabled || rule->export.datastore.len == 0) {
        return 0;
    }
    int index = plan_find_target(o->config, rule->export.datastore, &ignored);
    return index >= 0 ? UINT64_C(1) << index : 0;
}

static bool give(struct outputs *o, struct batch *b, const struct give *how, uint64_t *ret_seq,
                 struct err *e)
{
    uint64_t seq = 0;

    if (!plan_give(o->plan, b, how, &seq, e)) {
        return false;
    }
    *ret_seq = seq > *ret_seq ? seq : *ret_seq;
    return true;
}

/* ---- edges ---- */

/* Those rows of <b> that fired, or those that did not. */
static bool give_part(struct outputs *o, struct batch *b, const struct alerts *alerts, bool fired,
                      const struct give *how, uint64_t *ret_seq, struct err *e)
{
    AUTO(mem_autofree) uint32_t *rows = mem_alloc0(alerts->count, sizeof(*rows));
    AUTO(batch_autounref) struct batch *part = NULL;
    struct view view = {.batch = b, .rows = rows};

    for (uint32_t i = 0; i < alerts->count; i++) {
        if ((alerts->rows[i].to == ALERT_ALERTING) == fired) {
            rows[view.n++] = i;
        }
    }
    return view.n == 0 || (batch_pick(view, &part, e) && give(o, part, how, ret_seq, e));
}

/* What fired goes to the output that the rule names, the rest by the routes. */
static bool give_apart(struct outputs *o, struct batch *b, uint64_t named, struct give how,
                       uint64_t *ret_seq, struct err *e)
{
    const struct alerts *alerts = NULL;
    struct give fired = how;

    fired.only = named;
    return batch_alerts(b, &alerts, e) && give_part(o, b, alerts, true, &fired, ret_seq, e) &&
           give_part(o, b, alerts, false, &how, ret_seq, e);
}

static bool give_edges(void *arg, const struct rule *rule, struct batch *b, bool told,
                       struct wait wait, uint64_t *ret_seq, struct err *e)
{
    struct outputs *o = arg;
    uint64_t named = told ? named_target(o, rule) : 0;
    struct give how = {.state_only = !told || rule->export.disabled, .durable = true, .wait = wait};
    uint64_t seq = 0;

    bool ok = named != 0 ? give_apart(o, b, named, how, &seq, e) : give(o, b, &how, &seq, e);
    if (!ok) {
        return false;
    }
    *ret_seq = seq;
    atomic_fetch_add_explicit(&o->edges, batch_rows(b), memory_order_relaxed);
    atomic_fetch_add_explicit(&o->edge_bytes, batch_bytes(b), memory_order_relaxed);
    return true;
}

/* ---- samples ---- */

static bool give_samples(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                         bool thinned, struct wait wait, struct err *e)
{
    struct outputs *o = arg;
    struct give how = {
        .only = alert_series ? 0 : named_target(o, rule),
        .alert_series = alert_series,
        .wait = wait,
    };
    uint64_t seq = 0;

    bool is_left_out = rule->export.disabled || (thinned && rule->export.enabled);
    return is_left_out || give(o, b, &how, &seq, e);
}

static void tell_levels(void *arg)
{
    struct outputs *o = arg;

    plan_levels_changed(o->plan);
}

void outputs_use(struct outputs *o, struct plan *plan, const struct plan_config *config)
{
    o->plan = plan;
    o->config = config;
}

struct engine_output outputs_for_engine(struct outputs *o)
{
    return (struct engine_output){
        .edges = give_edges, .samples = give_samples, .changed = tell_levels, .arg = o};
}
