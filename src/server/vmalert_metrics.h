/*
 * vmalert_metrics.h - our metrics under the names of vmalert, for dashboards and alert rules that were made for it.
 *
 * Ownership: borrows all. Threads: any. Limits: those of <out>.
 */
#ifndef TELEX_SERVER_VMALERT_METRICS_H
#define TELEX_SERVER_VMALERT_METRICS_H

#include "app/app.h"
#include "base/buf.h"

struct metrics;

/* Appends them as Prometheus text 0.0.4. */
void vmalert_metrics_print(struct app *app, struct metrics *metrics, struct buf *out);

#endif
