/*
 * app.h - the running program: what a config and its rules become, kept alive, changed and stopped.
 *
 *     state folder -> plan -> datasource -> engine <- restore -> scheduler
 *
 * app_start() builds it from the ground up and starts evaluating; app_reload() exchanges what
 * changed or keeps everything; app_stop() drains. The HTTP server stands above and asks for views.
 *
 * Ownership: main owns the app, which owns all of the above and holds the config that it runs.
 * Threads: start, reload, override, tick and stop on the main thread; views and app_ask_...() on any.
 * Limits: those of the parts.
 */
#ifndef TELEX_APP_APP_H
#define TELEX_APP_APP_H

#include "app/environment.h"
#include "app/load.h"
#include "rules/engine.h"

struct alert_states;
struct event_table;
struct app;
struct trace_control;

struct app_options {
    struct load_input input; /* where config and rules are read again at a reload */
    struct str own_url;      /* where this server is found; used when no external_url is set */
    void (*changed)(void *arg, struct config *config); /* another config runs; may be NULL */
    void *changed_arg;
};

/* Takes over <loaded>. Opens what can fail, restores alert states, and starts evaluating. */
MUST_USE bool app_start(const struct env *env, struct loaded *loaded,
                        const struct app_options *options, struct app **ret_app, struct err *e);

/* What a reload came to. */
struct reload_result {
    bool ok;
    size_t groups;
    size_t rules;
    size_t warnings;
    struct str text; /* problems, one per line; borrowed for the call */
};

/*
 * Reads config and rules again and runs them; with a problem, keeps what runs. Tells all who asked,
 * and logs.
 */
void app_reload(struct app *a);

/*
 * Has the main thread reload; <done> is told what came of it, on the main thread, once. False when
 * the program is about to stop: it will not.
 */
MUST_USE bool app_ask_reload(struct app *a,
                             void (*done)(void *arg, const struct reload_result *result),
                             void *arg);

/*
 * Has the main thread merge <patch>, an object of options as JSON, into the overrides of <exporter> (empty:
 * take them all back), run what comes of it and keep it over restarts; or keep what runs. <done> is
 * told as above.
 */
MUST_USE bool app_ask_override(struct app *a, struct str exporter, struct str patch,
                               void (*done)(void *arg, const struct reload_result *result),
                               void *arg);

/* Does what was asked so far by app_ask_override(); SIGUSR1 says that there is something. */
void app_override(struct app *a);

/* What is due now and then: a snapshot of alert states. Called about once a second. */
void app_tick(struct app *a);

/*
 * Stops evaluating, delivers what can be delivered within the config's shutdown_timeout, and frees
 * all. Says in the log what is left on disk. False when the disk did not take all that was held.
 */
bool app_stop(struct app *a);

/* ---- views, for any thread ---- */

/* May it be given work? False while it stops. */
bool app_is_ready(const struct app *a);

/*
 * The engine, to look at until app_view_end(); a reload lets go of what was there before only then.
 * Texts that app_outputs() gives live until then too.
 */
struct engine *app_view_begin(struct app *a);
void app_view_end(struct app *a);

/* The config that runs; unref it. */
struct config *app_config(struct app *a);

/* The levels of the log; lives as long as the app. */
struct trace_control *app_trace_control(struct app *a);

/* The delivery plan, for who gives to it: it lives as long as the app. */
struct plan *app_plan(struct app *a);

/* What is known of alerts that others push; lives as long as the app. */
struct alert_states *app_alert_states(struct app *a);

/* The history of alerts, which lives as long as the app; NULL: none is kept. */
struct history *app_history(struct app *a);

/* Change streams, and the table of our own events, for the time of a call between app_view_begin() and end: a reload may
 * make them; NULL: there are none. */
struct event_streams *app_event_streams(struct app *a);
struct event_table *app_event_table(struct app *a);

size_t app_outputs(struct app *a, struct output_status *ret, size_t max);

/* What the last reload that failed said, "" when the last one was fine; copied into <out>. */
void app_last_problem(struct app *a, struct buf *out);

int64_t app_started_ns(const struct app *a);

#endif
