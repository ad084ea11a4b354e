#include "base/md5.h"

#include "base/attr.h"

enum { BLOCK = 64, ROUNDS = 64, LENGTH_AT = 56 };

/* floor(2^32 * abs(sin(i + 1))), as the RFC lists them. */
static const uint32_t sines[ROUNDS] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void store32(uint8_t *p, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (8 * i));
    }
}

/* The function of a round and the word that it takes; four kinds, 16 rounds each. */
static uint32_t mix(unsigned round, const uint32_t s[4], unsigned *ret_word)
{
    static const struct {
        unsigned step;
        unsigned start;
    } words[] = {{1, 0}, {5, 1}, {3, 5}, {7, 0}};
    unsigned kind = round / 16;
    const uint32_t results[] = {
        (s[1] & s[2]) | (~s[1] & s[3]),
        (s[3] & s[1]) | (~s[3] & s[2]),
        s[1] ^ s[2] ^ s[3],
        s[2] ^ (s[1] | ~s[3]),
    };

    *ret_word = (words[kind].step * round + words[kind].start) % 16;
    return results[kind];
}

static void add_block(uint32_t state[4], const uint8_t *block)
{
    static const uint8_t turns[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t s[4] = {state[0], state[1], state[2], state[3]};

    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned word = 0;
        uint32_t f = mix(round, s, &word) + s[0] + sines[round] + load32(block + (size_t)4 * word);
        unsigned turn = turns[round / 16][round % 4];
        s[0] = s[3];
        s[3] = s[2];
        s[2] = s[1];
        s[1] += f << turn | f >> (32 - turn);
    }
    for (unsigned i = 0; i < 4; i++) {
        state[i] += s[i];
    }
}

void md5(struct str text, uint8_t ret_digest[MD5_BYTES])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t tail[2 * BLOCK] = {0};
    size_t whole = text.len / BLOCK * BLOCK;
    size_t rest = text.len - whole;
    size_t end = rest < LENGTH_AT ? BLOCK : sizeof(tail);
    uint64_t bits = (uint64_t)text.len * 8;

    for (size_t i = 0; i < whole; i += BLOCK) {
        add_block(state, (const uint8_t *)text.ptr + i);
    }
    if (rest > 0) {
        memcpy(tail, text.ptr + whole, rest);
    }
    tail[rest] = 0x80;
    store32(tail + end - 8, (uint32_t)bits);
    store32(tail + end - 4, (uint32_t)(bits >> 32));
    for (size_t i = 0; i < end; i += BLOCK) {
        add_block(state, tail + i);
    }
    for (unsigned i = 0; i < 4; i++) {
        store32(ret_digest + 4 * (size_t)i, state[i]);
    }
}
