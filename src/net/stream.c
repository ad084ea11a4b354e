/*
 * TCP and TLS are libcurl's, which connects and hands the stream over (CURLOPT_CONNECT_ONLY): so names,
 * certificates and both versions of IP are as everywhere else.
 */
#include "net/stream.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PLACE_MAX = 300, POLL_MS = 100, DRAIN_STEP_MS = 2, IGNORED_MAX = 1024 };

struct stream {
    const struct transport *transport;
    CURL *easy; /* or NULL */
    int fd;
};

struct transport {
    const char *scheme;
    const char *url_scheme; /* of libcurl; NULL: a socket of ours */
    bool (*open)(struct stream *s, struct str place, struct err *e);
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

/* ---- sockets of ours ---- */

static bool open_unix(struct stream *s, struct str place, struct err *e)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (place.len >= sizeof(to.sun_path)) {
        return err_set(e, ERR_CONFIG, "the path of a socket has at most %zu bytes",
                       sizeof(to.sun_path) - 1);
    }
    memcpy(to.sun_path, place.ptr, place.len);
    s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
        return err_set_errno(e, ERR_NET, errno, "%.*s", STR_FMT(place));
    }
    return true;
}

/* "host:port" and "[::1]:port" as two C strings. */
static bool split_place(struct str place, char *host, char *port)
{
    size_t colon = place.len;

    while (colon > 0 && place.ptr[colon - 1] != ':') {
        colon--;
    }
    struct str name = str_slice(place, 0, colon > 0 ? colon - 1 : 0);
    if (str_starts(name, STR("[")) && str_ends(name, STR("]"))) {
        name = str_slice(name, 1, name.len - 2);
    }
    if (name.len == 0 || colon == place.len || place.len >= PLACE_MAX) {
        return false;
    }
    memcpy(host, name.ptr, name.len);
    host[name.len] = '\0';
    memcpy(port, place.ptr + colon, place.len - colon);
    port[place.len - colon] = '\0';
    return true;
}

static bool open_udp(struct stream *s, struct str place, struct err *e)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char host[PLACE_MAX];
    char port[PLACE_MAX];

    if (!split_place(place, host, port)) {
        return err_set(e, ERR_CONFIG, "'%.*s' is no host:port", STR_FMT(place));
    }
    int problem = getaddrinfo(host, port, &hints, &found);
    if (problem != 0) {
        return err_set(e, ERR_NET, "%s: %s", host, gai_strerror(problem));
    }
    for (struct addrinfo *at = found; at != NULL && s->fd < 0; at = at->ai_next) {
        s->fd = socket(at->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (s->fd >= 0 && connect(s->fd, at->ai_addr, at->ai_addrlen) != 0) {
            (void)close(s->fd);
            s->fd = -1;
        }
    }
    freeaddrinfo(found);
    return s->fd >= 0 || err_set_errno(e, ERR_NET, errno, "%.*s", STR_FMT(place));
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

static void set_text(CURL *easy, CURLoption option, struct str text)
{
    char *copy = text.len > 0 ? mem_dup_text(text.ptr, text.len) : NULL;

    (void)curl_easy_setopt(easy, option, copy);
    mem_free(copy);
}

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
                        int64_t connect_ms, struct err *e)
{
    AUTO(buf_release) struct buf url = BUF_INIT(BUF_SMALL);
    curl_socket_t fd = CURL_SOCKET_BAD;

    s->easy = curl_easy_init();
    if (s->easy == NULL) {
        return err_set(e, ERR_INTERNAL, "libcurl has no handle");
    }
    buf_addf(&url, "%s://%.*s", s->transport->url_scheme, STR_FMT(place));
    set_text(s->easy, CURLOPT_URL, buf_str(&url));
    (void)curl_easy_setopt(s->easy, CURLOPT_CONNECT_ONLY, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_NOPROXY, "*");
    (void)curl_easy_setopt(s->easy, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(s->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    set_tls(s->easy, tls);
    CURLcode code = curl_easy_perform(s->easy);
    if (code == CURLE_OK) {
        code = curl_easy_getinfo(s->easy, CURLINFO_ACTIVESOCKET, &fd);
    }
    s->fd = fd;
    return (code == CURLE_OK && fd != CURL_SOCKET_BAD) ||
           err_set(e, ERR_NET, "%s://%.*s: %s", s->transport->scheme, STR_FMT(place),
                   curl_easy_strerror(code));
}

/* ---- streams ---- */

bool stream_address_parse(struct str text, struct stream_address *ret_address, struct err *e)
{
    struct str mark = STR("://");
    size_t at = str_find(text, mark);
    const struct stream_address a = {str_slice(text, 0, at),
                                     str_slice(text, at + mark.len, text.len)};
    char host[PLACE_MAX];
    char port[PLACE_MAX];

    if (at == text.len || find_transport(a.scheme) == NULL) {
        return err_set(e, ERR_CONFIG,
                       "'%.*s' is no address; expected udp://host:port, tcp://host:port, "
                       "tls://host:port or unix:///path",
                       STR_FMT(text));
    }
    bool is_path = str_eq(a.scheme, STR("unix"));
    if (is_path ? !str_starts(a.place, STR("/")) : !split_place(a.place, host, port)) {
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
                 int64_t connect_ms, struct stream **ret_stream, struct err *e)
{
    const struct transport *transport = find_transport(address->scheme);

    if (transport == NULL) {
        return err_set(e, ERR_INTERNAL, "'%.*s' is no transport", STR_FMT(address->scheme));
    }
    struct stream *s = mem_new(struct stream);
    s->fd = -1;
    s->transport = transport;
    bool ok = s->transport->open != NULL ? s->transport->open(s, address->place, e)
                                         : open_stream(s, address->place, tls, connect_ms, e);
    if (!ok) {
        stream_close(s);
        return false;
    }
    *ret_stream = s;
    return true;
}

void stream_close(struct stream *s)
{
    if (s == NULL) {
        return;
    }
    if (s->easy != NULL) {
        curl_easy_cleanup(s->easy);
    } else if (s->fd >= 0) {
        (void)close(s->fd);
    }
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
