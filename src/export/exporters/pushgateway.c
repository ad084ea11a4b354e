/*
 * Prometheus's Pushgateway: the last value of each series, pushed into groups.
 *
 * A push replaces all series of the names that are in it, so what is pushed is not the rows that came but
 * all series of their metrics that are remembered (latest.h). The sink here makes that batch, ordered by
 * groups, around a plain leaf over HTTP that makes a request of each group.
 */
#include "export/exporters/exporters.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/vec.h"
#include "export/exporters/prometheus.h"
#include "export/outcome_rows.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/prom_expose.h"

enum {
    PATH_MAX_BYTES = 64 * 1024,
    CLIENT = offsetof(struct prometheus_config, client),
    MEASURES = offsetof(struct prometheus_config, measures),
};

#define NOWHERE UINT32_MAX

const char *const prometheus_methods[] = {"POST", "PUT", "DELETE", NULL};
const char *const prometheus_alias_gateway[] = {"url", "endpoint", NULL};
const char *const prometheus_alias_stale[] = {"stale_after_seconds", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    PROMETHEUS_PUSH_ROWS(OPTION_REQUIRED),
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
    MEASURE_ROWS(MEASURES, "profiling_", "legacy"),
};

static const struct option_table option_table = {
    .name = "exporter pushgateway",
    .help = "The last value of each series to a Prometheus Pushgateway.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct prometheus_config),
};

/* ---- the group ---- */

/* A value that a segment cannot hold as it is travels in base64. */
static bool needs_base64(struct str value)
{
    return value.len == 0 || str_find_byte(value, '/') < value.len || str_eq(value, STR(".")) ||
           str_eq(value, STR(".."));
}

static void add_pair(struct buf *path, struct str name, struct str value)
{
    buf_addf(path, "/%.*s", STR_FMT(name));
    if (!needs_base64(value)) {
        buf_add_byte(path, '/');
        url_add_escaped(path, value, URL_SEGMENT);
        return;
    }
    buf_add_text(path, "@base64/");
    base64url_encode(value, path);
    buf_add_text(path, value.len == 0 ? "=" : "");
}

/* The path of the group that <l> is in. */
static struct str group_path(const struct prometheus_config *c, const struct labels *l,
                             struct arena *a)
{
    AUTO(buf_release) struct buf path = BUF_INIT(PATH_MAX_BYTES);

    buf_add_text(&path, "/metrics");
    add_pair(&path, STR("job"), c->job_name);
    if (c->instance_label.len > 0) {
        add_pair(&path, STR("instance"), c->instance_label);
    }
    for (size_t i = 0; i < c->grouping_key.count; i++) {
        add_pair(&path, c->grouping_key.items[i].name, c->grouping_key.items[i].value);
    }
    for (size_t i = 0; i < c->grouping_labels.count; i++) {
        struct str value = labels_get(l, c->grouping_labels.items[i]);
        if (value.len > 0) {
            add_pair(&path, c->grouping_labels.items[i], value);
        }
    }
    return buf_ok(&path) ? arena_dup(a, buf_str(&path)) : STR_NONE;
}

static bool same_group(const struct prometheus_config *c, const struct labels *a,
                       const struct labels *b)
{
    bool same = true;

    for (size_t i = 0; same && i < c->grouping_labels.count; i++) {
        struct str name = c->grouping_labels.items[i];
        same = str_eq(labels_get(a, name), labels_get(b, name));
    }
    return same;
}

/* ---- the body ---- */

/* A label that the path sets for the whole group would be lost: it is kept under another name, as
 * Prometheus does it when it scrapes. */
static void move_label(struct labels_builder *b, struct str name, struct arena *a)
{
    struct str value = labels_builder_get(b, name);

    if (value.len > 0) {
        labels_builder_set(b, arena_printf(a, "exported_%.*s", STR_FMT(name)), value);
        labels_builder_del(b, name);
    }
}

static bool body_labels(const struct prometheus_config *c, const struct labels *l, struct arena *a,
                        struct labels **ret_labels)
{
    struct labels_builder b;
    struct err ignored = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_start(&b, l);
    for (size_t i = 0; i < c->grouping_labels.count; i++) {
        labels_builder_del(&b, c->grouping_labels.items[i]);
    }
    move_label(&b, STR("job"), a);
    if (c->instance_label.len > 0) {
        move_label(&b, STR("instance"), a);
    }
    for (size_t i = 0; i < c->grouping_key.count; i++) {
        move_label(&b, c->grouping_key.items[i].name, a);
    }
    bool ok = labels_build(&b, ret_labels, &ignored);
    labels_builder_release(&b);
    return ok;
}

/* The series of a request. */
struct body {
    VEC(struct prom_point) points;
};

static void body_release(struct body *b)
{
    for (size_t i = 0; i < b->points.len; i++) {
        labels_unref(b->points.items[i].labels);
    }
    vec_release(&b->points);
}

static void add_point(const struct prometheus_config *c, const struct samples *s, uint32_t at,
                      uint32_t row, struct body *b, struct arena *a, struct outcome *out)
{
    uint32_t series = s->series_of[at];
    struct labels *labels = NULL;
    const char *refusal = prom_expose_refusal(s->series[series]);

    if (refusal == NULL && !body_labels(c, s->series[series], a, &labels)) {
        refusal = "it has more labels than a set can have";
    }
    if (refusal != NULL) {
        outcome_except(out, row, VERDICT_REJECTED, refusal);
        return;
    }
    vec_push(&b->points, ((struct prom_point){
                             .labels = labels,
                             .meta = s->meta != NULL ? s->meta[series] : NULL,
                             .value = s->value[at],
                             .row = row,
                         }));
}

/* A Pushgateway refuses a push with two values of a series. */
static void drop_twins(struct body *b, struct outcome *out)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->points.len; i++) {
        struct prom_point *p = &b->points.items[i];
        if (kept > 0 && labels_eq(b->points.items[kept - 1].labels, p->labels)) {
            outcome_except(out, p->row, VERDICT_REJECTED,
                           "without the group's labels it is the same as another series");
            labels_unref(p->labels);
        } else {
            b->points.items[kept++] = *p;
        }
    }
    b->points.len = kept;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct prometheus_config *c = config;
    const struct samples *s = NULL;
    AUTO(body_release) struct body body = {0};

    if (!batch_samples(view.batch, &s, e)) {
        return false;
    }
    const struct labels *of_group = s->series[s->series_of[view_row(view, *row)]];
    for (; *row < view.n; ++*row) {
        uint32_t at = view_row(view, *row);
        if (!same_group(c, of_group, s->series[s->series_of[at]])) {
            break;
        }
        add_point(c, s, at, *row, &body, ret->arena, out);
    }
    ret->path = group_path(c, of_group, ret->arena);
    if (ret->path.ptr == NULL) {
        return err_set(e, ERR_LIMIT, "the group's labels are too long for a path");
    }
    ret->method = prometheus_methods[c->method];
    if (c->method == PUSH_DELETE) {
        return true;
    }
    prom_points_sort(body.points.items, body.points.len);
    drop_twins(&body, out);
    prom_expose(body.points.items, body.points.len, PROM_TEXT_PLAIN, &ret->body);
    ret->encoding = c->gzip ? BODY_GZIP : BODY_PLAIN;
    ret->headers[ret->header_count++] = (struct export_header){
        STR("Content-Type"), str_of(prom_text_content_type(PROM_TEXT_PLAIN))};
    return true;
}

/* ---- answers ---- */

/* 400 is about what was pushed: a type that another group says otherwise, a name. 404 and 405: this is no
 * Pushgateway. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

static struct str probe_url(const void *config, struct arena *a)
{
    return http_probe_url(&((const struct prometheus_config *)config)->client, "", "/-/healthy", a);
}

static bool count_sample(void *arg, const struct prom_sample *s, struct err *e)
{
    ++*(uint32_t *)arg;
    return !s->has_time || err_set(e, ERR_CONFLICT, "a Pushgateway refuses times");
}

/* As many lines as rows, none with a time, at most. */
static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    AUTO(arena_release) struct arena a;
    uint32_t count = 0;
    const struct prom_lines lines = {.sample = count_sample, .arg = &count};

    (void)config;
    arena_init(&a, ARENA_UNLIMITED);
    return prom_text_read(body, PROM_TEXT_PLAIN, &a, &lines, e) &&
           (count <= sent->end - sent->first ||
            err_set(e, ERR_CONFLICT, "%u samples were made of %u rows", count,
                    sent->end - sent->first));
}

const struct http_exporter prometheus_push = {
    .next_request = next_request,
    .validate = validate,
    .statuses = statuses,
    .probe_url = probe_url,
    .client_offset = CLIENT,
};

/* ---- the sink ---- */

struct push_sink {
    struct sink sink;
    struct sink *inner;
    const struct prometheus_config *config;
    struct latest *table;
};

/* What became of the rows of a push becomes what became of the <n> rows that it was made for. */
static void reword(struct outcome *ret, uint32_t rows, const uint32_t *row_of, uint32_t n,
                   const struct exceptions *refused)
{
    struct fate *fates = outcome_fates(ret, rows);
    struct exceptions of_push = ret->except;
    enum verdict rest = VERDICT_DELIVERED;
    size_t next = 0;

    ret->except = (struct exceptions){0};
    for (uint32_t i = 0; i < n; i++) {
        if (next < refused->list.len && refused->list.items[next].index == i) {
            const struct exception *x = &refused->list.items[next++];
            outcome_except(ret, i, x->verdict, x->reason);
        } else if (row_of[i] != NOWHERE && fates[row_of[i]].verdict != VERDICT_DELIVERED) {
            const struct fate *fate = &fates[row_of[i]];
            outcome_except(ret, i, fate->verdict, fate->reason);
            rest = verdict_is_owed(fate->verdict) ? fate->verdict : rest;
        }
    }
    ret->rest = rest;
    ret->settled = n;
    mem_free(fates); /* its reasons are of the exceptions of the push */
    vec_release(&of_push.list);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct push_sink *s = (struct push_sink *)sink;
    const struct latest_push push = {&s->config->grouping_labels, s->config->method == PUSH_PUT};
    AUTO(batch_autounref) struct batch *batch = NULL;
    uint32_t *row_of = NULL;

    if (!latest_note_for_push(s->table, view, &push, ret, &batch, &row_of, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    if (batch == NULL) {
        outcome_settle(ret, view.n);
    } else {
        struct exceptions refused = ret->except;
        ret->except = (struct exceptions){0};
        s->inner->ops->deliver(s->inner, view_all(batch), wait, ret);
        reword(ret, batch_rows(batch), row_of, view.n, &refused);
        vec_release(&refused.list);
    }
    mem_free(row_of);
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(((struct push_sink *)sink)->inner, wait, e);
}

static void close_sink(struct sink *sink)
{
    struct push_sink *s = (struct push_sink *)sink;

    sink_close(s->inner);
    latest_free(s->table);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

bool prometheus_push_open(const struct exporter_place *place,
                          const struct prometheus_config *config, struct sink **ret_sink,
                          struct err *e)
{
    struct sink *inner = NULL;

    if (!http_sink_open(&prometheus_push, place, config, &inner, e)) {
        return false;
    }
    struct push_sink *s = mem_new(struct push_sink);
    s->sink.ops = &ops;
    s->inner = inner;
    s->config = config;
    s->table = latest_new(place->env, &config->limits);
    struct sink *sink = &s->sink;
    if (!measure_sink_open(&config->measures, &sink, e)) {
        sink_close(sink);
        return false;
    }
    *ret_sink = sink;
    return true;
}

static bool check_label(struct str name, const struct yaml_node *node, struct err *e)
{
    if (!label_name_is_legacy(name) || str_eq(name, STR("__name__")) || str_eq(name, STR("job"))) {
        return yaml_err(
            node, e, ERR_CONFIG,
            "'%.*s' cannot be a label of a group: expected letters, digits and '_', and "
            "not 'job', which is 'job_name'",
            STR_FMT(name));
    }
    return true;
}

bool prometheus_push_check(const struct prometheus_config *config, const struct yaml_node *node,
                           struct err *e)
{
    if (config->job_name.len == 0) {
        return yaml_err(node, e, ERR_CONFIG, "'job_name' is empty: a Pushgateway wants a job");
    }
    if (config->common.buffer.lanes > 1) {
        return yaml_err(
            node, e, ERR_CONFIG,
            "a push replaces all series of a name, so there can be one lane only: leave "
            "'lanes' out");
    }
    for (size_t i = 0; i < config->grouping_key.count; i++) {
        if (!check_label(config->grouping_key.items[i].name, node, e)) {
            return false;
        }
    }
    for (size_t i = 0; i < config->grouping_labels.count; i++) {
        if (!check_label(config->grouping_labels.items[i], node, e)) {
            return false;
        }
    }
    return true;
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct prometheus_config *c = config;

    return prometheus_push_check(c, node, e) && measures_check(&c->measures, e);
}

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return prometheus_push_open(place, config, ret_sink, e);
}

const struct exporter_kind exporter_pushgateway = {
    .name = "pushgateway",
    .help = "The last value of each series to a Prometheus Pushgateway.",
    .example = "type: pushgateway\nurl: http://127.0.0.1:9091\njob_name: nightly\n"
               "instance_label: web-server-01\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE),
    .says_types = exporter_says_types,
    .options = &option_table,
    .check = check,
    .http = &prometheus_push,
    .open = open_sink,
};
