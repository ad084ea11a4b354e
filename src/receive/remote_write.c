/* Remote write 1.0 and 2.0: what a push must look like, what is said to one that does not, and where it goes. */
#include "wire/remote_write.h"
#include "base/budget.h"
#include "base/mem.h"
#include "base/varint.h"
#include "receive/receive_int.h"
#include "wire/compress.h"
#include "wire/rw2.h"

#include <stdio.h>

enum { NO_CONTENT = 204 };

/* ---- the head ---- */

/* Versions by the message that they carry, which Content-Type names; without a name it is the first. */
enum version { VERSION_1, VERSION_2, VERSIONS };
static const char *const messages[VERSIONS] = {"prometheus.WriteRequest",
                                               "io.prometheus.write.v2.Request"};

/* The value of the parameter "proto"; empty without it. */
static struct str proto_of(struct str type)
{
    struct str part = STR("");

    while (str_split(&type, ';', &part)) {
        struct str trimmed = str_trim(part);
        if (str_starts(trimmed, STR("proto="))) {
            struct str value = str_slice(trimmed, 6, trimmed.len);
            bool is_quoted = value.len >= 2 && value.ptr[0] == '"';
            return is_quoted ? str_slice(value, 1, value.len - 2) : value;
        }
    }
    return STR("");
}

/* Which version it is, as far as Content-Type tells; false when it is none that we know. */
static bool version_of(struct http_exchange *x, enum version *ret)
{
    struct str proto = proto_of(http_exchange_header(x, "Content-Type"));

    *ret = VERSION_1;
    for (size_t i = 0; i < VERSIONS; i++) {
        if (str_eq(proto, str_of(messages[i]))) {
            *ret = (enum version)i;
            return true;
        }
    }
    return proto.len == 0;
}

/* Is it remote write, as far as its headers tell? */
static bool check_headers(struct http_exchange *x, struct err *e)
{
    static const char *const types[] = {"application/x-protobuf", "application/protobuf", NULL};
    static const char *const encodings[] = {"snappy", NULL};
    struct str type = http_exchange_header(x, "Content-Type");
    struct str encoding = http_exchange_header(x, "Content-Encoding");
    struct str said = http_exchange_header(x, "X-Prometheus-Remote-Write-Version");
    enum version version;

    if (!header_is_one_of(header_value(type), types) || !version_of(x, &version)) {
        return err_set(e, ERR_CONFIG,
                       "Content-Type '%.*s' is not taken here; send %s with proto=%s or proto=%s",
                       STR_FMT(str_slice(type, 0, 100)), types[0], messages[0], messages[1]);
    }
    if (version == VERSION_1 && str_starts(said, STR("2"))) {
        return err_set(e, ERR_CONFIG,
                       "version %.*s is said, but Content-Type does not say proto=%s",
                       STR_FMT(str_slice(said, 0, 20)), messages[VERSION_2]);
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

/* A push as it is looked at. */
struct look {
    struct buf body; /* as sent; of 2.0 becomes one of 1.0 */
    enum version version;
    size_t decoded_max;
    struct rw2_summary found;
};

/* Symbols are written out, so the message grows; packed again it is about what it was. */
static bool turn(struct receiver *r, struct str message, struct look *l, struct err *e)
{
    struct buf turned = receiver_buffer(r, l->decoded_max);
    struct buf packed = BUF_INIT(BUF_UNLIMITED);

    bool ok = rw2_to_rw1(message, &turned, &l->found, e) &&
              compression_snappy.pack(buf_str(&turned), &packed, e);
    receiver_give_buffer(r, &turned);
    if (!ok) {
        buf_release(&packed);
        return false;
    }
    buf_release(&l->body);
    l->body = packed;
    return true;
}

/* Puts what is known of the series in front of a body that says nothing of them. */
static bool add_known(struct receiver *r, struct str message, struct look *l, struct err *e)
{
    AUTO(buf_release) struct buf said = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
    struct buf joined = BUF_INIT(BUF_UNLIMITED);

    known_families_say(&r->known, message, &said);
    if (said.len == 0 || message.len + said.len > RW1_MESSAGE_MAX) {
        return true;
    }
    bool ok = compression_snappy.pack(buf_str(&said), &packed, e);
    const struct str parts[] = {buf_str(&packed), buf_str(&l->body)};
    if (!ok || !snappy_join(parts, ARRAY_LEN(parts), RW1_MESSAGE_MAX, &joined, e)) {
        buf_release(&joined);
        return false;
    }
    buf_release(&l->body);
    l->body = joined;
    return true;
}

/* Does somebody want to know what samples are who say nothing of it? */
static bool wants_known(struct receiver *r, const struct look *l)
{
    struct plan *plan = atomic_load(&r->plan);

    return l->found.rw1.samples > 0 && known_families_any(&r->known) && plan != NULL &&
           plan_says_types(plan);
}

static void learn(struct receiver *r, struct str message)
{
    uint32_t left_out = known_families_learn(&r->known, message, clock_mono_ns(r->env->clock));

    if (left_out > 0) {
        receiver_told(r, &r->unremembered, left_out,
                      "senders say of more metrics what they are than is remembered");
    }
}

/* Of 1.0 what it says of metrics may come by itself. */
static bool look_at_1(struct receiver *r, struct str message, struct look *l, struct err *e)
{
    if (!rw1_scan(message, &l->found.rw1, e)) {
        return false;
    }
    if (l->found.rw1.extras.metadata > 0) {
        learn(r, message);
        return true;
    }
    return !wants_known(r, l) || add_known(r, message, l, e);
}

/* Unpacks and goes through a body once. False when it is not what it says. */
static bool look_through(struct receiver *r, struct look *l, struct err *e)
{
    struct buf message = receiver_buffer(r, l->decoded_max);

    bool ok = compression_snappy.unpack(buf_str(&l->body), l->decoded_max, &message, e) &&
              (l->version == VERSION_2 ? turn : look_at_1)(r, buf_str(&message), l, e);
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

/* What looking through takes, 0 for what will be refused without unpacking. */
static int64_t memory_need(const struct look *l)
{
    enum { GROWTH = 16 }; /* of 2.0 with its symbols written out */
    int64_t max = (int64_t)l->decoded_max;
    int64_t need = decoded_length(buf_str(&l->body));

    if (need > max) {
        return 0;
    }
    return l->version == VERSION_1 ? need : need + (need > max / GROWTH ? max : need * GROWTH);
}

/* Looks through the body with its memory taken from the budget; answers what cannot be taken. */
static bool check_body(struct http_exchange *x, struct look *l)
{
    struct receiver *r = receiver_of(x);
    struct budget *budget = r->env->budget;
    struct err e = ERR_INIT;

    l->decoded_max = (size_t)receiver_config(r).max_decoded_bytes;
    int64_t need = memory_need(l);
    if (budget != NULL && !budget_try_take(budget, need)) {
        receiver_refuse_busy(x, RECEIVE_MEMORY_S, "no memory is left to unpack this");
        return false;
    }
    bool ok = look_through(r, l, &e);
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

static void count_taken(struct receiver *r, size_t bytes, const struct rw2_summary *found)
{
    const struct rw1_extras *extras = &found->rw1.extras;

    metric_add(r->metrics.bytes, bytes);
    metric_add(r->metrics.extras[EXTRA_HISTOGRAM], extras->histograms);
    metric_add(r->metrics.extras[EXTRA_EXEMPLAR], extras->exemplars);
    metric_add(r->metrics.extras[EXTRA_METADATA], extras->metadata);
    metric_add(r->metrics.extras[EXTRA_START_TIME], found->start_times);
}

/* ---- the answer ---- */

/* 204 with how much of what was taken; of 1.0 nobody asks. */
static void answer_written(struct http_exchange *x, enum version version, uint32_t samples,
                           const struct rw1_extras *extras)
{
    static const char *const names[] = {"X-Prometheus-Remote-Write-Samples-Written",
                                        "X-Prometheus-Remote-Write-Histograms-Written",
                                        "X-Prometheus-Remote-Write-Exemplars-Written"};
    const uint32_t counts[] = {samples, extras->histograms, extras->exemplars};
    struct http_header headers[ARRAY_LEN(names)];
    char texts[ARRAY_LEN(names)][16];

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "%u", counts[i]);
        headers[i] = (struct http_header){str_of(names[i]), str_of(texts[i])};
    }
    const struct http_answer answer = {.status = NO_CONTENT,
                                       .headers = headers,
                                       .header_count =
                                           version == VERSION_2 ? ARRAY_LEN(headers) : 0};
    (void)http_exchange_answer(x, &answer);
}

/*
 * Metadata alone, which were learned; or histograms alone, which is a loss. A sender of 2.0 is told of that,
 * one of 1.0 cannot be: it would drop everything else with it.
 */
static void answer_without_samples(struct http_exchange *x, const struct look *l)
{
    static const struct rw1_extras none = {0};
    struct receiver *r = receiver_of(x);
    const struct rw1_extras *extras = &l->found.rw1.extras;
    struct err e = ERR_INIT;

    if (extras->histograms > 0) {
        receiver_dropped(r, &r->sampleless, DROP_NO_SAMPLES, extras->histograms,
                         "pushes of native histograms without any sample were received; they go "
                         "nowhere");
    }
    if (extras->histograms > 0 && l->version == VERSION_2) {
        (void)err_set(&e, ERR_CONFIG,
                      "%u native histograms without any sample beside them are not taken here",
                      extras->histograms);
        receiver_refuse(x, RECEIVE_BAD_REQUEST, "unsupported", &e);
        return;
    }
    answer_written(x, l->version, 0, &none);
    receive_count_answer(&r->metrics, NO_CONTENT);
}

/* A push of samples on its way to its answer. */
struct samples_push {
    struct push push;
    enum version version;
    uint32_t samples;
    struct rw1_extras extras;
};

static int answer(struct push *push)
{
    const struct samples_push *p = (const struct samples_push *)(const void *)push;

    answer_written(push->exchange, p->version, p->samples, &p->extras);
    return NO_CONTENT;
}

static const struct push_kind samples_push = {.answer = answer};

/* The body becomes the batch's bytes, as it came. */
static struct batch *make_batch(struct receiver *r, struct buf *body, uint32_t samples)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("receive"), .time_ns = clock_wall_ns(r->env->clock)};
    size_t len = body->len;

    return batch_from_bytes(&codec_rw1, str_make(buf_take(body), len), false, &info, samples);
}

/* Gives the batch if there is room at once, and leaves the rest to the acker. */
static void give(struct http_exchange *x, const struct look *l, struct batch *b)
{
    struct receiver *r = receiver_of(x);
    struct samples_push *p = mem_new(struct samples_push);
    struct push *push = &p->push;
    const struct give how = {.wait = {0, NULL}};
    struct err ignored = ERR_INIT;

    *p = (struct samples_push){.push = {.kind = &samples_push,
                                        .exchange = http_exchange_hold(x),
                                        .plan = atomic_load(&r->plan),
                                        .batch = b,
                                        .came_mono_ns = clock_mono_ns(r->env->clock)},
                               .version = l->version,
                               .samples = l->found.rw1.samples,
                               .extras = l->found.rw1.extras};
    if (plan_offer(push->plan, b, &how, &push->receipt, &ignored)) {
        receiver_given(r, push, batch_rows(b));
        batch_unref(TAKE(push->batch));
    }
    acker_push(r->acker, push);
}

static void end(struct http_exchange *x)
{
    struct receiver *r = receiver_of(x);
    struct look l = {.body = BUF_INIT(0)};

    (void)version_of(x, &l.version);
    http_exchange_take_body(x, &l.body);
    size_t sent = l.body.len;
    if (check_body(x, &l)) {
        count_taken(r, sent, &l.found);
        if (l.found.rw1.samples == 0) {
            answer_without_samples(x, &l);
        } else {
            give(x, &l, make_batch(r, &l.body, l.found.rw1.samples));
        }
    }
    buf_release(&l.body);
}

const struct http_handler receive_remote_write = {.begin = begin, .end = end};
