/* Bodies of both forms: what is read from them, and what is said where they are wrong. */
#include "base/mem.h"
#include "wire/alert_push.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NS(s) ((int64_t)(s)*1000000000)
#define ALERT_A "{\"labels\":{\"alertname\":\"A\",\"empty\":\"\"}}"

static const struct {
    enum alert_push_form form;
    const char *text;
    const char *error; /* NULL: it is read */
    size_t alerts;
    const char *first_bad; /* NULL: none */
} rows[] = {
    {ALERT_PUSH_V2, "[]", NULL, 0, NULL},
    {ALERT_PUSH_V2, "[" ALERT_A "]", NULL, 1, NULL},
    {ALERT_PUSH_V2, " [ " ALERT_A " , " ALERT_A " ] ", NULL, 2, NULL},
    {ALERT_PUSH_V2, "[{\"status\":{\"state\":\"active\"},\"labels\":{\"a\":\"b\"}}]", NULL, 1,
     NULL},
    {ALERT_PUSH_V2, "[{\"labels\":{\"a\":\"b\"},\"annotations\":null,\"new\":[1,{}]}]", NULL, 1,
     NULL},
    {ALERT_PUSH_V2, "[{}, " ALERT_A "]", NULL, 1, "has no labels; it begins at byte 1"},
    {ALERT_PUSH_V2, "[ {\"labels\":{\"a\":\"\"}}]", NULL, 0, "has no labels; it begins at byte 2"},
    {ALERT_PUSH_V2, "[{\"labels\":{\"\":\"x\"}}]", NULL, 0, "without a name"},
    {ALERT_PUSH_V2, "[{\"labels\":{\"a\":\"\xff\"}}]", NULL, 0, "no UTF-8"},
    {ALERT_PUSH_V2,
     "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-01-02T00:00:00Z\","
     "\"endsAt\":\"2026-01-01T00:00:00Z\"}]",
     NULL, 0, "ends before it starts; it begins at byte 1"},
    {ALERT_PUSH_V2, "{}", "expected an array, found '{' at byte 0", 0, NULL},
    {ALERT_PUSH_V2, "", "at byte 0", 0, NULL},
    {ALERT_PUSH_V2, "[{\"labels\":{\"a\":1}}]", "at byte 16", 0, NULL},
    {ALERT_PUSH_V2, "[{\"labels\":[]}]", "expected an object, found '[' at byte 11", 0, NULL},
    {ALERT_PUSH_V2, "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"yesterday\"}]",
     "expected a time such as", 0, NULL},
    {ALERT_PUSH_V2, "[" ALERT_A "] x", "at byte", 0, NULL},
    {ALERT_PUSH_V2, "[" ALERT_A ",", "at byte", 0, NULL},
    {ALERT_PUSH_WEBHOOK, "{\"version\":\"4\",\"groupKey\":\"{}\",\"alerts\":[" ALERT_A "]}", NULL,
     1, NULL},
    {ALERT_PUSH_WEBHOOK, "{\"alerts\":[" ALERT_A "],\"version\":\"4\",\"truncatedAlerts\":3}", NULL,
     1, NULL},
    {ALERT_PUSH_WEBHOOK, "{\"version\":\"3\",\"alerts\":[" ALERT_A "]}", "expected version \"4\"",
     0, NULL},
    {ALERT_PUSH_WEBHOOK, "{\"version\":\"4\"}", "expected an object with \"alerts\"", 0, NULL},
    {ALERT_PUSH_WEBHOOK, "{\"alerts\":[{\"status\":\"odd\",\"labels\":{\"a\":\"b\"}}]}",
     "\"firing\" or \"resolved\"", 0, NULL},
    {ALERT_PUSH_WEBHOOK, "[]", "expected an object", 0, NULL},
};

static void check(size_t i)
{
    AUTO(arena_release) struct arena a;
    struct alert_push push = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    bool ok = alert_push_read(str_of(rows[i].text), rows[i].form, &a, &push, &e);
    print_message("row %zu: %s | %s\n", i, e.message, push.first_bad.message);
    assert_int_equal(ok, rows[i].error == NULL);
    if (!ok) {
        assert_non_null(strstr(e.message, rows[i].error));
        return;
    }
    assert_int_equal(push.alerts.len, rows[i].alerts);
    assert_int_equal(push.bad > 0, rows[i].first_bad != NULL);
    if (rows[i].first_bad != NULL) {
        assert_non_null(strstr(push.first_bad.message, rows[i].first_bad));
    }
    alert_push_release(&push);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        check(i);
    }
}

static void test_fields(void **state)
{
    (void)state;
    const struct str text = STR(
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"resolved\",\"labels\":{\"b\":\"2\","
        "\"a\":\"1\"},\"annotations\":{\"s\":\"x\\ny\"},\"startsAt\":\"1970-01-01T00:00:05Z\","
        "\"endsAt\":\"1970-01-01T01:00:09+01:00\",\"generatorURL\":\"http://g\"},"
        "{\"status\":\"firing\",\"labels\":{\"c\":\"3\"},\"endsAt\":\"0001-01-01T00:00:00Z\"}]}");
    AUTO(arena_release) struct arena a;
    struct alert_push push = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(alert_push_read(text, ALERT_PUSH_WEBHOOK, &a, &push, &e));
    const struct pushed_alert *one = &push.alerts.items[0];
    const struct pushed_alert *two = &push.alerts.items[1];
    assert_true(str_eq(labels_get(one->labels, STR("a")), STR("1")));
    assert_int_equal(one->labels->count, 2);
    assert_true(one->says_resolved && !two->says_resolved);
    assert_int_equal(one->starts_ns, NS(5));
    assert_int_equal(one->ends_ns, NS(9));
    assert_int_equal(two->starts_ns, 0);
    assert_int_equal(two->ends_ns, 0);
    assert_int_equal(one->annotation_count, 1);
    assert_true(str_eq(one->annotations[0].value, STR("x\ny")));
    assert_true(str_eq(one->generator_url, STR("http://g")));
    alert_push_release(&push);
}

static void test_too_large(void **state)
{
    (void)state;
    AUTO(arena_release) struct arena a;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    struct alert_push push = {0};
    struct err e = ERR_INIT;

    buf_add_text(&text, "[");
    for (int i = 0; i <= ALERT_PUSH_MAX; i++) {
        buf_add_text(&text, i > 0 ? "," ALERT_A : ALERT_A);
    }
    buf_add_text(&text, "]");
    arena_init(&a, ARENA_UNLIMITED);
    assert_false(alert_push_read(buf_str(&text), ALERT_PUSH_V2, &a, &push, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
