#include "wire/msgpack.h"

#include <string.h>

/* A type byte and the low <bytes> bytes of a number, the highest first. */
static void put(struct buf *out, unsigned type, uint64_t value, unsigned bytes)
{
    buf_add_byte(out, (char)type);
    for (unsigned i = bytes; i > 0; i--) {
        buf_add_byte(out, (char)(value >> (8 * (i - 1)) & 0xFF));
    }
}

/* Short counts are part of the type; others are of 16 or 32 bits. */
static void put_count(struct buf *out, unsigned fix, unsigned type16, uint32_t count)
{
    if (count < 16) {
        put(out, fix | count, 0, 0);
    } else if (count <= UINT16_MAX) {
        put(out, type16, count, 2);
    } else {
        put(out, type16 + 1, count, 4);
    }
}

void msgpack_add_array(struct buf *out, uint32_t count)
{
    put_count(out, 0x90, 0xDC, count);
}

void msgpack_add_map(struct buf *out, uint32_t count)
{
    put_count(out, 0x80, 0xDE, count);
}

void msgpack_add_str(struct buf *out, struct str text)
{
    if (text.len < 32) {
        put(out, 0xA0 | (unsigned)text.len, 0, 0);
    } else if (text.len <= UINT8_MAX) {
        put(out, 0xD9, text.len, 1);
    } else if (text.len <= UINT16_MAX) {
        put(out, 0xDA, text.len, 2);
    } else {
        put(out, 0xDB, text.len, 4);
    }
    buf_add_str(out, text);
}

void msgpack_add_u64(struct buf *out, uint64_t value)
{
    static const uint64_t most[] = {UINT8_MAX, UINT16_MAX, UINT32_MAX};
    unsigned size = 0;

    if (value < 128) {
        put(out, (unsigned)value, 0, 0);
        return;
    }
    while (size < ARRAY_LEN(most) && value > most[size]) {
        size++;
    }
    put(out, 0xCC + size, value, 1U << size);
}

void msgpack_add_i64(struct buf *out, int64_t value)
{
    static const int64_t least[] = {INT8_MIN, INT16_MIN, INT32_MIN};
    unsigned size = 0;

    if (value >= 0) {
        msgpack_add_u64(out, (uint64_t)value);
        return;
    }
    if (value >= -32) {
        put(out, 0xE0 | ((unsigned)value & 0x1F), 0, 0);
        return;
    }
    while (size < ARRAY_LEN(least) && value < least[size]) {
        size++;
    }
    put(out, 0xD0 + size, (uint64_t)value, 1U << size);
}

void msgpack_add_double(struct buf *out, double value)
{
    uint64_t bits = 0;

    memcpy(&bits, &value, sizeof(bits));
    put(out, 0xCB, bits, 8);
}
