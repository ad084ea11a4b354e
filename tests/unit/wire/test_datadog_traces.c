/* Spans for Datadog's agent: traces are put together, and what is too long is cut. The whole is read in tests/e2e. */
#include "wire/datadog_traces.h"

#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* <n> spans of the traces 2, 1, 2, 1, ... called <name>. */
static struct batch *spans(uint32_t n, struct str name)
{
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, n);

    for (uint32_t i = 0; i < n; i++) {
        struct span_part *s = arena_new(batch_arena(b), struct span_part);
        s->end_ns = 7;
        s->status_message = STR("");
        s->more = STR("");
        s->trace_id[15] = (uint8_t)(2 - i % 2);
        s->span_id[7] = (uint8_t)(i + 1);
        rows[i] = (struct note){.time_ns = 5, .name = name, .labels = labels_empty(), .span = s};
    }
    batch_set_notes(b, (struct notes){rows, n});
    return b;
}

static uint32_t encode(struct batch *b, uint32_t rows_max, struct buf *out, uint32_t *ret_traces)
{
    const struct datadog_spans w = {.service = STR("svc")};
    const struct notes *notes = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_notes(b, &notes, &e));
    return datadog_encode_traces(&w, notes, view_all(b), 0, rows_max, out, ret_traces);
}

static void a_span(void **state)
{
    static const char want[] = "\x91\x91\x8c"
                               "\xa7service\xa3svc"
                               "\xa4name\xa4work"
                               "\xa8resource\xa4work"
                               "\xa4type\xa6"
                               "custom"
                               "\xa8trace_id\x02\xa7span_id\x01\xa9parent_id\x00"
                               "\xa5start\x05\xa8"
                               "duration\x02\xa5"
                               "error\x00"
                               "\xa4meta\x80"
                               "\xa7metrics\x81\xb5_sampling_priority_v1\xcb\x3f\xf0\0\0\0\0\0\0";
    AUTO(batch_autounref) struct batch *b = spans(1, STR("work"));
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_SMALL);
    uint32_t traces = 0;

    (void)state;
    assert_int_equal(encode(b, 10, &made, &traces), 1);
    assert_int_equal(traces, 1);
    assert_int_equal(made.len, sizeof(want) - 1);
    assert_memory_equal(made.ptr, want, made.len);
}

static void traces_are_put_together(void **state)
{
    AUTO(batch_autounref) struct batch *b = spans(5, STR("w"));
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_SMALL);
    uint32_t traces = 0;

    (void)state;
    assert_int_equal(encode(b, 10, &made, &traces), 5);
    assert_int_equal(traces, 2);
    assert_memory_equal(made.ptr, "\x92\x92\x8c", 3); /* two traces, two spans in the first */
    buf_clear(&made);
    assert_int_equal(encode(b, 3, &made, &traces), 3);
    assert_int_equal(traces, 2);
}

static void what_is_long_is_cut(void **state)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_SMALL);
    uint32_t traces = 0;

    (void)state;
    for (int i = 0; i < 3000; i++) {
        buf_add_text(&name, i == 33 ? "abc" : "\u20ac");
    }
    AUTO(batch_autounref) struct batch *b = spans(1, buf_str(&name));
    assert_int_equal(encode(b, 1, &made, &traces), 1);
    assert_true(made.len < 6000);
    const char *at = memmem(made.ptr, made.len, "\xa4name", 5);
    assert_non_null(at);
    assert_memory_equal(at + 5, "\xd9\x64", 2); /* 33 characters of three bytes, and one */
}

static void many_spans_are_several_requests(void **state)
{
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf made = BUF_INIT(BUF_UNLIMITED);
    uint32_t traces = 0;

    (void)state;
    buf_add_repeat(&name, 'n', 5000);
    AUTO(batch_autounref) struct batch *b = spans(10000, buf_str(&name));
    uint32_t rows = encode(b, 10000, &made, &traces);
    assert_in_range(rows, 3000, 5000);
    assert_true(made.len <= DATADOG_TRACES_MAX + 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_span),
        cmocka_unit_test(traces_are_put_together),
        cmocka_unit_test(what_is_long_is_cut),
        cmocka_unit_test(many_spans_are_several_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
