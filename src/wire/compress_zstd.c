/*
 * zstd. Unpacking streams, since a frame need not tell its size; the window is bounded, because it is
 * memory that the sender chooses.
 */
#include "wire/compress.h"

#include <zstd.h>

enum { LEVEL = 1, WINDOW_LOG_MAX = 23, STEP_BYTES = 64 * 1024 };

static bool pack(struct str in, struct buf *out, struct err *e)
{
    size_t bound = ZSTD_compressBound(in.len);
    char *room = ZSTD_isError(bound) ? NULL : buf_reserve(out, bound);

    if (room == NULL) {
        return err_set(e, ERR_LIMIT, "%zu bytes are too many to compress here", in.len);
    }
    size_t made = ZSTD_compress(room, bound, in.ptr, in.len, LEVEL);
    if (ZSTD_isError(made)) {
        return err_set(e, ERR_INTERNAL, "zstd does not compress: %s", ZSTD_getErrorName(made));
    }
    buf_added(out, made);
    return true;
}

static bool unpack_frames(ZSTD_DCtx *ctx, ZSTD_inBuffer *in, size_t max_bytes, struct buf *out,
                          struct err *e)
{
    size_t start = out->len;
    size_t wanted = 1; /* 0: a frame is complete */

    while (in->pos < in->size || wanted != 0) {
        size_t made = out->len - start;
        size_t step = max_bytes - made < STEP_BYTES ? max_bytes - made + 1 : STEP_BYTES;
        char *room = buf_reserve(out, step);
        if (room == NULL) {
            return err_set(e, ERR_LIMIT, "zstd body unpacks to more than %zu bytes", max_bytes);
        }
        ZSTD_outBuffer piece = {room, step, 0};
        size_t before = in->pos;
        wanted = ZSTD_decompressStream(ctx, &piece, in);
        if (ZSTD_isError(wanted)) {
            return err_set(e, ERR_PARSE, "not a zstd body: %s", ZSTD_getErrorName(wanted));
        }
        buf_added(out, piece.pos);
        if (out->len - start > max_bytes) {
            return err_set(e, ERR_LIMIT, "zstd body unpacks to more than %zu bytes", max_bytes);
        }
        if (piece.pos == 0 && in->pos == before && wanted != 0) {
            return err_set(e, ERR_PARSE, "zstd body ends early");
        }
    }
    return true;
}

static bool unpack(struct str in, size_t max_bytes, struct buf *out, struct err *e)
{
    size_t start = out->len;
    ZSTD_DCtx *ctx = max_bytes <= BUF_UNLIMITED ? ZSTD_createDCtx() : NULL;
    ZSTD_inBuffer input = {in.ptr, in.len, 0};

    if (ctx == NULL) {
        return err_set(e, ERR_INTERNAL, "zstd does not start");
    }
    (void)ZSTD_DCtx_setParameter(ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX);
    bool ok = unpack_frames(ctx, &input, max_bytes, out, e);
    (void)ZSTD_freeDCtx(ctx);
    if (!ok) {
        buf_truncate(out, start);
    }
    return ok;
}

const struct compression compression_zstd = {.name = "zstd", .pack = pack, .unpack = unpack};
const struct compression compression_zstd1 = {.name = "zstd1", .pack = pack, .unpack = unpack};
