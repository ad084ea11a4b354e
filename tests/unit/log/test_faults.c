/*
 * A disk that is full, read-only or failing: appends say why and go on when it is well again, and what was acknowledged is
 * there.
 */
#include "kit.h"

#include "log/frame.h"

#include <errno.h>
#include <stdio.h>

/* The files "cursors", "consumers" and "reserve". */
enum { FILES_BYTES = 39040 + 64 * 1024 };

struct setup {
    struct kit k;
    uint64_t mask;
    unsigned bit;
};

static void setup_open(struct setup *s)
{
    struct err e = ERR_INIT;

    kit_init(&s->k, 11);
    s->k.options.segment_bytes = 4000;
    kit_open(&s->k);
    s->bit = kit_consumer(&s->k, "a");
    s->mask = UINT64_C(1) << s->bit;
    assert_true(log_cursor_sync(s->k.log, kit_ms(5000), &e)); /* the writer is idle now */
}

/* Appends frame <number> with little patience. */
static bool append(struct setup *s, uint64_t number, int64_t ms, struct err *e)
{
    char payload[KIT_PAYLOAD_MAX];
    size_t length = kit_payload(number, payload);
    struct iovec part = {payload, length};
    struct log_record record = {
        .type = 7, .flags = (uint16_t)number, .mask = s->mask, .parts = &part, .part_count = 1};
    uint64_t seq;

    return log_append(s->k.log, &record, kit_ms(ms), &seq, e);
}

static void expect_numbers(struct setup *s, const uint64_t *want, size_t count)
{
    static struct kit_numbers got;

    kit_read_all(&s->k, s->mask, &got);
    assert_int_equal(got.len, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(got.items[i], want[i]);
    }
}

static void a_full_disk_refuses_and_recovers(void **state)
{
    (void)state;
    static const uint64_t want[] = {1, 2, 5, 6};
    struct setup s;
    struct err e = ERR_INIT;
    struct log_status status;

    setup_open(&s);
    assert_true(append(&s, 1, 5000, &e));
    assert_true(append(&s, 2, 5000, &e));
    simfs_set_capacity(s.k.sim, (int64_t)FILES_BYTES + 600);
    assert_false(append(&s, 3, 50, &e));
    assert_int_equal(e.code, ERR_IO);
    assert_non_null(strstr(e.message, "No space left on device"));
    assert_false(append(&s, 4, 5, &e));
    simfs_set_capacity(s.k.sim, INT64_MAX);
    assert_true(append(&s, 5, 10000, &e));
    assert_true(append(&s, 6, 5000, &e));
    log_status(s.k.log, &status);
    assert_false(status.failing);
    expect_numbers(&s, want, 4); /* 3 and 4 were withdrawn */
    kit_close(&s.k);
    simfs_crash(s.k.sim, SIMFS_LOSE_ALL);
    kit_open(&s.k);
    expect_numbers(&s, want, 4);
    kit_release(&s.k);
}

/* Each error, at each kind of call, once and for a while: everything appended is there in the end, once. */
static void passing_errors_are_passed(void **state)
{
    (void)state;
    static const unsigned calls[] = {SIMFS_CALL_WRITE,  SIMFS_CALL_SYNC,     SIMFS_CALL_CREATE,
                                     SIMFS_CALL_RENAME, SIMFS_CALL_TRUNCATE, SIMFS_CALL_UNLINK,
                                     SIMFS_CALL_CHANGE};
    static const int errors[] = {EIO, ENOSPC, EROFS, EDQUOT};

    for (size_t c = 0; c < ARRAY_LEN(calls); c++) {
        for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
            struct setup s;
            struct err e = ERR_INIT;
            uint64_t want[30];
            setup_open(&s);
            simfs_fail(s.k.sim, calls[c], 3, 2, errors[i]);
            for (uint64_t n = 1; n <= ARRAY_LEN(want); n++) {
                want[n - 1] = n;
                assert_true(append(&s, n, 20000, &e));
            }
            expect_numbers(&s, want, ARRAY_LEN(want));
            kit_close(&s.k);
            simfs_crash(s.k.sim, SIMFS_LOSE_ALL);
            kit_open(&s.k);
            assert_int_equal(s.k.report.frames, ARRAY_LEN(want)); /* none twice */
            expect_numbers(&s, want, ARRAY_LEN(want));
            kit_release(&s.k);
        }
    }
}

static void goes_on_with_numbers(struct setup *s, uint64_t from, uint64_t to)
{
    struct err e = ERR_INIT;

    for (uint64_t n = from; n <= to; n++) {
        assert_true(append(s, n, 20000, &e));
    }
}

/* Too little is left for others: refused with both figures, and taken in again within a second or so. */
static void min_free_bytes_are_left_alone(void **state)
{
    (void)state;
    static const uint64_t want[] = {3}; /* 1 is done and gone, 2 was refused */
    struct setup s;
    struct err e = ERR_INIT;
    struct log_status status;

    kit_init(&s.k, 11);
    s.k.options.min_free_bytes = INT64_C(8) << 20;
    simfs_set_capacity(s.k.sim, INT64_C(9) << 20);
    kit_open(&s.k);
    s.bit = kit_consumer(&s.k, "a");
    s.mask = UINT64_C(1) << s.bit;
    goes_on_with_numbers(&s, 1, 1);
    kit_close(&s.k);
    simfs_set_capacity(s.k.sim, INT64_C(5) << 20);
    kit_open(&s.k);
    assert_true(log_cursor_sync(s.k.log, kit_ms(5000), &e));
    log_cursor_set(s.k.log, s.bit, 0);
    assert_int_equal(kit_consumer(&s.k, "a"), s.bit);
    assert_false(append(&s, 2, 50, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.message, "min_free_bytes keeps 8 MiB free"));
    log_status(s.k.log, &status);
    assert_true(status.low);
    assert_false(status.failing);
    log_cursor_set(s.k.log, s.bit, 1);
    assert_true(log_cursor_sync(s.k.log, kit_ms(5000), &e)); /* cursors move all the same */
    simfs_set_capacity(s.k.sim, INT64_C(9) << 20);
    assert_true(append(&s, 3, 20000, &e));
    log_status(s.k.log, &status);
    for (int i = 0; status.segments > 1 && i < 1000; i++) {
        (void)wait_sleep(kit_ms(2));
        log_status(s.k.log, &status);
    }
    expect_numbers(&s, want, 1);
    kit_release(&s.k);
}

/* The disk is full to the last byte and the file of cursors fails: the reserve makes room for a new one. */
static void cursors_move_on_a_full_disk(void **state)
{
    (void)state;
    struct setup s;
    struct err e = ERR_INIT;
    struct log_status status;

    setup_open(&s);
    goes_on_with_numbers(&s, 1, 60);
    log_status(s.k.log, &status);
    assert_true(status.segments > 2);
    simfs_set_capacity(s.k.sim, 1);
    simfs_fail(s.k.sim, SIMFS_CALL_WRITE, 1, 1, EIO); /* of a slot; a new file is made then */
    log_cursor_set(s.k.log, s.bit, log_durable_seq(s.k.log));
    simfs_set_capacity(s.k.sim, status.disk_bytes + FILES_BYTES);
    assert_true(log_cursor_sync(s.k.log, kit_ms(20000), &e));
    for (int i = 0; status.segments > 1 && i < 1000; i++) {
        assert_true(log_cursor_sync(s.k.log, kit_ms(5000), &e));
        (void)wait_sleep(kit_ms(5));
        log_status(s.k.log, &status);
    }
    assert_int_equal(status.segments, 1);
    kit_release(&s.k);
}

/* Whatever the disk does not give when the log is opened stays as it is, and all else is used. */
static void unreadable_places_are_neither_cut_nor_skipped(void **state)
{
    (void)state;
    static struct kit_numbers got;
    static const char path[] = "/log/0000000000000001.segment";
    AUTO(buf_release) struct buf before = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf after = BUF_INIT(BUF_UNLIMITED);
    struct setup s;
    uint64_t seq = 0;

    kit_init(&s.k, 11);
    kit_open(&s.k);
    s.bit = kit_consumer(&s.k, "a");
    s.mask = UINT64_C(1) << s.bit;
    goes_on_with_numbers(&s, 1, 60);
    simfs_stop_at(s.k.sim, 1); /* no footer */
    kit_close(&s.k);
    simfs_crash(s.k.sim, SIMFS_LOSE_ALL);
    assert_true(simfs_peek(s.k.sim, path, &before));
    assert_true(before.len > 9000);
    simfs_spoil(s.k.sim, path, 4096, 4608);
    kit_open(&s.k);
    assert_true(s.k.report.unreadable_bytes > 0);
    assert_true(s.k.report.frames > 20 && s.k.report.frames < 60);
    kit_read_all(&s.k, s.mask, &got);
    assert_int_equal(got.len, s.k.report.frames);
    assert_int_equal(got.items[0], 1);
    assert_int_equal(got.items[got.len - 1], 60);
    assert_true(kit_append(&s.k, 100, s.mask, &seq));
    assert_true(seq > 60);
    assert_true(simfs_peek(s.k.sim, path, &after));
    assert_true(str_eq(buf_str(&before), buf_str(&after)));
    kit_close(&s.k);
    simfs_spoil(s.k.sim, path, 0, 0); /* the disk was lucky: nothing is lost */
    kit_open(&s.k);
    kit_read_all(&s.k, s.mask, &got);
    assert_int_equal(got.len, 61);
    kit_release(&s.k);
}

/* When all that could be read is done the file is not removed but moved aside. */
static void what_could_not_be_read_is_kept(void **state)
{
    (void)state;
    static const char path[] = "/log/0000000000000001.segment";
    static const char aside[] = "/log/quarantine/0000000000000001.segment";
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct setup s;
    struct err e = ERR_INIT;
    const struct log_frame *f = NULL;
    int failures = 0;
    uint64_t seq = 0;

    setup_open(&s);
    goes_on_with_numbers(&s, 1, 60);
    kit_close(&s.k);
    simfs_spoil(s.k.sim, path, 1024, 1025);
    kit_open(&s.k);
    assert_true(kit_append(&s.k, 61, s.mask, &seq));
    struct log_reader *r = log_reader_new(s.k.log, 0, s.mask);
    for (uint64_t last = 0; last < seq;) {
        if (!log_reader_next(r, kit_ms(1000), &f, &e)) {
            failures++;
            continue;
        }
        last = f->seq;
        log_frame_drop(f);
    }
    assert_true(failures > 0 && failures < 10);
    log_reader_free(r);
    log_cursor_set(s.k.log, s.bit, seq);
    for (int i = 0; !simfs_peek(s.k.sim, aside, &bytes) && i < 2000; i++) {
        (void)wait_sleep(kit_ms(2));
    }
    assert_false(simfs_peek(s.k.sim, path, &bytes));
    kit_release(&s.k);
}

/* A header that the disk does not give: the rest of the log is used and the file left alone. */
static void an_unreadable_header_leaves_the_file(void **state)
{
    (void)state;
    static const char path[] = "/log/0000000000000002.segment";
    static const char cursors[] = "/log/cursors";
    static struct kit_numbers got;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct setup s;

    setup_open(&s);
    goes_on_with_numbers(&s, 1, 60);
    kit_close(&s.k);
    simfs_spoil(s.k.sim, path, 0, 64);
    kit_open(&s.k);
    assert_int_equal(s.k.report.segments_unreadable, 1);
    kit_read_all(&s.k, s.mask, &got);
    assert_true(got.len > 20 && got.len < 60);
    kit_close(&s.k);
    assert_true(simfs_peek(s.k.sim, path, &bytes));
    simfs_spoil(s.k.sim, path, 0, 0);
    simfs_spoil(s.k.sim, cursors, 0, 64);
    kit_open(&s.k);
    kit_read_all(&s.k, s.mask, &got);
    assert_int_equal(got.len, 60);
    assert_int_equal(s.k.report.cursors_lost, 1);
    kit_release(&s.k);
}

static void the_quarantine_is_bounded(void **state)
{
    (void)state;
    struct setup s;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    char old[1000];

    setup_open(&s);
    goes_on_with_numbers(&s, 1, 5);
    simfs_stop_at(s.k.sim, 1);
    kit_close(&s.k);
    simfs_crash(s.k.sim, SIMFS_LOSE_ALL);
    assert_true(simfs_peek(s.k.sim, "/log/0000000000000001.segment", &bytes));
    memset(old, 'x', sizeof(old));
    simfs_put(s.k.sim, "/log/quarantine/0000000000000000-128.damaged", str_make(old, 1000));
    simfs_put(s.k.sim, "/log/quarantine/0000000000000000-512.torn", str_make(old, 1000));
    bytes.ptr[bytes.len - 20] ^= 1;
    simfs_put(s.k.sim, "/log/0000000000000001.segment", buf_str(&bytes));
    s.k.options.quarantine_bytes = 1500;
    kit_open(&s.k);
    assert_true(s.k.report.torn_bytes > 0);
    assert_false(simfs_peek(s.k.sim, "/log/quarantine/0000000000000000-128.damaged", &bytes));
    assert_true(simfs_peek(s.k.sim, "/log/quarantine/0000000000000000-512.torn", &bytes));
    kit_release(&s.k);
}

static void a_lasting_error_does_not_hang_the_close(void **state)
{
    (void)state;
    static const uint64_t want[] = {1};
    struct setup s;
    struct err e = ERR_INIT;
    unsigned bit = 0;

    setup_open(&s);
    assert_true(append(&s, 1, 5000, &e));
    simfs_set_read_only(s.k.sim, true);
    assert_false(append(&s, 2, 20, &e));
    assert_non_null(strstr(e.message, "Read-only file system"));
    assert_false(log_consumer_add(s.k.log, STR("late"), &bit, &e));
    assert_int_equal(e.code, ERR_IO);
    log_cursor_set(s.k.log, s.bit, 1);
    assert_false(log_cursor_sync(s.k.log, kit_ms(20), &e));
    kit_close(&s.k);
    simfs_set_read_only(s.k.sim, false);
    kit_open(&s.k);
    expect_numbers(&s, want, 1);
    kit_release(&s.k);
}

/* A failed sync leaves the segment as it is; its successor says from where on it is void. */
static void a_failed_sync_begins_a_new_segment(void **state)
{
    (void)state;
    static const uint64_t want[] = {1, 2, 3};
    struct setup s;
    struct err e = ERR_INIT;
    struct log_status status;

    setup_open(&s);
    assert_true(append(&s, 1, 5000, &e));
    simfs_fail(s.k.sim, SIMFS_CALL_SYNC, 1, 1, EIO);
    assert_true(append(&s, 2, 5000, &e));
    assert_true(append(&s, 3, 5000, &e));
    log_status(s.k.log, &status);
    assert_int_equal(status.segments, 2);
    expect_numbers(&s, want, 3);
    kit_close(&s.k);
    kit_open(&s.k);
    assert_int_equal(s.k.report.segments_scanned, 1); /* the one without footer */
    assert_int_equal(s.k.report.frames, 3);
    assert_int_equal(s.k.report.torn_bytes, 0); /* void is not torn */
    expect_numbers(&s, want, 3);
    kit_release(&s.k);
}

static void readers_survive_read_errors(void **state)
{
    (void)state;
    struct setup s;
    struct err e = ERR_INIT;
    const struct log_frame *f = NULL;

    setup_open(&s);
    for (uint64_t n = 1; n <= 5; n++) {
        assert_true(append(&s, n, 5000, &e));
    }
    kit_close(&s.k);
    kit_open(&s.k); /* nothing in memory */
    struct log_reader *r = log_reader_new(s.k.log, 0, s.mask);
    assert_true(log_reader_next(r, kit_ms(1000), &f, &e));
    log_frame_drop(f);
    simfs_fail(s.k.sim, SIMFS_CALL_READ, 1, 1, EIO);
    assert_false(log_reader_next(r, kit_ms(1000), &f, &e));
    assert_int_equal(e.code, ERR_IO);
    for (uint64_t n = 2; n <= 5; n++) {
        assert_true(log_reader_next(r, kit_ms(1000), &f, &e));
        assert_int_equal(kit_number(f), n);
        log_frame_drop(f);
    }
    log_reader_free(r);
    kit_release(&s.k);
}

/* Segments that can go are removed although a write just failed: they are what makes room. */
static void removing_makes_room(void **state)
{
    (void)state;
    struct setup s;
    struct err e = ERR_INIT;
    uint64_t n = 1;

    setup_open(&s);
    assert_true(append(&s, n++, 5000, &e));
    simfs_set_capacity(s.k.sim, (int64_t)FILES_BYTES + 21000);
    while (append(&s, n, 30, &e)) {
        n++;
        assert_true(n < 500);
    }
    assert_int_equal(e.code, ERR_IO);
    log_cursor_set(s.k.log, s.bit, log_durable_seq(s.k.log));
    assert_true(append(&s, n, 20000, &e));
    kit_release(&s.k);
}

static void opening_says_what_is_wrong(void **state)
{
    (void)state;
    struct kit k;
    struct log *l = NULL;
    struct err e = ERR_INIT;

    kit_init(&k, 1);
    simfs_set_read_only(k.sim, true);
    assert_false(log_open(&k.options, &l, &k.report, &e));
    assert_non_null(strstr(e.message, "/log"));
    assert_non_null(strstr(e.context, "opening the test log"));
    simfs_set_read_only(k.sim, false);
    simfs_put(k.sim, "/file", STR("x"));
    k.options.path = STR("/file");
    assert_false(log_open(&k.options, &l, &k.report, &e));
    k.options.path = STR("");
    assert_false(log_open(&k.options, &l, &k.report, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    kit_release(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_refuses_and_recovers),
        cmocka_unit_test(passing_errors_are_passed),
        cmocka_unit_test(the_quarantine_is_bounded),
        cmocka_unit_test(min_free_bytes_are_left_alone),
        cmocka_unit_test(cursors_move_on_a_full_disk),
        cmocka_unit_test(unreadable_places_are_neither_cut_nor_skipped),
        cmocka_unit_test(what_could_not_be_read_is_kept),
        cmocka_unit_test(an_unreadable_header_leaves_the_file),
        cmocka_unit_test(a_lasting_error_does_not_hang_the_close),
        cmocka_unit_test(a_failed_sync_begins_a_new_segment),
        cmocka_unit_test(readers_survive_read_errors),
        cmocka_unit_test(removing_makes_room),
        cmocka_unit_test(opening_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
