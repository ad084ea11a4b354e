#include "net/oauth2.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_answers(void **state)
{
    static const struct {
        const char *json;
        const char *token;
        int64_t seconds;
        const char *error;
    } cases[] = {
        {"{\"access_token\":\"a\",\"expires_in\":3600}", "a", 3600, ""},
        {" {\"expires_in\" : 1.9e0 , \"access_token\" : \"a\\u00e4\\/\"} ", "a\xc3\xa4/", 1, ""},
        {"{\"access_token\":\"a\",\"expires_in\":\"60\"}", "a", 60, ""},
        {"{\"access_token\":\"a\",\"expires_in\":0}", "a", -1, ""},
        {"{\"access_token\":\"a\",\"expires_in\":-1}", "a", -1, ""},
        {"{\"access_token\":\"a\",\"expires_in\":null}", "a", -1, ""},
        {"{\"access_token\":\"a\",\"expires_in\":\"soon\"}", "a", -1, ""},
        {"{\"access_token\":\"a\",\"expires_in\":99999999999999999999}", "a", 315360000, ""},
        {"{\"access_token\":\"a\"}", "a", -1, ""},
        {"{\"access_token\":7}", "", -1, ""},
        {"{\"error\":\"invalid_client\"}", "", -1, "invalid_client"},
        {"{\"error\":\"x\",\"error_description\":\"why\"}", "", -1, "x: why"},
        {"{\"x\":{\"access_token\":\"inner\"},\"y\":[{\"error\":\"inner\"}]}", "", -1, ""},
        {"{}", "", -1, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena AUTO(arena_release) a = {0};
        struct oauth2_answer answer;
        arena_init(&a, ARENA_UNLIMITED);
        assert_true(oauth2_parse_answer(str_of(cases[i].json), &a, &answer));
        int64_t seconds = answer.expires_in_ns < 0 ? -1 : answer.expires_in_ns / NS_PER_S;
        if (!str_eq(answer.token, str_of(cases[i].token)) || seconds != cases[i].seconds ||
            !str_eq(answer.error, str_of(cases[i].error))) {
            fail_msg("%s: '%.*s' %lld '%.*s'", cases[i].json, STR_FMT(answer.token),
                     (long long)seconds, STR_FMT(answer.error));
        }
    }
}

static void test_no_answers(void **state)
{
    static const char *const cases[] = {
        "",
        "null",
        "[]",
        "\"access_token\"",
        "{",
        "{\"access_token\":\"a\"",
        "<html>",
        "{\"access_token\":\"a\"}}",
        "{\"access_token\":\"a\",}",
        "{\"access_token\":\"a\n\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena AUTO(arena_release) a = {0};
        struct oauth2_answer answer;
        arena_init(&a, ARENA_UNLIMITED);
        if (oauth2_parse_answer(str_of(cases[i]), &a, &answer)) {
            fail_msg("%s", cases[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_no_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
