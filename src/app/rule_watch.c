/* The jobs that ask places elsewhere whether they have other rules. */
#include "app/rule_sources.h"

#include "app/rule_fetch.h"
#include "app/rule_sources_int.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/trace.h"

static const struct metric_desc checks_desc = {
    .name = "telex_rule_source_checks_total",
    .help = "Times that a place elsewhere was asked for other rules, by what came of it.",
    .type = METRIC_COUNTER,
    .labels = {"result"}};

struct watched {
    struct rule_watch *watch;
    struct str place;
    const struct rule_server *server;
};

struct rule_watch {
    const struct env *env;
    struct trace trace;
    struct rule_sources *sources;
    struct config *config;
    void (*changed)(void *arg);
    void *arg;
    VEC(struct watched) places;
    struct metric *same;
    struct metric *other;
    struct metric *failed;
};

struct rule_watch *rule_watch_new(const struct env *env, struct rule_sources *s, struct config *c,
                                  void (*changed)(void *arg), void *arg)
{
    struct rule_watch *w = mem_new(struct rule_watch);
    const struct option_list *listed = &c->settings.rules;

    w->env = env;
    w->sources = s;
    w->config = config_ref(c);
    w->changed = changed;
    w->arg = arg;
    trace_init(&w->trace, env->trace, "rules", TRACE_INFO);
    w->same = metrics_get1(env->metrics, &checks_desc, STR("same"));
    w->other = metrics_get1(env->metrics, &checks_desc, STR("other"));
    w->failed = metrics_get1(env->metrics, &checks_desc, STR("failed"));
    for (size_t i = 0; s != NULL && i < listed->count; i++) {
        struct watched watched = {w, listed->items[i],
                                  rule_servers_find(&c->rule_servers, listed->items[i])};
        bool is_fetched = rule_place_is_elsewhere(watched.place) && watched.place.len > 1;
        if (is_fetched && watched.server->refresh_interval_ns > 0) {
            vec_push(&w->places, watched);
        }
    }
    return w;
}

void rule_watch_free(struct rule_watch *w)
{
    if (w == NULL) {
        return;
    }
    metric_drop(w->same);
    metric_drop(w->other);
    metric_drop(w->failed);
    config_unref(w->config);
    vec_release(&w->places);
    mem_free(w);
}

size_t rule_watch_count(const struct rule_watch *w)
{
    return w->places.len;
}

/* ---- jobs ---- */

enum { TRY_AGAIN = 10 }; /* looks until rules that a reload refused are tried again */

static int64_t next_slot(const void *arg, int64_t after_ns)
{
    const struct watched *watched = arg;
    int64_t interval_ns = watched->server->refresh_interval_ns;

    return (time_floor_div(after_ns, interval_ns) + 1) * interval_ns;
}

static void run(void *arg, int64_t slot_ns, struct wait wait)
{
    struct watched *watched = arg;
    struct rule_watch *w = watched->watch;
    struct rule_bundle known;
    struct rule_bundle fetched;
    struct err e = ERR_INIT;

    (void)slot_ns;
    rule_bundle_init(&known);
    rule_bundle_init(&fetched);
    rule_sources_load_kept(w->sources, w->config, watched->place, &known);
    bool ok = rule_fetch(w->env, watched->server, watched->place, &known, wait, &fetched, &e);
    int64_t again_ns = TRY_AGAIN * watched->server->refresh_interval_ns;
    bool other = ok && rule_sources_is_news(w->sources, watched->place, rule_bundle_hash(&fetched),
                                            again_ns);
    metric_add(!ok ? w->failed : other ? w->other : w->same, 1);
    if (!ok) {
        trace_warn(&w->trace, "a place with rules does not answer; what was loaded runs on",
                   T_STR("place", watched->place), T_ERR(&e));
    }
    rule_bundle_release(&known);
    rule_bundle_release(&fetched);
    if (other) {
        trace_info(&w->trace, "a place has other rules: reloading", T_STR("place", watched->place));
        w->changed(w->arg);
    }
}

static void missed(void *arg, uint64_t slots)
{
    (void)arg;
    (void)slots;
}

struct job rule_watch_job(struct rule_watch *w, size_t i)
{
    return (struct job){
        .next_slot = next_slot, .run = run, .missed = missed, .arg = &w->places.items[i]};
}
