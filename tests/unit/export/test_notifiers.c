/* Configs of vmalert and Prometheus, made into exporters, which then read them. */
#include "export/notifiers.h"

#include "base/options.h"
#include "export/exporter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* A node in one line: {a: [b, "c"], d: e}. */
static void print(const struct yaml_node *node, struct buf *out)
{
    static const char *const open[] = {"", "[", "{"};
    static const char *const end[] = {"", "]", "}"};

    buf_add_text(out, open[node->kind]);
    buf_add_str(out, node->text);
    for (const struct yaml_node *n = node->first; n != NULL; n = n->next) {
        buf_add_text(out, n == node->first ? "" : ", ");
        if (node->kind == YAML_MAPPING) {
            buf_addf(out, "%.*s: ", STR_FMT(n->key));
        }
        print(n, out);
    }
    buf_add_text(out, end[node->kind]);
}

static const char *no_variables(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

/* Does the exporter take each of them? */
static bool read_all(const struct yaml_node *exporters, struct arena *a, struct err *e)
{
    const struct exporter_kind *kind = exporter_kind_find(STR("alertmanager"));
    const struct option_source source = {.lookup = no_variables};

    for (const struct yaml_node *n = exporters->first; n != NULL; n = n->next) {
        void *config = arena_alloc0(a, 1, kind->options->config_size);
        if (!options_parse(kind->options, n, &source, a, config, e)) {
            return false;
        }
        bool ok = kind->check(config, n, e);
        options_release(kind->options, config);
        if (!ok) {
            return false;
        }
    }
    return true;
}

struct row {
    bool is_vmalert;
    const char *yaml;
    const char *want; /* the exporters, or a part of the error */
};

static const struct row rows[] = {
    {true, "static_configs: [{targets: [a:1, b:2]}]",
     "{alertmanager-1: {type: alertmanager, static_configs: [{targets: [a:1, b:2]}]}}"},
    {true,
     "scheme: https\npath_prefix: /p\ntimeout: 3s\nheaders: ['X-A: b: c']\n"
     "basic_auth: {username: u, password: p}\n"
     "alert_relabel_configs: [{action: labeldrop, regex: all}]\n"
     "static_configs:\n- targets: [a:1]\n- targets: [b:1]\n  bearer_token: t\n"
     "  alert_relabel_configs: [{action: labeldrop, regex: own}]\n",
     "{alertmanager-1: {type: alertmanager, static_configs: [{targets: [a:1]}], scheme: https, "
     "path_prefix: /p, timeout: 3s, headers: {X-A: b: c}, basic_auth: {username: u, password: p}, "
     "alert_relabel_configs: [{action: labeldrop, regex: all}]}, "
     "alertmanager-2: {type: alertmanager, static_configs: [{targets: [b:1]}], bearer_token: t, "
     "scheme: https, path_prefix: /p, timeout: 3s, headers: {X-A: b: c}, "
     "alert_relabel_configs: [{action: labeldrop, regex: all}, {action: labeldrop, regex: own}]}}"},
    {true,
     "dns_sd_configs: [{names: [n], alert_relabel_configs: [{action: labeldrop, regex: x}]}]\n"
     "consul_sd_configs: [{server: s, services: [am], basic_auth: {username: u}}]\n",
     "{alertmanager-1: {type: alertmanager, dns_sd_configs: [{names: [n]}], "
     "alert_relabel_configs: [{action: labeldrop, regex: x}]}, "
     "alertmanager-2: {type: alertmanager, consul_sd_configs: [{server: s, services: [am], "
     "basic_auth: {username: u}}]}}"},
    {true, "scheme: http", "names no notifier"},
    {true, "static_configs: {targets: [a]}", "expected a list"},
    {true, "static_configs: [a]", "expected a mapping"},
    {true, "static_configs: [{targets: [a], target: b}]", "unknown option 'target'"},
    {true, "statics: 1\nstatic_configs: [{targets: [a]}]", "unknown option 'statics'"},
    {true, "headers: [nonsense]\nstatic_configs: [{targets: [a]}]", "expected a header"},
    {false,
     "alert_relabel_configs: [{action: labeldrop, regex: all}]\n"
     "alertmanagers:\n- api_version: v2\n  follow_redirects: true\n"
     "  static_configs: [{targets: [a:1], labels: {x: y}}]\n"
     "  file_sd_configs: [{files: [f.yml], refresh_interval: 5m}]\n"
     "- http_sd_configs: [{url: 'http://h', enable_http2: false}]\n"
     "  alert_relabel_configs: [{action: labeldrop, regex: own}]\n",
     "{alertmanager-1: {type: alertmanager, static_configs: [{targets: [a:1], labels: {x: y}}], "
     "file_sd_configs: [{files: [f.yml], refresh_interval: 5m}], api_version: v2, "
     "alert_relabel_configs: [{action: labeldrop, regex: all}]}, "
     "alertmanager-2: {type: alertmanager, http_sd_configs: [{url: http://h}], "
     "alert_relabel_configs: [{action: labeldrop, regex: all}, {action: labeldrop, regex: own}]}}"},
    {false, "alertmanagers: []", "{}"},
    {false, "alertmanagers:", "{}"},
    {false, "alertmanagers: [{api_version: v1, static_configs: [{targets: [a]}]}]", "v2"},
    {false, "alertmanagers: [{kubernetes_sd_configs: [{role: pod}]}]",
     "unknown option 'kubernetes_sd_configs'"},
    {false, "alert_managers: []", "unknown key 'alert_managers'"},
    {false, "alertmanagers: {}", "expected a list"},
};

static void check_row(const struct row *row)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    const struct yaml_source source = {STR("f.yml"), str_of(row->yaml)};
    const struct yaml_node *documents = NULL;
    const struct yaml_node *exporters = NULL;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(yaml_parse(&a, &source, &documents, &e));
    bool ok = (row->is_vmalert ? notifiers_from_vmalert
                               : notifiers_from_prometheus)(documents->first, &a, &exporters, &e) &&
              read_all(exporters, &a, &e);
    if (ok) {
        print(exporters, &got);
        assert_string_equal(buf_text(&got), row->want);
    } else if (strstr(e.message, row->want) == NULL || e.pos.line == 0) {
        fail_msg("%s: %u: %s", row->yaml, e.pos.line, e.message);
    }
}

static void configs_become_exporters(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check_row(&rows[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(configs_become_exporters)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
