/*
 * The cases of the public suite for the JSON format, by their names there (10 + 25 events, 5 + 3
 * batches), the four scenarios of the HTTP binding, and what they do not look at. Where the suite itself
 * lies in the shared data it is run as well. Texts have ' for ".
 */
#include "wire/cloudevent.h"

#include "fake/shared_data.h"
#include "wire/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct arena arena;

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* ' becomes ", in the test's arena. */
static struct str quoted(const char *text)
{
    char *copy = arena_text(&arena, str_of(text));

    for (char *at = copy; *at != '\0'; at++) {
        *at = (char)(*at == '\'' ? '"' : *at);
    }
    return str_of(copy);
}

#define BASE(ID) "'specversion':'1.0','id':'" ID "','type':'t','source':'https://cloudevents.io'"
#define CORE ",'datacontenttype':'text/plain','dataschema':'https://x.io/s','subject':'tests'"
#define TIME "'2018-04-05T17:31:00Z'"
#define ALL_TYPES                                                                    \
    ",'extinteger':10,'extboolean':true,'extstring':'text','exturi':'https://x.io'," \
    "'exturiref':'//authority/path','exttimestamp':'2023-03-31T15:12:00Z','extbinary':'TWE='"

/* ---- one event ---- */

static const struct {
    const char *name;
    const char *json;
    const char *again; /* as it is written */
} valid[] = {
    {"validMinimal", "{" BASE("minimal") "}", "{" BASE("minimal") "}"},
    {"validMinimalWithNullForOptional",
     "{" BASE("minimal") ",'datacontenttype':null,'dataschema':null,'subject':null,'time':null}",
     "{" BASE("minimal") "}"},
    {"validAllCoreAttributes", "{" BASE("a") CORE ",'time':" TIME "}",
     "{" BASE(
         "a") ",'time':" TIME
              ",'subject':'tests','datacontenttype':'text/plain','dataschema':'https://x.io/s'}"},
    {"validMinimalWithTimeUtc", "{" BASE("t") ",'time':" TIME "}",
     "{" BASE("t") ",'time':" TIME "}"},
    {"validMinimalWithTimeToNanosecondsUtc",
     "{" BASE("t") ",'time':'2018-04-05T17:31:00.000000000Z'}", "{" BASE("t") ",'time':" TIME "}"},
    {"validMinimalWithTimeUsingPositiveOffset",
     "{" BASE("t") ",'time':'2018-04-05T18:31:00+01:00'}", "{" BASE("t") ",'time':" TIME "}"},
    {"validMinimalWithTimeUsingNegativeOffset",
     "{" BASE("t") ",'time':'2018-04-05T16:31:00-01:00'}", "{" BASE("t") ",'time':" TIME "}"},
    {"validRelativeSource", "{'id':'r','specversion':'1.0','type':'t','source':'#fragment'}",
     "{'specversion':'1.0','id':'r','source':'#fragment','type':'t'}"},
    {"validSimpleTextData", "{" BASE("s") ",'datacontenttype':'text/plain','data':'Simple text'}",
     "{" BASE("s") ",'datacontenttype':'text/plain','data':'Simple text'}"},
    {"validAllExtensionTypes", "{" BASE("x") ALL_TYPES "}", "{" BASE("x") ALL_TYPES "}"},
    /* and ours */
    {"data are any JSON", "{'data':{'a':[1,\n null]}," BASE("d") "}",
     "{" BASE("d") ",'data':{'a':[1,  null]}}"},
    {"a string stays JSON", "{" BASE("d") ",'data':'{}'}", "{" BASE("d") ",'data':'{}'}"},
    {"the type may come behind", "{'data':'x'," BASE("d") ",'datacontenttype':'text/csv'}",
     "{" BASE("d") ",'datacontenttype':'text/csv','data':'x'}"},
    {"bytes", "{" BASE("d") ",'data_base64':'AP8='}", "{" BASE("d") ",'data_base64':'AP8='}"},
    {"no data", "{" BASE("d") ",'data':null,'data_base64':null}", "{" BASE("d") "}"},
    {"the least integer", "{" BASE("d") ",'n':-2147483648,'b':false}",
     "{" BASE("d") ",'n':-2147483648,'b':false}"},
};

/* BASE() has the order of the suite, we write source before type. */
static struct str in_our_order(struct str json)
{
    struct str theirs = STR("\"type\":\"t\",\"source\":\"https://cloudevents.io\"");
    struct str ours = STR("\"source\":\"https://cloudevents.io\",\"type\":\"t\"");
    size_t at = str_find(json, theirs);

    if (at == json.len) {
        return json;
    }
    return arena_printf(&arena, "%.*s%.*s%.*s", (int)at, json.ptr, STR_FMT(ours),
                        STR_FMT(str_slice(json, at + theirs.len, json.len)));
}

static void test_valid_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        struct event ev;
        struct err e = ERR_INIT;
        if (!cloudevent_read(quoted(valid[i].json), &arena, &ev, &e)) {
            fail_msg("%s: %s", valid[i].name, e.message);
        }
        cloudevent_write(&ev, &out);
        struct str expected = in_our_order(quoted(valid[i].again));
        if (!str_eq(buf_str(&out), expected)) {
            fail_msg("%s: %s", valid[i].name, buf_text(&out));
        }
    }
}

#define WITHOUT(REST) "{'id':'i','type':'t','source':'https://x.io'" REST "}"

static const struct {
    const char *name;
    const char *json;
    const char *says;
} invalid[] = {
    {"invalidNoSpecVersion", WITHOUT(""), "no 'specversion'"},
    {"invalidNoId", "{'specversion':'1.0','type':'t','source':'s'}", "no 'id'"},
    {"invalidNoType", "{'specversion':'1.0','id':'i','source':'s'}", "no 'type'"},
    {"invalidNoSource", "{'specversion':'1.0','id':'i','type':'t'}", "no 'source'"},
    {"invalidTimeGarbage", "{" BASE("i") ",'time':'lunchtime'}", "lunchtime"},
    {"invalidTimeToMinute", "{" BASE("i") ",'time':'2018-04-05T18:31Z'}", "18:31Z"},
    {"invalidTimeOffsetX", "{" BASE("i") ",'time':'2018-04-05T18:31:00X'}", "00X"},
    {"invalidTimeOffsetOutOfRange", "{" BASE("i") ",'time':'2018-04-05T18:31:00+25:00'}", "+25"},
    {"invalidTimeOffsetNonInteger", "{" BASE("i") ",'time':'2018-04-05T18:31:00+xx:00'}", "+xx"},
    {"invalidTimeOffsetHourOnly", "{" BASE("i") ",'time':'2018-04-05T18:31:00+05'}", "+05"},
    {"invalidEmptyId", "{'id':'','specversion':'1.0','type':'t','source':'s'}", "'id'"},
    {"invalidEmptyType", "{'id':'i','specversion':'1.0','type':'','source':'s'}", "'type'"},
    {"invalidEmptySource", "{'id':'i','specversion':'1.0','type':'t','source':''}", "'source'"},
    {"invalidEmptySpecVersion", WITHOUT(",'specversion':''"), "'specversion'"},
    {"invalidUnknownSpecVersion", WITHOUT(",'specversion':'0.9'"), "'0.9', expected 1.0"},
    {"invalidNonRfc2046DataContentType", "{" BASE("i") ",'datacontenttype':'xyz'}", "media type"},
    {"invalidEmptyDataContentType", "{" BASE("i") ",'datacontenttype':''}", "is empty"},
    {"invalidEmptyDataSchema", "{" BASE("i") ",'dataschema':''}", "is empty"},
    {"invalidEmptySubject", "{" BASE("i") ",'subject':''}", "is empty"},
    {"invalidNumericId", "{'id':25,'specversion':'1.0','type':'t','source':'s'}", "string"},
    {"invalidObjectId", "{'id':{'a':'b'},'specversion':'1.0','type':'t','source':'s'}", "string"},
    {"invalidCapitalizedExtension", "{" BASE("i") ",'MyExtension':'bad'}", "MyExtension"},
    {"invalidPunctuatedExtension", "{" BASE("i") ",'my.extension':'bad'}", "my.extension"},
    {"invalidNonIntegerExtensionValue", "{" BASE("i") ",'my.extension':1.5}", "1.5"},
    {"invalidBothDataAndDataBase64", "{" BASE("i") ",'data':'text','data_base64':'eyA='}", "both"},
    /* and ours */
    {"a fraction", "{" BASE("i") ",'good':1.5}", "integers of 32 bits"},
    {"too large", "{" BASE("i") ",'good':2147483648}", "integers of 32 bits"},
    {"an object", "{" BASE("i") ",'good':{}}", "object"},
    {"twice", "{" BASE("i") ",'id':'j'}", "'id' twice"},
    {"an extension twice", "{" BASE("i") ",'a':'b','a':'b'}", "'a' twice"},
    {"data twice", "{" BASE("i") ",'data':1,'data':2}", "twice"},
    {"no base64", "{" BASE("i") ",'data_base64':'?'}", "base64"},
    {"a relative schema", "{" BASE("i") ",'dataschema':'/x'}", "absolute"},
    {"a control character", "{" BASE("i") ",'good':'a\\u0007'}", "control"},
    {"no character", "{" BASE("i") ",'good':'a\\uFFFE'}", "control"},
    {"a space in a source", "{'id':'i','specversion':'1.0','type':'t','source':'a b'}", "URI"},
    {"something behind", "{" BASE("i") "} x", "expected"},
    {"no object", "[]", "object"},
};

static void test_invalid_events(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        struct event ev;
        struct err e = ERR_INIT;
        AUTO(buf_release) struct buf said = BUF_INIT(BUF_UNLIMITED);
        if (cloudevent_read(quoted(invalid[i].json), &arena, &ev, &e)) {
            fail_msg("%s was taken", invalid[i].name);
        }
        buf_addf(&said, "%s: %s", e.context, e.message);
        if (str_find(buf_str(&said), str_of(invalid[i].says)) == said.len) {
            fail_msg("%s: %s", invalid[i].name, buf_text(&said));
        }
    }
}

/* ---- batches ---- */

static const struct {
    const char *name;
    const char *json;
    int count; /* -1: refused */
} batches[] = {
    {"validBatchEmpty", "[]", 0},
    {"validBatchMinimal", "[{" BASE("minimal") "}]", 1},
    {"validBatchMinimal2", "[{" BASE("minimal") "},{" BASE("minimal") "}]", 2},
    {"validBatchMinimalAndAllCore", "[{" BASE("m") "},{" BASE("a") CORE ",'time':" TIME "}]", 2},
    {"validBatchMinimalAndAllExtensionTypes", "[{" BASE("m") "},{" BASE("a") ALL_TYPES "}]", 2},
    {"invalidBatchMixedSpecVersions", "[{" BASE("m") "}," WITHOUT(",'specversion':'0.9'") "]", -1},
    {"invalidBatchContainingInvalidCloudEvent", "[{'specversion':'1.0','type':'t'}]", -1},
    {"invalidBatchContainingNonObject", "['not an object',{" BASE("m") "}]", -1},
};

static void test_batches(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
        struct events events;
        struct err e = ERR_INIT;
        bool ok = cloudevents_read(quoted(batches[i].json), &arena, &events, &e);
        if (ok != (batches[i].count >= 0) || (ok && (int)events.count != batches[i].count)) {
            fail_msg("%s: %s", batches[i].name, e.message);
        }
    }
}

/* The suite has 10 + 25 events and 5 + 3 batches: format/json of cloudevents/conformance, c5bcce28. */
static void test_all_of_the_suite(void **state)
{
    static const char *const starts[] = {"valid", "invalid"};
    unsigned events[] = {0, 0};
    unsigned both[] = {0, 0};

    (void)state;
    for (size_t k = 0; k < ARRAY_LEN(starts); k++) {
        for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
            events[k] += str_starts(str_of(valid[i].name), str_of(starts[k]));
        }
        for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
            events[k] += str_starts(str_of(invalid[i].name), str_of(starts[k]));
        }
        for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
            both[k] += str_starts(str_of(batches[i].name), str_of(starts[k]));
        }
    }
    assert_int_equal(events[0], 10);
    assert_int_equal(events[1], 25);
    assert_int_equal(both[0], 5);
    assert_int_equal(both[1], 3);
}

/* ---- the suite itself ---- */

static bool is_taken(const char *text, const struct json_node *test, bool is_batch, struct err *e)
{
    const struct json_node *in = json_get(test, is_batch ? STR("batch") : STR("event"));
    struct err ignored = ERR_INIT;
    struct json_reader r;
    struct str raw;
    struct event ev;
    struct events events;

    assert_non_null(in);
    json_read_init(&r, str_of(text + in->offset), &arena, &ignored);
    assert_true(json_take_raw(&r, &raw));
    return is_batch ? cloudevents_read(raw, &arena, &events, e)
                    : cloudevent_read(raw, &arena, &ev, e);
}

static unsigned run_file(const char *name, bool is_valid, bool is_batch)
{
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct json_node *root = NULL;
    struct err e = ERR_INIT;
    unsigned count = 0;

    buf_addf(&path, "cloudevents/format/json/%s.json", name);
    if (!shared_data_read(buf_text(&path), &text)) {
        return 0;
    }
    assert_true(json_parse(buf_str(&text), &arena, &root, &e));
    const struct json_node *tests = json_get(root, STR("tests"));
    assert_non_null(tests);
    for (const struct json_node *t = tests->first; t != NULL; t = t->next, count++) {
        struct err why = ERR_INIT;
        if (is_taken(buf_text(&text), t, is_batch, &why) != is_valid) {
            fail_msg("%.*s: %s", STR_FMT(json_get_str(t, STR("id"))), why.message);
        }
    }
    return count;
}

static void test_suite(void **state)
{
    (void)state;
    unsigned count = run_file("valid-events", true, false);
    count += run_file("invalid-events", false, false);
    count += run_file("valid-batches", true, true);
    count += run_file("invalid-batches", false, true);
    if (count == 0) {
        skip();
    }
    print_message("%u cases of the suite\n", count);
}

/* ---- HTTP ---- */

#define HELLO "{\n    'message': 'Hello World!'\n}"
#define STRUCTURED                                                                       \
    "{'specversion':'1.0','type':'com.example.someevent','time':'2018-04-05T03:56:24Z'," \
    "'id':'1234-1234-1234','source':'/mycontext/subcontext','datacontenttype':"          \
    "'application/json','data':" HELLO "}"

/* Under the names of the suite's features/http-protocol-binding.feature; tests/unit/receive has them over HTTP. */
static const struct {
    const char *name;
    const char *type;
    const char *body;
    const char *data_type;
} scenarios[] = {
    {"Binary content mode (application/json)", "application/json", HELLO, "application/json"},
    {"Binary content mode (application/json; charset=utf-8)", "application/json; charset=utf-8",
     HELLO, "application/json; charset=utf-8"},
    {"Structured content mode (application/cloudevents+json)", "application/cloudevents+json",
     STRUCTURED, "application/json"},
    {"Structured content mode (application/cloudevents+json; charset=utf-8)",
     "application/cloudevents+json; charset=utf-8", STRUCTURED, "application/json"},
};

static const struct cloudevent_header binary_headers[] = {
    {STR_INIT("Host"), STR_INIT("example.com")},
    {STR_INIT("Ce-SpecVersion"), STR_INIT("1.0")},
    {STR_INIT("ce-type"), STR_INIT("com.example.someevent")},
    {STR_INIT("ce-time"), STR_INIT("2018-04-05T03:56:24Z")},
    {STR_INIT("CE-ID"), STR_INIT("1234-1234-1234")},
    {STR_INIT("ce-source"), STR_INIT("/mycontext/subcontext")},
};

static void assert_attribute(const struct event *ev, const char *name, const char *value)
{
    struct str found = event_attribute(ev, str_of(name), &arena);

    if (!str_eq(found, str_of(value))) {
        fail_msg("%s is '%.*s', expected '%s'", name, STR_FMT(found), value);
    }
}

static void test_http_scenarios(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
        const struct cloudevent_message m = {.content_type = str_of(scenarios[i].type),
                                             .headers = binary_headers,
                                             .header_count = ARRAY_LEN(binary_headers),
                                             .body = quoted(scenarios[i].body)};
        struct events events;
        struct err e = ERR_INIT;
        if (!cloudevents_read_message(&m, &arena, &events, &e)) {
            fail_msg("%s: %s", scenarios[i].name, e.message);
        }
        assert_int_equal(events.count, 1);
        const struct event *ev = &events.rows[0];
        assert_attribute(ev, "id", "1234-1234-1234");
        assert_attribute(ev, "specversion", "1.0");
        assert_attribute(ev, "type", "com.example.someevent");
        assert_attribute(ev, "source", "/mycontext/subcontext");
        assert_attribute(ev, "time", "2018-04-05T03:56:24Z");
        assert_attribute(ev, "datacontenttype", scenarios[i].data_type);
        assert_int_equal(ev->form, EVENT_DATA_JSON);
        assert_true(str_eq(ev->data, quoted(HELLO)));
    }
}

static const struct {
    const char *type;
    enum cloudevent_mode mode;
} modes[] = {
    {"", CLOUDEVENT_BINARY},
    {"text/plain", CLOUDEVENT_BINARY},
    {"Application/CloudEvents+JSON;charset=utf-8", CLOUDEVENT_STRUCTURED},
    {"application/cloudevents", CLOUDEVENT_STRUCTURED},
    {"application/cloudevents-batch+json", CLOUDEVENT_BATCHED},
    {"application/cloudevents+avro", CLOUDEVENT_FOREIGN},
    {"application/cloudevents-batch+xml", CLOUDEVENT_FOREIGN},
};

static void test_modes(void **state)
{
    const struct cloudevent_message m = {.content_type = STR("application/cloudevents+avro"),
                                         .body = STR("{}")};
    struct events events;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        assert_int_equal(cloudevent_mode_of(str_of(modes[i].type)), modes[i].mode);
    }
    assert_false(cloudevents_read_message(&m, &arena, &events, &e));
    assert_int_equal(e.code, ERR_CONFIG);
}

/* What the event says in headers and back is the same event. */
static void test_binary_and_back(void **state)
{
    struct cloudevent_header headers[12];
    struct event ev;
    struct events again;
    struct err e = ERR_INIT;
    size_t count = 0;

    (void)state;
    assert_true(cloudevent_read(
        quoted("{" BASE("caf\xC3\xA9 1%") ",'subject':'a\\\\b\\'c','n':7,'flag':true,'time':" TIME
                                          ",'datacontenttype':'text/plain','data':'x'}"),
        &arena, &ev, &e));
    assert_true(cloudevent_headers(&ev, &arena, headers, ARRAY_LEN(headers), &count, &e));
    assert_int_equal(count, 8);
    assert_true(str_eq(headers[1].name, STR("ce-id")));
    assert_true(str_eq(headers[1].value, STR("caf%C3%A9%201%25")));
    const struct cloudevent_message m = {cloudevent_body_type(&ev), headers, count, ev.data};
    assert_true(cloudevents_read_message(&m, &arena, &again, &e));
    assert_attribute(&again.rows[0], "id", "caf\xC3\xA9 1%");
    assert_attribute(&again.rows[0], "subject", "a\\b\"c");
    assert_attribute(&again.rows[0], "n", "7");
    assert_attribute(&again.rows[0], "flag", "true");
    assert_int_equal(again.rows[0].form, EVENT_DATA_TEXT);
    assert_int_equal(again.rows[0].time_ns, ev.time_ns);
    assert_false(cloudevent_headers(&ev, &arena, headers, 3, &count, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static const struct {
    const char *header;
    const char *value; /* NULL: refused */
    bool is_ours;      /* it is what we write */
} values[] = {
    {"simple", "simple", true},
    {"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro \xE2\x82\xAC \xF0\x9F\x98\x80", true},
    {"space%20encoded", "space encoded", true},
    {"percent%25encoded", "percent%encoded", true},
    {"quote%22encoded", "quote\"encoded", true},
    {"caf%C3%A9", "caf\xC3\xA9", true},
    {"line1%0D%0Aline2", "line1\r\nline2", true},
    {"lenient %30%31", "lenient 01", false},
    {"\"  quoted  text  \"unquoted", "  quoted  text  unquoted", false},
    {"\"escaped quote\\\"end\"", "escaped quote\"end", false},
    {"\"escaped \\\\end\"", "escaped \\end", false},
    {"backslash\\end", "backslash\\end", false},
    {"Euro%20%e2%82%ac", "Euro \xE2\x82\xAC", false},
    {"%", NULL, false},
    {"%0", NULL, false},
    {"%g0", NULL, false},
    {"%0g", NULL, false},
    {"%0$", NULL, false},
    {"low surrogate %ED%B0%80", NULL, false},
    {"high surrogate %ED%A0%80", NULL, false},
    {"both %ED%A0%80%ED%B0%80", NULL, false},
    {"overlong %C0%A0", NULL, false},
    {"incomplete %E2", NULL, false},
    {"incomplete %E2%", NULL, false},
    {"incomplete %E2x", NULL, false},
    {"first byte %82", NULL, false},
    {"second byte %E2%E2", NULL, false},
    {"\"unterminated quote", NULL, false},
    {"\"unterminated escape \\", NULL, false},
};

static void test_header_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        bool ok = cloudevent_parse_header(str_of(values[i].header), &out);
        if (ok != (values[i].value != NULL)) {
            fail_msg("%s", values[i].header);
        }
        if (ok) {
            assert_string_equal(buf_text(&out), values[i].value);
        } else {
            assert_int_equal(out.len, 0);
        }
        if (values[i].is_ours) {
            buf_clear(&out);
            cloudevent_print_header(str_of(values[i].value), &out);
            assert_string_equal(buf_text(&out), values[i].header);
        }
    }
}

/* Data that say they are JSON and are not travel as bytes. */
static void test_broken_json_is_bytes(void **state)
{
    const struct cloudevent_message m = {STR("application/json"), binary_headers,
                                         ARRAY_LEN(binary_headers), STR("{broken")};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct events events;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(cloudevents_read_message(&m, &arena, &events, &e));
    cloudevent_write(&events.rows[0], &out);
    assert_true(str_ends(buf_str(&out), STR(",\"data_base64\":\"e2Jyb2tlbg==\"}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_events),  cmocka_unit_test(test_invalid_events),
        cmocka_unit_test(test_batches),       cmocka_unit_test(test_all_of_the_suite),
        cmocka_unit_test(test_suite),         cmocka_unit_test(test_http_scenarios),
        cmocka_unit_test(test_modes),         cmocka_unit_test(test_binary_and_back),
        cmocka_unit_test(test_header_values), cmocka_unit_test(test_broken_json_is_bytes),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
