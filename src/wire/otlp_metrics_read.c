/*
 * Metrics as samples: one label set for each point, since points of one series seldom come together.
 *
 * Labels of the resource stand in every point's set, so a small message could ask for much memory: what
 * the sets take together has a cap.
 */
#include "wire/otlp_attributes.h"

#include "base/number.h"
#include "base/vec.h"

#include <string.h>

struct sample_row {
    struct labels *labels;
    int64_t time_ns;
    double value;
    const struct series_meta *meta;
};

struct metrics_reader {
    struct arena arena; /* texts, while reading */
    struct arena *kept; /* what is known of series */
    int64_t now_ns;
    size_t bytes; /* of label sets, and what is known of them, so far */
    size_t bytes_max;
    VEC(struct sample_row) rows;
    struct otlp_extras *extras;
    struct labels_builder builder;
    bool is_replaced[LABELS_MAX]; /* the resource's labels for which a point has its own */
    VEC(struct label) resource;
    struct err *err;
};

/* A data point of any kind, as far as they are alike. */
struct point {
    struct str name; /* of the metric */
    const struct series_meta *meta;
    int64_t time_ns;
    uint64_t flags;
};

/* Where the parts of a point stand; they differ by kind. */
struct point_fields {
    uint32_t time;
    uint32_t attributes;
    uint32_t flags;
    uint32_t exemplars; /* 0: none */
};

static const struct point_fields number_fields = {NUMBER_TIME, NUMBER_ATTRIBUTES, NUMBER_FLAGS,
                                                  NUMBER_EXEMPLARS};
static const struct point_fields histogram_fields = {HISTOGRAM_TIME, HISTOGRAM_ATTRIBUTES,
                                                     HISTOGRAM_FLAGS, HISTOGRAM_EXEMPLARS};
static const struct point_fields summary_fields = {SUMMARY_TIME, SUMMARY_ATTRIBUTES, SUMMARY_FLAGS,
                                                   0};

static bool malformed(struct metrics_reader *r, const char *what)
{
    return err_set(r->err, ERR_PARSE, "%s is not well formed", what);
}

/* ---- label sets ---- */

/* Sets are small and names mostly differ in length, so this beats an order. */
static size_t index_of(const struct labels_builder *b, struct str name)
{
    size_t i = 0;

    while (i < b->pairs.len && !str_eq(b->pairs.items[i].name, name)) {
        i++;
    }
    return i;
}

/*
 * Names that become the same have their values joined, as OpenTelemetry has it for Prometheus; but what
 * stands before <joins_from>, the resource's when a point's are set, is replaced.
 */
static void set_label(struct metrics_reader *r, struct str name, struct str value,
                      size_t joins_from)
{
    size_t at = index_of(&r->builder, name);

    if (value.len == 0) {
        return;
    }
    if (at == r->builder.pairs.len) {
        labels_builder_push(&r->builder, name, value);
        return;
    }
    struct label *there = &r->builder.pairs.items[at];
    if (at >= joins_from || r->is_replaced[at]) {
        value = arena_printf(&r->arena, "%.*s;%.*s", STR_FMT(there->value), STR_FMT(value));
    }
    r->is_replaced[at] = at < joins_from;
    there->value = value;
}

static bool fits(struct metrics_reader *r)
{
    return r->bytes <= r->bytes_max ||
           err_set(r->err, ERR_LIMIT,
                   "the labels of these metrics take more than %zu bytes; send less at once",
                   r->bytes_max);
}

static bool add_row(struct metrics_reader *r, const struct point *p, const char *suffix,
                    struct label more, double value)
{
    struct labels *l = NULL;

    labels_builder_set(&r->builder, STR("__name__"),
                       arena_printf(&r->arena, "%.*s%s", STR_FMT(p->name), suffix));
    if (more.name.len > 0) {
        labels_builder_set(&r->builder, more.name, more.value);
    }
    if (r->rows.len >= OTLP_POINTS_MAX || !labels_build(&r->builder, &l, r->err)) {
        r->extras->bad++;
        *r->err = ERR_INIT;
        return true;
    }
    r->bytes += l->len;
    struct sample_row row = {
        l, p->time_ns, (p->flags & NO_RECORDED_VALUE) != 0 ? number_stale_nan() : value, p->meta};
    vec_push(&r->rows, row);
    return fits(r);
}

static bool add_plain(struct metrics_reader *r, const struct point *p, const char *suffix,
                      double value)
{
    return add_row(r, p, suffix, (struct label){STR(""), STR("")}, value);
}

static bool add_attribute(struct metrics_reader *r, struct str bytes, size_t resource_labels)
{
    struct str name;
    struct str value;
    struct str text;

    if (!otlp_read_attribute(bytes, &name, &value)) {
        return malformed(r, "an attribute");
    }
    if (r->builder.over || !otlp_value_text(value, &r->arena, &text)) {
        r->extras->bad++;
        return true;
    }
    set_label(r, otlp_label_name(name, &r->arena), text, resource_labels);
    return true;
}

/* The resource's labels, and over them the point's; its time and flags. */
static bool begin_point(struct metrics_reader *r, struct str bytes, const struct point_fields *at,
                        struct point *p)
{
    struct pb_reader in;
    struct pb_field f;
    bool ok = true;

    labels_builder_clear(&r->builder);
    for (size_t i = 0; i < r->resource.len; i++) {
        set_label(r, r->resource.items[i].name, r->resource.items[i].value, 0);
    }
    size_t resource_labels = r->builder.pairs.len;
    memset(r->is_replaced, 0, resource_labels);
    p->time_ns = 0;
    p->flags = 0;
    pb_read_init(&in, bytes);
    while (ok && pb_next(&in, &f)) {
        if (f.number == at->attributes && f.type == PB_BYTES) {
            ok = add_attribute(r, f.bytes, resource_labels);
        } else if (f.number == at->time && f.type == PB_FIXED64) {
            p->time_ns = (int64_t)f.value;
        } else if (f.number == at->flags && f.type == PB_VARINT) {
            p->flags = f.value;
        } else if (f.number == at->exemplars && f.type == PB_BYTES) {
            r->extras->exemplars++;
        }
    }
    p->time_ns = p->time_ns > 0 ? p->time_ns : r->now_ns;
    return ok && (pb_ok(&in) || malformed(r, "a data point"));
}

/* ---- points by kind ---- */

static bool read_number(struct metrics_reader *r, struct str bytes, struct point *p)
{
    struct pb_reader in;
    struct pb_field f;
    bool has_value = false;
    double value = 0;

    if (!begin_point(r, bytes, &number_fields, p)) {
        return false;
    }
    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        if (f.type == PB_FIXED64 && (f.number == NUMBER_DOUBLE || f.number == NUMBER_INT)) {
            value = f.number == NUMBER_DOUBLE ? pb_double(&f) : (double)(int64_t)f.value;
            has_value = true;
        }
    }
    if (!has_value && (p->flags & NO_RECORDED_VALUE) == 0) {
        r->extras->bad++;
        return true;
    }
    return add_plain(r, p, "", value);
}

struct histogram {
    uint64_t count;
    bool has_sum;
    double sum;
    VEC(uint64_t) buckets;
    VEC(uint64_t) bounds; /* bits of doubles */
};

/* Packed or one by one: a reader has to take both. */
static bool take_fixed64(const struct pb_field *f, uint64_t *ret, size_t *at)
{
    if (f->type == PB_FIXED64) {
        *ret = f->value;
        return (*at)++ == 0;
    }
    if (f->type != PB_BYTES || (*at + 1) * sizeof(uint64_t) > f->bytes.len) {
        return false;
    }
    *ret = pb_load64(f->bytes.ptr + *at * sizeof(uint64_t));
    (*at)++;
    return true;
}

static void read_histogram_field(struct histogram *h, const struct pb_field *f)
{
    uint64_t value;
    size_t at = 0;

    if (f->number == HISTOGRAM_COUNT && f->type == PB_FIXED64) {
        h->count = f->value;
    } else if (f->number == HISTOGRAM_SUM && f->type == PB_FIXED64) {
        h->has_sum = true;
        h->sum = pb_double(f);
    }
    while (f->number == HISTOGRAM_BUCKETS && take_fixed64(f, &value, &at)) {
        vec_push(&h->buckets, value);
    }
    while (f->number == HISTOGRAM_BOUNDS && take_fixed64(f, &value, &at)) {
        vec_push(&h->bounds, value);
    }
}

static struct str number_text(struct metrics_reader *r, double value)
{
    char text[NUMBER_TEXT_MAX];

    return arena_dup(&r->arena, str_make(text, number_format_go(value, text)));
}

static bool add_buckets(struct metrics_reader *r, const struct point *p, const struct histogram *h)
{
    uint64_t below = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < h->bounds.len && i < h->buckets.len; i++) {
        double bound = number_from_bits(h->bounds.items[i]);
        below += h->buckets.items[i];
        ok = add_row(r, p, "_bucket", (struct label){STR("le"), number_text(r, bound)},
                     (double)below);
    }
    return ok && add_row(r, p, "_bucket", (struct label){STR("le"), STR("+Inf")}, (double)h->count);
}

static bool add_histogram(struct metrics_reader *r, const struct point *p,
                          const struct histogram *h)
{
    if (!add_buckets(r, p, h)) {
        return false;
    }
    labels_builder_del(&r->builder, STR("le"));
    return (!h->has_sum || add_plain(r, p, "_sum", h->sum)) &&
           add_plain(r, p, "_count", (double)h->count);
}

static bool read_histogram(struct metrics_reader *r, struct str bytes, struct point *p)
{
    struct histogram h = {0};
    struct pb_reader in;
    struct pb_field f;

    if (!begin_point(r, bytes, &histogram_fields, p)) {
        return false;
    }
    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        read_histogram_field(&h, &f);
    }
    bool is_sound = h.buckets.len == 0 ? h.bounds.len == 0 : h.buckets.len == h.bounds.len + 1;
    bool ok = true;
    if (is_sound) {
        ok = add_histogram(r, p, &h);
    } else {
        r->extras->bad++;
    }
    vec_release(&h.buckets);
    vec_release(&h.bounds);
    return ok;
}

static bool add_quantile(struct metrics_reader *r, const struct point *p, struct str bytes)
{
    struct pb_reader in;
    struct pb_field f;
    double at = 0;
    double value = 0;

    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        if (f.type == PB_FIXED64) {
            *(f.number == QUANTILE_AT ? &at : &value) = pb_double(&f);
        }
    }
    return pb_ok(&in)
               ? add_row(r, p, "", (struct label){STR("quantile"), number_text(r, at)}, value)
               : malformed(r, "a quantile");
}

static bool read_summary(struct metrics_reader *r, struct str bytes, struct point *p)
{
    struct pb_reader in;
    struct pb_field f;
    uint64_t count = 0;
    double sum = 0;
    bool ok = begin_point(r, bytes, &summary_fields, p);

    pb_read_init(&in, bytes);
    while (ok && pb_next(&in, &f)) {
        if (f.number == SUMMARY_QUANTILES && f.type == PB_BYTES) {
            ok = add_quantile(r, p, f.bytes);
        } else if (f.number == SUMMARY_COUNT && f.type == PB_FIXED64) {
            count = f.value;
        } else if (f.number == SUMMARY_SUM && f.type == PB_FIXED64) {
            sum = pb_double(&f);
        }
    }
    labels_builder_del(&r->builder, STR("quantile"));
    return ok && add_plain(r, p, "_sum", sum) && add_plain(r, p, "_count", (double)count);
}

static bool pass_over(struct metrics_reader *r, struct str bytes, struct point *p)
{
    (void)bytes;
    (void)p;
    r->extras->exponential++;
    return true;
}

/* ---- metrics ---- */

typedef bool point_reader(struct metrics_reader *r, struct str bytes, struct point *p);

static point_reader *reader_of(uint32_t field)
{
    static const struct {
        uint32_t field;
        point_reader *read;
    } kinds[] = {
        {METRIC_GAUGE, read_number},           {METRIC_SUM, read_number},
        {METRIC_HISTOGRAM_OF, read_histogram}, {METRIC_EXPONENTIAL, pass_over},
        {METRIC_SUMMARY, read_summary},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].field == field) {
            return kinds[i].read;
        }
    }
    return NULL;
}

/* What a metric says of itself. */
struct metric_head {
    struct str name;
    struct str help;
    struct str unit;
    struct pb_field data;
};

/*
 * What it says of its series. Increments are no totals: they are gauges, and of their histograms nothing is said.
 */
static enum series_type type_of(uint32_t kind, bool is_delta, bool is_monotonic)
{
    if (kind == METRIC_SUM) {
        return is_monotonic && !is_delta ? SERIES_COUNTER : SERIES_GAUGE;
    }
    if (kind == METRIC_HISTOGRAM_OF) {
        return is_delta ? SERIES_UNKNOWN : SERIES_HISTOGRAM;
    }
    return kind == METRIC_SUMMARY ? SERIES_SUMMARY : SERIES_GAUGE;
}

/* The type is known only behind the points. */
static struct series_meta *keep_meta(struct metrics_reader *r, const struct metric_head *head)
{
    const struct series_meta said = {SERIES_UNKNOWN, head->help, head->unit};

    r->bytes += sizeof(said) + head->help.len + head->unit.len;
    return series_meta_dup(r->kept, &said);
}

static bool read_data(struct metrics_reader *r, const struct metric_head *head)
{
    point_reader *read = reader_of(head->data.number);
    struct series_meta *meta = keep_meta(r, head);
    struct point p = {.name = otlp_metric_name(head->name, &r->arena), .meta = meta};
    struct pb_reader in;
    struct pb_field f;
    uint64_t points = 0;
    bool is_delta = false;
    bool is_monotonic = false;
    bool ok = fits(r);

    pb_read_init(&in, head->data.bytes);
    while (ok && pb_next(&in, &f)) {
        if (f.number == DATA_POINTS && f.type == PB_BYTES) {
            points++;
            ok = read(r, f.bytes, &p);
        } else if (f.number == DATA_TEMPORALITY && f.type == PB_VARINT) {
            is_delta = f.value == TEMPORALITY_DELTA && head->data.number != METRIC_SUMMARY;
        } else if (f.number == DATA_MONOTONIC && f.type == PB_VARINT) {
            is_monotonic = f.value != 0;
        }
    }
    r->extras->deltas += is_delta ? points : 0;
    meta->type = type_of(head->data.number, is_delta, is_monotonic);
    return ok && (pb_ok(&in) || malformed(r, "a metric's data"));
}

static bool read_head(struct str metric, struct metric_head *ret)
{
    struct pb_reader in;
    struct pb_field f;

    *ret = (struct metric_head){.name = STR(""), .help = STR(""), .unit = STR("")};
    pb_read_init(&in, metric);
    while (pb_next(&in, &f)) {
        if (f.type != PB_BYTES) {
            continue;
        }
        if (f.number == METRIC_NAME) {
            ret->name = f.bytes;
        } else if (f.number == METRIC_DESCRIPTION) {
            ret->help = f.bytes;
        } else if (f.number == METRIC_UNIT) {
            ret->unit = f.bytes;
        } else if (reader_of(f.number) != NULL) {
            ret->data = f;
        }
    }
    return pb_ok(&in);
}

static bool read_metric(struct metrics_reader *r, struct str bytes)
{
    struct metric_head head;

    if (!read_head(bytes, &head)) {
        return malformed(r, "a metric");
    }
    r->extras->meta += head.help.len + head.unit.len > 0;
    if (head.name.len == 0) {
        r->extras->nameless++;
        return true;
    }
    return head.data.number == 0 || read_data(r, &head);
}

/* ---- resources ---- */

static void push_resource(struct metrics_reader *r, struct str name, struct str value)
{
    struct label label = {name, value};

    vec_push(&r->resource, label);
}

/* What Prometheus makes of a service: job and instance. */
static void add_service(struct metrics_reader *r, struct str space, struct str name,
                        struct str instance)
{
    if (name.len > 0) {
        push_resource(r, STR("job"),
                      space.len > 0
                          ? arena_printf(&r->arena, "%.*s/%.*s", STR_FMT(space), STR_FMT(name))
                          : name);
    }
    if (instance.len > 0) {
        push_resource(r, STR("instance"), instance);
    }
}

static bool read_resource(struct metrics_reader *r, struct str bytes)
{
    static const char *const known[] = {"service.namespace", "service.name", "service.instance.id"};
    struct str service[ARRAY_LEN(known)] = {STR_INIT(""), STR_INIT(""), STR_INIT("")};
    struct pb_reader in;
    struct pb_field f;

    pb_read_init(&in, bytes);
    while (pb_next(&in, &f)) {
        struct str name;
        struct str value;
        struct str text;
        if (f.number != RESOURCE_ATTRIBUTES || f.type != PB_BYTES) {
            continue;
        }
        if (!otlp_read_attribute(f.bytes, &name, &value)) {
            return malformed(r, "a resource's attribute");
        }
        if (r->resource.len >= LABELS_MAX || !otlp_value_text(value, &r->arena, &text)) {
            r->extras->bad++;
            continue;
        }
        push_resource(r, otlp_label_name(name, &r->arena), text);
        for (size_t i = 0; i < ARRAY_LEN(known); i++) {
            service[i] = str_eq(name, str_of(known[i])) ? text : service[i];
        }
    }
    add_service(r, service[0], service[1], service[2]);
    return pb_ok(&in) || malformed(r, "a resource");
}

static bool read_scope(struct metrics_reader *r, struct str bytes)
{
    struct pb_reader in;
    struct pb_field f;
    bool ok = true;

    pb_read_init(&in, bytes);
    while (ok && pb_next(&in, &f)) {
        ok = f.number != IN_ITEMS || f.type != PB_BYTES || read_metric(r, f.bytes);
    }
    return ok && (pb_ok(&in) || malformed(r, "a scope"));
}

/* The resource may stand behind what is of it. */
static bool read_group(struct metrics_reader *r, struct str bytes)
{
    bool ok = true;

    r->resource.len = 0;
    for (uint32_t part = OF_RESOURCE; ok && part <= OF_SCOPES; part++) {
        struct pb_reader in;
        struct pb_field f;
        pb_read_init(&in, bytes);
        while (ok && pb_next(&in, &f)) {
            if (f.number == part && f.type == PB_BYTES) {
                ok = (part == OF_RESOURCE ? read_resource : read_scope)(r, f.bytes);
            }
        }
        ok = ok && (pb_ok(&in) || malformed(r, "what is of one resource"));
    }
    return ok;
}

/* ---- the request ---- */

static void make_samples(const struct metrics_reader *r, struct arena *a, struct samples *ret)
{
    uint32_t count = (uint32_t)r->rows.len;
    struct labels **series = arena_array(a, struct labels *, count);
    uint32_t *series_of = arena_array(a, uint32_t, count);
    int64_t *time_ns = arena_array(a, int64_t, count);
    double *value = arena_array(a, double, count);
    const struct series_meta **meta = arena_array(a, const struct series_meta *, count);

    for (uint32_t i = 0; i < count; i++) {
        series[i] = r->rows.items[i].labels;
        meta[i] = r->rows.items[i].meta;
        series_of[i] = i;
        time_ns[i] = r->rows.items[i].time_ns;
        value[i] = r->rows.items[i].value;
    }
    *ret = (struct samples){.series = series,
                            .series_count = count,
                            .count = count,
                            .series_of = series_of,
                            .time_ns = time_ns,
                            .value = value,
                            .meta = meta};
}

static void release_reader(struct metrics_reader *r)
{
    arena_release(&r->arena);
    labels_builder_release(&r->builder);
    vec_release(&r->resource);
    vec_release(&r->rows);
}

bool otlp_metrics_read(struct str message, const struct otlp_limits *limits, struct arena *a,
                       struct samples *ret_samples, struct otlp_extras *ret_extras, struct err *e)
{
    struct otlp_extras extras = {0};
    struct metrics_reader r = {.kept = a,
                               .now_ns = limits->now_ns,
                               .bytes_max = limits->bytes_max,
                               .extras = &extras,
                               .err = e};
    struct pb_reader in;
    struct pb_field f;
    bool ok = true;

    arena_init(&r.arena, ARENA_UNLIMITED);
    labels_builder_init(&r.builder);
    pb_read_init(&in, message);
    while (ok && pb_next(&in, &f)) {
        if (f.number == REQUEST_RESOURCES && f.type == PB_BYTES) {
            ok = read_group(&r, f.bytes);
            arena_reset(&r.arena);
        }
    }
    ok = ok && (pb_ok(&in) || malformed(&r, "the request"));
    if (ok) {
        make_samples(&r, a, ret_samples);
        *ret_extras = extras;
    }
    for (size_t i = 0; !ok && i < r.rows.len; i++) {
        labels_unref(r.rows.items[i].labels);
    }
    release_reader(&r);
    return ok;
}
