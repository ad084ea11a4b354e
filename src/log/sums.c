/*
 * What of a segment is for whom, as a frame before the footer.
 *
 * The payload is entry_bytes u32 | entries u32 | zero u64 | an entry for each bit of the footer's mask, lowest first:
 * count u64 | bytes i64 | first_seq u64 | first_ns i64. A reader takes entries longer than it knows and leaves the rest of
 * them, and what comes behind the entries, alone.
 */
#include "base/crc32c.h"
#include "log/frame.h"
#include "log/le.h"

enum { PREFIX_BYTES = 16, ENTRY_BYTES = 32 };

static void entry_put(unsigned char *p, const struct bit_sum *sum)
{
    le_put64(p, sum->count);
    le_put64(p + 8, (uint64_t)sum->bytes);
    le_put64(p + 16, sum->first_seq);
    le_put64(p + 24, (uint64_t)sum->first_ns);
}

static struct bit_sum entry_get(const unsigned char *p)
{
    return (struct bit_sum){
        .count = le_get64(p),
        .bytes = (int64_t)le_get64(p + 8),
        .first_seq = le_get64(p + 16),
        .first_ns = (int64_t)le_get64(p + 24),
    };
}

uint32_t sums_encode(const struct footer *f, uint32_t salt, unsigned char out[SUMS_BYTES_MAX])
{
    unsigned char *payload = out + FRAME_HEADER_BYTES;
    uint32_t entries = 0;

    memset(payload, 0, PREFIX_BYTES);
    for (uint64_t rest = f->mask; rest != 0; rest &= rest - 1) {
        size_t at = PREFIX_BYTES + (size_t)ENTRY_BYTES * entries++;
        entry_put(payload + at, &f->of_bit[__builtin_ctzll(rest)]);
    }
    le_put32(payload, ENTRY_BYTES);
    le_put32(payload + 4, entries);
    struct frame_header header = {
        .length = PREFIX_BYTES + ENTRY_BYTES * entries,
        .type = LOG_TYPE_SUMS,
        .time_ns = f->newest_ns,
    };
    header.payload_crc = crc32c(0, payload, header.length);
    frame_header_encode(&header, salt, out);
    return FRAME_HEADER_BYTES + header.length;
}

/* Is it a frame of sums, whole, with an entry for each of <entries> bits? */
static bool is_sums(const unsigned char *in, size_t len, uint32_t salt, uint32_t entries)
{
    const unsigned char *payload = in + FRAME_HEADER_BYTES;
    struct frame_header h;

    if (len < FRAME_HEADER_BYTES + PREFIX_BYTES || !frame_header_decode(in, salt, &h) ||
        h.type != LOG_TYPE_SUMS || (size_t)frame_bytes(h.length) != len ||
        crc32c(0, payload, h.length) != h.payload_crc) {
        return false;
    }
    uint32_t entry_bytes = le_get32(payload);
    return h.length >= PREFIX_BYTES && le_get32(payload + 4) == entries &&
           entry_bytes >= ENTRY_BYTES && (uint64_t)entry_bytes * entries <= h.length - PREFIX_BYTES;
}

bool sums_decode(const unsigned char *in, size_t len, uint32_t salt, struct footer *f)
{
    uint32_t entries = (uint32_t)__builtin_popcountll(f->mask);

    memset(f->of_bit, 0, sizeof(f->of_bit));
    if (!is_sums(in, len, salt, entries)) {
        return false;
    }
    const unsigned char *payload = in + FRAME_HEADER_BYTES;
    const unsigned char *entry = payload + PREFIX_BYTES;
    for (uint64_t rest = f->mask; rest != 0; rest &= rest - 1) {
        struct bit_sum sum = entry_get(entry);
        if (sum.count > f->count || sum.bytes < 0 || (uint64_t)sum.bytes > f->end) {
            memset(f->of_bit, 0, sizeof(f->of_bit));
            return false;
        }
        f->of_bit[__builtin_ctzll(rest)] = sum;
        entry += le_get32(payload);
    }
    return true;
}
