/* Files one after the other: when they end, what they are called, and what becomes of lines that are no rows. */
#include "file_roll_bench.h"

#include "base/trace.h"
#include "export/file_seal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* ---- tests ---- */

static const struct file_kind plain = {FORMAT_JSONL, PACKING_NONE};

static void a_file_ends_with_the_hour(void **state)
{
    AUTO(buf_release) struct buf index = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf first = BUF_INIT(BUF_UNLIMITED);
    struct roll_fixture f;
    struct roll_names names;

    (void)state;
    roll_init(&f, plain);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 2);
    fake_clock_advance_ms(&f.clock, (29 * 60 * NS_PER_S) / NS_PER_MS);
    roll_deliver(&f, 1);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 0);
    fake_clock_advance_ms(&f.clock, (60 * NS_PER_S) / NS_PER_MS);
    roll_deliver(&f, 1); /* 11:00 */
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 1);
    assert_true(roll_peek(&f, "x-20240115T103000Z.jsonl", &first));
    assert_string_equal(buf_text(&first), "{\"timestamp\":\"2024-01-15T10:30:00Z\",\"row\":0}\n"
                                          "{\"timestamp\":\"2024-01-15T10:30:01Z\",\"row\":1}\n"
                                          "{\"timestamp\":\"2024-01-15T10:30:02Z\",\"row\":2}\n");
    assert_true(roll_peek(&f, ".x.index.jsonl", &index));
    assert_non_null(strstr(buf_text(&index),
                           "{\"name\":\"x-20240115T103000Z.jsonl\",\"format\":\"jsonl\","
                           "\"compression\":\"none\",\"records\":3,\"bytes\":135,\"from\":\"2024-"
                           "01-15T10:30:00Z\",\"to\":\"2024-01-15T10:30:02Z\",\"sha256\":\""));
    assert_true(roll_flush(&f));
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 2);
    assert_int_equal(roll_check_index(&f), 2);
    assert_true(roll_has(&names, "x-20240115T110000Z.jsonl"));
    roll_release(&f);
}

/* Nothing comes: a probe closes and seals. */
static void a_file_ends_in_idleness(void **state)
{
    struct roll_fixture f;
    struct roll_names names;
    struct err e = ERR_INIT;

    (void)state;
    roll_init(&f, plain);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 2);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    assert_int_equal(sink_probe(f.sink, (struct wait){DEADLINE_NEVER, NULL}, &e), PROBED_THERE);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 1);
    roll_release(&f);
}

/* Without health checks the sink says when it wants to be woken, and need not be asked anything else. */
static void a_file_ends_by_the_clock(void **state)
{
    const struct wait wait = {DEADLINE_NEVER, NULL};
    struct roll_fixture f;
    struct roll_names names;

    (void)state;
    roll_init(&f, plain);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 2);
    int64_t now_ns = clock_mono_ns(&f.clock.clock);
    assert_int_equal(sink_tend(f.sink, wait), now_ns + 30 * NS_PER_S);
    fake_clock_advance_ms(&f.clock, (HOUR_NS / 2 - 10 * NS_PER_S) / NS_PER_MS); /* 10:59:50 */
    now_ns = clock_mono_ns(&f.clock.clock);
    assert_int_equal(sink_tend(f.sink, wait), now_ns + 10 * NS_PER_S);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 0);
    fake_clock_advance_ms(&f.clock, 10 * NS_PER_S / NS_PER_MS);
    (void)sink_tend(f.sink, wait);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 1);
    roll_release(&f);
}

static void a_file_ends_by_size(void **state)
{
    struct roll_fixture f;
    struct roll_names names;
    int counts[ROWS_MAX] = {0};

    (void)state;
    roll_init(&f, plain);
    f.roll.by_time = false;
    f.roll.by_size = true;
    assert_true(roll_open_sink(&f));
    for (int i = 0; i < 7; i++) { /* 46 bytes each: three to a file */
        roll_deliver(&f, 1);
    }
    assert_true(roll_flush(&f));
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 3);
    assert_true(roll_has(&names, "x-20240115T103000Z.jsonl"));
    assert_true(roll_has(&names, "x-20240115T103000Z-1.jsonl"));
    assert_true(roll_has(&names, "x-20240115T103000Z-2.jsonl"));
    roll_count_rows(&f, &names, counts);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(counts[i], 1);
    }
    roll_release(&f);
}

/* A spool goes on after a restart, and keeps when it began. */
static void a_spool_outlives_a_restart(void **state)
{
    struct roll_fixture f;
    struct roll_names names;

    (void)state;
    roll_init(&f, plain);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 1);
    fake_clock_advance_ms(&f.clock, (10 * 60 * NS_PER_S) / NS_PER_MS);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 1);
    assert_true(roll_flush(&f));
    roll_list(&f, &names);
    assert_true(roll_has(&names, "x-20240115T103000Z.jsonl"));
    assert_int_equal(roll_visible(&names), 1);
    roll_release(&f);
}

/* Somebody else's file of the name, also one that comes while ours is made. */
static void no_file_is_overwritten(void **state)
{
    AUTO(buf_release) struct buf theirs = BUF_INIT(BUF_UNLIMITED);
    struct roll_fixture f;
    struct roll_names names;
    struct err e = ERR_INIT;

    (void)state;
    roll_init(&f, plain);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/x-20240115T103000Z.jsonl", STR("theirs\n"));
    simfs_put(f.simfs, "out/.x.sealing-x-20240115T103000Z-1.jsonl", STR("{\"row\":9}\n"));
    simfs_put(f.simfs, "out/x-20240115T103000Z-1.jsonl", STR("theirs too\n"));
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 1);
    assert_true(roll_flush(&f));
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 4);
    assert_true(roll_peek(&f, "x-20240115T103000Z.jsonl", &theirs));
    assert_string_equal(buf_text(&theirs), "theirs\n");
    buf_clear(&theirs);
    assert_true(roll_peek(&f, "x-20240115T103000Z-1.jsonl", &theirs));
    assert_string_equal(buf_text(&theirs), "theirs too\n");
    assert_int_equal(roll_check_index(&f), 2);
    roll_release(&f);
}

/* Does a file of the folder that others see hold just <text>? */
static bool is_there(struct roll_fixture *f, const char *text)
{
    struct roll_names names;

    roll_list(f, &names);
    for (size_t i = 0; i < names.count; i++) {
        AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
        if (names.names[i][0] != '.' && roll_peek(f, names.names[i], &bytes) &&
            strcmp(buf_text(&bytes), text) == 0) {
            return true;
        }
    }
    return false;
}

/* Two exporters complete files of one name at the same time, <ahead> steps apart: each has its own. */
static void complete_together(unsigned ahead)
{
    struct roll_fixture f;
    struct file_seal *seals[2] = {NULL, NULL};
    struct file_seal_config configs[2];
    struct roll_names names;
    struct err e = ERR_INIT;
    bool done[2] = {false, false};

    roll_init(&f, plain);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/.a.sealing-p.jsonl", STR("{\"of\":\"a\"}\n"));
    simfs_put(f.simfs, "out/.b.sealing-p.jsonl", STR("{\"of\":\"b, longer\"}\n"));
    for (unsigned i = 0; i < 2; i++) {
        configs[i] = (struct file_seal_config){
            .fs = simfs_fs(f.simfs), .folder = "out", .hidden = i == 0 ? STR(".a") : STR(".b")};
    }
    for (unsigned step = 0; !done[0] || !done[1]; step++) {
        for (unsigned i = 0; i < 2; i++) {
            bool begins = seals[i] == NULL && step >= i * ahead;
            assert_true(!begins ||
                        file_seal_open(&configs[i], STR("p.jsonl"), false, &seals[i], &e));
            assert_true(seals[i] == NULL || done[i] || file_seal_step(seals[i], &done[i], &e));
        }
        assert_true(step < 100);
    }
    file_seal_close(seals[0]);
    file_seal_close(seals[1]);
    assert_true(is_there(&f, "{\"of\":\"a\"}\n"));
    assert_true(is_there(&f, "{\"of\":\"b, longer\"}\n"));
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 2);
    assert_int_equal(names.count, 4); /* and two indexes */
    roll_release(&f);
}

static void exporters_of_one_folder_keep_their_files(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 6; ahead++) {
        complete_together(ahead);
    }
}

/* Lines that cannot be rows are kept beside the file, whatever call a crash ends. */
static void lines_that_are_no_rows_are_kept(void **state)
{
    static const char spool[] = "{\"row\":1}\n{\"row\":\nnothing\n{\"row\":2}\n";
    bool goes_on = true;

    (void)state;
    for (unsigned at = 1; goes_on; at++) {
        AUTO(buf_release) struct buf kept = BUF_INIT(BUF_UNLIMITED);
        struct roll_fixture f;
        struct roll_names names;
        struct err e = ERR_INIT;
        roll_init(&f, (struct file_kind){FORMAT_CSV, PACKING_NONE});
        assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
        simfs_put(f.simfs, "out/.x.sealing-p.csv", STR(spool));
        simfs_put(f.simfs, "out/p.csv", STR("theirs\n"));
        simfs_stop_at(f.simfs, at);
        (void)(roll_open_sink(&f) && roll_flush(&f));
        goes_on = simfs_is_stopped(f.simfs);
        sink_close(f.sink);
        f.sink = NULL;
        simfs_crash(f.simfs, SIMFS_KEEP_ALL);
        assert_true(roll_open_sink(&f) && roll_flush(&f));
        assert_true(roll_peek(&f, ".x.left_out-p-1.csv.jsonl", &kept));
        assert_string_equal(buf_text(&kept), "{\"row\":\nnothing\n");
        roll_list(&f, &names);
        assert_int_equal(roll_visible(&names), 2);
        assert_false(roll_has(&names, ".x.left_out-p.csv.jsonl"));
        assert_false(roll_has(&names, ".x.making-left_out"));
        assert_false(roll_has(&names, ".x.sealing-p-1.csv"));
        roll_release(&f);
        assert_true(at < 100);
    }
}

/* While the disk is too full to seal, lines are delivered; later the file is made. */
static void a_full_disk_keeps_the_spool(void **state)
{
    struct roll_fixture f;
    struct roll_names names;
    int counts[ROWS_MAX] = {0};

    (void)state;
    roll_init(&f, plain);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 10);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    simfs_set_capacity(f.simfs, 460 + 21 + 46 + 200); /* not for a second copy */
    roll_deliver(&f, 1);
    assert_int_equal(f.out.settled, 1);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 0);
    simfs_set_capacity(f.simfs, 1 << 20);
    roll_deliver(&f, 1); /* too early to try again */
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 0);
    fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
    roll_deliver(&f, 1);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 1);
    assert_int_equal(roll_check_index(&f), 1);
    roll_count_rows(&f, &names, counts);
    assert_int_equal(counts[9], 1);
    roll_release(&f);
}

/* The spool has its name, and then the folder cannot be synced, or its copy written: it is not forgotten. */
static void a_renamed_spool_is_not_forgotten(void **state)
{
    for (unsigned nth = 1; nth < 12; nth++) {
        struct roll_fixture f;
        struct roll_names names;
        int counts[ROWS_MAX] = {0};
        (void)state;
        roll_init(&f, plain);
        assert_true(roll_open_sink(&f));
        roll_deliver(&f, 1);
        simfs_put(f.simfs, "out/x-20240115T103000Z.jsonl", STR("")); /* comes while ours is made */
        fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
        simfs_fail(f.simfs, SIMFS_CALL_SYNC, nth, 1, EIO);
        roll_deliver(&f, 1);
        for (int i = 0; i < 4; i++) {
            fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
            roll_deliver(&f, 1);
        }
        roll_list(&f, &names);
        roll_count_rows(&f, &names, counts);
        for (int i = 0; i < f.given; i++) {
            assert_true(counts[i] <= 1);
        }
        assert_int_equal(counts[0], 1);
        assert_true(roll_flush(&f));
        roll_list(&f, &names);
        for (size_t i = 0; i < names.count; i++) {
            assert_null(strstr(names.names[i], ".sealing-"));
        }
        roll_count_rows(&f, &names, memset(counts, 0, sizeof(counts)));
        for (int i = 0; i < f.given; i++) {
            assert_true(counts[i] == 1 || !f.kept[i]);
        }
        roll_release(&f);
    }
}

/* Somebody takes the name while ours is made, and then the disk is too full for another try. */
static void a_spool_of_another_name_is_not_forgotten(void **state)
{
    struct roll_fixture f;
    struct file_roll *roll;
    struct trace trace;
    const struct wait now = {DEADLINE_NEVER, NULL};
    struct roll_names names;
    struct err e = ERR_INIT;

    (void)state;
    roll_init(&f, plain);
    trace_init(&trace, NULL, "x", TRACE_ERROR);
    assert_true(fs_make_path(simfs_fs(f.simfs), STR("out"), &e));
    simfs_put(f.simfs, "out/.x.sealing-p.jsonl", STR("{\"row\":9}\n"));
    simfs_put(f.simfs, "out/p.jsonl", STR("theirs\n"));
    roll = file_roll_new(simfs_fs(f.simfs), STR("out"), STR("x"), &f.roll, &f.env, &trace);
    simfs_set_capacity(f.simfs, 10 + 7 + 5);
    assert_false(file_roll_work(roll, now));
    simfs_set_capacity(f.simfs, 1 << 20);
    fake_clock_advance_ms(&f.clock, (31 * NS_PER_S) / NS_PER_MS);
    assert_true(file_roll_work(roll, now));
    roll_list(&f, &names);
    assert_true(roll_has(&names, "p-1.jsonl"));
    assert_false(roll_has(&names, ".x.sealing-p-1.jsonl"));
    file_roll_free(roll);
    roll_release(&f);
}

/* Another lane seals: its lock is respected, and what it made is not made again. */
static void one_seals_at_a_time(void **state)
{
    struct roll_fixture f;
    struct roll_names names;
    const struct fs *fs;
    int fd = -1;

    (void)state;
    roll_init(&f, plain);
    fs = simfs_fs(f.simfs);
    assert_true(roll_open_sink(&f));
    roll_deliver(&f, 1);
    assert_int_equal(fs->ops->open(fs, "out/.x.sealing", FS_WRITE | FS_CREATE, &fd), 0);
    assert_int_equal(fs->ops->lock(fs, fd), 0);
    fake_clock_advance_ms(&f.clock, (HOUR_NS) / NS_PER_MS);
    roll_deliver(&f, 1);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 0);
    assert_int_equal(fs->ops->close(fs, fd), 0);
    fake_clock_advance_ms(&f.clock, (2 * NS_PER_S) / NS_PER_MS);
    roll_deliver(&f, 1);
    roll_list(&f, &names);
    assert_int_equal(roll_visible(&names), 1);
    roll_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_ends_with_the_hour),
        cmocka_unit_test(a_file_ends_in_idleness),
        cmocka_unit_test(a_file_ends_by_the_clock),
        cmocka_unit_test(a_file_ends_by_size),
        cmocka_unit_test(a_spool_outlives_a_restart),
        cmocka_unit_test(no_file_is_overwritten),
        cmocka_unit_test(exporters_of_one_folder_keep_their_files),
        cmocka_unit_test(lines_that_are_no_rows_are_kept),
        cmocka_unit_test(a_full_disk_keeps_the_spool),
        cmocka_unit_test(a_renamed_spool_is_not_forgotten),
        cmocka_unit_test(a_spool_of_another_name_is_not_forgotten),
        cmocka_unit_test(one_seals_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
