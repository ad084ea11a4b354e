/*
 * http_server_int.h - what the files of the HTTP server share; for src/net only.
 *
 * http_server.c starts and stops; http_listen.c opens the socket; http_connections.c knows the open
 * connections and ends those that take too long; http_exchange.c carries a request through its
 * phases; http_admit.c decides whether it may; http_answer.c makes responses; http_router.c finds
 * routes; http_stats.c counts. Ownership: the server owns connections and keeps a reference on
 * exchanges that are not over. Threads: fields say their lock; what has none is confined to the
 * connection's thread. Limits: as http_server.h.
 */
#ifndef TELEX_NET_HTTP_SERVER_INT_H
#define TELEX_NET_HTTP_SERVER_INT_H

#include "net/http_guard.h"
#include "net/http_server.h"

#include <microhttpd.h>

enum { HTTP_SMALLEST_GZIP = 1024 };

/* --- routes --- */

struct http_match {
    const struct http_route *route;
    void *arg;
    size_t stats; /* index of the route over all tables */
    struct str params[HTTP_PARAMS_MAX];
};

struct http_router {
    const struct http_routes *tables;
    size_t count;
};

/* How many routes there are in all tables. */
size_t http_router_size(const struct http_router *r);

/* Are all patterns well-formed and none there twice? */
MUST_USE bool http_router_check(const struct http_router *r, struct err *e);

/*
 * The route for a method and an escaped path. false: none; ret->route is then NULL, and <allow> lists the
 * methods that the path has ("" when it has none).
 */
bool http_router_find(const struct http_router *r, struct str method, struct str path,
                      struct arena *a, struct http_match *ret, struct buf *allow);

/* --- counting --- */

struct http_stats;

struct http_stats *http_stats_new(const struct env *env, const struct http_router *router,
                                  struct http_server *server);
void http_stats_free(struct http_stats *stats);

/* One exchange is over; <route> is http_match.stats, or SIZE_MAX when it had none. */
void http_stats_count(struct http_stats *stats, size_t route, int status, int64_t took_ns);

/* --- connections --- */

struct http_connection {
    struct http_connection *prev;
    struct http_connection *next;
    int fd;
    int64_t deadline_ns; /* under the list's lock; DEADLINE_NEVER while a handler works */
    char remote[64];
};

struct http_connections {
    const struct clock *clock;
    struct lock lock;
    struct http_connection head GUARDED_BY(&lock); /* of a ring */
    struct cancel *stop;
    struct thread reaper;
};

MUST_USE bool http_connections_start(struct http_connections *c, const struct clock *clock,
                                     struct err *e);
void http_connections_stop(struct http_connections *c);

struct http_connection *http_connections_add(struct http_connections *c,
                                             struct MHD_Connection *connection, int64_t limit_ns);
void http_connections_remove(struct http_connections *c, struct http_connection *connection);

/* From now on it has <limit_ns> for what it does; DEADLINE_NEVER: as long as it takes. */
void http_connection_limit(struct http_connections *c, struct http_connection *connection,
                           int64_t limit_ns);

/* --- the server --- */

struct http_server {
    const struct env *env;
    const struct http_server_config *config;
    struct trace trace;
    struct http_routes *tables;
    struct http_router router;
    struct http_stats *stats;
    _Atomic(const struct http_server_config *) access; /* who may ask; the config until changed */
    struct buf listen_host;
    struct buf cert; /* PEM texts, until the daemon runs */
    struct buf key;
    struct buf client_ca;
    struct http_connections connections;
    struct MHD_Daemon *daemon;
    int listen_fd;
    uint16_t port;
    bool stopped;
    _Atomic unsigned refs;
    struct lock lock;
    struct cond idle;                                  /* in_flight became 0 */
    struct http_exchange *exchanges GUARDED_BY(&lock); /* not over */
    size_t in_flight GUARDED_BY(&lock);
    _Atomic bool draining;           /* connections are not kept */
    bool aborting GUARDED_BY(&lock); /* nothing may wait any more */
};

/* The server's memory outlives it while exchanges are held. */
struct http_server *http_server_ref(struct http_server *s);
void http_server_unref(struct http_server *s);

/* Opens the listening socket; *ret_host is the host as configured. */
MUST_USE bool http_listen(struct str listen, int *ret_fd, uint16_t *ret_port, struct buf *ret_host,
                          struct err *e);

/* --- exchanges --- */

enum http_phase {
    PHASE_HEAD,  /* the request line is there */
    PHASE_BODY,  /* body is being read and handed over */
    PHASE_DRAIN, /* body is being read and thrown away; the answer is there */
    PHASE_END,   /* all is read; the answer is there or awaited */
    PHASE_SEND,  /* the answer is queued */
};

struct http_exchange {
    struct http_server *server;
    struct http_exchange *prev; /* in server->exchanges */
    struct http_exchange *next;
    struct MHD_Connection *connection;
    struct http_connection *place;
    struct arena arena;
    struct str method;
    struct str path;
    struct str query;
    struct http_match match;
    void *state;
    bool began; /* the handler knows of it */
    bool takes_gzip;
    enum http_phase phase;
    struct buf body;
    int64_t taken_bytes; /* of the budget, for the body */
    size_t seen_bytes;   /* of the body */
    int64_t start_ns;
    int status; /* of the answer that was queued */
    /* under server->lock */
    unsigned refs;
    struct MHD_Response *response; /* given, not yet queued */
    int response_status;
    bool answered;
    bool streams;
    bool suspended;
    bool woken; /* a wake-up came while the stream was not waiting */
    bool aborted;
    bool over;
};

/* libmicrohttpd's callbacks. */
void *http_exchange_on_uri(void *server, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_exchange_on_request(void *server, struct MHD_Connection *connection,
                                         const char *url, const char *method, const char *version,
                                         const char *bytes, size_t *len, void **exchange);
void http_exchange_on_completed(void *server, struct MHD_Connection *connection, void **exchange,
                                enum MHD_RequestTerminationCode why);

/* Has all that wait go on and end. */
void http_exchanges_abort(struct http_server *s);

/* May it be served? false: it was answered with the reason. */
MUST_USE bool http_admit(struct http_exchange *x);

/* Announced length of the body; -1 when it comes in chunks, 0 without a body. */
int64_t http_exchange_announced(const struct http_exchange *x);

/* --- answers --- */

/* Makes the response; the stream is closed with it. Never NULL. */
struct MHD_Response *http_answer_make(struct http_exchange *x, const struct http_answer *answer);

/* Appends {"status":"error","errorType":...,"error":...}. */
void http_error_json(struct buf *out, const char *type, struct str message);

/* What a stream's reader does when there is nothing to read: true: suspended; false: read again. */
bool http_exchange_pause(struct http_exchange *x);

#endif
