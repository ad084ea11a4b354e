/* Plain objects become events, CloudEvents stay what they are, and what is neither is refused with its place. */
#include "wire/event_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct event_json_names names = {
    .type = STR_INIT("t"), .source = STR_INIT("/s"), .id = STR_INIT(""), .subject = STR_INIT("")};

static void objects_become_events(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *id; /* NULL: by content */
        const char *ids;
        const char *data;
        uint32_t count;
    } cases[] = {
        {"{\"a\":1}", "i", "i", "{\"a\":1}", 1},
        {" {\"a\":1}\n{\"a\":2}\n\n", "i", "i/2", "{\"a\":2}", 2},
        {"[{\"a\":1}, {\"a\" : 2} ,{}]", "i", "i/3", "{}", 3},
        {"{\n \"a\": [1,\n2]\n}", "i", "i", "{\n \"a\": [1,\n2]\n}", 1},
        {"[]", "i", "", "", 0},
        {"{}{}", "i", "i/2", "{}", 2},
        {"{\"specversion\":\"1.0\",\"id\":\"9\",\"source\":\"/x\",\"type\":\"y\",\"data\":7}", "i",
         "9", "7", 1},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena a;
        struct event_json_names n = names;
        struct events events = {0};
        struct err e = ERR_INIT;

        arena_init(&a, ARENA_UNLIMITED);
        n.id = str_of(cases[i].id);
        assert_true(event_json_read(str_of(cases[i].text), &n, &a, &events, &e));
        assert_int_equal(events.count, cases[i].count);
        if (events.count > 0) {
            const struct event *last = &events.rows[events.count - 1];
            assert_true(str_eq(last->id, str_of(cases[i].ids)));
            assert_true(str_eq(last->data, str_of(cases[i].data)));
        }
    }
}

static void the_same_object_has_the_same_id(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct events events = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(event_json_read(STR("{\"a\":1}\n {\"a\":1} {\"a\":2}"), &names, &a, &events, &e));
    assert_int_equal(events.rows[0].id.len, 32);
    assert_true(str_eq(events.rows[0].id, events.rows[1].id));
    assert_false(str_eq(events.rows[0].id, events.rows[2].id));
    assert_true(str_eq(events.rows[0].source, STR("/s")) && str_eq(events.rows[0].type, STR("t")));
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *said;
    } cases[] = {
        {"", "expected a JSON object"},
        {"7", "expected a JSON object"},
        {"{\"a\":1}\n7", "expected a JSON object"},
        {"[{\"a\":1},7]", "expected a JSON object"},
        {"[{\"a\":1}] x", ""},
        {"{\"a\":}", ""},
        {"{\"a\":1", ""},
        {"{\"specversion\":\"1.0\"}", "the event has no 'id'"},
        {"{\"specversion\":\"0.3\",\"id\":\"1\",\"source\":\"/\",\"type\":\"t\"}", ""},
        {"{\"a\":\"\xff\"}", "this is no UTF-8: found byte 0xff at byte 6"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(arena_release) struct arena a;
        struct events events = {0};
        struct err e = ERR_INIT;

        arena_init(&a, ARENA_UNLIMITED);
        assert_false(event_json_read(str_of(cases[i].text), &names, &a, &events, &e));
        assert_int_equal(events.count, 0);
        assert_true(e.code == ERR_PARSE || e.code == ERR_CONFIG);
        if (strstr(e.message, cases[i].said) == NULL) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
    }
}

static void a_place_is_that_in_the_whole_text(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct events events = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_false(
        event_json_read(STR("{\"a\":1}\n{\"b\":2}\n{\"c\" 3}\n"), &names, &a, &events, &e));
    assert_int_equal(e.pos.line, 3);
    assert_non_null(strstr(e.context, "event 3"));
}

static void names_are_checked(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct event_json_names n = names;
    struct event ev;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    n.source = STR("no uri");
    assert_false(event_json_read_one(STR("{}"), &n, &a, &ev, &e));
    assert_non_null(strstr(e.message, "'source'"));
}

static void one_is_looked_at(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_int_equal(event_json_look(STR("{\"specversion\":1}"), &a, &e), EVENT_JSON_EVENT);
    assert_int_equal(event_json_look(STR("{\"x\":{\"specversion\":1}}"), &a, &e), EVENT_JSON_PLAIN);
    assert_int_equal(event_json_look(STR("{} {}"), &a, &e), EVENT_JSON_BROKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_become_events),
        cmocka_unit_test(the_same_object_has_the_same_id),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_place_is_that_in_the_whole_text),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(one_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
