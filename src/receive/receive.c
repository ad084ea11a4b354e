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
    static const struct {
        const char *method;
        const char *pattern;
        const struct http_handler *handler;
        enum http_access access;
    } routes[RECEIVE_ROUTES] = {
        {"POST", "/api/v1/write", &receive_remote_write, HTTP_ACCESS_CLIENT},
        {"POST", "/api/v2/alerts", &receive_alerts_v2, HTTP_ACCESS_CLIENT},
        {"POST", "/webhook", &receive_webhook, HTTP_ACCESS_CLIENT},
        {"POST", "/api/v1/alerts", &receive_alerts_v1, HTTP_ACCESS_CLIENT},
        {"POST", "/api/v1/profile", &receive_profiles, HTTP_ACCESS_CLIENT},
        {"POST", "/v1/metrics", &receive_otlp_metrics, HTTP_ACCESS_CLIENT},
        {"POST", "/v1/traces", &receive_otlp_traces, HTTP_ACCESS_CLIENT},
        {"POST", "/api/v1/events", &receive_events, HTTP_ACCESS_CLIENT},
        {"OPTIONS", "/api/v1/events", &receive_events_consent, HTTP_ACCESS_OPEN},
    };

    for (size_t i = 0; i < RECEIVE_ROUTES; i++) {
        r->routes[i] = (struct http_route){.method = routes[i].method,
                                           .pattern = routes[i].pattern,
                                           .handler = routes[i].handler,
                                           .access = routes[i].access,
                                           .body_max = (size_t)config->max_body_bytes};
    }
}

bool receiver_start(const struct env *env, const struct receive_config *config,
                    struct receiver **ret_receiver, struct err *e)
{
    struct receiver *r = mem_new(struct receiver);
    const struct acker_hooks hooks = {given_late, r};

    r->env = env;
    trace_init(&r->trace, env->trace, "receive", TRACE_INFO);
    lock_init(&r->lock);
    cond_init(&r->events_answered);
    burst_init(&r->unrouted);
    burst_init(&r->sampleless);
    burst_init(&r->left_out);
    burst_init(&r->unknown_names);
    burst_init(&r->unremembered);
    known_families_init(&r->known, rng_u64(env->rng));
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

void receiver_attach(struct receiver *r, const struct receive_parts *parts)
{
    r->states = parts->states;
    r->history = parts->history;
    receiver_use_events(r, parts->events);
    alert_states_limit(r->states, (size_t)receiver_config(r).max_alerts);
    atomic_store(&r->plan, parts->plan);
}

void receiver_use_events(struct receiver *r, struct event_table *table)
{
    atomic_store(&r->events, table);
}

void receiver_change(struct receiver *r, const struct receive_config *config)
{
    lock_take(&r->lock);
    r->config = *config;
    lock_give(&r->lock);
    if (atomic_load(&r->plan) != NULL) {
        alert_states_limit(r->states, (size_t)config->max_alerts);
    }
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
    receiver_wait_events(r);
    for (size_t i = 0; i < r->buffer_count; i++) {
        buf_release(&r->buffers[i]);
    }
    receive_metrics_release(&r->metrics);
    lock_release(&r->unrouted.lock);
    lock_release(&r->sampleless.lock);
    lock_release(&r->left_out.lock);
    lock_release(&r->unknown_names.lock);
    cond_release(&r->events_answered);
    lock_release(&r->unremembered.lock);
    known_families_release(&r->known);
    lock_release(&r->lock);
    mem_free(r);
}

/* ---- heads ---- */

struct receiver *receiver_of(struct http_exchange *x)
{
    return http_exchange_arg(x);
}

void receiver_refuse(struct http_exchange *x, int status, const char *type, const struct err *e)
{
    (void)http_exchange_error(x, status, type, "%s%s%s", e->context, e->context[0] ? ": " : "",
                              e->message);
    receive_count_answer(&receiver_of(x)->metrics, status);
}

void receiver_refuse_busy(struct http_exchange *x, int64_t retry_after_s, const char *why)
{
    (void)http_exchange_busy(x, RECEIVE_UNAVAILABLE, retry_after_s, why);
    receive_count_answer(&receiver_of(x)->metrics, RECEIVE_UNAVAILABLE);
}

bool receiver_admits(struct http_exchange *x, enum record_kind kind, const char *nobody)
{
    struct plan *plan = atomic_load(&receiver_of(x)->plan);
    struct err e = ERR_INIT;

    if (plan == NULL) {
        receiver_refuse_busy(x, RECEIVE_START_S, "starting");
    } else if (!plan_takes(plan, kind)) {
        receiver_refuse_busy(x, RECEIVE_NOBODY_S, nobody);
    } else if (!plan_admits(plan, kind, &e)) {
        receiver_refuse_busy(x, RECEIVE_FULL_S, e.message);
    } else {
        return true;
    }
    return false;
}

struct str header_value(struct str header)
{
    return str_trim(str_slice(header, 0, str_find_byte(header, ';')));
}

bool header_is_one_of(struct str value, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (str_eq_nocase(value, str_of(*names))) {
            return true;
        }
    }
    return value.len == 0;
}

/* ---- buffers ---- */

/* A byte more: who unpacks sees by it that there is one too many. */
struct buf receiver_buffer(struct receiver *r, size_t max)
{
    struct buf b = BUF_INIT(max + 1);

    lock_take(&r->lock);
    if (r->buffer_count > 0) {
        b = r->buffers[--r->buffer_count];
        b.max = max + 1;
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

void receiver_told(struct receiver *r, struct burst *burst, uint64_t rows, const char *message)
{
    int64_t now_ns = clock_mono_ns(r->env->clock);
    uint64_t tell = 0;

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

void receiver_dropped(struct receiver *r, struct burst *burst, enum receive_drop reason,
                      uint64_t rows, const char *message)
{
    metric_add(r->metrics.dropped[reason], rows);
    receiver_told(r, burst, rows, message);
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
