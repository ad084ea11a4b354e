/*
 * http_client_int.h - what the files of the HTTP client share; for src/net only.
 *
 * http_client.c keeps the pool and runs a call; http_transfer.c carries one request over one pair;
 * http_credentials.c knows who we are; oauth2.c fetches tokens. Ownership: a client owns its pairs,
 * credentials and token source; a transfer lives on the stack of one call. Threads: pairs and
 * transfers are confined to the call that holds them. Limits: as http_client.h.
 */
#ifndef TELEX_NET_HTTP_CLIENT_INT_H
#define TELEX_NET_HTTP_CLIENT_INT_H

#include "net/http_client.h"
#include "net/oauth2.h"
#include "net/url.h"

#include <curl/curl.h>

/* --- credentials --- */

struct http_credentials {
    struct str username;
    struct secret *password; /* borrowed from the config, or own_secret */
    struct secret *bearer;   /* likewise */
    struct str bearer_scheme;
    struct secret *api_key; /* borrowed */
    struct str api_key_header;
    struct secret *own_secret; /* from a *_file option */
};

/* Checks that at most one thing claims the Authorization header; opens the files. */
MUST_USE bool http_credentials_init(struct http_credentials *c,
                                    const struct http_client_config *config, struct err *e);
void http_credentials_release(struct http_credentials *c);

/* Empties a buffer that held a secret and leaves no trace of it. */
void buf_wipe(struct buf *b);

/* Header lines for libcurl, built without copies that stay in memory. */
struct header_lines {
    struct curl_slist *list;
    struct buf scratch;
};

void header_lines_init(struct header_lines *h);

/* Clears the bytes before they are freed. */
void header_lines_release(struct header_lines *h);

/* Adds a header; refuses names and values that would not be one line. */
MUST_USE bool header_lines_add(struct header_lines *h, struct str name, struct str value,
                               struct err *e);

/* Keeps libcurl from sending a header of its own accord. */
void header_lines_suppress(struct header_lines *h, const char *name);

/* Adds Authorization and the key header from what the secrets hold now. */
MUST_USE bool http_credentials_add(const struct http_credentials *c, struct header_lines *h,
                                   struct err *e);

/* Opens <file> into *ret_secret when it is set; refuses it beside <literal>. */
MUST_USE bool secret_open(struct secret *literal, struct str file, const char *option,
                          struct secret **ret_secret, struct err *e);

/* --- the client --- */

/* A transfer's machinery, with the connections that it keeps alive. */
struct http_pair {
    struct http_pair *older;
    struct http_pair *newer;
    CURLM *multi;
    CURL *easy;
    int64_t used_ns; /* when it was put back */
};

struct http_client {
    const struct env *env;
    const struct http_client_config *config;
    struct url url; /* of config->url */
    struct http_credentials credentials;
    struct oauth2 *oauth2;      /* or NULL */
    struct oauth2_pool *tokens; /* whose it is; NULL: ours */
    struct metric *unverified;  /* or NULL */
    struct lock lock;
    struct http_pair *newest GUARDED_BY(&lock);
    struct http_pair *oldest GUARDED_BY(&lock);
    size_t idle_count GUARDED_BY(&lock);
};

/* --- one transfer --- */

struct transfer {
    struct http_client *client;
    const struct http_request *request;
    struct http_response *response;
    struct http_pair *pair;
    struct wait wait;
    struct header_lines headers;
    struct buf url;
    struct curl_slist *connect_list; /* or NULL */
    size_t part;                     /* where in the body the next byte to send is */
    size_t part_offset;
    uint64_t received_bytes; /* of the body, decompressed */
    const char *refused;     /* why a callback ended the transfer, or NULL */
    bool may_be_sent;        /* a connection was there and sending began */
    char message[CURL_ERROR_SIZE];
};

#define SET(easy, option, value) INVARIANT(curl_easy_setopt((easy), (option), (value)) == CURLE_OK)

/* Makes the handles of a pair and gives them the settings that all transfers share. */
MUST_USE bool transfer_prepare_pair(const struct http_client *c, struct http_pair *pair,
                                    struct err *e);
void transfer_set_callbacks(CURL *easy);

/* The request's own settings. */
MUST_USE bool transfer_build_headers(struct transfer *t, struct str token, struct err *e);
MUST_USE bool transfer_build_url(struct transfer *t, struct err *e);
void transfer_configure(struct transfer *t, int64_t left_ns);

/* Sends the request on t->pair and receives the answer, with <token> as bearer when not empty. */
MUST_USE bool transfer_run(struct transfer *t, struct str token, struct err *e);

/* Sets failure and error together. Always false. */
bool transfer_fail(struct transfer *t, enum http_failure failure, const char *what, struct err *e);

#endif
