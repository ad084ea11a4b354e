/* Secrets from texts and files, and files that change under them. */
#include "base/secret.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct folder {
    char path[64];
    char file[96];
    char other[96];
};

static void write_file(const char *path, struct str text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text.ptr, text.len), text.len);
    assert_int_equal(close(fd), 0);
}

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof(*f));

    (void)snprintf(f->path, sizeof(f->path), "/tmp/telex-secret-XXXXXX");
    if (mkdtemp(f->path) == NULL) {
        return -1;
    }
    (void)snprintf(f->file, sizeof(f->file), "%s/key", f->path);
    (void)snprintf(f->other, sizeof(f->other), "%s/new", f->path);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct folder *f = *state;

    (void)unlink(f->file);
    (void)unlink(f->other);
    (void)rmdir(f->path);
    free(f);
    return 0;
}

static void check_reveals(struct secret *s, const char *want)
{
    AUTO(buf_release) struct buf b = BUF_INIT(SECRET_MAX);

    secret_reveal(s, &b);
    assert_string_equal(buf_text(&b), want);
}

static struct secret *open_secret(const char *path)
{
    struct err e = ERR_INIT;
    struct secret *s = NULL;

    if (!secret_from_file(str_of(path), &s, &e)) {
        fail_msg("%s", e.message);
    }
    return s;
}

static void a_text_is_kept(void **state)
{
    AUTO(secret_autofree) struct secret *s = secret_from_text(STR("hunter2\n"));
    AUTO(secret_autofree) struct secret *empty = secret_from_text(STR(""));

    (void)state;
    check_reveals(s, "hunter2\n");
    assert_false(secret_is_empty(s));
    assert_true(secret_is_empty(empty));
    assert_true(secret_is_empty(NULL));
    check_reveals(NULL, "");
    secret_free(NULL);
}

static void comparison_is_exact(void **state)
{
    AUTO(secret_autofree) struct secret *s = secret_from_text(STR("abc"));
    AUTO(secret_autofree) struct secret *empty = secret_from_text(STR(""));

    (void)state;
    assert_true(secret_equals(s, STR("abc")));
    assert_false(secret_equals(s, STR("abd")));
    assert_false(secret_equals(s, STR("ab")));
    assert_false(secret_equals(s, STR("abcd")));
    assert_false(secret_equals(s, STR("abc\0")));
    assert_false(secret_equals(s, STR("")));
    assert_true(secret_equals(empty, STR("")));
    assert_false(secret_equals(NULL, STR("")));
}

static void what_it_begins_with(void **state)
{
    AUTO(secret_autofree) struct secret *s = secret_from_text(STR("eu01xx"));

    (void)state;
    assert_true(secret_starts(s, STR("eu01")));
    assert_true(secret_starts(s, STR("eu01xx")));
    assert_true(secret_starts(s, STR("")));
    assert_false(secret_starts(s, STR("eu01xxx")));
    assert_false(secret_starts(s, STR("EU")));
    assert_false(secret_starts(NULL, STR("")));
}

static void a_file_is_read_without_its_newline(void **state)
{
    struct folder *f = *state;

    write_file(f->file, STR("two\nlines\r\n\n"));
    AUTO(secret_autofree) struct secret *s = open_secret(f->file);
    check_reveals(s, "two\nlines");
}

static void a_changed_file_is_read_again(void **state)
{
    struct folder *f = *state;

    write_file(f->file, STR("old"));
    AUTO(secret_autofree) struct secret *s = open_secret(f->file);
    check_reveals(s, "old");
    write_file(f->file, STR("newer"));
    check_reveals(s, "newer");
    assert_true(secret_equals(s, STR("newer")));
}

static void a_replaced_file_is_read_again(void **state)
{
    struct folder *f = *state;
    struct stat before;
    struct stat after;

    write_file(f->file, STR("aaa"));
    AUTO(secret_autofree) struct secret *s = open_secret(f->file);
    assert_int_equal(stat(f->file, &before), 0);
    write_file(f->other, STR("bbb"));
    struct timespec times[2] = {before.st_atim, before.st_mtim}; /* only the inode differs */
    assert_int_equal(utimensat(AT_FDCWD, f->other, times, 0), 0);
    assert_int_equal(rename(f->other, f->file), 0);
    assert_int_equal(stat(f->file, &after), 0);
    assert_true(before.st_ino != after.st_ino);
    check_reveals(s, "bbb");
}

static void a_lost_file_keeps_the_old_bytes(void **state)
{
    struct folder *f = *state;

    write_file(f->file, STR("keep"));
    AUTO(secret_autofree) struct secret *s = open_secret(f->file);
    assert_int_equal(unlink(f->file), 0);
    check_reveals(s, "keep");
    assert_int_equal(mkdir(f->file, 0700), 0);
    check_reveals(s, "keep");
    assert_int_equal(rmdir(f->file), 0);
    write_file(f->file, STR("back"));
    check_reveals(s, "back");
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    struct folder *f = *state;
    struct err e = ERR_INIT;
    struct secret *s = NULL;
    static const char big[SECRET_MAX + 1];

    assert_false(secret_from_file(str_of(f->file), &s, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_true(str_find(str_of(e.message), str_of(f->file)) < strlen(e.message));
    write_file(f->file, str_make(big, SECRET_MAX + 1));
    assert_false(secret_from_file(str_of(f->file), &s, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    write_file(f->file, str_make(big, SECRET_MAX));
    assert_true(secret_from_file(str_of(f->file), &s, &e));
    secret_free(s);
}

static void *reveal_often(void *arg)
{
    for (int i = 0; i < 300; i++) {
        struct buf b = BUF_INIT(SECRET_MAX);
        secret_reveal(arg, &b);
        bool whole = strcmp(buf_text(&b), "first") == 0 || strcmp(buf_text(&b), "second one") == 0;
        buf_release(&b);
        if (!whole) {
            return arg;
        }
    }
    return NULL;
}

static void readers_see_one_value_or_the_other(void **state)
{
    struct folder *f = *state;
    pthread_t threads[3];

    write_file(f->file, STR("first"));
    AUTO(secret_autofree) struct secret *s = open_secret(f->file);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, reveal_often, s), 0);
    }
    for (int i = 0; i < 50; i++) {
        write_file(f->other, i % 2 ? STR("first") : STR("second one"));
        assert_int_equal(rename(f->other, f->file), 0);
    }
    for (size_t i = 0; i < 3; i++) {
        void *torn = s;
        assert_int_equal(pthread_join(threads[i], &torn), 0);
        assert_null(torn);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_kept),
        cmocka_unit_test(comparison_is_exact),
        cmocka_unit_test(what_it_begins_with),
        cmocka_unit_test_setup_teardown(a_file_is_read_without_its_newline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_changed_file_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replaced_file_is_read_again, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_file_keeps_the_old_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(readers_see_one_value_or_the_other, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
