/*
 * Invariants
 *   1. What the file says is done was delivered: a rule's samples are flushed before its line is written.
 *   2. A slot is evaluated once in a run and in order; an error of a query or delivery is tried again as a
 *      whole slice was never begun, or stops the replay.
 */
#include "app/replay.h"

#include "app/app_int.h"
#include "app/replay_order.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/number.h"
#include "base/timetext.h"
#include "datasource/slices.h"
#include "export/backoff.h"
#include "export/one_shot.h"
#include "rules/engine.h"
#include "wire/record_gather.h"

#include <inttypes.h>
#include <unistd.h>
#include <xxhash.h>

enum { NOTES_BYTES_MAX = 64 << 20 };
#define KEEP_RESOLVED_NS (INT64_C(15) * 60 * NS_PER_S)

static const struct backoff_config query_backoff = {.initial_delay_ns = NS_PER_S,
                                                    .max_delay_ns = 30 * NS_PER_S,
                                                    .multiplier = 2,
                                                    .jitter = JITTER_FRACTION,
                                                    .strategy = BACKOFF_EXPONENTIAL};

struct replay {
    const struct env *env;
    const struct loaded *loaded;
    const struct replay_options *options;
    const struct replay_watch *watch;
    struct cancel *cancel;
    struct datasource **behind; /* as rule.source counts; NULL where there is none */
    struct datasource **slices;
    struct engine *engine;
    struct one_shot *shot;
    struct record_gather gather;
    struct record_text_taker taker;
    struct record_text_counts counts;
    struct arena arena; /* of the notes and the order */
    struct map notes;   /* rule id -> struct done */
    struct buf path;    /* of the notes; empty: there are none */
    struct replay_progress progress;
    int64_t work_ns; /* of all rules: what lies between from and to, for each */
    int64_t work_done_ns;
    uint64_t seq;
};

/* How far a rule is. */
struct done {
    struct str id;
    int64_t slot_ns;
};

/* ---- notes of how far it came ---- */

/* What makes it the same replay: rules, times, exporter. */
static void name_notes(struct replay *r)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct rule_set *set = r->loaded->rules;

    buf_addf(&text, "%" PRId64 " %" PRId64 " ", r->options->from_ns, r->options->to_ns);
    buf_add_str(&text, r->options->exporter);
    for (size_t g = 0; g < set->group_count; g++) {
        buf_addf(&text, "\n%" PRId64 " ", set->groups[g].interval_ns);
        for (size_t i = 0; i < set->groups[g].rule_count; i++) {
            buf_add_str(&text, set->groups[g].rules[i].id);
            buf_add_str(&text, set->groups[g].rules[i].expr);
        }
    }
    buf_addf(&r->path, "%.*s/replay-%016llx", STR_FMT(r->loaded->config->settings.state.path),
             (unsigned long long)XXH3_64bits(text.ptr, text.len));
}

static void note(struct replay *r, struct str id, int64_t slot_ns)
{
    struct done *done = map_get(&r->notes, id);

    if (done == NULL) {
        done = arena_array(&r->arena, struct done, 1);
        done->id = arena_dup(&r->arena, id);
        (void)map_put(&r->notes, done->id, done);
    }
    done->slot_ns = slot_ns;
}

static bool read_notes(struct replay *r, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(NOTES_BYTES_MAX);
    struct str line;
    struct str id;
    int64_t slot_ns = 0;

    if (r->options->anew || access(buf_text(&r->path), F_OK) != 0) {
        return true;
    }
    if (!fs_read_file(fs_system(), buf_str(&r->path), NOTES_BYTES_MAX, &text, e)) {
        return err_wrap(e, "how far the last replay came (--anew begins at the front)");
    }
    for (struct str rest = buf_str(&text); str_split(&rest, '\n', &line);) {
        if (str_split(&line, ' ', &id) && number_parse_i64(str_trim(line), &slot_ns)) {
            note(r, id, slot_ns);
        }
    }
    r->watch->note(r->watch->arg,
                   "going on where the last replay ended; --anew begins at the front");
    return true;
}

static bool write_notes(struct replay *r, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    uint32_t at = 0;
    void *value = NULL;

    if (r->options->dry) {
        return true;
    }
    while (map_next(&r->notes, &at, NULL, &value)) {
        const struct done *done = value;
        buf_add_str(&text, done->id);
        buf_addf(&text, " %" PRId64 "\n", done->slot_ns);
    }
    return fs_replace_file(fs_system(), buf_str(&r->path), buf_str(&text), e);
}

/* ---- what rules find ---- */

static struct wait patience(const struct replay *r)
{
    return (struct wait){clock_mono_ns(r->env->clock) + r->options->patience_ns, r->cancel};
}

static bool count_refused(void *arg, struct view view, struct str output, struct str reason,
                          struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct replay *r = arg;

    (void)e;
    r->progress.refused += view.n;
    buf_addf(&text, "refused by %.*s: %u samples: %.*s", STR_FMT(output), view.n, STR_FMT(reason));
    r->watch->note(r->watch->arg, buf_text(&text));
    return true;
}

static bool deliver(void *arg, struct batch *b, struct err *e)
{
    struct replay *r = arg;
    const struct one_shot_refusal refusal = {count_refused, r};

    r->progress.samples += batch_rows(b);
    return r->shot == NULL || one_shot_deliver(r->shot, b, patience(r), &refusal, e);
}

/* What the rows of a rule share, as text. */
static void add_key(const struct batch_info *info, struct buf *key)
{
    buf_add_str(key, info->group);
    buf_add_byte(key, '\0');
    buf_add_str(key, info->rule);
    buf_add_byte(key, '\0');
    buf_add_str(key, info->measurement);
}

static bool take_samples(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                         bool thinned, struct given_mark *mark, struct err *e)
{
    AUTO(buf_release) struct buf key = BUF_INIT(BUF_SMALL);
    struct replay *r = arg;
    const struct samples *s = NULL;
    struct batch_info info = *batch_info(b);

    (void)alert_series;
    (void)mark;
    if (rule->export.disabled || (thinned && rule->export.enabled)) {
        return true;
    }
    info.time_ns = 0;
    add_key(&info, &key);
    bool ok = batch_samples(b, &s, e) && record_gather_info(&r->gather, buf_str(&key), &info, e);
    for (uint32_t i = 0; ok && i < s->count; i++) {
        const struct gathered_sample sample = {.labels = labels_ref(s->series[s->series_of[i]]),
                                               .time_ns = s->time_ns[i],
                                               .value = s->value[i]};
        ok = record_gather_sample(&r->gather, &sample, e);
    }
    return ok;
}

/* Changes of alert state live in the engine alone: nobody is told of the past. */
static bool take_edges(void *arg, const struct rule *rule, struct batch *b, enum edges_told told,
                       uint64_t *ret_seq, struct err *e)
{
    struct replay *r = arg;

    (void)rule;
    (void)b;
    (void)told;
    (void)e;
    *ret_seq = ++r->seq;
    return true;
}

static bool are_held(void *arg, uint64_t seq, struct wait wait, struct err *e)
{
    (void)arg;
    (void)seq;
    (void)wait;
    (void)e;
    return true;
}

static void nobody_looks(void *arg)
{
    (void)arg;
}

/* ---- one rule ---- */

/* False when there is no time left, or it was cancelled. */
static bool sleep_ms(const struct replay *r, struct wait limit, int64_t ms)
{
    (void)wait_sleep(wait_limit_ms(limit, r->env->clock, ms));
    return !wait_is_over(limit, r->env->clock);
}

/* Asks for the steps of a slice until there is an answer, patience is over, or the answer is final. */
static bool fetch(struct replay *r, int source, const struct query *q, struct err *e)
{
    struct wait limit = patience(r);
    struct backoff backoff;

    backoff_init(&backoff, &query_backoff);
    for (;;) {
        struct query try = *q;
        struct err why = ERR_INIT;
        try.wait =
            wait_limit_ms(limit, r->env->clock, r->behind[source]->query_timeout_ns / NS_PER_MS);
        if (slices_fetch(r->slices[source], &try, &why)) {
            return true;
        }
        bool may_help = why.code == ERR_NET || why.code == ERR_TIMEOUT;
        int64_t delay_ms = backoff_next_ms(&backoff, r->env->rng, 0);
        if (!may_help || !sleep_ms(r, limit, delay_ms)) {
            *e = why;
            return false;
        }
        r->watch->note(r->watch->arg, why.message);
    }
}

static bool fetch_slice(struct replay *r, const struct rule *rule, int64_t slot_ns, int64_t end_ns,
                        struct err *e)
{
    const struct rule_group *group = rule->group;
    struct query q = {.expr = rule->expr,
                      .time_ns = slot_ns - group->query_offset_ns,
                      .end_ns = end_ns - group->query_offset_ns,
                      .step_ns = group->interval_ns,
                      .tenant = group->tenant,
                      .params = group->params,
                      .param_count = group->param_count,
                      .headers = group->headers,
                      .header_count = group->header_count};

    return fetch(r, rule->source, &q, e);
}

static void tell_progress(struct replay *r, int64_t slot_ns)
{
    r->progress.slot_ns = slot_ns;
    r->progress.part = r->work_ns > 0 ? (double)r->work_done_ns / (double)r->work_ns : 1;
    r->watch->progress(r->watch->arg, &r->progress);
}

static bool evaluate_slice(struct replay *r, const struct replay_step *step, int64_t from_ns,
                           int64_t end_ns, struct err *e)
{
    struct group_run *g = engine_group(r->engine, step->group);
    int64_t interval_ns = group_run_rules(g)->interval_ns;

    for (int64_t slot_ns = from_ns; slot_ns <= end_ns; slot_ns += interval_ns) {
        if (!group_evaluate_rule(g, step->rule, slot_ns, patience(r), e)) {
            return err_wrap(e, "at %" PRId64, slot_ns / NS_PER_S);
        }
    }
    r->work_done_ns += end_ns - from_ns + interval_ns;
    return true;
}

/* Slots from *slot on, as many as a slice has; an answer that is too large makes slices shorter. */
static bool replay_slice(struct replay *r, const struct replay_step *step, const struct rule *rule,
                         uint32_t *steps, int64_t *slot_ns, struct err *e)
{
    int64_t interval_ns = rule->group->interval_ns;
    int64_t end_ns = *slot_ns + (*steps - 1) * interval_ns;

    if (end_ns > r->options->to_ns) {
        end_ns = *slot_ns + (r->options->to_ns - *slot_ns) / interval_ns * interval_ns;
    }
    if (!fetch_slice(r, rule, *slot_ns, end_ns, e)) {
        bool may_shrink = e->code == ERR_LIMIT && *steps > 1;
        *steps = may_shrink ? *steps / 2 : *steps;
        return may_shrink;
    }
    if (!evaluate_slice(r, step, *slot_ns, end_ns, e) || !record_gather_flush(&r->gather, e)) {
        return false;
    }
    *slot_ns = end_ns + interval_ns;
    if (rule->kind == RULE_RECORD || *slot_ns > r->options->to_ns) {
        note(r, rule->id, end_ns);
    }
    tell_progress(r, end_ns);
    return write_notes(r, e);
}

/* The first slot that is still to be done; what was done counts as work done. */
static int64_t first_slot(struct replay *r, const struct rule *rule)
{
    int64_t first_ns = group_next_slot(rule->group, r->options->from_ns);
    const struct done *done = map_get(&r->notes, rule->id);

    if (done == NULL) {
        return first_ns;
    }
    r->work_done_ns += done->slot_ns - first_ns + rule->group->interval_ns;
    return done->slot_ns + rule->group->interval_ns;
}

static bool is_chosen(const struct replay *r, const struct rule_group *group)
{
    bool chosen = r->options->group_count == 0;

    for (size_t i = 0; i < r->options->group_count; i++) {
        chosen = chosen || str_eq(r->options->groups[i], group->name);
    }
    return chosen && group->source != RULE_SOURCE_SELF;
}

static bool replay_rule(struct replay *r, const struct replay_step *step, struct err *e)
{
    const struct rule *rule = &r->loaded->rules->groups[step->group].rules[step->rule];
    uint32_t steps = r->options->slice_steps;

    r->progress.group = rule->group->name;
    r->progress.rule = rule->name;
    int64_t slot_ns = first_slot(r, rule);
    if (slot_ns <= r->options->to_ns && step->reads_before && !r->options->dry &&
        !sleep_ms(r, (struct wait){DEADLINE_NEVER, r->cancel}, r->options->settle_ns / NS_PER_MS)) {
        return err_set(e, ERR_CANCELED, "the replay was stopped");
    }
    if (step->in_circle) {
        r->watch->note(r->watch->arg,
                       "a rule reads what a later one records; it sees what was there "
                       "before this replay");
    }
    while (slot_ns <= r->options->to_ns) {
        if (!replay_slice(r, step, rule, &steps, &slot_ns, e)) {
            return err_wrap(e, "group '%.*s', rule '%.*s'", STR_FMT(rule->group->name),
                            STR_FMT(rule->name));
        }
    }
    r->progress.rules_done++;
    return true;
}

/* ---- the whole ---- */

static bool open_source(struct replay *r, size_t i, struct err *e)
{
    const struct config *c = r->loaded->config;
    const struct datasource_kind *kind = i == 0 ? c->datasource_kind : c->datasources[i - 1].kind;
    const void *config = i == 0 ? (void *)c->datasource : (void *)c->datasources[i - 1].common;
    struct str name = i == 0 ? STR("datasource") : c->datasources[i - 1].name;

    if (config == NULL) {
        return true; /* no rule asks it, or loading would have said so */
    }
    if (!kind->open(r->env, config, name, &r->behind[i], e)) {
        return false;
    }
    r->slices[i] = slices_new(r->behind[i]);
    return true;
}

static bool open_sources(struct replay *r, struct err *e)
{
    size_t count = r->loaded->config->datasource_count + 1;
    bool ok = true;

    r->behind = arena_array(&r->arena, struct datasource *, count);
    r->slices = arena_array(&r->arena, struct datasource *, count);
    for (size_t i = 0; ok && i < count; i++) {
        ok = open_source(r, i, e);
    }
    return ok;
}

static void close_sources(struct replay *r)
{
    size_t count = r->loaded->config->datasource_count + 1;

    for (size_t i = 0; r->slices != NULL && i < count; i++) {
        datasource_close(r->slices[i]);
        datasource_close(r->behind[i]);
    }
}

static bool open_engine(struct replay *r, struct err *e)
{
    const struct config *c = r->loaded->config;
    const struct engine_output output = {.edges = take_edges,
                                         .held = are_held,
                                         .samples = take_samples,
                                         .changed = nobody_looks,
                                         .arg = r};

    if (!open_sources(r, e)) {
        return false;
    }
    const struct engine_options options = {
        .named = r->slices + 1,
        .alertgroup_label = c->settings.alertgroup_label,
        .keep_displaced = c->settings.keep_displaced_labels,
        .external_labels = c->external_labels,
        .external_url = c->settings.external_url,
        .template_dialect = (enum template_dialect)c->settings.template_dialect,
        .keep_resolved_ns = KEEP_RESOLVED_NS,
        .query_timeout_ns = NS_PER_S,
    };
    return engine_new(r->env, &options, r->slices[0], &output, &r->engine, e) &&
           engine_set_rules(r->engine, r->loaded->rules, e);
}

static bool open_exporter(struct replay *r, struct err *e)
{
    const struct plan_config *plan = &r->loaded->config->plan;

    if (r->options->dry) {
        return true;
    }
    int target = plan_find_target(plan, r->options->exporter, e);
    return target >= 0 && one_shot_open(r->env, plan, (unsigned)target, &r->shot, e);
}

static void measure_work(struct replay *r)
{
    const struct rule_set *set = r->loaded->rules;

    for (size_t g = 0; g < set->group_count; g++) {
        const struct rule_group *group = &set->groups[g];
        int64_t first_ns = group_next_slot(group, r->options->from_ns);
        if (is_chosen(r, group) && first_ns <= r->options->to_ns) {
            int64_t slots = (r->options->to_ns - first_ns) / group->interval_ns + 1;
            r->work_ns += slots * group->interval_ns * (int64_t)group->rule_count;
            r->progress.rules += group->rule_count;
        }
    }
}

static bool replay_all(struct replay *r, struct err *e)
{
    const struct rule_set *set = r->loaded->rules;
    const struct replay_step *order = replay_order(set, &r->arena);
    bool ok = true;

    measure_work(r);
    for (size_t i = 0; ok && i < set->rule_count; i++) {
        if (is_chosen(r, &set->groups[order[i].group])) {
            ok = replay_rule(r, &order[i], e);
        }
    }
    struct err later = ERR_INIT;
    ok = (r->shot == NULL || one_shot_flush(r->shot, ok ? e : &later)) && ok;
    if (ok && !r->options->dry) {
        (void)unlink(buf_text(&r->path));
    }
    return ok;
}

/* Can the rule's datasource be asked about the past? */
static bool check_source(const struct config *c, const struct rule *rule, struct err *e)
{
    const struct datasource_kind *kind =
        rule->source > 0 ? c->datasources[rule->source - 1].kind : c->datasource_kind;

    if (rule->source == RULE_SOURCE_SELF || kind == NULL) {
        return err_set(e, ERR_CONFIG, "there is no datasource in the config to ask about the past");
    }
    return kind->has_ranges ||
           err_set(e, ERR_CONFIG, "a datasource of kind '%s' cannot be asked for ranges",
                   kind->name);
}

static bool check_sources(const struct replay *r, struct err *e)
{
    const struct rule_set *set = r->loaded->rules;

    for (size_t g = 0; g < set->group_count; g++) {
        const struct rule_group *group = &set->groups[g];
        for (size_t i = 0; is_chosen(r, group) && i < group->rule_count; i++) {
            if (!check_source(r->loaded->config, &group->rules[i], e)) {
                return err_wrap(e, "group '%.*s': rule '%.*s'", STR_FMT(group->name),
                                STR_FMT(group->rules[i].name));
            }
        }
    }
    return true;
}

bool replay_run(const struct env *env, const struct loaded *l, const struct replay_options *options,
                const struct replay_watch *watch, struct cancel *cancel,
                struct replay_progress *ret_progress, struct err *e)
{
    struct replay r = {.env = env,
                       .loaded = l,
                       .options = options,
                       .watch = watch,
                       .cancel = cancel,
                       .taker = {deliver, &r},
                       .path = BUF_INIT(BUF_SMALL)};

    arena_init(&r.arena, ARENA_UNLIMITED);
    map_init(&r.notes, 0);
    record_gather_init(&r.gather, &r.taker, &r.counts);
    name_notes(&r);
    bool ok = check_sources(&r, e) && (options->dry || state_folder_make(l->config, e)) &&
              read_notes(&r, e) && open_engine(&r, e) && open_exporter(&r, e) && replay_all(&r, e);
    *ret_progress = r.progress;
    record_gather_release(&r.gather);
    engine_free(r.engine);
    close_sources(&r);
    one_shot_close(r.shot);
    map_release(&r.notes);
    buf_release(&r.path);
    arena_release(&r.arena);
    return ok;
}
