#include "base/map.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void vec_grows_and_pops(void **state)
{
    (void)state;
    VEC(int) v = {0};

    for (int i = 0; i < 1000; i++) {
        vec_push(&v, i);
    }
    assert_int_equal(v.len, 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(v.items[i], i);
    }
    assert_int_equal(*vec_last(&v), 999);
    assert_int_equal(vec_pop(&v), 999);
    int *added = vec_add(&v);
    assert_int_equal(*added, 0);
    vec_clear(&v);
    assert_int_equal(v.len, 0);
    vec_release(&v);
    assert_null(v.items);
}

static void map_holds_any_bytes(void **state)
{
    (void)state;
    struct map m;
    int values[4] = {0};

    map_init(&m, 9);
    assert_null(map_get(&m, STR("x")));
    assert_null(map_del(&m, STR("x")));
    assert_null(map_put(&m, STR(""), &values[0]));
    assert_null(map_put(&m, STR("a\0b"), &values[1]));
    assert_null(map_put(&m, STR("a\0c"), &values[2]));
    assert_ptr_equal(map_get(&m, STR_NONE), &values[0]);
    assert_ptr_equal(map_get(&m, STR("a\0b")), &values[1]);
    assert_ptr_equal(map_put(&m, STR("a\0b"), &values[3]), &values[1]);
    assert_int_equal(m.len, 3);
    assert_ptr_equal(map_put(&m, STR_NONE, &values[3]), &values[0]);
    assert_ptr_equal(map_del(&m, STR("")), &values[3]);
    assert_null(map_get(&m, STR("")));
    map_clear(&m);
    assert_int_equal(m.len, 0);
    assert_null(map_get(&m, STR("a\0b")));
    map_release(&m);
}

enum { KEYS = 3000, STEPS = 60000 };

/* Against the plainest model there is: a table of flags. */
static void map_follows_a_model(void **state)
{
    (void)state;
    static char names[KEYS][24];
    static bool model[KEYS];
    struct map m;
    struct rng r;
    uint32_t len = 0;

    map_init(&m, 12345);
    rng_seed(&r, 1);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "key%d", i);
    }
    for (int step = 0; step < STEPS; step++) {
        size_t i = rng_below(&r, KEYS);
        bool put = rng_below(&r, 100) < (step < STEPS / 2 ? 60 : 30);
        const void *before =
            put ? map_put(&m, str_of(names[i]), names[i]) : map_del(&m, str_of(names[i]));
        assert_int_equal(before != NULL, model[i]);
        len = len + (put && !model[i]) - (!put && model[i]);
        model[i] = put;
        assert_int_equal(m.len, len);
        assert_true(m.used <= m.cap / 4 * 3);
    }
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(&m, str_of(names[i])), model[i] ? names[i] : NULL);
    }
    map_release(&m);
}

static void map_walk_allows_removal(void **state)
{
    (void)state;
    static char names[100][24];
    struct map m;
    uint32_t at = 0;
    unsigned seen = 0;
    struct str key;
    void *value;

    map_init(&m, 0);
    for (int i = 0; i < 100; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "k%d", i);
        assert_null(map_put(&m, str_of(names[i]), names[i]));
    }
    while (map_next(&m, &at, &key, &value)) {
        assert_ptr_equal(key.ptr, value);
        assert_ptr_equal(map_del(&m, key), value);
        seen++;
    }
    assert_int_equal(seen, 100);
    assert_int_equal(m.len, 0);
    at = 0;
    assert_false(map_next(&m, &at, NULL, &value));
    map_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vec_grows_and_pops),
        cmocka_unit_test(map_holds_any_bytes),
        cmocka_unit_test(map_follows_a_model),
        cmocka_unit_test(map_walk_allows_removal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
