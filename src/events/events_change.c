/* What a person changes: reset, skip, rewind. See events.c for who may when. */
#include "events/events_int.h"

#include "base/timetext.h"
#include "events/events_left.h"
#include "events/sources/sources.h"
#include "state/event_table.h"

#include <string.h>

enum {
    STOP_MS = 10 * 1000,
    FORGET_MS = 20 * 1000,
    SETTLE_MS = 3000, /* so that who asked hears how it went on */
    SETTLE_LOOK_MS = 20,
};

/* What is known of the stream, with another place. */
static bool write_place(struct event_streams *s, struct str name, enum stream_change change,
                        struct str position, struct err *e)
{
    AUTO(arena_release) struct arena a;
    struct stream_place place = {0};
    int64_t turn = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (change == STREAM_RESET) {
        return stream_positions_forget(s->world.positions, name, e);
    }
    if (!stream_positions_take(s->world.positions, name, &a, &place, &turn, e)) {
        return false;
    }
    if (change == STREAM_SKIP) {
        place.identity = STR("");
        place.position = STR("");
        place.oldest = STR("");
        place.cursor = STR("");
        place.backfill = BACKFILL_DONE;
    } else {
        place.position = position;
    }
    return stream_positions_write(s->world.positions, name, turn, &place, e);
}

/* What a skip is to do: give up a place, or pass one change or event; false when there is nothing to skip. */
static bool plan_skip(const struct stream_status *status, struct stream_go *ret_go, bool *ret_moves,
                      struct err *e)
{
    bool is_halted = status->state == STREAM_HALTED;
    bool sink_halts = is_halted && status->halted_change == 0 && status->sink.state != NULL &&
                      strcmp(status->sink.state, "halted") == 0;

    *ret_moves = status->state == STREAM_LOST;
    ret_go->skip = sink_halts ? status->sink.halted_event : is_halted ? status->halted_change : 0;
    if (sink_halts && ret_go->skip == 0) {
        return err_set(e, ERR_CONFIG,
                       "there is nothing to skip: the sink refuses us, and not an event: %s",
                       status->sink.last_error);
    }
    return *ret_moves || ret_go->skip != 0 ||
           err_set(
               e, ERR_CONFIG,
               "there is nothing to skip: stream '%.*s' is %s. `reset` starts it as for the first time",
               STR_FMT(status->name), stream_state_name(status->state));
}

const char *stream_change_name(enum stream_change change)
{
    static const char *const names[STREAM_CHANGES] = {
        [STREAM_RESET] = "reset", [STREAM_SKIP] = "skip", [STREAM_REWIND] = "rewind"};

    return names[change];
}

static void add_time(int64_t wall_ns, struct buf *out)
{
    if (wall_ns != 0) {
        buf_add_rfc3339(out, wall_ns);
    }
}

static void say_change(struct event_streams *s, const struct stream_status *before,
                       const struct stream_order *order)
{
    AUTO(buf_release) struct buf saved = BUF_INIT(BUF_SMALL);

    add_time(before->saved_ns, &saved);
    trace_warn(&s->trace, "somebody changes a stream", T_STR("stream", before->name),
               T_TEXT("change", stream_change_name(order->change)),
               T_TEXT("state", stream_state_name(before->state)),
               T_STR("position_before", before->position), T_STR("saved_before", buf_str(&saved)),
               T_STR("position", order->position), T_U64("in_flight", before->in_flight));
}

/* ---- how a stream goes on ---- */

/* A stream that was started anew, until it is seen what became of the change. */
struct settling {
    const struct stream_order *order;
    const struct stream_boxes *boxes;
    uint64_t passes; /* stream_go.skip; 0: it was moved */
    enum letter_box box;
    uint64_t letters; /* in the box when it was looked at last */
    int64_t since_ns; /* wall */
    uint64_t letter;  /* of what was passed; 0: there is none yet */
};

static bool is_the_letter(void *arg, enum letter_box box, const struct dead_letter *letter)
{
    struct settling *g = arg;

    if (box == g->box && letter->time_ns >= g->since_ns && letter_has(letter, g->passes)) {
        g->letter = letter->number;
    }
    return box == g->box && g->letter == 0;
}

/* The box is read when there are other letters in it than before. */
static bool find_letter(struct settling *g)
{
    const struct letter_id from = {g->box, 0};
    struct err ignored = ERR_INIT;
    uint64_t letters = event_stream_letters(g->boxes->stream, g->box).letters;

    if (letters != g->letters) {
        g->letters = letters;
        return event_stream_walk_letters(g->boxes, from, is_the_letter, g, &ignored) &&
               g->letter != 0;
    }
    return g->letter != 0;
}

static bool is_settled(struct settling *g)
{
    AUTO(buf_release) struct buf position = BUF_INIT(BUF_UNLIMITED);
    enum stream_state state = event_stream_get_state(g->boxes->stream);
    bool is_trying = state == STREAM_STOPPED || state == STREAM_CONNECTS;
    int64_t at_ns = 0;

    if (g->passes != 0) {
        return find_letter(g) || (!is_trying && state != STREAM_RUNS);
    }
    bool has_begun = g->order->change == STREAM_REWIND ||
                     event_stream_begun(g->boxes->stream, &position, &at_ns);
    return !is_trying && (has_begun || state != STREAM_RUNS);
}

static void settle(struct event_streams *s, struct settling *g)
{
    const struct clock *clock = s->world.env->clock;
    const struct wait wait = {clock_deadline_ms(clock, SETTLE_MS), s->hurry};

    while (!is_settled(g) && wait_sleep(wait_limit_ms(wait, clock, SETTLE_LOOK_MS))) {
        if (wait_is_over(wait, clock)) {
            return;
        }
    }
}

static bool take_back(struct event_streams *s, const struct stream_item *item, struct wait wait,
                      struct err *e)
{
    return stream_left_take_back(&s->world, s->config, item->name, true, wait, e) &&
           (item->kind != &source_embedded ||
            event_table_forget(s->world.table, item->name, wait, e));
}

/* Of a rewind the source is asked first whether it can go on there: nothing is changed when not. */
static bool change_stopped(struct event_streams *s, struct stream_item *item,
                           const struct stream_order *order, bool moves, struct err *e)
{
    const struct wait wait = {clock_deadline_ms(s->world.env->clock, FORGET_MS), s->hurry};
    bool drops = order->change == STREAM_RESET && order->source == STREAM_SOURCE_DROPPED;

    if (order->change == STREAM_REWIND &&
        !event_stream_try(item->stream, order->position, wait, e)) {
        return err_wrap(e, "the stream stays where it was");
    }
    if (drops && !take_back(s, item, wait, e)) {
        return false;
    }
    return !moves || write_place(s, item->name, order->change, order->position, e);
}

/* Starts it again, whether it was changed or not. */
static bool start_again(struct event_streams *s, struct stream_item *item,
                        const struct stream_go *go, bool ok, struct err *e)
{
    struct err later = ERR_INIT;

    if (event_stream_start(item->stream, go, &later)) {
        return ok;
    }
    trace_error(&s->trace, "a stream does not start again", T_STR("stream", item->name),
                T_ERR(&later));
    if (ok) {
        *e = later;
    }
    return false;
}

static bool change_running(struct event_streams *s, struct stream_item *item,
                           const struct stream_order *order, struct err *e)
{
    const struct stream_boxes boxes = {s->world.env, &s->trace,    s->world.state_path,
                                       item->name,   item->stream, s->hurry};
    struct settling g = {.order = order, .boxes = &boxes};
    AUTO(arena_release) struct arena a;
    struct stream_go go = {0};
    bool moves = true;

    arena_init(&a, ARENA_UNLIMITED);
    struct stream_status *before = arena_new(&a, struct stream_status);
    event_stream_get_status(item->stream, &a, before);
    if (order->change == STREAM_SKIP && !plan_skip(before, &go, &moves, e)) {
        return false;
    }
    say_change(s, before, order);
    g.passes = go.skip;
    g.box = before->halted_change != 0 ? LETTERS_UNREADABLE : LETTERS_REFUSED;
    g.letters = event_stream_letters(item->stream, g.box).letters;
    g.since_ns = clock_wall_ns(s->world.env->clock);
    (void)event_stream_stop(item->stream,
                            (struct wait){clock_deadline_ms(s->world.env->clock, STOP_MS), NULL});
    bool ok = change_stopped(s, item, order, moves, e);
    if (!start_again(s, item, &go, ok, e)) {
        return false;
    }
    if (moves) {
        event_streams_note_move(s, order, before);
    }
    settle(s, &g);
    if (!moves) {
        event_streams_note_pass(s, order->name, g.box, g.letter);
    }
    return true;
}

/* One that is off, or in no config: it can be forgotten. */
static bool change_resting(struct event_streams *s, struct stream_item *item,
                           const struct stream_order *order, struct err *e)
{
    const struct wait wait = {clock_deadline_ms(s->world.env->clock, FORGET_MS), s->hurry};

    if (order->change != STREAM_RESET) {
        return err_set(e, ERR_CONFIG, "stream '%.*s' does not run: it can be reset, nothing else",
                       STR_FMT(item->name));
    }
    AUTO(buf_release) struct buf saved = BUF_INIT(BUF_SMALL);
    add_time(item->place.updated_ns, &saved);
    trace_warn(&s->trace, "somebody resets a stream that does not run", T_STR("stream", item->name),
               T_TEXT("state", stream_state_name(item->state)),
               T_STR("position_before", item->place.position),
               T_STR("saved_before", buf_str(&saved)));
    if (!stream_left_forget(&s->world, s->config, item->name, order->source, wait, e)) {
        if (e->code == ERR_CONFLICT && left_letters_is_any(&item->letters)) {
            return err_set(e, ERR_CONFLICT, "nothing else is known of stream '%.*s': %.*s",
                           STR_FMT(item->name), STR_FMT(buf_str(&item->reason)));
        }
        return false;
    }
    event_streams_remove(s, item);
    return true;
}

/* One that is on and could not be opened: it starts as for the first time when it can be. */
static bool change_refused(struct event_streams *s, const struct stream_item *item,
                           const struct stream_order *order, struct err *e)
{
    const struct wait wait = {clock_deadline_ms(s->world.env->clock, FORGET_MS), s->hurry};

    if (order->change != STREAM_RESET || s->world.positions == NULL) {
        return err_set(e, ERR_CONFIG, "stream '%.*s' could not be opened: %.*s",
                       STR_FMT(item->name), STR_FMT(buf_str(&item->reason)));
    }
    return (order->source != STREAM_SOURCE_DROPPED || take_back(s, item, wait, e)) &&
           stream_positions_forget(s->world.positions, item->name, e);
}

bool event_streams_do(struct event_streams *s, const struct stream_order *order, struct err *e)
{
    bool ok = false;

    lock_take(&s->changing);
    struct stream_item *item = event_streams_find(s, order->name);
    if (item == NULL) {
        (void)err_set(e, ERR_CONFLICT, "there is no stream '%.*s' any more", STR_FMT(order->name));
    } else if (item->stream != NULL) {
        ok = change_running(s, item, order, e);
    } else if (item->state == STREAM_REFUSED) {
        ok = change_refused(s, item, order, e);
    } else {
        ok = change_resting(s, item, order, e);
    }
    event_streams_look(s);
    lock_give(&s->changing);
    return ok;
}
