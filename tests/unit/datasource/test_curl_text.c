/* A request as a command: quoted for a shell, without what is secret. */
#include "datasource/curl_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void a_post_with_headers(void **state)
{
    const struct query_param headers[] = {{STR("X-Scope-OrgID"), STR("it's")},
                                          {STR("authorization"), STR("Bearer x")},
                                          {STR("X-Api-Key"), STR("y")}};
    const struct query q = {.headers = headers, .header_count = ARRAY_LEN(headers)};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    curl_text_add(&out, STR("http://user:pw@h:1/api?token=t&a=1"), STR("query=up&password=p&b=2"),
                  &q);
    assert_string_equal(buf_text(&out),
                        "curl -X POST 'http://[redacted]@h:1/api?token=[redacted]&a=1' "
                        "-H 'X-Scope-OrgID: it'\\''s' -H 'authorization: [redacted]' "
                        "-H 'X-Api-Key: [redacted]' "
                        "--data 'query=up&password=[redacted]&b=2'");
}

static void a_get(void **state)
{
    const struct query q = {.header_count = 0};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    curl_text_add(&out, STR("http://h/render?target=a"), STR(""), &q);
    assert_string_equal(buf_text(&out), "curl 'http://h/render?target=a'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_with_headers),
        cmocka_unit_test(a_get),
    };

    return cmocka_run_group_tests_name("datasource/curl_text", tests, NULL, NULL);
}
