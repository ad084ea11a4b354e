/*
 * delivery_int.h - a delivery as its files see it: the loop, the ends of rows, what is said of it.
 *
 * Ownership: as delivery.h. Threads: the lane's, but for what is under the lock. Limits: as
 * delivery.h.
 */
#ifndef TELEX_EXPORT_DELIVERY_INT_H
#define TELEX_EXPORT_DELIVERY_INT_H

#include "base/env.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "export/backoff.h"
#include "export/breaker.h"
#include "export/delivery.h"
#include "export/drops.h"
#include "export/outcome_rows.h"
#include "export/output_metrics.h"
#include "export/plan.h"
#include "export/rests.h"

/* A view that was left between two tries. */
struct unfinished {
    int64_t next_try_ns; /* monotonic; 0: there is none */
    uint32_t tries;
};

struct delivery {
    struct exporter_place place;
    const struct delivery_config *config;
    const struct env *env;
    struct dead_letters *dead;
    struct drops *drops;
    const struct delivery_waits *waits;
    const struct event_skips *skips;
    struct trace trace;
    struct metric *metrics[OUTPUT_METRICS];

    /* the lane's thread alone */
    struct sink *sink;
    struct sink *fallback;                   /* or NULL */
    struct sink *dlq;                        /* or NULL */
    struct gate *gates[DELIVERY_LIMITS_MAX]; /* of the config's limits */
    size_t gate_count;
    struct backoff backoff;
    struct breaker breaker;
    struct rests rests;           /* time that is no age */
    int64_t failures;             /* calls and probes that failed in a row */
    bool parts_in_vain;           /* they were all refused, and nothing was taken since */
    int64_t probe_due_ns;         /* monotonic */
    int64_t tend_due_ns;          /* monotonic */
    struct unfinished unfinished; /* while it sleeps between two tries, and when that was its end */
    struct unfinished inherited;  /* what the one before left, until the first view */

    struct lock lock;
    struct output_status status GUARDED_BY(lock);
};

/* Rows of a view that have not ended. */
struct owed {
    struct batch *batch;
    uint32_t *rows; /* owned; NULL: as the view that came */
    struct view view;
    uint32_t tries;   /* since the last progress */
    int64_t since_ns; /* wall clock of the oldest */
    bool is_copied;   /* the fallback has it, and the destination is still owed it */
};

/* Keeps only the rows that <fates> say are owed. */
void owed_keep(struct owed *owed, const struct fate *fates);

/* ---- ends of rows: delivery_end.c ---- */

/* Keeps rows among the dead letters; tries until it can, false only when cancelled. */
MUST_USE bool delivery_bury(struct delivery *d, struct view view, struct str reason);

/* Buries the rows that were rejected, one letter for neighbours that share a reason. */
MUST_USE bool delivery_bury_rejected(struct delivery *d, struct view view,
                                     const struct fate *fates);

/* Gives what is owed to the fallback once; what that takes is no longer owed, unless it is a copy.
 */
void delivery_fall_back(struct delivery *d, struct owed *owed);

/* Tells whoever wants to know of the rows that ended well. */
void delivery_tell_ended(struct delivery *d, struct view view, const struct fate *fates,
                         const char *result, struct str reason);

/* ---- what is said: delivery_tell.c ---- */

void delivery_open_metrics(struct delivery *d);
void delivery_drop_metrics(struct delivery *d);
void delivery_note_state(struct delivery *d, const char *state, const struct err *e);

/* All that it was given has ended, whatever it came to. */
void delivery_note_rest(struct delivery *d);
void delivery_note_rejected(struct delivery *d, uint32_t rows);
void delivery_note_retry(struct delivery *d, const struct outcome *out, int64_t delay_ms);
void delivery_note_breaker(struct delivery *d);
void delivery_follow_status(struct delivery *d, struct delivery *before);

/* A call to the destination ended after <took_ns>. */
void delivery_note_call(struct delivery *d, const struct outcome *out, uint32_t taken,
                        int64_t took_ns);

/* The same, with <asked> rows, as a line for who debugs. */
void delivery_trace_call(struct delivery *d, const struct outcome *out, uint32_t asked,
                         int64_t took_ns);

/* Somebody answered, or not: health. */
void delivery_note_health(struct delivery *d, bool ok, const struct err *e);

#endif
