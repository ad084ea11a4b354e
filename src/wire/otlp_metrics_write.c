/*
 * What stands in front of the Metrics (resource and scope) has the length of all of them, so room is kept
 * for it and it is written last, right before the first: nothing moves.
 */
#include "wire/otlp_int.h"

#include "base/number.h"

#include <string.h>

enum {
    RUN_MAX = 64,         /* points of one Metric: its bytes are moved when its length is known */
    LENGTH_MAX = 5,       /* bytes of a length */
    POINT_BYTES = 64,     /* of a point beside its attributes, at most */
    ATTRIBUTE_BYTES = 16, /* of an attribute beyond what its label takes, at most */
    POINT_SHORT = 0x80,
    POINT_LONG = 0x4000,
    TAG_POINT = DATA_POINTS << 3 | PB_BYTES,
    TAG_START = NUMBER_START << 3 | PB_FIXED64,
    TAG_TIME = NUMBER_TIME << 3 | PB_FIXED64,
    TAG_DOUBLE = NUMBER_DOUBLE << 3 | PB_FIXED64,
    TAG_ATTRIBUTE = NUMBER_ATTRIBUTES << 3 | PB_BYTES,
    TAG_FLAGS = NUMBER_FLAGS << 3 | PB_VARINT,
    TAG_KEY = KEY_NAME << 3 | PB_BYTES,
    TAG_VALUE = KEY_VALUE << 3 | PB_BYTES,
    TAG_STRING = VALUE_STRING << 3 | PB_BYTES,
    TAG_RESOURCE = REQUEST_RESOURCES << 3 | PB_BYTES,
    TAG_SCOPE = OF_SCOPES << 3 | PB_BYTES,
};

void otlp_metrics_begin(struct otlp_metrics_writer *w, const struct otlp_origin *origin,
                        struct buf *out)
{
    *w = (struct otlp_metrics_writer){
        .out = out, .head = BUF_INIT(BUF_UNLIMITED), .start = out->len};
    size_t resource = pb_begin(&w->head, OF_RESOURCE);
    for (size_t i = 0; i < origin->resource_count; i++) {
        otlp_add_attribute(&w->head, RESOURCE_ATTRIBUTES, origin->resource[i].name,
                           origin->resource[i].value);
    }
    pb_end(&w->head, resource);
    w->resource_len = w->head.len;
    size_t scope = pb_begin(&w->head, IN_SCOPE);
    otlp_add_text(&w->head, SCOPE_NAME, origin->scope_name);
    otlp_add_text(&w->head, SCOPE_VERSION, origin->scope_version);
    pb_end(&w->head, scope);
    w->gap = (size_t)2 * (1 + LENGTH_MAX) + w->head.len;
    buf_add_repeat(out, 0, w->gap);
}

void otlp_metrics_release(struct otlp_metrics_writer *w)
{
    buf_release(&w->head);
}

/* ---- a Metric ---- */

/* Where sums are of an interval, a total that rises is none. */
static bool is_sum(const struct otlp_metrics_writer *w, struct str name,
                   const struct series_meta *meta)
{
    return w->delta_ns > 0 ? meta != NULL && meta->type == SERIES_COUNT
                           : series_is_total(meta, name);
}

static void end_metric(struct otlp_metrics_writer *w)
{
    if (w->metric == 0) {
        return;
    }
    if (w->is_sum) {
        pb_add_u64(w->out, DATA_TEMPORALITY,
                   w->delta_ns > 0 ? TEMPORALITY_DELTA : TEMPORALITY_CUMULATIVE);
        pb_add_u64(w->out, DATA_MONOTONIC, 1);
    }
    pb_end(w->out, w->data);
    pb_end(w->out, w->metric);
    w->metric = 0;
}

static void add_name(const struct otlp_metrics_writer *w, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    if (w->name_space.len == 0 || str_find_byte(name, '.') < name.len) {
        otlp_add_text(w->out, METRIC_NAME, name);
        return;
    }
    buf_addf(&text, "%.*s.%.*s", STR_FMT(w->name_space), STR_FMT(name));
    otlp_add_text(w->out, METRIC_NAME, buf_str(&text));
}

static void begin_metric(struct otlp_metrics_writer *w, struct str name,
                         const struct series_meta *meta)
{
    w->name = name;
    w->meta = meta;
    w->is_sum = is_sum(w, name, meta);
    w->run = 0;
    w->metric = pb_begin(w->out, IN_ITEMS);
    add_name(w, name);
    if (meta != NULL) {
        otlp_add_text(w->out, METRIC_DESCRIPTION, meta->help);
        otlp_add_text(w->out, METRIC_UNIT, series_unit(meta, name));
    }
    w->data = pb_begin(w->out, w->is_sum ? METRIC_SUM : METRIC_GAUGE);
}

/* ---- a point ---- */

/* Is every byte below 0x80? Then so is every text; lengths may be above though none of a text is. */
static bool is_ascii(struct str s)
{
    uint64_t any = 0;
    size_t i = 0;

    for (; i + sizeof(any) <= s.len; i += sizeof(any)) {
        uint64_t word;
        memcpy(&word, s.ptr + i, sizeof(word));
        any |= word;
    }
    for (; i < s.len; i++) {
        any |= (unsigned char)s.ptr[i];
    }
    return (any & UINT64_C(0x8080808080808080)) == 0;
}

static bool is_text(const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    if (is_ascii(labels_bytes(l))) {
        return true;
    }
    while (labels_next(l, &at, &pair)) {
        if (!str_is_utf8(pair.name) || !str_is_utf8(pair.value)) {
            return false;
        }
    }
    return true;
}

static char *put_str(char *p, char tag, struct str s)
{
    *p++ = tag;
    p = varint_put(p, s.len);
    memcpy(p, s.ptr, s.len);
    return p + s.len;
}

static char *put_attribute(char *p, struct label pair)
{
    size_t value = 1 + varint_size(pair.value.len) + pair.value.len;
    size_t whole = 1 + varint_size(pair.name.len) + pair.name.len + 1 + varint_size(value) + value;

    *p++ = TAG_ATTRIBUTE;
    p = varint_put(p, whole);
    p = put_str(p, TAG_KEY, pair.name);
    *p++ = TAG_VALUE;
    p = varint_put(p, value);
    return put_str(p, TAG_STRING, pair.value);
}

static bool is_metric_name(struct str name)
{
    return str_eq(name, STR("__name__"));
}

static char *put_attributes(char *p, const struct labels *l)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        if (!is_metric_name(pair.name)) {
            p = put_attribute(p, pair);
        }
    }
    return p;
}

/* What a point says beside its attributes. */
struct point {
    int64_t start_ns; /* 0: none is said */
    int64_t time_ns;
    double value;
};

static char *put_value(char *p, const struct point *point)
{
    double value = point->value;

    if (point->start_ns > 0) {
        *p++ = TAG_START;
        p = pb_store64(p, (uint64_t)point->start_ns);
    }
    *p++ = TAG_TIME;
    p = pb_store64(p, (uint64_t)point->time_ns);
    if (!number_is_stale_nan(value)) {
        *p++ = TAG_DOUBLE;
        p = pb_store64(p, number_bits(value));
    }
    return p;
}

static char *put_flags(char *p, double value)
{
    if (number_is_stale_nan(value)) {
        *p++ = TAG_FLAGS;
        *p++ = NO_RECORDED_VALUE;
    }
    return p;
}

/* Room for two bytes of length is kept, which nearly always is what it takes. */
static void add_point(struct buf *out, const struct labels *l, const struct point *point)
{
    enum { KEPT = 2 };
    char *start = buf_reserve(out, POINT_BYTES + l->len + (size_t)l->count * ATTRIBUTE_BYTES);

    if (start == NULL) {
        return;
    }
    char *message = start + 1 + KEPT;
    char *p = put_value(message, point);
    p = put_attributes(p, l);
    p = put_flags(p, point->value);
    size_t len = (size_t)(p - message);
    *start = TAG_POINT;
    if (unlikely(len < POINT_SHORT || len >= POINT_LONG)) {
        memmove(start + 1 + varint_size(len), message, len);
    }
    (void)varint_put(start + 1, len);
    buf_added(out, 1 + varint_size(len) + len);
}

/* The same for labels that are no UTF-8. */
static void add_mended_point(struct buf *out, const struct labels *l, const struct point *said)
{
    char bytes[POINT_BYTES];
    size_t point = pb_begin(out, DATA_POINTS);
    uint32_t at = 0;
    struct label pair;

    buf_add(out, bytes, (size_t)(put_value(bytes, said) - bytes));
    while (labels_next(l, &at, &pair)) {
        if (!is_metric_name(pair.name)) {
            otlp_add_attribute(out, NUMBER_ATTRIBUTES, pair.name, pair.value);
        }
    }
    buf_add(out, bytes, (size_t)(put_flags(bytes, said->value) - bytes));
    pb_end(out, point);
}

const char *otlp_metrics_add(struct otlp_metrics_writer *w, const struct samples *s, uint32_t row)
{
    uint32_t series = s->series_of[row];
    const struct labels *l = s->series[series];
    const struct series_meta *meta = s->meta != NULL ? s->meta[series] : NULL;
    struct str name = labels_get(l, STR("__name__"));

    if (name.len == 0) {
        return "OTLP has no metric without a name";
    }
    if (s->time_ns[row] < 0) {
        return "OTLP has no time before 1970";
    }
    if (w->metric == 0 || w->run == RUN_MAX || meta != w->meta || !str_eq(name, w->name)) {
        end_metric(w);
        begin_metric(w, name, meta);
    }
    struct point point = {0, s->time_ns[row], s->value[row]};
    if (w->delta_ns > 0 && w->is_sum) {
        point.start_ns = point.time_ns - w->delta_ns;
    }
    (is_text(l) ? add_point : add_mended_point)(w->out, l, &point);
    w->run++;
    w->points++;
    return NULL;
}

struct str otlp_metrics_end(struct otlp_metrics_writer *w)
{
    size_t scope_head = w->head.len - w->resource_len;

    end_metric(w);
    if (w->points == 0 || !buf_ok(w->out)) {
        return STR("");
    }
    size_t scope = scope_head + (w->out->len - w->start - w->gap);
    size_t resource = w->resource_len + 1 + varint_size(scope) + scope;
    size_t head = 1 + varint_size(resource) + 1 + varint_size(scope) + w->head.len;
    char *start = w->out->ptr + w->start + w->gap - head;
    char *p = start;
    *p++ = TAG_RESOURCE;
    p = varint_put(p, resource);
    memcpy(p, w->head.ptr, w->resource_len);
    p += w->resource_len;
    *p++ = TAG_SCOPE;
    p = varint_put(p, scope);
    memcpy(p, w->head.ptr + w->resource_len, scope_head);
    return str_make(start, (size_t)(w->out->ptr + w->out->len - start));
}
