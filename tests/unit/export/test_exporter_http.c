/* What http and webhook make of templates: bodies, paths, headers, and which rows share a request. */
#include "export/exporter.h"

#include "export/http_sink.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"

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
    struct buf text;
};

static void begin(struct fixture *f)
{
    receiver_listen(&f->receiver);
    http_kit_start(&f->http, f->receiver.peer.port);
    outcome_init(&f->out);
    buf_init(&f->text, BUF_UNLIMITED);
}

static void end(struct fixture *f)
{
    sink_close(f->sink);
    export_kit_stop(&f->kit);
    outcome_release(&f->out);
    buf_release(&f->text);
    http_kit_stop(&f->http);
    receiver_stop(&f->receiver);
}

static const struct kit_sample samples[] = {
    {"cpu,host=a/b?c=d&e#f", KIT_TIME_NS, 1.5},
    {"cpu,host=..", KIT_TIME_NS, 2},
    {"cpu,host=x\r\nEvil: y", KIT_TIME_NS, 3},
    {"mem,host=x\r\nEvil: y", KIT_TIME_NS, 4},
};

static struct batch *make_batch(bool is_alert)
{
    static const struct batch_info info = {.kind = RECORD_SAMPLE};
    static const struct batch_info rule = {.rule = STR_INIT("HighCPUUsage")};

    return is_alert ? kit_alerts(&rule) : kit_samples(NULL, &info, samples, ARRAY_LEN(samples));
}

static void deliver(struct fixture *f, const char *kind, const char *options, bool is_alert)
{
    const struct exporter_place place = {.env = &f->http.env, .name = STR("api")};
    AUTO(batch_autounref) struct batch *b = make_batch(is_alert);
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};

    buf_addf(&f->text, "type: %s\nurl: http://127.0.0.1:%u/base\n%s", kind, f->receiver.peer.port,
             options);
    if (!export_kit_start(&f->kit, buf_text(&f->text)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

/* First lines, the headers that are asked for, and bodies. */
static void add_request(struct fixture *f, unsigned i, const char *header, struct buf *out)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    receiver_head(&f->receiver, i, &head);
    struct str line = str_slice(buf_str(&head), 0, str_find(buf_str(&head), STR(" HTTP/")));
    buf_add_str(out, line);
    struct str value = http_peer_header(&head, header);
    buf_addf(out, " [%.*s] ", STR_FMT(value));
    receiver_body(&f->receiver, i, out);
    buf_add_byte(out, '\n');
}

static const struct {
    const char *kind;
    const char *options;
    const char *header;
    const char *want;
    bool is_alert;
    unsigned rejected;
} rows[] = {
    /* One request each, a map over the record. */
    {"http", "payload_transformer: {n: '{{ .name }}', v: '{{ .value }}', s: [a, 1]}\n",
     "Content-Type",
     "POST /base [application/json] {\"n\":\"cpu\",\"v\":1.5,\"s\":[\"a\",1]}\n"
     "POST /base [application/json] {\"n\":\"cpu\",\"v\":2,\"s\":[\"a\",1]}\n"
     "POST /base [application/json] {\"n\":\"cpu\",\"v\":3,\"s\":[\"a\",1]}\n"
     "POST /base [application/json] {\"n\":\"mem\",\"v\":4,\"s\":[\"a\",1]}\n",
     false, 0},
    /* A text as it is. */
    {"http", "method: PUT\nbody: '{{ .name }} is {{ .value }}'\nbatch_size: 3\nformat: ndjson\n",
     "Content-Type",
     "PUT /base [application/x-ndjson] cpu is 1.5\ncpu is 2\ncpu is 3\n\n"
     "PUT /base [application/x-ndjson] mem is 4\n\n",
     false, 0},
    /* Its own type, from headers or the option. */
    {"http", "body: '{{ .value }}'\nbatch_size: 10\nheaders: {content-type: text/x-own}\n",
     "Content-Type", "POST /base [text/x-own] [1.5,2,3,4]\n", false, 0},
    {"http", "body: 'x'\nbatch_size: 10\ncontent_type: text/y\n", "Content-Type",
     "POST /base [text/y] [x,x,x,x]\n", false, 0},
    /* Values stay where they stand: a segment of dots is refused, all else is escaped. */
    {"http", "path: '/h/{{ .labels.host }}'\nbody: '-'\nbatch_size: 10\n", "Evil",
     "POST /base/h/a%2Fb%3Fc=d%26e%23f [] [-]\n"
     "POST /base/h/x%0D%0AEvil:%20y [] [-,-]\n",
     false, 1},
    {"http", "path: '?h={{ .labels.host }}&n={{ .name }}'\nmethod: GET\n", "Content-Type",
     "GET /base?h=a%2Fb%3Fc%3Dd%26e%23f&n=cpu [] \n"
     "GET /base?h=..&n=cpu [] \n"
     "GET /base?h=x%0D%0AEvil%3A%20y&n=cpu [] \n"
     "GET /base?h=x%0D%0AEvil%3A%20y&n=mem [] \n",
     false, 0},
    /* Headers are one line; rows with other ones go apart. */
    {"http",
     "headers: {X-Host: 'h={{ .labels.host }}', X-Fixed: a}\nbody: '{{ .value }}'\nbatch_size: 9\n",
     "X-Host",
     "POST /base [h=a/b?c=d&e#f] [1.5]\nPOST /base [h=..] [2]\n"
     "POST /base [h=x  Evil: y] [3,4]\n",
     false, 0},
    {"http", "headers: {X-Host: '{{ .labels.host }}'}\nbody: '-'\nbatch_size: 9\n", "Evil",
     "POST /base [] [-]\nPOST /base [] [-]\nPOST /base [] [-,-]\n", false, 0},
    /* The same for webhooks, whose alerts go one by one. */
    {"webhook",
     "path: '/{{ .labels.alertname }}/{{ .state }}'\nheaders: {X-S: '{{ .severity }}'}\n"
     "payload: {v: '{{ .value }}'}\n",
     "X-S",
     "POST /base/HighCPUUsage/firing [warning] {\"v\":85.4}\n"
     "POST /base/HighCPUUsage/firing [warning] {\"v\":80.5}\n"
     "POST /base/HighCPUUsage/firing [warning] {\"v\":90.25}\n"
     "POST /base/HighCPUUsage/resolved [warning] {\"v\":85.4}\n",
     true, 0},
    /* A record whose objects go to different places goes there alone; others share. */
    {"http", "path: '/{{ .value }}'\nbody: '{{ .value }}'\nbatch_size: 10\n", "X-S",
     "POST /base/85.4 [] [85.4]\nPOST /base/80.5 [] [80.5]\nPOST /base/90.25 [] [90.25]\n"
     "POST /base/85.4 [] [85.4]\n",
     true, 0},
    /* A record whose template fails takes none of the next one's objects with it. */
    {"webhook",
     "payload: '{{ if eq .value 85.4 }}{{ index .labels \"a\" \"b\" }}{{ end }}{{ .value }}'\n",
     "X-S", "POST /base [] 80.5\nPOST /base [] 90.25\n", true, 2},
    {"webhook", "payload: '{{ .value }}'\n", "Content-Type",
     "POST /base [application/json] [1.5,2,3,4]\n", false, 0},
};

static void test_requests(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
        struct fixture *f = mem_new(struct fixture);
        begin(f);
        for (unsigned n = 0; n < 8; n++) {
            receiver_plan(&f->receiver, 200, NULL, NULL);
        }
        deliver(f, rows[i].kind, rows[i].options, rows[i].is_alert);
        for (unsigned n = 0; n < receiver_count(&f->receiver); n++) {
            add_request(f, n, rows[i].header, &got);
        }
        if (strcmp(buf_text(&got), rows[i].want) != 0) {
            fail_msg("row %zu:\n%s%s", i, buf_text(&got), f->out.err.message);
        }
        assert_int_equal(f->out.except.list.len, rows[i].rejected);
        assert_int_equal(f->out.rest, VERDICT_DELIVERED);
        end(f);
        mem_free(f);
    }
}

/* Where the record makes the path, that there is nothing is the record's affair. */
static void test_not_found(void **state)
{
    static const struct {
        const char *kind;
        const char *options;
        enum verdict rest;
        size_t rejected;
    } cases[] = {{"http", "", VERDICT_HALT, 0},
                 {"http", "path: '/{{ .name }}'\n", VERDICT_DELIVERED, 4},
                 {"webhook", "", VERDICT_HALT, 0},
                 {"webhook", "path: '/{{ .name }}'\n", VERDICT_DELIVERED, 4}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture *f = mem_new(struct fixture);
        begin(f);
        for (unsigned n = 0; n < 8; n++) {
            receiver_plan(&f->receiver, 404, NULL, NULL);
        }
        deliver(f, cases[i].kind, cases[i].options, false);
        assert_int_equal(f->out.rest, cases[i].rest);
        assert_int_equal(f->out.except.list.len, cases[i].rejected);
        end(f);
        mem_free(f);
    }
}

static void test_listed_statuses_are_tried_again(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    (void)state;
    begin(f);
    receiver_plan(&f->receiver, 500, NULL, NULL);
    deliver(f, "http", "retry_config: {retry_on_status_codes: [429, 502, 503, 504]}\n", false);
    assert_int_equal(f->out.except.list.len, 1);
    end(f);
    mem_free(f);
}

static const struct {
    const char *options;
    const char *says;
} configs[] = {
    {"method: 'PO ST'\n", "method"},
    {"path: base\n", "neither"},
    {"path: '/{{ .a '\n", "}}"},
    {"path: '/{{ nosuch }}'\n", "nosuch"},
    {"headers: {X: '{{ if .a }}'}\n", "X"},
    {"payload: {a: '{{ nosuch }}'}\n", "nosuch"},
    {"health_path: up\n", "health_path"},
    {"batch_size: 0\n", "batch_size"},
};

static void test_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf said = BUF_INIT(BUF_UNLIMITED);
        struct export_kit kit;
        buf_addf(&yaml, "type: http\nurl: http://h\n%s", configs[i].options);
        bool ok = export_kit_start(&kit, buf_text(&yaml));
        buf_addf(&said, "%s: %s", kit.err.context, kit.err.message);
        if (ok || strstr(buf_text(&said), configs[i].says) == NULL) {
            fail_msg("%s: %s", configs[i].options, buf_text(&said));
        }
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_listed_statuses_are_tried_again),
        cmocka_unit_test(test_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
