/*
 * sqlite.h - SQLite with our errors: open, prepare, bind, step.
 *
 * A thin layer: SQL stays SQL, and what it does is SQLite's documentation. A file that is opened has a
 * write-ahead log, waits five seconds for others, and is for its owner only.
 *
 * Ownership: whoever opens or prepares closes or frees; texts of a row live until the next step. Threads:
 * a database and what was prepared on it are for one thread at a time. Limits: SQLite's.
 */
#ifndef TELEX_DB_SQLITE_H
#define TELEX_DB_SQLITE_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct db;
struct db_query;

enum db_sync {
    DB_SYNC_NORMAL,
    DB_SYNC_FULL
}; /* a power cut may, or may not, lose the last commits */

MUST_USE bool db_open(const char *path, enum db_sync sync, struct db **ret_db, struct err *e);
/* Another program's file, as it is: nothing is written or set. Waits a second for others. */
MUST_USE bool db_open_reader(const char *path, struct db **ret_db, struct err *e);
/* The same for one look: a file in WAL mode that nobody has open is taken for one that does not change, or SQLite would
 * leave its -wal and -shm beside it. */
MUST_USE bool db_open_look(const char *path, struct db **ret_db, struct err *e);
void db_close(struct db *db); /* NULL is fine */

/* One statement or many, without parameters and results. */
MUST_USE bool db_exec(struct db *db, const char *sql, struct err *e);

MUST_USE bool db_prepare(struct db *db, const char *sql, struct db_query **ret_query,
                         struct err *e);
void db_query_free(struct db_query *q); /* NULL is fine */

/* Parameters are counted from 1; texts are copied. */
void db_bind_i64(struct db_query *q, int at, int64_t value);
void db_bind_double(struct db_query *q, int at, double value);
void db_bind_str(struct db_query *q, int at, struct str value);
void db_bind_null(struct db_query *q, int at);

/* A blob that is not copied: it lives until the statement was run, or is bound again. */
void db_bind_bytes(struct db_query *q, int at, struct str value);

/* The next row; *ret_row false behind the last one. */
MUST_USE bool db_step(struct db_query *q, bool *ret_row, struct err *e);

/* Runs a statement without results, and makes it ready to be bound again. */
MUST_USE bool db_run(struct db_query *q, struct err *e);

/* Ready to be run again, with its parameters. */
void db_reset(struct db_query *q);

/* Columns of the row are counted from 0. */
int64_t db_i64(struct db_query *q, int column);
double db_double(struct db_query *q, int column);
struct str db_str(struct db_query *q, int column);
struct str db_bytes(struct db_query *q, int column); /* of a blob or a text, as it is */
bool db_is_null(struct db_query *q, int column);
bool db_is_text(struct db_query *q, int column); /* ask before db_str() turns a number into one */

/* Of the value itself; and how the column is called and declared (empty: it is not). Texts live until the query is
 * prepared anew, which a change of the schema does at the first step. */
enum db_type { DB_INTEGER, DB_REAL, DB_TEXT, DB_BLOB, DB_NULL };
enum db_type db_type(struct db_query *q, int column);
int db_columns(struct db_query *q);
struct str db_column_name(struct db_query *q, int column);
struct str db_column_declared(struct db_query *q, int column);

/* Was it the values that the last statement failed on: a constraint, a type, a size? */
bool db_failed_on_data(struct db *db);

/* Rows that the last statement changed. */
int64_t db_changes(struct db *db);

#endif
