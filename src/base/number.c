#include "base/number.h"

#include <string.h>

uint64_t number_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

double number_from_bits(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

#define STALE_NAN_BITS UINT64_C(0x7ff0000000000002)

double number_stale_nan(void)
{
    return number_from_bits(STALE_NAN_BITS);
}

bool number_is_stale_nan(double value)
{
    return number_bits(value) == STALE_NAN_BITS;
}

bool number_parse_u64(struct str s, uint64_t *ret_value)
{
    uint64_t value = 0;
    size_t at = s.len > 1 && s.ptr[0] == '+' ? 1 : 0;

    if (s.len == 0) {
        return false;
    }
    for (; at < s.len; at++) {
        uint64_t digit = (uint64_t)(unsigned char)s.ptr[at] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, digit, &value)) {
            return false;
        }
    }
    *ret_value = value;
    return true;
}

bool number_parse_i64(struct str s, int64_t *ret_value)
{
    bool negative = s.len > 1 && s.ptr[0] == '-';
    uint64_t magnitude;

    if (negative) {
        s = str_slice(s, 1, s.len);
    }
    if (!number_parse_u64(s, &magnitude) || (negative && s.ptr[0] == '+') ||
        magnitude > (uint64_t)INT64_MAX + negative) {
        return false;
    }
    *ret_value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

struct byte_unit {
    struct str name;
    int64_t bytes;
};

static const struct byte_unit byte_units[] = {
    {STR_INIT(""), 1},
    {STR_INIT("B"), 1},
    {STR_INIT("K"), INT64_C(1) << 10},
    {STR_INIT("KB"), 1000},
    {STR_INIT("KiB"), INT64_C(1) << 10},
    {STR_INIT("M"), INT64_C(1) << 20},
    {STR_INIT("MB"), 1000000},
    {STR_INIT("MiB"), INT64_C(1) << 20},
    {STR_INIT("G"), INT64_C(1) << 30},
    {STR_INIT("GB"), 1000000000},
    {STR_INIT("GiB"), INT64_C(1) << 30},
    {STR_INIT("T"), INT64_C(1) << 40},
    {STR_INIT("TB"), INT64_C(1000000000000)},
    {STR_INIT("TiB"), INT64_C(1) << 40},
};

static const struct byte_unit *byte_unit_of(struct str name)
{
    for (size_t i = 0; i < sizeof(byte_units) / sizeof(byte_units[0]); i++) {
        if (str_eq_nocase(name, byte_units[i].name)) {
            return &byte_units[i];
        }
    }
    return NULL;
}

void buf_add_size(struct buf *b, int64_t bytes)
{
    size_t best = 1; /* "B" */

    for (size_t i = best; bytes > 0 && i < sizeof(byte_units) / sizeof(byte_units[0]); i++) {
        const struct byte_unit *u = &byte_units[i];
        bool has_b = u->name.ptr[u->name.len - 1] == 'B'; /* "K" alone reads as either */
        if (has_b && bytes % u->bytes == 0 && u->bytes > byte_units[best].bytes) {
            best = i;
        }
    }
    buf_addf(b, "%lld%.*s", (long long)(bytes / byte_units[best].bytes),
             STR_FMT(byte_units[best].name));
}

/* Bytes of the decimal fraction <digits> of <unit>, cut; -1 when they are not digits. */
static int64_t fraction_bytes(struct str digits, int64_t unit)
{
    double scale = 1;
    double sum = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9') {
            return -1;
        }
        scale /= 10;
        sum += scale * (digits.ptr[i] - '0');
    }
    return (int64_t)(sum * (double)unit + 1e-6);
}

bool number_parse_bytes(struct str s, int64_t *ret_bytes)
{
    size_t end = 0;

    while (end < s.len && ((s.ptr[end] >= '0' && s.ptr[end] <= '9') || s.ptr[end] == '.')) {
        end++;
    }
    struct str number = str_slice(s, 0, end);
    const struct byte_unit *unit = byte_unit_of(str_trim(str_slice(s, end, s.len)));
    size_t point = str_find_byte(number, '.');
    int64_t whole;
    if (unit == NULL || point + 1 == number.len ||
        !number_parse_i64(str_slice(number, 0, point), &whole)) {
        return false;
    }
    int64_t part = fraction_bytes(str_slice(number, point + 1, number.len), unit->bytes);
    int64_t bytes;
    if (part < 0 || __builtin_mul_overflow(whole, unit->bytes, &bytes) ||
        __builtin_add_overflow(bytes, part, &bytes)) {
        return false;
    }
    *ret_bytes = bytes;
    return true;
}
