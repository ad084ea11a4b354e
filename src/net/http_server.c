/*
 * Start and stop.
 *
 * Invariants:
 *   1. The daemon runs from start to stop; config, tables and env are used only while it does.
 *   2. The struct itself lives until the last held exchange is dropped; after the stop those touch
 *      nothing of it but the lock and the count.
 *   3. No connection is suspended when the daemon stops.
 */
#include "net/http_server.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "net/http_server_int.h"

#include <gnutls/gnutls.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum {
    PEM_MAX = 1024 * 1024,
    HTTP_STACK_BYTES = 256 * 1024,
    ABORT_MS = 2000, /* for what was told to end */
    POOL_MIN = 8 * 1024,
};

/* --- memory --- */

struct http_server *http_server_ref(struct http_server *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void http_server_unref(struct http_server *s)
{
    if (atomic_fetch_sub(&s->refs, 1) == 1) {
        cond_release(&s->idle);
        lock_release(&s->lock);
        mem_free(s);
    }
}

/* --- start --- */

static void on_connection(void *server, struct MHD_Connection *connection, void **place,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *s = server;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *place = http_connections_add(&s->connections, connection, s->config->idle_timeout_ns);
    } else if (*place != NULL) {
        http_connections_remove(&s->connections, *place);
        *place = NULL;
    }
}

static void on_log(void *server, const char *fmt, va_list args) PRINTF_LIKE(2, 0);
static void on_log(void *server, const char *fmt, va_list args)
{
    struct http_server *s = server;
    char text[512];

    (void)vsnprintf(text, sizeof(text), fmt, args);
    trace_debug(&s->trace, "libmicrohttpd", T_STR("message", str_trim(str_of(text))));
}

/* Escapes stay: a path is taken apart before it is unescaped. */
static size_t leave_escapes(void *server, struct MHD_Connection *connection, char *text)
{
    (void)server;
    (void)connection;
    return strlen(text);
}

static bool read_pem(struct str path, struct buf *out, const char *option, struct err *e)
{
    buf_init(out, PEM_MAX);
    return path.len == 0 || fs_read_file(fs_system(), path, PEM_MAX, out, e) ||
           err_wrap(e, "tls: %s", option);
}

/* libmicrohttpd takes a file without a certificate for an authority, and then trusts nobody. */
static bool check_authority(const struct buf *pem, struct err *e)
{
    gnutls_certificate_credentials_t scratch;
    gnutls_datum_t bytes = {(unsigned char *)pem->ptr, (unsigned)pem->len};

    if (pem->len == 0) {
        return true;
    }
    if (gnutls_certificate_allocate_credentials(&scratch) != GNUTLS_E_SUCCESS) {
        return err_set(e, ERR_INTERNAL, "tls: GnuTLS does not start");
    }
    int found = gnutls_certificate_set_x509_trust_mem(scratch, &bytes, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(scratch);
    return found > 0 ||
           err_set(e, ERR_CONFIG, "tls: client_ca_file holds no certificate in PEM form");
}

static bool check_tls(const struct http_server_tls_config *tls, struct err *e)
{
    if ((tls->cert_file.len > 0) != (tls->key_file.len > 0)) {
        return err_set(e, ERR_CONFIG, "tls: 'cert_file' and 'key_file' belong together");
    }
    if (tls->client_ca_file.len > 0 && tls->cert_file.len == 0) {
        return err_set(e, ERR_CONFIG, "tls: 'client_ca_file' is set but 'cert_file' is not");
    }
    return true;
}

static bool read_tls(struct http_server *s, struct err *e)
{
    const struct http_server_tls_config *tls = &s->config->tls;

    return check_tls(tls, e) && read_pem(tls->cert_file, &s->cert, "cert_file", e) &&
           read_pem(tls->key_file, &s->key, "key_file", e) &&
           read_pem(tls->client_ca_file, &s->client_ca, "client_ca_file", e) &&
           check_authority(&s->client_ca, e);
}

enum { OPTIONS_ROOM = 24 };

static size_t tls_options(struct http_server *s, struct MHD_OptionItem *options)
{
    size_t n = 0;

    if (s->cert.len > 0) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, s->cert.ptr};
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, s->key.ptr};
    }
    if (s->client_ca.len > 0) {
        options[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, s->client_ca.ptr};
    }
    return n;
}

static void server_options(struct http_server *s, struct MHD_OptionItem *options)
{
    const struct http_server_config *c = s->config;
    intptr_t pool =
        (intptr_t)c->max_header_bytes > POOL_MIN ? (intptr_t)c->max_header_bytes : POOL_MIN;
    const struct MHD_OptionItem common[] = {
        {MHD_OPTION_LISTEN_SOCKET, s->listen_fd, NULL},
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)c->threads, NULL},
        {MHD_OPTION_THREAD_STACK_SIZE, HTTP_STACK_BYTES, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)c->max_connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)c->max_connections_per_address, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, pool, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, (intptr_t)((c->idle_timeout_ns + NS_PER_S - 1) / NS_PER_S),
         NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escapes, s},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)http_exchange_on_uri, s},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_exchange_on_completed, s},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, s},
    };

    memcpy(options, common, sizeof(common));
    size_t n = ARRAY_LEN(common);
    n += tls_options(s, options + n);
    options[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
}

/*
 * Nobody new is let in while the server drains. MHD_quiesce_daemon() is for that, but it races with
 * its own threads for the listening socket (they take it out of their epoll set at the limit of
 * connections) and ends the process when it loses.
 */
static enum MHD_Result admit(void *arg, const struct sockaddr *address, socklen_t len)
{
    struct http_server *s = arg;

    (void)address;
    (void)len;
    return atomic_load(&s->draining) ? MHD_NO : MHD_YES;
}

/* Its threads start with all signals blocked: those are the main thread's business. */
static struct MHD_Daemon *start_quietly(struct http_server *s, unsigned flags,
                                        const struct MHD_OptionItem *options)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    struct MHD_Daemon *daemon = MHD_start_daemon(flags, 0, admit, s, http_exchange_on_request, s,
                                                 MHD_OPTION_EXTERNAL_LOGGER, on_log, s,
                                                 MHD_OPTION_ARRAY, options, MHD_OPTION_END);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return daemon;
}

static bool start_daemon(struct http_server *s, struct err *e)
{
    struct MHD_OptionItem options[OPTIONS_ROOM];
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

    if (s->cert.len > 0) {
        flags |= MHD_USE_TLS;
    }
    server_options(s, options);
    s->daemon = start_quietly(s, flags, options);
    if (s->daemon == NULL) {
        return err_set(e, ERR_CONFIG, "the HTTP server does not start on '%.*s'%s",
                       STR_FMT(s->config->listen),
                       s->cert.len > 0 ? ": are certificate and key a pair?" : "");
    }
    return true;
}

static bool check_config(const struct http_server_config *c, struct err *e)
{
    if (c->threads < 1 || c->max_connections < c->threads || c->max_connections_per_address < 0 ||
        c->max_header_bytes < 1 || c->idle_timeout_ns <= 0 || c->request_timeout_ns <= 0) {
        return err_set(e, ERR_CONFIG,
                       "server: limits must be above zero, and max_connections at least threads");
    }
    return true;
}

bool http_server_check(const struct http_server_config *config, struct err *e)
{
    return check_config(config, e) && check_tls(&config->tls, e) &&
           http_listen_check(config->listen, e);
}

static bool start_parts(struct http_server *s, struct err *e)
{
    if (!check_config(s->config, e) || !http_router_check(&s->router, e) || !read_tls(s, e) ||
        !http_listen(s->config->listen, &s->listen_fd, &s->port, &s->listen_host, e)) {
        return false;
    }
    s->stats = http_stats_new(s->env, &s->router, s);
    return http_connections_start(&s->connections, s->env->clock, e) && start_daemon(s, e);
}

bool http_server_start(const struct env *env, const struct http_server_config *config,
                       const struct http_routes *tables, size_t count,
                       struct http_server **ret_server, struct err *e)
{
    struct http_server *AUTO(http_server_autofree) s = mem_new(struct http_server);

    s->env = env;
    s->config = config;
    s->listen_fd = -1;
    atomic_store(&s->refs, 1);
    lock_init(&s->lock);
    cond_init(&s->idle);
    trace_init(&s->trace, env->trace, "http", TRACE_INFO);
    buf_init(&s->listen_host, BUF_SMALL);
    s->tables = mem_dup(tables, count * sizeof(*tables));
    s->router = (struct http_router){s->tables, count};
    atomic_init(&s->access, config);
    if (!start_parts(s, e)) {
        return false;
    }
    *ret_server = TAKE(s);
    return true;
}

void http_server_change_access(struct http_server *s, const struct http_server_config *config)
{
    atomic_store_explicit(&s->access, config, memory_order_release);
}

uint16_t http_server_port(const struct http_server *s)
{
    return s->port;
}

void http_server_add_url(const struct http_server *s, struct buf *out)
{
    struct str host = buf_str(&s->listen_host);
    bool any = host.len == 0 || str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::"));
    bool brackets = !any && str_find_byte(host, ':') < host.len;

    buf_addf(out, "http%s://%s%.*s%s:%u", s->config->tls.cert_file.len > 0 ? "s" : "",
             brackets ? "[" : "", STR_FMT(any ? STR("127.0.0.1") : host), brackets ? "]" : "",
             s->port);
}

size_t http_server_in_flight(struct http_server *s)
{
    lock_take(&s->lock);
    size_t count = s->in_flight;
    lock_give(&s->lock);
    return count;
}

/* --- stop --- */

static void wait_until_idle(struct http_server *s, struct wait wait)
{
    struct waiter waiter;

    waiter_begin(&waiter, wait, &s->lock, &s->idle);
    lock_take(&s->lock);
    while (s->in_flight > 0 && waiter_pause(&waiter)) {
    }
    lock_give(&s->lock);
    waiter_end(&waiter);
}

static void stop_daemon(struct http_server *s, struct wait wait)
{
    struct wait brief = {.deadline_mono_ns = clock_deadline_ms(clock_system(), ABORT_MS)};

    atomic_store(&s->draining, true);
    wait_until_idle(s, wait);
    http_exchanges_abort(s);
    wait_until_idle(s, brief);
    MHD_stop_daemon(s->daemon); /* closes what it listened on */
    s->daemon = NULL;
    s->listen_fd = -1;
}

void http_server_stop(struct http_server *s, struct wait wait)
{
    if (s->stopped) {
        return;
    }
    s->stopped = true;
    if (s->daemon != NULL) {
        stop_daemon(s, wait);
    }
    http_connections_stop(&s->connections);
    if (s->listen_fd >= 0) {
        (void)close(s->listen_fd);
    }
}

void http_server_free(struct http_server *s)
{
    if (s == NULL) {
        return;
    }
    http_server_stop(s, (struct wait){0});
    http_stats_free(s->stats);
    mem_free(s->tables);
    buf_release(&s->listen_host);
    buf_release(&s->cert);
    if (s->key.ptr != NULL) {
        explicit_bzero(s->key.ptr, s->key.cap);
    }
    buf_release(&s->key);
    buf_release(&s->client_ca);
    http_server_unref(s);
}
