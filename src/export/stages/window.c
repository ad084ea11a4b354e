#include "export/stages/window.h"

#include "base/clock.h"

#include <stdlib.h>

void window_add(struct window *w, struct window_call call)
{
    w->calls[w->added++ % WINDOW_CALLS] = call;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The smallest latency that <percent> of the sorted ones do not pass. */
static double percentile(const double *sorted, size_t n, size_t percent)
{
    return n > 0 ? sorted[(n * percent + 99) / 100 - 1] : 0;
}

struct window_sum window_sum(const struct window *w, int64_t now_ns)
{
    struct window_sum ret = {.success_percent = 100};
    double latencies[WINDOW_CALLS];
    size_t kept = w->added < WINDOW_CALLS ? (size_t)w->added : WINDOW_CALLS;
    size_t ok = 0;

    for (size_t i = 0; i < kept; i++) {
        if (now_ns - w->calls[i].ended_ns < WINDOW_MS * NS_PER_MS) {
            ok += w->calls[i].ok;
            latencies[ret.calls++] = w->calls[i].latency_ms;
        }
    }
    if (ret.calls == 0) {
        return ret;
    }
    qsort(latencies, ret.calls, sizeof(latencies[0]), by_size);
    ret.success_percent = 100.0 * (double)ok / (double)ret.calls;
    ret.p50_ms = percentile(latencies, ret.calls, 50);
    ret.p95_ms = percentile(latencies, ret.calls, 95);
    ret.p99_ms = percentile(latencies, ret.calls, 99);
    return ret;
}
