#include "base/metrics.h"
#include "base/env.h"
#include "server/server_int.h"
#include "server/vmalert_metrics.h"

static bool wants_vmalert(struct app *app)
{
    struct config *config = app_config(app);
    bool wants = config->settings.vmalert_metrics;

    config_unref(config);
    return wants;
}

static void print_metrics(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);

    struct metrics *metrics = server_of(x)->env->metrics;
    struct app *app = atomic_load(&server_of(x)->app);

    metrics_render(metrics, &out);
    if (app != NULL && wants_vmalert(app)) {
        vmalert_metrics_print(app, metrics, &out);
    }
    server_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

const struct http_handler resource_metrics = {.end = print_metrics};
