/*
 * What became of changes, by the streams' names: it outlives the list, which goes with each reload.
 *
 * Invariants
 *   1. The end of every change is logged, and what a stream gave up, from where to where.
 *   2. Where a stream goes on is known once its source was there, which may be long behind the change: it is learned by who
 *      looks, by the changer's thread every few seconds, and before the stream goes.
 *   3. A change that was not made takes nothing from what is told of the one before, when who asked for it heard so.
 */
#include "events/events_int.h"

#include "base/mem.h"
#include "base/timetext.h"

#include <stdio.h>

enum { OUTCOMES_MAX = 256 };

static struct stream_outcome *find_outcome(struct event_streams *s, struct str name)
    REQUIRES(&s->lock)
{
    for (size_t i = 0; i < s->outcomes.len; i++) {
        if (str_eq(s->outcomes.items[i]->name, name)) {
            return s->outcomes.items[i];
        }
    }
    return NULL;
}

static void free_texts(struct stream_outcome *o)
{
    mem_free(o->name.ptr);
    buf_release(&o->from);
    buf_release(&o->to);
    mem_free(o);
}

static void drop_before(struct stream_outcome *o)
{
    if (o->before != NULL) {
        free_texts(TAKE(o->before));
    }
}

static void free_outcome(struct stream_outcome *o)
{
    drop_before(o);
    free_texts(o);
}

/* The oldest goes where there are too many. */
static struct stream_outcome *make_outcome(struct event_streams *s, struct str name)
    REQUIRES(&s->lock)
{
    struct stream_outcome *o = mem_new(struct stream_outcome);
    size_t oldest = 0;

    o->name = str_make(mem_dup_text(name.ptr, name.len), name.len);
    buf_init(&o->from, BUF_UNLIMITED);
    buf_init(&o->to, BUF_UNLIMITED);
    if (s->outcomes.len < OUTCOMES_MAX) {
        vec_push(&s->outcomes, o);
        return o;
    }
    for (size_t i = 1; i < s->outcomes.len; i++) {
        bool is_older =
            s->outcomes.items[i]->changed.at_ns < s->outcomes.items[oldest]->changed.at_ns;
        oldest = is_older ? i : oldest;
    }
    free_outcome(s->outcomes.items[oldest]);
    s->outcomes.items[oldest] = o;
    return o;
}

void event_streams_free_outcomes(struct event_streams *s)
{
    lock_take(&s->lock);
    for (size_t i = 0; i < s->outcomes.len; i++) {
        free_outcome(s->outcomes.items[i]);
    }
    vec_release(&s->outcomes);
    lock_give(&s->lock);
}

/* ---- where streams go on ---- */

static void trace_gap(struct event_streams *s, const struct stream_outcome *o)
{
    AUTO(buf_release) struct buf from = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf to = BUF_INIT(BUF_SMALL);

    if (o->changed.from.at_ns != 0) {
        buf_add_rfc3339(&from, o->changed.from.at_ns);
    }
    buf_add_rfc3339(&to, o->changed.to.at_ns);
    trace_warn(&s->trace,
               o->order == STREAM_SKIP ? "a stream gave up what lies between two positions"
                                       : "a stream goes on at another position",
               T_STR("stream", o->name), T_TEXT("change", o->changed.what),
               T_STR("position_before", buf_str(&o->from)), T_STR("saved_before", buf_str(&from)),
               T_STR("position", buf_str(&o->to)), T_STR("since", buf_str(&to)));
}

static void learn(struct event_streams *s, struct stream_outcome *o) REQUIRES(&s->lock)
{
    const struct stream_item *item = event_streams_find(s, o->name);

    if (o->awaits_begin && item != NULL && item->stream != NULL &&
        event_stream_begun(item->stream, &o->to, &o->changed.to.at_ns)) {
        o->awaits_begin = false;
        trace_gap(s, o);
    }
}

void event_streams_learn(struct event_streams *s)
{
    for (size_t i = 0; i < s->outcomes.len; i++) {
        learn(s, s->outcomes.items[i]);
    }
}

struct stream_changed event_streams_outcome(struct event_streams *s, struct str name,
                                            struct arena *a)
{
    struct stream_outcome *o = find_outcome(s, name);

    if (o == NULL) {
        return (struct stream_changed){.what = NULL};
    }
    learn(s, o);
    struct stream_changed c = o->changed;
    c.from.position = arena_dup(a, buf_str(&o->from));
    c.to.position = arena_dup(a, buf_str(&o->to));
    return c;
}

/* ---- what becomes of one ---- */

static struct stream_outcome *note(struct event_streams *s, const struct stream_order *order,
                                   const char *phase) REQUIRES(&s->lock)
{
    struct stream_outcome *o = find_outcome(s, order->name);

    o = o != NULL ? o : make_outcome(s, order->name);
    o->order = order->change;
    o->awaits_begin = false;
    buf_clear(&o->from);
    buf_clear(&o->to);
    o->changed = (struct stream_changed){.what = stream_change_name(order->change),
                                         .phase = phase,
                                         .at_ns = clock_wall_ns(s->world.env->clock)};
    return o;
}

/* All but the name, which is <o>'s as long as that is there. */
static void keep_before(struct stream_outcome *o)
{
    struct stream_outcome *before = mem_new(struct stream_outcome);

    drop_before(o);
    *before = *o;
    before->name = (struct str){0};
    buf_init(&o->from, BUF_UNLIMITED);
    buf_init(&o->to, BUF_UNLIMITED);
    o->before = before;
}

static void take_before(struct stream_outcome *o)
{
    struct stream_outcome *before = TAKE(o->before);
    struct str name = o->name;

    if (before == NULL) {
        o->changed.what = NULL;
        return;
    }
    buf_release(&o->from);
    buf_release(&o->to);
    *o = *before;
    o->name = name;
    mem_free(before);
}

void event_streams_note_asked(struct event_streams *s, const struct stream_order *order)
{
    struct stream_outcome *o = find_outcome(s, order->name);

    if (o != NULL) {
        learn(s, o);
        keep_before(o);
    }
    (void)note(s, order, "waiting");
}

void event_streams_note_running(struct event_streams *s, const struct stream_order *order)
{
    (void)note(s, order, "running");
}

void event_streams_note_move(struct event_streams *s, const struct stream_order *order,
                             const struct stream_status *before)
{
    lock_take(&s->lock);
    struct stream_outcome *o = find_outcome(s, order->name);
    if (o != NULL) {
        buf_add_str(&o->from, before->position);
        o->changed.is_move = true;
        o->changed.from.at_ns = before->saved_ns;
        o->awaits_begin = order->change != STREAM_REWIND;
    }
    if (o != NULL && order->change == STREAM_REWIND) {
        buf_add_str(&o->to, order->position);
        o->changed.to.at_ns = clock_wall_ns(s->world.env->clock);
        trace_gap(s, o);
    }
    lock_give(&s->lock);
}

void event_streams_note_pass(struct event_streams *s, struct str name, enum letter_box box,
                             uint64_t letter)
{
    lock_take(&s->lock);
    struct stream_outcome *o = find_outcome(s, name);
    if (o != NULL) {
        o->changed.is_pass = true;
        o->changed.letter_box = box;
        o->changed.letter = letter;
    }
    lock_give(&s->lock);
}

static void note_failed(struct event_streams *s, const struct stream_order *order, bool is_told,
                        const struct err *e) REQUIRES(&s->lock)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct stream_outcome *o = note(s, order, "failed");

    err_print_line(e, &text);
    (void)snprintf(o->changed.problem, sizeof(o->changed.problem), "%s", buf_text(&text));
    trace_error(&s->trace, "a stream was not changed", T_STR("stream", order->name),
                T_TEXT("change", stream_change_name(order->change)), T_ERR(e));
    if (is_told) {
        take_before(o);
    } else {
        drop_before(o);
    }
}

void event_streams_note_end(struct event_streams *s, const struct stream_order *order, bool is_told,
                            const struct err *e)
{
    struct stream_outcome *o = find_outcome(s, order->name);

    if (e != NULL) {
        note_failed(s, order, is_told, e);
        return;
    }
    if (o != NULL) {
        drop_before(o);
        o->changed.phase = "done";
        o->changed.at_ns = clock_wall_ns(s->world.env->clock);
        learn(s, o);
    }
    trace_warn(&s->trace, "a stream was changed", T_STR("stream", order->name),
               T_TEXT("change", stream_change_name(order->change)));
}
