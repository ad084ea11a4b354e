/* The leaf of Datadog: one for each API, and which record goes to which. */
#include "export/exporters/datadog.h"

#include "base/mem.h"
#include "export/row_split.h"

struct datadog_sink {
    struct sink sink;
    struct sink *metrics;
    struct sink *traces;
    struct datadog_config config; /* with an agent's address */
    bool takes_spans;
};

/* Spans wait for an agent only where somebody said that there is one: metrics would wait behind them. */
static bool takes_spans(const struct datadog_config *c)
{
    return c->traces_via == DATADOG_VIA_OTLP || c->agent.url.len > 0 || c->apm.service.len > 0 ||
           c->apm.env.len > 0 || c->apm.version.len > 0;
}

static void drop(struct view view, struct outcome *ret)
{
    ret->dropped += view.n;
    (void)err_set(
        &ret->err, ERR_CONFIG,
        "spans are for Datadog's agent, and none is named: set 'trace_agent: { url: %s }' or "
        "'apm_config', or 'traces_via: otlp', or route them to another exporter",
        DATADOG_AGENT_URL);
    outcome_settle(ret, view.n);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct datadog_sink *s = container_of(sink, struct datadog_sink, sink);
    bool is_spans = batch_info(view.batch)->kind == RECORD_SPAN;
    struct sink *leaf = is_spans ? s->traces : s->metrics;

    if (is_spans && !s->takes_spans) {
        drop(view, ret);
        return;
    }
    leaf->ops->deliver(leaf, view, wait, ret);
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(container_of(sink, struct datadog_sink, sink)->metrics, wait, e);
}

static void close_sink(struct sink *sink)
{
    struct datadog_sink *s = container_of(sink, struct datadog_sink, sink);

    sink_close(s->metrics);
    sink_close(s->traces);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

/* ---- opening ---- */

static unsigned api_of(const struct samples *s, uint32_t series)
{
    return datadog_is_distribution(s, series);
}

/* Series and distributions, and profiles as both. Who has a namespace needs no prefix. */
static bool open_metrics(const struct exporter_place *place, const struct datadog_config *c,
                         struct sink **ret_sink, struct err *e)
{
    struct measure_options measures = c->measures;
    struct sink *leaves[ROW_SPLIT_LEAVES] = {NULL, NULL};

    if (c->metrics.name_space.len > 0 &&
        str_eq(measures.metric_prefix, STR(DATADOG_METRIC_PREFIX))) {
        measures.metric_prefix = STR("");
    }
    measures.has_distributions = true;
    const struct http_exporter *series =
        c->metrics_via == DATADOG_VIA_OTLP ? &datadog_otlp_metrics : &datadog_series;
    if (!http_sink_open(series, place, c, &leaves[0], e) ||
        !http_sink_open(&datadog_distributions, place, c, &leaves[1], e)) {
        sink_close(leaves[0]);
        return false;
    }
    struct sink *sink = row_split_new(leaves, api_of);
    if (!measure_sink_open(&measures, &sink, e)) {
        sink_close(sink);
        return false;
    }
    *ret_sink = sink;
    return true;
}

bool datadog_sink_open(const struct exporter_place *place, const struct datadog_config *config,
                       struct sink **ret_sink, struct err *e)
{
    struct datadog_sink *s = mem_new(struct datadog_sink);

    s->sink.ops = &ops;
    s->config = *config;
    s->takes_spans = takes_spans(config);
    if (s->config.agent.url.len == 0) {
        s->config.agent.url = STR(DATADOG_AGENT_URL);
    }
    const struct http_exporter *traces =
        config->traces_via == DATADOG_VIA_OTLP ? &datadog_otlp_traces : &datadog_traces;
    if (!open_metrics(place, config, &s->metrics, e) ||
        !http_sink_open(traces, place, &s->config, &s->traces, e)) {
        close_sink(&s->sink);
        return false;
    }
    *ret_sink = &s->sink;
    return true;
}
