#include "base/fs_memory.h"

#include "base/attr.h"
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CAP = 4 * FS_MEMORY_BLOCK };

static int set_up(void **state)
{
    *state = fs_memory_new(CAP);
    return 0;
}

static int tear_down(void **state)
{
    fs_memory_free(*state);
    return 0;
}

static int open_file(const struct fs *fs, const char *path, unsigned flags)
{
    int fd = -1;
    int result = fs->ops->open(fs, path, flags, &fd);

    return result == 0 ? fd : result;
}

static int write_at(const struct fs *fs, int fd, const char *bytes, size_t len, int64_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes, len};

    return fs->ops->pwritev(fs, fd, &part, 1, offset);
}

static void what_is_written_is_read_across_blocks(void **state)
{
    const struct fs *fs = fs_memory_fs(*state);
    int fd = open_file(fs, "/a", FS_READ | FS_WRITE | FS_CREATE);
    char bytes[8] = {0};
    size_t len = 0;

    assert_int_equal(write_at(fs, fd, "abcdef", 6, FS_MEMORY_BLOCK - 3), 0);
    assert_int_equal(fs->ops->pread(fs, fd, bytes, sizeof(bytes), FS_MEMORY_BLOCK - 4, &len), 0);
    assert_int_equal(len, 7);
    assert_memory_equal(bytes, "\0abcdef", 7);
    assert_int_equal(fs_memory_used(*state), 2 * FS_MEMORY_BLOCK);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    assert_int_equal(fs->ops->close(fs, fd), -EBADF);
}

static void there_is_no_room_past_the_cap(void **state)
{
    const struct fs *fs = fs_memory_fs(*state);
    int fd = open_file(fs, "/a", FS_WRITE | FS_CREATE);
    int64_t left = -1;

    assert_int_equal(write_at(fs, fd, "x", 1, CAP - 1), 0);
    assert_int_equal(write_at(fs, fd, "x", 1, CAP), -ENOSPC);
    assert_int_equal(fs->ops->free_bytes(fs, "/", &left), 0);
    assert_int_equal(left, 0);
    assert_int_equal(fs->ops->truncate(fs, fd, 1), 0);
    assert_int_equal(fs_memory_used(*state), FS_MEMORY_BLOCK);
    assert_int_equal(fs->ops->close(fs, fd), 0);
}

static void a_file_without_a_name_lives_while_it_is_open(void **state)
{
    const struct fs *fs = fs_memory_fs(*state);
    int fd = open_file(fs, "/a", FS_READ | FS_WRITE | FS_CREATE);
    char byte = 0;
    size_t len = 0;

    assert_int_equal(write_at(fs, fd, "x", 1, 0), 0);
    assert_int_equal(fs->ops->unlink(fs, "/a"), 0);
    assert_int_equal(open_file(fs, "/a", FS_READ), -ENOENT);
    assert_int_equal(fs->ops->pread(fs, fd, &byte, 1, 0, &len), 0);
    assert_int_equal(byte, 'x');
    assert_int_equal(fs->ops->close(fs, fd), 0);
    assert_int_equal(fs_memory_used(*state), 0);
}

static void add_name(void *arg, const char *name)
{
    char *out = arg;
    size_t len = strlen(out);

    (void)snprintf(out + len, 64 - len, "%s ", name);
}

static void a_folder_lists_its_own_names_in_order(void **state)
{
    static const char *const files[] = {"/d/b", "/d/a", "/d/sub/x", "/dd"};
    const struct fs *fs = fs_memory_fs(*state);
    char names[64] = "";

    assert_int_equal(fs->ops->mkdir(fs, "/d"), 0);
    assert_int_equal(fs->ops->mkdir(fs, "/d"), 0);
    assert_int_equal(fs->ops->mkdir(fs, "/d/sub"), 0);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        int fd = open_file(fs, files[i], FS_WRITE | FS_CREATE);
        assert_int_equal(fs->ops->close(fs, fd), 0);
    }
    assert_int_equal(fs->ops->list(fs, "/d", add_name, names), 0);
    assert_string_equal(names, "a b sub ");
    assert_int_equal(fs->ops->list(fs, "/e", add_name, names), -ENOENT);
    assert_int_equal(open_file(fs, "/d", FS_READ), -EISDIR);
    assert_int_equal(open_file(fs, "/d/a", FS_READ | FS_CREATE | FS_EXCLUSIVE), -EEXIST);
}

static void renaming_replaces(void **state)
{
    const struct fs *fs = fs_memory_fs(*state);
    int a = open_file(fs, "/a", FS_READ | FS_WRITE | FS_CREATE);
    int b = open_file(fs, "/b", FS_WRITE | FS_CREATE);
    int64_t size = 0;

    assert_int_equal(write_at(fs, a, "xyz", 3, 0), 0);
    assert_int_equal(fs->ops->close(fs, b), 0);
    assert_int_equal(fs->ops->rename_new(fs, "/a", "/b"), -EEXIST);
    assert_int_equal(fs->ops->rename(fs, "/a", "/b"), 0);
    assert_int_equal(fs->ops->rename_new(fs, "/b", "/a"), 0);
    assert_int_equal(fs->ops->rename_new(fs, "/a", "/b"), 0);
    assert_int_equal(fs->ops->rename(fs, "/a", "/c"), -ENOENT);
    assert_int_equal(fs->ops->close(fs, a), 0);
    b = open_file(fs, "/b", FS_READ);
    assert_int_equal(fs->ops->size(fs, b, &size), 0);
    assert_int_equal(size, 3);
    assert_int_equal(fs->ops->close(fs, b), 0);
}

static void a_lock_is_one_handles(void **state)
{
    const struct fs *fs = fs_memory_fs(*state);
    int a = open_file(fs, "/lock", FS_WRITE | FS_CREATE);
    int b = open_file(fs, "/lock", FS_WRITE | FS_CREATE);

    assert_int_equal(fs->ops->lock(fs, a), 0);
    assert_int_equal(fs->ops->lock(fs, b), -EWOULDBLOCK);
    assert_int_equal(fs->ops->close(fs, a), 0);
    assert_int_equal(fs->ops->lock(fs, b), 0);
    assert_int_equal(fs->ops->close(fs, b), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read_across_blocks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_no_room_past_the_cap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_without_a_name_lives_while_it_is_open, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_folder_lists_its_own_names_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(renaming_replaces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lock_is_one_handles, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("base/fs_memory", tests, NULL, NULL);
}
