#include "base/fs.h"

#include "base/attr.h"
#include "base/mem.h"
#include "fake/simfs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct place {
    char folder[64];
    char file[96];
};

static int make_place(void **state)
{
    struct place *p = mem_new(struct place);

    (void)snprintf(p->folder, sizeof(p->folder), "/tmp/telex-fs-XXXXXX");
    if (mkdtemp(p->folder) == NULL) {
        return -1;
    }
    (void)snprintf(p->file, sizeof(p->file), "%s/file", p->folder);
    *state = p;
    return 0;
}

static void remove_entry(void *arg, const char *name)
{
    const struct place *p = arg;
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/%s", p->folder, name);
    if (unlink(path) != 0) {
        (void)rmdir(path);
    }
}

static int remove_place(void **state)
{
    const struct fs *fs = fs_system();
    struct place *p = *state;

    (void)fs->ops->list(fs, p->folder, remove_entry, p);
    (void)rmdir(p->folder);
    mem_free(p);
    return 0;
}

static void many_parts_are_written_whole(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    struct iovec parts[300];
    char bytes[300];
    char got[400];
    size_t len = 0;
    int64_t size = 0;
    int fd = -1;

    for (int i = 0; i < 300; i++) {
        bytes[i] = (char)('a' + i % 26);
        parts[i] = (struct iovec){.iov_base = &bytes[i], .iov_len = i % 7 == 0 ? 0 : 1};
    }
    assert_int_equal(fs->ops->open(fs, p->file, FS_READ | FS_WRITE | FS_CREATE, &fd), 0);
    assert_int_equal(fs->ops->pwritev(fs, fd, parts, 300, 5), 0);
    assert_int_equal(fs->ops->sync(fs, fd), 0);
    assert_int_equal(fs->ops->size(fs, fd, &size), 0);
    assert_int_equal(size, 5 + 257);
    assert_int_equal(fs->ops->pread(fs, fd, got, sizeof(got), 5, &len), 0);
    assert_int_equal(len, 257);
    for (int i = 0, at = 0; i < 300; i++) {
        if (i % 7 != 0) {
            assert_int_equal(got[at++], bytes[i]);
        }
    }
    assert_int_equal(fs->ops->truncate(fs, fd, 3), 0);
    assert_int_equal(fs->ops->pread(fs, fd, got, sizeof(got), 0, &len), 0);
    assert_int_equal(len, 3);
    assert_int_equal(fs->ops->close(fs, fd), 0);
}

static void flags_mean_what_they_say(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    struct iovec part = {.iov_base = (char[]){"x"}, .iov_len = 1};
    int fd = -1;

    assert_int_equal(fs->ops->open(fs, p->file, FS_READ, &fd), -ENOENT);
    assert_int_equal(fd, -1);
    assert_int_equal(fs->ops->open(fs, p->file, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &fd), 0);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    assert_int_equal(fs->ops->open(fs, p->file, FS_WRITE | FS_CREATE | FS_EXCLUSIVE, &fd), -EEXIST);
    assert_int_equal(fs->ops->open(fs, p->file, FS_READ, &fd), 0);
    assert_int_equal(fs->ops->pwritev(fs, fd, &part, 1, 0), -EBADF);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    assert_int_equal(fs->ops->open(fs, p->file, FS_READ | FS_DIRECTORY, &fd), -ENOTDIR);
    assert_int_equal(fs->ops->mkdir(fs, p->folder), 0);
    assert_int_equal(fs->ops->mkdir(fs, p->file), -EEXIST);
}

static void lock_keeps_others_out(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    int first = -1;
    int second = -1;

    assert_int_equal(fs->ops->open(fs, p->file, FS_WRITE | FS_CREATE, &first), 0);
    assert_int_equal(fs->ops->open(fs, p->file, FS_WRITE, &second), 0);
    assert_int_equal(fs->ops->lock(fs, first), 0);
    assert_int_equal(fs->ops->lock(fs, second), -EWOULDBLOCK);
    assert_int_equal(fs->ops->close(fs, first), 0);
    assert_int_equal(fs->ops->lock(fs, second), 0);
    assert_int_equal(fs->ops->close(fs, second), 0);
}

static void replace_is_all_or_nothing(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    AUTO(buf_release) struct buf got = BUF_INIT(100);
    struct err e = ERR_INIT;
    char missing[128];

    assert_true(fs_replace_file(fs, str_of(p->file), STR("one"), &e));
    assert_true(fs_replace_file(fs, str_of(p->file), STR("second"), &e));
    assert_true(fs_read_file(fs, str_of(p->file), 100, &got, &e));
    assert_string_equal(buf_text(&got), "second");
    assert_true(fs_replace_file(fs, str_of(p->file), STR(""), &e));
    buf_clear(&got);
    assert_true(fs_read_file(fs, str_of(p->file), 100, &got, &e));
    assert_int_equal(got.len, 0);
    (void)snprintf(missing, sizeof(missing), "%s/none/file", p->folder);
    assert_false(fs_replace_file(fs, str_of(missing), STR("x"), &e));
    assert_int_equal(e.code, ERR_IO);
    assert_false(fs_replace_file(fs, STR("a\0b"), STR("x"), &e));
    assert_false(fs_replace_file(fs, STR(""), STR("x"), &e));
}

/* A new file never takes another's place, whether the folder can rename so or not. */
static void a_new_file_replaces_none(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    AUTO(buf_release) struct buf got = BUF_INIT(100);
    struct fs_replace r;
    struct err e = ERR_INIT;
    char temporary[128];

    (void)snprintf(temporary, sizeof(temporary), "%s/.new", p->folder);
    assert_true(fs_replace_begin_new(&r, fs, str_of(p->file), str_of(temporary), &e));
    fs_replace_add(&r, STR("one"));
    assert_true(fs_replace_commit(&r, &e));
    assert_true(fs_replace_begin_new(&r, fs, str_of(p->file), str_of(temporary), &e));
    fs_replace_add(&r, STR("second"));
    assert_false(fs_replace_commit(&r, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_true(fs_read_file(fs, str_of(p->file), 100, &got, &e));
    assert_string_equal(buf_text(&got), "one");
    assert_int_equal(access(temporary, F_OK), -1);
    assert_true(fs_replace_file(fs, str_of(temporary), STR("another's"), &e));
    assert_false(fs_replace_begin_new(&r, fs, str_of(p->file), str_of(temporary), &e));
}

static void reading_is_capped(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;
    static char bytes[10000];

    assert_true(fs_replace_file(fs, str_of(p->file), str_make(bytes, sizeof(bytes)), &e));
    buf_add_text(&got, "kept");
    assert_false(fs_read_file(fs, str_of(p->file), sizeof(bytes) - 1, &got, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_string_equal(buf_text(&got), "kept");
    assert_true(fs_read_file(fs, str_of(p->file), sizeof(bytes), &got, &e));
    assert_int_equal(got.len, 4 + sizeof(bytes));
    assert_false(fs_read_file(fs, STR("/nonexistent"), 1, &got, &e));
    assert_int_equal(e.code, ERR_IO);
}

static void paths_are_made(void **state)
{
    const struct place *p = *state;
    const struct fs *fs = fs_system();
    struct err e = ERR_INIT;
    char path[128];
    int64_t free_bytes = 0;

    (void)snprintf(path, sizeof(path), "%s/a//b/", p->folder);
    assert_true(fs_make_path(fs, str_of(path), &e));
    assert_true(fs_make_path(fs, str_of(path), &e));
    assert_int_equal(fs->ops->free_bytes(fs, path, &free_bytes), 0);
    assert_true(free_bytes > 0);
    (void)rmdir(path);
    assert_true(fs_replace_file(fs, str_of(p->file), STR("x"), &e));
    (void)snprintf(path, sizeof(path), "%s/b", p->file);
    assert_false(fs_make_path(fs, str_of(path), &e));
    assert_int_equal(fs_sync_folder(fs, p->folder), 0);
    assert_int_equal(fs_sync_folder(fs, "/nonexistent"), -ENOENT);
}

static void made_paths_survive_a_power_cut(void **state)
{
    struct simfs *sim = simfs_new(1);
    const struct fs *fs = simfs_fs(sim);
    struct err e = ERR_INIT;
    static const char *const made[] = {"/a", "/a/b", "/a/b/c"};

    (void)state;
    assert_true(fs_make_path(fs, STR("/a/b/c"), &e));
    simfs_crash(sim, SIMFS_LOSE_ALL);
    for (size_t i = 0; i < ARRAY_LEN(made); i++) {
        int fd = -1;
        assert_int_equal(fs->ops->open(fs, made[i], FS_READ | FS_DIRECTORY, &fd), 0);
    }
    simfs_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_parts_are_written_whole, make_place, remove_place),
        cmocka_unit_test_setup_teardown(flags_mean_what_they_say, make_place, remove_place),
        cmocka_unit_test_setup_teardown(lock_keeps_others_out, make_place, remove_place),
        cmocka_unit_test_setup_teardown(replace_is_all_or_nothing, make_place, remove_place),
        cmocka_unit_test_setup_teardown(a_new_file_replaces_none, make_place, remove_place),
        cmocka_unit_test_setup_teardown(reading_is_capped, make_place, remove_place),
        cmocka_unit_test_setup_teardown(paths_are_made, make_place, remove_place),
        cmocka_unit_test(made_paths_survive_a_power_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
