/* Samples as series and as distributions: two of Datadog's APIs, which differ in how a run of samples is written. */
#include "export/exporters/datadog.h"

#include "base/clock.h"
#include "wire/json.h"

enum {
    ROWS_MAX = 10 * 1000,
    POINTS_MAX = 1000, /* of one object */
};

/* ---- what is written ---- */

/* One of the APIs. */
struct metrics_api {
    struct str path;
    /* May row <b> stand behind <a> in one object? */
    bool (*joins)(const struct samples *s, uint32_t a, uint32_t b);
    /* Appends the object of the rows of <view> from <row> on, up to <end>. */
    void (*add_run)(const struct datadog_writer *w, const struct samples *s, struct view view,
                    uint32_t row, uint32_t end, struct buf *body);
};

static bool are_of_one_series(const struct samples *s, uint32_t a, uint32_t b)
{
    return s->series_of[a] == s->series_of[b];
}

static void add_series(const struct datadog_writer *w, const struct samples *s, struct view view,
                       uint32_t row, uint32_t end, struct buf *body)
{
    datadog_begin_series(w, s, s->series_of[view_row(view, row)], body);
    for (uint32_t i = row; i < end; i++) {
        datadog_add_point(s, view_row(view, i), i == row, body);
    }
    datadog_end_series(body);
}

static const struct metrics_api series_api = {
    .path = STR_INIT("/api/v2/series"),
    .joins = are_of_one_series,
    .add_run = add_series,
};

/* Each profile has series of its own, of which many have the same labels. */
static bool have_one_label_set(const struct samples *s, uint32_t a, uint32_t b)
{
    return labels_eq(s->series[s->series_of[a]], s->series[s->series_of[b]]);
}

static void add_distribution(const struct datadog_writer *w, const struct samples *s,
                             struct view view, uint32_t row, uint32_t end, struct buf *body)
{
    datadog_begin_distribution(w, s, s->series_of[view_row(view, row)], body);
    datadog_add_value(s, view_row(view, row), body);
    for (uint32_t i = row + 1; i < end; i++) {
        datadog_add_next_value(s, view_row(view, i - 1), view_row(view, i), body);
    }
    datadog_end_distribution(body);
}

static const struct metrics_api distribution_api = {
    .path = STR_INIT("/api/v1/distribution_points"),
    .joins = have_one_label_set,
    .add_run = add_distribution,
};

/* ---- requests ---- */

static struct str base_url(const struct datadog_config *c, struct arena *a)
{
    return c->url.len > 0 ? c->url : arena_printf(a, "https://api.%.*s", STR_FMT(c->site));
}

struct option_list datadog_all_tags(const struct datadog_config *c, struct arena *a)
{
    const struct option_list *lists[] = {&c->tags, &c->metrics.tags};
    struct str *items = arena_array(a, struct str, lists[0]->count + lists[1]->count);
    size_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        for (size_t k = 0; k < lists[i]->count; k++) {
            items[count++] = lists[i]->items[k];
        }
    }
    return (struct option_list){items, count};
}

/* A request that is being filled. */
struct making {
    const struct metrics_api *api;
    struct datadog_writer w;
    const struct samples *s;
    struct view view;
    size_t body_max;
    struct buf *body;
    struct outcome *out;
};

/* Where the run of samples ends that begins at <row>: for one object, all of them fit to be sent. */
static uint32_t run_end(const struct making *m, uint32_t row)
{
    uint32_t first = view_row(m->view, row);
    uint32_t end = row + 1;

    while (end < m->view.n && end - row < POINTS_MAX &&
           m->api->joins(m->s, first, view_row(m->view, end)) &&
           datadog_judge(&m->w, m->s, view_row(m->view, end)) == DATADOG_WRITTEN) {
        end++;
    }
    return end;
}

/* False when the request is full, and the row is of the next. */
static bool add_rows(const struct making *m, uint32_t *row)
{
    enum datadog_result result = datadog_judge(&m->w, m->s, view_row(m->view, *row));
    size_t before = m->body->len;

    if (result != DATADOG_WRITTEN) {
        if (datadog_refusal(result) != NULL) {
            outcome_except(m->out, *row, VERDICT_REJECTED, datadog_refusal(result));
        }
        ++*row;
        return true;
    }
    uint32_t end = run_end(m, *row);
    buf_add_text(m->body, before > 0 ? "," : "{\"series\":[");
    m->api->add_run(&m->w, m->s, m->view, *row, end, m->body);
    if (before > 0 && m->body->len + strlen("]}") > m->body_max) {
        buf_truncate(m->body, before);
        return false;
    }
    *row = end;
    return true;
}

static void address(const struct datadog_config *c, const struct metrics_api *api,
                    enum body_encoding encoding, struct export_request *ret)
{
    ret->method = "POST";
    ret->url = base_url(c, ret->arena);
    ret->path = api->path;
    ret->encoding = encoding;
    ret->encoded_max = DATADOG_PACKED_MAX;
    ret->headers[ret->header_count++] =
        (struct export_header){STR("Content-Type"), STR("application/json")};
}

static bool next_of(const struct metrics_api *api, enum body_encoding encoding,
                    const struct datadog_config *c, struct view view, uint32_t *row,
                    struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct option_list tags = datadog_all_tags(c, ret->arena);
    const struct label defaults[] = {{STR("service"), c->apm.service},
                                     {STR("env"), c->apm.env},
                                     {STR("version"), c->apm.version}};
    struct making m = {
        .api = api,
        .w = {.name_space = c->metrics.name_space,
              .tags = &tags,
              .defaults = defaults,
              .default_count = ARRAY_LEN(defaults),
              .interval_s = c->metrics.interval_ns / NS_PER_S,
              .now_ns = ret->now_ns},
        .view = view,
        .body_max = encoding != BODY_PLAIN ? DATADOG_BODY_MAX : DATADOG_PACKED_MAX,
        .body = &ret->body,
        .out = out,
    };
    uint32_t first = *row;

    if (!batch_samples(view.batch, &m.s, e)) {
        return false;
    }
    while (*row < view.n && *row - first < ROWS_MAX && add_rows(&m, row)) {
    }
    if (ret->body.len > 0) {
        buf_add_text(&ret->body, "]}");
        address(c, api, encoding, ret);
    }
    return true;
}

static bool next_series(const void *config, struct view view, uint32_t *row,
                        struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;

    return next_of(&series_api, datadog_encoding(c), c, view, row, ret, out, e);
}

/* The only compression that is taken there. */
static bool next_distributions(const void *config, struct view view, uint32_t *row,
                               struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct datadog_config *c = config;
    enum body_encoding encoding = datadog_encoding(c) != BODY_PLAIN ? BODY_DEFLATE : BODY_PLAIN;

    return next_of(&distribution_api, encoding, c, view, row, ret, out, e);
}

/* ---- answers ---- */

/* 403 is a key that is wrong: what waits is kept until somebody mends it. */
const struct status_rule datadog_statuses[] = {
    {200, 299, VERDICT_DELIVERED}, {300, 399, VERDICT_HALT},  {401, 401, VERDICT_HALT},
    {403, 405, VERDICT_HALT},      {408, 408, VERDICT_RETRY}, {410, 410, VERDICT_HALT},
    {415, 415, VERDICT_HALT},      {425, 425, VERDICT_RETRY}, {429, 429, VERDICT_RETRY},
    {400, 499, VERDICT_REJECTED},  {0, 999, VERDICT_RETRY},
};

/* "errors" of a 202: Datadog took the request, and says what it did not take of it. */
static void judge(const void *config, struct view view, uint32_t first, uint32_t end,
                  const struct export_answer *answer, struct outcome *out)
{
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;

    (void)config;
    (void)view;
    (void)first;
    (void)end;
    arena_init(&a, ARENA_UNLIMITED);
    if (out->rest != VERDICT_DELIVERED || !json_parse(answer->body, &a, &root, &ignored)) {
        return;
    }
    const struct json_node *errors = json_get(root, STR("errors"));
    if (errors != NULL && errors->kind == JSON_ARRAY && errors->count > 0) {
        out->rest = VERDICT_REJECTED;
        (void)err_set(&out->err, ERR_NET, "answered %d with errors: %.*s", answer->status,
                      STR_FMT(str_slice(errors->first->text, 0, 80)));
    }
}

/* ---- validation ---- */

struct checker {
    struct datadog_writer w;
    const struct samples *samples;
    const struct sent_rows *sent;
    uint32_t row;
    struct buf name;
};

/* A value that was encoded. */
struct told {
    const struct json_node *series;
    const struct json_node *time;
    const struct json_node *value;
};

static bool is_told_of(struct checker *k, const struct told *told, uint32_t row)
{
    const struct samples *s = k->samples;
    double time = 0;
    double value = 0;

    buf_clear(&k->name);
    datadog_put_name(&k->w, labels_get(s->series[s->series_of[row]], STR("__name__")), &k->name);
    return str_eq(json_get_str(told->series, STR("metric")), buf_str(&k->name)) &&
           json_node_double(told->time, &time) && json_node_double(told->value, &value) &&
           (int64_t)time == s->time_ns[row] / NS_PER_S && value == s->value[row];
}

/* Rows that were left out, for their age or value, stand between. */
static bool take_value(struct checker *k, const struct told *told, struct err *e)
{
    while (k->row < k->sent->end) {
        uint32_t row = view_row(k->sent->view, k->row++);
        if (is_told_of(k, told, row)) {
            return true;
        }
    }
    return err_set(e, ERR_INTERNAL, "a point of '%.*s' was encoded that no row has",
                   STR_FMT(json_get_str(told->series, STR("metric"))));
}

static bool take_point(struct checker *k, const struct json_node *series,
                       const struct json_node *point, struct err *e)
{
    const struct told told = {series, json_get(point, STR("timestamp")),
                              json_get(point, STR("value"))};

    return take_value(k, &told, e);
}

/* Values of one second, behind it: [T,[V,...]]. */
static bool take_values(struct checker *k, const struct json_node *series,
                        const struct json_node *point, struct err *e)
{
    const struct json_node *time = point->kind == JSON_ARRAY ? point->first : NULL;
    const struct json_node *values = time != NULL ? time->next : NULL;

    if (values == NULL || values->kind != JSON_ARRAY || values->count == 0) {
        return err_set(e, ERR_INTERNAL, "a point without values was encoded");
    }
    for (const struct json_node *v = values->first; v != NULL; v = v->next) {
        const struct told told = {series, time, v};
        if (!take_value(k, &told, e)) {
            return false;
        }
    }
    return true;
}

static bool take_series(struct checker *k, const struct json_node *series, struct err *e)
{
    const struct json_node *points = json_get(series, STR("points"));
    bool is_distribution = str_eq(json_get_str(series, STR("type")), STR("distribution"));

    if (points == NULL || points->kind != JSON_ARRAY || points->count == 0) {
        return err_set(e, ERR_INTERNAL, "a series without points was encoded");
    }
    for (const struct json_node *p = points->first; p != NULL; p = p->next) {
        if (!(is_distribution ? take_values : take_point)(k, series, p, e)) {
            return false;
        }
    }
    return true;
}

static bool validate(const void *config, const struct sent_rows *sent, struct str body,
                     struct err *e)
{
    const struct datadog_config *c = config;
    struct checker k = {.w = {.name_space = c->metrics.name_space},
                        .sent = sent,
                        .row = sent->first,
                        .name = BUF_INIT(BUF_SMALL)};
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = batch_samples(sent->view.batch, &k.samples, e) && json_parse(body, &a, &root, e);
    const struct json_node *series = ok ? json_get(root, STR("series")) : NULL;
    ok = ok && (series != NULL || err_set(e, ERR_INTERNAL, "no series were encoded"));
    for (series = ok ? series->first : NULL; series != NULL && ok; series = series->next) {
        ok = take_series(&k, series, e);
    }
    buf_release(&k.name);
    return ok;
}

static struct str probe_url(const void *config, struct arena *a)
{
    const struct datadog_config *c = config;
    const struct http_client_config at = {.url = base_url(c, a)};

    return http_probe_url(&at, "", "/api/v1/validate", a);
}

const struct http_exporter datadog_series = {
    .next_request = next_series,
    .statuses = datadog_statuses,
    .judge = judge,
    .validate = validate,
    .probe_url = probe_url,
    .client_offset = offsetof(struct datadog_config, client),
};

const struct http_exporter datadog_distributions = {
    .next_request = next_distributions,
    .statuses = datadog_statuses,
    .judge = judge,
    .validate = validate,
    .client_offset = offsetof(struct datadog_config, client),
};
