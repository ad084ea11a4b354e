/* The status in what exporters say of a refusal. */
#include "server/letter_status.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void statuses(void **state)
{
    static const struct {
        const char *reason;
        int64_t status;
    } cases[] = {
        {"answered 422", 422},
        {"answered 422: not for 5 minutes", 422},
        {"after 3 tries: answered 500: sink says no", 500},
        {"answered 307 (redirects are not followed; it points to https://b.example/x): no", 307},
        {"answered 401 (also with a fresh token)", 401},
        {"answered 429, later", 429},
        {"answered UNAVAILABLE: answered 500", -1},
        {"answered 1000", -1},
        {"answered 99999999999999999999999", -1},
        {"answered ", -1},
        {"answered", -1},
        {"Failed to connect to port 4500", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(letter_status(str_of(cases[i].reason)), cases[i].status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(statuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
