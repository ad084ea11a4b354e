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
#include "events/stream_metrics.h"

#include <stdio.h>

enum { STOP_MS = 10 * 1000 };

struct event_streams *event_streams_new(const struct env *env, struct plan *plan,
                                        struct str state_path, const struct stream_tables *tables)
{
    struct event_streams *s = mem_new(struct event_streams);

    lock_init(&s->changing);
    lock_init(&s->lock);
    cond_init(&s->woken);
    s->hurry = cancel_new(NULL);
    s->tables = *tables;
    buf_init(&s->state_path, BUF_SMALL);
    buf_add_str(&s->state_path, state_path);
    trace_init(&s->trace, env->trace, "events", TRACE_INFO);
    s->world =
        (struct stream_world){.env = env, .plan = plan, .state_path = buf_str(&s->state_path)};
    return s;
}

/* What all streams need. */
static bool open_world(struct event_streams *s, struct err *e)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);

    buf_addf(&path, "%.*s/streams.db", STR_FMT(s->world.state_path));
    return (s->world.positions != NULL ||
            stream_positions_open(buf_str(&path), &s->world.positions, e)) &&
           s->tables.open(s->tables.arg, &s->world.table, e);
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
    metric_drop(item->ready);
    for (int box = 0; box < LETTER_BOXES; box++) {
        metric_drop(item->letter_counts[box]);
    }
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
    event_streams_wait_unused(s, item);
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

/* In the list, whatever becomes of it. */
static void add_configured(struct event_streams *s, const struct stream_config *config)
{
    lock_take(&s->lock);
    struct stream_item *item = add_item(s, config->name);
    item->config = config;
    item->kind = config->kind;
    item->state = STREAM_REFUSED;
    item->ready = metrics_get1(s->world.env->metrics, stream_metric_desc(METRIC_READY), item->name);
    lock_give(&s->lock);
}

static void refuse(struct event_streams *s, struct stream_item *item, const struct err *e)
{
    AUTO(buf_release) struct buf why = BUF_INIT(BUF_SMALL);

    err_print_line(e, &why);
    lock_take(&s->lock);
    bool is_new = !str_eq(buf_str(&why), buf_str(&item->reason));
    buf_clear(&item->reason);
    buf_add_str(&item->reason, buf_str(&why));
    lock_give(&s->lock);
    if (is_new) {
        trace_error(&s->trace, "a stream cannot be opened; trying again",
                    T_STR("stream", item->name), T_ERR(e));
    }
}

static void run_one(struct event_streams *s, struct stream_item *item)
{
    struct event_stream *stream = NULL;
    struct err e = ERR_INIT;

    if (!event_stream_open(&s->world, item->config, &stream, &e)) {
        refuse(s, item, &e);
        return;
    }
    lock_take(&s->lock);
    item->stream = stream;
    lock_give(&s->lock);
    start(s, stream, item->config);
}

/* ---- what is left of others ---- */

static void take_row(struct stream_item *item, const struct stream_row *row)
{
    item->kind = stream_left_kind(row);
    item->place = row->place;
    item->place.identity = arena_dup(&item->arena, row->place.identity);
    item->place.position = arena_dup(&item->arena, row->place.position);
}

static void show_unconfigured(struct event_streams *s, struct stream_item *item)
{
    item->unconfigured =
        metrics_get1(s->world.env->metrics, stream_metric_desc(METRIC_UNCONFIGURED), item->name);
    metric_set(item->unconfigured, 1);
}

static struct stream_item *add_left(struct event_streams *s, const struct stream_row *row,
                                    const struct stream_config *config)
{
    lock_take(&s->lock);
    struct stream_item *item = add_item(s, row->name);
    item->config = config;
    item->state = config != NULL ? STREAM_DISABLED : STREAM_UNCONFIGURED;
    take_row(item, row);
    lock_give(&s->lock);
    if (config == NULL) {
        show_unconfigured(s, item);
    }
    return item;
}

/* What is said of it depends on what others have. */
static void say_left(struct event_streams *s, struct stream_item *item, const struct stream_book *b,
                     const struct stream_row *row)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (row != NULL) {
        stream_left_say(b, row, &text);
    } else {
        buf_addf(&text, "%s",
                 item->config != NULL ? "it is off (enabled: false)" : "it is not in the config");
    }
    left_letters_say(&item->letters, s->world.state_path, item->name, &text);
    if (str_eq(buf_str(&text), buf_str(&item->reason))) {
        return;
    }
    lock_take(&s->lock);
    buf_clear(&item->reason);
    buf_add_str(&item->reason, buf_str(&text));
    lock_give(&s->lock);
    trace_warn(&s->trace, "something is left of a stream that does not run",
               T_STR("stream", item->name), T_TEXT("state", stream_state_name(item->state)),
               T_STR("what", buf_str(&text)));
}

bool stream_item_is_left(const struct stream_item *item)
{
    return item->stream == NULL &&
           (item->state == STREAM_DISABLED || item->state == STREAM_UNCONFIGURED);
}

static const struct stream_row *row_of(const struct stream_book *b, struct str name)
{
    for (size_t i = 0; i < b->count; i++) {
        if (str_eq(b->rows[i].name, name)) {
            return &b->rows[i];
        }
    }
    return NULL;
}

static void count_letters(struct event_streams *s, struct stream_item *item)
{
    struct left_letters left = left_letters_count(s->world.state_path, item->name);

    lock_take(&s->lock);
    item->letters = left;
    lock_give(&s->lock);
    for (int box = 0; box < LETTER_BOXES; box++) {
        struct metric **count = &item->letter_counts[box];
        if (*count == NULL && left_letters_is_any(&left)) {
            *count = letters_metric(s->world.env, item->name, (enum letter_box)box);
        }
        if (*count != NULL) {
            metric_set(*count, (double)left.sums[box].records);
        }
    }
}

/* A stream that was forgotten, or never had a position, may have left letters all the same. */
static void add_those_with_letters(struct event_streams *s, const struct stream_book *b,
                                   struct arena *a)
{
    struct str *names = NULL;
    size_t count = left_letters_find(s->world.state_path, s->config, a, &names);

    for (size_t i = 0; i < count; i++) {
        const struct stream_row row = {.name = names[i],
                                       .place = {.identity = STR(""), .position = STR("")}};
        const struct stream_config *off = NULL;
        if (stream_is_left(s->config, &row, &off) && row_of(b, names[i]) == NULL &&
            event_streams_find(s, names[i]) == NULL) {
            (void)add_left(s, &row, off);
        }
    }
}

static void remove_gone(struct event_streams *s, const struct stream_book *b)
{
    for (size_t i = s->items.len; i > 0; i--) {
        struct stream_item *item = s->items.items[i - 1];
        bool has_letters = left_letters_is_any(&item->letters);
        if (stream_item_is_left(item) && row_of(b, item->name) == NULL && !has_letters) {
            event_streams_remove(s, item);
        }
    }
}

static void say_all_left(struct event_streams *s, const struct stream_book *b)
{
    for (size_t i = 0; i < s->items.len; i++) {
        if (stream_item_is_left(s->items.items[i])) {
            count_letters(s, s->items.items[i]);
        }
    }
    remove_gone(s, b);
    for (size_t i = 0; i < s->items.len; i++) {
        struct stream_item *item = s->items.items[i];
        if (stream_item_is_left(item)) {
            say_left(s, item, b, row_of(b, item->name));
        }
    }
}

void event_streams_look(struct event_streams *s)
{
    AUTO(arena_release) struct arena a;
    const struct stream_config *off = NULL;
    struct stream_book b;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!s->is_open || s->config == NULL) {
        return;
    }
    s->seen = stream_positions_generation(s->world.positions);
    if (!stream_book_list(s->world.positions, s->config, &a, &b, &e)) {
        trace_error(&s->trace, "what is left of other streams cannot be read", T_ERR(&e));
        return;
    }
    for (size_t i = 0; i < b.count; i++) {
        if (stream_is_left(s->config, &b.rows[i], &off) &&
            event_streams_find(s, b.rows[i].name) == NULL) {
            (void)add_left(s, &b.rows[i], off);
        }
    }
    add_those_with_letters(s, &b, &a);
    say_all_left(s, &b);
    lock_take(&s->lock);
    s->is_whole = true;
    lock_give(&s->lock);
}

static bool waits_to_be_opened(const struct stream_item *item)
{
    return item->stream == NULL && item->state == STREAM_REFUSED;
}

static void open_all(struct event_streams *s)
{
    bool was_open = s->is_open;
    struct err e = ERR_INIT;

    s->is_open = was_open || open_world(s, &e);
    for (size_t i = 0; i < s->items.len; i++) {
        struct stream_item *item = s->items.items[i];
        if (waits_to_be_opened(item) && s->is_open) {
            run_one(s, item);
        } else if (waits_to_be_opened(item)) {
            refuse(s, item, &e);
        }
    }
    if (s->is_open && !was_open) {
        event_streams_look(s);
    }
}

void event_streams_run(struct event_streams *s, const struct streams_config *config)
{
    lock_take(&s->changing);
    s->config = config;
    s->is_open = false;
    for (size_t i = 0; i < config->count; i++) {
        if (config->items[i].options.enabled) {
            add_configured(s, &config->items[i]);
        }
    }
    open_all(s);
    lock_give(&s->changing);
    lock_take(&s->lock);
    s->is_resting = false;
    lock_give(&s->lock);
    event_streams_start_tasks(s);
}

void event_streams_retry(struct event_streams *s)
{
    lock_take(&s->changing);
    bool is_due = s->config != NULL && !s->is_open;
    for (size_t i = 0; i < s->items.len; i++) {
        is_due = is_due || waits_to_be_opened(s->items.items[i]);
    }
    if (is_due) {
        open_all(s);
    }
    lock_take(&s->lock);
    event_streams_learn(s);
    bool looks = s->letters_left;
    s->letters_left = false;
    lock_give(&s->lock);
    if (s->is_open && s->config != NULL &&
        (looks || stream_positions_generation(s->world.positions) != s->seen)) {
        event_streams_look(s);
    }
    lock_give(&s->changing);
}

/* ---- the end ---- */

static struct stream_faults *faults_of(struct event_streams *s, struct str name)
{
    for (size_t i = 0; i < s->faults.len; i++) {
        if (str_eq(s->faults.items[i].name, name)) {
            return &s->faults.items[i];
        }
    }
    const struct stream_faults none = {.name =
                                           str_make(mem_dup_text(name.ptr, name.len), name.len)};
    vec_push(&s->faults, none);
    return &s->faults.items[s->faults.len - 1];
}

/* A stream's counters go with it. */
static void keep_faults(struct event_streams *s, const struct stream_item *item)
{
    if (item->stream != NULL) {
        struct metric *broken =
            metrics_get1(s->world.env->metrics, stream_metric_desc(METRIC_BROKEN), item->name);
        uint64_t count = (uint64_t)metric_value(broken);
        if (count > 0) {
            faults_of(s, item->name)->count += count;
        }
        metric_drop(broken);
    }
}

uint64_t event_streams_tell_letters(struct event_streams *s, struct buf *out)
{
    uint64_t all = 0;

    lock_take(&s->changing);
    for (size_t i = 0; i < s->faults.len; i++) {
        const struct stream_faults *f = &s->faults.items[i];
        const struct left_letters left = left_letters_count(s->world.state_path, f->name);
        uint64_t kept = left.sums[LETTERS_UNREADABLE].records;
        uint64_t count = kept < f->count ? kept : f->count;
        if (count > 0) {
            buf_addf(out, "%sstream-%.*s: %llu %s", out->len > 0 ? "; " : "", STR_FMT(f->name),
                     (unsigned long long)count,
                     count == 1 ? "unreadable change" : "unreadable changes");
        }
        all += count;
    }
    lock_give(&s->changing);
    return all;
}

static void free_faults(struct event_streams *s)
{
    for (size_t i = 0; i < s->faults.len; i++) {
        mem_free(s->faults.items[i].name.ptr);
    }
    vec_release(&s->faults);
}

void event_streams_hurry(struct event_streams *s)
{
    lock_take(&s->lock);
    s->is_resting = true;
    lock_give(&s->lock);
    event_streams_refuse_tasks(s, "the program stops, or takes another config; try again");
    cancel_fire(s->hurry);
}

uint64_t event_streams_rest(struct event_streams *s, struct wait wait)
{
    uint64_t in_flight = 0;

    event_streams_hurry(s);
    lock_take(&s->changing);
    s->config = NULL;
    for (size_t i = 0; i < s->items.len; i++) {
        event_stream_ask_stop(s->items.items[i]->stream);
    }
    for (size_t i = 0; i < s->items.len; i++) {
        in_flight += event_stream_stop(s->items.items[i]->stream, wait);
    }
    lock_take(&s->lock);
    event_streams_learn(s);
    for (size_t i = 0; i < s->items.len; i++) {
        event_streams_wait_unused(s, s->items.items[i]);
        keep_faults(s, s->items.items[i]);
        free_item(s->items.items[i]);
    }
    vec_clear(&s->items);
    s->is_whole = false;
    lock_give(&s->lock);
    cancel_free(s->hurry);
    s->hurry = cancel_new(NULL);
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
    event_streams_end_tasks(s);
    stream_positions_close(s->world.positions);
    free_faults(s);
    buf_release(&s->state_path);
    vec_release(&s->items);
    cancel_free(s->hurry);
    cond_release(&s->woken);
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
        .token_age_ns = -1,
        .lag_events = -1,
        .retained_bytes = -1,
        .backfill = backfill_phase_name(item->place.backfill),
        .backfilled = item->place.backfilled,
        .backfill_left = -1,
        .backfill_eta_s = -1,
        .backfill_done_ns = item->place.backfill_done_ns,
        .letters = {[LETTERS_REFUSED] = item->letters.sums[LETTERS_REFUSED].records,
                    [LETTERS_UNREADABLE] = item->letters.sums[LETTERS_UNREADABLE].records},
        .sink = {.is_healthy = true, .kind = "", .state = "idle"},
    };
    (void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", STR_FMT(buf_str(&item->reason)));
}

bool event_streams_is_whole(struct event_streams *s)
{
    lock_take(&s->lock);
    bool is_whole = s->is_whole && !s->is_resting;
    lock_give(&s->lock);
    return is_whole;
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
        (*ret)[i].changed = event_streams_outcome(s, item->name, a);
    }
    lock_give(&s->lock);
    return count;
}
