/* /api/v1/trace: from which level on components write to the log, and changing that for a time. */
#include "app/trace_control.h"
#include "server/server_int.h"
#include "wire/json.h"

static void answer(struct http_exchange *x, struct app *app)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);
    struct json_writer w;

    json_write_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, STR("status"));
    json_add_text(&w, "success");
    json_key(&w, STR("data"));
    trace_control_print(app_trace_control(app), &w);
    json_end_object(&w);
    buf_add_byte(&out, '\n');
    server_answer(x, 200, NULL, &out);
}

static void show(struct http_exchange *x)
{
    struct app *app = server_app(x);

    if (app != NULL) {
        answer(x, app);
    }
}

static void change(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct err e = ERR_INIT;

    if (app == NULL) {
        return;
    }
    if (trace_control_change(app_trace_control(app), http_exchange_body(x), &e)) {
        answer(x, app);
    } else {
        (void)http_exchange_error(x, 400, "bad_data", "%u:%u: %s", e.pos.line, e.pos.column,
                                  e.message);
    }
}

static void restore(struct http_exchange *x)
{
    struct app *app = server_app(x);

    if (app != NULL) {
        trace_control_restore(app_trace_control(app));
        answer(x, app);
    }
}

const struct http_handler resource_trace = {.end = show};
const struct http_handler resource_trace_change = {.end = change};
const struct http_handler resource_trace_restore = {.end = restore};
