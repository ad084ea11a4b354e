/*
 * table_dry.h - a database that shows the transactions it would get, as a script; nothing is connected to.
 *
 * Its tables have the columns that tables made by the exporter have. What makes a table is shown in front of the
 * first transaction that needs it, when the config allows it to be made.
 *
 * Ownership: table_sink.h closes it. Threads: a lane's. Limits: none.
 */
#ifndef TELEX_EXPORT_TABLE_DRY_H
#define TELEX_EXPORT_TABLE_DRY_H

#include "export/table_sink.h"
#include "wire/table_script.h"

struct table_db *table_dry_open(const struct exporter_place *place,
                                const struct table_script *script, bool create_table);

#endif
