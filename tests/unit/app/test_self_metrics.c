/* Which metrics go where when, as samples. */
#include "app/self_metrics.h"

#include "fake/plan_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct metric_desc desc = {
    .name = "m", .help = "h", .type = METRIC_GAUGE, .labels = {"exporter"}};

static const struct self_metrics_config readings[] = {{STR_INIT("either/vm"), 2}};

static void about_its_exporter_to_its_target(void **state)
{
    (void)state;
    static const struct {
        const char *exporter;
        double value;
    } rows[] = {{"either/vm", 1}, {"either", 2}, {"either/vm/a", 3}, {"either/vmx", 4}, {"e", 5}};
    struct plan_kit *k = mem_new(struct plan_kit);
    struct metric *made[ARRAY_LEN(rows)];

    plan_kit_start(k);
    plan_kit_output(k, "first", &fake_kind, 0);
    plan_kit_output(k, "second", &fake_kind_samples, 1);
    plan_kit_open(k);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        made[i] = metrics_get1(k->metrics, &desc, str_of(rows[i].exporter));
        metric_set(made[i], rows[i].value);
    }
    struct plan_config config = k->config;
    config.self_metrics = readings;
    config.self_metrics_count = 1;
    struct self_metrics *s = self_metrics_new(&k->env, k->plan, &config);
    assert_int_equal(self_metrics_count(s), 1);
    struct job job = self_metrics_job(s, 0);
    assert_int_equal(job.next_slot(job.arg, 60 * NS_PER_S), 60 * NS_PER_S);
    assert_int_equal(job.next_slot(job.arg, 60 * NS_PER_S + 1), 120 * NS_PER_S);
    job.run(job.arg, 60 * NS_PER_S, (struct wait){DEADLINE_NEVER, NULL});
    assert_true(destination_wait(&k->destinations[1], 3));
    char *got = destination_got(&k->destinations[1]);
    assert_string_equal(got, "2 1 3");
    mem_free(got);
    self_metrics_free(s);
    assert_int_equal(k->destinations[0].calls, 0);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        metric_drop(made[i]);
    }
    plan_kit_stop(k);
    mem_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(about_its_exporter_to_its_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
