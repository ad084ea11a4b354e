#include "model/labels.h"

#include "base/thread.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct labels *make(unsigned number)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;
    char text[16];

    (void)snprintf(text, sizeof(text), "%u", number);
    labels_builder_init(&b);
    labels_builder_push(&b, STR("n"), str_of(text));
    assert_true(labels_build(&b, &l, &e));
    return l;
}

static void test_one_object_per_content(void **state)
{
    (void)state;
    struct label_table *t = label_table_new(7);
    struct labels *a = label_table_intern(t, make(1));
    struct labels *b = label_table_intern(t, make(1));
    struct labels *c = label_table_intern(t, make(2));

    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(label_table_count(t), 2);
    label_table_unref(t, b);
    assert_int_equal(label_table_count(t), 2);
    label_table_unref(t, a);
    assert_int_equal(label_table_count(t), 1);
    label_table_unref(t, c);
    label_table_unref(t, NULL);
    assert_int_equal(label_table_count(t), 0);
    label_table_free(t);
}

/* A batch that outlives the rule that interned its labels keeps them, and the table forgets them. */
static void test_outside_references_outlive_holds(void **state)
{
    (void)state;
    struct label_table *t = label_table_new(7);
    struct labels *held = label_table_intern(t, make(1));
    struct labels *outside = labels_ref(held);

    label_table_unref(t, held);
    assert_int_equal(label_table_count(t), 0);
    assert_true(str_eq(labels_get(outside, STR("n")), STR("1")));
    labels_unref(outside);
    label_table_free(t);
    label_table_free(NULL);
}

static void test_free_gives_back_what_is_held(void **state)
{
    (void)state;
    struct label_table *t = label_table_new(7);
    (void)label_table_intern(t, make(1));
    (void)label_table_intern(t, labels_empty());
    label_table_free(t);
}

/* Many come and go in an order that opens holes everywhere; none is lost or found twice. */
static void test_churn(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static const unsigned steps[] = {7, 1, 11};
    struct label_table *t = label_table_new(99);
    struct labels **held = mem_alloc0(COUNT, sizeof(struct labels *));

    for (size_t round = 0; round < ARRAY_LEN(steps); round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            held[i] = label_table_intern(t, make(i));
        }
        assert_int_equal(label_table_count(t), COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned n = (i * steps[round]) % COUNT;
            struct labels *again = label_table_intern(t, make(COUNT - 1 - i));
            label_table_unref(t, again);
            label_table_unref(t, held[n]);
            held[n] = label_table_intern(t, make(COUNT + n));
        }
        for (unsigned i = 0; i < COUNT; i++) {
            label_table_unref(t, held[i]);
        }
        assert_int_equal(label_table_count(t), 0);
    }
    mem_free(held);
    label_table_free(t);
}

static void worker(void *arg)
{
    struct label_table *t = arg;

    for (unsigned round = 0; round < 200; round++) {
        struct labels *held[32];
        for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
            held[i] = label_table_intern(t, make(i));
        }
        for (unsigned i = 0; i < ARRAY_LEN(held); i++) {
            label_table_unref(t, held[i]);
        }
    }
}

static void test_threads_share(void **state)
{
    (void)state;
    struct label_table *t = label_table_new(3);
    struct thread threads[4] = {0};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_true(thread_start(&threads[i], "labels", worker, t, &e));
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(label_table_count(t), 0);
    label_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_object_per_content),
        cmocka_unit_test(test_outside_references_outlive_holds),
        cmocka_unit_test(test_free_gives_back_what_is_held),
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_threads_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
