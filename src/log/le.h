/*
 * le.h - little-endian integers in the log's files.
 *
 * Ownership: none, they are copied to and from bytes of any alignment. Threads: any. Limits: none;
 * the caller has looked that the bytes are there.
 */
#ifndef TELEX_LOG_LE_H
#define TELEX_LOG_LE_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void le_put16(unsigned char *p, uint16_t value)
{
    value = htole16(value);
    memcpy(p, &value, sizeof(value));
}

static inline void le_put32(unsigned char *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof(value));
}

static inline void le_put64(unsigned char *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof(value));
}

static inline uint16_t le_get16(const unsigned char *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof(value));
    return le16toh(value);
}

static inline uint32_t le_get32(const unsigned char *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return le32toh(value);
}

static inline uint64_t le_get64(const unsigned char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return le64toh(value);
}

#endif
