/*
 * datadog_traces_read.h - a request with spans for Datadog's agent, read again: for who looks whether what
 * datadog_traces.h wrote is what was meant.
 *
 * As strict as the agent can be: each member of a span once and of its type, names and values within their limits,
 * no empty trace, none that stands twice behind itself.
 *
 * Ownership: texts are views of the request, spans live in the arena. Threads: pure. Limits: those of
 * datadog_traces.h.
 */
#ifndef TELEX_WIRE_DATADOG_TRACES_READ_H
#define TELEX_WIRE_DATADOG_TRACES_READ_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct datadog_pair {
    struct str name;
    struct str text; /* of meta */
    double number;   /* of metrics */
};

struct datadog_pairs {
    const struct datadog_pair *items;
    uint32_t count;
};

struct datadog_span {
    struct str service;
    struct str name;
    struct str resource;
    struct str type;
    uint64_t trace_id;
    uint64_t span_id;
    uint64_t parent_id;
    uint64_t start_ns;
    uint64_t duration_ns;
    uint64_t error; /* 0 or 1 */
    struct datadog_pairs meta;
    struct datadog_pairs metrics;
};

/* NULL when there is none of that name. */
const struct datadog_pair *datadog_pair_get(const struct datadog_pairs *pairs, struct str name);

/* All spans of a request, in its order. */
MUST_USE bool datadog_traces_read(struct str request, struct arena *a,
                                  const struct datadog_span **ret_spans, uint32_t *ret_count,
                                  struct err *e);

#endif
