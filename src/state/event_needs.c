/* Who still needs which rows. What was written counts, and where it is to be less than that, the lesser. */
#include "base/mem.h"
#include "state/event_table_int.h"

#include <stdio.h>

/* NULL: there is none of that name. */
static struct event_need *find(struct event_table *t, struct str name) REQUIRES(&t->lock)
{
    for (size_t i = 0; i < t->needs.len; i++) {
        if (str_eq(str_of(t->needs.items[i].name), name)) {
            return &t->needs.items[i];
        }
    }
    return NULL;
}

static struct event_need *add(struct event_table *t, struct str name, uint64_t seq)
    REQUIRES(&t->lock)
{
    struct event_need *n = vec_add(&t->needs);

    n->name = mem_dup_text(name.ptr, name.len);
    n->seq = seq;
    n->durable = EVENT_UNWRITTEN;
    return n;
}

/* ---- the file ---- */

bool event_needs_load(struct event_table *t, struct err *e)
{
    struct db_query *q = NULL;
    bool has_row = false;
    bool ok = db_prepare(t->db, "SELECT name, seq FROM readers", &q, e);

    lock_take(&t->lock);
    while (ok && (ok = db_step(q, &has_row, e)) && has_row) {
        struct event_need *n = add(t, db_str(q, 0), (uint64_t)db_i64(q, 1));
        n->durable = n->seq;
    }
    lock_give(&t->lock);
    db_query_free(q);
    return ok;
}

/* What differs from the file; nothing but the writing thread removes from <needs>. */
static size_t take(struct event_table *t, uint64_t *ret_upto)
{
    lock_take(&t->lock);
    for (size_t i = 0; i < t->needs.len; i++) {
        struct event_need *n = &t->needs.items[i];
        n->is_dropped = n->is_gone;
        n->taken = n->seq;
        n->is_taken = n->is_gone || n->seq != n->durable;
    }
    size_t count = t->needs.len;
    *ret_upto = t->needs_given;
    lock_give(&t->lock);
    return count;
}

static struct event_need need_at(struct event_table *t, size_t i)
{
    lock_take(&t->lock);
    struct event_need n = t->needs.items[i];
    lock_give(&t->lock);
    return n;
}

bool event_needs_write(struct event_table *t, uint64_t *ret_upto, struct err *e)
{
    size_t count = take(t, ret_upto);

    for (size_t i = 0; i < count; i++) {
        struct event_need n = need_at(t, i);
        struct db_query *q = t->statements[n.is_dropped ? EVENT_FORGET : EVENT_NEED];
        if (!n.is_taken) {
            continue;
        }
        db_bind_str(q, 1, str_of(n.name));
        if (!n.is_dropped) {
            db_bind_i64(q, 2, (int64_t)n.taken);
        }
        if (!db_run(q, e)) {
            return false;
        }
    }
    return true;
}

static void settle(struct event_table *t, size_t i) REQUIRES(&t->lock)
{
    struct event_need *n = &t->needs.items[i];

    n->is_taken = false;
    n->durable = n->is_dropped ? EVENT_UNWRITTEN : n->taken;
    if (n->is_dropped && n->is_gone) {
        mem_free(n->name);
        *n = vec_pop(&t->needs);
    }
}

void event_needs_settle(struct event_table *t, uint64_t upto)
{
    lock_take(&t->lock);
    for (size_t i = t->needs.len; i-- > 0;) {
        if (t->needs.items[i].is_taken) {
            settle(t, i);
        }
    }
    t->needs_written = upto;
    cond_broadcast(&t->changed);
    lock_give(&t->lock);
}

uint64_t event_needs_floor(struct event_table *t, char *ret_who, size_t max)
{
    uint64_t floor = UINT64_MAX;

    ret_who[0] = '\0';
    for (size_t i = 0; i < t->needs.len; i++) {
        const struct event_need *n = &t->needs.items[i];
        uint64_t seq = n->seq < n->durable ? n->seq : n->durable;
        if (seq < floor) {
            floor = seq;
            (void)snprintf(ret_who, max, "%s", n->name);
        }
    }
    return floor;
}

/* ---- what readers say ---- */

/* Until change number <change> is in the file. */
static bool wait_written(struct event_table *t, uint64_t change, struct wait wait, struct err *e)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &t->lock, &t->changed);
    lock_take(&t->lock);
    while (t->needs_written < change && waiter_pause(&waiter)) {
    }
    bool ok = t->needs_written >= change;
    lock_give(&t->lock);
    waiter_end(&waiter);
    return ok || wait_err(wait, e);
}

/* What was said is to be written; gives its number. */
static uint64_t say(struct event_table *t) REQUIRES(&t->lock)
{
    t->needs_changed = true;
    cond_signal(&t->work);
    return ++t->needs_given;
}

bool event_table_need(struct event_table *t, struct str reader, uint64_t seq, struct wait wait,
                      struct err *e)
{
    uint64_t change = 0;

    lock_take(&t->lock);
    struct event_need *n = find(t, reader);
    bool has_room = n != NULL || t->needs.len < EVENT_READERS_MAX;
    if (has_room) {
        n = n != NULL ? n : add(t, reader, seq);
        n->seq = seq;
        n->is_gone = false;
        change = say(t);
    }
    lock_give(&t->lock);
    return has_room ? wait_written(t, change, wait, e)
                    : err_set(e, ERR_LIMIT,
                              "the table of events has %d readers, there is no room for more",
                              EVENT_READERS_MAX);
}

bool event_table_needs(struct event_table *t, struct str reader, uint64_t *ret_seq)
{
    lock_take(&t->lock);
    const struct event_need *n = find(t, reader);
    bool is_there = n != NULL && !n->is_gone;
    if (is_there) {
        *ret_seq = n->seq;
    }
    lock_give(&t->lock);
    return is_there;
}

/* The thread is not woken for it alone: it is written with the next rows, or within seconds. */
void event_table_done(struct event_table *t, struct str reader, uint64_t seq)
{
    lock_take(&t->lock);
    struct event_need *n = find(t, reader);
    if (n != NULL && !n->is_gone && seq > n->seq) {
        n->seq = seq;
        t->needs_given++;
        t->needs_changed |= t->is_full;
        if (t->is_full) {
            cond_signal(&t->work);
        }
    }
    lock_give(&t->lock);
}

bool event_table_forget(struct event_table *t, struct str reader, struct wait wait, struct err *e)
{
    uint64_t change = 0;

    lock_take(&t->lock);
    struct event_need *n = find(t, reader);
    if (n != NULL) {
        n->is_gone = true;
        change = say(t);
    }
    lock_give(&t->lock);
    return change == 0 || wait_written(t, change, wait, e);
}
