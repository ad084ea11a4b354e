/* What an exporter of OTLP may be told, and the variables of OpenTelemetry that say the same. */
#include "base/options.h"
#include "export/exporters/otlp_config.h"
#include "export/http_sink.h"
#include "net/http_options.h"

enum {
    CLIENT = offsetof(struct otlp_config, client),
    MEASURES = offsetof(struct otlp_config, measures),
};

static const char *const alias_traces[] = {"traces_endpoint", NULL};
static const char *const alias_protocol[] = {"protocol", "traces_protocol", NULL};
static const char *const protocols[] = {"http/protobuf", "http/json", "grpc", NULL};
static const char *const metrics_protocols[] = {"same", "http/protobuf", "http/json", "grpc", NULL};
static const char *const compressions[] = {"none", "gzip", NULL};
static const char *const of_compressions[] = {"same", "none", "gzip", NULL};
static const char *const of_choices[] = {"same", "false", "true", NULL};
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

/* Of a signal goes before what is said for both. */
#define USUAL_OF(signal, option_prefix)                                                           \
    {"OTEL_EXPORTER_OTLP_" signal "_HEADERS", option_prefix "_headers", NULL},                    \
        {"OTEL_EXPORTER_OTLP_" signal "_TIMEOUT", option_prefix "_timeout", "timeout_ms"},        \
        {"OTEL_EXPORTER_OTLP_" signal "_COMPRESSION", option_prefix "_compression", NULL},        \
        {"OTEL_EXPORTER_OTLP_" signal "_CERTIFICATE", option_prefix "_certificate", NULL},        \
        {"OTEL_EXPORTER_OTLP_" signal "_CLIENT_CERTIFICATE", option_prefix "_client_certificate", \
         NULL},                                                                                   \
        {"OTEL_EXPORTER_OTLP_" signal "_CLIENT_KEY", option_prefix "_client_key", NULL},          \
    {                                                                                             \
        "OTEL_EXPORTER_OTLP_" signal "_INSECURE", option_prefix "_insecure", NULL                 \
    }

const struct option_usual otlp_usual[] = {
    {"OTEL_EXPORTER_OTLP_ENDPOINT", "url", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp_endpoint", NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "metrics_endpoint", NULL},
    {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "otlp_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "otlp_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "metrics_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_PROTOCOL", "metrics_protocol", NULL},
    {"OTEL_EXPORTER_OTLP_HEADERS", "headers", NULL},
    {"OTEL_EXPORTER_OTLP_TIMEOUT", "timeout", "timeout_ms"},
    {"OTEL_EXPORTER_OTLP_COMPRESSION", "compression", NULL},
    {"OTEL_EXPORTER_OTLP_CERTIFICATE", "certificate", NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "client_certificate", NULL},
    {"OTEL_EXPORTER_OTLP_CLIENT_KEY", "client_key", NULL},
    {"OTEL_EXPORTER_OTLP_INSECURE", "insecure", NULL},
    USUAL_OF("TRACES", "traces"),
    USUAL_OF("METRICS", "metrics"),
    {"OTEL_SERVICE_NAME", "service_name", NULL},
    {"OTEL_RESOURCE_ATTRIBUTES", "resource_attributes", NULL},
    {0},
};

#define OF(which, member)                                                         \
    (offsetof(struct otlp_config, of) + (which) * sizeof(struct otlp_of_signal) + \
     offsetof(struct otlp_of_signal, member))

/* What may be said for one signal alone. */
#define SIGNAL_ROWS(which, signal)                                                     \
    {.name = signal "_headers",                                                        \
     .type = OPTION_MAP,                                                               \
     .flags = OPTION_ADVANCED,                                                         \
     .offset = OF(which, headers),                                                     \
     .help = "Headers of requests with " signal ", instead of `headers`."},            \
        {.name = signal "_timeout",                                                    \
         .type = OPTION_DURATION,                                                      \
         .flags = OPTION_ADVANCED,                                                     \
         .offset = OF(which, timeout_ns),                                              \
         .min = 0.001,                                                                 \
         .max = 3600,                                                                  \
         .unit = "s",                                                                  \
         .help = "Time for a request with " signal ", instead of `timeout`."},         \
        {.name = signal "_compression",                                                \
         .type = OPTION_ENUM,                                                          \
         .flags = OPTION_ADVANCED,                                                     \
         .offset = OF(which, compression),                                             \
         .fallback = "same",                                                           \
         .choices = of_compressions,                                                   \
         .help = "Compress requests with " signal "; `same`: as `compression` says."}, \
        {.name = signal "_certificate",                                                \
         .type = OPTION_TEXT,                                                          \
         .flags = OPTION_ADVANCED,                                                     \
         .offset = OF(which, certificate),                                             \
         .help = "As `certificate`, for " signal "."},                                 \
        {.name = signal "_client_certificate",                                         \
         .type = OPTION_TEXT,                                                          \
         .flags = OPTION_ADVANCED,                                                     \
         .offset = OF(which, client_certificate),                                      \
         .help = "As `client_certificate`, for " signal "."},                          \
        {.name = signal "_client_key",                                                 \
         .type = OPTION_TEXT,                                                          \
         .flags = OPTION_ADVANCED,                                                     \
         .offset = OF(which, client_key),                                              \
         .help = "As `client_key`, for " signal "."},                                  \
    {                                                                                  \
        .name = signal "_insecure", .type = OPTION_ENUM, .flags = OPTION_ADVANCED,     \
        .offset = OF(which, insecure), .fallback = "same", .choices = of_choices,      \
        .help = "As `insecure`, for " signal "; `same`: as that says."                 \
    }

static const struct option rows[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_BARE_HOST),
    {.name = "otlp_endpoint",
     .aliases = alias_traces,
     .type = OPTION_URL,
     .flags = OPTION_BARE_HOST,
     .offset = offsetof(struct otlp_config, traces_endpoint),
     .help = "Where traces go: `http://host:4318/v1/traces`, taken as it is; else `url` with "
             "`/v1/traces`. Without any address `http://localhost:4318`, or port 4317 over gRPC. "
             "What is not said here is taken from the variables `OTEL_EXPORTER_OTLP_*` where they "
             "are set."},
    {.name = "metrics_endpoint",
     .type = OPTION_URL,
     .flags = OPTION_BARE_HOST,
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
    {.name = "insecure",
     .type = OPTION_BOOL,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct otlp_config, insecure),
     .fallback = "false",
     .help = "An address without `http://` or `https://` (`collector:4317`) is one without TLS."},
    {.name = "certificate",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = HTTP_AT(CLIENT, tls.ca_file),
     .help = "As `ca_file` of `tls`, as OpenTelemetry calls it."},
    {.name = "client_certificate",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = HTTP_AT(CLIENT, tls.cert_file),
     .help = "As `cert_file` of `tls`."},
    {.name = "client_key",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = HTTP_AT(CLIENT, tls.key_file),
     .help = "As `key_file` of `tls`."},
    SIGNAL_ROWS(OTLP_TRACES, "traces"),
    SIGNAL_ROWS(OTLP_METRICS, "metrics"),
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
    MEASURE_ROWS(MEASURES, "profiling_", "any"),
};

const struct option_table otlp_options = {
    .name = "exporter otlp",
    .help = "Metrics and traces to OpenTelemetry collectors and whatever else takes OTLP.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct otlp_config),
};
