/*
 * Expressions that are right and do not do what their author wants: told as warnings, each with
 * what to write instead.
 */
#include "rules/rule_correct.h"
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

/* A filter that is scaled, or a sum of such: vector parts that are there only where they hold. */
static bool is_sum_of_filters(const struct promql_node *node)
{
    node = without_parens(node);
    if (node->kind == PROMQL_BINARY && node->binary.op == PROMQL_ADD &&
        is_vector(node->binary.left) && is_vector(node->binary.right)) {
        return is_sum_of_filters(node->binary.left) && is_sum_of_filters(node->binary.right);
    }
    return is_scaled_filter(node);
}

/* (a > 90) + (a > 80): gives nothing where one of them does, so it never is their sum. */
static bool sums_filters(const struct promql_node *node)
{
    return node->kind == PROMQL_BINARY && node->binary.op == PROMQL_ADD &&
           is_sum_of_filters(node->binary.left) && is_sum_of_filters(node->binary.right);
}

static void correct_sum_of_filters(struct correction *c, const struct promql_node *node,
                                   struct buf *out)
{
    buf_add_text(out,
                 "a comparison leaves series out, so this sum is there only where every part of "
                 "it is");
    correct_sum(c, node, out);
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

static void correct_squared_filter(struct correction *c, const struct promql_node *node,
                                   struct buf *out)
{
    bool is_left = is_filter_of(node->binary.left, node->binary.right);

    buf_add_text(out, "the comparison gives the value itself or nothing, so this is its square and "
                      "never 0");
    correct_square(c, node, without_parens(is_left ? node->binary.left : node->binary.right));
}

struct check {
    bool (*applies)(const struct promql_node *node);
    /* Says what it is and adds what would be right. */
    void (*correct)(struct correction *c, const struct promql_node *node, struct buf *out);
};

static const struct check checks[] = {
    {sums_filters, correct_sum_of_filters},
    {squares_filter, correct_squared_filter},
};

struct checking {
    struct rule_loader *l;
    const struct yaml_node *node;
    struct str text;
    struct correction correction;
    const struct promql_node *found[ARRAY_LEN(checks)]; /* the first place of each */
    struct buf advice[ARRAY_LEN(checks)];
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
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        AUTO(buf_release) struct buf more = BUF_INIT(BUF_SMALL);
        if (checks[i].applies(node)) {
            found = true;
            checks[i].correct(&c->correction, node, &more);
            if (c->found[i] == NULL) {
                c->found[i] = node;
                buf_add_str(&c->advice[i], buf_str(&more));
            }
        }
    }
    return !found; /* what is inside is part of it */
}

/* Each problem once, with the whole expression as it should be. */
static void tell(struct checking *c)
{
    AUTO(buf_release) struct buf right = BUF_INIT(BUF_UNLIMITED);
    bool is_known = correction_print(&c->correction, c->l->dialect, &right);

    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        if (c->found[i] != NULL) {
            buf_add_text(&c->advice[i], is_known ? "; write " : "; compare with bool: > bool");
            buf_add_str(&c->advice[i], buf_str(&right));
            warn_at(c, c->found[i], buf_text(&c->advice[i]));
        }
        buf_release(&c->advice[i]);
    }
}

void expr_check(struct rule_loader *l, const struct yaml_node *node, const struct rule *rule)
{
    struct checking c = {.l = l, .node = node, .text = rule->expr};

    c.correction = (struct correction){
        .arena = &l->scratch, .text = rule->expr, .is_alert = rule->kind == RULE_ALERT};
    for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
        buf_init(&c.advice[i], BUF_SMALL);
    }
    promql_walk(rule->tree, check_node, &c);
    tell(&c);
    correction_release(&c.correction);
    if (rule->kind == RULE_ALERT && promql_selectors(&l->scratch, rule->tree).count > 0 &&
        !promql_has_condition(rule->tree)) {
        warn_at(&c, rule->tree,
                "without a condition this alert fires for every series there is, whatever its "
                "value; compare it with something, like > 0");
    }
}
