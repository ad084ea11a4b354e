/* Any HTTP API: what is sent, where and with which headers is the config's. */
#include "export/exporters/exporters.h"

#include "export/exporter_options.h"
#include "export/request_maker.h"
#include "net/http_options.h"

#include <string.h>

enum format { FORMAT_JSON, FORMAT_NDJSON };

struct http_config {
    struct exporter_common common;
    struct http_client_config client;
    struct request_options request;
    struct str method;
    struct str content_type;
    int format;
    int64_t batch_size;
    int compression; /* enum body_encoding: the choices stand in its order */
    struct str health_path;
};

enum {
    CLIENT = offsetof(struct http_config, client),
    REQUEST = offsetof(struct http_config, request),
};

static const char *const formats[] = {"json", "ndjson", NULL};
static const char *const compressions[] = {"none", "gzip", "zstd", NULL};
_Static_assert(BODY_GZIP == 1 && BODY_ZSTD == 2, "the choices stand in the order of the enum");

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    {.name = "method",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_config, method),
     .fallback = "POST",
     .help = "The HTTP method. GET and HEAD have no body: the record is in `path` and `headers`."},
    REQUEST_TEMPLATE_ROWS(REQUEST),
    {.name = "format",
     .type = OPTION_ENUM,
     .offset = offsetof(struct http_config, format),
     .fallback = "json",
     .choices = formats,
     .help =
         "How several records stand in one request: `json` in an array, `ndjson` on lines. With "
         "a `batch_size` of 1 a record is the body."},
    {.name = "batch_size",
     .type = OPTION_INT,
     .offset = offsetof(struct http_config, batch_size),
     .fallback = "1",
     .min = 1,
     .max = 100000,
     .help = "Records in one request. Those whose `path` and `headers` differ never share one."},
    {.name = "content_type",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_config, content_type),
     .help = "The Content-Type; as `format` is when neither this nor `headers` say it."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = offsetof(struct http_config, compression),
     .fallback = "none",
     .choices = compressions,
     .help = "Compress requests, when the receiver understands that."},
    {.name = "health_path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct http_config, health_path),
     .help = "A path of the same server, such as `/health`, which answers GET when the service is "
             "there: asked every `health_check.interval`. None: only calls tell."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
};

static const struct option_table option_table = {
    .name = "exporter http",
    .help = "Records to any HTTP API, as the config writes them.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct http_config),
};

/* A token of upper-case letters. */
static bool is_method(struct str method)
{
    for (size_t i = 0; i < method.len; i++) {
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ-", method.ptr[i]) == NULL) {
            return false;
        }
    }
    return method.len > 0 && method.len <= 32;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct http_config *c = config;
    const struct yaml_node *method = yaml_get(node, STR("method"));

    if (!is_method(c->method)) {
        return yaml_err(method != NULL ? method : node, e, ERR_CONFIG,
                        "method '%.*s' is none; expected one such as POST", STR_FMT(c->method));
    }
    return http_health_path_check(c->health_path, node, e) &&
           request_maker_check(&c->request, &c->client.headers, node, e);
}

static bool names_type(const struct option_map *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (str_eq_nocase(headers->items[i].name, STR("Content-Type"))) {
            return true;
        }
    }
    return false;
}

static bool is_text_payload(const struct http_config *c)
{
    return c->request.payload != NULL && c->request.payload->kind == YAML_SCALAR;
}

static struct str type_of(const struct http_config *c)
{
    if (c->content_type.len > 0 || names_type(&c->client.headers)) {
        return c->content_type;
    }
    if (c->format == FORMAT_NDJSON && c->batch_size > 1) {
        return STR("application/x-ndjson");
    }
    return is_text_payload(c) && c->batch_size == 1 ? STR("text/plain; charset=utf-8")
                                                    : STR("application/json");
}

static bool has_a_body(const struct http_config *c)
{
    return !str_eq(c->method, STR("GET")) && !str_eq(c->method, STR("HEAD"));
}

static uint32_t rows_max(const void *config)
{
    const struct http_config *c = config;

    return has_a_body(c) ? (uint32_t)c->batch_size : 1;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct http_config *c = config;
    bool has_body = has_a_body(c);
    const struct request_shape shape = {
        .method = arena_text(ret->arena, c->method),
        .encoding = has_body ? (enum body_encoding)c->compression : BODY_PLAIN,
        .rows_max = rows_max(c),
        .is_lines = c->format == FORMAT_NDJSON,
        .type = has_body ? type_of(c) : STR(""),
    };

    if (!request_maker_next(&c->request, &shape, view, row, ret, out, e)) {
        return false;
    }
    if (!has_body) {
        buf_clear(&ret->body);
    }
    return true;
}

static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    (void)view;
    (void)first;
    (void)end;
    request_maker_judge(&((const struct http_config *)config)->request, answer, out);
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    const struct http_config *c = config;

    return c->request.payload != NULL || body.len == 0 || validate_json(sent, body, e);
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct http_config *c = config;

    return http_health_url(&c->client, c->health_path, a);
}

static const struct http_exporter http = {
    .next_request = next_request,
    .validate = validate,
    .statuses = request_maker_statuses,
    .judge = judge,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return request_maker_open(&http, place, config, sizeof(struct http_config), REQUEST, ret_sink,
                              e);
}

const struct exporter_kind exporter_http = {
    .name = "http",
    .help = "Records to any HTTP API: method, path, headers and body as the config writes them.",
    .example =
        "type: http\n"
        "endpoint: http://127.0.0.1:8080/metrics\n"
        "payload_transformer:\n"
        "  timestamp: '{{ .timestamp }}'\n"
        "  metrics: { throughput: '{{ .messages_per_second }}', errors: '{{ .error_rate }}' }\n"
        "  metadata: { service: api-server, host: '{{ hostname }}' }\n",
    .takes = TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE) | TAKES(RECORD_EVENT) |
             TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
