/*
 * One exporter in place of another.
 *
 * Invariants
 *   1. Rows go to the current child as long as it takes them; what it does not take goes to the next
 *      in the same call, so nothing is in flight when the current one changes.
 *   2. A row that one child delivered or rejected for good goes to no other.
 *   3. The first child is tried again RECOVERY_MS after it failed last.
 */
#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "export/stages/multi_stages.h"
#include "export/stages/several.h"

enum { RECOVERY_MS = 60 * 1000 };

struct failover {
    struct several several;
    size_t current;
    int64_t recover_ns; /* monotonic: when the first one is tried again */
};

/* Rows that nobody has yet; false when there are none. */
static bool choose_owed(struct several *s, struct view view)
{
    several_choose_none(s);
    for (uint32_t i = 0; i < view.n; i++) {
        if (verdict_is_owed(s->fates[i].verdict)) {
            several_choose(s, view, i);
        }
    }
    return s->index.len > 0;
}

/* What is rejected keeps its reason; what is owed is so for the reason of the last call. */
static void note(struct several *s)
{
    for (uint32_t i = 0; i < s->index.len; i++) {
        struct fate f = s->out_fates[i];
        f.reason = f.verdict == VERDICT_REJECTED ? several_reason(s, STR(""), f.reason) : NULL;
        s->fates[s->index.items[i]] = f;
    }
}

/* The smallest time that any of them asked for. */
static void note_retry_after(struct outcome *ret, const struct outcome *out)
{
    if (out->retry_after_ms > 0 &&
        (ret->retry_after_ms == 0 || out->retry_after_ms < ret->retry_after_ms)) {
        ret->retry_after_ms = out->retry_after_ms;
    }
}

/* The one to begin with: the first when its time has come, else the current one. */
static size_t first_child(const struct failover *f)
{
    bool again = f->current != 0 && clock_mono_ns(f->several.env->clock) >= f->recover_ns;

    return again ? 0 : f->current;
}

/* The next one: the current one when the first was only tried, then in order; count when all were. */
static size_t next_child(const struct failover *f, size_t child, uint64_t called)
{
    if ((called >> f->current & 1) == 0) {
        return f->current;
    }
    for (size_t i = 1; i < f->several.count; i++) {
        size_t next = (child + i) % f->several.count;
        if ((called >> next & 1) == 0) {
            return next;
        }
    }
    return f->several.count;
}

/* <child> left nothing owed. */
static void keep_child(struct failover *f, size_t child)
{
    if (child != f->current) {
        f->current = child;
        several_show_active(&f->several, child);
    }
}

static void note_failed(struct failover *f, size_t child)
{
    if (child == 0) {
        f->recover_ns = clock_deadline_ms(f->several.env->clock, RECOVERY_MS);
    }
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct failover *f = (struct failover *)sink;
    struct several *s = &f->several;
    uint64_t called = 0;

    several_start(s, view, VERDICT_RETRY);
    for (size_t child = first_child(f); child < s->count && choose_owed(s, view);
         child = next_child(f, child, called)) {
        called |= UINT64_C(1) << child;
        several_call(s, child, view, wait, ret);
        note(s);
        note_retry_after(ret, &s->out);
        if (!choose_owed(s, view)) {
            keep_child(f, child);
            break;
        }
        if (several_is_stopped(wait) || s->out.held_back) {
            ret->held_back = s->out.held_back;
            break;
        }
        note_failed(f, child);
    }
    several_finish(s, view, ret);
}

/* One that is there is enough; it takes all to say that nobody is. */
static enum probed probe(struct sink *sink, struct wait wait, struct err *e)
{
    struct several *s = (struct several *)sink;

    enum probed all = PROBED_FAILED;

    for (size_t i = 0; i < s->count; i++) {
        enum probed one = sink_probe(s->children[i].sink, wait, e);
        if (one == PROBED_THERE) {
            return PROBED_THERE;
        }
        all = one == PROBED_NOBODY ? PROBED_NOBODY : all;
    }
    return all;
}

static void close_sink(struct sink *sink)
{
    several_release((struct several *)sink);
    mem_free(sink);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = probe,
                                    .flush = several_flush,
                                    .tend = several_tend,
                                    .close = close_sink};

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    struct failover *f = mem_new(struct failover);

    (void)e;
    several_init(&f->several, &ops, place, config, children);
    several_show_active(&f->several, 0);
    *ret_sink = &f->several.sink;
    return true;
}

const struct stage_kind stage_failover = {.open = open_stage};
