#include "export/debug.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/metrics.h"
#include "export/redact.h"
#include "export/tap.h"

static const struct metric_desc seconds_desc = {
    .name = "telex_exporter_stage_seconds_total",
    .help = "Time that the steps of requests took, where debug.measure_performance is on.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "stage"}};
static const struct metric_desc requests_desc = {
    .name = "telex_exporter_measured_requests_total",
    .help = "Requests (writes of a file) that were measured so.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};
static const struct metric_desc schema_errors_desc = {
    .name = "telex_exporter_schema_errors_total",
    .help = "Requests that did not decode to what was encoded, where debug.validate_schemas is on.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"}};

static const char *const stage_names[DEBUG_STAGES] = {[DEBUG_ENCODE] = "encode",
                                                      [DEBUG_COMPRESS] = "compress",
                                                      [DEBUG_SEND] = "send",
                                                      [DEBUG_JUDGE] = "judge"};

const char *debug_stage_name(enum debug_stage stage)
{
    return stage_names[stage];
}

void debug_open(struct debug *d, const struct exporter_place *place,
                const struct exporter_common *common)
{
    struct metrics *metrics = place->env->metrics;

    *d = (struct debug){.options = &common->debug, .env = place->env, .name = place->name};
    trace_init_part(&d->trace, place->env->trace, "export", place->name, TRACE_INFO);
    if (common->debug.validate_schemas) {
        d->schema_errors = metrics_get1(metrics, &schema_errors_desc, place->name);
    }
    if (!common->debug.measure_performance) {
        return;
    }
    d->requests = metrics_get1(metrics, &requests_desc, place->name);
    for (size_t i = 0; i < DEBUG_STAGES; i++) {
        d->seconds[i] = metrics_get2(metrics, &seconds_desc, place->name, str_of(stage_names[i]));
    }
}

void debug_close(struct debug *d)
{
    struct metric *const others[] = {d->requests, d->schema_errors};

    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (others[i] != NULL) {
            metric_drop(others[i]);
        }
    }
    for (size_t i = 0; i < DEBUG_STAGES && d->seconds[i] != NULL; i++) {
        metric_drop(d->seconds[i]);
    }
}

int64_t debug_now_ns(const struct debug *d)
{
    return d->options->measure_performance ? clock_mono_ns(d->env->clock) : 0;
}

void debug_measure(struct debug *d, enum debug_stage stage, int64_t since_ns)
{
    if (d->seconds[stage] != NULL) {
        metric_add_seconds(d->seconds[stage], clock_mono_ns(d->env->clock) - since_ns);
        metric_add(d->requests, stage == DEBUG_SEND);
    }
}

static void tell_call(struct debug *d, size_t records, const struct outcome *out, int64_t took_ns)
{
    trace_asked(&d->trace, "exported", T_STR("exporter", d->name), T_U64("records", records),
                T_U64("settled", out->settled), T_U64("exceptions", out->except.list.len),
                T_TEXT("rest", verdict_name(out->rest)), T_I64("status", out->status),
                T_U64("requests", out->requests), T_U64("bytes", out->bytes),
                T_F64("took_ms", (double)took_ns / (double)NS_PER_MS),
                T_TEXT("error", out->err.message));
}

void debug_tell(struct debug *d, struct view view, const struct outcome *out, int64_t took_ns)
{
    AUTO(buf_release) struct buf line = BUF_INIT(TAP_BYTES);

    if (d->options->trace_exports) {
        tell_call(d, view.n, out, took_ns);
    }
    if (d->options->log_payloads) {
        tap_add_records(view, &line);
        trace_asked(&d->trace, "payload", T_STR("exporter", d->name), T_U64("records", view.n),
                    T_STR("first", buf_str(&line)));
    }
}

void debug_tell_request(struct debug *d, size_t records, struct str body, const struct outcome *out,
                        int64_t took_ns)
{
    AUTO(buf_release) struct buf shown = BUF_INIT(TAP_BYTES);

    if (d->options->trace_exports) {
        tell_call(d, records, out, took_ns);
    }
    if (d->options->log_payloads) {
        redact_json(body, &shown);
        trace_asked(&d->trace, "payload", T_STR("exporter", d->name), T_U64("records", records),
                    T_STR("body", buf_str(&shown)));
    }
}

bool debug_refuses(struct debug *d, const struct err *e)
{
    metric_add(d->schema_errors, 1);
    trace_error(&d->trace, "what was encoded is not what was meant", T_STR("exporter", d->name),
                T_ERR(e));
    return d->options->refuse_invalid;
}
