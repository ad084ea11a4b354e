#include "lib/record.h"

#include "base/number.h"
#include "base/str.h"
#include "base/varint.h"
#include "model/note.h"
#include "wire/notes_format.h"
#include "wire/pb.h"

#include <string.h>

_Static_assert((int)TELEX_NUMBER == (int)NOTE_NUMBER && (int)TELEX_INTEGER == (int)NOTE_INTEGER &&
                   (int)TELEX_TEXT == (int)NOTE_TEXT && (int)TELEX_FLAG == (int)NOTE_FLAG,
               "fields have the model's types");
_Static_assert((int)TELEX_SPAN_CONSUMER == (int)SPAN_KIND_CONSUMER &&
                   (int)TELEX_SPAN_ERROR == (int)SPAN_STATUS_ERROR,
               "spans have the model's kinds and states");

enum { TAG_LEN = 1, FIXED_LEN = TAG_LEN + 8 };

/* ---- texts ---- */

static bool is_ascii(const char *text, size_t len)
{
    const unsigned char *p = (const unsigned char *)text;
    unsigned char all = 0;

    for (size_t i = 0; i < len; i++) {
        all |= p[i];
    }
    return all < 0x80;
}

/* A record never holds more than TELEX_RECORD_MAX bytes, so neither does a text of it. */
static int measure_text(const char *text, uint32_t *ret_len)
{
    size_t len = text != NULL ? strnlen(text, TELEX_RECORD_MAX) : 0;

    *ret_len = (uint32_t)len;
    if (len == TELEX_RECORD_MAX) {
        return TELEX_TOO_LARGE;
    }
    return is_ascii(text, len) || str_is_utf8(str_make(text, len)) ? TELEX_OK : TELEX_INVALID;
}

/* The same of one that must be there. */
static int measure_name(const char *text, uint32_t *ret_len)
{
    int code = measure_text(text, ret_len);

    return code == TELEX_OK && *ret_len == 0 ? TELEX_INVALID : code;
}

/* ---- lengths ---- */

/* Of a length-delimited field with its tag. */
static uint32_t bytes_len(uint32_t len)
{
    return (uint32_t)(TAG_LEN + varint_size(len)) + len;
}

/* The same, left out where it is empty. */
static uint32_t text_len(uint32_t len)
{
    return len > 0 ? bytes_len(len) : 0;
}

static uint32_t pair_len(const uint32_t lens[2])
{
    return bytes_len(lens[0]) + bytes_len(lens[1]);
}

static uint32_t value_len(const struct telex_field *f, uint32_t len)
{
    if (f->type == TELEX_NUMBER) {
        return FIXED_LEN;
    }
    if (f->type == TELEX_TEXT) {
        return bytes_len(len);
    }
    int64_t value = f->type == TELEX_FLAG ? f->value.integer != 0 : f->value.integer;
    return (uint32_t)(TAG_LEN + varint_size(varint_zigzag(value)));
}

static uint32_t field_len(const struct telex_field *f, const uint32_t lens[2])
{
    return bytes_len(lens[0]) + value_len(f, lens[1]);
}

/* ---- fields ---- */

static bool is_said_before(const struct record *r, size_t at)
{
    const char *name = r->fields[at].name;
    uint32_t len = r->field_lens[at][0];

    for (size_t i = 0; i < at; i++) {
        if (r->field_lens[i][0] == len && memcmp(r->fields[i].name, name, len) == 0) {
            return true;
        }
    }
    return false;
}

static int measure_fields(struct record *r, uint32_t *ret_len)
{
    uint32_t len = 0;

    for (size_t i = 0; i < r->field_count && len < TELEX_RECORD_MAX; i++) {
        const struct telex_field *f = &r->fields[i];
        int code =
            f->type <= TELEX_FLAG ? measure_name(f->name, &r->field_lens[i][0]) : TELEX_INVALID;
        if (code == TELEX_OK && f->type == TELEX_TEXT) {
            code = measure_text(f->value.text, &r->field_lens[i][1]);
        }
        if (code != TELEX_OK || is_said_before(r, i)) {
            return code != TELEX_OK ? code : TELEX_INVALID;
        }
        len += bytes_len(field_len(f, r->field_lens[i]));
    }
    *ret_len = len;
    return TELEX_OK;
}

/* ---- labels ---- */

/* Puts label <at> in its place among those before it; TELEX_INVALID: its name is there. */
static int place_label(struct record *r, uint8_t at)
{
    const char *name = r->labels[at].name;
    size_t to = r->label_count;

    while (to > 0) {
        int order = strcmp(r->labels[r->order[to - 1]].name, name);
        if (order == 0) {
            return TELEX_INVALID;
        }
        if (order < 0) {
            break;
        }
        r->order[to] = r->order[to - 1];
        to--;
    }
    r->order[to] = at;
    r->label_count++;
    return TELEX_OK;
}

static int measure_labels(struct record *r, size_t count)
{
    uint32_t len = 0;

    for (size_t i = 0; i < count && len < TELEX_RECORD_MAX; i++) {
        uint32_t *lens = r->label_lens[i];
        int code = measure_name(r->labels[i].name, &lens[0]);
        code = code == TELEX_OK ? measure_text(r->labels[i].value, &lens[1]) : code;
        if (code == TELEX_OK && lens[1] > 0) {
            code = place_label(r, (uint8_t)i);
            len += bytes_len(pair_len(lens));
        }
        if (code != TELEX_OK) {
            return code;
        }
    }
    r->labels_len = len;
    return TELEX_OK;
}

/* ---- spans ---- */

static uint32_t id_len(const uint8_t *id, uint32_t len)
{
    return span_id_is_none(id, len) ? 0 : bytes_len(len);
}

/* Fixed numbers and varints that are zero are left out, as proto3 does. */
static uint32_t measure_span(const struct record *r)
{
    return id_len(r->ids.trace_id, TELEX_TRACE_ID_BYTES) +
           id_len(r->ids.span_id, TELEX_SPAN_ID_BYTES) +
           id_len(r->ids.parent_id, TELEX_SPAN_ID_BYTES) + FIXED_LEN +
           (r->span->kind > 0 ? TAG_LEN + 1 : 0) + (r->span->status > 0 ? TAG_LEN + 1 : 0) +
           text_len(r->message_len);
}

/* ---- the whole ---- */

static int measure(struct record *r, size_t label_count, uint32_t *ret_len)
{
    uint32_t fields_len = 0;

    if (r->field_count > TELEX_FIELDS_MAX || label_count > TELEX_LABELS_MAX) {
        return TELEX_TOO_LARGE;
    }
    if ((r->field_count > 0 && r->fields == NULL) || (label_count > 0 && r->labels == NULL)) {
        return TELEX_INVALID;
    }
    int code = measure_text(r->name, &r->name_len);
    code = code == TELEX_OK ? measure_labels(r, label_count) : code;
    code = code == TELEX_OK ? measure_fields(r, &fields_len) : code;
    if (code != TELEX_OK) {
        return code;
    }
    r->span_len = r->span != NULL ? measure_span(r) : 0;
    r->note_len = FIXED_LEN + text_len(r->name_len) + text_len(r->labels_len) + fields_len +
                  text_len(r->span_len);
    *ret_len = bytes_len(r->note_len);
    return *ret_len <= TELEX_RECORD_MAX ? TELEX_OK : TELEX_TOO_LARGE;
}

/* Fills <r>; its arrays are filled as far as they are used. */
static void start(struct record *r)
{
    r->label_count = 0;
    r->message_len = 0;
    r->span = NULL;
}

int record_of_metrics(struct record *r, const struct telex_metrics *m, int64_t now_ns,
                      uint32_t *ret_len)
{
    if (m == NULL || m->struct_size < sizeof(*m) || (m->field_count == 0)) {
        return TELEX_INVALID;
    }
    start(r);
    r->time_ns = m->time_ns != 0 ? m->time_ns : now_ns;
    r->name = m->name;
    r->fields = m->fields;
    r->field_count = m->field_count;
    r->labels = m->labels;
    return measure(r, m->label_count, ret_len);
}

/* Ids that the span does not say; a span of a trace that is said stays in that one. */
static void take_ids(struct record *r, const struct telex_span_ids *said,
                     const struct telex_span_ids *fresh)
{
    r->ids = *said;
    if (span_id_is_none(said->span_id, TELEX_SPAN_ID_BYTES)) {
        memcpy(r->ids.span_id, fresh->span_id, TELEX_SPAN_ID_BYTES);
    }
    if (span_id_is_none(said->trace_id, TELEX_TRACE_ID_BYTES)) {
        memcpy(r->ids.trace_id, fresh->trace_id, TELEX_TRACE_ID_BYTES);
    }
}

int record_of_span(struct record *r, const struct telex_span *span, int64_t now_ns,
                   const struct telex_span_ids *ids, uint32_t *ret_len)
{
    if (span == NULL || span->struct_size < sizeof(*span) || span->duration_ns < 0 ||
        span->kind > TELEX_SPAN_CONSUMER || span->status > TELEX_SPAN_ERROR ||
        span->function_name == NULL || span->function_name[0] == '\0') {
        return TELEX_INVALID;
    }
    start(r);
    r->span = span;
    r->time_ns = span->start_ns != 0 ? span->start_ns : now_ns - span->duration_ns;
    if (r->time_ns > INT64_MAX - span->duration_ns) {
        return TELEX_INVALID;
    }
    take_ids(r, &span->ids, ids);
    r->name = span->function_name;
    r->fields = span->fields;
    r->field_count = span->field_count;
    r->labels = span->labels;
    int code = measure_text(span->status_message, &r->message_len);
    return code == TELEX_OK ? measure(r, span->label_count, ret_len) : code;
}

/* ---- writing ---- */

static char *put_tag(char *out, unsigned number, enum pb_type type)
{
    *out++ = (char)(number << 3 | (unsigned)type);
    return out;
}

static char *put_length(char *out, unsigned number, uint32_t len)
{
    return varint_put(put_tag(out, number, PB_BYTES), len);
}

static char *put_bytes(char *out, unsigned number, const void *bytes, uint32_t len)
{
    out = put_length(out, number, len);
    if (len > 0) {
        memcpy(out, bytes, len);
    }
    return out + len;
}

static char *put_text(char *out, unsigned number, const char *text, uint32_t len)
{
    return len > 0 ? put_bytes(out, number, text, len) : out;
}

static char *put_fixed(char *out, unsigned number, uint64_t value)
{
    return pb_store64(put_tag(out, number, PB_FIXED64), value);
}

static char *put_varint(char *out, unsigned number, uint64_t value)
{
    return varint_put(put_tag(out, number, PB_VARINT), value);
}

static char *put_labels(const struct record *r, char *out)
{
    if (r->labels_len == 0) {
        return out;
    }
    out = put_length(out, NOTE_LABELS, r->labels_len);
    for (size_t i = 0; i < r->label_count; i++) {
        const struct telex_label *l = &r->labels[r->order[i]];
        const uint32_t *lens = r->label_lens[r->order[i]];
        out = put_length(out, LABELS_PAIR, pair_len(lens));
        out = put_bytes(out, PAIR_NAME, l->name, lens[0]);
        out = put_bytes(out, PAIR_VALUE, l->value, lens[1]);
    }
    return out;
}

static char *put_field(const struct telex_field *f, const uint32_t lens[2], char *out)
{
    out = put_length(out, NOTE_FIELD, field_len(f, lens));
    out = put_bytes(out, FIELD_NAME, f->name, lens[0]);
    if (f->type == TELEX_NUMBER) {
        return put_fixed(out, FIELD_NUMBER, number_bits(f->value.number));
    }
    if (f->type == TELEX_TEXT) {
        return put_bytes(out, FIELD_TEXT, f->value.text, lens[1]);
    }
    if (f->type == TELEX_FLAG) {
        return put_varint(out, FIELD_FLAG, varint_zigzag(f->value.integer != 0));
    }
    return put_varint(out, FIELD_INTEGER, varint_zigzag(f->value.integer));
}

static char *put_id(char *out, unsigned number, const uint8_t *id, uint32_t len)
{
    return span_id_is_none(id, len) ? out : put_bytes(out, number, id, len);
}

static char *put_span(const struct record *r, char *out)
{
    const struct telex_span *s = r->span;

    out = put_length(out, NOTE_SPAN, r->span_len);
    out = put_id(out, SPAN_TRACE_ID, r->ids.trace_id, TELEX_TRACE_ID_BYTES);
    out = put_id(out, SPAN_SPAN_ID, r->ids.span_id, TELEX_SPAN_ID_BYTES);
    out = put_id(out, SPAN_PARENT_ID, r->ids.parent_id, TELEX_SPAN_ID_BYTES);
    out = put_fixed(out, SPAN_END, (uint64_t)(r->time_ns + s->duration_ns));
    out = s->kind > 0 ? put_varint(out, SPAN_KIND, s->kind) : out;
    out = s->status > 0 ? put_varint(out, SPAN_STATUS, s->status) : out;
    return put_text(out, SPAN_MESSAGE, s->status_message, r->message_len);
}

void record_write(const struct record *r, char *out)
{
    out = put_length(out, NOTES_NOTE, r->note_len);
    out = put_fixed(out, NOTE_TIME, (uint64_t)r->time_ns);
    out = put_text(out, NOTE_NAME, r->name, r->name_len);
    out = put_labels(r, out);
    for (size_t i = 0; i < r->field_count; i++) {
        out = put_field(&r->fields[i], r->field_lens[i], out);
    }
    if (r->span != NULL) {
        (void)put_span(r, out);
    }
}
