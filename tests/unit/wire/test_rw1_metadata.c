/* What is known of series goes with them through messages: written, read, joined, relabelled, patched. */
#include "wire/rw1_metadata.h"

#include "wire/compress.h"
#include "wire/pb.h"
#include "wire/remote_write.h"
#include "wire/rw1_patch.h"
#include "wire/rw1_relabel.h"
#include "wire/rw2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct series_meta counter = {SERIES_COUNTER, STR_INIT("How many."), STR_INIT("By")};
static const struct series_meta histogram = {SERIES_HISTOGRAM, STR_INIT("How long."),
                                             STR_INIT("s")};

struct known {
    const char *name;
    const struct series_meta *meta;
};

static struct labels *make_set(const char *name)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), str_of(name));
    labels_builder_push(&b, STR("job"), STR("x"));
    assert_true(labels_build(&b, &l, &e));
    return l;
}

/* One sample of each, at 1 s. */
static struct batch *make_batch(const struct known *known, uint32_t n)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct arena *a = batch_arena(b);
    struct labels **series = arena_array(a, struct labels *, n);
    const struct series_meta **meta = arena_array(a, const struct series_meta *, n);
    uint32_t *series_of = arena_array(a, uint32_t, n);
    int64_t *times = arena_array(a, int64_t, n);
    double *values = arena_array(a, double, n);

    for (uint32_t i = 0; i < n; i++) {
        series[i] = make_set(known[i].name);
        meta[i] = known[i].meta;
        series_of[i] = i;
        times[i] = 1000000000;
        values[i] = i;
    }
    batch_set_samples(b, (struct samples){series, n, n, series_of, times, values, meta});
    return b;
}

/* "name TYPE help unit|" of each series; a series of which nothing is known is its name alone. */
static void show(struct str message, struct buf *out)
{
    AUTO(arena_release) struct arena a;
    struct samples s = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    buf_clear(out);
    assert_true(rw1_decode(message, RW1_STRICT, &a, &s, NULL, &e));
    for (uint32_t i = 0; i < s.series_count; i++) {
        struct str name = labels_get(s.series[i], STR("__name__"));
        buf_addf(out, "%.*s", STR_FMT(name));
        if (s.meta != NULL && s.meta[i] != NULL) {
            buf_addf(out, " %d %.*s %.*s", (int)s.meta[i]->type, STR_FMT(s.meta[i]->help),
                     STR_FMT(s.meta[i]->unit));
        }
        buf_add_byte(out, '|');
        labels_unref(s.series[i]);
    }
}

static void assert_message(struct str message, const char *want)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    show(message, &text);
    assert_string_equal(buf_text(&text), want);
}

static uint32_t entries(struct str message)
{
    struct rw1_summary summary;
    struct err e = ERR_INIT;

    assert_true(rw1_scan(message, &summary, &e));
    return summary.extras.metadata;
}

static void encode(struct batch *b, struct buf *out)
{
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    buf_clear(out);
    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(rw1_encode(s, view_all(b), 0, SIZE_MAX, out), s->count);
}

/* The codec's own bytes without snappy. */
static void unpacked(struct str packed, struct buf *out)
{
    struct err e = ERR_INIT;

    buf_clear(out);
    assert_true(compression_snappy.unpack(packed, RW1_MESSAGE_MAX, out, &e));
}

static const struct known all[] = {
    {"c", &counter},         {"h_bucket", &histogram}, {"c", &counter},
    {"h_count", &histogram}, {"h_sum", &histogram},    {"other", NULL},
};
#define ALL_TEXT                                                                      \
    "c 2 How many. By|h_bucket 3 How long. s|c 2 How many. By|h_count 3 How long. s|" \
    "h_sum 3 How long. s|other|"

static void test_golden_message(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, 1);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct str want = STR("\x1a\x14\x08\x01\x12\x01"
                                "c\x22\x09How many.\x2a\x02"
                                "By");

    encode(b, &out);
    assert_memory_equal(out.ptr, want.ptr, want.len);
}

static void test_round_trip(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, ARRAY_LEN(all));
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    encode(b, &out);
    assert_message(buf_str(&out), ALL_TEXT);
    assert_int_equal(entries(buf_str(&out)), 2); /* a family is said once */
}

static void test_nothing_known_is_nothing_said(void **state)
{
    (void)state;
    static const struct series_meta empty = {SERIES_UNKNOWN, STR_INIT(""), STR_INIT("")};
    static const struct known known[] = {{"a", NULL}, {"b", &empty}};
    AUTO(batch_autounref) struct batch *b = make_batch(known, 2);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    encode(b, &out);
    assert_int_equal(entries(buf_str(&out)), 0);
    assert_message(buf_str(&out), "a|b|");
}

/* What stands behind the series counts for the room that there is. */
static void test_room(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, 2);
    AUTO(buf_release) struct buf whole = BUF_INIT(BUF_UNLIMITED);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    encode(b, &whole);
    assert_true(batch_samples(b, &s, &e));
    for (size_t room = 0; room <= whole.len; room++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        uint32_t rows = rw1_encode(s, view_all(b), 0, room, &out);
        assert_int_equal(rows, room < whole.len ? 1 : 2);
        assert_message(buf_str(&out), rows == 1 ? "c 2 How many. By|"
                                                : "c 2 How many. By|h_bucket 3 How long. s|");
        assert_int_equal(entries(buf_str(&out)), rows);
    }
}

static void test_join(void **state)
{
    (void)state;
    static const struct series_meta anew = {SERIES_GAUGE, STR_INIT("Now."), STR_INIT("")};
    static const struct known more[] = {{"c", &anew}, {"d", &anew}};
    static const struct known none[] = {{"h_sum", NULL}};
    AUTO(batch_autounref) struct batch *one = make_batch(all, 2);
    AUTO(batch_autounref) struct batch *two = make_batch(none, 1);
    AUTO(batch_autounref) struct batch *three = make_batch(more, 2);
    AUTO(buf_release) struct buf joined = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    struct str parts[3];
    struct err e = ERR_INIT;

    assert_true(batch_encoded(one, &parts[0], &e) && batch_encoded(two, &parts[1], &e) &&
                batch_encoded(three, &parts[2], &e));
    assert_true(codec_rw1.join(parts, 3, &joined, &e));
    unpacked(buf_str(&joined), &message);
    /* The last that was said of a family counts for all of it, in parts too that say nothing. */
    assert_message(buf_str(&message),
                   "c 1 Now. |h_bucket 3 How long. s|h_sum 3 How long. s|c 1 Now. |d 1 Now. |");
}

/* ---- relabelling ---- */

struct maker {
    struct labels *made;
};

/* "old" becomes "new", "gone" goes. */
static enum rw1_labels rename_old(void *arg, struct str bytes, uint32_t samples, struct str *ret)
{
    struct maker *m = arg;
    struct labels *set = NULL;
    struct err e = ERR_INIT;

    (void)samples;
    assert_true(labels_from_bytes(bytes, &set, &e));
    struct str name = labels_get(set, STR("__name__"));
    const char *suffix = str_ends(name, STR("_bucket")) ? "_bucket" : "";
    bool is_gone = str_starts(name, STR("gone"));
    labels_unref(m->made);
    if (str_starts(name, STR("old"))) {
        char text[32];
        (void)snprintf(text, sizeof(text), "new%s", suffix);
        m->made = make_set(text);
    } else {
        m->made = labels_ref(set);
    }
    labels_unref(set);
    *ret = labels_bytes(m->made);
    return is_gone ? RW1_LABELS_DROPPED : RW1_LABELS_MADE;
}

static void test_relabelling_renames(void **state)
{
    (void)state;
    static const struct known known[] = {
        {"old", &counter}, {"gone", &counter}, {"old_bucket", &histogram}, {"same", &counter}};
    AUTO(batch_autounref) struct batch *b = make_batch(known, ARRAY_LEN(known));
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct maker m = {0};
    const struct rw1_relabeller r = {rename_old, &m};
    uint64_t samples = 0;

    encode(b, &message);
    assert_true(rw1_relabel(buf_str(&message), &r, &out, &samples));
    assert_int_equal(samples, 4);
    labels_unref(m.made);
    /* A family of a counter and another of a histogram have one name now: one of them is said. */
    assert_int_equal(entries(buf_str(&out)), 2);
    assert_message(buf_str(&out), "new 2 How many. By|new_bucket|same 2 How many. By|");
    assert_true(str_find(buf_str(&out), STR("gone")) == out.len);
}

/* As foreign senders write it: only decoding can tell. */
static void test_metadata_behind_the_series(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, 1);
    AUTO(batch_autounref) struct batch *last = make_batch(all + 5, 1);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct maker m = {0};
    const struct rw1_relabeller r = {rename_old, &m};
    uint64_t samples = 0;

    encode(last, &message);
    size_t len = message.len;
    encode(b, &out);
    buf_add_str(&message, buf_str(&out));
    buf_clear(&out);
    assert_false(rw1_relabel(buf_str(&message), &r, &out, &samples));
    buf_clear(&out);
    assert_true(rw1_relabel(str_slice(buf_str(&message), 0, len), &r, &out, &samples));
    labels_unref(m.made);
}

/* ---- others ---- */

static void test_patch_keeps_it(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, 2);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    const double values[] = {7, 8};

    encode(b, &message);
    assert_true(rw1_patch(&message, values, 2, 2000000000));
    assert_message(buf_str(&message), "c 2 How many. By|h_bucket 3 How long. s|");
    assert_false(rw1_patch(&message, values, 1, 2000000000));
}

static void test_through_version_2(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch(all, ARRAY_LEN(all));
    AUTO(buf_release) struct buf two = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf one = BUF_INIT(BUF_UNLIMITED);
    struct rw2_summary summary;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(rw2_encode(s, view_all(b), 0, 100, 7, &two), s->count);
    assert_true(rw2_to_rw1(buf_str(&two), &one, &summary, &e));
    assert_message(buf_str(&one), ALL_TEXT);
    assert_int_equal(summary.rw1.extras.metadata, 2);
}

/* Bytes of a message: the decoder's view of metadata that others write. */
static const struct {
    const char *what;
    struct str metadata;
    const char *want;
    bool is_strict;
} foreign[] = {
    {"gauge", STR_INIT("\x1a\x05\x08\x02\x12\x01x"), "x 1  |", true},
    {"in front", STR_INIT("\x1a\x08\x12\x01x\x2a\x01m\x08\x02"), "x 1  m|", true},
    {"a type of the future", STR_INIT("\x1a\x08\x08\x63\x12\x01x\x22\x01h"), "x 0 h |", true},
    {"nothing said", STR_INIT("\x1a\x03\x12\x01x"), "x|", true},
    {"another", STR_INIT("\x1a\x05\x08\x02\x12\x01y"), "x|", true},
    {"said twice", STR_INIT("\x1a\x05\x08\x02\x12\x01x\x1a\x05\x08\x01\x12\x01x"), "x 2  |", true},
    {"no name", STR_INIT("\x1a\x02\x08\x02"), "x|", false},
    {"no message", STR_INIT("\x1a\x02\x12\x05"), "x|", false},
};

static void test_foreign_metadata(void **state)
{
    (void)state;
    static const char sample[] =
        "\x0a\x1c\x0a\x0d\x0a\x08__name__\x12\x01x\x12\x0b\x09\0\0\0\0\0\0\xf0"
        "\x3f\x10\x05";

    for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
        AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
        AUTO(arena_release) struct arena a;
        struct samples s = {0};
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        buf_add_str(&message, foreign[i].metadata);
        buf_add(&message, sample, sizeof(sample) - 1);
        if (foreign[i].is_strict) {
            assert_message(buf_str(&message), foreign[i].want);
            continue;
        }
        assert_false(rw1_decode(buf_str(&message), RW1_STRICT, &a, &s, NULL, &e));
        assert_true(rw1_decode(buf_str(&message), RW1_LENIENT, &a, &s, NULL, &e));
        assert_true(s.meta == NULL || s.meta[0] == NULL);
        labels_unref(s.series[0]);
    }
}

static void test_too_many_are_refused_where_they_come_in(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    struct rw1_summary summary;
    struct err e = ERR_INIT;

    for (int i = 0; i < SERIES_FAMILIES_MAX; i++) {
        pb_add_bytes(&message, RW1_FIELD_METADATA, STR("\x12\x01x"));
    }
    assert_true(rw1_scan(buf_str(&message), &summary, &e));
    pb_add_bytes(&message, RW1_FIELD_METADATA, STR("\x12\x01x"));
    assert_false(rw1_scan(buf_str(&message), &summary, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_message),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nothing_known_is_nothing_said),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_relabelling_renames),
        cmocka_unit_test(test_metadata_behind_the_series),
        cmocka_unit_test(test_patch_keeps_it),
        cmocka_unit_test(test_through_version_2),
        cmocka_unit_test(test_foreign_metadata),
        cmocka_unit_test(test_too_many_are_refused_where_they_come_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
