/*
 * otlp_attributes.h - attributes as names and texts, and names as Prometheus spells them.
 *
 * A text is itself, a number its shortest form, bytes are base64; a list or map is JSON. Ownership: texts
 * are views of the message or live in the arena. Threads: confined. Limits: OTLP_DEPTH_MAX levels, beyond
 * which a value is no value.
 */
#ifndef TELEX_WIRE_OTLP_ATTRIBUTES_H
#define TELEX_WIRE_OTLP_ATTRIBUTES_H

#include "base/arena.h"
#include "wire/otlp_int.h"

/* A KeyValue taken apart; <value> is the AnyValue's bytes. False when it is not well formed. */
bool otlp_read_attribute(struct str bytes, struct str *ret_name, struct str *ret_value);

/* The one field of an AnyValue, the last of several; number 0: it has none. */
bool otlp_read_value(struct str value, struct pb_field *ret);

/* An AnyValue as text. */
bool otlp_value_text(struct str value, struct arena *a, struct str *ret_text);

/* [a-zA-Z_][a-zA-Z0-9_]*, with ':' too for metrics; what else there is becomes '_'. */
struct str otlp_label_name(struct str name, struct arena *a);
struct str otlp_metric_name(struct str name, struct arena *a);

#endif
