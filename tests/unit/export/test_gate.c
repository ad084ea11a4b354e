/* Who may go in, and in which order. */
#include "export/gate.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

enum { CALLERS = 8, CALLS = 200, ROOM = 3 };

static const struct call_limit limit = {.max_concurrent = ROOM};

static const struct wait for_ever = {DEADLINE_NEVER, NULL};
static const struct wait not_at_all = {1, NULL};

static void as_many_as_there_is_room_for(void **state)
{
    struct gates *all = gates_new();
    struct gate *g = gates_get(all, &limit);

    (void)state;
    assert_ptr_equal(gates_get(all, &limit), g);
    for (int i = 0; i < ROOM; i++) {
        assert_true(gate_enter(g, not_at_all));
    }
    assert_false(gate_enter(g, not_at_all));
    gate_leave(g);
    assert_true(gate_enter(g, not_at_all));
    for (int i = 0; i < ROOM; i++) {
        gate_leave(g);
    }
    gates_free(all);
}

struct caller {
    struct gate *gate;
    _Atomic int *inside;
    _Atomic int *most;
};

static void call_often(void *arg)
{
    const struct caller *c = arg;

    for (int i = 0; i < CALLS; i++) {
        assert_true(gate_enter(c->gate, for_ever));
        int inside = atomic_fetch_add(c->inside, 1) + 1;
        int most = atomic_load(c->most);
        while (inside > most && !atomic_compare_exchange_weak(c->most, &most, inside)) {
        }
        (void)wait_sleep((struct wait){clock_mono_ns(clock_system()) + NS_PER_MS / 20, NULL});
        atomic_fetch_sub(c->inside, 1);
        gate_leave(c->gate);
    }
}

/* Many at once: never more than may be, and nobody is forgotten; some give up waiting. */
static void many_at_once(void **state)
{
    struct gates *all = gates_new();
    struct gate *g = gates_get(all, &limit);
    struct thread threads[CALLERS] = {0};
    _Atomic int inside = 0;
    _Atomic int most = 0;
    struct caller caller = {g, &inside, &most};
    struct err e = ERR_INIT;

    (void)state;
    for (int i = 0; i < CALLERS; i++) {
        assert_true(thread_start(&threads[i], "caller", call_often, &caller, &e));
    }
    for (int i = 0; i < CALLS; i++) {
        if (gate_enter(g, (struct wait){clock_mono_ns(clock_system()) + 1000, NULL})) {
            gate_leave(g);
        }
    }
    for (int i = 0; i < CALLERS; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&most), ROOM);
    for (int i = 0; i < ROOM; i++) {
        assert_true(gate_enter(g, not_at_all));
    }
    for (int i = 0; i < ROOM; i++) {
        gate_leave(g);
    }
    gates_free(all);
}

struct late {
    struct gate *gate;
    struct cancel *cancel;
    bool entered;
};

static void enter_late(void *arg)
{
    struct late *l = arg;

    l->entered = gate_enter(l->gate, (struct wait){DEADLINE_NEVER, l->cancel});
}

static void waiting_ends_when_cancelled(void **state)
{
    const struct call_limit one = {.max_concurrent = 1};
    struct gates *all = gates_new();
    struct late late = {gates_get(all, &one), cancel_new(NULL), true};
    struct thread thread = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_true(gate_enter(late.gate, not_at_all));
    assert_true(thread_start(&thread, "late", enter_late, &late, &e));
    cancel_fire(late.cancel);
    thread_join(&thread);
    assert_false(late.entered);
    gate_leave(late.gate);
    assert_true(gate_enter(late.gate, not_at_all));
    gate_leave(late.gate);
    cancel_free(late.cancel);
    gates_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(waiting_ends_when_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
