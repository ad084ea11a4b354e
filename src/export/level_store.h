/*
 * level_store.h - what targets were told, as bytes that outlive the program.
 *
 * Written when a program ends in order, read and removed when the next one starts: so a restart tells nothing again. A
 * program that was killed leaves none, and everything is told once more.
 *
 * The bytes: magic, version, flags, a hash of how labels of alerts are made; for each target its URL and for each
 * alert its key, when it was told (wall clock) and whether it fired; a CRC32C. All little-endian.
 *
 * Ownership: memories that are read become the visitor's. Threads: any. Limits: LEVEL_STORE_MAX bytes.
 */
#ifndef TELEX_EXPORT_LEVEL_STORE_H
#define TELEX_EXPORT_LEVEL_STORE_H

#include "base/buf.h"
#include "base/err.h"
#include "export/level.h"

enum { LEVEL_STORE_MAX = 256 * 1024 * 1024 };

/* What stands between the two clocks. */
struct level_store_time {
    int64_t wall_ns;
    int64_t mono_ns; /* at the same moment */
};

void level_store_begin(struct buf *out, uint64_t words);
void level_store_add(struct buf *out, struct str url, const struct level_memory *memory,
                     struct level_store_time now);
void level_store_end(struct buf *out);

/* Visits the memories in <bytes>; nothing when labels are made in another way now than <words> says. False when the
 * bytes are broken. */
MUST_USE bool level_store_read(struct str bytes, uint64_t words, struct level_store_time now,
                               void (*visit)(void *arg, struct str url,
                                             struct level_memory *memory),
                               void *arg, struct err *e);

#endif
