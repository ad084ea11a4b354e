/*
 * oauth2_pool.h - one token for all clients that ask for the same one.
 *
 * Each lane of an exporter has a client of its own; what they are known by at the token server is one
 * thing. Clients whose OAuth2 settings and ways to the token server are equal share a token source: one
 * request for all, at first use and at each renewal, and one behind a 401.
 *
 * Ownership: the pool owns its sources, which borrow the settings of the client that came first: settings of
 * all clients of a pool outlive it. Threads: any. Limits: none; a source goes with its last client.
 */
#ifndef TELEX_NET_OAUTH2_POOL_H
#define TELEX_NET_OAUTH2_POOL_H

#include "net/oauth2.h"

struct oauth2_pool;

struct oauth2_pool *oauth2_pool_new(const struct env *env);

/* All sources were put back. NULL is fine. */
void oauth2_pool_free(struct oauth2_pool *p);

/* The source for what <config> says, for oauth2_pool_put(). */
MUST_USE bool oauth2_pool_get(struct oauth2_pool *p, const struct http_client_config *config,
                              struct oauth2 **ret_source, struct err *e);
void oauth2_pool_put(struct oauth2_pool *p, struct oauth2 *source); /* NULL is fine */

#endif
