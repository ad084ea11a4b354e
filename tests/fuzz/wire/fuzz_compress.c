/* The first byte chooses a compression; the rest is unpacked, and packed and unpacked again. */
#include "wire/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct compression *const all[] = {&compression_snappy, &compression_gzip,
                                                    &compression_zstd, &compression_deflate};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    if (size == 0) {
        return 0;
    }
    const struct compression *c = all[data[0] % ARRAY_LEN(all)];
    bool ok = c->unpack(str_make((const char *)data + 1, size - 1), MAX_BYTES, &out, &e);
    INVARIANT(ok || out.len == 0);
    INVARIANT(out.len <= MAX_BYTES);
    INVARIANT(c->pack(buf_str(&out), &packed, &e));
    INVARIANT(c->unpack(buf_str(&packed), MAX_BYTES, &back, &e));
    INVARIANT(str_eq(buf_str(&out), buf_str(&back)));
    return 0;
}
