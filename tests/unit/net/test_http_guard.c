#include "net/http_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_split(void **state)
{
    static const struct {
        const char *text;
        const char *host; /* NULL: refused */
        const char *port;
    } cases[] = {
        {"h", "h", ""},
        {"h:80", "h", "80"},
        {"h:", "h", ""},
        {"[::1]", "::1", ""},
        {"[::1]:80", "::1", "80"},
        {"127.0.0.1:8420", "127.0.0.1", "8420"},
        {"", NULL, NULL},
        {":80", NULL, NULL},
        {"h:8x", NULL, NULL},
        {"h:123456", NULL, NULL},
        {"::1", NULL, NULL},
        {"[::1", NULL, NULL},
        {"[::1]80", NULL, NULL},
        {"[h]", NULL, NULL},
        {"[]", NULL, NULL},
        {"a:b:c", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str host = STR("untouched");
        struct str port = STR("untouched");
        bool split = host_split(str_of(cases[i].text), &host, &port);
        if (split != (cases[i].host != NULL) || (split && (!str_eq(host, str_of(cases[i].host)) ||
                                                           !str_eq(port, str_of(cases[i].port))))) {
            fail_msg("'%s': %d '%.*s' '%.*s'", cases[i].text, split, STR_FMT(host), STR_FMT(port));
        }
        assert_true(split || str_eq(host, STR("untouched")));
    }
}

static void test_addresses(void **state)
{
    static const struct {
        const char *text;
        bool address;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true, true},
        {"127.9.8.7", true, true},
        {"10.0.0.1", true, false},
        {"::1", true, true},
        {"::", true, false},
        {"fe80::1", true, false},
        {"localhost", false, true},
        {"LocalHost", false, true},
        {"localhost.x", false, false},
        {"127.1", false, false},
        {"127.0.0.1.evil", false, false},
        {"", false, false},
        {"0x7f.0.0.1", false, false},
        {"::ffff:127.0.0.1", true, false},
        {"1111111111111111111111111111111111111111111111111111", false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str s = str_of(cases[i].text);
        if (host_is_address(s) != cases[i].address || host_is_loopback(s) != cases[i].loopback) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void test_hosts(void **state)
{
    static const struct str none[] = {STR_INIT("")};
    static const struct str names[] = {STR_INIT("telex.example"), STR_INIT("*.mon.svc")};
    static const struct str any[] = {STR_INIT("*")};
    static const struct {
        const char *host;
        const char *listen;
        const struct str *names;
        size_t name_count;
        bool allowed;
    } cases[] = {
        {"localhost:8420", "127.0.0.1", none, 0, true},
        {"LOCALHOST.", "127.0.0.1", none, 0, true},
        {"127.0.0.1:1", "10.1.2.3", none, 0, true},
        {"[::1]:8420", "127.0.0.1", none, 0, true},
        {"10.1.2.3:8420", "10.1.2.3", none, 0, true},
        {"10.1.2.4:8420", "10.1.2.3", none, 0, false},
        {"10.1.2.4:8420", "0.0.0.0", none, 0, true},
        {"10.1.2.4:8420", "", none, 0, true},
        {"[fe80::2]", "::", none, 0, true},
        {"evil.example", "0.0.0.0", none, 0, false},
        {"evil.example", "127.0.0.1", none, 0, false},
        {"127.0.0.1.evil.example", "127.0.0.1", none, 0, false},
        {"localhost.evil.example", "127.0.0.1", none, 0, false},
        {"myhost:8420", "myhost", none, 0, true},
        {"Telex.Example", "127.0.0.1", names, 2, true},
        {"telex.example.evil", "127.0.0.1", names, 2, false},
        {"a.mon.svc:80", "127.0.0.1", names, 2, true},
        {".mon.svc", "127.0.0.1", names, 2, false},
        {"mon.svc", "127.0.0.1", names, 2, false},
        {"evilmon.svc", "127.0.0.1", names, 2, false},
        {"anything", "127.0.0.1", any, 1, true},
        {"", "127.0.0.1", any, 1, false},
        {"a b", "127.0.0.1", names, 2, false},
        {"user@localhost", "127.0.0.1", none, 0, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct host_rules rules = {str_of(cases[i].listen), {cases[i].names, cases[i].name_count}};
        if (host_is_allowed(str_of(cases[i].host), &rules) != cases[i].allowed) {
            fail_msg("'%s' on '%s'", cases[i].host, cases[i].listen);
        }
    }
}

static void test_origins(void **state)
{
    static const struct {
        const char *origin;
        const char *host;
        bool matches;
    } cases[] = {
        {"http://localhost:8420", "localhost:8420", true},
        {"https://telex.example", "telex.example", true},
        {"https://telex.example", "telex.example:443", true},
        {"http://telex.example:80", "TELEX.example", true},
        {"http://[::1]:8420", "[::1]:8420", true},
        {"http://localhost:8421", "localhost:8420", false},
        {"http://localhost", "localhost:8420", false},
        {"http://evil.example", "localhost:8420", false},
        {"http://localhost.evil:8420", "localhost:8420", false},
        {"null", "localhost:8420", false},
        {"", "localhost:8420", false},
        {"file://", "localhost:8420", false},
        {"http://", "localhost:8420", false},
        {"http://localhost:8420/x", "localhost:8420", false},
        {"http://localhost:8420", "", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (origin_matches(str_of(cases[i].origin), str_of(cases[i].host)) != cases[i].matches) {
            fail_msg("'%s' and '%s'", cases[i].origin, cases[i].host);
        }
    }
}

static void test_bearer(void **state)
{
    static const struct {
        const char *header;
        const char *token; /* NULL: none */
    } cases[] = {
        {"Bearer abc", "abc"}, {"bearer   abc ", "abc"}, {"BEARER a b", "a b"}, {"Bearer", NULL},
        {"Bearer ", NULL},     {"Bearerabc", NULL},      {"Basic abc", NULL},   {"", NULL},
        {"Bear", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str token = STR_NONE;
        bool found = auth_parse_bearer(str_of(cases[i].header), &token);
        if (found != (cases[i].token != NULL) ||
            (found && !str_eq(token, str_of(cases[i].token)))) {
            fail_msg("'%s': '%.*s'", cases[i].header, STR_FMT(token));
        }
    }
}

static void test_basic(void **state)
{
    static const struct {
        const char *header;
        const char *user; /* NULL: none */
        const char *password;
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==", "Aladdin", "open:sesame"},
        {"basic  OnB3", "", "pw"},
        {"Basic dXNlcjo=", "user", ""},
        {"Basic dXNlcg==", NULL, NULL}, /* no colon */
        {"Basic !!!!", NULL, NULL},
        {"Basic", NULL, NULL},
        {"Bearer dXNlcjo=", NULL, NULL},
        {"", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) scratch = BUF_INIT(BUF_SMALL);
        struct str user = STR_NONE;
        struct str password = STR_NONE;
        bool found = auth_parse_basic(str_of(cases[i].header), &scratch, &user, &password);
        if (found != (cases[i].user != NULL) ||
            (found && (!str_eq(user, str_of(cases[i].user)) ||
                       !str_eq(password, str_of(cases[i].password))))) {
            fail_msg("'%s'", cases[i].header);
        }
    }
}

static void test_gzip(void **state)
{
    static const struct {
        const char *header;
        bool takes;
    } cases[] = {
        {"gzip", true},
        {"GZip", true},
        {" br , gzip ", true},
        {"gzip;q=1", true},
        {"gzip;q=0.1", true},
        {"gzip;q=0", false},
        {"gzip;Q=0.0", false},
        {"gzip; x=1; q=0", false},
        {"", false},
        {"*", false},
        {"gzip2", false},
        {"x-gzip", false},
        {"gzip;", true},
        {"gzip;q", true},
        {"deflate, br", false},
        {",,,gzip", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (accepts_gzip(str_of(cases[i].header)) != cases[i].takes) {
            fail_msg("'%s'", cases[i].header);
        }
    }
    assert_false(accepts_gzip(STR_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),  cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_hosts),  cmocka_unit_test(test_origins),
        cmocka_unit_test(test_bearer), cmocka_unit_test(test_basic),
        cmocka_unit_test(test_gzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
