#include "wire/remote_write.h"

#include "base/mem.h"
#include "base/number.h"
#include "wire/compress.h"
#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct labels *make_set(const char *name, const char *value)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), str_of(name));
    labels_builder_push(&b, STR("job"), str_of(value));
    assert_true(labels_build(&b, &l, &e));
    return l;
}

enum { ROWS = 4 };

/* Series a, a, b, a at 1 s, 2 s, 1 s, 3 s. */
static struct batch *make_batch(void)
{
    static const uint32_t series_of[ROWS] = {0, 0, 1, 0};
    static const int64_t time_ns[ROWS] = {1000000000, 2000999999, 1000000000, 3000000000};
    static const double value[ROWS] = {1.5, 0.0, -2.0, 4.0};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct labels **series = arena_array(batch_arena(b), struct labels *, 2);

    series[0] = make_set("a", "x");
    series[1] = make_set("b", "");
    batch_set_samples(b, (struct samples){.series = series,
                                          .series_count = 2,
                                          .count = ROWS,
                                          .series_of = series_of,
                                          .time_ns = time_ns,
                                          .value = value});
    return b;
}

#define LABELS_A                       \
    "\x0a\x0d\x0a\x08__name__\x12\x01" \
    "a\x0a\x08\x0a\x03"                \
    "job\x12\x01"                      \
    "x"
#define LABELS_B                       \
    "\x0a\x0d\x0a\x08__name__\x12\x01" \
    "b"

static void test_golden_message(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    const struct str want =
        STR("\x0a\x35" LABELS_A "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\xe8\x07"
            "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\x00\x00\x10\xd0\x0f"
            "\x0a\x1d" LABELS_B "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\x00\xc0\x10\xe8\x07"
            "\x0a\x27" LABELS_A "\x12\x0c\x09\x00\x00\x00\x00\x00\x00\x10\x40\x10\xb8\x17");
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(rw1_encode(s, view_all(b), 0, SIZE_MAX, &out), ROWS);
    assert_int_equal(out.len, want.len);
    assert_memory_equal(out.ptr, want.ptr, want.len);
}

static void test_as_many_rows_as_fit(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    const struct samples *s = NULL;
    struct err e = ERR_INIT;
    static const uint32_t list[] = {2, 3};
    struct view some = {.batch = b, .rows = list, .n = 2};
    static const struct {
        bool listed;
        uint32_t from;
        size_t max;
        uint32_t rows;
        size_t len;
    } rows[] = {
        {false, 0, 0, 2, 55},    {false, 0, 85, 2, 55}, {false, 0, 86, 3, 86},
        {false, 0, 999, 4, 127}, {false, 2, 0, 1, 31},  {false, 4, 9, 0, 0},
        {true, 0, 999, 2, 72},   {true, 1, 0, 1, 41},   {false, 1, SIZE_MAX, 3, 113},
    };
    assert_true(batch_samples(b, &s, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct view v = rows[i].listed ? some : view_all(b);
        assert_int_equal(rw1_encode(s, v, rows[i].from, rows[i].max, &out), rows[i].rows);
        assert_int_equal(out.len, rows[i].len);
    }
}

static void test_codec_round_trip(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_batch();
    const struct samples *s = NULL;
    const struct samples *t = NULL;
    struct str bytes = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e) && batch_encoded(b, &bytes, &e));
    AUTO(batch_autounref)
    struct batch *c = batch_from_bytes(&codec_rw1, bytes, true, batch_info(b), ROWS);
    assert_true(batch_samples(c, &t, &e));
    assert_int_equal(t->count, ROWS);
    assert_int_equal(t->series_count, 3);
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_true(labels_eq(s->series[s->series_of[i]], t->series[t->series_of[i]]));
        assert_true(t->time_ns[i] == s->time_ns[i] / 1000000 * 1000000);
        assert_true(number_bits(t->value[i]) == number_bits(s->value[i]));
    }
}

static void test_values_keep_their_bits(void **state)
{
    (void)state;
    const double values[] = {number_stale_nan(), -0.0, 5e-324, 1e308};
    const uint32_t series_of[ARRAY_LEN(values)] = {0};
    const int64_t times[ARRAY_LEN(values)] = {-1, -1000000, 0, INT64_MAX};
    const int64_t want_ms[ARRAY_LEN(values)] = {-1, -1, 0, 9223372036854};
    struct labels *set = make_set("a", "x");
    const struct samples s = {.series = &set,
                              .series_count = 1,
                              .count = ARRAY_LEN(values),
                              .series_of = series_of,
                              .time_ns = times,
                              .value = values};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    struct samples back;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    (void)rw1_encode(&s, (struct view){.n = s.count}, 0, SIZE_MAX, &out);
    assert_true(rw1_decode(buf_str(&out), RW1_LENIENT, &a, &back, NULL, &e));
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        assert_true(number_bits(back.value[i]) == number_bits(values[i]));
        assert_true(back.time_ns[i] == want_ms[i] * 1000000);
    }
    labels_unref(back.series[0]);
    labels_unref(set);
}

#define SAMPLE "\x12\x0b\x09\x00\x00\x00\x00\x00\x00\xf8\x3f\x10\x01"
#define NAME                           \
    "\x0a\x0d\x0a\x08__name__\x12\x01" \
    "a"
#define JOB "\x0a\x08\x0a\x03job\x12\x01x"

/* What decodes, in both modes; the message is one TimeSeries with this content. */
static void test_lenient_and_strict(void **state)
{
    (void)state;
    static const struct {
        struct str series;
        const char *printed; /* of the labels when lenient; NULL: refused */
        const char *strict;  /* the refusal; NULL: accepted */
    } rows[] = {
        {STR_INIT(NAME JOB SAMPLE), "a{job=\"x\"}", NULL},
        {STR_INIT(SAMPLE NAME), "a", NULL},
        {STR_INIT(JOB NAME SAMPLE), "a{job=\"x\"}",
         "labels are not sorted, unique and without empty "
         "values at byte 2 of the message"},
        {STR_INIT(NAME SAMPLE JOB), "a{job=\"x\"}", NULL},
        {STR_INIT(NAME "\x0a\x07\x0a\x03job\x12\x00" SAMPLE), "a",
         "labels are not sorted, unique and without empty values at byte 2 of the message"},
        {STR_INIT(JOB SAMPLE), "{job=\"x\"}",
         "series without a metric name at byte 2 of the message"},
        {STR_INIT(SAMPLE), "{}", "series without a metric name at byte 2 of the message"},
        {STR_INIT(NAME "\x0a\x08\x0a\x03j-b\x12\x01x" SAMPLE), "a{\"j-b\"=\"x\"}",
         "label \"j-b\" has a bad name or value at byte 2 of the message"},
        {STR_INIT(NAME "\x0a\x08\x0a\x03job\x12\x01\xff" SAMPLE), "a{job=\"\\xff\"}",
         "label \"job\" has a bad name or value at byte 2 of the message"},
        {STR_INIT(NAME SAMPLE SAMPLE), "a",
         "samples of a series are not in order of time at byte 2 of the message"},
        {STR_INIT(NAME NAME SAMPLE), NULL, "label \"__name__\" stands twice in one set"},
        {STR_INIT(NAME "\x12\x02\x10"), NULL,
         "expected a protobuf field at byte 17 of the message"},
        {STR_INIT(NAME "\x12\x01\x10"), NULL,
         "expected a protobuf field at byte 19 of the message"},
        {STR_INIT(NAME "\x12\x0a\x10\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), NULL,
         "time 9223372036854775807 ms is out of range at byte 19 of the message"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (int strict = 0; strict < 2; strict++) {
            AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
            AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
            AUTO(arena_release) struct arena a;
            struct samples s;
            struct err e = ERR_INIT;
            arena_init(&a, ARENA_UNLIMITED);
            pb_add_bytes(&message, 1, rows[i].series);
            bool ok =
                rw1_decode(buf_str(&message), strict ? RW1_STRICT : RW1_LENIENT, &a, &s, NULL, &e);
            assert_int_equal(ok, rows[i].printed != NULL && (!strict || rows[i].strict == NULL));
            if (!ok) {
                assert_string_equal(e.message, rows[i].strict);
                continue;
            }
            assert_int_equal(s.series_count, 1);
            labels_print(s.series[0], &out);
            assert_string_equal(buf_text(&out), rows[i].printed);
            labels_unref(s.series[0]);
        }
    }
}

static void test_extras_are_counted_and_passed_over(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    struct samples s;
    struct rw1_extras extras;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    pb_add_bytes(&message, 1, STR(NAME "\x1a\x00\x22\x00\x22\x00"));
    pb_add_bytes(&message, 3, STR("\x12\x01x"));
    pb_add_bytes(&message, 1, STR(NAME JOB SAMPLE "\x2a\x00"));
    pb_add_u64(&message, 9, 1);
    assert_true(rw1_decode(buf_str(&message), RW1_LENIENT, &a, &s, &extras, &e));
    assert_int_equal(s.series_count, 1);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.series_of[0], 0);
    assert_int_equal(extras.exemplars, 1);
    assert_int_equal(extras.histograms, 2);
    assert_int_equal(extras.metadata, 1);
    labels_unref(s.series[0]);
    assert_false(rw1_decode(buf_str(&message), RW1_STRICT, &a, &s, &extras, &e));
    assert_string_equal(e.message, "series without a sample at byte 2 of the message");
    assert_string_equal(e.context, "series 0");
}

static void test_empty_message(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct samples s = {.count = 9};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(rw1_decode(STR(""), RW1_STRICT, &a, &s, NULL, &e));
    assert_int_equal(s.count, 0);
    assert_false(rw1_decode(STR("\x0a"), RW1_LENIENT, &a, &s, NULL, &e));
    assert_int_equal(e.code, ERR_PARSE);
}

static void test_arena_cap(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, 10000);
    for (int i = 0; i < 5000; i++) {
        pb_add_bytes(&message, 1, STR("\x12\x00"));
    }
    assert_false(rw1_decode(buf_str(&message), RW1_LENIENT, &a, &s, NULL, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void test_headers(void **state)
{
    (void)state;
    assert_string_equal(rw1_headers[0].value, "snappy");
    assert_string_equal(rw1_headers[1].value, "application/x-protobuf");
    assert_string_equal(rw1_headers[2].name, "X-Prometheus-Remote-Write-Version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_message),
        cmocka_unit_test(test_as_many_rows_as_fit),
        cmocka_unit_test(test_codec_round_trip),
        cmocka_unit_test(test_values_keep_their_bits),
        cmocka_unit_test(test_lenient_and_strict),
        cmocka_unit_test(test_extras_are_counted_and_passed_over),
        cmocka_unit_test(test_empty_message),
        cmocka_unit_test(test_arena_cap),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
