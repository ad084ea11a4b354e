/* RFC 4648's vectors, both alphabets, and what must be refused. */
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct vector {
    struct str bytes;
    const char *standard;
    const char *url;
};

static const struct vector vectors[] = {
    {STR_INIT(""), "", ""},
    {STR_INIT("f"), "Zg==", "Zg"},
    {STR_INIT("fo"), "Zm8=", "Zm8"},
    {STR_INIT("foo"), "Zm9v", "Zm9v"},
    {STR_INIT("foob"), "Zm9vYg==", "Zm9vYg"},
    {STR_INIT("fooba"), "Zm9vYmE=", "Zm9vYmE"},
    {STR_INIT("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
    {STR_INIT("\xfb\xff\xbf"), "+/+/", "-_-_"},
    {STR_INIT("\0\0"), "AAA=", "AAA"},
};

static void check_decode(const char *text, struct str want)
{
    AUTO(buf_release) struct buf b = BUF_INIT(1000);

    buf_add_byte(&b, '>');
    assert_true(base64_decode(str_of(text), &b));
    assert_int_equal(b.len, want.len + 1);
    assert_memory_equal(b.ptr + 1, want.ptr, want.len);
}

static void vectors_go_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        AUTO(buf_release) struct buf standard = BUF_INIT(1000);
        AUTO(buf_release) struct buf url = BUF_INIT(1000);
        base64_encode(vectors[i].bytes, &standard);
        base64url_encode(vectors[i].bytes, &url);
        assert_string_equal(buf_text(&standard), vectors[i].standard);
        assert_string_equal(buf_text(&url), vectors[i].url);
        check_decode(vectors[i].standard, vectors[i].bytes);
        check_decode(vectors[i].url, vectors[i].bytes);
    }
}

static void wrong_texts_are_refused(void **state)
{
    static const char *const wrong[] = {
        "A",      "AAAAA", "Zg=",  "Zg===",           "=", "==", "====", "Zm9v=", "Zm 9v",
        "Zm9v\n", "Zm$v",  "Z=g=", "\xff\xff\xff\xff"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        AUTO(buf_release) struct buf b = BUF_INIT(1000);
        buf_add_byte(&b, '>');
        if (base64_decode(str_of(wrong[i]), &b)) {
            fail_msg("%s", wrong[i]);
        }
        assert_string_equal(buf_text(&b), ">");
    }
}

static void every_byte_survives(void **state)
{
    char bytes[512];

    (void)state;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char)(i * 167);
    }
    for (size_t len = 0; len < sizeof(bytes); len++) {
        AUTO(buf_release) struct buf text = BUF_INIT(1000);
        AUTO(buf_release) struct buf back = BUF_INIT(1000);
        base64url_encode(str_make(bytes, len), &text);
        assert_true(base64_decode(buf_str(&text), &back));
        assert_true(str_eq(buf_str(&back), str_make(bytes, len)));
    }
}

static void a_full_buffer_is_over(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(3);

    (void)state;
    base64_encode(STR("abc"), &b);
    assert_false(buf_ok(&b));
    assert_int_equal(b.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_go_both_ways),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(every_byte_survives),
        cmocka_unit_test(a_full_buffer_is_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
