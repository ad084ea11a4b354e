/*
 * The source is text with actions between {{ and }}. A mark with "- " (space behind) or " -" trims
 * the white space of the text beside it; a comment is an action of its own.
 */
#include "template/template_int.h"

#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>

bool lexer_fail(struct lexer *lx, size_t offset, size_t len, const char *fmt, ...)
{
    char message[ERR_TEXT];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    (void)err_set(lx->err, ERR_PARSE, "%s", message);
    err_point(lx->err, lx->text, offset, len, (struct pos){1, 1});
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_word(char c)
{
    return is_word_start(c) || (c >= '0' && c <= '9');
}

static struct str rest_of(const struct lexer *lx, size_t from)
{
    return str_slice(lx->text, from, lx->text.len);
}

/* Where the string or character literal that begins at <at> ends; len when it does not. */
static size_t skip_quoted(struct str text, size_t at)
{
    char quote = text.ptr[at];

    for (size_t i = at + 1; i < text.len; i++) {
        if (text.ptr[i] == '\\' && quote != '`') {
            i++;
        } else if (text.ptr[i] == quote) {
            return i + 1;
        }
    }
    return text.len;
}

/* Finds the closing mark of the action whose inside begins at <at>. */
static bool find_action_end(struct lexer *lx, size_t open, size_t at)
{
    while (at < lx->text.len) {
        char c = lx->text.ptr[at];
        if (str_starts(rest_of(lx, at), STR("}}"))) {
            bool trims = at >= 2 && lx->text.ptr[at - 1] == '-' && is_space(lx->text.ptr[at - 2]);
            lx->action_end = trims ? at - 1 : at;
            lx->action_next = at + 2;
            while (trims && lx->action_next < lx->text.len &&
                   is_space(lx->text.ptr[lx->action_next])) {
                lx->action_next++;
            }
            return true;
        }
        at = c == '"' || c == '`' || c == '\'' ? skip_quoted(lx->text, at) : at + 1;
    }
    return lexer_fail(lx, open, 2, "this action has no closing '}}'");
}

/* Passes over a comment at <at>; *ret_next is where the text goes on, 0 when there is no comment.
 */
static bool skip_comment(struct lexer *lx, size_t open, size_t at, size_t *ret_next)
{
    if (!str_starts(rest_of(lx, at), STR("/*"))) {
        *ret_next = 0;
        return true;
    }
    size_t end = at + str_find(rest_of(lx, at), STR("*/"));
    if (end >= lx->text.len) {
        return lexer_fail(lx, open, 4, "this comment has no closing '*/'");
    }
    if (!find_action_end(lx, open, end + 2)) {
        return false;
    }
    struct str between = str_slice(lx->text, end + 2, lx->action_end - end - 2);
    if (str_trim(between).len != 0) {
        return lexer_fail(lx, end, 2,
                          "a comment must fill its action: expected '}}' right after '*/'");
    }
    *ret_next = lx->action_next;
    return true;
}

bool lexer_text(struct lexer *lx, struct str *ret_text, size_t *ret_offset, bool *ret_action)
{
    size_t start = lx->at;
    size_t open = start + str_find(rest_of(lx, start), STR("{{"));
    struct str text = str_slice(lx->text, start, open - start);
    size_t inside = open + 2;

    *ret_offset = start;
    *ret_action = open < lx->text.len;
    if (*ret_action) {
        bool trims = inside + 1 < lx->text.len && lx->text.ptr[inside] == '-' &&
                     is_space(lx->text.ptr[inside + 1]);
        inside += trims ? 2 : 0;
        while (trims && text.len > 0 && is_space(text.ptr[text.len - 1])) {
            text.len--;
        }
        size_t next = 0;
        if (!skip_comment(lx, open, inside, &next) ||
            (next == 0 && !find_action_end(lx, open, inside))) {
            return false;
        }
        lx->is_comment = next != 0;
    }
    *ret_text = text;
    lx->at = *ret_action ? inside : lx->text.len;
    return true;
}

/* The number that <digits> at *at make, hexadecimal or octal, behind what <rune> has already. */
static bool decode_digits(struct lexer *lx, struct str body, size_t *at, size_t digits,
                          bool is_octal, size_t offset, uint32_t *rune)
{
    static const char all[] = "0123456789abcdef";

    for (size_t i = 0; i < digits; i++) {
        char h = body.ptr[(*at)++];
        const char *hex = strchr(all, h >= 'A' && h <= 'F' ? h | 0x20 : h);
        if (hex == NULL || h == '\0' || (is_octal && h > '7')) {
            return lexer_fail(lx, offset + *at, 1, "expected a%s digit in this escape",
                              is_octal ? "n octal" : " hexadecimal");
        }
        *rune = *rune * (is_octal ? 8 : 16) + (uint32_t)(hex - all);
    }
    return true;
}

/* One escape of a quoted string: Go's set. */
static bool decode_escape(struct lexer *lx, struct str body, size_t *at, struct buf *out,
                          size_t offset)
{
    static const char plain[] = "abfnrtv\\\"'";
    static const char meaning[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *at < body.len ? body.ptr[(*at)++] : '\0';
    const char *hit = c != '\0' ? strchr(plain, c) : NULL;
    bool is_octal = c >= '0' && c <= '7';
    size_t digits = c == 'x' || is_octal ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t rune = is_octal ? (uint32_t)(c - '0') : 0;

    if (hit != NULL) {
        buf_add_byte(out, meaning[hit - plain]);
        return true;
    }
    if (digits == 0 || *at + digits > body.len) {
        return lexer_fail(lx, offset + *at - (c != '\0' ? 2 : 1), 2,
                          "unknown escape '\\%c' in a string", c != '\0' ? c : ' ');
    }
    if (!decode_digits(lx, body, at, digits, is_octal, offset, &rune)) {
        return false;
    }
    if (c == 'x' || is_octal) {
        buf_add_byte(out, (char)rune);
    } else {
        buf_add_rune(out, rune);
    }
    return true;
}

static bool decode_string(struct lexer *lx, struct str quoted, size_t offset, struct str *ret)
{
    AUTO(buf_release) struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct str body = str_slice(quoted, 1, quoted.len - 2);

    if (quoted.ptr[0] == '`') {
        *ret = body;
        return true;
    }
    for (size_t i = 0; i < body.len;) {
        char c = body.ptr[i++];
        if (c == '\n') {
            return lexer_fail(
                lx, offset, 1,
                "this string is not closed on its line; use `...` for text of several lines");
        }
        if (c != '\\') {
            buf_add_byte(&out, c);
        } else if (!decode_escape(lx, body, &i, &out, offset + 1)) {
            return false;
        }
    }
    *ret = arena_dup(lx->arena, buf_str(&out));
    return true;
}

static bool lex_quoted(struct lexer *lx, struct token *ret)
{
    size_t end = skip_quoted(str_slice(lx->text, 0, lx->action_end), lx->at);
    struct str quoted = str_slice(lx->text, lx->at, end - lx->at);

    if (quoted.len < 2 || quoted.ptr[quoted.len - 1] != quoted.ptr[0]) {
        return lexer_fail(lx, lx->at, 1, "this string is not closed before the action ends");
    }
    if (!decode_string(lx, quoted, lx->at, &ret->text)) {
        return false;
    }
    ret->kind = quoted.ptr[0] == '\'' ? TOKEN_CHAR : TOKEN_TEXT;
    if (ret->kind == TOKEN_CHAR) {
        if (ret->text.len == 0) {
            return lexer_fail(lx, lx->at, quoted.len, "an empty character constant");
        }
        uint32_t rune = (unsigned char)ret->text.ptr[0];
        (void)template_rune_at(ret->text, 0, &rune);
        ret->rune = rune;
    }
    ret->len = quoted.len;
    return true;
}

static size_t word_len(const struct lexer *lx, size_t from)
{
    size_t len = 0;

    while (from + len < lx->action_end && is_word(lx->text.ptr[from + len])) {
        len++;
    }
    return len;
}

/* .name, $name, . and $ */
static void lex_marked(struct lexer *lx, struct token *ret)
{
    bool is_dot = lx->text.ptr[lx->at] == '.';
    size_t len = word_len(lx, lx->at + 1);

    ret->kind = !is_dot ? TOKEN_VARIABLE : len > 0 ? TOKEN_FIELD : TOKEN_DOT;
    ret->text = str_slice(lx->text, lx->at + 1, len);
    ret->len = len + 1;
}

static void lex_number(struct lexer *lx, struct token *ret)
{
    size_t len = 1;

    while (lx->at + len < lx->action_end) {
        char c = lx->text.ptr[lx->at + len];
        char before = lx->text.ptr[lx->at + len - 1];
        bool sign = (c == '+' || c == '-') && (before == 'e' || before == 'E');
        if (!is_word(c) && c != '.' && !sign) {
            break;
        }
        len++;
    }
    ret->kind = TOKEN_NUMBER;
    ret->text = str_slice(lx->text, lx->at, len);
    ret->len = len;
}

static const struct {
    const char *text;
    enum token_kind kind;
} marks[] = {
    {":=", TOKEN_DECLARE}, {"=", TOKEN_ASSIGN}, {"|", TOKEN_PIPE},
    {"(", TOKEN_OPEN},     {")", TOKEN_CLOSE},  {",", TOKEN_COMMA},
};

static bool lex_mark(struct lexer *lx, struct token *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
        if (str_starts(str_slice(lx->text, lx->at, lx->action_end - lx->at),
                       str_of(marks[i].text))) {
            ret->kind = marks[i].kind;
            ret->len = strlen(marks[i].text);
            ret->text = str_slice(lx->text, lx->at, ret->len);
            return true;
        }
    }
    return lexer_fail(lx, lx->at, 1, "unexpected '%c' in an action", lx->text.ptr[lx->at]);
}

static bool lex_one(struct lexer *lx, struct token *ret)
{
    char c = lx->text.ptr[lx->at];
    char next = lx->at + 1 < lx->action_end ? lx->text.ptr[lx->at + 1] : '\0';
    bool digit_follows = next >= '0' && next <= '9';

    if (c == '"' || c == '`' || c == '\'') {
        return lex_quoted(lx, ret);
    }
    if ((c >= '0' && c <= '9') || ((c == '-' || c == '+' || c == '.') && digit_follows)) {
        lex_number(lx, ret);
        return true;
    }
    if (c == '.' || c == '$') {
        lex_marked(lx, ret);
        return true;
    }
    if (is_word_start(c)) {
        ret->kind = TOKEN_WORD;
        ret->len = word_len(lx, lx->at);
        ret->text = str_slice(lx->text, lx->at, ret->len);
        return true;
    }
    return lex_mark(lx, ret);
}

bool lexer_token(struct lexer *lx, struct token *ret)
{
    size_t before = lx->at;

    while (lx->at < lx->action_end && is_space(lx->text.ptr[lx->at])) {
        lx->at++;
    }
    *ret = (struct token){
        .kind = TOKEN_END, .offset = lx->at, .len = 2, .after_space = lx->at > before};
    if (lx->at >= lx->action_end) {
        return true;
    }
    if (!lex_one(lx, ret)) {
        return false;
    }
    lx->at += ret->len;
    return true;
}
