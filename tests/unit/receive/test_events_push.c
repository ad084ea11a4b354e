/*
 * Events over HTTP, from the socket to the table: the modes of the CloudEvents binding and plain JSON, what is refused with
 * which status, and that nothing of a refused request is kept.
 */
#include "fake/plan_kit.h"
#include "receive/alert_states.h"
#include "receive/receive.h"
#include "state/event_table.h"
#include "unit/net/server_kit.h"
#include "wire/compress.h"

#include <stdio.h>
#include <unistd.h>

enum { BODY_MAX = 4096, HEADERS = 40 };

#define PATH "/api/v1/events"
#define STRUCTURED "application/cloudevents+json"
#define BATCHED "application/cloudevents-batch+json"
#define MINE "'specversion':'1.0','source':'/s','type':'t'"

struct push_site {
    struct http_site web;
    struct plan_kit plan;
    struct rng rng;
    struct alert_states *states;
    struct receiver *receiver;
    struct event_table *table;
    struct arena arena;
    char path[128];
};

static const struct receive_config usual = {.events = true,
                                            .events_type = STR_INIT("telex.event"),
                                            .events_source = STR_INIT("/telex"),
                                            .max_alerts = 10,
                                            .max_body_bytes = BODY_MAX,
                                            .max_decoded_bytes = BODY_MAX};

static void open_table(struct push_site *s)
{
    struct event_table_options options = {.path = str_of(s->path)};
    struct err e = ERR_INIT;

    assert_true(event_table_open(&s->web.kit.env, &options, &s->table, &e));
}

static void start_site(struct push_site *s)
{
    struct err e = ERR_INIT;

    http_site_init(&s->web);
    plan_kit_start(&s->plan);
    plan_kit_open(&s->plan);
    arena_init(&s->arena, ARENA_UNLIMITED);
    rng_seed(&s->rng, 1);
    s->web.kit.env.rng = &s->rng;
    (void)snprintf(s->path, sizeof(s->path), "%s/events.db", s->plan.folder);
    open_table(s);
    s->states = alert_states_new(&s->web.kit.env);
    assert_true(receiver_start(&s->web.kit.env, &usual, &s->receiver, &e));
    const struct http_routes routes = receiver_routes(s->receiver);
    assert_true(http_server_start(&s->web.kit.env, &s->web.config, &routes, 1, &s->web.server, &e));
    buf_clear(&s->web.kit.url);
    http_server_add_url(s->web.server, &s->web.kit.url);
    s->web.kit.config.url = buf_str(&s->web.kit.url);
}

static void attach(struct push_site *s)
{
    const struct receive_parts parts = {
        .plan = s->plan.plan, .states = s->states, .events = s->table};

    receiver_attach(s->receiver, &parts);
}

static int setup_push(void **state)
{
    struct push_site *s = mem_new(struct push_site);

    start_site(s);
    attach(s);
    *state = s;
    return 0;
}

static int setup_early(void **state)
{
    struct push_site *s = mem_new(struct push_site);

    start_site(s);
    *state = s;
    return 0;
}

static int teardown_push(void **state)
{
    struct push_site *s = *state;

    http_server_stop(s->web.server, (struct wait){DEADLINE_NEVER, NULL});
    receiver_free(s->receiver);
    alert_states_free(s->states);
    event_table_close(s->table);
    http_site_release(&s->web);
    plan_kit_stop(&s->plan);
    arena_release(&s->arena);
    mem_free(s);
    return 0;
}

/* ---- a request ---- */

/* With " for '. */
static struct str quoted(struct push_site *s, const char *text)
{
    char *copy = arena_text(&s->arena, str_of(text));

    for (char *c = copy; *c != '\0'; c++) {
        *c = *c == '\'' ? '"' : *c;
    }
    return str_of(copy);
}

/* "name: value" to a line. */
static size_t read_headers(const char *text, struct http_header *ret)
{
    struct str rest = str_of(text);
    struct str line;
    size_t count = 0;

    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        size_t colon = str_find_byte(line, ':');
        assert_true(count < HEADERS && colon < line.len);
        ret[count++] = (struct http_header){str_slice(line, 0, colon),
                                            str_trim(str_slice(line, colon + 1, line.len))};
    }
    return count;
}

static int send_events(struct push_site *s, const char *path, const char *headers, struct str body)
{
    struct http_header list[HEADERS];
    size_t count = read_headers(headers, list);

    if (!http_kit_call(&s->web.kit, &(struct http_request){.method = "POST",
                                                           .path = str_of(path),
                                                           .headers = list,
                                                           .header_count = count,
                                                           .parts = &body,
                                                           .part_count = 1})) {
        fail_msg("%s: %s", headers, s->web.kit.err.message);
    }
    return s->web.kit.response.status;
}

/* ---- what the table has ---- */

struct stored {
    struct push_site *site;
    struct event events[16];
    size_t count;
};

static bool take_row(void *arg, const struct event_row *row)
{
    struct stored *stored = arg;

    assert_true(stored->count < ARRAY_LEN(stored->events));
    stored->events[stored->count++] = event_copy(&stored->site->arena, row->event);
    return true;
}

static void read_stored(struct push_site *s, struct stored *ret)
{
    const struct event_taker taker = {take_row, ret};
    struct event_reader *reader = NULL;
    struct err e = ERR_INIT;

    *ret = (struct stored){.site = s};
    assert_true(event_reader_open(s->table, &reader, &e));
    assert_true(event_reader_read(reader, 0, ARRAY_LEN(ret->events), (size_t)BODY_MAX * 16,
                                  &s->arena, &taker, &e));
    event_reader_close(reader);
}

static size_t count_stored(struct push_site *s)
{
    struct stored stored;

    read_stored(s, &stored);
    return stored.count;
}

static void assert_attribute(struct push_site *s, const struct event *ev, const char *name,
                             const char *value)
{
    struct str found = event_attribute(ev, str_of(name), &s->arena);

    if (!str_eq(found, str_of(value))) {
        fail_msg("%s is '%.*s', expected '%s'", name, STR_FMT(found), value);
    }
}

/* ---- the scenarios of the HTTP protocol binding, under the names of the conformance suite ---- */

#define HELLO "{\n    'message': 'Hello World!'\n}"
#define WHOLE                                                                            \
    "{'specversion':'1.0','type':'com.example.someevent','time':'2018-04-05T03:56:24Z'," \
    "'id':'1234-1234-1234','source':'/mycontext/subcontext','datacontenttype':"          \
    "'application/json','data':" HELLO "}"
#define ATTRIBUTES                                                                         \
    "ce-specversion: 1.0\nce-type: com.example.someevent\nce-time: 2018-04-05T03:56:24Z\n" \
    "ce-id: 1234-1234-1234\nce-source: /mycontext/subcontext\n"

static const struct {
    const char *name;
    const char *headers;
    const char *body;
    const char *data_type;
} scenarios[] = {
    {"Binary content mode (application/json)", ATTRIBUTES "Content-Type: application/json", HELLO,
     "application/json"},
    {"Binary content mode (application/json; charset=utf-8)",
     ATTRIBUTES "Content-Type: application/json; charset=utf-8", HELLO,
     "application/json; charset=utf-8"},
    {"Structured content mode (application/cloudevents+json)", "Content-Type: " STRUCTURED, WHOLE,
     "application/json"},
    {"Structured content mode (application/cloudevents+json; charset=utf-8)",
     "Content-Type: " STRUCTURED "; charset=utf-8", WHOLE, "application/json"},
};

static void run_scenario(struct push_site *s, size_t i)
{
    struct stored stored;

    if (send_events(s, PATH, scenarios[i].headers, quoted(s, scenarios[i].body)) != 202) {
        fail_msg("%s: %s", scenarios[i].name, buf_text(&s->web.kit.body));
    }
    read_stored(s, &stored);
    assert_int_equal(stored.count, 1);
    assert_attribute(s, &stored.events[0], "id", "1234-1234-1234");
    assert_attribute(s, &stored.events[0], "specversion", "1.0");
    assert_attribute(s, &stored.events[0], "type", "com.example.someevent");
    assert_attribute(s, &stored.events[0], "source", "/mycontext/subcontext");
    assert_attribute(s, &stored.events[0], "time", "2018-04-05T03:56:24Z");
    assert_attribute(s, &stored.events[0], "datacontenttype", scenarios[i].data_type);
    assert_int_equal(stored.events[0].form, EVENT_DATA_JSON);
    assert_non_null(memmem(stored.events[0].data.ptr, stored.events[0].data.len, "\"message\"",
                           strlen("\"message\"")));
}

static void binary_application_json(void **state)
{
    run_scenario(*state, 0);
}

static void binary_application_json_charset(void **state)
{
    run_scenario(*state, 1);
}

static void structured_cloudevents_json(void **state)
{
    run_scenario(*state, 2);
}

static void structured_cloudevents_json_charset(void **state)
{
    run_scenario(*state, 3);
}

/* ---- what is taken ---- */

static const struct {
    const char *name;
    const char *path;
    const char *headers;
    const char *body;
    unsigned fresh;
} taken[] = {
    {"binary without data", PATH, "ce-specversion: 1.0\nce-id: b1\nce-source: /s\nce-type: t", "",
     1},
    {"structured without data", PATH, "Content-Type: " STRUCTURED, "{" MINE ",'id':'s1'}", 1},
    {"a batch of two", PATH, "Content-Type: " BATCHED,
     "[{" MINE ",'id':'1'},{" MINE ",'id':'2','data':{'a':1}}]", 2},
    {"a batch with a copy", PATH, "Content-Type: " BATCHED "; charset=utf-8",
     "[{" MINE ",'id':'1'},{" MINE ",'id':'1'}]", 1},
    {"an empty batch", PATH, "Content-Type: " BATCHED, "[]", 0},
    {"plain", PATH, "Content-Type: application/json", "{'a':1}", 1},
    {"plain with names", PATH "?type=x&source=/y&subject=z", "Content-Type: application/json",
     "{'a':1}", 1},
    {"lines", PATH, "Content-Type: application/x-ndjson", "{'a':1}\n{'a':2}\n\n", 2},
    {"bytes", PATH, ATTRIBUTES "Content-Type: application/octet-stream", "\x01\xff", 1},
};

static void test_taken(void **state)
{
    struct push_site *s = *state;
    size_t before = 0;

    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        int status = send_events(s, taken[i].path, taken[i].headers, quoted(s, taken[i].body));
        size_t now = count_stored(s);
        if (status != 202 || now - before > taken[i].fresh) {
            fail_msg("%s: %d, %zu new: %s", taken[i].name, status, now - before,
                     buf_text(&s->web.kit.body));
        }
        before = now;
    }
    assert_int_equal(
        before, 8); /* the id of what is plain is a hash of it, and with the source it was there */
}

/* Header values are percent-encoded where they are not plain ASCII (section 3.1.3.2). */
static void test_header_encoding(void **state)
{
    struct push_site *s = *state;
    struct stored stored;

    assert_int_equal(
        send_events(s, PATH,
                    "ce-specversion: 1.0\nce-id: %C3%A9%20%25\nce-source: /s\nce-type: t\n"
                    "ce-subject: Euro%20%E2%82%AC%20%F0%9F%98%80\nce-quoted: \"a %22b%22\"\n"
                    "CE-Upper: x",
                    STR("x")),
        202);
    read_stored(s, &stored);
    assert_int_equal(stored.count, 1);
    assert_attribute(s, &stored.events[0], "id", "\xc3\xa9 %");
    assert_attribute(s, &stored.events[0], "subject", "Euro \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_attribute(s, &stored.events[0], "quoted", "a \"b\"");
    assert_attribute(s, &stored.events[0], "upper", "x");
}

/* ---- what is refused ---- */

#define BINARY(REST) "ce-id: 1\nce-source: /s\nce-type: t\n" REST

static const struct {
    const char *name;
    const char *headers;
    const char *body;
    int status;
    const char *says;
} refused[] = {
    {"another specversion", "Content-Type: " STRUCTURED,
     "{'specversion':'0.3','id':'1','source':'/s','type':'t'}", 400, "0.3"},
    {"another specversion, binary", BINARY("ce-specversion: 2.0"), "", 400, "2.0"},
    {"no specversion", BINARY("Content-Type: text/plain"), "x", 400, "specversion"},
    {"no id", "Content-Type: " STRUCTURED, "{" MINE "}", 400, "'id'"},
    {"no source, binary", "ce-specversion: 1.0\nce-id: 1\nce-type: t", "", 400, "'source'"},
    {"no type", "Content-Type: " STRUCTURED, "{'specversion':'1.0','id':'1','source':'/s'}", 400,
     "'type'"},
    {"an empty id, binary", "ce-specversion: 1.0\nce-id:\nce-source: /s\nce-type: t", "", 400,
     "'id'"},
    {"no UTF-8 behind the percent", BINARY("ce-specversion: 1.0\nce-subject: %FF"), "", 400,
     "subject"},
    {"no number behind the percent", BINARY("ce-specversion: 1.0\nce-subject: 100%zz"), "", 400,
     "subject"},
    {"a control character", BINARY("ce-specversion: 1.0\nce-subject: a%00b"), "", 400, "subject"},
    {"an attribute's name", BINARY("ce-specversion: 1.0\nce-a-b: c"), "", 400, "a-b"},
    {"no time", BINARY("ce-specversion: 1.0\nce-time: noon"), "", 400, "noon"},
    {"another format", "Content-Type: application/cloudevents+avro", "x", 415, "avro"},
    {"another format, batched", "Content-Type: application/cloudevents-batch+xml", "x", 415, "xml"},
    {"no type that is taken", "Content-Type: text/html", "x", 415, "text/html"},
    {"another encoding", "Content-Type: " STRUCTURED "\nContent-Encoding: br", "x", 415, "br"},
    {"no gzip", "Content-Type: application/json\nContent-Encoding: gzip", "x", 400,
     "compressed body"},
    {"a cut batch", "Content-Type: " BATCHED, "[{" MINE ",'id':'1'},{" MINE ",'id':'2'", 400,
     "event 2"},
    {"a batch that is none", "Content-Type: " BATCHED, "{" MINE ",'id':'1'}", 400, "expected"},
    {"one bad in a batch", "Content-Type: " BATCHED, "[{" MINE ",'id':'1'},{" MINE "}]", 400,
     "event 2"},
    {"a batch as one event", "Content-Type: " STRUCTURED, "[{" MINE ",'id':'1'}]", 400, "object"},
    {"nothing", "Content-Type: " STRUCTURED, "", 400, "expected"},
    {"a cut line", "Content-Type: application/json", "{'a':1}\n{'a':", 400, "event 2"},
    {"both data", "Content-Type: " STRUCTURED, "{" MINE ",'id':'1','data':1,'data_base64':'AA=='}",
     400, "both"},
};

static void test_refused(void **state)
{
    struct push_site *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        int status = send_events(s, PATH, refused[i].headers, quoted(s, refused[i].body));
        const char *text = buf_text(&s->web.kit.body);
        if (status != refused[i].status || strstr(text, refused[i].says) == NULL) {
            fail_msg("%s: %d, %s", refused[i].name, status, text);
        }
        assert_int_equal(count_stored(s), 0);
    }
}

static void test_too_large(void **state)
{
    struct push_site *s = *state;
    AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&body, "{\"a\":\"");
    while (body.len < (size_t)BODY_MAX * 2) {
        buf_add_text(&body, "xxxxxxxxxxxxxxxx");
    }
    buf_add_text(&body, "\"}");
    struct str part = buf_str(&body);
    struct http_header type = {STR("Content-Type"), STR("application/json")};
    assert_true(http_kit_call(&s->web.kit, &(struct http_request){.method = "POST",
                                                                  .path = STR(PATH),
                                                                  .headers = &type,
                                                                  .header_count = 1,
                                                                  .parts = &part,
                                                                  .part_count = 1}));
    assert_int_equal(s->web.kit.response.status, 413);
    assert_int_equal(count_stored(s), 0);
}

/* A body may unpack to just the limit. */
static void test_packed(void **state)
{
    static const struct {
        size_t len;
        int status;
    } cases[] = {{20, 202}, {BODY_MAX - 1, 202}, {BODY_MAX, 202}, {BODY_MAX + 1, 413}};
    struct push_site *s = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf body = BUF_INIT(BUF_UNLIMITED);
        AUTO(buf_release) struct buf packed = BUF_INIT(BUF_UNLIMITED);
        struct err e = ERR_INIT;
        buf_add_text(&body, "{\"a\":\"");
        while (body.len < cases[i].len - 2) {
            buf_add_byte(&body, 'x');
        }
        buf_add_text(&body, "\"}");
        assert_true(compression_find(STR("gzip"))->pack(buf_str(&body), &packed, &e));
        assert_int_equal(send_events(s, PATH,
                                     "Content-Type: application/json\nContent-Encoding: gzip",
                                     buf_str(&packed)),
                         cases[i].status);
    }
    assert_int_equal(count_stored(s), 3);
}

/* More attributes than are taken are none of them. */
static void test_too_many_headers(void **state)
{
    struct push_site *s = *state;
    AUTO(buf_release) struct buf request = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf answer = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&request, "POST " PATH " HTTP/1.1\r\n%sConnection: close\r\nContent-Length: 0\r\n"
                           "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\n");
    for (int i = 0; i < 300; i++) {
        buf_addf(&request, "ce-x%d: y\r\n", i);
    }
    buf_add_text(&request, "\r\n");
    http_site_exchange(&s->web, buf_text(&request), &answer);
    assert_contains(&answer, "HTTP/1.1 413");
    assert_int_equal(count_stored(s), 0);
}

/* A sender that goes away in the middle of a batch has given nothing, and is in nobody's way. */
static void test_cut_connection(void **state)
{
    struct push_site *s = *state;
    int fd = raw_connect(http_server_port(s->web.server));
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    buf_addf(
        &text,
        "POST " PATH " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nContent-Type: " BATCHED
        "\r\nContent-Length: 1000\r\n\r\n[{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"t\"}",
        http_server_port(s->web.server));
    assert_int_equal(write(fd, text.ptr, text.len), text.len);
    http_peer_pause_ms(50);
    (void)close(fd);
    assert_true(http_site_wait_idle(&s->web, 0));
    assert_int_equal(count_stored(s), 0);
    assert_int_equal(
        send_events(s, PATH, "Content-Type: " STRUCTURED, quoted(s, "{" MINE ",'id':'1'}")), 202);
    assert_int_equal(count_stored(s), 1);
}

/* ---- when ---- */

static void test_off(void **state)
{
    struct push_site *s = *state;
    struct receive_config off = usual;

    off.events = false;
    receiver_change(s->receiver, &off);
    assert_int_equal(send_events(s, PATH, "Content-Type: " STRUCTURED, STR("{}")), 404);
}

static void test_before_the_table_is_open(void **state)
{
    struct push_site *s = *state;
    struct event_table *table = s->table;
    struct str body = quoted(s, "{" MINE ",'id':'1'}");

    assert_int_equal(send_events(s, PATH, "Content-Type: " STRUCTURED, body), 503);
    s->table = NULL;
    attach(s);
    assert_int_equal(send_events(s, PATH, "Content-Type: " STRUCTURED, body), 503);
    s->table = table;
    receiver_use_events(s->receiver, table);
    assert_int_equal(send_events(s, PATH, "Content-Type: " STRUCTURED, body), 202);
}

static void test_handshake(void **state)
{
    struct push_site *s = *state;
    const struct http_header asks = {STR("WebHook-Request-Origin"),
                                     STR("eventemitter.example.com")};

    assert_true(http_kit_call(&s->web.kit, &(struct http_request){.method = "OPTIONS",
                                                                  .path = STR(PATH),
                                                                  .headers = &asks,
                                                                  .header_count = 1}));
    assert_int_equal(s->web.kit.response.status, 200);
    assert_str(http_response_header(&s->web.kit.response, STR("WebHook-Allowed-Origin")),
               "eventemitter.example.com");
    assert_str(http_response_header(&s->web.kit.response, STR("WebHook-Allowed-Rate")), "*");
}

#define PUSH(name) cmocka_unit_test_setup_teardown(name, setup_push, teardown_push)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUSH(binary_application_json),
        PUSH(binary_application_json_charset),
        PUSH(structured_cloudevents_json),
        PUSH(structured_cloudevents_json_charset),
        PUSH(test_taken),
        PUSH(test_header_encoding),
        PUSH(test_refused),
        PUSH(test_too_large),
        PUSH(test_packed),
        PUSH(test_too_many_headers),
        PUSH(test_cut_connection),
        PUSH(test_off),
        cmocka_unit_test_setup_teardown(test_before_the_table_is_open, setup_early, teardown_push),
        PUSH(test_handshake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
