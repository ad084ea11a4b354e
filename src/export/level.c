/*
 * The thread sleeps until something changes or a resend is due, then walks the source and tells the
 * destination what it must hear of (level_tell.c). What failed stays due and is tried again after a
 * backoff. A walk costs time in proportion to all alerts, so the pause after it is WALK_SHARE times as
 * long as it took: many alerts that keep changing cannot take a core.
 */
#include "export/level.h"

#include "export/http_sink.h"
#include "export/level_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "export/plan.h"
#include "net/http_client.h"

enum {
    TICK_MS = 1000, /* resends that are due within it go out together */
    WALK_SHARE = 10,
    PAUSE_MAX_MS = 5000,
    SWEEP_MS = 15 * 1000, /* looked at this often even when nobody says that something changed */
    ANSWER_MAX = 1024 * 1024,
    PROBE_MS = 3000,
};

static const struct backoff_config level_backoff = {.initial_delay_ns = NS_PER_S,
                                                    .max_delay_ns = 30 * NS_PER_S,
                                                    .multiplier = 2,
                                                    .jitter = JITTER_FRACTION};

/* ---- the source ---- */

const struct level_source *level_source_take(struct level_output *o, uint64_t *number)
{
    lock_take(&o->lock);
    bool fits = o->source != NULL && (*number == 0 || *number == o->source_number);
    const struct level_source *source = fits ? o->source : NULL;
    if (fits) {
        *number = o->source_number;
        o->in_use = true;
    }
    lock_give(&o->lock);
    return source;
}

void level_source_give(struct level_output *o)
{
    lock_take(&o->lock);
    o->in_use = false;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

/* There is something to tell: nobody waits for the end of a health check. */
static void end_probe(struct level_output *o) REQUIRES(&o->lock)
{
    if (o->poke != NULL) {
        cancel_fire(o->poke);
    }
}

void level_output_set_source(struct level_output *o, const struct level_source *source)
{
    lock_take(&o->lock);
    while (o->in_use) {
        (void)cond_wait_until(&o->changed, &o->lock, DEADLINE_NEVER);
    }
    o->source = source;
    o->source_number++;
    o->dirty = source != NULL;
    end_probe(o);
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

/* ---- the thread ---- */

/* When the thread may and must go on. */
struct pause {
    int64_t earliest_mono_ns; /* if something changed */
    int64_t latest_mono_ns;   /* if not */
};

/* false when stopping. */
static bool sleep_until_due(struct level_output *o, const struct pause *p)
{
    lock_take(&o->lock);
    while (!o->stopping) {
        int64_t now = clock_mono_ns(o->env->clock);
        if (now >= p->latest_mono_ns || (o->dirty && now >= p->earliest_mono_ns)) {
            break;
        }
        (void)cond_wait_until(&o->changed, &o->lock,
                              o->dirty ? p->earliest_mono_ns : p->latest_mono_ns);
    }
    bool goes_on = !o->stopping;
    o->dirty = false;
    lock_give(&o->lock);
    return goes_on;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool asks_health(const struct level_output *o)
{
    return o->common->health.interval_ns > 0 && o->exporter->health_path != NULL;
}

/* How long to sleep after <told>. */
static struct pause pause_after(struct level_output *o, const struct level_told *told)
{
    const struct clock *clock = o->env->clock;
    int64_t walk_ms = told->walk_ns / NS_PER_MS * WALK_SHARE;
    int64_t rest = clock_deadline_ms(clock, sooner(walk_ms, PAUSE_MAX_MS));

    if (told->failed) {
        int64_t delay_ms = backoff_next_ms(&o->backoff, o->env->rng, told->retry_after_ms);
        rest = later(rest, clock_deadline_ms(clock, delay_ms));
        return (struct pause){rest, rest};
    }
    backoff_reset(&o->backoff);
    int64_t due = sooner(told->next_mono_ns, clock_deadline_ms(clock, SWEEP_MS));
    due = asks_health(o) ? sooner(due, o->probe_due_ns) : due;
    return (struct pause){rest, later(later(rest, due), clock_deadline_ms(clock, TICK_MS))};
}

static struct pause tell_all(struct level_output *o)
{
    struct wait wait = {DEADLINE_NEVER, o->cancel};
    struct level_told told;

    do {
        level_tell(o, wait, &told);
    } while (told.more && !told.failed && !cancel_is_set(o->cancel));
    lock_take(&o->lock);
    o->untold = told.untold;
    lock_give(&o->lock);
    return pause_after(o, &told);
}

/* What ends the health check; NULL when there is none to be now. */
static struct cancel *begin_probe(struct level_output *o)
{
    lock_take(&o->lock);
    if (!o->dirty && !o->stopping) {
        o->poke = cancel_new(o->cancel);
    }
    struct cancel *poke = o->poke;
    lock_give(&o->lock);
    return poke;
}

static void probe_if_due(struct level_output *o)
{
    int64_t interval_ns = o->common->health.interval_ns;
    int64_t now_ns = clock_mono_ns(o->env->clock);
    struct err e = ERR_INIT;

    if (!asks_health(o) || now_ns < o->probe_due_ns) {
        return;
    }
    o->probe_due_ns = now_ns + interval_ns;
    struct cancel *poke = begin_probe(o);
    if (poke == NULL) {
        return;
    }
    arena_reset(&o->arena);
    struct str url = http_probe_url(&o->client_config, o->exporter->alerts_path,
                                    o->exporter->health_path, &o->arena);
    struct wait wait = {clock_deadline_ms(o->env->clock, PROBE_MS), poke};
    enum probed probed = http_probe(o->client, url, &o->answer, wait, &e);
    lock_take(&o->lock);
    o->poke = NULL;
    lock_give(&o->lock);
    if (probed != PROBED_NOBODY && !cancel_is_set(poke)) {
        level_meter_probed(o->meter, probed == PROBED_THERE, &e);
    }
    cancel_free(poke);
}

static void run(void *arg)
{
    struct level_output *o = arg;
    struct pause pause = {0, DEADLINE_NEVER};

    while (sleep_until_due(o, &pause)) {
        pause = tell_all(o);
        probe_if_due(o);
    }
    (void)tell_all(o); /* a last word; level_output_stop() bounds it */
    lock_take(&o->lock);
    o->done = true;
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

/* ---- life ---- */

/* The client of the config, to the target's URL. */
static bool open_client(struct level_output *o, const struct exporter_place *place, struct err *e)
{
    const char *config = o->config;

    o->client_config =
        *(const struct http_client_config *)(const void *)(config + o->exporter->client_offset);
    if (o->target != NULL) {
        o->client_config.url = o->target->url;
    }
    return http_client_new(place->env, &o->client_config, &o->client, e) ||
           err_wrap(e, "exporter %.*s", STR_FMT(place->name));
}

bool level_output_open(const struct level_exporter *exporter, const struct exporter_place *place,
                       const void *config, const struct level_filter *filter,
                       struct level_output **ret_output, struct err *e)
{
    return level_output_open_at(exporter, place, config, filter, NULL, ret_output, e);
}

bool level_output_open_at(const struct level_exporter *exporter, const struct exporter_place *place,
                          const void *config, const struct level_filter *filter,
                          const struct level_target *target, struct level_output **ret_output,
                          struct err *e)
{
    struct level_output *o = mem_new(struct level_output);

    o->exporter = exporter;
    o->env = place->env;
    o->config = config;
    o->own_target = target != NULL ? *target : (struct level_target){.relabel = NULL};
    o->target = target != NULL ? &o->own_target : NULL;
    if (!open_client(o, place, e)) {
        mem_free(o);
        return false;
    }
    o->common = config;
    o->options = (const void *)((const char *)config + exporter->options_offset);
    o->name = place->name;
    o->filter = *filter;
    relabel_work_init(&o->work);
    o->meter = level_meter_new(place, &o->common->health);
    o->target_meter = target != NULL ? level_target_meter_new(place, target->url) : NULL;
    trace_init_part(&o->trace, place->env->trace, "export", place->name, TRACE_INFO);
    debug_open(&o->debug, place, o->common);
    lock_init(&o->lock);
    cond_init(&o->changed);
    o->memory = mem_new(struct level_memory);
    map_init(&o->memory->confirmed, rng_u64(place->env->rng));
    backoff_init(&o->backoff, &level_backoff);
    arena_init(&o->arena, ARENA_UNLIMITED);
    buf_init(&o->body, BUF_UNLIMITED);
    buf_init(&o->answer, ANSWER_MAX);
    o->cancel = cancel_new(NULL);
    o->probe_due_ns = clock_mono_ns(o->env->clock) + o->common->health.interval_ns;
    if (!thread_start(&o->thread, "level", run, o, e)) {
        level_output_close(o);
        return false;
    }
    *ret_output = o;
    return true;
}

struct level_memory *level_output_take_memory(struct level_output *o)
{
    return TAKE(o->memory);
}

const struct level_memory *level_output_memory(const struct level_output *o)
{
    return o->memory;
}

void level_output_remember(struct level_output *o, struct level_memory *memory)
{
    level_memory_free(o->memory);
    o->memory = memory;
}

void level_output_wake(struct level_output *o)
{
    lock_take(&o->lock);
    o->dirty = true;
    end_probe(o);
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

void level_output_status(struct level_output *o, struct output_status *ret)
{
    level_meter_status(o->meter, ret);
    lock_take(&o->lock);
    ret->untold_alerts = o->untold;
    lock_give(&o->lock);
}

void level_output_drain(struct level_output *o)
{
    lock_take(&o->lock);
    o->stopping = true;
    end_probe(o);
    cond_broadcast(&o->changed);
    lock_give(&o->lock);
}

void level_output_stop(struct level_output *o, struct wait wait)
{
    struct waiter waiter;

    level_output_drain(o);
    waiter_begin(&waiter, wait, &o->lock, &o->changed);
    lock_take(&o->lock);
    while (o->thread.started && !o->done && waiter_pause(&waiter)) {
    }
    lock_give(&o->lock);
    waiter_end(&waiter);
    cancel_fire(o->cancel);
    thread_join(&o->thread);
}

void level_output_close(struct level_output *o)
{
    if (o == NULL) {
        return;
    }
    level_output_stop(o, (struct wait){0, NULL});
    level_memory_free(o->memory);
    http_client_free(o->client);
    debug_close(&o->debug);
    level_meter_free(o->meter);
    level_target_meter_free(o->target_meter);
    relabel_work_release(&o->work);
    cancel_free(o->cancel);
    cond_release(&o->changed);
    lock_release(&o->lock);
    arena_release(&o->arena);
    buf_release(&o->body);
    buf_release(&o->answer);
    mem_free(o);
}
