#include "datasource/http_asker.h"

#include "base/env.h"
#include "base/metrics.h"
#include "net/url.h"

enum { ERROR_BODY_SHOWN = 300, QUERY_HEADERS_MAX = 32 };

static const struct metric_desc queries_desc = {.name = "telex_datasource_queries_total",
                                                .help =
                                                    "Queries answered or failed, by datasource.",
                                                .type = METRIC_COUNTER,
                                                .labels = {"datasource", "result"}};
static const struct metric_desc bytes_desc = {.name = "telex_datasource_answer_bytes_total",
                                              .help = "Bytes of answers read, by datasource.",
                                              .type = METRIC_COUNTER,
                                              .labels = {"datasource"}};
static const struct metric_desc seconds_desc = {.name = "telex_datasource_query_duration_seconds",
                                                .help =
                                                    "Time of a query, its answer read and decoded.",
                                                .type = METRIC_HISTOGRAM,
                                                .labels = {"datasource"},
                                                .buckets = metric_seconds_buckets,
                                                .bucket_count = METRIC_SECONDS_BUCKETS};

bool http_asker_init(struct http_asker *a, const struct env *env,
                     const struct http_client_config *client, int64_t max_concurrent,
                     struct str name, struct err *e)
{
    *a = (struct http_asker){.env = env, .max_concurrent = max_concurrent};
    if (!http_client_new(env, client, &a->client, e)) {
        return err_wrap(e, "datasource");
    }
    lock_init(&a->lock);
    cond_init(&a->place_free);
    a->queries = metrics_get2(env->metrics, &queries_desc, name, STR("answered"));
    a->failures = metrics_get2(env->metrics, &queries_desc, name, STR("failed"));
    a->seconds = metrics_get1(env->metrics, &seconds_desc, name);
    a->bytes = metrics_get1(env->metrics, &bytes_desc, name);
    return true;
}

void http_asker_release(struct http_asker *a)
{
    http_client_free(a->client);
    metric_drop(a->queries);
    metric_drop(a->failures);
    metric_drop(a->seconds);
    metric_drop(a->bytes);
    cond_release(&a->place_free);
    lock_release(&a->lock);
}

/* ---- a place among max_concurrent ---- */

static void wake_waiters(void *arg)
{
    struct http_asker *a = arg;

    lock_take(&a->lock);
    cond_broadcast(&a->place_free);
    lock_give(&a->lock);
}

static bool take_place(struct http_asker *a, struct wait wait, struct err *e)
{
    struct cancel_hook hook = {.wake = wake_waiters, .arg = a};

    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    lock_take(&a->lock);
    while (a->in_flight >= a->max_concurrent && !wait_is_over(wait, a->env->clock)) {
        (void)cond_wait_until(&a->place_free, &a->lock, wait.deadline_mono_ns);
    }
    bool taken = a->in_flight < a->max_concurrent;
    a->in_flight += taken;
    lock_give(&a->lock);
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
    return taken ||
           (wait_err(wait, e), err_wrap(e, "waiting for one of %lld places at the datasource",
                                        (long long)a->max_concurrent));
}

static void give_place(struct http_asker *a)
{
    lock_take(&a->lock);
    a->in_flight--;
    cond_signal(&a->place_free);
    lock_give(&a->lock);
}

/* ---- asking ---- */

static bool is_set(const struct query *q, struct str escaped_name)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    bool ok = url_add_unescaped(&name, escaped_name, URL_QUERY);

    for (size_t i = 0; ok && i < q->param_count; i++) {
        if (str_eq(q->params[i].name, buf_str(&name))) {
            return true;
        }
    }
    return false;
}

void http_asker_add_url(struct buf *out, struct str base, struct str path, const struct query *q)
{
    size_t mark = str_find_byte(base, '?');
    struct str rest = str_slice(base, mark + 1, base.len);
    struct str name;
    struct str value;
    char before = '?';

    url_add_joined(out, str_slice(base, 0, mark), path);
    while (mark < base.len && url_next_param(&rest, &name, &value)) {
        if (!is_set(q, name)) {
            buf_add_byte(out, before);
            buf_addf(out, "%.*s=%.*s", STR_FMT(name), STR_FMT(value));
            before = '&';
        }
    }
}

static bool call(struct http_asker *a, const struct http_request *request, const struct query *q,
                 const struct http_answer_reader *reader, struct err *e)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    struct http_header headers[QUERY_HEADERS_MAX];
    struct http_request whole = *request;
    size_t count = 0;
    struct http_response res;

    for (size_t i = 0; i < request->header_count && count < QUERY_HEADERS_MAX; i++) {
        headers[count++] = request->headers[i];
    }
    for (size_t i = 0; i < q->header_count && count < QUERY_HEADERS_MAX; i++) {
        headers[count++] = (struct http_header){q->headers[i].name, q->headers[i].value};
    }
    whole.headers = headers;
    whole.header_count = count;
    http_response_init(&res, &body);
    bool ok = http_client_call(a->client, &whole, q->wait, &res, e);
    if (ok) {
        ok = reader->read(reader->arg, res.status, buf_str(&body), e);
        metric_add(a->bytes, ok ? body.len : 0);
    }
    http_response_release(&res);
    return ok;
}

bool http_asker_ask(struct http_asker *a, const struct http_request *request, const struct query *q,
                    const struct http_answer_reader *reader, struct err *e)
{
    if (!take_place(a, q->wait, e)) {
        return false;
    }
    int64_t start_ns = clock_mono_ns(a->env->clock);
    bool ok = call(a, request, q, reader, e);
    give_place(a);
    metric_add(ok ? a->queries : a->failures, 1);
    metric_observe(a->seconds,
                   (double)(clock_mono_ns(a->env->clock) - start_ns) / (double)NS_PER_S);
    return ok;
}

bool http_asker_fail(int status, struct str body, struct err *e)
{
    enum err_code code = status == 401 || status == 403 ? ERR_AUTH : ERR_NET;

    return err_set(e, code, "the datasource answered %d: %.*s", status,
                   STR_FMT(str_trim(str_slice(body, 0, ERROR_BODY_SHOWN))));
}
