#include "promql/lex.h"

#include "base/attr.h"
#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct number_row {
    const char *text;
    size_t len; /* of the token at the front; 0: none */
    enum token_kind kind;
    double value;
    double steps;
};

static const struct number_row promql_rows[] = {
    {"0", 1, TOKEN_NUMBER, 0, 0},
    {"12+", 2, TOKEN_NUMBER, 12, 0},
    {"1.5)", 3, TOKEN_NUMBER, 1.5, 0},
    {".5", 2, TOKEN_NUMBER, 0.5, 0},
    {"1.", 2, TOKEN_NUMBER, 1, 0},
    {"1e3", 3, TOKEN_NUMBER, 1000, 0},
    {"1E+03", 5, TOKEN_NUMBER, 1000, 0},
    {"1e-3-1", 4, TOKEN_NUMBER, 0.001, 0},
    {"1_000_000.5", 11, TOKEN_NUMBER, 1000000.5, 0},
    {"1__0", 0, TOKEN_NUMBER, 0, 0},
    {"1_", 0, TOKEN_NUMBER, 0, 0},
    {"1_.5", 0, TOKEN_NUMBER, 0, 0},
    {"1._5", 0, TOKEN_NUMBER, 0, 0},
    {"1e", 0, TOKEN_NUMBER, 0, 0},
    {"1e+", 0, TOKEN_NUMBER, 0, 0},
    {"1..2", 0, TOKEN_NUMBER, 0, 0},
    {"0x1F", 4, TOKEN_NUMBER, 31, 0},
    {"0X_ff", 5, TOKEN_NUMBER, 255, 0},
    {"0xffffffffffffffff", 18, TOKEN_NUMBER, 18446744073709551615.0, 0},
    {"0x", 0, TOKEN_NUMBER, 0, 0},
    {"0x1.8p3", 0, TOKEN_NUMBER, 0, 0},
    {"0b1", 0, TOKEN_NUMBER, 0, 0},
    {"010", 3, TOKEN_NUMBER, 8, 0},
    {"0_7", 3, TOKEN_NUMBER, 7, 0},
    {"089", 3, TOKEN_NUMBER, 89, 0},
    {"010.5", 5, TOKEN_NUMBER, 10.5, 0},
    {"5k", 0, TOKEN_NUMBER, 0, 0},
    {"5m", 2, TOKEN_DURATION, 300, 0},
    {"5M", 0, TOKEN_NUMBER, 0, 0},
    {"1h30m]", 5, TOKEN_DURATION, 5400, 0},
    {"1y2w3d4h5m6s7ms", 15, TOKEN_DURATION, 33019506.007, 0},
    {"0s", 2, TOKEN_DURATION, 0, 0},
    {"5ms", 3, TOKEN_DURATION, 0.005, 0},
    {"5m-3m", 2, TOKEN_DURATION, 300, 0},
    {"5mm", 0, TOKEN_NUMBER, 0, 0},
    {"5m3", 0, TOKEN_NUMBER, 0, 0},
    {"1.5h", 0, TOKEN_NUMBER, 0, 0},
    {"5i", 0, TOKEN_NUMBER, 0, 0},
    {"x", 0, TOKEN_NUMBER, 0, 0},
    {"", 0, TOKEN_NUMBER, 0, 0},
};

static const struct number_row metricsql_rows[] = {
    {"1_000", 5, TOKEN_NUMBER, 1000, 0},      {"0x1F", 4, TOKEN_NUMBER, 31, 0},
    {"0b101", 5, TOKEN_NUMBER, 5, 0},         {"0o17", 4, TOKEN_NUMBER, 15, 0},
    {"0b12", 0, TOKEN_NUMBER, 0, 0},          {"5k", 2, TOKEN_NUMBER, 5000, 0},
    {"5Ki", 3, TOKEN_NUMBER, 5120, 0},        {"5KiB", 4, TOKEN_NUMBER, 5120, 0},
    {"5kb", 3, TOKEN_NUMBER, 5000, 0},        {"1.5M", 4, TOKEN_NUMBER, 1500000, 0},
    {"2mi", 3, TOKEN_NUMBER, 2097152, 0},     {"1GiB", 4, TOKEN_NUMBER, 1073741824, 0},
    {"1tb", 3, TOKEN_NUMBER, 1e12, 0},        {".5k", 3, TOKEN_NUMBER, 500, 0},
    {"5kx", 0, TOKEN_NUMBER, 0, 0},           {"5m", 2, TOKEN_DURATION, 300, 0},
    {"1.5h", 4, TOKEN_DURATION, 5400, 0},     {"2H", 2, TOKEN_DURATION, 7200, 0},
    {"5MS", 3, TOKEN_DURATION, 0.005, 0},     {"5i", 2, TOKEN_DURATION, 0, 5},
    {"1h2.5i", 6, TOKEN_DURATION, 3600, 2.5}, {"1h-5m", 5, TOKEN_DURATION, 3300, 0},
    {"1h-5m3s", 7, TOKEN_DURATION, 3297, 0},  {"1h-5", 2, TOKEN_DURATION, 3600, 0},
    {"5m - 3m", 2, TOKEN_DURATION, 300, 0},
};

static void check_number(const struct number_row *row, enum promql_dialect dialect)
{
    struct err e = ERR_INIT;
    enum token_kind kind;
    double value = 0;
    double steps = 0;
    struct str text = str_of(row->text);
    size_t len = scan_number(text, dialect, &kind);

    if (len != row->len || (len > 0 && kind != row->kind)) {
        fail_msg("%s: %zu bytes of kind %d", row->text, len, (int)kind);
    }
    if (len == 0) {
        return;
    }
    text = str_slice(text, 0, len);
    assert_true(kind == TOKEN_NUMBER ? read_number(text, dialect, &value)
                                     : read_duration(text, dialect, &value, &steps, &e));
    if (fabs(value - row->value) > 1e-9 * fabs(value) || fabs(steps - row->steps) > 0) {
        fail_msg("%s: %.17g and %.17g steps", row->text, value, steps);
    }
}

static void reads_numbers(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(promql_rows); i++) {
        check_number(&promql_rows[i], PROMQL_PROMETHEUS);
    }
    for (size_t i = 0; i < ARRAY_LEN(metricsql_rows); i++) {
        check_number(&metricsql_rows[i], PROMQL_METRICSQL);
    }
}

static void refuses_numbers_too_large(void **state)
{
    (void)state;
    double value;

    assert_false(read_number(STR("0x10000000000000000"), PROMQL_PROMETHEUS, &value));
    assert_false(read_number(STR("07777777777777777777777777"), PROMQL_PROMETHEUS, &value));
}

static void reads_strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct str meaning; /* STR_NONE: refused */
        uint32_t column;
    } rows[] = {
        {"\"\"", STR_INIT(""), 0},
        {"'a\"b'", STR_INIT("a\"b"), 0},
        {"\"a\\\"b\"", STR_INIT("a\"b"), 0},
        {"'a\\'b'", STR_INIT("a'b"), 0},
        {"\"a\\'b\"", {NULL, 0}, 3},
        {"'a\\\"b'", {NULL, 0}, 3},
        {"`a\\\"'b\\n`", STR_INIT("a\\\"'b\\n"), 0},
        {"`a\nb`", STR_INIT("a\nb"), 0},
        {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\"", STR_INIT("\a\b\f\n\r\t\v\\"), 0},
        {"\"\\x41\\x00\\377\\101\"",
         STR_INIT("A\0\xff"
                  "A"),
         0},
        {"\"\\u00e9\\u20ac\\U0001F600\"", STR_INIT("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), 0},
        {"\"ab\\x4\"", {NULL, 0}, 4},
        {"\"\\400\"", {NULL, 0}, 2},
        {"\"\\18\"", {NULL, 0}, 2},
        {"\"\\uD800\"", {NULL, 0}, 2},
        {"\"\\U00110000\"", {NULL, 0}, 2},
        {"\"\\UFFFFFFFF\"", {NULL, 0}, 2},
        {"\"\\.\"", {NULL, 0}, 2},
        {"\"a\xff\"", {NULL, 0}, 3},
        {"`\xC3`", {NULL, 0}, 2},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        struct str source = str_of(rows[i].text);
        struct token token = {.kind = TOKEN_STRING, .text = source};
        struct err e = ERR_INIT;
        struct str meaning;
        arena_init(&a, ARENA_UNLIMITED);
        bool ok = read_string(&a, source, &token, &meaning, &e);
        assert_int_equal(ok, rows[i].meaning.ptr != NULL);
        if (ok) {
            assert_true(str_eq(meaning, rows[i].meaning));
        } else {
            assert_int_equal(e.pos.column, rows[i].column);
        }
        arena_release(&a);
    }
}

static void reads_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"abc", "abc"},          {"a\\-b", "a-b"},      {"\\x41b", "Ab"},
        {"\\u00e9", "\xC3\xA9"}, {"\\xEF", "\xC3\xAF"}, {"\\xzz", "xzz"},
        {"\\uab", "uab"},        {"a\\\\b", "a\\b"},    {"\\\xC3\xA9", "\xC3\xA9"},
        {"r\\a\\te", "rate"},    {"a\\ b", "a b"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        struct str word = read_word(&a, str_of(rows[i][0]));
        assert_true(str_eq(word, str_of(rows[i][1])));
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_numbers),
        cmocka_unit_test(refuses_numbers_too_large),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(reads_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
