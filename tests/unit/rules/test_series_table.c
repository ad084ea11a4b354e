/* Series recognised by their raw bytes and by their labels, through drops and compactions. */
#include "rules/series_table.h"

#include "base/clock.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

struct item {
    struct series_item head;
    uint32_t number;
};

static struct labels *numbered(uint32_t number)
{
    struct labels_builder b;
    struct labels *labels = NULL;
    struct err e = ERR_INIT;
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", number);
    labels_builder_init(&b);
    labels_builder_set(&b, STR("n"), str_of(text));
    assert_true(labels_build(&b, &labels, &e));
    labels_builder_release(&b);
    return labels;
}

static struct raw_hash raw_of(uint32_t number)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "{n=%u}", number);
    return raw_hash_of(str_of(text));
}

static uint32_t number_at(const struct series_table *t, uint32_t id)
{
    return ((const struct item *)(const void *)series_at(t, id))->number;
}

static uint32_t add(struct series_table *t, uint32_t number)
{
    uint32_t id = series_add(t, numbered(number));

    ((struct item *)(void *)series_at(t, id))->number = number;
    series_link_raw(t, raw_of(number), id);
    return id;
}

static void assert_found(struct series_table *t, uint32_t number, bool is_there)
{
    struct labels *labels = numbered(number);
    uint32_t id = series_find(t, labels);

    assert_int_equal(series_find_raw(t, raw_of(number)), id);
    assert_int_equal(id != HINDEX_NONE, is_there);
    if (is_there) {
        assert_int_equal(number_at(t, id), number);
    }
    labels_unref(labels);
}

static void series_are_found_in_any_order(void **state)
{
    struct series_table t;

    (void)state;
    series_table_init(&t, sizeof(struct item));
    for (uint32_t i = 0; i < 500; i++) {
        (void)add(&t, i);
    }
    series_begin(&t);
    for (uint32_t i = 0; i < 500; i++) {
        assert_found(&t, i, true);
    }
    for (uint32_t i = 500; i-- > 0;) {
        assert_found(&t, i, true);
    }
    assert_found(&t, 500, false);
    series_forget_raws(&t);
    assert_int_equal(series_find_raw(&t, raw_of(3)), HINDEX_NONE);
    series_table_release(&t);
}

static void two_raws_may_mean_one_series(void **state)
{
    struct series_table t;

    (void)state;
    series_table_init(&t, sizeof(struct item));
    uint32_t id = add(&t, 1);
    series_link_raw(&t, raw_of(7), id);
    assert_int_equal(series_find_raw(&t, raw_of(7)), id);
    assert_int_equal(series_find_raw(&t, raw_of(1)), id);
    series_table_release(&t);
}

static void dropped_series_are_gone_and_may_come_back(void **state)
{
    struct series_table t;

    (void)state;
    series_table_init(&t, sizeof(struct item));
    for (uint32_t i = 0; i < 300; i++) {
        (void)add(&t, i);
    }
    for (uint32_t i = 0; i < 300; i += 3) {
        series_drop(&t, i);
        series_drop(&t, i + 1);
    }
    assert_found(&t, 0, false);
    (void)add(&t, 0); /* before the compaction */
    series_compact(&t);
    assert_int_equal(t.count, 101);
    (void)add(&t, 1); /* and behind it */
    for (uint32_t i = 0; i < 300; i++) {
        assert_found(&t, i, i < 2 || i % 3 == 2);
    }
    series_table_release(&t);
}

/* Dropped items stay in the index until a compaction; growing meanwhile must not take forever. */
static void many_dropped_ones_do_not_slow_it_down(void **state)
{
    enum { MANY = 200 * 1000 };
    struct series_table t;

    (void)state;
    series_table_init(&t, sizeof(struct item));
    for (uint32_t i = 0; i < MANY; i++) {
        (void)series_add(&t, numbered(i));
    }
    for (uint32_t i = 0; i < MANY; i++) {
        series_drop(&t, i);
    }
    int64_t start_ns = clock_mono_ns(clock_system());
    for (uint32_t i = 0; i < MANY; i++) {
        (void)series_add(&t, numbered(i));
    }
    assert_true(clock_mono_ns(clock_system()) - start_ns < 10 * NS_PER_S);
    series_table_release(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_are_found_in_any_order),
        cmocka_unit_test(two_raws_may_mean_one_series),
        cmocka_unit_test(dropped_series_are_gone_and_may_come_back),
        cmocka_unit_test(many_dropped_ones_do_not_slow_it_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
