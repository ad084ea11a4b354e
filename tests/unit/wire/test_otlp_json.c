/* OTLP's JSON form: the public examples both ways, and what each type of a field takes and gives. */
#include "wire/otlp_json.h"

#include "fake/shared_data.h"
#include "wire/json.h"
#include "wire/note_json.h"
#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool to_pb(enum otlp_form form, struct str json, struct buf *message, struct err *e)
{
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    return otlp_json_read(form, json, &a, message, e);
}

/* ---- the same, whatever the order of members ---- */

static bool same(const struct json_node *a, const struct json_node *b);

static bool same_children(const struct json_node *a, const struct json_node *b)
{
    const struct json_node *other = b->first;

    for (const struct json_node *child = a->first; child != NULL; child = child->next) {
        const struct json_node *peer = a->kind == JSON_OBJECT ? json_get(b, child->key) : other;
        if (peer == NULL || !same(child, peer)) {
            return false;
        }
        other = a->kind == JSON_OBJECT ? other : other->next;
    }
    return true;
}

static bool same(const struct json_node *a, const struct json_node *b)
{
    double x;
    double y;

    if (a->kind != b->kind || a->count != b->count) {
        return false;
    }
    if (a->kind == JSON_NUMBER) {
        return json_node_double(a, &x) && json_node_double(b, &y) && x == y;
    }
    bool is_id = a->kind == JSON_STRING && str_ends(a->key, STR("Id"));
    return (is_id ? str_eq_nocase(a->text, b->text) : str_eq(a->text, b->text)) &&
           same_children(a, b);
}

static void check_round_trip(enum otlp_form form, struct str json)
{
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    struct json_node *before;
    struct json_node *after;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(to_pb(form, json, &message, &e));
    assert_true(otlp_json_write(form, buf_str(&message), &again, &e));
    assert_true(json_parse(json, &a, &before, &e));
    assert_true(json_parse(buf_str(&again), &a, &after, &e));
    assert_true(same(before, after));
}

static void test_public_examples(void **state)
{
    static const struct {
        const char *file;
        enum otlp_form form;
    } examples[] = {{"otlp/metrics.json", OTLP_METRICS_REQUEST},
                    {"otlp/trace.json", OTLP_TRACES_REQUEST}};

    (void)state;
    for (size_t i = 0; i < sizeof(examples) / sizeof(*examples); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
        if (!shared_data_read(examples[i].file, &text)) {
            skip();
        }
        check_round_trip(examples[i].form, buf_str(&text));
    }
}

/* ---- by field ---- */

#define POINT(members)                                                                             \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"gauge\":{\"dataPoints\":[{" members \
    "}]}}]}]}]}"
#define HISTOGRAM(members)                                                                             \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{" members \
    "}]}}]}]}]}"
#define EXPONENTIAL(members)                                                             \
    "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"exponentialHistogram\":{" \
    "\"dataPoints\":[{" members "}]}}]}]}]}"
#define ATTRIBUTE(value) POINT("\"attributes\":[{\"key\":\"k\",\"value\":{" value "}}]")

static const struct {
    enum otlp_form form;
    const char *in;
    const char *out; /* NULL: as it came in */
} forms[] = {
    {OTLP_METRICS_REQUEST, "{}", NULL},
    {OTLP_METRICS_REQUEST, POINT("\"timeUnixNano\":\"18446744073709551615\",\"asInt\":\"-7\""),
     NULL},
    {OTLP_METRICS_REQUEST, POINT("\"timeUnixNano\":12,\"asInt\":1e3"),
     POINT("\"timeUnixNano\":\"12\",\"asInt\":\"1000\"")},
    {OTLP_METRICS_REQUEST, POINT("\"asDouble\":\"1.5\""), POINT("\"asDouble\":1.5")},
    {OTLP_METRICS_REQUEST, POINT("\"asDouble\":\"-Infinity\""), NULL},
    {OTLP_METRICS_REQUEST, POINT("\"asDouble\":\"NaN\""), NULL},
    {OTLP_METRICS_REQUEST, POINT("\"asDouble\":0"), NULL},
    {OTLP_METRICS_REQUEST, POINT("\"flags\":1"), NULL},
    {OTLP_METRICS_REQUEST, POINT("\"flags\":null,\"unknown\":{\"a\":[1]},\"asDouble\":1"),
     POINT("\"asDouble\":1")},
    {OTLP_METRICS_REQUEST, POINT("\"exemplars\":[{\"spanId\":\"00F067AA0BA902B7\"}]"),
     POINT("\"exemplars\":[{\"spanId\":\"00f067aa0ba902b7\"}]")},
    {OTLP_METRICS_REQUEST, HISTOGRAM("\"bucketCounts\":[\"1\",\"2\"],\"explicitBounds\":[0.5]"),
     NULL},
    {OTLP_METRICS_REQUEST, HISTOGRAM("\"bucketCounts\":[]"), NULL},
    {OTLP_METRICS_REQUEST,
     EXPONENTIAL("\"scale\":-2,\"positive\":{\"offset\":3,\"bucketCounts\":[\"1\",\"300\"]}"),
     NULL},
    {OTLP_METRICS_REQUEST, ATTRIBUTE("\"stringValue\":\"\""), NULL},
    {OTLP_METRICS_REQUEST, ATTRIBUTE("\"boolValue\":false"), NULL},
    {OTLP_METRICS_REQUEST, ATTRIBUTE("\"intValue\":\"9223372036854775807\""), NULL},
    {OTLP_METRICS_REQUEST, ATTRIBUTE("\"bytesValue\":\"AP8=\""), NULL},
    {OTLP_METRICS_REQUEST, ATTRIBUTE("\"arrayValue\":{\"values\":[{\"doubleValue\":2.5},{}]}"),
     NULL},
    {OTLP_METRICS_REQUEST,
     ATTRIBUTE("\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"intValue\":\"1\"}}]}"),
     NULL},
    {OTLP_METRICS_RESPONSE,
     "{\"partialSuccess\":{\"rejectedDataPoints\":\"3\",\"errorMessage\":\"old\"}}", NULL},
    {OTLP_TRACES_RESPONSE, "{\"partialSuccess\":{\"rejectedSpans\":\"3\"}}", NULL},
    {OTLP_RPC_STATUS, "{\"code\":3,\"message\":\"\\u00fc\\n\"}",
     "{\"code\":3,\"message\":\"ü\\n\"}"},
};

static void test_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        const char *expected = forms[i].out != NULL ? forms[i].out : forms[i].in;
        if (!to_pb(forms[i].form, str_of(forms[i].in), &message, &e)) {
            fail_msg("%s: %s", forms[i].in, e.message);
        }
        assert_true(otlp_json_write(forms[i].form, buf_str(&message), &again, &e));
        assert_string_equal(buf_text(&again), expected);
    }
}

static void test_mistakes_have_a_position(void **state)
{
    static const char *const mistakes[] = {
        "",
        "[]",
        "{\"resourceMetrics\":{}}",
        POINT("\"timeUnixNano\":\"x\""),
        POINT("\"timeUnixNano\":1.5"),
        POINT("\"asDouble\":true"),
        POINT("\"exemplars\":[{\"spanId\":\"0g\"}]"),
        POINT("\"exemplars\":[{\"spanId\":\"000\"}]"),
        ATTRIBUTE("\"boolValue\":1"),
        ATTRIBUTE("\"bytesValue\":\"?\""),
        ATTRIBUTE("\"stringValue\":1"),
        "{} x",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(*mistakes); i++) {
        AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        assert_false(to_pb(OTLP_METRICS_REQUEST, str_of(mistakes[i]), &message, &e));
        assert_non_null(strstr(e.message, " at byte "));
    }
}

/* Lists in lists: reading refuses what is too deep, writing leaves the rest out. */
static void test_depth_is_limited(void **state)
{
    enum { LEVELS = 40, PREFIX = 8 };
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf message = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    static const uint32_t prefix[PREFIX] = {1, 2, 2, 5, 1, 7, 2, 5};
    size_t begun[PREFIX + 2 * LEVELS];
    size_t count = 0;
    struct err e = ERR_INIT;

    (void)state;
    for (; count < PREFIX; count++) {
        begun[count] = pb_begin(&message, prefix[count]);
    }
    for (; count < PREFIX + 2 * LEVELS; count++) {
        begun[count] = pb_begin(&message, count % 2 == 0 ? 1 : 5);
    }
    while (count > 0) {
        pb_end(&message, begun[--count]);
    }
    assert_true(otlp_json_write(OTLP_METRICS_REQUEST, buf_str(&message), &json, &e));
    buf_clear(&message);
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(otlp_json_read(OTLP_METRICS_REQUEST, buf_str(&json), &a, &message, &e));
    buf_clear(&json);
    for (int i = 0; i < LEVELS; i++) {
        buf_add_text(&json, "{\"resourceMetrics\":[");
    }
    assert_false(otlp_json_read(OTLP_METRICS_REQUEST, buf_str(&json), &a, &message, &e));
}

/* A record of a span keeps what has no member of its own, both ways. */
static void test_the_rest_of_a_span(void **state)
{
    static const char json[] =
        "{\"kind\":\"span\",\"timestamp\":\"2026-01-31T12:00:00Z\",\"function_name\":\"f\",\"execution_time_ms\":1,"
        "\"trace_id\":\"5b8efff798038103d269b633813fc60c\",\"span_id\":\"eee19b7ec3c1b174\",\"otlp\":{\"traceState\":"
        "\"a=1\",\"events\":[{\"timeUnixNano\":\"7\",\"name\":\"boom\"}],\"links\":[{\"traceId\":"
        "\"5b8efff798038103d269b633813fc60c\"}],\"flags\":257},\"size\":3,\"labels\":{}}";
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf again = BUF_INIT(BUF_UNLIMITED);
    struct json_node *root = NULL;
    struct note note;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(STR(json), &a, &root, &e));
    assert_true(note_json_read(STR(json), root, RECORD_SPAN, 0, &a, &note, &e));
    note_json_add(&note, &again);
    const char *rest = strstr(buf_text(&again), "\"otlp\":");
    assert_non_null(rest);
    assert_true(str_starts(str_of(rest), str_slice(str_of(strstr(json, "\"otlp\":")), 0, 140)));
    assert_int_equal(note.field_count, 1);
    labels_unref(note.labels);
    const char *bad = "{\"function_name\":\"f\",\"otlp\":{\"events\":1}}";
    assert_true(json_parse(str_of(bad), &a, &root, &e));
    assert_false(note_json_read(str_of(bad), root, RECORD_SPAN, 0, &a, &note, &e));
}

static void test_a_full_buffer_is_a_limit(void **state)
{
    AUTO(buf_release) struct buf message = BUF_INIT(4);
    struct err e = ERR_INIT;

    (void)state;
    assert_false(to_pb(OTLP_METRICS_REQUEST, STR(POINT("\"asDouble\":1")), &message, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void test_bytes_that_are_no_message(void **state)
{
    static const struct str bad[] = {STR_INIT("\x0a"), STR_INIT("\x08\x01"),
                                     STR_INIT("\x0a\x02\x08\x01"), STR_INIT("\xff")};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        assert_false(otlp_json_write(OTLP_METRICS_REQUEST, bad[i], &json, &e));
        assert_int_equal(e.code, ERR_PARSE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_public_examples),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_mistakes_have_a_position),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_the_rest_of_a_span),
        cmocka_unit_test(test_a_full_buffer_is_a_limit),
        cmocka_unit_test(test_bytes_that_are_no_message),
    };

    return cmocka_run_group_tests_name("wire/otlp_json", tests, NULL, NULL);
}
