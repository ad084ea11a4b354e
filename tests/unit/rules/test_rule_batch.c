/* Many expressions in one request, and whose each row of the answer is. */
#include "rules/rule_batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *raw;
    int number; /* -1: refused */
    const char *rest;
} splits[] = {
    {"{\"__rule__\":\"0\"}", 0, "{}"},
    {"{\"__name__\":\"up\",\"__rule__\":\"12\",\"job\":\"a\"}", 12,
     "{\"__name__\":\"up\",\"job\":\"a\"}"},
    {"{\"__rule__\":\"3\",\"job\":\"a\"}", 3, "{\"job\":\"a\"}"},
    {"{\"Job\":\"a\",\"__rule__\":\"999999\"}", 999999, "{\"Job\":\"a\"}"},
    {"{\"a\":\",\\\"__rule__\\\":\\\"1\",\"__rule__\":\"2\"}", 2,
     "{\"a\":\",\\\"__rule__\\\":\\\"1\"}"},
    {"{\"a\":\"b\"}", -1, ""},
    {"{}", -1, ""},
    {"", -1, ""},
    {"{\"__rule__\":\"\"}", -1, ""},
    {"{\"__rule__\":\"1x\"}", -1, ""},
    {"{\"__rule__\":\"1", -1, ""},
    {"{\"__rule__\":\"12345678\"}", -1, ""},
    {"{ \"__rule__\" : \"1\"}", -1, ""},
};

static void rows_say_whose_they_are(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    for (size_t i = 0; i < ARRAY_LEN(splits); i++) {
        uint32_t number = 0;
        struct str rest = STR_NONE;
        bool ok = rule_batch_split(str_of(splits[i].raw), &a, &number, &rest);
        assert_int_equal(ok, splits[i].number >= 0);
        if (ok) {
            assert_int_equal(number, splits[i].number);
            assert_true(str_eq(rest, str_of(splits[i].rest)));
        }
    }
    arena_release(&a);
}

static void expressions_are_joined(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    struct budget budget;
    struct rule_batch b;

    (void)state;
    budget_init(&budget, NULL, "the test", INT64_MAX);
    rule_batch_init(&b, &budget);
    assert_true(rule_batch_add(&b, 4, STR("up # all")));
    assert_true(rule_batch_add(&b, 5, STR("x > 1")));
    assert_true(rule_batch_add(&b, 9, STR("y")));
    rule_batch_print(&b, &out);
    assert_string_equal(buf_text(&out),
                        "(label_replace(up # all\n,\"__rule__\",\"0\",\"\",\"\") or "
                        "(label_replace(x > 1,\"__rule__\",\"1\",\"\",\"\") or "
                        "label_replace(y,\"__rule__\",\"2\",\"\",\"\")))");
    rule_batch_release(&b);
}

static void a_request_is_bounded(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    static char expr[100];
    struct budget budget;
    struct rule_batch b;
    size_t count = 0;

    (void)state;
    memset(expr, 'x', sizeof(expr));
    budget_init(&budget, NULL, "the test", INT64_MAX);
    rule_batch_init(&b, &budget);
    while (rule_batch_add(&b, 0, str_make(expr, sizeof(expr)))) {
        count++;
    }
    rule_batch_print(&b, &out);
    assert_int_equal(count, 101);
    assert_true(out.len <= 16384);
    rule_batch_clear(&b);
    assert_true(rule_batch_add(&b, 0, STR("x")));
    rule_batch_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_say_whose_they_are),
        cmocka_unit_test(expressions_are_joined),
        cmocka_unit_test(a_request_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
