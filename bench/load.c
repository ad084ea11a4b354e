/*
 * bench-load: pushes remote write bodies to --port over --connections connections, each waiting for an
 * answer before its next body, and says what was acknowledged. A body that is not acknowledged is
 * sent again, so that a refusal costs time and not samples. Prints one JSON object at the end.
 */
#include "bench/bodies.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 8192, STACK_BYTES = 128 * 1024, AGAIN_MS = 50 };

struct options {
    uint16_t port;
    uint32_t connections;
    uint32_t bodies; /* of each connection */
    uint32_t samples;
    unsigned max_seconds;
    bool stored;
};

struct client {
    const struct options *options;
    uint32_t number;
    int fd;
    struct bodies bodies;
    struct sent sent;
    uint64_t bytes;
    uint64_t again; /* bodies that were not acknowledged at once */
    uint64_t slowest_ns;
    pthread_t thread;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static unsigned long number_or_exit(const char *text, unsigned long max)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > max) {
        (void)fprintf(stderr, "bench-load: '%s' is not a number up to %lu\n", text, max);
        exit(2);
    }
    return value;
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"connections", required_argument, NULL, 'c'},
        {"bodies", required_argument, NULL, 'b'},
        {"samples", required_argument, NULL, 's'},
        {"max-seconds", required_argument, NULL, 'm'},
        {"stored", no_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.connections = 1, .bodies = 100, .samples = 5000, .max_seconds = 600};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'p') {
            o.port = (uint16_t)number_or_exit(optarg, 65535);
        } else if (c == 'c') {
            o.connections = (uint32_t)number_or_exit(optarg, 10000);
        } else if (c == 'b') {
            o.bodies = (uint32_t)number_or_exit(optarg, 100000000);
        } else if (c == 's') {
            o.samples = (uint32_t)number_or_exit(optarg, BODIES_SERIES_MAX);
        } else if (c == 'u') {
            o.stored = true;
        } else if (c == 'm') {
            o.max_seconds = (unsigned)number_or_exit(optarg, 86400);
        } else {
            (void)fputs("usage: bench-load --port N [--connections N] [--bodies N] [--samples N] "
                        "[--stored] [--max-seconds N]\n",
                        stderr);
            exit(2);
        }
    }
    return o;
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        die("bench-load: connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

/* Writes head and body whole. */
static bool send_all(int fd, const char *head, size_t head_len, const char *body, size_t body_len)
{
    struct iovec parts[] = {{(void *)(uintptr_t)head, head_len},
                            {(void *)(uintptr_t)body, body_len}};
    struct iovec *at = parts;
    int left = 2;
    while (left > 0) {
        ssize_t n = writev(fd, at, left);
        if (n < 0) {
            return false;
        }
        size_t sent = (size_t)n;
        while (left > 0 && sent >= at->iov_len) {
            sent -= at->iov_len;
            at++;
            left--;
        }
        if (left > 0) {
            at->iov_base = (char *)at->iov_base + sent;
            at->iov_len -= sent;
        }
    }
    return true;
}

/* Reads one answer whole; its status, 0 when the connection is done. */
static int read_answer(int fd)
{
    char answer[ANSWER_MAX + 1];
    size_t len = 0;
    char *end = NULL;
    while (len < ANSWER_MAX && end == NULL) {
        ssize_t n = recv(fd, answer + len, ANSWER_MAX - len, 0);
        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
        answer[len] = '\0';
        end = strstr(answer, "\r\n\r\n");
    }
    if (end == NULL) {
        return 0;
    }
    const char *length = strcasestr(answer, "content-length:");
    size_t want = (size_t)(end + 4 - answer);
    want += length != NULL && length < end ? strtoul(length + 15, NULL, 10) : 0;
    while (len < want && want <= ANSWER_MAX) {
        ssize_t n = recv(fd, answer + len, want - len, 0);
        if (n <= 0) {
            return 0;
        }
        len += (size_t)n;
    }
    return (int)strtol(answer + 9, NULL, 10);
}

/* Sends a body until it is acknowledged. */
static void push(struct client *c)
{
    char head[512];
    const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000L};
    int len = snprintf(head, sizeof head,
                       "POST /api/v1/write HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                       "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
                       "X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: %zu\r\n\r\n",
                       c->options->port, c->bodies.packed_len);
    for (;;) {
        int status = send_all(c->fd, head, (size_t)len, c->bodies.packed, c->bodies.packed_len)
                         ? read_answer(c->fd)
                         : 0;
        if (status / 100 == 2) {
            c->bytes += c->bodies.packed_len;
            return;
        }
        c->again++;
        nanosleep(&pause, NULL);
        if (status == 0) {
            close(c->fd);
            c->fd = connect_to(c->options->port);
        }
    }
}

static void *run_client(void *arg)
{
    struct client *c = arg;
    for (uint32_t i = 0; i < c->options->bodies; i++) {
        uint64_t number = (uint64_t)i * c->options->connections + c->number;
        bodies_make(&c->bodies, number, &c->sent);
        uint64_t from = now_ns();
        push(c);
        uint64_t took = now_ns() - from;
        c->slowest_ns = took > c->slowest_ns ? took : c->slowest_ns;
    }
    close(c->fd);
    return NULL;
}

static void start_client(struct client *c, const struct options *o, uint32_t number)
{
    pthread_attr_t attr;
    c->options = o;
    c->number = number;
    c->fd = connect_to(o->port);
    if (!bodies_init(&c->bodies, number * o->samples % BODIES_SERIES_MAX, o->samples)) {
        die("bench-load");
    }
    c->bodies.is_stored = o->stored;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (pthread_create(&c->thread, &attr, run_client, c) != 0) {
        die("bench-load: thread");
    }
    pthread_attr_destroy(&attr);
}

static void print_totals(struct client *clients, const struct options *o, uint64_t took_ns)
{
    struct sent sent = {0};
    uint64_t bytes = 0;
    uint64_t again = 0;
    uint64_t slowest_ns = 0;
    for (uint32_t i = 0; i < o->connections; i++) {
        const struct client *c = &clients[i];
        sent.samples += c->sent.samples;
        sent.whole_sum += c->sent.whole_sum;
        sent.time_sum_ms += c->sent.time_sum_ms;
        bytes += c->bytes;
        again += c->again;
        slowest_ns = c->slowest_ns > slowest_ns ? c->slowest_ns : slowest_ns;
    }
    printf("{\"seconds\":%.6f,\"bodies\":%" PRIu64 ",\"samples\":%" PRIu64 ",\"whole_sum\":%" PRIu64
           ",\"time_sum_ms\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"again\":%" PRIu64
           ",\"slowest_ms\":%.3f}\n",
           (double)took_ns / 1e9, (uint64_t)o->bodies * o->connections, sent.samples,
           sent.whole_sum, sent.time_sum_ms, bytes, again, (double)slowest_ns / 1e6);
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct client *clients = calloc(o.connections, sizeof *clients);
    if (clients == NULL || o.port == 0) {
        (void)fputs("bench-load: --port is needed\n", stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(o.max_seconds);
    (void)signal(SIGPIPE, SIG_IGN);
    uint64_t from = now_ns();
    for (uint32_t i = 0; i < o.connections; i++) {
        start_client(&clients[i], &o, i);
    }
    for (uint32_t i = 0; i < o.connections; i++) {
        pthread_join(clients[i].thread, NULL);
        bodies_release(&clients[i].bodies);
    }
    print_totals(clients, &o, now_ns() - from);
    free(clients);
    return 0;
}
