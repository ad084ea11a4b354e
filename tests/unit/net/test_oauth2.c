/* Tokens from a token server that is strict about every rule: discovery, the ways to log in, rotation, metrics. */
#include "net/oauth2.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "base/secret.h"
#include "base/trace.h"
#include "fake/clock.h"
#include "fake/http_kit.h"
#include "fake/token_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct token_server server;
    struct http_kit kit;
    struct metrics *metrics;
    struct fake_clock clock;
    char path[64]; /* of the secret's file, or empty */
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    token_server_start(&f->server);
    http_kit_start(&f->kit, f->server.peer.port);
    f->metrics = metrics_new();
    f->kit.env.metrics = f->metrics;
    f->kit.config.oauth2.client_id = STR("me");
    f->server.secret = "s";
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    struct http_oauth2_config *config = &f->kit.config.oauth2;

    if (f->path[0] != '\0') {
        (void)unlink(f->path);
    }
    http_client_free(f->kit.client);
    f->kit.client = NULL;
    secret_free(config->client_secret);
    secret_free(config->private_key);
    http_kit_stop(&f->kit);
    metrics_free(f->metrics);
    token_server_stop(&f->server);
    mem_free(f);
    return 0;
}

static void use_url(struct fixture *f)
{
    f->kit.config.oauth2.token_url = buf_str(&f->server.token_url);
}

static void use_issuer(struct fixture *f)
{
    f->kit.config.oauth2.issuer = buf_str(&f->server.issuer);
}

static void use_secret(struct fixture *f, const char *secret)
{
    f->server.secret = secret;
    f->kit.config.oauth2.client_secret = secret_from_text(str_of(secret));
}

/* The client has <kind>'s private half, the server the public one. */
static void use_key(struct fixture *f, const char *kind)
{
    struct buf AUTO(buf_release) pem = BUF_INIT(BUF_UNLIMITED);

    f->server.auth = TOKEN_JWT;
    f->server.key = token_server_make_key(kind, &pem);
    f->kit.config.oauth2.private_key = secret_from_text(buf_str(&pem));
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void use_secret_file(struct fixture *f, const char *text)
{
    (void)snprintf(f->path, sizeof(f->path), "/tmp/telex-test-XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    (void)close(fd);
    write_file(f->path, text);
    f->kit.config.oauth2.client_secret_file = str_of(f->path);
}

static void must_get(struct fixture *f, int status)
{
    if (!http_kit_get(&f->kit, "/api")) {
        fail_msg("%s (%s)", f->kit.err.message, buf_text(&f->server.complaint));
    }
    if (f->server.complaint.len > 0) {
        fail_msg("the token server complains: %s", buf_text(&f->server.complaint));
    }
    assert_int_equal(f->kit.response.status, status);
}

static void must_fail(struct fixture *f, enum http_failure failure, const char *words)
{
    assert_false(http_kit_get(&f->kit, "/api"));
    if (f->kit.response.failure != failure || strstr(f->kit.err.message, words) == NULL) {
        fail_msg("%d %s, expected %d %s", f->kit.response.failure, f->kit.err.message, failure,
                 words);
    }
    assert_false(f->kit.response.request_sent);
    assert_int_equal(f->server.api_requests, 0);
}

static void must_measure(struct fixture *f, const char *line)
{
    struct buf AUTO(buf_release) text = BUF_INIT(BUF_UNLIMITED);

    metrics_render(f->metrics, &text);
    if (strstr(buf_text(&text), line) == NULL) {
        fail_msg("no '%s' in\n%s", line, buf_text(&text));
    }
}

/* --- ways to log in --- */

static void test_basic_is_form_encoded(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "p%&=+ \xc3\xa4:/?");
    f->server.client_id = "id:1 \xe2\x82\xac%";
    f->kit.config.oauth2.client_id = str_of(f->server.client_id);
    f->server.rest = "grant_type=client_credentials";
    must_get(f, 200);
}

static void test_post(void **state)
{
    static const int styles[] = {OAUTH2_STYLE_BODY, OAUTH2_STYLE_POST};
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "p%&=+ ");
    f->server.auth = TOKEN_POST;
    for (size_t i = 0; i < ARRAY_LEN(styles); i++) {
        f->kit.config.oauth2.style = styles[i];
        http_kit_client(&f->kit);
        must_get(f, 200);
    }
}

static void test_scope_audience_resource(void **state)
{
    static const struct str scopes[] = {STR_INIT("a"), STR_INIT("b:c")};
    static const struct str resources[] = {STR_INIT("https://r/1"), STR_INIT("urn:2")};
    static const struct option_pair params[] = {{.name = STR_INIT("x"), .value = STR_INIT("y z")}};
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "s");
    f->kit.config.oauth2.scopes = (struct option_list){scopes, 2};
    f->kit.config.oauth2.resource = (struct option_list){resources, 2};
    f->kit.config.oauth2.audience = STR("https://a");
    f->kit.config.oauth2.endpoint_params = (struct option_map){params, 1};
    f->server.rest = "grant_type=client_credentials&scope=a+b%3Ac&audience=https%3A%2F%2Fa"
                     "&resource=https%3A%2F%2Fr%2F1&resource=urn%3A2&x=y+z";
    must_get(f, 200);
}

static void test_assertions(void **state)
{
    static const char *const kinds[] = {"RSA", "EC"};
    struct fixture *f = *state;

    use_url(f);
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        EVP_PKEY_free(f->server.key);
        secret_free(f->kit.config.oauth2.private_key);
        use_key(f, kinds[i]);
        f->server.key_id = i > 0 ? "key \"1\"" : NULL;
        f->kit.config.oauth2.key_id = str_of(i > 0 ? f->server.key_id : "");
        f->server.audience = i > 0 ? "https://issuer" : NULL;
        f->kit.config.oauth2.assertion_audience = str_of(i > 0 ? "https://issuer" : "");
        http_kit_client(&f->kit);
        for (unsigned n = 0; n < 20; n++) { /* halves of ES256 that begin with zeros among them */
            f->server.good_from = f->server.requests + 1;
            must_get(f, 200);
        }
    }
    assert_int_equal(f->server.id_count, 40);
}

static void test_another_key_is_refused(void **state)
{
    struct buf AUTO(buf_release) pem = BUF_INIT(BUF_UNLIMITED);
    struct fixture *f = *state;

    use_url(f);
    use_key(f, "EC");
    EVP_PKEY_free(f->server.key);
    f->server.key = token_server_make_key("EC", &pem);
    must_fail(f, HTTP_FAILURE_AUTH, "invalid_client: who?");
    assert_int_equal(f->server.requests, 1);
    must_measure(f, "result=\"invalid_client\"} 1\n");
}

static void test_configs_that_cannot_be(void **state)
{
    struct fixture *f = *state;
    struct http_oauth2_config *c = &f->kit.config.oauth2;
    struct secret *AUTO(secret_autofree) secret = secret_from_text(STR("geheim"));
    const struct {
        const char *url;
        const char *issuer;
        struct secret *secret;
        struct secret *key;
        int style;
        const char *words;
    } cases[] = {
        {"http://h/", "http://i", secret, NULL, OAUTH2_STYLE_AUTO, "'issuer'"},
        {"http://h/", "", secret, secret, OAUTH2_STYLE_AUTO, "both set"},
        {"http://h/", "", NULL, secret, OAUTH2_STYLE_AUTO, "no private key in PEM"},
        {"http://h/", "", NULL, secret, OAUTH2_STYLE_POST, "no use for 'private_key'"},
        {"http://h/", "", secret, NULL, OAUTH2_STYLE_JWT, "needs 'private_key'"},
        {"", "nowhere", secret, NULL, OAUTH2_STYLE_AUTO, "http"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_client *client = NULL;
        struct err e = ERR_INIT;
        *c = (struct http_oauth2_config){.token_url = str_of(cases[i].url),
                                         .issuer = str_of(cases[i].issuer),
                                         .client_id = STR("me"),
                                         .client_secret = cases[i].secret,
                                         .private_key = cases[i].key,
                                         .style = cases[i].style};
        assert_false(http_client_new(&f->kit.env, &f->kit.config, &client, &e));
        if (strstr(e.message, cases[i].words) == NULL || strstr(e.message, "geheim") != NULL) {
            fail_msg("%s, expected %s", e.message, cases[i].words);
        }
    }
    *c = (struct http_oauth2_config){0};
}

/* --- discovery --- */

static void test_discovery_chooses(void **state)
{
    static const struct {
        const char *methods;
        enum token_server_auth auth;
    } cases[] = {
        {NULL, TOKEN_BASIC},
        {"[\"private_key_jwt\",\"client_secret_post\",\"client_secret_basic\"]", TOKEN_BASIC},
        {"[\"none\",\"client_secret_post\"]", TOKEN_POST},
    };
    struct fixture *f = *state;

    use_issuer(f);
    use_secret(f, "s +");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->server.said_methods = cases[i].methods;
        f->server.auth = cases[i].auth;
        http_kit_client(&f->kit);
        must_get(f, 200);
        must_get(f, 200);
        assert_int_equal(f->server.discoveries, i + 1);
        assert_int_equal(f->server.requests, i + 1);
    }
}

static void test_discovery_with_a_key(void **state)
{
    struct fixture *f = *state;

    use_issuer(f);
    use_key(f, "EC");
    f->server.said_methods = "[\"private_key_jwt\"]";
    must_get(f, 200);
}

static void test_discovery_refused(void **state)
{
    static const struct {
        const char *issuer;
        const char *endpoint;
        const char *methods;
        int status;
        enum http_failure failure;
        const char *words;
    } cases[] = {
        {"https://evil", NULL, NULL, 200, HTTP_FAILURE_AUTH, "calls itself 'https://evil'"},
        {NULL, "", NULL, 200, HTTP_FAILURE_AUTH, "no token_endpoint"},
        {NULL, "ftp://h/", NULL, 200, HTTP_FAILURE_AUTH, "http"},
        {NULL, NULL, "[\"tls_client_auth\",7]", 200, HTTP_FAILURE_AUTH, "only tls_client_auth, 7"},
        {NULL, NULL, NULL, 404, HTTP_FAILURE_AUTH,
         "/.well-known/openid-configuration answered 404"},
        {NULL, NULL, NULL, 302, HTTP_FAILURE_AUTH, "answered 302"},
        {NULL, NULL, NULL, 503, HTTP_FAILURE_CONNECT, "answered 503"},
        {"\\", NULL, NULL, 200, HTTP_FAILURE_AUTH, "JSON"},
    };
    struct fixture *f = *state;

    use_issuer(f);
    use_secret(f, "s");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->server.said_issuer = cases[i].issuer;
        f->server.said_endpoint = cases[i].endpoint;
        f->server.said_methods = cases[i].methods;
        f->server.metadata_status = cases[i].status;
        http_kit_client(&f->kit);
        must_fail(f, cases[i].failure, cases[i].words);
    }
    assert_int_equal(f->server.requests, 0);
    must_measure(f, "result=\"discovery\"}");
}

/* A token endpoint that has moved is looked for again. */
static void test_discovery_again(void **state)
{
    struct fixture *f = *state;

    use_issuer(f);
    use_secret(f, "s");
    must_get(f, 200);
    f->server.good_from = 2;
    f->server.status = 404;
    f->server.error = "{}";
    assert_false(http_kit_get(&f->kit, "/api"));
    f->server.status = 200;
    must_get(f, 200);
    assert_int_equal(f->server.discoveries, 2);
}

/* An issuer that is https says nothing that is not; what it may say else is parsed by the same function. */
static void test_metadata_of_https(void **state)
{
    struct arena AUTO(arena_release) a = {0};
    struct oauth2_metadata m;
    struct err e = ERR_INIT;

    (void)state;
    arena_init(&a, ARENA_UNLIMITED);
    assert_false(
        oauth2_parse_metadata(STR("{\"issuer\":\"https://i\",\"token_endpoint\":\"http://i/t\"}"),
                              STR("https://i"), &a, &m, &e));
    assert_non_null(strstr(e.message, "not https"));
    assert_true(oauth2_parse_metadata(
        STR("{\"issuer\":\"https://i\",\"token_endpoint\":\"https://other/t\"}"), STR("https://i"),
        &a, &m, &e));
    assert_true(m.takes_basic && !m.takes_post);
}

/* --- secrets that change --- */

static void test_rotation(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret_file(f, "one\n");
    f->server.secret = "one";
    must_get(f, 200);
    write_file(f->path, "two and more\n");
    f->server.secret = "two and more";
    f->server.good_from = 2;
    must_get(f, 200);
    assert_int_equal(f->server.requests, 2);
}

static char rotated_path[64];

static void rotate(struct token_server *s)
{
    if (s->requests == 0) {
        write_file(rotated_path, "two");
    }
}

/* Changed between our reading it and the server's: one more try, and only then. */
static void test_rotation_in_mid_request(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret_file(f, "one");
    memcpy(rotated_path, f->path, sizeof(rotated_path));
    f->server.secret = "two";
    f->server.on_request = rotate;
    must_get(f, 200);
    assert_int_equal(f->server.requests, 2);
    must_measure(f, "result=\"ok\"} 1\n");
}

static void test_a_wrong_secret_is_tried_once(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret_file(f, "wrong");
    must_fail(f, HTTP_FAILURE_AUTH, "answered 401: invalid_client");
    assert_int_equal(f->server.requests, 1);
}

/* --- what is given --- */

static void test_other_types_are_refused(void **state)
{
    static const struct {
        const char *type;
        bool fine;
    } cases[] = {{NULL, true}, {"bearer", true}, {"BEARER", true}, {"DPoP", false}, {"mac", false}};
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "s");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->server.type = cases[i].type;
        http_kit_client(&f->kit);
        assert_int_equal(http_kit_get(&f->kit, "/api"), cases[i].fine);
        must_measure(f, cases[i].fine ? "result=\"ok\"} 1\n" : "result=\"malformed\"} 1\n");
    }
}

/* A token that lives for less than the usual minute of leeway is used for most of its life. */
static void test_short_lives(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "s");
    fake_clock_init(&f->clock, clock_wall_ns(clock_system()), NS_PER_S);
    f->kit.env.clock = &f->clock.clock;
    f->server.expires = "10";
    must_get(f, 200);
    fake_clock_advance_ms(&f->clock, 7 * 1000);
    must_get(f, 200);
    assert_int_equal(f->server.requests, 1);
    must_measure(f, "client=\"me\"} 7\n");
    fake_clock_advance_ms(&f->clock, 1100);
    must_get(f, 200);
    assert_int_equal(f->server.requests, 2);
    must_measure(f, "client=\"me\"} 0\n");
}

static void test_age_without_a_token(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "s");
    http_kit_client(&f->kit);
    must_measure(f, "telex_oauth2_token_age_seconds{server=\"127.0.0.1:");
    must_measure(f, "client=\"me\"} -1\n");
}

static void test_results(void **state)
{
    static const struct {
        int status;
        const char *error;
        enum http_failure failure;
        const char *line;
    } cases[] = {
        {400, "{\"error\":\"invalid_scope\"}", HTTP_FAILURE_AUTH, "result=\"refused\"} 1\n"},
        {400, "{\"error\":\"invalid_client\"}", HTTP_FAILURE_AUTH,
         "result=\"invalid_client\"} 1\n"},
        {429, "{}", HTTP_FAILURE_CONNECT, "result=\"busy\"} 1\n"},
        {302, "", HTTP_FAILURE_AUTH, "result=\"refused\"} 2\n"},
    };
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "s");
    http_kit_client(&f->kit);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->server.status = cases[i].status;
        f->server.error = cases[i].error;
        must_fail(f, cases[i].failure, "");
        must_measure(f, cases[i].line);
    }
}

/* A server that repeats what it got does not make us tell it. */
static void test_echoes_are_not_told(void **state)
{
    struct fixture *f = *state;

    use_url(f);
    use_secret(f, "geheim");
    f->server.status = 401;
    f->server.error = "{\"error\":\"invalid_client\",\"error_description\":\"not geheim\"}";
    must_fail(f, HTTP_FAILURE_AUTH, "invalid_client");
    assert_null(strstr(f->kit.err.message, "geheim"));
    f->server.error = "{\"error\":\"invalid_client\",\"error_description\":\"bad eyJhbGciOi\"}";
    must_fail(f, HTTP_FAILURE_AUTH, "invalid_client");
    assert_null(strstr(f->kit.err.message, "eyJ"));
}

/* --- certificates that are not verified --- */

static void test_unverified_is_told(void **state)
{
    struct fixture *f = *state;
    int pipes[2];
    char text[4096] = "";

    assert_int_equal(pipe(pipes), 0);
    f->kit.env.trace = trace_sink_new(pipes[1], TRACE_LOGFMT, clock_system());
    use_url(f);
    use_secret(f, "s");
    f->kit.config.oauth2.tls.insecure_skip_verify = true;
    http_kit_client(&f->kit);
    must_measure(f, "telex_http_unverified_clients{server=\"127.0.0.1:");
    struct http_client *another = NULL;
    assert_true(http_client_new(&f->kit.env, &f->kit.config, &another, &f->kit.err));
    assert_true(read(pipes[0], text, sizeof(text) - 1) > 0);
    const char *told = strstr(text, "certificates are not verified");
    assert_non_null(told);
    assert_null(strstr(told + 1, "certificates are not verified")); /* once per server */
    http_client_free(another);
    must_measure(f, "telex_http_unverified_clients{server=\"127.0.0.1:");
    http_client_free(f->kit.client);
    f->kit.client = NULL;
    trace_sink_free(f->kit.env.trace);
    f->kit.env.trace = NULL;
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_basic_is_form_encoded),   CASE(test_post),
        CASE(test_scope_audience_resource), CASE(test_assertions),
        CASE(test_another_key_is_refused),  CASE(test_configs_that_cannot_be),
        CASE(test_discovery_chooses),       CASE(test_discovery_with_a_key),
        CASE(test_discovery_refused),       CASE(test_discovery_again),
        CASE(test_metadata_of_https),       CASE(test_rotation),
        CASE(test_rotation_in_mid_request), CASE(test_a_wrong_secret_is_tried_once),
        CASE(test_other_types_are_refused), CASE(test_short_lives),
        CASE(test_age_without_a_token),     CASE(test_results),
        CASE(test_echoes_are_not_told),     CASE(test_unverified_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
