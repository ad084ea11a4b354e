/*
 * http_kit.h - what every test of HTTP sets up: libraries, an env, a client with short limits.
 *
 * Ownership: the test owns the struct; http_kit_stop() gives all back. Threads: confined. Limits:
 * none.
 */
#ifndef TELEX_FAKE_HTTP_KIT_H
#define TELEX_FAKE_HTTP_KIT_H

#include "base/budget.h"
#include "base/env.h"
#include "net/http_client.h"
#include "net/net.h"
#include "net/url.h"

struct http_kit {
    struct net net;
    struct env env;
    struct budget budget;
    struct http_client_config config; /* change it before http_kit_client() */
    struct buf url;
    struct http_client *client;
    struct buf body;
    struct http_response response;
    struct err err;
    struct cancel *cancel;
};

/* A config for http://127.0.0.1:<port> with 5 s of patience. */
void http_kit_start(struct http_kit *k, uint16_t port);
void http_kit_stop(struct http_kit *k);

/* (Re)makes the client from k->config. */
void http_kit_client(struct http_kit *k);

/* One call with k->cancel; the response is k->response, its body k->body. */
bool http_kit_call(struct http_kit *k, const struct http_request *request);

/* The same for a bare GET of <path>. */
bool http_kit_get(struct http_kit *k, const char *path);

#endif
