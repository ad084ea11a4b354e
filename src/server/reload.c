/* The reload runs on the main thread; the exchange is held until it is told what came of it. */
#include "server/server_int.h"
#include "wire/json.h"

static void print_result(const struct reload_result *r, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("status"));
    json_add_text(&w, "success");
    json_key(&w, STR("data"));
    json_begin_object(&w);
    json_key(&w, STR("groups"));
    json_add_u64(&w, r->groups);
    json_key(&w, STR("rules"));
    json_add_u64(&w, r->rules);
    json_key(&w, STR("warnings"));
    json_add_str(&w, r->text);
    json_end_object(&w);
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

static void print_problems(const struct reload_result *r, struct buf *out)
{
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("status"));
    json_add_text(&w, "error");
    json_key(&w, STR("errorType"));
    json_add_text(&w, "bad_config");
    json_key(&w, STR("error"));
    json_add_str(&w, str_trim(r->text));
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

void server_refuse_config(struct http_exchange *x, const struct reload_result *result)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);

    print_problems(result, &out);
    server_answer(x, 400, NULL, &out);
    buf_release(&out);
}

static void done(void *arg, const struct reload_result *result)
{
    struct http_exchange *x = arg;
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);

    if (result->ok) {
        print_result(result, &out);
        server_answer(x, 200, NULL, &out);
    } else {
        server_refuse_config(x, result);
    }
    buf_release(&out);
    http_exchange_drop(x);
}

static void ask(struct http_exchange *x)
{
    struct app *app = server_app(x);

    if (app == NULL) {
        return;
    }
    struct http_exchange *held = http_exchange_hold(x);
    if (!app_ask_reload(app, done, held)) {
        (void)http_exchange_busy(x, 503, 1, "the program stops");
        http_exchange_drop(held);
    }
}

const struct http_handler resource_reload = {.end = ask};
