/*
 * json_table.h - lines of JSON objects as a table: columns found by looking at all of them, then rows.
 *
 * A member is a column of its name; those of an object inside are called "labels.service", at any depth. Arrays are
 * JSON text. Columns stand in the order in which they were first seen. A column is of one type: numbers without a point
 * are integers until one has one ("NaN" and infinities, which JSON writes as text, are numbers beside numbers); RFC 3339
 * texts of "timestamp", of "time" and of what ends in "_timestamp" or "_at" are times where all of them are; what is mixed
 * otherwise is text.
 *
 * Lines that differ in time and value alone are parsed once (json_shape.h); short ones (short_line.h) say so themselves.
 *
 *   json_table_look(t, line) for every line; json_table_settle(t); then json_table_row(t, line) for each
 *
 * Ownership: the table owns names and the row's texts, which live until the next row. Threads: confined.
 * Limits: JSON_TABLE_COLUMNS_MAX columns; where there are more members, one column more, "rest", has theirs as the JSON text
 * of an object.
 */
#ifndef TELEX_WIRE_JSON_TABLE_H
#define TELEX_WIRE_JSON_TABLE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/number.h"
#include "base/str.h"
#include "base/vec.h"
#include "wire/json.h"
#include "wire/json_flat.h"
#include "wire/json_shape.h"
#include "wire/short_line.h"

#include <stdbool.h>
#include <stdint.h>

enum { JSON_TABLE_COLUMNS_MAX = 1000 };

enum cell_type {
    CELL_NONE,
    CELL_FLAG,
    CELL_INTEGER,
    CELL_NUMBER,
    CELL_TIME,
    CELL_TEXT,
    CELL_TYPES
};

struct cell {
    enum cell_type type; /* the column's, or CELL_NONE: the line has none */
    int64_t integer;     /* CELL_FLAG, CELL_INTEGER; CELL_TIME: wall ns */
    double number;       /* CELL_NUMBER */
    struct str text;     /* CELL_TEXT; of all others as it was written */
};

struct json_column {
    struct str name;
    enum cell_type type; /* once it is settled */
    unsigned seen;       /* what was in it, bits */
    bool has_nanos;      /* of times: one is not of whole microseconds */
};

/* What is needed of a shape for each of its rows. */
struct json_row_shape {
    uint32_t number;
    uint16_t time_column;
    uint16_t value_column;
};

/* A line that short ones refer to. */
struct json_model {
    uint64_t at;
    struct json_shape *shape;
    struct json_row_shape row;
    bool has_cells;
};

struct json_table {
    VEC(struct json_column) columns;
    VEC(struct cell) row; /* a cell for each column */
    uint64_t rows;        /* lines looked at */
    bool has_rest;        /* the last column is for members without one */
    uint64_t rest_rows;   /* rows that have such */
    struct buf rest;      /* theirs of the row that is read; empty when there are none */
    struct json_writer rest_writer;
    struct map by_name;
    struct json_shapes shapes;
    struct json_shape
        *shape;           /* of the row; or NULL. All its cells but the two in its gaps are as they
                                       were in every row of the shape */
    struct str time_text; /* of the line before, in <time_room>, and what it is */
    char time_room[48];
    int64_t time_ns;
    bool has_texts; /* cells of short lines have texts, as they would have been written */
    VEC(struct json_model) models;      /* in order */
    const struct json_model *row_model; /* of the row that is short; or NULL */
    struct json_row_shape row_shape;    /* of the row, where <shape> is not NULL */
    size_t model;                       /* the last that was asked for */
    size_t expected; /* the column that will come next if a line is like the one before */
    char value_room[NUMBER_TEXT_MAX];
    struct json_flat flat;
    struct arena names;
    struct arena arena; /* of a line */
};

void json_table_init(struct json_table *t);
void json_table_release(struct json_table *t);

/* False for what is no object. */
MUST_USE bool json_table_look(struct json_table *t, struct str line, struct err *e);

/* The same for a line that short ones will refer to as <at>, which grows. */
MUST_USE bool json_table_look_model(struct json_table *t, struct str line, uint64_t at,
                                    struct err *e);

/* The same for a short line; false, and nothing, when its model is not known (any more): it is to be expanded then. */
bool json_table_look_short(struct json_table *t, const struct short_line *s);

/* Columns that nothing was seen in are texts. */
void json_table_settle(struct json_table *t);

/* Fills t->row. */
MUST_USE bool json_table_row(struct json_table *t, struct str line, struct err *e);

/* The same for a line that was looked at as a model. */
MUST_USE bool json_table_row_model(struct json_table *t, struct str line, uint64_t at,
                                   struct err *e);

/* The same for a short line, but only the cells of time and value are filled: the others are t->shape->cells. False, and
 * nothing, when its model is not known or did not come yet. */
bool json_table_row_short(struct json_table *t, const struct short_line *s);

#endif
