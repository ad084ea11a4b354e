/*
 * TCP and TLS are libcurl's, which connects and hands the stream over (CURLOPT_CONNECT_ONLY): so names,
 * certificates and both versions of IP are as everywhere else. Names of UDP are libcurl's as well, as it
 * looks them up without keeping us: it is given a socket that it cannot use for each address found.
 */
#include "net/stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PLACE_MAX = 300, POLL_MS = 100, DRAIN_STEP_MS = 2, IGNORED_MAX = 1024 };

/* Our waits are shorter than what libcurl allows by itself. */
static const long connect_ms_max = 3600L * 1000;

struct stream {
    const struct transport *transport;
    CURLM *multi; /* or NULL */
    CURL *easy;   /* or NULL; in <multi>, which knows its connection */
    int fd;
};

struct transport {
    const char *scheme;
    const char *url_scheme; /* of libcurl; NULL: a socket of ours */
    bool (*open)(struct stream *s, struct str place, struct wait w, struct err *e);
};

/* ---- waiting ---- */

/* Until the socket takes more, in steps that notice a cancel. */
static bool wait_writable(const struct stream *s, struct wait w, struct err *e)
{
    struct pollfd p = {.fd = s->fd, .events = POLLOUT};

    while (!wait_is_over(w, clock_system())) {
        if (poll(&p, 1, POLL_MS) > 0) {
            return true;
        }
    }
    return wait_err(w, e);
}

/* ---- libcurl ---- */

static void wake(void *arg)
{
    (void)curl_multi_wakeup(arg);
}

static void set_text(CURL *easy, CURLoption option, struct str text)
{
    char *copy = text.len > 0 ? mem_dup_text(text.ptr, text.len) : NULL;

    (void)curl_easy_setopt(easy, option, copy);
    mem_free(copy);
}

static bool begin_easy(struct stream *s, const char *scheme, struct str place, struct err *e)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);

    s->multi = curl_multi_init();
    s->easy = curl_easy_init();
    if (s->multi == NULL || s->easy == NULL) {
        return err_set(e, ERR_INTERNAL, "libcurl has no handle");
    }
    buf_addf(&url, "%s://%.*s", scheme, STR_FMT(place));
    set_text(s->easy, CURLOPT_URL, buf_str(&url));
    (void)curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_QUICK_EXIT, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms_max);
    return true;
}

static void end_easy(struct stream *s)
{
    if (s->easy != NULL) {
        (void)curl_multi_remove_handle(s->multi, s->easy);
        curl_easy_cleanup(s->easy);
        s->easy = NULL;
    }
    (void)curl_multi_cleanup(s->multi);
    s->multi = NULL;
}

/* Steps until it has ended, libcurl failed or the wait is over. */
static void step(CURLM *multi, struct wait w)
{
    CURLMcode code = CURLM_OK;
    int running = 1;

    while (code == CURLM_OK && running > 0 && !wait_is_over(w, clock_system())) {
        code = curl_multi_perform(multi, &running);
        if (code == CURLM_OK && running > 0) {
            code = curl_multi_poll(multi, NULL, 0, POLL_MS, NULL);
        }
    }
}

/* Has libcurl connect; the error says why it did not. */
static bool connect_easy(struct stream *s, struct wait w, struct err *e)
{
    struct cancel_hook hook = {.wake = wake, .arg = s->multi};
    int left = 0;

    if (curl_multi_add_handle(s->multi, s->easy) != CURLM_OK) {
        return err_set(e, ERR_INTERNAL, "libcurl does not take its handle");
    }
    if (w.cancel != NULL) {
        cancel_hook_add(w.cancel, &hook);
    }
    step(s->multi, w);
    if (w.cancel != NULL) {
        cancel_hook_remove(w.cancel, &hook);
    }
    const CURLMsg *m = curl_multi_info_read(s->multi, &left);
    if (m == NULL) {
        return wait_err(w, e);
    }
    return m->data.result == CURLE_OK ||
           err_set(e, ERR_NET, "%s", curl_easy_strerror(m->data.result));
}

/* ---- sockets of ours ---- */

static bool open_unix(struct stream *s, struct str place, struct wait w, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    (void)w;
    if (place.len >= sizeof(to.sun_path)) {
        return err_set(e, ERR_CONFIG, "the path of a socket has at most %zu bytes",
                       sizeof(to.sun_path) - 1);
    }
    memcpy(to.sun_path, place.ptr, place.len);
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        return err_set_errno(e, ERR_NET, errno, "cannot connect");
    }
    return true;
}

/* "host:port" or "[::1]:port"? */
static bool is_place(struct str place)
{
    size_t colon = place.len;

    while (colon > 0 && place.ptr[colon - 1] >= '0' && place.ptr[colon - 1] <= '9') {
        colon--;
    }
    for (size_t i = 0; i < place.len; i++) {
        if (strchr("/?#@", place.ptr[i]) != NULL) {
            return false;
        }
    }
    return colon > 1 && colon < place.len && place.ptr[colon - 1] == ':' && place.len < PLACE_MAX;
}

/* libcurl has found an address. */
static curl_socket_t open_datagrams(void *arg, curlsocktype purpose, struct curl_sockaddr *at)
{
    struct stream *s = arg;

    (void)purpose;
    if (s->fd < 0) {
        s->fd = socket(at->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd >= 0 && connect(s->fd, &at->addr, at->addrlen) != 0) {
            (void)close(s->fd);
            s->fd = -1;
        }
    }
    return CURL_SOCKET_BAD;
}

static bool open_udp(struct stream *s, struct str place, struct wait w, struct err *e)
{
    struct err why = ERR_INIT;

    if (!begin_easy(s, "http", place, e)) {
        return false;
    }
    (void)curl_easy_setopt(s->easy, CURLOPT_OPENSOCKETFUNCTION, open_datagrams);
    (void)curl_easy_setopt(s->easy, CURLOPT_OPENSOCKETDATA, s);
    (void)connect_easy(s, w, &why); /* fails, with a socket or without */
    end_easy(s);
    return s->fd >= 0 || err_set(e, why.code, "%s", why.message);
}

static const struct transport transports[] = {
    {"udp", NULL, open_udp},
    {"unix", NULL, open_unix},
    {"tcp", "http", NULL},
    {"tls", "https", NULL},
};

static const struct transport *find_transport(struct str scheme)
{
    for (size_t i = 0; i < ARRAY_LEN(transports); i++) {
        if (str_eq(scheme, str_of(transports[i].scheme))) {
            return &transports[i];
        }
    }
    return NULL;
}

/* ---- libcurl's ---- */

static void set_tls(CURL *easy, const struct http_tls_config *tls)
{
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, tls->insecure_skip_verify ? 0L : 1L);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, tls->insecure_skip_verify ? 0L : 2L);
    (void)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    (void)curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L);
    if (tls->ca_file.len > 0) {
        set_text(easy, CURLOPT_CAINFO, tls->ca_file);
        (void)curl_easy_setopt(easy, CURLOPT_CAPATH, (char *)NULL);
    }
    set_text(easy, CURLOPT_SSLCERT, tls->cert_file);
    set_text(easy, CURLOPT_SSLKEY, tls->key_file);
}

static bool open_stream(struct stream *s, struct str place, const struct http_tls_config *tls,
                        struct wait w, struct err *e)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    if (!begin_easy(s, s->transport->url_scheme, place, e)) {
        return false;
    }
    (void)curl_easy_setopt(s->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    set_tls(s->easy, tls);
    if (!connect_easy(s, w, e)) {
        return false;
    }
    CURLcode code = curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
    s->fd = fd;
    return (code == CURLE_OK && fd != CURL_SOCKET_BAD) ||
           err_set(e, ERR_NET, "%s", curl_easy_strerror(code));
}

/* ---- streams ---- */

bool stream_address_parse(struct str text, struct stream_address *ret_address, struct err *e)
{
    struct str mark = STR("://");
    size_t at = str_find(text, mark);
    const struct stream_address a = {str_slice(text, 0, at),
                                     str_slice(text, at + mark.len, text.len)};

    if (at == text.len || find_transport(a.scheme) == NULL) {
        return err_set(e, ERR_CONFIG,
                       "'%.*s' is no address; expected udp://host:port, tcp://host:port, "
                       "tls://host:port or unix:///path",
                       STR_FMT(text));
    }
    bool is_path = str_eq(a.scheme, STR("unix"));
    if (is_path ? !str_starts(a.place, STR("/")) : !is_place(a.place)) {
        return err_set(e, ERR_CONFIG, "'%.*s' lacks %s", STR_FMT(text),
                       is_path ? "an absolute path" : "a host and a port");
    }
    *ret_address = a;
    return true;
}

bool stream_is_datagram(const struct stream_address *a)
{
    const struct transport *transport = find_transport(a->scheme);

    return transport != NULL && transport->url_scheme == NULL;
}

bool stream_open(const struct stream_address *address, const struct http_tls_config *tls,
                 struct wait w, struct stream **ret_stream, struct err *e)
{
    const struct transport *transport = find_transport(address->scheme);

    if (transport == NULL) {
        return err_set(e, ERR_INTERNAL, "'%.*s' is no transport", STR_FMT(address->scheme));
    }
    struct stream *s = mem_new(struct stream);
    s->fd = -1;
    s->transport = transport;
    bool ok = transport->open != NULL ? transport->open(s, address->place, w, e)
                                      : open_stream(s, address->place, tls, w, e);
    if (!ok) {
        stream_close(s);
        return err_wrap(e, "%.*s://%.*s", STR_FMT(address->scheme), STR_FMT(address->place));
    }
    *ret_stream = s;
    return true;
}

void stream_close(struct stream *s)
{
    if (s == NULL) {
        return;
    }
    if (s->easy == NULL && s->fd >= 0) {
        (void)close(s->fd);
    }
    end_easy(s);
    mem_free(s);
}

static bool send_datagram(struct stream *s, struct str bytes, struct wait w, struct err *e)
{
    while (send(s->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL) < 0) {
        if (errno == EMSGSIZE) {
            return err_set(e, ERR_LIMIT, "%s: the system takes no datagram of %zu bytes",
                           s->transport->scheme, bytes.len);
        }
        if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
            return err_set_errno(e, ERR_NET, errno, "%s", s->transport->scheme);
        }
        if (!wait_writable(s, w, e)) {
            return false;
        }
    }
    return true;
}

bool stream_send(struct stream *s, struct str bytes, struct wait w, struct err *e)
{
    if (s->easy == NULL) {
        return send_datagram(s, bytes, w, e);
    }
    while (bytes.len > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(s->easy, bytes.ptr, bytes.len, &sent);
        bytes = str_slice(bytes, sent, bytes.len);
        if (code == CURLE_AGAIN) {
            if (!wait_writable(s, w, e)) {
                return false;
            }
        } else if (code != CURLE_OK) {
            return err_set(e, ERR_NET, "%s: %s", s->transport->scheme, curl_easy_strerror(code));
        }
    }
    return true;
}

bool stream_is_alive(struct stream *s)
{
    char ignored[IGNORED_MAX];
    size_t got = 1;
    CURLcode code = CURLE_OK;

    while (s->easy != NULL && code == CURLE_OK && got > 0) {
        code = curl_easy_recv(s->easy, ignored, sizeof(ignored), &got);
    }
    return s->easy == NULL || code == CURLE_AGAIN;
}

bool stream_drain(struct stream *s, struct wait w, struct err *e)
{
    int left = 0;

    while (s->easy != NULL && ioctl(s->fd, SIOCOUTQ, &left) == 0 && left > 0) {
        if (!stream_is_alive(s)) {
            return err_set(e, ERR_NET, "%s: the other side ended the connection",
                           s->transport->scheme);
        }
        if (wait_is_over(w, clock_system()) ||
            !wait_sleep(wait_limit_ms(w, clock_system(), DRAIN_STEP_MS))) {
            return wait_err(w, e);
        }
    }
    return true;
}
