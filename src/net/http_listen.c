#include "net/http_server_int.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 512 };

/* <backlog> 0: bound, and nobody is let in. */
static int open_one(const struct addrinfo *address, int backlog)
{
    int on = 1;
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, address->ai_addr, address->ai_addrlen) != 0 ||
        (backlog > 0 && listen(fd, backlog) != 0)) {
        int why = errno;
        (void)close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

static bool open_first(const struct addrinfo *addresses, struct str listen, int backlog,
                       int *ret_fd, struct err *e)
{
    int fd = -1;

    for (const struct addrinfo *at = addresses; at != NULL && fd < 0; at = at->ai_next) {
        fd = open_one(at, backlog);
    }
    if (fd < 0) {
        return err_set_errno(e, ERR_NET, errno, "cannot listen on '%.*s'", STR_FMT(listen));
    }
    *ret_fd = fd;
    return true;
}

static uint16_t port_of(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t len = sizeof(address);

    if (getsockname(fd, &address.any, &len) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

static bool is_number(struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    return text.len > 0;
}

static bool is_port(struct str digits)
{
    uint32_t port = 0;

    for (size_t i = 0; i < digits.len && port <= UINT16_MAX; i++) {
        port = port * 10 + (uint32_t)(digits.ptr[i] - '0');
    }
    return port <= UINT16_MAX;
}

static bool split_listen(struct str listen, struct buf *host, struct buf *port, struct err *e)
{
    struct str host_part;
    struct str port_part;

    if (listen.len > 0 && listen.ptr[0] == ':') {
        host_part = STR("");
        port_part = str_slice(listen, 1, listen.len);
    } else if (!host_split(listen, &host_part, &port_part)) {
        port_part = STR("");
    }
    if (is_number(port_part) && !is_port(port_part)) {
        return err_set(e, ERR_CONFIG, "cannot listen on '%.*s': the port is above %d",
                       STR_FMT(listen), UINT16_MAX);
    }
    if (!is_number(port_part)) {
        return err_set(e, ERR_CONFIG,
                       "cannot listen on '%.*s': expected host:port, [address]:port or :port",
                       STR_FMT(listen));
    }
    buf_add_str(host, host_part);
    buf_add_str(port, port_part);
    return true;
}

bool http_listen_check(struct str listen, struct err *e)
{
    struct buf AUTO(buf_release) host = BUF_INIT(BUF_SMALL);
    struct buf AUTO(buf_release) port = BUF_INIT(BUF_SMALL);

    return split_listen(listen, &host, &port, e);
}

static bool open_listen(struct str listen, int backlog, int *ret_fd, struct buf *ret_host,
                        struct err *e)
{
    struct buf AUTO(buf_release) port = BUF_INIT(BUF_SMALL);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;

    if (!split_listen(listen, ret_host, &port, e)) {
        return false;
    }
    int code =
        getaddrinfo(ret_host->len > 0 ? buf_text(ret_host) : NULL, buf_text(&port), &hints, &found);
    if (code != 0) {
        return err_set(e, ERR_CONFIG, "cannot listen on '%.*s': %s", STR_FMT(listen),
                       gai_strerror(code));
    }
    bool fine = open_first(found, listen, backlog, ret_fd, e);
    freeaddrinfo(found);
    return fine;
}

bool http_listen(struct str listen, int *ret_fd, uint16_t *ret_port, struct buf *ret_host,
                 struct err *e)
{
    bool fine = open_listen(listen, BACKLOG, ret_fd, ret_host, e);

    if (fine) {
        *ret_port = port_of(*ret_fd);
    }
    return fine;
}

bool http_listen_try(struct str listen, struct err *e)
{
    AUTO(buf_release) struct buf host = BUF_INIT(BUF_SMALL);
    int fd = -1;

    if (!open_listen(listen, 0, &fd, &host, e)) {
        return false;
    }
    (void)close(fd);
    return true;
}
