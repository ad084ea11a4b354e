/*
 * One function per part of a line, each leaving <at> behind what it took. A name ends at an unescaped
 * separator or a control; escapes are of comma, equals and space only, so a backslash before anything
 * else is itself.
 */
#include "wire/influx_line.h"

#include "base/number.h"
#include "base/vec.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct reader {
    struct str text;
    const char *at;
    const char *end;
    struct arena *arena;
    struct err *err;
    VEC(struct label) tags;
    VEC(struct influx_field) fields;
};

PRINTF_LIKE(3, 4) static bool fail(struct reader *r, const char *at, const char *fmt, ...)
{
    char message[256];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    err_set(r->err, ERR_PARSE, "%s", message);
    err_point(r->err, r->text, (size_t)(at - r->text.ptr), 1, (struct pos){1, 1});
    return false;
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || (unsigned char)c == 0x7F;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static char byte_at(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

/* A name or tag value without its escapes of <separators>. */
static struct str unescape(struct reader *r, struct str raw, const char *separators)
{
    if (str_find_byte(raw, '\\') == raw.len) {
        return raw;
    }
    char *text = arena_alloc_aligned(r->arena, raw.len, 1);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        if (raw.ptr[i] == '\\' && i + 1 < raw.len && is_one_of(raw.ptr[i + 1], separators)) {
            i++;
        }
        text[len++] = raw.ptr[i];
    }
    return str_make(text, len);
}

/* Takes a name up to an unescaped one of <separators>, a control or the end; it must not be empty. */
static bool take_name(struct reader *r, const char *separators, const char *what,
                      struct str *ret_name)
{
    const char *from = r->at;

    while (r->at < r->end && !is_one_of(*r->at, separators) && !is_control(*r->at)) {
        bool escape = *r->at == '\\' && r->end - r->at > 1 && is_one_of(r->at[1], separators);
        r->at += escape ? 2 : 1;
    }
    struct str raw = str_make(from, (size_t)(r->at - from));
    if (raw.len == 0) {
        return fail(r, from, "expected %s", what);
    }
    if (!str_is_utf8(raw)) {
        return fail(r, from, "%s is not UTF-8", what);
    }
    *ret_name = unescape(r, raw, separators);
    return true;
}

static bool take_byte(struct reader *r, char c, const char *what)
{
    if (byte_at(r) != c) {
        return fail(r, r->at, "expected %s", what);
    }
    r->at++;
    return true;
}

static bool take_tags(struct reader *r)
{
    while (byte_at(r) == ',') {
        struct label tag = {STR_NONE, STR_NONE};
        r->at++;
        if (!take_name(r, ",= ", "a tag key", &tag.name) ||
            !take_byte(r, '=', "'=' behind a tag key") ||
            !take_name(r, ",= ", "a tag value", &tag.value)) {
            return false;
        }
        if (r->tags.len >= INFLUX_PARTS_MAX) {
            return fail(r, r->at, "more than %d tags", INFLUX_PARTS_MAX);
        }
        vec_push(&r->tags, tag);
    }
    return true;
}

static bool take_string(struct reader *r, struct influx_field *f)
{
    const char *from = ++r->at;
    size_t len = 0;

    while (r->at < r->end && *r->at != '"') {
        r->at += *r->at == '\\' && r->end - r->at > 1 && is_one_of(r->at[1], "\"\\") ? 2 : 1;
    }
    if (r->at >= r->end) {
        return fail(r, from - 1, "a string without an end");
    }
    char *text = arena_alloc_aligned(r->arena, (size_t)(r->at - from) + 1, 1);
    for (const char *p = from; p < r->at; p++) {
        p += *p == '\\' && p + 1 < r->at && is_one_of(p[1], "\"\\");
        text[len++] = *p;
    }
    r->at++;
    f->type = INFLUX_STRING;
    f->text = str_make(text, len);
    return true;
}

static const struct {
    struct str word;
    bool truth;
} words[] = {
    {STR_INIT("t"), true},      {STR_INIT("T"), true},      {STR_INIT("true"), true},
    {STR_INIT("True"), true},   {STR_INIT("TRUE"), true},   {STR_INIT("f"), false},
    {STR_INIT("F"), false},     {STR_INIT("false"), false}, {STR_INIT("False"), false},
    {STR_INIT("FALSE"), false},
};

static bool take_word(struct str word, struct influx_field *f)
{
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(word, words[i].word)) {
            f->type = INFLUX_BOOL;
            f->truth = words[i].truth;
            return true;
        }
    }
    return false;
}

/* Digits, a point, an exponent: what number_parse() takes beyond that is not line protocol. */
static bool is_plain_number(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_one_of(s.ptr[i], "0123456789+-.eE") || (i == 0 && s.ptr[i] == '+')) {
            return false;
        }
    }
    return s.len > 0;
}

static bool take_number(struct str word, struct influx_field *f)
{
    struct str digits = str_slice(word, 0, word.len - 1);
    char last = word.ptr[word.len - 1];

    if (!is_plain_number(last == 'i' || last == 'u' ? digits : word)) {
        return false;
    }
    if (last == 'i') {
        f->type = INFLUX_INT;
        return number_parse_i64(digits, &f->whole);
    }
    if (last == 'u') {
        f->type = INFLUX_UINT;
        return number_parse_u64(digits, &f->natural);
    }
    f->type = INFLUX_FLOAT;
    return number_parse(word, &f->real) && isfinite(f->real);
}

static bool take_value(struct reader *r, struct influx_field *f)
{
    const char *from = r->at;

    if (byte_at(r) == '"') {
        return take_string(r, f);
    }
    while (r->at < r->end && *r->at != ',' && *r->at != ' ' && !is_control(*r->at)) {
        r->at++;
    }
    struct str word = str_make(from, (size_t)(r->at - from));
    if (word.len == 0 || (!take_word(word, f) && !take_number(word, f))) {
        return fail(r, from, "expected a field value, found \"%.*s\"",
                    STR_FMT(str_slice(word, 0, 60)));
    }
    return true;
}

static bool take_fields(struct reader *r)
{
    do {
        struct influx_field f = {.key = STR_NONE};
        r->at += byte_at(r) == ',';
        if (!take_name(r, ",= ", "a field key", &f.key) ||
            !take_byte(r, '=', "'=' behind a field key") || !take_value(r, &f)) {
            return false;
        }
        if (r->fields.len >= INFLUX_PARTS_MAX) {
            return fail(r, r->at, "more than %d fields", INFLUX_PARTS_MAX);
        }
        vec_push(&r->fields, f);
    } while (byte_at(r) == ',');
    return true;
}

static void skip_spaces(struct reader *r)
{
    while (byte_at(r) == ' ') {
        r->at++;
    }
}

static bool at_line_end(const struct reader *r)
{
    return r->at >= r->end || *r->at == '\n' ||
           (*r->at == '\r' && r->end - r->at > 1 && r->at[1] == '\n');
}

static bool take_time(struct reader *r, struct influx_point *point)
{
    const char *from = r->at;

    while (r->at < r->end && *r->at != ' ' && !is_control(*r->at)) {
        r->at++;
    }
    struct str word = str_make(from, (size_t)(r->at - from));
    if (word.len == 0 || word.ptr[0] == '+' || !number_parse_i64(word, &point->time_ns)) {
        return fail(r, from, "expected a time in ns, found \"%.*s\"",
                    STR_FMT(str_slice(word, 0, 60)));
    }
    point->has_time = true;
    return true;
}

static int tag_cmp(const void *a, const void *b)
{
    return str_cmp(((const struct label *)a)->name, ((const struct label *)b)->name);
}

static bool sort_tags(struct reader *r, const char *line)
{
    if (r->tags.len > 1) {
        qsort(r->tags.items, r->tags.len, sizeof(struct label), tag_cmp);
    }
    for (size_t i = 1; i < r->tags.len; i++) {
        if (str_eq(r->tags.items[i].name, r->tags.items[i - 1].name)) {
            return fail(r, line, "tag \"%.*s\" stands twice", STR_FMT(r->tags.items[i].name));
        }
    }
    return true;
}

static bool take_rest(struct reader *r, struct influx_point *point)
{
    if (!at_line_end(r) && byte_at(r) != ' ') {
        return fail(r, r->at, "expected ',' or a space behind a field");
    }
    skip_spaces(r);
    if (!at_line_end(r) && !take_time(r, point)) {
        return false;
    }
    skip_spaces(r);
    return at_line_end(r) || fail(r, r->at, "expected the end of the line");
}

static bool take_line(struct reader *r, const struct influx_points *points)
{
    const char *line = r->at;
    struct influx_point point = {.measurement = STR_NONE};

    vec_clear(&r->tags);
    vec_clear(&r->fields);
    if (!take_name(r, ", ", "a measurement", &point.measurement) || !take_tags(r)) {
        return false;
    }
    if (byte_at(r) != ' ') {
        return fail(r, r->at, "expected a space and fields");
    }
    skip_spaces(r);
    if (!take_fields(r) || !take_rest(r, &point) || !sort_tags(r, line)) {
        return false;
    }
    point.tags = r->tags.items;
    point.tag_count = r->tags.len;
    point.fields = r->fields.items;
    point.field_count = r->fields.len;
    return points->point(points->arg, &point, r->err);
}

/* Passes over white space and comments between lines; false when nothing is left. */
static bool next_line(struct reader *r)
{
    while (r->at < r->end) {
        if (*r->at == '#') {
            const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
            r->at = newline != NULL ? newline : r->end;
        } else if (is_one_of(*r->at, " \t\r\n")) {
            r->at++;
        } else {
            return true;
        }
    }
    return false;
}

bool influx_read(struct str text, struct arena *a, const struct influx_points *points,
                 struct err *e)
{
    const char *start = text.len > 0 ? text.ptr : "";
    struct reader r = {
        .text = {start, text.len}, .at = start, .end = start + text.len, .arena = a, .err = e};
    bool ok = true;

    while (ok && next_line(&r)) {
        ok = take_line(&r, points);
    }
    vec_release(&r.tags);
    vec_release(&r.fields);
    return ok;
}
