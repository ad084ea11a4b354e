#include "fake/http_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 1024 * 1024, BODY_MAX = 64 * 1024 * 1024 };

static void set_patience(int fd)
{
    struct timeval patience = {.tv_sec = HTTP_PEER_PATIENCE_MS / 1000};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

static void serve_connection(void *arg)
{
    struct http_peer_connection *c = arg;

    c->peer->serve(c->peer, c->index, c->fd);
    (void)shutdown(c->fd, SHUT_RDWR);
}

static void accept_all(void *arg)
{
    struct http_peer *p = arg;

    while (!atomic_load(&p->stopping)) {
        int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 || atomic_load(&p->stopping)) {
            break;
        }
        unsigned index = atomic_load(&p->connections);
        INVARIANT(index < HTTP_PEER_CONNECTIONS_MAX);
        struct http_peer_connection *slot = &p->slots[index];
        struct err e = ERR_INIT;
        set_patience(fd);
        *slot = (struct http_peer_connection){.peer = p, .index = index, .fd = fd};
        atomic_store(&p->connections, index + 1);
        INVARIANT(thread_start(&slot->thread, "peer", serve_connection, slot, &e));
    }
}

static int listen_somewhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    INVARIANT(fd >= 0);
    INVARIANT(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    INVARIANT(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

void http_peer_start(struct http_peer *p,
                     void (*serve)(struct http_peer *peer, unsigned index, int fd), void *arg)
{
    struct err e = ERR_INIT;

    *p = (struct http_peer){.serve = serve, .arg = arg};
    p->listen_fd = listen_somewhere(&p->port);
    INVARIANT(listen(p->listen_fd, HTTP_PEER_CONNECTIONS_MAX) == 0);
    INVARIANT(thread_start(&p->acceptor, "peer-accept", accept_all, p, &e));
}

void http_peer_stop(struct http_peer *p)
{
    atomic_store(&p->stopping, true);
    (void)shutdown(p->listen_fd, SHUT_RDWR);
    thread_join(&p->acceptor);
    for (unsigned i = 0; i < atomic_load(&p->connections); i++) {
        (void)shutdown(p->slots[i].fd, SHUT_RDWR);
        thread_join(&p->slots[i].thread);
        (void)close(p->slots[i].fd);
    }
    (void)close(p->listen_fd);
}

struct str http_peer_url(const struct http_peer *p, struct buf *out)
{
    buf_clear(out);
    buf_addf(out, "http://127.0.0.1:%u", p->port);
    return buf_str(out);
}

uint16_t http_peer_closed_port(void)
{
    uint16_t port;
    int fd = listen_somewhere(&port);

    (void)close(fd);
    return port;
}

struct str http_peer_header(const struct buf *head, const char *name)
{
    struct str rest = buf_str(head);
    struct str line;

    while (str_split(&rest, '\n', &line)) {
        size_t colon = str_find_byte(line, ':');
        if (colon < line.len && str_eq_nocase(str_slice(line, 0, colon), str_of(name))) {
            return str_trim(str_slice(line, colon + 1, line.len));
        }
    }
    return STR_NONE;
}

/* Byte by byte, so that nothing of what follows is lost. */
static bool read_head(int fd, struct buf *head)
{
    char byte;

    while (!str_ends(buf_str(head), STR("\r\n\r\n"))) {
        if (head->len >= HEAD_MAX || recv(fd, &byte, 1, 0) != 1) {
            return false;
        }
        buf_add_byte(head, byte);
    }
    return true;
}

static bool read_exactly(int fd, struct buf *out, size_t len)
{
    while (len > 0) {
        char bytes[8 * 1024];
        ssize_t got = recv(fd, bytes, len < sizeof(bytes) ? len : sizeof(bytes), 0);
        if (got <= 0) {
            return false;
        }
        buf_add(out, bytes, (size_t)got);
        len -= (size_t)got;
    }
    return true;
}

static bool read_message(int fd, struct buf *head, struct buf *body)
{
    size_t len = 0;

    buf_release(head);
    buf_release(body);
    buf_init(head, HEAD_MAX);
    buf_init(body, BODY_MAX);
    if (!read_head(fd, head)) {
        return false;
    }
    struct str text = http_peer_header(head, "content-length");
    for (size_t i = 0; i < text.len; i++) {
        len = len * 10 + (size_t)(text.ptr[i] - '0');
    }
    return read_exactly(fd, body, len);
}

bool http_peer_read(struct http_peer *p, int fd, struct buf *head, struct buf *body)
{
    if (!read_message(fd, head, body)) {
        return false;
    }
    atomic_fetch_add(&p->requests, 1);
    return true;
}

bool http_peer_write(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes = str_slice(bytes, (size_t)sent, bytes.len);
    }
    return true;
}

bool http_peer_text(int fd, const char *text)
{
    return http_peer_write(fd, str_of(text));
}

bool http_peer_answer(int fd, int status, const char *headers, struct str body)
{
    struct buf AUTO(buf_release) out = BUF_INIT(BODY_MAX);

    buf_addf(&out, "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", status, headers, body.len);
    buf_add_str(&out, body);
    return http_peer_write(fd, buf_str(&out));
}

void http_peer_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    (void)connect(fd, &nobody, sizeof(nobody)); /* disconnects with a reset; the fd stays ours */
}

bool http_peer_wait_close(int fd)
{
    char bytes[1024];
    ssize_t got;

    do {
        got = recv(fd, bytes, sizeof(bytes), 0);
    } while (got > 0);
    return got == 0;
}

void http_peer_pause_ms(int64_t ms)
{
    struct wait w = {.deadline_mono_ns = clock_deadline_ms(clock_system(), ms)};

    (void)wait_sleep(w);
}

int raw_connect(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    INVARIANT(fd >= 0);
    set_patience(fd);
    INVARIANT(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

void raw_read_all(int fd, struct buf *out)
{
    char bytes[4096];
    ssize_t got;

    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        buf_add(out, bytes, (size_t)got);
    }
}

bool raw_read_answer(int fd, struct buf *head, struct buf *body)
{
    return read_message(fd, head, body);
}

void raw_exchange(uint16_t port, const char *text, struct buf *out)
{
    int fd = raw_connect(port);

    (void)http_peer_text(fd, text);
    raw_read_all(fd, out);
    (void)close(fd);
}
