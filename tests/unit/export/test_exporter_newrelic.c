/* Bodies for New Relic, read again: as they were made, and damaged. */
#include "export/exporter.h"
#include "export/exporters/newrelic_validate.h"
#include "export/http_sink.h"
#include "fake/export_kit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct batch *two_samples(void)
{
    static const struct kit_sample samples[] = {{"up,job=a", KIT_TIME_NS, 1},
                                                {"up,job=b", KIT_TIME_NS + 5 * 1000000, 0.5}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    return kit_samples(NULL, &info, samples, 2);
}

#define METRICS(members) "[{\"common\":{\"attributes\":{}},\"metrics\":[" members "]}]"
#define FIRST "{\"name\":\"up\",\"type\":\"gauge\",\"value\":1,\"timestamp\":1705314600000}"
#define SECOND "{\"name\":\"up\",\"type\":\"gauge\",\"value\":0.5,\"timestamp\":1705314600005}"

static const struct {
    const char *body;
    bool ok;
} rows[] = {
    {METRICS(FIRST "," SECOND), true},
    {METRICS(SECOND), true}, /* the first was left out */
    {METRICS(SECOND "," FIRST), false},
    {METRICS(FIRST "," FIRST), false},
    {METRICS(""), false},
    {"[]", false},
    {"{}", false},
    {"", false},
    {METRICS("{\"name\":\"down\",\"value\":1,\"timestamp\":1705314600000}"), false},
    {METRICS("{\"name\":\"up\",\"value\":2,\"timestamp\":1705314600000}"), false},
    {METRICS("{\"name\":\"up\",\"value\":1,\"timestamp\":1705314600001}"), false},
    {METRICS("{\"name\":\"up\",\"value\":1}"), false},
};

static void bodies(void **state)
{
    AUTO(batch_autounref) struct batch *b = two_samples();
    const struct sent_rows sent = {view_all(b), 0, 2, SENT_ALL_PARTS};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err e = ERR_INIT;
        if (newrelic_validate(NULL, &sent, str_of(rows[i].body), &e) != rows[i].ok) {
            fail_msg("%s: %s", rows[i].body, e.message);
        }
    }
}

static void what_is_made_is_valid(void **state)
{
    AUTO(batch_autounref) struct batch *b = two_samples();
    struct outcome out;
    struct export_kit k;
    struct err e = ERR_INIT;
    uint32_t row = 0;

    (void)state;
    outcome_init(&out);
    assert_true(export_kit_start(
        &k, "type: newrelic\nlicense_key: 0123456789abcdef0123456789abcdef0123NRAL\n"));
    struct export_request req = {.arena = &k.arena, .body = BUF_INIT(BUF_SMALL)};
    assert_true(k.kind->http->next_request(k.config, view_all(b), &row, &req, &out, &e));
    const struct sent_rows sent = {view_all(b), 0, row, SENT_ALL_PARTS};
    assert_int_equal(row, 2);
    assert_true(k.kind->http->validate(k.config, &sent, buf_str(&req.body), &e));
    buf_release(&req.body);
    outcome_release(&out);
    export_kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies),
        cmocka_unit_test(what_is_made_is_valid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
