/* What a delivery says about itself: metrics, status, the log. */
#include "base/metrics.h"
#include "export/delivery_int.h"

#include <stdio.h>
#include <string.h>

void delivery_open_metrics(struct delivery *d)
{
    for (size_t i = 0; i < OUTPUT_METRICS; i++) {
        d->metrics[i] = metrics_get1(d->env->metrics, &output_metric_descs[i], d->place.name);
    }
    metric_set(d->metrics[OUTPUT_HEALTHY], 1);
}

void delivery_drop_metrics(struct delivery *d)
{
    for (size_t i = 0; i < OUTPUT_METRICS; i++) {
        metric_drop(d->metrics[i]);
    }
}

static void print_err(const struct err *e, char *ret, size_t size)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);

    err_print_line(e, &line);
    (void)snprintf(ret, size, "%s", buf_text(&line));
}

void delivery_note_state(struct delivery *d, const char *state, const struct err *e)
{
    lock_take(&d->lock);
    d->status.state = state;
    if (e != NULL) {
        print_err(e, d->status.last_error, sizeof(d->status.last_error));
        d->status.last_error_ns = clock_wall_ns(d->env->clock);
    }
    lock_give(&d->lock);
}

void delivery_note_trouble(struct delivery *d, const struct err *e)
{
    delivery_note_state(d, "retrying", e);
}

void delivery_note_rest(struct delivery *d)
{
    lock_take(&d->lock);
    const char *state = d->status.state;
    if (d->breaker.state == BREAKER_CLOSED &&
        (strcmp(state, "retrying") == 0 || strcmp(state, "halted") == 0)) {
        d->status.state = "idle";
    }
    lock_give(&d->lock);
}

static void note_delivered(struct delivery *d, uint32_t rows)
{
    metric_add(d->metrics[OUTPUT_DELIVERED], rows);
    d->status.delivered_rows += rows;
    d->status.last_success_ns = clock_wall_ns(d->env->clock);
    d->status.state = "ok";
}

/* The first row that the destination will never take; NULL: none that was excepted. */
static const struct exception *first_rejected(const struct outcome *out)
{
    for (size_t i = 0; i < out->except.list.len; i++) {
        if (out->except.list.items[i].verdict == VERDICT_REJECTED) {
            return &out->except.list.items[i];
        }
    }
    return NULL;
}

void delivery_note_call(struct delivery *d, const struct outcome *out, uint32_t taken,
                        int64_t took_ns)
{
    const struct exception *rejected = first_rejected(out);
    struct export_result result = {.success = out->rest == VERDICT_DELIVERED && rejected == NULL &&
                                              out->dropped == 0,
                                   .exported_count = taken,
                                   .response_time_ms = (double)took_ns / (double)NS_PER_MS,
                                   .at_ns = clock_wall_ns(d->env->clock)};

    metric_add(d->metrics[OUTPUT_SENT_BYTES], out->bytes);
    if (!result.success || out->err.message[0] != '\0') {
        print_err(&out->err, result.error, sizeof(result.error));
    }
    if (rejected != NULL && out->err.message[0] == '\0') {
        (void)snprintf(result.error, sizeof(result.error), "%s", rejected->reason);
    }
    lock_take(&d->lock);
    if (taken > 0) {
        note_delivered(d, taken);
    }
    if (!out->held_back) {
        d->status.last_result = result;
        d->status.calls++;
        d->status.failed_calls += !result.success || result.error[0] != '\0';
        d->status.call_ns += took_ns;
        d->status.sent_bytes += out->bytes;
    }
    lock_give(&d->lock);
}

void delivery_trace_call(struct delivery *d, const struct outcome *out, uint32_t asked,
                         int64_t took_ns)
{
    trace_debug(
        &d->trace, "a call ended", T_STR("exporter", d->place.name), T_U64("records", asked),
        T_U64("settled", out->settled), T_TEXT("rest", verdict_name(out->rest)),
        T_I64("status", out->status), T_U64("requests", out->requests), T_U64("bytes", out->bytes),
        T_F64("took_ms", (double)took_ns / (double)NS_PER_MS), T_TEXT("error", out->err.message));
}

void delivery_note_rejected(struct delivery *d, uint32_t rows)
{
    metric_add(d->metrics[OUTPUT_REJECTED], rows);
    lock_take(&d->lock);
    d->status.rejected_rows += rows;
    lock_give(&d->lock);
}

void delivery_note_retry(struct delivery *d, const struct outcome *out, int64_t delay_ms)
{
    bool halted = out->rest == VERDICT_HALT;

    metric_add(d->metrics[OUTPUT_RETRIED], 1);
    metric_add(d->metrics[OUTPUT_UNKNOWN], out->rest == VERDICT_UNKNOWN);
    lock_take(&d->lock);
    d->status.retries++;
    lock_give(&d->lock);
    delivery_note_state(d, halted ? "halted" : "retrying", &out->err);
    trace_warn(&d->trace,
               halted ? "the destination refuses us; waiting for it to be mended"
                      : "not delivered, trying again",
               T_STR("exporter", d->place.name), T_I64("delay_ms", delay_ms), T_ERR(&out->err));
}

static const char open_words[] = "the circuit breaker is open: ";

/* What the last failure said, without <open_words>, if they are there. */
static void drop_open_words(char *text)
{
    size_t len = sizeof(open_words) - 1;

    if (strncmp(text, open_words, len) == 0) {
        memmove(text, text + len, strlen(text + len) + 1);
    }
}

/* An output is healthy while its breaker is not open and not too many calls and questions failed in a row.
 * <e>: the last failure; NULL: as it was. */
static void judge_health(struct delivery *d, const struct err *e) REQUIRES(&d->lock)
{
    int64_t threshold = d->config->health.unhealthy_threshold;
    bool is_open = d->breaker.state == BREAKER_OPEN;
    bool is_healthy = !is_open && (threshold <= 0 || d->failures < threshold);
    char *text = d->status.health_error;

    metric_set(d->metrics[OUTPUT_HEALTHY], is_healthy);
    d->status.is_healthy = is_healthy;
    if (!is_healthy && e != NULL) {
        d->status.unhealthy_ns = clock_wall_ns(d->env->clock);
    }
    if (is_healthy) {
        text[0] = '\0';
    } else if (e != NULL && e->message[0] != '\0') {
        const char *before = is_open ? open_words : "";
        size_t len = strlen(before);
        memcpy(text, before, len);
        print_err(e, text + len, sizeof(d->status.health_error) - len);
    } else if (!is_open) {
        drop_open_words(text);
    }
}

void delivery_note_breaker(struct delivery *d)
{
    enum breaker_state state = d->breaker.state;
    const char *name = breaker_state_name(state);

    if (d->config->breaker.failure_threshold <= 0) {
        return;
    }
    lock_take(&d->lock);
    const char *before = d->status.breaker;
    bool is_change = before != NULL && before != name;
    d->status.breaker = name;
    if (is_change && state == BREAKER_HALF_OPEN && strcmp(d->status.state, "open") == 0) {
        d->status.state = "retrying";
    }
    if (is_change) {
        judge_health(d, NULL);
    }
    lock_give(&d->lock);
    if (is_change) {
        trace_warn(&d->trace, "circuit breaker", T_STR("exporter", d->place.name),
                   T_TEXT("from", before), T_TEXT("to", name));
    }
    metric_set(d->metrics[OUTPUT_BREAKER], (double)state);
}

void delivery_note_health(struct delivery *d, bool ok, const struct err *e)
{
    d->failures = ok ? 0 : d->failures + 1;
    lock_take(&d->lock);
    judge_health(d, e);
    lock_give(&d->lock);
}

void delivery_follow_status(struct delivery *d, struct delivery *before)
{
    lock_take(&before->lock);
    struct output_status status = before->status;
    lock_give(&before->lock);
    lock_take(&d->lock);
    d->status = status;
    lock_give(&d->lock);
    metric_set(d->metrics[OUTPUT_HEALTHY], status.is_healthy);
    delivery_note_breaker(d);
}

/* ---- for the plan ---- */

/* The worse of two states: a lane in trouble speaks for the output. */
static const char *worse_state(const char *a, const char *b)
{
    static const char *const order[] = {"idle", "ok", "retrying", "open", "halted"};
    size_t rank_a = 0;
    size_t rank_b = 0;

    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        rank_a = a != NULL && strcmp(a, order[i]) == 0 ? i : rank_a;
        rank_b = strcmp(b, order[i]) == 0 ? i : rank_b;
    }
    return order[rank_a > rank_b ? rank_a : rank_b];
}

static const char *worse_breaker(const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    return strcmp(a, breaker_state_name(BREAKER_CLOSED)) == 0 ? b : a;
}

/* What a lane in trouble has found holds whatever another delivers; that of one which owes nothing any more, until
 * another delivers. */
static int64_t unhealthy_until(const struct output_status *s)
{
    bool owes_nothing = strcmp(s->state, "idle") == 0 || strcmp(s->state, "ok") == 0;
    bool is_closed =
        s->breaker == NULL || strcmp(s->breaker, breaker_state_name(BREAKER_CLOSED)) == 0;

    return owes_nothing && is_closed ? s->unhealthy_ns : INT64_MAX;
}

/* <to> has the last success of both, and counts as unhealthy until unhealthy_ns. */
static void add_health(const struct output_status *from, struct output_status *to)
{
    int64_t until_ns = from->is_healthy ? 0 : unhealthy_until(from);

    if (!from->is_healthy && (to->is_healthy || until_ns > to->unhealthy_ns)) {
        to->is_healthy = false;
        to->unhealthy_ns = until_ns;
        memcpy(to->health_error, from->health_error, sizeof(to->health_error));
    }
    if (!to->is_healthy && to->last_success_ns > to->unhealthy_ns) {
        to->is_healthy = true;
        to->health_error[0] = '\0';
    }
    if (from->last_result.at_ns > to->last_result.at_ns) {
        to->last_result = from->last_result;
    }
}

void delivery_status(struct delivery *d, struct output_status *status)
{
    lock_take(&d->lock);
    const struct output_status *own = &d->status;
    status->state = worse_state(status->state, own->state);
    status->breaker = worse_breaker(status->breaker, own->breaker);
    status->delivered_rows += own->delivered_rows;
    status->rejected_rows += own->rejected_rows;
    status->retries += own->retries;
    status->calls += own->calls;
    status->failed_calls += own->failed_calls;
    status->call_ns += own->call_ns;
    status->sent_bytes += own->sent_bytes;
    status->halted_event = own->halted_event != 0 ? own->halted_event : status->halted_event;
    if (own->last_success_ns > status->last_success_ns) {
        status->last_success_ns = own->last_success_ns;
    }
    if (own->last_error[0] != '\0' && own->last_error_ns >= status->last_error_ns) {
        memcpy(status->last_error, own->last_error, sizeof(status->last_error));
        status->last_error_ns = own->last_error_ns;
    }
    add_health(own, status);
    lock_give(&d->lock);
}
