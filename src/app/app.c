/*
 * Start and stop, in order and in reverse.
 *
 * Invariants
 *   1. Evaluation begins only when alert states are restored and the outputs run.
 *   2. The graph is exchanged only while the scheduler is paused and no level output walks.
 *   3. What the main thread owns is written by it alone; other threads see it under the lock.
 */
#include "app/app.h"

#include "app/app_int.h"
#include "app/self_metrics.h"
#include "app/streams.h"
#include "app/trace_control.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/ends.h"
#include "state/history.h"

#include <stdio.h>

enum { STOP_EVALUATION_MS = 5000, STOP_STREAMS_MS = 5000 };

/* ---- metrics ---- */

static const struct metric_desc reloads_desc = {.name = "telex_config_reloads_total",
                                                .help = "Reloads of config and rules.",
                                                .type = METRIC_COUNTER,
                                                .labels = {"result"}};
static const struct metric_desc reload_successful_desc = {
    .name = "telex_config_last_reload_successful",
    .help = "Was the last load of config and rules taken (1) or refused (0)?",
    .type = METRIC_GAUGE};
static const struct metric_desc reload_time_desc = {
    .name = "telex_config_last_reload_success_timestamp_seconds",
    .help = "When config and rules were last taken.",
    .type = METRIC_GAUGE};
static const struct metric_desc groups_desc = {
    .name = "telex_rule_groups", .help = "Rule groups that run.", .type = METRIC_GAUGE};
static const struct metric_desc rules_desc = {
    .name = "telex_rules", .help = "Rules that run.", .type = METRIC_GAUGE};
static const struct metric_desc snapshots_desc = {.name = "telex_alert_snapshots_total",
                                                  .help = "Snapshots made of alert states.",
                                                  .type = METRIC_COUNTER,
                                                  .labels = {"result"}};

void app_metrics_init(struct app_metrics *m, struct metrics *registry)
{
    *m = (struct app_metrics){
        .reloads_ok = metrics_get1(registry, &reloads_desc, STR("taken")),
        .reloads_failed = metrics_get1(registry, &reloads_desc, STR("refused")),
        .reload_successful = metrics_get0(registry, &reload_successful_desc),
        .reload_time = metrics_get0(registry, &reload_time_desc),
        .groups = metrics_get0(registry, &groups_desc),
        .rules = metrics_get0(registry, &rules_desc),
        .snapshots = metrics_get1(registry, &snapshots_desc, STR("made")),
        .snapshot_failures = metrics_get1(registry, &snapshots_desc, STR("failed")),
    };
}

void app_metrics_release(struct app_metrics *m)
{
    struct metric *const all[] = {m->reloads_ok,  m->reloads_failed,   m->reload_successful,
                                  m->reload_time, m->groups,           m->rules,
                                  m->snapshots,   m->snapshot_failures};

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        metric_drop(all[i]);
    }
}

void app_count_rules(struct app *a)
{
    metric_set(a->metrics.groups, (double)a->now.rules->group_count);
    metric_set(a->metrics.rules, (double)a->now.rules->rule_count);
    metric_set(a->metrics.reload_successful, 1);
    metric_set(a->metrics.reload_time, (double)clock_wall_ns(a->env->clock) / (double)NS_PER_S);
}

/* ---- start ---- */

static struct app *app_new(const struct env *env, struct loaded *loaded,
                           const struct app_options *options)
{
    struct app *a = mem_new(struct app);

    a->env = env;
    a->outputs.clock = env->clock;
    a->options = *options;
    a->now = *loaded;
    *loaded = (struct loaded){0};
    a->shown = config_ref(a->now.config);
    a->started_ns = clock_wall_ns(env->clock);
    a->snapshot_mono_ns = clock_mono_ns(env->clock);
    buf_init(&a->last_problem, BUF_SMALL);
    trace_init(&a->trace, env->trace, "app", TRACE_INFO);
    a->received = alert_states_new(env);
    a->trace_control = trace_control_new(env);
    trace_control_use(a->trace_control, a->now.config);
    lock_init(&a->lock);
    cond_init(&a->no_readers);
    app_metrics_init(&a->metrics, env->metrics);
    return a;
}

static void app_free(struct app *a)
{
    scheduler_free(a->scheduler);
    self_metrics_free(a->self_metrics);
    rule_watch_free(a->rule_watch);
    struct streams_left ignored;
    app_streams_close(a, (struct wait){0, NULL}, &ignored);
    plan_close(a->plan);
    history_close(a->history);
    alert_states_free(a->received);
    graph_release(&a->graph);
    trace_control_free(a->trace_control);
    app_metrics_release(&a->metrics);
    config_unref(a->shown);
    loaded_release(&a->now);
    vec_release(&a->askers);
    vec_release(&a->override_askers);
    buf_release(&a->last_problem);
    cond_release(&a->no_readers);
    lock_release(&a->lock);
    mem_free(a);
}

static void note_end(void *arg, struct str exporter, struct view view, const char *result,
                     struct str reason)
{
    history_ended(arg, exporter, view, result, reason);
}

/* Without it everything else goes on. */
static void open_history(struct app *a)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    const struct settings *s = &a->now.config->settings;
    struct err e = ERR_INIT;

    buf_addf(&path, "%.*s/history.db", STR_FMT(s->state.path));
    const struct history_options options = {.path = buf_str(&path),
                                            .max_changes = s->history.max_changes,
                                            .max_age_ns = s->history.max_age_ns};
    if (s->history.enabled && !history_open(a->env, &options, &a->history, &e)) {
        trace_error(&a->trace, "no history of alerts is kept", T_ERR(&e));
    }
    const struct end_listener listener = {note_end, a->history};
    plan_tell_ends(a->plan, a->history != NULL ? &listener : NULL);
    a->outputs.history = a->history;
}

static bool open_parts(struct app *a, struct err *e)
{
    struct graph g;

    if (!state_folder_make(a->now.config, e) ||
        !plan_open(a->env, &a->now.config->plan, &a->plan, e)) {
        return false;
    }
    open_history(a);
    outputs_use(&a->outputs, a->plan, &a->now.config->plan);
    if (!graph_build(a, &a->now, &g, e)) {
        return false;
    }
    graph_publish(a, &g);
    return state_restore(a, a->graph.engine, e) &&
           scheduler_new(a->env, SCHEDULER_WORKERS, &a->scheduler, e);
}

bool app_start(const struct env *env, struct loaded *loaded, const struct app_options *options,
               struct app **ret_app, struct err *e)
{
    struct app *a = app_new(env, loaded, options);

    if (!open_parts(a, e)) {
        app_free(a);
        return false;
    }
    plan_set_levels(a->plan, &a->graph.levels);
    graph_schedule(a);
    app_count_rules(a);
    scheduler_resume(a->scheduler);
    if (!app_streams_run(a, e)) {
        (void)app_stop(a);
        return false;
    }
    atomic_store(&a->is_ready, true);
    *ret_app = a;
    return true;
}

/* ---- stop ---- */

/* Nothing is asked of us any more; reloads that were are answered. */
static void refuse_askers(struct app *a)
{
    static const struct reload_result refused = {.text = {"the program stops", 17}};

    lock_take(&a->lock);
    a->is_stopping = true;
    lock_give(&a->lock);
    for (size_t i = 0; i < a->askers.len; i++) {
        a->askers.items[i].done(a->askers.items[i].arg, &refused);
    }
    vec_clear(&a->askers);
    struct override_asker o;
    while (app_next_override(a, &o)) {
        o.asker.done(o.asker.arg, &refused);
        override_asker_release(&o);
    }
}

/* Evaluations under way may end, but not take the time that deliveries need. */
static void stop_evaluating(struct app *a, struct wait wait)
{
    if (!scheduler_pause(a->scheduler, wait_limit_ms(wait, a->env->clock, STOP_EVALUATION_MS))) {
        trace_warn(&a->trace, "evaluations are cut short",
                   T_U64("running", scheduler_running(a->scheduler)));
    }
    scheduler_free(TAKE(a->scheduler));
}

/* The last line: what destinations do not have is named, whatever became of it. */
static void say_stopped(struct app *a, const struct plan_left *left,
                        const struct streams_left *streams)
{
    uint64_t in_flight = streams->in_flight;
    uint64_t dead = left->dead_letters + streams->unreadable;
    char text[sizeof(left->text) + sizeof(streams->text) + 2];
    struct str state = a->now.config->settings.state.path;
    bool is_lost = left->alerts + dead + left->dropped > 0;

    if (in_flight > 0) {
        trace_info(&a->trace, "change streams had events in flight; their sources give them again",
                   T_U64("events", in_flight));
    }
    if (left->frames == 0 && !is_lost) {
        trace_info(&a->trace,
                   in_flight > 0 ? "stopped; all that was ours was delivered"
                                 : "stopped; everything was delivered",
                   T_STR("state", state));
        return;
    }
    (void)snprintf(text, sizeof(text), "%s%s%s", left->text,
                   left->text[0] != '\0' && streams->text[0] != '\0' ? "; " : "", streams->text);
    trace_at(&a->trace, is_lost ? TRACE_WARN : TRACE_INFO,
             is_lost ? "stopped; not everything was delivered"
                     : "stopped; what is left is on disk for the next start",
             T_TEXT("left", text), T_U64("frames_left", left->frames),
             T_U64("alerts_not_told", left->alerts), T_U64("dead_letters", dead),
             T_U64("dropped", left->dropped), T_STR("state", state));
}

bool app_stop(struct app *a)
{
    int64_t timeout_ms = a->now.config->settings.shutdown_timeout_ns / NS_PER_MS;
    struct wait wait = {.deadline_mono_ns = clock_deadline_ms(a->env->clock, timeout_ms)};
    struct plan_left left;
    struct streams_left streams;

    atomic_store(&a->is_ready, false);
    trace_info(&a->trace, "stopping", T_I64("timeout_ms", timeout_ms));
    refuse_askers(a);
    stop_evaluating(a, wait);
    state_save_last(a, a->graph.engine);
    app_streams_close(a, wait_limit_ms(wait, a->env->clock, STOP_STREAMS_MS), &streams);
    bool on_disk = plan_drain(a->plan, wait, &left);
    say_stopped(a, &left, &streams);
    plan_set_levels(a->plan, NULL);
    app_free(a);
    return on_disk;
}

/* ---- views ---- */

bool app_is_ready(const struct app *a)
{
    return atomic_load(&a->is_ready);
}

struct config *app_config(struct app *a)
{
    lock_take(&a->lock);
    struct config *c = config_ref(a->shown);
    lock_give(&a->lock);
    return c;
}

struct trace_control *app_trace_control(struct app *a)
{
    return a->trace_control;
}

struct plan *app_plan(struct app *a)
{
    return a->plan;
}

struct alert_states *app_alert_states(struct app *a)
{
    return a->received;
}

size_t app_outputs(struct app *a, struct output_status *ret, size_t max)
{
    return plan_status(a->plan, ret, max);
}

void app_last_problem(struct app *a, struct buf *out)
{
    lock_take(&a->lock);
    buf_add_str(out, buf_str(&a->last_problem));
    lock_give(&a->lock);
}

int64_t app_started_ns(const struct app *a)
{
    return a->started_ns;
}

struct history *app_history(struct app *a)
{
    return a->history;
}

struct event_streams *app_event_streams(struct app *a)
{
    lock_take(&a->lock);
    struct event_streams *streams = a->streams;
    lock_give(&a->lock);
    return streams;
}

struct event_table *app_event_table(struct app *a)
{
    lock_take(&a->lock);
    struct event_table *table = a->event_table;
    lock_give(&a->lock);
    return table;
}
