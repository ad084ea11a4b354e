/*
 * Invariants
 *   1. All that note calls under one name, of one registry, share a window: gauges say what it says.
 *   2. A meter lives as long as somebody has it.
 */
#include "export/call_meter.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/thread.h"
#include "base/vec.h"
#include "export/stages/window.h"

#include <string.h>

static const double size_buckets[] = {1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6};

static const struct metric_desc seconds_desc = {
    .name = "telex_exporter_call_seconds",
    .help = "How long measured calls to the destination took.",
    .type = METRIC_HISTOGRAM,
    .labels = {"exporter"},
    .buckets = metric_seconds_buckets,
    .bucket_count = METRIC_SECONDS_BUCKETS,
};

static const struct metric_desc latency_desc = {
    .name = "telex_exporter_call_latency_ms",
    .help = "Quantiles of what measured calls took, over the last 5 minutes and 256 calls.",
    .type = METRIC_GAUGE,
    .labels = {"exporter", "quantile"},
};

static const struct metric_desc bytes_desc = {
    .name = "telex_exporter_call_bytes",
    .help = "Bytes that measured calls sent.",
    .type = METRIC_HISTOGRAM,
    .labels = {"exporter"},
    .buckets = size_buckets,
    .bucket_count = ARRAY_LEN(size_buckets),
};

static const struct metric_desc success_desc = {
    .name = "telex_exporter_success_rate_percent",
    .help = "Measured calls that went well, of the last 5 minutes and 256 calls.",
    .type = METRIC_GAUGE,
    .labels = {"exporter"},
};

static const struct metric_desc errors_desc = {
    .name = "telex_exporter_errors_total",
    .help = "Measured calls that did not go well, by the class of the error.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "class"},
};

enum error_class {
    CLASS_TIMEOUT,
    CLASS_TLS,
    CLASS_AUTH,
    CLASS_4XX,
    CLASS_5XX,
    CLASS_CONNECTION,
    CLASS_REJECTED,
    CLASS_OTHER,
    CLASSES
};

static const char *const class_names[CLASSES] = {
    [CLASS_TIMEOUT] = "timeout",   [CLASS_TLS] = "tls",    [CLASS_AUTH] = "auth",
    [CLASS_4XX] = "4xx",           [CLASS_5XX] = "5xx",    [CLASS_CONNECTION] = "connection",
    [CLASS_REJECTED] = "rejected", [CLASS_OTHER] = "other"};

enum quantile { P50, P95, P99, QUANTILES };

static const char *const quantile_names[QUANTILES] = {"0.5", "0.95", "0.99"};

struct call_meter {
    struct call_meters *all;
    struct str name; /* owned */
    struct monitor_tracks tracks;
    unsigned users; /* under the registry's lock */
    struct lock lock;
    struct window window GUARDED_BY(lock);
    /* those that are not tracked are NULL */
    struct metric *seconds;
    struct metric *latency[QUANTILES];
    struct metric *bytes;
    struct metric *success;
    struct metric *errors[CLASSES];
};

struct call_meters {
    const struct env *env;
    struct lock lock;
    VEC(struct call_meter *) list GUARDED_BY(lock);
};

/* ---- measuring ---- */

static bool says(const struct outcome *out, const char *word)
{
    struct str message = str_of(out->err.message);

    return str_find(message, str_of(word)) < message.len;
}

static bool is_tls(const struct outcome *out)
{
    return says(out, "TLS") || says(out, "SSL") || says(out, "certificate");
}

/* The first row that applies names the class. */
static enum error_class class_of(const struct outcome *out)
{
    const struct {
        bool applies;
        enum error_class class;
    } rows[] = {
        {out->status == 401 || out->status == 403 || out->status == 407, CLASS_AUTH},
        {out->status >= 400 && out->status < 500, CLASS_4XX},
        {out->status >= 500 && out->status < 600, CLASS_5XX},
        {out->err.code == ERR_TIMEOUT, CLASS_TIMEOUT},
        {out->err.code == ERR_AUTH, CLASS_AUTH},
        {out->err.code == ERR_NET && is_tls(out), CLASS_TLS},
        {out->err.code == ERR_NET, CLASS_CONNECTION},
        {out->rest == VERDICT_REJECTED || out->except.list.len > 0, CLASS_REJECTED},
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].applies) {
            return rows[i].class;
        }
    }
    return CLASS_OTHER;
}

void call_meter_show(struct call_meter *m)
{
    lock_take(&m->lock);
    const struct window_sum sum = window_sum(&m->window, clock_mono_ns(m->all->env->clock));
    const double latencies[QUANTILES] = {sum.p50_ms, sum.p95_ms, sum.p99_ms};

    for (size_t i = 0; i < QUANTILES && m->latency[i] != NULL; i++) {
        metric_set(m->latency[i], latencies[i]);
    }
    if (m->success != NULL) {
        metric_set(m->success, sum.success_percent);
    }
    lock_give(&m->lock);
}

void call_meter_note(struct call_meter *m, const struct outcome *out, int64_t took_ns, bool ok)
{
    double seconds = (double)took_ns / (double)NS_PER_S;

    lock_take(&m->lock);
    window_add(&m->window, (struct window_call){.ended_ns = clock_mono_ns(m->all->env->clock),
                                                .latency_ms = seconds * 1000,
                                                .ok = ok});
    lock_give(&m->lock);
    if (m->seconds != NULL) {
        metric_observe(m->seconds, seconds);
    }
    if (m->bytes != NULL) {
        metric_observe(m->bytes, (double)out->bytes);
    }
    if (!ok && m->errors[0] != NULL) {
        metric_add(m->errors[class_of(out)], 1);
    }
    call_meter_show(m);
}

/* ---- life ---- */

static void open_latency(struct call_meter *m, struct metrics *metrics)
{
    m->seconds = metrics_get1(metrics, &seconds_desc, m->name);
    for (size_t i = 0; i < QUANTILES; i++) {
        m->latency[i] = metrics_get2(metrics, &latency_desc, m->name, str_of(quantile_names[i]));
    }
}

static void open_errors(struct call_meter *m, struct metrics *metrics)
{
    for (size_t i = 0; i < CLASSES; i++) {
        m->errors[i] = metrics_get2(metrics, &errors_desc, m->name, str_of(class_names[i]));
    }
}

static struct call_meter *new_meter(struct call_meters *all, struct str name,
                                    const struct monitor_tracks *tracks)
{
    struct metrics *metrics = all->env->metrics;
    struct call_meter *m = mem_new(struct call_meter);

    m->all = all;
    m->name = str_make(mem_dup_text(name.ptr, name.len), name.len);
    m->tracks = *tracks;
    lock_init(&m->lock);
    if (tracks->export_latency) {
        open_latency(m, metrics);
    }
    if (tracks->export_size) {
        m->bytes = metrics_get1(metrics, &bytes_desc, m->name);
    }
    if (tracks->success_rate) {
        m->success = metrics_get1(metrics, &success_desc, m->name);
    }
    if (tracks->error_types) {
        open_errors(m, metrics);
    }
    call_meter_show(m);
    return m;
}

static void free_meter(struct call_meter *m)
{
    metric_drop(m->seconds);
    metric_drop(m->bytes);
    metric_drop(m->success);
    for (size_t i = 0; i < QUANTILES; i++) {
        metric_drop(m->latency[i]);
    }
    for (size_t i = 0; i < CLASSES; i++) {
        metric_drop(m->errors[i]);
    }
    lock_release(&m->lock);
    mem_free(m->name.ptr);
    mem_free(m);
}

static bool is_same(const struct call_meter *m, struct str name,
                    const struct monitor_tracks *tracks)
{
    return str_eq(m->name, name) && m->tracks.export_latency == tracks->export_latency &&
           m->tracks.export_size == tracks->export_size &&
           m->tracks.success_rate == tracks->success_rate &&
           m->tracks.error_types == tracks->error_types;
}

struct call_meters *call_meters_new(const struct env *env)
{
    struct call_meters *all = mem_new(struct call_meters);

    all->env = env;
    lock_init(&all->lock);
    return all;
}

void call_meters_free(struct call_meters *all)
{
    if (all != NULL) {
        vec_release(&all->list);
        lock_release(&all->lock);
        mem_free(all);
    }
}

struct call_meter *call_meter_get(struct call_meters *all, struct str name,
                                  const struct monitor_tracks *tracks)
{
    struct call_meter *m = NULL;

    lock_take(&all->lock);
    for (size_t i = 0; m == NULL && i < all->list.len; i++) {
        m = is_same(all->list.items[i], name, tracks) ? all->list.items[i] : NULL;
    }
    if (m == NULL) {
        m = new_meter(all, name, tracks);
        vec_push(&all->list, m);
    }
    m->users++;
    lock_give(&all->lock);
    return m;
}

void call_meter_put(struct call_meter *m)
{
    if (m == NULL) {
        return;
    }
    struct call_meters *all = m->all;
    lock_take(&all->lock);
    bool is_last = --m->users == 0;
    for (size_t i = 0; is_last && i < all->list.len; i++) {
        if (all->list.items[i] == m) {
            all->list.items[i] = all->list.items[--all->list.len];
        }
    }
    lock_give(&all->lock);
    if (is_last) {
        free_meter(m);
    }
}
