#include "base/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct counter {
    _Atomic int calls;
};

static void count_call(void *arg)
{
    struct counter *c = arg;

    atomic_fetch_add(&c->calls, 1);
}

static void thread_runs_and_joins(void **state)
{
    (void)state;
    struct counter ran = {0};
    struct thread t = {0};
    struct err e = ERR_INIT;

    assert_true(thread_start(&t, "a-name-longer-than-15", count_call, &ran, &e));
    thread_join(&t);
    assert_int_equal(atomic_load(&ran.calls), 1);
    thread_join(&t); /* again: nothing to do */
    assert_int_equal(e.code, ERR_NONE);
}

static void read_mask(void *arg)
{
    (void)pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void thread_blocks_signals(void **state)
{
    (void)state;
    struct thread t = {0};
    struct err e = ERR_INIT;
    sigset_t mask;

    assert_true(thread_start(&t, "mask", read_mask, &mask, &e));
    thread_join(&t);
    assert_int_equal(sigismember(&mask, SIGTERM), 1);
    assert_int_equal(sigismember(&mask, SIGHUP), 1);
    assert_int_equal(sigismember(&mask, SIGSEGV), 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
}

static struct wait in_ms(int64_t ms, struct cancel *c)
{
    return (struct wait){.deadline_mono_ns = clock_deadline_ms(clock_system(), ms), .cancel = c};
}

static void sleep_lasts_until_deadline(void **state)
{
    (void)state;
    int64_t start = clock_mono_ns(clock_system());

    assert_true(wait_sleep(in_ms(20, NULL)));
    assert_true(clock_mono_ns(clock_system()) - start >= 20 * NS_PER_MS);
}

struct firing {
    struct cancel *cancel;
    int64_t after_ms;
};

static void fire_later(void *arg)
{
    const struct firing *f = arg;

    (void)wait_sleep(in_ms(f->after_ms, NULL));
    cancel_fire(f->cancel);
}

static void cancel_ends_sleep_of_child(void **state)
{
    (void)state;
    struct cancel *parent = cancel_new(NULL);
    struct cancel *child = cancel_new(parent);
    struct firing f = {.cancel = parent, .after_ms = 10};
    struct thread t = {0};
    struct err e = ERR_INIT;
    struct wait forever = {.deadline_mono_ns = DEADLINE_NEVER, .cancel = child};

    assert_true(thread_start(&t, "fire", fire_later, &f, &e));
    assert_false(wait_sleep(forever));
    thread_join(&t);
    assert_true(cancel_is_set(child));
    assert_true(wait_is_over(forever, clock_system()));
    assert_false(wait_err(forever, &e));
    assert_int_equal(e.code, ERR_CANCELED);
    assert_false(wait_sleep(forever)); /* at once, now */
    cancel_free(child);
    cancel_free(parent);
}

static void child_does_not_stop_parent(void **state)
{
    (void)state;
    struct cancel *parent = cancel_new(NULL);
    struct cancel *child = cancel_new(parent);

    cancel_fire(child);
    cancel_fire(child);
    assert_false(cancel_is_set(parent));
    cancel_free(child);
    cancel_fire(parent);
    struct cancel *late = cancel_new(parent);
    assert_true(cancel_is_set(late));
    cancel_free(late);
    cancel_free(parent);
    cancel_free(NULL);
}

static void hooks_run_once(void **state)
{
    (void)state;
    struct cancel *c = cancel_new(NULL);
    struct counter counter = {0};
    struct cancel_hook kept = {.wake = count_call, .arg = &counter};
    struct cancel_hook dropped = kept;
    struct cancel_hook late = kept;

    cancel_hook_add(c, &kept);
    cancel_hook_add(c, &dropped);
    cancel_hook_remove(c, &dropped);
    cancel_fire(c);
    assert_int_equal(atomic_load(&counter.calls), 1);
    cancel_hook_add(c, &late);
    assert_int_equal(atomic_load(&counter.calls), 2);
    cancel_hook_remove(c, &kept);
    cancel_hook_remove(c, &late);
    cancel_free(c);
}

struct slow_wake {
    _Atomic int entered;
    _Atomic int left;
};

static void wake_slowly(void *arg)
{
    struct slow_wake *s = arg;

    atomic_store(&s->entered, 1);
    (void)wait_sleep(in_ms(20, NULL));
    atomic_store(&s->left, 1);
}

/* After cancel_hook_remove() the wake is not running: its argument may die. */
static void remove_waits_for_running_wake(void **state)
{
    (void)state;
    struct cancel *c = cancel_new(NULL);
    struct slow_wake s = {0};
    struct cancel_hook hook = {.wake = wake_slowly, .arg = &s};
    struct firing f = {.cancel = c, .after_ms = 0};
    struct thread t = {0};
    struct err e = ERR_INIT;

    cancel_hook_add(c, &hook);
    assert_true(thread_start(&t, "fire", fire_later, &f, &e));
    while (atomic_load(&s.entered) == 0) {
        (void)wait_sleep(in_ms(1, NULL));
    }
    cancel_hook_remove(c, &hook);
    assert_int_equal(atomic_load(&s.left), 1);
    thread_join(&t);
    cancel_free(c);
}

static void waits_combine(void **state)
{
    (void)state;
    struct wait never = {.deadline_mono_ns = DEADLINE_NEVER};
    struct wait past = {.deadline_mono_ns = 1};
    struct err e = ERR_INIT;

    assert_false(wait_is_over(never, clock_system()));
    assert_true(wait_is_over(past, clock_system()));
    assert_int_equal(wait_limit_ms(past, clock_system(), 1000).deadline_mono_ns, 1);
    assert_true(wait_limit_ms(never, clock_system(), 1000).deadline_mono_ns < DEADLINE_NEVER);
    assert_false(wait_err(past, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
}

static void queue_keeps_order_and_bound(void **state)
{
    (void)state;
    struct queue *q = queue_new(2);
    struct wait now = {.deadline_mono_ns = 0};
    int items[3] = {0};

    assert_null(queue_pop(q, now));
    assert_true(queue_push(q, &items[0], now));
    assert_true(queue_push(q, &items[1], now));
    assert_false(queue_push(q, &items[2], now));
    assert_false(queue_push(q, &items[2], in_ms(5, NULL)));
    assert_int_equal(queue_len(q), 2);
    assert_ptr_equal(queue_pop(q, now), &items[0]);
    assert_true(queue_push(q, &items[2], now));
    queue_close(q);
    assert_false(queue_push(q, &items[0], (struct wait){.deadline_mono_ns = DEADLINE_NEVER}));
    assert_ptr_equal(queue_pop(q, now), &items[1]);
    assert_ptr_equal(queue_pop(q, now), &items[2]);
    assert_null(queue_pop(q, (struct wait){.deadline_mono_ns = DEADLINE_NEVER}));
    queue_free(q);
    queue_free(NULL);
}

static void cancel_ends_queue_wait(void **state)
{
    (void)state;
    struct cancel *c = cancel_new(NULL);
    struct queue *q = queue_new(1);
    struct firing f = {.cancel = c, .after_ms = 10};
    struct thread t = {0};
    struct err e = ERR_INIT;

    assert_true(thread_start(&t, "fire", fire_later, &f, &e));
    assert_null(queue_pop(q, (struct wait){.deadline_mono_ns = DEADLINE_NEVER, .cancel = c}));
    thread_join(&t);
    queue_free(q);
    cancel_free(c);
}

enum { WORKERS = 4, ITEMS = 2000 };

struct exchange {
    struct queue *q;
    _Atomic int64_t sum;
    int64_t values[WORKERS][ITEMS];
    _Atomic int next_worker;
};

static const struct wait forever = {.deadline_mono_ns = DEADLINE_NEVER};

static void produce(void *arg)
{
    struct exchange *x = arg;
    int me = atomic_fetch_add(&x->next_worker, 1);

    for (int i = 0; i < ITEMS; i++) {
        x->values[me][i] = i;
        INVARIANT(queue_push(x->q, &x->values[me][i], forever));
    }
}

static void consume(void *arg)
{
    struct exchange *x = arg;
    const int64_t *item;

    while ((item = queue_pop(x->q, forever)) != NULL) {
        atomic_fetch_add(&x->sum, *item);
    }
}

static void queue_serves_many_threads(void **state)
{
    (void)state;
    static struct exchange x;
    struct thread producers[WORKERS] = {0};
    struct thread consumers[WORKERS] = {0};
    struct err e = ERR_INIT;

    x.q = queue_new(3);
    for (int i = 0; i < WORKERS; i++) {
        assert_true(thread_start(&producers[i], "produce", produce, &x, &e));
        assert_true(thread_start(&consumers[i], "consume", consume, &x, &e));
    }
    for (int i = 0; i < WORKERS; i++) {
        thread_join(&producers[i]);
    }
    queue_close(x.q);
    for (int i = 0; i < WORKERS; i++) {
        thread_join(&consumers[i]);
    }
    assert_int_equal(atomic_load(&x.sum), (int64_t)WORKERS * ITEMS * (ITEMS - 1) / 2);
    queue_free(x.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_runs_and_joins),
        cmocka_unit_test(thread_blocks_signals),
        cmocka_unit_test(sleep_lasts_until_deadline),
        cmocka_unit_test(cancel_ends_sleep_of_child),
        cmocka_unit_test(child_does_not_stop_parent),
        cmocka_unit_test(hooks_run_once),
        cmocka_unit_test(remove_waits_for_running_wake),
        cmocka_unit_test(waits_combine),
        cmocka_unit_test(queue_keeps_order_and_bound),
        cmocka_unit_test(cancel_ends_queue_wait),
        cmocka_unit_test(queue_serves_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
