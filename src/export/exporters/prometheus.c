/* Prometheus: a page that it scrapes, or a Pushgateway. */
#include "export/exporters/prometheus.h"

#include "base/mem.h"
#include "export/exporters/exporters.h"
#include "export/extra_labels.h"
#include "net/http_options.h"

enum {
    CLIENT = offsetof(struct prometheus_config, client),
    MEASURES = offsetof(struct prometheus_config, measures),
};

static const char *const modes[] = {"auto", "push", "pull", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "mode",
     .type = OPTION_ENUM,
     .offset = offsetof(struct prometheus_config, mode),
     .fallback = "auto",
     .choices = modes,
     .help = "`pull` serves a page that Prometheus scrapes, `push` pushes to a Pushgateway; `auto` "
             "pushes when `pushgateway_url` is set."},
    {.name = "metrics_port",
     .type = OPTION_INT,
     .offset = offsetof(struct prometheus_config, page.port),
     .fallback = "8080",
     .min = 0,
     .max = 65535,
     .help = "`pull`: the port of the page. Exporters with the same address, port and path share "
             "one page."},
    {.name = "metrics_address",
     .type = OPTION_TEXT,
     .offset = offsetof(struct prometheus_config, page.address),
     .fallback = "127.0.0.1",
     .help = "`pull`: the address that the page is served at; `0.0.0.0` is all of this machine's."},
    {.name = "metrics_path",
     .type = OPTION_TEXT,
     .offset = offsetof(struct prometheus_config, page.path),
     .fallback = "/metrics",
     .help = "`pull`: the path of the page."},
    {.name = "allowed_hosts",
     .type = OPTION_LIST,
     .offset = offsetof(struct prometheus_config, page.allowed_hosts),
     .help = "`pull`: names under which the page may be asked for, beside addresses and localhost; "
             "`*.example.org` is all names below, `*` turns the check off."},
    {.name = "metrics_auth",
     .type = OPTION_TABLE,
     .offset = offsetof(struct prometheus_config, page.auth),
     .table = &http_server_auth_options,
     .help = "`pull`: what who asks for the page must show."},
    {.name = "metrics_tls",
     .type = OPTION_TABLE,
     .offset = offsetof(struct prometheus_config, page.tls),
     .table = &http_server_tls_options,
     .help = "`pull`: serve the page as https."},
    PROMETHEUS_PUSH_ROWS(0),
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
    MEASURE_ROWS(MEASURES, "profiling_", "legacy"),
};

static const struct option_table option_table = {
    .name = "exporter prometheus",
    .help = "Metrics for Prometheus: a page that it scrapes, or a Pushgateway.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct prometheus_config),
};

static bool is_push(const struct prometheus_config *c)
{
    return c->mode == PROMETHEUS_PUSH || (c->mode == PROMETHEUS_AUTO && c->client.url.len > 0);
}

static bool check_pull(const struct prometheus_config *c, const struct yaml_node *node,
                       struct err *e)
{
    if (c->client.url.len > 0) {
        return yaml_err(
            node, e, ERR_CONFIG,
            "'mode: pull' serves a page and needs no 'pushgateway_url': keep one of them, "
            "or make two exporters");
    }
    if (!str_starts(c->page.path, STR("/")) || c->page.path.len < 2) {
        return yaml_err(node, e, ERR_CONFIG,
                        "metrics_path '%.*s' is not a path; expected one such as /metrics",
                        STR_FMT(c->page.path));
    }
    struct err why = ERR_INIT;
    return page_check(&c->page, &why) || yaml_err(node, e, ERR_CONFIG, "%s", why.message);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct prometheus_config *c = config;

    if (is_push(c) && c->client.url.len == 0) {
        return yaml_err(node, e, ERR_CONFIG,
                        "'mode: push' needs 'pushgateway_url', such as http://127.0.0.1:9091");
    }
    return (is_push(c) ? prometheus_push_check(c, node, e) : check_pull(c, node, e)) &&
           measures_check(&c->measures, e);
}

static bool agrees(const void *config, const void *other, struct err *e)
{
    const struct prometheus_config *a = config;
    const struct prometheus_config *b = other;

    return is_push(a) || is_push(b) || page_agrees(&a->page, &b->page, e);
}

static void add_listen(const void *config, struct buf *out)
{
    const struct prometheus_config *c = config;

    if (!is_push(c)) {
        page_add_listen(&c->page, out);
    }
}

/* ---- the page ---- */

struct page_sink {
    struct sink sink;
    struct page *page;
    const struct prometheus_config *config;
};

/* What is on the page is delivered. */
static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct page_sink *s = (struct page_sink *)sink;
    AUTO(batch_autounref) struct batch *labelled = NULL;

    (void)wait;
    if (!extra_labels_view(&s->config->common.labels, &view, &labelled, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    latest_note(page_table(s->page), view, ret);
}

static void close_sink(struct sink *sink)
{
    struct page_sink *s = (struct page_sink *)sink;

    page_put(s->page);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .close = close_sink};

static bool open_page(const struct exporter_place *place, const struct prometheus_config *c,
                      struct sink **ret_sink, struct err *e)
{
    struct page_config config = c->page;
    struct page *page = NULL;

    config.limits = c->limits;
    config.limits.passes_over_old = true;
    if (place->pages == NULL) {
        return err_set(e, ERR_CONFIG, "the page of '%.*s' is served by a running Telex only",
                       STR_FMT(place->name));
    }
    if (!page_get(place->pages, &config, &page, e)) {
        return err_wrap(e, "exporter %.*s", STR_FMT(place->name));
    }
    struct page_sink *s = mem_new(struct page_sink);
    s->sink.ops = &ops;
    s->page = page;
    s->config = c;
    struct sink *sink = &s->sink;
    if (!measure_sink_open(&c->measures, &sink, e)) {
        sink_close(sink);
        return false;
    }
    *ret_sink = sink;
    return true;
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct prometheus_config *c = config;

    return (is_push(c) ? prometheus_push_open : open_page)(place, c, ret_sink, e);
}

const struct exporter_kind exporter_prometheus = {
    .name = "prometheus",
    .help = "A page that Prometheus scrapes, or a push to its Pushgateway.",
    .example = "type: prometheus\nmode: pull\nmetrics_port: 8080\nmetrics_path: /metrics\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE),
    .says_types = exporter_says_types,
    .options = &option_table,
    .check = check,
    .add_listen = add_listen,
    .agrees = agrees,
    .http = &prometheus_push,
    .open = open_sink,
};
