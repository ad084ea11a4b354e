#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void allocations_do_not_overlap(void **state)
{
    (void)state;
    struct arena a;
    unsigned char *parts[500];

    arena_init(&a, ARENA_UNLIMITED);
    for (size_t i = 0; i < 500; i++) {
        parts[i] = arena_alloc(&a, i * 7);
        assert_int_equal((uintptr_t)parts[i] % ARENA_ALIGN, 0);
        if (i > 0) {
            memset(parts[i], (int)(i & 0xFF), i * 7);
        }
    }
    for (size_t i = 0; i < 500; i++) {
        for (size_t k = 0; k < i * 7; k++) {
            assert_int_equal(parts[i][k], i & 0xFF);
        }
    }
    arena_release(&a);
    assert_int_equal(arena_bytes(&a), 0);
    arena_release(&a);
}

static void alignments(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    for (size_t align = 1; align <= 64; align *= 2) {
        for (size_t size = 1; size < 6000; size = size * 3 + 1) {
            char *p = arena_alloc_aligned(&a, size, align);
            memset(p, 1, size);
            assert_int_equal((uintptr_t)p % align, 0);
        }
    }
    arena_release(&a);
}

static void cap_sets_a_flag(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 10000);
    memset(arena_alloc(&a, 9000), 1, 9000);
    assert_false(arena_over(&a));
    memset(arena_alloc(&a, 2000), 1, 2000);
    assert_true(arena_over(&a));
    arena_reset(&a);
    assert_false(arena_over(&a));
    arena_release(&a);
}

static void try_refuses_at_the_cap(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 10000);
    assert_null(arena_try_alloc(&a, SIZE_MAX / 2, 4));
    assert_null(arena_try_alloc(&a, 1, 10001));
    size_t taken = 0;
    while (arena_try_alloc(&a, 10, 10) != NULL) {
        taken += 100;
        assert_false(arena_over(&a));
    }
    assert_in_range(taken, 8000, 10000);
    assert_false(arena_over(&a)); /* what was given never passes the cap by itself */
    arena_release(&a);

    arena_init(&a, 10000);
    assert_non_null(arena_try_alloc(&a, 1, 10000));
    assert_false(arena_over(&a));
    assert_null(arena_try_alloc(&a, 1, 1));
    arena_release(&a);
}

static void reset_keeps_a_block(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    arena_reset(&a); /* empty: fine */
    for (int i = 0; i < 100; i++) {
        memset(arena_alloc(&a, 1000), 1, 1000);
    }
    size_t before = arena_bytes(&a);
    arena_reset(&a);
    size_t kept = arena_bytes(&a);
    assert_true(kept > 0 && kept < before);
    memset(arena_alloc(&a, 1000), 2, 1000);
    assert_int_equal(arena_bytes(&a), kept);
    arena_release(&a);
}

/* The same again needs nothing more; what is larger than a kept block gets another. */
static void rewind_keeps_all(void **state)
{
    struct arena a;
    const char *first = NULL;
    size_t held = 0;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    arena_rewind(&a); /* empty: fine */
    for (int round = 0; round < 3; round++) {
        const char *at = arena_alloc(&a, 1000);
        first = round == 0 ? at : first;
        assert_ptr_equal(at, first);
        for (int i = 0; i < 1000; i++) {
            memset(arena_alloc(&a, 1000), round, 1000);
        }
        held = round == 0 ? arena_bytes(&a) : held;
        assert_int_equal(arena_bytes(&a), held);
        arena_rewind(&a);
        assert_int_equal(arena_bytes(&a), held);
    }
    memset(arena_alloc(&a, 2 * held), 1, 2 * held);
    assert_true(arena_bytes(&a) >= 3 * held);
    memset(arena_alloc(&a, held / 8), 2, held / 8);
    arena_reset(&a);
    assert_true(arena_bytes(&a) < 3 * held);
    arena_release(&a);
    assert_int_equal(arena_bytes(&a), 0);
}

/* A cap counts what is used now. */
static void rewind_empties_for_the_cap(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, 10000);
    assert_non_null(arena_try_alloc(&a, 1, 10000));
    arena_rewind(&a);
    assert_false(arena_over(&a));
    assert_non_null(arena_try_alloc(&a, 1, 10000));
    assert_false(arena_over(&a));
    arena_release(&a);
}

/* What it holds beside what was asked for: a few hundred bytes of little, half of much. */
static void spare_bytes_are_in_proportion(void **state)
{
    static const size_t wanted[] = {100, 1000, 10 * 1000, 100 * 1000, 1000 * 1000};
    struct arena a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        arena_init(&a, ARENA_UNLIMITED);
        for (size_t taken = 0; taken < wanted[i]; taken += 16) {
            (void)arena_alloc(&a, 16);
        }
        assert_true(arena_bytes(&a) <= 2 * wanted[i] + 512);
        arena_release(&a);
    }
}

static void texts(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    struct str dup = arena_dup(&a, STR("hello"));
    assert_int_equal(dup.len, 5);
    assert_string_equal(dup.ptr, "hello");
    assert_string_equal(arena_text(&a, STR_NONE), "");
    struct str text = arena_printf(&a, "%s=%d", "x", 42);
    assert_int_equal(text.len, 4);
    assert_string_equal(text.ptr, "x=42");
    const int *zeros = arena_array(&a, int, 100);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(zeros[i], 0);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(allocations_do_not_overlap),
        cmocka_unit_test(alignments),
        cmocka_unit_test(cap_sets_a_flag),
        cmocka_unit_test(try_refuses_at_the_cap),
        cmocka_unit_test(reset_keeps_a_block),
        cmocka_unit_test(rewind_keeps_all),
        cmocka_unit_test(rewind_empties_for_the_cap),
        cmocka_unit_test(spare_bytes_are_in_proportion),
        cmocka_unit_test(texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
