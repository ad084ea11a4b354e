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

static char to_upper_ascii(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c & ~0x20) : c;
}

static char to_lower_ascii(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '\'' || (unsigned char)c >= 0x80;
}

static bool map_bytes(struct render *r, struct value_list args, char (*map)(char),
                      struct value *ret, struct err *e)
{
    struct str text = STR_NONE;

    if (!texts(args, &text, e)) {
        return false;
    }
    char *copy = arena_text(&r->arena, text);
    for (size_t i = 0; i < text.len; i++) {
        copy[i] = map(copy[i]);
    }
    *ret = value_text(str_make(copy, text.len));
    return true;
}

static bool to_upper(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return map_bytes(r, args, to_upper_ascii, ret, e);
}

static bool to_lower(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    return map_bytes(r, args, to_lower_ascii, ret, e);
}

/* The first letter of each word in upper case, the others as they are. */
static bool title(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct str text = STR_NONE;

    if (!texts(args, &text, e)) {
        return false;
    }
    char *copy = arena_text(&r->arena, text);
    for (size_t i = 0; i < text.len; i++) {
        if (i == 0 || !is_letter(text.ptr[i - 1])) {
            copy[i] = to_upper_ascii(copy[i]);
        }
    }
    *ret = value_text(str_make(copy, text.len));
    return true;
}

static bool match(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    AUTO(regex_autofree) struct regex *regex = NULL;
    struct str in[2] = {0};
    bool matched = false;

    (void)r;
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

static void add_escaped(struct buf *out, struct str text, const struct escape *escapes)
{
    for (size_t i = 0; i < text.len; i++) {
        const struct escape *e = escapes;
        while (e->text != NULL && e->byte != text.ptr[i]) {
            e++;
        }
        if (e->text != NULL) {
            buf_add_text(out, e->text);
        } else {
            buf_add_byte(out, text.ptr[i]);
        }
    }
}

/* All arguments printed one after the other, then escaped, as Go's html and js do. */
static bool escape_with(struct render *r, struct value_list args, const struct escape *escapes,
                        struct value *ret)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);

    for (size_t i = 0; i < args.count; i++) {
        value_print(&args.items[i], &plain);
    }
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

    for (size_t i = 0; i < args.count; i++) {
        value_print(&args.items[i], &plain);
    }
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
    {"html", 1, -1, USES_NOTHING, false, html},
    {"htmlEscape", 1, 1, USES_NOTHING, false, html},
    {"js", 1, -1, USES_NOTHING, false, js},
    {"urlquery", 1, -1, USES_NOTHING, false, query_escape},
    {"urlQueryEscape", 1, 1, USES_NOTHING, false, query_escape},
    {"queryEscape", 1, 1, USES_NOTHING, false, query_escape},
    {"pathEscape", 1, 1, USES_NOTHING, false, path_escape},
    {"quotesEscape", 1, 1, USES_NOTHING, false, quotes_escape},
    {"jsonEscape", 1, 1, USES_NOTHING, false, json_escape},
    {"crlfEscape", 1, 1, USES_NOTHING, false, crlf_escape},
    {"safeHtml", 1, 1, USES_NOTHING, false, safe_html},
    {NULL, 0, 0, 0, false, NULL},
};
