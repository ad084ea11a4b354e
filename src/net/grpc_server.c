/*
 * Start, loops and stop.
 *
 * Invariants:
 *   1. A connection belongs to the loop that accepted it, for good.
 *   2. After a loop has ended nothing of it is touched but its lock, <over> and its wake-up; the memory lives
 *      until the last held exchange is dropped.
 */
#include "net/grpc_server.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "net/grpc_server_int.h"
#include "net/http_server_int.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TICK_MS = 250, EVENTS_MAX = 64, ABORT_MS = 2000, PEM_MAX = 1024 * 1024 };

static const struct metric_desc connections_desc = {
    .name = "telex_grpc_connections",
    .help = "Connections to the gRPC receiver.",
    .type = METRIC_GAUGE,
};
static const struct metric_desc answers_desc = {
    .name = "telex_grpc_requests_total",
    .help = "Calls of gRPC by the code that they were answered with.",
    .type = METRIC_COUNTER,
    .labels = {"code"},
};

/* ---- memory ---- */

struct grpc_server *grpc_server_ref(struct grpc_server *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

static void release_loop(struct grpc_loop *loop)
{
    if (loop->wake_fd >= 0) {
        (void)close(loop->wake_fd);
    }
    if (loop->epoll_fd >= 0) {
        (void)close(loop->epoll_fd);
    }
    lock_release(&loop->lock);
    mem_free(loop->read_buffer);
}

void grpc_server_unref(struct grpc_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) != 1) {
        return;
    }
    for (size_t i = 0; i < s->loop_count; i++) {
        release_loop(&s->loops[i]);
    }
    mem_free(s->loops);
    cond_release(&s->idle);
    lock_release(&s->lock);
    mem_free(s);
}

void grpc_server_began(struct grpc_server *s)
{
    lock_take(&s->lock);
    s->in_flight++;
    lock_give(&s->lock);
}

void grpc_server_ended(struct grpc_server *s)
{
    lock_take(&s->lock);
    s->in_flight--;
    if (s->in_flight == 0) {
        cond_broadcast(&s->idle);
    }
    lock_give(&s->lock);
}

/* ---- a loop ---- */

/* No more connections; those that are there end with their calls. */
static void drain(struct grpc_loop *loop)
{
    if (!loop->is_listening) {
        return;
    }
    loop->is_listening = false;
    (void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, loop->server->listen_fd, NULL);
    for (struct grpc_connection *c = loop->connections; c != NULL; c = c->next) {
        if (c->session.http2 != NULL) {
            grpc_session_drain(&c->session);
        }
    }
}

static void take_wakeup(struct grpc_loop *loop)
{
    uint64_t count;
    ssize_t got = read(loop->wake_fd, &count, sizeof(count));

    (void)got;
}

static void handle(struct grpc_loop *loop, const struct epoll_event *event)
{
    if (event->data.ptr == loop) {
        take_wakeup(loop);
    } else if (event->data.ptr == loop->server) {
        grpc_accept(loop);
    } else {
        grpc_connection_serve(event->data.ptr);
    }
}

/* Sends what the events at hand led to, and closes what is dead. */
static void sweep(struct grpc_loop *loop)
{
    int64_t now_ns = clock_mono_ns(loop->server->env->clock);
    bool ticks = now_ns - loop->ticked_ns >= TICK_MS * NS_PER_MS;
    struct grpc_connection *next = NULL;

    grpc_exchanges_submit(loop);
    for (struct grpc_connection *c = loop->connections; c != NULL; c = next) {
        next = c->next;
        if (!c->is_dead && ticks) {
            c->is_dead = !grpc_session_tick(&c->session, now_ns);
        }
        if (!c->is_dead) {
            grpc_connection_flush(c);
        }
        bool is_over = atomic_load(&loop->server->draining) && c->session.count == 0;
        if (c->is_dead || (is_over && c->pending.len == 0)) {
            grpc_connection_close(c);
        }
    }
    loop->ticked_ns = ticks ? now_ns : loop->ticked_ns;
    grpc_accept_resume(loop, now_ns);
}

/* Answers of exchanges that are over. */
static void end_loop(struct grpc_loop *loop)
{
    lock_take(&loop->lock);
    loop->over = true;
    lock_give(&loop->lock);
    while (loop->connections != NULL) {
        grpc_connection_close(loop->connections);
    }
    grpc_exchanges_submit(loop);
}

static void run(void *arg)
{
    struct grpc_loop *loop = arg;
    struct epoll_event events[EVENTS_MAX];

    while (!atomic_load(&loop->server->aborting)) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, TICK_MS);
        for (int i = 0; i < count; i++) {
            handle(loop, &events[i]);
        }
        if (atomic_load(&loop->server->draining)) {
            drain(loop);
        }
        sweep(loop);
    }
    end_loop(loop);
}

/* ---- TLS ---- */

static bool read_pem(struct str path, struct buf *out, const char *option, struct err *e)
{
    return fs_read_file(fs_system(), path, PEM_MAX, out, e) || err_wrap(e, "tls: %s", option);
}

static bool set_pair(struct grpc_server *s, struct buf *cert, struct buf *key, struct err *e)
{
    const gnutls_datum_t certs = {(unsigned char *)cert->ptr, (unsigned)cert->len};
    const gnutls_datum_t keys = {(unsigned char *)key->ptr, (unsigned)key->len};

    return gnutls_certificate_set_x509_key_mem(s->credentials, &certs, &keys,
                                               GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS ||
           err_set(e, ERR_CONFIG, "tls: are certificate and key a pair?");
}

static bool set_authority(struct grpc_server *s, struct err *e)
{
    AUTO(buf_release) struct buf pem = BUF_INIT(PEM_MAX);
    struct str path = s->config.server->tls.client_ca_file;

    if (path.len == 0) {
        return true;
    }
    if (!read_pem(path, &pem, "client_ca_file", e)) {
        return false;
    }
    const gnutls_datum_t trusted = {(unsigned char *)pem.ptr, (unsigned)pem.len};
    return gnutls_certificate_set_x509_trust_mem(s->credentials, &trusted, GNUTLS_X509_FMT_PEM) >
               0 ||
           err_set(e, ERR_CONFIG, "tls: client_ca_file holds no certificate in PEM form");
}

static bool start_tls(struct grpc_server *s, struct err *e)
{
    AUTO(buf_release) struct buf cert = BUF_INIT(PEM_MAX);
    AUTO(buf_release) struct buf key = BUF_INIT(PEM_MAX);
    const struct http_server_tls_config *tls = &s->config.server->tls;

    if (tls->cert_file.len == 0) {
        return true;
    }
    if (gnutls_certificate_allocate_credentials(&s->credentials) != GNUTLS_E_SUCCESS ||
        gnutls_priority_init(&s->priorities, NULL, NULL) != GNUTLS_E_SUCCESS) {
        return err_set(e, ERR_INTERNAL, "tls: GnuTLS does not start");
    }
    bool ok = read_pem(tls->cert_file, &cert, "cert_file", e) &&
              read_pem(tls->key_file, &key, "key_file", e) && set_pair(s, &cert, &key, e) &&
              set_authority(s, e);
    if (key.ptr != NULL) {
        explicit_bzero(key.ptr, key.cap);
    }
    return ok;
}

/* ---- start ---- */

static bool start_loop(struct grpc_server *s, struct grpc_loop *loop, struct err *e)
{
    struct epoll_event listens = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data = {.ptr = s}};
    struct epoll_event wakes = {.events = EPOLLIN, .data = {.ptr = loop}};

    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->read_buffer = mem_alloc0(1, GRPC_READ_BYTES);
    loop->is_listening = true;
    if (loop->epoll_fd < 0 || loop->wake_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listens) != 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wakes) != 0) {
        return err_set_errno(e, ERR_NET, errno, "the gRPC server does not start");
    }
    return thread_start(&loop->thread, "grpc", run, loop, e);
}

static bool start_loops(struct grpc_server *s, struct err *e)
{
    s->loop_count = (size_t)s->config.server->threads;
    s->loops = mem_alloc0(s->loop_count, sizeof(*s->loops));
    for (size_t i = 0; i < s->loop_count; i++) {
        s->loops[i] = (struct grpc_loop){.server = s, .epoll_fd = -1, .wake_fd = -1};
        lock_init(&s->loops[i].lock);
    }
    for (size_t i = 0; i < s->loop_count; i++) {
        if (!start_loop(s, &s->loops[i], e)) {
            return false;
        }
    }
    return true;
}

static void init_metrics(struct grpc_server *s)
{
    s->connections = metrics_get0(s->env->metrics, &connections_desc);
    for (int i = 0; i < GRPC_CODES; i++) {
        s->answers[i] = metrics_get1(s->env->metrics, &answers_desc, str_of(grpc_code_name(i)));
    }
}

void grpc_server_prepare(struct grpc_server *s, const struct env *env,
                         const struct grpc_server_config *config, const struct grpc_method *methods,
                         size_t count, void *arg)
{
    s->env = env;
    s->config = *config;
    s->methods = methods;
    s->method_count = count;
    s->arg = arg;
    s->listen_fd = -1;
    atomic_init(&s->refs, 1);
    atomic_init(&s->access, config->server);
    lock_init(&s->lock);
    cond_init(&s->idle);
    lock_take(&s->lock);
    s->spare_fd = -1;
    lock_give(&s->lock);
    trace_init(&s->trace, env->trace, "grpc", TRACE_INFO);
    init_metrics(s);
}

bool grpc_server_start(const struct env *env, const struct grpc_server_config *config,
                       const struct grpc_method *methods, size_t count, void *arg,
                       struct grpc_server **ret_server, struct err *e)
{
    AUTO(buf_release) struct buf host = BUF_INIT(BUF_SMALL);
    struct grpc_server *s = mem_new(struct grpc_server);

    grpc_server_prepare(s, env, config, methods, count, arg);
    grpc_accept_prepare(s);
    if (!start_tls(s, e) || !http_listen(config->listen, &s->listen_fd, &s->port, &host, e) ||
        !start_loops(s, e)) {
        grpc_server_free(s);
        return err_wrap(e, "receive.otlp_grpc");
    }
    *ret_server = s;
    return true;
}

void grpc_server_change_access(struct grpc_server *s, const struct http_server_config *config)
{
    atomic_store_explicit(&s->access, config, memory_order_release);
}

uint16_t grpc_server_port(const struct grpc_server *s)
{
    return s->port;
}

/* ---- stop ---- */

static void wake_all(struct grpc_server *s)
{
    const uint64_t one = 1;

    for (size_t i = 0; i < s->loop_count; i++) {
        ssize_t written = write(s->loops[i].wake_fd, &one, sizeof(one));
        (void)written;
    }
}

static void wait_until_idle(struct grpc_server *s, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &s->lock, &s->idle);
    lock_take(&s->lock);
    while (s->in_flight > 0 && waiter_pause(&waiter)) {
    }
    lock_give(&s->lock);
    waiter_end(&waiter);
}

void grpc_server_stop(struct grpc_server *s, struct wait wait)
{
    if (s->stopped) {
        return;
    }
    s->stopped = true;
    atomic_store(&s->draining, true);
    wake_all(s);
    wait_until_idle(s, wait);
    atomic_store(&s->aborting, true);
    wake_all(s);
    for (size_t i = 0; i < s->loop_count; i++) {
        thread_join(&s->loops[i].thread);
    }
    if (s->listen_fd >= 0) {
        (void)close(s->listen_fd);
        s->listen_fd = -1;
    }
}

void grpc_server_free(struct grpc_server *s)
{
    if (s == NULL) {
        return;
    }
    grpc_server_stop(s, (struct wait){0});
    metric_drop(s->connections);
    grpc_accept_release(s);
    for (int i = 0; i < GRPC_CODES; i++) {
        metric_drop(s->answers[i]);
    }
    if (s->credentials != NULL) {
        gnutls_certificate_free_credentials(s->credentials);
    }
    if (s->priorities != NULL) {
        gnutls_priority_deinit(s->priorities);
    }
    grpc_server_unref(s);
}
