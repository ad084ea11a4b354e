/*
 * multi_stages.h - the strategies of `multi` that work below the log, for the tables of its kinds.
 *
 * Their configs are struct multi_config.
 *
 * Ownership: static. Threads: const. Limits: EXPORTER_CHILDREN_MAX children.
 */
#ifndef TELEX_EXPORT_STAGES_MULTI_STAGES_H
#define TELEX_EXPORT_STAGES_MULTI_STAGES_H

#include "export/exporter.h"

extern const struct stage_kind stage_failover;
extern const struct stage_kind stage_sequential;

#endif
