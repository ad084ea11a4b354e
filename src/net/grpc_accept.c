/*
 * Who is let in: so many connections in all, so many of one address, and what is done when no descriptor is
 * left for one more.
 *
 * Invariants:
 *   1. A connection that cannot be accepted stays in the kernel's queue, and epoll goes on saying so. So either it
 *      is accepted after all, with the descriptor that is kept for that, and closed, or the loop stops looking
 *      for a while: it never turns round and round.
 *   2. An address is in the table as long as it has a connection.
 */
#include "net/grpc_server_int.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ACCEPTS_MAX = 16, PAUSE_MS = 1000 };

static const struct metric_desc refused_desc = {
    .name = "telex_grpc_refused_total",
    .help =
        "Connections to the gRPC receiver that were closed at once: there were too many in all, too many of "
        "one address, or no descriptor was left.",
    .type = METRIC_COUNTER,
    .labels = {"reason"},
};

/* What one address has. */
struct grpc_peer {
    struct grpc_address address; /* the key */
    int64_t connections;
};

/* ---- addresses ---- */

static struct str key_of(const struct grpc_address *address)
{
    return str_make((const char *)address->bytes, sizeof(address->bytes));
}

/* Of IPv4 what it is called in IPv6. */
static struct grpc_address address_of(const struct sockaddr_storage *from)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    union {
        const struct sockaddr_storage *any;
        const struct sockaddr_in *v4;
        const struct sockaddr_in6 *v6;
    } at = {.any = from};
    struct grpc_address address = {{0}};

    if (from->ss_family == AF_INET) {
        memcpy(address.bytes, mapped, sizeof(mapped));
        memcpy(address.bytes + sizeof(mapped), &at.v4->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        memcpy(address.bytes, &at.v6->sin6_addr, sizeof(address.bytes));
    }
    return address;
}

static bool join(struct grpc_server *s, const struct grpc_address *address)
{
    int64_t max = s->config.server->max_connections_per_address;

    lock_take(&s->lock);
    struct grpc_peer *peer = map_get(&s->peers, key_of(address));
    if (peer == NULL) {
        peer = mem_new(struct grpc_peer);
        peer->address = *address;
        (void)map_put(&s->peers, key_of(&peer->address), peer);
    }
    bool ok = max == 0 || peer->connections < max;
    peer->connections += ok;
    lock_give(&s->lock);
    return ok;
}

void grpc_peer_left(struct grpc_server *s, const struct grpc_address *address)
{
    lock_take(&s->lock);
    struct grpc_peer *peer = map_get(&s->peers, key_of(address));
    if (peer != NULL && --peer->connections == 0) {
        (void)map_del(&s->peers, key_of(address));
        mem_free(peer);
    }
    lock_give(&s->lock);
}

/* ---- no descriptor ---- */

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void grpc_accept_prepare(struct grpc_server *s)
{
    static const char *const reasons[GRPC_REFUSALS] = {
        [GRPC_REFUSED_ALL] = "connections",
        [GRPC_REFUSED_ADDRESS] = "address",
        [GRPC_REFUSED_DESCRIPTORS] = "descriptors",
    };

    lock_take(&s->lock);
    s->spare_fd = open_spare();
    map_init(&s->peers, s->env->rng != NULL ? rng_u64(s->env->rng) : 0);
    lock_give(&s->lock);
    for (int i = 0; i < GRPC_REFUSALS; i++) {
        s->refused[i] = metrics_get1(s->env->metrics, &refused_desc, str_of(reasons[i]));
    }
}

void grpc_accept_release(struct grpc_server *s)
{
    lock_take(&s->lock);
    if (s->spare_fd >= 0) {
        (void)close(s->spare_fd);
        s->spare_fd = -1;
    }
    map_release(&s->peers);
    lock_give(&s->lock);
    for (int i = 0; i < GRPC_REFUSALS; i++) {
        metric_drop(s->refused[i]);
    }
}

/* Accepts one with the descriptor that is kept for it, and closes it. False: that cannot be done now. */
static bool turn_one_away(struct grpc_server *s)
{
    lock_take(&s->lock);
    bool had_spare = s->spare_fd >= 0;
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    int fd = -1;
    if (had_spare) {
        (void)close(s->spare_fd);
        fd = accept4(s->listen_fd, (struct sockaddr *)&from, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    bool is_over = fd < 0 && errno == EAGAIN;
    if (fd >= 0) {
        metric_add(s->refused[GRPC_REFUSED_DESCRIPTORS], 1);
        (void)close(fd);
    }
    s->spare_fd = open_spare();
    lock_give(&s->lock);
    if (fd >= 0) {
        trace_warn(&s->trace, "a connection was closed: no descriptor is left (see RLIMIT_NOFILE)");
    }
    return fd >= 0 || (had_spare && is_over);
}

static void watch(struct grpc_loop *loop, int change)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.ptr = loop->server}};

    (void)epoll_ctl(loop->epoll_fd, change, loop->server->listen_fd, &event);
}

static void pause_accepting(struct grpc_loop *loop)
{
    loop->resumes_ns = clock_mono_ns(loop->server->env->clock) + PAUSE_MS * NS_PER_MS;
    watch(loop, EPOLL_CTL_DEL);
    trace_warn(&loop->server->trace,
               "no connection can be accepted for now: descriptors or memory are out",
               T_I64("retry_after_ms", PAUSE_MS));
}

void grpc_accept_resume(struct grpc_loop *loop, int64_t now_ns)
{
    if (loop->resumes_ns != 0 && now_ns >= loop->resumes_ns && loop->is_listening) {
        loop->resumes_ns = 0;
        watch(loop, EPOLL_CTL_ADD);
    }
}

/* ---- letting in ---- */

static void refuse(struct grpc_server *s, int fd, enum grpc_refusal why, const char *remote)
{
    metric_add(s->refused[why], 1);
    (void)close(fd);
    trace_warn(&s->trace,
               why == GRPC_REFUSED_ALL
                   ? "a connection was closed: there are server.max_connections already"
                   : "a connection was closed: its address has "
                     "server.max_connections_per_address already",
               T_TEXT("remote", remote));
}

static void let_in(struct grpc_loop *loop, int fd, const struct sockaddr_storage *from,
                   socklen_t len)
{
    struct grpc_server *s = loop->server;
    struct grpc_address address = address_of(from);
    char remote[NI_MAXHOST] = "?";
    const int on = 1;

    (void)getnameinfo((const struct sockaddr *)from, len, remote, sizeof(remote), NULL, 0,
                      NI_NUMERICHOST);
    if (atomic_load(&s->connection_count) >= s->config.server->max_connections) {
        refuse(s, fd, GRPC_REFUSED_ALL, remote);
    } else if (!join(s, &address)) {
        refuse(s, fd, GRPC_REFUSED_ADDRESS, remote);
    } else {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        grpc_connection_open(loop, fd, &address, remote);
    }
}

void grpc_accept(struct grpc_loop *loop)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
        socklen_t len = sizeof(from);
        int fd = accept4(loop->server->listen_fd, (struct sockaddr *)&from, &len,
                         SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            let_in(loop, fd, &from, len);
            continue;
        }
        bool is_out = errno == EMFILE || errno == ENFILE;
        bool may_help = errno != ENOBUFS && errno != ENOMEM;
        if (is_out ? !turn_one_away(loop->server) : !may_help) {
            pause_accepting(loop);
            return;
        }
        if (!is_out && errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}
