/*
 * lane_share.h - several lanes of one consumer: which rows are whose, and how far all of them are.
 *
 * Lane i of n takes the rows whose label set hashes to i, so records of one series or alert stay in
 * one lane and in order. Each lane reads every frame; the consumer's cursor is where the slowest
 * stands.
 *
 * Ownership: the output owns a progress and outlives its lanes. Threads: any; each lane sets only
 * its own place. Limits: EXPORTER_LANES_MAX lanes.
 */
#ifndef TELEX_EXPORT_LANE_SHARE_H
#define TELEX_EXPORT_LANE_SHARE_H

#include "base/thread.h"
#include "export/exporter_options.h"
#include "model/batch.h"

struct log;

struct progress {
    struct log *log;
    unsigned bit;
    unsigned lanes;
    struct lock lock;
    uint64_t done[EXPORTER_LANES_MAX] GUARDED_BY(lock);
};

void progress_init(struct progress *p, struct log *log, unsigned bit, unsigned lanes);

/*
 * All lanes stand where the consumer's cursor is now: the lanes of an older graph are done moving
 * it. Where there were as many lanes in <from> (or NULL), each goes on where that one was.
 */
void progress_begin(struct progress *p, struct progress *from);
void progress_release(struct progress *p);

/* Lane <lane> is done with all frames up to <seq>. */
void progress_set(struct progress *p, unsigned lane, uint64_t seq);
uint64_t progress_get(struct progress *p, unsigned lane);

/*
 * Bytes that the consumer owes, as far as its quota is concerned. Where the log knows it to a bound
 * only, <at_least> takes the lower one: nothing is to be dropped too early.
 */
int64_t progress_owed_bytes(struct progress *p, bool at_least);

/* Is no other lane behind this one? */
bool progress_is_last(struct progress *p, unsigned lane);

/*
 * The rows of <b> that are lane <lane>'s of <lanes>, in order, for mem_free(). False when the batch
 * does not decode.
 */
MUST_USE bool lane_share_rows(struct batch *b, unsigned lane, unsigned lanes, uint32_t **ret_rows,
                              uint32_t *ret_count, struct err *e);

#endif
