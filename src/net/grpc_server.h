/*
 * grpc_server.h - a server of gRPC's unary calls over HTTP/2, with and without TLS, over libnghttp2.
 *
 * Methods are a const table of {path, begin, message}: begin sees the head and may answer before a message is
 * read, message has all of it and answers, or holds the exchange and has it answered later from any thread.
 * TLS, credentials, threads and times are those of the HTTP server's config; a Host is not checked, since no
 * page can make a browser send these requests unasked. Messages are counted against the memory budget as they
 * come in.
 *
 * Ownership: config, methods and their arg are borrowed and outlive the server; an exchange belongs to the
 * server and to whoever holds it. Threads: handlers run on the server's threads, concurrently, and do not wait;
 * answer, hold and drop may be called from any. Limits: connections in all, per address, and times as in the config, GRPC_STREAMS_MAX
 * calls at a time on a connection, <message_max> bytes of a message as sent.
 */
#ifndef TELEX_NET_GRPC_SERVER_H
#define TELEX_NET_GRPC_SERVER_H

#include "net/http_server.h"
#include "wire/grpc.h"

struct grpc_exchange;
struct grpc_server;

enum { GRPC_STREAMS_MAX = 64 };

struct grpc_method {
    const char *path; /* "/package.Service/Method" */
    /* The head is there. May answer; then message is not called. NULL: go on. */
    void (*begin)(struct grpc_exchange *x);
    /* All is there; <message> lives during the call. */
    void (*message)(struct grpc_exchange *x, struct str message, bool is_gzip);
    enum http_access access; /* OPEN or CLIENT */
};

struct grpc_server_config {
    struct str listen;
    size_t message_max;                      /* bytes */
    const struct http_server_config *server; /* TLS, credentials, threads, limits */
};

/* Listens and serves at once. */
MUST_USE bool grpc_server_start(const struct env *env, const struct grpc_server_config *config,
                                const struct grpc_method *methods, size_t count, void *arg,
                                struct grpc_server **ret_server, struct err *e);

/* Who may ask is from now on what <config> says: admin token and auth. */
void grpc_server_change_access(struct grpc_server *s, const struct http_server_config *config);

/* The port that it listens on, also where the config said 0. */
uint16_t grpc_server_port(const struct grpc_server *s);

/* Stops accepting, says so (GOAWAY), lets calls finish until <wait> is over, then ends the rest. */
void grpc_server_stop(struct grpc_server *s, struct wait wait);

/* Stops at once if it was not stopped; NULL is fine. */
void grpc_server_free(struct grpc_server *s);

/* What a call is answered. */
struct grpc_reply {
    enum grpc_code code;
    struct str text;    /* why not */
    struct str details; /* google.rpc.Status, encoded; empty: none */
    struct str message; /* the response, with GRPC_OK only */
};

void *grpc_exchange_arg(const struct grpc_exchange *x);

/* Answers, copying <reply>; the first answer wins. Nothing happens when the call is over. */
void grpc_exchange_answer(struct grpc_exchange *x, const struct grpc_reply *reply);

/* Keeps <x> for an answer from elsewhere; each hold is dropped once. NULL is fine. */
struct grpc_exchange *grpc_exchange_hold(struct grpc_exchange *x);
void grpc_exchange_drop(struct grpc_exchange *x);

#endif
