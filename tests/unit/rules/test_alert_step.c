/* Every transition of alert_step() as a row: a story of observations and what each must lead to. */
#include "rules/alert_step.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Minutes keep the tables short: slot N is N minutes after the start. */
#define MIN_NS (60 * NS_PER_S)

struct moment {
    int minute;
    char seen; /* T F A E P: TRUE FALSE ABSENT ERROR PARTIAL */
    enum alert_state state;
    enum edge_kind edge;
};

struct story {
    const char *name;
    struct alert_policy policy; /* durations in minutes here */
    struct moment moments[12];
};

static const struct story stories[] = {
    {"for 0 fires at once and resolves",
     {0},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'T', ALERT_ALERTING, EDGE_NONE},
      {3, 'F', ALERT_RESOLVED, EDGE_TOLD},
      {4, 'F', ALERT_RESOLVED, EDGE_NONE}}},
    {"for 2 waits until two minutes have passed",
     {.for_ns = 2},
     {{1, 'T', ALERT_PENDING, EDGE_QUIET},
      {2, 'T', ALERT_PENDING, EDGE_NONE},
      {3, 'T', ALERT_ALERTING, EDGE_TOLD},
      {4, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"a pending alert that goes is never told",
     {.for_ns = 5},
     {{1, 'T', ALERT_PENDING, EDGE_QUIET},
      {2, 'F', ALERT_RESOLVED, EDGE_QUIET},
      {3, 'T', ALERT_PENDING, EDGE_QUIET},
      {7, 'T', ALERT_PENDING, EDGE_NONE},
      {8, 'T', ALERT_ALERTING, EDGE_TOLD}}},
    {"keep_firing_for holds, forgets on true, and lets go",
     {.keep_firing_for_ns = 2},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'F', ALERT_ALERTING, EDGE_QUIET},
      {3, 'F', ALERT_ALERTING, EDGE_NONE},
      {4, 'T', ALERT_ALERTING, EDGE_QUIET},
      {5, 'F', ALERT_ALERTING, EDGE_QUIET},
      {6, 'F', ALERT_ALERTING, EDGE_NONE},
      {7, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"errors and partial answers change nothing",
     {.for_ns = 2},
     {{1, 'E', ALERT_READY, EDGE_NONE},
      {2, 'T', ALERT_PENDING, EDGE_QUIET},
      {3, 'E', ALERT_PENDING, EDGE_NONE},
      {4, 'P', ALERT_PENDING, EDGE_NONE},
      {5, 'T', ALERT_ALERTING, EDGE_TOLD},
      {6, 'E', ALERT_ALERTING, EDGE_NONE},
      {7, 'P', ALERT_ALERTING, EDGE_NONE},
      {8, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"absent resolves by default",
     {0},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD}, {2, 'A', ALERT_RESOLVED, EDGE_TOLD}}},
    {"absent may keep the last state",
     {.on_absent = ABSENT_KEEPS},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'A', ALERT_ALERTING, EDGE_NONE},
      {3, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"absent may alert",
     {.for_ns = 1, .on_absent = ABSENT_ALERTS},
     {{1, 'A', ALERT_PENDING, EDGE_QUIET},
      {2, 'A', ALERT_ALERTING, EDGE_TOLD},
      {3, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"a silence tells again when it is over",
     {.silence_ns = 2},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'T', ALERT_SUPPRESSING, EDGE_QUIET},
      {3, 'T', ALERT_SUPPRESSING, EDGE_NONE},
      {4, 'T', ALERT_ALERTING, EDGE_TOLD},
      {5, 'T', ALERT_SUPPRESSING, EDGE_QUIET},
      {6, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"suppressing is kept firing too",
     {.silence_ns = 60, .keep_firing_for_ns = 1},
     {{1, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'T', ALERT_SUPPRESSING, EDGE_QUIET},
      {3, 'F', ALERT_SUPPRESSING, EDGE_QUIET},
      {4, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
    {"a clock that runs back neither fires early nor loses time",
     {.for_ns = 2},
     {{5, 'T', ALERT_PENDING, EDGE_QUIET},
      {1, 'T', ALERT_PENDING, EDGE_NONE},
      {6, 'T', ALERT_PENDING, EDGE_NONE},
      {7, 'T', ALERT_ALERTING, EDGE_TOLD},
      {2, 'F', ALERT_RESOLVED, EDGE_TOLD}}},
};

static enum observation observation_of(char seen)
{
    static const char letters[] = "TFAEP";

    return (enum observation)(strchr(letters, seen) - letters);
}

static void check_invariants(const struct alert_status *s)
{
    if (s->state == ALERT_ALERTING || s->state == ALERT_SUPPRESSING) {
        assert_true(s->fired_at_ns >= s->active_at_ns && s->active_at_ns > 0);
    }
    if (s->state == ALERT_RESOLVED) {
        assert_true(s->resolved_at_ns >= s->active_at_ns);
    }
    assert_true(s->state == ALERT_READY || s->episode_ns == s->active_at_ns);
}

static void tell(const struct story *story)
{
    struct alert_policy policy = {.for_ns = story->policy.for_ns * MIN_NS,
                                  .keep_firing_for_ns = story->policy.keep_firing_for_ns * MIN_NS,
                                  .silence_ns = story->policy.silence_ns * MIN_NS,
                                  .on_absent = story->policy.on_absent};
    struct alert_status status = {0};

    for (size_t i = 0; i < ARRAY_LEN(story->moments) && story->moments[i].minute != 0; i++) {
        const struct moment *m = &story->moments[i];
        struct alert_transition t =
            alert_step(&status, observation_of(m->seen), (double)i, m->minute * MIN_NS, &policy);
        if (t.next.state != m->state || t.edge != m->edge) {
            fail_msg("%s, minute %d: state %d edge %d, expected %d %d", story->name, m->minute,
                     (int)t.next.state, (int)t.edge, (int)m->state, (int)m->edge);
        }
        check_invariants(&t.next);
        status = t.next;
    }
}

static void each_story_goes_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        tell(&stories[i]);
    }
}

/* All sequences of five observations: told edges alternate, and quiet ones never tell. */
static void told_edges_alternate_in_all_short_stories(void **state)
{
    static const char letters[] = "TFAEP";

    (void)state;
    for (int code = 0; code < 5 * 5 * 5 * 5 * 5 * 5; code++) {
        struct alert_policy policy = {.for_ns = code % 2 * MIN_NS,
                                      .keep_firing_for_ns = code % 3 * MIN_NS};
        struct alert_status status = {0};
        bool firing = false;
        for (int i = 0, rest = code; i < 6; i++, rest /= 5) {
            struct alert_transition t = alert_step(&status, observation_of(letters[rest % 5]), 1.0,
                                                   (i + 1) * MIN_NS, &policy);
            if (t.edge == EDGE_TOLD) {
                assert_int_equal(t.next.state, firing ? ALERT_RESOLVED : ALERT_ALERTING);
                firing = !firing;
            }
            assert_int_equal(t.edge == EDGE_NONE ? status.state : t.next.state, t.next.state);
            check_invariants(&t.next);
            status = t.next;
        }
    }
}

static void a_resolved_alert_is_over_after_its_time(void **state)
{
    struct alert_status resolved = {.state = ALERT_RESOLVED,
                                    .active_at_ns = 1,
                                    .fired_at_ns = 1,
                                    .resolved_at_ns = 10 * MIN_NS};
    struct alert_status never_fired = {.state = ALERT_RESOLVED, .resolved_at_ns = 10 * MIN_NS};
    struct alert_status firing = {.state = ALERT_ALERTING};

    (void)state;
    assert_false(alert_status_is_over(&resolved, 24 * MIN_NS, 15 * MIN_NS));
    assert_true(alert_status_is_over(&resolved, 25 * MIN_NS, 15 * MIN_NS));
    assert_true(alert_status_is_over(&never_fired, 10 * MIN_NS, 15 * MIN_NS));
    assert_false(alert_status_is_over(&firing, 1000 * MIN_NS, 15 * MIN_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_story_goes_as_told),
        cmocka_unit_test(told_edges_alternate_in_all_short_stories),
        cmocka_unit_test(a_resolved_alert_is_over_after_its_time),
    };

    return cmocka_run_group_tests_name("rules/alert_step", tests, NULL, NULL);
}
