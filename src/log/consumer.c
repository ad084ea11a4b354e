/*
 * Consumers: who has which bit, and how far each is done. What is said here is put on disk by cursor_file.c.
 *
 * Invariants, under the log's lock
 *   1. A cursor never goes back; synced <= written <= cursor.
 *   2. A bit with a name keeps it while a held frame carries it, retired or not.
 */
#include "base/mem.h"
#include "log/log_int.h"

#include <stdio.h>

uint64_t named_mask(const struct log *l)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < LOG_CONSUMERS_MAX; i++) {
        mask |= l->consumers[i].name != NULL ? UINT64_C(1) << i : 0;
    }
    return mask;
}

uint64_t held_mask(const struct log *l)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < l->segments.len; i++) {
        mask |= l->segments.items[i]->sum.mask;
    }
    for (size_t i = 0; i < l->recent.len; i++) {
        mask |= recent_at(&l->recent, i)->frame.mask;
    }
    return mask;
}

bool segment_is_done(const struct log *l, const struct segment *s, bool synced)
{
    for (uint64_t rest = s->sum.mask; rest != 0; rest &= rest - 1) {
        int bit = __builtin_ctzll(rest);
        const struct consumer *c = &l->consumers[bit];
        if (c->name != NULL && !c->retired &&
            (synced ? c->synced : c->cursor) < s->sum.last_of_bit[bit]) {
            return false;
        }
    }
    return true;
}

/* The bit of <name>; LOG_CONSUMERS_MAX when nobody is called so. */
static unsigned find_consumer(const struct log *l, struct str name)
{
    unsigned bit = 0;

    while (bit < LOG_CONSUMERS_MAX &&
           (l->consumers[bit].name == NULL || !str_eq(str_of(l->consumers[bit].name), name))) {
        bit++;
    }
    return bit;
}

/* A bit that nobody has or that nobody misses; LOG_CONSUMERS_MAX when all are taken. */
static unsigned free_bit(const struct log *l)
{
    uint64_t held = held_mask(l);
    unsigned best = LOG_CONSUMERS_MAX;

    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        if (held >> bit & 1) {
            continue;
        }
        if (c->name == NULL) {
            return bit;
        }
        best = c->retired && best == LOG_CONSUMERS_MAX ? bit : best;
    }
    return best;
}

/* Waits until the consumers are saved as they are now. */
static bool await_saved(struct log *l, struct err *e) REQUIRES(&l->lock)
{
    uint64_t version = l->consumers_version;
    uint64_t failures = l->failures;

    cond_signal(&l->work);
    while (l->saved_version < version && l->failures == failures) {
        (void)cond_wait_until(&l->done, &l->lock, DEADLINE_NEVER);
    }
    return l->saved_version >= version || err_set(e, ERR_IO, "the %s log %s", l->name, l->reason);
}

/* Gives <bit> to <name>, anew or again. Its cursor is at the end: no frame held is for it. */
static void take_bit(struct log *l, unsigned bit, struct str name)
{
    struct consumer *c = &l->consumers[bit];

    if (c->name == NULL || !str_eq(str_of(c->name), name)) {
        mem_free(c->name);
        *c = (struct consumer){.name = mem_dup_text(name.ptr, name.len)};
    }
    c->retired = false;
    if (l->next_seq - 1 > c->cursor) {
        c->cursor = l->next_seq - 1;
        l->cursors_version++;
    }
    owed_count(l, bit);
}

bool log_consumer_add(struct log *l, struct str name, unsigned *ret_bit, struct err *e)
{
    if (name.len == 0 || name.len > LOG_NAME_MAX) {
        return err_set(e, ERR_LIMIT, "a consumer's name has 1 to %d bytes, this one %zu",
                       LOG_NAME_MAX, name.len);
    }
    lock_take(&l->lock);
    unsigned bit = find_consumer(l, name);
    bool ok = true;
    if (bit == LOG_CONSUMERS_MAX || l->consumers[bit].retired) {
        bit = bit < LOG_CONSUMERS_MAX ? bit : free_bit(l);
        ok = bit < LOG_CONSUMERS_MAX ||
             err_set(e, ERR_LIMIT,
                     "the %s log serves %d consumers already, '%.*s' would be one too many",
                     l->name, LOG_CONSUMERS_MAX, STR_FMT(name));
        if (ok) {
            take_bit(l, bit, name);
            l->consumers_version++;
        }
    }
    ok = ok && await_saved(l, e);
    lock_give(&l->lock);
    if (ok) {
        *ret_bit = bit;
    }
    return ok;
}

bool log_consumer_retire(struct log *l, unsigned bit, struct err *e)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    bool ok = l->consumers[bit].name == NULL || l->consumers[bit].retired;
    if (!ok) {
        l->consumers[bit].retired = true;
        l->consumers_version++;
        ok = await_saved(l, e);
    }
    lock_give(&l->lock);
    return ok;
}

void log_cursor_set(struct log *l, unsigned bit, uint64_t seq)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    struct consumer *c = &l->consumers[bit];
    INVARIANT(seq < l->next_seq);
    uint64_t from_seq = c->cursor;
    if (seq > from_seq) {
        c->cursor = seq;
        l->cursors_version++;
        owed_move(l, bit, from_seq);
        cond_signal(&l->work);
    }
    lock_give(&l->lock);
}

uint64_t log_cursor_get(struct log *l, unsigned bit)
{
    INVARIANT(bit < LOG_CONSUMERS_MAX);
    lock_take(&l->lock);
    uint64_t seq = l->consumers[bit].cursor;
    lock_give(&l->lock);
    return seq;
}

size_t log_consumers(struct log *l, struct log_consumer ret[LOG_CONSUMERS_MAX])
{
    size_t count = 0;

    lock_take(&l->lock);
    for (unsigned bit = 0; bit < LOG_CONSUMERS_MAX; bit++) {
        const struct consumer *c = &l->consumers[bit];
        if (c->name != NULL && !c->retired) {
            ret[count].bit = bit;
            (void)snprintf(ret[count].name, sizeof(ret[count].name), "%s", c->name);
            count++;
        }
    }
    lock_give(&l->lock);
    return count;
}

bool log_cursor_sync(struct log *l, struct wait w, struct err *e)
{
    struct waiter waiter;

    waiter_begin(&waiter, w, &l->lock, &l->done);
    lock_take(&l->lock);
    uint64_t version = l->cursors_version;
    bool waiting = true;
    while (l->synced_version < version && waiting) {
        l->sync_cursors = true;
        cond_signal(&l->work);
        waiting = waiter_pause(&waiter);
    }
    bool ok = l->synced_version >= version;
    lock_give(&l->lock);
    waiter_end(&waiter);
    return ok || wait_err(w, e);
}
