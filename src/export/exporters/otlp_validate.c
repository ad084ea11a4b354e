/* What was encoded is read again and compared with its rows, for debug.validate_schemas. */
#include "base/number.h"
#include "export/exporters/otlp_sink.h"
#include "wire/otlp_json.h"

#include <string.h>

enum { LABEL_BYTES_MAX = 1 << 30 };

static bool differs(struct err *e, uint32_t row, const char *what)
{
    return err_set(e, ERR_INTERNAL, "what was encoded of row %u has another %s", row, what);
}

static bool is_said(const struct samples *s, uint32_t row)
{
    const struct labels *l = s->series[s->series_of[row]];

    return s->time_ns[row] >= 0 && labels_get(l, STR("__name__")).len > 0;
}

/* Some: each point is of a row, and they are in order; rows without one stand between. */
static bool are_of_rows(const struct sent_rows *sent, const struct samples *s,
                        const struct samples *got, struct err *e)
{
    uint32_t at = 0;

    for (uint32_t i = sent->first; i < sent->end && at < got->count; i++) {
        uint32_t row = view_row(sent->view, i);
        at += number_bits(got->value[at]) == number_bits(s->value[row]) &&
              got->time_ns[at] == s->time_ns[row];
    }
    return at == got->count || err_set(e, ERR_INTERNAL, "a point was encoded that no row has");
}

static bool same_samples(const struct sent_rows *sent, const struct samples *s,
                         const struct samples *got, struct err *e)
{
    uint32_t at = 0;

    for (uint32_t i = sent->first; i < sent->end; i++) {
        uint32_t row = view_row(sent->view, i);
        if (!is_said(s, row)) {
            continue;
        }
        if (at == got->count || number_bits(got->value[at]) != number_bits(s->value[row])) {
            return differs(e, i, "value, or none");
        }
        if (s->time_ns[row] > 0 && got->time_ns[at] != s->time_ns[row]) {
            return differs(e, i, "time");
        }
        at++;
    }
    return at == got->count ||
           err_set(e, ERR_INTERNAL, "%u points were encoded of %u rows", got->count, at);
}

bool otlp_validate_samples(const struct sent_rows *sent, struct str body, bool some, struct err *e)
{
    const struct otlp_limits limits = {0, LABEL_BYTES_MAX};
    AUTO(arena_release) struct arena a;
    const struct samples *s = NULL;
    struct samples got;
    struct otlp_extras extras;

    arena_init(&a, ARENA_UNLIMITED);
    if (!batch_samples(sent->view.batch, &s, e) ||
        !otlp_metrics_read(body, &limits, &a, &got, &extras, e)) {
        return false;
    }
    bool ok = (some ? are_of_rows : same_samples)(sent, s, &got, e);
    for (uint32_t i = 0; i < got.series_count; i++) {
        labels_unref(got.series[i]);
    }
    return ok;
}

/* ---- spans ---- */

static bool is_of_scope(struct str name)
{
    return str_eq(name, otlp_scope_name) || str_eq(name, otlp_scope_version);
}

static size_t own_fields(const struct note *n)
{
    size_t count = 0;

    for (size_t i = 0; i < n->field_count; i++) {
        count += !is_of_scope(n->fields[i].name);
    }
    return count;
}

/* Each field; what the exporter says of itself is a field of its scope. Texts that are mended are not compared. */
static bool same_fields(const struct note *sent, const struct note *got)
{
    for (size_t i = 0; i < sent->field_count; i++) {
        const struct note_field *f = &sent->fields[i];
        const struct note_field *g = note_get(got, f->name);
        bool counts = validate_is_plain(f->name) && f->name.len > 0 &&
                      (f->type != NOTE_TEXT || validate_is_plain(f->text));
        if (counts && !is_of_scope(f->name) && (g == NULL || !validate_same_field(f, g))) {
            return false;
        }
    }
    return own_fields(sent) == own_fields(got);
}

/* The resource has all labels, and perhaps what the exporter was told to say. */
static bool has_labels(const struct note *sent, const struct note *got)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(sent->labels, &at, &pair);) {
        bool counts = validate_is_plain(pair.name) && validate_is_plain(pair.value);
        if (counts && !str_eq(labels_get(got->labels, pair.name), pair.value)) {
            return false;
        }
    }
    return true;
}

static bool same_part(const struct span_part *a, const struct span_part *b)
{
    return a->end_ns == b->end_ns && a->kind == b->kind && a->status == b->status &&
           str_eq(a->more, b->more) &&
           validate_same_text(b->status_message, a->status_message, SIZE_MAX);
}

static bool same_ids(const struct span_part *a, const struct span_part *b)
{
    return memcmp(a->trace_id, b->trace_id, TRACE_ID_BYTES) == 0 &&
           memcmp(a->span_id, b->span_id, SPAN_ID_BYTES) == 0 &&
           memcmp(a->parent_id, b->parent_id, SPAN_ID_BYTES) == 0;
}

/* What of the span is not the row's; NULL when all of it is. A prefix may stand before its name. */
static const char *difference(const struct note *sent, const struct note *got)
{
    return !same_ids(sent->span, got->span)    ? "id"
           : sent->time_ns != got->time_ns     ? "time"
           : !same_part(sent->span, got->span) ? "end, kind or status"
           : validate_is_plain(sent->name) && !str_ends(got->name, sent->name) ? "name"
           : !has_labels(sent, got)                                            ? "label"
           : !same_fields(sent, got)                                           ? "field"
                                                                               : NULL;
}

static bool can_be_said(const struct note *n)
{
    return n->span != NULL && n->time_ns >= 0 &&
           !span_id_is_none(n->span->trace_id, TRACE_ID_BYTES) &&
           !span_id_is_none(n->span->span_id, SPAN_ID_BYTES);
}

static bool same_spans(const struct sent_rows *sent, const struct notes *notes,
                       const struct notes *got, struct err *e)
{
    uint32_t at = 0;

    for (uint32_t i = sent->first; i < sent->end; i++) {
        const struct note *n = &notes->rows[view_row(sent->view, i)];
        if (!can_be_said(n)) {
            continue;
        }
        const char *what = at < got->count ? difference(n, &got->rows[at++]) : "end, or none";
        if (what != NULL) {
            return differs(e, i, what);
        }
    }
    return at == got->count ||
           err_set(e, ERR_INTERNAL, "%u spans were encoded of %u rows", got->count, at);
}

bool otlp_validate_spans(const struct sent_rows *sent, struct str body, struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct notes *notes = NULL;
    struct notes got;
    struct otlp_extras extras;

    arena_init(&a, ARENA_UNLIMITED);
    if (!batch_notes(sent->view.batch, &notes, e) || !otlp_spans_read(body, &a, &got, &extras, e)) {
        return false;
    }
    bool ok = same_spans(sent, notes, &got, e);
    for (uint32_t i = 0; i < got.count; i++) {
        labels_unref(got.rows[i].labels);
    }
    return ok;
}

bool otlp_validate(const void *config, const struct sent_rows *sent, struct str body, struct err *e)
{
    bool are_spans = batch_info(sent->view.batch)->kind == RECORD_SPAN;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    if (otlp_protocol_of(config, are_spans ? OTLP_TRACES : OTLP_METRICS) == OTLP_JSON) {
        if (!otlp_json_read(are_spans ? OTLP_TRACES_REQUEST : OTLP_METRICS_REQUEST, body, &a,
                            &message, e)) {
            return false;
        }
        body = buf_str(&message);
    }
    return are_spans ? otlp_validate_spans(sent, body, e)
                     : otlp_validate_samples(sent, body, false, e);
}
