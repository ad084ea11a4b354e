/*
 * level_target_meter.h - what is counted of one of several destinations, by its URL.
 *
 * Beside what level_meter.h counts for the exporter as a whole.
 *
 * Ownership: the level output of the target owns it; metrics disappear with it. Threads: any. Limits: none.
 */
#ifndef TELEX_EXPORT_LEVEL_TARGET_METER_H
#define TELEX_EXPORT_LEVEL_TARGET_METER_H

#include "export/exporter.h"

struct level_target_meter;

struct level_target_meter *level_target_meter_new(const struct exporter_place *place,
                                                  struct str url);

/* A request with <alerts> took <took_ns>; were they taken? */
void level_target_meter_note(struct level_target_meter *m, bool taken, size_t alerts,
                             int64_t took_ns);

/* NULL is fine. */
void level_target_meter_free(struct level_target_meter *m);

#endif
