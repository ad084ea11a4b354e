/*
 * receive_int.h - what the files of the receiver share; for src/receive only.
 *
 * Ownership: the receiver owns all of it. Threads: fields say which. Limits: RECEIVE_BUFFERS buffers
 * to unpack into are kept, of RECEIVE_BUFFER_KEPT bytes at most each.
 */
#ifndef TELEX_RECEIVE_RECEIVE_INT_H
#define TELEX_RECEIVE_RECEIVE_INT_H

#include "base/trace.h"
#include "export/plan.h"
#include "receive/acker.h"
#include "receive/receive.h"
#include "receive/receive_metrics.h"

#include <stdatomic.h>

enum { RECEIVE_BUFFERS = 8, RECEIVE_BUFFER_KEPT = 4 << 20, RECEIVE_ROUTES = 1 };

/* Tells of a loss once a minute at most, with what came together since. */
struct burst {
    int64_t told_mono_ns GUARDED_BY(lock);
    uint64_t rows GUARDED_BY(lock);
    struct lock lock;
};

struct receiver {
    const struct env *env;
    struct trace trace;
    _Atomic(struct plan *) plan; /* NULL: starting */
    struct http_route routes[RECEIVE_ROUTES];
    struct receive_metrics metrics;
    struct acker *acker;
    struct burst unrouted;
    struct burst sampleless;
    struct lock lock;
    struct receive_config config GUARDED_BY(lock); /* a copy: the one given goes with a reload */
    struct buf buffers[RECEIVE_BUFFERS] GUARDED_BY(lock); /* to unpack into */
    size_t buffer_count GUARDED_BY(lock);
};

extern const struct http_handler receive_remote_write;

/* The config as it is now. */
struct receive_config receiver_config(struct receiver *r);

/* A buffer to unpack into; give it back. */
struct buf receiver_buffer(struct receiver *r, size_t max);
void receiver_give_buffer(struct receiver *r, struct buf *b);

/* A push was given to the plan: counts it, and what goes nowhere. */
void receiver_given(struct receiver *r, const struct push *push, uint32_t rows);

/* Rows that go nowhere: counted under <reason>, and told of. */
void receiver_dropped(struct receiver *r, struct burst *burst, enum receive_drop reason,
                      uint64_t rows, const char *message);

#endif
