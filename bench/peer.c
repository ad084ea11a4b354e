/*
 * bench-peer: the other side of the rule benchmark, in one process on loopback: a static datasource
 * that speaks Prometheus' query API, a remote-write receiver that counts, and an Alertmanager that
 * takes everything. Prints "port N" when ready. One blocking thread per connection: an engine opens
 * a handful. Dies with its parent and, whatever happens, after --max-seconds.
 */
#include "bench/peer.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct options {
    uint16_t port;
    uint32_t series;
    unsigned max_seconds;
    bool rotate;
};

struct served_conn {
    struct peer *peer;
    int fd;
};

static unsigned long number_or_exit(const char *text, unsigned long max)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || value > max) {
        (void)fprintf(stderr, "bench-peer: '%s' is not a number up to %lu\n", text, max);
        exit(2);
    }
    return value;
}

static struct options parse_options(int argc, char **argv)
{
    static const struct option known[] = {
        {"port", required_argument, NULL, 'p'},
        {"series", required_argument, NULL, 's'},
        {"max-seconds", required_argument, NULL, 'm'},
        {"rotate", no_argument, NULL, 'r'},
        {NULL, 0, NULL, 0},
    };
    struct options o = {.series = 10000, .max_seconds = 3600};
    int c;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == 'p') {
            o.port = (uint16_t)number_or_exit(optarg, 65535);
        } else if (c == 's') {
            o.series = (uint32_t)number_or_exit(optarg, ANSWER_SERIES_MAX);
        } else if (c == 'm') {
            o.max_seconds = (unsigned)number_or_exit(optarg, 86400);
        } else if (c == 'r') {
            o.rotate = true;
        } else {
            (void)fputs("usage: bench-peer [--port N] [--series N] [--rotate] [--max-seconds N]\n",
                        stderr);
            exit(2);
        }
    }
    return o;
}

static struct peer *peer_new(const struct options *o)
{
    struct peer *p = calloc(1, sizeof *p);
    if (!p) {
        perror("bench-peer");
        exit(1);
    }
    for (int kind = 0; kind < PEER_KINDS; kind++) {
        for (int i = 0; i < PEER_RULES_MAX; i++) {
            pthread_mutex_init(&p->slots[kind][i].lock, NULL);
        }
    }
    pthread_mutex_init(&p->lock, NULL);
    gate_init(&p->gate, 0);
    sink_init(&p->sink);
    p->series = o->series;
    p->rotate = o->rotate;
    return p;
}

static int listen_on(uint16_t port, uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        perror("bench-peer: listen");
        exit(1);
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void *serve(void *arg)
{
    struct served_conn served = *(struct served_conn *)arg;
    struct conn c;
    struct request r;
    free(arg);
    conn_init(&c, served.fd);
    while (http_next(&c, &r) && peer_handle(served.peer, &c, &r)) {
    }
    conn_release(&c);
    return NULL;
}

static void start_serving(struct peer *p, int fd)
{
    pthread_t thread;
    int yes = 1;
    struct served_conn *served = malloc(sizeof *served);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (served) {
        *served = (struct served_conn){p, fd};
    }
    if (!served || pthread_create(&thread, NULL, serve, served) != 0) {
        free(served);
        close(fd);
        return;
    }
    pthread_detach(thread);
}

int main(int argc, char **argv)
{
    struct options o = parse_options(argc, argv);
    struct peer *p = peer_new(&o);
    uint16_t port;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(o.max_seconds);
    int listener = listen_on(o.port, &port);
    (void)printf("port %u\n", port);
    (void)fflush(stdout);
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            start_serving(p, fd);
        }
    }
}
