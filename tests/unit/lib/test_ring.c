#include "lib/ring.h"

#include "base/mem.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
    struct ring *r = mem_new(struct ring);
    struct err e = ERR_INIT;

    assert_true(ring_open(r, 1, &e));
    *state = r;
    return 0;
}

static int tear_down(void **state)
{
    ring_close(*state);
    mem_free(*state);
    return 0;
}

static bool put(struct ring *r, const char *bytes, uint32_t len)
{
    struct ring_place place;

    if (!ring_put(r, len, &place)) {
        return false;
    }
    memcpy(place.bytes, bytes, len);
    ring_done(&place, RING_METRICS);
    return true;
}

/* The shard that this thread writes to. */
static size_t used_shard(struct ring *r)
{
    size_t shard = 0;

    while (shard < RING_SHARDS && r->shards[shard].tail == r->shards[shard].head) {
        shard++;
    }
    return shard;
}

static void records_come_in_order_and_once(void **state)
{
    struct ring *r = *state;
    struct ring_record record;
    struct ring_walk walk;

    assert_true(put(r, "one", 3));
    assert_true(put(r, "twotwotwo", 9));
    size_t shard = used_shard(r);
    ring_walk_begin(&walk, r, shard);
    assert_true(ring_walk_next(&walk, &record));
    assert_memory_equal(record.bytes, "one", 3);
    assert_true(ring_walk_next(&walk, &record));
    assert_int_equal(record.len, 9);
    ring_walk_back(&walk, &record);
    ring_walk_end(&walk);
    ring_walk_begin(&walk, r, shard);
    assert_true(ring_walk_next(&walk, &record));
    assert_memory_equal(record.bytes, "twotwotwo", 9);
    assert_false(ring_walk_next(&walk, &record));
    ring_walk_end(&walk);
    assert_true(ring_is_empty(r));
    assert_int_equal(ring_taken(r), 2);
}

static void what_is_not_done_holds_up_what_is_behind(void **state)
{
    struct ring *r = *state;
    struct ring_record record;
    struct ring_place place;
    struct ring_walk walk;

    assert_true(ring_put(r, 4, &place));
    assert_true(put(r, "late", 4));
    size_t shard = used_shard(r);
    ring_walk_begin(&walk, r, shard);
    assert_false(ring_walk_next(&walk, &record));
    ring_walk_end(&walk);
    memcpy(place.bytes, "soon", 4);
    ring_done(&place, RING_SPAN);
    ring_walk_begin(&walk, r, shard);
    assert_true(ring_walk_next(&walk, &record));
    assert_int_equal(record.what, RING_SPAN);
    assert_true(ring_walk_next(&walk, &record));
    ring_walk_end(&walk);
}

static void a_full_ring_refuses_until_it_is_read(void **state)
{
    static const char bytes[1000];
    struct ring *r = *state;
    struct ring_record record;
    struct ring_walk walk;
    size_t count = 0;

    while (put(r, bytes, sizeof(bytes))) {
        count++;
    }
    assert_int_equal(count, RING_LEAST / 1008);
    ring_walk_begin(&walk, r, used_shard(r));
    assert_true(ring_walk_next(&walk, &record));
    assert_true(ring_walk_next(&walk, &record));
    ring_walk_end(&walk);
    assert_true(put(r, bytes, sizeof(bytes)));
}

/* Sizes that do not divide the circle, many times around it. */
static void records_go_around_the_end(void **state)
{
    struct ring *r = *state;
    uint32_t sent = 0;
    uint32_t got = 0;

    while (got < 20000) {
        char bytes[512];
        struct ring_record record;
        struct ring_walk walk;
        for (uint32_t i = 0; i < 37; i++) {
            uint32_t len = 4 + sent * 31 % 500;
            memset(bytes, (char)sent, sizeof(bytes));
            memcpy(bytes, &sent, 4);
            sent += put(r, bytes, len);
        }
        ring_walk_begin(&walk, r, used_shard(r));
        while (ring_walk_next(&walk, &record)) {
            uint32_t number;
            memcpy(&number, record.bytes, 4);
            assert_int_equal(number, got);
            assert_int_equal(record.len, 4 + got * 31 % 500);
            got++;
        }
        ring_walk_end(&walk);
    }
    assert_int_equal(sent, got);
}

enum { THREADS = 4, EACH = 50000 };

struct giver {
    struct ring *ring;
    uint32_t id;
    pthread_t thread;
};

static void *give(void *arg)
{
    struct giver *g = arg;

    for (uint32_t i = 0; i < EACH;) {
        uint32_t numbers[2] = {g->id, i};
        i += put(g->ring, (const char *)numbers, sizeof(numbers));
    }
    return NULL;
}

static void many_writers_and_a_reader_agree(void **state)
{
    struct giver givers[THREADS];
    uint32_t seen[THREADS] = {0};
    uint32_t total = 0;

    for (uint32_t i = 0; i < THREADS; i++) {
        givers[i] = (struct giver){.ring = *state, .id = i};
        assert_int_equal(pthread_create(&givers[i].thread, NULL, give, &givers[i]), 0);
    }
    for (size_t shard = 0; total < THREADS * EACH; shard = (shard + 1) % RING_SHARDS) {
        struct ring_record record;
        struct ring_walk walk;
        ring_walk_begin(&walk, *state, shard);
        while (ring_walk_next(&walk, &record)) {
            uint32_t numbers[2];
            memcpy(numbers, record.bytes, sizeof(numbers));
            assert_int_equal(numbers[1], seen[numbers[0]]);
            seen[numbers[0]]++;
            total++;
        }
        ring_walk_end(&walk);
    }
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(givers[i].thread, NULL), 0);
    }
    assert_true(ring_is_empty(*state));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(records_come_in_order_and_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_done_holds_up_what_is_behind, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_full_ring_refuses_until_it_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_go_around_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_writers_and_a_reader_agree, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("lib/ring", tests, NULL, NULL);
}
