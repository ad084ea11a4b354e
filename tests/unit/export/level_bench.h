/*
 * level_bench.h - a level output on a bench: alerts that the test sets above, a receiver below.
 *
 * Ownership: the fixture owns what it made; teardown() lets go of it. Threads: the output has one, the source has a
 * lock. Limits: ALERTS_MAX alerts.
 */
#ifndef TELEX_TESTS_LEVEL_BENCH_H
#define TELEX_TESTS_LEVEL_BENCH_H

#include "base/env.h"
#include "base/metrics.h"
#include "base/rand.h"
#include "export/level.h"
#include "export/plan.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"

#include <stdatomic.h>

#define RULE_HANGS "hangs" /* the id of a rule whose texts never come */

enum { ALERTS_MAX = 700 };

struct source {
    struct level_source super;
    struct lock lock;
    struct level_alert alerts[ALERTS_MAX] GUARDED_BY(lock);
    size_t count GUARDED_BY(lock);
    unsigned walks GUARDED_BY(lock);
    bool gone GUARDED_BY(lock); /* describe() finds nothing */
    size_t annotation_len GUARDED_BY(lock);
};

struct fixture {
    struct receiver receiver;
    struct http_kit http;
    struct rng rng;
    struct metrics *metrics;
    struct env env;
    struct export_kit kit;
    struct source source;
    struct level_filter filter;
    _Atomic unsigned asked; /* by the filter */
    struct level_output *output;
    struct buf yaml;
};

int setup(void **state);
int teardown(void **state);

/* Opens the output, with these options, and gives it the source. */
void start(struct fixture *f, const char *options);

/* ---- the source ---- */

void source_clear(struct source *s);

/* A firing alert called <name>. */
void source_add(struct source *s, const char *name);
void source_resolve(struct source *s, size_t i);
unsigned source_walks(struct source *s);

/* ---- what came of it ---- */

void plan_success(struct fixture *f, unsigned count);

/* The alerts of request <i>: names, each with an end: "a b(resolved)". */
void assert_alerts(struct fixture *f, unsigned i, const char *want);
void assert_holds(struct fixture *f, unsigned i, const char *part);

/* Says that something changed and waits until the output has looked. */
void wake_and_wait(struct fixture *f);

/* Waits until the thread has understood the answers so far. */
struct output_status wait_status(struct fixture *f, uint64_t sent, uint64_t errors);

/* The value of a metric line of the output; -1 when there is none. */
double metric_of(struct fixture *f, const char *series);

/* How many alerts the destination was not told of when the output ended. */
uint64_t untold_at_the_end(struct fixture *f);

int64_t now_ms(void);

#endif
