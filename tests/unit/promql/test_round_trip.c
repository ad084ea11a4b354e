/*
 * Random expressions of the right types: each parses, and what is printed parses to the same tree
 * and prints the same. TELEX_TEST_ROUNDS makes it long; the seed is in the message of a failure.
 */
#include "promql/promql.h"

#include "base/attr.h"
#include "base/number.h"
#include "fake/promql_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct maker {
    uint64_t state;
    struct buf out;
    int depth;
    bool metricsql;
};

static uint32_t below(struct maker *m, uint32_t count)
{
    m->state += 0x9e3779b97f4a7c15;
    uint64_t z = m->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)((z ^ (z >> 31)) % count);
}

static void add(struct maker *m, const char *text)
{
    static const char *const blanks[] = {"", "", "", " ", "  ", "\n", " # x\n"};

    buf_add_text(&m->out, text);
    if (text[0] != '\0') {
        buf_add_text(&m->out, blanks[below(m, ARRAY_LEN(blanks))]);
    }
}

/* A word that needs a blank behind it. */
static void add_word(struct maker *m, const char *text)
{
    add(m, text);
    buf_add_byte(&m->out, ' ');
}

#define PICK(m, ...)                                       \
    __extension__({                                        \
        static const char *const picks_[] = {__VA_ARGS__}; \
        picks_[below((m), ARRAY_LEN(picks_))];             \
    })

static void make_vector(struct maker *m);
static void make_scalar(struct maker *m);
static void make_range(struct maker *m);

static void make_label(struct maker *m)
{
    add(m, PICK(m, "job", "le", "by", "sum", "on", "_x9", "\"my.label\"", "\"a b\\n\""));
}

static void make_labels(struct maker *m)
{
    add(m, "(");
    for (uint32_t i = below(m, 4); i > 0; i--) {
        make_label(m);
        add(m, i > 1 ? "," : PICK(m, "", ","));
    }
    add(m, ")");
}

static void make_matcher(struct maker *m)
{
    make_label(m);
    add(m, PICK(m, "=", "!=", "=~", "!~"));
    add(m, PICK(m, "\"\"", "'a'", "\"b|c\"", "`d.*\\d`", "\"\\\\.\\t\\u00e9\"", "\"\xC3\xA9\"",
                "\".+\""));
}

static void make_selector(struct maker *m)
{
    bool named = below(m, 8) != 0;
    uint32_t count = below(m, 4);

    if (named) {
        add(m,
            PICK(m, "up", "a:b:c", ":x", "node_cpu_seconds_total", "ALERTS", "offset_", "start"));
    }
    if (named && below(m, 2) == 0) {
        return;
    }
    add(m, "{");
    if (!named) {
        add(m, PICK(m, "\"my.metric\"", "__name__=~\"a.+\"", "job=\"x\""));
        add(m, count > 0 ? "," : "");
    }
    for (; count > 0; count--) {
        make_matcher(m);
        add(m, count > 1 ? "," : PICK(m, "", ","));
    }
    if (m->metricsql && below(m, 4) == 0 && m->out.ptr[m->out.len - 1] == '"') {
        add(m, " or ");
        make_matcher(m);
    }
    add(m, "}");
}

static void make_duration(struct maker *m)
{
    if (!m->metricsql && below(m, 6) == 0) {
        add(m, PICK(m, "step() * 2", "(5m + 1m) / 2", "min_of(step(), 90)", "range()", "2 ^ 3"));
    } else if (m->metricsql && below(m, 4) == 0) {
        add(m, PICK(m, "1.5h", "5i", "1h5i", "1h-5m", "3.25"));
    } else {
        add(m, PICK(m, "5m", "1h30m", "90s", "1d", "1w2d", "100ms", "300", "0.5", "1y", "0x10"));
    }
}

static void make_when(struct maker *m)
{
    if (below(m, 6) == 0) {
        add(m, "@");
        add(m, PICK(m, "start()", "end()", "1603774568.123", "-5", "0"));
    }
    if (below(m, 5) == 0) {
        add_word(m, PICK(m, " offset", " OFFSET"));
        add(m, PICK(m, "", "-"));
        add(m, m->metricsql ? "1.5h" : PICK(m, "5m", "1h30m", "7", "(5m)"));
    }
}

static void make_call(struct maker *m)
{
    switch (below(m, 5)) {
    case 0:
        add(m, PICK(m, "rate(", "increase(", "sum_over_time(", "changes("));
        make_range(m);
        break;
    case 1:
        add(m, PICK(m, "abs(", "sort(", "ln(", "absent("));
        make_vector(m);
        break;
    case 2:
        add(m, "clamp_max(");
        make_vector(m);
        add(m, ",");
        make_scalar(m);
        break;
    case 3:
        add(m, "label_replace(");
        make_vector(m);
        add(m, ",\"a\",'$1',`b`,\"(.*)\"");
        break;
    default:
        add(m, "histogram_quantile(");
        make_scalar(m);
        add(m, ",");
        make_vector(m);
        break;
    }
    add(m, ")");
    if (m->metricsql && below(m, 5) == 0) {
        add_word(m, " keep_metric_names");
    }
}

static void make_aggregate(struct maker *m)
{
    bool has_param = below(m, 3) == 0;
    uint32_t grouping = below(m, 4);

    add(m, has_param ? PICK(m, "topk", "quantile", "BOTTOMK") : PICK(m, "sum", "avg", "Count"));
    if (grouping == 1) {
        add_word(m, PICK(m, " by", " WITHOUT"));
        make_labels(m);
    }
    add(m, "(");
    if (has_param) {
        make_scalar(m);
        add(m, ",");
    }
    make_vector(m);
    add(m, ")");
    if (grouping == 2) {
        add_word(m, PICK(m, " by", " without"));
        make_labels(m);
    }
    if (m->metricsql && below(m, 5) == 0) {
        add_word(m, " limit 3");
    }
}

static void make_vector_operation(struct maker *m)
{
    uint32_t class = below(m, m->metricsql ? 4 : 3);

    make_vector(m);
    if (class == 3) {
        add_word(m, PICK(m, " default", " if", " ifnot"));
        make_vector(m);
        return;
    }
    add_word(m, class == 0   ? PICK(m, "+", "-", "*", "/", "%", "^", " atan2")
                : class == 1 ? PICK(m, "==", "!=", "<", ">", "<=", ">=", "> bool")
                             : PICK(m, " and", " or", " unless"));
    if (below(m, 3) == 0) {
        add_word(m, PICK(m, "on", "ignoring"));
        add(m, PICK(m, "(job)", "()", "(job,\"a b\")"));
        if (class != 2 && below(m, 2) == 0) {
            add_word(m, PICK(m, " group_left (z,)", " group_right (x, y)", " group_left ()"));
        }
        if (class != 2 && below(m, 4) == 0) {
            add_word(m, PICK(m, " fill (0)", " fill_left (-1)", " fill_right (2) fill_left (3)"));
        }
        add(m, "(");
        make_vector(m);
        add(m, ")");
        return;
    }
    make_vector(m);
}

static void make_vector(struct maker *m)
{
    m->depth++;
    switch (m->depth > 6 ? 0 : below(m, 8)) {
    default:
        make_selector(m);
        make_when(m);
        break;
    case 3:
        make_call(m);
        break;
    case 4:
        make_aggregate(m);
        break;
    case 5:
        make_vector_operation(m);
        break;
    case 6:
        add(m, "(");
        make_vector(m);
        add(m, m->metricsql && below(m, 3) == 0 ? ", a)" : ")");
        break;
    case 7:
        add(m, PICK(m, "-", "+"));
        make_vector(m);
        break;
    }
    m->depth--;
}

static void make_scalar(struct maker *m)
{
    m->depth++;
    switch (m->depth > 6 ? 0 : below(m, 6)) {
    default:
        add_word(m,
                 PICK(m, "1", "0.5", "1e9", "Inf", "-nan", "0x1F", "5m", "1_000", "017", "1e-7"));
        break;
    case 3:
        add(m, PICK(m, "time()", "pi()", "step()", "end()"));
        break;
    case 4:
        make_scalar(m);
        add_word(m, PICK(m, "+", "-", "*", "^", "== bool", " atan2"));
        make_scalar(m);
        break;
    case 5:
        add(m, PICK(m, "(", "-(", "+("));
        make_scalar(m);
        add(m, ")");
        break;
    }
    m->depth--;
}

static void make_range(struct maker *m)
{
    if (below(m, 3) != 0) {
        make_selector(m);
        add(m, "[");
        make_duration(m);
        add(m, "]");
    } else {
        add(m, "(");
        make_vector(m);
        add(m, ")[");
        make_duration(m);
        add(m, ":");
        if (below(m, 2) == 0) {
            make_duration(m);
        }
        add(m, "]");
    }
    make_when(m);
}

static void check_one(uint64_t seed, bool metricsql)
{
    struct arena a;
    AUTO(buf_release) struct buf printed = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    struct maker m = {.state = seed, .metricsql = metricsql, .out = BUF_INIT(BUF_UNLIMITED)};
    enum promql_dialect dialect = metricsql ? PROMQL_METRICSQL : PROMQL_PROMETHEUS;
    const struct promql_node *root;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (below(&m, 8) == 0) {
        make_scalar(&m);
    } else {
        make_vector(&m);
    }
    if (!promql_parse(&a, buf_str(&m.out), dialect, &root, &e)) {
        fail_msg("seed %llu: %s: %s", (unsigned long long)seed, e.message, buf_text(&m.out));
    }
    promql_print(root, &printed);
    const struct promql_node *other = promql_tree(&a, buf_text(&printed), dialect);
    if (other == NULL || !promql_same(root, other)) {
        fail_msg("seed %llu: %s changes: %s", (unsigned long long)seed, buf_text(&m.out),
                 buf_text(&printed));
    }
    promql_print(other, &again);
    assert_string_equal(buf_text(&again), buf_text(&printed));
    buf_release(&m.out);
    arena_release(&a);
}

static uint64_t rounds(void)
{
    const char *text = getenv("TELEX_TEST_ROUNDS");
    uint64_t value;

    return text != NULL && number_parse_u64(str_of(text), &value) ? value : 3000;
}

static void promql_round_trip(void **state)
{
    (void)state;

    for (uint64_t seed = 0; seed < rounds(); seed++) {
        check_one(seed, false);
    }
}

static void metricsql_round_trip(void **state)
{
    (void)state;

    for (uint64_t seed = 0; seed < rounds(); seed++) {
        check_one(seed, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promql_round_trip),
        cmocka_unit_test(metricsql_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
