/* Which records a sample lets through: always the same ones, as many as the rate says. */
#include "fake/stage_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SERIES = 60 };

/* How many of 60 series got through; whether a second delivery chose the same. */
static size_t through(const char *yaml)
{
    struct stage_kit k;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    char names[SERIES][16];
    const char *series[SERIES + 1] = {0};

    for (size_t i = 0; i < SERIES; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "up,i=%zu", i);
        series[i] = names[i];
    }
    stage_kit_open(&k, yaml, NULL, 1);
    AUTO(batch_autounref) struct batch *b = stage_kit_samples(series);
    assert_string_equal(stage_kit_deliver(&k, view_all(b), &text), "60 of 60");
    char *first = destination_got(&k.destinations[0]);
    size_t got = k.destinations[0].got.len;
    destination_forget(&k.destinations[0]);
    (void)stage_kit_deliver(&k, view_all(b), &text);
    assert_true(stage_kit_saw(&k, 0, NULL, first));
    assert_int_equal((size_t)stage_kit_metric(
                         &k, "telex_exporter_filtered_total{exporter=\"out\",reason=\"sample\"}"),
                     2 * (SERIES - got));
    mem_free(first);
    stage_kit_close(&k);
    return got;
}

static void as_many_as_the_rate_says(void **state)
{
    (void)state;
    assert_int_equal(through("type: sample\nsample_rate: 1\nexporter: x"), SERIES);
    assert_int_equal(through("type: sample\nsample_rate: 0\nexporter: x"), 0);
    assert_in_range(through("type: sample\nrate: 0.5\nexporter: x"), 20, 40);
    assert_in_range(through("type: sample\ntrace_sample_rate: 0.1\nexporter: x"), 1, 14);
    assert_in_range(through("type: sample\nrate: 0.5\nby: record\nexporter: x"), 20, 40);
}

/* Rows of one series share their fate, or do not. */
static void by_series_or_record(void **state)
{
    (void)state;
    const char *const one = "up,job=a";
    const char *series[SERIES + 1] = {0};
    static const char *const yamls[] = {"type: sample\nrate: 0.5\nexporter: x",
                                        "type: sample\nrate: 0.5\nby: record\nexporter: x"};
    size_t got[2];

    for (size_t i = 0; i < SERIES; i++) {
        series[i] = one;
    }
    for (size_t i = 0; i < 2; i++) {
        struct stage_kit k;
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        stage_kit_open(&k, yamls[i], NULL, 1);
        AUTO(batch_autounref) struct batch *b = stage_kit_samples(series);
        (void)stage_kit_deliver(&k, view_all(b), &text);
        got[i] = k.destinations[0].got.len;
        stage_kit_close(&k);
    }
    assert_true(got[0] == 0 || got[0] == SERIES);
    assert_in_range(got[1], 15, 45);
}

static void alerts(void **state)
{
    (void)state;
    struct stage_kit k;
    const struct batch_info info = {.kind = RECORD_ALERT};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    stage_kit_open(&k, "type: sample\nrate: 0\nexporter: x", NULL, 1);
    AUTO(batch_autounref) struct batch *b = kit_alerts(&info);
    assert_string_equal(stage_kit_deliver(&k, view_all(b), &text), "3 of 3");
    assert_true(stage_kit_saw(&k, 0, "", ""));
    stage_kit_close(&k);
}

static void refused(void **state)
{
    (void)state;
    static const char *const yamls[] = {"type: sample\nexporter: x",
                                        "type: sample\nrate: 1.5\nexporter: x",
                                        "type: sample\nrate: 0.5"};
    for (size_t i = 0; i < ARRAY_LEN(yamls); i++) {
        struct export_kit k;
        assert_false(export_kit_start(&k, yamls[i]));
        export_kit_stop(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_the_rate_says),
        cmocka_unit_test(by_series_or_record),
        cmocka_unit_test(alerts),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
