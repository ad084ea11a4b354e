#include "promql/promql.h"

#include "base/attr.h"
#include "base/clock.h"
#include "fake/promql_tree.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_UNLIMITED);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const struct promql_node *tree(const char *text)
{
    const struct promql_node *root = promql_tree(&arena, text, PROMQL_PROMETHEUS);

    if (root == NULL) {
        fail_msg("%s does not parse", text);
    }
    return root;
}

static void has_kinds_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum promql_kind kind;
        enum promql_type type;
        enum promql_dialect dialect;
    } rows[] = {
        {"1", PROMQL_NUMBER, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"-5m", PROMQL_NUMBER, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"\"a\"", PROMQL_STRING, PROMQL_TYPE_STRING, PROMQL_PROMETHEUS},
        {"a", PROMQL_VECTOR, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"a[5m]", PROMQL_MATRIX, PROMQL_TYPE_RANGE, PROMQL_PROMETHEUS},
        {"a[5m:]", PROMQL_SUBQUERY, PROMQL_TYPE_RANGE, PROMQL_PROMETHEUS},
        {"(1)", PROMQL_PAREN, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"(a[5m])", PROMQL_PAREN, PROMQL_TYPE_RANGE, PROMQL_PROMETHEUS},
        {"-(1)", PROMQL_UNARY, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"-a", PROMQL_UNARY, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"1 + 2", PROMQL_BINARY, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"1 > bool 2", PROMQL_BINARY, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"a > 2", PROMQL_BINARY, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"1 + a", PROMQL_BINARY, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"sum(a)", PROMQL_AGGREGATE, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"rate(a[5m])", PROMQL_CALL, PROMQL_TYPE_INSTANT, PROMQL_PROMETHEUS},
        {"time()", PROMQL_CALL, PROMQL_TYPE_SCALAR, PROMQL_PROMETHEUS},
        {"(a, b)", PROMQL_UNION, PROMQL_TYPE_INSTANT, PROMQL_METRICSQL},
        {"rate(a) offset 5m", PROMQL_SHIFT, PROMQL_TYPE_INSTANT, PROMQL_METRICSQL},
        {"time() @ 5", PROMQL_SHIFT, PROMQL_TYPE_SCALAR, PROMQL_METRICSQL},
        {"-1", PROMQL_UNARY, PROMQL_TYPE_SCALAR, PROMQL_METRICSQL},
        {"-a[5m]", PROMQL_UNARY, PROMQL_TYPE_INSTANT, PROMQL_METRICSQL},
        {"(a + b)[5m]", PROMQL_SUBQUERY, PROMQL_TYPE_RANGE, PROMQL_METRICSQL},
        {"\"a\" == \"b\"", PROMQL_BINARY, PROMQL_TYPE_SCALAR, PROMQL_METRICSQL},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct promql_node *root = promql_tree(&arena, rows[i].text, rows[i].dialect);
        assert_non_null(root);
        assert_int_equal(root->kind, rows[i].kind);
        assert_int_equal(promql_type(root), rows[i].type);
    }
}

/* The source of the <index>th child of the child ... of <text>, as a path of digits says. */
static struct str part_at(const char *text, const char *path)
{
    const struct promql_node *node = tree(text);

    for (; *path != '\0'; path++) {
        node = promql_child(node, (uint32_t)(*path - '0'));
        assert_non_null(node);
    }
    return str_make(text + node->start, node->end - node->start);
}

static void knows_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *path;
        const char *part;
    } rows[] = {
        {"  up  ", "", "up"},
        {" - 5m ", "", "- 5m"},
        {"- a ^ b", "0", "a ^ b"},
        {"(a)+ ( b )", "1", "( b )"},
        {"(a)+ ( b )", "10", "b"},
        {"a{b = \"c\" } offset 5m + 1", "0", "a{b = \"c\" } offset 5m"},
        {"rate( a{b=\"c\"} [5m] offset 1m ) / 2", "0", "rate( a{b=\"c\"} [5m] offset 1m )"},
        {"rate( a{b=\"c\"} [5m] offset 1m ) / 2", "00", "a{b=\"c\"} [5m] offset 1m"},
        {"rate( a{b=\"c\"} [5m] offset 1m ) / 2", "000", "a{b=\"c\"}"},
        {"sum by (x) (a) > 5", "0", "sum by (x) (a)"},
        {"sum (a) by (x) > 5", "0", "sum (a) by (x)"},
        {"a * on (x) group_left (y) b", "1", "b"},
        {"max_over_time(a[1h:5m] @ end()) or c", "00", "a[1h:5m] @ end()"},
        {"a[2 * step():1m]", "1", "2 * step()"},
        {"a[2 * step():1m]", "11", "step()"},
        {"topk(3 , a)", "0", "3"},
        {"f1 # one\n + f2 # two", "1", "f2"},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct str part = part_at(rows[i].text, rows[i].path);
        if (!str_eq(part, str_of(rows[i].part))) {
            fail_msg("%s at \"%s\": %.*s", rows[i].text, rows[i].path, STR_FMT(part));
        }
    }
}

static void reads_selectors(void **state)
{
    (void)state;
    const struct promql_node *node =
        tree("up{a=\"x\\ty\",b!='z',\"c.d\"=~`e|f`,g!~\"h\"} @ 12.5 offset -1h");
    const struct promql_vector *v = &node->vector;
    static const struct promql_matcher wanted[] = {
        {STR_INIT("__name__"), STR_INIT("up"), PROMQL_EQ, 0, 2},
        {STR_INIT("a"), STR_INIT("x\ty"), PROMQL_EQ, 3, 11},
        {STR_INIT("b"), STR_INIT("z"), PROMQL_NE, 12, 18},
        {STR_INIT("c.d"), STR_INIT("e|f"), PROMQL_RE, 19, 31},
        {STR_INIT("g"), STR_INIT("h"), PROMQL_NRE, 32, 38},
    };

    assert_true(str_eq(v->name, STR("up")));
    assert_int_equal(v->filter_count, 1);
    assert_int_equal(v->filters[0].count, ARRAY_LEN(wanted));
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        const struct promql_matcher *m = &v->filters[0].matchers[i];
        assert_true(str_eq(m->label, wanted[i].label));
        assert_true(str_eq(m->value, wanted[i].value));
        assert_int_equal(m->op, wanted[i].op);
        assert_int_equal(m->start, wanted[i].start);
        assert_int_equal(m->end, wanted[i].end);
    }
    assert_int_equal(v->when.at, PROMQL_AT_TIME);
    assert_int_equal(v->when.at_ns, 12500 * NS_PER_MS);
    assert_int_equal(v->when.offset.ns, -3600 * NS_PER_S);
    assert_null(v->when.offset.expr);
}

static void reads_durations(void **state)
{
    (void)state;
    const struct promql_node *range = tree("a[1m30s]");
    const struct promql_node *subquery = tree("a[1h:] @ start()");
    const struct promql_node *computed = tree("a[2 * step()] offset 0.5");

    assert_int_equal(range->matrix.range.ns, 90 * NS_PER_S);
    assert_true(subquery->subquery.has_range);
    assert_false(subquery->subquery.has_step);
    assert_int_equal(subquery->subquery.range.ns, 3600 * NS_PER_S);
    assert_int_equal(subquery->subquery.when.at, PROMQL_AT_START);
    assert_non_null(computed->matrix.range.expr);
    assert_int_equal(computed->matrix.range.expr->type, PROMQL_TYPE_SCALAR);
    assert_int_equal(computed->matrix.vector->vector.when.offset.ns, 500 * NS_PER_MS);
}

static void reads_matching(void **state)
{
    (void)state;
    const struct promql_binary *b =
        &tree("a > bool on (x, y) group_right (z) fill_left (3) b")->binary;
    const struct promql_matching *m = b->matching;

    assert_int_equal(b->op, PROMQL_GTR);
    assert_int_equal(b->op_start, 2);
    assert_true(b->is_bool);
    assert_true(m->on);
    assert_int_equal(m->card, PROMQL_ONE_TO_MANY);
    assert_int_equal(m->labels.count, 2);
    assert_true(str_eq(m->labels.items[1], STR("y")));
    assert_true(str_eq(m->include.items[0], STR("z")));
    assert_true(m->fills_left && !m->fills_right);
    assert_true(m->fill_left > 2.9 && m->fill_left < 3.1);
    assert_int_equal(tree("a and b")->binary.matching->card, PROMQL_MANY_TO_MANY);
    assert_null(tree("a + 1")->binary.matching);
    assert_null(tree("1 + 1")->binary.matching);
}

static void reads_aggregations_and_calls(void **state)
{
    (void)state;
    const struct promql_node *top = tree("topk(5, a) without (x)");
    const struct promql_node *call = tree("label_join(a, \"b\", \",\", \"c\")");

    assert_string_equal(top->aggregation.op->name, "topk");
    assert_true(top->aggregation.without);
    assert_int_equal(top->aggregation.labels.count, 1);
    assert_int_equal(top->aggregation.args.count, 2);
    assert_int_equal(top->aggregation.args.items[0]->kind, PROMQL_NUMBER);
    assert_string_equal(call->call.function->name, "label_join");
    assert_int_equal(call->call.args.count, 4);
}

static void reads_metricsql(void **state)
{
    (void)state;
    const struct promql_node *node =
        promql_tree(&arena, "sum(a{b=\"c\" or d=\"e\"}[2h5i]) by (f) limit 3", PROMQL_METRICSQL);
    const struct promql_node *matrix = promql_child(node, 0);
    const struct promql_node *keep =
        promql_tree(&arena, "a + b keep_metric_names", PROMQL_METRICSQL);

    assert_int_equal(node->aggregation.limit, 3);
    assert_int_equal(matrix->kind, PROMQL_MATRIX);
    assert_int_equal(matrix->matrix.vector->vector.filter_count, 2);
    assert_true(matrix->matrix.range.expr->number.steps > 4.9);
    assert_true(matrix->matrix.range.expr->number.value > 7199);
    assert_int_equal(keep->kind, PROMQL_PAREN);
    assert_true(keep->paren->binary.keep_names);
}

struct counted {
    uint32_t nodes;
    uint32_t selectors;
};

static bool count_node(const struct promql_node *node, void *context)
{
    struct counted *counted = context;

    counted->nodes++;
    counted->selectors += node->kind == PROMQL_VECTOR;
    return node->kind != PROMQL_PAREN;
}

static void walks(void **state)
{
    (void)state;
    struct counted counted = {0};

    promql_walk(tree("sum(rate(a[5m])) / (b + c) > 2"), count_node, &counted);
    assert_int_equal(counted.nodes, 8);
    assert_int_equal(counted.selectors, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(has_kinds_and_types, set_up, tear_down),
        cmocka_unit_test_setup_teardown(knows_its_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_selectors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_durations, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_matching, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_aggregations_and_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_metricsql, set_up, tear_down),
        cmocka_unit_test_setup_teardown(walks, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
