/* JSON to any HTTP service: an edge per request, other records as arrays. */
#include "export/exporters/exporters.h"

#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/record_json.h"

enum {
    RECORDS_MAX = 1000, /* in one array */
    BODY_MAX = 1024 * 1024,
};

struct webhook_config {
    struct exporter_common common;
    struct http_client_config client;
    int method;
    int compression; /* enum body_encoding: the choices stand in its order */
    struct str health_path;
};

enum { CLIENT = offsetof(struct webhook_config, client) };

static const char *const methods[] = {"POST", "PUT", "PATCH", NULL};

static const char *const compressions[] = {"none", "gzip", "zstd", NULL};
_Static_assert(BODY_GZIP == 1 && BODY_ZSTD == 2, "the choices stand in the order of the enum");

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    {.name = "method",
     .type = OPTION_ENUM,
     .offset = offsetof(struct webhook_config, method),
     .fallback = "POST",
     .choices = methods,
     .help = "The HTTP method."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = offsetof(struct webhook_config, compression),
     .fallback = "none",
     .choices = compressions,
     .help = "Compress requests, when the receiver understands that."},
    {.name = "health_path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct webhook_config, health_path),
     .help = "A path of the same server, such as `/health`, which answers GET when the service is "
             "there: asked every `health_check.interval`. None: only calls tell."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
};

static const struct option_table option_table = {
    .name = "exporter webhook",
    .help = "Alerts and samples as JSON to any HTTP service.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct webhook_config),
};

/* One object of one edge; an edge whose export_query had several series makes several requests. */
static void add_alert(struct record_objects *o, uint32_t *row, struct export_request *ret)
{
    record_objects_add(o, *row, ret->part, &ret->body);
    ret->part++;
    *row += ret->part >= record_objects_count(o, *row);
}

/* Other records in an array. */
static void add_array(struct record_objects *o, uint32_t *row, struct export_request *ret)
{
    uint32_t count = 0;

    buf_add_byte(&ret->body, '[');
    for (; *row < o->view.n && count < RECORDS_MAX && ret->body.len < BODY_MAX; ++*row) {
        if (record_objects_count(o, *row) > 0) {
            buf_add_text(&ret->body, count > 0 ? "," : "");
            record_objects_add(o, *row, 0, &ret->body);
            count++;
        }
    }
    buf_add_byte(&ret->body, ']');
    if (count == 0) {
        buf_clear(&ret->body);
    }
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct webhook_config *c = config;
    AUTO(record_objects_release) struct record_objects objects = {0};

    (void)out;
    if (!record_objects_init(&objects, view, e)) {
        return false;
    }
    (objects.alerts != NULL ? add_alert : add_array)(&objects, row, ret);
    if (ret->body.len > 0) {
        ret->method = methods[c->method];
        ret->encoding = (enum body_encoding)c->compression;
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), STR("application/json")};
    }
    return true;
}

/* The URL is the config's alone: that there is nothing is no record's fault. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    (void)config;
    return validate_json(sent, body, e);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct webhook_config *c = config;
    const struct yaml_node *at = yaml_get(node, STR("health_path"));

    return c->health_path.len == 0 || str_starts(c->health_path, STR("/")) ||
           yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                    "health_path '%.*s' is not a path; expected one such as /health",
                    STR_FMT(c->health_path));
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct webhook_config *c = config;
    struct url url;
    struct err ignored = ERR_INIT;

    if (c->health_path.len == 0 || !url_parse(c->client.url, &url, &ignored)) {
        return STR("");
    }
    return arena_printf(a, "%.*s://%.*s%.*s", STR_FMT(url.scheme), STR_FMT(url.authority),
                        STR_FMT(c->health_path));
}

static const struct http_exporter http = {
    .next_request = next_request,
    .validate = validate,
    .statuses = statuses,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return http_sink_open(&http, place, config, ret_sink, e);
}

const struct exporter_kind exporter_webhook = {
    .name = "webhook",
    .help = "JSON to any HTTP service: one alert per request, other records as arrays.",
    .example = "type: webhook\nurl: http://127.0.0.1:9095/alerts\n",
    .caps = EXPORTER_TELLS,
    .takes =
        TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
