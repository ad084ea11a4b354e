/* CloudEvents: events as they came, consent before the first one, and what comes back as it was made. */
#include "export/exporter.h"

#include "export/http_sink.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/receiver.h"
#include "wire/cloudevent.h"
#include "wire/events.h"

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

static void open_exporter(struct fixture *f, const char *options)
{
    const struct exporter_place place = {.env = &f->http.env, .name = STR("events")};

    buf_addf(&f->text, "type: cloudevents\nurl: http://127.0.0.1:%u/e\n%s", f->receiver.peer.port,
             options);
    if (!export_kit_start(&f->kit, buf_text(&f->text)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
}

static void deliver(struct fixture *f, struct batch *b)
{
    struct wait wait = {clock_deadline_ms(clock_system(), HTTP_PEER_PATIENCE_MS), NULL};

    outcome_release(&f->out);
    outcome_init(&f->out);
    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

static struct batch *two_samples(void)
{
    static const struct kit_sample samples[] = {{"up,job=a", KIT_TIME_NS, 1},
                                                {"up,job=b", KIT_TIME_NS, 0}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};

    return kit_samples(NULL, &info, samples, 2);
}

static bool head_has(struct fixture *f, unsigned i, const char *text)
{
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);

    receiver_head(&f->receiver, i, &head);
    return str_find(buf_str(&head), str_of(text)) < head.len;
}

/* ---- consent ---- */

static void test_nothing_without_consent(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = two_samples();

    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 405, "WebHook-Allowed-Origin: t.io\r\n", NULL);
    receiver_plan(&f->receiver, 202, NULL, NULL);
    receiver_plan(&f->receiver, 410, NULL, NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    open_exporter(f, "webhook_origin: t.io\n");
    deliver(f, b);
    assert_int_equal(f->out.rest, VERDICT_HALT);
    assert_int_equal(receiver_count(&f->receiver), 1);
    assert_true(head_has(f, 0, "OPTIONS /e "));
    assert_true(head_has(f, 0, "WebHook-Request-Origin: t.io"));
    /* Consent is said by the header, whatever the status; 410 takes it back. */
    deliver(f, b);
    assert_int_equal(f->out.rest, VERDICT_HALT);
    assert_int_equal(f->out.settled, 1);
    assert_int_equal(receiver_count(&f->receiver), 4);
    assert_true(head_has(f, 2, "WebHook-Request-Origin: t.io"));
    deliver(f, b);
    assert_int_equal(receiver_count(&f->receiver), 5);
    assert_true(head_has(f, 4, "OPTIONS /e "));
}

static void test_the_rate_that_is_allowed(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = two_samples();

    receiver_plan(&f->receiver, 200, "WebHook-Allowed-Origin: *\r\nWebHook-Allowed-Rate: 6\r\n",
                  NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    open_exporter(f, "webhook_origin: t.io\nwebhook_rate: 60\n");
    deliver(f, b);
    assert_true(head_has(f, 0, "WebHook-Request-Rate: 60"));
    assert_int_equal(f->out.settled, 1);
    assert_int_equal(f->out.rest, VERDICT_RETRY);
    assert_true(f->out.held_back);
    assert_in_range(f->out.retry_after_ms, 9000, 10001);
    deliver(f, b);
    assert_int_equal(f->out.settled, 0);
    assert_true(f->out.held_back);
    assert_int_equal(receiver_count(&f->receiver), 2);
}

/* ---- events ---- */

static struct batch *one_event(struct str content_type)
{
    static const struct event_extension extensions[] = {
        {.name = STR_INIT("n"), .type = EVENT_INTEGER, .integer = 7, .text = STR_INIT("")}};
    const struct batch_info info = {.kind = RECORD_EVENT};
    struct batch *b = batch_new(&codec_events, &info);
    struct event *row = arena_new(batch_arena(b), struct event);

    *row = (struct event){.id = STR("caf\xC3\xA9"),
                          .source = STR("/other"),
                          .type = STR("t"),
                          .subject = STR(""),
                          .content_type = content_type,
                          .schema = STR(""),
                          .extensions = extensions,
                          .extension_count = 1,
                          .form = EVENT_DATA_BYTES,
                          .data = STR("\x01\x02")};
    batch_set_events(b, (struct events){row, 1});
    return b;
}

static void test_events_are_what_they_are(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = one_event(STR("image/png"));
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);

    receiver_plan(&f->receiver, 200, NULL, NULL);
    open_exporter(f, "mode: binary\n");
    deliver(f, b);
    assert_int_equal(f->out.settled, 1);
    assert_true(head_has(f, 0, "ce-id: caf%C3%A9\r\n"));
    assert_true(head_has(f, 0, "ce-source: /other\r\n"));
    assert_true(head_has(f, 0, "ce-n: 7\r\n"));
    assert_true(head_has(f, 0, "Content-Type: image/png\r\n"));
    receiver_body(&f->receiver, 0, &body);
    assert_true(str_eq(buf_str(&body), STR("\x01\x02")));
}

/* Data of such a type would be taken for the event itself. */
static void test_an_event_about_an_event(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = one_event(STR("application/cloudevents+json"));

    receiver_plan(&f->receiver, 200, NULL, NULL);
    open_exporter(f, "mode: binary\n");
    deliver(f, b);
    assert_int_equal(f->out.settled, 1);
    assert_true(head_has(f, 0, "Content-Type: " CLOUDEVENT_TYPE));
    assert_false(head_has(f, 0, "ce-id"));
}

/* 413 halves an array; a single event that is too large is rejected. */
static void test_too_large(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = two_samples();

    receiver_plan(&f->receiver, 413, NULL, NULL);
    receiver_plan(&f->receiver, 200, NULL, NULL);
    receiver_plan(&f->receiver, 413, NULL, NULL);
    open_exporter(f, "mode: batched\n");
    deliver(f, b);
    assert_int_equal(f->out.settled, 2);
    assert_int_equal(f->out.except.list.len, 1);
    assert_int_equal(f->out.except.list.items[0].index, 1);
}

static void test_retry_after(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = two_samples();

    receiver_plan(&f->receiver, 429, "Retry-After: 7\r\n", NULL);
    open_exporter(f, "");
    deliver(f, b);
    assert_int_equal(f->out.rest, VERDICT_RETRY);
    assert_int_equal(f->out.retry_after_ms, 7000);
}

/* ---- validation ---- */

static bool is_valid(struct fixture *f, const struct sent_rows *sent, struct str body)
{
    struct err e = ERR_INIT;

    return f->kit.kind->http->validate(f->kit.config, sent, body, &e);
}

static void test_damage_is_seen(void **state)
{
    struct fixture *f = *state;
    AUTO(batch_autounref) struct batch *b = two_samples();
    struct arena a;
    struct outcome out;
    struct err e = ERR_INIT;
    uint32_t row = 0;

    arena_init(&a, ARENA_UNLIMITED);
    outcome_init(&out);
    open_exporter(f, "mode: batched\n");
    struct export_request req = {.arena = &a, .body = BUF_INIT(BUF_UNLIMITED)};
    assert_true(f->kit.kind->http->next_request(f->kit.config, view_all(b), &row, &req, &out, &e));
    assert_int_equal(row, 2);
    const struct sent_rows all = {view_all(b), 0, 2, 0};
    const struct sent_rows less = {view_all(b), 0, 1, 0};
    assert_true(is_valid(f, &all, buf_str(&req.body)));
    assert_false(is_valid(f, &less, buf_str(&req.body)));
    assert_false(is_valid(f, &all, STR("[]")));
    char *name = memchr(req.body.ptr, 'u', req.body.len);
    *name = 'U';
    assert_false(is_valid(f, &all, buf_str(&req.body)));
    buf_release(&req.body);
    outcome_release(&out);
    arena_release(&a);
}

/* ---- configs ---- */

static const struct {
    const char *options;
    const char *says;
} configs[] = {
    {"extensions: {Cluster: a}\n", "Cluster"},
    {"extensions: {data: a}\n", "data"},
    {"extension_labels: {my_team: team}\n", "my_team"},
    {"source: 'a b'\n", "source"},
    {"source: ''\n", "source"},
    {"batch_size: 0\n", "batch_size"},
    {"mode: batch\n", "batched"},
};

static void test_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
        struct export_kit kit;
        buf_addf(&yaml, "type: cloudevents\nurl: http://h\n%s", configs[i].options);
        if (export_kit_start(&kit, buf_text(&yaml)) ||
            strstr(kit.err.message, configs[i].says) == NULL) {
            fail_msg("%s: %s", configs[i].options, kit.err.message);
        }
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_without_consent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_rate_that_is_allowed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events_are_what_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_event_about_an_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damage_is_seen, setup, teardown),
        cmocka_unit_test(test_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
