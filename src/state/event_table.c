/*
 * Invariants
 *   1. The writing thread alone uses <db>; readers have connections of their own.
 *   2. Whoever gave events is told that they are on disk only behind a commit that SQLite said is synced.
 *   3. Numbers ascend in the order of commits and never come again: the newest row is never removed, and a
 *      transaction that writes holds the lock of the file from its first look at the last number.
 *   4. A row is removed only when no reader's need lies before it, as the file has it.
 *   5. Of rows with equal source and id there is one (event_marks.c).
 */
#include "state/event_table.h"

#include "base/mem.h"
#include "base/rand.h"
#include "state/event_table_int.h"
#include "wire/events.h"

#include <stdio.h>

enum { TRANSACTION_ROWS = 20000, IDLE_MS = 1000, ROOM_BYTES = 256 << 20, VERSION = 1 };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, mark INTEGER NOT NULL,"
    " at_ns INTEGER NOT NULL, event BLOB NOT NULL);"
    "DROP INDEX IF EXISTS events_by_mark;"
    "CREATE TABLE IF NOT EXISTS marks (mark INTEGER, seq INTEGER, PRIMARY KEY (mark, seq)) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS marked (one INTEGER PRIMARY KEY CHECK (one = 1), upto INTEGER NOT NULL,"
    " purged INTEGER NOT NULL);"
    "INSERT INTO marked VALUES (1, 0, 0) ON CONFLICT DO NOTHING;"
    "CREATE TABLE IF NOT EXISTS readers (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL);"
    "PRAGMA user_version = 1;";

static const char select_young[] =
    "SELECT seq FROM events WHERE at_ns >= ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq LIMIT 1";
static const char insert_need[] = "INSERT INTO readers (name, seq) VALUES (?1, ?2)"
                                  " ON CONFLICT DO UPDATE SET seq = excluded.seq";

static const char *const statements[EVENT_STATEMENTS] = {
    [EVENT_FIND] = "SELECT seq FROM marks WHERE mark = ?1",
    [EVENT_ROW] = "SELECT event FROM events WHERE seq = ?1",
    [EVENT_MARKS_BEHIND] = "SELECT seq, mark FROM events WHERE seq > ?1 ORDER BY seq",
    [EVENT_MARK] = "INSERT INTO marks (mark, seq) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    [EVENT_MARKED] = "SELECT upto FROM marked",
    [EVENT_SET_MARKED] = "UPDATE marked SET upto = ?1",
    [EVENT_PURGE] = "DELETE FROM marks WHERE seq < ?1",
    [EVENT_PURGED] = "SELECT purged FROM marked",
    [EVENT_SET_PURGED] = "UPDATE marked SET purged = ?1",
    [EVENT_INSERT] = "INSERT INTO events (seq, mark, at_ns, event) VALUES (?1, ?2, ?3, ?4)",
    [EVENT_LAST] = "SELECT max(seq) FROM events",
    [EVENT_FIRST] = "SELECT min(seq) FROM events",
    [EVENT_YOUNG] = select_young,
    [EVENT_REMOVE] = "DELETE FROM events WHERE seq <= ?1",
    [EVENT_NEED] = insert_need,
    [EVENT_FORGET] = "DELETE FROM readers WHERE name = ?1",
    [EVENT_PAGES] = "PRAGMA page_count",
    [EVENT_FREE_PAGES] = "PRAGMA freelist_count",
    [EVENT_PAGE_SIZE] = "PRAGMA page_size",
};

bool event_number(struct event_table *t, enum event_statement which, int64_t *ret, struct err *e)
{
    struct db_query *q = t->statements[which];
    bool has_row = false;
    bool ok = db_step(q, &has_row, e);

    if (ok) {
        *ret = has_row ? db_i64(q, 0) : 0;
    }
    db_reset(q);
    return ok;
}

bool event_begin(struct event_table *t, struct err *e)
{
    return db_exec(t->db, "BEGIN IMMEDIATE", e);
}

bool event_commit(struct event_table *t, bool ok, struct err *e)
{
    if (ok && db_exec(t->db, "COMMIT", e)) {
        return true;
    }
    struct err ignored = ERR_INIT;
    bool undone = db_exec(t->db, "ROLLBACK", &ignored);
    (void)undone; /* what failed may have ended the transaction itself */
    return false;
}

/* ---- one row ---- */

struct packed {
    int64_t mark;
    struct str bytes;
};

/* What finds an event again: the id goes into the hash with the source's as its seed. */
static int64_t mark_of(const struct event *ev)
{
    return (int64_t)str_hash(ev->id, str_hash(ev->source, 0));
}

static void pack(const struct event *ev, struct buf *out)
{
    int64_t mark = mark_of(ev);
    uint64_t len = 0;
    size_t at = out->len + sizeof(mark);

    buf_add(out, &mark, sizeof(mark));
    buf_add(out, &len, sizeof(len));
    events_put(ev, out);
    if (buf_ok(out)) {
        len = out->len - at - sizeof(len);
        memcpy(out->ptr + at, &len, sizeof(len));
    }
}

static struct packed unpack(struct str *rest)
{
    struct packed p;
    uint64_t len = 0;
    size_t head = sizeof(p.mark) + sizeof(len);

    memcpy(&p.mark, rest->ptr, sizeof(p.mark));
    memcpy(&len, rest->ptr + sizeof(p.mark), sizeof(len));
    p.bytes = str_slice(*rest, head, (size_t)len);
    *rest = str_slice(*rest, head + (size_t)len, rest->len);
    return p;
}

static bool insert(struct event_table *t, const struct packed *p, int64_t now_ns, struct err *e)
{
    struct db_query *q = t->statements[EVENT_INSERT];

    db_bind_i64(q, 1, (int64_t)(t->written + 1));
    db_bind_i64(q, 2, p->mark);
    db_bind_i64(q, 3, now_ns);
    db_bind_bytes(q, 4, p->bytes);
    if (!db_run(q, e)) {
        return false;
    }
    t->written++;
    event_marks_add(&t->marks, p->mark, t->written);
    return true;
}

/* ---- a transaction ---- */

static bool write_rows(struct event_table *t, struct event_pending *p, struct err *e)
{
    int64_t now_ns = clock_wall_ns(t->env->clock);
    struct str rest = buf_str(&p->rows);
    bool is_known = false;

    p->result = (struct event_appended){0};
    while (rest.len > 0) {
        struct packed row = unpack(&rest);
        if (!event_marks_find(t, row.mark, row.bytes, &is_known, e) ||
            (!is_known && !insert(t, &row, now_ns, e))) {
            return false;
        }
        p->result.fresh += !is_known;
        p->result.known += is_known;
        p->result.seq = is_known ? p->result.seq : t->written;
    }
    return true;
}

static bool write_all(struct event_table *t, struct event_pending *list, uint64_t *ret_needs,
                      struct err *e)
{
    int64_t last = 0;

    if (!event_begin(t, e)) {
        return false;
    }
    bool ok = event_number(t, EVENT_LAST, &last, e) && event_marks_sync(t, (uint64_t)last, e);
    t->written = (uint64_t)last;
    for (struct event_pending *p = list; ok && p != NULL; p = p->next) {
        ok = write_rows(t, p, e);
    }
    ok = ok && event_needs_write(t, ret_needs, e);
    ok = event_commit(t, ok, e);
    if (!ok) {
        event_marks_forget(&t->marks);
    }
    return ok;
}

static void count(struct event_table *t, const struct event_pending *p, bool ok)
{
    if (t->metrics.appended != NULL) {
        metric_add(t->metrics.appended, ok ? p->result.fresh : 0);
        metric_add(t->metrics.known, ok ? p->result.known : 0);
        metric_add(t->metrics.refused, ok ? 0 : p->count);
    }
}

static void tell(struct event_table *t, struct event_pending *list, bool ok, const struct err *e)
{
    while (list != NULL) {
        struct event_pending *next = list->next;
        count(t, list, ok);
        t->since_looked += list->result.fresh;
        list->end.done(list->end.arg, ok ? &list->result : NULL, e);
        buf_release(&list->rows);
        mem_free(list);
        list = next;
    }
}

/* Readers are woken before the givers are told: what is on disk is on disk. */
static void write_some(struct event_table *t, struct event_pending *list)
{
    struct err e = ERR_INIT;
    uint64_t needs = 0;
    bool ok = write_all(t, list, &needs, &e);

    if (ok) {
        lock_take(&t->lock);
        t->last = t->written;
        cond_broadcast(&t->changed);
        lock_give(&t->lock);
        event_needs_settle(t, needs);
    } else {
        trace_error(&t->trace, "events were not written", T_ERR(&e));
    }
    tell(t, list, ok, &e);
}

/* ---- the thread ---- */

/* What waits, as much as goes into one transaction. */
static struct event_pending *take_some(struct event_table *t) REQUIRES(&t->lock)
{
    struct event_pending *first = t->first;
    struct event_pending **end = &t->first;
    size_t rows = 0;

    while (*end != NULL && (rows == 0 || rows + (*end)->count <= TRANSACTION_ROWS)) {
        rows += (*end)->count;
        t->pending_bytes -= (*end)->rows.len;
        end = &(*end)->next;
    }
    t->pending_rows -= rows;
    t->first = *end;
    *end = NULL;
    if (t->first == NULL) {
        t->end = &t->first;
    }
    return first;
}

/* False when it is closed and nothing waits. Without work it comes back now and then, for rows get old. */
static bool wait_for_work(struct event_table *t, struct event_pending **ret_list,
                          bool *ret_has_needs)
{
    int64_t deadline_ns = clock_mono_ns(t->env->clock) + IDLE_MS * NS_PER_MS;

    lock_take(&t->lock);
    while (t->first == NULL && !t->needs_changed && !t->closing &&
           cond_wait_until(&t->work, &t->lock, deadline_ns)) {
    }
    *ret_has_needs = t->needs_given != t->needs_written;
    t->needs_changed = false;
    *ret_list = t->first != NULL ? take_some(t) : NULL;
    bool goes_on = *ret_list != NULL || *ret_has_needs || !t->closing;
    lock_give(&t->lock);
    return goes_on;
}

static void run(void *arg)
{
    struct event_table *t = arg;
    struct event_pending *list = NULL;
    bool has_needs = false;

    while (wait_for_work(t, &list, &has_needs)) {
        if (list != NULL || has_needs) {
            write_some(t, list);
        }
        event_marks_keep(t);
        event_limits_keep(t);
    }
}

/* ---- appending ---- */

bool event_table_has_room(struct event_table *t, struct err *e)
{
    lock_take(&t->lock);
    bool is_busy = t->pending_bytes >= EVENT_PENDING_BYTES || t->pending_rows >= EVENT_PENDING_ROWS;
    bool ok = !t->is_full && !is_busy && !t->closing;
    if (!ok) {
        (void)err_set(e, ERR_FULL, "%s",
                      t->is_full ? t->full
                      : is_busy  ? "too many events wait to be written"
                                 : "the table of events is being closed");
    }
    lock_give(&t->lock);
    return ok;
}

static struct event_pending *pack_all(const struct events *events,
                                      const struct event_append_end *end)
{
    struct event_pending *p = mem_new(struct event_pending);

    p->rows = BUF_INIT(ROOM_BYTES);
    p->count = events->count;
    p->end = *end;
    for (uint32_t i = 0; i < events->count; i++) {
        pack(&events->rows[i], &p->rows);
    }
    return p;
}

bool event_table_append(struct event_table *t, const struct events *events,
                        const struct event_append_end *end, struct err *e)
{
    if (!event_table_has_room(t, e)) {
        return false;
    }
    struct event_pending *p = pack_all(events, end);
    if (!buf_ok(&p->rows)) {
        buf_release(&p->rows);
        mem_free(p);
        return err_set(e, ERR_LIMIT, "the events are larger than %d bytes together", ROOM_BYTES);
    }
    lock_take(&t->lock);
    *t->end = p;
    t->end = &p->next;
    t->pending_bytes += p->rows.len;
    t->pending_rows += p->count;
    cond_signal(&t->work);
    lock_give(&t->lock);
    return true;
}

/* Somebody who waits for the end, and the end: who of both comes last frees it. */
struct awaited {
    struct lock lock;
    struct cond changed;
    bool is_over GUARDED_BY(lock);
    bool is_left GUARDED_BY(lock);
    bool ok;
    struct event_appended result;
    struct err error;
};

static void awaited_free(struct awaited *w)
{
    cond_release(&w->changed);
    lock_release(&w->lock);
    mem_free(w);
}

static void awaited_done(void *arg, const struct event_appended *ret, const struct err *e)
{
    struct awaited *w = arg;

    lock_take(&w->lock);
    w->ok = ret != NULL;
    if (w->ok) {
        w->result = *ret;
    } else {
        w->error = *e;
    }
    w->is_over = true;
    bool is_left = w->is_left;
    cond_broadcast(&w->changed);
    lock_give(&w->lock);
    if (is_left) {
        awaited_free(w);
    }
}

/* False when the wait was over first. */
static bool await(struct awaited *w, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &w->lock, &w->changed);
    lock_take(&w->lock);
    while (!w->is_over && waiter_pause(&waiter)) {
    }
    bool is_over = w->is_over;
    lock_give(&w->lock);
    waiter_end(&waiter);
    return is_over;
}

static bool leave(struct awaited *w, struct wait wait, struct err *e)
{
    lock_take(&w->lock);
    w->is_left = true;
    bool is_over = w->is_over;
    lock_give(&w->lock);
    if (is_over) {
        awaited_free(w);
    }
    return wait_err(wait, e);
}

bool event_table_append_wait(struct event_table *t, const struct events *events, struct wait wait,
                             struct event_appended *ret, struct err *e)
{
    struct awaited *w = mem_new(struct awaited);
    const struct event_append_end end = {awaited_done, w};

    lock_init(&w->lock);
    cond_init(&w->changed);
    if (!event_table_append(t, events, &end, e)) {
        awaited_free(w);
        return false;
    }
    if (!await(w, wait)) {
        return leave(w, wait, e);
    }
    bool ok = w->ok;
    if (ok) {
        *ret = w->result;
    } else {
        *e = w->error;
    }
    awaited_free(w);
    return ok;
}

/* ---- life ---- */

static bool check_version(struct event_table *t, struct err *e)
{
    struct db_query *q = NULL;
    bool has_row = false;
    bool ok = db_prepare(t->db, "PRAGMA user_version", &q, e) && db_step(q, &has_row, e);

    if (ok && db_i64(q, 0) > VERSION) {
        ok = err_set(e, ERR_CONFIG, "%s was made by a newer version of Telex", t->path);
    }
    db_query_free(q);
    return ok;
}

/* Names the file with its first opening. */
static bool make_identity(struct event_table *t, struct err *e)
{
    struct db_query *q = NULL;
    struct rng rng;
    bool has_row = false;
    char id[EVENT_IDENTITY + 1];

    rng_init(&rng);
    (void)snprintf(id, sizeof(id), "%016llx%016llx", (unsigned long long)rng_u64(&rng),
                   (unsigned long long)rng_u64(&rng));
    bool ok =
        db_prepare(t->db, "INSERT INTO identity VALUES (1, ?1) ON CONFLICT DO NOTHING", &q, e);
    if (ok) {
        db_bind_str(q, 1, str_of(id));
        ok = db_run(q, e);
    }
    db_query_free(TAKE(q));
    ok = ok && db_prepare(t->db, "SELECT id FROM identity", &q, e) && db_step(q, &has_row, e);
    if (ok) {
        (void)snprintf(t->identity, sizeof(t->identity), "%.*s", STR_FMT(db_str(q, 0)));
    }
    db_query_free(q);
    return ok;
}

static bool prepare(struct event_table *t, struct err *e)
{
    static const char tuning[] =
        "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 8000; PRAGMA temp_store = MEMORY;"
        "PRAGMA journal_size_limit = 67108864;"; /* writing marks makes the WAL large for a moment */
    int64_t last = 0;
    bool ok = check_version(t, e) && db_exec(t->db, tuning, e) && db_exec(t->db, schema, e) &&
              make_identity(t, e);

    for (size_t i = 0; ok && i < EVENT_STATEMENTS; i++) {
        ok = db_prepare(t->db, statements[i], &t->statements[i], e);
    }
    if (!ok || !event_number(t, EVENT_LAST, &last, e) || !event_needs_load(t, e)) {
        return false;
    }
    t->last = (uint64_t)last;
    t->written = t->last;
    return true;
}

static void release(struct event_table *t)
{
    for (size_t i = 0; i < EVENT_STATEMENTS; i++) {
        db_query_free(t->statements[i]);
    }
    db_close(t->db);
    for (size_t i = 0; i < t->needs.len; i++) {
        mem_free(t->needs.items[i].name);
    }
    vec_release(&t->needs);
    event_metrics_release(&t->metrics);
    event_marks_release(&t->marks);
    cond_release(&t->work);
    cond_release(&t->changed);
    lock_release(&t->lock);
    mem_free(t->path);
    mem_free(t);
}

static struct event_table *new_table(const struct env *env,
                                     const struct event_table_options *options)
{
    struct event_table *t = mem_new(struct event_table);

    t->env = env;
    t->options = *options;
    t->path = mem_dup_text(options->path.ptr, options->path.len);
    t->options.path = str_of(t->path);
    t->end = &t->first;
    t->looked_mono_ns = INT64_MIN / 2;
    arena_init(&t->marks.arena, ARENA_UNLIMITED);
    trace_init(&t->trace, env->trace, "events_table", TRACE_INFO);
    lock_init(&t->lock);
    cond_init(&t->work);
    cond_init(&t->changed);
    if (!options->is_guest) {
        event_metrics_init(&t->metrics, env->metrics);
    }
    return t;
}

bool event_table_open(const struct env *env, const struct event_table_options *options,
                      struct event_table **ret_table, struct err *e)
{
    struct event_table *t = new_table(env, options);

    if (!db_open(t->path, DB_SYNC_FULL, &t->db, e) || !prepare(t, e) ||
        !thread_start(&t->thread, "events-table", run, t, e)) {
        release(t);
        return err_wrap(e, "the table of events");
    }
    *ret_table = t;
    return true;
}

void event_table_close(struct event_table *t)
{
    if (t == NULL) {
        return;
    }
    lock_take(&t->lock);
    t->closing = true;
    cond_broadcast(&t->work);
    lock_give(&t->lock);
    thread_join(&t->thread);
    release(t);
}

struct str event_table_identity(const struct event_table *t)
{
    return str_of(t->identity);
}

void event_table_limit(struct event_table *t, const struct event_table_options *options)
{
    lock_take(&t->lock);
    t->options.max_rows = options->max_rows;
    t->options.max_bytes = options->max_bytes;
    t->options.max_age_ns = options->max_age_ns;
    t->is_full = false;
    cond_signal(&t->work);
    lock_give(&t->lock);
}
