#include "export/stages/several.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/metrics.h"

static const struct metric_desc active_desc = {
    .name = "telex_exporter_child_active",
    .help = "1 for the exporter that a failover or sequential delivers to now, else 0.",
    .type = METRIC_GAUGE,
    .labels = {"exporter", "child"},
};

static const struct metric_desc results_desc = {
    .name = "telex_exporter_child_calls_total",
    .help =
        "Calls that a failover or sequential made of its exporters, by what became of most rows.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "child", "result"},
};

static void open_metrics(const struct exporter_place *place, struct several_child *child)
{
    child->active = metrics_get2(place->env->metrics, &active_desc, place->name, child->name);
    for (size_t v = 0; v < VERDICTS; v++) {
        const struct str values[] = {place->name, child->name,
                                     str_of(verdict_name((enum verdict)v))};
        child->results[v] = metrics_get(place->env->metrics, &results_desc, values);
    }
}

void several_init(struct several *s, const struct sink_ops *ops, const struct exporter_place *place,
                  const struct stage_config *config, struct sink **children)
{
    s->sink.ops = ops;
    s->env = place->env;
    s->config = config->config;
    s->count = config->child_count;
    for (size_t i = 0; i < s->count; i++) {
        s->children[i] =
            (struct several_child){.sink = children[i], .name = config->children[i]->name};
        open_metrics(place, &s->children[i]);
    }
    arena_init(&s->arena, ARENA_UNLIMITED);
    outcome_init(&s->out);
}

static void drop_metrics(struct several_child *child)
{
    metric_drop(child->active);
    for (size_t v = 0; v < VERDICTS; v++) {
        metric_drop(child->results[v]);
    }
}

void several_release(struct several *s)
{
    for (size_t i = 0; i < s->count; i++) {
        sink_close(s->children[i].sink);
        drop_metrics(&s->children[i]);
    }
    mem_free(s->out_fates);
    outcome_release(&s->out);
    vec_release(&s->index);
    vec_release(&s->rows);
    arena_release(&s->arena);
}

void several_start(struct several *s, struct view view, enum verdict verdict)
{
    arena_reset(&s->arena);
    s->fates = arena_array(&s->arena, struct fate, (size_t)view.n + 1);
    for (uint32_t i = 0; i < view.n; i++) {
        s->fates[i].verdict = verdict;
    }
}

void several_choose_none(struct several *s)
{
    vec_clear(&s->index);
    vec_clear(&s->rows);
}

void several_choose(struct several *s, struct view view, uint32_t index)
{
    vec_push(&s->index, index);
    vec_push(&s->rows, view_row(view, index));
}

/* The verdict of most rows that are not delivered, as far as one is asked. */
static enum verdict result_of(const struct outcome *out, uint32_t n)
{
    return out->settled < n ? out->rest : VERDICT_DELIVERED;
}

static void add_sent(struct outcome *ret, const struct outcome *out)
{
    ret->requests += out->requests;
    ret->bytes += out->bytes;
    ret->dropped += out->dropped;
    ret->status = out->status != 0 ? out->status : ret->status;
}

void several_call(struct several *s, size_t child, struct view view, struct wait wait,
                  struct outcome *ret)
{
    struct sink *sink = s->children[child].sink;
    uint32_t n = (uint32_t)s->index.len;
    int64_t deadline_ns = clock_mono_ns(s->env->clock) + s->config->export_timeout_ns;
    struct view inner = {.batch = view.batch, .rows = s->rows.items, .n = n};

    wait.deadline_mono_ns =
        deadline_ns < wait.deadline_mono_ns ? deadline_ns : wait.deadline_mono_ns;
    outcome_release(&s->out);
    mem_free(s->out_fates);
    sink->ops->deliver(sink, n == view.n ? view : inner, wait, &s->out);
    s->out_fates = outcome_fates(&s->out, n);
    s->reason = NULL;
    metric_add(s->children[child].results[result_of(&s->out, n)], 1);
    add_sent(ret, &s->out);
    if (s->out.err.code != ERR_NONE) {
        ret->err = s->out.err;
        (void)err_wrap(&ret->err, "%.*s", STR_FMT(s->children[child].name));
    }
}

const char *several_reason(struct several *s, struct str who, const char *reason)
{
    if (s->reason != reason) {
        s->reason = reason;
        s->reason_copy =
            arena_printf(&s->arena, "%.*s%s%s", STR_FMT(who), who.len > 0 ? ": " : "", reason).ptr;
    }
    return s->reason_copy;
}

void several_finish(struct several *s, struct view view, struct outcome *ret)
{
    enum verdict last = view.n > 0 ? s->fates[view.n - 1].verdict : VERDICT_DELIVERED;

    outcome_word(ret, s->fates, view.n, last);
}

void several_show_active(struct several *s, size_t child)
{
    for (size_t i = 0; i < s->count; i++) {
        metric_set(s->children[i].active, i == child || child == s->count);
    }
}

bool several_flush(struct sink *sink, struct err *e)
{
    struct several *s = (struct several *)sink;
    bool ok = true;

    for (size_t i = 0; i < s->count; i++) {
        struct sink *child = s->children[i].sink;
        ok = (child->ops->flush == NULL || child->ops->flush(child, e)) && ok;
    }
    return ok;
}

int64_t several_tend(struct sink *sink, struct wait wait)
{
    struct several *s = (struct several *)sink;
    int64_t due_ns = DEADLINE_NEVER;

    for (size_t i = 0; i < s->count; i++) {
        int64_t one_ns = sink_tend(s->children[i].sink, wait);
        due_ns = one_ns < due_ns ? one_ns : due_ns;
    }
    return due_ns;
}
