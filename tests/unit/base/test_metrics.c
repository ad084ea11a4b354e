#include "base/metrics.h"

#include "base/attr.h"
#include "base/mem.h"
#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct metric_desc sent = {.name = "telex_sent_total",
                                        .help = "Records sent.\nBy \"exporter\" \\ result.",
                                        .type = METRIC_COUNTER,
                                        .labels = {"exporter", "result"}};
static const struct metric_desc busy = {
    .name = "telex_busy_seconds_total", .help = "Time spent.", .type = METRIC_COUNTER};
static const struct metric_desc depth = {
    .name = "telex_depth", .help = "Depth.", .type = METRIC_GAUGE, .labels = {"queue"}};
static const double bounds[] = {0.1, 1};
static const struct metric_desc took = {.name = "telex_took_seconds",
                                        .help = "Took.",
                                        .type = METRIC_HISTOGRAM,
                                        .labels = {"what"},
                                        .buckets = bounds,
                                        .bucket_count = 2};

static void expect(struct metrics *m, const char *want)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    metrics_render(m, &out);
    assert_string_equal(buf_text(&out), want);
}

static void counters_are_sorted_and_escaped(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric *b = metrics_get2(m, &sent, STR("b"), STR("o\"k\\\n"));
    struct metric *a = metrics_get2(m, &sent, STR("a"), STR("ok"));
    struct metric *again = metrics_get2(m, &sent, STR("a"), STR("ok"));
    struct metric *seconds = metrics_get0(m, &busy);

    assert_ptr_equal(a, again);
    metric_add(a, 2);
    metric_add(again, 3);
    metric_add(b, 1);
    metric_add_seconds(seconds, 1500000000);
    metric_add_seconds(seconds, -7);
    assert_true(metric_value(a) == 5);
    expect(m, "# HELP telex_busy_seconds_total Time spent.\n"
              "# TYPE telex_busy_seconds_total counter\n"
              "telex_busy_seconds_total 1.5\n"
              "# HELP telex_sent_total Records sent.\\nBy \"exporter\" \\\\ result.\n"
              "# TYPE telex_sent_total counter\n"
              "telex_sent_total{exporter=\"a\",result=\"ok\"} 5\n"
              "telex_sent_total{exporter=\"b\",result=\"o\\\"k\\\\\\n\"} 1\n");
    metric_drop(again);
    metric_drop(b);
    metric_drop(seconds);
    expect(m, "# HELP telex_sent_total Records sent.\\nBy \"exporter\" \\\\ result.\n"
              "# TYPE telex_sent_total counter\n"
              "telex_sent_total{exporter=\"a\",result=\"ok\"} 5\n");
    metric_drop(a);
    metric_drop(NULL);
    expect(m, "");
    metrics_free(m);
    metrics_free(NULL);
}

static void label_values_cannot_be_confused(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric *x = metrics_get2(m, &sent, STR("ab"), STR("c"));
    struct metric *y = metrics_get2(m, &sent, STR("a"), STR("bc"));
    struct metric *z = metrics_get2(m, &sent, STR_NONE, STR(""));

    assert_ptr_not_equal(x, y);
    metric_drop(x);
    metric_drop(y);
    metric_drop(z);
    metrics_free(m);
}

static void gauges_set_and_shift(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric *g = metrics_get1(m, &depth, STR("q"));

    metric_set(g, 2.5);
    metric_shift(g, -4);
    assert_true(metric_value(g) == -1.5);
    expect(m,
           "# HELP telex_depth Depth.\n# TYPE telex_depth gauge\ntelex_depth{queue=\"q\"} -1.5\n");
    metrics_free(m); /* frees children that nobody gave back */
}

static void histogram_buckets_add_up(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    struct metric *h = metrics_get1(m, &took, STR("x"));

    metric_observe(h, 0.1); /* a bound belongs to its bucket */
    metric_observe(h, 0.5);
    metric_observe(h, 7);
    expect(m, "# HELP telex_took_seconds Took.\n# TYPE telex_took_seconds histogram\n"
              "telex_took_seconds_bucket{what=\"x\",le=\"0.1\"} 1\n"
              "telex_took_seconds_bucket{what=\"x\",le=\"1\"} 2\n"
              "telex_took_seconds_bucket{what=\"x\",le=\"+Inf\"} 3\n"
              "telex_took_seconds_sum{what=\"x\"} 7.6\n"
              "telex_took_seconds_count{what=\"x\"} 3\n");
    metric_drop(h);
    metrics_free(m);
}

static double read_number(void *arg)
{
    return *(const double *)arg;
}

static void newest_watch_wins(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    double one = 1;
    double two = 2;
    double three = 3;
    const struct str q[] = {STR_INIT("q")};
    struct metric *first = metrics_watch(m, &depth, q, read_number, &one);
    struct metric *second = metrics_watch(m, &depth, q, read_number, &two);
    struct metric *third = metrics_watch(m, &depth, q, read_number, &three);
    const char *head =
        "# HELP telex_depth Depth.\n# TYPE telex_depth gauge\ntelex_depth{queue=\"q\"} ";
    char want[256];

    (void)snprintf(want, sizeof(want), "%s3\n", head);
    expect(m, want);
    metric_drop(second);
    expect(m, want);
    metric_drop(third);
    (void)snprintf(want, sizeof(want), "%s1\n", head);
    expect(m, want);
    metric_drop(first);
    expect(m, "");
    metrics_free(m);
}

static void sum_up(void *arg, const struct metrics_sample *s)
{
    if (s->label_count == 2 && str_eq(s->label_values[0], STR("overflow"))) {
        *(double *)arg += s->value * 1e6;
    }
    *(double *)arg += s->value;
}

static void cardinality_is_bounded(void **state)
{
    (void)state;
    struct metrics *m = metrics_new();
    double sum = 0;
    char name[32];

    for (int i = 0; i < METRIC_CHILDREN_MAX + 5; i++) {
        (void)snprintf(name, sizeof(name), "%d", i);
        metric_add(metrics_get2(m, &sent, str_of(name), STR("ok")), 1);
    }
    metrics_walk(m, sum_up, &sum);
    assert_true(sum == METRIC_CHILDREN_MAX + 5 + 5e6);
    metrics_free(m);
}

struct shared {
    struct metrics *m;
    struct metric *counter;
};

static void count_a_lot(void *arg)
{
    const struct shared *s = arg;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    for (int i = 0; i < 2000; i++) {
        struct metric *own = metrics_get2(s->m, &sent, STR("x"), i % 2 ? STR("a") : STR("b"));
        metric_add(own, 1);
        metric_add(s->counter, 1);
        metric_drop(own);
    }
    metrics_render(s->m, &out);
}

static void threads_count_together(void **state)
{
    (void)state;
    struct shared s = {.m = metrics_new()};
    struct thread threads[4] = {0};
    struct err e = ERR_INIT;

    s.counter = metrics_get0(s.m, &busy);
    for (size_t i = 0; i < 4; i++) {
        assert_true(thread_start(&threads[i], "count", count_a_lot, &s, &e));
    }
    for (size_t i = 0; i < 4; i++) {
        thread_join(&threads[i]);
    }
    assert_true(metric_value(s.counter) == 8000);
    metrics_free(s.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_are_sorted_and_escaped),
        cmocka_unit_test(label_values_cannot_be_confused),
        cmocka_unit_test(gauges_set_and_shift),
        cmocka_unit_test(histogram_buckets_add_up),
        cmocka_unit_test(newest_watch_wins),
        cmocka_unit_test(cardinality_is_bounded),
        cmocka_unit_test(threads_count_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
