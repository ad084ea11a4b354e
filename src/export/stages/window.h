/*
 * window.h - the last calls of an exporter: how long they took, how many went well.
 *
 * A call counts for WINDOW_MS, and only the last WINDOW_CALLS do. Without calls all is well: a latency
 * of 0 and a success rate of 100.
 *
 * Ownership: the caller's memory, nothing to release. Threads: confined. Limits: WINDOW_CALLS.
 */
#ifndef TELEX_EXPORT_STAGES_WINDOW_H
#define TELEX_EXPORT_STAGES_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WINDOW_CALLS = 256, WINDOW_MS = 5 * 60 * 1000 };

struct window_call {
    int64_t ended_ns; /* monotonic */
    double latency_ms;
    bool ok;
};

struct window {
    struct window_call calls[WINDOW_CALLS];
    uint64_t added;
};

void window_add(struct window *w, struct window_call call);

/* What the calls come to that still count at <now_ns>. */
struct window_sum {
    size_t calls;
    double success_percent;
    double p50_ms;
    double p95_ms;
    double p99_ms;
};
struct window_sum window_sum(const struct window *w, int64_t now_ns);

#endif
