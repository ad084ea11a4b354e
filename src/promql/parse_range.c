/*
 * What follows an expression: [range], [range:step], offset, @, anchored, smoothed.
 */
#include "promql/parse.h"

#include "base/attr.h"

/* A range or a step: an expression in brackets, more than nothing. */
static bool parse_bracket_duration(struct parser *p, struct promql_duration *ret_duration)
{
    struct promql_node *node;

    if (is_metricsql(p) ? !parse_duration(p, &node)
                        : !parse_operand(p, PROMQL_PRECEDENCE_MIN, &node)) {
        return false;
    }
    if (!set_duration(p, node, ret_duration)) {
        return false;
    }
    if (ret_duration->expr == NULL && ret_duration->ns < (is_metricsql(p) ? 0 : 1)) {
        return fail_node(p, node, "a range or a step must be longer than nothing");
    }
    return true;
}

struct bracket {
    uint32_t open;
    bool has_colon;
    bool has_range;
    bool has_step;
    struct promql_duration range;
    struct promql_duration step;
};

static bool parse_bracket_inside(struct parser *p, struct bracket *bracket)
{
    if (!at_kind(p, TOKEN_COLON) || !is_metricsql(p)) {
        bracket->has_range = true;
        if (!parse_bracket_duration(p, &bracket->range)) {
            return false;
        }
    }
    if (!at_kind(p, TOKEN_COLON)) {
        return true;
    }
    bracket->has_colon = true;
    if (!next(p)) {
        return false;
    }
    bracket->has_step = !at_kind(p, TOKEN_RIGHT_BRACKET);
    return !bracket->has_step || parse_bracket_duration(p, &bracket->step);
}

/* Between brackets a colon stands alone; the token behind "]" is read as usual. */
static bool parse_bracket(struct parser *p, struct bracket *bracket)
{
    *bracket = (struct bracket){.open = p->token.start};
    p->lexer.in_brackets = true;
    p->in_duration = true;
    if (!next(p) || !parse_bracket_inside(p, bracket)) {
        return false;
    }
    p->lexer.in_brackets = false;
    p->in_duration = false;
    return expect_close(p, TOKEN_RIGHT_BRACKET, bracket->open);
}

static bool has_when(const struct promql_when *when)
{
    return when->at != PROMQL_AT_NONE || when->offset.ns != 0 || when->offset.expr != NULL;
}

bool at_suffix(const struct parser *p)
{
    return at_kind(p, TOKEN_LEFT_BRACKET) || at_kind(p, TOKEN_AT) || at_word(p, STR("offset"));
}

bool wrap_suffixed(struct parser *p, struct promql_node **node)
{
    enum promql_kind kind = (*node)->kind;
    struct promql_node *paren;

    if (kind != PROMQL_MATRIX && kind != PROMQL_SUBQUERY && kind != PROMQL_SHIFT &&
        (kind != PROMQL_VECTOR || !has_when(&(*node)->vector.when))) {
        return true;
    }
    paren = node_new(p, PROMQL_PAREN, (*node)->start);
    paren->paren = *node;
    return node_end(p, paren, node);
}

static bool make_matrix(struct parser *p, const struct bracket *bracket, struct promql_node **node)
{
    struct promql_node *matrix = node_new(p, PROMQL_MATRIX, (*node)->start);

    if (has_when(&(*node)->vector.when)) {
        return fail_at(p, bracket->open, p->previous_end,
                       "the range stands right behind the selector, before \"@\" and \"offset\"");
    }
    matrix->matrix = (struct promql_matrix){.vector = *node, .range = bracket->range};
    return node_end(p, matrix, node);
}

static bool make_subquery(struct parser *p, const struct bracket *bracket,
                          struct promql_node **node)
{
    struct promql_node *subquery = node_new(p, PROMQL_SUBQUERY, (*node)->start);

    subquery->subquery = (struct promql_subquery){
        .expr = *node,
        .has_range = bracket->has_range,
        .has_step = bracket->has_step,
        .range = bracket->range,
        .step = bracket->step,
    };
    return node_end(p, subquery, node);
}

static bool parse_brackets(struct parser *p, struct promql_node **node)
{
    struct bracket bracket;

    if (!parse_bracket(p, &bracket)) {
        return false;
    }
    if (bracket.has_colon) {
        return make_subquery(p, &bracket, node);
    }
    if ((*node)->kind == PROMQL_VECTOR) {
        return make_matrix(p, &bracket, node);
    }
    if (is_metricsql(p)) {
        return make_subquery(p, &bracket, node);
    }
    return fail_at(p, bracket.open, p->previous_end,
                   "a range can only follow a selector; for a subquery write a colon in it, as in "
                   "[5m:]");
}

/*
 * Where the modifiers of <*node> are kept; what has no place of its own is wrapped into something
 * that has.
 */
static struct promql_when *when_of(struct parser *p, struct promql_node **node)
{
    if ((*node)->kind == PROMQL_VECTOR) {
        return &(*node)->vector.when;
    }
    if ((*node)->kind == PROMQL_MATRIX) {
        return &(*node)->matrix.vector->vector.when;
    }
    if ((*node)->kind == PROMQL_SUBQUERY) {
        return &(*node)->subquery.when;
    }
    if ((*node)->kind == PROMQL_SHIFT) {
        return &(*node)->shift.when;
    }
    if (!is_metricsql(p)) {
        return NULL;
    }
    struct promql_node *shift = node_new(p, PROMQL_SHIFT, (*node)->start);
    shift->shift.expr = *node;
    *node = shift;
    return &shift->shift.when;
}

static bool no_place(struct parser *p)
{
    return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                   "\"%.*s\" can only follow a selector or a subquery; put it inside, behind the "
                   "selector",
                   STR_FMT(p->token.text));
}

static bool parse_offset(struct parser *p, struct promql_node **node)
{
    uint32_t start = p->token.start;
    struct promql_when *when = when_of(p, node);
    struct promql_node *duration;

    if (when == NULL) {
        return no_place(p);
    }
    if (when->offset.ns != 0 || when->offset.expr != NULL) {
        return fail_at(p, start, start + p->token.text.len, "the offset is given twice");
    }
    return next(p) && parse_duration_signed(p, &duration) &&
           set_duration(p, duration, &when->offset) && node_end(p, *node, node);
}

/* start() or end() behind "@"; *ret_found tells. */
static bool parse_at_edge(struct parser *p, struct promql_when *when, bool *ret_found)
{
    struct token behind;
    uint32_t open;

    *ret_found = at_word(p, STR("start")) || at_word(p, STR("end"));
    if (!*ret_found || !peek(p, &behind)) {
        return !*ret_found;
    }
    when->at = at_word(p, STR("start")) ? PROMQL_AT_START : PROMQL_AT_END;
    if (!next(p)) {
        return false;
    }
    open = p->token.start;
    return expect(p, TOKEN_LEFT_PAREN, "\"()\"") && expect_close(p, TOKEN_RIGHT_PAREN, open);
}

static bool set_time(struct parser *p, struct promql_when *when, struct promql_node *node)
{
    double seconds;

    if (!plain_seconds(node, &seconds)) {
        when->at = PROMQL_AT_EXPR;
        when->at_expr = node;
        return true;
    }
    when->at = PROMQL_AT_TIME;
    if (!seconds_to_ns(seconds, &when->at_ns)) {
        return fail_node(p, node,
                         "the time is out of range: seconds since 1970, from 1678 to 2262");
    }
    return true;
}

/*
 * A time in PromQL is a number; in MetricsQL any expression, which its brackets and modifiers do
 * not belong to.
 */
static bool parse_time(struct parser *p, struct promql_node **ret_node)
{
    struct token token = p->token;
    bool sign = token.kind == TOKEN_OP && (token.op == PROMQL_ADD || token.op == PROMQL_SUB);

    if (is_metricsql(p) && !sign) {
        return parse_primary(p, ret_node) && wrap_suffixed(p, ret_node);
    }
    if (sign && !peek(p, &token)) {
        return false;
    }
    if (token.kind != TOKEN_NUMBER && token.kind != TOKEN_DURATION &&
        !token_is(&token, STR("inf")) && !token_is(&token, STR("nan"))) {
        return sign && !next(p) ? false : fail_expected(p, "a time in seconds, start() or end()");
    }
    if (!sign) {
        return parse_number_node(p, ret_node);
    }
    uint32_t start = p->token.start;
    struct promql_node *node = node_new(p, PROMQL_UNARY, start);
    node->unary.op = p->token.op;
    return next(p) && parse_number_node(p, &node->unary.expr) && node_end(p, node, ret_node);
}

static bool parse_at(struct parser *p, struct promql_node **node)
{
    uint32_t start = p->token.start;
    struct promql_when *when = when_of(p, node);
    struct promql_node *time = NULL;
    bool is_edge;

    if (when == NULL) {
        return no_place(p);
    }
    if (when->at != PROMQL_AT_NONE) {
        return fail_at(p, start, start + 1, "\"@\" is given twice");
    }
    if (!next(p) || !parse_at_edge(p, when, &is_edge)) {
        return false;
    }
    if (!is_edge && (!parse_time(p, &time) || !set_time(p, when, time))) {
        return false;
    }
    return node_end(p, *node, node);
}

static bool parse_extend(struct parser *p, struct promql_node **node)
{
    struct promql_node *vector = (*node)->kind == PROMQL_MATRIX ? (*node)->matrix.vector : *node;
    uint32_t start = p->token.start;
    uint32_t end = start + (uint32_t)p->token.text.len;

    if (vector->kind != PROMQL_VECTOR) {
        return fail_at(p, start, end, "\"%.*s\" can only follow a selector",
                       STR_FMT(p->token.text));
    }
    if (vector->vector.extend != PROMQL_EXTEND_NONE) {
        return fail_at(p, start, end, "a selector is anchored or smoothed, once");
    }
    vector->vector.extend = at_word(p, STR("anchored")) ? PROMQL_ANCHORED : PROMQL_SMOOTHED;
    return next(p) && node_end(p, *node, node);
}

bool parse_suffixes(struct parser *p, struct promql_node **node)
{
    while (!p->in_duration) {
        bool (*parse)(struct parser *, struct promql_node **) = NULL;

        if (at_kind(p, TOKEN_LEFT_BRACKET)) {
            parse = parse_brackets;
        } else if (at_kind(p, TOKEN_AT)) {
            parse = parse_at;
        } else if (at_word(p, STR("offset"))) {
            parse = parse_offset;
        } else if (!is_metricsql(p) &&
                   (at_word(p, STR("anchored")) || at_word(p, STR("smoothed")))) {
            parse = parse_extend;
        } else {
            return true;
        }
        if (!parse(p, node)) {
            return false;
        }
    }
    return true;
}
