/*
 * one_shot.h - delivers batches through one target of a config, once, while the caller waits.
 *
 * For commands that give records by hand (`queue replay`, `export`): no log, no thread. Conditions of the
 * target are asked for each record; each consumer that they choose gets its rows through its own stages, and
 * retries follow its config's delays until they succeed, the destination refuses, or the caller's patience
 * ends. A rejected batch is halved until only the rows are left that are refused.
 *
 * Ownership: borrows the config and env; owns the sinks it opens. Threads: confined. Limits: those of the
 * plan.
 */
#ifndef TELEX_EXPORT_ONE_SHOT_H
#define TELEX_EXPORT_ONE_SHOT_H

#include "base/env.h"
#include "base/err.h"
#include "base/thread.h"
#include "export/plan.h"

#include <stdbool.h>
#include <stdint.h>

struct attempts;
struct dry_run;
struct oauth2_pool;
struct one_shot;

/* What became of rows, added up over calls; a row that two consumers get counts twice. */
struct one_shot_counts {
    uint64_t delivered;
    uint64_t rejected;
    uint64_t retries;
    uint64_t nobodys; /* the target has no consumer for them */
};

/* Told of rows that a destination will never take; false ends the delivery with the error that it set. */
struct one_shot_refusal {
    bool (*refused)(void *arg, struct view view, struct str output, struct str reason,
                    struct err *e);
    void *arg;
};

/* Opens what target number <target> of the config comes to. False also for exporters that keep a level. */
MUST_USE bool one_shot_open(const struct env *env, const struct plan_config *config,
                            unsigned target, struct one_shot **ret_shot, struct err *e);

/* What leaves share with those of a plan that runs; either may be NULL. */
struct one_shot_share {
    struct oauth2_pool *tokens;
    struct attempts *attempts;
};

/* The same beside a plan that runs. */
MUST_USE bool one_shot_open_beside(const struct env *env, const struct plan_config *config,
                                   unsigned target, const struct one_shot_share *share,
                                   struct one_shot **ret_shot, struct err *e);

/* The same with leaves that show to <dry> what they would send, and send nothing. */
MUST_USE bool one_shot_open_dry(const struct env *env, const struct plan_config *config,
                                unsigned target, const struct dry_run *dry,
                                struct one_shot **ret_shot, struct err *e);
void one_shot_close(struct one_shot *o); /* NULL is fine */

/* Every row has ended. False: <w> is over, or the destination refuses us, or <refusal> failed. */
MUST_USE bool one_shot_deliver(struct one_shot *o, struct batch *b, struct wait w,
                               const struct one_shot_refusal *refusal, struct err *e);

/* What was delivered is complete: files closed and synced. */
MUST_USE bool one_shot_flush(struct one_shot *o, struct err *e);

struct one_shot_counts one_shot_counts(const struct one_shot *o);

#endif
