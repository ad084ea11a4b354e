/* Remote write 1.0: what a push must look like, what is said to one that does not, and where it goes. */
#include "wire/remote_write.h"
#include "base/budget.h"
#include "base/mem.h"
#include "base/varint.h"
#include "receive/receive_int.h"
#include "wire/compress.h"

/* ---- the head ---- */

/* Is it remote write 1.0, as far as its headers tell? */
static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {"application/x-protobuf", "application/protobuf", NULL};
    static const char *const encodings[] = {"snappy", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");
    struct str version = http_exchange_header(x, "X-Prometheus-Remote-Write-Version");

    if (str_find(type, STR("io.prometheus.write.v2")) < type.len || str_starts(version, STR("2"))) {
        return err_set(e, ERR_CONFIG,
                       "remote write 2.0 is not taken here; send 1.0: prometheus.WriteRequest");
    }
    if (!header_is_one_of(header_value(type), types)) {
        return err_set(e, ERR_CONFIG, "Content-Type '%.*s' is not taken here; send %s",
                       STR_FMT(str_slice(type, 0, 100)), types[0]);
    }
    return header_is_one_of(str_trim(encoding), encodings) ||
           err_set(e, ERR_CONFIG, "Content-Encoding '%.*s' is not taken here; send %s",
                   STR_FMT(str_slice(encoding, 0, 100)), encodings[0]);
}

static void begin(struct http_exchange *x)
{
    struct err e = ERR_INIT;

    if (!receiver_config(receiver_of(x)).remote_write) {
        (void)err_set(&e, ERR_CONFIG, "remote write is off here: see receive.remote_write");
        receiver_refuse(x, RECEIVE_NOT_FOUND, "not_found", &e);
    } else if (!check_headers(x, &e)) {
        receiver_refuse(x, RECEIVE_UNSUPPORTED, "unsupported", &e);
    } else {
        (void)!receiver_admits(x, RECORD_SAMPLE,
                               "no exporter takes samples here; keep them until one does");
    }
}

/* ---- the body ---- */

/* Unpacks and goes through a body once. False when it is not what it says. */
static bool look_through(struct receiver *r, struct str body, size_t decoded_max,
                         struct rw1_summary *ret_summary, struct err *e)
{
    struct buf message = receiver_buffer(r, decoded_max);

    bool ok = compression_snappy.unpack(body, decoded_max, &message, e) &&
              rw1_scan(buf_str(&message), ret_summary, e);
    receiver_give_buffer(r, &message);
    return ok;
}

/* What the body says that it unpacks to; 0 when it says nothing. */
static int64_t decoded_length(struct str body)
{
    const char *at = body.ptr;
    uint64_t len = 0;

    return varint_get(&at, at + body.len, &len) && len <= INT64_MAX ? (int64_t)len : 0;
}

/* Looks through the body with its memory taken from the budget; answers what cannot be taken. */
static bool check_body(struct http_exchange *x, struct str body, struct rw1_summary *ret_summary)
{
    struct receiver *r = receiver_of(x);
    struct budget *budget = r->env->budget;
    int64_t max = receiver_config(r).max_decoded_bytes;
    int64_t need = decoded_length(body);
    struct err e = ERR_INIT;

    need = need > max ? 0 : need; /* refused without unpacking */
    if (budget != NULL && !budget_try_take(budget, need)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to unpack this");
        return false;
    }
    bool ok = look_through(r, body, (size_t)max, ret_summary, &e);
    if (budget != NULL) {
        budget_give(budget, need);
    }
    if (!ok) {
        bool large = e.code == ERR_LIMIT;
        receiver_refuse(x, large ? RECEIVE_TOO_LARGE : RECEIVE_BAD_REQUEST,
                        large ? "too_large" : "bad_data", &e);
    }
    return ok;
}

static void count_taken(struct receiver *r, size_t bytes, const struct rw1_extras *extras)
{
    metric_add(r->metrics.bytes, bytes);
    metric_add(r->metrics.extras[EXTRA_HISTOGRAM], extras->histograms);
    metric_add(r->metrics.extras[EXTRA_EXEMPLAR], extras->exemplars);
    metric_add(r->metrics.extras[EXTRA_METADATA], extras->metadata);
}

/* Metadata alone, which senders repeat; or histograms alone, which is a loss. */
static void answer_without_samples(struct http_exchange *x, const struct rw1_extras *extras)
{
    static const struct http_answer no_content = {.status = 204};
    struct receiver *r = receiver_of(x);

    if (extras->histograms > 0) {
        receiver_dropped(r, &r->sampleless, DROP_NO_SAMPLES, extras->histograms,
                         "pushes of native histograms without any sample were received; they are "
                         "answered and go nowhere");
    }
    (void)http_exchange_answer(x, &no_content);
    receive_count_answer(&r->metrics, no_content.status);
}

/* The body becomes the batch's bytes, as it came. */
static struct batch *make_batch(struct receiver *r, struct buf *body, uint32_t samples)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("receive"), .time_ns = clock_wall_ns(r->env->clock)};
    size_t len = body->len;

    return batch_from_bytes(&codec_rw1, str_make(buf_take(body), len), false, &info, samples);
}

static const struct push_kind samples_push = {0};

/* Gives the batch if there is room at once, and leaves the rest to the acker. */
static void give(struct http_exchange *x, struct batch *b)
{
    struct receiver *r = receiver_of(x);
    struct push *push = mem_new(struct push);
    const struct give how = {.wait = {0, NULL}};
    struct err ignored = ERR_INIT;

    *push = (struct push){.kind = &samples_push,
                          .exchange = http_exchange_hold(x),
                          .plan = atomic_load(&r->plan),
                          .batch = b,
                          .came_mono_ns = clock_mono_ns(r->env->clock)};
    if (plan_offer(push->plan, b, &how, &push->receipt, &ignored)) {
        receiver_given(r, push, batch_rows(b));
        batch_unref(TAKE(push->batch));
    }
    acker_push(r->acker, push);
}

static void end(struct http_exchange *x)
{
    AUTO(buf_release) struct buf body = BUF_INIT(0);
    struct receiver *r = receiver_of(x);
    struct rw1_summary summary;

    http_exchange_take_body(x, &body);
    if (!check_body(x, buf_str(&body), &summary)) {
        return;
    }
    count_taken(r, body.len, &summary.extras);
    if (summary.samples == 0) {
        answer_without_samples(x, &summary.extras);
        return;
    }
    give(x, make_batch(r, &body, summary.samples));
}

const struct http_handler receive_remote_write = {.begin = begin, .end = end};
