/*
 * Measures the calls of what stands inside: latency, size, success, kinds of errors. It changes nothing.
 *
 * All lanes and logs of an exporter share a meter; its gauges are set after each call and each health
 * check, so that they also fall when calls end.
 */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "export/call_meter.h"
#include "export/combinator.h"
#include "export/stages/around.h"

struct monitor_sink {
    struct around around;
    const struct clock *clock;
    struct call_meters *own; /* where the place has none */
    struct call_meter *meter;
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

static bool went_well(const struct outcome *out, uint32_t n)
{
    bool all = out->settled >= n || out->rest == VERDICT_DELIVERED || out->rest == VERDICT_HELD;

    return all && out->except.list.len == 0;
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct monitor_sink *m = (struct monitor_sink *)sink;
    int64_t began_ns = clock_mono_ns(m->clock);

    m->around.inner->ops->deliver(m->around.inner, view, wait, ret);
    bool ok = went_well(ret, view.n);
    bool is_cut_short = !ok && wait.cancel != NULL && cancel_is_set(wait.cancel);
    if (!ret->held_back && !is_cut_short) {
        call_meter_note(m->meter, ret, clock_mono_ns(m->clock) - began_ns, ok);
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    call_meter_show(((struct monitor_sink *)sink)->meter);
    return around_probe(sink, wait, e);
}

/* ---- life ---- */

static void close_sink(struct sink *sink)
{
    struct monitor_sink *m = (struct monitor_sink *)sink;

    sink_close(m->around.inner);
    call_meter_put(m->meter);
    call_meters_free(m->own);
    mem_free(m);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = probe,
                                    .flush = around_flush,
                                    .tend = around_tend,
                                    .close = close_sink};

/* What both ways to write it say. */
static struct monitor_tracks tracks_of(const struct monitor_config *c)
{
    return (struct monitor_tracks){c->beside.export_latency && c->nested.export_latency,
                                   c->beside.export_size && c->nested.export_size,
                                   c->beside.success_rate && c->nested.success_rate,
                                   c->beside.error_types && c->nested.error_types};
}

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    const struct monitor_tracks tracks = tracks_of(config->config);
    struct monitor_sink *m = mem_new(struct monitor_sink);

    (void)e;
    m->around = (struct around){{&ops}, children[0]};
    m->clock = place->env->clock;
    m->own = place->meters == NULL ? call_meters_new(place->env) : NULL;
    m->meter = call_meter_get(m->own != NULL ? m->own : place->meters,
                              place->is_apart ? config->name : place->name, &tracks);
    *ret_sink = &m->around.sink;
    return true;
}

static const struct stage_kind stage = {.open = open_stage};

const struct exporter_kind exporter_monitor = {
    .name = "monitor",
    .help = "Measures latency, size, success and errors of the exporter inside.",
    .example = "type: monitor\nexporter: { type: file, output_directory: out }\n",
    .options = &option_table,
    .stage = &stage,
};
