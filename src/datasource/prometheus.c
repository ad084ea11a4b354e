/*
 * The Prometheus HTTP API: POST /api/v1/query with a form body, so that long expressions fit; an
 * answer is read whole, then decoded in one pass. 4xx and 5xx answers carry the store's own error
 * text. In a VictoriaMetrics cluster the path begins with the tenant: /select/<tenant>/prometheus.
 */
#include "datasource/datasource.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "datasource/curl_text.h"
#include "datasource/datasource_options.h"
#include "datasource/http_asker.h"
#include "model/tenant.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/prom_answer.h"

struct prometheus_config {
    struct datasource_common common;
    struct http_client_config client;
    struct str query_path;
    struct str tenant;
    int64_t query_step_ns;
    int64_t max_concurrent;
    bool query_batch;
    struct option_map params;
};

struct prometheus {
    struct datasource super;
    const struct prometheus_config *config;
    struct http_asker asker;
};

/* ---- the request ---- */

static bool has_param(const struct query *q, struct str name)
{
    for (size_t i = 0; i < q->param_count; i++) {
        if (str_eq(q->params[i].name, name)) {
            return true;
        }
    }
    return false;
}

static void add_param(struct buf *form, const char *name, struct str value)
{
    form_add_param(form, str_of(name), value);
}

/* A time in seconds, to the ms. */
static void add_time(struct buf *form, const char *name, int64_t time_ns)
{
    int64_t ms = time_floor_div(time_ns, NS_PER_MS);

    buf_addf(form, "&%s=%lld.%03lld", name, (long long)time_floor_div(ms, 1000),
             (long long)(ms - time_floor_div(ms, 1000) * 1000));
}

/* When is asked for: an instant, or the steps of a range. */
static void add_times(const struct prometheus *p, const struct query *q, struct buf *form)
{
    if (q->step_ns == 0) {
        add_time(form, "time", q->time_ns);
        if (p->config->query_step_ns > 0 && !has_param(q, STR("step"))) {
            buf_addf(form, "&step=%lldms", (long long)(p->config->query_step_ns / NS_PER_MS));
        }
        return;
    }
    add_time(form, "start", q->time_ns);
    add_time(form, "end", q->end_ns);
    buf_addf(form, "&step=%lldms", (long long)(q->step_ns / NS_PER_MS));
    if (!has_param(q, STR("nocache"))) {
        add_param(form, "nocache", STR("1")); /* VictoriaMetrics moves the steps otherwise */
    }
}

/* The form: query, times, then the datasource's and the group's parameters; the group's win. */
static void build_form(const struct prometheus *p, const struct query *q, struct buf *form)
{
    add_param(form, "query", q->expr);
    add_times(p, q, form);
    for (size_t i = 0; i < p->config->params.count; i++) {
        const struct option_pair *pair = &p->config->params.items[i];
        if (!has_param(q, pair->name)) {
            form_add_param(form, pair->name, pair->value);
        }
    }
    for (size_t i = 0; i < q->param_count; i++) {
        form_add_param(form, q->params[i].name, q->params[i].value);
    }
}

/* The query API behind the URL, with the tenant of a cluster before it. */
static void add_url(const struct prometheus *p, const struct query *q, struct buf *url)
{
    const struct prometheus_config *c = p->config;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    if (c->common.is_cluster) {
        struct str tenant = q->tenant.len > 0 ? q->tenant : c->tenant;
        buf_addf(&path, "/select/%.*s/prometheus", STR_FMT(tenant));
    }
    buf_add_str(&path, c->query_path);
    buf_add_text(&path, q->step_ns > 0 ? "_range" : "");
    http_asker_add_url(url, c->client.url, buf_str(&path), q);
}

/* ---- the answer ---- */

static bool answer_error(int status, const struct prom_answer *answer, struct err *e)
{
    enum err_code code = str_eq(answer->error_type, STR("timeout")) ? ERR_TIMEOUT : ERR_PARSE;

    return err_set(e, code, "the datasource answered %d %.*s: %.*s", status,
                   STR_FMT(answer->error_type), STR_FMT(answer->error));
}

/* An answer that is no success: its own error where it is JSON, else the start of its text. */
static bool read_error(int status, struct str body, struct arena *a, struct err *e)
{
    struct prom_answer answer = {.result = PROM_NOTHING};
    struct err ignored = ERR_INIT;
    struct prom_rows none = {0};

    if (prom_answer_decode(body, a, &none, &answer, &ignored) && answer.is_error) {
        return answer_error(status, &answer, e);
    }
    return http_asker_fail(status, body, e);
}

/* Is the answer of the shape that was asked for? */
static bool check_shape(const struct query *q, enum prom_result result, struct err *e)
{
    if (q->step_ns > 0) {
        return result == PROM_MATRIX ||
               result == PROM_VECTOR /* no series: nothing tells them apart */
               || err_set(e, ERR_PARSE, "the datasource's answer to a range query is no matrix");
    }
    return result == PROM_VECTOR || result == PROM_SCALAR ||
           err_set(e, ERR_PARSE,
                   "the datasource's answer is neither a vector nor a scalar; rules need one of "
                   "them");
}

struct reading {
    const struct query *query;
    const struct answer_sink *sink;
    struct answer_info info;
};

static bool read_answer(void *arg, int status, struct str body, struct err *e)
{
    struct reading *reading = arg;
    struct prom_rows rows = {reading->sink->row, reading->sink->arg};
    struct prom_answer answer = {.result = PROM_NOTHING};
    struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    bool ok = status == 200 ? prom_answer_decode(body, &arena, &rows, &answer, e)
                            : read_error(status, body, &arena, e);
    if (ok && answer.is_error) {
        ok = answer_error(status, &answer, e);
    }
    ok = ok && check_shape(reading->query, answer.result, e);
    if (ok) {
        reading->info =
            (struct answer_info){.is_scalar = answer.result == PROM_SCALAR,
                                 .is_partial = answer.is_partial || answer.is_incomplete,
                                 .has_histograms = answer.has_histograms,
                                 .series_fetched = answer.series_fetched,
                                 .warnings = answer.warning_count,
                                 .rows = (uint32_t)answer.rows,
                                 .bytes = body.len};
    }
    arena_release(&arena);
    return ok;
}

static bool prometheus_query(struct datasource *d, const struct query *q,
                             const struct answer_sink *sink, struct answer_info *ret_info,
                             struct err *e)
{
    static const struct http_header type = {STR_INIT("Content-Type"),
                                            STR_INIT("application/x-www-form-urlencoded")};
    struct prometheus *p = container_of(d, struct prometheus, super);
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);
    struct reading reading = {.query = q, .sink = sink};
    struct http_answer_reader reader = {read_answer, &reading};

    build_form(p, q, &form);
    add_url(p, q, &url);
    struct str part = buf_str(&form);
    struct http_request request = {.method = "POST",
                                   .url = buf_str(&url),
                                   .headers = &type,
                                   .header_count = 1,
                                   .parts = &part,
                                   .part_count = 1};
    if (!http_asker_ask(&p->asker, &request, q, &reader, e)) {
        return false;
    }
    *ret_info = reading.info;
    return true;
}

static bool prometheus_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                                    struct labels_builder *b, struct err *e)
{
    (void)d;
    return prom_labels_parse(raw_labels, a, b, e);
}

static bool no_row(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e)
{
    (void)arg;
    (void)raw_labels;
    (void)time_ns;
    (void)value;
    (void)e;
    return true;
}

static bool prometheus_probe(struct datasource *d, struct wait wait, struct err *e)
{
    struct prometheus *p = container_of(d, struct prometheus, super);
    struct answer_sink sink = {.row = no_row};
    struct answer_info info;
    struct query q = {
        .expr = STR("vector(1)"), .time_ns = clock_wall_ns(p->asker.env->clock), .wait = wait};

    return prometheus_query(d, &q, &sink, &info, e);
}

static void prometheus_print_request(struct datasource *d, const struct query *q, struct buf *out)
{
    const struct prometheus *p = container_of(d, struct prometheus, super);
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);

    build_form(p, q, &form);
    add_url(p, q, &url);
    curl_text_add(out, buf_str(&url), buf_str(&form), q);
}

static void prometheus_close(struct datasource *d)
{
    struct prometheus *p = container_of(d, struct prometheus, super);

    http_asker_release(&p->asker);
    mem_free(p);
}

static const struct datasource_ops prometheus_ops = {
    .query = prometheus_query,
    .parse_labels = prometheus_parse_labels,
    .probe = prometheus_probe,
    .print_request = prometheus_print_request,
    .close = prometheus_close,
};

/* ---- opening ---- */

static bool prometheus_open(const struct env *env, const void *config, struct str name,
                            struct datasource **ret_datasource, struct err *e)
{
    const struct prometheus_config *c = config;
    if (!tenant_is_valid(c->tenant)) {
        return err_set(e, ERR_CONFIG,
                       "'tenant' is \"ACCOUNT\" or \"ACCOUNT:PROJECT\", two numbers, found '%.*s'",
                       STR_FMT(c->tenant));
    }
    struct prometheus *p = mem_new(struct prometheus);
    if (!http_asker_init(&p->asker, env, &c->client, c->max_concurrent, name, e)) {
        mem_free(p);
        return false;
    }
    p->super = (struct datasource){.ops = &prometheus_ops,
                                   .kind = &datasource_prometheus,
                                   .query_timeout_ns = c->common.query_timeout_ns,
                                   .takes_batches = c->query_batch};
    p->config = c;
    *ret_datasource = &p->super;
    return true;
}

static const struct option rows[] = {
    DATASOURCE_COMMON_ROWS,
    HTTP_URL_ROW(offsetof(struct prometheus_config, client), OPTION_REQUIRED),
    HTTP_CLIENT_ROWS(offsetof(struct prometheus_config, client), "30s", "1GB"),
    {.name = "query_path",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct prometheus_config, query_path),
     .fallback = "/api/v1/query",
     .help = "Path of the query API behind the URL."},
    {.name = "cluster",
     .type = OPTION_BOOL,
     .offset = offsetof(struct prometheus_config, common.is_cluster),
     .fallback = "false",
     .help = "The URL is that of a VictoriaMetrics cluster's vmselect: queries go to "
             "`/select/TENANT/prometheus`, the tenant being that of the rule group."},
    {.name = "tenant",
     .type = OPTION_TEXT,
     .offset = offsetof(struct prometheus_config, tenant),
     .fallback = "0",
     .help =
         "With `cluster`: the tenant of groups that name none, `ACCOUNT` or `ACCOUNT:PROJECT`."},
    {.name = "query_step",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct prometheus_config, query_step_ns),
     .fallback = "0s",
     .min = 0,
     .max = 86400,
     .unit = "s",
     .help = "Sent as `step`, which VictoriaMetrics takes as how far it looks back; 0: not sent."},
    {.name = "max_concurrent",
     .type = OPTION_INT,
     .offset = offsetof(struct prometheus_config, max_concurrent),
     .fallback = "32",
     .min = 1,
     .max = 10000,
     .help = "Queries in flight at once; others wait their turn."},
    {.name = "query_batch",
     .type = OPTION_BOOL,
     .offset = offsetof(struct prometheus_config, query_batch),
     .fallback = "false",
     .help =
         "Rules of a group that do not read each other are asked for in one request, up to 15 kB of "
         "expressions; any error, warning or partial answer has them asked for one by one."},
    {.name = "params",
     .type = OPTION_MAP,
     .offset = offsetof(struct prometheus_config, params),
     .help = "Parameters sent with every query, such as `extra_label`."},
};

static const struct option_table options = {
    .name = "datasource prometheus",
    .help =
        "Prometheus, VictoriaMetrics, Mimir, Thanos: whatever answers the Prometheus query API.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct prometheus_config),
};

const struct datasource_kind datasource_prometheus = {
    .name = "prometheus",
    .help =
        "Prometheus, VictoriaMetrics, Mimir, Thanos: whatever answers the Prometheus query API.",
    .options = &options,
    .open = prometheus_open,
    .has_ranges = true,
};
