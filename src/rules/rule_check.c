/*
 * Expressions that are right and do not do what their author wants: told as warnings, each with
 * what to write instead.
 */
#include "rules/rule_int.h"

static const struct promql_node *without_parens(const struct promql_node *node)
{
    while (node->kind == PROMQL_PAREN) {
        node = node->paren;
    }
    return node;
}

static bool is_vector(const struct promql_node *node)
{
    return promql_type(node) == PROMQL_TYPE_INSTANT;
}

/* Is it a comparison that leaves series out, rather than giving 0 or 1? */
static bool is_filter(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && !node->binary.is_bool &&
           promql_ops[node->binary.op].class == PROMQL_COMPARISON &&
           (is_vector(node->binary.left) || is_vector(node->binary.right));
}

static bool is_arithmetic(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && promql_ops[node->binary.op].class == PROMQL_ARITHMETIC;
}

/* A filter, or one that is scaled: (a > 1) * 2. */
static bool is_scaled_filter(const struct promql_node *node)
{
    node = without_parens(node);
    while (is_arithmetic(node) && is_vector(node->binary.left) != is_vector(node->binary.right)) {
        node = is_vector(node->binary.left) ? node->binary.left : node->binary.right;
        node = without_parens(node);
    }
    return is_filter(node);
}

/* (a > 90) + (a > 80): gives nothing where one of them does, so it never is their sum. */
static bool sums_filters(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && node->binary.op == PROMQL_ADD &&
           is_scaled_filter(node->binary.left) && is_scaled_filter(node->binary.right);
}

static bool print_same(const struct promql_node *a, const struct promql_node *b)
{
    AUTO(buf_release) struct buf x = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf y = BUF_INIT(BUF_UNLIMITED);

    promql_print(without_parens(a), &x);
    promql_print(without_parens(b), &y);
    return str_eq(buf_str(&x), buf_str(&y));
}

static bool is_filter_of(const struct promql_node *filter, const struct promql_node *value)
{
    filter = without_parens(filter);
    return is_filter(filter) && print_same(filter->binary.left, value);
}

/* (a > 80) * a: the filter gives a already, so this is its square. */
static bool squares_filter(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && node->binary.op == PROMQL_MUL &&
           (is_filter_of(node->binary.left, node->binary.right) ||
            is_filter_of(node->binary.right, node->binary.left));
}

struct check {
    bool (*applies)(const struct promql_node *node);
    const char *advice;
};

static const struct check checks[] = {
    {sums_filters, "both sides of '+' leave series out, and the sum is there only where both have "
                   "them; to add what is true, compare with bool: a > bool 90"},
    {squares_filter, "the comparison gives the value itself, so this is its square; leave the "
                     "factor out, or compare with bool to get 0 where it is not true"},
};

struct checking {
    struct rule_loader *l;
    const struct yaml_node *node;
    struct str text;
    unsigned told; /* bits of checks: each is told once for a rule */
};

static void warn_at(const struct checking *c, const struct promql_node *at, const char *advice)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_CONFIG, "%s", advice);
    err_point(&e, c->text, at->start, at->end - at->start, (struct pos){1, 1});
    yaml_err_inside(c->node, &e);
    loader_warning(c->l, &e);
}

static bool check_node(const struct promql_node *node, void *context)
{
    struct checking *c = context;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if ((c->told & 1U << i) == 0 && checks[i].applies(node)) {
            c->told |= 1U << i;
            warn_at(c, node, checks[i].advice);
        }
    }
    return true;
}

void expr_check(struct rule_loader *l, const struct yaml_node *node, const struct rule *rule)
{
    struct checking c = {.l = l, .node = node, .text = rule->expr};

    promql_walk(rule->tree, check_node, &c);
    if (rule->kind == RULE_ALERT && promql_selectors(&l->scratch, rule->tree).count > 0 &&
        !promql_has_condition(rule->tree)) {
        warn_at(&c, rule->tree,
                "without a condition this alert fires for every series there is, whatever its "
                "value; compare it with something, like > 0");
    }
}
