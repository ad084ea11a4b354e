/* A stream's backfill: what was there before it first started, at a rate, behind the stream itself. */
#include "events/stream_int.h"

enum {
    IDLE_MS = 1000,
    ROOM_MS = 20,
    LEFT_EVERY_MS = 10 * 1000,
    LEFT_WAIT_MS = 2000,
    READ_MS = 4 * 1000,
    AGAIN_MS = 100, /* doubled with each failure in a row */
    AGAIN_MAX_MS = 5 * 1000
};

/* Fills the bucket for the time that went by; it holds what one batch or one second needs. */
static void fill_bucket(struct event_stream *s)
{
    const struct stream_backfill *b = &s->config->options.backfill;
    struct pace *p = &s->pace;
    int64_t now_ns = clock_mono_ns(s->env->clock);
    double most = b->rate_limit > (double)b->batch_size ? b->rate_limit : (double)b->batch_size;

    if (p->filled_mono_ns == 0) {
        p->filled_mono_ns = now_ns;
        p->began_ns = now_ns;
        p->began_at = s->kept.place.backfilled;
    }
    p->tokens += b->rate_limit * (double)(now_ns - p->filled_mono_ns) / (double)NS_PER_S;
    p->tokens = p->tokens < most ? p->tokens : most;
    p->filled_mono_ns = now_ns;
}

/* How many changes may be read now; 0: none, *ret_wait_ms until there may be some. */
static size_t allowed(struct event_stream *s, int64_t *ret_wait_ms)
{
    const struct stream_backfill *b = &s->config->options.backfill;
    double least = b->rate_limit / 50 > 1 ? b->rate_limit / 50 : 1;

    least = least < (double)b->batch_size ? least : (double)b->batch_size;
    fill_bucket(s);
    if (b->rate_limit <= 0) {
        return (size_t)b->batch_size;
    }
    if (s->pace.tokens < least) {
        *ret_wait_ms = (int64_t)((least - s->pace.tokens) * 1000 / b->rate_limit) + 1;
        return 0;
    }
    return s->pace.tokens < (double)b->batch_size ? (size_t)s->pace.tokens : (size_t)b->batch_size;
}

static struct source_range range_of(const struct event_stream *s)
{
    return (struct source_range){
        .end = buf_str(&s->kept.oldest),
        .from_ns = s->kept.place.backfill_from_ns,
        .newest = (uint64_t)s->config->options.backfill.max_events,
    };
}

static void ask_left(struct event_stream *s)
{
    const struct source_range range = range_of(s);
    int64_t now_ns = clock_mono_ns(s->env->clock);
    const struct wait wait = {clock_deadline_ms(s->env->clock, LEFT_WAIT_MS), s->stop};

    if (s->source->ops->backfill_left == NULL ||
        (s->pace.left_asked_ns != 0 &&
         now_ns - s->pace.left_asked_ns < LEFT_EVERY_MS * NS_PER_MS)) {
        return;
    }
    s->pace.left_asked_ns = now_ns;
    s->pace.left = s->source->ops->backfill_left(s->source, &range, buf_str(&s->pace.cursor), wait);
}

/* What was read is not left, long before the source is asked again. */
static void count_read(struct pace *p, size_t n, bool is_done)
{
    if (p->left >= 0) {
        p->left = is_done || p->left < (int64_t)n ? 0 : p->left - (int64_t)n;
    }
}

static enum sourced read_some(struct event_stream *s, size_t max, struct err *e)
{
    const struct source_range range = range_of(s);
    const struct wait wait = {clock_deadline_ms(s->env->clock, READ_MS), s->stop};
    struct intake *in = intake_take(&s->pool);
    bool is_done = false;
    enum sourced result = s->source->ops->backfill(s->source, &range, buf_str(&s->pace.cursor), max,
                                                   &in->changes, &is_done, wait, e);

    if (result != SOURCED_OK) {
        intake_unref(in);
        return result;
    }
    size_t n = in->changes.list.len;
    struct str behind = in->changes.position;
    behind = behind.len == 0 && n > 0 ? in->changes.list.items[n - 1].position : behind;
    if (behind.len > 0) {
        buf_clear(&s->pace.cursor);
        buf_add_str(&s->pace.cursor, behind);
    }
    s->pace.tokens -= (double)n;
    count_read(&s->pace, n, is_done);
    s->pace.is_read = stream_take_in(s, in, TRACK_BACKFILL) && is_done;
    return SOURCED_OK;
}

static int64_t rest_left_ms(const struct event_stream *s)
{
    int64_t left_ns = s->pace.rests_until_ns - clock_mono_ns(s->env->clock);

    return left_ns > 0 ? left_ns / NS_PER_MS + 1 : 0;
}

/* A backfill that cannot be read now does not hold up the stream: if the source is gone, that will say so. */
static enum sourced rest(struct event_stream *s, struct err *e)
{
    struct pace *p = &s->pace;

    p->rest_ms = p->rest_ms == 0 ? AGAIN_MS : p->rest_ms * 2;
    p->rest_ms = p->rest_ms < AGAIN_MAX_MS ? p->rest_ms : AGAIN_MAX_MS;
    trace_warn(&s->trace, "the backfill cannot be read now, trying again",
               T_STR("stream", s->config->name), T_I64("delay_ms", p->rest_ms), T_ERR(e));
    p->rests_until_ns = clock_deadline_ms(s->env->clock, p->rest_ms);
    *e = ERR_INIT;
    return SOURCED_OK;
}

enum sourced stream_backfill(struct event_stream *s, int64_t *ret_wait_ms, struct err *e)
{
    const struct stream_options *o = &s->config->options;
    struct window_size size = window_size(&s->windows[TRACK_BACKFILL]);

    *ret_wait_ms = IDLE_MS;
    if (s->kept.place.backfill != BACKFILL_RUNS || s->pace.is_read) {
        return SOURCED_OK;
    }
    if (size.changes * 2 >= (size_t)o->max_in_flight ||
        size.bytes * 2 >= (size_t)o->max_memory_bytes) {
        *ret_wait_ms = ROOM_MS;
        return SOURCED_OK;
    }
    ask_left(s);
    int64_t rest_ms = rest_left_ms(s);
    if (rest_ms > 0) {
        *ret_wait_ms = rest_ms;
        return SOURCED_OK;
    }
    size_t max = allowed(s, ret_wait_ms);
    if (max == 0) {
        return SOURCED_OK;
    }
    *ret_wait_ms = 0;
    enum sourced result = read_some(s, max, e);
    s->pace.rest_ms = result == SOURCED_AGAIN ? s->pace.rest_ms : 0;
    return result == SOURCED_AGAIN ? rest(s, e) : result;
}
