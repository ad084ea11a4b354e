#include "wire/record_json.h"

#include "base/number.h"
#include "base/timetext.h"
#include "wire/cloudevent.h"
#include "wire/json.h"
#include "wire/json_labels.h"
#include "wire/note_json.h"
#include "wire/scan.h"

#include <math.h>

/* What an edge leads to, as people call it. */
static const char *const state_names[ALERT_STATES] = {
    [ALERT_READY] = "inactive",     [ALERT_PENDING] = "pending",   [ALERT_ALERTING] = "firing",
    [ALERT_SUPPRESSING] = "firing", [ALERT_RESOLVED] = "resolved",
};

/* A member that is there only when it says something. */
static void add_text_unless_empty(struct json_writer *w, const char *key, struct str value)
{
    if (value.len > 0) {
        json_key(w, str_of(key));
        json_add_str(w, value);
    }
}

/* A member that is always there; null when empty. */
static void add_text_or_null(struct json_writer *w, const char *key, struct str value)
{
    json_key(w, str_of(key));
    if (value.len > 0) {
        json_add_str(w, value);
    } else {
        json_add_null(w);
    }
}

static void add_time_or_null(struct json_writer *w, const char *key, int64_t ns)
{
    json_key(w, str_of(key));
    if (ns != 0) {
        json_add_time(w, ns);
    } else {
        json_add_null(w);
    }
}

/* The members that end every sample's object, each with its comma in front, and the bracket. */
static void make_tail(const struct batch_info *info, struct buf *tail)
{
    struct json_writer w;

    json_write_init(&w, tail);
    json_begin_object(&w);
    add_text_unless_empty(&w, "rule", info->rule);
    add_text_unless_empty(&w, "group", info->group);
    add_text_unless_empty(&w, "measurement", info->measurement);
    add_text_unless_empty(&w, "database", info->database);
    if (info->annotation_count > 0) {
        json_key(&w, STR("annotations"));
        json_add_pairs(&w, info->annotations, info->annotation_count);
    }
    json_end_object(&w);
    if (tail->len > 2) {
        tail->ptr[0] = ',';
    } else {
        buf_clear(tail);
        buf_add_byte(tail, '}');
    }
}

void record_json_init(struct record_json *r, const struct batch_info *info)
{
    *r = (struct record_json){
        .info = info, .tail = BUF_INIT(BUF_UNLIMITED), .head = BUF_INIT(BUF_UNLIMITED)};
    make_tail(info, &r->tail);
}

void record_json_release(struct record_json *r)
{
    buf_release(&r->tail);
    buf_release(&r->head);
}

uint32_t record_json_objects(const struct alert *a)
{
    return a->export_count > 0 ? (uint32_t)a->export_count : 1;
}

/* Nobody said one of an alert that was pushed without. */
static void add_value(struct json_writer *w, double value)
{
    if (number_is_stale_nan(value)) {
        json_add_null(w);
    } else {
        json_add_double_or_text(w, value);
    }
}

/* The eight members that webhook services know. */
static void add_known(struct json_writer *w, const struct batch_info *info, const struct alert *a,
                      const struct alert_export *x)
{
    struct str name = labels_get(a->labels, STR("alertname"));

    json_key(w, STR("timestamp"));
    json_add_time(w, x != NULL ? x->time_ns : a->time_ns);
    json_key(w, STR("alert_name"));
    json_add_str(w, name.len > 0 ? name : info->rule);
    add_text_or_null(w, "instance", labels_get(a->labels, STR("instance")));
    json_key(w, STR("value"));
    add_value(w, x != NULL ? x->value : a->value);
    json_key(w, STR("threshold"));
    if (info->has_threshold) {
        json_add_double_or_text(w, info->threshold);
    } else {
        json_add_null(w);
    }
    add_text_or_null(w, "severity", labels_get(a->labels, STR("severity")));
    json_key(w, STR("labels"));
    json_add_labels(w, a->labels, false);
    json_key(w, STR("annotations"));
    json_add_pairs(w, a->annotations, a->annotation_count);
}

static void add_id(struct json_writer *w, const struct alert *a)
{
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_SMALL);

    alert_print_id(a, &id);
    json_key(w, STR("id"));
    json_add_str(w, buf_str(&id));
}

void record_json_alert(const struct record_json *r, const struct alert *a, uint32_t i,
                       struct buf *out)
{
    const struct alert_export *x = i < a->export_count ? &a->exports[i] : NULL;
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    add_known(&w, r->info, a, x);
    json_key(&w, STR("kind"));
    json_add_text(&w, record_kind_name(RECORD_ALERT));
    add_id(&w, a);
    json_key(&w, STR("state"));
    json_add_text(&w, state_names[a->to]);
    json_key(&w, STR("rule"));
    json_add_str(&w, r->info->rule);
    json_key(&w, STR("group"));
    json_add_str(&w, r->info->group);
    add_time_or_null(&w, "starts_at", a->fired_at_ns != 0 ? a->fired_at_ns : a->active_at_ns);
    add_time_or_null(&w, "ends_at", a->resolved_at_ns);
    if (x != NULL) {
        json_key(&w, STR("query_labels"));
        json_add_labels(&w, x->labels, false);
    }
    json_end_object(&w);
}

/* The samples of a batch nearly always are of one time. */
static void make_head(struct record_json *r, int64_t time_ns)
{
    buf_clear(&r->head);
    buf_addf(&r->head, "{\"kind\":\"%s\",\"timestamp\":\"", record_kind_name(RECORD_SAMPLE));
    buf_add_rfc3339(&r->head, time_ns);
    buf_add_text(&r->head, "\",\"name\":");
    r->head_ns = time_ns;
}

static const struct str labels_key = STR_INIT(",\"labels\":");
static const struct str value_key = STR_INIT(",\"value\":");

static inline char *copy(char *to, struct str s)
{
    memcpy(to, s.ptr, s.len);
    return to + s.len;
}

/* A sample's object in one go, where nothing in it needs an escape; false, and nothing, otherwise. */
static bool put_plain(const struct record_json *r, const struct labels *l, double value,
                      struct buf *out)
{
    struct str name = labels_get(l, STR("__name__"));
    size_t room = r->head.len + name.len + 2 + labels_key.len + json_plain_labels_room(l) +
                  value_key.len + NUMBER_TEXT_MAX + r->tail.len;
    char *start = buf_reserve(out, room);

    if (start == NULL || !isfinite(value)) {
        return false;
    }
    char *p = copy(start, buf_str(&r->head));
    *p++ = '"';
    if (!scan_copy_plain(p, name.ptr, name.len)) {
        return false;
    }
    p += name.len;
    *p++ = '"';
    p = json_put_plain_labels(copy(p, labels_key), l, true);
    if (p == NULL) {
        return false;
    }
    p = copy(p, value_key);
    p += number_format(value, p);
    p = copy(p, buf_str(&r->tail));
    buf_added(out, (size_t)(p - start));
    return true;
}

static void put_with_care(const struct record_json *r, const struct labels *l, double number,
                          struct buf *out)
{
    struct json_writer value;

    buf_add_str(out, buf_str(&r->head));
    json_print_str(out, labels_get(l, STR("__name__")));
    buf_add_str(out, labels_key);
    json_write_init(&value, out);
    json_add_labels(&value, l, true);
    buf_add_str(out, value_key);
    json_write_init(&value, out);
    json_add_double_or_text(&value, number);
    buf_add_str(out, buf_str(&r->tail));
}

bool record_json_sample(struct record_json *r, const struct samples *s, uint32_t row,
                        struct buf *out)
{
    const struct labels *labels = s->series[s->series_of[row]];

    if (number_is_stale_nan(s->value[row])) {
        return false;
    }
    if (r->head.len == 0 || r->head_ns != s->time_ns[row]) {
        make_head(r, s->time_ns[row]);
    }
    if (!put_plain(r, labels, s->value[row], out)) {
        put_with_care(r, labels, s->value[row], out);
    }
    return true;
}

/* ---- views ---- */

bool record_objects_init(struct record_objects *o, struct view view, struct err *e)
{
    const struct batch_info *info = batch_info(view.batch);

    *o = (struct record_objects){.view = view};
    if (!(info->kind == RECORD_SAMPLE  ? batch_samples(view.batch, &o->samples, e)
          : info->kind == RECORD_ALERT ? batch_alerts(view.batch, &o->alerts, e)
          : info->kind == RECORD_EVENT ? batch_events(view.batch, &o->events, e)
                                       : batch_notes(view.batch, &o->notes, e))) {
        return false;
    }
    record_json_init(&o->json, info);
    return true;
}

void record_objects_release(struct record_objects *o)
{
    record_json_release(&o->json);
}

uint32_t record_objects_count(const struct record_objects *o, uint32_t i)
{
    uint32_t row = view_row(o->view, i);

    if (o->samples != NULL) {
        return number_is_stale_nan(o->samples->value[row]) ? 0 : 1;
    }
    return o->alerts != NULL ? record_json_objects(&o->alerts->rows[row]) : 1;
}

void record_objects_add(struct record_objects *o, uint32_t i, uint32_t part, struct buf *out)
{
    uint32_t row = view_row(o->view, i);

    if (o->samples != NULL) {
        (void)record_json_sample(&o->json, o->samples, row, out);
    } else if (o->alerts != NULL) {
        record_json_alert(&o->json, &o->alerts->rows[row], part, out);
    } else if (o->events != NULL) {
        cloudevent_write(&o->events->rows[row], out);
    } else {
        note_json_add(&o->notes->rows[row], out);
    }
}
