/*
 * consumer.h - one output's way through one log: its lanes, their common place, and its quota.
 *
 * Nearly always one lane. What the output owes of this log may have a quota, and when it is used up
 * new records are refused, left out, or make the lanes pass over the oldest.
 *
 * Ownership: the output owns its consumers; a consumer owns its lanes. Threads: open to close are
 * for the plan's thread; what admits, pauses and tells is for any. Limits: EXPORTER_LANES_MAX
 * lanes; a quota may be exceeded by one frame per giver.
 */
#ifndef TELEX_EXPORT_CONSUMER_H
#define TELEX_EXPORT_CONSUMER_H

#include "export/lane.h"

struct consumer;

/* Opens the lanes, as <config> says but for progress and index, which are set here. */
MUST_USE bool consumer_open(const struct lane_config *config, struct consumer **ret_consumer,
                            struct err *e);

/*
 * Goes on as <before> did, which has stopped: paused, if it was, each lane where it stood; when its options
 * are the same, in the middle of its backoff too (lane_follow()). Before the start.
 */
void consumer_follow(struct consumer *c, struct consumer *before, bool is_same);

/* As the functions of lane.h, for all lanes. */
void consumer_start(struct consumer *c);
void consumer_drain(struct consumer *c, int64_t until_ns);
void consumer_rest(struct consumer *c);
void consumer_stop(struct consumer *c, struct wait wait);
void consumer_pause(struct consumer *c);
void consumer_resume(struct consumer *c);
void consumer_flush(struct consumer *c);
void consumer_hurry(struct consumer *c);

/* False when a new record must be refused: the quota is used up, and who gives is to wait. */
MUST_USE bool consumer_admits(struct consumer *c, struct err *e);

/* Is a new frame to be left out? */
bool consumer_leaves_out(struct consumer *c);

/* <rows> were left out, and the others have them: counts them. */
void consumer_left_out(struct consumer *c, uint64_t rows);

/* A frame was appended: has the lanes make room for it where they must. */
void consumer_appended(struct consumer *c);

/* Adds what its lanes did and what it owes to <status>. */
void consumer_status(struct consumer *c, struct output_status *status);

/* Stops at once. NULL is fine. */
void consumer_close(struct consumer *c);

#endif
