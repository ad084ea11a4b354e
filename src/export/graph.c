#include "export/plan_int.h"

#include "base/mem.h"
#include "export/attempts.h"
#include "export/routing.h"
#include "log/log.h"
#include "net/oauth2_pool.h"

/* Which log a kind of record goes through. */
static const unsigned log_of_kind[RECORD_KINDS] = {
    [RECORD_SAMPLE] = PLAN_BULK, [RECORD_ALERT] = PLAN_LEDGER, [RECORD_EVENT] = PLAN_LEDGER,
    [RECORD_SPAN] = PLAN_BULK,   [RECORD_PROFILE] = PLAN_BULK,
};

static bool uses_log(unsigned takes, unsigned log)
{
    for (unsigned k = 0; k < RECORD_KINDS; k++) {
        if ((takes & TAKES(k)) != 0 && log_of_kind[k] == log) {
            return true;
        }
    }
    return false;
}

static struct str path_below(struct plan *p, const char *folder, struct str name, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "%.*s/%s/%.*s", STR_FMT(p->state_path), folder, STR_FMT(name));
    return buf_str(out);
}

/* Sinks that an output opens: one for each lane of each log. */
static unsigned shares_of(const struct output_config *config)
{
    unsigned lanes = config->buffer.lanes > 1 ? (unsigned)config->buffer.lanes : 1;
    unsigned shares = 0;

    for (unsigned log = 0; log < PLAN_LOGS; log++) {
        shares += uses_log(config->takes, log) ? lanes : 0;
    }
    return shares;
}

unsigned output_way(const struct output *o, enum record_kind kind)
{
    bool is_apart = kind == RECORD_SPAN && o->consumers[WAY_SPANS] != NULL;

    return is_apart ? (unsigned)WAY_SPANS : log_of_kind[kind];
}

static bool open_consumer(struct plan *p, struct graph *g, struct output *o, unsigned way,
                          struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    unsigned log = way_log(way);
    struct lane_config config = {
        .place = {.env = p->env,
                  .name = o->config->name,
                  .data_folder = path_below(p, "exporters", o->config->name, &folder),
                  .shares = shares_of(o->config),
                  .taps = p->taps,
                  .gates = g->gates,
                  .attempts = o->attempts,
                  .tokens = g->tokens,
                  .meters = p->meters,
                  .pages = p->pages,
                  .ends = p->ends},
        .delivery = &o->config->delivery,
        .buffer = &o->config->buffer,
        .log = p->logs[log],
        .log_name = way == WAY_SPANS ? "spans" : plan_log_name(log),
        .bit = o->bits[way],
        .dead = o->dead,
        .drops = &o->drops,
    };

    return consumer_open(&config, &o->consumers[way], e);
}

/* Where there is no room for another consumer, or for its name, spans go with the rest. */
static bool open_spans(struct plan *p, struct graph *g, struct output *o, struct err *e)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    struct err ignored = ERR_INIT;

    buf_addf(&name, "%.*s" SPANS_SUFFIX, STR_FMT(o->config->name));
    return !log_consumer_add(p->logs[PLAN_BULK], buf_str(&name), &o->bits[WAY_SPANS], &ignored) ||
           open_consumer(p, g, o, WAY_SPANS, e);
}

static bool goes_apart(const struct output_config *config)
{
    return (config->caps & EXPORTER_SPANS_APART) != 0 && (config->takes & TAKES(RECORD_SPAN)) != 0;
}

/* Do the routes send this alert to <arg>, a level output? */
static bool wants_alert(void *arg, const struct level_alert *a)
{
    const struct output *o = arg;
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = a->rule, .group = a->group};
    const struct alert alert = {.labels = a->labels,
                                .from = ALERT_PENDING,
                                .to = a->firing ? ALERT_ALERTING : ALERT_RESOLVED};
    uint64_t bit = UINT64_C(1) << (o->config - o->plan->outputs);

    return (routing_of_alert(o->plan, &info, &alert) & bit) != 0;
}

static bool open_output(struct plan *p, struct graph *g, struct output *o, struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    struct exporter_place place = {.env = p->env, .name = o->config->name, .meters = p->meters};

    if ((o->config->caps & EXPORTER_LEVEL) != 0) {
        place.data_folder = path_below(p, "exporters", o->config->name, &folder);
        const struct level_filter filter = {wants_alert, o};
        return level_set_open(o->config->kind, &place, o->config->config, &filter, &o->level, e);
    }
    o->attempts = attempts_new();
    drops_init(&o->drops, p->env, o->config->name);
    o->dead =
        dead_letters_new(p->env, path_below(p, "dead", o->config->name, &folder), o->config->name,
                         &o->config->delivery.dead, &o->drops, p->storage.fs);
    for (unsigned log = 0; log < PLAN_LOGS; log++) {
        if (uses_log(o->config->takes, log) &&
            (!log_consumer_add(p->logs[log], o->config->name, &o->bits[log], e) ||
             !open_consumer(p, g, o, log, e))) {
            return false;
        }
    }
    return true;
}

/* All outputs have what they need before one gets a second consumer in a log. */
static bool open_all_spans(struct plan *p, struct graph *g, struct err *e)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        if (goes_apart(g->outputs[i].config) && !open_spans(p, g, &g->outputs[i], e)) {
            return false;
        }
    }
    return true;
}

bool graph_open(struct plan *p, const struct plan_config *config, struct graph **ret_graph,
                struct err *e)
{
    struct graph *g = mem_new(struct graph);

    g->config = *config;
    g->gates = gates_new();
    g->tokens = oauth2_pool_new(p->env);
    for (size_t i = 0; i < config->output_count; i++) {
        g->outputs[i].config = &config->outputs[i];
        g->outputs[i].plan = &g->config;
        lock_init(&g->outputs[i].sharing);
        if (!open_output(p, g, &g->outputs[i], e)) {
            graph_free(g);
            return false;
        }
    }
    if (!open_all_spans(p, g, e)) {
        graph_free(g);
        return false;
    }
    *ret_graph = g;
    return true;
}

static void each_consumer(struct graph *g, void (*visit)(struct consumer *))
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (g->outputs[i].consumers[way] != NULL) {
                visit(g->outputs[i].consumers[way]);
            }
        }
    }
}

void graph_start(struct graph *g, const struct level_source *levels)
{
    each_consumer(g, consumer_start);
    for (size_t i = 0; i < g->config.output_count; i++) {
        if (g->outputs[i].level != NULL) {
            level_set_source(g->outputs[i].level, levels);
        }
    }
}

static const struct output *find_output(const struct graph *g, struct str name)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        if (str_eq(g->outputs[i].config->name, name)) {
            return &g->outputs[i];
        }
    }
    return NULL;
}

void graph_follow(struct graph *g, struct graph *before)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        const struct output *o = &g->outputs[i];
        const struct output *was = find_output(before, o->config->name);
        if (was != NULL && o->level != NULL && was->level != NULL) {
            level_set_follow(o->level, was->level,
                             o->config->hash != 0 && o->config->hash == was->config->hash);
        }
        for (unsigned way = 0; was != NULL && way < PLAN_WAYS; way++) {
            if (o->consumers[way] != NULL && was->consumers[way] != NULL) {
                consumer_follow(o->consumers[way], was->consumers[way],
                                o->config->hash != 0 && o->config->hash == was->config->hash);
            }
        }
    }
}

/* All outputs were asked before one is waited for, so that they end side by side. */
static void stop_outputs(struct graph *g, struct wait wait)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        if (g->outputs[i].level != NULL) {
            level_set_drain(g->outputs[i].level);
        }
    }
    for (size_t i = 0; i < g->config.output_count; i++) {
        struct output *o = &g->outputs[i];
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (o->consumers[way] != NULL) {
                consumer_stop(o->consumers[way], wait);
            }
        }
        if (o->level != NULL) {
            level_set_stop(o->level, wait);
        }
    }
}

void graph_drain(struct graph *g, struct wait wait)
{
    for (size_t i = 0; i < g->config.output_count; i++) {
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            if (g->outputs[i].consumers[way] != NULL) {
                consumer_drain(g->outputs[i].consumers[way], wait.deadline_mono_ns);
            }
        }
    }
    stop_outputs(g, wait);
}

void graph_rest(struct graph *g, struct wait wait)
{
    each_consumer(g, consumer_rest);
    stop_outputs(g, wait);
}

void graph_free(struct graph *g)
{
    if (g == NULL) {
        return;
    }
    for (size_t i = 0; i < g->config.output_count; i++) {
        struct output *o = &g->outputs[i];
        for (unsigned way = 0; way < PLAN_WAYS; way++) {
            consumer_close(o->consumers[way]);
        }
        level_set_close(o->level);
        attempts_free(o->attempts);
        dead_letters_free(o->dead);
        drops_release(&o->drops);
        if (o->plan != NULL) {
            lock_release(&o->sharing);
        }
    }
    gates_free(g->gates);
    oauth2_pool_free(g->tokens);
    mem_free(g);
}

struct graph *plan_use_graph(struct plan *p)
{
    lock_take(&p->lock);
    struct graph *g = p->graph;
    atomic_fetch_add(&g->users, 1);
    lock_give(&p->lock);
    return g;
}

void plan_release_graph(struct plan *p, struct graph *g)
{
    if (atomic_fetch_sub(&g->users, 1) == 1) {
        lock_take(&p->lock);
        cond_broadcast(&p->unused);
        lock_give(&p->lock);
    }
}
