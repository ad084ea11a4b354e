/* Places in change streams as text. */
#include "events/sources/mongodb_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_there_and_back(void **state)
{
    static const struct mongo_place places[] = {
        {STR_INIT("{ \"_data\" : \"8265e1\" }"), 1700000000, 3, false},
        {STR_INIT("{ \"_data\" : \"8265e1\" }"), 0, 0, true},
        {STR_INIT(""), UINT32_MAX, UINT32_MAX, false},
    };
    static const char *const texts[] = {"1700000000.3 { \"_data\" : \"8265e1\" }",
                                        "0.0 !{ \"_data\" : \"8265e1\" }", "4294967295.4294967295"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);
        struct mongo_place back = {.token = STR("")};
        mongodb_place_add(&text, &places[i]);
        assert_string_equal(buf_text(&text), texts[i]);
        assert_true(mongodb_place_parse(buf_str(&text), &back));
        assert_true(str_eq(back.token, places[i].token));
        assert_int_equal(back.seconds, places[i].seconds);
        assert_int_equal(back.ordinal, places[i].ordinal);
        assert_int_equal(back.is_invalidated, places[i].is_invalidated);
    }
}

static void test_what_is_none(void **state)
{
    static const char *const cases[] = {"",        "x",     "1",       "1.",           ".1",
                                        "-1.0 {}", "1.x",   "1.0 abc", "4294967296.0", "0.0",
                                        "1.0 !",   "1.0 !x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct mongo_place p;
        if (mongodb_place_parse(str_of(cases[i]), &p)) {
            fail_msg("%s", cases[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_what_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
