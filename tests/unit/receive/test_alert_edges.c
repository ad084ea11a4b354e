/* What a push comes to at the exporters: by the routes, by name, once, and not at all. */
#include "base/mem.h"
#include "fake/plan_kit.h"
#include "receive/alert_edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW_S = 1000 };

struct world {
    struct plan_kit kit;
    struct alert_states *states;
};

/* The routes give everything to "one"; "two" is reached by name alone. */
static struct world *start(void)
{
    struct world *w = mem_new(struct world);

    plan_kit_start(&w->kit);
    plan_kit_output(&w->kit, "one", &fake_kind_alerts, 0);
    plan_kit_output(&w->kit, "two", &fake_kind_alerts, 1);
    plan_kit_route(&w->kit, NULL, 1, false);
    plan_kit_open(&w->kit);
    w->states = alert_states_new(&w->kit.env);
    return w;
}

static void stop(struct world *w)
{
    alert_states_free(w->states);
    plan_kit_stop(&w->kit);
    mem_free(w);
}

static bool push(struct world *w, const char *text, struct alerts_given *ret)
{
    const struct alert_giver giver = {w->kit.plan, w->states, NULL, NOW_S * NS_PER_S};
    AUTO(arena_release) struct arena a;
    struct alert_push p = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!alert_push_read(str_of(text), ALERT_PUSH_V2, &a, &p, &e)) {
        fail_msg("%s", e.message);
    }
    bool ok = alerts_give(&giver, &p, ret, &e);
    alert_push_release(&p);
    return ok;
}

#define ALERT(labels, annotations)                                \
    "{\"labels\":{" labels "},\"annotations\":{" annotations "}," \
    "\"startsAt\":\"1970-01-01T00:00:10Z\"}"
#define NAMED "\"alertname\":\"N\",\"export_to_datastore\":\"true\""
#define ENDED ",\"endsAt\":\"1970-01-01T00:01:00Z\"}"

static const struct {
    const char *what;
    const char *text;
    const char *one; /* values that come to "one" */
    const char *two;
    struct alerts_given want;
} rows[] = {
    {"the routes", "[" ALERT("\"alertname\":\"A\"", "\"value\":\"1\"") "]", "1", "", {.firing = 1}},
    {"a name",
     "[" ALERT(NAMED, "\"export_datastore\":\"two\",\"value\":\"2\"") "]",
     "",
     "2",
     {.firing = 1}},
    {"a name without the switch",
     "[" ALERT("\"alertname\":\"A\"", "\"export_datastore\":\"two\",\"value\":\"3\"") "]",
     "3",
     "",
     {.firing = 1}},
    {"a name that nobody has",
     "[" ALERT(NAMED, "\"export_datastore\":\"x\",\"value\":\"4\"") "]",
     "4",
     "",
     {.firing = 1, .unknown_names = 1}},
    {"what ends follows the routes",
     "[{\"labels\":{" NAMED "},\"annotations\":{\"export_datastore\":\"two\",\"value\":\"5\"}" ENDED
     "]",
     "5",
     "",
     {.resolved = 1}},
    {"switched off",
     "[" ALERT("\"alertname\":\"A\",\"export_to_datastore\":\"false\"", "\"value\":\"6\"") "]",
     "",
     "",
     {.firing = 1}},
    {"twice in a push",
     "[" ALERT("\"a\":\"b\"", "\"value\":\"7\"") "," ALERT("\"a\":\"b\"", "\"value\":\"8\"") "]",
     "7",
     "",
     {.firing = 1, .unchanged = 1}},
};

static void expect(struct world *w, size_t i, const char *want)
{
    size_t count = want[0] != '\0';
    assert_true(count == 0 || destination_wait(&w->kit.destinations[i], count));
    char *got = destination_got(&w->kit.destinations[i]);
    assert_string_equal(got, want);
    mem_free(got);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world *w = start();
        struct alerts_given given;
        print_message("%s\n", rows[i].what);
        assert_true(push(w, rows[i].text, &given));
        assert_int_equal(given.firing, rows[i].want.firing);
        assert_int_equal(given.resolved, rows[i].want.resolved);
        assert_int_equal(given.unchanged, rows[i].want.unchanged);
        assert_int_equal(given.unknown_names, rows[i].want.unknown_names);
        assert_int_equal(given.unrouted, 0);
        assert_true(given.first_seq > 0 && given.first_seq <= given.last_seq);
        expect(w, 0, rows[i].one);
        expect(w, 1, rows[i].two);
        stop(w);
    }
}

/* A repeated push gives nothing, and waits for the frame that holds what it repeats. */
static void test_repeated(void **state)
{
    (void)state;
    const char *text = "[" ALERT("\"alertname\":\"A\"", "\"value\":\"1\"") "]";
    struct alerts_given first;
    struct alerts_given again;
    struct world *w = start();

    assert_true(push(w, text, &first));
    assert_true(push(w, text, &again));
    assert_int_equal(again.unchanged, 1);
    assert_int_equal(again.last_seq, first.last_seq);
    expect(w, 0, "1");
    stop(w);
}

static bool replay(void *arg, uint64_t seq, struct batch *b, struct err *e)
{
    (void)seq;
    assert_true(alert_states_own(b));
    return alert_states_replay(arg, b, e);
}

#define FIRING(name, value, start, end)                                                   \
    "{\"labels\":{\"alertname\":\"" name "\"},\"annotations\":{\"value\":\"" value "\"}," \
    "\"startsAt\":\"1970-01-01T00:" start "Z\",\"endsAt\":\"1970-01-01T00:" end "Z\"}"

/* The end of the one before comes first, also where what begins shares a batch that came up before. */
static void test_begins_again(void **state)
{
    (void)state;
    struct alerts_given given;
    struct world *w = start();

    assert_true(push(w, "[" FIRING("A", "1", "00:10", "20:00") "]", &given));
    expect(w, 0, "1");
    assert_true(
        push(w, "[" FIRING("B", "2", "20:10", "30:00") "," FIRING("A", "3", "20:01", "30:00") "]",
             &given));
    assert_int_equal(given.firing, 2);
    assert_int_equal(given.resolved, 1);
    assert_true(destination_wait(&w->kit.destinations[0], 4));
    char *got = destination_got(&w->kit.destinations[0]);
    assert_string_equal(got, "1 nan 2 3");
    mem_free(got);
    stop(w);
}

/* What the ledger holds is known again. */
static void test_replayed(void **state)
{
    (void)state;
    const char *text = "[" ALERT("\"alertname\":\"A\"", "\"value\":\"1\"") "]";
    struct alerts_given given;
    struct world *w = start();
    struct err e = ERR_INIT;

    assert_true(push(w, text, &given));
    alert_states_free(w->states);
    plan_kit_close(&w->kit);
    plan_kit_open(&w->kit);
    w->states = alert_states_new(&w->kit.env);
    assert_true(plan_replay_alerts(w->kit.plan, 0, replay, w->states, &e));
    assert_true(push(w, text, &given));
    assert_int_equal(given.unchanged, 1);
    stop(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_begins_again),
        cmocka_unit_test(test_replayed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
