/*
 * token_server.h - a strict OAuth2 token server with OpenID discovery, and an API that wants its tokens.
 *
 * It knows one client and takes exactly one way of saying so, with every rule of RFC 6749, RFC 7523 and OpenID Connect
 * Discovery that a client has to keep; whoever breaks one gets invalid_client or invalid_request and leaves a
 * complaint. Paths: /.well-known/openid-configuration, /token, /api.
 *
 * Ownership: the test owns the struct; what it wants is borrowed. Threads: change it under <lock> while requests are
 * on their way. Limits: TOKEN_SERVER_IDS_MAX assertions are told apart.
 */
#ifndef TELEX_FAKE_TOKEN_SERVER_H
#define TELEX_FAKE_TOKEN_SERVER_H

#include "base/secret.h"
#include "fake/http_peer.h"

#include <openssl/evp.h>

enum { TOKEN_SERVER_IDS_MAX = 64, TOKEN_SERVER_ID_LEN = 64 };

enum token_server_auth { TOKEN_BASIC, TOKEN_POST, TOKEN_JWT };

struct token_server {
    struct http_peer peer;
    struct lock lock;
    struct buf issuer; /* its URL */
    struct buf token_url;
    /* what it wants */
    enum token_server_auth auth;
    const char *client_id;
    const char *secret;
    EVP_PKEY *key;        /* public half is enough */
    const char *key_id;   /* NULL: none */
    const char *audience; /* of the assertion; NULL: the token URL */
    const char *rest;     /* the form less what says who we are */
    /* what it says of itself; NULL: the truth, and nothing of methods */
    const char *said_issuer;
    const char *said_endpoint;
    const char *said_methods;
    int metadata_status;
    /* what it gives */
    int status;
    const char *type;    /* NULL: none */
    const char *expires; /* as it stands in the JSON, or NULL */
    const char *error;   /* JSON of a refusal */
    unsigned good_from;  /* tokens numbered from here on are good */
    /* what came */
    unsigned discoveries;
    unsigned requests;
    unsigned api_requests;
    char ids[TOKEN_SERVER_IDS_MAX][TOKEN_SERVER_ID_LEN];
    unsigned id_count;
    struct buf complaint;                       /* the first rule that was broken; empty: none */
    void (*on_request)(struct token_server *s); /* before a token request is looked at; or NULL */
};

void token_server_start(struct token_server *s);
void token_server_stop(struct token_server *s);

/* A new key ("RSA" or "EC") as PEM. */
EVP_PKEY *token_server_make_key(const char *kind, struct buf *pem);

#endif
