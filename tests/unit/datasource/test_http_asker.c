/* Where a query goes: the path behind the URL's, and whose parameters count. */
#include "datasource/http_asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    const char *base;
    const char *path;
    const char *url;
} cases[] = {
    {"http://h:1", "/api", "http://h:1/api"},
    {"http://h/p/", "/api", "http://h/p/api"},
    {"http://h/p?x=1", "/api", "http://h/p/api?x=1"},
    {"http://h?nocache=0", "/api", "http://h/api"},
    {"http://h?a=1&nocache=0&extra%5Flabel=b&c=d%26", "/api", "http://h/api?a=1&c=d%26"},
};

static void a_groups_parameters_win_over_those_of_the_url(void **state)
{
    const struct query_param params[] = {{STR("nocache"), STR("1")},
                                         {STR("extra_label"), STR("x")}};
    const struct query q = {.params = params, .param_count = ARRAY_LEN(params)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
        http_asker_add_url(&url, str_of(cases[i].base), str_of(cases[i].path), &q);
        assert_string_equal(buf_text(&url), cases[i].url);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_groups_parameters_win_over_those_of_the_url),
    };

    return cmocka_run_group_tests_name("datasource/http_asker", tests, NULL, NULL);
}
