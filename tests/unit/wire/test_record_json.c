#include "wire/record_json.h"

#include "base/number.h"
#include "wire/alertmanager_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct labels *make_set(const char *const *p)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (; p[0] != NULL; p += 2) {
        labels_builder_push(&b, str_of(p[0]), str_of(p[1]));
    }
    assert_true(labels_build(&b, &l, &e));
    return l;
}

enum { NOON = 1705314600 };
#define NS ((int64_t)1000000000)

/* The id of an edge holds the hash of its labels. */
static void assert_json(struct buf *out, const struct alert *a, const char *before_id,
                        const char *after_id)
{
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
    buf_add_text(&want, before_id);
    buf_addf(&want, ",\"kind\":\"alert\",\"id\":\"%.*s:%016llx:%lld:%s\"", STR_FMT(a->rule_id),
             (unsigned long long)a->labels->hash, (long long)a->episode_ns,
             alert_state_name(a->to));
    buf_add_text(&want, after_id);
    assert_string_equal(buf_text(out), buf_text(&want));
}

/* The example of the export format, field for field. */
static void test_alert_as_services_know_it(void **state)
{
    (void)state;
    AUTO(labels_autounref)
    struct labels *labels = make_set((const char *const[]){
        "alertname", "HighCPUUsage", "instance", "server-01", "severity", "warning", "service",
        "node_exporter", "export_to_datastore", "true", NULL});
    const struct label notes[] = {
        {STR_INIT("summary"), STR_INIT("High CPU usage detected on server-01")},
        {STR_INIT("export_database"), STR_INIT("alerts_db")},
        {STR_INIT("export_measurement"), STR_INIT("cpu_alerts")}};
    const struct batch_info info = {.kind = RECORD_ALERT,
                                    .rule = STR("HighCPUUsage"),
                                    .group = STR("cpu"),
                                    .has_threshold = true,
                                    .threshold = 80};
    const struct alert a = {.rule_id = STR("01ab"),
                            .labels = labels,
                            .annotations = notes,
                            .annotation_count = 3,
                            .from = ALERT_PENDING,
                            .to = ALERT_ALERTING,
                            .episode_ns = (NOON - 120) * NS,
                            .time_ns = NOON * NS,
                            .active_at_ns = (NOON - 120) * NS,
                            .fired_at_ns = NOON * NS,
                            .value = 85.4};
    AUTO(record_json_release) struct record_json r;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    record_json_init(&r, &info);
    assert_int_equal(record_json_objects(&a), 1);
    record_json_alert(&r, &a, 0, &out);
    assert_json(
        &out, &a,
        "{\"timestamp\":\"2024-01-15T10:30:00Z\",\"alert_name\":\"HighCPUUsage\","
        "\"instance\":\"server-01\",\"value\":85.4,\"threshold\":80,\"severity\":\"warning\","
        "\"labels\":{\"alertname\":\"HighCPUUsage\",\"export_to_datastore\":\"true\","
        "\"instance\":\"server-01\",\"service\":\"node_exporter\",\"severity\":\"warning\"},"
        "\"annotations\":{\"summary\":\"High CPU usage detected on server-01\","
        "\"export_database\":\"alerts_db\",\"export_measurement\":\"cpu_alerts\"}",
        ",\"state\":\"firing\",\"rule\":\"HighCPUUsage\",\"group\":\"cpu\","
        "\"starts_at\":\"2024-01-15T10:30:00Z\",\"ends_at\":null}");
}

static void test_alert_without_much(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("R")};
    const struct alert a = {.rule_id = STR("id"),
                            .labels = labels_empty(),
                            .to = ALERT_RESOLVED,
                            .time_ns = NOON * NS,
                            .active_at_ns = NOON * NS,
                            .resolved_at_ns = NOON * NS + 500000000,
                            .value = (double)NAN};
    AUTO(record_json_release) struct record_json r;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    record_json_init(&r, &info);
    record_json_alert(&r, &a, 0, &out);
    assert_json(&out, &a,
                "{\"timestamp\":\"2024-01-15T10:30:00Z\",\"alert_name\":\"R\",\"instance\":null,"
                "\"value\":\"NaN\",\"threshold\":null,\"severity\":null,\"labels\":{},"
                "\"annotations\":{}",
                ",\"state\":\"resolved\",\"rule\":\"R\",\"group\":\"\","
                "\"starts_at\":\"2024-01-15T10:30:00Z\",\"ends_at\":\"2024-01-15T10:30:00.5Z\"}");
}

/* An alert that was pushed without a value is not one whose value is no number. */
static void test_alert_without_a_value(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("R")};
    const struct alert a = {.rule_id = STR("id"),
                            .labels = labels_empty(),
                            .to = ALERT_ALERTING,
                            .time_ns = NOON * NS,
                            .value = number_stale_nan()};
    AUTO(record_json_release) struct record_json r;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    record_json_init(&r, &info);
    record_json_alert(&r, &a, 0, &out);
    assert_non_null(strstr(buf_text(&out), ",\"value\":null,"));
}

static void test_one_object_per_exported_row(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("R"), .group = STR("G")};
    AUTO(labels_autounref)
    struct labels *x = make_set((const char *const[]){"__name__", "cpu", "instance", "a", NULL});
    const struct alert_export exports[] = {{x, NOON * NS, 1}, {labels_empty(), NOON * NS + 1, 2}};
    const struct alert a = {.rule_id = STR("id"),
                            .labels = labels_empty(),
                            .to = ALERT_ALERTING,
                            .value = 9,
                            .exports = exports,
                            .export_count = 2};
    AUTO(record_json_release) struct record_json r;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    const char *const rest =
        ",\"threshold\":null,\"severity\":null,\"labels\":{},\"annotations\":{}";

    record_json_init(&r, &info);
    assert_int_equal(record_json_objects(&a), 2);
    for (uint32_t i = 0; i < 2; i++) {
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
        buf_clear(&out);
        record_json_alert(&r, &a, i, &out);
        buf_addf(&want,
                 "{\"timestamp\":\"2024-01-15T10:30:00%sZ\",\"alert_name\":\"R\",\"instance\":null,"
                 "\"value\":%u%s",
                 i ? ".000000001" : "", i + 1, rest);
        assert_json(
            &out, &a, buf_text(&want),
            i ? ",\"state\":\"firing\",\"rule\":\"R\",\"group\":\"G\",\"starts_at\":null,"
                "\"ends_at\":null,\"query_labels\":{}}"
              : ",\"state\":\"firing\",\"rule\":\"R\",\"group\":\"G\",\"starts_at\":null,"
                "\"ends_at\":null,\"query_labels\":{\"__name__\":\"cpu\",\"instance\":\"a\"}}");
    }
}

static void test_samples(void **state)
{
    (void)state;
    struct labels *set =
        make_set((const char *const[]){"__name__", "cpu", "a", "x\"y", "z", "\xff", NULL});
    const uint32_t series_of[4] = {0};
    const int64_t times[4] = {NOON * NS, NOON * NS, NOON * NS, NOON * NS};
    const double values[4] = {0.1, (double)-INFINITY, number_stale_nan(), 1e21};
    const struct samples s = {&set, 1, 4, series_of, times, values, NULL};
    const struct label notes[] = {{STR_INIT("metric_type"), STR_INIT("cpu_usage")}};
    const struct batch_info full = {.rule = STR("cpu"),
                                    .group = STR("G"),
                                    .measurement = STR("m"),
                                    .database = STR("d"),
                                    .annotations = notes,
                                    .annotation_count = 1};
    const struct batch_info bare = {.kind = RECORD_SAMPLE};
    static const char *const shown[4] = {"0.1", "\"-Inf\"", NULL, "1e+21"};
    for (int is_full = 0; is_full < 2; is_full++) {
        AUTO(record_json_release) struct record_json r;
        record_json_init(&r, is_full ? &full : &bare);
        for (uint32_t i = 0; i < 4; i++) {
            AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
            AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
            assert_int_equal(record_json_sample(&r, &s, i, &out), shown[i] != NULL);
            if (shown[i] != NULL) {
                buf_addf(
                    &want,
                    "{\"kind\":\"sample\",\"timestamp\":\"2024-01-15T10:30:00Z\",\"name\":\"cpu\","
                    "\"labels\":{\"a\":\"x\\\"y\",\"z\":\"\xef\xbf\xbd\"},\"value\":%s%s}",
                    shown[i],
                    is_full ? ",\"rule\":\"cpu\",\"group\":\"G\",\"measurement\":\"m\","
                              "\"database\":\"d\",\"annotations\":{\"metric_type\":\"cpu_usage\"}"
                            : "");
            }
            assert_string_equal(buf_text(&out), buf_text(&want));
        }
    }
    labels_unref(set);
}

static void test_alertmanager(void **state)
{
    (void)state;
    AUTO(labels_autounref)
    struct labels *labels = make_set((const char *const[]){"alertname", "A", "x", "1", NULL});
    const struct alertmanager_alert full = {labels, STR("{\"summary\":\"s\"}"), NOON * NS,
                                            (NOON + 60) * NS, STR("http://h/?a=1&b=2")};
    const struct alertmanager_alert bare = {.labels = labels, .starts_at_ns = NOON * NS};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct json_writer w;

    json_write_init(&w, &out);
    json_begin_array(&w);
    alertmanager_json_add(&w, &full);
    alertmanager_json_add(&w, &bare);
    json_end_array(&w);
    assert_string_equal(
        buf_text(&out),
        "[{\"labels\":{\"alertname\":\"A\",\"x\":\"1\"},\"annotations\":{\"summary\":\"s\"},"
        "\"startsAt\":\"2024-01-15T10:30:00Z\",\"endsAt\":\"2024-01-15T10:31:00Z\","
        "\"generatorURL\":\"http://h/?a=1&b=2\"},"
        "{\"labels\":{\"alertname\":\"A\",\"x\":\"1\"},\"annotations\":{},"
        "\"startsAt\":\"2024-01-15T10:30:00Z\"}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alert_as_services_know_it),
        cmocka_unit_test(test_alert_without_much),
        cmocka_unit_test(test_alert_without_a_value),
        cmocka_unit_test(test_one_object_per_exported_row),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_alertmanager),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
