/*
 * circles.h - which nodes of a graph stand in a circle with each other.
 *
 * Every node gets a number that it shares with those that it reaches and that reach it. What a node points at
 * has a lower number, or the same in a circle: so the numbers are an order too.
 *
 * Ownership: borrows the graph. Threads: any. Limits: 2^32 - 1 nodes; time and memory grow with nodes and edges.
 */
#ifndef TELEX_RULES_CIRCLES_H
#define TELEX_RULES_CIRCLES_H

#include <stdint.h>

/* Node n points at to[first[n]] up to before to[first[n + 1]]. */
struct circles_graph {
    const uint32_t *first; /* one more than there are nodes */
    const uint32_t *to;
    uint32_t count; /* of nodes */
};

/* Sets <circle_of> of every node. */
void circles_find(const struct circles_graph *graph, uint32_t *circle_of);

#endif
