/*
 * What is left when the program stops, said output by output: whoever reads the log must not believe
 * that a destination has what it has not.
 */
#include "base/env.h"
#include "base/metrics.h"
#include "export/output_metrics.h"
#include "export/plan_int.h"
#include "net/url.h"

#include <stdio.h>

struct telling {
    struct plan *plan;
    struct plan_left *left;
    struct buf *text; /* one output after the other */
};

static void add_part(struct telling *t, struct str exporter, uint64_t count, const char *one,
                     const char *many)
{
    if (count > 0) {
        buf_addf(t->text, "%s%.*s: %llu %s", t->text->len > 0 ? "; " : "", STR_FMT(exporter),
                 (unsigned long long)count, count == 1 ? one : many);
    }
}

/* Is what is left gone with the process? */
static bool is_in_memory(const struct plan *p)
{
    return p->storage.fs != NULL;
}

static void tell_frames(struct telling *t, const struct output_status *s)
{
    bool is_lost = is_in_memory(t->plan);

    if (s->pending_frames > 0) {
        trace_at(&t->plan->trace, is_lost ? TRACE_WARN : TRACE_INFO,
                 is_lost ? "records were not delivered and are gone: they were in memory"
                         : "records are left on disk for the next start",
                 T_STR("exporter", s->name), T_U64("frames", s->pending_frames),
                 T_U64("bytes", s->pending_bytes), T_TEXT("state", s->state),
                 T_TEXT("last_error", s->last_error));
    }
    add_part(t, s->name, s->pending_frames, is_lost ? "frame in memory" : "frame on disk",
             is_lost ? "frames in memory" : "frames on disk");
    t->left->frames += s->pending_frames;
}

/* The counters outlive reloads. */
static uint64_t rejected_by(struct plan *p, struct str exporter)
{
    const struct metric_desc *desc = &output_metric_descs[OUTPUT_REJECTED];
    struct metric *count = metrics_get1(p->env->metrics, desc, exporter);
    uint64_t dead = (uint64_t)metric_value(count);

    metric_drop(count);
    return dead;
}

/* Of what became a dead letter since the start, what is still one: the rest was replayed, discarded or shed. */
static uint64_t dead_letters_of(struct plan *p, const struct output *o)
{
    uint64_t came = rejected_by(p, o->config->name);

    if (came == 0 || o->dead == NULL) {
        return came;
    }
    uint64_t kept = dead_letters_sum(o->dead).records;
    return kept < came ? kept : came;
}

/* What somebody asked to be dropped, and dead letters, are not among them. */
static uint64_t dropped_by(const struct drops *d)
{
    static const enum drop_reason reasons[] = {DROP_OVERFLOW_OLDEST, DROP_OVERFLOW_NEWEST,
                                               DROP_DESTINATION};
    double sum = 0;

    for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
        sum += metric_value(d->counts[reasons[i]]);
    }
    return (uint64_t)sum;
}

static void tell_lost(struct telling *t, const struct output *o)
{
    struct str name = o->config->name;
    uint64_t dead = dead_letters_of(t->plan, o);
    uint64_t dropped = dropped_by(&o->drops);

    if (dead > 0) {
        trace_warn(&t->plan->trace,
                   is_in_memory(t->plan) ? "records became dead letters since the start, and are "
                                           "gone: they were in memory"
                                         : "records became dead letters since the start; "
                                           "'telex queue' shows and replays them",
                   T_STR("exporter", name), T_U64("records", dead));
    }
    add_part(t, name, dead, "dead letter", "dead letters");
    add_part(t, name, dropped, "dropped", "dropped");
    t->left->dead_letters += dead;
    t->left->dropped += dropped;
}

static void tell_target(void *arg, const struct level_set_target *target)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct telling *t = arg;
    uint64_t alerts = target->status->untold_alerts;

    if (alerts == 0) {
        return;
    }
    url_add_redacted(&url, target->url);
    trace_warn(&t->plan->trace, "alerts were not told; the next start tells those that still stand",
               T_STR("exporter", target->exporter), T_STR("target", buf_str(&url)),
               T_U64("alerts", alerts), T_TEXT("last_error", target->status->last_error));
    t->left->alerts += alerts;
}

static void tell_output(struct telling *t, struct output *o)
{
    struct output_status status;
    uint64_t before = t->left->alerts;

    output_get_status(o, &status);
    tell_frames(t, &status);
    if (o->level != NULL) {
        level_set_targets(o->level, tell_target, t);
        add_part(t, o->config->name, t->left->alerts - before, "alert not told", "alerts not told");
    } else {
        tell_lost(t, o);
    }
}

void plan_tell_left(struct plan *p, struct graph *g, struct plan_left *ret_left)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct telling t = {.plan = p, .left = ret_left, .text = &text};

    *ret_left = (struct plan_left){.frames = 0};
    for (size_t i = 0; i < g->config.output_count; i++) {
        tell_output(&t, &g->outputs[i]);
    }
    (void)snprintf(ret_left->text, sizeof(ret_left->text), "%s", buf_text(&text));
}
