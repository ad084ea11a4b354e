/* Escapes of RE2, read once for inside and outside of classes. */
#include "base/regex_int.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static struct regex_escape none(void)
{
    return (struct regex_escape){.kind = REGEX_ESCAPE_NONE};
}

static struct regex_escape one_char(uint32_t rune, size_t length)
{
    return (struct regex_escape){.kind = REGEX_ESCAPE_CHAR, .rune = rune, .length = length};
}

/* \x41 or \x{10FFFF} */
static struct regex_escape read_hex(struct str p, size_t at)
{
    bool braced = at + 2 < p.len && p.ptr[at + 2] == '{';
    size_t i = at + 2 + braced;
    size_t digits = 0;
    uint32_t rune = 0;

    while (i < p.len && hex_value(p.ptr[i]) >= 0 && (braced || digits < 2) && rune <= 0x10FFFF) {
        rune = rune * 16 + (uint32_t)hex_value(p.ptr[i]);
        digits++;
        i++;
    }
    bool closed = !braced || (i < p.len && p.ptr[i] == '}');
    bool is_surrogate = rune >= 0xD800 && rune <= 0xDFFF;
    if (!closed || digits == 0 || (!braced && digits < 2) || rune > 0x10FFFF || is_surrogate) {
        return none();
    }
    return one_char(rune, i + braced - at);
}

/* \0, \012, \123; a single digit other than 0 would be a reference. */
static struct regex_escape read_octal(struct str p, size_t at)
{
    size_t i = at + 1;
    uint32_t rune = 0;

    while (i < p.len && i < at + 4 && p.ptr[i] >= '0' && p.ptr[i] <= '7') {
        rune = rune * 8 + (uint32_t)(p.ptr[i] - '0');
        i++;
    }
    bool is_reference = p.ptr[at + 1] != '0' && i == at + 2;
    return is_reference || i == at + 1 ? none() : one_char(rune, i - at);
}

/* \pL, \p{Greek}, \p{^Greek}, \PL */
static struct regex_escape read_property(struct str p, size_t at)
{
    struct regex_escape e = {.kind = REGEX_ESCAPE_SET, .negated = p.ptr[at + 1] == 'P'};
    struct str rest = str_slice(p, at + 2, p.len);

    if (rest.len == 0) {
        return none();
    }
    if (rest.ptr[0] != '{') {
        e.property = str_slice(rest, 0, 1);
        e.length = 3;
    } else {
        size_t end = str_find_byte(rest, '}');
        bool caret = rest.len > 1 && rest.ptr[1] == '^';
        e.property = str_slice(rest, 1 + (size_t)caret, end - 1 - (size_t)caret);
        e.negated = e.negated != caret;
        e.length = 2 + end + 1;
        if (end == rest.len) {
            return none();
        }
    }
    for (size_t i = 0; i < e.property.len; i++) {
        char c = e.property.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_')) {
            return none();
        }
    }
    return e.property.len == 0 ? none() : e;
}

struct named_set {
    char letter;
    const char *set;
};

/* RE2's \s has no vertical tab, PCRE2's has. */
static const struct named_set named_sets[] = {
    {'d', "0-9"},
    {'D', "\\D"},
    {'w', "0-9A-Za-z_"},
    {'W', "\\W"},
    {'s', "\\t\\n\\f\\r\\x20"},
    {'S', "\\x00-\\x08\\x0b\\x0e-\\x1f\\x21-\\x{10ffff}"},
};

struct named_char {
    char letter;
    char value;
};

static const struct named_char named_chars[] = {
    {'a', '\a'}, {'f', '\f'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'v', '\v'},
};

static struct regex_escape read_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_LEN(named_sets); i++) {
        if (named_sets[i].letter == letter) {
            return (struct regex_escape){
                .kind = REGEX_ESCAPE_SET, .set = named_sets[i].set, .length = 2};
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(named_chars); i++) {
        if (named_chars[i].letter == letter) {
            return one_char((uint32_t)named_chars[i].value, 2);
        }
    }
    return none();
}

struct regex_escape regex_read_escape(struct str pattern, size_t at)
{
    if (at + 1 >= pattern.len) {
        return none();
    }
    char c = pattern.ptr[at + 1];
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c == 'x') {
        return read_hex(pattern, at);
    }
    if (c >= '0' && c <= '7') {
        return read_octal(pattern, at);
    }
    if (c == 'p' || c == 'P') {
        return read_property(pattern, at);
    }
    if (is_letter) {
        return read_letter(c);
    }
    bool is_other_ascii = (unsigned char)c < 0x80 && c != '8' && c != '9';
    return is_other_ascii ? one_char((unsigned char)c, 2) : none();
}

void regex_add_rune(struct buf *out, uint32_t rune)
{
    bool is_plain = (rune >= '0' && rune <= '9') || (rune >= 'A' && rune <= 'Z') ||
                    (rune >= 'a' && rune <= 'z') || rune == '_';

    if (is_plain) {
        buf_add_byte(out, (char)rune);
    } else {
        buf_addf(out, "\\x{%x}", rune);
    }
}

void regex_add_set(struct buf *out, const struct regex_escape *escape)
{
    if (escape->set != NULL) {
        buf_add_text(out, escape->set);
        return;
    }
    /* A name of more than two letters is a script; alone it would mean script extensions. */
    bool is_script = escape->property.len > 2 && !str_eq(escape->property, STR("Any"));
    buf_addf(out, "\\%c{%s%.*s}", escape->negated ? 'P' : 'p', is_script ? "sc:" : "",
             STR_FMT(escape->property));
}

size_t regex_rune_length(struct str pattern, size_t at)
{
    size_t n = 1;

    while (at + n < pattern.len && ((unsigned char)pattern.ptr[at + n] & 0xC0) == 0x80) {
        n++;
    }
    return n;
}
