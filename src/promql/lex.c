#include "promql/lex.h"

#include "base/attr.h"

#include <stdarg.h>
#include <stdio.h>

bool lex_fail(struct str source, size_t start, size_t len, struct err *e, const char *fmt, ...)
{
    char message[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    err_set(e, ERR_PARSE, "%s", message);
    err_point(e, source, start, len, (struct pos){1, 1});
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The rest of the text, from where the lexer is. */
static struct str rest(const struct lexer *lx)
{
    return str_make(lx->source.ptr + lx->at, lx->end - lx->at);
}

static void skip_blanks(struct lexer *lx)
{
    while (lx->at < lx->end) {
        char c = lx->source.ptr[lx->at];
        if (c == '#') {
            struct str s = rest(lx);
            lx->at += (uint32_t)str_find_byte(s, '\n');
        } else if (is_space(c)) {
            lx->at++;
        } else {
            return;
        }
    }
}

/* Longer signs stand before those that they begin with. */
static const struct {
    struct str text;
    enum token_kind kind;
    enum promql_op op;
} signs[] = {
    {STR_INIT("=~"), TOKEN_EQL_REGEX, 0},    {STR_INIT("!~"), TOKEN_NEQ_REGEX, 0},
    {STR_INIT("=="), TOKEN_OP, PROMQL_EQL},  {STR_INIT("!="), TOKEN_OP, PROMQL_NEQ},
    {STR_INIT(">="), TOKEN_OP, PROMQL_GTE},  {STR_INIT("<="), TOKEN_OP, PROMQL_LTE},
    {STR_INIT("="), TOKEN_ASSIGN, 0},        {STR_INIT(">"), TOKEN_OP, PROMQL_GTR},
    {STR_INIT("<"), TOKEN_OP, PROMQL_LSS},   {STR_INIT("+"), TOKEN_OP, PROMQL_ADD},
    {STR_INIT("-"), TOKEN_OP, PROMQL_SUB},   {STR_INIT("*"), TOKEN_OP, PROMQL_MUL},
    {STR_INIT("/"), TOKEN_OP, PROMQL_DIV},   {STR_INIT("%"), TOKEN_OP, PROMQL_MOD},
    {STR_INIT("^"), TOKEN_OP, PROMQL_POW},   {STR_INIT("@"), TOKEN_AT, 0},
    {STR_INIT(","), TOKEN_COMMA, 0},         {STR_INIT("("), TOKEN_LEFT_PAREN, 0},
    {STR_INIT(")"), TOKEN_RIGHT_PAREN, 0},   {STR_INIT("{"), TOKEN_LEFT_BRACE, 0},
    {STR_INIT("}"), TOKEN_RIGHT_BRACE, 0},   {STR_INIT("["), TOKEN_LEFT_BRACKET, 0},
    {STR_INIT("]"), TOKEN_RIGHT_BRACKET, 0},
};

/* What other languages have. */
static const struct {
    struct str text;
    const char *advice;
} foreign[] = {
    {STR_INIT("<>"), "write != for \"not equal\""},
    {STR_INIT("&&"), "write \"and\""},
    {STR_INIT("||"), "write \"or\""},
    {STR_INIT("**"), "write ^ for a power"},
    {STR_INIT("//"), "comments begin with #"},
    {STR_INIT("/*"), "comments begin with #"},
    {STR_INIT("!"), "write \"unless\", or != for \"not equal\""},
    {STR_INIT("&"), "write \"and\""},
    {STR_INIT("|"), "write \"or\""},
    {STR_INIT(";"), "one expression is all there can be"},
    {STR_INIT("$"), "variables of a dashboard have no meaning here"},
    {STR_INIT("\xE2\x80\x9C"), "write plain quotes"},
    {STR_INIT("\xE2\x80\x9D"), "write plain quotes"},
    {STR_INIT("\xE2\x80\x98"), "write plain quotes"},
    {STR_INIT("\xE2\x80\x99"), "write plain quotes"},
    {STR_INIT("\xC2\xA0"), "this is a no-break space; write a plain one"},
};

static const char *advice_on(struct str s, size_t *ret_len)
{
    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        if (str_starts(s, foreign[i].text)) {
            *ret_len = foreign[i].text.len;
            return foreign[i].advice;
        }
    }
    return NULL;
}

size_t character_length(struct str s)
{
    size_t len = str_utf8_length(s);

    return len > 0 ? len : 1;
}

static bool unknown_character(const struct lexer *lx, struct err *e)
{
    struct str s = rest(lx);
    size_t len = character_length(s);
    unsigned char byte = (unsigned char)s.ptr[0];
    const char *advice = advice_on(s, &len);

    if (advice != NULL) {
        return lex_fail(lx->source, lx->at, len, e, "unexpected \"%.*s\"; %s", (int)len, s.ptr,
                        advice);
    }
    if (byte < 0x20 || byte == 0x7F || (byte >= 0x80 && len == 1)) {
        return lex_fail(lx->source, lx->at, 1, e, "unexpected byte 0x%02X", byte);
    }
    return lex_fail(lx->source, lx->at, len, e, "unexpected character \"%.*s\"", (int)len, s.ptr);
}

static bool take(struct lexer *lx, enum token_kind kind, size_t len, struct token *ret_token)
{
    *ret_token = (struct token){.kind = kind, .start = lx->at, .text = {rest(lx).ptr, len}};
    lx->at += (uint32_t)len;
    return true;
}

static bool lex_sign(struct lexer *lx, struct token *ret_token, struct err *e)
{
    struct str s = rest(lx);
    size_t len = 0;

    if (lx->in_brackets && s.ptr[0] == ':') {
        return take(lx, TOKEN_COLON, 1, ret_token);
    }
    if (advice_on(s, &len) != NULL && s.ptr[0] != '!') {
        return unknown_character(lx, e);
    }
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (str_starts(s, signs[i].text)) {
            (void)take(lx, signs[i].kind, signs[i].text.len, ret_token);
            ret_token->op = signs[i].op;
            return true;
        }
    }
    return unknown_character(lx, e);
}

/*
 * Bytes of the character at the front of <s> if it may be in a MetricsQL word, but not in a PromQL
 * word; else 0.
 */
static size_t metricsql_letter(struct str s)
{
    size_t len = str_utf8_length(s);
    size_t ignored;

    if (s.ptr[0] == '\\') {
        size_t escaped = s.len > 1 ? str_utf8_length(str_slice(s, 1, s.len)) : 0;
        return escaped > 0 ? 1 + escaped : 0;
    }
    if (s.ptr[0] == '.') {
        return 1;
    }
    return len > 1 && advice_on(s, &ignored) == NULL ? len : 0;
}

/* Length of the word at the front of <s>; 0 when there is none. */
static size_t word_length(const struct lexer *lx, struct str s)
{
    size_t i = 0;

    while (i < s.len) {
        char c = s.ptr[i];
        bool colon = c == ':' && !lx->in_brackets;
        size_t len = is_letter(c) || colon || (i > 0 && is_digit(c)) ? 1 : 0;
        if (len == 0 && lx->dialect == PROMQL_METRICSQL && (i > 0 || c != '.')) {
            len = metricsql_letter(str_slice(s, i, s.len));
        }
        if (len == 0) {
            break;
        }
        i += len;
    }
    return i;
}

static bool lex_string(struct lexer *lx, struct token *ret_token, struct err *e)
{
    struct str s = rest(lx);
    char quote = s.ptr[0];

    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] == quote) {
            return take(lx, TOKEN_STRING, i + 1, ret_token);
        }
        if (quote != '`' && s.ptr[i] == '\n') {
            break;
        }
        if (quote != '`' && s.ptr[i] == '\\') {
            i++;
        }
    }
    return lex_fail(lx->source, lx->at, 1, e, "the string that begins here has no closing %c",
                    quote);
}

/* The run of letters, digits and dots that a number which is none begins. */
static size_t bad_number_length(struct str s)
{
    size_t i = 0;

    while (i < s.len && (is_letter(s.ptr[i]) || is_digit(s.ptr[i]) || s.ptr[i] == '.')) {
        i++;
    }
    return i > 0 ? i : 1;
}

static bool bad_number(const struct lexer *lx, struct err *e)
{
    struct str s = rest(lx);
    size_t len = bad_number_length(s);
    enum token_kind kind;
    int shown = (int)(len < 40 ? len : 40);

    if (lx->dialect == PROMQL_PROMETHEUS && scan_number(s, PROMQL_METRICSQL, &kind) == len) {
        return lex_fail(
            lx->source, lx->at, len, e,
            "\"%.*s\" is a number in MetricsQL but not in PromQL, which has no suffixes and "
            "no fractions of units",
            shown, s.ptr);
    }
    return lex_fail(
        lx->source, lx->at, len, e,
        "\"%.*s\" is neither a number nor a duration; units are ms, s, m, h, d, w and y", shown,
        s.ptr);
}

static bool lex_number(struct lexer *lx, struct token *ret_token, struct err *e)
{
    enum token_kind kind = TOKEN_NUMBER;
    size_t len = scan_number(rest(lx), lx->dialect, &kind);

    return len > 0 ? take(lx, kind, len, ret_token) : bad_number(lx, e);
}

bool lex_next(struct lexer *lx, struct token *ret_token, struct err *e)
{
    skip_blanks(lx);
    struct str s = rest(lx);
    if (s.len == 0) {
        return take(lx, TOKEN_END, 0, ret_token);
    }
    if (is_digit(s.ptr[0]) || (s.ptr[0] == '.' && s.len > 1 && is_digit(s.ptr[1]))) {
        return lex_number(lx, ret_token, e);
    }
    if (s.ptr[0] == '"' || s.ptr[0] == '\'' || s.ptr[0] == '`') {
        return lex_string(lx, ret_token, e);
    }
    size_t word = word_length(lx, s);
    return word > 0 ? take(lx, TOKEN_WORD, word, ret_token) : lex_sign(lx, ret_token, e);
}

bool is_plain_label(struct str name)
{
    if (name.len == 0 || !is_letter(name.ptr[0])) {
        return false;
    }
    for (size_t i = 1; i < name.len; i++) {
        if (!is_letter(name.ptr[i]) && !is_digit(name.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool is_plain_metric(struct str name)
{
    if (name.len == 0 || is_digit(name.ptr[0])) {
        return false;
    }
    for (size_t i = 0; i < name.len; i++) {
        if (!is_letter(name.ptr[i]) && !is_digit(name.ptr[i]) && name.ptr[i] != ':') {
            return false;
        }
    }
    return true;
}
