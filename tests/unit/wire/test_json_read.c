#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Texts are read from exact heap copies, so that a read past their end is seen. */
static struct str heap_copy(struct str s)
{
    return str_make(mem_dup(s.ptr, s.len), s.len);
}

static bool parses(struct str text, struct err *e)
{
    struct arena a;
    struct json_node *root = NULL;
    struct json_reader r;
    struct str copy = heap_copy(text);
    struct err skip_err = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = json_parse(copy, &a, &root, e);
    json_read_init(&r, copy, &a, &skip_err);
    bool skipped = json_skip(&r) && json_read_end(&r);
    assert_int_equal(ok, skipped);
    assert_int_equal(e->pos.column, skip_err.pos.column);
    arena_release(&a);
    mem_free(copy.ptr);
    return ok;
}

static void test_accepts(void **state)
{
    (void)state;
    static const struct str texts[] = {
        STR_INIT("0"),
        STR_INIT("-0"),
        STR_INIT("-12.5e+3"),
        STR_INIT("1E5"),
        STR_INIT(" [ ] "),
        STR_INIT("{}"),
        STR_INIT("\"\""),
        STR_INIT("true"),
        STR_INIT("false"),
        STR_INIT("\tnull\r\n"),
        STR_INIT("[1,2]"),
        STR_INIT("[[],{}]"),
        STR_INIT("{\"a\":1,\"a\":2}"),
        STR_INIT("\"\\u0000\\ud83d\\ude00\\udead\\\"\""),
        STR_INIT("{ \"a\" : [ { \"b\" : null } , \"\\\\\" ] , \"c\" : 1 }"),
        STR_INIT("\"\xff\x80\""),
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct err e = ERR_INIT;
        if (!parses(texts[i], &e)) {
            fail_msg("%.*s: %s", STR_FMT(texts[i]), e.message);
        }
    }
}

static void test_refuses_with_position(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *message;
        uint32_t line, column;
    } rows[] = {
        {STR_INIT(""), "expected a value, found the end at byte 0", 1, 1},
        {STR_INIT("  "), "expected a value, found the end at byte 2", 1, 3},
        {STR_INIT("{\"a\":1\n,b:2}"), "expected a key in quotes, found 'b' at byte 8", 2, 2},
        {STR_INIT("{\"a\" 1}"), "expected ':', found '1' at byte 5", 1, 6},
        {STR_INIT("{\"a\":}"), "expected a value, found '}' at byte 5", 1, 6},
        {STR_INIT("{\"a\":1 \"b\""), "expected ',' or '}', found '\"' at byte 7", 1, 8},
        {STR_INIT("{,}"), "expected a key in quotes, found ',' at byte 1", 1, 2},
        {STR_INIT("{\"a\":1,}"), "expected a key in quotes, found '}' at byte 7", 1, 8},
        {STR_INIT("{"), "expected a key or '}', found the end at byte 1", 1, 2},
        {STR_INIT("["), "expected a value or ']', found the end at byte 1", 1, 2},
        {STR_INIT("[1"), "expected ',' or ']', found the end at byte 2", 1, 3},
        {STR_INIT("[1,]"), "expected a value, found ']' at byte 3", 1, 4},
        {STR_INIT("[1 2]"), "expected ',' or ']', found '2' at byte 3", 1, 4},
        {STR_INIT("[1}"), "expected ',' or ']', found '}' at byte 2", 1, 3},
        {STR_INIT("[01]"), "expected ',' or ']', found '1' at byte 2", 1, 3},
        {STR_INIT("-"), "expected a digit, found the end at byte 1", 1, 2},
        {STR_INIT("1."), "expected a digit, found the end at byte 2", 1, 3},
        {STR_INIT("1.e5"), "expected a digit, found 'e' at byte 2", 1, 3},
        {STR_INIT("1e"), "expected a digit, found the end at byte 2", 1, 3},
        {STR_INIT("1e+"), "expected a digit, found the end at byte 3", 1, 4},
        {STR_INIT("+1"), "expected a value, found '+' at byte 0", 1, 1},
        {STR_INIT(".5"), "expected a value, found '.' at byte 0", 1, 1},
        {STR_INIT("tru"), "expected a value, found 't' at byte 0", 1, 1},
        {STR_INIT("nul1"), "expected a value, found 'n' at byte 0", 1, 1},
        {STR_INIT("NaN"), "expected a value, found 'N' at byte 0", 1, 1},
        {STR_INIT("\"abc"), "expected a quote that ends the string, found the end at byte 4", 1, 5},
        {STR_INIT("\"abc\\"), "expected a quote that ends the string, found the end at byte 5", 1,
         6},
        {STR_INIT("\"a\\\""), "expected a quote that ends the string, found the end at byte 4", 1,
         5},
        {STR_INIT("\"a\nb\""),
         "expected no control character in a string, found byte 0x0a at byte 2", 1, 3},
        {STR_INIT("\"\\x\""), "expected an escape like \\n or \\u00e9, found '\\' at byte 1", 1, 2},
        {STR_INIT("\"ab\\u12g4\""), "expected an escape like \\n or \\u00e9, found '\\' at byte 3",
         1, 4},
        {STR_INIT("1 2"), "expected nothing more, found '2' at byte 2", 1, 3},
        {STR_INIT("{}\0"), "expected nothing more, found byte 0x00 at byte 2", 1, 3},
        {STR_INIT("[\xff]"), "expected a value, found byte 0xff at byte 1", 1, 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        assert_false(parses(rows[i].text, &e));
        assert_string_equal(e.message, rows[i].message);
        assert_int_equal(e.code, ERR_PARSE);
        assert_int_equal(e.pos.line, rows[i].line);
        assert_int_equal(e.pos.column, rows[i].column);
    }
}

static void test_depth_cap(void **state)
{
    (void)state;
    for (int objects = 0; objects < 2; objects++) {
        for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
            AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
            struct err e = ERR_INIT;
            for (size_t i = 0; i < depth; i++) {
                buf_add_text(&text, objects && i + 1 < depth ? "{\"a\":" : objects ? "{" : "[");
            }
            buf_add_repeat(&text, objects ? '}' : ']', depth);
            assert_int_equal(parses(buf_str(&text), &e), depth <= JSON_DEPTH_MAX);
            assert_int_equal(e.code, depth <= JSON_DEPTH_MAX ? ERR_NONE : ERR_LIMIT);
        }
    }
}

/* The error of a huge line shows the place and not the line. */
static void test_error_inside_a_long_line(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    buf_add_text(&text, "\n[");
    for (int i = 0; i < 50000; i++) {
        buf_add_text(&text, "1,");
    }
    buf_add_text(&text, "x]");
    assert_false(parses(buf_str(&text), &e));
    assert_int_equal(e.pos.line, 2);
    assert_int_equal(e.pos.column, 100002);
    assert_int_equal(e.source[e.caret_column - 1], 'x');
}

static void test_pull(void **state)
{
    (void)state;
    const struct str text =
        STR("{\"n\":[1,-2.5],\"s\":\"a\\tb\\u00e9\\ud83d\\ude00\",\"plain\":\"x\","
            "\"skip\":{\"a\":[{}]},\"t\":true,\"i\":-7,\"raw\": [1, 2] }");
    struct arena a;
    struct err e = ERR_INIT;
    struct json_reader r;
    struct str key = STR_NONE;
    struct str s = STR_NONE;
    double number = 0;
    int64_t whole = 0;
    bool flag = false;

    arena_init(&a, ARENA_UNLIMITED);
    json_read_init(&r, text, &a, &e);
    assert_int_equal(json_peek(&r), JSON_OBJECT);
    assert_true(json_open_object(&r));
    assert_true(json_next_key(&r, &key) && str_eq(key, STR("n")));
    assert_true(json_open_array(&r) && json_next_item(&r) && json_take_double(&r, &number));
    assert_true(number == 1.0);
    assert_true(json_next_item(&r) && json_take_double(&r, &number) && !json_next_item(&r));
    assert_true(number == -2.5);
    assert_true(json_next_key(&r, &key) && json_take_str(&r, &s));
    assert_true(str_eq(s, STR("a\tb\xc3\xa9\xf0\x9f\x98\x80")));
    assert_true(json_next_key(&r, &key) && json_take_str(&r, &s));
    assert_true(s.ptr > text.ptr && s.ptr < text.ptr + text.len);
    assert_true(json_next_key(&r, &key) && str_eq(key, STR("skip")) && json_skip(&r));
    assert_true(json_next_key(&r, &key) && json_take_bool(&r, &flag) && flag);
    assert_true(json_next_key(&r, &key) && json_take_i64(&r, &whole));
    assert_int_equal(whole, -7);
    assert_true(json_next_key(&r, &key) && json_take_raw(&r, &s) && str_eq(s, STR("[1, 2]")));
    assert_false(json_next_key(&r, &key));
    assert_true(json_read_end(&r));
    arena_release(&a);
}

/* The first error stays, and nothing after it succeeds. */
static void test_errors_stick(void **state)
{
    (void)state;
    struct arena a;
    struct err e = ERR_INIT;
    struct json_reader r;
    struct str s = STR("untouched");
    bool flag = true;

    arena_init(&a, ARENA_UNLIMITED);
    json_read_init(&r, STR("[1,\"a\"]"), &a, &e);
    assert_true(json_open_array(&r) && json_next_item(&r));
    assert_false(json_take_str(&r, &s));
    assert_true(str_eq(s, STR("untouched")));
    assert_string_equal(e.message, "expected a string, found '1' at byte 1");
    assert_false(json_next_item(&r));
    assert_false(json_take_bool(&r, &flag));
    assert_false(json_open_object(&r));
    assert_false(json_skip(&r));
    assert_false(json_fail(&r, ERR_LIMIT, "later"));
    assert_false(json_read_end(&r));
    assert_int_equal(json_peek(&r), JSON_NONE);
    assert_string_equal(e.message, "expected a string, found '1' at byte 1");
    arena_release(&a);
}

static void test_wrong_kinds(void **state)
{
    (void)state;
    struct arena a;
    struct json_reader r;
    struct str s;
    bool flag;
    int64_t whole;
    double number;

    arena_init(&a, ARENA_UNLIMITED);
    struct err e = ERR_INIT;
    json_read_init(&r, STR("1.5"), &a, &e);
    assert_false(json_take_i64(&r, &whole));
    assert_string_equal(e.message, "expected a whole number of 64 bits, found '1' at byte 0");
    json_read_init(&r, STR("\"1\""), &a, &e);
    assert_false(json_take_double(&r, &number));
    assert_string_equal(e.message, "expected a number, found '\"' at byte 0");
    json_read_init(&r, STR("null"), &a, &e);
    assert_false(json_take_bool(&r, &flag));
    assert_string_equal(e.message, "expected true or false, found 'n' at byte 0");
    json_read_init(&r, STR("{}"), &a, &e);
    assert_false(json_open_array(&r));
    assert_string_equal(e.message, "expected an array, found '{' at byte 0");
    json_read_init(&r, STR("[]"), &a, &e);
    assert_false(json_take_str(&r, &s));
    arena_release(&a);
}

static void test_tree(void **state)
{
    (void)state;
    struct arena a;
    struct err e = ERR_INIT;
    struct json_node *root = NULL;
    double number = 0;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(STR("{\"a\":[1,{\"b\":\"c\"}],\"d\":2e3,\"d\":4}"), &a, &root, &e));
    assert_int_equal(root->kind, JSON_OBJECT);
    assert_int_equal(root->count, 3);
    const struct json_node *array = json_get(root, STR("a"));
    assert_int_equal(array->count, 2);
    assert_int_equal(array->offset, 5);
    assert_true(str_eq(json_get_str(array->first->next, STR("b")), STR("c")));
    assert_int_equal(json_get_str(root, STR("d")).len, 0);
    assert_true(json_node_double(json_get(root, STR("d")), &number) && number == 4.0);
    assert_null(json_get(root, STR("x")));
    assert_null(json_get(array, STR("x")));
    assert_null(json_get(NULL, STR("x")));
    assert_false(json_node_double(array, &number));
    arena_release(&a);
}

static void test_tree_stays_below_the_cap(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct arena a;
    struct err e = ERR_INIT;
    struct json_node *root = NULL;

    buf_add_byte(&text, '[');
    for (int i = 0; i < 10000; i++) {
        buf_add_text(&text, "0,");
    }
    buf_add_text(&text, "0]");
    arena_init(&a, 100 * 1000);
    assert_false(json_parse(buf_str(&text), &a, &root, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_true(arena_bytes(&a) < 300 * 1000);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepts),
        cmocka_unit_test(test_refuses_with_position),
        cmocka_unit_test(test_depth_cap),
        cmocka_unit_test(test_error_inside_a_long_line),
        cmocka_unit_test(test_pull),
        cmocka_unit_test(test_errors_stick),
        cmocka_unit_test(test_wrong_kinds),
        cmocka_unit_test(test_tree),
        cmocka_unit_test(test_tree_stays_below_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
