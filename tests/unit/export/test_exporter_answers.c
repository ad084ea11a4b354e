/* What exporters make of answers: the tables of statuses, and bodies that say more. */
#include "export/exporter.h"

#include "export/http_sink.h"
#include "export/level.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* ---- statuses ---- */

enum { STATUSES = 20 };

static const int statuses[STATUSES] = {200, 204, 301, 400, 401, 403, 404, 405, 408, 409,
                                       410, 413, 415, 422, 425, 429, 500, 502, 503, 504};

/* A letter per status: Delivered, reJected, Retry, Halt. What a kind makes of 404 beyond its table (webhook) is
 * test_exporter_http's. */
static const struct {
    const char *kind;
    const char *want;
} status_rows[] = {
    {"remote_write", "DDHJHHHHJJHJHJJRRRRR"}, {"influxdb", "DDHJHHHHRJHJHJRRRRRR"},
    {"newrelic", "DDHJHHHHRJHJRRRRRRRR"},     {"webhook", "DDHJHHJHRJHJHJRRRRRR"},
    {"otlp", "DDHJHHHHJJHJHJJRJRRR"},         {"datadog", "DDHJHHHHRJHJHJRRRRRR"},
    {"alertmanager", "DHHJHHHHRJHJHJRRRRRR"}, {"cloudevents", "DDHJHHRHRRHJHJRRRRRR"},
};

static void test_statuses(void **state)
{
    (void)state;
    static const char letters[VERDICTS] = {[VERDICT_DELIVERED] = 'D',
                                           [VERDICT_REJECTED] = 'J',
                                           [VERDICT_RETRY] = 'R',
                                           [VERDICT_HALT] = 'H'};

    for (size_t i = 0; i < ARRAY_LEN(status_rows); i++) {
        const struct exporter_kind *kind = exporter_kind_find(str_of(status_rows[i].kind));
        const struct status_rule *table =
            kind->level != NULL ? kind->level->statuses : kind->http->statuses;
        char got[STATUSES + 1] = "";
        for (size_t s = 0; s < STATUSES; s++) {
            got[s] = letters[status_verdict(table, statuses[s])];
        }
        assert_string_equal(got, status_rows[i].want);
    }
}

/* ---- InfluxDB's bodies, over a real connection ---- */

struct fixture {
    struct receiver receiver;
    struct http_kit http;
    struct export_kit kit;
    struct sink *sink;
    struct outcome out;
    struct buf text;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    receiver_listen(&f->receiver);
    http_kit_start(&f->http, f->receiver.peer.port);
    outcome_init(&f->out);
    buf_init(&f->text, BUF_UNLIMITED);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_close(f->sink);
    export_kit_stop(&f->kit);
    outcome_release(&f->out);
    buf_release(&f->text);
    http_kit_stop(&f->http);
    receiver_stop(&f->receiver);
    mem_free(f);
    return 0;
}

static void deliver(struct fixture *f, const char *options, struct str database)
{
    static const struct kit_sample samples[] = {{"up,job=a", KIT_TIME_NS, 1},
                                                {"up,job=b", KIT_TIME_NS, 0}};
    const struct batch_info info = {.database = database};
    const struct exporter_place place = {.env = &f->http.env, .name = STR("influx")};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, samples, 2);
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};

    buf_addf(&f->text, "type: influxdb\nurl: http://127.0.0.1:%u\n%s", f->receiver.peer.port,
             options);
    if (!export_kit_start(&f->kit, buf_text(&f->text)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

/* The first lines of all requests, with a bar between. */
static void assert_requests(struct fixture *f, const char *want)
{
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_SMALL);

    for (unsigned i = 0; i < receiver_count(&f->receiver); i++) {
        AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);
        receiver_head(&f->receiver, i, &head);
        struct str line = str_slice(buf_str(&head), 0, str_find(buf_str(&head), STR(" HTTP/")));
        buf_add_text(&got, i > 0 ? "|" : "");
        buf_add_str(&got, line);
    }
    assert_string_equal(buf_text(&got), want);
}

#define NO_DATABASE "{\"error\":\"database not found: \\\"d\\\"\"}"
#define WRITE_D "POST /write?db=d&precision=ns"
#define WRITE_V2 "POST /api/v2/write?org=o&bucket=b&precision=ns"
#define CREATE_D "POST /query?q=CREATE%20DATABASE%20%22d%22"

struct answer_row {
    const char *options;
    const char *database; /* the batch's own */
    int statuses[3];
    const char *body; /* of the first answer */
    enum verdict want;
    uint32_t settled;
    size_t rejected;
    uint32_t dropped;
    const char *error;
    const char *requests;
};

static const struct answer_row answer_rows[] = {
    /* Of a partial write, the bad line alone is rejected. */
    {"database: d\n",
     "",
     {400, 400, 204},
     "{\"error\":\"partial write: field type conflict: x dropped=1\"}",
     VERDICT_DELIVERED,
     2,
     1,
     0,
     NULL,
     WRITE_D "|" WRITE_D "|" WRITE_D},
    {"org: o\nbucket: b\n",
     "",
     {422, 204, 422},
     "{\"message\":\"partial write: x dropped=1\"}",
     VERDICT_DELIVERED,
     2,
     1,
     0,
     NULL,
     WRITE_V2 "|" WRITE_V2 "|" WRITE_V2},
    {"database: d\n",
     "",
     {400, 400, 400},
     "{\"error\":\"unable to parse\"}",
     VERDICT_DELIVERED,
     2,
     2,
     0,
     "answered 400",
     WRITE_D "|" WRITE_D "|" WRITE_D},
    /* A database that is not there is made, once. */
    {"database: d\n",
     "",
     {404, 200, 204},
     NO_DATABASE,
     VERDICT_DELIVERED,
     2,
     0,
     0,
     NULL,
     WRITE_D "|" CREATE_D "|" WRITE_D},
    {"database: other\n",
     "d",
     {404, 200, 204},
     NO_DATABASE,
     VERDICT_DELIVERED,
     2,
     0,
     0,
     NULL,
     WRITE_D "|" CREATE_D "|" WRITE_D},
    {"database: 'a\"b'\n",
     "",
     {404, 200, 204},
     NO_DATABASE,
     VERDICT_DELIVERED,
     2,
     0,
     0,
     NULL,
     "POST /write?db=a%22b&precision=ns|POST /query?q=CREATE%20DATABASE%20%22a%5C%22b%22|"
     "POST /write?db=a%22b&precision=ns"},
    /* It could not be: ours halts; one that a rule names only loses that rule's records. */
    {"database: d\n",
     "",
     {404, 403},
     NO_DATABASE,
     VERDICT_HALT,
     0,
     0,
     0,
     "database 'd'",
     WRITE_D "|" CREATE_D},
    {"database: other\n",
     "d",
     {404, 403},
     NO_DATABASE,
     VERDICT_DELIVERED,
     2,
     2,
     0,
     "database 'd'",
     WRITE_D "|" CREATE_D},
    {"database: d\ncreate_database: false\n",
     "",
     {404},
     NO_DATABASE,
     VERDICT_HALT,
     0,
     0,
     0,
     "create it",
     WRITE_D},
    {"org: o\nbucket: b\n",
     "",
     {404},
     "{\"message\":\"bucket \\\"b\\\" not found\"}",
     VERDICT_HALT,
     0,
     0,
     0,
     "bucket 'b'",
     "POST /api/v2/write?org=o&bucket=b&precision=ns"},
    /* Something else lives at that address. */
    {"database: d\n",
     "e",
     {404},
     "404 page not found",
     VERDICT_HALT,
     0,
     0,
     0,
     "answered 404",
     "POST /write?db=e&precision=ns"},
};

static void check_answer(struct fixture *f, const struct answer_row *row)
{
    for (size_t i = 0; i < 3 && row->statuses[i] != 0; i++) {
        receiver_plan(&f->receiver, row->statuses[i], NULL, i == 0 ? row->body : NULL);
    }
    deliver(f, row->options, str_of(row->database));
    assert_requests(f, row->requests);
    assert_int_equal(f->out.rest, row->want);
    assert_int_equal(f->out.settled, row->settled);
    assert_int_equal(f->out.except.list.len, row->rejected);
    assert_int_equal(f->out.dropped, row->dropped);
    if (row->error != NULL && strstr(f->out.err.message, row->error) == NULL) {
        fail_msg("'%s' does not say '%s'", f->out.err.message, row->error);
    }
}

static void test_influxdb_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(answer_rows); i++) {
        void *f = NULL;
        (void)setup(&f);
        check_answer(f, &answer_rows[i]);
        (void)teardown(&f);
    }
}

static void test_why_it_could_not_be_mended(void **state)
{
    struct fixture *f = *state;

    receiver_plan(&f->receiver, 404, NULL, NO_DATABASE);
    receiver_plan(&f->receiver, 403, NULL, NULL);
    deliver(f, "database: d\n", STR(""));
    if (strstr(f->out.err.context, "was answered 403") == NULL) {
        fail_msg("context is '%s'", f->out.err.context);
    }
}

static void test_token(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_SMALL);

    deliver(f, "org: o\nbucket: b\ntoken: s3cret\n", STR(""));
    receiver_head(&f->receiver, 0, &head);
    assert_true(str_eq(http_peer_header(&head, "Authorization"), STR("Token s3cret")));
    assert_true(str_eq(http_peer_header(&head, "Content-Encoding"), STR("gzip")));
}

/* ---- configs that a table of options cannot judge ---- */

static const struct {
    const char *yaml;
    unsigned line;
    unsigned column;
    const char *message;
} config_rows[] = {
    {"type: influxdb\nurl: http://h\ndatabase: d\nbucket: b\n", 1, 1, "keep one pair"},
    {"type: datadog\nsite: datadoghq.eu\n", 1, 1, "Datadog needs a key"},
    {"type: newrelic\naccount_id: '1'\n", 1, 1, "New Relic needs a key"},
    {"type: newrelic\nlicense_key: k\nevent_types: {ProfileMetrics: {}}\n", 3, 14, "'account_id'"},
    {"type: newrelic\nlicense_key: k\nevent_types: {Other: {}}\n", 3, 15, "no event type"},
    {"type: newrelic\nlicense_key: k\naccount_id: '1'\n"
     "event_types: {ProfileTrace: {attributes: x}}\n",
     4, 42, "a list of fields"},
    {"type: datadog\napi_key: k\nsite: app.datadoghq.eu\n", 3, 7, "the name behind 'app.'"},
    {"type: datadog\napi_key: k\ngzip: false\ncompression: zstd1\n", 4, 1, "nothing is compressed"},
    {"type: datadog\napi_key: k\ncompression: zstd\n", 3, 14, "zstd1"},
    {"type: datadog\napi_key: k\ntraces_via: otlp\ntrace_agent: {url: http://a}\n", 4, 1,
     "keep one"},
    {"type: datadog\napi_key: k\notlp_source: acme\n", 3, 1, "nothing is sent as OTLP"},
    {"type: datadog\napi_key: k\notlp_url: http://a\n", 3, 1, "nothing is sent as OTLP"},
    {"type: influxdb\nurl: http://h\ndatabase: d\ntoken: t\n", 4, 1, "add 'org' and 'bucket'"},
    {"type: influxdb\nurl: http://h\nbucket: b\nversion: 3\n", 4, 10, "have a 'database'"},
    {"type: influxdb\nurl: http://h\ndatabase: d\nretention_policy: r\nversion: 3\n", 5, 10,
     "in 3 a database has one"},
    {"type: file\noutput_directory: o\nfile_format: xml\n", 3, 14, "parquet"},
    {"type: file\noutput_directory: o\ncompression: snappy\n", 3, 14, "pages of Parquet"},
    {"type: file\noutput_directory: o\nrotation_policy: none\ncompression: gzip\n", 3, 18,
     "grows for ever"},
    {"type: file\noutput_directory: o\nfilename_template: 'x-{time}'\n", 3, 20, "not known"},
    {"type: file\noutput_directory: o\nserializer: x\n", 3, 13, "is a map"},
    {"type: file\noutput_directory: o\nserializer: {a: '{{ oops }}'}\n", 3, 21, "unknown function"},
    {"type: file\noutput_directory: o\nfilename: a/b\n", 3, 11, "not the name of a file"},
    {"type: file\noutput_directory: o\nfilename: ..\n", 3, 11, "not the name of a file"},
    {"type: file\n", 1, 1, "output_directory"},
    {"type: webhook\n", 1, 1, "url"},
    {"type: webhook\nurl: http://h\nmethod: GET\n", 3, 9, "POST"},
    {"type: remote_write\nurl: h:80\n", 2, 6, "url"},
    {"type: postgresql\nconnection_string: http://h/d\n", 2, 20, "not a connection string"},
    {"type: postgresql\nconnection_string: postgresql://h/d\nbuffer: {lanes: 8}\n", 1, 1,
     "8 lanes need 16 connections"},
    {"type: postgresql\nconnection_string: postgresql://h/d\ncolumn_mapping: {a: time}\n", 3, 21,
     "two columns would be called 'time'"},
    {"type: postgresql\nconnection_string: postgresql://h/d\ntable_name: a.\n", 3, 13,
     "cannot be the name"},
    {"type: sqlite\npath: x.db\ntable_name: a.b\n", 1, 1, "SQLite has none"},
    {"type: alertmanager\nurl: http://h\nresend_delay: -1s\n", 3, 15, "resend_delay"},
    {"type: alertmanager\n", 1, 1, "no targets"},
    {"type: alertmanager\nurl: http://h\nrelabel_configs: [{action: x}]\n", 3, 28,
     "unknown relabel action"},
    {"type: alertmanager\nurl: http://h\napi_version: v1\n", 3, 14, "v2"},
    {"type: alertmanager\ndns_sd_configs: [{names: [a], type: A}]\n", 2, 18, "no port"},
};

static void test_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(config_rows); i++) {
        struct export_kit kit;
        assert_false(export_kit_start(&kit, config_rows[i].yaml));
        if (kit.err.pos.line != config_rows[i].line ||
            kit.err.pos.column != config_rows[i].column ||
            strstr(kit.err.message, config_rows[i].message) == NULL) {
            fail_msg("row %zu: %u:%u: %s", i, kit.err.pos.line, kit.err.pos.column,
                     kit.err.message);
        }
        export_kit_stop(&kit);
    }
}

/* Each kind's example is a config of that kind; kinds are listed by name. */
static void test_kinds(void **state)
{
    (void)state;
    for (size_t i = 0; exporter_kinds[i] != NULL; i++) {
        const struct exporter_kind *kind = exporter_kinds[i];
        struct export_kit kit;
        assert_true(i == 0 || strcmp(exporter_kinds[i - 1]->name, kind->name) < 0);
        assert_ptr_equal(exporter_kind_find(str_of(kind->name)), kind);
        if (!export_kit_start(&kit, kind->example)) {
            fail_msg("%s: %s", kind->name, kit.err.message);
        }
        assert_ptr_equal(kit.kind, kind);
        bool is_leaf = kind->combinator == COMBINATOR_NONE && kind->stage == NULL;
        assert_true(is_leaf == ((kind->open != NULL) != (kind->level != NULL)));
        export_kit_stop(&kit);
    }
    assert_null(exporter_kind_find(STR("nothing")));
    assert_string_equal(exporter_kind_nearest(STR("webhok")), "webhook");
    assert_null(exporter_kind_nearest(STR("nothing")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_influxdb_answers),
        cmocka_unit_test_setup_teardown(test_why_it_could_not_be_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_token, setup, teardown),
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
