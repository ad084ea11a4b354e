/*
 * postgres_int.h - what the files of PostgreSQL share: the connection, its waits and what went wrong.
 *
 * Ownership, threads, limits: as postgres.h.
 */
#ifndef TELEX_DB_POSTGRES_INT_H
#define TELEX_DB_POSTGRES_INT_H

#include "db/postgres.h"

#include <libpq-fe.h>

struct pg {
    PGconn *conn;
    const char *replication; /* NULL: it answers questions */
    char *message;           /* of a stream, that was given last; libpq's */
    int wake_fd;             /* becomes readable when a wait is cancelled */
};

/* Always false: what libpq says, or the server in <r>. */
bool pg_fail_conn(struct pg *pg, struct pg_fault *fault, struct err *e);
bool pg_fail_result(struct pg *pg, const PGresult *r, struct pg_fault *fault, struct err *e);

/* Waits until the socket is ready for <events>; false when the wait is over, which is no fault here. */
bool pg_poll(struct pg *pg, short events, struct wait wait);

/* Sends what libpq holds; and a statement that it took (<ok> is 1). */
bool pg_flush(struct pg *pg, struct wait wait, struct pg_fault *fault, struct err *e);
bool pg_sent(struct pg *pg, int ok, struct wait wait, struct pg_fault *fault, struct err *e);

/* Takes a statement to its end, or to where it copies. */
bool pg_finish(struct pg *pg, struct wait wait, PGresult **ret_last, struct pg_fault *fault,
               struct err *e);

/* pg_open() with replication=<replication>; NULL: without. */
bool pg_open_as(const char *text, const char *application, const char *replication,
                struct wait wait, struct pg **ret_pg, struct pg_fault *fault, struct err *e);

#endif
