/*
 * A channel of c-ares per question. c-ares has no thread here: this file polls its sockets, and an eventfd
 * that the caller's token writes to.
 */
#include "net/resolver.h"

#include "base/clock.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { CLASS_IN = 1, TRY_MS = 2000, TRIES = 3, POLL_MAX_MS = 1000 };

struct lookup {
    struct arena *arena;
    struct dns_record *records;
    size_t count;
    enum dns_type type;
    int status;
    bool is_done;
};

static void add(struct lookup *l, struct str host, uint16_t port)
{
    if (l->count < DNS_RECORDS_MAX) {
        l->records[l->count++] = (struct dns_record){arena_dup(l->arena, host), port};
    }
}

/* ---- answers, by type ---- */

static int read_a(struct lookup *l, const unsigned char *bytes, int len)
{
    struct ares_addrttl found[256];
    char text[INET_ADDRSTRLEN];
    int count = ARRAY_LEN(found);
    int status = ares_parse_a_reply(bytes, len, NULL, found, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        add(l, str_of(inet_ntop(AF_INET, &found[i].ipaddr, text, sizeof(text))), 0);
    }
    return status;
}

static int read_aaaa(struct lookup *l, const unsigned char *bytes, int len)
{
    struct ares_addr6ttl found[256];
    char text[INET6_ADDRSTRLEN];
    int count = ARRAY_LEN(found);
    int status = ares_parse_aaaa_reply(bytes, len, NULL, found, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        add(l, str_of(inet_ntop(AF_INET6, &found[i].ip6addr, text, sizeof(text))), 0);
    }
    return status;
}

static int read_srv(struct lookup *l, const unsigned char *bytes, int len)
{
    struct ares_srv_reply *found = NULL;
    int status = ares_parse_srv_reply(bytes, len, &found);

    for (const struct ares_srv_reply *r = found; r != NULL; r = r->next) {
        add(l, str_of(r->host), r->port);
    }
    ares_free_data(found);
    return status;
}

static int read_mx(struct lookup *l, const unsigned char *bytes, int len)
{
    struct ares_mx_reply *found = NULL;
    int status = ares_parse_mx_reply(bytes, len, &found);

    for (const struct ares_mx_reply *r = found; r != NULL; r = r->next) {
        add(l, str_of(r->host), 0);
    }
    ares_free_data(found);
    return status;
}

static const struct {
    int number;
    int (*read)(struct lookup *l, const unsigned char *bytes, int len);
} types[] = {
    [DNS_A] = {1, read_a},
    [DNS_AAAA] = {28, read_aaaa},
    [DNS_SRV] = {33, read_srv},
    [DNS_MX] = {15, read_mx},
};

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct lookup *l = arg;

    (void)timeouts;
    l->status = status == ARES_SUCCESS ? types[l->type].read(l, bytes, len) : status;
    l->is_done = true;
}

/* ---- waiting ---- */

static void wake(void *arg)
{
    const uint64_t one = 1;
    ssize_t ignored = write(*(const int *)arg, &one, sizeof(one));

    (void)ignored;
}

/* How long to sleep: until c-ares wants to try again, or the wait is over. */
static int sleep_ms(const struct env *env, ares_channel channel, struct wait wait)
{
    struct timeval most = {POLL_MAX_MS / 1000, 0};
    struct timeval tv;
    const struct timeval *t = ares_timeout(channel, &most, &tv);
    int64_t ms = (int64_t)t->tv_sec * 1000 + t->tv_usec / 1000 + 1;

    if (wait.deadline_mono_ns != DEADLINE_NEVER) {
        int64_t left = (wait.deadline_mono_ns - clock_mono_ns(env->clock)) / NS_PER_MS + 1;
        ms = left < ms ? left : ms;
    }
    return ms > 0 ? (int)ms : 0;
}

static void poll_once(const struct env *env, ares_channel channel, struct wait wait, int wake_fd)
{
    ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
    struct pollfd fds[ARES_GETSOCK_MAXNUM + 1];
    unsigned bits = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
    nfds_t count = 0;

    for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
        unsigned reads = bits >> i & 1;
        unsigned writes = bits >> (i + ARES_GETSOCK_MAXNUM) & 1;
        if (reads || writes) {
            short events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
            fds[count++] = (struct pollfd){.fd = sockets[i], .events = events};
        }
    }
    fds[count] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    int ready = poll(fds, count + 1, sleep_ms(env, channel, wait));
    if (ready <= 0) {
        ares_process_fd(channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    }
    for (nfds_t i = 0; ready > 0 && i < count; i++) {
        bool can_read = (fds[i].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        bool can_write = (fds[i].revents & POLLOUT) != 0;
        ares_process_fd(channel, can_read ? fds[i].fd : ARES_SOCKET_BAD,
                        can_write ? fds[i].fd : ARES_SOCKET_BAD);
    }
}

static void drive(const struct env *env, ares_channel channel, struct lookup *l, struct wait wait,
                  int wake_fd)
{
    struct cancel_hook hook = {.wake = wake, .arg = &wake_fd};

    if (wait.cancel != NULL) {
        cancel_hook_add(wait.cancel, &hook);
    }
    while (!l->is_done && !wait_is_over(wait, env->clock)) {
        poll_once(env, channel, wait, wake_fd);
    }
    if (wait.cancel != NULL) {
        cancel_hook_remove(wait.cancel, &hook);
    }
}

/* ---- a question ---- */

static int open_channel(const struct dns_question *q, ares_channel *ret_channel)
{
    struct ares_options options = {.timeout = TRY_MS, .tries = TRIES, .lookups = (char[]){"b"}};
    AUTO(buf_release) struct buf servers = BUF_INIT(BUF_SMALL);
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS;
    int status = ares_init_options(ret_channel, &options, mask);

    if (status == ARES_SUCCESS && q->servers.len > 0) {
        buf_add_str(&servers, q->servers);
        status = ares_set_servers_ports_csv(*ret_channel, buf_text(&servers));
        if (status != ARES_SUCCESS) {
            ares_destroy(*ret_channel);
        }
    }
    return status;
}

static bool judge(const struct lookup *l, const struct dns_question *q, struct wait wait,
                  struct err *e)
{
    bool is_none = l->status == ARES_ENOTFOUND || l->status == ARES_ENODATA;

    if (!l->is_done) {
        (void)wait_err(wait, e);
        return err_wrap(e, "asking DNS for %.*s", STR_FMT(q->name));
    }
    return l->status == ARES_SUCCESS || is_none ||
           err_set(e, ERR_NET, "DNS does not answer for %.*s: %s", STR_FMT(q->name),
                   ares_strerror(l->status));
}

static bool ask(const struct env *env, ares_channel channel, const struct dns_question *q,
                struct wait wait, struct lookup *l, struct err *e)
{
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (wake_fd < 0) {
        return err_set(e, ERR_IO, "no more files can be opened");
    }
    ares_search(channel, arena_text(l->arena, q->name), CLASS_IN, types[q->type].number, on_answer,
                l);
    drive(env, channel, l, wait, wake_fd);
    (void)close(wake_fd);
    return judge(l, q, wait, e);
}

bool dns_ask(const struct env *env, const struct dns_question *q, struct wait wait, struct arena *a,
             struct dns_record **ret_records, size_t *ret_count, struct err *e)
{
    struct lookup l = {
        .arena = a, .type = q->type, .records = arena_array(a, struct dns_record, DNS_RECORDS_MAX)};
    ares_channel channel;
    int status = open_channel(q, &channel);

    if (status != ARES_SUCCESS) {
        return err_set(e, ERR_CONFIG, "DNS cannot be asked: %s", ares_strerror(status));
    }
    bool ok = ask(env, channel, q, wait, &l, e);
    ares_destroy(channel); /* calls back for a question that is still open */
    if (ok) {
        *ret_records = l.records;
        *ret_count = l.count;
    }
    return ok;
}
