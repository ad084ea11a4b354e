/*
 * http_peer.h - a server of raw sockets that says exactly what a test tells it to, and a raw client.
 *
 * A peer listens on a loopback port of its own and serves each connection on a thread with the
 * test's function, which reads requests and writes any bytes it likes, or breaks things. The raw
 * client half is for tests of our server.
 *
 * Ownership: the test owns the struct; http_peer_stop() ends all threads. Threads: serve functions
 * run concurrently. Limits: HTTP_PEER_CONNECTIONS_MAX connections per peer; every read waits at most
 * HTTP_PEER_PATIENCE_MS.
 */
#ifndef TELEX_FAKE_HTTP_PEER_H
#define TELEX_FAKE_HTTP_PEER_H

#include "base/buf.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { HTTP_PEER_CONNECTIONS_MAX = 64, HTTP_PEER_PATIENCE_MS = 5000 };

struct http_peer;

struct http_peer_connection {
    struct http_peer *peer;
    struct thread thread;
    unsigned index; /* 0 for the first */
    int fd;
};

struct http_peer {
    uint16_t port;
    void *arg; /* the test's own */
    _Atomic unsigned connections;
    _Atomic unsigned requests; /* read completely by http_peer_read() */
    void (*serve)(struct http_peer *peer, unsigned index, int fd);
    int listen_fd;
    _Atomic bool stopping;
    struct thread acceptor;
    struct http_peer_connection slots[HTTP_PEER_CONNECTIONS_MAX];
};

void http_peer_start(struct http_peer *p,
                     void (*serve)(struct http_peer *peer, unsigned index, int fd), void *arg);
void http_peer_stop(struct http_peer *p);

/* "http://127.0.0.1:<port>". */
struct str http_peer_url(const struct http_peer *p, struct buf *out);

/* A port on which nobody listens. */
uint16_t http_peer_closed_port(void);

/* One request: its head (to the empty line) and its body, by Content-Length. false at the end of
 * the connection. */
bool http_peer_read(struct http_peer *p, int fd, struct buf *head, struct buf *body);

/* The value of a header in a head, in any case; STR_NONE without. */
struct str http_peer_header(const struct buf *head, const char *name);

/* Writes all of it; false when the other side is gone. */
bool http_peer_write(int fd, struct str bytes);
bool http_peer_text(int fd, const char *text);

/* "HTTP/1.1 <status> X", the headers (each ending in CRLF), Content-Length and the body. */
bool http_peer_answer(int fd, int status, const char *headers, struct str body);

/* Closes so that the other side sees a reset. */
void http_peer_reset(int fd);

/* Waits until the other side closes; false when it did not. */
bool http_peer_wait_close(int fd);

void http_peer_pause_ms(int64_t ms);

/* --- a raw client --- */

/* A connection to 127.0.0.1:<port>. */
int raw_connect(uint16_t port);

/* Reads to the end of the connection. */
void raw_read_all(int fd, struct buf *out);

/* Reads one answer, by Content-Length, into <head> and <body>. */
bool raw_read_answer(int fd, struct buf *head, struct buf *body);

/* Sends <text>, reads to the end, closes. */
void raw_exchange(uint16_t port, const char *text, struct buf *out);

#endif
