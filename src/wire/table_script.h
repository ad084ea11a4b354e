/*
 * table_script.h - rows of a table as a script that the database's own shell (psql, sqlite3) runs: for who wants to see
 * what an exporter writes.
 *
 * The exporters do not send these texts: PostgreSQL gets its rows in binary, SQLite its values bound. What they
 * come to is the same, value by value: times are cut to what a column holds, NaN is what it becomes.
 *
 * Ownership: none. Threads: any; pure. Limits: the buf's.
 */
#ifndef TELEX_WIRE_TABLE_SCRIPT_H
#define TELEX_WIRE_TABLE_SCRIPT_H

#include "wire/table_layout.h"

struct table_script {
    const struct table_dialect *types;
    const char *says;  /* what is different from what is sent */
    const char *begin; /* the statements around a transaction, */
    const char *end;
    /* and those around its rows; row <i> of a reader's view. */
    void (*rows_begin)(const struct table_layout *l, struct buf *out);
    void (*row)(const struct table_layout *l, struct cell_reader *r, uint32_t i, struct buf *out);
    const char *rows_end;
};

extern const struct table_script table_script_postgresql;
extern const struct table_script table_script_sqlite;

#endif
