/*
 * Graphite's render API: the last value that each series has within a window before the time that is
 * asked for.
 *
 * An evaluation of now asks relatively (from=-5min&until=now), as vmalert does, so that the clocks of
 * the two machines need not agree; one of another time (query_offset, replay) in seconds of the epoch.
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
#include "wire/graphite_answer.h"

#define IS_NOW_NS (2 * NS_PER_S)

struct graphite_config {
    struct datasource_common common;
    struct http_client_config client;
    struct str render_path;
    struct str tenant;
    int64_t lookback_ns;
    int64_t max_concurrent;
    struct option_map params;
};

struct graphite {
    struct datasource super;
    const struct graphite_config *config;
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

static void add_window_ending_now(struct buf *form, int64_t lookback_ns)
{
    int64_t seconds = lookback_ns / NS_PER_S;

    if (seconds % 60 == 0) {
        buf_addf(form, "&from=-%lldmin&until=now", (long long)(seconds / 60));
    } else {
        buf_addf(form, "&from=-%llds&until=now", (long long)seconds);
    }
}

static void add_window(const struct graphite *g, const struct query *q, struct buf *form)
{
    int64_t ago_ns = clock_wall_ns(g->asker.env->clock) - q->time_ns;
    int64_t lookback_ns = g->config->lookback_ns;

    if (ago_ns < IS_NOW_NS && ago_ns > -IS_NOW_NS) {
        add_window_ending_now(form, lookback_ns);
    } else {
        int64_t until_s = time_floor_div(q->time_ns, NS_PER_S);
        buf_addf(form, "&from=%lld&until=%lld", (long long)(until_s - lookback_ns / NS_PER_S),
                 (long long)until_s);
    }
}

static void build_form(const struct graphite *g, const struct query *q, struct buf *form)
{
    form_add_param(form, STR("format"), STR("json"));
    form_add_param(form, STR("target"), q->expr);
    add_window(g, q, form);
    for (size_t i = 0; i < g->config->params.count; i++) {
        const struct option_pair *pair = &g->config->params.items[i];
        if (!has_param(q, pair->name)) {
            form_add_param(form, pair->name, pair->value);
        }
    }
    for (size_t i = 0; i < q->param_count; i++) {
        form_add_param(form, q->params[i].name, q->params[i].value);
    }
}

/* The render API behind the URL, with the tenant of a cluster before it. */
static void add_url(const struct graphite *g, const struct query *q, struct buf *url)
{
    const struct graphite_config *c = g->config;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    if (c->common.is_cluster) {
        struct str tenant = q->tenant.len > 0 ? q->tenant : c->tenant;
        buf_addf(&path, "/select/%.*s/graphite", STR_FMT(tenant));
    }
    buf_add_str(&path, c->render_path);
    http_asker_add_url(url, c->client.url, buf_str(&path), q);
}

/* ---- the answer ---- */

struct reading {
    const struct answer_sink *sink;
    struct answer_info info;
};

static bool read_answer(void *arg, int status, struct str body, struct err *e)
{
    struct reading *reading = arg;
    struct graphite_rows rows = {reading->sink->row, reading->sink->arg};
    uint64_t series = 0;
    uint64_t given = 0;
    struct arena arena;

    if (status != 200) {
        return http_asker_fail(status, body, e);
    }
    arena_init(&arena, ARENA_UNLIMITED);
    bool ok = graphite_answer_decode(body, &arena, &rows, &series, &given, e);
    arena_release(&arena);
    if (ok) {
        reading->info = (struct answer_info){
            .series_fetched = (int64_t)series, .rows = (uint32_t)given, .bytes = body.len};
    }
    return ok;
}

static bool graphite_query(struct datasource *d, const struct query *q,
                           const struct answer_sink *sink, struct answer_info *ret_info,
                           struct err *e)
{
    static const struct http_header type = {STR_INIT("Content-Type"),
                                            STR_INIT("application/x-www-form-urlencoded")};
    struct graphite *g = container_of(d, struct graphite, super);
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);
    struct reading reading = {.sink = sink};
    struct http_answer_reader reader = {read_answer, &reading};

    build_form(g, q, &form);
    add_url(g, q, &url);
    struct str part = buf_str(&form);
    struct http_request request = {.method = "POST",
                                   .url = buf_str(&url),
                                   .headers = &type,
                                   .header_count = 1,
                                   .parts = &part,
                                   .part_count = 1};
    if (!http_asker_ask(&g->asker, &request, q, &reader, e)) {
        return false;
    }
    *ret_info = reading.info;
    return true;
}

static bool graphite_parse_labels(struct datasource *d, struct str raw_labels, struct arena *a,
                                  struct labels_builder *b, struct err *e)
{
    (void)d;
    return graphite_labels_parse(raw_labels, a, b, e);
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

static bool graphite_probe(struct datasource *d, struct wait wait, struct err *e)
{
    const struct graphite *g = container_of(d, struct graphite, super);
    struct answer_sink sink = {.row = no_row};
    struct answer_info info;
    struct query q = {.expr = STR("constantLine(1)"),
                      .time_ns = clock_wall_ns(g->asker.env->clock),
                      .wait = wait};

    return graphite_query(d, &q, &sink, &info, e);
}

static void graphite_print_request(struct datasource *d, const struct query *q, struct buf *out)
{
    const struct graphite *g = container_of(d, struct graphite, super);
    AUTO(buf_release) struct buf form = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_UNLIMITED);

    build_form(g, q, &form);
    add_url(g, q, &url);
    curl_text_add(out, buf_str(&url), buf_str(&form), q);
}

static void graphite_close(struct datasource *d)
{
    struct graphite *g = container_of(d, struct graphite, super);

    http_asker_release(&g->asker);
    mem_free(g);
}

static const struct datasource_ops graphite_ops = {
    .query = graphite_query,
    .parse_labels = graphite_parse_labels,
    .probe = graphite_probe,
    .print_request = graphite_print_request,
    .close = graphite_close,
};

static bool graphite_open(const struct env *env, const void *config, struct str name,
                          struct datasource **ret_datasource, struct err *e)
{
    const struct graphite_config *c = config;
    if (!tenant_is_valid(c->tenant)) {
        return err_set(e, ERR_CONFIG,
                       "'tenant' is \"ACCOUNT\" or \"ACCOUNT:PROJECT\", two numbers, found '%.*s'",
                       STR_FMT(c->tenant));
    }
    struct graphite *g = mem_new(struct graphite);
    if (!http_asker_init(&g->asker, env, &c->client, c->max_concurrent, name, e)) {
        mem_free(g);
        return false;
    }
    g->super = (struct datasource){.ops = &graphite_ops,
                                   .kind = &datasource_graphite,
                                   .query_timeout_ns = c->common.query_timeout_ns};
    g->config = c;
    *ret_datasource = &g->super;
    return true;
}

static const struct option rows[] = {
    DATASOURCE_COMMON_ROWS,
    HTTP_URL_ROW(offsetof(struct graphite_config, client), OPTION_REQUIRED),
    HTTP_CLIENT_ROWS(offsetof(struct graphite_config, client), "30s", "1GB"),
    {.name = "render_path",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct graphite_config, render_path),
     .fallback = "/render",
     .help = "Path of the render API behind the URL."},
    {.name = "cluster",
     .type = OPTION_BOOL,
     .offset = offsetof(struct graphite_config, common.is_cluster),
     .fallback = "false",
     .help = "The URL is that of a VictoriaMetrics cluster's vmselect: queries go to "
             "`/select/TENANT/graphite`, the tenant being that of the rule group."},
    {.name = "tenant",
     .type = OPTION_TEXT,
     .offset = offsetof(struct graphite_config, tenant),
     .fallback = "0",
     .help =
         "With `cluster`: the tenant of groups that name none, `ACCOUNT` or `ACCOUNT:PROJECT`."},
    {.name = "lookback",
     .type = OPTION_DURATION,
     .flags = OPTION_ADVANCED,
     .offset = offsetof(struct graphite_config, lookback_ns),
     .fallback = "5m",
     .min = 1,
     .max = 86400,
     .unit = "s",
     .help = "How old the last value of a series may be."},
    {.name = "max_concurrent",
     .type = OPTION_INT,
     .offset = offsetof(struct graphite_config, max_concurrent),
     .fallback = "32",
     .min = 1,
     .max = 10000,
     .help = "Queries in flight at once; others wait their turn."},
    {.name = "params",
     .type = OPTION_MAP,
     .offset = offsetof(struct graphite_config, params),
     .help = "Parameters sent with every query, such as `maxDataPoints`."},
};

static const struct option_table options = {
    .name = "datasource graphite",
    .help =
        "Graphite, or a store that answers its render API, for rule groups of `type: graphite`.",
    .options = rows,
    .count = ARRAY_LEN(rows),
    .config_size = sizeof(struct graphite_config),
};

const struct datasource_kind datasource_graphite = {
    .name = "graphite",
    .language = DATASOURCE_GRAPHITEQL,
    .help =
        "Graphite, or a store that answers its render API, for rule groups of `type: graphite`.",
    .options = &options,
    .open = graphite_open,
};
