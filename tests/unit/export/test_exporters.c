/* The bytes and headers that each exporter sends for small batches, against tests/golden/export. */
#include "export/exporter.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/number.h"
#include "export/http_sink.h"
#include "export/level.h"
#include "fake/export_kit.h"
#include "fake/golden.h"
#include "wire/remote_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct kit_sample samples[] = {
    {"cpu_usage,instance=server-01,export_to_datastore=true", KIT_TIME_NS, 85.4},
    {"cpu_usage,instance=server-01,export_to_datastore=true", KIT_TIME_NS + 1500000000, 86},
    {"memory_usage,instance=server-02,zone=a b", KIT_TIME_NS, 78.2},
    {"memory_usage,instance=server-02,zone=a b", KIT_TIME_NS + 1000000000, NAN},
    {"memory_usage,instance=server-03", KIT_TIME_NS, INFINITY},
    {",instance=nameless", KIT_TIME_NS, 1},
};

static const struct batch_info plain_info = {.origin = STR_INIT("rule")};
static const struct batch_info rule_info = {
    .origin = STR_INIT("rule"),
    .rule = STR_INIT("HighCPUUsage"),
    .group = STR_INIT("nodes"),
    .database = STR_INIT("alerts_db"),
    .measurement = STR_INIT("cpu_alerts"),
    .has_threshold = true,
    .threshold = 80,
};

enum what { SAMPLES, STALE_ONLY, RULE_SAMPLES, ALERTS, UNTOUCHED, SOME_ROWS };

static struct batch *make(enum what what)
{
    const struct kit_sample stale[] = {
        {"up,job=a", KIT_TIME_NS, number_stale_nan()},
    };

    switch (what) {
    case SAMPLES:
    case SOME_ROWS:
        return kit_samples(NULL, &plain_info, samples, ARRAY_LEN(samples));
    case STALE_ONLY:
        return kit_samples(NULL, &plain_info, stale, ARRAY_LEN(stale));
    case RULE_SAMPLES:
        return kit_samples(NULL, &rule_info, samples, ARRAY_LEN(samples));
    case UNTOUCHED:
        return kit_samples(&codec_rw1, &plain_info, samples, ARRAY_LEN(samples));
    case ALERTS:
        break;
    }
    return kit_alerts(&rule_info);
}

static const uint32_t some_rows[] = {0, 2};

struct row {
    const char *golden;
    enum what what;
    const char *yaml;
};

static const struct row rows[] = {
    {"remote_write.txt", SAMPLES, "type: remote_write\nurl: http://h:9090\n"},
    {"remote_write_untouched.txt", UNTOUCHED, "type: remote_write\nurl: http://h/push?db=a\n"},
    {"remote_write_some_rows.txt", SOME_ROWS, "type: remote_write\nurl: http://h/api/v1/write\n"},
    {"remote_write_stale.txt", STALE_ONLY, "type: remote_write\nurl: http://h/api/v1/write\n"},
    {"cloudevents.txt", ALERTS,
     "type: cloudevents\nurl: http://h/e\nsource: https://t.io/prod\nextensions: {cluster: c1}\n"
     "extension_labels: {sev: severity, none: nosuch}\n"},
    {"cloudevents_binary.txt", SOME_ROWS,
     "type: cloudevents\nurl: http://h/e\nmode: binary\nwebhook_origin: t.io\n"},
    {"cloudevents_batched.txt", SAMPLES,
     "type: cloudevents\nurl: http://h/e\nmode: batched\nbatch_size: 2\ntype_prefix: io.x.\n"},
    {"cloudevents_stale.txt", STALE_ONLY, "type: cloudevents\nurl: http://h/e\nmode: batched\n"},
    {"influxdb_v1.txt", SAMPLES,
     "type: influxdb\nurl: http://h\ndatabase: my db\nretention_policy: one week\ngzip: false\n"},
    {"influxdb_v1_rule.txt", RULE_SAMPLES, "type: influxdb\nurl: http://h\ndatabase: other\n"},
    {"influxdb_v1_stale.txt", STALE_ONLY, "type: influxdb\nurl: http://h\ndatabase: d\n"},
    {"influxdb_v1_no_database.txt", SAMPLES, "type: influxdb\nurl: http://h\n"},
    {"influxdb_v1_alerts.txt", ALERTS, "type: influxdb\nurl: http://h\n"},
    {"influxdb_v2.txt", SAMPLES, "type: influxdb\nurl: http://h\norg: ops & co\nbucket: b\n"},
    {"influxdb_v2_alerts.txt", ALERTS, "type: influxdb\nurl: http://h\norg: ops\n"},
    {"otlp.txt", SAMPLES, "type: otlp\nurl: http://h:4318\ncompression: none\n"},
    {"otlp_some_rows.txt", SOME_ROWS, "type: otlp\nresource_attributes: { host.name: a }\n"},
    {"otlp_stale.txt", STALE_ONLY, "type: otlp\nservice_namespace: n\nservice_version: '1'\n"},
    {"datadog.txt", SAMPLES,
     "type: datadog\napi_key: k\nmetrics_config: {namespace: foundation.profiling, tags: ['a:b']}\n"
     "tags: ['environment:production']\napm_config: {service: s, env: e, version: '1'}\n"},
    {"datadog_stale.txt", STALE_ONLY, "type: datadog\napi_key: k\n"},
    {"datadog_some_rows.txt", SOME_ROWS, "type: datadog\napi_key: k\nurl: http://h\ngzip: false\n"},
    {"newrelic.txt", SAMPLES,
     "type: newrelic\nlicense_key: k\ncommon_attributes: {service.name: s, host: a}\n"},
    {"newrelic_some_rows.txt", SOME_ROWS, "type: newrelic\nlicense_key: k\nregion: EU\n"},
    {"newrelic_stale.txt", STALE_ONLY, "type: newrelic\nlicense_key: k\n"},
    {"pushgateway.txt", SAMPLES,
     "type: pushgateway\nurl: http://h:9091\ngzip: false\ninstance_label: web 1\n"
     "grouping_key: {path: /var/tmp, first_label: '', name: Προμηθεύς}\n"},
    {"pushgateway_groups.txt", SOME_ROWS,
     "type: prometheus\npushgateway_url: http://h/base/\njob_name: directory/cleaner\n"
     "method: PUT\ngrouping_labels: [instance]\n"},
    {"pushgateway_delete.txt", STALE_ONLY,
     "type: pushgateway\nurl: http://h\nmethod: DELETE\ngrouping_labels: [job2]\n"},
    {"victoriametrics.txt", SAMPLES, "type: victoriametrics\nurl: http://h:8428/\ngzip: false\n"},
    {"victoriametrics_stale.txt", STALE_ONLY, "type: victoriametrics\nurl: http://h/own/path\n"},
    {"webhook_alerts.txt", ALERTS, "type: webhook\nurl: http://h/hook\n"},
    {"webhook_samples.txt", SAMPLES, "type: webhook\nurl: http://h/hook\nmethod: PUT\n"},
    {"webhook_stale.txt", STALE_ONLY, "type: webhook\nurl: http://h/hook\n"},
};

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = make(rows[i].what);
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        struct view view = view_all(b);
        struct export_kit kit;
        if (rows[i].what == SOME_ROWS) {
            view = (struct view){.batch = b, .rows = some_rows, .n = ARRAY_LEN(some_rows)};
        }
        if (!export_kit_start(&kit, rows[i].yaml)) {
            fail_msg("%s: %s", rows[i].golden, kit.err.message);
        }
        export_kit_print(&kit, view, &got);
        export_kit_stop(&kit);
        buf_addf(&name, "export/%s", rows[i].golden);
        assert_golden(buf_text(&name), buf_str(&got));
    }
}

/* ---- what Alertmanager gets, and lines of a file ---- */

static void assert_damage_is_seen(const struct level_exporter *level,
                                  const struct level_item *items, size_t count, struct str body)
{
    static const char *const damages[][2] = {{"alertname", "alertnome"},
                                             {"startsAt\":\"2024", "startsAt\":\"2023"},
                                             {"endsAt\":\"2024", "endsAt\":\"2023"},
                                             {"\"labels\":{", "\"labels\":{\"more\":\"1\","},
                                             {"},{", "}},{"},
                                             {"[{", "[{},{"}};
    struct err e = ERR_INIT;

    assert_true(level->validate(items, count, body, &e));
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        AUTO(buf_release) struct buf bad = BUF_INIT(BUF_UNLIMITED);
        size_t at = str_find(body, str_of(damages[i][0]));
        assert_true(at < body.len);
        buf_addf(&bad, "%.*s%s%.*s", (int)at, body.ptr, damages[i][1],
                 STR_FMT(str_slice(body, at + str_of(damages[i][0]).len, body.len)));
        assert_false(level->validate(items, count, buf_str(&bad), &e));
    }
}

static void test_alertmanager(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = kit_alerts(&rule_info);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    const struct alert *alerts = batch_own_alerts(b)->rows;
    const struct level_item items[] = {
        {.alert = {.labels = alerts[0].labels, .firing = true, .starts_at_ns = KIT_TIME_NS},
         .ends_at_ns = KIT_TIME_NS + 240 * INT64_C(1000000000),
         .annotations = STR("{\"summary\":\"High\"}"),
         .generator_url = STR("http://telex/rules/a")},
        {.alert = {.labels = alerts[2].labels, .starts_at_ns = KIT_TIME_NS},
         .ends_at_ns = KIT_TIME_NS + 1},
    };
    static const char *const urls[] = {"http://h:9093", "http://h/prefix/api/v2/alerts"};

    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct export_kit kit;
        struct export_request req = {.body = BUF_INIT(BUF_UNLIMITED)};
        buf_addf(&yaml, "type: alertmanager\nurl: %s\n", urls[i]);
        assert_true(export_kit_start(&kit, buf_text(&yaml)));
        assert_true(kit.kind->level->request(kit.config, items, 2, &req, &kit.err));
        export_kit_print_request(&req, &got);
        assert_damage_is_seen(kit.kind->level, items, 2, buf_str(&req.body));
        export_kit_stop(&kit);
        buf_release(&req.body);
    }
    assert_golden("export/alertmanager.txt", buf_str(&got));
}

static void test_file(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    char folder[] = "/tmp/telex-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    struct export_kit kit;
    struct sink *sink = NULL;
    const struct env env = {.clock = clock_system()};
    const struct exporter_place place = {.env = &env, .name = STR("archive")};
    static const enum what order[] = {ALERTS, SAMPLES, STALE_ONLY, RULE_SAMPLES};

    buf_addf(&yaml, "type: file\noutput_directory: %s/a/b\n", folder);
    buf_addf(&path, "%s/a/b/archive.jsonl", folder);
    assert_true(export_kit_start(&kit, buf_text(&yaml)));
    assert_true(kit.kind->open(&place, kit.config, &sink, &kit.err));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        AUTO(batch_autounref) struct batch *b = make(order[i]);
        AUTO(outcome_release) struct outcome out;
        outcome_init(&out);
        sink->ops->deliver(sink, view_all(b), (struct wait){DEADLINE_NEVER, NULL}, &out);
        assert_int_equal(out.rest, VERDICT_DELIVERED);
        assert_int_equal(out.settled, batch_rows(b));
    }
    sink_close(sink);
    export_kit_stop(&kit);
    assert_true(fs_read_file(fs_system(), buf_str(&path), GOLDEN_MAX, &got, &kit.err));
    assert_golden("export/file.jsonl", buf_str(&got));
    assert_int_equal(unlink(buf_text(&path)), 0);
}

/* Where each kind asks whether its destination is there. */
static void test_probes(void **state)
{
    static const struct {
        const char *yaml;
        const char *url;
    } asked[] = {
        {"type: influxdb\nurl: http://h:8086\ndatabase: d\n", "http://h:8086/ping"},
        {"type: influxdb\nurl: http://h:8086/\norg: o\nbucket: b\n", "http://h:8086/ping"},
        {"type: datadog\napi_key: k\nsite: datadoghq.eu\n",
         "https://api.datadoghq.eu/api/v1/validate"},
        {"type: datadog\napi_key: k\nurl: http://h/dd/\n", "http://h/dd/api/v1/validate"},
        {"type: remote_write\nurl: http://h:8428\n", "http://h:8428/-/healthy"},
        {"type: remote_write\nurl: http://h/api/v1/write\n", "http://h/-/healthy"},
        {"type: remote_write\nurl: http://h/prom/api/v1/write?x=1\n", "http://h/prom/-/healthy"},
        {"type: remote_write\nurl: http://h:8480\ncluster: true\n", "http://h:8480/health"},
        {"type: remote_write\nurl: http://h:8480/insert/0/prometheus/api/v1/write\n",
         "http://h:8480/health"},
        {"type: webhook\nurl: http://h/hook/secret\n", ""},
        {"type: webhook\nurl: http://h/hook/secret?k=1\nhealth_path: /up?x=1\n", "http://h/up?x=1"},
        {"type: webhook\nurl: http://h/hook\nhealth_path: up\n", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
        struct export_kit kit;
        bool ok = export_kit_start(&kit, asked[i].yaml);
        assert_int_equal(ok, asked[i].url != NULL);
        if (ok) {
            struct str url = kit.kind->http->probe_url(kit.config, &kit.arena);
            if (!str_eq(url, str_of(asked[i].url))) {
                fail_msg("row %zu: '%.*s'", i, STR_FMT(url));
            }
        }
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_alertmanager),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_probes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
