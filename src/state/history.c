/*
 * Invariants
 *   1. The writing thread alone uses <db>; readers have <reader> under its lock.
 *   2. A delivery may end before its change is written: deliveries stand by the edge's id, in a table of
 *      their own, and are found when somebody asks.
 */
#include "state/history.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/thread.h"
#include "base/trace.h"
#include "db/sqlite.h"
#include "state/history_int.h"

#include <math.h>

enum { BATCH_ITEMS = 256, PRUNE_EVERY = 1000 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS changes (id INTEGER PRIMARY KEY AUTOINCREMENT, edge TEXT NOT NULL,"
    " at_ns INTEGER NOT NULL, rule_id TEXT NOT NULL, rule TEXT NOT NULL, grp TEXT NOT NULL,"
    " labels TEXT NOT NULL, from_state TEXT NOT NULL, to_state TEXT NOT NULL, value REAL,"
    " cause TEXT NOT NULL, told INTEGER NOT NULL, active_at_ns INTEGER NOT NULL,"
    " fired_at_ns INTEGER NOT NULL, resolved_at_ns INTEGER NOT NULL, annotations TEXT NOT NULL);"
    "CREATE INDEX IF NOT EXISTS changes_by_time ON changes (at_ns);"
    "CREATE INDEX IF NOT EXISTS changes_by_rule ON changes (rule, id);"
    "CREATE TABLE IF NOT EXISTS deliveries (edge TEXT NOT NULL, exporter TEXT NOT NULL,"
    " at_ns INTEGER NOT NULL, result TEXT NOT NULL, reason TEXT NOT NULL,"
    " PRIMARY KEY (edge, exporter)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS deliveries_by_time ON deliveries (at_ns);"
    "PRAGMA user_version = 1;";

static const char insert_change[] =
    "INSERT INTO changes (edge, at_ns, rule_id, rule, grp, labels, from_state, to_state, value, cause,"
    " told, active_at_ns, fired_at_ns, resolved_at_ns, annotations)"
    " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)";
static const char insert_delivery[] =
    "INSERT INTO deliveries (edge, exporter, at_ns, result, reason) VALUES (?1,?2,?3,?4,?5)"
    " ON CONFLICT DO UPDATE SET at_ns = excluded.at_ns, result = excluded.result,"
    " reason = excluded.reason";
static const char prune_changes[] =
    "DELETE FROM changes WHERE id <= (SELECT max(id) FROM changes) - ?1 OR at_ns < ?2";
static const char prune_deliveries[] =
    "DELETE FROM deliveries WHERE at_ns < coalesce((SELECT min(at_ns) FROM changes), 0)";

static const struct metric_desc dropped_desc = {
    .name = "telex_history_dropped_total",
    .help = "Changes and ends of deliveries that the history did not take: too many, or no room.",
    .type = METRIC_COUNTER};
static const struct metric_desc changes_desc = {.name = "telex_history_changes_total",
                                                .help = "Changes of alert state in the history.",
                                                .type = METRIC_COUNTER};

/* What is handed over. */
struct item {
    struct batch *batch;
    bool told;
    char *exporter; /* NULL: changes; else the end of a delivery */
    const char *result;
    char *reason;
    uint32_t *rows; /* NULL: all */
    uint32_t count;
    int64_t at_ns;
};

enum statement { INSERT_CHANGE, INSERT_DELIVERY, PRUNE_CHANGES, PRUNE_DELIVERIES, STATEMENTS };

struct history {
    const struct env *env;
    struct trace trace;
    struct history_options options;
    char *path;
    struct queue *queue;
    struct thread thread;
    struct db *db;
    struct db_query *statements[STATEMENTS];
    struct buf text;
    uint64_t since_prune;
    struct metric *dropped;
    struct metric *changes;
    struct lock lock;
    struct cond idle;
    uint64_t given GUARDED_BY(lock);
    uint64_t written GUARDED_BY(lock);
    struct lock reader_lock;
    struct db *reader GUARDED_BY(reader_lock);
};

/* ---- what is written ---- */

static void item_free(struct item *item)
{
    batch_unref(item->batch);
    mem_free(item->exporter);
    mem_free(item->reason);
    mem_free(item->rows);
    mem_free(item);
}

static void bind_edge(struct history *h, struct db_query *q, const struct alert *a)
{
    buf_clear(&h->text);
    alert_print_id(a, &h->text);
    db_bind_str(q, 1, buf_str(&h->text));
}

/* NULL: nobody said one; what SQLite has no number for is text. */
static void bind_value(struct db_query *q, int at, double value)
{
    if (number_is_stale_nan(value)) {
        db_bind_null(q, at);
    } else if (isnan(value)) {
        db_bind_str(q, at, STR("NaN"));
    } else {
        db_bind_double(q, at, value);
    }
}

static bool write_change(struct history *h, const struct item *item, const struct alert *a,
                         struct err *e)
{
    const struct batch_info *info = batch_info(item->batch);
    struct db_query *q = h->statements[INSERT_CHANGE];

    bind_edge(h, q, a);
    db_bind_i64(q, 2, a->time_ns);
    db_bind_str(q, 3, a->rule_id);
    db_bind_str(q, 4, info->rule);
    db_bind_str(q, 5, info->group);
    db_bind_str(q, 6, history_labels(a, &h->text));
    db_bind_str(q, 7, str_of(history_state(a->from)));
    db_bind_str(q, 8, str_of(history_state(a->to)));
    bind_value(q, 9, a->value);
    db_bind_str(q, 10, str_of(history_cause(info, a)));
    db_bind_i64(q, 11, item->told);
    db_bind_i64(q, 12, a->active_at_ns);
    db_bind_i64(q, 13, a->fired_at_ns);
    db_bind_i64(q, 14, a->resolved_at_ns);
    db_bind_str(q, 15, history_annotations(a, &h->text));
    return db_run(q, e);
}

static bool write_end(struct history *h, const struct item *item, const struct alert *a,
                      struct err *e)
{
    struct db_query *q = h->statements[INSERT_DELIVERY];

    bind_edge(h, q, a);
    db_bind_str(q, 2, str_of(item->exporter));
    db_bind_i64(q, 3, item->at_ns);
    db_bind_str(q, 4, str_of(item->result));
    db_bind_str(q, 5, str_of(item->reason));
    return db_run(q, e);
}

static bool write_item(struct history *h, const struct item *item, struct err *e)
{
    const struct alerts *alerts = NULL;
    bool ok = batch_alerts(item->batch, &alerts, e);
    uint32_t count = ok ? (item->rows != NULL ? item->count : alerts->count) : 0;

    for (uint32_t i = 0; ok && i < count; i++) {
        const struct alert *a = &alerts->rows[item->rows != NULL ? item->rows[i] : i];
        ok = (item->exporter != NULL ? write_end : write_change)(h, item, a, e);
    }
    h->since_prune += count;
    if (ok && item->exporter == NULL) {
        metric_add(h->changes, count);
    }
    return ok;
}

static bool prune(struct history *h, struct err *e)
{
    struct db_query *q = h->statements[PRUNE_CHANGES];

    h->since_prune = 0;
    db_bind_i64(q, 1, h->options.max_changes);
    db_bind_i64(q, 2, clock_wall_ns(h->env->clock) - h->options.max_age_ns);
    return db_run(q, e) && db_run(h->statements[PRUNE_DELIVERIES], e);
}

static bool write_items(struct history *h, struct item *const *items, size_t count, struct err *e)
{
    bool ok = db_exec(h->db, "BEGIN", e);

    for (size_t i = 0; ok && i < count; i++) {
        ok = write_item(h, items[i], e);
    }
    ok = ok && (h->since_prune < PRUNE_EVERY || prune(h, e)) && db_exec(h->db, "COMMIT", e);
    if (!ok) {
        struct err ignored = ERR_INIT;
        bool undone = db_exec(h->db, "ROLLBACK", &ignored);
        (void)undone; /* what failed may have ended the transaction itself */
    }
    return ok;
}

/* ---- the thread ---- */

static uint32_t rows_of(const struct item *item)
{
    return item->rows != NULL ? item->count : batch_rows(item->batch);
}

static void write_some(struct history *h, struct item **items, size_t count)
{
    struct err e = ERR_INIT;
    uint64_t rows = 0;

    bool ok = write_items(h, items, count, &e);
    for (size_t i = 0; i < count; i++) {
        rows += rows_of(items[i]);
        item_free(items[i]);
    }
    if (!ok) {
        metric_add(h->dropped, rows);
        trace_warn(&h->trace, "changes of alert state are not in the history",
                   T_U64("changes", rows), T_ERR(&e));
    }
    lock_take(&h->lock);
    h->written += count;
    cond_broadcast(&h->idle);
    lock_give(&h->lock);
}

/* Commits what came within a moment together. */
static void run(void *arg)
{
    struct history *h = arg;
    struct item *items[BATCH_ITEMS];

    while ((items[0] = queue_pop(h->queue, (struct wait){DEADLINE_NEVER, NULL})) != NULL) {
        size_t count = 1;
        while (count < BATCH_ITEMS) {
            items[count] = queue_pop(h->queue, (struct wait){0, NULL});
            if (items[count] == NULL) {
                break;
            }
            count++;
        }
        write_some(h, items, count);
    }
}

static void hand_over(struct history *h, struct item *item)
{
    lock_take(&h->lock);
    h->given++;
    lock_give(&h->lock);
    if (!queue_push(h->queue, item, (struct wait){0, NULL})) {
        metric_add(h->dropped, rows_of(item));
        item_free(item);
        lock_take(&h->lock);
        h->written++;
        lock_give(&h->lock);
    }
}

void history_changes(struct history *h, struct batch *edges, bool told)
{
    struct item *item = mem_new(struct item);

    *item = (struct item){.batch = batch_ref(edges), .told = told};
    hand_over(h, item);
}

void history_ended(struct history *h, struct str exporter, struct view alerts, const char *result,
                   struct str reason)
{
    struct item *item = mem_new(struct item);

    *item = (struct item){.batch = batch_ref(alerts.batch),
                          .exporter = mem_dup_text(exporter.ptr, exporter.len),
                          .result = result,
                          .reason = mem_dup_text(reason.ptr, reason.len),
                          .rows = mem_alloc((alerts.n + 1) * sizeof(uint32_t)),
                          .count = alerts.n,
                          .at_ns = clock_wall_ns(h->env->clock)};
    for (uint32_t i = 0; i < alerts.n; i++) {
        item->rows[i] = view_row(alerts, i);
    }
    hand_over(h, item);
}

void history_settle(struct history *h)
{
    lock_take(&h->lock);
    while (h->written < h->given) {
        (void)cond_wait_until(&h->idle, &h->lock, DEADLINE_NEVER);
    }
    lock_give(&h->lock);
}

/* ---- life ---- */

static bool prepare(struct history *h, struct err *e)
{
    static const char *const sql[STATEMENTS] = {
        [INSERT_CHANGE] = insert_change,
        [INSERT_DELIVERY] = insert_delivery,
        [PRUNE_CHANGES] = prune_changes,
        [PRUNE_DELIVERIES] = prune_deliveries,
    };
    bool ok = db_exec(h->db, schema, e);

    for (size_t i = 0; ok && i < STATEMENTS; i++) {
        ok = db_prepare(h->db, sql[i], &h->statements[i], e);
    }
    return ok;
}

static void release(struct history *h)
{
    for (size_t i = 0; i < STATEMENTS; i++) {
        db_query_free(h->statements[i]);
    }
    db_close(h->db);
    db_close(h->reader);
    queue_free(h->queue);
    metric_drop(h->dropped);
    metric_drop(h->changes);
    buf_release(&h->text);
    cond_release(&h->idle);
    lock_release(&h->lock);
    lock_release(&h->reader_lock);
    mem_free(h->path);
    mem_free(h);
}

bool history_open(const struct env *env, const struct history_options *options,
                  struct history **ret_history, struct err *e)
{
    struct history *h = mem_new(struct history);

    h->env = env;
    h->options = *options;
    h->path = mem_dup_text(options->path.ptr, options->path.len);
    h->queue = queue_new(HISTORY_QUEUE);
    h->text = BUF_INIT(BUF_UNLIMITED);
    trace_init(&h->trace, env->trace, "history", TRACE_INFO);
    lock_init(&h->lock);
    cond_init(&h->idle);
    lock_init(&h->reader_lock);
    h->dropped = metrics_get0(env->metrics, &dropped_desc);
    h->changes = metrics_get0(env->metrics, &changes_desc);
    if (!db_open(h->path, DB_SYNC_NORMAL, &h->db, e) || !prepare(h, e) ||
        !db_open(h->path, DB_SYNC_NORMAL, &h->reader, e) ||
        !thread_start(&h->thread, "history", run, h, e)) {
        release(h);
        return err_wrap(e, "the history of alerts");
    }
    *ret_history = h;
    return true;
}

void history_close(struct history *h)
{
    if (h == NULL) {
        return;
    }
    queue_close(h->queue);
    thread_join(&h->thread);
    release(h);
}

bool history_print(struct history *h, const struct history_filter *filter, struct buf *out,
                   int64_t *ret_next, struct err *e)
{
    lock_take(&h->reader_lock);
    bool ok = history_query(h->reader, filter, out, ret_next, e);
    lock_give(&h->reader_lock);
    return ok;
}
