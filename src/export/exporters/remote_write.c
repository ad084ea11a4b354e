/* Prometheus remote write, to any store that receives it; this is 1.0. */
#include "export/exporters/remote_write.h"

#include "base/varint.h"
#include "export/exporters/exporters.h"
#include "model/tenant.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/remote_write.h"

enum {
    CLIENT = offsetof(struct remote_write_config, client),
    MEASURES = offsetof(struct remote_write_config, measures),
};

static const char *const versions[] = {
    "1", "2", "1.0", "2.0", "prometheus.WriteRequest", "io.prometheus.write.v2.Request", NULL};
static const char *const alias_version[] = {"protobuf_message", NULL};

static bool is_2(const struct remote_write_config *c)
{
    return c->version % 2 == 1;
}

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    HTTP_CLIENT_ROWS(CLIENT, "30s", "1MB"),
    {.name = "cluster",
     .type = OPTION_BOOL,
     .offset = offsetof(struct remote_write_config, is_cluster),
     .fallback = "false",
     .help = "The URL is that of a VictoriaMetrics cluster's vminsert: samples go to "
             "`/insert/TENANT/prometheus/api/v1/write`, the tenant being that of the rule group."},
    {.name = "tenant",
     .type = OPTION_TEXT,
     .offset = offsetof(struct remote_write_config, tenant),
     .fallback = "0",
     .help =
         "With `cluster`: the tenant of samples that have none, `ACCOUNT` or `ACCOUNT:PROJECT`."},
    {.name = "version",
     .aliases = alias_version,
     .type = OPTION_ENUM,
     .offset = offsetof(struct remote_write_config, version),
     .fallback = "1",
     .choices = versions,
     .help =
         "`2`: remote write 2.0 (experimental), which says each text once and carries types and "
         "help. A store that does not know it gets 1.0 from then on."},
    MEASURE_ROWS(MEASURES, "profiling_", "legacy"),
};

static const struct option_table option_table = {
    .name = "exporter remote_write",
    .help = "Samples to Prometheus, VictoriaMetrics, Mimir, Thanos and whatever else takes remote "
            "write.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct remote_write_config),
};

/* Of 4xx, the specification has only 429 tried again. Those that refuse us and not the samples halt
 * instead of burying everything. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},     {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {410, 410, VERDICT_HALT},     {415, 415, VERDICT_HALT},
    {429, 429, VERDICT_RETRY},     {400, 499, VERDICT_REJECTED}, {0, 999, VERDICT_RETRY},
};

/* A URL without a path gets the usual one; any other is taken as it is. In a cluster, the tenant's. */
struct str remote_write_path(const struct remote_write_config *c, const struct batch *b,
                             struct arena *a)
{
    struct str tenant = batch_info(b)->tenant;
    struct url url;
    struct err ignored = ERR_INIT;

    if (c->is_cluster) {
        tenant = tenant_is_valid(tenant) ? tenant : c->tenant;
        return arena_printf(a, "/insert/%.*s/prometheus/api/v1/write", STR_FMT(tenant));
    }
    bool bare = url_parse(c->client.url, &url, &ignored) && url.path.len <= 1;
    return bare ? STR("/api/v1/write") : STR("");
}

static void add_headers(struct export_request *ret)
{
    /* All but the first: Content-Encoding comes with the body's encoding. */
    for (size_t i = 1; i < RW1_HEADERS; i++) {
        ret->headers[ret->header_count++] =
            (struct export_header){str_of(rw1_headers[i].name), str_of(rw1_headers[i].value)};
    }
}

/* A batch that nobody touched is a request's body already. */
static bool take_whole(struct view view, struct export_request *ret, struct err *e)
{
    struct str encoded = STR("");
    uint64_t unpacked = 0;

    if (!batch_encoded(view.batch, &encoded, e)) {
        return false;
    }
    const char *at = encoded.ptr;
    if (!varint_get(&at, encoded.ptr + encoded.len, &unpacked) ||
        unpacked > REMOTE_WRITE_MESSAGE_MAX) {
        return true;
    }
    ret->whole_body = encoded;
    ret->body_is_encoded = true;
    return true;
}

static bool encode(struct view view, uint32_t *row, struct export_request *ret, struct err *e)
{
    const struct samples *s = NULL;
    struct view part = view;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    part.n = view.n - *row > REMOTE_WRITE_ROWS_MAX ? *row + REMOTE_WRITE_ROWS_MAX : view.n;
    *row += rw1_encode(s, part, *row, REMOTE_WRITE_MESSAGE_MAX, &ret->body);
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    (void)out;
    if (batch_codec(view.batch) == &codec_rw1 && *row == 0 && view_is_whole(view) &&
        !take_whole(view, ret, e)) {
        return false;
    }
    if (ret->whole_body.ptr != NULL) {
        *row = view.n;
    } else if (!encode(view, row, ret, e)) {
        return false;
    }
    ret->method = "POST";
    ret->path = remote_write_path(config, view.batch, ret->arena);
    ret->encoding = BODY_SNAPPY;
    add_headers(ret);
    return true;
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    (void)config;
    return validate_rw1(sent, body, e);
}

/* Prometheus and VictoriaMetrics say it beside where they receive, a vminsert at its root; of others
 * (404) nothing is known. */
static struct str probe_url(const void *config, struct arena *a)
{
    const struct remote_write_config *c = config;
    struct url url;
    struct err ignored = ERR_INIT;

    if (!url_parse(c->client.url, &url, &ignored)) {
        return STR("");
    }
    if (c->is_cluster || str_starts(url.path, STR("/insert/"))) {
        return arena_printf(a, "%.*s://%.*s/health", STR_FMT(url.scheme), STR_FMT(url.authority));
    }
    return http_probe_url(&c->client, "/api/v1/write", "/-/healthy", a);
}

const struct http_exporter remote_write_1 = {
    .next_request = next_request,
    .validate = validate,
    .statuses = statuses,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

/* 2.0 with 1.0 to fall back to, and profiles as samples around both. */
static bool open_both(const struct exporter_place *place, const struct remote_write_config *c,
                      struct sink **ret_sink, struct err *e)
{
    struct sink *v1 = NULL;
    struct sink *v2 = NULL;

    if (!http_sink_open(&remote_write_1, place, c, &v1, e)) {
        return false;
    }
    if (!http_sink_open(&remote_write_2, place, c, &v2, e)) {
        sink_close(v1);
        return false;
    }
    struct sink *both = remote_write_versions(place, v1, v2);
    if (!measure_sink_open(&c->measures, &both, e)) {
        sink_close(both);
        return false;
    }
    *ret_sink = both;
    return true;
}

static bool open_version(const struct exporter_place *place, const struct remote_write_config *c,
                         struct sink **ret_sink, struct err *e)
{
    return is_2(c) ? open_both(place, c, ret_sink, e)
                   : measure_http_open(&remote_write_1, place, c, &c->measures, ret_sink, e);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct remote_write_config *c = config;

    if (!tenant_is_valid(c->tenant)) {
        return err_set(e, ERR_CONFIG,
                       "'tenant' is \"ACCOUNT\" or \"ACCOUNT:PROJECT\", two numbers, found '%.*s'",
                       STR_FMT(c->tenant));
    }
    return open_version(place, c, ret_sink, e);
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct remote_write_config *c = config;

    (void)node;
    return measures_check(&c->measures, e);
}

/* 1.0 has them beside the samples, where a body that nobody looks into may as well go without. */
static bool says_types(const void *config)
{
    return is_2(config);
}

const struct exporter_kind exporter_remote_write = {
    .name = "remote_write",
    .help = "Prometheus remote write 1.0 and 2.0: samples to any store that receives it.",
    .example = "type: remote_write\nurl: http://127.0.0.1:8428/api/v1/write\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE),
    .caps = EXPORTER_SERIES | EXPORTER_STALE,
    .says_types = says_types,
    .options = &option_table,
    .check = check,
    .http = &remote_write_1,
    .open = open_sink,
};
