/*
 * postgresql_db.h - a PostgreSQL server as a struct table_db: COPY and our position in one transaction.
 *
 * A transaction is BEGIN with the check that our position stands where we think, COPY in binary, COMMIT. Columns
 * that the table lacks are left out, unless the config names them.
 *
 * Ownership: table_sink.h closes it. Threads: a lane's. Limits: libpq's.
 */
#ifndef TELEX_EXPORT_EXPORTERS_POSTGRESQL_DB_H
#define TELEX_EXPORT_EXPORTERS_POSTGRESQL_DB_H

#include "export/table_sink.h"

struct secret;

struct postgresql_setup {
    struct secret *connection_string; /* the config's */
    struct str positions_table;
    bool create_table;
    bool passes_conflicts; /* a row that a unique key has already is not written, and no fault */
    bool stays_open;       /* also while there is nothing to do */
    int64_t connect_timeout_ns;
};

MUST_USE bool postgresql_db_open(const struct exporter_place *place,
                                 const struct postgresql_setup *setup, struct table_db **ret_db,
                                 struct err *e);

#endif
