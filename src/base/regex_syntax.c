/*
 * RE2's syntax to PCRE2's. Every construct is read here and written anew, so what PCRE2 alone
 * understands never reaches it, and what both understand differently (\s, \v, \12, $, scripts) is
 * written in the way that means RE2's.
 *
 * Invariants:
 *  1. <depth> groups are open; group[depth - 1] is the innermost.
 *  2. <can_repeat> says that an item ends at out's end which a quantifier would apply to, and
 *     <product> is how often its innermost part is repeated at most.
 */
#include "base/regex_int.h"

#include <stdarg.h>

struct open_group {
    size_t at;
    uint32_t product; /* the greatest of its items */
};

struct translation {
    struct regex *r;
    struct str pattern;
    size_t at;
    struct buf *out;
    struct err *e;
    struct open_group group[REGEX_DEPTH_MAX + 1]; /* [0] is the pattern */
    size_t depth;
    uint32_t product;
    bool can_repeat;
    bool is_repeated;
};

bool regex_err(struct str pattern, size_t offset, size_t len, struct err *e, const char *fmt, ...)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    va_list args;

    va_start(args, fmt);
    buf_vaddf(&message, fmt, args);
    va_end(args);
    (void)err_set(e, ERR_PARSE, "%s", buf_text(&message));
    if (str_find_byte(pattern, '\n') == pattern.len) {
        err_point(e, pattern, offset, len, (struct pos){1, 1});
    }
    e->pos = (struct pos){1, (uint32_t)offset + 1};
    e->caret_len = (uint32_t)len;
    return false;
}

/* The character at offset <i> from here; 0 behind the end. */
static char peek(const struct translation *t, size_t i)
{
    return t->at + i < t->pattern.len ? t->pattern.ptr[t->at + i] : '\0';
}

static struct str rest_of(const struct translation *t)
{
    return str_slice(t->pattern, t->at, t->pattern.len);
}

/* An item has been written. */
static void item_done(struct translation *t, uint32_t product)
{
    struct open_group *group = &t->group[t->depth];

    t->can_repeat = true;
    t->is_repeated = false;
    t->product = product;
    group->product = product > group->product ? product : group->product;
}

static void nothing_to_repeat(struct translation *t)
{
    t->can_repeat = false;
    t->is_repeated = false;
}

/* Quantifiers */

struct repeat {
    uint32_t min;
    uint32_t max; /* UINT32_MAX: no end */
    size_t length;
};

/* A number of at most 9 digits; false when there is none. */
static bool read_count(struct str s, size_t *at, uint32_t *ret)
{
    size_t start = *at;
    uint32_t value = 0;

    while (*at < s.len && *at < start + 9 && s.ptr[*at] >= '0' && s.ptr[*at] <= '9') {
        value = value * 10 + (uint32_t)(s.ptr[*at] - '0');
        (*at)++;
    }
    *ret = value;
    return *at > start;
}

/* "{2}", "{2,}", "{2,5}"; anything else is text. */
static bool read_repeat(struct str s, struct repeat *ret)
{
    struct repeat r = {0};
    size_t at = 1;

    if (s.len == 0 || s.ptr[0] != '{' || !read_count(s, &at, &r.min)) {
        return false;
    }
    r.max = r.min;
    if (at < s.len && s.ptr[at] == ',') {
        at++;
        if (!read_count(s, &at, &r.max)) {
            r.max = UINT32_MAX;
        }
    }
    if (at >= s.len || s.ptr[at] != '}') {
        return false;
    }
    r.length = at + 1;
    *ret = r;
    return true;
}

static bool is_quantifier(struct str s)
{
    struct repeat ignored;

    return s.len > 0 && (strchr("*+?", s.ptr[0]) != NULL || read_repeat(s, &ignored));
}

/* The quantifier of <length> bytes at the front may stand here. */
static bool check_quantifier(const struct translation *t, size_t length)
{
    struct str text = str_slice(t->pattern, t->at, length);

    if (t->is_repeated) {
        return regex_err(t->pattern, t->at, length, t->e,
                         "'%.*s' follows another repetition: put what is repeated in (?:...)",
                         STR_FMT(text));
    }
    if (!t->can_repeat) {
        return regex_err(t->pattern, t->at, length, t->e,
                         "'%.*s' has nothing before it to repeat: write \\%c for the character",
                         STR_FMT(text), text.ptr[0]);
    }
    return true;
}

/* Writes the quantifier and a ? for the lazy form. */
static void write_quantifier(struct translation *t, size_t length)
{
    buf_add_str(t->out, str_slice(t->pattern, t->at, length));
    t->at += length;
    if (peek(t, 0) == '?') {
        buf_add_byte(t->out, '?');
        t->at++;
    }
    t->is_repeated = true;
}

static bool quantify(struct translation *t)
{
    if (!check_quantifier(t, 1)) {
        return false;
    }
    write_quantifier(t, 1);
    return true;
}

static bool literal(struct translation *t)
{
    size_t length = regex_rune_length(t->pattern, t->at);

    if (length == 1) {
        regex_add_rune(t->out, (unsigned char)peek(t, 0));
    } else {
        buf_add_str(t->out, str_slice(t->pattern, t->at, length));
    }
    t->at += length;
    item_done(t, 1);
    return true;
}

static bool brace(struct translation *t)
{
    struct repeat r;

    if (!read_repeat(rest_of(t), &r)) {
        return literal(t);
    }
    if (!check_quantifier(t, r.length)) {
        return false;
    }
    uint32_t most = r.max == UINT32_MAX ? r.min : r.max;
    uint64_t product = (uint64_t)(most > 0 ? most : 1) * t->product;
    if (r.min > r.max || r.min > REGEX_REPEAT_MAX || product > REGEX_REPEAT_MAX) {
        return regex_err(t->pattern, t->at, r.length, t->e,
                         "'%.*s' repeats too often or backwards: at most %d times, all together",
                         STR_FMT(str_slice(t->pattern, t->at, r.length)), REGEX_REPEAT_MAX);
    }
    write_quantifier(t, r.length);
    item_done(t, (uint32_t)product);
    t->is_repeated = true;
    return true;
}

/* Groups */

static bool push_group(struct translation *t, size_t at)
{
    if (t->depth == REGEX_DEPTH_MAX) {
        (void)regex_err(t->pattern, at, 1, t->e, "groups are nested more than %d deep",
                        REGEX_DEPTH_MAX);
        t->e->code = ERR_LIMIT;
        return false;
    }
    t->group[++t->depth] = (struct open_group){.at = at, .product = 1};
    nothing_to_repeat(t);
    return true;
}

static bool open_capture(struct translation *t, struct str name, size_t length)
{
    size_t at = t->at;

    if (t->r->groups == REGEX_GROUPS_MAX) {
        (void)regex_err(t->pattern, at, length, t->e,
                        "more than %d groups capture: write (?:...) where the text is not used",
                        REGEX_GROUPS_MAX);
        t->e->code = ERR_LIMIT;
        return false;
    }
    t->r->names[++t->r->groups] = name;
    buf_add_byte(t->out, '(');
    t->at += length;
    return push_group(t, at);
}

static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = (char)(s.ptr[i] | 0x20);
        if (!((c >= 'a' && c <= 'z') || (s.ptr[i] >= '0' && s.ptr[i] <= '9') || s.ptr[i] == '_')) {
            return false;
        }
    }
    return s.len > 0;
}

/* (?P<name>...) or (?<name>...); <prefix> bytes stand before the name. */
static bool open_named(struct translation *t, size_t prefix)
{
    struct str rest = str_slice(rest_of(t), prefix, t->pattern.len);
    size_t end = str_find_byte(rest, '>');
    struct str name = str_slice(rest, 0, end);

    if (end == rest.len || !is_word(name)) {
        return regex_err(t->pattern, t->at, prefix, t->e,
                         "a group's name is letters, digits and _ between < and >");
    }
    for (uint32_t i = 1; i <= t->r->groups; i++) {
        if (str_eq(t->r->names[i], name)) {
            return regex_err(t->pattern, t->at + prefix, name.len, t->e,
                             "two groups are named '%.*s'", STR_FMT(name));
        }
    }
    return open_capture(t, name, prefix + end + 1);
}

struct refused {
    const char *start;
    const char *name;
};

static const struct refused refused[] = {
    {"(?=", "lookahead"},         {"(?!", "lookahead"},         {"(?<=", "lookbehind"},
    {"(?<!", "lookbehind"},       {"(?>", "an atomic group"},   {"(?#", "a comment"},
    {"(?|", "a branch reset"},    {"(?P=", "a back reference"}, {"(?P>", "a call of a group"},
    {"(?&", "a call of a group"}, {"(?R", "recursion"},         {"(?0", "recursion"},
    {"(?(", "a condition"},
};

static bool err_refused(const struct translation *t)
{
    struct str rest = rest_of(t);

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        if (str_starts(rest, str_of(refused[i].start))) {
            return regex_err(t->pattern, t->at, strlen(refused[i].start), t->e,
                             "'%s' is %s, which RE2 does not have", refused[i].start,
                             refused[i].name);
        }
    }
    return regex_err(t->pattern, t->at, 2, t->e,
                     "expected (?:...), (?P<name>...) or flags of i, m, s, U like (?i) after '(?'");
}

/* Length of "(?flags:" or "(?flags)"; 0 when it is none. */
static size_t flags_length(const struct translation *t)
{
    size_t i = 2;
    bool minus = false;
    bool any = false;

    for (;; i++) {
        char c = peek(t, i);
        if (c == ':' || c == ')') {
            return minus && !any ? 0 : i + 1;
        }
        if (c == '-' && !minus) {
            minus = true;
            any = false;
        } else if (c != '\0' && strchr("imsU", c) != NULL) {
            any = true;
        } else {
            return 0;
        }
    }
}

static bool open_flags(struct translation *t)
{
    size_t length = flags_length(t);
    size_t at = t->at;

    if (length == 0) {
        return err_refused(t);
    }
    buf_add_str(t->out, str_slice(t->pattern, at, length));
    t->at += length;
    if (t->pattern.ptr[t->at - 1] == ':') {
        return push_group(t, at);
    }
    nothing_to_repeat(t);
    return true;
}

static bool open_group(struct translation *t)
{
    struct str rest = rest_of(t);

    if (peek(t, 1) != '?') {
        return open_capture(t, STR_NONE, 1);
    }
    if (str_starts(rest, STR("(?P<"))) {
        return open_named(t, 4);
    }
    if (peek(t, 2) == '<' && peek(t, 3) != '=' && peek(t, 3) != '!') {
        return open_named(t, 3);
    }
    return open_flags(t);
}

static bool close_group(struct translation *t)
{
    if (t->depth == 0) {
        return regex_err(t->pattern, t->at, 1, t->e,
                         "this ')' has no '(': remove it, or write \\) for the character");
    }
    uint32_t product = t->group[t->depth--].product;
    buf_add_byte(t->out, ')');
    t->at++;
    item_done(t, product);
    return true;
}

static bool bar(struct translation *t)
{
    buf_add_byte(t->out, '|');
    t->at++;
    nothing_to_repeat(t);
    return true;
}

/* Other items */

/* PCRE2 repeats no assertion, but a group that holds one. */
static bool assertion(struct translation *t, const char *text, size_t length)
{
    bool repeats = is_quantifier(str_slice(t->pattern, t->at + length, t->pattern.len));

    buf_addf(t->out, repeats ? "(?:%s)" : "%s", text);
    t->at += length;
    item_done(t, 1);
    return true;
}

static bool caret(struct translation *t)
{
    return assertion(t, "^", 1);
}

static bool dollar(struct translation *t)
{
    return assertion(t, "$", 1);
}

static bool dot(struct translation *t)
{
    buf_add_byte(t->out, '.');
    t->at++;
    item_done(t, 1);
    return true;
}

static bool bracket(struct translation *t)
{
    if (!regex_translate_class(t->pattern, &t->at, t->out, t->e)) {
        return false;
    }
    item_done(t, 1);
    return true;
}

/* \Q up to \E or the end: each character is itself. */
static bool quoted(struct translation *t)
{
    t->at += 2;
    while (t->at < t->pattern.len && !str_starts(rest_of(t), STR("\\E"))) {
        (void)literal(t);
    }
    t->at += t->at < t->pattern.len ? 2 : 0;
    return true;
}

static bool err_escape(const struct translation *t)
{
    char c = peek(t, 1);

    if (t->at + 1 == t->pattern.len) {
        return regex_err(t->pattern, t->at, 1, t->e,
                         "the pattern ends in a backslash: write \\\\ for the character");
    }
    if (c >= '1' && c <= '9') {
        return regex_err(t->pattern, t->at, 2, t->e,
                         "'\\%c' is a back reference, which RE2 does not have", c);
    }
    size_t length = 1 + regex_rune_length(t->pattern, t->at + 1);
    return regex_err(t->pattern, t->at, length, t->e,
                     "'%.*s' is no escape of RE2: write \\\\ for a backslash",
                     STR_FMT(str_slice(t->pattern, t->at, length)));
}

static bool escape(struct translation *t)
{
    static const char assertions[] = "AbBz";
    char c = peek(t, 1);

    if (c != '\0' && strchr(assertions, c) != NULL) {
        const char text[] = {'\\', c, '\0'};
        return assertion(t, text, 2);
    }
    if (c == 'Q') {
        return quoted(t);
    }
    struct regex_escape e = regex_read_escape(t->pattern, t->at);
    if (e.kind == REGEX_ESCAPE_NONE) {
        return err_escape(t);
    }
    if (e.kind == REGEX_ESCAPE_CHAR) {
        regex_add_rune(t->out, e.rune);
    } else {
        buf_add_byte(t->out, '[');
        regex_add_set(t->out, &e);
        buf_add_byte(t->out, ']');
    }
    t->at += e.length;
    item_done(t, 1);
    return true;
}

struct handler {
    char byte;
    bool (*translate)(struct translation *);
};

static const struct handler handlers[] = {
    {'(', open_group}, {')', close_group}, {'|', bar},   {'*', quantify},
    {'+', quantify},   {'?', quantify},    {'{', brace}, {'[', bracket},
    {'\\', escape},    {'.', dot},         {'^', caret}, {'$', dollar},
};

static bool translate_next(struct translation *t)
{
    char c = peek(t, 0);

    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (handlers[i].byte == c) {
            return handlers[i].translate(t);
        }
    }
    return literal(t);
}

static bool check_pattern(struct str pattern, struct err *e)
{
    if (pattern.len > REGEX_PATTERN_MAX) {
        return err_set(e, ERR_LIMIT, "the regular expression has %zu bytes: at most %d are allowed",
                       pattern.len, REGEX_PATTERN_MAX);
    }
    return str_is_utf8(pattern) ||
           err_set(e, ERR_PARSE, "the regular expression is not valid UTF-8");
}

bool regex_translate(struct regex *r, struct buf *out, struct err *e)
{
    struct translation t = {.r = r, .pattern = r->pattern, .out = out, .e = e};
    bool is_full = r->mode == REGEX_FULL;

    if (!check_pattern(r->pattern, e)) {
        return false;
    }
    t.group[0].product = 1;
    buf_add_text(out, is_full ? "\\A(?s:" : "");
    while (t.at < t.pattern.len) {
        if (!translate_next(&t)) {
            return false;
        }
    }
    if (t.depth > 0) {
        return regex_err(t.pattern, t.group[t.depth].at, 1, e,
                         "this '(' has no ')': close it, or write \\( for the character");
    }
    buf_add_text(out, is_full ? ")\\z" : "");
    return true;
}
