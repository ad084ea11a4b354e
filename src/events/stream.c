/*
 * Invariants
 *   1. Between start and stop the reader has the source and what is kept; else who calls.
 *   2. Workers end before the position is kept for the last time.
 */
#include "events/stream.h"

#include "base/mem.h"
#include "events/stream_int.h"

enum { LAST_MS = 2000, POOL_BYTES = 16 << 20 };

static struct dead_letters *new_dead_letters(struct event_stream *s)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);

    buf_addf(&name, "stream-%.*s", STR_FMT(s->config->name));
    buf_addf(&folder, "%.*s/dead/%s", STR_FMT(s->world.state_path), buf_text(&name));
    drops_init(&s->drops, s->env, buf_str(&name));
    return dead_letters_new(s->env, buf_str(&folder), buf_str(&name), &s->dead_quota, &s->drops,
                            NULL);
}

bool stream_make_transform(const struct event_stream *s, struct transform **ret_transform,
                           struct err *e)
{
    const struct transform_config config = {.options = &s->config->options.event,
                                            .metadata = &s->config->options.metadata,
                                            .match = s->config->match,
                                            .stream = s->config->name};

    return transform_new(&config, ret_transform, e);
}

bool event_stream_open(const struct stream_world *world, const struct stream_config *config,
                       struct event_stream **ret_stream, struct err *e)
{
    struct event_stream *s = mem_new(struct event_stream);

    s->world = *world;
    s->env = world->env;
    s->config = config;
    s->told.lag_ns = -1;
    s->told.lag_events = -1;
    s->told.retained_bytes = -1;
    s->told.backfill = backfill_phase_name(BACKFILL_NOT_BEGUN);
    s->measures = (struct source_measures){.behind = -1, .retained_bytes = -1};
    trace_init(&s->trace, s->env->trace, "events", TRACE_INFO);
    lock_init(&s->lock);
    cond_init(&s->ended);
    intake_pool_init(&s->pool, POOL_BYTES);
    kept_init(&s->kept);
    buf_init(&s->pace.cursor, BUF_UNLIMITED);
    buf_init(&s->read_position, BUF_UNLIMITED);
    buf_init(&s->told_position, BUF_UNLIMITED);
    buf_init(&s->told_identity, BUF_UNLIMITED);
    buf_init(&s->begun, BUF_UNLIMITED);
    stream_open_metrics(s);
    s->dead = new_dead_letters(s);
    if (!stream_make_transform(s, &s->transform, e)) {
        event_stream_close(s);
        return false;
    }
    *ret_stream = s;
    return true;
}

static bool find_target(struct event_stream *s, struct err *e)
{
    return plan_target_bit(s->world.plan, s->config->exporter, &s->target) ||
           err_set(e, ERR_CONFIG, "there is no exporter '%.*s'", STR_FMT(s->config->exporter));
}

bool event_stream_start(struct event_stream *s, const struct stream_go *go, struct err *e)
{
    INVARIANT(!s->is_started);
    if (go->skip != 0) {
        vec_push(&s->skipped, go->skip);
    }
    s->stop = cancel_new(NULL);
    s->pace = (struct pace){.cursor = s->pace.cursor, .left = -1};
    s->is_taken = false;
    stream_forget_measures(s, false);
    s->failures = 0;
    window_init(&s->windows[TRACK_LIVE]);
    window_init(&s->windows[TRACK_BACKFILL]);
    s->is_started = true;
    lock_take(&s->lock);
    s->begun_ns = 0;
    lock_give(&s->lock);
    stream_set_state(s, STREAM_CONNECTS, NULL);
    s->kept.turn = 0;
    struct err why = ERR_INIT;
    s->is_prepared = stream_prepare(s, &why);
    if (!s->is_prepared) {
        stream_set_state(s, STREAM_REFUSED, &why); /* the reader tries again */
    }
    if (thread_start(&s->reader, "events", stream_read, s, e)) {
        return true;
    }
    (void)event_stream_stop(s, (struct wait){0, NULL});
    stream_set_state(s, STREAM_REFUSED, e);
    return false;
}

bool stream_prepare(struct event_stream *s, struct err *e)
{
    if (!stream_load(s, e)) {
        return false;
    }
    s->told_mono_ns = 0;
    stream_tell(s); /* what was told of the run before is no more */
    if (s->config->options.buffer ? find_target(s, e) : stream_start_workers(s, e)) {
        return true;
    }
    stream_end_workers(s, (struct wait){0, NULL});
    return false;
}

/* What was done last is kept, and the source is told while it is still there. */
static void keep_last(struct event_stream *s)
{
    struct err e = ERR_INIT;

    if (s->kept.turn == 0) {
        return;
    }
    if (!stream_keep(s, true, &e)) {
        trace_error(&s->trace, "the last position was not kept", T_STR("stream", s->config->name),
                    T_ERR(&e));
    }
    if (s->source != NULL && s->source->ops->tend != NULL) {
        (void)s->source->ops->tend(s->source, &e);
    }
}

void event_stream_ask_stop(struct event_stream *s)
{
    if (s != NULL && s->is_started) {
        cancel_fire(s->stop);
    }
}

uint64_t event_stream_stop(struct event_stream *s, struct wait wait)
{
    if (s == NULL || !s->is_started) {
        return 0;
    }
    cancel_fire(s->stop);
    thread_join(&s->reader);
    s->reader = (struct thread){0};
    stream_end_workers(s, wait);
    keep_last(s);
    source_close(s->source);
    s->source = NULL;
    uint64_t in_flight = window_size(&s->windows[TRACK_LIVE]).changes +
                         window_size(&s->windows[TRACK_BACKFILL]).changes;
    window_release(&s->windows[TRACK_LIVE]);
    window_release(&s->windows[TRACK_BACKFILL]);
    intake_pool_empty(&s->pool);
    cancel_free(s->stop);
    s->stop = NULL;
    s->is_started = false;
    stream_set_state(s, STREAM_STOPPED, NULL);
    return in_flight;
}

static bool open_source(struct event_stream *s, struct source **ret_source, struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);

    INVARIANT(!s->is_started);
    buf_addf(&folder, "%.*s/streams/%.*s", STR_FMT(s->world.state_path), STR_FMT(s->config->name));
    const struct source_place place = {.env = s->env,
                                       .stream = s->config->name,
                                       .data_folder = buf_str(&folder),
                                       .table = s->world.table};

    return s->config->kind->open(&place, s->config->source, ret_source, e);
}

bool event_stream_try(struct event_stream *s, struct str position, struct wait wait, struct err *e)
{
    const struct source_start from = {position, buf_str(&s->kept.identity)};
    struct source *source = NULL;
    struct source_begun begun;

    if (!open_source(s, &source, e)) {
        return false;
    }
    source_begun_init(&begun);
    bool ok = source->ops->start(source, &from, &begun, wait, e) == SOURCED_OK &&
              (from.identity.len == 0 || str_eq(from.identity, buf_str(&begun.identity)) ||
               err_set(e, ERR_CONFLICT, "this is another source than the one before"));
    source_begun_release(&begun);
    source_close(source);
    return ok;
}

void event_stream_close(struct event_stream *s)
{
    if (s == NULL) {
        return;
    }
    (void)event_stream_stop(s, (struct wait){clock_deadline_ms(s->env->clock, LAST_MS), NULL});
    transform_free(s->transform);
    dead_letters_free(s->dead);
    drops_release(&s->drops);
    stream_drop_metrics(s);
    kept_release(&s->kept);
    buf_release(&s->pace.cursor);
    buf_release(&s->read_position);
    vec_release(&s->skipped);
    buf_release(&s->told_position);
    buf_release(&s->told_identity);
    buf_release(&s->begun);
    intake_pool_release(&s->pool);
    cond_release(&s->ended);
    lock_release(&s->lock);
    mem_free(s);
}
