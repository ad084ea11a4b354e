/* The test's own file system must be crueller than a real one, and exactly so: it is an oracle. */
#include "fake/simfs.h"

#include "base/attr.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int open_file(struct simfs *s, const char *path)
{
    int fd = -1;

    assert_int_equal(simfs_fs(s)->ops->open(simfs_fs(s), path, FS_READ | FS_WRITE | FS_CREATE, &fd),
                     0);
    return fd;
}

static int write_at(struct simfs *s, int fd, const char *text, int64_t offset)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};

    return simfs_fs(s)->ops->pwritev(simfs_fs(s), fd, &part, 1, offset);
}

static int sync_fd(struct simfs *s, int fd)
{
    return simfs_fs(s)->ops->sync(simfs_fs(s), fd);
}

static struct simfs *with_folder(void)
{
    struct simfs *s = simfs_new(1);

    assert_int_equal(simfs_fs(s)->ops->mkdir(simfs_fs(s), "/d"), 0);
    simfs_crash(s, SIMFS_KEEP_ALL);
    return s;
}

static void expect(struct simfs *s, const char *path, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);

    if (want == NULL) {
        assert_false(simfs_peek(s, path, &got));
        return;
    }
    assert_true(simfs_peek(s, path, &got));
    assert_string_equal(buf_text(&got), want);
}

static void bytes_and_names_are_durable_apart(void **state)
{
    (void)state;
    struct simfs *s = with_folder();
    int fd = open_file(s, "/d/a");

    assert_int_equal(write_at(s, fd, "one", 0), 0);
    assert_int_equal(sync_fd(s, fd), 0);
    simfs_crash(s, SIMFS_LOSE_ALL);
    expect(s, "/d/a", NULL); /* synced bytes without a synced name */
    fd = open_file(s, "/d/a");
    assert_int_equal(write_at(s, fd, "two", 0), 0);
    assert_int_equal(fs_sync_folder(simfs_fs(s), "/d"), 0);
    simfs_crash(s, SIMFS_LOSE_ALL);
    expect(s, "/d/a", ""); /* a synced name without synced bytes */
    fd = open_file(s, "/d/a");
    assert_int_equal(write_at(s, fd, "three", 0), 0);
    assert_int_equal(sync_fd(s, fd), 0);
    assert_int_equal(write_at(s, fd, "x", 5), 0);
    simfs_crash(s, SIMFS_LOSE_ALL);
    expect(s, "/d/a", "three");
    simfs_free(s);
}

static void renames_are_atomic(void **state)
{
    (void)state;
    const struct fs *fs;
    unsigned old = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct simfs *s = simfs_new(seed);
        AUTO(buf_release) struct buf got = BUF_INIT(100);
        struct err e = ERR_INIT;
        fs = simfs_fs(s);
        assert_int_equal(fs->ops->mkdir(fs, "/d"), 0);
        assert_true(fs_replace_file(fs, STR("/d/f"), STR("old"), &e));
        simfs_stop_at(s, 5); /* create, truncate, write, sync, rename: the folder is not synced */
        assert_false(fs_replace_file(fs, STR("/d/f"), STR("new"), &e));
        assert_true(simfs_is_stopped(s));
        simfs_crash(s, SIMFS_BY_CHANCE);
        assert_true(simfs_peek(s, "/d/f", &got));
        old += str_eq(buf_str(&got), STR("old"));
        assert_true(str_eq(buf_str(&got), STR("old")) || str_eq(buf_str(&got), STR("new")));
        simfs_free(s);
    }
    assert_in_range(old, 5, 35);
}

static void chance_tears_at_granules(void **state)
{
    (void)state;
    char text[4 * SIMFS_GRANULE + 1];
    unsigned torn = 0;

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct simfs *s = simfs_new(seed);
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        simfs_put(s, "/f", STR("old"));
        int fd = open_file(s, "/f");
        assert_int_equal(write_at(s, fd, text, 0), 0);
        simfs_crash(s, SIMFS_BY_CHANCE);
        assert_true(simfs_peek(s, "/f", &got));
        size_t kept = 0;
        for (size_t at = 0; at + SIMFS_GRANULE <= got.len; at += SIMFS_GRANULE) {
            char first = got.ptr[at + 10];
            assert_true(first == 'x' || first == '\0');
            assert_int_equal(got.ptr[at + SIMFS_GRANULE - 1], first);
            kept += first == 'x';
        }
        torn += kept > 0 && kept < 4;
        simfs_free(s);
    }
    assert_true(torn > 20);
}

static void failed_sync_proves_nothing_later(void **state)
{
    (void)state;
    struct simfs *s = with_folder();
    int fd = open_file(s, "/d/a");
    unsigned lost = 0;

    assert_int_equal(fs_sync_folder(simfs_fs(s), "/d"), 0);
    for (int i = 0; i < 20; i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(100);
        fd = open_file(s, "/d/a");
        assert_int_equal(simfs_fs(s)->ops->truncate(simfs_fs(s), fd, 0), 0);
        assert_int_equal(sync_fd(s, fd), 0);
        assert_int_equal(write_at(s, fd, "one", 0), 0);
        simfs_fail(s, SIMFS_CALL_SYNC, 1, 1, EIO);
        assert_int_equal(sync_fd(s, fd), -EIO);
        expect(s, "/d/a", "one");
        assert_int_equal(sync_fd(s, fd), 0);
        simfs_crash(s, SIMFS_LOSE_ALL);
        assert_true(simfs_peek(s, "/d/a", &got));
        lost += got.len == 0;
    }
    assert_in_range(lost, 3, 17);
    simfs_free(s);
}

static void failures_hit_the_nth_call(void **state)
{
    (void)state;
    struct simfs *s = with_folder();
    int fd = open_file(s, "/d/a");

    simfs_fail(s, SIMFS_CALL_WRITE, 2, 2, EIO);
    assert_int_equal(write_at(s, fd, "a", 0), 0);
    assert_int_equal(write_at(s, fd, "b", 1), -EIO);
    assert_int_equal(sync_fd(s, fd), 0);
    assert_int_equal(write_at(s, fd, "c", 1), -EIO);
    assert_int_equal(write_at(s, fd, "d", 1), 0);
    simfs_set_capacity(s, 5);
    assert_int_equal(write_at(s, fd, "12345", 2), -ENOSPC);
    expect(s, "/d/a", "ad123");
    assert_int_equal(write_at(s, fd, "zzzzz", 0), 0);
    simfs_set_read_only(s, true);
    assert_int_equal(write_at(s, fd, "q", 0), -EROFS);
    assert_int_equal(simfs_fs(s)->ops->unlink(simfs_fs(s), "/d/a"), -EROFS);
    simfs_free(s);
}

static void locks_die_with_handles(void **state)
{
    (void)state;
    struct simfs *s = with_folder();
    const struct fs *fs = simfs_fs(s);
    int first = open_file(s, "/d/lock");
    int second = open_file(s, "/d/lock");

    assert_int_equal(fs->ops->lock(fs, first), 0);
    assert_int_equal(fs->ops->lock(fs, second), -EWOULDBLOCK);
    assert_int_equal(fs->ops->close(fs, first), 0);
    assert_int_equal(fs->ops->lock(fs, second), 0);
    simfs_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_and_names_are_durable_apart),
        cmocka_unit_test(renames_are_atomic),
        cmocka_unit_test(chance_tears_at_granules),
        cmocka_unit_test(failed_sync_proves_nothing_later),
        cmocka_unit_test(failures_hit_the_nth_call),
        cmocka_unit_test(locks_die_with_handles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
