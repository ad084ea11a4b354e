/*
 * Changes that somebody asked for are made by a thread of ours, one behind the other: who asked over HTTP holds none of the
 * server's. A second thread tells those who wait for long that it goes on.
 *
 * Invariants
 *   1. A task is in the list until it is done; its stream has no other meanwhile.
 *   2. Who asked is told once, and never under a lock.
 */
#include "events/events_int.h"

#include "base/mem.h"

#include <stdio.h>

enum { PATIENCE_MS = 5000, RETRY_MS = 5000, LOOK_MS = 200 };

/* ---- tasks ---- */

static struct stream_task *new_task(struct event_streams *s, const struct stream_order *order,
                                    const struct stream_change_end *end)
{
    struct stream_task *t = mem_new(struct stream_task);

    arena_init(&t->arena, ARENA_UNLIMITED);
    t->order = *order;
    t->order.name = arena_dup(&t->arena, order->name);
    t->order.position = arena_dup(&t->arena, order->position);
    t->end = *end;
    t->patient_until_ns = clock_deadline_ms(s->world.env->clock, PATIENCE_MS);
    return t;
}

static void free_task(struct stream_task *t)
{
    arena_release(&t->arena);
    mem_free(t);
}

static void tell(const struct stream_change_end *end, enum stream_change_result result,
                 const struct err *e)
{
    if (end->told != NULL) {
        end->told(end->arg, result, e);
    }
}

/* ---- asking ---- */

static bool is_free(struct event_streams *s, const struct stream_order *order, struct err *e)
    REQUIRES(&s->lock)
{
    for (const struct stream_task *t = s->first; t != NULL; t = t->next) {
        if (str_eq(t->order.name, order->name)) {
            return err_set(
                e, ERR_CONFLICT,
                "stream '%.*s' is being changed already (%s): `telex events status %.*s` says "
                "how far that is",
                STR_FMT(order->name), stream_change_name(t->order.change), STR_FMT(order->name));
        }
    }
    return true;
}

static void add_task(struct event_streams *s, struct stream_task *t) REQUIRES(&s->lock)
{
    struct stream_task **end = &s->first;

    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = t;
    cond_broadcast(&s->woken);
}

bool event_streams_ask(struct event_streams *s, const struct stream_order *order,
                       const struct stream_change_end *end, struct err *e)
{
    bool ok = false;

    lock_take(&s->lock);
    if (s->has_ended || s->is_resting || !s->changer.started) {
        (void)err_set(e, ERR_FULL, "streams cannot be changed now; try again");
    } else if (event_streams_find(s, order->name) == NULL) {
        (void)err_set(e, ERR_PARSE, "no stream '%.*s' runs", STR_FMT(order->name));
    } else if (is_free(s, order, e)) {
        add_task(s, new_task(s, order, end));
        event_streams_note_asked(s, order);
        ok = true;
    }
    lock_give(&s->lock);
    return ok;
}

/* ---- doing ---- */

static void finish(struct event_streams *s, bool ok, const struct err *e)
{
    lock_take(&s->lock);
    struct stream_task *t = s->first;
    s->first = t->next;
    event_streams_note_end(s, &t->order, t->end.told != NULL, ok ? NULL : e);
    const struct stream_change_end end = t->end;
    t->end.told = NULL;
    lock_give(&s->lock);
    tell(&end, ok ? STREAM_CHANGE_DONE : STREAM_CHANGE_FAILED, e);
    free_task(t);
}

/* Waits until there is a task, for RETRY_MS at most. False: it is over. */
static bool wait_task(struct event_streams *s, struct stream_task **ret)
{
    int64_t until_ns = clock_deadline_ms(s->world.env->clock, RETRY_MS);

    lock_take(&s->lock);
    while (s->first == NULL && !s->has_ended && cond_wait_until(&s->woken, &s->lock, until_ns)) {
    }
    *ret = s->first;
    if (*ret != NULL) {
        event_streams_note_running(s, &(*ret)->order);
    }
    bool goes_on = !s->has_ended || *ret != NULL;
    lock_give(&s->lock);
    return goes_on;
}

static void change(void *arg)
{
    struct event_streams *s = arg;
    struct stream_task *t = NULL;

    while (wait_task(s, &t)) {
        struct err e = ERR_INIT;
        if (t != NULL) {
            bool ok = event_streams_do(s, &t->order, &e);
            finish(s, ok, &e);
        } else {
            event_streams_retry(s);
        }
    }
}

/* ---- telling who waits ---- */

/* The end of a task whose asker has waited long enough; without a function when there is none. */
static struct stream_change_end take_impatient(struct event_streams *s) REQUIRES(&s->lock)
{
    int64_t now_ns = clock_mono_ns(s->world.env->clock);

    for (struct stream_task *t = s->first; t != NULL; t = t->next) {
        if (t->end.told != NULL && now_ns >= t->patient_until_ns) {
            const struct stream_change_end end = t->end;
            t->end.told = NULL;
            return end;
        }
    }
    return (struct stream_change_end){NULL, NULL};
}

static void answer(void *arg)
{
    struct event_streams *s = arg;
    bool goes_on = true;

    while (goes_on) {
        lock_take(&s->lock);
        int64_t until_ns =
            s->first != NULL ? clock_deadline_ms(s->world.env->clock, LOOK_MS) : DEADLINE_NEVER;
        if (!s->has_ended) {
            (void)cond_wait_until(&s->woken, &s->lock, until_ns);
        }
        const struct stream_change_end end = take_impatient(s);
        goes_on = !s->has_ended;
        lock_give(&s->lock);
        tell(&end, STREAM_CHANGE_GOES_ON, NULL);
    }
}

/* ---- life ---- */

static void start_thread(struct event_streams *s, struct thread *t, const char *name,
                         void (*run)(void *))
{
    struct err e = ERR_INIT;

    if (!t->started && !thread_start(t, name, run, s, &e)) {
        trace_error(&s->trace, "streams cannot be changed: a thread does not start", T_ERR(&e));
    }
}

void event_streams_start_tasks(struct event_streams *s)
{
    start_thread(s, &s->answerer, "events-tell", answer);
    start_thread(s, &s->changer, "events-change", change);
    event_streams_start_desks(s);
}

void event_streams_refuse_tasks(struct event_streams *s, const char *why)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, ERR_CANCELED, "%s", why);
    lock_take(&s->lock);
    struct stream_task *waiting = s->first != NULL ? s->first->next : NULL;
    if (s->first != NULL) {
        s->first->next = NULL; /* the changer has it, or takes it and finds no such stream */
    }
    for (const struct stream_task *t = waiting; t != NULL; t = t->next) {
        event_streams_note_end(s, &t->order, t->end.told != NULL, &e);
    }
    lock_give(&s->lock);
    while (waiting != NULL) {
        struct stream_task *next = waiting->next;
        tell(&waiting->end, STREAM_CHANGE_FAILED, &e);
        free_task(waiting);
        waiting = next;
    }
}

void event_streams_end_tasks(struct event_streams *s)
{
    lock_take(&s->lock);
    s->has_ended = true;
    cond_broadcast(&s->woken);
    lock_give(&s->lock);
    thread_join(&s->changer);
    thread_join(&s->answerer);
    event_streams_end_desks(s);
    event_streams_free_outcomes(s);
}
