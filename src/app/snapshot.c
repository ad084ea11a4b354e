/*
 * Alert state on disk: the folder, its restoring and its saving.
 *
 * Invariants
 *   1. The ledger forgets edges only after a snapshot that contains them is durable.
 *   2. What is restored is the snapshot and every edge of the ledger behind it, in order.
 */
#include "app/app_int.h"

#include "base/fs.h"
#include "base/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT_NAME "alerts.snapshot"

bool state_folder_make(const struct config *c, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_add_str(&path, c->settings.state.path);
    if (access(buf_text(&path), F_OK) == 0) {
        return true;
    }
    if (!fs_make_path(fs_system(), c->settings.state.path, e)) {
        return err_wrap(e, "the state folder");
    }
    return chmod(buf_text(&path), S_IRWXU) == 0 ||
           err_set_errno(e, ERR_IO, errno, "the state folder %s", buf_text(&path));
}

static void snapshot_path(const struct app *a, struct buf *out)
{
    buf_addf(out, "%.*s/" SNAPSHOT_NAME, STR_FMT(a->now.config->settings.state.path));
}

struct replay {
    struct engine *engine;
    uint64_t edges;
};

static bool replay_edges(void *arg, uint64_t seq, struct batch *b, struct err *e)
{
    struct replay *r = arg;

    r->edges += batch_rows(b);
    return engine_restore_edge(r->engine, seq, b, e);
}

bool state_restore(struct app *a, struct engine *engine, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct replay replay = {.engine = engine};
    uint64_t seq = 0;

    snapshot_path(a, &path);
    bool has_snapshot = access(buf_text(&path), F_OK) == 0;
    if (has_snapshot && !engine_restore_snapshot(engine, buf_str(&path), &seq, e)) {
        return false;
    }
    if (!plan_replay_alerts(a->plan, seq, replay_edges, &replay, e)) {
        return err_wrap(e, "restoring alert states from the ledger");
    }
    if (has_snapshot || replay.edges > 0) {
        trace_info(&a->trace, "alert states restored", T_U64("snapshot_seq", seq),
                   T_U64("edges_replayed", replay.edges));
    }
    return true;
}

bool state_save(struct app *a, struct engine *engine, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    uint64_t edges = atomic_load_explicit(&a->outputs.edges, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&a->outputs.edge_bytes, memory_order_relaxed);
    uint64_t forgotten = engine_forgotten(engine);
    uint64_t seq = 0;

    snapshot_path(a, &path);
    if (!engine_save_snapshot(engine, buf_str(&path), &seq, e) ||
        !plan_alerts_saved(a->plan, seq, e)) {
        metric_add(a->metrics.snapshot_failures, 1);
        return false;
    }
    metric_add(a->metrics.snapshots, 1);
    a->snapshot_mono_ns = clock_mono_ns(a->env->clock);
    a->snapshot_edges = edges;
    a->snapshot_bytes = bytes;
    a->snapshot_forgotten = forgotten;
    return true;
}

bool state_move(struct app *a, struct engine *from, struct engine *to, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    uint64_t seq = 0;

    snapshot_path(a, &path);
    if (!state_save(a, from, e) || !engine_restore_snapshot(to, buf_str(&path), &seq, e)) {
        return false;
    }
    a->snapshot_forgotten = engine_forgotten(to);
    return true;
}

void app_tick(struct app *a)
{
    const struct state_config *state = &a->now.config->settings.state;
    uint64_t edges = atomic_load_explicit(&a->outputs.edges, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&a->outputs.edge_bytes, memory_order_relaxed);
    int64_t since_ns = clock_mono_ns(a->env->clock) - a->snapshot_mono_ns;
    struct err e = ERR_INIT;

    engine_forget_orphans(a->graph.engine);
    bool is_changed =
        edges != a->snapshot_edges || engine_forgotten(a->graph.engine) != a->snapshot_forgotten;
    bool is_due = since_ns >= state->snapshot_interval_ns ||
                  bytes - a->snapshot_bytes >= (uint64_t)state->snapshot_bytes;
    if (!is_changed || !is_due) {
        return;
    }
    if (!state_save(a, a->graph.engine, &e)) {
        a->snapshot_mono_ns = clock_mono_ns(a->env->clock); /* not at every tick */
        a->snapshot_bytes = bytes;
        trace_error(&a->trace, "alert states were not saved; the ledger keeps them", T_ERR(&e));
    }
}
