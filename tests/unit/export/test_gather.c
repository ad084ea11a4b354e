/* What joins, what ends a group, and what a group is sent as. */
#include "export/gather.h"

#include "base/mem.h"
#include "fake/plan_kit.h"
#include "log/recent.h"
#include "wire/edges.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct log_frame *frame_of_bytes(struct str bytes, uint64_t seq)
{
    struct held *h = held_new(bytes.len);

    memcpy(h->payload, bytes.ptr, bytes.len);
    h->frame.seq = seq;
    return &h->frame;
}

/* The frame of a batch, which it lets go of. */
static const struct log_frame *frame_of(struct batch *b, uint64_t seq)
{
    AUTO(buf_release) struct buf bytes = BUF_INIT(BUF_UNLIMITED);
    struct str payload = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_to_frame(b, &bytes, &payload, &e));
    buf_add_str(&bytes, payload);
    batch_unref(b);
    return frame_of_bytes(buf_str(&bytes), seq);
}

static struct batch *of_rule(const char *rule)
{
    const struct batch_info info = {.kind = RECORD_ALERT, .rule = str_of(rule)};
    struct batch *b = batch_new(&codec_edges, &info);
    struct alert *rows = arena_array(batch_arena(b), struct alert, 1);

    rows[0] = (struct alert){.rule_id = STR("x"), .labels = labels_empty()};
    batch_set_alerts(b, (struct alerts){rows, 1});
    return b;
}

static const struct log_frame *make(char what, uint64_t seq)
{
    switch (what) {
    case 's':
        return frame_of(sample_batch(0, 1), seq);
    case 'S':
        return frame_of(sample_batch(0, 5), seq);
    case 'a':
        return frame_of(alert_batch(0, 1), seq);
    case 'r':
        return frame_of(of_rule("r2"), seq);
    default:
        return frame_of_bytes(STR("\xff"), seq);
    }
}

/* Groups of at most 4 rows: s a sample, S five, a an alert, r one of another rule, ? no batch. */
static const struct {
    const char *frames;
    const char *groups; /* how many frames each has */
} groupings[] = {
    {"s", "1"},           {"ss", "2"},    {"ssss", "4"},    {"sssss", "41"},
    {"sssssssss", "441"}, {"sa", "11"},   {"ssaas", "221"}, {"ar", "11"},
    {"arra", "121"},      {"S", "1"},     {"SS", "11"},     {"sSs", "111"},
    {"?", "1"},           {"s?s", "111"}, {"??", "11"},     {"sss?", "31"},
};

static void run_grouping(const char *frames, const char *groups)
{
    const struct exporter_buffer config = {.buffer_size = 4, .max_memory_bytes = 1 << 20};
    uint64_t seq = 0;
    struct gather g;

    gather_init(&g, &config);
    for (size_t at = 0; groups[at] != '\0'; at++) {
        while (!gather_is_full(&g) && frames[seq] != '\0') {
            const struct log_frame *frame = make(frames[seq], seq + 1);
            seq++;
            gather_add(&g, frame, 0);
        }
        assert_int_equal(g.frames.len, groups[at] - '0');
        assert_int_equal(gather_last(&g)->seq, gather_first(&g)->seq + g.frames.len - 1);
        gather_clear(&g, 0);
    }
    assert_true(gather_is_empty(&g));
    assert_int_equal(frames[seq], '\0');
    gather_release(&g);
}

static void frames_join_as_far_as_they_may(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(groupings); i++) {
        print_message("%s\n", groupings[i].frames);
        run_grouping(groupings[i].frames, groupings[i].groups);
    }
}

/* What is there joins a group that would be sent; nothing is waited for. */
static void more_than_enough_goes_together(void **state)
{
    const struct exporter_buffer config = {
        .buffer_size = 4, .together_max = 8, .max_memory_bytes = 1 << 20};
    struct gather g;

    (void)state;
    gather_init(&g, &config);
    gather_add(&g, make('s', 1), 100);
    assert_int_equal(gather_due_ns(&g, 1000), 1100);
    assert_false(gather_is_early(&g, 1000, 200));
    gather_add(&g, make('S', 2), 200);
    assert_false(gather_is_full(&g));
    assert_int_equal(gather_due_ns(&g, 1000), 100);
    assert_true(gather_is_early(&g, 1000, 1099));
    assert_false(gather_is_early(&g, 1000, 1100));
    gather_add(&g, make('S', 3), 300);
    assert_true(gather_is_full(&g));
    assert_int_equal(g.rows, 6);
    gather_clear(&g, 300);
    assert_int_equal(g.rows, 5);
    assert_int_equal(gather_due_ns(&g, 1000), 300);
    gather_release(&g);
}

static void memory_ends_a_group(void **state)
{
    struct exporter_buffer config = {.buffer_size = 1000};
    struct gather g;

    (void)state;
    const struct log_frame *first = make('s', 1);
    config.max_memory_bytes = 1 << 20;
    gather_init(&g, &config);
    gather_add(&g, first, 0);
    config.max_memory_bytes = (int64_t)g.bytes * 2;
    assert_false(gather_is_full(&g));
    gather_add(&g, make('s', 2), 0);
    assert_true(gather_is_full(&g));
    assert_int_equal(g.frames.len, 2);
    gather_release(&g);
}

static void samples_wait_and_alerts_do_not(void **state)
{
    const struct exporter_buffer config = {.buffer_size = 10, .max_memory_bytes = 1 << 20};
    struct gather g;

    (void)state;
    gather_init(&g, &config);
    gather_add(&g, make('s', 1), 100);
    gather_add(&g, make('s', 2), 200);
    assert_int_equal(gather_due_ns(&g, 1000), 1100);
    gather_add(&g, make('a', 3), 300);
    assert_true(gather_is_full(&g));
    gather_clear(&g, 400);
    assert_int_equal(gather_due_ns(&g, 1000), 400);
    gather_release(&g);
}

static void a_group_is_one_batch(void **state)
{
    const struct exporter_buffer config = {.buffer_size = 10, .max_memory_bytes = 1 << 20};
    AUTO(batch_autounref) struct batch *all = NULL;
    AUTO(batch_autounref) struct batch *one = NULL;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;
    struct gather g;

    (void)state;
    gather_init(&g, &config);
    gather_add(&g, frame_of(sample_batch(0, 2), 1), 0);
    gather_add(&g, frame_of(sample_batch(2, 3), 2), 0);
    assert_int_equal(g.rows, 5);
    assert_true(gather_batch(&g, 0, 2, &all, &e));
    assert_true(gather_batch(&g, 1, 1, &one, &e));
    assert_true(gather_ratio(&g) > 1);
    gather_release(&g);
    assert_true(batch_samples(all, &s, &e));
    assert_int_equal(s->count, 5);
    assert_true(s->value[0] == 0 && s->value[4] == 4);
    assert_int_equal(batch_rows(one), 3);
}

static void a_single_frame_goes_as_it_came(void **state)
{
    const struct exporter_buffer config = {.buffer_size = 10, .max_memory_bytes = 1 << 20};
    AUTO(batch_autounref) struct batch *b = sample_batch(0, 3);
    AUTO(batch_autounref) struct batch *out = NULL;
    struct str before = STR_NONE;
    struct str after = STR_NONE;
    struct err e = ERR_INIT;
    struct gather g;

    (void)state;
    gather_init(&g, &config);
    gather_add(&g, frame_of(batch_ref(b), 1), 0);
    assert_true(gather_batch(&g, 0, 1, &out, &e));
    assert_true(batch_encoded(b, &before, &e) && batch_encoded(out, &after, &e));
    assert_true(str_eq(before, after));
    gather_release(&g);
}

static void what_is_no_batch_says_so(void **state)
{
    const struct exporter_buffer config = {.buffer_size = 10, .max_memory_bytes = 1 << 20};
    struct batch *b = NULL;
    struct err e = ERR_INIT;
    struct gather g;

    (void)state;
    gather_init(&g, &config);
    gather_add(&g, make('?', 1), 0);
    assert_true(gather_is_full(&g));
    assert_false(gather_batch(&g, 0, 1, &b, &e));
    assert_non_null(strstr(e.message, "frame is no batch"));
    gather_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_join_as_far_as_they_may),
        cmocka_unit_test(more_than_enough_goes_together),
        cmocka_unit_test(memory_ends_a_group),
        cmocka_unit_test(samples_wait_and_alerts_do_not),
        cmocka_unit_test(a_group_is_one_batch),
        cmocka_unit_test(a_single_frame_goes_as_it_came),
        cmocka_unit_test(what_is_no_batch_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
