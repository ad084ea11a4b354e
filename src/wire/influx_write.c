#include "wire/influx_line.h"

#include "base/number.h"
#include "wire/scan.h"

#include <math.h>

static const char *const refusals[] = {
    [INFLUX_WRITTEN] = NULL,
    [INFLUX_STALE] = NULL,
    [INFLUX_NOT_FINITE] = "line protocol has no NaN and no infinity",
    [INFLUX_NAMELESS] = "series without a metric name, and no measurement is set",
};

const char *influx_refusal(enum influx_result result)
{
    return refusals[result];
}

/* Is <c> a byte that a name or tag value cannot hold as it is? '=' too, which is plain in some. */
static bool is_special(unsigned char c)
{
    return c <= ' ' || c == ',' || c == '=' || c >= 0x7F;
}

#ifdef __SSE2__
/* A bit per byte of <block> that is_special(). */
static inline unsigned special_bits(__m128i block)
{
    /* Signed: bytes from 0x80 up are below 0x21, as controls and the space are. */
    __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x21));
    __m128i comma = _mm_cmpeq_epi8(block, _mm_set1_epi8(','));
    __m128i equals = _mm_cmpeq_epi8(block, _mm_set1_epi8('='));
    __m128i del = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7F));
    __m128i any = _mm_or_si128(_mm_or_si128(low, comma), _mm_or_si128(equals, del));

    return (unsigned)_mm_movemask_epi8(any);
}
#endif

/* Copies the text, which is not empty, to *p and moves that behind it; can it stand so as a name or tag
 * value? */
static inline bool copy_plain(char **p, struct str s)
{
    char *to = *p;
    bool plain = s.ptr[s.len - 1] != '\\';

    *p = to + s.len;
#ifdef __SSE2__
    if (s.len >= 4) {
        return scan_copy_bits(to, s.ptr, s.len, special_bits) == 0 && plain;
    }
#endif
    for (size_t i = 0; i < s.len; i++) {
        to[i] = s.ptr[i];
        plain = plain && !is_special((unsigned char)s.ptr[i]);
    }
    return plain;
}

/* The first special byte from <p> on, or <end>. */
static const char *scan_name(const char *p, const char *end)
{
    while (p < end && !is_special((unsigned char)*p)) {
        p++;
    }
    return p;
}

/* Appends the character at <p>, which is special; gives the bytes that it took. */
static size_t put_special(struct buf *out, const char *p, const char *end, bool escape_equals)
{
    unsigned char c = (unsigned char)*p;
    size_t n = str_utf8_length(str_make(p, (size_t)(end - p)));

    if (n == 0) {
        buf_add_text(out, "\xEF\xBF\xBD");
        return 1;
    }
    if (c == '=' && !escape_equals) {
        buf_add_byte(out, '=');
    } else if (c == ',' || c == '=' || c == ' ') {
        const char text[2] = {'\\', (char)c};
        buf_add(out, text, sizeof(text));
    } else if (c < ' ' || c == 0x7F) {
        buf_add_text(out, "\\ ");
    } else {
        buf_add(out, p, n);
    }
    return n;
}

static struct str without_last_backslashes(struct str s)
{
    while (s.len > 0 && s.ptr[s.len - 1] == '\\') {
        s.len--;
    }
    return s;
}

static void put_escaped(struct buf *out, struct str s, bool escape_equals)
{
    s = without_last_backslashes(s);
    const char *p = s.ptr;
    const char *end = s.len > 0 ? s.ptr + s.len : p;

    while (p < end) {
        const char *special = scan_name(p, end);
        buf_add(out, p, (size_t)(special - p));
        p = special;
        if (p < end) {
            p += put_special(out, p, end, escape_equals);
        }
    }
}

void influx_put_measurement(struct buf *out, struct str name)
{
    if (name.len > 0 && name.ptr[0] == '#') {
        buf_add_byte(out, '_');
        name = str_slice(name, 1, name.len);
    }
    put_escaped(out, name, false);
}

void influx_put_tag(struct buf *out, struct str key, struct str value)
{
    key = without_last_backslashes(key);
    value = without_last_backslashes(value);
    if (key.len == 0 || value.len == 0) {
        return;
    }
    buf_add_byte(out, ',');
    put_escaped(out, key, true);
    buf_add_text(out, str_eq(key, STR("time")) ? "_=" : "=");
    put_escaped(out, value, true);
}

void influx_put_field_key(struct buf *out, struct str key)
{
    put_escaped(out, key, true);
}

void influx_put_string(struct buf *out, struct str value)
{
    const char *p = value.ptr;
    const char *end = value.len > 0 ? value.ptr + value.len : p;

    buf_add_byte(out, '"');
    while (p < end) {
        size_t n = str_utf8_length(str_make(p, (size_t)(end - p)));
        if (*p == '"' || *p == '\\') {
            buf_add_byte(out, '\\');
        }
        buf_add_str(out, n > 0 ? str_make(p, n) : STR("\xEF\xBF\xBD"));
        p += n > 0 ? n : 1;
    }
    buf_add_byte(out, '"');
}

void influx_writer_init(struct influx_writer *w, const struct batch_info *info)
{
    *w = (struct influx_writer){
        .info = info, .measurement = BUF_INIT(BUF_UNLIMITED), .end = BUF_INIT(BUF_UNLIMITED)};
    influx_put_measurement(&w->measurement, info->measurement);
}

void influx_writer_release(struct influx_writer *w)
{
    buf_release(&w->measurement);
    buf_release(&w->end);
}

/* The batch's measurement, or else <name>; false when there is none. */
static bool put_name(const struct influx_writer *w, struct str name, struct buf *out)
{
    size_t before = out->len;

    if (w->measurement.len > 0) {
        buf_add_str(out, buf_str(&w->measurement));
    } else {
        influx_put_measurement(out, name);
    }
    return out->len > before || !buf_ok(out);
}

static bool is_name(struct str label)
{
    return str_eq(label, STR("__name__"));
}

/* All tags at *at, which moves behind them; false when one of them cannot stand as it is. There is room for the
 * packed bytes, in which a pair takes six bytes more than its texts, and two here. */
static inline bool copy_plain_tags(char **at, const struct labels *l)
{
    char *p = *at;
    uint32_t next = 0;
    struct label pair;

    while (labels_next(l, &next, &pair)) {
        if (is_name(pair.name)) {
            continue;
        }
        *p++ = ',';
        bool plain = copy_plain(&p, pair.name);
        *p++ = '=';
        if (!copy_plain(&p, pair.value) || !plain || str_eq(pair.name, STR("time"))) {
            return false;
        }
    }
    *at = p;
    return true;
}

static void put_tags(const struct labels *l, struct buf *out)
{
    uint32_t at = 0;
    struct label pair;

    while (labels_next(l, &at, &pair)) {
        if (!is_name(pair.name)) {
            influx_put_tag(out, pair.name, pair.value);
        }
    }
}

/* The time and the newline; the rows of a batch nearly always are of one time. */
static struct str end_of_line(struct influx_writer *w, int64_t time_ns)
{
    if (w->end.len == 0 || w->end_ns != time_ns) {
        buf_clear(&w->end);
        buf_add_byte(&w->end, ' ');
        buf_add_i64(&w->end, time_ns);
        buf_add_byte(&w->end, '\n');
        w->end_ns = time_ns;
    }
    return buf_str(&w->end);
}

static void put_end(struct influx_writer *w, int64_t time_ns, struct buf *out)
{
    buf_add_str(out, end_of_line(w, time_ns));
}

static inline char *copy(char *to, struct str s)
{
    memcpy(to, s.ptr, s.len);
    return to + s.len;
}

static const struct str value_field = STR_INIT(" value=");

/* A sample's line in one go, where nothing in it needs care; false, and nothing, otherwise. */
static bool put_plain_line(struct influx_writer *w, const struct labels *l, double value,
                           int64_t time_ns, struct buf *out)
{
    bool has_measurement = w->measurement.len > 0;
    struct str name = has_measurement ? buf_str(&w->measurement) : labels_get(l, STR("__name__"));
    struct str end = end_of_line(w, time_ns);
    char *start = buf_reserve(out, name.len + l->len + value_field.len + NUMBER_TEXT_MAX + end.len);
    char *p = start;

    if (start == NULL || name.len == 0 || name.ptr[0] == '#') {
        return false;
    }
    bool plain = has_measurement || copy_plain(&p, name);
    p = has_measurement ? copy(p, name) : p;
    if (!plain || !copy_plain_tags(&p, l)) {
        return false;
    }
    p = copy(p, value_field);
    p += number_format(value, p);
    p = copy(p, end);
    buf_added(out, (size_t)(p - start));
    return true;
}

enum influx_result influx_add_sample(struct influx_writer *w, const struct samples *s, uint32_t row,
                                     struct buf *out)
{
    const struct labels *labels = s->series[s->series_of[row]];
    double value = s->value[row];

    if (!isfinite(value)) {
        return number_is_stale_nan(value) ? INFLUX_STALE : INFLUX_NOT_FINITE;
    }
    if (put_plain_line(w, labels, value, s->time_ns[row], out)) {
        return INFLUX_WRITTEN;
    }
    if (!put_name(w, labels_get(labels, STR("__name__")), out)) {
        return INFLUX_NAMELESS;
    }
    put_tags(labels, out);
    buf_add_str(out, value_field);
    buf_add_double(out, value);
    put_end(w, s->time_ns[row], out);
    return INFLUX_WRITTEN;
}

uint32_t influx_alert_lines(const struct alert *a)
{
    return a->export_count > 0 ? (uint32_t)a->export_count : 1;
}

/* The labels of the alert, those of the row over them; both are sorted, and so is what comes out. */
static void put_merged_tags(const struct labels *alert, const struct labels *row, struct buf *out)
{
    uint32_t at_a = 0;
    uint32_t at_r = 0;
    struct label a = {STR_NONE, STR_NONE};
    struct label r = {STR_NONE, STR_NONE};
    bool more_a = labels_next(alert, &at_a, &a);
    bool more_r = labels_next(row, &at_r, &r);

    while (more_a || more_r) {
        int order = !more_a ? 1 : !more_r ? -1 : str_cmp(a.name, r.name);
        struct label pair = order < 0 ? a : r;
        if (!is_name(pair.name)) {
            influx_put_tag(out, pair.name, pair.value);
        }
        more_a = order <= 0 ? labels_next(alert, &at_a, &a) : more_a;
        more_r = order >= 0 ? labels_next(row, &at_r, &r) : more_r;
    }
}

static void put_real_field(const char *key, double value, struct buf *out)
{
    if (isfinite(value)) {
        buf_add_text(out, key);
        buf_add_double(out, value);
        buf_add_byte(out, ',');
    }
}

/* What an edge leads to, as people call it. */
static const char *const state_names[ALERT_STATES] = {
    [ALERT_READY] = "inactive",     [ALERT_PENDING] = "pending",   [ALERT_ALERTING] = "firing",
    [ALERT_SUPPRESSING] = "firing", [ALERT_RESOLVED] = "resolved",
};

enum influx_result influx_add_alert(struct influx_writer *w, const struct alert *a, uint32_t i,
                                    struct buf *out)
{
    const struct alert_export *x = i < a->export_count ? &a->exports[i] : NULL;

    if (!put_name(w, labels_get(a->labels, STR("alertname")), out)) {
        return INFLUX_NAMELESS;
    }
    put_merged_tags(a->labels, x != NULL ? x->labels : labels_empty(), out);
    buf_add_byte(out, ' ');
    put_real_field("value=", x != NULL ? x->value : a->value, out);
    if (w->info->has_threshold) {
        put_real_field("threshold=", w->info->threshold, out);
    }
    buf_add_text(out, "state=");
    influx_put_string(out, str_of(state_names[a->to]));
    put_end(w, x != NULL ? x->time_ns : a->time_ns, out);
    return INFLUX_WRITTEN;
}
