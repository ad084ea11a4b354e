/* Which URLs a received alert may name. */
#include "export/rule_webhook.h"

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void hosts_are_listed(void **state)
{
    static const struct {
        const char *url;
        bool ok;
    } cases[] = {
        {"http://hooks.example.com/in", true},
        {"https://HOOKS.example.COM:8443/in", true},
        {"http://ports.example.com:8080/", true},
        {"http://ports.example.com/", false},
        {"http://a.wide.org/x", true},
        {"http://a.b.wide.org/x", true},
        {"http://wide.org/x", false},
        {"http://evilwide.org/x", false},
        {"http://hooks.example.com.evil.org/", false},
        {"http://127.0.0.1/", false},
        {"file:///etc/passwd", false},
        {"", false},
    };
    static const struct str hosts[] = {STR_INIT("hooks.example.com"),
                                       STR_INIT("ports.example.com:8080"), STR_INIT("*.wide.org")};
    const struct option_list list = {hosts, ARRAY_LEN(hosts)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        if (rule_webhook_allows(&list, str_of(cases[i].url), &e) != cases[i].ok) {
            fail_msg("%s: %s", cases[i].url, e.message);
        }
    }
}

static void nothing_is_allowed_by_default(void **state)
{
    const struct option_list none = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_false(rule_webhook_allows(&none, STR("http://hooks.example.com/"), &e));
    assert_non_null(strstr(e.message, "not in allowed_hosts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_listed),
        cmocka_unit_test(nothing_is_allowed_by_default),
    };

    return cmocka_run_group_tests_name("export/rule_webhook", tests, NULL, NULL);
}
