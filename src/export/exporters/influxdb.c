/* InfluxDB's write APIs, v1 and v3 (databases) and v2 (buckets), and whatever else takes line protocol. */
#include "export/exporters/exporters.h"

#include "base/mem.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/measures.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/influx_line.h"

enum {
    ROWS_MAX = 10 * 1000,
    BODY_MAX = 4 * 1024 * 1024, /* v1 takes 25 MB, v2 50 MB */
    PATH_MAX_BYTES = 8 * 1024,
};

struct influxdb_config {
    struct exporter_common common;
    struct http_client_config client;
    struct str database;
    struct str retention_policy;
    struct str org;
    struct str bucket;
    bool gzip;
    bool create_database;
    int version; /* enum influxdb_version */
    struct measure_options measures;
};

/* The choices of `version` stand in this order. */
enum influxdb_version { VERSION_AUTO, VERSION_1, VERSION_2, VERSION_3 };

static const char *const versions[] = {"auto", "1", "2", "3", NULL};

enum {
    CLIENT = offsetof(struct influxdb_config, client),
    MEASURES = offsetof(struct influxdb_config, measures),
};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    HTTP_URL_ROW(CLIENT, OPTION_REQUIRED),
    {.name = "version",
     .type = OPTION_ENUM,
     .offset = offsetof(struct influxdb_config, version),
     .choices = versions,
     .fallback = "auto",
     .help =
         "Whose write API: `auto` is 2 with `org` or `bucket`, else 1. InfluxDB 3 takes 1 and 2 as well."},
    {.name = "database",
     .type = OPTION_TEXT,
     .offset = offsetof(struct influxdb_config, database),
     .help = "v1, v3: where records go that name no database of their own (`export_database`)."},
    {.name = "retention_policy",
     .type = OPTION_TEXT,
     .offset = offsetof(struct influxdb_config, retention_policy),
     .help = "v1: the retention policy; the database's default one when absent."},
    {.name = "create_database",
     .type = OPTION_BOOL,
     .offset = offsetof(struct influxdb_config, create_database),
     .fallback = "true",
     .help = "v1: create a database that is not there."},
    {.name = "org",
     .type = OPTION_TEXT,
     .offset = offsetof(struct influxdb_config, org),
     .help = "v2: the organisation. This or `bucket` makes Telex speak v2."},
    {.name = "bucket",
     .type = OPTION_TEXT,
     .offset = offsetof(struct influxdb_config, bucket),
     .help = "v2: where records go that name none of their own (`export_database`)."},
    {.name = "token",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(CLIENT, bearer_token),
     .help = "v2, v3: the API token."},
    {.name = "token_scheme",
     .type = OPTION_TEXT,
     .flags = OPTION_ADVANCED,
     .offset = HTTP_AT(CLIENT, bearer_scheme),
     .fallback = "Token",
     .help = "The word in front of the token in the Authorization header; v3: `Bearer`."},
    {.name = "gzip",
     .type = OPTION_BOOL,
     .offset = offsetof(struct influxdb_config, gzip),
     .fallback = "true",
     .help = "Compress requests."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
    MEASURE_ROWS(MEASURES, "profiling_", "any"),
};

static const struct option_table option_table = {
    .name = "exporter influxdb",
    .help = "Samples and alerts as line protocol to InfluxDB 1 and 2, VictoriaMetrics and others.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct influxdb_config),
};

static bool is_v2(const struct influxdb_config *c)
{
    return c->version == VERSION_2 ||
           (c->version == VERSION_AUTO && (c->org.len > 0 || c->bucket.len > 0));
}

static bool is_v3(const struct influxdb_config *c)
{
    return c->version == VERSION_3;
}

/* Options of one version in a config of another. */
static bool check_version(const struct influxdb_config *c, const struct yaml_node *node,
                          struct err *e)
{
    const struct yaml_node *at = yaml_get(node, STR("version"));
    bool has_buckets = c->org.len > 0 || c->bucket.len > 0;

    if (has_buckets && (c->version == VERSION_1 || is_v3(c))) {
        return yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                        "'org' and 'bucket' are of InfluxDB 2; versions 1 and 3 have a 'database'");
    }
    return !is_v3(c) || c->retention_policy.len == 0 ||
           yaml_err(at != NULL ? at : node, e, ERR_CONFIG,
                    "'retention_policy' is of InfluxDB 1; in 3 a database has one");
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct influxdb_config *c = config;
    const struct yaml_node *token = yaml_get(node, STR("token"));

    if (is_v2(c) && (c->database.len > 0 || c->retention_policy.len > 0)) {
        return yaml_err(node, e, ERR_CONFIG,
                        "'database' and 'retention_policy' are of InfluxDB 1, 'org' and 'bucket' "
                        "of InfluxDB 2: keep one pair");
    }
    if (token != NULL && !is_v2(c) && !is_v3(c)) {
        return yaml_key_err(token, e, ERR_CONFIG,
                            "a token is for InfluxDB 2: add 'org' and 'bucket', or use 'username' "
                            "and 'password' for InfluxDB 1, or say 'version: 3'");
    }
    return check_version(c, node, e) && measures_check(&c->measures, e);
}

/* ---- requests ---- */

/* The database or bucket of all rows of a view. */
static struct str database_of(const struct influxdb_config *c, struct view view)
{
    struct str own = batch_info(view.batch)->database;

    if (own.len > 0) {
        return own;
    }
    return is_v2(c) ? c->bucket : c->database;
}

static void add_param_unless_empty(struct buf *path, struct str name, struct str value)
{
    if (value.len > 0) {
        url_add_param(path, name, value);
    }
}

static struct str write_path(const struct influxdb_config *c, struct str database, struct arena *a)
{
    AUTO(buf_release) struct buf path = BUF_INIT(PATH_MAX_BYTES);

    if (is_v2(c)) {
        buf_add_text(&path, "/api/v2/write");
        add_param_unless_empty(&path, STR("org"), c->org);
        url_add_param(&path, STR("bucket"), database);
    } else {
        buf_add_text(&path, is_v3(c) ? "/api/v3/write_lp" : "/write");
        url_add_param(&path, STR("db"), database);
        add_param_unless_empty(&path, STR("rp"), c->retention_policy);
    }
    url_add_param(&path, STR("precision"), is_v3(c) ? STR("nanosecond") : STR("ns"));
    return arena_dup(a, buf_str(&path));
}

static bool has_room(const struct export_request *ret, uint32_t rows)
{
    return rows < ROWS_MAX && ret->body.len < BODY_MAX;
}

static bool add_samples(struct influx_writer *w, struct view view, uint32_t *row,
                        struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct samples *s = NULL;
    uint32_t first = *row;

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    for (; *row < view.n && has_room(ret, *row - first); ++*row) {
        const char *refusal =
            influx_refusal(influx_add_sample(w, s, view_row(view, *row), &ret->body));
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    return true;
}

static bool add_alerts(struct influx_writer *w, struct view view, uint32_t *row,
                       struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct alerts *alerts = NULL;
    uint32_t first = *row;

    if (!batch_alerts(view.batch, &alerts, e)) {
        return false;
    }
    for (; *row < view.n && has_room(ret, *row - first); ++*row) {
        const struct alert *a = &alerts->rows[view_row(view, *row)];
        const char *refusal = NULL;
        for (uint32_t i = 0; i < influx_alert_lines(a); i++) {
            const char *of_line = influx_refusal(influx_add_alert(w, a, i, &ret->body));
            refusal = of_line != NULL ? of_line : refusal;
        }
        if (refusal != NULL) {
            outcome_except(out, *row, VERDICT_REJECTED, refusal);
        }
    }
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct influxdb_config *c = config;
    const struct batch_info *info = batch_info(view.batch);
    struct str database = database_of(c, view);
    AUTO(influx_writer_release) struct influx_writer w;

    influx_writer_init(&w, info);
    if (database.len == 0) {
        return err_set(e, ERR_CONFIG, "no database: set '%s', or the rule's export_database",
                       is_v2(c) ? "bucket" : "database");
    }
    if (!(info->kind == RECORD_ALERT ? add_alerts : add_samples)(&w, view, row, ret, out, e)) {
        return false;
    }
    if (ret->body.len > 0) {
        ret->method = "POST";
        ret->path = write_path(c, database, ret->arena);
        ret->encoding = c->gzip ? BODY_GZIP : BODY_PLAIN;
        ret->headers[ret->header_count++] =
            (struct export_header){STR("Content-Type"), STR("text/plain; charset=utf-8")};
    }
    return true;
}

/* ---- answers ---- */

static bool has(struct str text, const char *part)
{
    return str_find(text, str_of(part)) < text.len;
}

static bool lacks_database(const struct export_answer *answer)
{
    return answer->status == 404 && has(answer->body, "not found") &&
           (has(answer->body, "database") || has(answer->body, "bucket"));
}

/* A database that a rule names and that is not there is no reason to hold the records of all others.
 * A "partial write" (400) kept the good points; they are written again, which changes nothing, while
 * the sink looks for the bad ones. */
static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    (void)first;
    (void)end;
    if (lacks_database(answer)) {
        bool is_ours = batch_info(view.batch)->database.len == 0;
        out->rest = is_ours ? VERDICT_HALT : VERDICT_REJECTED;
        (void)err_set(&out->err, ERR_NET, "there is no %s '%.*s' at the destination: create it",
                      is_v2(config) ? "bucket" : "database", STR_FMT(database_of(config, view)));
    }
}

static void add_quoted(struct buf *out, struct str name)
{
    buf_add_byte(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"' || name.ptr[i] == '\\') {
            buf_add_byte(out, '\\');
        }
        buf_add_byte(out, name.ptr[i]);
    }
    buf_add_byte(out, '"');
}

static bool mend(const void *config, struct view view, const struct export_answer *answer,
                 struct export_request *ret)
{
    const struct influxdb_config *c = config;
    AUTO(buf_release) struct buf query = BUF_INIT(PATH_MAX_BYTES);
    AUTO(buf_release) struct buf path = BUF_INIT(PATH_MAX_BYTES);

    if (is_v2(c) || is_v3(c) || !c->create_database || !lacks_database(answer)) {
        return false;
    }
    buf_add_text(&query, "CREATE DATABASE ");
    add_quoted(&query, database_of(c, view));
    buf_add_text(&path, "/query");
    url_add_param(&path, STR("q"), buf_str(&query));
    ret->method = "POST";
    ret->path = arena_dup(ret->arena, buf_str(&path));
    return buf_ok(&query) && buf_ok(&path);
}

static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    struct sent_rows rows = *sent;

    (void)config;
    rows.part = SENT_ALL_PARTS;
    return validate_influx(&rows, body, e);
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct influxdb_config *c = config;

    return http_probe_url(&c->client, "", "/ping", a);
}

static const struct http_exporter http = {
    .next_request = next_request,
    .validate = validate,
    .statuses = statuses,
    .judge = judge,
    .mend = mend,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

/* Around the sink, for a config that differs from what was written. */
struct influx_sink {
    struct sink super;
    struct sink *inner;
    struct influxdb_config config;
};

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct sink *inner = container_of(sink, struct influx_sink, super)->inner;

    inner->ops->deliver(inner, view, wait, ret);
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(container_of(sink, struct influx_sink, super)->inner, wait, e);
}

static void close_sink(struct sink *sink)
{
    struct influx_sink *s = container_of(sink, struct influx_sink, super);

    sink_close(s->inner);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

/* Version 3 wants the token as everyone does. */
static bool open_v3(const struct exporter_place *place, const struct influxdb_config *c,
                    struct sink **ret_sink, struct err *e)
{
    struct influx_sink *s = mem_new(struct influx_sink);

    s->super.ops = &ops;
    s->config = *c;
    s->config.client.bearer_scheme = STR("");
    if (!measure_http_open(&http, place, &s->config, &s->config.measures, &s->inner, e)) {
        mem_free(s);
        return false;
    }
    *ret_sink = &s->super;
    return true;
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct influxdb_config *c = config;

    return is_v3(c) ? open_v3(place, c, ret_sink, e)
                    : measure_http_open(&http, place, config, &c->measures, ret_sink, e);
}

static bool advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct influxdb_config *c = config;

    (void)node;
    if (is_v2(c) ? c->bucket.len > 0 : c->database.len > 0) {
        return false;
    }
    (void)err_set(
        e, ERR_CONFIG,
        "without '%s' only what a rule names one for (export_database) is written; all else "
        "becomes dead letters",
        is_v2(c) ? "bucket" : "database");
    return true;
}

const struct exporter_kind exporter_influxdb = {
    .name = "influxdb",
    .help = "Line protocol to InfluxDB 1 or 2, or to what takes it.",
    .example = "type: influxdb\nurl: http://127.0.0.1:8086\ndatabase: alerts_db\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT) | TAKES(RECORD_PROFILE),
    .options = &option_table,
    .check = check,
    .advise = advise,
    .http = &http,
    .open = open_sink,
};
