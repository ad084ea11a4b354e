/*
 * receiver.h - an HTTP destination that answers by script and keeps what it was sent.
 *
 * Answers are used in the order they were given, one per request, whatever the connection; when none
 * is left the answer is 204. Ownership: the test owns the struct; receiver_stop() ends all threads and
 * frees what was kept. Threads: any. Limits: RECEIVER_MAX answers and kept requests; more requests
 * are answered and counted, not kept.
 */
#ifndef TELEX_FAKE_RECEIVER_H
#define TELEX_FAKE_RECEIVER_H

#include "base/thread.h"
#include "fake/http_peer.h"

enum { RECEIVER_MAX = 64 };

/* In place of a status: cut the connection, or say nothing until the client goes. */
enum { RECEIVER_RESETS = 0, RECEIVER_HANGS = -1 };

struct receiver_answer {
    int status;
    const char *headers; /* each ending in CRLF; or NULL */
    const char *body;    /* or NULL */
};

struct receiver_request {
    struct buf head;
    struct buf body;
};

struct receiver {
    struct http_peer peer;
    struct lock lock;
    struct receiver_answer answers[RECEIVER_MAX] GUARDED_BY(lock);
    unsigned answer_count GUARDED_BY(lock);
    unsigned answers_used GUARDED_BY(lock);
    const char *refused GUARDED_BY(lock);
    struct receiver_request requests[RECEIVER_MAX] GUARDED_BY(lock);
    unsigned request_count GUARDED_BY(lock);
};

void receiver_listen(struct receiver *r);
void receiver_stop(struct receiver *r);

/* The next answer not yet planned. */
void receiver_plan(struct receiver *r, int status, const char *headers, const char *body);

/* A request whose body holds <text> is answered 400 from now on, whatever was planned. */
void receiver_fail_with(struct receiver *r, const char *text);

/* Requests so far. */
unsigned receiver_count(struct receiver *r);

/* Waits until there were <count> requests; false after HTTP_PEER_PATIENCE_MS. */
bool receiver_wait(struct receiver *r, unsigned count);

/* Appends head or body of request <i>. */
void receiver_head(struct receiver *r, unsigned i, struct buf *out);
void receiver_body(struct receiver *r, unsigned i, struct buf *out);

#endif
