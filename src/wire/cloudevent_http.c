/* Events as HTTP messages: modes, and attributes as headers. */
#include "wire/cloudevent_int.h"

#include "base/timetext.h"
#include "wire/json.h"

#include <inttypes.h>
#include <string.h>

/* ---- values of headers ---- */

void cloudevent_print_header(struct str value, struct buf *out)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (c > 0x20 && c < 0x7F && c != '"' && c != '%') {
            buf_add_byte(out, (char)c);
        } else {
            const char escape[] = {'%', hex[c >> 4], hex[c & 15]};
            buf_add(out, escape, sizeof(escape));
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Appends the byte that an escape at <i> says and moves *i to its end; false when it is broken. */
static bool take_escape(struct str value, size_t *i, struct buf *out)
{
    if (*i + 2 >= value.len) {
        return false;
    }
    int high = hex_digit(value.ptr[*i + 1]);
    int low = hex_digit(value.ptr[*i + 2]);
    if (high < 0 || low < 0) {
        return false;
    }
    buf_add_byte(out, (char)(high * 16 + low));
    *i += 2;
    return true;
}

/* Takes quotes off, undoes backslashes between them, and percent escapes once. */
static bool parse_bytes(struct str value, struct buf *out)
{
    bool quoted = false;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '"') {
            quoted = !quoted;
            continue;
        }
        if (c == '%') {
            if (!take_escape(value, &i, out)) {
                return false;
            }
            continue;
        }
        if (c == '\\' && quoted) {
            if (++i == value.len) {
                return false;
            }
            c = value.ptr[i];
        }
        buf_add_byte(out, c);
    }
    return !quoted;
}

bool cloudevent_parse_header(struct str value, struct buf *out)
{
    size_t before = out->len;

    if (parse_bytes(value, out) && buf_ok(out) &&
        str_is_utf8(str_make(out->ptr + before, out->len - before))) {
        return true;
    }
    buf_truncate(out, before);
    return false;
}

/* ---- modes ---- */

enum cloudevent_mode cloudevent_mode_of(struct str content_type)
{
    static const struct {
        const char *type;
        enum cloudevent_mode mode;
    } modes[] = {
        {"application/cloudevents+json", CLOUDEVENT_STRUCTURED},
        {"application/cloudevents-batch+json", CLOUDEVENT_BATCHED},
        {"application/cloudevents", CLOUDEVENT_STRUCTURED},
        {"application/cloudevents-batch", CLOUDEVENT_BATCHED},
    };
    struct str type = str_trim(str_slice(content_type, 0, str_find_byte(content_type, ';')));
    struct str family = STR("application/cloudevents");

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (str_eq_nocase(type, str_of(modes[i].type))) {
            return modes[i].mode;
        }
    }
    return str_eq_nocase(str_slice(type, 0, family.len), family) ? CLOUDEVENT_FOREIGN
                                                                 : CLOUDEVENT_BINARY;
}

/* ---- writing ---- */

struct header_list {
    struct arena *a;
    const char *prefix;
    bool is_plain; /* values go as they are */
    struct cloudevent_header *headers;
    size_t max;
    size_t count;
};

static void add_as_it_is(struct str value, struct buf *out)
{
    buf_add_str(out, value);
}

static void add_header(struct header_list *l, struct str name, struct str value)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (value.len == 0) {
        return;
    }
    if (l->count < l->max) {
        (l->is_plain ? add_as_it_is : cloudevent_print_header)(value, &text);
        l->headers[l->count] =
            (struct cloudevent_header){arena_printf(l->a, "%s%.*s", l->prefix, STR_FMT(name)),
                                       arena_dup(l->a, buf_str(&text))};
    }
    l->count++;
}

static bool add_headers(struct header_list *list, const struct event *ev, struct err *e)
{
    static const char *const names[CLOUDEVENT_OWN_HEADERS] = {
        "specversion", "id", "source", "type", "time", "subject", "dataschema"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        add_header(list, str_of(names[i]), event_attribute(ev, str_of(names[i]), list->a));
    }
    for (size_t i = 0; i < ev->extension_count; i++) {
        struct str name = ev->extensions[i].name;
        add_header(list, name, event_attribute(ev, name, list->a));
    }
    return list->count <= list->max ||
           err_set(e, ERR_LIMIT, "the event has %zu attributes, room is for %zu headers",
                   list->count, list->max);
}

bool cloudevent_headers(const struct event *ev, struct arena *a, struct cloudevent_header *headers,
                        size_t max, size_t *ret_count, struct err *e)
{
    struct header_list list = {.a = a, .prefix = "ce-", .headers = headers, .max = max};
    bool ok = add_headers(&list, ev, e);

    *ret_count = ok ? list.count : *ret_count;
    return ok;
}

bool cloudevent_kafka_headers(const struct event *ev, struct arena *a,
                              struct cloudevent_header *headers, size_t max, size_t *ret_count,
                              struct err *e)
{
    struct header_list list = {
        .a = a, .prefix = "ce_", .is_plain = true, .headers = headers, .max = max};
    bool ok = add_headers(&list, ev, e);

    *ret_count = ok ? list.count : *ret_count;
    return ok;
}

struct str cloudevent_body_type(const struct event *ev)
{
    if (ev->content_type.len > 0) {
        return ev->content_type;
    }
    return ev->form != EVENT_NO_DATA ? STR("application/json") : STR("");
}

/* ---- reading ---- */

static struct str lower_name(struct str name, struct arena *a)
{
    char *text = arena_text(a, name);

    for (size_t i = 0; i < name.len; i++) {
        text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] | 0x20 : text[i]);
    }
    return str_make(text, name.len);
}

/* The type is the message's own, whatever a header says. */
static bool take_header(struct cloudevent_draft *d, const struct cloudevent_header *h,
                        struct arena *a, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct str name = lower_name(str_slice(h->name, 3, h->name.len), a);

    if (str_eq(name, STR("datacontenttype"))) {
        return true;
    }
    if (!cloudevent_parse_header(h->value, &text)) {
        return err_set(e, ERR_PARSE,
                       "the header ce-%.*s is broken: expected UTF-8 in percent escapes",
                       STR_FMT(name));
    }
    struct str value = arena_dup(a, buf_str(&text));
    const struct event_extension x = {.name = name, .type = EVENT_TEXT, .text = value};
    return cloudevent_is_known(name) ? cloudevent_take_known(d, name, value, e)
                                     : cloudevent_take_extension(d, &x, e);
}

static bool is_json_text(struct str text, struct arena *a)
{
    struct err ignored = ERR_INIT;
    struct json_reader r;

    json_read_init(&r, text, a, &ignored);
    return str_is_utf8(text) && json_skip(&r) && json_read_end(&r);
}

static enum event_form form_of(const struct cloudevent_message *m, struct arena *a)
{
    struct str text = STR("text/");

    if (m->body.len == 0) {
        return EVENT_NO_DATA;
    }
    if (event_type_is_json(m->content_type)) {
        return is_json_text(m->body, a) ? EVENT_DATA_JSON : EVENT_DATA_BYTES;
    }
    return str_eq_nocase(str_slice(m->content_type, 0, text.len), text) && str_is_utf8(m->body)
               ? EVENT_DATA_TEXT
               : EVENT_DATA_BYTES;
}

static bool take_message(struct cloudevent_draft *d, const struct cloudevent_message *m,
                         struct arena *a, struct event *ret_event, struct err *e)
{
    for (size_t i = 0; i < m->header_count; i++) {
        const struct cloudevent_header *h = &m->headers[i];
        if (str_eq_nocase(str_slice(h->name, 0, 3), STR("ce-")) && !take_header(d, h, a, e)) {
            return false;
        }
    }
    d->event.content_type = str_trim(m->content_type);
    d->event.form = form_of(m, a);
    d->event.data = m->body;
    return cloudevent_draft_end(d, a, ret_event, e);
}

static bool read_binary(const struct cloudevent_message *m, struct arena *a,
                        struct event *ret_event, struct err *e)
{
    struct cloudevent_draft d;

    cloudevent_draft_init(&d);
    bool ok = take_message(&d, m, a, ret_event, e);
    cloudevent_draft_release(&d);
    return ok;
}

static bool read_one(const struct cloudevent_message *m, enum cloudevent_mode mode, struct arena *a,
                     struct events *ret_events, struct err *e)
{
    struct event *ev = arena_new(a, struct event);

    if (mode == CLOUDEVENT_STRUCTURED ? !cloudevent_read(m->body, a, ev, e)
                                      : !read_binary(m, a, ev, e)) {
        return false;
    }
    *ret_events = (struct events){ev, 1};
    return true;
}

bool cloudevents_read_message(const struct cloudevent_message *m, struct arena *a,
                              struct events *ret_events, struct err *e)
{
    enum cloudevent_mode mode = cloudevent_mode_of(m->content_type);

    if (mode == CLOUDEVENT_FOREIGN) {
        return err_set(e, ERR_CONFIG, "events of type '%.*s' are not understood; expected JSON",
                       STR_FMT(m->content_type));
    }
    return mode == CLOUDEVENT_BATCHED ? cloudevents_read(m->body, a, ret_events, e)
                                      : read_one(m, mode, a, ret_events, e);
}
