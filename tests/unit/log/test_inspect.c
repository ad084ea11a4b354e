/*
 * Looking at a folder: what is seen is what log_open() would find, and nothing is changed by it.
 */
#include "kit.h"

#include "base/vec.h"
#include "log/frame.h"
#include "log/log_inspect.h"

#include <stdio.h>

static const char first_path[] = "/log/0000000000000001.segment";

struct seen {
    VEC(uint64_t) numbers;
    VEC(struct log_view_bad) bad;
    int64_t done;
    int64_t all;
};

static bool visit_frame(void *arg, const struct log_view_frame *f, struct err *e)
{
    struct seen *s = arg;
    char want[KIT_PAYLOAD_MAX];
    uint64_t number = 0;

    (void)e;
    for (size_t i = 0; i < f->payload.len && f->payload.ptr[i] != ':'; i++) {
        number = number * 10 + (uint64_t)(f->payload.ptr[i] - '0');
    }
    assert_int_equal(kit_payload(number, want), f->payload.len);
    assert_memory_equal(want, f->payload.ptr, f->payload.len);
    assert_int_equal(f->bytes, frame_bytes((uint32_t)f->payload.len));
    vec_push(&s->numbers, number);
    return true;
}

static void visit_bad(void *arg, const struct log_view_bad *b)
{
    struct seen *s = arg;

    vec_push(&s->bad, *b);
}

static void visit_progress(void *arg, int64_t done, int64_t all)
{
    struct seen *s = arg;

    assert_true(done >= s->done && done <= all);
    s->done = done;
    s->all = all;
}

static void seen_release(struct seen *s)
{
    vec_release(&s->numbers);
    vec_release(&s->bad);
}

static struct log_view *view_open(struct kit *k)
{
    struct log_view *v = NULL;
    struct err e = ERR_INIT;

    if (!log_view_open(simfs_fs(k->sim), STR("/log"), &v, &e)) {
        fail_msg("%s", e.message);
    }
    return v;
}

/* Walks; nothing may have changed. */
static void look(struct kit *k, struct seen *s)
{
    struct log_view *v = view_open(k);
    unsigned changes = simfs_changes(k->sim);
    struct log_walk walk = {
        .arg = s, .frame = visit_frame, .bad = visit_bad, .progress = visit_progress};
    struct err e = ERR_INIT;

    *s = (struct seen){0};
    if (!log_view_walk(v, &walk, &e)) {
        fail_msg("%s", e.message);
    }
    assert_int_equal(s->done, s->all);
    assert_int_equal(s->all, log_view_bytes(v));
    assert_int_equal(simfs_changes(k->sim), changes);
    log_view_close(v);
}

static void make(struct kit *k, uint64_t frames)
{
    uint64_t seq;

    kit_init(k, 9);
    k->options.segment_bytes = 2000;
    kit_open(k);
    unsigned a = kit_consumer(k, "a");
    (void)kit_consumer(k, "b");
    for (uint64_t n = 1; n <= frames; n++) {
        assert_true(kit_append(k, n, UINT64_C(1) << a, &seq));
    }
}

static void a_log_in_use_can_be_looked_at(void **state)
{
    (void)state;
    AUTO(seen_release) struct seen s;
    struct kit k;
    const struct log_view_segment *segments;
    const struct log_view_consumer *consumers;
    struct err e = ERR_INIT;

    make(&k, 40);
    log_cursor_set(k.log, 0, 3);
    assert_true(log_cursor_sync(k.log, kit_forever, &e));
    look(&k, &s);
    assert_int_equal(s.numbers.len, 40);
    assert_int_equal(s.numbers.items[39], 40);
    assert_int_equal(s.bad.len, 0);
    struct log_view *v = view_open(&k);
    size_t count = log_view_segments(v, &segments);
    assert_true(count > 2);
    assert_int_equal(segments[0].state, LOG_VIEW_SEALED);
    assert_int_equal(segments[count - 1].state, LOG_VIEW_OPEN);
    assert_int_equal(log_view_consumers(v, &consumers), 2);
    assert_string_equal(consumers[0].name, "a");
    assert_int_equal(consumers[0].cursor, 3);
    assert_true(consumers[0].has_cursor && !consumers[0].is_retired);
    assert_ptr_equal(log_view_consumer(v, 1), &consumers[1]);
    assert_null(log_view_consumer(v, 2));
    log_view_close(v);
    kit_release(&k);
}

/* Any byte of the first segment damaged, sealed or as a kill leaves it: the same frames as the log gives. */
static void what_is_damaged_is_told_as_the_log_finds_it(void **state)
{
    (void)state;
    static struct kit_numbers got;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf names = BUF_INIT(BUF_UNLIMITED);

    for (int sealed = 0; sealed < 2; sealed++) {
        struct kit k;
        make(&k, 6);
        if (sealed) {
            kit_close(&k);
        }
        buf_clear(&bytes);
        buf_clear(&names);
        assert_true(simfs_peek(k.sim, first_path, &bytes));
        assert_true(simfs_peek(k.sim, "/log/consumers", &names));
        kit_release(&k);
        for (size_t at = 0; at < bytes.len; at += 5) {
            AUTO(seen_release) struct seen s;
            kit_init(&k, 10);
            assert_int_equal(simfs_fs(k.sim)->ops->mkdir(simfs_fs(k.sim), "/log"), 0);
            simfs_put(k.sim, "/log/consumers", buf_str(&names));
            bytes.ptr[at] ^= 0x21;
            simfs_put(k.sim, first_path, buf_str(&bytes));
            bytes.ptr[at] ^= 0x21;
            look(&k, &s);
            kit_open(&k);
            kit_read_all(&k, UINT64_MAX, &got);
            assert_int_equal(s.numbers.len, got.len);
            assert_memory_equal(s.numbers.items, got.items, got.len * sizeof(uint64_t));
            assert_int_equal(s.bad.len > 0, got.len < 6 || k.report.torn_bytes > 0);
            kit_release(&k);
        }
    }
}

static void a_torn_end_is_no_damage(void **state)
{
    (void)state;
    AUTO(seen_release) struct seen s;
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct kit k;

    make(&k, 6);
    assert_true(simfs_peek(k.sim, first_path, &bytes));
    simfs_put(k.sim, first_path, str_slice(buf_str(&bytes), 0, bytes.len - 5));
    look(&k, &s);
    assert_int_equal(s.numbers.len, 5);
    assert_int_equal(s.bad.len, 1);
    assert_string_equal(s.bad.items[0].kind, "torn");
    assert_int_equal(s.bad.items[0].to, (int64_t)bytes.len - 5);
    kit_release(&k);
}

static void lost_and_unreadable_headers_are_named(void **state)
{
    (void)state;
    AUTO(seen_release) struct seen headless;
    AUTO(seen_release) struct seen unreadable;
    char zeros[FILE_DATA_START] = {0};
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct kit k;

    make(&k, 40);
    kit_close(&k);
    assert_true(simfs_peek(k.sim, first_path, &bytes));
    memcpy(bytes.ptr, zeros, sizeof(zeros));
    simfs_put(k.sim, first_path, buf_str(&bytes));
    look(&k, &headless);
    assert_true(headless.numbers.len > 10 && headless.numbers.len < 40);
    assert_string_equal(headless.bad.items[0].kind, "damaged");
    simfs_spoil(k.sim, first_path, 0, 1);
    look(&k, &unreadable);
    assert_int_equal(unreadable.numbers.len, headless.numbers.len);
    assert_string_equal(unreadable.bad.items[0].kind, "unreadable");
    kit_release(&k);
}

static void what_is_no_log_is_refused(void **state)
{
    (void)state;
    struct kit k;
    struct log_view *v = NULL;
    struct err e = ERR_INIT;

    kit_init(&k, 1);
    assert_false(log_view_is_log(simfs_fs(k.sim), STR("/log")));
    assert_false(log_view_open(simfs_fs(k.sim), STR("/log"), &v, &e));
    assert_int_equal(simfs_fs(k.sim)->ops->mkdir(simfs_fs(k.sim), "/log"), 0);
    simfs_put(k.sim, "/log/notes", STR("x"));
    assert_false(log_view_open(simfs_fs(k.sim), STR("/log"), &v, &e));
    assert_non_null(strstr(e.message, "holds no log"));
    kit_open(&k);
    (void)kit_consumer(&k, "a");
    assert_true(log_view_is_log(simfs_fs(k.sim), STR("/log")));
    kit_release(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_in_use_can_be_looked_at),
        cmocka_unit_test(what_is_damaged_is_told_as_the_log_finds_it),
        cmocka_unit_test(a_torn_end_is_no_damage),
        cmocka_unit_test(lost_and_unreadable_headers_are_named),
        cmocka_unit_test(what_is_no_log_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
