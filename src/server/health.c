#include "server/server_int.h"

static void answer_text(struct http_exchange *x, int status, struct str text)
{
    (void)http_exchange_answer(x, &(struct http_answer){.status = status,
                                                        .content_type = "text/plain; charset=utf-8",
                                                        .constant = text});
}

static void healthy(struct http_exchange *x)
{
    answer_text(x, 200, STR("healthy\n"));
}

static void ready(struct http_exchange *x)
{
    const struct app *app = atomic_load(&server_of(x)->app);
    bool is_ready = app != NULL && app_is_ready(app);

    answer_text(x, is_ready ? 200 : 503, is_ready ? STR("ready\n") : STR("not ready\n"));
}

const struct http_handler resource_healthy = {.end = healthy};
const struct http_handler resource_ready = {.end = ready};
