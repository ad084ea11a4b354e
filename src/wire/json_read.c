/*
 * The reader keeps no stack of its own: the caller's calls are the stack, and <fresh> says whether a
 * comma is due. Only json_skip() walks alone; it remembers the brackets it went through as bits.
 *
 * Invariants
 *   1. start <= at <= end.
 *   2. After an error failed is set and at is end, so that every later call finds nothing.
 *   3. fresh is set exactly between an opening bracket and the next call that takes something.
 */
#include "wire/json.h"

#include "base/number.h"
#include "wire/json_int.h"
#include "wire/scan.h"

#include <stdarg.h>
#include <stdio.h>

void json_read_init(struct json_reader *r, struct str text, struct arena *a, struct err *e)
{
    const char *start = text.len > 0 ? text.ptr : "";

    *r = (struct json_reader){
        .start = start, .at = start, .end = start + text.len, .arena = a, .err = e};
}

/* What stands at <p>, for an error: "'x'", "byte 0x01" or "the end". */
static const char *found_text(const char *p, const char *end, char *out, size_t size)
{
    if (p >= end) {
        return "the end";
    }
    unsigned char c = (unsigned char)*p;
    (void)snprintf(out, size, c >= 0x20 && c < 0x7F ? "'%c'" : "byte 0x%02x", c);
    return out;
}

void json_stop(struct json_reader *r)
{
    r->failed = true;
    r->at = r->end;
}

static bool fail_at(struct json_reader *r, const char *p, const char *expected)
{
    char found[16];

    if (!r->failed) {
        json_err_at(str_make(r->start, (size_t)(r->end - r->start)), (size_t)(p - r->start), r->err,
                    ERR_PARSE, "expected %s, found %s", expected,
                    found_text(p, r->end, found, sizeof(found)));
        json_stop(r);
    }
    return false;
}

bool json_fail(struct json_reader *r, enum err_code code, const char *fmt, ...)
{
    char message[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (!r->failed) {
        json_err_at(str_make(r->start, (size_t)(r->end - r->start)), (size_t)(r->at - r->start),
                    r->err, code, "%s", message);
        json_stop(r);
    }
    return false;
}

static inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static inline void skip_space(struct json_reader *r)
{
    while (r->at < r->end && is_space(*r->at)) {
        r->at++;
    }
}

/* The next byte that is not white space; 0 at the end (or for a byte 0, which nothing expects). */
static inline char next_byte(struct json_reader *r)
{
    if (unlikely(r->at < r->end && is_space(*r->at))) {
        skip_space(r);
    }
    return likely(r->at < r->end) ? *r->at : '\0';
}

enum json_kind json_peek(struct json_reader *r)
{
    static const unsigned char kinds[128] = {
        ['{'] = JSON_OBJECT, ['['] = JSON_ARRAY,  ['"'] = JSON_STRING, ['-'] = JSON_NUMBER,
        ['0'] = JSON_NUMBER, ['1'] = JSON_NUMBER, ['2'] = JSON_NUMBER, ['3'] = JSON_NUMBER,
        ['4'] = JSON_NUMBER, ['5'] = JSON_NUMBER, ['6'] = JSON_NUMBER, ['7'] = JSON_NUMBER,
        ['8'] = JSON_NUMBER, ['9'] = JSON_NUMBER, ['t'] = JSON_TRUE,   ['f'] = JSON_FALSE,
        ['n'] = JSON_NULL,
    };
    unsigned char c = (unsigned char)next_byte(r);

    return c < sizeof(kinds) ? (enum json_kind)kinds[c] : JSON_NONE;
}

static bool open_with(struct json_reader *r, char bracket, const char *expected)
{
    if (next_byte(r) != bracket) {
        return fail_at(r, r->at, expected);
    }
    if (r->depth >= JSON_DEPTH_MAX) {
        return json_fail(r, ERR_LIMIT, "more than %d levels", JSON_DEPTH_MAX);
    }
    r->at++;
    r->depth++;
    r->fresh = true;
    return true;
}

bool json_open_object(struct json_reader *r)
{
    return open_with(r, '{', "an object");
}

bool json_open_array(struct json_reader *r)
{
    return open_with(r, '[', "an array");
}

static bool close_with(struct json_reader *r)
{
    r->at++;
    r->depth--;
    r->fresh = false;
    return false;
}

/* Takes the comma that is due before the next item; false at <bracket>, which is taken, or an error. */
static inline bool another(struct json_reader *r, char bracket, const char *expected)
{
    char c = next_byte(r);

    if (c == bracket) {
        return close_with(r);
    }
    if (r->fresh) {
        r->fresh = false;
        return c != '\0' || fail_at(r, r->at, bracket == '}' ? "a key or '}'" : "a value or ']'");
    }
    if (c != ',') {
        return fail_at(r, r->at, expected);
    }
    r->at++;
    return true;
}

/* The text between the quotes, undecoded. */
static inline bool take_quoted(struct json_reader *r, struct str *ret_raw, bool *ret_escaped)
{
    const char *from = r->at + 1;
    const char *p = from;

    *ret_escaped = false;
    while ((p = scan_special(p, r->end)) < r->end && *p == '\\') {
        *ret_escaped = true;
        p = r->end - p > 2 ? p + 2 : r->end;
    }
    if (p >= r->end) {
        return fail_at(r, r->end, "a quote that ends the string");
    }
    if (*p != '"') {
        return fail_at(r, p, "no control character in a string");
    }
    *ret_raw = str_make(from, (size_t)(p - from));
    r->at = p + 1;
    return true;
}

static bool take_decoded(struct json_reader *r, struct str *ret_value)
{
    struct str raw;
    bool escaped;
    size_t bad = 0;

    if (!take_quoted(r, &raw, &escaped)) {
        return false;
    }
    if (likely(!escaped)) {
        *ret_value = raw;
        return true;
    }
    if (!json_unescape(raw, r->arena, ret_value, &bad)) {
        return fail_at(r, raw.ptr + bad, "an escape like \\n or \\u00e9");
    }
    return true;
}

bool json_next_key(struct json_reader *r, struct str *ret_key)
{
    if (!another(r, '}', "',' or '}'")) {
        return false;
    }
    if (next_byte(r) != '"') {
        return fail_at(r, r->at, "a key in quotes");
    }
    if (!take_decoded(r, ret_key)) {
        return false;
    }
    if (next_byte(r) != ':') {
        return fail_at(r, r->at, "':'");
    }
    r->at++;
    return true;
}

bool json_next_item(struct json_reader *r)
{
    return another(r, ']', "',' or ']'");
}

bool json_take_str(struct json_reader *r, struct str *ret_value)
{
    if (next_byte(r) != '"') {
        return fail_at(r, r->at, "a string");
    }
    return take_decoded(r, ret_value);
}

static inline const char *digits(const char *p, const char *end)
{
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p;
}

/* Moves <*at> over a number; false when it is none, <*at> is then where it goes wrong. */
static bool pass_number(const char **at, const char *end)
{
    const char *p = *at + (*at < end && **at == '-');
    const char *from = p;
    p = p < end && *p == '0' ? p + 1 : digits(p, end);
    bool good = p > from;

    if (good && p < end && *p == '.') {
        from = ++p;
        p = digits(p, end);
        good = p > from;
    }
    if (good && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        from = p;
        p = digits(p, end);
        good = p > from;
    }
    *at = p;
    return good;
}

bool json_is_number(struct str text)
{
    const char *at = text.ptr;

    return text.len > 0 && pass_number(&at, text.ptr + text.len) && at == text.ptr + text.len;
}

static bool take_number_text(struct json_reader *r, struct str *ret_text)
{
    const char *p = r->at;

    if (!pass_number(&p, r->end)) {
        return fail_at(r, p, "a digit");
    }
    *ret_text = str_make(r->at, (size_t)(p - r->at));
    r->at = p;
    return true;
}

bool json_take_number(struct json_reader *r, struct str *ret_text)
{
    if (json_peek(r) != JSON_NUMBER) {
        return fail_at(r, r->at, "a number");
    }
    return take_number_text(r, ret_text);
}

bool json_take_double(struct json_reader *r, double *ret_value)
{
    struct str text;

    if (!json_take_number(r, &text)) {
        return false;
    }
    return number_parse(text, ret_value) || fail_at(r, text.ptr, "a number that a double can hold");
}

bool json_take_i64(struct json_reader *r, int64_t *ret_value)
{
    struct str text;

    if (!json_take_number(r, &text)) {
        return false;
    }
    return number_parse_i64(text, ret_value) || fail_at(r, text.ptr, "a whole number of 64 bits");
}

/* Takes the word true, false or null. */
static bool take_word(struct json_reader *r, struct str word)
{
    if ((size_t)(r->end - r->at) < word.len || memcmp(r->at, word.ptr, word.len) != 0) {
        return fail_at(r, r->at, "a value");
    }
    r->at += word.len;
    return true;
}

bool json_take_bool(struct json_reader *r, bool *ret_value)
{
    enum json_kind kind = json_peek(r);

    if (kind != JSON_TRUE && kind != JSON_FALSE) {
        return fail_at(r, r->at, "true or false");
    }
    if (!take_word(r, kind == JSON_TRUE ? STR("true") : STR("false"))) {
        return false;
    }
    *ret_value = kind == JSON_TRUE;
    return true;
}

static bool skip_string(struct json_reader *r)
{
    struct str raw;
    bool escaped;
    size_t bad = 0;

    if (!take_quoted(r, &raw, &escaped)) {
        return false;
    }
    if (escaped && !json_escapes_are_good(raw, &bad)) {
        return fail_at(r, raw.ptr + bad, "an escape like \\n or \\u00e9");
    }
    return true;
}

static bool skip_number(struct json_reader *r)
{
    struct str text;

    return take_number_text(r, &text);
}

static bool skip_true(struct json_reader *r)
{
    return take_word(r, STR("true"));
}

static bool skip_false(struct json_reader *r)
{
    return take_word(r, STR("false"));
}

static bool skip_null(struct json_reader *r)
{
    return take_word(r, STR("null"));
}

static bool skip_none(struct json_reader *r)
{
    return fail_at(r, r->at, "a value");
}

static bool (*const scalars[])(struct json_reader *r) = {
    [JSON_NONE] = skip_none,     [JSON_OBJECT] = json_open_object, [JSON_ARRAY] = json_open_array,
    [JSON_STRING] = skip_string, [JSON_NUMBER] = skip_number,      [JSON_TRUE] = skip_true,
    [JSON_FALSE] = skip_false,   [JSON_NULL] = skip_null,
};

/* Takes the comma and key that lead to the next value of the innermost container; false at its end. */
static inline bool skip_to_value(struct json_reader *r, bool in_object)
{
    struct str key;

    return in_object ? json_next_key(r, &key) : json_next_item(r);
}

bool json_skip(struct json_reader *r)
{
    uint64_t objects = 0; /* bit per level below base: it is an object */
    uint32_t base = r->depth;

    do {
        uint32_t depth = r->depth;
        enum json_kind kind = json_peek(r);
        if (!scalars[kind](r)) {
            return false;
        }
        if (r->depth > depth) {
            objects = objects << 1 | (kind == JSON_OBJECT);
        }
        while (r->depth > base && !skip_to_value(r, (objects & 1) != 0)) {
            if (r->failed) {
                return false;
            }
            objects >>= 1;
        }
    } while (r->depth > base);
    return true;
}

bool json_take_raw(struct json_reader *r, struct str *ret_json)
{
    (void)json_peek(r);
    const char *from = r->at;

    if (!json_skip(r)) {
        return false;
    }
    *ret_json = str_make(from, (size_t)(r->at - from));
    return true;
}

bool json_read_end(struct json_reader *r)
{
    if (r->failed) {
        return false;
    }
    skip_space(r);
    return r->at == r->end || fail_at(r, r->at, "nothing more");
}
