/*
 * number_int.h - what the files behind number.h share.
 *
 * Ownership: values. Threads: any; the table is const. Limits: as number.h.
 */
#ifndef TELEX_BASE_NUMBER_INT_H
#define TELEX_BASE_NUMBER_INT_H

#include "base/number.h"

enum {
    DOUBLE_MANTISSA_BITS = 52, /* stored; a normal number has one more */
    DOUBLE_EXPONENT_MAX = 0x7ff,
    DOUBLE_BIAS = 1075, /* of an integer significand */
    POW10_MIN = -342,
    POW10_MAX = 324,
    POW10_EXACT_MAX = 55, /* rows 0 to here have no rounding */
};

/* The top 128 bits of a power of ten, rounded up. */
struct pow10 {
    uint64_t high;
    uint64_t low;
};

extern const struct pow10 number_pow10[POW10_MAX - POW10_MIN + 1];

/* floor(log2(10^k)) for |k| <= 1233. */
static inline int32_t pow10_log2(int32_t k)
{
    return (k * 1741647) >> 19;
}

struct product {
    uint64_t high;
    uint64_t low;
};

__extension__ typedef unsigned __int128 number_u128;

static inline struct product number_multiply(uint64_t a, uint64_t b)
{
    number_u128 p = (number_u128)a * b;

    return (struct product){(uint64_t)(p >> 64), (uint64_t)p};
}

/*
 * A decimal text taken apart: <mantissa> * 10^<exponent>, unless <truncated>: then the value is of
 * <digits>.
 */
struct decimal_text {
    uint64_t mantissa;      /* the first 19 significant digits */
    int64_t exponent;       /* of ten, for the last digit of <mantissa> */
    bool truncated;         /* a digit other than 0 did not fit */
    struct str digits;      /* all, or from the first that is not 0; may hold one point */
    int64_t first_exponent; /* of ten, for the first of <digits> */
};

/*
 * The double nearest to <d>, ties to even, by exact integers; infinity when it is too large. No
 * sign.
 */
double number_from_digits(const struct decimal_text *d);

/*
 * The double of <mantissa> * 2^<exponent>, ties to even; <sticky> says that a bit below was lost.
 * No sign.
 */
double number_from_binary(uint64_t mantissa, int64_t exponent, bool sticky);

#endif
