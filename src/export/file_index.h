/*
 * file_index.h - a line of JSON per file that is complete: who collects files reads here which are.
 *
 *   {"name":"x-20240115T103000Z.csv.gz","format":"csv","compression":"gzip","records":1200,"bytes":20311,
 *    "from":"2024-01-15T10:30:00Z","to":"2024-01-15T11:29:45Z","sha256":"..."}
 *
 * A line is appended and synced when the file of that name is in its place, whole and synced. <from> and <to> are the
 * first and last "timestamp" of its records; null where they have none.
 *
 * Ownership: the caller's. Threads: confined; whoever appends holds the exporter's lock. Limits: FILE_INDEX_LOOK bytes of
 * the index's end are looked at.
 */
#ifndef TELEX_EXPORT_FILE_INDEX_H
#define TELEX_EXPORT_FILE_INDEX_H

#include "base/fs.h"
#include "export/file_name.h"

enum { FILE_INDEX_LOOK = 1024 * 1024, FILE_INDEX_HASH = 32 };

struct file_index_entry {
    struct str name;
    struct file_kind kind;
    enum file_packing packing; /* of the file or its pages */
    uint64_t records;
    uint64_t left_out; /* lines that could not be written; said when there are any */
    uint64_t rest;     /* records with members in the column "rest"; said when there are any */
    int64_t bytes;
    int64_t from_ns; /* INT64_MAX: none */
    int64_t to_ns;
    uint8_t sha256[FILE_INDEX_HASH];
};

/* Appends the line, unless one of this name and content is near the end already. */
MUST_USE bool file_index_add(const struct fs *fs, const char *folder, const char *path,
                             const struct file_index_entry *entry, struct err *e);

/* Is a file of this name and content told of? */
MUST_USE bool file_index_has(const struct fs *fs, const char *path,
                             const struct file_index_entry *entry, bool *ret_has, struct err *e);

#endif
