/* Events out of JSON: objects are found first, and then each is read for what it is. */
#include "wire/event_json.h"

#include "base/vec.h"
#include "wire/cloudevent.h"
#include "wire/json.h"

enum event_json event_json_look(struct str object, struct arena *a, struct err *e)
{
    struct json_reader r;
    struct str key;
    bool is_event = false;

    if (!json_is_utf8(object, e)) {
        return EVENT_JSON_BROKEN;
    }
    json_read_init(&r, object, a, e);
    if (!json_open_object(&r)) {
        return EVENT_JSON_BROKEN;
    }
    while (json_next_key(&r, &key) && json_skip(&r)) {
        is_event = is_event || str_eq(key, STR("specversion"));
    }
    if (!json_read_end(&r)) {
        return EVENT_JSON_BROKEN;
    }
    return is_event ? EVENT_JSON_EVENT : EVENT_JSON_PLAIN;
}

/* ---- one ---- */

static struct str id_of(struct str object, const struct event_json_names *names, size_t index,
                        struct arena *a)
{
    if (names->id.len == 0) {
        return arena_printf(a, "%016llx%016llx", (unsigned long long)str_hash(object, 0),
                            (unsigned long long)str_hash(object, 1));
    }
    return index == 0 ? names->id : arena_printf(a, "%.*s/%zu", STR_FMT(names->id), index + 1);
}

static bool make_plain(struct str object, const struct event_json_names *names, size_t index,
                       struct arena *a, struct event *ret, struct err *e)
{
    const struct event ev = {.id = id_of(object, names, index, a),
                             .source = names->source,
                             .type = names->type,
                             .subject = names->subject,
                             .content_type = STR("application/json"),
                             .schema = STR(""),
                             .has_time = names->has_time,
                             .time_ns = names->time_ns,
                             .form = EVENT_DATA_JSON,
                             .data = object};

    if (!event_check(&ev, e)) {
        return false;
    }
    *ret = ev;
    return true;
}

static bool read_at(struct str object, const struct event_json_names *names, size_t index,
                    struct arena *a, struct event *ret, struct err *e)
{
    struct err later = ERR_INIT;
    enum event_json what = event_json_look(object, a, &later);

    if (what == EVENT_JSON_BROKEN) {
        *e = later;
        return false;
    }
    return what == EVENT_JSON_EVENT ? cloudevent_read(object, a, ret, e)
                                    : make_plain(object, names, index, a, ret, e);
}

bool event_json_read_one(struct str object, const struct event_json_names *names, struct arena *a,
                         struct event *ret_event, struct err *e)
{
    return read_at(str_trim(object), names, 0, a, ret_event, e);
}

/* ---- many ---- */

struct reading {
    const struct event_json_names *names;
    struct arena *a;
    VEC(struct event) rows;
};

/* Takes the object that comes next in <r>. */
static bool take_object(struct reading *in, struct json_reader *r)
{
    struct str object;
    struct event ev;
    size_t index = in->rows.len;

    if (json_peek(r) != JSON_OBJECT) {
        (void)json_fail(r, ERR_PARSE, "expected a JSON object");
        return err_wrap(r->err, "event %zu", index + 1);
    }
    if (index == EVENT_JSON_MAX) {
        return json_fail(r, ERR_LIMIT, "there are more than %d events", EVENT_JSON_MAX);
    }
    if (!json_take_raw(r, &object)) {
        return err_wrap(r->err, "event %zu", index + 1);
    }
    if (!read_at(object, in->names, index, in->a, &ev, r->err)) {
        json_stop(r);
        return err_wrap(r->err, "event %zu", index + 1);
    }
    vec_push(&in->rows, ev);
    return true;
}

static bool take_array(struct reading *in, struct json_reader *r)
{
    if (!json_open_array(r)) {
        return false;
    }
    while (json_next_item(r)) {
        if (!take_object(in, r)) {
            return false;
        }
    }
    return json_read_end(r);
}

/* Objects behind each other; places in errors are those in the whole text. */
static bool take_stream(struct reading *in, struct str text, struct err *e)
{
    const char *at = text.ptr;
    const char *end = text.ptr + text.len;

    while (str_trim(str_make(at, (size_t)(end - at))).len > 0) {
        struct json_reader r;
        json_read_init(&r, text, in->a, e);
        r.at = at;
        if (!take_object(in, &r)) {
            return false;
        }
        at = r.at;
    }
    return in->rows.len > 0 || err_set(e, ERR_PARSE, "there is no event: expected a JSON object");
}

static bool take_all(struct reading *in, struct str text, struct err *e)
{
    struct str trimmed = str_trim(text);
    struct json_reader r;

    if (!json_is_utf8(text, e)) {
        return false;
    }
    if (trimmed.len == 0 || trimmed.ptr[0] != '[') {
        return take_stream(in, text, e);
    }
    json_read_init(&r, text, in->a, e);
    return take_array(in, &r);
}

bool event_json_read(struct str text, const struct event_json_names *names, struct arena *a,
                     struct events *ret_events, struct err *e)
{
    struct reading in = {.names = names, .a = a};
    struct event *rows = NULL;
    bool ok = take_all(&in, text.ptr != NULL ? text : STR(""), e);

    if (ok) {
        rows = arena_try_alloc(a, in.rows.len + 1, sizeof(*rows));
        ok = rows != NULL || err_set(e, ERR_LIMIT, "no room for %zu events", in.rows.len);
    }
    if (ok) {
        if (in.rows.len > 0) {
            memcpy(rows, in.rows.items, in.rows.len * sizeof(*rows));
        }
        *ret_events = (struct events){rows, (uint32_t)in.rows.len};
    }
    vec_release(&in.rows);
    return ok;
}
