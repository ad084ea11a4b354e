/* Changing options of an exporter: the main thread does it as a reload; the exchange is held until then. */
#include "app/overrides.h"
#include "base/mem.h"
#include "server/server_int.h"

/* Who waits for it. */
struct waiting {
    struct http_exchange *exchange;
    struct app *app;
    struct str exporter; /* owned */
};

static void print_overrides(const struct waiting *waiting, struct buf *out)
{
    AUTO(config_autounref) struct config *config = app_config(waiting->app);
    struct json_writer w;

    json_write_init(&w, out);
    json_begin_object(&w);
    json_key(&w, STR("status"));
    json_add_text(&w, "success");
    json_key(&w, STR("data"));
    json_begin_object(&w);
    json_key(&w, STR("name"));
    json_add_str(&w, waiting->exporter);
    json_key(&w, STR("overrides"));
    overrides_print(config->overrides_source.text, waiting->exporter, &w);
    json_end_object(&w);
    json_end_object(&w);
    buf_add_byte(out, '\n');
}

static void done(void *arg, const struct reload_result *result)
{
    struct waiting *waiting = arg;
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);

    if (result->ok) {
        print_overrides(waiting, &out);
        server_answer(waiting->exchange, 200, NULL, &out);
    } else {
        server_refuse_config(waiting->exchange, result);
    }
    buf_release(&out);
    http_exchange_drop(waiting->exchange);
    mem_free(waiting->exporter.ptr);
    mem_free(waiting);
}

static void ask(struct http_exchange *x, struct app *app, struct str exporter, struct str patch)
{
    struct waiting *waiting = mem_new(struct waiting);

    *waiting = (struct waiting){
        .exchange = http_exchange_hold(x),
        .app = app,
        .exporter = str_make(mem_dup_text(exporter.ptr, exporter.len), exporter.len)};
    if (!app_ask_override(app, exporter, patch, done, waiting)) {
        (void)http_exchange_busy(x, 503, 1, "the program stops");
        http_exchange_drop(waiting->exchange);
        mem_free(waiting->exporter.ptr);
        mem_free(waiting);
    }
}

static void change(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct str exporter = http_exchange_param(x, 0);
    struct str patch = http_exchange_body(x);

    if (app == NULL) {
        return;
    }
    AUTO(config_autounref) struct config *config = app_config(app);
    if (!plan_has_exporter(&config->plan, exporter)) {
        server_unknown_exporter(x, exporter);
    } else if (str_trim(patch).len == 0) {
        (void)http_exchange_error(x, 400, "bad_data",
                                  "expected an object of options, such as "
                                  "{\"retry\": {\"max_retries\": 3}}");
    } else {
        ask(x, app, exporter, patch);
    }
}

/* Also of an exporter that is gone. */
static void drop(struct http_exchange *x)
{
    struct app *app = server_app(x);
    struct str exporter = http_exchange_param(x, 0);

    if (app == NULL) {
        return;
    }
    AUTO(config_autounref) struct config *config = app_config(app);
    if (plan_has_exporter(&config->plan, exporter) ||
        overrides_has(config->overrides_source.text, exporter)) {
        ask(x, app, exporter, STR_NONE);
    } else {
        server_unknown_exporter(x, exporter);
    }
}

const struct http_handler resource_exporter_change = {.end = change};
const struct http_handler resource_exporter_overrides_drop = {.end = drop};
