/* What the page is made from, and how it is answered. */
#include "base/env.h"
#include "events/events.h"
#include "server/page.h"
#include "server/server_int.h"

/* The list that <json> holds as member <name>; NULL when it cannot be read. */
static const struct json_node *list_of(struct arena *a, const struct buf *json, struct str name)
{
    struct json_node *root = NULL;
    struct err ignored = ERR_INIT;

    return buf_ok(json) && json_parse(buf_str(json), a, &root, &ignored) ? json_get(root, name)
                                                                         : NULL;
}

static void answer_page(struct http_exchange *x, const struct page_view *v)
{
    static const struct http_header headers[] = {
        {STR_INIT("Content-Security-Policy"),
         STR_INIT("default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; "
                  "frame-ancestors 'none'; base-uri 'none'")},
        {STR_INIT("X-Content-Type-Options"), STR_INIT("nosniff")},
        {STR_INIT("Referrer-Policy"), STR_INIT("no-referrer")},
        {STR_INIT("Cache-Control"), STR_INIT("no-store")},
    };
    struct buf out = BUF_INIT(PAGE_BYTES_MAX);

    page_print(v, &out);
    if (!buf_ok(&out)) {
        server_answer(x, 200, NULL, &out);
        return;
    }
    (void)http_exchange_answer(x, &(struct http_answer){.content_type = "text/html; charset=utf-8",
                                                        .headers = headers,
                                                        .header_count = ARRAY_LEN(headers),
                                                        .take = &out});
}

static size_t find_streams(struct app *app, struct arena *a, const struct stream_status **ret)
{
    struct event_streams *streams = app_event_streams(app);
    struct stream_status *all = NULL;
    size_t count = streams != NULL ? event_streams_status(streams, a, &all) : 0;

    *ret = all;
    return count;
}

static void page(struct http_exchange *x)
{
    AUTO(buf_release) struct buf rules = BUF_INIT(PAGE_BYTES_MAX);
    AUTO(buf_release) struct buf alerts = BUF_INIT(PAGE_BYTES_MAX);
    AUTO(buf_release) struct buf problem = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena arena = {0};
    static const struct engine_filter filter = {.exclude_alerts = true};
    static const struct engine_filter filter_alerts = {.plain_alerts = true};
    struct app *app = server_app(x);

    if (app == NULL) {
        return;
    }
    arena_init(&arena, ARENA_UNLIMITED);
    struct output_status *outputs = arena_array(&arena, struct output_status, PLAN_OUTPUTS_MAX);
    struct engine *engine = app_view_begin(app);
    engine_print_rules(engine, &filter, &rules);
    engine_print_alerts(engine, &filter_alerts, &alerts);
    app_last_problem(app, &problem);
    struct page_view v = {
        .groups = list_of(&arena, &rules, STR("groups")),
        .alerts = list_of(&arena, &alerts, STR("alerts")),
        .outputs = outputs,
        .output_count = app_outputs(app, outputs, PLAN_OUTPUTS_MAX),
        .problem = buf_str(&problem),
        .now_ns = clock_wall_ns(server_of(x)->env->clock),
        .started_ns = app_started_ns(app),
    };
    v.stream_count = find_streams(app, &arena, &v.streams);
    (void)http_exchange_query_value(x, STR("rule"), &v.rule);
    answer_page(x, &v);
    app_view_end(app);
}

const struct http_handler resource_page = {.end = page};
