#include "base/metrics.h"
#include "base/env.h"
#include "server/server_int.h"

static void print_metrics(struct http_exchange *x)
{
    struct buf out = BUF_INIT(ANSWER_BYTES_MAX);

    metrics_render(server_of(x)->env->metrics, &out);
    server_answer(x, 200, "text/plain; version=0.0.4; charset=utf-8", &out);
}

const struct http_handler resource_metrics = {.end = print_metrics};
