#include "app/outputs.h"

#include "base/clock.h"
#include "export/rule_webhook.h"
#include "state/history.h"

enum { ROOM_WAIT_MS = 1000 };

static uint64_t target_mask(const struct outputs *o, struct str name)
{
    struct err ignored = ERR_INIT;
    int index = plan_find_target(o->config, name, &ignored);

    return index >= 0 ? UINT64_C(1) << index : 0;
}

static uint64_t webhook_target(const struct outputs *o, const struct rule *rule)
{
    uint64_t batches = rule->export.is_batch ? target_mask(o, STR(RULE_WEBHOOK_BATCHES)) : 0;

    return batches != 0 ? batches : target_mask(o, STR(RULE_WEBHOOK));
}

/* The targets that the rule's own annotations name, as a mask; 0: none, the routes decide. */
static uint64_t named_target(const struct outputs *o, const struct rule *rule)
{
    const struct rule_export *x = &rule->export;
    uint64_t mask = 0;

    if (x->enabled && x->datastore.len > 0) {
        mask |= target_mask(o, x->datastore);
    }
    if (x->enabled && x->has_webhook) {
        mask |= webhook_target(o, rule);
    }
    return mask;
}

/* The exporters that the rule or its group names; 0: none. */
static uint64_t own_targets(const struct outputs *o, const struct rule *rule)
{
    struct err ignored = ERR_INIT;
    uint64_t mask = 0;

    for (size_t i = 0; i < rule->exporter_count; i++) {
        int index = plan_find_target(o->config, rule->exporters[i].name, &ignored);
        mask |= index >= 0 ? UINT64_C(1) << index : 0;
    }
    return mask;
}

/* An annotation is nearer to what is exported than the field. */
static uint64_t first_of(uint64_t named, uint64_t own)
{
    return named != 0 ? named : own;
}

/* What the writing thread is behind it catches up with; a log in trouble refuses at once. */
static struct wait short_wait(const struct outputs *o)
{
    return (struct wait){clock_deadline_ms(o->clock, ROOM_WAIT_MS), NULL};
}

/* ---- edges ---- */

/* What fired goes to the output that the rule's annotation names, the rest to the rule's exporters, or
 * else by the routes. */
static bool give_edges(void *arg, const struct rule *rule, struct batch *b, enum edges_told told,
                       uint64_t *ret_seq, struct err *e)
{
    struct outputs *o = arg;
    uint64_t own = own_targets(o, rule);
    bool is_named = told == EDGES_FIRED || (told == EDGES_ENDED && rule->export.on_resolve);
    struct give how = {.only = is_named ? first_of(named_target(o, rule), own) : own,
                       .state_only = told == EDGES_QUIET || rule->export.disabled,
                       .hurried = true,
                       .wait = short_wait(o)};

    if (!plan_give(o->plan, b, &how, ret_seq, e)) {
        return false;
    }
    if (o->history != NULL) {
        history_changes(o->history, b, !how.state_only);
    }
    atomic_fetch_add_explicit(&o->edges, batch_rows(b), memory_order_relaxed);
    atomic_fetch_add_explicit(&o->edge_bytes, batch_bytes(b), memory_order_relaxed);
    return true;
}

static bool wait_held(void *arg, uint64_t seq, struct wait wait, struct err *e)
{
    struct outputs *o = arg;
    struct receipt receipt = {.kind = RECORD_ALERT, .seq = seq};

    return plan_wait_held(o->plan, &receipt, wait, e);
}

/* ---- samples ---- */

static bool give_samples(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                         bool thinned, struct given_mark *mark, struct err *e)
{
    struct outputs *o = arg;
    uint64_t own = own_targets(o, rule);
    struct give how = {
        .only = alert_series ? own : first_of(named_target(o, rule), own),
        .alert_series = alert_series,
        .hurried = true,
        .wait = short_wait(o),
    };
    struct receipt receipt = {0};

    bool is_left_out = rule->export.disabled || (thinned && rule->export.enabled);
    if (is_left_out) {
        return true;
    }
    if (!plan_offer(o->plan, b, &how, &receipt, e)) {
        return false;
    }
    mark->seq = receipt.seq > mark->seq ? receipt.seq : mark->seq;
    mark->outputs |= receipt.outputs;
    return true;
}

static bool are_delivered(void *arg, const struct given_mark *mark, bool hurry)
{
    struct outputs *o = arg;
    struct receipt receipt = {.kind = RECORD_SAMPLE, .seq = mark->seq, .outputs = mark->outputs};

    return plan_is_delivered(o->plan, &receipt, hurry);
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
    return (struct engine_output){.edges = give_edges,
                                  .held = wait_held,
                                  .samples = give_samples,
                                  .delivered = are_delivered,
                                  .changed = tell_levels,
                                  .arg = o};
}
