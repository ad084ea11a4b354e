/*
 * The engine: runtimes by rule id, groups evaluated at slots, rules replaced under way.
 *
 * Invariants
 *   1. A rule run belongs to at most one group and is evaluated by one thread at a time.
 *   2. groups, runs and their rule pointers change only in engine_set_rules(), while nothing evaluates and nobody
 *      views; runs that no group has also go in engine_forget_orphans(), while nobody views.
 *   3. Lock order: engine, group, run. None is held over a query, a render with `query`, or an
 * output.
 *   4. Group commit ends in any order: a snapshot names no frame behind one whose states a run is
 * still about to set. Frames that a run is about to give come after the last_seq at its beginning.
 */
#include "rules/engine.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/rand.h"
#include "rules/engine_int.h"
#include "rules/restore_remote.h"

enum { TRIM_SERIES = 1000 };
#define TRIM_EVERY_NS (5 * NS_PER_S)

static const struct metric_desc evaluations_desc = {
    .name = "telex_rule_evaluations_total", .help = "Rules evaluated.", .type = METRIC_COUNTER};
static const struct metric_desc failures_desc = {
    .name = "telex_rule_evaluation_failures_total",
    .help = "Rule evaluations that failed; alert states were kept.",
    .type = METRIC_COUNTER};
static const struct metric_desc restore_failures_desc = {
    .name = "telex_rule_restore_failures_total",
    .help = "Times that alerts of an engine before this one could not be read; it is tried again.",
    .type = METRIC_COUNTER};
static const struct metric_desc breaches_desc = {
    .name = "telex_rule_limit_breaches_total",
    .help = "Answers that had more series than a limit allows; alert states were kept.",
    .type = METRIC_COUNTER,
    .labels = {"limit"}};
static const struct metric_desc batches_desc = {
    .name = "telex_rule_batches_total",
    .help = "Requests for many rules at once: answered, or split into one for each rule.",
    .type = METRIC_COUNTER,
    .labels = {"result"}};
static const struct metric_desc chain_desc = {
    .name = "telex_rule_chain_waits_total",
    .help = "Times that a rule waited until what it reads was delivered; late: it went on without.",
    .type = METRIC_COUNTER,
    .labels = {"result"}};
static const struct metric_desc edges_desc = {.name = "telex_alert_edges_total",
                                              .help =
                                                  "Changes of alert state that were made durable.",
                                              .type = METRIC_COUNTER};

static const struct metric_desc fired_desc = {
    .name = "telex_rule_alerts_fired_total",
    .help = "Alerts that began to fire.",
    .type = METRIC_COUNTER,
};
static const struct metric_desc samples_desc = {.name = "telex_rule_samples_total",
                                                .help = "Samples given to the outputs by rules.",
                                                .type = METRIC_COUNTER};
static const struct metric_desc template_errors_desc = {
    .name = "telex_template_errors_total",
    .help = "Templates that failed and left an error text.",
    .type = METRIC_COUNTER};
static const struct metric_desc exports_cut_desc = {
    .name = "telex_export_query_cut_total",
    .help = "Alerts that did not get all the series that export_query gave for them.",
    .type = METRIC_COUNTER};
static const struct metric_desc iterations_desc = {.name = "telex_rule_group_iterations_total",
                                                   .help = "Evaluations of a rule group.",
                                                   .type = METRIC_COUNTER,
                                                   .labels = {"group", "file"}};
static const struct metric_desc missed_desc = {
    .name = "telex_rule_group_iterations_missed_total",
    .help =
        "Slots that passed without an evaluation (late), "
        "whose results the outputs did not take (refused), or that a reload did not wait for to "
        "the end (cut).",
    .type = METRIC_COUNTER,
    .labels = {"group", "file", "reason"}};
static const struct metric_desc duration_desc = {.name = "telex_rule_group_duration_seconds_total",
                                                 .help =
                                                     "Time spent in evaluations of a rule group.",
                                                 .type = METRIC_COUNTER,
                                                 .labels = {"group", "file"}};

bool engine_new(const struct env *env, const struct engine_options *options, struct datasource *d,
                const struct engine_output *output, struct engine **ret_engine, struct err *e)
{
    struct template *alert_source = NULL;

    if (options->alert_source.len > 0 &&
        !template_compile(STR("alert_source"), options->alert_source, NULL, &alert_source, e)) {
        return false;
    }
    struct engine *en = mem_new(struct engine);
    en->alert_source = alert_source;
    en->env = env;
    en->options = *options;
    en->started_ns = clock_wall_ns(env->clock);
    en->datasource = d;
    en->output = *output;
    trace_init(&en->trace, env->trace, "rules", TRACE_INFO);
    lock_init(&en->lock);
    lock_init(&en->departed_lock);
    cond_init(&en->unviewed);
    map_init(&en->runs, rng_u64(env->rng));
    error_texts_init(&en->error_texts);
    en->evaluations = metrics_get0(env->metrics, &evaluations_desc);
    en->failures = metrics_get0(env->metrics, &failures_desc);
    en->restore_failures = metrics_get0(env->metrics, &restore_failures_desc);
    for (int limit = 0; limit < SERIES_LIMITS; limit++) {
        en->breaches[limit] =
            metrics_get1(env->metrics, &breaches_desc, series_limit_name((enum series_limit)limit));
    }
    en->batches = metrics_get1(env->metrics, &batches_desc, STR("answered"));
    en->batch_failures = metrics_get1(env->metrics, &batches_desc, STR("split"));
    en->chain_waits = metrics_get1(env->metrics, &chain_desc, STR("delivered"));
    en->chain_late = metrics_get1(env->metrics, &chain_desc, STR("late"));
    en->edges = metrics_get0(env->metrics, &edges_desc);
    en->fired = metrics_get0(env->metrics, &fired_desc);
    en->samples = metrics_get0(env->metrics, &samples_desc);
    en->template_errors = metrics_get0(env->metrics, &template_errors_desc);
    en->exports_cut = metrics_get0(env->metrics, &exports_cut_desc);
    *ret_engine = en;
    return true;
}

/* ---- groups ---- */

static struct metric *missed_metric(struct engine *en, const struct rule_group *group,
                                    struct str reason)
{
    const struct str values[] = {group->name, group->file, reason};

    return metrics_get(en->env->metrics, &missed_desc, values);
}

static void group_init(struct group_run *g, struct engine *en, const struct rule_group *group)
{
    *g = (struct group_run){.group = group, .engine = en};
    lock_init(&g->lock);
    atomic_init(&g->settled_ns, INT64_MAX);
    g->runs = mem_alloc0(group->rule_count, sizeof(struct rule_run *));
    g->graph = rule_graph_new(group);
    g->iterations = metrics_get2(en->env->metrics, &iterations_desc, group->name, group->file);
    g->late = missed_metric(en, group, STR("late"));
    g->refused = missed_metric(en, group, STR("refused"));
    g->cut = missed_metric(en, group, STR("cut"));
    g->duration = metrics_get2(en->env->metrics, &duration_desc, group->name, group->file);
}

static void groups_free(struct group_run *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rule_graph_free(groups[i].graph);
        metric_drop(groups[i].iterations);
        metric_drop(groups[i].late);
        metric_drop(groups[i].refused);
        metric_drop(groups[i].duration);
        lock_release(&groups[i].lock);
        mem_free(groups[i].runs);
    }
    mem_free(groups);
}

void engine_free(struct engine *en)
{
    uint32_t at = 0;
    void *run = NULL;

    if (en == NULL) {
        return;
    }
    template_free(en->alert_source);
    groups_free(en->groups, en->group_count);
    while (map_next(&en->runs, &at, NULL, &run)) {
        rule_run_free(run);
    }
    map_release(&en->runs);
    error_texts_release(&en->error_texts);
    metric_drop(en->evaluations);
    metric_drop(en->failures);
    for (int limit = 0; limit < SERIES_LIMITS; limit++) {
        metric_drop(en->breaches[limit]);
    }
    metric_drop(en->edges);
    metric_drop(en->fired);
    metric_drop(en->samples);
    metric_drop(en->chain_waits);
    metric_drop(en->chain_late);
    metric_drop(en->batches);
    metric_drop(en->batch_failures);
    metric_drop(en->restore_failures);
    metric_drop(en->template_errors);
    metric_drop(en->exports_cut);
    departed_release(en);
    rule_set_unref(en->set);
    cond_release(&en->unviewed);
    lock_release(&en->lock);
    mem_free(en);
}

/* ---- views ---- */

void engine_view_begin(struct engine *en)
{
    lock_take(&en->lock);
    while (en->replacing) {
        (void)cond_wait_until(&en->unviewed, &en->lock, DEADLINE_NEVER);
    }
    en->viewers++;
    lock_give(&en->lock);
}

void engine_view_end(struct engine *en)
{
    lock_take(&en->lock);
    en->viewers--;
    cond_broadcast(&en->unviewed);
    lock_give(&en->lock);
}

static void begin_replacing(struct engine *en)
{
    lock_take(&en->lock);
    en->replacing = true;
    while (en->viewers > 0) {
        (void)cond_wait_until(&en->unviewed, &en->lock, DEADLINE_NEVER);
    }
    lock_give(&en->lock);
}

static void end_replacing(struct engine *en)
{
    lock_take(&en->lock);
    en->replacing = false;
    cond_broadcast(&en->unviewed);
    lock_give(&en->lock);
}

/* ---- commits ---- */

void engine_commit_begin(struct rule_run *run)
{
    struct engine *en = run->engine;

    lock_take(&en->lock);
    run->is_committing = true;
    run->commit_floor = en->last_seq;
    lock_give(&en->lock);
}

void engine_commit_end(struct rule_run *run, uint64_t seq)
{
    struct engine *en = run->engine;

    lock_take(&en->lock);
    run->is_committing = false;
    en->last_seq = seq > en->last_seq ? seq : en->last_seq;
    lock_give(&en->lock);
}

uint64_t engine_settled_seq(struct engine *en)
{
    uint32_t at = 0;
    void *value = NULL;

    lock_take(&en->lock);
    uint64_t seq = en->last_seq;
    while (map_next(&en->runs, &at, NULL, &value)) {
        const struct rule_run *run = value;
        if (run->is_committing && run->commit_floor < seq) {
            seq = run->commit_floor;
        }
    }
    lock_give(&en->lock);
    return seq;
}

/* ---- replacing the rules ---- */

void rule_run_take(struct rule_run *run, const struct rule *rule)
{
    series_forget_raws(&run->table);
    run->memory.raws_hold = false;
    lock_take(&run->lock);
    run->given = (struct given_mark){0}; /* outputs may be others now */
    lock_give(&run->lock);
    run->rule = rule;
    run->kept = true;
    farewell_take_back(run);
    rule_run_name(run, rule->name, rule->group->name);
}

/* The runtime for <rule>: the one that has its id, with what it knows, or a new one. */
static struct rule_run *adopt(struct engine *en, const struct rule *rule)
{
    struct rule_run *run = map_get(&en->runs, rule->id);

    if (run != NULL && run->kind != rule->kind) {
        (void)map_del(&en->runs, rule->id);
        rule_run_free(run);
        run = NULL;
    }
    if (run == NULL) {
        run = rule_run_new(en, rule->id, rule->kind);
        run->is_new = true;
        run->remote_phase = en->options.restore != NULL ? REMOTE_ASKS : REMOTE_NONE;
        run->loaded_ns = clock_wall_ns(en->env->clock);
        (void)map_put(&en->runs, run->id, run);
    }
    rule_run_take(run, rule);
    return run;
}

static void forget(struct engine *en, struct rule_run *run)
{
    (void)map_del(&en->runs, run->id);
    rule_run_free(run);
    en->forgotten++;
}

/* The run says goodbye, and goes when that is durable. */
static void retire(struct engine *en, struct rule_run *run, struct rule_set *set)
{
    if (run->farewell == NULL) {
        farewell_begin(run, set);
    }
    if (farewell_is_said(run)) {
        forget(en, run);
    }
}

/* Runs whose rule the new set does not have. Orphans wait for engine_forget_orphans(). */
static void retire_others(struct engine *en, struct rule_set *old_set)
{
    uint32_t at = 0;
    void *value = NULL;

    while (map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        bool goes = !run->kept && run->rule != NULL;
        run->kept = false;
        run->is_new = false;
        if (goes) {
            retire(en, run, old_set);
        }
    }
}

/* Lets those go whose goodbyes are durable now. */
static void forget_leaving(struct engine *en)
{
    VEC(struct rule_run *) gone = {0};
    uint32_t at = 0;
    void *value = NULL;

    while (en->leaving > gone.len && map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        if (run->farewell != NULL && farewell_is_said(run)) {
            vec_push(&gone, run);
        }
    }
    if (gone.len > 0) {
        begin_replacing(en);
        for (size_t i = 0; i < gone.len; i++) {
            forget(en, gone.items[i]);
        }
        end_replacing(en);
    }
    vec_release(&gone);
}

void engine_forget_orphans(struct engine *en)
{
    uint64_t orphans = 0;
    uint32_t at = 0;
    void *value = NULL;

    forget_leaving(en);
    if (en->orphans_due_ns == 0 || clock_mono_ns(en->env->clock) < en->orphans_due_ns) {
        return;
    }
    en->orphans_due_ns = 0;
    begin_replacing(en);
    while (map_next(&en->runs, &at, NULL, &value)) {
        if (((struct rule_run *)value)->rule == NULL) {
            retire(en, value, NULL);
            orphans++;
        }
    }
    end_replacing(en);
    if (orphans > 0) {
        trace_warn(&en->trace, "alerts were forgotten: their rules did not come back",
                   T_U64("rules", orphans));
    }
}

uint64_t engine_forgotten(const struct engine *en)
{
    return en->forgotten + en->moved;
}

void engine_adopt_orphans(struct engine *en)
{
    uint64_t before = en->moved;
    uint32_t at = 0;
    void *value = NULL;

    begin_replacing(en);
    while (map_next(&en->runs, &at, NULL, &value)) {
        struct rule_run *run = value;
        run->kept = run->rule != NULL;
        run->is_new = run->kept && run->table.count == 0 && run->memory.count == 0;
    }
    adopt_moved(en, en->groups, en->group_count);
    for (at = 0; map_next(&en->runs, &at, NULL, &value);) {
        ((struct rule_run *)value)->kept = false;
        ((struct rule_run *)value)->is_new = false;
    }
    end_replacing(en);
    if (en->moved > before) {
        trace_info(&en->trace, "rules were moved and keep their state",
                   T_U64("rules", en->moved - before));
    }
}

/* What each rule has counts in the group that it is in now. */
static void settle_homes(struct group_run *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t r = 0; r < groups[i].group->rule_count; r++) {
            budget_move(groups[i].runs[r], &groups[i]);
        }
    }
}

bool engine_set_rules(struct engine *en, struct rule_set *set, struct err *e)
{
    struct group_run *groups = mem_alloc0(set->group_count, sizeof(*groups));
    struct group_run *old_groups = en->groups;
    struct rule_set *old_set = en->set;
    size_t old_count = en->group_count;

    (void)e;
    begin_replacing(en);
    for (size_t i = 0; i < set->group_count; i++) {
        group_init(&groups[i], en, &set->groups[i]);
        for (size_t r = 0; r < set->groups[i].rule_count; r++) {
            groups[i].runs[r] = adopt(en, &set->groups[i].rules[r]);
        }
    }
    adopt_moved(en, groups, set->group_count);
    carry_slots(en, groups, set->group_count);
    en->set = rule_set_ref(set);
    en->groups = groups;
    en->group_count = set->group_count;
    retire_others(en, old_set);
    settle_homes(groups, set->group_count);
    end_replacing(en);
    groups_free(old_groups, old_count);
    rule_set_unref(old_set);
    return true;
}

size_t engine_group_count(struct engine *en)
{
    return en->group_count;
}

struct group_run *engine_group(struct engine *en, size_t i)
{
    return &en->groups[i];
}

const struct rule_group *group_run_rules(const struct group_run *g)
{
    return g->group;
}

/* ---- slots ---- */

/*
 * Where in its interval a group is evaluated: its eval_offset, or a place that its id spreads it to; groups
 * that read each other go by one of them. Where one interval divides the other their slots fall together.
 */
static int64_t group_phase(const struct rule_group *g)
{
    const struct rule_group *lead = g->has_eval_offset ? g : g->phase_of;
    int64_t offset_ns = lead->eval_offset_ns;

    if (!lead->has_eval_offset) { /* whole milliseconds, as stores keep time */
        uint64_t interval_ms = (uint64_t)(g->interval_ns / NS_PER_MS);
        return interval_ms > 0 ? (int64_t)(str_hash(lead->id, 0) % interval_ms) * NS_PER_MS : 0;
    }
    return offset_ns - time_floor_div(offset_ns, g->interval_ns) * g->interval_ns;
}

int64_t group_next_slot(const struct rule_group *g, int64_t after_ns)
{
    int64_t phase_ns = group_phase(g);

    return (time_floor_div(after_ns - phase_ns - 1, g->interval_ns) + 1) * g->interval_ns +
           phase_ns;
}

void engine_hurry(struct engine *en, bool hurries)
{
    atomic_store(&en->hurries, hurries);
}

void group_count_missed(struct group_run *g, uint64_t slots)
{
    metric_add(g->late, slots);
    trace_warn(&g->engine->trace, "evaluations missed: the one before took too long",
               T_STR("group", g->group->name), T_U64("slots", slots));
}

/* ---- evaluating ---- */

/* The error of <e> as a text that all who failed alike share. */
static struct error_text *keep_error(struct rule_run *run, const struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    err_print_line(e, &text);
    return error_text_get(&run->engine->error_texts, buf_str(&text));
}

static void tell_failure(struct rule_run *run, const struct rule_outcome *outcome,
                         const struct err *e)
{
    metric_add(run->engine->failures, !outcome->missed);
    trace_warn(&run->engine->trace,
               outcome->missed ? "a rule's results had no room; the evaluation was missed"
                               : "a rule failed; its alerts keep their state",
               T_STR("rule", run->rule->name), T_STR("group", run->rule->group->name), T_ERR(e));
}

/* Takes over the reference to the error. */
static void note_outcome(struct rule_run *run, const struct rule_outcome *outcome,
                         const struct rule_update *update)
{
    struct error_texts *texts = &run->engine->error_texts;

    metric_add(run->engine->evaluations, 1);
    lock_take(&run->lock);
    struct error_text *old = run->outcome.error;
    run->outcome = *outcome;
    run->failures += outcome->failed;
    updates_add(&run->updates, texts, (size_t)run->rule->update_entries_limit, update,
                outcome->error);
    lock_give(&run->lock);
    error_text_unref(texts, old);
}

/* After many new series: what their parsing took goes back to the system, at most once in
 * TRIM_EVERY_NS. */
static void trim_after(struct engine *en, uint32_t met)
{
    int64_t now_ns = clock_mono_ns(en->env->clock);
    int64_t last_ns = atomic_load(&en->trimmed_ns);

    if (met >= TRIM_SERIES && now_ns - last_ns >= TRIM_EVERY_NS &&
        atomic_compare_exchange_strong(&en->trimmed_ns, &last_ns, now_ns)) {
        mem_trim();
    }
}

int64_t rule_query_timeout_ns(const struct rule_run *run)
{
    const struct datasource *d = run_datasource(run);
    int64_t own_ns = run->rule->query_timeout_ns;
    int64_t most_ns = d != NULL && d->query_timeout_ns > 0 ? d->query_timeout_ns
                                                           : run->engine->options.query_timeout_ns;

    return own_ns > 0 && own_ns < most_ns ? own_ns : most_ns;
}

/* All queries of an evaluation together: the rule's own, and those of its templates. */
static int64_t evaluation_most_ns(const struct rule_run *run)
{
    int64_t one_ns = rule_query_timeout_ns(run);
    int64_t interval_ns = run->rule->group->interval_ns;

    return one_ns > interval_ns ? one_ns : interval_ns;
}

bool rule_evaluate(struct rule_run *run, int64_t slot_ns, struct wait wait, bool *ret_refused,
                   struct err *e)
{
    struct engine *en = run->engine;
    int64_t start_ns = clock_mono_ns(en->env->clock);
    struct evaluation ev;

    wait = wait_limit_ms(wait, en->env->clock, evaluation_most_ns(run) / NS_PER_MS);
    run->evaluation++;
    run->mark = (struct given_mark){0};
    evaluation_begin(&ev, run, slot_ns - run->rule->group->query_offset_ns, wait);
    bool ok = run->kind == RULE_ALERT ? alert_evaluate(&ev, e) : record_evaluate(&ev, e);
    struct rule_outcome outcome = {.time_ns = slot_ns,
                                   .duration_ns = clock_mono_ns(en->env->clock) - start_ns,
                                   .samples = ev.info.rows,
                                   .series_fetched = ev.info.series_fetched,
                                   .failed = !ok,
                                   .missed = ev.refused};
    struct rule_update update = {.time_ns = clock_wall_ns(en->env->clock) - outcome.duration_ns,
                                 .at_ns = ev.slot_ns,
                                 .duration_ns = outcome.duration_ns,
                                 .samples = outcome.samples,
                                 .series_fetched = outcome.series_fetched};
    run->was_doubtful = !ok || ev.info.is_partial || ev.info.warnings > 0;
    evaluation_end(&ev);
    trim_after(en, ev.met);
    if (!ok) {
        outcome.error = keep_error(run, e);
        tell_failure(run, &outcome, e);
    }
    debug_evaluation(run, &update, outcome.error);
    note_outcome(run, &outcome, &update);
    note_given(run, slot_ns);
    *ret_refused = ev.refused;
    return ok;
}

bool group_evaluate_rule(struct group_run *g, size_t rule, int64_t slot_ns, struct wait wait,
                         struct err *e)
{
    bool refused = false;

    return rule_evaluate(g->runs[rule], slot_ns, wait, &refused, e);
}
