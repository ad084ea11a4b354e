/*
 * peer.h - the program that runs with a config, as another command asks it over its API.
 *
 * It is found where `server.listen` of that config says, unless an address is given. Ownership: the peer owns
 * config, client and arena, and is released by peer_release() also when peer_open() failed. Threads: the main
 * thread. Limits: PEER_ANSWER_MAX bytes of an answer, PEER_CALL_MS for a call, PEER_CHANGE_MS for a change.
 */
#ifndef TELEX_CLI_PEER_H
#define TELEX_CLI_PEER_H

#include "base/arena.h"
#include "base/env.h"
#include "cli/place.h"
#include "net/http_client.h"
#include "net/net.h"

enum { PEER_ANSWER_MAX = 4 * 1024 * 1024, PEER_CALL_MS = 10 * 1000, PEER_CHANGE_MS = 60 * 1000 };

struct config;

struct peer {
    struct net net;
    struct place place;
    struct config *config;
    struct metrics *metrics;
    struct env env;
    struct arena arena;
    struct http_client_config http;
    struct http_client *client;
};

/* How it is to be asked. */
struct peer_access {
    const char *config; /* NULL: telex.yaml, if it is there */
    const char *url;    /* NULL: where the config says that it listens */
    bool
        is_without_token; /* nothing secret is sent, and so the server's certificate is not verified */
};

/* Reads the config; asks nothing yet. */
MUST_USE bool peer_open(struct peer *p, const struct peer_access *access, struct err *e);
void peer_release(struct peer *p);

/* GET <path>; <body> is the caller's. Any answer is one, whatever its status. */
MUST_USE bool peer_get(struct peer *p, struct str path, struct buf *body, struct http_response *ret,
                       struct err *e);

/* The same with POST, and <sent> as JSON; empty: without a body. */
MUST_USE bool peer_post(struct peer *p, struct str path, struct str sent, struct buf *body,
                        struct http_response *ret, struct err *e);

/* What the answer says went wrong, as an error; false. */
bool peer_refused(struct peer *p, const struct http_response *res, struct err *e);

#endif
