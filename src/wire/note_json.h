/*
 * note_json.h - the JSON of profiles and spans: an object whose members are the fields themselves.
 *
 *   {"kind":"profile","timestamp":"...","name":"...","messages_per_second":14000,"labels":{...}}
 *   {"kind":"span","timestamp":"...","function_name":"...","execution_time_ms":12.5,"trace_id":"...",
 *    "span_id":"...","parent_id":"...","status":"ok","memory_usage_mb":8,"labels":{...}}
 *
 * A field called as one of those members, of which there are few, stands in "fields":{...} instead. A
 * span that comes without ids gets them from its content, so that it is the same span when it comes
 * again. What OTLP's spans have beyond this (events, links, trace state, attributes that are lists) stands in
 * "otlp":{...} in OTLP's JSON form.
 *
 * Ownership: a note read has views of the JSON and of the arena, and a counted label set. Threads: any.
 * Limits: NOTE_FIELDS_MAX fields.
 */
#ifndef TELEX_WIRE_NOTE_JSON_H
#define TELEX_WIRE_NOTE_JSON_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"

struct json_node;

/* Appends the object of a profile or span. */
void note_json_add(const struct note *n, struct buf *out);

/*
 * Reads an object of a kind that has notes; <now_ns> is the time of one that says none. A span's ids are
 * those that it says: span_fill_ids() makes the others. Errors point into <json>, the object's text.
 */
MUST_USE bool note_json_read(struct str json, const struct json_node *object, enum record_kind kind,
                             int64_t now_ns, struct arena *a, struct note *ret_note, struct err *e);

/*
 * Gives a span that lacks them an id, and one of its trace: of its time, name, labels and parent. Its
 * span_part must be the caller's own.
 */
void span_fill_ids(const struct note *n);

/* 32 or 16 hex digits; false, and nothing, when they are not that many or none. */
bool span_id_parse(struct str hex, uint8_t *ret_id, size_t len);
void span_id_print(const uint8_t *id, size_t len, struct buf *out);

#endif
