/*
 * recent.h - the frames in memory: those on their way to the disk and the newest of those that are there.
 *
 * One counted block holds a frame as it stands in the file, so that writing, keeping and reading it are one
 * copy. The queue is ordered by sequence number and without gaps but for withdrawn frames: everything
 * from its oldest frame on is in it.
 *
 * Ownership: the queue holds a reference on each frame; readers take their own. Threads: frames are
 * immutable but for the count and the header, which the writing thread fills in; the queue is under the
 * log's lock. Limits: the log's, see commit.c.
 */
#ifndef TELEX_LOG_RECENT_H
#define TELEX_LOG_RECENT_H

#include "log/frame.h"
#include "log/log.h"

#include <stdatomic.h>

struct held {
    struct log_frame frame;
    _Atomic uint32_t refs;
    bool withdrawn; /* its appender gave up before it was written; under the log's lock */
    uint32_t length;
    uint32_t payload_crc;
    _Alignas(16) unsigned char header[FRAME_HEADER_BYTES]; /* directly before the payload */
    unsigned char payload[];
};

/* A frame with room for <length> payload bytes, zeros behind them; NULL when there is no memory. */
MUST_USE struct held *held_new(size_t length);

/* Bytes that a frame of <length> payload bytes takes in memory. */
int64_t held_bytes(size_t length);

struct held *held_of(const struct log_frame *f);
void held_drop(struct held *h);

struct recent {
    struct held **items; /* a ring */
    size_t first;
    size_t len;
    size_t cap; /* 0 or a power of two */
    int64_t bytes;
};

void recent_release(struct recent *r);
void recent_push(struct recent *r, struct held *h);

/* Drops the oldest frame. */
void recent_shift(struct recent *r);

static inline struct held *recent_at(const struct recent *r, size_t i)
{
    return r->items[(r->first + i) & (r->cap - 1)];
}

/* The index of the first frame with this sequence number or a higher one; len when there is none. */
size_t recent_find(const struct recent *r, uint64_t seq);

#endif
