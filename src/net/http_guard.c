#include "net/http_guard.h"

#include "base/base64.h"

#include <arpa/inet.h>

static bool is_digits(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return true;
}

bool host_split(struct str authority, struct str *ret_host, struct str *ret_port)
{
    bool bracketed = authority.len > 0 && authority.ptr[0] == '[';
    size_t close = bracketed ? str_find_byte(authority, ']') : 0;
    struct str rest = str_slice(authority, bracketed ? close + 1 : 0, authority.len);
    size_t colon = str_find_byte(rest, ':');
    struct str host = bracketed ? str_slice(authority, 1, close - 1) : str_slice(rest, 0, colon);
    struct str port = str_slice(rest, colon + 1, rest.len);

    if ((bracketed && (close == authority.len || colon > 0)) || host.len == 0 || port.len > 5 ||
        !is_digits(port)) {
        return false;
    }
    if (bracketed && !host_is_address(host)) {
        return false;
    }
    *ret_host = host;
    *ret_port = port;
    return true;
}

/* The host as the C string that inet_pton() wants; false when it is too long for an address. */
static bool as_text(struct str host, char out[INET6_ADDRSTRLEN])
{
    if (host.len == 0 || host.len >= INET6_ADDRSTRLEN) {
        return false;
    }
    memcpy(out, host.ptr, host.len);
    out[host.len] = '\0';
    return true;
}

bool host_is_address(struct str host)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];

    return as_text(host, text) &&
           (inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1);
}

bool host_is_loopback(struct str host)
{
    static const unsigned char loopback6[16] = {[15] = 1};
    char text[INET6_ADDRSTRLEN];
    unsigned char address[16];

    if (str_eq_nocase(host, STR("localhost"))) {
        return true;
    }
    if (!as_text(host, text)) {
        return false;
    }
    if (inet_pton(AF_INET, text, address) == 1) {
        return address[0] == 127;
    }
    return inet_pton(AF_INET6, text, address) == 1 &&
           memcmp(address, loopback6, sizeof(address)) == 0;
}

static bool is_wildcard(struct str host)
{
    return host.len == 0 || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::")) ||
           str_eq(host, STR("*"));
}

static bool name_matches(struct str host, struct str rule)
{
    if (str_eq(rule, STR("*"))) {
        return true;
    }
    if (str_starts(rule, STR("*."))) {
        struct str suffix = str_slice(rule, 1, rule.len);
        return host.len > suffix.len &&
               str_eq_nocase(str_slice(host, host.len - suffix.len, suffix.len), suffix);
    }
    return str_eq_nocase(host, rule);
}

bool host_is_allowed(struct str host_header, const struct host_rules *rules)
{
    struct str host;
    struct str port;

    if (!host_split(host_header, &host, &port)) {
        return false;
    }
    if (host.ptr[host.len - 1] == '.') { /* "localhost." is the same name */
        host.len--;
    }
    if (host_is_loopback(host) || str_eq_nocase(host, rules->listen_host) ||
        (is_wildcard(rules->listen_host) && host_is_address(host))) {
        return true;
    }
    for (size_t i = 0; i < rules->names.count; i++) {
        if (name_matches(host, rules->names.items[i])) {
            return true;
        }
    }
    return false;
}

bool origin_matches(struct str origin, struct str host_header)
{
    bool secure = str_starts(origin, STR("https://"));
    struct str authority = str_slice(origin, secure ? 8 : 7, origin.len);
    struct str origin_host;
    struct str origin_port;
    struct str host;
    struct str port;
    struct str usual = secure ? STR("443") : STR("80");

    if ((!secure && !str_starts(origin, STR("http://"))) ||
        !host_split(authority, &origin_host, &origin_port) ||
        !host_split(host_header, &host, &port)) {
        return false;
    }
    origin_port = origin_port.len > 0 ? origin_port : usual;
    port = port.len > 0 ? port : usual;
    return str_eq_nocase(origin_host, host) && str_eq(origin_port, port);
}

/* What follows the scheme's name and its spaces. */
static bool after_scheme(struct str header, struct str scheme, struct str *ret_rest)
{
    struct str rest = str_slice(header, scheme.len, header.len);

    if (!str_eq_nocase(str_slice(header, 0, scheme.len), scheme) || rest.len == 0 ||
        rest.ptr[0] != ' ') {
        return false;
    }
    *ret_rest = str_trim(rest);
    return ret_rest->len > 0;
}

bool auth_parse_bearer(struct str header, struct str *ret_token)
{
    return after_scheme(header, STR("Bearer"), ret_token);
}

bool auth_parse_basic(struct str header, struct buf *scratch, struct str *ret_user,
                      struct str *ret_password)
{
    struct str encoded;
    size_t start = scratch->len;

    if (!after_scheme(header, STR("Basic"), &encoded) || !base64_decode(encoded, scratch) ||
        !buf_ok(scratch)) {
        return false;
    }
    struct str pair = str_slice(buf_str(scratch), start, scratch->len - start);
    size_t colon = str_find_byte(pair, ':');
    *ret_user = str_slice(pair, 0, colon);
    *ret_password = str_slice(pair, colon + 1, pair.len);
    return colon < pair.len;
}

/* Is a quality of zero among the parameters of a coding? */
static bool is_refused(struct str parameters)
{
    struct str part;

    while (str_split(&parameters, ';', &part)) {
        struct str text = str_trim(part);
        if (text.len >= 3 && (text.ptr[0] | 0x20) == 'q' && text.ptr[1] == '=') {
            struct str value = str_slice(text, 2, text.len);
            for (size_t i = 0; i < value.len; i++) {
                if (value.ptr[i] != '0' && value.ptr[i] != '.') {
                    return false;
                }
            }
            return true;
        }
    }
    return false;
}

bool accepts_gzip(struct str accept_encoding)
{
    struct str coding;

    while (str_split(&accept_encoding, ',', &coding)) {
        size_t semicolon = str_find_byte(coding, ';');
        struct str name = str_trim(str_slice(coding, 0, semicolon));
        if (str_eq_nocase(name, STR("gzip"))) {
            return !is_refused(str_slice(coding, semicolon, coding.len));
        }
    }
    return false;
}
