/* What is known of a stream that nobody answers on: frames, and what goes again on the next connection. */
#include "export/exporter.h"

#include "base/metrics.h"
#include "fake/export_kit.h"
#include "fake/http_kit.h"
#include "fake/http_peer.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct http_kit http;
    struct export_kit kit;
    struct sink *sink;
    struct outcome out;
    int listener;
    uint16_t port;
};

static int setup(void **state)
{
    struct fixture *f = mem_new(struct fixture);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(f->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
    const int room = 1 << 20;
    (void)setsockopt(f->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    assert_int_equal(listen(f->listener, 4), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&at, &len), 0);
    f->port = ntohs(at.sin_port);
    http_kit_start(&f->http, f->port);
    f->http.env.metrics = metrics_new();
    outcome_init(&f->out);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    sink_close(f->sink);
    export_kit_stop(&f->kit);
    outcome_release(&f->out);
    metrics_free(f->http.env.metrics);
    http_kit_stop(&f->http);
    if (f->listener >= 0) {
        (void)close(f->listener);
    }
    mem_free(f);
    return 0;
}

static void open_exporter(struct fixture *f, const char *options)
{
    const struct exporter_place place = {.env = &f->http.env, .name = STR("log")};
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);

    buf_addf(&yaml, "type: syslog\nhostname: h\nmessage: '{{ .name }}'\n%s", options);
    if (strstr(options, "address:") == NULL) {
        buf_addf(&yaml, "address: tcp://127.0.0.1:%u\n", f->port);
    }
    if (!export_kit_start(&f->kit, buf_text(&yaml)) ||
        !f->kit.kind->open(&place, f->kit.config, &f->sink, &f->kit.err)) {
        fail_msg("%s", f->kit.err.message);
    }
}

static void deliver_many(struct fixture *f, const struct kit_sample *rows, uint32_t n, int64_t ms)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE};
    AUTO(batch_autounref) struct batch *b = kit_samples(NULL, &info, rows, n);
    struct wait wait = {clock_deadline_ms(clock_system(), ms), NULL};

    outcome_release(&f->out);
    outcome_init(&f->out);
    f->sink->ops->deliver(f->sink, view_all(b), wait, &f->out);
}

static void deliver(struct fixture *f, const char *labels)
{
    const struct kit_sample sample = {labels, KIT_TIME_NS, 1};

    deliver_many(f, &sample, 1, HTTP_PEER_PATIENCE_MS);
}

/* Takes the next connection and reads it to its end, which is ours once the sink has delivered. */
static void take_connection(struct fixture *f, struct buf *out)
{
    char bytes[4096];
    int fd = accept(f->listener, NULL, NULL);

    assert_true(fd >= 0);
    ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
    assert_true(got > 0);
    buf_add(out, bytes, (size_t)got);
    (void)close(fd);
    http_peer_pause_ms(50); /* until the end of it is there */
}

#define SECOND \
    "<30>1 2024-01-15T10:30:00Z h telex - sample [telex@32473 __name__=\"second\"] second"
#define FIRST "<30>1 2024-01-15T10:30:00Z h telex - sample [telex@32473 __name__=\"first\"] first"

/* Where the other side went away, the last messages go again before the next. */
static void test_the_last_ones_go_again(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);

    open_exporter(f, "framing: newline\n");
    deliver(f, "first");
    assert_int_equal(f->out.settled, 1);
    take_connection(f, &got);
    assert_string_equal(buf_text(&got), FIRST "\n");
    buf_clear(&got);
    deliver(f, "second");
    assert_int_equal(f->out.settled, 1);
    take_connection(f, &got);
    assert_string_equal(buf_text(&got), FIRST "\n" SECOND "\n");
}

static void test_lengths_in_front(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf want = BUF_INIT(BUF_UNLIMITED);

    open_exporter(f, "severity: crit\n");
    deliver(f, "first");
    take_connection(f, &got);
    buf_addf(&want, "%zu <26>1 ", sizeof(FIRST) - 1);
    assert_true(str_starts(buf_str(&got), buf_str(&want)));
}

static void test_nobody_there(void **state)
{
    struct fixture *f = *state;

    (void)close(f->listener);
    f->listener = -1;
    open_exporter(f, "");
    deliver(f, "first");
    assert_int_equal(f->out.rest, VERDICT_RETRY);
    assert_int_equal(f->out.settled, 0);
}

/* All that the next connection holds until there is no more for a moment. */
static void take_much(struct fixture *f, struct buf *out)
{
    char bytes[4096];
    int fd = accept(f->listener, NULL, NULL);
    ssize_t got = 0;

    assert_true(fd >= 0);
    while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        buf_add(out, bytes, (size_t)got);
    }
    (void)close(fd);
}

enum { MANY = 900, WINDOW = 64 * 1024 };

/* Of a busy stream the last 64 KiB go again, whole messages, however they were sent. */
static void the_last_of_many(struct fixture *f, const char *options)
{
    AUTO(mem_autofree) struct kit_sample *rows = mem_alloc0(MANY, sizeof(*rows));
    AUTO(buf_release) struct buf got = BUF_INIT(BUF_UNLIMITED);

    open_exporter(f, options);
    for (size_t i = 0; i < MANY; i++) {
        rows[i] = (struct kit_sample){"first", KIT_TIME_NS, 1};
    }
    deliver_many(f, rows, MANY, HTTP_PEER_PATIENCE_MS);
    assert_int_equal(f->out.settled, MANY);
    int unread = accept(f->listener, NULL, NULL);
    (void)close(unread);
    http_peer_pause_ms(50);
    deliver(f, "second");
    assert_int_equal(f->out.settled, 1);
    take_much(f, &got);
    size_t before = strstr(options, "newline") != NULL ? 0 : strlen("82 ");
    size_t frame = sizeof(FIRST) - 1 + (before > 0 ? before : strlen("\n"));
    size_t frames = WINDOW / frame;
    assert_in_range(got.len, frames * frame + 1, frames * frame + 200);
    assert_memory_equal(got.ptr + before, FIRST, sizeof(FIRST) - 1);
    assert_memory_equal(got.ptr + (frames - 1) * frame + before, FIRST, sizeof(FIRST) - 1);
    assert_non_null(strstr(buf_text(&got) + frames * frame, "] second"));
}

static void test_the_last_of_many(void **state)
{
    the_last_of_many(*state, "framing: newline\n");
}

static void test_the_last_of_many_counted(void **state)
{
    the_last_of_many(*state, "framing: octet_counting\n");
}

/* A datagram that the system does not take keeps nobody behind it waiting. */
static void test_a_message_too_large(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf name = BUF_INIT(BUF_UNLIMITED);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char bytes[4096];

    (void)snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/telex-test-syslog-%ld", (long)getpid());
    (void)unlink(at.sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    buf_addf(&yaml, "address: unix://%s\nmax_message_bytes: 1MiB\nstructured_data: false\n",
             at.sun_path);
    open_exporter(f, buf_text(&yaml));
    buf_add_text(&name, "large");
    buf_add_repeat(&name, 'x', 900 * 1000);
    const struct kit_sample rows[] = {{buf_text(&name), KIT_TIME_NS, 1},
                                      {"second", KIT_TIME_NS, 1}};
    deliver_many(f, rows, 2, HTTP_PEER_PATIENCE_MS);
    assert_int_equal(f->out.settled, 2);
    assert_int_equal(f->out.except.list.len, 1);
    assert_int_equal(f->out.except.list.items[0].index, 0);
    assert_int_equal(f->out.except.list.items[0].verdict, VERDICT_REJECTED);
    assert_non_null(strstr(f->out.except.list.items[0].reason, "no datagram of"));
    ssize_t got = recv(fd, bytes, sizeof(bytes) - 1, MSG_DONTWAIT);
    assert_true(got > 0);
    bytes[got] = '\0';
    assert_non_null(strstr(bytes, "second"));
    (void)close(fd);
    (void)unlink(at.sun_path);
}

static int64_t now_ms(void)
{
    return clock_mono_ns(clock_system()) / NS_PER_MS;
}

struct firing {
    struct cancel *cancel;
    struct thread thread;
};

static void fire(void *arg)
{
    struct firing *firing = arg;

    http_peer_pause_ms(200);
    cancel_fire(firing->cancel);
}

/* Who takes the connection and never says a word of TLS. */
static void test_opening_ends_with_its_wait(void **state)
{
    struct fixture *f = *state;
    AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
    const struct kit_sample sample = {"first", KIT_TIME_NS, 1};
    struct firing firing = {.cancel = cancel_new(NULL)};
    struct err e = ERR_INIT;

    buf_addf(&yaml, "address: tls://127.0.0.1:%u\nconnect_timeout: 4s\n", f->port);
    open_exporter(f, buf_text(&yaml));
    int64_t began = now_ms();
    deliver_many(f, &sample, 1, 300);
    assert_in_range(now_ms() - began, 290, 3000);
    assert_int_equal(f->out.rest, VERDICT_RETRY);
    assert_int_equal(f->out.err.code, ERR_TIMEOUT);
    assert_true(thread_start(&firing.thread, "fire", fire, &firing, &e));
    struct wait wait = {DEADLINE_NEVER, firing.cancel};
    assert_int_equal(sink_probe(f->sink, wait, &e), PROBED_FAILED);
    assert_in_range(now_ms() - began, 490, 3500);
    assert_int_equal(e.code, ERR_CANCELED);
    thread_join(&firing.thread);
    cancel_free(firing.cancel);
}

static const char *const udp_hosts[] = {"127.0.0.1", "localhost"};

static void test_datagrams_arrive(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    char bytes[4096];
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    for (size_t i = 0; i < ARRAY_LEN(udp_hosts); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
        buf_addf(&yaml, "address: udp://%s:%u\n", udp_hosts[i], ntohs(at.sin_port));
        open_exporter(f, buf_text(&yaml));
        deliver(f, "first");
        assert_int_equal(f->out.settled, 1);
        if (i == 0) {
            assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), sizeof(FIRST) - 1);
        }
        sink_close(TAKE(f->sink));
        export_kit_stop(&f->kit);
    }
    (void)close(fd);
}

static const struct {
    const char *options;
    const char *says;
} configs[] = {
    {"address: logs.example.com\n", "udp://host:port"},
    {"address: tcp://logs.example.com\n", "port"},
    {"address: unix://log\n", "path"},
    {"address: udp://logs/x:514\n", "lacks a host and a port"},
    {"address: udp://logs:syslog\n", "lacks a host and a port"},
    {"severities: {P1: worst}\n", "worst"},
    {"facility: local9\n", "local9"},
    {"address: udp://a:514\nmax_message_bytes: 65508\n", "at most 65507"},
    {"message: '{{ nosuch }}'\n", "nosuch"},
};

static void test_configs(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(configs); i++) {
        AUTO(buf_release) struct buf yaml = BUF_INIT(BUF_UNLIMITED);
        struct export_kit kit;
        buf_addf(&yaml, "type: syslog\n%s", configs[i].options);
        if (export_kit_start(&kit, buf_text(&yaml)) ||
            strstr(kit.err.message, configs[i].says) == NULL) {
            fail_msg("%s: %s", configs[i].options, kit.err.message);
        }
        export_kit_stop(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_last_ones_go_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths_in_front, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_of_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_of_many_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_message_too_large, setup, teardown),
        cmocka_unit_test_setup_teardown(test_opening_ends_with_its_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_datagrams_arrive, setup, teardown),
        cmocka_unit_test(test_configs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
