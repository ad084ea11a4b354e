/* The plan over real logs: who gets what, what a change, a stop and a kill leave. */
#include "export/plan.h"

#include "base/mem.h"
#include "fake/plan_kit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static void assert_got(struct plan_kit *k, size_t destination, const char *expected)
{
    char *got = destination_got(&k->destinations[destination]);

    assert_string_equal(got, expected);
    mem_free(got);
}

static void assert_drained(struct plan_kit *k)
{
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
}

static void give_samples(struct plan_kit *k, double first, uint32_t rows, struct give how)
{
    uint64_t seq = 0;

    assert_true(plan_kit_give(k, sample_batch(first, rows), how, &seq));
}

static void give_alerts(struct plan_kit *k, double first, uint32_t rows, struct give how)
{
    uint64_t seq = 0;

    assert_true(plan_kit_give(k, alert_batch(first, rows), how, &seq));
}

/* ---- who gets what ---- */

static void everyone_gets_all_in_order(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind_samples, 1);
    plan_kit_output(k, "c", &fake_kind_alerts, 2);
    plan_kit_open(k);
    for (int i = 0; i < 200; i++) {
        give_samples(k, i, 1, (struct give){.durable = i % 50 == 0});
    }
    assert_true(destination_wait(&k->destinations[0], 200));
    assert_true(plan_kit_alerts(k, 1000, 2));
    assert_drained(k);
    assert_int_equal(k->destinations[0].got.len, 202);
    for (size_t i = 0; i < 200; i++) {
        assert_true(k->destinations[0].got.items[i] == (double)i);
        assert_true(k->destinations[1].got.items[i] == (double)i);
    }
    assert_int_equal(k->destinations[1].got.len, 200);
    assert_got(k, 2, "1000 1001");
}

static void a_dead_output_blocks_nobody(void **state)
{
    struct plan_kit *k = *state;
    struct output_status status[3];

    plan_kit_output(k, "dead", &fake_kind, 0);
    plan_kit_output(k, "hung", &fake_kind, 1);
    plan_kit_output(k, "alive", &fake_kind, 2);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    destination_plan(&k->destinations[1],
                     (struct destination_step){.rest = VERDICT_RETRY, .hangs = true});
    plan_kit_open(k);
    for (int i = 0; i < 50; i++) {
        assert_true(plan_kit_samples(k, i, 1));
    }
    assert_true(destination_wait(&k->destinations[2], 50));
    assert_true(destination_wait_calls(&k->destinations[0], 2));
    assert_int_equal(plan_status(k->plan, status, 3), 3);
    assert_string_equal(status[0].state, "retrying");
    assert_int_equal(status[0].pending_frames, 50);
    assert_true(status[0].retries > 0);
    assert_int_equal(status[1].pending_frames, 50);
    assert_int_equal(plan_kit_drain(k, 30), 100);
    assert_int_equal(plan_status(k->plan, status, 3), 3);
    assert_int_equal(status[2].pending_frames, 0);
    assert_int_equal(status[2].delivered_rows, 50);
    assert_string_equal(status[2].state, "ok");
}

static void only_except_and_series_choose(void **state)
{
    struct plan_kit *k = *state;
    uint64_t seq = 77;

    plan_kit_output(k, "a", &fake_kind_samples, 0);
    plan_kit_output(k, "store", &fake_kind_series, 1);
    plan_kit_output(k, "alerts", &fake_kind_alerts, 2);
    plan_kit_open(k);
    give_samples(k, 0, 1, (struct give){0});
    give_samples(k, 1, 1, (struct give){.only = 1});
    give_samples(k, 2, 1, (struct give){.only = 3, .except = 1});
    give_samples(k, 3, 1, (struct give){.except = 2});
    give_samples(k, 4, 1, (struct give){.alert_series = true});
    assert_true(plan_kit_give(k, sample_batch(5, 1), (struct give){.only = 4}, &seq));
    assert_int_equal(seq, 0);
    give_alerts(k, 6, 1, (struct give){.state_only = true});
    give_alerts(k, 7, 1, (struct give){0});
    assert_drained(k);
    assert_got(k, 0, "0 1 3");
    assert_got(k, 1, "0 2 4");
    assert_got(k, 2, "7");
}

static void routes_choose(void **state)
{
    struct plan_kit *k = *state;

    for (size_t i = 0; i < 4; i++) {
        plan_kit_output(k, (const char *[]){"a", "b", "c", "d"}[i], &fake_kind, i);
    }
    plan_kit_route(k, "kind == \"alert\"", 8, false);
    plan_kit_route(k, "value >= 2", 1, true);
    plan_kit_route(k, "n == \"3\"", 2, false);
    plan_kit_route(k, "value < 100", 4, false);
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 5));
    assert_true(plan_kit_alerts(k, 200, 1));
    assert_true(plan_kit_samples(k, 300, 1));
    assert_drained(k);
    assert_got(k, 0, "2 4 3 300");
    assert_got(k, 1, "3");
    assert_got(k, 2, "0 1 2 4");
    assert_got(k, 3, "200");
}

/* An exporter may have any name, and none is taken for the plan's own consumer. */
static void an_exporter_may_be_called_state(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_output(k, "state", &fake_kind_alerts, 0);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_kit_alerts(k, 1, 1));
    assert_true(plan_alerts_saved(k->plan, plan_ledger_seq(k->plan), &e));
    plan_kit_close(k);
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 1));
}

/* ---- restart and kill ---- */

static void a_restart_goes_on_at_the_cursor(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "a", &fake_kind, 0);
    destination_plan(&k->destinations[0], (struct destination_step){.settled = SETTLED_ALL});
    destination_plan(&k->destinations[0], (struct destination_step){.settled = SETTLED_ALL});
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    plan_kit_open(k);
    for (int i = 0; i < 5; i++) {
        assert_true(plan_kit_samples(k, i, 1));
    }
    assert_true(destination_wait_calls(&k->destinations[0], 3));
    plan_kit_close(k);
    assert_got(k, 0, "0 1");
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_drained(k);
    assert_got(k, 0, "2 3 4");
}

/* The child delivers to a pipe and is killed at some moment; what it was told is held comes. */
enum { KILL_FRAMES = 300 };

static void give_until_killed(struct plan_kit *k, int told)
{
    plan_kit_open(k);
    for (int i = 0; i < KILL_FRAMES; i++) {
        if (!plan_kit_samples(k, i, 1) || write(told, "x", 1) != 1) {
            _exit(1);
        }
    }
    for (;;) {
        (void)pause();
    }
}

/* Frames that the child was told are held, after it was killed having said so of <count>. */
static unsigned kill_after(struct plan_kit *k, unsigned count)
{
    char bytes[KILL_FRAMES];
    unsigned held = 0;
    int told[2];

    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        give_until_killed(k, told[1]);
    }
    (void)close(told[1]);
    while (held < count && read(told[0], bytes, 1) == 1) {
        held++;
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    for (ssize_t n = 1; n > 0;) {
        n = read(told[0], bytes, sizeof(bytes));
        held += n > 0 ? (unsigned)n : 0;
    }
    (void)close(told[0]);
    return held;
}

static void a_kill_loses_nothing_held(void **state)
{
    static const unsigned moments[] = {1, 7, 60};
    (void)state;

    for (size_t m = 0; m < ARRAY_LEN(moments); m++) {
        struct plan_kit *k = mem_new(struct plan_kit);
        plan_kit_start(k);
        plan_kit_output(k, "a", &fake_kind, 0);
        destination_refuse(&k->destinations[0], VERDICT_RETRY);
        unsigned held = kill_after(k, moments[m]);
        destination_forget(&k->destinations[0]);
        plan_kit_open(k);
        assert_drained(k);
        assert_true(k->destinations[0].got.len >= held);
        for (size_t i = 0; i < k->destinations[0].got.len; i++) {
            assert_true(k->destinations[0].got.items[i] == (double)i);
        }
        plan_kit_stop(k);
        mem_free(k);
    }
}

/* ---- change ---- */

/* Another config with the same names where they stay; as a reload makes it. */
static struct plan_config chosen(struct plan_kit *k, struct output_config *outputs, size_t first,
                                 size_t count)
{
    struct plan_config config = k->config;

    memcpy(outputs, k->outputs + first, count * sizeof(*outputs));
    config.outputs = outputs;
    config.output_count = count;
    config.target_count = count;
    config.default_targets = (UINT64_C(1) << count) - 1;
    return config;
}

static void a_change_keeps_cursors_and_frames(void **state)
{
    struct plan_kit *k = *state;
    struct output_config kept[KIT_OUTPUTS];
    struct err e = ERR_INIT;

    plan_kit_output(k, "old", &fake_kind, 0);
    plan_kit_output(k, "stays", &fake_kind, 1);
    plan_kit_output(k, "new", &fake_kind, 2);
    struct plan_config before = chosen(k, kept, 0, 2);
    struct output_config next[KIT_OUTPUTS];
    struct plan_config after = chosen(k, next, 1, 2);
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    assert_true(plan_open(&k->env, &before, &k->plan, &e));
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(destination_wait(&k->destinations[1], 1));
    assert_true(plan_change(k->plan, &after, &e));
    assert_true(plan_kit_samples(k, 1, 1));
    assert_drained(k);
    assert_got(k, 1, "0 1");
    assert_got(k, 2, "1");
    plan_kit_close(k);
    /* Configured again, the removed one gets what it was owed, and nothing of meanwhile. */
    destination_forget(&k->destinations[0]);
    assert_true(plan_open(&k->env, &before, &k->plan, &e));
    assert_drained(k);
    assert_got(k, 0, "0");
    assert_got(k, 1, "0 1");
}

/* An output that is in trouble does not hold up a change. */
static void a_change_waits_for_nobody_in_trouble(void **state)
{
    struct plan_kit *k = *state;
    struct output_config next[KIT_OUTPUTS];
    struct err e = ERR_INIT;
    int64_t start_ns = clock_mono_ns(clock_system());

    plan_kit_output(k, "a", &fake_kind, 0);
    k->configs[0].common.retry.backoff.initial_delay_ns = 3600 * NS_PER_S;
    k->configs[0].common.retry.backoff.max_delay_ns = 3600 * NS_PER_S;
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 3));
    assert_true(plan_kit_samples(k, 3, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 1));
    struct plan_config same = chosen(k, next, 0, 1);
    assert_true(plan_change(k->plan, &same, &e));
    assert_true(clock_mono_ns(clock_system()) - start_ns < 2 * NS_PER_S);
    assert_drained(k);
    assert_got(k, 0, "0 1 2 3");
}

static struct output_status status_of(struct plan_kit *k)
{
    struct output_status status;

    assert_int_equal(plan_status(k->plan, &status, 1), 1);
    return status;
}

/* Twice changed without a change of its own, it sleeps on and knows what was; else it tries at once. */
static void who_is_the_same_goes_on_in_its_backoff(void **state)
{
    struct plan_kit *k = *state;
    struct output_config next[KIT_OUTPUTS];
    struct err e = ERR_INIT;

    plan_kit_output(k, "a", &fake_kind, 0);
    k->outputs[0].hash = 7;
    k->configs[0].common.retry.backoff.initial_delay_ns = 3600 * NS_PER_S;
    k->configs[0].common.retry.backoff.max_delay_ns = 3600 * NS_PER_S;
    destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    while (status_of(k).retries == 0) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 1), NULL});
    }
    struct plan_config same = chosen(k, next, 0, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(plan_change(k->plan, &same, &e));
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 30), NULL});
        struct output_status status = status_of(k);
        assert_int_equal(status.retries, 1);
        assert_string_equal(status.state, "retrying");
        assert_got(k, 0, "");
    }
    struct output_config changed[KIT_OUTPUTS];
    struct plan_config other = chosen(k, changed, 0, 1);
    changed[0].hash = 8;
    assert_true(plan_change(k->plan, &other, &e));
    assert_true(destination_wait(&k->destinations[0], 1));
    assert_drained(k);
    assert_got(k, 0, "0");
}

static void a_failed_change_changes_nothing(void **state)
{
    struct plan_kit *k = *state;
    struct output_config before[KIT_OUTPUTS];
    struct err e = ERR_INIT;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind, 1);
    struct plan_config first = chosen(k, before, 0, 1);
    assert_true(plan_open(&k->env, &first, &k->plan, &e));
    k->configs[1].refuses_open = true;
    assert_false(plan_change(k->plan, &k->config, &e));
    assert_true(plan_kit_samples(k, 0, 1));
    assert_drained(k);
    assert_got(k, 0, "0");
}

/* More names than a log has bits come and go, over restarts and changes. */
static void names_that_owe_nothing_are_forgotten(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;
    char names[70][8];

    plan_kit_output(k, "a", &fake_kind, 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        (void)snprintf(names[i], sizeof(names[i]), "n%zu", i);
        if (k->plan == NULL) {
            k->outputs[0].name = str_of(names[i]);
            plan_kit_open(k);
        } else {
            struct output_config next = k->outputs[0];
            struct stage_config stage = k->stages[0];
            struct target_config target = k->targets[0];
            next.name = stage.name = target.name = str_of(names[i]);
            next.delivery.stage = &stage;
            struct plan_config config = {.outputs = &next,
                                         .output_count = 1,
                                         .targets = &target,
                                         .target_count = 1,
                                         .default_targets = 1,
                                         .state_path = str_of(k->folder)};
            assert_true(plan_change(k->plan, &config, &e));
            assert_true(plan_kit_samples(k, (double)i, 1));
            assert_true(plan_kit_alerts(k, (double)i, 1));
            assert_true(destination_wait(&k->destinations[0], (i / 2 + 1) * 2));
            plan_kit_close(k);
        }
    }
}

/* ---- alert state ---- */

struct replayed {
    char text[256];
    uint64_t last_seq;
};

static bool visit(void *arg, uint64_t seq, struct batch *b, struct err *e)
{
    struct replayed *r = arg;
    const struct alerts *alerts = NULL;

    if (!batch_alerts(b, &alerts, e)) {
        return false;
    }
    assert_true(seq > r->last_seq);
    r->last_seq = seq;
    for (uint32_t i = 0; i < alerts->count; i++) {
        size_t len = strlen(r->text);
        (void)snprintf(r->text + len, sizeof(r->text) - len, "%.0f ", alerts->rows[i].value);
    }
    return true;
}

static void assert_replay(struct plan_kit *k, uint64_t after, const char *expected)
{
    struct replayed r = {.text = ""};
    struct err e = ERR_INIT;

    assert_true(plan_replay_alerts(k->plan, after, visit, &r, &e));
    assert_string_equal(r.text, expected);
}

static void alerts_are_replayed_after_a_snapshot(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_route(k, "value < 2", 1, false);
    plan_kit_open(k);
    assert_replay(k, 0, "");
    assert_true(plan_kit_give(k, alert_batch(0, 1), (struct give){0}, &seq));
    give_alerts(k, 1, 2, (struct give){0}); /* row 2 is for nobody */
    give_alerts(k, 3, 1, (struct give){.state_only = true});
    assert_true(plan_kit_samples(k, 9, 1));
    assert_drained(k);
    plan_kit_close(k);
    plan_kit_open(k);
    assert_replay(k, 0, "0 1 2 3 ");
    assert_replay(k, seq, "1 2 3 ");
    assert_true(plan_alerts_saved(k->plan, seq, &e));
    assert_replay(k, seq, "1 2 3 ");
    assert_replay(k, plan_ledger_seq(k->plan), "");
}

/* A snapshot may outlive the ledger that it belongs to. */
static void a_younger_ledger_is_replayed_whole(void **state)
{
    struct plan_kit *k = *state;
    struct err e = ERR_INIT;

    plan_kit_open(k);
    give_alerts(k, 0, 1, (struct give){0});
    assert_replay(k, 1000, "0 ");
    assert_true(plan_alerts_saved(k->plan, 1000, &e));
}

/* ---- giving while changing ---- */

enum { GIVERS = 3, FRAMES_EACH = 150, CHANGES = 12 };

struct giver {
    struct plan_kit *kit;
    struct thread thread;
    int first;
    _Atomic bool failed;
};

static void give_many(void *arg)
{
    struct giver *g = arg;

    for (int i = 0; i < FRAMES_EACH; i++) {
        struct give how = {.wait = {DEADLINE_NEVER, NULL}};
        struct batch *b = i % 8 == 0 ? alert_batch(g->first + i, 1) : sample_batch(g->first + i, 1);
        struct err e = ERR_INIT;
        uint64_t seq = 0;
        g->failed = !plan_give(g->kit->plan, b, &how, &seq, &e) || g->failed;
        batch_unref(b);
    }
}

static void check_status(struct plan_kit *k)
{
    struct output_status status[KIT_OUTPUTS];

    plan_levels_changed(k->plan);
    assert_true(plan_status(k->plan, status, KIT_OUTPUTS) > 0);
}

/* Each giver's records come, those of one log in order (duplicates only of what was in flight). */
static void assert_all_came(struct destination *d)
{
    bool came[GIVERS * FRAMES_EACH] = {false};

    for (size_t i = 0; i < d->got.len; i++) {
        came[(size_t)d->got.items[i]] = true;
    }
    for (size_t i = 0; i < ARRAY_LEN(came); i++) {
        assert_true(came[i]);
    }
}

static void giving_goes_on_while_outputs_change(void **state)
{
    struct plan_kit *k = *state;
    struct giver givers[GIVERS];
    struct err e = ERR_INIT;

    plan_kit_output(k, "a", &fake_kind, 0);
    plan_kit_output(k, "b", &fake_kind, 1);
    plan_kit_open(k);
    for (int i = 0; i < GIVERS; i++) {
        givers[i] = (struct giver){.kit = k, .first = i * FRAMES_EACH};
        assert_true(thread_start(&givers[i].thread, "giver", give_many, &givers[i], &e));
    }
    for (size_t i = 0; i < CHANGES; i++) {
        struct plan_config config = k->config;
        config.output_count = 1 + i % 2;
        assert_true(plan_change(k->plan, &config, &e));
        check_status(k);
    }
    for (int i = 0; i < GIVERS; i++) {
        thread_join(&givers[i].thread);
        assert_false(givers[i].failed);
    }
    assert_drained(k);
    assert_all_came(&k->destinations[0]);
}

/* ---- stopping ---- */

static void draining_is_told_and_can_be_cancelled(void **state)
{
    struct plan_kit *k = *state;
    struct cancel *cancel = cancel_new(NULL);
    struct plan_left left;

    plan_kit_output(k, "a", &fake_kind, 0);
    destination_plan(&k->destinations[0],
                     (struct destination_step){.rest = VERDICT_RETRY, .hangs = true});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(plan_kit_alerts(k, 1, 1));
    assert_true(destination_wait(&k->destinations[0], 1));
    cancel_fire(cancel);
    plan_drain(k->plan, (struct wait){DEADLINE_NEVER, cancel}, &left);
    assert_true(left.frames == 1 || left.frames == 2);
    assert_string_equal(left.text, left.frames == 1 ? "a: 1 frame on disk" : "a: 2 frames on disk");
    cancel_free(cancel);
    assert_true(plan_kit_samples(k, 2, 1)); /* still held, for the next start */
    plan_kit_close(k);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 3));
}

/* A stop does not pass for a success when a destination has less than it was given. */
static void a_stop_names_what_destinations_lack(void **state)
{
    struct plan_kit *k = *state;

    plan_kit_output(k, "good", &fake_kind, 0);
    plan_kit_output(k, "picky", &fake_kind, 1);
    plan_kit_output(k, "dead", &fake_kind, 2);
    destination_refuse(&k->destinations[1], VERDICT_REJECTED);
    destination_refuse(&k->destinations[2], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 3));
    assert_true(destination_wait(&k->destinations[0], 3));
    assert_true(destination_wait_calls(&k->destinations[1], 1));
    assert_int_equal(plan_kit_drain(k, 500), 1);
    assert_int_equal(k->left.dead_letters, 3);
    assert_int_equal(k->left.alerts + k->left.dropped, 0);
    assert_string_equal(k->left.text, "picky: 3 dead letters; dead: 1 frame on disk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everyone_gets_all_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_output_blocks_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_names_what_destinations_lack, setup, teardown),
        cmocka_unit_test_setup_teardown(only_except_and_series_choose, setup, teardown),
        cmocka_unit_test_setup_teardown(routes_choose, setup, teardown),
        cmocka_unit_test_setup_teardown(an_exporter_may_be_called_state, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart_goes_on_at_the_cursor, setup, teardown),
        cmocka_unit_test(a_kill_loses_nothing_held),
        cmocka_unit_test_setup_teardown(a_change_keeps_cursors_and_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_waits_for_nobody_in_trouble, setup, teardown),
        cmocka_unit_test_setup_teardown(who_is_the_same_goes_on_in_its_backoff, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_change_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(names_that_owe_nothing_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(alerts_are_replayed_after_a_snapshot, setup, teardown),
        cmocka_unit_test_setup_teardown(a_younger_ledger_is_replayed_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(giving_goes_on_while_outputs_change, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_is_told_and_can_be_cancelled, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
