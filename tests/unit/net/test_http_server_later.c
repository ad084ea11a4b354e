/* Answers that come later, in pieces, or while the server stops. */
#include "net/http_server.h"

#include "server_kit.h"

#include <stdio.h>
#include <unistd.h>

static void test_forgotten_answers(void **state)
{
    struct http_site *f = *state;

    must_get(f, "/forgets", 500);
    wait_count(&f->gone, 1);
}

struct later {
    struct http_site *f;
    bool answer;
};

static void answer_later(void *arg)
{
    struct later *later = arg;
    struct http_site *f = later->f;

    wait_held(f);
    if (later->answer) {
        assert_true(http_exchange_answer(f->held, &(struct http_answer){.body = STR("later")}));
        assert_false(http_exchange_answer(f->held, &(struct http_answer){.body = STR("again")}));
    }
    http_exchange_drop(f->held);
    f->held = NULL;
}

static void test_answer_later(void **state)
{
    struct http_site *f = *state;
    struct err e = ERR_INIT;

    for (int i = 0; i < 20; i++) {
        struct later later = {f, i % 2 == 0};
        struct thread thread;
        assert_true(thread_start(&thread, "later", answer_later, &later, &e));
        must_get(f, "/hold", later.answer ? 200 : 500);
        assert_int_equal(str_eq(buf_str(&f->kit.body), STR("later")), later.answer);
        thread_join(&thread);
    }
    wait_count(&f->gone, 20);
}

/* One that waits takes no thread: others are served meanwhile, on every thread. */
static void test_waiting_costs_no_thread(void **state)
{
    struct http_site *f = *state;
    int fds[10];
    struct buf AUTO(buf_release) head = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) body = BUF_INIT(BUF_SMALL);
    struct http_exchange *held[ARRAY_LEN(fds)];

    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = raw_connect(http_server_port(f->server));
        assert_true(http_peer_text(fds[i], "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        wait_held(f);
        held[i] = f->held;
        must_get(f, "/echo", 200);
    }
    assert_true(http_site_wait_idle(f, ARRAY_LEN(fds)));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        assert_true(http_exchange_answer(held[i], &(struct http_answer){.body = STR("now")}));
        http_exchange_drop(held[i]);
        assert_true(raw_read_answer(fds[i], &head, &body));
        assert_str(buf_str(&body), "now");
        (void)close(fds[i]);
    }
    f->held = NULL;
}

static void test_client_leaves(void **state)
{
    struct http_site *f = *state;
    int fd = raw_connect(http_server_port(f->server));

    assert_true(http_peer_text(fd, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wait_held(f);
    http_peer_reset(fd);
    (void)close(fd);
    http_peer_pause_ms(50);
    (void)http_exchange_answer(f->held, &(struct http_answer){.body = STR("nobody reads it")});
    wait_count(&f->gone, 1);
    assert_true(http_exchange_is_over(f->held));
    assert_false(http_exchange_answer(f->held, &(struct http_answer){.body = STR("x")}));
    assert_true(http_site_wait_idle(f, 0));
}

static void test_stream(void **state)
{
    struct http_site *f = *state;

    must_get(f, "/stream", 200);
    assert_int_equal(f->kit.body.len, 500 * 10000);
    assert_str(http_response_header(&f->kit.response, STR("Content-Encoding")), "gzip");
    assert_int_equal(f->kit.body.ptr[0], 'a' + 499 % 26);
    wait_count(&f->closed, 1);

    struct buf AUTO(buf_release) out = BUF_INIT(BUF_UNLIMITED);
    http_site_exchange(f, "GET /stream HTTP/1.1\r\n%sConnection: close\r\n\r\n", &out);
    assert_true(out.len > 500 * 10000);
    assert_contains(&out, "Transfer-Encoding: chunked");
    http_site_exchange(f, "HEAD /stream HTTP/1.1\r\n%sConnection: close\r\n\r\n", &out);
    assert_true(str_ends(buf_str(&out), STR("\r\n\r\n")));
    wait_count(&f->closed, 3);
}

static void test_stream_fails(void **state)
{
    struct http_site *f = *state;

    assert_false(http_kit_get(&f->kit, "/fails"));
    assert_int_equal(f->kit.response.failure, HTTP_FAILURE_BROKEN);
    wait_count(&f->closed, 1);
}

static void test_events(void **state)
{
    struct http_site *f = *state;
    int fd = raw_connect(http_server_port(f->server));
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_SMALL);

    assert_true(
        http_peer_text(fd, "GET /events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    for (int i = 0; i < 4; i++) {
        wait_held(f);
        http_exchange_wake(f->held);
    }
    raw_read_all(fd, &out);
    assert_contains(&out, "9\r\ndata: x\n\n\r\n9\r\ndata: x\n\n\r\n9\r\ndata: x\n\n\r\n0\r\n\r\n");
    (void)close(fd);
    wait_count(&f->closed, 1);
}

/* --- stopping --- */

static void test_stop_lets_finish(void **state)
{
    struct http_site *f = *state;
    struct later later = {f, true};
    struct thread thread;
    struct err e = ERR_INIT;
    int fd = raw_connect(http_server_port(f->server));
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_SMALL);

    assert_true(http_peer_text(fd, "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    for (int i = 0; i < 500 && !atomic_load(&f->is_held); i++) {
        http_peer_pause_ms(5);
    }
    assert_true(thread_start(&thread, "later", answer_later, &later, &e));
    http_server_stop(f->server, (struct wait){clock_deadline_ms(clock_system(), 5000), NULL});
    thread_join(&thread);
    raw_read_all(fd, &out);
    assert_contains(&out, "HTTP/1.1 200 OK");
    assert_contains(&out, "Connection: close");
    assert_contains(&out, "later");
    (void)close(fd);
}

static void test_stop_ends_the_rest(void **state)
{
    struct http_site *f = *state;
    int fds[2] = {raw_connect(http_server_port(f->server)),
                  raw_connect(http_server_port(f->server))};
    struct buf AUTO(buf_release) out = BUF_INIT(BUF_SMALL);

    assert_true(http_peer_text(fds[0], "GET /hold HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wait_held(f);
    struct http_exchange *held = f->held;
    assert_true(http_peer_text(fds[1], "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    wait_held(f);
    int64_t start = clock_mono_ns(clock_system());
    http_server_stop(f->server, (struct wait){clock_deadline_ms(clock_system(), 200), NULL});
    assert_true(clock_mono_ns(clock_system()) - start < 3 * NS_PER_S);
    raw_read_all(fds[0], &out);
    assert_contains(&out, "HTTP/1.1 503 ");
    assert_false(http_exchange_answer(held, &(struct http_answer){.body = STR("too late")}));
    wait_count(&f->closed, 1);
    http_server_free(f->server); /* what is held outlives it */
    f->server = NULL;
    assert_false(http_exchange_answer(held, &(struct http_answer){.body = STR("too late")}));
    http_exchange_wake(f->held);
    http_exchange_drop(held);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_stopped_ports_are_free(void **state)
{
    struct http_site *f = *state;
    char listen[32];
    uint16_t port = http_server_port(f->server);

    must_get(f, "/text", 200);
    http_server_free(f->server);
    (void)snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
    f->config.listen = str_of(listen);
    start_server(f);
    assert_int_equal(http_server_port(f->server), port);
    must_get(f, "/text", 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_forgotten_answers),
        CASE(test_answer_later),
        CASE(test_waiting_costs_no_thread),
        CASE(test_client_leaves),
        CASE(test_stream),
        CASE(test_stream_fails),
        CASE(test_events),
        CASE(test_stop_lets_finish),
        CASE(test_stop_ends_the_rest),
        CASE(test_stopped_ports_are_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
