/*
 * The CRC of a byte string is linear over XOR, which gives both forms here.
 *
 * Tables: slice k maps a byte to its CRC followed by k zero bytes. An entry is the XOR of the entries of its single bits,
 * so eight constants per slice are written down and the compiler makes the other 248.
 *
 * Hardware: the instruction takes 8 bytes but answers after 3 cycles, so three neighbouring stripes are run at once and
 * joined: the CRC of a stripe is moved over the bytes behind it by one multiplication with a power of x (modulo the
 * polynomial), x^(8 n - 33), where 33 makes up for the bit order and for the instruction's own shift by 32.
 */
#include "base/crc32c.h"

#include "base/attr.h"

#include <string.h>

#define BIT(i, b, constant) (((i) >> (b)) & 1 ? UINT32_C(constant) : 0)
#define ENTRY(i, a, b, c, d, e, f, g, h)                                                       \
    (BIT(i, 0, a) ^ BIT(i, 1, b) ^ BIT(i, 2, c) ^ BIT(i, 3, d) ^ BIT(i, 4, e) ^ BIT(i, 5, f) ^ \
     BIT(i, 6, g) ^ BIT(i, 7, h))
#define ENTRY_4(i, ...)                                                              \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__), \
        ENTRY((i) + 3, __VA_ARGS__)
#define ENTRY_16(i, ...)                                                                   \
    ENTRY_4(i, __VA_ARGS__), ENTRY_4((i) + 4, __VA_ARGS__), ENTRY_4((i) + 8, __VA_ARGS__), \
        ENTRY_4((i) + 12, __VA_ARGS__)
#define ENTRY_64(i, ...)                                                                        \
    ENTRY_16(i, __VA_ARGS__), ENTRY_16((i) + 16, __VA_ARGS__), ENTRY_16((i) + 32, __VA_ARGS__), \
        ENTRY_16((i) + 48, __VA_ARGS__)
#define SLICE(...)                                                                       \
    {                                                                                    \
        ENTRY_64(0, __VA_ARGS__), ENTRY_64(64, __VA_ARGS__), ENTRY_64(128, __VA_ARGS__), \
            ENTRY_64(192, __VA_ARGS__)                                                   \
    }

static const uint32_t slices[8][256] = {
    SLICE(0xF26B8303, 0xE13B70F7, 0xC79A971F, 0x8AD958CF, 0x105EC76F, 0x20BD8EDE, 0x417B1DBC,
          0x82F63B78),
    SLICE(0x13A29877, 0x274530EE, 0x4E8A61DC, 0x9D14C3B8, 0x3FC5F181, 0x7F8BE302, 0xFF17C604,
          0xFBC3FAF9),
    SLICE(0xA541927E, 0x4F6F520D, 0x9EDEA41A, 0x38513EC5, 0x70A27D8A, 0xE144FB14, 0xC76580D9,
          0x8B277743),
    SLICE(0xDD45AAB8, 0xBF672381, 0x7B2231F3, 0xF64463E6, 0xE964B13D, 0xD725148B, 0xABA65FE7,
          0x52A0C93F),
    SLICE(0x38116FAC, 0x7022DF58, 0xE045BEB0, 0xC5670B91, 0x8F2261D3, 0x1BA8B557, 0x37516AAE,
          0x6EA2D55C),
    SLICE(0xEF306B19, 0xDB8CA0C3, 0xB2F53777, 0x6006181F, 0xC00C303E, 0x85F4168D, 0x0E045BEB,
          0x1C08B7D6),
    SLICE(0x68032CC8, 0xD0065990, 0xA5E0C5D1, 0x4E2DFD53, 0x9C5BFAA6, 0x3D5B83BD, 0x7AB7077A,
          0xF56E0EF4),
    SLICE(0x493C7D27, 0x9278FA4E, 0x211D826D, 0x423B04DA, 0x847609B4, 0x0D006599, 0x1A00CB32,
          0x34019664),
};

static uint64_t load_le64(const unsigned char *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    value = __builtin_bswap64(value);
#endif
    return value;
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    crc = ~crc;
    for (; len >= 8; len -= 8, p += 8) {
        uint64_t word = load_le64(p) ^ crc;
        crc = 0;
        for (size_t k = 0; k < 8; k++) {
            crc ^= slices[7 - k][(word >> (8 * k)) & 0xFF];
        }
    }
    for (; len > 0; len--, p++) {
        crc = (crc >> 8) ^ slices[0][(crc ^ *p) & 0xFF];
    }
    return ~crc;
}

#if defined(__x86_64__)

#include <nmmintrin.h>
#include <wmmintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

/* Bytes of a stripe, and the powers of x that move a CRC over one and over two of them. */
enum { STRIPE = 1024 };
#define OVER_ONE UINT32_C(0x170076FA)
#define OVER_TWO UINT32_C(0xA51B6135)

HARDWARE static uint64_t move_over(uint64_t crc, uint32_t power)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)crc),
                                           _mm_cvtsi64_si128((long long)power), 0);

    return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

HARDWARE static uint64_t three_stripes(uint64_t crc, const unsigned char *p)
{
    uint64_t second = 0;
    uint64_t third = 0;

    for (size_t i = 0; i < STRIPE; i += 8) {
        crc = _mm_crc32_u64(crc, load_le64(p + i));
        second = _mm_crc32_u64(second, load_le64(p + STRIPE + i));
        third = _mm_crc32_u64(third, load_le64(p + (size_t)2 * STRIPE + i));
    }
    return move_over(crc, OVER_TWO) ^ move_over(second, OVER_ONE) ^ third;
}

HARDWARE static uint32_t crc32c_hardware(uint32_t start, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t crc = ~start;

    for (; len >= (size_t)3 * STRIPE; len -= (size_t)3 * STRIPE, p += (size_t)3 * STRIPE) {
        crc = three_stripes(crc, p);
    }
    for (; len >= 8; len -= 8, p += 8) {
        crc = _mm_crc32_u64(crc, load_le64(p));
    }
    for (; len > 0; len--, p++) {
        crc = _mm_crc32_u8((uint32_t)crc, *p);
    }
    return ~(uint32_t)crc;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    if (likely(__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))) {
        return crc32c_hardware(crc, bytes, len);
    }
    return crc32c_portable(crc, bytes, len);
}

#else

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
    return crc32c_portable(crc, bytes, len);
}

#endif
