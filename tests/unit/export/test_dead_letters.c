/* Dead letters are listed, leave in any order, and stay gone whatever happens to the program. */
#include "export/dead_letters.h"

#include "base/clock.h"
#include "export/drops.h"
#include "export/exporter_options.h"
#include "fake/plan_kit.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct env env;
    struct rng rng;
    struct metrics *metrics;
    struct exporter_dead_letters quota;
    struct drops drops;
    struct dead_letters *letters;
    char folder[64];
    struct buf seen; /* "NUMBER:REASON/RECORDS " */
};

static struct wait soon(void)
{
    return (struct wait){clock_deadline_ms(clock_system(), 10000), NULL};
}

static void open_again(struct fixture *f)
{
    char path[80];

    dead_letters_free(f->letters);
    (void)snprintf(path, sizeof(path), "%s/dead", f->folder);
    f->letters = dead_letters_new(&f->env, str_of(path), STR("out"), &f->quota, &f->drops, NULL);
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    rng_init(&f->rng);
    f->metrics = metrics_new();
    f->env = (struct env){.clock = clock_system(), .rng = &f->rng, .metrics = f->metrics};
    drops_init(&f->drops, &f->env, STR("out"));
    (void)snprintf(f->folder, sizeof(f->folder), "/tmp/telex-letters-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    buf_init(&f->seen, BUF_UNLIMITED);
    open_again(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    dead_letters_free(f->letters);
    drops_release(&f->drops);
    metrics_free(f->metrics);
    plan_kit_remove(f->folder);
    buf_release(&f->seen);
    mem_free(f);
    return 0;
}

static void add_raw(struct fixture *f, const char *bytes, const char *note, const char *reason)
{
    struct err e = ERR_INIT;

    assert_true(
        dead_letters_add_raw(f->letters, str_of(bytes), str_of(note), str_of(reason), soon(), &e));
}

static void add_records(struct fixture *f, uint32_t rows)
{
    struct batch *b = sample_batch(1, rows);
    struct err e = ERR_INIT;

    assert_true(
        dead_letters_add(f->letters, (struct view){.batch = b, .n = rows}, STR("no"), soon(), &e));
    batch_unref(b);
}

static bool see(void *arg, const struct dead_letter *l)
{
    struct fixture *f = arg;

    assert_true(l->time_ns > 0);
    buf_addf(&f->seen, "%u:%.*s/%u ", (unsigned)l->number, STR_FMT(l->reason), l->records);
    if (l->note.len > 0) {
        buf_addf(&f->seen, "%.*s=%.*s ", STR_FMT(l->note), STR_FMT(l->bytes));
    }
    return true;
}

static void look(struct fixture *f, uint64_t from)
{
    struct err e = ERR_INIT;

    buf_clear(&f->seen);
    assert_true(dead_letters_walk(f->letters, from, see, f, &e));
}

static void expect(struct fixture *f, uint64_t from, const char *seen)
{
    look(f, from);
    assert_string_equal(buf_text(&f->seen), seen);
}

static void expect_sum(struct fixture *f, uint64_t letters, uint64_t records)
{
    struct dead_letters_sum sum = dead_letters_sum(f->letters);

    assert_int_equal(sum.letters, letters);
    assert_int_equal(sum.records, records);
}

static bool remove_one(struct fixture *f, uint64_t number)
{
    struct err e = ERR_INIT;

    return dead_letters_remove(f->letters, number, soon(), &e) &&
           dead_letters_settle(f->letters, soon(), &e);
}

static void they_are_shown(void **state)
{
    struct fixture *f = *state;

    expect(f, 0, "");
    expect_sum(f, 0, 0);
    assert_false(remove_one(f, 1));
    add_raw(f, "abc", "", "broken");
    add_raw(f, "d\xff", "{\"a\":1}", "why");
    add_records(f, 3);
    expect(f, 0, "1:broken/1 2:why/1 {\"a\":1}=d\xff 3:no/3 ");
    expect(f, 3, "3:no/3 ");
    expect_sum(f, 3, 5);
    open_again(f);
    expect_sum(f, 3, 5);
    expect(f, 2, "2:why/1 {\"a\":1}=d\xff 3:no/3 ");
}

/* Whichever leaves first, each is gone once, and also behind a start. */
static void they_leave_in_any_order(void **state)
{
    static const uint64_t orders[][4] = {
        {1, 2, 3, 4}, {4, 3, 2, 1}, {2, 1, 4, 3}, {3, 1, 2, 4}, {2, 3, 4, 1}};
    struct fixture *f = *state;

    for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
        uint64_t numbers[4];
        for (uint32_t i = 0; i < 4; i++) {
            add_records(f, i + 1);
        }
        look(f, 0);
        const char *at = buf_text(&f->seen);
        for (size_t i = 0; i < 4; i++) {
            numbers[i] = strtoull(at, NULL, 10);
            at = strchr(at, ' ') + 1;
        }
        uint64_t left = 10;
        for (uint64_t k = 0; k < 4; k++) {
            uint64_t i = orders[o][k];
            assert_true(remove_one(f, numbers[i - 1]));
            assert_true(remove_one(f, numbers[i - 1])); /* it left, by whomever */
            left -= i;
            expect_sum(f, 3 - k, left);
            open_again(f);
            expect_sum(f, 3 - k, left);
        }
        expect(f, 0, "");
    }
}

/* What the quota drops is counted without what was gone before. */
static void the_quota_counts_what_was_kept(void **state)
{
    struct fixture *f = *state;

    add_records(f, 2);
    add_records(f, 3);
    add_records(f, 4);
    assert_true(remove_one(f, 2));
    f->quota.max_age_ns = 1;
    add_records(f, 5);
    expect_sum(f, 1, 5);
    assert_int_equal((int)metric_value(f->drops.counts[DROP_LETTERS_OLD]), 6);
    open_again(f);
    expect_sum(f, 1, 5);
}

static void add_of(struct fixture *f, const char *origin, const char *stream, uint32_t rows)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = str_of(origin), .group = str_of(stream)};
    struct batch *like = sample_batch(1, rows);
    struct str bytes;
    struct err e = ERR_INIT;

    assert_true(batch_encoded(like, &bytes, &e));
    struct batch *b = batch_from_bytes(&codec_rw1, bytes, true, &info, rows);
    assert_true(
        dead_letters_add(f->letters, (struct view){.batch = b, .n = rows}, STR("no"), soon(), &e));
    batch_unref(b);
    batch_unref(like);
}

static void expect_of(struct fixture *f, const char *stream, uint64_t letters, uint64_t records)
{
    for (int again = 0; again < 2; again++) {
        struct dead_letters_sum sum = dead_letters_sum_of(f->letters, str_of(stream));
        assert_int_equal(sum.letters, letters);
        assert_int_equal(sum.records, records);
        open_again(f);
    }
}

/* Several may write to one box; what is a stream's is known of each, also behind a start. */
static void streams_are_told_apart(void **state)
{
    struct fixture *f = *state;

    add_of(f, "events", "a", 1);
    add_of(f, "events", "b", 2);
    add_of(f, "rule", "a", 4); /* a group of rules that is called so */
    add_of(f, "events", "a", 8);
    add_records(f, 16);
    expect_of(f, "a", 2, 9);
    expect_of(f, "b", 1, 2);
    expect_of(f, "c", 0, 0);
    assert_true(remove_one(f, 4));
    expect_of(f, "a", 1, 1);
    assert_true(remove_one(f, 2));
    expect_of(f, "b", 0, 0);
    assert_true(remove_one(f, 1));
    expect_of(f, "a", 0, 0);
    expect_sum(f, 2, 20);
}

/* A box that takes no more says what a person can do, also while the program runs. */
static void a_full_box_says_what_helps(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    f->quota.max_disk_bytes = 1;
    f->quota.overflow = DEAD_LETTERS_BLOCK;
    add_raw(f, "abc", "", "broken");
    assert_false(dead_letters_add_raw(f->letters, STR("def"), STR(""), STR("broken"), soon(), &e));
    assert_int_equal(e.code, ERR_FULL);
    assert_non_null(strstr(e.message, "telex events replay|discard"));
    assert_true(remove_one(f, 1));
    add_raw(f, "def", "", "broken");
}

/* Adds letters until none is taken; how many were. */
static int fill(struct fixture *f)
{
    char text[1000];
    struct err e = ERR_INIT;
    int added = 0;

    memset(text, 'x', sizeof(text));
    while (dead_letters_add_raw(f->letters, str_make(text, sizeof(text)), STR(""), STR("broken"),
                                soon(), &e)) {
        assert_true(++added < 100);
    }
    assert_int_equal(e.code, ERR_FULL);
    return added;
}

/* Who discards letters behind one that is to stay has room for others, on a disk that has as much again. */
static void what_is_gone_makes_room(void **state)
{
    struct fixture *f = *state;

    f->quota.max_disk_bytes = 20000;
    f->quota.overflow = DEAD_LETTERS_BLOCK;
    int added = fill(f);
    assert_in_range(added, 15, 20);
    for (int i = 2; i <= 11; i++) {
        assert_true(remove_one(f, (uint64_t)i));
    }
    int again = fill(f);
    assert_in_range(again, 7, 10);
    open_again(f);
    assert_true(remove_one(f, 12));
    assert_true(remove_one(f, 13));
    open_again(f);
    assert_in_range(fill(f), 1, 2);
    for (int i = 14; i <= added; i++) {
        assert_true(remove_one(f, (uint64_t)i));
    }
    assert_in_range(fill(f), 1, 10); /* and now the disk has twice as much as it should */
    assert_true(dead_letters_bytes(f->letters) < 45000);
    assert_true(remove_one(f, 1));
    assert_true(fill(f) > 5);
}

/* A letter that the quota took while it was given again was delivered: that is no mistake. */
static void one_that_left_by_itself_is_fine(void **state)
{
    struct fixture *f = *state;

    add_records(f, 2);
    add_records(f, 3);
    f->quota.max_age_ns = 1;
    add_records(f, 4);
    open_again(f);
    assert_true(remove_one(f, 1));
    open_again(f);
    assert_false(remove_one(f, 99));
    expect_sum(f, 1, 4);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(they_are_shown),
        CASE(they_leave_in_any_order),
        CASE(the_quota_counts_what_was_kept),
        CASE(streams_are_told_apart),
        CASE(a_full_box_says_what_helps),
        CASE(what_is_gone_makes_room),
        CASE(one_that_left_by_itself_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
