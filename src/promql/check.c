/*
 * The type check: every node gets its type from its children's, and what does not fit is an error
 * at its place.
 *
 * PromQL is exact about types. MetricsQL turns scalars, vectors and ranges into each other where a
 * function needs it, so there only texts are told from the rest.
 */
#include "promql/check.h"

#include "base/attr.h"
#include "base/regex.h"

#include <stdio.h>

static bool check(struct parser *p, struct promql_node *node);

/* Children are checked first; they are the tree's own, so they may be written through. */
static bool check_durations(struct parser *p, const struct promql_duration *a,
                            const struct promql_duration *b)
{
    return (a->expr == NULL || check(p, a->expr)) && (b->expr == NULL || check(p, b->expr));
}

static bool check_when(struct parser *p, const struct promql_when *when)
{
    static const struct promql_duration none;

    return (when->at_expr == NULL || check(p, when->at_expr)) &&
           check_durations(p, &when->offset, &none);
}

static bool check_all(struct parser *p, const struct promql_nodes *nodes)
{
    for (uint32_t i = 0; i < nodes->count; i++) {
        if (!check(p, nodes->items[i])) {
            return false;
        }
    }
    return true;
}

static bool check_number(struct parser *p, struct promql_node *node)
{
    (void)p;
    node->type = PROMQL_TYPE_SCALAR;
    return true;
}

static bool check_string(struct parser *p, struct promql_node *node)
{
    (void)p;
    node->type = PROMQL_TYPE_STRING;
    return true;
}

/*
 * Where in the source byte <column> of a matcher's value is; the whole matcher when escapes make it
 * unclear.
 */
static bool bad_regex(struct parser *p, const struct promql_matcher *m)
{
    uintptr_t value = (uintptr_t)m->value.ptr;
    uintptr_t source = (uintptr_t)p->source.ptr;
    size_t column = p->err->pos.column;
    size_t start = m->start;
    size_t len = m->end - m->start;

    if (value >= source && value + m->value.len <= source + p->source.len && column > 0) {
        start = (size_t)(value - source) + column - 1;
        len = 1;
    }
    err_point(p->err, p->source, start, len, (struct pos){1, 1});
    p->err->code = ERR_PARSE;
    return false;
}

/* Does the matcher hold for a series that has no such label? Compiles its pattern, if it is one. */
static bool check_matcher(struct parser *p, const struct promql_matcher *m, bool *ret_empty)
{
    AUTO(regex_autofree) struct regex *regex = NULL;

    if (m->op == PROMQL_EQ || m->op == PROMQL_NE) {
        *ret_empty = (m->value.len == 0) == (m->op == PROMQL_EQ);
        return true;
    }
    bool matched;
    if (!regex_compile(m->value, REGEX_FULL, &regex, p->err) ||
        !regex_match(regex, STR(""), &matched, p->err)) {
        return bad_regex(p, m);
    }
    *ret_empty = matched == (m->op == PROMQL_RE);
    return true;
}

static bool check_filter(struct parser *p, const struct promql_node *node,
                         const struct promql_filter *filter, bool *ret_empty)
{
    struct str name = node->vector.name;
    bool all_empty = true;

    for (uint32_t i = 0; i < filter->count; i++) {
        const struct promql_matcher *m = &filter->matchers[i];
        bool empty;
        if (!check_matcher(p, m, &empty)) {
            return false;
        }
        all_empty = all_empty && empty;
        if (i > 0 && name.len > 0 && str_eq(m->label, STR("__name__"))) {
            return fail_at(p, m->start, m->end,
                           "the metric's name is given twice: it is \"%.*s\" already",
                           STR_FMT(name));
        }
    }
    *ret_empty = all_empty;
    return true;
}

bool check_selector(struct parser *p, struct promql_node *node, bool may_be_empty)
{
    bool empty = false;

    node->type = PROMQL_TYPE_INSTANT;
    for (uint32_t i = 0; i < node->vector.filter_count; i++) {
        if (!check_filter(p, node, &node->vector.filters[i], &empty)) {
            return false;
        }
        if (empty && !may_be_empty) {
            return fail_node(p, node,
                             "this would select every series; give a metric's name or a matcher "
                             "that the empty string does not match");
        }
    }
    return check_when(p, &node->vector.when);
}

static bool check_vector(struct parser *p, struct promql_node *node)
{
    return check_selector(p, node, is_metricsql(p));
}

static bool check_matrix(struct parser *p, struct promql_node *node)
{
    static const struct promql_duration none;

    node->type = PROMQL_TYPE_RANGE;
    return check(p, node->matrix.vector) && check_durations(p, &node->matrix.range, &none);
}

static bool check_subquery(struct parser *p, struct promql_node *node)
{
    struct promql_subquery *s = &node->subquery;

    node->type = PROMQL_TYPE_RANGE;
    if (!check(p, s->expr) || !check_durations(p, &s->range, &s->step) ||
        !check_when(p, &s->when)) {
        return false;
    }
    if (s->expr->type == PROMQL_TYPE_INSTANT ||
        (is_metricsql(p) && s->expr->type != PROMQL_TYPE_STRING)) {
        return true;
    }
    return fail_node(p, s->expr, "a subquery is made of an instant vector; this is %s",
                     promql_type_name(s->expr->type));
}

static bool check_paren(struct parser *p, struct promql_node *node)
{
    if (!check(p, node->paren)) {
        return false;
    }
    node->type = node->paren->type;
    return true;
}

/* The type of a calculation with <type> in it. */
static enum promql_type as_operand(const struct parser *p, enum promql_type type)
{
    return is_metricsql(p) && type == PROMQL_TYPE_RANGE ? PROMQL_TYPE_INSTANT : type;
}

static bool check_unary(struct parser *p, struct promql_node *node)
{
    const struct promql_node *expr = node->unary.expr;

    if (!check(p, node->unary.expr)) {
        return false;
    }
    node->type = as_operand(p, expr->type);
    if (node->type != PROMQL_TYPE_SCALAR && node->type != PROMQL_TYPE_INSTANT) {
        return fail_node(p, node, "a sign needs a scalar or an instant vector; this is %s",
                         promql_type_name(expr->type));
    }
    return true;
}

static bool check_operand(struct parser *p, const struct promql_node *node,
                          const struct promql_node *side, enum promql_type *ret_type)
{
    *ret_type = as_operand(p, side->type);
    if (*ret_type == PROMQL_TYPE_SCALAR || *ret_type == PROMQL_TYPE_INSTANT) {
        return true;
    }
    return fail_node(p, side, "\"%s\" takes scalars and instant vectors; this is %s%s",
                     promql_ops[node->binary.op].text.ptr, promql_type_name(side->type),
                     side->type == PROMQL_TYPE_RANGE ? "; wrap it in a function such as rate()"
                                                     : "");
}

static bool fail_op(struct parser *p, const struct promql_node *node, const char *message)
{
    uint32_t start = node->binary.op_start;
    struct str op = promql_ops[node->binary.op].text;

    return fail_at(p, start, start + op.len, "\"%s\" %s", op.ptr, message);
}

static bool check_labels(struct parser *p, const struct promql_node *node)
{
    const struct promql_matching *m = node->binary.matching;

    for (uint32_t i = 0; i < m->labels.count && m->on; i++) {
        for (uint32_t k = 0; k < m->include.count; k++) {
            if (str_eq(m->labels.items[i], m->include.items[k])) {
                uint32_t start = node->binary.op_start;
                return fail_at(p, start, start + promql_ops[node->binary.op].text.len,
                               "the label \"%.*s\" is in on (...) and in group_%s (...); it is the "
                               "same on both sides already",
                               STR_FMT(m->labels.items[i]),
                               m->card == PROMQL_MANY_TO_ONE ? "left" : "right");
            }
        }
    }
    return true;
}

/* Both sides are vectors. */
static bool check_matching(struct parser *p, struct promql_node *node)
{
    struct promql_matching *m = node->binary.matching;

    if (promql_ops[node->binary.op].class != PROMQL_SET) {
        return check_labels(p, node);
    }
    if (m->card != PROMQL_ONE_TO_ONE) {
        return fail_op(p, node,
                       "matches many series to many; group_left and group_right make no sense");
    }
    if (m->fills_left || m->fills_right) {
        return fail_op(p, node, "passes series on as they are; there is nothing to fill in");
    }
    m->card = PROMQL_MANY_TO_MANY;
    return true;
}

/* A side is a scalar. */
static bool check_scalar_side(struct parser *p, struct promql_node *node, bool both)
{
    struct promql_matching *m = node->binary.matching;
    enum promql_op_class class = promql_ops[node->binary.op].class;

    node->binary.matching = NULL;
    if (is_metricsql(p)) {
        return true;
    }
    if (class == PROMQL_SET) {
        return fail_op(p, node, "combines instant vectors; a side of it is a scalar");
    }
    if (class == PROMQL_COMPARISON && both && !node->binary.is_bool) {
        return fail_op(p, node, "between scalars needs \"bool\" behind it");
    }
    if (m->labels.count > 0) {
        return fail_op(p, node, "matches labels of instant vectors; a side of it is a scalar");
    }
    if (m->fills_left || m->fills_right) {
        return fail_op(p, node, "fills in series of instant vectors; a side of it is a scalar");
    }
    return true;
}

/* MetricsQL joins and compares texts. */
static bool check_texts(struct promql_node *node)
{
    enum promql_op op = node->binary.op;

    node->binary.matching = NULL;
    node->type = op == PROMQL_ADD ? PROMQL_TYPE_STRING : PROMQL_TYPE_SCALAR;
    return op == PROMQL_ADD || promql_ops[op].class == PROMQL_COMPARISON;
}

static bool check_binary(struct parser *p, struct promql_node *node)
{
    struct promql_binary *binary = &node->binary;
    enum promql_type left;
    enum promql_type right;

    if (!check(p, binary->left) || !check(p, binary->right)) {
        return false;
    }
    if (is_metricsql(p) && binary->left->type == PROMQL_TYPE_STRING &&
        binary->right->type == PROMQL_TYPE_STRING) {
        return check_texts(node) || fail_op(p, node, "takes numbers; both its sides are strings");
    }
    if (!check_operand(p, node, binary->left, &left) ||
        !check_operand(p, node, binary->right, &right)) {
        return false;
    }
    bool scalars = left == PROMQL_TYPE_SCALAR && right == PROMQL_TYPE_SCALAR;
    node->type = scalars ? PROMQL_TYPE_SCALAR : PROMQL_TYPE_INSTANT;
    if (left == PROMQL_TYPE_SCALAR || right == PROMQL_TYPE_SCALAR) {
        return check_scalar_side(p, node, scalars);
    }
    return check_matching(p, node);
}

static bool check_aggregate(struct parser *p, struct promql_node *node)
{
    const struct promql_aggregate *op = node->aggregation.op;
    bool other = is_metricsql(p) && op->metricsql_args.letters != NULL;

    node->type = PROMQL_TYPE_INSTANT;
    return check_all(p, &node->aggregation.args) &&
           check_args(p, node, op->name, other ? &op->metricsql_args : &op->args,
                      &node->aggregation.args);
}

/* The second argument of info() chooses labels: a selector that need not choose series. */
static bool check_info(struct parser *p, const struct promql_nodes *args)
{
    if (!check(p, args->items[0])) {
        return false;
    }
    if (args->items[1]->kind != PROMQL_VECTOR || args->items[1]->vector.name.len > 0) {
        return fail_node(p, args->items[1],
                         "info() expects matchers in braces here, without a metric's name");
    }
    return check_selector(p, args->items[1], true);
}

static bool check_call(struct parser *p, struct promql_node *node)
{
    const struct promql_function *f = node->call.function;
    struct promql_nodes *args = &node->call.args;
    bool other = is_metricsql(p) && f->metricsql_args.letters != NULL;
    bool is_info = str_eq(str_of(f->name), STR("info")) && args->count == 2;

    node->type = f->returns;
    return (is_info ? check_info(p, args) : check_all(p, args)) &&
           check_args(p, node, f->name, other ? &f->metricsql_args : &f->args, args);
}

static bool check_union(struct parser *p, struct promql_node *node)
{
    node->type = PROMQL_TYPE_INSTANT;
    return check_all(p, &node->items);
}

static bool check_shift(struct parser *p, struct promql_node *node)
{
    struct promql_shift *s = &node->shift;

    if (!check(p, s->expr) || !check_when(p, &s->when)) {
        return false;
    }
    node->type = s->expr->type;
    if (node->type == PROMQL_TYPE_STRING) {
        return fail_node(p, node, "a string has no time to shift");
    }
    return true;
}

static bool check(struct parser *p, struct promql_node *node)
{
    static bool (*const checks[PROMQL_KINDS])(struct parser *, struct promql_node *) = {
        [PROMQL_NUMBER] = check_number,       [PROMQL_STRING] = check_string,
        [PROMQL_VECTOR] = check_vector,       [PROMQL_MATRIX] = check_matrix,
        [PROMQL_SUBQUERY] = check_subquery,   [PROMQL_PAREN] = check_paren,
        [PROMQL_UNARY] = check_unary,         [PROMQL_BINARY] = check_binary,
        [PROMQL_AGGREGATE] = check_aggregate, [PROMQL_CALL] = check_call,
        [PROMQL_UNION] = check_union,         [PROMQL_SHIFT] = check_shift,
    };

    return checks[node->kind](p, node);
}

bool promql_check(struct parser *p, struct promql_node *root)
{
    return check(p, root);
}
