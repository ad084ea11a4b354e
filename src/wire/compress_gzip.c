/*
 * gzip and deflate by zlib. A gzip body may hold several members one behind the other, as concatenated files do;
 * one of deflate is read the same way.
 */
#include "wire/compress.h"

#include <zlib.h>

enum {
    LEVEL = 3, /* bodies are repetitive: higher levels cost much and save little */
    WINDOW_ZLIB = 15,
    WINDOW_GZIP = WINDOW_ZLIB + 16,
    MEMORY = 8,
    STEP_BYTES = 64 * 1024,
    PIECE_MAX = 1 << 30, /* zlib counts in 32 bits */
};

static void set_input(z_stream *z, struct str in)
{
    z->next_in = (z_const Bytef *)(uintptr_t)in.ptr;
    z->avail_in = (uInt)in.len;
}

static bool pack(struct str in, int window, struct buf *out, struct err *e)
{
    z_stream z = {0};

    if (in.len > PIECE_MAX) {
        return err_set(e, ERR_LIMIT, "%zu bytes are too many for one body", in.len);
    }
    if (deflateInit2(&z, LEVEL, Z_DEFLATED, window, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        return err_set(e, ERR_INTERNAL, "zlib does not start");
    }
    uLong bound = deflateBound(&z, in.len);
    char *room = buf_reserve(out, bound);
    int result = Z_MEM_ERROR;
    if (room != NULL) {
        set_input(&z, in);
        z.next_out = (Bytef *)room;
        z.avail_out = (uInt)bound;
        result = deflate(&z, Z_FINISH);
        buf_added(out, (size_t)z.total_out);
    }
    (void)deflateEnd(&z);
    return result == Z_STREAM_END ||
           err_set(e, ERR_LIMIT, "%zu bytes are too many to compress here", in.len);
}

/* Room for the next piece of output, within <max_bytes>; false at the limit. */
static bool give_room(z_stream *z, struct buf *out, size_t left)
{
    size_t step = left < STEP_BYTES ? left : STEP_BYTES;
    char *room = step > 0 ? buf_reserve(out, step) : NULL;

    z->next_out = (Bytef *)room;
    z->avail_out = (uInt)step;
    return room != NULL;
}

/* One call of inflate into <out>. */
static int inflate_step(z_stream *z, struct buf *out)
{
    uInt room = z->avail_out;
    int result = inflate(z, Z_NO_FLUSH);

    buf_added(out, room - z->avail_out);
    return result;
}

static bool unpack_members(z_stream *z, size_t max_bytes, struct buf *out, struct err *e)
{
    size_t start = out->len;

    for (;;) {
        size_t made = out->len - start;
        /* One byte more than allowed, to tell a body of just that size from a larger one. */
        if (made > max_bytes || !give_room(z, out, max_bytes - made + 1)) {
            return err_set(e, ERR_LIMIT, "compressed body unpacks to more than %zu bytes",
                           max_bytes);
        }
        int result = inflate_step(z, out);
        if (result == Z_STREAM_END) {
            if (z->avail_in == 0) {
                return out->len - start <= max_bytes ||
                       err_set(e, ERR_LIMIT, "compressed body unpacks to more than %zu bytes",
                               max_bytes);
            }
            result = inflateReset(z);
        } else if (result == Z_OK && z->avail_in == 0 && z->avail_out > 0) {
            return err_set(e, ERR_PARSE, "compressed body ends early");
        }
        if (result != Z_OK) {
            return err_set(e, ERR_PARSE, "not a gzip or deflate body: %s",
                           z->msg != NULL ? z->msg : "it ends early");
        }
    }
}

static bool unpack(struct str in, int window, size_t max_bytes, struct buf *out, struct err *e)
{
    z_stream z = {0};
    size_t start = out->len;

    if (in.len > PIECE_MAX || max_bytes > BUF_UNLIMITED) {
        return err_set(e, ERR_LIMIT, "compressed body of %zu bytes is too large", in.len);
    }
    if (inflateInit2(&z, window) != Z_OK) {
        return err_set(e, ERR_INTERNAL, "zlib does not start");
    }
    set_input(&z, in);
    bool ok = unpack_members(&z, max_bytes, out, e);
    (void)inflateEnd(&z);
    if (!ok) {
        buf_truncate(out, start);
    }
    return ok;
}

static bool pack_gzip(struct str in, struct buf *out, struct err *e)
{
    return pack(in, WINDOW_GZIP, out, e);
}

static bool unpack_gzip(struct str in, size_t max_bytes, struct buf *out, struct err *e)
{
    return unpack(in, WINDOW_GZIP, max_bytes, out, e);
}

static bool pack_deflate(struct str in, struct buf *out, struct err *e)
{
    return pack(in, WINDOW_ZLIB, out, e);
}

static bool unpack_deflate(struct str in, size_t max_bytes, struct buf *out, struct err *e)
{
    return unpack(in, WINDOW_ZLIB, max_bytes, out, e);
}

const struct compression compression_gzip = {
    .name = "gzip", .pack = pack_gzip, .unpack = unpack_gzip};
const struct compression compression_deflate = {
    .name = "deflate", .pack = pack_deflate, .unpack = unpack_deflate};
