/* Targets kept up to date: each kind, over real files and sockets. */
#include "discover/discover.h"

#include "base/fs.h"
#include "base/metrics.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct holder {
    struct discovery_lists lists;
};

static const struct option rows[] = {DISCOVERY_ROWS(offsetof(struct holder, lists))};

static const struct option_table table = {.name = "targets",
                                          .options = rows,
                                          .count = ARRAY_LEN(rows),
                                          .config_size = sizeof(struct holder)};

struct fixture {
    struct receiver receiver;
    struct http_kit http;
    struct env env;
    struct metrics *metrics;
    struct arena arena;
    struct yaml_source source;
    struct holder config;
    struct discover *discover;
    struct err err;
    char folder[64];
    _Atomic unsigned changes;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    receiver_listen(&f->receiver);
    http_kit_start(&f->http, f->receiver.peer.port);
    f->metrics = metrics_new();
    f->env = f->http.env;
    f->env.metrics = f->metrics;
    arena_init(&f->arena, ARENA_UNLIMITED);
    memcpy(f->folder, "/tmp/telex-discover-XXXXXX", sizeof("/tmp/telex-discover-XXXXXX"));
    assert_non_null(mkdtemp(f->folder));
    *state = f;
    return 0;
}

static void remove_file(void *arg, const char *name)
{
    struct fixture *f = arg;
    struct str path = arena_printf(&f->arena, "%s/%s", f->folder, name);

    (void)unlink(arena_text(&f->arena, path));
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    discover_close(f->discover);
    (void)fs_system()->ops->list(fs_system(), f->folder, remove_file, f);
    (void)rmdir(f->folder);
    options_release(&table, &f->config);
    arena_release(&f->arena);
    metrics_free(f->metrics);
    http_kit_stop(&f->http);
    receiver_stop(&f->receiver);
    mem_free(f);
    return 0;
}

static const char *no_variables(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return NULL;
}

static bool read_config(struct fixture *f, struct str yaml)
{
    const struct option_source source = {.lookup = no_variables};
    const struct yaml_node *documents = NULL;

    f->source = (struct yaml_source){STR("t"), yaml};
    return yaml_parse(&f->arena, &f->source, &documents, &f->err) &&
           options_parse(&table, documents->first, &source, &f->arena, &f->config, &f->err) &&
           discovery_lists_check(&f->config.lists, documents->first, &f->err);
}

static void note_change(void *arg)
{
    struct fixture *f = arg;

    atomic_fetch_add(&f->changes, 1);
}

static void start(struct fixture *f, struct str yaml)
{
    const struct discover_listener listener = {note_change, f};

    if (!read_config(f, yaml) ||
        !discover_open(&f->env, STR("test"), &f->config.lists, &listener, &f->discover, &f->err)) {
        fail_msg("%s", f->err.message);
    }
}

static void addresses(struct fixture *f, struct buf *out)
{
    AUTO(target_list_release) struct target_list list = {0};

    discover_targets(f->discover, &list);
    for (size_t i = 0; i < list.sets.len; i++) {
        buf_addf(out, "%s%.*s", i > 0 ? " " : "",
                 STR_FMT(labels_get(list.sets.items[i], STR("__address__"))));
    }
}

static void wait_targets(struct fixture *f, const char *want)
{
    for (int ms = 0;; ms += 10) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        addresses(f, &got);
        if (str_eq(buf_str(&got), str_of(want))) {
            return;
        }
        if (ms > HTTP_PEER_PATIENCE_MS) {
            assert_string_equal(buf_text(&got), want);
        }
        http_peer_pause_ms(10);
    }
}

static long failures(struct fixture *f, const char *kind)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct str line =
        arena_printf(&f->arena, "telex_discovery_failures_total{name=\"test\",kind=\"%s\"} ", kind);

    metrics_render(f->metrics, &out);
    size_t at = str_find(buf_str(&out), line);
    if (at == out.len) {
        fail_msg("no '%.*s' in %s", STR_FMT(line), buf_text(&out));
    }
    return strtol(buf_text(&out) + at + line.len, NULL, 10);
}

static void wait_failures(struct fixture *f, const char *kind, long want)
{
    for (int ms = 0; failures(f, kind) < want; ms += 10) {
        assert_true(ms < HTTP_PEER_PATIENCE_MS);
        http_peer_pause_ms(10);
    }
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
    struct str path = arena_printf(&f->arena, "%s/%s", f->folder, name);

    assert_true(fs_replace_file(fs_system(), path, str_of(text), &f->err));
}

/* ---- tests ---- */

static void test_static(void **state)
{
    struct fixture *f = *state;

    start(f, STR("static_configs: [{targets: [b:1, a:1, b:1], labels: {k: v}}, {targets: c:2}]"));
    wait_targets(f, "a:1 b:1 c:2");
    assert_true(discover_is_complete(f->discover));
    assert_int_equal(atomic_load(&f->changes), 2);
}

static void test_files(void **state)
{
    struct fixture *f = *state;

    write_file(f, "a.json", "[{\"targets\":[\"a:1\"]}]");
    start(f, arena_printf(&f->arena,
                          "file_sd_configs: [{files: ['%s/*.json', '%s/x.yml'], "
                          "refresh_interval: 0.1}]",
                          f->folder, f->folder));
    wait_targets(f, "a:1");
    write_file(f, "b.json", "[{\"targets\":[\"b:1\"]}]");
    wait_targets(f, "a:1 b:1");
    write_file(f, "x.yml", "- targets: [c:1]");
    wait_targets(f, "a:1 b:1 c:1");

    /* What cannot be read changes nothing, and is counted. */
    write_file(f, "b.json", "[{\"targets\":");
    wait_failures(f, "file", 2);
    wait_targets(f, "a:1 b:1 c:1");
    write_file(f, "b.json", "[]");
    wait_targets(f, "a:1 c:1");
    remove_file(f, "x.yml");
    wait_targets(f, "a:1");
}

static void test_http(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    receiver_plan(&f->receiver, 200, NULL, "[{\"targets\":[\"a:1\"]}]");
    receiver_plan(&f->receiver, 500, NULL, "no");
    receiver_plan(&f->receiver, 200, NULL, "nonsense");
    receiver_plan(&f->receiver, 200, NULL, "[{\"targets\":[\"b:1\"]}]");
    start(f, arena_printf(&f->arena,
                          "http_sd_configs: [{url: 'http://127.0.0.1:%u/sd', refresh_interval: "
                          "0.2, bearer_token: abc}]",
                          f->receiver.peer.port));
    wait_targets(f, "a:1");
    wait_failures(f, "http", 1);
    wait_targets(f, "a:1");
    wait_failures(f, "http", 2);
    wait_targets(f, "b:1");
    receiver_head(&f->receiver, 0, &head);
    assert_non_null(strstr(buf_text(&head), "GET /sd "));
    assert_non_null(strstr(buf_text(&head), "Authorization: Bearer abc"));
}

static void test_consul(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    receiver_plan(&f->receiver, 200, NULL, "{\"am\":[],\"b c\":[]}");
    receiver_plan(&f->receiver, 200, NULL,
                  "[{\"Node\":{\"Address\":\"10.0.0.1\"},\"Service\":{\"Port\":9093}}]");
    receiver_plan(&f->receiver, 200, NULL,
                  "[{\"Node\":{\"Address\":\"10.0.0.2\"},\"Service\":{\"Port\":9093}}]");
    start(f, arena_printf(&f->arena,
                          "consul_sd_configs: [{server: '127.0.0.1:%u', token: tok, tags: [prod], "
                          "node_meta: {rack: '7'}}]",
                          f->receiver.peer.port));
    wait_targets(f, "10.0.0.1:9093 10.0.0.2:9093");
    receiver_head(&f->receiver, 0, &head);
    assert_non_null(
        strstr(buf_text(&head), "GET /v1/catalog/services?stale=true&node-meta=rack%3A7"));
    assert_non_null(strstr(buf_text(&head), "X-Consul-Token: tok"));
    buf_clear(&head);
    receiver_head(&f->receiver, 2, &head);
    assert_non_null(strstr(buf_text(&head), "GET /v1/health/service/b%20c?stale=true"));
    assert_non_null(strstr(buf_text(&head), "tag=prod"));
}

/* A server that answers nobody does not hold up the end. */
static void test_ends_while_asking(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    start(f, arena_printf(&f->arena,
                          "http_sd_configs: [{url: 'http://127.0.0.1:%u/'}]\n"
                          "dns_sd_configs: [{names: [x.test], nameservers: '127.0.0.1:9'}]\n",
                          f->receiver.peer.port));
    assert_true(receiver_wait(&f->receiver, 1));
    assert_false(discover_is_complete(f->discover));
    int64_t before = clock_mono_ns(clock_system());
    discover_close(TAKE(f->discover));
    assert_true(clock_mono_ns(clock_system()) - before < NS_PER_S);
}

static void test_bad_configs(void **state)
{
    static const struct {
        const char *yaml;
        const char *want;
    } cases[] = {
        {"static_configs: [{}]", "needs 'targets'"},
        {"file_sd_configs: [{files: [a.txt]}]", "does not end in .json"},
        {"dns_sd_configs: [{names: [a], type: A}]", "A records have no port"},
        {"dns_sd_configs: [{names: [a], type: TXT}]", "SRV"},
        {"http_sd_configs: [{}]", "needs 'url'"},
        {"consul_sd_configs: [{service: a}]", "did you mean 'services'"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->err = ERR_INIT;
        assert_false(read_config(f, str_of(cases[i].yaml)));
        options_release(&table, &f->config);
        if (strstr(f->err.message, cases[i].want) == NULL) {
            fail_msg("%s: %s", cases[i].yaml, f->err.message);
        }
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_static),
        CASE(test_files),
        CASE(test_http),
        CASE(test_consul),
        CASE(test_ends_while_asking),
        CASE(test_bad_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
