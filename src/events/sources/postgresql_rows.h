/*
 * postgresql_rows.h - rows of PostgreSQL as changes: columns with their types, id, key and time.
 *
 * A layout is what a table was like when a row was written. It is made once and used for each row; a batch gets
 * its own copy of the names, since a layout may go before the batch does.
 *
 * Ownership: a layout owns what it needs; rows live in the batch. Threads: confined. Limits: PGOUTPUT_COLUMNS_MAX
 * columns.
 */
#ifndef TELEX_EVENTS_SOURCES_POSTGRESQL_ROWS_H
#define TELEX_EVENTS_SOURCES_POSTGRESQL_ROWS_H

#include "base/arena.h"
#include "events/change.h"
#include "events/sources/postgresql_server.h"
#include "wire/pg_text.h"
#include "wire/pgoutput.h"

#include <stdbool.h>
#include <stdint.h>

/* Which columns mean something. */
struct pg_wishes {
    const struct str *ids; /* in the order of the id */
    size_t id_count;
    bool is_primary_key;    /* the ids: their order is that of the columns */
    struct str key_column;  /* or empty */
    struct str time_column; /* or empty */
    struct str prefix;      /* of ids; or empty */
};

struct pg_layout {
    struct arena arena;
    struct str table;
    struct str prefix;
    uint32_t count;
    struct str *names;
    uint32_t *oids; /* of their types */
    struct pg_form_type *types;
    uint32_t ids[PG_IDS_MAX];
    size_t id_count; /* 0: rows have no id of their own */
    uint32_t key;    /* PG_NO_COLUMN: none */
    uint32_t time;
    struct str fault;                  /* not empty: its rows cannot be what was asked for */
    const struct changes *batch;       /* whose arena has <blank>, as of <batch_number> */
    const struct change_column *blank; /* names alone */
    struct str batch_table;
    uint64_t batch_number;
    struct str last_time; /* of the time column, in this batch */
    int64_t last_time_ns;
};

#define PG_NO_COLUMN UINT32_MAX

void pg_layout_init(struct pg_layout *l, struct str table);
void pg_layout_release(struct pg_layout *l);

/* Columns in their order, then what they mean. */
void pg_layout_begin(struct pg_layout *l, uint32_t count);
void pg_layout_column(struct pg_layout *l, uint32_t at, struct str name, uint32_t type);
/* Asks what types that somebody made are; not part of the pure rest. */
enum sourced pg_server_find_types(struct pg_server *s, struct pg_layout *l, struct wait wait,
                                  struct err *e);
void pg_layout_end(struct pg_layout *l, const struct pg_wishes *wishes);

/* Fills a row's columns, id (where it has one), key and time (where they are columns); <batch_number> differs
 * from batch to batch. Texts of <cells> live as long as the batch. */
void pg_layout_fill(struct pg_layout *l, const struct pgoutput_cell *cells, uint64_t batch_number,
                    struct changes *batch, struct change *ch);

#endif
