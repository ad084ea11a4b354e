#include "wire/newrelic.h"

#include "base/clock.h"
#include "base/number.h"
#include "wire/json.h"
#include "wire/note_json.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

static const char *const refusals[NEWRELIC_RESULTS] = {
    [NEWRELIC_NOT_FINITE] = "New Relic has neither NaN nor infinities",
    [NEWRELIC_NAMELESS] = "it has no name",
    [NEWRELIC_LONG_NAME] = "a name is longer than the 255 bytes that New Relic takes",
    [NEWRELIC_TOO_MANY] = "it has more attributes than New Relic takes",
    [NEWRELIC_TOO_OLD] = "New Relic takes nothing that is older than 48 hours",
    [NEWRELIC_TOO_NEW] = "New Relic takes nothing of more than 24 hours ahead",
};

const char *newrelic_refusal(enum newrelic_result result)
{
    return refusals[result];
}

/* ---- attributes ---- */

struct attributes {
    struct buf *out;
    uint32_t count;
    bool is_long; /* a name is */
};

static void add_key(struct attributes *a, struct str name)
{
    buf_add_text(a->out, a->count++ > 0 ? "," : "");
    json_print_str(a->out, name);
    buf_add_byte(a->out, ':');
    a->is_long = a->is_long || name.len > NEWRELIC_NAME_MAX;
}

/* What fits of a value, without half a character at its end. */
static struct str cut(struct str s)
{
    if (s.len > NEWRELIC_VALUE_MAX) {
        s.len = NEWRELIC_VALUE_MAX;
        while (s.len > 0 && ((unsigned char)s.ptr[s.len] & 0xC0) == 0x80) {
            s.len--;
        }
    }
    return s;
}

static void add_text(struct attributes *a, struct str name, struct str value)
{
    add_key(a, name);
    json_print_str(a->out, cut(value));
}

static void add_number(struct attributes *a, struct str name, double value)
{
    if (isfinite(value)) {
        add_key(a, name);
        buf_add_double(a->out, value);
    }
}

static void add_field(struct attributes *a, const struct note_field *f)
{
    double number = 0;

    if (!note_field_number(f, &number)) {
        add_text(a, f->name, f->text);
    } else if (f->type == NOTE_FLAG) {
        add_key(a, f->name);
        buf_add_text(a->out, f->integer != 0 ? "true" : "false");
    } else if (f->type == NOTE_INTEGER) {
        add_key(a, f->name);
        buf_add_i64(a->out, f->integer);
    } else {
        add_number(a, f->name, number);
    }
}

bool newrelic_is_reserved(struct str name)
{
    static const char *const names[] = {
        "eventType",  "timestamp", "accountId",     "appId",    "duration.ms", "parent.id",
        "metricName", "name",      "trace.id",      "id",       "span_id",     "trace_id",
        "parent_id",  "status",    "function_name", "__name__", "interval.ms", "execution_time_ms",
    };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(name, str_of(names[i]))) {
            return true;
        }
    }
    return false;
}

static void add_labels(struct attributes *a, const struct labels *labels, const struct note *over)
{
    struct label pair;
    uint32_t at = 0;

    while (labels_next(labels, &at, &pair)) {
        if (!newrelic_is_reserved(pair.name) &&
            (over == NULL || note_get(over, pair.name) == NULL)) {
            add_text(a, pair.name, pair.value);
        }
    }
}

static void add_common(struct attributes *a, const struct newrelic_writer *w,
                       const struct note *over)
{
    for (size_t i = 0; i < w->common->count; i++) {
        const struct option_pair *p = &w->common->items[i];
        bool is_said = over != NULL && (labels_get(over->labels, p->name).len > 0 ||
                                        note_get(over, p->name) != NULL);
        if (!newrelic_is_reserved(p->name) && !is_said) {
            add_text(a, p->name, p->value);
        }
    }
}

/* ---- rows ---- */

static enum newrelic_result age_result(const struct newrelic_writer *w, int64_t time_ns)
{
    int64_t ahead_s = time_ns / NS_PER_S - w->now_ns / NS_PER_S;

    if (w->now_ns == 0 || (ahead_s >= -NEWRELIC_OLDEST_S && ahead_s <= NEWRELIC_NEWEST_S)) {
        return NEWRELIC_WRITTEN;
    }
    return ahead_s < 0 ? NEWRELIC_TOO_OLD : NEWRELIC_TOO_NEW;
}

/* What was written stays, or goes again with the reason. */
static enum newrelic_result finish(const struct attributes *a, size_t before, size_t max)
{
    enum newrelic_result result = a->is_long       ? NEWRELIC_LONG_NAME
                                  : a->count > max ? NEWRELIC_TOO_MANY
                                                   : NEWRELIC_WRITTEN;

    if (result != NEWRELIC_WRITTEN) {
        buf_truncate(a->out, before);
    }
    return result;
}

void newrelic_begin(const struct newrelic_writer *w, const char *list, struct buf *out)
{
    struct attributes a = {.out = out};

    buf_add_text(out, "[{\"common\":{\"attributes\":{");
    add_common(&a, w, NULL);
    buf_addf(out, "}},\"%s\":[", list);
}

void newrelic_end(struct buf *out)
{
    buf_add_text(out, "]}]");
}

static void add_ms(struct buf *out, int64_t time_ns)
{
    buf_add_text(out, "\"timestamp\":");
    buf_add_i64(out, time_ns / NS_PER_MS);
}

static enum newrelic_result judge_sample(const struct newrelic_writer *w, struct str name,
                                         double value, int64_t time_ns)
{
    if (number_is_stale_nan(value)) {
        return NEWRELIC_STALE;
    }
    if (!isfinite(value)) {
        return NEWRELIC_NOT_FINITE;
    }
    if (name.len == 0 || name.len > NEWRELIC_NAME_MAX) {
        return name.len == 0 ? NEWRELIC_NAMELESS : NEWRELIC_LONG_NAME;
    }
    return age_result(w, time_ns);
}

/* Its counts are of an interval: a total that rises is a gauge there. */
static bool is_count(const struct samples *s, uint32_t series)
{
    return s->meta != NULL && s->meta[series] != NULL && s->meta[series]->type == SERIES_COUNT;
}

enum newrelic_result newrelic_add_metric(const struct newrelic_writer *w, const struct samples *s,
                                         uint32_t row, struct buf *out)
{
    const struct labels *labels = s->series[s->series_of[row]];
    struct str name = labels_get(labels, STR("__name__"));
    struct attributes a = {.out = out, .count = 0};
    size_t before = out->len;

    enum newrelic_result result = judge_sample(w, name, s->value[row], s->time_ns[row]);
    if (result != NEWRELIC_WRITTEN) {
        return result;
    }
    buf_add_text(out, "{\"name\":");
    json_print_str(out, name);
    if (is_count(s, s->series_of[row])) {
        buf_add_text(out, ",\"type\":\"count\",\"interval.ms\":");
        buf_add_i64(out, w->interval_ms);
    } else {
        buf_add_text(out, ",\"type\":\"gauge\"");
    }
    buf_add_text(out, ",\"value\":");
    buf_add_double(out, s->value[row]);
    buf_add_byte(out, ',');
    add_ms(out, s->time_ns[row]);
    buf_add_text(out, ",\"attributes\":{");
    add_labels(&a, labels, NULL);
    buf_add_text(out, "}}");
    return finish(&a, before, NEWRELIC_METRIC_ATTRIBUTES - w->common->count);
}

static bool is_wanted(const struct newrelic_writer *w, struct str name)
{
    for (size_t i = 0; w->attributes != NULL && i < w->attributes->count; i++) {
        if (str_eq(w->attributes->items[i], name)) {
            return true;
        }
    }
    return w->attributes == NULL;
}

static void add_id(struct attributes *a, const char *name, const uint8_t *id, size_t len)
{
    AUTO(buf_release) struct buf hex = BUF_INIT(BUF_SMALL);

    if (!span_id_is_none(id, len)) {
        span_id_print(id, len, &hex);
        add_text(a, str_of(name), buf_str(&hex));
    }
}

static void add_span_fields(struct attributes *a, const struct note *n)
{
    add_text(a, STR("function_name"), n->name);
    add_number(a, STR("execution_time_ms"), (double)note_duration_ns(n) / (double)NS_PER_MS);
    add_id(a, "trace_id", n->span->trace_id, TRACE_ID_BYTES);
    add_id(a, "span_id", n->span->span_id, SPAN_ID_BYTES);
    add_id(a, "parent_id", n->span->parent_id, SPAN_ID_BYTES);
}

/* eventType and timestamp are no attributes that count. */
enum newrelic_result newrelic_add_event(const struct newrelic_writer *w, const struct note *n,
                                        struct buf *out)
{
    struct attributes a = {.out = out, .count = 1};
    enum newrelic_result result = age_result(w, n->time_ns);
    size_t before = out->len;

    if (result != NEWRELIC_WRITTEN) {
        return result;
    }
    buf_add_text(out, "{\"eventType\":");
    json_print_str(out, w->event_type);
    buf_add_byte(out, ',');
    add_ms(out, n->time_ns);
    if (n->span != NULL) {
        add_span_fields(&a, n);
    } else if (n->name.len > 0) {
        add_text(&a, STR("name"), n->name);
    }
    for (size_t i = 0; i < n->field_count; i++) {
        if (is_wanted(w, n->fields[i].name) && !newrelic_is_reserved(n->fields[i].name)) {
            add_field(&a, &n->fields[i]);
        }
    }
    add_labels(&a, n->labels, n);
    add_common(&a, w, n);
    buf_add_byte(out, '}');
    return finish(&a, before, NEWRELIC_EVENT_ATTRIBUTES);
}

static void add_span_attributes(struct attributes *a, const struct note *n)
{
    struct str service = labels_get(n->labels, STR("service"));

    add_text(a, STR("name"), n->name);
    add_number(a, STR("duration.ms"), (double)note_duration_ns(n) / (double)NS_PER_MS);
    add_id(a, "parent.id", n->span->parent_id, SPAN_ID_BYTES);
    if (service.len > 0 && labels_get(n->labels, STR("service.name")).len == 0 &&
        note_get(n, STR("service.name")) == NULL) {
        add_text(a, STR("service.name"), service);
    }
    if (n->span->status == SPAN_STATUS_ERROR && note_get(n, STR("error.message")) == NULL &&
        labels_get(n->labels, STR("error.message")).len == 0) {
        struct str message = n->span->status_message;
        add_text(a, STR("error.message"), message.len > 0 ? message : STR("error"));
    }
}

enum newrelic_result newrelic_add_span(const struct newrelic_writer *w, const struct note *n,
                                       struct buf *out)
{
    struct attributes a = {.out = out, .count = 0};
    enum newrelic_result result = age_result(w, n->time_ns);
    size_t before = out->len;

    if (result != NEWRELIC_WRITTEN) {
        return result;
    }
    buf_add_text(out, "{\"id\":\"");
    span_id_print(n->span->span_id, SPAN_ID_BYTES, out);
    buf_add_text(out, "\",\"trace.id\":\"");
    span_id_print(n->span->trace_id, TRACE_ID_BYTES, out);
    buf_add_text(out, "\",");
    add_ms(out, n->time_ns);
    buf_add_text(out, ",\"attributes\":{");
    add_span_attributes(&a, n);
    for (size_t i = 0; i < n->field_count; i++) {
        if (!newrelic_is_reserved(n->fields[i].name)) {
            add_field(&a, &n->fields[i]);
        }
    }
    add_labels(&a, n->labels, n);
    buf_add_text(out, "}}");
    return finish(&a, before, NEWRELIC_EVENT_ATTRIBUTES - w->common->count);
}

/* ---- ids of requests ---- */

void newrelic_put_request_id(const char *list, struct str body, struct buf *out)
{
    XXH128_canonical_t id;
    uint64_t seed = XXH3_64bits(list, strlen(list));

    XXH128_canonicalFromHash(&id, XXH3_128bits_withSeed(body.ptr, body.len, seed));
    id.digest[6] = (uint8_t)(0x40 | (id.digest[6] & 0x0F)); /* version 4 */
    id.digest[8] = (uint8_t)(0x80 | (id.digest[8] & 0x3F));
    for (size_t i = 0; i < sizeof(id.digest); i++) {
        buf_addf(out, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", id.digest[i]);
    }
}
