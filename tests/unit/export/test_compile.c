/* What trees of exporters come to, against tests/golden/export/plan; and which are refused, why. */
#include "export/compile.h"

#include "fake/golden.h"
#include "fake/plan_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INFLUX \
    "  influx: { type: influxdb, url: 'http://h:8086/secret', username: u, password: secret }\n"
#define FILE_A "  a: { type: file, output_directory: o }\n"
#define FILE_B "  b: { type: file, output_directory: p }\n"
#define HOOK "  hook: { type: webhook, url: 'http://h/hook' }\n"
#define LEVEL "  am: { type: alertmanager, url: 'http://h:9093' }\n"
#define STORE "  vm: { type: remote_write, url: 'http://h/api/v1/write' }\n"

static const struct {
    const char *golden;
    const char *yaml;
} trees[] = {
    {"leaves.txt", "exporters:\n" INFLUX LEVEL STORE "routes:\n"
                   "  - { match: 'kind == \"alert\"', to: [influx, am], continue: true }\n"
                   "  - to: vm\n"},
    /* Seed 001: resilient around buffered, with everything that it can say. */
    {"seed.txt",
     "exporters:\n"
     "  - name: production\n"
     "    type: resilient\n"
     "    config:\n"
     "      base_exporter:\n"
     "        type: buffer\n"
     "        config:\n"
     "          base_exporter: { type: influxdb, config: { url: 'http://h:8086', username: u, password: secret } }\n"
     "          buffer_size: 1000\n"
     "          flush_interval_seconds: 30\n"
     "          flush_on_shutdown: true\n"
     "          max_memory_usage_mb: 50\n"
     "          drop_oldest_on_overflow: true\n"
     "          max_disk_usage_mb: 100\n"
     "          adaptive_flushing: true\n"
     "          min_flush_interval_seconds: 5\n"
     "          max_flush_interval_seconds: 300\n"
     "          compress_buffer: true\n"
     "          compression_threshold: 100\n"
     "      circuit_breaker: { failure_threshold: 5, recovery_timeout_seconds: 60, "
     "half_open_max_calls: 3 }\n"
     "      retry_config: { max_retries: 3, initial_delay_seconds: 1, max_delay_seconds: 60, "
     "backoff_multiplier: 2.0 }\n"
     "      fallback_exporter: { type: file, output_directory: fallback }\n"
     "      health_check_interval_seconds: 30\n"
     "      unhealthy_threshold_failures: 3\n"
     "      dlq_exporter: { type: file, output_directory: dlq }\n"},
    {"multi.txt",
     "exporters:\n" INFLUX FILE_A STORE
     "  both: { type: multi, exporters: [influx, a], min_success_count: 2 }\n"
     "  either: { type: multi, strategy: failover, exporters: [influx, a] }\n"
     "  chain: { type: multi, strategy: sequential, failure_policy: stop,\n"
     "           exporters: [vm, { type: file, output_directory: q }] }\n"
     "  all: { type: multi, failure_policy: stop, exporters: [both, either, chain] }\n"},
    {"conditional.txt",
     "exporters:\n" FILE_A STORE "  slow:\n"
     "    type: conditional\n"
     "    match: first\n"
     "    conditions:\n"
     "      - { condition: 'avg_latency_ms > 100', exporter: vm, description: High latency }\n"
     "      - condition: 'error_rate > 0.05 and env == \"prod\"'\n"
     "        exporter: { type: webhook, url: 'http://h/hook' }\n"
     "    default: a\n"
     "  gathered: { type: buffer, exporter: slow, buffer_size: 50, lanes: 2 }\n"
     "routes:\n"
     "  - to: [slow, gathered]\n"},
    {"pushed.txt",
     "exporters:\n" INFLUX "  a: { type: file, output_directory: o, retry: { max_retries: 9 },\n"
     "       buffer: { fsync: always, buffer_size: 7 } }\n"
     "  both: { type: multi, exporters: { x: { type: file, output_directory: x }, "
     "y: a } }\n"
     "  safe: { type: resilient, exporter: both, fallback_exporter: influx,\n"
     "          fallback_mode: copy }\n"
     "  gathered: { type: buffer, exporter: safe, fsync: never }\n"
     "  strict: { type: resilient, exporter: a, retry: { max_retries: 2 } }\n"},
    /* What only chooses changes nothing: one consumer, whoever names it. */
    {"shared.txt",
     "exporters:\n" FILE_A FILE_B
     "  safe: { type: resilient, exporter: { type: buffer, exporter: a } }\n"
     "  pair: { type: multi, exporters: [safe, b] }\n"
     "  chosen: { type: conditional, conditions: [{ condition: 'value > 1', exporter: safe },\n"
     "            { condition: 'true', exporter: pair }] }\n"
     "routes:\n"
     "  - { match: 'n == \"1\"', to: safe }\n"
     "  - to: [chosen, pair]\n"},
    /* What is said nowhere above stays what the leaf says. */
    {"merged.txt",
     "exporters:\n"
     "  a: { type: file, output_directory: o, circuit_breaker: { failure_threshold: 2 },\n"
     "       health_check: { interval: 5s }, retry: { max_retries: 9 },\n"
     "       buffer: { max_disk_bytes: 1GB, overflow: drop_oldest, flush_interval: 2s } }\n"
     "  gathered: { type: buffer, exporter: a, flush_interval: 9s }\n"
     "  safe: { type: resilient, exporter: a }\n"
     "  safer: { type: resilient, exporter: a, circuit_breaker: { failure_threshold: 7 },\n"
     "           health_check_interval: 7s, retry: { max_retries: 3 } }\n"},
    {"environment.txt",
     "exporters:\n"
     "  env: { type: resilient, exporter: { type: webhook }, fallback_exporter: { type: file } }\n"
     "  many: { type: multi, exporters: [{ type: file, output_directory: one }, { type: file }] }\n"},
};

static void trees_come_to(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(trees); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
        struct plan_text t;
        if (!plan_text_parse(&t, trees[i].yaml)) {
            err_print(&t.err, &got);
            fail_msg("%s: %s", trees[i].golden, buf_text(&got));
        }
        plan_print(&t.config, &got);
        plan_text_release(&t);
        assert_int_equal(str_find(buf_str(&got), STR("secret")), got.len);
        buf_addf(&name, "export/plan/%s", trees[i].golden);
        assert_golden(buf_text(&name), buf_str(&got));
    }
}

/* ---- refused ---- */

static const struct {
    const char *yaml; /* behind "exporters:\n" */
    const char *want; /* "LINE:COLUMN: message" up to its length */
} refused[] = {
    {"  x: { type: buffer }\n", "2:3: exporter 'x': exporter buffer needs 'exporter'"},
    {"  x: { type: buffer, exporter: }\n", "2:3: exporter 'x': exporter buffer needs 'exporter'"},
    {"  x: { type: buffer, exporter: [a] }\n",
     "2:32: exporter 'x': expected the name of an exporter"},
    {"  x: { type: buffer, exporter: gone }\n",
     "2:32: exporter 'x': there is no exporter named 'gone'"},
    {FILE_A "  x: { type: buffer, exporter: { name: 'a.b', type: file, output_directory: o } }\n",
     "3:40: exporter 'x': 'a.b' cannot be an exporter's name"},
    {"  x: { type: buffer, exporter: { output_directory: o } }\n",
     "2:32: exporter 'x': this exporter has no 'type'"},
    {"  x: { type: buffer, exporter: { type: fiel, output_directory: o } }\n",
     "2:40: exporter 'x': unknown exporter type 'fiel'; did you mean 'file'?"},
    {"  x: { type: buffer, exporter: { type: webhook } }\n",
     "2:22: exporter 'x': exporter 'x': exporter webhook needs 'url' (or 'endpoint'): add it here, or set "
     "TELEX_EXPORTER_X_EXPORTER_URL"},
    {"  x: { type: multi, exporters: [{ type: webhook }] }\n",
     "2:33: exporter 'x': exporter 'x/webhook': exporter webhook needs 'url' (or 'endpoint'): add it here, or set "
     "TELEX_EXPORTER_X_WEBHOOK_URL"},
    {"  x: { type: multi, exporters: [] }\n", "2:32: exporter 'x': expected at least one exporter"},
    {"  x: { type: multi, exporters: [''] }\n",
     "2:33: exporter 'x': there is no exporter named ''"},
    {FILE_A "  x: { type: multi, exporters: [a, a] }\n",
     "3:36: exporter 'x': 'a' is named twice here"},
    {FILE_A "  x: { type: multi, exporters: [a, { name: a, type: file, output_directory: o }] }\n",
     "3:44: exporter 'x': 'a' is the name of another exporter here already"},
    {"  x: { type: buffer, exporter: x }\n",
     "2:32: exporters stand around each other in a circle: x -> x"},
    {"  x: { type: buffer, exporter: y }\n  y: { type: multi, exporters: [x] }\n",
     "3:33: exporters stand around each other in a circle: x -> y -> x"},
    {FILE_A "  x: { type: resilient, exporter: a, fallback_exporter: x }\n",
     "3:57: exporters stand around each other in a circle: x -> x"},
    {FILE_A "  x: { type: resilient, exporter: a, fallback_exporter: a }\n",
     "3:57: exporter 'x': 'a' cannot be its own fallback"},
    {FILE_A "  x: { type: resilient, exporter: { type: buffer, exporter: a }, dlq_exporter: a }\n",
     "3:80: exporter 'x': 'a' cannot be its own dead letters"},
    {STORE HOOK "  x: { type: resilient, exporter: hook, fallback_exporter: vm }\n",
     "4:60: exporter 'x': 'vm' does not take all the kinds of records that 'x' takes"},
    {FILE_A "  x: { type: buffer, exporter: y }\n  y: { type: buffer, exporter: a }\n",
     "3:32: exporter 'x': 'y' is a buffer below the buffer 'x'"},
    {FILE_A "  x: { type: resilient, exporter: y }\n  y: { type: resilient, exporter: a }\n",
     "3:35: exporter 'x': 'y' is resilient below 'x', which is"},
    {FILE_A FILE_B "  x: { type: multi, exporters: [y, b], min_success_count: 2 }\n"
                   "  y: { type: buffer, exporter: a }\n",
     "4:33: exporter 'x': 'y' is a buffer below the quorum 'x'"},
    {FILE_A FILE_B "  x: { type: multi, exporters: [a, b], min_success_count: 3 }\n",
     "4:59: exporter 'x': 'x' wants 3 of its exporters to have a record, but has 2"},
    {FILE_A FILE_B
     "  x: { type: multi, strategy: failover, exporters: [a, b], min_success_count: 2 }\n",
     "4:79: exporter 'x': min_success_count counts exporters side by side"},
    {FILE_A FILE_B "  x: { type: resilient, exporter: y }\n"
                   "  y: { type: multi, exporters: [a, b], min_success_count: 2 }\n",
     "4:35: exporter 'x': 'y' wants several exporters to have a record and cannot stand below 'x'"},
    {FILE_A FILE_B "  x: { type: multi, strategy: failover, exporters: [y, b] }\n"
                   "  y: { type: buffer, exporter: a }\n",
     "4:53: exporter 'x': 'y' (buffer) cannot stand below the failover 'x'"},
    {FILE_A FILE_B "  x: { type: multi, strategy: sequential, exporters: [y, b] }\n"
                   "  y: { type: multi, exporters: [a] }\n",
     "4:55: exporter 'x': 'y' (multi) cannot stand below the sequential 'x'"},
    {FILE_A FILE_B "  x: { type: multi, strategy: failover, exporters: [y, b] }\n"
                   "  y: { type: conditional, conditions: [{ condition: 'true', exporter: a }] }\n",
     "4:53: exporter 'x': 'y' (conditional) cannot stand below the failover 'x'"},
    {FILE_A FILE_B
     "  x: { type: multi, strategy: failover, exporters: [y, b] }\n"
     "  y: { type: resilient, exporter: a, circuit_breaker: { failure_threshold: 0 } }\n",
     "4:53: exporter 'x': 'y' never gives way, so the failover 'x' would wait"},
    {FILE_A FILE_B "  x: { type: multi, strategy: failover, exporters: [y, b] }\n"
                   "  y: { type: resilient, exporter: a, fallback_exporter: b }\n",
     "4:53: exporter 'x': 'y' cannot have a fallback or dead letters of its own below the failover"},
    {FILE_A FILE_B "  x: { type: rate_limit, records_per_second: 1, exporter: y }\n"
                   "  y: { type: multi, exporters: [a, b] }\n",
     "4:59: exporter 'x': 'x' (rate_limit) cannot stand above the parallel multi 'y': each of its "
     "exporters would have the whole limit"},
    {LEVEL FILE_A "  x: { type: buffer, exporter: am }\n",
     "4:32: exporter 'x': 'am' (alertmanager) cannot stand below the buffer 'x'"},
    {LEVEL FILE_A "  x: { type: multi, strategy: failover, exporters: [am, a] }\n",
     "4:53: exporter 'x': 'am' (alertmanager) cannot stand below the failover 'x'"},
    {LEVEL FILE_A "  x: { type: resilient, exporter: a, fallback_exporter: am }\n",
     "4:57: exporter 'x': 'am' (alertmanager) cannot stand below 'x' as its fallback"},
    {LEVEL FILE_A "  x: { type: conditional, conditions: [{ condition: 'true', exporter: am }] }\n",
     "4:71: exporter 'x': 'am' (alertmanager) cannot stand below the conditional 'x'"},
    {STORE LEVEL "  x: { type: multi, strategy: failover, exporters: [vm, am] }\n",
     "4:57: exporter 'x': 'am' (alertmanager) cannot stand below"},
    {FILE_A "  x: { type: conditional, conditions: [] }\n",
     "3:39: exporter 'x': expected a list of"},
    {FILE_A "  x: { type: conditional, conditions: [{ exporter: a }] }\n",
     "3:40: exporter 'x': expected a condition"},
    {FILE_A "  x: { type: conditional, conditions: [{ condition: 'true', to: a }] }\n",
     "3:40: exporter 'x': expected a condition"},
    {FILE_A "  x: { type: conditional, conditions: [{ condition: 'true', exporter: a, to: a }] }\n",
     "3:74: exporter 'x': unknown key 'to' in a condition"},
    {FILE_A "  x:\n    type: conditional\n    conditions:\n"
            "      - { condition: value >, exporter: a }\n",
     "6:"},
    {FILE_A "  x: { type: buffer, exporter: a, overflow: block, drop_oldest_on_overflow: true }\n",
     "3:45: exporter 'x': overflow: 'block' contradicts 'drop_oldest_on_overflow: true'"},
    {FILE_A "  x: { type: buffer, exporter: a, exporters: [a] }\n",
     "3:35: exporter 'x': unknown option 'exporters' of exporter buffer"},
};

static void what_has_no_meaning_is_refused(void **state)
{
    (void)state;
    int failed = 0;

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
        struct plan_text t;
        buf_addf(&yaml, "exporters:\n%s", refused[i].yaml);
        buf_addf(&want, "t.yaml:%s", refused[i].want);
        if (plan_text_parse(&t, buf_text(&yaml))) {
            buf_add_text(&got, "(taken)");
        } else {
            err_print_line(&t.err, &got);
        }
        if (!str_starts(buf_str(&got), buf_str(&want))) {
            print_message("# row %zu: got '%s', want '%s'\n", i, buf_text(&got), buf_text(&want));
            failed++;
        }
        plan_text_release(&t);
    }
    assert_int_equal(failed, 0);
}

/* ---- without effect ---- */

static const struct {
    const char *yaml;
    const char *want; /* a line for each warning, up to its length */
} unread[] = {
    {FILE_A "  x: { type: buffer, exporter: a, flush_interval: 1s }\n", ""},
    {FILE_B "  a: { type: file, output_directory: o, retry: { max_retries: 9,\n"
            "       retry_on_status_codes: [500] }, buffer: { fsync: always, lanes: 2 } }\n"
            "  x: { type: multi, strategy: failover, exporters: [a, b] }\n",
     "t.yaml:3:50: 'max_retries' has no effect where 'a' stands below the failover "
     "'x'\nt.yaml:4:65: 'lanes' has no effect where 'a' stands below"},
    {FILE_A FILE_B "  x: { type: resilient, exporter: a,\n"
                   "       fallback_exporter: { type: file, output_directory: f, circuit_breaker:\n"
                   "         { failure_threshold: 3 } } }\n",
     "t.yaml:6:12: 'failure_threshold' has no effect where 'x/fallback_exporter' stands below "
     "'x' as its fallback"},
    {FILE_A FILE_B "  x: { type: multi, strategy: sequential, exporters: [b, { type: resilient,\n"
                   "       exporter: a, retry: { max_retries: 1, max_age: 1h },\n"
                   "       health_check_interval: 7s }] }\n",
     "t.yaml:6:8: 'health_check_interval' has no effect where\n"
     "t.yaml:5:46: 'max_age' has no effect where"},
};

/* Lines that begin as <want> says, in order and no others; gives how many are otherwise. */
static unsigned wrong_warnings(const char *exporters, const char *wanted)
{
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    struct str want = str_of(wanted);
    struct str line;
    struct plan_text t;
    unsigned failed = 0;
    size_t n = 0;

    buf_addf(&yaml, "exporters:\n%s", exporters);
    if (!plan_text_parse(&t, buf_text(&yaml))) {
        fail_msg("%s", t.err.message);
    }
    while (want.len > 0 && str_split(&want, '\n', &line)) {
        buf_clear(&got);
        if (n < t.config.warning_count) {
            err_print_line(t.config.warnings[n], &got);
        }
        n++;
        if (!str_starts(buf_str(&got), line)) {
            print_message("# got '%s', want '%.*s'\n", buf_text(&got), STR_FMT(line));
            failed++;
        }
    }
    failed += t.config.warning_count != n;
    plan_text_release(&t);
    return failed;
}

static void what_nobody_reads_is_said(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(unread); i++) {
        failed += wrong_warnings(unread[i].yaml, unread[i].want);
    }
    assert_int_equal(failed, 0);
}

#define DATADOG "  d: { type: datadog, api_key: k,\n"
#define NEWRELIC "  n: { type: newrelic, license_key: "
#define OTLP "  o: { type: otlp,\n"

static const struct {
    const char *yaml;
    const char *want;
} advised[] = {
    {DATADOG "    site: datadoghq.com }\n", ""},
    {DATADOG "    site: US2.ddog-gov.com }\n", ""},
    {DATADOG "    site: datadog.eu }\n",
     "t.yaml:3:11: exporter 'd': 'datadog.eu' is none of the sites that Datadog is known to have; did "
     "you mean 'datadoghq.eu'? There are datadoghq.com, us3.datadoghq.com, us5.datadoghq.com,"},
    {DATADOG "    site: dd.internal }\n",
     "t.yaml:3:11: exporter 'd': 'dd.internal' is none of the sites that Datadog is known to have, which "
     "are datadoghq.com,"},
    {DATADOG "    site: dd.internal, url: http://relay }\n", ""},
    {DATADOG "    site: dd.internal, url: http://relay, traces_via: otlp, otlp_source: s }\n",
     "t.yaml:3:11: exporter 'd': 'dd.internal' is none"},
    {DATADOG "    traces_via: otlp }\n", "t.yaml:3:5: exporter 'd': Datadog's intake of OTLP"},
    {DATADOG "    traces_via: otlp, otlp_source: acme }\n", ""},
    {NEWRELIC "eu01xx0123, region: EU }\n", ""},
    {NEWRELIC "0123NRAL, region: EU }\n", ""},
    {NEWRELIC "eu01xx0123 }\n", "t.yaml:2:3: exporter 'n': the license key begins with 'eu01'"},
    {NEWRELIC "eu01xx0123,\n    region: us }\n", "t.yaml:3:13: exporter 'n': the license key"},
    {OTLP "    url: http://c:4318 }\n", ""},
    {OTLP "    url: http://c:4317 }\n", "t.yaml:3:10: exporter 'o': port 4317 is where"},
    {OTLP "    url: http://c:4318,\n    protocol: grpc }\n",
     "t.yaml:3:10: exporter 'o': port 4318 is where"},
    {OTLP "    otlp_endpoint: http://c:4318,\n    metrics_endpoint: http://c:4317 }\n",
     "t.yaml:4:23: exporter 'o': port 4317 is where OTLP is usually taken over gRPC, and metrics are"},
    {OTLP "    traces_endpoint: http://c:9/v1/traces,\n    protocol: grpc }\n",
     "t.yaml:3:22: exporter 'o': /v1/traces is a path of OTLP over HTTP, and traces are sent over gRPC"},
    {OTLP "    url: c:4318 }\n", "t.yaml:3:10: exporter 'o': 'c:4318' says neither"},
};

static void what_was_perhaps_not_meant_is_said(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(advised); i++) {
        failed += wrong_warnings(advised[i].yaml, advised[i].want);
    }
    assert_int_equal(failed, 0);
}

/* Seventeen around each other, by name or on the spot; sixteen are taken. */
/* ---- who says what samples are ---- */

static const struct {
    const char *exporters;
    bool says_types; /* the first output */
} sayers[] = {
    {FILE_A, false},
    {STORE, false},
    {"  vm: { type: remote_write, url: 'http://h/api/v1/write', version: 2 }\n", true},
    {"  o: { type: otlp, url: 'http://h:4318' }\n", true},
    {"  g: { type: prometheus, mode: pull, metrics_port: 9 }\n", true},
    {"  d: { type: buffer, exporter: { type: relabel, exporter: { type: otlp, url: 'http://h:4318' },\n"
     "       relabel_configs: [{ regex: a, action: labeldrop }] } }\n",
     true},
};

static void who_says_what_samples_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sayers); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct plan_text t;
        buf_addf(&yaml, "exporters:\n%s", sayers[i].exporters);
        if (!plan_text_parse(&t, buf_text(&yaml))) {
            fail_msg("%s: %s", sayers[i].exporters, t.err.message);
        }
        assert_int_equal(t.config.outputs[0].says_types, sayers[i].says_types);
        plan_text_release(&t);
    }
}

static void depth_is_limited(void **state)
{
    (void)state;
    for (int is_named = 0; is_named < 2; is_named++) {
        for (int depth = STAGE_DEPTH_MAX; depth <= STAGE_DEPTH_MAX + 1; depth++) {
            AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
            struct plan_text t;
            buf_add_text(&yaml, "exporters:\n");
            for (int i = 1; is_named && i < depth; i++) {
                buf_addf(&yaml, "  m%d: { type: multi, exporters: [m%d] }\n", i, i + 1);
            }
            buf_add_text(&yaml, is_named ? "" : "  m: ");
            for (int i = 1; !is_named && i < depth; i++) {
                buf_add_text(&yaml, "{ type: multi, exporters: [");
            }
            if (is_named) {
                buf_addf(&yaml, "  m%d: ", depth);
            }
            buf_add_text(&yaml, "{ type: file, output_directory: o }");
            for (int i = 1; !is_named && i < depth; i++) {
                buf_add_text(&yaml, "] }");
            }
            buf_add_byte(&yaml, '\n');
            bool ok = plan_text_parse(&t, buf_text(&yaml));
            assert_int_equal(ok, depth <= STAGE_DEPTH_MAX);
            assert_true(ok || t.err.code == ERR_LIMIT);
            plan_text_release(&t);
        }
    }
}

/* 32 leaves, and 32 more ways to them than there is room for. */
static void consumers_are_limited(void **state)
{
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
    struct plan_text t;

    (void)state;
    buf_add_text(&yaml, "exporters:\n");
    for (int i = 0; i < EXPORTER_CHILDREN_MAX; i++) {
        buf_addf(&yaml, "  e%d: { type: file, output_directory: o }\n", i);
    }
    buf_add_text(&yaml, "  all:\n    type: multi\n    exporters:\n");
    for (int i = 0; i < EXPORTER_CHILDREN_MAX; i++) {
        buf_addf(&yaml, "      - e%d\n", i);
    }
    buf_add_text(&yaml, "  safe: { type: resilient, exporter: all }\n");
    assert_false(plan_text_parse(&t, buf_text(&yaml)));
    assert_int_equal(t.err.code, ERR_LIMIT);
    assert_non_null(strstr(t.err.message, "'safe/e31' would be one consumer too many"));
    plan_text_release(&t);
}

/* Every row doubles the ways; nobody walks them all. */
static void many_ways_end(void **state)
{
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
    struct plan_text t;

    (void)state;
    buf_add_text(&yaml, "exporters:\n" FILE_A FILE_B);
    for (int i = 0; i < 14; i++) {
        AUTO(buf_release) struct buf last = BUF_INIT(BUF_SMALL);
        buf_addf(&last, i > 0 ? "x%d, y%d" : "a, b", i - 1, i - 1);
        buf_addf(&yaml, "  x%d: { type: multi, strategy: failover, exporters: [%s] }\n", i,
                 buf_text(&last));
        buf_addf(&yaml, "  y%d: { type: multi, strategy: failover, exporters: [%s] }\n", i,
                 buf_text(&last));
    }
    assert_false(plan_text_parse(&t, buf_text(&yaml)));
    assert_int_equal(t.err.code, ERR_LIMIT);
    plan_text_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_come_to),
        cmocka_unit_test(what_has_no_meaning_is_refused),
        cmocka_unit_test(who_says_what_samples_are),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(consumers_are_limited),
        cmocka_unit_test(many_ways_end),
        cmocka_unit_test(what_nobody_reads_is_said),
        cmocka_unit_test(what_was_perhaps_not_meant_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
