/* Distributions for Datadog: what is made of them, and that it reads again as it was meant. */
#include "export/exporters/datadog.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/number.h"
#include "fake/export_kit.h"
#include "fake/golden.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define OPTIONS "type: datadog\napi_key: k\nmetrics_config: {namespace: web, tags: ['a:b']}\n"

static const struct series_meta meta = {SERIES_DISTRIBUTION, STR_INIT(""), STR_INIT("")};

static const struct kit_sample values[] = {
    {"latency,host=h,zone=b", KIT_TIME_NS, 12},
    {"latency,host=h,zone=b", KIT_TIME_NS + 500000000, 3.5},
    {"latency,host=h,zone=b", KIT_TIME_NS + NS_PER_S, 7},
    {"latency,host=h,zone=b", KIT_TIME_NS + NS_PER_S, NAN},
    {"latency,host=h,zone=b", KIT_TIME_NS + NS_PER_S, 8},
    {"latency,host=i", KIT_TIME_NS, 1},
    {"cpu.time", KIT_TIME_NS, 2},
};

/* All of them values of distributions. */
static struct batch *make(const struct kit_sample *rows, uint32_t count)
{
    const struct batch_info info = {.origin = STR_INIT("test")};
    struct batch *b = kit_samples(NULL, &info, rows, count);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    assert_true(batch_samples(b, &s, &e));
    const struct series_meta **metas =
        arena_array(batch_arena(b), const struct series_meta *, s->series_count);
    for (uint32_t i = 0; i < s->series_count; i++) {
        metas[i] = &meta;
    }
    ((struct samples *)(uintptr_t)s)->meta = metas;
    return b;
}

static void test_golden(void **state)
{
    static const struct {
        const char *golden;
        const char *yaml;
    } rows[] = {
        {"export/datadog_distributions.txt", OPTIONS},
        {"export/datadog_distributions_plain.txt", OPTIONS "compression: none\n"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(batch_autounref) struct batch *b = make(values, ARRAY_LEN(values));
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        struct exporter_kind kind;
        struct export_kit kit;
        assert_true(export_kit_start(&kit, rows[i].yaml));
        kind = *kit.kind;
        kind.http = &datadog_distributions;
        kit.kind = &kind;
        export_kit_print(&kit, view_all(b), &got);
        export_kit_stop(&kit);
        assert_golden(rows[i].golden, buf_str(&got));
    }
}

/* ---- compression ---- */

static void test_compressions(void **state)
{
    static const struct {
        const char *yaml;
        enum body_encoding series;
        enum body_encoding distributions;
    } rows[] = {
        {"", BODY_GZIP, BODY_DEFLATE},
        {"compression: gzip\n", BODY_GZIP, BODY_DEFLATE},
        {"compression: zstd1\n", BODY_ZSTD1, BODY_DEFLATE},
        {"compression: deflate\n", BODY_DEFLATE, BODY_DEFLATE},
        {"compression: none\n", BODY_PLAIN, BODY_PLAIN},
        {"gzip: false\n", BODY_PLAIN, BODY_PLAIN},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        AUTO(batch_autounref) struct batch *b = make(values, 1);
        struct export_kit kit;
        buf_addf(&yaml, "type: datadog\napi_key: k\n%s", rows[i].yaml);
        assert_true(export_kit_start(&kit, buf_text(&yaml)));
        const struct http_exporter *apis[] = {&datadog_series, &datadog_distributions};
        const enum body_encoding want[] = {rows[i].series, rows[i].distributions};
        for (size_t k = 0; k < ARRAY_LEN(apis); k++) {
            struct export_request req = {.arena = &kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
            struct outcome out;
            uint32_t row = 0;
            outcome_init(&out);
            assert_true(apis[k]->next_request(kit.config, view_all(b), &row, &req, &out, &kit.err));
            assert_int_equal(req.encoding, want[k]);
            assert_int_equal(req.encoded_max, 512000);
            buf_release(&req.body);
        }
        export_kit_stop(&kit);
    }
}

/* ---- bodies, read again ---- */

#define SERIES(points) \
    "{\"series\":[{\"metric\":\"web.latency\",\"type\":\"distribution\",\"points\":[" points "]}]}"

static const struct {
    const char *body;
    bool ok;
} bodies[] = {
    {SERIES("[1705314600,[12,3.5]],[1705314601,[7,8]],[1705314600,[1]]"), true},
    {SERIES("[1705314600,[3.5]]"), true}, /* the first was left out */
    {SERIES("[1705314600,[3.5,12]]"), false},
    {SERIES("[1705314600,[12,12]]"), false},
    {SERIES("[1705314602,[12]]"), false},
    {SERIES("[1705314600,[]]"), false},
    {SERIES("[1705314600,12]"), false},
    {SERIES("[1705314600]"), false},
    {SERIES("1705314600"), false},
    {SERIES("[1705314600,[\"12\"]]"), false},
    {SERIES(""), false},
    {"{\"series\":[{\"metric\":\"other\",\"type\":\"distribution\",\"points\":[[1705314600,[12]]]}]}",
     false},
    {"{}", false},
};

static void test_bodies(void **state)
{
    AUTO(batch_autounref) struct batch *b = make(values, ARRAY_LEN(values));
    const struct sent_rows sent = {view_all(b), 0, ARRAY_LEN(values), SENT_ALL_PARTS};
    struct export_kit kit;

    (void)state;
    assert_true(export_kit_start(&kit, OPTIONS));
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct err e = ERR_INIT;
        if (datadog_distributions.validate(kit.config, &sent, str_of(bodies[i].body), &e) !=
            bodies[i].ok) {
            fail_msg("%s: %s", bodies[i].body, e.message);
        }
    }
    export_kit_stop(&kit);
}

/* ---- limits ---- */

static void test_many_values_are_several_requests(void **state)
{
    enum { MANY = 25000, LONG = 150 };
    AUTO(mem_autofree) struct kit_sample *rows = mem_alloc0(MANY, sizeof(*rows));
    AUTO(buf_release) struct buf labels = BUF_INIT(BUF_SMALL);
    struct export_kit kit;
    struct outcome out;
    uint32_t row = 0;
    unsigned requests = 0;

    (void)state;
    buf_add_text(&labels, "latency,long=");
    buf_add_repeat(&labels, 'x', LONG);
    for (uint32_t i = 0; i < MANY; i++) {
        rows[i] = (struct kit_sample){buf_text(&labels), KIT_TIME_NS, i};
    }
    AUTO(batch_autounref) struct batch *b = make(rows, MANY);
    assert_true(export_kit_start(&kit, OPTIONS "compression: none\n"));
    outcome_init(&out);
    while (row < MANY) {
        struct export_request req = {.arena = &kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
        struct sent_rows sent = {.view = view_all(b), .first = row, .part = SENT_ALL_PARTS};
        assert_true(datadog_distributions.next_request(kit.config, view_all(b), &row, &req, &out,
                                                       &kit.err));
        sent.end = row;
        assert_true(req.body.len <= 512000);
        assert_true(
            datadog_distributions.validate(kit.config, &sent, buf_str(&req.body), &kit.err));
        buf_release(&req.body);
        requests++;
    }
    assert_int_equal(requests, 3);
    assert_int_equal(out.except.list.len, 0);
    outcome_release(&out);
    export_kit_stop(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_compressions),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_many_values_are_several_requests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
