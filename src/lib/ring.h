/*
 * ring.h - records on their way from the application's threads to the hub's: bounded, made beforehand,
 * written without a lock.
 *
 * A ring has a few shards, each a circle of bytes; a thread always writes to the same one, so that its records
 * stay in order. A writer takes its place by moving the tail, fills it, and then says what lies there; the
 * one reader takes what is complete, in order, and clears it. A full shard refuses: nobody waits.
 *
 * Ownership: the hub's. Threads: ring_put() from any; all else from the one reader. Limits: <bytes> in all; a
 * record takes at most RING_RECORD_MAX.
 */
#ifndef TELEX_LIB_RING_H
#define TELEX_LIB_RING_H

#include "base/attr.h"
#include "base/err.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RING_SHARDS = 4, RING_LINE = 64, RING_RECORD_MAX = 64 * 1024, RING_LEAST = 256 * 1024 };

/* What lies in a place: nothing yet, nothing ever (the rest up to the end), a record. */
enum ring_what { RING_EMPTY, RING_PADDING, RING_METRICS, RING_SPAN };

struct ring_shard {
    _Alignas(RING_LINE) _Atomic uint64_t tail; /* where the next record goes; only grows */
    _Atomic uint64_t taken;                    /* records */
    _Alignas(RING_LINE) _Atomic uint64_t head; /* what lies before is the writers' again */
    char *bytes;
};

struct ring {
    struct ring_shard *shards;
    uint64_t shard_bytes; /* a power of two */
    void *mapping;
    size_t mapping_bytes;
};

/* Rounds <bytes> up to what can be had; false when there is no memory. */
MUST_USE bool ring_open(struct ring *r, int64_t bytes, struct err *e);
void ring_close(struct ring *r); /* fine on a zeroed one */

/* A place of <len> bytes to be filled and then told of with ring_done(); NULL: there is no room. */
struct ring_place {
    struct ring_shard *shard;
    char *bytes;
    uint32_t len;
};
MUST_USE bool ring_put(struct ring *r, uint32_t len, struct ring_place *ret_place);
void ring_done(const struct ring_place *place, enum ring_what what);

/* The reader's way through a shard: what is complete, from where it was. */
struct ring_record {
    enum ring_what what;
    const char *bytes;
    uint32_t len;
};
struct ring_walk {
    struct ring *ring;
    struct ring_shard *shard;
    uint64_t at;
};
void ring_walk_begin(struct ring_walk *w, struct ring *r, size_t shard);
bool ring_walk_next(struct ring_walk *w, struct ring_record *ret_record);

/* Goes back to before the record that was told last. */
void ring_walk_back(struct ring_walk *w, const struct ring_record *record);

/* Gives back all that was walked over. */
void ring_walk_end(struct ring_walk *w);

/* Has every place that was taken been given back? */
bool ring_is_empty(const struct ring *r);
uint64_t ring_used(const struct ring *r);

/* How full the fullest shard is, 0 to 1: a thread is refused when its own shard is full. */
double ring_usage(const struct ring *r);

uint64_t ring_taken(const struct ring *r);

#endif
