/*
 * parquet.h - a writer of Parquet files: columns of optional values, row group by row group.
 *
 * A row is one parquet_put_*() per column and parquet_end_row(), which appends a row group to the caller's buf when there
 * is enough for one; parquet_finish() appends the rest and the footer. Values that repeat go into a dictionary per column
 * and row group where that is smaller; times and integers are else stored as differences, numbers with their bytes
 * apart (under zstd and gzip). Chunks have statistics, pages a CRC.
 *
 * Ownership: a writer owns what it holds, texts are copied; column names are borrowed. Threads: confined. Limits: a row group has
 * about <group_bytes> of values in memory, three times of which is taken from the budget; PARQUET_ROWS_MAX rows.
 */
#ifndef TELEX_WIRE_PARQUET_H
#define TELEX_WIRE_PARQUET_H

#include "base/budget.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PARQUET_ROWS_MAX = 1000 * 1000, PARQUET_GROUP_BYTES = 32 * 1024 * 1024 };

enum parquet_type {
    PARQUET_FLAG,
    PARQUET_INTEGER, /* 64 bits */
    PARQUET_NUMBER,  /* a double */
    PARQUET_TIME,    /* microseconds, UTC; what readers like most */
    PARQUET_TIME_NS, /* nanoseconds */
    PARQUET_TEXT,
    PARQUET_TYPES
};

enum parquet_codec { PARQUET_NONE, PARQUET_SNAPPY, PARQUET_GZIP, PARQUET_ZSTD, PARQUET_CODECS };

struct parquet_column {
    struct str name;
    enum parquet_type type;
};

struct parquet_pair {
    struct str name;
    struct str value;
};

struct parquet_config {
    const struct parquet_column *columns;
    size_t column_count;
    enum parquet_codec codec;
    size_t group_bytes;               /* 0: PARQUET_GROUP_BYTES */
    struct budget *budget;            /* or NULL */
    const struct parquet_pair *about; /* metadata of the file */
    size_t about_count;
};

struct parquet_writer;

/* False when the budget has no room. */
MUST_USE bool parquet_open(const struct parquet_config *config, struct parquet_writer **ret_writer,
                           struct err *e);
void parquet_close(struct parquet_writer *w); /* NULL is fine */

void parquet_put_null(struct parquet_writer *w, size_t column);
void parquet_put_i64(struct parquet_writer *w, size_t column, int64_t value); /* flags too */
void parquet_put_time(struct parquet_writer *w, size_t column, int64_t wall_ns);
void parquet_put_number(struct parquet_writer *w, size_t column, double value);
void parquet_put_text(struct parquet_writer *w, size_t column, struct str value);

/*
 * The same in two steps, for texts that come again and again: the number stands for the text as long as
 * parquet_group() is the same.
 */
uint32_t parquet_intern(struct parquet_writer *w, size_t column, struct str value);
void parquet_put_interned(struct parquet_writer *w, size_t column, uint32_t number);
uint32_t parquet_group(const struct parquet_writer *w);

MUST_USE bool parquet_end_row(struct parquet_writer *w, struct buf *out, struct err *e);
MUST_USE bool parquet_finish(struct parquet_writer *w, struct buf *out, struct err *e);

#endif
