/*
 * line_file.h - what lines of JSON objects become when a file of them is complete: JSON lines, CSV, Parquet.
 *
 * Each format is a row of a table. One that wants to know all columns first looks at every line; then each line is
 * added, and the end is made. Bytes go to the caller's buf, which he empties as often as he likes. A line may be a short one
 * (short_line.h): what it refers to is mostly remembered, else read again.
 *
 * Ownership: a writer owns what it learned; lines are borrowed for the call. Threads: confined. Limits: those of
 * json_table.h and parquet.h.
 */
#ifndef TELEX_EXPORT_LINE_FILE_H
#define TELEX_EXPORT_LINE_FILE_H

#include "base/budget.h"
#include "base/buf.h"
#include "export/file_name.h"

/* Appends the line that begins at <at>; ERR_PARSE: there is none. */
typedef bool line_file_fetch(void *arg, uint64_t at, struct buf *out, struct err *e);

struct line_file_config {
    enum file_packing pages; /* of Parquet */
    struct budget *budget;   /* or NULL */
    size_t remember_bytes;   /* of what lines share; 0: JSON_SHAPES_BYTES */
    line_file_fetch *fetch;
    void *arg;
};

struct line_file;

struct line_file_ops {
    struct line_file *(*open)(const struct line_file_config *config);
    /* NULL: nothing to learn. <at>: where the line begins. False for a line that is no record; it is not to be added either. */
    bool (*look)(struct line_file *f, struct str line, uint64_t at, struct err *e);
    bool (*begin)(struct line_file *f, struct buf *out, struct err *e);
    bool (*add)(struct line_file *f, struct str line, uint64_t at, struct buf *out, struct err *e);
    bool (*end)(struct line_file *f, struct buf *out, struct err *e);
    void (*close)(struct line_file *f);
};

/* Records that had more members than a table has columns; they are in its column "rest". */
uint64_t line_file_rest(const struct line_file *f);

extern const struct line_file_ops *const line_files[FILE_FORMATS];

#endif
