/* What a recording rule remembers: series come back, repeats carry the new values. */
#include "rules/record_memory.h"

#include "base/mem.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { SERIES = RECORD_BODY_ROWS + 17, MS = 1000000 };
static const int64_t first_ns = INT64_C(1700000000000) * MS;

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

static const struct batch_info info = {.kind = RECORD_SAMPLE};

/* Series <from> up to <from> + <count>, each with its number as the value. */
static struct batch *numbered_batch(uint32_t from, uint32_t count)
{
    struct batch *b = batch_new(&codec_rw1, &info);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, count);
    int64_t *times = arena_array(batch_arena(b), int64_t, count);
    double *values = arena_array(batch_arena(b), double, count);
    struct labels **series = arena_array(batch_arena(b), struct labels *, count);

    for (uint32_t i = 0; i < count; i++) {
        series[i] = numbered(from + i);
        series_of[i] = i;
        times[i] = first_ns;
        values[i] = from + i;
    }
    batch_set_samples(b, (struct samples){series, count, count, series_of, times, values, NULL});
    return b;
}

static void remember(struct record_memory *m, uint32_t count)
{
    struct raw_hash *raws = mem_alloc0((size_t)count + 1, sizeof(*raws));
    struct batch *batches[2] = {NULL, NULL};
    struct str bodies[2];
    struct err e = ERR_INIT;
    size_t n = 0;

    for (uint32_t from = 0; from < count; from += RECORD_BODY_ROWS, n++) {
        uint32_t rows = count - from < RECORD_BODY_ROWS ? count - from : RECORD_BODY_ROWS;
        batches[n] = numbered_batch(from, rows);
        assert_true(batch_encoded(batches[n], &bodies[n], &e));
    }
    record_memory_set(m, bodies, n, raws, count);
    for (size_t i = 0; i < n; i++) {
        batch_unref(batches[i]);
    }
    mem_free(raws);
}

static void assert_series(const struct record_memory *m, uint32_t count)
{
    struct labels **labels = NULL;
    struct arena arena;
    struct err e = ERR_INIT;
    char text[16];

    arena_init(&arena, ARENA_UNLIMITED);
    assert_true(record_memory_read(m, &arena, &labels, &e));
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(text, sizeof(text), "%u", i);
        assert_true(str_eq(labels_get(labels[i], STR("n")), str_of(text)));
        labels_unref(labels[i]);
    }
    arena_release(&arena);
}

static void assert_batches(struct batch_list *list, const double *values, int64_t time_ns)
{
    struct err e = ERR_INIT;
    uint32_t at = 0;

    for (size_t i = 0; i < list->items.len; i++) {
        const struct samples *s = NULL;
        assert_true(batch_samples(list->items.items[i], &s, &e));
        for (uint32_t row = 0; row < s->count; row++, at++) {
            assert_true(s->value[row] == values[at]);
            assert_int_equal(s->time_ns[row], time_ns);
        }
        batch_unref(list->items.items[i]);
    }
    assert_int_equal(at, SERIES);
    vec_release(&list->items);
}

static void a_repeat_has_the_new_values(void **state)
{
    double *values = mem_alloc0(SERIES, sizeof(*values));
    struct record_memory m = {0};
    struct batch_list list = {0};

    (void)state;
    remember(&m, SERIES);
    assert_int_equal(m.bodies.len, 2);
    for (uint32_t i = 0; i < SERIES; i++) {
        values[i] = i * 0.5;
    }
    assert_true(record_memory_repeat(&m, values, first_ns + INT64_C(15000) * MS, &info, &list));
    assert_int_equal(list.items.len, 2);
    assert_batches(&list, values, first_ns + INT64_C(15000) * MS);
    assert_series(&m, SERIES);
    record_memory_release(&m);
    mem_free(values);
}

static void a_repeat_that_does_not_fit_changes_nothing(void **state)
{
    double *values = mem_alloc0(SERIES, sizeof(*values));
    struct record_memory m = {0};
    struct batch_list list = {0};

    (void)state;
    remember(&m, SERIES);
    size_t bytes = record_memory_bytes(&m);
    assert_false(record_memory_repeat(&m, values, MS, &info, &list));
    assert_int_equal(list.items.len, 0);
    assert_int_equal(record_memory_bytes(&m), bytes);
    assert_series(&m, SERIES);
    record_memory_release(&m);
    mem_free(values);
}

static void it_may_shrink_to_nothing_and_grow_again(void **state)
{
    struct record_memory m = {0};

    (void)state;
    remember(&m, SERIES);
    size_t bytes = record_memory_bytes(&m);
    assert_true(bytes < SERIES * 60); /* about fifty bytes a series */
    remember(&m, 0);
    assert_int_equal(m.count, 0);
    assert_series(&m, 0);
    remember(&m, 5);
    assert_series(&m, 5);
    record_memory_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_has_the_new_values),
        cmocka_unit_test(a_repeat_that_does_not_fit_changes_nothing),
        cmocka_unit_test(it_may_shrink_to_nothing_and_grow_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
