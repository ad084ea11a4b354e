/*
 * Is a text an expression for Graphite? Functions, paths and their patterns, strings, numbers, named
 * arguments, pipes. What functions there are and what they take is Graphite's to say.
 */
#include "rules/rule_int.h"

enum { DEPTH_MAX = 64 };

struct graphite {
    struct str text;
    size_t at;
    int depth;
    struct err *err;
};

static bool fail(struct graphite *g, const char *problem)
{
    (void)err_set(g->err, ERR_PARSE, "%s", problem);
    err_point(g->err, g->text, g->at, g->at < g->text.len, (struct pos){1, 1});
    return false;
}

static char peek(struct graphite *g)
{
    while (g->at < g->text.len && strchr(" \t\r\n", g->text.ptr[g->at]) != NULL &&
           g->text.ptr[g->at] != '\0') {
        g->at++;
    }
    return g->at < g->text.len ? g->text.ptr[g->at] : '\0';
}

static bool take(struct graphite *g, char c)
{
    bool is_there = peek(g) == c;

    g->at += is_there;
    return is_there;
}

static bool parse_string(struct graphite *g, char quote)
{
    size_t start = g->at++;

    while (g->at < g->text.len && g->text.ptr[g->at] != quote) {
        g->at += g->text.ptr[g->at] == '\\' ? 2 : 1;
    }
    if (g->at >= g->text.len) {
        g->at = start;
        return fail(g, "this string does not end: add the closing quote");
    }
    g->at++;
    return true;
}

/* A word: a path, a function's name, a number; braces hold commas. */
static bool parse_word(struct graphite *g, bool *ret_is_name)
{
    size_t start = g->at;
    size_t open = 0;
    int braces = 0;

    *ret_is_name = true;
    for (; g->at < g->text.len; g->at++) {
        unsigned char c = (unsigned char)g->text.ptr[g->at];
        if (c == '{') {
            open = braces++ == 0 ? g->at : open;
        } else if (c == '}') {
            braces--;
        } else if (c <= ' ' || strchr("()|='\"", c) != NULL || (c == ',' && braces == 0)) {
            break;
        }
        bool is_alnum =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        *ret_is_name = *ret_is_name && is_alnum;
        if (braces < 0) {
            return fail(g, "no brace is open here: expected '{' before this '}'");
        }
    }
    if (braces > 0) {
        g->at = open;
        return fail(g, "this brace is not closed: expected '}'");
    }
    return g->at > start || fail(g, "expected a path, a function, a string or a number");
}

static bool parse_expr(struct graphite *g);

/* What stands between the parentheses of a call. */
static bool parse_arguments(struct graphite *g, size_t open)
{
    bool more = peek(g) != ')';

    while (more) {
        if (!parse_expr(g)) {
            return false;
        }
        if (take(g, '=') && !parse_expr(g)) {
            return false;
        }
        more = take(g, ',');
    }
    if (!take(g, ')')) {
        g->at = peek(g) == '\0' ? open : g->at;
        return fail(g, g->at == open ? "this parenthesis is not closed: expected ')'"
                                     : "expected ',' or ')'");
    }
    return true;
}

static bool parse_one(struct graphite *g)
{
    char c = peek(g);
    bool is_name = false;

    if (c == '"' || c == '\'') {
        return parse_string(g, c);
    }
    if (!parse_word(g, &is_name)) {
        return false;
    }
    if (peek(g) != '(') {
        return true;
    }
    if (!is_name) {
        return fail(g, "expected the name of a function before '(': letters, digits and '_'");
    }
    return parse_arguments(g, g->at++);
}

static bool parse_expr(struct graphite *g)
{
    bool ok = ++g->depth <= DEPTH_MAX || fail(g, "the expression is nested too deep");

    ok = ok && parse_one(g);
    while (ok && take(g, '|')) {
        (void)peek(g);
        ok = parse_one(g);
    }
    g->depth--;
    return ok;
}

bool graphite_expr_check(struct str text, struct err *e)
{
    struct graphite g = {.text = text, .err = e};

    return parse_expr(&g) &&
           (peek(&g) == '\0' || fail(&g, "expected the end of the expression, or '|'"));
}
