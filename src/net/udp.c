#include "net/udp.h"

#include "base/buf.h"
#include "net/http_guard.h"
#include "net/http_server.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

union any_address {
    struct sockaddr any;
    struct sockaddr_un file;
};

static void prepare(int fd)
{
    const int on = 1;
    const int bytes = UDP_QUEUE_BYTES;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
}

static bool open_first(const struct addrinfo *found, struct str listen, int *ret_fd, struct err *e)
{
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        int fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && bind(fd, at->ai_addr, at->ai_addrlen) == 0) {
            prepare(fd);
            *ret_fd = fd;
            return true;
        }
        int why = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        errno = why;
    }
    return err_set_errno(e, ERR_NET, errno, "cannot listen on '%.*s'", STR_FMT(listen));
}

bool udp_listen_check(struct str listen, struct err *e)
{
    return http_listen_check(listen, e);
}

bool udp_listen(struct str listen, int *ret_fd, struct err *e)
{
    AUTO(buf_release) struct buf host_text = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf port_text = BUF_INIT(BUF_SMALL);
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    bool is_any = str_starts(listen, STR(":"));
    struct str host = STR("");
    struct str port = str_slice(listen, 1, listen.len);
    struct addrinfo *found = NULL;

    if ((!is_any && !host_split(listen, &host, &port)) || port.len == 0) {
        return err_set(e, ERR_CONFIG,
                       "cannot listen on '%.*s': expected host:port, [address]:port or :port",
                       STR_FMT(listen));
    }
    buf_add_str(&host_text, host);
    buf_add_str(&port_text, port);
    int code = getaddrinfo(host.len > 0 ? buf_text(&host_text) : NULL, buf_text(&port_text), &hints,
                           &found);
    if (code != 0) {
        return err_set(e, ERR_CONFIG, "cannot listen on '%.*s': %s", STR_FMT(listen),
                       gai_strerror(code));
    }
    bool ok = open_first(found, listen, ret_fd, e);
    freeaddrinfo(found);
    return ok;
}

/* Is there a socket's file to which nobody listens? */
static bool is_left_over(int fd, const union any_address *address)
{
    struct stat status;

    return stat(address->file.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
           connect(fd, &address->any, sizeof(address->file)) != 0 && errno == ECONNREFUSED;
}

bool unix_datagram_listen(struct str path, int *ret_fd, struct err *e)
{
    union any_address address = {.file = {.sun_family = AF_UNIX}};

    if (path.len >= sizeof(address.file.sun_path)) {
        return err_set(e, ERR_CONFIG, "the path of a socket has at most %zu bytes",
                       sizeof(address.file.sun_path) - 1);
    }
    memcpy(address.file.sun_path, path.ptr, path.len);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return err_set_errno(e, ERR_NET, errno, "no socket to be had");
    }
    if (is_left_over(fd, &address)) {
        (void)unlink(address.file.sun_path);
    }
    if (bind(fd, &address.any, sizeof(address.file)) != 0) {
        int why = errno;
        (void)close(fd);
        return err_set_errno(e, ERR_NET, why, "cannot listen on '%.*s'", STR_FMT(path));
    }
    prepare(fd);
    *ret_fd = fd;
    return true;
}

static void read_dropped(struct msghdr *message, uint32_t *dropped)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(dropped, CMSG_DATA(c), sizeof(*dropped));
        }
    }
}

ssize_t udp_receive(int fd, char *out, size_t max, uint32_t *dropped)
{
    union {
        char bytes[CMSG_SPACE(sizeof(uint32_t))];
        struct cmsghdr aligned;
    } control;
    struct iovec part = {.iov_base = out, .iov_len = max};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    ssize_t len = recvmsg(fd, &message, 0);

    if (len >= 0) {
        read_dropped(&message, dropped);
    }
    return len;
}
