/*
 * Invariants
 *   1. set goes from false to true once, under the lock; after that no hook is ever put on the list.
 *   2. A hook is on the list (next set), or was called, or was never added (next NULL).
 *   3. running names the hook whose wake is being called by the one thread that fires; its wake is called without the
 *      lock, and cancel_hook_remove() waits until it is another.
 */
#include "base/mem.h"
#include "base/thread.h"

struct cancel {
    struct lock lock;
    struct cond idle; /* running changed */
    _Atomic bool set;
    struct cancel_hook hooks; /* the list's head */
    const struct cancel_hook *running;
    struct cancel *parent;
    struct cancel_hook parent_hook;
};

static void fire_child(void *arg)
{
    cancel_fire(arg);
}

struct cancel *cancel_new(struct cancel *parent)
{
    struct cancel *c = mem_new(struct cancel);

    lock_init(&c->lock);
    cond_init(&c->idle);
    c->hooks.next = &c->hooks;
    c->hooks.prev = &c->hooks;
    c->parent = parent;
    if (parent != NULL) {
        c->parent_hook = (struct cancel_hook){.wake = fire_child, .arg = c};
        cancel_hook_add(parent, &c->parent_hook);
    }
    return c;
}

void cancel_free(struct cancel *c)
{
    if (c == NULL) {
        return;
    }
    if (c->parent != NULL) {
        cancel_hook_remove(c->parent, &c->parent_hook);
    }
    INVARIANT(c->hooks.next == &c->hooks);
    cond_release(&c->idle);
    lock_release(&c->lock);
    mem_free(c);
}

static void unlink_hook(struct cancel_hook *hook)
{
    hook->prev->next = hook->next;
    hook->next->prev = hook->prev;
    hook->next = NULL;
    hook->prev = NULL;
}

/* Calls the first hook on the list; false when there is none. */
static bool run_one(struct cancel *c) REQUIRES(&c->lock)
{
    struct cancel_hook *hook = c->hooks.next;

    if (hook == &c->hooks) {
        return false;
    }
    unlink_hook(hook);
    c->running = hook;
    void (*wake)(void *) = hook->wake;
    void *arg = hook->arg;
    lock_give(&c->lock);
    wake(arg);
    lock_take(&c->lock);
    c->running = NULL;
    cond_broadcast(&c->idle);
    return true;
}

void cancel_fire(struct cancel *c)
{
    lock_take(&c->lock);
    if (!atomic_exchange(&c->set, true)) {
        while (run_one(c)) {
        }
    }
    lock_give(&c->lock);
}

bool cancel_is_set(const struct cancel *c)
{
    return atomic_load_explicit(&c->set, memory_order_acquire);
}

void cancel_hook_add(struct cancel *c, struct cancel_hook *hook)
{
    hook->next = NULL;
    hook->prev = NULL;
    lock_take(&c->lock);
    bool set = atomic_load(&c->set);
    if (!set) {
        hook->prev = c->hooks.prev;
        hook->next = &c->hooks;
        hook->prev->next = hook;
        hook->next->prev = hook;
    }
    lock_give(&c->lock);
    if (set) {
        hook->wake(hook->arg);
    }
}

void cancel_hook_remove(struct cancel *c, struct cancel_hook *hook)
{
    lock_take(&c->lock);
    if (hook->next != NULL) {
        unlink_hook(hook);
    }
    while (c->running == hook) {
        (void)cond_wait_until(&c->idle, &c->lock, DEADLINE_NEVER);
    }
    lock_give(&c->lock);
}

bool wait_is_over(struct wait w, const struct clock *c)
{
    return (w.cancel != NULL && cancel_is_set(w.cancel)) ||
           (w.deadline_mono_ns != DEADLINE_NEVER && clock_mono_ns(c) >= w.deadline_mono_ns);
}

struct wait wait_limit_ms(struct wait w, const struct clock *c, int64_t ms)
{
    int64_t deadline_ns = clock_deadline_ms(c, ms);

    if (deadline_ns < w.deadline_mono_ns) {
        w.deadline_mono_ns = deadline_ns;
    }
    return w;
}

bool wait_err(struct wait w, struct err *e)
{
    if (w.cancel != NULL && cancel_is_set(w.cancel)) {
        return err_set(e, ERR_CANCELED, "stopped while waiting");
    }
    return err_set(e, ERR_TIMEOUT, "the time allowed for it passed");
}

static void wake_waiter(void *arg)
{
    struct waiter *waiter = arg;

    lock_take(waiter->lock);
    cond_broadcast(waiter->cond);
    lock_give(waiter->lock);
}

void waiter_begin(struct waiter *waiter, struct wait w, struct lock *l, struct cond *c)
{
    *waiter = (struct waiter){.wait = w, .lock = l, .cond = c};
    if (w.cancel != NULL) {
        waiter->hook = (struct cancel_hook){.wake = wake_waiter, .arg = waiter};
        cancel_hook_add(w.cancel, &waiter->hook);
    }
}

TSA(no_thread_safety_analysis) bool waiter_pause(struct waiter *waiter)
{
    if (waiter->wait.cancel != NULL && cancel_is_set(waiter->wait.cancel)) {
        return false;
    }
    return cond_wait_until(waiter->cond, waiter->lock, waiter->wait.deadline_mono_ns);
}

void waiter_end(struct waiter *waiter)
{
    if (waiter->wait.cancel != NULL) {
        cancel_hook_remove(waiter->wait.cancel, &waiter->hook);
    }
}

bool wait_sleep(struct wait w)
{
    struct lock lock;
    struct cond cond;
    struct waiter waiter;

    lock_init(&lock);
    cond_init(&cond);
    waiter_begin(&waiter, w, &lock, &cond);
    lock_take(&lock);
    while (waiter_pause(&waiter)) {
    }
    lock_give(&lock);
    waiter_end(&waiter);
    cond_release(&cond);
    lock_release(&lock);
    return w.cancel == NULL || !cancel_is_set(w.cancel);
}
