/* What exporters make of batches that do not fit one request. */
#include "export/exporter.h"

#include "base/clock.h"
#include "export/http_sink.h"
#include "fake/export_kit.h"
#include "wire/influx_line.h"
#include "wire/json.h"
#include "wire/remote_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct batch_info plain_info = {.origin = STR_INIT("rule")};

enum { MANY = 25 * 1000 };

static struct batch *make_many(const struct batch_codec *codec, const char *labels, uint32_t n)
{
    struct kit_sample *many = mem_alloc0(n, sizeof(*many));

    for (int64_t i = 0; i < n; i++) {
        many[i] = (struct kit_sample){labels, KIT_TIME_NS + i * NS_PER_MS, (double)i};
    }
    struct batch *b = kit_samples(codec, &plain_info, many, n);
    mem_free(many);
    return b;
}

/* Takes a request's body apart; gives the rows in it. */
static uint32_t rows_of_rw1(struct str body)
{
    struct arena a;
    struct samples s;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!rw1_decode(body, RW1_STRICT, &a, &s, NULL, &e)) {
        fail_msg("%s", e.message);
    }
    for (uint32_t i = 0; i < s.series_count; i++) {
        labels_unref(s.series[i]);
    }
    arena_release(&a);
    return s.count;
}

static bool count_point(void *arg, const struct influx_point *point, struct err *e)
{
    uint32_t *count = arg;

    (void)e;
    (*count) += point->field_count == 1 && point->has_time;
    return true;
}

static uint32_t rows_of_influx(struct str body)
{
    struct arena a;
    uint32_t count = 0;
    const struct influx_points points = {count_point, &count};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!influx_read(body, &a, &points, &e)) {
        fail_msg("%s", e.message);
    }
    arena_release(&a);
    return count;
}

static uint32_t rows_of_json(struct str body)
{
    struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!json_parse(body, &a, &root, &e)) {
        fail_msg("%s", e.message);
    }
    uint32_t count = root->count;
    arena_release(&a);
    return count;
}

static uint32_t rows_of_datadog(struct str body)
{
    struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;
    uint32_t count = 0;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(body, &a, &root, &e));
    const struct json_node *series = json_get(root, STR("series"));
    for (series = series->first; series != NULL; series = series->next) {
        count += json_get(series, STR("points"))->count;
    }
    arena_release(&a);
    return count;
}

static uint32_t rows_of_newrelic(struct str body)
{
    struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(json_parse(body, &a, &root, &e));
    uint32_t count = json_get(root->first, STR("metrics"))->count;
    arena_release(&a);
    return count;
}

struct large_row {
    const char *yaml;
    uint32_t (*rows_of)(struct str body);
    uint32_t rows;
    uint32_t long_label; /* bytes */
    uint32_t requests;
    uint32_t first_rows;
    size_t bytes_max;
};

static const struct large_row large_rows[] = {
    {"type: remote_write\nurl: http://h\n", rows_of_rw1, MANY, 0, 3, 10000, 1 << 20},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", rows_of_influx, MANY, 0, 3, 10000, 1 << 20},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", rows_of_influx, 2000, 4000, 2, 0, 4200 << 10},
    {"type: datadog\napi_key: k\n", rows_of_datadog, MANY, 0, 3, 10000, 5242880},
    {"type: datadog\napi_key: k\ngzip: false\n", rows_of_datadog, 10000, 100, 1, 0, 512000},
    {"type: newrelic\nlicense_key: k\n", rows_of_newrelic, MANY, 0, 3, 0, 1000000},
    {"type: newrelic\nlicense_key: k\n", rows_of_newrelic, 500, 4000, 3, 0, 1000000},
    {"type: webhook\nurl: http://h\n", rows_of_json, MANY, 0, 25, 1000, 1 << 20},
    {"type: webhook\nurl: http://h\n", rows_of_json, 2000, 4000, 8, 0, 1100 << 10},
};

static void check_large(const struct large_row *row)
{
    AUTO(buf_release) struct buf labels = BUF_INIT(BUF_SMALL);
    struct export_kit kit;
    struct outcome out;
    uint32_t at = 0;
    uint32_t requests = 0;
    uint32_t total = 0;

    buf_add_text(&labels, "up,long=");
    buf_add_repeat(&labels, 'x', row->long_label);
    AUTO(batch_autounref) struct batch *b = make_many(NULL, buf_text(&labels), row->rows);
    assert_true(export_kit_start(&kit, row->yaml));
    outcome_init(&out);
    while (at < row->rows) {
        struct export_request req = {.arena = &kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
        uint32_t first = at;
        assert_true(
            kit.kind->http->next_request(kit.config, view_all(b), &at, &req, &out, &kit.err));
        assert_true(req.body.len <= row->bytes_max);
        assert_true(row->first_rows == 0 || first > 0 || at == row->first_rows);
        assert_int_equal(row->rows_of(buf_str(&req.body)), at - first);
        total += at - first;
        requests++;
        buf_release(&req.body);
    }
    assert_int_equal(total, row->rows);
    assert_int_equal(requests, row->requests);
    outcome_release(&out);
    export_kit_stop(&kit);
}

static void test_large(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(large_rows); i++) {
        check_large(&large_rows[i]);
    }
}

static void check_whole(uint32_t long_label, bool want)
{
    AUTO(buf_release) struct buf labels = BUF_INIT(BUF_UNLIMITED);
    struct export_request req = {.body = BUF_INIT(BUF_UNLIMITED)};
    struct export_kit kit;
    struct outcome out;
    struct str bytes = STR("");
    uint32_t row = 0;

    buf_add_text(&labels, "up,long=");
    buf_add_repeat(&labels, 'x', long_label);
    AUTO(batch_autounref) struct batch *b = make_many(&codec_rw1, buf_text(&labels), MANY);
    outcome_init(&out);
    assert_true(export_kit_start(&kit, "type: remote_write\nurl: http://h\n"));
    assert_true(batch_encoded(b, &bytes, &kit.err));
    assert_true(kit.kind->http->next_request(kit.config, view_all(b), &row, &req, &out, &kit.err));
    assert_int_equal(req.whole_body.ptr == bytes.ptr, want);
    assert_int_equal(row == MANY, want);
    assert_true(req.body.len <= 16 << 20);
    buf_release(&req.body);
    export_kit_stop(&kit);
}

/* A batch that came as one request goes on as one, unless receivers would refuse it. */
static void test_untouched(void **state)
{
    (void)state;
    check_whole(10, true);
    check_whole(200 * 1000, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_untouched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
