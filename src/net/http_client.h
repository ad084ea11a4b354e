/*
 * http_client.h - blocking HTTP requests to one destination, from any number of threads.
 *
 * A client is a policy (where, who we are, how long, how much) and a pool of connections. Each call
 * checks a {multi, easy} pair out of the pool and waits in curl_multi_poll(); a cancel token that
 * fires ends the wait at once. Redirects are never followed. Credentials go only to the origin of
 * the configured URL; a request to another origin is refused when there is one.
 *
 * Ownership: the config is borrowed and outlives the client; request parts are borrowed for the
 * call; the response owns its headers and its share of the budget, the caller owns the body's
 * buffer. Threads: any number may call at once; http_client_free() when none does. Limits: total
 * and connect time, bytes of body (after decompression) and of headers, connections kept and their
 * age: all in the config or below.
 */
#ifndef TELEX_NET_HTTP_CLIENT_H
#define TELEX_NET_HTTP_CLIENT_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/options.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;
struct budget;
struct oauth2_pool;
struct secret;

enum {
    HTTP_IDLE_MAX = 64,                    /* pairs kept for reuse */
    HTTP_RESPONSE_HEADERS_MAX = 32 * 1024, /* bytes */
    HTTP_HEADERS_MAX = 64,                 /* of a request, those of the config not counted */
    HTTP_AUTHORIZATION_MAX = 64 * 1024,    /* bytes of one credential as it goes onto the wire */
};

/* --- what a user may set; http_options.h has the table --- */

struct http_tls_config {
    struct str ca_file;     /* PEM; empty: the system's store */
    struct str cert_file;   /* PEM; read again for each new connection */
    struct str key_file;    /* PEM; empty: in cert_file */
    struct str server_name; /* the name to ask for and to verify; empty: the URL's host */
    bool insecure_skip_verify;
};

/* How we prove who we are to a token server; the choices of `style` stand in this order. */
enum http_oauth2_style {
    OAUTH2_STYLE_AUTO, /* private_key_jwt with a key; else what the issuer takes; else HEADER */
    OAUTH2_STYLE_HEADER,
    OAUTH2_STYLE_BODY,
    OAUTH2_STYLE_BASIC, /* OpenID's names of the two */
    OAUTH2_STYLE_POST,
    OAUTH2_STYLE_JWT,
};

struct http_oauth2_config {
    struct str token_url; /* this and <issuer> empty: no OAuth2 */
    struct str issuer;    /* says itself where its tokens are issued */
    struct str client_id;
    struct secret *client_secret;
    struct str client_secret_file;
    struct secret *private_key;    /* PEM; instead of a secret */
    struct str key_id;             /* how the token server calls that key; may be empty */
    struct str assertion_audience; /* whom the signed assertion is for; empty: the token URL */
    struct option_list scopes;
    struct str audience;               /* whom the token is for; or empty */
    struct option_list resource;       /* the same as URIs (RFC 8707) */
    struct option_map endpoint_params; /* more form fields */
    int style;                         /* enum http_oauth2_style */
    struct http_tls_config tls;        /* of the token server */
};

/* Is there any? */
static inline bool http_oauth2_is_set(const struct http_oauth2_config *c)
{
    return c->token_url.len > 0 || c->issuer.len > 0;
}

/* What `auth.type` may say; the choices stand in this order. */
enum http_auth_type { HTTP_AUTH_NONE, HTTP_AUTH_BASIC, HTTP_AUTH_BEARER, HTTP_AUTH_API_KEY };

/* Requests signed as AWS wants them (Signature Version 4). */
struct http_aws_config {
    struct str region; /* empty: they are not signed */
    struct str service;
    struct str access_key_id;
    struct secret *secret_access_key;
    struct secret *session_token; /* of keys for a time; or NULL */
};

struct http_client_config {
    struct str url; /* empty: every request brings its own */
    int64_t timeout_ns;
    int64_t connect_timeout_ns;
    int64_t idle_timeout_ns; /* a connection unused for this long is not used again */
    int64_t
        max_connection_ns; /* nor is one this old: names are resolved and certificates read anew */
    int64_t max_response_bytes;
    bool http2; /* and nothing else: at once without TLS, agreed upon with it */
    struct option_map headers;
    struct str user_agent;
    struct str username;
    struct secret *password;
    struct str password_file;
    struct secret *bearer_token;
    struct str bearer_token_file;
    struct str bearer_scheme; /* the word before the token; empty: Bearer */
    struct secret *api_key;
    struct str api_key_header;
    int auth_type; /* enum http_auth_type: what the auth section says it is */
    struct str proxy_url;
    struct str proxy_username;
    struct secret *proxy_password;
    struct http_tls_config tls;
    struct http_oauth2_config oauth2;
    struct http_aws_config aws;
};

/* --- requests and responses --- */

struct http_header {
    struct str name;
    struct str value;
};

struct http_request {
    const char *method;                /* NULL: GET */
    struct str path;                   /* extends the configured URL, with query; may be empty */
    struct str url;                    /* used instead of the configured URL, when set */
    const struct http_header *headers; /* win over those of the config */
    size_t header_count;
    const struct str *parts; /* the body, sent as it is, never copied */
    size_t part_count;
    int64_t timeout_ns; /* shorter than the config's, when set */
};

/* Why there is no answer. */
enum http_failure {
    HTTP_FAILURE_NONE,    /* there is one */
    HTTP_FAILURE_CONNECT, /* no connection: name, route, refusal, proxy */
    HTTP_FAILURE_TLS,     /* handshake or verification */
    HTTP_FAILURE_TIMEOUT,
    HTTP_FAILURE_CANCELED,
    HTTP_FAILURE_BROKEN,    /* the connection broke or the peer does not speak HTTP */
    HTTP_FAILURE_TOO_LARGE, /* the answer passed its cap, or the budget has no room */
    HTTP_FAILURE_AUTH,      /* no token to be had: the token server refused us */
    HTTP_FAILURE_REQUEST,   /* the request itself cannot be sent; nothing was tried */
    HTTP_FAILURES
};

struct http_response {
    enum http_failure failure;
    bool request_sent;  /* bytes of the request left: without an answer its fate is unknown */
    int status;         /* 0 without an answer */
    bool token_refused; /* the first answer was 401, and this is the one to a fresh token */
    uint32_t new_connections;
    struct buf *body;   /* the caller's; its max is a cap of its own */
    struct buf headers; /* of the final answer, raw */
    struct budget *budget;
    int64_t taken_bytes; /* from the budget, for the body */
};

/* <body> is emptied by each call; NULL: the body is not kept (but still capped). */
void http_response_init(struct http_response *r, struct buf *body);

/* Gives headers and the body's share of the budget back; the body's bytes are the caller's. */
void http_response_release(struct http_response *r);

/* The value of the first header called <name>, in any case; STR_NONE without. Valid until the next
 * call. */
struct str http_response_header(const struct http_response *r, struct str name);

/* Retry-After of either form as milliseconds from now, 0 without; at most one day. */
int64_t http_response_retry_after_ms(const struct http_response *r, int64_t wall_now_ns);

/* "connect", "timeout", ...: a stable word per failure, for labels of metrics. */
const char *http_failure_name(enum http_failure failure);

/* --- the client --- */

struct http_client;

/*
 * Checks the config (URL, at most one kind of credentials, files that can be read) and makes a
 * client; does not talk to anyone. <env>'s budget may be NULL.
 */
MUST_USE bool http_client_new(const struct env *env, const struct http_client_config *config,
                              struct http_client **ret_client, struct err *e);

/* The same with tokens that are shared with other clients (oauth2_pool.h); NULL: they are its own. */
MUST_USE bool http_client_new_sharing(const struct env *env,
                                      const struct http_client_config *config,
                                      struct oauth2_pool *tokens, struct http_client **ret_client,
                                      struct err *e);
void http_client_free(struct http_client *c);
DEFINE_AUTOFREE(http_client)

/* When its OAuth2 token was issued, on the monotonic clock; 0 without one. */
int64_t http_client_token_issued_ns(struct http_client *c);

/*
 * Sends <req> and waits for the whole answer. true: there is one, whatever its status. false: there
 * is none; ret->failure and ret->request_sent say how far it came, <e> says it for a person. A 401
 * under OAuth2 is answered with one fresh token before it is reported.
 */
MUST_USE bool http_client_call(struct http_client *c, const struct http_request *req,
                               struct wait wait, struct http_response *ret, struct err *e);

#endif
