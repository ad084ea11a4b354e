/*
 * What was encoded for Datadog's agent is read again and compared, for debug.validate_schemas. Spans stand by their
 * traces there, so rows are looked up by their ids, each once.
 */
#include "base/mem.h"
#include "export/exporters/datadog.h"
#include "wire/datadog_traces.h"
#include "wire/datadog_traces_read.h"
#include "wire/note_json.h"

#include <math.h>
#include <stdlib.h>

/* A row, by the ids that it has there. */
struct key {
    uint64_t trace_id;
    uint64_t span_id;
    const struct note *note;
    uint32_t row;
    bool is_taken;
};

static uint64_t id_number(const uint8_t *bytes)
{
    uint64_t id = 0;

    for (size_t i = 0; i < SPAN_ID_BYTES; i++) {
        id = id << 8 | bytes[i];
    }
    return id;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_ids(const void *a, const void *b)
{
    const struct key *x = a;
    const struct key *y = b;
    int order = compare_numbers(x->trace_id, y->trace_id);

    order = order != 0 ? order : compare_numbers(x->span_id, y->span_id);
    return order != 0 ? order : compare_numbers(x->row, y->row);
}

static struct key *make_keys(const struct sent_rows *sent, const struct notes *notes)
{
    uint32_t n = sent->end - sent->first;
    struct key *keys = mem_alloc0((size_t)n + 1, sizeof(*keys));

    for (uint32_t i = 0; i < n; i++) {
        const struct note *note = &notes->rows[view_row(sent->view, sent->first + i)];
        keys[i] = (struct key){id_number(note->span->trace_id + SPAN_ID_BYTES),
                               id_number(note->span->span_id), note, sent->first + i, false};
    }
    qsort(keys, n, sizeof(*keys), by_ids);
    return keys;
}

/* ---- one span ---- */

static struct str meta_of(const struct datadog_span *span, struct str name)
{
    const struct datadog_pair *pair = datadog_pair_get(&span->meta, name);

    return pair != NULL ? pair->text : STR("");
}

static bool has_field(const struct datadog_span *span, const struct note_field *f)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    double number = 0;

    if (!validate_is_plain(f->name) || f->name.len > DATADOG_META_KEY_MAX || f->name.len == 0) {
        return true;
    }
    if (f->type != NOTE_FLAG && note_field_number(f, &number) && isfinite(number)) {
        const struct datadog_pair *metric = datadog_pair_get(&span->metrics, f->name);
        return metric != NULL && metric->number == number;
    }
    note_field_print(f, &text);
    return validate_same_text(meta_of(span, f->name), buf_str(&text), DATADOG_META_VALUE_MAX);
}

static bool has_fields(const struct datadog_span *span, const struct note *n)
{
    for (size_t i = 0; i < n->field_count; i++) {
        if (!has_field(span, &n->fields[i])) {
            return false;
        }
    }
    return true;
}

static bool is_service(struct str name)
{
    return str_eq(name, STR("service.name")) || str_eq(name, STR("service"));
}

static bool has_labels(const struct datadog_span *span, const struct note *n)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(n->labels, &at, &pair);) {
        bool counts = !is_service(pair.name) && note_get(n, pair.name) == NULL &&
                      validate_is_plain(pair.name) && pair.name.len <= DATADOG_META_KEY_MAX;
        if (counts &&
            !validate_same_text(meta_of(span, pair.name), pair.value, DATADOG_META_VALUE_MAX)) {
            return false;
        }
    }
    return true;
}

static bool has_service(const struct datadog_config *c, const struct datadog_span *span,
                        const struct note *n)
{
    struct str service = labels_get(n->labels, STR("service.name"));

    service = service.len > 0 ? service : labels_get(n->labels, STR("service"));
    service = service.len > 0 ? service : c->apm.service;
    service = service.len > 0 ? service : STR(DATADOG_SERVICE);
    return validate_same_text(span->service, service, DATADOG_SERVICE_MAX);
}

static bool has_names(const struct datadog_span *span, struct str name)
{
    name = name.len > 0 ? name : STR("unnamed");
    return validate_same_text(span->name, name, DATADOG_SPAN_NAME_MAX) &&
           validate_same_text(span->resource, name, DATADOG_RESOURCE_MAX);
}

/* The upper half of the trace's id, unless the span has another of its own. */
static bool has_upper_half(const struct datadog_span *span, const struct note *n)
{
    static const struct str name = STR_INIT("_dd.p.tid");
    AUTO(buf_release) struct buf hex = BUF_INIT(64);

    if (note_get(n, name) != NULL || labels_get(n->labels, name).len > 0) {
        return true;
    }
    if (!span_id_is_none(n->span->trace_id, SPAN_ID_BYTES)) {
        span_id_print(n->span->trace_id, SPAN_ID_BYTES, &hex);
    }
    return str_eq(meta_of(span, name), buf_str(&hex));
}

static bool has_times(const struct datadog_span *span, const struct note *n)
{
    return span->start_ns == (n->time_ns > 0 ? (uint64_t)n->time_ns : 0) &&
           span->duration_ns == (uint64_t)note_duration_ns(n) &&
           span->parent_id == id_number(n->span->parent_id) &&
           span->error == (n->span->status == SPAN_STATUS_ERROR);
}

/* What of the span is not the row's; NULL when all of it is. */
static const char *difference(const struct datadog_config *c, const struct datadog_span *span,
                              const struct note *n)
{
    return !has_upper_half(span, n)    ? "trace"
           : !has_names(span, n->name) ? "name"
           : !has_times(span, n)       ? "time, parent or status"
           : !has_service(c, span, n)  ? "service"
           : !has_labels(span, n)      ? "label"
           : !has_fields(span, n)      ? "field"
                                       : NULL;
}

/* ---- all of them ---- */

/* The first row with the span's ids that no other span was; NULL when there is none. */
static struct key *take_row(struct key *keys, uint32_t n, const struct datadog_span *span)
{
    uint32_t low = 0;
    uint32_t high = n;
    const struct key wanted = {.trace_id = span->trace_id, .span_id = span->span_id};

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_ids(&keys[middle], &wanted) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < n && keys[low].trace_id == span->trace_id && keys[low].span_id == span->span_id) {
        if (!keys[low].is_taken) {
            keys[low].is_taken = true;
            return &keys[low];
        }
        low++;
    }
    return NULL;
}

static bool compare(const struct datadog_config *c, const struct sent_rows *sent,
                    const struct notes *notes, const struct datadog_span *spans, uint32_t count,
                    struct err *e)
{
    uint32_t n = sent->end - sent->first;
    AUTO(mem_autofree) struct key *keys = make_keys(sent, notes);

    if (count != n) {
        return err_set(e, ERR_INTERNAL, "%u spans were encoded of %u rows", count, n);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct key *key = take_row(keys, n, &spans[i]);
        if (key == NULL) {
            return err_set(e, ERR_INTERNAL, "a span was encoded whose ids no row has");
        }
        const char *what = difference(c, &spans[i], key->note);
        if (what != NULL) {
            return err_set(e, ERR_INTERNAL, "what was encoded of row %u has another %s", key->row,
                           what);
        }
    }
    return true;
}

bool datadog_validate_traces(const void *config, const struct sent_rows *sent, struct str body,
                             struct err *e)
{
    AUTO(arena_release) struct arena a;
    const struct notes *notes = NULL;
    const struct datadog_span *spans = NULL;
    uint32_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    return batch_notes(sent->view.batch, &notes, e) &&
           datadog_traces_read(body, &a, &spans, &count, e) &&
           compare(config, sent, notes, spans, count, e);
}
