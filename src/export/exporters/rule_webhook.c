/*
 * What the annotation webhook_url of a rule names: each record says where it goes, in which form and
 * how many together. There is always one of these when a rule asks for it; the config may have one to
 * set timeouts, headers and which hosts received alerts may name.
 */
#include "export/exporters/exporters.h"

#include "base/mem.h"
#include "base/number.h"
#include "export/exporter_options.h"
#include "export/http_sink.h"
#include "export/rule_webhook.h"
#include "net/http_options.h"
#include "net/url.h"
#include "wire/influx_line.h"
#include "wire/prom_text.h"
#include "wire/record_csv.h"
#include "wire/record_json.h"

enum {
    ROWS_MAX = 10 * 1000, /* in one request */
    ROWS_USUAL = 1000,    /* where no batch_size is said */
    BODY_MAX = 4 * 1024 * 1024,
    OWN_HEADERS_MAX = HTTP_EXPORT_HEADERS_MAX - 1,
};

struct rule_webhook_config {
    struct exporter_common common;
    struct http_client_config client;
    struct option_list allowed_hosts;
};

enum { CLIENT = offsetof(struct rule_webhook_config, client) };

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "allowed_hosts",
     .type = OPTION_LIST,
     .offset = offsetof(struct rule_webhook_config, allowed_hosts),
     .help =
         "Hosts that alerts received from others may name in `webhook_url`: `host`, `host:port` or "
         "`*.domain`. Rules may name any."},
    HTTP_CLIENT_ROWS(CLIENT, "10s", "1MB"),
};

static const struct option_table option_table = {
    .name = "exporter rule_webhook",
    .help = "What rules export to the URL of their annotation `webhook_url`.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct rule_webhook_config),
};

/* ---- what a record says ---- */

/* What the rows of one request share. */
struct address {
    struct str url;
    struct str format;
    struct str size;
    struct str headers;
};

static struct str annotation(const struct label *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(pairs[i].name, str_of(name))) {
            return str_trim(pairs[i].value);
        }
    }
    return STR_NONE;
}

static struct address address_in(const struct label *pairs, size_t count)
{
    return (struct address){.url = annotation(pairs, count, "webhook_url"),
                            .format = annotation(pairs, count, "export_format"),
                            .size = annotation(pairs, count, "batch_size"),
                            .headers = annotation(pairs, count, "webhook_headers")};
}

static bool same_address(const struct address *a, const struct address *b)
{
    return str_eq(a->url, b->url) && str_eq(a->format, b->format) && str_eq(a->size, b->size) &&
           str_eq(a->headers, b->headers);
}

/* host, host:port or *.domain, in any case. */
static bool host_fits(struct str pattern, const struct url *url)
{
    if (str_starts(pattern, STR("*."))) {
        struct str domain = str_slice(pattern, 1, pattern.len);
        size_t cut = url->host.len > domain.len ? url->host.len - domain.len : url->host.len;
        return str_eq_nocase(str_slice(url->host, cut, url->host.len), domain);
    }
    return str_eq_nocase(pattern, url->host) || str_eq_nocase(pattern, url->authority);
}

bool rule_webhook_allows(const struct option_list *hosts, struct str text, struct err *e)
{
    struct url url;

    if (!url_parse(text, &url, e)) {
        return false;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        if (host_fits(hosts->items[i], &url)) {
            return true;
        }
    }
    return err_set(e, ERR_CONFIG,
                   "webhook_url names the host '%.*s', which is not in allowed_hosts",
                   STR_FMT(url.authority));
}

static bool may_go(const struct rule_webhook_config *c, const struct batch_info *info,
                   struct str text, struct err *e)
{
    struct url url;

    if (str_eq(info->origin, STR("rule"))) {
        return url_parse(text, &url, e);
    }
    return rule_webhook_allows(&c->allowed_hosts, text, e);
}

/* ---- formats ---- */

/* The rows of a request, and where it is written. */
struct writing {
    struct view view;
    uint32_t first;
    uint32_t end;
    const struct alerts *alerts;   /* or NULL */
    const struct samples *samples; /* or NULL */
    struct export_request *to;
    struct outcome *out;
    bool is_single; /* one object instead of a list */
};

static const struct alert *alert_at(const struct writing *w, uint32_t row)
{
    return &w->alerts->rows[view_row(w->view, row)];
}

static void put_comma(const struct writing *w, size_t start)
{
    if (w->to->body.len > start) {
        buf_add_byte(&w->to->body, ',');
    }
}

static void json_row(struct writing *w, struct record_json *json, uint32_t row, size_t start)
{
    struct buf *body = &w->to->body;

    if (w->alerts != NULL) {
        const struct alert *a = alert_at(w, row);
        for (uint32_t i = 0; i < record_json_objects(a); i++) {
            put_comma(w, start);
            record_json_alert(json, a, i, body);
        }
        return;
    }
    size_t before = body->len;
    put_comma(w, start);
    if (!record_json_sample(json, w->samples, view_row(w->view, row), body)) {
        buf_truncate(body, before);
    }
}

static void write_json(struct writing *w)
{
    struct buf *body = &w->to->body;
    AUTO(record_json_release) struct record_json json;

    record_json_init(&json, batch_info(w->view.batch));
    buf_add_text(body, w->is_single ? "" : "[");
    size_t start = body->len;
    for (uint32_t row = w->first; row < w->end; row++) {
        json_row(w, &json, row, start);
    }
    if (body->len == start) {
        buf_clear(body);
    } else {
        buf_add_text(body, w->is_single ? "" : "]");
    }
}

static void write_csv(struct writing *w)
{
    AUTO(record_csv_release) struct record_csv csv;
    struct buf *body = &w->to->body;
    bool any = w->alerts != NULL;

    record_csv_init(&csv, batch_info(w->view.batch));
    for (uint32_t row = w->first; row < w->end; row++) {
        if (w->alerts != NULL) {
            record_csv_look_at_alert(&csv, alert_at(w, row));
        } else {
            uint32_t series = w->samples->series_of[view_row(w->view, row)];
            record_csv_look_at(&csv, w->samples->series[series]);
        }
    }
    record_csv_head(&csv, body);
    for (uint32_t row = w->first; row < w->end; row++) {
        if (w->alerts != NULL) {
            record_csv_alert(&csv, alert_at(w, row), body);
        } else if (record_csv_sample(&csv, w->samples, view_row(w->view, row), body)) {
            any = true;
        }
    }
    if (!any) {
        buf_clear(body);
    }
}

static void influx_row(struct writing *w, struct influx_writer *line, uint32_t row)
{
    const char *refusal = NULL;

    if (w->samples != NULL) {
        refusal = influx_refusal(
            influx_add_sample(line, w->samples, view_row(w->view, row), &w->to->body));
    } else {
        const struct alert *a = alert_at(w, row);
        for (uint32_t i = 0; i < influx_alert_lines(a); i++) {
            const char *of_line = influx_refusal(influx_add_alert(line, a, i, &w->to->body));
            refusal = of_line != NULL ? of_line : refusal;
        }
    }
    if (refusal != NULL) {
        outcome_except(w->out, row, VERDICT_REJECTED, refusal);
    }
}

static void write_influx(struct writing *w)
{
    AUTO(influx_writer_release) struct influx_writer line;

    influx_writer_init(&line, batch_info(w->view.batch));
    for (uint32_t row = w->first; row < w->end; row++) {
        influx_row(w, &line, row);
    }
}

/* An alert as a sample: called as its measurement, with its state as a label. */
static void prometheus_alert(struct writing *w, const struct alert *a, const struct labels *over,
                             double value, int64_t time_ns)
{
    const struct batch_info *info = batch_info(w->view.batch);
    struct labels_builder b;
    struct labels *labels = NULL;
    struct label pair;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (uint32_t at = 0; labels_next(a->labels, &at, &pair);) {
        labels_builder_set(&b, pair.name, pair.value);
    }
    for (uint32_t at = 0; over != NULL && labels_next(over, &at, &pair);) {
        labels_builder_set(&b, pair.name, pair.value);
    }
    labels_builder_set(&b, STR("__name__"),
                       info->measurement.len > 0 ? info->measurement : info->rule);
    labels_builder_set(
        &b, STR("alertstate"),
        str_of(a->to == ALERT_RESOLVED ? "resolved" : alert_state_prometheus(a->to)));
    if (labels_build(&b, &labels, &e)) {
        prom_text_add_sample(&w->to->body, labels, value, &time_ns);
        labels_unref(labels);
    }
    labels_builder_release(&b);
}

static void prometheus_alert_row(struct writing *w, const struct alert *a)
{
    if (a->export_count == 0) {
        prometheus_alert(w, a, NULL, a->value, a->time_ns);
    }
    for (size_t i = 0; i < a->export_count; i++) {
        const struct alert_export *x = &a->exports[i];
        prometheus_alert(w, a, x->labels, x->value, x->time_ns);
    }
}

static void write_prometheus(struct writing *w)
{
    for (uint32_t row = w->first; row < w->end; row++) {
        if (w->alerts != NULL) {
            prometheus_alert_row(w, alert_at(w, row));
            continue;
        }
        uint32_t at = view_row(w->view, row);
        if (!number_is_stale_nan(w->samples->value[at])) {
            prom_text_add_sample(&w->to->body, w->samples->series[w->samples->series_of[at]],
                                 w->samples->value[at], &w->samples->time_ns[at]);
        }
    }
}

static const struct format {
    const char *name;
    const char *content_type;
    void (*write)(struct writing *w);
} formats[] = {
    {"json", "application/json", write_json},
    {"csv", "text/csv; charset=utf-8", write_csv},
    {"influx", "text/plain; charset=utf-8", write_influx},
    {"prometheus", "text/plain; version=0.0.4; charset=utf-8", write_prometheus},
};

static const struct format *find_format(struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (str_eq(name, str_of(formats[i].name))) {
            return &formats[i];
        }
    }
    return name.len == 0 ? &formats[0] : NULL;
}

/* ---- requests ---- */

static struct address address_of(const struct writing *w, uint32_t row)
{
    const struct batch_info *info = batch_info(w->view.batch);

    if (w->alerts == NULL) {
        return address_in(info->annotations, info->annotation_count);
    }
    const struct alert *a = alert_at(w, row);
    return address_in(a->annotations, a->annotation_count);
}

/* How many rows go together. Alerts as JSON go one by one unless a size is said. */
static uint32_t rows_wanted(const struct writing *w, const struct address *to,
                            const struct format *format)
{
    int64_t size = 0;

    if (number_parse_i64(to->size, &size) && size > 0) {
        return size < ROWS_MAX ? (uint32_t)size : ROWS_MAX;
    }
    return w->alerts != NULL && format == &formats[0] ? 1 : ROWS_USUAL;
}

/* Lines of "Name: value". */
static void add_own_headers(struct str lines, struct export_request *ret)
{
    struct str line;

    while (ret->header_count < OWN_HEADERS_MAX && str_split(&lines, '\n', &line)) {
        size_t colon = str_find_byte(line, ':');
        struct str name = str_trim(str_slice(line, 0, colon));
        if (colon < line.len && name.len > 0) {
            ret->headers[ret->header_count++] = (struct export_header){
                arena_dup(ret->arena, name),
                arena_dup(ret->arena, str_trim(str_slice(line, colon + 1, line.len)))};
        }
    }
}

/* The end of the rows from <first> on that go to the same place in one request. */
static uint32_t end_of_rows(const struct writing *w, const struct address *to, uint32_t most)
{
    uint32_t end = w->first + 1;

    while (end < w->view.n && end - w->first < most) {
        struct address next = w->alerts != NULL ? address_of(w, end) : *to;
        if (!same_address(to, &next)) {
            break;
        }
        end++;
    }
    return end;
}

static bool refuse(struct writing *w, uint32_t *row, const char *why)
{
    outcome_except(w->out, *row, VERDICT_REJECTED, why);
    ++*row;
    return false;
}

/* Tries to make a request of the rows from *row on; false when that row is passed over. */
static bool try_request(const struct rule_webhook_config *c, struct writing *w, uint32_t *row)
{
    struct address to = address_of(w, *row);
    const struct format *format = find_format(to.format);
    struct err e = ERR_INIT;

    if (to.url.len == 0) { /* a route brought it here; it names no place */
        ++*row;
        return false;
    }
    if (!may_go(c, batch_info(w->view.batch), to.url, &e)) {
        return refuse(w, row, e.message);
    }
    if (format == NULL) {
        return refuse(w, row, "export_format is none of json, influx, prometheus and csv");
    }
    w->first = *row;
    w->end = end_of_rows(w, &to, rows_wanted(w, &to, format));
    w->is_single = w->alerts != NULL && to.size.len == 0 && alert_at(w, *row)->export_count <= 1;
    format->write(w);
    *row = w->end;
    if (w->to->body.len == 0) { /* staleness markers alone */
        return false;
    }
    w->to->method = "POST";
    w->to->url = arena_dup(w->to->arena, to.url);
    w->to->headers[w->to->header_count++] =
        (struct export_header){STR("Content-Type"), str_of(format->content_type)};
    add_own_headers(to.headers, w->to);
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    struct writing w = {.view = view, .to = ret, .out = out};
    bool is_alert = batch_info(view.batch)->kind == RECORD_ALERT;

    if (is_alert ? !batch_alerts(view.batch, &w.alerts, e)
                 : !batch_samples(view.batch, &w.samples, e)) {
        return false;
    }
    while (*row < view.n && !try_request(config, &w, row)) {
    }
    return true;
}

/* The URL is the rule's: what it refuses it is refused for good, other rules have others. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {408, 408, VERDICT_RETRY},    {425, 425, VERDICT_RETRY},
    {429, 429, VERDICT_RETRY},     {300, 499, VERDICT_REJECTED}, {0, 999, VERDICT_RETRY},
};

static const struct http_exporter http = {
    .next_request = next_request,
    .statuses = statuses,
    .client_offset = CLIENT,
};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    return http_sink_open(&http, place, config, ret_sink, e);
}

const struct exporter_kind exporter_rule_webhook = {
    .name = RULE_WEBHOOK,
    .help = "What rules export to the URL that their annotation `webhook_url` names.",
    .example = "type: rule_webhook\nallowed_hosts: [ hooks.example.com ]\n",
    .takes = TAKES(RECORD_ALERT) | TAKES(RECORD_SAMPLE),
    .caps = EXPORTER_NAMED | EXPORTER_TELLS,
    .options = &option_table,
    .http = &http,
    .open = open_sink,
};
