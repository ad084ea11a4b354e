#include "wire/events.h"

#include "wire/cloudevent.h"
#include "wire/frame.h"
#include "wire/record_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct event_extension extensions[] = {
    {.name = STR_INIT("partitionkey"), .type = EVENT_TEXT, .text = STR_INIT("k")},
    {.name = STR_INIT("n"), .type = EVENT_INTEGER, .integer = -3, .text = STR_INIT("")},
    {.name = STR_INIT("f"), .type = EVENT_FLAG, .integer = 1, .text = STR_INIT("")},
};

/* Two events; the first has everything. */
static struct batch *make_events(void)
{
    const struct batch_info info = {.kind = RECORD_EVENT};
    struct batch *b = batch_new(&codec_events, &info);
    struct event *rows = arena_array(batch_arena(b), struct event, 2);

    rows[0] = (struct event){.id = STR("1"),
                             .source = STR("/s"),
                             .type = STR("t"),
                             .subject = STR("u"),
                             .content_type = STR("application/json"),
                             .schema = STR("x:y"),
                             .has_time = true,
                             .extensions = extensions,
                             .extension_count = ARRAY_LEN(extensions),
                             .form = EVENT_DATA_JSON,
                             .data = STR("{}")};
    rows[1] = (struct event){.id = STR("2"),
                             .source = STR("#f"),
                             .type = STR("t"),
                             .subject = STR(""),
                             .content_type = STR(""),
                             .schema = STR(""),
                             .data = STR("")};
    batch_set_events(b, (struct events){rows, 2});
    return b;
}

static const unsigned char golden[] = "\x0a\x54\x0a\x01"
                                      "1\x12\x02/s\x1a\x01t\x22\x01u\x2a\x10"
                                      "application/json\x32\x03x:y\x39\0\0\0\0\0\0\0\0"
                                      "\x42\x11\x0a\x0cpartitionkey\x12\x01k"
                                      "\x42\x05\x0a\x01n\x18\x05"
                                      "\x42\x05\x0a\x01"
                                      "f\x20\x02\x48\x01\x52\x02{}"
                                      "\x0a\x0a\x0a\x01"
                                      "2\x12\x02#f\x1a\x01t";

static void test_bytes_are_the_format(void **state)
{
    AUTO(batch_autounref) struct batch *b = make_events();
    struct str bytes;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_encoded(b, &bytes, &e));
    assert_int_equal(bytes.len, sizeof(golden) - 1);
    assert_memory_equal(bytes.ptr, golden, bytes.len);
}

static void put_all(struct batch *b, struct buf *out)
{
    AUTO(record_objects_release) struct record_objects o = {0};
    struct err e = ERR_INIT;

    assert_true(record_objects_init(&o, view_all(b), &e));
    for (uint32_t i = 0; i < o.view.n; i++) {
        assert_int_equal(record_objects_count(&o, i), 1);
        record_objects_add(&o, i, 0, out);
        buf_add_byte(out, '\n');
    }
}

static void test_frames_and_back(void **state)
{
    AUTO(batch_autounref) struct batch *b = make_events();
    AUTO(batch_autounref) struct batch *again = NULL;
    AUTO(buf_release) struct buf frame = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf before = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf after = BUF_INIT(BUF_UNLIMITED);
    struct str payload;
    struct err e = ERR_INIT;

    (void)state;
    put_all(b, &before);
    assert_true(batch_to_frame(b, &frame, &payload, &e));
    buf_add_str(&frame, payload);
    struct batch_frame one;
    assert_true(batch_frame_read(buf_str(&frame), &one, &e));
    const struct batch_frame two[] = {one, one};
    assert_true(batch_frames_join(&two[0], &two[1]));
    assert_true(batch_from_frames(two, 2, &again, &e));
    put_all(again, &after);
    assert_int_equal(after.len, 2 * before.len);
    assert_memory_equal(after.ptr, before.ptr, before.len);
    assert_memory_equal(after.ptr + before.len, before.ptr, before.len);
}

static bool keep(void *arg, struct batch *b, struct err *e)
{
    struct batch **kept = arg;

    (void)e;
    *kept = batch_ref(b);
    return true;
}

/* What files and webhooks have of events is read back as the same. */
static void test_json_lines_and_back(void **state)
{
    AUTO(batch_autounref) struct batch *b = make_events();
    AUTO(batch_autounref) struct batch *again = NULL;
    AUTO(buf_release) struct buf before = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf after = BUF_INIT(BUF_UNLIMITED);
    const struct record_text_taker taker = {keep, &again};
    struct record_text_counts counts = {0};
    struct err e = ERR_INIT;

    (void)state;
    put_all(b, &before);
    assert_true(record_json_read(buf_str(&before), 0, &taker, &counts, &e));
    assert_int_equal(batch_info(again)->kind, RECORD_EVENT);
    put_all(again, &after);
    assert_string_equal(buf_text(&before), buf_text(&after));
    assert_false(record_json_read(STR("\n{\"specversion\":\"1.0\"}"), 0, &taker, &counts, &e));
}

static void test_broken_bytes(void **state)
{
    const struct batch_info info = {.kind = RECORD_EVENT};
    const struct events *events = NULL;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t len = 1; len < 86; len++) {
        AUTO(batch_autounref) struct batch *b =
            batch_from_bytes(&codec_events, str_make((const char *)golden, len), true, &info, 1);
        assert_false(batch_events(b, &events, &e));
    }
}

static void test_keys(void **state)
{
    struct event ev = {.id = STR("i"), .subject = STR("")};

    (void)state;
    assert_true(str_eq(event_key(&ev), STR("i")));
    ev.subject = STR("s");
    assert_true(str_eq(event_key(&ev), STR("s")));
    ev.extensions = extensions;
    ev.extension_count = 1;
    assert_true(str_eq(event_key(&ev), STR("k")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_are_the_format),
        cmocka_unit_test(test_frames_and_back),
        cmocka_unit_test(test_json_lines_and_back),
        cmocka_unit_test(test_broken_bytes),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
