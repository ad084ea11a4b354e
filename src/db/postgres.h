/*
 * postgres.h - PostgreSQL with our waits and errors: connect, ask, prepared statements, COPY in.
 *
 * A thin layer over libpq: SQL stays SQL. Nothing here blocks beyond its struct wait, except that looking up a
 * host's name may take as long as the system's resolver does. A call that fails says in
 * struct pg_fault what the server said and whether the connection is gone; one that was cut short has
 * lost it too, since nobody knows what is still to come on it.
 *
 * Ownership: whoever opens closes; a result is freed by who asked, its texts live as long. Threads: a
 * connection is for one thread at a time. Limits: libpq's; values given and read as text.
 */
#ifndef TELEX_DB_POSTGRES_H
#define TELEX_DB_POSTGRES_H

#include "base/err.h"
#include "base/str.h"
#include "base/thread.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PG_STATE_BYTES = 6, PG_PARAMS_MAX = 16 };

struct pg;
struct pg_result;

struct pg_fault {
    char state[PG_STATE_BYTES]; /* SQLSTATE; "" when the server said nothing */
    bool is_lost;               /* the connection cannot be used any more */
};

/* Was this program built with libpq? */
bool pg_is_built_in(void);

/* One setting of a connection string: "host", "sslmode", ... */
typedef void pg_visit_setting(void *arg, const char *name, const char *value);

/* Is <text> a connection string, as URL or as words? Visits what it says. The error never shows it. */
MUST_USE bool pg_parse(const char *text, pg_visit_setting *visit, void *arg, struct err *e);

/* <application> is what the server calls the connection. Where several hosts are named, or a name has
 * several addresses, each is the first to be asked for an equal part of the wait. */
MUST_USE bool pg_open(const char *text, const char *application, struct wait wait,
                      struct pg **ret_pg, struct pg_fault *fault, struct err *e);
void pg_close(struct pg *pg); /* NULL is fine */

/* One statement or several, without parameters; what they give is not looked at. */
MUST_USE bool pg_run(struct pg *pg, const char *sql, struct wait wait, struct pg_fault *fault,
                     struct err *e);

/* One statement with text parameters; NULL is NULL. */
MUST_USE bool pg_ask(struct pg *pg, const char *sql, const char *const *params, size_t count,
                     struct wait wait, struct pg_result **ret_result, struct pg_fault *fault,
                     struct err *e);

/* One statement or several without parameters, as a connection for replication takes them; the result is the
 * last one's. */
MUST_USE bool pg_query(struct pg *pg, const char *sql, struct wait wait,
                       struct pg_result **ret_result, struct pg_fault *fault, struct err *e);

/* Prepares a statement under a name, and runs it with BEGIN before it in one round trip; *ret_changed is how
 * many rows it changed. */
MUST_USE bool pg_prepare(struct pg *pg, const char *name, const char *sql, struct wait wait,
                         struct pg_fault *fault, struct err *e);
MUST_USE bool pg_begin_with(struct pg *pg, const char *name, const char *const *params,
                            size_t count, struct wait wait, size_t *ret_changed,
                            struct pg_fault *fault, struct err *e);

/* COPY ... FROM STDIN: begin, any number of parts, end. After a failure the transaction is to be rolled back. */
MUST_USE bool pg_copy_start(struct pg *pg, const char *sql, struct wait wait,
                            struct pg_fault *fault, struct err *e);
MUST_USE bool pg_copy_put(struct pg *pg, struct str bytes, struct wait wait, struct pg_fault *fault,
                          struct err *e);
MUST_USE bool pg_copy_finish(struct pg *pg, struct wait wait, struct pg_fault *fault,
                             struct err *e);

void pg_result_free(struct pg_result *r); /* NULL is fine */
size_t pg_rows(const struct pg_result *r);
struct str pg_value(const struct pg_result *r, size_t row, size_t column);
bool pg_is_null(const struct pg_result *r, size_t row, size_t column);
size_t pg_columns(const struct pg_result *r);
struct str pg_column_name(const struct pg_result *r, size_t column);
uint32_t pg_column_type(const struct pg_result *r, size_t column); /* oid */

#endif
