#include "export/exporters/newrelic_validate.h"

#include "base/clock.h"
#include "wire/json.h"
#include "wire/newrelic.h"
#include "wire/note_json.h"

#include <math.h>

struct checker {
    const struct sent_rows *sent;
    const struct samples *samples; /* or NULL */
    const struct notes *notes;
    bool are_spans; /* of the trace API, not events */
    uint32_t row;   /* the next that an object may be of */
};

static bool is_at(const struct json_node *object, int64_t time_ns)
{
    double time = 0;

    return json_node_double(json_get(object, STR("timestamp")), &time) &&
           (int64_t)time == time_ns / NS_PER_MS;
}

static bool is_metric(const struct samples *s, uint32_t row, const struct json_node *object)
{
    double value = 0;

    return str_eq(json_get_str(object, STR("name")),
                  labels_get(s->series[s->series_of[row]], STR("__name__"))) &&
           json_node_double(json_get(object, STR("value")), &value) && value == s->value[row] &&
           is_at(object, s->time_ns[row]);
}

/* ---- spans ---- */

static bool is_id(const struct json_node *object, const char *name, const uint8_t *id, size_t len)
{
    AUTO(buf_release) struct buf hex = BUF_INIT(64);

    if (!span_id_is_none(id, len)) {
        span_id_print(id, len, &hex);
    }
    return str_eq(json_get_str(object, str_of(name)), buf_str(&hex));
}

static bool has_field(const struct json_node *attributes, const struct note_field *f)
{
    const struct json_node *got = json_get(attributes, f->name);
    double sent = 0;
    double value = 0;

    if (f->type == NOTE_FLAG) {
        return got != NULL && got->kind == (f->integer != 0 ? JSON_TRUE : JSON_FALSE);
    }
    if (note_field_number(f, &sent)) {
        return isfinite(sent) ? json_node_double(got, &value) && value == sent : got == NULL;
    }
    return got != NULL && got->kind == JSON_STRING &&
           validate_same_text(got->text, f->text, NEWRELIC_VALUE_MAX);
}

static bool has_fields(const struct json_node *attributes, const struct note *n)
{
    for (size_t i = 0; i < n->field_count; i++) {
        const struct note_field *f = &n->fields[i];
        bool counts = validate_is_plain(f->name) && !newrelic_is_reserved(f->name);
        if (counts && !has_field(attributes, f)) {
            return false;
        }
    }
    return true;
}

static bool has_labels(const struct json_node *attributes, const struct note *n)
{
    struct label pair;

    for (uint32_t at = 0; labels_next(n->labels, &at, &pair);) {
        bool counts = validate_is_plain(pair.name) && !newrelic_is_reserved(pair.name) &&
                      note_get(n, pair.name) == NULL;
        if (counts && !validate_same_text(json_get_str(attributes, pair.name), pair.value,
                                          NEWRELIC_VALUE_MAX)) {
            return false;
        }
    }
    return true;
}

static bool is_span(const struct note *n, const struct json_node *object)
{
    return is_id(object, "id", n->span->span_id, SPAN_ID_BYTES) && is_at(object, n->time_ns);
}

/* What of the span is not the row's; NULL when all of it is. */
static const char *span_difference(const struct note *n, const struct json_node *object)
{
    const struct json_node *attributes = json_get(object, STR("attributes"));
    double ms = 0;

    if (attributes == NULL || attributes->kind != JSON_OBJECT) {
        return "attributes";
    }
    bool has_ids = is_id(object, "trace.id", n->span->trace_id, TRACE_ID_BYTES) &&
                   is_id(attributes, "parent.id", n->span->parent_id, SPAN_ID_BYTES);
    bool has_time = json_node_double(json_get(attributes, STR("duration.ms")), &ms) &&
                    ms == (double)note_duration_ns(n) / (double)NS_PER_MS;
    struct str name = json_get_str(attributes, STR("name"));
    return !has_ids                                                 ? "id"
           : !has_time                                              ? "duration"
           : !validate_same_text(name, n->name, NEWRELIC_VALUE_MAX) ? "name"
           : !has_labels(attributes, n)                             ? "label"
           : !has_fields(attributes, n)                             ? "field"
                                                                    : NULL;
}

static bool is_of_row(const struct checker *k, uint32_t row, const struct json_node *object)
{
    if (k->samples != NULL) {
        return is_metric(k->samples, row, object);
    }
    return k->are_spans ? is_span(&k->notes->rows[row], object)
                        : is_at(object, k->notes->rows[row].time_ns);
}

/* Rows that were left out, for their age or value, stand between. */
static bool take_object(struct checker *k, const struct json_node *object, struct err *e)
{
    while (k->row < k->sent->end) {
        uint32_t row = view_row(k->sent->view, k->row++);
        if (is_of_row(k, row, object)) {
            const char *what = k->are_spans ? span_difference(&k->notes->rows[row], object) : NULL;
            return what == NULL ||
                   err_set(e, ERR_INTERNAL, "what was encoded of row %u has another %s", k->row - 1,
                           what);
        }
    }
    return err_set(e, ERR_INTERNAL, "an object was encoded that no row has");
}

/* What the rows are listed under; events have nothing around them. */
static const struct json_node *list_of(struct checker *k, const struct json_node *root)
{
    const struct json_node *spans = json_get(root->first, STR("spans"));
    const struct json_node *metrics = json_get(root->first, STR("metrics"));

    k->are_spans = spans != NULL;
    return spans != NULL ? spans : metrics != NULL ? metrics : root;
}

bool newrelic_validate(const void *config, const struct sent_rows *sent, struct str body,
                       struct err *e)
{
    struct checker k = {.sent = sent, .row = sent->first};
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;

    (void)config;
    arena_init(&a, ARENA_UNLIMITED);
    bool has_rows = batch_info(sent->view.batch)->kind == RECORD_SAMPLE
                        ? batch_samples(sent->view.batch, &k.samples, e)
                        : batch_notes(sent->view.batch, &k.notes, e);
    if (!has_rows || !json_parse(body, &a, &root, e)) {
        return false;
    }
    if (root->kind != JSON_ARRAY || root->count == 0) {
        return err_set(e, ERR_INTERNAL, "nothing was encoded");
    }
    const struct json_node *object = list_of(&k, root)->first;
    bool ok = object != NULL || err_set(e, ERR_INTERNAL, "an empty list was encoded");
    for (; ok && object != NULL; object = object->next) {
        ok = take_object(&k, object, e);
    }
    return ok;
}
