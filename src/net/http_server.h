/*
 * http_server.h - an HTTP/1.1 server whose handlers never block it, over libmicrohttpd.
 *
 * Routes are const tables of {method, pattern, handler}. A handler is {begin, body, end, gone}:
 * begin sees the head and may answer before a body is read; body gets the bytes as they come and
 * never waits; end answers, or holds the exchange and has it answered later from any thread; gone is
 * told that the exchange is over. Host, Origin and credentials are checked before any of them.
 *
 * Ownership: the config, tables and their args are borrowed and outlive the server; an exchange
 * belongs to the server, and to whoever holds it. Threads: handlers run on the server's threads,
 * concurrently; answer, wake, hold and drop may be called from any. Limits: connections in total and
 * per address, bytes of head and of body per route, time to send a request: all in the config. A
 * client that goes away while its exchange waits is noticed only when something is written, so
 * waits are bounded by whoever waits.
 */
#ifndef TELEX_NET_HTTP_SERVER_H
#define TELEX_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/options.h"
#include "base/str.h"
#include "base/thread.h"
#include "base/trace.h"
#include "net/http_client.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct env;
struct secret;
struct http_server;
struct http_exchange;

enum {
    HTTP_PARAMS_MAX = 4,         /* {names} in a pattern */
    HTTP_DRAIN_MAX = 256 * 1024, /* bytes of body read and thrown away to keep a connection */
    HTTP_EXCHANGE_ARENA_MAX = 1 << 20,
};

/* --- what a user may set --- */

struct http_server_tls_config {
    struct str cert_file; /* PEM; empty: no TLS */
    struct str key_file;
    struct str client_ca_file; /* PEM; set: clients show a certificate of this authority */
};

struct http_server_auth_config {
    struct str username;
    struct secret *password;
    struct secret *bearer_token;
};

struct http_server_config {
    struct str listen; /* "127.0.0.1:8420", "[::1]:0", ":8420" */
    struct option_list allowed_hosts;
    struct secret *admin_token;
    struct http_server_auth_config auth; /* of receivers and reload */
    struct http_server_tls_config tls;
    int64_t threads;
    int64_t max_connections;
    int64_t max_connections_per_address; /* 0: no limit of its own */
    int64_t max_header_bytes;
    int64_t idle_timeout_ns;    /* until a request's head is there */
    int64_t request_timeout_ns; /* until its body is there */
};

extern const struct option_table http_server_options;
extern const struct option_table http_server_tls_options;  /* of struct http_server_tls_config */
extern const struct option_table http_server_auth_options; /* of struct http_server_auth_config */

/* --- routes --- */

enum http_access {
    HTTP_ACCESS_OPEN,   /* anyone who reaches us */
    HTTP_ACCESS_CLIENT, /* the auth section, where there is one; a client certificate likewise */
    HTTP_ACCESS_ADMIN,  /* the admin token; refused where none is configured */
    HTTP_ACCESS_RELOAD, /* as CLIENT, but where there is an admin token, that is needed */
};

struct http_handler {
    /* The head is there. May answer; then body and end are not called. NULL: go on. */
    void (*begin)(struct http_exchange *x);
    /* The next bytes. May answer; then what follows is thrown away. NULL: they are collected, for
     * http_exchange_body(). */
    void (*body)(struct http_exchange *x, struct str bytes);
    /* All is there: answer, or hold the exchange and answer later. */
    void (*end)(struct http_exchange *x);
    /* Over, whatever became of it: called once for each exchange that began. May be NULL. */
    void (*gone)(struct http_exchange *x);
};

struct http_route {
    const char *method;  /* "GET" takes HEAD too */
    const char *pattern; /* "/api/v1/rules/{id}"; a last "{rest...}" takes any number of segments */
    const struct http_handler *handler;
    enum http_access access;
    size_t body_max;  /* bytes; 0: no body is taken */
    const char *name; /* in metrics; NULL: the pattern */
};

struct http_routes {
    const struct http_route *routes;
    size_t count;
    void *arg; /* http_exchange_arg() of their exchanges */
};

/* --- the server --- */

/* Is <listen> an address and a port? */
MUST_USE bool http_listen_check(struct str listen, struct err *e);

/* Could one listen there now? Nobody is let in meanwhile. */
MUST_USE bool http_listen_try(struct str listen, struct err *e);

/* Could it be served, as far as one can tell without touching the system? */
MUST_USE bool http_server_check(const struct http_server_config *config, struct err *e);

/* Listens and serves at once. <tables> is copied, what it points to is borrowed. */
MUST_USE bool http_server_start(const struct env *env, const struct http_server_config *config,
                                const struct http_routes *tables, size_t count,
                                struct http_server **ret_server, struct err *e);

/*
 * Who may ask is from now on what <config> says: allowed hosts, admin token, auth. It outlives the
 * server; the rest of it is not looked at.
 */
void http_server_change_access(struct http_server *s, const struct http_server_config *config);

/* The port that it listens on, also where the config said 0. */
uint16_t http_server_port(const struct http_server *s);

/* "http://127.0.0.1:8420": where a local user finds it. */
void http_server_add_url(const struct http_server *s, struct buf *out);

/* Exchanges that are not over. */
size_t http_server_in_flight(struct http_server *s);

/*
 * Stops accepting, lets what is in flight finish until <wait> is over, then ends the rest (held
 * exchanges are answered 503) and all threads. Handles that are still held stay valid until dropped.
 */
void http_server_stop(struct http_server *s, struct wait wait);

/* Stops at once if it was not stopped; NULL is fine. */
void http_server_free(struct http_server *s);
DEFINE_AUTOFREE(http_server)

/* --- an exchange: the request --- */

void *http_exchange_arg(const struct http_exchange *x);
struct str http_exchange_method(const struct http_exchange *x);
struct str http_exchange_path(const struct http_exchange *x);  /* as sent, escaped */
struct str http_exchange_query(const struct http_exchange *x); /* as sent, escaped */

/* What the <index>th {name} of the pattern stands for, unescaped. */
struct str http_exchange_param(const struct http_exchange *x, size_t index);

/* The first value of <name> in the query, unescaped; false when absent. */
bool http_exchange_query_value(struct http_exchange *x, struct str name, struct str *ret_value);

/* A header of the request in any case; STR_NONE when absent. Until the exchange is over. */
struct str http_exchange_header(const struct http_exchange *x, const char *name);

/* Headers whose names begin with <prefix>, in any case: as many as <max>. Gives how many there are. */
size_t http_exchange_headers(const struct http_exchange *x, struct str prefix,
                             struct http_header *ret, size_t max);

/* The other side's address as text. */
struct str http_exchange_remote(const struct http_exchange *x);

/* The collected body, in end and until the exchange is over. */
struct str http_exchange_body(const struct http_exchange *x);

/* Moves the collected body into <ret>, whose own bytes are let go of; in end, once. The memory budget
 * stays charged with it until the exchange is over. */
void http_exchange_take_body(struct http_exchange *x, struct buf *ret);

/* Memory that lives as long as the exchange; for the server's threads only. */
struct arena *http_exchange_arena(struct http_exchange *x);

/* A place for the handler's own state; set in begin, cleaned up in gone. */
void http_exchange_set_state(struct http_exchange *x, void *state);
void *http_exchange_state(const struct http_exchange *x);

/* --- an exchange: the answer --- */

enum http_stream_step { HTTP_STREAM_DATA, HTTP_STREAM_WAIT, HTTP_STREAM_END, HTTP_STREAM_FAIL };

struct http_stream {
    /*
     * Writes up to <max> bytes (at least 1) to <out>. DATA: *ret_len of them; WAIT: none now,
     * http_exchange_wake() will be called; END; FAIL: the client must see that it is incomplete.
     * On the server's threads; never waits.
     */
    enum http_stream_step (*read)(void *arg, char *out, size_t max, size_t *ret_len);
    void (*close)(void *arg); /* once, whatever happened; may be NULL */
};

struct http_answer {
    int status;               /* 0: 200 */
    const char *content_type; /* NULL: application/json */
    const struct http_header *headers;
    size_t header_count;
    struct str body;                  /* copied */
    struct buf *take;                 /* instead: moved out; left empty, whatever happens */
    struct str constant;              /* instead: bytes that outlive the server, sent as they are */
    const struct http_stream *stream; /* instead: in chunks as they come */
    void *stream_arg;
    int64_t retry_after_s; /* 0: no such header */
    bool is_encoded;       /* never compressed by us */
};

/*
 * Answers; the first answer wins. false when it does nothing: the exchange is over or was answered
 * (a stream is closed then).
 */
bool http_exchange_answer(struct http_exchange *x, const struct http_answer *answer);

/* {"status":"error","errorType":<type>,"error":<message>} as Prometheus's API has it. */
bool http_exchange_error(struct http_exchange *x, int status, const char *type, const char *fmt,
                         ...) PRINTF_LIKE(4, 5);

/* 429 or 503 with Retry-After. */
bool http_exchange_busy(struct http_exchange *x, int status, int64_t retry_after_s,
                        const char *why);

/* Is it over, or has the server given up on it? A handler that works long may ask. */
bool http_exchange_is_over(struct http_exchange *x);

/* Keeps <x> (not its connection) for an answer or a wake-up from elsewhere; each hold is dropped
 * once. */
struct http_exchange *http_exchange_hold(struct http_exchange *x);
void http_exchange_drop(struct http_exchange *x);

/* Has a stream that said WAIT read again. */
void http_exchange_wake(struct http_exchange *x);

#endif
