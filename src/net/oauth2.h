/*
 * oauth2.h - tokens by the OAuth2 client credentials grant (RFC 6749 section 4.4).
 *
 * The token server is known by its URL, or by an OpenID issuer that says where it is; we are known there by a
 * secret, in a header or a form, or by a key that signs. A token is fetched when the first call needs it, kept, and renewed before it expires; however
 * many calls want one, one request is on its way (the others wait, or go on with the old token while
 * it is still good). A token without expires_in is kept until a server answers 401 to it.
 *
 * Ownership: the config is borrowed; a token is copied out. Threads: any. Limits: OAUTH2_ANSWER_MAX
 * bytes of answer; the token server's timeouts are the client's.
 */
#ifndef TELEX_NET_OAUTH2_H
#define TELEX_NET_OAUTH2_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"
#include "net/http_client.h"

#include <stdbool.h>
#include <stdint.h>

enum { OAUTH2_ANSWER_MAX = 256 * 1024 };

struct oauth2;

/* <config> is the config of the client that needs tokens; its oauth2 section and proxy are used. */
MUST_USE bool oauth2_new(const struct env *env, const struct http_client_config *config,
                         struct oauth2 **ret_source, struct err *e);
void oauth2_free(struct oauth2 *o);
DEFINE_AUTOFREE(oauth2)

/*
 * Appends a token to <out>. *ret_generation names it, for oauth2_refused(). On failure *ret_failure
 * is how the token request failed, HTTP_FAILURE_AUTH when the server refused us.
 */
MUST_USE bool oauth2_token(struct oauth2 *o, struct wait wait, struct buf *out,
                           uint64_t *ret_generation, enum http_failure *ret_failure, struct err *e);

/* When the token in use was issued, on the monotonic clock; 0 without one. */
int64_t oauth2_issued_ns(struct oauth2 *o);

/* How long the token of <generation> will be used yet; DEADLINE_NEVER when nobody said, 0 when it is not the one in use. */
int64_t oauth2_left_ns(struct oauth2 *o, uint64_t generation);

/* A server answered 401 to the token of <generation>: it is forgotten, if it is still the current
 * one. */
void oauth2_refused(struct oauth2 *o, uint64_t generation);

/* What a token server's answer says; texts live in the answer or the arena. */
struct oauth2_answer {
    struct str token;
    struct str type;       /* "Bearer"; empty: not said */
    int64_t expires_in_ns; /* -1: not said */
    struct str code;       /* "invalid_client" */
    struct str error;      /* the same with its description */
};

/* Reads the JSON of an answer; false when it is not a JSON object. Parts that are missing are
 * empty. */
MUST_USE bool oauth2_parse_answer(struct str json, struct arena *a,
                                  struct oauth2_answer *ret_answer);

/* What an OpenID provider says of itself (OpenID Connect Discovery section 3). */
struct oauth2_metadata {
    struct str issuer;
    struct str token_endpoint;
    struct str
        methods; /* token_endpoint_auth_methods_supported, as it is written; empty: not said */
    bool takes_basic;
    bool takes_post;
    bool takes_jwt;
};

/*
 * Reads it and checks that it is of <issuer>, and that its token endpoint is a URL no less safe than that;
 * what is said of the ways to log in may be missing, and then it is basic. An error says what is wrong.
 */
MUST_USE bool oauth2_parse_metadata(struct str json, struct str issuer, struct arena *a,
                                    struct oauth2_metadata *ret_metadata, struct err *e);

#endif
