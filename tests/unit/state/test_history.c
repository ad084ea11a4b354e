/* What is kept of changes, for how long, and what is asked of it; causes in words. */
#include "state/history.h"

#include "base/env.h"
#include "base/metrics.h"
#include "base/number.h"
#include "fake/export_kit.h"
#include "state/history_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct kit {
    char folder[32];
    char path[64];
    struct env env;
    struct history *history;
};

static void start(struct kit *k, int64_t max_changes, int64_t max_age_ns)
{
    struct err e = ERR_INIT;

    *k = (struct kit){.folder = "/tmp/telex-test-XXXXXX",
                      .env = {.clock = clock_system(), .metrics = metrics_new()}};
    assert_non_null(mkdtemp(k->folder));
    (void)snprintf(k->path, sizeof(k->path), "%s/history.db", k->folder);
    const struct history_options options = {str_of(k->path), max_changes, max_age_ns};
    assert_true(history_open(&k->env, &options, &k->history, &e));
}

static void stop(struct kit *k)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[80];

    history_close(k->history);
    metrics_free(k->env.metrics);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", k->path, ends[i]);
        (void)unlink(name);
    }
    assert_int_equal(rmdir(k->folder), 0);
}

/* A firing of the rule "A" at <time_ns>. */
static struct batch *fired_with(int64_t time_ns, double value)
{
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = STR("A"), .group = STR("g")};
    struct batch *b = batch_new(NULL, &info);
    struct alert *row = arena_array(batch_arena(b), struct alert, 1);

    *row = (struct alert){.rule_id = STR("id"),
                          .labels = labels_empty(),
                          .from = ALERT_PENDING,
                          .to = ALERT_ALERTING,
                          .episode_ns = time_ns,
                          .time_ns = time_ns,
                          .value = value};
    batch_set_alerts(b, (struct alerts){row, 1});
    return b;
}

static struct batch *fired(int64_t time_ns)
{
    return fired_with(time_ns, 2);
}

static void fire_with(struct kit *k, int64_t time_ns, double value)
{
    struct batch *b = fired_with(time_ns, value);

    history_changes(k->history, b, true);
    batch_unref(b);
}

static void fire(struct kit *k, int64_t time_ns)
{
    fire_with(k, time_ns, 2);
}

static size_t count(struct kit *k, const struct history_filter *filter, struct buf *out)
{
    int64_t next = 0;
    size_t n = 0;
    struct err e = ERR_INIT;

    history_settle(k->history);
    buf_clear(out);
    assert_true(history_print(k->history, filter, out, &next, &e));
    for (const char *p = buf_text(out); (p = strstr(p, "\"number\"")) != NULL; p++) {
        n++;
    }
    return n;
}

static void only_the_newest_stay(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct history_filter all = {.limit = 1000};
    int64_t now_ns = clock_wall_ns(clock_system());
    struct kit k;

    start(&k, 10, NS_PER_S * 3600);
    for (int i = 0; i < 2500; i++) {
        fire(&k, now_ns + i);
    }
    size_t n = count(&k, &all, &out); /* looked at each thousand */
    assert_true(n >= 10 && n < 1010);
    for (int i = 0; i < 1000; i++) {
        fire(&k, now_ns - NS_PER_S * 7200);
    }
    assert_true(count(&k, &all, &out) < n);
    stop(&k);
}

static void an_end_may_come_first(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct history_filter all = {0};
    int64_t now_ns = clock_wall_ns(clock_system());
    struct batch *b = fired(now_ns);
    struct kit k;

    start(&k, 10, NS_PER_S * 3600);
    history_ended(k.history, STR("x"), view_all(b), "fallback", STR("y was down"));
    history_changes(k.history, b, true);
    history_ended(k.history, STR("x"), view_all(b), "delivered", STR(""));
    history_ended(k.history, STR("y"), view_all(b), "dead_letter", STR("no"));
    assert_int_equal(count(&k, &all, &out), 1);
    assert_non_null(strstr(buf_text(&out), "\"result\":\"delivered\",\"reason\":\"\"}"));
    assert_non_null(strstr(buf_text(&out), "\"result\":\"dead_letter\",\"reason\":\"no\"}"));
    assert_null(strstr(buf_text(&out), "fallback"));
    batch_unref(b);
    stop(&k);
}

static void causes(void **state)
{
    (void)state;
    static const struct {
        enum alert_state from;
        enum alert_state to;
        int64_t keep_ns;
        const char *want;
    } rows[] = {
        {ALERT_READY, ALERT_PENDING, 0, "became true; waits for as long as `for` asks"},
        {ALERT_READY, ALERT_ALERTING, 0, "became true"},
        {ALERT_RESOLVED, ALERT_ALERTING, 0, "became true"},
        {ALERT_PENDING, ALERT_ALERTING, 0, "true for as long as `for` asks"},
        {ALERT_PENDING, ALERT_PENDING, 0, "time that nobody watched does not count for `for`"},
        {ALERT_PENDING, ALERT_RESOLVED, 0, "no longer true before `for` was reached"},
        {ALERT_ALERTING, ALERT_RESOLVED, 0, "no longer true"},
        {ALERT_ALERTING, ALERT_ALERTING, 1, "no longer true; keep_firing_for holds it"},
        {ALERT_ALERTING, ALERT_ALERTING, 0, "still true"},
        {ALERT_SUPPRESSING, ALERT_ALERTING, 0, "still true; told again"},
        {ALERT_ALERTING, ALERT_SUPPRESSING, 0, "still true"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct alert a = {
            .from = rows[i].from, .to = rows[i].to, .keep_since_ns = rows[i].keep_ns};
        assert_string_equal(history_cause(&(struct batch_info){.origin = STR("rule")}, &a),
                            rows[i].want);
    }
}

/* What another engine decided has no past here, and perhaps no value. */
static void what_is_pushed_says_no_more(void **state)
{
    (void)state;
    const struct batch_info pushed = {.origin = STR("receive")};
    const struct alert fires = {.from = ALERT_READY, .to = ALERT_ALERTING};
    const struct alert ends = {.from = ALERT_ALERTING, .to = ALERT_RESOLVED};

    assert_string_equal(history_cause(&pushed, &fires), "was pushed as firing");
    assert_string_equal(history_cause(&pushed, &ends), "was pushed as resolved");
}

static void values_that_are_no_numbers(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct history_filter all = {0};
    int64_t now_ns = clock_wall_ns(clock_system());
    struct kit k;

    start(&k, 10, NS_PER_S * 3600);
    fire_with(&k, now_ns, number_stale_nan());
    assert_int_equal(count(&k, &all, &out), 1);
    assert_non_null(strstr(buf_text(&out), "\"value\":null"));
    fire_with(&k, now_ns + 1, (double)NAN);
    assert_int_equal(count(&k, &all, &out), 2);
    assert_non_null(strstr(buf_text(&out), "\"value\":\"NaN\""));
    fire_with(&k, now_ns + 2, (double)INFINITY);
    assert_int_equal(count(&k, &all, &out), 3);
    assert_non_null(strstr(buf_text(&out), "\"value\":\"+Inf\""));
    stop(&k);
}

static void a_file_that_is_none_is_told(void **state)
{
    (void)state;
    const struct env env = {.clock = clock_system(), .metrics = metrics_new()};
    const struct history_options options = {STR("/nowhere/history.db"), 10, 10};
    struct history *h = NULL;
    struct err e = ERR_INIT;

    assert_false(history_open(&env, &options, &h, &e));
    assert_non_null(strstr(e.context, "the history of alerts"));
    metrics_free(env.metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_newest_stay),
        cmocka_unit_test(an_end_may_come_first),
        cmocka_unit_test(causes),
        cmocka_unit_test(what_is_pushed_says_no_more),
        cmocka_unit_test(values_that_are_no_numbers),
        cmocka_unit_test(a_file_that_is_none_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
