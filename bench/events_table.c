/*
 * What our own table of events does: rows appended a second in batches of a size, by one or many at once, and read
 * again; CPU seconds and wall seconds (docs/internals/state.md).
 *
 *     events_table FOLDER [EVENTS [BATCH [ROUNDS]]]
 */
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "state/event_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { DATA = 400, READ = 1000, IN_FLIGHT = 4 };

struct clockwork {
    double wall_s;
    double cpu_s;
};

static double seconds(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct clockwork now(void)
{
    return (struct clockwork){seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static void tell(const char *what, uint64_t count, struct clockwork from)
{
    struct clockwork to = now();
    double wall_s = to.wall_s - from.wall_s;
    double cpu_s = to.cpu_s - from.cpu_s;

    printf("%s: %llu events, %.2f s, %.0f a second, %.2f CPU seconds (%.0f a CPU second)\n", what,
           (unsigned long long)count, wall_s, (double)count / wall_s, cpu_s, (double)count / cpu_s);
}

struct run {
    struct event_table *table;
    uint64_t events;
    uint32_t batch;
    _Atomic uint64_t done;
    _Atomic uint64_t failed;
    uint64_t salt;
};

static void ended(void *arg, const struct event_appended *ret, const struct err *e)
{
    struct run *r = arg;

    (void)e;
    r->failed += ret == NULL;
    r->done++;
}

static void append_all(struct run *r)
{
    AUTO(arena_release) struct arena a;
    struct event *rows = mem_alloc0(r->batch, sizeof(*rows));
    char data[DATA + 1];
    const struct event_append_end end = {ended, r};
    struct err e = ERR_INIT;
    uint64_t given = 0;

    arena_init(&a, ARENA_UNLIMITED);
    r->done = 0;
    memset(data, 'x', DATA);
    data[0] = data[DATA - 1] = '"';
    for (uint64_t at = 0; at < r->events; at += r->batch) {
        arena_reset(&a);
        for (uint32_t i = 0; i < r->batch; i++) {
            rows[i] = (struct event){.id = arena_printf(&a, "%016llx-%012llu",
                                                        (unsigned long long)r->salt,
                                                        (unsigned long long)(at + i)),
                                     .source = STR("/bench"),
                                     .type = STR("com.example.bench"),
                                     .form = EVENT_DATA_JSON,
                                     .data = str_make(data, DATA)};
        }
        const struct events events = {rows, r->batch};
        while (given - r->done >= IN_FLIGHT || !event_table_append(r->table, &events, &end, &e)) {
            const struct timespec moment = {0, 50000};
            (void)nanosleep(&moment, NULL);
        }
        given++;
    }
    while (r->done < given) {
        const struct timespec moment = {0, 50000};
        (void)nanosleep(&moment, NULL);
    }
    mem_free(rows);
}

static bool look(void *arg, const struct event_row *row)
{
    *(uint64_t *)arg = row->seq;
    return true;
}

static uint64_t read_all(struct event_table *t)
{
    AUTO(arena_release) struct arena a;
    struct event_reader *r = NULL;
    struct err e = ERR_INIT;
    uint64_t seq = 0;
    const struct event_taker taker = {look, &seq};

    arena_init(&a, ARENA_UNLIMITED);
    if (!event_reader_open(t, &r, &e)) {
        return 0;
    }
    for (uint64_t before = 1; before != seq || seq == 0;) {
        before = seq;
        arena_reset(&a);
        if (!event_reader_read(r, seq, READ, SIZE_MAX, &a, &taker, &e)) {
            break;
        }
    }
    event_reader_close(r);
    return seq;
}

int main(int argc, char **argv)
{
    struct env env = {.clock = clock_system(), .metrics = metrics_new()};
    struct run r = {.events = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000,
                    .batch = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1000};
    int rounds = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1;
    char path[512];
    struct err e = ERR_INIT;

    if (argc < 2) {
        fprintf(stderr, "usage: events_table FOLDER [EVENTS [BATCH [ROUNDS]]]\n");
        return 2;
    }
    (void)snprintf(path, sizeof(path), "%s/events.db", argv[1]);
    const struct event_table_options options = {.path = str_of(path)};
    if (!event_table_open(&env, &options, &r.table, &e)) {
        fprintf(stderr, "%s\n", e.message);
        return 1;
    }
    for (int i = 0; i < rounds; i++) {
        struct clockwork from = now();
        r.salt = (uint64_t)from.cpu_s * 1000000 + (uint64_t)i + (uint64_t)time(NULL) * 1000;
        append_all(&r);
        tell("appended", r.events, from);
    }
    struct clockwork from = now();
    tell("read", read_all(r.table), from);
    event_table_close(r.table);
    metrics_free(env.metrics);
    return r.failed > 0;
}
