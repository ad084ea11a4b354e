/*
 * destination.h - a destination inside the test, and exporter kinds that deliver to it by script.
 *
 * Each delivery takes the next step of the script, or is taken whole when none is left; rows are
 * known by their values. A step may settle some rows, except others, or hang until it is cancelled.
 *
 * Ownership: the test owns the struct and releases it after the plan. Threads: any; leaves of
 * several lanes may share one. Limits: DESTINATION_STEPS steps of DESTINATION_EXCEPTIONS exceptions.
 */
#ifndef TELEX_FAKE_DESTINATION_H
#define TELEX_FAKE_DESTINATION_H

#include "base/buf.h"
#include "export/exporter.h"
#include "export/exporter_options.h"

enum { DESTINATION_STEPS = 32, DESTINATION_EXCEPTIONS = 4, DESTINATION_PATIENCE_MS = 20000 };

/* In place of settled: all rows of the view. */
#define SETTLED_ALL UINT32_MAX

struct destination_step {
    enum verdict rest;
    uint32_t settled;
    const char *message; /* why rest is not DELIVERED */
    struct {
        uint32_t index;
        enum verdict verdict;
        const char *reason;
    } except[DESTINATION_EXCEPTIONS]; /* those with a reason */
    uint32_t times;                   /* 0: once */
    bool hangs;                       /* until cancelled; then <rest> */
    bool held_back;                   /* this and the rest as in struct outcome */
    int status;
    uint64_t bytes;
    int64_t retry_after_ms;
};

struct destination {
    struct lock lock;
    struct cond changed;
    struct destination_step steps[DESTINATION_STEPS] GUARDED_BY(lock);
    uint32_t step_count GUARDED_BY(lock);
    uint32_t step GUARDED_BY(lock);
    uint32_t calls GUARDED_BY(lock);
    uint32_t leaves GUARDED_BY(lock);
    uint32_t flushes GUARDED_BY(lock);
    VEC(double) got GUARDED_BY(lock);
    VEC(int64_t) got_at_ns GUARDED_BY(lock); /* monotonic */
    struct buf tried GUARDED_BY(lock);       /* "0 1|1" */
    struct buf labels GUARDED_BY(lock);      /* of the last row that came */
    enum probed probed GUARDED_BY(lock);     /* what a probe says */
    uint32_t probes GUARDED_BY(lock);
    bool probes_hang GUARDED_BY(lock); /* until their time is over, or they are cancelled */
};

void destination_init(struct destination *d);
void destination_release(struct destination *d);
void destination_plan(struct destination *d, struct destination_step step);

/* Refuses everything from now on, <verdict> each time. */
void destination_refuse(struct destination *d, enum verdict verdict);

/* What probes say from now on; at first that there is nobody to ask. */
void destination_set_probed(struct destination *d, enum probed probed);

/* Probes do not come back by themselves from now on. */
void destination_hang_probes(struct destination *d);

/* Forgets the script and what was got: as a destination that was mended, seen by a new test. */
void destination_forget(struct destination *d);

/* Waits until <count> rows came, or calls were made; false after DESTINATION_PATIENCE_MS. */
bool destination_wait(struct destination *d, size_t count);
bool destination_wait_calls(struct destination *d, uint32_t count);

/* Waits for <count> more probes. */
bool destination_wait_probes(struct destination *d, uint32_t count);

/* "0 1 2": what came, in its order; "0 1|1": what was tried, call by call. For mem_free(). */
char *destination_got(struct destination *d);
char *destination_tried(struct destination *d);

/* The config of a fake exporter. */
struct fake_config {
    struct exporter_common common;
    struct destination *destination;
    bool refuses_open; /* open fails */
};

extern const struct exporter_kind fake_kind;         /* takes samples and alerts */
extern const struct exporter_kind fake_kind_series;  /* a time series store: samples */
extern const struct exporter_kind fake_kind_samples; /* samples, but no store */
extern const struct exporter_kind fake_kind_alerts;  /* alerts */

/* Delays of a millisecond, no limit of tries, an age of a day. */
void fake_config_init(struct fake_config *config, struct destination *d);

#endif
