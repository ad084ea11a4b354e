/* No crash, no lane and no failed write loses or doubles a line of a file. */
#include "file_roll_bench.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- short lines ---- */

static const struct file_kind csv = {FORMAT_CSV, PACKING_NONE};

/* Every row that was given is in the files, once. */
static void assert_all_once(struct roll_fixture *f)
{
    int counts[ROWS_MAX] = {0};
    struct roll_names names;

    roll_list(f, &names);
    roll_count_rows(f, &names, counts);
    for (int i = 0; i < f->given; i++) {
        assert_int_equal(counts[i], 1);
    }
}

/* Lines refer to those of their own spool only, whoever wrote before them and began it. */
static void lanes_share_a_spool(void **state)
{
    struct sink *lanes[2];
    struct roll_fixture f;

    (void)state;
    roll_init(&f, csv);
    f.shortens = true;
    assert_true(roll_open_sink(&f));
    lanes[0] = f.sink;
    f.sink = NULL;
    assert_true(roll_open_sink(&f));
    lanes[1] = f.sink;
    for (int i = 0; i < 12; i++) {
        f.sink = lanes[i % 3 == 0];
        roll_deliver(&f, 2);
        assert_int_equal(f.out.settled, 2);
        if (i == 5) {
            fake_clock_advance_ms(&f.clock, HOUR_NS / NS_PER_MS);
        } else if (i == 8) {
            f.sink = lanes[0];
            assert_true(roll_flush(&f));
        }
    }
    assert_true(roll_flush(&f));
    assert_all_once(&f);
    sink_close(lanes[0]);
    f.sink = lanes[1];
    roll_release(&f);
}

/* A failed write takes lines back: nothing refers to them. */
static void lines_that_were_taken_back_are_no_models(void **state)
{
    (void)state;
    for (unsigned at = 1; at < 12; at++) {
        struct roll_fixture f;
        roll_init(&f, csv);
        f.shortens = true;
        assert_true(roll_open_sink(&f));
        simfs_fail(f.simfs, SIMFS_CALL_CHANGE, at, 1, EIO);
        for (int i = 0; i < 3; i++) {
            roll_deliver(&f, 2);
            if (f.out.settled == 0) {
                f.given -= 2;
            }
        }
        roll_deliver(&f, 2);
        assert_int_equal(f.out.settled, 2);
        assert_true(roll_flush(&f));
        assert_all_once(&f);
        roll_release(&f);
    }
}

/* What an earlier version left in the spool, and in its lock, goes into the file with what comes. */
static void an_older_spool_is_gone_on_with(void **state)
{
    static const char was[] =
        "{\"kind\":\"sample\",\"timestamp\":\"2024-01-15T10:29:00Z\",\"name\":\"x\","
        "\"labels\":{},\"value\":40}\n";
    struct roll_fixture f;
    struct roll_names names;
    int counts[ROWS_MAX] = {0};

    (void)state;
    roll_init(&f, csv);
    f.shortens = true;
    assert_true(roll_open_sink(&f));
    simfs_put(f.simfs, "out/.x.active", STR(was));
    simfs_put(f.simfs, "out/.x.lock", STR("01705311000000000000\n"));
    roll_deliver(&f, 3);
    assert_true(roll_flush(&f));
    roll_list(&f, &names);
    assert_true(roll_has(&names, "x-20240115T093000Z.csv"));
    roll_count_rows(&f, &names, counts);
    assert_int_equal(counts[40], 1);
    assert_int_equal(counts[2], 1);
    roll_release(&f);
}

/* ---- crashes ---- */

/* Two files and a stop; false once a call was the last. */
static void run(struct roll_fixture *f)
{
    if (!roll_open_sink(f)) {
        return;
    }
    roll_deliver(f, 2);
    roll_deliver(f, 1);
    fake_clock_advance_ms(&f->clock, (HOUR_NS) / NS_PER_MS);
    roll_deliver(f, 3);
    (void)roll_flush(f);
}

/* After the crash: a start, a stop, and all that was acknowledged is there once. */
static void check_after_crash(struct roll_fixture *f, unsigned at)
{
    struct roll_names names;
    int counts[ROWS_MAX] = {0};

    fake_clock_advance_ms(&f->clock, (60 * NS_PER_S) / NS_PER_MS);
    if (!roll_open_sink(f) || !roll_flush(f)) {
        fail_msg("call %u: cannot go on", at);
    }
    roll_list(f, &names);
    roll_count_rows(f, &names, counts);
    for (int i = 0; i < f->given && roll_is_countable(f); i++) {
        if (counts[i] > 1 || (f->kept[i] && counts[i] != 1)) {
            fail_msg("call %u: row %d is there %d times", at, i, counts[i]);
        }
    }
    if (roll_check_index(f) != roll_visible(&names)) {
        fail_msg("call %u: the index is not of all files", at);
    }
    for (size_t i = 0; i < names.count; i++) {
        assert_null(strstr(names.names[i], ".sealing-"));
        assert_null(strstr(names.names[i], ".making"));
    }
}

static void crash_everywhere(struct file_kind kind, enum simfs_loss loss, bool shortens)
{
    bool goes_on = true;

    for (unsigned at = 1; goes_on; at++) {
        struct roll_fixture f;
        roll_init(&f, kind);
        f.shortens = shortens;
        simfs_stop_at(f.simfs, at);
        run(&f);
        goes_on = simfs_is_stopped(f.simfs);
        sink_close(f.sink);
        f.sink = NULL;
        simfs_crash(f.simfs, loss);
        check_after_crash(&f, at);
        roll_release(&f);
        assert_true(at < 1000);
    }
}

static const struct file_kind kinds[] = {
    {FORMAT_JSONL, PACKING_NONE}, {FORMAT_JSONL, PACKING_GZIP},   {FORMAT_JSONL, PACKING_ZSTD},
    {FORMAT_CSV, PACKING_NONE},   {FORMAT_PARQUET, PACKING_NONE},
};

/* A kill: what was written stays. */
static void a_kill_at_any_call_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        crash_everywhere(kinds[i], SIMFS_KEEP_ALL, false);
        crash_everywhere(kinds[i], SIMFS_KEEP_ALL, true);
    }
}

static void a_power_cut_at_any_call_loses_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        crash_everywhere(kinds[i], SIMFS_LOSE_ALL, false);
        crash_everywhere(kinds[i], SIMFS_LOSE_ALL, true);
        crash_everywhere(kinds[i], SIMFS_BY_CHANCE, false);
        crash_everywhere(kinds[i], SIMFS_BY_CHANCE, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_share_a_spool),
        cmocka_unit_test(lines_that_were_taken_back_are_no_models),
        cmocka_unit_test(an_older_spool_is_gone_on_with),
        cmocka_unit_test(a_kill_at_any_call_loses_nothing),
        cmocka_unit_test(a_power_cut_at_any_call_loses_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
