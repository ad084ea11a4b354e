/*
 * No more than so many records and bytes per second.
 *
 * Invariants
 *   1. Records are paid for before they are handed on; bytes are known only after, so they may leave a
 *      debt, and nothing goes out before it is worked off.
 *   2. What the limit holds back is RETRY with held_back: it says nothing about the destination.
 */
#include "export/exporters/exporters.h"

#include "base/clock.h"
#include "base/env.h"
#include "base/mem.h"
#include "export/combinator.h"
#include "export/stages/around.h"

struct rate_limit_config {
    struct combinator_common common;
    int64_t records_per_second; /* 0: any number */
    int64_t bytes_per_second;
    int64_t burst; /* records at once; 0: those of a second */
};

/* Grows by <rate> a second up to <max>. */
struct bucket {
    double rate;
    double max;
    double level;
};

struct rate_limit_sink {
    struct around around;
    const struct clock *clock;
    struct bucket records;
    struct bucket bytes;
    int64_t filled_ns; /* monotonic */
};

enum { PIECES_PER_SECOND = 10 };

static const struct option options[] = {
    COMBINATOR_COMMON_ROW,
    COMBINATOR_CHILD_ROW,
    {.name = "records_per_second",
     .type = OPTION_INT,
     .offset = offsetof(struct rate_limit_config, records_per_second),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "Records per second; 0: any number."},
    {.name = "bytes_per_second",
     .type = OPTION_BYTES,
     .offset = offsetof(struct rate_limit_config, bytes_per_second),
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .help = "Bytes sent per second, as they are on the wire; 0: any number."},
    {.name = "burst",
     .type = OPTION_INT,
     .offset = offsetof(struct rate_limit_config, burst),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "Records that may go at once after a pause; 0: those of one second."},
};

static const struct option_table option_table = {
    .name = "exporter rate_limit",
    .help = "Sends no more than so much per second; the rest waits on disk.",
    .options = options,
    .count = ARRAY_LEN(options),
    .config_size = sizeof(struct rate_limit_config),
};

static bool check(const void *config, const struct yaml_node *node, struct err *e)
{
    const struct rate_limit_config *c = config;

    return c->records_per_second > 0 || c->bytes_per_second > 0 ||
           yaml_err(node, e, ERR_CONFIG,
                    "a rate_limit without a limit; expected records_per_second or "
                    "bytes_per_second");
}

/* ---- buckets ---- */

static void fill(struct rate_limit_sink *s)
{
    int64_t now_ns = clock_mono_ns(s->clock);
    double seconds = (double)(now_ns - s->filled_ns) / (double)NS_PER_S;
    struct bucket *const both[] = {&s->records, &s->bytes};

    s->filled_ns = now_ns;
    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        double level = both[i]->level + both[i]->rate * seconds;
        both[i]->level = level < both[i]->max ? level : both[i]->max;
    }
}

/* Time until the bucket holds <amount>, in ms; 0 when it does, or has no limit. */
static int64_t wait_ms(const struct bucket *b, double amount)
{
    if (b->rate == 0 || b->level >= amount) {
        return 0;
    }
    return (int64_t)((amount - b->level) * 1000 / b->rate) + 1;
}

/* As many records as are worth a call: some of a second's, however few are wanted. */
static double piece(const struct rate_limit_sink *s, uint32_t wanted)
{
    double least = s->records.rate / PIECES_PER_SECOND;

    least = least < 1 ? 1 : least;
    least = least < s->records.max ? least : s->records.max;
    return least < (double)wanted ? least : (double)wanted;
}

/* How long <wanted> more records have to wait, in ms. */
static int64_t delay_ms(const struct rate_limit_sink *s, uint32_t wanted)
{
    int64_t records = wait_ms(&s->records, piece(s, wanted));
    int64_t bytes = wait_ms(&s->bytes, 1);

    return records > bytes ? records : bytes;
}

/* ---- delivering ---- */

static void hold_back(struct rate_limit_sink *s, uint32_t wanted, struct outcome *ret)
{
    ret->rest = VERDICT_RETRY;
    ret->held_back = true;
    ret->retry_after_ms = delay_ms(s, wanted);
    ret->retry_after_ms = ret->retry_after_ms > 0 ? ret->retry_after_ms : 1;
    (void)err_set(&ret->err, ERR_LIMIT, "over the exporter's own rate_limit");
}

static uint32_t affordable(const struct rate_limit_sink *s, uint32_t wanted)
{
    bool all = s->records.rate == 0 || s->records.level >= (double)wanted;

    return all ? wanted : (uint32_t)s->records.level;
}

/* A part went: what did not fit waits, unless the part itself has something to wait for. */
static void word_part(struct rate_limit_sink *s, uint32_t part, uint32_t n, struct outcome *ret)
{
    if (ret->rest == VERDICT_REJECTED && ret->settled < part) {
        for (uint32_t i = part; i < n; i++) {
            outcome_except(ret, i, VERDICT_RETRY, "over the exporter's own rate_limit");
        }
        return;
    }
    bool is_done =
        ret->rest == VERDICT_DELIVERED || ret->rest == VERDICT_HELD || ret->settled >= part;
    if (is_done) {
        ret->settled = part;
        hold_back(s, n - part, ret);
    }
}

static void deliver(struct sink *sink, struct view view, struct wait wait, struct outcome *ret)
{
    struct rate_limit_sink *s = (struct rate_limit_sink *)sink;

    fill(s);
    if (delay_ms(s, view.n) > 0) {
        hold_back(s, view.n, ret);
        return;
    }
    uint32_t part = affordable(s, view.n);
    s->records.level -= s->records.rate > 0 ? (double)part : 0;
    s->around.inner->ops->deliver(s->around.inner, view_slice(view, 0, part), wait, ret);
    s->bytes.level -= s->bytes.rate > 0 ? (double)ret->bytes : 0;
    if (part < view.n) {
        word_part(s, part, view.n, ret);
    }
}

static void close_sink(struct sink *sink)
{
    struct rate_limit_sink *s = (struct rate_limit_sink *)sink;

    sink_close(s->around.inner);
    mem_free(s);
}

static const struct sink_ops ops = {.deliver = deliver,
                                    .probe = around_probe,
                                    .flush = around_flush,
                                    .tend = around_tend,
                                    .close = close_sink};

/* Sinks side by side have equal shares of what the exporter may send; each may send one record. */
static struct bucket new_bucket(int64_t per_second, int64_t burst, unsigned shares)
{
    double share = shares > 1 ? (double)shares : 1;
    double max = (double)(burst > 0 ? burst : per_second) / share;

    max = max > 1 ? max : 1;
    return (struct bucket){.rate = (double)per_second / share, .max = max, .level = max};
}

static bool open_stage(const struct exporter_place *place, const struct stage_config *config,
                       struct sink **children, struct sink **ret_sink, struct err *e)
{
    const struct rate_limit_config *c = config->config;
    struct rate_limit_sink *s = mem_new(struct rate_limit_sink);

    (void)e;
    s->around = (struct around){{&ops}, children[0]};
    s->clock = place->env->clock;
    s->filled_ns = clock_mono_ns(s->clock);
    s->records = new_bucket(c->records_per_second, c->burst, place->shares);
    s->bytes = new_bucket(c->bytes_per_second, 0, place->shares);
    *ret_sink = &s->around.sink;
    return true;
}

#define EACH_THE_WHOLE \
    "each of its exporters would have the whole limit; put a rate_limit around each"

static const struct stage_kind stage = {.open = open_stage};

const struct exporter_kind exporter_rate_limit = {
    .name = "rate_limit",
    .help = "Sends no more than so many records or bytes per second; the rest waits on disk.",
    .example = "type: rate_limit\nrecords_per_second: 1000\n"
               "exporter: { type: file, output_directory: out }\n",
    .not_above_conditional = EACH_THE_WHOLE,
    .not_above_parallel = EACH_THE_WHOLE,
    .options = &option_table,
    .check = check,
    .stage = &stage,
};
