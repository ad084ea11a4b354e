#include "wire/notes.h"

#include "base/mem.h"
#include "wire/frame.h"
#include "wire/note_json.h"
#include "wire/note_push.h"
#include "wire/record_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct labels *make_set(const char *name, const char *value)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_push(&b, str_of(name), str_of(value));
    assert_true(labels_build(&b, &l, &e));
    return l;
}

static const struct note_field fields[] = {
    {.name = STR_INIT("n"), .type = NOTE_NUMBER, .number = 1.5},
    {.name = STR_INIT("zero"), .type = NOTE_INTEGER},
    {.name = STR_INIT("minus"), .type = NOTE_INTEGER, .integer = -3},
    {.name = STR_INIT("t"), .type = NOTE_TEXT, .text = STR_INIT("")},
    {.name = STR_INIT("f"), .type = NOTE_FLAG, .integer = 1},
};

/* Two spans; the first has everything. */
static struct batch *make_spans(void)
{
    static const struct span_part full = {.trace_id = {1, 2},
                                          .span_id = {3},
                                          .parent_id = {4},
                                          .end_ns = 9,
                                          .kind = SPAN_KIND_CLIENT,
                                          .status = SPAN_STATUS_ERROR,
                                          .status_message = STR_INIT("no"),
                                          .more = STR_INIT("m")};
    static const struct span_part bare = {.status_message = STR_INIT(""), .more = STR_INIT("")};
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, 2);

    rows[0] = (struct note){.time_ns = 7,
                            .name = STR("run"),
                            .labels = make_set("a", "b"),
                            .fields = fields,
                            .field_count = ARRAY_LEN(fields),
                            .span = &full};
    rows[1] = (struct note){.name = STR(""), .labels = labels_empty(), .span = &bare};
    batch_set_notes(b, (struct notes){rows, 2});
    return b;
}

/* The bytes on disk: if this test must change, old logs can no longer be read. */
#define GOLDEN_SPANS                                                                            \
    "\x0a\x85\x01\x09\x07\0\0\0\0\0\0\0\x12\x03run\x1a\x08\x0a\x06\x0a\x01"                     \
    "a\x12\x01"                                                                                 \
    "b\x22\x0c\x0a\x01n\x11\0\0\0\0\0\0\xf8\x3f\x22\x08\x0a\x04zero\x18\0\x22\x09\x0a\x05minus" \
    "\x18\x05\x22\x05\x0a\x01t\x22\0\x22\x05\x0a\x01"                                           \
    "f\x28\x02\x2a\x3a\x0a\x10\x01\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x12\x08\x03\0\0\0\0\0\0\0"   \
    "\x1a\x08\x04\0\0\0\0\0\0\0\x21\x09\0\0\0\0\0\0\0\x28\x03\x30\x02\x3a\x02no\x42\x01m"       \
    "\x0a\x02\x2a\0"

static void test_golden_bytes(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_spans();
    struct str bytes = STR_NONE;
    struct err e = ERR_INIT;
    size_t at = 0;

    assert_true(batch_encoded(b, &bytes, &e));
    const struct str want = STR(GOLDEN_SPANS);
    while (at < bytes.len && at < want.len && bytes.ptr[at] == want.ptr[at]) {
        at++;
    }
    if (at < bytes.len || at < want.len) {
        fail_msg("%zu bytes, wanted %zu, they differ at %zu", bytes.len, want.len, at);
    }
}

static void check_first(const struct note *n)
{
    assert_int_equal(n->time_ns, 7);
    assert_true(str_eq(n->name, STR("run")));
    assert_true(str_eq(labels_get(n->labels, STR("a")), STR("b")));
    assert_int_equal(n->field_count, ARRAY_LEN(fields));
    for (size_t i = 0; i < n->field_count; i++) {
        assert_true(str_eq(n->fields[i].name, fields[i].name));
        assert_int_equal(n->fields[i].type, fields[i].type);
        assert_true(n->fields[i].number == fields[i].number);
        assert_int_equal(n->fields[i].integer, fields[i].integer);
    }
    assert_int_equal(n->span->trace_id[1], 2);
    assert_int_equal(n->span->parent_id[0], 4);
    assert_int_equal(n->span->end_ns, 9);
    assert_int_equal(n->span->kind, SPAN_KIND_CLIENT);
    assert_int_equal(n->span->status, SPAN_STATUS_ERROR);
    assert_true(str_eq(n->span->status_message, STR("no")));
    assert_true(str_eq(n->span->more, STR("m")));
}

static void test_through_a_frame(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_spans();
    AUTO(batch_autounref) struct batch *c = NULL;
    AUTO(buf_release) struct buf frame = BUF_INIT(BUF_UNLIMITED);
    const struct notes *notes = NULL;
    const struct samples *samples = NULL;
    struct str payload = STR_NONE;
    struct err e = ERR_INIT;

    assert_true(batch_to_frame(b, &frame, &payload, &e));
    buf_add_str(&frame, payload);
    assert_true(batch_from_frame(buf_str(&frame), &c, &e));
    assert_ptr_equal(batch_codec(c), &codec_spans);
    assert_true(batch_notes(c, &notes, &e));
    assert_int_equal(notes->count, 2);
    check_first(&notes->rows[0]);
    assert_ptr_equal(notes->rows[1].labels, labels_empty());
    assert_non_null(notes->rows[1].span);
    assert_false(batch_samples(c, &samples, &e));
}

/* Bytes cut anywhere are refused or give fewer rows than were said; never more. */
static void test_cut_bytes(void **state)
{
    (void)state;
    const struct batch_info info = {.kind = RECORD_SPAN};
    const struct str all = STR(GOLDEN_SPANS);

    for (size_t len = 0; len < all.len; len++) {
        AUTO(batch_autounref)
        struct batch *b = batch_from_bytes(&codec_spans, str_slice(all, 0, len), true, &info, 2);
        const struct notes *notes = NULL;
        struct err e = ERR_INIT;
        assert_false(batch_notes(b, &notes, &e));
    }
}

/* ---- JSON ---- */

static void read_all(const char *text, struct arena *a, struct note_push *push)
{
    struct err e = ERR_INIT;

    if (!note_push_read(str_of(text), 1000, a, push, &e)) {
        fail_msg("%s: %s", text, e.message);
    }
}

static void test_json_there_and_back(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"kind\":\"profile\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"name\":\"p\",\"a\":1,\"b\":1.5,"
        "\"c\":\"x\",\"d\":true,\"e\":\"NaN\",\"labels\":{\"l\":\"v\"},\"fields\":{\"name\":2}}",
        "{\"kind\":\"span\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"function_name\":\"f\","
        "\"execution_time_ms\":12.5,\"end_timestamp\":\"2026-01-31T12:00:00.0125Z\","
        "\"trace_id\":\"000102030405060708090a0b0c0d0e0f\",\"span_id\":\"0001020304050607\","
        "\"parent_id\":null,\"span_kind\":\"server\",\"status\":\"error\",\"status_message\":\"m\","
        "\"memory_usage_mb\":8,\"labels\":{}}",
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        AUTO(arena_release) struct arena a;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        struct note_push push;
        arena_init(&a, ARENA_UNLIMITED);
        read_all(texts[i], &a, &push);
        assert_int_equal(push.notes.len, 1);
        note_json_add(&push.notes.items[0], &out);
        assert_string_equal(buf_text(&out), texts[i]);
        note_push_release(&push);
    }
}

static void test_kinds_are_guessed(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct note_push push;
    const struct batch_info info = {.kind = RECORD_PROFILE};

    arena_init(&a, ARENA_UNLIMITED);
    read_all("{\"x\":1}\n\n{\"function_name\":\"f\"}\n{\"name\":\"g\",\"execution_time_ms\":1}\n",
             &a, &push);
    assert_int_equal(push.notes.len, 3);
    assert_null(push.notes.items[0].span);
    assert_int_equal(push.notes.items[0].time_ns, 1000);
    assert_non_null(push.notes.items[1].span);
    assert_int_equal(note_duration_ns(&push.notes.items[2]), 1000000);
    AUTO(batch_autounref) struct batch *profiles = note_push_batch(&push, RECORD_PROFILE, &info);
    assert_int_equal(batch_rows(profiles), 1);
    note_push_release(&push);
}

static void test_parents_by_name(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct note_push push;

    arena_init(&a, ARENA_UNLIMITED);
    read_all(
        "[{\"function_name\":\"leaf\",\"parent\":\"mid\"},{\"function_name\":\"root\"},"
        "{\"function_name\":\"mid\",\"parent\":\"root\"},"
        "{\"function_name\":\"self\",\"parent\":\"nobody\"},"
        "{\"function_name\":\"a\",\"parent\":\"b\"},{\"function_name\":\"b\",\"parent\":\"a\"}]",
        &a, &push);
    const struct note *n = push.notes.items;
    assert_memory_equal(n[0].span->parent_id, n[2].span->span_id, SPAN_ID_BYTES);
    assert_memory_equal(n[2].span->parent_id, n[1].span->span_id, SPAN_ID_BYTES);
    assert_memory_equal(n[0].span->trace_id, n[1].span->trace_id, TRACE_ID_BYTES);
    assert_true(span_id_is_none(n[1].span->parent_id, SPAN_ID_BYTES));
    assert_true(span_id_is_none(n[3].span->parent_id, SPAN_ID_BYTES));
    for (size_t i = 0; i < push.notes.len; i++) {
        assert_false(span_id_is_none(n[i].span->span_id, SPAN_ID_BYTES));
        assert_false(span_id_is_none(n[i].span->trace_id, TRACE_ID_BYTES));
    }
    note_push_release(&push);
}

static void test_ids_come_from_content(void **state)
{
    (void)state;
    static const char text[] = "[{\"function_name\":\"f\",\"timestamp\":1},"
                               "{\"function_name\":\"f\",\"timestamp\":1},"
                               "{\"function_name\":\"f\",\"timestamp\":2}]";
    AUTO(arena_release) struct arena a;
    struct note_push push;

    arena_init(&a, ARENA_UNLIMITED);
    read_all(text, &a, &push);
    const struct note *n = push.notes.items;
    assert_memory_equal(n[0].span->span_id, n[1].span->span_id, SPAN_ID_BYTES);
    assert_memory_not_equal(n[0].span->span_id, n[2].span->span_id, SPAN_ID_BYTES);
    note_push_release(&push);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"[1]", "expected an object"},
        {"{\"kind\":\"sample\"}", "expected the kind"},
        {"{\"a\":[1]}", "fields are flat"},
        {"{\"a\":1,\"fields\":{\"a\":2}}", "there already"},
        {"{\"fields\":1}", "an object of fields"},
        {"{\"labels\":{\"a\":1}}", "labels are texts"},
        {"{\"timestamp\":\"later\"}", "expected a time"},
        {"{\"function_name\":\"f\",\"trace_id\":\"12\"}", "32 hex digits"},
        {"{\"function_name\":\"f\",\"span_id\":\"zz01020304050607\"}", "16 hex digits"},
        {"{\"function_name\":\"f\",\"execution_time_ms\":-1}", "milliseconds"},
        {"{\"function_name\":\"f\",\"status\":\"fine\"}", "\"unset\", \"ok\""},
        {"{\"function_name\":\"f\",\"span_kind\":\"x\"}", "\"internal\""},
        {"{\"kind\":\"span\"}", "needs a \"function_name\""},
        {"{\"timestamp\":2,\"function_name\":\"f\",\"end_timestamp\":1}", "before it starts"},
        {"{\"a\":1}\n{\"a\":", "expected"},
        {"{\"a\":\n1,}", "expected"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena a;
        struct note_push push;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        assert_false(note_push_read(str_of(cases[i].text), 0, &a, &push, &e));
        if (strstr(e.message, cases[i].says) == NULL) {
            fail_msg("%s: '%s' does not say '%s'", cases[i].text, e.message, cases[i].says);
        }
    }
}

/* What is written as lines comes back as it was. */
static bool take_one(void *arg, struct batch *b, struct err *e)
{
    (void)e;
    *(struct batch **)arg = batch_ref(b);
    return true;
}

static void test_record_lines(void **state)
{
    (void)state;
    AUTO(batch_autounref) struct batch *b = make_spans();
    AUTO(batch_autounref) struct batch *c = NULL;
    AUTO(record_objects_release) struct record_objects objects = {0};
    AUTO(buf_release) struct buf lines = BUF_INIT(BUF_UNLIMITED);
    const struct record_text_taker taker = {take_one, &c};
    struct record_text_counts counts = {0};
    const struct notes *notes = NULL;
    struct err e = ERR_INIT;

    assert_true(record_objects_init(&objects, view_slice(view_all(b), 0, 1), &e));
    assert_int_equal(record_objects_count(&objects, 0), 1);
    record_objects_add(&objects, 0, 0, &lines);
    assert_true(record_json_read(buf_str(&lines), 0, &taker, &counts, &e));
    assert_int_equal(batch_info(c)->kind, RECORD_SPAN);
    assert_true(batch_notes(c, &notes, &e));
    assert_int_equal(notes->rows[0].field_count, ARRAY_LEN(fields));
    assert_int_equal(notes->rows[0].span->trace_id[1], 2);
    assert_true(note_get(&notes->rows[0], STR("n"))->number == 1.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_through_a_frame),
        cmocka_unit_test(test_cut_bytes),
        cmocka_unit_test(test_json_there_and_back),
        cmocka_unit_test(test_kinds_are_guessed),
        cmocka_unit_test(test_parents_by_name),
        cmocka_unit_test(test_ids_come_from_content),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_record_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
