/* Messages of Kafka: JSON, and CloudEvents in both modes of the protocol binding. */
#include "export/exporters/kafka_message.h"

#include "base/mem.h"
#include "fake/export_kit.h"
#include "wire/cloudevent.h"
#include "wire/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define EVENT(more) \
    "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"" more "}"

static struct batch *one_event(const char *json)
{
    const struct batch_info info = {.kind = RECORD_EVENT};
    struct arena a;
    struct event ev;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    if (!cloudevent_read(str_of(json), &a, &ev, &e)) {
        fail_msg("%s: %s", json, e.message);
    }
    struct batch *b = batch_new(&codec_events, &info);
    struct event *row = arena_new(batch_arena(b), struct event);
    *row = event_copy(batch_arena(b), &ev);
    batch_set_events(b, (struct events){row, 1});
    arena_release(&a);
    return b;
}

/* topic|key|name=value|...|: value */
static void show_message(const char *yaml, struct batch *b, struct buf *out)
{
    struct export_kit kit;
    struct kafka_maker m = {0};
    struct kafka_message message;
    struct err e = ERR_INIT;

    buf_clear(out);
    if (!export_kit_start(&kit, yaml)) {
        fail_msg("%s", kit.err.message);
    }
    kafka_maker_init(&m, kit.config);
    assert_true(kafka_maker_begin(&m, view_all(b), &e));
    assert_int_equal(kafka_maker_count(&m, 0), 1);
    const char *why = kafka_maker_make(&m, 0, 0, &message);
    if (why != NULL) {
        buf_add_text(out, why);
    } else {
        buf_addf(out, "%.*s|%.*s|", STR_FMT(message.topic), STR_FMT(message.key));
        for (size_t i = 0; i < message.headers->count; i++) {
            buf_addf(out, "%.*s=%.*s|", STR_FMT(message.headers->items[i].name),
                     STR_FMT(message.headers->items[i].value));
        }
        buf_addf(out, ": %.*s", STR_FMT(message.value.ptr != NULL ? message.value : STR("null")));
    }
    kafka_maker_end(&m);
    kafka_maker_release(&m);
    export_kit_stop(&kit);
}

#define KAFKA "type: kafka\nbrokers: [ a ]\n"
#define STRUCTURED KAFKA "format: cloudevents\n"
#define BINARY STRUCTURED "mode: binary\n"
#define CE "ce_specversion=1.0|ce_id=1|ce_source=/s|ce_type=t|"

static const struct {
    const char *yaml;
    const char *event;
    const char *message;
} cases[] = {
    {STRUCTURED, EVENT(",\"data\":{\"a\":1}"),
     "telex-event|1|content-type=application/cloudevents+json; charset=UTF-8|: "
     "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"data\":{\"a\":1}}"},
    {STRUCTURED "headers: { team: x }\n", EVENT(",\"partitionkey\":\"k\""),
     "telex-event|k|content-type=application/cloudevents+json; charset=UTF-8|team=x|: "
     "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"partitionkey\":\"k\"}"},
    {BINARY, EVENT(",\"data\":{\"a\":1}"),
     "telex-event|1|" CE "content-type=application/json|: {\"a\":1}"},
    {BINARY "headers: { team: x }\n",
     EVENT(
         ",\"subject\":\"\xc3\xa4 %\",\"time\":\"2024-01-15T10:30:00Z\",\"partitionkey\":\"k\",\"n\":5,"
         "\"datacontenttype\":\"text/plain\",\"data\":\"hello\""),
     "telex-event|k|ce_specversion=1.0|ce_id=1|ce_source=/s|ce_type=t|ce_time=2024-01-15T10:30:00Z|"
     "ce_subject=\xc3\xa4 %|ce_partitionkey=k|ce_n=5|content-type=text/plain|team=x|: hello"},
    {BINARY, EVENT(",\"datacontenttype\":\"image/png\",\"data_base64\":\"AQI=\""),
     "telex-event|1|" CE "content-type=image/png|: \x01\x02"},
    {BINARY, EVENT(""), "telex-event|1|" CE ": null"},
    {BINARY, EVENT(",\"datacontenttype\":\"text/plain\",\"data\":\"\""),
     "telex-event|1|" CE "content-type=text/plain|: "},
    /* Data that are an event: binary they would be taken for it. */
    {BINARY, EVENT(",\"datacontenttype\":\"application/cloudevents+json\",\"data\":{}"),
     "telex-event|1|content-type=application/cloudevents+json; charset=UTF-8|: "
     "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\",\"datacontenttype\":"
     "\"application/cloudevents+json\",\"data\":{}}"},
    {BINARY "key: '{name}'\ntopic: x\n", EVENT(",\"partitionkey\":\"k\""),
     "x|t|" CE "ce_partitionkey=k|: null"},
    {BINARY "key: none\n", EVENT(",\"partitionkey\":\"k\""),
     "telex-event||" CE "ce_partitionkey=k|: null"},
};

static void events_follow_the_binding(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        AUTO(batch_autounref) struct batch *b = one_event(cases[i].event);
        show_message(cases[i].yaml, b, &out);
        assert_string_equal(buf_text(&out), cases[i].message);
    }
}

static void other_records_become_events(void **state)
{
    static const struct kit_sample rows[] = {{"up,job=a", KIT_TIME_NS, 1}};
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, rows, 1);

    (void)state;
    show_message(KAFKA, b, &out);
    assert_true(
        str_starts(buf_str(&out), STR("telex-sample|up{job=\"a\"}|: {\"kind\":\"sample\"")));
    show_message(BINARY "source: /here\nextensions: { stage: prod }\n", b, &out);
    struct str text = buf_str(&out);
    assert_true(str_starts(text, STR("telex-sample|")));
    struct str key = str_slice(text, strlen("telex-sample|"), 32);
    char header[64];
    (void)snprintf(header, sizeof(header), "|ce_partitionkey=%.*s|", STR_FMT(key));
    assert_non_null(strstr(buf_text(&out), header));
    assert_non_null(strstr(buf_text(&out), "|ce_source=/here|ce_type=dev.telex.sample|"));
    assert_non_null(strstr(buf_text(&out), "|ce_stage=prod|"));
    assert_non_null(
        strstr(buf_text(&out), "|content-type=application/json|: {\"kind\":\"sample\""));
}

static void too_many_attributes_are_refused(void **state)
{
    AUTO(buf_release) struct buf json = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);

    (void)state;
    buf_add_text(&json, "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"");
    for (int i = 0; i < 40; i++) {
        buf_addf(&json, ",\"x%d\":\"y\"", i);
    }
    buf_add_byte(&json, '}');
    AUTO(batch_autounref) struct batch *b = one_event(buf_text(&json));
    show_message(BINARY, b, &out);
    assert_string_equal(buf_text(&out),
                        "it has more attributes than a message has room for headers");
    show_message(STRUCTURED, b, &out);
    assert_true(str_starts(buf_str(&out), STR("telex-event|1|content-type=")));
}

static void headers_of_the_format_are_its_own(void **state)
{
    static const char *const wrong[] = {STRUCTURED "headers: { Content-Type: x }\n",
                                        BINARY "headers: { ce_id: x }\n"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct export_kit kit;
        assert_false(export_kit_start(&kit, wrong[i]));
        assert_non_null(strstr(kit.err.message, "is said by format: cloudevents itself"));
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_follow_the_binding),
        cmocka_unit_test(other_records_become_events),
        cmocka_unit_test(too_many_attributes_are_refused),
        cmocka_unit_test(headers_of_the_format_are_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
