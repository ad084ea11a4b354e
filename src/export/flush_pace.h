/*
 * flush_pace.h - how long samples wait for company, fitted to the load.
 *
 * The aim is that buffer_size records are sent together. When they are there before the time, half
 * the wait will do; when less than half of them came, waiting a quarter longer brings more of them
 * together; between these the interval stays. It never leaves [min_flush_interval,
 * max_flush_interval].
 *
 * Ownership: values. Threads: pure functions. Limits: the options'.
 */
#ifndef TELEX_EXPORT_FLUSH_PACE_H
#define TELEX_EXPORT_FLUSH_PACE_H

#include "export/exporter_options.h"

/* The interval to begin with: the configured one, within the bounds where it is adaptive. */
int64_t flush_pace_first(const struct exporter_buffer *config);

/* The interval after a flush of <rows> records; <early>: buffer_size was reached before the time. */
int64_t flush_pace_next(const struct exporter_buffer *config, int64_t interval_ns, uint64_t rows,
                        bool early);

#endif
