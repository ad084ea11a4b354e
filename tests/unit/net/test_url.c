#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) {
        fail_msg("got '%.*s', want '%s'", STR_FMT(got), want);
    }
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        const char *authority;
        const char *path;
        const char *query;
        unsigned port;
        bool secure;
        bool ipv6;
    } cases[] = {
        {"http://h", "h", "h", "", "", 80, false, false},
        {"HTTPS://Example.com", "Example.com", "Example.com", "", "", 443, true, false},
        {"http://127.0.0.1:8428/api/v1/write", "127.0.0.1", "127.0.0.1:8428", "/api/v1/write", "",
         8428, false, false},
        {"http://h/p?a=1&b=%20", "h", "h", "/p", "a=1&b=%20", 80, false, false},
        {"http://h?a=1", "h", "h", "", "a=1", 80, false, false},
        {"http://h/p#frag?x", "h", "h", "/p", "", 80, false, false},
        {"http://[::1]:9/x", "::1", "[::1]:9", "/x", "", 9, false, true},
        {"https://[fe80::1.2.3.4]", "fe80::1.2.3.4", "[fe80::1.2.3.4]", "", "", 443, true, true},
        {"http://a-b_c.d:65535", "a-b_c.d", "a-b_c.d:65535", "", "", 65535, false, false},
        {"http://h/a@b:c", "h", "h", "/a@b:c", "", 80, false, false},
        {"http://h/p?q=1?2", "h", "h", "/p", "q=1?2", 80, false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct url u;
        if (!url_parse(str_of(cases[i].text), &u, &e)) {
            fail_msg("%s: %s", cases[i].text, e.message);
        }
        assert_str(u.host, cases[i].host);
        assert_str(u.authority, cases[i].authority);
        assert_str(u.path, cases[i].path);
        assert_str(u.query, cases[i].query);
        assert_int_equal(u.port, cases[i].port);
        assert_int_equal(u.secure, cases[i].secure);
        assert_int_equal(u.ipv6, cases[i].ipv6);
    }
}

static void test_parse_refuses(void **state)
{
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "begin with http://"},
        {"h:80/x", "begin with http://"},
        {"ftp://h", "only http and https"},
        {"://h", "only http and https"},
        {"http://", "expected a host"},
        {"http:///path", "expected a host"},
        {"http://:80", "expected a host name"},
        {"http://u:geheim@h/", "'username' and 'password'"},
        {"http://u@h/", "'username' and 'password'"},
        {"http://h h/", "percent-escaped"},
        {"http://h/a b", "percent-escaped"},
        {"http://h/\n", "percent-escaped"},
        {"http://h\xc3\xa4", "percent-escaped"},
        {"http://h/\"", "percent-escaped"},
        {"http://-h", "expected a host name"},
        {"http://a..b", "expected a host name"},
        {"http://a%41", "expected a host name"},
        {"http://[::1", "expected a host name"},
        {"http://[::1]x", "expected a host name"},
        {"http://[12]", "expected a host name"},
        {"http://[g::]", "expected a host name"},
        {"http://h:", "port from 1"},
        {"http://h:0", "port from 1"},
        {"http://h:65536", "port from 1"},
        {"http://h:8080808080", "port from 1"},
        {"http://h:8a", "port from 1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct url u = {.port = 7};
        if (url_parse(str_of(cases[i].text), &u, &e)) {
            fail_msg("%s was taken", cases[i].text);
        }
        if (strstr(e.message, cases[i].message) == NULL) {
            fail_msg("%s: %s, want %s", cases[i].text, e.message, cases[i].message);
        }
        assert_null(strstr(e.message, "geheim"));
        assert_int_equal(u.port, 7);
    }
}

static void test_parse_caps(void **state)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;
    struct url u;

    (void)state;
    buf_add_text(&text, "http://h/");
    buf_add_repeat(&text, 'x', URL_MAX);
    assert_false(url_parse(buf_str(&text), &u, &e));
    assert_int_equal(e.code, ERR_LIMIT);
}

static void test_same_origin(void **state)
{
    static const struct {
        const char *a;
        const char *b;
        bool same;
    } cases[] = {
        {"http://h", "http://H:80/x", true}, {"https://h", "https://h:443", true},
        {"http://h", "https://h", false},    {"http://h:443", "https://h", false},
        {"http://h", "http://h:81", false},  {"http://h", "http://h.x", false},
        {"http://h.x", "http://h", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err e = ERR_INIT;
        struct url a;
        struct url b;
        assert_true(url_parse(str_of(cases[i].a), &a, &e));
        assert_true(url_parse(str_of(cases[i].b), &b, &e));
        assert_int_equal(url_same_origin(&a, &b), cases[i].same);
    }
}

static void test_join(void **state)
{
    static const struct {
        const char *base;
        const char *target;
        const char *joined;
    } cases[] = {
        {"http://h", "", "http://h"},
        {"http://h/", "", "http://h/"},
        {"http://h", "/w", "http://h/w"},
        {"http://h/", "/w", "http://h/w"},
        {"http://h/p//", "/w", "http://h/p/w"},
        {"http://h/p", "w", "http://h/p/w"},
        {"http://h/p?a=1", "/w?b=2", "http://h/p/w?a=1&b=2"},
        {"http://h/p?a=1", "", "http://h/p?a=1"},
        {"http://h/p", "?b=2", "http://h/p?b=2"},
        {"http://h/p?a=1", "?b=2", "http://h/p?a=1&b=2"},
        {"http://h/p#f", "/w", "http://h/p/w"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);
        url_add_joined(&out, str_of(cases[i].base), str_of(cases[i].target));
        assert_str(buf_str(&out), cases[i].joined);
    }
}

static void test_redact(void **state)
{
    static const struct {
        const char *text;
        const char *shown;
    } cases[] = {
        {"http://h/p?a=1", "http://h/p?a=1"},
        {"http://u:geheim@h/p", "http://[redacted]@h/p"},
        {"http://u:ge@heim@h/p", "http://[redacted]@h/p"},
        {"http://u:ge/heim@h/p", "http://[redacted]@h/p"},
        {"http://u:ge?heim@h/p", "http://[redacted]@h/p"},
        {"u:geheim@h", "[redacted]@h"},
        {"http://h:80/a@b", "http://h:80/a@b"},
        {"http://h/w?db=x&p=geheim&u=me", "http://h/w?db=x&p=[redacted]&u=me"},
        {"http://h/w?API_KEY=geheim", "http://h/w?API_KEY=[redacted]"},
        {"http://h/w?x-access-token=geheim&b", "http://h/w?x-access-token=[redacted]&b"},
        {"http://h/w?", "http://h/w?"},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);
        url_add_redacted(&out, str_of(cases[i].text));
        assert_str(buf_str(&out), cases[i].shown);
    }
}

static void test_escape(void **state)
{
    static const struct {
        enum url_place place;
        const char *text;
        const char *escaped;
    } cases[] = {
        {URL_SEGMENT, "a/b c", "a%2Fb%20c"},           {URL_PATH, "/a/b c?", "/a/b%20c%3F"},
        {URL_QUERY, "a+b&c=d e", "a%2Bb%26c%3Dd%20e"}, {URL_FORM, "a+b~c d*", "a%2Bb%7Ec+d*"},
        {URL_QUERY, "\xc3\xa4\x01", "%C3%A4%01"},      {URL_SEGMENT, "x-._~:@", "x-._~:@"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);
        struct buf AUTO(buf_release) back = BUF_INIT(URL_MAX);
        url_add_escaped(&out, str_of(cases[i].text), cases[i].place);
        assert_str(buf_str(&out), cases[i].escaped);
        assert_true(url_add_unescaped(&back, buf_str(&out), cases[i].place));
        assert_str(buf_str(&back), cases[i].text);
    }
}

static void test_unescape_refuses(void **state)
{
    static const char *const broken[] = {"%", "a%4", "%zz", "%4g", "x%%41"};
    struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);

    (void)state;
    buf_add_text(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
        assert_false(url_add_unescaped(&out, str_of(broken[i]), URL_QUERY));
        assert_str(buf_str(&out), "kept");
    }
    assert_true(url_add_unescaped(&out, STR("+a+"), URL_PATH));
    assert_true(url_add_unescaped(&out, STR("+"), URL_FORM));
    assert_str(buf_str(&out), "kept+a+ ");
}

static void test_params(void **state)
{
    struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);
    struct buf AUTO(buf_release) form = BUF_INIT(URL_MAX);
    struct str name;
    struct str value;

    (void)state;
    buf_add_text(&out, "http://h/q");
    url_add_param(&out, STR("query"), STR("up == 1"));
    url_add_param(&out, STR("t"), STR("1"));
    assert_str(buf_str(&out), "http://h/q?query=up%20%3D%3D%201&t=1");
    form_add_param(&form, STR("a"), STR("b c"));
    form_add_param(&form, STR("d"), STR(""));
    assert_str(buf_str(&form), "a=b+c&d=");

    struct str query = STR("&a=1&&b&=c&d=e=f&");
    static const char *const want[][2] = {{"a", "1"}, {"b", ""}, {"", "c"}, {"d", "e=f"}};
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        assert_true(url_next_param(&query, &name, &value));
        assert_str(name, want[i][0]);
        assert_str(value, want[i][1]);
    }
    assert_false(url_next_param(&query, &name, &value));
}

static void test_site(void **state)
{
    static const char *const rows[][2] = {
        {"https://hooks.example/services/T0/B0/s3cret?x=1", "https://hooks.example/\xe2\x80\xa6"},
        {"http://[::1]:8080/x", "http://[::1]:8080/\xe2\x80\xa6"},
        {"http://h:81/", "http://h:81"},
        {"http://h?token=x", "http://h/\xe2\x80\xa6"},
        {"http://h:80", "http://h"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf AUTO(buf_release) out = BUF_INIT(URL_MAX);
        url_add_site(&out, str_of(rows[i][0]));
        assert_str(buf_str(&out), rows[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_parse_caps), cmocka_unit_test(test_same_origin),
        cmocka_unit_test(test_join),       cmocka_unit_test(test_redact),
        cmocka_unit_test(test_escape),     cmocka_unit_test(test_unescape_refuses),
        cmocka_unit_test(test_params),     cmocka_unit_test(test_site),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
