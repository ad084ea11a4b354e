/*
 * server.h - the HTTP face of the program: API, metrics, health, reload and the status page.
 *
 * One file per resource; routes.c lists them with their documentation. The server listens before the
 * app is there, and says so (503) until server_attach().
 *
 * Ownership: the server borrows env and the app, and holds every config that it was given, since
 * requests under way may look at it. Threads: start, attach, configure and stop on the main thread;
 * resources are served on the HTTP server's threads. Limits: PAGE_BYTES_MAX per answer.
 */
#ifndef TELEX_SERVER_SERVER_H
#define TELEX_SERVER_SERVER_H

#include "app/app.h"
#include "net/http_server.h"

struct server;

enum { ANSWER_BYTES_MAX = 1 << 30, PAGE_BYTES_MAX = 16 << 20 };

/* Listens as <config> says. */
MUST_USE bool server_start(const struct env *env, struct config *config, struct server **ret_server,
                           struct err *e);

/* Answers with what <app> knows from now on. */
void server_attach(struct server *s, struct app *app);

/* Another config runs: takes over who may ask; logs what needs a restart. */
void server_configure(void *server, struct config *config);

/* "http://127.0.0.1:8420" */
void server_add_url(const struct server *s, struct buf *out);

/* Lets what is in flight finish within <wait>, then frees. NULL is fine. */
void server_stop(struct server *s, struct wait wait);

/* docs/api.md: every resource. */
void server_print_docs(struct buf *out);

#endif
