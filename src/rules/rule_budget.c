/*
 * How many series a rule may have: its own limit, what the others of its group leave of the group's, and
 * what all other rules leave of the process's.
 *
 * Invariants
 *   1. <held> of a run is in the sums of its group and of the engine, once.
 *   2. An answer beyond a limit is read to its end, to say how large it is; nothing of it is used, and
 *      what the rule knew stays.
 */
#include "rules/engine_int.h"

static const char *const limit_names[SERIES_LIMITS] = {
    [SERIES_OF_RULE] = "rule", [SERIES_OF_GROUP] = "group", [SERIES_OF_PROCESS] = "process"};

struct str series_limit_name(enum series_limit limit)
{
    return str_of(limit_names[limit]);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a > 0 && (b <= 0 || a < b) ? a : b;
}

static int64_t limit_of_rule(const struct rule_run *run)
{
    int64_t limit = run->rule->limit > 0 ? run->rule->limit : run->rule->group->limit;

    return smaller(limit, run->engine->options.max_series_per_rule);
}

static int64_t limit_of_group(const struct rule_run *run)
{
    return smaller(run->rule->group->series_limit, run->engine->options.max_series_per_group);
}

/* What is left of <limit> when others have <taken>; 0 means that there is no limit. */
static void allow(struct evaluation *ev, enum series_limit which, int64_t limit, int64_t taken)
{
    int64_t left = limit > taken ? limit - taken : 0;

    if (limit > 0 && left < ev->allowed) {
        ev->allowed = left;
        ev->tightest = which;
        ev->limit = limit;
        ev->taken = taken;
    }
}

void budget_begin(struct evaluation *ev)
{
    struct rule_run *run = ev->run;
    struct engine *en = run->engine;

    ev->allowed = INT64_MAX;
    allow(ev, SERIES_OF_RULE, limit_of_rule(run), 0);
    if (run->home != NULL) {
        allow(ev, SERIES_OF_GROUP, limit_of_group(run), atomic_load(&run->home->held) - run->held);
    }
    allow(ev, SERIES_OF_PROCESS, en->options.max_series, atomic_load(&en->held) - run->held);
}

bool budget_admits(struct evaluation *ev)
{
    return (int64_t)++ev->rows <= ev->allowed;
}

bool budget_check(struct evaluation *ev, struct err *e)
{
    const struct rule_group *group = ev->run->rule->group;

    if ((int64_t)ev->rows <= ev->allowed) {
        return true;
    }
    metric_add(ev->run->engine->breaches[ev->tightest], 1);
    if (ev->tightest == SERIES_OF_RULE) {
        return err_set(e, ERR_LIMIT,
                       "the answer has %llu series, and 'limit' allows this rule %lld: narrow the "
                       "expression or raise it",
                       (unsigned long long)ev->rows, (long long)ev->limit);
    }
    if (ev->tightest == SERIES_OF_GROUP) {
        return err_set(
            e, ERR_LIMIT,
            "the answer has %llu series; the rules of group '%.*s' may have %lld together, "
            "and the others have %lld: narrow the expression or raise 'series_limit'",
            (unsigned long long)ev->rows, STR_FMT(group->name), (long long)ev->limit,
            (long long)ev->taken);
    }
    return err_set(
        e, ERR_LIMIT,
        "the answer has %llu series; all rules may have %lld together, and the others have "
        "%lld: narrow the expression or raise 'series_total' under 'limits'",
        (unsigned long long)ev->rows, (long long)ev->limit, (long long)ev->taken);
}

void budget_hold(struct rule_run *run, int64_t held)
{
    int64_t more = held - run->held;

    run->held = held;
    atomic_fetch_add(&run->engine->held, more);
    if (run->home != NULL) {
        atomic_fetch_add(&run->home->held, more);
    }
}

void budget_move(struct rule_run *run, struct group_run *home)
{
    if (run->home != NULL) {
        atomic_fetch_sub(&run->home->held, run->held);
    }
    run->home = home;
    if (home != NULL) {
        atomic_fetch_add(&home->held, run->held);
    }
}
