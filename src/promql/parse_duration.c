/*
 * Durations, which may be expressions of their own: numbers of seconds, durations, + - * / % ^,
 * parentheses, step(), range(), min_of() and max_of(). Between brackets that is all; behind
 * "offset" an operator belongs to what stands around it unless there are parentheses:
 * "x offset 1m + 2m" is (x offset 1m) + 2m.
 */
#include "promql/parse.h"

#include "base/attr.h"
#include "base/clock.h"

#include <math.h>

/* "min" and "max" were the names of min_of and max_of for a while. */
static const struct {
    struct str word;
    struct str function;
} duration_functions[] = {
    {STR_INIT("step"), STR_INIT("step")},     {STR_INIT("range"), STR_INIT("range")},
    {STR_INIT("min_of"), STR_INIT("min_of")}, {STR_INIT("max_of"), STR_INIT("max_of")},
    {STR_INIT("min"), STR_INIT("min_of")},    {STR_INIT("max"), STR_INIT("max_of")},
};

static const struct promql_function *duration_function(const struct parser *p)
{
    for (size_t i = 0; i < ARRAY_LEN(duration_functions) && !is_metricsql(p); i++) {
        if (at_word(p, duration_functions[i].word)) {
            return promql_function_find(duration_functions[i].function, PROMQL_PROMETHEUS);
        }
    }
    return NULL;
}

/* Arguments are durations too. */
static bool parse_duration_call(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_CALL, p->token.start);
    bool was_in_duration = p->in_duration;
    bool ok;

    node->call.function = duration_function(p);
    if (node->call.function == NULL) {
        return fail_expected(p, "a duration such as 5m");
    }
    p->in_duration = true;
    ok = next(p) && parse_args(p, &node->call.args);
    p->in_duration = was_in_duration;
    return ok && node_end(p, node, ret_node);
}

/* A template in a duration's place must be one. */
static bool expand_duration(struct parser *p, struct binding *binding,
                            struct promql_node **ret_node)
{
    if (!expand(p, binding, ret_node)) {
        return false;
    }
    while ((*ret_node)->kind == PROMQL_PAREN) {
        *ret_node = (*ret_node)->paren;
    }
    if ((*ret_node)->kind != PROMQL_NUMBER && !is_anything(*ret_node)) {
        return fail_node(p, *ret_node, "expected a duration from this template");
    }
    return true;
}

static bool parse_duration_word(struct parser *p, struct promql_node **ret_node)
{
    struct binding *binding = binding_find(p, p->token.text);

    if (binding != NULL && !binding_is_function(binding)) {
        return expand_duration(p, binding, ret_node);
    }
    return parse_duration_call(p, ret_node);
}

static bool parse_duration_paren(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_PAREN, p->token.start);
    bool was_in_duration = p->in_duration;
    uint32_t open = p->token.start;
    bool ok;

    p->in_duration = true;
    ok = next(p) && parse_expr(p, &node->paren);
    p->in_duration = was_in_duration;
    return ok && expect_close(p, TOKEN_RIGHT_PAREN, open) && node_end(p, node, ret_node);
}

bool parse_duration(struct parser *p, struct promql_node **ret_node)
{
    if (at_kind(p, TOKEN_LEFT_PAREN) && !is_metricsql(p)) {
        return parse_duration_paren(p, ret_node);
    }
    if (at_kind(p, TOKEN_WORD)) {
        return parse_duration_word(p, ret_node);
    }
    /* MetricsQL's 5M is a number, and too easily taken for 5m. */
    bool suffixed = at_kind(p, TOKEN_NUMBER) && is_metricsql(p) &&
                    is_plain_label(str_slice(p->token.text, p->token.text.len - 1, 1));
    if ((!at_kind(p, TOKEN_NUMBER) && !at_kind(p, TOKEN_DURATION)) || suffixed) {
        return fail_expected(p, "a duration such as 5m");
    }
    return parse_number_node(p, ret_node);
}

bool parse_duration_signed(struct parser *p, struct promql_node **ret_node)
{
    enum promql_op op = p->token.op;
    uint32_t start = p->token.start;
    struct promql_node *node;

    if (!at_kind(p, TOKEN_OP) || (op != PROMQL_ADD && op != PROMQL_SUB)) {
        return parse_duration(p, ret_node);
    }
    if (!next(p) || !parse_duration(p, &node)) {
        return false;
    }
    struct promql_node *whole = node_new(p, PROMQL_UNARY, start);
    whole->unary = (struct promql_unary){.op = op, .expr = node};
    return node_end(p, whole, ret_node);
}

bool plain_seconds(const struct promql_node *node, double *ret_seconds)
{
    if (node->kind == PROMQL_UNARY && node->unary.expr->kind == PROMQL_NUMBER) {
        double sign = node->unary.op == PROMQL_SUB ? -1 : 1;
        *ret_seconds = sign * node->unary.expr->number.value;
        return node->unary.expr->number.steps == 0.0;
    }
    if (node->kind == PROMQL_NUMBER) {
        *ret_seconds = node->number.value;
        return node->number.steps == 0.0;
    }
    return false;
}

bool seconds_to_ns(double seconds, int64_t *ret_ns)
{
    double ms = round(seconds * 1000);

    if (!(fabs(ms) <= (double)(INT64_MAX / NS_PER_MS) - 1)) {
        return false;
    }
    *ret_ns = (int64_t)ms * NS_PER_MS;
    return true;
}

bool set_duration(struct parser *p, struct promql_node *node, struct promql_duration *ret_duration)
{
    double seconds;

    if (!plain_seconds(node, &seconds)) {
        ret_duration->expr = node;
        return true;
    }
    if (!seconds_to_ns(seconds, &ret_duration->ns)) {
        return fail_node(p, node, "the duration is out of range: about 292 years is the most");
    }
    return true;
}
