/* Spans as notes: attributes of one value become fields, all that has no column stays as it came. */
#include "wire/otlp_attributes.h"

#include "base/vec.h"

#include <string.h>

struct spans_reader {
    struct arena *arena;
    VEC(struct note) notes;
    VEC(struct note_field) fields; /* of the span that is read */
    struct labels *resource;       /* labels of the open group; or NULL */
    struct str scope_name;
    struct str scope_version;
    struct otlp_extras *extras;
    struct err *err;
};

static bool malformed(struct spans_reader *r, const char *what)
{
    return err_set(r->err, ERR_PARSE, "%s is not well formed", what);
}

/* ---- attributes ---- */

/* False: it is none that a field can hold. */
static bool field_of(struct str name, struct str value, struct note_field *ret)
{
    struct pb_field f;

    *ret = (struct note_field){.name = name, .text = STR("")};
    if (name.len == 0 || !otlp_read_value(value, &f)) {
        return false;
    }
    if (f.number == VALUE_STRING && f.type == PB_BYTES) {
        ret->type = NOTE_TEXT;
        ret->text = f.bytes;
    } else if (f.number == VALUE_DOUBLE && f.type == PB_FIXED64) {
        ret->type = NOTE_NUMBER;
        ret->number = pb_double(&f);
    } else if (f.number == VALUE_INT && f.type == PB_VARINT) {
        ret->type = NOTE_INTEGER;
        ret->integer = (int64_t)f.value;
    } else if (f.number == VALUE_BOOL && f.type == PB_VARINT) {
        ret->type = NOTE_FLAG;
        ret->integer = f.value != 0;
    } else {
        return false;
    }
    return true;
}

static bool has_field(const struct spans_reader *r, struct str name)
{
    for (size_t i = 0; i < r->fields.len; i++) {
        if (str_eq(r->fields.items[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* A field, or <raw> to what is kept as it came. */
static bool take_attribute(struct spans_reader *r, struct str bytes, struct str raw,
                           struct buf *more)
{
    struct str name;
    struct str value;
    struct note_field field;

    if (!otlp_read_attribute(bytes, &name, &value)) {
        return malformed(r, "an attribute");
    }
    if (r->fields.len < NOTE_FIELDS_MAX && field_of(name, value, &field) && !has_field(r, name)) {
        vec_push(&r->fields, field);
    } else {
        buf_add_str(more, raw);
    }
    return true;
}

/* ---- a span ---- */

static void take_id(struct str bytes, uint8_t *id, size_t len)
{
    if (bytes.len == len) {
        memcpy(id, bytes.ptr, len);
    }
}

static void take_status(struct str bytes, struct span_part *s)
{
    struct pb_reader in;
    struct pb_field f;

    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        if (f.number == STATUS_MESSAGE && f.type == PB_BYTES) {
            s->status_message = f.bytes;
        } else if (f.number == STATUS_CODE && f.type == PB_VARINT && f.value < SPAN_STATUSES) {
            s->status = (enum span_status)f.value;
        }
    }
}

/* Is it a column of length-delimited type? Then it is taken. */
static bool take_bytes(const struct pb_field *f, struct note *n, struct span_part *s)
{
    if (f->number == SPAN_TRACE_ID) {
        take_id(f->bytes, s->trace_id, TRACE_ID_BYTES);
    } else if (f->number == SPAN_ID) {
        take_id(f->bytes, s->span_id, SPAN_ID_BYTES);
    } else if (f->number == SPAN_PARENT) {
        take_id(f->bytes, s->parent_id, SPAN_ID_BYTES);
    } else if (f->number == SPAN_NAME) {
        n->name = f->bytes;
    } else if (f->number == SPAN_STATUS) {
        take_status(f->bytes, s);
    } else {
        return false;
    }
    return true;
}

static bool take_number(const struct pb_field *f, struct note *n, struct span_part *s)
{
    if (f->number == SPAN_START && f->type == PB_FIXED64) {
        n->time_ns = (int64_t)f->value;
    } else if (f->number == SPAN_END && f->type == PB_FIXED64) {
        s->end_ns = (int64_t)f->value;
    } else if (f->number == SPAN_KIND && f->type == PB_VARINT) {
        s->kind = f->value < SPAN_KIND_COUNT ? (enum span_kind)f->value : SPAN_KIND_UNSPECIFIED;
    } else {
        return false;
    }
    return true;
}

static void push_text(struct spans_reader *r, struct str name, struct str text)
{
    const struct note_field field = {.name = name, .type = NOTE_TEXT, .text = text};

    if (text.len > 0 && !has_field(r, name) && r->fields.len < NOTE_FIELDS_MAX) {
        vec_push(&r->fields, field);
    }
}

static bool read_fields(struct spans_reader *r, struct str bytes, struct note *n,
                        struct span_part *s, struct buf *more)
{
    struct pb_reader in;
    struct pb_field f;
    bool ok = true;
    const char *from = NULL;

    pb_read_init(&in, bytes);
    for (from = in.at; ok && pb_next(&in, &f); from = in.at) {
        struct str raw = str_make(from, (size_t)(in.at - from));
        if (f.number == SPAN_ATTRIBUTES && f.type == PB_BYTES) {
            ok = take_attribute(r, f.bytes, raw, more);
        } else if (!(f.type == PB_BYTES ? take_bytes : take_number)(&f, n, s)) {
            buf_add_str(more, raw);
        }
    }
    return ok && (pb_ok(&in) || malformed(r, "a span"));
}

static bool read_span(struct spans_reader *r, struct str bytes)
{
    AUTO(buf_release) struct buf more = BUF_INIT(BUF_UNLIMITED);
    struct span_part *s = arena_new(r->arena, struct span_part);
    struct note n = {.name = STR("")};

    s->status_message = STR("");
    r->fields.len = 0;
    if (arena_over(r->arena)) {
        return err_set(r->err, ERR_LIMIT, "these spans take too much memory; send less at once");
    }
    if (!read_fields(r, bytes, &n, s, &more)) {
        return false;
    }
    if (span_id_is_none(s->trace_id, TRACE_ID_BYTES) ||
        span_id_is_none(s->span_id, SPAN_ID_BYTES) || n.time_ns < 0) {
        r->extras->bad++;
        return true;
    }
    push_text(r, otlp_scope_name, r->scope_name);
    push_text(r, otlp_scope_version, r->scope_version);
    struct note_field *fields = arena_array(r->arena, struct note_field, r->fields.len);
    if (r->fields.len > 0) {
        memcpy(fields, r->fields.items, r->fields.len * sizeof(*fields));
    }
    s->end_ns = s->end_ns < n.time_ns ? n.time_ns : s->end_ns;
    s->more = arena_dup(r->arena, buf_str(&more));
    n.fields = fields;
    n.field_count = r->fields.len;
    n.span = s;
    n.labels = labels_ref(r->resource);
    vec_push(&r->notes, n);
    return r->notes.len <= OTLP_POINTS_MAX ||
           err_set(r->err, ERR_LIMIT, "more than %d spans in one request; send less at once",
                   OTLP_POINTS_MAX);
}

/* ---- groups ---- */

static bool read_scope_head(struct spans_reader *r, struct str bytes)
{
    struct pb_reader in;
    struct pb_field f;

    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        if (f.number == SCOPE_NAME && f.type == PB_BYTES) {
            r->scope_name = f.bytes;
        } else if (f.number == SCOPE_VERSION && f.type == PB_BYTES) {
            r->scope_version = f.bytes;
        }
    }
    return pb_ok(&in) || malformed(r, "a scope");
}

/* What says whose the items are may stand behind them, so it is looked for first. */
static bool read_parts(struct spans_reader *r, struct str bytes,
                       bool (*const readers[])(struct spans_reader *, struct str))
{
    bool ok = true;

    for (uint32_t part = 1; ok && part <= 2; part++) {
        struct pb_reader in;
        struct pb_field f;
        pb_read_init(&in, bytes);
        while (ok && pb_next(&in, &f)) {
            ok = f.number != part || f.type != PB_BYTES || readers[part - 1](r, f.bytes);
        }
        ok = ok && (pb_ok(&in) || malformed(r, "what is of one resource"));
    }
    return ok;
}

static bool read_scope(struct spans_reader *r, struct str bytes)
{
    static bool (*const readers[])(struct spans_reader *, struct str) = {read_scope_head,
                                                                         read_span};

    r->scope_name = STR("");
    r->scope_version = STR("");
    return read_parts(r, bytes, readers);
}

static bool read_resource(struct spans_reader *r, struct str bytes)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct pb_reader in;
    struct pb_field f;

    labels_builder_init(&b);
    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        struct str name;
        struct str value;
        struct str text;
        if (f.number != RESOURCE_ATTRIBUTES || f.type != PB_BYTES) {
            continue;
        }
        if (!otlp_read_attribute(f.bytes, &name, &value)) {
            return malformed(r, "a resource's attribute");
        }
        if (name.len > 0 && otlp_value_text(value, r->arena, &text)) {
            labels_builder_set(&b, name, text);
        } else {
            r->extras->bad++;
        }
    }
    if (!pb_ok(&in) || !labels_build(&b, &l, r->err)) {
        return malformed(r, "a resource");
    }
    labels_unref(r->resource);
    r->resource = l;
    return true;
}

static bool read_group(struct spans_reader *r, struct str bytes)
{
    static bool (*const readers[])(struct spans_reader *, struct str) = {read_resource, read_scope};

    labels_unref(r->resource);
    r->resource = labels_ref(labels_empty());
    return read_parts(r, bytes, readers);
}

bool otlp_spans_read(struct str message, struct arena *a, struct notes *ret_spans,
                     struct otlp_extras *ret_extras, struct err *e)
{
    struct otlp_extras extras = {0};
    struct spans_reader r = {.arena = a, .extras = &extras, .err = e};
    struct pb_reader in;
    struct pb_field f;
    bool ok = true;

    pb_read_init(&in, message);
    while (ok && pb_next(&in, &f)) {
        ok = f.number != REQUEST_RESOURCES || f.type != PB_BYTES || read_group(&r, f.bytes);
    }
    ok = ok && (pb_ok(&in) || malformed(&r, "the request"));
    if (ok) {
        struct note *rows = arena_array(a, struct note, r.notes.len);
        if (r.notes.len > 0) {
            memcpy(rows, r.notes.items, r.notes.len * sizeof(*rows));
        }
        *ret_spans = (struct notes){rows, (uint32_t)r.notes.len};
        *ret_extras = extras;
    }
    for (size_t i = 0; !ok && i < r.notes.len; i++) {
        labels_unref(r.notes.items[i].labels);
    }
    labels_unref(r.resource);
    vec_release(&r.notes);
    vec_release(&r.fields);
    return ok;
}
