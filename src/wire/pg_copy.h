/*
 * pg_copy.h - PostgreSQL's binary COPY: rows of cells, each as its column's type has it.
 *
 * A cell goes into whatever type the column has, as long as nothing is lost on the way: a number that is
 * whole goes into a bigint, one that is not is an error that says so. NaN and infinities are what they are
 * in double precision, real and numeric, text in jsonb, and an error in integers.
 *
 * Ownership: none. Threads: any; pure. Limits: PG_CELL_MAX bytes for a cell; the buf's.
 */
#ifndef TELEX_WIRE_PG_COPY_H
#define TELEX_WIRE_PG_COPY_H

#include "base/buf.h"
#include "base/err.h"
#include "wire/record_cells.h"

#include <stdbool.h>
#include <stdint.h>

enum { PG_CELL_MAX = 256 * 1024 * 1024 };

/* How the values of a type are written. */
struct pg_type {
    uint32_t oid;
    const char *name;
    bool (*put)(const struct cell *c, struct buf *out, struct err *e); /* without the length */
};

/* NULL: a type that we do not write. */
const struct pg_type *pg_type_find(uint32_t oid);

/* The bytes that a stream begins with, and those that it ends with. */
void pg_copy_begin(struct buf *out);
void pg_copy_end(struct buf *out);

/* Begins a row of <cells> cells. */
void pg_copy_row(struct buf *out, uint32_t cells);

/* Appends a cell with its length; false, and nothing, when the type cannot hold it. */
MUST_USE bool pg_copy_cell(const struct pg_type *type, const struct cell *c, struct buf *out,
                           struct err *e);

#endif
