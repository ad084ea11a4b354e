/* VictoriaMetrics' own import: text 0.0.4 with times, as /api/v1/import/prometheus takes it. */
#include "export/exporters/exporters.h"

#include "base/number.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/measures.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/prom_text.h"

enum { ROWS_MAX = 10 * 1000, BODY_MAX = 4 * 1024 * 1024 };

struct victoriametrics_config {
    struct exporter_common common;
    struct http_client_config client;
    bool gzip;
    struct measure_options measures;
};

enum {
    CLIENT = offsetof(struct victoriametrics_config, client),
    MEASURES = offsetof(struct victoriametrics_config, measures),
};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    {.name = "gzip",
     .type = OPTION_BOOL,
     .offset = offsetof(struct victoriametrics_config, gzip),
     .fallback = "true",
     .help = "Compress requests."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
    MEASURE_ROWS(MEASURES, "profiling_", "legacy"),
};

static const struct option_table option_table = {
    .name = "exporter victoriametrics",
    .help = "Samples to VictoriaMetrics' import.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct victoriametrics_config),
};

/* VictoriaMetrics skips a line that it does not read and says nothing: what it would not read is refused
 * here. The marker of staleness would come as an ordinary NaN, which is no sample either. */
static const char *refusal_of(const struct labels *l, double value)
{
    uint32_t at = 0;
    struct label pair;

    if (!metric_name_is_legacy(labels_get(l, STR("__name__")))) {
        return "its name is none that the import takes";
    }
    while (labels_next(l, &at, &pair)) {
        if (!label_name_is_legacy(pair.name)) {
            return "a label's name is none that the import takes";
        }
    }
    return value != value ? "VictoriaMetrics keeps no NaN" : NULL;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct victoriametrics_config *c = config;
    const struct samples *s = NULL;
    uint32_t first = *row;
    struct url url;
    struct err ignored = ERR_INIT;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    for (; *row < view.n && *row - first < ROWS_MAX && ret->body.len < BODY_MAX; ++*row) {
        uint32_t at = view_row(view, *row);
        const struct labels *labels = s->series[s->series_of[at]];
        const char *refusal = refusal_of(labels, s->value[at]);
        if (refusal == NULL) {
            prom_text_add_sample(&ret->body, labels, s->value[at], &s->time_ns[at]);
        } else if (!number_is_stale_nan(s->value[at])) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    if (ret->body.len > 0) {
        bool is_bare = url_parse(c->client.url, &url, &ignored) && url.path.len <= 1;
        ret->method = "POST";
        ret->path = is_bare ? STR("/api/v1/import/prometheus") : STR("");
        ret->encoding = c->gzip ? BODY_GZIP : BODY_PLAIN;
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), STR("text/plain; version=0.0.4")};
    }
    return true;
}

static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

static struct str probe_url(const void *config, struct arena *a)
{
    const struct victoriametrics_config *c = config;

    return http_probe_url(&c->client, "/api/v1/import/prometheus", "/health", a);
}

static const struct http_exporter http = {
    .next_request = next_request,
    .statuses = statuses,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct victoriametrics_config *c = config;

    (void)node;
    return measures_check(&c->measures, e);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct victoriametrics_config *c = config;

    return measure_http_open(&http, place, config, &c->measures, ret_sink, e);
}

const struct exporter_kind exporter_victoriametrics = {
    .name = "victoriametrics",
    .help = "Samples to VictoriaMetrics' own import.",
    .example = "type: victoriametrics\nurl: http://127.0.0.1:8428\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE),
    .caps = EXPORTER_SERIES,
    .options = &option_table,
    .check = check,
    .http = &http,
    .open = open_sink,
};
