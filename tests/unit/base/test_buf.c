#include "base/buf.h"

#include "base/mem.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void appends(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(BUF_SMALL);

    assert_string_equal(buf_text(&b), "");
    assert_int_equal(buf_str(&b).len, 0);
    buf_add_text(&b, "a");
    buf_add_str(&b, STR("bc"));
    buf_add_str(&b, STR_NONE);
    buf_add_byte(&b, 'd');
    buf_add_repeat(&b, '-', 3);
    buf_add(&b, "\0z", 2);
    buf_addf(&b, "%d/%s", 7, "x");
    assert_true(buf_ok(&b));
    assert_int_equal(b.len, 12);
    assert_memory_equal(b.ptr, "abcd---\0z7/x", 13);
    buf_truncate(&b, 100);
    assert_int_equal(b.len, 12);
    buf_truncate(&b, 2);
    assert_string_equal(buf_text(&b), "ab");
}

static void numbers(void **state)
{
    (void)state;
    static const int64_t values[] = {0, 1, -1, 9, 10, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO(buf_release) struct buf b = BUF_INIT(100);
        char want[64];
        buf_add_i64(&b, values[i]);
        buf_add_byte(&b, ' ');
        buf_add_u64(&b, (uint64_t)values[i]);
        (void)snprintf(want, sizeof(want), "%" PRIi64 " %" PRIu64, values[i], (uint64_t)values[i]);
        assert_string_equal(buf_text(&b), want);
    }
}

static void cap_is_exact_and_sticky(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(10);

    buf_add(&b, "0123456789", 10);
    assert_true(buf_ok(&b));
    buf_add_byte(&b, 'x');
    assert_false(buf_ok(&b));
    buf_truncate(&b, 0);
    buf_add_byte(&b, 'y'); /* over stays until cleared, so a hole is never papered over */
    assert_int_equal(b.len, 0);
    buf_clear(&b);
    buf_addf(&b, "%010d", 1);
    assert_true(buf_ok(&b));
    buf_clear(&b);
    buf_addf(&b, "%011d", 1);
    assert_false(buf_ok(&b));
    assert_null(buf_reserve(&b, SIZE_MAX));
}

static void cap_of_zero(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(0);

    buf_add(&b, "", 0);
    assert_true(buf_ok(&b));
    buf_add_byte(&b, 'x');
    assert_false(buf_ok(&b));
    assert_string_equal(buf_text(&b), "");
}

static void take_moves(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, SIZE_MAX);
    assert_true(b.max == BUF_UNLIMITED);
    buf_add_text(&b, "moved");
    char *text = buf_take(&b);
    assert_string_equal(text, "moved");
    assert_null(b.ptr);
    mem_free(text);
    text = buf_take(&b);
    assert_string_equal(text, "");
    mem_free(text);
    buf_release(&b);
}

static void texts_are_mended(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } rows[] = {
        {"", ""},
        {"a\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80", "a\xC3\xB6\xE2\x82\xAC\xF0\x9F\x98\x80"},
        {"\xFFz", "\xEF\xBF\xBDz"},
        {"\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xE2z\xC3\xB6", "\xEF\xBF\xBDz\xC3\xB6"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}, /* half of a pair */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf b = BUF_INIT(BUF_SMALL);
        buf_add_utf8(&b, str_of(rows[i].text));
        assert_string_equal(buf_text(&b), rows[i].want);
        assert_true(str_is_utf8(buf_str(&b)));
    }
}

static void grows_far(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf b = BUF_INIT(BUF_UNLIMITED);

    for (size_t i = 0; i < 100000; i++) {
        buf_add_byte(&b, (char)('a' + i % 26));
    }
    assert_int_equal(b.len, 100000);
    for (size_t i = 0; i < b.len; i += 997) {
        assert_int_equal(b.ptr[i], 'a' + (int)(i % 26));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends),
        cmocka_unit_test(numbers),
        cmocka_unit_test(cap_is_exact_and_sticky),
        cmocka_unit_test(cap_of_zero),
        cmocka_unit_test(take_moves),
        cmocka_unit_test(grows_far),
        cmocka_unit_test(texts_are_mended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
