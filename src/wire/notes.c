/*
 * Embedded labels are the packed bytes of a set, which are a message {1 repeated Label} as they stand.
 */
#include "wire/notes.h"

#include "wire/notes_format.h"

#include "base/number.h"
#include "wire/pb.h"

#include <string.h>

/* ---- writing ---- */

/* The value is written even when it is zero: which of them is there says the type. */
static void put_field(const struct note_field *f, struct buf *out)
{
    size_t begun = pb_begin(out, NOTE_FIELD);

    pb_add_str(out, FIELD_NAME, f->name);
    if (f->type == NOTE_NUMBER) {
        pb_put_fixed(out, FIELD_NUMBER, number_bits(f->number));
    } else if (f->type == NOTE_TEXT) {
        pb_add_bytes(out, FIELD_TEXT, f->text);
    } else {
        pb_put_u64(out, f->type == NOTE_FLAG ? FIELD_FLAG : FIELD_INTEGER,
                   varint_zigzag(f->integer));
    }
    pb_end(out, begun);
}

static void put_id(struct buf *out, uint32_t field, const uint8_t *id, size_t len)
{
    if (!span_id_is_none(id, len)) {
        pb_add_str(out, field, str_make((const char *)id, len));
    }
}

static void put_span(const struct span_part *s, struct buf *out)
{
    size_t begun = pb_begin(out, NOTE_SPAN);

    put_id(out, SPAN_TRACE_ID, s->trace_id, TRACE_ID_BYTES);
    put_id(out, SPAN_SPAN_ID, s->span_id, SPAN_ID_BYTES);
    put_id(out, SPAN_PARENT_ID, s->parent_id, SPAN_ID_BYTES);
    pb_add_fixed(out, SPAN_END, (uint64_t)s->end_ns);
    pb_add_u64(out, SPAN_KIND, (uint64_t)s->kind);
    pb_add_u64(out, SPAN_STATUS, (uint64_t)s->status);
    pb_add_str(out, SPAN_MESSAGE, s->status_message);
    pb_add_str(out, SPAN_MORE, s->more);
    pb_end(out, begun);
}

static void put_note(const struct note *n, struct buf *out)
{
    size_t begun = pb_begin(out, NOTES_NOTE);

    pb_add_fixed(out, NOTE_TIME, (uint64_t)n->time_ns);
    pb_add_str(out, NOTE_NAME, n->name);
    pb_add_str(out, NOTE_LABELS, labels_bytes(n->labels));
    for (size_t i = 0; i < n->field_count; i++) {
        put_field(&n->fields[i], out);
    }
    if (n->span != NULL) {
        put_span(n->span, out);
    }
    pb_end(out, begun);
}

static bool notes_encode(const struct batch *b, struct buf *out, struct err *e)
{
    const struct notes *notes = batch_own_notes(b);

    (void)e;
    for (uint32_t i = 0; i < notes->count; i++) {
        put_note(&notes->rows[i], out);
    }
    return true;
}

/* ---- reading ---- */

static bool fail(struct err *e, const char *what)
{
    return err_set(e, ERR_PARSE, "bytes of profiles or spans are broken: %s", what);
}

static void take_field_part(const struct pb_field *in, struct note_field *f)
{
    if (in->number == FIELD_NAME && in->type == PB_BYTES) {
        f->name = in->bytes;
    } else if (in->number == FIELD_NUMBER && in->type == PB_FIXED64) {
        f->type = NOTE_NUMBER;
        f->number = pb_double(in);
    } else if (in->number == FIELD_TEXT && in->type == PB_BYTES) {
        f->type = NOTE_TEXT;
        f->text = in->bytes;
    } else if (in->number == FIELD_INTEGER && in->type == PB_VARINT) {
        f->type = NOTE_INTEGER;
        f->integer = varint_unzigzag(in->value);
    } else if (in->number == FIELD_FLAG && in->type == PB_VARINT) {
        f->type = NOTE_FLAG;
        f->integer = in->value != 0;
    }
}

static bool take_field(struct str bytes, struct note_field *f, struct err *e)
{
    struct pb_reader r;
    struct pb_field in;

    *f = (struct note_field){.name = STR(""), .text = STR("")};
    pb_read_init(&r, bytes);
    while (pb_next(&r, &in)) {
        take_field_part(&in, f);
    }
    return pb_ok(&r) || fail(e, "a field");
}

static bool take_id(const struct pb_field *in, uint8_t *id, size_t len, struct err *e)
{
    if (in->bytes.len != len) {
        return fail(e, "an id");
    }
    memcpy(id, in->bytes.ptr, len);
    return true;
}

static bool take_span_bytes(const struct pb_field *in, struct span_part *s, struct err *e)
{
    if (in->number == SPAN_TRACE_ID) {
        return take_id(in, s->trace_id, TRACE_ID_BYTES, e);
    }
    if (in->number == SPAN_SPAN_ID) {
        return take_id(in, s->span_id, SPAN_ID_BYTES, e);
    }
    if (in->number == SPAN_PARENT_ID) {
        return take_id(in, s->parent_id, SPAN_ID_BYTES, e);
    }
    if (in->number == SPAN_MESSAGE) {
        s->status_message = in->bytes;
    } else if (in->number == SPAN_MORE) {
        s->more = in->bytes;
    }
    return true;
}

static bool take_span_part(const struct pb_field *in, struct span_part *s, struct err *e)
{
    if (in->type == PB_BYTES) {
        return take_span_bytes(in, s, e);
    }
    if (in->number == SPAN_END && in->type == PB_FIXED64) {
        s->end_ns = (int64_t)in->value;
    } else if (in->number == SPAN_KIND && in->type == PB_VARINT) {
        s->kind = in->value < SPAN_KIND_COUNT ? (enum span_kind)in->value : SPAN_KIND_UNSPECIFIED;
    } else if (in->number == SPAN_STATUS && in->type == PB_VARINT) {
        s->status = in->value < SPAN_STATUSES ? (enum span_status)in->value : SPAN_STATUS_UNSET;
    }
    return true;
}

static bool take_span(struct str bytes, struct arena *a, struct note *n, struct err *e)
{
    struct span_part *s = arena_new(a, struct span_part);
    struct pb_reader r;
    struct pb_field in;
    bool ok = true;

    *s = (struct span_part){.status_message = STR(""), .more = STR("")};
    pb_read_init(&r, bytes);
    while (ok && pb_next(&r, &in)) {
        ok = take_span_part(&in, s, e);
    }
    n->span = s;
    return ok && (pb_ok(&r) || fail(e, "a span"));
}

static bool take_labels(struct str packed, struct labels **ret_labels, struct err *e)
{
    struct labels *l = NULL;

    if (!labels_from_bytes(packed, &l, e)) {
        return false;
    }
    labels_unref(*ret_labels);
    *ret_labels = l;
    return true;
}

/* Fields that a note's message has, of the length-delimited ones with this number. */
static bool count_of(struct str bytes, uint32_t number, size_t *ret_count)
{
    struct pb_reader r;
    struct pb_field f;
    size_t count = 0;

    pb_read_init(&r, bytes);
    while (pb_next(&r, &f)) {
        count += f.number == number && f.type == PB_BYTES;
    }
    *ret_count = count;
    return pb_ok(&r);
}

static bool take_note_part(const struct pb_field *in, struct arena *a, struct note *n,
                           struct note_field *fields, struct err *e)
{
    if (in->number == NOTE_TIME && in->type == PB_FIXED64) {
        n->time_ns = (int64_t)in->value;
    }
    if (in->type != PB_BYTES) {
        return true;
    }
    if (in->number == NOTE_NAME) {
        n->name = in->bytes;
    } else if (in->number == NOTE_LABELS) {
        return take_labels(in->bytes, &n->labels, e);
    } else if (in->number == NOTE_FIELD) {
        return take_field(in->bytes, &fields[n->field_count++], e);
    } else if (in->number == NOTE_SPAN) {
        return take_span(in->bytes, a, n, e);
    }
    return true;
}

/* Fills <n>; its labels belong to it even on failure. */
static bool take_note(struct str bytes, struct arena *a, struct note *n, struct err *e)
{
    struct pb_reader r;
    struct pb_field in;
    size_t count = 0;
    bool ok = true;

    *n = (struct note){.name = STR(""), .labels = labels_empty()};
    if (!count_of(bytes, NOTE_FIELD, &count) || count > NOTE_FIELDS_MAX) {
        return fail(e, "the fields of one");
    }
    struct note_field *fields = arena_try_alloc(a, count, sizeof(*fields));
    if (fields == NULL) {
        return err_set(e, ERR_LIMIT, "no room for %zu fields", count);
    }
    n->fields = fields;
    pb_read_init(&r, bytes);
    while (ok && pb_next(&r, &in)) {
        ok = take_note_part(&in, a, n, fields, e);
    }
    return ok;
}

/* Fills <rows>; on failure it releases what they hold. */
static bool take_notes(struct str encoded, struct arena *a, struct note *rows, struct err *e)
{
    struct pb_reader r;
    struct pb_field f;
    size_t at = 0;
    bool ok = true;

    pb_read_init(&r, encoded);
    while (ok && pb_next(&r, &f)) {
        if (f.number == NOTES_NOTE && f.type == PB_BYTES) {
            ok = take_note(f.bytes, a, &rows[at++], e);
        }
    }
    while (!ok && at > 0) {
        labels_unref(rows[--at].labels);
    }
    return ok;
}

static bool notes_decode(struct str encoded, struct batch *b, struct err *e)
{
    size_t count = 0;

    if (!count_of(encoded, NOTES_NOTE, &count)) {
        return fail(e, "the list");
    }
    struct note *rows = arena_try_alloc(batch_arena(b), count, sizeof(*rows));
    if (rows == NULL || count > BATCH_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "no room for %zu profiles or spans", count);
    }
    if (!take_notes(encoded, batch_arena(b), rows, e)) {
        return false;
    }
    batch_set_notes(b, (struct notes){.rows = rows, .count = (uint32_t)count});
    return true;
}

const struct batch_codec codec_profiles = {
    .id = 3,
    .name = "profiles",
    .kind = RECORD_PROFILE,
    .decode = notes_decode,
    .encode = notes_encode,
    .join = pb_join,
};

const struct batch_codec codec_spans = {
    .id = 4,
    .name = "spans",
    .kind = RECORD_SPAN,
    .decode = notes_decode,
    .encode = notes_encode,
    .join = pb_join,
};

const struct batch_codec *notes_codec(enum record_kind kind)
{
    return kind == RECORD_SPAN ? &codec_spans : &codec_profiles;
}
