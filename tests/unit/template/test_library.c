/* Template files: what they define, what calls it, and what is said of broken ones. */
#include "template/template.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void add(struct template_library *library, const char *name, const char *text)
{
    struct err e = ERR_INIT;

    if (!template_library_add(library, str_of(name), str_of(text), &e)) {
        fail_msg("%s: %s", name, e.message);
    }
}

static struct template_library *some_library(void)
{
    struct template_library *library = template_library_new();
    struct err e = ERR_INIT;
    struct str name = STR_NONE;

    add(library, "t/one.tpl",
        "outside {{ define \"host\" }}<{{ . }}>{{ end }}"
        "{{ define \"deep\" }}{{ $x := . }}{{ template \"shape\" $x }}{{ $x }}{{ end }}");
    add(library, "t/two.tpl",
        "{{ define \"shape\" }}[{{ . }}]{{ end }}{{ define \"host\" }}({{ . }}){{ end }}"
        "{{ define \"now\" }}{{ $value }} {{ now }}{{ end }}"
        "{{ define \"bad\" }}{{ .Nothing }}{{ end }}");
    assert_true(template_library_finish(library, &name, &e));
    return library;
}

static bool render(const struct template_library *library, const char *text, struct buf *out,
                   unsigned *ret_uses, struct err *e)
{
    AUTO(template_autofree) struct template *t = NULL;
    struct template_world world = {0};
    struct template_data data = {.value = 7, .now_ns = 5 * NS_PER_S};

    if (!template_compile(STR("test"), str_of(text), library, &t, e)) {
        fail_msg("%s: %s", text, e->message);
    }
    *ret_uses = template_uses(t);
    return template_render(t, &data, &world, out, e);
}

static void definitions_are_shared(void **state)
{
    static const struct {
        const char *text;
        const char *want;
    } cases[] = {
        {"{{ template \"host\" \"a\" }}", "(a)"}, /* the later file counts */
        {"{{ template \"deep\" 3 }}", "[3]3"},
        {"{{ template \"one.tpl\" }}", "outside "},
        {"{{ define \"shape\" }}own {{ . }} {{ end }}{{ template \"deep\" 3 }}", "own 3 3"},
        {"{{ template \"now\" }}", "7 5"},
        {"{{ $x := 1 }}{{ template \"deep\" 2 }}{{ $x }}", "[2]21"},
    };
    AUTO(template_library_autofree) struct template_library *library = some_library();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        unsigned uses = 0;
        if (!render(library, cases[i].text, &out, &uses, &e) ||
            !str_eq(buf_str(&out), str_of(cases[i].want))) {
            fail_msg("%s gives %s (%s)", cases[i].text, buf_text(&out), e.message);
        }
    }
}

/* What a definition uses is used by who calls it, or alerts would not be rendered anew. */
static void uses_go_through_calls(void **state)
{
    AUTO(template_library_autofree) struct template_library *library = template_library_new();
    AUTO(template_autofree) struct template *t = NULL;
    struct str name = STR_NONE;
    struct err e = ERR_INIT;

    (void)state;
    add(library, "a", "{{ define \"first\" }}{{ template \"second\" 1 }}{{ end }}");
    add(library, "b", "{{ define \"second\" }}{{ template \"third\" }}{{ end }}");
    add(library, "c", "{{ define \"third\" }}{{ $value }}{{ query \"up\" }}{{ end }}");
    assert_true(template_library_finish(library, &name, &e));
    assert_true(template_compile(STR("x"), STR("{{ template \"first\" }}"), library, &t, &e));
    assert_int_equal(template_uses(t), USES_VALUE | USES_QUERY);
}

static void failures_name_the_file(void **state)
{
    AUTO(template_library_autofree) struct template_library *library = some_library();
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    unsigned uses = 0;

    (void)state;
    assert_false(render(library, "{{ template \"bad\" \"x\" }}", &out, &uses, &e));
    assert_string_equal(e.context, "template t/two.tpl");
    assert_string_equal(e.message, "string has no field Nothing");
    assert_true(str_starts(buf_str(&out), STR("<error expanding template: ")));
}

static void broken_files_are_refused(void **state)
{
    AUTO(template_library_autofree) struct template_library *library = template_library_new();
    struct str name = STR_NONE;
    struct err e = ERR_INIT;

    (void)state;
    assert_false(template_library_add(library, STR("x"), STR("\n {{ define \"a\" }}"), &e));
    assert_int_equal(e.pos.line, 2);
    assert_int_equal(e.pos.column, 5);
    add(library, "calls.tpl", "{{ define \"a\" }}\n{{ template \"absent\" }}{{ end }}");
    struct err unknown = ERR_INIT;
    assert_false(template_library_finish(library, &name, &unknown));
    assert_true(str_eq(name, STR("calls.tpl")));
    assert_int_equal(unknown.pos.line, 2);
    assert_non_null(strstr(unknown.message, "no template named \"absent\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(definitions_are_shared),
        cmocka_unit_test(uses_go_through_calls),
        cmocka_unit_test(failures_name_the_file),
        cmocka_unit_test(broken_files_are_refused),
    };

    return cmocka_run_group_tests_name("template/library", tests, NULL, NULL);
}
