/* Datadog's metrics API, version 2: samples, and what profiles measured, as series. Spans: datadog_traces.c. */
#include "export/exporters/datadog.h"

#include "base/clock.h"
#include "base/secret.h"
#include "export/exporters/exporters.h"
#include "net/http_options.h"
#include "wire/datadog.h"
#include "wire/json.h"

enum {
    ROWS_MAX = 10 * 1000,
    POINTS_MAX = 1000, /* of one object */
};

enum {
    CLIENT = offsetof(struct datadog_config, client),
    MEASURES = offsetof(struct datadog_config, measures),
};

#define PREFIX "profiling."

static const struct option metrics_options[] = {
    {.name = "namespace",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_metrics, name_space),
     .help = "Stands, with a dot, before the names of metrics that have no dot themselves."},
    {.name = "tags",
     .type = OPTION_LIST,
     .offset = offsetof(struct datadog_metrics, tags),
     .help = "Tags of every metric: `env:production`."},
    {.name = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct datadog_metrics, interval_ns),
     .fallback = "10s",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "The time that a `counter` or `rate` is about."},
};

static const struct option_table metrics_table = {
    .name = "metrics_config",
    .help = "What all metrics have in common.",
    .options = metrics_options,
    .count = ARRAY_LEN(metrics_options),
    .config_size = sizeof(struct datadog_metrics),
};

static const struct option apm_options[] = {
    {.name = "service",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, service),
     .help = "The tag `service` of what has none."},
    {.name = "env",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, env),
     .help = "The tag `env` of what has none."},
    {.name = "version",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_apm, version),
     .help = "The tag `version` of what has none."},
};

static const struct option_table apm_table = {
    .name = "apm_config",
    .help = "Which service this is: Datadog ties metrics and traces together by it.",
    .options = apm_options,
    .count = ARRAY_LEN(apm_options),
    .config_size = sizeof(struct datadog_apm),
};

static const char *const alias_agent[] = {"agent", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "site",
     .type = OPTION_TEXT,
     .offset = offsetof(struct datadog_config, site),
     .fallback = "datadoghq.com",
     .help = "Datadog's site: `datadoghq.com`, `datadoghq.eu`, `us3.datadoghq.com`, "
             "`ddog-gov.com` and so on."},
    {.name = "url",
     .aliases = http_alias_url,
     .type = OPTION_URL,
     .offset = offsetof(struct datadog_config, url),
     .help = "Instead of `https://api.SITE`: of a relay."},
    {.name = "app_key",
     .type = OPTION_SECRET,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct datadog_config, app_key),
     .help = "Accepted, and not sent: sending metrics takes the API key alone."},
    {.name = "tags",
     .type = OPTION_LIST,
     .offset = offsetof(struct datadog_config, tags),
     .help = "The same as `metrics_config.tags`; both are sent."},
    {.name = "metrics_config",
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, metrics),
     .table = &metrics_table,
     .help = "What all metrics have in common."},
    {.name = "apm_config",
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, apm),
     .table = &apm_table,
     .help = "Which service this is."},
    {.name = "trace_agent",
     .aliases = alias_agent,
     .type = OPTION_TABLE,
     .offset = offsetof(struct datadog_config, agent),
     .table = &http_client_options,
     .help =
         "Datadog's agent, which takes spans: `url`, where `apm_config` stands "
         "`http://127.0.0.1:8126` without it. With neither, spans are dropped and counted. The API key is not "
         "sent to it."},
    {.name = "gzip",
     .type = OPTION_BOOL,
     .offset = offsetof(struct datadog_config, gzip),
     .fallback = "true",
     .help = "Compress requests."},
    HTTP_CLIENT_ROWS_KEY(CLIENT, "10s", "1MB", "DD-API-KEY"),
    MEASURE_ROWS(MEASURES, PREFIX, "any"),
};

static const struct option_table option_table = {
    .name = "exporter datadog",
    .help = "Samples and profiles as metrics to Datadog, spans to its agent.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct datadog_config),
};

static bool check_site(const struct datadog_config *c, const struct yaml_node *node, struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("site"));
    static const char *const prefixes[] = {"api.", "app.", "http:", "https:"};

    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
        if (str_starts(c->site, str_of(prefixes[i]))) {
            return yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                            "the site is the name behind 'app.' in the browser, such as "
                            "datadoghq.eu, not '%.*s'; for another address use 'url'",
                            STR_FMT(c->site));
        }
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct datadog_config *c = config;

    if (secret_is_empty(c->client.api_key)) {
        return yaml_err(node, e, ERR_CONFIG,
                        "Datadog needs a key: set 'api_key', 'api_key_file' or 'api_key_secret'");
    }
    return check_site(c, node, e) && measures_check(&c->measures, e);
}

/* ---- requests ---- */

static struct str base_url(const struct datadog_config *c, struct arena *a)
{
    return c->url.len > 0 ? c->url : arena_printf(a, "https://api.%.*s", STR_FMT(c->site));
}

/* The tags of the config, all in one list. */
static struct option_list all_tags(const struct datadog_config *c, struct arena *a)
{
    const struct option_list *lists[] = {&c->tags, &c->metrics.tags};
    struct str *items = arena_array(a, struct str, lists[0]->count + lists[1]->count);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            items[count++] = lists[i]->items[k];
        }
    }
    return (struct option_list){items, count};
}

/* Where the run of samples ends that begins at <row>: of one series, all of them fit to be sent. */
static uint32_t run_end(const struct datadog_writer *w, const struct samples *s, struct view view,
                        uint32_t row)
{
    uint32_t series = s->series_of[view_row(view, row)];
    uint32_t end = row + 1;

    while (end < view.n && end - row < POINTS_MAX && s->series_of[view_row(view, end)] == series &&
           datadog_judge(w, s, view_row(view, end)) == DATADOG_WRITTEN) {
        end++;
    }
    return end;
}

static void add_run(const struct datadog_writer *w, const struct samples *s, struct view view,
                    uint32_t row, uint32_t end, struct buf *body)
{
    datadog_begin_series(w, s, s->series_of[view_row(view, row)], body);
    for (uint32_t i = row; i < end; i++) {
        datadog_add_point(s, view_row(view, i), i == row, body);
    }
    datadog_end_series(body);
}

/* False when the request is full, and the row is of the next. */
static bool add_rows(const struct datadog_writer *w, const struct samples *s, struct view view,
                     uint32_t *row, size_t body_max, struct buf *body, struct outcome *out)
{
    enum datadog_result result = datadog_judge(w, s, view_row(view, *row));
    size_t before = body->len;

    if (result != DATADOG_WRITTEN) {
        if (datadog_refusal(result) != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, datadog_refusal(result));
        }
        ++*row;
        return true;
    }
    uint32_t end = run_end(w, s, view, *row);
    buf_add_text(body, before > 0 ? "," : "{\"series\":[");
    add_run(w, s, view, *row, end, body);
    if (before > 0 && body->len + strlen("]}") > body_max) {
        buf_truncate(body, before);
        return false;
    }
    *row = end;
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;
    const struct option_list tags = all_tags(c, ret->arena);
    const struct label defaults[] = {{STR("service"), c->apm.service},
                                     {STR("env"), c->apm.env},
                                     {STR("version"), c->apm.version}};
    const struct datadog_writer w = {.name_space = c->metrics.name_space,
                                     .tags = &tags,
                                     .defaults = defaults,
                                     .default_count = ARRAY_LEN(defaults),
                                     .interval_s = c->metrics.interval_ns / NS_PER_S,
                                     .now_ns = ret->now_ns};
    const struct samples *s = NULL;
    size_t body_max = c->gzip ? DATADOG_BODY_MAX : DATADOG_PACKED_MAX;
    uint32_t first = *row;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    while (*row < view.n && *row - first < ROWS_MAX &&
           add_rows(&w, s, view, row, body_max, &ret->body, out)) {
    }
    if (ret->body.len > 0) {
        buf_add_text(&ret->body, "]}");
        ret->method = "POST";
        ret->url = base_url(c, ret->arena);
        ret->path = STR("/api/v2/series");
        ret->encoding = c->gzip ? BODY_GZIP : BODY_PLAIN;
        ret->encoded_max = DATADOG_PACKED_MAX;
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), STR("application/json")};
    }
    return true;
}

/* ---- answers ---- */

/* 403 is a key that is wrong: what waits is kept until somebody mends it. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

/* "errors" of a 202: Datadog took the request, and says what it did not take of it. */
static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;

    (void)config;
    (void)view;
    (void)first;
    (void)end;
    arena_init(&a, ARENA_UNLIMITED);
    if (out->rest != VERDICT_DELIVERED || !json_parse(answer->body, &a, &root, &ignored)) {
        return;
    }
    const struct json_node *errors = json_get(root, STR("errors"));
    if (errors != NULL && errors->kind == JSON_ARRAY && errors->count > 0) {
        out->rest = VERDICT_REJECTED;
        (void)err_set(&out->err, ERR_NET, "answered %d with errors: %.*s", answer->status,
                      STR_FMT(str_slice(errors->first->text, 0, 80)));
    }
}

/* ---- validation ---- */

struct checker {
    struct datadog_writer w;
    const struct samples *samples;
    const struct sent_rows *sent;
    uint32_t row;
    struct buf name;
};

static bool is_point_of(struct checker *k, const struct json_node *series,
                        const struct json_node *point, uint32_t row)
{
    const struct samples *s = k->samples;
    double time = 0;
    double value = 0;

    buf_clear(&k->name);
    datadog_put_name(&k->w, labels_get(s->series[s->series_of[row]], STR("__name__")), &k->name);
    return str_eq(json_get_str(series, STR("metric")), buf_str(&k->name)) &&
           json_node_double(json_get(point, STR("timestamp")), &time) &&
           json_node_double(json_get(point, STR("value")), &value) &&
           (int64_t)time == s->time_ns[row] / NS_PER_S && value == s->value[row];
}

/* Rows that were left out, for their age or value, stand between. */
static bool take_point(struct checker *k, const struct json_node *series,
                       const struct json_node *point, struct err *e)
{
    while (k->row < k->sent->end) {
        uint32_t row = view_row(k->sent->view, k->row++);
        if (is_point_of(k, series, point, row)) {
            return true;
        }
    }
    return err_set(e, ERR_INTERNAL, "a point of '%.*s' was encoded that no row has",
                   STR_FMT(json_get_str(series, STR("metric"))));
}

static bool take_series(struct checker *k, const struct json_node *series, struct err *e)
{
    const struct json_node *points = json_get(series, STR("points"));

    if (points == NULL || points->kind != JSON_ARRAY || points->count == 0) {
        return err_set(e, ERR_INTERNAL, "a series without points was encoded");
    }
    for (const struct json_node *p = points->first; p != NULL; p = p->next) {
        if (!take_point(k, series, p, e)) {
            return false;
        }
    }
    return true;
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    const struct datadog_config *c = config;
    struct checker k = {.w = {.name_space = c->metrics.name_space},
                        .sent = sent,
                        .row = sent->first,
                        .name = BUF_INIT(BUF_SMALL)};
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = batch_samples(sent->view.batch, &k.samples, e) && json_parse(body, &a, &root, e);
    const struct json_node *series = ok ? json_get(root, STR("series")) : NULL;
    ok = ok && (series != NULL || err_set(e, ERR_INTERNAL, "no series were encoded"));
    for (series = ok ? series->first : NULL; series != NULL && ok; series = series->next) {
        ok = take_series(&k, series, e);
    }
    buf_release(&k.name);
    return ok;
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct datadog_config *c = config;
    const struct http_client_config at = {.url = base_url(c, a)};

    return http_probe_url(&at, "", "/api/v1/validate", a);
}

static const struct http_exporter http = {
    .next_request = next_request,
    .statuses = statuses,
    .judge = judge,
    .validate = validate,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

/* Who has a namespace needs no prefix. */
static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct datadog_config *c = config;
    struct measure_options measures = c->measures;
    struct sink *metrics = NULL;

    if (c->metrics.name_space.len > 0 && str_eq(measures.metric_prefix, STR(PREFIX))) {
        measures.metric_prefix = STR("");
    }
    if (!measure_http_open(&http, place, config, &measures, &metrics, e)) {
        return false;
    }
    if (!datadog_sink_open(place, c, metrics, ret_sink, e)) {
        sink_close(metrics);
        return false;
    }
    return true;
}

const struct exporter_kind exporter_datadog = {
    .name = "datadog",
    .help = "Metrics to Datadog, and spans to its agent.",
    .example = "type: datadog\napi_key: 0123456789abcdef0123456789abcdef\nsite: datadoghq.eu\n"
               "tags: [ 'environment:production' ]\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
