/* The server as its clients see it: ours, and raw sockets. */
#include "net/http_server.h"

#include "server_kit.h"

#include <unistd.h>

static void test_echo(void **state)
{
    struct http_site *f = *state;

    must_get(f, "/echo?a=1&q=x%20y%2B+z&q=2", 200);
    assert_str(buf_str(&f->kit.body), "GET /echo q=x y+ z p= h= b=");
    assert_str(http_response_header(&f->kit.response, STR("Content-Type")), "text/plain");
    assert_str(http_response_header(&f->kit.response, STR("X-Content-Type-Options")), "nosniff");
    post(f, "/echo", STR("hello"), 200);
    assert_str(buf_str(&f->kit.body), "POST /echo q=- p= h= b=hello");
    must_call(f, &(struct http_request){.method = "HEAD", .path = STR("/echo")}, 200);
    assert_int_equal(f->kit.body.len, 0);
    wait_count(&f->gone, 3);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *param;
    } cases[] = {
        {"/api/rules/7/x", 200, "p=7 "},       {"/api/rules/a%2Fb%20c/x", 200, "p=a/b c "},
        {"/api/rules//x", 404, "not_found"},   {"/api/rules/7", 404, "not_found"},
        {"/api/rules/7/x/", 404, "not_found"}, {"/api/rules/%zz/x", 404, "not_found"},
        {"/files/a/b%20c", 200, "p=a/b c "},   {"/files/", 200, "p= "},
        {"/files", 404, "not_found"},          {"/%65cho", 200, "GET /%65cho"},
        {"/nothing%3Cb%3E", 404, "not_found"}, {"/", 404, "not_found"},
        {"/echo/", 404, "not_found"},          {"//echo", 404, "not_found"},
    };
    struct http_site *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        must_get(f, cases[i].path, cases[i].status);
        assert_contains(&f->kit.body, cases[i].param);
    }
}

static void test_methods(void **state)
{
    struct http_site *f = *state;

    must_call(f, &(struct http_request){.method = "DELETE", .path = STR("/echo")}, 405);
    assert_str(http_response_header(&f->kit.response, STR("Allow")), "GET, HEAD, POST");
    assert_str(buf_str(&f->kit.body),
               "{\"status\":\"error\",\"errorType\":\"bad_method\",\"error\":"
               "\"this path does not take that method\"}\n");
    assert_int_equal(f->began, 0);
}

static void test_large_bodies(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_UNLIMITED);

    buf_add_repeat(&body, 'x', 30 * 1000 * 1000);
    post(f, "/count", buf_str(&body), 200);
    assert_str(buf_str(&f->kit.body), "30000000");
    buf_truncate(&body, 999000);
    post(f, "/echo", buf_str(&body), 200);
    assert_int_equal(f->kit.body.len, body.len + strlen("POST /echo q=- p= h= b="));
    wait_count(&f->gone, 2);
    assert_true(http_site_wait_idle(f, 0));
    assert_int_equal(budget_used(&f->kit.budget), f->kit.response.taken_bytes);
}

/* What is too large is refused before it is read, whether it is small enough to drain or not. */
static void test_too_large_bodies(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);

    buf_add_repeat(&body, 'x', 50 * 1000 * 1000);
    for (int i = 0; i < 10; i++) {
        post_refused(f, "/echo", buf_str(&body), 413);
    }
    assert_int_equal(f->began, 0);
    http_site_exchange(
        f, "POST /echo HTTP/1.1\r\n%sContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n",
        &out);
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 413 ")));
    assert_true(http_site_wait_idle(f, 0));
    assert_int_equal(budget_used(&f->kit.budget), f->kit.response.taken_bytes);
}

static void test_chunked_bodies(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) request = BUF_INIT(BUF_UNLIMITED);

    http_site_exchange(
        f,
        "POST /echo HTTP/1.1\r\n%sConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
        &out);
    assert_contains(&out, "b=hello world");
    buf_add_text(&request, "POST /echo HTTP/1.1\r\n%sConnection: close\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 11; i++) { /* 1.1 MB, 1 MB is allowed: read to its end and refused */
        buf_add_text(&request, "186a0\r\n");
        buf_add_repeat(&request, 'x', 100000);
        buf_add_text(&request, "\r\n");
    }
    buf_add_text(&request, "0\r\n\r\n");
    http_site_exchange(f, buf_text(&request), &out);
    assert_true(str_starts(buf_str(&out), STR("HTTP/1.1 413 ")));
    assert_true(http_site_wait_idle(f, 0));
}

static void test_endless_body_is_cut(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) chunk = BUF_INIT(BUF_UNLIMITED);
    int fd = raw_connect(http_server_port(f->server));
    int sent = 0;

    buf_addf(&chunk,
             "POST /echo HTTP/1.1\r\nHost: localhost:%u\r\nTransfer-Encoding: chunked\r\n\r\n",
             http_server_port(f->server));
    assert_true(http_peer_write(fd, buf_str(&chunk)));
    buf_clear(&chunk);
    buf_add_text(&chunk, "186a0\r\n");
    buf_add_repeat(&chunk, 'x', 100000);
    buf_add_text(&chunk, "\r\n");
    while (sent < 1000 && http_peer_write(fd, buf_str(&chunk))) {
        sent++;
    }
    assert_true(sent < 1000);
    (void)close(fd);
    wait_count(&f->gone, 1);
}

static void test_busy_before_the_body(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_UNLIMITED);

    post(f, "/busy", STR("small"), 429);
    assert_str(http_response_header(&f->kit.response, STR("Retry-After")), "7");
    assert_int_equal(f->kit.response.new_connections, 1);
    post(f, "/busy", STR("small"), 429);
    assert_int_equal(f->kit.response.new_connections, 0); /* drained, so it could be kept */
    buf_add_repeat(&body, 'x', 50 * 1000 * 1000);
    for (int i = 0; i < 10; i++) {
        post_refused(f, "/busy", buf_str(&body), 429);
    }
    wait_count(&f->gone, 12);
}

static void test_gzip(void **state)
{
    static const struct {
        const char *accepts;
        bool gzip;
    } cases[] = {
        {"gzip", true},      {"deflate, GZIP;q=0.5", true},
        {"gzip;q=0", false}, {"gzip; q=0.000", false},
        {"identity", false}, {"", false},
        {"xgzip", false},    {"br;q=1.0, gzip ;q=0.1", true},
    };
    struct http_site *f = *state;

    must_get(f, "/long", 200);
    assert_int_equal(f->kit.body.len, 100000);
    assert_str(http_response_header(&f->kit.response, STR("Content-Encoding")), "gzip");
    assert_str(http_response_header(&f->kit.response, STR("Vary")), "Accept-Encoding");
    must_get(f, "/text", 200);
    assert_null(http_response_header(&f->kit.response, STR("Content-Encoding")).ptr);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) request = BUF_INIT(BUF_SMALL);
        struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);
        buf_addf(&request,
                 "GET /long HTTP/1.1\r\n%%sConnection: close\r\nAccept-Encoding: %s\r\n\r\n",
                 cases[i].accepts);
        http_site_exchange(f, buf_text(&request), &out);
        assert_int_equal(str_find(buf_str(&out), STR("Content-Encoding: gzip")) < out.len,
                         cases[i].gzip);
        assert_int_equal(out.len < 10000, cases[i].gzip);
    }
}

static void test_metrics(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);

    must_get(f, "/echo", 200);
    must_get(f, "/files/a", 200);
    must_get(f, "/nowhere", 404);
    must_get(f, "/nowhere/else", 404);
    assert_true(http_site_wait_idle(f, 0));
    metrics_render(f->metrics, &out);
    assert_contains(&out, "telex_http_requests_total{route=\"/echo\",code=\"200\"} 1\n");
    assert_contains(&out, "telex_http_requests_total{route=\"files\",code=\"200\"} 1\n");
    assert_contains(&out, "telex_http_requests_total{route=\"other\",code=\"404\"} 2\n");
    assert_contains(&out, "telex_http_request_duration_seconds_count{route=\"/echo\"} 1\n");
    assert_contains(&out, "telex_http_requests_in_flight 0\n");
}

static void test_keep_alive(void **state)
{
    struct http_site *f = *state;

    for (int i = 0; i < 20; i++) {
        must_get(f, "/text", 200);
        assert_int_equal(f->kit.response.new_connections, i == 0);
    }
}

static void test_bad_configs(void **state)
{
    struct http_site *f = *state;
    static const char *const listens[] = {
        "",          "127.0.0.1",      "127.0.0.1:99999", "nonsense", "[::1",
        "1.2.3.4:1", "127.0.0.1:http", "::1:80",          "[zz]:80",  "name.invalid:80"};

    for (size_t i = 0; i < ARRAY_LEN(listens); i++) {
        struct err e = ERR_INIT;
        f->config.listen = str_of(listens[i]);
        if (http_site_try_start(f, &e)) {
            fail_msg("'%s' was taken", listens[i]);
        }
        assert_non_null(strstr(e.message, "listen on"));
    }
    f->config.listen = STR("127.0.0.1:0");
    start_server(f);
    struct buf AUTO(buf_release) taken = BUF_INIT(BUF_SMALL);
    buf_addf(&taken, "127.0.0.1:%u", http_server_port(f->server));
    f->config.listen = buf_str(&taken);
    struct err e = ERR_INIT;
    struct http_server *first = f->server;
    assert_false(http_site_try_start(f, &e));
    assert_ptr_equal(f->server, first);
    assert_non_null(strstr(e.message, "already in use"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_echo),
        CASE(test_patterns),
        CASE(test_methods),
        CASE(test_large_bodies),
        CASE(test_too_large_bodies),
        CASE(test_chunked_bodies),
        CASE(test_endless_body_is_cut),
        CASE(test_busy_before_the_body),
        CASE(test_gzip),
        CASE(test_metrics),
        CASE(test_keep_alive),
        cmocka_unit_test_setup_teardown(test_bad_configs, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
