/*
 * The Prometheus HTTP API: POST /api/v1/query with a form body, so that long expressions fit; an
 * answer is read whole, then decoded in one pass. 4xx and 5xx answers carry the store's own error
 * text.
 *
 * At most max_concurrent queries are in flight; the others wait for a place within their own
 * deadline, so that a slow store holds its own rules and nobody else's.
 */
#include "datasource/datasource.h"

#include "base/budget.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "datasource/curl_text.h"
#include "datasource/datasource_options.h"
#include "net/http_client.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/prom_answer.h"

enum { ERROR_BODY_SHOWN = 300, QUERY_HEADERS_MAX = 32 };

struct prometheus_config {
    struct datasource_common common;
    struct http_client_config client;
    struct str query_path;
    int64_t query_step_ns;
    int64_t max_concurrent;
    struct option_map params;
};

struct prometheus {
    struct datasource super;
    const struct env *env;
    const struct prometheus_config *config;
    struct http_client *client;
    struct lock lock;
    struct cond place_free;
    int64_t in_flight GUARDED_BY(lock);
    struct metric *queries;
    struct metric *failures;
    struct metric *seconds;
    struct metric *bytes;
};

/* ---- a place among max_concurrent ---- */

static void wake_waiters(void *arg)
{
    struct prometheus *p = arg;

    lock_take(&p->lock);
    cond_broadcast(&p->place_free);
    lock_give(&p->lock);
}

static bool take_place(struct prometheus *p, struct wait wait, struct err *e)
{
    struct cancel_hook hook = {.wake = wake_waiters, .arg = p};

    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    lock_take(&p->lock);
    while (p->in_flight >= p->config->max_concurrent && !wait_is_over(wait, p->env->clock)) {
        (void)cond_wait_until(&p->place_free, &p->lock, wait.deadline_mono_ns);
    }
    bool taken = p->in_flight < p->config->max_concurrent;
    p->in_flight += taken;
    lock_give(&p->lock);
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
    return taken ||
           (wait_err(wait, e), err_wrap(e, "waiting for one of %lld places at the datasource",
                                        (long long)p->config->max_concurrent));
}

static void give_place(struct prometheus *p)
{
    lock_take(&p->lock);
    p->in_flight--;
    cond_signal(&p->place_free);
    lock_give(&p->lock);
}

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
    struct prom_answer answer;
    struct err ignored = ERR_INIT;
    struct prom_rows none = {0};

    if (prom_answer_decode(body, a, &none, &answer, &ignored) && answer.is_error) {
        return answer_error(status, &answer, e);
    }
    enum err_code code = status == 401 || status == 403 ? ERR_AUTH : ERR_NET;
    return err_set(e, code, "the datasource answered %d: %.*s", status,
                   STR_FMT(str_trim(str_slice(body, 0, ERROR_BODY_SHOWN))));
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

static bool read_answer(const struct query *q, int status, struct str body,
                        const struct answer_sink *sink, struct answer_info *ret_info, struct err *e)
{
    struct prom_rows rows = {sink->row, sink->arg};
    struct prom_answer answer;
    struct arena arena;

    arena_init(&arena, ARENA_UNLIMITED);
    bool ok = status == 200 ? prom_answer_decode(body, &arena, &rows, &answer, e)
                            : read_error(status, body, &arena, e);
    if (ok && answer.is_error) {
        ok = answer_error(status, &answer, e);
    }
    ok = ok && check_shape(q, answer.result, e);
    if (ok) {
        *ret_info = (struct answer_info){.is_scalar = answer.result == PROM_SCALAR,
                                         .is_partial = answer.is_partial,
                                         .has_histograms = answer.has_histograms,
                                         .series_fetched = answer.series_fetched,
                                         .rows = (uint32_t)answer.rows,
                                         .bytes = body.len};
    }
    arena_release(&arena);
    return ok;
}

static bool call(struct prometheus *p, const struct query *q, const struct answer_sink *sink,
                 struct answer_info *ret_info, struct err *e)
{
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct http_header headers[QUERY_HEADERS_MAX] = {
        {STR("Content-Type"), STR("application/x-www-form-urlencoded")}};
    size_t count = 1;
    struct http_response res;

    build_form(p, q, &form);
    for (size_t i = 0; i < q->header_count && count < QUERY_HEADERS_MAX; i++) {
        headers[count++] = (struct http_header){q->headers[i].name, q->headers[i].value};
    }
    struct str part = buf_str(&form);
    buf_add_str(&path, p->config->query_path);
    buf_add_text(&path, q->step_ns > 0 ? "_range" : "");
    struct http_request request = {.method = "POST",
                                   .path = buf_str(&path),
                                   .headers = headers,
                                   .header_count = count,
                                   .parts = &part,
                                   .part_count = 1};
    http_response_init(&res, &body);
    bool ok = http_client_call(p->client, &request, q->wait, &res, e) &&
              read_answer(q, res.status, buf_str(&body), sink, ret_info, e);
    http_response_release(&res);
    return ok;
}

static bool prometheus_query(struct datasource *d, const struct query *q,
                             const struct answer_sink *sink, struct answer_info *ret_info,
                             struct err *e)
{
    struct prometheus *p = container_of(d, struct prometheus, super);
    struct answer_info info = {0};

    if (!take_place(p, q->wait, e)) {
        return false;
    }
    int64_t start_ns = clock_mono_ns(p->env->clock);
    bool ok = call(p, q, sink, &info, e);
    give_place(p);
    metric_add(ok ? p->queries : p->failures, 1);
    metric_observe(p->seconds,
                   (double)(clock_mono_ns(p->env->clock) - start_ns) / (double)NS_PER_S);
    metric_add(p->bytes, info.bytes);
    if (ok) {
        *ret_info = info;
    }
    return ok;
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
        .expr = STR("vector(1)"), .time_ns = clock_wall_ns(p->env->clock), .wait = wait};

    return prometheus_query(d, &q, &sink, &info, e);
}

static void prometheus_print_request(struct datasource *d, const struct query *q, struct buf *out)
{
    const struct prometheus *p = container_of(d, struct prometheus, super);
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);

    build_form(p, q, &form);
    url_add_joined(&url, p->config->client.url, p->config->query_path);
    curl_text_add(out, buf_str(&url), buf_str(&form), q);
}

static void prometheus_close(struct datasource *d)
{
    struct prometheus *p = container_of(d, struct prometheus, super);

    http_client_free(p->client);
    metric_drop(p->queries);
    metric_drop(p->failures);
    metric_drop(p->seconds);
    metric_drop(p->bytes);
    cond_release(&p->place_free);
    lock_release(&p->lock);
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

static const struct metric_desc queries_desc = {.name = "telex_datasource_queries_total",
                                                .help =
                                                    "Queries answered or failed, by datasource.",
                                                .type = METRIC_COUNTER,
                                                .labels = {"datasource", "result"}};
static const struct metric_desc bytes_desc = {.name = "telex_datasource_answer_bytes_total",
                                              .help = "Bytes of answers read, by datasource.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"datasource"}};
static const struct metric_desc seconds_desc = {.name = "telex_datasource_query_duration_seconds",
                                                .help =
                                                    "Time of a query, its answer read and decoded.",
                                                .type = METRIC_HISTOGRAM,
                                                .labels = {"datasource"},
                                                .buckets = metric_seconds_buckets,
                                                .bucket_count = METRIC_SECONDS_BUCKETS};

static bool prometheus_open(const struct env *env, const void *config, struct str name,
                            struct datasource **ret_datasource, struct err *e)
{
    const struct prometheus_config *c = config;
    struct http_client *client = NULL;

    if (!http_client_new(env, &c->client, &client, e)) {
        return err_wrap(e, "datasource");
    }
    struct prometheus *p = mem_new(struct prometheus);
    p->super.ops = &prometheus_ops;
    p->super.kind = &datasource_prometheus;
    p->env = env;
    p->config = c;
    p->client = client;
    lock_init(&p->lock);
    cond_init(&p->place_free);
    p->queries = metrics_get2(env->metrics, &queries_desc, name, STR("answered"));
    p->failures = metrics_get2(env->metrics, &queries_desc, name, STR("failed"));
    p->seconds = metrics_get1(env->metrics, &seconds_desc, name);
    p->bytes = metrics_get1(env->metrics, &bytes_desc, name);
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
