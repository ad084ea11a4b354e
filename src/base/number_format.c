/*
 * The shortest decimal that reads back, by Raffaele Giulietti's Schubfach: the interval of reals
 * that round to the double is scaled by a power of ten so that at most two candidates of the
 * shortest length lie in it; all three of its points (lower end, value, upper end) come from one
 * multiplication each with a 128-bit power, "rounded to odd" so that every later comparison is
 * exact. No loop, no fallback.
 */
#include "base/attr.h"
#include "base/number_int.h"

#include <string.h>

struct shortest {
    uint64_t digits;
    int32_t exponent; /* value = digits * 10^exponent */
};

enum { PUT_BYTES = 20 };

/* The digits of a value, and after how many of them the decimal point stands. */
struct layout {
    char text[17 + PUT_BYTES];
    const char *digits; /* in <text> */
    int32_t count;
    int32_t point;
};

/*
 * floor(log10(2^q)), or of 3/4 * 2^q at the lower edge of a binade, where the gap below is half as
 * wide.
 */
static int32_t pow2_log10(int32_t q, bool edge)
{
    return (q * 1262611 - (edge ? 524031 : 0)) >> 22;
}

/* floor(scale * c / 2^128), with the lowest bit set if anything was cut off. */
static uint64_t multiply_to_odd(struct pow10 scale, uint64_t c)
{
    struct product low = number_multiply(scale.low, c);
    struct product high = number_multiply(scale.high, c);
    uint64_t middle = high.low + low.high;

    high.high += middle < high.low;
    return high.high | (middle > 1);
}

/* <c> * 2^<q>, c > 0; <edge>: c is a power of two and the neighbour below is nearer. */
static struct shortest shortest_of(uint64_t c, int32_t q, bool edge)
{
    uint64_t odd = c & 1; /* ties go to even: the ends belong to the interval of an even c only */
    int32_t k = pow2_log10(q, edge);
    int32_t shift = q + pow10_log2(-k) + 1;
    struct pow10 scale = number_pow10[-k - POW10_MIN];
    uint64_t lower = multiply_to_odd(scale, (4 * c - 2 + edge) << shift) + odd;
    uint64_t value = multiply_to_odd(scale, (4 * c) << shift);
    uint64_t upper = multiply_to_odd(scale, (4 * c + 2) << shift) - odd;
    uint64_t s = value / 4;

    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below_fits = lower <= 40 * tens;
        bool above_fits = 40 * tens + 40 <= upper;
        if (below_fits != above_fits) {
            return (struct shortest){tens + above_fits, k + 1};
        }
    }
    bool below_fits = lower <= 4 * s;
    bool above_fits = 4 * s + 4 <= upper;
    if (below_fits != above_fits) {
        return (struct shortest){s + above_fits, k};
    }
    uint64_t middle = 4 * s + 2;
    bool up = value > middle || (value == middle && (s & 1) != 0);
    return (struct shortest){s + up, k};
}

/* The magnitude of a finite double that is not 0. */
static struct shortest shortest_decimal(uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << DOUBLE_MANTISSA_BITS) - 1);
    int32_t biased = (int32_t)(bits >> DOUBLE_MANTISSA_BITS) & DOUBLE_EXPONENT_MAX;

    if (biased == 0) {
        return shortest_of(fraction, 1 - DOUBLE_BIAS, false);
    }
    uint64_t c = fraction | UINT64_C(1) << DOUBLE_MANTISSA_BITS;
    int32_t q = biased - DOUBLE_BIAS;
    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0) {
        return (struct shortest){c >> -q, 0}; /* an integer below 2^53 is its own digits */
    }
    return shortest_of(c, q, fraction == 0 && biased > 1);
}

static const char digit_pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static const uint64_t powers[] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
};

/* How many digits <value> has, below 10^17. */
static int32_t digit_count(uint64_t value)
{
    int32_t guess = (64 - __builtin_clzll(value)) * 1233 >> 12; /* bits * log10(2), cut */

    return guess + (value >= powers[guess]);
}

/* Eight digits with leading zeros; the four pairs do not wait for one another. */
static void put_eight(char *out, uint32_t value)
{
    uint32_t high = value / 10000;
    uint32_t low = value % 10000;

    memcpy(out, digit_pairs + (size_t)high / 100 * 2, 2);
    memcpy(out + 2, digit_pairs + (size_t)high % 100 * 2, 2);
    memcpy(out + 4, digit_pairs + (size_t)low / 100 * 2, 2);
    memcpy(out + 6, digit_pairs + (size_t)low % 100 * 2, 2);
}

/* Writes all digits of <value> so that they end at text[17], with zeros before them. */
static void put_digits(char *text, uint64_t value)
{
    uint64_t high = value / 100000000;

    put_eight(text + 9, (uint32_t)(value % 100000000));
    if (high != 0) {
        put_eight(text + 1, (uint32_t)(high % 100000000));
        text[0] = (char)('0' + high / 100000000);
    }
}

static void lay_out(uint64_t bits, struct layout *l)
{
    *l = (struct layout){.text = "0", .digits = l->text, .count = 1, .point = 1};
    if (bits << 1 == 0) {
        return;
    }
    struct shortest d = shortest_decimal(bits);
    int32_t count = digit_count(d.digits);
    put_digits(l->text, d.digits);
    l->digits = l->text + 17 - count;
    l->point = count + d.exponent;
    while (count > 1 && l->digits[count - 1] == '0') {
        count--;
    }
    l->count = count;
}

/* Copies a fixed size, which is faster, and says that it was <count>; both sides have the room. */
static char *put(char *out, const char *bytes, int32_t count)
{
    memcpy(out, bytes, PUT_BYTES);
    return out + count;
}

static char *put_zeros(char *out, int32_t count)
{
    memset(out, '0', (size_t)count);
    return out + count;
}

/* 0.00123, 123, 123.45, 12300 */
static char *put_plain(char *out, const struct layout *l)
{
    if (l->point <= 0) {
        *out++ = '0';
        *out++ = '.';
        out = put_zeros(out, -l->point);
        return put(out, l->digits, l->count);
    }
    if (l->point >= l->count) {
        out = put(out, l->digits, l->count);
        return put_zeros(out, l->point - l->count);
    }
    out = put(out, l->digits, l->point);
    *out++ = '.';
    return put(out, l->digits + l->point, l->count - l->point);
}

/* 1e-07, 1.5e+21, 2.5e+100 */
static char *put_exponent(char *out, const struct layout *l)
{
    int32_t exponent = l->point - 1;

    *out++ = l->digits[0];
    if (l->count > 1) {
        *out++ = '.';
        out = put(out, l->digits + 1, l->count - 1);
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    exponent = exponent < 0 ? -exponent : exponent;
    if (exponent >= 100) {
        *out++ = (char)('0' + exponent / 100);
    }
    memcpy(out, digit_pairs + (size_t)exponent % 100 * 2, 2);
    return out + 2;
}

/* Values with 10^<low> <= |value| < 10^<high> are plain, all others have an exponent. */
static size_t format(double value, int32_t low, int32_t high, char *out)
{
    uint64_t bits = number_bits(value);
    char *at = out;

    if (unlikely(bits << 1 >= (uint64_t)DOUBLE_EXPONENT_MAX << (DOUBLE_MANTISSA_BITS + 1))) {
        static const char words[][PUT_BYTES] = {"NaN", "+Inf", "-Inf"};
        int which = value != value ? 0 : value > 0 ? 1 : 2;
        return (size_t)(put(out, words[which], which == 0 ? 3 : 4) - out);
    }
    if (bits >> 63) {
        *at++ = '-';
    }
    struct layout l;
    lay_out(bits, &l);
    bool is_zero = bits << 1 == 0;
    bool is_plain = l.point > low && l.point <= high;
    at = is_plain || (is_zero && low < high) ? put_plain(at, &l) : put_exponent(at, &l);
    return (size_t)(at - out);
}

/* ---- values that people measure ---- */

static char *put_whole(char *out, uint32_t value)
{
    int32_t count = value == 0 ? 1 : digit_count(value);
    char *at = out + count;

    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(at, digit_pairs + (size_t)(value % 100) * 2, 2);
    }
    if (value >= 10) {
        memcpy(at - 2, digit_pairs + (size_t)value * 2, 2);
    } else {
        at[-1] = (char)('0' + value);
    }
    return out + count;
}

/* <millionths>, 1 to 999999, behind a point and without zeros at the end. */
static char *put_millionths(char *out, uint32_t millionths)
{
    *out++ = '.';
    memcpy(out, digit_pairs + (size_t)(millionths / 10000) * 2, 2);
    memcpy(out + 2, digit_pairs + (size_t)(millionths / 100 % 100) * 2, 2);
    memcpy(out + 4, digit_pairs + (size_t)(millionths % 100) * 2, 2);
    out += 6;
    while (out[-1] == '0') {
        out--;
    }
    return out;
}

/*
 * A magnitude below 10^9 that is a decimal of at most six places; 0 for others. Exact: the integer and 10^6 are
 * doubles, so their quotient is the double of that decimal, and decimals of six places are further apart
 * there than doubles, so that no other one reads back as it, and none that is shorter.
 */
static size_t format_few_places(double magnitude, char *out)
{
    if (!(magnitude < 1e9)) {
        return 0;
    }
    uint64_t millionths = (uint64_t)(magnitude * 1e6 + 0.5);
    if ((double)millionths / 1e6 != magnitude) {
        return 0;
    }
    char *end = put_whole(out, (uint32_t)(millionths / 1000000));
    uint32_t rest = (uint32_t)(millionths % 1000000);
    return (size_t)((rest != 0 ? put_millionths(end, rest) : end) - out);
}

size_t number_format(double value, char *out)
{
    size_t sign = number_bits(value) >> 63;
    double magnitude = sign != 0 ? -value : value;

    *out = '-';
    size_t len = format_few_places(magnitude, out + sign);
    return len > 0 ? sign + len : format(value, -6, 21, out);
}

size_t number_format_go(double value, char *out)
{
    return format(value, -4, 6, out);
}

size_t number_format_exponent(double value, char *out)
{
    return format(value, 0, 0, out);
}

size_t number_format_plain(double value, char *out)
{
    return format(value, INT32_MIN, INT32_MAX, out);
}

void buf_add_double(struct buf *b, double value)
{
    char *room = buf_reserve(b, NUMBER_TEXT_MAX);

    if (room != NULL) {
        buf_added(b, number_format(value, room));
    }
}
