/* Rules about our own exporters: which there are, and that they load. */
#include "app/self_rules.h"

#include "export/combinator.h"
#include "export/exporters/exporters.h"
#include "export/stage.h"
#include "rules/rule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ALL_TRACKS             \
    {                          \
        true, true, true, true \
    }

static const struct stage_config leaf = {.kind = &exporter_file};
static const struct stage_config *const leaves[] = {&leaf};

static struct monitor_config monitor(void)
{
    return (struct monitor_config){.beside = ALL_TRACKS,
                                   .nested = ALL_TRACKS,
                                   .thresholds = {.export_latency_p95_ms = 1000,
                                                  .success_rate_percent = 99.5,
                                                  .queue_depth = 7}};
}

static struct rule_set *load(const struct plan_config *plan)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    const struct rule_options options = {.interval_ns = NS_PER_S};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    self_rules_write(plan, &text);
    if (!rule_set_parse(STR("built-in"), buf_str(&text), &options, NULL, &set, &e)) {
        fail_msg("%s\n%s", e.message, buf_text(&text));
    }
    return set;
}

static void a_group_per_monitored_consumer(void **state)
{
    (void)state;
    const struct monitor_config config = monitor();
    const struct stage_config inner = {
        .kind = &exporter_monitor, .config = &config, .children = leaves, .child_count = 1};
    const struct stage_config *const inners[] = {&inner};
    const struct stage_config outer = {
        .kind = &exporter_relabel, .children = inners, .child_count = 1};
    struct output_config outputs[] = {{.name = STR("plain"), .delivery.stage = &leaf},
                                      {.name = STR("both/vm"), .delivery.stage = &outer}};
    const struct plan_config plan = {.outputs = outputs, .output_count = 2};
    struct rule_set *set = load(&plan);

    assert_int_equal(set->group_count, 1);
    const struct rule_group *g = &set->groups[0];
    assert_int_equal(g->source, RULE_SOURCE_SELF);
    assert_int_equal(g->rule_count, 3);
    assert_true(
        str_eq(g->rules[2].expr, STR("telex_exporter_pending_frames{exporter=\"both/vm\"} > 7")));
    assert_true(str_eq(g->rules[0].expr, STR("telex_exporter_call_latency_ms{exporter=\"both/vm\","
                                             "quantile=\"0.95\"} > 1000")));
    assert_true(str_eq(g->rules[1].expr,
                       STR("telex_exporter_success_rate_percent{exporter=\"both/vm\"} < 99.5")));
    rule_set_unref(set);
}

/* Monitors around two children of one consumer: rules of their own, and the queue is the consumer's. */
static void a_group_per_monitored_child(void **state)
{
    (void)state;
    const struct monitor_config config = monitor();
    const struct stage_config children[] = {{.kind = &exporter_monitor,
                                             .name = STR("either/a"),
                                             .config = &config,
                                             .children = leaves,
                                             .child_count = 1},
                                            {.kind = &exporter_monitor,
                                             .name = STR("either/b"),
                                             .config = &config,
                                             .children = leaves,
                                             .child_count = 1}};
    const struct stage_config *const both[] = {&children[0], &children[1]};
    const struct stage_config either = {
        .kind = multi_stages[MULTI_FAILOVER], .children = both, .child_count = 2};
    struct output_config outputs[] = {{.name = STR("either"), .delivery.stage = &either}};
    const struct plan_config plan = {.outputs = outputs, .output_count = 1};
    struct rule_set *set = load(&plan);

    assert_int_equal(set->group_count, 2);
    const struct rule_group *g = &set->groups[1];
    assert_int_equal(g->rule_count, 3);
    assert_true(str_eq(g->rules[1].expr,
                       STR("telex_exporter_success_rate_percent{exporter=\"either/b\"} < 99.5")));
    assert_true(
        str_eq(g->rules[2].expr, STR("telex_exporter_pending_frames{exporter=\"either\"} > 7")));
    rule_set_unref(set);
}

static void what_is_not_tracked_has_no_rule(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct monitor_config config = monitor();
    const struct stage_config stage = {
        .kind = &exporter_monitor, .config = &config, .children = leaves, .child_count = 1};
    struct output_config outputs[] = {{.name = STR("vm"), .delivery.stage = &stage}};
    const struct plan_config plan = {.outputs = outputs, .output_count = 1};

    config.nested.export_latency = false;
    struct rule_set *set = load(&plan);
    assert_int_equal(set->rule_count, 2);
    rule_set_unref(set);
    config.beside.success_rate = false;
    set = load(&plan);
    assert_int_equal(set->rule_count, 1);
    rule_set_unref(set);
    const struct plan_config none = {.output_count = 0};
    self_rules_write(&none, &text);
    assert_int_equal(text.len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_per_monitored_consumer),
        cmocka_unit_test(a_group_per_monitored_child),
        cmocka_unit_test(what_is_not_tracked_has_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
