/* What StatsD's lines add up to: totals, quantiles, sets, limits, and the end of a series. */
#include "receive/statsd_table.h"

#include "base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { EXPIRY_NS = 1000 };

static enum statsd_fate add(struct statsd_table *t, const char *text, int64_t now_ns)
{
    struct statsd_line line;

    assert_int_equal(statsd_read(str_of(text), &line), STATSD_TAKEN);
    return statsd_table_add(t, &line, now_ns);
}

/* The value of a series in a flush; NaN without. */
static double value_of(struct batch *b, const char *name, const char *quantile)
{
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct labels *l = s->series[s->series_of[i]];
        if (str_eq(labels_get(l, STR("__name__")), str_of(name)) &&
            str_eq(labels_get(l, STR("quantile")), str_of(quantile))) {
            return s->value[i];
        }
    }
    return number_stale_nan();
}

static void totals_go_on(void **state)
{
    struct statsd_table t;

    (void)state;
    statsd_table_init(&t, 10, 1);
    assert_null(statsd_table_flush(&t, 1, EXPIRY_NS));
    for (int i = 1; i <= 2; i++) {
        assert_int_equal(add(&t, "c:1:2|c|@0.5", i), STATSD_ADDED);
        assert_int_equal(add(&t, "g:-3|g", i), STATSD_ADDED);
        assert_int_equal(add(&t, "s:a|s", i), STATSD_ADDED);
        for (int v = 0; v < 100; v++) {
            assert_int_equal(add(&t, "t:1:3|ms", i), STATSD_ADDED);
        }
        AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, i, EXPIRY_NS);
        assert_true(value_of(b, "c", "") == 6.0 * i);
        assert_true(value_of(b, "g", "") == -3.0 * i);
        assert_true(value_of(b, "s", "") == 1);
        assert_true(value_of(b, "t_count", "") == 200.0 * i);
        assert_true(value_of(b, "t_sum", "") == 400.0 * i);
        assert_true(value_of(b, "t", "0.99") == 3);
    }
    statsd_table_release(&t);
}

/* "name=type;" of each series. */
static void each_series_has_its_type(void **state)
{
    static const char *const lines[] = {"c:1|c", "g:1|g", "s:a|s", "t:1|ms", "d:3|c", "d:-1|c"};
    static const struct {
        const char *name;
        enum series_type type;
    } want[] = {{"c", SERIES_COUNTER}, {"g", SERIES_GAUGE},       {"s", SERIES_GAUGE},
                {"t", SERIES_SUMMARY}, {"t_sum", SERIES_SUMMARY}, {"t_count", SERIES_SUMMARY},
                {"d", SERIES_GAUGE}};
    struct statsd_table t;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;
    size_t seen = 0;

    (void)state;
    statsd_table_init(&t, 10, 1);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_int_equal(add(&t, lines[i], 1), STATSD_ADDED);
    }
    AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, 1, EXPIRY_NS);
    assert_true(batch_samples(b, &s, &e));
    for (uint32_t i = 0; i < s->series_count; i++) {
        for (size_t w = 0; w < ARRAY_LEN(want); w++) {
            if (str_eq(labels_get(s->series[i], STR("__name__")), str_of(want[w].name))) {
                assert_int_equal(s->meta[i]->type, want[w].type);
                seen++;
            }
        }
    }
    assert_int_equal(seen, 9); /* of the timer three quantiles */
    statsd_table_release(&t);
}

static void what_is_refused(void **state)
{
    struct statsd_table t;
    char text[32];

    (void)state;
    statsd_table_init(&t, 2, 1);
    assert_int_equal(add(&t, "a:1|c", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "a:1|g", 1), STATSD_NO_SENSE);
    assert_int_equal(add(&t, "a:x|c", 1), STATSD_NO_SENSE);
    assert_int_equal(add(&t, "a:Inf|c", 1), STATSD_NO_SENSE);
    assert_int_equal(add(&t, "set:1|s", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "b:1|c", 1), STATSD_OVER);
    enum statsd_fate fate = STATSD_ADDED;
    for (int i = 0; i <= STATSD_SET_MAX; i++) {
        (void)snprintf(text, sizeof(text), "set:%d|s", i);
        fate = add(&t, text, 1);
    }
    assert_int_equal(fate, STATSD_OVER);
    AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, 1, EXPIRY_NS);
    assert_true(value_of(b, "set", "") == STATSD_SET_MAX - 1); /* one came twice */
    assert_int_equal(add(&t, "set:1|s", 1), STATSD_ADDED);
    statsd_table_release(&t);
}

static void who_is_unheard_of_ends(void **state)
{
    struct statsd_table t;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    statsd_table_init(&t, 2, 1);
    assert_int_equal(add(&t, "t:1|ms", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "c:1|c", 500), STATSD_ADDED);
    AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, 1 + EXPIRY_NS, EXPIRY_NS);
    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(s->count, 6);
    assert_true(value_of(b, "c", "") == 1);
    assert_true(number_is_stale_nan(value_of(b, "t_count", "")));
    assert_int_equal(t.series.len, 1);
    assert_int_equal(add(&t, "t:1|ms", 2 + EXPIRY_NS), STATSD_ADDED);
    statsd_table_release(&t);
}

/* What makes no sense makes no series, and no total that stays infinite. */
static void totals_stay_numbers(void **state)
{
    struct statsd_table t;

    (void)state;
    statsd_table_init(&t, 10, 1);
    assert_int_equal(add(&t, "c:1e308|c|@1e-9", 1), STATSD_NO_SENSE);
    assert_int_equal(add(&t, "c:oops|c", 1), STATSD_NO_SENSE);
    assert_null(statsd_table_flush(&t, 1, EXPIRY_NS));
    assert_int_equal(add(&t, "c:1e308|c", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "c:1e308|c", 1), STATSD_NO_SENSE);
    assert_int_equal(add(&t, "g:1e308|g", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "g:1e308|g", 1), STATSD_ADDED);
    assert_int_equal(add(&t, "g:+1e308|g", 1), STATSD_NO_SENSE);
    AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, 1, EXPIRY_NS);
    assert_true(value_of(b, "c", "") == 1e308 && value_of(b, "g", "") == 1e308);
    statsd_table_release(&t);
}

/* Sets of one interval share what they may hold, and hold nothing after it. */
static void sets_are_bounded_together(void **state)
{
    enum { SETS = 40, EACH = 60000 };
    struct statsd_table t;
    char line[64];
    unsigned over = 0;

    (void)state;
    statsd_table_init(&t, SETS, 1);
    for (int i = 0; i < SETS; i++) {
        for (int k = 0; k < EACH; k++) {
            (void)snprintf(line, sizeof(line), "s%d:%d|s", i, k);
            over += add(&t, line, 1) == STATSD_OVER;
        }
    }
    assert_int_equal(t.values, STATSD_VALUES_MAX);
    assert_int_equal(over, SETS * EACH - STATSD_VALUES_MAX);
    AUTO(batch_autounref) struct batch *b = statsd_table_flush(&t, 1, EXPIRY_NS);
    assert_true(value_of(b, "s0", "") == EACH);
    assert_int_equal(t.values, 0);
    statsd_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_go_on),        cmocka_unit_test(each_series_has_its_type),
        cmocka_unit_test(what_is_refused),     cmocka_unit_test(who_is_unheard_of_ends),
        cmocka_unit_test(totals_stay_numbers), cmocka_unit_test(sets_are_bounded_together),
    };

    return cmocka_run_group_tests_name("receive/statsd_table", tests, NULL, NULL);
}
