/*
 * One function per level of precedence, loosest first: or; and, unless; not; a comparison; parentheses.
 * "not a == b" therefore denies the comparison.
 */
#include "model/condition_int.h"

struct parser {
    struct str text;
    size_t at;
    struct token token; /* the next one */
    struct condition *c;
    struct err *err;
    int depth;
};

static bool advance(struct parser *p)
{
    return condition_lex(p->text, &p->at, &p->c->arena, &p->token, p->err);
}

static bool fail_at_token(struct parser *p, const char *expected)
{
    if (p->token.kind == TOKEN_END) {
        return condition_fail(p->text, p->token.source, p->err, "expected %s, found the end",
                              expected);
    }
    return condition_fail(p->text, p->token.source, p->err, "expected %s, found \"%.*s\"", expected,
                          STR_FMT(str_slice(p->token.source, 0, 60)));
}

static struct condition_node *new_node(struct parser *p, enum node_kind kind)
{
    struct condition_node *node = arena_new(&p->c->arena, struct condition_node);

    node->kind = kind;
    return node;
}

static bool parse_or(struct parser *p, struct condition_node **ret_node);

/* ["any name"] or .name behind labels or annotations. */
static bool parse_member(struct parser *p, struct str *ret_name)
{
    bool square = p->token.kind == TOKEN_SQUARE_OPEN;

    if (!advance(p)) {
        return false;
    }
    if (!square) {
        *ret_name = p->token.source;
        return (p->token.kind == TOKEN_NAME || p->token.kind >= TOKEN_OR) ||
               fail_at_token(p, "a name behind the dot");
    }
    if (p->token.kind != TOKEN_STRING) {
        return fail_at_token(p, "a name in quotes");
    }
    *ret_name = p->token.text;
    if (!advance(p)) {
        return false;
    }
    return p->token.kind == TOKEN_SQUARE_CLOSE || fail_at_token(p, "]");
}

static bool parse_field(struct parser *p, struct operand *o)
{
    struct str scope = p->token.source;

    o->kind = OPERAND_FIELD;
    o->text = scope;
    if (!advance(p)) {
        return false;
    }
    if (p->token.kind != TOKEN_DOT && p->token.kind != TOKEN_SQUARE_OPEN) {
        return true;
    }
    o->scope = str_eq(scope, STR("labels"))        ? FIELD_LABEL
               : str_eq(scope, STR("annotations")) ? FIELD_ANNOTATION
                                                   : FIELD_ANY;
    if (o->scope == FIELD_ANY) {
        return condition_fail(p->text, scope, p->err,
                              "\"%.*s\" has no members: only labels and annotations have; what a "
                              "record has is named alone",
                              STR_FMT(scope));
    }
    return parse_member(p, &o->text) && advance(p);
}

static bool parse_operand(struct parser *p, struct operand *ret_operand)
{
    struct operand o = {.text = p->token.text, .number = p->token.number};

    if (p->token.kind == TOKEN_NAME) {
        if (!parse_field(p, &o)) {
            return false;
        }
        *ret_operand = o;
        return true;
    }
    if (p->token.kind != TOKEN_STRING && p->token.kind != TOKEN_NUMBER) {
        return fail_at_token(p, "a field, a text or a number");
    }
    o.kind = p->token.kind == TOKEN_STRING ? OPERAND_TEXT : OPERAND_NUMBER;
    *ret_operand = o;
    return advance(p);
}

/* From the start of <first> to the token before the next one. */
static struct str span_from(const struct parser *p, const char *start)
{
    struct str span = str_make(start, (size_t)(p->token.source.ptr - start));

    while (span.len > 1 && strchr(" \t\r\n", span.ptr[span.len - 1]) != NULL) {
        span.len--;
    }
    return span;
}

static bool check_types(struct parser *p, const char *start, const struct condition_node *node)
{
    if (node->x.kind == OPERAND_FIELD || node->y.kind == OPERAND_FIELD ||
        node->x.kind == node->y.kind) {
        return true;
    }
    return condition_fail(p->text, span_from(p, start), p->err,
                          "a text and a number never compare: one of them must be a field");
}

/* `isFatal == true` means the text that a flag is. */
static bool parse_compared(struct parser *p, struct condition_node *node)
{
    bool is_flag = p->token.kind == TOKEN_TRUE || p->token.kind == TOKEN_FALSE;
    bool is_equality =
        node->accepts == CMP_EQUAL || node->accepts == (CMP_LESS | CMP_GREATER | CMP_UNORDERED);

    if (!is_flag || !is_equality || node->x.kind != OPERAND_FIELD) {
        return parse_operand(p, &node->y);
    }
    node->y = (struct operand){.kind = OPERAND_TEXT,
                               .text = p->token.kind == TOKEN_TRUE ? STR("true") : STR("false")};
    return advance(p);
}

static bool parse_compare(struct parser *p, const char *start, struct condition_node *node)
{
    node->accepts = p->token.accepts;
    return advance(p) && parse_compared(p, node) && check_types(p, start, node);
}

static bool parse_match(struct parser *p, struct condition_node *node)
{
    node->kind = NODE_MATCH;
    node->accepts = p->token.accepts;
    if (!advance(p)) {
        return false;
    }
    if (p->token.kind != TOKEN_STRING) {
        return fail_at_token(p, "a regular expression in quotes");
    }
    struct err inner = ERR_INIT;
    if (!regex_compile(p->token.text, REGEX_FULL, &node->regex, &inner)) {
        return condition_fail(p->text, p->token.source, p->err, "%s", inner.message);
    }
    node->next_regex = p->c->regexes;
    p->c->regexes = node;
    return advance(p);
}

static bool end_comparison(const struct parser *p, const char *start, struct condition_node *node)
{
    node->source = span_from(p, start);
    return true;
}

static bool parse_comparison(struct parser *p, struct condition_node **ret_node)
{
    const char *start = p->token.source.ptr;
    struct condition_node *node = new_node(p, NODE_COMPARE);

    if (!parse_operand(p, &node->x)) {
        return false;
    }
    *ret_node = node;
    if (p->token.kind == TOKEN_COMPARE) {
        return parse_compare(p, start, node) && end_comparison(p, start, node);
    }
    if (p->token.kind == TOKEN_MATCH && node->x.kind == OPERAND_NUMBER) {
        return condition_fail(p->text, span_from(p, start), p->err,
                              "a number never matches a regular expression");
    }
    if (p->token.kind == TOKEN_MATCH) {
        return parse_match(p, node) && end_comparison(p, start, node);
    }
    return fail_at_token(p, "a comparison (== != < <= > >= =~ !~)");
}

static bool parse_parentheses(struct parser *p, struct condition_node **ret_node)
{
    if (p->depth >= CONDITION_DEPTH_MAX) {
        return condition_fail(p->text, p->token.source, p->err, "more than %d levels",
                              CONDITION_DEPTH_MAX);
    }
    p->depth++;
    if (!advance(p) || !parse_or(p, ret_node)) {
        return false;
    }
    p->depth--;
    if (p->token.kind != TOKEN_CLOSE) {
        return fail_at_token(p, "\")\"");
    }
    return advance(p);
}

static bool parse_constant(struct parser *p, struct condition_node **ret_node)
{
    struct condition_node *node = new_node(p, NODE_CONST);

    node->accepts = p->token.kind == TOKEN_TRUE;
    *ret_node = node;
    return advance(p);
}

static bool parse_primary(struct parser *p, struct condition_node **ret_node)
{
    if (p->token.kind == TOKEN_OPEN) {
        return parse_parentheses(p, ret_node);
    }
    if (p->token.kind == TOKEN_TRUE || p->token.kind == TOKEN_FALSE) {
        return parse_constant(p, ret_node);
    }
    return parse_comparison(p, ret_node);
}

static bool parse_not(struct parser *p, struct condition_node **ret_node)
{
    bool deny = false;

    while (p->token.kind == TOKEN_NOT) {
        deny = !deny;
        if (!advance(p)) {
            return false;
        }
    }
    if (!parse_primary(p, ret_node)) {
        return false;
    }
    (*ret_node)->deny ^= deny;
    return true;
}

/* Puts <*node> below a new node of <kind>; gives where its next child goes. */
static struct condition_node **start_list(struct parser *p, enum node_kind kind,
                                          struct condition_node **node)
{
    struct condition_node *list = new_node(p, kind);

    list->first = *node;
    *node = list;
    return &list->first->next;
}

static bool parse_and(struct parser *p, struct condition_node **ret_node)
{
    struct condition_node **link = NULL;

    if (!parse_not(p, ret_node)) {
        return false;
    }
    while (p->token.kind == TOKEN_AND || p->token.kind == TOKEN_UNLESS) {
        bool unless = p->token.kind == TOKEN_UNLESS;
        link = link != NULL ? link : start_list(p, NODE_ALL, ret_node);
        if (!advance(p) || !parse_not(p, link)) {
            return false;
        }
        (*link)->deny ^= unless;
        link = &(*link)->next;
    }
    return true;
}

static bool parse_or(struct parser *p, struct condition_node **ret_node)
{
    struct condition_node **link = NULL;

    if (!parse_and(p, ret_node)) {
        return false;
    }
    while (p->token.kind == TOKEN_OR) {
        link = link != NULL ? link : start_list(p, NODE_ANY, ret_node);
        if (!advance(p) || !parse_and(p, link)) {
            return false;
        }
        link = &(*link)->next;
    }
    return true;
}

bool condition_parse(struct condition *c, struct err *e)
{
    struct parser p = {.text = c->text, .c = c, .err = e};

    if (!advance(&p) || !parse_or(&p, &c->root)) {
        return false;
    }
    return p.token.kind == TOKEN_END || fail_at_token(&p, "\"and\", \"or\" or the end");
}
