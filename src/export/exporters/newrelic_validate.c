#include "export/exporters/newrelic_validate.h"

#include "base/clock.h"
#include "wire/json.h"
#include "wire/note_json.h"

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

static bool is_span(const struct note *n, const struct json_node *object)
{
    AUTO(buf_release) struct buf id = BUF_INIT(64);

    span_id_print(n->span->span_id, SPAN_ID_BYTES, &id);
    return str_eq(json_get_str(object, STR("id")), buf_str(&id)) && is_at(object, n->time_ns);
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
        if (is_of_row(k, view_row(k->sent->view, k->row++), object)) {
            return true;
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
