/* OpenTelemetry's metrics and traces over HTTP, in protobuf or JSON: held before they are answered, in kind. */
#include "receive/otlp_take.h"

#include "base/mem.h"

enum { OK = 200 };
enum { RPC_INVALID_ARGUMENT = 3 };

static const char protobuf_type[] = "application/x-protobuf";
static const char json_type[] = "application/json";

/* ---- the head ---- */

static bool is_json(struct http_exchange *x)
{
    return str_eq_nocase(header_value(http_exchange_header(x, "Content-Type")), str_of(json_type));
}

static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {protobuf_type, "application/protobuf", json_type, NULL};
    static const char *const encodings[] = {"identity", "gzip", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");

    if (type.len == 0 || !header_is_one_of(header_value(type), types)) {
        return err_set(e, ERR_CONFIG, "Content-Type '%.*s' is not taken here; send %s or %s",
                       STR_FMT(str_slice(type, 0, 100)), protobuf_type, json_type);
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send %s or none",
                   STR_FMT(str_slice(encoding, 0, 100)), encodings[1]);
}

static void begin(struct http_exchange *x, const struct otlp_signal *signal)
{
    struct err e = ERR_INIT;

    if (!receiver_config(receiver_of(x)).otlp) {
        (void)err_set(&e, ERR_CONFIG, "OTLP is not taken here: see receive.otlp");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
    } else if (!check_headers(x, &e)) {
        receiver_refuse(x, RECEIVE_UNSUPPORTED, "unsupported", &e);
    } else {
        (void)!receiver_admits(x, signal->kind, signal->nobody);
    }
}

/* ---- answers ---- */

struct http_push {
    struct otlp_push otlp;
    const struct otlp_signal *signal;
    bool is_json;
};

/* A message in the form that the request came in. Later the exchange may be over, and no header there. */
static int answer_message(struct http_exchange *x, int status, const struct http_push *p,
                          enum otlp_form form, struct buf *message)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_SMALL);
    struct err ignored = ERR_INIT;

    if (p->is_json) {
        (void)!otlp_json_write(form, buf_str(message), &json, &ignored);
    }
    const struct http_answer answer = {.status = status,
                                       .content_type = p->is_json ? json_type : protobuf_type,
                                       .take = p->is_json ? &json : message};
    (void)http_exchange_answer(x, &answer);
    return status;
}

/* A body that cannot be taken: google.rpc.Status says why. */
static void refuse_body(struct http_exchange *x, int status, const struct http_push *p,
                        const struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    const struct otlp_status said = {.code = RPC_INVALID_ARGUMENT, .message = str_of(e->message)};

    otlp_status_write(&said, &message);
    receive_count_answer(&receiver_of(x)->metrics,
                         answer_message(x, status, p, OTLP_RPC_STATUS, &message));
}

static int answer_taken(struct http_exchange *x, const struct http_push *p)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);

    otlp_add_partial(&p->otlp.extras, &message);
    return answer_message(x, OK, p, p->signal->response, &message);
}

static int answer(struct push *push)
{
    return answer_taken(push->exchange, (const struct http_push *)(const void *)push);
}

static const struct push_kind http_push = {.answer = answer};

/* ---- the body ---- */

static bool is_packed(struct http_exchange *x)
{
    return str_eq_nocase(str_trim(http_exchange_header(x, "Content-Encoding")), STR("gzip"));
}

/* Answers what is not given. */
static void answer_now(struct http_exchange *x, const struct http_push *p, enum otlp_fate fate,
                       const struct err *e)
{
    static const int refusals[] = {
        [OTLP_BAD] = RECEIVE_BAD_REQUEST, [OTLP_TOO_LARGE] = RECEIVE_TOO_LARGE};

    if (fate == OTLP_BUSY) {
        receiver_refuse_busy(x, RECEIVE_FULL_S, e->message);
    } else if (fate == OTLP_EMPTY) {
        receive_count_answer(&receiver_of(x)->metrics, answer_taken(x, p));
    } else {
        refuse_body(x, refusals[fate], p, e);
    }
}

static void end(struct http_exchange *x, const struct otlp_signal *signal)
{
    struct receiver *r = receiver_of(x);
    const struct otlp_body body = {http_exchange_body(x), is_packed(x), is_json(x)};
    struct http_push *p = mem_new(struct http_push);
    struct err e = ERR_INIT;

    p->otlp.push.kind = &http_push;
    p->signal = signal;
    p->is_json = body.is_json;
    enum otlp_fate fate = otlp_take(r, signal, &body, &p->otlp, &e);
    if (fate == OTLP_GIVEN) {
        p->otlp.push.exchange = http_exchange_hold(x);
        acker_push(r->acker, &p->otlp.push);
        return;
    }
    answer_now(x, p, fate, &e);
    mem_free(p);
}

/* ---- signals ---- */

static void begin_metrics(struct http_exchange *x)
{
    begin(x, &otlp_metrics);
}

static void end_metrics(struct http_exchange *x)
{
    end(x, &otlp_metrics);
}

static void begin_traces(struct http_exchange *x)
{
    begin(x, &otlp_traces);
}

static void end_traces(struct http_exchange *x)
{
    end(x, &otlp_traces);
}

const struct http_handler receive_otlp_metrics = {.begin = begin_metrics, .end = end_metrics};
const struct http_handler receive_otlp_traces = {.begin = begin_traces, .end = end_traces};
