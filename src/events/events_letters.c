/*
 * Work with dead letters that somebody asked for over HTTP: looking is done by one thread, replaying and discarding by another, since a
 * sink can hold that one up. Neither takes <changing>, so both go on while a stream is changed.
 *
 * Invariants
 *   1. A piece of work stays in its desk's list until it is over; then who asked is told, once and never under a lock.
 *   2. An item that is used is not freed; while the list is to go nothing more is begun, and <hurry> ends the waits of what was.
 */
#include "events/events_int.h"

#include "base/mem.h"

enum { WAITING_MAX = 32 };

/* ---- asking ---- */

static struct letter_task *new_task(const struct stream_use *use)
{
    struct letter_task *t = mem_new(struct letter_task);

    t->use = *use;
    t->use.name = str_make(mem_dup_text(use->name.ptr, use->name.len), use->name.len);
    return t;
}

static void end_task(struct letter_task *t, bool ok, const struct err *e)
{
    t->use.told(t->use.arg, ok, e);
    mem_free(t->use.name.ptr);
    mem_free(t);
}

/* Looks may wait behind each other; a stream's letters are changed by one person at a time. */
static bool has_room(const struct letter_desk *desk, const struct stream_use *use, struct err *e)
{
    size_t count = 0;

    for (const struct letter_task *t = desk->first; t != NULL; t = t->next) {
        count++;
        if (use->is_change && str_eq(t->use.name, use->name)) {
            return err_set(
                e, ERR_CONFLICT,
                "dead letters of stream '%.*s' are being replayed or discarded already; try again "
                "when that is over",
                STR_FMT(use->name));
        }
    }
    return count < WAITING_MAX ||
           err_set(e, ERR_FULL, "too many ask for dead letters at once; try again");
}

static void add_task(struct event_streams *s, struct letter_desk *desk, struct letter_task *t)
    REQUIRES(&s->lock)
{
    struct letter_task **end = &desk->first;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = t;
    cond_broadcast(&s->woken);
}

bool event_streams_use(struct event_streams *s, const struct stream_use *use, struct err *e)
{
    struct letter_desk *desk = &s->desks[use->is_change];
    bool ok = false;

    lock_take(&s->lock);
    if (s->is_resting || s->has_ended || !desk->thread.started) {
        (void)err_set(e, ERR_FULL, "streams are being stopped or started; try again");
    } else if (event_streams_find(s, use->name) == NULL) {
        (void)err_set(e, ERR_PARSE, "no stream '%.*s' runs", STR_FMT(use->name));
    } else if (has_room(desk, use, e)) {
        add_task(s, desk, new_task(use));
        ok = true;
    }
    lock_give(&s->lock);
    return ok;
}

/* ---- doing ---- */

/* The stream of the first piece, which stays until release(). False: none runs any more. */
static bool take(struct event_streams *s, struct letter_task *t, struct stream_item **ret_item,
                 struct stream_boxes *ret_boxes, struct err *e)
{
    lock_take(&s->lock);
    struct stream_item *item = event_streams_find(s, t->use.name);
    bool ok = !s->is_resting && item != NULL && (item->stream != NULL || stream_item_is_left(item));
    if (ok) {
        item->users++;
        *ret_boxes = (struct stream_boxes){.env = s->world.env,
                                           .trace = &s->trace,
                                           .state_path = s->world.state_path,
                                           .name = item->name,
                                           .stream = item->stream,
                                           .hurry = s->hurry};
        *ret_item = item;
    } else if (s->is_resting) {
        (void)err_set(e, ERR_FULL, "streams are being stopped; try again");
    } else {
        (void)err_set(e, ERR_PARSE, "no stream '%.*s' runs", STR_FMT(t->use.name));
    }
    lock_give(&s->lock);
    return ok;
}

static void release(struct event_streams *s, struct stream_item *item, bool is_change)
{
    bool is_left = is_change && item->stream == NULL;
    struct left_letters left = {0};

    if (is_left) {
        left = left_letters_count(s->world.state_path, item->name);
    }
    lock_take(&s->lock);
    if (is_left) {
        item->letters = left;
        s->letters_left = true;
    }
    item->users--;
    cond_broadcast(&s->woken);
    lock_give(&s->lock);
}

static void do_first(struct event_streams *s, struct letter_desk *desk, struct letter_task *t)
{
    struct stream_item *item = NULL;
    struct stream_boxes boxes;
    struct err e = ERR_INIT;
    bool ok = take(s, t, &item, &boxes, &e);

    if (ok) {
        ok = t->use.work(t->use.arg, &boxes, &e);
        release(s, item, t->use.is_change);
    }
    lock_take(&s->lock);
    desk->first = t->next;
    lock_give(&s->lock);
    end_task(t, ok, &e);
}

/* The next piece; NULL: it is over. */
static struct letter_task *wait_task(struct event_streams *s, struct letter_desk *desk)
{
    lock_take(&s->lock);
    while (desk->first == NULL && !s->has_ended) {
        (void)cond_wait_until(&s->woken, &s->lock, DEADLINE_NEVER);
    }
    struct letter_task *t = desk->first;
    lock_give(&s->lock);
    return t;
}

static void work(void *arg)
{
    struct letter_desk *desk = arg;
    struct letter_task *t = wait_task(desk->streams, desk);

    while (t != NULL) {
        do_first(desk->streams, desk, t);
        t = wait_task(desk->streams, desk);
    }
}

void event_streams_start_desks(struct event_streams *s)
{
    static const char *const names[LETTER_DESKS] = {"events-look", "events-letters"};

    for (size_t i = 0; i < LETTER_DESKS; i++) {
        struct letter_desk *desk = &s->desks[i];
        struct err e = ERR_INIT;
        desk->streams = s;
        if (!desk->thread.started && !thread_start(&desk->thread, names[i], work, desk, &e)) {
            trace_error(&s->trace, "dead letters cannot be looked at: a thread does not start",
                        T_ERR(&e));
        }
    }
}

void event_streams_end_desks(struct event_streams *s)
{
    for (size_t i = 0; i < LETTER_DESKS; i++) {
        thread_join(&s->desks[i].thread);
    }
}

void event_streams_wait_unused(struct event_streams *s, const struct stream_item *item)
{
    while (item->users > 0) {
        (void)cond_wait_until(&s->woken, &s->lock, DEADLINE_NEVER);
    }
}
