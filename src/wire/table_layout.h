/*
 * table_layout.h - which columns a table of records has, and the SQL that makes it.
 *
 * Each kind of record has a table and columns of its own; `column_mapping` calls columns otherwise, leaves
 * them out, or gives a label or a field of a profile a column of its own. Identifiers are always quoted, so
 * any name will do, and no value ever becomes part of SQL.
 *
 * Ownership: a layout lives in the arena it was made in, with the texts of the mapping. Threads: immutable.
 * Limits: TABLE_COLUMNS_MAX columns; names of TABLE_NAME_MAX bytes, as PostgreSQL has them.
 */
#ifndef TELEX_WIRE_TABLE_LAYOUT_H
#define TELEX_WIRE_TABLE_LAYOUT_H

#include "base/arena.h"
#include "base/options.h"
#include "wire/record_cells.h"

enum { TABLE_COLUMNS_MAX = 256, TABLE_NAME_MAX = 63 };

struct table_column {
    struct str name;                  /* in the table */
    struct str of;                    /* what it is filled from, as it was called */
    enum cell_type type;              /* of a table that we make */
    bool is_mapped;                   /* column_mapping names it: it must be there */
    const struct cell_source *source; /* or NULL: a label or a field called <of> */
    bool is_label;
};

struct table_layout {
    enum record_kind kind;
    struct str schema; /* or empty */
    struct str table;
    const struct table_column *columns;
    uint32_t column_count;
};

/*
 * The table of a kind: <name> with {kind} in it ("telex_{kind}": telex_samples), or that of profiles, and the
 * others beside it (profiling_metrics, profiling_metrics_samples); "schema.table" at the first dot. Errors
 * point at the entry of the mapping.
 */
MUST_USE bool table_layout_make(enum record_kind kind, struct str name,
                                const struct option_map *mapping, struct arena *a,
                                struct table_layout *ret, struct err *e);

/* Do the names make sense, for every kind? */
MUST_USE bool table_layout_check(struct str name, const struct option_map *mapping, struct err *e);

/* Do a profile's or span's fields of this name have a column? <arg> is the layout. */
bool table_layout_has_field(const void *arg, struct str field);

/* Row <i> of a reader's view, in one column. */
void table_column_read(const struct table_column *c, struct cell_reader *r, uint32_t i,
                       struct cell *ret);

/* What types are called. */
struct table_dialect {
    const char *types[CELL_TYPES];
};
extern const struct table_dialect table_postgresql;
extern const struct table_dialect table_sqlite;

/* "a""b": any text as an identifier; and that of the table with its schema. */
void sql_add_identifier(struct buf *out, struct str name);
void table_layout_add_name(const struct table_layout *l, struct buf *out);

/* CREATE TABLE IF NOT EXISTS ...; without a semicolon. */
void table_layout_add_create(const struct table_layout *l, const struct table_dialect *dialect,
                             struct buf *out);

#endif
