/* The decoder is the oracle: other labels on the same samples, in order, or no answer at all. */
#include "base/arena.h"
#include "wire/remote_write.h"
#include "wire/rw1_relabel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define X_1                     \
    "\x0a\x06\x0a\x01x\x12\x01" \
    "1"
#define GONE                       \
    "\x0a\x09\x0a\x04gone\x12\x01" \
    "1"
#define SAMPLE "\x12\x0b\x09\0\0\0\0\0\0\xf0\x3f\x10\x05"
#define ZERO "\x12\x02\x10\x05" /* proto3 leaves out a value of 0 */

#define TEXT(text)               \
    {                            \
        (text), sizeof(text) - 1 \
    }

struct maker {
    struct labels *made;
    uint32_t dropped;
};

/* Drops what has "gone", and gives the others y="2". */
static enum rw1_labels make(void *arg, struct str bytes, uint32_t samples, struct str *ret)
{
    struct maker *m = arg;
    struct labels_builder b;
    struct labels *set = NULL;
    struct err e = ERR_INIT;

    if (!labels_from_bytes(bytes, &set, &e)) {
        return RW1_LABELS_BAD;
    }
    bool dropped = labels_get(set, STR("gone")).len > 0;
    m->dropped += dropped ? samples : 0;
    labels_builder_init(&b);
    labels_builder_start(&b, set);
    labels_builder_set(&b, STR("y"), STR("2"));
    labels_unref(m->made);
    assert_true(labels_build(&b, &m->made, &e));
    labels_builder_release(&b);
    labels_unref(set);
    *ret = labels_bytes(m->made);
    return dropped ? RW1_LABELS_DROPPED : RW1_LABELS_MADE;
}

static void show_message(struct str message, struct buf *out)
{
    AUTO(arena_release) struct arena a;
    struct samples s = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(rw1_decode(message, RW1_LENIENT, &a, &s, NULL, &e));
    for (uint32_t i = 0; i < s.count; i++) {
        labels_print(s.series[s.series_of[i]], out);
        buf_addf(out, " %.0f@%lld|", s.value[i], (long long)(s.time_ns[i] / 1000000));
    }
    for (uint32_t i = 0; i < s.series_count; i++) {
        labels_unref(s.series[i]);
    }
}

static const struct {
    struct str message;
    const char *want; /* NULL: only decoding can tell */
    uint32_t samples;
    uint32_t dropped;
} rows[] = {
    {TEXT(""), "", 0, 0},
    {TEXT("\x0a\x15" X_1 SAMPLE), "{x=\"1\", y=\"2\"} 1@5|", 1, 0},
    {TEXT("\x0a\x19" X_1 SAMPLE ZERO), "{x=\"1\", y=\"2\"} 1@5|{x=\"1\", y=\"2\"} 0@5|", 2, 0},
    {TEXT("\x0a\x18" GONE SAMPLE "\x0a\x15" X_1 SAMPLE), "{x=\"1\", y=\"2\"} 1@5|", 2, 1},
    {TEXT("\x0a\x08" X_1), "", 0, 0},
    {TEXT("\x1a\x00\x0a\x15" X_1 SAMPLE), "{x=\"1\", y=\"2\"} 1@5|", 1, 0},
    {TEXT("\x0a\x1d" X_1 SAMPLE GONE), NULL, 0, 0},
    {TEXT("\x0a\x17" X_1 SAMPLE "\x22\x00"), NULL, 0, 0},
    {TEXT("\x0a\x1d" X_1 X_1 SAMPLE), NULL, 0, 0},
    {TEXT("\x0a\x0a" X_1 "\x12\x00"), NULL, 0, 0},
    {TEXT("\x0a\x40" X_1), NULL, 0, 0},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        struct maker m = {0};
        uint64_t samples = 0;
        const struct rw1_relabeller r = {make, &m};
        bool ok = rw1_relabel(rows[i].message, &r, &out, &samples);
        assert_int_equal(ok, rows[i].want != NULL);
        if (ok) {
            show_message(buf_str(&out), &text);
            assert_string_equal(buf_text(&text), rows[i].want);
            assert_int_equal(samples, rows[i].samples);
            assert_int_equal(m.dropped, rows[i].dropped);
        }
        labels_unref(m.made);
    }
}

/* Labels of more bytes than one length byte says are nothing unusual. */
static void test_long_labels(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf label = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct maker m = {0};
    uint64_t samples = 0;
    const struct rw1_relabeller r = {make, &m};

    buf_add(&label, "\x0a\xb3\x01\x0a\x01x\x12\xad\x01", 9);
    buf_add_repeat(&label, 'v', 173);
    buf_add(&message, "\x0a\xc3\x01", 3);
    buf_add_str(&message, buf_str(&label));
    buf_add(&message, SAMPLE, sizeof(SAMPLE) - 1);
    assert_true(rw1_relabel(buf_str(&message), &r, &out, &samples));
    assert_int_equal(samples, 1);
    labels_unref(m.made);
}

static void test_no_room(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(16);
    struct maker m = {0};
    uint64_t samples = 0;
    const struct rw1_relabeller r = {make, &m};

    assert_false(rw1_relabel(rows[1].message, &r, &out, &samples));
    labels_unref(m.made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_long_labels),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
