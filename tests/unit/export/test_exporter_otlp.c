/* OTLP: where signals go, which traces are kept, what answers mean, and what variables say. */
#include "export/exporters/otlp_sink.h"

#include "base/metrics.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"
#include "wire/notes.h"
#include "wire/pb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- addresses ---- */

#define TRACES "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define METRICS "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

static const struct {
    const char *yaml;
    const char *traces;
    const char *metrics;
    const char *advice; /* a part of it; NULL: none */
} url_rows[] = {
    {"", "http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics", NULL},
    {"endpoint: http://c:4318\n", "http://c:4318/v1/traces", "http://c:4318/v1/metrics", NULL},
    {"url: http://c/otlp/\n", "http://c/otlp/v1/traces", "http://c/otlp/v1/metrics", NULL},
    {"url: http://c/v1/traces\n", "http://c/v1/traces", "http://c/v1/metrics", NULL},
    {"otlp_endpoint: http://t:1/in\nmetrics_endpoint: http://m:2/v1/metrics\n", "http://t:1/in",
     "http://m:2/v1/metrics", NULL},
    {"otlp_endpoint: http://t:1\n", "http://t:1/v1/traces", "http://t:1/v1/metrics", NULL},
    {"otlp_endpoint: http://t:1/in\nurl: http://b\n", "http://t:1/in", "http://b/v1/metrics", NULL},
    {"metrics_endpoint: http://m/v1/metrics\n", "http://m/v1/traces", "http://m/v1/metrics", NULL},
    {"otlp_endpoint: http://jaeger:14268/api/traces\n", "http://jaeger:4318/v1/traces", "",
     "name a metrics_endpoint"},
    {"url: http://jaeger:14268\n", "http://jaeger:4318/v1/traces", "", "Thrift, not OTLP"},
    {"otlp_endpoint: http://jaeger:14268/api/traces\nmetrics_endpoint: http://c:4318/v1/metrics\n",
     "http://jaeger:4318/v1/traces", "http://c:4318/v1/metrics", "http://jaeger:4318/v1/traces"},
    {"protocol: grpc\n", "http://localhost:4317" TRACES, "http://localhost:4317" METRICS, NULL},
    {"protocol: grpc\nurl: http://c/in\n", "http://c:4317" TRACES, "http://c:4317" METRICS, NULL},
    {"protocol: grpc\nurl: https://c\n", "https://c" TRACES, "https://c" METRICS, NULL},
    {"protocol: grpc\nurl: https://[::1]:1\n", "https://[::1]:1" TRACES, "https://[::1]:1" METRICS,
     NULL},
    {"protocol: grpc\nurl: c:4317\n", "https://c:4317" TRACES, "https://c:4317" METRICS,
     "insecure: true"},
    {"protocol: grpc\nurl: c:4317\ninsecure: true\n", "http://c:4317" TRACES,
     "http://c:4317" METRICS, NULL},
    {"protocol: grpc\nurl: c:4317\nmetrics_insecure: true\ntraces_insecure: false\n",
     "https://c:4317" TRACES, "http://c:4317" METRICS, "insecure: true"},
    {"protocol: grpc\nurl: http://c:4318\n", "http://c:4318" TRACES, "http://c:4318" METRICS,
     "say port 4317, or 'otlp_protocol: http/protobuf'"},
    {"protocol: grpc\nurl: http://jaeger:14268/api/traces\n", "http://jaeger:4317" TRACES, "",
     "Thrift, not OTLP"},
    {"url: http://c:4317\n", "http://c:4317/v1/traces", "http://c:4317/v1/metrics",
     "say port 4318, or 'otlp_protocol: grpc'"},
    {"otlp_endpoint: http://c:4318\nmetrics_endpoint: http://c:4317\nmetrics_protocol: grpc\n",
     "http://c:4318/v1/traces", "http://c:4317" METRICS, NULL},
    {"protocol: grpc\nurl: http://c:9/v1/traces\n", "http://c:9" TRACES, "http://c:9" METRICS,
     "leave it away, or say 'otlp_protocol: http/protobuf'"},
};

static void addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(url_rows); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct export_kit kit;
        struct err e = ERR_INIT;

        buf_addf(&yaml, "type: opentelemetry\n%s", url_rows[i].yaml);
        if (!export_kit_start(&kit, buf_text(&yaml))) {
            fail_msg("%s: %s", url_rows[i].yaml, kit.err.message);
        }
        const struct otlp_config *c = kit.config;
        assert_string_equal(arena_text(&kit.arena, otlp_url(c, OTLP_TRACES, &kit.arena)),
                            url_rows[i].traces);
        assert_string_equal(arena_text(&kit.arena, otlp_url(c, OTLP_METRICS, &kit.arena)),
                            url_rows[i].metrics);
        bool is_advised = kit.kind->advise(c, NULL, &e);
        assert_true(is_advised == (url_rows[i].advice != NULL));
        const char *advice = url_rows[i].advice != NULL ? url_rows[i].advice : "";
        assert_true(!is_advised || strstr(e.message, advice) != NULL);
        export_kit_stop(&kit);
    }
}

static void what_makes_no_sense(void **state)
{
    static const char *const rows[][2] = {
        {"trace_sample_rate: 0.5\n", "a rate is for"},
        {"url: ':4317'\n", "expected a host"},
        {"trace_sampler: traceidratio\ntrace_sample_rate: 2\n", "trace_sample_rate"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);
        struct export_kit kit;

        buf_addf(&yaml, "type: otlp\n%s", rows[i][0]);
        assert_false(export_kit_start(&kit, buf_text(&yaml)));
        assert_non_null(strstr(kit.err.message, rows[i][1]));
        export_kit_stop(&kit);
    }
}

/* ---- the sampler ---- */

static bool keeps(enum otlp_sampler sampler, double rate, uint8_t first_of_last_half)
{
    const struct otlp_config c = {.sampler = (int)sampler, .sample_rate = rate};
    const uint8_t id[TRACE_ID_BYTES] = {[0] = 0xFF, [8] = first_of_last_half};

    return otlp_keeps_trace(&c, id);
}

static void samplers(void **state)
{
    (void)state;
    assert_true(keeps(OTLP_PARENT_ON, 0, 0xFF) && keeps(OTLP_ALWAYS_ON, 0, 0xFF));
    assert_false(keeps(OTLP_PARENT_OFF, 1, 0) || keeps(OTLP_ALWAYS_OFF, 1, 0));
    assert_true(keeps(OTLP_RATIO, 0.5, 0x7F) && keeps(OTLP_PARENT_RATIO, 0.5, 0x7F));
    assert_false(keeps(OTLP_RATIO, 0.5, 0x80) || keeps(OTLP_PARENT_RATIO, 0.5, 0x80));
    assert_true(keeps(OTLP_RATIO, 1, 0xFF));
    assert_false(keeps(OTLP_RATIO, 0, 0));
}

/* ---- answers, over a real connection ---- */

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
    const struct exporter_place place = {.env = &f->http.env, .name = STR("o")};
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_SMALL);

    buf_addf(&yaml, "type: otlp\nurl: http://127.0.0.1:%u\n%s", f->receiver.peer.port, options);
    if (!export_kit_start(&f->kit, buf_text(&yaml)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
}

static void deliver(struct fixture *f, struct batch *b)
{
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};

    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

static struct batch *two_samples(void)
{
    static const struct kit_sample samples[] = {{"up,job=a", KIT_TIME_NS, 1},
                                                {"up,job=b", KIT_TIME_NS, 0}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    return kit_samples(NULL, &info, samples, 2);
}

/* Traces 0x00.. and 0xFF.., each with a root and a child. */
static struct batch *four_spans(void)
{
    const struct batch_info info = {.kind = RECORD_SPAN};
    struct batch *b = batch_new(&codec_spans, &info);
    struct note *rows = arena_array(batch_arena(b), struct note, 4);

    for (int i = 0; i < 4; i++) {
        struct span_part *s = arena_new(batch_arena(b), struct span_part);
        *s = (struct span_part){.end_ns = KIT_TIME_NS + 5,
                                .kind = SPAN_KIND_INTERNAL,
                                .status_message = STR(""),
                                .more = STR("")};
        s->trace_id[0] = 1;
        s->trace_id[8] = i / 2 > 0 ? 0xFF : 0;
        s->span_id[0] = (uint8_t)(i + 1);
        s->parent_id[0] = (uint8_t)(i % 2 > 0 ? i : 0);
        rows[i] = (struct note){
            .time_ns = KIT_TIME_NS, .name = STR("work"), .labels = labels_empty(), .span = s};
    }
    batch_set_notes(b, (struct notes){rows, 4});
    return b;
}

/* {1: {1: rejected, 2: "too old"}} */
#define PARTIAL "\x0a\x0b\x08\x01\x12\x07too old"

static const struct {
    int status;
    const char *headers;
    const char *body;
    enum verdict want;
    uint32_t settled;
    uint32_t dropped;
    size_t rejected;
    const char *error;
} answer_rows[] = {
    {200, NULL, "", VERDICT_DELIVERED, 2, 0, 0, NULL},
    {200, NULL, PARTIAL, VERDICT_DELIVERED, 2, 1, 0, "refused 1 of 2: too old"},
    {200, NULL, "<html>", VERDICT_DELIVERED, 2, 0, 0, NULL},
    {400, NULL,
     "\x08\x03\x12\x09"
     "bad point",
     VERDICT_DELIVERED, 2, 0, 2, "answered 400"},
    {500, NULL, NULL, VERDICT_DELIVERED, 2, 0, 2, "answered 500"},
    {503, "Retry-After: 7\r\n",
     "\x12\x04"
     "full",
     VERDICT_RETRY, 0, 0, 0, "answered 503: full"},
    {404, NULL, NULL, VERDICT_HALT, 0, 0, 0, "answered 404"},
};

static void answers(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(answer_rows); i++) {
        void *fixture = NULL;
        (void)setup(&fixture);
        struct fixture *f = fixture;
        AUTO(batch_autounref) struct batch *b = two_samples();

        for (int again = 0; again < 3; again++) { /* one more for each half of a refused request */
            receiver_plan(&f->receiver, answer_rows[i].status, answer_rows[i].headers,
                          answer_rows[i].body);
        }
        open_sink(f, "");
        deliver(f, b);
        assert_int_equal(f->out.rest, answer_rows[i].want);
        assert_int_equal(f->out.settled, answer_rows[i].settled);
        assert_int_equal(f->out.dropped, answer_rows[i].dropped);
        assert_int_equal(f->out.except.list.len, answer_rows[i].rejected);
        assert_int_equal(f->out.retry_after_ms, answer_rows[i].headers != NULL ? 7000 : 0);
        if (answer_rows[i].error != NULL &&
            strstr(f->out.err.message, answer_rows[i].error) == NULL) {
            fail_msg("%s: %s", answer_rows[i].error, f->out.err.message);
        }
        (void)teardown(&fixture);
    }
    (void)state;
}

static void assert_request(struct fixture *f, unsigned i, const char *first_line)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    receiver_head(&f->receiver, i, &head);
    if (!str_starts(buf_str(&head), str_of(first_line))) {
        fail_msg("%s", buf_text(&head));
    }
    assert_non_null(strstr(buf_text(&head), "application/x-protobuf"));
}

static void half_of_the_traces(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *spans = four_spans();
    AUTO(batch_autounref) struct batch *samples = two_samples();

    open_sink(f, "trace_sampler: parentbased_traceidratio\ntrace_sample_rate: 0.5\n"
                 "create_child_spans: false\ncompression: none\n");
    deliver(f, spans);
    assert_int_equal(f->out.rest, VERDICT_DELIVERED);
    assert_int_equal(f->out.left_out, 3);
    deliver(f, samples);
    assert_int_equal(receiver_count(&f->receiver), 2);
    assert_request(f, 0, "POST /v1/traces HTTP/1.1");
    assert_request(f, 1, "POST /v1/metrics HTTP/1.1");
}

static void no_address_for_metrics(void **state)
{
    struct fixture *f = *state;
    const struct exporter_place place = {.env = &f->http.env, .name = STR("o")};
    AUTO(batch_autounref) struct batch *samples = two_samples();

    assert_true(export_kit_start(&f->kit, "type: otlp\nurl: http://127.0.0.1:14268/api/traces\n"));
    assert_true(f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err));
    deliver(f, samples);
    assert_int_equal(f->out.rest, VERDICT_DELIVERED);
    assert_int_equal(f->out.left_out, 2);
    assert_int_equal(receiver_count(&f->receiver), 0);
}

/* An empty request to each signal's address says whether somebody is there. */
static void probes(void **state)
{
    static const struct {
        int status;
        const char *yaml;
        const char *body;
        enum probed want;
        unsigned requests;
    } rows[] = {
        {200, "", "", PROBED_THERE, 2},
        {200, "otlp_protocol: http/json\n", "{}", PROBED_THERE, 2},
        {503, "", "full", PROBED_FAILED, 1},
        {404, "", "", PROBED_NOBODY, 2},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct wait wait = {.deadline_mono_ns = DEADLINE_NEVER};
        void *fixture = NULL;
        struct err e = ERR_INIT;
        (void)setup(&fixture);
        struct fixture *f = fixture;
        receiver_plan(&f->receiver, rows[i].status, NULL, rows[i].body);
        receiver_plan(&f->receiver, rows[i].status, NULL, rows[i].body);
        open_sink(f, rows[i].yaml);
        assert_int_equal(sink_probe(f->sink, wait, &e), rows[i].want);
        assert_int_equal(receiver_count(&f->receiver), rows[i].requests);
        (void)teardown(&fixture);
    }
}

/* ---- validation ---- */

static void assert_validated(struct fixture *f, struct batch *b)
{
    const struct http_exporter *http = f->kit.kind->http;
    AUTO(outcome_release) struct outcome out;
    struct export_request req = {.arena = &f->kit.arena, .body = BUF_INIT(BUF_UNLIMITED)};
    struct sent_rows sent = {.view = view_all(b), .part = SENT_ALL_PARTS};
    struct err e = ERR_INIT;

    outcome_init(&out);
    assert_true(http->next_request(f->kit.config, sent.view, &sent.end, &req, &out, &e));
    assert_true(http->validate(f->kit.config, &sent, req.whole_body, &e));
    sent.end--;
    assert_false(http->validate(f->kit.config, &sent, req.whole_body, &e));
    sent.end++;
    sent.first++;
    assert_false(http->validate(f->kit.config, &sent, req.whole_body, &e));
    assert_false(http->validate(f->kit.config, &sent, STR("\x0a\x05"), &e));
    buf_release(&req.body);
}

static void validation_sees_other_rows(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *spans = four_spans();
    AUTO(batch_autounref) struct batch *samples = two_samples();

    open_sink(f, "");
    assert_validated(f, spans);
    assert_validated(f, samples);
}

static void validation_reads_json(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *spans = four_spans();
    AUTO(batch_autounref) struct batch *samples = two_samples();

    open_sink(f, "otlp_protocol: http/json\n");
    assert_validated(f, spans);
    assert_validated(f, samples);
}

/* ---- variables ---- */

static const char *lookup(void *arg, const char *name)
{
    static const char *const variables[][2] = {
        {"OTEL_SERVICE_NAME", "shop"},
        {"OTEL_RESOURCE_ATTRIBUTES", "host.name=a%2Cb,zone=c"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"},
        {"OTEL_EXPORTER_OTLP_TIMEOUT", "2500"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20abc"},
        {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", "k=v"},
        {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "100"},
        {"OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"},
        {"OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc"},
        {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"},
        {"OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/key.pem"},
        {"OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "/cert.pem"},
        {"OTEL_EXPORTER_OTLP_INSECURE", "true"},
        {"T_SERVICE_VERSION", "2"},
    };

    (void)arg;
    for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
        if (strcmp(variables[i][0], name) == 0) {
            return variables[i][1];
        }
    }
    return NULL;
}

static void variables_of_others(void **state)
{
    struct fixture *f = *state;
    const struct exporter_kind *kind = exporter_kind_find(STR("otel"));
    const struct option_source source = {.lookup = lookup, .prefix = "T_", .usual = kind->usual};
    struct otlp_config c;
    struct err e = ERR_INIT;

    assert_true(export_kit_start(&f->kit, "type: otlp\nservice_name: mine\n"));
    struct arena *a = &f->kit.arena;
    const struct yaml_node *documents = NULL;
    assert_true(yaml_parse(a, &f->kit.source, &documents, &e));
    assert_true(options_parse(kind->options, documents->first, &source, a, &c, &e));
    assert_string_equal(arena_text(a, c.service_name), "mine");
    assert_string_equal(arena_text(a, c.service_version), "2");
    assert_string_equal(arena_text(a, c.client.url), "http://collector:4318");
    assert_int_equal(c.client.timeout_ns, 2500 * (int64_t)1000000);
    const struct otlp_origin origin = otlp_origin_of(&c, a);
    assert_int_equal(origin.resource_count, 4);
    assert_string_equal(arena_text(a, origin.resource[2].value), "a,b");
    const struct option_map headers = otlp_decoded(c.client.headers, a);
    assert_string_equal(arena_text(a, headers.items[0].value), "Basic abc");
    struct otlp_config of_traces = c;
    struct otlp_config of_metrics = c;
    otlp_make_own(&of_traces, OTLP_TRACES, STR("http://t"), a);
    otlp_make_own(&of_metrics, OTLP_METRICS, STR("http://m"), a);
    assert_string_equal(arena_text(a, of_traces.client.headers.items[0].name), "k");
    assert_string_equal(arena_text(a, of_metrics.client.headers.items[0].value), "Basic abc");
    assert_int_equal(of_traces.client.timeout_ns, 100 * (int64_t)1000000);
    assert_true(of_traces.compression == BODY_GZIP && of_metrics.compression == BODY_PLAIN);
    assert_true(!of_traces.client.http2 && of_metrics.client.http2);
    assert_string_equal(arena_text(a, of_traces.client.tls.ca_file), "/ca.pem");
    assert_string_equal(arena_text(a, of_metrics.client.tls.key_file), "/key.pem");
    assert_string_equal(arena_text(a, of_metrics.client.tls.cert_file), "/cert.pem");
    assert_int_equal(of_traces.client.tls.key_file.len, 0);
    assert_true(c.insecure);
    options_release(kind->options, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(what_makes_no_sense),
        cmocka_unit_test(samplers),
        cmocka_unit_test(answers),
        cmocka_unit_test(probes),
        cmocka_unit_test_setup_teardown(half_of_the_traces, setup, teardown),
        cmocka_unit_test_setup_teardown(no_address_for_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(validation_sees_other_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(validation_reads_json, setup, teardown),
        cmocka_unit_test_setup_teardown(variables_of_others, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
