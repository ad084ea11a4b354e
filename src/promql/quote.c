/*
 * What quotes and backslashes mean: Go's escapes in strings, MetricsQL's in words.
 */
#include "promql/lex.h"

#include "base/attr.h"

static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned)(c - '0');
    }
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'f' ? (unsigned)(l - 'a') + 10 : 16;
}

/* Writes the UTF-8 of <rune> to <out> (4 bytes of room); gives the length. */
static size_t put_rune(uint32_t rune, char *out)
{
    if (rune < 0x80) {
        out[0] = (char)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (char)(0xC0 | (rune >> 6));
        out[1] = (char)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (char)(0xE0 | (rune >> 12));
        out[1] = (char)(0x80 | ((rune >> 6) & 0x3F));
        out[2] = (char)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | (rune >> 18));
    out[1] = (char)(0x80 | ((rune >> 12) & 0x3F));
    out[2] = (char)(0x80 | ((rune >> 6) & 0x3F));
    out[3] = (char)(0x80 | (rune & 0x3F));
    return 4;
}

static const char simple_escapes[][2] = {
    {'a', '\a'}, {'b', '\b'}, {'f', '\f'}, {'n', '\n'},
    {'r', '\r'}, {'t', '\t'}, {'v', '\v'}, {'\\', '\\'},
};

/* Escapes with digits: how many, in which base, and whether they are a character or a byte. */
static const struct {
    char letter;
    unsigned digits;
    unsigned base;
    bool is_rune;
} numeric_escapes[] = {{'x', 2, 16, false}, {'u', 4, 16, true}, {'U', 8, 16, true}};

struct escape {
    size_t len; /* with the backslash; how far it is right when it is wrong */
    size_t out_len;
    char out[4];
};

static bool digits_escape(struct str s, size_t from, unsigned digits, unsigned base, bool is_rune,
                          struct escape *ret)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = from + i < s.len ? hex_value(s.ptr[from + i]) : 16;
        if (digit >= base) {
            ret->len = from + i;
            return false;
        }
        value = value * base + digit;
    }
    ret->len = from + digits;
    if (is_rune) {
        ret->out_len = put_rune(value & 0x1FFFFF, ret->out);
        return value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
    }
    ret->out[0] = (char)value;
    ret->out_len = 1;
    return value <= 0xFF;
}

/* The escape at the front of <s>, in a string within <quote>. */
static bool read_escape(struct str s, char quote, struct escape *ret)
{
    char c = s.len > 1 ? s.ptr[1] : '\0';

    *ret = (struct escape){.len = 2, .out_len = 1, .out = {c}};
    if (c == quote) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(simple_escapes); i++) {
        if (simple_escapes[i][0] == c) {
            ret->out[0] = simple_escapes[i][1];
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(numeric_escapes); i++) {
        if (numeric_escapes[i].letter == c) {
            return digits_escape(s, 2, numeric_escapes[i].digits, numeric_escapes[i].base,
                                 numeric_escapes[i].is_rune, ret);
        }
    }
    return c >= '0' && c <= '7' && digits_escape(s, 1, 3, 8, false, ret);
}

static bool bad_escape(struct str source, size_t start, struct str s, struct escape *escape,
                       struct err *e)
{
    size_t len = escape->len < s.len ? escape->len : s.len;

    if (len < 2) {
        len = s.len < 2 ? s.len : 2;
    }
    return lex_fail(source, start, len, e,
                    "\"%.*s\" is not an escape; a backslash itself is written \\\\, in a regular "
                    "expression too, or use `raw quotes`",
                    (int)len, s.ptr);
}

/* Where <s> stops being UTF-8; s.len when it never does. */
static size_t find_bad_utf8(struct str s)
{
    size_t i = 0;

    if (str_is_utf8(s)) {
        return s.len;
    }
    while (i < s.len) {
        size_t len = character_length(str_slice(s, i, s.len));
        if (len == 1 && (s.ptr[i] & 0x80) != 0) {
            break;
        }
        i += len;
    }
    return i;
}

bool read_string(struct arena *a, struct str source, const struct token *token,
                 struct str *ret_text, struct err *e)
{
    struct str inner = str_slice(token->text, 1, token->text.len - 2);
    size_t start = token->start + 1;
    char quote = token->text.ptr[0];
    size_t bad = find_bad_utf8(inner);

    if (bad < inner.len) {
        return lex_fail(source, start + bad, 1, e,
                        "byte 0x%02X is not UTF-8; write it as an escape",
                        (unsigned char)inner.ptr[bad]);
    }
    if (quote == '`' || str_find_byte(inner, '\\') == inner.len) {
        *ret_text = inner;
        return true;
    }
    char *text = arena_alloc_aligned(a, inner.len, 1);
    size_t len = 0;
    for (size_t i = 0; i < inner.len;) {
        struct escape escape = {.len = 1, .out_len = 1, .out = {inner.ptr[i]}};
        struct str here = str_slice(inner, i, inner.len);
        if (here.ptr[0] == '\\' && !read_escape(here, quote, &escape)) {
            return bad_escape(source, start + i, here, &escape, e);
        }
        memcpy(text + len, escape.out, escape.out_len);
        len += escape.out_len;
        i += escape.len;
    }
    *ret_text = str_make(text, len);
    return true;
}

struct str read_word(struct arena *a, struct str word)
{
    if (str_find_byte(word, '\\') == word.len) {
        return word;
    }
    char *text = arena_alloc_aligned(a, word.len, 1);
    size_t len = 0;
    for (size_t i = 0; i < word.len;) {
        struct escape escape = {.len = 1, .out_len = 1, .out = {word.ptr[i]}};
        struct str here = str_slice(word, i, word.len);
        bool named = here.len > 1 && (here.ptr[1] == 'x' || here.ptr[1] == 'u');
        if (here.ptr[0] == '\\') {
            unsigned digits = here.len > 1 && here.ptr[1] == 'u' ? 4 : 2;
            if (!named || !digits_escape(here, 2, digits, 16, true, &escape)) {
                escape = (struct escape){.len = 2, .out_len = 1, .out = {here.ptr[1]}};
            }
        }
        memcpy(text + len, escape.out, escape.out_len);
        len += escape.out_len;
        i += escape.len;
    }
    return str_make(text, len);
}
