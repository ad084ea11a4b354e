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
#include "export/drops.h"
#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/lane_share.h"
#include "export/plan.h"

struct lane;
struct log;

struct lane_config {
    struct exporter_place place;
    const struct delivery_config *delivery;
    const struct exporter_buffer *buffer;
    struct log *log;
    const char *log_name; /* "ledger", "bulk": for metrics */
    unsigned bit;         /* the output's consumer bit in the log */
    struct dead_letters *dead;
    struct drops *drops;
    struct progress *progress; /* of all lanes of the consumer */
    unsigned index;            /* of this lane among them */
};

/* Opens the leaf and starts the thread, which waits for lane_start(): what can fail fails here. */
MUST_USE bool lane_open(const struct lane_config *config, struct lane **ret_lane, struct err *e);

/*
 * Goes on as <before>, which has rested: in the middle of its backoff, with its tries, its circuit breaker
 * and what it says of itself. Before the start, for one whose options are the same.
 */
void lane_follow(struct lane *lane, struct lane *before);

/* Delivers from now on, beginning behind the cursor. */
void lane_start(struct lane *lane);

/* Asks the lane to end when it has delivered what the log holds for it now, or when it could only sleep
 * until <until_ns> (monotonic); does not wait. */
void lane_drain(struct lane *lane, int64_t until_ns);

/* Asks the lane to end after the call to the leaf that is under way, if any; does not wait. What is
 * owed stays in the log. */
void lane_rest(struct lane *lane);

/* Waits until the lane has ended by itself or <wait> is over; then cancels what is in flight. The
 * thread has ended when this returns. */
void lane_stop(struct lane *lane, struct wait wait);

/* From any thread. A paused lane delivers nothing; what comes stays in the log. */
void lane_pause(struct lane *lane);
void lane_resume(struct lane *lane);
bool lane_pauses(struct lane *lane);

/* Sends what waits now, also in the middle of a backoff: for a person who asks once. From any thread; does
 * not wait. */
void lane_flush(struct lane *lane);

/* Sends what is gathered and only waits for company; a backoff goes on. From any thread, as often as one
 * likes; does not wait. */
void lane_hurry(struct lane *lane);

/* Has the lane look whether it must make room. From any thread; does not wait. */
void lane_nudge(struct lane *lane);

/* A frame was appended that may be the lane's: ends a health check. From any thread; does not wait. */
void lane_appended(struct lane *lane);

/* Adds what the lane did to <status>. */
void lane_status(struct lane *lane, struct output_status *status);

/* Stops at once, closes the leaf. NULL is fine. */
void lane_close(struct lane *lane);

#endif
