/*
 * table_sink.h - the one leaf over databases: rows and our position in one transaction.
 *
 * A database is a struct table_ops: it connects, says how far it has our rows, takes rows into hand, and
 * writes some of those in hand together with the new position, all or nothing. The leaf cuts what it is given
 * into transactions, passes over what the database has already, and when a transaction is refused for its
 * data halves it until the rows at fault are alone.
 *
 * Ownership: the sink owns the database that it is opened with. Threads: as sink.h. Limits: <together_rows>
 * rows or TABLE_SINK_BYTES per transaction, which one row may pass by itself.
 */
#ifndef TELEX_EXPORT_TABLE_SINK_H
#define TELEX_EXPORT_TABLE_SINK_H

#include "export/exporter.h"
#include "export/exporter_options.h"
#include "export/positions.h"
#include "export/sink.h"
#include "wire/record_cells.h"
#include "wire/table_layout.h"

enum { TABLE_SINK_BYTES = 16 * 1024 * 1024 };

/* For EXPORTER_COMMON_ROWS_WITH(): a buffer that gathers a transaction, 1000 rows or 60 s of them. */
extern const struct option_table table_buffer_options;
extern const char *const table_alias_batch_timeout[];

/* What databases' users call two options of the buffer. Nothing is set where they say nothing, so that what stands
 * below `buffer` holds. */
#define TABLE_BATCH_ROWS                                                                         \
    {.name = "batch_size",                                                                       \
     .type = OPTION_INT,                                                                         \
     .offset = offsetof(struct exporter_common, buffer.buffer_size),                             \
     .min = 1,                                                                                   \
     .max = 1e6,                                                                                 \
     .help = "Rows that are written as soon as they are there, 1000 unless said; the same as "   \
             "`buffer: { buffer_size: ... }`, and goes before it."},                             \
        {.name = "transaction_rows",                                                             \
         .type = OPTION_INT,                                                                     \
         .flags = OPTION_ADVANCED,                                                               \
         .offset = offsetof(struct exporter_common, buffer.together_max),                        \
         .fallback = "50000",                                                                    \
         .min = 1,                                                                               \
         .max = 1e6,                                                                             \
         .help = "Rows of a transaction at most: where more than `batch_size` wait, several "    \
                 "batches go in one while the server is quick."},                                \
    {                                                                                            \
        .name = "batch_timeout", .aliases = table_alias_batch_timeout, .type = OPTION_DURATION,  \
        .offset = offsetof(struct exporter_common, buffer.flush_interval_ns), .max = 3600,       \
        .unit = "s",                                                                             \
        .help = "How long samples wait until `batch_size` of them are there, 60 s unless said; " \
                "alerts, profiles and spans do not wait. The same as `buffer: { "                \
                "flush_interval: ... }`, and goes before it."                                    \
    }

/* What a database says of a call that failed. */
struct table_fault {
    enum verdict verdict; /* REJECTED: of the data */
    bool is_lost;         /* connected anew, it has to say again how far it is */
};

/* From where our position moves on in a transaction; the database checks that it still stands at <from>. */
struct table_move {
    struct position from;
    struct position to;
    const struct holes *holes;
};

struct table_db;

struct table_ops {
    /* Connects if need be; *ret_fresh when it did. Then has it the table of the layout? */
    bool (*connect)(struct table_db *db, struct wait wait, bool *ret_fresh,
                    struct table_fault *fault, struct err *e);
    bool (*use)(struct table_db *db, const struct table_layout *l, struct wait wait,
                struct table_fault *fault, struct err *e);
    /* How far it has the rows of our lanes, in <*ret>, empty when it knows nothing. */
    bool (*load)(struct table_db *db, struct wait wait, struct positions *ret,
                 struct table_fault *fault, struct err *e);
    /* Takes row <i> in hand behind the others; false: the table cannot hold it. */
    bool (*take)(struct table_db *db, struct cell_reader *r, uint32_t i, struct err *e);
    size_t (*bytes)(struct table_db *db); /* in hand */
    void (*drop)(struct table_db *db);    /* empties the hand */
    /* Writes rows <from>..<end> - 1 in hand, and <move> unless NULL. */
    bool (*write)(struct table_db *db, uint32_t from, uint32_t end, const struct table_move *move,
                  struct wait wait, struct table_fault *fault, struct err *e);
    /* A delivery ended: what need not be kept open is closed. */
    void (*rest)(struct table_db *db);
    void (*close)(struct table_db *db);
};

struct table_db {
    const struct table_ops *ops; /* embedded first */
};

struct table_sink_config {
    struct str table_name;
    const struct option_map *column_mapping;
    uint32_t batch_rows;    /* of a transaction, */
    uint32_t together_rows; /* or when more are there: table_pace.h */
    bool keeps_positions;
    int64_t timeout_ns; /* of one transaction; a delivery begins no other after it */
};

/* Takes over <db>, also on failure. <config> is the kind's, which begins with struct exporter_common. */
MUST_USE bool table_sink_open(struct table_db *db, const struct table_sink_config *setup,
                              const struct exporter_place *place, const void *config,
                              struct sink **ret_sink, struct err *e);

/* A name for this program's data folder, made at random once: <folder>/instance. Appends it to <out>. */
MUST_USE bool table_instance(const struct exporter_place *place, struct buf *out, struct err *e);

#endif
