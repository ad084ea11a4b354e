/*
 * New Relic's metric, event and trace APIs.
 *
 * Samples are metrics, spans go to the trace API. Profiles are metrics too, by the mapping; and they, and
 * spans, are events where event_types names them. A row of two ways has arrived when both have it: those
 * whose event was taken are remembered for the batch in hand, so that a retry of the other way sends no
 * event twice.
 */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/secret.h"
#include "export/exporter_options.h"
#include "export/exporters/newrelic_validate.h"
#include "export/http_sink.h"
#include "export/measures.h"
#include "export/outcome_rows.h"
#include "net/http_options.h"
#include "wire/newrelic.h"

enum { ROWS_MAX = 10 * 1000, ATTRIBUTES_MAX = 254, REQUEST_ID_MAX = 64 };

struct newrelic_config {
    struct exporter_common common;
    struct http_client_config client;
    struct str account_id;
    int region;
    struct str metrics_api_url;
    struct str events_api_url;
    struct str traces_api_url;
    const struct yaml_node *event_types;
    struct option_map common_attributes;
    int64_t interval_ns;
    struct measure_options measures;
};

enum {
    CLIENT = offsetof(struct newrelic_config, client),
    MEASURES = offsetof(struct newrelic_config, measures),
};

enum { REGION_US, REGION_EU };
static const char *const regions[] = {"US", "EU", NULL};

static const struct option options[] = {
    EXPORTER_COMMON_ROWS,
    {.name = "license_key",
     .type = OPTION_SECRET,
     .offset = HTTP_AT(CLIENT, api_key),
     .help = "The license key; `api_key` is the same."},
    {.name = "account_id",
     .type = OPTION_TEXT,
     .offset = offsetof(struct newrelic_config, account_id),
     .help = "The account that events belong to; metrics and spans need none."},
    {.name = "region",
     .type = OPTION_ENUM,
     .offset = offsetof(struct newrelic_config, region),
     .fallback = "US",
     .choices = regions,
     .help = "Where the account is."},
    {.name = "metrics_api_url",
     .type = OPTION_URL,
     .offset = offsetof(struct newrelic_config, metrics_api_url),
     .help = "Instead of the region's metric API."},
    {.name = "events_api_url",
     .type = OPTION_TEXT,
     .offset = offsetof(struct newrelic_config, events_api_url),
     .help = "Instead of the region's event API; `{account_id}` in it is replaced."},
    {.name = "traces_api_url",
     .type = OPTION_URL,
     .offset = offsetof(struct newrelic_config, traces_api_url),
     .help = "Instead of the region's trace API."},
    {.name = "event_types",
     .type = OPTION_NODE,
     .offset = offsetof(struct newrelic_config, event_types),
     .help =
         "What becomes events: `ProfileMetrics` (profiles) and `ProfileTrace` (spans), each with the "
         "list `attributes` of the fields that they have; without one, all."},
    {.name = "common_attributes",
     .type = OPTION_MAP,
     .offset = offsetof(struct newrelic_config, common_attributes),
     .help = "Attributes of everything that is sent."},
    {.name = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct newrelic_config, interval_ns),
     .fallback = "10s",
     .min = 0.001,
     .max = 86400,
     .unit = "s",
     .help = "The time that a `counter` is about."},
    HTTP_CLIENT_ROWS_KEY(CLIENT, "10s", "1MB", "Api-Key"),
    MEASURE_ROWS(MEASURES, "profiling.", "any"),
};

static const struct option_table option_table = {
    .name = "exporter newrelic",
    .help = "Metrics, events and spans to New Relic.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct newrelic_config),
};

/* ---- the config ---- */

/* What an event type's attributes are, by the kind of record that it is made of. */
static const struct yaml_node *event_node(const struct newrelic_config *c, enum record_kind kind)
{
    struct str name = kind == RECORD_SPAN ? STR("ProfileTrace") : STR("ProfileMetrics");

    return c->event_types != NULL ? yaml_get(c->event_types, name) : NULL;
}

static bool check_attributes(const struct yaml_node *type, struct err *e)
{
    const struct yaml_node *list = yaml_get(type, STR("attributes"));
    size_t count = 0;

    if (list == NULL || list->kind != YAML_SEQUENCE) {
        return list == NULL || yaml_err(list, e, ERR_CONFIG, "expected a list of fields");
    }
    for (const struct yaml_node *n = list->first; n != NULL; n = n->next) {
        if (n->kind != YAML_SCALAR) {
            return yaml_err(n, e, ERR_CONFIG, "expected the name of a field");
        }
        count++;
    }
    return count <= ATTRIBUTES_MAX ||
           yaml_err(list, e, ERR_LIMIT, "an event has %d attributes at most", ATTRIBUTES_MAX);
}

static bool check_event_types(const struct newrelic_config *c, struct err *e)
{
    const struct yaml_node *types = c->event_types;

    if (types == NULL || yaml_is_null(types)) {
        return true;
    }
    if (types->kind != YAML_MAPPING) {
        return yaml_err(types, e, ERR_CONFIG, "expected a mapping from event types to attributes");
    }
    for (const struct yaml_node *n = types->first; n != NULL; n = n->next) {
        if (!str_eq(n->key, STR("ProfileMetrics")) && !str_eq(n->key, STR("ProfileTrace"))) {
            return yaml_key_err(n, e, ERR_CONFIG,
                                "'%.*s' is no event type that there are records for; expected "
                                "ProfileMetrics or ProfileTrace",
                                STR_FMT(n->key));
        }
        if (!check_attributes(n, e)) {
            return false;
        }
    }
    bool has_account = c->account_id.len > 0 ||
                       (c->events_api_url.len > 0 &&
                        str_find(c->events_api_url, STR("{account_id}")) == c->events_api_url.len);
    return has_account || yaml_err(types, e, ERR_CONFIG, "events need an 'account_id'");
}

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct newrelic_config *c = config;

    if (secret_is_empty(c->client.api_key)) {
        return yaml_err(node, e, ERR_CONFIG,
                        "New Relic needs a key: set 'license_key', 'license_key_file' or "
                        "'license_key_secret'");
    }
    if (c->common_attributes.count > ATTRIBUTES_MAX / 2) {
        return yaml_err(node, e, ERR_LIMIT, "more than %d common attributes", ATTRIBUTES_MAX / 2);
    }
    return check_event_types(c, e) && measures_check(&c->measures, e);
}

/* Keys of the region EU say so. */
static bool advise(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct newrelic_config *c = config;
    const struct yaml_node *at = yaml_get(node, STR("region"));
    bool is_own =
        c->metrics_api_url.len > 0 && c->traces_api_url.len > 0 && c->events_api_url.len > 0;

    if (is_own || c->region != REGION_US || !secret_starts(c->client.api_key, STR("eu01"))) {
        return false;
    }
    const char *says = "the license key begins with 'eu01', as those of the region EU do, and the "
                       "region is US: say 'region: EU'";
    return !(at != NULL ? yaml_err(at, e, ERR_CONFIG, "%s", says)
                        : err_set(e, ERR_CONFIG, "%s", says));
}

/* ---- requests ---- */

/* One of the APIs. */
struct api {
    const char *urls[ARRAY_LEN(regions) - 1];
    size_t url_offset;
    const char *list; /* what the rows are called there; NULL: an array of rows alone */
    bool has_format;
};

static const struct api metric_api = {
    .urls = {"https://metric-api.newrelic.com/metric/v1",
             "https://metric-api.eu.newrelic.com/metric/v1"},
    .url_offset = offsetof(struct newrelic_config, metrics_api_url),
    .list = "metrics",
};

static const struct api event_api = {
    .urls = {"https://insights-collector.newrelic.com/v1/accounts/{account_id}/events",
             "https://insights-collector.eu01.nr-data.net/v1/accounts/{account_id}/events"},
    .url_offset = offsetof(struct newrelic_config, events_api_url),
};

static const struct api trace_api = {
    .urls = {"https://trace-api.newrelic.com/trace/v1",
             "https://trace-api.eu.newrelic.com/trace/v1"},
    .url_offset = offsetof(struct newrelic_config, traces_api_url),
    .list = "spans",
    .has_format = true,
};

static struct str api_url(const struct newrelic_config *c, const struct api *api, struct arena *a)
{
    struct str own = *(const struct str *)(const void *)((const char *)c + api->url_offset);
    struct str url = own.len > 0 ? own : str_of(api->urls[c->region]);
    struct str mark = STR("{account_id}");
    size_t at = str_find(url, mark);

    if (at == url.len) {
        return url;
    }
    return arena_printf(a, "%.*s%.*s%.*s", (int)at, url.ptr, STR_FMT(c->account_id),
                        STR_FMT(str_slice(url, at + mark.len, url.len)));
}

/* What is being written: rows of one kind for one API. */
struct job {
    const struct api *api;
    struct newrelic_writer w;
    const struct samples *samples;
    const struct notes *notes;
};

static enum newrelic_result add_row(const struct job *j, uint32_t row, struct buf *out)
{
    if (j->samples != NULL) {
        return newrelic_add_metric(&j->w, j->samples, row, out);
    }
    return (j->api == &trace_api ? newrelic_add_span
                                 : newrelic_add_event)(&j->w, &j->notes->rows[row], out);
}

static void fill(const struct job *j, struct view view, uint32_t *row, struct buf *out,
                 struct outcome *o)
{
    size_t start = out->len;
    uint32_t first = *row;

    for (; *row < view.n && *row - first < ROWS_MAX; ++*row) {
        size_t before = out->len;
        buf_add_text(out, before > start ? "," : "");
        size_t begin = out->len;
        enum newrelic_result result = add_row(j, view_row(view, *row), out);
        if (result != NEWRELIC_WRITTEN || out->len == begin) {
            buf_truncate(out, before);
        }
        if (newrelic_refusal(result) != NULL) {
            outcome_except(o, *row, VERDICT_REJECTED, newrelic_refusal(result));
        }
        if (before > start && out->len + strlen("]}]") > NEWRELIC_BODY_MAX) {
            buf_truncate(out, before);
            return;
        }
    }
}

static void add_header(struct export_request *ret, struct str name, struct str value)
{
    ret->headers[ret->header_count++] = (struct export_header){name, value};
}

static void finish(const struct newrelic_config *c, const struct api *api,
                   struct export_request *ret)
{
    AUTO(buf_release) struct buf id = BUF_INIT(REQUEST_ID_MAX);

    newrelic_put_request_id(api->list != NULL ? api->list : "events", buf_str(&ret->body), &id);
    ret->method = "POST";
    ret->url = api_url(c, api, ret->arena);
    ret->encoding = BODY_GZIP;
    add_header(ret, STR("Content-Type"), STR("application/json"));
    add_header(ret, STR("x-request-id"), arena_dup(ret->arena, buf_str(&id)));
    if (api->has_format) {
        add_header(ret, STR("Data-Format"), STR("newrelic"));
        add_header(ret, STR("Data-Format-Version"), STR("1"));
    }
}

static void write_request(const struct newrelic_config *c, const struct job *j, struct view view,
                          uint32_t *row, struct export_request *ret, struct outcome *out)
{
    if (j->api->list != NULL) {
        newrelic_begin(&j->w, j->api->list, &ret->body);
    } else {
        buf_add_byte(&ret->body, '[');
    }
    size_t start = ret->body.len;
    fill(j, view, row, &ret->body, out);
    if (ret->body.len == start) {
        buf_clear(&ret->body);
        return;
    }
    if (j->api->list != NULL) {
        newrelic_end(&ret->body);
    } else {
        buf_add_byte(&ret->body, ']');
    }
    finish(c, j->api, ret);
}

static struct newrelic_writer writer(const struct newrelic_config *c,
                                     const struct export_request *ret)
{
    return (struct newrelic_writer){.common = &c->common_attributes,
                                    .interval_ms = c->interval_ns / NS_PER_MS,
                                    .now_ns = ret->now_ns};
}

/* The fields that events have, of the config's list. */
static bool list_attributes(const struct yaml_node *type, struct option_list *ret, struct arena *a)
{
    const struct yaml_node *list = yaml_get(type, STR("attributes"));
    struct str *items = arena_array(a, struct str, ATTRIBUTES_MAX);
    size_t count = 0;

    for (const struct yaml_node *n = list != NULL ? list->first : NULL; n != NULL; n = n->next) {
        items[count++] = n->text;
    }
    *ret = (struct option_list){items, count};
    return list != NULL;
}

static bool next_events(const void *config, struct view view, uint32_t *row,
                        struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct newrelic_config *c = config;
    enum record_kind kind = batch_info(view.batch)->kind;
    const struct yaml_node *type = event_node(c, kind);
    struct job j = {.api = &event_api, .w = writer(c, ret)};
    struct option_list attributes = {0};

    j.w.event_type = kind == RECORD_SPAN ? STR("ProfileTrace") : STR("ProfileMetrics");
    if (!batch_notes(view.batch, &j.notes, e)) {
        return false;
    }
    if (type != NULL && list_attributes(type, &attributes, ret->arena)) {
        j.w.attributes = &attributes;
    }
    write_request(c, &j, view, row, ret, out);
    return true;
}

static bool next_request(const void *config, struct view view, uint32_t *row,
                         struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct newrelic_config *c = config;
    enum record_kind kind = batch_info(view.batch)->kind;
    struct job j = {.w = writer(c, ret)};

    if (kind == RECORD_PROFILE) {
        return next_events(config, view, row, ret, out, e);
    }
    j.api = kind == RECORD_SPAN ? &trace_api : &metric_api;
    if (!(kind == RECORD_SPAN ? batch_notes(view.batch, &j.notes, e)
                              : batch_samples(view.batch, &j.samples, e))) {
        return false;
    }
    write_request(c, &j, view, row, ret, out);
    return true;
}

/* As the vendor's specification has it, but that what refuses us and not the records halts. A request of
 * 413 is sent again in halves, which have other bytes and so other ids. */
static const struct status_rule statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},     {400, 400, VERDICT_REJECTED},
    {401, 401, VERDICT_HALT},      {403, 405, VERDICT_HALT},     {409, 409, VERDICT_REJECTED},
    {410, 410, VERDICT_HALT},      {411, 411, VERDICT_REJECTED}, {413, 413, VERDICT_REJECTED},
    {0, 999, VERDICT_RETRY},
};

static const struct http_exporter http = {
    .next_request = next_request,
    .validate = newrelic_validate,
    .statuses = statuses,
    .client_offset = CLIENT,
};

static const struct http_exporter http_events = {
    .next_request = next_events,
    .validate = newrelic_validate,
    .statuses = statuses,
    .client_offset = CLIENT,
};

/* ---- the sink ---- */

enum { DIRECT, EVENTS, WAYS };

struct newrelic_sink {
    struct sink super;
    struct sink *ways[WAYS];
    const struct newrelic_config *config;
    struct batch *told;  /* that is being told both ways; or NULL */
    bool *is_told[WAYS]; /* by its rows */
};

static void forget(struct newrelic_sink *s)
{
    batch_unref(s->told);
    s->told = NULL;
    for (size_t i = 0; i < WAYS; i++) {
        mem_free(s->is_told[i]);
        s->is_told[i] = NULL;
    }
}

static void remember(struct newrelic_sink *s, struct batch *b)
{
    if (s->told == b) {
        return;
    }
    forget(s);
    s->told = batch_ref(b);
    for (size_t i = 0; i < WAYS; i++) {
        s->is_told[i] = mem_alloc0((size_t)batch_rows(b) + 1, sizeof(bool));
    }
}

/* One way's part of a delivery. */
struct way {
    uint32_t *index; /* rows of the view that are still to be told */
    uint32_t *rows;  /* the same in the batch */
    uint32_t count;
    struct outcome out;
};

static void way_open(struct way *way, const bool *is_told, struct view view)
{
    *way = (struct way){.index = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t)),
                        .rows = mem_alloc(((size_t)view.n + 1) * sizeof(uint32_t))};
    outcome_init(&way->out);
    for (uint32_t i = 0; i < view.n; i++) {
        if (!is_told[view_row(view, i)]) {
            way->index[way->count] = i;
            way->rows[way->count++] = view_row(view, i);
        }
    }
}

static void way_close(struct way *way)
{
    mem_free(way->index);
    mem_free(way->rows);
    outcome_release(&way->out);
}

/* What became of its rows goes into <fates>, whose reasons are the way's. */
static void tell(struct sink *sink, struct way *way, struct view view, bool *is_told,
                 struct wait wait, struct fate *fates)
{
    struct view rest = {.batch = view.batch, .rows = way->rows, .n = way->count};

    if (way->count == 0) {
        return;
    }
    sink->ops->deliver(sink, way->count == view.n ? view : rest, wait, &way->out);
    struct fate *own = outcome_fates(&way->out, way->count);
    for (uint32_t i = 0; i < way->count; i++) {
        is_told[way->rows[i]] = own[i].verdict == VERDICT_DELIVERED;
        fates[way->index[i]] = fate_worse(fates[way->index[i]], own[i]);
    }
    mem_free(own);
}

/* A record has arrived when both ways have it. What one took is not told there again while the other is tried
 * again. */
static void deliver_both(struct newrelic_sink *s, struct view view, struct wait wait,
                         struct outcome *ret)
{
    struct fate *fates = mem_alloc0((size_t)view.n + 1, sizeof(*fates)); /* delivered */
    struct way ways[WAYS];

    remember(s, view.batch);
    for (size_t i = 0; i < WAYS; i++) {
        way_open(&ways[i], s->is_told[i], view);
        tell(s->ways[i], &ways[i], view, s->is_told[i], wait, fates);
        outcome_add(ret, &ways[i].out);
    }
    outcome_word(ret, fates, view.n, VERDICT_DELIVERED);
    for (size_t i = 0; i < WAYS; i++) {
        way_close(&ways[i]);
    }
    mem_free(fates);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct newrelic_sink *s = container_of(sink, struct newrelic_sink, super);
    enum record_kind kind = batch_info(view.batch)->kind;

    if (kind != RECORD_SAMPLE && event_node(s->config, kind) != NULL) {
        deliver_both(s, view, wait, ret);
    } else {
        s->ways[DIRECT]->ops->deliver(s->ways[DIRECT], view, wait, ret);
    }
}

static void close_sink(struct sink *sink)
{
    struct newrelic_sink *s = container_of(sink, struct newrelic_sink, super);

    for (size_t i = 0; i < WAYS; i++) {
        sink_close(s->ways[i]);
    }
    forget(s);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .close = close_sink};

static bool open_sink(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct newrelic_config *c = config;
    struct newrelic_sink *s = mem_new(struct newrelic_sink);

    s->super.ops = &ops;
    s->config = c;
    if (!measure_http_open(&http, place, config, &c->measures, &s->ways[DIRECT], e) ||
        !http_sink_open(&http_events, place, config, &s->ways[EVENTS], e)) {
        close_sink(&s->super);
        return false;
    }
    *ret_sink = &s->super;
    return true;
}

const struct exporter_kind exporter_newrelic = {
    .name = "newrelic",
    .help = "Metrics, events and spans to New Relic.",
    .example = "type: newrelic\nlicense_key: 0123456789abcdef0123456789abcdef0123NRAL\n"
               "account_id: '1234567'\nregion: EU\n",
    .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_PROFILE) | TAKES(RECORD_SPAN),
    .caps = EXPORTER_SPANS_APART,
    .options = &option_table,
    .check = check,
    .advise = advise,
    .http = &http,
    .open = open_sink,
};
