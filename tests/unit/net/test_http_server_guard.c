/* Who may ask, and how much, how slowly, how often. */
#include "net/http_server.h"

#include "base/clock.h"
#include "base/secret.h"
#include "server_kit.h"

#include <sys/socket.h>
#include <unistd.h>

/* --- Host and Origin --- */

static void test_hosts(void **state)
{
    static const struct {
        const char *head; /* what follows the request line */
        const char *status;
    } cases[] = {
        {"Host: localhost\r\n", "200"},
        {"Host: 127.0.0.1:1\r\n", "200"},
        {"Host: telex.example\r\n", "200"},
        {"Host: evil.example\r\n", "403"},
        {"Host: localhost.evil.example\r\n", "403"},
        {"Host:\r\n", "403"},
        {"Host: localhost\r\nHost: evil.example\r\n", "400"},
        {"Host: localhost\r\nHost: localhost\r\n", "400"},
        {"", "400"},
    };
    static const struct str names[] = {STR_INIT("telex.example")};
    struct http_site *f = *state;

    f->config.allowed_hosts = (struct option_list){names, 1};
    start_server(f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buf AUTO(buf_release) request = BUF_INIT(BUF_SMALL);
        struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);
        buf_addf(&request, "GET /text HTTP/1.1\r\n%sConnection: close\r\n\r\n", cases[i].head);
        raw_exchange(http_server_port(f->server), buf_text(&request), &out);
        if (!str_eq(str_slice(buf_str(&out), 9, 3), str_of(cases[i].status))) {
            fail_msg("%s: %s", cases[i].head, buf_text(&out));
        }
    }
    struct buf AUTO(buf_release) old = BUF_INIT(BUF_UNLIMITED);
    raw_exchange(http_server_port(f->server), "GET /text HTTP/1.0\r\n\r\n", &old);
    assert_contains(&old, " 400 ");
}

static void test_origins(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) own = BUF_INIT(BUF_SMALL);

    http_server_add_url(f->server, &own);
    const struct {
        const char *method;
        const char *origin;
        int status;
    } cases[] = {
        {"POST", buf_text(&own), 200},        {"POST", NULL, 200},
        {"POST", "http://evil.example", 403}, {"POST", "null", 403},
        {"POST", "http://127.0.0.1:1", 403},  {"GET", "http://evil.example", 200},
        {"HEAD", "http://evil.example", 200}, {"POST", "", 403},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http_header header = {STR("Origin"), str_of(cases[i].origin)};
        struct http_request request = {.method = cases[i].method,
                                       .path = STR("/echo"),
                                       .headers = &header,
                                       .header_count = cases[i].origin != NULL};
        must_call(f, &request, cases[i].status);
    }
}

/* --- credentials --- */

static void try_with(struct http_site *f, const char *path, const char *authorization, int status)
{
    struct http_header header = {STR("Authorization"), str_of(authorization)};

    must_call(f,
              &(struct http_request){.method = "POST",
                                     .path = str_of(path),
                                     .headers = &header,
                                     .header_count = authorization != NULL},
              status);
}

static void test_admin_without_token(void **state)
{
    struct http_site *f = *state;

    try_with(f, "/admin", NULL, 403);
    try_with(f, "/admin", "Bearer ", 403);
    try_with(f, "/admin", "Bearer x", 403);
    assert_contains(&f->kit.body, "server.admin_token");
    try_with(f, "/client", NULL, 200); /* nothing is asked where nothing is set */
}

static void test_admin_token(void **state)
{
    struct http_site *f = *state;
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t0ken"));

    f->config.admin_token = token;
    start_server(f);
    try_with(f, "/admin", NULL, 401);
    assert_str(http_response_header(&f->kit.response, STR("WWW-Authenticate")),
               "Bearer realm=\"telex\"");
    try_with(f, "/admin", "Bearer t0ke", 401);
    try_with(f, "/admin", "Bearer t0kenn", 401);
    try_with(f, "/admin", "Bearer ", 401);
    try_with(f, "/admin", "Basic t0ken", 401);
    try_with(f, "/admin", "Bearer t0ken", 200);
    assert_null(strstr(buf_text(&f->kit.body), "t0ken"));
    http_server_free(f->server);
    f->server = NULL;
}

static void test_client_credentials(void **state)
{
    struct http_site *f = *state;
    struct secret *AUTO(secret_autofree) admin = secret_from_text(STR("admin"));
    struct secret *AUTO(secret_autofree) token = secret_from_text(STR("t0ken"));
    struct secret *AUTO(secret_autofree) password = secret_from_text(STR("open:sesame"));

    f->config.admin_token = admin;
    f->config.auth = (struct http_server_auth_config){
        .username = STR("Aladdin"), .password = password, .bearer_token = token};
    start_server(f);
    try_with(f, "/client", NULL, 401);
    assert_str(http_response_header(&f->kit.response, STR("WWW-Authenticate")),
               "Basic realm=\"telex\"");
    try_with(f, "/client", "Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ==", 200);
    try_with(f, "/client", "Basic QWxhZGRpbjpvcGVu", 401);
    try_with(f, "/client", "Basic OnBvcGVuOnNlc2FtZQ==", 401);
    try_with(f, "/client", "Bearer t0ken", 200);
    try_with(f, "/client", "Bearer admin", 200);
    try_with(f, "/client", "Bearer nobody", 401);
    try_with(f, "/admin", "Bearer t0ken", 401);
    must_get(f, "/text", 200);
    http_server_free(f->server);
    f->server = NULL;
}

/* --- malformed and malicious --- */

static void test_bad_requests(void **state)
{
    static const char *const requests[] = {
        "\r\n\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET\r\n\r\n",
        "GET /text HTTP/9.9\r\n%s\r\n",
        "GET /text\r\n\r\n",
        "POST /echo HTTP/1.1\r\n%sContent-Length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\n%sContent-Length: -1\r\n\r\n",
        "POST /echo HTTP/1.1\r\n%sContent-Length: 99999999999999999999999\r\n\r\n",
        "POST /echo HTTP/1.1\r\n%sContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /echo HTTP/1.1\r\n%sContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /echo HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "POST /echo HTTP/1.1\r\n%sTransfer-Encoding: gzip\r\n\r\nabc",
        "GET /text HTTP/1.1\r\n%sA b c\r\n\r\n",
        "GET http://evil.example/text HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "CONNECT evil.example:443 HTTP/1.1\r\n%s\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\n%sConnection: close\r\n\r\n",
        "GET /files/..%%2f..%%2fetc HTTP/1.1\r\n%sX: \x01\r\nConnection: close\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    struct http_site *f = *state;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        int fd = raw_connect(http_server_port(f->server));
        struct buf AUTO(buf_release) bytes = BUF_INIT(BUF_UNLIMITED);
        struct str rest = str_of(requests[i]);
        size_t at = str_find(rest, STR("%s"));
        buf_add_str(&bytes, str_slice(rest, 0, at));
        if (at < rest.len) {
            buf_add_text(&bytes, "Host: localhost\r\n");
            buf_add_str(&bytes, str_slice(rest, at + 2, rest.len));
        }
        (void)http_peer_write(fd, buf_str(&bytes));
        http_peer_pause_ms(20);
        (void)close(fd);
    }
    must_get(f, "/text", 200); /* nothing of it did harm */
    assert_true(http_site_wait_idle(f, 0));
}

static void test_smuggling_is_refused(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);

    http_site_exchange(f,
                       "POST /echo HTTP/1.1\r\n%sContent-Length: 5\r\n"
                       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /text HTTP/1.1\r\n\r\n",
                       &out);
    assert_contains(&out, " 400 ");
    assert_int_equal(str_find(buf_str(&out), STR("0123456789")), out.len);
}

static void test_long_heads(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) request = BUF_INIT(BUF_UNLIMITED);
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);

    buf_add_text(&request, "GET /text HTTP/1.1\r\nHost: localhost\r\nX: ");
    buf_add_repeat(&request, 'x', 100000);
    buf_add_text(&request, "\r\n\r\n");
    raw_exchange(http_server_port(f->server), buf_text(&request), &out);
    assert_int_equal(str_find(buf_str(&out), STR(" 200 ")), out.len);
    buf_clear(&request);
    buf_clear(&out);
    buf_add_text(&request, "GET /");
    buf_add_repeat(&request, 'x', 100000);
    buf_add_text(&request, " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    raw_exchange(http_server_port(f->server), buf_text(&request), &out);
    assert_int_equal(str_find(buf_str(&out), STR(" 200 ")), out.len);
    must_get(f, "/text", 200);
    assert_true(http_site_wait_idle(f, 0));
}

/* --- time --- */

/* Sends a byte every 50 ms until the server has enough of it; how long that took. */
static int64_t drip(struct http_site *f, const char *start, const char *byte)
{
    int fd = raw_connect(http_server_port(f->server));
    int64_t begin_ns = clock_mono_ns(clock_system());

    assert_true(http_peer_text(fd, start));
    for (int i = 0; i < 200 && http_peer_text(fd, byte); i++) {
        http_peer_pause_ms(50);
    }
    (void)close(fd);
    return clock_mono_ns(clock_system()) - begin_ns;
}

static void test_slow_clients_are_cut(void **state)
{
    static const struct {
        const char *start;
        const char *byte;
    } cases[] = {
        {"GET /text HTTP/1.1\r\nHost: localhost\r\nX: ", "x"},
        {"G", "E"},
        {"POST /count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n", "x"},
        {"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
         "1\r\nx\r\n"},
    };
    struct http_site *f = *state;

    f->config.idle_timeout_ns = NS_PER_S;
    f->config.request_timeout_ns = NS_PER_S;
    start_server(f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t took = drip(f, cases[i].start, cases[i].byte);
        if (took < 500 * NS_PER_MS || took > 5 * NS_PER_S) {
            fail_msg("case %zu took %lld ms", i, (long long)(took / NS_PER_MS));
        }
    }
    wait_count(&f->gone, 2);
    assert_true(http_site_wait_idle(f, 0));
}

static void test_idle_connections_are_closed(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    f->config.idle_timeout_ns = NS_PER_S;
    start_server(f);
    int fd = raw_connect(http_server_port(f->server));
    assert_true(http_peer_text(fd, "GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    assert_true(raw_read_answer(fd, &head, &body));
    assert_true(http_peer_wait_close(fd));
    (void)close(fd);
}

/* An exchange that waits is not cut, however long; its answer is sent. */
static void test_waiting_is_not_idle(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    f->config.idle_timeout_ns = NS_PER_S;
    f->config.request_timeout_ns = NS_PER_S;
    start_server(f);
    int fd = raw_connect(http_server_port(f->server));
    assert_true(http_peer_text(fd, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wait_held(f);
    http_peer_pause_ms(2500);
    assert_true(http_exchange_answer(f->held, &(struct http_answer){.body = STR("at last")}));
    assert_true(raw_read_answer(fd, &head, &body));
    assert_str(buf_str(&body), "at last");
    (void)close(fd);
}

/* --- numbers --- */

static unsigned count_served(struct http_site *f, unsigned connections)
{
    int fds[32];
    unsigned served = 0;

    assert_true(connections <= ARRAY_LEN(fds));
    for (unsigned i = 0; i < connections; i++) {
        fds[i] = raw_connect(http_server_port(f->server));
        (void)http_peer_text(fds[i], "GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    http_peer_pause_ms(200);
    for (unsigned i = 0; i < connections; i++) {
        char bytes[12];
        served += recv(fds[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0;
    }
    for (unsigned i = 0; i < connections; i++) {
        (void)close(fds[i]);
    }
    return served;
}

static void test_connection_limit(void **state)
{
    struct http_site *f = *state;

    f->config.max_connections = 6;
    start_server(f);
    unsigned served = count_served(f, 20);
    assert_in_range(served, 1, 6);
    http_peer_pause_ms(50);
    must_get(f, "/text", 200);
}

static void test_connection_limit_per_address(void **state)
{
    struct http_site *f = *state;

    f->config.max_connections_per_address = 4;
    start_server(f);
    unsigned served = count_served(f, 20);
    assert_in_range(served, 1, 4);
    http_peer_pause_ms(50);
    must_get(f, "/text", 200);
}

static void test_budget_of_bodies(void **state)
{
    struct http_site *f = *state;
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_UNLIMITED);

    budget_init(&f->kit.budget, NULL, "the test", 150000);
    buf_add_repeat(&body, 'x', HTTP_DRAIN_MAX - 1000); /* more would race with the closing */
    post(f, "/echo", buf_str(&body), 503);
    assert_str(http_response_header(&f->kit.response, STR("Retry-After")), "1");
    post(f, "/echo", STR("small"), 200);
    assert_true(http_site_wait_idle(f, 0));
    assert_int_equal(budget_used(&f->kit.budget), f->kit.response.taken_bytes);
    must_get(f, "/text", 200);
}

#define STOPPED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STOPPED(test_hosts),
        CASE(test_origins),
        CASE(test_admin_without_token),
        STOPPED(test_admin_token),
        STOPPED(test_client_credentials),
        CASE(test_bad_requests),
        CASE(test_smuggling_is_refused),
        CASE(test_long_heads),
        STOPPED(test_slow_clients_are_cut),
        STOPPED(test_idle_connections_are_closed),
        STOPPED(test_waiting_is_not_idle),
        STOPPED(test_connection_limit),
        STOPPED(test_connection_limit_per_address),
        CASE(test_budget_of_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
