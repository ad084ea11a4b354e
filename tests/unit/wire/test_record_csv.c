/* Records as CSV: columns from the labels of all rows, quoting, export rows over the alert's labels. */
#include "wire/record_csv.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct labels *make_labels(const char *const *pairs)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (size_t i = 0; pairs[i] != NULL; i += 2) {
        labels_builder_set(&b, str_of(pairs[i]), str_of(pairs[i + 1]));
    }
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static void samples_share_columns(void **state)
{
    static const char *const first[] = {"__name__", "cpu", "zone", "a,b", NULL};
    static const char *const second[] = {"__name__", "cpu", "instance", "say \"hi\"\n", NULL};
    struct labels *series[] = {make_labels(first), make_labels(second)};
    const uint32_t series_of[] = {0, 1, 1};
    const int64_t time_ns[] = {0, NS_PER_S, 2 * NS_PER_S};
    const double value[] = {1.5, -2, number_stale_nan()};
    const struct samples s = {.series = series,
                              .series_count = 2,
                              .count = 3,
                              .series_of = series_of,
                              .time_ns = time_ns,
                              .value = value};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    AUTO(record_csv_release) struct record_csv csv;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    record_csv_init(&csv, &info);
    record_csv_look_at(&csv, series[0]);
    record_csv_look_at(&csv, series[1]);
    record_csv_look_at(&csv, series[0]);
    record_csv_head(&csv, &out);
    assert_true(record_csv_sample(&csv, &s, 0, &out));
    assert_true(record_csv_sample(&csv, &s, 1, &out));
    assert_false(record_csv_sample(&csv, &s, 2, &out));
    assert_string_equal(buf_text(&out), "timestamp,name,value,state,threshold,instance,zone\r\n"
                                        "1970-01-01T00:00:00Z,cpu,1.5,,,,\"a,b\"\r\n"
                                        "1970-01-01T00:00:01Z,cpu,-2,,,\"say \"\"hi\"\"\n\",\r\n");
    labels_unref(series[0]);
    labels_unref(series[1]);
}

static void alerts_have_state_and_threshold(void **state)
{
    static const char *const own[] = {"alertname", "Hot", "job", "node", NULL};
    static const char *const row[] = {"instance", "i1", "job", "other", NULL};
    struct labels *labels = make_labels(own);
    struct alert_export exports[] = {{.labels = make_labels(row), .value = 7, .time_ns = NS_PER_S}};
    const struct alert plain = {
        .labels = labels, .to = ALERT_RESOLVED, .value = 85.5, .time_ns = NS_PER_S};
    const struct alert pushed = {
        .labels = labels, .to = ALERT_ALERTING, .value = number_stale_nan(), .time_ns = NS_PER_S};
    const struct alert with_rows = {.labels = labels,
                                    .to = ALERT_ALERTING,
                                    .value = 85.5,
                                    .exports = exports,
                                    .export_count = 1};
    const struct batch_info info = {
        .kind = RECORD_ALERT, .measurement = STR("cpu"), .has_threshold = true, .threshold = 80};
    AUTO(record_csv_release) struct record_csv csv;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    record_csv_init(&csv, &info);
    record_csv_look_at_alert(&csv, &plain);
    record_csv_look_at_alert(&csv, &with_rows);
    record_csv_head(&csv, &out);
    record_csv_alert(&csv, &plain, &out);
    record_csv_alert(&csv, &with_rows, &out);
    record_csv_alert(&csv, &pushed, &out);
    assert_string_equal(buf_text(&out),
                        "timestamp,name,value,state,threshold,alertname,instance,job\r\n"
                        "1970-01-01T00:00:01Z,cpu,85.5,resolved,80,Hot,,node\r\n"
                        "1970-01-01T00:00:01Z,cpu,7,firing,80,Hot,i1,other\r\n"
                        "1970-01-01T00:00:01Z,cpu,,firing,80,Hot,,node\r\n");
    labels_unref(labels);
    labels_unref(exports[0].labels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_share_columns),
        cmocka_unit_test(alerts_have_state_and_threshold),
    };

    return cmocka_run_group_tests_name("wire/record_csv", tests, NULL, NULL);
}
