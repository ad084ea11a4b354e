/*
 * oauth2_int.h - what the files of the token source share; for src/net only.
 *
 * oauth2.c keeps the token and lets one caller at a time ask; oauth2_ask.c asks: it finds the token
 * server, says who we are in one of three ways, and reads the answer; oauth2_assertion.c signs;
 * oauth2_answer.c reads what comes back; oauth2_meter.c counts.
 *
 * Ownership: the token source owns its asker and its meter. Threads: an asker is used by whoever
 * fetches, one at a time. Limits: as oauth2.h.
 */
#ifndef TELEX_NET_OAUTH2_INT_H
#define TELEX_NET_OAUTH2_INT_H

#include "net/oauth2.h"

struct metric;

/* What came of a token request; the reasons are labels of a metric. */
enum oauth2_result {
    OAUTH2_GOT,
    OAUTH2_UNREACHABLE, /* no connection, no answer, not HTTP */
    OAUTH2_UNTRUSTED,   /* TLS: its certificate or ours */
    OAUTH2_TIMEOUT,     /* of ours, or given up by who asked */
    OAUTH2_BUSY,        /* 408, 429, 5xx */
    OAUTH2_DISCOVERY,   /* the issuer's metadata are not there or not as they should be */
    OAUTH2_NOT_CLIENT,  /* invalid_client: secret or key */
    OAUTH2_REFUSED,     /* any other refusal: scope, grant, audience */
    OAUTH2_MALFORMED,   /* 200, but no token that we can use */
    OAUTH2_OURS,        /* the request could not be made: the key cannot be used */
    OAUTH2_RESULTS
};

struct oauth2_trouble {
    enum http_failure failure;
    enum oauth2_result result;
};

/* --- asking --- */

struct oauth2_asker {
    const struct env *env;
    const struct http_oauth2_config *config;
    struct http_client_config http; /* of the token server */
    struct http_client *client;
    struct secret *own_secret;    /* of client_secret_file */
    struct secret *credential;    /* secret or key, what we are known by; NULL: nothing */
    struct buf endpoint;          /* the token URL; of an issuer, empty until it was discovered */
    enum http_oauth2_style style; /* never AUTO behind the first discovery */
};

/* One answer, with what its texts live in. */
struct oauth2_reply {
    struct buf body;
    struct arena arena;
    struct oauth2_answer answer;
};

MUST_USE bool oauth2_asker_init(struct oauth2_asker *a, const struct env *env,
                                const struct http_client_config *config, struct err *e);
void oauth2_asker_release(struct oauth2_asker *a);

void oauth2_reply_init(struct oauth2_reply *r);
void oauth2_reply_release(struct oauth2_reply *r);

/* Asks for a token. When the server says invalid_client and the file with the secret or key has changed
 * meanwhile, asks once more. */
MUST_USE bool oauth2_ask(struct oauth2_asker *a, struct wait wait, struct oauth2_reply *ret_reply,
                         struct oauth2_trouble *ret_trouble, struct err *e);

/* --- signing --- */

struct oauth2_claims {
    struct str client_id;
    struct str audience;
    struct str key_id; /* empty: none */
    int64_t now_s;     /* since 1970 */
};

/* Is <pem> a key that we can sign with: RSA of 2048 bits or more, or EC P-256? */
MUST_USE bool oauth2_key_check(struct str pem, struct err *e);

/* Appends a signed JWT (RFC 7523): RS256 or ES256, whichever the key is for. */
MUST_USE bool oauth2_add_assertion(struct str pem, const struct oauth2_claims *claims,
                                   struct buf *out, struct err *e);

/* --- counting --- */

struct oauth2_meter {
    struct metric *results[OAUTH2_RESULTS];
    struct metric *age;
};

/* <read>(arg) gives the token's age in seconds. Nothing is counted where env has no metrics. */
void oauth2_meter_init(struct oauth2_meter *m, const struct env *env,
                       const struct http_oauth2_config *config, double (*read)(void *arg),
                       void *arg);
void oauth2_meter_release(struct oauth2_meter *m);
void oauth2_meter_count(struct oauth2_meter *m, enum oauth2_result result);

#endif
