/*
 * bench-floor PORT THREADS REQUESTS: what a request costs a client that does nothing else. Each thread
 * has a connection, sends the same query and reads the answer, with a poll() in between as whoever keeps
 * deadlines must. Prints the microseconds of CPU of a request: user, then system.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 256, REQUEST_MAX = 1024, ANSWER_MAX = 8192, WAIT_MS = 10000 };

struct floor {
    char request[REQUEST_MAX];
    size_t request_len;
    struct sockaddr_in address;
    unsigned long count; /* of each thread */
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_request(struct floor *f)
{
    static const char body[] = "query=bench_metric_1_1%7Benv%3D%22production%22%7D%20%3E%2090"
                               "&time=1790000000.000";
    f->request_len = (size_t)snprintf(
        f->request, sizeof f->request,
        "POST /api/v1/query HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: bench\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        ntohs(f->address.sin_port), sizeof body - 1, body);
}

/* An empty answer comes in one piece: bench-peer writes it with one call. */
static void *ask(void *arg)
{
    const struct floor *f = arg;
    char answer[ANSWER_MAX];
    int yes = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&f->address, sizeof f->address) < 0) {
        fail("bench-floor: connect");
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    for (unsigned long i = 0; i < f->count; i++) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (send(fd, f->request, f->request_len, MSG_NOSIGNAL) != (ssize_t)f->request_len ||
            poll(&readable, 1, WAIT_MS) != 1 || recv(fd, answer, sizeof answer, 0) <= 0) {
            fail("bench-floor: a request");
        }
    }
    close(fd);
    return NULL;
}

static double us(struct timeval t)
{
    return (double)t.tv_sec * 1e6 + (double)t.tv_usec;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS_MAX];
    struct rusage used;
    struct floor f = {.address = {.sin_family = AF_INET}};
    unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
    if (count < 1 || count > THREADS_MAX) {
        (void)fputs("usage: bench-floor PORT THREADS REQUESTS\n", stderr);
        return 2;
    }
    f.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f.address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    f.count = strtoul(argv[3], NULL, 10) / count;
    make_request(&f);
    for (unsigned long i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, ask, &f) != 0) {
            fail("bench-floor: thread");
        }
    }
    for (unsigned long i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    getrusage(RUSAGE_SELF, &used);
    double total = (double)f.count * (double)count;
    (void)printf("%.2f %.2f\n", us(used.ru_utime) / total, us(used.ru_stime) / total);
    return 0;
}
