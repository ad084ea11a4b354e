#include "wire/json_flat.h"

#include "wire/scan.h"

#include <string.h>

struct reader {
    const char *at;
    const char *end;
    struct json_flat *flat;
};

static bool take_byte(struct reader *r, char byte)
{
    bool is = r->at < r->end && *r->at == byte;

    r->at += is;
    return is;
}

/* A text without escapes. */
static bool take_text(struct reader *r, struct str *ret)
{
    if (!take_byte(r, '"')) {
        return false;
    }
    const char *quote = scan_special_or_high(r->at, r->end);
    *ret = str_make(r->at, (size_t)(quote - r->at));
    r->at = quote;
    return take_byte(r, '"');
}

static bool take_word(struct reader *r, struct str word)
{
    bool is = (size_t)(r->end - r->at) >= word.len && memcmp(r->at, word.ptr, word.len) == 0;

    r->at += is ? word.len : 0;
    return is;
}

static bool take_number(struct reader *r, struct str *ret)
{
    const char *start = r->at;

    while (r->at < r->end && *r->at != ',' && *r->at != '}') {
        r->at++;
    }
    *ret = str_make(start, (size_t)(r->at - start));
    return json_is_number(*ret);
}

static bool take_value(struct reader *r, struct json_member *m)
{
    static const struct {
        struct str word;
        enum json_kind kind;
    } words[] = {{STR_INIT("true"), JSON_TRUE},
                 {STR_INIT("false"), JSON_FALSE},
                 {STR_INIT("null"), JSON_NULL}};

    if (r->at < r->end && *r->at == '"') {
        m->kind = JSON_STRING;
        return take_text(r, &m->text);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (take_word(r, words[i].word)) {
            m->kind = words[i].kind;
            m->text = STR_NONE;
            return true;
        }
    }
    m->kind = JSON_NUMBER;
    return take_number(r, &m->text);
}

/* The next member, which is an object where <*ret_object>; its key then is <m->key>. */
static bool take_member(struct reader *r, struct str outer, bool *ret_object)
{
    if (r->flat->count == JSON_FLAT_MAX) {
        return false;
    }
    struct json_member *m = &r->flat->members[r->flat->count];
    m->outer = outer;
    if (!take_text(r, &m->key) || !take_byte(r, ':')) {
        return false;
    }
    *ret_object = take_byte(r, '{');
    if (*ret_object) {
        return true;
    }
    r->flat->count++;
    return take_value(r, m);
}

static bool take_inner(struct reader *r, struct str outer)
{
    bool is_object = false;

    if (outer.len == 0) {
        return false;
    }
    if (take_byte(r, '}')) {
        return true;
    }
    do {
        if (!take_member(r, outer, &is_object) || is_object) {
            return false;
        }
    } while (take_byte(r, ','));
    return take_byte(r, '}');
}

bool json_flat_read(struct str line, struct json_flat *ret)
{
    struct reader r = {line.ptr, line.ptr + line.len, ret};
    bool is_object = false;

    ret->count = 0;
    if (!take_byte(&r, '{')) {
        return false;
    }
    do {
        if (!take_member(&r, STR(""), &is_object)) {
            return false;
        }
        if (is_object && !take_inner(&r, ret->members[ret->count].key)) {
            return false;
        }
    } while (take_byte(&r, ','));
    return take_byte(&r, '}') && r.at == r.end;
}
