/* What good configs become; the broken ones are in test_config_broken.c. */
#include "app/config.h"

#include "base/secret.h"
#include "model/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the kit ---- */

struct variable {
    const char *name;
    const char *value;
};

static const char *lookup(void *arg, const char *name)
{
    for (const struct variable *v = arg; v != NULL && v->name != NULL; v++) {
        if (str_eq(str_of(v->name), str_of(name))) {
            return v->value;
        }
    }
    return NULL;
}

static void collect(void *arg, bool is_warning, const struct err *e)
{
    struct buf *out = arg;

    if (is_warning) {
        buf_add_text(out, "warning: ");
    }
    err_print(e, out);
    if (!str_ends(buf_str(out), STR("\n"))) {
        buf_add_byte(out, '\n');
    }
}

/* Reads <text>; what is wrong goes to <out>. */
static struct config *read_text(const char *text, const struct variable *variables, struct buf *out)
{
    struct config_environment environment = {.lookup = lookup, .arg = (void *)(uintptr_t)variables};
    struct problems problems = {.report = collect, .arg = out};
    struct config *c = NULL;
    struct err e = ERR_INIT;

    bool ok = config_parse(STR("t.yaml"), str_of(text), &environment, &problems, &c, &e);
    assert_int_equal(ok, problems.errors == 0);
    assert_int_equal(ok, e.code == ERR_NONE);
    return c;
}

static struct config *must_read(const char *text, const struct variable *variables)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct config *c = read_text(text, variables, &out);

    if (c == NULL) {
        fail_msg("%s", buf_text(&out));
    }
    return c;
}

/* ---- what is right ---- */

static void nothing_is_a_config(void **state)
{
    static const char *const texts[] = {"", "# nothing\n", "{}", "---\n{}\n",
                                        "rules: []\nexporters:\n"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(config_autounref) struct config *c = must_read(texts[i], NULL);
        const struct settings *s = &c->settings;
        assert_true(str_eq(s->server.listen, STR("127.0.0.1:8420")));
        assert_true(str_eq(s->state.path, STR("data")));
        assert_int_equal(s->evaluation_interval_ns, 60 * NS_PER_S);
        assert_int_equal(s->shutdown_timeout_ns, 15 * NS_PER_S);
        assert_int_equal(s->log.level, TRACE_INFO);
        assert_int_equal(s->log.format, TRACE_LOGFMT);
        assert_null(c->datasource);
        assert_int_equal(c->plan.output_count, 0);
        assert_int_equal(s->rules.count, 0);
        assert_non_null(c->external_labels);
    }
}

static void sections_are_read(void **state)
{
    (void)state;
    AUTO(config_autounref) struct config *c = must_read(
        "server: { listen: '127.0.0.1:9', admin_token: t0p, allowed_hosts: [ a.example ] }\n"
        "state: { path: /var/lib/telex }\n"
        "datasource: { url: 'http://127.0.0.1:9090', dialect: metricsql, query_timeout: 5s }\n"
        "rules: [ rules/*.yaml, more.yaml ]\n"
        "evaluation_interval: 10s\n"
        "external_labels: { site: b, cluster: a }\n"
        "external_url: https://telex.example\n"
        "exporters:\n"
        "  hook: { type: webhook, url: 'http://127.0.0.1:1' }\n"
        "  other: { type: webhook, url: 'http://127.0.0.1:2' }\n"
        "routes:\n"
        "- { match: 'kind == \"alert\"', to: [ hook ], continue: true }\n"
        "- { to: [ other ] }\n"
        "log: { level: warn, format: json, levels: { rules: debug } }\n"
        "memory: { limit: 1GiB }\n"
        "shutdown_timeout: 3s\n",
        NULL);
    const struct settings *s = &c->settings;
    struct rule_options rules = config_rule_options(c);

    assert_true(str_eq(s->server.listen, STR("127.0.0.1:9")));
    assert_true(secret_equals(s->server.admin_token, STR("t0p")));
    assert_true(str_eq(s->state.path, STR("/var/lib/telex")));
    assert_true(str_eq(c->plan.state_path, STR("/var/lib/telex")));
    assert_string_equal(c->datasource_kind->name, "prometheus");
    assert_int_equal(c->datasource->query_timeout_ns, 5 * NS_PER_S);
    assert_int_equal(rules.dialect, PROMQL_METRICSQL);
    assert_int_equal(rules.interval_ns, 10 * NS_PER_S);
    assert_int_equal(s->rules.count, 2);
    assert_true(str_eq(labels_get(c->external_labels, STR("cluster")), STR("a")));
    assert_int_equal(c->external_labels->count, 2);
    assert_int_equal(c->plan.output_count, 2);
    assert_int_equal(c->plan.route_count, 2);
    assert_int_equal(c->plan.routes[0].to, 1);
    assert_true(c->plan.routes[0].also_next);
    assert_int_equal(c->plan.routes[1].to, 2);
    assert_int_equal(s->log.level, TRACE_WARN);
    assert_int_equal(s->memory.limit_bytes, INT64_C(1) << 30);
}

/* The list form of the exporters, with `config`, means the same. */
static void exporters_as_list(void **state)
{
    (void)state;
    AUTO(config_autounref) struct config *c = must_read("exporters:\n"
                                                        "- name: hook\n"
                                                        "  type: webhook\n"
                                                        "  config: { url: 'http://127.0.0.1:1' }\n",
                                                        NULL);
    assert_int_equal(c->plan.output_count, 1);
    assert_true(str_eq(c->plan.outputs[0].name, STR("hook")));
    assert_string_equal(c->plan.outputs[0].kind->name, "webhook");
}

static void environment_overrides(void **state)
{
    static const struct variable variables[] = {{"TELEX_SERVER_LISTEN", ":1"},
                                                {"TELEX_STATE_PATH", "/elsewhere"},
                                                {"TELEX_DATASOURCE_URL", "http://127.0.0.1:9090"},
                                                {"TELEX_EVALUATION_INTERVAL", "5s"},
                                                {"TELEX_LOG_LEVEL", "debug"},
                                                {"TELEX_RULES", "a.yaml,b.yaml"},
                                                {"TELEX_EXPORTER_HOOK_URL", "http://127.0.0.1:7"},
                                                {0}};

    (void)state;
    AUTO(config_autounref) struct config *c =
        must_read("server: { listen: ':2' }\nexporters: { hook: { type: webhook } }\n", variables);
    assert_true(str_eq(c->settings.server.listen, STR(":1")));
    assert_true(str_eq(c->settings.state.path, STR("/elsewhere")));
    assert_non_null(c->datasource);
    assert_int_equal(c->settings.evaluation_interval_ns, 5 * NS_PER_S);
    assert_int_equal(c->settings.log.level, TRACE_DEBUG);
    assert_int_equal(c->settings.rules.count, 2);
    assert_int_equal(c->plan.output_count, 1);
}

/* A deployment's variable names the file with the exporters; those of the config go before it. */
static void a_variable_names_the_exporters_file(void **state)
{
    char path[] = "/tmp/telex-exporters-XXXXXX";
    const char text[] =
        "exporters:\n"
        "  - { name: hook, type: webhook, config: { url: 'http://127.0.0.1:1' } }\n";
    int fd = mkstemp(path);
    const struct variable variables[] = {{"PROFILING_EXPORTERS_CONFIG", path}, {0}};

    (void)state;
    assert_true(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1);
    (void)close(fd);
    AUTO(config_autounref) struct config *c = must_read("", variables);
    assert_int_equal(c->plan.output_count, 1);
    assert_true(str_eq(c->plan.outputs[0].name, STR("hook")));
    AUTO(config_autounref)
    struct config *own =
        must_read("exporters: { mine: { type: webhook, url: 'http://h' } }\n", variables);
    assert_true(str_eq(own->plan.outputs[0].name, STR("mine")));
    (void)unlink(path);
}

/* Variables alone make an exporter, and its errors name them. */
static void variables_make_an_exporter(void **state)
{
    static const struct variable variables[] = {{"PROFILING_INFLUXDB_URL", "http://127.0.0.1:1"},
                                                {"PROFILING_INFLUXDB_DATABASE", "d"},
                                                {"PROFILING_INFLUXDB_RETRY_MAX_DELAY_SECONDS", "5"},
                                                {0}};

    (void)state;
    AUTO(config_autounref) struct config *c = must_read("", variables);
    assert_int_equal(c->plan.output_count, 1);
    assert_true(str_eq(c->plan.outputs[0].name, STR("influxdb")));
    assert_int_equal(c->plan.outputs[0].delivery.retry.backoff.max_delay_ns, 5 * NS_PER_S);
}

static void log_levels_reach_the_sink(void **state)
{
    (void)state;
    AUTO(config_autounref) struct config *c =
        must_read("log: { level: error, levels: { rules: debug } }\n", NULL);
    struct trace_sink *sink = trace_sink_new(-1, TRACE_LOGFMT, clock_system());
    struct trace rules;
    struct trace others;

    config_apply_log(c, sink);
    trace_init(&rules, sink, "rules", TRACE_INFO);
    trace_init(&others, sink, "others", TRACE_INFO);
    assert_true(trace_is_on(&rules, TRACE_DEBUG));
    assert_false(trace_is_on(&others, TRACE_WARN));
    trace_sink_free(sink);
}

static void a_missing_file_is_a_problem(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct config_environment environment = {.lookup = lookup};
    struct problems problems = {.report = collect, .arg = &out};
    struct config *c = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_false(config_load(STR("/nowhere/telex.yaml"), &environment, &problems, &c, &e));
    assert_int_equal(problems.errors, 1);
    assert_true(str_find(buf_str(&out), STR("/nowhere/telex.yaml")) < out.len);
    assert_true(config_load(STR_NONE, &environment, &problems, &c, &e));
    config_unref(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_config),
        cmocka_unit_test(sections_are_read),
        cmocka_unit_test(exporters_as_list),
        cmocka_unit_test(environment_overrides),
        cmocka_unit_test(a_variable_names_the_exporters_file),
        cmocka_unit_test(variables_make_an_exporter),
        cmocka_unit_test(log_levels_reach_the_sink),
        cmocka_unit_test(a_missing_file_is_a_problem),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
