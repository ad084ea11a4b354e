/*
 * A resilient below failover or sequential: it tries again within the call, and gives way when its tries
 * are used up, when its breaker is open, or when the call's time is over.
 */
#include "export/stages/insist.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "export/breaker.h"
#include "export/combinator.h"
#include "export/outcome_rows.h"
#include "export/stages/around.h"

struct insist {
    struct around around;
    const struct env *env;
    const struct resilient_config *config;
    struct breaker breaker;
    struct backoff backoff;
};

/* The rows of <view> from <first> on; those of a whole view are written into <rows>. */
static struct view rest_of(struct view view, uint32_t first, uint32_t *rows)
{
    for (uint32_t i = first; view.rows == NULL && i < view.n; i++) {
        rows[i] = i;
    }
    const uint32_t *all = view.rows != NULL ? view.rows : rows;
    return (struct view){.batch = view.batch, .rows = all + first, .n = view.n - first};
}

/* Calls with what is behind ret->settled, and goes on with ret from there. */
static void call_again(struct insist *s, struct view view, uint32_t *rows, struct wait wait,
                       struct outcome *ret)
{
    uint32_t first = ret->settled;
    struct outcome next;

    outcome_init(&next);
    s->around.inner->ops->deliver(s->around.inner, rest_of(view, first, rows), wait, &next);
    outcome_forget(ret, first);
    for (size_t i = 0; i < next.except.list.len; i++) {
        const struct exception *x = &next.except.list.items[i];
        outcome_except(ret, first + x->index, x->verdict, x->reason);
    }
    ret->rest = next.rest;
    ret->settled = first + next.settled;
    ret->dropped += next.dropped;
    ret->retry_after_ms = next.retry_after_ms;
    ret->held_back = next.held_back;
    ret->status = next.status;
    ret->requests += next.requests;
    ret->bytes += next.bytes;
    ret->err = next.err;
    outcome_release(&next);
}

/* Was that all, or is there no use in another call now? */
static bool ends(struct insist *s, struct view view, const struct outcome *ret)
{
    bool ok = !verdict_is_owed(ret->rest) || ret->settled >= view.n;

    if (ret->held_back) {
        return true;
    }
    breaker_note(&s->breaker, ok, clock_mono_ns(s->env->clock));
    return ok || ret->rest == VERDICT_HALT || s->breaker.state == BREAKER_OPEN;
}

/* Sleeps before the next try; false when the call is over by then. */
static bool pause_before(struct insist *s, struct wait wait, int64_t asked_ms)
{
    int64_t delay_ms = backoff_next_ms(&s->backoff, s->env->rng, asked_ms);
    int64_t until_ns = clock_deadline_ms(s->env->clock, delay_ms);

    return until_ns < wait.deadline_mono_ns && wait_sleep((struct wait){until_ns, wait.cancel});
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct insist *s = (struct insist *)sink;
    int64_t max_retries = s->config->retry.max_retries;

    if (!breaker_admits(&s->breaker, clock_mono_ns(s->env->clock))) {
        ret->rest = VERDICT_RETRY;
        (void)err_set(&ret->err, ERR_NET, "its breaker is open");
        return;
    }
    AUTO(mem_autofree) uint32_t *rows =
        view.rows == NULL ? mem_alloc0(view.n, sizeof(*rows)) : NULL;
    backoff_reset(&s->backoff);
    s->around.inner->ops->deliver(s->around.inner, view, wait, ret);
    for (int64_t tries = 0; !ends(s, view, ret); tries++) {
        if ((max_retries > 0 && tries >= max_retries) ||
            !pause_before(s, wait, ret->retry_after_ms)) {
            return;
        }
        call_again(s, view, rows, wait, ret);
    }
}

static void close_sink(struct sink *sink)
{
    sink_close(((struct insist *)sink)->around.inner);
    mem_free(sink);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = around_probe,
                                    .flush = around_flush,
                                    .tend = around_tend,
                                    .close = close_sink};

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    struct insist *s = mem_new(struct insist);

    (void)e;
    s->around = (struct around){{&ops}, children[0]};
    s->env = place->env;
    s->config = config->config;
    breaker_init(&s->breaker, &s->config->breaker);
    backoff_init(&s->backoff, &s->config->retry.backoff);
    *ret_sink = &s->around.sink;
    return true;
}

/* Which statuses are tried again is its own word, where it has one. */
static void inside(const void *config, struct exporter_place *place)
{
    const struct resilient_config *c = config;

    if (c->retry.retry_on_status_codes.count > 0) {
        place->retry_on = &c->retry.retry_on_status_codes;
    }
}

const struct stage_kind stage_insist = {.inside = inside, .open = open_stage};
