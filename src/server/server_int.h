/*
 * server_int.h - what the resources share; for src/server only.
 *
 * Ownership: a resource takes what it looks at for the time of one answer. Threads: any number of
 * the HTTP server's threads. Limits: those of server.h.
 */
#ifndef TELEX_SERVER_SERVER_INT_H
#define TELEX_SERVER_SERVER_INT_H

#include "base/trace.h"
#include "base/vec.h"
#include "server/server.h"

#include <stdatomic.h>

enum { OVERRIDES_PATCH_MAX = 64 * 1024, TRACE_BODY_MAX = 16 * 1024, STREAM_BODY_MAX = 1024 * 1024 };

struct server {
    const struct env *env;
    struct trace trace;
    struct http_server *http;
    struct grpc_server *grpc; /* or NULL */
    struct statsd *statsd;    /* or NULL */
    struct http_route *routes;
    struct receiver *receiver;
    _Atomic(struct app *) app;    /* NULL: starting */
    VEC(struct config *) configs; /* all that http may look at; the last one runs */
};

/* A route with what its documentation says. */
struct resource {
    struct http_route route;
    const char *help;   /* NULL: another way to one that has it */
    const char *params; /* Markdown list, or NULL */
};

extern const struct http_handler resource_alert;
extern const struct http_handler resource_alertmanagers;
extern const struct http_handler resource_alerts;
extern const struct http_handler resource_build_info;
extern const struct http_handler resource_exporter;
extern const struct http_handler resource_exporter_change;
extern const struct http_handler resource_exporter_list;
extern const struct http_handler resource_exporter_overrides_drop;
extern const struct http_handler resource_exporter_tap;
extern const struct http_handler resource_exporter_verb;
extern const struct http_handler resource_exporters;
extern const struct http_handler resource_group;
extern const struct http_handler resource_health;
extern const struct http_handler resource_healthy;
extern const struct http_handler resource_history;
extern const struct http_handler resource_metrics;
extern const struct http_handler resource_notifiers;
extern const struct http_handler resource_orphan_adopt;
extern const struct http_handler resource_orphan_drop;
extern const struct http_handler resource_page;
extern const struct http_handler resource_peer_page;
extern const struct http_handler resource_peer_rule;
extern const struct http_handler resource_ping;
extern const struct http_handler resource_ready;
extern const struct http_handler resource_reload;
extern const struct http_handler resource_rule;
extern const struct http_handler resource_rules;
extern const struct http_handler resource_letter;
extern const struct http_handler resource_letters;
extern const struct http_handler resource_letters_change;
extern const struct http_handler resource_stream;
extern const struct http_handler resource_stream_change;
extern const struct http_handler resource_streams;
extern const struct http_handler resource_trace;
extern const struct http_handler resource_trace_change;
extern const struct http_handler resource_trace_restore;
extern const struct http_handler resource_why;

extern const struct resource server_resources[];
extern const size_t server_resource_count;

/* What the receiver serves: as the above, with its own routes. */
extern const struct resource server_pushes[];
extern const size_t server_push_count;

/* Answers 400 with all that is wrong with a config. */
void server_refuse_config(struct http_exchange *x, const struct reload_result *result);

/* Are all change streams ready? Says which are not, and why. */
bool server_streams_ready(struct http_exchange *x, struct app *app, struct buf *out);

/* Answers 404: there is no exporter called <name>. */
void server_unknown_exporter(struct http_exchange *x, struct str name);

/* The routes of all resources in one array, as the HTTP server wants them; freed with mem_free(). */
struct http_route *server_routes(void);

struct server *server_of(struct http_exchange *x);

/* The app; NULL, and <x> answered with 503, while there is none. */
struct app *server_app(struct http_exchange *x);

/* Answers with what is in <body>, moving it; 500 when it passed its cap. */
void server_answer(struct http_exchange *x, int status, const char *content_type, struct buf *body);

#endif
