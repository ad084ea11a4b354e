/*
 * Alert state on disk: the folder, its restoring and its saving.
 *
 * Invariants
 *   1. The ledger forgets edges only after a snapshot that contains them is durable.
 *   2. What is restored is the snapshot and every edge of the ledger behind it, in order.
 *   3. The files of series and of slots are worth less: without them series linger and time counts that
 *      nobody watched. They are written now and then, and a failure is told and does no more harm.
 */
#include "app/app_int.h"
#include "app/trace_control.h"

#include "base/fs.h"
#include "base/metrics.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SNAPSHOT_NAME "alerts.snapshot"
#define SERIES_NAME "series.snapshot"
#define SLOTS_NAME "groups.slots"
#define RECEIVED_NAME "received.alerts"

enum {
    SLOTS_EVERY_MS = 5000,
    SERIES_EVERY_MS = 10000,
    SETTLE_MS = 5000,
    SLOTS_BYTES_MAX = 64 << 20,
};

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

static void state_file(const struct app *a, const char *name, struct buf *out)
{
    buf_addf(out, "%.*s/%s", STR_FMT(a->now.config->settings.state.path), name);
}

static void snapshot_path(const struct app *a, struct buf *out)
{
    state_file(a, SNAPSHOT_NAME, out);
}

/* ---- slots and series ---- */

static void save_slots(struct app *a, struct engine *engine)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(SLOTS_BYTES_MAX);
    struct err e = ERR_INIT;

    a->slots_mono_ns = clock_mono_ns(a->env->clock);
    engine_print_slots(engine, &text);
    state_file(a, SLOTS_NAME, &path);
    if (text.len > 0 && !fs_replace_file(fs_system(), buf_str(&path), buf_str(&text), &e)) {
        trace_warn(&a->trace, "when groups were evaluated is not on disk", T_ERR(&e));
    }
}

static void restore_slots(struct app *a, struct engine *engine)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(SLOTS_BYTES_MAX);
    struct err e = ERR_INIT;

    state_file(a, SLOTS_NAME, &path);
    if (access(buf_text(&path), F_OK) != 0) {
        return;
    }
    if (!fs_read_file(fs_system(), buf_str(&path), SLOTS_BYTES_MAX, &text, &e)) {
        trace_warn(&a->trace, "how long nothing was evaluated is not known", T_ERR(&e));
        return;
    }
    engine_restore_slots(engine, buf_str(&text));
}

static void save_series(struct app *a, struct engine *engine)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    uint64_t changes = engine_series_changes(engine);
    int64_t start_ns = clock_mono_ns(a->env->clock);
    struct err e = ERR_INIT;

    state_file(a, SERIES_NAME, &path);
    if (!engine_save_series(engine, buf_str(&path), &e)) {
        trace_warn(&a->trace, "the series of recording rules are not on disk", T_ERR(&e));
    }
    a->series_changes = changes;
    a->series_mono_ns = clock_mono_ns(a->env->clock);
    a->series_took_ns = a->series_mono_ns - start_ns;
}

static void restore_series(struct app *a, struct engine *engine)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    uint64_t rules = 0;
    struct err e = ERR_INIT;

    state_file(a, SERIES_NAME, &path);
    if (access(buf_text(&path), F_OK) == 0 &&
        !engine_restore_series(engine, buf_str(&path), &rules, &e)) {
        trace_warn(&a->trace, "series of recording rules that are gone stay until they age out",
                   T_ERR(&e), T_U64("rules_restored", rules));
    }
}

/* A large file is written less often: a hundredth of the time at most. */
static void save_when_due(struct app *a, struct engine *engine)
{
    enum { SHARE = 100 };
    int64_t now_ns = clock_mono_ns(a->env->clock);
    int64_t pause_ns = SERIES_EVERY_MS * NS_PER_MS;

    if (now_ns - a->slots_mono_ns >= SLOTS_EVERY_MS * NS_PER_MS) {
        save_slots(a, engine);
    }
    pause_ns = a->series_took_ns * SHARE > pause_ns ? a->series_took_ns * SHARE : pause_ns;
    if (engine_series_changes(engine) != a->series_changes &&
        now_ns - a->series_mono_ns >= pause_ns) {
        save_series(a, engine);
    }
}

/* ---- alerts ---- */

/* Alerts that others push. */
static void load_received(struct app *a)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    state_file(a, RECEIVED_NAME, &path);
    if (access(buf_text(&path), F_OK) != 0) {
        return;
    }
    if (!alert_states_load(a->received, buf_str(&path), &e)) {
        trace_warn(&a->trace, "some alerts that others push will be told again", T_ERR(&e));
    }
}

/* After the engine's snapshot, so that what the ledger forgets is in this file. */
static bool save_received(struct app *a, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    uint64_t changes = alert_states_changes(a->received);

    if (changes == a->received_changes) {
        return true;
    }
    state_file(a, RECEIVED_NAME, &path);
    if (!alert_states_save(a->received, buf_str(&path), e)) {
        return false;
    }
    a->received_changes = changes;
    return true;
}

struct replay {
    struct app *app;
    struct engine *engine;
    uint64_t edges;
};

static bool replay_edges(void *arg, uint64_t seq, struct batch *b, struct err *e)
{
    struct replay *r = arg;

    r->edges += batch_rows(b);
    if (alert_states_own(b)) {
        engine_note_frame(r->engine, seq);
        return alert_states_replay(r->app->received, b, e);
    }
    return engine_restore_edge(r->engine, seq, b, e);
}

bool state_restore(struct app *a, struct engine *engine, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct replay replay = {.app = a, .engine = engine};
    uint64_t seq = 0;

    snapshot_path(a, &path);
    bool has_snapshot = access(buf_text(&path), F_OK) == 0;
    if (has_snapshot && !engine_restore_snapshot(engine, buf_str(&path), &seq, e)) {
        return false;
    }
    load_received(a);
    if (!plan_replay_alerts(a->plan, seq, replay_edges, &replay, e)) {
        return err_wrap(e, "restoring alert states from the ledger");
    }
    uint64_t before = engine_forgotten(engine);
    restore_series(a, engine);
    restore_slots(a, engine);
    engine_adopt_orphans(engine);
    if (engine_forgotten(engine) != before && !state_save(a, engine, e)) {
        return false;
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
    engine_note_frame(engine, alert_states_seq(a->received));
    if (!engine_save_snapshot(engine, buf_str(&path), &seq, e) || !save_received(a, e) ||
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
    const struct wait wait = {clock_deadline_ms(a->env->clock, SETTLE_MS), NULL};
    uint64_t seq = 0;

    snapshot_path(a, &path);
    if (!engine_settle(from, wait, e) || !state_save(a, from, e) ||
        !engine_restore_snapshot(to, buf_str(&path), &seq, e)) {
        return false;
    }
    save_series(a, from);
    save_slots(a, from);
    restore_series(a, to);
    restore_slots(a, to);
    engine_adopt_orphans(to);
    engine_take_over(to, from);
    a->series_changes = engine_series_changes(to);
    return state_save(a, to, e);
}

void state_save_last(struct app *a, struct engine *engine)
{
    struct err e = ERR_INIT;

    save_slots(a, engine);
    save_series(a, engine);
    if (!state_save(a, engine, &e)) {
        trace_error(&a->trace, "alert states were not saved; the ledger keeps them", T_ERR(&e));
    }
}

static bool reload_is_due(struct app *a)
{
    int64_t interval_ns = a->now.config->settings.reload_interval_ns;
    int64_t now_ns = clock_mono_ns(a->env->clock);

    if (interval_ns == 0 || now_ns - a->reloaded_mono_ns < interval_ns) {
        return false;
    }
    a->reloaded_mono_ns = now_ns;
    return true;
}

void app_tick(struct app *a)
{
    const struct state_config *state = &a->now.config->settings.state;
    uint64_t edges = atomic_load_explicit(&a->outputs.edges, memory_order_relaxed);
    uint64_t bytes = atomic_load_explicit(&a->outputs.edge_bytes, memory_order_relaxed);
    int64_t since_ns = clock_mono_ns(a->env->clock) - a->snapshot_mono_ns;
    struct err e = ERR_INIT;

    trace_control_tick(a->trace_control);
    if (reload_is_due(a)) {
        app_reload(a);
        return;
    }
    engine_forget_orphans(a->graph.engine);
    save_when_due(a, a->graph.engine);
    bool is_changed = edges != a->snapshot_edges ||
                      engine_forgotten(a->graph.engine) != a->snapshot_forgotten ||
                      alert_states_changes(a->received) != a->received_changes;
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
