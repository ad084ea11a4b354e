/*
 * Invariants
 *   1. Events of one key go to one worker, in the order in which they were read.
 *   2. A worker marks events as done when they have ended, at the end of their work; of work that was cut short the rest stays
 *      open.
 */
#include "events/stream_int.h"

#include "base/mem.h"

#include <stdio.h>

static struct work *take_work(struct worker *w) REQUIRES(&w->lock)
{
    for (int t = 0; t < TRACKS; t++) {
        struct work *work = w->first[t];
        if (work != NULL) {
            w->first[t] = work->next;
            w->last[t] = work->next == NULL ? NULL : w->last[t];
            return work;
        }
    }
    return NULL;
}

static struct work *next_work(struct worker *w)
{
    lock_take(&w->lock);
    struct work *work = w->is_ending ? NULL : take_work(w);
    while (work == NULL && !w->is_ending) {
        (void)cond_wait_until(&w->cond, &w->lock, DEADLINE_NEVER);
        work = w->is_ending ? NULL : take_work(w);
    }
    lock_give(&w->lock);
    return work;
}

static void free_work(struct work *work)
{
    intake_unref(work->in);
    mem_free(work);
}

/* The rows of the work that have ended: all but those in <owed>, which are in its order. */
static uint32_t ended_rows(const struct work *work, const uint32_t *owed, uint32_t left,
                           uint32_t *ret)
{
    uint32_t n = 0;
    uint32_t k = 0;

    for (uint32_t i = 0; i < work->n; i++) {
        if (k < left && owed[k] == work->rows[i]) {
            k++;
        } else {
            ret[n++] = work->rows[i];
        }
    }
    return n;
}

static void do_work(struct worker *w, struct work *work)
{
    struct event_stream *s = w->stream;
    const struct view view = {.batch = work->in->events, .rows = work->rows, .n = work->n};
    uint32_t *AUTO(mem_autofree) rows = mem_alloc(((size_t)work->n * 2 + 1) * sizeof(*rows));
    uint32_t *owed = rows + work->n;

    uint32_t left = direct_run(s->direct, w->lane, view, work->in->read_ns, owed);
    uint32_t ended = ended_rows(work, owed, left, rows);
    if (ended > 0) {
        window_done(&s->windows[work->track], work->in, rows, ended);
    }
    free_work(work);
}

static void run_worker(void *arg)
{
    struct worker *w = arg;
    struct event_stream *s = w->stream;
    struct work *work;

    while ((work = next_work(w)) != NULL) {
        do_work(w, work);
    }
    lock_take(&s->lock);
    s->running--;
    cond_broadcast(&s->ended);
    lock_give(&s->lock);
}

static bool start_worker(struct event_stream *s, unsigned lane, struct err *e)
{
    struct worker *w = &s->workers[lane];
    char name[24];

    (void)snprintf(name, sizeof(name), "event-%u", lane);
    *w = (struct worker){.stream = s, .lane = lane};
    lock_init(&w->lock);
    cond_init(&w->cond);
    lock_take(&s->lock);
    s->running++;
    lock_give(&s->lock);
    s->worker_count++;
    if (thread_start(&w->thread, name, run_worker, w, e)) {
        return true;
    }
    lock_take(&s->lock);
    s->running--;
    lock_give(&s->lock);
    return false;
}

bool stream_start_workers(struct event_stream *s, struct err *e)
{
    unsigned count = (unsigned)s->config->options.workers;

    if (!direct_open(s->world.plan, s->config->exporter, count, &s->direct, e)) {
        return false;
    }
    direct_skip(s->direct, &(struct event_skips){s->skipped.items, s->skipped.len});
    for (unsigned i = 0; i < count; i++) {
        if (!start_worker(s, i, e)) {
            return false;
        }
    }
    return true;
}

/* ---- sharing out ---- */

static void add_work(struct worker *w, struct work *work)
{
    lock_take(&w->lock);
    *(w->last[work->track] != NULL ? &w->last[work->track]->next : &w->first[work->track]) = work;
    w->last[work->track] = work;
    cond_signal(&w->cond);
    lock_give(&w->lock);
}

static uint16_t lane_of(const struct event_stream *s, const struct event *ev)
{
    return (uint16_t)(str_hash(event_key(ev), 0) % s->worker_count);
}

void stream_share_out(struct event_stream *s, struct intake *in, enum track track)
{
    struct work *work[STREAM_WORKERS_MAX] = {NULL};
    uint32_t counts[STREAM_WORKERS_MAX] = {0};
    const struct events *events = in->events != NULL ? batch_own_events(in->events) : NULL;
    uint32_t n = events != NULL ? events->count : 0;
    uint16_t *AUTO(mem_autofree) lanes = mem_alloc(((size_t)n + 1) * sizeof(*lanes));

    for (uint32_t i = 0; i < n; i++) {
        lanes[i] = lane_of(s, &events->rows[i]);
        counts[lanes[i]]++;
    }
    for (unsigned w = 0; w < s->worker_count; w++) {
        if (counts[w] > 0) {
            work[w] = mem_alloc(sizeof(struct work) + counts[w] * sizeof(uint32_t));
            *work[w] = (struct work){.in = intake_ref(in), .track = track};
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        struct work *to = work[lanes[i]];
        INVARIANT(to != NULL); /* it was counted */
        to->rows[to->n++] = i;
    }
    for (unsigned w = 0; w < s->worker_count; w++) {
        if (work[w] != NULL) {
            add_work(&s->workers[w], work[w]);
        }
    }
}

/* ---- the end ---- */

static void ask_to_end(struct worker *w)
{
    lock_take(&w->lock);
    w->is_ending = true;
    cond_broadcast(&w->cond);
    lock_give(&w->lock);
}

static void release_worker(struct worker *w)
{
    struct work *work;

    thread_join(&w->thread);
    lock_take(&w->lock);
    while ((work = take_work(w)) != NULL) {
        free_work(work);
    }
    lock_give(&w->lock);
    cond_release(&w->cond);
    lock_release(&w->lock);
}

static bool wait_for_workers(struct event_stream *s, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &s->lock, &s->ended);
    lock_take(&s->lock);
    while (s->running > 0 && waiter_pause(&waiter)) {
    }
    bool all = s->running == 0;
    lock_give(&s->lock);
    waiter_end(&waiter);
    return all;
}

void stream_end_workers(struct event_stream *s, struct wait wait)
{
    for (unsigned i = 0; i < s->worker_count; i++) {
        ask_to_end(&s->workers[i]);
    }
    if (s->direct != NULL) {
        direct_rest(s->direct);
        if (!wait_for_workers(s, wait)) {
            direct_cancel(s->direct);
        }
    }
    for (unsigned i = 0; i < s->worker_count; i++) {
        release_worker(&s->workers[i]);
    }
    s->worker_count = 0;
    direct_close(s->direct);
    s->direct = NULL;
}
