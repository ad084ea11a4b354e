/* The floor of what is done, whatever the order in which it is done. */
#include "events/window.h"

#include "base/mem.h"
#include "base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* <n> changes with positions "FIRST".. ; every one makes an event. */
static struct intake *intake_of(int first, size_t n)
{
    struct intake *in = intake_new();

    in->is_done = arena_array(&in->changes.arena, bool, n + 1);
    in->change_of_row = arena_array(&in->changes.arena, uint32_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        changes_add(&in->changes)->position =
            arena_printf(&in->changes.arena, "%d", first + (int)i);
        in->change_of_row[i] = (uint32_t)i;
    }
    in->changes.bytes = n * 10;
    return in;
}

static void assert_floor(struct window *w, const char *position, uint64_t done)
{
    AUTO(buf_release) struct buf floor = BUF_INIT(BUF_SMALL);
    uint64_t got = 0;

    assert_int_equal(window_take_floor(w, &floor, &got), position != NULL);
    if (position != NULL) {
        assert_string_equal(buf_text(&floor), position);
        assert_int_equal(got, done);
    }
}

static void done_row(struct window *w, struct intake *in, uint32_t row)
{
    window_done(w, in, &row, 1);
}

static void test_floor(void **state)
{
    struct window w;
    struct intake *a = intake_of(1, 3);
    struct intake *b = intake_of(4, 2);

    (void)state;
    window_init(&w);
    assert_floor(&w, NULL, 0);
    window_push(&w, a);
    window_push(&w, b);
    assert_int_equal(window_size(&w).changes, 5);
    assert_int_equal(window_size(&w).bytes, 50 + 5 * WINDOW_CHANGE_BYTES);
    done_row(&w, a, 1);
    assert_floor(&w, NULL, 0);
    done_row(&w, b, 1);
    done_row(&w, a, 0);
    assert_floor(&w, "2", 2);
    assert_floor(&w, NULL, 0);
    done_row(&w, a, 0); /* twice is once */
    assert_int_equal(window_size(&w).changes, 2);
    done_row(&w, b, 0);
    assert_floor(&w, NULL, 0);
    done_row(&w, a, 2);
    assert_floor(&w, "5", 5);
    assert_int_equal(window_size(&w).bytes, 0);
    assert_int_equal(window_oldest_ns(&w), 0);
    intake_unref(a);
    intake_unref(b);
    window_release(&w);
}

/* What makes no event moves the floor too, also when nothing at all was read but the position moved. */
static void test_nothing_to_do(void **state)
{
    struct window w;
    struct intake *a = intake_of(1, 2);
    struct intake *empty = intake_of(0, 0);

    (void)state;
    window_init(&w);
    a->is_done[0] = true;
    window_push(&w, a);
    assert_floor(&w, "1", 1);
    empty->changes.position = STR("9");
    window_push(&w, empty);
    assert_floor(&w, NULL, 0); /* not before what stands in front of it */
    assert_int_equal(window_size(&w).changes, 1);
    done_row(&w, a, 1);
    assert_floor(&w, "9", 2);
    intake_unref(a);
    intake_unref(empty);
    window_release(&w);
}

/* Against the plain rule, with many intakes in flight done at random. */
static void test_random(void **state)
{
    enum { INTAKES = 40, EACH = 7 };
    struct intake *all[INTAKES];
    bool done[INTAKES * EACH] = {false};
    struct window w;
    struct rng rng;
    int floor = 0;

    (void)state;
    window_init(&w);
    rng_seed(&rng, 7);
    for (int i = 0; i < INTAKES; i++) {
        all[i] = intake_of(i * EACH + 1, EACH);
        window_push(&w, all[i]);
    }
    while (floor < INTAKES * EACH) {
        int at = (int)(rng_below(&rng, INTAKES * EACH));
        int before = floor;
        char text[16];
        done[at] = true;
        done_row(&w, all[at / EACH], (uint32_t)(at % EACH));
        while (floor < INTAKES * EACH && done[floor]) {
            floor++;
        }
        (void)snprintf(text, sizeof text, "%d", floor);
        assert_floor(&w, floor > before ? text : NULL, (uint64_t)floor);
    }
    for (int i = 0; i < INTAKES; i++) {
        intake_unref(all[i]);
    }
    assert_int_equal(window_size(&w).changes, 0);
    window_release(&w);
}

static void test_room(void **state)
{
    struct window w;
    struct intake *a = intake_of(1, 3);
    const struct wait now = {0, NULL};
    const size_t bytes = 30 + 3 * WINDOW_CHANGE_BYTES;

    (void)state;
    window_init(&w);
    assert_true(window_wait_room(&w, (struct window_size){1, 1}, now));
    window_push(&w, a);
    assert_false(window_wait_room(&w, (struct window_size){3, 100000}, now));
    assert_false(window_wait_room(&w, (struct window_size){4, bytes}, now));
    assert_true(window_wait_room(&w, (struct window_size){4, bytes + 1}, now));
    window_done(&w, a, NULL, 3);
    assert_true(window_wait_room(&w, (struct window_size){1, 1}, now));
    intake_unref(a);
    window_release(&w);
}

/* What comes back is as a new one, has the memory that it had, and is held up to the pool's size. */
static void test_pool(void **state)
{
    enum { BYTES_MAX = 1 << 20, TEXT_BYTES = 300 * 1024 };
    struct intake_pool p;

    (void)state;
    intake_pool_init(&p, BYTES_MAX);
    struct intake *a = intake_take(&p);
    struct intake *b = intake_take(&p);
    assert_ptr_not_equal(a, b);
    const char *text = arena_alloc(&a->changes.arena, TEXT_BYTES);
    changes_add(&a->changes)->position = STR("1");
    a->changes.position = STR("2");
    a->changes.bytes = 1;
    a->is_done = arena_array(&a->changes.arena, bool, 1);
    a->open = 1;
    a->floor = 1;
    buf_add_text(&a->end, "3");
    (void)intake_ref(a);
    intake_unref(a);
    struct intake *c = intake_take(&p);
    assert_ptr_not_equal(a, c); /* somebody has it */
    intake_unref(a);
    assert_ptr_equal(intake_take(&p), a);
    assert_int_equal(a->changes.list.len, 0);
    assert_int_equal(a->changes.position.len, 0);
    assert_int_equal(a->changes.bytes, 0);
    assert_int_equal(a->open + a->floor + a->end.len, 0);
    assert_null(a->is_done);
    assert_ptr_equal(arena_alloc(&a->changes.arena, TEXT_BYTES), text);
    (void)arena_alloc(&b->changes.arena, BYTES_MAX);
    intake_unref(b); /* too large to be held */
    intake_unref(a);
    assert_true(p.bytes >= TEXT_BYTES && p.bytes <= BYTES_MAX);
    intake_unref(c);
    intake_pool_empty(&p);
    assert_int_equal(p.bytes, 0);
    assert_null(p.first);
    intake_pool_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floor),  cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_random), cmocka_unit_test(test_room),
        cmocka_unit_test(test_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
