/* What goes onto the wire and what comes back, against a peer of raw sockets. */
#include "net/http_client.h"

#include "base/secret.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

struct fixture {
    struct http_peer peer;
    struct http_kit kit;
    struct lock lock;
    struct buf head; /* of the last request, under the lock */
    struct buf sent; /* its body */
};

static void assert_str(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want))) {
        fail_msg("got '%.*s', want '%s'", STR_FMT(got), want);
    }
}

static void gzip_zeros(struct buf *out, size_t len)
{
    static char zeros[1 << 16];
    z_stream z = {0};
    char bytes[4096];

    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    int result;
    do {
        if (z.avail_in == 0 && len > 0) {
            z.next_in = (unsigned char *)zeros;
            z.avail_in = (unsigned)(len < sizeof(zeros) ? len : sizeof(zeros));
            len -= z.avail_in;
        }
        z.next_out = (unsigned char *)bytes;
        z.avail_out = sizeof(bytes);
        result = deflate(&z, len == 0 ? Z_FINISH : Z_NO_FLUSH);
        buf_add(out, bytes, sizeof(bytes) - z.avail_out);
    } while (result != Z_STREAM_END);
    assert_int_equal(deflateEnd(&z), Z_OK);
}

static void answer_gzip(int fd, size_t len)
{
    struct buf AUTO(buf_release) packed = BUF_INIT(BUF_UNLIMITED);

    gzip_zeros(&packed, len);
    (void)http_peer_answer(fd, 200, "Content-Encoding: gzip\r\n", buf_str(&packed));
}

static void answer_chunked(int fd)
{
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
}

/* Answers by the request's path. */
static void answer(struct fixture *f, int fd, struct str path)
{
    if (str_eq(path, STR("/redirect"))) {
        (void)http_peer_answer(fd, 302, "Location: /elsewhere\r\n", STR("moved"));
    } else if (str_eq(path, STR("/chunked"))) {
        answer_chunked(fd);
    } else if (str_eq(path, STR("/gzip"))) {
        answer_gzip(fd, 1000);
    } else if (str_eq(path, STR("/bomb"))) {
        answer_gzip(fd, 64 * 1024 * 1024);
    } else if (str_eq(path, STR("/continue"))) {
        (void)http_peer_text(fd, "HTTP/1.1 100 Continue\r\nX-Kind: interim\r\n\r\n");
        (void)http_peer_answer(fd, 200, "X-Kind: final\r\n", STR("done"));
    } else if (str_eq(path, STR("/close"))) {
        (void)http_peer_answer(fd, 200, "Connection: close\r\n", STR("bye"));
    } else if (str_eq(path, STR("/busy"))) {
        (void)http_peer_answer(fd, 503, "retry-AFTER: 7\r\nRetry-After: 9\r\n", STR("full"));
    } else {
        (void)http_peer_answer(fd, 200, "X-Empty:\r\n", buf_str(&f->sent));
    }
}

static void serve(struct http_peer *peer, unsigned index, int fd)
{
    struct fixture *f = peer->arg;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    (void)index;
    while (http_peer_read(peer, fd, &head, &body)) {
        struct str rest = buf_str(&head);
        struct str part = STR_NONE;
        (void)str_split(&rest, ' ', &part);
        (void)str_split(&rest, ' ', &part);
        lock_take(&f->lock);
        buf_clear(&f->head);
        buf_clear(&f->sent);
        buf_add_str(&f->head, buf_str(&head));
        buf_add_str(&f->sent, buf_str(&body));
        answer(f, fd, part);
        lock_give(&f->lock);
        if (str_eq(part, STR("/close"))) {
            return;
        }
    }
}

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);

    lock_init(&f->lock);
    buf_init(&f->head, BUF_UNLIMITED);
    buf_init(&f->sent, BUF_UNLIMITED);
    http_peer_start(&f->peer, serve, f);
    http_kit_start(&f->kit, f->peer.port);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    http_kit_stop(&f->kit);
    http_peer_stop(&f->peer);
    buf_release(&f->head);
    buf_release(&f->sent);
    lock_release(&f->lock);
    mem_free(f);
    return 0;
}

static void must_get(struct fixture *f, const char *path, int status)
{
    if (!http_kit_get(&f->kit, path)) {
        fail_msg("%s: %s", path, f->kit.err.message);
    }
    assert_int_equal(f->kit.response.status, status);
}

static void assert_sent_header(struct fixture *f, const char *name, const char *value)
{
    struct str got = http_peer_header(&f->head, name);

    if ((value == NULL) != (got.ptr == NULL) || (value != NULL && !str_eq(got, str_of(value)))) {
        fail_msg("%s: got '%.*s', want '%s'", name, STR_FMT(got), value != NULL ? value : "none");
    }
}

static void test_get(void **state)
{
    struct fixture *f = *state;

    must_get(f, "/p?q=a%20b", 200);
    assert_true(str_starts(buf_str(&f->head), STR("GET /p?q=a%20b HTTP/1.1\r\n")));
    assert_sent_header(f, "User-Agent", "telex-test");
    assert_sent_header(f, "Accept-Encoding", "gzip");
    assert_sent_header(f, "Content-Length", NULL);
    assert_true(f->kit.response.request_sent);
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_NONE);
    assert_str(http_response_header(&f->kit.response, STR("x-EMPTY")), "");
    assert_null(http_response_header(&f->kit.response, STR("x-emp")).ptr);
}

static void test_methods(void **state)
{
    static const struct {
        const char *method;
        bool body;
        const char *length; /* Content-Length that the peer sees */
    } cases[] = {
        {"POST", true, "4"},      {"POST", false, "0"}, {"PUT", true, "4"},
        {"PATCH", false, "0"},    {"GET", false, NULL}, {"DELETE", false, NULL},
        {"DELETE", true, "4"},    {"GET", true, "4"},   {"HEAD", false, NULL},
        {"OPTIONS", false, NULL},
    };
    struct fixture *f = *state;
    struct str part = STR("body");

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_request request = {
            .method = cases[i].method, .parts = &part, .part_count = cases[i].body ? 1 : 0};
        if (!http_kit_call(&f->kit, &request)) {
            fail_msg("%s: %s", cases[i].method, f->kit.err.message);
        }
        struct str line = buf_str(&f->head);
        struct str method = STR_NONE;
        assert_true(str_split(&line, ' ', &method));
        assert_str(method, cases[i].method);
        assert_sent_header(f, "Content-Length", cases[i].length);
        assert_sent_header(f, "Content-Type", NULL);
        assert_sent_header(f, "Expect", NULL);
        assert_str(buf_str(&f->sent), cases[i].body ? "body" : "");
    }
    assert_int_equal(f->peer.connections, 1);
}

static void test_parts_are_joined(void **state)
{
    struct fixture *f = *state;
    struct buf AUTO(buf_release) large = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) whole = BUF_INIT(BUF_UNLIMITED);

    f->kit.config.max_response_bytes = 64 * 1024 * 1024;
    buf_add_repeat(&large, 'x', 3 * 1024 * 1024);
    struct str parts[] = {STR("first,"), STR(""), buf_str(&large), STR(",last")};
    struct http_request request = {
        .method = "POST", .parts = parts, .part_count = ARRAY_LEN(parts)};
    assert_true(http_kit_call(&f->kit, &request));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        buf_add_str(&whole, parts[i]);
    }
    assert_true(str_eq(buf_str(&f->sent), buf_str(&whole)));
    assert_true(str_eq(buf_str(&f->kit.body), buf_str(&whole)));
    assert_sent_header(f, "Expect", NULL);
    assert_true(f->kit.response.taken_bytes >= (int64_t)whole.len);
    assert_int_equal(budget_used(&f->kit.budget), f->kit.response.taken_bytes);
}

static void test_headers(void **state)
{
    struct fixture *f = *state;
    const struct option_pair config[] = {{.name = STR("X-Both"), .value = STR("config")},
                                         {.name = STR("X-Config"), .value = STR("a, b")},
                                         {.name = STR("User-Agent"), .value = STR("mine")},
                                         {.name = STR("X-Nothing"), .value = STR("")}};
    const struct http_header own[] = {{STR("x-both"), STR("request")},
                                      {STR("Content-Type"), STR("text/plain")}};
    struct http_request request = {
        .method = "POST", .headers = own, .header_count = ARRAY_LEN(own)};

    f->kit.config.headers = (struct option_map){config, ARRAY_LEN(config)};
    assert_true(http_kit_call(&f->kit, &request));
    assert_sent_header(f, "X-Both", "request");
    assert_sent_header(f, "X-Config", "a, b");
    assert_sent_header(f, "User-Agent", "mine");
    assert_sent_header(f, "X-Nothing", "");
    assert_sent_header(f, "Content-Type", "text/plain");
}

static void test_bad_headers_are_refused(void **state)
{
    static const struct http_header bad[] = {
        {STR_INIT("X"), STR_INIT("a\r\nInjected: 1")},
        {STR_INIT("X"), STR_INIT("a\nb")},
        {STR_INIT("X"), STR_INIT("a\0b")},
        {STR_INIT("X Y"), STR_INIT("a")},
        {STR_INIT(""), STR_INIT("a")},
        {STR_INIT("X:"), STR_INIT("a")},
        {STR_INIT("X\n"), STR_INIT("a")},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct http_request request = {.headers = &bad[i], .header_count = 1};
        assert_false(http_kit_call(&f->kit, &request));
        assert_int_equal(f->kit.response.failure, HTTP_FAILURE_REQUEST);
        assert_false(f->kit.response.request_sent);
    }
    assert_int_equal(f->peer.connections, 0);
}

static void test_redirects_are_answers(void **state)
{
    struct fixture *f = *state;

    must_get(f, "/redirect", 302);
    assert_str(http_response_header(&f->kit.response, STR("Location")), "/elsewhere");
    assert_int_equal(f->peer.requests, 1);
}

static void test_kept_connections(void **state)
{
    struct fixture *f = *state;

    must_get(f, "/", 200);
    assert_int_equal(f->kit.response.new_connections, 1);
    for (int i = 0; i < 5; i++) {
        must_get(f, "/", 200);
        assert_int_equal(f->kit.response.new_connections, 0);
    }
    assert_int_equal(f->peer.connections, 1);
    must_get(f, "/close", 200);
    must_get(f, "/", 200);
    assert_int_equal(f->peer.connections, 2);
}

static void test_old_connections_are_replaced(void **state)
{
    struct fixture *f = *state;

    f->kit.config.max_connection_ns = NS_PER_S;
    must_get(f, "/", 200);
    for (int i = 0; i < 5; i++) { /* busy, so that it is age and not idleness */
        http_peer_pause_ms(500);
        must_get(f, "/", 200);
    }
    assert_in_range(f->peer.connections, 2, 3);
}

static void test_idle_connections_are_replaced(void **state)
{
    struct fixture *f = *state;

    f->kit.config.idle_timeout_ns = NS_PER_S;
    must_get(f, "/", 200);
    http_peer_pause_ms(2200);
    must_get(f, "/", 200);
    assert_int_equal(f->peer.connections, 2);
}

static void test_chunked_and_continue(void **state)
{
    struct fixture *f = *state;

    must_get(f, "/chunked", 200);
    assert_str(buf_str(&f->kit.body), "hello world");
    must_get(f, "/continue", 200);
    assert_str(buf_str(&f->kit.body), "done");
    assert_str(http_response_header(&f->kit.response, STR("X-Kind")), "final");
}

static void test_gzip(void **state)
{
    struct fixture *f = *state;

    must_get(f, "/gzip", 200);
    assert_int_equal(f->kit.body.len, 1000);
    assert_false(http_kit_get(&f->kit, "/bomb"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_TOO_LARGE);
    assert_int_equal(f->kit.err.code, ERR_LIMIT);
    assert_true(f->kit.body.len <= 1024 * 1024);
    must_get(f, "/", 200);
}

static void test_retry_after(void **state)
{
    static const struct {
        const char *headers;
        int64_t ms;
    } cases[] = {
        {"HTTP/1.1 503 X\r\nRetry-After: 120\r\n\r\n", 120000},
        {"HTTP/1.1 503 X\r\nretry-after:0\r\n\r\n", 0},
        {"HTTP/1.1 503 X\r\nRetry-After: 99999999999999999999\r\n\r\n", 86400000},
        {"HTTP/1.1 503 X\r\nRetry-After: Thu, 01 Jan 1970 00:01:40 GMT\r\n\r\n", 90000},
        {"HTTP/1.1 503 X\r\nRetry-After: Thu, 01 Jan 1970 00:00:05 GMT\r\n\r\n", 0},
        {"HTTP/1.1 503 X\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n\r\n", 86400000},
        {"HTTP/1.1 503 X\r\nRetry-After: soon\r\n\r\n", 0},
        {"HTTP/1.1 503 X\r\nRetry-After: -5\r\n\r\n", 0},
        {"HTTP/1.1 503 X\r\nRetry-After:\r\n\r\n", 0},
        {"HTTP/1.1 503 X\r\n\r\n", 0},
    };
    struct fixture *f = *state;

    must_get(f, "/busy", 503);
    assert_int_equal(http_response_retry_after_ms(&f->kit.response, 0), 7000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_response AUTO(http_response_release) r = {0};
        http_response_init(&r, NULL);
        buf_add_text(&r.headers, cases[i].headers);
        int64_t ms = http_response_retry_after_ms(&r, 10 * NS_PER_S);
        if (ms != cases[i].ms) {
            fail_msg("%s: %lld ms", cases[i].headers, (long long)ms);
        }
    }
    struct http_response AUTO(http_response_release) r = {0};
    http_response_init(&r, NULL);
    buf_add_text(&r.headers, cases[3].headers);
    assert_int_equal(http_response_retry_after_ms(&r, 10 * NS_PER_S + 1),
                     90000); /* not too early */
}

static void test_other_origin_is_refused(void **state)
{
    struct fixture *f = *state;
    struct http_request other = {.url = STR("http://localhost/x")};
    struct buf AUTO(buf_release) same = BUF_INIT(URL_MAX);

    assert_false(http_kit_call(&f->kit, &other));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_REQUEST);
    (void)http_peer_url(&f->peer, &same);
    buf_add_text(&same, "/same");
    struct http_request fine = {.url = buf_str(&same), .path = STR("/more?x=1")};
    assert_true(http_kit_call(&f->kit, &fine));
    assert_true(str_starts(buf_str(&f->head), STR("GET /same/more?x=1 ")));
}

static void test_without_url(void **state)
{
    struct fixture *f = *state;
    struct buf AUTO(buf_release) url = BUF_INIT(URL_MAX);
    struct http_request request = {.url = http_peer_url(&f->peer, &url)};

    f->kit.config.url = STR_NONE;
    assert_true(http_kit_call(&f->kit, &request));
    assert_false(http_kit_get(&f->kit, "/x"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_REQUEST);
}

static void test_names_resolve(void **state)
{
    struct fixture *f = *state;

    buf_clear(&f->kit.url);
    buf_addf(&f->kit.url, "http://localhost:%u/base", f->peer.port);
    f->kit.config.url = buf_str(&f->kit.url);
    must_get(f, "/x", 200);
    assert_true(str_starts(buf_str(&f->head), STR("GET /base/x ")));
}

static void test_bad_configs_are_refused(void **state)
{
    struct fixture *f = *state;
    struct secret *AUTO(secret_autofree) secret = secret_from_text(STR("geheim"));
    struct http_client_config good = f->kit.config;
    struct http_client_config cases[13];
    const struct option_pair header = {.name = STR("authorization"), .value = STR("x")};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        cases[i] = good;
    }
    cases[0].url = STR("nonsense");
    cases[1].timeout_ns = 0;
    cases[2].username = STR("u");
    cases[2].bearer_token = secret;
    cases[3].username = STR("u");
    cases[3].headers = (struct option_map){&header, 1};
    cases[4].password = secret;
    cases[5].username = STR("u:v");
    cases[6].tls.ca_file = STR("/nonexistent/ca.pem");
    cases[7].tls.key_file = STR("/dev/null");
    cases[8].bearer_token_file = STR("/nonexistent/token");
    cases[9].proxy_url = STR("socks5://x");
    cases[10].oauth2.token_url = STR("http://127.0.0.1/token");
    cases[11].auth_type = HTTP_AUTH_BASIC;
    cases[12].auth_type = HTTP_AUTH_API_KEY;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_client *c = NULL;
        struct err e = ERR_INIT;
        if (http_client_new(&f->kit.env, &cases[i], &c, &e)) {
            fail_msg("config %zu was taken", i);
        }
        assert_null(c);
        assert_true(e.message[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get, setup, teardown),
        cmocka_unit_test_setup_teardown(test_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_parts_are_joined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_headers_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redirects_are_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_kept_connections, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_connections_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_connections_are_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_chunked_and_continue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_origin_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_url, setup, teardown),
        cmocka_unit_test_setup_teardown(test_names_resolve, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_configs_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
