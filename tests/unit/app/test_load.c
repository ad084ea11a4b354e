/* Configs and rules that are right alone and wrong together, with all that is said about them. */
#include "app/load.h"

#include "base/fs.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define PROM "datasource: { url: 'http://127.0.0.1:9' }\nrules: [ r.yaml ]\n"
#define PROFILES "receive: { profiles: true }\n"
#define HOOK "exporters: { hook: { type: webhook, url: 'http://127.0.0.1:9' } }\n"
#define RULE(annotations)                                             \
    "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n" \
    "    labels: { export_to_datastore: \"true\" }\n    annotations: { " annotations " }\n"

static const struct {
    const char *config;
    const char *rules; /* NULL: none */
    const char *problems;
} cases[] = {
    {PROM HOOK, RULE("export_datastore: hook"), ""},
    {PROFILES
     "exporters:\n  h: { type: http, url: 'http://127.0.0.1:9',\n    payload: { v: '{{ .n }}' } }\n",
     NULL,
     "warning: t.yaml:4:5: exporter 'h' gets spans and profiles, each with this payload; where it is made for one kind, a "
     "route such as { match: 'kind == \"profile\"', to: [ h ] } chooses those\n"
     "        payload: { v: '{{ .n }}' } }\n"
     "        ^~~~~~~\n"},
    {PROFILES
     "exporters: { h: { type: http, url: 'http://127.0.0.1:9', payload: { v: '{{ .kind }}' } } }\n",
     NULL, ""},
    {PROFILES "exporters: { h: { type: http, url: 'http://127.0.0.1:9', payload: '{{ .n }}' } }\n"
              "routes: [ { match: 'kind == \"profile\"', to: [ h ] } ]\n",
     NULL, ""},
    {"receive: { alerts: true }\n"
     "exporters: { h: { type: http, url: 'http://127.0.0.1:9', payload: '{{ .alert_name }}' } }\n",
     NULL, ""},
    {PROM HOOK, RULE("export_datastore: webhook"), ""},
    {"receive: { events: true }\n"
     "exporters: { db: { type: sqlite, path: t.db } }\n"
     "events:\n"
     "  a: { metadata: { cluster: c }, to: db }\n"
     "  b: { metadata: { cluster: c }, to: db, buffer: true }\n"
     "  c: { metadata: { cluster: c }, to: db, enabled: false }\n"
     "  d: { metadata: { cluster: c }, sink: { endpoint: 'http://127.0.0.1:9' } }\n",
     NULL,
     "warning: t.yaml:4:34: stream 'a' writes rows at least once: after a kill some are there twice; with `buffer: true` "
     "rows and position are one transaction, and each row is there once\n"
     "      a: { metadata: { cluster: c }, to: db }\n"
     "                                     ^~\n"},
    {"rules: [ r.yaml ]\n" HOOK, RULE(""),
     "t.yaml:1:1: there are rules but no datasource to ask; add 'datasource: { url: ... }'\n"
     "    rules: [ r.yaml ]\n"
     "    ^~~~~\n"},
    {PROM, RULE(""),
     "warning: t.yaml:2:1: there are rules but no exporters: what they find is shown on the status page and goes "
     "nowhere\n"
     "    rules: [ r.yaml ]\n"
     "    ^~~~~\n"},
    {PROM HOOK, RULE("export_datastore: influxdb"),
     "r.yaml:7:38: group 'g': alert 'A': export_datastore: there is no exporter named 'influxdb' and none of that "
     "type; add one below 'exporters'\n"
     "        annotations: { export_datastore: influxdb }\n"
     "                                         ^~~~~~~~\n"},
    {PROM "exporters:\n  a: { type: webhook, url: 'http://127.0.0.1:9' }\n"
          "  b: { type: webhook, url: 'http://127.0.0.1:9' }\n",
     RULE("export_datastore: webhook"),
     "r.yaml:7:38: group 'g': alert 'A': export_datastore: 'webhook' is the type of several exporters; name the one "
     "that is meant\n"
     "        annotations: { export_datastore: webhook }\n"
     "                                         ^~~~~~~\n"},
    {PROM "exporters: { rw: { type: remote_write, url: 'http://127.0.0.1:9' } }\n",
     RULE("export_datastore: rw"),
     "r.yaml:7:38: group 'g': alert 'A': exporter 'rw' of type remote_write does not take alerts\n"
     "        annotations: { export_datastore: rw }\n"
     "                                         ^~\n"},
    {PROM "exporters: { am: { type: alertmanager, url: 'http://127.0.0.1:9' } }\n",
     RULE("export_datastore: am"),
     "r.yaml:7:38: group 'g': alert 'A': exporter 'am' of type alertmanager keeps the state of all alerts and takes "
     "no single exports; leave export_datastore away and route alerts to it\n"
     "        annotations: { export_datastore: am }\n"
     "                                         ^~\n"},
    {"exporters:\n  a: { type: webhook, url: 'http://127.0.0.1:9' }\n"
     "  b: { type: webhook, url: 'http://127.0.0.1:9' }\nroutes:\n- { to: [ a ] }\n- { to: [ a ] }\n",
     NULL,
     "warning: t.yaml:3:3: exporter 'b' gets nothing: no route and no rule names it\n"
     "      b: { type: webhook, url: 'http://127.0.0.1:9' }\n"
     "      ^\n"
     "warning: t.yaml:6:3: this route is never reached: the one before it takes everything; give that a 'match' or "
     "'continue: true'\n"
     "    - { to: [ a ] }\n"
     "      ^~~~~~~~~~~~~\n"},
    {"exporters:\n- { name: a, type: webhook, url: 'http://127.0.0.1:9' }\n"
     "- { name: b, type: webhook, url: 'http://127.0.0.1:9' }\nroutes:\n- { to: [ a ] }\n",
     NULL,
     "warning: t.yaml:3:3: exporter 'b' gets nothing: no route and no rule names it\n"
     "    - { name: b, type: webhook, url: 'http://127.0.0.1:9' }\n"
     "      ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"},
    /* A wrong config does not hide what is wrong in the rules. */
    {PROM "exporters: { hook: { type: webhook, url: 5 } }\n", "groups: 5\n",
     "t.yaml:3:42: exporter 'hook': url: expected a URL that begins with http:// or https://\n"
     "    exporters: { hook: { type: webhook, url: 5 } }\n"
     "                                             ^\n"
     "r.yaml:1:9: expected a list of groups, found the text '5'\n"
     "    groups: 5\n"
     "            ^\n"},
    {"exporters: { a: { type: webhook, url: 'http://127.0.0.1:9' } }\n"
     "routes: [ { match: 'kind == \"alrt\"', to: [ a ] } ]\n",
     NULL,
     "warning: t.yaml:2:21: this never holds: kind is one of sample, alert, event, span, profile\n"
     "    routes: [ { match: 'kind == \"alrt\"', to: [ a ] } ]\n"
     "                        ^~~~~~~~~~~~~~\n"},
    {"exporters:\n  a: { type: webhook, url: 'http://127.0.0.1:9' }\n"
     "  c: { type: conditional, conditions: [ { condition: kind != \"alrt\", exporter: a } ] }\n",
     NULL,
     "warning: t.yaml:3:54: this always holds: kind is one of sample, alert, event, span, profile\n"
     "      c: { type: conditional, conditions: [ { condition: kind != \"alrt\", exporter: a } ] }\n"
     "                                                         ^~~~~~~~~~~~~~\n"},
    {"exporters:\n  x: { type: file, output_directory: o }\n"
     "  y: { type: file, output_directory: o }\n"
     "  c: { type: file, output_directory: ./o/, filename: x.jsonl }\n",
     NULL,
     "warning: t.yaml:4:3: exporters 'x' and 'c' write to the same file, o/x.jsonl: their records get mixed, and each "
     "waits for the other; give one of them another filename\n"
     "      c: { type: file, output_directory: ./o/, filename: x.jsonl }\n"
     "      ^\n"},
    {"exporters:\n  x: { type: file, output_directory: o, filename_template: 'p-{date}' }\n"
     "  y: { type: file, output_directory: o, filename_template: 'p-{date}', compression: gzip }\n"
     "  z: { type: file, output_directory: o, filename_template: 'p-{date}-{name}' }\n"
     "  w: { type: file, output_directory: o, filename_template: 'p-{date}-{name}' }\n"
     "  c: { type: file, output_directory: ./o/, filename_template: 'p-{date}.jsonl' }\n",
     NULL,
     "warning: t.yaml:6:3: exporters 'x' and 'c' make files of the same names, o/p-{date}.jsonl: the second gets -1, and "
     "no name says whose it is; say {name} in filename_template, or give one of them another output_directory\n"
     "      c: { type: file, output_directory: ./o/, filename_template: 'p-{date}.jsonl' }\n"
     "      ^\n"},
    {"state: { path: t.yaml/data }\n", NULL,
     "t.yaml:1:1: the state folder 't.yaml/data' cannot be made or written: 't.yaml': Not a directory\n"
     "    state: { path: t.yaml/data }\n"
     "    ^~~~~\n"},
    {"server: { listen: everywhere }\n", NULL,
     "t.yaml:1:19: cannot listen on 'everywhere': expected host:port, [address]:port or :port\n"
     "    server: { listen: everywhere }\n"
     "                      ^~~~~~~~~~\n"},
    {"server: { listen: 127.0.0.1:99999 }\n", NULL,
     "t.yaml:1:19: cannot listen on '127.0.0.1:99999': the port is above 65535\n"
     "    server: { listen: 127.0.0.1:99999 }\n"
     "                      ^~~~~~~~~~~~~~~\n"},
    {"server: { tls: { cert_file: a.pem } }\n", NULL,
     "t.yaml:1:1: tls: 'cert_file' and 'key_file' belong together\n"
     "    server: { tls: { cert_file: a.pem } }\n"
     "    ^~~~~~\n"},
    {"datasource: { url: 'http://127.0.0.1:9', username: u, bearer_token: t }\n", NULL,
     "t.yaml:1:1: 'username' and 'bearer_token' both want to be the Authorization header: keep one\n"
     "    datasource: { url: 'http://127.0.0.1:9', username: u, bearer_token: * }\n"
     "    ^~~~~~~~~~\n"},
    {"exporters: { a: { type: webhook, url: 'http://127.0.0.1:9', auth: { type: basic } } }\n",
     NULL,
     "t.yaml:1:14: exporter 'a': auth: this type needs 'username'\n"
     "    exporters: { a: { type: webhook, url: 'http://127.0.0.1:9', auth: { type: basic } } }\n"
     "                 ^\n"},
    {"rules: [ nothing.yaml ]\n", NULL,
     "t.yaml:1:1: cannot open nothing.yaml: No such file or directory\n"
     "    rules: [ nothing.yaml ]\n"
     "    ^~~~~\n"},
    {"rules: [ none-*.yaml ]\n", NULL,
     "warning: t.yaml:1:1: no rule file matches none-*.yaml\n"
     "    rules: [ none-*.yaml ]\n"
     "    ^~~~~\n"},
};

static const char *no_variable(void *arg, const char *name)
{
    (void)arg;
    (void)name;
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

static void write_file(const char *name, const char *text)
{
    struct err e = ERR_INIT;

    (void)unlink(name);
    if (text != NULL && !fs_replace_file(fs_system(), str_of(name), str_of(text), &e)) {
        fail_msg("%s", e.message);
    }
}

static bool gets_its_problems(size_t i)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct problems problems = {.report = collect, .arg = &out};
    struct load_input input = {.config_path = STR("t.yaml"),
                               .environment = {.lookup = no_variable}};
    struct loaded l = {0};
    struct err e = ERR_INIT;

    write_file("t.yaml", cases[i].config);
    write_file("r.yaml", cases[i].rules);
    bool ok = load_all(&input, &problems, &l, &e);
    bool right = ok == (problems.errors == 0) && ok == (e.code == ERR_NONE) &&
                 str_eq(buf_str(&out), str_of(cases[i].problems));
    if (!right) {
        print_error("case %zu:\n%sgave:\n%s", i, cases[i].config, buf_text(&out));
    }
    loaded_release(&l);
    return right;
}

static void wrong_together(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        wrong += !gets_its_problems(i);
    }
    assert_int_equal(wrong, 0);
}

static void rules_alone(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct problems problems = {.report = collect, .arg = &out};
    const struct str files[] = {STR("r.yaml")};
    struct load_input input = {.rules = files,
                               .rule_count = 1,
                               .rules_alone = true,
                               .environment = {.lookup = no_variable}};
    struct loaded l = {0};
    struct err e = ERR_INIT;

    (void)state;
    write_file("r.yaml", RULE("export_datastore: nobody"));
    assert_true(load_all(&input, &problems, &l, &e));
    assert_int_equal(l.rules->rule_count, 1);
    assert_int_equal(out.len, 0);
    loaded_release(&l);
}

static int enter_folder(void **state)
{
    static char folder[] = "/tmp/telex-test-load-XXXXXX";

    *state = folder;
    return mkdtemp(folder) != NULL ? chdir(folder) : -1;
}

static int leave_folder(void **state)
{
    write_file("t.yaml", NULL);
    write_file("r.yaml", NULL);
    return chdir("/") == 0 ? rmdir(*state) : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wrong_together),
                                       cmocka_unit_test(rules_alone)};

    return cmocka_run_group_tests(tests, enter_folder, leave_folder);
}
