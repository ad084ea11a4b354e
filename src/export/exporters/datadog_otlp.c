/*
 * Datadog's intake of OTLP: spans without an agent, and metrics where that is wanted. It takes protobuf over HTTP,
 * and counters as what happened since the last one (delta).
 */
#include "export/exporters/datadog.h"

#include "base/clock.h"
#include "export/exporters/otlp_sink.h"

enum {
    ROWS_MAX = 10 * 1000,
    BODY_MAX = 3 * 1024 * 1024,
    BODY_KEPT = 64 * 1024, /* for the row with which the body is full */
};

/* ---- who says it ---- */

static void add_own(const struct label *one, struct label *all, size_t *count)
{
    if (one->value.len > 0) {
        all[(*count)++] = *one;
    }
}

/* Tags are attributes of the resource; one without a value is a flag. */
static struct label attribute_of(struct str tag)
{
    size_t colon = str_find_byte(tag, ':');

    return colon < tag.len
               ? (struct label){str_slice(tag, 0, colon), str_slice(tag, colon + 1, tag.len)}
               : (struct label){tag, STR("true")};
}

static bool has(const struct label *all, size_t count, struct str name)
{
    while (count > 0 && !str_eq(all[count - 1].name, name)) {
        count--;
    }
    return count > 0;
}

static struct otlp_origin origin_of(const struct datadog_config *c, struct arena *a)
{
    const struct datadog_apm *apm = &c->apm;
    const struct label own[] = {
        {STR("service.name"), apm->service.len > 0 ? apm->service : STR(DATADOG_SERVICE)},
        {STR("deployment.environment.name"), apm->env},
        {STR("service.version"), apm->version},
    };
    const struct option_list tags = datadog_all_tags(c, a);
    struct label *all = arena_array(a, struct label, ARRAY_LEN(own) + tags.count);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        add_own(&own[i], all, &count);
    }
    for (size_t i = 0; i < tags.count; i++) {
        const struct label tag = attribute_of(tags.items[i]);
        if (tag.name.len > 0 && !has(all, count, tag.name)) {
            add_own(&tag, all, &count);
        }
    }
    return (struct otlp_origin){all, count, STR("telex"), STR("")};
}

/* ---- requests ---- */

static void add_header(struct export_request *ret, struct str name, struct str value)
{
    ret->headers[ret->header_count++] = (struct export_header){name, value};
}

static void address(const struct datadog_config *c, const char *path, struct export_request *ret)
{
    ret->method = "POST";
    ret->url = c->otlp_url.len > 0
                   ? c->otlp_url
                   : arena_printf(ret->arena, "https://otlp.%.*s", STR_FMT(c->site));
    ret->path = str_of(path);
    ret->encoding = datadog_encoding(c) != BODY_PLAIN ? BODY_GZIP : BODY_PLAIN;
    add_header(ret, STR("Content-Type"), STR("application/x-protobuf"));
    if (c->otlp_source.len > 0) {
        add_header(ret, STR("dd-otlp-source"), c->otlp_source);
    }
}

static bool has_room(const struct buf *body, uint32_t rows)
{
    return rows < ROWS_MAX && body->len < BODY_MAX - BODY_KEPT;
}

/* Writes the row, or says why not. */
static void add_sample(const struct datadog_writer *judge, struct otlp_metrics_writer *w,
                       const struct samples *s, struct view view, uint32_t row, struct outcome *out)
{
    enum datadog_result result = datadog_judge(judge, s, view_row(view, row));
    const char *refusal = result == DATADOG_WRITTEN ? otlp_metrics_add(w, s, view_row(view, row))
                                                    : datadog_refusal(result);

    if (refusal != NULL) {
        outcome_except(out, row, VERDICT_REJECTED, refusal);
    }
}

static bool next_metrics(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;
    const struct otlp_origin origin = origin_of(c, ret->arena);
    const struct datadog_writer judge = {.name_space = c->metrics.name_space,
                                         .now_ns = ret->now_ns};
    const struct samples *s = NULL;
    struct otlp_metrics_writer w;
    uint32_t first = *row;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    otlp_metrics_begin(&w, &origin, &ret->body);
    w.name_space = c->metrics.name_space;
    w.delta_ns = c->metrics.interval_ns;
    for (; *row < view.n && has_room(&ret->body, *row - first); ++*row) {
        add_sample(&judge, &w, s, view, *row, out);
    }
    ret->whole_body = otlp_metrics_end(&w);
    otlp_metrics_release(&w);
    if (ret->whole_body.len > 0) {
        address(c, "/v1/metrics", ret);
        add_header(ret, STR("dd-otel-metric-config"),
                   STR("{\"resource_attributes_as_tags\":true}"));
    }
    return true;
}

static bool next_spans(const void *config, struct view view, uint32_t *row,
                       struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;
    const struct otlp_origin origin = origin_of(c, ret->arena);
    const struct notes *notes = NULL;
    struct otlp_spans_writer w;
    uint32_t first = *row;

    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    otlp_spans_begin(&w, &origin, STR(""), &ret->body);
    w.service_label = STR("service");
    for (; *row < view.n && has_room(&ret->body, *row - first); ++*row) {
        const char *refusal = otlp_spans_add(&w, &notes->rows[view_row(view, *row)]);
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    otlp_spans_end(&w);
    if (ret->body.len > 0) {
        address(c, "/v1/traces", ret);
    }
    return true;
}

/* ---- answers ---- */

/* What was refused of a request that was taken is never sent again: nobody says what it was. */
static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    (void)config;
    (void)view;
    if (out->rest == VERDICT_DELIVERED) {
        otlp_judge_partial(answer->body, end - first, out);
    }
}

static bool validate_metrics(const void *config, const struct sent_rows *sent, struct str body,
                             struct err *e)
{
    (void)config;
    return otlp_validate_samples(sent, body, true, e);
}

static bool validate_spans(const void *config, const struct sent_rows *sent, struct str body,
                           struct err *e)
{
    (void)config;
    return otlp_validate_spans(sent, body, e);
}

const struct http_exporter datadog_otlp_metrics = {
    .next_request = next_metrics,
    .statuses = datadog_statuses,
    .judge = judge,
    .validate = validate_metrics,
    .client_offset = offsetof(struct datadog_config, client),
};

const struct http_exporter datadog_otlp_traces = {
    .next_request = next_spans,
    .statuses = datadog_statuses,
    .judge = judge,
    .validate = validate_spans,
    .client_offset = offsetof(struct datadog_config, client),
};
