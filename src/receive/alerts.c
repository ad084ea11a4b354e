/*
 * Alerts: what a push must look like, what is said to one that does not, and what is answered when it is
 * held. Prometheus is content with any 2xx, vmalert with 200 alone.
 */
#include "base/budget.h"
#include "base/mem.h"
#include "receive/alert_edges.h"
#include "receive/receive_int.h"

enum { PUSHES_MAX = 256, ARENA_SHARE = 4, ARENA_LEAST = 64 << 10, OK = 200 };

/* A push of alerts whose edges were given. */
struct alerts_push {
    struct push push;
    struct receiver *receiver;
    struct alerts_given given;
    uint32_t taken;
    uint32_t bad;
    struct err first_bad;
};

/* ---- the answer ---- */

static struct alerts_push *alerts_of(struct push *push)
{
    return (struct alerts_push *)(void *)push;
}

static int answer(struct push *push)
{
    const struct http_answer success = {.constant = STR("{\"status\":\"success\"}")};
    struct alerts_push *p = alerts_of(push);

    alert_states_held(p->receiver->states, p->given.last_seq);
    if (p->bad > 0) {
        (void)http_exchange_error(push->exchange, RECEIVE_BAD_REQUEST, "bad_data",
                                  "%u of %u alerts are not taken, the others are: %s", p->bad,
                                  p->bad + p->taken, p->first_bad.message);
        return RECEIVE_BAD_REQUEST;
    }
    (void)http_exchange_answer(push->exchange, &success);
    return OK;
}

static void lost(struct push *push)
{
    struct alerts_push *p = alerts_of(push);

    alert_states_lost(p->receiver->states, p->given.first_seq, p->given.last_seq);
}

static void release(struct push *push)
{
    atomic_fetch_sub(&alerts_of(push)->receiver->alert_pushes, 1);
}

static const struct push_kind alerts_kind = {.answer = answer, .lost = lost, .release = release};

/* ---- the head ---- */

static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {"application/json", NULL};
    static const char *const encodings[] = {"identity", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");

    if (!header_is_one_of(header_value(type), types)) {
        return err_set(e, ERR_CONFIG, "Content-Type '%.*s' is not taken here; send %s",
                       STR_FMT(str_slice(type, 0, 100)), types[0]);
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send plain JSON",
                   STR_FMT(str_slice(encoding, 0, 100)));
}

static void begin(struct http_exchange *x)
{
    struct receiver *r = receiver_of(x);
    struct err e = ERR_INIT;

    if (!receiver_config(r).alerts) {
        (void)err_set(&e, ERR_CONFIG, "alerts are not taken here: see receive.alerts");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
    } else if (!check_headers(x, &e)) {
        receiver_refuse(x, RECEIVE_UNSUPPORTED, "unsupported", &e);
    } else if (atomic_load(&r->alert_pushes) >= PUSHES_MAX) {
        receiver_refuse_busy(x, RECEIVE_FULL_S, "too many pushes of alerts wait for the disk");
    } else {
        (void)!receiver_admits(x, RECORD_ALERT, "no exporter takes alerts here");
    }
}

/* ---- the body ---- */

static void count(struct receiver *r, const struct alerts_given *given, uint32_t bad)
{
    metric_add(r->metrics.alerts[FATE_FIRING], given->firing);
    metric_add(r->metrics.alerts[FATE_RESOLVED], given->resolved);
    metric_add(r->metrics.alerts[FATE_UNCHANGED], given->unchanged);
    metric_add(r->metrics.alerts[FATE_BAD], bad);
    if (given->unrouted > 0) {
        receiver_dropped(r, &r->unrouted, DROP_NO_ROUTE, given->unrouted,
                         "alerts were received that the routes give to no exporter; they are "
                         "answered and go nowhere");
    }
    if (given->unknown_names > 0) {
        receiver_told(r, &r->unknown_names, given->unknown_names,
                      "alerts were received whose export_datastore names no exporter of the "
                      "config; they went by the routes");
    }
}

/* Leaves the exchange to the acker. */
static void wait_held(struct http_exchange *x, const struct alert_push *push,
                      const struct alerts_given *given)
{
    struct receiver *r = receiver_of(x);
    struct alerts_push *p = mem_new(struct alerts_push);

    *p = (struct alerts_push){.receiver = r,
                              .given = *given,
                              .taken = (uint32_t)push->alerts.len,
                              .bad = push->bad,
                              .first_bad = push->first_bad};
    p->push = (struct push){.kind = &alerts_kind,
                            .exchange = http_exchange_hold(x),
                            .plan = atomic_load(&r->plan),
                            .receipt = {.kind = RECORD_ALERT, .seq = given->last_seq},
                            .came_mono_ns = clock_mono_ns(r->env->clock)};
    atomic_fetch_add(&r->alert_pushes, 1);
    acker_push(r->acker, &p->push);
}

static void give(struct http_exchange *x, const struct alert_push *push)
{
    struct receiver *r = receiver_of(x);
    const struct alert_giver giver = {atomic_load(&r->plan), r->states, r->history,
                                      clock_wall_ns(r->env->clock)};
    struct alerts_given given;
    struct err e = ERR_INIT;

    if (!alerts_give(&giver, push, &given, &e)) {
        receiver_refuse_busy(x, RECEIVE_FULL_S, e.message);
        return;
    }
    count(r, &given, push->bad);
    wait_held(x, push, &given);
}

static void read_and_give(struct http_exchange *x, enum alert_push_form form, size_t arena_max)
{
    struct str body = http_exchange_body(x);
    AUTO(arena_release) struct arena a;
    struct alert_push push;
    struct err e = ERR_INIT;

    arena_init(&a, arena_max);
    if (!alert_push_read(body, form, &a, &push, &e)) {
        bool large = e.code == ERR_LIMIT;
        receiver_refuse(x, large ? RECEIVE_TOO_LARGE : RECEIVE_BAD_REQUEST,
                        large ? "too_large" : "bad_data", &e);
        return;
    }
    metric_add(receiver_of(x)->metrics.bytes, body.len);
    give(x, &push);
    alert_push_release(&push);
}

/* What reading may need beside the body is taken from the budget first. */
static void end(struct http_exchange *x, enum alert_push_form form)
{
    struct budget *budget = receiver_of(x)->env->budget;
    size_t arena_max = http_exchange_body(x).len * ARENA_SHARE + ARENA_LEAST;

    if (budget != NULL && !budget_try_take(budget, (int64_t)arena_max)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to read this");
        return;
    }
    read_and_give(x, form, arena_max);
    if (budget != NULL) {
        budget_give(budget, (int64_t)arena_max);
    }
}

static void end_v2(struct http_exchange *x)
{
    end(x, ALERT_PUSH_V2);
}

static void end_webhook(struct http_exchange *x)
{
    end(x, ALERT_PUSH_WEBHOOK);
}

/* What Alertmanager answers since it dropped that version, and what to do. */
static void begin_v1(struct http_exchange *x)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_CONFIG,
                  "version 1 of Alertmanager's API is gone, there as here; post to /api/v2/alerts "
                  "(Prometheus: api_version: v2 in the alertmanagers section)");
    receiver_refuse(x, RECEIVE_GONE, "gone", &e);
}

const struct http_handler receive_alerts_v2 = {.begin = begin, .end = end_v2};
const struct http_handler receive_webhook = {.begin = begin, .end = end_webhook};
const struct http_handler receive_alerts_v1 = {.begin = begin_v1};
