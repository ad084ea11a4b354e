/* JSON to any HTTP service: an edge per request, other records as arrays. */
#include "export/exporters/exporters.h"

#include "export/exporter_options.h"
#include "export/request_maker.h"
#include "net/http_options.h"

enum { RECORDS_MAX = 1000 /* in one array */ };

struct webhook_config {
    struct exporter_common common;
    struct http_client_config client;
    struct request_options request;
    int method;
    int compression; /* enum body_encoding: the choices stand in its order */
    struct str health_path;
};

enum {
    CLIENT = offsetof(struct webhook_config, client),
    REQUEST = offsetof(struct webhook_config, request),
};

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
    REQUEST_TEMPLATE_ROWS(REQUEST),
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

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct webhook_config *c = config;
    bool is_alert = batch_info(view.batch)->kind == RECORD_ALERT;
    const struct request_shape shape = {.method = methods[c->method],
                                        .encoding = (enum body_encoding)c->compression,
                                        .rows_max = is_alert ? 1 : RECORDS_MAX,
                                        .type = STR("application/json")};

    return request_maker_next(&c->request, &shape, view, row, ret, out, e);
}

static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    (void)view;
    (void)first;
    (void)end;
    request_maker_judge(&((const struct webhook_config *)config)->request, answer, out);
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    const struct webhook_config *c = config;

    return c->request.payload != NULL || validate_json(sent, body, e);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct webhook_config *c = config;

    return http_health_path_check(c->health_path, node, e) &&
           request_maker_check(&c->request, &c->client.headers, node, e);
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct webhook_config *c = config;

    return http_health_url(&c->client, c->health_path, a);
}

static uint32_t rows_max(const void *config)
{
    (void)config;
    return RECORDS_MAX;
}

static const struct http_exporter http = {
    .next_request = next_request,
    .rows_max = rows_max,
    .validate = validate,
    .statuses = request_maker_statuses,
    .judge = judge,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return request_maker_open(&http, place, config, sizeof(struct webhook_config), REQUEST,
                              ret_sink, e);
}

const struct exporter_kind exporter_webhook = {
    .name = "webhook",
    .help = "JSON to any HTTP service: one alert per request, other records as arrays.",
    .example = "type: webhook\nurl: http://127.0.0.1:9095/alerts\n",
    .caps = EXPORTER_TELLS,
    .takes = TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE) | TAKES(RECORD_EVENT) |
             TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
