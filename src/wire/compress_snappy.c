#include "wire/compress.h"

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

const struct compression compression_snappy = {.name = "snappy", .pack = pack, .unpack = unpack};
