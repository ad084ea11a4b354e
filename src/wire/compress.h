/*
 * compress.h - the compressions that protocols use, behind one table: snappy (block form), gzip, deflate
 * (zlib's form, as HTTP means it), zstd; zstd1 is what Datadog calls zstd.
 *
 * Whole bodies in memory, both ways. Ownership: output is appended to the caller's buf. Threads: any.
 * Limits: unpacking gives at most <max_bytes> and says LIMIT beyond that, before it takes the memory where
 * the format tells its size; packing is limited by the buf.
 */
#ifndef TELEX_WIRE_COMPRESS_H
#define TELEX_WIRE_COMPRESS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

struct compression {
    const char *name; /* as in Content-Encoding */
    bool (*pack)(struct str in, struct buf *out, struct err *e);
    bool (*unpack)(struct str in, size_t max_bytes, struct buf *out, struct err *e);
};

extern const struct compression compression_snappy;
extern const struct compression compression_gzip;
extern const struct compression compression_deflate;
extern const struct compression compression_zstd;
extern const struct compression compression_zstd1;

/*
 * Appends one block that unpacks to what <parts> unpack to, one behind the other. Nothing is unpacked for
 * it: references of a block reach back into that block only, so blocks may stand side by side behind a
 * common length. False when a part is no block, or when all are more than <max_bytes> unpacked.
 */
MUST_USE bool snappy_join(const struct str *parts, size_t count, size_t max_bytes, struct buf *out,
                          struct err *e);

/* By its name, in any case; "x-gzip" too. NULL when there is none that we take. */
const struct compression *compression_find(struct str name);

#endif
