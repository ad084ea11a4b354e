#include "wire/table_script.h"

#include "base/clock.h"
#include "base/number.h"
#include "base/timetext.h"

#include <math.h>

static void add_names(const struct table_layout *l, struct buf *out)
{
    table_layout_add_name(l, out);
    for (uint32_t i = 0; i < l->column_count; i++) {
        buf_add_text(out, i > 0 ? ", " : " (");
        sql_add_identifier(out, l->columns[i].name);
    }
    buf_add_byte(out, ')');
}

static void add_time(struct buf *out, int64_t ns, const char *between, int digits, int fraction,
                     const char *zone)
{
    struct civil c = civil_of(ns);

    buf_addf(out, "%04d-%02d-%02d%s%02d:%02d:%02d.%0*d%s", c.year, c.month, c.day, between, c.hour,
             c.minute, c.second, digits, fraction, zone);
}

/* ---- PostgreSQL: COPY in text ---- */

/* A text as COPY has it: what would end a value or a row is escaped. */
static void add_copy_text(struct buf *out, struct str text)
{
    static const char bytes[] = "\\\n\r\t\b\f\v";
    static const char letters[] = "\\nrtbfv";

    for (size_t i = 0; i < text.len; i++) {
        const char *found = text.ptr[i] != '\0' ? strchr(bytes, text.ptr[i]) : NULL;
        if (found != NULL) {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, found != NULL ? letters[found - bytes] : text.ptr[i]);
    }
}

static void add_pg_number(struct buf *out, double value)
{
    if (isnan(value)) {
        buf_add_text(out, "NaN");
    } else if (isinf(value)) {
        buf_add_text(out, value > 0 ? "Infinity" : "-Infinity");
    } else {
        buf_add_double(out, value);
    }
}

static void add_pg_cell(const struct cell *c, struct buf *out)
{
    if (c->type == CELL_NULL) {
        buf_add_text(out, "\\N");
    } else if (c->type == CELL_TIME) {
        add_time(out, c->integer, " ", 6, civil_of(c->integer).ns / (int)NS_PER_US, "+00");
    } else if (c->type == CELL_NUMBER) {
        add_pg_number(out, c->number);
    } else if (c->type == CELL_INTEGER) {
        buf_add_i64(out, c->integer);
    } else if (c->type == CELL_FLAG) {
        buf_add_byte(out, c->integer != 0 ? 't' : 'f');
    } else {
        add_copy_text(out, c->text);
    }
}

static void pg_begin(const struct table_layout *l, struct buf *out)
{
    buf_add_text(out, "COPY ");
    add_names(l, out);
    buf_add_text(out, " FROM STDIN;\n");
}

static void pg_row(const struct table_layout *l, struct cell_reader *r, uint32_t i, struct buf *out)
{
    struct cell cell;

    for (uint32_t c = 0; c < l->column_count; c++) {
        table_column_read(&l->columns[c], r, i, &cell);
        buf_add_text(out, c > 0 ? "\t" : "");
        add_pg_cell(&cell, out);
    }
    buf_add_byte(out, '\n');
}

const struct table_script table_script_postgresql = {
    .types = &table_postgresql,
    .says = "as psql would have it; the rows are sent as COPY (FORMAT binary) with the same values",
    .begin = "BEGIN;\n",
    .end = "COMMIT;\n",
    .rows_begin = pg_begin,
    .row = pg_row,
    .rows_end = "\\.\n",
};

/* ---- SQLite: INSERT ---- */

static void add_quoted(struct buf *out, struct str text)
{
    buf_add_byte(out, '\'');
    for (size_t i = 0; i < text.len; i++) {
        buf_add_text(out, text.ptr[i] == '\'' ? "'" : "");
        buf_add_byte(out, text.ptr[i]);
    }
    buf_add_byte(out, '\'');
}

/* A number that is whole stays one with a fraction: without it SQLite would store an integer. */
static void add_real(struct buf *out, double value)
{
    char text[NUMBER_TEXT_MAX];
    struct str number = str_make(text, number_format(value, text));
    bool is_whole =
        str_find_byte(number, '.') == number.len && str_find_byte(number, 'e') == number.len;

    if (isnan(value)) {
        buf_add_text(out, "NULL");
    } else if (isinf(value)) {
        buf_add_text(out, value > 0 ? "9e999" : "-9e999");
    } else {
        buf_addf(out, "%.*s%s", STR_FMT(number), is_whole ? ".0" : "");
    }
}

static void add_sqlite_cell(const struct cell *c, struct buf *out)
{
    if (c->type == CELL_NULL) {
        buf_add_text(out, "NULL");
    } else if (c->type == CELL_TIME) {
        buf_add_byte(out, '\'');
        add_time(out, c->integer, "T", 9, civil_of(c->integer).ns, "Z'");
    } else if (c->type == CELL_NUMBER) {
        add_real(out, c->number);
    } else if (c->type == CELL_INTEGER || c->type == CELL_FLAG) {
        buf_add_i64(out, c->integer);
    } else {
        add_quoted(out, c->text);
    }
}

static void sqlite_begin(const struct table_layout *l, struct buf *out)
{
    (void)l;
    (void)out;
}

static void sqlite_row(const struct table_layout *l, struct cell_reader *r, uint32_t i,
                       struct buf *out)
{
    struct cell cell;

    buf_add_text(out, "INSERT INTO ");
    add_names(l, out);
    for (uint32_t c = 0; c < l->column_count; c++) {
        table_column_read(&l->columns[c], r, i, &cell);
        buf_add_text(out, c > 0 ? ", " : " VALUES (");
        add_sqlite_cell(&cell, out);
    }
    buf_add_text(out, ");\n");
}

const struct table_script table_script_sqlite = {
    .types = &table_sqlite,
    .says = "as sqlite3 would have it; the values are bound to the INSERT's parameters",
    .begin = "BEGIN IMMEDIATE;\n",
    .end = "COMMIT;\n",
    .rows_begin = sqlite_begin,
    .row = sqlite_row,
    .rows_end = "",
};
