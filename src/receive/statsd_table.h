/*
 * statsd_table.h - what StatsD's lines add up to, and the samples of it at each flush.
 *
 * Counters and the count and sum of timers are totals since they were first seen, as Prometheus' are, so a flush
 * that could not be written loses nothing. Gauges keep their value. Quantiles of timers and the sizes of sets
 * are those of the interval. Who is unheard of for <expiry> ends with a staleness marker.
 *
 * Ownership: the table owns its series; a batch of samples has references of its own. Threads: confined.
 * Limits: <series_max> series, beyond which new ones are refused and counted; STATSD_KEPT values of a timer and
 * STATSD_SET_MAX of a set in an interval, STATSD_VALUES_MAX of all together.
 */
#ifndef TELEX_RECEIVE_STATSD_TABLE_H
#define TELEX_RECEIVE_STATSD_TABLE_H

#include "base/map.h"
#include "model/batch.h"
#include "model/labels.h"
#include "wire/statsd.h"

enum { STATSD_KEPT = 256, STATSD_SET_MAX = 1 << 16, STATSD_VALUES_MAX = 1 << 21 };

enum statsd_fate { STATSD_ADDED, STATSD_NO_SENSE, STATSD_OVER, STATSD_FATES };

struct statsd_table {
    struct map series; /* of struct statsd_series by its labels */
    struct labels_builder builder;
    struct arena arena;
    uint64_t random;
    size_t values; /* that timers and sets hold in this interval */
    size_t series_max;
};

void statsd_table_init(struct statsd_table *t, size_t series_max, uint64_t seed);
void statsd_table_release(struct statsd_table *t);

/* NO_SENSE: a value that is none, a name of another type; OVER: there are too many series. */
enum statsd_fate statsd_table_add(struct statsd_table *t, struct statsd_line *line, int64_t now_ns);

/* A batch of all there is at <now_ns>; NULL: nothing. Begins the next interval. */
struct batch *statsd_table_flush(struct statsd_table *t, int64_t now_ns, int64_t expiry_ns);

#endif
