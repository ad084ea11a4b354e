/* A table of another program: rows and their types, where it goes on, what is a backfill, and when keys may come again. */
#include "events/sources/sources.h"

#include "db/sqlite.h"
#include "source_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct sql_kit {
    struct source_kit k;
    char path[96];
    struct db *db;
};

static struct wait soon(void)
{
    return (struct wait){clock_deadline_ms(clock_system(), 10000), NULL};
}

static void run(struct sql_kit *s, const char *sql)
{
    if (!db_exec(s->db, sql, &s->k.err)) {
        fail_msg("%s: %s", sql, s->k.err.message);
    }
}

static void begin(struct sql_kit *s, const char *schema)
{
    source_kit_init(&s->k, false);
    (void)snprintf(s->path, sizeof(s->path), "%s/app.db", s->k.folder);
    assert_true(db_open(s->path, DB_SYNC_NORMAL, &s->db, &s->k.err));
    run(s, schema);
}

static void end(struct sql_kit *s)
{
    db_close(s->db);
    source_kit_release(&s->k);
}

static void open_with(struct sql_kit *s, const char *more)
{
    char yaml[256];

    (void)snprintf(yaml, sizeof(yaml),
                   "{ type: sqlite, path: %s, table: t, poll_interval: 10ms%s }", s->path, more);
    source_kit_open(&s->k, &source_sqlite, yaml);
}

static void rows_have_types(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(
        &s,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, n INT, r REAL, ok BOOLEAN, doc JSON, raw BLOB,"
        " at TEXT)");
    open_with(&s, ", key_column: name, time_column: at");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    assert_int_equal(s.k.begun.oldest.len, 0);
    run(&s,
        "INSERT INTO t VALUES (7, 'x', 5, 1.5, 1, '{\"a\":1}', x'0041', '2024-01-15 10:30:00')");
    run(&s, "INSERT INTO t VALUES (9, NULL, 'text', 9e999, 5, '{broken', CAST(x'ff' AS TEXT), 3)");
    assert_int_equal(source_kit_next(&s.k, 10, 5000), SOURCED_OK);
    const struct change *ch = &s.k.changes.list.items[0];
    assert_true(str_eq(ch->id, STR("7")) && str_eq(ch->position, STR("7")));
    assert_true(str_eq(ch->key, STR("x")) && str_eq(ch->sequence, STR("00000000000000000007")));
    assert_int_equal(ch->time_ns, INT64_C(1705314600) * NS_PER_S);
    assert_int_equal(ch->columns[6].type, COLUMN_BYTES);
    assert_int_equal(ch->columns[6].text.len, 2);
    s.k.changes.list.items[0].column_count = 6;
    s.k.changes.list.items[1].column_count = 6;
    assert_int_equal(s.k.changes.list.items[1].columns[6].type, COLUMN_BYTES);
    source_kit_expect(&s.k, "7@7:id=n7,name=tx,n=n5,r=n1.5,ok=ftrue,doc=j{\"a\":1} "
                            "9@9:id=n9,name=0,n=ttext,r=tInfinity,ok=n5,doc=t{broken");
    end(&s);
}

static void it_goes_on_where_it_was(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(&s, "CREATE TABLE t (v)");
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    run(&s, "INSERT INTO t VALUES (1), (2), (3)");
    assert_int_equal(source_kit_next(&s.k, 2, 5000), SOURCED_OK);
    source_kit_expect(&s.k, "1@1:v=n1 2@2:v=n2");
    open_with(&s, "");
    assert_int_equal(source_kit_start(&s.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&s.k, 9, 5000), SOURCED_OK);
    source_kit_expect(&s.k, "3@3:v=n3");
    assert_int_equal(source_kit_next(&s.k, 9, 30), SOURCED_OK);
    source_kit_expect(&s.k, "");
    /* What is not committed is not there; a column that is new is. */
    run(&s, "ALTER TABLE t ADD COLUMN w");
    run(&s, "BEGIN; INSERT INTO t VALUES (4, 5)");
    assert_int_equal(source_kit_next(&s.k, 9, 30), SOURCED_OK);
    source_kit_expect(&s.k, "");
    run(&s, "COMMIT");
    assert_int_equal(source_kit_next(&s.k, 9, 5000), SOURCED_OK);
    source_kit_expect(&s.k, "4@4:v=n4,w=n5");
    struct source_measures m = {.behind = -1};
    run(&s, "INSERT INTO t VALUES (6, 7)");
    s.k.source->ops->measure(s.k.source, &m, soon());
    assert_int_equal(m.behind, 1);
    end(&s);
}

static void backfill(struct sql_kit *s, const struct source_range *range, const char *cursor,
                     size_t max, bool is_done)
{
    bool done = !is_done;

    assert_int_equal(s->k.source->ops->backfill(s->k.source, range, str_of(cursor), max,
                                                &s->k.changes, &done, soon(), &s->k.err),
                     SOURCED_OK);
    assert_int_equal(done, is_done);
}

static void what_was_there_before_is_a_backfill(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(&s, "CREATE TABLE t (at INT)");
    run(&s, "INSERT INTO t VALUES (1), (2), (3000), (4000)");
    open_with(&s, ", time_column: at");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    assert_string_equal(buf_text(&s.k.begun.oldest), "4");
    run(&s, "INSERT INTO t VALUES (5000)");
    struct source_range range = {.end = STR("4")};
    backfill(&s, &range, "", 3, false);
    source_kit_expect(&s.k, "1@1:at=n1 2@2:at=n2 3@3:at=n3000");
    backfill(&s, &range, "3", 3, true);
    source_kit_expect(&s.k, "4@4:at=n4000");
    assert_int_equal(s.k.source->ops->backfill_left(s.k.source, &range, STR("1"), soon()), 3);
    range.newest = 2;
    assert_int_equal(s.k.source->ops->backfill_left(s.k.source, &range, STR(""), soon()), 2);
    backfill(&s, &range, "", 9, true);
    source_kit_expect(&s.k, "3@3:at=n3000 4@4:at=n4000");
    range.from_ns = 3500 * NS_PER_S;
    backfill(&s, &range, "", 1, false);
    source_kit_expect(&s.k, "");
    assert_true(str_eq(s.k.changes.position, STR("3")));
    end(&s);
}

static void keys_that_may_come_again_are_said(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(&s, "CREATE TABLE t (v)");
    run(&s, "INSERT INTO t VALUES (1), (2), (3)");
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    assert_int_equal(source_kit_next(&s.k, 9, 10), SOURCED_OK);
    run(&s, "DELETE FROM t WHERE rowid < 3"); /* old rows may go */
    assert_int_equal(source_kit_next(&s.k, 9, 30), SOURCED_OK);
    run(&s, "DELETE FROM t");
    assert_int_equal(source_kit_next(&s.k, 9, 1000), SOURCED_LOST);
    assert_non_null(
        strstr(s.k.err.message, "the last key of table t is 0, the stream stands at 3"));
    assert_int_equal(source_kit_start(&s.k), SOURCED_LOST);
    end(&s);
}

static void autoincrement_gives_no_key_twice(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(&s, "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v)");
    run(&s, "INSERT INTO t (v) VALUES (1), (2)");
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    run(&s, "DELETE FROM t");
    assert_int_equal(source_kit_next(&s.k, 9, 30), SOURCED_OK);
    assert_int_equal(source_kit_start(&s.k), SOURCED_OK);
    run(&s, "INSERT INTO t (v) VALUES (3)");
    assert_int_equal(source_kit_next(&s.k, 9, 1000), SOURCED_OK);
    source_kit_expect(&s.k, "3@3:id=n3,v=n3");
    end(&s);
}

static void another_file_has_another_identity(void **state)
{
    (void)state;
    struct sql_kit s;
    char moved[100];
    char before[256];

    begin(&s, "CREATE TABLE t (v)");
    run(&s, "INSERT INTO t VALUES (1)");
    (void)snprintf(moved, sizeof(moved), "%s.old", s.path);
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    (void)snprintf(before, sizeof(before), "%s", s.k.identity);
    assert_int_equal(source_kit_next(&s.k, 9, 30), SOURCED_OK);
    db_close(s.db);
    assert_int_equal(rename(s.path, moved), 0);
    assert_int_equal(source_kit_next(&s.k, 9, 1000), SOURCED_AGAIN);
    assert_true(db_open(s.path, DB_SYNC_NORMAL, &s.db, &s.k.err));
    run(&s, "CREATE TABLE t (v); INSERT INTO t VALUES (9)");
    assert_int_equal(source_kit_start(&s.k), SOURCED_OK);
    assert_string_not_equal(before, s.k.identity);
    end(&s);
}

static void what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    struct sql_kit s;

    begin(&s, "CREATE TABLE t (name TEXT PRIMARY KEY, v INT) WITHOUT ROWID");
    run(&s, "INSERT INTO t VALUES ('a', 1)");
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_REFUSED);
    open_with(&s, ", id_column: name");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_REFUSED);
    assert_non_null(strstr(s.k.err.message, "no integer"));
    open_with(&s, ", id_column: v, key_column: none");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_OK);
    run(&s, "INSERT INTO t VALUES ('b', 2)");
    assert_int_equal(source_kit_next(&s.k, 9, 1000), SOURCED_REFUSED);
    assert_non_null(strstr(s.k.err.message, "no column 'none'"));
    assert_int_equal(unlink(s.path), 0);
    open_with(&s, "");
    assert_int_equal(source_kit_start_first(&s.k), SOURCED_REFUSED);
    assert_non_null(strstr(s.k.err.message, "no file"));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_types),
        cmocka_unit_test(it_goes_on_where_it_was),
        cmocka_unit_test(what_was_there_before_is_a_backfill),
        cmocka_unit_test(keys_that_may_come_again_are_said),
        cmocka_unit_test(autoincrement_gives_no_key_twice),
        cmocka_unit_test(another_file_has_another_identity),
        cmocka_unit_test(what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
