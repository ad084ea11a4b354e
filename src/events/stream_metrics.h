/*
 * stream_metrics.h - what is counted and measured of change streams: one table, for those who count and for the docs.
 *
 * Ownership: static tables. Threads: any. Limits: none; a metric of the table has the label `stream`, and perhaps one
 * more.
 */
#ifndef TELEX_EVENTS_STREAM_METRICS_H
#define TELEX_EVENTS_STREAM_METRICS_H

#include "base/metrics.h"

enum stream_metric {
    METRIC_READ,
    METRIC_DONE,
    METRIC_FILTERED,
    METRIC_ODD,
    METRIC_BROKEN,
    METRIC_BACKFILLED,
    METRIC_RESTARTS,
    METRIC_SAVES,
    METRIC_IN_FLIGHT,
    METRIC_LAG_SECONDS,
    METRIC_LAG_EVENTS,
    METRIC_RETAINED,
    METRIC_BACKFILL_LEFT,
    METRIC_UP,
    METRIC_READY,
    STREAM_GAUGES, /* those above have no label but the stream */
    METRIC_LETTERS = STREAM_GAUGES,
    METRIC_ATTEMPTS,
    METRIC_UNCONFIGURED,
    STREAM_METRICS
};

const struct metric_desc *stream_metric_desc(enum stream_metric metric);

/* As a table in Markdown: names, labels, kinds and units, meanings. */
void stream_metrics_print_docs(struct buf *out);

#endif
