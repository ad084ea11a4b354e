/*
 * self_metrics.h - what is measured of monitored exporters, given to the exporter that their monitor
 * names: our own metrics as samples.
 *
 * One job per monitor with a self_metrics_exporter, at multiples of its interval: the metrics whose label
 * `exporter` names the monitor's consumers, as they are then. What cannot be given is left to the next
 * time; these are readings, and the next ones say more.
 *
 * Ownership: the caller's; borrows env and plan, and nothing of the config. Threads: jobs run on the
 * scheduler's workers. Limits: SELF_METRICS_ROWS_MAX samples a time.
 */
#ifndef TELEX_APP_SELF_METRICS_H
#define TELEX_APP_SELF_METRICS_H

#include "app/scheduler.h"
#include "export/plan.h"

enum { SELF_METRICS_ROWS_MAX = 10 * 1000 };

struct self_metrics;

struct self_metrics *self_metrics_new(const struct env *env, struct plan *plan,
                                      const struct plan_config *config);

/* Only while its jobs do not run. NULL is fine. */
void self_metrics_free(struct self_metrics *s);

size_t self_metrics_count(const struct self_metrics *s);
struct job self_metrics_job(struct self_metrics *s, size_t i);

#endif
