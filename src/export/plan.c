/*
 * The plan: two logs, a graph of outputs on them, and the way in.
 *
 * Invariants
 *   1. A frame's mask holds the bits of the outputs that the routes chose, in the log that the
 * record's kind goes through; frames with alert edges carry the state bit too, which a snapshot
 * releases.
 *   2. The logs outlive every graph; a graph is replaced only when nobody gives through it.
 */
#include "export/plan.h"

#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/call_meter.h"
#include "export/ends.h"
#include "export/pages.h"
#include "export/pick.h"
#include "export/plan_int.h"
#include "export/routing.h"
#include "export/tap.h"
#include "export/targets.h"
#include "log/log.h"
#include "wire/frame.h"

enum {
    FRAME_BATCH = 1,
    CHANGE_WAIT_MS = 5000,
    SAVED_WAIT_MS = 10000,
    LOG_MEMORY_BYTES = 4 * 1024 * 1024,
};

/* No exporter can be called so. */
static const char state_consumer[] = "(state)";

static const char *const log_names[PLAN_LOGS] = {[PLAN_LEDGER] = "ledger", [PLAN_BULK] = "bulk"};

const char *plan_log_name(unsigned log)
{
    return log_names[log];
}

/* ---- opening ---- */

/* The strictest policy that an output of samples asks for. */
static enum log_sync bulk_sync(const struct plan_config *config)
{
    static const enum log_sync syncs[] = {[FSYNC_ALWAYS] = LOG_SYNC_ALWAYS,
                                          [FSYNC_INTERVAL] = LOG_SYNC_INTERVAL,
                                          [FSYNC_NEVER] = LOG_SYNC_NEVER};
    int strictest = FSYNC_NEVER;
    size_t asked = 0;

    for (size_t i = 0; i < config->output_count; i++) {
        const struct output_config *o = &config->outputs[i];
        if ((o->takes & TAKES(RECORD_SAMPLE)) != 0) {
            strictest = o->buffer.fsync < strictest ? o->buffer.fsync : strictest;
            asked++;
        }
    }
    strictest = asked > 0 ? strictest : FSYNC_INTERVAL;
    return syncs[strictest];
}

static bool open_log(struct plan *p, unsigned which, enum log_sync sync, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct log_report report;

    buf_addf(&path, "%.*s/%s", STR_FMT(p->state_path), log_names[which]);
    struct log_options options = {.name = str_of(log_names[which]),
                                  .path = buf_str(&path),
                                  .sync = sync,
                                  .memory_bytes = LOG_MEMORY_BYTES,
                                  .max_bytes = p->storage.max_bytes,
                                  .max_bytes_option = p->storage.max_bytes_option,
                                  .segment_bytes = p->storage.segment_bytes,
                                  .min_free_bytes = p->storage.fs != NULL ? -1 : 0,
                                  .fs = p->storage.fs,
                                  .env = p->env};
    if (!log_open(&options, &p->logs[which], &report, e)) {
        p->logs[which] = NULL;
        return false;
    }
    if (report.damaged_ranges > 0 || report.torn_bytes > 0) {
        trace_warn(&p->trace, "the log was not closed cleanly; what was damaged is copied aside",
                   T_TEXT("log", log_names[which]), T_U64("torn_bytes", report.torn_bytes),
                   T_U64("damaged_ranges", report.damaged_ranges), T_U64("frames", report.frames));
    }
    return true;
}

static bool open_logs(struct plan *p, const struct plan_config *config, struct err *e)
{
    const struct fs *fs = p->storage.fs != NULL ? p->storage.fs : fs_system();

    return fs_make_path(fs, p->state_path, e) && open_log(p, PLAN_LEDGER, LOG_SYNC_ALWAYS, e) &&
           open_log(p, PLAN_BULK, bulk_sync(config), e) &&
           log_consumer_add(p->logs[PLAN_LEDGER], str_of(state_consumer), &p->state_bit, e);
}

bool plan_open(const struct env *env, const struct plan_config *config, struct plan **ret_plan,
               struct err *e)
{
    struct plan *p = mem_new(struct plan);

    p->env = env;
    p->state_path = str_make(mem_dup_text(config->state_path.ptr, config->state_path.len),
                             config->state_path.len);
    p->storage = config->storage;
    p->taps = taps_new(env);
    p->meters = call_meters_new(env);
    p->pages = pages_new(env);
    p->ends = ends_new();
    lock_init(&p->changing);
    trace_init(&p->trace, env->trace, "export", TRACE_INFO);
    lock_init(&p->lock);
    cond_init(&p->unused);
    if (!open_logs(p, config, e) || !graph_open(p, config, &p->graph, e)) {
        plan_close(p);
        return false;
    }
    plan_retire_unused(p, p->graph);
    graph_start(p->graph, NULL);
    *ret_plan = p;
    return true;
}

/* ---- giving ---- */

/* NULL: it takes none of them. */
static struct consumer *consumer_of(const struct output *o, enum record_kind kind)
{
    return o->consumers[output_way(o, kind)];
}

/* The consumers among <outputs> that get a frame of such records; false when one of them is full and must not lose anything. */
static bool choose_consumers(struct graph *g, uint64_t outputs, enum record_kind kind,
                             uint64_t *ret_outputs, struct err *e)
{
    uint64_t chosen = 0;

    for (size_t i = 0; i < g->config.output_count; i++) {
        struct consumer *c = consumer_of(&g->outputs[i], kind);
        if ((outputs & UINT64_C(1) << i) != 0 && c != NULL) {
            if (!consumer_admits(c, e)) {
                return false;
            }
            chosen |= UINT64_C(1) << i;
        }
    }
    *ret_outputs = chosen;
    return true;
}

/* Those of <outputs> that have no room for more and lose what is new. */
static uint64_t left_out(struct graph *g, uint64_t outputs, enum record_kind kind)
{
    uint64_t ret = 0;

    for (uint64_t rest = outputs; rest != 0; rest &= rest - 1) {
        unsigned i = (unsigned)__builtin_ctzll(rest);
        ret |= consumer_leaves_out(consumer_of(&g->outputs[i], kind)) ? UINT64_C(1) << i : 0;
    }
    return ret;
}

/* Output numbers -> consumer bits of the log. */
static uint64_t log_mask(const struct graph *g, uint64_t outputs, enum record_kind kind)
{
    uint64_t mask = 0;

    for (uint64_t rest = outputs; rest != 0; rest &= rest - 1) {
        const struct output *o = &g->outputs[__builtin_ctzll(rest)];
        mask |= UINT64_C(1) << o->bits[output_way(o, kind)];
    }
    return mask;
}

/* Some have the rows now, and those that had no room never will: only then that is counted. */
static void note_given(struct graph *g, uint64_t outputs, uint64_t dropping, enum record_kind kind,
                       uint64_t rows)
{
    for (uint64_t rest = outputs; rest != 0; rest &= rest - 1) {
        consumer_appended(consumer_of(&g->outputs[__builtin_ctzll(rest)], kind));
    }
    for (uint64_t rest = dropping; rest != 0; rest &= rest - 1) {
        consumer_left_out(consumer_of(&g->outputs[__builtin_ctzll(rest)], kind), rows);
    }
}

/* Room that the writing thread makes within moments is waited for; room that the disk lacks only by those with time. */
static struct wait room_wait(struct plan *p, unsigned log, const struct give *how)
{
    struct log_status s;

    log_status(p->logs[log], &s);
    return how->hurried && (s.failing || s.low) ? (struct wait){0, NULL} : how->wait;
}

static bool append(struct plan *p, unsigned log, struct batch *b, uint64_t mask,
                   const struct give *how, uint64_t *ret_seq, struct err *e)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);
    struct str payload;

    if (!batch_to_frame(b, &head, &payload, e)) {
        return false;
    }
    struct iovec parts[] = {{head.ptr, head.len}, {(void *)(uintptr_t)payload.ptr, payload.len}};
    struct log_record record = {
        .type = FRAME_BATCH, .mask = mask, .parts = parts, .part_count = ARRAY_LEN(parts)};
    bool waits = !how->hurried && (how->durable || log == PLAN_LEDGER);
    return waits ? log_append(p->logs[log], &record, how->wait, ret_seq, e)
                 : log_append_async(p->logs[log], &record, room_wait(p, log, how), ret_seq, e);
}

static unsigned log_of(enum record_kind kind)
{
    return kind == RECORD_ALERT || kind == RECORD_EVENT ? PLAN_LEDGER : PLAN_BULK;
}

/* The rows that go to the same outputs, appended as a frame of their own; notes it in <receipt>. */
static bool give_rows(struct plan *p, struct graph *g, struct view view, uint64_t outputs,
                      const struct give *how, struct receipt *receipt, struct err *e)
{
    enum record_kind kind = batch_info(view.batch)->kind;
    unsigned log = log_of(kind);
    uint64_t takers = routing_takers(&g->config, kind, how->alert_series);
    uint64_t chosen = 0;
    struct batch *b = NULL;

    receipt->unrouted_rows += (outputs & takers) == 0 ? view.n : 0;
    if (!how->state_only && !choose_consumers(g, outputs & takers, kind, &chosen, e)) {
        return false;
    }
    uint64_t dropping = left_out(g, chosen, kind);
    uint64_t mask = log_mask(g, chosen & ~dropping, kind);
    if (kind == RECORD_ALERT) {
        mask |= UINT64_C(1) << p->state_bit;
    }
    if (mask == 0) {
        note_given(g, 0, dropping, kind, view.n);
        return true;
    }
    if (!batch_pick(view, &b, e)) {
        return false;
    }
    bool ok = append(p, log, b, mask, how, &receipt->seq, e);
    batch_unref(b);
    if (ok) {
        note_given(g, chosen & ~dropping, dropping, kind, view.n);
        receipt->outputs |= chosen & ~dropping;
    }
    return ok;
}

/* Is there room for every part of a batch? One that is refused in the middle would be given, and decided, again. */
static bool all_admit(struct graph *g, enum record_kind kind, const struct give *how,
                      const struct routed *groups, size_t count, struct err *e)
{
    uint64_t takers = routing_takers(&g->config, kind, how->alert_series);
    uint64_t chosen;

    for (size_t i = 0; i < count; i++) {
        if (!choose_consumers(g, groups[i].outputs & takers, kind, &chosen, e)) {
            return false;
        }
    }
    return true;
}

/* The targets that are given to instead of the routes; 0: none. */
static uint64_t only_targets(const struct graph *g, const struct give *how, struct receipt *receipt)
{
    struct err ignored = ERR_INIT;

    if (how->only != 0 || how->named.len == 0) {
        return how->only;
    }
    int index = plan_find_target(&g->config, how->named, &ignored);
    receipt->name_unknown = index < 0;
    return index >= 0 ? UINT64_C(1) << index : 0;
}

static bool give_routed(struct plan *p, struct graph *g, struct batch *b, const struct give *how,
                        struct receipt *receipt, struct err *e)
{
    const struct routing routing = {&g->config, only_targets(g, how, receipt), how->except};
    const struct routed *groups = NULL;
    struct arena arena;
    size_t count = 0;

    arena_init(&arena, ARENA_UNLIMITED);
    bool ok = routing_split(&routing, b, &arena, &groups, &count, e) &&
              all_admit(g, batch_info(b)->kind, how, groups, count, e);
    for (size_t i = 0; ok && i < count; i++) {
        struct view view = {.batch = b, .rows = groups[i].rows, .n = groups[i].count};
        ok = give_rows(p, g, view, groups[i].outputs, how, receipt, e);
    }
    arena_release(&arena);
    return ok;
}

bool plan_offer(struct plan *p, struct batch *b, const struct give *how,
                struct receipt *ret_receipt, struct err *e)
{
    struct receipt receipt = {.kind = batch_info(b)->kind};
    struct graph *g = plan_use_graph(p);

    bool ok = how->state_only ? give_rows(p, g, view_all(b), 0, how, &receipt, e)
                              : give_routed(p, g, b, how, &receipt, e);
    plan_release_graph(p, g);
    if (ok) {
        *ret_receipt = receipt;
    }
    return ok;
}

bool plan_give(struct plan *p, struct batch *b, const struct give *how, uint64_t *ret_seq,
               struct err *e)
{
    struct receipt receipt;

    if (!plan_offer(p, b, how, &receipt, e)) {
        return false;
    }
    *ret_seq = receipt.seq;
    return true;
}

bool plan_wait_held(struct plan *p, const struct receipt *receipt, struct wait wait, struct err *e)
{
    return receipt->seq == 0 ||
           log_wait_durable(p->logs[log_of(receipt->kind)], receipt->seq, wait, e);
}

bool plan_takes(struct plan *p, enum record_kind kind)
{
    struct graph *g = plan_use_graph(p);
    bool takes = routing_takers(&g->config, kind, false) != 0;

    plan_release_graph(p, g);
    return takes;
}

bool plan_says_types(struct plan *p)
{
    struct graph *g = plan_use_graph(p);
    bool says = false;

    for (size_t i = 0; i < g->config.output_count; i++) {
        says = says || g->config.outputs[i].says_types;
    }
    plan_release_graph(p, g);
    return says;
}

/* Has one of them room? Routes may choose that one. */
static bool any_admits(struct graph *g, uint64_t takers, enum record_kind kind, struct err *e)
{
    for (uint64_t rest = takers; rest != 0; rest &= rest - 1) {
        struct consumer *c = consumer_of(&g->outputs[__builtin_ctzll(rest)], kind);
        if (c == NULL || consumer_admits(c, e)) {
            return true;
        }
    }
    return takers == 0;
}

bool plan_admits(struct plan *p, enum record_kind kind, struct err *e)
{
    unsigned log = log_of(kind);
    struct log_status s;

    log_status(p->logs[log], &s);
    if (s.failing || s.low) {
        return err_set(e, ERR_FULL, "the %s log takes nothing now: %s", plan_log_name(log),
                       s.low ? "the disk is nearly full" : "the disk fails");
    }
    struct graph *g = plan_use_graph(p);
    bool ok = any_admits(g, routing_takers(&g->config, kind, false), kind, e);
    plan_release_graph(p, g);
    return ok;
}

static bool owes(struct plan *p, const struct output *o, enum record_kind kind, uint64_t seq)
{
    unsigned way = output_way(o, kind);
    struct log *log = p->logs[way_log(way)];

    return o->consumers[way] != NULL && log_cursor_get(log, o->bits[way]) < seq &&
           log_pending(log, o->bits[way]) > 0;
}

bool plan_is_delivered(struct plan *p, const struct receipt *receipt, bool hurry)
{
    struct graph *g = plan_use_graph(p);
    bool done = true;

    for (size_t i = 0; receipt->seq > 0 && i < g->config.output_count; i++) {
        const struct output *o = &g->outputs[i];
        bool is_asked =
            (receipt->outputs >> i & 1) != 0 && (o->config->caps & EXPORTER_SERIES) != 0;
        if (!is_asked || !owes(p, o, receipt->kind, receipt->seq)) {
            continue;
        }
        done = false;
        if (hurry) {
            consumer_hurry(consumer_of(o, receipt->kind));
        }
    }
    plan_release_graph(p, g);
    return done;
}

bool plan_target_delivered(struct plan *p, size_t target, enum record_kind kind, uint64_t seq)
{
    struct graph *g = plan_use_graph(p);
    uint64_t done = 0;

    for (size_t i = 0; i < g->config.output_count; i++) {
        done |= owes(p, &g->outputs[i], kind, seq) ? 0 : UINT64_C(1) << i;
    }
    bool ok = target < g->config.target_count &&
              expansion_is_done(g->config.targets[target].expansion, done);
    plan_release_graph(p, g);
    return ok;
}

/* ---- alert state ---- */

bool plan_replay_alerts(struct plan *p, uint64_t after,
                        bool (*visit)(void *arg, uint64_t seq, struct batch *b, struct err *e),
                        void *arg, struct err *e)
{
    if (after > plan_ledger_seq(p)) {
        trace_warn(&p->trace, "the ledger is younger than the snapshot; all of it is replayed",
                   T_U64("snapshot", after), T_U64("ledger", plan_ledger_seq(p)));
        after = 0;
    }
    AUTO(log_reader_autofree)
    struct log_reader *reader =
        log_reader_new(p->logs[PLAN_LEDGER], after + 1, UINT64_C(1) << p->state_bit);
    const struct log_frame *frame = NULL;
    bool ok = true;

    while (ok && log_reader_next(reader, (struct wait){0, NULL}, &frame, e)) {
        struct batch *b = NULL;
        if (frame == NULL) {
            return true;
        }
        ok = batch_from_frame(frame->payload, &b, e) && visit(arg, frame->seq, b, e);
        batch_unref(b);
        log_frame_drop(frame);
    }
    return err_wrap(e, "replaying the ledger");
}

bool plan_alerts_saved(struct plan *p, uint64_t seq, struct err *e)
{
    struct wait wait = {clock_deadline_ms(p->env->clock, SAVED_WAIT_MS), NULL};
    uint64_t last = plan_ledger_seq(p);

    log_cursor_set(p->logs[PLAN_LEDGER], p->state_bit, seq < last ? seq : last);
    return log_cursor_sync(p->logs[PLAN_LEDGER], wait, e);
}

uint64_t plan_ledger_seq(struct plan *p)
{
    return log_durable_seq(p->logs[PLAN_LEDGER]);
}

/* ---- levels ---- */

static const struct level_source *levels_of(struct plan *p)
{
    lock_take(&p->lock);
    const struct level_source *levels = p->levels;
    lock_give(&p->lock);
    return levels;
}

void plan_set_levels(struct plan *p, const struct level_source *levels)
{
    struct graph *g = plan_use_graph(p);

    lock_take(&p->lock);
    p->levels = levels;
    lock_give(&p->lock);
    for (size_t i = 0; i < g->config.output_count; i++) {
        if (g->outputs[i].level != NULL) {
            level_set_source(g->outputs[i].level, levels);
        }
    }
    plan_release_graph(p, g);
}

void plan_levels_changed(struct plan *p)
{
    struct graph *g = plan_use_graph(p);

    for (size_t i = 0; i < g->config.output_count; i++) {
        if (g->outputs[i].level != NULL) {
            level_set_wake(g->outputs[i].level);
        }
    }
    plan_release_graph(p, g);
}

/* ---- change, stop ---- */

/* Puts <next> in place and waits until nobody gives through the old one. */
static struct graph *swap_graph(struct plan *p, struct graph *next)
{
    lock_take(&p->lock);
    struct graph *old = p->graph;
    p->graph = next;
    while (atomic_load(&old->users) > 0) {
        (void)cond_wait_until(&p->unused, &p->lock, DEADLINE_NEVER);
    }
    lock_give(&p->lock);
    return old;
}

static bool change(struct plan *p, const struct plan_config *config, struct err *e)
{
    struct graph *next = NULL;

    /* All that can fail, fails before the old graph is touched. */
    if (!graph_open(p, config, &next, e)) {
        plan_retire_unused(p, p->graph);
        return false;
    }
    /* Who gives through either graph gets what it asks for. */
    enum log_sync sync = bulk_sync(config);
    struct graph *now = plan_use_graph(p);
    enum log_sync before = bulk_sync(&now->config);
    plan_release_graph(p, now);
    log_set_sync(p->logs[PLAN_BULK], sync < before ? sync : before);
    struct graph *old = swap_graph(p, next);
    graph_rest(old, (struct wait){clock_deadline_ms(p->env->clock, CHANGE_WAIT_MS), NULL});
    log_set_sync(p->logs[PLAN_BULK], sync);
    graph_follow(next, old);
    graph_free(old);
    plan_retire_unused(p, next);
    graph_start(next, levels_of(p));
    return true;
}

bool plan_change(struct plan *p, const struct plan_config *config, struct err *e)
{
    lock_take(&p->changing);
    bool ok = change(p, config, e);
    lock_give(&p->changing);
    return ok;
}

void plan_close(struct plan *p)
{
    if (p == NULL) {
        return;
    }
    graph_free(p->graph);
    for (unsigned log = PLAN_LOGS; log-- > 0;) {
        log_close(p->logs[log]);
    }
    for (size_t i = 0; i < p->orphan_drops.len; i++) {
        drops_release(p->orphan_drops.items[i]);
        mem_free(p->orphan_drops.items[i]);
    }
    vec_release(&p->orphan_drops);
    taps_free(p->taps);
    call_meters_free(p->meters);
    pages_free(p->pages);
    ends_free(p->ends);
    lock_release(&p->changing);
    cond_release(&p->unused);
    lock_release(&p->lock);
    mem_free(p->state_path.ptr);
    mem_free(p);
}
