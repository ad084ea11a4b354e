/*
 * What stands between operators: literals, names, calls, aggregations, parentheses.
 */
#include "promql/parse.h"

#include "base/attr.h"
#include "base/number.h"

#include <math.h>

bool is_keep_names(const struct parser *p)
{
    return is_metricsql(p) && at_word(p, STR("keep_metric_names"));
}

bool parse_keep_names(struct parser *p, bool *ret_keep)
{
    if (!is_keep_names(p)) {
        return true;
    }
    *ret_keep = true;
    return next(p);
}

static bool read_number_token(struct parser *p, struct promql_number *number)
{
    uint32_t end = p->token.start + (uint32_t)p->token.text.len;
    enum promql_dialect dialect = p->lexer.dialect;

    if (at_kind(p, TOKEN_DURATION)) {
        number->is_duration = true;
        if (!read_duration(p->token.text, dialect, &number->value, &number->steps, p->err)) {
            err_point(p->err, p->source, p->token.start, p->token.text.len, (struct pos){1, 1});
            return false;
        }
    } else if (at_kind(p, TOKEN_WORD)) {
        return number_parse(p->token.text, &number->value);
    } else if (!read_number(p->token.text, dialect, &number->value)) {
        return fail_at(p, p->token.start, end, "this number cannot be represented");
    }
    return true;
}

static bool is_number_word(const struct token *token)
{
    return token_is(token, STR("inf")) || token_is(token, STR("nan"));
}

bool parse_number(struct parser *p, struct promql_number *ret_number)
{
    if (!at_kind(p, TOKEN_NUMBER) && !at_kind(p, TOKEN_DURATION) && !is_number_word(&p->token)) {
        return fail_expected(p, "a number or a duration");
    }
    if (is_metricsql(p)) {
        ret_number->text = p->token.text;
    }
    return read_number_token(p, ret_number) && next(p);
}

bool parse_number_node(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_NUMBER, p->token.start);

    return parse_number(p, &node->number) && node_end(p, node, ret_node);
}

static bool parse_string_node(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_STRING, p->token.start);

    return parse_string(p, &node->string) && node_end(p, node, ret_node);
}

/* Pushes what stands between commas, up to and with the closing parenthesis. */
static bool push_list(struct parser *p, uint32_t open)
{
    struct promql_node *node;
    uint32_t comma = 0;

    while (!at_kind(p, TOKEN_RIGHT_PAREN)) {
        if (!parse_expr(p, &node)) {
            return false;
        }
        vec_push(&p->nodes, node);
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        comma = p->token.start;
        if (!next(p)) {
            return false;
        }
        if (at_kind(p, TOKEN_RIGHT_PAREN) && !is_metricsql(p)) {
            return fail_at(p, comma, comma + 1, "expected an argument behind this comma");
        }
    }
    return expect_close(p, TOKEN_RIGHT_PAREN, open);
}

bool parse_args(struct parser *p, struct promql_nodes *ret_args)
{
    size_t from = p->nodes.len;
    uint32_t open = p->token.start;

    if (!expect(p, TOKEN_LEFT_PAREN, "\"(\" and arguments") || !push_list(p, open)) {
        return false;
    }
    *ret_args = take_nodes(p, from);
    return true;
}

static bool unknown_function(struct parser *p)
{
    char space[128];
    struct str name = p->token.text;
    const char *hint = promql_function_hint(name, p->lexer.dialect, space, sizeof(space));

    return fail_at(p, p->token.start, p->token.start + name.len, "unknown function \"%.*s\"%s",
                   STR_FMT(str_slice(name, 0, 64)), hint);
}

static bool parse_call(struct parser *p, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_CALL, p->token.start);
    struct str name = read_word(p->arena, p->token.text);

    node->call.function = promql_function_find(name, p->lexer.dialect);
    if (node->call.function == NULL) {
        return unknown_function(p);
    }
    return next(p) && parse_args(p, &node->call.args) &&
           parse_keep_names(p, &node->call.keep_names) && node_end(p, node, ret_node);
}

static bool at_grouping(const struct parser *p)
{
    return at_word(p, STR("by")) || at_word(p, STR("without"));
}

static bool parse_grouping(struct parser *p, struct promql_aggregation *aggregation)
{
    if (!at_grouping(p)) {
        return true;
    }
    aggregation->without = at_word(p, STR("without"));
    return next(p) && parse_label_list(p, &aggregation->labels);
}

/* MetricsQL "limit N", behind everything else. */
static bool parse_limit(struct parser *p, struct promql_aggregation *aggregation)
{
    struct promql_number number = {0};
    uint32_t start;

    if (!is_metricsql(p) || !at_word(p, STR("limit"))) {
        return true;
    }
    if (!next(p)) {
        return false;
    }
    start = p->token.start;
    if (!parse_number(p, &number)) {
        return false;
    }
    if (!(number.value >= 1 && number.value <= 1e9) || number.value != floor(number.value) ||
        number.is_duration) {
        return fail_at(p, start, p->previous_end,
                       "expected a whole number of series from 1 to 1e9");
    }
    aggregation->limit = (uint32_t)number.value;
    return true;
}

static bool parse_aggregate(struct parser *p, const struct promql_aggregate *op,
                            struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_AGGREGATE, p->token.start);
    struct promql_aggregation *aggregation = &node->aggregation;
    bool grouped;

    aggregation->op = op;
    if (!next(p)) {
        return false;
    }
    grouped = at_grouping(p);
    if (!parse_grouping(p, aggregation) || !parse_args(p, &aggregation->args)) {
        return false;
    }
    if (grouped && at_grouping(p)) {
        return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                       "%s is grouped twice: \"by\" and \"without\" stand before or behind the "
                       "arguments, once",
                       op->name);
    }
    return parse_grouping(p, aggregation) && parse_limit(p, aggregation) &&
           node_end(p, node, ret_node);
}

/* Words that PromQL's grammar never reads as a metric. */
static bool is_reserved(const struct parser *p)
{
    static const struct str reserved[] = {
        STR_INIT("bool"),       STR_INIT("on"),          STR_INIT("ignoring"),
        STR_INIT("group_left"), STR_INIT("group_right"), STR_INIT("atan2"),
    };

    for (size_t i = 0; i < ARRAY_LEN(reserved) && !is_metricsql(p); i++) {
        if (at_word(p, reserved[i])) {
            return true;
        }
    }
    return false;
}

static bool parse_unbound(struct parser *p, const struct token *behind,
                          struct promql_node **ret_node)
{
    bool opens = behind->kind == TOKEN_LEFT_PAREN;
    const struct promql_aggregate *op;

    if (is_number_word(&p->token)) {
        return parse_number_node(p, ret_node);
    }
    if (is_reserved(p)) {
        return fail_expected(p, "an expression");
    }
    if (is_metricsql(p) && opens && at_word(p, STR("with"))) {
        return parse_with(p, ret_node);
    }
    op = promql_aggregate_find(read_word(p->arena, p->token.text), p->lexer.dialect);
    if (op != NULL && (opens || token_is(behind, STR("by")) || token_is(behind, STR("without")))) {
        return parse_aggregate(p, op, ret_node);
    }
    return opens ? parse_call(p, ret_node) : parse_selector(p, ret_node);
}

static bool parse_name(struct parser *p, struct promql_node **ret_node)
{
    struct binding *binding = binding_find(p, p->token.text);
    struct token behind;

    if (!peek(p, &behind)) {
        return false;
    }
    if (binding == NULL || (binding_is_function(binding) && behind.kind != TOKEN_LEFT_PAREN)) {
        return parse_unbound(p, &behind, ret_node);
    }
    if (!expand(p, binding, ret_node) ||
        (at_kind(p, TOKEN_LEFT_BRACE) && !parse_filters(p, *ret_node))) {
        return false;
    }
    return !at_suffix(p) || wrap_suffixed(p, ret_node);
}

/* MetricsQL: any number of expressions, which are a union unless there is one. */
static bool parse_union(struct parser *p, uint32_t open, struct promql_node **ret_node)
{
    size_t from = p->nodes.len;
    struct promql_node *node;

    if (!push_list(p, open)) {
        return false;
    }
    if (p->nodes.len - from != 1) {
        node = node_new(p, PROMQL_UNION, open);
        node->items = take_nodes(p, from);
        return node_end(p, node, ret_node);
    }
    node = node_new(p, PROMQL_PAREN, open);
    node->paren = vec_pop(&p->nodes);
    if (node->paren->kind == PROMQL_BINARY &&
        !parse_keep_names(p, &node->paren->binary.keep_names)) {
        return false;
    }
    return node_end(p, node, ret_node);
}

static bool parse_paren(struct parser *p, struct promql_node **ret_node)
{
    uint32_t open = p->token.start;
    struct promql_node *node;

    if (!next(p)) {
        return false;
    }
    if (is_metricsql(p)) {
        return parse_union(p, open, ret_node);
    }
    node = node_new(p, PROMQL_PAREN, open);
    if (!parse_expr(p, &node->paren)) {
        return false;
    }
    if (at_kind(p, TOKEN_COMMA)) {
        return fail_at(p, p->token.start, p->token.start + 1,
                       "a list in parentheses is MetricsQL; in PromQL write \"or\"");
    }
    return expect_close(p, TOKEN_RIGHT_PAREN, open) && node_end(p, node, ret_node);
}

bool parse_primary(struct parser *p, struct promql_node **ret_node)
{
    static bool (*const parsers[])(struct parser *, struct promql_node **) = {
        [TOKEN_WORD] = parse_name,
        [TOKEN_NUMBER] = parse_number_node,
        [TOKEN_DURATION] = parse_number_node,
        [TOKEN_STRING] = parse_string_node,
        [TOKEN_LEFT_PAREN] = parse_paren,
        [TOKEN_LEFT_BRACE] = parse_selector,
    };
    enum token_kind kind = p->token.kind;

    if (p->in_duration) {
        return parse_duration(p, ret_node);
    }
    if (kind >= ARRAY_LEN(parsers) || parsers[kind] == NULL) {
        return fail_expected(p, "an expression");
    }
    return parsers[kind](p, ret_node);
}
