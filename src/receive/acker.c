/*
 * Invariants
 *   1. A push is answered 2xx after plan_wait_held() said so, never before.
 *   2. Pushes are settled in the order of the queue; one that waits for room holds up those behind it
 *      no longer than the log itself would.
 */
#include "receive/acker.h"

#include "base/mem.h"

enum { GIVE_MS = 2000, HELD_MS = 20000, RETRY_S = 5, NO_CONTENT = 204, UNAVAILABLE = 503 };

struct acker {
    const struct env *env;
    struct receive_metrics *metrics;
    struct acker_hooks hooks;
    struct cancel *stop;
    struct thread thread;
    struct lock lock;
    struct cond work;
    struct push *first GUARDED_BY(lock);
    struct push **last GUARDED_BY(lock); /* where the next one goes */
    bool sleeps GUARDED_BY(lock);
    bool closing GUARDED_BY(lock);
};

static struct wait wait_since(const struct acker *a, int64_t from_mono_ns, int64_t ms)
{
    return (struct wait){from_mono_ns + ms * NS_PER_MS, a->stop};
}

static void push_free(struct push *push)
{
    http_exchange_drop(push->exchange);
    batch_unref(push->batch);
    if (push->kind->release != NULL) {
        push->kind->release(push);
    }
    mem_free(push);
}

/* Gives what is not given yet. */
static bool give(struct acker *a, struct push *push, struct err *e)
{
    struct give how = {.wait = wait_since(a, push->came_mono_ns, GIVE_MS)};

    if (push->batch == NULL) {
        return true;
    }
    if (!plan_offer(push->plan, push->batch, &how, &push->receipt, e)) {
        return false;
    }
    a->hooks.given(a->hooks.arg, push, batch_rows(push->batch));
    return true;
}

static int answer_held(struct push *push)
{
    static const struct http_answer no_content = {.status = NO_CONTENT};

    if (push->kind->answer != NULL) {
        return push->kind->answer(push);
    }
    (void)http_exchange_answer(push->exchange, &no_content);
    return NO_CONTENT;
}

static int answer_lost(struct push *push, const struct err *e)
{
    if (push->kind->lost != NULL) {
        push->kind->lost(push);
    }
    if (push->kind->busy != NULL) {
        return push->kind->busy(push, RETRY_S, e->message);
    }
    (void)http_exchange_busy(push->exchange, UNAVAILABLE, RETRY_S, e->message);
    return UNAVAILABLE;
}

static void answer(struct acker *a, struct push *push, bool held, const struct err *e)
{
    int64_t took_ns = clock_mono_ns(a->env->clock) - push->came_mono_ns;

    if (held) {
        metric_observe(a->metrics->seconds, (double)took_ns / (double)NS_PER_S);
    }
    receive_count_answer(a->metrics, held ? answer_held(push) : answer_lost(push, e));
}

static void settle(struct acker *a, struct push *push)
{
    struct err e = ERR_INIT;
    bool held = give(a, push, &e) && plan_wait_held(push->plan, &push->receipt,
                                                    wait_since(a, push->came_mono_ns, HELD_MS), &e);

    answer(a, push, held, &e);
    push_free(push);
}

/* All that waits; sleeps until there is something. NULL: the acker ends. */
static struct push *take_all(struct acker *a)
{
    lock_take(&a->lock);
    while (a->first == NULL && !a->closing) {
        a->sleeps = true;
        (void)cond_wait_until(&a->work, &a->lock, DEADLINE_NEVER);
    }
    a->sleeps = false;
    struct push *first = a->first;
    a->first = NULL;
    a->last = &a->first;
    lock_give(&a->lock);
    return first;
}

static void run(void *arg)
{
    struct acker *a = arg;
    struct push *push;

    while ((push = take_all(a)) != NULL) {
        while (push != NULL) {
            struct push *next = push->next;
            settle(a, push);
            push = next;
        }
    }
}

bool acker_start(const struct env *env, struct receive_metrics *metrics,
                 const struct acker_hooks *hooks, struct acker **ret_acker, struct err *e)
{
    struct acker *a = mem_new(struct acker);

    a->env = env;
    a->metrics = metrics;
    a->hooks = *hooks;
    a->stop = cancel_new(NULL);
    lock_init(&a->lock);
    cond_init(&a->work);
    a->last = &a->first;
    if (!thread_start(&a->thread, "acker", run, a, e)) {
        acker_free(a);
        return false;
    }
    *ret_acker = a;
    return true;
}

void acker_push(struct acker *a, struct push *push)
{
    push->next = NULL;
    lock_take(&a->lock);
    *a->last = push;
    a->last = &push->next;
    bool sleeps = a->sleeps;
    lock_give(&a->lock);
    if (sleeps) {
        cond_signal(&a->work);
    }
}

void acker_free(struct acker *a)
{
    if (a == NULL) {
        return;
    }
    lock_take(&a->lock);
    a->closing = true;
    cond_signal(&a->work);
    lock_give(&a->lock);
    cancel_fire(a->stop);
    thread_join(&a->thread);
    cancel_free(a->stop);
    cond_release(&a->work);
    lock_release(&a->lock);
    mem_free(a);
}
