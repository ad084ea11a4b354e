/* Who we say we are: basic, bearer, keys, files that change, proxies, OAuth2. */
#include "net/http_client.h"

#include "base/clock.h"
#include "base/secret.h"
#include "fake/clock.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"
#include "net/oauth2_pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A server that is at once the destination (/api), its token server (/token) and a proxy. */
struct fixture {
    struct http_peer peer;
    struct http_kit kit;
    struct fake_clock clock; /* for tests that want it */
    struct buf token_url;
    struct lock lock;
    struct buf head;       /* of the last request to /api or to the proxy */
    struct buf token_head; /* of the last request to /token */
    struct buf token_form;
    unsigned api_requests;
    unsigned token_requests;
    int token_status;
    int64_t token_pause_ms;
    const char *expires;  /* as it stands in the JSON, or NULL */
    unsigned good_tokens; /* tokens numbered from here on are good */
};

static void remember(struct buf *where, const struct buf *what)
{
    buf_clear(where);
    buf_add_str(where, buf_str(what));
}

static void answer_token(struct fixture *f, int fd, const struct buf *head, const struct buf *form)
{
    struct buf AUTO(buf_release) json = BUF_INIT(BUF_SMALL);

    lock_take(&f->lock);
    remember(&f->token_head, head);
    remember(&f->token_form, form);
    unsigned number = ++f->token_requests;
    int status = f->token_status;
    int64_t pause_ms = f->token_pause_ms;
    if (status == 200) {
        buf_addf(&json, "{\"token_type\":\"Bearer\",\"access_token\":\"token-%u\"", number);
        if (f->expires != NULL) {
            buf_addf(&json, ",\"expires_in\":%s", f->expires);
        }
        buf_add_text(&json, ",\"more\":[{\"x\":null}]}");
    } else {
        buf_add_text(&json, "{\"error\":\"invalid_client\",\"error_description\":\"who?\"}");
    }
    lock_give(&f->lock);
    http_peer_pause_ms(pause_ms);
    (void)http_peer_answer(fd, status, "Content-Type: application/json\r\n", buf_str(&json));
}

static unsigned token_number(struct str authorization)
{
    unsigned number = 0;
    struct str prefix = STR("Bearer token-");

    if (!str_starts(authorization, prefix)) {
        return 0;
    }
    for (size_t i = prefix.len; i < authorization.len; i++) {
        number = number * 10 + (unsigned)(authorization.ptr[i] - '0');
    }
    return number;
}

static void answer_api(struct fixture *f, int fd, const struct buf *head)
{
    lock_take(&f->lock);
    remember(&f->head, head);
    f->api_requests++;
    unsigned number = token_number(http_peer_header(head, "authorization"));
    bool good = f->good_tokens == 0 || number >= f->good_tokens;
    lock_give(&f->lock);
    (void)http_peer_answer(fd, good ? 200 : 401, "", STR("api"));
}

static void serve(struct http_peer *peer, unsigned index, int fd)
{
    struct fixture *f = peer->arg;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    (void)index;
    while (http_peer_read(peer, fd, &head, &body)) {
        if (str_starts(buf_str(&head), STR("POST /token"))) {
            answer_token(f, fd, &head, &body);
        } else if (str_starts(buf_str(&head), STR("CONNECT good"))) {
            lock_take(&f->lock);
            remember(&f->head, &head);
            lock_give(&f->lock);
            (void)http_peer_text(fd, "HTTP/1.1 200 Tunnel\r\nX-Proxy: 1\r\n\r\n");
            return;
        } else if (str_starts(buf_str(&head), STR("CONNECT"))) {
            (void)http_peer_answer(fd, 407, "", STR(""));
        } else {
            answer_api(f, fd, &head);
        }
    }
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    lock_init(&f->lock);
    buf_init(&f->head, BUF_UNLIMITED);
    buf_init(&f->token_head, BUF_UNLIMITED);
    buf_init(&f->token_form, BUF_UNLIMITED);
    buf_init(&f->token_url, BUF_UNLIMITED);
    f->token_status = 200;
    f->expires = "3600";
    http_peer_start(&f->peer, serve, f);
    http_kit_start(&f->kit, f->peer.port);
    buf_addf(&f->token_url, "http://127.0.0.1:%u/token", f->peer.port);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    secret_free(f->kit.config.oauth2.client_secret);
    http_kit_stop(&f->kit);
    http_peer_stop(&f->peer);
    buf_release(&f->head);
    buf_release(&f->token_head);
    buf_release(&f->token_form);
    buf_release(&f->token_url);
    lock_release(&f->lock);
    mem_free(f);
    return 0;
}

static void must_get(struct fixture *f, int status)
{
    if (!http_kit_get(&f->kit, "/api")) {
        fail_msg("%s", f->kit.err.message);
    }
    assert_int_equal(f->kit.response.status, status);
}

static void assert_header(const struct buf *head, const char *name, const char *value)
{
    struct str got = http_peer_header(head, name);

    if (!str_eq(got, str_of(value))) {
        fail_msg("%s: got '%.*s', want '%s'", name, STR_FMT(got), value);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_basic(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) password = secret_from_text(STR("open:sesame"));

    f->kit.config.username = STR("Aladdin");
    f->kit.config.password = password;
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==");
    http_client_free(f->kit.client);
    f->kit.client = NULL;
}

static void test_bearer_and_key(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t-1"));
    struct secret *AUTO(secret_autofree) key = secret_from_text(STR("k-1"));

    f->kit.config.bearer_token = token;
    f->kit.config.api_key = key;
    f->kit.config.api_key_header = STR("DD-API-KEY");
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer t-1");
    assert_header(&f->head, "DD-API-KEY", "k-1");
    f->kit.config.bearer_scheme = STR("Token");
    http_kit_client(&f->kit);
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Token t-1");
    http_client_free(f->kit.client);
    f->kit.client = NULL;
}

static void test_files_are_read_again(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/telex-test-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    (void)close(fd);
    write_file(path, "first\n");
    f->kit.config.bearer_token_file = str_of(path);
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer first");
    write_file(path, "second one\n");
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer second one");
    assert_int_equal(unlink(path), 0);
}

static void test_secret_with_line_break(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("a\r\nX: geheim"));

    f->kit.config.bearer_token = token;
    assert_false(http_kit_get(&f->kit, "/api"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_REQUEST);
    assert_null(strstr(f->kit.err.message, "geheim"));
    assert_int_equal(f->peer.connections, 0);
    http_client_free(f->kit.client);
    f->kit.client = NULL;
}

/* --- proxies --- */

static void test_proxy(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t-1"));
    struct secret *AUTO(secret_autofree) password = secret_from_text(STR("sesame"));

    f->kit.config.proxy_url = f->kit.config.url;
    f->kit.config.url = STR("http://far.example/base");
    f->kit.config.bearer_token = token;
    f->kit.config.proxy_username = STR("Aladdin");
    f->kit.config.proxy_password = password;
    must_get(f, 200);
    assert_true(str_starts(buf_str(&f->head), STR("GET http://far.example/base/api HTTP/1.1")));
    assert_header(&f->head, "Proxy-Authorization", "Basic QWxhZGRpbjpzZXNhbWU=");
    assert_header(&f->head, "Authorization", "Bearer t-1");
    http_client_free(f->kit.client);
    f->kit.client = NULL;
}

static void test_proxy_tunnel(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t-1"));

    f->kit.config.proxy_url = f->kit.config.url;
    f->kit.config.bearer_token = token;
    f->kit.config.url = STR("https://good.example/");
    assert_false(http_kit_get(&f->kit, "/api"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_TLS); /* our tunnel ends in nothing */
    assert_false(f->kit.response.request_sent);
    assert_header(&f->head, "Host", "good.example:443");
    assert_null(http_peer_header(&f->head, "Authorization").ptr);

    f->kit.config.url = STR("https://bad.example/");
    http_kit_client(&f->kit);
    assert_false(http_kit_get(&f->kit, "/api"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_CONNECT);
    assert_false(f->kit.response.request_sent);
    http_client_free(f->kit.client);
    f->kit.client = NULL;
}

static void test_environment_proxy_is_not_used(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    must_get(f, 200);
    assert_int_equal(unsetenv("http_proxy"), 0);
}

/* --- OAuth2 --- */

static const struct str scopes[] = {STR_INIT("read"), STR_INIT("events:write")};
static const struct option_pair params[] = {
    {.name = STR_INIT("audience"), .value = STR_INIT("https://a b")}};

static void use_oauth2(struct fixture *f)
{
    f->kit.config.oauth2 = (struct http_oauth2_config){
        .token_url = buf_str(&f->token_url),
        .client_id = STR("id:1"),
        .client_secret = secret_from_text(STR("s p+")),
        .scopes = {scopes, ARRAY_LEN(scopes)},
        .endpoint_params = {params, ARRAY_LEN(params)},
    };
}

static void use_fake_clock(struct fixture *f)
{
    fake_clock_init(&f->clock, 0, NS_PER_S);
    f->kit.env.clock = &f->clock.clock;
}

static void test_oauth2_header_style(void **state)
{
    struct fixture *f = *state;

    use_oauth2(f);
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer token-1");
    /* id%3A1:s+p%2B */
    assert_header(&f->token_head, "Authorization", "Basic aWQlM0ExOnMrcCUyQg==");
    assert_header(&f->token_head, "Content-Type", "application/x-www-form-urlencoded");
    assert_string_equal(buf_text(&f->token_form),
                        "grant_type=client_credentials&scope=read+events%3Awrite"
                        "&audience=https%3A%2F%2Fa+b");
    must_get(f, 200);
    assert_int_equal(f->token_requests, 1);
}

static void test_oauth2_body_style(void **state)
{
    struct fixture *f = *state;

    use_oauth2(f);
    f->kit.config.oauth2.style = OAUTH2_STYLE_BODY;
    f->kit.config.oauth2.scopes.count = 0;
    f->kit.config.oauth2.endpoint_params.count = 0;
    must_get(f, 200);
    assert_null(http_peer_header(&f->token_head, "Authorization").ptr);
    assert_string_equal(buf_text(&f->token_form),
                        "grant_type=client_credentials&client_id=id%3A1&client_secret=s+p%2B");
}

static void test_oauth2_401_once(void **state)
{
    struct fixture *f = *state;

    use_oauth2(f);
    f->good_tokens = 2;
    must_get(f, 200);
    assert_int_equal(f->token_requests, 2);
    assert_int_equal(f->api_requests, 2);
    f->good_tokens = 1000; /* refused for good: one fresh token, then it is reported */
    must_get(f, 401);
    assert_int_equal(f->token_requests, 3);
    assert_int_equal(f->api_requests, 4);
}

static void test_oauth2_expiry(void **state)
{
    struct fixture *f = *state;

    use_oauth2(f);
    use_fake_clock(f);
    f->expires = "60";
    must_get(f, 200);
    must_get(f, 200);
    assert_int_equal(f->token_requests, 1);
    fake_clock_advance_ms(&f->clock, 45 * 1000);
    must_get(f, 200);
    assert_int_equal(f->token_requests, 1);
    fake_clock_advance_ms(&f->clock, 4 * 1000); /* past 80 percent, not past the end */
    must_get(f, 200);
    assert_int_equal(f->token_requests, 2);
    assert_header(&f->head, "Authorization", "Bearer token-2");
    fake_clock_advance_ms(&f->clock, 3600 * 1000);
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer token-3");
}

static void test_oauth2_without_expiry(void **state)
{
    static const char *const odd[] = {NULL, "0", "null", "-5", "\"soon\""};
    struct fixture *f = *state;

    use_oauth2(f);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        f->expires = odd[i];
        http_kit_client(&f->kit);
        unsigned before = f->token_requests;
        must_get(f, 200);
        must_get(f, 200);
        assert_int_equal(f->token_requests, before + 1);
    }
}

/* A renewal that fails costs nothing while the old token is good. */
static void test_oauth2_failed_renewal(void **state)
{
    struct fixture *f = *state;

    use_oauth2(f);
    use_fake_clock(f);
    f->expires = "60";
    must_get(f, 200);
    f->token_status = 503;
    fake_clock_advance_ms(&f->clock, 49 * 1000);
    must_get(f, 200);
    assert_header(&f->head, "Authorization", "Bearer token-1");
    must_get(f, 200);
    assert_int_equal(f->token_requests, 2);
    fake_clock_advance_ms(&f->clock, 6 * 1000); /* tried again, not at every call */
    must_get(f, 200);
    assert_int_equal(f->token_requests, 3);
    fake_clock_advance_ms(&f->clock, 5 * 1000);
    assert_false(http_kit_get(&f->kit, "/api"));
}

static void test_oauth2_refused(void **state)
{
    static const struct {
        int status;
        enum http_failure failure;
        enum err_code code;
    } cases[] = {
        {401, HTTP_FAILURE_AUTH, ERR_AUTH},   {400, HTTP_FAILURE_AUTH, ERR_AUTH},
        {404, HTTP_FAILURE_AUTH, ERR_AUTH},   {429, HTTP_FAILURE_CONNECT, ERR_NET},
        {503, HTTP_FAILURE_CONNECT, ERR_NET},
    };
    struct fixture *f = *state;

    use_oauth2(f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        f->token_status = cases[i].status;
        http_kit_client(&f->kit);
        assert_false(http_kit_get(&f->kit, "/api"));
        assert_int_equal(f->kit.response.failure, cases[i].failure);
        assert_int_equal(f->kit.err.code, cases[i].code);
        assert_false(f->kit.response.request_sent);
        assert_non_null(strstr(f->kit.err.message, "invalid_client: who?"));
    }
    assert_int_equal(f->api_requests, 0);
}

struct caller {
    struct fixture *f;
    struct http_client *client; /* NULL: the kit's */
    struct thread thread;
    bool fine;
};

static void call_api(void *arg)
{
    struct caller *c = arg;
    struct http_response AUTO(http_response_release) r = {0};
    struct http_request request = {.path = STR("/api")};
    struct wait wait = {.deadline_mono_ns = DEADLINE_NEVER};
    struct err e = ERR_INIT;

    http_response_init(&r, NULL);
    struct http_client *client = c->client != NULL ? c->client : c->f->kit.client;
    c->fine = http_client_call(client, &request, wait, &r, &e) && r.status == 200;
}

static void call_together(struct fixture *f, struct caller *callers, size_t count)
{
    struct err e = ERR_INIT;

    for (size_t i = 0; i < count; i++) {
        callers[i] = (struct caller){.f = f};
        assert_true(thread_start(&callers[i].thread, "caller", call_api, &callers[i], &e));
    }
    for (size_t i = 0; i < count; i++) {
        thread_join(&callers[i].thread);
    }
}

static void test_oauth2_single_flight(void **state)
{
    struct fixture *f = *state;
    struct caller callers[12];

    use_oauth2(f);
    f->token_pause_ms = 200;
    http_kit_client(&f->kit);
    call_together(f, callers, ARRAY_LEN(callers));
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        assert_true(callers[i].fine);
    }
    assert_int_equal(f->token_requests, 1);

    f->token_status = 400; /* a refusal is told to all who waited */
    http_kit_client(&f->kit);
    call_together(f, callers, ARRAY_LEN(callers));
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        assert_false(callers[i].fine);
    }
    assert_in_range(f->token_requests, 2, 4);
}

/* Lanes have clients of their own, and one token. */
static void test_oauth2_shared(void **state)
{
    struct fixture *f = *state;
    struct oauth2_pool *pool = oauth2_pool_new(&f->kit.env);
    struct http_client *clients[10];
    struct http_client_config other;
    struct caller callers[ARRAY_LEN(clients)];
    struct err e = ERR_INIT;

    use_oauth2(f);
    f->token_pause_ms = 100;
    other = f->kit.config; /* of another exporter, with the same settings */
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        assert_true(http_client_new_sharing(&f->kit.env, i % 2 == 0 ? &f->kit.config : &other, pool,
                                            &clients[i], &e));
    }
    for (unsigned round = 1; round <= 3; round++) {
        f->good_tokens = round; /* the token before is refused to all at once */
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            callers[i] = (struct caller){.f = f, .client = clients[i]};
            assert_true(thread_start(&callers[i].thread, "caller", call_api, &callers[i], &e));
        }
        for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
            thread_join(&callers[i].thread);
            assert_true(callers[i].fine);
        }
        assert_int_equal(f->token_requests, round);
    }
    for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
        http_client_free(clients[i]);
    }
    oauth2_pool_free(pool);
}

/* Settings that differ in anything have tokens of their own. */
static void test_oauth2_not_shared(void **state)
{
    struct fixture *f = *state;
    struct oauth2_pool *pool = oauth2_pool_new(&f->kit.env);
    struct http_client_config configs[5];
    struct oauth2 *sources[ARRAY_LEN(configs)];
    struct err e = ERR_INIT;

    use_oauth2(f);
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        configs[i] = f->kit.config;
    }
    configs[1].oauth2.client_id = STR("id:2");
    configs[2].oauth2.scopes.count = 1;
    configs[3].oauth2.client_secret = secret_from_text(STR("another"));
    configs[4].proxy_url = STR("http://127.0.0.1:1");
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        assert_true(oauth2_pool_get(pool, &configs[i], &sources[i], &e));
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(sources[i], sources[j]);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        oauth2_pool_put(pool, sources[i]);
    }
    oauth2_pool_free(pool);
    secret_free(configs[3].oauth2.client_secret);
}

/* Each setting by itself makes another source. */
static void test_oauth2_settings_tell_apart(void **state)
{
#define AT(member) offsetof(struct http_client_config, member)
    static const size_t texts[] = {
        AT(oauth2.token_url),
        AT(oauth2.key_id),
        AT(oauth2.assertion_audience),
        AT(oauth2.audience),
        AT(oauth2.tls.server_name),
        AT(proxy_url),
        AT(proxy_username),
        AT(user_agent),
        AT(oauth2.client_id),
    };
    static const size_t lists[] = {AT(oauth2.scopes), AT(oauth2.resource)};
    static const size_t times[] = {AT(connect_timeout_ns), AT(idle_timeout_ns),
                                   AT(max_connection_ns)};
#undef AT
    enum { OTHERS = 4, VARIANTS = ARRAY_LEN(texts) + ARRAY_LEN(lists) + ARRAY_LEN(times) + OTHERS };
    static const struct str word = STR_INIT("http://127.0.0.1:1/other");
    static const struct option_pair param = {.name = STR_INIT("a"), .value = STR_INIT("b")};
    struct fixture *f = *state;
    struct oauth2_pool *pool = oauth2_pool_new(&f->kit.env);
    struct http_client_config configs[VARIANTS + 1];
    struct oauth2 *sources[ARRAY_LEN(configs)];
    struct err e = ERR_INIT;
    size_t n = 0;

    use_oauth2(f);
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        configs[i] = f->kit.config;
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *(struct str *)(void *)((char *)&configs[n++] + texts[i]) = word;
    }
    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        *(struct option_list *)(void *)((char *)&configs[n++] + lists[i]) =
            (struct option_list){&word, 1};
    }
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        *(int64_t *)(void *)((char *)&configs[n++] + times[i]) += 1;
    }
    configs[n++].oauth2.endpoint_params = (struct option_map){&param, 1};
    configs[n++].oauth2.style += 1;
    configs[n++].oauth2.tls.insecure_skip_verify = true;
    configs[n++].proxy_password = f->kit.config.oauth2.client_secret;
    assert_int_equal(n, VARIANTS);
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        assert_true(oauth2_pool_get(pool, &configs[i], &sources[i], &e));
        for (size_t j = 0; j < i; j++) {
            if (sources[i] == sources[j]) {
                fail_msg("%zu is taken for %zu", i, j);
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        oauth2_pool_put(pool, sources[i]);
    }
    oauth2_pool_free(pool);
}

/* Who asked and gave up takes nobody with it. */
static void test_oauth2_abandoned_request(void **state)
{
    struct fixture *f = *state;
    struct caller callers[3];
    struct err e = ERR_INIT;

    use_oauth2(f);
    f->token_pause_ms = 300;
    http_kit_client(&f->kit);
    struct http_request request = {.path = STR("/api")};
    struct wait brief = {.deadline_mono_ns = clock_deadline_ms(clock_system(), 150)};
    struct http_response AUTO(http_response_release) r = {0};
    http_response_init(&r, NULL);
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        callers[i] = (struct caller){.f = f};
    }
    /* The brief one goes first in most runs; whichever does, all the others must succeed. */
    for (size_t i = 1; i < ARRAY_LEN(callers); i++) {
        assert_true(thread_start(&callers[i].thread, "caller", call_api, &callers[i], &e));
    }
    assert_false(http_client_call(f->kit.client, &request, brief, &r, &e));
    assert_int_equal(r.failure, HTTP_FAILURE_TIMEOUT);
    for (size_t i = 1; i < ARRAY_LEN(callers); i++) {
        thread_join(&callers[i].thread);
        assert_true(callers[i].fine);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_basic),
        CASE(test_bearer_and_key),
        CASE(test_files_are_read_again),
        CASE(test_secret_with_line_break),
        CASE(test_proxy),
        CASE(test_proxy_tunnel),
        CASE(test_environment_proxy_is_not_used),
        CASE(test_oauth2_header_style),
        CASE(test_oauth2_body_style),
        CASE(test_oauth2_401_once),
        CASE(test_oauth2_expiry),
        CASE(test_oauth2_without_expiry),
        CASE(test_oauth2_failed_renewal),
        CASE(test_oauth2_refused),
        CASE(test_oauth2_single_flight),
        CASE(test_oauth2_shared),
        CASE(test_oauth2_not_shared),
        CASE(test_oauth2_settings_tell_apart),
        CASE(test_oauth2_abandoned_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
