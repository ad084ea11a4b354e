/*
 * libmicrohttpd's timeout counts from the last byte, so a client that sends one now and then stays for
 * ever. Here every connection has a deadline for what it is doing, and a thread that shuts down the
 * sockets of those that passed it; libmicrohttpd then sees the end and cleans up.
 *
 * Invariants:
 *   1. A connection is on the ring from libmicrohttpd's start notice to its close notice, and its fd
 *      is open all that time: so under the lock shutdown() never meets another's fd.
 *   2. The reaper only shuts down; it frees nothing.
 */
#include "base/mem.h"
#include "net/http_server_int.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { REAP_EVERY_MS = 500 };

static void reap(struct http_connections *c)
{
    int64_t now_ns = clock_mono_ns(c->clock);

    lock_take(&c->lock);
    for (struct http_connection *at = c->head.next; at != &c->head; at = at->next) {
        if (at->deadline_ns <= now_ns) {
            (void)shutdown(at->fd, SHUT_RDWR);
            at->deadline_ns = DEADLINE_NEVER;
        }
    }
    lock_give(&c->lock);
}

static void reap_until_stopped(void *arg)
{
    struct http_connections *c = arg;
    struct wait wait = {.cancel = c->stop};

    do {
        reap(c);
        wait.deadline_mono_ns = clock_deadline_ms(clock_system(), REAP_EVERY_MS);
    } while (wait_sleep(wait));
}

bool http_connections_start(struct http_connections *c, const struct clock *clock, struct err *e)
{
    c->clock = clock;
    lock_init(&c->lock);
    c->head.next = &c->head;
    c->head.prev = &c->head;
    c->stop = cancel_new(NULL);
    return thread_start(&c->reaper, "http-reaper", reap_until_stopped, c, e);
}

void http_connections_stop(struct http_connections *c)
{
    if (c->stop == NULL) {
        return;
    }
    cancel_fire(c->stop);
    thread_join(&c->reaper);
    cancel_free(c->stop);
    c->stop = NULL;
    INVARIANT(c->head.next == &c->head);
    lock_release(&c->lock);
}

static void print_address(const struct sockaddr *address, char *out, size_t size)
{
    union {
        const struct sockaddr *any;
        const struct sockaddr_in *v4;
        const struct sockaddr_in6 *v6;
    } at = {.any = address};
    const void *bytes = NULL;

    if (address != NULL && address->sa_family == AF_INET) {
        bytes = &at.v4->sin_addr;
    } else if (address != NULL && address->sa_family == AF_INET6) {
        bytes = &at.v6->sin6_addr;
    }
    if (bytes == NULL || inet_ntop(address->sa_family, bytes, out, (socklen_t)size) == NULL) {
        out[0] = '?';
        out[1] = '\0';
    }
}

struct http_connection *http_connections_add(struct http_connections *c,
                                             struct MHD_Connection *connection, int64_t limit_ns)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct http_connection *added = mem_new(struct http_connection);

    added->fd = fd != NULL ? fd->connect_fd : -1;
    added->deadline_ns = clock_mono_ns(c->clock) + limit_ns;
    print_address(address != NULL ? address->client_addr : NULL, added->remote,
                  sizeof(added->remote));
    lock_take(&c->lock);
    added->prev = &c->head;
    added->next = c->head.next;
    added->next->prev = added;
    c->head.next = added;
    lock_give(&c->lock);
    return added;
}

void http_connections_remove(struct http_connections *c, struct http_connection *connection)
{
    lock_take(&c->lock);
    connection->prev->next = connection->next;
    connection->next->prev = connection->prev;
    lock_give(&c->lock);
    mem_free(connection);
}

void http_connection_limit(struct http_connections *c, struct http_connection *connection,
                           int64_t limit_ns)
{
    int64_t deadline_ns =
        limit_ns == DEADLINE_NEVER ? DEADLINE_NEVER : clock_mono_ns(c->clock) + limit_ns;

    lock_take(&c->lock);
    connection->deadline_ns = deadline_ns;
    lock_give(&c->lock);
}
