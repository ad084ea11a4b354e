/* What exporters encode decodes to the same; what was damaged behind their backs does not. */
#include "export/validate.h"

#include "base/number.h"
#include "export/file_sink.h"
#include "export/http_sink.h"
#include "fake/export_kit.h"
#include "wire/influx_line.h"
#include "wire/record_json.h"
#include "wire/remote_write.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct kit_sample samples[] = {
    {"cpu_usage,instance=server-01,export_to_datastore=true", KIT_TIME_NS, 85.4},
    {"cpu_usage,instance=server-01,export_to_datastore=true", KIT_TIME_NS + 1500000000, 86},
    {"memory_usage,instance=server-02,zone=a b", KIT_TIME_NS, -0.0},
    {"memory_usage,instance=server-02,zone=a\\\n\x01\xff\\", KIT_TIME_NS, 1e300},
    {"memory_usage,instance=server-02,time=x,none=", KIT_TIME_NS + 1000000000, NAN},
    {"memory_usage,instance=server-03", KIT_TIME_NS, INFINITY},
    {"#odd\\ name,#a=#b", KIT_TIME_NS, 2},
    {",instance=nameless", KIT_TIME_NS, 1},
    {"up", KIT_TIME_NS, 3},
};

static const struct batch_info plain_info = {.origin = STR_INIT("rule")};
static const struct batch_info rule_info = {
    .origin = STR_INIT("rule"),
    .rule = STR_INIT("HighCPUUsage"),
    .group = STR_INIT("nodes"),
    .database = STR_INIT("alerts_db"),
    .measurement = STR_INIT("cpu_alerts"),
    .has_threshold = true,
    .threshold = 80,
};

enum what { PLAIN, STALE, RULE, ALERTS, UNTOUCHED };

static struct batch *make(enum what what)
{
    struct kit_sample stale[ARRAY_LEN(samples)];

    memcpy(stale, samples, sizeof(stale));
    stale[0].value = number_stale_nan();
    stale[ARRAY_LEN(samples) - 1].value = number_stale_nan();
    switch (what) {
    case PLAIN:
        return kit_samples(NULL, &plain_info, samples, ARRAY_LEN(samples));
    case STALE:
        return kit_samples(NULL, &plain_info, stale, ARRAY_LEN(stale));
    case RULE:
        return kit_samples(NULL, &rule_info, samples, ARRAY_LEN(samples));
    case UNTOUCHED:
        return kit_samples(&codec_rw1, &plain_info, samples, 2);
    case ALERTS:
        break;
    }
    return kit_alerts(&rule_info);
}

/* ---- what is right ---- */

/* One request of <view> after the other is made and looked at. */
static void check_requests(struct export_kit *k, struct view view)
{
    const struct http_exporter *http = k->kind->http;
    uint32_t row = 0;
    uint32_t part = 0;

    while (row < view.n) {
        AUTO(arena_release) struct arena arena;
        AUTO(outcome_release) struct outcome out;
        struct export_request req = {
            .arena = &arena, .body = BUF_INIT(BUF_UNLIMITED), .part = part};
        struct sent_rows sent = {.view = view, .first = row, .part = part};
        struct err e = ERR_INIT;
        arena_init(&arena, ARENA_UNLIMITED);
        outcome_init(&out);
        assert_true(http->next_request(k->config, view, &row, &req, &out, &e));
        sent.end = row > sent.first ? row : row + 1;
        part = row > sent.first ? 0 : req.part;
        if (req.method != NULL && !http->validate(k->config, &sent, buf_str(&req.body), &e)) {
            fail_msg("%.*s: %s in %s", STR_FMT(k->source.text), e.message, buf_text(&req.body));
        }
        buf_release(&req.body);
    }
}

static const struct {
    const char *yaml;
    enum what what;
} good[] = {
    {"type: remote_write\nurl: http://h:9090\n", PLAIN},
    {"type: remote_write\nurl: http://h:9090\n", STALE},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", PLAIN},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", STALE},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", RULE},
    {"type: influxdb\nurl: http://h\ndatabase: d\n", ALERTS},
    {"type: datadog\napi_key: k\nmetrics_config: {namespace: n}\n", PLAIN},
    {"type: datadog\napi_key: k\n", STALE},
    {"type: webhook\nurl: http://h\n", PLAIN},
    {"type: webhook\nurl: http://h\n", STALE},
    {"type: webhook\nurl: http://h\n", RULE},
    {"type: webhook\nurl: http://h\n", ALERTS},
};

static void what_is_encoded_is_right(void **state)
{
    static const uint32_t some[] = {0, 2, 3};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        AUTO(batch_autounref) struct batch *b = make(good[i].what);
        struct export_kit kit;
        assert_true(export_kit_start(&kit, good[i].yaml));
        check_requests(&kit, view_all(b));
        if (good[i].what != ALERTS) {
            check_requests(&kit, (struct view){.batch = b, .rows = some, .n = ARRAY_LEN(some)});
        }
        export_kit_stop(&kit);
    }
}

/* ---- what is not ---- */

static bool is_same(bool (*validate)(const struct sent_rows *, struct str, struct err *),
                    struct batch *b, struct str body)
{
    const struct sent_rows sent = {
        .view = view_all(b), .end = batch_rows(b), .part = SENT_ALL_PARTS};
    struct err e = ERR_INIT;

    bool ok = validate(&sent, body, &e);
    assert_int_equal(ok, e.message[0] == '\0');
    return ok;
}

static void each_byte_of_a_write_request_counts(void **state)
{
    AUTO(batch_autounref) struct batch *b = make(UNTOUCHED);
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(batch_samples(b, &s, &e));
    assert_int_equal(rw1_encode(s, view_all(b), 0, SIZE_MAX, &body), 2);
    assert_true(is_same(validate_rw1, b, buf_str(&body)));
    for (size_t i = 0; i < body.len; i++) {
        body.ptr[i] ^= 1;
        if (is_same(validate_rw1, b, buf_str(&body))) {
            fail_msg("byte %zu of %zu can be anything", i, body.len);
        }
        body.ptr[i] ^= 1;
    }
    assert_false(is_same(validate_rw1, b, STR("")));
    assert_int_equal(rw1_encode(s, view_all(b), 0, SIZE_MAX, &body), 2); /* twice */
    assert_false(is_same(validate_rw1, b, buf_str(&body)));
}

static void encode_influx(struct batch *b, struct buf *out)
{
    AUTO(influx_writer_release) struct influx_writer w;
    const struct samples *s = NULL;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    influx_writer_init(&w, batch_info(b));
    if (batch_info(b)->kind == RECORD_ALERT) {
        assert_true(batch_alerts(b, &alerts, &e));
    } else {
        assert_true(batch_samples(b, &s, &e));
    }
    for (uint32_t i = 0; i < batch_rows(b); i++) {
        uint32_t lines = alerts != NULL ? influx_alert_lines(&alerts->rows[i]) : 1;
        for (uint32_t line = 0; line < lines; line++) {
            (void)(alerts != NULL ? influx_add_alert(&w, &alerts->rows[i], line, out)
                                  : influx_add_sample(&w, s, i, out));
        }
    }
}

static void encode_json(struct batch *b, struct buf *out)
{
    AUTO(record_json_release) struct record_json w;
    const struct samples *s = NULL;
    const struct alerts *alerts = NULL;
    struct err e = ERR_INIT;

    record_json_init(&w, batch_info(b));
    if (batch_info(b)->kind == RECORD_ALERT) {
        assert_true(batch_alerts(b, &alerts, &e));
    } else {
        assert_true(batch_samples(b, &s, &e));
    }
    for (uint32_t i = 0; i < batch_rows(b); i++) {
        uint32_t objects = alerts != NULL ? record_json_objects(&alerts->rows[i]) : 1;
        for (uint32_t o = 0; o < objects; o++) {
            if (alerts != NULL) {
                record_json_alert(&w, &alerts->rows[i], o, out);
            } else {
                (void)record_json_sample(&w, s, i, out);
            }
            buf_add_byte(out, '\n');
        }
    }
}

static const struct {
    enum what what;
    bool is_json;
    const char *from; /* its first place becomes <to> */
    const char *to;
} damages[] = {
    {PLAIN, false, "85.4", "85.5"},
    {PLAIN, false, "value=", "volue="},
    {PLAIN, false, "server-01", "server-02"},
    {PLAIN, false, "cpu_usage,", "cpu_usages,"},
    {ALERTS, false, "cpu_alerts,", "cpu_alert,"},
    {PLAIN, false, "instance", "instanze"},
    {PLAIN, false, " 17053146", " 17053147"},
    {PLAIN, false, "\n", "\nup value=3 1705314600000000000\n"},
    {PLAIN, false, "up value=3", "# value=3"},
    {PLAIN, false, "=85.4", "=85.4,"},
    {ALERTS, false, "value=", "value=1"},
    {ALERTS, false, "alertname=", "alertnome="},
    {ALERTS, false, "\n", "\n\n#"},
    {PLAIN, true, "85.4", "85.5"},
    {PLAIN, true, "server-01", "server-02"},
    {PLAIN, true, "\"cpu_usage\"", "\"cpu\""},
    {PLAIN, true, "2024-", "2025-"},
    {PLAIN, true, "}\n", "}}\n"},
    {PLAIN, true, "{\"kind\":\"sample\"", "{\"kind\":\"alert\""},
    {PLAIN, true, "\"NaN\"", "1"},
    {ALERTS, true, "\"firing\"", "\"resolved\""},
    {ALERTS, true, "\"value\":", "\"value\":1"},
    {ALERTS, true, "\"timestamp\":\"2024", "\"timestamp\":\"2023"},
    {ALERTS, true, "\n", "\n{\"alert_name\":\"x\"}\n"},
};

static void damage_is_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        AUTO(batch_autounref) struct batch *b = make(damages[i].what);
        AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf bad = BUF_INIT(BUF_UNLIMITED);
        bool (*validate)(const struct sent_rows *, struct str, struct err *) =
            damages[i].is_json ? validate_json : validate_influx;
        (damages[i].is_json ? encode_json : encode_influx)(b, &body);
        struct str text = buf_str(&body);
        assert_true(is_same(validate, b, text));
        size_t at = str_find(text, str_of(damages[i].from));
        if (at == text.len) {
            fail_msg("no %s in %s", damages[i].from, buf_text(&body));
        }
        buf_add_str(&bad, str_slice(text, 0, at));
        buf_add_text(&bad, damages[i].to);
        buf_add_str(&bad, str_slice(text, at + strlen(damages[i].from), text.len));
        if (is_same(validate, b, buf_str(&bad))) {
            fail_msg("%s for %s is not seen in %s", damages[i].to, damages[i].from, buf_text(&bad));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_encoded_is_right),
        cmocka_unit_test(each_byte_of_a_write_request_counts),
        cmocka_unit_test(damage_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
