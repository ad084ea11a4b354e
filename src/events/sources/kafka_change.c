#include "events/sources/kafka_change.h"

#include "base/base64.h"
#include "base/clock.h"
#include "wire/cloudevent.h"
#include "wire/json.h"

#include <inttypes.h>

enum { CHANGE_OVERHEAD = 256 };

static struct str header(const struct kafka_record *r, struct str name)
{
    for (size_t i = 0; i < r->header_count; i++) {
        if (str_eq_nocase(r->headers[i].name, name)) {
            return r->headers[i].value;
        }
    }
    return STR_NONE;
}

/* Keys of bytes are told in an alphabet that attributes can have. */
static struct str key_of(struct str key, struct arena *a)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (event_text_is_valid(key)) {
        return arena_dup(a, key);
    }
    base64url_encode(key, &text);
    return arena_dup(a, buf_str(&text));
}

static void set_broken(struct change *ch, const struct kafka_record *r, const struct err *e,
                       struct arena *a)
{
    ch->form = CHANGE_BROKEN;
    ch->document = arena_dup(a, r->value);
    ch->fault = arena_dup(a, str_of(e->message));
}

/* ---- documents ---- */

/* The text or number <field> of an object; empty without. */
static struct str find_id(struct str json, struct str field, struct arena *a)
{
    struct err ignored = ERR_INIT;
    struct json_reader r;
    struct str key;
    struct str id = STR("");

    json_read_init(&r, json, a, &ignored);
    bool goes_on = json_peek(&r) == JSON_OBJECT && json_open_object(&r);
    while (goes_on && json_next_key(&r, &key)) {
        enum json_kind kind = json_peek(&r);
        if (!str_eq(key, field) || (kind != JSON_STRING && kind != JSON_NUMBER)) {
            goes_on = json_skip(&r);
        } else {
            goes_on = kind == JSON_STRING ? json_take_str(&r, &id) : json_take_number(&r, &id);
        }
    }
    return event_text_is_valid(id) ? id : STR("");
}

static void set_document(struct change *ch, const struct kafka_change_rules *rules,
                         const struct kafka_record *r, struct arena *a)
{
    ch->form = CHANGE_DOCUMENT;
    if (r->value.ptr == NULL) {
        ch->op = CHANGE_DELETE;
        ch->document = STR("null");
        return;
    }
    ch->document = arena_dup(a, r->value);
    if (rules->id_field.len > 0) {
        struct str id = find_id(ch->document, rules->id_field, a);
        ch->id = id.len > 0 ? id : ch->id;
    }
}

/* ---- events ---- */

static bool is_event(const struct kafka_change_rules *rules, const struct kafka_record *r)
{
    bool is_structured = cloudevent_mode_of(header(r, STR("content-type"))) != CLOUDEVENT_BINARY;

    return rules->format == KAFKA_FORMAT_CLOUDEVENTS ||
           (rules->format == KAFKA_FORMAT_AUTO &&
            (is_structured || header(r, STR("ce_specversion")).ptr != NULL));
}

/* Kafka's headers as those of HTTP, for which they are written otherwise. */
static size_t translate(const struct kafka_record *r, struct arena *a,
                        struct cloudevent_header *headers)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    size_t count = 0;

    for (size_t i = 0; i < r->header_count; i++) {
        struct str name = r->headers[i].name;
        if (!str_eq_nocase(str_slice(name, 0, 3), STR("ce_"))) {
            continue;
        }
        buf_clear(&text);
        cloudevent_print_header(r->headers[i].value, &text);
        headers[count].name = arena_printf(a, "ce-%.*s", STR_FMT(str_slice(name, 3, name.len - 3)));
        headers[count++].value = arena_dup(a, buf_str(&text));
    }
    return count;
}

static bool read_event(const struct kafka_record *r, struct arena *a, struct event *ret,
                       struct err *e)
{
    struct cloudevent_header *headers =
        arena_alloc(a, (r->header_count + 1) * sizeof(struct cloudevent_header));
    struct cloudevent_message message = {
        .content_type = arena_dup(a, header(r, STR("content-type"))),
        .headers = headers,
        .header_count = translate(r, a, headers),
        .body = arena_dup(a, r->value),
    };
    struct events found = {0};
    bool has_type = cloudevent_mode_of(message.content_type) != CLOUDEVENT_BINARY;

    if (!has_type && message.header_count == 0) {
        return cloudevent_read(message.body, a, ret, e);
    }
    if (!cloudevents_read_message(&message, a, &found, e)) {
        return false;
    }
    if (found.count != 1) {
        return err_set(e, ERR_PARSE, "a record of Kafka holds one event, not %u", found.count);
    }
    *ret = found.rows[0];
    return true;
}

static void set_event(struct change *ch, const struct kafka_record *r, struct arena *a)
{
    struct event *event = arena_new(a, struct event);
    struct err e = ERR_INIT;

    if (!read_event(r, a, event, &e)) {
        set_broken(ch, r, &e, a);
        return;
    }
    ch->form = CHANGE_EVENT;
    ch->event = event;
    ch->id = event->id;
}

struct change *kafka_change_add(const struct kafka_change_rules *rules, struct str topic,
                                int32_t partition, const struct kafka_record *r,
                                struct changes *out)
{
    struct arena *a = &out->arena;
    struct change *ch = changes_add(out);
    struct err e = ERR_INIT;

    ch->op = CHANGE_INSERT;
    ch->name = topic;
    ch->key = key_of(r->key, a);
    ch->time_ns = r->time_ms * NS_PER_MS;
    ch->id = arena_printf(a, "%.*s/%" PRId32 "/%" PRId64, STR_FMT(topic), partition, r->offset);
    ch->sequence = arena_printf(a, "%016" PRIx64, (uint64_t)r->offset);
    if (r->value.len > CHANGE_BYTES_MAX) {
        (void)err_set(&e, ERR_LIMIT, "a record of %zu bytes; at most %d are taken", r->value.len,
                      CHANGE_BYTES_MAX);
        set_broken(ch, r, &e, a);
    } else if (is_event(rules, r)) {
        set_event(ch, r, a);
    } else {
        set_document(ch, rules, r, a);
    }
    out->bytes += r->value.len + r->key.len + CHANGE_OVERHEAD;
    return ch;
}
