/*
 * CloudEvents 1.0 over HTTP: each record as an event, one to a request or many in an array.
 *
 * Statuses are those of the webhook specification and of Knative's data plane: 404 and 409 may be over soon,
 * 410 says stop, 413 halves an array, redirects are never followed.
 */
#include "export/exporters/exporters.h"

#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/record_events.h"
#include "export/webhook_consent.h"
#include "net/http_options.h"
#include "wire/cloudevent.h"

enum {
    BODY_MAX = 1024 * 1024,
    OTHER_HEADERS = 2, /* the type of the body, and who we are */
};

enum mode { MODE_STRUCTURED, MODE_BINARY, MODE_BATCHED };

struct cloudevents_config {
    struct exporter_common common;
    struct http_client_config client;
    int mode;
    int compression;
    struct event_naming naming;
    int64_t batch_size;
    struct webhook_consent consent;
};

enum { CLIENT = offsetof(struct cloudevents_config, client) };

static const char *const modes[] = {"structured", "binary", "batched", NULL};
static const char *const compressions[] = {"none", "gzip", "zstd", NULL};
_Static_assert(BODY_GZIP == 1 && BODY_ZSTD == 2, "the choices stand in the order of the enum");

#define AT(member) offsetof(struct cloudevents_config, member)

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    {.name = "mode",
     .type = OPTION_ENUM,
     .offset = AT(mode),
     .fallback = "structured",
     .choices = modes,
     .help =
         "`structured`: an event is the body, as JSON. `binary`: attributes are `ce-` headers, "
         "the body is the data. `batched`: many events in a JSON array, only for receivers that "
         "say that they take it."},
    {.name = "batch_size",
     .type = OPTION_INT,
     .offset = AT(batch_size),
     .fallback = "100",
     .min = 1,
     .max = 10000,
     .help = "Records in one request of mode `batched`; a request ends at 1 MiB too."},
    EVENT_NAMING_ROWS(AT(naming)),
    {.name = "webhook_origin",
     .type = OPTION_TEXT,
     .offset = AT(consent.origin),
     .help = "Ask the receiver with OPTIONS and this DNS name as `WebHook-Request-Origin` whether "
             "it wants events, and send none without its consent. None: it is not asked."},
    {.name = "webhook_rate",
     .type = OPTION_INT,
     .offset = AT(consent.rate_per_minute),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "Requests a minute to ask for with it; what the receiver allows is kept to. 0: do not "
             "say."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = AT(compression),
     .fallback = "none",
     .choices = compressions,
     .help = "Compress requests, when the receiver understands that."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
};

static const struct option_table option_table = {
    .name = "exporter cloudevents",
    .help = "Records as CloudEvents 1.0 over HTTP.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct cloudevents_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct cloudevents_config *c = config;
    struct err why = ERR_INIT;

    return event_naming_check(&c->naming, &why) || yaml_err(node, e, ERR_CONFIG, "%s", why.message);
}

/* ---- requests ---- */

static void add_header(struct export_request *ret, const char *name, struct str value)
{
    ret->headers[ret->header_count++] = (struct export_header){str_of(name), value};
}

/* A record that makes several events makes several requests. */
static void next_event(struct record_events *r, uint32_t *row, struct export_request *ret,
                       struct event *ev)
{
    record_events_make(r, *row, ret->part, ret->arena, ev);
    ret->part++;
    *row += ret->part >= record_events_count(r, *row);
}

static void put_json(const struct event *ev, struct export_request *ret)
{
    cloudevent_write(ev, &ret->body);
    add_header(ret, "Content-Type", STR(CLOUDEVENT_TYPE));
}

static bool put_structured(const struct cloudevents_config *c, struct record_events *r,
                           uint32_t *row, struct export_request *ret, struct err *e)
{
    struct event ev;

    (void)c;
    (void)e;
    next_event(r, row, ret, &ev);
    put_json(&ev, ret);
    return true;
}

static bool put_binary(const struct cloudevents_config *c, struct record_events *r, uint32_t *row,
                       struct export_request *ret, struct err *e)
{
    struct cloudevent_header headers[HTTP_EXPORT_HEADERS_MAX - OTHER_HEADERS];
    struct event ev;
    size_t count = 0;

    (void)c;
    next_event(r, row, ret, &ev);
    if (cloudevent_mode_of(cloudevent_body_type(&ev)) != CLOUDEVENT_BINARY) {
        put_json(&ev, ret); /* its data are an event: binary it would be taken for that one */
        return true;
    }
    if (!cloudevent_headers(&ev, ret->arena, headers, ARRAY_LEN(headers), &count, e)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        ret->headers[ret->header_count++] =
            (struct export_header){headers[i].name, headers[i].value};
    }
    if (cloudevent_body_type(&ev).len > 0) {
        add_header(ret, "Content-Type", cloudevent_body_type(&ev));
    }
    buf_add_str(&ret->body, ev.data);
    return true;
}

static bool put_batch(const struct cloudevents_config *c, struct record_events *r, uint32_t *row,
                      struct export_request *ret, struct err *e)
{
    uint32_t first = *row;

    (void)e;
    buf_add_byte(&ret->body, '[');
    for (; *row < r->objects.view.n && *row - first < c->batch_size && ret->body.len < BODY_MAX;
         ++*row) {
        uint32_t count = record_events_count(r, *row);
        for (uint32_t part = 0; part < count; part++) {
            struct event ev;
            buf_add_text(&ret->body, ret->body.len > 1 ? "," : "");
            record_events_make(r, *row, part, ret->arena, &ev);
            cloudevent_write(&ev, &ret->body);
        }
    }
    buf_add_byte(&ret->body, ']');
    add_header(ret, "Content-Type", STR(CLOUDEVENT_BATCH_TYPE));
    return true;
}

static bool (*const putters[])(const struct cloudevents_config *, struct record_events *,
                               uint32_t *, struct export_request *, struct err *) = {
    [MODE_STRUCTURED] = put_structured,
    [MODE_BINARY] = put_binary,
    [MODE_BATCHED] = put_batch,
};

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct cloudevents_config *c = config;
    struct record_events events;

    (void)out;
    if (!record_events_init(&events, &c->naming, view, e)) {
        return false;
    }
    while (*row < view.n && record_events_count(&events, *row) == 0) {
        ++*row;
    }
    bool ok = true;
    if (*row < view.n) {
        ok = putters[c->mode](c, &events, row, ret, e);
        ret->method = "POST";
        ret->encoding = (enum body_encoding)c->compression;
        if (c->consent.origin.len > 0) {
            add_header(ret, "WebHook-Request-Origin", c->consent.origin);
        }
    }
    record_events_release(&events);
    return ok;
}

static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 403, VERDICT_HALT},      {404, 404, VERDICT_RETRY}, {405, 405, VERDICT_HALT},
    {408, 409, VERDICT_RETRY},     {410, 410, VERDICT_HALT},  {415, 415, VERDICT_HALT},
    {425, 425, VERDICT_RETRY},     {429, 429, VERDICT_RETRY}, {400, 499, VERDICT_REJECTED},
    {501, 501, VERDICT_HALT},      {0, 999, VERDICT_RETRY},
};

/* ---- what was made, read again ---- */

static bool same_event(const struct event *sent, const struct event *got, uint32_t row,
                       struct err *e)
{
    AUTO(buf_release) struct buf a = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf b = BUF_INIT(BUF_UNLIMITED);

    cloudevent_write(sent, &a);
    cloudevent_write(got, &b);
    return str_eq(buf_str(&a), buf_str(&b)) ||
           err_set(e, ERR_INTERNAL, "the event of row %u does not come back as it was made", row);
}

static bool read_body(int mode, struct str body, struct arena *a, struct events *ret, struct err *e)
{
    if (mode == MODE_BATCHED) {
        return cloudevents_read(body, a, ret, e);
    }
    struct event *ev = arena_new(a, struct event);
    *ret = (struct events){ev, 1};
    return cloudevent_read(body, a, ev, e);
}

static bool compare_rows(const struct cloudevents_config *c, const struct sent_rows *sent,
                         const struct events *got, struct record_events *r, struct arena *a,
                         struct err *e)
{
    uint32_t at = 0;

    for (uint32_t row = sent->first; row < sent->end; row++) {
        uint32_t parts = record_events_count(r, row);
        bool is_one = c->mode != MODE_BATCHED && parts > 0;
        uint32_t part = is_one ? sent->part : 0;
        for (uint32_t end = is_one ? part + 1 : parts; part < end; part++) {
            struct event ev;
            record_events_make(r, row, part, a, &ev);
            if (at >= got->count || !same_event(&ev, &got->rows[at++], row, e)) {
                return at <= got->count && e->code != ERR_NONE
                           ? false
                           : err_set(e, ERR_INTERNAL, "the body has no event of row %u", row);
            }
        }
    }
    return at == got->count || err_set(e, ERR_INTERNAL, "the body has more events than rows");
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    const struct cloudevents_config *c = config;
    AUTO(arena_release) struct arena a;
    struct record_events events;
    struct events got;

    arena_init(&a, ARENA_UNLIMITED);
    if (c->mode == MODE_BINARY) {
        return true; /* the body is the data, as they are */
    }
    if (!read_body(c->mode, body, &a, &got, e) ||
        !record_events_init(&events, &c->naming, sent->view, e)) {
        return false;
    }
    bool ok = compare_rows(c, sent, &got, &events, &a, e);
    record_events_release(&events);
    return ok;
}

static uint32_t rows_max(const void *config)
{
    const struct cloudevents_config *c = config;

    return c->mode == MODE_BATCHED ? (uint32_t)c->batch_size : 1;
}

static const struct http_exporter http = {
    .next_request = next_request,
    .rows_max = rows_max,
    .validate = validate,
    .statuses = statuses,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct cloudevents_config *c = config;
    struct sink *sink = NULL;

    if (!http_sink_open(&http, place, config, &sink, e)) {
        return false;
    }
    if (c->consent.origin.len > 0 && place->dry == NULL) {
        return webhook_consent_open(&c->consent, &c->client, rows_max(c), place, sink, ret_sink, e);
    }
    *ret_sink = sink;
    return true;
}

const struct exporter_kind exporter_cloudevents = {
    .name = "cloudevents",
    .help = "Records as CloudEvents 1.0 to a webhook, Knative or any other receiver.",
    .example = "type: cloudevents\nurl: http://127.0.0.1:8080/events\n"
               "source: https://telex.example.com/prod\n",
    .takes = TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE) | TAKES(RECORD_EVENT) |
             TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
