/*
 * What a call of telex_metrics() costs while the backend hangs: threads give at a pace for a while, over the shared
 * library, to a server that takes connections and never answers.
 *
 *     bench-lib SECONDS CALLS_PER_SECOND THREADS [STATE_FOLDER]
 *
 * A pace of 0 is as fast as it goes. Without a folder records are held in memory.
 */
#include <telex/telex.h>

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { THREADS_MAX = 16, PORTION = 100 };
#define NS_PER_S 1000000000LL

struct giver {
    struct telex_hub *hub;
    pthread_t thread;
    int64_t pace; /* calls per second of this thread; 0: no pace */
    int64_t end_ns;
    uint64_t taken;
    uint64_t dropped;
    int64_t cpu_ns;
    int64_t longest_ns; /* of PORTION calls */
};

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* A record as the exporter abstraction has it: eight fields, two labels. */
static int give(struct telex_hub *hub, double value)
{
    const struct telex_field fields[] = {
        {.name = "messages_per_second", .type = TELEX_NUMBER, .value.number = value},
        {.name = "avg_latency_ms", .type = TELEX_NUMBER, .value.number = 2.5},
        {.name = "p95_latency_ms", .type = TELEX_NUMBER, .value.number = 12.25},
        {.name = "p99_latency_ms", .type = TELEX_NUMBER, .value.number = 31.5},
        {.name = "error_rate", .type = TELEX_NUMBER, .value.number = 0.01},
        {.name = "emoji_overhead_percent", .type = TELEX_NUMBER, .value.number = 3.5},
        {.name = "emoji_message_count", .type = TELEX_INTEGER, .value.integer = 350},
        {.name = "total_messages", .type = TELEX_INTEGER, .value.integer = 10000},
    };
    const struct telex_label labels[] = {{"environment", "production"}, {"service", "api-server"}};
    const struct telex_metrics metrics = {.struct_size = sizeof(metrics),
                                          .fields = fields,
                                          .field_count = sizeof(fields) / sizeof(fields[0]),
                                          .labels = labels,
                                          .label_count = 2};

    return telex_metrics(hub, &metrics);
}

static void rest_until(int64_t at_ns)
{
    const struct timespec t = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void give_portion(struct giver *g)
{
    int64_t begun_ns = now_ns(CLOCK_THREAD_CPUTIME_ID);

    for (int i = 0; i < PORTION; i++) {
        bool ok = give(g->hub, i) == TELEX_OK;
        g->taken += ok;
        g->dropped += !ok;
    }
    int64_t took_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns;
    g->cpu_ns += took_ns;
    g->longest_ns = took_ns > g->longest_ns ? took_ns : g->longest_ns;
}

static void *run(void *arg)
{
    struct giver *g = arg;
    int64_t begun_ns = now_ns(CLOCK_MONOTONIC);
    int64_t at_ns = begun_ns;
    int64_t portions = 0;

    while (at_ns < g->end_ns) {
        give_portion(g);
        portions++;
        at_ns = now_ns(CLOCK_MONOTONIC);
        int64_t due_ns = g->pace > 0 ? begun_ns + portions * PORTION * NS_PER_S / g->pace : at_ns;
        if (due_ns - at_ns > NS_PER_S / 1000) {
            rest_until(due_ns);
        }
    }
    return NULL;
}

/* A listening socket whose backlog takes connections that nobody answers. */
static int hanging_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    return ntohs(address.sin_port);
}

static struct telex_hub *open_hub(int port, const char *state)
{
    struct telex_config *config = telex_config_new();
    struct telex_error error = {0};
    struct telex_hub *hub = NULL;
    char url[64];

    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d/", port);
    (void)telex_config_set(config, "exporters.api.type", "webhook", NULL);
    (void)telex_config_set(config, "exporters.api.url", url, NULL);
    (void)telex_config_set(config, "exporters.api.timeout", "5s", NULL);
    if (state != NULL) {
        (void)telex_config_set(config, "state.path", state, NULL);
    }
    if (telex_open(config, &hub, &error) != TELEX_OK) {
        (void)fprintf(stderr, "%s\n", error.message);
    }
    telex_config_free(config);
    return hub;
}

static void tell(struct telex_hub *hub, const struct giver *givers, int threads, double seconds)
{
    struct telex_stats stats = {.struct_size = sizeof(stats)};
    uint64_t taken = 0;
    uint64_t calls = 0;
    int64_t cpu_ns = 0;
    int64_t longest_ns = 0;

    for (int i = 0; i < threads; i++) {
        taken += givers[i].taken;
        calls += givers[i].taken + givers[i].dropped;
        cpu_ns += givers[i].cpu_ns;
        longest_ns = givers[i].longest_ns > longest_ns ? givers[i].longest_ns : longest_ns;
    }
    (void)telex_stats(hub, &stats);
    printf(
        "%d threads, %.1f s: %.0f calls/s, %.0f ns of thread CPU per call (slowest hundred %.0f), "
        "%.1f %% taken, %.0f records/s logged, %llu delivered\n",
        threads, seconds, (double)calls / seconds, (double)cpu_ns / (double)calls,
        (double)longest_ns / PORTION, 100.0 * (double)taken / (double)calls,
        (double)stats.logged / seconds, (unsigned long long)stats.delivered);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 5;
    double pace = argc > 2 ? strtod(argv[2], NULL) : 1e6;
    int threads = argc > 3 ? (int)strtol(argv[3], NULL, 10) : 2;
    struct giver givers[THREADS_MAX];
    struct telex_hub *hub = open_hub(hanging_server(), argc > 4 ? argv[4] : NULL);

    if (hub == NULL || threads < 1 || threads > THREADS_MAX) {
        return 1;
    }
    int64_t begun_ns = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < threads; i++) {
        givers[i] = (struct giver){.hub = hub,
                                   .pace = (int64_t)(pace / threads),
                                   .end_ns = begun_ns + (int64_t)(seconds * 1e9)};
        if (pthread_create(&givers[i].thread, NULL, run, &givers[i]) != 0) {
            return 1;
        }
    }
    for (int i = 0; i < threads; i++) {
        (void)pthread_join(givers[i].thread, NULL);
    }
    tell(hub, givers, threads, (double)(now_ns(CLOCK_MONOTONIC) - begun_ns) / 1e9);
    (void)telex_close(hub, 0, NULL, NULL);
    return 0;
}
