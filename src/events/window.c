/*
 * Invariants
 *   1. Intakes stand in the order in which they were pushed; the first has a change that is not done.
 *   2. The floor is the position of the last change of which all before are done, itself too; of an intake that is
 *      wholly done and has a position of its own, that.
 *   3. <changes> counts what is not done.
 */
#include "events/window.h"

#include "base/mem.h"

struct intake *intake_new(void)
{
    struct intake *in = mem_new(struct intake);

    atomic_init(&in->refs, 1);
    changes_init(&in->changes);
    buf_init(&in->end, BUF_UNLIMITED);
    return in;
}

struct intake *intake_ref(struct intake *in)
{
    atomic_fetch_add_explicit(&in->refs, 1, memory_order_relaxed);
    return in;
}

static void free_intake(struct intake *in)
{
    changes_release(&in->changes);
    buf_release(&in->end);
    mem_free(in);
}

/* ---- intakes that are used again ---- */

static size_t held_bytes(const struct intake *in)
{
    return arena_bytes(&in->changes.arena) + in->changes.list.cap * sizeof(struct change);
}

/* As it was when it was new, save for the memory that it has. */
static void empty(struct intake *in)
{
    struct changes *c = &in->changes;

    arena_rewind(&c->arena);
    vec_clear(&c->list);
    c->position = STR_NONE;
    c->bytes = 0;
    buf_clear(&in->end);
    *in = (struct intake){.pool = in->pool, .changes = *c, .end = in->end};
}

/* False when the pool has enough. */
static bool put_back(struct intake_pool *p, struct intake *in)
{
    size_t bytes = held_bytes(in);

    empty(in);
    lock_take(&p->lock);
    bool fits = p->bytes + bytes <= p->bytes_max;
    if (fits) {
        in->next = p->first;
        p->first = in;
        p->bytes += bytes;
    }
    lock_give(&p->lock);
    return fits;
}

void intake_unref(struct intake *in)
{
    if (in == NULL || atomic_fetch_sub_explicit(&in->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    batch_unref(in->events);
    if (in->pool == NULL || !put_back(in->pool, in)) {
        free_intake(in);
    }
}

void intake_pool_init(struct intake_pool *p, size_t bytes_max)
{
    *p = (struct intake_pool){.bytes_max = bytes_max};
    lock_init(&p->lock);
}

static struct intake *pop(struct intake_pool *p)
{
    lock_take(&p->lock);
    struct intake *in = p->first;
    if (in != NULL) {
        p->first = in->next;
        p->bytes -= held_bytes(in);
        in->next = NULL;
    }
    lock_give(&p->lock);
    return in;
}

struct intake *intake_take(struct intake_pool *p)
{
    struct intake *in = pop(p);

    if (in == NULL) {
        in = intake_new();
        in->pool = p;
    }
    atomic_store(&in->refs, 1);
    return in;
}

void intake_pool_empty(struct intake_pool *p)
{
    struct intake *in = NULL;

    while ((in = pop(p)) != NULL) {
        free_intake(in);
    }
}

void intake_pool_release(struct intake_pool *p)
{
    intake_pool_empty(p);
    lock_release(&p->lock);
}

void window_init(struct window *w)
{
    *w = (struct window){0};
    lock_init(&w->lock);
    cond_init(&w->changed);
    buf_init(&w->floor, BUF_UNLIMITED);
}

void window_release(struct window *w)
{
    while (w->first != NULL) {
        struct intake *in = w->first;
        w->first = in->next;
        intake_unref(in);
    }
    buf_release(&w->floor);
    cond_release(&w->changed);
    lock_release(&w->lock);
}

static void move_floor(struct window *w, struct str position) REQUIRES(&w->lock)
{
    if (position.len > 0) {
        buf_clear(&w->floor);
        buf_add_str(&w->floor, position);
        w->has_moved = true;
    }
}

/* Moves past the done beginning of the first intake; true when all of it is done. */
static bool pass_done(struct window *w, struct intake *in) REQUIRES(&w->lock)
{
    size_t before = in->floor;

    while (in->floor < in->changes.list.len && in->is_done[in->floor]) {
        in->floor++;
    }
    if (in->floor > before) {
        w->done += in->floor - before;
        move_floor(w, in->changes.list.items[in->floor - 1].position);
    }
    if (in->floor < in->changes.list.len) {
        return false;
    }
    move_floor(w, in->changes.position);
    return true;
}

static void pass_all(struct window *w) REQUIRES(&w->lock)
{
    while (w->first != NULL && pass_done(w, w->first)) {
        struct intake *in = w->first;
        w->first = in->next;
        w->last = w->first == NULL ? NULL : w->last;
        w->bytes -= in->changes.bytes;
        intake_unref(in);
    }
    cond_broadcast(&w->changed);
}

/* Nothing but a position came: it is that behind the last intake now. */
static void move_end(struct intake *last, struct str position)
{
    if (position.len > 0) {
        buf_clear(&last->end);
        buf_add_str(&last->end, position);
        last->changes.position = buf_str(&last->end);
    }
}

void window_push(struct window *w, struct intake *in)
{
    size_t open = 0;

    for (size_t i = 0; i < in->changes.list.len; i++) {
        open += !in->is_done[i];
    }
    in->changes.bytes += in->changes.list.len * WINDOW_CHANGE_BYTES;
    lock_take(&w->lock);
    if (in->changes.list.len == 0 && w->last != NULL) {
        move_end(w->last, in->changes.position);
        lock_give(&w->lock);
        return;
    }
    in->open = open;
    in->next = NULL;
    *(w->last != NULL ? &w->last->next : &w->first) = intake_ref(in);
    w->last = in;
    w->changes += open;
    w->bytes += in->changes.bytes;
    pass_all(w);
    lock_give(&w->lock);
}

void window_done(struct window *w, struct intake *in, const uint32_t *rows, uint32_t n)
{
    lock_take(&w->lock);
    for (uint32_t i = 0; i < n; i++) {
        bool *is_done = &in->is_done[in->change_of_row[rows != NULL ? rows[i] : i]];
        w->changes -= !*is_done;
        in->open -= !*is_done;
        *is_done = true;
    }
    pass_all(w);
    lock_give(&w->lock);
}

bool window_take_floor(struct window *w, struct buf *out, uint64_t *ret_done)
{
    lock_take(&w->lock);
    bool has_moved = w->has_moved;
    if (has_moved) {
        buf_clear(out);
        buf_add_str(out, buf_str(&w->floor));
        *ret_done = w->done;
        w->has_moved = false;
    }
    lock_give(&w->lock);
    return has_moved;
}

struct window_size window_size(struct window *w)
{
    lock_take(&w->lock);
    struct window_size size = {w->changes, w->bytes};
    lock_give(&w->lock);
    return size;
}

int64_t window_oldest_ns(struct window *w)
{
    lock_take(&w->lock);
    const struct intake *in = w->first;
    int64_t oldest_ns = 0;
    if (in != NULL) {
        int64_t made_ns = in->changes.list.items[in->floor].time_ns;
        oldest_ns = made_ns != 0 ? made_ns : in->read_ns;
    }
    lock_give(&w->lock);
    return oldest_ns;
}

static bool has_room(const struct window *w, struct window_size limit) REQUIRES(&w->lock)
{
    return w->changes < limit.changes && w->bytes < limit.bytes;
}

bool window_wait_room(struct window *w, struct window_size limit, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &w->lock, &w->changed);
    lock_take(&w->lock);
    while (!has_room(w, limit) && waiter_pause(&waiter)) {
    }
    bool ok = has_room(w, limit);
    lock_give(&w->lock);
    waiter_end(&waiter);
    return ok;
}
