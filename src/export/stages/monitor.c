/*
 * Measures the calls of what stands inside: latency, size, success, kinds of errors. It changes nothing.
 *
 * What the window of the last calls says is a gauge, set after each call and each health check, so that
 * it also falls when calls end.
 */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "export/combinator.h"
#include "export/stages/around.h"
#include "export/stages/window.h"

static const double size_buckets[] = {1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6};

static const struct metric_desc seconds_desc = {
    .name = "telex_exporter_call_seconds",
    .help = "How long monitored calls to the destination took.",
    .type = METRIC_HISTOGRAM,
    .labels = {"exporter"},
    .buckets = metric_seconds_buckets,
    .bucket_count = METRIC_SECONDS_BUCKETS,
};

static const struct metric_desc latency_desc = {
    .name = "telex_exporter_call_latency_ms",
    .help = "Quantiles of what monitored calls took, over the last 5 minutes and 256 calls.",
    .type = METRIC_GAUGE,
    .labels = {"exporter", "quantile"},
};

static const struct metric_desc bytes_desc = {
    .name = "telex_exporter_call_bytes",
    .help = "Bytes that monitored calls sent.",
    .type = METRIC_HISTOGRAM,
    .labels = {"exporter"},
    .buckets = size_buckets,
    .bucket_count = ARRAY_LEN(size_buckets),
};

static const struct metric_desc success_desc = {
    .name = "telex_exporter_success_rate_percent",
    .help = "Monitored calls that went well, of the last 5 minutes and 256 calls.",
    .type = METRIC_GAUGE,
    .labels = {"exporter"},
};

static const struct metric_desc errors_desc = {
    .name = "telex_exporter_errors_total",
    .help = "Monitored calls that did not go well, by the class of the error.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "class"},
};

enum error_class {
    CLASS_TIMEOUT,
    CLASS_TLS,
    CLASS_AUTH,
    CLASS_4XX,
    CLASS_5XX,
    CLASS_CONNECTION,
    CLASS_REJECTED,
    CLASS_OTHER,
    CLASSES
};

static const char *const class_names[CLASSES] = {
    [CLASS_TIMEOUT] = "timeout",   [CLASS_TLS] = "tls",    [CLASS_AUTH] = "auth",
    [CLASS_4XX] = "4xx",           [CLASS_5XX] = "5xx",    [CLASS_CONNECTION] = "connection",
    [CLASS_REJECTED] = "rejected", [CLASS_OTHER] = "other"};

enum quantile { P50, P95, P99, QUANTILES };

static const char *const quantile_names[QUANTILES] = {"0.5", "0.95", "0.99"};

struct monitor_sink {
    struct around around;
    const struct clock *clock;
    bool was_called; /* lately */
    struct window window;
    /* those that are not tracked are NULL */
    struct metric *seconds;
    struct metric *latency[QUANTILES];
    struct metric *bytes;
    struct metric *success;
    struct metric *errors[CLASSES];
};

/* ---- options ---- */

#define TRACK_ROWS(BASE)                                                                     \
    {.name = "track_export_latency",                                                         \
     .type = OPTION_BOOL,                                                                    \
     .offset = (BASE) + offsetof(struct monitor_tracks, export_latency),                     \
     .fallback = "true",                                                                     \
     .help = "How long calls take: telex_exporter_call_seconds and "                         \
             "telex_exporter_call_latency_ms."},                                             \
        {.name = "track_export_size",                                                        \
         .type = OPTION_BOOL,                                                                \
         .offset = (BASE) + offsetof(struct monitor_tracks, export_size),                    \
         .fallback = "true",                                                                 \
         .help = "Bytes that calls send: telex_exporter_call_bytes."},                       \
        {.name = "track_success_rate",                                                       \
         .type = OPTION_BOOL,                                                                \
         .offset = (BASE) + offsetof(struct monitor_tracks, success_rate),                   \
         .fallback = "true",                                                                 \
         .help = "Calls that go well: telex_exporter_success_rate_percent."},                \
    {                                                                                        \
        .name = "track_error_types", .type = OPTION_BOOL,                                    \
        .offset = (BASE) + offsetof(struct monitor_tracks, error_types), .fallback = "true", \
        .help = "Calls that fail, by the class of the error: telex_exporter_errors_total."   \
    }

static const struct option nested_rows[] = {TRACK_ROWS(0)};

static const struct option_table nested_options = {
    .name = "monitor_config",
    .help = "What is measured; the same options may stand beside it.",
    .options = nested_rows,
    .count = ARRAY_LEN(nested_rows),
    .config_size = sizeof(struct monitor_tracks),
};

static const struct option threshold_rows[] = {
    {.name = "export_latency_p95_ms",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct monitor_thresholds, export_latency_p95_ms),
     .fallback = "1000",
     .min = 0,
     .max = 1e9,
     .unit = "ms",
     .help = "The 95th percentile of what calls take."},
    {.name = "success_rate_percent",
     .type = OPTION_DOUBLE,
     .offset = offsetof(struct monitor_thresholds, success_rate_percent),
     .fallback = "95",
     .min = 0,
     .max = 100,
     .unit = "%",
     .help = "Calls that go well."},
    {.name = "queue_depth",
     .type = OPTION_INT,
     .offset = offsetof(struct monitor_thresholds, queue_depth),
     .fallback = "1000",
     .min = 0,
     .max = 1e12,
     .help = "Batches held on disk for the destination."},
};

static const struct option_table threshold_options = {
    .name = "alert_thresholds",
    .help = "What is no longer normal.",
    .options = threshold_rows,
    .count = ARRAY_LEN(threshold_rows),
    .config_size = sizeof(struct monitor_thresholds),
};

static const char *const alias_interval[] = {"self_metrics_interval_seconds", NULL};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    TRACK_ROWS(offsetof(struct monitor_config, beside)),
    {.name = "monitor_config",
     .type = OPTION_TABLE,
     .flags = OPTION_HIDDEN,
     .offset = offsetof(struct monitor_config, nested),
     .table = &nested_options,
     .help = "What is measured, as above."},
    {.name = "alert_thresholds",
     .type = OPTION_TABLE,
     .offset = offsetof(struct monitor_config, thresholds),
     .table = &threshold_options,
     .help = "What is no longer normal for this exporter."},
    {.name = "self_metrics_exporter",
     .type = OPTION_NODE,
     .offset = offsetof(struct monitor_config, self_metrics_exporter),
     .help = "Who gets what is measured, as samples: the name of an exporter, or one."},
    {.name = "self_metrics_interval",
     .aliases = alias_interval,
     .type = OPTION_DURATION,
     .offset = offsetof(struct monitor_config, self_metrics_interval_ns),
     .fallback = "60s",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "How often it does."},
};

static const struct option_table option_table = {
    .name = "exporter monitor",
    .help = "Measures the calls of the exporter inside.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct monitor_config),
};

/* ---- measuring ---- */

static bool says(const struct outcome *out, const char *word)
{
    struct str message = str_of(out->err.message);

    return str_find(message, str_of(word)) < message.len;
}

static bool is_tls(const struct outcome *out)
{
    return says(out, "TLS") || says(out, "SSL") || says(out, "certificate");
}

/* The first row that applies names the class. */
static enum error_class class_of(const struct outcome *out)
{
    const struct {
        bool applies;
        enum error_class class;
    } rows[] = {
        {out->status == 401 || out->status == 403 || out->status == 407, CLASS_AUTH},
        {out->status >= 400 && out->status < 500, CLASS_4XX},
        {out->status >= 500 && out->status < 600, CLASS_5XX},
        {out->err.code == ERR_TIMEOUT, CLASS_TIMEOUT},
        {out->err.code == ERR_AUTH, CLASS_AUTH},
        {out->err.code == ERR_NET && is_tls(out), CLASS_TLS},
        {out->err.code == ERR_NET, CLASS_CONNECTION},
        {out->rest == VERDICT_REJECTED || out->except.list.len > 0, CLASS_REJECTED},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].applies) {
            return rows[i].class;
        }
    }
    return CLASS_OTHER;
}

static bool went_well(const struct outcome *out, uint32_t n)
{
    bool all = out->settled >= n || out->rest == VERDICT_DELIVERED || out->rest == VERDICT_HELD;

    return all && out->except.list.len == 0;
}

static void show(struct monitor_sink *m)
{
    const struct window_sum sum = window_sum(&m->window, clock_mono_ns(m->clock));
    const double latencies[QUANTILES] = {sum.p50_ms, sum.p95_ms, sum.p99_ms};

    for (size_t i = 0; i < QUANTILES && m->latency[i] != NULL; i++) {
        metric_set(m->latency[i], latencies[i]);
    }
    if (m->success != NULL) {
        metric_set(m->success, sum.success_percent);
    }
}

static void note_call(struct monitor_sink *m, const struct outcome *out, int64_t began_ns, bool ok)
{
    int64_t ended_ns = clock_mono_ns(m->clock);
    m->was_called = true;
    double seconds = (double)(ended_ns - began_ns) / (double)NS_PER_S;

    window_add(&m->window,
               (struct window_call){.ended_ns = ended_ns, .latency_ms = seconds * 1000, .ok = ok});
    if (m->seconds != NULL) {
        metric_observe(m->seconds, seconds);
    }
    if (m->bytes != NULL) {
        metric_observe(m->bytes, (double)out->bytes);
    }
    if (!ok && m->errors[0] != NULL) {
        metric_add(m->errors[class_of(out)], 1);
    }
    show(m);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct monitor_sink *m = (struct monitor_sink *)sink;
    int64_t began_ns = clock_mono_ns(m->clock);

    m->around.inner->ops->deliver(m->around.inner, view, wait, ret);
    bool ok = went_well(ret, view.n);
    bool is_cut_short = !ok && wait.cancel != NULL && cancel_is_set(wait.cancel);
    if (!ret->held_back && !is_cut_short) {
        note_call(m, ret, began_ns, ok);
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct monitor_sink *m = (struct monitor_sink *)sink;

    /* One that was never called says nothing: others of the same exporter may have calls to show. */
    if (m->was_called) {
        show(m);
        m->was_called = window_sum(&m->window, clock_mono_ns(m->clock)).calls > 0;
    }
    return around_probe(sink, wait, e);
}

/* ---- life ---- */

static void close_sink(struct sink *sink)
{
    struct monitor_sink *m = (struct monitor_sink *)sink;

    sink_close(m->around.inner);
    metric_drop(m->seconds);
    metric_drop(m->bytes);
    metric_drop(m->success);
    for (size_t i = 0; i < QUANTILES; i++) {
        metric_drop(m->latency[i]);
    }
    for (size_t i = 0; i < CLASSES; i++) {
        metric_drop(m->errors[i]);
    }
    mem_free(m);
}

static const struct sink_ops ops = {
    .deliver = deliver, .probe = probe, .flush = around_flush, .close = close_sink};

static void open_latency(struct monitor_sink *m, struct metrics *metrics, struct str name)
{
    m->seconds = metrics_get1(metrics, &seconds_desc, name);
    for (size_t i = 0; i < QUANTILES; i++) {
        m->latency[i] = metrics_get2(metrics, &latency_desc, name, str_of(quantile_names[i]));
    }
}

static void open_errors(struct monitor_sink *m, struct metrics *metrics, struct str name)
{
    for (size_t i = 0; i < CLASSES; i++) {
        m->errors[i] = metrics_get2(metrics, &errors_desc, name, str_of(class_names[i]));
    }
}

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    const struct monitor_config *c = config->config;
    struct metrics *metrics = place->env->metrics;
    struct monitor_sink *m = mem_new(struct monitor_sink);

    (void)e;
    m->around = (struct around){{&ops}, children[0]};
    m->clock = place->env->clock;
    if (c->beside.export_latency && c->nested.export_latency) {
        open_latency(m, metrics, place->name);
    }
    if (c->beside.export_size && c->nested.export_size) {
        m->bytes = metrics_get1(metrics, &bytes_desc, place->name);
    }
    if (c->beside.success_rate && c->nested.success_rate) {
        m->success = metrics_get1(metrics, &success_desc, place->name);
    }
    if (c->beside.error_types && c->nested.error_types) {
        open_errors(m, metrics, place->name);
    }
    show(m);
    *ret_sink = &m->around.sink;
    return true;
}

static const struct stage_kind stage = {open_stage};

const struct exporter_kind exporter_monitor = {
    .name = "monitor",
    .help = "Measures latency, size, success and errors of the exporter inside.",
    .example = "type: monitor\nexporter: { type: file, output_directory: out }\n",
    .options = &option_table,
    .stage = &stage,
};
