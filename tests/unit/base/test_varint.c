#include "base/varint.h"

#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    uint64_t value;
    struct str bytes;
} pairs[] = {
    {0, STR_INIT("\0")},
    {1, STR_INIT("\x01")},
    {127, STR_INIT("\x7f")},
    {128, STR_INIT("\x80\x01")},
    {300, STR_INIT("\xac\x02")},
    {16383, STR_INIT("\xff\x7f")},
    {16384, STR_INIT("\x80\x80\x01")},
    {UINT32_MAX, STR_INIT("\xff\xff\xff\xff\x0f")},
    {INT64_MAX, STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\x7f")},
    {UINT64_MAX, STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
};

static void test_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char out[VARINT_MAX];
        size_t len = (size_t)(varint_put(out, pairs[i].value) - out);
        const char *at = pairs[i].bytes.ptr;
        uint64_t back = ~pairs[i].value;

        assert_true(str_eq(str_make(out, len), pairs[i].bytes));
        assert_int_equal(varint_size(pairs[i].value), len);
        assert_true(varint_get(&at, at + len, &back));
        assert_true(back == pairs[i].value);
        assert_ptr_equal(at, pairs[i].bytes.ptr + len);
    }
}

static void test_sizes_at_every_edge(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 64; bits++) {
        char out[VARINT_MAX];
        uint64_t value = (uint64_t)1 << bits;
        assert_int_equal(varint_size(value), varint_put(out, value) - out);
        assert_int_equal(varint_size(value - 1), varint_put(out, value - 1) - out);
    }
}

static void test_cut_and_overlong_are_refused(void **state)
{
    (void)state;
    const struct str bad[] = {
        STR_INIT(""),
        STR_INIT("\x80"),
        STR_INIT("\xff\xff\xff"),
        STR_INIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
        STR_INIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const char *at = bad[i].ptr;
        uint64_t value = 7;
        assert_false(varint_get(&at, at + bad[i].len, &value));
        assert_ptr_equal(at, bad[i].ptr);
        assert_int_equal(value, 7);
    }
}

static void test_zigzag(void **state)
{
    (void)state;
    const int64_t values[] = {0, -1, 1, -2, 2, INT64_MAX, INT64_MIN};
    const uint64_t codes[] = {0, 1, 2, 3, 4, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_true(varint_zigzag(values[i]) == codes[i]);
        assert_true(varint_unzigzag(codes[i]) == values[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_sizes_at_every_edge),
        cmocka_unit_test(test_cut_and_overlong_are_refused),
        cmocka_unit_test(test_zigzag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
