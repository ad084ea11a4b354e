#include "export/consumer.h"

#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "log/log.h"

enum { GAUGES = 4 };

struct consumer {
    struct lane_config config;
    struct progress progress;
    bool follows; /* another one, of the graph before */
    struct metric *gauges[GAUGES];
    unsigned count;
    struct lane *lanes[EXPORTER_LANES_MAX];
};

/* ---- what it owes, when somebody looks ---- */

static double read_frames(void *arg)
{
    const struct consumer *c = arg;

    return (double)log_pending(c->config.log, c->config.bit);
}

static double read_bytes(void *arg)
{
    const struct consumer *c = arg;

    return (double)log_owed_bytes(c->config.log, c->config.bit);
}

static double read_age(void *arg)
{
    const struct consumer *c = arg;
    int64_t oldest_ns = log_oldest_ns(c->config.log, c->config.bit);
    int64_t age_ns = clock_wall_ns(c->config.place.env->clock) - oldest_ns;

    return oldest_ns > 0 && age_ns > 0 ? (double)age_ns / (double)NS_PER_S : 0;
}

static double read_gathered(void *arg)
{
    const struct consumer *c = arg;
    struct output_status status = {.state = "idle"};

    for (unsigned i = 0; i < c->count; i++) {
        lane_status(c->lanes[i], &status);
    }
    return (double)status.gathered_rows;
}

static const struct {
    struct metric_desc desc;
    double (*read)(void *arg);
} gauges[GAUGES] = {
    {{.name = "telex_exporter_pending_frames",
      .help = "Batches held on disk for the destination.",
      .type = METRIC_GAUGE,
      .labels = {"exporter", "log"}},
     read_frames},
    {{.name = "telex_exporter_pending_bytes",
      .help = "Bytes held on disk for the destination.",
      .type = METRIC_GAUGE,
      .labels = {"exporter", "log"}},
     read_bytes},
    {{.name = "telex_exporter_oldest_age_seconds",
      .help = "How long the oldest record that is not delivered yet has been held.",
      .type = METRIC_GAUGE,
      .labels = {"exporter", "log"}},
     read_age},
    {{.name = "telex_exporter_buffered_records",
      .help = "Records gathered in memory, waiting for company or on their way.",
      .type = METRIC_GAUGE,
      .labels = {"exporter", "log"}},
     read_gathered},
};

static void watch(struct consumer *c)
{
    const struct str labels[] = {c->config.place.name, str_of(c->config.log_name)};

    for (size_t i = 0; i < GAUGES; i++) {
        c->gauges[i] =
            metrics_watch(c->config.place.env->metrics, &gauges[i].desc, labels, gauges[i].read, c);
    }
}

/* ---- life ---- */

bool consumer_open(const struct lane_config *config, struct consumer **ret_consumer, struct err *e)
{
    struct consumer *c = mem_new(struct consumer);
    unsigned lanes = config->buffer->lanes > 1 ? (unsigned)config->buffer->lanes : 1;
    bool ok = true;

    c->config = *config;
    c->config.place.data_folder = STR(""); /* was the leaf's to look at while it was opened */
    progress_init(&c->progress, config->log, config->bit, lanes);
    while (ok && c->count < lanes) {
        struct lane_config one = *config;
        one.progress = &c->progress;
        one.index = c->count;
        ok = lane_open(&one, &c->lanes[c->count], e);
        c->count += ok;
    }
    if (!ok) {
        consumer_close(c);
        return false;
    }
    watch(c);
    *ret_consumer = c;
    return true;
}

static void each(struct consumer *c, void (*visit)(struct lane *))
{
    for (unsigned i = 0; i < c->count; i++) {
        visit(c->lanes[i]);
    }
}

void consumer_follow(struct consumer *c, struct consumer *before, bool is_same)
{
    for (unsigned i = 0; is_same && i < c->count && i < before->count; i++) {
        lane_follow(c->lanes[i], before->lanes[i]);
    }
    progress_begin(&c->progress, &before->progress);
    c->follows = true;
    if (lane_pauses(before->lanes[0])) {
        consumer_pause(c);
    }
}

void consumer_start(struct consumer *c)
{
    if (!c->follows) {
        progress_begin(&c->progress, NULL);
    }
    each(c, lane_start);
}

void consumer_drain(struct consumer *c, int64_t until_ns)
{
    for (unsigned i = 0; i < c->count; i++) {
        lane_drain(c->lanes[i], until_ns);
    }
}

void consumer_rest(struct consumer *c)
{
    each(c, lane_rest);
}

void consumer_stop(struct consumer *c, struct wait wait)
{
    for (unsigned i = 0; i < c->count; i++) {
        lane_stop(c->lanes[i], wait);
    }
}

void consumer_pause(struct consumer *c)
{
    each(c, lane_pause);
}

void consumer_resume(struct consumer *c)
{
    each(c, lane_resume);
}

void consumer_flush(struct consumer *c)
{
    each(c, lane_flush);
}

void consumer_hurry(struct consumer *c)
{
    each(c, lane_hurry);
}

static bool over_quota(struct consumer *c, enum overflow_policy policy, int64_t *ret_owed)
{
    const struct exporter_buffer *buffer = c->config.buffer;

    if (buffer->max_disk_bytes == 0 || exporter_overflow(buffer) != policy) {
        return false;
    }
    *ret_owed = progress_owed_bytes(&c->progress, policy != OVERFLOW_BLOCK);
    return *ret_owed >= buffer->max_disk_bytes;
}

bool consumer_admits(struct consumer *c, struct err *e)
{
    int64_t owed = 0;

    return !over_quota(c, OVERFLOW_BLOCK, &owed) ||
           err_set(
               e, ERR_FULL,
               "exporter '%.*s' is owed %lld bytes already, its max_disk_bytes are %lld and its "
               "overflow is block: it takes nothing new until some of them are delivered",
               STR_FMT(c->config.place.name), (long long)owed,
               (long long)c->config.buffer->max_disk_bytes);
}

bool consumer_leaves_out(struct consumer *c)
{
    int64_t owed = 0;

    return over_quota(c, OVERFLOW_DROP_NEWEST, &owed);
}

void consumer_left_out(struct consumer *c, uint64_t rows)
{
    drops_add(c->config.drops, DROP_OVERFLOW_NEWEST, rows);
}

void consumer_appended(struct consumer *c)
{
    int64_t owed = 0;

    each(c, over_quota(c, OVERFLOW_DROP_OLDEST, &owed) ? lane_nudge : lane_appended);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

void consumer_status(struct consumer *c, struct output_status *status)
{
    const struct exporter_buffer *buffer = c->config.buffer;
    int64_t oldest_ns = log_oldest_ns(c->config.log, c->config.bit);
    int64_t owed = log_owed_bytes(c->config.log, c->config.bit);

    for (unsigned i = 0; i < c->count; i++) {
        lane_status(c->lanes[i], status);
    }
    status->pending_frames += log_pending(c->config.log, c->config.bit);
    status->pending_bytes += (uint64_t)owed;
    if (oldest_ns > 0 && (status->oldest_ns == 0 || oldest_ns < status->oldest_ns)) {
        status->oldest_ns = oldest_ns;
    }
    double usage = 100.0 * (double)status->gathered_rows /
                   (double)(buffer->buffer_size > 0 ? buffer->buffer_size : 1);
    if (buffer->max_disk_bytes > 0) {
        usage = larger(usage, 100.0 * (double)owed / (double)buffer->max_disk_bytes);
    }
    status->usage_percent = larger(status->usage_percent, usage < 100 ? usage : 100);
}

void consumer_close(struct consumer *c)
{
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < GAUGES; i++) {
        metric_drop(c->gauges[i]);
    }
    each(c, lane_close);
    progress_release(&c->progress);
    mem_free(c);
}
