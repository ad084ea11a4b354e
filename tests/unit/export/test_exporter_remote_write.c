/*
 * Remote write 2.0 and its fallback to 1.0: what each answer of a store comes to. The rows re-express cases that
 * public sender suites name (protocol, response, fallback, errors, retry, backoff); bodies are looked at in
 * tests/e2e/test_remote_write_2.py.
 */
#include "base/metrics.h"
#include "export/exporter.h"
#include "export/http_sink.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"
#include "wire/rw2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct receiver receiver;
    struct http_kit http;
    struct export_kit kit;
    struct sink *sink;
    struct outcome out;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    receiver_listen(&f->receiver);
    http_kit_start(&f->http, f->receiver.peer.port);
    f->http.env.metrics = metrics_new();
    outcome_init(&f->out);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_close(f->sink);
    export_kit_stop(&f->kit);
    outcome_release(&f->out);
    metrics_free(f->http.env.metrics);
    http_kit_stop(&f->http);
    receiver_stop(&f->receiver);
    mem_free(f);
    return 0;
}

static void open_sink(struct fixture *f, const char *options)
{
    const struct exporter_place place = {.env = &f->http.env, .name = STR("rw")};
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);

    buf_addf(&yaml, "type: remote_write\nurl: http://127.0.0.1:%u\n%s", f->receiver.peer.port,
             options);
    if (!export_kit_start(&f->kit, buf_text(&yaml)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
}

static struct batch *two_samples(void)
{
    static const struct kit_sample samples[] = {{"up,job=a", KIT_TIME_NS, 1},
                                                {"up,job=b", KIT_TIME_NS, 0}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    return kit_samples(NULL, &info, samples, 2);
}

static void deliver(struct fixture *f)
{
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};
    AUTO(batch_autounref) struct batch *b = two_samples();

    outcome_release(&f->out);
    outcome_init(&f->out);
    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

static bool head_has(struct fixture *f, unsigned request, const char *text)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    receiver_head(&f->receiver, request, &head);
    return strstr(buf_text(&head), text) != NULL;
}

#define TYPE_1 "Content-Type: application/x-protobuf\r\n"
#define TYPE_2 "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"
#define VERSION_1 "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
#define VERSION_2 "X-Prometheus-Remote-Write-Version: 2.0.0\r\n"

static bool is_version(struct fixture *f, unsigned request, bool is_2)
{
    return head_has(f, request, "POST /api/v1/write HTTP/1.1\r\n") &&
           head_has(f, request, "Content-Encoding: snappy\r\n") &&
           head_has(f, request, "User-Agent: telex") &&
           head_has(f, request, is_2 ? TYPE_2 : TYPE_1) &&
           head_has(f, request, is_2 ? VERSION_2 : VERSION_1);
}

#define WROTE "X-Prometheus-Remote-Write-Samples-Written: "
#define WROTE_2 WROTE "2\r\n"
#define LATER "Retry-After: 7\r\n"

static const struct {
    const char *name;
    int status;
    const char *headers;
    bool falls; /* back to 1.0 */
    enum verdict want;
    uint32_t settled;
    uint32_t dropped;
    size_t rejected;
    int64_t retry_ms;
} rows[] = {
    /* response: what was accepted, and how much of it */
    {"200 with counts", 200, WROTE_2, false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"202 with counts", 202, WROTE_2, false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"204 with counts", 204, WROTE_2, false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"299 with counts", 299, WROTE_2, false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"header in other case", 204, "x-prometheus-remote-write-samples-written: 2\r\n", false,
     VERDICT_DELIVERED, 2, 0, 0, 0},
    {"white space in the header", 204, WROTE "  2 \r\n", false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"fewer written than sent", 204, WROTE "1\r\n", false, VERDICT_DELIVERED, 2, 1, 0, 0},
    {"none written", 200, WROTE "0\r\n", false, VERDICT_DELIVERED, 2, 2, 0, 0},
    {"more written than sent", 204, WROTE "9\r\n", false, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"histograms counted alone", 204, "X-Prometheus-Remote-Write-Histograms-Written: 0\r\n", false,
     VERDICT_DELIVERED, 2, 0, 0, 0},
    {"exemplars counted alone", 204, "X-Prometheus-Remote-Write-Exemplars-Written: 0\r\n", false,
     VERDICT_DELIVERED, 2, 0, 0, 0},
    /* fallback: who does not know it */
    {"200 without counts", 200, NULL, true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"202 without counts", 202, NULL, true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"204 without counts", 204, NULL, true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"a count that is no number", 204, WROTE "many\r\n", true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"a count below zero", 204, WROTE "-1\r\n", true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"a count that is empty", 204, WROTE "\r\n", true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"415", 415, NULL, true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"415 with counts", 415, WROTE "0\r\n", true, VERDICT_DELIVERED, 2, 0, 0, 0},
    {"400 of an old receiver", 400, NULL, true, VERDICT_DELIVERED, 2, 0, 0, 0},
    /* errors: not tried again, and no reason to fall back */
    {"400 with counts", 400, WROTE "0\r\n", false, VERDICT_DELIVERED, 2, 0, 2, 0},
    {"401", 401, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    {"403", 403, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    {"404", 404, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    {"405", 405, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    {"409", 409, NULL, false, VERDICT_DELIVERED, 2, 0, 2, 0},
    {"410", 410, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    {"413", 413, NULL, false, VERDICT_DELIVERED, 2, 0, 2, 0},
    {"422", 422, NULL, false, VERDICT_DELIVERED, 2, 0, 2, 0},
    {"301", 301, NULL, false, VERDICT_HALT, 0, 0, 0, 0},
    /* retry and backoff */
    {"429", 429, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
    {"429 with Retry-After", 429, LATER, false, VERDICT_RETRY, 0, 0, 0, 7000},
    {"500", 500, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
    {"500 with counts", 500, WROTE "1\r\n", false, VERDICT_RETRY, 0, 0, 0, 0},
    {"502", 502, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
    {"503", 503, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
    {"503 with Retry-After", 503, LATER, false, VERDICT_RETRY, 0, 0, 0, 7000},
    {"503 with a Retry-After that is none", 503, "Retry-After: soon\r\n", false, VERDICT_RETRY, 0,
     0, 0, 0},
    {"504", 504, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
    {"599", 599, NULL, false, VERDICT_RETRY, 0, 0, 0, 0},
};

static void check_row(struct fixture *f, size_t i)
{
    unsigned last = receiver_count(&f->receiver) - 1;

    if (f->out.rest != rows[i].want || f->out.settled != rows[i].settled ||
        f->out.dropped != rows[i].dropped || f->out.except.list.len != rows[i].rejected ||
        f->out.retry_after_ms != rows[i].retry_ms) {
        fail_msg("%s: %s, %u settled, %u dropped, %zu rejected, after %lld ms: %s", rows[i].name,
                 verdict_name(f->out.rest), f->out.settled, f->out.dropped, f->out.except.list.len,
                 (long long)f->out.retry_after_ms, f->out.err.message);
    }
    if (!is_version(f, 0, true) || is_version(f, last, true) == rows[i].falls ||
        is_version(f, last, false) != rows[i].falls) {
        fail_msg("%s: not the version that was to be", rows[i].name);
    }
}

/* A request of the other version follows, or none does. */
static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        void *fixture = NULL;
        (void)setup(&fixture);
        struct fixture *f = fixture;

        open_sink(f, "version: 2\n");
        receiver_plan(&f->receiver, rows[i].status, rows[i].headers, NULL);
        for (int halves = 0; rows[i].rejected > 0 && halves < 2; halves++) {
            receiver_plan(&f->receiver, rows[i].status, rows[i].headers, NULL);
        }
        deliver(f);
        check_row(f, i);
        unsigned sent = receiver_count(&f->receiver);
        deliver(f); /* the choice stays */
        assert_true(is_version(f, sent, !rows[i].falls));
        (void)teardown(&fixture);
    }
    print_message("# %zu cases of answers\n", ARRAY_LEN(rows));
}

static void what_1_answers_after_the_fall(void **state)
{
    struct fixture *f = *state;

    open_sink(f, "version: 2.0\n");
    receiver_plan(&f->receiver, 415, NULL, NULL);
    receiver_plan(&f->receiver, 503, LATER, NULL);
    deliver(f);
    assert_int_equal(f->out.rest, VERDICT_RETRY);
    assert_int_equal(f->out.settled, 0);
    assert_int_equal(f->out.retry_after_ms, 7000);
    assert_int_equal(f->out.requests, 2);
    receiver_plan(&f->receiver, 204, NULL, NULL); /* 1.0 counts nothing */
    deliver(f);
    assert_int_equal(f->out.settled, 2);
    assert_int_equal(f->out.requests, 1);
}

static void silence_is_no_answer(void **state)
{
    struct fixture *f = *state;

    open_sink(f, "protobuf_message: io.prometheus.write.v2.Request\n");
    receiver_plan(&f->receiver, RECEIVER_RESETS, NULL, NULL);
    deliver(f);
    assert_int_equal(f->out.rest, VERDICT_UNKNOWN);
    assert_int_equal(receiver_count(&f->receiver), 1);
    receiver_plan(&f->receiver, 204, WROTE_2, NULL);
    deliver(f);
    assert_int_equal(f->out.settled, 2);
    assert_true(is_version(f, 1, true));
}

static void version_1_is_asked_nothing(void **state)
{
    struct fixture *f = *state;

    open_sink(f, "");
    receiver_plan(&f->receiver, 204, NULL, NULL);
    deliver(f);
    assert_int_equal(f->out.settled, 2);
    assert_int_equal(receiver_count(&f->receiver), 1);
    assert_true(is_version(f, 0, false));
}

static void bytes_decode_to_the_rows(void **state)
{
    AUTO(batch_autounref) struct batch *b = two_samples();
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_SMALL);
    const struct series_meta meta = {
        .type = SERIES_COUNTER, .help = STR("What it is."), .unit = STR("s")};
    const struct series_meta *const of[] = {&meta, NULL};
    const struct sent_rows sent = {view_all(b), 0, 2, SENT_ALL_PARTS};
    struct fixture *f = *state;
    const struct samples *s = NULL;
    struct err e = ERR_INIT;

    open_sink(f, "version: 2\n");
    assert_true(batch_samples(b, &s, &e));
    struct samples told = *s;
    told.meta = of;
    assert_int_equal(rw2_encode(&told, view_all(b), 0, 10, 1, &body), 2);
    AUTO(buf_release) struct buf as_1 = BUF_INIT(BUF_SMALL);
    struct rw2_summary summary;
    assert_true(rw2_to_rw1(buf_str(&body), &as_1, &summary, &e));
    assert_int_equal(summary.rw1.samples, 2);
    assert_int_equal(summary.rw1.extras.metadata, 1);
    assert_true(validate_rw1(&sent, buf_str(&as_1), &e));
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        WITH_FIXTURE(what_1_answers_after_the_fall),
        WITH_FIXTURE(silence_is_no_answer),
        WITH_FIXTURE(version_1_is_asked_nothing),
        WITH_FIXTURE(bytes_decode_to_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
