/*
 * humanize and its kin: a number for people, four significant digits.
 */
#include "template/template_int.h"

#include "base/number.h"
#include "base/timetext.h"

#include <math.h>

static bool one_number(struct value_list args, double *ret, struct err *e)
{
    return value_to_float(&args.items[0], ret, e);
}

static bool is_plain(double v)
{
    return v == 0 || isnan(v) || isinf(v);
}

enum { DIGITS_4G = 4 };

/* What stands behind the point, in so many places, without zeros at the end. */
static void add_behind(struct buf *out, unsigned behind, int places)
{
    char text[DIGITS_4G] = {0};
    int len = places;

    for (int i = places; i-- > 0; behind /= 10) {
        text[i] = (char)('0' + behind % 10);
    }
    while (len > 0 && text[len - 1] == '0') {
        len--;
    }
    if (len > 0) {
        buf_add_byte(out, '.');
        buf_add(out, text, (size_t)len);
    }
}

/*
 * %.4g of a number of up to four places before the point, without printf; false, and nothing, where that is not certain:
 * outside of them, and so near to the middle between two texts that the product's rounding could decide.
 */
static bool add_4g_quickly(struct buf *out, double v)
{
    static const unsigned scales[] = {1000, 100, 10, 1};
    int places = (v >= 10) + (v >= 100) + (v >= 1000); /* before the point, less one */

    if (!(v >= 1 && v < 9999)) {
        return false;
    }
    unsigned scale = scales[places];
    double scaled = v * scale;
    unsigned digits = (unsigned)scaled;
    double rest = scaled - digits;
    if (fabs(rest - 0.5) < 1e-9) {
        return false;
    }
    digits += rest > 0.5;
    buf_add_u64(out, digits / scale);
    add_behind(out, digits % scale, DIGITS_4G - 1 - places);
    return true;
}

/* Go's %.4g, which writes +Inf and NaN its own way. */
static void add_4g(struct buf *out, double v)
{
    if (isnan(v)) {
        buf_add_text(out, "NaN");
    } else if (isinf(v)) {
        buf_add_text(out, v > 0 ? "+Inf" : "-Inf");
    } else if (!add_4g_quickly(out, v)) {
        buf_addf(out, "%.4g", v);
    }
}

static const char *const si_large[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
static const char *const si_small[] = {"m", "u", "n", "p", "f", "a", "z", "y"};
static const char *const binary_large[] = {"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"};

static const char *scale_down(double *v, double base, const char *const *prefixes)
{
    const char *prefix = "";

    for (size_t i = 0; i < ARRAY_LEN(si_large) && fabs(*v) >= base; i++) {
        prefix = prefixes[i];
        *v /= base;
    }
    return prefix;
}

static const char *scale_up(double *v)
{
    const char *prefix = "";

    for (size_t i = 0; i < ARRAY_LEN(si_small) && fabs(*v) < 1; i++) {
        prefix = si_small[i];
        *v *= 1000;
    }
    return prefix;
}

static bool finish(struct render *r, struct buf *out, struct value *ret)
{
    *ret = render_take_text(r, out);
    return true;
}

static bool humanize(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    const char *prefix = "";
    double v = 0;

    if (!one_number(args, &v, e)) {
        return false;
    }
    if (!is_plain(v)) {
        prefix = fabs(v) >= 1 ? scale_down(&v, 1000, si_large) : scale_up(&v);
    }
    add_4g(&out, v);
    buf_add_text(&out, prefix);
    return finish(r, &out, ret);
}

static bool humanize1024(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    const char *prefix = "";
    double v = 0;

    if (!one_number(args, &v, e)) {
        return false;
    }
    if (!is_plain(v) && fabs(v) > 1) {
        prefix = scale_down(&v, 1024, binary_large);
    }
    add_4g(&out, v);
    buf_add_text(&out, prefix);
    return finish(r, &out, ret);
}

/* "1d 2h 3m 4s" and its shorter forms, for at least one second. */
static void add_long_duration(struct buf *out, double v)
{
    const char *sign = v < 0 ? "-" : "";
    double seconds = fabs(v);
    uint64_t whole = seconds < 1e18 ? (uint64_t)seconds : (uint64_t)1e18;
    unsigned long long days = whole / 86400;
    unsigned hours = (unsigned)(whole / 3600 % 24);
    unsigned minutes = (unsigned)(whole / 60 % 60);
    unsigned rest = (unsigned)(whole % 60);

    if (days != 0) {
        buf_addf(out, "%s%llud %uh %um %us", sign, days, hours, minutes, rest);
    } else if (hours != 0) {
        buf_addf(out, "%s%uh %um %us", sign, hours, minutes, rest);
    } else if (minutes != 0) {
        buf_addf(out, "%s%um %us", sign, minutes, rest);
    } else {
        buf_addf(out, "%s%.4gs", sign, seconds);
    }
}

static bool humanize_duration(struct render *r, struct value_list args, struct value *ret,
                              struct err *e)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    double v = 0;

    if (!one_number(args, &v, e)) {
        return false;
    }
    if (isnan(v) || isinf(v)) {
        add_4g(&out, v);
    } else if (v == 0) {
        buf_add_text(&out, "0s");
    } else if (fabs(v) >= 1) {
        add_long_duration(&out, v);
    } else {
        const char *prefix = scale_up(&v);
        buf_addf(&out, "%.4g%ss", v, prefix);
    }
    return finish(r, &out, ret);
}

static bool humanize_percentage(struct render *r, struct value_list args, struct value *ret,
                                struct err *e)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    double v = 0;

    if (!one_number(args, &v, e)) {
        return false;
    }
    add_4g(&out, v * 100);
    buf_add_byte(&out, '%');
    return finish(r, &out, ret);
}

/* Seconds as a time, to the millisecond as Prometheus cuts it; false when int64 nanoseconds cannot
 * hold it. */
static bool seconds_to_time(double v, struct value *ret, struct err *e)
{
    if (isnan(v) || fabs(v) > 9223372036) {
        return err_set(e, ERR_PARSE, "%g seconds are not a time between 1677 and 2262", v);
    }
    int64_t ns = time_floor_div((int64_t)(v * 1e9), NS_PER_MS) * NS_PER_MS;
    *ret = (struct value){.kind = VALUE_TIME, .as.integer = ns};
    return true;
}

static bool humanize_timestamp(struct render *r, struct value_list args, struct value *ret,
                               struct err *e)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    struct value time;
    double v = 0;

    if (!one_number(args, &v, e)) {
        return false;
    }
    if (isnan(v) || isinf(v)) {
        add_4g(&out, v);
    } else if (!seconds_to_time(v, &time, e)) {
        return false;
    } else {
        value_print(&time, &out);
    }
    return finish(r, &out, ret);
}

static bool to_time(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    double v = 0;

    (void)r;
    return one_number(args, &v, e) && seconds_to_time(v, ret, e);
}

static bool to_duration(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    double v = 0;

    (void)r;
    if (!one_number(args, &v, e)) {
        return false;
    }
    if (isnan(v) || fabs(v) > 9223372036) {
        return err_set(e, ERR_PARSE, "%g seconds are not a duration", v);
    }
    *ret = (struct value){.kind = VALUE_DURATION, .as.integer = (int64_t)(v * 1e9)};
    return true;
}

static bool parse_duration(struct render *r, struct value_list args, struct value *ret,
                           struct err *e)
{
    struct str text;
    int64_t ns = 0;

    (void)r;
    if (!value_to_text(&args.items[0], &text, e)) {
        return false;
    }
    bool negative = str_starts(text, STR("-"));
    if (!duration_parse(negative ? str_slice(text, 1, text.len) : text, true, &ns, e)) {
        return false;
    }
    *ret = value_float((negative ? -1.0 : 1.0) * (double)ns / (double)NS_PER_S);
    return true;
}

/* A duration that can be added to a time. */
static bool parse_duration_time(struct render *r, struct value_list args, struct value *ret,
                                struct err *e)
{
    double seconds = 0;

    if (!parse_duration(r, args, ret, e)) {
        return false;
    }
    seconds = ret->as.number;
    *ret = (struct value){.kind = VALUE_DURATION, .as.integer = (int64_t)(seconds * 1e9)};
    return true;
}

static bool format_time(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct value time = args.items[1];
    struct str layout;
    double v = 0;

    if (!value_to_text(&args.items[0], &layout, e)) {
        return false;
    }
    if (time.kind != VALUE_TIME &&
        (!value_to_float(&args.items[1], &v, e) || !seconds_to_time(v, &time, e))) {
        return false;
    }
    template_format_time(time.as.integer, layout, &out);
    return finish(r, &out, ret);
}

static bool now(struct render *r, struct value_list args, struct value *ret, struct err *e)
{
    (void)args;
    (void)e;
    if (r->world->dialect == TEMPLATE_VMALERT) {
        *ret = value_float((double)time_floor_div(r->world->wall_ns, NS_PER_S));
        return true;
    }
    int64_t ms = time_floor_div(r->data->now_ns, NS_PER_MS);
    *ret = value_float((double)ms / 1000);
    return true;
}

const struct function functions_number[] = {
    {"humanize", 1, 1, USES_NOTHING, false, humanize},
    {"humanize1024", 1, 1, USES_NOTHING, false, humanize1024},
    {"humanizeDuration", 1, 1, USES_NOTHING, false, humanize_duration},
    {"humanizePercentage", 1, 1, USES_NOTHING, false, humanize_percentage},
    {"humanizeTimestamp", 1, 1, USES_NOTHING, false, humanize_timestamp},
    {"toTime", 1, 1, USES_NOTHING, false, to_time},
    {"toDuration", 1, 1, USES_NOTHING, false, to_duration},
    {"parseDuration", 1, 1, USES_NOTHING, false, parse_duration},
    {"parseDurationTime", 1, 1, USES_NOTHING, false, parse_duration_time},
    {"formatTime", 2, 2, USES_NOTHING, false, format_time},
    {"now", 0, 0, USES_TIME, false, now},
    {NULL, 0, 0, 0, false, NULL},
};
