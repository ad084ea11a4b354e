/*
 * app_int.h - the app's parts, shared by the files that start, reload and stop it; for src/app only.
 *
 * Ownership: the app owns all of it; <datasource_config> is the config that the datasource and the
 * engine borrow from, which after a reload of rules alone is not the one that runs. Threads: what
 * stands under <lock> is for any thread, the rest belongs to the main thread. Limits: none.
 */
#ifndef TELEX_APP_APP_INT_H
#define TELEX_APP_APP_INT_H

#include "app/app.h"
#include "app/outputs.h"
#include "app/rule_sources.h"
#include "app/scheduler.h"
#include "base/trace.h"
#include "base/vec.h"
#include "receive/alert_states.h"

struct reload_asker {
    void (*done)(void *arg, const struct reload_result *result);
    void *arg;
};

/* Options to change; owns its texts. */
struct override_asker {
    struct str exporter;
    struct str patch; /* JSON; empty: take all back */
    struct reload_asker asker;
};

struct app_metrics {
    struct metric *reloads_ok;
    struct metric *reloads_failed;
    struct metric *reload_successful;
    struct metric *reload_time;
    struct metric *groups;
    struct metric *rules;
    struct metric *snapshots;
    struct metric *snapshot_failures;
};

/* What an engine is made of, and what it borrows. */
struct graph {
    struct config *config; /* datasource and engine borrow from it */
    struct datasource *datasource;
    struct datasource **named; /* as the config lists them */
    size_t named_count;
    struct datasource *self; /* our own metrics, for rules about ourselves */
    struct engine *engine;
    struct level_source levels;
};

struct app {
    const struct env *env;
    struct trace trace;
    struct app_options options;
    struct loaded now;
    struct plan *plan;
    struct outputs outputs;
    struct history *history;       /* NULL: none is kept */
    struct alert_states *received; /* alerts that others push */
    uint64_t received_changes;     /* of it, when it was saved last */
    struct graph graph;
    struct scheduler *scheduler;
    struct trace_control *trace_control;
    struct rule_watch *rule_watch;     /* of rules elsewhere; of the jobs that are scheduled too */
    struct self_metrics *self_metrics; /* of the jobs that are scheduled */
    struct app_metrics metrics;
    int64_t started_ns;
    int64_t snapshot_mono_ns; /* when the last snapshot was made */
    uint64_t snapshot_edges;  /* outputs.edges and edge_bytes then */
    uint64_t snapshot_bytes;
    uint64_t snapshot_forgotten; /* engine_forgotten() then */
    int64_t reloaded_mono_ns;    /* when it was reloaded without being told to */
    int64_t slots_mono_ns; /* when slots and series were written last, and how long that took */
    int64_t series_mono_ns;
    int64_t series_took_ns;
    uint64_t series_changes; /* engine_series_changes() then */
    _Atomic bool is_ready;
    struct lock lock;
    struct cond no_readers;
    unsigned readers GUARDED_BY(lock);   /* views that look at engine, plan and config */
    bool is_exchanging GUARDED_BY(lock); /* waiting until they are gone: no new ones */
    bool is_stopping GUARDED_BY(lock);
    struct config *shown GUARDED_BY(lock);            /* now.config, for other threads */
    struct event_table *event_table GUARDED_BY(lock); /* our own; set once, as the next; or NULL */
    struct event_streams *streams GUARDED_BY(lock);
    VEC(struct reload_asker) askers GUARDED_BY(lock);
    VEC(struct override_asker) override_askers GUARDED_BY(lock);
    struct buf last_problem GUARDED_BY(lock);
};

/* ---- graph.c ---- */

/* Datasource and engine for what <l> says; the engine has its rules and no state yet. */
MUST_USE bool graph_build(struct app *a, const struct loaded *l, struct graph *ret_graph,
                          struct err *e);
void graph_release(struct graph *g);

/* Can the engine of <old> run what <new> says, once it is given its rules? */
bool graph_fits(const struct config *old, const struct config *new_config);

/* Exchanges what other threads look at, while nobody looks. */
void graph_publish(struct app *a, const struct graph *g);

/* Returns when nobody looks at what was there before the call. */
void graph_wait_unseen(struct app *a);

/* The scheduler's jobs are the groups of the engine, and the readings of our own metrics; it is paused. */
void graph_schedule(struct app *a);

/* ---- reload.c ---- */

/* The next override that was asked for, moved to <ret>; false when there is none. */
bool app_next_override(struct app *a, struct override_asker *ret);
void override_asker_release(struct override_asker *o);

/* ---- snapshot.c ---- */

MUST_USE bool state_folder_make(const struct config *c, struct err *e);

/* Brings the engine's alerts to where they were: snapshot, then the ledger after it. */
MUST_USE bool state_restore(struct app *a, struct engine *engine, struct err *e);

/* Saves them, and lets the ledger forget what is saved. */
MUST_USE bool state_save(struct app *a, struct engine *engine, struct err *e);

/* The same, and all else that a restart needs, when nothing will be evaluated any more. */
void state_save_last(struct app *a, struct engine *engine);

/* Through a snapshot from one engine to another. */
MUST_USE bool state_move(struct app *a, struct engine *from, struct engine *to, struct err *e);

void app_metrics_init(struct app_metrics *m, struct metrics *registry);
void app_metrics_release(struct app_metrics *m);
void app_count_rules(struct app *a);

#endif
