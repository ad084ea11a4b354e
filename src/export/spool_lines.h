/*
 * spool_lines.h - the lines of a spool that becomes a table: samples that were there before are short (wire/short_line.h).
 *
 * The first sample of a series is written as JSON, those that come later in the same spool refer to it. What may be referred
 * to is known for one spool and lines that are on disk: who writes says before each write where it begins and after it
 * whether it is there. All other records are JSON.
 *
 *   spool_lines_begin(l, spool, at); spool_lines_add(l, objects, row, part, out) ...; spool_lines_end(l, is_there)
 *
 * Ownership: keys are copied. Threads: confined to a leaf. Limits: <bytes_max> of what whoever reads the spool
 * remembers (json_shape.h), which is more than what is known here; then further series are written as JSON each time.
 */
#ifndef TELEX_EXPORT_SPOOL_LINES_H
#define TELEX_EXPORT_SPOOL_LINES_H

#include "base/buf.h"
#include "wire/record_json.h"

#include <stdint.h>

/* Less than JSON_SHAPES_BYTES, since a restart begins anew in a spool that has models already. */
enum { SPOOL_LINES_BYTES = 112 * 1024 * 1024 };

struct spool_lines;

struct spool_lines *spool_lines_new(size_t bytes_max);
void spool_lines_free(struct spool_lines *l); /* NULL is fine */

/* The next lines go to <at> of spool number <spool>, into an empty buf. */
void spool_lines_begin(struct spool_lines *l, uint64_t spool, int64_t at);

/* Appends object <part> of row <i>, with the end of its line. */
void spool_lines_add(struct spool_lines *l, struct record_objects *objects, uint32_t i,
                     uint32_t part, struct buf *out);

/* The lines are in the spool, synced, or not. Gives the bytes that they would have had more as JSON. */
int64_t spool_lines_end(struct spool_lines *l, bool is_there);

#endif
