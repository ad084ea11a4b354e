#include "model/selector.h"

#include "base/regex.h"

struct matcher {
    struct str name;
    struct str value;
    struct regex *regex; /* NULL: the value itself */
    bool is_negated;
    size_t group;
};

struct selector {
    struct arena arena;
    struct matcher *matchers;
    size_t count;
    size_t groups;
};

/* ---- reading ---- */

struct reading {
    struct str text;
    size_t at;
    struct selector *selector;
    struct err *e;
};

static bool fail(const struct reading *r, const char *expected)
{
    return err_set_at(r->e, ERR_PARSE, (struct pos){1, (uint32_t)r->at + 1}, "expected %s",
                      expected);
}

static char peek(const struct reading *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : '\0';
}

static void skip_space(struct reading *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r') {
        r->at++;
    }
}

/* Passes over <token>, if it comes next. */
static bool take(struct reading *r, struct str token)
{
    skip_space(r);
    bool is_next = str_starts(str_slice(r->text, r->at, token.len), token);

    r->at += is_next ? token.len : 0;
    return is_next;
}

static bool is_name_byte(char c, bool first)
{
    bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';

    return is_letter || (!first && ((c >= '0' && c <= '9') || c == '.'));
}

/* Empty when none comes next. */
static struct str take_word(struct reading *r)
{
    skip_space(r);
    size_t start = r->at;

    while (is_name_byte(peek(r), r->at == start)) {
        r->at++;
    }
    return str_slice(r->text, start, r->at - start);
}

static bool add_escape(struct reading *r, struct buf *out)
{
    static const char escapes[] = "n\nt\tr\r\\\\\"\"''";
    char c = peek(r);

    for (size_t i = 0; escapes[i] != '\0' && c != '\0'; i += 2) {
        if (escapes[i] == c) {
            buf_add_byte(out, escapes[i + 1]);
            r->at++;
            return true;
        }
    }
    return fail(r, "an escape that is known: \\n, \\t, \\r, \\\\, \\\" or \\'");
}

static bool take_string(struct reading *r, struct str *ret)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    skip_space(r);
    char quote = peek(r);
    if (quote != '"' && quote != '\'' && quote != '`') {
        return fail(r, "a value in quotes");
    }
    r->at++;
    while (r->at < r->text.len && peek(r) != quote) {
        char c = r->text.ptr[r->at++];
        if (c != '\\' || quote == '`') {
            buf_add_byte(&out, c);
        } else if (!add_escape(r, &out)) {
            return false;
        }
    }
    if (!take(r, str_make(&quote, 1))) {
        return fail(r, "the closing quote");
    }
    *ret = arena_dup(&r->selector->arena, buf_str(&out));
    return buf_ok(&out) || fail(r, "a shorter value");
}

static bool add_matcher(struct reading *r, struct matcher m, bool is_regex)
{
    struct selector *s = r->selector;

    if (s->count == SELECTOR_MATCHERS_MAX) {
        return err_set(r->e, ERR_LIMIT, "more than %d matchers", SELECTOR_MATCHERS_MAX);
    }
    m.name = arena_dup(&s->arena, m.name);
    m.group = s->groups - 1;
    if (is_regex && !regex_compile(m.value, REGEX_FULL, &m.regex, r->e)) {
        r->e->pos = (struct pos){1, (uint32_t)r->at};
        return false;
    }
    s->matchers[s->count++] = m;
    return true;
}

static bool take_matcher(struct reading *r)
{
    static const struct {
        struct str token;
        bool is_regex;
        bool is_negated;
    } operators[] = {{STR_INIT("=~"), true, false},
                     {STR_INIT("!~"), true, true},
                     {STR_INIT("!="), false, true},
                     {STR_INIT("="), false, false}};
    struct matcher m = {.name = take_word(r)};

    if (m.name.len == 0 && (peek(r) != '"' || !take_string(r, &m.name))) {
        return fail(r, "the name of a label");
    }
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (take(r, operators[i].token)) {
            m.is_negated = operators[i].is_negated;
            return take_string(r, &m.value) && add_matcher(r, m, operators[i].is_regex);
        }
    }
    return fail(r, "=, !=, =~ or !~");
}

/* The name in front of the braces holds for each group. */
static bool begin_group(struct reading *r, struct str name)
{
    r->selector->groups++;
    return name.len == 0 ||
           add_matcher(r, (struct matcher){.name = STR("__name__"), .value = name}, false);
}

static bool take_matchers(struct reading *r, struct str name)
{
    while (!take(r, STR("}"))) {
        if (!take_matcher(r)) {
            return false;
        }
        if (take(r, STR(","))) {
            continue;
        }
        size_t before = r->at;
        struct str word = take_word(r);
        if (str_eq_nocase(word, STR("or"))) {
            if (!begin_group(r, name)) {
                return false;
            }
            continue;
        }
        r->at = before;
        skip_space(r);
        if (peek(r) != '}') {
            return fail(r, "',', 'or' or '}'");
        }
    }
    return true;
}

static bool read_all(struct reading *r)
{
    struct str name = arena_dup(&r->selector->arena, take_word(r));

    if (!begin_group(r, name)) {
        return false;
    }
    if (take(r, STR("{"))) {
        if (!take_matchers(r, name)) {
            return false;
        }
    } else if (name.len == 0) {
        return fail(r, "a selector, such as {job=\"a\"}");
    }
    skip_space(r);
    return r->at == r->text.len || fail(r, "nothing behind the selector");
}

bool selector_compile(struct str text, struct selector **ret_selector, struct err *e)
{
    AUTO(selector_autofree) struct selector *s = mem_new(struct selector);
    struct reading r = {.text = text, .selector = s, .e = e};

    arena_init(&s->arena, ARENA_UNLIMITED);
    s->matchers = arena_array(&s->arena, struct matcher, SELECTOR_MATCHERS_MAX);
    if (!read_all(&r)) {
        return false;
    }
    *ret_selector = TAKE(s);
    return true;
}

void selector_free(struct selector *s)
{
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->count; i++) {
        regex_free(s->matchers[i].regex);
    }
    arena_release(&s->arena);
    mem_free(s);
}

/* ---- asking ---- */

static bool fits(const struct matcher *m, const struct labels_builder *labels)
{
    struct str value = labels_builder_get(labels, m->name);
    struct err ignored = ERR_INIT;
    bool is_match = false;

    if (m->regex == NULL) {
        return str_eq(value, m->value) != m->is_negated;
    }
    return regex_match(m->regex, value, &is_match, &ignored) && is_match != m->is_negated;
}

bool selector_matches(const struct selector *s, const struct labels_builder *labels)
{
    for (size_t g = 0, i = 0; g < s->groups; g++) {
        bool all = true;
        for (; i < s->count && s->matchers[i].group == g; i++) {
            all = all && fits(&s->matchers[i], labels);
        }
        if (all) {
            return true;
        }
    }
    return false;
}
