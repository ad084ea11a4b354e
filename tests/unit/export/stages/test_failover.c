/* Who gets what when one in front fails; who is asked first the next time. */
#include "fake/stage_kit.h"

#include "export/combinator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define YAML "type: multi\nstrategy: failover\nexporters: [a, b, c]\n"

static const char *const four[] = {"a", "b", "c", "d", NULL};

static void open_kit(struct stage_kit *k)
{
    stage_kit_open(k, YAML, multi_stages[MULTI_FAILOVER], 3);
}

static const struct {
    const char *name;
    struct destination_step steps[3];
    const char *text;
    const char *tried[3];
    int64_t retry_after_ms;
} rows[] = {
    {"the first takes all",
     {{.settled = SETTLED_ALL}, {.settled = SETTLED_ALL}, {.settled = SETTLED_ALL}},
     "4 of 4",
     {"0 1 2 3", "", ""},
     0},
    {"the next gets what is left",
     {{.rest = VERDICT_RETRY, .settled = 1}, {.settled = SETTLED_ALL}, {0}},
     "4 of 4",
     {"0 1 2 3", "1 2 3", ""},
     0},
    {"single rows too",
     {{.settled = SETTLED_ALL, .except = {{2, VERDICT_RETRY, "busy"}}},
      {.settled = SETTLED_ALL},
      {0}},
     "4 of 4",
     {"0 1 2 3", "2", ""},
     0},
    {"what is rejected goes to nobody else",
     {{.rest = VERDICT_RETRY, .settled = 2, .except = {{1, VERDICT_REJECTED, "old"}}},
      {.settled = SETTLED_ALL},
      {0}},
     "4 of 4; 1 rejected: old",
     {"0 1 2 3", "2 3", ""},
     0},
    {"unknown and halt give way as well",
     {{.rest = VERDICT_UNKNOWN}, {.rest = VERDICT_HALT}, {.settled = SETTLED_ALL}},
     "4 of 4",
     {"0 1 2 3", "0 1 2 3", "0 1 2 3"},
     0},
    {"all rejected by the first",
     {{.rest = VERDICT_REJECTED, .message = "bad"}, {0}, {0}},
     "0 of 4, then rejected",
     {"0 1 2 3", "", ""},
     0},
    {"all fail: the smallest wait, retry before halt",
     {{.rest = VERDICT_HALT, .retry_after_ms = 9000},
      {.rest = VERDICT_RETRY, .settled = 1, .retry_after_ms = 5000},
      {.rest = VERDICT_RETRY, .retry_after_ms = 7000, .message = "down"}},
     "1 of 4, then retry",
     {"0 1 2 3", "0 1 2 3", "1 2 3"},
     5000},
    {"all halt",
     {{.rest = VERDICT_HALT}, {.rest = VERDICT_HALT}, {.rest = VERDICT_HALT}},
     "0 of 4, then halt",
     {"0 1 2 3", "0 1 2 3", "0 1 2 3"},
     0},
    {"a row in the middle stays owed",
     {{.settled = SETTLED_ALL, .except = {{1, VERDICT_RETRY, "busy"}}},
      {.rest = VERDICT_RETRY, .message = "down"},
      {.rest = VERDICT_RETRY, .message = "down too"}},
     "4 of 4; 1 retry: down too",
     {"0 1 2 3", "1", "1"},
     0},
};

static void each_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        AUTO(batch_autounref) struct batch *b = stage_kit_samples(four);
        print_message("%s\n", rows[i].name);
        open_kit(&k);
        for (size_t d = 0; d < 3; d++) {
            destination_plan(&k.destinations[d], rows[i].steps[d]);
        }
        assert_string_equal(stage_kit_deliver(&k, view_all(b), &text), rows[i].text);
        assert_int_equal(k.out.retry_after_ms, rows[i].retry_after_ms);
        for (size_t d = 0; d < 3; d++) {
            assert_true(stage_kit_saw(&k, d, rows[i].tried[d], NULL));
        }
        stage_kit_close(&k);
    }
}

static void go(struct stage_kit *k, struct batch *b, const char *expected)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    assert_string_equal(stage_kit_deliver(k, view_slice(view_all(b), 0, 1), &text), expected);
}

/* The one that took over stays; the first is asked again after a minute. */
static void sticky(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(four);

    open_kit(&k);
    destination_plan(&k.destinations[0],
                     (struct destination_step){.rest = VERDICT_RETRY, .times = 2});
    go(&k, b, "1 of 1");
    go(&k, b, "1 of 1");
    assert_true(stage_kit_saw(&k, 0, "0", ""));
    assert_true(stage_kit_saw(&k, 1, "0|0", "0 0"));
    assert_true(stage_kit_metric(&k, "telex_exporter_child_active{exporter=\"out\",child=\"b\"}") ==
                1);
    fake_clock_advance_ms(&k.clock, 60 * 1000);
    go(&k, b, "1 of 1"); /* still down: the current one has it at once */
    assert_true(stage_kit_saw(&k, 0, "0|0", ""));
    assert_true(stage_kit_saw(&k, 1, NULL, "0 0 0"));
    fake_clock_advance_ms(&k.clock, 59 * 1000);
    go(&k, b, "1 of 1");
    assert_true(stage_kit_saw(&k, 0, "0|0", ""));
    fake_clock_advance_ms(&k.clock, 1000);
    go(&k, b, "1 of 1");
    assert_true(stage_kit_saw(&k, 0, "0|0|0", "0"));
    go(&k, b, "1 of 1");
    assert_true(stage_kit_saw(&k, 0, NULL, "0 0"));
    assert_true(stage_kit_saw(&k, 1, NULL, "0 0 0 0"));
    assert_true(stage_kit_metric(&k, "telex_exporter_child_active{exporter=\"out\",child=\"a\"}") ==
                1);
    assert_true(
        stage_kit_metric(
            &k,
            "telex_exporter_child_calls_total{exporter=\"out\",child=\"a\",result=\"retry\"}") ==
        2);
    stage_kit_close(&k);
}

/* Over its own rate limit is no failure, and a stop is none either. */
static void no_failures(void **state)
{
    (void)state;
    struct stage_kit k;
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(four);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct cancel *cancel = cancel_new(NULL);

    open_kit(&k);
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_RETRY,
                                                                   .settled = 1,
                                                                   .held_back = true,
                                                                   .retry_after_ms = 10});
    assert_string_equal(stage_kit_deliver(&k, view_all(b), &text), "1 of 4, then retry");
    assert_true(k.out.held_back);
    assert_int_equal(k.out.retry_after_ms, 10);
    destination_plan(&k.destinations[0], (struct destination_step){.rest = VERDICT_UNKNOWN});
    cancel_fire(cancel);
    outcome_release(&k.out);
    k.sink->ops->deliver(k.sink, view_all(b), (struct wait){DEADLINE_NEVER, cancel}, &k.out);
    assert_int_equal(k.out.rest, VERDICT_UNKNOWN);
    assert_true(stage_kit_saw(&k, 1, "", ""));
    cancel_free(cancel);
    stage_kit_close(&k);
}

/* ---- is it there? ---- */

static const struct {
    enum probed children[3];
    enum probed want;
} probes[] = {
    {{PROBED_FAILED, PROBED_THERE, PROBED_NOBODY}, PROBED_THERE},
    {{PROBED_FAILED, PROBED_FAILED, PROBED_FAILED}, PROBED_FAILED},
    {{PROBED_FAILED, PROBED_NOBODY, PROBED_FAILED}, PROBED_NOBODY},
    {{PROBED_NOBODY, PROBED_NOBODY, PROBED_NOBODY}, PROBED_NOBODY},
    {{PROBED_NOBODY, PROBED_THERE, PROBED_FAILED}, PROBED_THERE},
};

static void a_probe_asks_the_children(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
        struct stage_kit k;
        struct err e = ERR_INIT;

        open_kit(&k);
        for (size_t c = 0; c < 3; c++) {
            destination_set_probed(&k.destinations[c], probes[i].children[c]);
        }
        assert_int_equal(sink_probe(k.sink, (struct wait){DEADLINE_NEVER, NULL}, &e),
                         probes[i].want);
        stage_kit_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_probe_asks_the_children),
        cmocka_unit_test(each_outcome),
        cmocka_unit_test(sticky),
        cmocka_unit_test(no_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
