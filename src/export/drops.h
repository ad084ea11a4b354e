/*
 * drops.h - records that nobody will ever have: counted by reason, and told of in the log.
 *
 * An output that drops at all drops many; so a burst is one line when it begins and one per
 * DROPS_TELL_MS while it goes on, each with what was dropped since the line before.
 *
 * Ownership: the output owns its drops. Threads: any. Limits: none.
 */
#ifndef TELEX_EXPORT_DROPS_H
#define TELEX_EXPORT_DROPS_H

#include "base/str.h"
#include "base/thread.h"
#include "base/trace.h"

struct env;
struct metric;

enum { DROPS_TELL_MS = 10 * 1000 };

enum drop_reason {
    DROP_OVERFLOW_OLDEST, /* the quota is used up: the oldest made room */
    DROP_OVERFLOW_NEWEST, /* the quota is used up: a new one was not taken */
    DROP_DESTINATION,     /* the destination took it and threw it away */
    DROP_ORPHAN,          /* the exporter was removed, and what it owed was dropped as was asked */
    DROP_LETTERS_FULL,    /* dead letters: the oldest made room */
    DROP_LETTERS_OLD,     /* dead letters: they were kept for as long as was asked */
    DROP_REFUSED,         /* the destination refused it, and on_refused says drop */
    DROP_REASONS
};

/* As the metric's label and the log have it. */
const char *drop_reason_name(enum drop_reason reason);

struct drops {
    const struct env *env;
    struct str name; /* owned */
    struct trace trace;
    struct metric *counts[DROP_REASONS];
    struct lock lock;
    uint64_t untold[DROP_REASONS] GUARDED_BY(lock);
    int64_t told_ns[DROP_REASONS] GUARDED_BY(lock); /* monotonic; 0: never */
};

void drops_init(struct drops *d, const struct env *env, struct str name);

/* Tells of what was not told yet. */
void drops_release(struct drops *d);

/* <rows> records were dropped; the line in the log is written now or later. */
void drops_add(struct drops *d, enum drop_reason reason, uint64_t rows);

/* Counts only: the caller has told of them. */
void drops_count(struct drops *d, enum drop_reason reason, uint64_t rows);

#endif
