/*
 * Any bytes as number, size, time and duration. What parses prints, and what was printed parses
 * back to the same value.
 */
#include "base/number.h"
#include "base/timetext.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok) {
        abort();
    }
}

static void check_form(double value, size_t (*format)(double, char *))
{
    char text[NUMBER_PLAIN_MAX];
    double back = 0;
    size_t len = format(value, text);

    check(len > 0 && len <= NUMBER_PLAIN_MAX);
    check(number_parse(str_make(text, len), &back));
    check(number_bits(back) == number_bits(value) || (back != back && value != value));
}

static void check_double(struct str s)
{
    double value;

    if (number_parse(s, &value)) {
        check_form(value, number_format);
        check_form(value, number_format_go);
        check_form(value, number_format_exponent);
        check_form(value, number_format_plain);
    }
}

static void check_whole(struct str s)
{
    int64_t i;
    uint64_t u;
    double d;

    if (number_parse_i64(s, &i)) {
        check(number_parse(s, &d) && d == (double)i);
        check(s.ptr[0] == '-' || (number_parse_u64(s, &u) && u == (uint64_t)i));
    }
    check(!number_parse_bytes(s, &i) || i >= 0);
}

static void check_time(struct str s)
{
    struct err e = ERR_INIT;
    struct buf text = BUF_INIT(1000);
    int64_t ns;
    int64_t back;

    if (time_parse_rfc3339(s, &ns, &e)) {
        buf_add_rfc3339(&text, ns);
        check(time_parse_any(buf_str(&text), &back, &e) && back == ns);
    }
    if (time_parse_http(s, &ns, &e) || time_parse_any(s, &ns, &e)) {
        check(civil_to_ns(civil_of(ns)) == ns);
    }
    buf_release(&text);
}

static void check_duration(struct str s, bool lenient)
{
    struct err e = ERR_INIT;
    struct buf text = BUF_INIT(1000);
    int64_t ns;
    int64_t back;

    if (duration_parse(s, lenient, &ns, &e)) {
        buf_add_duration(&text, ns);
        check(duration_parse(buf_str(&text), true, &back, &e) && back == ns);
    } else {
        check(e.code == ERR_PARSE && e.message[0] != '\0');
    }
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};

    check_double(s);
    check_whole(s);
    check_time(s);
    check_duration(s, false);
    check_duration(s, true);
    if (size >= 8) {
        uint64_t bits;
        memcpy(&bits, data, 8);
        check_form(number_from_bits(bits), number_format);
        check_form(number_from_bits(bits), number_format_plain);
    }
    return 0;
}
