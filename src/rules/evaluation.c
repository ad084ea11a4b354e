/*
 * What recording and alerting rules share: the query, the final labels, the samples given to the
 * output.
 */
#include "rules/engine_int.h"

#include "base/env.h"
#include "base/mem.h"
#include "wire/remote_write.h"

void evaluation_begin(struct evaluation *ev, struct rule_run *run, int64_t slot_ns,
                      struct wait wait)
{
    *ev = (struct evaluation){.run = run, .slot_ns = slot_ns, .wait = wait};
    arena_init(&ev->arena, ARENA_UNLIMITED);
    labels_builder_init(&ev->builder);
    labels_builder_init(&ev->query_builder);
    map_init(&ev->answers, 0);
    arena_init(&ev->answer_arena, ARENA_UNLIMITED);
}

void evaluation_end(struct evaluation *ev)
{
    labels_builder_release(&ev->builder);
    labels_builder_release(&ev->query_builder);
    map_release(&ev->answers);
    arena_release(&ev->answer_arena);
    arena_release(&ev->arena);
}

struct datasource *run_datasource(const struct rule_run *run)
{
    const struct engine *en = run->engine;
    int source = run->rule->source;

    if (source == RULE_SOURCE_SELF) {
        return en->options.self;
    }
    return source == RULE_SOURCE_DEFAULT ? en->datasource : en->options.named[source - 1];
}

bool run_query(const struct rule_run *run, const struct query *q, const struct answer_sink *sink,
               struct answer_info *ret_info, struct err *e)
{
    struct datasource *d = run_datasource(run);

    return d != NULL ? datasource_query(d, q, sink, ret_info, e)
                     : err_set(e, ERR_CONFIG, "there is no datasource to ask");
}

struct query rule_query(const struct rule *rule, struct str expr, int64_t at_ns)
{
    const struct rule_group *group = rule->group;

    return (struct query){.expr = expr,
                          .time_ns = at_ns,
                          .tenant = group->tenant,
                          .params = group->params,
                          .param_count = group->param_count,
                          .headers = group->headers,
                          .header_count = group->header_count};
}

struct query evaluation_make_query(const struct evaluation *ev, struct str expr)
{
    const struct rule_run *run = ev->run;
    struct query q = rule_query(run->rule, expr, ev->slot_ns);

    q.wait =
        wait_limit_ms(ev->wait, run->engine->env->clock, rule_query_timeout_ns(run) / NS_PER_MS);
    return q;
}

static bool check_complete(const struct evaluation *ev, struct err *e)
{
    if (!ev->info.is_partial || ev->run->rule->on_partial != PARTIAL_FAILS) {
        return true;
    }
    return err_set(e, ERR_NET,
                   "the answer is partial (%u series): some store behind the datasource did not "
                   "answer, and the rule says 'partial: error'",
                   ev->info.rows);
}

/* Asks for the rule alone, or takes what was asked for together with others. */
static bool ask(struct evaluation *ev, const struct answer_sink *sink, struct err *e)
{
    struct query q = evaluation_make_query(ev, ev->run->rule->expr);

    return ev->run->batch != NULL
               ? rule_batch_replay(ev->run->batch, ev->run->part, sink, &ev->info, e)
               : run_query(ev->run, &q, sink, &ev->info, e);
}

bool evaluation_query(struct evaluation *ev,
                      bool (*row)(void *arg, struct str raw, int64_t time_ns, double value,
                                  struct err *e),
                      void *arg, struct err *e)
{
    struct answer_sink sink = {row, arg};

    budget_begin(ev);
    return ask(ev, &sink, e) && budget_check(ev, e) && check_complete(ev, e);
}

bool evaluation_keeps(const struct evaluation *ev)
{
    return ev->info.is_partial && ev->run->rule->on_partial == PARTIAL_KEEPS;
}

/* ---- errors ---- */

bool rule_fail_duplicate(const struct labels *labels, struct err *e)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    labels_print(labels, &text);
    return err_set(
        e, ERR_CONFLICT,
        "two series of the answer become the same one, %s; keep a label that tells them apart",
        buf_text(&text));
}

/* ---- `query` in templates ---- */

enum { TEMPLATE_QUERY_ROWS_MAX = 100000, ANSWERS_KEPT_BYTES = 8 << 20 };

struct template_rows {
    struct evaluation *ev;
    struct arena *arena;
    VEC(struct template_sample) samples;
};

/* A label set that lives in <arena>: templates only look at it. */
static struct labels *labels_into(struct arena *arena, const struct labels *l)
{
    size_t size = offsetof(struct labels, bytes) + l->len; /* not the padding behind the struct */
    struct labels *copy = arena_alloc(arena, size);

    memcpy(copy, l, size);
    return copy;
}

static bool template_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    struct template_rows *rows = arg;
    struct evaluation *ev = rows->ev;
    struct labels *labels = NULL;

    (void)time_ns;
    if (rows->samples.len >= TEMPLATE_QUERY_ROWS_MAX) {
        return err_set(e, ERR_LIMIT, "the query of a template gave more than %d series",
                       TEMPLATE_QUERY_ROWS_MAX);
    }
    labels_builder_clear(&ev->query_builder);
    if (!datasource_parse_labels(run_datasource(ev->run), raw, rows->arena, &ev->query_builder,
                                 e) ||
        !labels_build(&ev->query_builder, &labels, e)) {
        return false;
    }
    struct template_sample sample = {labels_into(rows->arena, labels), value};
    labels_unref(labels);
    vec_push(&rows->samples, sample);
    return true;
}

/* An answer that is kept while the evaluation lasts, or why there was none. */
struct template_answer {
    const struct template_sample *samples;
    size_t count;
    const struct err *failed; /* or NULL */
};

static struct template_answer *ask_template(struct evaluation *ev, struct str expr, struct arena *a)
{
    struct template_answer *answer = arena_new(a, struct template_answer);
    struct template_rows rows = {.ev = ev, .arena = a};
    struct query q = evaluation_make_query(ev, expr);
    struct answer_sink sink = {template_row, &rows};
    struct answer_info info;
    struct err e = ERR_INIT;

    if (run_query(ev->run, &q, &sink, &info, &e)) {
        struct template_sample *samples = arena_array(a, struct template_sample, rows.samples.len);
        if (rows.samples.len > 0) {
            memcpy(samples, rows.samples.items, rows.samples.len * sizeof(*samples));
        }
        *answer = (struct template_answer){samples, rows.samples.len, NULL};
    } else {
        struct err *failed = arena_new(a, struct err);
        *failed = e;
        answer->failed = failed;
    }
    vec_release(&rows.samples);
    return answer;
}

/* Alerts of one rule mostly ask the same: an answer, and that there is none, holds for all of them. */
static bool template_query(void *arg, struct str expr, struct arena *a,
                           const struct template_sample **ret_samples, size_t *ret_count,
                           struct err *e)
{
    struct evaluation *ev = arg;
    struct template_answer *answer = map_get(&ev->answers, expr);

    if (answer == NULL) {
        bool is_kept = arena_bytes(&ev->answer_arena) < ANSWERS_KEPT_BYTES;
        answer = ask_template(ev, expr, is_kept ? &ev->answer_arena : a);
        if (is_kept) {
            (void)map_put(&ev->answers, arena_dup(&ev->answer_arena, expr), answer);
        }
    }
    if (answer->failed != NULL) {
        *e = *answer->failed;
        return false;
    }
    *ret_samples = answer->samples;
    *ret_count = answer->count;
    return true;
}

struct template_world evaluation_world(struct evaluation *ev)
{
    const struct engine_options *options = &ev->run->engine->options;

    return (struct template_world){.query = template_query,
                                   .arg = ev,
                                   .external_labels = options->external_labels,
                                   .external_url = options->external_url,
                                   .dialect = options->template_dialect,
                                   .wall_ns = clock_wall_ns(ev->run->engine->env->clock)};
}

struct template_data rule_template_data(const struct rule_run *run, const struct labels *series,
                                        const struct labels *final, double value, int64_t slot_ns,
                                        int64_t active_at_ns)
{
    const struct rule *rule = run->rule;

    return (struct template_data){.labels = series,
                                  .alert_labels = final,
                                  .value = value,
                                  .now_ns = slot_ns,
                                  .active_at_ns = active_at_ns,
                                  .for_ns = rule->policy.for_ns,
                                  .interval_ns = rule->group->interval_ns,
                                  .expr = rule->expr,
                                  .type = str_of(rule_language_name(rule->language)),
                                  .group_id = rule->group->id};
}

/* ---- final labels ---- */

/* With keep_displaced, what the series had under this name goes on as exported_<name>. */
static void set_label(struct evaluation *ev, struct str name, struct str value)
{
    struct str old = labels_builder_get(&ev->builder, name);

    if (ev->run->engine->options.keep_displaced && old.len > 0 && value.len > 0 &&
        !str_eq(old, value)) {
        struct str kept = arena_dup(&ev->arena, old);
        struct str other = arena_printf(&ev->arena, "exported_%.*s", STR_FMT(name));
        labels_builder_set(&ev->builder, other, kept);
    }
    labels_builder_set(&ev->builder, name, value);
}

/* Renders one rule label into the builder; the text lives in the evaluation's arena. */
static void set_rule_label(struct evaluation *ev, const struct rule_text *label,
                           const struct template_data *data, const struct template_world *world)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    struct str text;

    if (!template_is_text(label->text, &text)) {
        if (!template_render(label->text, data, world, &out, &e)) {
            metric_add(ev->run->engine->template_errors, 1);
            trace_warn(&ev->run->engine->trace, "a label's template failed",
                       T_STR("rule", ev->run->rule->name), T_STR("label", label->name), T_ERR(&e));
        }
        text = arena_dup(&ev->arena, buf_str(&out));
    }
    set_label(ev, label->name, text);
}

static bool has_rule_label(const struct rule *rule, struct str name)
{
    for (size_t i = 0; i < rule->label_count; i++) {
        if (str_eq(rule->labels[i].name, name)) {
            return true;
        }
    }
    return false;
}

/* Labels of a series go before external ones; with keep_displaced nothing of them is lost, and it is the other way. */
static void add_external(struct evaluation *ev)
{
    bool keep = ev->run->engine->options.keep_displaced;
    const struct labels *external = ev->run->engine->options.external_labels;
    struct label pair;

    for (uint32_t at = 0; external != NULL && labels_next(external, &at, &pair);) {
        if (keep && !has_rule_label(ev->run->rule, pair.name)) {
            set_label(ev, pair.name, pair.value);
        } else if (!keep && labels_builder_get(&ev->builder, pair.name).len == 0) {
            labels_builder_set(&ev->builder, pair.name, pair.value);
        }
    }
}

bool rule_final_labels(struct evaluation *ev, const struct labels *series, double value,
                       struct labels **ret_labels, struct err *e)
{
    const struct rule *rule = ev->run->rule;
    struct template_world world = evaluation_world(ev);
    struct template_data data =
        rule_template_data(ev->run, series, NULL, value, ev->slot_ns, ev->slot_ns);

    for (size_t i = 0; i < rule->label_count; i++) {
        if (rule->kind == RULE_RECORD) { /* engines do not expand these */
            set_label(ev, rule->labels[i].name, rule->labels[i].source);
        } else {
            set_rule_label(ev, &rule->labels[i], &data, &world);
        }
    }
    if (rule->kind == RULE_ALERT) {
        labels_builder_del(&ev->builder, STR("__name__"));
        set_label(ev, STR("alertname"), rule->name);
        if (ev->run->engine->options.alertgroup_label) {
            set_label(ev, STR("alertgroup"), rule->group->name);
        }
    } else {
        labels_builder_set(&ev->builder, STR("__name__"), rule->name);
    }
    add_external(ev);
    return labels_build(&ev->builder, ret_labels, e);
}

/* ---- samples ---- */

struct batch_info rule_batch_info(const struct rule_run *run, enum record_kind kind,
                                  int64_t slot_ns)
{
    const struct rule *rule = run->rule;
    const struct rule_export *x = &rule->export;

    return (struct batch_info){.kind = kind,
                               .tenant = rule->group->tenant,
                               .origin = STR("rule"),
                               .time_ns = slot_ns,
                               .rule = rule->name,
                               .group = rule->group->name,
                               .file = rule->group->file,
                               .expr = rule->expr,
                               .database = x->database,
                               .measurement = x->measurement,
                               .metric_type = x->metric_type,
                               .annotations = x->annotations,
                               .annotation_count = x->annotation_count,
                               .has_threshold = x->has_threshold,
                               .threshold = x->threshold};
}

void sample_set_close(struct sample_set *set)
{
    struct batch_info info = rule_batch_info(set->ev->run, RECORD_SAMPLE, set->ev->slot_ns);
    uint32_t count = (uint32_t)set->series.len;

    if (count == 0) {
        return;
    }
    struct batch *b = batch_new(&codec_rw1, &info);
    struct arena *a = batch_arena(b);
    struct labels **series = arena_alloc(a, count * sizeof(struct labels *));
    uint32_t *series_of = arena_alloc(a, count * sizeof(uint32_t));
    int64_t *time_ns = arena_alloc(a, count * sizeof(int64_t));
    double *value = arena_alloc(a, count * sizeof(double));
    memcpy(series, set->series.items, count * sizeof(struct labels *));
    memcpy(value, set->values.items, count * sizeof(double));
    for (uint32_t i = 0; i < count; i++) {
        series_of[i] = i;
        time_ns[i] = set->ev->slot_ns;
    }
    batch_set_samples(b, (struct samples){series, count, count, series_of, time_ns, value, NULL});
    vec_push(&set->batches, b);
    vec_clear(&set->series);
    vec_clear(&set->values);
}

void sample_set_add(struct sample_set *set, struct labels *labels, double value)
{
    vec_push(&set->series, labels);
    vec_push(&set->values, value);
    set->total++;
    if (set->series.len == EVALUATION_BATCH_ROWS) {
        sample_set_close(set);
    }
}

bool sample_set_give(struct sample_set *set, bool alert_series, bool thinned, struct err *e)
{
    struct rule_run *run = set->ev->run;
    const struct engine_output *output = &run->engine->output;

    sample_set_close(set);
    for (size_t i = 0; i < set->batches.len; i++) {
        if (!output->samples(output->arg, run->rule, set->batches.items[i], alert_series, thinned,
                             &run->mark, e)) {
            set->ev->refused = true;
            return err_wrap(e, "giving samples to the outputs");
        }
    }
    metric_add(run->engine->samples, set->total);
    return true;
}

void sample_set_release(struct sample_set *set)
{
    for (size_t i = 0; i < set->batches.len; i++) {
        batch_unref(set->batches.items[i]);
    }
    for (size_t i = 0; i < set->series.len; i++) {
        labels_unref(set->series.items[i]);
    }
    vec_release(&set->batches);
    vec_release(&set->series);
    vec_release(&set->values);
}
