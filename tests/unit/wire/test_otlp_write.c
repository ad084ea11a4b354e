/* Requests of OTLP byte by byte, and the answers to them. */
#include "wire/otlp.h"

#include "base/number.h"
#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct label resource[] = {{STR_INIT("service.name"), STR_INIT("s")}};
static const struct otlp_origin origin = {resource, 1, STR_INIT("telex"), STR_INIT("")};

static const uint32_t series_of[] = {0, 0};
static const double values[] = {1.5, 0};

static struct labels *make_labels(struct str name, struct str value)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, STR("__name__"), STR("up"));
    labels_builder_push(&b, name, value);
    assert_true(labels_build(&b, &l, &e));
    return l;
}

static void assert_bytes(struct str got, struct str want)
{
    if (!str_eq(got, want)) {
        for (size_t i = 0; i < got.len; i++) {
            print_message("\\x%02x", (unsigned char)got.ptr[i]);
        }
        fail_msg("%zu bytes, wanted %zu", got.len, want.len);
    }
}

/* The Metric message alone: what stands behind the scope. */
static void assert_metric(const struct series_meta *meta, struct labels *l, const int64_t *times,
                          uint32_t rows, struct str want)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct series_meta *metas[] = {meta};
    struct otlp_metrics_writer w;
    const struct samples s = {.series = &l,
                              .series_count = 1,
                              .count = rows,
                              .series_of = series_of,
                              .time_ns = times,
                              .value = values,
                              .meta = meta != NULL ? metas : NULL};

    buf_add_text(&out, "before");
    otlp_metrics_begin(&w, &origin, &out);
    for (uint32_t i = 0; i < rows; i++) {
        assert_null(otlp_metrics_add(&w, &s, i));
    }
    struct str message = otlp_metrics_end(&w);
    struct str scope = STR("\x0a\x07\x0a\x05telex");
    size_t at = str_find(message, scope) + scope.len;
    assert_bytes(str_slice(message, at, message.len), want);
    otlp_metrics_release(&w);
    labels_unref(l);
}

static void metrics_as_bytes(void **state)
{
    static const int64_t times[] = {1, 2};
    static const struct series_meta counter = {SERIES_COUNTER, STR_INIT("h"), STR_INIT("s")};
    static const struct series_meta gauge = {SERIES_RATE, STR_INIT(""), STR_INIT("1/s")};

    (void)state;
    assert_metric(NULL, make_labels(STR("a"), STR("b")), times, 2,
                  STR("\x12\x42\x0a\x02up\x2a\x3c"
                      "\x0a\x1c\x19\x01\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\xf8\x3f"
                      "\x3a\x08\x0a\x01"
                      "a\x12\x03\x0a\x01"
                      "b"
                      "\x0a\x1c\x19\x02\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0"
                      "\x3a\x08\x0a\x01"
                      "a\x12\x03\x0a\x01"
                      "b"));
    assert_metric(&counter, make_labels(STR("a"), STR("b")), times, 1,
                  STR("\x12\x2e\x0a\x02up\x12\x01h\x1a\x01s\x3a\x22"
                      "\x0a\x1c\x19\x01\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\xf8\x3f"
                      "\x3a\x08\x0a\x01"
                      "a\x12\x03\x0a\x01"
                      "b\x10\x02\x18\x01"));
    assert_metric(&gauge, make_labels(STR("a"), STR("\xff\xc3\xa9")), times, 1,
                  STR("\x12\x2d\x0a\x02up\x1a\x03"
                      "1/s\x2a\x22"
                      "\x0a\x20"
                      "\x19\x01\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\xf8\x3f"
                      "\x3a\x0c\x0a\x01"
                      "a\x12\x07\x0a\x05\xef\xbf\xbd\xc3\xa9"));
}

/* Counters are what happened in ten nanoseconds, which begin before 1970 for the first: that is not said. */
static void deltas_and_a_name_space(void **state)
{
    static const int64_t times[] = {10, 12};
    static const struct series_meta counter = {SERIES_COUNT, STR_INIT(""), STR_INIT("")};
    const struct series_meta *metas[] = {&counter};
    struct labels *l = make_labels(STR("a"), STR("b"));
    const struct samples s = {.series = &l,
                              .series_count = 1,
                              .count = 2,
                              .series_of = series_of,
                              .time_ns = times,
                              .value = values,
                              .meta = metas};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct otlp_metrics_writer w;
    struct str want = STR("\x0a\x07\x0a\x05telex"
                          "\x12\x51\x0a\x04n.up\x3a\x49"
                          "\x0a\x1c\x19\x0a\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\xf8\x3f"
                          "\x3a\x08\x0a\x01"
                          "a\x12\x03\x0a\x01"
                          "b"
                          "\x0a\x25\x11\x02\0\0\0\0\0\0\0\x19\x0c\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0"
                          "\x3a\x08\x0a\x01"
                          "a\x12\x03\x0a\x01"
                          "b\x10\x01\x18\x01");

    (void)state;
    otlp_metrics_begin(&w, &origin, &out);
    w.name_space = STR("n");
    w.delta_ns = 10;
    assert_null(otlp_metrics_add(&w, &s, 0));
    assert_null(otlp_metrics_add(&w, &s, 1));
    struct str message = otlp_metrics_end(&w);
    size_t at = str_find(message, str_slice(want, 0, 9));
    assert_bytes(str_slice(message, at, message.len), want);
    otlp_metrics_release(&w);
    labels_unref(l);
}

/* Where sums are of an interval, what is known to be a total is a gauge; elsewhere it is a sum. */
static void totals_are_no_deltas(void **state)
{
    static const struct series_meta total = {SERIES_COUNTER, STR_INIT(""), STR_INIT("")};
    static const int64_t times[] = {10};
    const struct series_meta *metas[] = {&total};
    struct labels *l = make_labels(STR("a"), STR("b"));
    const struct samples s = {.series = &l,
                              .series_count = 1,
                              .count = 1,
                              .series_of = series_of,
                              .time_ns = times,
                              .value = values,
                              .meta = metas};

    (void)state;
    for (int64_t delta_ns = 0; delta_ns <= 10; delta_ns += 10) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        struct otlp_metrics_writer w;
        otlp_metrics_begin(&w, &origin, &out);
        w.delta_ns = delta_ns;
        assert_null(otlp_metrics_add(&w, &s, 0));
        struct str message = otlp_metrics_end(&w);
        size_t at = str_find(message, STR("\x0a\x02up"));
        assert_int_equal(message.ptr[at + 4], (delta_ns == 0 ? 7 : 5) << 3 | 2);
        otlp_metrics_release(&w);
    }
    labels_unref(l);
}

static void samples_that_cannot_be(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    static const int64_t times[] = {-1};
    struct labels *l = make_labels(STR("a"), STR("b"));
    const struct samples s = {
        .series = &l, .count = 1, .series_of = series_of, .time_ns = times, .value = values};
    struct otlp_metrics_writer w;

    (void)state;
    otlp_metrics_begin(&w, &origin, &out);
    assert_string_equal(otlp_metrics_add(&w, &s, 0), "OTLP has no time before 1970");
    labels_unref(l);
    l = labels_empty();
    assert_string_equal(otlp_metrics_add(&w, &s, 0), "OTLP has no metric without a name");
    assert_int_equal(otlp_metrics_end(&w).len, 0);
    otlp_metrics_release(&w);
}

/* ---- spans ---- */

static const struct note_field fields[] = {
    {.name = STR_INIT("n"), .type = NOTE_NUMBER, .number = 0.5},
    {.name = STR_INIT("i"), .type = NOTE_INTEGER, .integer = -1},
    {.name = STR_INIT("t"), .type = NOTE_TEXT, .text = STR_INIT("")},
    {.name = STR_INIT("f"), .type = NOTE_FLAG, .integer = 0},
    {.name = STR_INIT("otel.scope.name"), .type = NOTE_TEXT, .text = STR_INIT("lib")},
};

static void spans_as_bytes(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct span_part part = {.trace_id = {1},
                                   .span_id = {2},
                                   .parent_id = {3},
                                   .end_ns = 9,
                                   .kind = SPAN_KIND_SERVER,
                                   .status = SPAN_STATUS_ERROR,
                                   .status_message = STR("bad"),
                                   .more = STR("\x1a\x01z")};
    const struct note n = {.time_ns = 8,
                           .name = STR("w"),
                           .labels = labels_empty(),
                           .fields = fields,
                           .field_count = ARRAY_LEN(fields),
                           .span = &part};
    struct otlp_spans_writer w;

    (void)state;
    otlp_spans_begin(&w, &origin, STR("p"), &out);
    assert_null(otlp_spans_add(&w, &n));
    otlp_spans_end(&w);
    assert_bytes(buf_str(&out),
                 STR("\x0a\xa2\x01\x0a\x15\x0a\x13\x0a\x0cservice.name\x12\x03\x0a\x01s"
                     "\x12\x88\x01\x0a\x05\x0a\x03lib\x12\x7f"
                     "\x0a\x10\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x08\x02\0\0\0\0\0\0\0"
                     "\x22\x08\x03\0\0\0\0\0\0\0\x2a\x03p.w\x30\x02"
                     "\x39\x08\0\0\0\0\0\0\0\x41\x09\0\0\0\0\0\0\0"
                     "\x4a\x0e\x0a\x01n\x12\x09\x21\0\0\0\0\0\0\xe0\x3f"
                     "\x4a\x10\x0a\x01i\x12\x0b\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                     "\x4a\x07\x0a\x01t\x12\x02\x0a\0\x4a\x07\x0a\x01"
                     "f\x12\x02\x10\0"
                     "\x7a\x07\x12\x03"
                     "bad\x18\x02\x1a\x01z"));
}

static void spans_that_cannot_be(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    const struct span_part part = {.status_message = STR(""), .more = STR("")};
    struct note n = {.name = STR(""), .labels = labels_empty(), .span = &part};
    struct otlp_spans_writer w;

    (void)state;
    otlp_spans_begin(&w, &origin, STR(""), &out);
    assert_string_equal(otlp_spans_add(&w, &n), "OTLP has no span without ids");
    n.span = NULL;
    assert_non_null(otlp_spans_add(&w, &n));
    otlp_spans_end(&w);
    assert_int_equal(out.len, 0);
}

/* ---- answers ---- */

static void partial_success(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct otlp_partial got = {7, STR("kept")};

    (void)state;
    otlp_partial_write(&(struct otlp_partial){0, STR("")}, &out);
    assert_int_equal(out.len, 0);
    otlp_partial_write(&(struct otlp_partial){3, STR("old")}, &out);
    assert_bytes(buf_str(&out), STR("\x0a\x07\x08\x03\x12\x03old"));
    assert_false(otlp_partial_read(STR("\x0a\x05\x08"), &got));
    assert_int_equal(got.rejected, 7);
    assert_true(otlp_partial_read(buf_str(&out), &got));
    assert_int_equal(got.rejected, 3);
    assert_bytes(got.message, STR("old"));
}

static void status_with_retry_info(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct otlp_status got;

    (void)state;
    otlp_status_write(&(struct otlp_status){.code = 8, .message = STR("slow")}, &out);
    assert_true(otlp_status_read(buf_str(&out), &got));
    assert_int_equal(got.code, 8);
    assert_bytes(got.message, STR("slow"));
    assert_false(got.has_retry);
    buf_add_str(&out, STR("\x1a\x33\x0a\x28type.googleapis.com/google.rpc.RetryInfo"
                          "\x12\x07\x0a\x05\x08\x02\x10\xc0\x3e"));
    assert_true(otlp_status_read(buf_str(&out), &got));
    assert_true(got.has_retry);
    assert_int_equal(got.retry_ms, 2000);
    assert_false(otlp_status_read(STR("\x1a\x33"), &got));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deltas_and_a_name_space), cmocka_unit_test(metrics_as_bytes),
        cmocka_unit_test(totals_are_no_deltas),    cmocka_unit_test(samples_that_cannot_be),
        cmocka_unit_test(spans_as_bytes),          cmocka_unit_test(spans_that_cannot_be),
        cmocka_unit_test(partial_success),         cmocka_unit_test(status_with_retry_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
