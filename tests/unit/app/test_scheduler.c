/* The scheduler against the real clock, in millisecond slots, and its arithmetic of missed slots.
 */
#include "app/scheduler.h"
#include "base/env.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

struct probe {
    int64_t interval_ns;
    int64_t run_us;
    _Atomic uint64_t runs;
    _Atomic uint64_t missed;
    _Atomic int inside;
    _Atomic int overlapped;
    _Atomic int64_t last_slot_ns;
    _Atomic int went_back;
};

static int64_t probe_next(const void *arg, int64_t after_ns)
{
    const struct probe *p = arg;

    return (time_floor_div(after_ns - 1, p->interval_ns) + 1) * p->interval_ns;
}

static void probe_run(void *arg, int64_t slot_ns, struct wait wait)
{
    struct probe *p = arg;

    (void)wait;
    if (atomic_fetch_add(&p->inside, 1) != 0) {
        atomic_store(&p->overlapped, 1);
    }
    if (slot_ns <= atomic_exchange(&p->last_slot_ns, slot_ns)) {
        atomic_store(&p->went_back, 1);
    }
    (void)usleep((useconds_t)p->run_us);
    atomic_fetch_add(&p->runs, 1);
    atomic_fetch_sub(&p->inside, 1);
}

static void probe_missed(void *arg, uint64_t slots)
{
    struct probe *p = arg;

    atomic_fetch_add(&p->missed, slots);
}

static struct job probe_job(struct probe *p)
{
    return (struct job){
        .next_slot = probe_next, .run = probe_run, .missed = probe_missed, .arg = p};
}

static struct scheduler *start(const struct env *env, struct probe *probes, size_t count)
{
    struct scheduler *s = NULL;
    struct err e = ERR_INIT;
    struct job jobs[64];

    for (size_t i = 0; i < count; i++) {
        jobs[i] = probe_job(&probes[i]);
    }
    assert_true(scheduler_new(env, 4, &s, &e));
    scheduler_set_jobs(s, jobs, count);
    scheduler_resume(s);
    return s;
}

static void pause_all(struct scheduler *s)
{
    assert_true(scheduler_pause(s, (struct wait){DEADLINE_NEVER, NULL}));
}

static void every_job_runs_and_none_overlaps(void **state)
{
    struct env env = {.clock = clock_system()};
    struct probe probes[40] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        probes[i].interval_ns = (int64_t)(5 + i) * NS_PER_MS;
    }
    struct scheduler *s = start(&env, probes, ARRAY_LEN(probes));
    (void)usleep(300 * 1000);
    pause_all(s);
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        assert_true(probes[i].runs > 0);
        assert_int_equal(probes[i].overlapped, 0);
        assert_int_equal(probes[i].went_back, 0);
    }
    scheduler_free(s);
}

static void runs_and_missed_slots_add_up(void **state)
{
    struct env env = {.clock = clock_system()};
    struct probe slow = {.interval_ns = 10 * NS_PER_MS, .run_us = 35 * 1000};

    (void)state;
    int64_t first_slot = probe_next(&slow, clock_wall_ns(env.clock));
    struct scheduler *s = start(&env, &slow, 1);
    (void)usleep(400 * 1000);
    pause_all(s);
    /* The slots from the first to the last one run were each run or missed; those after it may be
     * missed already. */
    uint64_t slots = (uint64_t)((slow.last_slot_ns - first_slot) / slow.interval_ns) + 1;
    assert_true(slow.runs + slow.missed >= slots);
    assert_true(slow.runs + slow.missed <= slots + 5);
    assert_true(slow.missed > slow.runs);
    scheduler_free(s);
}

static void nothing_runs_while_paused(void **state)
{
    struct env env = {.clock = clock_system()};
    struct probe p = {.interval_ns = 2 * NS_PER_MS};

    (void)state;
    struct scheduler *s = start(&env, &p, 1);
    (void)usleep(50 * 1000);
    pause_all(s);
    uint64_t runs = p.runs;
    (void)usleep(50 * 1000);
    assert_int_equal(p.runs, runs);
    scheduler_resume(s);
    (void)usleep(100 * 1000);
    assert_true(p.runs > runs);
    scheduler_free(s);
}

/* Jobs are replaced while slots pass: what is the same job runs them late, or counts them. */
static void slots_that_pass_while_jobs_are_replaced_add_up(void **state)
{
    const int64_t interval_ns = 10 * NS_PER_MS;
    struct env env = {.clock = clock_system()};
    struct probe p = {.interval_ns = interval_ns};
    struct job job = probe_job(&p);
    struct scheduler *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    job.id = 7;
    assert_true(scheduler_new(&env, 1, &s, &e));
    int64_t began_ns = clock_wall_ns(env.clock);
    scheduler_set_jobs(s, &job, 1);
    for (int i = 0; i < 3; i++) {
        scheduler_resume(s);
        (void)usleep(35 * 1000);
        pause_all(s);
        (void)usleep(65 * 1000);
        scheduler_set_jobs(s, &job, 1);
    }
    int64_t slots = (p.last_slot_ns - began_ns) / interval_ns + 1;
    assert_in_range(p.runs + p.missed, (uint64_t)slots - 1, (uint64_t)slots + 1);
    assert_true(slots > 15);
    assert_int_equal(p.went_back, 0);
    scheduler_free(s);
}

static void hang_run(void *arg, int64_t slot_ns, struct wait wait)
{
    struct probe *p = arg;

    (void)slot_ns;
    wait.deadline_mono_ns = clock_deadline_ms(clock_system(), p->runs == 0 ? 60 * 1000 : 0);
    (void)wait_sleep(wait);
    atomic_fetch_add(&p->runs, 1);
}

static void what_is_cut_ends_and_goes_on(void **state)
{
    struct env env = {.clock = clock_system()};
    struct probe p = {.interval_ns = 2 * NS_PER_MS};
    struct job job = probe_job(&p);
    struct scheduler *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    job.run = hang_run;
    assert_true(scheduler_new(&env, 1, &s, &e));
    scheduler_set_jobs(s, &job, 1);
    scheduler_resume(s);
    while (scheduler_running(s) == 0) {
        (void)usleep(1000);
    }
    assert_false(scheduler_pause(s, (struct wait){clock_deadline_ms(env.clock, 20), NULL}));
    scheduler_cut(s);
    assert_true(scheduler_pause(s, (struct wait){clock_deadline_ms(env.clock, 5000), NULL}));
    assert_int_equal(p.runs, 1);
    scheduler_resume(s);
    (void)usleep(50 * 1000);
    assert_true(p.runs > 2);
    scheduler_free(s);
}

static void pause_gives_up_when_its_wait_is_over(void **state)
{
    struct env env = {.clock = clock_system()};
    struct probe p = {.interval_ns = 2 * NS_PER_MS, .run_us = 300 * 1000};

    (void)state;
    struct scheduler *s = start(&env, &p, 1);
    (void)usleep(50 * 1000);
    struct wait soon = {clock_deadline_ms(env.clock, 20), NULL};
    assert_false(scheduler_pause(s, soon));
    assert_int_equal(scheduler_running(s), 1);
    pause_all(s);
    assert_int_equal(scheduler_running(s), 0);
    scheduler_free(s);
}

/* Of jobs with one slot the lower ranks begin first, wherever they stand in the list. */
struct turn {
    _Atomic int *turns;
    int taken;
};

static int64_t turn_next(const void *arg, int64_t after_ns)
{
    const int64_t interval_ns = 300 * NS_PER_MS;

    (void)arg;
    return (time_floor_div(after_ns - 1, interval_ns) + 1) * interval_ns;
}

static void turn_run(void *arg, int64_t slot_ns, struct wait wait)
{
    struct turn *turn = arg;

    (void)slot_ns;
    (void)wait;
    turn->taken = atomic_fetch_add(turn->turns, 1) + 1;
}

static void turn_missed(void *arg, uint64_t slots)
{
    (void)arg;
    (void)slots;
}

static void lower_ranks_begin_first(void **state)
{
    struct env env = {.clock = clock_system()};
    static const uint32_t ranks[] = {2, 0, 3, 1, 5, 4};
    struct turn turns[ARRAY_LEN(ranks)] = {0};
    struct job jobs[ARRAY_LEN(ranks)];
    struct scheduler *s = NULL;
    struct err e = ERR_INIT;
    _Atomic int taken = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ranks); i++) {
        turns[i].turns = &taken;
        jobs[i] = (struct job){.next_slot = turn_next,
                               .run = turn_run,
                               .missed = turn_missed,
                               .arg = &turns[i],
                               .rank = ranks[i]};
    }
    assert_true(scheduler_new(&env, 1, &s, &e));
    scheduler_set_jobs(s, jobs, ARRAY_LEN(ranks));
    scheduler_resume(s);
    while (taken < (int)ARRAY_LEN(ranks)) {
        (void)usleep(1000);
    }
    pause_all(s);
    for (size_t i = 0; i < ARRAY_LEN(ranks); i++) {
        assert_int_equal((uint32_t)(turns[i].taken - 1) % ARRAY_LEN(ranks), ranks[i]);
    }
    scheduler_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_and_none_overlaps),
        cmocka_unit_test(runs_and_missed_slots_add_up),
        cmocka_unit_test(nothing_runs_while_paused),
        cmocka_unit_test(slots_that_pass_while_jobs_are_replaced_add_up),
        cmocka_unit_test(what_is_cut_ends_and_goes_on),
        cmocka_unit_test(pause_gives_up_when_its_wait_is_over),
        cmocka_unit_test(lower_ranks_begin_first),
    };

    return cmocka_run_group_tests_name("app/scheduler", tests, NULL, NULL);
}
