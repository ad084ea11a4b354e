/* OpenTelemetry's protocol over HTTP: samples and profiles as metrics, spans as traces. */
#include "base/options.h"
#include "export/exporters/exporters.h"
#include "export/exporters/otlp_sink.h"
#include "net/http_options.h"

enum {
    ROWS_MAX = 10 * 1000,
    BODY_MAX =
        4 * 1024 * 1024, /* receivers of gRPC refuse more; collectors take 20 MiB over HTTP */
};

enum {
    CLIENT = offsetof(struct otlp_config, client),
    MEASURES = offsetof(struct otlp_config, measures),
};

static const char *const aliases[] = {"opentelemetry", "otel", NULL};
static const char *const alias_traces[] = {"traces_endpoint", NULL};
static const char *const alias_protocol[] = {"protocol", "traces_protocol", NULL};
static const char *const protocols[] = {"http/protobuf", "http/json", "grpc", NULL};
static const char *const metrics_protocols[] = {"same", "http/protobuf", "http/json", "grpc", NULL};
static const char *const compressions[] = {"none", "gzip", NULL};
_Static_assert(BODY_GZIP == 1, "the choices stand in the order of the enum");
static const char *const samplers[] = {
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
    "always_on",
    "always_off",
    "traceidratio",
    NULL,
};

static const struct option_usual usual[] = {
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "url", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp_endpoint", NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics_endpoint", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "otlp_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "otlp_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "metrics_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_HEADERS", "headers", NULL},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "timeout", "timeout_ms"},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "compression", NULL},
    {"OTEL_SERVICE_NAME", "service_name", NULL},
    {"OTEL_RESOURCE_ATTRIBUTES", "resource_attributes", NULL},
    {0},
};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, 0),
    {.name = "otlp_endpoint",
     .aliases = alias_traces,
     .type = OPTION_URL,
     .offset = offsetof(struct otlp_config, traces_endpoint),
     .help = "Where traces go: `http://host:4318/v1/traces`, taken as it is; else `url` with "
             "`/v1/traces`. Without any address `http://localhost:4318`. What is not said here "
             "is taken from the variables `OTEL_EXPORTER_OTLP_*` where they are set."},
    {.name = "metrics_endpoint",
     .type = OPTION_URL,
     .offset = offsetof(struct otlp_config, metrics_endpoint),
     .help = "Where metrics go: `http://host:4318/v1/metrics`; else `url` with `/v1/metrics`, or "
             "beside the traces."},
    {.name = "otlp_protocol",
     .aliases = alias_protocol,
     .type = OPTION_ENUM,
     .offset = offsetof(struct otlp_config, traces_protocol),
     .fallback = "http/protobuf",
     .choices = protocols,
     .help = "How traces are sent, and metrics that say nothing else."},
    {.name = "metrics_protocol",
     .type = OPTION_ENUM,
     .offset = offsetof(struct otlp_config, metrics_protocol),
     .fallback = "same",
     .choices = metrics_protocols,
     .help = "How metrics are sent; `same`: as `otlp_protocol` says."},
    {.name = "compression",
     .type = OPTION_ENUM,
     .offset = offsetof(struct otlp_config, compression),
     .fallback = "gzip",
     .choices = compressions,
     .help = "Compress requests."},
    {.name = "service_name",
     .type = OPTION_TEXT,
     .offset = offsetof(struct otlp_config, service_name),
     .fallback = "telex",
     .help = "The resource's `service.name`, where a span says none itself; else "
             "`OTEL_SERVICE_NAME`."},
    {.name = "service_version",
     .type = OPTION_TEXT,
     .offset = offsetof(struct otlp_config, service_version),
     .help = "The resource's `service.version`."},
    {.name = "service_namespace",
     .type = OPTION_TEXT,
     .offset = offsetof(struct otlp_config, service_namespace),
     .help = "The resource's `service.namespace`."},
    {.name = "resource_attributes",
     .type = OPTION_MAP,
     .offset = offsetof(struct otlp_config, resource_attributes),
     .help = "More attributes of the resource; else `OTEL_RESOURCE_ATTRIBUTES`. Labels of a span "
             "are attributes of its resource and go before these."},
    {.name = "span_name_prefix",
     .type = OPTION_TEXT,
     .offset = offsetof(struct otlp_config, span_name_prefix),
     .help = "What stands before the names of spans, with a dot between."},
    {.name = "create_child_spans",
     .type = OPTION_BOOL,
     .offset = offsetof(struct otlp_config, create_child_spans),
     .fallback = "true",
     .help = "Send spans that have a parent; `false`: only the first one of each trace."},
    {.name = "trace_sampler",
     .type = OPTION_ENUM,
     .offset = offsetof(struct otlp_config, sampler),
     .fallback = "parentbased_always_on",
     .choices = samplers,
     .help = "Which traces are sent. The id of a trace decides for all of its spans, in the same "
             "way as in OpenTelemetry's SDKs, so that a trace is whole or not there."},
    {.name = "trace_sample_rate",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct otlp_config, sample_rate),
     .fallback = "0.1",
     .min = 0,
     .max = 1,
     .help = "With a sampler by ratio: the part of the traces that is sent."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "4MiB"),
    MEASURE_ROWS(MEASURES, "profiling_"),
};

static const struct option_table option_table = {
    .name = "exporter otlp",
    .help = "Metrics and traces to OpenTelemetry collectors and whatever else takes OTLP.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct otlp_config),
};

/* ---- requests ---- */

static enum otlp_signal signal_of(struct view view)
{
    return batch_info(view.batch)->kind == RECORD_SPAN ? OTLP_TRACES : OTLP_METRICS;
}

static bool has_room(const struct buf *body, uint32_t rows)
{
    return rows < ROWS_MAX && body->len < BODY_MAX;
}

static bool add_samples(const struct otlp_config *c, struct view view, uint32_t *row,
                        struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_origin origin = otlp_origin_of(c, ret->arena);
    const struct samples *s = NULL;
    struct otlp_metrics_writer w;
    uint32_t first = *row;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    otlp_metrics_begin(&w, &origin, &ret->body);
    for (; *row < view.n && has_room(&ret->body, *row - first); ++*row) {
        const char *refusal = otlp_metrics_add(&w, s, view_row(view, *row));
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    ret->whole_body = otlp_metrics_end(&w);
    otlp_metrics_release(&w);
    return true;
}

static bool add_spans(const struct otlp_config *c, struct view view, uint32_t *row,
                      struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_origin origin = otlp_origin_of(c, ret->arena);
    const struct notes *notes = NULL;
    struct otlp_spans_writer w;
    uint32_t first = *row;

    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    otlp_spans_begin(&w, &origin, c->span_name_prefix, &ret->body);
    for (; *row < view.n && has_room(&ret->body, *row - first); ++*row) {
        const char *refusal = otlp_spans_add(&w, &notes->rows[view_row(view, *row)]);
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    otlp_spans_end(&w);
    ret->whole_body = buf_str(&ret->body);
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct otlp_config *c = config;
    enum otlp_signal signal = signal_of(view);

    if (!(signal == OTLP_TRACES ? add_spans : add_samples)(c, view, row, ret, out, e)) {
        return false;
    }
    if (ret->whole_body.len > 0) {
        ret->method = "POST";
        ret->url = otlp_url(c, signal, ret->arena);
        ret->encoding = (enum body_encoding)c->compression;
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), STR("application/x-protobuf")};
    }
    return true;
}

/* ---- answers ---- */

/* The specification has four statuses tried again, 500 is not one of them. Those that refuse us and not
 * the records halt instead of burying everything. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {410, 410, VERDICT_HALT},  {415, 415, VERDICT_HALT},
    {429, 429, VERDICT_RETRY},     {502, 504, VERDICT_RETRY}, {0, 999, VERDICT_REJECTED},
};

/* What was refused of a request that was taken is never sent again: nobody says what it was. */
static void judge_partial(const struct otlp_partial *partial, uint32_t rows, struct outcome *out)
{
    if (partial->rejected <= 0) {
        return;
    }
    out->dropped += partial->rejected < rows ? (uint32_t)partial->rejected : rows;
    (void)err_set(&out->err, ERR_NET, "the destination refused %lld of %u: %.*s",
                  (long long)partial->rejected, rows, STR_FMT(str_slice(partial->message, 0, 200)));
}

static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    struct otlp_partial partial;
    struct otlp_status status;

    (void)config;
    (void)view;
    if (out->rest == VERDICT_DELIVERED) {
        if (otlp_partial_read(answer->body, &partial)) {
            judge_partial(&partial, end - first, out);
        }
    } else if (otlp_status_read(answer->body, &status) && status.message.len > 0) {
        (void)err_set(&out->err, ERR_NET, "answered %d: %.*s", answer->status,
                      STR_FMT(str_slice(status.message, 0, 200)));
    }
}

static const struct http_exporter http = {
    .next_request = next_request,
    .statuses = statuses,
    .judge = judge,
    .validate = otlp_validate,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return otlp_sink_open(&http, place, config, ret_sink, e);
}

const struct exporter_kind exporter_otlp = {
    .name = "otlp",
    .aliases = aliases,
    .usual = usual,
    .help = "OpenTelemetry's protocol: samples and profiles as metrics, spans as traces.",
    .example = "type: otlp\nurl: http://127.0.0.1:4318\nservice_name: shop\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .caps = EXPORTER_SERIES | EXPORTER_STALE,
    .options = &option_table,
    .check = otlp_check,
    .advise = otlp_advise,
    .http = &http,
    .open = open_sink,
};
