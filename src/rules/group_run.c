/*
 * The evaluation of a group at a slot: which rule is next, and which go together in one request. What is read of
 * other groups is the business of group_across.c.
 *
 * Invariants
 *   1. A rule is evaluated once in a pass, after all earlier rules that it reads.
 *   2. Of the rules that could be next the first in file order is.
 *   3. Rules go together in a request only when each of them could be next.
 *   4. While one rule waits for what it reads to be delivered, those that need not wait go on.
 *   5. A request for many that is in doubt is forgotten as a whole; its rules are asked for one by one.
 *   6. Rules side by side are all ready when the first of them begins, and the pass goes on when the last has
 *      ended: only this thread looks at the pass.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"

/* How long a rule that was in doubt goes alone, and a group makes smaller requests. */
#define ALONE_NS (600 * NS_PER_S)

/* The part of an interval that a request for many may take: there must be time to ask for each. */
enum { BATCH_INTERVAL_PART = 4 };

/* The part of an interval that waiting for deliveries may take, and at most how long. */
enum { CHAIN_INTERVAL_PART = 4, CHAIN_WAIT_MS_MAX = 10000 };

enum { LOOK_FIRST_MS = 1, LOOK_LAST_MS = 20 };

enum { SIDE_BY_SIDE_MAX = 64 };

struct pass {
    struct group_run *g;
    int64_t slot_ns;
    struct wait wait;
    uint8_t *done; /* by rule */
    uint8_t *sees; /* by rule: what it reads of other groups is there */
    size_t first;  /* all before it are done */
    bool had_room;
    bool is_late;          /* a delivery took too long: nobody waits for one any more */
    int64_t chain_left_ms; /* how long deliveries may be waited for */
    struct rule_batch batch;
};

/* ---- which rule is next ---- */

/* Were all that it reads evaluated? */
static bool has_givers(const struct pass *p, size_t rule)
{
    struct rule_reads reads = rule_graph_reads(p->g->graph, rule);

    if (reads.all) {
        return p->first >= reads.count;
    }
    for (uint32_t i = 0; i < reads.count; i++) {
        if (p->done[reads.items[i]] == 0) {
            return false;
        }
    }
    return true;
}

/* Is what it reads of its own group where it can be asked for? */
static bool own_are_delivered(const struct pass *p, size_t rule, bool hurry)
{
    const struct engine_output *output = &p->g->engine->output;
    struct rule_reads reads = rule_graph_reads(p->g->graph, rule);

    for (uint32_t i = 0; i < reads.count; i++) {
        struct given_mark *mark = &p->g->runs[rule_reads_at(&reads, i)]->mark;
        if (mark->seq == 0) {
            continue;
        }
        if (!output->delivered(output->arg, mark, hurry)) {
            return false;
        }
        *mark = (struct given_mark){0}; /* and nobody has to ask again */
    }
    return true;
}

static bool sees_others(const struct pass *p, size_t rule)
{
    p->sees[rule] = p->sees[rule] != 0 || across_is_delivered(p->g, rule, p->slot_ns);
    return p->sees[rule] != 0;
}

static bool are_delivered(const struct pass *p, size_t rule, bool hurry)
{
    bool asks_nobody = p->g->engine->output.delivered == NULL || p->is_late ||
                       p->g->group->rules[rule].source == RULE_SOURCE_SELF;

    return asks_nobody || (own_are_delivered(p, rule, hurry) && sees_others(p, rule));
}

static bool is_ready(const struct pass *p, size_t rule)
{
    return has_givers(p, rule) && are_delivered(p, rule, false);
}

/* The first that is ready, looking no further than a request for many could reach; the count: none. */
static size_t first_ready(const struct pass *p)
{
    size_t end = p->g->group->rule_count;

    end = end - p->first > BATCH_RULES_MAX ? p->first + BATCH_RULES_MAX : end;
    for (size_t i = p->first; i < end; i++) {
        if (p->done[i] == 0 && is_ready(p, i)) {
            return i;
        }
    }
    return p->g->group->rule_count;
}

static void set_done(struct pass *p, size_t rule)
{
    p->done[rule] = 1;
    while (p->first < p->g->group->rule_count && p->done[p->first] != 0) {
        p->first++;
    }
}

/* ---- one rule ---- */

static void evaluate_one(struct pass *p, size_t rule)
{
    struct rule_run *run = p->g->runs[rule];
    struct err e = ERR_INIT;
    bool refused = false;

    (void)rule_evaluate(run, p->slot_ns, p->wait, &refused, &e);
    p->had_room = p->had_room && !refused;
    set_done(p, rule);
}

/* ---- several side by side ---- */

/* A rule in a thread of its own, or in this one. */
struct lane_rule {
    struct pass *pass;
    size_t rule;
    bool refused;
    struct thread thread;
};

static void run_lane_rule(void *arg)
{
    struct lane_rule *lane = arg;
    const struct pass *p = lane->pass;
    struct err e = ERR_INIT;

    (void)rule_evaluate(p->g->runs[lane->rule], p->slot_ns, p->wait, &lane->refused, &e);
}

/* <rule> and others that are ready, as many as the group allows. */
static size_t gather_ready(struct pass *p, size_t rule, struct lane_rule *lanes)
{
    const struct rule_group *group = p->g->group;
    size_t most =
        group->concurrency < SIDE_BY_SIDE_MAX ? (size_t)group->concurrency : SIDE_BY_SIDE_MAX;
    size_t count = 1;

    lanes[0] = (struct lane_rule){.pass = p, .rule = rule};
    for (size_t i = rule + 1; i < group->rule_count && count < most; i++) {
        if (p->done[i] == 0 && is_ready(p, i)) {
            lanes[count++] = (struct lane_rule){.pass = p, .rule = i};
        }
    }
    return count;
}

/* Where a thread cannot be had its rule is evaluated here. */
static void evaluate_side_by_side(struct pass *p, size_t rule)
{
    struct lane_rule lanes[SIDE_BY_SIDE_MAX];
    size_t count = gather_ready(p, rule, lanes);
    struct err ignored = ERR_INIT;

    for (size_t i = 1; i < count; i++) {
        if (!thread_start(&lanes[i].thread, "rule", run_lane_rule, &lanes[i], &ignored)) {
            run_lane_rule(&lanes[i]);
        }
    }
    run_lane_rule(&lanes[0]);
    for (size_t i = 0; i < count; i++) {
        thread_join(&lanes[i].thread);
        p->had_room = p->had_room && !lanes[i].refused;
        set_done(p, lanes[i].rule);
    }
}

/* ---- many in one request ---- */

static int64_t now_ns(const struct pass *p)
{
    return clock_mono_ns(p->g->engine->env->clock);
}

/* May the rule travel with others? Its answer must be a vector for certain. */
static bool may_join(const struct rule_run *run, int64_t now_mono_ns)
{
    const struct rule *rule = run->rule;
    const struct datasource *d = run_datasource(run);

    return d != NULL && d->takes_batches && rule->tree != NULL &&
           rule->tree->type == PROMQL_TYPE_INSTANT && rule->query_timeout_ns == 0 &&
           now_mono_ns >= run->alone_until_ns &&
           str_find(rule->expr, STR("__rule__")) == rule->expr.len;
}

static size_t most_in_batch(struct pass *p)
{
    struct group_run *g = p->g;

    if (g->batch_max != 0 && now_ns(p) >= g->batch_max_due_ns) {
        g->batch_max = 0;
    }
    return g->batch_max != 0 ? g->batch_max : BATCH_RULES_MAX;
}

/* Collects <rule> and what may go with it. */
static void collect(struct pass *p, size_t rule)
{
    const struct rule_group *group = p->g->group;
    size_t most = most_in_batch(p);
    int64_t now_mono_ns = now_ns(p);

    rule_batch_clear(&p->batch);
    for (size_t i = rule; i < group->rule_count && p->batch.parts.len < most; i++) {
        const struct rule_run *run = p->g->runs[i];
        if (p->done[i] != 0 || run->rule->source != group->rules[rule].source ||
            !may_join(run, now_mono_ns) || !is_ready(p, i)) {
            if (i == rule) {
                return;
            }
            continue;
        }
        if (!rule_batch_add(&p->batch, (uint32_t)i, run->rule->expr)) {
            return;
        }
    }
}

static bool ask_batch(struct pass *p, struct err *e)
{
    struct group_run *g = p->g;
    const struct rule_run *run = g->runs[p->batch.parts.items[0].rule];
    int64_t most_ns = g->group->interval_ns / BATCH_INTERVAL_PART;
    int64_t own_ns = rule_query_timeout_ns(run);
    struct query q = rule_query(run->rule, run->rule->expr, p->slot_ns - g->group->query_offset_ns);

    most_ns = most_ns > NS_PER_S ? most_ns : NS_PER_S;
    q.wait = wait_limit_ms(p->wait, g->engine->env->clock,
                           (own_ns < most_ns ? own_ns : most_ns) / NS_PER_MS);
    return rule_batch_ask(&p->batch, run_datasource(run), &q, e);
}

static void evaluate_parts(struct pass *p)
{
    for (size_t i = 0; i < p->batch.parts.len; i++) {
        uint32_t rule = p->batch.parts.items[i].rule;
        struct rule_run *run = p->g->runs[rule];
        run->batch = &p->batch;
        run->part = i;
        evaluate_one(p, rule);
        run->batch = NULL;
    }
}

/* The store may want smaller requests: none of these rules is in doubt alone. */
static void make_smaller(struct pass *p)
{
    p->g->batch_max = (uint32_t)(p->batch.parts.len + 1) / 2;
    p->g->batch_max_due_ns = now_ns(p) + ALONE_NS;
}

/* One by one; who is in doubt then goes alone from now on. */
static void split(struct pass *p, const struct err *why)
{
    struct group_run *g = p->g;
    bool found = false;

    metric_add(g->engine->batch_failures, 1);
    trace_warn(&g->engine->trace, "rules asked for in one request are asked for one by one",
               T_STR("group", g->group->name), T_U64("rules", p->batch.parts.len), T_ERR(why));
    for (size_t i = 0; i < p->batch.parts.len; i++) {
        uint32_t rule = p->batch.parts.items[i].rule;
        struct rule_run *run = g->runs[rule];
        if (wait_is_over(p->wait, g->engine->env->clock)) {
            return;
        }
        evaluate_one(p, rule);
        if (run->was_doubtful) {
            run->alone_until_ns = now_ns(p) + ALONE_NS;
            found = true;
        }
    }
    if (!found) {
        make_smaller(p);
    }
}

static void evaluate_from(struct pass *p, size_t rule)
{
    struct err e = ERR_INIT;

    collect(p, rule);
    if (p->batch.parts.len < 2 && p->g->group->concurrency > 1) {
        evaluate_side_by_side(p, rule);
    } else if (p->batch.parts.len < 2) {
        evaluate_one(p, rule);
    } else if (ask_batch(p, &e)) {
        metric_add(p->g->engine->batches, 1);
        evaluate_parts(p);
    } else {
        split(p, &e);
    }
}

/* ---- waiting for what is read ---- */

/* Once, until deliveries are in time again. */
static void tell_late(struct pass *p)
{
    struct group_run *g = p->g;

    if (!g->is_late) {
        trace_warn(&g->engine->trace,
                   "rules go on without the newest of what they read: it is not delivered",
                   T_STR("group", g->group->name), T_STR("rule", g->group->rules[p->first].name));
    }
    g->is_late = true;
}

static bool some_is_ready(const struct pass *p)
{
    return first_ready(p) < p->g->group->rule_count;
}

/*
 * Nothing is ready: waits until something is, which need not be the first: that one may wait for a group that
 * waits for a later one of ours. When it takes too long the first goes on with the values of before.
 */
static void wait_delivered(struct pass *p)
{
    struct engine *en = p->g->engine;
    struct wait limit = wait_limit_ms(p->wait, en->env->clock, p->chain_left_ms);
    int64_t start_ns = now_ns(p);
    int64_t look_ms = LOOK_FIRST_MS;

    bool ok = are_delivered(p, p->first, true);
    while (!ok && wait_sleep(wait_limit_ms(limit, en->env->clock, look_ms))) {
        if (wait_is_over(limit, en->env->clock)) {
            break;
        }
        look_ms = look_ms * 2 < LOOK_LAST_MS ? look_ms * 2 : LOOK_LAST_MS;
        ok = some_is_ready(p);
    }
    p->chain_left_ms -= (now_ns(p) - start_ns) / NS_PER_MS;
    metric_add(ok ? en->chain_waits : en->chain_late, 1);
    p->g->is_late = p->g->is_late && !ok;
    if (!ok && !wait_is_over(p->wait, en->env->clock)) {
        p->is_late = true;
        tell_late(p);
    }
}

static int64_t chain_wait_ms(const struct rule_group *group)
{
    int64_t part_ms = group->interval_ns / CHAIN_INTERVAL_PART / NS_PER_MS;

    return part_ms < CHAIN_WAIT_MS_MAX ? part_ms : CHAIN_WAIT_MS_MAX;
}

static void evaluate_next(struct pass *p)
{
    size_t next = first_ready(p);

    if (next == p->g->group->rule_count) {
        wait_delivered(p);
        next = first_ready(p);
        if (next == p->g->group->rule_count || wait_is_over(p->wait, p->g->engine->env->clock)) {
            return;
        }
    }
    evaluate_from(p, next);
}

/* ---- the group ---- */

static void note_pass(struct pass *p, int64_t start_ns)
{
    struct group_run *g = p->g;
    int64_t duration_ns = now_ns(p) - start_ns;

    metric_add(g->iterations, 1);
    metric_add(g->refused, !p->had_room);
    metric_add_seconds(g->duration, duration_ns);
    lock_take(&g->lock);
    g->last_slot_ns = p->slot_ns;
    g->last_duration_ns = duration_ns;
    lock_give(&g->lock);
}

static bool is_to_end(const struct pass *p)
{
    const struct engine *en = p->g->engine;

    return atomic_load(&en->hurries) || wait_is_over(p->wait, en->env->clock);
}

/* Rules are left that will not see this slot. */
static void note_cut(const struct pass *p)
{
    const struct group_run *g = p->g;

    metric_add(g->cut, 1);
    trace_warn(&g->engine->trace, "an evaluation was cut short: somebody waits for it to end",
               T_STR("group", g->group->name),
               T_U64("rules_left", g->group->rule_count - p->first));
}

void group_evaluate(struct group_run *g, int64_t slot_ns, struct wait wait)
{
    struct engine *en = g->engine;
    struct pass p = {.g = g,
                     .slot_ns = slot_ns,
                     .wait = wait,
                     .had_room = true,
                     .chain_left_ms = chain_wait_ms(g->group)};
    int64_t start_ns = now_ns(&p);

    slots_settle(g, slot_ns);
    credit_absence(g, slot_ns);
    p.done = mem_alloc0((size_t)2 * g->group->rule_count, 1);
    p.sees = p.done + g->group->rule_count;
    rule_batch_init(&p.batch, en->env->budget);
    while (p.first < g->group->rule_count && !is_to_end(&p)) {
        evaluate_next(&p);
    }
    if (p.first < g->group->rule_count) {
        note_cut(&p);
    }
    rule_batch_release(&p.batch);
    mem_free(p.done);
    slots_settle(g, slot_ns + 1);
    note_pass(&p, start_ns);
    en->output.changed(en->output.arg);
}
