#include "export/level_target_meter.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "net/url.h"

struct level_target_meter {
    struct metric *sent;
    struct metric *errors;
    struct metric *seconds;
};

static const struct metric_desc sent_desc = {
    .name = "telex_notifier_alerts_sent_total",
    .help = "Alerts that a target took, those told again counted again.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "target"},
};

static const struct metric_desc errors_desc = {
    .name = "telex_notifier_errors_total",
    .help = "Requests that a target did not take.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "target"},
};

static const struct metric_desc seconds_desc = {
    .name = "telex_notifier_request_seconds",
    .help = "Time of requests to a target.",
    .type = METRIC_HISTOGRAM,
    .labels = {"exporter", "target"},
    .buckets = metric_seconds_buckets,
    .bucket_count = METRIC_SECONDS_BUCKETS,
};

struct level_target_meter *level_target_meter_new(const struct exporter_place *place,
                                                  struct str url)
{
    AUTO(buf_release) struct buf shown = BUF_INIT(BUF_SMALL);
    struct metrics *metrics = place->env->metrics;
    struct level_target_meter *m = mem_new(struct level_target_meter);

    url_add_redacted(&shown, url);
    m->sent = metrics_get2(metrics, &sent_desc, place->name, buf_str(&shown));
    m->errors = metrics_get2(metrics, &errors_desc, place->name, buf_str(&shown));
    m->seconds = metrics_get2(metrics, &seconds_desc, place->name, buf_str(&shown));
    return m;
}

void level_target_meter_note(struct level_target_meter *m, bool taken, size_t alerts,
                             int64_t took_ns)
{
    metric_add(m->sent, taken ? alerts : 0);
    metric_add(m->errors, taken ? 0 : 1);
    metric_observe(m->seconds, (double)took_ns / (double)NS_PER_S);
}

void level_target_meter_free(struct level_target_meter *m)
{
    if (m != NULL) {
        metric_drop(m->sent);
        metric_drop(m->errors);
        metric_drop(m->seconds);
        mem_free(m);
    }
}
