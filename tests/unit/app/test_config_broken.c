/* Broken configs: what stands there, and everything that is said about it, place and caret included. */
#include "app/config.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *problems;
} broken[] = {
    {"- a\n"
     "- b\n",
     "t.yaml:1:1: expected sections, such as 'datasource: { url: http://127.0.0.1:9090 }'\n"
     "    - a\n"
     "    ^~~\n"},
    {"server\n",
     "t.yaml:1:1: expected sections, such as 'datasource: { url: http://127.0.0.1:9090 }'\n"
     "    server\n"
     "    ^~~~~~\n"},
    {"sever: { listen: ':1' }\n",
     "t.yaml:1:1: unknown option 'sever' of telex.yaml: did you mean 'server'?\n"
     "    sever: * ******* **** *\n"
     "    ^~~~~\n"},
    {"server: { lisen: ':1' }\n",
     "t.yaml:1:11: unknown option 'lisen' of server: did you mean 'listen'?\n"
     "    server: { lisen: **** *\n"
     "              ^~~~~\n"},
    {"server: [ ':1' ]\n", "t.yaml:1:9: expected the options of server, found a list\n"
                           "    server: [ ':1' ]\n"
                           "            ^~~~~~~~\n"},
    {"server: { threads: many }\n", "t.yaml:1:20: threads: expected a whole number, found 'many'\n"
                                    "    server: { threads: many }\n"
                                    "                       ^~~~\n"},
    {"server: { threads: 0 }\n", "t.yaml:1:20: threads: must be at least 1\n"
                                 "    server: { threads: 0 }\n"
                                 "                       ^\n"},
    {"server: { listen: ':1', listen: ':2' }\n",
     "t.yaml:1:25: duplicate key 'listen': the first one is in line 1\n"
     "    server: { listen: ':1', listen: ':2' }\n"
     "                            ^~~~~~\n"},
    {"server:\n"
     "\tlisten: ':1'\n",
     "t.yaml:2:1: a tab is used as indentation: use spaces\n"
     "    \tlisten: ':1'\n"
     "    ^\n"},
    {"server: { listen: ':1'\n",
     "t.yaml:2:1: expected ',' or '}' of the mapping, which begins in line 1\n"},
    {"state: { path: data, snapshot_interval: soon }\n",
     "t.yaml:1:41: snapshot_interval: 'soon' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "    state: { path: data, snapshot_interval: soon }\n"
     "                                            ^~~~\n"},
    {"state: { snapshot_bytes: 12 }\n", "t.yaml:1:26: snapshot_bytes: must be at least 64KiB\n"
                                        "    state: { snapshot_bytes: 12 }\n"
                                        "                             ^~\n"},
    {"datasource: http://127.0.0.1:9090\n",
     "t.yaml:1:13: expected a datasource, such as '{ url: http://127.0.0.1:9090 }'\n"
     "    datasource: http://127.0.0.1:9090\n"
     "                ^~~~~~~~~~~~~~~~~~~~~\n"},
    /* What names a broken exporter is not said to be broken as well. */
    {"exporters:\n"
     "  a: { type: fiel }\n"
     "  b: { type: buffer, exporter: a }\n"
     "  c: { type: multi, exporters: [b] }\n",
     "t.yaml:2:14: unknown exporter type 'fiel'; did you mean 'file'?\n"
     "      a: { type: fiel }\n"
     "                 ^~~~\n"},
    /* One look shows all, and not what only follows. */
    {"server: { threads: 0, threds: 1 }\n"
     "datasource: { url: nohttp, timeout: never }\n"
     "exporters:\n"
     "  y: { type: webhook, url: 'http://h', retry: { max_retries: -1, max_age: x } }\n"
     "  z: { type: influxdb, timeout: never, database: d }\n",
     "t.yaml:1:23: unknown option 'threds' of server: did you mean 'threads'?\n"
     "    server: { threads: 0, threds: * *\n"
     "                          ^~~~~~\n"
     "t.yaml:1:20: threads: must be at least 1\n"
     "    server: { threads: 0, threds: 1 }\n"
     "                       ^\n"
     "t.yaml:2:20: url: expected a URL that begins with http:// or https://\n"
     "    datasource: { url: nohttp, timeout: never }\n"
     "                       ^~~~~~\n"
     "t.yaml:2:37: timeout: 'never' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "    datasource: { url: nohttp, timeout: never }\n"
     "                                        ^~~~~\n"
     "t.yaml:4:62: exporter 'y': max_retries: must not be negative\n"
     "      y: { type: webhook, url: 'http://h', retry: { max_retries: -1, max_age: x } }\n"
     "                                                                 ^~\n"
     "t.yaml:4:75: exporter 'y': max_age: 'x' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "      y: { type: webhook, url: 'http://h', retry: { max_retries: -1, max_age: x } }\n"
     "                                                                              ^\n"
     "t.yaml:5:33: exporter 'z': timeout: 'never' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "      z: { type: influxdb, timeout: never, database: d }\n"
     "                                    ^~~~~\n"
     "t.yaml:5:3: exporter 'z': exporter influxdb needs 'url' (or 'endpoint'): add it here, or set TELEX_EXPORTER_Z_URL\n"
     "      z: { type: influxdb, timeout: never, database: d }\n"
     "      ^\n"},
    {"exporters:\n"
     "  y: { type: webhook, url: 'http://h', headers: 5 }\n"
     "  n: { type: multi, exporters: [ y, nobody ] }\n"
     "  m: { type: multi, exporters: [ y ], min_success_count: 5 }\n"
     "  l: { type: resilient, exporter: n }\n"
     "routes:\n"
     "  - { to: [ nobody ] }\n"
     "  - { match: 'a ==', to: [ n ], bogus: 2 }\n"
     "  - { to: [ y, l ] }\n",
     "t.yaml:2:49: exporter 'y': headers: expected a mapping of names to texts, found '5'\n"
     "      y: { type: webhook, url: 'http://h', headers: 5 }\n"
     "                                                    ^\n"
     "t.yaml:3:37: exporter 'n': there is no exporter named 'nobody'\n"
     "      n: { type: multi, exporters: [ y, nobody ] }\n"
     "                                        ^~~~~~\n"
     "t.yaml:4:58: exporter 'm': 'm' wants 5 of its exporters to have a record, but has 1\n"
     "      m: { type: multi, exporters: [ y ], min_success_count: 5 }\n"
     "                                                             ^\n"
     "t.yaml:7:13: in a route: there is no exporter named 'nobody'\n"
     "      - { to: [ nobody ] }\n"
     "                ^~~~~~\n"
     "t.yaml:8:19: in a route: expected a field, a text or a number, found the end\n"
     "      - { match: 'a ==', to: [ n ], bogus: 2 }\n"
     "                      ^\n"
     "t.yaml:8:33: in a route: unknown key 'bogus'; expected match, to or continue\n"
     "      - { match: 'a ==', to: [ n ], bogus: 2 }\n"
     "                                    ^~~~~\n"},
    {"datasource: { type: prometeus, url: 'http://a' }\n",
     "t.yaml:1:21: unknown datasource type 'prometeus'; did you mean 'prometheus'?\n"
     "    datasource: { type: prometeus, url: 'http://a' }\n"
     "                        ^~~~~~~~~\n"},
    {"datasource: { type: graphite2, url: 'http://a' }\n",
     "t.yaml:1:21: unknown datasource type 'graphite2'; did you mean 'graphite'?\n"
     "    datasource: { type: graphite2, url: 'http://a' }\n"
     "                        ^~~~~~~~~\n"},
    {"datasource: { }\n",
     "t.yaml:1:1: datasource prometheus needs 'url' (or 'endpoint'): add it here, or set TELEX_DATASOURCE_URL\n"
     "    datasource: { }\n"
     "    ^~~~~~~~~~\n"},
    {"datasource: { url: 'ftp://a' }\n",
     "t.yaml:1:20: url: expected a URL that begins with http:// or https://\n"},
    {"datasource: { url: 'http://u:p@a' }\n",
     "t.yaml:1:20: url: a URL cannot hold a user or password, since URLs are logged: use the options for credentials\n"},
    {"datasource:\n"
     "  url: http://127.0.0.1:9090\n"
     "  timeout: 10 parsecs\n",
     "t.yaml:3:12: timeout: unknown unit ' parsecs' in duration '10 parsecs': use ms, s, m, h, d, w or y\n"
     "      timeout: 10 parsecs\n"
     "               ^~~~~~~~~~\n"},
    {"datasource: { url: 'http://a', dialect: sql }\n",
     "t.yaml:1:41: dialect: expected prometheus or metricsql, found 'sql'\n"
     "    datasource: { url: 'http://a', dialect: sql }\n"
     "                                            ^~~\n"},
    {"rules: { a: b }\n", "t.yaml:1:8: rules: expected a list of texts, found a mapping\n"
                          "    rules: { a: b }\n"
                          "           ^~~~~~~~\n"},
    {"rules:\n"
     "- a.yaml\n"
     "- [ b ]\n",
     "t.yaml:3:3: rules: expected a text, found a list\n"
     "    - [ b ]\n"
     "      ^~~~~\n"},
    {"evaluation_interval: 0s\n", "t.yaml:1:22: evaluation_interval: must be at least 1ms\n"
                                  "    evaluation_interval: 0s\n"
                                  "                         ^~\n"},
    {"evaluation_interval: -5s\n", "t.yaml:1:22: evaluation_interval: must not be negative\n"
                                   "    evaluation_interval: -5s\n"
                                   "                         ^~~\n"},
    {"evaluation_interval: five\n",
     "t.yaml:1:22: evaluation_interval: 'five' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "    evaluation_interval: five\n"
     "                         ^~~~\n"},
    {"external_labels: [ a ]\n",
     "t.yaml:1:18: external_labels: expected a mapping of names to texts, found a list\n"
     "    external_labels: [ a ]\n"
     "                     ^~~~~\n"},
    {"external_labels: { 'a-b': c }\n",
     "t.yaml:1:20: 'a-b' is no label name; expected letters, digits and '_'\n"
     "    external_labels: { 'a-b': c }\n"
     "                       ^~~\n"},
    {"external_labels:\n"
     "  ok: 1\n"
     "  9x: 2\n",
     "t.yaml:3:3: '9x' is no label name; expected letters, digits and '_'\n"
     "      9x: 2\n"
     "      ^~\n"},
    {"external_url: telex.example\n",
     "t.yaml:1:15: external_url: expected a URL that begins with http:// or https://\n"
     "    external_url: telex.example\n"
     "                  ^~~~~~~~~~~~~\n"},
    {"exporters: hook\n",
     "t.yaml:1:12: expected exporters by name, such as 'archive: {type: file}', or a list\n"
     "    exporters: hook\n"
     "               ^~~~\n"},
    {"exporters: { hook: { url: 'http://a' } }\n",
     "t.yaml:1:20: this exporter has no 'type'; expected one, such as 'type: file'\n"
     "    exporters: { hook: { url: 'http://a' } }\n"
     "                       ^~~~~~~~~~~~~~~~~~~\n"},
    {"exporters: { hook: { type: webhok, url: 'http://a' } }\n",
     "t.yaml:1:28: unknown exporter type 'webhok'; did you mean 'webhook'?\n"
     "    exporters: { hook: { type: webhok, url: 'http://a' } }\n"
     "                               ^~~~~~\n"},
    {"exporters: { hook: { type: teleporter } }\n",
     "t.yaml:1:28: unknown exporter type 'teleporter'; 'telex exporters' lists them\n"
     "    exporters: { hook: { type: teleporter } }\n"
     "                               ^~~~~~~~~~\n"},
    {"exporters: { hook: { type: webhook } }\n",
     "t.yaml:1:14: exporter 'hook': exporter webhook needs 'url' (or 'endpoint'): add it here, or set TELEX_EXPORTER_HOOK_URL\n"
     "    exporters: { hook: { type: webhook } }\n"
     "                 ^~~~\n"},
    {"exporters: { hook: { type: webhook, urll: 'http://a' } }\n",
     "t.yaml:1:37: exporter 'hook': unknown option 'urll' of exporter webhook: did you mean 'url'?\n"
     "    exporters: { hook: { type: webhook, urll: ********** * *\n"
     "                                        ^~~~\n"},
    {"exporters: { 'a b': { type: webhook, url: 'http://a' } }\n",
     "t.yaml:1:14: 'a b' cannot be an exporter's name; expected up to 64 letters, digits, '-' or '_'\n"
     "    exporters: { 'a b': { type: webhook, url: 'http://a' } }\n"
     "                 ^~~\n"},
    {"exporters:\n"
     "- type: webhook\n"
     "  url: http://a\n",
     "t.yaml:2:3: expected an exporter with 'name' and 'type'\n"
     "    - type: webhook\n"
     "      ^~~~~~~~~~~~~\n"},
    {"exporters:\n"
     "- { name: a, type: webhook, url: 'http://a' }\n"
     "- { name: a, type: webhook, url: 'http://b' }\n",
     "t.yaml:3:11: 'a' is the name of another exporter already\n"
     "    - { name: a, type: webhook, url: 'http://b' }\n"
     "              ^\n"},
    {"exporters: { a: { type: webhook, url: 'http://a', retry: { initial_delay: 1s, max_dealy: 2s } } }\n",
     "t.yaml:1:79: exporter 'a': unknown option 'max_dealy' of retry: did you mean 'max_delay'?\n"
     "    exporters: { a: { type: webhook, url: 'http://a', retry: { initial_delay: 1s, max_dealy: ** * * *\n"
     "                                                                                  ^~~~~~~~~\n"},
    {"routes: all\n", "t.yaml:1:9: expected a list of routes\n"
                      "    routes: all\n"
                      "            ^~~\n"},
    {"routes:\n"
     "- { to: [ hook ] }\n",
     "t.yaml:2:11: in a route: there is no exporter named 'hook'\n"
     "    - { to: [ hook ] }\n"
     "              ^~~~\n"},
    {"exporters: { hook: { type: webhook, url: 'http://a' } }\n"
     "routes:\n"
     "- { to: [ hok ] }\n",
     "t.yaml:3:11: in a route: there is no exporter named 'hok'; did you mean 'hook'?\n"
     "    - { to: [ hok ] }\n"
     "              ^~~\n"},
    {"exporters: { hook: { type: webhook, url: 'http://a' } }\n"
     "routes:\n"
     "- { match: 'kind == \"alert\"' }\n",
     "t.yaml:3:3: this route goes nowhere; expected 'to: [NAME]'\n"
     "    - { match: 'kind == \"alert\"' }\n"
     "      ^~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"},
    {"exporters: { hook: { type: webhook, url: 'http://a' } }\n"
     "routes:\n"
     "- { macth: 'x', to: [ hook ] }\n",
     "t.yaml:3:5: in a route: unknown key 'macth'; expected match, to or continue\n"
     "    - { macth: 'x', to: [ hook ] }\n"
     "        ^~~~~\n"},
    {"exporters: { hook: { type: webhook, url: 'http://a' } }\n"
     "routes:\n"
     "- { to: [ hook ], continue: sometimes }\n",
     "t.yaml:3:29: in a route: expected true or false, found 'sometimes'\n"
     "    - { to: [ hook ], continue: sometimes }\n"
     "                                ^~~~~~~~~\n"},
    {"exporters: { hook: { type: webhook, url: 'http://a' } }\n"
     "routes:\n"
     "- match: kind == \"alert\" and\n"
     "  to: [ hook ]\n",
     "t.yaml:3:29: in a route: expected a field, a text or a number, found the end\n"
     "    - match: kind == \"alert\" and\n"
     "                                ^\n"},
    {"secrets: { path: [ a ] }\n", "t.yaml:1:18: expected a text, found a list\n"
                                   "    secrets: { path: [ a ] }\n"
                                   "                     ^~~~~\n"},
    {"server: { admin_token: { vault: x } }\n",
     "t.yaml:1:24: admin_token: expected a text, {file: path} or {env: NAME}\n"
     "    server: { admin_token: { vault: * } }\n"
     "                           ^~~~~~~~~~~~\n"},
    {"server: { admin_token_file: /nowhere/token }\n",
     "t.yaml:1:29: admin_token_file: cannot read the secret in /nowhere/token: No such file or directory\n"
     "    server: { admin_token_file: /nowhere/token }\n"
     "                                ^~~~~~~~~~~~~~\n"},
    {"log: { level: loud }\n",
     "t.yaml:1:15: level: expected debug, info, warn, error or off, found 'loud'\n"
     "    log: { level: loud }\n"
     "                  ^~~~\n"},
    {"log: { format: xml }\n", "t.yaml:1:16: format: expected logfmt or json, found 'xml'\n"
                               "    log: { format: xml }\n"
                               "                   ^~~\n"},
    {"log: { levels: { rules: noisy } }\n",
     "t.yaml:1:25: 'noisy' is no level; expected debug, info, warn, error or off\n"
     "    log: { levels: { rules: noisy } }\n"
     "                            ^~~~~\n"},
    {"memory: { limit: lots }\n",
     "t.yaml:1:18: limit: expected a size like 64KB, 10MB or 1GiB, found 'lots'\n"
     "    memory: { limit: lots }\n"
     "                     ^~~~\n"},
    {"shutdown_timeout: 2h\n", "t.yaml:1:19: shutdown_timeout: must be at most 1h\n"
                               "    shutdown_timeout: 2h\n"
                               "                      ^~\n"},
    {"state: { path: a }\n"
     "---\n"
     "state: { path: b }\n",
     "t.yaml:3:1: a second document; expected one, remove the '---'\n"
     "    state: { path: b }\n"
     "    ^~~~~~~~~~~~~~~~~~\n"},
    {"state: &x { path: a }\n"
     "log: *y\n",
     "t.yaml:2:6: unknown alias '*y': expected an anchor '&y' before it, or quotes around a text that begins with '*'\n"
     "    log: *y\n"
     "         ^~\n"},
    {"sever: 1\n"
     "state: { path: x, pth: y }\n"
     "evaluation_interval: soon\n",
     "t.yaml:1:1: unknown option 'sever' of telex.yaml: did you mean 'server'?\n"
     "    sever: *\n"
     "    ^~~~~\n"
     "t.yaml:2:19: unknown option 'pth' of state: did you mean 'path'?\n"
     "    state: { path: x, pth: * *\n"
     "                      ^~~\n"
     "t.yaml:3:22: evaluation_interval: 'soon' is no duration: expected a number and a unit, like 30s, 5m or 1h30m, or seconds\n"
     "    evaluation_interval: soon\n"
     "                         ^~~~\n"},
    {"exporters:\n"
     "  a: { type: webhook }\n"
     "  b: { type: webhook, url: 'http://a' }\n"
     "  c: { type: webhok }\n"
     "routes:\n"
     "- { to: [ nowhere ] }\n",
     "t.yaml:2:3: exporter 'a': exporter webhook needs 'url' (or 'endpoint'): add it here, or set TELEX_EXPORTER_A_URL\n"
     "      a: { type: webhook }\n"
     "      ^\n"
     "t.yaml:4:14: unknown exporter type 'webhok'; did you mean 'webhook'?\n"
     "      c: { type: webhok }\n"
     "                 ^~~~~~\n"
     "t.yaml:6:11: in a route: there is no exporter named 'nowhere'\n"
     "    - { to: [ nowhere ] }\n"
     "              ^~~~~~~\n"},
    {"datasource: { url: 'http://a', usrname: x }\n"
     "exporters: { a: { type: file2 } }\n"
     "log: { levels: { a: b } }\n",
     "t.yaml:1:32: unknown option 'usrname' of datasource prometheus: did you mean 'username'?\n"
     "    datasource: { url: 'http://a', usrname: * *\n"
     "                                   ^~~~~~~\n"
     "t.yaml:2:25: unknown exporter type 'file2'; did you mean 'file'?\n"
     "    exporters: { a: { type: file2 } }\n"
     "                            ^~~~~\n"
     "t.yaml:3:21: 'b' is no level; expected debug, info, warn, error or off\n"
     "    log: { levels: { a: b } }\n"
     "                        ^\n"},
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

    assert_false(is_warning);
    err_print(e, out);
    if (!str_ends(buf_str(out), STR("\n"))) {
        buf_add_byte(out, '\n');
    }
}

/* Does the config at <i> get exactly its problems? */
static bool gets_its_problems(size_t i)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct config_environment environment = {.lookup = no_variable};
    struct problems problems = {.report = collect, .arg = &out};
    struct config *c = NULL;
    struct err e = ERR_INIT;

    if (config_parse(STR("t.yaml"), str_of(broken[i].text), &environment, &problems, &c, &e)) {
        print_error("case %zu was taken:\n%s", i, broken[i].text);
        config_unref(c);
        return false;
    }
    if (e.code == ERR_NONE || !str_eq(buf_str(&out), str_of(broken[i].problems))) {
        print_error("case %zu:\n%sgave:\n%s", i, broken[i].text, buf_text(&out));
        return false;
    }
    return true;
}

static void broken_configs(void **state)
{
    size_t wrong = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        wrong += !gets_its_problems(i);
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_configs)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
