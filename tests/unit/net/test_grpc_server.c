/* The gRPC server: calls of our own client over HTTP/2, answers from other threads, limits, and the end. */
#include "net/grpc_server.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { MESSAGE_MAX = 100 * 1000, CALLS = 200 };

struct fixture {
    struct http_kit kit;
    struct http_server_config config;
    struct grpc_server *server;
    struct lock lock;
    struct cond arrived;
    struct grpc_exchange *held GUARDED_BY(lock);
};

/* ---- methods ---- */

static void echo(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    const struct grpc_reply reply = {.code = GRPC_OK, .message = str_slice(message, 0, 1000)};

    (void)is_gzip;
    grpc_exchange_answer(x, &reply);
}

static void refuse(struct grpc_exchange *x)
{
    const struct grpc_reply reply = {
        .code = GRPC_UNAVAILABLE, .text = STR("voll %"), .details = STR("\x08\x0e")};

    grpc_exchange_answer(x, &reply);
}

static void never(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    (void)x;
    (void)message;
    (void)is_gzip;
    fail_msg("a refused call has no message");
}

static void hold(struct grpc_exchange *x, struct str message, bool is_gzip)
{
    struct fixture *f = grpc_exchange_arg(x);

    (void)message;
    (void)is_gzip;
    lock_take(&f->lock);
    f->held = grpc_exchange_hold(x);
    cond_signal(&f->arrived);
    lock_give(&f->lock);
}

static struct grpc_exchange *wait_held(struct fixture *f)
{
    int64_t deadline_ns = clock_deadline_ms(clock_system(), 5000);

    lock_take(&f->lock);
    while (f->held == NULL && cond_wait_until(&f->arrived, &f->lock, deadline_ns)) {
    }
    struct grpc_exchange *x = f->held;
    f->held = NULL;
    lock_give(&f->lock);
    return x;
}

static const struct grpc_method methods[] = {
    {.path = "/t/Echo", .message = echo, .access = HTTP_ACCESS_OPEN},
    {.path = "/t/Refuse", .begin = refuse, .message = never, .access = HTTP_ACCESS_OPEN},
    {.path = "/t/Hold", .message = hold, .access = HTTP_ACCESS_OPEN},
    {.path = "/t/Client", .message = echo, .access = HTTP_ACCESS_CLIENT},
};

/* ---- set-up ---- */

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);
    const struct grpc_server_config config = {
        .listen = STR("127.0.0.1:0"), .message_max = MESSAGE_MAX, .server = &f->config};
    struct err e = ERR_INIT;

    http_kit_start(&f->kit, 1);
    f->kit.env.metrics = metrics_new();
    lock_init(&f->lock);
    cond_init(&f->arrived);
    f->config = (struct http_server_config){.threads = 2,
                                            .max_connections = 20,
                                            .idle_timeout_ns = 2 * NS_PER_S,
                                            .request_timeout_ns = 2 * NS_PER_S,
                                            .auth = {.username = STR("u")}};
    if (!grpc_server_start(&f->kit.env, &config, methods, ARRAY_LEN(methods), f, &f->server, &e)) {
        fail_msg("%s", e.message);
    }
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    grpc_server_free(f->server);
    assert_int_equal(budget_used(&f->kit.budget), 0);
    metrics_free(f->kit.env.metrics);
    http_kit_stop(&f->kit);
    cond_release(&f->arrived);
    lock_release(&f->lock);
    mem_free(f);
    return 0;
}

/* A client of its own, since calls are made from several threads. */
struct caller {
    struct fixture *f;
    struct http_kit kit;
    struct buf message;
};

static void caller_start(struct caller *c, struct fixture *f)
{
    *c = (struct caller){.f = f, .message = BUF_INIT(BUF_UNLIMITED)};
    http_kit_start(&c->kit, grpc_server_port(f->server));
    c->kit.config.http2 = true;
    http_kit_client(&c->kit);
}

static void caller_stop(struct caller *c)
{
    http_kit_stop(&c->kit);
    buf_release(&c->message);
}

/* Calls with <len> bytes after the prefix; gives the code. */
static enum grpc_code call(struct caller *c, const char *path, size_t len)
{
    static const struct http_header headers[] = {
        {STR_INIT("Content-Type"), STR_INIT("application/grpc")},
        {STR_INIT("TE"), STR_INIT("trailers")},
    };
    char prefix[GRPC_PREFIX_BYTES];

    grpc_prefix(false, len, prefix);
    buf_clear(&c->message);
    buf_add(&c->message, prefix, sizeof(prefix));
    buf_add_repeat(&c->message, 'm', len);
    const struct str body = buf_str(&c->message);
    const struct http_request request = {.method = "POST",
                                         .path = str_of(path),
                                         .headers = headers,
                                         .header_count = ARRAY_LEN(headers),
                                         .parts = &body,
                                         .part_count = 1};
    if (!http_kit_call(&c->kit, &request)) {
        fail_msg("%s: %s", path, c->kit.err.message);
    }
    return grpc_code_read(http_response_header(&c->kit.response, STR("grpc-status")));
}

/* ---- tests ---- */

static void messages(void **state)
{
    static const size_t sizes[] = {0, 1, 16384, 65535, MESSAGE_MAX};
    struct caller c;

    caller_start(&c, *state);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        assert_int_equal(call(&c, "/t/Echo", sizes[i]), GRPC_OK);
        assert_int_equal(c.kit.body.len, GRPC_PREFIX_BYTES + (sizes[i] < 1000 ? sizes[i] : 1000));
    }
    caller_stop(&c);
}

static void refusals(void **state)
{
    static const struct {
        const char *path;
        size_t len;
        enum grpc_code code;
        const char *text;
    } rows[] = {
        {"/t/Refuse", 10, GRPC_UNAVAILABLE, "voll %25"},
        {"/t/Nothing", 10, GRPC_UNIMPLEMENTED, "no such method"},
        {"/t/Client", 10, GRPC_UNAUTHENTICATED, "credentials"},
        {"/t/Echo", MESSAGE_MAX + 1, GRPC_RESOURCE_EXHAUSTED, "larger than"},
    };
    struct caller c;

    caller_start(&c, *state);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(call(&c, rows[i].path, rows[i].len), rows[i].code);
        struct str text = http_response_header(&c.kit.response, STR("grpc-message"));
        assert_true(str_find(text, str_of(rows[i].text)) < text.len);
    }
    assert_int_equal(call(&c, "/t/Refuse", 10), GRPC_UNAVAILABLE);
    assert_true(
        str_eq(http_response_header(&c.kit.response, STR("grpc-status-details-bin")), STR("CA4=")));
    caller_stop(&c);
}

static void no_room_in_the_budget(void **state)
{
    struct fixture *f = *state;
    struct caller c;
    int64_t room = f->kit.budget.cap_bytes;

    caller_start(&c, f);
    f->kit.budget.cap_bytes = 70000;
    assert_int_equal(call(&c, "/t/Echo", MESSAGE_MAX), GRPC_UNAVAILABLE);
    f->kit.budget.cap_bytes = room;
    assert_int_equal(call(&c, "/t/Echo", MESSAGE_MAX), GRPC_OK);
    caller_stop(&c);
}

static void call_hold(void *arg)
{
    struct caller *c = arg;

    assert_int_equal(call(c, "/t/Hold", 3), GRPC_OK);
}

static void answers_from_other_threads(void **state)
{
    const struct grpc_reply ok = {.code = GRPC_OK, .message = STR("later")};
    struct fixture *f = *state;
    struct caller c;
    struct err e = ERR_INIT;

    caller_start(&c, f);
    for (int i = 0; i < CALLS; i++) {
        struct thread thread;
        assert_true(thread_start(&thread, "caller", call_hold, &c, &e));
        struct grpc_exchange *x = wait_held(f);
        assert_non_null(x);
        grpc_exchange_answer(x, &ok);
        grpc_exchange_answer(x, &ok); /* nothing: the first wins */
        grpc_exchange_drop(x);
        thread_join(&thread);
        assert_true(str_ends(buf_str(&c.kit.body), STR("later")));
    }
    caller_stop(&c);
}

static void call_in_vain(void *arg)
{
    struct caller *c = arg;
    const struct str body = STR("\0\0\0\0\0");
    const struct http_request request = {
        .method = "POST", .path = STR("/t/Hold"), .parts = &body, .part_count = 1};
    const struct http_header header = {STR("Content-Type"), STR("application/grpc")};
    struct http_request with_type = request;

    with_type.headers = &header;
    with_type.header_count = 1;
    (void)http_kit_call(&c->kit, &with_type);
}

/* What is held outlives the server; its answer then goes nowhere. */
static void held_over_the_end(void **state)
{
    const struct grpc_reply ok = {.code = GRPC_OK};
    struct fixture *f = *state;
    struct caller c;
    struct thread thread;
    struct err e = ERR_INIT;

    caller_start(&c, f);
    assert_true(thread_start(&thread, "caller", call_in_vain, &c, &e));
    struct grpc_exchange *x = wait_held(f);
    assert_non_null(x);
    grpc_server_free(f->server);
    f->server = NULL;
    thread_join(&thread);
    grpc_exchange_answer(x, &ok);
    grpc_exchange_drop(x);
    caller_stop(&c);
}

/* What is no HTTP/2 is closed at once, what says nothing after a while. */
static void what_is_no_http2(void **state)
{
    static const char *const openings[] = {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n", ""};
    struct fixture *f = *state;
    char bytes[256];

    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        int fd = raw_connect(grpc_server_port(f->server));
        assert_true(fd >= 0);
        assert_true(http_peer_text(fd, openings[i]));
        while (read(fd, bytes, sizeof(bytes)) > 0) {
        }
        (void)close(fd);
    }
}

/* ---- letting in ---- */

enum { FILL_MAX = 64, LIMIT_PER_ADDRESS = 3 };

static bool has_refused(struct fixture *f, const char *reason, unsigned count)
{
    AUTO(buf_release) struct buf page = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);

    metrics_render(f->kit.env.metrics, &page);
    buf_addf(&line, "telex_grpc_refused_total{reason=\"%s\"} %u\n", reason, count);
    return str_find(buf_str(&page), buf_str(&line)) < page.len;
}

/* Our settings come at once to who was let in, and nothing but the end to who was not. */
static bool is_let_in(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 1;
}

static void an_address_has_a_limit(void **state)
{
    struct fixture *f = *state;
    uint16_t port = grpc_server_port(f->server);
    int fds[LIMIT_PER_ADDRESS];
    bool is_in = false;

    f->config.max_connections_per_address = LIMIT_PER_ADDRESS;
    for (size_t i = 0; i < LIMIT_PER_ADDRESS; i++) {
        fds[i] = raw_connect(port);
        assert_true(is_let_in(fds[i]));
    }
    int more = raw_connect(port);
    assert_false(is_let_in(more));
    (void)close(more);
    assert_true(has_refused(f, "address", 1));
    (void)close(fds[0]);
    for (int i = 0; !is_in && i < 100; i++) { /* until the server has seen the end */
        (void)usleep(20000);
        fds[0] = raw_connect(port);
        is_in = is_let_in(fds[0]);
        if (!is_in) {
            (void)close(fds[0]);
        }
    }
    assert_true(is_in);
    for (size_t i = 0; i < LIMIT_PER_ADDRESS; i++) {
        (void)close(fds[i]);
    }
}

static void all_have_a_limit(void **state)
{
    struct fixture *f = *state;
    int fds[2];

    f->config.max_connections = 1;
    fds[0] = raw_connect(grpc_server_port(f->server));
    assert_true(is_let_in(fds[0]));
    fds[1] = raw_connect(grpc_server_port(f->server));
    assert_false(is_let_in(fds[1]));
    assert_true(has_refused(f, "connections", 1));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void connect_to(int fd, uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};

    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static struct rlimit set_descriptors(rlim_t max)
{
    struct rlimit was;
    struct rlimit now;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    now = (struct rlimit){max, was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return was;
}

/* No more is free, but for the one that the server keeps: who comes is turned away at once. */
static void no_descriptor_is_left(void **state)
{
    struct fixture *f = *state;
    int filled[FILL_MAX];
    size_t count = 0;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int next = dup(client);

    assert_true(client >= 0 && next >= 0);
    struct rlimit was = set_descriptors((rlim_t)next + 8);
    for (int fd = next; fd >= 0; fd = dup(client)) {
        assert_true(count < FILL_MAX);
        filled[count++] = fd;
    }
    connect_to(client, grpc_server_port(f->server));
    bool is_in = is_let_in(client);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_false(is_in);
    assert_true(has_refused(f, "descriptors", 1));
    for (size_t i = 0; i < count; i++) {
        (void)close(filled[i]);
    }
    (void)close(client);
    client = raw_connect(grpc_server_port(f->server));
    assert_true(is_let_in(client));
    (void)close(client);
}

static int64_t cpu_ns(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Not even that one can be used: nobody turns round and round, and who came is let in when it is over. */
static void not_even_the_kept_one(void **state)
{
    enum { LOOK_MS = 600 };
    struct fixture *f = *state;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 5};

    assert_true(client >= 0);
    (void)setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    struct rlimit was = set_descriptors(3);
    int64_t before_ns = cpu_ns();
    connect_to(client, grpc_server_port(f->server));
    (void)usleep(LOOK_MS * 1000);
    int64_t used_ns = cpu_ns() - before_ns;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
    assert_true(used_ns < LOOK_MS * NS_PER_MS / 4);
    assert_true(is_let_in(client));
    (void)close(client);
}

static void bad_addresses_and_certificates(void **state)
{
    struct fixture *f = *state;
    struct http_server_config server = f->config;
    struct grpc_server_config config = {.listen = STR("nowhere"), .server = &server};
    struct grpc_server *s = NULL;
    struct err e = ERR_INIT;

    assert_false(grpc_server_start(&f->kit.env, &config, methods, 1, f, &s, &e));
    config.listen = STR("127.0.0.1:0");
    server.tls.cert_file = STR("/nonexistent/cert.pem");
    server.tls.key_file = STR("/nonexistent/key.pem");
    e = ERR_INIT;
    assert_false(grpc_server_start(&f->kit.env, &config, methods, 1, f, &s, &e));
    assert_non_null(strstr(e.context, "otlp_grpc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages, setup, teardown),
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_has_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(all_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(no_descriptor_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(not_even_the_kept_one, setup, teardown),
        cmocka_unit_test_setup_teardown(no_room_in_the_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_from_other_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(held_over_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_http2, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_addresses_and_certificates, setup, teardown),
    };

    return cmocka_run_group_tests_name("net/grpc_server", tests, NULL, NULL);
}
