/*
 * Escapes of JSON strings. Decoding never makes a text longer: the longest character, 4 bytes, comes
 * from two escapes of 6.
 */
#include "wire/json_int.h"

#include "base/attr.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The code unit of "\uXXXX" at <p>; false when there is none. */
static bool code_unit(const char *p, const char *end, uint32_t *ret_unit)
{
    uint32_t unit = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u') {
        return false;
    }
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) {
            return false;
        }
        unit = unit << 4 | (uint32_t)digit;
    }
    *ret_unit = unit;
    return true;
}

/* The character of one or two \u escapes at <*p>, which moves behind them. */
static bool take_unicode(const char **p, const char *end, uint32_t *ret_char)
{
    uint32_t high;
    uint32_t low;

    if (!code_unit(*p, end, &high)) {
        return false;
    }
    *p += 6;
    *ret_char = high >= 0xD800 && high <= 0xDFFF ? 0xFFFD : high;
    if (high >= 0xD800 && high <= 0xDBFF && code_unit(*p, end, &low) && low >= 0xDC00 &&
        low <= 0xDFFF) {
        *p += 6;
        *ret_char = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }
    return true;
}

static char *put_utf8(char *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (char)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (char)(0xC0 | c >> 6);
    } else if (c < 0x10000) {
        *out++ = (char)(0xE0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    } else {
        *out++ = (char)(0xF0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3F));
        *out++ = (char)(0x80 | (c >> 6 & 0x3F));
    }
    *out++ = (char)(0x80 | (c & 0x3F));
    return out;
}

/* Decodes the escape at <*p>, which moves behind it; NULL when it is none. */
static char *take_escape(const char **p, const char *end, char *out)
{
    static const char meanings[128] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };
    uint32_t c;
    unsigned char letter = end - *p >= 2 ? (unsigned char)(*p)[1] : 0;

    if (letter == 'u') {
        return take_unicode(p, end, &c) ? put_utf8(out, c) : NULL;
    }
    if (letter >= sizeof(meanings) || meanings[letter] == 0) {
        return NULL;
    }
    *p += 2;
    *out++ = meanings[letter];
    return out;
}

bool json_unescape(struct str raw, struct arena *a, struct str *ret_text, size_t *ret_bad)
{
    char *text = arena_alloc_aligned(a, raw.len + 1, 1);
    char *out = text;
    const char *p = raw.ptr;
    const char *end = raw.ptr + raw.len;

    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((slash != NULL ? slash : end) - p);
        memcpy(out, p, plain);
        out += plain;
        p += plain;
        char *next = slash != NULL ? take_escape(&p, end, out) : out;
        if (next == NULL) {
            *ret_bad = (size_t)(p - raw.ptr);
            return false;
        }
        out = next;
    }
    *ret_text = str_make(text, (size_t)(out - text));
    return true;
}

bool json_escapes_are_good(struct str raw, size_t *ret_bad)
{
    char scratch[4];
    const char *p = raw.ptr;
    const char *end = raw.ptr + raw.len;

    while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL) {
        if (take_escape(&p, end, scratch) == NULL) {
            *ret_bad = (size_t)(p - raw.ptr);
            return false;
        }
    }
    return true;
}
