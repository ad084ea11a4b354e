#include "wire/record_cells.h"

#include "base/base64.h"
#include "base/number.h"
#include "base/timetext.h"
#include "wire/json.h"
#include "wire/json_labels.h"
#include "wire/note_json.h"

#define MS_PER_NS 1e-6

bool cell_reader_init(struct cell_reader *r, struct view view, struct err *e)
{
    *r = (struct cell_reader){.view = view,
                              .info = batch_info(view.batch),
                              .kind = batch_info(view.batch)->kind,
                              .text = BUF_INIT(BUF_UNLIMITED),
                              .labels = BUF_INIT(BUF_UNLIMITED)};
    if (r->kind == RECORD_SAMPLE) {
        return batch_samples(view.batch, &r->samples, e);
    }
    if (r->kind == RECORD_ALERT) {
        return batch_alerts(view.batch, &r->alerts, e);
    }
    return r->kind == RECORD_EVENT ? batch_events(view.batch, &r->events, e)
                                   : batch_notes(view.batch, &r->notes, e);
}

void cell_reader_release(struct cell_reader *r)
{
    buf_release(&r->text);
    buf_release(&r->labels);
}

/* ---- rows ---- */

static const struct alert *alert_at(const struct cell_reader *r, uint32_t row)
{
    return &r->alerts->rows[row];
}

static const struct note *note_at(const struct cell_reader *r, uint32_t row)
{
    return &r->notes->rows[row];
}

static const struct event *event_at(const struct cell_reader *r, uint32_t row)
{
    return &r->events->rows[row];
}

static const struct labels *labels_at(const struct cell_reader *r, uint32_t row)
{
    if (r->samples != NULL) {
        return r->samples->series[r->samples->series_of[row]];
    }
    return r->alerts != NULL ? alert_at(r, row)->labels : note_at(r, row)->labels;
}

bool cell_reader_passes(const struct cell_reader *r, uint32_t i)
{
    return r->samples != NULL && number_is_stale_nan(r->samples->value[view_row(r->view, i)]);
}

uint64_t cell_reader_hash(const struct cell_reader *r, uint32_t i)
{
    uint32_t row = view_row(r->view, i);

    return r->events != NULL ? str_hash(event_key(event_at(r, row)), 0) : labels_at(r, row)->hash;
}

/* ---- cells ---- */

static void set_time(struct cell *ret, int64_t ns)
{
    ret->type = ns != 0 ? CELL_TIME : CELL_NULL;
    ret->integer = ns;
}

static void set_number(struct cell *ret, double value)
{
    ret->type = number_is_stale_nan(value) ? CELL_NULL : CELL_NUMBER;
    ret->number = value;
}

/* What is no UTF-8, and NUL, becomes U+FFFD. */
static struct str mend(struct cell_reader *r, struct str text)
{
    buf_clear(&r->text);
    for (size_t i = 0; i < text.len;) {
        struct str rest = str_slice(text, i, text.len);
        size_t len = str_utf8_length(rest);
        if (len == 0 || text.ptr[i] == '\0') {
            buf_add_rune(&r->text, 0xFFFD);
            i++;
        } else {
            buf_add(&r->text, rest.ptr, len);
            i += len;
        }
    }
    r->changed++;
    return buf_str(&r->text);
}

/* No NUL, and ASCII: most texts. */
static bool is_plain(struct str text)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    const uint64_t low = UINT64_C(0x0101010101010101);
    uint64_t eight = 0;
    size_t i = 0;

    for (; i + sizeof(eight) <= text.len; i += sizeof(eight)) {
        memcpy(&eight, text.ptr + i, sizeof(eight));
        if (((eight | (eight - low)) & high) != 0) {
            return false;
        }
    }
    for (; i < text.len; i++) {
        if ((signed char)text.ptr[i] <= 0) {
            return false;
        }
    }
    return true;
}

static bool is_sound(struct str text)
{
    return is_plain(text) || (str_is_utf8(text) && str_find_byte(text, '\0') == text.len);
}

/* Empty is nothing. */
static void set_text(struct cell_reader *r, struct cell *ret, struct str text)
{
    ret->type = text.len > 0 ? CELL_TEXT : CELL_NULL;
    ret->text = is_sound(text) ? text : mend(r, text);
}

static void set_constant(struct cell *ret, const char *text)
{
    ret->type = CELL_TEXT;
    ret->text = str_of(text);
}

/* The writer has made valid UTF-8 of everything; a NUL is an escape as long as another's. */
static struct str json_done(struct cell_reader *r, struct buf *json)
{
    static const char nul[] = "\\u0000";
    static const char instead[] = "\\ufffd";
    struct str text = buf_str(json);
    size_t at = str_find(text, STR("\\u0000"));

    while (at < text.len) {
        size_t slashes = 0;
        while (slashes < at && text.ptr[at - 1 - slashes] == '\\') {
            slashes++;
        }
        if (slashes % 2 == 0) {
            memcpy(json->ptr + at, instead, sizeof(instead) - 1);
            r->changed++;
        }
        size_t from = at + sizeof(nul) - 1;
        at = from + str_find(str_slice(text, from, text.len), STR("\\u0000"));
    }
    return text;
}

static void set_json(struct cell_reader *r, struct cell *ret)
{
    ret->type = CELL_JSON;
    ret->text = json_done(r, &r->text);
}

/* ---- every kind ---- */

/* One that says no time has that of what it came in. */
static int64_t event_time(const struct cell_reader *r, uint32_t row)
{
    const struct event *ev = event_at(r, row);

    return ev->has_time ? ev->time_ns : r->info->time_ns;
}

static void read_time(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    ret->type = CELL_TIME;
    ret->integer = r->samples != NULL  ? r->samples->time_ns[row]
                   : r->alerts != NULL ? alert_at(r, row)->time_ns
                   : r->notes != NULL  ? note_at(r, row)->time_ns
                                       : event_time(r, row);
}

static bool is_all_sound(const struct labels *l)
{
    struct label pair;
    uint32_t at = 0;

    while (labels_next(l, &at, &pair)) {
        if (!str_is_utf8(pair.name) || !str_is_utf8(pair.value)) {
            return false;
        }
    }
    return true;
}

static void read_labels(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct labels *l = labels_at(r, row);
    struct json_writer w;

    if (l != r->labels_of) {
        buf_clear(&r->labels);
        json_write_init(&w, &r->labels);
        json_add_labels(&w, l, r->samples != NULL);
        if (!is_plain(labels_bytes(l))) {
            r->changed += !is_all_sound(l);
            (void)json_done(r, &r->labels);
        }
        r->labels_of = l;
    }
    ret->type = CELL_JSON;
    ret->text = buf_str(&r->labels);
}

/* ---- samples ---- */

static void read_metric(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, labels_get(labels_at(r, row), STR("__name__")));
}

static void read_value(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_number(ret, r->samples != NULL ? r->samples->value[row] : alert_at(r, row)->value);
}

static void read_rule(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    (void)row;
    set_text(r, ret, r->info->rule);
}

static void read_group(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    (void)row;
    set_text(r, ret, r->info->group);
}

/* ---- alerts ---- */

static void read_alert_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    buf_clear(&r->text);
    alert_print_id(alert_at(r, row), &r->text);
    ret->type = CELL_TEXT;
    ret->text = buf_str(&r->text);
}

static void read_alert_name(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    struct str name = labels_get(labels_at(r, row), STR("alertname"));

    set_text(r, ret, name.len > 0 ? name : r->info->rule);
}

static void read_state(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_constant(ret, alert_state_name(alert_at(r, row)->to));
}

static void read_previous_state(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_constant(ret, alert_state_name(alert_at(r, row)->from));
}

static void read_severity(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, labels_get(labels_at(r, row), STR("severity")));
}

static void read_threshold(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    (void)row;
    ret->type = r->info->has_threshold ? CELL_NUMBER : CELL_NULL;
    ret->number = r->info->threshold;
}

static void read_annotations(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct alert *a = alert_at(r, row);
    struct json_writer w;

    buf_clear(&r->text);
    json_write_init(&w, &r->text);
    json_add_pairs(&w, a->annotations, a->annotation_count);
    set_json(r, ret);
}

static void read_active_at(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_time(ret, alert_at(r, row)->active_at_ns);
}

static void read_fired_at(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_time(ret, alert_at(r, row)->fired_at_ns);
}

static void read_resolved_at(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_time(ret, alert_at(r, row)->resolved_at_ns);
}

static void read_rule_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, alert_at(r, row)->rule_id);
}

static void read_expr(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    (void)row;
    set_text(r, ret, r->info->expr);
}

/* The answer of the rule's export_query for this series; NULL without one. */
static void read_exports(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct alert *a = alert_at(r, row);
    struct json_writer w;

    if (a->export_count == 0) {
        return;
    }
    buf_clear(&r->text);
    json_write_init(&w, &r->text);
    json_begin_array(&w);
    for (size_t i = 0; i < a->export_count; i++) {
        json_begin_object(&w);
        json_key(&w, STR("time"));
        json_add_time(&w, a->exports[i].time_ns);
        json_key(&w, STR("value"));
        json_add_double_or_text(&w, a->exports[i].value);
        json_key(&w, STR("labels"));
        json_add_labels(&w, a->exports[i].labels, false);
        json_end_object(&w);
    }
    json_end_array(&w);
    set_json(r, ret);
}

/* ---- profiles and spans ---- */

static void read_name(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, note_at(r, row)->name);
}

static void read_duration(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    ret->type = CELL_NUMBER;
    ret->number = (double)note_duration_ns(note_at(r, row)) * MS_PER_NS;
}

static void set_id(struct cell_reader *r, const uint8_t *id, size_t len, struct cell *ret)
{
    buf_clear(&r->text);
    span_id_print(id, len, &r->text);
    ret->type = span_id_is_none(id, len) ? CELL_NULL : CELL_TEXT;
    ret->text = buf_str(&r->text);
}

static void read_trace_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_id(r, note_at(r, row)->span->trace_id, TRACE_ID_BYTES, ret);
}

static void read_span_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_id(r, note_at(r, row)->span->span_id, SPAN_ID_BYTES, ret);
}

static void read_parent_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_id(r, note_at(r, row)->span->parent_id, SPAN_ID_BYTES, ret);
}

static void read_end(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_time(ret, note_at(r, row)->span->end_ns);
}

static void read_kind(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    static const char *const names[SPAN_KIND_COUNT] = {"unspecified", "internal", "server",
                                                       "client",      "producer", "consumer"};

    set_constant(ret, names[note_at(r, row)->span->kind]);
}

static void read_status(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    static const char *const names[SPAN_STATUSES] = {"unset", "ok", "error"};

    set_constant(ret, names[note_at(r, row)->span->status]);
}

static void read_status_message(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, note_at(r, row)->span->status_message);
}

static void read_field(struct cell_reader *r, const struct note_field *f, struct cell *ret)
{
    static const enum cell_type types[NOTE_TYPES] = {[NOTE_NUMBER] = CELL_NUMBER,
                                                     [NOTE_INTEGER] = CELL_INTEGER,
                                                     [NOTE_TEXT] = CELL_TEXT,
                                                     [NOTE_FLAG] = CELL_FLAG};

    ret->type = types[f->type];
    ret->number = f->number;
    ret->integer = f->integer;
    if (f->type == NOTE_TEXT) {
        ret->text = is_sound(f->text) ? f->text : mend(r, f->text);
    }
}

static void add_field(struct json_writer *w, const struct note_field *f)
{
    json_key(w, f->name);
    if (f->type == NOTE_TEXT) {
        json_add_str(w, f->text);
    } else if (f->type == NOTE_NUMBER) {
        json_add_double_or_text(w, f->number);
    } else if (f->type == NOTE_FLAG) {
        json_add_bool(w, f->integer != 0);
    } else {
        json_add_i64(w, f->integer);
    }
}

/* Those that have no column of their own. */
static void read_fields(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct note *n = note_at(r, row);
    struct json_writer w;

    buf_clear(&r->text);
    json_write_init(&w, &r->text);
    json_begin_object(&w);
    for (size_t i = 0; i < n->field_count; i++) {
        if (r->has_column == NULL || !r->has_column(r->arg, n->fields[i].name)) {
            r->changed += !str_is_utf8(n->fields[i].name) ||
                          (n->fields[i].type == NOTE_TEXT && !str_is_utf8(n->fields[i].text));
            add_field(&w, &n->fields[i]);
        }
    }
    json_end_object(&w);
    set_json(r, ret);
}

/* ---- events ---- */

static void read_event_id(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, event_at(r, row)->id);
}

static void read_event_source(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, event_at(r, row)->source);
}

static void read_event_type(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, event_at(r, row)->type);
}

static void read_subject(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, event_at(r, row)->subject);
}

static void read_content_type(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    set_text(r, ret, event_at(r, row)->content_type);
}

static void add_extension(struct json_writer *w, const struct event_extension *x)
{
    json_key(w, x->name);
    if (x->type == EVENT_TEXT) {
        json_add_str(w, x->text);
    } else if (x->type == EVENT_FLAG) {
        json_add_bool(w, x->integer != 0);
    } else {
        json_add_i64(w, x->integer);
    }
}

static void read_extensions(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct event *ev = event_at(r, row);
    struct json_writer w;

    buf_clear(&r->text);
    json_write_init(&w, &r->text);
    json_begin_object(&w);
    for (size_t i = 0; i < ev->extension_count; i++) {
        add_extension(&w, &ev->extensions[i]);
    }
    json_end_object(&w);
    set_json(r, ret);
}

/* JSON as it is, text as a JSON text, bytes as one in base64. */
static void read_data(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    const struct event *ev = event_at(r, row);

    if (ev->form == EVENT_NO_DATA) {
        return;
    }
    buf_clear(&r->text);
    if (ev->form == EVENT_DATA_JSON) {
        buf_add_str(&r->text, ev->data);
    } else if (ev->form == EVENT_DATA_TEXT) {
        json_print_str(&r->text, ev->data);
    } else {
        buf_add_byte(&r->text, '"');
        base64_encode(ev->data, &r->text);
        buf_add_byte(&r->text, '"');
    }
    set_json(r, ret);
}

/* ---- sources ---- */

#define OF(kind) (1U << (kind))
#define OF_LABELLED (OF(RECORD_SAMPLE) | OF(RECORD_ALERT) | OF_NOTES)
#define OF_ALL (OF_LABELLED | OF(RECORD_EVENT))
#define OF_NOTES (OF(RECORD_PROFILE) | OF(RECORD_SPAN))

const struct cell_source cell_sources[] = {
    {"time", "timestamp", OF_ALL, CELL_TIME, read_time},
    {"id", NULL, OF(RECORD_ALERT), CELL_TEXT, read_alert_id},
    {"id", NULL, OF(RECORD_EVENT), CELL_TEXT, read_event_id},
    {"source", NULL, OF(RECORD_EVENT), CELL_TEXT, read_event_source},
    {"type", NULL, OF(RECORD_EVENT), CELL_TEXT, read_event_type},
    {"subject", NULL, OF(RECORD_EVENT), CELL_TEXT, read_subject},
    {"content_type", "datacontenttype", OF(RECORD_EVENT), CELL_TEXT, read_content_type},
    {"extensions", NULL, OF(RECORD_EVENT), CELL_JSON, read_extensions},
    {"data", NULL, OF(RECORD_EVENT), CELL_JSON, read_data},
    {"alert_name", "alertname", OF(RECORD_ALERT), CELL_TEXT, read_alert_name},
    {"state", NULL, OF(RECORD_ALERT), CELL_TEXT, read_state},
    {"previous_state", NULL, OF(RECORD_ALERT), CELL_TEXT, read_previous_state},
    {"severity", NULL, OF(RECORD_ALERT), CELL_TEXT, read_severity},
    {"metric", "__name__", OF(RECORD_SAMPLE), CELL_TEXT, read_metric},
    {"name", NULL, OF(RECORD_PROFILE), CELL_TEXT, read_name},
    {"name", "function_name", OF(RECORD_SPAN), CELL_TEXT, read_name},
    {"duration_ms", "execution_time_ms", OF(RECORD_SPAN), CELL_NUMBER, read_duration},
    {"end_time", "end_timestamp", OF(RECORD_SPAN), CELL_TIME, read_end},
    {"trace_id", NULL, OF(RECORD_SPAN), CELL_TEXT, read_trace_id},
    {"span_id", NULL, OF(RECORD_SPAN), CELL_TEXT, read_span_id},
    {"parent_id", "parent", OF(RECORD_SPAN), CELL_TEXT, read_parent_id},
    {"span_kind", NULL, OF(RECORD_SPAN), CELL_TEXT, read_kind},
    {"status", NULL, OF(RECORD_SPAN), CELL_TEXT, read_status},
    {"status_message", NULL, OF(RECORD_SPAN), CELL_TEXT, read_status_message},
    {"value", NULL, OF(RECORD_SAMPLE) | OF(RECORD_ALERT), CELL_NUMBER, read_value},
    {"threshold", NULL, OF(RECORD_ALERT), CELL_NUMBER, read_threshold},
    {"labels", NULL, OF_LABELLED, CELL_JSON, read_labels},
    {"annotations", NULL, OF(RECORD_ALERT), CELL_JSON, read_annotations},
    {"fields", NULL, OF_NOTES, CELL_JSON, read_fields},
    {"active_at", NULL, OF(RECORD_ALERT), CELL_TIME, read_active_at},
    {"fired_at", NULL, OF(RECORD_ALERT), CELL_TIME, read_fired_at},
    {"resolved_at", NULL, OF(RECORD_ALERT), CELL_TIME, read_resolved_at},
    {"rule", NULL, OF(RECORD_SAMPLE) | OF(RECORD_ALERT), CELL_TEXT, read_rule},
    {"rule_group", "group", OF(RECORD_ALERT), CELL_TEXT, read_group},
    {"rule_id", NULL, OF(RECORD_ALERT), CELL_TEXT, read_rule_id},
    {"expr", NULL, OF(RECORD_ALERT), CELL_TEXT, read_expr},
    {"exports", NULL, OF(RECORD_ALERT), CELL_JSON, read_exports},
    {.name = NULL},
};

const struct cell_source *cell_source_find(enum record_kind kind, struct str name)
{
    for (const struct cell_source *s = cell_sources; s->name != NULL; s++) {
        bool is_called =
            str_eq(name, str_of(s->name)) || (s->alias != NULL && str_eq(name, str_of(s->alias)));
        if (is_called && (s->kinds & OF(kind)) != 0) {
            return s;
        }
    }
    return NULL;
}

/* ---- reading ---- */

void cell_read(struct cell_reader *r, const struct cell_source *source, uint32_t i,
               struct cell *ret)
{
    *ret = (struct cell){.type = CELL_NULL};
    source->read(r, view_row(r->view, i), ret);
}

void cell_read_label(struct cell_reader *r, struct str label, uint32_t i, struct cell *ret)
{
    *ret = (struct cell){.type = CELL_NULL};
    if (r->events == NULL) {
        set_text(r, ret, labels_get(labels_at(r, view_row(r->view, i)), label));
    }
}

void cell_read_field(struct cell_reader *r, struct str field, uint32_t i, struct cell *ret)
{
    const struct note_field *f =
        r->notes != NULL ? note_get(note_at(r, view_row(r->view, i)), field) : NULL;

    *ret = (struct cell){.type = CELL_NULL};
    if (f != NULL) {
        read_field(r, f, ret);
    }
}

void cell_print(const struct cell *c, struct buf *out)
{
    if (c->type == CELL_TEXT || c->type == CELL_JSON) {
        buf_add_str(out, c->text);
    } else if (c->type == CELL_TIME) {
        buf_add_rfc3339(out, c->integer);
    } else if (c->type == CELL_NUMBER) {
        buf_add_double(out, c->number);
    } else if (c->type == CELL_INTEGER) {
        buf_add_i64(out, c->integer);
    } else if (c->type == CELL_FLAG) {
        buf_add_text(out, c->integer != 0 ? "true" : "false");
    }
}
