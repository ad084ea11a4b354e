/* Events as JSON. The type of the data may come behind them, so what they mean is decided at the end. */
#include "wire/cloudevent.h"

#include "base/base64.h"
#include "base/number.h"
#include "base/timetext.h"
#include "wire/cloudevent_int.h"
#include "wire/json.h"

#include <string.h>

/* ---- writing ---- */

/* A member behind the first; <key> is as it stands in JSON, with its comma. */
static void add_member(struct buf *out, struct str key, struct str value)
{
    if (value.len > 0) {
        buf_add_str(out, key);
        json_print_str(out, value);
    }
}

/* Its name needs no escapes. */
static void add_extension(struct buf *out, const struct event_extension *x)
{
    buf_add_text(out, ",\"");
    buf_add_str(out, x->name);
    buf_add_text(out, "\":");
    if (x->type == EVENT_INTEGER) {
        buf_add_i64(out, x->integer);
    } else if (x->type == EVENT_FLAG) {
        buf_add_text(out, x->integer != 0 ? "true" : "false");
    } else {
        json_print_str(out, x->text);
    }
}

/* Line ends stand between the tokens of JSON, never in them: an event stays on its line. */
static void add_json_line(struct buf *out, struct str json)
{
    static const char ends[] = {'\n', '\r'};
    size_t before = out->len;

    buf_add_str(out, json);
    for (size_t i = 0; i < sizeof(ends) && out->len > before; i++) {
        char *end = out->ptr + out->len;
        char *at = memchr(out->ptr + before, ends[i], out->len - before);
        while (at != NULL) {
            *at = ' ';
            at = memchr(at, ends[i], (size_t)(end - at));
        }
    }
}

static void add_base64(struct buf *out, struct str bytes)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    base64_encode(bytes, &text);
    json_print_str(out, buf_str(&text));
}

static void add_data(struct buf *out, const struct event *ev)
{
    if (ev->form == EVENT_NO_DATA) {
        return;
    }
    buf_add_text(out, ev->form == EVENT_DATA_BYTES ? ",\"data_base64\":" : ",\"data\":");
    if (ev->form == EVENT_DATA_JSON) {
        add_json_line(out, ev->data);
    } else if (ev->form == EVENT_DATA_TEXT) {
        json_print_str(out, ev->data);
    } else {
        add_base64(out, ev->data);
    }
}

void cloudevent_write(const struct event *ev, struct buf *out)
{
    buf_add_str(out, STR("{\"specversion\":\"1.0\""));
    add_member(out, STR(",\"id\":"), ev->id);
    add_member(out, STR(",\"source\":"), ev->source);
    add_member(out, STR(",\"type\":"), ev->type);
    if (ev->has_time) {
        buf_add_str(out, STR(",\"time\":\""));
        buf_add_rfc3339(out, ev->time_ns);
        buf_add_byte(out, '"');
    }
    add_member(out, STR(",\"subject\":"), ev->subject);
    add_member(out, STR(",\"datacontenttype\":"), ev->content_type);
    add_member(out, STR(",\"dataschema\":"), ev->schema);
    for (size_t i = 0; i < ev->extension_count; i++) {
        add_extension(out, &ev->extensions[i]);
    }
    add_data(out, ev);
    buf_add_byte(out, '}');
}

/* ---- reading ---- */

struct reading {
    struct json_reader *r;
    struct arena *a;
    struct cloudevent_draft draft;
    bool has_data;
    bool is_string; /* the data are a JSON string */
    struct str data;
    bool has_base64;
    struct str base64;
};

/* What was said in r->err is the end of it. */
static bool stop(struct reading *in)
{
    if (!in->r->failed) {
        json_stop(in->r);
    }
    return false;
}

static bool take_known(struct reading *in, struct str name)
{
    struct str text;

    return json_take_str(in->r, &text) &&
           (cloudevent_take_known(&in->draft, name, text, in->r->err) || stop(in));
}

/* Integers of 32 bits; there are no others in an event, and no fractions. */
static bool take_number(struct reading *in, struct event_extension *x)
{
    struct str text;
    int64_t value = 0;

    if (!json_take_number(in->r, &text)) {
        return false;
    }
    if (!number_parse_i64(text, &value) || value > INT32_MAX || value < INT32_MIN) {
        return json_fail(in->r, ERR_PARSE,
                         "'%.*s' of the event is %.*s; numbers are integers of 32 bits",
                         STR_FMT(x->name), STR_FMT(text));
    }
    x->type = EVENT_INTEGER;
    x->integer = (int32_t)value;
    return true;
}

static bool take_flag(struct reading *in, struct event_extension *x)
{
    bool value = false;

    x->type = EVENT_FLAG;
    if (!json_take_bool(in->r, &value)) {
        return false;
    }
    x->integer = value;
    return true;
}

static bool take_text(struct reading *in, struct event_extension *x)
{
    x->type = EVENT_TEXT;
    return json_take_str(in->r, &x->text);
}

static bool take_extension(struct reading *in, struct str name)
{
    static bool (*const takers[])(struct reading *, struct event_extension *) = {
        [JSON_STRING] = take_text, [JSON_NUMBER] = take_number, [JSON_TRUE] = take_flag,
        [JSON_FALSE] = take_flag,  [JSON_NULL] = NULL,
    };
    struct event_extension x = {.name = name, .text = STR("")};
    enum json_kind kind = json_peek(in->r);

    if (takers[kind] == NULL) {
        return json_fail(in->r, ERR_PARSE,
                         "'%.*s' of the event is an object or an array; expected a text, an "
                         "integer or a boolean",
                         STR_FMT(name));
    }
    return takers[kind](in, &x) &&
           (cloudevent_take_extension(&in->draft, &x, in->r->err) || stop(in));
}

static bool take_data(struct reading *in)
{
    if (in->has_data) {
        return json_fail(in->r, ERR_PARSE, "the event has 'data' twice");
    }
    in->has_data = true;
    in->is_string = json_peek(in->r) == JSON_STRING;
    return json_take_raw(in->r, &in->data);
}

static bool take_base64(struct reading *in)
{
    if (in->has_base64) {
        return json_fail(in->r, ERR_PARSE, "the event has 'data_base64' twice");
    }
    in->has_base64 = true;
    return json_take_str(in->r, &in->base64);
}

/* null is how some write what is not there. */
static bool take_member(struct reading *in, struct str key)
{
    if (str_eq(key, STR("data"))) {
        return take_data(in);
    }
    if (json_peek(in->r) == JSON_NULL) {
        return json_skip(in->r);
    }
    if (str_eq(key, STR("data_base64"))) {
        return take_base64(in);
    }
    return cloudevent_is_known(key) ? take_known(in, key) : take_extension(in, key);
}

static bool set_bytes(struct reading *in)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);

    if (!base64_decode(in->base64, &bytes)) {
        return json_fail(in->r, ERR_PARSE, "'data_base64' of the event is no base64");
    }
    in->draft.event.form = EVENT_DATA_BYTES;
    in->draft.event.data = arena_dup(in->a, buf_str(&bytes));
    return true;
}

/* A JSON string is the text itself where the data are no JSON. */
static bool set_text(struct reading *in)
{
    struct json_reader r;

    json_read_init(&r, in->data, in->a, in->r->err);
    in->draft.event.form = EVENT_DATA_TEXT;
    return json_take_str(&r, &in->draft.event.data) || stop(in);
}

static bool set_data(struct reading *in)
{
    struct event *ev = &in->draft.event;
    bool is_null = in->has_data && str_eq(in->data, STR("null"));

    if (in->has_base64) {
        return !in->has_data || is_null
                   ? set_bytes(in)
                   : json_fail(in->r, ERR_PARSE,
                               "the event has both 'data' and 'data_base64'; expected one");
    }
    if (!in->has_data || is_null) {
        return true;
    }
    if (in->is_string && !event_type_is_json(ev->content_type)) {
        return set_text(in);
    }
    ev->form = EVENT_DATA_JSON;
    ev->data = in->data;
    return true;
}

static bool read_members(struct reading *in, struct event *ret_event)
{
    struct str key;

    while (json_next_key(in->r, &key)) {
        if (!take_member(in, key)) {
            return false;
        }
    }
    return !in->r->failed && set_data(in) &&
           (cloudevent_draft_end(&in->draft, in->a, ret_event, in->r->err) || stop(in));
}

static bool read_event(struct json_reader *r, struct arena *a, struct event *ret_event)
{
    struct reading in = {.r = r, .a = a};

    cloudevent_draft_init(&in.draft);
    bool ok = json_open_object(r) && read_members(&in, ret_event);
    cloudevent_draft_release(&in.draft);
    return ok;
}

bool cloudevent_read(struct str json, struct arena *a, struct event *ret_event, struct err *e)
{
    struct json_reader r;
    struct event ev;

    if (!json_is_utf8(json, e)) {
        return false;
    }
    json_read_init(&r, json, a, e);
    if (!read_event(&r, a, &ev) || !json_read_end(&r)) {
        return false;
    }
    *ret_event = ev;
    return true;
}

struct event_list {
    VEC(struct event) rows;
};

static bool move_rows(const struct event_list *list, struct arena *a, struct events *ret,
                      struct err *e)
{
    size_t count = list->rows.len;
    struct event *rows = arena_try_alloc(a, count + 1, sizeof(*rows));

    if (rows == NULL || count > UINT32_MAX) {
        return err_set(e, ERR_LIMIT, "no room for %zu events", count);
    }
    if (count > 0) {
        memcpy(rows, list->rows.items, count * sizeof(*rows));
    }
    *ret = (struct events){rows, (uint32_t)count};
    return true;
}

static bool read_list(struct json_reader *r, struct arena *a, struct event_list *list)
{
    struct event ev;

    if (!json_open_array(r)) {
        return false;
    }
    while (json_next_item(r)) {
        if (!read_event(r, a, &ev)) {
            return err_wrap(r->err, "event %zu of the batch", list->rows.len + 1);
        }
        vec_push(&list->rows, ev);
    }
    return json_read_end(r);
}

bool cloudevents_read(struct str json, struct arena *a, struct events *ret_events, struct err *e)
{
    struct event_list list = {0};
    struct json_reader r;

    if (!json_is_utf8(json, e)) {
        return false;
    }
    json_read_init(&r, json, a, e);
    bool ok = read_list(&r, a, &list) && move_rows(&list, a, ret_events, e);
    vec_release(&list.rows);
    return ok;
}
