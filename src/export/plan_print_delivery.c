/* How consumers deliver, for a person: what they have in common once, then where each differs. */
#include "export/plan_print_delivery.h"

#include "base/number.h"
#include "base/timetext.h"
#include "export/plan.h"

#define DAY_NS (INT64_C(86400) * NS_PER_S)

/* ---- settings ---- */

/* "text 30s"; days as the options have them: 7d, not 1w. */
static void add_duration(struct buf *out, const char *text, int64_t ns)
{
    buf_add_text(out, text);
    if (ns > 0 && ns % DAY_NS == 0) {
        buf_addf(out, "%lldd", (long long)(ns / DAY_NS));
    } else {
        buf_add_duration(out, ns);
    }
}

static void add_size(struct buf *out, const char *text, int64_t bytes)
{
    buf_add_text(out, text);
    buf_add_size(out, bytes);
}

static void print_gathering(struct buf *out, const struct exporter_buffer *b)
{
    if (b->flush_interval_ns == 0) {
        buf_addf(out, "sends what waits, up to %lld records", (long long)b->buffer_size);
    } else {
        buf_addf(out, "gathers %lld records or ", (long long)b->buffer_size);
        buf_add_duration(out, b->flush_interval_ns);
    }
    if (b->adaptive_flushing) {
        add_duration(out, " (between ", b->min_flush_interval_ns);
        add_duration(out, " and ", b->max_flush_interval_ns);
        buf_add_byte(out, ')');
    }
}

static void print_buffer(const struct output_config *o, struct buf *out)
{
    const struct exporter_buffer *b = &o->buffer;

    buf_add_text(out, "buffer: ");
    print_gathering(out, b);
    add_size(out, ", ", b->max_memory_bytes);
    buf_addf(out, " in memory; fsync %s", exporter_fsyncs[b->fsync]);
    if (b->max_disk_bytes > 0) {
        add_size(out, "; past ", b->max_disk_bytes);
        buf_addf(out, " on disk: %s", exporter_overflows[exporter_overflow(b)]);
    }
    if (b->lanes > 1) {
        buf_addf(out, "; %lld lanes", (long long)b->lanes);
    }
    if ((o->caps & EXPORTER_SPANS_APART) != 0) {
        buf_add_text(out, "; spans apart");
    }
}

static void print_retry(const struct output_config *o, struct buf *out)
{
    const struct exporter_retry *r = &o->delivery.retry;

    add_duration(out, "retry: after ", r->backoff.initial_delay_ns);
    add_duration(out, ", at most ", r->backoff.max_delay_ns);
    if (r->max_retries > 0) {
        buf_addf(out, "; %lld times", (long long)r->max_retries);
    }
    add_duration(out, "; for ", r->max_age_ns);
}

static void print_breaker(const struct output_config *o, struct buf *out)
{
    const struct exporter_breaker *b = &o->delivery.breaker;

    if (b->failure_threshold > 0) {
        buf_addf(out, "breaker: opens after %lld failures", (long long)b->failure_threshold);
        add_duration(out, " for ", b->recovery_timeout_ns);
        buf_addf(out, "; %lld calls close it", (long long)b->half_open_max_calls);
    }
}

static void print_health(const struct output_config *o, struct buf *out)
{
    const struct exporter_health *h = &o->delivery.health;

    if (h->interval_ns > 0) {
        add_duration(out, "health: checked every ", h->interval_ns);
        buf_addf(out, "; unhealthy after %lld failures", (long long)h->unhealthy_threshold);
    }
}

static void print_dead(const struct output_config *o, struct buf *out)
{
    const struct exporter_dead_letters *q = &o->delivery.dead;

    buf_add_text(out, "dead letters: ");
    if (q->max_disk_bytes > 0) {
        buf_add_size(out, q->max_disk_bytes);
        buf_addf(out, ", then %s", q->overflow == DEAD_LETTERS_BLOCK ? "block" : "drop_oldest");
    } else {
        buf_add_text(out, "as many as the disk holds");
    }
    if (q->max_age_ns > 0) {
        add_duration(out, "; for ", q->max_age_ns);
    }
}

static const struct {
    void (*print)(const struct output_config *o, struct buf *out);
    const char *without; /* said of one that has none where others do */
} settings[PLAN_SETTINGS] = {
    {print_buffer, ""},
    {print_retry, ""},
    {print_breaker, "breaker: none"},
    {print_health, "health: not checked"},
    {print_dead, ""},
};

/* ---- what they have in common ---- */

static bool has_queue(const struct output_config *o)
{
    return (o->caps & EXPORTER_LEVEL) == 0;
}

/* How many consumers say <line> of a setting. */
static size_t count_of(const struct plan_config *config, size_t setting, struct str line)
{
    size_t count = 0;

    for (size_t i = 0; i < config->output_count; i++) {
        AUTO(buf_release) struct buf own = BUF_INIT(BUF_UNLIMITED);
        if (has_queue(&config->outputs[i])) {
            settings[setting].print(&config->outputs[i], &own);
            count += str_eq(buf_str(&own), line);
        }
    }
    return count;
}

/* The line that most consumers share, if at least two do and it says something. */
static void find_common(const struct plan_config *config, size_t setting, struct buf *ret_line)
{
    size_t most = 1;

    for (size_t i = 0; i < config->output_count; i++) {
        AUTO(buf_release) struct buf own = BUF_INIT(BUF_UNLIMITED);
        if (!has_queue(&config->outputs[i])) {
            continue;
        }
        settings[setting].print(&config->outputs[i], &own);
        size_t count = count_of(config, setting, buf_str(&own));
        if (count > most) {
            most = count;
            buf_clear(ret_line);
            buf_add_str(ret_line, buf_str(&own));
        }
    }
}

void plan_habits_init(struct plan_habits *h, const struct plan_config *config)
{
    for (size_t i = 0; i < PLAN_SETTINGS; i++) {
        buf_init(&h->common[i], BUF_UNLIMITED);
        find_common(config, i, &h->common[i]);
    }
}

void plan_habits_release(struct plan_habits *h)
{
    for (size_t i = 0; i < PLAN_SETTINGS; i++) {
        buf_release(&h->common[i]);
    }
}

void plan_print_common(const struct plan_habits *h, struct buf *out)
{
    bool is_first = true;

    for (size_t i = 0; i < PLAN_SETTINGS; i++) {
        if (h->common[i].len > 0) {
            buf_add_text(out, is_first ? "consumers, where they say nothing else\n" : "");
            buf_addf(out, "  %.*s\n", STR_FMT(buf_str(&h->common[i])));
            is_first = false;
        }
    }
}

static void print_limits(const struct delivery_config *d, struct buf *out)
{
    for (size_t i = 0; i < d->limit_count; i++) {
        const struct call_limit *l = &d->limits[i];
        buf_addf(out, "  calls: %lld at a time of all of %.*s", (long long)l->max_concurrent,
                 STR_FMT(l->name));
        add_duration(out, ", each at most ", l->timeout_ns);
        buf_add_byte(out, '\n');
    }
}

void plan_print_habits(const struct plan_habits *h, const struct output_config *o, struct buf *out)
{
    for (size_t i = 0; i < PLAN_SETTINGS; i++) {
        AUTO(buf_release) struct buf own = BUF_INIT(BUF_UNLIMITED);
        struct str common = buf_str(&h->common[i]);
        settings[i].print(o, &own);
        if (own.len == 0 && common.len > 0) {
            buf_add_text(&own, settings[i].without);
        }
        if (own.len > 0 && !str_eq(buf_str(&own), common)) {
            buf_addf(out, "  %.*s\n", STR_FMT(buf_str(&own)));
        }
    }
    print_limits(&o->delivery, out);
}
