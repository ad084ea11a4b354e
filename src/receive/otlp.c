/* OpenTelemetry's metrics and traces over HTTP: read into samples and spans, held before they are answered. */
#include "wire/otlp.h"
#include "base/budget.h"
#include "base/mem.h"
#include "receive/receive_int.h"
#include "wire/compress.h"
#include "wire/notes.h"
#include "wire/remote_write.h"

enum { OK = 200, ARENA_SHARE = 32, ARENA_LEAST = 1 << 20 };
enum { RPC_INVALID_ARGUMENT = 3 };

/* What differs between the two. */
struct signal {
    enum record_kind kind;
    const char *nobody;
    struct batch *(*read)(struct receiver *r, struct str message, const struct otlp_limits *limits,
                          struct otlp_extras *ret_extras, struct err *e);
};

/* ---- the head ---- */

static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {"application/x-protobuf", "application/protobuf", NULL};
    static const char *const encodings[] = {"identity", "gzip", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");

    if (type.len == 0 || !header_is_one_of(header_value(type), types)) {
        return err_set(e, ERR_CONFIG, "Content-Type '%.*s' is not taken here; send %s",
                       STR_FMT(str_slice(type, 0, 100)), types[0]);
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send %s or none",
                   STR_FMT(str_slice(encoding, 0, 100)), encodings[1]);
}

static void begin(struct http_exchange *x, const struct signal *signal)
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

static int answer_message(struct http_exchange *x, int status, struct buf *message)
{
    const struct http_answer answer = {
        .status = status, .content_type = "application/x-protobuf", .take = message};

    (void)http_exchange_answer(x, &answer);
    return status;
}

/* A body that cannot be taken: google.rpc.Status says why. */
static void refuse_body(struct http_exchange *x, const struct err *e)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    const struct otlp_status status = {.code = RPC_INVALID_ARGUMENT, .message = str_of(e->message)};

    otlp_status_write(&status, &message);
    receive_count_answer(
        &receiver_of(x)->metrics,
        answer_message(x, e->code == ERR_LIMIT ? RECEIVE_TOO_LARGE : RECEIVE_BAD_REQUEST,
                       &message));
}

static uint64_t left_out(const struct otlp_extras *extras)
{
    return extras->exponential + extras->nameless + extras->bad;
}

static int answer_taken(struct http_exchange *x, const struct otlp_extras *extras)
{
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct otlp_partial partial = {(int64_t)left_out(extras), STR("")};

    if (partial.rejected > 0) {
        buf_addf(&text,
                 "left out: %llu points of exponential histograms, %llu of metrics without a name, "
                 "%llu points or spans that make no sense",
                 (unsigned long long)extras->exponential, (unsigned long long)extras->nameless,
                 (unsigned long long)extras->bad);
        partial.message = buf_str(&text);
    }
    otlp_partial_write(&partial, &message);
    return answer_message(x, OK, &message);
}

struct otlp_push {
    struct push push;
    struct otlp_extras extras;
};

static int answer(struct push *push)
{
    const struct otlp_push *p = (const struct otlp_push *)(const void *)push;

    return answer_taken(push->exchange, &p->extras);
}

static const struct push_kind otlp_push = {.answer = answer};

/* ---- reading ---- */

static struct batch *read_metrics(struct receiver *r, struct str message,
                                  const struct otlp_limits *limits, struct otlp_extras *ret_extras,
                                  struct err *e)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("receive"), .time_ns = limits->now_ns};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct samples samples;

    (void)r;
    if (!otlp_metrics_read(message, limits, batch_arena(b), &samples, ret_extras, e)) {
        batch_set_samples(b, (struct samples){0});
        batch_unref(b);
        return NULL;
    }
    batch_set_samples(b, samples);
    return b;
}

static struct batch *read_traces(struct receiver *r, struct str message,
                                 const struct otlp_limits *limits, struct otlp_extras *ret_extras,
                                 struct err *e)
{
    const struct batch_info info = {
        .kind = RECORD_SPAN, .origin = STR("receive"), .time_ns = limits->now_ns};
    AUTO(arena_release) struct arena a;
    struct notes notes;

    (void)r;
    arena_init(&a, limits->bytes_max);
    if (!otlp_spans_read(message, &a, &notes, ret_extras, e)) {
        return NULL;
    }
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, notes.count);
    for (uint32_t i = 0; i < notes.count; i++) {
        rows[i] = note_copy(batch_arena(b), &notes.rows[i]);
        labels_unref(notes.rows[i].labels);
    }
    batch_set_notes(b, (struct notes){rows, notes.count});
    return b;
}

/* ---- giving ---- */

static void count_extras(struct receiver *r, const struct otlp_extras *extras)
{
    metric_add(r->metrics.extras[EXTRA_EXPONENTIAL], extras->exponential);
    metric_add(r->metrics.extras[EXTRA_EXEMPLAR], extras->exemplars);
    metric_add(r->metrics.extras[EXTRA_METADATA], extras->meta);
    metric_add(r->metrics.extras[EXTRA_DELTA], extras->deltas);
    if (left_out(extras) > 0) {
        receiver_dropped(r, &r->left_out, DROP_LEFT_OUT, left_out(extras),
                         "OTLP held what is left out here; its sender was told");
    }
}

static void count_given(struct receiver *r, const struct push *push, enum record_kind kind,
                        uint32_t rows)
{
    if (kind == RECORD_SAMPLE) {
        receiver_given(r, push, rows);
        return;
    }
    metric_add(r->metrics.notes[NOTE_OF_SPAN], rows);
    if (push->receipt.unrouted_rows > 0) {
        receiver_dropped(r, &r->unrouted, DROP_NO_ROUTE, push->receipt.unrouted_rows,
                         "spans were received that the routes give to no exporter; they are "
                         "answered and go nowhere");
    }
}

static void give(struct http_exchange *x, const struct signal *signal, struct batch *b,
                 const struct otlp_extras *extras)
{
    struct receiver *r = receiver_of(x);
    struct otlp_push *p = mem_new(struct otlp_push);
    const struct give how = {.wait = {0, NULL}};
    struct err ignored = ERR_INIT;

    *p = (struct otlp_push){.push = {.kind = &otlp_push,
                                     .plan = atomic_load(&r->plan),
                                     .receipt = {.kind = signal->kind},
                                     .came_mono_ns = clock_mono_ns(r->env->clock)},
                            .extras = *extras};
    if (!plan_offer(p->push.plan, b, &how, &p->push.receipt, &ignored)) {
        mem_free(p);
        receiver_refuse_busy(x, RECEIVE_FULL_S, "there is no room for this just now");
        return;
    }
    count_given(r, &p->push, signal->kind, batch_rows(b));
    p->push.exchange = http_exchange_hold(x);
    acker_push(r->acker, &p->push);
}

/* ---- the body ---- */

static void read_and_give(struct http_exchange *x, const struct signal *signal, struct str message,
                          size_t bytes_max)
{
    struct receiver *r = receiver_of(x);
    const struct otlp_limits limits = {clock_wall_ns(r->env->clock), bytes_max};
    struct otlp_extras extras = {0};
    struct err e = ERR_INIT;
    AUTO(batch_autounref) struct batch *b = signal->read(r, message, &limits, &extras, &e);

    if (b == NULL) {
        refuse_body(x, &e);
        return;
    }
    metric_add(r->metrics.bytes, http_exchange_body(x).len);
    count_extras(r, &extras);
    if (batch_rows(b) == 0) {
        receive_count_answer(&r->metrics, answer_taken(x, &extras));
    } else {
        give(x, signal, b, &extras);
    }
}

static bool is_packed(struct http_exchange *x)
{
    return str_eq_nocase(str_trim(http_exchange_header(x, "Content-Encoding")), STR("gzip"));
}

static void unpack_and_give(struct http_exchange *x, const struct signal *signal, size_t bytes_max)
{
    struct receiver *r = receiver_of(x);
    struct str body = http_exchange_body(x);
    struct buf message = receiver_buffer(r, (size_t)receiver_config(r).max_decoded_bytes);
    struct err e = ERR_INIT;

    if (!is_packed(x)) {
        read_and_give(x, signal, body, bytes_max);
    } else if (compression_gzip.unpack(body, message.max, &message, &e)) {
        read_and_give(x, signal, buf_str(&message), bytes_max);
    } else {
        refuse_body(x, &e);
    }
    receiver_give_buffer(r, &message);
}

/* What reading may need beside the body is taken from the budget first. */
static void end(struct http_exchange *x, const struct signal *signal)
{
    struct receiver *r = receiver_of(x);
    struct budget *budget = r->env->budget;
    size_t max = (size_t)receiver_config(r).max_decoded_bytes;
    size_t need = http_exchange_body(x).len * ARENA_SHARE + ARENA_LEAST;

    need = need < max ? need : max;
    if (budget != NULL && !budget_try_take(budget, (int64_t)need)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to read this");
        return;
    }
    unpack_and_give(x, signal, max);
    if (budget != NULL) {
        budget_give(budget, (int64_t)need);
    }
}

/* ---- signals ---- */

static const struct signal metrics = {RECORD_SAMPLE, "no exporter takes samples here",
                                      read_metrics};
static const struct signal traces = {RECORD_SPAN, "no exporter takes spans here", read_traces};

static void begin_metrics(struct http_exchange *x)
{
    begin(x, &metrics);
}

static void end_metrics(struct http_exchange *x)
{
    end(x, &metrics);
}

static void begin_traces(struct http_exchange *x)
{
    begin(x, &traces);
}

static void end_traces(struct http_exchange *x)
{
    end(x, &traces);
}

const struct http_handler receive_otlp_metrics = {.begin = begin_metrics, .end = end_metrics};
const struct http_handler receive_otlp_traces = {.begin = begin_traces, .end = end_traces};
