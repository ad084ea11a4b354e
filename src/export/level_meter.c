#include "export/level_meter.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "export/call_meter.h"
#include "export/exporter_options.h"
#include "export/output_metrics.h"
#include "export/plan.h"

#include <stdio.h>

struct level_meter {
    const struct env *env;
    const struct exporter_health *health;
    struct call_meters *own; /* where the place has none */
    struct call_meter *calls;
    struct metric *metrics[OUTPUT_METRICS]; /* those that mean something here */
    struct metric *refused;
    struct metric *never_told;
    struct metric *end_not_told;
    struct lock lock;
    int64_t failures GUARDED_BY(lock); /* in a row */
    struct output_status status GUARDED_BY(lock);
};

static const struct metric_desc refused_desc = {
    .name = "telex_exporter_refused_total",
    .help = "Alerts that a destination of levels refused; they are told again when they are due.",
    .type = METRIC_COUNTER,
    .labels = {"exporter"},
};

static const struct metric_desc forgotten_desc = {
    .name = "telex_exporter_forgotten_total",
    .help =
        "Alerts that ended, and that a destination of levels could not be told of for so long that "
        "they were forgotten: it heard nothing of them, or only that they fire.",
    .type = METRIC_COUNTER,
    .labels = {"exporter", "reason"},
};

static const enum output_metric shown[] = {OUTPUT_DELIVERED, OUTPUT_RETRIED, OUTPUT_UNKNOWN,
                                           OUTPUT_SENT_BYTES, OUTPUT_HEALTHY};

static void note_state(struct level_meter *m, enum level_state state) REQUIRES(&m->lock)
{
    static const char *const names[LEVEL_STATES] = {"idle", "ok", "retrying", "halted"};

    m->status.state = names[state];
    m->status.trouble = (uint8_t)state;
}

struct level_meter *level_meter_new(const struct exporter_place *place,
                                    const struct exporter_health *health)
{
    static const struct monitor_tracks all = {true, true, true, true};
    struct metrics *metrics = place->env->metrics;
    struct level_meter *m = mem_new(struct level_meter);

    m->env = place->env;
    m->health = health;
    lock_init(&m->lock);
    lock_take(&m->lock);
    note_state(m, LEVEL_IDLE);
    m->status.is_healthy = true;
    lock_give(&m->lock);
    m->own = place->meters == NULL ? call_meters_new(place->env) : NULL;
    m->calls = call_meter_get(m->own != NULL ? m->own : place->meters, place->name, &all);
    for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
        m->metrics[shown[i]] = metrics_get1(metrics, &output_metric_descs[shown[i]], place->name);
    }
    m->refused = metrics_get1(metrics, &refused_desc, place->name);
    m->never_told = metrics_get2(metrics, &forgotten_desc, place->name, STR("never_told"));
    m->end_not_told = metrics_get2(metrics, &forgotten_desc, place->name, STR("end_not_told"));
    metric_set(m->metrics[OUTPUT_HEALTHY], 1);
    return m;
}

static void print_err(const struct err *e, char *ret, size_t size)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);

    err_print_line(e, &line);
    (void)snprintf(ret, size, "%s", buf_text(&line));
}

static void note_health(struct level_meter *m, bool ok, const struct err *e) REQUIRES(&m->lock)
{
    int64_t threshold = m->health->unhealthy_threshold;

    m->failures = ok ? 0 : m->failures + 1;
    m->status.is_healthy = threshold <= 0 || m->failures < threshold;
    m->status.health_error[0] = '\0';
    if (!m->status.is_healthy) {
        print_err(e, m->status.health_error, sizeof(m->status.health_error));
    }
    metric_set(m->metrics[OUTPUT_HEALTHY], m->status.is_healthy);
}

static void note_taken(struct level_meter *m, size_t alerts) REQUIRES(&m->lock)
{
    metric_add(m->metrics[OUTPUT_DELIVERED], alerts);
    m->status.delivered_rows += alerts;
    m->status.last_success_ns = clock_wall_ns(m->env->clock);
    note_state(m, LEVEL_OK);
}

/* Refused for good: the destination is there. */
static void note_refused(struct level_meter *m, size_t alerts) REQUIRES(&m->lock)
{
    metric_add(m->refused, alerts);
    m->status.rejected_rows += alerts;
    note_state(m, LEVEL_OK);
}

static void note_owed(struct level_meter *m, const struct outcome *out) REQUIRES(&m->lock)
{
    metric_add(m->metrics[OUTPUT_RETRIED], 1);
    metric_add(m->metrics[OUTPUT_UNKNOWN], out->rest == VERDICT_UNKNOWN);
    m->status.retries++;
    note_state(m, out->rest == VERDICT_HALT ? LEVEL_HALTED : LEVEL_RETRYING);
}

void level_meter_note(struct level_meter *m, const struct outcome *out, size_t alerts,
                      int64_t took_ns)
{
    bool ok = out->rest == VERDICT_DELIVERED;
    struct export_result result = {.success = ok,
                                   .exported_count = ok ? alerts : 0,
                                   .response_time_ms = (double)took_ns / (double)NS_PER_MS,
                                   .at_ns = clock_wall_ns(m->env->clock)};

    call_meter_note(m->calls, out, took_ns, ok);
    metric_add(m->metrics[OUTPUT_SENT_BYTES], out->bytes);
    lock_take(&m->lock);
    if (ok) {
        note_taken(m, alerts);
    } else {
        print_err(&out->err, result.error, sizeof(result.error));
        memcpy(m->status.last_error, result.error, sizeof(result.error));
        (out->rest == VERDICT_REJECTED) ? note_refused(m, alerts) : note_owed(m, out);
    }
    note_health(m, ok || out->rest == VERDICT_REJECTED, &out->err);
    m->status.last_result = result;
    m->status.calls++;
    m->status.failed_calls += !ok;
    m->status.call_ns += took_ns;
    m->status.sent_bytes += out->bytes;
    lock_give(&m->lock);
}

void level_meter_forgot(struct level_meter *m, const struct level_forgotten *f)
{
    metric_add(m->never_told, f->never_told);
    metric_add(m->end_not_told, f->end_not_told);
}

void level_meter_probed(struct level_meter *m, bool is_there, const struct err *e)
{
    call_meter_show(m->calls);
    lock_take(&m->lock);
    note_health(m, is_there, e);
    lock_give(&m->lock);
}

void level_meter_status(struct level_meter *m, struct output_status *ret)
{
    lock_take(&m->lock);
    const struct output_status *own = &m->status;
    ret->state = own->state;
    ret->trouble = own->trouble;
    ret->is_healthy = own->is_healthy;
    ret->last_result = own->last_result;
    ret->delivered_rows = own->delivered_rows;
    ret->rejected_rows = own->rejected_rows;
    ret->retries = own->retries;
    ret->calls = own->calls;
    ret->failed_calls = own->failed_calls;
    ret->call_ns = own->call_ns;
    ret->sent_bytes = own->sent_bytes;
    ret->last_success_ns = own->last_success_ns;
    memcpy(ret->health_error, own->health_error, sizeof(ret->health_error));
    memcpy(ret->last_error, own->last_error, sizeof(ret->last_error));
    lock_give(&m->lock);
}

void level_meter_free(struct level_meter *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < OUTPUT_METRICS; i++) {
        metric_drop(m->metrics[i]);
    }
    metric_drop(m->refused);
    metric_drop(m->never_told);
    metric_drop(m->end_not_told);
    call_meter_put(m->calls);
    call_meters_free(m->own);
    lock_release(&m->lock);
    mem_free(m);
}
