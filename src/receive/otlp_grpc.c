/* OpenTelemetry's metrics and traces over gRPC: OK when they are held, UNAVAILABLE with RetryInfo when they cannot be. */
#include "receive/otlp_grpc.h"

#include "base/mem.h"
#include "receive/otlp_take.h"

enum { MS_PER_S = 1000 };

static struct receiver *receiver_of_call(const struct grpc_exchange *x)
{
    return grpc_exchange_arg(x);
}

/* ---- answers ---- */

static int answer(struct grpc_exchange *x, const struct grpc_reply *reply)
{
    grpc_exchange_answer(x, reply);
    return grpc_code_to_http((int)reply->code);
}

/* Come back: a google.rpc.Status with RetryInfo says when. */
static int answer_busy(struct grpc_exchange *x, int64_t retry_after_s, const char *why)
{
    AUTO(buf_release) struct buf details = BUF_INIT(BUF_SMALL);
    const struct otlp_status status = {.code = GRPC_UNAVAILABLE,
                                       .message = str_of(why),
                                       .has_retry = true,
                                       .retry_ms = retry_after_s * MS_PER_S};

    otlp_status_write(&status, &details);
    const struct grpc_reply reply = {
        .code = GRPC_UNAVAILABLE, .text = str_of(why), .details = buf_str(&details)};
    return answer(x, &reply);
}

static void refuse_busy(struct grpc_exchange *x, int64_t retry_after_s, const char *why)
{
    receive_count_answer(&receiver_of_call(x)->metrics, answer_busy(x, retry_after_s, why));
}

static int answer_taken(struct grpc_exchange *x, const struct otlp_extras *extras)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);

    otlp_add_partial(extras, &message);
    const struct grpc_reply reply = {.code = GRPC_OK, .message = buf_str(&message)};
    return answer(x, &reply);
}

struct grpc_push {
    struct otlp_push otlp;
    struct grpc_exchange *call; /* held */
};

static const struct grpc_push *grpc_push_of(const struct push *push)
{
    return (const struct grpc_push *)(const void *)push;
}

static int answer_held(struct push *push)
{
    const struct grpc_push *p = grpc_push_of(push);

    return answer_taken(p->call, &p->otlp.extras);
}

static int answer_lost(struct push *push, int64_t retry_after_s, const char *why)
{
    return answer_busy(grpc_push_of(push)->call, retry_after_s, why);
}

static void release(struct push *push)
{
    grpc_exchange_drop(grpc_push_of(push)->call);
}

static const struct push_kind grpc_push = {
    .answer = answer_held, .busy = answer_lost, .release = release};

/* ---- a call ---- */

static void begin(struct grpc_exchange *x, const struct otlp_signal *signal)
{
    struct plan *plan = atomic_load(&receiver_of_call(x)->plan);
    struct err e = ERR_INIT;

    if (plan == NULL) {
        refuse_busy(x, RECEIVE_START_S, "starting");
    } else if (!plan_takes(plan, signal->kind)) {
        refuse_busy(x, RECEIVE_NOBODY_S, signal->nobody);
    } else if (!plan_admits(plan, signal->kind, &e)) {
        refuse_busy(x, RECEIVE_FULL_S, e.message);
    }
}

/* Answers what is not given. */
static void answer_now(struct grpc_exchange *x, const struct grpc_push *p, enum otlp_fate fate,
                       const struct err *e)
{
    static const enum grpc_code codes[] = {
        [OTLP_BAD] = GRPC_INVALID_ARGUMENT, [OTLP_TOO_LARGE] = GRPC_RESOURCE_EXHAUSTED};
    struct receive_metrics *metrics = &receiver_of_call(x)->metrics;

    if (fate == OTLP_BUSY) {
        refuse_busy(x, RECEIVE_FULL_S, e->message);
    } else if (fate == OTLP_EMPTY) {
        receive_count_answer(metrics, answer_taken(x, &p->otlp.extras));
    } else {
        const struct grpc_reply reply = {.code = codes[fate], .text = str_of(e->message)};
        receive_count_answer(metrics, answer(x, &reply));
    }
}

static void take(struct grpc_exchange *x, const struct otlp_signal *signal, struct str message,
                 bool is_gzip)
{
    struct receiver *r = receiver_of_call(x);
    const struct otlp_body body = {message, is_gzip, false};
    struct grpc_push *p = mem_new(struct grpc_push);
    struct err e = ERR_INIT;

    p->otlp.push.kind = &grpc_push;
    enum otlp_fate fate = otlp_take(r, signal, &body, &p->otlp, &e);
    if (fate == OTLP_GIVEN) {
        p->call = grpc_exchange_hold(x);
        acker_push(r->acker, &p->otlp.push);
        return;
    }
    answer_now(x, p, fate, &e);
    mem_free(p);
}

static void begin_metrics(struct grpc_exchange *x)
{
    begin(x, &otlp_metrics);
}

static void take_metrics(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    take(x, &otlp_metrics, message, is_gzip);
}

static void begin_traces(struct grpc_exchange *x)
{
    begin(x, &otlp_traces);
}

static void take_traces(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    take(x, &otlp_traces, message, is_gzip);
}

/* grpc.health.v1: HealthCheckResponse{1 status: 1 SERVING, 2 NOT_SERVING}, of whatever service was asked. */
static void check_health(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    bool is_serving = atomic_load(&receiver_of_call(x)->plan) != NULL;
    const struct grpc_reply reply = {.code = GRPC_OK,
                                     .message = is_serving ? STR("\x08\x01") : STR("\x08\x02")};

    (void)message;
    (void)is_gzip;
    grpc_exchange_answer(x, &reply);
}

static const struct grpc_method methods[] = {
    {.path = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
     .begin = begin_metrics,
     .message = take_metrics,
     .access = HTTP_ACCESS_CLIENT},
    {.path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
     .begin = begin_traces,
     .message = take_traces,
     .access = HTTP_ACCESS_CLIENT},
    {.path = "/grpc.health.v1.Health/Check", .message = check_health, .access = HTTP_ACCESS_OPEN},
};

bool receiver_start_grpc(struct receiver *r, const struct http_server_config *server,
                         struct grpc_server **ret_server, struct err *e)
{
    const struct receive_config config = receiver_config(r);
    const struct grpc_server_config grpc = {.listen = config.otlp_grpc.listen,
                                            .message_max = (size_t)config.max_body_bytes,
                                            .server = server};

    return grpc_server_start(r->env, &grpc, methods, ARRAY_LEN(methods), r, ret_server, e);
}
