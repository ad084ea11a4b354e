/*
 * metrics_int.h - what the registry and the renderer of metrics share.
 *
 * Ownership: the registry owns families; a family owns its children. Threads: everything that is not atomic is under the
 * registry's lock. Limits: see metrics.h.
 */
#ifndef TELEX_BASE_METRICS_INT_H
#define TELEX_BASE_METRICS_INT_H

#include "base/map.h"
#include "base/metrics.h"
#include "base/thread.h"

struct family {
    const struct metric_desc *desc;
    size_t label_count;
    struct map children; /* by key: the newest of those with the same label values */
};

struct metric {
    struct metrics *registry;
    struct family *family;
    struct str key;                       /* each label value after its length */
    struct str values[METRIC_LABELS_MAX]; /* into key */
    uint32_t refs;
    bool hidden;             /* a watch beyond the limit of children */
    struct metric *shadowed; /* a watch: the older one of the same label values */
    double (*read)(void *arg);
    void *arg;
    _Atomic uint64_t
        bits; /* counter: events or ns; gauge: a double; histogram: the sum, a double */
    _Atomic bool in_ns;
    _Atomic uint64_t buckets[]; /* histogram: one more than desc has bounds */
};

struct metrics {
    struct lock lock;
    struct map families; /* by name */
};

size_t metric_label_count(const struct metric_desc *desc);

#endif
