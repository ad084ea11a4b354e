/*
 * engine_bench.h - the engine on a bench: a scripted datasource below, what was given away as text above.
 *
 * Ownership: the bench owns what it made; bench_stop() lets go of it. Threads: one. Limits: SERIES_MAX series in an
 * answer, 64 batches of edges kept.
 */
#ifndef TELEX_TESTS_ENGINE_BENCH_H
#define TELEX_TESTS_ENGINE_BENCH_H

#include "base/budget.h"
#include "base/env.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "rules/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SLOT_NS (10 * NS_PER_S)
#define START_NS (INT64_C(1700000000) * NS_PER_S)

enum { SERIES_MAX = 64 };

/* A datasource that answers what the test wrote. */
struct scripted {
    struct datasource super;
    const char *raws[SERIES_MAX]; /* label objects */
    double values[SERIES_MAX];
    size_t count;
    bool fails;
    size_t made;           /* more series than that: this many, {"n":"0"} and so on */
    const char *made_expr; /* by this expression alone; NULL: by all */
    bool partial;
    char last_expr[256];
    unsigned queries;
    const char *data_expr; /* another expression, and what it gives; NULL: all give the same */
    const char *data_raws[4];
    size_t data_count;
    bool data_fails;
    int64_t last_timeout_ms; /* that the query had */
    int64_t last_time_ns;    /* that it asked for */
    int64_t takes_ms;        /* before it answers */
    struct lock lock;
};

/* What the engine gave away. */
struct given {
    struct buf samples; /* a line each: series value */
    struct buf edges;   /* a line each: told|quiet labels from>to value annotation */
    uint64_t seq;
    uint64_t sample_seq;
    uint64_t delivered_seq;
    unsigned asked_delivered; /* times that somebody wanted to know */
    unsigned hurried;
    unsigned late_by; /* times that what is newest is said not to be delivered */
    void (*meanwhile)(
        void *arg); /* called once: edges are durable, their giver does not know yet */
    void *meanwhile_arg;
    enum err_code refuses_edges;
    unsigned takes_before; /* it refuses: so many batches */
    bool stalls;           /* edges are taken, and durable once this is over */
    bool refuses_samples;
    struct batch *kept[64]; /* edges in order, for replay */
    uint64_t kept_seq[64];
    size_t kept_count;
    int changed;
    struct lock lock; /* rules may be evaluated side by side */
};

/* Limits of engines to come, beside the bench's other options. */
struct bench_limits {
    int64_t series_per_rule;
    int64_t series_per_group;
    int64_t series_total;
};

/* Env, datasource and engine. */
struct bench {
    struct rng rng;
    struct budget budget;
    struct env env;
    struct scripted source;
    struct given given;
    struct engine *engine;
    struct rule_set *set;
    struct bench_limits limits;
    int64_t keep_resolved_ns; /* of engines to come */
};

/* An engine as after a start, with <rules>; the rest of the bench stays. */
void bench_engine(struct bench *b, const char *rules);
void bench_start(struct bench *b, const char *rules);
void bench_stop(struct bench *b);

/* A new engine that replays all edges given so far. */
void bench_restart(struct bench *b, const char *rules);

struct rule_set *parse_rules(const char *text);

/* A group with the alert A of x, whose annotation is so long that some thousands of alerts are more than one batch. */
void add_wordy_rule(struct buf *rules);

/* What the datasource answers from now on. */
void answer(struct bench *b, size_t count, const char *const *raws, const double *values);
void answer_one(struct bench *b, const char *raw, double value);

/* Evaluates every group at the slot of that number. */
void evaluate(struct bench *b, int slot);

/* Fails unless <given> is <want>; empties it. */
void expect_given(struct buf *given, const char *want);

#endif
