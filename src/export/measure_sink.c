/*
 * The mapping of profiles to samples, around an exporter that knows samples.
 *
 * A profile is as well off as the worst of its samples. Those that are delivered again with it when it is
 * tried again are the same samples, at the same time.
 */
#include "export/measures.h"

#include "base/mem.h"
#include "export/http_sink.h"
#include "export/outcome_rows.h"

struct measure_sink {
    struct sink sink;
    struct sink *inner;
    struct measures *measures;
};

/* How bad a verdict is for the row that it is a part of. */
static unsigned badness(enum verdict v)
{
    static const uint8_t bad[VERDICTS] = {
        [VERDICT_DELIVERED] = 0, [VERDICT_HELD] = 1,    [VERDICT_REJECTED] = 2,
        [VERDICT_RETRY] = 3,     [VERDICT_UNKNOWN] = 4, [VERDICT_HALT] = 5,
    };

    return bad[v];
}

static struct fate worst_of(const struct fate *fates, uint32_t from, uint32_t end)
{
    struct fate worst = {VERDICT_DELIVERED, ""};

    for (uint32_t i = from; i < end; i++) {
        if (badness(fates[i].verdict) > badness(worst.verdict)) {
            worst = fates[i];
        }
    }
    return worst;
}

/* What became of samples becomes what became of <n> profiles. */
static void reword(struct outcome *ret, const uint32_t *first, uint32_t n)
{
    struct fate *fates = outcome_fates(ret, first[n]);
    struct exceptions of_samples = ret->except;
    uint32_t settled = 0;

    ret->except = (struct exceptions){0};
    while (settled < n && first[settled + 1] <= ret->settled) {
        settled++;
    }
    ret->settled = settled;
    for (uint32_t i = 0; i < n; i++) {
        struct fate fate = worst_of(fates, first[i], first[i + 1]);
        bool is_told = i < settled ? fate.verdict != VERDICT_DELIVERED
                                   : !verdict_is_owed(ret->rest) && fate.verdict != ret->rest;
        if (is_told) {
            outcome_except(ret, i, fate.verdict, fate.reason);
        }
    }
    mem_free(fates); /* its reasons are of the exceptions of samples */
    vec_release(&of_samples.list);
}

static void deliver_profiles(struct measure_sink *s, struct view view, struct wait wait,
                             struct outcome *ret)
{
    AUTO(batch_autounref) struct batch *samples = NULL;
    uint32_t *first = NULL;

    if (!measures_make(s->measures, view, &samples, &first, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    if (first[view.n] == 0) {
        outcome_settle(ret, view.n); /* nothing but texts */
    } else {
        s->inner->ops->deliver(s->inner, view_all(samples), wait, ret);
        reword(ret, first, view.n);
    }
    mem_free(first);
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct measure_sink *s = (struct measure_sink *)sink;

    if (batch_info(view.batch)->kind == RECORD_PROFILE) {
        deliver_profiles(s, view, wait, ret);
    } else {
        s->inner->ops->deliver(s->inner, view, wait, ret);
    }
}

static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    return sink_probe(((struct measure_sink *)sink)->inner, wait, e);
}

static bool flush(struct sink *sink, struct err *e)
{
    struct sink *inner = ((struct measure_sink *)sink)->inner;

    return inner->ops->flush == NULL || inner->ops->flush(inner, e);
}

static void close_sink(struct sink *sink)
{
    struct measure_sink *s = (struct measure_sink *)sink;

    sink_close(s->inner);
    measures_free(s->measures);
    mem_free(s);
}

static const struct sink_ops ops = {
    .deliver = deliver, .probe = probe, .flush = flush, .close = close_sink};

bool measure_sink_open(const struct measure_options *options, struct sink **sink, struct err *e)
{
    struct measures *measures = NULL;

    if (!measures_compile(options, &measures, e)) {
        return false;
    }
    struct measure_sink *s = mem_new(struct measure_sink);
    s->sink.ops = &ops;
    s->inner = *sink;
    s->measures = measures;
    *sink = &s->sink;
    return true;
}

bool measure_http_open(const struct http_exporter *exporter, const struct exporter_place *place,
                       const void *config, const struct measure_options *options,
                       struct sink **ret_sink, struct err *e)
{
    struct sink *sink = NULL;

    if (!http_sink_open(exporter, place, config, &sink, e)) {
        return false;
    }
    if (!measure_sink_open(options, &sink, e)) {
        sink_close(sink);
        return false;
    }
    *ret_sink = sink;
    return true;
}
