/* Selectors: what they mean, and where they are wrong. */
#include "model/selector.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void set_pairs(struct labels_builder *b, const char *text)
{
    struct str rest = str_of(text);
    struct str part;

    while (str_split(&rest, ' ', &part)) {
        size_t equals = str_find_byte(part, '=');
        labels_builder_set(b, str_slice(part, 0, equals), str_slice(part, equals + 1, part.len));
    }
}

static void selectors_match(void **state)
{
    static const struct {
        const char *selector;
        const char *labels;
        bool want;
    } rows[] = {
        {"m", "__name__=m", true},
        {"m", "__name__=n", false},
        {"m{}", "__name__=m a=1", true},
        {"{}", "a=1", true},
        {"{a=\"1\"}", "a=1", true},
        {"{a='1',}", "a=1", true},
        {"{ a = `1` , b != \"2\" }", "a=1 b=3", true},
        {"{a=\"1\",b!=\"2\"}", "a=1 b=2", false},
        {"{a=~\"x|y\"}", "a=y", true},
        {"{a=~\"x|y\"}", "a=yy", false},
        {"{a!~\"x.*\"}", "a=yx", true},
        {"{a=\"\"}", "b=1", true},
        {"{a!=\"\"}", "b=1", false},
        {"{\"a.b\"=\"1\"}", "a.b=1", true},
        {"{a=\"1\" or b=\"2\"}", "b=2", true},
        {"{a=\"1\" or b=\"2\",c=\"3\"}", "b=2", false},
        {"m{a=\"1\" or b=\"2\"}", "__name__=n b=2", false},
        {"{a=\"\\\"q\\\\\\n\"}", "a=\"q\\\n", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(selector_autofree) struct selector *s = NULL;
        struct labels_builder b;
        struct err e = ERR_INIT;
        labels_builder_init(&b);
        set_pairs(&b, rows[i].labels);
        if (!selector_compile(str_of(rows[i].selector), &s, &e) ||
            selector_matches(s, &b) != rows[i].want) {
            fail_msg("%s on %s: %s", rows[i].selector, rows[i].labels, e.message);
        }
        labels_builder_release(&b);
    }
}

static void mistakes(void **state)
{
    static const struct {
        const char *selector;
        uint32_t column;
        const char *message;
    } rows[] = {
        {"", 1, "expected a selector, such as {job=\"a\"}"},
        {"{", 2, "expected the name of a label"},
        {"{a}", 3, "expected =, !=, =~ or !~"},
        {"{a=b}", 4, "expected a value in quotes"},
        {"{a=\"b}", 7, "expected the closing quote"},
        {"{a=\"b\" c=\"d\"}", 8, "expected ',', 'or' or '}'"},
        {"{a=\"\\q\"}", 6, "expected an escape that is known: \\n, \\t, \\r, \\\\, \\\" or \\'"},
        {"{a=\"b\"} x", 9, "expected nothing behind the selector"},
        {"sum(m)", 4, "expected nothing behind the selector"},
        {"{a=~\"(\"}", 7, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct selector *s = NULL;
        struct err e = ERR_INIT;
        assert_false(selector_compile(str_of(rows[i].selector), &s, &e));
        if (rows[i].message != NULL) {
            assert_string_equal(e.message, rows[i].message);
        }
        assert_int_equal(e.pos.column, rows[i].column);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(selectors_match),
                                       cmocka_unit_test(mistakes)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
