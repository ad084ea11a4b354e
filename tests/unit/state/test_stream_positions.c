/* Where streams are: kept, taken over by turns, forgotten. */
#include "state/stream_positions.h"

#include "base/attr.h"
#include "db/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct kit {
    char folder[32];
    char path[192];
    struct stream_positions *positions;
    struct arena arena;
};

static void open_kit(struct kit *k)
{
    struct err e = ERR_INIT;

    assert_true(stream_positions_open(str_of(k->path), &k->positions, &e));
}

static int setup(void **state)
{
    static struct kit kit;
    struct kit *k = &kit;

    *k = (struct kit){.folder = "/tmp/telex-test-XXXXXX"};
    assert_non_null(mkdtemp(k->folder));
    (void)snprintf(k->path, sizeof(k->path), "%s/streams.db", k->folder);
    arena_init(&k->arena, ARENA_UNLIMITED);
    open_kit(k);
    *state = k;
    return 0;
}

static int teardown(void **state)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    struct kit *k = *state;
    char name[208];

    stream_positions_close(k->positions);
    arena_release(&k->arena);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", k->path, ends[i]);
        (void)unlink(name);
    }
    return rmdir(k->folder);
}

static void assert_same(const struct stream_place *a, const struct stream_place *b)
{
    assert_true(str_eq(a->identity, b->identity) && str_eq(a->position, b->position) &&
                str_eq(a->oldest, b->oldest) && str_eq(a->cursor, b->cursor));
    assert_int_equal(a->backfill, b->backfill);
    assert_int_equal(a->backfill_from_ns, b->backfill_from_ns);
    assert_int_equal(a->backfilled, b->backfilled);
    assert_int_equal(a->done, b->done);
    assert_int_equal(a->first_ns, b->first_ns);
    assert_int_equal(a->updated_ns, b->updated_ns);
    assert_int_equal(a->backfill_done_ns, b->backfill_done_ns);
}

static const struct stream_place somewhere = {
    .identity = {"db 7", 4},
    .position = {"16/B374D848 3", 13},
    .backfill = BACKFILL_RUNS,
    .oldest = {"900", 3},
    .cursor = {"17", 2},
    .backfill_from_ns = 5,
    .backfilled = 17,
    .done = 1000000,
    .first_ns = 6,
    .updated_ns = 7,
    .backfill_done_ns = 8,
};

static void test_kept(void **state)
{
    struct kit *k = *state;
    struct stream_place place = {0};
    struct err e = ERR_INIT;
    int64_t turn = 0;

    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &turn, &e));
    assert_same(&place, &(struct stream_place){0});
    assert_true(stream_positions_write(k->positions, STR("a"), turn, &somewhere, &e));
    stream_positions_close(k->positions);
    open_kit(k);
    assert_true(stream_positions_read(k->positions, STR("a"), &k->arena, &place, &e));
    assert_same(&place, &somewhere);
    assert_true(stream_positions_read(k->positions, STR("b"), &k->arena, &place, &e));
    assert_same(&place, &(struct stream_place){0});
}

static void test_turns(void **state)
{
    struct kit *k = *state;
    struct stream_place place = {0};
    struct err e = ERR_INIT;
    int64_t first = 0;
    int64_t second = 0;

    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &first, &e));
    assert_true(stream_positions_write(k->positions, STR("a"), first, &somewhere, &e));
    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &second, &e));
    assert_true(second > first);
    assert_same(&place, &somewhere);
    assert_false(stream_positions_write(k->positions, STR("a"), first, &somewhere, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    e = ERR_INIT;
    assert_true(stream_positions_forget(k->positions, STR("a"), &e));
    assert_false(stream_positions_write(k->positions, STR("a"), second, &somewhere, &e));
    e = ERR_INIT;
    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &first, &e));
    assert_same(&place, &(struct stream_place){0});
    assert_false(stream_positions_write(k->positions, STR("nobody"), 1, &somewhere, &e));
}

static void assert_row(const struct stream_row *row, const char *name, const char *kind,
                       const char *things)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < row->has.count; i++) {
        const struct stream_holding *h = &row->has.items[i];
        buf_addf(&text, "%.*s=%s ", STR_FMT(h->what), h->is_made ? "ours" : "theirs");
    }
    assert_true(str_eq(row->name, str_of(name)));
    assert_true(str_eq(row->has.kind, str_of(kind)));
    assert_string_equal(buf_text(&text), things);
}

/* <what> stands for all that is said of a thing; it is called <claim>. */
static void note(struct kit *k, const char *stream, const char *what, const char *claim,
                 bool is_made, bool is_all)
{
    const struct stream_holding one = {.kind = STR("postgresql"),
                                       .what = str_of(what),
                                       .words = str_of(what),
                                       .claim = str_of(claim),
                                       .is_log = true,
                                       .is_made = is_made};
    const struct stream_holdings has = {STR("postgresql"), &one, what[0] != '\0' ? 1 : 0};
    struct err e = ERR_INIT;

    assert_true(stream_positions_note(k->positions, str_of(stream), &has, is_all, &e));
}

static void expect_rows(struct kit *k, const char *expected)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct stream_row *rows = NULL;
    struct err e = ERR_INIT;
    size_t count = 0;

    assert_true(stream_positions_list(k->positions, &k->arena, &rows, &count, &e));
    for (size_t i = 0; i < count; i++) {
        buf_addf(&text, "%.*s:", STR_FMT(rows[i].name));
        for (size_t j = 0; j < rows[i].has.count; j++) {
            const struct stream_holding *h = &rows[i].has.items[j];
            buf_addf(&text, " %.*s%s", STR_FMT(h->what), h->is_made ? "!" : "");
        }
        buf_add_byte(&text, '\n');
    }
    assert_string_equal(buf_text(&text), expected);
}

/* What is kept of streams, with what they have elsewhere; also while another has the file open. */
static void test_list(void **state)
{
    struct kit *k = *state;
    struct stream_place place = {0};
    struct stream_row *rows = NULL;
    struct err e = ERR_INIT;
    size_t count = 9;
    int64_t turn = 0;

    assert_true(stream_positions_list(k->positions, &k->arena, &rows, &count, &e));
    assert_int_equal(count, 0);
    assert_true(stream_positions_take(k->positions, STR("b"), &k->arena, &place, &turn, &e));
    assert_true(stream_positions_write(k->positions, STR("b"), turn, &somewhere, &e));
    assert_true(stream_positions_take(k->positions, STR("c"), &k->arena, &place, &turn, &e));
    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &turn, &e));
    note(k, "a", "slot", "a slot", false, true);
    assert_true(stream_positions_list(k->positions, &k->arena, &rows, &count, &e));
    assert_int_equal(count, 2); /* of c there is nothing */
    assert_row(&rows[0], "a", "postgresql", "slot=theirs ");
    assert_row(&rows[1], "b", "", "");
    assert_same(&rows[1].place, &somewhere);
    assert_true(stream_positions_peek(str_of(k->path), &k->arena, &rows, &count, &e));
    assert_int_equal(count, 2);
    assert_row(&rows[0], "a", "postgresql", "slot=theirs ");
    assert_true(stream_positions_drop_holdings(k->positions, STR("a"), &e));
    assert_true(stream_positions_forget(k->positions, STR("b"), &e));
    assert_true(stream_positions_list(k->positions, &k->arena, &rows, &count, &e));
    assert_int_equal(count, 0);
    assert_true(stream_positions_peek(STR("/nowhere/streams.db"), &k->arena, &rows, &count, &e));
    assert_int_equal(count, 0);
}

/* Who made a thing once has made it, for whichever stream. */
static void test_made(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;

    note(k, "a", "1", "one", false, true);
    expect_rows(k, "a: 1\n");
    note(k, "a", "1", "one", true, false);
    note(k, "a", "1", "one", false, true);
    expect_rows(k, "a: 1!\n");
    note(k, "b", "1", "one", false, true); /* it was renamed */
    expect_rows(k, "a: 1!\nb: 1!\n");
    assert_true(stream_positions_drop_holdings(k->positions, STR("a"), &e));
    expect_rows(k, "b: 1!\n");
    assert_true(stream_positions_drop_holding(k->positions, STR("b"), STR("1"), &e));
    note(k, "b", "1", "one", false, true); /* somebody made it again */
    expect_rows(k, "b: 1\n");
}

/* What a stream had before is kept under another name. */
static void test_set_aside(void **state)
{
    struct kit *k = *state;
    struct err e = ERR_INIT;

    note(k, "a", "1", "one", true, true);
    uint64_t generation = stream_positions_generation(k->positions);
    note(k, "a", "1", "one", false, true);
    assert_int_equal(stream_positions_generation(k->positions), generation);
    note(k, "a", "2", "two", true, false); /* the start failed: it has both */
    expect_rows(k, "a: 1! 2!\n");
    note(k, "a", "2", "two", false, true);
    expect_rows(k, "a: 2!\na@1: 1!\n");
    assert_true(stream_positions_generation(k->positions) > generation);
    note(k, "a", "3", "three", false, true);
    expect_rows(k, "a: 3\na@1: 1!\na@2: 2!\n");
    note(k, "a", "1", "one", false, true); /* back again */
    expect_rows(k, "a: 1!\na@2: 2!\na@3: 3\n");
    note(k, "a", "4", "one", true, true); /* another server is called the same */
    expect_rows(k, "a: 4!\na@2: 2!\na@3: 3\n");
    note(k, "a", "", "", false, true); /* of another type */
    expect_rows(k, "a:\na@1: 4!\na@2: 2!\na@3: 3\n");
    assert_true(stream_positions_drop_holdings(k->positions, STR("a@2"), &e));
    expect_rows(k, "a:\na@1: 4!\na@3: 3\n");
}

/* A file that an earlier Telex made is taken over. */
static void test_an_older_file(void **state)
{
    struct kit *k = *state;
    struct stream_place place = {0};
    struct stream_row *rows = NULL;
    struct err e = ERR_INIT;
    struct db *db = NULL;
    size_t count = 0;
    int64_t turn = 0;

    assert_true(stream_positions_take(k->positions, STR("a"), &k->arena, &place, &turn, &e));
    assert_true(stream_positions_write(k->positions, STR("a"), turn, &somewhere, &e));
    stream_positions_close(k->positions);
    assert_true(db_open(k->path, DB_SYNC_NORMAL, &db, &e));
    assert_true(db_exec(
        db,
        "DROP TABLE origins; DROP TABLE holdings; ALTER TABLE streams DROP COLUMN backfill_done_ns",
        &e));
    db_close(db);
    assert_true(stream_positions_peek(str_of(k->path), &k->arena, &rows, &count, &e));
    assert_int_equal(count, 1);
    assert_row(&rows[0], "a", "", "");
    open_kit(k);
    assert_true(stream_positions_list(k->positions, &k->arena, &rows, &count, &e));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].place.done, somewhere.done);
    assert_int_equal(rows[0].place.backfill_done_ns, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_kept),      CASE(test_turns),
                                       CASE(test_list),      CASE(test_made),
                                       CASE(test_set_aside), CASE(test_an_older_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
