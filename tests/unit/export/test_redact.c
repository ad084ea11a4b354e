/* What may be shown of JSON that is about to leave. */
#include "export/redact.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    const char *json;
    const char *want;
} cases[] = {
    {"{\"a\":[1,2.50,\"x\",true,false,null],\"b\":{}}",
     "{\"a\":[1,2.50,\"x\",true,false,null],\"b\":{}}"},
    {"{\"password\":\"x\",\"Api_Key\":12,\"my_token\":[\"x\",{\"y\":\"z\"}],\"secret\":null}",
     "{\"password\":\"[redacted]\",\"Api_Key\":\"[redacted]\",\"my_token\":[\"[redacted]\",{\"y\":"
     "\"[redacted]\"}],\"secret\":null}"},
    {"[\"http://me:pw@h/p?token=abc&x=1\"]", "[\"http://[redacted]@h/p?token=[redacted]&x=1\"]"},
    {"\"a\\nb\"", "\"a\\nb\""},
    {"{\"a\":", "\"no JSON, not shown\""},
    {"password=x", "\"no JSON, not shown\""},
};

static void secrets_are_left_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        redact_json(str_of(cases[i].json), &out);
        assert_string_equal(buf_text(&out), cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(secrets_are_left_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
