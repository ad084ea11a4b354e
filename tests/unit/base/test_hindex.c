/* The hash index against a plain search, with hashes that collide as they like. */
#include "base/hindex.h"

#include "base/mem.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ELEMENTS = 3000 };

struct table {
    uint64_t keys[ELEMENTS];
    uint64_t hash_mask; /* few bits: many collisions */
};

static uint64_t hash_of(const struct table *t, uint64_t key)
{
    return (key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & t->hash_mask;
}

static uint64_t element_hash(const void *arg, uint32_t id)
{
    const struct table *t = arg;

    return hash_of(t, t->keys[id]);
}

static bool element_same(const void *arg, uint32_t id, const void *key)
{
    const struct table *t = arg;

    return t->keys[id] == *(const uint64_t *)key;
}

static const struct hindex_ops ops = {element_hash, element_same};

static uint32_t find(const struct hindex *h, const struct table *t, uint64_t key)
{
    return hindex_find(h, &ops, t, hash_of(t, key), &key);
}

static void fill(struct hindex *h, struct table *t)
{
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal(find(h, t, t->keys[i]), HINDEX_NONE);
        hindex_add(h, &ops, t, hash_of(t, t->keys[i]), i);
        assert_int_equal(find(h, t, t->keys[i / 2]), i / 2);
    }
    for (uint32_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal(find(h, t, t->keys[i]), i);
    }
    assert_int_equal(find(h, t, UINT64_MAX), HINDEX_NONE);
}

static void what_was_added_is_found(void **state)
{
    static const uint64_t masks[] = {UINT64_MAX, 0xFF, 1};
    struct table *t = mem_new(struct table);
    struct rng rng;

    (void)state;
    rng_seed(&rng, 1);
    for (uint64_t i = 0; i < ELEMENTS; i++) {
        t->keys[i] = rng_u64(&rng) << 12 | i; /* no two alike */
    }
    for (size_t m = 0; m < ARRAY_LEN(masks); m++) {
        struct hindex h = {0};
        t->hash_mask = masks[m];
        assert_int_equal(find(&h, t, 1), HINDEX_NONE);
        fill(&h, t);
        uint64_t bytes = hindex_bytes(&h);
        hindex_clear(&h);
        assert_int_equal(find(&h, t, t->keys[0]), HINDEX_NONE);
        assert_int_equal(hindex_bytes(&h), bytes);
        fill(&h, t);
        assert_int_equal(hindex_bytes(&h), bytes);
        assert_true(bytes <= 8 * 4 * ELEMENTS / 3);
        hindex_release(&h);
    }
    mem_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
