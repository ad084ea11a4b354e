/*
 * Files of format version 1 as they were released, in the folders of tests/golden/log: they must stay readable, and what is
 * written today under the same circumstances must be the same bytes as in the newest folder.
 *
 * That was written by this test with TELEX_WRITE_GOLDEN set; a format that differs gets a folder of its own and leaves the
 * older ones as they are. v1 is from before sealed segments had sums.
 */
#include "kit.h"

#include "fake/clock.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const files[] = {
    "0000000000000001.segment", /* sealed when it was full */
    "0000000000000002.segment", /* without footer, as a kill leaves it */
    "consumers",
    "cursors",
};
static const char *const folders[] = {"v1", "v1-sums"};
static const char newest[] = "v1-sums";
enum { FILES = 4, FRAMES = 20, SEGMENT_BYTES = 3200 };

struct golden {
    struct kit k;
    struct fake_clock clock;
};

static void golden_init(struct golden *g)
{
    kit_init(&g->k, 20260101);
    fake_clock_init(&g->clock, INT64_C(1767225600) * NS_PER_S, NS_PER_S);
    g->k.env.clock = &g->clock.clock;
    g->k.options.segment_bytes = SEGMENT_BYTES;
}

static void source_path(const char *folder, const char *file, char out[512])
{
    const char *root = getenv("TELEX_SOURCE_ROOT");

    (void)snprintf(out, 512, "%s/tests/golden/log/%s/%s", root != NULL ? root : ".", folder, file);
}

static void log_file_path(const char *file, char out[SIMFS_PATH])
{
    (void)snprintf(out, SIMFS_PATH, "/log/%s", file);
}

/* The run that made the files. */
static void write_log(struct golden *g)
{
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    kit_open(&g->k);
    unsigned first = kit_consumer(&g->k, "first");
    unsigned second = kit_consumer(&g->k, "second \xC3\xA9");
    assert_true(log_cursor_sync(g->k.log, kit_forever, &e));
    for (uint64_t n = 1; n <= FRAMES; n++) {
        fake_clock_advance_ms(&g->clock, 1);
        assert_true(kit_append(&g->k, n, UINT64_C(1) << (n % 2 ? first : second), &seq));
        if (n == 5) {
            log_cursor_set(g->k.log, first, 5);
            assert_true(log_cursor_sync(g->k.log, kit_forever, &e));
        }
    }
}

static void load(const char *folder, const char *file, struct buf *out)
{
    char path[512];
    struct err e = ERR_INIT;

    source_path(folder, file, path);
    if (!fs_read_file(fs_system(), str_of(path), 1 << 20, out, &e)) {
        fail_msg("%s", e.message);
    }
}

static void save(struct golden *g)
{
    for (size_t i = 0; i < FILES; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        char path[512];
        char from[SIMFS_PATH];
        struct err e = ERR_INIT;
        log_file_path(files[i], from);
        source_path(newest, files[i], path);
        assert_true(simfs_peek(g->k.sim, from, &bytes));
        assert_true(fs_replace_file(fs_system(), str_of(path), buf_str(&bytes), &e));
    }
}

static void todays_bytes_are_the_same(void **state)
{
    (void)state;
    struct golden g;

    golden_init(&g);
    write_log(&g);
    if (getenv("TELEX_WRITE_GOLDEN") != NULL) {
        save(&g);
    }
    for (size_t i = 0; i < FILES; i++) {
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        char path[SIMFS_PATH];
        load(newest, files[i], &want);
        log_file_path(files[i], path);
        assert_true(simfs_peek(g.k.sim, path, &got));
        if (!str_eq(buf_str(&want), buf_str(&got))) {
            fail_msg("%s is not written as format version 1 has it", files[i]);
        }
    }
    kit_release(&g.k);
}

static void read_released(const char *folder)
{
    static struct kit_numbers got;
    struct golden g;

    golden_init(&g);
    for (size_t i = 0; i < FILES; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        char path[SIMFS_PATH];
        load(folder, files[i], &bytes);
        log_file_path(files[i], path);
        simfs_put(g.k.sim, path, buf_str(&bytes));
    }
    kit_open(&g.k);
    assert_int_equal(g.k.report.segments, 2);
    assert_int_equal(g.k.report.segments_scanned, 1);
    assert_int_equal(g.k.report.frames, FRAMES);
    assert_int_equal(g.k.report.damaged_ranges, 0);
    assert_int_equal(g.k.report.torn_bytes, 0);
    unsigned first = kit_consumer(&g.k, "first");
    unsigned second = kit_consumer(&g.k, "second \xC3\xA9");
    assert_int_equal(log_cursor_get(g.k.log, first), 5);
    assert_int_equal(log_cursor_get(g.k.log, second), 0);
    kit_read_all(&g.k, UINT64_MAX, &got);
    assert_int_equal(got.len, FRAMES);
    for (size_t i = 0; i < FRAMES; i++) {
        assert_int_equal(got.items[i], i + 1);
    }
    kit_read_all(&g.k, UINT64_C(1) << second, &got);
    assert_int_equal(got.len, FRAMES / 2);
    assert_true(log_pending(g.k.log, second) >= FRAMES / 2);
    assert_true(log_owed_bytes(g.k.log, second) > 0);
    kit_release(&g.k);
}

static void released_files_are_readable(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        read_released(folders[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(todays_bytes_are_the_same),
        cmocka_unit_test(released_files_are_readable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
