/* What is said of one alert, in order, and what of it is news; and that the file and the ledger keep it. */
#include "base/fs.h"
#include "base/mem.h"
#include "base/rand.h"
#include "receive/alert_states.h"
#include "wire/edges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct world {
    struct env env;
    struct rng rng;
    struct alert_states *states;
};

static void world_init(struct world *w)
{
    *w = (struct world){0};
    rng_seed(&w->rng, 1);
    w->env.rng = &w->rng;
    w->states = alert_states_new(&w->env);
}

static struct labels *labels_of(const char *value)
{
    struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("alertname"), str_of(value));
    assert_true(labels_build(&b, &l, &e));
    labels_builder_release(&b);
    return l;
}

/* Says it; gives the start of the edge's episode, 0 when it is no news. */
static int64_t say(struct alert_states *s, const char *name, bool is_firing, int64_t starts,
                   int64_t ends, int64_t now)
{
    AUTO(labels_autounref) struct labels *l = labels_of(name);
    const struct alert_said said = {l, is_firing, starts, ends};
    struct alert_news news;

    alert_states_begin(s);
    alert_states_compare(s, &said, now, &news);
    if (news.is_news) {
        alert_states_given(s, l, 7);
    }
    alert_states_end(s);
    return news.is_news ? news.episode_ns : 0;
}

struct saying {
    bool is_firing;
    int64_t starts;
    int64_t ends;
    int64_t now;
    int64_t news; /* the episode; 0: none */
};

enum { SAYINGS = 6 };

static const struct {
    const char *what;
    struct saying sayings[SAYINGS];
} rows[] = {
    {"what is repeated is said once",
     {{true, 10, 0, 11, 10}, {true, 10, 0, 12, 0}, {true, 10, 0, 13, 0}}},
    {"two senders with two starts are one episode",
     {{true, 10, 0, 11, 10},
      {true, 12, 0, 13, 0},
      {true, 10, 0, 14, 0},
      {false, 12, 15, 15, 10},
      {false, 10, 15, 16, 0}}},
    {"an end, repeated", {{true, 10, 0, 11, 10}, {false, 10, 20, 20, 10}, {false, 10, 20, 21, 0}}},
    {"a late post of what is over",
     {{true, 10, 0, 11, 10}, {false, 10, 20, 20, 10}, {true, 10, 0, 21, 0}}},
    {"it fires again", {{true, 10, 0, 11, 10}, {false, 10, 20, 20, 10}, {true, 30, 0, 31, 30}}},
    {"an end of the episode before",
     {{true, 10, 0, 11, 10},
      {false, 10, 20, 20, 10},
      {true, 30, 0, 31, 30},
      {false, 10, 20, 32, 0},
      {false, 30, 40, 41, 30}}},
    {"no start is said",
     {{true, 0, 0, 11, 11}, {true, 0, 0, 12, 0}, {false, 0, 0, 13, 11}, {true, 0, 0, 14, 14}}},
    {"it begins again behind the end that was said, and nobody said that it ended",
     {{true, 10, 30, 11, 10},
      {true, 10, 40, 20, 0},
      {true, 41, 80, 50, 41},
      {true, 41, 90, 60, 0},
      {false, 41, 70, 70, 41}}},
    {"two senders, one of which begins again while the other goes on",
     {{true, 10, 50, 11, 10}, {true, 12, 40, 12, 0}, {true, 45, 70, 45, 0}, {true, 60, 90, 60, 0}}},
    {"a sender that was away for long, and says the same start",
     {{true, 10, 30, 11, 10}, {true, 10, 90, 60, 0}, {false, 10, 70, 70, 10}}},
    {"no start is said, long after the end",
     {{true, 0, 30, 11, 11}, {true, 0, 40, 20, 0}, {true, 0, 60, 50, 50}}},
    {"only the end comes of the one behind", {{true, 10, 30, 11, 10}, {false, 40, 50, 50, 40}}},
    {"an end without a beginning", {{false, 10, 20, 20, 10}, {false, 10, 20, 21, 0}}},
    {"an episode of which only the end comes",
     {{true, 10, 0, 11, 10}, {false, 10, 20, 20, 10}, {false, 30, 40, 40, 30}}},
};

static void test_sayings(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct world w;
        world_init(&w);
        print_message("%s\n", rows[i].what);
        for (const struct saying *s = rows[i].sayings; s < rows[i].sayings + SAYINGS; s++) {
            if (s->now != 0) {
                assert_int_equal(say(w.states, "a", s->is_firing, s->starts, s->ends, s->now),
                                 s->news);
            }
        }
        alert_states_free(w.states);
    }
}

static void test_revert(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *l = labels_of("a");
    const struct alert_said said = {l, true, 10, 0};
    struct alert_news news;
    struct world w;

    world_init(&w);
    alert_states_begin(w.states);
    alert_states_compare(w.states, &said, 11, &news);
    assert_true(news.is_news);
    alert_states_revert(w.states, l, &news);
    alert_states_end(w.states);
    assert_int_equal(alert_states_count(w.states), 0);
    assert_int_equal(say(w.states, "a", true, 10, 0, 12), 10);
    alert_states_free(w.states);
}

/* The one before is to be given as ended when its last post said it would. */
static void test_ended_before(void **state)
{
    (void)state;
    AUTO(labels_autounref) struct labels *l = labels_of("a");
    const struct alert_said first = {l, true, 10, 30};
    const struct alert_said again = {l, true, 41, 60};
    struct alert_news news;
    struct world w;

    world_init(&w);
    alert_states_begin(w.states);
    alert_states_compare(w.states, &first, 11, &news);
    assert_false(news.is_another);
    alert_states_given(w.states, l, 1);
    alert_states_compare(w.states, &again, 45, &news);
    assert_true(news.is_another);
    assert_int_equal(news.ended.episode_ns, 10);
    assert_int_equal(news.ended.until_ns, 30);
    assert_true(news.ended.is_firing);
    assert_false(news.before.is_firing);
    assert_int_equal(news.before.ended_ns, 30);
    alert_states_revert(w.states, l, &news);
    alert_states_end(w.states);
    assert_int_equal(say(w.states, "a", true, 10, 30, 46), 0); /* it is over */
    assert_int_equal(say(w.states, "a", true, 41, 60, 46), 41);
    alert_states_free(w.states);
}

static void test_lost_is_told_again(void **state)
{
    (void)state;
    struct world w;

    world_init(&w);
    assert_int_equal(say(w.states, "a", true, 10, 0, 11), 10);
    alert_states_lost(w.states, 8, 9);
    assert_int_equal(say(w.states, "a", true, 10, 0, 12), 0);
    alert_states_lost(w.states, 6, 7);
    assert_int_equal(say(w.states, "a", true, 10, 0, 13), 10);
    alert_states_free(w.states);
}

/* Resolved ones go first, and then the longest unheard of. */
static void test_limit(void **state)
{
    (void)state;
    char name[32];
    struct world w;

    world_init(&w);
    alert_states_limit(w.states, 100);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "a%d", i);
        assert_int_equal(say(w.states, name, i != 50, 10, 20, 100 + i), 10);
    }
    assert_int_equal(say(w.states, "one more", true, 10, 0, 300), 10);
    assert_true(alert_states_count(w.states) <= 100);
    assert_int_equal(say(w.states, "a99", true, 10, 0, 301), 0);
    assert_int_equal(say(w.states, "a50", false, 10, 20, 302), 10);
    assert_int_equal(say(w.states, "a0", true, 10, 0, 303), 10);
    alert_states_free(w.states);
}

static size_t count_saved(struct world *w)
{
    const struct str path = STR("/tmp/telex_test_alert_states_held");
    struct err e = ERR_INIT;
    struct world again;

    world_init(&again);
    assert_true(alert_states_save(w->states, path, &e));
    assert_true(alert_states_load(again.states, path, &e));
    size_t count = alert_states_count(again.states);
    bool fires = count > 0 && say(again.states, "a", false, 0, 0, 99) != 0;
    alert_states_free(again.states);
    (void)unlink(path.ptr);
    return count > 0 && fires ? 1 : count > 0 ? 2 : 0; /* 1: it fires, 2: it ended */
}

/* What no disk has yet is neither in the file nor in the number of the frames that it stands for. */
static void test_only_what_is_held_is_saved(void **state)
{
    (void)state;
    struct world w;

    world_init(&w);
    assert_int_equal(say(w.states, "a", true, 10, 0, 11), 10);
    assert_int_equal(alert_states_seq(w.states), 0);
    assert_int_equal(count_saved(&w), 0);
    uint64_t changes = alert_states_changes(w.states);
    alert_states_held(w.states, 7);
    assert_true(alert_states_changes(w.states) > changes);
    assert_int_equal(alert_states_seq(w.states), 7);
    assert_int_equal(count_saved(&w), 1);

    AUTO(labels_autounref) struct labels *l = labels_of("a");
    const struct alert_said ended = {l, false, 10, 20};
    const struct alert_said again = {l, true, 30, 0};
    struct alert_news news;
    alert_states_begin(w.states);
    alert_states_compare(w.states, &ended, 21, &news);
    alert_states_given(w.states, l, 8);
    alert_states_compare(w.states, &again, 31, &news);
    alert_states_given(w.states, l, 9);
    alert_states_compare(w.states, &(struct alert_said){l, false, 30, 40}, 41, &news);
    alert_states_given(w.states, l, 10);
    alert_states_end(w.states);
    assert_int_equal(count_saved(&w), 1);
    alert_states_held(w.states, 10);
    assert_int_equal(count_saved(&w), 2);
    alert_states_free(w.states);
}

static void test_file(void **state)
{
    (void)state;
    const struct str path = STR("/tmp/telex_test_alert_states");
    struct err e = ERR_INIT;
    struct world w;
    struct world again;

    world_init(&w);
    world_init(&again);
    assert_int_equal(say(w.states, "fires", true, 10, 0, 11), 10);
    assert_int_equal(say(w.states, "ended", false, 10, 20, 21), 10);
    assert_int_equal(say(w.states, "lasts", true, 10, 40, 21), 10);
    alert_states_held(w.states, 7);
    assert_true(alert_states_save(w.states, path, &e));
    assert_true(alert_states_load(again.states, path, &e));
    assert_int_equal(alert_states_count(again.states), 3);
    assert_int_equal(say(again.states, "lasts", true, 41, 60, 45), 41);
    assert_int_equal(say(again.states, "fires", true, 10, 0, 30), 0);
    assert_int_equal(say(again.states, "ended", false, 10, 20, 31), 0);
    assert_int_equal(say(again.states, "ended", true, 30, 0, 32), 30);
    alert_states_free(w.states);
    alert_states_free(again.states);

    assert_true(fs_replace_file(fs_system(), path,
                                STR("telex received alerts 1\n"
                                    "00112233445566778899aabbccddeeff 1 10 0 11\n"),
                                &e)); /* as earlier versions wrote it */
    world_init(&again);
    assert_true(alert_states_load(again.states, path, &e));
    assert_int_equal(alert_states_count(again.states), 1);
    alert_states_free(again.states);

    assert_true(
        fs_replace_file(fs_system(), path, STR("telex received alerts 1\nzz 1 2 3 4\n"), &e));
    world_init(&again);
    assert_false(alert_states_load(again.states, path, &e));
    assert_non_null(strstr(e.message, "line 2"));
    alert_states_free(again.states);
    (void)unlink(path.ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sayings),
        cmocka_unit_test(test_revert),
        cmocka_unit_test(test_ended_before),
        cmocka_unit_test(test_lost_is_told_again),
        cmocka_unit_test(test_only_what_is_held_is_saved),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
