/*
 * output_metrics.h - the metrics that every output has, whether it keeps a queue or tells the level.
 *
 * One table, so that both kinds of outputs are seen under the same names.
 *
 * Ownership: static. Threads: const. Limits: none.
 */
#ifndef TELEX_EXPORT_OUTPUT_METRICS_H
#define TELEX_EXPORT_OUTPUT_METRICS_H

#include "base/metrics.h"

enum output_metric {
    OUTPUT_DELIVERED,
    OUTPUT_REJECTED,
    OUTPUT_RETRIED,
    OUTPUT_UNKNOWN,
    OUTPUT_DIVERTED,
    OUTPUT_SENT_BYTES,
    OUTPUT_BREAKER,
    OUTPUT_HEALTHY,
    OUTPUT_METRICS
};

/* Each has the one label "exporter". */
extern const struct metric_desc output_metric_descs[OUTPUT_METRICS];

#endif
