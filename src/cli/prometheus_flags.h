/*
 * prometheus_flags.h - Prometheus's flags and what they are for `telex prometheus-rules`.
 *
 * Ownership: a static table. Threads: any. Limits: none.
 */
#ifndef TELEX_CLI_PROMETHEUS_FLAGS_H
#define TELEX_CLI_PROMETHEUS_FLAGS_H

#include "cli/flags.h"

extern const struct flag_table prometheus_flags;

#endif
