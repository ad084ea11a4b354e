/* Our own metrics as series: what a query chooses, and what is refused with its place. */
#include "datasource/datasource.h"

#include "base/env.h"
#include "base/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct metric_desc rate_desc = {
    .name = "rate", .help = "h", .type = METRIC_GAUGE, .labels = {"exporter"}};
static const struct metric_desc count_desc = {
    .name = "count_total", .help = "h", .type = METRIC_COUNTER, .labels = {"exporter", "class"}};

struct kit {
    struct metrics *metrics;
    struct env env;
    struct metric *made[4];
    struct datasource *d;
    struct buf out;
};

static int setup(void **state)
{
    struct kit *k = mem_new(struct kit);
    struct err e = ERR_INIT;

    k->metrics = metrics_new();
    k->env = (struct env){.metrics = k->metrics};
    k->made[0] = metrics_get1(k->metrics, &rate_desc, STR("vm"));
    k->made[1] = metrics_get1(k->metrics, &rate_desc, STR("influx"));
    k->made[2] = metrics_get2(k->metrics, &count_desc, STR("vm"), STR("4xx"));
    k->made[3] = metrics_get2(k->metrics, &count_desc, STR("vm"), STR(""));
    metric_set(k->made[0], 99.5);
    metric_set(k->made[1], -7);
    metric_add(k->made[2], 3);
    assert_true(datasource_kind_find(STR("self"))->open(&k->env, NULL, STR("self"), &k->d, &e));
    buf_init(&k->out, BUF_SMALL);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    struct kit *k = *state;

    datasource_close(k->d);
    for (size_t i = 0; i < 4; i++) {
        metric_drop(k->made[i]);
    }
    buf_release(&k->out);
    metrics_free(k->metrics);
    mem_free(k);
    return 0;
}

static bool row(void *arg, struct str raw_labels, int64_t time_ns, double value, struct err *e)
{
    struct kit *k = arg;
    struct arena a;
    struct labels_builder b;
    AUTO(labels_autounref) struct labels *l = NULL;

    assert_int_equal(time_ns, 42);
    arena_init(&a, ARENA_UNLIMITED);
    labels_builder_init(&b);
    assert_true(datasource_parse_labels(k->d, raw_labels, &a, &b, e));
    assert_true(labels_build(&b, &l, e));
    buf_add_text(&k->out, k->out.len > 0 ? " " : "");
    labels_print(l, &k->out);
    buf_addf(&k->out, "=%g", value);
    labels_builder_release(&b);
    arena_release(&a);
    return true;
}

static bool ask(struct kit *k, const char *expr, struct answer_info *info, struct err *e)
{
    const struct answer_sink sink = {row, k};
    const struct query q = {.expr = str_of(expr), .time_ns = 42, .wait = {DEADLINE_NEVER, NULL}};

    buf_clear(&k->out);
    return datasource_query(k->d, &q, &sink, info, e);
}

#define VM "rate{exporter=\"vm\"}=99.5"
#define INFLUX "rate{exporter=\"influx\"}=-7"

static void answers(void **state)
{
    static const struct {
        const char *expr;
        const char *answer;
    } rows[] = {
        {"rate", INFLUX " " VM},
        {"nothing", ""},
        {"rate{exporter=\"vm\"}", VM},
        {"rate{exporter!=\"vm\"}", INFLUX},
        {"rate{exporter=~\"v.\"}", VM},
        {"rate{exporter=~\"v\"}", ""},
        {"{exporter!~\"v.\",__name__=~\"r.*\"}", INFLUX},
        {"rate{other=\"\"}", INFLUX " " VM},
        {"rate{other=~\".+\"}", ""},
        {"rate > 5", VM},
        {"rate < 95", INFLUX},
        {"5 > rate", INFLUX},
        {"(rate) >= (99.5)", VM},
        {"rate <= -7", INFLUX},
        {"rate == -(7)", INFLUX},
        {"rate != 99.5", INFLUX},
        {"rate > NaN", ""},
        {"count_total{class=\"\"}", "count_total{exporter=\"vm\"}=0"},
        {"count_total > 2", "count_total{class=\"4xx\", exporter=\"vm\"}=3"},
    };
    struct kit *k = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer_info info;
        struct err e = ERR_INIT;
        if (!ask(k, rows[i].expr, &info, &e)) {
            fail_msg("%s: %s", rows[i].expr, e.message);
        }
        print_message("%s\n", rows[i].expr);
        assert_string_equal(buf_text(&k->out), rows[i].answer);
        assert_false(info.is_scalar);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *expr;
        uint32_t column;
    } rows[] = {
        {"sum(rate)", 1},       {"rate + 1", 1}, {"rate > rate", 1},    {"1", 1},
        {"(rate > bool 5)", 2}, {"rate[5m]", 1}, {"rate offset 5m", 1}, {"rate @ 5", 1},
        {"rate > 2 * 3", 1},
    };
    struct kit *k = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct answer_info info;
        struct err e = ERR_INIT;
        print_message("%s\n", rows[i].expr);
        assert_false(ask(k, rows[i].expr, &info, &e));
        assert_int_equal(e.code, ERR_PARSE);
        assert_non_null(strstr(e.message, "before the evaluator arrives"));
        assert_int_equal(e.pos.column, rows[i].column);
    }
    struct answer_info info;
    struct err e = ERR_INIT;
    assert_false(ask(k, "rate{", &info, &e));
    assert_int_equal(e.code, ERR_PARSE);
}

/* A row may make metrics of its own: nothing is locked while rows are given. */
static bool row_that_counts(void *arg, struct str raw_labels, int64_t time_ns, double value,
                            struct err *e)
{
    struct kit *k = arg;

    (void)raw_labels;
    (void)time_ns;
    (void)value;
    metric_drop(metrics_get1(k->metrics, &rate_desc, STR("new")));
    return err_set(e, ERR_LIMIT, "enough");
}

static void rows_are_given_unlocked(void **state)
{
    struct kit *k = *state;
    const struct answer_sink sink = {row_that_counts, k};
    const struct query q = {.expr = STR("rate"), .wait = {DEADLINE_NEVER, NULL}};
    struct answer_info info;
    struct err e = ERR_INIT;

    assert_false(datasource_query(k->d, &q, &sink, &info, &e));
    assert_string_equal(e.message, "enough");
    assert_true(datasource_probe(k->d, (struct wait){DEADLINE_NEVER, NULL}, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_given_unlocked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
