/*
 * What times and durations can be asked, as Go's time.Time and time.Duration: $activeAt.Unix,
 * ($activeAt.Add 60).Format "15:04". All times are UTC, so UTC and Local give the time itself.
 */
#include "template/template_int.h"

#include "base/timetext.h"

static const int64_t ns_per_day = INT64_C(86400) * NS_PER_S;

static bool give_int(int64_t number, struct value *ret)
{
    *ret = value_int(number);
    return true;
}

static bool give(enum value_kind kind, int64_t number, struct value *ret)
{
    *ret = (struct value){.kind = kind, .as.integer = number};
    return true;
}

/* <a> + <b>, or the nearest that fits. */
static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t sum = 0;

    return !__builtin_add_overflow(a, b, &sum) ? sum : b < 0 ? INT64_MIN : INT64_MAX;
}

/* An argument that is a duration; a plain number is nanoseconds, as in Go. */
static bool duration_of(const struct value *v, int64_t *ret_ns, struct err *e)
{
    if (v->kind != VALUE_DURATION && v->kind != VALUE_INT) {
        return err_set(e, ERR_PARSE,
                       "expected a duration, found %s; toDuration and parseDurationTime make one",
                       value_type_name(v));
    }
    *ret_ns = v->as.integer;
    return true;
}

static bool time_of(const struct value *v, int64_t *ret_ns, struct err *e)
{
    *ret_ns = v->as.integer;
    return v->kind == VALUE_TIME ||
           err_set(e, ERR_PARSE, "expected a time, found %s", value_type_name(v));
}

/* ---- times ---- */

static bool time_add(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                     struct err *e)
{
    int64_t by = 0;

    (void)r;
    return duration_of(&args.items[0], &by, e) && give(VALUE_TIME, add_clamped(ns, by), ret);
}

static bool time_sub(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                     struct err *e)
{
    int64_t other = 0;

    (void)r;
    if (!time_of(&args.items[0], &other, e)) {
        return false;
    }
    return give(VALUE_DURATION, add_clamped(ns, other == INT64_MIN ? INT64_MAX : -other), ret);
}

static bool int_arg(const struct value *v, int32_t *ret, struct err *e)
{
    enum { SPAN_MAX = 100000 };

    if (v->kind != VALUE_INT || v->as.integer > SPAN_MAX || v->as.integer < -SPAN_MAX) {
        return err_set(e, ERR_PARSE, "expected a whole number up to %d, found %s", SPAN_MAX,
                       value_type_name(v));
    }
    *ret = (int32_t)v->as.integer;
    return true;
}

static bool time_add_date(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                          struct err *e)
{
    struct civil c = civil_of(ns);
    int32_t by[3];

    (void)r;
    for (size_t i = 0; i < ARRAY_LEN(by); i++) {
        if (!int_arg(&args.items[i], &by[i], e)) {
            return false;
        }
    }
    int64_t months = ((int64_t)c.year + by[0]) * 12 + (c.month - 1) + by[1];
    int64_t days = (int64_t)c.day - 1 + by[2];
    c.year = (int32_t)time_floor_div(months, 12);
    c.month = (int32_t)(months - (int64_t)c.year * 12) + 1;
    c.day = 1;
    int64_t first = civil_to_ns(c);
    return give(VALUE_TIME, add_clamped(first, days * ns_per_day), ret);
}

static bool time_unix(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                      struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(time_floor_div(ns, NS_PER_S), ret);
}

static bool time_unix_milli(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(time_floor_div(ns, NS_PER_MS), ret);
}

static bool time_unix_micro(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(time_floor_div(ns, 1000), ret);
}

static bool just_number(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(ns, ret);
}

static bool time_format(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    struct buf out = BUF_INIT(TEMPLATE_TEXT_MAX);
    struct str layout;

    if (!value_to_text(&args.items[0], &layout, e)) {
        return false;
    }
    template_format_time(ns, layout, &out);
    *ret = render_take_text(r, &out);
    return true;
}

static bool time_itself(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give(VALUE_TIME, ns, ret);
}

static bool print_as(struct render *r, enum value_kind kind, int64_t ns, struct value *ret)
{
    struct buf out = BUF_INIT(BUF_SMALL);
    struct value v = {.kind = kind, .as.integer = ns};

    value_print(&v, &out);
    *ret = render_take_text(r, &out);
    return true;
}

static bool time_string(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)args;
    (void)e;
    return print_as(r, VALUE_TIME, ns, ret);
}

static bool time_month(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                       struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give(VALUE_MONTH, civil_of(ns).month, ret);
}

static bool time_weekday(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                         struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give(VALUE_WEEKDAY, civil_of(ns).weekday, ret);
}

static bool time_year(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                      struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).year, ret);
}

static bool time_day(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                     struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).day, ret);
}

static bool time_yearday(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                         struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).yearday + 1, ret);
}

static bool time_hour(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                      struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).hour, ret);
}

static bool time_minute(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).minute, ret);
}

static bool time_second(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).second, ret);
}

static bool time_nanosecond(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(civil_of(ns).ns, ret);
}

static bool time_compare(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                         struct err *e)
{
    int64_t other = 0;

    (void)r;
    return time_of(&args.items[0], &other, e) && give_int((ns > other) - (ns < other), ret);
}

static bool time_is(int64_t ns, struct value_list args, int wanted, struct value *ret,
                    struct err *e)
{
    if (!time_compare(NULL, ns, args, ret, e)) {
        return false;
    }
    *ret = value_bool(ret->as.integer == wanted);
    return true;
}

static bool time_before(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                        struct err *e)
{
    (void)r;
    return time_is(ns, args, -1, ret, e);
}

static bool time_after(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                       struct err *e)
{
    (void)r;
    return time_is(ns, args, 1, ret, e);
}

static bool time_equal(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                       struct err *e)
{
    (void)r;
    return time_is(ns, args, 0, ret, e);
}

static bool time_is_zero(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                         struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    *ret = value_bool(ns == INT64_MIN); /* the year 1 is out of range */
    return true;
}

/* Cut to a multiple of the argument since the year 1, from where Go counts. */
static bool cut_time(int64_t ns, struct value_list args, bool rounds, struct value *ret,
                     struct err *e)
{
    static const int64_t epoch_s = INT64_C(62135596800); /* 1970 since the year 1 */
    int64_t unit = 0;

    if (!duration_of(&args.items[0], &unit, e)) {
        return false;
    }
    if (unit <= 0) {
        return give(VALUE_TIME, ns, ret);
    }
    /* (epoch + ns) mod unit, step by step, since the sum does not fit */
    uint64_t u = (uint64_t)unit;
    uint64_t epoch = 0;
    for (int64_t rest = epoch_s; rest > 0;) {
        int64_t part = rest > 9000000000 ? 9000000000 : rest;
        epoch = (epoch + (uint64_t)(part * NS_PER_S) % u) % u;
        rest -= part;
    }
    uint64_t own = (uint64_t)(ns - time_floor_div(ns, unit) * unit);
    int64_t past = (int64_t)((epoch + own) % u);
    bool up = rounds && past >= unit - past;
    return give(VALUE_TIME, add_clamped(add_clamped(ns, -past), up ? unit : 0), ret);
}

static bool time_truncate(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                          struct err *e)
{
    (void)r;
    return cut_time(ns, args, false, ret, e);
}

static bool time_round(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                       struct err *e)
{
    (void)r;
    return cut_time(ns, args, true, ret, e);
}

/* ---- durations ---- */

static bool give_units(int64_t ns, int64_t unit, struct value *ret)
{
    int64_t whole = ns / unit;

    *ret = value_float((double)whole + (double)(ns % unit) / (double)unit);
    return true;
}

static bool duration_hours(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                           struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_units(ns, 3600 * NS_PER_S, ret);
}

static bool duration_minutes(struct render *r, int64_t ns, struct value_list args,
                             struct value *ret, struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_units(ns, 60 * NS_PER_S, ret);
}

static bool duration_seconds(struct render *r, int64_t ns, struct value_list args,
                             struct value *ret, struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_units(ns, NS_PER_S, ret);
}

static bool duration_millis(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(ns / NS_PER_MS, ret);
}

static bool duration_micros(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give_int(ns / 1000, ret);
}

static bool duration_string(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                            struct err *e)
{
    (void)args;
    (void)e;
    return print_as(r, VALUE_DURATION, ns, ret);
}

static bool duration_abs(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                         struct err *e)
{
    (void)r;
    (void)args;
    (void)e;
    return give(VALUE_DURATION, ns == INT64_MIN ? INT64_MAX : ns < 0 ? -ns : ns, ret);
}

static bool duration_truncate(struct render *r, int64_t ns, struct value_list args,
                              struct value *ret, struct err *e)
{
    int64_t unit = 0;

    (void)r;
    return duration_of(&args.items[0], &unit, e) &&
           give(VALUE_DURATION, unit <= 0 ? ns : ns - ns % unit, ret);
}

/* To the nearest, halves away from zero. */
static bool duration_round(struct render *r, int64_t ns, struct value_list args, struct value *ret,
                           struct err *e)
{
    int64_t unit = 0;

    (void)r;
    if (!duration_of(&args.items[0], &unit, e)) {
        return false;
    }
    if (unit <= 0) {
        return give(VALUE_DURATION, ns, ret);
    }
    int64_t past = ns % unit;
    int64_t size = past < 0 ? -past : past;
    int64_t by = size < unit - size ? 0 : ns < 0 ? -unit : unit;
    return give(VALUE_DURATION, add_clamped(ns - past, by), ret);
}

static const struct method methods[] = {
    {VALUE_TIME, "Add", 1, time_add},
    {VALUE_TIME, "AddDate", 3, time_add_date},
    {VALUE_TIME, "After", 1, time_after},
    {VALUE_TIME, "Before", 1, time_before},
    {VALUE_TIME, "Compare", 1, time_compare},
    {VALUE_TIME, "Day", 0, time_day},
    {VALUE_TIME, "Equal", 1, time_equal},
    {VALUE_TIME, "Format", 1, time_format},
    {VALUE_TIME, "Hour", 0, time_hour},
    {VALUE_TIME, "IsZero", 0, time_is_zero},
    {VALUE_TIME, "Local", 0, time_itself},
    {VALUE_TIME, "Minute", 0, time_minute},
    {VALUE_TIME, "Month", 0, time_month},
    {VALUE_TIME, "Nanosecond", 0, time_nanosecond},
    {VALUE_TIME, "Round", 1, time_round},
    {VALUE_TIME, "Second", 0, time_second},
    {VALUE_TIME, "String", 0, time_string},
    {VALUE_TIME, "Sub", 1, time_sub},
    {VALUE_TIME, "Truncate", 1, time_truncate},
    {VALUE_TIME, "UTC", 0, time_itself},
    {VALUE_TIME, "Unix", 0, time_unix},
    {VALUE_TIME, "UnixMicro", 0, time_unix_micro},
    {VALUE_TIME, "UnixMilli", 0, time_unix_milli},
    {VALUE_TIME, "UnixNano", 0, just_number},
    {VALUE_TIME, "Weekday", 0, time_weekday},
    {VALUE_TIME, "Year", 0, time_year},
    {VALUE_TIME, "YearDay", 0, time_yearday},
    {VALUE_DURATION, "Abs", 0, duration_abs},
    {VALUE_DURATION, "Hours", 0, duration_hours},
    {VALUE_DURATION, "Microseconds", 0, duration_micros},
    {VALUE_DURATION, "Milliseconds", 0, duration_millis},
    {VALUE_DURATION, "Minutes", 0, duration_minutes},
    {VALUE_DURATION, "Nanoseconds", 0, just_number},
    {VALUE_DURATION, "Round", 1, duration_round},
    {VALUE_DURATION, "Seconds", 0, duration_seconds},
    {VALUE_DURATION, "String", 0, duration_string},
    {VALUE_DURATION, "Truncate", 1, duration_truncate},
};

const struct method *method_find(enum value_kind of, struct str name)
{
    for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
        if (methods[i].of == of && str_eq(name, str_of(methods[i].name))) {
            return &methods[i];
        }
    }
    return NULL;
}
