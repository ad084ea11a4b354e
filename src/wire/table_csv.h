/*
 * table_csv.h - a table of JSON lines as comma-separated values (RFC 4180): a line of names, then a line per row.
 *
 * Lines end in CR LF. A value is in quotes when it holds a quote, a comma or an end of line; an empty text is "", and
 * what a row lacks is nothing at all. Numbers and times stand as they were written.
 *
 * Ownership: borrowed. Threads: confined. Limits: those of json_table.h.
 */
#ifndef TELEX_WIRE_TABLE_CSV_H
#define TELEX_WIRE_TABLE_CSV_H

#include "base/buf.h"
#include "wire/json_table.h"

/* Of a table that is settled. */
void table_csv_head(const struct json_table *t, struct buf *out);

/* The row that the table stands at. */
void table_csv_row(const struct json_table *t, struct buf *out);

/* Fields <from> to <end> - 1 of a row, each but the row's first with a comma in front; and what ends a row. */
void table_csv_fields(const struct cell *cells, size_t from, size_t end, struct buf *out);
void table_csv_end(struct buf *out);

#endif
