#include "db/sqlite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void temporary(char *path)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)close(fd);
}

static void forget(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char name[64];

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static void values_come_back(void **state)
{
    (void)state;
    char path[] = "/tmp/telex-test-XXXXXX";
    struct db *db = NULL;
    struct db_query *q = NULL;
    bool row = false;
    struct stat st;
    struct err e = ERR_INIT;

    temporary(path);
    assert_true(db_open(path, DB_SYNC_FULL, &db, &e));
    assert_true(db_exec(db, "CREATE TABLE t (i, d, s, n)", &e));
    assert_true(db_prepare(db, "INSERT INTO t VALUES (?1, ?2, ?3, ?4)", &q, &e));
    db_bind_i64(q, 1, INT64_MIN);
    db_bind_double(q, 2, 0.1);
    db_bind_str(q, 3, STR("a\0b"));
    db_bind_null(q, 4);
    assert_true(db_run(q, &e));
    assert_int_equal(db_changes(db), 1);
    db_bind_str(q, 3, STR(""));
    assert_true(db_run(q, &e));
    db_query_free(q);
    assert_true(db_prepare(db, "SELECT i, d, s, n FROM t ORDER BY rowid", &q, &e));
    assert_true(db_step(q, &row, &e) && row);
    assert_true(db_i64(q, 0) == INT64_MIN && db_double(q, 1) == 0.1 && db_is_null(q, 3));
    assert_true(str_eq(db_str(q, 2), STR("a\0b")));
    assert_true(db_step(q, &row, &e) && row);
    assert_true(!db_is_null(q, 2) && db_str(q, 2).len == 0);
    assert_true(db_step(q, &row, &e) && !row);
    db_query_free(q);
    db_close(db);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    forget(path);
}

static void mistakes_are_told(void **state)
{
    (void)state;
    char path[] = "/tmp/telex-test-XXXXXX";
    struct db *db = NULL;
    struct db_query *q = NULL;
    struct err e = ERR_INIT;

    assert_false(db_open("/nowhere/at/all", DB_SYNC_NORMAL, &db, &e));
    assert_string_equal(e.context, "/nowhere/at/all");
    temporary(path);
    assert_true(db_open(path, DB_SYNC_NORMAL, &db, &e));
    assert_false(db_prepare(db, "SELECT a FROM nowhere", &q, &e));
    assert_string_equal(e.message, "SQLite: no such table: nowhere");
    assert_int_equal(e.code, ERR_IO);
    db_close(db);
    forget(path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 100; i++) {
        (void)fputs("this is no database, and long enough to be looked at as one", f);
    }
    (void)fclose(f);
    assert_false(db_open(path, DB_SYNC_NORMAL, &db, &e));
    assert_non_null(strstr(e.message, "not a database"));
    forget(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(mistakes_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
