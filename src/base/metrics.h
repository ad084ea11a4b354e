/*
 * metrics.h - the program's own metrics: counters, gauges and histograms with fixed label names.
 *
 * A family is declared once by a static table {name, help, type, label names, buckets}; a child is
 * looked up by label values when a long-lived thing is built and then counted with one relaxed
 * atomic, no lock. Gauges may be computed at scrape time by a function. Rendering is Prometheus
 * text 0.0.4, families and children sorted.
 *
 * Ownership: the registry owns families and children; a child handle is counted: metric_drop() when
 * its owner goes away. Threads: any. Limits: METRIC_CHILDREN_MAX children per family; past that one
 * shared child counts the rest under label values "overflow", so cardinality cannot grow without
 * bound.
 */
#ifndef TELEX_BASE_METRICS_H
#define TELEX_BASE_METRICS_H

#include "base/buf.h"
#include "base/str.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum { METRIC_LABELS_MAX = 4, METRIC_BUCKETS_MAX = 24, METRIC_CHILDREN_MAX = 100000 };

struct metric_desc {
    const char *name;
    const char *help;
    enum metric_type type;
    const char *labels[METRIC_LABELS_MAX]; /* names; NULL ends the list */
    const double *buckets;                 /* histogram upper bounds, ascending, without +Inf */
    size_t bucket_count;
};

/* Buckets from 1 ms to about 1 minute, for durations in seconds. */
enum { METRIC_SECONDS_BUCKETS = 15 };
extern const double metric_seconds_buckets[METRIC_SECONDS_BUCKETS];

struct metrics; /* the registry */
struct metric;  /* one child */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *m);

/* The child of <desc> with these label values (as many as desc has names); created when new. Never
 * NULL. */
struct metric *metrics_get(struct metrics *m, const struct metric_desc *desc,
                           const struct str *values);

/* The same for desc without labels, and with one or two labels. */
struct metric *metrics_get0(struct metrics *m, const struct metric_desc *desc);
struct metric *metrics_get1(struct metrics *m, const struct metric_desc *desc, struct str value);
struct metric *metrics_get2(struct metrics *m, const struct metric_desc *desc, struct str first,
                            struct str second);

/* Gives a handle back; the child disappears from the output with its last handle. NULL is fine. */
void metric_drop(struct metric *c);

void metric_add(struct metric *c, uint64_t n);         /* counter */
void metric_add_seconds(struct metric *c, int64_t ns); /* counter in seconds, kept in ns */
void metric_set(struct metric *c, double value);       /* gauge */
void metric_shift(struct metric *c, double delta);     /* gauge */
void metric_observe(struct metric *c, double value);   /* histogram */
double metric_value(const struct metric *c);           /* counter or gauge */

/* A gauge computed at scrape time: <read>(arg) must not block. metric_drop() as usual, then arg may
 * die. */
struct metric *metrics_watch(struct metrics *m, const struct metric_desc *desc,
                             const struct str *values, double (*read)(void *arg), void *arg);

/* All of it as Prometheus text 0.0.4. */
void metrics_render(struct metrics *m, struct buf *out);

/* Calls <visit> per sample line ("name", label pairs, value), for the self datasource. */
struct metrics_sample {
    const struct metric_desc *desc; /* of the metric that it is of; static */
    const char *name;
    const char *const *label_names;
    const struct str *label_values;
    size_t label_count;
    double value;
};
void metrics_walk(struct metrics *m, void (*visit)(void *arg, const struct metrics_sample *s),
                  void *arg);

#endif
