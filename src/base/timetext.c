/*
 * Days are counted in eras of 400 years that begin in March, so that the leap day is the last day
 * of a year.
 */
#include "base/timetext.h"

#include "base/attr.h"
#include "base/clock.h"
#include "base/number.h"

enum { S_PER_DAY = 86400 };

enum {
    YEAR_MIN = 1678,
    YEAR_MAX = 2261,
    DAYS_PER_ERA = 146097,
    DAYS_TO_1970 = 719468,
    SHOWN_MAX = 40
};

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* At most the first bytes of <s>, for an error message. */
static struct str shown(struct str s)
{
    return str_slice(s, 0, SHOWN_MAX);
}

static bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days since 1970-01-01. */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day)
{
    int64_t from_march = (month + 9) % 12;
    int64_t march_year = year - (month <= 2);
    int64_t era = time_floor_div(march_year, 400);
    int64_t year_of_era = march_year - era * 400;
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void date_of_days(int64_t days, struct civil *c)
{
    int64_t shifted = days + DAYS_TO_1970;
    int64_t era = time_floor_div(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;

    c->day = (int32_t)(day_of_year - (153 * from_march + 2) / 5 + 1);
    c->month = (int32_t)(from_march < 10 ? from_march + 3 : from_march - 9);
    c->year = (int32_t)(year_of_era + era * 400 + (c->month <= 2));
    c->weekday = (int32_t)(((days + 4) % 7 + 7) % 7);
    c->yearday = (int32_t)(days - days_of_date(c->year, 1, 1));
}

struct civil civil_of(int64_t wall_ns)
{
    int64_t seconds = time_floor_div(wall_ns, NS_PER_S);
    int64_t days = time_floor_div(seconds, S_PER_DAY);
    int64_t rest = seconds - days * S_PER_DAY;
    struct civil c = {
        .hour = (int32_t)(rest / 3600),
        .minute = (int32_t)(rest / 60 % 60),
        .second = (int32_t)(rest % 60),
        .ns = (int32_t)((wall_ns % NS_PER_S + NS_PER_S) % NS_PER_S),
    };

    date_of_days(days, &c);
    return c;
}

int64_t civil_to_ns(struct civil c)
{
    int64_t clock_s = (int64_t)c.hour * 3600 + (int64_t)c.minute * 60 + c.second;
    int64_t seconds = days_of_date(c.year, c.month, c.day) * S_PER_DAY + clock_s;
    int64_t borrow = seconds < 0; /* so that the product does not pass the end that the sum keeps */
    int64_t ns;

    if (__builtin_mul_overflow(seconds + borrow, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, c.ns - borrow * NS_PER_S, &ns)) {
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    }
    return ns;
}

static char *put_padded(char *out, int32_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

size_t time_print_rfc3339(int64_t wall_ns, char *out)
{
    struct civil c = civil_of(wall_ns);
    char *at = put_padded(out, c.year, 4);

    *at++ = '-';
    at = put_padded(at, c.month, 2);
    *at++ = '-';
    at = put_padded(at, c.day, 2);
    *at++ = 'T';
    at = put_padded(at, c.hour, 2);
    *at++ = ':';
    at = put_padded(at, c.minute, 2);
    *at++ = ':';
    at = put_padded(at, c.second, 2);
    if (c.ns != 0) {
        *at++ = '.';
        at = put_padded(at, c.ns, 9);
        while (at[-1] == '0') {
            at--;
        }
    }
    *at++ = 'Z';
    return (size_t)(at - out);
}

void buf_add_rfc3339(struct buf *b, int64_t wall_ns)
{
    char text[RFC3339_BYTES];

    buf_add(b, text, time_print_rfc3339(wall_ns, text));
}

/* Reading: a cursor over the text, and patterns in the manner of strptime. */

/* A letter may be in either case, as RFC 3339 has it. */
static bool take_byte(struct str *s, char byte)
{
    if (!str_eq_nocase(str_slice(*s, 0, 1), str_make(&byte, 1))) {
        return false;
    }
    *s = str_slice(*s, 1, s->len);
    return true;
}

static bool take_number(struct str *s, size_t width, int32_t *ret_value)
{
    uint64_t value;
    struct str part = str_slice(*s, 0, width);

    if (part.len < width || part.ptr[0] == '+' || !number_parse_u64(part, &value)) {
        return false;
    }
    *ret_value = (int32_t)value;
    *s = str_slice(*s, width, s->len);
    return true;
}

static bool take_month_name(struct str *s, int32_t *ret_month)
{
    for (int32_t month = 1; s->len >= 3 && month <= 12; month++) {
        if (str_eq(str_slice(*s, 0, 3), str_make(month_names + (size_t)(month - 1) * 3, 3))) {
            *ret_month = month;
            *s = str_slice(*s, 3, s->len);
            return true;
        }
    }
    return false;
}

/* The weekday says nothing that the date does not; any letters will do. */
static bool take_letters(struct str *s)
{
    size_t n = 0;

    while (n < s->len && (s->ptr[n] | 0x20) >= 'a' && (s->ptr[n] | 0x20) <= 'z') {
        n++;
    }
    *s = str_slice(*s, n, s->len);
    return n >= 3;
}

static bool take_short_year(struct str *s, int32_t *ret_year)
{
    if (!take_number(s, 2, ret_year)) {
        return false;
    }
    *ret_year += *ret_year < 70 ? 2000 : 1900;
    return true;
}

/*
 * Y year, y short year, m month, b its name, d day, e day padded with a space, H M S, a weekday;
 * others themselves.
 */
static bool take_field(struct str *s, char field, struct civil *c)
{
    switch (field) {
    case 'Y':
        return take_number(s, 4, &c->year);
    case 'y':
        return take_short_year(s, &c->year);
    case 'm':
        return take_number(s, 2, &c->month);
    case 'b':
        return take_month_name(s, &c->month);
    case 'd':
        return take_number(s, 2, &c->day);
    case 'e':
        return take_byte(s, ' ') ? take_number(s, 1, &c->day) : take_number(s, 2, &c->day);
    case 'H':
        return take_number(s, 2, &c->hour);
    case 'M':
        return take_number(s, 2, &c->minute);
    case 'S':
        return take_number(s, 2, &c->second);
    case 'a':
        return take_letters(s);
    default:
        return take_byte(s, field);
    }
}

/* Reads the front of *s after <pattern>, in which '%' goes before a field. */
static bool take_pattern(struct str *s, const char *pattern, struct civil *c)
{
    for (; *pattern != '\0'; pattern++) {
        bool is_field = *pattern == '%';
        pattern += is_field;
        if (is_field ? !take_field(s, *pattern, c) : !take_byte(s, *pattern)) {
            return false;
        }
    }
    return true;
}

/* ".123456789": digits past the ninth are cut. */
static bool take_fraction(struct str *s, int32_t *ret_ns)
{
    int32_t ns = 0;
    int32_t unit = 100 * 1000 * 1000;
    size_t n = 1;

    if (s->len == 0 || s->ptr[0] != '.') {
        return true;
    }
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++) {
        ns += unit * (s->ptr[n] - '0');
        unit /= 10;
    }
    *ret_ns = ns;
    *s = str_slice(*s, n, s->len);
    return n > 1;
}

/* Z or +hh:mm. */
static bool take_offset(struct str *s, int64_t *ret_offset_ns)
{
    struct civil c = {0};
    bool west = s->len > 0 && s->ptr[0] == '-';

    if (take_byte(s, 'Z')) {
        *ret_offset_ns = 0;
        return true;
    }
    if (!take_pattern(s, west ? "-%H:%M" : "+%H:%M", &c) || c.hour > 23 || c.minute > 59) {
        return false;
    }
    *ret_offset_ns = (c.hour * 3600 + c.minute * 60) * (west ? -NS_PER_S : NS_PER_S);
    return true;
}

static bool civil_exists(const struct civil *c)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= days[c->month - 1] + (c->month == 2 && is_leap(c->year)) && c->hour <= 23 &&
           c->minute <= 59 && c->second <= 59;
}

static bool check_civil(struct str s, const struct civil *c, struct err *e)
{
    if (!civil_exists(c)) {
        return err_set(e, ERR_PARSE,
                       "'%.*s' is no time: there is no such month, day, hour, minute or second",
                       STR_FMT(shown(s)));
    }
    if (c->year < YEAR_MIN || c->year > YEAR_MAX) {
        return err_set(e, ERR_PARSE, "'%.*s' is out of range: years %d to %d can be represented",
                       STR_FMT(shown(s)), YEAR_MIN, YEAR_MAX);
    }
    return true;
}

static int32_t two_digits(const char *p)
{
    return (p[0] - '0') * 10 + (p[1] - '0');
}

/* "2024-01-15T10:30:00" as nearly all write it; false, and nothing, for what the pattern has to look at. */
static bool take_usual(struct str *s, struct civil *c)
{
    static const char layout[] = "dddd-dd-ddTdd:dd:dd";
    bool fits = s->len >= sizeof(layout) - 1;

    for (size_t i = 0; fits && i < sizeof(layout) - 1; i++) {
        bool is_digit = (unsigned char)(s->ptr[i] - '0') <= 9;
        fits = layout[i] == 'd' ? is_digit : s->ptr[i] == layout[i];
    }
    if (!fits) {
        return false;
    }
    c->year = two_digits(s->ptr) * 100 + two_digits(s->ptr + 2);
    c->month = two_digits(s->ptr + 5);
    c->day = two_digits(s->ptr + 8);
    c->hour = two_digits(s->ptr + 11);
    c->minute = two_digits(s->ptr + 14);
    c->second = two_digits(s->ptr + 17);
    *s = str_slice(*s, sizeof(layout) - 1, s->len);
    return true;
}

static bool parse_rfc3339(struct str s, const char *or_else, int64_t *ret_wall_ns, struct err *e)
{
    struct civil c = {0};
    struct str rest = s;
    int64_t offset_ns = 0;

    if (!(take_usual(&rest, &c) || take_pattern(&rest, "%Y-%m-%dT%H:%M:%S", &c)) ||
        !take_fraction(&rest, &c.ns) || !take_offset(&rest, &offset_ns) || rest.len != 0) {
        return err_set(e, ERR_PARSE,
                       "'%.*s' is no time: expected RFC 3339 like 2024-01-15T10:30:00Z%s",
                       STR_FMT(shown(s)), or_else);
    }
    if (!check_civil(s, &c, e)) {
        return false;
    }
    *ret_wall_ns = civil_to_ns(c) - offset_ns;
    return true;
}

bool time_parse_rfc3339(struct str s, int64_t *ret_wall_ns, struct err *e)
{
    return parse_rfc3339(s, "", ret_wall_ns, e);
}

/* RFC 7231's preferred form, then the two that a recipient must still take. */
static const char *const http_patterns[] = {
    "%a, %d %b %Y %H:%M:%S GMT",
    "%a, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
};

bool time_parse_http(struct str s, int64_t *ret_wall_ns, struct err *e)
{
    for (size_t i = 0; i < ARRAY_LEN(http_patterns); i++) {
        struct civil c = {0};
        struct str rest = s;
        if (take_pattern(&rest, http_patterns[i], &c) && rest.len == 0) {
            if (!check_civil(s, &c, e)) {
                return false;
            }
            *ret_wall_ns = civil_to_ns(c);
            return true;
        }
    }
    return err_set(e, ERR_PARSE,
                   "'%.*s' is no HTTP date: expected one like Mon, 15 Jan 2024 10:30:00 GMT",
                   STR_FMT(shown(s)));
}

/* "1705314600.123", exactly. */
static bool parse_seconds(struct str s, int64_t *ret_ns)
{
    bool negative = take_byte(&s, '-');
    size_t point = str_find_byte(s, '.');
    struct str fraction = str_slice(s, point, s.len);
    int32_t part_ns = 0;
    uint64_t seconds;
    int64_t ns;

    if (!number_parse_u64(str_slice(s, 0, point), &seconds) || seconds > INT64_MAX ||
        !take_fraction(&fraction, &part_ns) || fraction.len != 0 ||
        __builtin_mul_overflow((int64_t)seconds, NS_PER_S, &ns) ||
        __builtin_add_overflow(ns, part_ns, &ns)) {
        return false;
    }
    *ret_ns = negative ? -ns : ns;
    return true;
}

bool time_parse_any(struct str s, int64_t *ret_wall_ns, struct err *e)
{
    double seconds;

    if (parse_seconds(s, ret_wall_ns)) {
        return true;
    }
    if (number_parse(s, &seconds)) {
        if (!(seconds > -9.2e9 && seconds < 9.2e9)) {
            return err_set(e, ERR_PARSE,
                           "'%.*s' is out of range: years %d to %d can be represented",
                           STR_FMT(shown(s)), YEAR_MIN, YEAR_MAX);
        }
        *ret_wall_ns = (int64_t)(seconds * 1e9);
        return true;
    }
    return parse_rfc3339(s, " or Unix seconds", ret_wall_ns, e);
}
