#include "wire/datadog.h"

#include "base/clock.h"
#include "base/number.h"
#include "wire/json.h"

#include <math.h>

enum { TYPE_COUNT = 1, TYPE_RATE = 2, TYPE_GAUGE = 3 };

static const char *const refusals[DATADOG_RESULTS] = {
    [DATADOG_NOT_FINITE] = "Datadog has neither NaN nor infinities",
    [DATADOG_NAMELESS] = "the sample has no metric name",
    [DATADOG_LONG_NAME] = "the name is longer than the 200 bytes that Datadog takes",
    [DATADOG_TOO_OLD] = "Datadog takes no sample that is older than an hour",
    [DATADOG_TOO_NEW] = "Datadog takes no sample of more than ten minutes ahead",
};

const char *datadog_refusal(enum datadog_result result)
{
    return refusals[result];
}

/* ---- names and tags ---- */

static bool is_letter(char c)
{
    return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void put_mapped(struct str s, struct str others, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool stays = is_letter(c) || is_digit(c) || str_find_byte(others, c) < others.len;
        buf_add_byte(out, stays ? c : '_');
    }
}

void datadog_put_name(const struct datadog_writer *w, struct str name, struct buf *out)
{
    bool is_complete = w->name_space.len == 0 || str_find_byte(name, '.') < name.len;
    struct str first = is_complete ? name : w->name_space;

    if (first.len > 0 && !is_letter(first.ptr[0])) {
        buf_add_text(out, "x_");
    }
    if (!is_complete) {
        put_mapped(w->name_space, STR("_."), out);
        buf_add_byte(out, '.');
    }
    put_mapped(name, STR("_."), out);
}

/* Bytes of <s> up to <max> that do not end within a character. */
static struct str cut(struct str s, size_t max)
{
    if (s.len > max) {
        while (max > 0 && ((unsigned char)s.ptr[max] & 0xC0) == 0x80) {
            max--;
        }
        s.len = max;
    }
    return s;
}

/* Characters beyond ASCII stay as they are. */
static void put_tag_part(struct str s, struct buf *out)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool stays = is_letter(c) || is_digit(c) || ((unsigned char)c & 0x80) != 0 ||
                     str_find_byte(STR("_-:./"), c) < 5;
        buf_add_byte(out, stays ? c : '_');
    }
}

void datadog_put_tag(struct str key, struct str value, struct buf *out)
{
    AUTO(buf_release) struct buf tag = BUF_INIT(BUF_UNLIMITED);

    if (key.len > 0 && !is_letter(key.ptr[0]) && ((unsigned char)key.ptr[0] & 0x80) == 0) {
        buf_add_text(&tag, "x_");
    }
    put_tag_part(key, &tag);
    if (value.len > 0) {
        buf_add_byte(&tag, ':');
        put_tag_part(value, &tag);
    }
    json_print_str(out, cut(buf_str(&tag), DATADOG_TAG_MAX));
}

/* ---- series ---- */

static const struct series_meta *meta_of(const struct samples *s, uint32_t series)
{
    return s->meta != NULL ? s->meta[series] : NULL;
}

/* Its counts are of an interval: a total that rises is a gauge there. */
static int type_of(const struct series_meta *meta)
{
    static const int types[SERIES_TYPES] = {[SERIES_COUNT] = TYPE_COUNT, [SERIES_RATE] = TYPE_RATE};
    int type = meta != NULL ? types[meta->type] : 0;

    return type != 0 ? type : TYPE_GAUGE;
}

static size_t name_bytes(const struct datadog_writer *w, struct str name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);

    datadog_put_name(w, name, &text);
    return text.len;
}

enum datadog_result datadog_judge(const struct datadog_writer *w, const struct samples *s,
                                  uint32_t row)
{
    struct str name = labels_get(s->series[s->series_of[row]], STR("__name__"));
    int64_t ahead_s = s->time_ns[row] / NS_PER_S - w->now_ns / NS_PER_S;

    if (number_is_stale_nan(s->value[row])) {
        return DATADOG_STALE;
    }
    if (!isfinite(s->value[row])) {
        return DATADOG_NOT_FINITE;
    }
    if (name.len == 0) {
        return DATADOG_NAMELESS;
    }
    if (name.len + w->name_space.len + 3 > DATADOG_NAME_MAX &&
        name_bytes(w, name) > DATADOG_NAME_MAX) {
        return DATADOG_LONG_NAME;
    }
    if (w->now_ns != 0 && ahead_s < -DATADOG_OLDEST_S) {
        return DATADOG_TOO_OLD;
    }
    return w->now_ns != 0 && ahead_s > DATADOG_NEWEST_S ? DATADOG_TOO_NEW : DATADOG_WRITTEN;
}

static void add_tag(struct str key, struct str value, bool *is_first, struct buf *out)
{
    buf_add_text(out, *is_first ? "" : ",");
    datadog_put_tag(key, value, out);
    *is_first = false;
}

static void add_tags(const struct datadog_writer *w, const struct labels *labels, struct buf *out)
{
    struct label pair;
    uint32_t at = 0;
    bool is_first = true;

    for (size_t i = 0; w->tags != NULL && i < w->tags->count; i++) {
        add_tag(w->tags->items[i], STR(""), &is_first, out);
    }
    for (size_t i = 0; i < w->default_count; i++) {
        const struct label *one = &w->defaults[i];
        if (one->value.len > 0 && labels_get(labels, one->name).len == 0) {
            add_tag(one->name, one->value, &is_first, out);
        }
    }
    while (labels_next(labels, &at, &pair)) {
        if (!str_eq(pair.name, STR("__name__")) && !str_eq(pair.name, STR("host"))) {
            add_tag(pair.name, pair.value, &is_first, out);
        }
    }
}

/*
 * Units as Datadog calls them, of those that OpenTelemetry and Prometheus write; one in braces, or 1, is no unit.
 * What is not here is said as it stands.
 */
static struct str unit_name(struct str unit)
{
    static const struct {
        const char *unit;
        const char *name;
    } names[] = {{"s", "second"},
                 {"ms", "millisecond"},
                 {"us", "microsecond"},
                 {"ns", "nanosecond"},
                 {"min", "minute"},
                 {"h", "hour"},
                 {"d", "day"},
                 {"By", "byte"},
                 {"KiBy", "kibibyte"},
                 {"MiBy", "mebibyte"},
                 {"GiBy", "gibibyte"},
                 {"bit", "bit"},
                 {"%", "percent"},
                 {"Hz", "hertz"},
                 {"Cel", "degree celsius"},
                 {"seconds", "second"},
                 {"milliseconds", "millisecond"},
                 {"bytes", "byte"},
                 {"percent", "percent"},
                 {"1", ""}};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(unit, str_of(names[i].unit))) {
            return str_of(names[i].name);
        }
    }
    return str_starts(unit, STR("{")) ? STR("") : unit;
}

void datadog_begin_series(const struct datadog_writer *w, const struct samples *s, uint32_t series,
                          struct buf *out)
{
    const struct labels *labels = s->series[series];
    const struct series_meta *meta = meta_of(s, series);
    struct str host = labels_get(labels, STR("host"));
    struct str name = labels_get(labels, STR("__name__"));
    struct str unit = unit_name(series_unit(meta, name));
    int type = type_of(meta);

    buf_add_text(out, "{\"metric\":\"");
    datadog_put_name(w, name, out);
    buf_addf(out, "\",\"type\":%d", type);
    if (type != TYPE_GAUGE) {
        buf_add_text(out, ",\"interval\":");
        buf_add_i64(out, w->interval_s);
    }
    if (unit.len > 0) {
        buf_add_text(out, ",\"unit\":");
        json_print_str(out, unit);
    }
    if (host.len > 0) {
        buf_add_text(out, ",\"resources\":[{\"type\":\"host\",\"name\":");
        json_print_str(out, host);
        buf_add_text(out, "}]");
    }
    buf_add_text(out, ",\"tags\":[");
    add_tags(w, labels, out);
    buf_add_text(out, "],\"points\":[");
}

void datadog_add_point(const struct samples *s, uint32_t row, bool is_first, struct buf *out)
{
    buf_add_text(out, is_first ? "{\"timestamp\":" : ",{\"timestamp\":");
    buf_add_i64(out, s->time_ns[row] / NS_PER_S);
    buf_add_text(out, ",\"value\":");
    buf_add_double(out, s->value[row]);
    buf_add_byte(out, '}');
}

void datadog_end_series(struct buf *out)
{
    buf_add_text(out, "]}");
}

/* ---- distributions ---- */

bool datadog_is_distribution(const struct samples *s, uint32_t series)
{
    const struct series_meta *meta = meta_of(s, series);

    return meta != NULL && meta->type == SERIES_DISTRIBUTION;
}

void datadog_begin_distribution(const struct datadog_writer *w, const struct samples *s,
                                uint32_t series, struct buf *out)
{
    const struct labels *labels = s->series[series];
    struct str host = labels_get(labels, STR("host"));

    buf_add_text(out, "{\"metric\":\"");
    datadog_put_name(w, labels_get(labels, STR("__name__")), out);
    buf_add_text(out, "\",\"type\":\"distribution\"");
    if (host.len > 0) {
        buf_add_text(out, ",\"host\":");
        json_print_str(out, host);
    }
    buf_add_text(out, ",\"tags\":[");
    add_tags(w, labels, out);
    buf_add_text(out, "],\"points\":[");
}

void datadog_add_value(const struct samples *s, uint32_t row, struct buf *out)
{
    buf_add_byte(out, '[');
    buf_add_i64(out, s->time_ns[row] / NS_PER_S);
    buf_add_text(out, ",[");
    buf_add_double(out, s->value[row]);
}

void datadog_add_next_value(const struct samples *s, uint32_t before, uint32_t row, struct buf *out)
{
    if (s->time_ns[row] / NS_PER_S == s->time_ns[before] / NS_PER_S) {
        buf_add_byte(out, ',');
        buf_add_double(out, s->value[row]);
    } else {
        buf_add_text(out, "]],");
        datadog_add_value(s, row, out);
    }
}

void datadog_end_distribution(struct buf *out)
{
    buf_add_text(out, "]]]}");
}
