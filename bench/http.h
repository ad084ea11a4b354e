/*
 * The small HTTP/1.1 server side of the benchmark's peer: one blocking connection, requests with
 * Content-Length, keep-alive. It shares no code with what it measures.
 *
 * Ownership: a conn owns its socket and its buffer; a request borrows from that buffer and is good
 * until the next http_next() on the same connection.
 *
 * Threads: a conn belongs to the one thread that serves it.
 *
 * Limits: head 64 KiB, body 64 MiB; no chunked requests (411), no pipelining beyond what fits.
 */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

struct span {
    const char *ptr;
    size_t len;
};

struct conn {
    int fd;
    char *buf;
    size_t len;  /* bytes read so far */
    size_t cap;  /* bytes allocated */
    size_t used; /* bytes of the request answered last, dropped by the next http_next() */
};

struct request {
    struct span method;
    struct span path;
    struct span args; /* what follows '?', without it */
    struct span head; /* the header lines */
    struct span body;
};

/* Takes over the socket. */
void conn_init(struct conn *c, int fd);
/* Closes the socket and frees the buffer. */
void conn_release(struct conn *c);

/* Reads the next request. False when the peer has gone or sent what we do not speak. */
bool http_next(struct conn *c, struct request *ret_request);
/* Answers with a body in parts (at most 8); false when the peer has gone. */
bool http_reply_parts(struct conn *c, int status, const struct iovec *parts, int count);
/* Answers with a short JSON text; false when the peer has gone. */
bool http_reply(struct conn *c, int status, const char *json);

/* A header's value, by lower-case name; empty when absent. */
struct span http_header(const struct request *r, const char *lower_name);
/* True when the span holds exactly this text. */
bool span_is(struct span s, const char *text);
/* An argument's decoded value into ret_value (cut at cap - 1); false when absent. */
bool span_arg(struct span args, const char *name, char *ret_value, size_t cap);
/* An argument looked up in the URL, then in a form body. */
bool http_arg(const struct request *r, const char *name, char *ret_value, size_t cap);

#endif
