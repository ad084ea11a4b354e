/*
 * A part of the records, always the same part: what decides is a hash of the series (or of the series
 * and the time), not chance, so that a retry and another process choose alike.
 */
#include "export/exporters/exporters.h"

#include "base/mem.h"
#include "base/metrics.h"
#include "export/combinator.h"
#include "export/stages/around.h"

enum sample_by { BY_SERIES, BY_RECORD };

struct sample_config {
    struct combinator_common common;
    double rate;
    int by; /* enum sample_by */
};

struct sample_sink {
    struct around around;
    const struct sample_config *config;
    uint64_t below; /* hashes that are in */
    struct kept_rows kept;
    struct metric *filtered;
};

static const char *const alias_rate[] = {"rate", "trace_sample_rate", NULL};
static const char *const bys[] = {"series", "record", NULL};

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    {.name = "sample_rate",
     .aliases = alias_rate,
     .type = OPTION_DOUBLE,
     .flags = OPTION_REQUIRED,
     .offset = offsetof(struct sample_config, rate),
     .min = 0,
     .max = 1,
     .help = "The part of the records that goes on: `0.1` is one in ten."},
    {.name = "by",
     .type = OPTION_ENUM,
     .offset = offsetof(struct sample_config, by),
     .fallback = "series",
     .choices = bys,
     .help =
         "`series`: a series or an alert is in or out as a whole; `record`: each of its records "
         "by itself."},
};

static const struct option_table option_table = {
    .name = "exporter sample",
    .help = "Lets a part of the records through.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct sample_config),
};

/* Spreads what may be spread badly, and unlike the hash that chooses lanes. */
static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

static bool is_in(const struct sample_sink *s, const struct labels *labels, int64_t time_ns)
{
    uint64_t own = s->config->by == BY_RECORD ? mix((uint64_t)time_ns) : 0;

    return mix(labels->hash ^ own) < s->below;
}

/* A trace is let through whole or not at all. */
static bool is_trace_in(const struct sample_sink *s, const struct span_part *span)
{
    uint64_t id = 0;

    memcpy(&id, span->trace_id + TRACE_ID_BYTES - sizeof(id), sizeof(id));
    return mix(id) < s->below;
}

static bool choose_samples(struct sample_sink *s, struct view view, struct err *e)
{
    const struct samples *in = NULL;

    if (!batch_samples(view.batch, &in, e)) {
        return false;
    }
    for (uint32_t i = 0; i < view.n; i++) {
        uint32_t row = view_row(view, i);
        if (is_in(s, in->series[in->series_of[row]], in->time_ns[row])) {
            kept_rows_add(&s->kept, view, i);
        }
    }
    return true;
}

static bool choose_alerts(struct sample_sink *s, struct view view, struct err *e)
{
    const struct alerts *in = NULL;

    if (!batch_alerts(view.batch, &in, e)) {
        return false;
    }
    for (uint32_t i = 0; i < view.n; i++) {
        const struct alert *a = &in->rows[view_row(view, i)];
        if (is_in(s, a->labels, a->time_ns)) {
            kept_rows_add(&s->kept, view, i);
        }
    }
    return true;
}

static bool choose_notes(struct sample_sink *s, struct view view, struct err *e)
{
    const struct notes *in = NULL;

    if (!batch_notes(view.batch, &in, e)) {
        return false;
    }
    for (uint32_t i = 0; i < view.n; i++) {
        const struct note *n = &in->rows[view_row(view, i)];
        if (n->span != NULL ? is_trace_in(s, n->span) : is_in(s, n->labels, n->time_ns)) {
            kept_rows_add(&s->kept, view, i);
        }
    }
    return true;
}

static bool (*const choosers[RECORD_KINDS])(struct sample_sink *, struct view, struct err *) = {
    [RECORD_SAMPLE] = choose_samples,
    [RECORD_ALERT] = choose_alerts,
    [RECORD_SPAN] = choose_notes,
    [RECORD_PROFILE] = choose_notes,
};

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct sample_sink *s = (struct sample_sink *)sink;
    enum record_kind kind = batch_info(view.batch)->kind;

    if (s->below == UINT64_MAX || choosers[kind] == NULL) {
        s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
        return;
    }
    kept_rows_clear(&s->kept);
    if (!choosers[kind](s, view, &ret->err)) {
        ret->rest = VERDICT_REJECTED;
        return;
    }
    metric_add(s->filtered, around_deliver(&s->around, view, view.batch, &s->kept, wait, ret));
}

static void close_sink(struct sink *sink)
{
    struct sample_sink *s = (struct sample_sink *)sink;

    sink_close(s->around.inner);
    kept_rows_release(&s->kept);
    metric_drop(s->filtered);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = around_probe,
                                    .flush = around_flush,
                                    .tend = around_tend,
                                    .close = close_sink};

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    struct sample_sink *s = mem_new(struct sample_sink);

    (void)e;
    s->around = (struct around){{&ops}, children[0]};
    s->config = config->config;
    s->below = s->config->rate >= 1 ? UINT64_MAX : (uint64_t)(s->config->rate * 0x1p64);
    s->filtered = around_filtered_metric(place, "sample");
    *ret_sink = &s->around.sink;
    return true;
}

static const struct stage_kind stage = {.open = open_stage};

const struct exporter_kind exporter_sample = {
    .name = "sample",
    .help = "Lets a part of the records through, always the same part.",
    .example = "type: sample\nsample_rate: 0.1\n"
               "exporter: { type: file, output_directory: out }\n",
    .options = &option_table,
    .stage = &stage,
};
