#include "net/url.h"

/* A bit per enum url_place in which the byte stays, besides letters and digits. */
enum { IN_SEGMENT = 1, IN_PATH = 2, IN_QUERY = 4, IN_FORM = 8 };

static const uint8_t safe_in[256] = {
    ['-'] = IN_SEGMENT | IN_PATH | IN_QUERY | IN_FORM,
    ['.'] = IN_SEGMENT | IN_PATH | IN_QUERY | IN_FORM,
    ['_'] = IN_SEGMENT | IN_PATH | IN_QUERY | IN_FORM,
    ['~'] = IN_SEGMENT | IN_PATH | IN_QUERY,
    ['*'] = IN_FORM,
    ['!'] = IN_SEGMENT | IN_PATH,
    ['$'] = IN_SEGMENT | IN_PATH,
    ['\''] = IN_SEGMENT | IN_PATH,
    ['('] = IN_SEGMENT | IN_PATH,
    [')'] = IN_SEGMENT | IN_PATH,
    [','] = IN_SEGMENT | IN_PATH,
    [':'] = IN_SEGMENT | IN_PATH,
    ['@'] = IN_SEGMENT | IN_PATH,
    ['='] = IN_SEGMENT | IN_PATH,
    ['/'] = IN_PATH,
};

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

void url_add_escaped(struct buf *out, struct str text, enum url_place place)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned bit = 1U << (unsigned)place;
    size_t start = 0; /* of what goes as it is */

    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (is_alnum((char)byte) || (safe_in[byte] & bit) != 0) {
            continue;
        }
        buf_add(out, text.ptr + start, i - start);
        start = i + 1;
        if (byte == ' ' && place == URL_FORM) {
            buf_add_byte(out, '+');
        } else {
            char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            buf_add(out, escape, sizeof(escape));
        }
    }
    if (start < text.len) {
        buf_add(out, text.ptr + start, text.len - start);
    }
}

bool url_add_unescaped(struct buf *out, struct str text, enum url_place place)
{
    bool plus = place == URL_QUERY || place == URL_FORM;
    size_t before = out->len;

    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];
        if (byte == '%') {
            int high = i + 1 < text.len ? hex_value(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                buf_truncate(out, before);
                return false;
            }
            byte = (char)(high * 16 + low);
            i += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        buf_add_byte(out, byte);
    }
    return true;
}

static void add_pair(struct buf *out, struct str name, struct str value, enum url_place place)
{
    url_add_escaped(out, name, place);
    buf_add_byte(out, '=');
    url_add_escaped(out, value, place);
}

void url_add_param(struct buf *out, struct str name, struct str value)
{
    struct str url = buf_str(out);

    buf_add_byte(out, str_find_byte(url, '?') == url.len ? '?' : '&');
    add_pair(out, name, value, URL_QUERY);
}

void form_add_param(struct buf *out, struct str name, struct str value)
{
    if (out->len > 0) {
        buf_add_byte(out, '&');
    }
    add_pair(out, name, value, URL_FORM);
}

bool url_next_param(struct str *query, struct str *ret_name, struct str *ret_value)
{
    struct str pair;

    do {
        if (query->len == 0 || !str_split(query, '&', &pair)) {
            return false;
        }
    } while (pair.len == 0);
    size_t equals = str_find_byte(pair, '=');
    *ret_name = str_slice(pair, 0, equals);
    *ret_value = str_slice(pair, equals + 1, pair.len);
    return true;
}

/* --- parsing --- */

static bool fail(struct str text, struct err *e, const char *what)
{
    struct buf AUTO(buf_release) shown = BUF_INIT(ERR_TEXT);

    url_add_redacted(&shown, str_slice(text, 0, ERR_TEXT / 4));
    return err_set(e, ERR_PARSE, "URL '%s': %s", buf_text(&shown), what);
}

/* The first byte that may not stand in a URL; len when there is none. */
static size_t find_bad_byte(struct str text)
{
    size_t i = 0;

    while (i < text.len) {
        unsigned char byte = (unsigned char)text.ptr[i];
        if (byte <= ' ' || byte >= 0x7f || byte == '"' || byte == '<' || byte == '>' ||
            byte == '\\' || byte == '^' || byte == '`') {
            break;
        }
        i++;
    }
    return i;
}

static size_t find_any(struct str s, const char *bytes)
{
    size_t i = 0;

    while (i < s.len && strchr(bytes, s.ptr[i]) == NULL) {
        i++;
    }
    return i;
}

static bool is_name_host(struct str host)
{
    bool starts_well = host.len > 0 && is_alnum(host.ptr[0]);

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        bool dot_after_dot = c == '.' && i > 0 && host.ptr[i - 1] == '.';
        if ((!is_alnum(c) && c != '-' && c != '.' && c != '_') || dot_after_dot) {
            return false;
        }
    }
    return starts_well && host.len <= 253;
}

static bool is_ipv6_host(struct str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (hex_value(c) < 0 && c != ':' && c != '.') {
            return false;
        }
    }
    return host.len >= 2 && host.len <= 45 && str_find_byte(host, ':') < host.len;
}

/* Splits "host:port" or "[address]:port"; *ret_port is what follows the colon, STR_NONE without. */
static bool split_authority(struct str text, struct url *u, struct str *ret_port)
{
    struct str rest;

    u->ipv6 = text.len > 0 && text.ptr[0] == '[';
    if (u->ipv6) {
        size_t close = str_find_byte(text, ']');
        u->host = str_slice(text, 1, close - 1);
        rest = str_slice(text, close + 1, text.len);
        if (close == text.len || !is_ipv6_host(u->host)) {
            return false;
        }
    } else {
        size_t colon = str_find_byte(text, ':');
        u->host = str_slice(text, 0, colon);
        rest = str_slice(text, colon, text.len);
        if (!is_name_host(u->host)) {
            return false;
        }
    }
    *ret_port = rest.len > 0 ? str_slice(rest, 1, rest.len) : STR_NONE;
    return rest.len == 0 || rest.ptr[0] == ':';
}

static bool parse_port(struct str text, struct url *u)
{
    uint32_t port = 0;

    if (text.ptr == NULL) {
        u->port = u->secure ? 443 : 80;
        return true;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i >= 5) {
            return false;
        }
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    u->port = (uint16_t)port;
    return port >= 1 && port <= UINT16_MAX;
}

static bool parse_authority(struct str text, struct str authority, struct url *u, struct err *e)
{
    struct str port;

    if (str_find_byte(authority, '@') < authority.len) {
        return fail(text, e,
                    "a user or password in a URL ends up in logs; use the options 'username' and "
                    "'password' (or 'password_file') instead");
    }
    if (authority.len == 0) {
        return fail(text, e, "expected a host after '//'");
    }
    if (!split_authority(authority, u, &port)) {
        return fail(text, e,
                    "expected a host name, an IPv4 address or an [IPv6 address]; names in "
                    "other scripts must be in their xn-- form");
    }
    if (!parse_port(port, u)) {
        return fail(text, e, "expected a port from 1 to 65535 after the colon");
    }
    u->authority = authority;
    return true;
}

static bool parse_scheme(struct str text, struct url *u, size_t *ret_after, struct err *e)
{
    size_t end = str_find(text, STR("://"));

    u->scheme = str_slice(text, 0, end);
    u->secure = str_eq_nocase(u->scheme, STR("https"));
    if (end == text.len) {
        return fail(text, e, "expected it to begin with http:// or https://");
    }
    if (!u->secure && !str_eq_nocase(u->scheme, STR("http"))) {
        return fail(text, e, "only http and https are supported");
    }
    *ret_after = end + 3;
    return true;
}

bool url_parse(struct str text, struct url *ret_url, struct err *e)
{
    struct url u = {0};
    size_t at = 0;

    if (text.len > URL_MAX) {
        return err_set(e, ERR_LIMIT, "a URL of %zu bytes is too long, %d are allowed", text.len,
                       URL_MAX);
    }
    if (find_bad_byte(text) < text.len) {
        return fail(text, e, "white space, control and non-ASCII bytes must be percent-escaped");
    }
    if (!parse_scheme(text, &u, &at, e)) {
        return false;
    }
    struct str rest = str_slice(text, at, text.len);
    size_t authority_len = find_any(rest, "/?#");
    if (!parse_authority(text, str_slice(rest, 0, authority_len), &u, e)) {
        return false;
    }
    rest = str_slice(rest, authority_len, rest.len);
    rest = str_slice(rest, 0, str_find_byte(rest, '#'));
    size_t question = str_find_byte(rest, '?');
    u.path = str_slice(rest, 0, question);
    u.query = str_slice(rest, question + 1, rest.len);
    *ret_url = u;
    return true;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
    return a->secure == b->secure && a->port == b->port && str_eq_nocase(a->host, b->host);
}

void url_add_joined(struct buf *out, struct str base, struct str target)
{
    base = str_slice(base, 0, str_find_byte(base, '#'));
    size_t base_question = str_find_byte(base, '?');
    size_t target_question = str_find_byte(target, '?');
    struct str base_path = str_slice(base, 0, base_question);
    struct str base_query = str_slice(base, base_question + 1, base.len);
    struct str path = str_slice(target, 0, target_question);
    struct str query = str_slice(target, target_question + 1, target.len);

    if (path.len > 0) {
        while (str_ends(base_path, STR("/"))) {
            base_path.len--;
        }
    }
    buf_add_str(out, base_path);
    if (path.len > 0 && path.ptr[0] != '/') {
        buf_add_byte(out, '/');
    }
    buf_add_str(out, path);
    if (base_query.len > 0 || query.len > 0) {
        buf_add_byte(out, '?');
    }
    buf_add_str(out, base_query);
    if (base_query.len > 0 && query.len > 0) {
        buf_add_byte(out, '&');
    }
    buf_add_str(out, query);
}
