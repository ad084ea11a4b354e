/*
 * json_flat.h - the members of a simple line of JSON, without a tree.
 *
 * Lines that programs write have no spaces, few escapes and objects one level deep. What is so is read in one pass; whatever
 * else there is makes it no simple line, and who asked parses it as any other. A simple line is valid JSON, and its members
 * are those that json_parse() finds, in order.
 *
 * Ownership: members point into the line. Threads: any; pure. Limits: JSON_FLAT_MAX members, ASCII.
 */
#ifndef TELEX_WIRE_JSON_FLAT_H
#define TELEX_WIRE_JSON_FLAT_H

#include "base/str.h"
#include "wire/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { JSON_FLAT_MAX = 64 };

struct json_member {
    struct str outer; /* the object that it is in; empty: the line's own */
    struct str key;
    enum json_kind kind; /* no object or array */
    struct str text;     /* of a string or number */
};

struct json_flat {
    size_t count;
    struct json_member members[JSON_FLAT_MAX];
};

/* False: it is not simple. */
bool json_flat_read(struct str line, struct json_flat *ret);

#endif
