/*
 * scheduler.h - what is due when: a heap of slots and the workers that run them.
 *
 * A job names its slots (wall time) and runs at each; one job never runs twice at once. A slot that
 * passes while the job still runs is missed: it is counted, exactly, and not made up for. A wall
 * clock that steps back makes the job's next slot be computed again; one that steps forward counts
 * the slots stepped over as missed.
 *
 * Ownership: jobs are borrowed while they are scheduled. Threads: create, change and stop from one
 * thread; jobs run on the scheduler's workers. Limits: <workers_max> jobs at once; they bound
 * queries in flight, not CPU.
 */
#ifndef TELEX_APP_SCHEDULER_H
#define TELEX_APP_SCHEDULER_H

#include "base/err.h"
#include "base/thread.h"

#include <stddef.h>
#include <stdint.h>

struct env;
struct scheduler;

enum { SCHEDULER_WORKERS = 64 };

/* What is scheduled. All functions but run must be quick. */
struct job {
    int64_t (*next_slot)(const void *arg, int64_t after_ns);   /* the first slot >= after_ns */
    void (*run)(void *arg, int64_t slot_ns, struct wait wait); /* wait ends when stop is urgent */
    void (*missed)(void *arg, uint64_t slots);
    void *arg;
    uint32_t rank; /* of jobs with one slot, those with lower ones begin first */
    uint64_t id;   /* the same for what is the same job over scheduler_set_jobs(); 0: it has none */
};

MUST_USE bool scheduler_new(const struct env *env, size_t workers_max,
                            struct scheduler **ret_scheduler, struct err *e);

/*
 * Replaces all jobs (copied). A job that was there goes on with the slot that it was to run next, also
 * one that passed meanwhile; the first slots of others are those after now. Only while paused or before
 * the first resume.
 */
void scheduler_set_jobs(struct scheduler *s, const struct job *jobs, size_t count);

/* Starts running what is due. */
void scheduler_resume(struct scheduler *s);

/* No new runs; returns when those in flight are done, or false when <wait> was over first (they go
 * on). */
MUST_USE bool scheduler_pause(struct scheduler *s, struct wait wait);

/* Ends the waits of what runs, until all of it has ended. */
void scheduler_cut(struct scheduler *s);

/* Runs in flight, for readiness and shutdown messages. */
size_t scheduler_running(struct scheduler *s);

/* Cancels what runs, joins the workers. NULL is fine. */
void scheduler_free(struct scheduler *s);

#endif
