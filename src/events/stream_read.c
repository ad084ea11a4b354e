/*
 * Invariants
 *   1. The source is this thread's alone while it runs.
 *   2. Nothing is read before the position from which it is read is durable.
 *   3. A source that is started again goes on behind what was read, not behind what is kept: the windows still have
 *      what lies between.
 */
#include "events/stream_int.h"

#include "base/mem.h"
#include "events/events_left.h"

enum {
    START_MS = 60 * 1000,
    BUSY_MS = 50,
    IDLE_MS = 1000,
    TEND_MS = 2000,
    PREPARE_AGAIN_MS = 5000,
    BACKOFF_MS = 500,
    BACKOFF_MAX_MS = 30 * 1000,
};

static bool is_stopping(const struct event_stream *s)
{
    return cancel_is_set(s->stop);
}

static struct wait wait_ms(const struct event_stream *s, int64_t ms)
{
    return (struct wait){clock_deadline_ms(s->env->clock, ms), s->stop};
}

/* What is due beside reading. */
static bool tend(struct event_stream *s, struct err *e)
{
    stream_tell(s);
    return stream_keep(s, false, e);
}

bool stream_pause(struct event_stream *s, int64_t ms)
{
    int64_t until_ns = clock_deadline_ms(s->env->clock, ms);
    struct err e = ERR_INIT;

    while (clock_mono_ns(s->env->clock) < until_ns) {
        if (!tend(s, &e)) {
            return false;
        }
        if (s->source != NULL && s->source->ops->tend != NULL) {
            (void)s->source->ops->tend(s->source, &e); /* trouble comes again when it is read */
        }
        struct wait wait = wait_limit_ms((struct wait){until_ns, s->stop}, s->env->clock, TEND_MS);
        if (!wait_sleep(wait)) {
            return false;
        }
    }
    return !is_stopping(s);
}

/* ---- starting ---- */

static enum sourced begin(struct event_stream *s, const struct source_begun *begun, struct err *e)
{
    if (!source_is_same(s->config->name, buf_str(&s->kept.identity), buf_str(&begun->identity),
                        e)) {
        return SOURCED_LOST;
    }
    if (!stream_left_note(s->world.positions, s->config, begun, true, e)) {
        return SOURCED_AGAIN;
    }
    if (s->kept.position.len == 0) {
        return stream_begin(s, begun, e) ? SOURCED_OK : SOURCED_AGAIN;
    }
    if (s->kept.identity.len == 0) {
        buf_add_str(&s->kept.identity, buf_str(&begun->identity));
        s->kept.is_changed = true;
    }
    s->kept.is_acked = false; /* the source may not know it any more */
    return SOURCED_OK;
}

/* What is about to be made is noted as ours before: a kill in between leaves nothing that nobody knows of. */
static bool note_making(void *arg, const struct source_begun *begun, struct err *e)
{
    const struct event_stream *s = arg;

    return stream_left_note(s->world.positions, s->config, begun, false, e);
}

static void forget_unmade(struct event_stream *s, const struct source_begun *begun)
{
    struct err e = ERR_INIT;

    if (begun->unmade != 0 &&
        !stream_left_forget_unmade(s->world.positions, s->config, begun, &e)) {
        trace_error(&s->trace, "something that was not made is noted", T_ERR(&e));
    }
}

static enum sourced start_source(struct event_stream *s, struct err *e)
{
    AUTO(buf_release) struct buf folder = BUF_INIT(BUF_SMALL);
    const struct source_start from = {.position = buf_str(&s->read_position),
                                      .identity = buf_str(&s->kept.identity)};
    struct source_begun begun;

    buf_addf(&folder, "%.*s/streams/%.*s", STR_FMT(s->world.state_path), STR_FMT(s->config->name));
    const struct source_place place = {.env = s->env,
                                       .stream = s->config->name,
                                       .data_folder = buf_str(&folder),
                                       .table = s->world.table};
    if (!s->config->kind->open(&place, s->config->source, &s->source, e)) {
        return SOURCED_REFUSED;
    }
    source_begun_init(&begun);
    begun.before_making = note_making;
    begun.arg = s;
    enum sourced result = s->source->ops->start(s->source, &from, &begun, wait_ms(s, START_MS), e);
    forget_unmade(s, &begun);
    if (result == SOURCED_OK) {
        result = begin(s, &begun, e);
    }
    source_begun_release(&begun);
    return result;
}

/* ---- reading ---- */

static bool has_room(struct event_stream *s)
{
    const struct stream_options *o = &s->config->options;
    const struct window_size limit = {(size_t)o->max_in_flight, (size_t)o->max_memory_bytes};

    return window_wait_room(&s->windows[TRACK_LIVE], limit, wait_ms(s, IDLE_MS));
}

/* How long the source may wait for the next change: less while there is something to be kept. */
static int64_t patience_ms(struct event_stream *s, int64_t backfill_ms)
{
    size_t open = window_size(&s->windows[TRACK_LIVE]).changes +
                  window_size(&s->windows[TRACK_BACKFILL]).changes;
    int64_t ms = open > 0 || s->kept.is_changed ? BUSY_MS : IDLE_MS;

    return backfill_ms < ms ? backfill_ms : ms;
}

static void note_read(struct event_stream *s, const struct changes *c)
{
    size_t n = c->list.len;
    struct str behind = c->position;

    if (n > 0) {
        const struct change *last = &c->list.items[n - 1];
        behind = behind.len == 0 ? last->position : behind;
        s->read_time_ns = last->time_ns != 0 ? last->time_ns : s->read_time_ns;
    }
    if (behind.len > 0) {
        buf_clear(&s->read_position);
        buf_add_str(&s->read_position, behind);
    }
}

static enum sourced read_some(struct event_stream *s, int64_t ms, struct err *e)
{
    size_t max = (size_t)s->config->options.batch_size;
    struct intake *in = intake_take(&s->pool);
    enum sourced result = s->source->ops->next(s->source, max, &in->changes, wait_ms(s, ms), e);

    if (result != SOURCED_OK && in->changes.list.len == 0) {
        intake_unref(in);
        return result;
    }
    if (in->changes.list.len == 0) {
        intake_pool_empty(&s->pool); /* there is nothing to do */
    }
    if (in->changes.list.len == 0 && in->changes.position.len == 0) {
        intake_unref(in);
        return result;
    }
    note_read(s, &in->changes);
    (void)stream_take_in(s, in, TRACK_LIVE);
    return result;
}

/* Reads until the source is in trouble, or the stream stops. */
static enum sourced read_on(struct event_stream *s, struct err *e)
{
    int64_t backfill_ms = 0;

    while (!is_stopping(s)) {
        if (!tend(s, e)) {
            return SOURCED_REFUSED;
        }
        enum sourced result =
            s->source->ops->tend != NULL ? s->source->ops->tend(s->source, e) : SOURCED_OK;
        if (result == SOURCED_OK && has_room(s)) {
            result = read_some(s, patience_ms(s, backfill_ms), e);
        }
        if (result == SOURCED_OK) {
            result = stream_backfill(s, &backfill_ms, e);
        }
        if (result != SOURCED_OK) {
            return result;
        }
        s->failures = 0;
    }
    return SOURCED_OK;
}

/* ---- trouble ---- */

static int64_t backoff_ms(const struct event_stream *s)
{
    int64_t ms = BACKOFF_MS;

    for (uint32_t i = 1; i < s->failures && ms < BACKOFF_MAX_MS; i++) {
        ms *= 2;
    }
    return ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS;
}

static void wait_for_person(struct event_stream *s, enum stream_state state, const struct err *why)
{
    stream_set_state(s, state, why);
    while (!is_stopping(s)) {
        if (!stream_pause(s, BACKOFF_MAX_MS)) {
            (void)wait_sleep(wait_ms(s, BACKOFF_MAX_MS));
        }
    }
}

/* What becomes of the stream when the source does not go on. */
static void deal_with(struct event_stream *s, enum sourced result, const struct err *why)
{
    static const enum stream_state states[] = {[SOURCED_OK] = STREAM_RUNS,
                                               [SOURCED_AGAIN] = STREAM_WAITS,
                                               [SOURCED_REFUSED] = STREAM_REFUSED,
                                               [SOURCED_LOST] = STREAM_LOST,
                                               [SOURCED_ENDED] = STREAM_ENDED};

    if (is_stopping(s)) {
        return;
    }
    if (result == SOURCED_LOST || result == SOURCED_ENDED || s->is_taken) {
        wait_for_person(s, states[result], result == SOURCED_ENDED ? NULL : why);
        return;
    }
    s->failures++;
    metric_add(s->metrics[METRIC_RESTARTS], 1);
    stream_set_state(s, states[result], why);
    (void)stream_pause(s, result == SOURCED_REFUSED ? BACKOFF_MAX_MS : backoff_ms(s));
}

static void run_once(struct event_stream *s)
{
    struct err e = ERR_INIT;

    enum sourced result = start_source(s, &e);
    if (result == SOURCED_OK) {
        stream_set_state(s, STREAM_RUNS, NULL);
        result = read_on(s, &e);
    }
    if (result != SOURCED_OK && !is_stopping(s)) {
        source_close(s->source);
        s->source = NULL;
        stream_forget_measures(s, result == SOURCED_ENDED);
        deal_with(s, result, &e);
    }
}

void stream_read(void *arg)
{
    struct event_stream *s = arg;

    while (!s->is_prepared && wait_sleep(wait_ms(s, PREPARE_AGAIN_MS))) {
        struct err e = ERR_INIT;
        s->is_prepared = stream_prepare(s, &e);
        if (!s->is_prepared) {
            stream_set_state(s, STREAM_REFUSED, &e);
        }
    }
    while (!is_stopping(s)) {
        run_once(s);
    }
}
