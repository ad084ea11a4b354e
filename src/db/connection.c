#include "db/connection.h"

#include "base/buf.h"

#include <string.h>

/* Shorter pieces are hidden where they are words, others inside of words too. */
enum { PIECE_MIN = 2, INSIDE_MIN = 8, PORT_DIGITS = 5 };

#define ESCAPE_IT \
    "in a user or a password '@' is written %%40, '/' %%2F, ':' %%3A, '?' %%3F, '#' %%23 and '%%' %%25"

/* Behind "scheme://"; text.len: it is no URL. */
static size_t authority_of(struct str text)
{
    size_t at = str_find(text, STR("://"));

    return at < text.len ? at + 3 : text.len;
}

/* Up to the query: the first '?' behind the user and the password, if it has them. */
static struct str without_query(struct str rest)
{
    size_t at = str_find_byte(rest, '@');
    size_t slash = str_find_byte(rest, '/');
    size_t from = at < slash ? at : 0;

    return str_slice(rest, 0, from + str_find_byte(str_slice(rest, from, rest.len), '?'));
}

static size_t count_byte(struct str text, char c)
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == c;
    }
    return count;
}

bool connection_check_url(struct str text, struct err *e)
{
    size_t from = authority_of(text);
    struct str rest = without_query(str_slice(text, from, text.len - from));
    size_t at = str_find_byte(rest, '@');
    bool is_behind_slash = at < rest.len && str_find_byte(rest, '/') < at;

    return (count_byte(rest, '@') <= 1 && !is_behind_slash) ||
           err_set(e, ERR_CONFIG,
                   "this connection string has an '@' too many, or a '/' before it: " ESCAPE_IT);
}

static bool is_port(struct str text)
{
    bool ok = text.len <= PORT_DIGITS;

    for (size_t i = 0; i < text.len; i++) {
        ok = ok && text.ptr[i] >= '0' && text.ptr[i] <= '9';
    }
    return ok;
}

bool connection_check_hosts(struct str hosts, struct str ports, struct err *e)
{
    struct str one;

    while (str_split(&hosts, ',', &one)) {
        size_t at = str_find_byte(one, '@');
        bool is_socket = one.len > 0 && (one.ptr[0] == '/' || one.ptr[0] == '@');
        if (at < one.len && !is_socket) {
            return err_set(e, ERR_CONFIG,
                           "the host of this connection string has an '@' in it: " ESCAPE_IT);
        }
    }
    while (str_split(&ports, ',', &one)) {
        if (!is_port(str_trim(one))) {
            return err_set(e, ERR_CONFIG,
                           "the port of this connection string is no number: " ESCAPE_IT);
        }
    }
    return true;
}

/* ---- hiding ---- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static void hide_piece(char *message, struct str piece)
{
    struct str said = str_of(message);

    for (size_t at = 0; piece.len >= PIECE_MIN && at + piece.len <= said.len; at++) {
        bool is_word =
            (at == 0 || !is_letter_or_digit(said.ptr[at - 1])) &&
            (at + piece.len == said.len || !is_letter_or_digit(said.ptr[at + piece.len]));
        if ((is_word || piece.len >= INSIDE_MIN) &&
            memcmp(message + at, piece.ptr, piece.len) == 0) {
            memset(message + at, '*', piece.len);
        }
    }
}

static void hide_in_both(struct err *e, struct str piece)
{
    hide_piece(e->message, piece);
    hide_piece(e->context, piece);
}

/* What is between signs that a library may cut at. */
static void hide_pieces(struct err *e, struct str secret)
{
    size_t from = 0;

    for (size_t i = 0; i <= secret.len; i++) {
        if (i == secret.len || strchr("@/?#:,;&=[]%'\" \t\r\n", secret.ptr[i]) != NULL) {
            hide_in_both(e, str_slice(secret, from, i - from));
            from = i + 1;
        }
    }
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void add_unescaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = text.ptr[i] == '%' && i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_of(text.ptr[i + 2]) : -1;
        buf_add_byte(out, low >= 0 ? (char)(high * 16 + low) : text.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
}

static void hide_both_ways(struct err *e, struct str secret)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(BUF_UNLIMITED);

    add_unescaped(&plain, secret);
    hide_in_both(e, secret); /* the whole before its parts, which would not be found any more */
    hide_in_both(e, buf_str(&plain));
    hide_pieces(e, secret);
    hide_pieces(e, buf_str(&plain));
    if (plain.len > 0) {
        explicit_bzero(plain.ptr, plain.len);
    }
}

/* Behind the user's ':' and up to the last '@' before the query. */
static void hide_in_authority(struct str text, struct err *e)
{
    size_t from = authority_of(text);
    struct str rest = without_query(str_slice(text, from, text.len - from));
    size_t end = rest.len;

    while (end > 0 && rest.ptr[end - 1] != '@') {
        end--;
    }
    struct str user = str_slice(rest, 0, end > 0 ? end - 1 : 0);
    size_t colon = str_find_byte(user, ':');
    if (colon < user.len) {
        hide_both_ways(e, str_slice(user, colon + 1, user.len - colon - 1));
    }
}

/* The value at the front of <text>, in quotes or up to what ends it. */
static struct str value_of(struct str text)
{
    bool is_quoted = text.len > 0 && text.ptr[0] == '\'';
    size_t from = is_quoted ? 1 : 0;
    size_t end = from;

    while (end < text.len && (is_quoted ? text.ptr[end] != '\'' || text.ptr[end - 1] == '\\'
                                        : strchr(" \t\r\n&", text.ptr[end]) == NULL)) {
        end++;
    }
    return str_slice(text, from, end - from);
}

/* The values of password=, sslpassword= and the like. */
static void hide_settings(struct str text, struct err *e)
{
    struct str name = STR("password");

    for (size_t at = str_find(text, name); at < text.len; at = str_find(text, name)) {
        text = str_trim(str_slice(text, at + name.len, text.len));
        if (text.len > 0 && text.ptr[0] == '=') {
            hide_both_ways(e, value_of(str_trim(str_slice(text, 1, text.len))));
        }
    }
}

bool connection_hide(struct str text, struct err *e)
{
    hide_in_authority(text, e);
    hide_settings(text, e);
    return err_false(false);
}
