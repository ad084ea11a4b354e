/* The option tables, through the parser that users meet. */
#include "net/http_options.h"

#include "base/clock.h"
#include "base/secret.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"
#include "net/http_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *look_up(void *arg, const char *name)
{
    (void)arg;
    return strcmp(name, "TOKEN") == 0 ? "from-env" : NULL;
}

static const struct option_source from_env = {.lookup = look_up};

/* Parses one YAML mapping by <table>; "" is an absent one. */
static bool parse(const struct option_table *table, const char *text, struct arena *a, void *config,
                  struct err *e)
{
    struct yaml_source *source = arena_new(a, struct yaml_source);
    const struct yaml_node *documents = NULL;

    *source = (struct yaml_source){STR("test.yaml"), str_of(text)};
    return yaml_parse(a, source, &documents, e) &&
           options_parse(table, documents->first, &from_env, a, config, e);
}

static void must_parse(const struct option_table *table, const char *text, struct arena *a,
                       void *config)
{
    struct err e = ERR_INIT;

    if (!parse(table, text, a, config, &e)) {
        fail_msg("%s: %s", text, e.message);
    }
}

static void test_client_defaults(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct http_client_config c;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(&http_client_options, "url: http://h:1/x", &a, &c);
    assert_true(str_eq(c.url, STR("http://h:1/x")));
    assert_int_equal(c.timeout_ns, 30 * NS_PER_S);
    assert_int_equal(c.connect_timeout_ns, 5 * NS_PER_S);
    assert_int_equal(c.max_response_bytes, 16000000);
    assert_true(str_eq(c.api_key_header, STR("X-API-Key")));
    assert_false(c.tls.insecure_skip_verify);
    assert_null(c.password);
    assert_int_equal(c.oauth2.token_url.len, 0);
    options_release(&http_client_options, &c);
}

static void test_client_all(void **state)
{
    static const char text[] = "endpoint: https://h/\n"
                               "timeout_seconds: 7\n"
                               "headers: { X-A: a, X-B: 'b c' }\n"
                               "api_key: k\n"
                               "api_key_header: DD-API-KEY\n"
                               "max_response_bytes: 1MiB\n"
                               "proxy_url: http://proxy:3128\n"
                               "tls_config: { insecureSkipVerify: true, server_name: n }\n"
                               "oidc:\n"
                               "  tokenUrl: https://auth/token\n"
                               "  clientId: me\n"
                               "  client_secret: ${TOKEN}\n"
                               "  scope: events:write\n"
                               "  style: body\n"
                               "  endpoint_params: { audience: a }\n";
    struct arena AUTO(arena_release) a = {0};
    struct http_client_config c;
    struct err e = ERR_INIT;
    struct http_client *client = NULL;
    struct http_kit kit;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(&http_client_options, text, &a, &c);
    assert_int_equal(c.timeout_ns, 7 * NS_PER_S);
    assert_int_equal(c.headers.count, 2);
    assert_int_equal(c.max_response_bytes, 1024 * 1024);
    assert_true(c.tls.insecure_skip_verify);
    assert_true(str_eq(c.oauth2.client_id, STR("me")));
    assert_int_equal(c.oauth2.scopes.count, 1);
    assert_int_equal(c.oauth2.style, OAUTH2_STYLE_BODY);
    http_kit_start(&kit, 1);
    if (!http_client_new(&kit.env, &c, &client, &e)) {
        fail_msg("%s", e.message);
    }
    http_client_free(client);
    http_kit_stop(&kit);
    options_release(&http_client_options, &c);
}

/* Of seed 002's section each key, and what it does not have. */
static void test_oidc(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct http_client_config c;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(
        &http_client_options,
        "url: https://h\ninsecureSkipVerify: true\n"
        "oidc: { tokenUrl: https://a/t, clientId: me, scope: 'x:y', insecureSkipVerify: true }",
        &a, &c);
    assert_true(c.tls.insecure_skip_verify && c.oauth2.tls.insecure_skip_verify);
    assert_int_equal(c.oauth2.style, OAUTH2_STYLE_AUTO);
    assert_true(http_oauth2_is_set(&c.oauth2));
    options_release(&http_client_options, &c);
    must_parse(
        &http_client_options,
        "url: https://h\noauth2: { issuer: https://a, client_id: me, private_key: '${TOKEN}', "
        "key_id: k, audience: x, resource: [y, z], tls: { insecure_skip_verify: true }, "
        "token_endpoint_auth_method: private_key_jwt }",
        &a, &c);
    assert_true(!c.tls.insecure_skip_verify && c.oauth2.tls.insecure_skip_verify);
    assert_int_equal(c.oauth2.style, OAUTH2_STYLE_JWT);
    assert_int_equal(c.oauth2.resource.count, 2);
    assert_true(secret_equals(c.oauth2.private_key, STR("from-env")));
    assert_true(http_oauth2_is_set(&c.oauth2));
    options_release(&http_client_options, &c);
}

/* The auth section is another spelling of the same fields. */
static void test_auth_section(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct http_client_config c;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(&http_client_options,
               "url: http://h\nauth: { type: bearer, token: '${TOKEN}', headers: { X-A: b } }", &a,
               &c);
    assert_true(secret_equals(c.bearer_token, STR("from-env")));
    assert_int_equal(c.auth_type, HTTP_AUTH_BEARER);
    assert_int_equal(c.headers.count, 1);
    assert_true(str_eq(c.api_key_header, STR("X-API-Key")));
    options_release(&http_client_options, &c);
    must_parse(&http_client_options,
               "url: http://h\nbearer_token: old\nauth: { type: api_key, api_key: k }", &a, &c);
    assert_true(secret_equals(c.api_key, STR("k")));
    assert_true(secret_equals(c.bearer_token, STR("old")));
    options_release(&http_client_options, &c);
}

/* Prometheus' sections are other spellings too. */
static void test_prometheus_sections(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct http_client_config c;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(&http_client_options,
               "url: http://h\nbasic_auth: { username: u, password_file: p }\ntls_config: {}", &a,
               &c);
    assert_true(str_eq(c.username, STR("u")) && str_eq(c.password_file, STR("p")));
    options_release(&http_client_options, &c);
    must_parse(&http_client_options,
               "url: http://h\nauthorization: { type: Token, credentials: '${TOKEN}' }", &a, &c);
    assert_true(str_eq(c.bearer_scheme, STR("Token")));
    assert_true(secret_equals(c.bearer_token, STR("from-env")));
    options_release(&http_client_options, &c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *message;
    } cases[] = {
        {"url: ftp://h", 1, "http"},
        {"url: http://u:geheim@h", 1, "credentials"},
        {"url: http://h\ntimeout: -1s", 2, ""},
        {"url: http://h\ntimeoutt: 1s", 2, "timeout"},
        {"url: http://h\ntls: { ca: x }", 2, "ca_file"},
        {"url: http://h\noauth2: { style: query }", 2, "header"},
        {"url: http://h\nheaders: [a]", 2, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena AUTO(arena_release) a = {0};
        struct http_client_config c;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        if (parse(&http_client_options, cases[i].text, &a, &c, &e)) {
            fail_msg("%s was taken", cases[i].text);
        }
        if (e.pos.line != cases[i].line || strstr(e.message, cases[i].message) == NULL ||
            strstr(e.message, "geheim") != NULL) {
            fail_msg("%s: %u: %s", cases[i].text, e.pos.line, e.message);
        }
    }
}

static void test_server(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct http_server_config c;
    struct http_server *server = NULL;
    struct http_kit kit;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    must_parse(&http_server_options, "{}", &a, &c);
    assert_true(str_eq(c.listen, STR("127.0.0.1:8420")));
    assert_int_equal(c.max_header_bytes, 32 * 1024);
    options_release(&http_server_options, &c);
    must_parse(&http_server_options,
               "listen: 127.0.0.1:0\nallowed_hosts: [a, '*.b']\nadmin_token: ${TOKEN}\n"
               "auth: { username: u, password: p }\nidle_timeout: 5",
               &a, &c);
    assert_int_equal(c.allowed_hosts.count, 2);
    assert_non_null(c.admin_token);
    assert_int_equal(c.idle_timeout_ns, 5 * NS_PER_S);
    http_kit_start(&kit, 1);
    if (!http_server_start(&kit.env, &c, NULL, 0, &server, &e)) {
        fail_msg("%s", e.message);
    }
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_SMALL);
    raw_exchange(http_server_port(server),
                 "GET / HTTP/1.1\r\nHost: x.b\r\nConnection: close\r\n\r\n", &out);
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 404 ")));
    http_server_free(server);
    http_kit_stop(&kit);
    options_release(&http_server_options, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_client_defaults),
        cmocka_unit_test(test_client_all),
        cmocka_unit_test(test_oidc),
        cmocka_unit_test(test_auth_section),
        cmocka_unit_test(test_prometheus_sections),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
