#include "receive/statsd_table.h"

#include "base/mem.h"
#include "base/number.h"
#include "base/vec.h"
#include "wire/otlp_attributes.h"
#include "wire/remote_write.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS_MAX = 5 };

struct statsd_series {
    struct labels *labels;         /* the key */
    struct labels *rows[ROWS_MAX]; /* of the samples that it makes */
    size_t row_count;
    enum statsd_type type;
    int64_t used_ns;
    double value; /* counter: the total; gauge */
    double sum;   /* of a timer, and the count: totals */
    double count;
    uint64_t seen; /* values of a timer in this interval */
    VEC(double) kept;
    VEC(uint64_t) hashes; /* of a set in this interval */
    bool is_full;         /* no more of them */
    bool has_fallen;      /* a counter that something was taken off: no total that only rises */
};

static const double quantiles[] = {0.5, 0.9, 0.99};
enum { QUANTILES = 3 };

void statsd_table_init(struct statsd_table *t, size_t series_max, uint64_t seed)
{
    *t = (struct statsd_table){.series_max = series_max, .random = seed | 1};
    map_init(&t->series, seed);
    labels_builder_init(&t->builder);
    arena_init(&t->arena, ARENA_UNLIMITED);
}

/* What the interval held is let go of, not kept for the next one: a burst would hold its memory for ever. */
static void forget_values(struct statsd_table *t, struct statsd_series *s)
{
    t->values -= s->kept.len + s->hashes.len;
    vec_release(&s->kept);
    vec_release(&s->hashes);
}

static void series_free(struct statsd_series *s)
{
    for (size_t i = 0; i < s->row_count; i++) {
        labels_unref(s->rows[i]);
    }
    labels_unref(s->labels);
    vec_release(&s->kept);
    vec_release(&s->hashes);
    mem_free(s);
}

void statsd_table_release(struct statsd_table *t)
{
    uint32_t at = 0;
    void *value;

    while (map_next(&t->series, &at, NULL, &value)) {
        series_free(value);
    }
    map_release(&t->series);
    labels_builder_release(&t->builder);
    arena_release(&t->arena);
}

/* ---- series ---- */

static bool make_row(struct statsd_table *t, struct statsd_series *s, const char *suffix,
                     struct str quantile)
{
    struct err ignored = ERR_INIT;
    struct str name = labels_get(s->labels, STR("__name__"));

    labels_builder_start(&t->builder, s->labels);
    labels_builder_set(&t->builder, STR("__name__"),
                       arena_printf(&t->arena, "%.*s%s", STR_FMT(name), suffix));
    labels_builder_set(&t->builder, STR("quantile"), quantile);
    if (!labels_build(&t->builder, &s->rows[s->row_count], &ignored)) {
        return false;
    }
    s->row_count++;
    return true;
}

static bool make_rows(struct statsd_table *t, struct statsd_series *s)
{
    if (s->type != STATSD_TIMER) {
        s->rows[s->row_count++] = labels_ref(s->labels);
        return true;
    }
    return make_row(t, s, "", STR("0.5")) && make_row(t, s, "", STR("0.9")) &&
           make_row(t, s, "", STR("0.99")) && make_row(t, s, "_sum", STR("")) &&
           make_row(t, s, "_count", STR(""));
}

/* Names as Prometheus has them; of a tag that comes twice the last counts. */
static bool make_labels(struct statsd_table *t, struct statsd_line *line, struct labels **ret)
{
    struct err ignored = ERR_INIT;
    struct str name;
    struct str value;

    labels_builder_clear(&t->builder);
    labels_builder_set(&t->builder, STR("__name__"), otlp_metric_name(line->name, &t->arena));
    while (statsd_next_tag(line, &name, &value)) {
        name = otlp_label_name(name, &t->arena);
        if (!str_starts(name, STR("__")) && str_is_utf8(value)) {
            labels_builder_set(&t->builder, name, value);
        }
    }
    return labels_build(&t->builder, ret, &ignored);
}

static struct statsd_series *series_new(struct statsd_table *t, const struct statsd_line *line,
                                        struct labels *l)
{
    struct statsd_series *s = mem_new(struct statsd_series);

    s->labels = labels_ref(l);
    s->type = line->type;
    if (!make_rows(t, s)) {
        series_free(s);
        return NULL;
    }
    (void)map_put(&t->series, labels_bytes(s->labels), s);
    return s;
}

/* ---- values ---- */

static uint64_t next_random(struct statsd_table *t)
{
    t->random ^= t->random << 13;
    t->random ^= t->random >> 7;
    t->random ^= t->random << 17;
    return t->random;
}

/* May the interval hold one more? */
static bool has_room(struct statsd_table *t)
{
    return t->values < STATSD_VALUES_MAX;
}

static void add_counter(struct statsd_table *t, struct statsd_series *s, double value, double rate)
{
    (void)t;
    s->has_fallen = s->has_fallen || value < 0;
    s->value += value / rate;
}

static void add_gauge(struct statsd_table *t, struct statsd_series *s, double value, double rate)
{
    (void)t;
    (void)rate;
    s->value = value;
}

/* Of more values than are kept each has the same chance to stay. */
static void add_timer(struct statsd_table *t, struct statsd_series *s, double value, double rate)
{
    s->sum += value / rate;
    s->count += 1 / rate;
    s->seen++;
    if (s->kept.len < STATSD_KEPT && has_room(t)) {
        vec_push(&s->kept, value);
        t->values++;
        return;
    }
    uint64_t at = next_random(t) % s->seen;
    if (at < s->kept.len) {
        s->kept.items[at] = value;
    }
}

static int hash_cmp(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void make_unique(struct statsd_table *t, struct statsd_series *s)
{
    size_t before = s->hashes.len;
    size_t kept = 0;

    if (s->hashes.len > 1) {
        qsort(s->hashes.items, s->hashes.len, sizeof(*s->hashes.items), hash_cmp);
    }
    for (size_t i = 0; i < s->hashes.len; i++) {
        if (kept == 0 || s->hashes.items[kept - 1] != s->hashes.items[i]) {
            s->hashes.items[kept++] = s->hashes.items[i];
        }
    }
    s->hashes.len = kept;
    t->values -= before - kept;
}

static enum statsd_fate add_to_set(struct statsd_table *t, struct statsd_series *s,
                                   struct str value)
{
    if (!s->is_full && (s->hashes.len >= STATSD_SET_MAX || !has_room(t))) {
        make_unique(t, s); /* once for half a set: a full one is not sorted for each value again */
        s->is_full = s->hashes.len > STATSD_SET_MAX / 2 || !has_room(t);
    }
    if (s->is_full) {
        return STATSD_OVER;
    }
    vec_push(&s->hashes, str_hash(value, 0));
    t->values++;
    return STATSD_ADDED;
}

/* Would what the value is added to still be a number? An infinite total would stay so for good. */
static bool stays_finite(const struct statsd_series *s, bool is_change, double value, double rate)
{
    double total = s->type == STATSD_TIMER                  ? s->sum
                   : s->type == STATSD_COUNTER || is_change ? s->value
                                                            : 0;

    return isfinite(total + value / rate);
}

static enum statsd_fate add_value(struct statsd_table *t, struct statsd_series *s,
                                  const struct statsd_line *line, struct str text)
{
    static void (*const adders[STATSD_TYPES])(struct statsd_table *, struct statsd_series *, double,
                                              double) = {
        [STATSD_COUNTER] = add_counter, [STATSD_GAUGE] = add_gauge, [STATSD_TIMER] = add_timer};
    double value;

    if (line->type == STATSD_SET) {
        return add_to_set(t, s, text);
    }
    if (!number_parse(text, &value) || !isfinite(value)) {
        return STATSD_NO_SENSE;
    }
    bool is_change = line->type == STATSD_GAUGE && (text.ptr[0] == '+' || text.ptr[0] == '-');
    if (!stays_finite(s, is_change, value, line->rate)) {
        return STATSD_NO_SENSE;
    }
    adders[line->type](t, s, is_change ? s->value + value : value, line->rate);
    return STATSD_ADDED;
}

static enum statsd_fate add_all(struct statsd_table *t, struct statsd_series *s,
                                struct statsd_line *line, size_t *ret_added)
{
    enum statsd_fate fate = STATSD_ADDED;
    struct str text;

    while (fate == STATSD_ADDED && statsd_next_value(line, &text)) {
        fate = add_value(t, s, line, text);
        *ret_added += fate == STATSD_ADDED;
    }
    return fate;
}

static void drop_series(struct statsd_table *t, struct statsd_series *s)
{
    forget_values(t, s);
    (void)map_del(&t->series, labels_bytes(s->labels));
    series_free(s);
}

enum statsd_fate statsd_table_add(struct statsd_table *t, struct statsd_line *line, int64_t now_ns)
{
    AUTO(labels_autounref) struct labels *l = NULL;

    arena_reset(&t->arena);
    if (!make_labels(t, line, &l)) {
        return STATSD_NO_SENSE;
    }
    struct statsd_series *s = map_get(&t->series, labels_bytes(l));
    if (s == NULL && t->series.len >= t->series_max) {
        return STATSD_OVER;
    }
    bool is_new = s == NULL;
    s = is_new ? series_new(t, line, l) : s;
    if (s == NULL || s->type != line->type) {
        return STATSD_NO_SENSE;
    }
    s->used_ns = now_ns;
    size_t added = 0;
    enum statsd_fate fate = add_all(t, s, line, &added);
    if (is_new && added == 0) {
        drop_series(t, s); /* a line that says nothing makes no series of 0 */
    }
    return fate;
}

/* ---- flushing ---- */

struct rows {
    struct statsd_table *t;
    struct labels **series;
    uint32_t *series_of;
    int64_t *time_ns;
    double *value;
    const struct series_meta **meta;
    const struct series_meta *of; /* what the series that is flushed is */
    uint32_t count;
    int64_t now_ns;
};

static void add_row(struct rows *r, struct labels *l, double value)
{
    r->meta[r->count] = r->of;
    r->series[r->count] = labels_ref(l);
    r->series_of[r->count] = r->count;
    r->time_ns[r->count] = r->now_ns;
    r->value[r->count] = value;
    r->count++;
}

static int value_cmp(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void flush_timer(struct statsd_series *s, struct rows *r)
{
    size_t n = s->kept.len;

    if (n > 0) {
        qsort(s->kept.items, n, sizeof(*s->kept.items), value_cmp);
        for (size_t i = 0; i < QUANTILES; i++) {
            add_row(r, s->rows[i], s->kept.items[(size_t)(quantiles[i] * (double)(n - 1) + 0.5)]);
        }
    }
    add_row(r, s->rows[QUANTILES], s->sum);
    add_row(r, s->rows[QUANTILES + 1], s->count);
    forget_values(r->t, s);
    s->seen = 0;
}

static void flush_set(struct statsd_series *s, struct rows *r)
{
    make_unique(r->t, s);
    add_row(r, s->rows[0], (double)s->hashes.len);
    forget_values(r->t, s);
    s->is_full = false;
}

static void flush_value(struct statsd_series *s, struct rows *r)
{
    add_row(r, s->rows[0], s->value);
}

/* What each type's series are. */
static const struct series_meta metas[STATSD_TYPES] = {
    [STATSD_COUNTER] = {SERIES_COUNTER, STR_INIT(""), STR_INIT("")},
    [STATSD_GAUGE] = {SERIES_GAUGE, STR_INIT(""), STR_INIT("")},
    [STATSD_TIMER] = {SERIES_SUMMARY, STR_INIT(""), STR_INIT("")},
    [STATSD_SET] = {SERIES_GAUGE, STR_INIT(""), STR_INIT("")},
};

static void flush_series(struct statsd_table *t, struct statsd_series *s, struct rows *r,
                         int64_t expiry_ns)
{
    static void (*const flushers[STATSD_TYPES])(struct statsd_series *, struct rows *) = {
        [STATSD_COUNTER] = flush_value,
        [STATSD_GAUGE] = flush_value,
        [STATSD_TIMER] = flush_timer,
        [STATSD_SET] = flush_set,
    };

    r->of = &metas[s->has_fallen ? STATSD_GAUGE : s->type];
    if (r->now_ns - s->used_ns < expiry_ns) {
        flushers[s->type](s, r);
        return;
    }
    for (size_t i = 0; i < s->row_count; i++) {
        add_row(r, s->rows[i], number_stale_nan());
    }
    drop_series(t, s);
}

struct batch *statsd_table_flush(struct statsd_table *t, int64_t now_ns, int64_t expiry_ns)
{
    const struct batch_info info = {
        .kind = RECORD_SAMPLE, .origin = STR("receive"), .time_ns = now_ns};
    size_t max = (size_t)t->series.len * ROWS_MAX;
    uint32_t at = 0;
    void *value;

    if (max == 0) {
        return NULL;
    }
    struct batch *b = batch_new(&codec_rw1, &info);
    struct arena *a = batch_arena(b);
    struct rows r = {.t = t,
                     .series = arena_array(a, struct labels *, max),
                     .series_of = arena_array(a, uint32_t, max),
                     .time_ns = arena_array(a, int64_t, max),
                     .value = arena_array(a, double, max),
                     .meta = arena_array(a, const struct series_meta *, max),
                     .now_ns = now_ns};
    while (map_next(&t->series, &at, NULL, &value)) {
        flush_series(t, value, &r, expiry_ns);
    }
    batch_set_samples(b, (struct samples){.series = r.series,
                                          .series_count = r.count,
                                          .count = r.count,
                                          .series_of = r.series_of,
                                          .time_ns = r.time_ns,
                                          .value = r.value,
                                          .meta = r.meta});
    return b;
}
