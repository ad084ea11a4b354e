/* Nothing from outside becomes markup, anywhere on the page. */
#include "server/html.h"

#include "base/clock.h"
#include "server/page.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EVIL "<script>alert('x')</script>\"&"
#define EVIL_JSON "<script>alert('x')</script>\\\"&"

static void texts_are_escaped(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    (void)state;
    html_add(&out, STR("a<b>&\"c\"'d' \xc3\xbc"));
    assert_string_equal(buf_text(&out), "a&lt;b&gt;&amp;&quot;c&quot;&#39;d&#39; \xc3\xbc");
    buf_clear(&out);
    html_add(&out, STR_NONE);
    html_print(&out, "<b title=\"%\">%</b>", STR("\"><i>"), STR("100%"));
    assert_string_equal(buf_text(&out), "<b title=\"&quot;&gt;&lt;i&gt;\">100%</b>");
    buf_clear(&out);
    html_print(&out, "%%", STR("<"), STR(""));
    assert_string_equal(buf_text(&out), "&lt;");
}

static const char groups_json[] =
    "[{\"name\":\"" EVIL_JSON "\",\"file\":\"" EVIL_JSON "\",\"interval\":0.2,\"rules\":["
    "{\"name\":\"" EVIL_JSON "\",\"query\":\"" EVIL_JSON
    "\",\"type\":\"alerting\",\"state\":\"firing\","
    "\"health\":\"err\",\"lastError\":\"" EVIL_JSON "\",\"evaluationTime\":0.0015,"
    "\"lastEvaluation\":\"2024-01-15T10:30:00Z\",\"id\":\"" EVIL_JSON "\"},"
    "{\"name\":\"calm\",\"query\":\"1\",\"type\":\"recording\",\"health\":\"ok\",\"lastError\":\"\","
    "\"lastEvaluation\":\"0001-01-01T00:00:00Z\",\"id\":\"b\"}]}]";
static const char alerts_json[] =
    "[{\"labels\":{\"alertname\":\"" EVIL_JSON "\",\"" EVIL_JSON "\":\"" EVIL_JSON "\"},"
    "\"state\":\"" EVIL_JSON "\",\"value\":\"" EVIL_JSON
    "\",\"activeAt\":\"2024-01-15T10:29:00Z\"}]";

struct page_test {
    struct arena arena;
    struct page_view view;
    struct output_status outputs[1];
    struct buf out;
};

static const struct json_node *parse(struct page_test *t, const char *text)
{
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    assert_true(json_parse(str_of(text), &t->arena, &root, &e));
    return root;
}

static int setup(void **state)
{
    static struct page_test t;

    memset(&t, 0, sizeof(t));
    arena_init(&t.arena, ARENA_UNLIMITED);
    buf_init(&t.out, BUF_UNLIMITED);
    t.outputs[0] = (struct output_status){.name = STR(EVIL), .kind = "webhook", .state = "halted"};
    memcpy(t.outputs[0].last_error, EVIL, sizeof(EVIL));
    t.view = (struct page_view){.groups = parse(&t, groups_json),
                                .alerts = parse(&t, alerts_json),
                                .outputs = t.outputs,
                                .output_count = 1,
                                .problem = STR(EVIL),
                                .now_ns = INT64_C(1705314600) * NS_PER_S,
                                .started_ns = INT64_C(1705314600) * NS_PER_S - 90 * NS_PER_S};
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    struct page_test *t = *state;

    arena_release(&t->arena);
    buf_release(&t->out);
    return 0;
}

static bool has(const struct page_test *t, const char *part)
{
    return str_find(buf_str(&t->out), str_of(part)) < t->out.len;
}

static void the_page_holds_no_foreign_markup(void **state)
{
    struct page_test *t = *state;

    page_print(&t->view, &t->out);
    assert_false(has(t, "<script"));
    assert_false(has(t, "alert('x')"));
    assert_true(has(t, "&lt;script&gt;"));
    assert_true(has(t, "prefers-color-scheme:dark"));
    assert_true(has(t, "http-equiv=\"refresh\""));
    assert_true(has(t, "started 1m30s ago"));
    assert_true(has(t, "The last reload was refused"));
    assert_true(has(t, "<td class=\"bad\">halted</td>"));
    assert_true(has(t, "calm"));
    assert_true(has(t, "never"));
    assert_true(has(t, "every 200ms"));
}

static void one_rule_alone(void **state)
{
    struct page_test *t = *state;

    t->view.rule = STR("b");
    page_print(&t->view, &t->out);
    assert_true(has(t, "calm"));
    assert_false(has(t, "firing"));
    assert_true(has(t, "all rules"));
    buf_clear(&t->out);
    t->view.rule = STR("nobody<");
    page_print(&t->view, &t->out);
    assert_false(has(t, "calm"));
    assert_false(has(t, "nobody<"));
}

static void what_is_missing_is_said(void **state)
{
    struct page_test *t = *state;

    t->view = (struct page_view){.now_ns = 1, .started_ns = 1};
    page_print(&t->view, &t->out);
    assert_true(has(t, "Too many to show"));
    assert_true(has(t, "goes nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test_setup_teardown(the_page_holds_no_foreign_markup, setup, teardown),
        cmocka_unit_test_setup_teardown(one_rule_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_missing_is_said, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
