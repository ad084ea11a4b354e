/*
 * http_guard.h - judging the headers that decide who may ask for what; pure functions over bytes.
 *
 * A browser that was led to a hostile page can send requests to a server on localhost. Two checks
 * stop it: the Host must be a name that is ours (a page cannot make a browser send another than its
 * own), and a request that changes something must come from a page of ours, if from a page at all.
 * Ownership: views of the inputs. Threads: any. Limits: none of their own; headers are capped by the
 * server.
 */
#ifndef TELEX_NET_HTTP_GUARD_H
#define TELEX_NET_HTTP_GUARD_H

#include "base/buf.h"
#include "base/options.h"
#include "base/str.h"

#include <stdbool.h>

/* "host", "host:port", "[v6]:port" -> host without brackets, port or ""; false on anything else. */
MUST_USE bool host_split(struct str authority, struct str *ret_host, struct str *ret_port);

/* Is it an IPv4 or IPv6 address (brackets removed)? Is it one that means this machine alone? */
bool host_is_address(struct str host);
bool host_is_loopback(struct str host);

struct host_rules {
    struct str listen_host;   /* as configured; "" or a wildcard address: any address is ours */
    struct option_list names; /* more names; "*" allows everything, "*.x" what ends in .x */
};

/* Is the value of a Host header one of ours? The port does not matter: it may have been mapped. */
bool host_is_allowed(struct str host_header, const struct host_rules *rules);

/* Does an Origin header name the same host and port as the Host header? "null" never does. */
bool origin_matches(struct str origin, struct str host_header);

/* "Bearer <token>", the scheme in any case. */
MUST_USE bool auth_parse_bearer(struct str header, struct str *ret_token);

/* "Basic <base64>"; user and password are in <scratch>. */
MUST_USE bool auth_parse_basic(struct str header, struct buf *scratch, struct str *ret_user,
                               struct str *ret_password);

/* Does an Accept-Encoding header take gzip? */
bool accepts_gzip(struct str accept_encoding);

#endif
