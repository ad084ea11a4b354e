/*
 *      READY, RESOLVED --- TRUE, for > 0 ---> PENDING        quiet
 *      READY, RESOLVED --- TRUE, for = 0 ---> ALERTING       told
 *      PENDING ----------- TRUE, for reached ---> ALERTING   told
 *      PENDING ----------- FALSE ---> RESOLVED               quiet
 *      ALERTING ---------- TRUE, silence began ---> SUPPRESSING   quiet
 *      SUPPRESSING ------- TRUE, silence over ---> ALERTING  told again
 *      ALERTING, SUPPRESSING - FALSE, nothing keeps it ---> RESOLVED   told
 *
 * Invariants
 *   1. PENDING has active_at; ALERTING and SUPPRESSING have fired_at >= active_at; RESOLVED has
 *      resolved_at.
 *   2. episode_ns changes only when an alert leaves READY or RESOLVED.
 *   3. ERROR and PARTIAL change nothing, not even the value.
 *   4. Told edges alternate within an episode: fired (and repeats), then resolved. A pending alert
 *      that goes is never told.
 */
#include "rules/alert_step.h"

static struct alert_transition stay(const struct alert_status *previous, double value)
{
    struct alert_transition t = {.next = *previous, .edge = EDGE_NONE};

    t.next.value = value;
    return t;
}

static struct alert_transition fire(struct alert_status status, int64_t now_ns,
                                    const struct alert_policy *policy)
{
    status.state = ALERT_ALERTING;
    status.fired_at_ns = status.fired_at_ns != 0 ? status.fired_at_ns : now_ns;
    status.silenced_until_ns = policy->silence_ns > 0 ? now_ns + policy->silence_ns : 0;
    return (struct alert_transition){.next = status, .edge = EDGE_TOLD};
}

/* The first true evaluation of an episode. */
static struct alert_transition on_true_inactive(const struct alert_status *previous, double value,
                                                int64_t now_ns, const struct alert_policy *policy)
{
    struct alert_status next = {
        .state = ALERT_PENDING, .episode_ns = now_ns, .active_at_ns = now_ns, .value = value};

    (void)previous;
    if (policy->for_ns <= 0) {
        return fire(next, now_ns, policy);
    }
    return (struct alert_transition){.next = next, .edge = EDGE_QUIET};
}

static struct alert_transition on_true_pending(const struct alert_status *previous, double value,
                                               int64_t now_ns, const struct alert_policy *policy)
{
    struct alert_transition t = stay(previous, value);

    return now_ns - previous->active_at_ns >= policy->for_ns ? fire(t.next, now_ns, policy) : t;
}

/* True again: the keep_firing_for timer is forgotten, and a silence that began or ended changes the
 * state. */
static struct alert_transition on_true_firing(const struct alert_status *previous, double value,
                                              int64_t now_ns, const struct alert_policy *policy)
{
    struct alert_transition t = stay(previous, value);

    if (previous->keep_since_ns != 0) {
        t.next.keep_since_ns = 0;
        t.edge = EDGE_QUIET;
    }
    if (policy->silence_ns <= 0) {
        return t;
    }
    if (now_ns > previous->silenced_until_ns) {
        return fire(t.next, now_ns, policy);
    }
    if (previous->state == ALERT_ALERTING) {
        t.next.state = ALERT_SUPPRESSING;
        t.edge = EDGE_QUIET;
    }
    return t;
}

static struct alert_transition resolve(const struct alert_status *previous, int64_t now_ns,
                                       enum edge_kind edge)
{
    struct alert_transition t = {.next = *previous, .edge = edge};

    t.next.state = ALERT_RESOLVED;
    t.next.resolved_at_ns = now_ns;
    t.next.silenced_until_ns = 0;
    return t;
}

static struct alert_transition on_false_inactive(const struct alert_status *previous, double value,
                                                 int64_t now_ns, const struct alert_policy *policy)
{
    (void)value;
    (void)now_ns;
    (void)policy;
    return (struct alert_transition){.next = *previous, .edge = EDGE_NONE};
}

static struct alert_transition on_false_pending(const struct alert_status *previous, double value,
                                                int64_t now_ns, const struct alert_policy *policy)
{
    (void)value;
    (void)policy;
    return resolve(previous, now_ns, EDGE_QUIET);
}

static struct alert_transition on_false_firing(const struct alert_status *previous, double value,
                                               int64_t now_ns, const struct alert_policy *policy)
{
    struct alert_transition t = {.next = *previous, .edge = EDGE_NONE};

    (void)value;
    if (policy->keep_firing_for_ns <= 0) {
        return resolve(previous, now_ns, EDGE_TOLD);
    }
    if (previous->keep_since_ns == 0) {
        t.next.keep_since_ns = now_ns;
        t.edge = EDGE_QUIET;
        return t;
    }
    return now_ns - previous->keep_since_ns >= policy->keep_firing_for_ns
               ? resolve(previous, now_ns, EDGE_TOLD)
               : t;
}

typedef struct alert_transition (*step_fn)(const struct alert_status *, double, int64_t,
                                           const struct alert_policy *);

static const struct {
    step_fn on_true;
    step_fn on_false;
} steps[ALERT_STATES] = {
    [ALERT_READY] = {on_true_inactive, on_false_inactive},
    [ALERT_PENDING] = {on_true_pending, on_false_pending},
    [ALERT_ALERTING] = {on_true_firing, on_false_firing},
    [ALERT_SUPPRESSING] = {on_true_firing, on_false_firing},
    [ALERT_RESOLVED] = {on_true_inactive, on_false_inactive},
};

/* The latest slot that <status> has seen. */
static int64_t latest_slot(const struct alert_status *status)
{
    const int64_t slots[] = {status->active_at_ns, status->fired_at_ns, status->keep_since_ns,
                             status->resolved_at_ns};
    int64_t latest = 0;

    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        latest = slots[i] > latest ? slots[i] : latest;
    }
    return latest;
}

static bool counts_as_true(enum observation seen, const struct alert_policy *policy)
{
    return seen == OBSERVED_TRUE || (seen == OBSERVED_ABSENT && policy->on_absent == ABSENT_ALERTS);
}

static bool changes_nothing(enum observation seen, const struct alert_policy *policy)
{
    return seen == OBSERVED_ERROR || seen == OBSERVED_PARTIAL ||
           (seen == OBSERVED_ABSENT && policy->on_absent == ABSENT_KEEPS);
}

struct alert_transition alert_step(const struct alert_status *previous, enum observation seen,
                                   double value, int64_t now_ns, const struct alert_policy *policy)
{
    int64_t latest_ns = latest_slot(previous);

    if (changes_nothing(seen, policy)) {
        return (struct alert_transition){.next = *previous, .edge = EDGE_NONE};
    }
    if (now_ns < latest_ns) {
        now_ns = latest_ns;
    }
    step_fn step = counts_as_true(seen, policy) ? steps[previous->state].on_true
                                                : steps[previous->state].on_false;
    return step(previous, value, now_ns, policy);
}

bool alert_status_is_over(const struct alert_status *status, int64_t now_ns,
                          int64_t keep_resolved_ns)
{
    if (status->state == ALERT_READY) {
        return true;
    }
    if (status->state != ALERT_RESOLVED) {
        return false;
    }
    return status->fired_at_ns == 0 || now_ns - status->resolved_at_ns >= keep_resolved_ns;
}
