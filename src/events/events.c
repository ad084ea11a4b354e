/*
 * Invariants
 *   1. Streams are started, stopped and changed under <changing>; the list is exchanged under <lock> too, which nobody holds
 *      while a stream stops.
 *   2. A position is changed only while its stream is stopped.
 */
#include "events/events.h"

#include "base/mem.h"
#include "base/trace.h"
#include "state/stream_positions.h"

#include <string.h>

enum { STOP_MS = 10 * 1000, FORGET_MS = 20 * 1000 };

struct event_streams {
    struct stream_world world;
    struct buf state_path;
    struct trace trace;
    struct lock changing; /* taken before <lock> */
    struct lock lock;
    struct event_stream *items[STREAMS_MAX];
    const struct stream_config *configs[STREAMS_MAX];
    size_t count GUARDED_BY(lock);
    bool is_changing GUARDED_BY(lock); /* by a person */
};

bool event_streams_open(const struct env *env, struct plan *plan, struct str state_path,
                        struct event_streams **ret_streams, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct event_streams *s = mem_new(struct event_streams);

    lock_init(&s->changing);
    lock_init(&s->lock);
    buf_init(&s->state_path, BUF_SMALL);
    buf_add_str(&s->state_path, state_path);
    trace_init(&s->trace, env->trace, "events", TRACE_INFO);
    s->world =
        (struct stream_world){.env = env, .plan = plan, .state_path = buf_str(&s->state_path)};
    buf_addf(&path, "%.*s/streams.db", STR_FMT(state_path));
    if (!stream_positions_open(buf_str(&path), &s->world.positions, e)) {
        event_streams_close(s);
        return false;
    }
    *ret_streams = s;
    return true;
}

/* ---- running ---- */

static void start(struct event_streams *s, struct event_stream *stream,
                  const struct stream_config *config)
{
    const struct stream_go go = {0};
    struct err e = ERR_INIT;

    if (!event_stream_start(stream, &go, &e)) {
        trace_error(&s->trace, "a stream does not start", T_STR("stream", config->name), T_ERR(&e));
    }
}

static void run_one(struct event_streams *s, const struct stream_config *config)
{
    struct event_stream *stream = NULL;
    struct err e = ERR_INIT;

    if (!config->options.enabled) {
        return;
    }
    if (!event_stream_open(&s->world, config, &stream, &e)) {
        trace_error(&s->trace, "a stream cannot be opened", T_STR("stream", config->name),
                    T_ERR(&e));
        return;
    }
    lock_take(&s->lock);
    s->items[s->count] = stream;
    s->configs[s->count++] = config;
    lock_give(&s->lock);
    start(s, stream, config);
}

void event_streams_run(struct event_streams *s, struct event_table *table,
                       const struct streams_config *config)
{
    lock_take(&s->changing);
    s->world.table = table;
    for (size_t i = 0; i < config->count; i++) {
        run_one(s, &config->items[i]);
    }
    lock_give(&s->changing);
}

static size_t count_of(struct event_streams *s)
{
    lock_take(&s->lock);
    size_t count = s->count;
    lock_give(&s->lock);
    return count;
}

uint64_t event_streams_rest(struct event_streams *s, struct wait wait)
{
    uint64_t in_flight = 0;

    lock_take(&s->changing);
    size_t count = count_of(s);
    for (size_t i = 0; i < count; i++) {
        event_stream_ask_stop(s->items[i]);
    }
    for (size_t i = 0; i < count; i++) {
        in_flight += event_stream_stop(s->items[i], wait);
    }
    lock_take(&s->lock);
    s->count = 0;
    for (size_t i = 0; i < count; i++) {
        event_stream_close(s->items[i]);
    }
    lock_give(&s->lock);
    lock_give(&s->changing);
    return in_flight;
}

void event_streams_close(struct event_streams *s)
{
    if (s == NULL) {
        return;
    }
    (void)event_streams_rest(s,
                             (struct wait){clock_deadline_ms(s->world.env->clock, STOP_MS), NULL});
    stream_positions_close(s->world.positions);
    buf_release(&s->state_path);
    lock_release(&s->lock);
    lock_release(&s->changing);
    mem_free(s);
}

/* ---- looking ---- */

size_t event_streams_status(struct event_streams *s, struct stream_status *ret, size_t max)
{
    lock_take(&s->lock);
    size_t count = s->count < max ? s->count : max;
    for (size_t i = 0; i < count; i++) {
        event_stream_get_status(s->items[i], &ret[i]);
    }
    lock_give(&s->lock);
    return count;
}

/* ---- changing ---- */

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
    bool sink_halts = status->sink.state != NULL && strcmp(status->sink.state, "halted") == 0;

    *ret_moves = status->state == STREAM_LOST;
    ret_go->bury_first = status->state == STREAM_HALTED;
    ret_go->bury_refused = status->state == STREAM_RUNS && sink_halts;
    return *ret_moves || ret_go->bury_first || ret_go->bury_refused ||
           err_set(
               e, ERR_CONFIG,
               "there is nothing to skip: stream '%.*s' is %s. `reset` starts it as for the first time",
               STR_FMT(status->name), stream_state_name(status->state));
}

static void say_change(struct event_streams *s, const struct stream_status *before,
                       enum stream_change change, struct str position)
{
    static const char *const names[] = {
        [STREAM_RESET] = "reset", [STREAM_SKIP] = "skip", [STREAM_REWIND] = "rewind"};

    trace_warn(&s->trace, "somebody changes a stream", T_STR("stream", before->name),
               T_TEXT("change", names[change]), T_TEXT("state", stream_state_name(before->state)),
               T_TEXT("position_before", before->position), T_STR("position", position),
               T_U64("in_flight", before->in_flight));
}

/* Of a rewind the source is asked first whether it can go on there: nothing is changed when not. */
static bool change_stopped(struct event_streams *s, size_t i, enum stream_change change,
                           struct str position, bool drops_source, bool moves, struct err *e)
{
    struct event_stream *stream = s->items[i];
    const struct wait wait = {clock_deadline_ms(s->world.env->clock, FORGET_MS), NULL};

    if (change == STREAM_REWIND && !event_stream_try(stream, position, wait, e)) {
        return err_wrap(e, "the stream stays where it was");
    }
    if (drops_source && !event_stream_forget_source(stream, wait, e)) {
        return false;
    }
    return !moves || write_place(s, s->configs[i]->name, change, position, e);
}

static bool change_one(struct event_streams *s, size_t i, enum stream_change change,
                       struct str position, bool drops_source, struct err *e)
{
    struct event_stream *stream = s->items[i];
    struct stream_go go = {0};
    struct stream_status status;
    struct err later = ERR_INIT;
    bool moves = true;

    event_stream_get_status(stream, &status);
    if (change == STREAM_SKIP && !plan_skip(&status, &go, &moves, e)) {
        return false;
    }
    say_change(s, &status, change, position);
    (void)event_stream_stop(stream,
                            (struct wait){clock_deadline_ms(s->world.env->clock, STOP_MS), NULL});
    bool ok = change_stopped(s, i, change, position, drops_source, moves, e);
    if (event_stream_start(stream, &go, &later)) {
        return ok;
    }
    trace_error(&s->trace, "a stream does not start again", T_STR("stream", status.name),
                T_ERR(&later));
    if (ok) {
        *e = later;
    }
    return false;
}

/* One person at a time; another does not wait. */
static bool begin_change(struct event_streams *s, struct err *e)
{
    lock_take(&s->lock);
    bool is_free = !s->is_changing;
    s->is_changing = true;
    lock_give(&s->lock);
    return is_free || err_set(e, ERR_FULL, "another stream is being changed; try again");
}

bool event_streams_change(struct event_streams *s, struct str name, enum stream_change change,
                          struct str position, bool drops_source, struct err *e)
{
    bool found = false;
    bool ok = false;

    if (!begin_change(s, e)) {
        return false;
    }
    lock_take(&s->changing);
    size_t count = count_of(s);
    for (size_t i = 0; !found && i < count; i++) {
        found = str_eq(s->configs[i]->name, name);
        if (found) {
            ok = change_one(s, i, change, position, drops_source, e);
        }
    }
    lock_give(&s->changing);
    lock_take(&s->lock);
    s->is_changing = false;
    lock_give(&s->lock);
    return found ? ok : err_set(e, ERR_CONFLICT, "no stream '%.*s' runs", STR_FMT(name));
}
