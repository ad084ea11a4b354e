/*
 * lane.h - one output's way through one log: reader, retries, leaf, cursor.
 *
 * A lane has a thread of its own and hands the leaf one frame after the other. Its cursor passes a
 * frame when every row of it is delivered or a dead letter. Ownership: the plan owns lanes; a lane
 * owns its leaf. Threads: functions here are for the plan's thread, save lane_status(). Limits: one
 * frame in flight.
 */
#ifndef TELEX_EXPORT_LANE_H
#define TELEX_EXPORT_LANE_H

#include "base/err.h"
#include "base/thread.h"
#include "export/dead_letters.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/plan.h"

struct lane;
struct log;

struct lane_config {
    struct exporter_place place;
    const struct exporter_kind *kind;
    const void *config; /* begins with struct exporter_common */
    struct log *log;
    unsigned bit; /* the output's consumer bit in the log */
    struct dead_letters *dead;
};

/* Opens the leaf; nothing runs yet. */
MUST_USE bool lane_open(const struct lane_config *config, struct lane **ret_lane, struct err *e);
MUST_USE bool lane_start(struct lane *lane, struct err *e);

/* Asks the lane to stop when it has delivered what the log holds for it now; does not wait. */
void lane_drain(struct lane *lane);

/* Waits until the lane's thread has ended; false when <wait> was over first. */
bool lane_wait(struct lane *lane, struct wait wait);

/* Adds what the lane did to <status>. */
void lane_status(struct lane *lane, struct output_status *status);

/* Cancels what is in flight, joins, closes the leaf. NULL is fine. */
void lane_close(struct lane *lane);

#endif
