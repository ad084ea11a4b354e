#include "server/server_int.h"

enum { REASONS_MAX = 64 * 1024 };

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

/* Not while it starts or stops, and not while a change stream stands still or is far behind. */
static void ready(struct http_exchange *x)
{
    struct app *app = atomic_load(&server_of(x)->app);
    struct buf reasons = BUF_INIT(REASONS_MAX);

    if (app == NULL || !app_is_ready(app)) {
        answer_text(x, 503, STR("not ready\n"));
    } else if (server_streams_ready(x, app, &reasons)) {
        answer_text(x, 200, STR("ready\n"));
    } else {
        (void)http_exchange_answer(
            x, &(struct http_answer){
                   .status = 503, .content_type = "text/plain; charset=utf-8", .take = &reasons});
        return;
    }
    buf_release(&reasons);
}

const struct http_handler resource_healthy = {.end = healthy};
const struct http_handler resource_ready = {.end = ready};
