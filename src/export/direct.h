/*
 * direct.h - deliveries of records that somebody else's log holds: an exporter's way out, without a log of ours.
 *
 * What an output does behind its log (stages, retries, breaker, fallback, dead letters) is done while the
 * caller waits, who may forget the records that it is not told are owed. Each lane has a leaf of its own.
 *
 * Ownership: a direct delivery uses the plan's graph of the moment, so it is closed before the plan changes
 * or closes. Threads: a lane is one thread's at a time; the rest is for any. Limits: DIRECT_LANES_MAX lanes; an
 * exporter that comes to one consumer.
 */
#ifndef TELEX_EXPORT_DIRECT_H
#define TELEX_EXPORT_DIRECT_H

#include "base/err.h"
#include "export/plan.h"

enum { DIRECT_LANES_MAX = 64 };

struct direct;

/*
 * Opens <lanes> ways to the exporter <name>; talks to nobody. False, too, when the exporter is many that are
 * chosen by conditions or side by side, or keeps a level.
 */
MUST_USE bool direct_open(struct plan *p, struct str name, unsigned lanes,
                          struct direct **ret_direct, struct err *e);

/* As many records as one call takes together, where so many wait; and how far apart in time they may be, since they are
 * given up together. */
uint32_t direct_together(const struct direct *d);
int64_t direct_span_ns(const struct direct *d);

/* Before the first view; the events are borrowed. */
struct event_skips;
void direct_skip(struct direct *d, const struct event_skips *skips);

/*
 * Takes <view> to its end: every row that is not counted in what it gives is delivered, a dead letter on disk,
 * or dropped as the config wants it, and counted. Rows are owed only when the direct is resting or cancelled:
 * <ret_owed>, which has room for all or is NULL, then has their rows of the batch. <since_ns>: wall clock from which their age counts.
 */
uint32_t direct_run(struct direct *d, unsigned lane, struct view view, int64_t since_ns,
                    uint32_t *ret_owed);

/* Keeps bytes that are no record among the dead letters; false when cancelled before it could. */
MUST_USE bool direct_bury(struct direct *d, unsigned lane, struct str bytes, const struct err *why);

/* Ends all waits between calls, and begins no call; and cuts those that are under way. */
void direct_rest(struct direct *d);
void direct_cancel(struct direct *d);

/* Adds what its lanes did to <status>; plan_status() has it too. */
void direct_add_status(struct direct *d, struct output_status *status);

/* When no thread is in it. NULL is fine. */
void direct_close(struct direct *d);

#endif
