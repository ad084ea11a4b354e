/* Durations as Prometheus writes them, and the wider forms that people write. */
#include "base/attr.h"
#include "base/clock.h"
#include "base/timetext.h"

enum { SHOWN_MAX = 40, FRACTION_DIGITS_MAX = 18 };

struct unit {
    struct str name;
    int64_t ns;
    bool lenient; /* only there */
};

#define NS_PER_DAY (INT64_C(86400) * NS_PER_S)

/* In falling order: a duration uses each at most once, from here downwards. */
static const struct unit units[] = {
    {STR_INIT("y"), 365 * NS_PER_DAY, false},
    {STR_INIT("w"), 7 * NS_PER_DAY, false},
    {STR_INIT("d"), NS_PER_DAY, false},
    {STR_INIT("h"), 3600 * NS_PER_S, false},
    {STR_INIT("m"), 60 * NS_PER_S, false},
    {STR_INIT("s"), NS_PER_S, false},
    {STR_INIT("ms"), NS_PER_MS, false},
    {STR_INIT("us"), NS_PER_US, true},
    {STR_INIT("\xc2\xb5s"), NS_PER_US, true}, /* micro sign */
    {STR_INIT("\xce\xbcs"), NS_PER_US, true}, /* Greek mu */
    {STR_INIT("ns"), 1, true},
};

struct duration_scan {
    struct str all;
    struct str rest;
    bool lenient;
    size_t next_unit; /* the first row of <units> that may come */
    int64_t sum_ns;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* At most the first bytes of <s>, for an error message. */
static struct str shown(struct str s)
{
    return str_slice(s, 0, SHOWN_MAX);
}

static bool err_form(const struct duration_scan *d, struct err *e)
{
    return err_set(e, ERR_PARSE,
                   "'%.*s' is no duration: expected a number and a unit, like 30s, 5m or 1h30m%s",
                   STR_FMT(shown(d->all)), d->lenient ? ", or seconds" : "");
}

static bool err_too_long(const struct duration_scan *d, struct err *e)
{
    return err_set(e, ERR_PARSE, "duration '%.*s' is too long: at most 292y",
                   STR_FMT(shown(d->all)));
}

struct amount {
    int64_t whole;
    int64_t part;       /* of <part_scale> */
    int64_t part_scale; /* a power of ten */
};

static bool take_amount(struct duration_scan *d, struct amount *ret, struct err *e)
{
    struct amount a = {.part_scale = 1};
    struct str s = d->rest;
    size_t i = 0;

    for (; i < s.len && is_digit(s.ptr[i]); i++) {
        if (__builtin_mul_overflow(a.whole, 10, &a.whole) ||
            __builtin_add_overflow(a.whole, s.ptr[i] - '0', &a.whole)) {
            return err_too_long(d, e);
        }
    }
    size_t digits = i;
    if (d->lenient && i < s.len && s.ptr[i] == '.') {
        for (i++; i < s.len && is_digit(s.ptr[i]); i++) {
            digits++;
            if (a.part_scale < INT64_C(1000000000000000000)) {
                a.part = a.part * 10 + (s.ptr[i] - '0');
                a.part_scale *= 10;
            }
        }
    }
    if (digits == 0) {
        return err_form(d, e);
    }
    d->rest = str_slice(s, i, s.len);
    *ret = a;
    return true;
}

/* The letters up to the next digit or point. */
static struct str take_unit_name(struct duration_scan *d)
{
    size_t n = 0;

    while (n < d->rest.len && !is_digit(d->rest.ptr[n]) && d->rest.ptr[n] != '.') {
        n++;
    }
    struct str name = str_slice(d->rest, 0, n);
    d->rest = str_slice(d->rest, n, d->rest.len);
    return name;
}

static bool find_unit(struct duration_scan *d, struct str name, int64_t *ret_ns, struct err *e)
{
    size_t row = 0;

    while (row < ARRAY_LEN(units) &&
           !(str_eq(units[row].name, name) && (d->lenient || !units[row].lenient))) {
        row++;
    }
    if (row == ARRAY_LEN(units)) {
        return err_set(e, ERR_PARSE,
                       "unknown unit '%.*s' in duration '%.*s': use ms, s, m, h, d, w or y",
                       STR_FMT(shown(name)), STR_FMT(shown(d->all)));
    }
    if (row < d->next_unit) {
        return err_set(e, ERR_PARSE,
                       "unit '%.*s' is out of order in duration '%.*s': write each unit once, the "
                       "largest first",
                       STR_FMT(name), STR_FMT(shown(d->all)));
    }
    d->next_unit = row + 1;
    *ret_ns = units[row].ns;
    return true;
}

static bool add_amount(struct duration_scan *d, struct amount a, int64_t unit_ns, struct err *e)
{
    __extension__ typedef __int128 wide;
    int64_t whole_ns;
    int64_t part_ns = (int64_t)((wide)a.part * unit_ns / a.part_scale);

    if (__builtin_mul_overflow(a.whole, unit_ns, &whole_ns) ||
        __builtin_add_overflow(d->sum_ns, whole_ns, &d->sum_ns) ||
        __builtin_add_overflow(d->sum_ns, part_ns, &d->sum_ns)) {
        return err_too_long(d, e);
    }
    return true;
}

/* A number without unit: 0, and in lenient mode seconds. */
static bool is_bare(const struct duration_scan *d)
{
    bool is_all = d->rest.len == 0 && d->next_unit == 0;

    return is_all && (d->lenient || str_eq(d->all, STR("0")));
}

bool duration_parse(struct str s, bool lenient, int64_t *ret_ns, struct err *e)
{
    bool negative = lenient && s.len > 1 && s.ptr[0] == '-';
    struct duration_scan d = {.all = s, .rest = str_slice(s, negative, s.len), .lenient = lenient};

    do {
        struct amount a = {.part_scale = 1};
        int64_t unit_ns = NS_PER_S;
        if (!take_amount(&d, &a, e)) {
            return false;
        }
        if (!is_bare(&d)) {
            struct str name = take_unit_name(&d);
            if (name.len == 0) {
                return err_form(&d, e);
            }
            if (!find_unit(&d, name, &unit_ns, e)) {
                return false;
            }
        }
        if (!add_amount(&d, a, unit_ns, e)) {
            return false;
        }
    } while (d.rest.len != 0);
    *ret_ns = negative ? -d.sum_ns : d.sum_ns;
    return true;
}

struct printed_unit {
    const char *name;
    uint64_t ns;
    bool whole_only; /* 90d reads better than 12w6d */
};

static const struct printed_unit printed_units[] = {
    {"y", 365 * NS_PER_DAY, true}, {"w", 7 * NS_PER_DAY, true}, {"d", NS_PER_DAY, false},
    {"h", 3600 * NS_PER_S, false}, {"m", 60 * NS_PER_S, false}, {"s", NS_PER_S, false},
    {"ms", NS_PER_MS, false},      {"us", NS_PER_US, false},    {"ns", 1, false},
};

void buf_add_duration(struct buf *b, int64_t ns)
{
    uint64_t left = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;

    if (ns == 0) {
        buf_add_text(b, "0s");
    } else if (ns < 0) {
        buf_add_byte(b, '-');
    }
    for (size_t i = 0; i < ARRAY_LEN(printed_units) && left != 0; i++) {
        const struct printed_unit *u = &printed_units[i];
        if (left >= u->ns && !(u->whole_only && left % u->ns != 0)) {
            buf_add_u64(b, left / u->ns);
            buf_add_text(b, u->name);
            left %= u->ns;
        }
    }
}
