/* Connecting where nobody is PostgreSQL: who is asked, and for how long. */
#include "db/postgres.h"

#include "base/buf.h"
#include "base/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { HOSTS = 3 };

/* Those who take connections and say nothing. */
struct silence {
    int fds[HOSTS];
    unsigned ports[HOSTS];
};

static int setup(void **state)
{
    static struct silence silence;

    for (size_t i = 0; i < HOSTS; i++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
        assert_int_equal(listen(fd, 4), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
        silence.fds[i] = fd;
        silence.ports[i] = ntohs(at.sin_port);
    }
    *state = &silence;
    return 0;
}

static int teardown(void **state)
{
    struct silence *s = *state;

    for (size_t i = 0; i < HOSTS; i++) {
        (void)close(s->fds[i]);
    }
    return 0;
}

static bool was_asked(const struct silence *s, size_t i)
{
    int fd = accept(s->fds[i], NULL, NULL);

    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

/* All hosts, within the wait of one call. */
static void expect_asked(const struct silence *s, const char *text)
{
    struct wait wait = {clock_deadline_ms(clock_system(), 600), NULL};
    int64_t began_ns = clock_mono_ns(clock_system());
    struct pg *pg = NULL;
    struct pg_fault fault;
    struct err e = ERR_INIT;

    assert_false(pg_open(text, "t", wait, &pg, &fault, &e));
    assert_true(fault.is_lost);
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_in_range((clock_mono_ns(clock_system()) - began_ns) / NS_PER_MS, 590, 3000);
    for (size_t i = 0; i < HOSTS; i++) {
        if (!was_asked(s, i)) {
            fail_msg("%s: host %zu was not asked", text, i);
        }
    }
}

static void test_silent_hosts(void **state)
{
    const struct silence *s = *state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);

    if (!pg_is_built_in()) {
        skip();
    }
    buf_addf(&text, "postgresql://u:p@127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u/d", s->ports[0],
             s->ports[1], s->ports[2]);
    expect_asked(s, buf_text(&text));
    buf_clear(&text);
    buf_addf(&text,
             "host=a,b,c hostaddr=127.0.0.1,127.0.0.1,127.0.0.1 port=%u,%u,%u user=u dbname=d "
             "target_session_attrs=read-write",
             s->ports[0], s->ports[1], s->ports[2]);
    expect_asked(s, buf_text(&text));
}

static void test_one_silent_host(void **state)
{
    const struct silence *s = *state;
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct wait wait = {clock_deadline_ms(clock_system(), 300), NULL};
    struct pg *pg = NULL;
    struct pg_fault fault;
    struct err e = ERR_INIT;

    if (!pg_is_built_in()) {
        skip();
    }
    buf_addf(&text, "host=127.0.0.1 port=%u user=u dbname=d", s->ports[1]);
    assert_false(pg_open(buf_text(&text), "t", wait, &pg, &fault, &e));
    assert_int_equal(e.code, ERR_TIMEOUT);
    assert_false(was_asked(s, 0));
    assert_true(was_asked(s, 1));
    assert_false(was_asked(s, 1));
}

static void ignore(void *arg, const char *name, const char *value)
{
    (void)arg;
    (void)name;
    (void)value;
}

/* libpq would quote a piece of it; neither check nor a connection gives it the chance. */
static void test_passwords_that_nobody_escaped(void **state)
{
    static const char *const texts[] = {"postgresql://bob:Hunter@ter2xyz@127.0.0.1:1/db",
                                        "postgresql://bob:Hunter/ter2xyz@127.0.0.1:1/db",
                                        "postgresql://bob:Hunter/ter2xyz",
                                        "host=bob:Hunter@ter2xyz dbname=db"};

    (void)state;
    if (!pg_is_built_in()) {
        skip();
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct wait wait = {clock_deadline_ms(clock_system(), 10 * 1000), NULL};
        struct pg *pg = NULL;
        struct pg_fault fault;
        struct err e = ERR_INIT;
        struct err parsed = ERR_INIT;
        assert_false(pg_parse(texts[i], ignore, NULL, &parsed));
        assert_false(pg_open(texts[i], "t", wait, &pg, &fault, &e));
        if (strstr(e.message, "%40") == NULL || strstr(e.message, "unter") != NULL ||
            strstr(e.message, "ter2") != NULL || strcmp(e.message, parsed.message) != 0) {
            fail_msg("%s: %s", texts[i], e.message);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_silent_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_silent_host, setup, teardown),
        cmocka_unit_test(test_passwords_that_nobody_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
