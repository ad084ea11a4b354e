/*
 * url.h - http and https URLs: taken apart, put together, escaped, and made fit for a log.
 *
 * A URL is accepted only as it can go onto the wire: absolute, http or https, a host, no white space
 * or control bytes. Userinfo is recognised and refused where a URL comes from a person, because a
 * password in a URL ends up in logs; url_parse() says so. Ownership: parts are views of the text
 * they were parsed from; output goes to the caller's buf. Threads: any. Limits: URL_MAX bytes.
 */
#ifndef TELEX_NET_URL_H
#define TELEX_NET_URL_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { URL_MAX = 64 * 1024 };

struct url {
    struct str scheme;    /* as written: any case */
    struct str host;      /* without the brackets of an IPv6 address */
    struct str authority; /* host and port as written */
    struct str path;      /* escaped, "" or from the first slash on */
    struct str query;     /* escaped, without the question mark */
    uint16_t port;        /* the scheme's own when not written */
    bool secure;          /* https */
    bool ipv6;
};

/* Takes <text> apart; a fragment is cut off. An error quotes the URL without its secrets. */
MUST_USE bool url_parse(struct str text, struct url *ret_url, struct err *e);

/* Have both the same scheme, host (in any case) and port? */
bool url_same_origin(const struct url *a, const struct url *b);

/*
 * Appends <base> extended by <target>, a path with or without query: "http://h/p?a=1" and "/w?b=2"
 * give "http://h/p/w?a=1&b=2". An empty target gives the base.
 */
void url_add_joined(struct buf *out, struct str base, struct str target);

/*
 * Appends <text> as it may be shown: userinfo, and the values of query parameters that are named
 * like a secret, become "[redacted]". Works on anything, also on what is no URL.
 */
void url_add_redacted(struct buf *out, struct str text);

/*
 * Appends scheme, host and port of the URL <text>: what may always be shown, since a path can be a
 * secret (webhooks of chat services). A path or query shows as "/" and an ellipsis, so that nobody thinks
 * it was lost. What is no URL is redacted as above.
 */
void url_add_site(struct buf *out, struct str text);

/* Where an escaped text will stand; decides which bytes stay as they are. */
enum url_place {
    URL_SEGMENT, /* one path segment: a slash is escaped */
    URL_PATH,    /* a whole path: slashes stay */
    URL_QUERY,   /* a name or value in a query: a space becomes %20 */
    URL_FORM,    /* application/x-www-form-urlencoded: a space becomes + */
};

/* Appends <text> with upper-case percent escapes. */
void url_add_escaped(struct buf *out, struct str text, enum url_place place);

/* Appends <text> unescaped; false (with <out> as it was) on a broken escape. A plus stands for a
 * space in URL_QUERY and URL_FORM. */
MUST_USE bool url_add_unescaped(struct buf *out, struct str text, enum url_place place);

/* Appends "name=value", escaped, to the URL in <out>, after a question mark or an ampersand. */
void url_add_param(struct buf *out, struct str name, struct str value);

/* Appends "name=value", escaped, to the form in <out>. */
void form_add_param(struct buf *out, struct str name, struct str value);

/* Cuts the next "name=value" (still escaped, value may be empty) off a query; false at its end. */
bool url_next_param(struct str *query, struct str *ret_name, struct str *ret_value);

#endif
