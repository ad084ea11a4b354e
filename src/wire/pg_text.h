/*
 * pg_text.h - values as PostgreSQL writes them in text, as JSON has them.
 *
 * Numbers that JSON has stay as they are; truth becomes true and false; times become RFC 3339; bytea its bytes;
 * arrays JSON arrays. What has no such form (NaN, infinity, a date before our era, an array of a kind that we do not
 * know) stays the server's text. The server must write with DateStyle ISO, TimeZone UTC and bytea_output hex.
 *
 * Ownership: what is given lives in the text or in the arena. Threads: any; pure. Limits: arrays of PG_ARRAY_DEPTH
 * dimensions.
 */
#ifndef TELEX_WIRE_PG_TEXT_H
#define TELEX_WIRE_PG_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { PG_ARRAY_DEPTH = 6 };

enum pg_form {
    PG_FORM_TEXT,
    PG_FORM_NUMBER,
    PG_FORM_FLAG,
    PG_FORM_JSON,
    PG_FORM_BYTES,
    PG_FORM_TIME,      /* with time zone */
    PG_FORM_LOCAL_TIME /* without; taken as UTC */
};

struct pg_form_type {
    enum pg_form form; /* of an array: of its items */
    bool is_array;
    bool is_known; /* is the type one of PostgreSQL's own? */
};

struct pg_form_type pg_form_type_of(uint32_t oid);

/* What a value has become: TEXT, NUMBER, FLAG, JSON or BYTES. */
enum pg_form pg_text_value(struct pg_form_type type, struct str text, struct arena *a,
                           struct str *ret_value);

/* Appends an array's text as JSON; false (and what was appended is cut) when it is none. */
bool pg_array_add_json(enum pg_form items, struct str text, struct buf *out);

#endif
