#include "export/exporters/kafka_message.h"

#include "base/clock.h"
#include "export/exporters/kafka_words.h"
#include "wire/cloudevent.h"

void kafka_maker_init(struct kafka_maker *m, const struct kafka_exporter_config *config)
{
    m->config = config;
    buf_init(&m->topic, BUF_SMALL);
    buf_init(&m->key, BUF_UNLIMITED);
    buf_init(&m->value, BUF_UNLIMITED);
    arena_init(&m->arena, ARENA_UNLIMITED);
}

void kafka_maker_release(struct kafka_maker *m)
{
    buf_release(&m->topic);
    buf_release(&m->key);
    buf_release(&m->value);
    arena_release(&m->arena);
}

bool kafka_maker_begin(struct kafka_maker *m, struct view view, struct err *e)
{
    return record_events_init(&m->events, &m->config->naming, view, e);
}

void kafka_maker_end(struct kafka_maker *m)
{
    record_events_release(&m->events);
}

uint32_t kafka_maker_count(const struct kafka_maker *m, uint32_t i)
{
    return record_events_count(&m->events, i);
}

/* ---- topic and key ---- */

static struct str topic_text(const struct kafka_exporter_config *c, const struct kafka_row *row)
{
    struct str kind = str_of(record_kind_name(row->info->kind));

    for (size_t i = 0; i < c->topics.count; i++) {
        if (str_eq(c->topics.items[i].name, kind)) {
            return c->topics.items[i].value;
        }
    }
    return c->topic;
}

/* What the binding of CloudEvents says: the key is the event's own partitionkey, where it has one. */
static void add_series_key(const struct kafka_row *row, const struct event *ev, struct buf *out)
{
    const struct event_extension *x = ev != NULL ? event_extension(ev, STR("partitionkey")) : NULL;

    if (x != NULL && x->type == EVENT_TEXT) {
        buf_add_str(out, x->text);
    } else {
        kafka_key_of(row, out);
    }
}

/* <ev> is the event that is sent, or NULL. False when the row has no topic. */
static bool make_words(struct kafka_maker *m, const struct kafka_row *row, const struct event *ev)
{
    const struct kafka_exporter_config *c = m->config;

    buf_clear(&m->topic);
    buf_clear(&m->key);
    if (str_eq(c->key, STR("series"))) {
        add_series_key(row, ev, &m->key);
    } else if (!str_eq(c->key, STR("none"))) {
        kafka_words_add(c->key, row, &m->key);
    }
    return kafka_words_topic(topic_text(c, row), row, &m->topic);
}

/* ---- events ---- */

static void add_header(struct kafka_maker *m, struct str name, struct str value)
{
    m->headers[m->all.count++] = (struct option_pair){.name = name, .value = value};
}

static void put_structured(struct kafka_maker *m, const struct event *ev)
{
    cloudevent_write(ev, &m->value);
    add_header(m, STR("content-type"), STR(CLOUDEVENT_TYPE));
}

/* False when the event has too many attributes. */
static bool put_binary(struct kafka_maker *m, const struct event *ev)
{
    struct cloudevent_header headers[KAFKA_SENT_HEADERS_MAX / 2 - 1];
    struct str type = cloudevent_body_type(ev);
    struct err ignored = ERR_INIT;
    size_t count = 0;

    if (!cloudevent_kafka_headers(ev, &m->arena, headers, ARRAY_LEN(headers), &count, &ignored)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        add_header(m, headers[i].name, headers[i].value);
    }
    if (type.len > 0) {
        add_header(m, STR("content-type"), type);
    }
    buf_add_str(&m->value, ev->data);
    return true;
}

/* Data that are an event themselves would in binary mode be taken for that one. */
static const char *put_event(struct kafka_maker *m, const struct event *ev)
{
    bool is_binary = m->config->mode == KAFKA_BINARY &&
                     cloudevent_mode_of(cloudevent_body_type(ev)) == CLOUDEVENT_BINARY;

    m->all = (struct option_map){.items = m->headers};
    if (!is_binary) {
        put_structured(m, ev);
    } else if (!put_binary(m, ev)) {
        return "it has more attributes than a message has room for headers";
    }
    for (size_t i = 0; i < m->config->headers.count; i++) {
        add_header(m, m->config->headers.items[i].name, m->config->headers.items[i].value);
    }
    return NULL;
}

/* ---- messages ---- */

const char *kafka_maker_make(struct kafka_maker *m, uint32_t i, uint32_t part,
                             struct kafka_message *ret)
{
    const struct kafka_exporter_config *c = m->config;
    const struct kafka_row row = kafka_row_of(&m->events.objects, i);
    bool is_event = c->format == FORMAT_CLOUDEVENTS;
    const char *why = NULL;
    struct event ev;

    buf_clear(&m->value);
    arena_reset(&m->arena);
    if (is_event) {
        record_events_make(&m->events, i, part, &m->arena, &ev);
        why = put_event(m, &ev);
    } else {
        record_objects_add(&m->events.objects, i, part, &m->value);
    }
    if (!make_words(m, &row, is_event ? &ev : NULL)) {
        why = "it has no topic";
    }
    bool is_tombstone = is_event && c->mode == KAFKA_BINARY && ev.form == EVENT_NO_DATA;
    *ret = (struct kafka_message){
        .topic = buf_str(&m->topic),
        .key = m->key.len > 0 ? buf_str(&m->key) : STR_NONE,
        .value = is_tombstone       ? STR_NONE
                 : m->value.len > 0 ? buf_str(&m->value)
                                    : STR(""),
        .headers = is_event ? &m->all : &c->headers,
        .time_ms =
            c->timestamps == TIMESTAMPS_RECORD && row.time_ns > 0 ? row.time_ns / NS_PER_MS : 0,
        .tag = i,
    };
    return why;
}
