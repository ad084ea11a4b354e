/* Rows as New Relic takes them: events, spans, limits, ids of requests. */
#include "wire/newrelic.h"

#include "base/clock.h"
#include "fake/export_kit.h"
#include "wire/json.h"
#include "wire/note_json.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct option_pair pairs[] = {{.name = STR_INIT("env"), .value = STR_INIT("prod")},
                                           {.name = STR_INIT("host"), .value = STR_INIT("common")}};
static const struct option_map common = {pairs, ARRAY_LEN(pairs)};
static const struct option_map nothing = {0};

static struct note read_note(struct arena *a, const char *text, enum record_kind kind)
{
    struct json_node *root = NULL;
    struct note n;
    struct err e = ERR_INIT;

    assert_true(json_parse(str_of(text), a, &root, &e));
    if (!note_json_read(str_of(text), root, kind, KIT_TIME_NS, a, &n, &e)) {
        fail_msg("%s", e.message);
    }
    return n;
}

static void check(const struct newrelic_writer *w,
                  enum newrelic_result (*add)(const struct newrelic_writer *, const struct note *,
                                              struct buf *),
                  const char *text, enum record_kind kind, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;

    arena_init(&a, ARENA_UNLIMITED);
    struct note n = read_note(&a, text, kind);
    assert_int_equal(add(w, &n, &got), NEWRELIC_WRITTEN);
    assert_string_equal(buf_text(&got), want);
    labels_unref(n.labels);
}

static void test_events(void **state)
{
    const struct str listed[] = {STR("a"), STR("flag"), STR("host")};
    const struct option_list attributes = {listed, ARRAY_LEN(listed)};
    struct newrelic_writer w = {.common = &common, .event_type = STR("ProfileMetrics")};

    (void)state;
    check(&w, newrelic_add_event,
          "{\"a\":1.5,\"b\":2,\"labels\":{\"host\":\"label\",\"zone\":\"z\"}}", RECORD_PROFILE,
          "{\"eventType\":\"ProfileMetrics\",\"timestamp\":1705314600000,\"a\":1.5,\"b\":2,"
          "\"host\":\"label\",\"zone\":\"z\",\"env\":\"prod\"}");
    w.attributes = &attributes;
    check(
        &w, newrelic_add_event,
        "{\"a\":1,\"b\":2,\"flag\":true,\"host\":\"field\",\"labels\":{\"host\":\"label\",\"appId\":\"x\"}}",
        RECORD_PROFILE,
        "{\"eventType\":\"ProfileMetrics\",\"timestamp\":1705314600000,\"a\":1,\"flag\":true,"
        "\"host\":\"field\",\"env\":\"prod\"}");
}

static void test_spans(void **state)
{
    const struct newrelic_writer w = {.common = &nothing};

    (void)state;
    check(&w, newrelic_add_span,
          "{\"function_name\":\"f\",\"execution_time_ms\":2.5,\"memory_usage_mb\":8,"
          "\"trace_id\":\"0102030405060708090a0b0c0d0e0f10\",\"span_id\":\"1112131415161718\","
          "\"parent_id\":\"2122232425262728\",\"status\":\"error\",\"labels\":{\"service\":\"s\"}}",
          RECORD_SPAN,
          "{\"id\":\"1112131415161718\",\"trace.id\":\"0102030405060708090a0b0c0d0e0f10\","
          "\"timestamp\":1705314600000,\"attributes\":{\"name\":\"f\",\"duration.ms\":2.5,"
          "\"parent.id\":\"2122232425262728\",\"service.name\":\"s\",\"error.message\":\"error\","
          "\"memory_usage_mb\":8,\"service\":\"s\"}}");
}

static void test_what_it_refuses(void **state)
{
    static const struct kit_sample samples[] = {
        {"up", KIT_TIME_NS, 1},
        {"up", KIT_TIME_NS - INT64_C(48) * 3600 * NS_PER_S, 1},
        {"up", KIT_TIME_NS - (INT64_C(48) * 3600 + 1) * NS_PER_S, 1},
        {"up", KIT_TIME_NS + (INT64_C(24) * 3600 + 1) * NS_PER_S, 1},
        {"up", KIT_TIME_NS, NAN},
        {"up", KIT_TIME_NS, INFINITY},
        {",a=b", KIT_TIME_NS, 1},
    };
    static const enum newrelic_result want[] = {
        NEWRELIC_WRITTEN,    NEWRELIC_WRITTEN,    NEWRELIC_TOO_OLD,  NEWRELIC_TOO_NEW,
        NEWRELIC_NOT_FINITE, NEWRELIC_NOT_FINITE, NEWRELIC_NAMELESS,
    };
    const struct batch_info info = {.origin = STR_INIT("rule")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, ARRAY_LEN(samples));
    const struct newrelic_writer w = {.common = &nothing, .now_ns = KIT_TIME_NS};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &s, &e));
    for (uint32_t i = 0; i < ARRAY_LEN(want); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        enum newrelic_result result = newrelic_add_metric(&w, s, i, &got);
        assert_int_equal(result, want[i]);
        assert_int_equal(newrelic_refusal(result) == NULL, got.len > 0);
    }
}

/* <labels> of them, the first with a name of <name> bytes and a value of <value>. */
static enum newrelic_result add_labelled(size_t labels, size_t name, size_t value, struct buf *out)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    const struct batch_info info = {.origin = STR_INIT("rule")};
    const struct newrelic_writer w = {.common = &nothing};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    buf_add_text(&text, "up,");
    buf_add_repeat(&text, 'a', name);
    buf_add_byte(&text, '=');
    buf_add_repeat(&text, 'v', value);
    for (size_t i = 1; i < labels; i++) {
        buf_addf(&text, ",l%zu=x", i);
    }
    const struct kit_sample sample = {buf_text(&text), KIT_TIME_NS, 1};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, &sample, 1);
    assert_true(batch_samples(b, &s, &e));
    return newrelic_add_metric(&w, s, 0, out);
}

static void test_attribute_limits(void **state)
{
    static const struct {
        size_t labels;
        size_t name;
        size_t value;
        enum newrelic_result want;
    } rows[] = {
        {150, 1, 1, NEWRELIC_WRITTEN},  {151, 1, 1, NEWRELIC_TOO_MANY},
        {1, 255, 1, NEWRELIC_WRITTEN},  {1, 256, 1, NEWRELIC_LONG_NAME},
        {1, 1, 4096, NEWRELIC_WRITTEN}, {1, 1, 5000, NEWRELIC_WRITTEN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        assert_int_equal(add_labelled(rows[i].labels, rows[i].name, rows[i].value, &got),
                         rows[i].want);
        assert_int_equal(got.len > 0, rows[i].want == NEWRELIC_WRITTEN);
        assert_true(got.len < 4300);
    }
}

static void test_request_ids(void **state)
{
    AUTO(buf_release) struct buf one = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf same = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf other = BUF_INIT(BUF_SMALL);

    (void)state;
    newrelic_put_request_id("metrics", STR("body"), &one);
    newrelic_put_request_id("metrics", STR("body"), &same);
    newrelic_put_request_id("spans", STR("body"), &other);
    assert_string_equal(buf_text(&one), buf_text(&same));
    assert_string_not_equal(buf_text(&one), buf_text(&other));
    assert_int_equal(one.len, 36);
    assert_int_equal(one.ptr[14], '4');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),          cmocka_unit_test(test_spans),
        cmocka_unit_test(test_what_it_refuses), cmocka_unit_test(test_attribute_limits),
        cmocka_unit_test(test_request_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
