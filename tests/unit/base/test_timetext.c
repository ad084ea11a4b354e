/* Times and durations as text, by tables; civil dates against every day of the range. */
#include "base/timetext.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct time_case {
    const char *text;
    int64_t ns;
    const char *printed; /* NULL: refused */
};

#define S_2024 INT64_C(1705314600)

static const struct time_case rfc3339_cases[] = {
    {"2024-01-15T10:30:00Z", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"2024-01-15t10:30:00z", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"2024-01-15T11:30:00+01:00", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"2024-01-15T04:00:00-06:30", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"2024-01-15T10:30:00.5Z", S_2024 *NS_PER_S + 500000000, "2024-01-15T10:30:00.5Z"},
    {"2024-01-15T10:30:00.123456789987Z", S_2024 *NS_PER_S + 123456789,
     "2024-01-15T10:30:00.123456789Z"},
    {"2024-01-15T10:30:00.000000010Z", S_2024 *NS_PER_S + 10, "2024-01-15T10:30:00.00000001Z"},
    {"1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"},
    {"1969-12-31T23:59:59.9Z", -100000000, "1969-12-31T23:59:59.9Z"},
    {"2000-02-29T00:00:00Z", INT64_C(951782400) * NS_PER_S, "2000-02-29T00:00:00Z"},
    {"1678-01-01T00:00:00Z", INT64_C(-9214560000) * NS_PER_S, "1678-01-01T00:00:00Z"},
    {"2261-12-31T23:59:59Z", INT64_C(9214646399) * NS_PER_S, "2261-12-31T23:59:59Z"},
    {"1677-12-31T23:59:59Z", 0, NULL},
    {"2262-01-01T00:00:00Z", 0, NULL},
    {"2100-02-29T00:00:00Z", 0, NULL},
    {"2024-13-01T00:00:00Z", 0, NULL},
    {"2024-00-01T00:00:00Z", 0, NULL},
    {"2024-01-32T00:00:00Z", 0, NULL},
    {"2024-01-15T24:00:00Z", 0, NULL},
    {"2024-01-15T10:60:00Z", 0, NULL},
    {"2024-01-15T10:30:60Z", 0, NULL},
    {"2024-01-15T10:30:00", 0, NULL},
    {"2024-01-15T10:30:00.Z", 0, NULL},
    {"2024-01-15T10:30:00+24:00", 0, NULL},
    {"2024-01-15T10:30:00Z ", 0, NULL},
    {"2024-01-15 10:30:00Z", 0, NULL},
    {"2024\r01-15T10:30:00Z", 0, NULL},
    {"2024-1-15T10:30:00Z", 0, NULL},
    {"+024-01-15T10:30:00Z", 0, NULL},
    {"yesterday", 0, NULL},
    {"", 0, NULL},
};

static void check_time(bool (*parse)(struct str, int64_t *, struct err *),
                       const struct time_case *c)
{
    struct err e = ERR_INIT;
    int64_t ns = -77;
    AUTO(buf_release) struct buf b = BUF_INIT(100);

    bool ok = parse(str_of(c->text), &ns, &e);
    if (ok != (c->printed != NULL) || ns != (ok ? c->ns : -77)) {
        fail_msg("'%s': %d %lld %s", c->text, ok, (long long)ns, e.message);
    }
    assert_int_equal(e.code, ok ? ERR_NONE : ERR_PARSE);
    if (ok) {
        buf_add_rfc3339(&b, ns);
        assert_string_equal(buf_text(&b), c->printed);
    }
}

static void rfc3339_parses_and_prints(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rfc3339_cases); i++) {
        check_time(time_parse_rfc3339, &rfc3339_cases[i]);
    }
}

static const struct time_case http_cases[] = {
    {"Mon, 15 Jan 2024 10:30:00 GMT", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"Monday, 15-Jan-24 10:30:00 GMT", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"Mon Jan 15 10:30:00 2024", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"Sun Nov  6 08:49:37 1994", INT64_C(784111777) * NS_PER_S, "1994-11-06T08:49:37Z"},
    {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777) * NS_PER_S, "1994-11-06T08:49:37Z"},
    {"Mon, 15 Jan 2024 10:30:00 CET", 0, NULL},
    {"Mon, 15 Foo 2024 10:30:00 GMT", 0, NULL},
    {"Mon, 31 Feb 2024 10:30:00 GMT", 0, NULL},
    {"Mon, 15 Jan 2024 10:30:00 GMT, again", 0, NULL},
    {"120", 0, NULL},
    {"", 0, NULL},
};

static void http_dates_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(http_cases); i++) {
        check_time(time_parse_http, &http_cases[i]);
    }
}

static const struct time_case any_cases[] = {
    {"1705314600", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"1705314600.123456789", S_2024 *NS_PER_S + 123456789, "2024-01-15T10:30:00.123456789Z"},
    {"1.7053146e9", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"-0.5", -500000000, "1969-12-31T23:59:59.5Z"},
    {"2024-01-15T10:30:00Z", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"99999999999", 0, NULL},
    {"1e300", 0, NULL},
    {"NaN", 0, NULL},
    {"now", 0, NULL},
    {"1705314600.", S_2024 *NS_PER_S, "2024-01-15T10:30:00Z"},
    {"", 0, NULL},
};

static void any_time_parses(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(any_cases); i++) {
        check_time(time_parse_any, &any_cases[i]);
    }
}

static void errors_say_what_to_write(void **state)
{
    struct err e = ERR_INIT;
    int64_t ns;

    (void)state;
    assert_false(time_parse_any(STR("now"), &ns, &e));
    assert_string_equal(
        e.message, "'now' is no time: expected RFC 3339 like 2024-01-15T10:30:00Z or Unix seconds");
    assert_false(time_parse_rfc3339(STR("2024-02-30T00:00:00Z"), &ns, &e));
    assert_string_equal(
        e.message,
        "'2024-02-30T00:00:00Z' is no time: there is no such month, day, hour, minute or second");
    assert_false(duration_parse(STR("5min"), false, &ns, &e));
    assert_string_equal(e.message,
                        "unknown unit 'min' in duration '5min': use ms, s, m, h, d, w or y");
    assert_false(duration_parse(STR("5m1h"), false, &ns, &e));
    assert_string_equal(
        e.message,
        "unit 'h' is out of order in duration '5m1h': write each unit once, the largest first");
    assert_false(duration_parse(STR("30"), false, &ns, &e));
    assert_string_equal(e.message,
                        "'30' is no duration: expected a number and a unit, like 30s, 5m or 1h30m");
    assert_false(duration_parse(STR("300y"), false, &ns, &e));
    assert_string_equal(e.message, "duration '300y' is too long: at most 292y");
}

static void every_day_has_its_civil_date(void **state)
{
    static const int32_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct civil want = {.year = 1678, .month = 1, .day = 1, .weekday = 6};

    (void)state;
    for (int64_t ns = INT64_C(-9214560000) * NS_PER_S; want.year < 2262; ns += 86400 * NS_PER_S) {
        struct civil got = civil_of(ns + 3661 * NS_PER_S);
        assert_true(got.year == want.year && got.month == want.month && got.day == want.day);
        assert_true(got.weekday == want.weekday && got.yearday == want.yearday);
        assert_true(got.hour == 1 && got.minute == 1 && got.second == 1 && got.ns == 0);
        assert_true(civil_to_ns(want) == ns);
        bool leap = (want.year % 4 == 0 && want.year % 100 != 0) || want.year % 400 == 0;
        want.weekday = (want.weekday + 1) % 7;
        want.yearday++;
        if (++want.day > lengths[want.month - 1] + (want.month == 2 && leap)) {
            want.day = 1;
            want.month++;
        }
        if (want.month > 12) {
            want.month = 1;
            want.yearday = 0;
            want.year++;
        }
    }
}

static void the_ends_of_time_print(void **state)
{
    AUTO(buf_release) struct buf b = BUF_INIT(100);

    (void)state;
    buf_add_rfc3339(&b, INT64_MIN);
    buf_add_byte(&b, ' ');
    buf_add_rfc3339(&b, INT64_MAX);
    assert_string_equal(buf_text(&b),
                        "1677-09-21T00:12:43.145224192Z 2262-04-11T23:47:16.854775807Z");
    assert_true(civil_to_ns(civil_of(INT64_MIN)) == INT64_MIN);
    assert_true(civil_to_ns(civil_of(INT64_MAX)) == INT64_MAX);
    assert_true(civil_to_ns((struct civil){.year = 9999, .month = 1, .day = 1}) == INT64_MAX);
    assert_true(civil_to_ns((struct civil){.year = 1, .month = 1, .day = 1}) == INT64_MIN);
}

struct duration_case {
    const char *text;
    bool strict;
    bool lenient;
    int64_t ns;
    const char *printed;
};

#define HOUR (3600 * NS_PER_S)
#define DAY (24 * HOUR)

static const struct duration_case duration_cases[] = {
    {"0", true, true, 0, "0s"},
    {"0s", true, true, 0, "0s"},
    {"5m", true, true, 300 * NS_PER_S, "5m"},
    {"1h30m", true, true, HOUR * 3 / 2, "1h30m"},
    {"90m", true, true, HOUR * 3 / 2, "1h30m"},
    {"100ms", true, true, 100 * NS_PER_MS, "100ms"},
    {"1d", true, true, DAY, "1d"},
    {"1w", true, true, 7 * DAY, "1w"},
    {"90d", true, true, 90 * DAY, "90d"},
    {"2w", true, true, 14 * DAY, "2w"},
    {"1y", true, true, 365 * DAY, "1y"},
    {"1y2w3d4h5m6s7ms", true, true, 382 * DAY + 4 * HOUR + 306 * NS_PER_S + 7 * NS_PER_MS,
     "382d4h5m6s7ms"},
    {"292y", true, true, 292 * (365 * DAY), "292y"},
    {"30", false, true, 30 * NS_PER_S, "30s"},
    {"1.5", false, true, 1500 * NS_PER_MS, "1s500ms"},
    {"1.5h", false, true, HOUR * 3 / 2, "1h30m"},
    {".5h", false, true, HOUR / 2, "30m"},
    {"1h1.5s", false, true, HOUR + 1500 * NS_PER_MS, "1h1s500ms"},
    {"0.123456789123456789123s", false, true, 123456789, "123ms456us789ns"},
    {"7us", false, true, 7000, "7us"},
    {"7\xc2\xb5s", false, true, 7000, "7us"},
    {"9ns", false, true, 9, "9ns"},
    {"-5m", false, true, -300 * NS_PER_S, "-5m"},
    {"", false, false, 0, NULL},
    {"-", false, false, 0, NULL},
    {".", false, false, 0, NULL},
    {".s", false, false, 0, NULL},
    {"s", false, false, 0, NULL},
    {"5 m", false, false, 0, NULL},
    {"5m ", false, false, 0, NULL},
    {"5m5", false, false, 0, NULL},
    {"5M", false, false, 0, NULL},
    {"1h1h", false, false, 0, NULL},
    {"1m1h", false, false, 0, NULL},
    {"1s5us", false, true, NS_PER_S + 5000, "1s5us"},
    {"5us1s", false, false, 0, NULL},
    {"293y", false, false, 0, NULL},
    {"292y365d", false, false, 0, NULL},
    {"9223372036854775808ns", false, false, 0, NULL},
    {"99999999999999999999s", false, false, 0, NULL},
    {"1e3s", false, false, 0, NULL},
};

static void check_duration(const struct duration_case *c, bool lenient)
{
    struct err e = ERR_INIT;
    int64_t ns = -77;
    AUTO(buf_release) struct buf b = BUF_INIT(100);

    bool ok = duration_parse(str_of(c->text), lenient, &ns, &e);
    if (ok != (lenient ? c->lenient : c->strict) || ns != (ok ? c->ns : -77)) {
        fail_msg("'%s': %d %lld %s", c->text, ok, (long long)ns, e.message);
    }
    if (ok) {
        buf_add_duration(&b, ns);
        assert_string_equal(buf_text(&b), c->printed);
    }
}

static void durations_parse_and_print(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(duration_cases); i++) {
        check_duration(&duration_cases[i], false);
        check_duration(&duration_cases[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc3339_parses_and_prints),
        cmocka_unit_test(http_dates_parse),
        cmocka_unit_test(any_time_parses),
        cmocka_unit_test(errors_say_what_to_write),
        cmocka_unit_test(every_day_has_its_civil_date),
        cmocka_unit_test(the_ends_of_time_print),
        cmocka_unit_test(durations_parse_and_print),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
