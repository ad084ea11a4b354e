#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void set_replaces_all(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    assert_false(err_set_at(&e, ERR_PARSE, (struct pos){3, 4}, "unexpected %s", "comma"));
    assert_false(err_in_file(&e, STR("rules.yaml")));
    assert_false(err_set(&e, ERR_IO, "gone"));
    assert_int_equal(e.code, ERR_IO);
    assert_int_equal(e.pos.line, 0);
    assert_string_equal(e.file, "");
    assert_string_equal(e.message, "gone");
}

static void set_may_quote_itself(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_IO, "inner");
    (void)err_wrap(&e, "reading");
    (void)err_set(&e, ERR_CONFIG, "outer (%s: %s)", e.context, e.message);
    assert_string_equal(e.message, "outer (reading: inner)");
    (void)err_wrap(&e, "[%s]", e.message);
    assert_string_equal(e.context, "[outer (reading: inner)]");
}

static void print(const struct err *e, const char *want, const char *want_line)
{
    AUTO(buf_release) struct buf b = BUF_INIT(BUF_SMALL);

    err_print(e, &b);
    assert_string_equal(buf_text(&b), want);
    buf_clear(&b);
    err_print_line(e, &b);
    assert_string_equal(buf_text(&b), want_line);
}

static void prints_context_outermost_first(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_NET, "refused");
    print(&e, "refused", "refused");
    (void)err_wrap(&e, "asking %s", "http://x");
    (void)err_wrap(&e, "group '%s'", "api");
    print(&e, "group 'api': asking http://x: refused", "group 'api': asking http://x: refused");
    (void)err_in_file(&e, STR("a.yaml"));
    (void)err_in_file(&e, STR("b.yaml")); /* the first stays */
    e.pos = (struct pos){2, 7};
    print(&e, "a.yaml:2:7: group 'api': asking http://x: refused",
          "a.yaml:2:7: group 'api': asking http://x: refused");
}

static void points_with_a_caret(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct str text = STR("first\n\tsum(x) +\nlast");

    (void)err_set(&e, ERR_PARSE, "no right side");
    err_point(&e, text, 7, 3, (struct pos){1, 1});
    assert_int_equal(e.pos.line, 2);
    assert_int_equal(e.pos.column, 2);
    print(&e, "2:2: no right side\n    \tsum(x) +\n    \t^~~", "2:2: no right side");
    err_point(&e, text, 1000, 9, (struct pos){10, 5}); /* past the end: the end */
    assert_int_equal(e.pos.line, 12);
    assert_int_equal(e.pos.column, 5);
    print(&e, "12:5: no right side\n    last\n        ^", "12:5: no right side");
    err_point(&e, STR("abc"), 1, 1, (struct pos){10, 5});
    assert_int_equal(e.pos.line, 10);
    assert_int_equal(e.pos.column, 6);
}

static void long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    for (int shift = 0; shift < 3; shift++) {
        buf_clear(&text);
        buf_add_repeat(&text, 'x', (size_t)shift);
        for (int i = 0; i < 1000; i++) {
            buf_add_text(&text, "\xE2\x82\xAC");
        }
        (void)err_set(&e, ERR_PARSE, "%s", buf_text(&text));
        struct str cut = str_of(e.message);
        assert_in_range(cut.len, ERR_TEXT - 8, ERR_TEXT - 1);
        assert_true(str_ends(cut, STR("...")));
        assert_true(str_is_utf8(cut));
        for (int i = 0; i < 3; i++) {
            (void)err_wrap(&e, "%s", buf_text(&text));
        }
        assert_true(str_is_utf8(str_of(e.context)));
        (void)err_set_errno(&e, ERR_IO, ENOENT, "%s", buf_text(&text));
        assert_true(strlen(e.message) < ERR_TEXT);
    }
}

static void errno_text_is_appended(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    assert_false(err_set_errno(&e, ERR_IO, ENOENT, "cannot open %s", "x"));
    assert_string_equal(e.message, "cannot open x: No such file or directory");
}

static void codes_have_names(void **state)
{
    (void)state;
    for (int code = ERR_NONE; code <= ERR_INTERNAL; code++) {
        assert_string_not_equal(err_code_name((enum err_code)code), "unknown");
    }
    assert_string_equal(err_code_name((enum err_code)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_replaces_all),
        cmocka_unit_test(set_may_quote_itself),
        cmocka_unit_test(prints_context_outermost_first),
        cmocka_unit_test(points_with_a_caret),
        cmocka_unit_test(long_texts_are_cut_at_a_character),
        cmocka_unit_test(errno_text_is_appended),
        cmocka_unit_test(codes_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
