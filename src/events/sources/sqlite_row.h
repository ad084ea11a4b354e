/*
 * sqlite_row.h - rows of a SQLite query as changes, with typed columns.
 *
 * SQLite types values, not columns; what a column is declared as says more: JSON text in a column declared JSON is a JSON
 * value, 0 and 1 in one declared BOOLEAN are flags.
 *
 * Ownership: texts live in the batch's arena. Threads: confined. Limits: CHANGE_COLUMNS_MAX columns; a row of more than
 * CHANGE_BYTES_MAX is broken.
 */
#ifndef TELEX_EVENTS_SOURCES_SQLITE_ROW_H
#define TELEX_EVENTS_SOURCES_SQLITE_ROW_H

#include "db/sqlite.h"
#include "events/change.h"

struct sqlite_columns {
    struct str id;
    struct str key; /* these two: empty: none */
    struct str time;
};

struct sqlite_column {
    struct str name;
    bool is_json;
    bool is_flag;
};

/* The columns of a query whose first one is the key, as they are at its first row. */
struct sqlite_table {
    const struct sqlite_columns *columns;
    struct str name;
    struct sqlite_column *items;
    size_t count;
    int key; /* column of the query; -1: none */
    int time;
};

/* ERR_CONFIG: a column that is named is not there. */
MUST_USE bool sqlite_table_read(struct sqlite_table *t, struct db_query *q, struct arena *a,
                                struct err *e);

/* Appends the row that the query stands at. */
void sqlite_row_read(const struct sqlite_table *t, struct db_query *q, struct changes *ret);

#endif
