/*
 * log_fill FOLDER GIB [fill|open]: fills a log with frames of 1000 samples as remote write has them, for one consumer that
 * is half through and one that has done nothing; or opens it and says how long that took and what was read.
 */
#include "base/clock.h"
#include "base/env.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/number.h"
#include "base/rand.h"
#include "log/log.h"
#include "model/batch.h"
#include "wire/frame.h"
#include "wire/remote_write.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { SAMPLES = 1000 };

static int complain(const struct err *e)
{
    fprintf(stderr, "log_fill: %s: %s\n", e->context, e->message);
    return 1;
}

/* A batch whose series have the labels of a usual scrape. */
static struct batch *make_batch(void)
{
    const struct batch_info info = {.kind = RECORD_SAMPLE, .origin = STR("receive")};
    struct batch *b = batch_new(&codec_rw1, &info);
    struct arena *a = batch_arena(b);
    struct labels **series = arena_alloc(a, SAMPLES * sizeof(*series));
    uint32_t *series_of = arena_alloc(a, SAMPLES * sizeof(*series_of));
    int64_t *time_ns = arena_alloc(a, SAMPLES * sizeof(*time_ns));
    double *value = arena_alloc(a, SAMPLES * sizeof(*value));
    struct labels_builder labels;
    struct err e = ERR_INIT;

    labels_builder_init(&labels);
    for (uint32_t i = 0; i < SAMPLES; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "host-%u.example:9100", i);
        labels_builder_clear(&labels);
        labels_builder_push(&labels, STR("__name__"), STR("node_cpu_seconds_total"));
        labels_builder_push(&labels, STR("instance"), str_of(text));
        labels_builder_push(&labels, STR("job"), STR("node"));
        labels_builder_push(&labels, STR("mode"), STR("idle"));
        INVARIANT(labels_build(&labels, &series[i], &e));
        series_of[i] = i;
        time_ns[i] = INT64_C(1767225600) * NS_PER_S + i * NS_PER_MS;
        value[i] = i * 1.25;
    }
    labels_builder_release(&labels);
    batch_set_samples(b,
                      (struct samples){series, SAMPLES, SAMPLES, series_of, time_ns, value, NULL});
    return b;
}

static bool fill(struct log *l, int64_t bytes, struct err *e)
{
    AUTO(batch_autounref) struct batch *b = make_batch();
    AUTO(buf_release) struct buf head = BUF_INIT(BUF_UNLIMITED);
    struct wait w = {DEADLINE_NEVER, NULL};
    struct str payload;
    uint64_t seq = 0;
    unsigned first = 0;
    unsigned second = 0;

    if (!batch_to_frame(b, &head, &payload, e) || !log_consumer_add(l, STR("behind"), &first, e) ||
        !log_consumer_add(l, STR("halfway"), &second, e)) {
        return false;
    }
    struct iovec parts[] = {{head.ptr, head.len}, {(void *)(uintptr_t)payload.ptr, payload.len}};
    struct log_record record = {.type = 1,
                                .mask = UINT64_C(1) << first | UINT64_C(1) << second,
                                .parts = parts,
                                .part_count = 2};
    for (int64_t done = 0; done < bytes; done += (int64_t)(head.len + payload.len)) {
        if (!log_append_async(l, &record, w, &seq, e)) {
            return false;
        }
    }
    log_cursor_set(l, second, seq / 2);
    return log_wait_durable(l, seq, w, e) && log_cursor_sync(l, w, e);
}

static void tell(struct log *l, const struct log_report *r, int64_t took_ns)
{
    struct rusage usage;
    static struct log_consumer all[LOG_CONSUMERS_MAX];
    size_t count = log_consumers(l, all);

    (void)getrusage(RUSAGE_SELF, &usage);
    printf("opened in %.1f ms: %llu segments, %llu scanned, %llu frames, peak RSS %ld KiB\n",
           (double)took_ns / 1e6, (unsigned long long)r->segments,
           (unsigned long long)r->segments_scanned, (unsigned long long)r->frames, usage.ru_maxrss);
    for (size_t i = 0; i < count; i++) {
        printf("%s owes %llu frames, %lld bytes\n", all[i].name,
               (unsigned long long)log_pending(l, all[i].bit),
               (long long)log_owed_bytes(l, all[i].bit));
    }
}

int main(int argc, char **argv)
{
    struct rng rng;
    struct err e = ERR_INIT;
    struct log *l = NULL;
    struct log_report report = {0};
    int64_t gib = 0;

    if (argc != 4 || !number_parse_i64(str_of(argv[2]), &gib)) {
        fprintf(stderr, "usage: log_fill FOLDER GIB fill|open\n");
        return 2;
    }
    rng_init(&rng);
    struct metrics *metrics = metrics_new();
    struct env env = {.clock = clock_system(), .rng = &rng, .metrics = metrics};
    struct log_options options = {.name = STR("bulk"),
                                  .path = str_of(argv[1]),
                                  .sync = LOG_SYNC_INTERVAL,
                                  .memory_bytes = 8 << 20,
                                  .env = &env};
    int64_t start_ns = clock_mono_ns(env.clock);
    bool ok = log_open(&options, &l, &report, &e);
    int64_t took_ns = clock_mono_ns(env.clock) - start_ns;
    if (ok && strcmp(argv[3], "fill") == 0) {
        ok = fill(l, gib << 30, &e);
    } else if (ok) {
        tell(l, &report, took_ns);
    }
    log_close(l);
    metrics_free(metrics);
    return ok ? 0 : complain(&e);
}
