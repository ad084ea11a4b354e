/* Whole streams, from a file of lines to exporters: threads, positions, restarts, what a person changes. */
#include "events/events.h"

#include "base/budget.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/rand.h"
#include "fake/plan_kit.h"
#include "fake/receiver.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

struct kit {
    char folder[32];
    struct env env;
    struct rng rng;
    struct arena arena;
    struct yaml_source source;
    struct streams_config streams;
    struct plan_config plan_config;
    struct plan *plan;
    struct event_streams *running;
    int tables_failing; /* so many times */
};

static int setup(void **state)
{
    struct kit *k = mem_new(struct kit);

    (void)snprintf(k->folder, sizeof(k->folder), "/tmp/telex-test-XXXXXX");
    assert_non_null(mkdtemp(k->folder));
    rng_seed(&k->rng, 1);
    k->env = (struct env){.clock = clock_system(), .rng = &k->rng, .metrics = metrics_new()};
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct kit *k = *state;

    metrics_free(k->env.metrics);
    plan_kit_remove(k->folder);
    mem_free(k);
    return 0;
}

/* Lines <first>.. of the file that the stream reads; of three keys. */
static void append(struct kit *k, int first, int count)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/in.jsonl", k->folder);
    FILE *f = fopen(path, "a");
    assert_non_null(f);
    for (int i = first; i < first + count; i++) {
        assert_true(fprintf(f, "{\"n\":%d,\"k\":\"k%d\"}\n", i, i % 3) > 0);
    }
    assert_int_equal(fclose(f), 0);
}

static bool open_table(void *arg, struct event_table **ret_table, struct err *e)
{
    struct kit *k = arg;

    if (k->tables_failing > 0) {
        k->tables_failing--;
        return err_set(e, ERR_IO, "the table is away");
    }
    *ret_table = NULL;
    return true;
}

/* Starts the stream `s` over that file with more options, and exporter `out`. */
static void start(struct kit *k, const char *stream, const char *exporter)
{
    const struct option_source environment = {0};
    const struct yaml_node *documents = NULL;
    struct err e = ERR_INIT;

    arena_init(&k->arena, ARENA_UNLIMITED);
    k->source = (struct yaml_source){
        .file = STR("t"),
        .text = arena_printf(
            &k->arena,
            "exporters: { out: { %s } }\nevents: { s: { source: { type: file, "
            "path: %s/in.jsonl, start_at: beginning, key_field: k }, metadata: { cluster: c "
            "}, to: out, %s } }\n",
            exporter, k->folder, stream)};
    assert_true(yaml_parse(&k->arena, &k->source, &documents, &e));
    assert_true(streams_config_parse(yaml_get(documents->first, STR("events")), NULL, &environment,
                                     &k->arena, &k->streams, &e));
    const struct plan_sections sections = {
        .exporters = yaml_get(documents->first, STR("exporters")), .named = k->streams.exporters};
    assert_true(plan_parse_sections(&sections, &environment, &k->arena, &k->plan_config, &e));
    k->plan_config.state_path = str_of(k->folder);
    assert_true(plan_open(&k->env, &k->plan_config, &k->plan, &e));
    k->running = event_streams_new(&k->env, k->plan, str_of(k->folder),
                                   &(struct stream_tables){open_table, k});
    event_streams_run(k->running, &k->streams);
}

static void stop(struct kit *k)
{
    event_streams_close(k->running);
    plan_close(k->plan);
    plan_config_release(&k->plan_config);
    streams_config_release(&k->streams);
    arena_release(&k->arena);
}

static const struct stream_status *status_of(struct kit *k)
{
    struct stream_status *status = NULL;

    assert_int_equal(event_streams_status(k->running, &k->arena, &status), 1);
    return status;
}

static void pause_ms(int64_t ms)
{
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), ms), NULL});
}

static void wait_done(struct kit *k, uint64_t done)
{
    int64_t until_ns = clock_deadline_ms(clock_system(), PATIENCE_MS);

    while (status_of(k)->done != done) {
        if (clock_mono_ns(clock_system()) >= until_ns) {
            fail_msg("%llu are done, not %llu: %s", (unsigned long long)status_of(k)->done,
                     (unsigned long long)done, status_of(k)->reason);
        }
        pause_ms(5);
    }
}

static void wait_state(struct kit *k, enum stream_state state)
{
    int64_t until_ns = clock_deadline_ms(clock_system(), PATIENCE_MS);

    while (status_of(k)->state != state) {
        assert_true(clock_mono_ns(clock_system()) < until_ns);
        pause_ms(5);
    }
}

/* How often each of <count> numbers stands in the file that `out` writes, and whether each key is in order. */
static void assert_written(struct kit *k, int count, int times)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    char path[64];
    int *seen = mem_alloc0((size_t)count, sizeof(int));
    int64_t last[3] = {-1, -1, -1};
    struct err e = ERR_INIT;

    (void)snprintf(path, sizeof(path), "%s/out/out.jsonl", k->folder);
    assert_true(fs_read_file(fs_system(), str_of(path), 1 << 24, &text, &e));
    for (const char *at = buf_text(&text); (at = strstr(at, "\"n\":")) != NULL; at += 4) {
        int64_t n = -1;
        assert_true(number_parse_i64(str_make(at + 4, strcspn(at + 4, ",}")), &n));
        assert_in_range(n, 0, count - 1);
        assert_true(times > 1 || n > last[n % 3]);
        last[n % 3] = n;
        seen[n]++;
    }
    for (int i = 0; i < count; i++) {
        assert_int_equal(seen[i], times);
    }
    mem_free(seen);
}

#define TO_FILE "type: file, output_directory: %s/out, file_format: jsonl"

static const char *to_file(struct kit *k, char *text, size_t size)
{
    (void)snprintf(text, size, TO_FILE, k->folder);
    return text;
}

static void test_follows(void **state)
{
    struct kit *k = *state;
    char exporter[128];

    append(k, 0, 3000);
    start(k, "workers: 4, batch_size: 100", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 3000);
    append(k, 3000, 100);
    wait_done(k, 3100);
    assert_true(status_of(k)->is_ready);
    assert_int_equal(status_of(k)->in_flight, 0);
    stop(k);
    append(k, 3100, 50);
    start(k, "workers: 4", to_file(k, exporter, sizeof(exporter))); /* goes on where it was */
    wait_done(k, 3150);
    assert_int_equal(status_of(k)->read, 50);
    stop(k);
    assert_written(k, 3150, 1);
}

/* What came of a change. */
struct told {
    struct lock lock;
    struct cond cond;
    int count;
    enum stream_change_result result;
    struct err e;
};

static void take_told(void *arg, enum stream_change_result result, const struct err *e)
{
    struct told *t = arg;

    lock_take(&t->lock);
    t->count++;
    t->result = result;
    t->e = e != NULL ? *e : ERR_INIT;
    cond_broadcast(&t->cond);
    lock_give(&t->lock);
}

static void told_init(struct told *t)
{
    *t = (struct told){0};
    lock_init(&t->lock);
    cond_init(&t->cond);
}

static enum stream_change_result wait_told(struct told *t, int count)
{
    int64_t until_ns = clock_deadline_ms(clock_system(), PATIENCE_MS);

    lock_take(&t->lock);
    while (t->count < count && cond_wait_until(&t->cond, &t->lock, until_ns)) {
    }
    assert_int_equal(t->count, count);
    enum stream_change_result result = t->result;
    lock_give(&t->lock);
    return result;
}

static enum stream_change_result change(struct kit *k, struct stream_order order)
{
    struct err e = ERR_INIT;
    struct told told;

    told_init(&told);
    assert_true(
        event_streams_ask(k->running, &order, &(struct stream_change_end){take_told, &told}, &e));
    return wait_told(&told, 1);
}

static void test_reset_and_rewind(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;
    char exporter[128];

    append(k, 0, 20);
    start(k, "workers: 2", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 20);
    const struct stream_status *before = status_of(k);
    assert_null(before->changed.what);
    assert_int_equal(change(k, (struct stream_order){.name = STR("s")}), STREAM_CHANGE_DONE);
    wait_done(k, 20);
    assert_string_equal(status_of(k)->changed.what, "reset");
    assert_string_equal(status_of(k)->changed.phase, "done");
    assert_int_equal(change(k, (struct stream_order){STR("s"), STREAM_REWIND, before->position, 0}),
                     STREAM_CHANGE_DONE);
    append(k, 20, 1);
    wait_done(k, 21);
    assert_int_equal(change(k, (struct stream_order){.name = STR("s"), .change = STREAM_SKIP}),
                     STREAM_CHANGE_FAILED);
    assert_string_equal(status_of(k)->changed.what, "rewind"); /* who asked was told */
    assert_string_equal(status_of(k)->changed.phase, "done");
    assert_false(event_streams_ask(k->running, &(struct stream_order){.name = STR("t")},
                                   &(struct stream_change_end){NULL, NULL}, &e));
    assert_int_equal(e.code, ERR_PARSE);
    stop(k);
}

/* Several people at once: one change of a stream at a time, and who is refused is told why. */
static void test_changes_do_not_meet(void **state)
{
    struct kit *k = *state;
    char exporter[128];
    struct told told;
    int taken = 0;

    told_init(&told);
    append(k, 0, 5);
    start(k, "workers: 1", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 5);
    for (int i = 0; i < 50; i++) {
        struct err e = ERR_INIT;
        bool ok = event_streams_ask(k->running, &(struct stream_order){.name = STR("s")},
                                    &(struct stream_change_end){take_told, &told}, &e);
        taken += ok;
        if (!ok) {
            assert_int_equal(e.code, ERR_CONFLICT);
            assert_non_null(strstr(e.message, "is being changed already (reset)"));
        }
    }
    assert_in_range(taken, 1, 49);
    (void)wait_told(&told, taken);
    wait_state(k, STREAM_RUNS);
    /* One is under way when all ends: it is told, too. */
    struct err e = ERR_INIT;
    assert_true(event_streams_ask(k->running, &(struct stream_order){.name = STR("s")},
                                  &(struct stream_change_end){take_told, &told}, &e));
    stop(k);
    (void)wait_told(&told, taken + 1);
}

/* What streams need is not there: they are in the list, say why, and run when it is there. */
/* What /metrics has. */
static bool has_sample(struct kit *k, const char *name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    char line[96];

    metrics_render(k->env.metrics, &text);
    (void)snprintf(line, sizeof(line), "\n%s{stream=\"s\"}", name);
    return strstr(buf_text(&text), line) != NULL;
}

static void test_opened_later(void **state)
{
    struct kit *k = *state;
    char exporter[128];

    append(k, 0, 5);
    k->tables_failing = 1;
    start(k, "workers: 1", to_file(k, exporter, sizeof(exporter)));
    assert_int_equal(status_of(k)->state, STREAM_REFUSED);
    assert_false(status_of(k)->is_ready);
    assert_non_null(strstr(status_of(k)->reason, "the table is away"));
    assert_true(has_sample(k, "telex_stream_ready")); /* 0: an alert on it fires */
    wait_done(k, 5);
    assert_true(status_of(k)->is_ready);
    stop(k);
}

static void test_our_log_between(void **state)
{
    struct kit *k = *state;
    char exporter[128];

    append(k, 0, 500);
    start(k, "buffer: true", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 500);
    struct plan_left left;
    (void)plan_drain(k->plan, (struct wait){clock_deadline_ms(clock_system(), PATIENCE_MS), NULL},
                     &left);
    stop(k);
    assert_written(k, 500, 1);
}

static void test_broken_lines(void **state)
{
    struct kit *k = *state;
    char exporter[128];
    char path[64];

    append(k, 0, 2);
    (void)snprintf(path, sizeof(path), "%s/in.jsonl", k->folder);
    FILE *f = fopen(path, "a");
    assert_true(fputs("{\"n\":\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    append(k, 2, 2);
    start(k, "workers: 1", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 5);
    assert_int_equal(status_of(k)->broken, 1);
    stop(k);
    assert_written(k, 4, 1);
    (void)snprintf(path, sizeof(path), "%s/dead/stream-s", k->folder);
    assert_int_equal(access(path, F_OK), 0);
}

/* The sink is in trouble while the stream stops: what was not taken comes again, and nothing else. */
static void test_stops_in_an_outage(void **state)
{
    struct kit *k = *state;
    struct receiver receiver;
    char exporter[160];

    receiver_listen(&receiver);
    for (int i = 0; i < 8; i++) {
        receiver_plan(&receiver, i < 2 ? 204 : 503, NULL, NULL);
    }
    (void)snprintf(
        exporter, sizeof(exporter),
        "type: cloudevents, url: 'http://127.0.0.1:%u/', source: x, mode: structured, retry: { "
        "initial_delay: 20ms, max_delay: 50ms }",
        receiver.peer.port);
    append(k, 0, 4);
    start(k, "workers: 1", exporter);
    assert_true(receiver_wait(&receiver, 4));
    stop(k);
    unsigned before = receiver_count(&receiver);
    start(k, "workers: 1", exporter);
    wait_done(k, 4);
    stop(k);
    assert_in_range(receiver_count(&receiver), before + 2, before + 12);
    receiver_stop(&receiver);
}

static void test_ends(void **state)
{
    struct kit *k = *state;
    char exporter[128];

    append(k, 0, 3);
    start(k, "match: 'n > 0', workers: 1", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 3);
    assert_int_equal(status_of(k)->filtered, 1);
    wait_state(k, STREAM_RUNS);
    stop(k);
}

static void wait_sample(struct kit *k, const char *name, bool is_there)
{
    int64_t until_ns = clock_deadline_ms(clock_system(), PATIENCE_MS);

    while (has_sample(k, name) != is_there) {
        assert_true(clock_mono_ns(clock_system()) < until_ns);
        pause_ms(5);
    }
}

/* A lag of 0 is for who knows that nothing is owed, and not for a stream that cannot look. */
/* Events that wait behind one that is given up go together, and none of them before its own age. */
static void test_each_has_its_own_age(void **state)
{
    enum { EVENTS = 6, APART_MS = 300, AGE_MS = 2000 };
    struct kit *k = *state;
    struct receiver receiver;
    char exporter[256];
    int64_t last_ns = 0;

    receiver_listen(&receiver);
    for (int i = 0; i < RECEIVER_MAX; i++) {
        receiver_plan(&receiver, 503, NULL, NULL);
    }
    (void)snprintf(
        exporter, sizeof(exporter),
        "type: cloudevents, url: 'http://127.0.0.1:%u/', source: x, mode: batched, "
        "retry: { max_retries: 0, max_age: %dms, initial_delay: 200ms, max_delay: 200ms }",
        receiver.peer.port, AGE_MS);
    append(k, 0, 1);
    start(k, "workers: 1", exporter);
    assert_true(receiver_wait(&receiver, 1));
    for (int i = 1; i < EVENTS; i++) {
        pause_ms(APART_MS);
        last_ns = clock_wall_ns(clock_system());
        append(k, i, 1);
    }
    wait_done(k, EVENTS);
    assert_true(clock_wall_ns(clock_system()) - last_ns >= AGE_MS * NS_PER_MS);
    assert_int_equal(status_of(k)->letters[LETTERS_REFUSED], EVENTS);
    stop(k);
    receiver_stop(&receiver);
}

static void test_lag_that_is_not_known(void **state)
{
    static const char *const lags[] = {"telex_stream_lag_seconds", "telex_stream_lag_events"};
    struct kit *k = *state;
    char exporter[128];
    char path[64];

    append(k, 0, 10);
    start(k, "workers: 1", to_file(k, exporter, sizeof(exporter)));
    wait_done(k, 10);
    for (size_t i = 0; i < ARRAY_LEN(lags); i++) {
        wait_sample(k, lags[i], true);
    }
    assert_true(status_of(k)->lag_ns >= 0);
    stop(k);
    (void)snprintf(path, sizeof(path), "%s/in.jsonl", k->folder);
    assert_int_equal(unlink(path), 0);
    append(k, 50, 1); /* another file, and shorter than our place */
    start(k, "workers: 1", to_file(k, exporter, sizeof(exporter)));
    wait_state(k, STREAM_LOST);
    for (size_t i = 0; i < ARRAY_LEN(lags); i++) {
        wait_sample(k, lags[i], false);
    }
    assert_int_equal(status_of(k)->lag_ns, -1);
    assert_int_equal(status_of(k)->lag_events, -1);
    assert_true(has_sample(k, "telex_stream_ready"));
    stop(k);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_follows),
        CASE(test_reset_and_rewind),
        CASE(test_our_log_between),
        CASE(test_broken_lines),
        CASE(test_stops_in_an_outage),
        CASE(test_ends),
        CASE(test_changes_do_not_meet),
        CASE(test_opened_later),
        CASE(test_each_has_its_own_age),
        CASE(test_lag_that_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
