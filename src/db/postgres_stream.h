/*
 * postgres_stream.h - replication over libpq: a stream of messages both ways.
 *
 * A connection made here takes replication commands and SQL without parameters (pg_query(), pg_run()) until
 * a stream is started on it; then only messages. Unlike elsewhere, a wait that is over loses nothing here: the
 * stream goes on with the next call. What is sent never waits: libpq keeps it until there is room.
 *
 * Notices of LISTEN are the same on a connection that answers questions: they may come at any time, and a wait for
 * them that is over loses nothing.
 *
 * Ownership, threads, limits: as postgres.h; a message lives until the next one is asked for.
 */
#ifndef TELEX_DB_POSTGRES_STREAM_H
#define TELEX_DB_POSTGRES_STREAM_H

#include "db/postgres.h"

/* As pg_open(), for replication of the database. */
MUST_USE bool pg_stream_open(const char *text, const char *application, struct wait wait,
                             struct pg **ret_pg, struct pg_fault *fault, struct err *e);

/* START_REPLICATION ... */
MUST_USE bool pg_stream_start(struct pg *pg, const char *command, struct wait wait,
                              struct pg_fault *fault, struct err *e);

/* The next message; STR_NONE when none came until the wait was over. The server's end of the stream is a
 * fault, and what it said is the error. When none is there, <rest_ns> go by before it is waited for: a server sends
 * each on its own, and to be woken for each costs both sides more than the message. */
MUST_USE bool pg_stream_next(struct pg *pg, int64_t rest_ns, struct wait wait,
                             struct str *ret_message, struct pg_fault *fault, struct err *e);

MUST_USE bool pg_stream_send(struct pg *pg, struct str message, struct pg_fault *fault,
                             struct err *e);

/* Waits for a NOTIFY to what the connection listens to; those that came before count. */
MUST_USE bool pg_await_notice(struct pg *pg, struct wait wait, bool *ret_came,
                              struct pg_fault *fault, struct err *e);

#endif
