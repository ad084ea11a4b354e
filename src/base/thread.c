#include "base/thread.h"

#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

/* The sanitizers' own frames need more room. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { STACK_BYTES = 4 * THREAD_STACK_BYTES };
#else
enum { STACK_BYTES = THREAD_STACK_BYTES };
#endif

void lock_init(struct lock *l)
{
    INVARIANT(pthread_mutex_init(&l->mutex, NULL) == 0);
}

void lock_release(struct lock *l)
{
    INVARIANT(pthread_mutex_destroy(&l->mutex) == 0);
}

TSA(no_thread_safety_analysis) void lock_take(struct lock *l)
{
    INVARIANT(pthread_mutex_lock(&l->mutex) == 0);
}

TSA(no_thread_safety_analysis) void lock_give(struct lock *l)
{
    INVARIANT(pthread_mutex_unlock(&l->mutex) == 0);
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;

    INVARIANT(pthread_condattr_init(&attr) == 0);
    INVARIANT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    INVARIANT(pthread_cond_init(&c->cond, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

void cond_release(struct cond *c)
{
    INVARIANT(pthread_cond_destroy(&c->cond) == 0);
}

void cond_signal(struct cond *c)
{
    INVARIANT(pthread_cond_signal(&c->cond) == 0);
}

void cond_broadcast(struct cond *c)
{
    INVARIANT(pthread_cond_broadcast(&c->cond) == 0);
}

bool cond_wait_until(struct cond *c, struct lock *l, int64_t deadline_mono_ns)
{
    if (deadline_mono_ns == DEADLINE_NEVER) {
        INVARIANT(pthread_cond_wait(&c->cond, &l->mutex) == 0);
        return true;
    }
    int64_t at = deadline_mono_ns > 0 ? deadline_mono_ns : 0;
    struct timespec until = {.tv_sec = at / NS_PER_S, .tv_nsec = at % NS_PER_S};
    int result = pthread_cond_timedwait(&c->cond, &l->mutex, &until);

    INVARIANT(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

struct thread_start {
    void (*run)(void *);
    void *arg;
    char name[16];
};

static void *thread_main(void *arg)
{
    struct thread_start start = *(struct thread_start *)arg;

    mem_free(arg);
    (void)pthread_setname_np(pthread_self(), start.name);
    start.run(start.arg);
    return NULL;
}

/* Signals are the main thread's business: a new thread starts with all blocked but those that it raises itself. */
static int create_without_signals(pthread_t *ret_id, const pthread_attr_t *attr,
                                  struct thread_start *start)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked;
    sigset_t before;

    (void)sigfillset(&blocked);
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        (void)sigdelset(&blocked, own[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int result = pthread_create(ret_id, attr, thread_main, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

bool thread_start(struct thread *t, const char *name, void (*run)(void *), void *arg, struct err *e)
{
    struct thread_start *start = mem_new(struct thread_start);
    pthread_attr_t attr;

    *start = (struct thread_start){.run = run, .arg = arg};
    (void)snprintf(start->name, sizeof(start->name), "%.15s", name);
    INVARIANT(pthread_attr_init(&attr) == 0);
    INVARIANT(pthread_attr_setstacksize(&attr, STACK_BYTES) == 0);
    int result = create_without_signals(&t->id, &attr, start);
    (void)pthread_attr_destroy(&attr);
    t->started = result == 0;
    if (result != 0) {
        mem_free(start);
        return err_set_errno(e, ERR_LIMIT, result, "cannot start thread '%s'", name);
    }
    return true;
}

void thread_join(struct thread *t)
{
    if (t->started) {
        INVARIANT(pthread_join(t->id, NULL) == 0);
        t->started = false;
    }
}
