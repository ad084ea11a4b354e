/*
 * restore_remote.h - alerts that another engine left behind, read from the series it wrote.
 *
 * For rules that have no state of their own: the first start beside a store that has ALERTS and
 * ALERTS_FOR_STATE, of vmalert, of Prometheus, or of a Telex whose disk was lost. Asked are the series as they
 * stood when the last of them was written, so alerts that had ended by then stay ended.
 *
 * Ownership: the run owns what was found. Threads: the one that evaluates the rule. Limits: one label set of
 * an alert each; REMOTE_ALERTS_MAX of them.
 */
#ifndef TELEX_RULES_RESTORE_REMOTE_H
#define TELEX_RULES_RESTORE_REMOTE_H

#include "rules/engine_int.h"

enum { REMOTE_ALERTS_MAX = 1000 * 1000 };

/* Where a rule stands with it. */
enum remote_phase {
    REMOTE_NONE,  /* nobody is asked: it has state of its own, or nobody is there to ask */
    REMOTE_ASKS,  /* until there is an answer */
    REMOTE_FOUND, /* what was found is for the next evaluation that succeeds */
};

/* Asks, if the rule is to ask; a failure is told, and the next evaluation asks again. */
void remote_ask(struct evaluation *ev);

/* What was found of the alert with these labels, as a status to go on from; false: nothing. */
bool remote_status(const struct rule_run *run, const struct labels *labels, int64_t slot_ns,
                   struct alert_status *ret_status);

/* The evaluation is over: what was found is used up. */
void remote_done(struct rule_run *run);
void remote_release(struct rule_run *run);

#endif
