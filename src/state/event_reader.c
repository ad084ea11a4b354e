/* Reading the table of events: a connection of its own, so that a reader waits for no writer. */
#include "base/mem.h"
#include "state/event_table_int.h"
#include "wire/events.h"

enum reader_statement { READ_BEHIND, READ_BOUNDS, READ_LAST_TIME, READ_TIME, READ_STATEMENTS };

static const char *const statements[READ_STATEMENTS] = {
    [READ_BEHIND] = "SELECT seq, at_ns, event FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    [READ_BOUNDS] = "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)",
    [READ_LAST_TIME] = "SELECT at_ns FROM events WHERE seq = ?1",
    [READ_TIME] = "SELECT at_ns FROM events WHERE seq >= ?1 ORDER BY seq LIMIT 1",
};

struct event_reader {
    struct event_table *table;
    struct db *db;
    struct db_query *statements[READ_STATEMENTS];
};

void event_reader_close(struct event_reader *r)
{
    if (r == NULL) {
        return;
    }
    for (size_t i = 0; i < READ_STATEMENTS; i++) {
        db_query_free(r->statements[i]);
    }
    db_close(r->db);
    mem_free(r);
}

bool event_reader_open(struct event_table *t, struct event_reader **ret_reader, struct err *e)
{
    struct event_reader *r = mem_new(struct event_reader);

    r->table = t;
    bool ok =
        db_open(t->path, DB_SYNC_NORMAL, &r->db, e) && db_exec(r->db, "PRAGMA query_only = 1", e);
    for (size_t i = 0; ok && i < READ_STATEMENTS; i++) {
        ok = db_prepare(r->db, statements[i], &r->statements[i], e);
    }
    if (!ok) {
        event_reader_close(r);
        return err_wrap(e, "the table of events");
    }
    *ret_reader = r;
    return true;
}

/* The row that the query stands at; its bytes are copied, and the event has views of the copy. */
static bool take_row(struct db_query *q, struct arena *a, struct event *ev, struct event_row *ret,
                     size_t *bytes, struct err *e)
{
    struct str stored = db_bytes(q, 2);
    char *copy = arena_alloc_aligned(a, stored.len + 1, 1);

    memcpy(copy, stored.ptr, stored.len);
    *bytes += stored.len;
    *ret = (struct event_row){(uint64_t)db_i64(q, 0), db_i64(q, 1), ev};
    return events_take(str_make(copy, stored.len), a, ev, e) ||
           err_wrap(e, "row %llu of the table of events", (unsigned long long)ret->seq);
}

bool event_reader_read(struct event_reader *r, uint64_t behind, size_t max, size_t max_bytes,
                       struct arena *a, const struct event_taker *taker, struct err *e)
{
    struct db_query *q = r->statements[READ_BEHIND];
    size_t bytes = 0;
    bool has_row = false;
    bool goes_on = true;
    bool ok = true;

    db_bind_i64(q, 1, (int64_t)behind);
    db_bind_i64(q, 2, (int64_t)max);
    while (goes_on && (ok = db_step(q, &has_row, e)) && has_row) {
        struct event *ev = arena_alloc(a, sizeof(*ev));
        struct event_row row;
        ok = take_row(q, a, ev, &row, &bytes, e);
        if (!ok) {
            break;
        }
        goes_on = taker->take(taker->arg, &row) && bytes < max_bytes;
    }
    db_reset(q);
    return ok;
}

/* ---- where the table ends ---- */

bool event_reader_bounds(struct event_reader *r, struct event_bounds *ret, struct err *e)
{
    struct db_query *q = r->statements[READ_BOUNDS];
    struct db_query *time = r->statements[READ_LAST_TIME];
    struct event_bounds found = {0};
    bool has_row = false;
    bool ok = db_step(q, &has_row, e);

    if (ok) {
        found.first = (uint64_t)db_i64(q, 0);
        found.last = (uint64_t)db_i64(q, 1);
        db_bind_i64(time, 1, (int64_t)found.last);
        ok = db_step(time, &has_row, e);
        found.last_ns = ok && has_row ? db_i64(time, 0) : 0;
        db_reset(time);
    }
    db_reset(q);
    if (ok) {
        *ret = found;
    }
    return ok;
}

static bool time_at(struct event_reader *r, uint64_t seq, int64_t *ret_ns, struct err *e)
{
    struct db_query *q = r->statements[READ_TIME];
    bool has_row = false;

    db_bind_i64(q, 1, (int64_t)seq);
    bool ok = db_step(q, &has_row, e);
    *ret_ns = ok && has_row ? db_i64(q, 0) : INT64_MAX;
    db_reset(q);
    return ok;
}

/* Rows are in the order of time, but for a clock that was set back: then about so. */
bool event_reader_find(struct event_reader *r, int64_t from_ns, uint64_t *ret_seq, struct err *e)
{
    struct event_bounds b = {0};
    int64_t at_ns = 0;

    if (!event_reader_bounds(r, &b, e)) {
        return false;
    }
    uint64_t low = b.first > 0 ? b.first : 1;
    uint64_t high = b.last + 1;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (!time_at(r, middle, &at_ns, e)) {
            return false;
        }
        if (at_ns < from_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_seq = low;
    return true;
}

/* ---- waiting ---- */

/* What other processes appended is only seen by looking. */
static bool has_more(struct event_reader *r, uint64_t behind)
{
    struct event_bounds b = {0};
    struct err ignored = ERR_INIT;

    return event_reader_bounds(r, &b, &ignored) && b.last > behind;
}

static bool wait_here(struct event_table *t, uint64_t behind, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &t->lock, &t->changed);
    lock_take(&t->lock);
    while (t->last <= behind && waiter_pause(&waiter)) {
    }
    bool is_there = t->last > behind;
    lock_give(&t->lock);
    waiter_end(&waiter);
    return is_there;
}

bool event_reader_wait(struct event_reader *r, uint64_t behind, struct wait wait)
{
    const struct clock *clock = clock_system();

    while (!has_more(r, behind)) {
        if (wait_here(r->table, behind, wait_limit_ms(wait, clock, EVENT_LOOK_MS))) {
            return true;
        }
        if (wait_is_over(wait, clock)) {
            return has_more(r, behind);
        }
    }
    return true;
}
