/* /api/v1/status/exporters: what the plan says of itself, in Prometheus's envelope. */
#include "server/server_int.h"
#include "wire/json.h"

static void open_envelope(struct buf *out)
{
    buf_add_text(out, "{\"status\":\"success\",\"data\":");
}

static void close_envelope(struct buf *out)
{
    buf_add_text(out, "}\n");
}

static void add_count(struct json_writer *w, const char *name, uint64_t value)
{
    json_key(w, str_of(name));
    json_add_u64(w, value);
}

static void print_output(struct json_writer *w, const struct output_status *s)
{
    json_begin_object(w);
    json_key(w, STR("name"));
    json_add_str(w, s->name);
    json_key(w, STR("type"));
    json_add_text(w, s->kind);
    json_key(w, STR("state"));
    json_add_text(w, s->state);
    add_count(w, "pendingFrames", s->pending_frames);
    add_count(w, "deliveredRows", s->delivered_rows);
    add_count(w, "rejectedRows", s->rejected_rows);
    add_count(w, "retries", s->retries);
    json_key(w, STR("lastSuccess"));
    if (s->last_success_ns != 0) {
        json_add_time(w, s->last_success_ns);
    } else {
        json_add_null(w);
    }
    json_key(w, STR("lastError"));
    json_add_text(w, s->last_error);
    json_end_object(w);
}

static void exporters(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct app *app = server_app(x);
    struct json_writer w;

    if (app == NULL) {
        return;
    }
    struct output_status *status =
        arena_array(http_exchange_arena(x), struct output_status, PLAN_OUTPUTS_MAX);
    (void)app_view_begin(app);
    size_t count = app_outputs(app, status, PLAN_OUTPUTS_MAX);
    open_envelope(&out);
    json_write_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, STR("exporters"));
    json_begin_array(&w);
    for (size_t i = 0; i < count; i++) {
        print_output(&w, &status[i]);
    }
    app_view_end(app);
    json_end_array(&w);
    json_end_object(&w);
    close_envelope(&out);
    server_answer(x, 200, NULL, &out);
}

const struct http_handler resource_exporters = {.end = exporters};
