/*
 * Workers share the heap. One free worker leads: it alone waits for the earliest slot, then hands
 * the lead to another and runs the job; so one thread wakes per slot, however many there are. The
 * heap is small (one entry per rule group), so it stands under one lock.
 *
 * Invariants
 *   1. A job is in the heap or running, never both; so it never runs twice at once.
 *   2. A job's slots grow, save after the wall clock stepped back by more than CLOCK_STEP_NS.
 *   3. While paused no job leaves the heap.
 *   4. At most one worker leads; if one is free, one leads.
 */
#include "app/scheduler.h"

#include "base/env.h"
#include "base/map.h"
#include "base/mem.h"

/* How long a worker sleeps at most before it looks at the wall clock again, so that steps are
 * noticed. */
enum { LOOK_AGAIN_MS = 1000 };
#define CLOCK_STEP_NS (5 * NS_PER_S)

struct entry {
    int64_t slot_ns;
    struct job job;
};

struct scheduler {
    const struct env *env;
    struct lock lock;
    struct cond lead_changed; /* the leader: another earliest slot, resume, stop */
    struct cond lead_free;    /* the others */
    struct cond idle;         /* whoever pauses: a run ended */
    struct entry *heap GUARDED_BY(lock);
    size_t count GUARDED_BY(lock);
    size_t running GUARDED_BY(lock);
    bool paused GUARDED_BY(lock);
    bool stopping GUARDED_BY(lock);
    bool led GUARDED_BY(lock);
    struct cancel *cancel;               /* of all */
    struct cancel *cut GUARDED_BY(lock); /* of what runs now; its parent is <cancel> */
    bool is_cut GUARDED_BY(lock);
    struct thread *workers;
    size_t worker_count;
};

static void heap_swap(struct entry *a, struct entry *b)
{
    struct entry kept = *a;

    *a = *b;
    *b = kept;
}

static bool comes_before(const struct entry *a, const struct entry *b)
{
    return a->slot_ns != b->slot_ns ? a->slot_ns < b->slot_ns : a->job.rank < b->job.rank;
}

static void heap_push(struct scheduler *s, struct entry entry) REQUIRES(s->lock)
{
    size_t i = s->count++;

    s->heap[i] = entry;
    while (i > 0 && comes_before(&s->heap[i], &s->heap[(i - 1) / 2])) {
        heap_swap(&s->heap[i], &s->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
}

static struct entry heap_pop(struct scheduler *s) REQUIRES(s->lock)
{
    struct entry top = s->heap[0];
    size_t i = 0;

    s->heap[0] = s->heap[--s->count];
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < s->count; child++) {
            least = comes_before(&s->heap[child], &s->heap[least]) ? child : least;
        }
        if (least == i) {
            return top;
        }
        heap_swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

/* The slot after <ran_ns>; counts those that passed meanwhile. */
static int64_t next_after(const struct job *job, int64_t ran_ns, int64_t now_ns)
{
    int64_t next_ns = job->next_slot(job->arg, ran_ns + 1);
    uint64_t missed = 0;

    if (now_ns + CLOCK_STEP_NS < ran_ns) {
        return job->next_slot(job->arg, now_ns);
    }
    while (next_ns < now_ns) {
        int64_t later_ns = job->next_slot(job->arg, next_ns + 1);
        if (later_ns > now_ns) {
            break; /* late, but still its own slot */
        }
        missed++;
        next_ns = later_ns;
    }
    if (missed > 0) {
        job->missed(job->arg, missed);
    }
    return next_ns;
}

/* When the earliest job is due on the monotonic clock; soon enough to notice a step of the wall
 * clock. */
static int64_t due_mono_ns(struct scheduler *s) REQUIRES(s->lock)
{
    const struct clock *clock = s->env->clock;
    int64_t left_ns = LOOK_AGAIN_MS * NS_PER_MS;

    if (s->count > 0 && !s->paused) {
        int64_t until_ns = s->heap[0].slot_ns - clock_wall_ns(clock);
        left_ns = until_ns < left_ns ? until_ns : left_ns;
    }
    return clock_mono_ns(clock) + (left_ns > 0 ? left_ns : 0);
}

/* Is the heap's first job due? Its slot is computed anew when the clock stepped back far behind it.
 */
static bool has_due(struct scheduler *s) REQUIRES(s->lock)
{
    int64_t now_ns = clock_wall_ns(s->env->clock);

    if (s->paused || s->count == 0) {
        return false;
    }
    const struct job *job = &s->heap[0].job;
    if (s->heap[0].slot_ns > now_ns + CLOCK_STEP_NS &&
        job->next_slot(job->arg, now_ns) < s->heap[0].slot_ns) {
        struct entry entry = heap_pop(s);
        entry.slot_ns = entry.job.next_slot(entry.job.arg, now_ns);
        heap_push(s, entry);
    }
    return s->heap[0].slot_ns <= now_ns;
}

/* What was cut has ended: what comes is not. */
static void forget_cut(struct scheduler *s) REQUIRES(s->lock)
{
    if (s->is_cut && s->running == 0) {
        cancel_free(s->cut);
        s->cut = cancel_new(s->cancel);
        s->is_cut = false;
    }
}

static void run_one(struct scheduler *s, struct entry entry, struct cancel *cut)
{
    entry.job.run(entry.job.arg, entry.slot_ns, (struct wait){DEADLINE_NEVER, cut});
    entry.slot_ns = next_after(&entry.job, entry.slot_ns, clock_wall_ns(s->env->clock));

    lock_take(&s->lock);
    s->running--;
    forget_cut(s);
    heap_push(s, entry);
    cond_signal(&s->lead_changed);
    cond_broadcast(&s->idle);
    lock_give(&s->lock);
}

/* Leads until a job is due and takes it; false when stopping. */
static bool lead(struct scheduler *s, struct entry *ret_entry) REQUIRES(s->lock)
{
    s->led = true;
    while (!s->stopping && !has_due(s)) {
        (void)cond_wait_until(&s->lead_changed, &s->lock, due_mono_ns(s));
    }
    s->led = false;
    cond_signal(&s->lead_free);
    if (s->stopping) {
        return false;
    }
    *ret_entry = heap_pop(s);
    s->running++;
    return true;
}

static void work(void *arg)
{
    struct scheduler *s = arg;
    struct entry entry;

    lock_take(&s->lock);
    while (!s->stopping) {
        if (s->led) {
            (void)cond_wait_until(&s->lead_free, &s->lock, DEADLINE_NEVER);
        } else if (lead(s, &entry)) {
            struct cancel *cut = s->cut;
            lock_give(&s->lock);
            run_one(s, entry, cut);
            lock_take(&s->lock);
        }
    }
    lock_give(&s->lock);
}

static bool start_workers(struct scheduler *s, size_t count, struct err *e)
{
    s->workers = mem_alloc0(count, sizeof(*s->workers));
    for (size_t i = 0; i < count; i++) {
        if (!thread_start(&s->workers[i], "rules", work, s, e)) {
            return err_wrap(e, "starting rule worker %zu of %zu", i + 1, count);
        }
        s->worker_count++;
    }
    return true;
}

bool scheduler_new(const struct env *env, size_t workers_max, struct scheduler **ret_scheduler,
                   struct err *e)
{
    struct scheduler *s = mem_new(struct scheduler);

    s->env = env;
    s->paused = true;
    s->cancel = cancel_new(NULL);
    s->cut = cancel_new(s->cancel);
    lock_init(&s->lock);
    cond_init(&s->lead_changed);
    cond_init(&s->lead_free);
    cond_init(&s->idle);
    if (!start_workers(s, workers_max, e)) {
        scheduler_free(s);
        return false;
    }
    *ret_scheduler = s;
    return true;
}

static struct str id_bytes(const struct job *job)
{
    return str_make((const char *)&job->id, sizeof(job->id));
}

/* Where to look for the first slot of each job: at the one that it was to run next, if that passed. */
static int64_t first_after_ns(const struct map *before, const struct job *job, int64_t now_ns)
{
    const struct entry *was = job->id != 0 ? map_get(before, id_bytes(job)) : NULL;

    return was != NULL && was->slot_ns < now_ns ? was->slot_ns : now_ns;
}

void scheduler_set_jobs(struct scheduler *s, const struct job *jobs, size_t count)
{
    int64_t now_ns = clock_wall_ns(s->env->clock);

    lock_take(&s->lock);
    INVARIANT(s->paused && s->running == 0);
    struct entry *before = s->heap;
    struct map by_id;
    map_init(&by_id, 0);
    for (size_t i = 0; i < s->count; i++) {
        (void)map_put(&by_id, id_bytes(&before[i].job), &before[i]);
    }
    s->count = 0;
    s->heap = mem_alloc0(count + 1, sizeof(*s->heap));
    for (size_t i = 0; i < count; i++) {
        int64_t from_ns = first_after_ns(&by_id, &jobs[i], now_ns);
        heap_push(s, (struct entry){jobs[i].next_slot(jobs[i].arg, from_ns), jobs[i]});
    }
    lock_give(&s->lock);
    map_release(&by_id);
    mem_free(before);
}

void scheduler_cut(struct scheduler *s)
{
    lock_take(&s->lock);
    s->is_cut = true;
    cancel_fire(s->cut);
    forget_cut(s);
    lock_give(&s->lock);
}

void scheduler_resume(struct scheduler *s)
{
    lock_take(&s->lock);
    s->paused = false;
    cond_signal(&s->lead_changed);
    lock_give(&s->lock);
}

bool scheduler_pause(struct scheduler *s, struct wait wait)
{
    lock_take(&s->lock);
    s->paused = true;
    while (s->running > 0 && !wait_is_over(wait, s->env->clock)) {
        struct wait soon = wait_limit_ms(wait, s->env->clock, LOOK_AGAIN_MS);
        (void)cond_wait_until(&s->idle, &s->lock, soon.deadline_mono_ns);
    }
    bool idle = s->running == 0;
    lock_give(&s->lock);
    return idle;
}

size_t scheduler_running(struct scheduler *s)
{
    lock_take(&s->lock);
    size_t running = s->running;
    lock_give(&s->lock);
    return running;
}

void scheduler_free(struct scheduler *s)
{
    if (s == NULL) {
        return;
    }
    cancel_fire(s->cancel);
    lock_take(&s->lock);
    s->stopping = true;
    cond_broadcast(&s->lead_changed);
    cond_broadcast(&s->lead_free);
    lock_give(&s->lock);
    for (size_t i = 0; i < s->worker_count; i++) {
        thread_join(&s->workers[i]);
    }
    cond_release(&s->lead_changed);
    cond_release(&s->lead_free);
    cond_release(&s->idle);
    lock_release(&s->lock);
    cancel_free(s->cut);
    cancel_free(s->cancel);
    mem_free(s->workers);
    mem_free(s->heap);
    mem_free(s);
}
