#include "receive/otlp_take.h"

#include "base/budget.h"
#include "wire/compress.h"
#include "wire/notes.h"
#include "wire/remote_write.h"

/* JSON is read twice: as protobuf, and that as records. */
enum { ARENA_SHARE = 32, JSON_SHARE = 34, ARENA_LEAST = 1 << 20 };

/* ---- reading ---- */

static struct batch *read_metrics(struct str message, const struct otlp_limits *limits,
                                  struct otlp_extras *ret_extras, struct err *e)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("receive"), .time_ns = limits->now_ns};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct samples samples;

    if (!otlp_metrics_read(message, limits, batch_arena(b), &samples, ret_extras, e)) {
        batch_set_samples(b, (struct samples){0});
        batch_unref(b);
        return NULL;
    }
    batch_set_samples(b, samples);
    return b;
}

static struct batch *read_traces(struct str message, const struct otlp_limits *limits,
                                 struct otlp_extras *ret_extras, struct err *e)
{
    const struct batch_info info = {
        .kind = RECORD_SPAN, .origin = STR("receive"), .time_ns = limits->now_ns};
    AUTO(arena_release) struct arena a;
    struct notes notes;

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

const struct otlp_signal otlp_metrics = {
    .kind = RECORD_SAMPLE,
    .nobody = "no exporter takes samples here",
    .request = OTLP_METRICS_REQUEST,
    .response = OTLP_METRICS_RESPONSE,
    .read = read_metrics,
};
const struct otlp_signal otlp_traces = {
    .kind = RECORD_SPAN,
    .nobody = "no exporter takes spans here",
    .request = OTLP_TRACES_REQUEST,
    .response = OTLP_TRACES_RESPONSE,
    .read = read_traces,
};

/* ---- giving ---- */

static uint64_t left_out(const struct otlp_extras *extras)
{
    return extras->exponential + extras->nameless + extras->bad;
}

void otlp_add_partial(const struct otlp_extras *extras, struct buf *message)
{
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
    otlp_partial_write(&partial, message);
}

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

static enum otlp_fate give(struct receiver *r, const struct otlp_signal *signal, struct batch *b,
                           struct otlp_push *p, struct err *e)
{
    const struct give how = {.wait = {0, NULL}};
    struct err ignored = ERR_INIT;

    p->push.plan = atomic_load(&r->plan);
    p->push.receipt = (struct receipt){.kind = signal->kind};
    p->push.came_mono_ns = clock_mono_ns(r->env->clock);
    if (!plan_offer(p->push.plan, b, &how, &p->push.receipt, &ignored)) {
        (void)err_set(e, ERR_LIMIT, "there is no room for this just now");
        return OTLP_BUSY;
    }
    count_given(r, &p->push, signal->kind, batch_rows(b));
    return OTLP_GIVEN;
}

/* ---- the body ---- */

static enum otlp_fate refused(const struct err *e)
{
    return e->code == ERR_LIMIT ? OTLP_TOO_LARGE : OTLP_BAD;
}

static enum otlp_fate take_message(struct receiver *r, const struct otlp_signal *signal,
                                   struct str message, struct otlp_push *p, struct err *e)
{
    const struct otlp_limits limits = {clock_wall_ns(r->env->clock),
                                       (size_t)receiver_config(r).max_decoded_bytes};
    AUTO(batch_autounref)
    struct batch *b = signal->read(message, &limits, &p->extras, e);

    if (b == NULL) {
        return refused(e);
    }
    count_extras(r, &p->extras);
    return batch_rows(b) == 0 ? OTLP_EMPTY : give(r, signal, b, p, e);
}

static enum otlp_fate take_json(struct receiver *r, const struct otlp_signal *signal,
                                struct str json, struct otlp_push *p, struct err *e)
{
    size_t max = (size_t)receiver_config(r).max_decoded_bytes;
    AUTO(arena_release) struct arena a;
    struct buf message = receiver_buffer(r, max);

    arena_init(&a, max);
    enum otlp_fate fate = otlp_json_read(signal->request, json, &a, &message, e)
                              ? take_message(r, signal, buf_str(&message), p, e)
                              : refused(e);
    receiver_give_buffer(r, &message);
    return fate;
}

static enum otlp_fate take_plain(struct receiver *r, const struct otlp_signal *signal,
                                 const struct otlp_body *body, struct otlp_push *p, struct err *e)
{
    return (body->is_json ? take_json : take_message)(r, signal, body->bytes, p, e);
}

/* Takes what reading these bytes may need from the budget, and reads them. */
static enum otlp_fate take_measured(struct receiver *r, const struct otlp_signal *signal,
                                    const struct otlp_body *body, struct otlp_push *p,
                                    struct err *e)
{
    struct budget *budget = r->env->budget;
    size_t max = (size_t)receiver_config(r).max_decoded_bytes * (body->is_json ? 3 : 1);
    size_t need = body->bytes.len * (body->is_json ? JSON_SHARE : ARENA_SHARE) + ARENA_LEAST;

    need = need < max ? need : max;
    if (budget != NULL && !budget_try_take(budget, (int64_t)need)) {
        (void)err_set(e, ERR_LIMIT, "no memory is left to read this");
        return OTLP_BUSY;
    }
    enum otlp_fate fate = take_plain(r, signal, body, p, e);
    if (budget != NULL) {
        budget_give(budget, (int64_t)need);
    }
    return fate;
}

/* How large it is unpacked is known when it is there: at most max_decoded for each thread that reads. */
static enum otlp_fate take_gzip(struct receiver *r, const struct otlp_signal *signal,
                                const struct otlp_body *body, struct otlp_push *p, struct err *e)
{
    struct buf plain = receiver_buffer(r, (size_t)receiver_config(r).max_decoded_bytes);
    enum otlp_fate fate = OTLP_BAD;

    if (compression_gzip.unpack(body->bytes, plain.max, &plain, e)) {
        const struct otlp_body unpacked = {buf_str(&plain), false, body->is_json};
        fate = take_measured(r, signal, &unpacked, p, e);
    } else {
        fate = refused(e);
    }
    receiver_give_buffer(r, &plain);
    return fate;
}

enum otlp_fate otlp_take(struct receiver *r, const struct otlp_signal *signal,
                         const struct otlp_body *body, struct otlp_push *p, struct err *e)
{
    enum otlp_fate fate = (body->is_gzip ? take_gzip : take_measured)(r, signal, body, p, e);

    if (fate == OTLP_GIVEN || fate == OTLP_EMPTY) {
        metric_add(r->metrics.bytes, body->bytes.len);
    }
    return fate;
}
