/*
 * Invariants
 *   1. Streams are started, stopped and changed under <changing>; the list is exchanged under <lock> too, which nobody holds
 *      while a stream stops.
 *   2. A position is changed only while its stream is stopped.
 *   3. An item without a stream is one that does not run: it is off, in no config, or could not be opened.
 */
#include "events/events.h"

#include "base/mem.h"
#include "events/events_int.h"
#include "events/events_left.h"

#include <stdio.h>

enum { STOP_MS = 10 * 1000 };

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

/* ---- items ---- */

static struct stream_item *add_item(struct event_streams *s, struct str name)
{
    struct stream_item *item = mem_new(struct stream_item);

    item->name = str_make(mem_dup_text(name.ptr, name.len), name.len);
    buf_init(&item->reason, BUF_UNLIMITED);
    arena_init(&item->arena, ARENA_UNLIMITED);
    vec_push(&s->items, item);
    return item;
}

static void free_item(struct stream_item *item)
{
    event_stream_close(item->stream);
    metric_drop(item->unconfigured);
    buf_release(&item->reason);
    arena_release(&item->arena);
    mem_free(item->name.ptr);
    mem_free(item);
}

struct stream_item *event_streams_find(struct event_streams *s, struct str name)
{
    for (size_t i = 0; i < s->items.len; i++) {
        if (str_eq(s->items.items[i]->name, name)) {
            return s->items.items[i];
        }
    }
    return NULL;
}

void event_streams_remove(struct event_streams *s, struct stream_item *item)
{
    lock_take(&s->lock);
    size_t i = 0;
    while (s->items.items[i] != item) {
        i++;
    }
    for (s->items.len--; i < s->items.len; i++) {
        s->items.items[i] = s->items.items[i + 1];
    }
    lock_give(&s->lock);
    free_item(item);
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
    bool is_open = event_stream_open(&s->world, config, &stream, &e);

    lock_take(&s->lock);
    struct stream_item *item = add_item(s, config->name);
    item->config = config;
    item->kind = config->kind;
    item->state = STREAM_REFUSED;
    item->stream = stream;
    if (!is_open) {
        err_print_line(&e, &item->reason);
    }
    lock_give(&s->lock);
    if (is_open) {
        start(s, stream, config);
    } else {
        trace_error(&s->trace, "a stream cannot be opened", T_STR("stream", config->name),
                    T_ERR(&e));
    }
}

/* ---- what is left of others ---- */

static void take_row(struct stream_item *item, const struct stream_row *row)
{
    item->kind = stream_left_kind(row);
    item->place = row->place;
    item->place.identity = arena_dup(&item->arena, row->place.identity);
    item->place.position = arena_dup(&item->arena, row->place.position);
    stream_left_say(row, item->config != NULL, &item->reason);
}

static void add_left(struct event_streams *s, const struct stream_row *row,
                     const struct stream_config *config)
{
    static const struct metric_desc desc = {
        .name = "telex_stream_unconfigured",
        .help = "1: something is kept of a stream that no config has, such as a replication slot.",
        .type = METRIC_GAUGE,
        .labels = {"stream"}};

    lock_take(&s->lock);
    struct stream_item *item = add_item(s, row->name);
    item->config = config;
    item->state = config != NULL ? STREAM_DISABLED : STREAM_UNCONFIGURED;
    take_row(item, row);
    lock_give(&s->lock);
    if (config == NULL) {
        item->unconfigured = metrics_get1(s->world.env->metrics, &desc, item->name);
        metric_set(item->unconfigured, 1);
    }
    trace_warn(&s->trace, "something is left of a stream that does not run",
               T_STR("stream", item->name), T_TEXT("state", stream_state_name(item->state)),
               T_STR("what", buf_str(&item->reason)));
}

static void look_for_left(struct event_streams *s, const struct streams_config *config)
{
    AUTO(arena_release) struct arena a;
    const struct stream_config *off = NULL;
    struct stream_row *rows = NULL;
    struct err e = ERR_INIT;
    size_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    if (!stream_positions_list(s->world.positions, &a, &rows, &count, &e)) {
        trace_error(&s->trace, "what is left of other streams cannot be read", T_ERR(&e));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (stream_is_left(config, &rows[i], &off)) {
            add_left(s, &rows[i], off);
        }
    }
}

void event_streams_run(struct event_streams *s, struct event_table *table,
                       const struct streams_config *config)
{
    lock_take(&s->changing);
    s->world.table = table;
    for (size_t i = 0; i < config->count; i++) {
        if (config->items[i].options.enabled) {
            run_one(s, &config->items[i]);
        }
    }
    look_for_left(s, config);
    lock_give(&s->changing);
}

uint64_t event_streams_rest(struct event_streams *s, struct wait wait)
{
    uint64_t in_flight = 0;

    lock_take(&s->changing);
    for (size_t i = 0; i < s->items.len; i++) {
        event_stream_ask_stop(s->items.items[i]->stream);
    }
    for (size_t i = 0; i < s->items.len; i++) {
        in_flight += event_stream_stop(s->items.items[i]->stream, wait);
    }
    lock_take(&s->lock);
    for (size_t i = 0; i < s->items.len; i++) {
        free_item(s->items.items[i]);
    }
    vec_clear(&s->items);
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
    vec_release(&s->items);
    lock_release(&s->lock);
    lock_release(&s->changing);
    mem_free(s);
}

/* ---- looking ---- */

static void tell_resting(const struct stream_item *item, struct arena *a, struct stream_status *ret)
{
    *ret = (struct stream_status){
        .kind = item->kind != NULL ? item->kind->name : NULL,
        .exporter = item->config != NULL ? item->config->exporter : STR(""),
        .state = item->state,
        .is_ready = item->state != STREAM_REFUSED,
        .identity = arena_dup(a, item->place.identity),
        .position = arena_dup(a, item->place.position),
        .first_ns = item->place.first_ns,
        .saved_ns = item->place.updated_ns,
        .done = item->place.done,
        .lag_ns = -1,
        .lag_events = -1,
        .retained_bytes = -1,
        .backfill = backfill_phase_name(item->place.backfill),
        .backfilled = item->place.backfilled,
        .backfill_left = -1,
        .backfill_eta_s = -1,
        .sink = {.is_healthy = true, .kind = "", .state = "idle"},
    };
    (void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", STR_FMT(buf_str(&item->reason)));
}

size_t event_streams_status(struct event_streams *s, struct arena *a, struct stream_status **ret)
{
    lock_take(&s->lock);
    size_t count = s->items.len;
    *ret = arena_array(a, struct stream_status, count);
    for (size_t i = 0; i < count; i++) {
        const struct stream_item *item = s->items.items[i];
        if (item->stream != NULL) {
            event_stream_get_status(item->stream, a, &(*ret)[i]);
        } else {
            tell_resting(item, a, &(*ret)[i]);
        }
        (*ret)[i].name = arena_dup(a, item->name);
    }
    lock_give(&s->lock);
    return count;
}
