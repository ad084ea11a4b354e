/* Spans as OTLP has them, those of one resource and scope behind each other in one group. */
#include "wire/otlp_int.h"

#include "base/number.h"

#include <string.h>

void otlp_spans_begin(struct otlp_spans_writer *w, const struct otlp_origin *origin,
                      struct str name_prefix, struct buf *out)
{
    *w = (struct otlp_spans_writer){.out = out, .origin = *origin, .name_prefix = name_prefix};
}

/* ---- groups ---- */

static struct str text_of(const struct note *n, struct str name)
{
    const struct note_field *f = note_get(n, name);

    return f != NULL && f->type == NOTE_TEXT ? f->text : STR("");
}

static bool are_of_one_group(const struct note *a, const struct note *b)
{
    return labels_eq(a->labels, b->labels) &&
           str_eq(text_of(a, otlp_scope_name), text_of(b, otlp_scope_name)) &&
           str_eq(text_of(a, otlp_scope_version), text_of(b, otlp_scope_version));
}

static struct str value_of(const struct otlp_spans_writer *w, const struct label *r,
                           const struct labels *l)
{
    struct str own = w->service_label.len > 0 && str_eq(r->name, STR("service.name"))
                         ? labels_get(l, w->service_label)
                         : STR("");

    return own.len > 0 ? own : r->value;
}

/* What the span itself says goes before what the exporter is told to say. */
static void add_resource(struct otlp_spans_writer *w, const struct labels *l)
{
    size_t resource = pb_begin(w->out, OF_RESOURCE);
    uint32_t at = 0;
    struct label pair;

    for (size_t i = 0; i < w->origin.resource_count; i++) {
        const struct label *r = &w->origin.resource[i];
        if (labels_get(l, r->name).len == 0) {
            otlp_add_attribute(w->out, RESOURCE_ATTRIBUTES, r->name, value_of(w, r, l));
        }
    }
    while (labels_next(l, &at, &pair)) {
        otlp_add_attribute(w->out, RESOURCE_ATTRIBUTES, pair.name, pair.value);
    }
    pb_end(w->out, resource);
}

static void add_scope(struct otlp_spans_writer *w, const struct note *n)
{
    struct str name = text_of(n, otlp_scope_name);
    bool is_own = name.len > 0;
    size_t scope = pb_begin(w->out, IN_SCOPE);

    otlp_add_text(w->out, SCOPE_NAME, is_own ? name : w->origin.scope_name);
    otlp_add_text(w->out, SCOPE_VERSION,
                  is_own ? text_of(n, otlp_scope_version) : w->origin.scope_version);
    pb_end(w->out, scope);
}

static void begin_group(struct otlp_spans_writer *w, const struct note *n)
{
    w->first = n;
    w->resource = pb_begin(w->out, REQUEST_RESOURCES);
    add_resource(w, n->labels);
    w->scope = pb_begin(w->out, OF_SCOPES);
    add_scope(w, n);
}

static void end_group(struct otlp_spans_writer *w)
{
    if (w->first != NULL) {
        pb_end(w->out, w->scope);
        pb_end(w->out, w->resource);
        w->first = NULL;
    }
}

/* ---- a span ---- */

static void add_number(struct buf *out, const struct note_field *f)
{
    pb_put_fixed(out, VALUE_DOUBLE, number_bits(f->number));
}

static void add_integer(struct buf *out, const struct note_field *f)
{
    pb_put_u64(out, VALUE_INT, (uint64_t)f->integer);
}

static void add_flag(struct buf *out, const struct note_field *f)
{
    pb_put_u64(out, VALUE_BOOL, f->integer != 0);
}

static void add_field(struct buf *out, const struct note_field *f)
{
    static void (*const adders[NOTE_TYPES])(struct buf *, const struct note_field *) = {
        [NOTE_NUMBER] = add_number,
        [NOTE_INTEGER] = add_integer,
        [NOTE_FLAG] = add_flag,
    };

    if (f->type == NOTE_TEXT) {
        otlp_add_attribute(out, SPAN_ATTRIBUTES, f->name, f->text);
        return;
    }
    size_t attribute = pb_begin(out, SPAN_ATTRIBUTES);
    otlp_add_text(out, KEY_NAME, f->name);
    size_t value = pb_begin(out, KEY_VALUE);
    adders[f->type](out, f);
    pb_end(out, value);
    pb_end(out, attribute);
}

static void add_id(struct buf *out, uint32_t field, const uint8_t *id, size_t len)
{
    if (!span_id_is_none(id, len)) {
        pb_add_bytes(out, field, str_make((const char *)id, len));
    }
}

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* "profiling" and "parse" are "profiling.parse"; a prefix that ends in a separator needs no other. */
static void add_name(struct otlp_spans_writer *w, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct str prefix = w->name_prefix;

    if (prefix.len == 0) {
        otlp_add_text(w->out, SPAN_NAME, name);
        return;
    }
    buf_add_str(&text, prefix);
    buf_add_text(&text, is_letter_or_digit(prefix.ptr[prefix.len - 1]) ? "." : "");
    buf_add_str(&text, name);
    otlp_add_text(w->out, SPAN_NAME, buf_str(&text));
}

static void add_status(struct buf *out, const struct span_part *s)
{
    if (s->status == SPAN_STATUS_UNSET && s->status_message.len == 0) {
        return;
    }
    size_t status = pb_begin(out, SPAN_STATUS);
    otlp_add_text(out, STATUS_MESSAGE, s->status_message);
    pb_add_u64(out, STATUS_CODE, s->status);
    pb_end(out, status);
}

static bool is_of_scope(const struct note_field *f)
{
    return f->type == NOTE_TEXT &&
           (str_eq(f->name, otlp_scope_name) || str_eq(f->name, otlp_scope_version));
}

static void add_span(struct otlp_spans_writer *w, const struct note *n)
{
    const struct span_part *s = n->span;
    size_t span = pb_begin(w->out, IN_ITEMS);

    add_id(w->out, SPAN_TRACE_ID, s->trace_id, TRACE_ID_BYTES);
    add_id(w->out, SPAN_ID, s->span_id, SPAN_ID_BYTES);
    add_id(w->out, SPAN_PARENT, s->parent_id, SPAN_ID_BYTES);
    add_name(w, n->name);
    pb_add_u64(w->out, SPAN_KIND, s->kind);
    pb_add_fixed(w->out, SPAN_START, (uint64_t)n->time_ns);
    pb_add_fixed(w->out, SPAN_END, (uint64_t)s->end_ns);
    for (size_t i = 0; i < n->field_count; i++) {
        if (!is_of_scope(&n->fields[i])) {
            add_field(w->out, &n->fields[i]);
        }
    }
    add_status(w->out, s);
    buf_add_str(w->out, s->more);
    pb_end(w->out, span);
}

const char *otlp_spans_add(struct otlp_spans_writer *w, const struct note *n)
{
    if (n->span == NULL || span_id_is_none(n->span->trace_id, TRACE_ID_BYTES) ||
        span_id_is_none(n->span->span_id, SPAN_ID_BYTES)) {
        return "OTLP has no span without ids";
    }
    if (n->time_ns < 0) {
        return "OTLP has no time before 1970";
    }
    if (w->first == NULL || !are_of_one_group(w->first, n)) {
        end_group(w);
        begin_group(w, n);
    }
    add_span(w, n);
    w->spans++;
    return NULL;
}

void otlp_spans_end(struct otlp_spans_writer *w)
{
    end_group(w);
}
