/*
 * Decimal text to double by exact integers: the judge of last resort for texts whose value lies so
 * near the middle between two doubles that 128-bit arithmetic cannot tell. A value is N / M with N
 * and M large integers; the first 64 bits of the quotient are found by shifting and subtracting,
 * and whatever remains makes it odd.
 *
 * DIGITS_MAX digits are enough: the middle between two doubles has at most 767 significant digits,
 * so of what follows only "something or nothing" matters.
 */
#include "base/attr.h"
#include "base/number_int.h"

#include <string.h>

enum { DIGITS_MAX = 800, LIMBS_MAX = 80 };

/* A non-negative integer, least significant limb first, limb[len - 1] != 0. */
struct big {
    uint64_t limb[LIMBS_MAX];
    size_t len;
};

static void big_multiply_add(struct big *b, uint64_t factor, uint64_t addend)
{
    uint64_t carry = addend;

    for (size_t i = 0; i < b->len; i++) {
        struct product p = number_multiply(b->limb[i], factor);
        p.low += carry;
        carry = p.high + (p.low < carry);
        b->limb[i] = p.low;
    }
    if (carry != 0) {
        INVARIANT(b->len < LIMBS_MAX);
        b->limb[b->len++] = carry;
    }
}

static void big_multiply_pow10(struct big *b, int64_t exponent)
{
    for (; exponent >= 19; exponent -= 19) {
        big_multiply_add(b, UINT64_C(10000000000000000000), 0);
    }
    for (; exponent > 0; exponent--) {
        big_multiply_add(b, 10, 0);
    }
}

static int64_t big_bits(const struct big *b)
{
    return b->len == 0 ? 0 : (int64_t)b->len * 64 - __builtin_clzll(b->limb[b->len - 1]);
}

static void big_shift_left(struct big *b, int64_t bits)
{
    size_t limbs = (size_t)bits / 64;
    unsigned rest = (unsigned)bits % 64;

    if (rest != 0) {
        big_multiply_add(b, UINT64_C(1) << rest, 0);
    }
    if (limbs != 0 && b->len != 0) {
        INVARIANT(b->len + limbs <= LIMBS_MAX);
        memmove(b->limb + limbs, b->limb, b->len * sizeof(b->limb[0]));
        memset(b->limb, 0, limbs * sizeof(b->limb[0]));
        b->len += limbs;
    }
}

static bool big_less(const struct big *a, const struct big *b)
{
    if (a->len != b->len) {
        return a->len < b->len;
    }
    for (size_t i = a->len; i-- > 0;) {
        if (a->limb[i] != b->limb[i]) {
            return a->limb[i] < b->limb[i];
        }
    }
    return false;
}

/* a -= b, where a >= b. */
static void big_subtract(struct big *a, const struct big *b)
{
    uint64_t borrow = 0;

    for (size_t i = 0; i < a->len; i++) {
        uint64_t take = i < b->len ? b->limb[i] : 0;
        uint64_t before = a->limb[i];
        a->limb[i] = before - take - borrow;
        borrow = before < take || (before == take && borrow);
    }
    while (a->len > 0 && a->limb[a->len - 1] == 0) {
        a->len--;
    }
}

/*
 * The first DIGITS_MAX digits, and a 1 if one of the others is not 0. Gives the exponent of the
 * last one taken.
 */
static int64_t big_from_digits(struct big *b, const struct decimal_text *d)
{
    int64_t taken = 0;

    b->len = 0;
    for (size_t i = 0; i < d->digits.len; i++) {
        uint64_t digit = (uint64_t)(unsigned char)d->digits.ptr[i] - '0';
        if (digit > 9) {
            continue; /* the point */
        }
        if (taken < DIGITS_MAX) {
            big_multiply_add(b, 10, digit);
            taken++;
        } else if (digit != 0) {
            big_multiply_add(b, 10, 1);
            taken++;
            break;
        }
    }
    return d->first_exponent - (taken - 1);
}

/*
 * <numerator> / <denominator>, both not 0, with quotient bits until there are 64. Both are used up.
 */
static double big_divide(struct big *numerator, struct big *denominator)
{
    int64_t exponent = big_bits(numerator) - big_bits(denominator);
    uint64_t quotient = 0;

    if (exponent < 0) {
        big_shift_left(numerator, -exponent);
    } else {
        big_shift_left(denominator, exponent);
    }
    for (exponent++; quotient >> 63 == 0; exponent--) {
        quotient <<= 1;
        if (!big_less(numerator, denominator)) {
            big_subtract(numerator, denominator);
            quotient |= 1;
        }
        big_multiply_add(numerator, 2, 0);
    }
    return number_from_binary(quotient, exponent, numerator->len != 0);
}

double number_from_digits(const struct decimal_text *text)
{
    struct big numerator;
    struct big denominator = {.limb = {1}, .len = 1};
    struct decimal_text d = *text;

    for (; d.digits.len > 0 && (d.digits.ptr[0] == '0' || d.digits.ptr[0] == '.');
         d.digits = str_slice(d.digits, 1, d.digits.len)) {
        d.first_exponent -= d.digits.ptr[0] == '0';
    }
    if (d.digits.len == 0 || d.first_exponent < -330) {
        return 0;
    }
    if (d.first_exponent > 310) {
        return __builtin_inf();
    }
    int64_t exponent = big_from_digits(&numerator, &d);
    big_multiply_pow10(exponent < 0 ? &denominator : &numerator,
                       exponent < 0 ? -exponent : exponent);
    return big_divide(&numerator, &denominator);
}

double number_from_binary(uint64_t mantissa, int64_t exponent, bool sticky)
{
    if (mantissa == 0) {
        return 0;
    }
    int64_t zeros = __builtin_clzll(mantissa);
    int64_t biased = exponent - zeros + 11 + DOUBLE_BIAS;
    int64_t shift = 11; /* from 64 bits to 53, or fewer below the smallest normal number */
    mantissa <<= zeros;
    if (biased < 1) {
        shift += 1 - biased;
        biased = 1;
    }
    if (biased >= DOUBLE_EXPONENT_MAX || shift > 64) {
        return shift > 64 ? 0 : __builtin_inf();
    }
    uint64_t kept = shift < 64 ? mantissa >> shift : 0;
    uint64_t rest = shift < 64 ? mantissa << (64 - shift) : mantissa;
    uint64_t half = UINT64_C(1) << 63;
    kept += rest > half || (rest == half && (sticky || (kept & 1) != 0));
    return number_from_bits(((uint64_t)(biased - 1) << DOUBLE_MANTISSA_BITS) + kept);
}
