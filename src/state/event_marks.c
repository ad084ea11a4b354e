/*
 * Is an event in the table already? Its mark, a hash of source and id, says where to look; the rows are compared.
 *
 * Marks of new rows are kept in memory, and written when there are many: sorted, so that each page of the index is
 * written once for many of them instead of once for each. A start reads those that are not written yet from the rows. What is
 * removed from the table leaves its marks behind, which lead to no row, until they are as many as the others.
 *
 * Invariants
 *   1. The file has the marks of all rows up to marked.upto, memory those of all behind it, as of the transaction that
 *      is open.
 *   2. A transaction that failed takes what memory learned in it along: all is read again.
 */
#include "base/mem.h"
#include "state/event_table_int.h"
#include "wire/events.h"

#include <stdlib.h>

static uint64_t mark_hash(const void *arg, uint32_t id)
{
    const struct event_marks *m = arg;

    return (uint64_t)m->recent.items[id].mark;
}

static bool mark_same(const void *arg, uint32_t id, const void *key)
{
    const struct event_marks *m = arg;
    const int64_t *mark = key;

    return m->recent.items[id].mark == *mark;
}

static const struct hindex_ops mark_ops = {mark_hash, mark_same};

void event_marks_release(struct event_marks *m)
{
    vec_release(&m->recent);
    hindex_release(&m->index);
    arena_release(&m->arena);
}

void event_marks_forget(struct event_marks *m)
{
    m->is_known = false;
}

/* A mark comes again when its row was removed since; that two events share one is as good as impossible. */
void event_marks_add(struct event_marks *m, int64_t mark, uint64_t seq)
{
    const struct event_mark added = {mark, seq};
    uint32_t id = hindex_find(&m->index, &mark_ops, m, (uint64_t)mark, &mark);

    if (id != HINDEX_NONE) {
        m->recent.items[id].seq = seq;
    } else {
        vec_push(&m->recent, added);
        hindex_add(&m->index, &mark_ops, m, (uint64_t)mark, (uint32_t)m->recent.len - 1);
    }
    m->last = seq;
}

/* ---- what is not written yet ---- */

/* Marks of the rows behind <behind>, from the rows. */
static bool load(struct event_table *t, uint64_t behind, struct err *e)
{
    struct db_query *q = t->statements[EVENT_MARKS_BEHIND];
    bool has_row = false;
    bool ok = true;

    db_bind_i64(q, 1, (int64_t)behind);
    while ((ok = db_step(q, &has_row, e)) && has_row) {
        event_marks_add(&t->marks, db_i64(q, 1), (uint64_t)db_i64(q, 0));
    }
    db_reset(q);
    return ok;
}

bool event_marks_sync(struct event_table *t, uint64_t last, struct err *e)
{
    struct event_marks *m = &t->marks;
    int64_t upto = 0;

    if (!event_number(t, EVENT_MARKED, &upto, e)) {
        return false;
    }
    if (!m->is_known || m->upto != (uint64_t)upto) {
        vec_clear(&m->recent);
        hindex_clear(&m->index);
        m->upto = (uint64_t)upto;
        m->last = m->upto;
        m->is_known = true;
    }
    return m->last >= last || load(t, m->last, e);
}

/* ---- finding ---- */

static bool is_same(struct event_marks *m, struct str a, struct str b)
{
    struct event first;
    struct event second;
    struct err ignored = ERR_INIT;

    arena_reset(&m->arena);
    return events_take(a, &m->arena, &first, &ignored) &&
           events_take(b, &m->arena, &second, &ignored) && str_eq(first.id, second.id) &&
           str_eq(first.source, second.source);
}

/* Is it the event of row <seq>? */
static bool is_row(struct event_table *t, uint64_t seq, struct str bytes, bool *ret, struct err *e)
{
    struct db_query *q = t->statements[EVENT_ROW];
    bool has_row = false;

    db_bind_i64(q, 1, (int64_t)seq);
    bool ok = db_step(q, &has_row, e);
    *ret = ok && has_row && is_same(&t->marks, db_bytes(q, 0), bytes);
    db_reset(q);
    return ok;
}

static bool find_written(struct event_table *t, int64_t mark, struct str bytes, bool *ret,
                         struct err *e)
{
    struct db_query *q = t->statements[EVENT_FIND];
    bool has_row = false;
    bool ok = true;

    db_bind_i64(q, 1, mark);
    while (!*ret && (ok = db_step(q, &has_row, e)) && has_row) {
        ok = is_row(t, (uint64_t)db_i64(q, 0), bytes, ret, e);
        if (!ok) {
            break;
        }
    }
    db_reset(q);
    return ok;
}

bool event_marks_find(struct event_table *t, int64_t mark, struct str bytes, bool *ret_is_known,
                      struct err *e)
{
    struct event_marks *m = &t->marks;
    uint32_t id = hindex_find(&m->index, &mark_ops, m, (uint64_t)mark, &mark);

    *ret_is_known = false;
    if (id != HINDEX_NONE && !is_row(t, m->recent.items[id].seq, bytes, ret_is_known, e)) {
        return false;
    }
    return *ret_is_known || find_written(t, mark, bytes, ret_is_known, e);
}

/* ---- writing ---- */

static int by_mark(const void *a, const void *b)
{
    const struct event_mark *x = a;
    const struct event_mark *y = b;

    if (x->mark != y->mark) {
        return x->mark < y->mark ? -1 : 1;
    }
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static bool write_marks(struct event_table *t, struct err *e)
{
    struct event_marks *m = &t->marks;
    struct db_query *q = t->statements[EVENT_MARK];

    qsort(m->recent.items, m->recent.len, sizeof(m->recent.items[0]), by_mark);
    for (size_t i = 0; i < m->recent.len; i++) {
        db_bind_i64(q, 1, m->recent.items[i].mark);
        db_bind_i64(q, 2, (int64_t)m->recent.items[i].seq);
        if (!db_run(q, e)) {
            return false;
        }
    }
    q = t->statements[EVENT_SET_MARKED];
    db_bind_i64(q, 1, (int64_t)m->last);
    return db_run(q, e);
}

static bool write_all(struct event_table *t, struct err *e)
{
    int64_t last = 0;

    if (!event_begin(t, e)) {
        return false;
    }
    bool ok = event_number(t, EVENT_LAST, &last, e) && event_marks_sync(t, (uint64_t)last, e);
    ok = ok && (t->marks.recent.len < EVENT_MARKS_RECENT || write_marks(t, e));
    return event_commit(t, ok, e);
}

void event_marks_keep(struct event_table *t)
{
    struct err e = ERR_INIT;

    if (t->marks.recent.len < EVENT_MARKS_RECENT) {
        return;
    }
    bool ok = write_all(t, &e);
    event_marks_forget(&t->marks); /* those that are written are no more */
    if (!ok) {
        trace_error(&t->trace, "marks of events were not written", T_ERR(&e));
    }
}

bool event_marks_purge(struct event_table *t, uint64_t first, uint64_t rows, struct err *e)
{
    struct db_query *const queries[] = {t->statements[EVENT_PURGE],
                                        t->statements[EVENT_SET_PURGED]};
    int64_t purged = 0;

    if (!event_number(t, EVENT_PURGED, &purged, e)) {
        return false;
    }
    if (first <= (uint64_t)purged || first - (uint64_t)purged < rows + EVENT_MARKS_RECENT) {
        return true;
    }
    bool ok = event_begin(t, e);
    for (size_t i = 0; ok && i < ARRAY_LEN(queries); i++) {
        db_bind_i64(queries[i], 1, (int64_t)first);
        ok = db_run(queries[i], e);
    }
    return event_commit(t, ok, e);
}
