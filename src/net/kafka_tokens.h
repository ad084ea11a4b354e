/*
 * kafka_tokens.h - tokens of an OAuth2 server for logins at Kafka's brokers (SASL OAUTHBEARER).
 *
 * The tokens are those of oauth2.h, by the same options. What is kept beside them is how it went, for who must know
 * whether a refusal ends by itself: a token server that is away comes back, and a token that brokers do not take any
 * more is asked for anew, once, as after a 401 over HTTP. If that is refused too, a person is needed. Several brokers that
 * refuse the same token are one refusal.
 *
 * Ownership: the config is borrowed; tokens outlive the producers and consumers that log in with them. Threads: any.
 * Limits: as oauth2.h.
 */
#ifndef TELEX_NET_KAFKA_TOKENS_H
#define TELEX_NET_KAFKA_TOKENS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/thread.h"
#include "net/kafka_options.h"

#include <stdbool.h>
#include <stdint.h>

struct env;
struct kafka_tokens;

/* *ret_tokens is NULL where <config> logs in without tokens. Talks to nobody. */
MUST_USE bool kafka_tokens_new(const struct env *env, const struct kafka_config *config,
                               struct kafka_tokens **ret_tokens, struct err *e);
void kafka_tokens_free(struct kafka_tokens *t); /* NULL is fine */

/* Appends a token to <out>; *ret_end_ms is when it ends, in milliseconds since 1970. */
MUST_USE bool kafka_tokens_get(struct kafka_tokens *t, struct wait wait, struct buf *out,
                               int64_t *ret_end_ms, struct err *e);

/* A broker took the last one. */
void kafka_tokens_worked(struct kafka_tokens *t);

/* There was none, or a broker refused it. True when trying again is worthwhile: with a new one, which *ret_anew says, or
 * once the token server is there again. */
bool kafka_tokens_refused(struct kafka_tokens *t, bool *ret_anew);

/* Was the last token refused, and none after it yet? What brokers say of another one is not known then. */
bool kafka_tokens_wants_another(struct kafka_tokens *t);

#endif
