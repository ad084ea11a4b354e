/* What a monitor measures, and what it passes over. */
#include "export/call_meter.h"
#include "export/exporters/exporters.h"
#include "export/stages/window.h"
#include "fake/stage_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define YAML "type: monitor\nexporter: x\n"

static const char *const two[] = {"a", "b", NULL};

static struct window_call call_of(int64_t ended_ms, double latency_ms, bool ok)
{
    return (struct window_call){ended_ms * NS_PER_MS, latency_ms, ok};
}

static void window_slides(void **state)
{
    (void)state;
    struct window w = {.added = 0};

    assert_true(window_sum(&w, 0).success_percent == 100);
    assert_true(window_sum(&w, 0).p95_ms == 0);
    for (int i = 1; i <= 100; i++) {
        window_add(&w, call_of(0, i, i > 10));
    }
    struct window_sum sum = window_sum(&w, NS_PER_S);
    assert_int_equal(sum.calls, 100);
    assert_true(sum.p50_ms == 50 && sum.p95_ms == 95 && sum.p99_ms == 99);
    assert_true(sum.success_percent == 90);
    window_add(&w, call_of(WINDOW_MS, 7, false));
    sum = window_sum(&w, WINDOW_MS * NS_PER_MS);
    assert_int_equal(sum.calls, 1);
    assert_true(sum.p50_ms == 7 && sum.p99_ms == 7 && sum.success_percent == 0);
    for (int i = 0; i < 2 * WINDOW_CALLS; i++) {
        window_add(&w, call_of(WINDOW_MS, 3, true));
    }
    sum = window_sum(&w, WINDOW_MS * NS_PER_MS);
    assert_int_equal(sum.calls, WINDOW_CALLS);
    assert_true(sum.p99_ms == 3 && sum.success_percent == 100);
}

#define ERROR(class) "telex_exporter_errors_total{exporter=\"out\",class=\"" class "\"}"
#define RATE "telex_exporter_success_rate_percent{exporter=\"out\"}"
#define CALLS "telex_exporter_call_seconds_count{exporter=\"out\"}"

static void each_error(void **state)
{
    (void)state;
    static const struct {
        struct destination_step step;
        const char *series; /* that is 1 */
        double rate;
    } rows[] = {
        {{.settled = SETTLED_ALL}, CALLS, 100},
        {{.rest = VERDICT_RETRY, .status = 503}, ERROR("5xx"), 0},
        {{.rest = VERDICT_REJECTED, .status = 400, .message = "bad"}, ERROR("4xx"), 0},
        {{.rest = VERDICT_HALT, .status = 401, .message = "who"}, ERROR("auth"), 0},
        {{.rest = VERDICT_RETRY, .message = "connection refused"}, ERROR("connection"), 0},
        {{.rest = VERDICT_RETRY, .message = "bad certificate"}, ERROR("tls"), 0},
        {{.settled = SETTLED_ALL, .except = {{1, VERDICT_REJECTED, "old"}}}, ERROR("rejected"), 0},
        {{.rest = VERDICT_RETRY}, ERROR("other"), 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        AUTO(batch_autounref) struct batch *b = stage_kit_samples(two);
        stage_kit_open(&k, YAML, NULL, 1);
        assert_true(stage_kit_metric(&k, RATE) == 100);
        destination_plan(&k.destinations[0], rows[i].step);
        (void)stage_kit_deliver(&k, view_all(b), &text);
        assert_true(stage_kit_metric(&k, rows[i].series) == 1);
        assert_true(stage_kit_metric(&k, RATE) == rows[i].rate);
        assert_int_equal(k.out.rest, rows[i].step.rest);
        stage_kit_close(&k);
    }
}

static void passed_over(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(two);
    struct cancel *cancel = cancel_new(NULL);

    stage_kit_open(&k, YAML, NULL, 1);
    destination_plan(&k.destinations[0],
                     (struct destination_step){.rest = VERDICT_RETRY, .held_back = true});
    (void)stage_kit_deliver(&k, view_all(b), &text);
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_UNKNOWN});
    cancel_fire(cancel);
    k.sink->ops->deliver(k.sink, view_all(b), (struct wait){DEADLINE_NEVER, cancel}, &k.out);
    assert_true(stage_kit_metric(&k, CALLS) == 0);
    cancel_free(cancel);
    stage_kit_close(&k);
}

/* An outage of which nothing is heard any more is forgotten at the next health check. */
static void forgets(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(two);
    struct err e = ERR_INIT;

    stage_kit_open(&k, YAML, NULL, 1);
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    (void)stage_kit_deliver(&k, view_all(b), &text);
    assert_true(stage_kit_metric(&k, RATE) == 0);
    fake_clock_advance_ms(&k.clock, WINDOW_MS);
    assert_int_equal(sink_probe(k.sink, (struct wait){DEADLINE_NEVER, NULL}, &e), PROBED_NOBODY);
    assert_true(stage_kit_metric(&k, RATE) == 100);
    stage_kit_close(&k);
}

static void not_tracked(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(two);

    stage_kit_open(&k,
                   YAML "track_export_latency: false\ntrack_export_size: false\n"
                        "monitor_config: { track_success_rate: false, track_error_types: false }\n",
                   NULL, 1);
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    (void)stage_kit_deliver(&k, view_all(b), &text);
    assert_true(stage_kit_metric(&k, CALLS) == -1);
    assert_true(stage_kit_metric(&k, RATE) == -1);
    assert_true(stage_kit_metric(&k, ERROR("other")) == -1);
    stage_kit_close(&k);
}

/* Another lane's sink of the same exporter, or that of a child. */
static struct sink *open_beside(struct stage_kit *k, struct call_meters *meters, bool is_apart)
{
    const struct exporter_place place = {
        .env = &k->env, .name = STR("out"), .meters = meters, .is_apart = is_apart};
    const struct fake_config fake = {.destination = &k->destinations[0]};
    const struct stage_config own = {
        .name = STR("stage"), .config = k->config.config, .child_count = 1};
    struct sink *child = NULL;
    struct sink *sink = NULL;
    struct err e = ERR_INIT;

    assert_true(fake_kind.open(&place, &fake, &child, &e));
    assert_true(exporter_monitor.stage->open(&place, &own, &child, &sink, &e));
    return sink;
}

/* The idle one of two lanes does not say that all is well, and a child has figures of its own. */
static void lanes_share_a_window(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(two);
    struct err e = ERR_INIT;
    struct outcome out;

    stage_kit_open(&k, YAML, NULL, 1);
    struct call_meters *meters = call_meters_new(&k.env);
    struct sink *const sinks[] = {open_beside(&k, meters, false), open_beside(&k, meters, false),
                                  open_beside(&k, meters, true)};
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_RETRY});
    outcome_init(&out);
    sinks[0]->ops->deliver(sinks[0], view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &out);
    outcome_release(&out);
    sinks[1]->ops->deliver(sinks[1], view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &out);
    assert_true(stage_kit_metric(&k, RATE) == 50);
    fake_clock_advance_ms(&k.clock, 1000);
    (void)sink_probe(sinks[1], (struct wait){DEADLINE_NEVER, NULL}, &e);
    assert_true(stage_kit_metric(&k, RATE) == 50);
    assert_true(stage_kit_metric(&k, "telex_exporter_success_rate_percent{exporter=\"stage\"}") ==
                100);
    sink_close(sinks[0]); /* the window outlives the lane that began it */
    (void)sink_probe(sinks[1], (struct wait){DEADLINE_NEVER, NULL}, &e);
    assert_true(stage_kit_metric(&k, RATE) == 50);
    outcome_release(&out);
    sink_close(sinks[1]);
    sink_close(sinks[2]);
    call_meters_free(meters);
    stage_kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_slides), cmocka_unit_test(each_error),
        cmocka_unit_test(passed_over),   cmocka_unit_test(forgets),
        cmocka_unit_test(not_tracked),   cmocka_unit_test(lanes_share_a_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
