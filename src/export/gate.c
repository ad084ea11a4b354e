/*
 * Invariants
 *   1. Those inside and <room> add up to the limit.
 *   2. While somebody waits there is no room: who leaves lets the first of them in.
 */
#include "export/gate.h"

#include "base/mem.h"
#include "base/vec.h"

/* On the stack of who waits. */
struct turn {
    struct turn *next;
    bool is_in;
};

struct gate {
    const void *id;
    struct lock lock;
    struct cond changed;
    int64_t room GUARDED_BY(lock);
    struct turn *first GUARDED_BY(lock);
};

struct gates {
    struct lock lock;
    VEC(struct gate *) list GUARDED_BY(lock);
};

struct gates *gates_new(void)
{
    struct gates *all = mem_new(struct gates);

    lock_init(&all->lock);
    return all;
}

void gates_free(struct gates *all)
{
    if (all == NULL) {
        return;
    }
    for (size_t i = 0; i < all->list.len; i++) {
        cond_release(&all->list.items[i]->changed);
        lock_release(&all->list.items[i]->lock);
        mem_free(all->list.items[i]);
    }
    vec_release(&all->list);
    lock_release(&all->lock);
    mem_free(all);
}

static struct gate *new_gate(const struct call_limit *limit)
{
    struct gate *g = mem_new(struct gate);

    g->id = limit->id;
    lock_init(&g->lock);
    cond_init(&g->changed);
    lock_take(&g->lock);
    g->room = limit->max_concurrent;
    lock_give(&g->lock);
    return g;
}

struct gate *gates_get(struct gates *all, const struct call_limit *limit)
{
    struct gate *g = NULL;

    lock_take(&all->lock);
    for (size_t i = 0; g == NULL && i < all->list.len; i++) {
        g = all->list.items[i]->id == limit->id ? all->list.items[i] : NULL;
    }
    if (g == NULL) {
        g = new_gate(limit);
        vec_push(&all->list, g);
    }
    lock_give(&all->lock);
    return g;
}

static void stand_last(struct gate *g, struct turn *own) REQUIRES(&g->lock)
{
    struct turn **at = &g->first;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = own;
}

static void step_out(struct gate *g, const struct turn *own) REQUIRES(&g->lock)
{
    struct turn **at = &g->first;

    while (*at != NULL && *at != own) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        *at = own->next;
    }
}

bool gate_enter(struct gate *g, struct wait wait)
{
    struct turn own = {NULL, false};
    struct waiter waiter;

    waiter_begin(&waiter, wait, &g->lock, &g->changed);
    lock_take(&g->lock);
    if (g->room > 0) {
        g->room--;
        own.is_in = true;
    } else {
        stand_last(g, &own);
    }
    while (!own.is_in && waiter_pause(&waiter)) {
    }
    if (!own.is_in) {
        step_out(g, &own);
    }
    lock_give(&g->lock);
    waiter_end(&waiter);
    return own.is_in;
}

void gate_leave(struct gate *g)
{
    lock_take(&g->lock);
    struct turn *next = g->first;
    if (next != NULL) {
        g->first = next->next;
        next->is_in = true;
        cond_broadcast(&g->changed);
    } else {
        g->room++;
    }
    lock_give(&g->lock);
}
