#include "promql/promql.h"

#include "base/attr.h"
#include "fake/promql_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What is read, and what it is printed as; NULL: the same. */
static const struct {
    const char *text;
    const char *printed;
} rows[] = {
    {"up", NULL},
    {"foo.bar", NULL},
    {"foo\\-bar", "\\foo\\-bar"},
    {"foo\\-bar\\{{\"b-c\"=\"d\",e\\+f=\"g\"}", "\\foo\\-bar\\{{\"b-c\"=\"d\",\"e+f\"=\"g\"}"},
    {"\\x66oo\\u0062ar", "\\foobar"},
    {"温度{房间=\"水电费\"}[5m] offset 10m", "温度{\"房间\"=\"水电费\"}[5m] offset 10m"},
    {"\\3foo", NULL},
    {"default", NULL},
    {"if + ifnot", NULL},
    {"by / without", NULL},
    {"with", NULL},
    {"WITH + 1", NULL},
    {"bool", NULL},
    {"keep_metric_names", NULL},
    {"a == \\bool", NULL},
    {"{}", NULL},
    {"{}[5m]", NULL},
    {"up{}", "up"},
    {"a{b=\"c\" or d=\"e\"}", NULL},
    {"a{b=\"c\",d=\"e\" OR f=\"g\"}", "a{b=\"c\",d=\"e\" or f=\"g\"}"},
    {"{a=\"b\" or c=\"d\",e=\"f\"}", NULL},
    {"{\"a\",\"b\"=\"c\" or d=\"e\"}", "{__name__=\"a\",b=\"c\" or d=\"e\"}"},
    {"a{b=\"c\",b=\"c\"}", "a{b=\"c\"}"},
    {"a{b=\"c\" + 'd' + `e`}", "a{b=\"cde\"}"},
    {"a{__name__=\"a\"}", "a"},
    {"a[5m]", NULL},
    {"a[5]", "a[5s]"},
    {"a[1.5h]", "a[1h30m]"},
    {"a[5i]", NULL},
    {"a[5i:3i] offset 2i", NULL},
    {"a[1h-5m]", "a[55m]"},
    {"a[5m:]", NULL},
    {"a[:5m]", NULL},
    {"a[:]", NULL},
    {"a offset 1.5h", "a offset 1h30m"},
    {"a offset -5i", NULL},
    {"a @ 5", "a @ 5.000"},
    {"a @ end()", NULL},
    {"a @ (end() - 5m)", NULL},
    {"a @ -5", "a @ -5.000"},
    {"a offset 5m @ (time() - 1h)", "a @ (time() - 1h) offset 5m"},
    {"a[5m] offset 5m @ start()", "a[5m] @ start() offset 5m"},
    {"(a + b) offset 5m", NULL},
    {"rate(a) offset 1h @ 5", "rate(a) @ 5.000 offset 1h"},
    {"rate(a)[5m]", "rate(a)[5m:]"},
    {"rate(a)[5m:1m] offset 5m", NULL},
    {"time() @ end()", NULL},
    {"1", NULL},
    {"1Ki", NULL},
    {"1.5Mi + 2GB + 3k + 4TiB", NULL},
    {"5M - 5m", NULL},
    {"1_000", NULL},
    {"0x1F + 0b101 + 0o17 + 017", NULL},
    {"1h", NULL},
    {"1.5h30m", NULL},
    {"5i", NULL},
    {"1h-5m3s", NULL},
    {"-1", NULL},
    {"-1Ki", NULL},
    {"+1", NULL},
    {"inf - NaN", NULL},
    {"\"a\" + \"b\"", "\"ab\""},
    {"\"a\" == \"b\"", NULL},
    {"'a' + `b`", "\"ab\""},
    {"rate(a)", NULL},
    {"rate(a[5m])", NULL},
    {"RATE(a)", "rate(a)"},
    {"Rate(Sum(a))", "rate(sum(a))"},
    {"sum(a)", NULL},
    {"sum(a, b) by (c)", "sum by (c) (a, b)"},
    {"SUM(a) WITHOUT (b,)", "sum without (b) (a)"},
    {"sum by (c) (a) limit 5", NULL},
    {"topk(5, a, \"other=x\")", NULL},
    {"topk_max(3, a)", NULL},
    {"count_values(\"x\", a)", NULL},
    {"quantiles(\"phi\", 0.5, 0.9, a)", NULL},
    {"any(a) by (b)", "any by (b) (a)"},
    {"outliersk(2, a)", NULL},
    {"median(a)", NULL},
    {"sum(a,)", "sum(a)"},
    {"rate(a[5m],)", "rate(a[5m])"},
    {"rate(a) keep_metric_names", NULL},
    {"rate(a) KEEP_METRIC_NAMES + 1", "rate(a) keep_metric_names + 1"},
    {"(a + b) keep_metric_names", NULL},
    {"a / b keep_metric_names", "(a / b) keep_metric_names"},
    {"(a * b keep_metric_names) + c", "((a * b) keep_metric_names) + c"},
    {"a default 0", NULL},
    {"a default b default c", NULL},
    {"a if b", NULL},
    {"a ifnot b > 5", NULL},
    {"a or b if c default d", NULL},
    {"1 > 2", NULL},
    {"1 and 2", NULL},
    {"a + on (x) group_left (*) b", NULL},
    {"a + on (x) group_left (y) prefix \"p_\" b", NULL},
    {"a + on (x) group_right (*) prefix 'p' b", "a + on (x) group_right (*) prefix \"p\" b"},
    {"a + group_left", NULL},
    {"a + on", NULL},
    {"(a, b)", NULL},
    {"(a, b,)", "(a, b)"},
    {"((a, b), (c))", NULL},
    {"()", NULL},
    {"union(a, b)", NULL},
    {"label_set(a, \"b\", \"c\", \"d\", \"e\")", NULL},
    {"label_map(a, \"b\", \"c\", \"d\")", NULL},
    {"label_graphite_group(a, 1, 2)", NULL},
    {"quantile_over_time(0.9, a[5m])", NULL},
    {"quantiles_over_time(\"phi\", 0.5, 0.9, a[5m])", NULL},
    {"aggr_over_time((\"min\", \"max\"), a[5m])", NULL},
    {"aggr_over_time(\"min\", a)", NULL},
    {"count_gt_over_time(a[5m], 5)", NULL},
    {"rollup(a[5m])", NULL},
    {"rollup(a[5m], \"max\")", NULL},
    {"rand()", NULL},
    {"rand(5)", NULL},
    {"now() - 5m", NULL},
    {"limit_offset(1, 2, a)", NULL},
    {"range_quantile(0.5, a)", NULL},
    {"histogram_quantile(0.9, a, \"b\")", NULL},
    {"histogram_share(5, a)", NULL},
    {"holt_winters(a[5m], 0.5, 0.5)", NULL},
    {"timestamp(a)", NULL},
    {"timestamp(a[5m])", NULL},
    {"alias(a, \"b\")", NULL},
    {"ru(a, b)", NULL},
    {"ttf(a)", NULL},
    {"scalar(5)", NULL},
    {"abs(5)", NULL},
    {"vector(a)", NULL},
    {"with () a", "a"},
    {"with (x = 1) x", "1"},
    {"with (x = 1,) x", "1"},
    {"with (x = a + b) x * x", "((a + b) * (a + b))"},
    {"with (x = -a) x ^ 2", "((-a) ^ 2)"},
    {"with (x = a) x{b=\"c\"}[5m]", "a{b=\"c\"}[5m]"},
    {"with (x = {a=\"b\"}) c{x} + c{x, d=\"e\"}", "(c{a=\"b\"} + c{a=\"b\",d=\"e\"})"},
    {"with (x = {a=\"b\"}) {x}", "{a=\"b\"}"},
    {"with (x = {a=\"b\" or c=\"d\"}) x{e=\"f\"}", "{a=\"b\",e=\"f\" or c=\"d\",e=\"f\"}"},
    {"with (x = 5m) a[x] + a[1h:x] offset x", "(a[5m] + a[1h:5m] offset 5m)"},
    {"with (x = \"a\") a{b=x, c=x+\"y\", d=\"z\"+x}", "a{b=\"a\",c=\"ay\",d=\"za\"}"},
    {"with (f(x) = sum(x) by (y)) f(a) / f(b)", "(sum by (y) (a) / sum by (y) (b))"},
    {"with (f(x, y) = rate(x{y}[5m])) f(a, {b=\"c\"})", "rate(a{b=\"c\"}[5m])"},
    {"with (x = y, y = z) x", "y"},
    {"with (x = x) x", "x"},
    {"with (rate(a) = a * 2) rate(b)", "(b * 2)"},
    {"with (f(x) = x + 1) f(f(f(a)))", "(((a + 1) + 1) + 1)"},
    {"with (f(x) = with (y = x) y + y) f(a)", "(a + a)"},
    {"with (x = with (y = a) y) x", "a"},
    {"1 + with (x = a) x + 2", "1 + (a + 2)"},
    {"with (f(a, f) = a + f) f(b, f)", "(b + f)"},
    {"with (x() = a) x + x()", "(a + a)"},
    {"with (w = 5i) a[w]", "a[5i]"},
};

static void print_one(const char *text, const char *printed)
{
    struct arena a;
    const struct promql_node *root;
    struct err e = ERR_INIT;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    arena_init(&a, ARENA_UNLIMITED);
    if (!promql_parse(&a, str_of(text), PROMQL_METRICSQL, &root, &e)) {
        fail_msg("%s: %s", text, e.message);
    }
    promql_print(root, &out);
    assert_string_equal(buf_text(&out), printed != NULL ? printed : text);
    const struct promql_node *again = promql_tree(&a, buf_text(&out), PROMQL_METRICSQL);
    if (again == NULL || !promql_same(root, again)) {
        fail_msg("%s: printing and reading changes it", text);
    }
    arena_release(&a);
}

static void prints_canonical_form(void **state)
{
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        print_one(rows[i].text, rows[i].printed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_canonical_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
