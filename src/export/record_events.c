#include "export/record_events.h"

#include "wire/note_json.h"

#include <string.h>

enum { OWN_EXTENSIONS = 3 };

bool record_events_init(struct record_events *r, const struct event_naming *naming,
                        struct view view, struct err *e)
{
    *r = (struct record_events){.naming = naming, .text = BUF_INIT(BUF_UNLIMITED)};
    return record_objects_init(&r->objects, view, e);
}

void record_events_release(struct record_events *r)
{
    record_objects_release(&r->objects);
    buf_release(&r->text);
}

uint32_t record_events_count(const struct record_events *r, uint32_t i)
{
    return record_objects_count(&r->objects, i);
}

/* ---- texts ---- */

/* What may not stand in an attribute becomes a space, bytes that are no text a question mark. */
static struct str clean(struct str text, struct arena *a)
{
    if (event_text_is_valid(text)) {
        return text;
    }
    char *copy = arena_text(a, text);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)copy[i];
        copy[i] = (char)(c < 0x20 || c == 0x7F ? ' ' : c);
        copy[i] = (char)(c >= 0x80 ? '?' : copy[i]);
    }
    return str_make(copy, text.len);
}

static struct str hash_text(struct str bytes, struct arena *a)
{
    return arena_printf(a, "%016llx%016llx", (unsigned long long)str_hash(bytes, 0),
                        (unsigned long long)str_hash(bytes, 1));
}

static struct str hex_text(const uint8_t *id, size_t len, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    span_id_print(id, len, &text);
    return arena_dup(a, buf_str(&text));
}

/* ---- what differs between kinds ---- */

/* What an event says beside the record itself. */
struct facts {
    struct str id;
    struct str subject;
    struct str key; /* records of one key are in order */
    int64_t time_ns;
    const struct labels *labels;
    struct event_extension own; /* of the kind; no name: none */
};

static struct event_extension text_extension(const char *name, struct str text)
{
    return (struct event_extension){.name = str_of(name), .type = EVENT_TEXT, .text = text};
}

static void alert_facts(const struct alert *alert, uint32_t part, struct arena *a, struct facts *f)
{
    AUTO(buf_release) struct buf id = BUF_INIT(BUF_SMALL);

    alert_print_id(alert, &id);
    if (alert->export_count > 1) {
        buf_addf(&id, ":%u", part);
    }
    f->id = arena_dup(a, buf_str(&id));
    f->subject = labels_get(alert->labels, STR("alertname"));
    f->key = arena_printf(a, "%.*s:%016llx", STR_FMT(alert->rule_id),
                          (unsigned long long)alert->labels->hash);
    f->time_ns = alert->time_ns;
    f->labels = alert->labels;
    f->own = text_extension("alertstate", alert->to == ALERT_RESOLVED
                                              ? STR("resolved")
                                              : str_of(alert_state_prometheus(alert->to)));
}

static void sample_facts(const struct samples *s, uint32_t row, struct arena *a, struct facts *f)
{
    f->labels = s->series[s->series_of[row]];
    f->time_ns = s->time_ns[row];
    f->subject = labels_get(f->labels, STR("__name__"));
    f->key = hash_text(labels_bytes(f->labels), a);
    f->id = arena_printf(a, "%.*s:%lld", STR_FMT(f->key), (long long)f->time_ns);
}

/* The version, the ids and a flag that says nothing: https://www.w3.org/TR/trace-context/. */
static void span_facts(const struct span_part *span, struct arena *a, struct facts *f)
{
    struct str trace = hex_text(span->trace_id, TRACE_ID_BYTES, a);
    struct str id = hex_text(span->span_id, SPAN_ID_BYTES, a);

    f->id = arena_printf(a, "%.*s:%.*s", STR_FMT(trace), STR_FMT(id));
    f->key = trace;
    f->own = text_extension("traceparent",
                            arena_printf(a, "00-%.*s-%.*s-00", STR_FMT(trace), STR_FMT(id)));
}

static void note_facts(const struct note *n, struct str json, struct arena *a, struct facts *f)
{
    f->labels = n->labels;
    f->time_ns = n->time_ns;
    f->subject = n->name;
    if (n->span != NULL) {
        span_facts(n->span, a, f);
        return;
    }
    f->key = hash_text(labels_bytes(n->labels), a);
    f->id = hash_text(json, a);
}

/* ---- events ---- */

static bool has_extension(const struct event_extension *list, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(list[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void push(struct event_extension *list, size_t *count, struct str name, struct str text)
{
    if (text.len > 0 && !has_extension(list, *count, name)) {
        list[(*count)++] = (struct event_extension){.name = name, .type = EVENT_TEXT, .text = text};
    }
}

static void add_extensions(const struct record_events *r, const struct facts *f, struct arena *a,
                           struct event *ev)
{
    const struct option_map *texts = &r->naming->extensions;
    const struct option_map *labels = &r->naming->extension_labels;
    struct event_extension *list =
        arena_array(a, struct event_extension, texts->count + labels->count + OWN_EXTENSIONS);
    size_t count = 0;

    for (size_t i = 0; i < labels->count; i++) {
        push(list, &count, labels->items[i].name,
             clean(labels_get(f->labels, labels->items[i].value), a));
    }
    for (size_t i = 0; i < texts->count; i++) {
        push(list, &count, texts->items[i].name, texts->items[i].value);
    }
    push(list, &count, STR("partitionkey"), f->key);
    push(list, &count, f->own.name, f->own.text);
    ev->extensions = list;
    ev->extension_count = count;
}

static void gather_facts(struct record_events *r, uint32_t row, uint32_t part, struct arena *a,
                         struct facts *f)
{
    const struct record_objects *o = &r->objects;

    *f = (struct facts){.own = {.name = STR(""), .text = STR("")}};
    if (o->alerts != NULL) {
        alert_facts(&o->alerts->rows[row], part, a, f);
    } else if (o->samples != NULL) {
        sample_facts(o->samples, row, a, f);
    } else {
        note_facts(&o->notes->rows[row], buf_str(&r->text), a, f);
    }
}

void record_events_make(struct record_events *r, uint32_t i, uint32_t part, struct arena *a,
                        struct event *ret_event)
{
    uint32_t row = view_row(r->objects.view, i);
    enum record_kind kind = batch_info(r->objects.view.batch)->kind;
    struct facts f;

    if (r->objects.events != NULL) {
        *ret_event = r->objects.events->rows[row];
        return;
    }
    buf_clear(&r->text);
    record_objects_add(&r->objects, i, part, &r->text);
    gather_facts(r, row, part, a, &f);
    *ret_event = (struct event){
        .id = clean(f.id, a),
        .source = r->naming->source,
        .type = arena_printf(a, "%.*s%s", STR_FMT(r->naming->type_prefix), record_kind_name(kind)),
        .subject = clean(f.subject, a),
        .content_type = STR("application/json"),
        .schema = STR(""),
        .has_time = true,
        .time_ns = f.time_ns,
        .form = EVENT_DATA_JSON,
        .data = arena_dup(a, buf_str(&r->text)),
    };
    add_extensions(r, &f, a, ret_event);
}

/* ---- what the config says ---- */

static bool check_names(const struct option_map *map, struct err *e)
{
    for (size_t i = 0; i < map->count; i++) {
        if (!event_name_is_valid(map->items[i].name) || !event_text_is_valid(map->items[i].value)) {
            return err_set(e, ERR_CONFIG,
                           "extension '%.*s': expected a name of a-z and 0-9 that is not 'data', "
                           "and a text without control characters",
                           STR_FMT(map->items[i].name));
        }
    }
    return map->count <= RECORD_EVENT_EXTENSIONS_MAX ||
           err_set(e, ERR_CONFIG, "more than %d extensions", RECORD_EVENT_EXTENSIONS_MAX);
}

bool event_naming_check(const struct event_naming *naming, struct err *e)
{
    const struct event ev = {.id = STR("x"),
                             .source = naming->source,
                             .type = naming->type_prefix,
                             .subject = STR(""),
                             .content_type = STR(""),
                             .schema = STR("")};

    return check_names(&naming->extensions, e) && check_names(&naming->extension_labels, e) &&
           event_check(&ev, e);
}
