/* URLs as they may be shown: errors, logs and pages must not give secrets away. */
#include "net/url.h"

/* A parameter with one of these in its name is not shown; nor are "p" and "pass" alone. */
static const struct str secret_words[] = {
    STR_INIT("key"),  STR_INIT("token"),     STR_INIT("secret"), STR_INIT("password"),
    STR_INIT("auth"), STR_INIT("signature"), STR_INIT("sig"),    STR_INIT("credential")};

static bool contains_nocase(struct str s, struct str word)
{
    for (size_t i = 0; i + word.len <= s.len; i++) {
        if (str_eq_nocase(str_slice(s, i, word.len), word)) {
            return true;
        }
    }
    return false;
}

static bool is_secret_name(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(secret_words); i++) {
        if (contains_nocase(name, secret_words[i])) {
            return true;
        }
    }
    return str_eq(name, STR("p")) || str_eq(name, STR("pass"));
}

static void add_redacted_query(struct buf *out, struct str query)
{
    struct str pair;
    bool first = true;

    while (str_split(&query, '&', &pair)) {
        size_t equals = str_find_byte(pair, '=');
        struct str name = str_slice(pair, 0, equals);
        if (!first) {
            buf_add_byte(out, '&');
        }
        first = false;
        if (equals < pair.len && is_secret_name(name)) {
            buf_add_str(out, name);
            buf_add_text(out, "=[redacted]");
        } else {
            buf_add_str(out, pair);
        }
    }
}

static bool is_port(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len > 0 && text.len <= 5;
}

/* Is <authority> "host:what is no port"? Then a password with a slash in it may have ended it early. */
static bool ends_in_odd_port(struct str authority)
{
    size_t colon = str_find_byte(authority, ':');

    return colon < authority.len && !is_port(str_slice(authority, colon + 1, authority.len)) &&
           authority.ptr[0] != '[';
}

static size_t authority_len(struct str s)
{
    size_t i = 0;

    while (i < s.len && s.ptr[i] != '/' && s.ptr[i] != '?' && s.ptr[i] != '#') {
        i++;
    }
    return i;
}

/* Bytes of userinfo at the front of <rest>, the @ included. A password may hold any byte, so it
 * ends at the last @. */
static size_t userinfo_len(struct str rest)
{
    struct str within = str_slice(rest, 0, authority_len(rest));
    size_t len = within.len;

    if (ends_in_odd_port(within)) {
        len = rest.len;
    }
    while (len > 0 && rest.ptr[len - 1] != '@') {
        len--;
    }
    return len;
}

void url_add_redacted(struct buf *out, struct str text)
{
    size_t scheme = str_find(text, STR("://"));
    size_t start = scheme < text.len ? scheme + 3 : 0;
    struct str rest = str_slice(text, start, text.len);
    size_t userinfo = userinfo_len(rest);

    buf_add_str(out, str_slice(text, 0, start));
    if (userinfo > 0) {
        buf_add_text(out, "[redacted]@");
        rest = str_slice(rest, userinfo, rest.len);
    }
    size_t question = str_find_byte(rest, '?');
    buf_add_str(out, str_slice(rest, 0, question));
    if (question < rest.len) {
        buf_add_byte(out, '?');
        add_redacted_query(out, str_slice(rest, question + 1, rest.len));
    }
}

void url_add_site(struct buf *out, struct str text)
{
    struct url url;
    struct err ignored = ERR_INIT;

    if (!url_parse(text, &url, &ignored)) {
        url_add_redacted(out, text);
        return;
    }
    uint16_t usual = url.secure ? 443 : 80;
    buf_addf(out, "%s://%s%.*s%s", url.secure ? "https" : "http", url.ipv6 ? "[" : "",
             STR_FMT(url.host), url.ipv6 ? "]" : "");
    if (url.port != usual) {
        buf_addf(out, ":%u", url.port);
    }
    if (url.query.len > 0 || (url.path.len > 0 && !str_eq(url.path, STR("/")))) {
        buf_add_text(out, "/\xe2\x80\xa6"); /* an ellipsis: something stands there */
    }
}
