/*
 * The bench of the engine's tests. Time is slots of ten seconds.
 */
#include "engine_bench.h"

#include "base/number.h"
#include "wire/prom_answer.h"

#include <stdio.h>
#include <string.h>

/* ---- a datasource that answers what the test wrote ---- */

static bool give_data(const struct scripted *s, const struct query *q,
                      const struct answer_sink *sink, struct answer_info *ret_info, struct err *e)
{
    for (size_t i = 0; i < s->data_count; i++) {
        if (!sink->row(sink->arg, str_of(s->data_raws[i]), q->time_ns, 1, e)) {
            return false;
        }
    }
    *ret_info = (struct answer_info){.series_fetched = -1, .rows = (uint32_t)s->data_count};
    return true;
}

static bool scripted_query(struct datasource *d, const struct query *q,
                           const struct answer_sink *sink, struct answer_info *ret_info,
                           struct err *e)
{
    struct scripted *s = container_of(d, struct scripted, super);

    lock_take(&s->lock);
    s->queries++;
    (void)snprintf(s->last_expr, sizeof(s->last_expr), "%.*s", STR_FMT(q->expr));
    s->last_time_ns = q->time_ns;
    if (q->wait.deadline_mono_ns != DEADLINE_NEVER) {
        s->last_timeout_ms =
            (q->wait.deadline_mono_ns - clock_mono_ns(clock_system()) + NS_PER_MS) / NS_PER_MS;
    }
    lock_give(&s->lock);
    if (s->takes_ms > 0) {
        (void)wait_sleep((struct wait){clock_deadline_ms(clock_system(), s->takes_ms), NULL});
    }
    if (s->fails) {
        return err_set(e, ERR_NET, "connection refused");
    }
    if (s->data_expr != NULL && str_eq(q->expr, str_of(s->data_expr))) {
        return s->data_fails ? err_set(e, ERR_NET, "connection refused")
                             : give_data(s, q, sink, ret_info, e);
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!sink->row(sink->arg, str_of(s->raws[i]), q->time_ns, s->values[i], e)) {
            return false;
        }
    }
    bool makes = s->made_expr == NULL || str_eq(q->expr, str_of(s->made_expr));
    for (size_t i = 0; makes && i < s->made; i++) {
        char raw[32];
        (void)snprintf(raw, sizeof(raw), "{\"n\":\"%zu\"}", i);
        if (!sink->row(sink->arg, str_of(raw), q->time_ns, 1, e)) {
            return false;
        }
    }
    *ret_info = (struct answer_info){
        .is_partial = s->partial, .series_fetched = -1, .rows = (uint32_t)s->count};
    return true;
}

static bool scripted_parse(struct datasource *d, struct str raw, struct arena *a,
                           struct labels_builder *b, struct err *e)
{
    (void)d;
    return prom_labels_parse(raw, a, b, e);
}

static void scripted_print(struct datasource *d, const struct query *q, struct buf *out)
{
    (void)d;
    buf_addf(out, "ask %.*s at %lld", STR_FMT(q->expr), (long long)(q->time_ns / NS_PER_S));
}

static const struct datasource_ops scripted_ops = {
    .query = scripted_query, .parse_labels = scripted_parse, .print_request = scripted_print};

/* ---- what the engine gave away, as text ---- */

static void print_edge(struct given *g, const struct alert *a, bool told)
{
    buf_add_text(&g->edges, told ? "told " : "quiet ");
    labels_print(a->labels, &g->edges);
    buf_addf(&g->edges, " %s>%s ", alert_state_name(a->from), alert_state_name(a->to));
    buf_add_double(&g->edges, a->value);
    for (size_t i = 0; i < a->annotation_count; i++) {
        buf_addf(&g->edges, " %.*s", STR_FMT(a->annotations[i].value));
    }
    for (size_t i = 0; i < a->export_count; i++) {
        buf_add_byte(&g->edges, ' ');
        labels_print(a->exports[i].labels, &g->edges);
        buf_add_byte(&g->edges, '=');
        buf_add_double(&g->edges, a->exports[i].value);
    }
    buf_add_byte(&g->edges, '\n');
}

static bool give_edges(void *arg, const struct rule *rule, struct batch *b, enum edges_told told,
                       uint64_t *ret_seq, struct err *e)
{
    struct given *g = arg;
    const struct alerts *alerts = NULL;

    (void)rule;
    if (g->refuses_edges != ERR_NONE && g->takes_before-- == 0) {
        g->takes_before = 0;
        return err_set(e, g->refuses_edges, "no space left on device");
    }
    assert_true(batch_alerts(b, &alerts, e));
    for (uint32_t i = 0; i < alerts->count; i++) {
        print_edge(g, &alerts->rows[i], told != EDGES_QUIET);
    }
    *ret_seq = ++g->seq;
    assert_true(g->kept_count < ARRAY_LEN(g->kept));
    g->kept_seq[g->kept_count] = g->seq;
    g->kept[g->kept_count++] = batch_ref(b);
    void (*meanwhile)(void *) = g->meanwhile;
    g->meanwhile = NULL;
    if (meanwhile != NULL) {
        meanwhile(g->meanwhile_arg);
    }
    return true;
}

static bool wait_held(void *arg, uint64_t seq, struct wait wait, struct err *e)
{
    struct given *g = arg;

    (void)wait;
    assert_true(seq <= g->seq);
    return !g->stalls || err_set(e, ERR_TIMEOUT, "the disk stalls");
}

static bool give_samples(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                         bool thinned, struct given_mark *mark, struct err *e)
{
    struct given *g = arg;
    const struct samples *s = NULL;

    (void)rule;
    (void)alert_series;
    if (g->refuses_samples) {
        return err_set(e, ERR_LIMIT, "the log is full");
    }
    assert_true(batch_samples(b, &s, e));
    lock_take(&g->lock);
    mark->seq = ++g->sample_seq;
    for (uint32_t i = 0; i < s->count; i++) {
        labels_print(s->series[s->series_of[i]], &g->samples);
        buf_add_byte(&g->samples, ' ');
        if (number_is_stale_nan(s->value[i])) {
            buf_add_text(&g->samples, "stale");
        } else {
            buf_add_double(&g->samples, s->value[i]);
        }
        buf_add_text(&g->samples, thinned ? " thinned\n" : "\n");
    }
    lock_give(&g->lock);
    return true;
}

static bool are_delivered(void *arg, const struct given_mark *mark, bool hurry)
{
    struct given *g = arg;

    g->asked_delivered++;
    g->hurried += hurry;
    if (g->late_by > 0 && mark->seq > g->delivered_seq) {
        g->late_by--;
        return false;
    }
    g->delivered_seq = mark->seq > g->delivered_seq ? mark->seq : g->delivered_seq;
    return true;
}

static void note_changed(void *arg)
{
    struct given *g = arg;

    lock_take(&g->lock);
    g->changed++;
    lock_give(&g->lock);
}

/* ---- a bench: env, datasource, engine ---- */

static void collect_problem(void *arg, bool is_warning, const struct err *problem)
{
    (void)arg;
    if (!is_warning) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        err_print(problem, &text);
        fail_msg("%s", buf_text(&text));
    }
}

struct rule_set *parse_rules(const char *text)
{
    struct rule_options options = {.interval_ns = SLOT_NS};
    struct rule_problems problems = {collect_problem, NULL};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    assert_true(rule_set_parse(STR("test.yaml"), str_of(text), &options, &problems, &set, &e));
    return set;
}

void add_wordy_rule(struct buf *rules)
{
    buf_add_text(rules, "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n"
                        "    annotations: {text: '");
    for (int i = 0; i < 2000; i++) {
        buf_add_byte(rules, 'x');
    }
    buf_add_text(rules, "'}\n");
}

void bench_engine(struct bench *b, const char *rules)
{
    struct engine_options options = {.external_labels = labels_empty(),
                                     .external_url = STR("http://telex"),
                                     .keep_resolved_ns = b->keep_resolved_ns,
                                     .query_timeout_ns = 5 * NS_PER_S,
                                     .max_series_per_rule = b->limits.series_per_rule,
                                     .max_series_per_group = b->limits.series_per_group,
                                     .max_series = b->limits.series_total};
    struct engine_output output = {give_edges,    wait_held,    give_samples,
                                   are_delivered, note_changed, &b->given};
    struct err e = ERR_INIT;

    assert_true(engine_new(&b->env, &options, &b->source.super, &output, &b->engine, &e));
    b->set = parse_rules(rules);
    assert_true(engine_set_rules(b->engine, b->set, &e));
}

void bench_start(struct bench *b, const char *rules)
{
    *b = (struct bench){.keep_resolved_ns = 15 * 60 * NS_PER_S, .source.super.ops = &scripted_ops};
    rng_seed(&b->rng, 1);
    budget_init(&b->budget, NULL, "the test", INT64_MAX);
    b->env = (struct env){
        .clock = clock_system(), .rng = &b->rng, .metrics = metrics_new(), .budget = &b->budget};
    buf_init(&b->given.samples, BUF_UNLIMITED);
    buf_init(&b->given.edges, BUF_UNLIMITED);
    lock_init(&b->given.lock);
    lock_init(&b->source.lock);
    bench_engine(b, rules);
}

void bench_stop(struct bench *b)
{
    engine_free(b->engine);
    rule_set_unref(b->set);
    for (size_t i = 0; i < b->given.kept_count; i++) {
        batch_unref(b->given.kept[i]);
    }
    buf_release(&b->given.samples);
    buf_release(&b->given.edges);
    lock_release(&b->given.lock);
    lock_release(&b->source.lock);
    metrics_free(b->env.metrics);
}

void answer(struct bench *b, size_t count, const char *const *raws, const double *values)
{
    b->source.count = count;
    for (size_t i = 0; i < count; i++) {
        b->source.raws[i] = raws[i];
        b->source.values[i] = values[i];
    }
}

void answer_one(struct bench *b, const char *raw, double value)
{
    answer(b, 1, &raw, &value);
}

void evaluate(struct bench *b, int slot)
{
    for (size_t i = 0; i < engine_group_count(b->engine); i++) {
        group_evaluate(engine_group(b->engine, i), START_NS + slot * SLOT_NS,
                       (struct wait){DEADLINE_NEVER, NULL});
    }
}

void expect_given(struct buf *given, const char *want)
{
    if (strcmp(buf_text(given), want) != 0) {
        fail_msg("got:\n%sexpected:\n%s", buf_text(given), want);
    }
    buf_clear(given);
}

/* Ends the engine as a kill would and starts another from the edges given so far. */
void bench_restart(struct bench *b, const char *rules)
{
    struct err e = ERR_INIT;

    engine_free(b->engine);
    rule_set_unref(b->set);
    bench_engine(b, rules);
    for (size_t i = 0; i < b->given.kept_count; i++) {
        assert_true(engine_restore_edge(b->engine, b->given.kept_seq[i], b->given.kept[i], &e));
    }
}
