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
#include "receive/alert_states.h"
#include "receive/known_families.h"
#include "receive/receive.h"
#include "receive/receive_metrics.h"
#include "state/history.h"

#include <stdatomic.h>

enum {
    RECEIVE_ACCEPTED = 202,
    RECEIVE_BAD_REQUEST = 400,
    RECEIVE_NOT_FOUND = 404,
    RECEIVE_GONE = 410,
    RECEIVE_TOO_LARGE = 413,
    RECEIVE_UNSUPPORTED = 415,
    RECEIVE_UNAVAILABLE = 503
};
enum { RECEIVE_START_S = 1, RECEIVE_MEMORY_S = 1, RECEIVE_FULL_S = 1, RECEIVE_NOBODY_S = 30 };
enum { RECEIVE_BUFFERS = 8, RECEIVE_BUFFER_KEPT = 4 << 20, RECEIVE_ROUTES = 9 };

/* Tells of a loss once a minute at most, with what came together since. */
struct burst {
    int64_t told_mono_ns GUARDED_BY(lock);
    uint64_t rows GUARDED_BY(lock);
    struct lock lock;
};

struct receiver {
    const struct env *env;
    struct trace trace;
    _Atomic(struct plan *) plan;          /* NULL: starting */
    struct alert_states *states;          /* set before <plan>, as is <history> */
    struct history *history;              /* or NULL */
    _Atomic(struct event_table *) events; /* NULL: there is none yet */
    _Atomic int alert_pushes;             /* under way */
    struct http_route routes[RECEIVE_ROUTES];
    struct receive_metrics metrics;
    struct acker *acker;
    struct burst unrouted;
    struct burst sampleless;
    struct burst left_out;
    struct burst unknown_names;
    struct burst unremembered;
    struct known_families known; /* what remote write 1.0 said of metrics apart from samples */
    struct lock lock;
    struct cond events_answered;
    size_t events_waiting GUARDED_BY(lock);        /* pushes that the table has */
    struct receive_config config GUARDED_BY(lock); /* a copy: the one given goes with a reload */
    struct buf buffers[RECEIVE_BUFFERS] GUARDED_BY(lock); /* to unpack into */
    size_t buffer_count GUARDED_BY(lock);
};

extern const struct http_handler receive_remote_write;
extern const struct http_handler receive_webhook;
extern const struct http_handler receive_alerts_v2;
extern const struct http_handler receive_alerts_v1;
extern const struct http_handler receive_profiles;
extern const struct http_handler receive_otlp_metrics;
extern const struct http_handler receive_otlp_traces;
extern const struct http_handler receive_events;
extern const struct http_handler receive_events_consent;

/* Waits until the table of events has told of all that it was given. */
void receiver_wait_events(struct receiver *r);

/* The receiver of an exchange. */
struct receiver *receiver_of(struct http_exchange *x);

/* Refuse a push: for what it is, or for now. */
void receiver_refuse(struct http_exchange *x, int status, const char *type, const struct err *e);
void receiver_refuse_busy(struct http_exchange *x, int64_t retry_after_s, const char *why);

/* Can records of <kind> be given now? Refuses the push where not. */
MUST_USE bool receiver_admits(struct http_exchange *x, enum record_kind kind, const char *nobody);

/* The value of a header before its parameters; and is it one of <names>, or nothing? */
struct str header_value(struct str header);
MUST_USE bool header_is_one_of(struct str value, const char *const *names);

/* The config as it is now. */
struct receive_config receiver_config(struct receiver *r);

/* A buffer to unpack into; give it back. */
struct buf receiver_buffer(struct receiver *r, size_t max);
void receiver_give_buffer(struct receiver *r, struct buf *b);

/* A push was given to the plan: counts it, and what goes nowhere. */
void receiver_given(struct receiver *r, const struct push *push, uint32_t rows);

/* Tells of <rows> records, once a minute at most. */
void receiver_told(struct receiver *r, struct burst *burst, uint64_t rows, const char *message);

/* Rows that go nowhere: counted under <reason>, and told of. */
void receiver_dropped(struct receiver *r, struct burst *burst, enum receive_drop reason,
                      uint64_t rows, const char *message);

#endif
