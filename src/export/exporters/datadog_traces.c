/* Spans to Datadog's agent, and the sink that tells them from metrics. */
#include "export/exporters/datadog.h"

#include "base/mem.h"
#include "wire/datadog_traces.h"

enum { ROWS_MAX = 10 * 1000 };

static void add_header(struct export_request *ret, struct str name, struct str value)
{
    ret->headers[ret->header_count++] = (struct export_header){name, value};
}

/* The agent answers 200 to what it throws away, unless it is asked for the truth. */
static void add_headers(struct export_request *ret, uint32_t traces)
{
    add_header(ret, STR("Content-Type"), STR("application/msgpack"));
    add_header(ret, STR("X-Datadog-Trace-Count"), arena_printf(ret->arena, "%u", traces));
    add_header(ret, STR("Datadog-Meta-Lang"), STR("c"));
    add_header(ret, STR("Datadog-Meta-Lang-Version"), STR("17"));
    add_header(ret, STR("Datadog-Meta-Tracer-Version"), STR(TELEX_VERSION));
    add_header(ret, STR("Datadog-Send-Real-Http-Status"), STR("true"));
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;
    const struct datadog_spans w = {c->apm.service, c->apm.env, c->apm.version};
    const struct notes *notes = NULL;
    uint32_t traces = 0;

    (void)out;
    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    *row += datadog_encode_traces(&w, notes, view, *row, ROWS_MAX, &ret->body, &traces);
    ret->method = "PUT";
    ret->path = STR("/v0.4/traces");
    add_headers(ret, traces);
    return true;
}

/* An agent that is full answers 429. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {429, 429, VERDICT_RETRY}, {400, 499, VERDICT_REJECTED},
    {0, 999, VERDICT_RETRY},
};

const struct http_exporter datadog_traces = {
    .next_request = next_request,
    .statuses = statuses,
    .client_offset = offsetof(struct datadog_config, agent),
};

/* ---- the sink ---- */

struct datadog_sink {
    struct sink sink;
    struct sink *metrics;
    struct sink *traces;
    struct datadog_config config; /* with an agent's address */
    bool has_agent;
};

/* Spans wait for an agent only where somebody said that there is one: metrics would wait behind them. */
static bool has_agent(const struct datadog_config *c)
{
    return c->agent.url.len > 0 || c->apm.service.len > 0 || c->apm.env.len > 0 ||
           c->apm.version.len > 0;
}

static void drop(struct view view, struct outcome *ret)
{
    ret->dropped += view.n;
    (void)err_set(
        &ret->err, ERR_CONFIG,
        "spans are for Datadog's agent, and none is named: set 'trace_agent: { url: %s }' or "
        "'apm_config', or route them to another exporter",
        DATADOG_AGENT_URL);
    outcome_settle(ret, view.n);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct datadog_sink *s = container_of(sink, struct datadog_sink, sink);
    bool is_spans = batch_info(view.batch)->kind == RECORD_SPAN;
    struct sink *leaf = is_spans ? s->traces : s->metrics;

    if (is_spans && !s->has_agent) {
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

bool datadog_sink_open(const struct exporter_place *place, const struct datadog_config *config,
                       struct sink *metrics, struct sink **ret_sink, struct err *e)
{
    struct datadog_sink *s = mem_new(struct datadog_sink);

    s->sink.ops = &ops;
    s->config = *config;
    s->has_agent = has_agent(config);
    if (s->config.agent.url.len == 0) {
        s->config.agent.url = STR(DATADOG_AGENT_URL);
    }
    if (!http_sink_open(&datadog_traces, place, &s->config, &s->traces, e)) {
        mem_free(s);
        return false;
    }
    s->metrics = metrics;
    *ret_sink = &s->sink;
    return true;
}
