/*
 * Numbers, durations, strings and escaped words: what their tokens look like, and what they mean.
 *
 * PromQL and MetricsQL share decimal and hexadecimal numbers with underscores between digits, and a
 * leading 0 that makes a whole number octal. MetricsQL adds 0b and 0o, the suffixes k, Ki, M, ...
 * and durations with fractions, signs between their parts ("1h-5m") and query steps ("5i").
 */
#include "promql/lex.h"

#include "base/attr.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/timetext.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static int digit_value(char c)
{
    char l = lower(c);

    return is_digit(c) ? c - '0' : l >= 'a' && l <= 'f' ? l - 'a' + 10 : 16;
}

static char at(struct str s, size_t i)
{
    return i < s.len ? s.ptr[i] : '\0';
}

/* Digits below <base> from <i> on, with single underscores between them; the offset behind. */
static size_t scan_digits(struct str s, size_t i, int base)
{
    while (digit_value(at(s, i)) < base ||
           (at(s, i) == '_' && i > 0 && s.ptr[i - 1] != '_' && digit_value(at(s, i + 1)) < base)) {
        i++;
    }
    return i;
}

static bool ends_word(struct str s, size_t i)
{
    char c = at(s, i);

    return !is_digit(c) && c != '_' && c != '.' && !(lower(c) >= 'a' && lower(c) <= 'z');
}

/* The base that "0x", "0b" or "0o" says; 10 for anything else. */
static int prefix_base(struct str s, enum promql_dialect dialect)
{
    char mark = at(s, 0) == '0' ? lower(at(s, 1)) : '\0';

    if (mark == 'x') {
        return 16;
    }
    return dialect != PROMQL_METRICSQL ? 10 : mark == 'b' ? 2 : mark == 'o' ? 8 : 10;
}

static const struct {
    struct str text;
    double factor;
} suffixes[] = {
    {STR_INIT("kib"), 1024.0},
    {STR_INIT("ki"), 1024.0},
    {STR_INIT("kb"), 1e3},
    {STR_INIT("k"), 1e3},
    {STR_INIT("mib"), 1048576.0},
    {STR_INIT("mi"), 1048576.0},
    {STR_INIT("mb"), 1e6},
    {STR_INIT("m"), 1e6},
    {STR_INIT("gib"), 1073741824.0},
    {STR_INIT("gi"), 1073741824.0},
    {STR_INIT("gb"), 1e9},
    {STR_INIT("g"), 1e9},
    {STR_INIT("tib"), 1099511627776.0},
    {STR_INIT("ti"), 1099511627776.0},
    {STR_INIT("tb"), 1e12},
    {STR_INIT("t"), 1e12},
};

/* Length of the suffix at <i>, and its factor; 0 and 1 when there is none. */
static size_t scan_suffix(struct str s, size_t i, double *ret_factor)
{
    *ret_factor = 1;
    for (size_t k = 0; k < ARRAY_LEN(suffixes); k++) {
        if (str_eq_nocase(str_slice(s, i, suffixes[k].text.len), suffixes[k].text)) {
            *ret_factor = suffixes[k].factor;
            return suffixes[k].text.len;
        }
    }
    return 0;
}

static size_t scan_decimal(struct str s)
{
    size_t i = scan_digits(s, 0, 10);

    if (at(s, i) == '.') {
        i = is_digit(at(s, i + 1)) ? scan_digits(s, i + 1, 10) : i + 1;
    }
    if (lower(at(s, i)) == 'e') {
        size_t digits = i + 1 + (at(s, i + 1) == '+' || at(s, i + 1) == '-');
        if (is_digit(at(s, digits))) {
            i = scan_digits(s, digits, 10);
        }
    }
    return i;
}

static size_t scan_plain_number(struct str s, enum promql_dialect dialect)
{
    int base = prefix_base(s, dialect);
    double factor;
    size_t i;

    if (base != 10) {
        size_t first = at(s, 2) == '_' ? 3 : 2;
        i = scan_digits(s, first, base);
        return i > first && ends_word(s, i) ? i : 0;
    }
    i = scan_decimal(s);
    if (dialect == PROMQL_METRICSQL) {
        i += scan_suffix(s, i, &factor);
    }
    return ends_word(s, i) ? i : 0;
}

static const struct {
    struct str text;
    double seconds;
} units[] = {
    {STR_INIT("ms"), 0.001},   {STR_INIT("s"), 1},     {STR_INIT("m"), 60},
    {STR_INIT("h"), 3600},     {STR_INIT("d"), 86400}, {STR_INIT("w"), 604800},
    {STR_INIT("y"), 31536000},
};

/* Length of the unit at <i> and its seconds, 0 for a query step; 0 when there is none. */
static size_t scan_unit(struct str s, size_t i, enum promql_dialect dialect, double *ret_seconds)
{
    bool metricsql = dialect == PROMQL_METRICSQL;

    *ret_seconds = 0;
    if (metricsql && lower(at(s, i)) == 'i') {
        return 1;
    }
    for (size_t k = 0; k < ARRAY_LEN(units); k++) {
        struct str here = str_slice(s, i, units[k].text.len);
        /* "5M" is five millions, and so are "5Mi" and "5mb" numbers. */
        bool minute = units[k].seconds == 60.0;
        char next = lower(at(s, i + 1));
        bool millions = minute && (at(s, i) == 'M' || next == 'i' || next == 'b');
        if (metricsql ? str_eq_nocase(here, units[k].text) && !millions
                      : str_eq(here, units[k].text)) {
            *ret_seconds = units[k].seconds;
            return units[k].text.len;
        }
    }
    return 0;
}

/* One part of a duration at <i>, as "1h" or "-1.5m"; the offset behind it, or <i>. */
static size_t scan_part(struct str s, size_t i, enum promql_dialect dialect)
{
    bool metricsql = dialect == PROMQL_METRICSQL;
    size_t j = i + (metricsql && i > 0 && at(s, i) == '-');
    size_t first = j;
    double seconds;

    while (is_digit(at(s, j))) {
        j++;
    }
    if (j == first) {
        return i;
    }
    if (metricsql && at(s, j) == '.') {
        for (j++; is_digit(at(s, j)); j++) {
        }
    }
    size_t unit = scan_unit(s, j, dialect, &seconds);
    return unit > 0 ? j + unit : i;
}

static size_t scan_duration(struct str s, enum promql_dialect dialect)
{
    size_t i = scan_part(s, 0, dialect);

    for (size_t next = i; next != 0; i = next) {
        next = scan_part(s, i, dialect);
        if (next == i) {
            break;
        }
    }
    return i > 0 && ends_word(s, i) ? i : 0;
}

size_t scan_number(struct str s, enum promql_dialect dialect, enum token_kind *ret_kind)
{
    size_t duration = scan_duration(s, dialect);

    *ret_kind = duration > 0 ? TOKEN_DURATION : TOKEN_NUMBER;
    return duration > 0 ? duration : scan_plain_number(s, dialect);
}

/* A whole number of <base> below 2^64, underscores passed over. */
static bool read_whole(struct str digits, unsigned base, double *ret_value)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] == '_') {
            continue;
        }
        unsigned digit = (unsigned)digit_value(digits.ptr[i]);
        if (digit >= base || value > (UINT64_MAX - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    *ret_value = (double)value;
    return true;
}

static bool is_octal(struct str s)
{
    if (s.len < 2 || s.ptr[0] != '0') {
        return false;
    }
    for (size_t i = 1; i < s.len; i++) {
        if (s.ptr[i] != '_' && digit_value(s.ptr[i]) >= 8) {
            return false;
        }
    }
    return true;
}

static bool read_decimal(struct str s, double *ret_value)
{
    AUTO(buf_release) struct buf plain = BUF_INIT(BUF_SMALL);

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '_') {
            buf_add_byte(&plain, s.ptr[i]);
        }
    }
    return buf_ok(&plain) && number_parse(buf_str(&plain), ret_value);
}

bool read_number(struct str text, enum promql_dialect dialect, double *ret_value)
{
    int base = prefix_base(text, dialect);
    double factor = 1;
    double value;

    if (base != 10) {
        return read_whole(str_slice(text, 2, text.len), (unsigned)base, ret_value);
    }
    if (is_octal(text)) {
        return read_whole(text, 8, ret_value);
    }
    size_t digits = text.len;
    if (dialect == PROMQL_METRICSQL) {
        digits = scan_decimal(text);
        (void)scan_suffix(text, digits, &factor);
    }
    if (!read_decimal(str_slice(text, 0, digits), &value)) {
        return false;
    }
    *ret_value = value * factor;
    return true;
}

/* Adds the part of <text> at <*i> to the sums. A minus counts for all parts behind it. */
static bool add_part(struct str text, size_t *i, bool *minus, double *value, double *steps)
{
    size_t end = scan_part(text, *i, PROMQL_METRICSQL);
    struct str part = str_slice(text, *i, end - *i);
    double number;
    double seconds;
    size_t digits = 0;

    *i = end;
    if (at(part, 0) == '-') {
        *minus = true;
        part = str_slice(part, 1, part.len);
    }
    while (is_digit(at(part, digits)) || at(part, digits) == '.') {
        digits++;
    }
    if (digits == 0 || !number_parse(str_slice(part, 0, digits), &number)) {
        return false;
    }
    size_t unit = scan_unit(part, digits, PROMQL_METRICSQL, &seconds);
    number = *minus ? -number : number;
    *(seconds == 0.0 ? steps : value) += unit > 0 && seconds != 0.0 ? number * seconds : number;
    return true;
}

bool read_duration(struct str text, enum promql_dialect dialect, double *ret_value,
                   double *ret_steps, struct err *e)
{
    double value = 0;
    double steps = 0;
    bool minus = false;

    if (dialect == PROMQL_PROMETHEUS) {
        int64_t ns;
        if (!duration_parse(text, false, &ns, e)) {
            return false;
        }
        *ret_value = (double)ns / (double)NS_PER_S;
        *ret_steps = 0;
        return true;
    }
    for (size_t i = 0; i < text.len;) {
        if (!add_part(text, &i, &minus, &value, &steps)) {
            return err_set(e, ERR_PARSE, "\"%.*s\" is not a duration", STR_FMT(text));
        }
    }
    *ret_value = value;
    *ret_steps = steps;
    return true;
}
