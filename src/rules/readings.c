#include "rules/readings.h"

#include "rules/print.h"

struct collected {
    VEC(struct group_reading) groups;
    VEC(struct rule_reading) rules;
};

static void count_alerts(const struct rule_run *run, struct rule_reading *r)
{
    for (uint32_t i = 0; i < run->table.count; i++) {
        const struct alert_item *item =
            (const struct alert_item *)(const void *)series_at(&run->table, i);
        if (item->head.labels != NULL && alert_state_is_active(item->status.state)) {
            bool is_pending = item->status.state == ALERT_PENDING;
            r->pending += is_pending;
            r->firing += !is_pending;
        }
    }
}

static void read_rule(struct collected *c, struct rule_run *run)
{
    struct rule_reading *r = vec_add(&c->rules);

    r->rule = run->rule;
    lock_take(&run->lock);
    r->failures = run->failures;
    r->samples = run->outcome.samples;
    r->series_fetched = run->outcome.time_ns != 0 ? run->outcome.series_fetched : -1;
    if (run->kind == RULE_ALERT) {
        count_alerts(run, r);
    }
    lock_give(&run->lock);
}

static void read_group(struct collected *c, const struct group_run *g)
{
    struct group_reading *r = vec_add(&c->groups);

    r->group = g->group;
    r->iterations = metric_value(g->iterations);
    r->missed = metric_value(g->late) + metric_value(g->refused) + metric_value(g->cut);
    r->seconds = metric_value(g->duration);
    for (size_t i = 0; i < g->group->rule_count; i++) {
        read_rule(c, g->runs[i]);
    }
}

void engine_read(struct engine *en, void (*use)(void *arg, const struct engine_readings *r),
                 void *arg)
{
    struct collected c = {0};

    engine_view_begin(en);
    for (size_t i = 0; i < en->group_count; i++) {
        read_group(&c, &en->groups[i]);
    }
    use(arg, &(struct engine_readings){c.groups.items, c.groups.len, c.rules.items, c.rules.len});
    engine_view_end(en);
    vec_release(&c.groups);
    vec_release(&c.rules);
}
