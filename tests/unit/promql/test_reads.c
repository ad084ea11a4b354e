#include "promql/promql.h"

#include "base/attr.h"
#include "fake/promql_tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* The metrics that the selectors name, "?" for those that name none. */
static void metrics_of(struct arena *a, const struct promql_node *root, struct buf *out)
{
    struct promql_selectors selectors = promql_selectors(a, root);

    for (uint32_t i = 0; i < selectors.count; i++) {
        struct str metric = promql_metric(selectors.items[i]);
        buf_add_text(out, i > 0 ? " " : "");
        buf_add_str(out, metric.len > 0 ? metric : STR("?"));
    }
}

static void lists_what_is_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *metrics;
        enum promql_dialect dialect;
    } rows[] = {
        {"1 + time()", "", PROMQL_PROMETHEUS},
        {"a", "a", PROMQL_PROMETHEUS},
        {"{__name__=\"a\"}", "a", PROMQL_PROMETHEUS},
        {"{\"a.b\"}", "a.b", PROMQL_PROMETHEUS},
        {"{__name__=~\"a\"}", "?", PROMQL_PROMETHEUS},
        {"{job=\"a\"}", "?", PROMQL_PROMETHEUS},
        {"sum(rate(a[5m])) / on (x) b > c offset 5m", "a b c", PROMQL_PROMETHEUS},
        {"max_over_time(rate(a[5m])[1h:]) unless a", "a a", PROMQL_PROMETHEUS},
        {"info(a)", "a target_info", PROMQL_PROMETHEUS},
        {"info(a, {b=\"c\"})", "a target_info", PROMQL_PROMETHEUS},
        {"info(a, {__name__=\"build_info\"})", "a build_info", PROMQL_PROMETHEUS},
        {"info(rate(a[5m]), {__name__=~\".+_info\"}) + b", "a ? b", PROMQL_PROMETHEUS},
        {"a @ (b - 5)", "a b", PROMQL_METRICSQL},
        {"(a, b, c) offset 5m", "a b c", PROMQL_METRICSQL},
        {"a{b=\"c\" or d=\"e\"}", "a", PROMQL_METRICSQL},
        {"{\"a\" or \"b\"}", "?", PROMQL_METRICSQL},
        {"with (x = a) x + x{b=\"c\"}", "a a", PROMQL_METRICSQL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        arena_init(&a, ARENA_UNLIMITED);
        const struct promql_node *root = promql_tree(&a, rows[i].text, rows[i].dialect);
        assert_non_null(root);
        metrics_of(&a, root, &out);
        assert_string_equal(buf_text(&out), rows[i].metrics);
        arena_release(&a);
    }
}

static void says_what_may_be_selected(void **state)
{
    (void)state;
    static const struct {
        const char *selector;
        const char *label;
        const char *value;
        bool may;
    } rows[] = {
        {"a", "__name__", "a", true},
        {"a", "__name__", "b", false},
        {"a{b=\"c\"}", "__name__", "a", true},
        {"{b=\"c\"}", "__name__", "anything", true},
        {"{__name__=~\"a.*\"}", "__name__", "abc", true},
        {"{__name__=~\"a.*\"}", "__name__", "xabc", false},
        {"{__name__!~\"a.*\",b=\"c\"}", "__name__", "abc", false},
        {"{__name__!~\"a.*\",b=\"c\"}", "__name__", "xabc", true},
        {"{__name__!=\"a\",b=\"c\"}", "__name__", "a", false},
        {"{__name__!=\"a\",b=\"c\"}", "__name__", "b", true},
        {"{__name__=~\"a|b\",__name__!=\"a\"}", "__name__", "a", false},
        {"{__name__=~\"a|b\",__name__!=\"a\"}", "__name__", "b", true},
        {"ALERTS{alertname=\"X\"}", "alertname", "X", true},
        {"ALERTS{alertname=\"X\"}", "alertname", "Y", false},
        {"ALERTS{alertstate=\"firing\"}", "alertname", "Y", true},
        {"a{b=\"c\" or b=\"d\"}", "b", "d", true},
        {"a{b=\"c\" or b=\"d\"}", "b", "e", false},
        {"{}", "b", "e", true},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        const struct promql_node *node = promql_tree(&a, rows[i].selector, PROMQL_METRICSQL);
        assert_non_null(node);
        if (promql_may_select(node, str_of(rows[i].label), str_of(rows[i].value)) != rows[i].may) {
            fail_msg("%s and %s=\"%s\"", rows[i].selector, rows[i].label, rows[i].value);
        }
        arena_release(&a);
    }
}

static void finds_conditions(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has;
    } rows[] = {
        {"a", false},
        {"rate(a[5m]) * 2", false},
        {"a > 5", true},
        {"a > bool 5", false},
        {"sum(a == 0)", true},
        {"a and b", true},
        {"a or b", false},
        {"a unless b", true},
        {"absent(a)", true},
        {"absent_over_time(a[5m]) * 2", true},
        {"count_over_time((a > 5)[1h:])", true},
        {"1 > bool 2", false},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        const struct promql_node *root = promql_tree(&a, rows[i].text, PROMQL_PROMETHEUS);
        assert_non_null(root);
        if (promql_has_condition(root) != rows[i].has) {
            fail_msg("%s", rows[i].text);
        }
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_what_is_read),
        cmocka_unit_test(says_what_may_be_selected),
        cmocka_unit_test(finds_conditions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
