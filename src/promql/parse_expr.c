/*
 * Operators, by precedence climbing: parse_operand(p, n) reads everything whose operators bind at
 * least as tightly as n. A sign binds looser than ^ and tighter than all else: -2^2 is -4, and
 * 2^-1*3 is (2^-1)*3.
 */
#include "promql/parse.h"

#include "base/attr.h"

static bool is_usable(const struct parser *p, enum promql_op op)
{
    return (!promql_ops[op].metricsql_only || is_metricsql(p)) &&
           (!p->in_duration || promql_ops[op].class == PROMQL_ARITHMETIC);
}

/* The operator that the parser stands before; PROMQL_OPS when there is none. */
static enum promql_op op_here(const struct parser *p)
{
    if (at_kind(p, TOKEN_OP)) {
        return is_usable(p, p->token.op) ? p->token.op : PROMQL_OPS;
    }
    for (enum promql_op op = 0; op < PROMQL_OPS && at_kind(p, TOKEN_WORD); op++) {
        if (at_word(p, promql_ops[op].text) && is_usable(p, op)) {
            return op;
        }
    }
    return PROMQL_OPS;
}

/* "-1" is a number, not the negation of one; only PromQL prints it so. */
static bool fold_sign(struct parser *p, enum promql_op op, uint32_t start,
                      struct promql_node *number, struct promql_node **ret_node)
{
    if (op == PROMQL_SUB) {
        number->number.value = -number->number.value;
    }
    number->start = start;
    return node_end(p, number, ret_node);
}

static bool parse_sign(struct parser *p, struct promql_node **ret_node)
{
    enum promql_op op = p->token.op;
    uint32_t start = p->token.start;
    struct promql_node *operand;

    if (!next(p) || !parse_operand(p, PROMQL_PRECEDENCE_POW, &operand)) {
        return false;
    }
    if (operand->kind == PROMQL_NUMBER && !is_metricsql(p)) {
        return fold_sign(p, op, start, operand, ret_node);
    }
    struct promql_node *node = node_new(p, PROMQL_UNARY, start);
    node->unary = (struct promql_unary){.op = op, .expr = operand};
    return node_end(p, node, ret_node);
}

static bool parse_signed(struct parser *p, struct promql_node **ret_node)
{
    if (at_kind(p, TOKEN_OP) && (p->token.op == PROMQL_ADD || p->token.op == PROMQL_SUB)) {
        return parse_sign(p, ret_node);
    }
    return parse_primary(p, ret_node) && parse_suffixes(p, ret_node);
}

/* MetricsQL "a + b keep_metric_names": as if it stood behind parentheses. */
static bool wrap_keeping(struct parser *p, struct promql_node **node)
{
    struct promql_node *paren = node_new(p, PROMQL_PAREN, (*node)->start);

    (*node)->binary.keep_names = true;
    paren->paren = *node;
    return next(p) && node_end(p, paren, node);
}

/* The operator and what is right of it; <left> becomes the whole. */
static bool parse_right(struct parser *p, enum promql_op op, struct promql_node **left)
{
    struct promql_node *node = node_new(p, PROMQL_BINARY, (*left)->start);
    unsigned precedence = promql_ops[op].precedence;

    node->binary.op = op;
    node->binary.op_start = p->token.start;
    node->binary.left = *left;
    if (!next(p) || !parse_matching(p, &node->binary) ||
        !parse_operand(p, promql_ops[op].right_assoc ? precedence : precedence + 1,
                       &node->binary.right) ||
        !node_end(p, node, left)) {
        return false;
    }
    return !is_keep_names(p) || wrap_keeping(p, left);
}

static bool parse_level(struct parser *p, unsigned precedence, struct promql_node **ret_node)
{
    if (!parse_signed(p, ret_node)) {
        return false;
    }
    enum promql_op op = op_here(p);
    while (op != PROMQL_OPS && promql_ops[op].precedence >= precedence) {
        if (!parse_right(p, op, ret_node)) {
            return false;
        }
        op = op_here(p);
    }
    return true;
}

bool parse_operand(struct parser *p, unsigned precedence, struct promql_node **ret_node)
{
    if (p->nesting >= PROMQL_NESTING_MAX) {
        (void)fail_at(p, p->token.start, p->token.start + p->token.text.len,
                      "the expression is nested too deeply: at most %d levels", PROMQL_NESTING_MAX);
        p->err->code = ERR_LIMIT;
        return false;
    }
    p->nesting++;
    bool ok = parse_level(p, precedence, ret_node);
    p->nesting--;
    return ok;
}

bool parse_expr(struct parser *p, struct promql_node **ret_node)
{
    return parse_operand(p, PROMQL_PRECEDENCE_MIN, ret_node);
}
