/*
 * Invariants
 *   1. The order is: done, then written, then told to the source.
 *   2. Positions are those of the windows' floors: nothing before them is owed.
 */
#include "events/stream_int.h"

enum { KEEP_MS = 200 };

void kept_init(struct kept *k)
{
    *k = (struct kept){.is_acked = true};
    buf_init(&k->identity, BUF_UNLIMITED);
    buf_init(&k->position, BUF_UNLIMITED);
    buf_init(&k->oldest, BUF_UNLIMITED);
    buf_init(&k->cursor, BUF_UNLIMITED);
}

void kept_release(struct kept *k)
{
    buf_release(&k->identity);
    buf_release(&k->position);
    buf_release(&k->oldest);
    buf_release(&k->cursor);
}

static void set_text(struct buf *b, struct str text)
{
    buf_clear(b);
    buf_add_str(b, text);
}

bool stream_load(struct event_stream *s, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct kept *k = &s->kept;

    arena_init(&a, ARENA_UNLIMITED);
    if (!stream_positions_take(s->world.positions, s->config->name, &a, &k->place, &k->turn, e)) {
        return false;
    }
    set_text(&k->identity, k->place.identity);
    set_text(&k->position, k->place.position);
    set_text(&k->oldest, k->place.oldest);
    set_text(&k->cursor, k->place.cursor);
    set_text(&s->read_position, k->place.position);
    set_text(&s->pace.cursor, k->place.cursor);
    k->done_before = k->place.done;
    k->backfilled_before = k->place.backfilled;
    k->is_changed = false;
    k->is_acked = false; /* the source may have missed it */
    return true;
}

static bool write_place(struct event_stream *s, struct err *e)
{
    struct kept *k = &s->kept;
    struct stream_place place = k->place;

    place.identity = buf_str(&k->identity);
    place.position = buf_str(&k->position);
    place.oldest = buf_str(&k->oldest);
    place.cursor = buf_str(&k->cursor);
    place.updated_ns = clock_wall_ns(s->env->clock);
    if (!stream_positions_write(s->world.positions, s->config->name, k->turn, &place, e)) {
        return false;
    }
    k->place.updated_ns = place.updated_ns;
    k->is_changed = false;
    k->is_acked = false;
    k->written_mono_ns = clock_mono_ns(s->env->clock);
    metric_add(s->metrics[METRIC_SAVES], 1);
    return true;
}

static void tell_begun(struct event_stream *s)
{
    struct kept *k = &s->kept;

    lock_take(&s->lock);
    set_text(&s->begun, buf_str(&k->position));
    s->begun_ns = k->place.first_ns;
    lock_give(&s->lock);
    trace_info(&s->trace, "a stream begins", T_STR("stream", s->config->name),
               T_STR("position", buf_str(&k->position)),
               T_TEXT("backfill", backfill_phase_name(k->place.backfill)));
}

bool event_stream_begun(struct event_stream *s, struct buf *ret_position, int64_t *ret_at_ns)
{
    lock_take(&s->lock);
    int64_t at_ns = s->begun_ns;
    if (at_ns != 0) {
        buf_clear(ret_position);
        buf_add_str(ret_position, buf_str(&s->begun));
        *ret_at_ns = at_ns;
    }
    lock_give(&s->lock);
    return at_ns != 0;
}

bool stream_begin(struct event_stream *s, const struct source_begun *begun, struct err *e)
{
    const struct stream_backfill *b = &s->config->options.backfill;
    struct kept *k = &s->kept;
    enum backfill_phase before = k->place.backfill;
    int64_t now_ns = clock_wall_ns(s->env->clock);
    bool fills = b->enabled && begun->oldest.len > 0 && s->source->ops->backfill != NULL &&
                 k->place.backfill != BACKFILL_DONE;

    set_text(&k->identity, buf_str(&begun->identity));
    set_text(&k->position, buf_str(&begun->position));
    set_text(&k->oldest, fills ? buf_str(&begun->oldest) : STR(""));
    set_text(&s->read_position, buf_str(&begun->position));
    k->place.backfill = fills ? BACKFILL_RUNS : BACKFILL_DONE;
    k->place.backfill_from_ns = b->max_age_ns > 0 ? now_ns - b->max_age_ns : 0;
    k->place.first_ns = now_ns;
    if (write_place(s, e)) {
        tell_begun(s);
        return true;
    }
    s->is_taken = e->code == ERR_CONFLICT;
    k->place.backfill =
        before; /* nothing is read from a place that is not durable: it begins again */
    buf_clear(&k->position);
    buf_clear(&s->read_position);
    return false;
}

/* Takes over the floors that moved. */
static void look_at_floors(struct event_stream *s)
{
    struct kept *k = &s->kept;
    uint64_t done = 0;

    if (window_take_floor(&s->windows[TRACK_LIVE], &k->position, &done)) {
        metric_add(s->metrics[METRIC_DONE], k->done_before + done - k->place.done);
        k->place.done = k->done_before + done;
        k->is_changed = true;
        k->moved_mono_ns = clock_mono_ns(s->env->clock);
    }
    if (window_take_floor(&s->windows[TRACK_BACKFILL], &k->cursor, &done)) {
        metric_add(s->metrics[METRIC_BACKFILLED],
                   k->backfilled_before + done - k->place.backfilled);
        k->place.backfilled = k->backfilled_before + done;
        k->is_changed = true;
        k->moved_mono_ns = clock_mono_ns(s->env->clock);
    }
    if (k->place.backfill == BACKFILL_RUNS && s->pace.is_read &&
        window_size(&s->windows[TRACK_BACKFILL]).changes == 0) {
        trace_info(&s->trace, "the backfill is done", T_STR("stream", s->config->name),
                   T_U64("changes", k->place.backfilled));
        k->place.backfill = BACKFILL_DONE;
        k->place.backfill_done_ns = clock_wall_ns(s->env->clock);
        k->is_changed = true;
    }
}

static bool is_time(const struct event_stream *s)
{
    return clock_mono_ns(s->env->clock) - s->kept.written_mono_ns >= KEEP_MS * NS_PER_MS;
}

bool stream_keep(struct event_stream *s, bool now, struct err *e)
{
    struct kept *k = &s->kept;
    struct err why = ERR_INIT;

    look_at_floors(s);
    if (!k->is_changed && window_size(&s->windows[TRACK_LIVE]).changes == 0 &&
        window_size(&s->windows[TRACK_BACKFILL]).changes == 0) {
        k->idle_mono_ns = clock_mono_ns(s->env->clock);
    }
    if (k->is_changed && (now || is_time(s)) && !write_place(s, &why)) {
        if (why.code == ERR_CONFLICT) {
            s->is_taken = true;
            *e = why;
            return false;
        }
        trace_error(&s->trace, "the position of a stream cannot be written, trying again",
                    T_STR("stream", s->config->name), T_ERR(&why));
        k->written_mono_ns = clock_mono_ns(s->env->clock); /* not at once */
    }
    if (!k->is_changed && !k->is_acked && s->source != NULL) {
        s->source->ops->ack(s->source, buf_str(&k->position));
        if (s->source->ops->ack_backfill != NULL) {
            s->source->ops->ack_backfill(s->source, buf_str(&k->cursor),
                                         k->place.backfill == BACKFILL_DONE);
        }
        k->is_acked = true;
    }
    return true;
}
