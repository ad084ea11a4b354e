/*
 * Functions over text: case, patterns, escaping, hosts.
 */
#include "template/template_int.h"

#include "base/regex.h"

static bool texts(struct value_list args, struct str *ret, struct err *e)
{
    for (size_t i = 0; i < args.count; i++) {
        if (!value_to_text(&args.items[i], &ret[i], e)) {
            return err_wrap(e, "argument %zu", i + 1);
        }
    }
    return true;
}

static bool is_word_rune(uint32_t rune)
{
    return (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') ||
           (rune >= '0' && rune <= '9') || rune == '_' || rune > 0xA0;
}

/* Marks that stand inside a word of English: don't. */
static bool joins_words(uint32_t rune)
{
    return rune == '\'' || rune == '.' || rune == ':' || rune == 0x2019;
}

enum letter_case { CASE_UPPER, CASE_LOWER, CASE_TITLE };

struct word_state {
    bool in_word;  /* the character before belongs to a word */
    bool may_join; /* ... and a mark after it does so too */
};

static uint32_t map_rune(const struct render *r, enum letter_case to, uint32_t rune,
                         struct word_state *w)
{
    bool begins = !w->in_word && !w->may_join;
    bool is_old = r->world->dialect == TEMPLATE_VMALERT; /* every mark ends a word there */
    bool in_word = is_word_rune(rune);

    w->may_join = !is_old && w->in_word && joins_words(rune);
    w->in_word = in_word;
    if (to == CASE_TITLE) {
        return begins ? template_rune_upper(rune) : rune;
    }
    return to == CASE_UPPER ? template_rune_upper(rune) : template_rune_lower(rune);
}

static bool map_text(struct render *r, struct value_list args, enum letter_case to,
                     struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct word_state word = {0};
    struct str text = STR_NONE;

    if (!texts(args, &text, e)) {
        return false;
    }
    for (size_t at = 0; at < text.len;) {
        uint32_t rune = 0;
        size_t len = template_rune_at(text, at, &rune);
        if (len == 0) {
            buf_add_byte(&out, text.ptr[at++]);
            continue;
        }
        buf_add_rune(&out, map_rune(r, to, rune, &word));
        at += len;
    }
    *ret = render_take_text(r, &out);
    return true;
}

static bool to_upper(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return map_text(r, args, CASE_UPPER, ret, e);
}

static bool to_lower(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return map_text(r, args, CASE_LOWER, ret, e);
}

/* The first letter of each word in upper case, the others as they are. */
static bool title(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return map_text(r, args, CASE_TITLE, ret, e);
}

/* Compiling a pattern costs as much as many steps. */
enum { PATTERN_STEPS = 100 };

static bool match(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    AUTO(regex_autofree) struct regex *regex = NULL;
    struct str in[2] = {0};
    bool matched = false;

    r->steps += PATTERN_STEPS;
    if (!texts(args, in, e) || !regex_compile(in[0], REGEX_SEARCH, &regex, e) ||
        !regex_match(regex, in[1], &matched, e)) {
        return false;
    }
    *ret = value_bool(matched);
    return true;
}

static bool re_replace_all(struct render *r, struct value_list args, struct value *ret,
                           struct err *e)
{
    AUTO(regex_autofree) struct regex *regex = NULL;
    AUTO(buf_release) struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct str in[3] = {0};

    r->steps += PATTERN_STEPS;
    if (!texts(args, in, e) || !regex_compile(in[0], REGEX_SEARCH, &regex, e) ||
        !regex_replace(regex, in[2], in[1], &out, e)) {
        return false;
    }
    *ret = render_take_text(r, &out);
    return true;
}

/* host:port -> host, [v6]:port -> v6; anything else as it is. */
static struct str without_port(struct str host)
{
    size_t colon = host.len;

    for (size_t i = host.len; i-- > 0;) {
        if (host.ptr[i] == ':') {
            colon = i;
            break;
        }
    }
    if (colon == host.len) {
        return host;
    }
    struct str name = str_slice(host, 0, colon);
    if (str_starts(name, STR("[")) && str_ends(name, STR("]"))) {
        return str_slice(name, 1, name.len - 2);
    }
    return str_find_byte(name, ':') < name.len ? host : name;
}

static bool strip_port(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str text = STR_NONE;

    (void)r;
    if (!texts(args, &text, e)) {
        return false;
    }
    *ret = value_text(without_port(text));
    return true;
}

static bool looks_like_address(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!((c >= '0' && c <= '9') || c == '.' || c == ':')) {
            return c == ':' || str_find_byte(host, ':') < host.len;
        }
    }
    return true;
}

/* a.b.c:80 -> a:80; addresses stay. */
static bool strip_domain(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str text = STR_NONE;

    if (!texts(args, &text, e)) {
        return false;
    }
    struct str host = without_port(text);
    struct str port =
        host.len < text.len && host.ptr == text.ptr ? str_slice(text, host.len, text.len) : STR("");
    if (!looks_like_address(host)) {
        struct str label = str_slice(host, 0, str_find_byte(host, '.'));
        text = arena_printf(&r->arena, "%.*s%.*s", STR_FMT(label), STR_FMT(port));
    }
    *ret = value_text(text);
    return true;
}

/* ---- escaping: a table of bytes and what stands for them, per function ---- */

struct escape {
    char byte;
    const char *text;
};

static const struct escape html_escapes[] = {{'&', "&amp;"}, {'<', "&lt;"},   {'>', "&gt;"},
                                             {'"', "&#34;"}, {'\'', "&#39;"}, {'\0', NULL}};
static const struct escape quote_escapes[] = {{'\\', "\\\\"}, {'"', "\\\""}, {'\n', "\\n"},
                                              {'\r', "\\r"},  {'\t', "\\t"}, {'\0', NULL}};
static const struct escape js_escapes[] = {{'\\', "\\\\"},    {'\'', "\\'"},     {'"', "\\\""},
                                           {'<', "\\u003C"},  {'>', "\\u003E"},  {'&', "\\u0026"},
                                           {'=', "\\u003D"},  {'\n', "\\u000A"}, {'\r', "\\u000D"},
                                           {'\t', "\\u0009"}, {'\0', NULL}};
static const struct escape crlf_escapes[] = {{'\n', "\\n"}, {'\r', "\\r"}, {'\0', NULL}};

/* What a table has no row for: js and quotes write what cannot be seen as \\u with four digits. */
static size_t add_unescaped(struct buf *out, struct str text, size_t at,
                            const struct escape *escapes)
{
    uint32_t rune = 0;
    size_t len = template_rune_at(text, at, &rune);
    bool is_control = len == 1 && (rune < 0x20 || rune == 0x7F);

    if (escapes == js_escapes && len > 0 && template_rune_is_hidden(rune)) {
        buf_addf(out, "\\u%04X", (unsigned)rune);
    } else if (escapes == quote_escapes && is_control) {
        buf_addf(out, "\\u%04x", (unsigned)rune);
    } else if (escapes == html_escapes && text.ptr[at] == '\0') {
        buf_add_rune(out, 0xFFFD);
    } else {
        buf_add_str(out, str_slice(text, at, len > 0 ? len : 1));
    }
    return len > 0 ? len : 1;
}

static void add_escaped(struct buf *out, struct str text, const struct escape *escapes)
{
    for (size_t at = 0; at < text.len;) {
        const struct escape *e = escapes;
        while (e->text != NULL && e->byte != text.ptr[at]) {
            e++;
        }
        if (e->text != NULL) {
            buf_add_text(out, e->text);
            at++;
        } else {
            at += add_unescaped(out, text, at, escapes);
        }
    }
}

/* All arguments printed one after the other, then escaped, as Go's html and js do. */
static bool escape_with(struct render *r, struct value_list args, const struct escape *escapes,
                        struct value *ret)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);

    value_print_all(args, &plain);
    add_escaped(&out, buf_str(&plain), escapes);
    *ret = render_take_text(r, &out);
    return true;
}

static bool html(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)e;
    return escape_with(r, args, html_escapes, ret);
}

static bool js(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)e;
    return escape_with(r, args, js_escapes, ret);
}

static bool quotes_escape(struct render *r, struct value_list args, struct value *ret,
                          struct err *e)
{
    (void)e;
    return escape_with(r, args, quote_escapes, ret);
}

static bool crlf_escape(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)e;
    return escape_with(r, args, crlf_escapes, ret);
}

/* Quoted, as a JSON string. */
static bool json_escape(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct value inner;

    (void)e;
    (void)escape_with(r, args, quote_escapes, &inner);
    *ret = value_text(arena_printf(&r->arena, "\"%.*s\"", STR_FMT(inner.as.text)));
    return true;
}

static bool percent_encode(struct render *r, struct value_list args, const char *unreserved,
                           bool plus_for_space, struct value *ret)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct buf out = BUF_INIT((size_t)3 * TEMPLATE_TEXT_MAX);

    value_print_all(args, &plain);
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.ptr[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (alnum || (c != '\0' && strchr(unreserved, c) != NULL)) {
            buf_add_byte(&out, c);
        } else if (c == ' ' && plus_for_space) {
            buf_add_byte(&out, '+');
        } else {
            buf_addf(&out, "%%%02X", (unsigned)(unsigned char)c);
        }
    }
    *ret = render_take_text(r, &out);
    return true;
}

static bool query_escape(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)e;
    return percent_encode(r, args, "-_.~", true, ret);
}

static bool path_escape(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)e;
    return percent_encode(r, args, "-_.~$&+=:@", false, ret);
}

static bool safe_html(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)r;
    return value_to_text(&args.items[0], &ret->as.text, e) && (ret->kind = VALUE_TEXT, true);
}

const struct function functions_text[] = {
    {"toUpper", 1, 1, USES_NOTHING, false, to_upper},
    {"toLower", 1, 1, USES_NOTHING, false, to_lower},
    {"title", 1, 1, USES_NOTHING, false, title},
    {"match", 2, 2, USES_NOTHING, false, match},
    {"reReplaceAll", 3, 3, USES_NOTHING, false, re_replace_all},
    {"stripPort", 1, 1, USES_NOTHING, false, strip_port},
    {"stripDomain", 1, 1, USES_NOTHING, false, strip_domain},
    {"html", 0, -1, USES_NOTHING, false, html},
    {"htmlEscape", 1, 1, USES_NOTHING, false, html},
    {"js", 0, -1, USES_NOTHING, false, js},
    {"urlquery", 0, -1, USES_NOTHING, false, query_escape},
    {"urlQueryEscape", 1, 1, USES_NOTHING, false, query_escape},
    {"queryEscape", 1, 1, USES_NOTHING, false, query_escape},
    {"pathEscape", 1, 1, USES_NOTHING, false, path_escape},
    {"quotesEscape", 1, 1, USES_NOTHING, false, quotes_escape},
    {"jsonEscape", 1, 1, USES_NOTHING, false, json_escape},
    {"crlfEscape", 1, 1, USES_NOTHING, false, crlf_escape},
    {"safeHtml", 1, 1, USES_NOTHING, false, safe_html},
    {NULL, 0, 0, 0, false, NULL},
};
