/* Changes and the events that they become; health events in all their spellings. */
#include "events/transform.h"

#include "wire/cloudevent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct option_pair metadata_pairs[] = {
    {.name = {"cluster", 7}, .value = {"prod us/1", 9}},
    {.name = {"region", 6}, .value = {"us-west-2", 9}},
};
static const struct option_map metadata = {metadata_pairs, ARRAY_LEN(metadata_pairs)};

static const struct transform_options usual = {
    .shape = SHAPE_AUTO, .extensions = true, .max_event_bytes = 1000000};

#define META "\"metadata\":{\"cluster\":\"prod us/1\",\"region\":\"us-west-2\"}"

struct result {
    char text[4096]; /* of each event a line; "fault: WHY" */
    struct transform_counts counts;
    char lacking[256]; /* of the condition's fields, the last change */
    char odd_id[64];
};

static void note_fault(void *arg, const struct transform_fault *f)
{
    struct result *r = arg;

    (void)snprintf(r->text + strlen(r->text), sizeof(r->text) - strlen(r->text), "fault: %s|%.*s",
                   f->why.message, STR_FMT(f->bytes));
}

/* Takes the intake. */
static struct result transform(const struct transform_options *options, const char *match,
                               struct intake *in)
{
    static const struct option_map none = {0};
    struct transform_config config = {
        .options = options, .metadata = match == NULL || *match != '-' ? &metadata : &none};
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct condition *condition = NULL;
    struct transform *t = NULL;
    struct result r = {.text = ""};
    struct err e = ERR_INIT;

    if (match != NULL && *match != '-') {
        assert_true(condition_compile(str_of(match), &condition, &e));
    }
    config.match = condition;
    config.stream = STR("health");
    assert_true(transform_new(&config, &t, &e));
    transform_intake(t, in, &r.counts, note_fault, &r);
    (void)snprintf(r.odd_id, sizeof(r.odd_id), "%.*s", STR_FMT(r.counts.odd_id));
    AUTO(buf_release) struct buf lacking = BUF_INIT(BUF_SMALL);
    size_t n = in->changes.list.len;
    transform_add_lacking(t, &in->changes.list.items[n - 1], &in->changes.arena, &lacking);
    (void)snprintf(r.lacking, sizeof(r.lacking), "%s", buf_text(&lacking));
    const struct events *events = NULL;
    if (in->events != NULL) {
        assert_true(batch_events(in->events, &events, &e));
        for (uint32_t i = 0; i < events->count; i++) {
            cloudevent_write(&events->rows[i], &text);
        }
    }
    (void)snprintf(r.text + strlen(r.text), sizeof(r.text) - strlen(r.text), "%s", buf_text(&text));
    transform_free(t);
    condition_free(condition);
    intake_unref(in);
    return r;
}

static struct intake *document(const char *json)
{
    struct intake *in = intake_new();
    struct change *ch = changes_add(&in->changes);

    *ch = (struct change){.position = STR("p1"),
                          .id = STR("id-1"),
                          .sequence = STR("0001"),
                          .name = STR("health_events"),
                          .form = CHANGE_DOCUMENT,
                          .time_ns = INT64_C(1764239401000000000),
                          .document = str_of(json)};
    return in;
}

static struct intake *row(const struct change_column *columns, size_t count)
{
    struct intake *in = document("");
    struct change *ch = &in->changes.list.items[0];

    ch->form = CHANGE_ROW;
    ch->columns = columns;
    ch->column_count = count;
    ch->key = STR("k");
    return in;
}

#define COLUMN(n, t, v)                                                       \
    {                                                                         \
        .name = {n, sizeof(n) - 1}, .type = (t), .text = { v, sizeof(v) - 1 } \
    }

/* The seed's event, to the byte, with the attributes that put it in order behind it. */
static const char seed_record[] =
    "{\"version\":\"v1\",\"agent\":\"gpu-health-monitor\",\"componentClass\":\"GPU\","
    "\"checkName\":\"XIDError\",\"nodeName\":\"gpu-node-01\",\"message\":\"GPU XID error detected\","
    "\"isFatal\":true,\"isHealthy\":false,\"recommendedAction\":2,\"errorCode\":[\"XID_79\"],"
    "\"entitiesImpacted\":[{\"entityType\":\"GPU\",\"entityValue\":\"GPU-abc123\"}],"
    "\"generatedTimestamp\":\"2025-11-27T10:30:00Z\"}";

static const char seed_event_head[] =
    "{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":\"nvsentinel://prod%20us%2F1/healthevents\","
    "\"type\":\"com.nvidia.nvsentinel.health.v1\",\"time\":\"2025-11-27T10:30:00Z\"";
static const char seed_event_extensions[] =
    ",\"sequence\":\"0001\",\"partitionkey\":\"gpu-node-01\",\"recordedtime\":\"2025-11-27T10:30:01Z\"";

static void assert_seed(const struct result *r, const char *extensions)
{
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&want, "%s%s,\"data\":{" META ",\"healthEvent\":%s}}", seed_event_head, extensions,
             seed_record);
    assert_string_equal(r->text, buf_text(&want));
    assert_int_equal(r->counts.events, 1);
}

static void test_seed(void **state)
{
    static const char *const spellings[] = {
        "%s",
        /* as NVSentinel stores it: below healthevent, in small letters */
        "{\"_id\":\"x\",\"healthevent\":%s,\"healtheventstatus\":{\"a\":[]}}",
    };
    static const char *const records[] = {
        seed_record,
        "{\"version\":\"v1\",\"agent\":\"gpu-health-monitor\",\"componentclass\":\"GPU\","
        "\"checkname\":\"XIDError\",\"nodename\":\"gpu-node-01\",\"message\":\"GPU XID error detected\","
        "\"isfatal\":true,\"ishealthy\":0,\"recommendedaction\":\"COMPONENT_RESET\",\"errorcode\":\"XID_79\","
        "\"entitiesimpacted\":[{\"entitytype\":\"GPU\",\"entityvalue\":\"GPU-abc123\"}],"
        "\"generatedtimestamp\":{\"seconds\":{\"$numberLong\":\"1764239400\"},\"nanos\":0}}",
        "{\"version\":\"v1\",\"agent\":\"gpu-health-monitor\",\"component_class\":\"GPU\","
        "\"check_name\":\"XIDError\",\"node_name\":\"gpu-node-01\",\"message\":\"GPU XID error detected\","
        "\"is_fatal\":1,\"is_healthy\":false,\"recommended_action\":\"2\",\"error_code\":[\"XID_79\"],"
        "\"entities_impacted\":[{\"entity_type\":\"GPU\",\"entity_value\":\"GPU-abc123\"}],"
        "\"generated_timestamp\":{\"$date\":{\"$numberLong\":\"1764239400000\"}}}",
    };

    (void)state;
    for (size_t s = 0; s < ARRAY_LEN(spellings); s++) {
        for (size_t i = 0; i < ARRAY_LEN(records); i++) {
            AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
            const char *at = strstr(spellings[s], "%s");
            buf_addf(&text, "%.*s%s%s", (int)(at - spellings[s]), spellings[s], records[i], at + 2);
            struct result r = transform(&usual, NULL, document(buf_text(&text)));
            assert_seed(&r, seed_event_extensions);
        }
    }
    struct transform_options plain = usual;
    plain.extensions = false;
    struct result r = transform(&plain, NULL, document(seed_record));
    assert_seed(&r, "");
}

static void test_rows(void **state)
{
    const struct change_column whole[] = {
        COLUMN("id", COLUMN_NUMBER, "7"),
        {.name = STR("document"), .type = COLUMN_JSON, .text = str_of(seed_record)},
    };
    const struct change_column columns[] = {
        COLUMN("id", COLUMN_NUMBER, "7"),
        COLUMN("version", COLUMN_TEXT, "v1"),
        COLUMN("agent", COLUMN_TEXT, "gpu-health-monitor"),
        COLUMN("component_class", COLUMN_TEXT, "GPU"),
        COLUMN("check_name", COLUMN_TEXT, "XIDError"),
        COLUMN("node_name", COLUMN_TEXT, "gpu-node-01"),
        COLUMN("message", COLUMN_TEXT, "GPU XID error detected"),
        COLUMN("is_fatal", COLUMN_FLAG, "true"),
        COLUMN("is_healthy", COLUMN_FLAG, "false"),
        COLUMN("recommended_action", COLUMN_NUMBER, "2"),
        COLUMN("error_code", COLUMN_JSON, "[\"XID_79\"]"),
        COLUMN("entities_impacted", COLUMN_JSON,
               "[{\"entity_type\":\"GPU\",\"entity_value\":\"GPU-abc123\"}]"),
        COLUMN("generated_timestamp", COLUMN_TEXT, "2025-11-27T10:30:00Z"),
        COLUMN("note", COLUMN_UNSENT, ""),
    };
    static const char extensions[] =
        ",\"sequence\":\"0001\",\"partitionkey\":\"k\",\"recordedtime\":\"2025-11-27T10:30:01Z\"";

    (void)state;
    struct result r = transform(&usual, NULL, row(whole, ARRAY_LEN(whole)));
    assert_seed(&r, extensions);
    r = transform(&usual, NULL, row(columns, ARRAY_LEN(columns)));
    assert_seed(&r, extensions);
}

/* What is impacted, however it is written. */
static void test_entities(void **state)
{
    static const struct {
        const char *given;
        const char *want;
    } rows[] = {
        {"[]", "[]"},
        {"null", "[]"},
        {" [ {\"entity_type\" : \"G\\u0050U\", \"b\":[1, 2]} , 7 ]",
         "[{\"entityType\":\"G\\u0050U\",\"b\":[1, 2]},7]"},
        {"[{\"entityvalue\":{\"x\":null},\"EntityType\":\"a\"}]",
         "[{\"entityValue\":{\"x\":null},\"entityType\":\"a\"}]"},
        {"{\"entityType\":\"GPU\"}", "[{\"entityType\":\"GPU\"}]"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);
        const struct change_column columns[] = {
            COLUMN("node_name", COLUMN_TEXT, "a"),
            COLUMN("check_name", COLUMN_TEXT, "b"),
            {.name = STR("entities_impacted"),
             .type = COLUMN_JSON,
             .text = str_trim(str_of(rows[i].given))},
        };
        buf_addf(
            &want,
            "\"healthEvent\":{\"nodeName\":\"a\",\"checkName\":\"b\",\"entitiesImpacted\":%s}}",
            rows[i].want);
        struct result r = transform(&usual, NULL, row(columns, ARRAY_LEN(columns)));
        if (strstr(r.text, buf_text(&want)) == NULL) {
            fail_msg("%s: %s, not %s", rows[i].given, r.text, buf_text(&want));
        }
    }
}

/* Names come in any order, are spelt in any way, and the first of two is the one that counts. */
static void test_names(void **state)
{
    static const char *const documents[] = {
        "{\"nodeName\":\"a\",\"checkName\":\"b\",\"x\":1,\"agent\":\"c\"}",
        "{\"agent\":\"c\",\"x\":1,\"checkName\":\"b\",\"nodeName\":\"a\"}",
        "{\"x\":1,\"AGENT\":\"c\",\"check_name\":\"b\",\"NodeName\":\"a\",\"nodeName\":\"z\"}",
        "{\"checkName\":\"b\",\"nodeName\":\"\\u0061\",\"agent\":\"c\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
        struct result r = transform(&usual, NULL, document(documents[i]));
        assert_non_null(strstr(r.text, "\"partitionkey\":\"a\""));
        assert_non_null(strstr(r.text, "\"agent\":\"c\""));
        assert_non_null(strstr(r.text, "\"checkName\":\"b\""));
    }
}

/* What all events of a stream share is looked at with the first; it is wrong for each of them, and an id for itself. */
static void test_each_is_checked(void **state)
{
    struct transform_options broken = usual;
    struct intake *in = document(seed_record);
    const struct change first = in->changes.list.items[0];

    (void)state;
    for (int i = 0; i < 3; i++) {
        *changes_add(&in->changes) = first;
    }
    in->changes.list.items[2].id = STR("a\nb");
    struct result r = transform(&usual, NULL, in);
    assert_int_equal(r.counts.events, 3);
    assert_int_equal(r.counts.broken, 1);
    assert_non_null(strstr(r.text, "'id' of the event"));
    broken.source = STR("a b");
    in = document(seed_record);
    *changes_add(&in->changes) = in->changes.list.items[0];
    r = transform(&broken, NULL, in);
    assert_int_equal(r.counts.broken, 2);
}

static void test_plain(void **state)
{
    const struct change_column columns[] = {
        COLUMN("id", COLUMN_NUMBER, "7"),       COLUMN("name", COLUMN_TEXT, "a\"b"),
        COLUMN("gone", COLUMN_NULL, ""),        COLUMN("raw", COLUMN_BYTES, "\x01\x02"),
        COLUMN("big", COLUMN_UNSENT, ""),       COLUMN("doc", COLUMN_JSON, "{\"a\":[1, 2]}"),
        COLUMN("is_open", COLUMN_FLAG, "true"),
    };
    static const char head[] =
        "{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":\"telex://prod%20us%2F1/health\","
        "\"type\":\"dev.telex.change\",\"time\":\"2025-11-27T10:30:01Z\",\"subject\":\"health_events\","
        "\"sequence\":\"0001\",\"partitionkey\":\"k\",\"data\":{" META ",\"record\":";
    struct transform_options options = usual;
    char want[1024];

    (void)state;
    struct result r = transform(&usual, NULL, row(columns, ARRAY_LEN(columns)));
    (void)snprintf(
        want, sizeof(want),
        "%s{\"id\":7,\"name\":\"a\\\"b\",\"gone\":null,\"raw\":\"AQI=\",\"doc\":{\"a\":[1, "
        "2]},\"is_open\":true}}}",
        head);
    assert_string_equal(r.text, want);
    options.document_column = STR("doc");
    r = transform(&options, NULL, row(columns, ARRAY_LEN(columns)));
    (void)snprintf(want, sizeof(want), "%s{\"a\":[1, 2]}}}", head);
    assert_string_equal(r.text, want);
    options.shape = SHAPE_HEALTH;
    r = transform(&options, NULL, row(columns, ARRAY_LEN(columns)));
    assert_non_null(strstr(r.text, "fault: no health event: expected members nodeName"));
    assert_non_null(strstr(r.text, "|{\"id\":7,"));
    assert_int_equal(r.counts.broken, 1);
}

static void test_own_names(void **state)
{
    static const struct option_pair more[] = {{.name = {"team", 4}, .value = {"sre", 3}}};
    struct transform_options options = {.type = STR("com.example.x"),
                                        .source = STR("/here"),
                                        .subject = STR("{{ .record.a }}/{{ .table }}"),
                                        .name = STR("row"),
                                        .more = {more, 1}};

    (void)state;
    struct result r = transform(&options, NULL, document("{\"a\":1}"));
    assert_string_equal(
        r.text,
        "{\"specversion\":\"1.0\",\"id\":\"id-1\",\"source\":\"/here\",\"type\":"
        "\"com.example.x\",\"time\":\"2025-11-27T10:30:01Z\",\"subject\":\"1/health_events\","
        "\"team\":\"sre\",\"data\":{" META ",\"row\":{\"a\":1}}}");
}

/* An event that is one already goes as it is, unless it carries a health event. */
static void test_ready(void **state)
{
    const struct event ready = {.id = STR("e9"),
                                .source = STR("/them"),
                                .type = STR("t"),
                                .subject = STR(""),
                                .content_type = STR(""),
                                .schema = STR(""),
                                .form = EVENT_DATA_JSON,
                                .data = STR("{\"x\":1}")};
    struct event health = ready;
    struct intake *in = document("");

    (void)state;
    health.data = str_of(seed_record);
    in->changes.list.items[0].form = CHANGE_EVENT;
    in->changes.list.items[0].event = &ready;
    struct result r = transform(&usual, NULL, in);
    assert_string_equal(
        r.text, "{\"specversion\":\"1.0\",\"id\":\"e9\",\"source\":\"/them\",\"type\":\"t\","
                "\"data\":{\"x\":1}}");
    in = document("");
    in->changes.list.items[0].form = CHANGE_EVENT;
    in->changes.list.items[0].event = &health;
    r = transform(&usual, NULL, in);
    assert_non_null(strstr(r.text, "\"id\":\"e9\",\"source\":\"nvsentinel://prod"));
    assert_non_null(strstr(r.text, "\"healthEvent\":{\"version\""));
    in = document(""); /* whose key is its id, since it names none: the node keeps it in order */
    in->changes.list.items[0].form = CHANGE_EVENT;
    in->changes.list.items[0].event = &health;
    in->changes.list.items[0].key = health.id;
    r = transform(&usual, NULL, in);
    assert_non_null(strstr(r.text, "\"partitionkey\":\"gpu-node-01\""));
}

static void test_filter(void **state)
{
    static const struct {
        const char *match;
        bool holds;
        const char *lacking;
    } cases[] = {
        {"isFatal == true", true, ""},
        {"isFatl == true and nodename == 'a' or region == cluster", false, "isFatl, nodename"},
        {"isFatal == \"true\" and nodeName =~ \"gpu-.*\"", true, ""},
        {"isFatal == \"false\"", false, ""},
        {"recommendedAction > 1", true, ""},
        {"region == \"us-west-2\"", true, ""},
        {"kind == \"event\" and type == \"com.nvidia.nvsentinel.health.v1\"", true, ""},
        {"partitionkey == \"other\"", false, ""},
        {"nothing == \"\"", true, "nothing"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r = transform(&usual, cases[i].match, document(seed_record));
        assert_int_equal(r.counts.events, cases[i].holds);
        assert_int_equal(r.counts.filtered, !cases[i].holds);
        assert_string_equal(r.lacking, cases[i].lacking);
    }
}

static void test_size(void **state)
{
    struct transform_options options = usual;

    (void)state;
    options.max_event_bytes = 600;
    struct result r = transform(&options, NULL, document(seed_record));
    assert_non_null(strstr(r.text, "fault: the event has some "));
    options.oversize = OVERSIZE_DROP_DATA;
    r = transform(&options, NULL, document(seed_record));
    assert_non_null(strstr(r.text, "\"databytes\":"));
    assert_null(strstr(r.text, "\"data\":"));
    assert_int_equal(r.counts.too_large, 1);
    options.oversize = OVERSIZE_SEND;
    r = transform(&options, NULL, document(seed_record));
    assert_seed(&r, seed_event_extensions);
}

static void test_broken(void **state)
{
    struct intake *in = document("{\"a\":");

    (void)state;
    struct result r = transform(&usual, NULL, in);
    assert_non_null(strstr(r.text, "fault: "));
    assert_non_null(strstr(r.text, "|{\"a\":"));
    in = document("raw bytes");
    in->changes.list.items[0].form = CHANGE_BROKEN;
    in->changes.list.items[0].fault = STR("line 7: no JSON");
    r = transform(&usual, NULL, in);
    assert_string_equal(r.text, "fault: line 7: no JSON|raw bytes");
    in = document("{\"a\":1}");
    in->changes.list.items[0].id = STR("");
    r = transform(&usual, NULL, in);
    assert_non_null(strstr(r.text, "\"id\":\"p1\""));
}

/* What a receiver that goes by the type would miss is counted, with what is off. */
static void what_is_not_quite_a_health_event_is_told(void **state)
{
    static const struct {
        const char *json;
        const char *odd; /* NULL: nothing is */
    } cases[] = {
        {"{\"nodeName\":\"n\",\"checkName\":\"c\",\"isFatal\":true,\"isHealthy\":0}", NULL},
        {"{\"nodeName\":5,\"checkName\":\"c\",\"isFatal\":true}", "nodeName is no text"},
        {"{\"node_name\":\"n\",\"isFatal\":true,\"errorCode\":[]}", "checkName is missing"},
        {"{\"checkName\":\"c\",\"isFatal\":true,\"errorCode\":[]}", "nodeName is missing"},
        {"{\"nodeName\":\"n\",\"checkName\":null,\"recommendedAction\":2}", "checkName is no text"},
        {"{\"x\":1,\"healthevent\":{\"nodeName\":5,\"checkName\":\"c\",\"isFatal\":true}}",
         "nodeName is no text"},
        {"{\"nodeName\":\"n\",\"checkName\":\"c\",\"isFatal\":\"maybe\"}",
         "isFatal is neither true nor false"},
        {"{\"nodeName\":\"n\",\"checkName\":\"c\",\"is_healthy\":null}",
         "isHealthy is neither true nor false"},
        {"{\"nodeName\":5,\"checkName\":\"c\"}", NULL},
        {"{\"name\":\"n\",\"message\":\"c\",\"version\":1,\"agent\":2}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct result r = transform(&usual, NULL, document(cases[i].json));
        assert_int_equal(r.counts.events, 1);
        assert_int_equal(r.counts.odd, cases[i].odd != NULL);
        if (cases[i].odd != NULL) {
            assert_string_equal(r.counts.oddness, cases[i].odd);
            assert_memory_equal(r.odd_id, "id-1", 5);
        } else {
            assert_null(r.counts.oddness);
        }
    }
}

static void a_row_may_be_odd_too(void **state)
{
    static const struct change_column columns[] = {
        COLUMN("node_name", COLUMN_NUMBER, "5"),
        COLUMN("check_name", COLUMN_TEXT, "c"),
        COLUMN("is_fatal", COLUMN_FLAG, "true"),
    };
    struct transform_options options = usual;

    (void)state;
    struct result r = transform(&usual, NULL, row(columns, ARRAY_LEN(columns)));
    assert_int_equal(r.counts.odd, 1);
    assert_string_equal(r.counts.oddness, "nodeName is no text");
    options.shape = SHAPE_HEALTH;
    r = transform(&options, NULL, row(columns, ARRAY_LEN(columns)));
    assert_int_equal(r.counts.broken, 1);
    assert_int_equal(r.counts.odd, 0);
    assert_non_null(strstr(r.text, "`healthevent`, and nodeName is no text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_entities),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_each_is_checked),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_own_names),
        cmocka_unit_test(test_ready),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(what_is_not_quite_a_health_event_is_told),
        cmocka_unit_test(a_row_may_be_odd_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
