/*
 * varint.h - protobuf's base-128 integers: seven bits a byte, lowest first, high bit says "more".
 *
 * Label sets and every protobuf codec are made of them, so they live on the ground floor.
 * Ownership: values. Threads: any. Limits: VARINT_MAX bytes; a longer one, or one whose tenth byte
 * holds more than the 64th bit, does not decode.
 */
#ifndef TELEX_BASE_VARINT_H
#define TELEX_BASE_VARINT_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VARINT_MAX = 10 };

/* Bytes that <value> takes. */
static inline size_t varint_size(uint64_t value)
{
    return ((size_t)(63 - __builtin_clzll(value | 1)) * 9 + 73) / 64;
}

/* Writes <value> at <out>, which has room for VARINT_MAX bytes; gives the byte after it. */
static inline char *varint_put(char *out, uint64_t value)
{
    while (value >= 0x80) {
        *out++ = (char)(value | 0x80);
        value >>= 7;
    }
    *out++ = (char)value;
    return out;
}

/* The rest of varint_get() for more than one byte. */
static inline bool varint_get_long(const char **at, const char *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    const char *p = *at;

    for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
        uint64_t byte = (unsigned char)*p++;
        if (shift == 63 && byte > 1) {
            return false;
        }
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *at = p;
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* Reads a value and moves <at> behind it; false (nothing moved) when there is none before <end>. */
static inline bool varint_get(const char **at, const char *end, uint64_t *ret_value)
{
    if (likely(*at < end && (unsigned char)**at < 0x80)) {
        *ret_value = (unsigned char)*(*at)++;
        return true;
    }
    return varint_get_long(at, end, ret_value);
}

/* Signed values near zero as small unsigned ones, and back (sint64). */
static inline uint64_t varint_zigzag(int64_t value)
{
    return ((uint64_t)value << 1) ^ (0 - ((uint64_t)value >> 63));
}

static inline int64_t varint_unzigzag(uint64_t value)
{
    return (int64_t)((value >> 1) ^ (0 - (value & 1)));
}

#endif
