/*
 * Invariants
 *   1. A change ends in exactly one of: a row of the intake's events, done, or told as a fault.
 *   2. Nothing of an event depends on when, where or how often the change was read.
 */
#include "events/transform.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/timetext.h"
#include "events/health_event.h"
#include "export/payload.h"
#include "wire/cloudevent.h"
#include "wire/events.h"
#include "wire/json.h"

#include <string.h>

enum { OWN_EXTENSIONS = 6, OVERHEAD_BYTES = 512 };

static const char health_type[] = "com.nvidia.nvsentinel.health.v1";
static const char plain_type[] = "dev.telex.change";

struct transform {
    const struct transform_options *options;
    const struct condition *match;
    struct arena arena;      /* of what is the same for all */
    struct str metadata;     /* JSON */
    struct str health_front; /* what stands before the record in the data */
    struct str plain_front;
    struct str health_source;
    struct str plain_source;
    const struct option_map *metadata_map;
    struct payload *data;    /* or NULL */
    struct payload *subject; /* or NULL */
    struct payload_writer data_writer;
    struct payload_writer subject_writer;
    struct buf text;
    struct buf object;
    const char *checked_source; /* of an event of our own that was found to be one, and its type */
    const char *checked_type;
    int64_t
        printed_ns; /* the time that was printed last, in this intake; rows of a transaction share theirs */
    struct str printed;
    struct str stream; /* the group of what it makes, by which dead letters are told apart */
};

/* ---- rows as JSON ---- */

static void print_value(struct json_writer *w, const struct change_column *c, struct buf *scratch)
{
    switch (c->type) {
    case COLUMN_TEXT:
        json_add_str(w, c->text);
        return;
    case COLUMN_NUMBER:
    case COLUMN_FLAG:
    case COLUMN_JSON:
        json_add_raw(w, c->text);
        return;
    case COLUMN_BYTES:
        buf_clear(scratch);
        base64_encode(c->text, scratch);
        json_add_str(w, buf_str(scratch));
        return;
    case COLUMN_NULL:
    case COLUMN_UNSENT:
    case COLUMN_TYPES:
        break;
    }
    json_add_null(w);
}

/* What was not sent again is left out: nobody says that it is null. */
void transform_print_row(const struct change *row, struct buf *out)
{
    AUTO(buf_release) struct buf scratch = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    for (size_t i = 0; i < row->column_count; i++) {
        if (row->columns[i].type != COLUMN_UNSENT) {
            json_key(&w, row->columns[i].name);
            print_value(&w, &row->columns[i], &scratch);
        }
    }
    json_end_object(&w);
}

/* ---- one change ---- */

/* What an event is made of. */
struct draft {
    struct str record; /* JSON */
    bool is_health;
    struct health_facts facts;
    struct json_node *tree; /* of the record, once somebody looked */
};

static const struct change_column *document_column(const struct transform *t,
                                                   const struct change *ch)
{
    return t->options->document_column.len > 0 ? change_column(ch, t->options->document_column)
                                               : NULL;
}

/* The record of a change as it leaves, if it is a health event. */
static enum health_result find_health(struct transform *t, const struct change *ch, struct arena *a,
                                      struct draft *d, struct err *e)
{
    const struct change_column *column = document_column(t, ch);
    enum health_result result = HEALTH_NONE;

    buf_clear(&t->text);
    if (t->options->shape == SHAPE_PLAIN) {
        return HEALTH_NONE;
    }
    if (column != NULL) {
        result = health_event_of_document(column->text, a, &t->text, &d->facts, e);
    } else if (ch->form == CHANGE_ROW) {
        result = health_event_of_row(ch, a, &t->text, &d->facts, e);
    } else if (ch->form == CHANGE_DOCUMENT) {
        result = health_event_of_document(ch->document, a, &t->text, &d->facts, e);
    } else if (ch->event->form == EVENT_DATA_JSON) {
        result = health_event_of_document(ch->event->data, a, &t->text, &d->facts, e);
    }
    d->is_health = result == HEALTH_EVENT;
    return result;
}

static bool check_document(struct str document, struct arena *a, struct err *e)
{
    struct json_reader r;

    json_read_init(&r, document, a, e);
    return json_skip(&r) && json_read_end(&r);
}

/* What t->text has: that is written over only where something is rendered. */
static struct str keep_text(const struct transform *t, struct arena *a)
{
    bool is_rendered = t->data != NULL || t->subject != NULL;

    return is_rendered ? arena_dup(a, buf_str(&t->text)) : buf_str(&t->text);
}

/* The record of anything else, as it is. */
static bool find_plain(struct transform *t, const struct change *ch, struct arena *a,
                       struct draft *d, struct err *e)
{
    const struct change_column *column = document_column(t, ch);

    if (t->options->shape == SHAPE_HEALTH) {
        return err_set(e, ERR_PARSE,
                       "no health event: expected members nodeName and checkName, in it or below "
                       "`healthevent`%s%s",
                       d->facts.odd != NULL ? ", and " : "",
                       d->facts.odd != NULL ? d->facts.odd : "");
    }
    if (column != NULL && column->type == COLUMN_JSON) {
        d->record = column->text;
    } else if (ch->form == CHANGE_ROW) {
        buf_clear(&t->text);
        transform_print_row(ch, &t->text);
        d->record = keep_text(t, a);
    } else if (ch->form == CHANGE_DOCUMENT) {
        d->record = ch->document;
        return check_document(ch->document, a, e);
    } else {
        d->record = ch->event->form == EVENT_DATA_JSON ? ch->event->data : STR("null");
    }
    return true;
}

static bool find_record(struct transform *t, const struct change *ch, struct arena *a,
                        struct draft *d, struct err *e)
{
    if (ch->form == CHANGE_BROKEN) {
        return err_set(e, ERR_PARSE, "%.*s", STR_FMT(ch->fault));
    }
    enum health_result result = find_health(t, ch, a, d, e);
    if (result == HEALTH_EVENT) {
        d->record = keep_text(t, a);
        return true;
    }
    return result == HEALTH_NONE && find_plain(t, ch, a, d, e);
}

/* ---- data ---- */

static const char *const op_names[] = {"insert", "update", "delete"};

/* What templates of the config look at. */
static struct str template_object(struct transform *t, const struct change *ch,
                                  const struct draft *d)
{
    struct json_writer w;

    buf_clear(&t->object);
    json_write_init(&w, &t->object);
    json_begin_object(&w);
    json_key(&w, STR("metadata"));
    json_add_raw(&w, t->metadata);
    json_key(&w, STR("record"));
    json_add_raw(&w, d->record);
    json_key(&w, STR("id"));
    json_add_str(&w, ch->id);
    json_key(&w, STR("key"));
    json_add_str(&w, ch->key);
    json_key(&w, STR("table"));
    json_add_str(&w, ch->name);
    json_key(&w, STR("operation"));
    json_add_text(&w, op_names[ch->op]);
    json_end_object(&w);
    return buf_str(&t->object);
}

static bool render(struct transform *t, struct payload_writer *w, const struct change *ch,
                   const struct draft *d, struct arena *a, struct str *ret, struct err *e)
{
    buf_clear(&t->text);
    if (!payload_add(w, template_object(t, ch, d), ch->time_ns, &t->text, e)) {
        return false;
    }
    *ret = arena_dup(a, buf_str(&t->text));
    return true;
}

static struct str wrap(const struct transform *t, const struct draft *d, struct arena *a)
{
    struct str front = d->is_health ? t->health_front : t->plain_front;
    size_t len = front.len + d->record.len + 1;
    char *text = arena_alloc_aligned(a, len, 1);

    memcpy(text, front.ptr, front.len);
    memcpy(text + front.len, d->record.ptr, d->record.len);
    text[len - 1] = '}';
    return str_make(text, len);
}

/* ---- attributes ---- */

static void add_extension(struct event *ev, struct event_extension *list, const char *name,
                          struct str text)
{
    if (text.len > 0 && event_text_is_valid(text)) {
        list[ev->extension_count++] =
            (struct event_extension){.name = str_of(name), .type = EVENT_TEXT, .text = text};
    }
}

static struct str time_text(struct transform *t, int64_t wall_ns, struct arena *a)
{
    if (t->printed.len == 0 || t->printed_ns != wall_ns) {
        char *text = arena_alloc_aligned(a, RFC3339_BYTES, 1);
        t->printed = str_make(text, time_print_rfc3339(wall_ns, text));
        t->printed_ns = wall_ns;
    }
    return t->printed;
}

/* An event that names no key has its id in that place, which keeps nothing in order. */
static struct str key_of(const struct change *ch, const struct draft *d)
{
    bool is_id = ch->form == CHANGE_EVENT && str_eq(ch->key, ch->event->id);

    return ch->key.len > 0 && !(is_id && d->facts.node.len > 0) ? ch->key : d->facts.node;
}

static void add_extensions(struct transform *t, const struct change *ch, const struct draft *d,
                           struct arena *a, struct event *ev)
{
    const struct option_map *more = &t->options->more;
    struct event_extension *list =
        arena_alloc(a, (OWN_EXTENSIONS + more->count) * sizeof(struct event_extension));

    ev->extensions = list;
    if (t->options->extensions) {
        add_extension(ev, list, "sequence", ch->sequence);
        add_extension(ev, list, "partitionkey", key_of(ch, d));
        add_extension(ev, list, "traceparent", d->facts.trace);
        if (d->facts.time_ns != 0 && ch->time_ns != 0) {
            add_extension(ev, list, "recordedtime", time_text(t, ch->time_ns, a));
        }
    }
    for (size_t i = 0; i < more->count; i++) {
        list[ev->extension_count++] = (struct event_extension){
            .name = more->items[i].name, .type = EVENT_TEXT, .text = more->items[i].value};
    }
}

/* An event of the stream's own. */
static bool make_event(struct transform *t, const struct change *ch, const struct draft *d,
                       struct arena *a, struct event *ev, struct err *e)
{
    const struct transform_options *o = t->options;
    struct str type = o->type.len > 0 ? o->type : str_of(d->is_health ? health_type : plain_type);
    int64_t time_ns = d->facts.time_ns != 0 ? d->facts.time_ns : ch->time_ns;

    *ev = (struct event){.id = ch->id.len > 0 ? ch->id : ch->position,
                         .source = d->is_health ? t->health_source : t->plain_source,
                         .type = type,
                         .subject = t->subject == NULL && !d->is_health ? ch->name : STR(""),
                         .content_type = STR(""),
                         .schema = STR(""),
                         .has_time = time_ns != 0,
                         .time_ns = time_ns,
                         .form = EVENT_DATA_JSON};
    if (ch->form == CHANGE_EVENT) {
        ev->id = ch->event->id;
        ev->has_time = ev->has_time || ch->event->has_time;
        ev->time_ns = time_ns != 0 ? time_ns : ch->event->time_ns;
    }
    if (t->subject != NULL && !render(t, &t->subject_writer, ch, d, a, &ev->subject, e)) {
        return false;
    }
    if (t->data != NULL) {
        if (!render(t, &t->data_writer, ch, d, a, &ev->data, e)) {
            return false;
        }
    } else {
        ev->data = wrap(t, d, a);
    }
    add_extensions(t, ch, d, a, ev);
    return true;
}

/* Is it an event that goes as it came? */
static bool is_ready(const struct transform *t, const struct change *ch, const struct draft *d)
{
    return ch->form == CHANGE_EVENT && !d->is_health && t->data == NULL;
}

/* ---- size ---- */

static size_t event_bytes(const struct event *ev)
{
    return ev->data.len + OVERHEAD_BYTES;
}

/* Without data, and with how many bytes they were. */
static void drop_data(struct event *ev, struct arena *a)
{
    struct event_extension *list = arena_array(a, struct event_extension, ev->extension_count + 1);
    size_t bytes = ev->data.len;

    if (ev->extension_count > 0) {
        memcpy(list, ev->extensions, ev->extension_count * sizeof(*list));
    }
    list[ev->extension_count] =
        (struct event_extension){.name = STR("databytes"),
                                 .type = EVENT_INTEGER,
                                 .integer = bytes < INT32_MAX ? (int32_t)bytes : INT32_MAX};
    ev->extensions = list;
    ev->extension_count++;
    ev->data = STR("");
    ev->form = EVENT_NO_DATA;
}

static bool fit(const struct transform *t, struct arena *a, struct event *ev,
                struct transform_counts *counts, struct err *e)
{
    const struct transform_options *o = t->options;

    if (o->max_event_bytes == 0 || event_bytes(ev) <= (size_t)o->max_event_bytes ||
        o->oversize == OVERSIZE_SEND) {
        return true;
    }
    if (o->oversize == OVERSIZE_REFUSE) {
        return err_set(e, ERR_LIMIT,
                       "the event has some %zu bytes, event.max_event_bytes allows %lld",
                       event_bytes(ev), (long long)o->max_event_bytes);
    }
    counts->too_large++;
    drop_data(ev, a);
    return true;
}

/* ---- conditions ---- */

struct looked_at {
    const struct transform *t;
    const struct event *event;
    struct draft *draft;
    struct arena *arena;
};

static bool field_of_node(const struct json_node *n, struct field_value *ret)
{
    if (n == NULL) {
        return false;
    }
    *ret = (struct field_value){.text = STR("")};
    if (n->kind == JSON_NUMBER) {
        ret->is_number = true;
        return json_node_double(n, &ret->number);
    }
    ret->text = n->kind == JSON_TRUE ? STR("true") : n->kind == JSON_FALSE ? STR("false") : n->text;
    return true;
}

static const struct json_node *record_tree(const struct looked_at *l)
{
    struct err ignored = ERR_INIT;

    if (l->draft->tree == NULL &&
        !json_parse(l->draft->record, l->arena, &l->draft->tree, &ignored)) {
        return NULL;
    }
    return l->draft->tree;
}

static bool find_field(const void *record, enum field_scope scope, struct str name,
                       struct field_value *ret)
{
    const struct looked_at *l = record;
    struct str text = scope == FIELD_ANY ? event_attribute(l->event, name, l->arena) : STR_NONE;

    *ret = (struct field_value){.text = text};
    if (scope == FIELD_ANY && str_eq(name, STR("kind"))) {
        ret->text = STR("event");
        return true;
    }
    if (text.len > 0) {
        return true;
    }
    for (size_t i = 0; i < l->t->metadata_map->count; i++) {
        if (str_eq(l->t->metadata_map->items[i].name, name)) {
            ret->text = l->t->metadata_map->items[i].value;
            return true;
        }
    }
    return field_of_node(json_get(record_tree(l), name), ret);
}

static bool is_wanted(const struct transform *t, const struct event *ev, struct draft *d,
                      struct arena *a)
{
    const struct looked_at look = {t, ev, d, a};
    const struct record_view view = {find_field, &look};

    return t->match == NULL || condition_holds(t->match, &view);
}

struct lacking {
    struct looked_at look;
    struct buf *out;
};

static void add_if_lacking(void *arg, enum field_scope scope, struct str name, size_t at)
{
    const struct lacking *l = arg;
    struct field_value value;

    (void)at;
    if (!find_field(&l->look, scope, name, &value)) {
        buf_addf(l->out, "%s%.*s", l->out->len > 0 ? ", " : "", STR_FMT(name));
    }
}

void transform_add_lacking(struct transform *t, const struct change *ch, struct arena *a,
                           struct buf *out)
{
    struct draft d = {.record = STR(""), .facts = {.node = STR(""), .trace = STR("")}};
    struct event ev = {0};
    struct err ignored = ERR_INIT;
    struct lacking l = {{t, &ev, &d, a}, out};

    t->printed = STR("");
    if (t->match == NULL || !find_record(t, ch, a, &d, &ignored)) {
        return;
    }
    if (ch->form == CHANGE_EVENT) {
        ev = *ch->event;
    } else if (!make_event(t, ch, &d, a, &ev, &ignored)) {
        return;
    }
    condition_each_field(t->match, add_if_lacking, &l);
}

/* Source and type of our own events are the same each time: they are looked at once. */
static bool check(struct transform *t, const struct event *ev, bool is_own, struct err *e)
{
    bool is_known = is_own && ev->form == EVENT_DATA_JSON && ev->source.ptr == t->checked_source &&
                    ev->type.ptr == t->checked_type;

    if (is_known) {
        return event_check_another(ev, e);
    }
    if (!event_check(ev, e)) {
        return false;
    }
    if (is_own) {
        t->checked_source = ev->source.ptr;
        t->checked_type = ev->type.ptr;
    }
    return true;
}

/* ---- intakes ---- */

static bool transform_one(struct transform *t, const struct change *ch, struct arena *a,
                          struct event *ev, bool *ret_wanted, struct transform_counts *counts,
                          struct err *e)
{
    struct draft d = {.record = STR(""), .facts = {.node = STR(""), .trace = STR("")}};

    if (!find_record(t, ch, a, &d, e)) {
        return false;
    }
    if (d.facts.odd != NULL) {
        counts->odd++;
        counts->oddness = d.facts.odd;
        counts->odd_id = ch->form == CHANGE_EVENT ? ch->event->id : ch->id;
    }
    bool is_own = !is_ready(t, ch, &d);
    if (!is_own) {
        *ev = *ch->event;
    } else if (!make_event(t, ch, &d, a, ev, e)) {
        return false;
    }
    *ret_wanted = is_wanted(t, ev, &d, a);
    return !*ret_wanted || (fit(t, a, ev, counts, e) && check(t, ev, is_own, e));
}

/* What there is of a change that makes no event. */
static struct str bytes_of(const struct change *ch, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (ch->form == CHANGE_ROW) {
        transform_print_row(ch, &text);
    } else if (ch->form == CHANGE_EVENT) {
        cloudevent_write(ch->event, &text);
    } else {
        return ch->document;
    }
    return arena_dup(a, buf_str(&text));
}

static void end_events(struct intake *in, struct event *rows, uint32_t count, struct str stream)
{
    const struct batch_info info = {
        .kind = RECORD_EVENT, .origin = STR("events"), .group = stream, .time_ns = in->read_ns};

    if (count > 0) {
        in->events = batch_new(&codec_events, &info);
        batch_set_events(in->events, (struct events){rows, count});
    }
}

void transform_intake(struct transform *t, struct intake *in, struct transform_counts *counts,
                      void (*fault)(void *arg, const struct transform_fault *fault), void *arg)
{
    struct arena *a = &in->changes.arena;
    size_t n = in->changes.list.len;
    struct event *rows = arena_array(a, struct event, n + 1);
    uint32_t count = 0;

    t->printed = STR("");
    in->is_done = arena_array(a, bool, n + 1);
    in->change_of_row = arena_array(a, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        const struct change *ch = &in->changes.list.items[i];
        struct transform_fault f = {.change = (uint32_t)i, .why = ERR_INIT};
        bool is_wanted = false;
        if (!transform_one(t, ch, a, &rows[count], &is_wanted, counts, &f.why)) {
            f.bytes = bytes_of(ch, a);
            counts->broken++;
            fault(arg, &f);
        } else if (is_wanted) {
            in->change_of_row[count++] = (uint32_t)i;
            counts->events++;
        } else {
            in->is_done[i] = true;
            counts->filtered++;
        }
    }
    end_events(in, rows, count, t->stream);
}

/* ---- life ---- */

static struct str metadata_json(const struct option_map *map, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    json_begin_object(&w);
    for (size_t i = 0; i < map->count; i++) {
        json_key(&w, map->items[i].name);
        json_add_str(&w, map->items[i].value);
    }
    json_end_object(&w);
    return arena_dup(a, buf_str(&text));
}

/* {"metadata":{..},"NAME": */
static struct str front_of(const struct transform *t, struct str usual, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_writer w;

    json_write_init(&w, &text);
    json_begin_object(&w);
    json_key(&w, STR("metadata"));
    json_add_raw(&w, t->metadata);
    json_key(&w, t->options->name.len > 0 ? t->options->name : usual);
    return arena_dup(a, buf_str(&text));
}

static struct str metadata_of(const struct option_map *map, struct str name)
{
    for (size_t i = 0; i < map->count; i++) {
        if (str_eq(map->items[i].name, name)) {
            return map->items[i].value;
        }
    }
    return STR("");
}

static bool may_stand_in_path(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           str_find_byte(STR("-._~"), c) < 4;
}

static void add_path_part(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (may_stand_in_path(text.ptr[i])) {
            buf_add_byte(out, text.ptr[i]);
        } else {
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)text.ptr[i]);
        }
    }
}

static struct str source_of(const char *scheme, const struct transform_config *c, struct str last,
                            struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (c->options->source.len > 0) {
        return c->options->source;
    }
    buf_addf(&text, "%s://", scheme);
    add_path_part(&text, metadata_of(c->metadata, STR("cluster")));
    buf_add_byte(&text, '/');
    add_path_part(&text, last);
    return arena_dup(a, buf_str(&text));
}

static bool check_source(struct str source, const struct yaml_node *node, struct err *e)
{
    const struct event any = {.id = STR("1"), .source = source, .type = STR("t")};
    const struct yaml_node *at = yaml_get(node, STR("source"));
    struct err why = ERR_INIT;

    if (event_check(&any, &why)) {
        return true;
    }
    return at != NULL
               ? yaml_err(at, e, ERR_CONFIG, "%s, such as 'https://example.com/nodes'", why.message)
               : err_set(e, ERR_CONFIG, "event: %s", why.message);
}

bool transform_check(const struct transform_options *options, const struct yaml_node *node,
                     struct err *e)
{
    AUTO(payload_autofree) struct payload *subject = NULL;
    const struct yaml_node *text = yaml_get(node, STR("subject"));

    if (options->source.len > 0 && !check_source(options->source, node, e)) {
        return false;
    }
    for (size_t i = 0; i < options->more.count; i++) {
        if (!event_name_is_valid(options->more.items[i].name)) {
            return yaml_key_err(options->more.items[i].node, e, ERR_CONFIG,
                                "an attribute of CloudEvents is called by letters a-z and digits");
        }
    }
    if (options->subject.len > 0 &&
        !payload_compile_text(STR("subject"), options->subject, &subject, e)) {
        if (text != NULL) {
            yaml_err_inside(text, e);
        }
        return false;
    }
    return options->data == NULL || payload_check(options->data, e);
}

bool transform_new(const struct transform_config *config, struct transform **ret_transform,
                   struct err *e)
{
    struct transform *t = mem_new(struct transform);
    const struct transform_options *o = config->options;

    t->options = o;
    t->match = config->match;
    t->metadata_map = config->metadata;
    arena_init(&t->arena, ARENA_UNLIMITED);
    buf_init(&t->text, BUF_UNLIMITED);
    buf_init(&t->object, BUF_UNLIMITED);
    t->metadata = metadata_json(config->metadata, &t->arena);
    t->stream = arena_dup(&t->arena, config->stream);
    t->health_front = front_of(t, STR("healthEvent"), &t->arena);
    t->plain_front = front_of(t, STR("record"), &t->arena);
    t->health_source = source_of("nvsentinel", config, STR("healthevents"), &t->arena);
    t->plain_source = source_of("telex", config, config->stream, &t->arena);
    bool ok =
        (o->data == NULL || payload_compile(o->data, &t->data, e)) &&
        (o->subject.len == 0 || payload_compile_text(STR("subject"), o->subject, &t->subject, e));
    payload_writer_init(&t->data_writer, t->data);
    payload_writer_init(&t->subject_writer, t->subject);
    if (!ok) {
        transform_free(t);
        return false;
    }
    *ret_transform = t;
    return true;
}

void transform_free(struct transform *t)
{
    if (t == NULL) {
        return;
    }
    payload_writer_release(&t->data_writer);
    payload_writer_release(&t->subject_writer);
    payload_free(t->data);
    payload_free(t->subject);
    buf_release(&t->text);
    buf_release(&t->object);
    arena_release(&t->arena);
    mem_free(t);
}
