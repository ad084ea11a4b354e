/* The section `receive` of the config. */
#include "receive/receive.h"

static const struct option grpc_rows[] = {
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = offsetof(struct receive_grpc_config, listen),
     .help =
         "Address and port, usually `127.0.0.1:4317`; without one it is not taken. TLS, credentials, "
         "threads and times are those of `server`."},
};

static const struct option_table grpc_table = {
    .name = "receive.otlp_grpc",
    .help = "OpenTelemetry's metrics and traces over gRPC.",
    .options = grpc_rows,
    .count = ARRAY_LEN(grpc_rows),
    .config_size = sizeof(struct receive_grpc_config),
};

#define STATSD_AT(member) offsetof(struct receive_statsd_config, member)

static const struct option statsd_rows[] = {
    {.name = "listen",
     .type = OPTION_TEXT,
     .offset = STATSD_AT(listen),
     .help = "Address and port for UDP, usually `127.0.0.1:8125`."},
    {.name = "socket",
     .type = OPTION_TEXT,
     .offset = STATSD_AT(socket_path),
     .help = "File of a Unix datagram socket."},
    {.name = "flush_interval",
     .type = OPTION_DURATION,
     .offset = STATSD_AT(flush_interval_ns),
     .fallback = "10s",
     .min = 0.1,
     .max = 3600,
     .unit = "s",
     .help = "How often samples are made of what came."},
    {.name = "expiry",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = STATSD_AT(expiry_ns),
     .fallback = "5m",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "A series unheard of for this long ends, with a staleness marker."},
    {.name = "max_series",
     .type = OPTION_INT,
     .flags = OPTION_ADVANCED,
     .offset = STATSD_AT(max_series),
     .fallback = "10000",
     .min = 1,
     .max = 1000 * 1000,
     .help = "Series at a time; lines of more are dropped and counted."},
};

static const struct option_table statsd_table = {
    .name = "receive.statsd",
    .help = "StatsD and DogStatsD.",
    .options = statsd_rows,
    .count = ARRAY_LEN(statsd_rows),
    .config_size = sizeof(struct receive_statsd_config),
};

static const struct option rows[] = {
    {.name = "remote_write",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, remote_write),
     .fallback = "false",
     .help = "Take Prometheus remote write 1.0 and 2.0 on `POST /api/v1/write`."},
    {.name = "alerts",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, alerts),
     .fallback = "false",
     .help = "Take alerts: what Prometheus and vmalert send to an Alertmanager on `POST "
             "/api/v2/alerts`, and what an Alertmanager's webhook sends on `POST /webhook`."},
    {.name = "profiles",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, profiles),
     .fallback = "false",
     .help = "Take what applications measure of themselves, profiles and spans as JSON, on `POST "
             "/api/v1/profile`."},
    {.name = "otlp",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, otlp),
     .fallback = "false",
     .help =
         "Take OpenTelemetry's metrics and traces over HTTP, as protobuf or JSON, on `POST /v1/metrics` and `POST "
         "/v1/traces`."},
    {.name = "events",
     .type = OPTION_BOOL,
     .offset = offsetof(struct receive_config, events),
     .fallback = "false",
     .help =
         "Take CloudEvents (structured, binary, batched) and plain JSON on `POST /api/v1/events`, "
         "into the table that streams of the source `embedded` read."},
    {.name = "events_type",
     .type = OPTION_TEXT,
     .offset = offsetof(struct receive_config, events_type),
     .fallback = "telex.event",
     .help = "Type of events made of plain JSON; `?type=` of a request goes before it."},
    {.name = "events_source",
     .type = OPTION_TEXT,
     .offset = offsetof(struct receive_config, events_source),
     .fallback = "/api/v1/events",
     .help =
         "Source of events made of plain JSON, a URI reference; `?source=` of a request goes before it."},
    {.name = "otlp_grpc",
     .type = OPTION_TABLE,
     .offset = offsetof(struct receive_config, otlp_grpc),
     .table = &grpc_table,
     .help = "Take OpenTelemetry's metrics and traces over gRPC."},
    {.name = "statsd",
     .type = OPTION_TABLE,
     .offset = offsetof(struct receive_config, statsd),
     .table = &statsd_table,
     .help = "Take StatsD and DogStatsD over UDP and a Unix socket."},
    {.name = "max_alerts",
     .type = OPTION_INT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct receive_config, max_alerts),
     .fallback = "100000",
     .min = 100,
     .max = 5 * 1000 * 1000,
     .help = "Alerts whose state is remembered, so that one that is pushed again and again is one "
             "record; beyond it, those longest unheard of are forgotten."},
    {.name = "max_body",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct receive_config, max_body_bytes),
     .fallback = "32MiB",
     .min = 1024,
     .max = 256 << 20,
     .unit = "bytes",
     .help = "Largest body of a push, as sent; larger ones are answered 413."},
    {.name = "max_decoded",
     .type = OPTION_BYTES,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct receive_config, max_decoded_bytes),
     .fallback = "128MiB",
     .min = 1024,
     .max = 256 << 20,
     .unit = "bytes",
     .help = "Largest body of a push, unpacked; larger ones are answered 413."},
};

const struct option_table receive_options = {
    .name = "receive",
    .help = "What others may push to us.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct receive_config),
};
