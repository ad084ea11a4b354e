/* Datasource and engine: built from a config, compared, exchanged. */
#include "app/app_int.h"
#include "app/self_metrics.h"

#include "base/mem.h"

#define KEEP_RESOLVED_NS (INT64_C(15) * 60 * NS_PER_S)

static bool open_datasource(struct app *a, const struct config *c,
                            struct datasource **ret_datasource, struct err *e)
{
    if (c->datasource == NULL) {
        *ret_datasource = NULL;
        return true;
    }
    return c->datasource_kind->open(a->env, c->datasource, STR("datasource"), ret_datasource, e);
}

static bool open_named(struct app *a, const struct config *c, struct graph *g, struct err *e)
{
    g->named = mem_alloc0(c->datasource_count, sizeof(struct datasource *));
    for (size_t i = 0; i < c->datasource_count; i++) {
        const struct datasource_config *d = &c->datasources[i];
        if (!d->kind->open(a->env, d->common, d->name, &g->named[i], e)) {
            return err_wrap(e, "datasource '%.*s'", STR_FMT(d->name));
        }
        g->named_count++;
    }
    return true;
}

static struct datasource *restore_source(const struct config *c, const struct graph *g)
{
    int source = c->settings.restore.source;

    if (source < 0) {
        return NULL;
    }
    return source == 0 ? g->datasource : g->named[source - 1];
}

static struct engine_options engine_options_of(const struct app *a, const struct config *c,
                                               const struct graph *g)
{
    struct str url = c->settings.external_url;

    return (struct engine_options){
        .named = g->named,
        .self = g->self,
        .external_labels = c->external_labels,
        .external_url = url.len > 0 ? url : a->options.own_url,
        .alert_source = c->settings.alert_source,
        .template_dialect = (enum template_dialect)c->settings.template_dialect,
        .keep_resolved_ns = KEEP_RESOLVED_NS,
        .query_timeout_ns = NS_PER_S,
        .alertgroup_label = c->settings.alertgroup_label,
        .keep_displaced = c->settings.keep_displaced_labels,
        .restore = restore_source(c, g),
        .restore_lookback_ns = c->settings.restore.lookback_ns,
        .max_series_per_rule = c->settings.limits.series_per_rule,
        .max_series_per_group = c->settings.limits.series_per_group,
        .max_series = c->settings.limits.series_total,
    };
}

bool graph_build(struct app *a, const struct loaded *l, struct graph *ret_graph, struct err *e)
{
    struct graph g = {.config = config_ref(l->config)};
    struct engine_output output = outputs_for_engine(&a->outputs);

    if (!datasource_self.open(a->env, NULL, STR("self"), &g.self, e)) {
        graph_release(&g);
        return false;
    }
    if (!open_datasource(a, l->config, &g.datasource, e) || !open_named(a, l->config, &g, e)) {
        graph_release(&g);
        return false;
    }
    struct engine_options options = engine_options_of(a, l->config, &g);
    if (!engine_new(a->env, &options, g.datasource, &output, &g.engine, e) ||
        !engine_set_rules(g.engine, l->rules, e)) {
        graph_release(&g);
        return false;
    }
    g.levels = engine_levels(g.engine);
    *ret_graph = g;
    return true;
}

void graph_release(struct graph *g)
{
    engine_free(g->engine);
    datasource_close(g->datasource);
    datasource_close(g->self);
    for (size_t i = 0; i < g->named_count; i++) {
        datasource_close(g->named[i]);
    }
    mem_free(g->named);
    config_unref(g->config);
    *g = (struct graph){0};
}

/* ---- what a reload may keep ---- */

static bool nodes_equal(const struct yaml_node *a, const struct yaml_node *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    if (a->kind != b->kind || a->count != b->count || a->style != b->style ||
        !str_eq(a->text, b->text) || !str_eq(a->key, b->key)) {
        return false;
    }
    for (a = a->first, b = b->first; a != NULL && b != NULL; a = a->next, b = b->next) {
        if (!nodes_equal(a, b)) {
            return false;
        }
    }
    return true;
}

bool graph_fits(const struct config *old, const struct config *new_config)
{
    return nodes_equal(old->settings.datasource, new_config->settings.datasource) &&
           (old->datasource == NULL) == (new_config->datasource == NULL) &&
           nodes_equal(old->settings.datasources, new_config->settings.datasources) &&
           memcmp(&old->settings.limits, &new_config->settings.limits,
                  sizeof(old->settings.limits)) == 0 &&
           labels_eq(old->external_labels, new_config->external_labels) &&
           old->settings.alertgroup_label == new_config->settings.alertgroup_label &&
           old->settings.keep_displaced_labels == new_config->settings.keep_displaced_labels &&
           old->settings.restore.source == new_config->settings.restore.source &&
           old->settings.restore.lookback_ns == new_config->settings.restore.lookback_ns &&
           old->settings.template_dialect == new_config->settings.template_dialect &&
           str_eq(old->settings.alert_source, new_config->settings.alert_source) &&
           str_eq(old->settings.external_url, new_config->settings.external_url);
}

/* ---- exchanging ---- */

/* Nobody looks between these two. */
static void seclude(struct app *a)
{
    lock_take(&a->lock);
    a->is_exchanging = true;
    while (a->readers > 0) {
        (void)cond_wait_until(&a->no_readers, &a->lock, DEADLINE_NEVER);
    }
    lock_give(&a->lock);
}

static void admit(struct app *a)
{
    lock_take(&a->lock);
    a->is_exchanging = false;
    cond_broadcast(&a->no_readers);
    lock_give(&a->lock);
}

void graph_publish(struct app *a, const struct graph *g)
{
    seclude(a);
    a->graph = *g;
    admit(a);
}

void graph_wait_unseen(struct app *a)
{
    seclude(a);
    admit(a);
}

struct engine *app_view_begin(struct app *a)
{
    lock_take(&a->lock);
    while (a->is_exchanging) {
        (void)cond_wait_until(&a->no_readers, &a->lock, DEADLINE_NEVER);
    }
    a->readers++;
    struct engine *engine = a->graph.engine;
    lock_give(&a->lock);
    return engine;
}

void app_view_end(struct app *a)
{
    lock_take(&a->lock);
    if (--a->readers == 0) {
        cond_broadcast(&a->no_readers);
    }
    lock_give(&a->lock);
}

/* ---- jobs ---- */

static int64_t next_slot(const void *arg, int64_t after_ns)
{
    return group_next_slot(group_run_rules(arg), after_ns);
}

static void run_group(void *arg, int64_t slot_ns, struct wait wait)
{
    group_evaluate(arg, slot_ns, wait);
}

/* A group is the same one by its file and name. */
static uint64_t group_id(const struct group_run *g)
{
    return str_hash(group_run_rules(g)->id, 0) | 1;
}

static void count_missed(void *arg, uint64_t slots)
{
    group_count_missed(arg, slots);
}

static void nothing_done(void *arg, const struct reload_result *result)
{
    (void)arg;
    (void)result;
}

static void other_rules(void *arg)
{
    bool told = app_ask_reload(arg, nothing_done, NULL);

    (void)told; /* not when the program is about to stop */
}

void graph_schedule(struct app *a)
{
    size_t count = engine_group_count(a->graph.engine);

    self_metrics_free(a->self_metrics);
    rule_watch_free(a->rule_watch);
    a->self_metrics = self_metrics_new(a->env, a->plan, a->outputs.config);
    a->rule_watch = rule_watch_new(a->env, a->options.input.sources, a->now.config, other_rules, a);
    size_t readings = self_metrics_count(a->self_metrics);
    size_t places = rule_watch_count(a->rule_watch);
    AUTO(mem_autofree) struct job *jobs = mem_alloc0(count + readings + places, sizeof(*jobs));

    for (size_t i = 0; i < count; i++) {
        jobs[i] = (struct job){.next_slot = next_slot,
                               .run = run_group,
                               .missed = count_missed,
                               .arg = engine_group(a->graph.engine, i),
                               .rank = group_run_rank(engine_group(a->graph.engine, i)),
                               .id = group_id(engine_group(a->graph.engine, i))};
    }
    for (size_t i = 0; i < readings; i++) {
        jobs[count + i] = self_metrics_job(a->self_metrics, i);
    }
    for (size_t i = 0; i < places; i++) {
        jobs[count + readings + i] = rule_watch_job(a->rule_watch, i);
    }
    scheduler_set_jobs(a->scheduler, jobs, count + readings + places);
    engine_begin_slots(a->graph.engine, clock_wall_ns(a->env->clock));
}
