#include "wire/json.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_commas_and_nesting(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct json_writer w;

    json_write_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, STR("a"));
    json_begin_array(&w);
    json_add_i64(&w, -1);
    json_begin_array(&w);
    json_end_array(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_add_u64(&w, UINT64_MAX);
    json_end_array(&w);
    json_key(&w, STR("b\""));
    json_add_bool(&w, true);
    json_key(&w, STR(""));
    json_add_null(&w);
    json_key(&w, STR("raw"));
    json_add_raw(&w, STR("[1,{}]"));
    json_end_object(&w);
    assert_string_equal(buf_text(&out), "{\"a\":[-1,[],{},18446744073709551615],"
                                        "\"b\\\"\":true,\"\":null,\"raw\":[1,{}]}");
    assert_int_equal(w.depth, 0);
}

static void test_numbers_and_times(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct json_writer w;

    json_write_init(&w, &out);
    json_begin_array(&w);
    json_add_double(&w, 85.4);
    json_add_double(&w, (double)NAN);
    json_add_double(&w, (double)-INFINITY);
    json_add_double_or_text(&w, (double)NAN);
    json_add_double_or_text(&w, (double)INFINITY);
    json_add_double_or_text(&w, (double)-INFINITY);
    json_add_double_or_text(&w, -0.5);
    json_add_time(&w, 1705314600000000000);
    json_end_array(&w);
    assert_string_equal(buf_text(&out), "[85.4,null,null,\"NaN\",\"+Inf\",\"-Inf\",-0.5,"
                                        "\"2024-01-15T10:30:00Z\"]");
}

static void test_strings(void **state)
{
    (void)state;
    static const struct {
        struct str in;
        const char *out;
    } rows[] = {
        {{NULL, 0}, "\"\""},
        {STR_INIT("plain text of more than sixteen bytes"),
         "\"plain text of more than sixteen bytes\""},
        {STR_INIT("0123456789abcdef\n0123456789abcdef\""),
         "\"0123456789abcdef\\n0123456789abcdef\\\"\""},
        {STR_INIT("\\ \" / \b\f\n\r\t"), "\"\\\\ \\\" / \\b\\f\\n\\r\\t\""},
        {STR_INIT("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\""},
        {STR_INIT("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
         "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\""},
        {STR_INIT("\xff"), "\"\xef\xbf\xbd\""},
        {STR_INIT("a\xc3"), "\"a\xef\xbf\xbd\""},
        {STR_INIT("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        json_print_str(&out, rows[i].in);
        assert_string_equal(buf_text(&out), rows[i].out);
    }
}

/* A special byte is found wherever it stands, in texts of every length about the blocks that are scanned. */
static void test_escape_at_every_place(void **state)
{
    (void)state;
    static const char specials[] = {'"', '\\', '\n', '\x01', '\x1f', '\xff'};
    for (size_t len = 1; len < 50; len++) {
        AUTO(mem_autofree) char *text = mem_alloc(len);
        memset(text, 'x', len);
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof(specials); i++) {
                AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
                text[at] = specials[i];
                json_print_str(&out, str_make(text, len));
                assert_true(out.len > len + 2);
                assert_int_equal(out.ptr[at], at == 0 ? '"' : 'x');
                assert_true(out.ptr[at + 1] == (i == 5 ? '\xef' : '\\'));
            }
            text[at] = 'x';
        }
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        json_print_str(&out, str_make(text, len));
        assert_int_equal(out.len, len + 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_and_nesting),
        cmocka_unit_test(test_numbers_and_times),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_escape_at_every_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
