#include "wire/parquet_encode.h"

#include "base/varint.h"
#include "wire/thrift_compact.h"

#include <string.h>

enum { GROUP = 8, RUN_MIN = 8 };

unsigned parquet_width(uint32_t max)
{
    return max == 0 ? 0 : 32 - (unsigned)__builtin_clz(max);
}

/* ---- bits ---- */

/* <count> values of <width> bits each, low bits first; the last byte is filled with zeros. */
static void add_packed(const uint64_t *values, size_t count, unsigned width, struct buf *out)
{
    size_t len = (count * width + 7) / 8;
    char *to = buf_reserve(out, len + sizeof(uint64_t));
    uint64_t bits = 0;
    unsigned have = 0;

    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bits |= values[i] << have;
        have += width;
        if (have >= 64) {
            memcpy(to, &bits, sizeof(bits));
            to += sizeof(bits);
            have -= 64;
            bits = have > 0 ? values[i] >> (width - have) : 0;
        }
    }
    memcpy(to, &bits, sizeof(bits));
    buf_added(out, len);
}

/* ---- runs ---- */

static size_t run_at(const uint32_t *values, size_t count)
{
    size_t len = 1;

    while (len < count && values[len] == values[0]) {
        len++;
    }
    return len;
}

static void add_run(uint32_t value, size_t len, unsigned width, struct buf *out)
{
    thrift_add_varint(out, (uint64_t)len << 1);
    buf_add(out, &value, (width + 7) / 8);
}

/* Do the next eight begin a run? */
static bool begins_run(const uint32_t *values, size_t count)
{
    if (count < RUN_MIN) {
        return false;
    }
    uint32_t differ = 0;
    for (size_t i = 1; i < RUN_MIN; i++) {
        differ |= values[i] ^ values[0];
    }
    return differ == 0;
}

/* Groups of eight until a run begins; only at the very end a group may be filled up. */
static size_t add_groups(const uint32_t *values, size_t count, unsigned width, struct buf *out)
{
    size_t taken = 0;

    while (taken < count && !begins_run(values + taken, count - taken)) {
        taken += GROUP;
    }
    size_t groups = taken / GROUP;
    size_t real = taken < count ? taken : count;
    thrift_add_varint(out, (uint64_t)groups << 1 | 1);
    for (size_t at = 0; at < real; at += 64) { /* 64 values end at a byte, whatever the width */
        uint64_t wide[64] = {0};
        size_t n = real - at < 64 ? real - at : 64;
        size_t padded = (n + GROUP - 1) / GROUP * GROUP;
        for (size_t i = 0; i < n; i++) {
            wide[i] = values[at + i];
        }
        add_packed(wide, padded, width, out);
    }
    return real;
}

void parquet_add_hybrid(const uint32_t *values, size_t count, unsigned width, struct buf *out)
{
    size_t at = 0;

    while (at < count) {
        if (begins_run(values + at, count - at) || width == 0) {
            size_t len = run_at(values + at, count - at);
            add_run(values[at], len, width, out);
            at += len;
        } else {
            at += add_groups(values + at, count - at, width, out);
        }
    }
}

/* ---- differences ---- */

enum { BLOCK = 128, MINI_BLOCKS = 4, MINI = BLOCK / MINI_BLOCKS };

static unsigned width_of(const uint64_t *values, size_t count)
{
    uint64_t all = 0;

    for (size_t i = 0; i < count; i++) {
        all |= values[i];
    }
    return all == 0 ? 0 : 64 - (unsigned)__builtin_clzll(all);
}

/* <count> differences, the smallest of which is said once. */
static void add_block(const int64_t *deltas, size_t count, struct buf *out)
{
    uint64_t above[BLOCK] = {0};
    unsigned char widths[MINI_BLOCKS] = {0};
    int64_t least = deltas[0];

    for (size_t i = 1; i < count; i++) {
        least = deltas[i] < least ? deltas[i] : least;
    }
    for (size_t i = 0; i < count; i++) {
        above[i] = (uint64_t)deltas[i] - (uint64_t)least;
    }
    for (size_t i = 0; i < MINI_BLOCKS; i++) {
        widths[i] = (unsigned char)width_of(above + i * MINI, MINI);
    }
    thrift_add_varint(out, varint_zigzag(least));
    buf_add(out, widths, sizeof(widths));
    for (size_t i = 0; i < MINI_BLOCKS && i * MINI < count; i++) {
        add_packed(above + i * MINI, MINI, widths[i], out);
    }
}

void parquet_add_deltas(const int64_t *values, size_t count, struct buf *out)
{
    int64_t deltas[BLOCK];

    thrift_add_varint(out, BLOCK);
    thrift_add_varint(out, MINI_BLOCKS);
    thrift_add_varint(out, count);
    thrift_add_varint(out, varint_zigzag(count > 0 ? values[0] : 0));
    for (size_t at = 1; at < count; at += BLOCK) {
        size_t n = count - at < BLOCK ? count - at : BLOCK;
        for (size_t i = 0; i < n; i++) {
            deltas[i] = (int64_t)((uint64_t)values[at + i] - (uint64_t)values[at + i - 1]);
        }
        add_block(deltas, n, out);
    }
}

void parquet_add_split(const void *values, size_t count, struct buf *out)
{
    const unsigned char *from = values;
    char *to = buf_reserve(out, count * 8);

    if (to == NULL) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < 8; k++) {
            to[k * count + i] = (char)from[i * 8 + k];
        }
    }
    buf_added(out, count * 8);
}
