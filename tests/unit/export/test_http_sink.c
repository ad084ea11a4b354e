/* The HTTP leaf over a small exporter of its own, against a receiver that answers by script. */
#include "export/http_sink.h"

#include "base/metrics.h"
#include "export/exporter_options.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- an exporter: two rows per request, "0,1," is the body ---- */

enum { ROWS = 6, ROWS_PER_REQUEST = 2 };

struct small_config {
    struct exporter_common common;
    struct http_client_config client;
    bool gzip;
    uint32_t bad_row;    /* cannot be encoded; UINT32_MAX: none */
    uint32_t nan_row;    /* is excepted by the encoder */
    uint32_t parts_row;  /* makes a request of its own for each of its three parts */
    uint32_t only_until; /* rows from here on mean nothing to the destination */
    uint32_t only_from;  /* nor do rows before, which are looked at by themselves */
    size_t encoded_max;
};

static bool small_part(uint32_t *row, struct export_request *ret)
{
    ret->method = "POST";
    buf_addf(&ret->body, "%u.%u", *row, ret->part);
    if (ret->part < 2) {
        ret->part++;
    } else {
        ++*row;
    }
    return true;
}

static bool small_request(const void *config, struct view view, uint32_t *row,
                          struct export_request *ret, struct outcome *out, struct err *e)
{
    const struct small_config *c = config;

    if (*row == c->parts_row) {
        return small_part(row, ret);
    }
    if (view_row(view, *row) >= c->only_until) {
        return true;
    }
    if (*row < c->only_from) {
        *row = c->only_from;
        return true;
    }
    ret->method = "POST";
    ret->path = STR("/small");
    ret->encoded_max = c->encoded_max;
    ret->encoding = c->gzip ? BODY_GZIP : BODY_PLAIN;
    ret->headers[ret->header_count++] = (struct export_header){STR("X-Kind"), STR("small")};
    for (int i = 0; i < ROWS_PER_REQUEST && *row < view.n && *row != c->parts_row; i++, ++*row) {
        if (*row == c->bad_row) {
            ++*row;
            return err_set(e, ERR_LIMIT, "row is too long");
        }
        if (*row == c->nan_row) {
            outcome_except(out, *row, VERDICT_REJECTED, "not a number");
        } else {
            buf_addf(&ret->body, "%u,", view_row(view, *row));
        }
    }
    return true;
}

/* 202 with "lost N" means that the destination threw N rows away. */
static void small_judge(const void *config, struct view view, uint32_t first, uint32_t end,
                        const struct export_answer *answer, struct outcome *out)
{
    (void)config;
    (void)view;
    if (answer->status == 400 && str_starts(answer->body, STR("lost"))) {
        out->rest = VERDICT_DELIVERED;
        out->dropped += end - first;
    }
}

/* The body is what the rows make: "0,1,"; row 2 is never right. */
static bool small_validate(const void *config, const struct sent_rows *sent, struct str body,
                           struct err *e)
{
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);

    (void)config;
    for (uint32_t i = sent->first; i < sent->end; i++) {
        buf_addf(&want, "%u,", view_row(sent->view, i));
    }
    return (str_eq(buf_str(&want), body) && (sent->first > 2 || sent->end <= 2)) ||
           err_set(e, ERR_INTERNAL, "it is another body");
}

static struct str small_probe_url(const void *config, struct arena *a)
{
    const struct small_config *c = config;

    return http_probe_url(&c->client, "/write", "/health", a);
}

static const struct http_exporter small = {
    .next_request = small_request,
    .validate = small_validate,
    .statuses = http_statuses_usual,
    .judge = small_judge,
    .probe_url = small_probe_url,
    .client_offset = offsetof(struct small_config, client),
};

/* ---- set-up ---- */

struct fixture {
    struct receiver receiver;
    struct http_kit kit;
    struct small_config config;
    struct exporter_place place;
    struct sink *sink;
    struct batch *batch;
    struct metrics *metrics;
    struct outcome out;
    struct buf seen;
};

static struct batch *make_batch(uint32_t rows)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    struct batch *b = batch_new(NULL, &info);
    uint32_t *series_of = arena_array(batch_arena(b), uint32_t, rows);
    int64_t *times = arena_array(batch_arena(b), int64_t, rows);
    double *values = arena_array(batch_arena(b), double, rows);
    struct labels **series = arena_array(batch_arena(b), struct labels *, 1);

    series[0] = labels_ref(labels_empty());
    batch_set_samples(b, (struct samples){series, 1, rows, series_of, times, values, NULL});
    return b;
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    receiver_listen(&f->receiver);
    http_kit_start(&f->kit, f->receiver.peer.port);
    f->config = (struct small_config){.client = f->kit.config,
                                      .bad_row = UINT32_MAX,
                                      .nan_row = UINT32_MAX,
                                      .parts_row = UINT32_MAX,
                                      .only_until = UINT32_MAX};
    f->metrics = metrics_new();
    f->kit.env.metrics = f->metrics;
    f->place = (struct exporter_place){.env = &f->kit.env, .name = STR("small")};
    f->batch = make_batch(ROWS);
    buf_init(&f->seen, BUF_UNLIMITED);
    outcome_init(&f->out);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_close(f->sink);
    outcome_release(&f->out);
    batch_unref(f->batch);
    buf_release(&f->seen);
    http_kit_stop(&f->kit);
    metrics_free(f->metrics);
    receiver_stop(&f->receiver);
    mem_free(f);
    return 0;
}

static void deliver(struct fixture *f, struct view view)
{
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), f->kit.cancel};
    struct err e = ERR_INIT;

    if (f->sink == NULL && !http_sink_open(&small, &f->place, &f->config, &f->sink, &e)) {
        fail_msg("%s", e.message);
    }
    outcome_release(&f->out);
    f->sink->ops->deliver(f->sink, view, wait, &f->out);
}

/* The bodies of all requests with a bar between. */
static void assert_seen(struct fixture *f, const char *want)
{
    buf_clear(&f->seen);
    for (unsigned i = 0; i < receiver_count(&f->receiver); i++) {
        buf_add_text(&f->seen, i > 0 ? "|" : "");
        receiver_body(&f->receiver, i, &f->seen);
    }
    assert_string_equal(buf_text(&f->seen), want);
}

/* The outcome as text: verdict, settled rows, exceptions as row:verdict. */
static void assert_outcome(struct fixture *f, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    buf_addf(&got, "%s %u", verdict_name(f->out.rest), f->out.settled);
    for (size_t i = 0; i < f->out.except.list.len; i++) {
        const struct exception *x = &f->out.except.list.items[i];
        buf_addf(&got, " %u:%s", x->index, verdict_name(x->verdict));
    }
    assert_string_equal(buf_text(&got), want);
}

static void assert_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("'%s' does not contain '%s'", text, part);
    }
}

/* ---- tests ---- */

static void test_all_delivered(void **state)
{
    struct fixture *f = *state;

    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,|2,3,|4,5,");
    assert_outcome(f, "delivered 6");
    assert_int_equal(f->out.requests, 3);
    assert_int_equal(f->out.bytes, 12);
    assert_int_equal(f->out.status, 204);
    assert_int_equal(f->out.err.code, ERR_NONE);
}

static void test_headers(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    f->config.gzip = true;
    deliver(f, view_all(f->batch));
    receiver_head(&f->receiver, 0, &head);
    assert_true(str_starts(buf_str(&head), STR("POST /small HTTP/1.1\r\n")));
    assert_true(str_eq(http_peer_header(&head, "X-Kind"), STR("small")));
    assert_true(str_eq(http_peer_header(&head, "Content-Encoding"), STR("gzip")));
}

/* What was settled before a failure stays settled; the failed request's rows are the rest. */
struct stop_row {
    int status;
    const char *headers;
    const char *want;
    int64_t retry_after_ms;
    const char *error;
};

static const struct stop_row stop_rows[] = {
    {500, NULL, "retry 2", 0, "answered 500: broken here"},
    {503, "Retry-After: 7\r\n", "retry 2", 7000, "answered 503"},
    {429, "Retry-After: 2\r\n", "retry 2", 2000, "answered 429"},
    {408, NULL, "retry 2", 0, "answered 408"},
    {302, "Location: https://u:p@there/x?token=t\r\n", "halt 2", 0,
     "answered 302 (redirects are not followed; it points to "
     "https://[redacted]@there/x?token=[redacted]): broken here"},
    {307, NULL, "halt 2", 0, "answered 307 (redirects are not followed): broken here"},
    {401, NULL, "halt 2", 0, "answered 401"},
    {403, NULL, "halt 2", 0, "answered 403"},
    {410, NULL, "halt 2", 0, "answered 410"},
    {415, NULL, "halt 2", 0, "answered 415"},
};

static void test_stops_in_the_middle(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(stop_rows); i++) {
        unsigned before = receiver_count(&f->receiver);
        receiver_plan(&f->receiver, 200, NULL, NULL);
        receiver_plan(&f->receiver, stop_rows[i].status, stop_rows[i].headers, "broken\nhere");
        deliver(f, view_all(f->batch));
        assert_outcome(f, stop_rows[i].want);
        assert_int_equal(f->out.retry_after_ms, stop_rows[i].retry_after_ms);
        assert_int_equal(f->out.requests, 2);
        assert_int_equal(receiver_count(&f->receiver), before + 2);
        assert_contains(f->out.err.message, stop_rows[i].error);
    }
    assert_int_equal(f->out.err.code, ERR_NET);
}

static void test_rejected_goes_on(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 400, NULL, "one of them");
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 400, NULL, "no such field");
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,|2,3,|2,|3,|4,5,");
    assert_outcome(f, "delivered 6 3:rejected");
    assert_string_equal(f->out.except.list.items[0].reason, "answered 400: no such field");
}

/* What is too large is sent in smaller parts, and stays whole where it fits. */
static void test_too_large_is_halved(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 413, NULL, "too large");
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,|0,|1,|2,3,|4,5,");
    assert_outcome(f, "delivered 6");
}

/* What is too large to be sent is not sent, but halved; a row that is so alone is rejected. */
static void test_too_many_bytes_are_halved_without_asking(void **state)
{
    struct fixture *f = *state;

    f->config.encoded_max = strlen("0,");
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,|1,|2,|3,|4,|5,");
    assert_outcome(f, "delivered 6");
    f->config.encoded_max = 1;
    deliver(f, view_all(f->batch));
    assert_outcome(f,
                   "delivered 6 0:rejected 1:rejected 2:rejected 3:rejected 4:rejected 5:rejected");
}

/* A refusal that is not about what was sent is not asked about again. */
static void test_other_refusals_are_not_halved(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 404, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,|2,3,|4,5,");
    assert_outcome(f, "delivered 6 0:rejected 1:rejected");
}

static void test_statuses_of_the_config(void **state)
{
    static const int64_t listed[] = {400};
    static const struct option_ints statuses = {listed, 1};
    struct fixture *f = *state;

    f->place.retry_on = &statuses;
    receiver_plan(&f->receiver, 400, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "retry 0");
    receiver_plan(&f->receiver, 503, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6 0:rejected 1:rejected");
    receiver_plan(&f->receiver, 403, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "halt 0");

    /* Where the consumer says nothing, the exporter's own list counts. */
    f->place.retry_on = NULL;
    f->config.common.retry.retry_on_status_codes = statuses;
    receiver_plan(&f->receiver, 400, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "retry 0");
}

static void test_judge_has_the_last_word(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 400, NULL, "lost");
    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6");
    assert_int_equal(f->out.dropped, 2);
    assert_contains(f->out.err.message, "lost");
}

static void test_row_that_cannot_be_encoded(void **state)
{
    struct fixture *f = *state;

    f->config.bad_row = 2;
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,|3,4,|5,");
    assert_outcome(f, "delivered 6 2:rejected");
    assert_string_equal(f->out.except.list.items[0].reason, "row is too long");
}

/* A row that the encoder excepted is said once, whatever becomes of its request. */
static void test_exceptions_are_said_once(void **state)
{
    struct fixture *f = *state;

    f->config.nan_row = 3;
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 400, NULL, NULL);
    receiver_plan(&f->receiver, 400, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6 2:rejected 3:rejected");

    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 500, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "retry 2");

    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6 3:rejected");
}

static void test_rows_that_mean_nothing(void **state)
{
    struct fixture *f = *state;

    f->config.only_until = 2;
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,1,");
    assert_outcome(f, "delivered 6");
}

/* An exporter that looked at some rows and has nothing of them to send is asked for the others. */
static void test_some_rows_that_mean_nothing(void **state)
{
    struct fixture *f = *state;

    f->config.only_from = 2;
    deliver(f, view_all(f->batch));
    assert_seen(f, "2,3,|4,5,");
    assert_outcome(f, "delivered 6");
}

static void test_part_of_a_view(void **state)
{
    struct fixture *f = *state;
    const uint32_t rows[] = {1, 4, 5};

    deliver(f, (struct view){.batch = f->batch, .rows = rows, .n = 3});
    assert_seen(f, "1,4,|5,");
    assert_outcome(f, "delivered 3");
}

static void test_parts_of_a_row(void **state)
{
    struct fixture *f = *state;

    f->config.parts_row = 1;
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,|1.0|1.1|1.2|2,3,|4,5,");
    assert_outcome(f, "delivered 6");
}

/* The whole row is due again when one of its parts failed, and is rejected with any of them. */
static void test_part_fails(void **state)
{
    struct fixture *f = *state;

    f->config.parts_row = 1;
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 503, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,|1.0|1.1");
    assert_outcome(f, "retry 1");

    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 422, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_seen(f, "0,|1.0|1.1|0,|1.0|1.1|2,3,|4,5,");
    assert_outcome(f, "delivered 6 1:rejected");
}

static void test_nobody_listens(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);

    buf_addf(&url, "http://127.0.0.1:%u", http_peer_closed_port());
    f->config.client.url = buf_str(&url);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "retry 0");
    assert_int_equal(f->out.status, 0);
    assert_int_not_equal(f->out.err.code, ERR_NONE);
}

/* On a new connection: libcurl repeats by itself what it sent on one that it had kept. */
static void test_reset_after_sending(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, RECEIVER_RESETS, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_int_equal(receiver_count(&f->receiver), 1);
    assert_outcome(f, "unknown 0");
    assert_int_equal(f->out.err.code, ERR_NET);
}

static void test_answer_does_not_come(void **state)
{
    struct fixture *f = *state;

    f->config.client.timeout_ns = 200 * NS_PER_MS;
    receiver_plan(&f->receiver, RECEIVER_HANGS, NULL, NULL);
    deliver(f, view_all(f->batch));
    assert_outcome(f, "unknown 0");
    assert_int_equal(f->out.err.code, ERR_TIMEOUT);
}

static void test_bad_header_is_rejected(void **state)
{
    struct fixture *f = *state;
    const struct option_pair pair = {.name = STR("X-Bad"), .value = STR("a\nb")};

    f->config.client.headers = (struct option_map){&pair, 1};
    deliver(f, view_all(f->batch));
    assert_int_equal(receiver_count(&f->receiver), 0);
    assert_outcome(f, "delivered 6 0:rejected 1:rejected 2:rejected 3:rejected 4:rejected "
                      "5:rejected");
}

static bool fails_to_decode(struct str encoded, struct batch *b, struct err *e)
{
    (void)encoded;
    (void)b;
    return err_set(e, ERR_PARSE, "not a batch");
}

static void test_batch_that_does_not_decode(void **state)
{
    struct fixture *f = *state;
    const struct batch_codec codec = {.name = "none", .decode = fails_to_decode};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    const struct option_pair pair = {.name = STR("site"), .value = STR("a")};
    AUTO(batch_autounref)
    struct batch *bad = batch_from_bytes(&codec, STR("x"), true, &info, 2);

    f->config.common.labels = (struct option_map){&pair, 1};
    deliver(f, view_all(bad));
    assert_outcome(f, "delivered 2 0:rejected 1:rejected");
    assert_string_equal(f->out.except.list.items[0].reason, "not a batch");
}

static void test_probe(void **state)
{
    struct fixture *f = *state;
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    assert_true(http_sink_open(&small, &f->place, &f->config, &f->sink, &e));
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 503, NULL, NULL);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_THERE);
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_FAILED);
    assert_contains(e.message, "503");
    receiver_head(&f->receiver, 0, &head);
    assert_contains(buf_text(&head), "GET /health HTTP/1.1");

    /* Who does not know the address says nothing about the rest. */
    static const int unknown[] = {404, 405, 401, 501};
    for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
        receiver_plan(&f->receiver, unknown[i], NULL, NULL);
        assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_NOBODY);
    }
}

/* Where there is nothing safe to ask, nobody knows. */
static void test_no_probe(void **state)
{
    struct fixture *f = *state;
    struct http_exporter shy = small;
    struct err e = ERR_INIT;

    shy.probe_url = NULL;
    assert_true(http_sink_open(&shy, &f->place, &f->config, &f->sink, &e));
    assert_int_equal(sink_probe(f->sink, (struct wait){DEADLINE_NEVER, NULL}, &e), PROBED_NOBODY);
    sink_close(f->sink); /* before what it borrows goes */
    f->sink = NULL;
}

static void test_open_says_whose_config_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct err e = ERR_INIT;

    f->config.client.username = STR("a:b");
    assert_false(http_sink_open(&small, &f->place, &f->config, &f->sink, &e));
    assert_contains(e.context, "exporter small");
}

static void test_usual_statuses(void **state)
{
    (void)state;
    static const struct {
        int status;
        enum verdict want;
    } rows[] = {
        {100, VERDICT_RETRY},     {200, VERDICT_DELIVERED}, {204, VERDICT_DELIVERED},
        {299, VERDICT_DELIVERED}, {301, VERDICT_HALT},      {400, VERDICT_REJECTED},
        {401, VERDICT_HALT},      {403, VERDICT_HALT},      {404, VERDICT_REJECTED},
        {408, VERDICT_RETRY},     {410, VERDICT_HALT},      {413, VERDICT_REJECTED},
        {415, VERDICT_HALT},      {422, VERDICT_REJECTED},  {425, VERDICT_RETRY},
        {429, VERDICT_RETRY},     {499, VERDICT_REJECTED},  {500, VERDICT_RETRY},
        {503, VERDICT_RETRY},     {599, VERDICT_RETRY},     {999, VERDICT_RETRY},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(status_verdict(http_statuses_usual, rows[i].status), rows[i].want);
    }
}

static double schema_errors(struct fixture *f)
{
    static const struct metric_desc desc = {
        .name = "telex_exporter_schema_errors_total",
        .help =
            "Requests that did not decode to what was encoded, where debug.validate_schemas is on.",
        .type = METRIC_COUNTER,
        .labels = {"exporter"}};
    struct metric *m = metrics_get1(f->kit.env.metrics, &desc, STR("small"));
    double value = metric_value(m);

    metric_drop(m);
    return value;
}

static void test_what_is_not_right_is_counted(void **state)
{
    struct fixture *f = *state;

    f->config.gzip = true;
    f->config.common.debug.validate_schemas = true;
    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6");
    assert_int_equal(schema_errors(f), 1);
    assert_int_equal(receiver_count(&f->receiver), 3);
}

static void test_what_is_not_right_is_refused(void **state)
{
    struct fixture *f = *state;

    f->config.common.debug =
        (struct exporter_debug){.validate_schemas = true, .refuse_invalid = true};
    deliver(f, view_all(f->batch));
    assert_outcome(f, "delivered 6 2:rejected 3:rejected");
    assert_contains(f->out.except.list.items[0].reason, "it is another body");
    assert_int_equal(schema_errors(f), 1);
    assert_seen(f, "0,1,|4,5,");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_all_delivered),
        CASE(test_headers),
        CASE(test_stops_in_the_middle),
        CASE(test_rejected_goes_on),
        CASE(test_too_large_is_halved),
        CASE(test_too_many_bytes_are_halved_without_asking),
        CASE(test_other_refusals_are_not_halved),
        CASE(test_statuses_of_the_config),
        CASE(test_judge_has_the_last_word),
        CASE(test_row_that_cannot_be_encoded),
        CASE(test_exceptions_are_said_once),
        CASE(test_rows_that_mean_nothing),
        CASE(test_some_rows_that_mean_nothing),
        CASE(test_part_of_a_view),
        CASE(test_parts_of_a_row),
        CASE(test_part_fails),
        CASE(test_nobody_listens),
        CASE(test_reset_after_sending),
        CASE(test_answer_does_not_come),
        CASE(test_bad_header_is_rejected),
        CASE(test_batch_that_does_not_decode),
        CASE(test_probe),
        CASE(test_no_probe),
        CASE(test_open_says_whose_config_is_wrong),
        CASE(test_what_is_not_right_is_counted),
        CASE(test_what_is_not_right_is_refused),
        cmocka_unit_test(test_usual_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
