/* What removed exporters owe: seen, adopted, dropped. And what else a change brings. */
#include "export/plan_int.h"

#include "fake/plan_kit.h"
#include "log/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* An output "old" that is down and owes samples and an alert, and "heir", "deaf" (alerts only) to come. */
static int setup(void **state)
{
    struct plan_kit *k = mem_new(struct plan_kit);

    plan_kit_start(k);
    plan_kit_output(k, "old", &fake_kind, 0);
    plan_kit_output(k, "heir", &fake_kind, 1);
    plan_kit_output(k, "deaf", &fake_kind_alerts, 2);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    plan_kit_stop(*state);
    mem_free(*state);
    return 0;
}

static struct plan_config chosen(struct plan_kit *k, size_t first, size_t count)
{
    struct plan_config config = k->config;

    config.outputs += first;
    config.output_count = count;
    config.target_count = count;
    config.default_targets = (UINT64_C(1) << count) - 1;
    return config;
}

/* "old" owes samples 0 and 1 and alert 2, and is removed. */
static void open_without_old(struct plan_kit *k)
{
    struct plan_config before = chosen(k, 0, 1);
    struct plan_config after = chosen(k, 1, 2);
    struct err e = ERR_INIT;

    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    assert_true(plan_open(&k->env, &before, &k->plan, &e));
    assert_true(plan_kit_samples(k, 0, 1));
    assert_true(plan_kit_samples(k, 1, 1));
    assert_true(plan_kit_alerts(k, 2, 1));
    assert_true(destination_wait_calls(&k->destinations[0], 2));
    assert_true(plan_change(k->plan, &after, &e));
}

static void assert_got(struct plan_kit *k, size_t i, const char *expected)
{
    char *got = destination_got(&k->destinations[i]);

    assert_string_equal(got, expected);
    mem_free(got);
}

static size_t orphans_of(struct plan_kit *k, struct plan_orphan ret[4])
{
    return plan_orphans(k->plan, ret, 4);
}

static void they_are_seen(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];

    open_without_old(k);
    assert_int_equal(orphans_of(k, found), 2);
    assert_string_equal(found[0].name, "old");
    assert_string_equal(found[0].log, "ledger");
    assert_int_equal(found[0].frames, 1);
    assert_string_equal(found[1].log, "bulk");
    assert_int_equal(found[1].frames, 2);
    assert_true(found[1].bytes > 0);
    assert_true(found[1].oldest_ns > 0 && found[1].oldest_ns <= clock_wall_ns(clock_system()));
    assert_int_equal(plan_orphans(k->plan, found, 1), 1);
}

static void they_are_adopted(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    open_without_old(k);
    assert_true(plan_adopt(k->plan, STR("old"), STR("heir"), wait, &frames, &e));
    assert_int_equal(frames, 3);
    assert_true(destination_wait(&k->destinations[1], 3));
    assert_int_equal(orphans_of(k, found), 0);
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_int_equal(k->destinations[1].got.len, 3);
    assert_got(k, 2, "");
}

static void not_by_who_does_not_take_them(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    open_without_old(k);
    assert_false(plan_adopt(k->plan, STR("old"), STR("deaf"), wait, &frames, &e));
    assert_non_null(strstr(e.message, "takes nothing of the bulk log"));
    assert_false(plan_adopt(k->plan, STR("old"), STR("nobody"), wait, &frames, &e));
    assert_false(plan_adopt(k->plan, STR("heir"), STR("deaf"), wait, &frames, &e));
    assert_int_equal(orphans_of(k, found), 2);
}

static void they_are_dropped(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    open_without_old(k);
    assert_true(plan_drop_orphan(k->plan, STR("old"), wait, &frames, &e));
    assert_int_equal(frames, 3);
    assert_int_equal(orphans_of(k, found), 0);
    assert_false(plan_drop_orphan(k->plan, STR("old"), wait, &frames, &e));
    assert_false(plan_drop_orphan(k->plan, STR("heir"), wait, &frames, &e));
    metrics_render(k->metrics, &text);
    assert_non_null(strstr(buf_text(&text),
                           "telex_exporter_dropped_total{exporter=\"old\",reason=\"orphan\"}"));
    buf_release(&text);
    /* Configured again, it begins anew. */
    struct plan_config before = chosen(k, 0, 1);
    destination_forget(&k->destinations[0]);
    assert_true(plan_change(k->plan, &before, &e));
    assert_true(plan_kit_samples(k, 9, 1));
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_got(k, 0, "9");
}

/* Whoever cannot wait for the count is not kept: what is behind counts as what was counted. */
static void a_drop_does_not_take_long(void **state)
{
    struct plan_kit *k = *state;
    struct plan_orphan found[4];
    struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    open_without_old(k);
    assert_true(plan_drop_orphan(k->plan, STR("old"), (struct wait){1, NULL}, &frames, &e));
    assert_int_equal(frames, 3);
    assert_int_equal(orphans_of(k, found), 0);
    metrics_render(k->metrics, &text);
    assert_non_null(strstr(buf_text(&text),
                           "telex_exporter_dropped_total{exporter=\"old\",reason=\"orphan\"} 3"));
    buf_release(&text);
}

/* ---- many frames ---- */

enum { MANY = 2500 };

/* "old" owes samples 0 to MANY - 1, a frame each. */
static void owe_many(struct plan_kit *k)
{
    struct plan_config before = chosen(k, 0, 1);
    const struct give how = {.wait = {DEADLINE_NEVER, NULL}};
    struct err e = ERR_INIT;

    destination_refuse(&k->destinations[0], VERDICT_RETRY);
    assert_true(plan_open(&k->env, &before, &k->plan, &e));
    for (int i = 0; i < MANY; i++) {
        uint64_t seq = 0;
        assert_true(plan_kit_give(k, sample_batch(i, 1), how, &seq));
    }
    assert_true(destination_wait_calls(&k->destinations[0], 1));
}

/* How many of them came to destinations 0 and 1, each counted once; *ret_all with copies. */
static size_t came(struct plan_kit *k, size_t *ret_all)
{
    bool *seen = mem_alloc0(MANY, sizeof(*seen));
    size_t distinct = 0;

    *ret_all = 0;
    for (size_t d = 0; d < 2; d++) {
        struct destination *to = &k->destinations[d];
        lock_take(&to->lock);
        for (size_t i = 0; i < to->got.len; i++) {
            size_t value = (size_t)to->got.items[i];
            distinct += value < MANY && !seen[value];
            seen[value] = true;
        }
        *ret_all += to->got.len;
        lock_give(&to->lock);
    }
    mem_free(seen);
    return distinct;
}

/* Each try goes on where the one before was when its time was over: nothing is given twice. */
static void an_adoption_goes_on_where_it_was(void **state)
{
    struct plan_kit *k = *state;
    struct plan_config after = chosen(k, 1, 2);
    struct err e = ERR_INIT;
    uint64_t frames = 0;
    size_t all = 0;
    int tries = 1;

    owe_many(k);
    assert_true(plan_change(k->plan, &after, &e));
    /* Ever longer, since nothing is got on with in no time at all. */
    for (int64_t us = 100;; us += us / 2, tries++) {
        struct wait wait = {clock_mono_ns(k->env.clock) + us * 1000, NULL};
        if (plan_adopt(k->plan, STR("old"), STR("heir"), wait, &frames, &e)) {
            break;
        }
        assert_true(us < INT64_C(60) * 1000 * 1000);
    }
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_int_equal(came(k, &all), MANY);
    assert_true(tries > 1);
    assert_int_equal(all, MANY);
}

struct adopter {
    struct plan_kit *kit;
    bool ok;
};

static void adopt(void *arg)
{
    struct adopter *a = arg;
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    a->ok = plan_adopt(a->kit->plan, STR("old"), STR("heir"), wait, &frames, &e);
}

/* A reload that brings it back while it is being adopted: one of both has it, whoever was first. */
static void a_reload_and_an_adoption_meet(void **state)
{
    struct plan_kit *k = *state;
    struct plan_config after = chosen(k, 1, 2);
    struct plan_config both = chosen(k, 0, 3);
    struct adopter adopter = {.kit = k};
    struct thread thread = {0};
    struct err e = ERR_INIT;
    size_t all = 0;

    owe_many(k);
    assert_true(plan_change(k->plan, &after, &e));
    destination_forget(&k->destinations[0]);
    assert_true(thread_start(&thread, "adopt", adopt, &adopter, &e));
    assert_true(plan_change(k->plan, &both, &e));
    thread_join(&thread);
    assert_int_equal(plan_kit_drain(k, DESTINATION_PATIENCE_MS), 0);
    assert_int_equal(came(k, &all), MANY);
    assert_int_equal(all, MANY);
}

static void alert_state_is_nobodys(void **state)
{
    struct plan_kit *k = *state;
    struct wait wait = {DEADLINE_NEVER, NULL};
    struct err e = ERR_INIT;
    uint64_t frames = 0;

    open_without_old(k);
    assert_false(plan_drop_orphan(k->plan, STR("(state)"), wait, &frames, &e));
}

/* ---- the sync policy ---- */

static double syncs(struct plan_kit *k)
{
    static const struct metric_desc desc = {
        .name = "telex_log_syncs_total", .type = METRIC_COUNTER, .labels = {"log"}};
    struct metric *m = metrics_get1(k->metrics, &desc, STR("bulk"));
    double value = metric_value(m);

    metric_drop(m);
    return value;
}

static void a_stricter_sync_takes_effect_at_the_change(void **state)
{
    struct plan_kit *k = *state;
    struct plan_config lax = chosen(k, 0, 1);
    struct plan_config strict = chosen(k, 0, 2);
    struct err e = ERR_INIT;

    k->outputs[0].buffer.fsync = FSYNC_NEVER;
    k->outputs[1].buffer.fsync = FSYNC_ALWAYS;
    assert_true(plan_open(&k->env, &lax, &k->plan, &e));
    assert_true(plan_kit_samples(k, 0, 1));
    double before = syncs(k);
    assert_true(plan_change(k->plan, &strict, &e));
    for (int i = 1; i <= 5; i++) {
        assert_true(plan_kit_samples(k, i, 1));
        assert_true(syncs(k) >= before + i);
    }
    assert_true(plan_change(k->plan, &lax, &e));
    before = syncs(k);
    assert_true(plan_kit_samples(k, 6, 1));
    assert_true(syncs(k) == before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(they_are_adopted, setup, teardown),
        cmocka_unit_test_setup_teardown(not_by_who_does_not_take_them, setup, teardown),
        cmocka_unit_test_setup_teardown(they_are_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_drop_does_not_take_long, setup, teardown),
        cmocka_unit_test_setup_teardown(an_adoption_goes_on_where_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reload_and_an_adoption_meet, setup, teardown),
        cmocka_unit_test_setup_teardown(alert_state_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stricter_sync_takes_effect_at_the_change, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
