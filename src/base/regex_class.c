/* Bracket expressions: [a-z\d[:alpha:]] */
#include "base/regex_int.h"

struct class_scan {
    struct str pattern;
    size_t start; /* of the [ */
    size_t at;
    struct buf *out;
    struct err *e;
};

/* One end of a range. */
struct class_char {
    uint32_t rune;
    size_t at;
};

static uint32_t decode(struct str p, size_t at, size_t length)
{
    uint32_t first = (unsigned char)p.ptr[at];
    uint32_t rune = length == 1 ? first : first & (0x7FU >> length);

    for (size_t i = 1; i < length; i++) {
        rune = rune << 6 | ((unsigned char)p.ptr[at + i] & 0x3FU);
    }
    return rune;
}

/* [:name:] or [:^name:]; *ret_found is false when there is no such thing at this place. */
static bool take_posix(struct class_scan *s, bool *ret_found)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    struct str rest = str_slice(s->pattern, s->at, s->pattern.len);
    size_t end = 2 + str_find(str_slice(rest, 2, rest.len), STR(":]"));

    *ret_found = str_starts(rest, STR("[:")) && end < rest.len;
    if (!*ret_found) {
        return true;
    }
    bool negated = rest.ptr[2] == '^';
    struct str name = str_slice(rest, 2 + (size_t)negated, end - 2 - (size_t)negated);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, str_of(names[i]))) {
            buf_addf(s->out, "[:%s%.*s:]", negated ? "^" : "", STR_FMT(name));
            s->at += end + 2;
            return true;
        }
    }
    return regex_err(s->pattern, s->at, end + 2, s->e,
                     "there is no character class '%.*s': use one like [:alpha:] or [:digit:]",
                     STR_FMT(str_slice(rest, 0, end + 2)));
}

static bool err_open(const struct class_scan *s)
{
    return regex_err(s->pattern, s->start, 1, s->e,
                     "this '[' has no ']': close it, or write \\[ for the character");
}

/* One character, escaped or not; \d and the like are a set instead. */
static bool take_char(struct class_scan *s, struct class_char *ret, struct regex_escape *ret_set)
{
    if (s->at >= s->pattern.len) {
        return err_open(s);
    }
    *ret_set = (struct regex_escape){.kind = REGEX_ESCAPE_NONE};
    ret->at = s->at;
    if (s->pattern.ptr[s->at] != '\\') {
        size_t length = regex_rune_length(s->pattern, s->at);
        ret->rune = decode(s->pattern, s->at, length);
        s->at += length;
        return true;
    }
    struct regex_escape escape = regex_read_escape(s->pattern, s->at);
    if (escape.kind == REGEX_ESCAPE_NONE) {
        return regex_err(s->pattern, s->at, 2, s->e,
                         "no such escape in a class: write \\\\ for a backslash");
    }
    *ret_set = escape;
    ret->rune = escape.rune;
    s->at += escape.length;
    return true;
}

/* A character, a range or a set. */
static bool take_item(struct class_scan *s)
{
    struct class_char low = {0};
    struct class_char high = {0};
    struct regex_escape set = {.kind = REGEX_ESCAPE_NONE};

    if (!take_char(s, &low, &set)) {
        return false;
    }
    if (set.kind == REGEX_ESCAPE_SET) {
        regex_add_set(s->out, &set);
        return true;
    }
    struct str rest = str_slice(s->pattern, s->at, s->pattern.len);
    regex_add_rune(s->out, low.rune);
    if (rest.len < 2 || rest.ptr[0] != '-' || rest.ptr[1] == ']') {
        return true;
    }
    s->at++;
    if (!take_char(s, &high, &set)) {
        return false;
    }
    if (set.kind == REGEX_ESCAPE_SET || high.rune < low.rune) {
        return regex_err(s->pattern, low.at, s->at - low.at, s->e,
                         "'%.*s' is no range of characters: the first must not come after the last",
                         STR_FMT(str_slice(s->pattern, low.at, s->at - low.at)));
    }
    buf_add_byte(s->out, '-');
    regex_add_rune(s->out, high.rune);
    return true;
}

bool regex_translate_class(struct str pattern, size_t *at, struct buf *out, struct err *e)
{
    struct class_scan s = {.pattern = pattern, .start = *at, .at = *at + 1, .out = out, .e = e};
    bool negated = s.at < pattern.len && pattern.ptr[s.at] == '^';

    s.at += negated;
    buf_add_text(out, negated ? "[^" : "[");
    for (bool first = true; first || s.at >= pattern.len || pattern.ptr[s.at] != ']';
         first = false) {
        bool is_posix = false;
        if (s.at >= pattern.len) {
            return err_open(&s);
        }
        if (!take_posix(&s, &is_posix) || (!is_posix && !take_item(&s))) {
            return false;
        }
    }
    buf_add_byte(out, ']');
    *at = s.at + 1;
    return true;
}
