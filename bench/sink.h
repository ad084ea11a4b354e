/*
 * The receiving side of the peer: remote write 1.0 bodies, counted exactly by class of series.
 *
 * Ownership: the sink owns its buffer and its set of seen series.
 *
 * Threads: any thread may call sink_write(); the sink locks itself.
 *
 * Limits: a decoded body of at most 256 MiB.
 */
#ifndef BENCH_SINK_H
#define BENCH_SINK_H

#include "bench/seen.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sink_class { SINK_ALERTS, SINK_ALERTS_FOR_STATE, SINK_RECORDED, SINK_CLASSES };

struct sink_count {
    uint64_t series;      /* different label sets ever seen */
    uint64_t samples;     /* without the stale markers */
    uint64_t stale;       /* stale markers */
    uint64_t whole_sum;   /* sum of the whole-number values */
    uint64_t time_sum_ms; /* sum of the samples' times */
};

struct sink_totals {
    uint64_t requests;
    uint64_t bad;
    uint64_t bytes_wire;
    uint64_t bytes_decoded;
    struct sink_count by_class[SINK_CLASSES];
};

struct sink {
    pthread_mutex_t lock;
    struct sink_totals totals;
    struct seen seen;
    char *decoded;
    size_t decoded_cap;
};

/* Ready to count. */
void sink_init(struct sink *s);
/* Decodes and counts one snappy body; false (and counted as bad) when it is not remote write. */
bool sink_write(struct sink *s, const void *body, size_t len);
/* The counts so far. */
struct sink_totals sink_totals(struct sink *s);

#endif
