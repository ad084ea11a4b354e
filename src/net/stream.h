/*
 * stream.h - bytes to somebody who does not answer: datagrams and streams, UDP, TCP, TLS and unix sockets.
 *
 * An address is "udp://host:port", "tcp://host:port", "tls://host:port" or "unix:///path" (a datagram
 * socket). On a stream nobody says that bytes were read: the most that can be known is that the other
 * system has them (stream_drain) and that the connection stood (stream_is_alive).
 *
 * Ownership: the caller's until stream_close(). Threads: confined. Limits: every call ends soon
 * after its wait.
 */
#ifndef TELEX_NET_STREAM_H
#define TELEX_NET_STREAM_H

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stdint.h>

enum { STREAM_UDP_MAX = 65507 }; /* bytes of a datagram */

struct http_tls_config;
struct stream;

struct stream_address {
    struct str scheme;
    struct str place; /* "host:port", or a path */
};

/* False when it is none of the four. */
MUST_USE bool stream_address_parse(struct str text, struct stream_address *ret_address,
                                   struct err *e);

/* Are messages whole by themselves, so that they need no frame? */
bool stream_is_datagram(const struct stream_address *a);

MUST_USE bool stream_open(const struct stream_address *address, const struct http_tls_config *tls,
                          struct wait w, struct stream **ret_stream, struct err *e);
void stream_close(struct stream *s); /* NULL is fine */

/* Sends all of it: of a datagram socket one message. False: it cannot be known how much went out, but
 * nothing did when it is ERR_LIMIT: no datagram can be that large, and the stream is as it was. */
MUST_USE bool stream_send(struct stream *s, struct str bytes, struct wait w, struct err *e);

/* Has the other side not ended the connection? Always for datagrams. */
bool stream_is_alive(struct stream *s);

/* Waits until the other system has acknowledged all that was sent; true at once for datagrams. */
MUST_USE bool stream_drain(struct stream *s, struct wait w, struct err *e);

#endif
