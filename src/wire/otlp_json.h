/*
 * otlp_json.h - OTLP's JSON form, turned into protobuf and back, so that all else knows one form only.
 *
 * Names are lowerCamelCase, ids hex, integers of 64 bits texts, enums integers. What a field that is not
 * known holds is passed over, as receivers have to; numbers are taken as texts and texts as numbers.
 * NaN and infinities are the texts "NaN", "Infinity" and "-Infinity".
 *
 * Ownership: writers append to the caller's buffer; texts with escapes are decoded in the arena. Threads:
 * confined. Limits: JSON_DEPTH_MAX levels, beyond which reading fails and writing leaves out; the buffer's.
 */
#ifndef TELEX_WIRE_OTLP_JSON_H
#define TELEX_WIRE_OTLP_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

/* The messages that travel on their own. */
enum otlp_form {
    OTLP_METRICS_REQUEST,
    OTLP_METRICS_RESPONSE,
    OTLP_TRACES_REQUEST,
    OTLP_TRACES_RESPONSE,
    OTLP_RPC_STATUS, /* google.rpc.Status without its details */
    OTLP_SPAN_REST,  /* the fields of a Span that have no place in a record */
    OTLP_FORMS
};

/* JSON to protobuf; false with the position when <json> is none, or a field is not of its type. */
MUST_USE bool otlp_json_read(enum otlp_form form, struct str json, struct arena *a,
                             struct buf *message, struct err *e);

/* Protobuf to JSON; false when <message> is not well formed, or the buffer is full. */
MUST_USE bool otlp_json_write(enum otlp_form form, struct str message, struct buf *json,
                              struct err *e);

#endif
