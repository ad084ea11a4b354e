/* Spans to Datadog's agent. */
#include "export/exporters/datadog.h"

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
    .validate = datadog_validate_traces,
    .client_offset = offsetof(struct datadog_config, agent),
};
