/*
 * The engine against a scripted datasource: what is recorded, which edges are kept and told, what
 * survives failures, a restart and a reload. Time is slots of ten seconds.
 */
#include "base/budget.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/rand.h"
#include "rules/engine.h"
#include "wire/edges.h"
#include "wire/prom_answer.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#define SLOT_NS (10 * NS_PER_S)
#define START_NS (INT64_C(1700000000) * NS_PER_S)

/* ---- a datasource that answers what the test wrote ---- */

enum { SERIES_MAX = 64 };

struct scripted {
    struct datasource super;
    const char *raws[SERIES_MAX]; /* label objects */
    double values[SERIES_MAX];
    size_t count;
    bool fails;
    bool partial;
    char last_expr[256];
    unsigned queries;
};

static bool scripted_query(struct datasource *d, const struct query *q,
                           const struct answer_sink *sink, struct answer_info *ret_info,
                           struct err *e)
{
    struct scripted *s = container_of(d, struct scripted, super);

    s->queries++;
    (void)snprintf(s->last_expr, sizeof(s->last_expr), "%.*s", STR_FMT(q->expr));
    if (s->fails) {
        return err_set(e, ERR_NET, "connection refused");
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!sink->row(sink->arg, str_of(s->raws[i]), q->time_ns, s->values[i], e)) {
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

static const struct datasource_ops scripted_ops = {.query = scripted_query,
                                                   .parse_labels = scripted_parse};

/* ---- what the engine gave away, as text ---- */

struct given {
    struct buf samples; /* a line each: series value */
    struct buf edges;   /* a line each: told|quiet labels from>to value annotation */
    uint64_t seq;
    enum err_code refuses_edges;
    bool refuses_samples;
    struct batch *kept[64]; /* edges in order, for replay */
    uint64_t kept_seq[64];
    size_t kept_count;
    int changed;
};

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

static bool give_edges(void *arg, const struct rule *rule, struct batch *b, bool told,
                       struct wait wait, uint64_t *ret_seq, struct err *e)
{
    struct given *g = arg;
    const struct alerts *alerts = NULL;

    (void)rule;
    (void)wait;
    if (g->refuses_edges != ERR_NONE) {
        return err_set(e, g->refuses_edges, "no space left on device");
    }
    assert_true(batch_alerts(b, &alerts, e));
    for (uint32_t i = 0; i < alerts->count; i++) {
        print_edge(g, &alerts->rows[i], told);
    }
    *ret_seq = ++g->seq;
    assert_true(g->kept_count < ARRAY_LEN(g->kept));
    g->kept_seq[g->kept_count] = g->seq;
    g->kept[g->kept_count++] = batch_ref(b);
    return true;
}

static bool give_samples(void *arg, const struct rule *rule, struct batch *b, bool alert_series,
                         bool thinned, struct wait wait, struct err *e)
{
    struct given *g = arg;
    const struct samples *s = NULL;

    (void)rule;
    (void)alert_series;
    (void)wait;
    if (g->refuses_samples) {
        return err_set(e, ERR_LIMIT, "the log is full");
    }
    assert_true(batch_samples(b, &s, e));
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
    return true;
}

static void note_changed(void *arg)
{
    ((struct given *)arg)->changed++;
}

/* ---- a bench: env, datasource, engine ---- */

struct bench {
    struct rng rng;
    struct budget budget;
    struct env env;
    struct scripted source;
    struct given given;
    struct engine *engine;
    struct rule_set *set;
};

static void collect_problem(void *arg, bool is_warning, const struct err *problem)
{
    (void)arg;
    if (!is_warning) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        err_print(problem, &text);
        fail_msg("%s", buf_text(&text));
    }
}

static struct rule_set *parse_rules(const char *text)
{
    struct rule_options options = {.interval_ns = SLOT_NS};
    struct rule_problems problems = {collect_problem, NULL};
    struct rule_set *set = NULL;
    struct err e = ERR_INIT;

    assert_true(rule_set_parse(STR("test.yaml"), str_of(text), &options, &problems, &set, &e));
    return set;
}

static void bench_engine(struct bench *b, const char *rules)
{
    struct engine_options options = {.external_labels = labels_empty(),
                                     .external_url = STR("http://telex"),
                                     .keep_resolved_ns = 15 * 60 * NS_PER_S,
                                     .query_timeout_ns = 5 * NS_PER_S};
    struct engine_output output = {give_edges, give_samples, note_changed, &b->given};
    struct err e = ERR_INIT;

    assert_true(engine_new(&b->env, &options, &b->source.super, &output, &b->engine, &e));
    b->set = parse_rules(rules);
    assert_true(engine_set_rules(b->engine, b->set, &e));
}

static void bench_start(struct bench *b, const char *rules)
{
    *b = (struct bench){.source.super.ops = &scripted_ops};
    rng_seed(&b->rng, 1);
    budget_init(&b->budget, NULL, "the test", INT64_MAX);
    b->env = (struct env){
        .clock = clock_system(), .rng = &b->rng, .metrics = metrics_new(), .budget = &b->budget};
    buf_init(&b->given.samples, BUF_UNLIMITED);
    buf_init(&b->given.edges, BUF_UNLIMITED);
    bench_engine(b, rules);
}

static void bench_stop(struct bench *b)
{
    engine_free(b->engine);
    rule_set_unref(b->set);
    for (size_t i = 0; i < b->given.kept_count; i++) {
        batch_unref(b->given.kept[i]);
    }
    buf_release(&b->given.samples);
    buf_release(&b->given.edges);
    metrics_free(b->env.metrics);
}

static void answer(struct bench *b, size_t count, const char *const *raws, const double *values)
{
    b->source.count = count;
    for (size_t i = 0; i < count; i++) {
        b->source.raws[i] = raws[i];
        b->source.values[i] = values[i];
    }
}

static void answer_one(struct bench *b, const char *raw, double value)
{
    answer(b, 1, &raw, &value);
}

static void evaluate(struct bench *b, int slot)
{
    for (size_t i = 0; i < engine_group_count(b->engine); i++) {
        group_evaluate(engine_group(b->engine, i), START_NS + slot * SLOT_NS,
                       (struct wait){DEADLINE_NEVER, NULL});
    }
}

static void expect(struct buf *given, const char *want)
{
    if (strcmp(buf_text(given), want) != 0) {
        fail_msg("got:\n%sexpected:\n%s", buf_text(given), want);
    }
    buf_clear(given);
}

/* ---- recording rules ---- */

static const char record_rules[] = "groups:\n"
                                   "- name: g\n"
                                   "  rules:\n"
                                   "  - record: cpu\n"
                                   "    expr: rate(x[5m])\n"
                                   "    labels: {team: core, gone: ''}\n";

static void records_under_the_rules_name_and_labels(void **state)
{
    const char *raws[] = {"{\"__name__\":\"x\",\"instance\":\"a\",\"gone\":\"1\"}",
                          "{\"instance\":\"b\",\"team\":\"other\"}"};
    const double values[] = {1.5, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    expect(&b.given.samples,
           "cpu{instance=\"a\", team=\"core\"} 1.5\ncpu{instance=\"b\", team=\"core\"} 2\n");
    evaluate(&b, 2);
    expect(&b.given.samples,
           "cpu{instance=\"a\", team=\"core\"} 1.5\ncpu{instance=\"b\", team=\"core\"} 2\n");
    assert_string_equal(b.source.last_expr, "rate(x[5m])");
    bench_stop(&b);
}

static void a_series_that_goes_gets_one_stale_marker(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    answer_one(&b, raws[1], 3);
    buf_clear(&b.given.samples);
    evaluate(&b, 2);
    expect(&b.given.samples, "cpu{i=\"b\", team=\"core\"} 3\ncpu{i=\"a\", team=\"core\"} stale\n");
    evaluate(&b, 3);
    expect(&b.given.samples, "cpu{i=\"b\", team=\"core\"} 3\n");
    answer(&b, 2, raws, values);
    evaluate(&b, 4);
    expect(&b.given.samples, "cpu{i=\"a\", team=\"core\"} 1\ncpu{i=\"b\", team=\"core\"} 2\n");
    bench_stop(&b);
}

enum { ORDER_SERIES = 6, ORDER_ROUNDS = 60 };

/* A random part of the series in a random order, often the one of last time. */
static void answer_some(struct bench *b, bool is_there[ORDER_SERIES], int round)
{
    static const char *const all[ORDER_SERIES] = {"{\"i\":\"0\"}", "{\"i\":\"1\"}",
                                                  "{\"i\":\"2\"}", "{\"i\":\"3\"}",
                                                  "{\"i\":\"4\"}", "{\"i\":\"5\"}"};
    uint64_t change = rng_below(&b->rng, 3);
    uint64_t from = change == 2 ? rng_below(&b->rng, ORDER_SERIES) : 0;

    b->source.count = 0;
    for (size_t k = 0; k < ORDER_SERIES; k++) {
        size_t i = (k + from) % ORDER_SERIES;
        is_there[i] = change == 0 || rng_below(&b->rng, 4) > 0;
        if (is_there[i]) {
            b->source.raws[b->source.count] = all[i];
            b->source.values[b->source.count++] = round;
        }
    }
}

/* However an answer is ordered, each series has its value, and one marker when it goes. */
static void the_order_of_answers_says_nothing(void **state)
{
    bool before[ORDER_SERIES] = {false};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    for (int round = 1; round <= ORDER_ROUNDS; round++) {
        bool now[ORDER_SERIES] = {false};
        size_t lines = 0;
        answer_some(&b, now, round);
        buf_clear(&b.given.samples);
        evaluate(&b, round);
        for (int i = 0; i < ORDER_SERIES; i++) {
            char value[64];
            (void)snprintf(value, sizeof(value), "cpu{i=\"%d\", team=\"core\"} %d\n", i, round);
            char marker[64];
            (void)snprintf(marker, sizeof(marker), "cpu{i=\"%d\", team=\"core\"} stale\n", i);
            const char *text = buf_text(&b.given.samples);
            assert_int_equal(strstr(text, value) != NULL, now[i]);
            assert_int_equal(strstr(text, marker) != NULL, before[i] && !now[i]);
            lines += now[i] || before[i];
        }
        for (const char *c = buf_text(&b.given.samples); *c != '\0'; c++) {
            lines -= *c == '\n';
        }
        assert_int_equal(lines, 0);
        memcpy(before, now, sizeof(before));
    }
    bench_stop(&b);
}

static void failures_and_partial_answers_end_no_series(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    buf_clear(&b.given.samples);
    b.source.fails = true;
    evaluate(&b, 2);
    expect(&b.given.samples, "");
    b.source.fails = false;
    b.source.partial = true;
    answer_one(&b, raws[0], 5);
    evaluate(&b, 3);
    expect(&b.given.samples, "cpu{i=\"a\", team=\"core\"} 5\n");
    b.source.partial = false;
    evaluate(&b, 4);
    expect(&b.given.samples, "cpu{i=\"a\", team=\"core\"} 5\ncpu{i=\"b\", team=\"core\"} stale\n");
    bench_stop(&b);
}

static void duplicates_fail_the_rule_and_give_nothing(void **state)
{
    const char *raws[] = {"{\"i\":\"a\",\"gone\":\"1\"}", "{\"i\":\"a\",\"gone\":\"2\"}"};
    const double values[] = {1, 2};
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_SMALL);
    struct engine_filter filter = {0};
    struct bench b;

    (void)state;
    bench_start(&b, record_rules);
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    expect(&b.given.samples, "");
    engine_print_rules(b.engine, &filter, &json);
    assert_non_null(strstr(buf_text(&json), "two series of the answer become the same one"));
    assert_non_null(strstr(buf_text(&json), "\"health\":\"err\""));
    bench_stop(&b);
}

static void export_interval_thins(void **state)
{
    struct bench b;

    (void)state;
    bench_start(
        &b, "groups:\n- name: g\n  rules:\n  - record: r\n    expr: x\n"
            "    labels: {export_to_datastore: 'true'}\n    annotations: {export_interval: 30s}\n");
    answer(&b, 0, NULL, NULL);
    evaluate(&b, 0); /* nothing to export: not the one that counts */
    answer_one(&b, "{}", 1);
    for (int slot = 1; slot <= 5; slot++) {
        evaluate(&b, slot);
    }
    expect(&b.given.samples, "r{export_to_datastore=\"true\"} 1\n"
                             "r{export_to_datastore=\"true\"} 1 thinned\n"
                             "r{export_to_datastore=\"true\"} 1 thinned\n"
                             "r{export_to_datastore=\"true\"} 1\n"
                             "r{export_to_datastore=\"true\"} 1 thinned\n");
    bench_stop(&b);
}

/* ---- alerting rules ---- */

static const char alert_rules[] = "groups:\n"
                                  "- name: g\n"
                                  "  rules:\n"
                                  "  - alert: High\n"
                                  "    expr: x > 80\n"
                                  "    for: 20s\n"
                                  "    labels: {severity: page}\n"
                                  "    annotations: {summary: '{{ $labels.i }} at {{ $value }}'}\n";

static void an_alert_pends_fires_and_resolves(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"__name__\":\"x\",\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    expect(&b.given.edges,
           "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n");
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"pending\", i=\"a\", severity=\"page\"} 1\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    evaluate(&b, 2);
    expect(&b.given.edges, "");
    buf_clear(&b.given.samples);
    b.source.values[0] = 95;
    evaluate(&b, 3);
    expect(&b.given.edges,
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 95 a at 95\n");
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"pending\", i=\"a\", severity=\"page\"} stale\n"
           "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} 1\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    b.source.count = 0;
    evaluate(&b, 4);
    expect(&b.given.edges,
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 95 a at 95\n");
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    evaluate(&b, 5);
    expect(&b.given.samples, "");
    assert_int_equal(b.given.changed, 5);
    bench_stop(&b);
}

static void nothing_changes_when_the_ledger_refuses(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    b.given.refuses_edges = ERR_IO;
    evaluate(&b, 1);
    evaluate(&b, 2);
    expect(&b.given.samples, "");
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 3);
    expect(&b.given.edges,
           "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n");
    evaluate(&b, 4);
    expect(&b.given.edges, "");
    b.given.refuses_edges = ERR_IO;
    evaluate(&b, 5);
    b.given.refuses_edges = ERR_NONE;
    evaluate(&b, 6);
    expect(&b.given.edges,
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

static void a_slot_without_room_is_missed(void **state)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    b.given.refuses_edges = ERR_FULL;
    evaluate(&b, 1);
    metrics_render(b.env.metrics, &text);
    assert_non_null(
        strstr(strstr(buf_text(&text), "\ntelex_rule_group_iterations_missed"), "} 1\n"));
    bench_stop(&b);
}

static void errors_and_partial_answers_keep_alerts(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    b.source.fails = true;
    evaluate(&b, 2);
    b.source.fails = false;
    b.source.partial = true;
    b.source.count = 0;
    evaluate(&b, 3);
    b.source.partial = false;
    b.source.count = 1;
    evaluate(&b, 4);
    expect(&b.given.edges,
           "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n"
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    bench_stop(&b);
}

static void export_query_runs_once_and_joins_by_labels(void **state)
{
    const char *raws[] = {"{\"i\":\"a\"}", "{\"i\":\"b\"}"};
    const double values[] = {1, 2};
    struct bench b;

    (void)state;
    bench_start(
        &b,
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: x\n"
        "    labels: {export_to_datastore: 'true'}\n    annotations: {export_query: 'avg by (i) (y)'}\n");
    answer(&b, 2, raws, values);
    evaluate(&b, 1);
    assert_int_equal(b.source.queries, 2);
    assert_string_equal(b.source.last_expr, "avg by (i) (y)");
    expect(&b.given.edges,
           "told {alertname=\"A\", export_to_datastore=\"true\", i=\"a\"} ready>alerting 1 "
           "avg by (i) (y) {i=\"a\"}=1\n"
           "told {alertname=\"A\", export_to_datastore=\"true\", i=\"b\"} ready>alerting 2 "
           "avg by (i) (y) {i=\"b\"}=2\n");
    evaluate(&b, 2);
    assert_int_equal(b.source.queries, 3);
    bench_stop(&b);
}

/* ---- restart and reload ---- */

/* Ends the engine as a kill would and starts another from the edges given so far. */
static void restart_by_replay(struct bench *b, const char *rules)
{
    struct err e = ERR_INIT;

    engine_free(b->engine);
    rule_set_unref(b->set);
    bench_engine(b, rules);
    for (size_t i = 0; i < b->given.kept_count; i++) {
        assert_true(engine_restore_edge(b->engine, b->given.kept_seq[i], b->given.kept[i], &e));
    }
}

static void a_restart_neither_fires_again_nor_resolves(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    restart_by_replay(&b, alert_rules);
    evaluate(&b, 2);
    evaluate(&b, 3);
    expect(&b.given.edges,
           "quiet {alertname=\"High\", i=\"a\", severity=\"page\"} ready>pending 90\n"
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} pending>alerting 90 a at 90\n");
    restart_by_replay(&b, alert_rules);
    buf_clear(&b.given.samples);
    evaluate(&b, 4);
    expect(&b.given.edges, "");
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} 1\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} 1700000010\n");
    restart_by_replay(&b, alert_rules);
    b.source.count = 0;
    buf_clear(&b.given.samples);
    evaluate(&b, 5);
    expect(&b.given.edges,
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 90 a at 90\n");
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    bench_stop(&b);
}

static void a_snapshot_brings_everything_back(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    uint64_t saved = 0;
    uint64_t restored = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &saved, &e));
    assert_int_equal(saved, 2);
    engine_free(b.engine);
    rule_set_unref(b.set);
    buf_clear(&b.given.edges);
    bench_engine(&b, alert_rules);
    assert_true(engine_restore_snapshot(b.engine, str_of(path), &restored, &e));
    assert_int_equal(restored, 2);
    evaluate(&b, 4);
    expect(&b.given.edges, "");
    b.source.count = 0;
    evaluate(&b, 5);
    expect(&b.given.edges,
           "told {alertname=\"High\", i=\"a\", severity=\"page\"} alerting>resolved 90 a at 90\n");
    bench_stop(&b);
    (void)unlink(path);
}

/* Every truncation of a snapshot is refused. */
static void a_damaged_snapshot_is_refused(void **state)
{
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);
    AUTO(buf_release) struct buf file = BUF_INIT(BUF_SMALL);
    uint64_t seq = 0;
    struct err e = ERR_INIT;
    struct bench b;

    (void)state;
    assert_true(fd >= 0);
    (void)close(fd);
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    assert_true(engine_save_snapshot(b.engine, str_of(path), &seq, &e));
    assert_true(fs_read_file(fs_system(), str_of(path), BUF_SMALL, &file, &e));
    for (size_t i = 0; i < file.len; i++) {
        struct err refused = ERR_INIT;
        assert_true(
            fs_replace_file(fs_system(), str_of(path), str_slice(buf_str(&file), 0, i), &e));
        assert_false(engine_restore_snapshot(b.engine, str_of(path), &seq, &refused));
    }
    bench_stop(&b);
    (void)unlink(path);
}

static void a_reload_keeps_what_stays_and_ends_what_goes(void **state)
{
    struct bench b;
    struct err e = ERR_INIT;

    (void)state;
    bench_start(&b, alert_rules);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    evaluate(&b, 3);
    buf_clear(&b.given.edges);
    /* Another expression, the same rule. */
    struct rule_set *edited = parse_rules(
        "groups:\n- name: g\n  rules:\n  - alert: High\n    expr: y > 70\n    for: 20s\n"
        "    labels: {severity: page}\n");
    assert_true(engine_set_rules(b.engine, edited, &e));
    evaluate(&b, 4);
    expect(&b.given.edges, "");
    assert_string_equal(b.source.last_expr, "y > 70");
    buf_clear(&b.given.samples);
    struct rule_set *other =
        parse_rules("groups:\n- name: g\n  rules:\n  - record: r\n    expr: z\n");
    assert_true(engine_set_rules(b.engine, other, &e));
    expect(&b.given.samples,
           "ALERTS{alertname=\"High\", alertstate=\"firing\", i=\"a\", severity=\"page\"} stale\n"
           "ALERTS_FOR_STATE{alertname=\"High\", i=\"a\", severity=\"page\"} stale\n");
    rule_set_unref(edited);
    rule_set_unref(other);
    bench_stop(&b);
}

/* ---- levels ---- */

struct seen_level {
    size_t firing;
    size_t resolved;
    struct level_alert last;
};

static void see_level(void *arg, const struct level_alert *alert)
{
    struct seen_level *seen = arg;

    seen->firing += alert->firing;
    seen->resolved += !alert->firing;
    seen->last = *alert;
}

static void levels_show_firing_and_lately_resolved(void **state)
{
    AUTO(buf_release) struct buf annotations = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    struct seen_level seen = {0};
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    struct level_source levels = engine_levels(b.engine);
    answer_one(&b, "{\"i\":\"a\"}", 90);
    evaluate(&b, 1);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing + seen.resolved, 0);
    evaluate(&b, 3);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing, 1);
    assert_true(seen.last.starts_at_ns == START_NS + 3 * SLOT_NS);
    assert_true(levels.describe(levels.arg, &seen.last, &annotations, &url));
    assert_string_equal(buf_text(&annotations), "{\"summary\":\"a at 90\"}");
    assert_true(str_starts(buf_str(&url), STR("http://telex/")));
    b.source.count = 0;
    evaluate(&b, 4);
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.resolved, 1);
    evaluate(&b, 4 + 6 * 15);
    seen = (struct seen_level){0};
    levels.walk(levels.arg, see_level, &seen);
    assert_int_equal(seen.firing + seen.resolved, 0);
    bench_stop(&b);
}

static void slots_are_spread_and_never_skip(void **state)
{
    struct bench b;

    (void)state;
    bench_start(&b, alert_rules);
    const struct rule_group *g = group_run_rules(engine_group(b.engine, 0));
    int64_t slot = group_next_slot(g, START_NS);
    assert_true(slot >= START_NS && slot < START_NS + SLOT_NS);
    assert_true(group_next_slot(g, slot) == slot);
    assert_true(group_next_slot(g, slot + 1) == slot + SLOT_NS);
    assert_true(group_next_slot(g, -START_NS) >= -START_NS);
    bench_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_under_the_rules_name_and_labels),
        cmocka_unit_test(a_series_that_goes_gets_one_stale_marker),
        cmocka_unit_test(the_order_of_answers_says_nothing),
        cmocka_unit_test(failures_and_partial_answers_end_no_series),
        cmocka_unit_test(duplicates_fail_the_rule_and_give_nothing),
        cmocka_unit_test(export_interval_thins),
        cmocka_unit_test(an_alert_pends_fires_and_resolves),
        cmocka_unit_test(nothing_changes_when_the_ledger_refuses),
        cmocka_unit_test(a_slot_without_room_is_missed),
        cmocka_unit_test(errors_and_partial_answers_keep_alerts),
        cmocka_unit_test(export_query_runs_once_and_joins_by_labels),
        cmocka_unit_test(a_restart_neither_fires_again_nor_resolves),
        cmocka_unit_test(a_snapshot_brings_everything_back),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(a_reload_keeps_what_stays_and_ends_what_goes),
        cmocka_unit_test(levels_show_firing_and_lately_resolved),
        cmocka_unit_test(slots_are_spread_and_never_skip),
    };

    return cmocka_run_group_tests_name("rules/engine", tests, NULL, NULL);
}
