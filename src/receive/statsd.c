/*
 * Invariants
 *   1. The table is the thread's alone.
 *   2. A socket file that we made is removed by us; one that somebody listens on is never taken.
 */
#include "receive/statsd.h"

#include "base/mem.h"
#include "base/rand.h"
#include "net/udp.h"
#include "receive/receive_int.h"
#include "receive/statsd_table.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SOCKETS = 2, READS_MAX = 256, GIVE_MS = 2000, MS_PER_NS = 1000 * 1000 };
enum result { RESULT_TAKEN, RESULT_BAD, RESULT_OTHER, RESULT_OVER, RESULTS };

static const struct metric_desc lines_desc = {
    .name = "telex_statsd_lines_total",
    .help =
        "Lines of StatsD: taken, bad, of other kinds (events), or of a series beyond max_series.",
    .type = METRIC_COUNTER,
    .labels = {"result"},
};
static const struct metric_desc kernel_desc = {
    .name = "telex_statsd_kernel_dropped_total",
    .help = "Datagrams of StatsD that the kernel had no room for.",
    .type = METRIC_COUNTER,
};
static const struct metric_desc series_desc = {
    .name = "telex_statsd_series",
    .help = "Series of StatsD that are kept.",
    .type = METRIC_GAUGE,
};
static const struct metric_desc missed_desc = {
    .name = "telex_statsd_missed_flushes_total",
    .help = "Flushes of StatsD for which the log had no room, or there was no plan yet.",
    .type = METRIC_COUNTER,
};
static const char *const result_names[RESULTS] = {"taken", "bad", "other", "series limit"};

struct socket {
    int fd;
    uint32_t dropped; /* as the kernel last said */
};

struct statsd {
    struct receiver *receiver;
    struct receive_statsd_config config;
    struct buf path; /* of the socket's file that is ours; or empty */
    struct thread thread;
    struct socket sockets[SOCKETS];
    int stop_fd;
    struct statsd_table table;
    char *buffer;
    struct metric *lines[RESULTS];
    struct metric *kernel;
    struct metric *series;
    struct metric *missed;
};

/* ---- lines ---- */

static enum result take_line(struct statsd *s, struct str text, int64_t now_ns)
{
    static const enum result of_fates[STATSD_FATES] = {
        [STATSD_ADDED] = RESULT_TAKEN, [STATSD_NO_SENSE] = RESULT_BAD, [STATSD_OVER] = RESULT_OVER};
    struct statsd_line line;
    enum statsd_result result = statsd_read(text, &line);

    if (result != STATSD_TAKEN) {
        return result == STATSD_OTHER ? RESULT_OTHER : RESULT_BAD;
    }
    return of_fates[statsd_table_add(&s->table, &line, now_ns)];
}

static void take_datagram(struct statsd *s, struct str datagram, int64_t now_ns)
{
    uint64_t counts[RESULTS] = {0};
    struct str line;

    while (statsd_next_line(&datagram, &line)) {
        counts[take_line(s, line, now_ns)]++;
    }
    for (int i = 0; i < RESULTS; i++) {
        metric_add(s->lines[i], counts[i]);
    }
}

static void read_socket(struct statsd *s, struct socket *socket)
{
    int64_t now_ns = clock_wall_ns(s->receiver->env->clock);
    uint32_t dropped = socket->dropped;

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t len = udp_receive(socket->fd, s->buffer, STATSD_DATAGRAM_MAX, &dropped);
        if (len < 0) {
            return;
        }
        metric_add(s->kernel, dropped - socket->dropped);
        socket->dropped = dropped;
        take_datagram(s, str_make(s->buffer, (size_t)len), now_ns);
    }
}

/* ---- flushing ---- */

static void give(struct statsd *s, struct batch *b)
{
    struct receiver *r = s->receiver;
    struct plan *plan = atomic_load(&r->plan);
    struct push push = {.plan = plan, .receipt = {.kind = RECORD_SAMPLE}};
    const struct give how = {
        .wait = {clock_mono_ns(r->env->clock) + (int64_t)GIVE_MS * MS_PER_NS, NULL}};
    struct err ignored = ERR_INIT;

    if (plan == NULL || !plan_takes(plan, RECORD_SAMPLE) ||
        !plan_offer(plan, b, &how, &push.receipt, &ignored)) {
        metric_add(s->missed, 1);
        return;
    }
    receiver_given(r, &push, batch_rows(b));
}

static void flush(struct statsd *s)
{
    AUTO(batch_autounref)
    struct batch *b =
        statsd_table_flush(&s->table, clock_wall_ns(s->receiver->env->clock), s->config.expiry_ns);

    if (b != NULL) {
        give(s, b);
    }
    metric_set(s->series, (double)s->table.series.len);
}

static void run(void *arg)
{
    struct statsd *s = arg;
    const struct clock *clock = s->receiver->env->clock;
    struct pollfd polled[SOCKETS + 1] = {{.fd = s->sockets[0].fd, .events = POLLIN},
                                         {.fd = s->sockets[1].fd, .events = POLLIN},
                                         {.fd = s->stop_fd, .events = POLLIN}};
    int64_t next_ns = clock_mono_ns(clock) + s->config.flush_interval_ns;

    while ((polled[SOCKETS].revents & POLLIN) == 0) {
        int64_t left_ms = (next_ns - clock_mono_ns(clock)) / MS_PER_NS + 1;
        (void)poll(polled, SOCKETS + 1, left_ms > 0 ? (int)left_ms : 0);
        for (size_t i = 0; i < SOCKETS; i++) {
            if ((polled[i].revents & POLLIN) != 0) {
                read_socket(s, &s->sockets[i]);
            }
        }
        if (clock_mono_ns(clock) >= next_ns) {
            flush(s);
            next_ns += s->config.flush_interval_ns;
            next_ns = next_ns > clock_mono_ns(clock)
                          ? next_ns
                          : clock_mono_ns(clock) + s->config.flush_interval_ns;
        }
    }
    flush(s);
}

/* ---- start and end ---- */

static void init_metrics(struct statsd *s, struct metrics *registry)
{
    for (int i = 0; i < RESULTS; i++) {
        s->lines[i] = metrics_get1(registry, &lines_desc, str_of(result_names[i]));
    }
    s->kernel = metrics_get0(registry, &kernel_desc);
    s->series = metrics_get0(registry, &series_desc);
    s->missed = metrics_get0(registry, &missed_desc);
}

static bool open_sockets(struct statsd *s, struct err *e)
{
    struct str path = s->config.socket_path;

    if (s->config.listen.len > 0 && !udp_listen(s->config.listen, &s->sockets[0].fd, e)) {
        return false;
    }
    if (path.len > 0) {
        if (!unix_datagram_listen(path, &s->sockets[1].fd, e)) {
            return false;
        }
        buf_add_str(&s->path, path);
    }
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return s->stop_fd >= 0 || err_set_errno(e, ERR_NET, errno, "no event to be had");
}

bool statsd_start(struct receiver *r, struct statsd **ret_statsd, struct err *e)
{
    struct statsd *s = mem_new(struct statsd);
    uint64_t seed = r->env->rng != NULL ? rng_u64(r->env->rng) : 1;

    s->receiver = r;
    s->config = receiver_config(r).statsd;
    s->stop_fd = -1;
    s->sockets[0].fd = -1;
    s->sockets[1].fd = -1;
    s->buffer = mem_alloc0(1, STATSD_DATAGRAM_MAX);
    buf_init(&s->path, BUF_SMALL);
    init_metrics(s, r->env->metrics);
    statsd_table_init(&s->table, (size_t)s->config.max_series, seed);
    if (!open_sockets(s, e) || !thread_start(&s->thread, "statsd", run, s, e)) {
        statsd_free(s);
        return err_wrap(e, "receive.statsd");
    }
    *ret_statsd = s;
    return true;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

void statsd_free(struct statsd *s)
{
    const uint64_t one = 1;

    if (s == NULL) {
        return;
    }
    if (s->stop_fd >= 0) {
        ssize_t written = write(s->stop_fd, &one, sizeof(one));
        (void)written;
    }
    thread_join(&s->thread);
    for (size_t i = 0; i < SOCKETS; i++) {
        close_fd(s->sockets[i].fd);
    }
    close_fd(s->stop_fd);
    if (s->path.len > 0) {
        (void)unlink(buf_text(&s->path));
    }
    buf_release(&s->path);
    for (int i = 0; i < RESULTS; i++) {
        metric_drop(s->lines[i]);
    }
    metric_drop(s->kernel);
    metric_drop(s->series);
    metric_drop(s->missed);
    statsd_table_release(&s->table);
    mem_free(s->buffer);
    mem_free(s);
}
