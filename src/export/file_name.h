/*
 * file_name.h - names of files that are made one after the other, from a template of the config.
 *
 *   profiling-{timestamp}-{hostname}.jsonl.gz
 *
 * {timestamp} is when the file began (20240115T103000Z), {date} and {hour} are parts of it, {unix} the same as seconds;
 * {hostname}, {pid} and {name} (of the exporter) are what they say. What a name may not have (a slash, a control
 * character) becomes '-'. The extension says what is in a file; it is added where the template has none.
 *
 * Ownership: texts are the caller's. Threads: any; pure. Limits: FILE_NAME_MAX bytes.
 */
#ifndef TELEX_EXPORT_FILE_NAME_H
#define TELEX_EXPORT_FILE_NAME_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { FILE_NAME_MAX = 160 };

/* What is in a file; extensions say it, and a file that a crash left is finished by what its name says. */
enum file_format { FORMAT_JSONL, FORMAT_CSV, FORMAT_PARQUET, FILE_FORMATS };
enum file_packing { PACKING_NONE, PACKING_GZIP, PACKING_ZSTD, PACKING_SNAPPY, FILE_PACKINGS };

extern const char *const file_format_names[FILE_FORMATS + 1];
extern const char *const file_packing_names[FILE_PACKINGS + 1];

struct file_kind {
    enum file_format format;
    enum file_packing
        packing; /* of the whole file; of Parquet always PACKING_NONE, it packs its pages */
};

struct file_name_facts {
    int64_t began_ns; /* wall */
    struct str hostname;
    struct str exporter;
    int64_t pid;
};

/* ".jsonl.gz" */
void file_name_add_extension(struct file_kind kind, struct buf *out);

/* What the extensions of a name say; false when they say nothing. */
bool file_name_kind(struct str name, struct file_kind *ret_kind);

/* Appends what a template makes of an exporter's name and what is in a file, all else as it is: two that are the same make
 * the same names. */
void file_name_add_family(struct str pattern, struct file_kind kind, struct str exporter,
                          struct buf *out);

/* Does a template make names of files of that kind? */
MUST_USE bool file_name_check(struct str pattern, struct file_kind kind, struct err *e);

/* Appends the name; <again> of 1 and more makes another one of it: x-1.jsonl.gz. */
void file_name_add(struct str pattern, struct file_kind kind, const struct file_name_facts *facts,
                   unsigned again, struct buf *out);

#endif
