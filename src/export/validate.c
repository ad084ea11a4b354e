/*
 * Each check walks over the rows that were sent and over what the reader gives, side by side: a row that
 * makes nothing is passed over, and at the end neither may have anything left.
 */
#include "export/validate.h"

#include "base/clock.h"
#include "base/number.h"
#include "wire/cloudevent.h"
#include "wire/influx_line.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

#include <math.h>

/* What is expected next. */
struct walk {
    const struct sent_rows *sent;
    const struct samples *samples; /* or NULL */
    const struct alerts *alerts;   /* or NULL */
    const struct notes *notes;     /* or NULL */
    const struct events *events;   /* or NULL */
    uint32_t row;                  /* of the view */
    uint32_t part;                 /* of that row */
    uint32_t records;              /* that came back */
};

static bool walk_begin(struct walk *w, const struct sent_rows *sent, struct err *e)
{
    struct batch *b = sent->view.batch;
    enum record_kind kind = batch_info(b)->kind;

    *w = (struct walk){.sent = sent, .row = sent->first};
    w->part = sent->part != SENT_ALL_PARTS ? sent->part : 0;
    return kind == RECORD_ALERT    ? batch_alerts(b, &w->alerts, e)
           : kind == RECORD_SAMPLE ? batch_samples(b, &w->samples, e)
           : kind == RECORD_EVENT  ? batch_events(b, &w->events, e)
                                   : batch_notes(b, &w->notes, e);
}

static uint32_t walk_at(const struct walk *w)
{
    return view_row(w->sent->view, w->row);
}

static bool mismatch(const struct walk *w, struct err *e, const char *what)
{
    return err_set(e, ERR_INTERNAL, "record %u of what was encoded: %s is not that of row %u",
                   w->records, what, w->row);
}

static bool too_many(const struct walk *w, struct err *e)
{
    return err_set(e, ERR_INTERNAL, "%u records were encoded from %u rows, and there are more",
                   w->records, w->sent->end - w->sent->first);
}

/* Goes on behind the record of an alert. */
static void next_part(struct walk *w, uint32_t parts)
{
    w->records++;
    w->part++;
    if (w->sent->part != SENT_ALL_PARTS || w->part >= parts) {
        w->part = 0;
        w->row++;
    }
}

static void next_row(struct walk *w)
{
    w->records++;
    w->row++;
}

/* ---- values ---- */

static bool same_value(double a, double b)
{
    return (isnan(a) && isnan(b)) || number_bits(a) == number_bits(b) || (a == b && a == 0);
}

bool validate_is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c < ' ' || c == 0x7F || c == '\\') {
            return false;
        }
    }
    return str_is_utf8(s);
}

bool validate_same_text(struct str got, struct str sent, size_t max)
{
    enum { OF_CHARACTER = 4 };

    if (!validate_is_plain(sent)) {
        return true;
    }
    return sent.len <= max
               ? str_eq(got, sent)
               : str_starts(sent, got) && got.len + OF_CHARACTER > max && got.len <= max;
}

/* Is every plain pair of <sent> but __name__ in <got>? */
static bool has_all(const struct labels *got, const struct labels *sent)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(sent, &at, &pair)) {
        bool counts =
            validate_is_plain(pair.name) && validate_is_plain(pair.value) && pair.value.len > 0;
        if (counts && !str_eq(labels_get(got, pair.name), pair.value)) {
            return false;
        }
    }
    return true;
}

/* ---- remote write ---- */

static bool compare_rw1(struct walk *w, const struct samples *got, uint32_t i, struct err *e)
{
    const struct samples *s = w->samples;
    uint32_t row = walk_at(w);
    int64_t lost_ns = s->time_ns[row] - got->time_ns[i];

    if (!labels_eq(got->series[got->series_of[i]], s->series[s->series_of[row]])) {
        return mismatch(w, e, "the label set");
    }
    if (lost_ns >= NS_PER_MS || lost_ns <= -NS_PER_MS) {
        return mismatch(w, e, "the time");
    }
    return number_bits(got->value[i]) == number_bits(s->value[row]) || mismatch(w, e, "the value");
}

static bool compare_all_rw1(struct walk *w, const struct samples *got, struct err *e)
{
    for (uint32_t i = 0; i < got->count; i++) {
        if (w->row >= w->sent->end) {
            return too_many(w, e);
        }
        if (!compare_rw1(w, got, i, e)) {
            return false;
        }
        next_row(w);
    }
    return w->row == w->sent->end || mismatch(w, e, "the end");
}

bool validate_rw1(const struct sent_rows *sent, struct str body, struct err *e)
{
    AUTO(arena_release) struct arena arena;
    struct samples got = {0};
    struct walk w;

    arena_init(&arena, ARENA_UNLIMITED);
    if (!walk_begin(&w, sent, e) || !rw1_decode(body, RW1_LENIENT, &arena, &got, NULL, e)) {
        return false;
    }
    bool ok = compare_all_rw1(&w, &got, e);
    for (uint32_t i = 0; i < got.series_count; i++) {
        labels_unref(got.series[i]);
    }
    return ok;
}

/* ---- line protocol ---- */

static bool has_measurement(const struct walk *w, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    influx_put_measurement(&text, batch_info(w->sent->view.batch)->measurement);
    if (text.len == 0) {
        influx_put_measurement(&text, name);
    }
    return text.len > 0;
}

/* Does the row make no line? */
static bool is_left_out(const struct walk *w)
{
    if (w->samples == NULL) {
        return !has_measurement(w,
                                labels_get(w->alerts->rows[walk_at(w)].labels, STR("alertname")));
    }
    const struct samples *s = w->samples;
    const struct labels *labels = s->series[s->series_of[walk_at(w)]];
    return !isfinite(s->value[walk_at(w)]) ||
           !has_measurement(w, labels_get(labels, STR("__name__")));
}

static struct str tag_of(const struct influx_point *p, struct str name)
{
    for (size_t i = 0; i < p->tag_count; i++) {
        if (str_eq(p->tags[i].name, name)) {
            return p->tags[i].value;
        }
    }
    return STR_NONE;
}

/* What <over> has too is that one's to say. */
static bool has_all_tags(const struct influx_point *p, const struct labels *sent,
                         const struct labels *over)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(sent, &at, &pair)) {
        bool counts = validate_is_plain(pair.name) && validate_is_plain(pair.value) &&
                      pair.value.len > 0 && !str_eq(pair.name, STR("__name__")) &&
                      !str_eq(pair.name, STR("time")) && labels_get(over, pair.name).len == 0;
        if (counts && !str_eq(tag_of(p, pair.name), pair.value)) {
            return false;
        }
    }
    return true;
}

/* Is the field "value" what it should be? What is not finite has none. */
static bool has_value(const struct influx_point *p, double value)
{
    for (size_t i = 0; i < p->field_count; i++) {
        if (str_eq(p->fields[i].key, STR("value"))) {
            return p->fields[i].type == INFLUX_FLOAT && same_value(p->fields[i].real, value);
        }
    }
    return !isfinite(value);
}

/* The record that a line must be. */
struct wanted {
    const struct labels *labels;
    const struct labels *over; /* of a row of an export_query's answer */
    int64_t time_ns;
    double value;
};

static struct wanted wanted_sample(const struct walk *w)
{
    const struct samples *s = w->samples;
    uint32_t row = walk_at(w);

    return (struct wanted){s->series[s->series_of[row]], labels_empty(), s->time_ns[row],
                           s->value[row]};
}

static struct wanted wanted_alert(const struct walk *w)
{
    const struct alert *a = &w->alerts->rows[walk_at(w)];

    if (w->part < a->export_count) {
        const struct alert_export *x = &a->exports[w->part];
        return (struct wanted){a->labels, x->labels, x->time_ns, x->value};
    }
    return (struct wanted){a->labels, labels_empty(), a->time_ns, a->value};
}

/* What the line must begin with; one that the protocol changes is not compared. */
static bool has_name(const struct walk *w, const struct influx_point *p,
                     const struct wanted *wanted)
{
    struct str name = batch_info(w->sent->view.batch)->measurement;

    if (name.len == 0) {
        name = labels_get(wanted->labels, w->samples != NULL ? STR("__name__") : STR("alertname"));
    }
    return !validate_is_plain(name) || name.ptr[0] == '#' || str_eq(name, p->measurement);
}

static bool compare_point(void *arg, const struct influx_point *p, struct err *e)
{
    struct walk *w = arg;

    while (w->row < w->sent->end && is_left_out(w)) {
        w->row++;
    }
    if (w->row >= w->sent->end) {
        return too_many(w, e);
    }
    struct wanted wanted = (w->samples != NULL ? wanted_sample : wanted_alert)(w);
    if (!has_name(w, p, &wanted)) {
        return mismatch(w, e, "the measurement");
    }
    if (!has_all_tags(p, wanted.labels, wanted.over) ||
        !has_all_tags(p, wanted.over, labels_empty())) {
        return mismatch(w, e, "the tag set");
    }
    if (!p->has_time || p->time_ns != wanted.time_ns) {
        return mismatch(w, e, "the time");
    }
    if (!has_value(p, wanted.value)) {
        return mismatch(w, e, "the value");
    }
    next_part(w, w->samples != NULL ? 1 : influx_alert_lines(&w->alerts->rows[walk_at(w)]));
    return true;
}

bool validate_influx(const struct sent_rows *sent, struct str body, struct err *e)
{
    AUTO(arena_release) struct arena arena;
    struct walk w;
    const struct influx_points points = {compare_point, &w};

    arena_init(&arena, ARENA_UNLIMITED);
    if (!walk_begin(&w, sent, e) || !influx_read(body, &arena, &points, e)) {
        return false;
    }
    while (w.row < sent->end && is_left_out(&w)) {
        w.row++;
    }
    return w.row == sent->end || mismatch(&w, e, "the end");
}

/* ---- JSON ---- */

/* Staleness markers make no object. */
static void pass_stale(struct walk *w)
{
    while (w->samples != NULL && w->row < w->sent->end &&
           number_is_stale_nan(w->samples->value[walk_at(w)])) {
        w->row++;
    }
}

static bool compare_sample(struct walk *w, const struct samples *got, uint32_t i, struct err *e)
{
    struct wanted wanted = wanted_sample(w);

    if (!has_all(got->series[got->series_of[i]], wanted.labels)) {
        return mismatch(w, e, "the label set");
    }
    if (got->time_ns[i] != wanted.time_ns) {
        return mismatch(w, e, "the time");
    }
    if (!same_value(got->value[i], wanted.value)) {
        return mismatch(w, e, "the value");
    }
    next_row(w);
    return true;
}

/* What the JSON calls them. */
static int told_state(enum alert_state state)
{
    return state == ALERT_SUPPRESSING ? (int)ALERT_ALERTING : (int)state;
}

static bool compare_alert(struct walk *w, const struct alert *got, struct err *e)
{
    const struct alert *a = &w->alerts->rows[walk_at(w)];
    struct wanted wanted = wanted_alert(w);

    if (!has_all(got->labels, wanted.labels)) {
        return mismatch(w, e, "the label set");
    }
    if (got->time_ns != wanted.time_ns) {
        return mismatch(w, e, "the time");
    }
    if (!same_value(got->value, wanted.value)) {
        return mismatch(w, e, "the value");
    }
    if (told_state(got->to) != told_state(a->to)) {
        return mismatch(w, e, "the state");
    }
    next_part(w, record_json_objects(a));
    return true;
}

bool validate_same_field(const struct note_field *a, const struct note_field *b)
{
    double x = 0;
    double y = 0;

    if (!str_eq(a->name, b->name)) {
        return false;
    }
    if (a->type == NOTE_TEXT || b->type == NOTE_TEXT) {
        return a->type == b->type && str_eq(a->text, b->text);
    }
    return note_field_number(a, &x) && note_field_number(b, &y) && same_value(x, y);
}

/* Ids and ends; what JSON does not carry is not compared. */
static bool same_span(const struct note *a, const struct note *b)
{
    return a->span == NULL ||
           (memcmp(a->span->trace_id, b->span->trace_id, TRACE_ID_BYTES) == 0 &&
            memcmp(a->span->span_id, b->span->span_id, SPAN_ID_BYTES) == 0 &&
            memcmp(a->span->parent_id, b->span->parent_id, SPAN_ID_BYTES) == 0 &&
            a->span->end_ns == b->span->end_ns && a->span->status == b->span->status);
}

/* Fields may stand in another order. */
static bool same_fields(const struct note *a, const struct note *b)
{
    bool same = a->field_count == b->field_count;

    for (size_t i = 0; same && i < a->field_count; i++) {
        const struct note_field *f = note_get(b, a->fields[i].name);
        same = f != NULL && validate_same_field(&a->fields[i], f);
    }
    return same;
}

static bool compare_note(struct walk *w, const struct note *got, struct err *e)
{
    const struct note *n = &w->notes->rows[walk_at(w)];

    if (!str_eq(n->name, got->name) || n->time_ns != got->time_ns || !same_span(n, got)) {
        return mismatch(w, e, "the name, time or span");
    }
    if (!labels_eq(n->labels, got->labels) || !same_fields(n, got)) {
        return mismatch(w, e, "a label or field");
    }
    next_row(w);
    return true;
}

static bool compare_event(struct walk *w, const struct event *got, struct err *e)
{
    AUTO(buf_release) struct buf sent = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf read = BUF_INIT(BUF_UNLIMITED);

    cloudevent_write(&w->events->rows[walk_at(w)], &sent);
    cloudevent_write(got, &read);
    if (!str_eq(buf_str(&sent), buf_str(&read))) {
        return mismatch(w, e, "the event");
    }
    next_row(w);
    return true;
}

static bool compare_row(struct walk *w, struct batch *b, uint32_t i, struct err *e)
{
    const struct samples *samples = NULL;
    const struct alerts *alerts = NULL;
    const struct notes *notes = NULL;
    const struct events *events = NULL;
    enum record_kind kind = batch_info(w->sent->view.batch)->kind;

    pass_stale(w);
    if (w->row >= w->sent->end) {
        return too_many(w, e);
    }
    if (batch_info(b)->kind != kind) {
        return mismatch(w, e, "the kind");
    }
    if (kind == RECORD_ALERT) {
        return batch_alerts(b, &alerts, e) && compare_alert(w, &alerts->rows[i], e);
    }
    if (w->notes != NULL) {
        return batch_notes(b, &notes, e) && compare_note(w, &notes->rows[i], e);
    }
    if (w->events != NULL) {
        return batch_events(b, &events, e) && compare_event(w, &events->rows[i], e);
    }
    return batch_samples(b, &samples, e) && compare_sample(w, samples, i, e);
}

static bool compare_batch(void *arg, struct batch *b, struct err *e)
{
    for (uint32_t i = 0; i < batch_rows(b); i++) {
        if (!compare_row(arg, b, i, e)) {
            return false;
        }
    }
    return true;
}

bool validate_json(const struct sent_rows *sent, struct str body, struct err *e)
{
    struct record_text_counts counts = {0};
    struct walk w;
    const struct record_text_taker taker = {compare_batch, &w};

    if (!walk_begin(&w, sent, e) || !record_json_read(body, 0, &taker, &counts, e)) {
        return false;
    }
    pass_stale(&w);
    return w.row == sent->end || mismatch(&w, e, "the end");
}
