#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_written_bytes(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    const struct str want = STR("\x08\x96\x01"
                                "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                                "\x18\x01"
                                "\x21\x01\x00\x00\x00\x00\x00\x00\x00"
                                "\x29\x00\x00\x00\x00\x00\x00\xf8\x3f"
                                "\x32\x02hi"
                                "\x3a\x00"
                                "\x82\x01\x03\x0a\x01x");
    pb_add_u64(&out, 1, 150);
    pb_add_i64(&out, 2, -1);
    pb_add_sint(&out, 3, -1);
    pb_add_fixed(&out, 4, 1);
    pb_add_double(&out, 5, 1.5);
    pb_add_str(&out, 6, STR("hi"));
    pb_add_bytes(&out, 7, STR(""));
    size_t begun = pb_begin(&out, 16);
    pb_add_str(&out, 1, STR("x"));
    pb_end(&out, begun);
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.ptr, want.ptr, want.len);
}

static void test_defaults_are_left_out(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    pb_add_u64(&out, 1, 0);
    pb_add_i64(&out, 1, 0);
    pb_add_sint(&out, 1, 0);
    pb_add_fixed(&out, 1, 0);
    pb_add_double(&out, 1, 0.0);
    pb_add_str(&out, 1, STR(""));
    assert_int_equal(out.len, 0);
    pb_add_double(&out, 1, -0.0);
    assert_int_equal(out.len, 9);
}

/* Messages whose length takes one, two and three bytes, nested. */
static void test_embedded_lengths(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 125, 126, 127, 128, 129, 16380, 16384, 70000};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        struct pb_reader r;
        struct pb_field f;
        size_t outer = pb_begin(&out, 1);
        size_t inner = pb_begin(&out, 2);
        buf_add_repeat(&out, 'x', sizes[i]);
        pb_end(&out, inner);
        pb_end(&out, outer);
        pb_read_init(&r, buf_str(&out));
        assert_true(pb_next(&r, &f));
        assert_int_equal(f.number, 1);
        assert_false(pb_next(&r, &f));
        assert_true(pb_ok(&r));
        pb_read_init(&r, f.bytes);
        assert_true(pb_next(&r, &f));
        assert_int_equal(f.number, 2);
        assert_int_equal(f.bytes.len, sizes[i]);
        assert_false(pb_next(&r, &f));
        assert_true(pb_ok(&r));
    }
}

static void test_read(void **state)
{
    (void)state;
    const struct str message =
        STR("\x08\x96\x01\x11\x01\x00\x00\x00\x00\x00\x00\x80\x1d\xff\x00\x00\x00"
            "\x22\x02hi");
    struct pb_reader r;
    struct pb_field f;

    pb_read_init(&r, message);
    assert_true(pb_next(&r, &f) && f.number == 1 && f.type == PB_VARINT && f.value == 150);
    assert_true(pb_next(&r, &f) && f.number == 2 && f.type == PB_FIXED64 &&
                f.value == 0x8000000000000001);
    assert_true(pb_next(&r, &f) && f.number == 3 && f.type == PB_FIXED32 && f.value == 255);
    assert_true(pb_next(&r, &f) && f.number == 4 && str_eq(f.bytes, STR("hi")));
    assert_false(pb_next(&r, &f));
    assert_true(pb_ok(&r));
    pb_read_init(&r, STR_NONE);
    assert_false(pb_next(&r, &f));
    assert_true(pb_ok(&r));
}

static void test_refused_and_sticky(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR_INIT("\x08"),
        STR_INIT("\x08\x80"),
        STR_INIT("\x00\x01"),
        STR_INIT("\x0a\x05hi"),
        STR_INIT("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        STR_INIT("\x09\x01\x02"),
        STR_INIT("\x0d\x01\x02"),
        STR_INIT("\x0b\x0c"),
        STR_INIT("\x0c"),
        STR_INIT("\x0e\x01"),
        STR_INIT("\x80\x80\x80\x80\x10\x01"),
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
        struct pb_reader r;
        struct pb_field f = {.number = 77};
        pb_add_u64(&message, 1, 1);
        buf_add_str(&message, bad[i]);
        pb_read_init(&r, buf_str(&message));
        assert_true(pb_next(&r, &f));
        assert_false(pb_next(&r, &f));
        assert_int_equal(f.number, 1);
        assert_false(pb_ok(&r));
        assert_int_equal(pb_offset(&r), 2);
        assert_false(pb_next(&r, &f));
    }
}

/* A buf that is over stays so and nothing is written behind it. */
static void test_over(void **state)
{
    (void)state;
    for (size_t max = 0; max < 140; max++) {
        AUTO(buf_release) struct buf out = BUF_INIT(max);
        size_t begun = pb_begin(&out, 1);
        buf_add_repeat(&out, 'x', 130);
        pb_end(&out, begun);
        assert_int_equal(buf_ok(&out), max >= 133);
        assert_true(out.len <= max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_bytes),      cmocka_unit_test(test_defaults_are_left_out),
        cmocka_unit_test(test_embedded_lengths),   cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused_and_sticky), cmocka_unit_test(test_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
