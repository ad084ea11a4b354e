/*
 * grpc_server_int.h - what the files of the gRPC server share; for src/net and its tests only.
 *
 * grpc_server.c starts, stops and runs the loops; grpc_accept.c lets in; grpc_connection.c moves bytes between a socket, or TLS, and
 * a session; grpc_session.c is HTTP/2 without I/O; grpc_exchange.c is one call. Ownership: the server owns
 * loops, a loop its connections, a session its exchanges; who holds an exchange keeps the server's memory.
 * Threads: a loop's connections and sessions are its thread's; fields that others touch say so. Limits: as
 * grpc_server.h.
 */
#ifndef TELEX_NET_GRPC_SERVER_INT_H
#define TELEX_NET_GRPC_SERVER_INT_H

#include "base/map.h"
#include "base/metrics.h"
#include "net/grpc_server.h"

#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>
#include <stdatomic.h>

enum { GRPC_PATH_MAX = 256, GRPC_READ_BYTES = 64 * 1024 };

/* Why a connection was closed at once. */
enum grpc_refusal {
    GRPC_REFUSED_ALL,
    GRPC_REFUSED_ADDRESS,
    GRPC_REFUSED_DESCRIPTORS,
    GRPC_REFUSALS
};

/* Of a peer, in IPv6. */
struct grpc_address {
    unsigned char bytes[16];
};

struct grpc_loop {
    struct grpc_server *server;
    struct thread thread;
    int epoll_fd;
    int wake_fd;
    bool is_listening;
    int64_t resumes_ns; /* when it accepts again; 0: it does */
    int64_t ticked_ns;
    struct grpc_connection *connections;
    char *read_buffer;
    struct lock lock;
    struct grpc_exchange *answered GUARDED_BY(lock); /* each with a reference */
    bool over GUARDED_BY(lock);                      /* nothing is answered any more */
};

struct grpc_server {
    const struct env *env;
    struct grpc_server_config config;
    _Atomic(const struct http_server_config *) access;
    const struct grpc_method *methods;
    size_t method_count;
    void *arg;
    struct trace trace;
    gnutls_certificate_credentials_t credentials; /* NULL: no TLS */
    gnutls_priority_t priorities;
    int listen_fd;
    uint16_t port;
    bool stopped;
    _Atomic unsigned refs;
    _Atomic bool draining;
    _Atomic bool aborting;
    _Atomic int64_t connection_count;
    struct lock lock;
    struct cond idle;
    size_t in_flight GUARDED_BY(lock);
    struct map peers GUARDED_BY(lock); /* by address, those that have connections */
    int spare_fd GUARDED_BY(lock);     /* to accept with when no other is left; -1: not now */
    struct grpc_loop *loops;
    size_t loop_count;
    struct metric *connections;
    struct metric *answers[GRPC_CODES];
    struct metric *refused[GRPC_REFUSALS];
};

/* HTTP/2 with one peer, without I/O. */
struct grpc_session {
    struct grpc_loop *loop;
    nghttp2_session *http2;
    struct grpc_exchange *exchanges;
    size_t count;
    int64_t active_ns; /* when it last had a call */
    bool is_verified;  /* the peer showed a certificate of the configured authority */
    bool is_stuck;     /* an answer is not read */
    struct str remote; /* the peer, for logs */
};

enum grpc_coding { GRPC_CODING_NONE, GRPC_CODING_GZIP, GRPC_CODING_OTHER };

struct grpc_exchange {
    struct grpc_server *server;
    struct grpc_loop *loop;
    struct grpc_session *session; /* NULL: over; of the loop's thread */
    struct grpc_exchange *prev;
    struct grpc_exchange *next;
    int32_t stream_id;
    _Atomic unsigned refs;
    int64_t deadline_ns; /* for its message, then for its answer to be read */
    /* the head */
    char path[GRPC_PATH_MAX];
    size_t path_len;
    bool is_post;
    bool is_grpc;
    enum grpc_coding coding;
    struct buf authorization;
    const struct grpc_method *method; /* NULL until it was admitted */
    /* the message */
    char prefix[GRPC_PREFIX_BYTES];
    size_t prefix_len;
    struct buf body;
    int64_t taken_bytes; /* from the budget */
    bool discards;       /* what still comes is thrown away */
    bool has_ended;      /* the request is all there */
    size_t drained;      /* bytes thrown away */
    /* the answer */
    bool answered; /* under the loop's lock, as is what it says until the loop takes it */
    struct grpc_exchange *next_answered;
    enum grpc_code code;
    struct buf text;
    struct buf details;
    struct buf reply; /* with its prefix */
    size_t sent;      /* of <reply> */
    bool is_sent;     /* all of the answer */
};

/* ---- the server ---- */

/* Makes <s>, zeroed, one that has no loops and listens nowhere. */
void grpc_server_prepare(struct grpc_server *s, const struct env *env,
                         const struct grpc_server_config *config, const struct grpc_method *methods,
                         size_t count, void *arg);

struct grpc_server *grpc_server_ref(struct grpc_server *s);
void grpc_server_unref(struct grpc_server *s);

/* One call more or less is under way. */
void grpc_server_began(struct grpc_server *s);
void grpc_server_ended(struct grpc_server *s);

/* ---- accepting ---- */

void grpc_accept_prepare(struct grpc_server *s);
void grpc_accept_release(struct grpc_server *s);

/* Lets in who waits, or turns them away. */
void grpc_accept(struct grpc_loop *loop);

/* Accepts again when the time for it has come. */
void grpc_accept_resume(struct grpc_loop *loop, int64_t now_ns);

/* A connection of <address> is gone. */
void grpc_peer_left(struct grpc_server *s, const struct grpc_address *address);

/* ---- sessions ---- */

MUST_USE bool grpc_session_init(struct grpc_session *s, struct grpc_loop *loop, struct err *e);
void grpc_session_release(struct grpc_session *s);

/* Bytes of the peer; false when the connection is to be closed. */
MUST_USE bool grpc_session_receive(struct grpc_session *s, struct str bytes);

/* Bytes for the peer, valid until the next call; empty: none now. False as above. */
MUST_USE bool grpc_session_send(struct grpc_session *s, struct str *ret_bytes);

/* Is there nothing more to come or to go? */
bool grpc_session_is_done(const struct grpc_session *s);

/* Says that no more calls are taken. */
void grpc_session_drain(struct grpc_session *s);

/* Ends what is overdue; false when the connection is to be closed for it. */
MUST_USE bool grpc_session_tick(struct grpc_session *s, int64_t now_ns);

/* ---- exchanges ---- */

struct grpc_exchange *grpc_exchange_new(struct grpc_session *s, int32_t stream_id);
void grpc_exchange_header(struct grpc_exchange *x, struct str name, struct str value);
void grpc_exchange_head(struct grpc_exchange *x);
void grpc_exchange_data(struct grpc_exchange *x, struct str bytes);
void grpc_exchange_end(struct grpc_exchange *x);

/* Its stream is closed. */
void grpc_exchange_over(struct grpc_exchange *x);

/* Refuses it: an answer, after which what still comes is thrown away. */
void grpc_exchange_refuse(struct grpc_exchange *x, enum grpc_code code, const char *why);

/* Gives the answers that were made meanwhile to their sessions. */
void grpc_exchanges_submit(struct grpc_loop *loop);

/* ---- connections ---- */

struct grpc_connection {
    struct grpc_connection *prev;
    struct grpc_connection *next;
    struct grpc_session session;
    gnutls_session_t tls; /* NULL: none */
    bool is_shaking_hands;
    bool is_dead;
    int fd;
    uint32_t watched;   /* events of epoll */
    struct str pending; /* to be written */
    struct grpc_address address;
    char remote[64];
};

/* A connection for <fd>, which it takes over, watched by the loop. */
void grpc_connection_open(struct grpc_loop *loop, int fd, const struct grpc_address *address,
                          const char *remote);
void grpc_connection_close(struct grpc_connection *c);

/* Reads and writes what can be. */
void grpc_connection_serve(struct grpc_connection *c);
void grpc_connection_flush(struct grpc_connection *c);

#endif
