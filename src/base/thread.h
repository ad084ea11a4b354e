/*
 * thread.h - threads with small stacks, locks that the analyser knows, cancel tokens and waits with
 * a deadline.
 *
 * Every wait in the program takes a struct wait {deadline, cancel}. Cancelling wakes all who wait
 * through the token: sleepers, queue users, and foreign waits (an HTTP transfer) that registered a
 * wake-up function.
 *
 * Ownership: whoever initialises an object releases it, after all its users are gone; threads are
 * joined, never detached. Threads: all functions may be called from any thread. Limits: stacks of
 * THREAD_STACK_BYTES.
 */
#ifndef TELEX_BASE_THREAD_H
#define TELEX_BASE_THREAD_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { THREAD_STACK_BYTES = 256 * 1024 };

/* A mutex; must not be held over I/O or a callback. Failure of the system's mutex breaks an
 * invariant. */
struct TSA(capability("mutex")) lock {
    pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_release(struct lock *l);
void lock_take(struct lock *l) TSA(acquire_capability(l));
void lock_give(struct lock *l) TSA(release_capability(l));

/* A condition on monotonic time. */
struct cond {
    pthread_cond_t cond;
};

void cond_init(struct cond *c);
void cond_release(struct cond *c);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* Waits until signalled or <deadline_mono_ns>; false when the deadline passed. Wakes spuriously, as
 * all do. */
bool cond_wait_until(struct cond *c, struct lock *l, int64_t deadline_mono_ns) REQUIRES(l);

/* A thread; <name> (15 bytes at most) is what the system's tools show. */
struct thread {
    pthread_t id;
    bool started;
};

MUST_USE bool thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg,
                           struct err *e);

/* Waits for the thread to end; fine when it was never started. */
void thread_join(struct thread *t);

/* Says stop to everything that waits through it; may have a parent whose stop is its stop too. */
struct cancel;

struct cancel *cancel_new(struct cancel *parent);
void cancel_free(struct cancel *c);
DEFINE_AUTOFREE(cancel)

/* Sets the token for good and wakes all who wait. Not safe in a signal handler. */
void cancel_fire(struct cancel *c);
bool cancel_is_set(const struct cancel *c);

/* Has <wake>(arg) called when the token fires (at once if it has). Unhook before <arg> dies;
 * afterwards wake is not running. */
struct cancel_hook {
    struct cancel_hook *prev;
    struct cancel_hook *next;
    void (*wake)(void *arg);
    void *arg;
};
void cancel_hook_add(struct cancel *c, struct cancel_hook *hook);
void cancel_hook_remove(struct cancel *c, struct cancel_hook *hook);

/* Every wait in the program. cancel may be NULL. */
struct wait {
    int64_t deadline_mono_ns; /* DEADLINE_NEVER: no deadline */
    struct cancel *cancel;
};

/* Is there no time left, or is it cancelled? */
bool wait_is_over(struct wait w, const struct clock *c);

/* As <w>, but at most <ms> from now. */
struct wait wait_limit_ms(struct wait w, const struct clock *c, int64_t ms);

/*
 * Waits on a condition of one's own until it holds or <wait> is over. waiter_begin() and waiter_end() are called without
 * the lock (a token that fires calls back and takes it); between them, with the lock held:
 *
 *     while (!holds && waiter_pause(&waiter)) {
 *     }
 *
 * waiter_pause() is false when the wait is over; look at the condition once more then.
 */
struct waiter {
    struct wait wait;
    struct lock *lock;
    struct cond *cond;
    struct cancel_hook hook;
};
void waiter_begin(struct waiter *waiter, struct wait w, struct lock *l, struct cond *c);
bool waiter_pause(struct waiter *waiter);
void waiter_end(struct waiter *waiter);

/* Sleeps until the wait is over (deadline: true; cancelled: false). Real time only. */
bool wait_sleep(struct wait w);

/* Sets e to TIMEOUT or CANCELED, whichever ended <w>. Always false. */
bool wait_err(struct wait w, struct err *e);

/* A bounded queue of pointers between threads. */
struct queue;

struct queue *queue_new(size_t capacity);
void queue_free(struct queue *q);

/* false when the queue stayed full (or closed) until the wait was over. A deadline of 0 does not
 * wait. */
MUST_USE bool queue_push(struct queue *q, void *item, struct wait w);

/* NULL when it stayed empty until the wait was over, or is closed and empty. */
void *queue_pop(struct queue *q, struct wait w);

/* No more pushes; poppers drain what is there and then get NULL at once. */
void queue_close(struct queue *q);
size_t queue_len(struct queue *q);

#endif
