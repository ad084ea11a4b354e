/*
 * One exporter after another: each gets all rows.
 *
 * Invariants
 *   1. A row counts as delivered when every child has it; until then it is owed, and those that have it
 *      do not get it again. That is kept for the batch in hand, in memory: after a crash there may be
 *      duplicates, and nothing is lost.
 *   2. A row that a child rejects for good is rejected, with the child's name in the reason, once no
 *      other child owes it.
 *   3. With `failure_policy: stop` a row goes to a child only when those before it have it.
 */
#include "base/mem.h"
#include "export/stages/multi_stages.h"
#include "export/stages/several.h"

struct sequential {
    struct several several;
    struct batch *batch;
    bool *has; /* child by child, for each row of the batch */
};

static void forget_batch(struct sequential *q)
{
    batch_unref(TAKE(q->batch));
    mem_free(TAKE(q->has));
}

static void use_batch(struct sequential *q, struct batch *b)
{
    if (q->batch != b) {
        forget_batch(q);
        q->batch = batch_ref(b);
        q->has = mem_alloc0(q->several.count * ((size_t)batch_rows(b) + 1), sizeof(bool));
    }
}

static bool *has(const struct sequential *q, size_t child, struct view view, uint32_t index)
{
    return &q->has[child * ((size_t)batch_rows(q->batch) + 1) + view_row(view, index)];
}

static bool choose(struct sequential *q, size_t child, struct view view)
{
    struct several *s = &q->several;
    bool stops = s->config->failure_policy == MULTI_STOP;

    several_choose_none(s);
    for (uint32_t i = 0; i < view.n; i++) {
        bool is_due = !stops || s->fates[i].verdict == VERDICT_DELIVERED;
        if (is_due && !*has(q, child, view, i)) {
            several_choose(s, view, i);
        }
    }
    return s->index.len > 0;
}

/* Does <a> outweigh what is known of a row? Owed before rejected before delivered. */
static bool outweighs(enum verdict a, enum verdict b)
{
    static const int weights[VERDICTS] = {
        [VERDICT_REJECTED] = 1, [VERDICT_HALT] = 2, [VERDICT_UNKNOWN] = 3, [VERDICT_RETRY] = 4};

    return weights[a] > weights[b];
}

static void note(struct sequential *q, size_t child, struct view view)
{
    struct several *s = &q->several;

    for (uint32_t i = 0; i < s->index.len; i++) {
        const struct fate f = s->out_fates[i];
        uint32_t index = s->index.items[i];
        if (f.verdict == VERDICT_DELIVERED || f.verdict == VERDICT_HELD) {
            *has(q, child, view, index) = true;
        } else if (outweighs(f.verdict, s->fates[index].verdict)) {
            bool is_own = f.verdict == VERDICT_REJECTED;
            s->fates[index] = (struct fate){
                f.verdict, is_own ? several_reason(s, s->children[child].name, f.reason) : NULL};
        }
    }
}

/* What nobody asked for yet is owed. */
static void owe(struct several *s)
{
    for (uint32_t i = 0; i < s->index.len; i++) {
        s->fates[s->index.items[i]] = (struct fate){VERDICT_RETRY, NULL};
    }
}

static bool leaves_owed(const struct several *s)
{
    for (uint32_t i = 0; i < s->index.len; i++) {
        if (verdict_is_owed(s->out_fates[i].verdict)) {
            return true;
        }
    }
    return false;
}

/* Calls that were held back count as failures only beside others that failed. */
static void note_call(struct sequential *q, bool *any_failed, struct outcome *ret)
{
    const struct outcome *out = &q->several.out;

    ret->held_back = ret->held_back || out->held_back;
    *any_failed = *any_failed || (leaves_owed(&q->several) && !out->held_back);
    ret->retry_after_ms =
        out->retry_after_ms > ret->retry_after_ms ? out->retry_after_ms : ret->retry_after_ms;
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct sequential *q = (struct sequential *)sink;
    struct several *s = &q->several;
    bool any_failed = false;

    use_batch(q, view.batch);
    several_start(s, view, VERDICT_DELIVERED);
    for (size_t child = 0; child < s->count; child++) {
        if (!choose(q, child, view)) {
            continue;
        }
        if (several_is_stopped(wait)) {
            owe(s);
            continue;
        }
        several_call(s, child, view, wait, ret);
        note(q, child, view);
        note_call(q, &any_failed, ret);
    }
    ret->held_back = ret->held_back && !any_failed;
    several_finish(s, view, ret);
    if (view_is_whole(view) && outcome_is_clean(ret, view.n)) {
        forget_batch(q);
    }
}

/* All of them must be there; one that is not is enough to say so. */
static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct several *s = (struct several *)sink;

    enum probed all = PROBED_THERE;

    for (size_t i = 0; i < s->count; i++) {
        enum probed one = sink_probe(s->children[i].sink, wait, e);
        if (one == PROBED_FAILED) {
            (void)err_wrap(e, "%.*s", STR_FMT(s->children[i].name));
            return PROBED_FAILED;
        }
        all = one == PROBED_NOBODY ? PROBED_NOBODY : all;
    }
    return all;
}

static void close_sink(struct sink *sink)
{
    struct sequential *q = (struct sequential *)sink;

    forget_batch(q);
    several_release(&q->several);
    mem_free(q);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = probe,
                                    .flush = several_flush,
                                    .tend = several_tend,
                                    .close = close_sink};

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    struct sequential *q = mem_new(struct sequential);

    (void)e;
    several_init(&q->several, &ops, place, config, children);
    several_show_active(&q->several, q->several.count);
    *ret_sink = &q->several.sink;
    return true;
}

const struct stage_kind stage_sequential = {.open = open_stage};
