/* One output's way: order, retries, dead letters, giving up, halting, stopping. */
#include "export/lane.h"

#include "fake/plan_kit.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    plan_kit_output(k, "out", &fake_kind, 0);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static void assert_text(char *got, const char *expected)
{
    assert_string_equal(got, expected);
    mem_free(got);
}

/* ---- what a delivery does, given what the leaf said ---- */

/* Three rows 0 1 2 are given, then row 9; all ends with row 9 delivered. */
static const struct {
    const char *name;
    struct destination_step steps[4];
    const char *tried;
    const char *got;
    const char *dead;
} outcomes[] = {
    {"delivered", {{0}}, "0 1 2|9", "0 1 2 9", ""},
    {"retried, then delivered",
     {{.rest = VERDICT_RETRY, .times = 2}},
     "0 1 2|0 1 2|0 1 2|9",
     "0 1 2 9",
     ""},
    {"unknown is tried again", {{.rest = VERDICT_UNKNOWN}}, "0 1 2|0 1 2|9", "0 1 2 9", ""},
    {"settled rows are not sent again",
     {{.rest = VERDICT_RETRY, .settled = 1}, {.rest = VERDICT_UNKNOWN, .settled = 1}},
     "0 1 2|1 2|2|9",
     "0 1 2 9",
     ""},
    {"one row rejected",
     {{.settled = SETTLED_ALL, .except = {{1, VERDICT_REJECTED, "too old"}}}},
     "0 1 2|9",
     "0 2 9",
     "too old: 1;"},
    {"two reasons",
     {{.settled = SETTLED_ALL,
       .except = {{0, VERDICT_REJECTED, "too old"}, {2, VERDICT_REJECTED, "too long"}}}},
     "0 1 2|9",
     "1 9",
     "too old: 0;too long: 2;"},
    {"rejected rows share a letter when they share a reason",
     {{.settled = SETTLED_ALL,
       .except = {{0, VERDICT_REJECTED, "too old"}, {1, VERDICT_REJECTED, "too old"}}}},
     "0 1 2|9",
     "2 9",
     "too old: 0 1;"},
    {"all that follows is rejected",
     {{.rest = VERDICT_REJECTED, .settled = 1, .message = "bad request"}},
     "0 1 2|9",
     "0 9",
     "bad request: 1 2;"},
    {"a whole view rejected",
     {{.rest = VERDICT_REJECTED, .message = "bad request"}},
     "0 1 2|9",
     "9",
     "bad request: 0 1 2;"},
    {"a row in the middle wants another try",
     {{.settled = SETTLED_ALL, .except = {{1, VERDICT_RETRY, "busy"}}}},
     "0 1 2|1|9",
     "0 2 1 9",
     ""},
    {"rows are tried again in their order, however they were named",
     {{.settled = SETTLED_ALL, .except = {{2, VERDICT_RETRY, "busy"}, {0, VERDICT_RETRY, "busy"}}}},
     "0 1 2|0 2|9",
     "1 0 2 9",
     ""},
    {"rejected in front, retried behind",
     {{.rest = VERDICT_RETRY, .settled = 2, .except = {{0, VERDICT_REJECTED, "too old"}}}},
     "0 1 2|2|9",
     "1 2 9",
     "too old: 0;"},
    {"a rejection of what is not settled waits for the next try",
     {{.rest = VERDICT_RETRY, .settled = 1, .except = {{2, VERDICT_REJECTED, "too old"}}}},
     "0 1 2|1 2|9",
     "0 1 2 9",
     ""},
    {"a row excepted twice is one letter",
     {{.settled = SETTLED_ALL,
       .except = {{1, VERDICT_REJECTED, "too old"}, {1, VERDICT_REJECTED, "too old"}}}},
     "0 1 2|9",
     "0 2 9",
     "too old: 1;"},
    {"rows that are not there are nobody's",
     {{.settled = SETTLED_ALL, .except = {{3, VERDICT_RETRY, "?"}, {7, VERDICT_REJECTED, "?"}}}},
     "0 1 2|9",
     "0 1 2 9",
     ""},
    {"the rest delivered, said without settling it",
     {{.rest = VERDICT_DELIVERED, .settled = 0, .except = {{2, VERDICT_RETRY, "busy"}}}},
     "0 1 2|2|9",
     "0 1 2 9",
     ""},
};

static void run_outcome(struct plan_kit *k, size_t at)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes[at].steps); i++) {
        const struct destination_step *step = &outcomes[at].steps[i];
        if (step->rest != VERDICT_DELIVERED || step->settled > 0 || step->except[0].reason) {
            destination_plan(&k->destinations[0], *step);
        }
    }
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 3));
    assert_true(plan_kit_samples(k, 9, 1));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    plan_kit_close(k);
    print_message("%s\n", outcomes[at].name);
    assert_text(destination_tried(&k->destinations[0]), outcomes[at].tried);
    assert_text(destination_got(&k->destinations[0]), outcomes[at].got);
    assert_text(plan_kit_dead(k, "out"), outcomes[at].dead);
}

static void each_outcome_has_its_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        void *kit = NULL;
        (void)setup(&kit);
        run_outcome(kit, i);
        (void)teardown(&kit);
    }
}

/* ---- giving up ---- */

static void ends_after_max_retries(void **state)
{
    struct plan_kit *k = *state;

    k->configs[0].common.retry.max_retries = 2;
    destination_plan(
        &k->destinations[0],
        (struct destination_step){.rest = VERDICT_RETRY, .message = "busy", .times = 3});
    plan_kit_open(k);
    assert_true(plan_kit_alerts(k, 0, 2));
    assert_true(plan_kit_alerts(k, 9, 1));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    plan_kit_close(k);
    assert_text(destination_tried(&k->destinations[0]), "0 1|0 1|0 1|9");
    assert_text(destination_got(&k->destinations[0]), "9");
    assert_text(plan_kit_dead(k, "out"), "after 3 tries: busy: 0 1;");
}

static void progress_begins_the_count_anew(void **state)
{
    struct plan_kit *k = *state;

    k->configs[0].common.retry.max_retries = 2;
    for (int i = 0; i < 3; i++) {
        destination_plan(&k->destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
        destination_plan(&k->destinations[0],
                         (struct destination_step){.rest = VERDICT_RETRY, .settled = 1});
    }
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 4));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_text(destination_got(&k->destinations[0]), "0 1 2 3");
}

static void an_excepted_row_ends_after_max_retries(void **state)
{
    struct plan_kit *k = *state;

    k->configs[0].common.retry.max_retries = 2;
    destination_plan(&k->destinations[0],
                     (struct destination_step){.settled = SETTLED_ALL,
                                               .except = {{0, VERDICT_RETRY, "shard is down"}},
                                               .times = 100});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 2));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    plan_kit_close(k);
    assert_text(destination_tried(&k->destinations[0]), "0 1|0|0");
    assert_text(plan_kit_dead(k, "out"), "after 3 tries: shard is down: 0;");
}

static void ends_at_max_age(void **state)
{
    struct plan_kit *k = *state;

    k->configs[0].common.retry.max_age_ns = 30 * NS_PER_MS;
    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    plan_kit_close(k);
    assert_text(destination_got(&k->destinations[0]), "");
    char *dead = plan_kit_dead(k, "out");
    const char *words = strchr(dead, ':'); /* how many tries that were is nobody's promise */
    assert_memory_equal(dead, "after ", strlen("after "));
    assert_non_null(words);
    assert_string_equal(words, ": not delivered: 0;");
    mem_free(dead);
}

static const char *state_of(struct plan_kit *k)
{
    struct output_status status[1];

    assert_int_equal(plan_status(k->plan, status, 1), 1);
    return status[0].state;
}

/* A refusal of credentials spends neither tries nor age: the frame stays, and a restart has it. */
static void halting_spends_nothing(void **state)
{
    struct plan_kit *k = *state;

    k->configs[0].common.retry.max_retries = 1;
    k->configs[0].common.retry.max_age_ns = 1;
    destination_refuse(&k->destinations[0], VERDICT_HALT);
    for (int i = 0; i < 3; i++) {
        plan_kit_open(k);
        if (i == 0) {
            assert_true(plan_kit_samples(k, 0, 1));
        }
        assert_true(destination_wait_calls(&k->destinations[0], 1 + (uint32_t)i));
        while (strcmp(state_of(k), "halted") != 0) {
            (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 1), NULL});
        }
        assert_int_equal(plan_kit_drain(k, 0), 1);
        plan_kit_close(k);
    }
    assert_text(plan_kit_dead(k, "out"), "");
    destination_forget(&k->destinations[0]);
    plan_kit_open(k);
    assert_true(destination_wait(&k->destinations[0], 1));
}

/* ---- dead letters ---- */

static void letters_outlive_restarts(void **state)
{
    struct plan_kit *k = *state;

    for (int i = 0; i < 3; i++) {
        destination_plan(&k->destinations[0],
                         (struct destination_step){.rest = VERDICT_REJECTED, .message = "no"});
        plan_kit_open(k);
        assert_true(plan_kit_alerts(k, i, 1));
        assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
        plan_kit_close(k);
    }
    assert_text(plan_kit_dead(k, "out"), "no: 0;no: 1;no: 2;");
}

/* Bytes that pass as a frame but hold no rows must not stop an output. */
static struct batch *broken_batch(void)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .rule = STR("r")};

    return batch_from_bytes(&codec_rw1, STR("\x0a\xff\xff"), true, &info, 2);
}

static bool open_breaks(const struct exporter_place *place, const void *config,
                        struct sink **ret_sink, struct err *e);

static void rejecting_deliver(struct sink *s, struct view view, struct wait wait,
                              struct outcome *ret)
{
    (void)s;
    (void)wait;
    for (uint32_t i = 0; i < view.n; i++) {
        outcome_except(ret, i, VERDICT_REJECTED, i == 0 ? "does not decode" : "neither");
    }
    outcome_settle(ret, view.n);
}

static void rejecting_close(struct sink *s)
{
    mem_free(s);
}

static const struct sink_ops rejecting_ops = {.deliver = rejecting_deliver,
                                              .close = rejecting_close};
static const struct exporter_kind rejecting_kind = {
    .name = "rejecting", .takes = TAKES(RECORD_SAMPLE), .open = open_breaks};

static bool open_breaks(const struct exporter_place *place, const void *config,
                        struct sink **ret_sink, struct err *e)
{
    (void)place;
    (void)config;
    (void)e;
    *ret_sink = mem_new(struct sink);
    (*ret_sink)->ops = &rejecting_ops;
    return true;
}

static void count_frames(void *arg, uint16_t type, struct str payload)
{
    (void)type;
    (void)payload;
    ++*(unsigned *)arg;
}

static void rows_that_do_not_decode_are_kept_whole(void **state)
{
    struct plan_kit *k = *state;
    unsigned letters = 0;
    uint64_t seq = 0;

    k->outputs[0].kind = &rejecting_kind;
    plan_kit_open(k);
    assert_true(plan_kit_give(k, broken_batch(), (struct give){.durable = true}, &seq));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    plan_kit_close(k);
    plan_kit_read(k, "dead/out", count_frames, &letters);
    assert_int_equal(letters, 2);
}

/* ---- stopping ---- */

static void a_hanging_leaf_is_cancelled(void **state)
{
    struct plan_kit *k = *state;
    int64_t start_ns = clock_mono_ns(clock_system());

    destination_plan(&k->destinations[0],
                     (struct destination_step){.rest = VERDICT_UNKNOWN, .hangs = true});
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 1));
    assert_int_equal(plan_kit_drain(k, 50), 1);
    plan_kit_close(k);
    assert_true(clock_mono_ns(clock_system()) - start_ns < 10 * NS_PER_S);
    plan_kit_open(k);
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_text(destination_got(&k->destinations[0]), "0");
}

static void the_leaf_is_flushed_before_the_end(void **state)
{
    struct plan_kit *k = *state;

    k->outputs[0].kind = &fake_kind_samples;
    plan_kit_open(k);
    assert_true(plan_kit_samples(k, 0, 1));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_int_equal(k->destinations[0].flushes, 1);
}

/* No polling: from append to leaf within a few milliseconds, even after a pause. */
static void delivers_at_once(void **state)
{
    struct plan_kit *k = *state;
    int64_t best_ns = INT64_MAX;

    plan_kit_open(k);
    for (int i = 0; i < 10; i++) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 20), NULL});
        int64_t start_ns = clock_mono_ns(clock_system());
        assert_true(plan_kit_alerts(k, i, 1));
        assert_true(destination_wait(&k->destinations[0], (size_t)i + 1));
        int64_t took_ns = k->destinations[0].got_at_ns.items[i] - start_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
    }
    assert_true(best_ns < 100 * NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_outcome_has_its_end),
        cmocka_unit_test_setup_teardown(ends_after_max_retries, setup, teardown),
        cmocka_unit_test_setup_teardown(progress_begins_the_count_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(an_excepted_row_ends_after_max_retries, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_at_max_age, setup, teardown),
        cmocka_unit_test_setup_teardown(halting_spends_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(letters_outlive_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_that_do_not_decode_are_kept_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_hanging_leaf_is_cancelled, setup, teardown),
        cmocka_unit_test_setup_teardown(the_leaf_is_flushed_before_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(delivers_at_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
