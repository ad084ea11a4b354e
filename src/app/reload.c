/*
 * Reload: read and check all of it, pause, exchange, resume; or keep what runs and say why.
 *
 * Invariants
 *   1. Nothing that runs is touched before everything new was read, checked and opened.
 *   2. The plan changes first and is changed back when what comes after it fails.
 *   3. Whoever asked is told once.
 *   4. Overrides are on disk before they run; when they cannot run, those of before are put back.
 */
#include "app/app_int.h"
#include "app/event_store.h"

#include "app/overrides.h"
#include "app/streams.h"
#include "app/trace_control.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

/* A query under way has so long before it is cut, and what was cut to end. */
enum { PROBLEM_TEXT_MAX = 256 * 1024, PAUSE_MS = 5000, CUT_MS = 5000 };

/* ---- asking ---- */

bool app_ask_reload(struct app *a, void (*done)(void *arg, const struct reload_result *result),
                    void *arg)
{
    struct reload_asker asker = {done, arg};

    lock_take(&a->lock);
    bool taken = !a->is_stopping;
    if (taken) {
        vec_push(&a->askers, asker);
    }
    lock_give(&a->lock);
    return taken && kill(getpid(), SIGHUP) == 0;
}

static void tell_askers(struct app *a, const struct reload_result *result)
{
    VEC(struct reload_asker) askers = {0};

    lock_take(&a->lock);
    for (size_t i = 0; i < a->askers.len; i++) {
        vec_push(&askers, a->askers.items[i]);
    }
    vec_clear(&a->askers);
    buf_clear(&a->last_problem);
    buf_add_str(&a->last_problem,
                result->ok ? STR_NONE : str_slice(result->text, 0, BUF_SMALL / 2));
    lock_give(&a->lock);
    for (size_t i = 0; i < askers.len; i++) {
        askers.items[i].done(askers.items[i].arg, result);
    }
    vec_release(&askers);
}

bool app_ask_override(struct app *a, struct str exporter, struct str patch,
                      void (*done)(void *arg, const struct reload_result *result), void *arg)
{
    struct override_asker o = {.asker = {done, arg}};

    o.exporter = str_make(mem_dup_text(exporter.ptr, exporter.len), exporter.len);
    o.patch = str_make(mem_dup_text(patch.ptr, patch.len), patch.len);
    lock_take(&a->lock);
    bool taken = !a->is_stopping;
    if (taken) {
        vec_push(&a->override_askers, o);
    }
    lock_give(&a->lock);
    if (!taken) {
        override_asker_release(&o);
    }
    return taken && kill(getpid(), SIGUSR1) == 0;
}

bool app_next_override(struct app *a, struct override_asker *ret)
{
    lock_take(&a->lock);
    bool found = a->override_askers.len > 0;
    if (found) {
        *ret = a->override_askers.items[0];
        size_t rest = --a->override_askers.len;
        memmove(a->override_askers.items, a->override_askers.items + 1, rest * sizeof(*ret));
    }
    lock_give(&a->lock);
    return found;
}

void override_asker_release(struct override_asker *o)
{
    mem_free(o->exporter.ptr);
    mem_free(o->patch.ptr);
}

/* ---- problems ---- */

struct collector {
    struct app *app;
    struct buf text;
    struct str
        unseen; /* a file as it would be, which nobody can look into: places there mean nothing */
};

/* What is said names the exporter and the option. */
static struct err without_place(const struct err *e)
{
    struct err ret = *e;

    ret.file[0] = '\0';
    ret.pos = (struct pos){0, 0};
    return ret;
}

static void collect(void *arg, bool is_warning, const struct err *problem)
{
    struct collector *c = arg;
    bool is_unseen = c->unseen.len > 0 && str_eq(str_of(problem->file), c->unseen);
    struct err shown = is_unseen ? without_place(problem) : *problem;
    const struct err *e = &shown;

    if (is_warning) {
        buf_add_text(&c->text, "warning: ");
        trace_warn(&c->app->trace, "in the config or its rules", T_ERR(e));
    } else {
        trace_error(&c->app->trace, "in the config or its rules", T_ERR(e));
    }
    err_print_line(e, &c->text);
    buf_add_byte(&c->text, '\n');
}

static void collect_error(struct collector *c, const struct err *e)
{
    collect(c, false, e);
}

/* ---- exchanging ---- */

static bool change_plan(struct app *a, const struct config *config, struct err *e)
{
    if (!plan_change(a->plan, &config->plan, e)) {
        return err_wrap(e, "exchanging the exporters");
    }
    outputs_use(&a->outputs, a->plan, &config->plan);
    return true;
}

static void change_plan_back(struct app *a)
{
    struct err e = ERR_INIT;

    if (!change_plan(a, a->now.config, &e)) {
        trace_error(&a->trace, "the exporters of before did not come back", T_ERR(&e));
    }
}

/* The same engine goes on with other rules. */
static bool change_rules(struct app *a, const struct loaded *l, struct err *e)
{
    uint64_t before = engine_forgotten(a->graph.engine);
    struct err later = ERR_INIT;

    if (!engine_set_rules(a->graph.engine, l->rules, e)) {
        return false;
    }
    if (engine_forgotten(a->graph.engine) != before && !state_save(a, a->graph.engine, &later)) {
        trace_error(&a->trace,
                    "alert states were not saved after rules were moved or removed; a "
                    "later snapshot does it",
                    T_ERR(&later));
    }
    return true;
}

/* Another engine goes on with the alert states of this one. */
static bool change_graph(struct app *a, const struct loaded *l, struct err *e)
{
    struct graph old = a->graph;
    struct graph g;

    if (!graph_build(a, l, &g, e)) {
        return false;
    }
    if (!state_move(a, old.engine, g.engine, e)) {
        graph_release(&g);
        return err_wrap(e, "handing over alert states");
    }
    graph_publish(a, &g);
    graph_release(&old);
    return true;
}

/* While nothing evaluates and no level output walks; <l> becomes what ran before. */
static bool exchange_paused(struct app *a, struct loaded *l, struct err *e)
{
    bool fits = graph_fits(a->graph.config, l->config);

    if (!change_plan(a, l->config, e)) {
        return false;
    }
    if (!(fits ? change_rules(a, l, e) : change_graph(a, l, e))) {
        change_plan_back(a);
        return false;
    }
    struct loaded old = a->now;
    a->now = *l;
    *l = old; /* let go of with the rest */
    lock_take(&a->lock);
    struct config *shown = a->shown;
    a->shown = config_ref(a->now.config);
    lock_give(&a->lock);
    config_unref(shown);
    return true;
}

/* Evaluations end behind the rule under way, and those that do not end in time are cut short. */
static bool pause_evaluations(struct app *a)
{
    const struct clock *clock = a->env->clock;

    engine_hurry(a->graph.engine, true);
    if (scheduler_pause(a->scheduler, (struct wait){clock_deadline_ms(clock, PAUSE_MS), NULL})) {
        return true;
    }
    trace_warn(&a->trace, "evaluations are cut short for the reload; their slots count as missed",
               T_U64("groups", scheduler_running(a->scheduler)));
    scheduler_cut(a->scheduler);
    return scheduler_pause(a->scheduler, (struct wait){clock_deadline_ms(clock, CUT_MS), NULL});
}

static void run_streams(struct app *a)
{
    struct err e = ERR_INIT;

    if (!app_streams_run(a, &e)) {
        trace_error(&a->trace, "change streams do not run", T_ERR(&e));
    }
}

static bool exchange(struct app *a, struct loaded *l, struct err *e)
{
    if (!str_eq(a->now.config->settings.state.path, l->config->settings.state.path)) {
        return config_err(l->config, STR("state"), e,
                          "state.path cannot change while the program runs; restart it");
    }
    app_streams_rest(a); /* first, since it may wait, and rules are evaluated meanwhile */
    if (!pause_evaluations(a)) {
        engine_hurry(a->graph.engine, false);
        scheduler_resume(a->scheduler);
        run_streams(a);
        return err_set(e, ERR_TIMEOUT, "evaluations under way do not end; try again");
    }
    plan_set_levels(a->plan, NULL);
    bool ok = exchange_paused(a, l, e);
    plan_set_levels(a->plan, &a->graph.levels);
    run_streams(a);
    if (ok) {
        rule_sources_run(a->options.input.sources);
        graph_schedule(a);
        app_count_rules(a);
    }
    engine_hurry(a->graph.engine, false);
    scheduler_resume(a->scheduler);
    return ok;
}

/* ---- the whole ---- */

/* Runs what was read, <l>, or says why not. */
static bool exchange_all(struct app *a, struct loaded *l, struct collector *collector)
{
    struct err e = ERR_INIT;

    bool ok = exchange(a, l, &e);
    if (!ok) {
        collect_error(collector, &e);
    } else {
        trace_control_use(a->trace_control, a->now.config);
        event_store_use(a->event_table, a->now.config);
        if (a->options.changed != NULL) {
            a->options.changed(a->options.changed_arg, a->now.config);
        }
    }
    graph_wait_unseen(a);
    return ok;
}

static bool load_and_exchange(struct app *a, struct collector *collector, struct problems *problems)
{
    struct loaded l = {0};
    struct err e = ERR_INIT;

    if (!load_all(&a->options.input, problems, &l, &e)) {
        return false;
    }
    bool ok = exchange_all(a, &l, collector);
    loaded_release(&l);
    return ok;
}

static void say(struct app *a, const struct reload_result *result)
{
    metric_add(result->ok ? a->metrics.reloads_ok : a->metrics.reloads_failed, 1);
    metric_set(a->metrics.reload_successful, result->ok ? 1 : 0);
    if (result->ok) {
        trace_info(&a->trace, "reloaded", T_U64("groups", result->groups),
                   T_U64("rules", result->rules));
    } else {
        trace_error(&a->trace, "reload refused; what ran goes on");
    }
}

static struct reload_result result_of(const struct app *a, bool ok, const struct problems *problems,
                                      const struct collector *collector)
{
    return (struct reload_result){
        .ok = ok,
        .groups = a->now.rules->group_count,
        .rules = a->now.rules->rule_count,
        .warnings = problems->warnings,
        .text = buf_str(&collector->text),
    };
}

void app_reload(struct app *a)
{
    struct collector collector = {.app = a, .text = BUF_INIT(PROBLEM_TEXT_MAX)};
    struct problems problems = {.report = collect, .arg = &collector};
    bool ok = load_and_exchange(a, &collector, &problems);
    struct reload_result result = result_of(a, ok, &problems, &collector);

    say(a, &result);
    tell_askers(a, &result);
    buf_release(&collector.text);
}

/* ---- overrides ---- */

/* What the file has becomes <text>, which is run: nothing runs that a restart would not find. */
static bool keep_and_exchange(struct app *a, struct loaded *l, struct str path, struct str before,
                              struct str text, struct collector *collector)
{
    struct err e = ERR_INIT;

    if (!overrides_save(path, text, &e)) {
        collect_error(collector, &e);
        return false;
    }
    if (exchange_all(a, l, collector)) {
        return true;
    }
    if (!overrides_save(path, before, &e)) {
        collect_error(collector, &e);
    }
    return false;
}

static bool override(struct app *a, const struct override_asker *o, struct collector *collector,
                     struct problems *problems)
{
    struct load_input input = a->options.input;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf before = BUF_INIT(OVERRIDES_MAX);
    AUTO(buf_release) struct buf text = BUF_INIT(OVERRIDES_MAX);
    struct loaded l = {0};
    struct err e = ERR_INIT;

    config_add_overrides_path(a->now.config, &path);
    collector->unseen = buf_str(&path);
    if (!overrides_load(buf_str(&path), &before, &e) ||
        !overrides_patch(buf_str(&before), o->exporter, o->patch, &text, &e)) {
        collect_error(collector, &e);
        return false;
    }
    const struct str changed = buf_str(&text);
    input.environment.overrides = &changed;
    if (!load_all(&input, problems, &l, &e)) {
        return false;
    }
    bool ok = keep_and_exchange(a, &l, buf_str(&path), buf_str(&before), changed, collector);
    loaded_release(&l);
    return ok;
}

void app_override(struct app *a)
{
    struct override_asker o;

    while (app_next_override(a, &o)) {
        struct collector collector = {.app = a, .text = BUF_INIT(PROBLEM_TEXT_MAX)};
        struct problems problems = {.report = collect, .arg = &collector};
        bool ok = override(a, &o, &collector, &problems);
        collector.unseen = STR("");
        struct reload_result result = result_of(a, ok, &problems, &collector);
        trace_info(&a->trace, ok ? "options were overridden" : "options were not overridden",
                   T_STR("exporter", o.exporter));
        if (ok) {
            say(a, &result);
        }
        o.asker.done(o.asker.arg, &result);
        override_asker_release(&o);
        buf_release(&collector.text);
    }
}
