#include "app/self_metrics.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/trace.h"
#include "export/combinator.h"
#include "export/exporters/exporters.h"
#include "wire/remote_write.h"

/* One monitor. */
struct reading {
    struct self_metrics *owner;
    struct str monitor;
    uint64_t to; /* targets */
    int64_t interval_ns;
};

struct self_metrics {
    const struct env *env;
    struct plan *plan;
    struct trace trace;
    struct arena arena;
    struct reading *readings;
    size_t count;
};

static int64_t interval_of(const struct plan_config *config, struct str monitor)
{
    for (size_t i = 0; i < config->exporter_count; i++) {
        const struct exporter_config *x = &config->exporters[i];
        if (x->kind == &exporter_monitor && str_eq(x->name, monitor)) {
            return ((const struct monitor_config *)x->config)->self_metrics_interval_ns;
        }
    }
    return 60 * NS_PER_S;
}

struct self_metrics *self_metrics_new(const struct env *env, struct plan *plan,
                                      const struct plan_config *config)
{
    struct self_metrics *s = mem_new(struct self_metrics);

    s->env = env;
    s->plan = plan;
    s->count = config->self_metrics_count;
    trace_init(&s->trace, env->trace, "export", TRACE_INFO);
    arena_init(&s->arena, ARENA_UNLIMITED);
    s->readings = arena_array(&s->arena, struct reading, s->count + 1);
    for (size_t i = 0; i < s->count; i++) {
        const struct self_metrics_config *c = &config->self_metrics[i];
        s->readings[i] = (struct reading){.owner = s,
                                          .monitor = arena_dup(&s->arena, c->monitor),
                                          .to = c->to,
                                          .interval_ns = interval_of(config, c->monitor)};
    }
    return s;
}

void self_metrics_free(struct self_metrics *s)
{
    if (s != NULL) {
        arena_release(&s->arena);
        mem_free(s);
    }
}

size_t self_metrics_count(const struct self_metrics *s)
{
    return s->count;
}

/* ---- gathering ---- */

struct gathering {
    struct str monitor;
    struct labels_builder builder;
    VEC(struct labels *) series;
    VEC(const struct metric_desc *) descs; /* what each one is of */
    VEC(double) values;
};

/* Is <path> a place above or below the other, or the same: "either" and "either/vm"? */
static bool is_within(struct str path, struct str other)
{
    return str_eq(path, other) || (str_starts(path, other) && path.ptr[other.len] == '/');
}

static bool is_about(const struct gathering *g, const struct metrics_sample *s)
{
    for (size_t i = 0; i < s->label_count; i++) {
        if (strcmp(s->label_names[i], "exporter") == 0) {
            return is_within(s->label_values[i], g->monitor) ||
                   is_within(g->monitor, s->label_values[i]);
        }
    }
    return false;
}

static void visit(void *arg, const struct metrics_sample *s)
{
    struct gathering *g = arg;
    struct labels *labels = NULL;
    struct err ignored = ERR_INIT;

    if (!is_about(g, s) || g->series.len >= SELF_METRICS_ROWS_MAX) {
        return;
    }
    labels_builder_clear(&g->builder);
    labels_builder_set(&g->builder, STR("__name__"), str_of(s->name));
    for (size_t i = 0; i < s->label_count; i++) {
        labels_builder_set(&g->builder, str_of(s->label_names[i]), s->label_values[i]);
    }
    if (labels_build(&g->builder, &labels, &ignored)) {
        vec_push(&g->series, labels);
        vec_push(&g->descs, s->desc);
        vec_push(&g->values, s->value);
    }
}

/* What the registry says of a metric, which is there as long as the program. */
static const struct series_meta *meta_of(const struct metric_desc *desc, struct arena *a)
{
    static const enum series_type types[] = {[METRIC_COUNTER] = SERIES_COUNTER,
                                             [METRIC_GAUGE] = SERIES_GAUGE,
                                             [METRIC_HISTOGRAM] = SERIES_HISTOGRAM};
    struct series_meta *m = arena_new(a, struct series_meta);

    *m = (struct series_meta){types[desc->type], str_of(desc->help), STR("")};
    return m;
}

/* The series become the batch's. */
static struct batch *make_batch(const struct gathering *g, int64_t slot_ns)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("self"), .time_ns = slot_ns};
    struct batch *b = batch_new(&codec_rw1, &info);
    uint32_t n = (uint32_t)g->series.len;
    struct labels **series = arena_array(batch_arena(b), struct labels *, n);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, n);
    int64_t *time_ns = arena_array(batch_arena(b), int64_t, n);
    double *value = arena_array(batch_arena(b), double, n);
    const struct series_meta **meta = arena_array(batch_arena(b), const struct series_meta *, n);

    for (uint32_t i = 0; i < n; i++) {
        bool is_same = i > 0 && g->descs.items[i] == g->descs.items[i - 1];
        meta[i] = is_same ? meta[i - 1] : meta_of(g->descs.items[i], batch_arena(b));
        series[i] = g->series.items[i];
        series_of[i] = i;
        time_ns[i] = slot_ns;
        value[i] = g->values.items[i];
    }
    batch_set_samples(b, (struct samples){series, n, n, series_of, time_ns, value, meta});
    return b;
}

static void give(const struct reading *r, struct batch *b, struct wait wait)
{
    const struct give how = {.only = r->to, .wait = wait};
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    if (!plan_give(r->owner->plan, b, &how, &seq, &e)) {
        trace_warn(&r->owner->trace, "what is measured of an exporter could not be given",
                   T_STR("exporter", r->monitor), T_ERR(&e));
    }
}

static void run(void *arg, int64_t slot_ns, struct wait wait)
{
    const struct reading *r = arg;
    struct gathering g = {.monitor = r->monitor};

    labels_builder_init(&g.builder);
    metrics_walk(r->owner->env->metrics, visit, &g);
    if (g.series.len > 0) {
        struct batch *b = make_batch(&g, slot_ns);
        give(r, b, wait);
        batch_unref(b);
    }
    vec_release(&g.series);
    vec_release(&g.descs);
    vec_release(&g.values);
    labels_builder_release(&g.builder);
}

/* ---- jobs ---- */

static int64_t next_slot(const void *arg, int64_t after_ns)
{
    const struct reading *r = arg;

    return (time_floor_div(after_ns - 1, r->interval_ns) + 1) * r->interval_ns;
}

static void missed(void *arg, uint64_t slots)
{
    (void)arg;
    (void)slots;
}

struct job self_metrics_job(struct self_metrics *s, size_t i)
{
    return (struct job){
        .next_slot = next_slot, .run = run, .missed = missed, .arg = &s->readings[i]};
}
