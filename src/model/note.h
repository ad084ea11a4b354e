/*
 * note.h - what is neither a sample nor an alert: a time, labels, and fields of any name and type.
 *
 * A profile (what an application measured of itself at one time) is a note; a span (work that took from
 * one time to another, and what it was part of) is a note with a span_part. Fields keep their order; a
 * name stands once.
 *
 * Ownership: texts, fields and parts live in somebody's arena, mostly a batch's; labels are counted.
 * Threads: immutable once made. Limits: NOTE_FIELDS_MAX fields, texts as labels have them.
 */
#ifndef TELEX_MODEL_NOTE_H
#define TELEX_MODEL_NOTE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "model/labels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NOTE_FIELDS_MAX = 1024 };

enum note_type { NOTE_NUMBER, NOTE_INTEGER, NOTE_TEXT, NOTE_FLAG, NOTE_TYPES };

struct note_field {
    struct str name;
    enum note_type type;
    double number;   /* of NOTE_NUMBER */
    int64_t integer; /* of NOTE_INTEGER; of NOTE_FLAG 0 or 1 */
    struct str text; /* of NOTE_TEXT */
};

enum { TRACE_ID_BYTES = 16, SPAN_ID_BYTES = 8 };

/* Kinds and states have OTLP's numbers. */
enum span_kind {
    SPAN_KIND_UNSPECIFIED,
    SPAN_KIND_INTERNAL,
    SPAN_KIND_SERVER,
    SPAN_KIND_CLIENT,
    SPAN_KIND_PRODUCER,
    SPAN_KIND_CONSUMER,
    SPAN_KIND_COUNT
};
enum span_status { SPAN_STATUS_UNSET, SPAN_STATUS_OK, SPAN_STATUS_ERROR, SPAN_STATUSES };

struct span_part {
    uint8_t trace_id[TRACE_ID_BYTES];
    uint8_t span_id[SPAN_ID_BYTES];
    uint8_t parent_id[SPAN_ID_BYTES]; /* all zero: a root */
    int64_t end_ns;                   /* wall; never before the note's time */
    enum span_kind kind;
    enum span_status status;
    struct str status_message;
    struct str more; /* fields of OTLP's Span that are none of these (events, links), encoded */
};

struct note {
    int64_t time_ns; /* wall: of the measurement, or where a span starts */
    struct str name; /* of a span; of a profile what was measured, or empty */
    struct labels *labels;
    const struct note_field *fields;
    size_t field_count;
    const struct span_part *span; /* NULL: a profile */
};

/* Rows of a batch of profiles or spans. */
struct notes {
    const struct note *rows;
    uint32_t count;
};

/* NULL when it has none of that name. */
const struct note_field *note_get(const struct note *n, struct str name);

/* The field as a number; false for text. */
bool note_field_number(const struct note_field *f, double *ret_number);

/* The field as text: numbers shortest that read back the same, "true", "false". */
void note_field_print(const struct note_field *f, struct buf *out);

/* A copy whose texts live in <a>; its labels are referenced once more. */
struct note note_copy(struct arena *a, const struct note *n);

static inline int64_t note_duration_ns(const struct note *n)
{
    return n->span != NULL ? n->span->end_ns - n->time_ns : 0;
}

/* Is an id all zero, which means none? */
bool span_id_is_none(const uint8_t *id, size_t len);

#endif
