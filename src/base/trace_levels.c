/*
 * Invariants
 *   1. A component keeps its place: handles point to it.
 *   2. <told> of each follows from what all <own>, whenever the lock is free.
 */
#include "base/trace_int.h"

#include <string.h>

void trace_levels_init(struct trace_levels *l)
{
    lock_init(&l->lock);
    lock_take(&l->lock);
    l->components[0].own = TRACE_UNTOLD;
    atomic_init(&l->components[0].told, TRACE_UNTOLD);
    l->count = 1;
    lock_give(&l->lock);
}

void trace_levels_release(struct trace_levels *l)
{
    lock_release(&l->lock);
}

static struct trace_component *find(struct trace_levels *l, struct str name) REQUIRES(l->lock)
{
    for (size_t i = 0; i < l->count; i++) {
        if (str_eq(str_of(l->components[i].name), name)) {
            return &l->components[i];
        }
    }
    return NULL;
}

/* Its own, or that of the nearest one that it is part of. */
static int level_of(struct trace_levels *l, const struct trace_component *c) REQUIRES(l->lock)
{
    struct str name = str_of(c->name);

    while (c == NULL || c->own == TRACE_UNTOLD) {
        if (name.len == 0) {
            return TRACE_UNTOLD;
        }
        do {
            name.len--;
        } while (name.len > 0 && name.ptr[name.len] != '/');
        c = find(l, name);
    }
    return c->own;
}

static void settle(struct trace_levels *l) REQUIRES(l->lock)
{
    for (size_t i = 0; i < l->count; i++) {
        struct trace_component *c = &l->components[i];
        atomic_store_explicit(&c->told, level_of(l, c), memory_order_relaxed);
    }
}

static struct trace_component *find_or_add(struct trace_levels *l, struct str name)
    REQUIRES(l->lock)
{
    struct trace_component *c = find(l, name);

    if (c == NULL && l->count < ARRAY_LEN(l->components) && name.len < TRACE_NAME_MAX) {
        c = &l->components[l->count++];
        memcpy(c->name, name.ptr, name.len);
        c->name[name.len] = '\0';
        c->own = TRACE_UNTOLD;
        atomic_store_explicit(&c->told, level_of(l, c), memory_order_relaxed);
    }
    return c;
}

struct trace_component *trace_levels_find(struct trace_levels *l, struct str name)
{
    lock_take(&l->lock);
    struct trace_component *c = find_or_add(l, name);
    lock_give(&l->lock);
    return c != NULL ? c : &l->components[0];
}

void trace_levels_tell(struct trace_levels *l, bool afresh, const struct trace_named_level *named,
                       size_t count)
{
    lock_take(&l->lock);
    for (size_t i = 0; afresh && i < l->count; i++) {
        l->components[i].own = TRACE_UNTOLD;
    }
    for (size_t i = 0; i < count; i++) {
        struct trace_component *c = find_or_add(l, named[i].component);
        if (c != NULL) {
            c->own = (int)named[i].level;
        }
    }
    settle(l);
    lock_give(&l->lock);
}

void trace_levels_walk(struct trace_levels *l, const struct trace_level_visitor *visitor)
{
    lock_take(&l->lock);
    for (size_t i = 0; i < l->count; i++) {
        const struct trace_component *c = &l->components[i];
        int told = atomic_load_explicit(&c->told, memory_order_relaxed);
        enum trace_level level = told != TRACE_UNTOLD ? (enum trace_level)told : TRACE_INFO;
        visitor->visit(visitor->arg, str_of(c->name), level);
    }
    lock_give(&l->lock);
}
