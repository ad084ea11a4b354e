/*
 * Decimal text to double in three steps, each only when the one before cannot decide:
 *   1. William Clinger's: a mantissa below 2^53 and a power of ten up to 10^22 are exact doubles,
 *      so one multiplication or division rounds correctly.
 *   2. Daniel Lemire's: the mantissa times a 128-bit power of ten gives the first 64 bits of the
 *      result unless the next 64 are all ones, since the error of the power cannot carry further.
 *   3. number_from_digits(): large integers.
 */
#include "base/attr.h"
#include "base/number_int.h"

#include <string.h>

enum { MANTISSA_DIGITS = 19, EXPONENT_CAP = 100000 };

/* The NaN that Go makes, so that samples are the same bit for bit. */
#define GO_NAN_BITS UINT64_C(0x7ff8000000000001)

static const double small_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*
 * "e", sign, digits at <at>: moves it past them and adds to *exponent; false when no digit follows
 * the e.
 */
static bool scan_exponent(struct str s, size_t *at, int64_t *exponent)
{
    size_t i = *at + 1;
    bool negative = i < s.len && s.ptr[i] == '-';
    int64_t value = 0;

    if (i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+')) {
        i++;
    }
    if (i == s.len || !is_digit(s.ptr[i])) {
        return false;
    }
    for (; i < s.len && is_digit(s.ptr[i]); i++) {
        value = value < EXPONENT_CAP ? value * 10 + (s.ptr[i] - '0') : value;
    }
    *exponent += negative ? -value : value;
    *at = i;
    return true;
}

/* Digits of a text with more than 19 significant ones: the first 19, and what the rest was. */
static void scan_long(struct str digits, struct decimal_text *d)
{
    int64_t count = 0; /* significant digits seen */

    d->mantissa = 0;
    for (size_t i = 0; i < digits.len; i++) {
        char c = digits.ptr[i];
        if (c == '.') {
            continue;
        }
        if (count < MANTISSA_DIGITS) {
            d->mantissa = d->mantissa * 10 + (uint64_t)(c - '0');
            count++;
        } else {
            d->truncated = d->truncated || c != '0';
        }
    }
    d->exponent = d->first_exponent - (count - 1);
}

/* The value of eight digits at <p>; false when they are not eight digits. */
static bool take_eight(const char *p, uint64_t *value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    uint64_t above_nine = v + 0x0606060606060606; /* carries into the high half of its byte */
    if (((v & 0xf0f0f0f0f0f0f0f0) | (above_nine & 0xf0f0f0f0f0f0f0f0) >> 4) != 0x3333333333333333) {
        return false;
    }
    v = (v & 0x0f0f0f0f0f0f0f0f) * 2561 >> 8; /* pairs: 10 * first + second */
    v = (v & 0x00ff00ff00ff00ff) * 6553601 >> 16;
    *value = (v & 0x0000ffff0000ffff) * 42949672960001 >> 32;
    return true;
#else
    (void)p;
    (void)value;
    return false;
#endif
}

/* Digits from *at on, added to *mantissa, which wraps around when there are too many. */
static void take_digits(struct str s, size_t *at, uint64_t *mantissa)
{
    size_t i = *at;
    uint64_t m = *mantissa;
    uint64_t eight;

    while (i + 8 <= s.len && take_eight(s.ptr + i, &eight)) {
        m = m * 100000000 + eight;
        i += 8;
    }
    for (; i < s.len && is_digit(s.ptr[i]); i++) {
        m = m * 10 + (uint64_t)(s.ptr[i] - '0');
    }
    *at = i;
    *mantissa = m;
}

/* All of <s>, without sign. */
static bool scan_decimal(struct str s, struct decimal_text *d)
{
    size_t end = 0;
    size_t after_point = 0;
    size_t first = 0;

    take_digits(s, &end, &d->mantissa);
    size_t count = end;
    if (end < s.len && s.ptr[end] == '.') {
        size_t start = ++end;
        take_digits(s, &end, &d->mantissa);
        after_point = end - start;
        count += after_point;
    }
    if (count == 0) {
        return false;
    }
    size_t digits_end = end;
    int64_t written = 0;
    if (end < s.len && (s.ptr[end] | 0x20) == 'e' && !scan_exponent(s, &end, &written)) {
        return false;
    }
    d->exponent = written - (int64_t)after_point;
    if (likely(count <= MANTISSA_DIGITS)) {
        d->digits = str_slice(s, 0, digits_end);
        d->first_exponent = d->exponent + (int64_t)count - 1;
        return end == s.len;
    }
    while (first < digits_end && (s.ptr[first] == '0' || s.ptr[first] == '.')) {
        count -= s.ptr[first] == '0';
        first++;
    }
    d->digits = str_slice(s, first, digits_end - first);
    d->first_exponent = d->exponent + (int64_t)count - 1;
    if (count > MANTISSA_DIGITS) {
        scan_long(d->digits, d);
    }
    return end == s.len;
}

/*
 * Step 2; false when it cannot tell. The power is rounded down, so the product is too small by less
 * than 2^64.
 */
static bool from_product(uint64_t mantissa, int64_t exponent, double *ret_value)
{
    if (mantissa == 0 || exponent < POW10_MIN) {
        *ret_value = 0;
        return true;
    }
    if (exponent > 308) {
        *ret_value = __builtin_inf();
        return true;
    }
    bool exact = exponent >= 0 && exponent <= POW10_EXACT_MAX;
    int zeros = __builtin_clzll(mantissa);
    struct pow10 power = number_pow10[exponent - POW10_MIN];
    power.high -= !exact && power.low == 0;
    power.low -= !exact;
    struct product low = number_multiply(mantissa << zeros, power.low);
    struct product high = number_multiply(mantissa << zeros, power.high);
    uint64_t middle = high.low + low.high;
    uint64_t top = high.high + (middle < high.low);
    if (middle == UINT64_MAX && !exact) {
        return false;
    }
    bool sticky = (middle | low.low) != 0 || !exact;
    *ret_value = number_from_binary(top, pow10_log2((int32_t)exponent) + 1 - zeros, sticky);
    return true;
}

static double decimal_value(const struct decimal_text *d)
{
    double value;
    double next;

    if (d->mantissa <= UINT64_C(1) << 53 && d->exponent >= -22 && d->exponent <= 22) {
        value = (double)d->mantissa;
        return d->exponent < 0 ? value / small_powers[-d->exponent]
                               : value * small_powers[d->exponent];
    }
    if (!from_product(d->mantissa, d->exponent, &value)) {
        return number_from_digits(d);
    }
    if (d->truncated && (!from_product(d->mantissa + 1, d->exponent, &next) ||
                         number_bits(next) != number_bits(value))) {
        return number_from_digits(d);
    }
    return value;
}

static int hex_digit(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/*
 * What follows "0x": digits with an optional point, then p and a binary exponent, which Go
 * requires.
 */
static bool parse_hex(struct str s, double *ret_value)
{
    uint64_t mantissa = 0;
    int64_t exponent = 0;
    bool sticky = false;
    bool point = false;
    bool any = false;
    size_t i = 0;

    for (; i < s.len; i++) {
        int digit = hex_digit(s.ptr[i]);
        if (digit >= 0) {
            any = true;
            bool fits = mantissa >> 60 == 0;
            sticky = sticky || (!fits && digit != 0);
            mantissa = fits ? mantissa << 4 | (uint64_t)digit : mantissa;
            exponent += (fits ? 0 : 4) - (point ? 4 : 0);
        } else if (s.ptr[i] == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    if (!any || i == s.len || (s.ptr[i] | 0x20) != 'p' || !scan_exponent(s, &i, &exponent) ||
        i != s.len) {
        return false;
    }
    *ret_value = number_from_binary(mantissa, exponent, sticky);
    return true;
}

static bool parse_finite(struct str s, double *ret_value)
{
    struct decimal_text d = {0};

    if (s.len > 2 && s.ptr[0] == '0' && (s.ptr[1] | 0x20) == 'x') {
        return parse_hex(str_slice(s, 2, s.len), ret_value);
    }
    if (!scan_decimal(s, &d)) {
        return false;
    }
    *ret_value = decimal_value(&d);
    return true;
}

/* inf, infinity, nan; <s> has no sign. */
static bool parse_word(struct str s, bool has_sign, double *ret_value)
{
    if (str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity"))) {
        *ret_value = __builtin_inf();
        return true;
    }
    if (!has_sign && str_eq_nocase(s, STR("nan"))) {
        *ret_value = number_from_bits(GO_NAN_BITS);
        return true;
    }
    return false;
}

bool number_parse(struct str s, double *ret_value)
{
    double value;
    bool has_sign = s.len > 0 && (s.ptr[0] == '-' || s.ptr[0] == '+');
    bool negative = has_sign && s.ptr[0] == '-';

    if (has_sign) {
        s = str_slice(s, 1, s.len);
    }
    if (parse_finite(s, &value)) {
        if (value > 1.7976931348623157e308) {
            return false;
        }
    } else if (!parse_word(s, has_sign, &value)) {
        return false;
    }
    *ret_value = negative ? -value : value;
    return true;
}
