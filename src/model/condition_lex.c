#include "base/number.h"
#include "model/condition_int.h"

#include <stdarg.h>
#include <stdio.h>

bool condition_fail(struct str text, struct str part, struct err *e, const char *fmt, ...)
{
    char message[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    err_set(e, ERR_PARSE, "%s", message);
    err_point(e, text, (size_t)(part.ptr - text.ptr), part.len, (struct pos){1, 1});
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const struct {
    struct str word;
    enum token_kind kind;
} keywords[] = {
    {STR_INIT("or"), TOKEN_OR},         {STR_INIT("and"), TOKEN_AND},
    {STR_INIT("unless"), TOKEN_UNLESS}, {STR_INIT("not"), TOKEN_NOT},
    {STR_INIT("true"), TOKEN_TRUE},     {STR_INIT("false"), TOKEN_FALSE},
};

static enum token_kind word_kind(struct str word, double *ret_number)
{
    for (size_t i = 0; i < ARRAY_LEN(keywords); i++) {
        if (str_eq_nocase(word, keywords[i].word)) {
            return keywords[i].kind;
        }
    }
    bool is_number = str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("nan"));
    return is_number && number_parse(word, ret_number) ? TOKEN_NUMBER : TOKEN_NAME;
}

static bool lex_word(struct str rest, struct token *t)
{
    size_t len = 1;

    while (len < rest.len && (is_letter(rest.ptr[len]) || is_digit(rest.ptr[len]))) {
        len++;
    }
    t->source = str_slice(rest, 0, len);
    t->kind = word_kind(t->source, &t->number);
    return true;
}

static int digit_value(char c)
{
    if (is_digit(c)) {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* A whole number of at most 13 hexadecimal digits, which a double holds exactly. */
static bool parse_hex(struct str digits, double *ret_number)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        int digit = digit_value(digits.ptr[i]);
        if (digit > 15) {
            return false;
        }
        value = value << 4 | (uint64_t)digit;
    }
    *ret_number = (double)value;
    return digits.len > 0 && digits.len <= 13;
}

/* Digits, letters and points, and a sign behind an exponent; whether that is a number is seen then. */
static bool lex_number(struct str text, struct str rest, struct token *t, struct err *e)
{
    size_t len = 1;
    bool hex = rest.len > 2 && rest.ptr[0] == '0' && (rest.ptr[1] | 0x20) == 'x';

    for (; len < rest.len; len++) {
        char c = rest.ptr[len];
        bool sign = (c == '+' || c == '-') && !hex && (rest.ptr[len - 1] | 0x20) == 'e';
        if (!is_letter(c) && !is_digit(c) && c != '.' && !sign) {
            break;
        }
    }
    t->kind = TOKEN_NUMBER;
    t->source = str_slice(rest, 0, len);
    bool ok = hex ? parse_hex(str_slice(t->source, 2, len), &t->number)
                  : number_parse(t->source, &t->number);
    return ok || condition_fail(text, t->source, e, "\"%.*s\" is not a number", STR_FMT(t->source));
}

/* Appends <c> as UTF-8. */
static char *put_char(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
        *out++ = (char)(0x80 | (c & 0x3F));
    }
    return out;
}

/* Numeric escapes: letter, base, digits; bytes up to 0xFF or characters. */
static const struct number_escape {
    char letter;
    unsigned char base;
    unsigned char digits;
    bool is_char;
} number_escapes[] = {{'x', 16, 2, false}, {'u', 16, 4, true}, {'U', 16, 8, true},
                      {'0', 8, 3, false},  {'1', 8, 3, false}, {'2', 8, 3, false},
                      {'3', 8, 3, false}};

/* Decodes the numeric escape at <p> (behind the backslash); 0 when it is none, else its length. */
static size_t number_escape(const char *p, const char *end, char **out)
{
    const struct number_escape *form = NULL;
    uint32_t value = 0;

    for (size_t i = 0; i < ARRAY_LEN(number_escapes); i++) {
        form = *p == number_escapes[i].letter ? &number_escapes[i] : form;
    }
    size_t skip = form != NULL && form->base == 16 ? 1 : 0;
    if (form == NULL || (size_t)(end - p) < skip + form->digits) {
        return 0;
    }
    for (size_t i = skip; i < skip + form->digits; i++) {
        int digit = digit_value(p[i]);
        if (digit >= form->base) {
            return 0;
        }
        value = value * form->base + (uint32_t)digit;
    }
    if (form->is_char && (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))) {
        return 0;
    }
    if (form->is_char) {
        *out = put_char(*out, value);
    } else {
        *(*out)++ = (char)value;
    }
    return skip + form->digits;
}

/* Decodes the escape at <p> (behind the backslash); 0 when it is none, else its length. */
static size_t escape(const char *p, const char *end, char quote, char **out)
{
    static const char plain[128] = {
        ['a'] = '\a', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n',
        ['r'] = '\r', ['t'] = '\t', ['v'] = '\v', ['\\'] = '\\',
    };
    unsigned char c = (unsigned char)*p;
    char meaning = c < 128 ? plain[c] : '\0';

    meaning = *p == quote ? quote : meaning;
    if (meaning == '\0') {
        return number_escape(p, end, out);
    }
    *(*out)++ = meaning;
    return 1;
}

/* Decodes the text between quotes; an escape never grows. */
static bool decode_string(struct str text, struct str inner, char quote, struct arena *a,
                          struct token *t, struct err *e)
{
    char *out = arena_alloc_aligned(a, inner.len + 1, 1);
    const char *start = out;
    const char *end = inner.ptr + inner.len;

    for (const char *p = inner.ptr; p < end;) {
        if (*p != '\\' || quote == '`') {
            *out++ = *p++;
            continue;
        }
        size_t len = p + 1 < end ? escape(p + 1, end, quote, &out) : 0;
        if (len == 0) {
            return condition_fail(text, str_make(p, 1), e, "unknown escape in a string");
        }
        p += 1 + len;
    }
    t->text = str_make(start, (size_t)(out - start));
    return true;
}

static bool lex_string(struct str text, struct str rest, struct arena *a, struct token *t,
                       struct err *e)
{
    char quote = rest.ptr[0];
    size_t at = 1;

    while (at < rest.len && rest.ptr[at] != quote && (rest.ptr[at] != '\n' || quote == '`')) {
        at += rest.ptr[at] == '\\' && quote != '`' ? 2 : 1;
    }
    if (at >= rest.len || rest.ptr[at] != quote) {
        return condition_fail(text, str_slice(rest, 0, 1), e, "string without an end");
    }
    t->kind = TOKEN_STRING;
    t->source = str_slice(rest, 0, at + 1);
    return decode_string(text, str_slice(rest, 1, at - 1), quote, a, t, e);
}

/* Longer ones first. A hint instead of a kind: what people write who know another language. */
static const struct {
    struct str sign;
    enum token_kind kind;
    unsigned accepts;
    const char *hint;
} signs[] = {
    {STR_INIT("=="), TOKEN_COMPARE, CMP_EQUAL, NULL},
    {STR_INIT("!="), TOKEN_COMPARE, CMP_LESS | CMP_GREATER | CMP_UNORDERED, NULL},
    {STR_INIT("<="), TOKEN_COMPARE, CMP_LESS | CMP_EQUAL, NULL},
    {STR_INIT(">="), TOKEN_COMPARE, CMP_GREATER | CMP_EQUAL, NULL},
    {STR_INIT("=~"), TOKEN_MATCH, 1, NULL},
    {STR_INIT("!~"), TOKEN_MATCH, 0, NULL},
    {STR_INIT("&&"), TOKEN_END, 0, "write \"and\""},
    {STR_INIT("||"), TOKEN_END, 0, "write \"or\""},
    {STR_INIT("<"), TOKEN_COMPARE, CMP_LESS, NULL},
    {STR_INIT(">"), TOKEN_COMPARE, CMP_GREATER, NULL},
    {STR_INIT("("), TOKEN_OPEN, 0, NULL},
    {STR_INIT(")"), TOKEN_CLOSE, 0, NULL},
    {STR_INIT("["), TOKEN_SQUARE_OPEN, 0, NULL},
    {STR_INIT("]"), TOKEN_SQUARE_CLOSE, 0, NULL},
    {STR_INIT("."), TOKEN_DOT, 0, NULL},
    {STR_INIT("="), TOKEN_END, 0, "write \"==\""},
    {STR_INIT("!"), TOKEN_END, 0, "write \"not\""},
};

static bool lex_sign(struct str text, struct str rest, struct token *t, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
        if (str_starts(rest, signs[i].sign)) {
            t->source = str_slice(rest, 0, signs[i].sign.len);
            t->kind = signs[i].kind;
            t->accepts = signs[i].accepts;
            return signs[i].hint == NULL ||
                   condition_fail(text, t->source, e, "\"%.*s\" is not known here: %s",
                                  STR_FMT(t->source), signs[i].hint);
        }
    }
    size_t n = str_utf8_length(rest);
    return condition_fail(text, str_slice(rest, 0, n > 0 ? n : 1), e,
                          "character that means nothing here");
}

static bool starts_number(struct str rest)
{
    size_t at = rest.ptr[0] == '-' || rest.ptr[0] == '+' || rest.ptr[0] == '.' ? 1 : 0;

    at += at == 1 && rest.ptr[0] != '.' && rest.len > 1 && rest.ptr[1] == '.' ? 1 : 0;
    return at < rest.len && is_digit(rest.ptr[at]);
}

bool condition_lex(struct str text, size_t *at, struct arena *a, struct token *ret_token,
                   struct err *e)
{
    struct token t = {.kind = TOKEN_END};
    bool ok = true;

    while (*at < text.len && strchr(" \t\r\n", text.ptr[*at]) != NULL && text.ptr[*at] != '\0') {
        (*at)++;
    }
    struct str rest = str_slice(text, *at, text.len);
    if (rest.len == 0) {
        t.source = rest;
    } else if (is_letter(rest.ptr[0])) {
        ok = lex_word(rest, &t);
    } else if (starts_number(rest)) {
        ok = lex_number(text, rest, &t, e);
    } else if (strchr("\"'`", rest.ptr[0]) != NULL && rest.ptr[0] != '\0') {
        ok = lex_string(text, rest, a, &t, e);
    } else {
        ok = lex_sign(text, rest, &t, e);
    }
    *at += t.source.len;
    *ret_token = t;
    return ok;
}
