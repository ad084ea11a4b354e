/*
 * Tarjan's walk, without recursion: a graph may be a chain of all rules there are.
 *
 * Invariants
 *   1. A node is new, open (on the stack of open nodes) or closed: then it has its circle's number.
 *   2. lowest[n] is the number by order of discovery of an open node that n reaches.
 *   3. Circles are closed after all that they point at: their numbers grow.
 */
#include "rules/circles.h"

#include "base/mem.h"

#include <stddef.h>

static const uint32_t NO_CIRCLE = UINT32_MAX;

/* A node under way, and the next of its edges. */
struct frame {
    uint32_t node;
    uint32_t edge;
};

struct walk {
    const struct circles_graph *graph;
    uint32_t *circle_of;
    uint32_t *found; /* by node: its number by order of discovery, from 1; 0: new */
    uint32_t *lowest;
    uint32_t *open;
    struct frame *path;
    uint32_t found_count;
    uint32_t open_count;
    uint32_t depth;
    uint32_t circles;
};

static void enter(struct walk *w, uint32_t node)
{
    w->found[node] = ++w->found_count;
    w->lowest[node] = w->found[node];
    w->open[w->open_count++] = node;
    w->path[w->depth++] = (struct frame){node, w->graph->first[node]};
}

static void lower(struct walk *w, uint32_t node, uint32_t to)
{
    w->lowest[node] = to < w->lowest[node] ? to : w->lowest[node];
}

static void close_circle(struct walk *w, uint32_t node)
{
    uint32_t closed;

    do {
        closed = w->open[--w->open_count];
        w->circle_of[closed] = w->circles;
    } while (closed != node);
    w->circles++;
}

/* All edges of the last node on the path were followed. */
static void leave(struct walk *w)
{
    uint32_t node = w->path[--w->depth].node;

    if (w->lowest[node] == w->found[node]) {
        close_circle(w, node);
    }
    if (w->depth > 0) {
        lower(w, w->path[w->depth - 1].node, w->lowest[node]);
    }
}

static void walk_from(struct walk *w, uint32_t start)
{
    enter(w, start);
    while (w->depth > 0) {
        struct frame *at = &w->path[w->depth - 1];
        if (at->edge == w->graph->first[at->node + 1]) {
            leave(w);
            continue;
        }
        uint32_t next = w->graph->to[at->edge++];
        if (w->found[next] == 0) {
            enter(w, next);
        } else if (w->circle_of[next] == NO_CIRCLE) {
            lower(w, at->node, w->found[next]);
        }
    }
}

void circles_find(const struct circles_graph *graph, uint32_t *circle_of)
{
    AUTO(mem_autofree) uint32_t *numbers = mem_alloc0((size_t)3 * graph->count, sizeof(*numbers));
    AUTO(mem_autofree) struct frame *path = mem_alloc0(graph->count, sizeof(*path));
    struct walk w = {.graph = graph,
                     .circle_of = circle_of,
                     .found = numbers,
                     .lowest = numbers + graph->count,
                     .open = numbers + (size_t)2 * graph->count,
                     .path = path};

    for (uint32_t i = 0; i < graph->count; i++) {
        circle_of[i] = NO_CIRCLE;
    }
    for (uint32_t i = 0; i < graph->count; i++) {
        if (w.found[i] == 0) {
            walk_from(&w, i);
        }
    }
}
