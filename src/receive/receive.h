/*
 * receive.h - what others push to us, over HTTP: remote write on POST /api/v1/write, alerts on POST
 * /api/v2/alerts and POST /webhook, profiles on POST /api/v1/profile, OTLP on POST /v1/metrics and /v1/traces,
 * events on POST /api/v1/events.
 *
 * A push is answered 2xx only when it is HELD by every output that its routes chose; what is wrong
 * with it is said at once (400, 413, 415), and when there is no room the sender is told to come back
 * (503 with Retry-After), so that nothing taken can turn out to be unreadable later. A body that
 * nobody must change goes on as it came: it is unpacked and gone through once, and no more.
 *
 * Ownership: the receiver borrows env and copies the config; the server calls
 * its routes and ends before it. Threads: start, attach, change and stop on the main thread; pushes
 * come on the HTTP server's threads, which only wait for a lock, and are answered by one thread of
 * the receiver's own. Limits: <max_body> as sent and <max_decoded> unpacked per push, both taken
 * from the process's memory budget first.
 */
#ifndef TELEX_RECEIVE_RECEIVE_H
#define TELEX_RECEIVE_RECEIVE_H

#include "base/env.h"
#include "base/err.h"
#include "base/options.h"
#include "net/http_server.h"

struct alert_states;
struct event_table;
struct history;
struct plan;
struct receiver;

/* OTLP over gRPC, on an address of its own. */
struct receive_grpc_config {
    struct str listen; /* empty: not taken */
};

/* StatsD over UDP and a Unix socket. */
struct receive_statsd_config {
    struct str listen;      /* empty: no UDP */
    struct str socket_path; /* empty: no Unix socket */
    int64_t flush_interval_ns;
    int64_t expiry_ns;
    int64_t max_series;
};

struct receive_config {
    bool remote_write;
    bool alerts;
    bool profiles;
    bool otlp;
    bool events;
    struct str events_type;   /* of what is no CloudEvent */
    struct str events_source; /* the same */
    struct receive_grpc_config otlp_grpc;
    struct receive_statsd_config statsd;
    int64_t max_alerts;
    int64_t max_body_bytes;
    int64_t max_decoded_bytes;
};

extern const struct option_table receive_options;

/* Pushes are answered 503 until receiver_attach(). Fails when there is no thread to be had. */
MUST_USE bool receiver_start(const struct env *env, const struct receive_config *config,
                             struct receiver **ret_receiver, struct err *e);

/* What a receiver works with; all of it outlives the receiver. */
struct receive_parts {
    struct plan *plan;           /* what comes is given to it */
    struct alert_states *states; /* what is known of alerts */
    struct history *history;     /* that keeps changes of alerts; or NULL */
    struct event_table *events;  /* that events are appended to; or NULL */
};

/* Pushes are taken from now on. */
void receiver_attach(struct receiver *r, const struct receive_parts *parts);

/* The table that events go to; NULL: there is none. It outlives the receiver. */
void receiver_use_events(struct receiver *r, struct event_table *table);

/* Another config: takes effect with the next push, but for a max_body that is larger than the first. */
void receiver_change(struct receiver *r, const struct receive_config *config);

/* The routes, for the HTTP server; they live as long as the receiver. */
struct http_routes receiver_routes(const struct receiver *r);

/* Lets go of pushes that still wait, unanswered; the HTTP server has stopped. NULL is fine. */
void receiver_free(struct receiver *r);

#endif
