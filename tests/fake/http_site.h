/*
 * http_site.h - a small site on our server, with a client of ours: handlers that echo, wait, stream,
 * refuse and forget.
 *
 * Paths: /echo /api/rules/{id}/x /files/{rest...} /busy /forgets /hold /stream /events /fails /count
 * /text /long /admin /client. Ownership: the test owns the struct. Threads: handlers run on the
 * server's; the counters are atomic; <held> belongs to who waited for it. Limits: those of <config>,
 * which a test may change before the start.
 */
#ifndef TELEX_FAKE_HTTP_SITE_H
#define TELEX_FAKE_HTTP_SITE_H

#include "base/metrics.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"
#include "net/http_server.h"

struct http_site {
    struct http_kit kit; /* its client goes to the server */
    struct metrics *metrics;
    struct http_server_config config;
    struct http_server *server;
    _Atomic unsigned began;
    _Atomic unsigned gone;
    _Atomic unsigned closed; /* streams */
    struct http_exchange *held;
    _Atomic bool is_held;
};

void http_site_init(struct http_site *f);
bool http_site_try_start(struct http_site *f, struct err *e);
void http_site_release(struct http_site *f);

/* Waits until a handler has left an exchange in <held>, or its stream waits. */
bool http_site_wait_held(struct http_site *f);
bool http_site_wait_count(_Atomic unsigned *count, unsigned want);

/* Waits until no more than <in_flight> exchanges are not over: an answer reaches the client before
 * the exchange is. */
bool http_site_wait_idle(struct http_site *f, size_t in_flight);

/* Sends bytes as they are, with the right Host header at %s, and reads to the end. */
void http_site_exchange(struct http_site *f, const char *request, struct buf *out);

#endif
