/* `exporters` and `routes`: what they become, and what is wrong with broken ones, where. */
#include "export/plan.h"

#include "export/exporter_options.h"
#include "fake/plan_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void must_parse(struct plan_text *f, const char *yaml)
{
    if (!plan_text_parse(f, yaml)) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        err_print(&f->err, &text);
        fail_msg("%s", buf_text(&text));
    }
}

/* "influx:influxdb archive:file" */
static void assert_outputs(const struct plan_text *f, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < f->config.output_count; i++) {
        const struct output_config *o = &f->config.outputs[i];
        buf_addf(&got, "%s%.*s:%s", i > 0 ? " " : "", STR_FMT(o->name), o->kind->name);
    }
    assert_string_equal(buf_text(&got), want);
}

/* ---- good ones ---- */

/* ---- who is the same after a change ---- */

/* The hash of output <name>. */
static uint64_t hash_of(const char *out_options, const char *name)
{
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
    struct plan_text f;
    uint64_t hash = 0;

    buf_addf(&yaml,
             "exporters:\n  hook: { type: webhook, url: http://h }\n"
             "  other: { type: webhook, url: http://h }\n"
             "  out: { type: file, output_directory: out%s }\n"
             "  safe: { type: resilient, exporter: hook, fallback_exporter: out }\n",
             out_options);
    must_parse(&f, buf_text(&yaml));
    for (size_t i = 0; i < f.config.output_count; i++) {
        bool is_it = str_eq(f.config.outputs[i].name, str_of(name));
        hash = is_it ? f.config.outputs[i].hash : hash;
    }
    plan_text_release(&f);
    assert_true(hash != 0);
    return hash;
}

static void test_hashes(void **state)
{
    static const char changed[] = ", labels: { a: b }";

    (void)state;
    assert_true(hash_of("", "hook") == hash_of("", "hook"));
    assert_true(hash_of("", "hook") == hash_of(changed, "hook"));
    assert_true(hash_of("", "hook") != hash_of("", "other"));
    assert_true(hash_of("", "out") != hash_of(changed, "out"));
    assert_true(hash_of("", "safe") != hash_of(changed, "safe"));
    assert_true(hash_of(", labels: { a: b }", "out") != hash_of(", labels: { ab: '' }", "out"));
    assert_true(hash_of(", labels: { a: b }", "out") != hash_of(", labels: { a: c }", "out"));
}

static void test_map(void **state)
{
    (void)state;
    struct plan_text f;

    must_parse(&f, "exporters:\n"
                   "  influx: { type: influxdb, url: 'http://${HOST}:8086', database: alerts_db }\n"
                   "  vm: { type: remote_write, url: http://h/api/v1/write,\n"
                   "        buffer: { fsync: always }, retry: { max_retries: 3 } }\n"
                   "  archive: { type: file, output_directory: out, labels: { site: a } }\n"
                   "  my-hook: { type: webhook }\n"
                   "routes:\n"
                   "  - { match: 'kind == \"alert\"', to: [influx, archive], continue: true }\n"
                   "  - to: vm\n");
    assert_outputs(&f, "influx:influxdb vm:remote_write archive:file my-hook:webhook");
    const struct exporter_common *vm = f.config.outputs[1].config;
    assert_int_equal(vm->buffer.fsync, FSYNC_ALWAYS);
    assert_int_equal(vm->retry.max_retries, 3);
    assert_int_equal(f.config.outputs[1].delivery.retry.max_retries, 3);
    assert_int_equal(f.config.outputs[1].buffer.fsync, FSYNC_ALWAYS);
    assert_int_equal(vm->retry.backoff.initial_delay_ns, INT64_C(1000000000));
    const struct exporter_common *archive = f.config.outputs[2].config;
    assert_int_equal(archive->labels.count, 1);
    assert_int_equal(f.config.route_count, 2);
    assert_int_equal(f.config.routes[0].to, 1 | 4);
    assert_non_null(f.config.routes[0].match);
    assert_true(f.config.routes[0].also_next);
    assert_int_equal(f.config.routes[1].to, 2);
    assert_null(f.config.routes[1].match);
    plan_text_release(&f);
}

static void test_list(void **state)
{
    (void)state;
    struct plan_text f;

    must_parse(&f, "exporters:\n"
                   "  - name: one\n"
                   "    type: file\n"
                   "    config:\n"
                   "      output_directory: out\n"
                   "      retry_config: { initial_delay_seconds: 5, max_delay_seconds: 60 }\n"
                   "  - { name: two, type: webhook, url: 'http://h' }\n");
    assert_outputs(&f, "one:file two:webhook");
    const struct exporter_common *one = f.config.outputs[0].config;
    assert_int_equal(one->retry.backoff.initial_delay_ns, INT64_C(5000000000));
    assert_int_equal(f.config.route_count, 0);
    plan_text_release(&f);
}

/* Labels beside `config` and below it, secrets by name, lists in lists: the seed's spellings. */
static void test_list_spellings(void **state)
{
    (void)state;
    struct plan_text f;

    must_parse(&f, "exporters:\n"
                   "  - name: beside\n"
                   "    type: file\n"
                   "    labels: { cluster: k8s-prod }\n"
                   "    config: { output_directory: out }\n"
                   "  - name: inside\n"
                   "    type: webhook\n"
                   "    config:\n"
                   "      url: http://h\n"
                   "      api_key_secret: my-key\n"
                   "      labels: { cluster: k8s-prod }\n"
                   "  - name: both\n"
                   "    type: multi\n"
                   "    config:\n"
                   "      exporters:\n"
                   "        - beside\n"
                   "        - name: third\n"
                   "          type: file\n"
                   "          labels: { a: b }\n"
                   "          config: { output_directory: out }\n");
    assert_outputs(&f, "beside:file inside:webhook both/third:file");
    for (size_t i = 0; i < f.config.output_count; i++) {
        const struct exporter_common *common = f.config.outputs[i].config;
        assert_int_equal(common->labels.count, 1);
    }
    assert_int_equal(f.config.target_count, 3);
    assert_int_equal(f.config.default_targets, 2 | 4);
    plan_text_release(&f);
}

static void test_nothing(void **state)
{
    (void)state;
    static const char *const empty[] = {"a: b\n", "exporters:\nroutes:\n",
                                        "exporters: {}\nroutes: []\n", "exporters: []\n"};

    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        struct plan_text f;
        must_parse(&f, empty[i]);
        assert_int_equal(f.config.output_count, 0);
        assert_int_equal(f.config.route_count, 0);
        plan_text_release(&f);
    }
}

static void test_find_target(void **state)
{
    (void)state;
    struct plan_text f;
    static const struct {
        const char *name;
        int want;
        const char *says;
    } rows[] = {
        {"a", 0, NULL},
        {"influxdb", 2, NULL},
        {"file", 1, NULL}, /* a name before a type */
        {"webhook", -1, "type of several exporters"},
        {"postgres", -1, "no exporter named 'postgres'"},
    };

    must_parse(&f, "exporters:\n"
                   "  a: { type: webhook, url: 'http://h' }\n"
                   "  file: { type: webhook, url: 'http://h' }\n"
                   "  c: { type: influxdb, url: 'http://h' }\n"
                   "  d: { type: file, output_directory: o }\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        assert_int_equal(plan_find_target(&f.config, str_of(rows[i].name), &e), rows[i].want);
        assert_true(rows[i].says == NULL || strstr(e.message, rows[i].says) != NULL);
    }
    plan_text_release(&f);
}

/* ---- broken ones ---- */

#define FILE_A "  a: { type: file, output_directory: o }\n"

static const struct {
    const char *yaml;
    const char *want; /* err_print_line() up to its length */
} broken[] = {
    {"exporters: influx\n", "t.yaml:1:12: expected exporters by name"},
    {"exporters:\n  a: file\n", "t.yaml:2:6: expected the exporter's options"},
    {"exporters:\n  a: { url: 'http://h' }\n", "t.yaml:2:6: this exporter has no 'type'"},
    {"exporters:\n  a: { type: [file] }\n", "t.yaml:2:14: expected a text"},
    {"exporters:\n  a: { type: influx }\n",
     "t.yaml:2:14: unknown exporter type 'influx'; did you mean 'influxdb'?"},
    {"exporters:\n  a: { type: zabbix }\n",
     "t.yaml:2:14: unknown exporter type 'zabbix'; 'telex exporters' lists them"},
    {"exporters:\n  a b: { type: file, output_directory: o }\n",
     "t.yaml:2:3: 'a b' cannot be an exporter's name"},
    {"exporters:\n  '': { type: file, output_directory: o }\n",
     "t.yaml:2:3: '' cannot be an exporter's name"},
    {"exporters:\n  a: { type: file }\n", "t.yaml:2:3: exporter 'a': exporter file needs "
                                          "'output_directory': add it here"},
    {"exporters:\n  a: { type: webhook }\n",
     "t.yaml:2:3: exporter 'a': exporter webhook needs 'url' (or 'endpoint'): add it here, or set "
     "TELEX_EXPORTER_A_URL"},
    {"exporters:\n  a: { type: webhook, url: 'ftp://h' }\n", "t.yaml:2:28: exporter 'a': url: "},
    {"exporters:\n  a: { type: webhook, uri: 'http://h' }\n",
     "t.yaml:2:23: exporter 'a': unknown option 'uri' of exporter webhook: did you mean 'url'?"},
    {"exporters:\n  a: { type: webhook, url: 'http://h', retry: { max_delay: soon } }\n",
     "t.yaml:2:60: exporter 'a': max_delay: "},
    {"exporters:\n  a: { type: webhook, url: 'http://h', retry: { tries: 3 } }\n",
     "t.yaml:2:49: exporter 'a': unknown option 'tries' of retry"},
    {"exporters:\n  a: { type: webhook, url: 'http://h', buffer: { fsync: sometimes } }\n",
     "t.yaml:2:57: exporter 'a': fsync: "},
    {"exporters:\n  a: { type: webhook, url: 'http://h', labels: { a-b: c } }\n",
     "t.yaml:2:50: exporter 'a': 'a-b' cannot be a label's name"},
    {"exporters:\n  a: { type: file, output_directory: o, compression: snappy }\n",
     "t.yaml:2:54: exporter 'a': compression: 'snappy' is for the pages of Parquet"},
    {"exporters:\n  - { name: a.b, type: file, output_directory: o }\n",
     "t.yaml:2:13: 'a.b' cannot be an exporter's name"},
    {"exporters:\n  - type: file\n", "t.yaml:2:5: expected an exporter with 'name' and 'type'"},
    {"exporters:\n  - file\n", "t.yaml:2:5: expected an exporter with 'name' and 'type'"},
    {"exporters:\n  - { name: a, type: file, config: 7 }\n",
     "t.yaml:2:36: expected the exporter's options"},
    {"exporters:\n  - { name: a, type: file, output_directory: o, config: { output_directory: p "
     "} }\n",
     "t.yaml:2:59: exporter 'a': 'output_directory' means the same as 'output_directory' in line "
     "2"},
    {"exporters:\n  - { name: a, type: file, config: { folder: p } }\n",
     "t.yaml:2:38: exporter 'a': unknown option 'folder' of exporter file"},
    {"exporters:\n  - { name: a, type: file, output_directory: o }\n"
     "  - { name: a, type: file, output_directory: o }\n",
     "t.yaml:3:13: 'a' is the name of another exporter already"},
    {"exporters:\n  a: { type: prometheus, mode: pull, metrics_port: 9464 }\n"
     "  b: { type: prometheus, mode: pull, metrics_port: 9464, metrics_path: /b, metrics_auth: { "
     "bearer_token: t } }\n",
     "t.yaml:3:3: exporters 'a' and 'b': pages of one address and port"},
    {"exporters:\n" FILE_A "routes: a\n", "t.yaml:3:9: expected a list of routes"},
    {"exporters:\n" FILE_A "routes: [a]\n", "t.yaml:3:10: expected a route"},
    {"exporters:\n" FILE_A "routes:\n  - { match: 'x == \"1\"' }\n",
     "t.yaml:4:5: this route goes nowhere; expected 'to: [NAME]'"},
    {"exporters:\n" FILE_A "routes:\n  - { to: [] }\n", "t.yaml:4:5: this route goes nowhere"},
    {"exporters:\n  archive: { type: file, output_directory: o }\nroutes:\n  - to: [archives]\n",
     "t.yaml:4:10: in a route: there is no exporter named 'archives'; did you mean 'archive'?"},
    {"exporters:\n" FILE_A "routes:\n  - to: a\n  - { to: a, contineu: true }\n",
     "t.yaml:5:14: in a route: unknown key 'contineu'; expected match, to or continue"},
    {"exporters:\n" FILE_A "routes:\n  - { to: a, continue: perhaps }\n",
     "t.yaml:4:24: in a route: "},
    {"exporters:\n" FILE_A "routes:\n  - { to: { a: b } }\n",
     "t.yaml:4:11: in a route: expected the names of exporters"},
    {"exporters:\n" FILE_A "routes:\n  - { to: [[a]] }\n",
     "t.yaml:4:12: in a route: expected a text"},
    {"exporters:\n" FILE_A "routes:\n  - match: 'kind = \"alert\"'\n    to: a\n",
     "t.yaml:4:18: in a route: "},
    {"exporters:\n" FILE_A "routes:\n  - match: ''\n    to: a\n", "t.yaml:4:"},
    {"exporters:\n" FILE_A "routes:\n  - match: [a]\n    to: a\n", "t.yaml:4:12: in a route: "},
};

static void test_broken(void **state)
{
    (void)state;
    int failed = 0;

    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        struct plan_text f;
        if (plan_text_parse(&f, broken[i].yaml)) {
            buf_add_text(&got, "(taken)");
        } else {
            err_print_line(&f.err, &got);
        }
        if (!str_starts(buf_str(&got), str_of(broken[i].want))) {
            print_message("# row %zu: got '%s', want '%s'\n", i, buf_text(&got), broken[i].want);
            failed++;
        }
        plan_text_release(&f);
    }
    assert_int_equal(failed, 0);
}

static void test_too_many(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
    struct plan_text f;

    buf_add_text(&yaml, "exporters:\n");
    for (int i = 0; i < PLAN_OUTPUTS_MAX; i++) {
        buf_addf(&yaml, "  e%d: { type: file, output_directory: o }\n", i);
    }
    must_parse(&f, buf_text(&yaml));
    assert_int_equal(f.config.output_count, PLAN_OUTPUTS_MAX);
    plan_text_release(&f);
    buf_add_text(&yaml, "  more: { type: file, output_directory: o }\n");
    assert_false(plan_text_parse(&f, buf_text(&yaml)));
    assert_int_equal(f.err.code, ERR_LIMIT);
    assert_int_equal(f.err.pos.line, PLAN_OUTPUTS_MAX + 2);
    plan_text_release(&f);
}

/* Secrets of exporters before the broken one are freed: the leak checker looks. */
static void test_release_after_failure(void **state)
{
    (void)state;
    struct plan_text f;

    assert_false(
        plan_text_parse(&f, "exporters:\n"
                            "  a: { type: webhook, url: 'http://h', username: u, password: p }\n"
                            "  b: { type: influxdb, url: 'http://h', token: t }\n"));
    assert_int_equal(f.err.pos.line, 3);
    plan_text_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_list_spellings),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_find_target),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_release_after_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
