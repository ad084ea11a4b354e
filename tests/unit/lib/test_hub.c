#include <telex/telex.h>

#include "base/attr.h"
#include "base/mem.h"
#include "base/thread.h"
#include "lib/hub.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 20000 };

/* An exporter of the application that notes what it gets, and does as it is told. */
struct station {
    _Atomic uint64_t records;
    _Atomic uint64_t spans;
    _Atomic uint64_t calls;
    _Atomic uint64_t shown; /* records, taken or not */
    _Atomic bool is_stuck;  /* calls do not come back */
    _Atomic uint32_t verdict;
    _Atomic int64_t retry_after_ms;
    _Atomic int opened;
    _Atomic int closed;
    struct lock lock;
    char last_name[64];
    char last_label[64];
    char given_option[64];
    double last_number;
    struct telex_span_ids last_ids;
};

static void rest_ms(int64_t ms)
{
    (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), ms), NULL});
}

static int open_station(void *arg, const char *name, const struct telex_label *options,
                        size_t option_count, void **ret_self, struct telex_error *error)
{
    struct station *s = arg;

    (void)name;
    if (option_count > 0 && strcmp(options[0].name, "refuse") == 0) {
        (void)snprintf(error->message, sizeof(error->message), "asked to refuse");
        return 1;
    }
    if (option_count > 0) {
        (void)snprintf(s->given_option, sizeof(s->given_option), "%s=%s", options[0].name,
                       options[0].value);
    }
    atomic_fetch_add(&s->opened, 1);
    *ret_self = s;
    return 0;
}

static void note(struct station *s, const struct telex_record *r)
{
    lock_take(&s->lock);
    (void)snprintf(s->last_name, sizeof(s->last_name), "%s", r->name);
    if (r->label_count > 0) {
        (void)snprintf(s->last_label, sizeof(s->last_label), "%s=%s", r->labels[0].name,
                       r->labels[0].value);
    }
    if (r->field_count > 0) {
        s->last_number = r->fields[0].value.number;
    }
    s->last_ids = r->ids;
    lock_give(&s->lock);
    atomic_fetch_add(&s->spans, r->is_span);
}

static void export_batch(void *self, const struct telex_record *records, size_t count,
                         int64_t timeout_ms, struct telex_outcome *outcome)
{
    struct station *s = self;

    (void)timeout_ms;
    while (atomic_load(&s->is_stuck)) {
        rest_ms(1);
    }
    atomic_fetch_add(&s->calls, 1);
    atomic_fetch_add(&s->shown, count);
    outcome->verdict = atomic_load(&s->verdict);
    outcome->retry_after_ms = atomic_load(&s->retry_after_ms);
    if (outcome->verdict != TELEX_DELIVERED) {
        (void)snprintf(outcome->message, sizeof(outcome->message), "not now");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        note(s, &records[i]);
    }
    atomic_fetch_add(&s->records, count);
}

static int probe(void *self, int64_t timeout_ms, struct telex_error *error)
{
    (void)self;
    (void)timeout_ms;
    (void)error;
    return 0;
}

static void close_station(void *self)
{
    atomic_fetch_add(&((struct station *)self)->closed, 1);
}

struct scene {
    struct station station;
    struct telex_config *config;
    struct telex_hub *hub;
    struct telex_error error;
};

static int set_up(void **state)
{
    struct scene *s = mem_new(struct scene);
    const struct telex_exporter kind = {
        .struct_size = sizeof(kind),
        .kind = "station",
        .arg = &s->station,
        .takes_metrics = 1,
        .takes_spans = 1,
        .open = open_station,
        .export_batch = export_batch,
        .probe = probe,
        .close = close_station,
    };

    lock_init(&s->station.lock);
    s->config = telex_config_new();
    assert_int_equal(telex_config_exporter(s->config, &kind, &s->error), TELEX_OK);
    assert_int_equal(telex_config_set(s->config, "exporters.own.type", "station", NULL), TELEX_OK);
    assert_int_equal(telex_config_set(s->config, "log.level", "off", NULL), TELEX_OK);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;

    telex_config_free(s->config);
    lock_release(&s->station.lock);
    mem_free(s);
    return 0;
}

static void set(struct scene *s, const char *path, const char *value)
{
    assert_int_equal(telex_config_set(s->config, path, value, &s->error), TELEX_OK);
}

static void start(struct scene *s)
{
    int code = telex_open(s->config, &s->hub, &s->error);

    if (code != TELEX_OK) {
        fail_msg("%s", s->error.message);
    }
}

static void stop(struct scene *s, int expected)
{
    int code = telex_close(s->hub, PATIENCE_MS, NULL, &s->error);

    if (code != expected) {
        fail_msg("%s: %s", telex_code_name(code), s->error.message);
    }
}

static int give(struct telex_hub *hub, double number)
{
    const struct telex_field field = {
        .name = "messages_per_second", .type = TELEX_NUMBER, .value.number = number};
    const struct telex_metrics m = {
        .struct_size = sizeof(m), .name = "p", .fields = &field, .field_count = 1};

    return telex_metrics(hub, &m);
}

static int give_text(struct telex_hub *hub, const char *text)
{
    const struct telex_field field = {.name = "text", .type = TELEX_TEXT, .value.text = text};
    const struct telex_metrics m = {
        .struct_size = sizeof(m), .name = "p", .fields = &field, .field_count = 1};

    return telex_metrics(hub, &m);
}

static struct telex_stats stats_of(struct telex_hub *hub)
{
    struct telex_stats stats = {.struct_size = sizeof(stats)};

    assert_int_equal(telex_stats(hub, &stats), TELEX_OK);
    return stats;
}

/* ---- records ---- */

static void metrics_reach_an_exporter(void **state)
{
    struct scene *s = *state;

    set(s, "exporters.own.options.path", "/x");
    set(s, "exporters.own.labels.service", "api");
    start(s);
    assert_string_equal(s->station.given_option, "path=/x");
    assert_int_equal(give(s->hub, 2.5), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(atomic_load(&s->station.records), 1);
    assert_string_equal(s->station.last_name, "p");
    assert_string_equal(s->station.last_label, "service=api");
    assert_true(s->station.last_number > 2.4 && s->station.last_number < 2.6);
    struct telex_stats stats = stats_of(s->hub);
    assert_int_equal(stats.taken, 1);
    assert_int_equal(stats.logged, 1);
    assert_int_equal(stats.delivered, 1);
    stop(s, TELEX_OK);
    assert_int_equal(atomic_load(&s->station.opened), atomic_load(&s->station.closed));
}

static void spans_know_their_parents(void **state)
{
    struct scene *s = *state;
    struct telex_span_ids parent;
    struct telex_span_ids child;

    start(s);
    assert_int_equal(telex_span_ids(s->hub, NULL, &parent), TELEX_OK);
    assert_int_equal(telex_span_ids(s->hub, &parent, &child), TELEX_OK);
    const struct telex_span span = {.struct_size = sizeof(span),
                                    .function_name = "load",
                                    .duration_ns = 1000,
                                    .ids = child,
                                    .status = TELEX_SPAN_OK};
    assert_int_equal(telex_trace(s->hub, &span), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(atomic_load(&s->station.spans), 1);
    assert_memory_equal(&s->station.last_ids, &child, sizeof(child));
    assert_memory_equal(child.trace_id, parent.trace_id, TELEX_TRACE_ID_BYTES);
    assert_memory_equal(child.parent_id, parent.span_id, TELEX_SPAN_ID_BYTES);
    stop(s, TELEX_OK);
}

static void what_is_wrong_is_refused_and_counted(void **state)
{
    static const struct telex_field bad = {.name = ""};
    struct scene *s = *state;
    const struct telex_metrics m = {.struct_size = sizeof(m), .fields = &bad, .field_count = 1};

    start(s);
    assert_int_equal(telex_metrics(s->hub, &m), TELEX_INVALID);
    assert_int_equal(telex_trace(s->hub, NULL), TELEX_INVALID);
    assert_int_equal(telex_metrics(NULL, &m), TELEX_INVALID);
    assert_int_equal(stats_of(s->hub).dropped_invalid, 2);
    stop(s, TELEX_UNDELIVERED);
}

static void what_no_exporter_takes_is_counted(void **state)
{
    struct scene *s = *state;

    assert_int_equal(telex_config_set_yaml(s->config, "routes",
                                           "[{match: 'kind == \"span\"', to: [own]}]", &s->error),
                     TELEX_OK);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(telex_filtered_count(s->hub), 1);
    assert_int_equal(atomic_load(&s->station.records), 0);
    stop(s, TELEX_OK);
}

/* ---- a destination in trouble ---- */

static void a_hanging_backend_holds_up_nobody(void **state)
{
    struct scene *s = *state;
    uint64_t dropped = 0;
    uint64_t taken = 0;

    set(s, "library.memory_bytes", "1MiB");
    set(s, "library.ring_bytes", "1MiB");
    atomic_store(&s->station.is_stuck, true);
    start(s);
    int64_t begun_ns = clock_mono_ns(clock_system());
    while (dropped < 1000) {
        int code = give(s->hub, 1);
        assert_true(code == TELEX_OK || code == TELEX_FULL);
        dropped += code == TELEX_FULL;
        taken += code == TELEX_OK;
    }
    assert_true(clock_mono_ns(clock_system()) - begun_ns < PATIENCE_MS * NS_PER_MS);
    struct telex_buffer_stats buffer = {.struct_size = sizeof(buffer)};
    do { /* until the log is full too, and the ring stays so */
        int code = give(s->hub, 1);
        dropped += code == TELEX_FULL;
        taken += code == TELEX_OK;
        assert_int_equal(telex_buffer_stats(s->hub, NULL, &buffer), TELEX_OK);
    } while (buffer.usage_percent < 90 &&
             clock_mono_ns(clock_system()) - begun_ns < PATIENCE_MS * NS_PER_MS);
    assert_true(buffer.usage_percent >= 90);
    struct telex_stats stats = stats_of(s->hub);
    assert_int_equal(stats.dropped_full, dropped);
    assert_int_equal(stats.taken, taken);
    assert_int_equal(telex_flush(s->hub, 20, &s->error), TELEX_TIMEOUT);
    atomic_store(&s->station.is_stuck, false);
    stop(s, TELEX_UNDELIVERED); /* those that were dropped */
    assert_int_equal(atomic_load(&s->station.records), taken);
}

static void retries_come_until_it_takes_them(void **state)
{
    struct scene *s = *state;
    struct telex_health health = {.struct_size = sizeof(health)};
    struct telex_result result = {.struct_size = sizeof(result)};

    set(s, "exporters.own.retry.initial_delay", "10ms");
    set(s, "exporters.own.health_check.unhealthy_threshold_failures", "1");
    atomic_store(&s->station.verdict, TELEX_RETRY);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, 100, NULL), TELEX_TIMEOUT);
    assert_int_equal(telex_health(s->hub, "own", &health), TELEX_OK);
    assert_false(health.is_healthy);
    assert_int_equal(telex_last_result(s->hub, "own", &result), TELEX_OK);
    assert_false(result.success);
    assert_non_null(strstr(result.error, "not now"));
    atomic_store(&s->station.verdict, TELEX_DELIVERED);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(telex_health(s->hub, NULL, &health), TELEX_OK);
    assert_true(health.is_healthy);
    assert_int_equal(telex_last_result(s->hub, NULL, &result), TELEX_OK);
    assert_true(result.success);
    assert_int_equal(result.exported_count, 1);
    assert_int_equal(telex_health(s->hub, "other", &health), TELEX_UNKNOWN);
    stop(s, TELEX_OK);
}

/* Who waits for records does not have a destination asked more often for it. */
static void a_flush_waits_for_the_delay_like_everyone(void **state)
{
    struct scene *s = *state;
    struct telex_left left = {.struct_size = sizeof(left)};

    set(s, "exporters.own.retry.initial_delay", "1ms");
    set(s, "exporters.own.retry.max_retries", "3");
    atomic_store(&s->station.verdict, TELEX_RETRY);
    atomic_store(&s->station.retry_after_ms, 3600 * 1000);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, 300, NULL), TELEX_TIMEOUT);
    assert_int_equal(telex_flush(s->hub, 100, NULL), TELEX_TIMEOUT);
    assert_int_equal(atomic_load(&s->station.calls), 1);
    assert_int_equal(telex_close(s->hub, PATIENCE_MS, &left, &s->error), TELEX_UNDELIVERED);
    assert_int_equal(left.frames, 1);
    assert_int_equal(left.dead_letters, 0);
}

static void rejected_records_are_dead_letters(void **state)
{
    struct scene *s = *state;
    struct telex_left left = {.struct_size = sizeof(left)};

    atomic_store(&s->station.verdict, TELEX_REJECTED);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(stats_of(s->hub).rejected, 1);
    assert_int_equal(telex_close(s->hub, PATIENCE_MS, &left, &s->error), TELEX_UNDELIVERED);
    assert_int_equal(left.dead_letters, 1);
    assert_non_null(strstr(s->error.message, "own: 1 dead letter"));
}

/* Of more records than one call shows only those are refused that were shown. */
static void no_record_is_refused_unseen(void **state)
{
    enum { MANY = 12000 };
    struct scene *s = *state;

    set(s, "exporters.own.buffer.buffer_size", "20000");
    atomic_store(&s->station.verdict, TELEX_REJECTED);
    atomic_store(&s->station.is_stuck, true);
    start(s);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(give(s->hub, i), TELEX_OK);
    }
    assert_int_equal(telex_flush(s->hub, 50, &s->error), TELEX_TIMEOUT);
    atomic_store(&s->station.is_stuck, false);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(atomic_load(&s->station.shown), MANY);
    assert_int_equal(stats_of(s->hub).rejected, MANY);
    stop(s, TELEX_UNDELIVERED);
}

static void a_refusal_is_no_success(void **state)
{
    struct scene *s = *state;
    struct telex_result result = {.struct_size = sizeof(result)};

    atomic_store(&s->station.verdict, TELEX_REJECTED);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(telex_last_result(s->hub, NULL, &result), TELEX_OK);
    assert_false(result.success);
    assert_int_equal(result.exported_count, 0);
    assert_non_null(strstr(result.error, "not now"));
    stop(s, TELEX_UNDELIVERED);
}

/* Each batch has room in a small memory, so that the writer never waits for what cannot come. */
static void a_small_memory_holds_up_nobody(void **state)
{
    static const struct {
        size_t len;
        int count;
    } cases[] = {{1000, 1500}, {60000, 25}};
    struct scene *s = *state;
    uint64_t records = 0;
    char *text = mem_alloc(60001);

    set(s, "library.memory_bytes", "1MiB");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(text, 'x', cases[i].len);
        text[cases[i].len] = '\0';
        start(s);
        for (int at = 0; at < cases[i].count; at++) {
            assert_int_equal(give_text(s->hub, text), TELEX_OK);
        }
        assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
        records += (uint64_t)cases[i].count;
        assert_int_equal(atomic_load(&s->station.records), records);
        stop(s, TELEX_OK);
    }
    mem_free(text);
}

/* Without a state folder there is no disk, and nothing that `telex queue` could show. */
static void what_is_left_in_memory_is_not_said_to_be_on_disk(void **state)
{
    struct scene *s = *state;

    set(s, "exporters.own.retry.initial_delay", "1h");
    atomic_store(&s->station.verdict, TELEX_RETRY);
    atomic_store(&s->station.retry_after_ms, 3600 * 1000);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    stop(s, TELEX_UNDELIVERED);
    assert_non_null(strstr(s->error.message, "own: 1 frame in memory"));
    assert_null(strstr(s->error.message, "disk"));
}

/* ---- configs ---- */

static void configs_are_read_with_places(void **state)
{
    static const char text[] = "exporters:\n  a: { type: fil }\n";
    struct scene *s = *state;
    struct telex_config *c = telex_config_new();

    (void)s;
    assert_int_equal(telex_config_yaml(c, text, strlen(text), &s->error), TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_BAD_CONFIG);
    assert_int_equal(s->error.line, 2);
    assert_non_null(strstr(s->error.message, "did you mean 'file'"));
    assert_int_equal(telex_config_set(c, "exporters.a.type", "file", &s->error), TELEX_OK);
    assert_int_equal(telex_config_set(c, "exporters.a.output_directory", "/tmp", &s->error),
                     TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_OK);
    assert_int_equal(telex_config_set(c, "exporters.a.type", NULL, &s->error), TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_BAD_CONFIG);
    assert_int_equal(telex_config_set(c, "rules", "x", &s->error), TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_BAD_CONFIG);
    telex_config_free(c);
}

static void lists_of_exporters_are_set_by_name(void **state)
{
    static const char text[] =
        "exporters:\n  - name: a\n    type: file\n    config: { file_format: jsonl }\n";
    struct scene *s = *state;
    struct telex_config *c = telex_config_new();

    assert_int_equal(telex_config_yaml(c, text, strlen(text), &s->error), TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_BAD_CONFIG);
    assert_int_equal(telex_config_set(c, "exporters.a.output_directory", "/tmp", &s->error),
                     TELEX_OK);
    assert_int_equal(telex_config_check(c, &s->error), TELEX_OK);
    telex_config_free(c);
}

static void the_environment_makes_an_exporter(void **state)
{
    static const char *const required[] = {"endpoint", "api_key", NULL};
    struct scene *s = *state;
    struct telex_config *c = telex_config_new();

    assert_int_equal(telex_config_from_env(c, "env", "LT_TEST", required, &s->error),
                     TELEX_BAD_CONFIG);
    assert_non_null(strstr(s->error.message, "LT_TEST_ENDPOINT, LT_TEST_API_KEY"));
    assert_int_equal(setenv("LT_TEST_ENDPOINT", "http://127.0.0.1:1/x", 1), 0);
    assert_int_equal(setenv("LT_TEST_API_KEY", "k", 1), 0);
    assert_int_equal(telex_config_from_env(c, "env", "LT_TEST", required, &s->error), TELEX_OK);
    assert_int_equal(unsetenv("LT_TEST_ENDPOINT"), 0);
    if (telex_config_check(c, &s->error) != TELEX_OK) {
        fail_msg("%s", s->error.message);
    }
    telex_config_free(c);
}

static void a_hub_without_exporters_does_not_open(void **state)
{
    struct scene *s = *state;
    struct telex_hub *hub = NULL;

    assert_int_equal(telex_open(NULL, &hub, &s->error), TELEX_BAD_CONFIG);
    assert_non_null(strstr(s->error.message, "no exporters"));
    set(s, "exporters.own.options.refuse", "yes");
    assert_int_not_equal(telex_open(s->config, &hub, &s->error), TELEX_OK);
    assert_non_null(strstr(s->error.message, "asked to refuse"));
    assert_null(hub);
}

static void kinds_that_are_none_are_refused(void **state)
{
    struct scene *s = *state;
    struct telex_exporter kind = {.struct_size = sizeof(kind), .kind = "file"};

    assert_int_equal(telex_config_exporter(s->config, &kind, &s->error), TELEX_INVALID);
    kind.export_batch = export_batch;
    assert_int_equal(telex_config_exporter(s->config, &kind, &s->error), TELEX_INVALID);
    kind.kind = "Station";
    assert_int_equal(telex_config_exporter(s->config, &kind, &s->error), TELEX_INVALID);
    kind.kind = "station";
    assert_int_equal(telex_config_exporter(s->config, &kind, &s->error), TELEX_INVALID);
}

static void options_change_while_it_runs(void **state)
{
    struct scene *s = *state;
    char name[64];

    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(
        telex_update_option(s->hub, "exporters.own.buffer.buffer_size", "50", &s->error), TELEX_OK);
    assert_int_equal(telex_update_option(s->hub, "exporters.own.nonsense", "50", &s->error),
                     TELEX_BAD_CONFIG);
    assert_int_equal(telex_update_option(s->hub, "exporters.second.type", "station", &s->error),
                     TELEX_OK);
    assert_int_equal(telex_debug_mode(s->hub, TELEX_MEASURE_PERFORMANCE, &s->error), TELEX_OK);
    assert_int_equal(give(s->hub, 2), TELEX_OK);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(atomic_load(&s->station.records), 3);
    assert_int_equal(telex_exporter_name(s->hub, 1, name, sizeof(name)), TELEX_OK);
    assert_string_equal(name, "second");
    assert_int_equal(telex_exporter_name(s->hub, 1, name, 3), TELEX_TOO_LARGE);
    assert_int_equal(telex_exporter_name(s->hub, 2, name, sizeof(name)), TELEX_UNKNOWN);
    stop(s, TELEX_OK);
}

enum { CHANGERS = 4, CHANGES = 4 };

struct changer {
    struct telex_hub *hub;
    size_t number;
    int failed;
};

static void change_options(void *arg)
{
    struct changer *c = arg;

    for (int i = 0; i < CHANGES; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "exporters.x%zu_%d.type", c->number, i);
        c->failed += telex_update_option(c->hub, path, "station", NULL) != TELEX_OK;
    }
}

static void changes_at_once_are_all_there(void **state)
{
    struct scene *s = *state;
    struct changer changers[CHANGERS];
    struct thread threads[CHANGERS];
    struct err e = ERR_INIT;
    char name[64];

    start(s);
    for (size_t i = 0; i < CHANGERS; i++) {
        changers[i] = (struct changer){.hub = s->hub, .number = i};
        assert_true(thread_start(&threads[i], "changer", change_options, &changers[i], &e));
    }
    for (size_t i = 0; i < CHANGERS; i++) {
        thread_join(&threads[i]);
        assert_int_equal(changers[i].failed, 0);
    }
    assert_int_equal(telex_exporter_name(s->hub, CHANGERS * CHANGES, name, sizeof(name)), TELEX_OK);
    stop(s, TELEX_OK);
}

/* ---- folders, forks, threads ---- */

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static void a_state_folder_keeps_what_was_not_delivered(void **state)
{
    char folder[] = "/tmp/telex-lib-XXXXXX";
    struct scene *s = *state;
    struct telex_left left = {.struct_size = sizeof(left)};

    assert_non_null(mkdtemp(folder));
    set(s, "state.path", folder);
    atomic_store(&s->station.verdict, TELEX_RETRY);
    start(s);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    assert_int_equal(telex_close(s->hub, 200, &left, &s->error), TELEX_UNDELIVERED);
    assert_int_equal(left.records, 0);
    assert_int_equal(left.frames, 1);
    atomic_store(&s->station.verdict, TELEX_DELIVERED);
    start(s);
    stop(s, TELEX_OK);
    assert_int_equal(atomic_load(&s->station.records), 1);
    (void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Nothing of cmocka in the child: its status says which call was wrong. */
static int calls_of_a_child(struct telex_hub *hub)
{
    struct telex_health health = {.struct_size = sizeof(health)};
    struct telex_stats stats = {.struct_size = sizeof(stats)};
    const int codes[] = {give(hub, 1),
                         telex_trace(hub, NULL),
                         telex_flush(hub, 1000, NULL),
                         telex_update_option(hub, "a.b", "c", NULL),
                         telex_health(hub, NULL, &health),
                         telex_stats(hub, &stats),
                         telex_debug_mode(hub, 0, NULL),
                         telex_close(hub, 1000, NULL, NULL)};

    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (codes[i] != TELEX_FORKED) {
            return (int)i + 1;
        }
    }
    return telex_hub_config(hub) == NULL && telex_filtered_count(hub) == 0 ? 0 : 100;
}

static void a_forked_child_is_told(void **state)
{
    struct scene *s = *state;
    int status = -1;

    start(s);
    pid_t child = fork();
    if (child == 0) {
        _exit(calls_of_a_child(s->hub));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(give(s->hub, 1), TELEX_OK);
    stop(s, TELEX_OK);
    assert_int_equal(atomic_load(&s->station.records), 1);
}

enum { GIVERS = 4, EACH = 5000 };

static void give_many(void *arg)
{
    for (int i = 0; i < EACH; i++) {
        while (give(arg, i) == TELEX_FULL) {
            rest_ms(1);
        }
    }
}

static void many_threads_give_while_the_config_changes(void **state)
{
    struct scene *s = *state;
    struct thread threads[GIVERS];
    struct err e = ERR_INIT;

    start(s);
    for (size_t i = 0; i < GIVERS; i++) {
        assert_true(thread_start(&threads[i], "giver", give_many, s->hub, &e));
    }
    for (int i = 0; i < 5; i++) {
        struct telex_health health = {.struct_size = sizeof(health)};
        char size[16];
        (void)snprintf(size, sizeof(size), "%d", 100 + i);
        assert_int_equal(
            telex_update_option(s->hub, "exporters.own.buffer.buffer_size", size, &s->error),
            TELEX_OK);
        assert_int_equal(telex_health(s->hub, NULL, &health), TELEX_OK);
        (void)stats_of(s->hub);
    }
    for (size_t i = 0; i < GIVERS; i++) {
        thread_join(&threads[i]);
    }
    struct telex_stats stats = stats_of(s->hub);
    assert_int_equal(stats.taken, GIVERS * EACH);
    (void)telex_close(s->hub, PATIENCE_MS, NULL, &s->error);
    assert_int_equal(atomic_load(&s->station.records), GIVERS * EACH);
}

static double cpu_s(void)
{
    struct timespec now;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now), 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A thread that is stopped between its place in the ring and the record in it holds up its shard, and burns nothing. */
static void who_fills_a_place_slowly_costs_nothing(void **state)
{
    struct scene *s = *state;
    struct ring_place place;

    start(s);
    assert_true(ring_put(&s->hub->ring, 8, &place));
    assert_int_equal(give_text(s->hub, "behind it"), TELEX_OK);
    double began = cpu_s();
    rest_ms(500);
    assert_true(cpu_s() - began < 0.1);
    assert_int_equal(atomic_load(&s->station.records), 0);
    ring_done(&place, RING_PADDING);
    assert_int_equal(telex_flush(s->hub, PATIENCE_MS, &s->error), TELEX_OK);
    assert_int_equal(atomic_load(&s->station.records), 1);
    assert_true(ring_put(&s->hub->ring, 8, &place));
    began = cpu_s();
    (void)telex_close(s->hub, 500, NULL, &s->error);
    assert_true(cpu_s() - began < 0.1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics_reach_an_exporter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(spans_know_their_parents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_and_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_no_exporter_takes_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hanging_backend_holds_up_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retries_come_until_it_takes_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flush_waits_for_the_delay_like_everyone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(rejected_records_are_dead_letters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_record_is_refused_unseen, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_is_no_success, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_fills_a_place_slowly_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_small_memory_holds_up_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_in_memory_is_not_said_to_be_on_disk, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(changes_at_once_are_all_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(configs_are_read_with_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_of_exporters_are_set_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_environment_makes_an_exporter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hub_without_exporters_does_not_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kinds_that_are_none_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(options_change_while_it_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_state_folder_keeps_what_was_not_delivered, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_forked_child_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_threads_give_while_the_config_changes, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests_name("lib/hub", tests, NULL, NULL);
}
