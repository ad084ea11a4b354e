/*
 * Events: CloudEvents in their three modes, and plain JSON, into our own table; answered when they are on disk.
 *
 * Invariants
 *   1. A push is answered 2xx from the table's thread when its transaction is committed, never before.
 *   2. events_waiting counts the pushes that the table will tell of: the receiver outlives them.
 */
#include "base/budget.h"
#include "base/mem.h"
#include "receive/receive_int.h"
#include "state/event_table.h"
#include "wire/cloudevent.h"
#include "wire/compress.h"
#include "wire/event_json.h"

#include <stdio.h>

enum { ARENA_SHARE = 8, ARENA_LEAST = 64 << 10, BUSY_S = 5 };

/* What bodies are taken: by their type, or because their headers say that they are events. */
static const char *const json_types[] = {"application/json", "application/x-ndjson",
                                         "application/jsonl", NULL};

/* ---- the head ---- */

static bool has_event_headers(struct http_exchange *x)
{
    return http_exchange_header(x, "ce-specversion").ptr != NULL ||
           http_exchange_header(x, "ce-id").ptr != NULL;
}

static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const encodings[] = {"identity", "gzip", "x-gzip", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");
    enum cloudevent_mode mode = cloudevent_mode_of(type);

    if (mode == CLOUDEVENT_FOREIGN || (mode == CLOUDEVENT_BINARY && !has_event_headers(x) &&
                                       !header_is_one_of(header_value(type), json_types))) {
        return err_set(e, ERR_CONFIG,
                       "Content-Type '%.*s' is not taken here; send application/cloudevents+json, "
                       "application/cloudevents-batch+json, ce- headers, or application/json",
                       STR_FMT(str_slice(type, 0, 100)));
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send gzip or none",
                   STR_FMT(str_slice(encoding, 0, 100)));
}

static void begin(struct http_exchange *x)
{
    struct receiver *r = receiver_of(x);
    struct err e = ERR_INIT;

    if (!receiver_config(r).events) {
        (void)err_set(&e, ERR_CONFIG, "events are not taken here: see receive.events");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
    } else if (!check_headers(x, &e)) {
        receiver_refuse(x, RECEIVE_UNSUPPORTED, "unsupported", &e);
    } else if (atomic_load(&r->plan) == NULL) {
        receiver_refuse_busy(x, RECEIVE_START_S, "starting");
    } else if (atomic_load(&r->events) == NULL) {
        receiver_refuse_busy(x, RECEIVE_NOBODY_S, "the table of events is not open: see the log");
    } else if (!event_table_has_room(atomic_load(&r->events), &e)) {
        receiver_refuse_busy(x, BUSY_S, e.message);
    }
}

/* ---- the answer ---- */

struct events_push {
    struct receiver *receiver;
    struct http_exchange *exchange;
    int64_t came_mono_ns;
};

static void answer_written(struct events_push *p, const struct event_appended *ret)
{
    char fresh[16];
    char known[16];

    (void)snprintf(fresh, sizeof(fresh), "%u", ret->fresh);
    (void)snprintf(known, sizeof(known), "%u", ret->known);
    const struct http_header headers[] = {{STR("Telex-Events-New"), str_of(fresh)},
                                          {STR("Telex-Events-Known"), str_of(known)}};
    const struct http_answer answer = {
        .status = RECEIVE_ACCEPTED, .headers = headers, .header_count = ARRAY_LEN(headers)};
    struct receive_metrics *m = &p->receiver->metrics;

    metric_add(m->events[EVENT_IS_NEW], ret->fresh);
    metric_add(m->events[EVENT_IS_KNOWN], ret->known);
    metric_observe(m->seconds, (double)(clock_mono_ns(p->receiver->env->clock) - p->came_mono_ns) /
                                   (double)NS_PER_S);
    (void)http_exchange_answer(p->exchange, &answer);
    receive_count_answer(m, RECEIVE_ACCEPTED);
}

static void push_over(struct events_push *p)
{
    struct receiver *r = p->receiver;

    http_exchange_drop(p->exchange);
    mem_free(p);
    lock_take(&r->lock);
    r->events_waiting--;
    cond_broadcast(&r->events_answered);
    lock_give(&r->lock);
}

static void done(void *arg, const struct event_appended *ret, const struct err *e)
{
    struct events_push *p = arg;

    if (ret != NULL) {
        answer_written(p, ret);
    } else {
        (void)http_exchange_busy(p->exchange, RECEIVE_UNAVAILABLE, BUSY_S, e->message);
        receive_count_answer(&p->receiver->metrics, RECEIVE_UNAVAILABLE);
    }
    push_over(p);
}

static void give(struct http_exchange *x, const struct events *events)
{
    struct receiver *r = receiver_of(x);
    struct events_push *p = mem_new(struct events_push);
    const struct event_append_end end = {done, p};
    struct err e = ERR_INIT;

    *p = (struct events_push){r, http_exchange_hold(x), clock_mono_ns(r->env->clock)};
    lock_take(&r->lock);
    r->events_waiting++;
    lock_give(&r->lock);
    if (!event_table_append(atomic_load(&r->events), events, &end, &e)) {
        receiver_refuse_busy(x, BUSY_S, e.message);
        push_over(p);
    }
}

void receiver_wait_events(struct receiver *r)
{
    lock_take(&r->lock);
    while (r->events_waiting > 0) {
        (void)cond_wait_until(&r->events_answered, &r->lock, DEADLINE_NEVER);
    }
    lock_give(&r->lock);
}

/* ---- the body ---- */

static void take_query(struct http_exchange *x, struct str name, struct str *value)
{
    struct str said;

    if (http_exchange_query_value(x, name, &said) && said.len > 0) {
        *value = said;
    }
}

static bool read_plain(struct http_exchange *x, struct str body, struct arena *a,
                       struct events *ret, struct err *e)
{
    struct receive_config config = receiver_config(receiver_of(x));
    struct event_json_names names = {.type = config.events_type,
                                     .source = config.events_source,
                                     .id = http_exchange_header(x, "Idempotency-Key"),
                                     .subject = STR(""),
                                     .has_time = true,
                                     .time_ns = clock_wall_ns(receiver_of(x)->env->clock)};

    take_query(x, STR("type"), &names.type);
    take_query(x, STR("source"), &names.source);
    take_query(x, STR("subject"), &names.subject);
    return event_json_read(body, &names, a, ret, e);
}

static bool read_message(struct http_exchange *x, struct str body, struct arena *a,
                         struct events *ret, struct err *e)
{
    enum { HEADERS_MAX = EVENT_EXTENSIONS_MAX + CLOUDEVENT_OWN_HEADERS };
    struct http_header *found = arena_array(a, struct http_header, HEADERS_MAX);
    struct cloudevent_header *headers = arena_array(a, struct cloudevent_header, HEADERS_MAX);
    size_t count = http_exchange_headers(x, STR("ce-"), found, HEADERS_MAX);
    struct str type = http_exchange_header(x, "Content-Type");

    if (count > HEADERS_MAX) {
        return err_set(e, ERR_LIMIT, "the event has %zu attributes, at most %d are taken", count,
                       HEADERS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        headers[i] = (struct cloudevent_header){found[i].name, found[i].value};
    }
    const struct cloudevent_message m = {type.ptr != NULL ? type : STR(""), headers, count, body};
    return cloudevents_read_message(&m, a, ret, e);
}

static bool read_events(struct http_exchange *x, struct str body, struct arena *a,
                        struct events *ret, struct err *e)
{
    enum cloudevent_mode mode = cloudevent_mode_of(http_exchange_header(x, "Content-Type"));

    return mode == CLOUDEVENT_BINARY && !has_event_headers(x) ? read_plain(x, body, a, ret, e)
                                                              : read_message(x, body, a, ret, e);
}

static void refuse(struct http_exchange *x, const struct err *e)
{
    bool large = e->code == ERR_LIMIT;

    receiver_refuse(x, large ? RECEIVE_TOO_LARGE : RECEIVE_BAD_REQUEST,
                    large ? "too_large" : "bad_data", e);
}

/* A batch may be empty; there is nothing to wait for then. */
static void answer_nothing(struct http_exchange *x)
{
    (void)http_exchange_answer(x, &(struct http_answer){.status = RECEIVE_ACCEPTED});
    receive_count_answer(&receiver_of(x)->metrics, RECEIVE_ACCEPTED);
}

static void read_and_give(struct http_exchange *x, struct str body, size_t arena_max)
{
    AUTO(arena_release) struct arena a;
    struct events events = {0};
    struct err e = ERR_INIT;

    arena_init(&a, arena_max);
    if (!read_events(x, body, &a, &events, &e)) {
        refuse(x, &e);
    } else if (events.count == 0) {
        answer_nothing(x);
    } else {
        metric_add(receiver_of(x)->metrics.bytes, http_exchange_body(x).len);
        give(x, &events);
    }
}

/* What unpacking and reading may need beside the body is taken from the budget first. */
static void end_with(struct http_exchange *x, struct str body)
{
    struct budget *budget = receiver_of(x)->env->budget;
    size_t arena_max = body.len * ARENA_SHARE + ARENA_LEAST;

    if (budget != NULL && !budget_try_take(budget, (int64_t)arena_max)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to read this");
        return;
    }
    read_and_give(x, body, arena_max);
    if (budget != NULL) {
        budget_give(budget, (int64_t)arena_max);
    }
}

static void end(struct http_exchange *x)
{
    struct receiver *r = receiver_of(x);
    struct str encoding = str_trim(http_exchange_header(x, "Content-Encoding"));
    const struct compression *c = encoding.len > 0 ? compression_find(encoding) : NULL;
    size_t max = (size_t)receiver_config(r).max_decoded_bytes;
    struct err e = ERR_INIT;

    if (c == NULL) {
        end_with(x, http_exchange_body(x));
        return;
    }
    struct buf unpacked = receiver_buffer(r, max);
    if (c->unpack(http_exchange_body(x), max, &unpacked, &e)) {
        end_with(x, buf_str(&unpacked));
    } else {
        refuse(x, &e);
    }
    receiver_give_buffer(r, &unpacked);
}

const struct http_handler receive_events = {.begin = begin, .end = end};

/* ---- the handshake of the CloudEvents webhook specification ---- */

/* Whoever asks whether events may be sent here is told yes, as fast as they like. */
static void consent(struct http_exchange *x)
{
    struct str origin = http_exchange_header(x, "WebHook-Request-Origin");
    struct str rate = http_exchange_header(x, "WebHook-Request-Rate");
    const struct http_header headers[] = {
        {STR("Allow"), STR("POST")},
        {STR("WebHook-Allowed-Origin"), origin},
        {STR("WebHook-Allowed-Rate"), rate.len > 0 ? rate : STR("*")}};
    const struct http_answer answer = {.headers = headers,
                                       .header_count = origin.len > 0 ? ARRAY_LEN(headers) : 1};
    struct err e = ERR_INIT;

    if (!receiver_config(receiver_of(x)).events) {
        (void)err_set(&e, ERR_CONFIG, "events are not taken here: see receive.events");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
        return;
    }
    (void)http_exchange_answer(x, &answer);
}

const struct http_handler receive_events_consent = {.begin = consent};
