/*
 * MetricsQL templates: WITH (name = expr, name(params) = expr) expr.
 *
 * A template is text: to expand it, the parser reads the text of its body again, where the body's
 * own scope holds, and the tree never knows. The same goes for arguments. So that a mistake is
 * found in templates that nobody uses, each body is also read once where it is defined, its
 * parameters standing for anything.
 *
 * 1. A body sees what was defined before it, never itself: expansion ends.
 * 2. An argument sees what its caller sees.
 * 3. Expansion counts as nesting, and every token read again counts as a token: doubling templates
 * hit a limit.
 */
#include "promql/parse.h"

#include "base/attr.h"

struct binding {
    struct str name;
    struct binding *outer; /* found next, when the name is another */
    struct binding *scope; /* what the body sees */
    struct lexer body;
    struct promql_labels params;
    bool is_anything; /* a parameter, where its template is defined */
};

/* The name of the selector that "anything" is; known by its address. */
static const char anything[] = "anything";

struct binding *binding_find(const struct parser *p, struct str word)
{
    if (p->scope == NULL) {
        return NULL;
    }
    struct str name = read_word(p->arena, word);
    for (struct binding *b = p->scope; b != NULL; b = b->outer) {
        if (str_eq(b->name, name)) {
            return b;
        }
    }
    return NULL;
}

bool binding_is_function(const struct binding *binding)
{
    return binding->params.count > 0;
}

bool is_anything(const struct promql_node *node)
{
    return node->kind == PROMQL_VECTOR && node->vector.name.ptr == anything;
}

static struct binding *bind(struct parser *p, struct str name, struct binding *outer)
{
    struct binding *binding = arena_new(p->arena, struct binding);

    binding->name = name;
    binding->outer = outer;
    return binding;
}

/* A selector that stands for whatever the parameter will be. */
static bool make_anything(struct parser *p, uint32_t start, struct promql_node **ret_node)
{
    struct promql_node *node = node_new(p, PROMQL_VECTOR, start);
    struct promql_filter *filter = arena_new(p->arena, struct promql_filter);

    node->vector.name = str_make(anything, sizeof(anything) - 1);
    node->vector.filters = filter;
    node->vector.filter_count = 1;
    return node_end(p, node, ret_node);
}

/* Operators of the body must not mix with those around the reference. */
static bool wrap(struct parser *p, uint32_t start, struct promql_node *node,
                 struct promql_node **ret_node)
{
    if (node->kind != PROMQL_BINARY && node->kind != PROMQL_UNARY) {
        *ret_node = node;
        return true;
    }
    struct promql_node *paren = node_new(p, PROMQL_PAREN, start);
    paren->paren = node;
    return node_end(p, paren, ret_node);
}

static bool read_body(struct parser *p, const struct binding *binding, struct binding *scope,
                      struct promql_node **ret_node)
{
    p->lexer = binding->body;
    p->scope = scope;
    p->in_duration = false;
    if (!next(p) || !parse_expr(p, ret_node)) {
        return false;
    }
    return at_kind(p, TOKEN_END) || fail_expected(p, "the end of the template");
}

static bool too_many_args(struct parser *p, const struct binding *binding, uint32_t start)
{
    return fail_at(p, start, p->previous_end, "the template \"%.*s\" takes %u argument%s",
                   STR_FMT(binding->name), binding->params.count,
                   binding->params.count == 1 ? "" : "s");
}

/* Reads arguments where they are, and binds the text of each to its parameter. */
static bool bind_args(struct parser *p, const struct binding *binding, uint32_t start,
                      struct binding **scope)
{
    uint32_t open = p->token.start;
    uint32_t count = 0;
    struct promql_node *node;

    if (!next(p)) {
        return false;
    }
    while (!at_kind(p, TOKEN_RIGHT_PAREN)) {
        struct lexer body = p->lexer;
        body.at = p->token.start;
        if (!parse_expr(p, &node)) {
            return false;
        }
        if (count == binding->params.count) {
            return too_many_args(p, binding, start);
        }
        body.end = p->previous_end;
        *scope = bind(p, binding->params.items[count++], *scope);
        (*scope)->body = body;
        (*scope)->scope = p->scope;
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        if (!next(p)) {
            return false;
        }
    }
    if (!expect_close(p, TOKEN_RIGHT_PAREN, open)) {
        return false;
    }
    return count == binding->params.count || too_many_args(p, binding, start);
}

bool expand(struct parser *p, struct binding *binding, struct promql_node **ret_node)
{
    uint32_t start = p->token.start;
    struct binding *scope = binding->scope;
    struct promql_node *node;

    if (!next(p)) {
        return false;
    }
    if (binding->is_anything) {
        return make_anything(p, start, ret_node);
    }
    if (at_kind(p, TOKEN_LEFT_PAREN) && !bind_args(p, binding, start, &scope)) {
        return false;
    }
    struct parser saved = *p;
    if (!read_body(p, binding, scope, &node)) {
        return p->err->context[0] == '\0' &&
               err_wrap(p->err, "in the template \"%.*s\"", STR_FMT(binding->name));
    }
    p->lexer = saved.lexer;
    p->token = saved.token;
    p->previous_end = saved.previous_end;
    p->scope = saved.scope;
    p->in_duration = saved.in_duration;
    return wrap(p, start, node, ret_node);
}

static bool check_new_name(struct parser *p, const struct binding *until, struct str name)
{
    for (const struct binding *b = p->scope; b != until; b = b->outer) {
        if (str_eq(b->name, name)) {
            return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                           "the template \"%.*s\" is defined twice", STR_FMT(name));
        }
    }
    return true;
}

static bool push_param(struct parser *p, size_t from)
{
    struct str name = read_word(p->arena, p->token.text);

    if (!at_kind(p, TOKEN_WORD)) {
        return fail_expected(p, "the name of a parameter");
    }
    for (size_t i = from; i < p->labels.len; i++) {
        if (str_eq(p->labels.items[i], name)) {
            return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                           "the parameter \"%.*s\" is named twice", STR_FMT(name));
        }
    }
    vec_push(&p->labels, name);
    return next(p);
}

static bool parse_params(struct parser *p, struct promql_labels *ret_params)
{
    size_t from = p->labels.len;
    uint32_t open = p->token.start;

    if (!at_kind(p, TOKEN_LEFT_PAREN)) {
        return true;
    }
    if (!next(p)) {
        return false;
    }
    while (!at_kind(p, TOKEN_RIGHT_PAREN)) {
        if (!push_param(p, from)) {
            return false;
        }
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        if (!next(p)) {
            return false;
        }
    }
    *ret_params = take_labels(p, from);
    return expect_close(p, TOKEN_RIGHT_PAREN, open);
}

/* Reads the body once, with parameters that can be anything, which also finds its end. */
static bool parse_body(struct parser *p, struct binding *binding)
{
    struct binding *outer = p->scope;
    struct promql_node *node;

    if (!at_kind(p, TOKEN_ASSIGN)) {
        return fail_expected(p, "\"=\" and the template's expression");
    }
    if (!next(p)) {
        return false;
    }
    binding->body = p->lexer;
    binding->body.at = p->token.start;
    for (uint32_t i = 0; i < binding->params.count; i++) {
        p->scope = bind(p, binding->params.items[i], p->scope);
        p->scope->is_anything = true;
    }
    bool ok = parse_expr(p, &node);
    p->scope = outer;
    binding->body.end = p->previous_end;
    return ok;
}

static bool parse_template(struct parser *p, const struct binding *until)
{
    struct str name = read_word(p->arena, p->token.text);

    if (!at_kind(p, TOKEN_WORD)) {
        return fail_expected(p, "the name of a template");
    }
    if (!check_new_name(p, until, name)) {
        return false;
    }
    struct binding *binding = bind(p, name, p->scope);
    binding->scope = p->scope;
    if (!next(p) || !parse_params(p, &binding->params) || !parse_body(p, binding)) {
        return false;
    }
    p->scope = binding;
    return true;
}

static bool parse_templates(struct parser *p)
{
    const struct binding *until = p->scope;
    uint32_t open = p->token.start;

    if (!expect(p, TOKEN_LEFT_PAREN, "\"(\" and templates")) {
        return false;
    }
    while (!at_kind(p, TOKEN_RIGHT_PAREN)) {
        if (!parse_template(p, until)) {
            return false;
        }
        if (!at_kind(p, TOKEN_COMMA)) {
            break;
        }
        if (!next(p)) {
            return false;
        }
    }
    return expect_close(p, TOKEN_RIGHT_PAREN, open);
}

bool parse_with(struct parser *p, struct promql_node **ret_node)
{
    struct binding *outer = p->scope;
    uint32_t start = p->token.start;
    struct promql_node *node;

    if (!next(p) || !parse_templates(p) || !parse_expr(p, &node)) {
        return false;
    }
    p->scope = outer;
    return wrap(p, start, node, ret_node);
}
