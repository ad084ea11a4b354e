/*
 * A line is cut off first and then taken apart from left to right; <at> is behind what was taken. What
 * differs between the two forms is asked of <strict> where it differs.
 */
#include "base/number.h"
#include "base/vec.h"
#include "wire/prom_text.h"
#include "wire/prom_text_int.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { EXEMPLAR_CHARS_MAX = 128 };

struct label_list {
    VEC(struct label) v;
};

struct reader {
    struct str text;
    const char *at;
    const char *end; /* of the line */
    bool strict;     /* OpenMetrics */
    bool ended;      /* "# EOF" was read */
    struct arena *arena;
    struct err *err;
    const struct prom_lines *lines;
    struct om_check *check; /* NULL unless strict */
    struct label_list labels;
    struct label_list exemplar;
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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char byte_at(const struct reader *r)
{
    return r->at < r->end ? *r->at : '\0';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at)) {
        r->at++;
    }
}

/* Blanks where they mean nothing: 0.0.4 has them anywhere, OpenMetrics nowhere. */
static void skip_loose_blanks(struct reader *r)
{
    if (!r->strict) {
        skip_blanks(r);
    }
}

/* What stands between two parts: one space, or in 0.0.4 any blanks. */
static bool take_gap(struct reader *r, const char *what)
{
    if (!is_blank(byte_at(r)) || (r->strict && *r->at != ' ')) {
        return fail(r, r->at, "expected a space and %s", what);
    }
    r->at++;
    skip_loose_blanks(r);
    return true;
}

/* Up to a blank or the end of the line. */
static struct str take_word(struct reader *r)
{
    const char *from = r->at;

    while (r->at < r->end && !is_blank(*r->at)) {
        r->at++;
    }
    return str_make(from, (size_t)(r->at - from));
}

static bool is_name_byte(char c, bool first, bool colon)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c == ':' && colon) ||
           (c >= '0' && c <= '9' && !first);
}

static struct str take_name(struct reader *r, bool colon)
{
    const char *from = r->at;

    while (r->at < r->end && is_name_byte(*r->at, r->at == from, colon)) {
        r->at++;
    }
    return str_make(from, (size_t)(r->at - from));
}

/* What stands for itself behind a backslash; an unknown escape stays as it is written. */
static char escape_meaning(char c, bool quote)
{
    return c == 'n' ? '\n' : c == '\\' ? '\\' : c == '"' && quote ? '"' : '\0';
}

static struct str unescape(struct reader *r, struct str raw, bool quote)
{
    if (str_find_byte(raw, '\\') == raw.len) {
        return raw;
    }
    char *text = arena_alloc_aligned(r->arena, raw.len, 1);
    size_t len = 0;

    for (size_t i = 0; i < raw.len; i++) {
        char meaning =
            raw.ptr[i] == '\\' && i + 1 < raw.len ? escape_meaning(raw.ptr[i + 1], quote) : '\0';
        text[len++] = meaning != '\0' ? meaning : raw.ptr[i];
        i += meaning != '\0';
    }
    return str_make(text, len);
}

static bool take_quoted(struct reader *r, struct str *ret_text)
{
    const char *from = r->at + 1;
    const char *p = from;

    while (p < r->end && *p != '"') {
        p += *p == '\\' && r->end - p > 1 ? 2 : 1;
    }
    if (p >= r->end) {
        return fail(r, r->at, "expected a quote that ends the text");
    }
    struct str raw = str_make(from, (size_t)(p - from));
    if (!str_is_utf8(raw)) {
        return fail(r, r->at, "text that is not UTF-8");
    }
    *ret_text = unescape(r, raw, true);
    r->at = p + 1;
    return true;
}

/* A label, or for <name> a metric name in quotes. */
static bool take_pair(struct reader *r, struct str *name, struct label_list *labels)
{
    const char *from = r->at;
    struct label pair = {STR_NONE, STR_NONE};
    bool quoted = byte_at(r) == '"';

    if (!quoted) {
        pair.name = take_name(r, false);
    } else if (!take_quoted(r, &pair.name)) {
        return false;
    }
    if (pair.name.len == 0) {
        return fail(r, from, "expected a label name");
    }
    skip_loose_blanks(r);
    if (byte_at(r) != '=' && quoted && name != NULL && name->len == 0) {
        *name = pair.name;
        return true;
    }
    if (byte_at(r) != '=') {
        return fail(r, r->at, "expected '=' behind a label name");
    }
    r->at++;
    skip_loose_blanks(r);
    if (byte_at(r) != '"') {
        return fail(r, r->at, "expected a label value in quotes");
    }
    if (!take_quoted(r, &pair.value)) {
        return false;
    }
    if (labels->v.len >= PROM_TEXT_LABELS_MAX) {
        return fail(r, from, "more than %d labels", PROM_TEXT_LABELS_MAX);
    }
    vec_push(&labels->v, pair);
    return true;
}

static bool check_twice(struct reader *r, const char *from, const struct label_list *labels)
{
    for (size_t i = 1; i < labels->v.len; i++) {
        for (size_t k = 0; k < i; k++) {
            if (str_eq(labels->v.items[i].name, labels->v.items[k].name)) {
                return fail(r, from, "label \"%.*s\" stands twice",
                            STR_FMT(labels->v.items[i].name));
            }
        }
    }
    return true;
}

/* {a="b",...}, when there is a bracket. */
static bool take_labels(struct reader *r, struct str *name, struct label_list *labels)
{
    const char *from = r->at;

    vec_clear(&labels->v);
    if (byte_at(r) != '{') {
        return true;
    }
    r->at++;
    skip_loose_blanks(r);
    while (byte_at(r) != '}') {
        if (!take_pair(r, name, labels)) {
            return false;
        }
        skip_loose_blanks(r);
        if (byte_at(r) != ',') {
            break;
        }
        r->at++;
        skip_loose_blanks(r);
        if (r->strict && byte_at(r) == '}') {
            return fail(r, r->at, "expected a label behind ','");
        }
    }
    if (byte_at(r) != '}') {
        return fail(r, r->at, "expected ',' or '}'");
    }
    r->at++;
    return check_twice(r, from, labels);
}

static bool has_letter(struct str word, const char *letters)
{
    for (size_t i = 0; i < word.len; i++) {
        if (word.ptr[i] != '\0' && strchr(letters, word.ptr[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool take_value(struct reader *r, double *ret_value)
{
    const char *from = r->at;
    struct str word = take_word(r);

    if ((r->strict && has_letter(word, "xXpP")) || !number_parse(word, ret_value)) {
        return fail(r, from, "expected a value, found \"%.*s\"", STR_FMT(str_slice(word, 0, 60)));
    }
    return true;
}

/* Seconds as ns; what 64 bits do not hold becomes the nearest. */
static int64_t ns_of_seconds(double seconds)
{
    double ns = seconds * 1e9;

    if (ns >= 9.2233720368547758e18) {
        return INT64_MAX;
    }
    return ns <= -9.2233720368547758e18 ? INT64_MIN : llround(ns);
}

/* Whole ms in 0.0.4, seconds with a fraction in OpenMetrics. */
static bool take_time(struct reader *r, int64_t *ret_ns, double *ret_seconds)
{
    const char *from = r->at;
    struct str word = take_word(r);
    int64_t ms = 0;
    double seconds = 0;

    if (r->strict) {
        bool ok = !has_letter(word, "xXpP") && number_parse(word, &seconds) && isfinite(seconds);
        if (!ok) {
            return fail(r, from, "expected a time in seconds, found \"%.*s\"",
                        STR_FMT(str_slice(word, 0, 60)));
        }
        *ret_ns = ns_of_seconds(seconds);
        *ret_seconds = seconds;
        return true;
    }
    if (!number_parse_i64(word, &ms)) {
        return fail(r, from, "expected a time in ms, found \"%.*s\"",
                    STR_FMT(str_slice(word, 0, 60)));
    }
    *ret_seconds = (double)ms / 1000;
    *ret_ns = ms > INT64_MAX / 1000000   ? INT64_MAX
              : ms < INT64_MIN / 1000000 ? INT64_MIN
                                         : ms * 1000000;
    return true;
}

static size_t count_chars(struct str s)
{
    size_t count = 0;

    for (size_t i = 0; i < s.len; i++) {
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}

static bool check_exemplar_size(struct reader *r, const char *from)
{
    size_t chars = 0;

    for (size_t i = 0; i < r->exemplar.v.len; i++) {
        chars +=
            count_chars(r->exemplar.v.items[i].name) + count_chars(r->exemplar.v.items[i].value);
    }
    return chars <= EXEMPLAR_CHARS_MAX ||
           fail(r, from, "exemplar whose labels have more than %d characters", EXEMPLAR_CHARS_MAX);
}

/* # {labels} value [time] */
static bool take_exemplar(struct reader *r, struct prom_sample *s)
{
    const char *from = r->at++;
    struct prom_exemplar *x = &s->exemplar;
    double seconds;

    if (!take_gap(r, "the labels of an exemplar")) {
        return false;
    }
    if (byte_at(r) != '{') {
        return fail(r, r->at, "expected the labels of an exemplar");
    }
    if (!take_labels(r, NULL, &r->exemplar) || !check_exemplar_size(r, from) ||
        !take_gap(r, "the value of an exemplar") || !take_value(r, &x->value)) {
        return false;
    }
    s->has_exemplar = true;
    x->labels = r->exemplar.v.items;
    x->label_count = r->exemplar.v.len;
    if (r->at == r->end) {
        return true;
    }
    x->has_time = true;
    return take_gap(r, "the time of an exemplar") && take_time(r, &x->time_ns, &seconds);
}

/* What may stand behind the value: a time, an exemplar. */
static bool take_tail(struct reader *r, struct prom_sample *s)
{
    skip_loose_blanks(r);
    if (r->at == r->end) {
        return true;
    }
    if (r->strict && !take_gap(r, "a time or an exemplar")) {
        return false;
    }
    if (byte_at(r) != '#' || !r->strict) {
        s->has_time = true;
        if (!take_time(r, &s->time_ns, &s->time_seconds)) {
            return false;
        }
        skip_loose_blanks(r);
        if (r->at == r->end) {
            return true;
        }
        if (r->strict && !take_gap(r, "an exemplar")) {
            return false;
        }
    }
    if (!r->strict || byte_at(r) != '#') {
        return fail(r, r->at, "expected the end of the line");
    }
    return take_exemplar(r, s) &&
           (r->at == r->end || fail(r, r->at, "expected the end of the line"));
}

static bool complain(struct reader *r, const char *line, const char *wrong)
{
    return wrong == NULL || fail(r, line, "%s", wrong);
}

static bool take_sample(struct reader *r)
{
    const char *line = r->at;
    struct prom_sample s = {.name = take_name(r, true)};

    skip_loose_blanks(r);
    if (!take_labels(r, &s.name, &r->labels)) {
        return false;
    }
    if (s.name.len == 0) {
        return fail(r, line, "expected a metric name");
    }
    skip_loose_blanks(r);
    if (r->strict && !take_gap(r, "a value")) {
        return false;
    }
    if (!take_value(r, &s.value) || !take_tail(r, &s)) {
        return false;
    }
    s.labels = r->labels.v.items;
    s.label_count = r->labels.v.len;
    if (r->check != NULL && !complain(r, line, om_check_sample(r->check, &s))) {
        return false;
    }
    return r->lines->sample(r->lines->arg, &s, r->err);
}

static const struct {
    struct str word;
    enum prom_type type;
    bool plain; /* 0.0.4 has it too */
} types[] = {
    {STR_INIT("counter"), PROM_TYPE_COUNTER, true},
    {STR_INIT("gauge"), PROM_TYPE_GAUGE, true},
    {STR_INIT("histogram"), PROM_TYPE_HISTOGRAM, true},
    {STR_INIT("summary"), PROM_TYPE_SUMMARY, true},
    {STR_INIT("untyped"), PROM_TYPE_UNKNOWN, true},
    {STR_INIT("unknown"), PROM_TYPE_UNKNOWN, false},
    {STR_INIT("gaugehistogram"), PROM_TYPE_GAUGEHISTOGRAM, false},
    {STR_INIT("info"), PROM_TYPE_INFO, false},
    {STR_INIT("stateset"), PROM_TYPE_STATESET, false},
};

static bool read_type(struct reader *r, struct str word, enum prom_type *ret_type)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        bool known = r->strict ? !str_eq(word, STR("untyped")) : types[i].plain;
        if (known && str_eq(word, types[i].word)) {
            *ret_type = types[i].type;
            return true;
        }
    }
    return fail(r, word.ptr, "unknown metric type \"%.*s\"", STR_FMT(str_slice(word, 0, 60)));
}

/* The rest of the line behind "# HELP name " and the like. */
static struct str take_rest(struct reader *r)
{
    struct str rest = str_make(r->at, (size_t)(r->end - r->at));

    r->at = r->end;
    return r->strict ? rest : str_trim(rest);
}

static bool give_meta(struct reader *r, const char *line, const struct prom_meta *m)
{
    if (r->check != NULL && !complain(r, line, om_check_meta(r->check, m))) {
        return false;
    }
    return r->lines->meta == NULL || r->lines->meta(r->lines->arg, m, r->err);
}

static bool take_meta(struct reader *r, const char *line, enum prom_meta_kind kind)
{
    struct prom_meta m = {.kind = kind};

    if (!take_gap(r, "a metric name")) {
        return false;
    }
    if (byte_at(r) == '"') {
        if (!take_quoted(r, &m.name)) {
            return false;
        }
    } else {
        m.name = take_name(r, true);
    }
    if (m.name.len == 0) {
        return fail(r, r->at, "expected a metric name");
    }
    if ((r->strict || r->at < r->end) && !take_gap(r, "more about the metric")) {
        return false;
    }
    m.text = take_rest(r);
    if (!str_is_utf8(m.text)) {
        return fail(r, line, "text that is not UTF-8");
    }
    if (kind == PROM_META_TYPE && !read_type(r, m.text, &m.type)) {
        return false;
    }
    m.text = kind == PROM_META_HELP ? unescape(r, m.text, r->strict) : m.text;
    return give_meta(r, line, &m);
}

static const struct str meta_words[PROM_META_KINDS] = {
    [PROM_META_HELP] = STR_INIT("HELP"),
    [PROM_META_TYPE] = STR_INIT("TYPE"),
    [PROM_META_UNIT] = STR_INIT("UNIT"),
};

/* A line that begins with '#'. */
static bool take_comment(struct reader *r)
{
    const char *line = r->at++;

    if (r->strict && !take_gap(r, "HELP, TYPE, UNIT or EOF")) {
        return false;
    }
    skip_loose_blanks(r);
    struct str word = take_word(r);
    for (int i = 0; i < PROM_META_KINDS; i++) {
        bool known = r->strict || i != PROM_META_UNIT;
        if (known && str_eq(word, meta_words[i])) {
            return take_meta(r, line, (enum prom_meta_kind)i);
        }
    }
    if (!r->strict) {
        return true;
    }
    r->ended = str_eq(word, STR("EOF")) && r->at == r->end;
    return r->ended || fail(r, word.ptr, "expected HELP, TYPE, UNIT or EOF");
}

static bool take_line(struct reader *r)
{
    if (!r->strict) {
        while (r->end > r->at && r->end[-1] == '\r') {
            r->end--;
        }
        skip_blanks(r);
        if (r->at == r->end) {
            return true;
        }
    }
    return byte_at(r) == '#' ? take_comment(r) : take_sample(r);
}

static bool take_end(struct reader *r)
{
    if (!r->strict) {
        return true;
    }
    if (!r->ended) {
        return fail(r, r->text.ptr + r->text.len, "expected \"# EOF\" as the last line");
    }
    return complain(r, r->text.ptr + r->text.len, om_check_end(r->check));
}

static bool take_lines(struct reader *r)
{
    const char *text_end = r->text.ptr + r->text.len;

    for (const char *line = r->text.ptr; line < text_end;) {
        const char *newline = memchr(line, '\n', (size_t)(text_end - line));
        r->at = line;
        r->end = newline != NULL ? newline : text_end;
        if (r->ended) {
            return fail(r, line, "expected nothing behind \"# EOF\"");
        }
        if (r->strict && newline == NULL &&
            !str_starts(str_make(line, (size_t)(r->end - line)), STR("# EOF"))) {
            return fail(r, r->end, "expected a newline");
        }
        if (!take_line(r)) {
            return false;
        }
        line = newline != NULL ? newline + 1 : text_end;
    }
    return take_end(r);
}

bool prom_text_read(struct str text, enum prom_text_form form, struct arena *a,
                    const struct prom_lines *lines, struct err *e)
{
    struct reader r = {
        .text = {text.len > 0 ? text.ptr : "", text.len},
        .strict = form == PROM_TEXT_OPENMETRICS,
        .arena = a,
        .err = e,
        .lines = lines,
    };

    r.check = r.strict ? om_check_new(a) : NULL;
    bool ok = take_lines(&r);
    om_check_free(r.check);
    vec_release(&r.labels.v);
    vec_release(&r.exemplar.v);
    return ok;
}
