/* What a monitor measures, and what it passes over. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_slides), cmocka_unit_test(each_error),
        cmocka_unit_test(passed_over),   cmocka_unit_test(forgets),
        cmocka_unit_test(not_tracked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
