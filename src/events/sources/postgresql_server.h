/*
 * postgresql_server.h - what both sources on PostgreSQL need of a server: a connection that is made when it is
 * needed, questions, what an error of the server's means for a source, and what its tables are like.
 *
 * Ownership: the server belongs to its source; descriptions live in the caller's arena. Threads: confined, as
 * the source is. Limits: PG_TABLES_MAX tables, PG_IDS_MAX columns of a key.
 */
#ifndef TELEX_EVENTS_SOURCES_POSTGRESQL_SERVER_H
#define TELEX_EVENTS_SOURCES_POSTGRESQL_SERVER_H

#include "base/arena.h"
#include "base/options.h"
#include "base/secret.h"
#include "db/postgres.h"
#include "events/source.h"

#include <stdbool.h>
#include <stdint.h>

enum { PG_TABLES_MAX = 256, PG_IDS_MAX = 16 };

/* Texts that the server writes in one form, whatever its settings are. */
#define PG_SESSION                                                                       \
    "SET datestyle = 'ISO, YMD'; SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; " \
    "SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmlbinary = 'base64'; "   \
    "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = 0"

struct pg_server {
    const struct env *env;
    struct secret *connection_string; /* the config's */
    int64_t connect_timeout_ns;
    struct buf application; /* what the server calls us */
    struct pg *pg;          /* or NULL */
    bool is_held;           /* it has a lock: it is not to be replaced by another */
};

void pg_server_init(struct pg_server *s, const struct source_place *place,
                    struct secret *connection_string, int64_t connect_timeout_ns);
void pg_server_release(struct pg_server *s);
void pg_server_hang_up(struct pg_server *s);

/* A connection for replication, with PG_SESSION. */
enum sourced pg_server_open_stream(const struct pg_server *s, struct wait wait, struct pg **ret_pg,
                                   struct err *e);

/* Asks; connects before where nobody is. */
enum sourced pg_server_ask(struct pg_server *s, const char *sql, const char *const *params,
                           size_t count, struct wait wait, struct pg_result **ret_result,
                           struct err *e);

/* What a fault means; adds to the error what a person can do. */
enum sourced pg_fault_sourced(const struct pg_fault *fault, struct err *e);

/* SOURCED_REFUSED, LOST or AGAIN with a message of ours. */
enum sourced pg_say(enum sourced what, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* SOURCED_AGAIN with ERR_CONFLICT, as source_kind.look says it: another has the slot or the lock. */
enum sourced pg_say_taken(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "db.example.com:5432/nvsentinel": where a connection string leads, with one spelling for this machine. */
void pg_add_place(struct buf *out, struct secret *connection_string);

/* A result's value as C text, in the arena. */
const char *pg_text(struct arena *a, const struct pg_result *r, size_t row, size_t column);

/* ---- tables ---- */

struct pg_table {
    uint32_t oid;
    struct str schema;
    struct str name;
    struct str full;            /* both, with a dot */
    struct str quoted;          /* both, for SQL */
    struct str ids[PG_IDS_MAX]; /* columns of the key, in its order */
    size_t id_count;            /* 0: it has none */
    size_t id_from;             /* of the key, from here on it is the id */
    struct str ids_quoted;      /* "a", "b" */
};

void pg_add_quoted(struct buf *out, struct str name); /* an identifier */
void pg_add_literal(struct buf *out, struct str text);
void pg_add_quoted_text(struct buf *out, struct str text); /* the same for people; no backslashes */

/* The table that a config names, with its primary key or the columns that the config names instead. */
enum sourced pg_table_describe(struct pg_server *s, struct str name, const struct option_list *ids,
                               struct wait wait, struct arena *a, struct pg_table *ret,
                               struct err *e);

/* postgresql_columns.c: SOURCED_REFUSED when the server sends no such column of the table; an empty name is none. */
enum sourced pg_table_expect(struct pg_server *s, const struct pg_table *t, const char *option,
                             struct str column, struct wait wait, struct err *e);

/* ---- lists in a text of ours: positions, cursors ---- */

/* "3:abc,"; false when there is no further one. */
void pg_list_add(struct buf *out, struct str item);
bool pg_list_next(struct str *rest, struct str *ret_item);

#endif
