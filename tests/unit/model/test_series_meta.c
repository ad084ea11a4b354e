#include "model/series_meta.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* What a family's type means for a series of it. */
static const struct {
    const char *name;
    enum series_type type;
    const char *family;
    enum series_type said;
    bool is_total;
    const char *unit; /* of a family in seconds */
} rows[] = {
    {"x", SERIES_UNKNOWN, "x", SERIES_UNKNOWN, false, "s"},
    {"x", SERIES_GAUGE, "x", SERIES_GAUGE, false, "s"},
    {"x", SERIES_RATE, "x", SERIES_RATE, false, "s"},
    {"x", SERIES_COUNTER, "x", SERIES_COUNTER, true, "s"},
    {"x", SERIES_COUNT, "x", SERIES_COUNT, true, "s"},
    {"x_total", SERIES_COUNTER, "x_total", SERIES_COUNTER, true, "s"},
    {"x_bucket", SERIES_HISTOGRAM, "x", SERIES_HISTOGRAM, true, ""},
    {"x_count", SERIES_HISTOGRAM, "x", SERIES_HISTOGRAM, true, ""},
    {"x_sum", SERIES_HISTOGRAM, "x", SERIES_HISTOGRAM, true, "s"},
    {"x_created", SERIES_HISTOGRAM, "x", SERIES_HISTOGRAM, false, ""},
    {"x", SERIES_HISTOGRAM, "x", SERIES_UNKNOWN, false, "s"},
    {"_sum", SERIES_HISTOGRAM, "_sum", SERIES_UNKNOWN, false, "s"},
    {"x_bucket", SERIES_GAUGE_HISTOGRAM, "x", SERIES_GAUGE_HISTOGRAM, false, ""},
    {"x_gcount", SERIES_GAUGE_HISTOGRAM, "x", SERIES_GAUGE_HISTOGRAM, false, ""},
    {"x_gsum", SERIES_GAUGE_HISTOGRAM, "x", SERIES_GAUGE_HISTOGRAM, false, "s"},
    {"x", SERIES_SUMMARY, "x", SERIES_SUMMARY, false, "s"},
    {"x_sum", SERIES_SUMMARY, "x", SERIES_SUMMARY, true, "s"},
    {"x_count", SERIES_SUMMARY, "x", SERIES_SUMMARY, true, ""},
    {"x_bucket", SERIES_SUMMARY, "x_bucket", SERIES_SUMMARY, false, "s"},
    {"x_count", SERIES_GAUGE, "x_count", SERIES_GAUGE, false, "s"},
    {"x_info", SERIES_INFO, "x_info", SERIES_INFO, false, "s"},
};

static void test_what_a_type_means_for_a_series(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct series_meta m = {rows[i].type, STR(""), STR("s")};
        struct str name = str_of(rows[i].name);
        assert_true(str_eq(series_family(name, m.type), str_of(rows[i].family)));
        assert_int_equal(series_type_of(&m, name), rows[i].said);
        assert_int_equal(series_is_total(&m, name), rows[i].is_total);
        assert_true(str_eq(series_unit(&m, name), str_of(rows[i].unit)));
    }
}

static void test_nothing_said(void **state)
{
    (void)state;
    const struct series_meta empty = {SERIES_UNKNOWN, STR(""), STR("")};
    const struct series_meta help = {SERIES_UNKNOWN, STR("h"), STR("")};

    assert_false(series_meta_says(NULL));
    assert_false(series_meta_says(&empty));
    assert_true(series_meta_says(&help));
    assert_int_equal(series_type_of(NULL, STR("x")), SERIES_UNKNOWN);
    assert_false(series_is_total(NULL, STR("x_total")));
    assert_int_equal(series_unit(NULL, STR("x")).len, 0);
}

static void test_copies_are_bounded(void **state)
{
    (void)state;
    static const char text[SERIES_TEXT_MAX + 1] = {'x'};
    AUTO(arena_release) struct arena a;
    const struct series_meta m = {SERIES_GAUGE, str_make(text, SERIES_TEXT_MAX),
                                  str_make(text, SERIES_TEXT_MAX + 1)};

    arena_init(&a, ARENA_UNLIMITED);
    const struct series_meta *copy = series_meta_dup(&a, &m);
    assert_int_equal(copy->type, SERIES_GAUGE);
    assert_true(str_eq(copy->help, m.help) && copy->help.ptr != m.help.ptr);
    assert_int_equal(copy->unit.len, 0);
}

static void test_families(void **state)
{
    (void)state;
    static const struct series_meta histogram = {SERIES_HISTOGRAM, STR_INIT("h"), STR_INIT("")};
    static const struct series_meta counter = {SERIES_COUNTER, STR_INIT("c"), STR_INIT("")};
    static const struct series_meta gauge = {SERIES_GAUGE, STR_INIT("g"), STR_INIT("")};
    struct series_families f;

    series_families_init(&f, 7);
    assert_null(series_families_find(&f, STR("h_bucket")));
    assert_true(series_families_add(&f, STR("h"), &histogram));
    assert_true(series_families_add(&f, STR("c"), &counter));
    assert_true(series_families_add(&f, STR("h_sum"), &gauge));
    assert_ptr_equal(series_families_find(&f, STR("h_bucket")), &histogram);
    assert_ptr_equal(series_families_find(&f, STR("h_count")), &histogram);
    assert_ptr_equal(series_families_find(&f, STR("h_sum")), &gauge); /* its own name goes first */
    assert_ptr_equal(series_families_find(&f, STR("h")), &histogram);
    assert_ptr_equal(series_families_find(&f, STR("c_total")), &counter);
    assert_ptr_equal(series_families_find(&f, STR("c_total")), &counter);
    assert_null(series_families_find(&f, STR("c_bucket")));
    assert_null(series_families_find(&f, STR("_total")));
    assert_null(series_families_find(&f, STR("")));
    assert_true(series_families_add(&f, STR("c"), &gauge)); /* said anew */
    assert_null(series_families_find(&f, STR("c_total")));
    series_families_release(&f);
}

static void test_families_have_a_limit(void **state)
{
    (void)state;
    static const struct series_meta gauge = {SERIES_GAUGE, STR_INIT("g"), STR_INIT("")};
    AUTO(arena_release) struct arena a;
    struct series_families f;

    arena_init(&a, ARENA_UNLIMITED);
    series_families_init(&f, 7);
    for (int i = 0; i < SERIES_FAMILIES_MAX; i++) {
        assert_true(series_families_add(&f, arena_printf(&a, "f%d", i), &gauge));
    }
    assert_false(series_families_add(&f, STR("one more"), &gauge));
    assert_true(series_families_add(&f, STR("f0"), &gauge));
    series_families_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_a_type_means_for_a_series),
        cmocka_unit_test(test_nothing_said),
        cmocka_unit_test(test_copies_are_bounded),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_families_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
