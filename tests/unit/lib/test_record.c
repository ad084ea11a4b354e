#include "lib/record.h"

#include "base/mem.h"
#include "model/batch.h"
#include "wire/note_json.h"
#include "wire/notes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW INT64_C(1700000000000000000)

/* What a decoder makes of the record, as JSON; for mem_free(). */
static char *read_back(const struct record *r, uint32_t len, enum record_kind kind)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct batch_info info = {.kind = kind};
    const struct notes *notes = NULL;
    struct err e = ERR_INIT;
    char *bytes = mem_alloc(len);

    record_write(r, bytes);
    AUTO(batch_autounref) struct batch *b =
        batch_from_bytes(notes_codec(kind), str_make(bytes, len), false, &info, 1);
    assert_true(batch_notes(b, &notes, &e));
    note_json_add(&notes->rows[0], &text);
    return mem_dup_text(text.ptr, text.len);
}

static const struct telex_field fields[] = {
    {.name = "messages_per_second", .type = TELEX_NUMBER, .value.number = 14000.5},
    {.name = "total_messages", .type = TELEX_INTEGER, .value.integer = -3},
    {.name = "mode", .type = TELEX_TEXT, .value.text = "gr\xc3\xbcn"},
    {.name = "is_warm", .type = TELEX_FLAG, .value.integer = 7},
};
static const struct telex_label labels[] = {
    {"zone", "b"}, {"empty", ""}, {"host", "a"}, {"none", NULL}};

static void metrics_are_read_back(void **state)
{
    const struct telex_metrics m = {.struct_size = sizeof(m),
                                    .name = "p",
                                    .fields = fields,
                                    .field_count = 4,
                                    .labels = labels,
                                    .label_count = 4};
    struct record r;
    uint32_t len = 0;

    (void)state;
    assert_int_equal(record_of_metrics(&r, &m, NOW, &len), TELEX_OK);
    char *json = read_back(&r, len, RECORD_PROFILE);
    assert_string_equal(
        json, "{\"kind\":\"profile\",\"timestamp\":\"2023-11-14T22:13:20Z\",\"name\":\"p\","
              "\"messages_per_second\":14000.5,\"total_messages\":-3,\"mode\":\"gr\xc3\xbcn\","
              "\"is_warm\":true,\"labels\":{\"host\":\"a\",\"zone\":\"b\"}}");
    mem_free(json);
}

static void spans_are_read_back(void **state)
{
    const struct telex_span_ids ids = {.trace_id = {1, 2}, .span_id = {3}};
    const struct telex_span s = {.struct_size = sizeof(s),
                                 .function_name = "load",
                                 .duration_ns = 12500000,
                                 .ids = {.trace_id = {9}, .parent_id = {8}},
                                 .kind = TELEX_SPAN_SERVER,
                                 .status = TELEX_SPAN_ERROR,
                                 .status_message = "no",
                                 .fields = &fields[1],
                                 .field_count = 1};
    struct record r;
    uint32_t len = 0;

    (void)state;
    assert_int_equal(record_of_span(&r, &s, NOW, &ids, &len), TELEX_OK);
    char *json = read_back(&r, len, RECORD_SPAN);
    assert_non_null(strstr(json, "\"function_name\":\"load\",\"execution_time_ms\":12.5"));
    assert_non_null(strstr(json, "\"trace_id\":\"09000000000000000000000000000000\","
                                 "\"span_id\":\"0300000000000000\","
                                 "\"parent_id\":\"0800000000000000\""));
    assert_non_null(strstr(json, "\"span_kind\":\"server\""));
    assert_non_null(strstr(json, "\"status\":\"error\",\"status_message\":\"no\""));
    assert_non_null(strstr(json, "\"total_messages\":-3"));
    mem_free(json);
}

static void what_cannot_be_taken_is_refused(void **state)
{
    static const struct telex_field nameless = {.name = ""};
    static const struct telex_field null = {.name = NULL};
    static const struct telex_field wrong_type = {.name = "a", .type = 4};
    static const struct telex_field not_utf8 = {.name = "a\xff"};
    static const struct telex_field twice[] = {{.name = "a"}, {.name = "b"}, {.name = "a"}};
    static const struct telex_label same[] = {{"a", "1"}, {"b", "1"}, {"a", "2"}};
    static const struct {
        struct telex_metrics m;
        int code;
    } rows[] = {
        {{.fields = &nameless, .field_count = 1}, TELEX_INVALID},
        {{.fields = &null, .field_count = 1}, TELEX_INVALID},
        {{.fields = &wrong_type, .field_count = 1}, TELEX_INVALID},
        {{.fields = &not_utf8, .field_count = 1}, TELEX_INVALID},
        {{.fields = twice, .field_count = 3}, TELEX_INVALID},
        {{.fields = NULL, .field_count = 1}, TELEX_INVALID},
        {{.fields = fields, .field_count = 0}, TELEX_INVALID},
        {{.fields = fields, .field_count = TELEX_FIELDS_MAX + 1}, TELEX_TOO_LARGE},
        {{.fields = fields, .field_count = 1, .labels = same, .label_count = 3}, TELEX_INVALID},
        {{.fields = fields, .field_count = 1, .labels = same, .label_count = TELEX_LABELS_MAX + 1},
         TELEX_TOO_LARGE},
    };
    struct record r;
    uint32_t len = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct telex_metrics m = rows[i].m;
        m.struct_size = sizeof(m);
        assert_int_equal(record_of_metrics(&r, &m, NOW, &len), rows[i].code);
    }
    assert_int_equal(record_of_metrics(&r, NULL, NOW, &len), TELEX_INVALID);
}

static void a_record_has_a_limit(void **state)
{
    char *text = mem_alloc0(1, TELEX_RECORD_MAX);
    const struct telex_field large = {.name = "a", .type = TELEX_TEXT, .value.text = text};
    const struct telex_metrics m = {.struct_size = sizeof(m), .fields = &large, .field_count = 1};
    struct record r;
    uint32_t len = 0;

    (void)state;
    memset(text, 'x', TELEX_RECORD_MAX - 1);
    assert_int_equal(record_of_metrics(&r, &m, NOW, &len), TELEX_TOO_LARGE);
    text[TELEX_RECORD_MAX - 100] = '\0';
    assert_int_equal(record_of_metrics(&r, &m, NOW, &len), TELEX_OK);
    char *json = read_back(&r, len, RECORD_PROFILE);
    mem_free(json);
    mem_free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_are_read_back),
        cmocka_unit_test(spans_are_read_back),
        cmocka_unit_test(what_cannot_be_taken_is_refused),
        cmocka_unit_test(a_record_has_a_limit),
    };

    return cmocka_run_group_tests_name("lib/record", tests, NULL, NULL);
}
