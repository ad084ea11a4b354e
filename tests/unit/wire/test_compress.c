#include "wire/compress.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct compression *const all[] = {&compression_snappy, &compression_gzip,
                                                &compression_zstd, &compression_deflate};

/* Text that compresses a little. */
static void fill(struct buf *b, size_t size)
{
    uint32_t x = 1;

    while (b->len < size) {
        x = x * 1664525 + 1013904223;
        buf_addf(b, "label_%u=", x >> 20);
    }
    buf_truncate(b, size);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 65535, 65536, 65537, 300000};
    for (size_t c = 0; c < ARRAY_LEN(all); c++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            AUTO(buf_release) struct buf plain = BUF_INIT(BUF_UNLIMITED);
            AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
            AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
            struct err e = ERR_INIT;
            fill(&plain, sizes[i]);
            buf_add_byte(&back, '>');
            assert_true(all[c]->pack(buf_str(&plain), &packed, &e));
            assert_true(all[c]->unpack(buf_str(&packed), sizes[i], &back, &e));
            assert_int_equal(back.len, sizes[i] + 1);
            assert_true(str_eq(str_slice(buf_str(&back), 1, back.len), buf_str(&plain)));
        }
    }
}

static void test_output_is_capped(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 70000, 1000000};
    for (size_t c = 0; c < ARRAY_LEN(all); c++) {
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            AUTO(buf_release) struct buf plain = BUF_INIT(BUF_UNLIMITED);
            AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
            AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
            struct err e = ERR_INIT;
            buf_add_repeat(&plain, 'x', sizes[i]);
            assert_true(all[c]->pack(buf_str(&plain), &packed, &e));
            assert_false(all[c]->unpack(buf_str(&packed), sizes[i] - 1, &back, &e));
            assert_int_equal(e.code, ERR_LIMIT);
            assert_int_equal(back.len, 0);
            assert_true(back.cap <= sizes[i] + 2 * 65536 + 64);
        }
    }
}

static void test_a_full_buf_is_a_limit(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(all); c++) {
        AUTO(buf_release) struct buf packed = BUF_INIT(10);
        struct err e = ERR_INIT;
        assert_false(all[c]->pack(STR("a text of more than ten bytes"), &packed, &e));
        assert_int_equal(e.code, ERR_LIMIT);
    }
}

/* Every cut and every changed byte either fails or, for formats without a checksum, gives some bytes. */
static void test_broken_bytes(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(all); c++) {
        AUTO(buf_release) struct buf plain = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        fill(&plain, 300);
        assert_true(all[c]->pack(buf_str(&plain), &packed, &e));
        for (size_t i = 0; i < packed.len; i++) {
            AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
            AUTO(mem_autofree) char *bytes = mem_dup(packed.ptr, packed.len);
            AUTO(mem_autofree) char *cut = mem_dup(packed.ptr, i);
            assert_false(all[c]->unpack(str_make(cut, i), 4096, &back, &e));
            bytes[i] = (char)(bytes[i] ^ 0x41);
            (void)all[c]->unpack(str_make(bytes, packed.len), 4096, &back, &e);
            assert_true(back.len <= 4096);
        }
    }
}

static void test_gzip_members_and_trailing_bytes(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf back = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    assert_true(compression_gzip.pack(STR("one,"), &packed, &e));
    assert_true(compression_gzip.pack(STR("two"), &packed, &e));
    assert_true(compression_gzip.unpack(buf_str(&packed), 100, &back, &e));
    assert_string_equal(buf_text(&back), "one,two");
    buf_add_text(&packed, "junk");
    assert_false(compression_gzip.unpack(buf_str(&packed), 100, &back, &e));
    assert_int_equal(e.code, ERR_PARSE);
    assert_string_equal(buf_text(&back), "one,two");
}

static void test_find(void **state)
{
    (void)state;
    assert_ptr_equal(compression_find(STR("gzip")), &compression_gzip);
    assert_ptr_equal(compression_find(STR("X-GZIP")), &compression_gzip);
    assert_ptr_equal(compression_find(STR("Zstd")), &compression_zstd);
    assert_ptr_equal(compression_find(STR("snappy")), &compression_snappy);
    assert_null(compression_find(STR("identity")));
    assert_null(compression_find(STR("")));
}

/* As others read them: zlib's header, and Datadog's name of a zstd frame. */
static void test_forms(void **state)
{
    static const struct {
        const struct compression *c;
        const char *name;
        const char *start;
        size_t len;
    } rows[] = {
        {&compression_gzip, "gzip", "\x1f\x8b", 2},
        {&compression_deflate, "deflate", "\x78", 1},
        {&compression_zstd, "zstd", "\x28\xb5\x2f\xfd", 4},
        {&compression_zstd1, "zstd1", "\x28\xb5\x2f\xfd", 4},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        assert_string_equal(rows[i].c->name, rows[i].name);
        assert_true(rows[i].c->pack(STR("a text"), &packed, &e));
        assert_memory_equal(packed.ptr, rows[i].start, rows[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_output_is_capped),
        cmocka_unit_test(test_a_full_buf_is_a_limit),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_gzip_members_and_trailing_bytes),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
