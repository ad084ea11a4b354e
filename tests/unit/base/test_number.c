/*
 * Number text against tables of Go's answers, against the C library, and the power table against
 * exact integers. TELEX_TEST_ROUNDS=50000000 makes the random tests long.
 */
#include "base/number.h"
#include "base/number_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t rounds(uint64_t usual)
{
    const char *text = getenv("TELEX_TEST_ROUNDS");
    uint64_t value;

    return text != NULL && number_parse_u64(str_of(text), &value) ? value : usual;
}

struct form_case {
    double value;
    const char *json;
    const char *go;
    const char *exponent;
    const char *plain;
};

static const struct form_case form_cases[] = {
    {0, "0", "0", "0e+00", "0"},
    {-0.0, "-0", "-0", "-0e+00", "-0"},
    {1, "1", "1", "1e+00", "1"},
    {-1.5, "-1.5", "-1.5", "-1.5e+00", "-1.5"},
    {0.1, "0.1", "0.1", "1e-01", "0.1"},
    {0.30000000000000004, "0.30000000000000004", "0.30000000000000004", "3.0000000000000004e-01",
     "0.30000000000000004"},
    {100, "100", "100", "1e+02", "100"},
    {999999, "999999", "999999", "9.99999e+05", "999999"},
    {999999.5, "999999.5", "999999.5", "9.999995e+05", "999999.5"},
    {1000000, "1000000", "1e+06", "1e+06", "1000000"},
    {1234567, "1234567", "1.234567e+06", "1.234567e+06", "1234567"},
    {1705312200.123, "1705312200.123", "1.705312200123e+09", "1.705312200123e+09",
     "1705312200.123"},
    {0.0001, "0.0001", "0.0001", "1e-04", "0.0001"},
    {0.00001, "0.00001", "1e-05", "1e-05", "0.00001"},
    {0.000001, "0.000001", "1e-06", "1e-06", "0.000001"},
    {9.9e-7, "9.9e-07", "9.9e-07", "9.9e-07", "0.00000099"},
    {1e20, "100000000000000000000", "1e+20", "1e+20", "100000000000000000000"},
    {999999999999999868928.0, "999999999999999900000", "9.999999999999999e+20",
     "9.999999999999999e+20", "999999999999999900000"},
    {1e21, "1e+21", "1e+21", "1e+21", "1000000000000000000000"},
    {9007199254740993.0, "9007199254740992", "9.007199254740992e+15", "9.007199254740992e+15",
     "9007199254740992"},
    {9223372036854775807.0, "9223372036854776000", "9.223372036854776e+18", "9.223372036854776e+18",
     "9223372036854776000"},
    {5e-324, "5e-324", "5e-324", "5e-324", NULL},
    {2.2250738585072014e-308, "2.2250738585072014e-308", "2.2250738585072014e-308",
     "2.2250738585072014e-308", NULL},
    {1.7976931348623157e308, "1.7976931348623157e+308", "1.7976931348623157e+308",
     "1.7976931348623157e+308", NULL},
    {0x1p-1017, "7.120236347223045e-307", "7.120236347223045e-307", "7.120236347223045e-307", NULL},
    {9.5367431640625e-7, "9.5367431640625e-07", "9.5367431640625e-07", "9.5367431640625e-07",
     "0.00000095367431640625"},
    {INFINITY, "+Inf", "+Inf", "+Inf", "+Inf"},
    {-INFINITY, "-Inf", "-Inf", "-Inf", "-Inf"},
    {NAN, "NaN", "NaN", "NaN", "NaN"},
};

static void check_form(size_t (*format)(double, char *), double value, const char *want)
{
    char text[NUMBER_PLAIN_MAX + 1];

    if (want != NULL) {
        text[format(value, text)] = '\0';
        assert_string_equal(text, want);
    }
}

static void forms_are_those_of_go(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(form_cases); i++) {
        const struct form_case *c = &form_cases[i];
        check_form(number_format, c->value, c->json);
        check_form(number_format_go, c->value, c->go);
        check_form(number_format_exponent, c->value, c->exponent);
        check_form(number_format_plain, c->value, c->plain);
    }
}

/*
 * The oracle: the first of %.0e to %.16e that reads back. Of several shortest texts that is the
 * nearest. At a power of two, where the gap below is half as wide, a shorter text that is not the
 * nearest of its length may read back too.
 */
static void shortest_by_loop(double value, char *out, size_t size)
{
    for (int digits = 1; digits <= 17; digits++) {
        (void)snprintf(out, size, "%.*e", digits - 1, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
    fail_msg("%a has no 17 digits", value);
}

static void check_against_loop(double value)
{
    char want[64];
    char got[NUMBER_TEXT_MAX + 1];
    double back;

    shortest_by_loop(value, want, sizeof(want));
    size_t len = number_format_exponent(value, got);
    got[len] = '\0';
    bool is_power_of_two = (number_bits(value) & ((UINT64_C(1) << 52) - 1)) == 0;
    if (strcmp(want, got) != 0 && !(is_power_of_two && strlen(got) < strlen(want))) {
        fail_msg("%a: got %s, want %s", value, got, want);
    }
    assert_true(number_parse(str_make(got, len), &back));
    assert_true(number_bits(back) == number_bits(value));
    assert_true(number_bits(strtod(got, NULL)) == number_bits(value));
}

static double random_finite(uint64_t *seed)
{
    for (;;) {
        double value = number_from_bits(next_random(seed));
        if (isfinite(value)) {
            return value;
        }
    }
}

static void random_doubles_match_the_loop(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (uint64_t i = rounds(60000); i > 0; i--) {
        check_against_loop(random_finite(&seed));
    }
}

static void small_decimals_match_the_loop(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (uint64_t i = rounds(60000); i > 0; i--) {
        uint64_t r = next_random(&seed);
        double scale = pow(10, (double)(r % 20));
        check_against_loop((double)(next_random(&seed) % 100000000) / scale);
    }
}

/* The way of few places and the way of any double, which number_format_plain() goes, say the same. */
static void check_both_ways(double value)
{
    char quick[NUMBER_PLAIN_MAX + 1];
    char any[NUMBER_PLAIN_MAX + 1];

    if (value == 0 || fabs(value) >= 1e-6) {
        quick[number_format(value, quick)] = '\0';
        any[number_format_plain(value, any)] = '\0';
        assert_string_equal(quick, any);
    }
}

static void values_of_few_places_and_their_neighbours_are_the_same(void **state)
{
    static const double edges[] = {
        0, 1e-6, 0.5, 1, 10, 99.999999, 100, 999999999, 999999999.999999, 1e9};
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
        check_both_ways(edges[i]);
        check_both_ways(-edges[i]);
        check_both_ways(nextafter(edges[i], INFINITY));
        check_both_ways(nextafter(edges[i], 0));
    }
    for (uint64_t i = rounds(60000); i > 0; i--) {
        uint64_t r = next_random(&seed);
        double value = (double)(next_random(&seed) >> (r % 40 + 14)) / pow(10, (double)(r % 9));
        check_both_ways(value);
        check_both_ways(-nextafter(value, INFINITY));
        check_both_ways(nextafter(value, 0));
    }
}

static void edges_match_the_loop(void **state)
{
    (void)state;
    for (uint64_t exponent = 0; exponent < 0x7ff; exponent++) {
        uint64_t at = exponent << 52;
        for (uint64_t bits = at < 3 ? 1 : at - 2; bits <= at + 2; bits++) {
            check_against_loop(number_from_bits(bits));
        }
    }
    for (uint64_t denormal = 1; denormal < 20000; denormal++) {
        check_against_loop(number_from_bits(denormal));
    }
    for (int power = -323; power <= 308; power++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "1e%d", power);
        double value = strtod(text, NULL);
        check_against_loop(value);
        check_against_loop(nextafter(value, 0) > 0 ? nextafter(value, 0) : value);
        check_against_loop(nextafter(value, 1e308));
    }
}

struct parse_case {
    const char *text;
    bool ok;
    double value;
};

static const struct parse_case parse_cases[] = {
    {"0", true, 0},
    {"-0", true, -0.0},
    {"+7", true, 7},
    {"1.", true, 1},
    {".5", true, 0.5},
    {"00012.500", true, 12.5},
    {"0000000000000000000000012.5", true, 12.5},
    {"0.00000000000000000000000000000000000000000125", true, 1.25e-42},
    {"000000000000000000000000000000.0000", true, 0},
    {"12345678901234567890", true, 12345678901234567890.0},
    {"1234567890123456789012345678901234567890", true, 1234567890123456789012345678901234567890.0},
    {"1234567:90123456", false, 0},
    {"12345678/", false, 0},
    {"1e5", true, 1e5},
    {"1E+5", true, 1e5},
    {"1e-5", true, 1e-5},
    {"0x1p-2", true, 0.25},
    {"0X1.8P1", true, 3},
    {"-0x.8p0", true, -0.5},
    {"0x1.fffffffffffff8p0", true, 2},
    {"0x1.00000000000008p0", true, 1},
    {"0x1.000000000000080000000000001p0", true, 0x1.0000000000001p0},
    {"inf", true, INFINITY},
    {"+Inf", true, INFINITY},
    {"-INFINITY", true, -INFINITY},
    {"1e308", true, 1e308},
    {"1.7976931348623157e308", true, 1.7976931348623157e308},
    {"1.7976931348623158e308", true, 1.7976931348623157e308},
    {"1.7976931348623159e308", false, 0},
    {"1e309", false, 0},
    {"1e99999999999999999999", false, 0},
    {"1e-99999999999999999999", true, 0},
    {"0e99999999999999999999", true, 0},
    {"4.9e-324", true, 5e-324},
    {"2.4703282292062327e-324", true, 0},
    {"2.4703282292062328e-324", true, 5e-324},
    {"2.2250738585072011e-308", true, 2.2250738585072011e-308},
    {"9007199254740993", true, 9007199254740992.0},
    {"9007199254740993.00000000000000000000000000001", true, 9007199254740994.0},
    {"9007199254740995", true, 9007199254740996.0},
    {"8.5", true, 8.5},
    {"", false, 0},
    {"-", false, 0},
    {".", false, 0},
    {"1e", false, 0},
    {"1e+", false, 0},
    {"e5", false, 0},
    {".e5", false, 0},
    {"1.2.3", false, 0},
    {"1_000", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"--1", false, 0},
    {"+NaN", false, 0},
    {"nan1", false, 0},
    {"0x", false, 0},
    {"0x1", false, 0},
    {"0xp1", false, 0},
    {"0x1p", false, 0},
    {"1,5", false, 0},
    {"infinit", false, 0},
};

static void parse_takes_what_go_takes(void **state)
{
    double value;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(parse_cases); i++) {
        const struct parse_case *c = &parse_cases[i];
        value = -77;
        bool ok = number_parse(str_of(c->text), &value);
        if (ok != c->ok) {
            fail_msg("%s: %d", c->text, ok);
        }
        if (c->ok) {
            assert_true(number_bits(value) == number_bits(c->value));
        }
    }
    assert_false(number_parse(str_make("1\0", 2), &value));
    assert_true(number_parse(STR("NaN"), &value) && isnan(value) && !number_is_stale_nan(value));
    assert_true(number_parse(STR("nAn"), &value));
}

static void check_parse(const char *text)
{
    double want = strtod(text, NULL);
    double got = -77;

    bool ok = number_parse(str_of(text), &got);
    if (ok != isfinite(want) || (ok && number_bits(got) != number_bits(want))) {
        fail_msg("%s: got %a, want %a", text, got, want);
    }
}

static void random_texts_parse_as_strtod(void **state)
{
    uint64_t seed = 3;
    char text[64];

    (void)state;
    for (uint64_t i = rounds(100000); i > 0; i--) {
        uint64_t r = next_random(&seed);
        (void)snprintf(text, sizeof(text), "%llu.%llue%d",
                       (unsigned long long)(next_random(&seed) >> (r % 64)),
                       (unsigned long long)(next_random(&seed) >> (r >> 6) % 64),
                       (int)((r >> 12) % 700) - 350);
        check_parse(text);
        (void)snprintf(text, sizeof(text), "%llue%d",
                       (unsigned long long)(next_random(&seed) >> (r % 64)),
                       (int)((r >> 32) % 80) - 40);
        check_parse(text);
    }
}

/* Exactly between two doubles, a hair below and a hair above. */
static void middles_parse_as_strtod(void **state)
{
    uint64_t seed = 4;
    char text[1400];

    (void)state;
    for (uint64_t i = rounds(3000) / 10 + 300; i > 0; i--) {
        double low = fabs(random_finite(&seed));
        if (low > 1e300) {
            continue;
        }
        long double middle = ((long double)low + (long double)nextafter(low, INFINITY)) / 2;
        int len = snprintf(text, sizeof(text) - 8, "%.800Le", middle);
        check_parse(text);
        char *e = strchr(text, 'e');
        assert_true(len > 0);
        if (e != NULL) {
            e[-1] = '1';
            check_parse(text);
        }
    }
}

/* The judge of last resort, asked about everything. */
static void exact_integers_agree_with_strtod(void **state)
{
    uint64_t seed = 5;
    char text[80];

    (void)state;
    for (uint64_t i = rounds(20000) / 10; i > 0; i--) {
        uint64_t r = next_random(&seed);
        int exponent = (int)((r >> 12) % 680) - 345;
        int digits =
            snprintf(text, sizeof(text), "%s%llu%s%llu", r & 1 ? "000" : "",
                     (unsigned long long)(next_random(&seed) >> (r >> 1) % 64), r & 2 ? "." : "",
                     (unsigned long long)(next_random(&seed) >> (r >> 7) % 64));
        const char *point = memchr(text, '.', (size_t)digits);
        struct decimal_text d = {
            .digits = {text, (size_t)digits},
            .first_exponent = exponent + (point ? point - text : digits) - 1,
        };
        double got = number_from_digits(&d);
        (void)snprintf(text + digits, sizeof(text) - (size_t)digits, "e%d", exponent);
        if (number_bits(got) != number_bits(strtod(text, NULL))) {
            fail_msg("%s: %a", text, got);
        }
    }
}

static void very_long_texts_parse(void **state)
{
    char text[5000];
    double value;

    (void)state;
    memset(text, '1', sizeof(text));
    text[1] = '.';
    assert_true(number_parse(str_make(text, sizeof(text)), &value) && value == 1.1111111111111112);
    memset(text, '0', sizeof(text));
    text[1] = '.';
    struct str end = STR("12345e5000");
    memcpy(text + sizeof(text) - end.len, end.ptr, end.len);
    assert_true(number_parse(str_make(text, sizeof(text)), &value) && value == 1.2345e11);
    text[0] = '9';
    memset(text + 2, '9', 300);
    text[4999] = 'x';
    assert_false(number_parse(str_make(text, sizeof(text)), &value));
}

/* Little exact integers of 32-bit limbs for the table. */
struct tiny {
    uint32_t limb[80];
};

static void tiny_multiply(struct tiny *t, uint32_t factor)
{
    uint64_t carry = 0;

    for (size_t i = 0; i < ARRAY_LEN(t->limb); i++) {
        carry += (uint64_t)t->limb[i] * factor;
        t->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_true(carry == 0);
}

static int tiny_bits(const struct tiny *t)
{
    for (int i = (int)ARRAY_LEN(t->limb) - 1; i >= 0; i--) {
        if (t->limb[i] != 0) {
            return i * 32 + 32 - __builtin_clz(t->limb[i]);
        }
    }
    return 0;
}

static struct tiny tiny_of(struct pow10 p, uint64_t less)
{
    uint64_t low = p.low - less;
    uint64_t high = p.high - (p.low < less);
    struct tiny t = {
        {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high, (uint32_t)(high >> 32)}};

    return t;
}

static int tiny_bit(const struct tiny *t, int i)
{
    return (int)(t->limb[i / 32] >> (i % 32)) & 1;
}

/* The top 128 bits of 10^k, k >= 0, rounded up, must be the row. */
static void check_positive_row(int32_t k, struct pow10 row)
{
    struct tiny t = {{1}};
    uint64_t top[2] = {0};

    for (int32_t i = 0; i < k; i++) {
        tiny_multiply(&t, 10);
    }
    int bits = tiny_bits(&t);
    assert_int_equal(bits - 1, pow10_log2(k));
    for (int i = 0; i < 128; i++) {
        int at = bits - 1 - i;
        top[i / 64] = top[i / 64] << 1 | (uint64_t)(at >= 0 ? tiny_bit(&t, at) : 0);
    }
    bool rest = false;
    for (int at = bits - 129; at >= 0; at--) {
        rest = rest || tiny_bit(&t, at) != 0;
    }
    assert_int_equal(rest, k > POW10_EXACT_MAX);
    top[1] += rest;
    top[0] += rest && top[1] == 0;
    assert_true(row.high == top[0] && row.low == top[1]);
}

/* row * 10^-k must reach 2^(127 - log2) and row - 1 must not. */
static void check_negative_row(int32_t k, struct pow10 row)
{
    struct tiny reach = tiny_of(row, 0);
    struct tiny below = tiny_of(row, 1);

    for (int32_t i = 0; i < -k; i++) {
        tiny_multiply(&reach, 10);
        tiny_multiply(&below, 10);
    }
    assert_int_equal(tiny_bits(&reach), 127 - pow10_log2(k) + 1);
    assert_int_equal(tiny_bits(&below), 127 - pow10_log2(k));
}

static void power_table_is_exact(void **state)
{
    (void)state;
    for (int32_t k = POW10_MIN; k <= POW10_MAX; k++) {
        struct pow10 row = number_pow10[k - POW10_MIN];
        if (k >= 0) {
            check_positive_row(k, row);
        } else {
            check_negative_row(k, row);
        }
    }
}

static void integers_parse(void **state)
{
    int64_t i;
    uint64_t u;

    (void)state;
    assert_true(number_parse_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(number_parse_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
    assert_true(number_parse_i64(STR("+5"), &i) && i == 5);
    assert_false(number_parse_i64(STR("9223372036854775808"), &i));
    assert_false(number_parse_i64(STR("-9223372036854775809"), &i));
    assert_false(number_parse_i64(STR("-+5"), &i));
    assert_false(number_parse_i64(STR("-"), &i));
    assert_false(number_parse_i64(STR(""), &i));
    assert_false(number_parse_i64(STR("1.0"), &i));
    assert_true(number_parse_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(number_parse_u64(STR("18446744073709551616"), &u));
    assert_false(number_parse_u64(STR("-1"), &u));
    assert_false(number_parse_u64(STR("+"), &u));
}

struct bytes_case {
    const char *text;
    int64_t bytes; /* -1: refused */
};

static const struct bytes_case bytes_cases[] = {
    {"64", 64},
    {"0", 0},
    {"7B", 7},
    {"10k", 10240},
    {"10K", 10240},
    {"50MB", 50000000},
    {"50 mb", 50000000},
    {"1GiB", 1073741824},
    {"1gib", 1073741824},
    {"1.5GiB", 1610612736},
    {"0.1kB", 100},
    {"2TB", 2000000000000},
    {"8388607T", INT64_C(8388607) << 40},
    {"8388608T", -1},
    {"9223372036854775808", -1},
    {"-1", -1},
    {"", -1},
    {"MB", -1},
    {"1.", -1},
    {".5M", -1},
    {"1..5M", -1},
    {"1.5.5M", -1},
    {"5 parsecs", -1},
};

static void sizes_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bytes_cases); i++) {
        int64_t bytes = -1;
        bool ok = number_parse_bytes(str_of(bytes_cases[i].text), &bytes);
        if (ok != (bytes_cases[i].bytes >= 0) || bytes != bytes_cases[i].bytes) {
            fail_msg("%s: %lld", bytes_cases[i].text, (long long)bytes);
        }
    }
}

static void stale_marker_is_one_pattern(void **state)
{
    (void)state;
    assert_true(number_bits(number_stale_nan()) == UINT64_C(0x7ff0000000000002));
    assert_true(number_is_stale_nan(number_stale_nan()));
    assert_false(number_is_stale_nan(NAN));
    assert_false(number_is_stale_nan(1));
}

static void buf_takes_numbers(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(64);

    (void)state;
    buf_add_double(&b, 1.5);
    buf_add_byte(&b, ' ');
    buf_add_double(&b, -INFINITY);
    assert_string_equal(buf_text(&b), "1.5 -Inf");
}

static void sizes_read_back(void **state)
{
    (void)state;
    static const struct {
        int64_t bytes;
        const char *text;
    } rows[] = {{0, "0B"},
                {1, "1B"},
                {1025, "1025B"},
                {64000, "64KB"},
                {65536, "64KiB"},
                {8000000, "8MB"},
                {INT64_C(1) << 30, "1GiB"},
                {1000000000, "1GB"},
                {1500000000, "1500MB"}};

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        int64_t bytes = -1;
        buf_add_size(&text, rows[i].bytes);
        assert_string_equal(buf_text(&text), rows[i].text);
        assert_true(number_parse_bytes(buf_str(&text), &bytes));
        assert_int_equal(bytes, rows[i].bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_are_those_of_go),
        cmocka_unit_test(power_table_is_exact),
        cmocka_unit_test(edges_match_the_loop),
        cmocka_unit_test(random_doubles_match_the_loop),
        cmocka_unit_test(small_decimals_match_the_loop),
        cmocka_unit_test(values_of_few_places_and_their_neighbours_are_the_same),
        cmocka_unit_test(parse_takes_what_go_takes),
        cmocka_unit_test(random_texts_parse_as_strtod),
        cmocka_unit_test(middles_parse_as_strtod),
        cmocka_unit_test(exact_integers_agree_with_strtod),
        cmocka_unit_test(very_long_texts_parse),
        cmocka_unit_test(integers_parse),
        cmocka_unit_test(sizes_parse),
        cmocka_unit_test(sizes_read_back),
        cmocka_unit_test(stale_marker_is_one_pattern),
        cmocka_unit_test(buf_takes_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
