/* Instants out of a range: the rows of each step, in order; everything else goes to the datasource behind. */
#include "datasource/slices.h"

#include "base/number.h"
#include "wire/prom_answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define S INT64_C(1000000000)

/* Answers ranges with "a" at each step and "b" at odd ones, and instants with "now". */
struct behind {
    struct datasource super;
    unsigned ranges;
    unsigned instants;
    int64_t shift_ns;
    bool too_many;
};

static bool query(struct datasource *d, const struct query *q, const struct answer_sink *sink,
                  struct answer_info *ret_info, struct err *e)
{
    static const char *const series[] = {"{\"x\":\"a\"}", "{\"x\":\"b\"}"};
    struct behind *b = container_of(d, struct behind, super);

    *ret_info = (struct answer_info){.is_partial = true};
    if (q->step_ns == 0) {
        b->instants++;
        return sink->row(sink->arg, STR("{\"x\":\"now\"}"), q->time_ns, 7, e);
    }
    b->ranges++;
    for (size_t i = 0; i < ARRAY_LEN(series); i++) {
        int64_t first_ns = q->time_ns + (i == 1 ? q->step_ns : 0);
        for (int64_t at = first_ns; at <= q->end_ns; at += (int64_t)(i + 1) * q->step_ns) {
            for (size_t n = 0; n < (b->too_many ? SLICE_POINTS_MAX : 1); n++) {
                if (!sink->row(sink->arg, str_of(series[i]), at + b->shift_ns, (double)(at / S),
                               e)) {
                    return false;
                }
            }
        }
    }
    return true;
}

static bool parse_labels(struct datasource *d, struct str raw, struct arena *a,
                         struct labels_builder *b, struct err *e)
{
    (void)d;
    return prom_labels_parse(raw, a, b, e);
}

static const struct datasource_ops ops = {.query = query, .parse_labels = parse_labels};
static const struct datasource_kind kind = {.name = "behind", .has_ranges = true};

static bool print_row(void *arg, struct str raw, int64_t time_ns, double value, struct err *e)
{
    (void)e;
    buf_addf(arg, "%.*s@%lld=%.0f ", STR_FMT(raw), (long long)(time_ns / S), value);
    return true;
}

static const char *ask(struct datasource *d, const char *expr, int64_t time_ns, struct buf *out)
{
    const struct query q = {.expr = str_of(expr), .time_ns = time_ns};
    const struct answer_sink sink = {print_row, out};
    struct answer_info info;
    struct err e = ERR_INIT;

    buf_clear(out);
    assert_true(datasource_query(d, &q, &sink, &info, &e));
    assert_true(info.is_partial);
    return buf_text(out);
}

static const struct query range = {
    .expr = STR_INIT("up"), .time_ns = 100 * S, .end_ns = 130 * S, .step_ns = 10 * S};

static void steps_are_instants(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct behind b = {.super = {.ops = &ops, .kind = &kind}};
    struct datasource *d = slices_new(&b.super);
    struct err e = ERR_INIT;

    assert_string_equal(ask(d, "up", 100 * S, &out), "{\"x\":\"now\"}@100=7 ");
    assert_true(slices_fetch(d, &range, &e));
    assert_string_equal(ask(d, "up", 100 * S, &out), "{\"x\":\"a\"}@100=100 ");
    assert_string_equal(ask(d, "up", 110 * S, &out),
                        "{\"x\":\"a\"}@110=110 {\"x\":\"b\"}@110=110 ");
    assert_string_equal(ask(d, "up", 130 * S, &out),
                        "{\"x\":\"a\"}@130=130 {\"x\":\"b\"}@130=130 ");
    assert_int_equal(b.ranges, 1);
    assert_int_equal(b.instants, 1);
    (void)ask(d, "up", 90 * S, &out);
    (void)ask(d, "up", 105 * S, &out);
    (void)ask(d, "up", 140 * S, &out);
    assert_string_equal(ask(d, "down", 110 * S, &out), "{\"x\":\"now\"}@110=7 ");
    assert_int_equal(b.instants, 5);
    datasource_close(d);
}

static void what_was_not_asked_for_is_refused(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct behind b = {.super = {.ops = &ops, .kind = &kind}, .shift_ns = 1};
    struct datasource *d = slices_new(&b.super);
    struct err e = ERR_INIT;

    assert_false(slices_fetch(d, &range, &e));
    assert_int_equal(e.code, ERR_PARSE);
    b.shift_ns = 0;
    b.too_many = true;
    assert_false(slices_fetch(d, &range, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(ask(d, "up", 100 * S, &out), "{\"x\":\"now\"}@100=7 ");
    datasource_close(d);
}

static void not_every_kind_has_ranges(void **state)
{
    (void)state;
    static const struct datasource_kind none = {.name = "none"};
    struct behind b = {.super = {.ops = &ops, .kind = &none}};
    struct datasource *d = slices_new(&b.super);
    struct err e = ERR_INIT;

    assert_false(slices_fetch(d, &range, &e));
    assert_string_equal(e.message, "a datasource of kind 'none' cannot be asked for ranges");
    datasource_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_are_instants),
        cmocka_unit_test(what_was_not_asked_for_is_refused),
        cmocka_unit_test(not_every_kind_has_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
