/* A level output and texts that take their time: nobody else waits for them, and no alert leaves as over. */
#include "level_bench.h"

#include "base/timetext.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* An alert whose texts take a query. */
static void add_asking(struct fixture *f, const char *name, const char *rule)
{
    source_add(&f->source, name);
    lock_take(&f->source.lock);
    struct level_alert *a = &f->source.alerts[f->source.count - 1];
    a->asks_ns = 30 * NS_PER_S;
    (void)snprintf(a->rule_id, sizeof(a->rule_id), "%s", rule);
    lock_give(&f->source.lock);
}

/* How long the alerts of request <i> have still to go when it arrived, at least. */
static int64_t least_left_ms(struct fixture *f, unsigned i, int64_t arrived_ns)
{
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;
    int64_t least_ms = INT64_MAX;

    receiver_body(&f->receiver, i, &body);
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(buf_str(&body), &a, &root, &e));
    for (const struct json_node *n = root->first; n != NULL; n = n->next) {
        int64_t end_ns = 0;
        assert_true(time_parse_rfc3339(json_get_str(n, STR("endsAt")), &end_ns, &e));
        int64_t left_ms = (end_ns - arrived_ns) / NS_PER_MS;
        least_ms = left_ms < least_ms ? left_ms : least_ms;
    }
    return least_ms;
}

static void test_a_text_that_never_comes(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 4);
    add_asking(f, "a", RULE_HANGS);
    add_asking(f, "b", RULE_HANGS);
    add_asking(f, "c", RULE_HANGS);
    add_asking(f, "d", "asks");
    source_add(&f->source, "plain");
    int64_t began = now_ms();
    start(f, "max_resolve_duration: 3s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    assert_in_range(now_ms() - began, 0, 1000);
    assert_alerts(f, 0, "plain");
    assert_true(receiver_wait(&f->receiver, 2));
    int64_t arrived_ns = clock_wall_ns(clock_system());
    assert_in_range(now_ms() - began, 0, 3500);
    assert_true(receiver_wait(&f->receiver, 3));
    assert_in_range(now_ms() - began, 0, 3500);
    assert_alerts(f, 1, "a");
    assert_alerts(f, 2, "b c d");
    assert_true(least_left_ms(f, 1, arrived_ns) > 2500);
    assert_true(least_left_ms(f, 2, arrived_ns) > 2500);
}

/* Of those that take a query who waited longest comes first. */
static void test_the_longest_untold_first(void **state)
{
    struct fixture *f = *state;

    plan_success(f, 4);
    add_asking(f, "a", "asks");
    start(f, "resend_delay: 1s\n");
    assert_true(receiver_wait(&f->receiver, 1));
    (void)wait_status(f, 1, 0);
    lock_take(&f->source.lock);
    f->source.alerts[0].interval_ns = NS_PER_S;
    f->source.alerts[0].firing = false;
    lock_give(&f->source.lock);
    add_asking(f, "b", "asks");
    level_output_wake(f->output);
    assert_true(receiver_wait(&f->receiver, 2));
    assert_holds(f, 1, "\"alertname\":\"b\"");
    assert_holds(f, 1, "\"alertname\":\"a\"");
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    receiver_body(&f->receiver, 1, &body);
    assert_true(strstr(buf_text(&body), "\"b\"") < strstr(buf_text(&body), "\"a\""));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_text_that_never_comes),
        CASE(test_the_longest_untold_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
