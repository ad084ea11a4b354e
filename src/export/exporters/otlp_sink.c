/*
 * Each signal has a copy of the config whose URL is the signal's, so that credentials go where it says.
 * A signal that has no address has no leaf: its rows are left out and counted.
 */
#include "export/exporters/otlp_sink.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "export/stages/around.h"

#include <string.h>

struct otlp_sink {
    struct around around; /* its inner one is that of the signal at hand */
    struct sink *leaves[OTLP_SIGNALS];
    struct otlp_config configs[OTLP_SIGNALS];
    struct arena arena; /* of URLs */
    struct kept_rows kept;
    struct metric *sampled;
    struct metric *addressless;
};

/* ---- the sampler ---- */

/* The last eight bytes less one bit, as a part of all there can be: what OpenTelemetry's SDKs compare. */
static bool is_below(const uint8_t *trace_id, double rate)
{
    uint64_t id = 0;

    for (size_t i = TRACE_ID_BYTES / 2; i < TRACE_ID_BYTES; i++) {
        id = id << 8 | trace_id[i];
    }
    return rate >= 1 || (double)(id >> 1) < rate * 0x1p63;
}

bool otlp_keeps_trace(const struct otlp_config *c, const uint8_t *trace_id)
{
    static const enum otlp_sampler plain[OTLP_SAMPLERS] = {
        [OTLP_PARENT_ON] = OTLP_ALWAYS_ON,   [OTLP_PARENT_OFF] = OTLP_ALWAYS_OFF,
        [OTLP_PARENT_RATIO] = OTLP_RATIO,    [OTLP_ALWAYS_ON] = OTLP_ALWAYS_ON,
        [OTLP_ALWAYS_OFF] = OTLP_ALWAYS_OFF, [OTLP_RATIO] = OTLP_RATIO,
    };
    enum otlp_sampler sampler = plain[c->sampler];

    return sampler == OTLP_ALWAYS_ON ||
           (sampler == OTLP_RATIO && is_below(trace_id, c->sample_rate));
}

static bool is_kept(const struct otlp_config *c, const struct span_part *s)
{
    bool is_child = !span_id_is_none(s->parent_id, SPAN_ID_BYTES);

    return (c->create_child_spans || !is_child) && otlp_keeps_trace(c, s->trace_id);
}

static bool choose(struct otlp_sink *s, struct view view, struct err *e)
{
    const struct notes *notes = NULL;

    if (!batch_notes(view.batch, &notes, e)) {
        return false;
    }
    kept_rows_clear(&s->kept);
    for (uint32_t i = 0; i < view.n; i++) {
        const struct span_part *span = notes->rows[view_row(view, i)].span;
        if (span == NULL || is_kept(&s->configs[OTLP_TRACES], span)) {
            kept_rows_add(&s->kept, view, i);
        }
    }
    return true;
}

/* ---- the sink ---- */

static void deliver_spans(struct otlp_sink *s, struct view view, struct wait wait,
                          struct outcome *ret)
{
    if (!choose(s, view, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
    } else if (s->kept.index.len == view.n) {
        s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
    } else {
        metric_add(s->sampled, around_deliver(&s->around, view, view.batch, &s->kept, wait, ret));
    }
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct otlp_sink *s = (struct otlp_sink *)sink;
    bool are_spans = batch_info(view.batch)->kind == RECORD_SPAN;

    s->around.inner = s->leaves[are_spans ? OTLP_TRACES : OTLP_METRICS];
    if (s->around.inner == NULL) {
        kept_rows_clear(&s->kept);
        metric_add(s->addressless,
                   around_deliver(&s->around, view, view.batch, &s->kept, wait, ret));
    } else if (are_spans) {
        deliver_spans(s, view, wait, ret);
    } else {
        s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
    }
}

/* Those that do not know are not asked again; one that fails says so for both. */
static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct otlp_sink *s = (struct otlp_sink *)sink;
    enum probed worst = PROBED_NOBODY;

    for (int i = 0; i < OTLP_SIGNALS && worst != PROBED_FAILED; i++) {
        enum probed probed =
            s->leaves[i] != NULL ? sink_probe(s->leaves[i], wait, e) : PROBED_NOBODY;
        worst = probed > worst ? probed : worst;
    }
    return worst;
}

static void close_sink(struct sink *sink)
{
    struct otlp_sink *s = (struct otlp_sink *)sink;

    for (int i = 0; i < OTLP_SIGNALS; i++) {
        sink_close(s->leaves[i]);
    }
    kept_rows_release(&s->kept);
    metric_drop(s->sampled);
    metric_drop(s->addressless);
    arena_release(&s->arena);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver, .probe = probe, .close = close_sink};

static bool open_leaf(struct otlp_sink *s, enum otlp_signal signal,
                      const struct http_exporter *exporter, const struct exporter_place *place,
                      struct err *e)
{
    struct otlp_config *c = &s->configs[signal];
    struct str url = otlp_url(c, signal, &s->arena);

    if (url.len == 0) {
        return true;
    }
    otlp_make_own(c, signal, url, &s->arena);
    *(signal == OTLP_METRICS ? &c->metrics_endpoint : &c->traces_endpoint) = url;
    return signal == OTLP_METRICS
               ? measure_http_open(exporter, place, c, &c->measures, &s->leaves[signal], e)
               : http_sink_open(exporter, place, c, &s->leaves[signal], e);
}

bool otlp_sink_open(const struct http_exporter *exporter, const struct exporter_place *place,
                    const struct otlp_config *config, struct sink **ret_sink, struct err *e)
{
    struct otlp_sink *s = mem_new(struct otlp_sink);

    s->around.sink.ops = &ops;
    arena_init(&s->arena, ARENA_UNLIMITED);
    s->sampled = around_filtered_metric(place, "sample");
    s->addressless = around_filtered_metric(place, "no endpoint");
    for (int i = 0; i < OTLP_SIGNALS; i++) {
        s->configs[i] = *config;
        if (!open_leaf(s, (enum otlp_signal)i, exporter, place, e)) {
            sink_close(&s->around.sink);
            return false;
        }
    }
    *ret_sink = &s->around.sink;
    return true;
}
