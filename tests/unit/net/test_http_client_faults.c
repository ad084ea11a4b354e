/* How calls end when there is no answer: what the failure is called and whether it was sent. */
#include "net/http_client.h"

#include "base/clock.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

/* What the peer does with a connection, in the order of connections; the last one repeats. */
typedef void (*behaviour)(struct http_peer *peer, int fd);

struct script {
    const behaviour *steps;
    unsigned count;
};

static void read_one(struct http_peer *peer, int fd)
{
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    (void)http_peer_read(peer, fd, &head, &body);
}

static void do_reset_at_once(struct http_peer *peer, int fd)
{
    (void)peer;
    http_peer_reset(fd);
}

static void do_close_after_request(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
}

static void do_reset_after_request(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    http_peer_reset(fd);
}

static void do_reset_mid_body(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    http_peer_pause_ms(50);
    http_peer_reset(fd);
}

static void do_close_mid_body(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

static void do_close_mid_chunk(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf");
}

static void do_bad_chunk(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhalf");
}

static void do_no_http(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "SSH-2.0-OpenSSH_9.2\r\n");
}

static void do_huge_headers(struct http_peer *peer, int fd)
{
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);

    read_one(peer, fd);
    buf_add_text(&out, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 2000; i++) {
        buf_addf(&out, "X-%d: 0123456789012345678901234567890123456789\r\n", i);
    }
    buf_add_text(&out, "Content-Length: 0\r\n\r\n");
    (void)http_peer_write(fd, buf_str(&out));
    (void)http_peer_wait_close(fd);
}

static void do_announce_much(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nx");
    (void)http_peer_wait_close(fd);
}

static void do_send_much(struct http_peer *peer, int fd)
{
    struct buf AUTO(buf_release) some = BUF_INIT(BUF_UNLIMITED);

    read_one(peer, fd);
    buf_add_repeat(&some, 'x', 64 * 1024);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (int i = 0; i < 1000 && http_peer_write(fd, buf_str(&some)); i++) {
    }
}

static void do_say_nothing(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_wait_close(fd);
}

static void do_drip(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (!atomic_load(&peer->stopping) && http_peer_text(fd, "x")) {
        http_peer_pause_ms(20);
    }
}

static void do_answer(struct http_peer *peer, int fd)
{
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    while (http_peer_read(peer, fd, &head, &body) &&
           http_peer_answer(fd, 200, "", buf_str(&body))) {
    }
}

/* A kept connection that the server closes while idle. */
static void do_answer_once(struct http_peer *peer, int fd)
{
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);

    if (http_peer_read(peer, fd, &head, &body)) {
        (void)http_peer_answer(fd, 200, "", buf_str(&body));
    }
}

/* The server answers in full, then closes only its sending half. */
static void do_half_close(struct http_peer *peer, int fd)
{
    read_one(peer, fd);
    (void)http_peer_text(fd, "HTTP/1.1 200 OK\r\n\r\nto the end");
    (void)shutdown(fd, SHUT_WR);
    (void)http_peer_wait_close(fd);
}

static void serve(struct http_peer *peer, unsigned index, int fd)
{
    const struct script *script = peer->arg;

    script->steps[index < script->count ? index : script->count - 1](peer, fd);
}

struct outcome {
    const char *name;
    behaviour does;
    enum http_failure failure;
    enum err_code code;
    bool sent;
};

static void check_outcome(const struct outcome *want)
{
    struct script script = {&want->does, 1};
    struct http_peer peer;
    struct http_kit kit;
    struct str body = STR("payload");
    struct http_request request = {.method = "POST", .parts = &body, .part_count = 1};

    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    kit.config.timeout_ns = 500 * NS_PER_MS;
    bool answered = http_kit_call(&kit, &request);
    struct http_response *r = &kit.response;
    if (answered || r->failure != want->failure || kit.err.code != want->code ||
        r->request_sent != want->sent || r->status != 0) {
        fail_msg("%s: answered %d, %s (%s), sent %d, status %d: %s", want->name, answered,
                 http_failure_name(r->failure), err_code_name(kit.err.code), r->request_sent,
                 r->status, kit.err.message);
    }
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

static void test_outcomes(void **state)
{
    static const struct outcome cases[] = {
        {"close after request", do_close_after_request, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"reset after request", do_reset_after_request, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"reset mid body", do_reset_mid_body, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"close mid body", do_close_mid_body, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"close mid chunk", do_close_mid_chunk, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"bad chunk", do_bad_chunk, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"no http", do_no_http, HTTP_FAILURE_BROKEN, ERR_NET, true},
        {"huge headers", do_huge_headers, HTTP_FAILURE_TOO_LARGE, ERR_LIMIT, true},
        {"announced too large", do_announce_much, HTTP_FAILURE_TOO_LARGE, ERR_LIMIT, true},
        {"too large", do_send_much, HTTP_FAILURE_TOO_LARGE, ERR_LIMIT, true},
        {"silence", do_say_nothing, HTTP_FAILURE_TIMEOUT, ERR_TIMEOUT, true},
        {"slow drip", do_drip, HTTP_FAILURE_TIMEOUT, ERR_TIMEOUT, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_outcome(&cases[i]);
    }
}

static void test_nobody_there(void **state)
{
    struct http_kit kit;

    (void)state;
    http_kit_start(&kit, http_peer_closed_port());
    assert_false(http_kit_get(&kit, "/"));
    assert_int_equal(kit.response.failure, HTTP_FAILURE_CONNECT);
    assert_int_equal(kit.err.code, ERR_NET);
    assert_false(kit.response.request_sent);
    assert_non_null(strstr(kit.err.message, "GET http://127.0.0.1:"));

    kit.config.url = STR("http://name.invalid/");
    http_kit_client(&kit);
    assert_false(http_kit_get(&kit, ""));
    assert_int_equal(kit.response.failure, HTTP_FAILURE_CONNECT);
    assert_false(kit.response.request_sent);
    http_kit_stop(&kit);
}

/* A listener whose queue is full takes no connection: the request is not sent. */
static void test_connect_timeout(void **state)
{
    struct http_kit kit;

    (void)state;
    http_kit_start(&kit, 1);
    kit.config.url = STR("http://192.0.2.1/"); /* for documentation: nobody is there */
    kit.config.connect_timeout_ns = 200 * NS_PER_MS;
    int64_t start = clock_mono_ns(clock_system());
    assert_false(http_kit_get(&kit, ""));
    assert_false(kit.response.request_sent);
    /* Where there is no route at all it fails at once, and differently. */
    assert_true(kit.response.failure == HTTP_FAILURE_TIMEOUT ||
                kit.response.failure == HTTP_FAILURE_CONNECT);
    assert_true(clock_mono_ns(clock_system()) - start < 3 * NS_PER_S);
    http_kit_stop(&kit);
}

static void test_waits_end_in_time(void **state)
{
    static const behaviour steps[] = {do_say_nothing};
    struct script script = {steps, 1};
    struct http_peer peer;
    struct http_kit kit;
    struct http_request request = {.timeout_ns = 100 * NS_PER_MS};
    const struct clock *clock = clock_system();

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    int64_t start = clock_mono_ns(clock);
    assert_false(http_kit_call(&kit, &request));
    int64_t took = clock_mono_ns(clock) - start;
    assert_true(took >= 90 * NS_PER_MS && took < 2 * NS_PER_S);

    struct wait wait = {.deadline_mono_ns = clock_deadline_ms(clock, 100)};
    struct http_request plain = {0};
    start = clock_mono_ns(clock);
    assert_false(http_client_call(kit.client, &plain, wait, &kit.response, &kit.err));
    took = clock_mono_ns(clock) - start;
    assert_true(took >= 90 * NS_PER_MS && took < 2 * NS_PER_S);
    assert_int_equal(kit.response.failure, HTTP_FAILURE_TIMEOUT);

    wait.deadline_mono_ns = clock_mono_ns(clock);
    assert_false(http_client_call(kit.client, &plain, wait, &kit.response, &kit.err));
    assert_int_equal(kit.response.failure, HTTP_FAILURE_TIMEOUT);
    assert_false(kit.response.request_sent);
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

struct firing {
    struct cancel *cancel;
    int64_t after_ms;
    int64_t fired_ns;
};

static void fire_later(void *arg)
{
    struct firing *f = arg;

    http_peer_pause_ms(f->after_ms);
    f->fired_ns = clock_mono_ns(clock_system());
    cancel_fire(f->cancel);
}

static int64_t cancel_latency_ns(uint16_t port, const char *url)
{
    struct http_kit kit;
    struct thread thread;
    struct err e = ERR_INIT;

    http_kit_start(&kit, port);
    if (url != NULL) {
        kit.config.url = str_of(url);
    }
    http_kit_client(&kit);
    struct firing firing = {.cancel = kit.cancel, .after_ms = 100};
    assert_true(thread_start(&thread, "fire", fire_later, &firing, &e));
    assert_false(http_kit_get(&kit, "/"));
    int64_t ended = clock_mono_ns(clock_system());
    thread_join(&thread);
    assert_int_equal(kit.response.failure, HTTP_FAILURE_CANCELED);
    assert_int_equal(kit.err.code, ERR_CANCELED);
    http_kit_stop(&kit);
    return ended - firing.fired_ns;
}

static void test_cancel_is_quick(void **state)
{
    static const behaviour steps[] = {do_say_nothing, do_drip};
    struct script script = {steps, 2};
    struct http_peer peer;

    (void)state;
    http_peer_start(&peer, serve, &script);
    for (int i = 0; i < 2; i++) {
        int64_t latency = cancel_latency_ns(peer.port, NULL);
        if (latency > 50 * NS_PER_MS) {
            fail_msg("cancelled after %lld us", (long long)(latency / NS_PER_US));
        }
    }
    http_peer_stop(&peer);
}

static void test_cancelled_before(void **state)
{
    static const behaviour steps[] = {do_answer};
    struct script script = {steps, 1};
    struct http_peer peer;
    struct http_kit kit;

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    cancel_fire(kit.cancel);
    assert_false(http_kit_get(&kit, "/"));
    assert_int_equal(kit.response.failure, HTTP_FAILURE_CANCELED);
    assert_false(kit.response.request_sent);
    assert_int_equal(peer.connections, 0);
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

/* After any failure the pair is as good as new. */
static void test_pairs_recover(void **state)
{
    static const behaviour steps[] = {do_reset_at_once, do_reset_mid_body, do_send_much,
                                      do_say_nothing,   do_no_http,        do_answer};
    struct script script = {steps, ARRAY_LEN(steps)};
    struct http_peer peer;
    struct http_kit kit;
    struct str body = STR("payload");
    struct http_request request = {.method = "POST", .parts = &body, .part_count = 1};

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    kit.config.timeout_ns = 300 * NS_PER_MS;
    for (size_t i = 0; i + 1 < ARRAY_LEN(steps); i++) {
        assert_false(http_kit_call(&kit, &request));
    }
    for (int i = 0; i < 3; i++) {
        assert_true(http_kit_call(&kit, &request));
        assert_true(str_eq(buf_str(&kit.body), body));
    }
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

/* A kept connection that died meanwhile costs nothing: the request goes over a new one. */
static void test_dead_kept_connection(void **state)
{
    static const behaviour steps[] = {do_answer_once, do_answer_once, do_answer};
    struct script script = {steps, ARRAY_LEN(steps)};
    struct http_peer peer;
    struct http_kit kit;
    struct str parts[] = {STR("pay"), STR("load")};
    struct http_request request = {.method = "POST", .parts = parts, .part_count = 2};

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(http_kit_call(&kit, &request));
        assert_true(str_eq(buf_str(&kit.body), STR("payload")));
        http_peer_pause_ms(50);
    }
    assert_int_equal(peer.connections, 3);
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

static void test_half_close_is_an_end(void **state)
{
    static const behaviour steps[] = {do_half_close};
    struct script script = {steps, 1};
    struct http_peer peer;
    struct http_kit kit;

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    assert_true(http_kit_get(&kit, "/"));
    assert_true(str_eq(buf_str(&kit.body), STR("to the end")));
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

static void test_budget_is_asked_first(void **state)
{
    static const behaviour steps[] = {do_send_much};
    struct script script = {steps, 1};
    struct http_peer peer;
    struct http_kit kit;

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    kit.config.max_response_bytes = 1024 * 1024 * 1024;
    budget_init(&kit.budget, NULL, "the test", 1024 * 1024);
    assert_false(http_kit_get(&kit, "/"));
    assert_int_equal(kit.response.failure, HTTP_FAILURE_TOO_LARGE);
    assert_non_null(strstr(kit.err.message, "budget"));
    assert_true(kit.body.len <= 1024 * 1024);
    assert_true(budget_used(&kit.budget) <= 1024 * 1024);
    http_response_release(&kit.response);
    assert_int_equal(budget_used(&kit.budget), 0);
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

struct crowd {
    struct http_kit *kit;
    _Atomic unsigned fine;
};

static void call_often(void *arg)
{
    struct crowd *crowd = arg;
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);
    struct wait wait = {.deadline_mono_ns = DEADLINE_NEVER, .cancel = crowd->kit->cancel};
    struct http_response AUTO(http_response_release) r = {0};

    http_response_init(&r, &body);
    for (int i = 0; i < 50; i++) {
        struct err e = ERR_INIT;
        struct buf AUTO(buf_release) text = BUF_INIT(BUF_SMALL);
        buf_addf(&text, "%p %d", arg, i);
        struct str part = buf_str(&text);
        struct http_request request = {.method = "POST", .parts = &part, .part_count = 1};
        if (http_client_call(crowd->kit->client, &request, wait, &r, &e) &&
            str_eq(buf_str(&body), part)) {
            atomic_fetch_add(&crowd->fine, 1);
        }
    }
}

static void test_many_threads(void **state)
{
    static const behaviour steps[] = {do_answer};
    struct script script = {steps, 1};
    struct http_peer peer;
    struct http_kit kit;
    struct thread threads[8];
    struct err e = ERR_INIT;

    (void)state;
    http_peer_start(&peer, serve, &script);
    http_kit_start(&kit, peer.port);
    http_kit_client(&kit);
    struct crowd crowd = {.kit = &kit};
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        assert_true(thread_start(&threads[i], "caller", call_often, &crowd, &e));
    }
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(crowd.fine, 50 * ARRAY_LEN(threads));
    assert_true(peer.connections <= ARRAY_LEN(threads));
    http_kit_stop(&kit);
    http_peer_stop(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_connect_timeout),
        cmocka_unit_test(test_waits_end_in_time),
        cmocka_unit_test(test_cancel_is_quick),
        cmocka_unit_test(test_cancelled_before),
        cmocka_unit_test(test_pairs_recover),
        cmocka_unit_test(test_dead_kept_connection),
        cmocka_unit_test(test_half_close_is_an_end),
        cmocka_unit_test(test_budget_is_asked_first),
        cmocka_unit_test(test_many_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
