/*
 * Remote write bodies of node-exporter-like series, with a new time and new values in each.
 *
 * Ownership: a maker owns its message and its packed body.
 *
 * Threads: a maker belongs to one thread; makers share nothing.
 *
 * Limits: BODIES_SERIES_MAX series; times of the year 2026, whose varint keeps its length.
 */
#ifndef BENCH_BODIES_H
#define BENCH_BODIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BODIES_SERIES_MAX = 200000 };

struct bodies {
    char *message;
    size_t message_len;
    size_t *values; /* where each series' value is; its time is behind it */
    uint32_t series;
    char *packed;
    size_t packed_len;
    size_t packed_cap;
    bool is_stored; /* packed without compressing: large and cheap */
};

struct sent {
    uint64_t samples;
    uint64_t whole_sum;
    uint64_t time_sum_ms;
};

/* Builds the message of <series> series from number <first> on; false when there is no memory. */
bool bodies_init(struct bodies *b, uint32_t first, uint32_t series);
void bodies_release(struct bodies *b);
/* Body number <number>, in packed; adds what it holds to <sent>. */
void bodies_make(struct bodies *b, uint64_t number, struct sent *sent);

#endif
