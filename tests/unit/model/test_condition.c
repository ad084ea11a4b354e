#include "model/condition.h"

#include "base/attr.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A record whose labels, annotations and own fields differ, to see which is meant. */
static const struct {
    enum field_scope scope; /* ANY: a field of the record */
    const char *name;
    const char *text; /* NULL: a number */
    double number;
} fields[] = {
    {FIELD_ANY, "kind", "alert", 0},
    {FIELD_ANY, "value", NULL, 85.4},
    {FIELD_ANY, "flag", "true", 0},
    {FIELD_LABEL, "severity", "critical", 0},
    {FIELD_LABEL, "code", "500", 0},
    {FIELD_LABEL, "and", "word", 0},
    {FIELD_LABEL, "a b", "spaced", 0},
    {FIELD_LABEL, "team", "label", 0},
    {FIELD_ANNOTATION, "team", "annotation", 0},
    {FIELD_ANNOTATION, "summary", "High CPU\n", 0},
};

static bool get_field(const void *record, enum field_scope scope, struct str name,
                      struct field_value *ret_value)
{
    (void)record;
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (str_eq(name, str_of(fields[i].name)) &&
            (scope == FIELD_ANY || scope == fields[i].scope)) {
            *ret_value = (struct field_value){.is_number = fields[i].text == NULL,
                                              .number = fields[i].number,
                                              .text = str_of(fields[i].text)};
            return true;
        }
    }
    return false;
}

static const struct record_view record = {get_field, NULL};

static struct condition *compile(const char *text)
{
    struct condition *c = NULL;
    struct err e = ERR_INIT;
    AUTO(mem_autofree) char *copy = mem_dup(text, strlen(text));

    if (!condition_compile(str_make(copy, strlen(text)), &c, &e)) {
        fail_msg("%s: %s", text, e.message);
    }
    return c;
}

static void test_holds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        {"true", true},
        {"FALSE", false},
        {"severity == \"critical\"", true},
        {"severity != 'critical'", false},
        {"\"critical\" == severity", true},
        {"value > 85", true},
        {"value>85.4", false},
        {"value >= 85.4 and value <= 85.4", true},
        {"value < -1", false},
        {"-1 < value", true},
        {"code >= 500", true},
        {"code == 5e2", true},
        {"code == 0x1f4", true},
        {"code == \"500\"", true},
        {"code < \"6\"", true},
        {"severity > 5", false},
        {"severity == 5", false},
        {"severity != 5", true},
        {"severity <= 5", false},
        {"missing == \"\"", true},
        {"missing == 0", false},
        {"missing != 0", true},
        {"missing < \"a\"", true},
        {"value == NaN", false},
        {"value != nan", true},
        {"value < Inf", true},
        {"value > -.5", true},
        {"kind == \"alert\" or nothing == \"x\"", true},
        {"kind == \"x\" or kind == \"y\" or kind == \"alert\"", true},
        {"kind == \"x\" and true or true", true},
        {"true or kind == \"x\" and false", true},
        {"(true or true) and false", false},
        {"true unless false", true},
        {"true unless kind == \"alert\"", false},
        {"true and true unless false and true", true},
        {"false unless true unless true", false},
        {"not false", true},
        {"not not true", true},
        {"not severity == \"critical\"", false},
        {"not (severity == \"x\") and not (code == 1)", true},
        {"true unless not true", true},
        {"severity =~ \"crit.*\"", true},
        {"severity =~ \"crit\"", false},
        {"severity !~ \"crit\"", true},
        {"value =~ `85\\.4`", true},
        {"missing =~ \".*\"", true},
        {"labels.team == \"label\" and annotations.team == \"annotation\"", true},
        {"labels.and == \"word\"", true},
        {"labels[\"a b\"] == 'spaced'", true},
        {"labels . severity == \"critical\"", true},
        {"labels.kind == \"\"", true},
        {"summary == \"High CPU\\n\"", true},
        {"summary == \"\\x48igh\\u0020CP\\125\\n\"", true},
        {"'it\\'s' == \"it's\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct condition *c = compile(rows[i].text);
        if (condition_holds(c, &record) != rows[i].holds) {
            fail_msg("%s is not %s", rows[i].text, rows[i].holds ? "true" : "false");
        }
        condition_free(c);
    }
}

/* A flag is a text, which need not be written as one. */
static void test_flags(void **state)
{
    static const struct {
        const char *text;
        bool holds;
    } rows[] = {
        {"flag == true", true},
        {"flag != FALSE", true},
        {"flag == false or severity == true", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct condition *c = compile(rows[i].text);
        assert_int_equal(condition_holds(c, &record), rows[i].holds);
        condition_free(c);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
        uint32_t line, column, len;
    } rows[] = {
        {"", "expected a field, a text or a number, found the end", 1, 1, 1},
        {"severity", "expected a comparison (== != < <= > >= =~ !~), found the end", 1, 9, 1},
        {"severity ==", "expected a field, a text or a number, found the end", 1, 12, 1},
        {"severity = \"x\"", "\"=\" is not known here: write \"==\"", 1, 10, 1},
        {"a == 1 && b == 2", "\"&&\" is not known here: write \"and\"", 1, 8, 2},
        {"a == 1 || b == 2", "\"||\" is not known here: write \"or\"", 1, 8, 2},
        {"!(a == 1)", "\"!\" is not known here: write \"not\"", 1, 1, 1},
        {"a == 1\nb == 2", "expected \"and\", \"or\" or the end, found \"b\"", 2, 1, 1},
        {"a == 1 and", "expected a field, a text or a number, found the end", 1, 11, 1},
        {"(a == 1", "expected \")\", found the end", 1, 8, 1},
        {"a == 1)", "expected \"and\", \"or\" or the end, found \")\"", 1, 7, 1},
        {"(a) == 1", "expected a comparison (== != < <= > >= =~ !~), found \")\"", 1, 3, 1},
        {"a == 1 == 2", "expected \"and\", \"or\" or the end, found \"==\"", 1, 8, 2},
        {"1 == \"x\"", "a text and a number never compare: one of them must be a field", 1, 1, 8},
        {"true and \"x\"   < 1 ", "a text and a number never compare: one of them must be a field",
         1, 10, 9},
        {"1 =~ \"x\"", "a number never matches a regular expression", 1, 1, 1},
        {"a =~ b", "expected a regular expression in quotes, found \"b\"", 1, 6, 1},
        {"a == \"x", "string without an end", 1, 6, 1},
        {"a == \"x\ny\"", "string without an end", 1, 6, 1},
        {"a == \"x\\", "string without an end", 1, 6, 1},
        {"a == \"\\q\"", "unknown escape in a string", 1, 7, 1},
        {"a == \"\\u12\"", "unknown escape in a string", 1, 7, 1},
        {"a == \"\\ud800\"", "unknown escape in a string", 1, 7, 1},
        {"a == \"\\400\"", "unknown escape in a string", 1, 7, 1},
        {"a == 1x", "\"1x\" is not a number", 1, 6, 2},
        {"a == 5m", "\"5m\" is not a number", 1, 6, 2},
        {"a == 1.2.3", "\"1.2.3\" is not a number", 1, 6, 5},
        {"kind.x == 1",
         "\"kind\" has no members: only labels and annotations have; what a record has is named "
         "alone",
         1, 1, 4},
        {"labels.", "expected a name behind the dot, found the end", 1, 8, 1},
        {"labels[x] == 1", "expected a name in quotes, found \"x\"", 1, 8, 1},
        {"labels[\"x\" == 1", "expected ], found \"==\"", 1, 12, 2},
        {"a == 1 @ b", "character that means nothing here", 1, 8, 1},
        {"a == \xc3\xa9", "character that means nothing here", 1, 6, 2},
        {"not", "expected a field, a text or a number, found the end", 1, 4, 1},
        {"and == 1", "expected a field, a text or a number, found \"and\"", 1, 1, 3},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(mem_autofree) char *copy = mem_dup(rows[i].text, strlen(rows[i].text));
        struct condition *c = NULL;
        struct err e = ERR_INIT;
        if (condition_compile(str_make(copy, strlen(rows[i].text)), &c, &e)) {
            fail_msg("%s was accepted", rows[i].text);
        }
        assert_null(c);
        assert_string_equal(e.message, rows[i].message);
        assert_int_equal(e.pos.line, rows[i].line);
        assert_int_equal(e.pos.column, rows[i].column);
        assert_int_equal(e.caret_len, rows[i].len);
    }
}

static void test_bad_regex_points_at_it(void **state)
{
    (void)state;
    struct condition *c = NULL;
    struct err e = ERR_INIT;

    assert_false(condition_compile(STR("a =~ \"x\" and b =~ \"(\""), &c, &e));
    assert_int_equal(e.pos.column, 19);
    assert_int_equal(e.code, ERR_PARSE);
}

static void test_limits(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct condition *c = NULL;
    struct err e = ERR_INIT;

    for (size_t depth = CONDITION_DEPTH_MAX; depth <= CONDITION_DEPTH_MAX + 1; depth++) {
        buf_clear(&text);
        buf_add_repeat(&text, '(', depth);
        buf_add_text(&text, "true");
        buf_add_repeat(&text, ')', depth);
        assert_int_equal(condition_compile(buf_str(&text), &c, &e), depth <= CONDITION_DEPTH_MAX);
    }
    condition_free(c);
    buf_clear(&text);
    buf_add_repeat(&text, ' ', CONDITION_TEXT_MAX + 1);
    assert_false(condition_compile(buf_str(&text), &c, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    condition_free(NULL);
}

/* A long chain needs no deep stack. */
static void test_long_chain(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct condition *c = NULL;
    struct err e = ERR_INIT;

    for (int i = 0; i < 4000; i++) {
        buf_add_text(&text, i % 2 ? "not not false or " : "false or ");
    }
    buf_add_text(&text, "true");
    assert_true(condition_compile(buf_str(&text), &c, &e));
    assert_true(condition_holds(c, &record));
    condition_free(c);
}

static bool is_kind_or_label(const void *arg, enum field_scope scope, struct str name)
{
    (void)arg;
    return scope == FIELD_LABEL || str_eq(name, STR("kind"));
}

static void test_only_uses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool only;
    } rows[] = {
        {"true", true},
        {"kind == \"alert\"", true},
        {"kind == \"alert\" and labels.x =~ \"y\"", true},
        {"kind == \"alert\" or (value > 1 and true)", false},
        {"kind == value", false},
        {"severity =~ \"y\"", false},
        {"not annotations.kind == \"x\"", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct condition *c = compile(rows[i].text);
        assert_int_equal(condition_only_uses(c, is_kind_or_label, NULL), rows[i].only);
        condition_free(c);
    }
}

static void tell_field(void *arg, enum field_scope scope, struct str name, size_t at)
{
    buf_addf(arg, "%.*s/%d@%zu ", STR_FMT(name), (int)scope, at);
}

static void test_each_field(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct condition *c =
        compile("not (a == \"x\" and labels.b =~ \"y\") or 5 < labels[\"c d\"] or e == f");

    condition_each_field(c, tell_field, &out);
    assert_string_equal(buf_text(&out), "a/0@5 b/1@25 c d/1@38 e/0@59 f/0@64 ");
    condition_free(c);
}

/* What is the same for each value of a field was not meant. */
static void test_check_field(void **state)
{
    (void)state;
    static const char *const values[] = {"alert", "sample", NULL};
    static const struct {
        const char *text;
        const char *message; /* NULL: it is fine */
        uint32_t column;
    } rows[] = {
        {"true", NULL, 0},
        {"kind == \"alert\" or kind != \"alert\"", NULL, 0},
        {"kind =~ \"al.*\" and other == \"x\"", NULL, 0},
        {"kind == labels.kind or labels.kind == \"alrt\"", NULL, 0},
        {"kind == \"alrt\"", "this never holds: kind is one of alert, sample", 1},
        {"severity == \"x\" and (true or not \"alrt\" == kind)", "this never holds", 34},
        {"kind != \"alrt\"", "this always holds", 1},
        {"kind =~ \"alert.+\"", "this never holds", 1},
        {"kind > 5", "this never holds", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct condition *c = compile(rows[i].text);
        struct err e = ERR_INIT;
        assert_int_equal(condition_check_field(c, STR("kind"), values, &e),
                         rows[i].message == NULL);
        if (rows[i].message != NULL) {
            assert_non_null(strstr(e.message, rows[i].message));
            assert_int_equal(e.pos.column, rows[i].column);
        }
        condition_free(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds),       cmocka_unit_test(test_flags),
        cmocka_unit_test(test_refused),     cmocka_unit_test(test_bad_regex_points_at_it),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_only_uses),   cmocka_unit_test(test_each_field),
        cmocka_unit_test(test_check_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
