/*
 * trace_int.h - which component writes from which level on; for trace.c alone.
 *
 * Handles look at their component's <told> without a lock, so a change is seen at once by all of them.
 * A component without a level of its own has that of the one it is part of ("export" for "export/vm"),
 * and that of "" at last. Ownership: the sink's. Threads: any. Limits: TRACE_COMPONENTS_MAX components,
 * which are never forgotten; those past it have the level of "".
 */
#ifndef TELEX_BASE_TRACE_INT_H
#define TELEX_BASE_TRACE_INT_H

#include "base/thread.h"
#include "base/trace.h"

enum { TRACE_UNTOLD = -1, TRACE_NAME_MAX = 96 };

struct trace_component {
    char name[TRACE_NAME_MAX];
    int own;          /* enum trace_level, or TRACE_UNTOLD */
    _Atomic int told; /* what holds for it, or TRACE_UNTOLD: as the handle's maker says */
};

struct trace_levels {
    struct lock lock;
    struct trace_component components[TRACE_COMPONENTS_MAX]; /* the first is "" */
    size_t count GUARDED_BY(lock);
};

void trace_levels_init(struct trace_levels *l);
void trace_levels_release(struct trace_levels *l);

/* The component called <name>, made if need be; that of "" when there are too many. */
struct trace_component *trace_levels_find(struct trace_levels *l, struct str name);

/* Forgets what was told before if <afresh>, then tells. */
void trace_levels_tell(struct trace_levels *l, bool afresh, const struct trace_named_level *named,
                       size_t count);

void trace_levels_walk(struct trace_levels *l, const struct trace_level_visitor *visitor);

#endif
