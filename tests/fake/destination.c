#include "fake/destination.h"

#include "base/mem.h"

#include <string.h>

void destination_init(struct destination *d)
{
    *d = (struct destination){0};
    lock_init(&d->lock);
    cond_init(&d->changed);
    buf_init(&d->tried, BUF_UNLIMITED);
    buf_init(&d->labels, BUF_UNLIMITED);
}

void destination_release(struct destination *d)
{
    INVARIANT(d->leaves == 0);
    vec_release(&d->got);
    vec_release(&d->got_at_ns);
    buf_release(&d->tried);
    buf_release(&d->labels);
    cond_release(&d->changed);
    lock_release(&d->lock);
}

void destination_plan(struct destination *d, struct destination_step step)
{
    lock_take(&d->lock);
    INVARIANT(d->step_count < DESTINATION_STEPS);
    step.times = step.times > 0 ? step.times : 1;
    d->steps[d->step_count++] = step;
    lock_give(&d->lock);
}

void destination_refuse(struct destination *d, enum verdict verdict)
{
    destination_plan(d, (struct destination_step){.rest = verdict, .times = UINT32_MAX});
}

void destination_set_probed(struct destination *d, enum probed probed)
{
    lock_take(&d->lock);
    d->probed = probed;
    lock_give(&d->lock);
}

void destination_hang_probes(struct destination *d)
{
    lock_take(&d->lock);
    d->probes_hang = true;
    lock_give(&d->lock);
}

void destination_forget(struct destination *d)
{
    lock_take(&d->lock);
    d->step = 0;
    d->step_count = 0;
    d->calls = 0;
    d->got.len = 0;
    d->got_at_ns.len = 0;
    buf_clear(&d->tried);
    lock_give(&d->lock);
}

static int64_t patience(void)
{
    return clock_deadline_ms(clock_system(), DESTINATION_PATIENCE_MS);
}

bool destination_wait(struct destination *d, size_t count)
{
    int64_t deadline_ns = patience();
    bool waiting = true;

    lock_take(&d->lock);
    while (d->got.len < count && waiting) {
        waiting = cond_wait_until(&d->changed, &d->lock, deadline_ns);
    }
    bool ok = d->got.len >= count;
    lock_give(&d->lock);
    return ok;
}

bool destination_wait_calls(struct destination *d, uint32_t count)
{
    int64_t deadline_ns = patience();
    bool waiting = true;

    lock_take(&d->lock);
    while (d->calls < count && waiting) {
        waiting = cond_wait_until(&d->changed, &d->lock, deadline_ns);
    }
    bool ok = d->calls >= count;
    lock_give(&d->lock);
    return ok;
}

bool destination_wait_probes(struct destination *d, uint32_t count)
{
    int64_t deadline_ns = patience();
    bool waiting = true;

    lock_take(&d->lock);
    uint32_t want = d->probes + count;
    while (d->probes < want && waiting) {
        waiting = cond_wait_until(&d->changed, &d->lock, deadline_ns);
    }
    bool ok = d->probes >= want;
    lock_give(&d->lock);
    return ok;
}

static char *text_of(const struct buf *b)
{
    struct str text = buf_str(b);

    return mem_dup_text(text.ptr, text.len);
}

char *destination_got(struct destination *d)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    lock_take(&d->lock);
    for (size_t i = 0; i < d->got.len; i++) {
        buf_addf(&text, "%s%.0f", i > 0 ? " " : "", d->got.items[i]);
    }
    lock_give(&d->lock);
    return text_of(&text);
}

char *destination_tried(struct destination *d)
{
    lock_take(&d->lock);
    char *text = text_of(&d->tried);
    lock_give(&d->lock);
    return text;
}

/* ---- the leaf ---- */

struct leaf {
    struct sink sink;
    struct destination *destination;
};

static double row_value(struct view view, uint32_t i)
{
    const struct samples *samples = NULL;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    if (batch_info(view.batch)->kind == RECORD_ALERT) {
        INVARIANT(batch_alerts(view.batch, &alerts, &e));
        return alerts->rows[view_row(view, i)].value;
    }
    INVARIANT(batch_samples(view.batch, &samples, &e));
    return samples->value[view_row(view, i)];
}

static const struct labels *row_labels(struct view view, uint32_t i)
{
    const struct samples *samples = NULL;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;
    uint32_t row = view_row(view, i);

    if (batch_info(view.batch)->kind == RECORD_ALERT) {
        INVARIANT(batch_alerts(view.batch, &alerts, &e));
        return alerts->rows[row].labels;
    }
    INVARIANT(batch_samples(view.batch, &samples, &e));
    return samples->series[samples->series_of[row]];
}

static struct destination_step next_step(struct destination *d, struct view view) REQUIRES(&d->lock)
{
    struct destination_step step = {.rest = VERDICT_DELIVERED, .settled = SETTLED_ALL};

    d->calls++;
    for (uint32_t i = 0; i < view.n; i++) {
        buf_addf(&d->tried, "%s%.0f",
                 i > 0              ? " "
                 : d->tried.len > 0 ? "|"
                                    : "",
                 row_value(view, i));
    }
    if (d->step < d->step_count) {
        step = d->steps[d->step];
        d->steps[d->step].times -= step.times != UINT32_MAX;
        d->step += step.times == 1;
    }
    return step;
}

static bool is_excepted(const struct destination_step *step, uint32_t row)
{
    for (size_t i = 0; i < DESTINATION_EXCEPTIONS; i++) {
        if (step->except[i].reason != NULL && step->except[i].index == row) {
            return true;
        }
    }
    return false;
}

static void take_rows(struct destination *d, const struct destination_step *step, struct view view)
    REQUIRES(&d->lock)
{
    for (uint32_t i = 0; i < view.n; i++) {
        bool has_it = i < step->settled || step->rest == VERDICT_DELIVERED;
        if (has_it && !is_excepted(step, i)) {
            vec_push(&d->got, row_value(view, i));
            buf_clear(&d->labels);
            labels_print(row_labels(view, i), &d->labels);
            vec_push(&d->got_at_ns, clock_mono_ns(clock_system()));
        }
    }
}

static void leaf_deliver(struct sink *s, struct view view, struct wait wait, struct outcome *ret)
{
    struct leaf *leaf = (struct leaf *)s;
    struct destination *d = leaf->destination;

    lock_take(&d->lock);
    struct destination_step step = next_step(d, view);
    take_rows(d, &step, view);
    cond_broadcast(&d->changed);
    lock_give(&d->lock);
    if (step.hangs) {
        (void)wait_sleep(wait);
    }
    ret->settled = step.settled < view.n ? step.settled : view.n;
    ret->rest = step.rest;
    ret->held_back = step.held_back;
    ret->status = step.status;
    ret->bytes = step.bytes;
    ret->retry_after_ms = step.retry_after_ms;
    for (size_t i = 0; i < DESTINATION_EXCEPTIONS; i++) {
        if (step.except[i].reason != NULL) {
            outcome_except(ret, step.except[i].index, step.except[i].verdict,
                           step.except[i].reason);
        }
    }
    if (step.message != NULL) {
        (void)err_set(&ret->err, ERR_NET, "%s", step.message);
    }
}

static enum probed leaf_probe(struct sink *s, struct wait wait, struct err *e)
{
    struct destination *d = ((struct leaf *)s)->destination;

    lock_take(&d->lock);
    enum probed probed = d->probed;
    bool hangs = d->probes_hang;
    d->probes++;
    cond_broadcast(&d->changed);
    lock_give(&d->lock);
    if (hangs) {
        (void)wait_sleep(wait);
    }
    if (probed == PROBED_FAILED) {
        (void)err_set(e, ERR_NET, "nobody is there");
    }
    return probed;
}

static bool leaf_flush(struct sink *s, struct err *e)
{
    struct destination *d = ((struct leaf *)s)->destination;

    (void)e;
    lock_take(&d->lock);
    d->flushes++;
    lock_give(&d->lock);
    return true;
}

static void leaf_close(struct sink *s)
{
    struct leaf *leaf = (struct leaf *)s;

    lock_take(&leaf->destination->lock);
    leaf->destination->leaves--;
    lock_give(&leaf->destination->lock);
    mem_free(leaf);
}

static const struct sink_ops leaf_ops = {
    .deliver = leaf_deliver, .probe = leaf_probe, .flush = leaf_flush, .close = leaf_close};

static bool fake_open(const struct exporter_place *place, const void *config,
                      struct sink **ret_sink, struct err *e)
{
    const struct fake_config *c = config;

    (void)place;
    if (c->refuses_open) {
        return err_set(e, ERR_CONFIG, "this one does not open");
    }
    struct leaf *leaf = mem_new(struct leaf);
    leaf->sink.ops = &leaf_ops;
    leaf->destination = c->destination;
    lock_take(&c->destination->lock);
    c->destination->leaves++;
    lock_give(&c->destination->lock);
    *ret_sink = &leaf->sink;
    return true;
}

const struct exporter_kind fake_kind = {
    .name = "fake", .takes = TAKES(RECORD_SAMPLE) | TAKES(RECORD_ALERT), .open = fake_open};
const struct exporter_kind fake_kind_series = {.name = "fake_series",
                                               .takes = TAKES(RECORD_SAMPLE),
                                               .caps = EXPORTER_SERIES,
                                               .open = fake_open};
const struct exporter_kind fake_kind_samples = {
    .name = "fake_samples", .takes = TAKES(RECORD_SAMPLE), .open = fake_open};
const struct exporter_kind fake_kind_alerts = {
    .name = "fake_alerts", .takes = TAKES(RECORD_ALERT), .open = fake_open};

void fake_config_init(struct fake_config *config, struct destination *d)
{
    *config =
        (struct fake_config){.common = {.retry = {.backoff = {.initial_delay_ns = NS_PER_MS,
                                                              .max_delay_ns = NS_PER_MS,
                                                              .multiplier = 1,
                                                              .jitter = JITTER_FALSE},
                                                  .max_age_ns = INT64_C(24) * 3600 * NS_PER_S},
                                        .buffer = {.fsync = FSYNC_INTERVAL,
                                                   .buffer_size = 1,
                                                   .flush_on_shutdown = true,
                                                   .max_memory_bytes = INT64_C(1024) * 1024,
                                                   .lanes = 1}},
                             .destination = d};
}
