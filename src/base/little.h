/*
 * little.h - numbers of 32 and 64 bits as little-endian bytes, for files of our own.
 *
 * Ownership: the caller's bytes. Threads: any. Limits: none.
 */
#ifndef TELEX_BASE_LITTLE_H
#define TELEX_BASE_LITTLE_H

#include "base/buf.h"

#include <stdint.h>

static inline void little_put_u32(struct buf *out, uint32_t v)
{
    const unsigned char bytes[4] = {(unsigned char)v, (unsigned char)(v >> 8),
                                    (unsigned char)(v >> 16), (unsigned char)(v >> 24)};

    buf_add(out, bytes, sizeof(bytes));
}

static inline void little_put_u64(struct buf *out, uint64_t v)
{
    little_put_u32(out, (uint32_t)v);
    little_put_u32(out, (uint32_t)(v >> 32));
}

static inline uint32_t little_u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;

    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint64_t little_u64(const char *p)
{
    return (uint64_t)little_u32(p) | (uint64_t)little_u32(p + 4) << 32;
}

#endif
