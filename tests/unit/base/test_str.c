#include "base/str.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

static void order_and_equality(void **state)
{
    (void)state;
    static const struct {
        struct str a, b;
        int want;
    } rows[] = {
        {STR_INIT(""), STR_INIT(""), 0},         {STR_INIT(""), STR_INIT("a"), -1},
        {STR_INIT("a"), STR_INIT("b"), -1},      {STR_INIT("ab"), STR_INIT("a"), 1},
        {STR_INIT("\xFF"), STR_INIT("a"), 1},    {STR_INIT("a\0b"), STR_INIT("a\0c"), -1},
        {STR_INIT("same"), STR_INIT("same"), 0}, {{NULL, 0}, STR_INIT(""), 0},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(sign(str_cmp(rows[i].a, rows[i].b)), rows[i].want);
        assert_int_equal(sign(str_cmp(rows[i].b, rows[i].a)), -rows[i].want);
        assert_int_equal(str_eq(rows[i].a, rows[i].b), rows[i].want == 0);
    }
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_false(str_eq_nocase(STR("abc"), STR("abd")));
    assert_false(str_eq_nocase(STR("[a"), STR("{a"))); /* only letters fold */
    assert_false(str_eq_nocase(STR("abc"), STR("ab")));
}

static void searching(void **state)
{
    (void)state;
    struct str s = STR("a,bb,ccc");

    assert_int_equal(str_find_byte(s, ','), 1);
    assert_int_equal(str_find_byte(s, 'x'), s.len);
    assert_int_equal(str_find_byte(STR_NONE, 'x'), 0);
    assert_int_equal(str_find(s, STR("cc")), 5);
    assert_int_equal(str_find(s, STR("cccc")), s.len);
    assert_int_equal(str_find(s, STR("")), 0);
    assert_int_equal(str_find(s, STR_NONE), 0);
    assert_int_equal(str_find(STR_NONE, STR("a")), 0);
    assert_true(str_starts(s, STR("a,")));
    assert_false(str_starts(s, STR("b")));
    assert_true(str_starts(s, STR_NONE));
    assert_true(str_ends(s, STR("ccc")));
    assert_true(str_ends(STR_NONE, STR_NONE));
    assert_false(str_ends(STR("c"), STR("cc")));
}

static void slicing(void **state)
{
    (void)state;
    struct str s = STR("hello");

    assert_true(str_eq(str_slice(s, 1, 3), STR("ell")));
    assert_true(str_eq(str_slice(s, 3, 100), STR("lo")));
    assert_true(str_eq(str_slice(s, 9, 1), STR("")));
    assert_true(str_eq(str_slice(s, 1, SIZE_MAX), STR("ello")));
    assert_int_equal(str_slice(STR_NONE, 0, 4).len, 0);
    assert_true(str_eq(str_trim(STR(" \t\r\n\v\f x y \n")), STR("x y")));
    assert_int_equal(str_trim(STR("   ")).len, 0);
    assert_int_equal(str_trim(STR_NONE).len, 0);
}

static void splitting(void **state)
{
    (void)state;
    struct str rest = STR("a,,b");
    struct str part;

    assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("a")));
    assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("")));
    assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("b")));
    assert_false(str_split(&rest, ',', &part));
    rest = STR("");
    assert_true(str_split(&rest, ',', &part) && part.len == 0);
    assert_false(str_split(&rest, ',', &part));
    rest = STR("x,");
    assert_true(str_split(&rest, ',', &part) && str_eq(part, STR("x")));
    assert_true(str_split(&rest, ',', &part) && part.len == 0);
    assert_false(str_split(&rest, ',', &part));
    rest = STR_NONE;
    assert_false(str_split(&rest, ',', &part));
}

static void hashing(void **state)
{
    (void)state;
    assert_int_equal(str_hash(STR("abc"), 1), str_hash(STR("abc"), 1));
    assert_int_not_equal(str_hash(STR("abc"), 1), str_hash(STR("abc"), 2));
    assert_int_not_equal(str_hash(STR("abc"), 1), str_hash(STR("abd"), 1));
    assert_int_equal(str_hash(STR_NONE, 3), str_hash(STR(""), 3));
    /* Stable across runs and versions: the published XXH3 of the empty input. */
    assert_int_equal(str_hash(STR(""), 0), UINT64_C(0x2D06800538D394C2));
}

static void nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"interval", "annotations", "labels", "keep_firing_for"};
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"intervall", "interval"},
        {"Interval", "interval"},
        {"anotations", "annotations"},
        {"label", "labels"},
        {"keep_fireing_for", "keep_firing_for"},
        {"zzzzzz", NULL},
        {"wholly-unlike-anything-else", NULL},
        {"a-name-longer-than-any-that-we-would-ever-compare-by-distance", NULL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const char *got = str_nearest(str_of(rows[i].name), names, ARRAY_LEN(names));
        if (rows[i].want == NULL) {
            assert_null(got);
        } else {
            assert_string_equal(got, rows[i].want);
        }
    }
    assert_null(str_nearest(STR("x"), names, 0));
}

static void utf8(void **state)
{
    (void)state;
    static const struct {
        struct str s;
        bool want;
    } rows[] = {
        {STR_INIT(""), true},
        {STR_INIT("plain"), true},
        {STR_INIT("\0"), true},
        {STR_INIT("\xC3\xA9"), true},
        {STR_INIT("\xE2\x82\xAC"), true},
        {STR_INIT("\xF0\x9F\x98\x80"), true},
        {STR_INIT("\xF4\x8F\xBF\xBF"), true},
        {STR_INIT("\xEE\x80\x80"), true},
        {STR_INIT("\xC3"), false}, /* cut */
        {STR_INIT("\xE2\x82"), false},
        {STR_INIT("\xF0\x9F\x98"), false},
        {STR_INIT("\x80"), false},     /* continuation alone */
        {STR_INIT("\xC0\xAF"), false}, /* overlong */
        {STR_INIT("\xC1\xBF"), false},
        {STR_INIT("\xE0\x9F\xBF"), false},
        {STR_INIT("\xF0\x8F\xBF\xBF"), false},
        {STR_INIT("\xED\xA0\x80"), false},     /* surrogate */
        {STR_INIT("\xF4\x90\x80\x80"), false}, /* beyond U+10FFFF */
        {STR_INIT("\xF5\x80\x80\x80"), false},
        {STR_INIT("\xE2\x28\xA1"), false},
        {STR_INIT("ok\xFF"), false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(str_is_utf8(rows[i].s), rows[i].want);
    }
    assert_true(str_is_utf8(STR_NONE));
}

static void test_utf8_length(void **state)
{
    (void)state;
    static const struct {
        struct str s;
        size_t len;
    } rows[] = {
        {STR_INIT(""), 0},
        {STR_INIT("ab"), 1},
        {STR_INIT("\0"), 1},
        {STR_INIT("\xc3\xa9x"), 2},
        {STR_INIT("\xc3"), 0},
        {STR_INIT("\x80"), 0},
        {STR_INIT("\xed\xa0\x80"), 0},
        {STR_INIT("\xf0\x9f\x98\x80"), 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(str_utf8_length(rows[i].s), rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_equality),
        cmocka_unit_test(searching),
        cmocka_unit_test(slicing),
        cmocka_unit_test(splitting),
        cmocka_unit_test(hashing),
        cmocka_unit_test(nearest),
        cmocka_unit_test(utf8),
        cmocka_unit_test(test_utf8_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
