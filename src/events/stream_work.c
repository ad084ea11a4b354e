/*
 * Invariants
 *   1. Events of one key go to one worker, in the order in which they were read.
 *   2. A worker marks events as done when they have ended, at the end of their work; of work that was cut short the rest stays
 *      open.
 *   3. A worker waits for nothing to come: it takes what is there, of one track, as much as goes into one request.
 *   4. No event is given up by the age of another: what goes together was read within a part of what may be its age, and is
 *      as old as the youngest of it.
 */
#include "events/stream_int.h"

#include "base/mem.h"
#include "wire/events.h"

#include <stdio.h>

static struct work *take_first(struct worker *w, enum track t) REQUIRES(&w->lock)
{
    struct work *work = w->first[t];

    w->first[t] = work->next;
    w->last[t] = work->next == NULL ? NULL : w->last[t];
    work->next = NULL;
    return work;
}

/* May it go with <first>, when that and what is behind it already are so many? */
static bool fits(const struct worker *w, const struct work *next, const struct work *first,
                 uint32_t taken)
{
    return next != NULL && taken < w->together && next->n <= w->together - taken &&
           next->in->read_ns - first->in->read_ns <= direct_span_ns(w->stream->direct);
}

/* The first work, and behind it what waits with it and goes into one request. */
static struct work *take_work(struct worker *w) REQUIRES(&w->lock)
{
    enum track t = TRACK_LIVE;

    while (t < TRACKS && w->first[t] == NULL) {
        t++;
    }
    if (t == TRACKS) {
        return NULL;
    }
    struct work *first = take_first(w, t);
    struct work *last = first;
    for (uint32_t n = first->n; fits(w, w->first[t], first, n); n += last->n) {
        last->next = take_first(w, t);
        last = last->next;
    }
    return first;
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

static void free_works(struct work *work)
{
    while (work != NULL) {
        struct work *next = work->next;
        intake_unref(work->in);
        mem_free(work);
        work = next;
    }
}

/* The events of several works, whose texts stay those of their intakes. */
static struct batch *put_together(const struct work *first)
{
    struct batch *b = batch_new(&codec_events, batch_info(first->in->events));
    uint32_t count = 0;
    uint32_t n = 0;

    for (const struct work *work = first; work != NULL; work = work->next) {
        count += work->n;
    }
    struct event *rows = arena_array(batch_arena(b), struct event, count);
    for (const struct work *work = first; work != NULL; work = work->next) {
        const struct event *from = batch_own_events(work->in->events)->rows;
        for (uint32_t i = 0; i < work->n; i++) {
            rows[n++] = from[work->rows[i]];
        }
    }
    batch_set_events(b, (struct events){rows, count});
    return b;
}

/* What is owed of what was sent: rows of its batch, in its order. */
struct owing {
    const uint32_t *rows;
    uint32_t left;
};

/* Marks as done what has ended of a work that was sent as rows <sent> (from <first> on without a list). */
static void end_work(struct event_stream *s, const struct work *work, const uint32_t *sent,
                     uint32_t first, struct owing *owing)
{
    uint32_t *AUTO(mem_autofree) ended = mem_alloc(((size_t)work->n + 1) * sizeof(*ended));
    uint32_t n = 0;

    for (uint32_t i = 0; i < work->n; i++) {
        if (owing->left > 0 && *owing->rows == (sent != NULL ? sent[i] : first + i)) {
            owing->rows++;
            owing->left--;
        } else {
            ended[n++] = work->rows[i];
        }
    }
    if (n > 0) {
        window_done(&s->windows[work->track], work->in, ended, n);
    }
}

/* The wall clock of the youngest: the works are in order, but the clock may have been set back. */
static int64_t youngest_ns(const struct work *work)
{
    int64_t ns = work->in->read_ns;

    for (; work != NULL; work = work->next) {
        ns = work->in->read_ns > ns ? work->in->read_ns : ns;
    }
    return ns;
}

static void send(struct worker *w, const struct work *work, struct view view)
{
    uint32_t *AUTO(mem_autofree) owed = mem_alloc(((size_t)view.n + 1) * sizeof(*owed));
    struct event_stream *s = w->stream;
    uint32_t first = 0;

    uint32_t left = direct_run(s->direct, w->lane, view, youngest_ns(work), owed);
    struct owing owing = {owed, left};
    for (; work != NULL; work = work->next) {
        end_work(s, work, view.rows, first, &owing);
        first += work->n;
    }
}

static void do_work(struct worker *w, struct work *work)
{
    if (work->next == NULL) {
        send(w, work, (struct view){.batch = work->in->events, .rows = work->rows, .n = work->n});
    } else {
        struct batch *b = put_together(work);
        send(w, work, (struct view){.batch = b, .n = batch_rows(b)});
        batch_unref(b); /* before the intakes, whose texts it has */
    }
    free_works(work);
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
    *w = (struct worker){.stream = s, .lane = lane, .together = direct_together(s->direct)};
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
        free_works(work);
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
