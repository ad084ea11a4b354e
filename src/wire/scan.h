/*
 * scan.h - finding the few bytes that matter in a run of text, 16 at a time where there is SSE2.
 *
 * JSON, line protocol and Prometheus text spend their time looking for the end of a string. Ownership:
 * views only. Threads: any. Limits: never reads at or behind <end>.
 */
#ifndef TELEX_WIRE_SCAN_H
#define TELEX_WIRE_SCAN_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Is <c> a byte that ends the plain part of a JSON string: a quote, a backslash or a control? */
static inline bool scan_is_special(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

#ifdef __SSE2__
/* A bit per byte of <block> that scan_is_special(). */
static inline unsigned scan_special_bits(__m128i block)
{
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1F)), block);
    __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, slash)));
}

static inline __m128i scan_load(const char *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}
#endif

/* The first special byte from <p> on, or <end>. */
static inline const char *scan_special(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        unsigned bits = scan_special_bits(scan_load(p));
        if (bits != 0) {
            return p + __builtin_ctz(bits);
        }
    }
#endif
    while (p < end && !scan_is_special((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* The first byte from <p> on that is special or not ASCII, or <end>. */
static inline const char *scan_special_or_high(const char *p, const char *end)
{
#ifdef __SSE2__
    for (; end - p >= 16; p += 16) {
        __m128i block = scan_load(p);
        unsigned bits = scan_special_bits(block) | (unsigned)_mm_movemask_epi8(block);
        if (bits != 0) {
            return p + __builtin_ctz(bits);
        }
    }
#endif
    while (p < end && !scan_is_special((unsigned char)*p) && (unsigned char)*p < 0x80) {
        p++;
    }
    return p;
}

#ifdef __SSE2__
/* The bytes of a text of 4 to 15 bytes in one block; some stand twice, the rest are 'x'. */
static inline __m128i scan_load_short(const char *p, size_t len)
{
    if (len >= 8) {
        __m128i low = _mm_loadl_epi64((const __m128i *)(const void *)p);
        __m128i high = _mm_loadl_epi64((const __m128i *)(const void *)(p + len - 8));
        return _mm_unpacklo_epi64(low, high);
    }
    int32_t low;
    int32_t high;
    memcpy(&low, p, 4);
    memcpy(&high, p + len - 4, 4);
    return _mm_set_epi32(low, high, low, high);
}
/* The union of <bits_of> over a text of 4 bytes or more. */
static inline __attribute__((always_inline)) unsigned scan_all_bits(const char *p, size_t len,
                                                                    unsigned (*bits_of)(__m128i))
{
    if (len < 16) {
        return bits_of(scan_load_short(p, len));
    }
    unsigned bits = bits_of(scan_load(p + len - 16));
    for (size_t i = 0; i + 16 < len; i += 16) {
        bits |= bits_of(scan_load(p + i));
    }
    return bits;
}

static inline unsigned scan_special_or_high_bits(__m128i block)
{
    return scan_special_bits(block) | (unsigned)_mm_movemask_epi8(block);
}
#endif

#ifdef __SSE2__
static inline void scan_store(char *to, __m128i block)
{
    _mm_storeu_si128((__m128i *)(void *)to, block);
}

/*
 * Copies the text of 4 bytes or more and gives the union of <bits_of> over it: what is looked at is loaded
 * anyway, and short texts cost more in calls of memcpy() than in bytes.
 */
static inline __attribute__((always_inline)) unsigned scan_copy_bits(char *to, const char *p,
                                                                     size_t len,
                                                                     unsigned (*bits_of)(__m128i))
{
    unsigned bits = 0;

    if (len < 8) {
        int32_t low;
        int32_t high;
        memcpy(&low, p, 4);
        memcpy(&high, p + len - 4, 4);
        memcpy(to, &low, 4);
        memcpy(to + len - 4, &high, 4);
        return bits_of(_mm_set_epi32(low, high, low, high));
    }
    if (len < 16) {
        __m128i both = scan_load_short(p, len);
        _mm_storel_epi64((__m128i *)(void *)to, both);
        _mm_storel_epi64((__m128i *)(void *)(to + len - 8), _mm_srli_si128(both, 8));
        return bits_of(both);
    }
    for (size_t i = 0; i + 16 < len; i += 16) {
        __m128i block = scan_load(p + i);
        bits |= bits_of(block);
        scan_store(to + i, block);
    }
    __m128i last = scan_load(p + len - 16);
    scan_store(to + len - 16, last);
    return bits | bits_of(last);
}
#endif

/* Copies the text to <to>; is every byte of it ASCII and not special? */
static inline bool scan_copy_plain(char *to, const char *p, size_t len)
{
#ifdef __SSE2__
    if (len >= 4) {
        return scan_copy_bits(to, p, len, scan_special_or_high_bits) == 0;
    }
#endif
    bool plain = true;
    for (size_t i = 0; i < len; i++) {
        to[i] = p[i];
        plain = plain && !scan_is_special((unsigned char)p[i]) && (unsigned char)p[i] < 0x80;
    }
    return plain;
}

/* Is every byte of the text ASCII and not special? For texts as short as labels are. */
static inline bool scan_is_plain(const char *p, size_t len)
{
#ifdef __SSE2__
    if (len >= 4) {
        return scan_all_bits(p, len, scan_special_or_high_bits) == 0;
    }
#endif
    const char *end = p + len;
    while (p < end && !scan_is_special((unsigned char)*p) && (unsigned char)*p < 0x80) {
        p++;
    }
    return p == end;
}

#endif
