/* The shortest form of each value, as the specification of MessagePack writes it. */
#include "wire/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void add_hex(struct buf *out, struct str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        buf_addf(out, "%02x", (unsigned char)bytes.ptr[i]);
    }
}

static void check(struct buf *made, const char *want)
{
    AUTO(buf_release) struct buf hex = BUF_INIT(BUF_SMALL);

    add_hex(&hex, str_slice(buf_str(made), 0, 12));
    assert_string_equal(buf_text(&hex), want);
    buf_release(made);
}

static const struct {
    int64_t value;
    const char *hex;
} signed_rows[] = {
    {0, "00"},
    {127, "7f"},
    {128, "cc80"},
    {255, "ccff"},
    {256, "cd0100"},
    {65535, "cdffff"},
    {65536, "ce00010000"},
    {4294967295, "ceffffffff"},
    {4294967296, "cf0000000100000000"},
    {INT64_MAX, "cf7fffffffffffffff"},
    {-1, "ff"},
    {-32, "e0"},
    {-33, "d0df"},
    {-128, "d080"},
    {-129, "d1ff7f"},
    {-32768, "d18000"},
    {-32769, "d2ffff7fff"},
    {INT32_MIN, "d280000000"},
    {(int64_t)INT32_MIN - 1, "d3ffffffff7fffffff"},
    {INT64_MIN, "d38000000000000000"},
};

static void integers(void **state)
{
    struct buf made = BUF_INIT(BUF_SMALL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(signed_rows); i++) {
        msgpack_add_i64(&made, signed_rows[i].value);
        check(&made, signed_rows[i].hex);
    }
    msgpack_add_u64(&made, UINT64_MAX);
    check(&made, "cfffffffffffffffff");
}

static void doubles(void **state)
{
    struct buf made = BUF_INIT(BUF_SMALL);

    (void)state;
    msgpack_add_double(&made, 1.5);
    check(&made, "cb3ff8000000000000");
    msgpack_add_double(&made, -0.0);
    check(&made, "cb8000000000000000");
}

static const struct {
    uint32_t length;
    const char *text;
    const char *array;
    const char *map;
} length_rows[] = {
    {0, "a0", "90", "80"},
    {15, "af7878787878787878787878", "9f", "8f"},
    {16, "b07878787878787878787878", "dc0010", "de0010"},
    {31, "bf7878787878787878787878", "dc001f", "de001f"},
    {32, "d92078787878787878787878", "dc0020", "de0020"},
    {255, "d9ff78787878787878787878", "dc00ff", "de00ff"},
    {256, "da0100787878787878787878", "dc0100", "de0100"},
    {65535, "daffff787878787878787878", "dcffff", "deffff"},
    {65536, "db0001000078787878787878", "dd00010000", "df00010000"},
};

static void lengths(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct buf made = BUF_INIT(BUF_UNLIMITED);

    (void)state;
    buf_add_repeat(&text, 'x', 65536);
    for (size_t i = 0; i < ARRAY_LEN(length_rows); i++) {
        msgpack_add_str(&made, str_slice(buf_str(&text), 0, length_rows[i].length));
        check(&made, length_rows[i].text);
        msgpack_add_array(&made, length_rows[i].length);
        check(&made, length_rows[i].array);
        msgpack_add_map(&made, length_rows[i].length);
        check(&made, length_rows[i].map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(lengths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
