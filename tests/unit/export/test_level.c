/* A level output: Alertmanager's, over a real connection, with alerts that the test sets. */
#include "level_bench.h"

#include "base/timetext.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_tells_what_is_new(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 3);
    source_add(&f->source, "a");
    source_add(&f->source, "b");
    start(f, "labels: {site: berlin}\n");
    assert_true(receiver_wait(&f->receiver, 1));
    assert_alerts(f, 0, "a b");
    assert_holds(f, 0, "\"startsAt\":\"2024-01-15T10:30:00Z\"");
    assert_holds(f, 0, "\"annotations\":{\"summary\":\"sss\"}");
    assert_holds(f, 0, "\"generatorURL\":\"http://telex/r1\"");
    assert_holds(f, 0, "\"site\":\"berlin\"");
    struct output_status status = wait_status(f, 2, 0);
    assert_string_equal(status.state, "ok");
    assert_true(status.last_success_ns > 0);
    assert_true(status.last_result.success && status.last_result.exported_count == 2);

    /* What was confirmed is not told again; what is new is, and what ended. */
    wake_and_wait(f);
    source_add(&f->source, "c");
    source_resolve(&f->source, 0);
    wake_and_wait(f);
    assert_true(receiver_wait(&f->receiver, 2));
    assert_alerts(f, 1, "a(resolved) c");
    (void)wait_status(f, 4, 0);
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 2);
}

static bool is_wanted(void *arg, const struct level_alert *alert)
{
    struct fixture *f = arg;

    atomic_fetch_add(&f->asked, 1);
    return !str_eq(labels_get(alert->labels, STR("alertname")), STR("b"));
}

/* What the routes send elsewhere is not told; what was told once is told to its end. */
static void test_tells_what_is_wanted(void **state)
{
    struct fixture *f = *state;

    f->filter = (struct level_filter){is_wanted, f};
    plan_success(f, 2);
    source_add(&f->source, "a");
    source_add(&f->source, "b");
    start(f, "");
    assert_true(receiver_wait(&f->receiver, 1));
    assert_alerts(f, 0, "a");
    source_resolve(&f->source, 0);
    source_resolve(&f->source, 1);
    level_output_wake(f->output);
    assert_true(receiver_wait(&f->receiver, 2));
    assert_alerts(f, 1, "a(resolved)");
    assert_true(atomic_load(&f->asked) >= 2);
}

static void test_ends_at(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);
    struct json_node *root = NULL;
    struct arena a;
    struct err e = ERR_INIT;
    int64_t ends_at_ns = 0;

    plan_success(f, 1);
    source_add(&f->source, "a");
    start(f, "resend_delay: 30s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    receiver_body(&f->receiver, 0, &body);
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(buf_str(&body), &a, &root, &e));
    struct str text = json_get_str(root->first, STR("endsAt"));
    assert_true(time_parse_rfc3339(text, &ends_at_ns, &e));
    arena_release(&a);
    int64_t left_s = (ends_at_ns - clock_wall_ns(clock_system())) / NS_PER_S;
    assert_in_range(left_s, 110, 121);
}

static void source_evaluate(struct source *source, int64_t interval_ns, int64_t slot_ns)
{
    lock_take(&source->lock);
    source->alerts[0].interval_ns = interval_ns;
    source->alerts[0].slot_ns = slot_ns;
    lock_give(&source->lock);
}

static void test_resends(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 5);
    source_add(&f->source, "a");
    source_evaluate(&f->source, NS_PER_S, 0);
    start(f, "resend_delay: 1s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    int64_t first = now_ms();
    assert_true(receiver_wait(&f->receiver, 2));
    assert_in_range(now_ms() - first, 800, 3000);
    assert_alerts(f, 1, "a");

    source_resolve(&f->source, 0);
    level_output_wake(f->output);
    assert_true(receiver_wait(&f->receiver, 4));
    assert_alerts(f, 2, "a(resolved)");
    assert_alerts(f, 3, "a(resolved)");
}

/* Told again at the first multiple of the interval that is not below the delay. */
static void test_resends_with_the_interval(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 5);
    source_add(&f->source, "a");
    source_evaluate(&f->source, 2 * NS_PER_S, 0);
    start(f, "resend_delay: 1s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    int64_t first = now_ms();
    assert_true(receiver_wait(&f->receiver, 2));
    assert_in_range(now_ms() - first, 1800, 4000);
}

/* Told again after the evaluation that is due, whenever that is, and not in between. */
static void test_resends_after_evaluations(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 5);
    source_add(&f->source, "a");
    source_evaluate(&f->source, 20 * NS_PER_S, 1000 * NS_PER_S);
    start(f, "resend_delay: 30s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    for (int64_t slot = 1020; slot <= 1060; slot += 20) {
        source_evaluate(&f->source, 20 * NS_PER_S, slot * NS_PER_S);
        level_output_wake(f->output);
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), 150), NULL});
        assert_int_equal(receiver_count(&f->receiver), slot < 1040 ? 1 : 2);
    }
}

static void test_ends_at_is_limited(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;
    int64_t ends_at_ns = 0;

    plan_success(f, 1);
    source_add(&f->source, "a");
    start(f, "max_resolve_duration: 30s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    receiver_body(&f->receiver, 0, &body);
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(buf_str(&body), &a, &root, &e));
    assert_true(time_parse_rfc3339(json_get_str(root->first, STR("endsAt")), &ends_at_ns, &e));
    assert_in_range((ends_at_ns - clock_wall_ns(clock_system())) / NS_PER_S, 20, 31);
}

/* A request has the headers of one group. */
static void test_headers_of_groups(void **state)
{
    static const struct label one[] = {{STR_INIT("X-Team"), STR_INIT("a")}};
    static const struct label two[] = {{STR_INIT("X-Team"), STR_INIT("b")},
                                       {STR_INIT("Content-Type"), STR_INIT("text/x")}};
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    plan_success(f, 3);
    for (int i = 0; i < 4; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "a%d", i);
        source_add(&f->source, name);
    }
    lock_take(&f->source.lock);
    f->source.alerts[1].headers = one;
    f->source.alerts[1].header_count = 1;
    for (int i = 2; i < 4; i++) {
        f->source.alerts[i].headers = two;
        f->source.alerts[i].header_count = 2;
    }
    lock_give(&f->source.lock);
    start(f, "headers: {X-Team: none}\n");
    assert_true(receiver_wait(&f->receiver, 3));
    (void)wait_status(f, 4, 0);
    assert_alerts(f, 0, "a0");
    assert_alerts(f, 1, "a1");
    assert_alerts(f, 2, "a2 a3");
    receiver_head(&f->receiver, 0, &head);
    assert_non_null(strstr(buf_text(&head), "X-Team: none\r\n"));
    buf_clear(&head);
    receiver_head(&f->receiver, 2, &head);
    assert_non_null(strstr(buf_text(&head), "X-Team: b\r\n"));
    assert_null(strstr(buf_text(&head), "none"));
}

static void test_names_are_plain(void **state)
{
    struct fixture *f = *state;
    struct labels_builder b;

    plan_success(f, 1);
    source_add(&f->source, "a");
    labels_builder_init(&b);
    lock_take(&f->source.lock);
    struct labels *before = f->source.alerts[0].labels;
    labels_builder_start(&b, before);
    labels_builder_set(&b, STR("host.name"), STR("h"));
    labels_builder_set(&b, STR("0x"), STR("y"));
    assert_true(labels_build(&b, &f->source.alerts[0].labels, &f->kit.err));
    labels_unref(before);
    lock_give(&f->source.lock);
    labels_builder_release(&b);
    start(f, "");
    assert_true(receiver_wait(&f->receiver, 1));
    assert_holds(f, 0, "\"host_name\":\"h\"");
    assert_holds(f, 0, "\"_x\":\"y\"");
}

/* What the walk does not meet any more is forgotten; when it comes back it is new. */
static void test_forgets(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 2);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    source_clear(&f->source);
    wake_and_wait(f);
    source_add(&f->source, "a");
    level_output_wake(f->output);
    (void)wait_status(f, 2, 0);
    assert_int_equal(receiver_count(&f->receiver), 2);
    assert_alerts(f, 1, "a");
}

static void test_tries_again(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 500, NULL, "no room");
    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    struct output_status status = wait_status(f, 0, 1);
    assert_string_equal(status.state, "retrying");
    assert_true(status.is_healthy);
    assert_false(status.last_result.success);
    assert_non_null(strstr(status.last_result.error, "no room"));
    assert_non_null(strstr(status.last_error, "answered 500: no room"));
    level_output_wake(f->output); /* no shorter for that */
    int64_t failed = now_ms();
    assert_true(receiver_wait(&f->receiver, 2));
    assert_in_range(now_ms() - failed, 400, 2000);
    assert_alerts(f, 1, "a");
    assert_string_equal(wait_status(f, 1, 1).state, "ok");
    assert_true(metric_of(f, "telex_exporter_delivered_total{exporter=\"am\"}") == 1);
    assert_true(metric_of(f, "telex_exporter_retries_total{exporter=\"am\"}") == 1);
    assert_true(metric_of(f, "telex_exporter_call_seconds_count{exporter=\"am\"}") == 2);
    assert_true(metric_of(f, "telex_exporter_errors_total{exporter=\"am\",class=\"5xx\"}") == 1);
    assert_true(metric_of(f, "telex_exporter_sent_bytes_total{exporter=\"am\"}") > 100);
}

/* Who fails as often as is too often is not healthy, and one answer mends that. */
static void test_health(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 401, NULL, "who are you");
    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "health_check: { unhealthy_threshold: 1 }\n");
    struct output_status status = wait_status(f, 0, 1);
    assert_string_equal(status.state, "halted");
    assert_false(status.is_healthy);
    assert_non_null(strstr(status.health_error, "answered 401"));
    assert_true(metric_of(f, "telex_exporter_healthy{exporter=\"am\"}") == 0);
    assert_true(wait_status(f, 1, 1).is_healthy);
    assert_true(metric_of(f, "telex_exporter_healthy{exporter=\"am\"}") == 1);
}

/* While there is nothing to tell it is asked whether it is there; what comes does not wait for that. */
static void test_is_asked(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 503, NULL, NULL);
    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "health_check: { interval: 100ms, unhealthy_threshold: 1 }\n");
    assert_true(receiver_wait(&f->receiver, 2));
    receiver_head(&f->receiver, 1, &head);
    assert_non_null(strstr(buf_text(&head), "GET /-/healthy HTTP/1.1"));
    struct output_status status = {.is_healthy = true};
    for (int ms = 0; ms < HTTP_PEER_PATIENCE_MS && status.is_healthy; ms += 5) {
        http_peer_pause_ms(5);
        level_output_status(f->output, &status);
    }
    assert_non_null(strstr(status.health_error, "answered 503"));
    assert_true(receiver_wait(&f->receiver, 3));
    source_add(&f->source, "b");
    int64_t began = now_ms();
    level_output_wake(f->output);
    (void)wait_status(f, 2, 0);
    assert_in_range(now_ms() - began, 0, 2000);
}

static void test_waits_as_asked(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 429, "Retry-After: 2\r\n", NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 0, 1);
    int64_t failed = now_ms();
    assert_true(receiver_wait(&f->receiver, 2));
    assert_in_range(now_ms() - failed, 1900, 4000);
}

static void test_many(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 3);
    for (int i = 0; i < 600; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "a%d", i);
        source_add(&f->source, name);
    }
    start(f, "");
    (void)wait_status(f, 600, 0);
    assert_int_equal(receiver_count(&f->receiver), 3);
    assert_int_equal(source_walks(&f->source), 1);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 3);
}

/* One alert that the destination will not have does not keep the others from it. */
static void test_refused_alert(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 60);
    receiver_fail_with(&f->receiver, "bad");
    for (int i = 0; i < 20; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), i == 7 ? "bad" : "a%d", i);
        source_add(&f->source, name);
    }
    start(f, "");
    struct output_status status = wait_status(f, 19, 1);
    assert_non_null(strstr(status.last_error, "refused"));
    assert_true(metric_of(f, "telex_exporter_refused_total{exporter=\"am\"}") == 1);
    unsigned requests = receiver_count(&f->receiver);
    assert_in_range(requests, 5, 14);
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), requests);
    assert_int_equal(untold_at_the_end(f), 1);
}

/* What was told is told, what could not be is counted. */
static void test_counts_what_is_untold(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 200, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    receiver_plan(&f->receiver, 503, NULL, NULL);
    receiver_plan(&f->receiver, 503, NULL, NULL);
    source_add(&f->source, "b");
    source_resolve(&f->source, 0);
    level_output_wake(f->output);
    (void)wait_status(f, 1, 1);
    assert_int_equal(untold_at_the_end(f), 2);
}

static void test_leaves_nothing_untold(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 2);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    assert_int_equal(untold_at_the_end(f), 0);
}

static void test_gone_meanwhile(void **state)
{
    struct fixture *f = *state;

    lock_take(&f->source.lock);
    f->source.gone = true;
    lock_give(&f->source.lock);
    source_add(&f->source, "a");
    start(f, "");
    wake_and_wait(f);
    wake_and_wait(f);
    assert_int_equal(receiver_count(&f->receiver), 0);
}

static void test_long_annotations(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 1);
    lock_take(&f->source.lock);
    f->source.annotation_len = 2 * 1024 * 1024;
    lock_give(&f->source.lock);
    source_add(&f->source, "a");
    start(f, "");
    assert_true(receiver_wait(&f->receiver, 1));
    assert_alerts(f, 0, "a");
    assert_holds(f, 0, "\"annotations\":{}");
}

/* Rules can be replaced while the destination does not answer. */
static void test_source_leaves_while_sending(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    assert_true(receiver_wait(&f->receiver, 1));
    int64_t before = now_ms();
    level_output_set_source(f->output, NULL);
    assert_in_range(now_ms() - before, 0, 1000);
    unsigned walks = source_walks(&f->source);
    level_output_wake(f->output);
    http_peer_pause_ms(50);
    assert_int_equal(source_walks(&f->source), walks);
}

static void test_last_word(void **state)
{
    struct fixture *f = *state;
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};

    plan_success(f, 2);
    source_add(&f->source, "a");
    start(f, "");
    (void)wait_status(f, 1, 0);
    source_resolve(&f->source, 0); /* nobody says so */
    level_output_stop(f->output, wait);
    assert_int_equal(receiver_count(&f->receiver), 2);
    assert_alerts(f, 1, "a(resolved)");
    (void)wait_status(f, 2, 0);
}

static void test_last_word_is_bounded(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    source_add(&f->source, "a");
    start(f, "");
    assert_true(receiver_wait(&f->receiver, 1));
    int64_t before = now_ms();
    level_output_stop(f->output, (struct wait){clock_deadline_ms(clock_system(), 200), NULL});
    assert_in_range(now_ms() - before, 150, 2000);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_tells_what_is_new),
        CASE(test_tells_what_is_wanted),
        CASE(test_ends_at),
        CASE(test_resends),
        CASE(test_resends_with_the_interval),
        CASE(test_resends_after_evaluations),
        CASE(test_ends_at_is_limited),
        CASE(test_headers_of_groups),
        CASE(test_names_are_plain),
        CASE(test_forgets),
        CASE(test_tries_again),
        CASE(test_waits_as_asked),
        CASE(test_health),
        CASE(test_is_asked),
        CASE(test_many),
        CASE(test_refused_alert),
        CASE(test_counts_what_is_untold),
        CASE(test_leaves_nothing_untold),
        CASE(test_gone_meanwhile),
        CASE(test_long_annotations),
        CASE(test_source_leaves_while_sending),
        CASE(test_last_word),
        CASE(test_last_word_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
