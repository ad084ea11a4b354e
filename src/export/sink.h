/*
 * sink.h - the contract between the delivery plan and what delivers: a leaf that talks to one
 * destination.
 *
 * deliver() hands over a view and gets back what became of each row. The plan above it owns
 * retries, order, dead letters and metrics; the leaf owns the wire. Ownership: the view is borrowed
 * for the call; the sink is closed by whoever opened it. Threads: a leaf belongs to one lane and is
 * never called by two threads at once, so it needs no lock. Limits: every call ends soon after its
 * wait is over.
 */
#ifndef TELEX_EXPORT_SINK_H
#define TELEX_EXPORT_SINK_H

#include "base/err.h"
#include "base/thread.h"
#include "base/vec.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a row. */
enum verdict {
    VERDICT_DELIVERED, /* the destination has it */
    VERDICT_HELD,      /* a log of ours has it; the destination will */
    VERDICT_REJECTED,  /* the destination will never take it: dead letter */
    VERDICT_RETRY,     /* not now */
    VERDICT_UNKNOWN,   /* sent, no answer: retried, counted as a possible duplicate */
    VERDICT_HALT, /* credentials or address refused (401, 403, 410, 415): stop, say so, spend no
                     retry */
    VERDICTS
};

const char *verdict_name(enum verdict verdict);

/* Rows whose verdict differs from the rest; index is into the view. */
struct exception {
    uint32_t index;
    enum verdict verdict;
    char reason[120];
};

struct exceptions {
    VEC(struct exception) list;
};

/*
 * Rows before <settled> are DELIVERED, save the excepted; rows from there on are <rest>. A leaf
 * that stops in the middle of a view so keeps what it has done.
 */
struct outcome {
    enum verdict rest;
    uint32_t settled;
    uint32_t dropped; /* settled rows that the destination threw away without saying which */
    uint32_t
        left_out; /* settled rows that a stage kept back for good (relabel, sample), counted there */
    struct exceptions except;
    bool
        refused; /* HALT is for the row at <settled>, which the destination refuses, and those behind it */
    bool
        held_back; /* nobody was asked (a rate limit), or only its turn is over: RETRY that spends neither tries nor age */
    int64_t retry_after_ms; /* a floor for the next try; 0: none said */
    int status;             /* the protocol's own code (HTTP status), 0: none */
    uint32_t requests;      /* made during the call */
    uint64_t bytes;         /* sent */
    struct err err;         /* why rest is not DELIVERED, or rows were rejected or dropped */
};

void outcome_init(struct outcome *o);
void outcome_release(struct outcome *o);

/* Says that all <n> rows of the view are settled. */
void outcome_settle(struct outcome *o, uint32_t n);

/* Adds an exception; reason is cut to fit. */
void outcome_except(struct outcome *o, uint32_t index, enum verdict verdict, const char *reason);

/* Forgets the exceptions from <index> on: those rows are tried again, or end otherwise. */
void outcome_forget(struct outcome *o, uint32_t index);

struct sink;

/* What came of asking whether a destination is there; of nobody nothing is known. */
enum probed { PROBED_NOBODY, PROBED_THERE, PROBED_FAILED };

struct sink_ops {
    /* A batch that is kept after the call is for comparing alone: texts of its records may be gone, though it is there. */
    void (*deliver)(struct sink *s, struct view view, struct wait wait, struct outcome *ret);
    /* Is the destination there and willing? NULL when there is nothing to ask; FAILED says why. */
    enum probed (*probe)(struct sink *s, struct wait wait, struct err *e);
    /* Makes what was delivered complete and readable (a file: close, sync, rename) before a stop;
     * may be NULL. */
    bool (*flush)(struct sink *s, struct err *e);
    /* Does what is due by the clock though nothing comes (a file of an hour that is over), and says when it wants to be
     * called again, monotonic, DEADLINE_NEVER for not at all; NULL: nothing ever is. */
    int64_t (*tend)(struct sink *s, struct wait wait);
    void (*close)(struct sink *s);
};

/* Leaves embed this first. */
struct sink {
    const struct sink_ops *ops;
};

/* Asks, where there is something to ask. */
static inline enum probed sink_probe(struct sink *s, struct wait wait, struct err *e)
{
    return s->ops->probe != NULL ? s->ops->probe(s, wait, e) : PROBED_NOBODY;
}

static inline int64_t sink_tend(struct sink *s, struct wait wait)
{
    return s->ops->tend != NULL ? s->ops->tend(s, wait) : DEADLINE_NEVER;
}

static inline void sink_close(struct sink *s)
{
    if (s != NULL) {
        s->ops->close(s);
    }
}

#endif
