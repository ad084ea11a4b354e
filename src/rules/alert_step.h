/*
 * alert_step.h - the one function that owns alert state.
 *
 * alert_step(previous, observation, now, policy) -> next state, and at most one edge. No I/O, no
 * clock, no memory: every transition is a row of a table test. Prometheus's inactive, pending and
 * firing are a projection of the five states; docs/internals/rules.md draws the diagram.
 *
 * Ownership: values. Threads: any. Limits: none.
 */
#ifndef TELEX_RULES_ALERT_STEP_H
#define TELEX_RULES_ALERT_STEP_H

#include "model/batch.h"

#include <stdbool.h>
#include <stdint.h>

/* What one evaluation saw of one series. */
enum observation {
    OBSERVED_TRUE,    /* the series is in the answer */
    OBSERVED_FALSE,   /* the answer is complete and the series is not in it */
    OBSERVED_ABSENT,  /* there was no data at all to decide on */
    OBSERVED_ERROR,   /* the query failed: nothing is known */
    OBSERVED_PARTIAL, /* the answer is incomplete and the series is not in it */
    OBSERVATIONS
};

/* What a rule does with an ABSENT observation. */
enum absent_policy { ABSENT_RESOLVES, ABSENT_KEEPS, ABSENT_ALERTS };

struct alert_policy {
    int64_t for_ns;
    int64_t keep_firing_for_ns;
    int64_t silence_ns; /* between repeated edges of an alert that stays true; 0: it is told once */
    enum absent_policy on_absent;
};

/* The state of one alert. Times are wall ns of evaluation slots, 0 when not reached. */
struct alert_status {
    enum alert_state state;
    int64_t episode_ns; /* first true evaluation of this episode: names it */
    int64_t active_at_ns;
    int64_t fired_at_ns;
    int64_t keep_since_ns; /* first evaluation that was not true while keep_firing_for holds the
                              alert */
    int64_t resolved_at_ns;
    int64_t silenced_until_ns;
    double value;
};

enum edge_kind {
    EDGE_NONE,  /* nothing to remember */
    EDGE_QUIET, /* a change of state that a restart must know and nobody is told */
    EDGE_TOLD,  /* fired or resolved: delivered */
};

struct alert_transition {
    struct alert_status next;
    enum edge_kind edge; /* from previous.state to next.state */
};

/* Pure. <now_ns> is the evaluation's slot; it never runs backwards for one alert (an earlier one is
 * taken as equal). */
struct alert_transition alert_step(const struct alert_status *previous, enum observation seen,
                                   double value, int64_t now_ns, const struct alert_policy *policy);

/* Is the alert gone for good after this state, so that its memory may be freed? */
bool alert_status_is_over(const struct alert_status *status, int64_t now_ns,
                          int64_t keep_resolved_ns);

#endif
