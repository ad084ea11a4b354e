/*
 * otlp_schema.h - OTLP's messages as tables: what each field is called in JSON, its number and its type.
 *
 * Only what turns one form into the other needs them; the readers and writers of samples and spans know
 * their fields themselves. Ownership: static tables. Threads: const. Limits: field numbers below
 * OTLP_FIELDS_MAX.
 */
#ifndef TELEX_WIRE_OTLP_SCHEMA_H
#define TELEX_WIRE_OTLP_SCHEMA_H

#include "base/str.h"
#include "wire/otlp_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OTLP_FIELDS_MAX = 64 };

enum otlp_type {
    OTLP_MESSAGE,
    OTLP_STRING,
    OTLP_ID,    /* bytes; hex in JSON */
    OTLP_BYTES, /* base64 in JSON */
    OTLP_BOOL,
    OTLP_INT64,    /* varint; a text in JSON, as all numbers of 64 bits */
    OTLP_UINT64,   /* varint */
    OTLP_UINT32,   /* varint; also enums */
    OTLP_SINT32,   /* zigzag */
    OTLP_FIXED64,  /* unsigned */
    OTLP_SFIXED64, /* signed */
    OTLP_FIXED32,
    OTLP_DOUBLE,
    OTLP_TYPES
};

struct otlp_message;

struct otlp_field {
    const char *name;
    uint32_t number;
    enum otlp_type type;
    bool is_repeated; /* numbers are packed */
    const struct otlp_message *of;
};

struct otlp_message {
    const struct otlp_field *fields;
    size_t count;
};

/* The message of a form. */
const struct otlp_message *otlp_message_of(enum otlp_form form);

/* The field of that name; NULL: there is none. */
const struct otlp_field *otlp_field_named(const struct otlp_message *m, struct str name);

#endif
