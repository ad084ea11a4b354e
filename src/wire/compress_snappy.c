#include "wire/compress.h"

#include "base/varint.h"

#include <snappy-c.h>

static bool pack(struct str in, struct buf *out, struct err *e)
{
    size_t len = snappy_max_compressed_length(in.len);
    char *room = buf_reserve(out, len);

    if (room == NULL) {
        return err_set(e, ERR_LIMIT, "%zu bytes are too many to compress here", in.len);
    }
    if (snappy_compress(in.ptr ? in.ptr : "", in.len, room, &len) != SNAPPY_OK) {
        return err_set(e, ERR_INTERNAL, "snappy does not compress");
    }
    buf_added(out, len);
    return true;
}

static bool unpack(struct str in, size_t max_bytes, struct buf *out, struct err *e)
{
    const char *bytes = in.ptr ? in.ptr : "";
    size_t len;

    if (snappy_uncompressed_length(bytes, in.len, &len) != SNAPPY_OK) {
        return err_set(e, ERR_PARSE, "not a snappy block: no length in front");
    }
    char *room = len <= max_bytes ? buf_reserve(out, len) : NULL;
    if (room == NULL) {
        return err_set(e, ERR_LIMIT, "snappy block of %zu bytes, at most %zu are taken", len,
                       max_bytes);
    }
    if (snappy_uncompress(bytes, in.len, room, &len) != SNAPPY_OK) {
        return err_set(e, ERR_PARSE, "snappy block of %zu bytes is broken", in.len);
    }
    buf_added(out, len);
    return true;
}

/* Adds what a sound block unpacks to to *total. */
static bool add_length(struct str block, uint64_t *total, struct err *e)
{
    const char *at = block.ptr ? block.ptr : "";
    const char *end = at + block.len;
    uint64_t len = 0;

    if (snappy_validate_compressed_buffer(at, block.len) != SNAPPY_OK ||
        !varint_get(&at, end, &len)) {
        return err_set(e, ERR_PARSE, "snappy block of %zu bytes is broken", block.len);
    }
    *total += len;
    return true;
}

bool snappy_join(const struct str *parts, size_t count, size_t max_bytes, struct buf *out,
                 struct err *e)
{
    size_t packed = VARINT_MAX;
    uint64_t total = 0;

    for (size_t i = 0; i < count; i++) {
        if (!add_length(parts[i], &total, e)) {
            return false;
        }
        packed += parts[i].len;
    }
    char *room = total <= max_bytes ? buf_reserve(out, packed) : NULL;
    if (room == NULL) {
        return err_set(e, ERR_LIMIT, "snappy blocks of %llu bytes, at most %zu are taken",
                       (unsigned long long)total, max_bytes);
    }
    char *to = varint_put(room, total);
    for (size_t i = 0; i < count; i++) {
        const char *at = parts[i].ptr;
        const char *end = at + parts[i].len;
        (void)varint_get(&at, end, &total);
        memcpy(to, at, (size_t)(end - at));
        to += end - at;
    }
    buf_added(out, (size_t)(to - room));
    return true;
}

const struct compression compression_snappy = {.name = "snappy", .pack = pack, .unpack = unpack};
