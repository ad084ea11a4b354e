/*
 * insist.h - a resilient that stands below failover or sequential, for the table of its kind.
 *
 * Its config is struct resilient_config.
 *
 * Ownership: static. Threads: const. Limits: none of its own.
 */
#ifndef TELEX_EXPORT_STAGES_INSIST_H
#define TELEX_EXPORT_STAGES_INSIST_H

#include "export/exporter.h"

extern const struct stage_kind stage_insist;

#endif
