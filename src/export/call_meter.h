/*
 * call_meter.h - what calls to a destination took, how many went well, and what was wrong with others.
 *
 * Everybody who calls for an exporter (its lanes, its two logs, the graph before and after a reload)
 * notes into one meter, found by name, so that gauges over the last calls speak for all of them.
 *
 * Ownership: the plan owns the registry; who gets a meter puts it back before the registry goes.
 * Threads: any. Limits: the window's.
 */
#ifndef TELEX_EXPORT_CALL_METER_H
#define TELEX_EXPORT_CALL_METER_H

#include "export/combinator.h"

struct call_meter;
struct call_meters;

struct call_meters *call_meters_new(const struct env *env);

/* All meters were put back. NULL is fine. */
void call_meters_free(struct call_meters *all);

/* The meter of that name which measures just that; a new one where there is none. */
struct call_meter *call_meter_get(struct call_meters *all, struct str name,
                                  const struct monitor_tracks *tracks);

/* NULL is fine. */
void call_meter_put(struct call_meter *m);

/* A call ended after <took_ns>, with <out>. */
void call_meter_note(struct call_meter *m, const struct outcome *out, int64_t took_ns, bool ok);

/* Sets the gauges anew, which fall when no calls come. */
void call_meter_show(struct call_meter *m);

#endif
