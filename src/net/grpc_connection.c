/*
 * A socket and what is spoken over it.
 *
 * Invariants:
 *   1. <pending> is what libnghttp2 gave last and the socket did not take yet; nothing is asked of it before
 *      that is gone.
 *   2. A connection that is dead is closed by the loop, after the events at hand.
 */
#include "net/grpc_server_int.h"

#include "base/mem.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READS_MAX = 8 }; /* in a row, for the sake of others */

/* ---- bytes ---- */

static bool is_later(ssize_t result)
{
    return result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED;
}

/* Bytes read, 0: none now, -1: the end. */
static ssize_t read_some(struct grpc_connection *c, char *out, size_t max)
{
    if (c->tls != NULL) {
        ssize_t got = gnutls_record_recv(c->tls, out, max);
        return got > 0 ? got : is_later(got) ? 0 : -1;
    }
    ssize_t got = recv(c->fd, out, max, 0);
    return got > 0 ? got : got < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static ssize_t write_some(struct grpc_connection *c, struct str bytes)
{
    if (c->tls != NULL) {
        ssize_t sent = gnutls_record_send(c->tls, bytes.ptr, bytes.len);
        return sent >= 0 ? sent : is_later(sent) ? 0 : -1;
    }
    ssize_t sent = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
    return sent >= 0 ? sent : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void watch(struct grpc_connection *c)
{
    bool wants_out =
        c->pending.len > 0 || (c->is_shaking_hands && gnutls_record_get_direction(c->tls) == 1);
    uint32_t events = EPOLLIN | (wants_out ? (uint32_t)EPOLLOUT : 0);
    struct epoll_event event = {.events = events, .data = {.ptr = c}};

    if (events != c->watched && !c->is_dead) {
        c->watched = events;
        (void)epoll_ctl(c->session.loop->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
    }
}

/* ---- the handshake ---- */

static void note_certificate(struct grpc_connection *c)
{
    unsigned status = 0;

    c->session.is_verified =
        gnutls_certificate_verify_peers2(c->tls, &status) == GNUTLS_E_SUCCESS && status == 0;
}

/* Is it over? */
static bool shake_hands(struct grpc_connection *c)
{
    int result = c->is_shaking_hands ? gnutls_handshake(c->tls) : GNUTLS_E_SUCCESS;

    if (c->is_shaking_hands && result == GNUTLS_E_SUCCESS) {
        c->is_shaking_hands = false;
        note_certificate(c);
    }
    c->is_dead = c->is_dead || (result != GNUTLS_E_SUCCESS && gnutls_error_is_fatal(result) != 0);
    return result == GNUTLS_E_SUCCESS;
}

static bool begin_tls(struct grpc_connection *c)
{
    static const gnutls_datum_t h2 = {(unsigned char *)(uintptr_t) "h2", 2};
    struct grpc_server *s = c->session.loop->server;

    if (gnutls_init(&c->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != 0) {
        c->tls = NULL;
        return false;
    }
    c->is_shaking_hands = true;
    gnutls_transport_set_int(c->tls, c->fd);
    if (s->config.server->tls.client_ca_file.len > 0) {
        gnutls_certificate_server_set_request(c->tls, GNUTLS_CERT_REQUEST);
    }
    return gnutls_priority_set(c->tls, s->priorities) == 0 &&
           gnutls_credentials_set(c->tls, GNUTLS_CRD_CERTIFICATE, s->credentials) == 0 &&
           gnutls_alpn_set_protocols(c->tls, &h2, 1, 0) == 0;
}

/* ---- serving ---- */

void grpc_connection_flush(struct grpc_connection *c)
{
    while (!c->is_dead && !c->is_shaking_hands) {
        if (c->pending.len == 0 && !grpc_session_send(&c->session, &c->pending)) {
            c->is_dead = true;
        }
        if (c->pending.len == 0) {
            c->is_dead = c->is_dead || grpc_session_is_done(&c->session);
            break;
        }
        ssize_t sent = write_some(c, c->pending);
        c->is_dead = c->is_dead || sent < 0;
        if (sent <= 0) {
            break;
        }
        c->pending = str_slice(c->pending, (size_t)sent, c->pending.len);
    }
    watch(c);
}

/* What came may be an answer to be given before the end. */
static void receive(struct grpc_connection *c)
{
    char *buffer = c->session.loop->read_buffer;
    bool is_over = false;

    for (int i = 0; !is_over && !c->is_dead; i++) {
        bool is_enough =
            i >= READS_MAX && (c->tls == NULL || gnutls_record_check_pending(c->tls) == 0);
        ssize_t got = is_enough ? 0 : read_some(c, buffer, GRPC_READ_BYTES);
        if (got > 0) {
            is_over = !grpc_session_receive(&c->session, str_make(buffer, (size_t)got));
        } else {
            c->is_dead = got < 0;
            break;
        }
    }
    if (is_over) {
        grpc_connection_flush(c); /* a GOAWAY that says why */
        c->is_dead = true;
    }
}

void grpc_connection_serve(struct grpc_connection *c)
{
    if (c->is_dead || !shake_hands(c)) {
        watch(c);
        return;
    }
    receive(c);
    grpc_connection_flush(c);
}

/* ---- opening and closing ---- */

static bool start(struct grpc_connection *c, struct grpc_loop *loop)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = c}};
    struct err ignored = ERR_INIT;

    if (!grpc_session_init(&c->session, loop, &ignored)) {
        return false;
    }
    c->watched = EPOLLIN;
    c->session.remote = str_of(c->remote);
    return (loop->server->credentials == NULL || begin_tls(c)) &&
           epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, c->fd, &event) == 0;
}

void grpc_connection_open(struct grpc_loop *loop, int fd, const struct grpc_address *address,
                          const char *remote)
{
    struct grpc_connection *c = mem_new(struct grpc_connection);

    c->fd = fd;
    c->address = *address;
    c->session.loop = loop;
    c->pending = STR("");
    memcpy(c->remote, remote, strnlen(remote, sizeof(c->remote) - 1));
    c->next = loop->connections;
    if (c->next != NULL) {
        c->next->prev = c;
    }
    loop->connections = c;
    atomic_fetch_add(&loop->server->connection_count, 1);
    metric_shift(loop->server->connections, 1);
    if (start(c, loop)) {
        grpc_connection_flush(c); /* our settings */
    } else {
        c->is_dead = true;
    }
}

void grpc_connection_close(struct grpc_connection *c)
{
    struct grpc_loop *loop = c->session.loop;

    if (c->prev != NULL) {
        c->prev->next = c->next;
    } else {
        loop->connections = c->next;
    }
    if (c->next != NULL) {
        c->next->prev = c->prev;
    }
    if (c->session.http2 != NULL) {
        grpc_session_release(&c->session);
    }
    if (c->tls != NULL) {
        gnutls_deinit(c->tls);
    }
    (void)close(c->fd);
    grpc_peer_left(loop->server, &c->address);
    atomic_fetch_sub(&loop->server->connection_count, 1);
    metric_shift(loop->server->connections, -1);
    mem_free(c);
}
