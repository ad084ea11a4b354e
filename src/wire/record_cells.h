/*
 * record_cells.h - records as cells of a table: what a column of a row holds, for databases.
 *
 * A source is what a column is filled from: "time", "value", "labels", a label, a field of a profile. Sources
 * are found by name once; cells are read row by row. Times, numbers and texts are what they are; label
 * sets and fields that have no column of their own are JSON.
 *
 * Ownership: cells point into the batch or the reader and live until the next cell of a JSON or printed
 * source is read. Threads: confined. Limits: the buf's.
 */
#ifndef TELEX_WIRE_RECORD_CELLS_H
#define TELEX_WIRE_RECORD_CELLS_H

#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

enum cell_type {
    CELL_NULL,
    CELL_TIME,    /* integer: wall ns */
    CELL_NUMBER,  /* number */
    CELL_INTEGER, /* integer */
    CELL_FLAG,    /* integer: 0 or 1 */
    CELL_TEXT,    /* text: valid UTF-8 without NUL */
    CELL_JSON,    /* text: the same, JSON */
    CELL_TYPES
};

struct cell {
    enum cell_type type;
    double number;
    int64_t integer;
    struct str text;
};

struct cell_reader;

/* What a column is filled from. */
struct cell_source {
    const char *name;  /* NULL ends a table */
    const char *alias; /* the seed's name for it, or NULL */
    unsigned kinds;    /* a bit per record kind */
    enum cell_type type;
    void (*read)(struct cell_reader *r, uint32_t row, struct cell *ret);
};

/* All that are known, in the order of columns. */
extern const struct cell_source cell_sources[];

/* By name or alias, of this kind; NULL: not one of those. */
const struct cell_source *cell_source_find(enum record_kind kind, struct str name);

/* Reads the rows of a view, whatever their kind. */
struct cell_reader {
    struct view view;
    const struct batch_info *info;
    enum record_kind kind;
    const struct samples *samples; /* one of these four */
    const struct alerts *alerts;
    const struct notes *notes;
    const struct events *events;
    /* Is a field in a column of its own? Then it is not among the others. */
    bool (*has_column)(const void *arg, struct str field);
    const void *arg;
    struct buf text;
    struct buf labels; /* of the set below, as JSON */
    const struct labels *labels_of;
    uint64_t changed; /* texts that were no valid UTF-8 or had a NUL, and were mended */
};

/* False when the rows cannot be had, with nothing to release. */
MUST_USE bool cell_reader_init(struct cell_reader *r, struct view view, struct err *e);
void cell_reader_release(struct cell_reader *r);

/* Is row <i> of the view nothing to be kept: a staleness marker? */
bool cell_reader_passes(const struct cell_reader *r, uint32_t i);

/* The hash that lanes share row <i> by. */
uint64_t cell_reader_hash(const struct cell_reader *r, uint32_t i);

/* Row <i> of the view. */
void cell_read(struct cell_reader *r, const struct cell_source *source, uint32_t i,
               struct cell *ret);
void cell_read_label(struct cell_reader *r, struct str label, uint32_t i, struct cell *ret);
void cell_read_field(struct cell_reader *r, struct str field, uint32_t i, struct cell *ret);

/* Appends the cell as text: times as RFC 3339, numbers shortest. Nothing for NULL. */
void cell_print(const struct cell *c, struct buf *out);

#endif
