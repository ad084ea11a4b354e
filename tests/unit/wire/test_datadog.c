/* Names, tags and rows as Datadog takes them. */
#include "wire/datadog.h"

#include "base/clock.h"
#include "base/number.h"
#include "fake/export_kit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LONG_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_200 LONG_50 LONG_50 LONG_50 LONG_50

static void test_names(void **state)
{
    static const struct {
        const char *name_space;
        const char *name;
        const char *want;
    } rows[] = {
        {"", "cpu_usage", "cpu_usage"},
        {"web", "cpu_usage", "web.cpu_usage"},
        {"web", "foundation.log.rate", "foundation.log.rate"},
        {"", "job:rate-5m/s", "job_rate_5m_s"},
        {"", "_private", "x__private"},
        {"9", "up", "x_9.up"},
        {"a b", "up", "a_b.up"},
        {"",
         "gr\xC3\xB6\xC3\x9F"
         "e",
         "gr____e"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        const struct datadog_writer w = {.name_space = str_of(rows[i].name_space)};
        datadog_put_name(&w, str_of(rows[i].name), &got);
        assert_string_equal(buf_text(&got), rows[i].want);
    }
}

static void test_tags(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *want;
    } rows[] = {
        {"environment:production", "", "\"environment:production\""},
        {"zone", "a b,c", "\"zone:a_b_c\""},
        {"__tmp", "1", "\"x___tmp:1\""},
        {"path", "/a/b-c.d", "\"path:/a/b-c.d\""},
        {"k", "\xE6\xBC\xA2\"", "\"k:\xE6\xBC\xA2_\""},
        {"k", LONG_200,
         "\"k:" LONG_50 LONG_50 LONG_50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        datadog_put_tag(str_of(rows[i].key), str_of(rows[i].value), &got);
        assert_string_equal(buf_text(&got), rows[i].want);
    }
}

static void test_no_tag_ends_within_a_character(void **state)
{
    AUTO(buf_release) struct buf value = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    (void)state;
    for (int i = 0; i < 100; i++) {
        buf_add_text(&value, "\xE6\xBC\xA2");
    }
    datadog_put_tag(STR("k"), buf_str(&value), &got);
    assert_true(str_is_utf8(buf_str(&got)));
    assert_int_equal(got.len, 2 + 2 + 66 * 3);
}

static void test_rows_that_datadog_refuses(void **state)
{
    static const struct kit_sample samples[] = {
        {"up", KIT_TIME_NS, 1},
        {"up", KIT_TIME_NS - 3600 * NS_PER_S, 1},
        {"up", KIT_TIME_NS - 3601 * NS_PER_S, 1},
        {"up", KIT_TIME_NS + 600 * NS_PER_S, 1},
        {"up", KIT_TIME_NS + 601 * NS_PER_S, 1},
        {"up", KIT_TIME_NS, NAN},
        {"up", KIT_TIME_NS, -INFINITY},
        {",a=b", KIT_TIME_NS, 1},
        {LONG_200, KIT_TIME_NS, 1},
        {LONG_200 "a", KIT_TIME_NS, 1},
    };
    static const enum datadog_result want[] = {
        DATADOG_WRITTEN, DATADOG_WRITTEN,    DATADOG_TOO_OLD,    DATADOG_WRITTEN,
        DATADOG_TOO_NEW, DATADOG_NOT_FINITE, DATADOG_NOT_FINITE, DATADOG_NAMELESS,
        DATADOG_WRITTEN, DATADOG_LONG_NAME,
    };
    const struct batch_info info = {.origin = STR_INIT("rule")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, ARRAY_LEN(samples));
    const struct datadog_writer w = {.now_ns = KIT_TIME_NS};
    const struct datadog_writer timeless = {.interval_s = 10};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &s, &e));
    for (uint32_t i = 0; i < ARRAY_LEN(want); i++) {
        enum datadog_result got = datadog_judge(&w, s, i);
        assert_int_equal(got, want[i]);
        assert_int_equal(datadog_refusal(got) != NULL, want[i] != DATADOG_WRITTEN);
    }
    assert_int_equal(datadog_judge(&timeless, s, 2), DATADOG_WRITTEN);
    assert_null(datadog_refusal(DATADOG_STALE));
}

static void test_a_series_with_its_meta(void **state)
{
    static const struct kit_sample samples[] = {{"m,host=h\"1,zone=b", KIT_TIME_NS, 0.5},
                                                {"m,host=h\"1,zone=b", KIT_TIME_NS + NS_PER_S, 2}};
    static const struct {
        enum series_type type;
        const char *want;
    } rows[] = {
        {SERIES_GAUGE, "\"type\":3,"},
        {SERIES_RATE, "\"type\":2,\"interval\":15,"},
        {SERIES_COUNT, "\"type\":1,\"interval\":15,"},
        {SERIES_COUNTER, "\"type\":3,"}, /* a total is not what an interval counted */
    };
    const struct batch_info info = {.origin = STR_INIT("rule")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, 2);
    const struct datadog_writer w = {.interval_s = 15};
    const struct samples *columns = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &columns, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct series_meta meta = {rows[i].type, STR(""), STR("byte")};
        const struct series_meta *metas[] = {&meta};
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
        struct samples s = *columns;
        s.meta = metas;
        datadog_begin_series(&w, &s, 0, &got);
        datadog_add_point(&s, 0, true, &got);
        datadog_add_point(&s, 1, false, &got);
        datadog_end_series(&got);
        buf_addf(
            &want,
            "{\"metric\":\"m\",%s\"unit\":\"byte\",\"resources\":[{\"type\":\"host\","
            "\"name\":\"h\\\"1\"}],\"tags\":[\"zone:b\"],\"points\":[{\"timestamp\":1705314600,"
            "\"value\":0.5},{\"timestamp\":1705314601,\"value\":2}]}",
            rows[i].want);
        assert_string_equal(buf_text(&got), buf_text(&want));
    }
}

/* As OpenTelemetry and Prometheus write them, and as Datadog does. */
static void test_units(void **state)
{
    static const struct kit_sample samples[] = {{"m,zone=b", KIT_TIME_NS, 0.5}};
    static const struct {
        const char *unit;
        const char *want; /* NULL: none is said */
    } rows[] = {{"By", "\"unit\":\"byte\""},
                {"seconds", "\"unit\":\"second\""},
                {"1", NULL},
                {"{request}", NULL},
                {"", NULL},
                {"furlong", "\"unit\":\"furlong\""}};
    const struct batch_info info = {.origin = STR_INIT("rule")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, 1);
    const struct datadog_writer w = {.interval_s = 15};
    const struct samples *columns = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &columns, &e));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct series_meta meta = {SERIES_GAUGE, STR(""), str_of(rows[i].unit)};
        const struct series_meta *metas[] = {&meta};
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
        struct samples s = *columns;
        s.meta = metas;
        datadog_begin_series(&w, &s, 0, &got);
        bool is_said =
            str_find(buf_str(&got), str_of(rows[i].want != NULL ? rows[i].want : "unit")) < got.len;
        assert_int_equal(is_said, rows[i].want != NULL);
    }
}

static void test_a_distribution(void **state)
{
    static const struct kit_sample samples[] = {
        {"web,host=h,zone=b", KIT_TIME_NS, 0.5},
        {"web,host=h,zone=b", KIT_TIME_NS + 999999999, 2},
        {"web,host=h,zone=b", KIT_TIME_NS + NS_PER_S, -1e300},
        {"bare", KIT_TIME_NS, 3}};
    const struct batch_info info = {.origin = STR_INIT("rule")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, ARRAY_LEN(samples));
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);
    const struct datadog_writer w = {.name_space = STR("n")};
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &s, &e));
    datadog_begin_distribution(&w, s, s->series_of[0], &got);
    datadog_add_value(s, 0, &got);
    datadog_add_next_value(s, 0, 1, &got);
    datadog_add_next_value(s, 1, 2, &got);
    datadog_end_distribution(&got);
    datadog_begin_distribution(&w, s, s->series_of[3], &got);
    datadog_add_value(s, 3, &got);
    datadog_end_distribution(&got);
    assert_string_equal(
        buf_text(&got),
        "{\"metric\":\"n.web\",\"type\":\"distribution\",\"host\":\"h\",\"tags\":[\"zone:b\"],"
        "\"points\":[[1705314600,[0.5,2]],[1705314601,[-1e+300]]]}"
        "{\"metric\":\"n.bare\",\"type\":\"distribution\",\"tags\":[],\"points\":[[1705314600,[3]]]}");
    assert_false(datadog_is_distribution(s, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_no_tag_ends_within_a_character),
        cmocka_unit_test(test_rows_that_datadog_refuses),
        cmocka_unit_test(test_a_series_with_its_meta),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_a_distribution),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
