/*
 * bench-events CERTIFICATE KEY COUNTS EVENTS: a sink of CloudEvents over HTTPS that does as little as it can. It answers
 * 204, counts, and leaves its counts in the file COUNTS, which it maps. Prints "port N" when ready.
 *
 * An event says in its message which it is and when it was made: "#NUMBER" or "#NUMBER@MICROSECONDS". Numbers 0 to EVENTS are
 * known, each is counted once; what is no event, or has no such number, is strange. One thread, epoll, HTTP/1.1 with a
 * Content-Length. Dies with its parent.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    REQUEST_MAX = 32 * 1024 * 1024,
    EVENTS_AT_ONCE = 64,
    BACKLOG = 128,
    LATE_MS_MAX = 20000,
};

/* As bench/events.py reads them. */
struct counts {
    uint64_t events;   /* "specversion" was there so often */
    uint64_t distinct; /* numbers */
    uint64_t strange;
    uint64_t requests;
    uint64_t bytes; /* of bodies */
    uint64_t first_ns;
    uint64_t last_ns;           /* monotonic: when the last number came that was new */
    uint64_t late[LATE_MS_MAX]; /* by milliseconds between made and here */
};

struct sink {
    SSL_CTX *tls;
    int listener;
    int poll;
    struct counts *counts;
    uint8_t *seen; /* a bit each */
    uint64_t known;
};

struct conn {
    int fd;
    SSL *tls;
    char *bytes;
    size_t len;
    size_t room;
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static uint64_t now(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* ---- counting ---- */

static uint64_t take_number(const char **at, const char *end)
{
    uint64_t number = 0;

    while (*at < end && isdigit((unsigned char)**at) != 0) {
        number = number * 10 + (uint64_t)(**at - '0');
        ++*at;
    }
    return number;
}

static void count_late(struct counts *c, uint64_t made_us)
{
    uint64_t here_us = now(CLOCK_REALTIME) / 1000;
    uint64_t late_ms = here_us > made_us ? (here_us - made_us) / 1000 : 0;

    c->late[late_ms < LATE_MS_MAX ? late_ms : LATE_MS_MAX - 1]++;
}

static void count_number(struct sink *s, uint64_t number)
{
    uint8_t bit = (uint8_t)(1U << (number % 8));

    if (number > s->known) {
        s->counts->strange++;
    } else if ((s->seen[number / 8] & bit) == 0) {
        s->seen[number / 8] |= bit;
        s->counts->distinct++;
        s->counts->last_ns = now(CLOCK_MONOTONIC);
    }
}

/* Behind an event's "specversion" stands its message. */
static void count_body(struct sink *s, const char *body, size_t len)
{
    static const char version[] = "\"specversion\":\"1.0\"";
    static const char message[] = "\"message\":\"#";
    const char *end = body + len;
    const char *at = body;

    while ((at = memmem(at, (size_t)(end - at), version, sizeof version - 1)) != NULL) {
        s->counts->events++;
        at = memmem(at, (size_t)(end - at), message, sizeof message - 1);
        if (at == NULL) {
            s->counts->strange++;
            return;
        }
        at += sizeof message - 1;
        count_number(s, take_number(&at, end));
        if (at < end && *at == '@') {
            at++;
            count_late(s->counts, take_number(&at, end));
        }
    }
}

/* ---- connections ---- */

static void close_conn(struct sink *s, struct conn *c)
{
    (void)epoll_ctl(s->poll, EPOLL_CTL_DEL, c->fd, NULL);
    SSL_free(c->tls);
    (void)close(c->fd);
    free(c->bytes);
    free(c);
}

static void accept_conn(struct sink *s)
{
    int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct conn *c = calloc(1, sizeof *c);
    int yes = 1;

    if (fd < 0 || c == NULL) {
        free(c);
        return;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    c->fd = fd;
    c->tls = SSL_new(s->tls);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c->tls == NULL || SSL_set_fd(c->tls, fd) != 1 ||
        epoll_ctl(s->poll, EPOLL_CTL_ADD, fd, &event) != 0) {
        fail("bench-events: accept");
    }
    SSL_set_accept_state(c->tls);
}

/* The length of the whole request, 0 while its head is not there, SIZE_MAX when it is none of ours. */
static size_t request_length(const struct conn *c, size_t *ret_head)
{
    static const char name[] = "\r\ncontent-length:";
    const char *end = memmem(c->bytes, c->len, "\r\n\r\n", 4);

    if (end == NULL) {
        return c->len < READ_BYTES ? 0 : SIZE_MAX;
    }
    *ret_head = (size_t)(end - c->bytes) + 4;
    for (const char *at = c->bytes; at + sizeof name < end; at++) {
        if (*at == '\r' && strncasecmp(at, name, sizeof name - 1) == 0) {
            at += sizeof name - 1;
            at += *at == ' ';
            uint64_t length = take_number(&at, end);
            return length < REQUEST_MAX ? *ret_head + length : SIZE_MAX;
        }
    }
    return SIZE_MAX;
}

/* Answers all requests that are whole; false when the connection is of no use. */
static bool answer(struct sink *s, struct conn *c)
{
    static const char taken[] = "HTTP/1.1 204 No Content\r\n\r\n";
    size_t head = 0;
    size_t length;

    while ((length = request_length(c, &head)) > 0 && length <= c->len) {
        count_body(s, c->bytes + head, length - head);
        s->counts->requests++;
        s->counts->bytes += length - head;
        c->len -= length;
        memmove(c->bytes, c->bytes + length, c->len);
        if (SSL_write(c->tls, taken, sizeof taken - 1) != (int)(sizeof taken - 1)) {
            return false;
        }
    }
    return length != SIZE_MAX;
}

static bool make_room(struct conn *c)
{
    if (c->room - c->len >= READ_BYTES) {
        return true;
    }
    size_t room = (c->room + READ_BYTES) * 2;
    char *bytes = room < (size_t)REQUEST_MAX * 4 ? realloc(c->bytes, room) : NULL;
    if (bytes == NULL) {
        return false;
    }
    c->bytes = bytes;
    c->room = room;
    return true;
}

static void read_conn(struct sink *s, struct conn *c)
{
    for (;;) {
        if (!make_room(c)) {
            break;
        }
        int n = SSL_read(c->tls, c->bytes + c->len, READ_BYTES);
        if (n <= 0) {
            if (SSL_get_error(c->tls, n) == SSL_ERROR_WANT_READ) {
                return;
            }
            break;
        }
        if (s->counts->first_ns == 0) {
            s->counts->first_ns = now(CLOCK_MONOTONIC);
        }
        c->len += (size_t)n;
        if (!answer(s, c)) {
            s->counts->strange++;
            break;
        }
    }
    close_conn(s, c);
}

/* ---- the program ---- */

static uint16_t listen_here(struct sink *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    s->poll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (s->listener < 0 || s->poll < 0 ||
        bind(s->listener, (const struct sockaddr *)&address, len) != 0 ||
        listen(s->listener, BACKLOG) != 0 ||
        getsockname(s->listener, (struct sockaddr *)&address, &len) != 0 ||
        epoll_ctl(s->poll, EPOLL_CTL_ADD, s->listener, &event) != 0) {
        fail("bench-events: listen");
    }
    return ntohs(address.sin_port);
}

static void open_tls(struct sink *s, const char *certificate, const char *key)
{
    s->tls = SSL_CTX_new(TLS_server_method());
    if (s->tls == NULL ||
        SSL_CTX_use_certificate_file(s->tls, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(s->tls, key, SSL_FILETYPE_PEM) != 1) {
        (void)fprintf(stderr, "bench-events: certificate and key cannot be used\n");
        exit(1);
    }
    (void)SSL_CTX_set_read_ahead(s->tls, 1);
}

static void map_counts(struct sink *s, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || ftruncate(fd, sizeof *s->counts) != 0) {
        fail("bench-events: counts");
    }
    s->counts = mmap(NULL, sizeof *s->counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    s->seen = calloc(s->known / 8 + 1, 1);
    if (s->counts == MAP_FAILED || s->seen == NULL) {
        fail("bench-events: counts");
    }
    (void)close(fd);
}

static void serve(struct sink *s)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    for (;;) {
        int n = epoll_wait(s->poll, events, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == NULL) {
                accept_conn(s);
            } else {
                read_conn(s, events[i].data.ptr);
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct sink s = {0};

    if (argc != 5) {
        (void)fprintf(stderr, "usage: bench-events CERTIFICATE KEY COUNTS EVENTS\n");
        return 2;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    s.known = strtoull(argv[4], NULL, 10);
    open_tls(&s, argv[1], argv[2]);
    map_counts(&s, argv[3]);
    (void)printf("port %u\n", listen_here(&s));
    (void)fflush(stdout);
    serve(&s);
    return 0;
}
