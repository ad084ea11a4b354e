/*
 * Invariants
 *   1. <buffers> holds <buffer_count> buffers that nobody uses.
 *   2. Who was told of a loss less than a minute ago is not told of the next one; its rows are told of
 *      with the one after.
 */
#include "receive/receive.h"

#include "base/mem.h"
#include "receive/receive_int.h"

enum { TELL_AGAIN_S = 60 };

static void given_late(void *arg, const struct push *push, uint32_t rows)
{
    receiver_given(arg, push, rows);
}

static void burst_init(struct burst *b)
{
    lock_init(&b->lock);
    b->told_mono_ns = INT64_MIN / 2;
}

static void set_routes(struct receiver *r, const struct receive_config *config)
{
    r->routes[0] = (struct http_route){.method = "POST",
                                       .pattern = "/api/v1/write",
                                       .handler = &receive_remote_write,
                                       .access = HTTP_ACCESS_CLIENT,
                                       .body_max = (size_t)config->max_body_bytes};
}

bool receiver_start(const struct env *env, const struct receive_config *config,
                    struct receiver **ret_receiver, struct err *e)
{
    struct receiver *r = mem_new(struct receiver);
    const struct acker_hooks hooks = {given_late, r};

    r->env = env;
    trace_init(&r->trace, env->trace, "receive", TRACE_INFO);
    lock_init(&r->lock);
    burst_init(&r->unrouted);
    burst_init(&r->sampleless);
    receive_metrics_init(&r->metrics, env->metrics);
    receiver_change(r, config);
    set_routes(r, config);
    if (!acker_start(env, &r->metrics, &hooks, &r->acker, e)) {
        receiver_free(r);
        return false;
    }
    *ret_receiver = r;
    return true;
}

void receiver_attach(struct receiver *r, struct plan *plan)
{
    atomic_store(&r->plan, plan);
}

void receiver_change(struct receiver *r, const struct receive_config *config)
{
    lock_take(&r->lock);
    r->config = *config;
    lock_give(&r->lock);
}

struct receive_config receiver_config(struct receiver *r)
{
    lock_take(&r->lock);
    struct receive_config config = r->config;
    lock_give(&r->lock);
    return config;
}

struct http_routes receiver_routes(const struct receiver *r)
{
    return (struct http_routes){
        .routes = r->routes, .count = RECEIVE_ROUTES, .arg = (void *)(uintptr_t)r};
}

void receiver_free(struct receiver *r)
{
    if (r == NULL) {
        return;
    }
    acker_free(r->acker);
    for (size_t i = 0; i < r->buffer_count; i++) {
        buf_release(&r->buffers[i]);
    }
    receive_metrics_release(&r->metrics);
    lock_release(&r->unrouted.lock);
    lock_release(&r->sampleless.lock);
    lock_release(&r->lock);
    mem_free(r);
}

/* ---- buffers ---- */

struct buf receiver_buffer(struct receiver *r, size_t max)
{
    struct buf b = BUF_INIT(max);

    lock_take(&r->lock);
    if (r->buffer_count > 0) {
        b = r->buffers[--r->buffer_count];
        b.max = max;
    }
    lock_give(&r->lock);
    return b;
}

void receiver_give_buffer(struct receiver *r, struct buf *b)
{
    bool is_kept = false;

    buf_clear(b);
    if (b->cap <= RECEIVE_BUFFER_KEPT) {
        lock_take(&r->lock);
        is_kept = r->buffer_count < RECEIVE_BUFFERS;
        if (is_kept) {
            r->buffers[r->buffer_count++] = *b;
        }
        lock_give(&r->lock);
    }
    if (!is_kept) {
        buf_release(b);
    }
}

/* ---- what goes nowhere ---- */

void receiver_dropped(struct receiver *r, struct burst *burst, enum receive_drop reason,
                      uint64_t rows, const char *message)
{
    int64_t now_ns = clock_mono_ns(r->env->clock);
    uint64_t tell = 0;

    metric_add(r->metrics.dropped[reason], rows);
    lock_take(&burst->lock);
    burst->rows += rows;
    if (now_ns - burst->told_mono_ns >= TELL_AGAIN_S * NS_PER_S) {
        tell = burst->rows;
        burst->rows = 0;
        burst->told_mono_ns = now_ns;
    }
    lock_give(&burst->lock);
    if (tell > 0) {
        trace_warn(&r->trace, message, T_U64("records", tell));
    }
}

void receiver_given(struct receiver *r, const struct push *push, uint32_t rows)
{
    metric_add(r->metrics.samples, rows);
    if (push->receipt.unrouted_rows > 0) {
        receiver_dropped(r, &r->unrouted, DROP_NO_ROUTE, push->receipt.unrouted_rows,
                         "samples were received that the routes give to no exporter; they are "
                         "answered and go nowhere");
    }
}
