/* What targets were told, from a file that may be broken: read or refused, with a checksum that fits. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "export/level_store.h"
#include "log/le.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void let_go(void *arg, struct str url, struct level_memory *memory)
{
    size_t *bytes = arg;

    *bytes += url.len;
    level_memory_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct level_store_time now = {.wall_ns = 1, .mono_ns = 1};
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    unsigned char crc[4];
    struct err e = ERR_INIT;
    size_t seen = 0;

    buf_add(&bytes, data, size);
    le_put32(crc, crc32c(0, data, size));
    buf_add(&bytes, crc, sizeof(crc));
    INVARIANT(level_store_read(buf_str(&bytes), 0, now, let_go, &seen, &e) || e.code != ERR_NONE);
    INVARIANT(seen <= size);
    return 0;
}
