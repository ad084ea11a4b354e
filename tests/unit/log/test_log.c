#include "kit.h"

#include "base/mem.h"
#include "log/frame.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void frames_come_back_in_order(void **state)
{
    (void)state;
    struct kit k;
    static struct kit_numbers got;
    uint64_t seq = 0;

    kit_init(&k, 1);
    kit_open(&k);
    uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
    for (uint64_t i = 1; i <= 200; i++) {
        assert_true(kit_append(&k, i, mask, &seq));
        assert_int_equal(seq, i);
    }
    assert_int_equal(log_durable_seq(k.log), 200);
    kit_read_all(&k, mask, &got);
    assert_int_equal(got.len, 200);
    kit_close(&k);
    kit_open(&k);
    assert_int_equal(k.report.cursors_lost, 0); /* at the start is not lost */
    assert_int_equal(k.report.frames, 200);
    assert_int_equal(k.report.segments_scanned, 0); /* sealed by the close */
    assert_int_equal(k.report.next_seq, 201);
    kit_read_all(&k, mask, &got);
    assert_int_equal(got.len, 200);
    for (uint64_t i = 0; i < 200; i++) {
        assert_int_equal(got.items[i], i + 1);
    }
    assert_true(kit_append(&k, 201, mask, &seq));
    assert_int_equal(seq, 201);
    kit_read_all(&k, mask, &got); /* files, then memory */
    assert_int_equal(got.len, 201);
    kit_release(&k);
}

static void masks_choose(void **state)
{
    (void)state;
    struct kit k;
    static struct kit_numbers got;
    uint64_t seq;

    kit_init(&k, 1);
    kit_open(&k);
    uint64_t a = UINT64_C(1) << kit_consumer(&k, "a");
    uint64_t b = UINT64_C(1) << kit_consumer(&k, "b");
    assert_int_not_equal(a, b);
    for (uint64_t i = 1; i <= 30; i++) {
        assert_true(kit_append(&k, i, i % 3 == 0 ? a : i % 3 == 1 ? b : a | b, &seq));
    }
    for (int pass = 0; pass < 2; pass++) {
        kit_read_all(&k, a, &got);
        assert_int_equal(got.len, 20);
        assert_int_equal(got.items[0], 2);
        kit_read_all(&k, b, &got);
        assert_int_equal(got.len, 20);
        assert_int_equal(got.items[0], 1);
        kit_read_all(&k, a | b, &got);
        assert_int_equal(got.len, 30);
        kit_close(&k);
        kit_open(&k);
    }
    struct log_record unknown = {.mask = UINT64_C(1) << 40};
    struct err e = ERR_INIT;
    assert_false(log_append(k.log, &unknown, kit_forever, &seq, &e));
    assert_int_equal(e.code, ERR_INTERNAL);
    kit_release(&k);
}

static void segments_roll_and_go(void **state)
{
    (void)state;
    struct kit k;
    static struct kit_numbers got;
    struct log_status status;
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    kit_init(&k, 1);
    k.options.segment_bytes = 4096;
    k.options.memory_bytes = 1;
    kit_open(&k);
    unsigned a = kit_consumer(&k, "a");
    unsigned b = kit_consumer(&k, "b");
    for (uint64_t i = 1; i <= 100; i++) {
        assert_true(kit_append(&k, i, UINT64_C(1) << a | (i == 50 ? UINT64_C(1) << b : 0), &seq));
    }
    log_status(k.log, &status);
    assert_true(status.segments > 4);
    uint64_t all = status.segments;
    kit_read_all(&k, UINT64_C(1) << a, &got);
    assert_int_equal(got.len, 100);
    log_cursor_set(k.log, a, 100);
    assert_true(log_cursor_sync(k.log, kit_forever, &e));
    /* Only b's segment and the newest are left, soon. */
    for (int i = 0; i < 1000 && status.segments > 2; i++) {
        (void)wait_sleep(kit_ms(1));
        log_status(k.log, &status);
    }
    assert_int_equal(status.segments, 2);
    assert_true(all > 2);
    kit_read_all(&k, UINT64_C(1) << b, &got);
    assert_int_equal(got.len, 1);
    assert_int_equal(got.items[0], 50);
    kit_close(&k);
    kit_open(&k);
    assert_int_equal(log_cursor_get(k.log, a), 100);
    assert_int_equal(k.report.next_seq, 101);
    log_cursor_set(k.log, b, 50);
    log_cursor_set(k.log, b, 3); /* monotonic */
    assert_int_equal(log_cursor_get(k.log, b), 50);
    assert_true(kit_append(&k, 101, UINT64_C(1) << b, &seq));
    assert_int_equal(seq, 101);
    kit_release(&k);
}

static void a_large_frame_has_a_segment_of_its_own(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    const struct log_frame *f = NULL;
    size_t length = 300000;
    char *payload = mem_alloc0(1, length);
    struct iovec part = {payload, length};
    struct log_record record = {.parts = &part, .part_count = 1};
    uint64_t seq = 0;

    kit_init(&k, 1);
    k.options.segment_bytes = 4096;
    k.options.memory_bytes = 1000; /* smaller than the frame: it goes through alone */
    kit_open(&k);
    record.mask = UINT64_C(1) << kit_consumer(&k, "a");
    memset(payload, 'z', length);
    for (int i = 0; i < 3; i++) {
        assert_true(log_append(k.log, &record, kit_ms(5000), &seq, &e));
    }
    struct log_reader *r = log_reader_new(k.log, 0, record.mask);
    for (uint64_t i = 1; i <= 3; i++) {
        assert_true(log_reader_next(r, kit_ms(5000), &f, &e));
        assert_int_equal(f->seq, i);
        assert_int_equal(f->payload.len, length);
        assert_memory_equal(f->payload.ptr, payload, length);
        log_frame_drop(f);
    }
    log_reader_free(r);
    struct iovec too_much = {payload, (size_t)LOG_PAYLOAD_MAX + 1};
    record.parts = &too_much;
    assert_false(log_append(k.log, &record, kit_forever, &seq, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    kit_release(&k);
    mem_free(payload);
}

static void a_second_opener_is_refused(void **state)
{
    (void)state;
    struct kit k;
    struct log *second = NULL;
    struct log_report report;
    struct err e = ERR_INIT;

    kit_init(&k, 1);
    kit_open(&k);
    assert_false(log_open(&k.options, &second, &report, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.message, "in use by another process"));
    assert_null(second);
    kit_close(&k);
    kit_open(&k);
    kit_release(&k);
}

struct late_append {
    struct kit *k;
    uint64_t mask;
};

static void append_later(void *arg)
{
    const struct late_append *x = arg;
    uint64_t seq;

    (void)wait_sleep(kit_ms(20));
    (void)kit_append(x->k, 5, x->mask, &seq);
}

static void readers_wait(void **state)
{
    (void)state;
    struct kit k;
    struct thread t = {0};
    struct err e = ERR_INIT;
    const struct log_frame *f = NULL;

    kit_init(&k, 1);
    kit_open(&k);
    uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
    struct late_append x = {&k, mask};
    struct log_reader *r = log_reader_new(k.log, 0, mask);
    assert_true(log_reader_next(r, kit_ms(5), &f, &e));
    assert_null(f);
    assert_int_equal(log_reader_position(r), 1);
    assert_true(thread_start(&t, "append", append_later, &x, &e));
    assert_true(log_reader_next(r, kit_forever, &f, &e));
    assert_int_equal(kit_number(f), 5);
    assert_int_equal(log_reader_position(r), 2);
    log_frame_drop(f);
    thread_join(&t);
    struct cancel *c = cancel_new(NULL);
    cancel_fire(c);
    assert_true(log_reader_next(r, (struct wait){DEADLINE_NEVER, c}, &f, &e));
    assert_null(f);
    cancel_free(c);
    log_reader_free(r);
    log_reader_free(NULL);
    kit_release(&k);
}

static void frames_outlive_memory_and_segment(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    const struct log_frame *f = NULL;
    uint64_t seq;

    kit_init(&k, 1);
    k.options.segment_bytes = 2048;
    k.options.memory_bytes = 1;
    kit_open(&k);
    unsigned a = kit_consumer(&k, "a");
    assert_true(kit_append(&k, 1, UINT64_C(1) << a, &seq));
    struct log_reader *r = log_reader_new(k.log, 1, UINT64_C(1) << a);
    assert_true(log_reader_next(r, kit_forever, &f, &e));
    for (uint64_t i = 2; i <= 60; i++) {
        assert_true(kit_append(&k, i, UINT64_C(1) << a, &seq));
        log_cursor_set(k.log, a, seq);
    }
    assert_int_equal(kit_number(f), 1);
    log_frame_drop(log_frame_ref(f));
    assert_int_equal(kit_number(f), 1);
    log_frame_drop(f);
    log_frame_drop(NULL);
    log_reader_free(r);
    kit_release(&k);
}

static void consumers_keep_their_bits(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    char name[32];
    uint64_t seq;
    unsigned bit = 0;

    kit_init(&k, 1);
    kit_open(&k);
    for (unsigned i = 0; i < LOG_CONSUMERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c%u", i);
        assert_int_equal(kit_consumer(&k, name), i);
    }
    assert_false(log_consumer_add(k.log, STR("one more"), &bit, &e));
    assert_int_equal(e.code, ERR_LIMIT);
    assert_false(log_consumer_add(k.log, STR(""), &bit, &e));
    assert_true(kit_append(&k, 1, 1 << 3, &seq));
    assert_true(log_consumer_retire(k.log, 3, &e));
    assert_true(log_consumer_retire(k.log, 3, &e));
    assert_false(
        log_consumer_add(k.log, STR("one more"), &bit, &e)); /* a held frame carries bit 3 */
    assert_true(log_consumer_retire(k.log, 5, &e));
    kit_close(&k);
    kit_open(&k);
    assert_int_equal(kit_consumer(&k, "c17"), 17);
    assert_int_equal(kit_consumer(&k, "one more"), 5);
    assert_int_equal(kit_consumer(&k, "c3"), 3); /* comes back, to its own bit, at the end */
    assert_int_equal(log_cursor_get(k.log, 3), 1);
    kit_release(&k);
}

static void a_lost_cursor_starts_at_the_oldest(void **state)
{
    (void)state;
    static const char *const rubbish[] = {
        NULL, "",
        "not a cursor file at all, but longer than a header would be, "
        "so that it has to be looked at and refused as it is......."};

    for (size_t i = 0; i < ARRAY_LEN(rubbish); i++) {
        struct kit k;
        static struct kit_numbers got;
        uint64_t seq;
        kit_init(&k, 1);
        kit_open(&k);
        unsigned a = kit_consumer(&k, "a");
        for (uint64_t n = 1; n <= 10; n++) {
            assert_true(kit_append(&k, n, UINT64_C(1) << a, &seq));
        }
        log_cursor_set(k.log, a, 7);
        kit_close(&k);
        if (rubbish[i] == NULL) {
            assert_int_equal(simfs_fs(k.sim)->ops->unlink(simfs_fs(k.sim), "/log/cursors"), 0);
        } else {
            simfs_put(k.sim, "/log/cursors", str_of(rubbish[i]));
        }
        kit_open(&k);
        assert_int_equal(k.report.cursors_lost, 1);
        assert_int_equal(log_cursor_get(k.log, kit_consumer(&k, "a")), 0);
        kit_read_all(&k, UINT64_C(1) << a, &got);
        assert_int_equal(got.len, 10);
        kit_release(&k);
    }
}

static void names_are_kept_twice(void **state)
{
    (void)state;
    struct kit k;
    struct log *l = NULL;
    struct err e = ERR_INIT;
    const struct fs *fs;
    uint64_t seq;

    kit_init(&k, 1);
    fs = simfs_fs(k.sim);
    kit_open(&k);
    (void)kit_consumer(&k, "first");
    unsigned b = kit_consumer(&k, "second");
    assert_true(kit_append(&k, 1, UINT64_C(1) << b, &seq));
    log_cursor_set(k.log, b, 1);
    kit_close(&k);
    assert_int_equal(fs->ops->unlink(fs, "/log/consumers"), 0);
    kit_open(&k);
    assert_int_equal(kit_consumer(&k, "second"), b);
    assert_int_equal(log_cursor_get(k.log, b), 1);
    kit_close(&k);
    (void)fs->ops->unlink(fs, "/log/consumers");
    assert_int_equal(fs->ops->unlink(fs, "/log/cursors"), 0);
    assert_false(log_open(&k.options, &l, &k.report, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.message, "names are lost"));
    kit_release(&k);
}

/* A bit that changed hands: no trace of the one who had it before. */
static void a_reused_bit_has_one_name(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    const struct fs *fs;
    char name[32];

    kit_init(&k, 1);
    fs = simfs_fs(k.sim);
    kit_open(&k);
    for (unsigned i = 0; i < LOG_CONSUMERS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "c%u", i);
        (void)kit_consumer(&k, name);
    }
    assert_true(log_consumer_retire(k.log, 9, &e));
    assert_int_equal(kit_consumer(&k, "new owner"), 9);
    assert_true(log_cursor_sync(k.log, kit_forever, &e));
    kit_close(&k);
    assert_int_equal(fs->ops->unlink(fs, "/log/consumers"), 0);
    kit_open(&k);
    assert_int_equal(k.report.cursors_lost, 0);
    assert_int_equal(kit_consumer(&k, "new owner"), 9);
    kit_release(&k);
}

static void many_segments_are_read_and_removed(void **state)
{
    (void)state;
    static struct kit_numbers got;
    struct kit k;
    struct log_status status;
    uint64_t seq = 0;

    kit_init(&k, 1);
    k.options.segment_bytes = 1000;
    k.options.memory_bytes = 1;
    kit_open(&k);
    unsigned a = kit_consumer(&k, "a");
    unsigned quiet = kit_consumer(&k, "quiet");
    for (uint64_t i = 1; i <= 200; i++) {
        assert_true(kit_append(&k, i, UINT64_C(1) << (i == 3 ? quiet : a), &seq));
        if (i % 10 == 0 && i <= 100) {
            log_cursor_set(k.log, a, seq);
        }
    }
    log_status(k.log, &status);
    assert_in_range(status.segments, 65, 180);
    kit_read_all(&k, UINT64_C(1) << a, &got);
    assert_true(got.len >= 100);
    assert_int_equal(got.items[got.len - 1], 200);
    log_cursor_set(k.log, a, seq);
    for (int i = 0; i < 5000 && status.segments > 2; i++) {
        (void)wait_sleep(kit_ms(1));
        log_status(k.log, &status);
    }
    assert_int_equal(status.segments, 2); /* quiet's, and the newest */
    kit_read_all(&k, UINT64_C(1) << quiet, &got);
    assert_int_equal(got.len, 1);
    kit_release(&k);
}

/* The start reads headers and footers, and of frames only those of the segments where consumers stand. */
static void the_start_does_not_depend_on_what_is_held(void **state)
{
    (void)state;
    enum { SEGMENTS = 120, READS_PER_SEGMENT = 3, READS_BESIDE = 40 };
    struct kit k;
    struct log_status status = {0};
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    kit_init(&k, 1);
    k.options.segment_bytes = 20000;
    kit_open(&k);
    unsigned a = kit_consumer(&k, "a");
    unsigned b = kit_consumer(&k, "b");
    for (uint64_t n = 0; status.segments < SEGMENTS; n++) {
        assert_true(kit_append(&k, n, UINT64_C(1) << a | UINT64_C(1) << b, &seq));
        log_status(k.log, &status);
    }
    log_cursor_set(k.log, b, seq / 2);
    assert_true(log_cursor_sync(k.log, kit_forever, &e));
    simfs_stop_at(k.sim, 1); /* the last segment has no footer */
    kit_close(&k);
    simfs_crash(k.sim, SIMFS_LOSE_ALL);
    unsigned before = simfs_calls(k.sim, SIMFS_CALL_READ);
    kit_open(&k);
    unsigned reads = simfs_calls(k.sim, SIMFS_CALL_READ) - before;
    assert_true(reads <= SEGMENTS * READS_PER_SEGMENT + READS_BESIDE);
    assert_int_equal(k.report.segments, SEGMENTS);
    assert_int_equal(k.report.segments_scanned, 1);
    assert_int_equal(log_pending(k.log, a), seq);
    assert_int_equal(log_pending(k.log, b), seq - seq / 2);
    kit_release(&k);
}

static void what_is_full_refuses(void **state)
{
    (void)state;
    struct kit k;
    struct err e = ERR_INIT;
    char bytes[1000] = {0};
    struct iovec part = {bytes, sizeof(bytes)};
    struct log_record record = {.parts = &part, .part_count = 1};
    uint64_t seq = 0;
    unsigned count = 0;

    kit_init(&k, 1);
    k.options.max_bytes = 10000;
    k.options.max_bytes_option = "library.memory_bytes";
    k.options.segment_bytes = 3000;
    kit_open(&k);
    unsigned a = kit_consumer(&k, "a");
    record.mask = UINT64_C(1) << a;
    while (log_append(k.log, &record, kit_ms(10), &seq, &e)) {
        assert_true(++count < 20);
    }
    assert_int_equal(e.code, ERR_LIMIT);
    assert_non_null(strstr(e.message, "is as large as library.memory_bytes allows"));
    log_cursor_set(k.log, a, seq); /* done with all: segments go, there is room again */
    assert_true(log_append(k.log, &record, kit_ms(5000), &seq, &e));
    kit_release(&k);
}

static void every_policy_survives_a_stop(void **state)
{
    (void)state;
    for (int sync = LOG_SYNC_ALWAYS; sync <= LOG_SYNC_NEVER; sync++) {
        struct kit k;
        static struct kit_numbers got;
        uint64_t seq;
        kit_init(&k, 1);
        k.options.sync = (enum log_sync)sync;
        k.options.segment_bytes = 4096;
        kit_open(&k);
        uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
        for (uint64_t i = 1; i <= 50; i++) {
            assert_true(kit_append(&k, i, mask, &seq));
        }
        kit_close(&k);
        if (sync != LOG_SYNC_NEVER) {
            simfs_crash(k.sim, SIMFS_LOSE_ALL);
        }
        kit_open(&k);
        kit_read_all(&k, mask, &got);
        assert_int_equal(got.len, 50);
        kit_release(&k);
    }
}

static void interval_syncs_by_itself(void **state)
{
    (void)state;
    struct kit k;
    static struct kit_numbers got;
    uint64_t seq;

    kit_init(&k, 1);
    k.options.sync = LOG_SYNC_INTERVAL;
    k.options.interval_ms = 10;
    kit_open(&k);
    uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
    assert_true(kit_append(&k, 1, mask, &seq));
    (void)wait_sleep(kit_ms(200));
    simfs_stop_at(k.sim, 1);
    kit_close(&k);
    simfs_crash(k.sim, SIMFS_LOSE_ALL);
    kit_open(&k);
    kit_read_all(&k, mask, &got);
    assert_int_equal(got.len, 1);
    kit_release(&k);
}

/* Appends under one policy, changes to ALWAYS, appends again: what a crash leaves. */
static void check_stricter(enum log_sync before, size_t left)
{
    struct kit k;
    static struct kit_numbers got;
    uint64_t seq;

    kit_init(&k, 1);
    k.options.sync = before;
    k.options.interval_ms = 3600 * 1000;
    kit_open(&k);
    uint64_t mask = UINT64_C(1) << kit_consumer(&k, "a");
    assert_true(kit_append(&k, 1, mask, &seq));
    log_set_sync(k.log, LOG_SYNC_ALWAYS);
    assert_true(kit_append(&k, 2, mask, &seq));
    simfs_stop_at(k.sim, 1);
    kit_close(&k);
    simfs_crash(k.sim, SIMFS_LOSE_ALL);
    kit_open(&k);
    kit_read_all(&k, mask, &got);
    assert_int_equal(got.len, left);
    kit_release(&k);
}

static void a_stricter_policy_holds_from_then_on(void **state)
{
    (void)state;
    check_stricter(LOG_SYNC_INTERVAL, 2);
    check_stricter(LOG_SYNC_NEVER, 1);
}

static void newer_formats_are_refused_by_name(void **state)
{
    (void)state;
    struct kit k;
    struct log *l = NULL;
    struct err e = ERR_INIT;
    const struct file_header newer = {
        .version = 2, .kind = FILE_SEGMENT, .serial = 2, .first_seq = 2};
    unsigned char bytes[FILE_DATA_START];
    uint64_t seq;

    kit_init(&k, 1);
    kit_open(&k);
    assert_true(kit_append(&k, 1, UINT64_C(1) << kit_consumer(&k, "a"), &seq));
    kit_close(&k);
    file_header_encode(&newer, bytes);
    simfs_put(k.sim, "/log/0000000000000002.segment", str_make((const char *)bytes, sizeof(bytes)));
    assert_false(log_open(&k.options, &l, &k.report, &e));
    assert_int_equal(e.code, ERR_CONFLICT);
    assert_non_null(strstr(e.message, "0000000000000002.segment is of format version 2"));
    kit_release(&k);
}

static void consumers_say_what_they_owe(void **state)
{
    static struct log_consumer all[LOG_CONSUMERS_MAX];
    struct kit kit;
    struct kit *k = &kit;
    struct err e = ERR_INIT;
    uint64_t seq = 0;

    (void)state;
    kit_init(k, 1);
    kit_open(k);
    unsigned a = kit_consumer(k, "a");
    unsigned b = kit_consumer(k, "b");
    for (uint64_t i = 0; i < 6; i++) {
        assert_true(kit_append(k, i, UINT64_C(1) << (i < 2 ? a : b), &seq));
    }
    assert_int_equal(log_pending(k->log, a), 2);
    assert_int_equal(log_pending(k->log, b), 4);
    log_cursor_set(k->log, a, 2);
    log_cursor_set(k->log, b, 4);
    assert_int_equal(log_pending(k->log, a), 0);
    assert_int_equal(log_pending(k->log, b), 2);
    kit_close(k);
    kit_open(k);
    assert_int_equal(log_pending(k->log, a), 0); /* nothing is in memory now */
    assert_int_equal(log_pending(k->log, b), 2);
    assert_int_equal(log_consumers(k->log, all), 2);
    assert_string_equal(all[1].name, "b");
    assert_true(log_consumer_retire(k->log, a, &e));
    assert_int_equal(log_consumers(k->log, all), 1);
    assert_int_equal(all[0].bit, b);
    kit_release(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back_in_order),
        cmocka_unit_test(masks_choose),
        cmocka_unit_test(segments_roll_and_go),
        cmocka_unit_test(a_large_frame_has_a_segment_of_its_own),
        cmocka_unit_test(a_second_opener_is_refused),
        cmocka_unit_test(readers_wait),
        cmocka_unit_test(frames_outlive_memory_and_segment),
        cmocka_unit_test(consumers_keep_their_bits),
        cmocka_unit_test(a_lost_cursor_starts_at_the_oldest),
        cmocka_unit_test(names_are_kept_twice),
        cmocka_unit_test(a_reused_bit_has_one_name),
        cmocka_unit_test(many_segments_are_read_and_removed),
        cmocka_unit_test(the_start_does_not_depend_on_what_is_held),
        cmocka_unit_test(what_is_full_refuses),
        cmocka_unit_test(every_policy_survives_a_stop),
        cmocka_unit_test(interval_syncs_by_itself),
        cmocka_unit_test(a_stricter_policy_holds_from_then_on),
        cmocka_unit_test(newer_formats_are_refused_by_name),
        cmocka_unit_test(consumers_say_what_they_owe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
