#include "promql/parse.h"

#include "base/attr.h"

#include <stdarg.h>
#include <stdio.h>

bool is_metricsql(const struct parser *p)
{
    return p->lexer.dialect == PROMQL_METRICSQL;
}

bool next(struct parser *p)
{
    p->previous_end = p->token.start + (uint32_t)p->token.text.len;
    if (++p->tokens > PROMQL_TOKENS_MAX) {
        err_set(p->err, ERR_LIMIT, "the expression has more than %d tokens, its templates expanded",
                PROMQL_TOKENS_MAX);
        err_point(p->err, p->source, p->lexer.at, 1, (struct pos){1, 1});
        return false;
    }
    return lex_next(&p->lexer, &p->token, p->err);
}

bool peek(struct parser *p, struct token *ret_token)
{
    struct lexer copy = p->lexer;

    return lex_next(&copy, ret_token, p->err);
}

bool at_kind(const struct parser *p, enum token_kind kind)
{
    return p->token.kind == kind;
}

bool token_is(const struct token *token, struct str word)
{
    return token->kind == TOKEN_WORD && str_eq_nocase(token->text, word);
}

bool at_word(const struct parser *p, struct str word)
{
    return token_is(&p->token, word);
}

bool fail_at(struct parser *p, size_t start, size_t end, const char *fmt, ...)
{
    char message[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return lex_fail(p->source, start, end > start ? end - start : 1, p->err, "%s", message);
}

bool fail_node(struct parser *p, const struct promql_node *node, const char *fmt, ...)
{
    char message[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return fail_at(p, node->start, node->end, "%s", message);
}

enum { DESCRIBED_MAX = 40 };

struct str describe(const struct token *token, char *space, size_t size)
{
    struct str shown = str_slice(token->text, 0, DESCRIBED_MAX);
    const char *dots = token->text.len > DESCRIBED_MAX ? "..." : "";
    const char *what = "\"";
    const char *close = "\"";

    if (token->kind == TOKEN_END) {
        return STR("the end of the expression");
    }
    if (token->kind == TOKEN_STRING) {
        what = "the string ";
        close = "";
    } else if (token->kind == TOKEN_NUMBER || token->kind == TOKEN_DURATION) {
        what = "the number ";
        close = "";
    }
    while (shown.len > 0 && dots[0] != '\0' && (token->text.ptr[shown.len] & 0xC0) == 0x80) {
        shown.len--;
    }
    (void)snprintf(space, size, "%s%.*s%s%s", what, STR_FMT(shown), dots, close);
    return str_of(space);
}

/* What makes sense of a token that people put where PromQL has nothing like it; or "". */
static const char *hint_on(const struct parser *p)
{
    static const struct {
        struct str word;
        const char *hint;
    } words[] = {
        {STR_INIT("by"), "; \"by\" belongs to an aggregation, as in sum by (job) (up)"},
        {STR_INIT("without"),
         "; \"without\" belongs to an aggregation, as in sum without (job) (up)"},
        {STR_INIT("on"), "; \"on\" belongs right behind an operator"},
        {STR_INIT("ignoring"), "; \"ignoring\" belongs right behind an operator"},
        {STR_INIT("bool"), "; \"bool\" belongs right behind a comparison operator"},
        {STR_INIT("group_left"), "; \"group_left\" belongs behind on (...) or ignoring (...)"},
        {STR_INIT("group_right"), "; \"group_right\" belongs behind on (...) or ignoring (...)"},
    };
    static const struct {
        struct str word;
        const char *hint;
    } metricsql_words[] = {
        {STR_INIT("or"), "; \"or\" between matchers is MetricsQL"},
        {STR_INIT("default"), "; \"default\" is MetricsQL"},
        {STR_INIT("if"), "; \"if\" is MetricsQL, in PromQL it is \"and\""},
        {STR_INIT("ifnot"), "; \"ifnot\" is MetricsQL, in PromQL it is \"unless\""},
        {STR_INIT("keep_metric_names"), "; \"keep_metric_names\" is MetricsQL"},
        {STR_INIT("limit"), "; \"limit\" is MetricsQL, in PromQL it is limitk()"},
        {STR_INIT("with"), "; WITH templates are MetricsQL"},
        {STR_INIT("prefix"), "; \"prefix\" is MetricsQL"},
    };

    if (at_kind(p, TOKEN_ASSIGN)) {
        return "; to compare, write ==";
    }
    if (at_kind(p, TOKEN_EQL_REGEX) || at_kind(p, TOKEN_NEQ_REGEX)) {
        return "; regular expressions match labels, in braces: {label=~\"...\"}";
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (at_word(p, words[i].word)) {
            return words[i].hint;
        }
    }
    for (size_t i = 0; !is_metricsql(p) && i < ARRAY_LEN(metricsql_words); i++) {
        if (at_word(p, metricsql_words[i].word)) {
            return metricsql_words[i].hint;
        }
    }
    return "";
}

bool fail_expected(struct parser *p, const char *what)
{
    char space[ERR_TEXT];
    struct str found = describe(&p->token, space, sizeof(space));

    return fail_at(p, p->token.start, p->token.start + p->token.text.len,
                   "expected %s, found %.*s%s", what, STR_FMT(found), hint_on(p));
}

bool expect(struct parser *p, enum token_kind kind, const char *what)
{
    return at_kind(p, kind) ? next(p) : fail_expected(p, what);
}

static const char *const closers[] = {
    [TOKEN_RIGHT_PAREN] = "\")\" to close the \"(\"",
    [TOKEN_RIGHT_BRACE] = "\",\" or \"}\" to close the \"{\"",
    [TOKEN_RIGHT_BRACKET] = "\"]\" to close the \"[\"",
};

bool expect_close(struct parser *p, enum token_kind kind, uint32_t open)
{
    char what[128];
    struct err place = ERR_INIT;

    if (at_kind(p, kind)) {
        return next(p);
    }
    err_point(&place, p->source, open, 1, (struct pos){1, 1});
    if (place.pos.line > 1) {
        (void)snprintf(what, sizeof(what), "%s of line %u, column %u", closers[kind],
                       place.pos.line, place.pos.column);
    } else {
        (void)snprintf(what, sizeof(what), "%s of column %u", closers[kind], place.pos.column);
    }
    return fail_expected(p, what);
}

struct promql_node *node_new(struct parser *p, enum promql_kind kind, uint32_t start)
{
    struct promql_node *node = arena_new(p->arena, struct promql_node);

    node->kind = kind;
    node->start = start;
    return node;
}

bool node_end(struct parser *p, struct promql_node *node, struct promql_node **ret_node)
{
    const struct promql_node *child;
    uint32_t height = 0;

    node->end = p->previous_end;
    for (uint32_t i = 0; (child = promql_child(node, i)) != NULL; i++) {
        height = child->height > height ? child->height : height;
    }
    node->height = height + 1;
    if (node->height > PROMQL_HEIGHT_MAX || arena_over(p->arena)) {
        (void)fail_node(p, node, "the expression is too large: at most %d levels, within %zu bytes",
                        PROMQL_HEIGHT_MAX, p->arena->cap_bytes);
        p->err->code = ERR_LIMIT;
        return false;
    }
    *ret_node = node;
    return true;
}

struct promql_nodes take_nodes(struct parser *p, size_t from)
{
    size_t count = p->nodes.len - from;
    struct promql_node **items = arena_array(p->arena, struct promql_node *, count);

    for (size_t i = 0; i < count; i++) {
        items[i] = p->nodes.items[from + i];
    }
    p->nodes.len = from;
    return (struct promql_nodes){items, (uint32_t)count};
}

struct promql_labels take_labels(struct parser *p, size_t from)
{
    size_t count = p->labels.len - from;
    struct str *items = arena_array(p->arena, struct str, count);

    for (size_t i = 0; i < count; i++) {
        items[i] = p->labels.items[from + i];
    }
    p->labels.len = from;
    return (struct promql_labels){items, (uint32_t)count};
}

struct promql_filter take_matchers(struct parser *p, size_t from)
{
    size_t count = p->matchers.len - from;
    struct promql_matcher *items = arena_array(p->arena, struct promql_matcher, count);

    for (size_t i = 0; i < count; i++) {
        items[i] = p->matchers.items[from + i];
    }
    p->matchers.len = from;
    return (struct promql_filter){items, (uint32_t)count};
}

const struct promql_filter *take_filters(struct parser *p, size_t from)
{
    size_t count = p->filters.len - from;
    struct promql_filter *items = arena_array(p->arena, struct promql_filter, count);

    for (size_t i = 0; i < count; i++) {
        items[i] = p->filters.items[from + i];
    }
    p->filters.len = from;
    return items;
}

static void parser_release(struct parser *p)
{
    vec_release(&p->nodes);
    vec_release(&p->labels);
    vec_release(&p->matchers);
    vec_release(&p->filters);
}

static bool parse_all(struct parser *p, struct promql_node **ret_root)
{
    struct promql_node *root;

    if (!next(p)) {
        return false;
    }
    if (at_kind(p, TOKEN_END)) {
        return fail_at(p, p->source.len, p->source.len, "there is no expression here");
    }
    if (!parse_expr(p, &root)) {
        return false;
    }
    if (!at_kind(p, TOKEN_END)) {
        return fail_expected(p, "an operator or the end of the expression");
    }
    if (!promql_check(p, root)) {
        return false;
    }
    *ret_root = root;
    return true;
}

bool promql_parse(struct arena *a, struct str text, enum promql_dialect dialect,
                  const struct promql_node **ret_root, struct err *e)
{
    struct promql_node *root = NULL;

    if (text.len > PROMQL_TEXT_MAX) {
        return err_set(e, ERR_LIMIT, "the expression has %zu bytes; at most %d are allowed",
                       text.len, PROMQL_TEXT_MAX);
    }
    if (text.ptr == NULL) {
        text = STR("");
    }
    AUTO(parser_release)
    struct parser p = {
        .arena = a,
        .source = text,
        .err = e,
        .lexer = {.source = text, .end = (uint32_t)text.len, .dialect = dialect},
    };
    if (!parse_all(&p, &root)) {
        return false;
    }
    *ret_root = root;
    return true;
}
