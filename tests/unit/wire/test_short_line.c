/* Short lines: what is written is read back, what is none is refused, and a model becomes what JSON would have been. */
#include "wire/short_line.h"

#include "base/attr.h"
#include "base/number.h"
#include "base/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_back(int64_t time_ns, double value, uint64_t at)
{
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);
    const struct short_line s = {time_ns, value, at};
    struct short_line back = {0};
    struct err e = ERR_INIT;

    short_line_add(&s, &line);
    assert_true(line.len <= SHORT_LINE_MAX);
    assert_true(short_line_is(buf_str(&line)));
    assert_true(short_line_read(buf_str(&line), &back, &e));
    assert_true(back.time_ns == time_ns && back.at == at);
    assert_true(number_bits(back.value) == number_bits(value));
}

static void what_is_written_is_read(void **state)
{
    static const int64_t times[] = {0, 1, -1, INT64_MIN, INT64_MAX, 1705314600123456789};
    static const double values[] = {0, -0.0, 1, -2.5e-300, 1.7976931348623157e308, 0.1};
    static const uint64_t places[] = {0, 9, 10, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX};
    struct rng rng;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        assert_back(times[i], values[i], places[i]);
    }
    rng_seed(&rng, 7);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = rng_u64(&rng);
        double value = 0;
        memcpy(&value, &bits, sizeof(value));
        assert_back((int64_t)rng_u64(&rng), isfinite(value) ? value : 1,
                    rng_u64(&rng) >> rng_below(&rng, 64));
    }
}

/* The line of value 1 at time 0, of a model at 16. */
#define GOOD "=00000000000000003ff000000000000000000010"

static void what_is_none_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "=",
        " " GOOD,
        "=00000000000000003ff0000000000000",
        "=00000000000000003ff00000000000000000001",
        GOOD "0",
        "=00000000000000003FF000000000000000000010",
        "=0000000000000000:ff000000000000000000010",
        "=0000000000000000/ff000000000000000000010",
        "=0000000000000000gff000000000000000000010",
        "=0000000000000000`ff000000000000000000010",
        "=0000000000000000\xb3"
        "ff000000000000000000010",
        "=00000000000000007ff000000000000000000010", /* infinity */
        "=00000000000000007ff800000000000000000010",
    };
    struct short_line s = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_true(short_line_read(STR(GOOD), &s, &e));
    assert_true(s.value == 1 && s.at == 16);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        e = ERR_INIT;
        assert_false(short_line_read(str_of(lines[i]), &s, &e));
        assert_int_equal(e.code, ERR_PARSE);
    }
}

static const struct {
    const char *model;
    const char *want; /* NULL: it is none */
} expansions[] = {
    {" {\"timestamp\":\"2024-01-15T10:30:00Z\",\"name\":\"x\",\"value\":1.5}",
     "{\"timestamp\":\"1970-01-01T00:00:01Z\",\"name\":\"x\",\"value\":0.25}"},
    {" {\"timestamp\":\"2024-01-15T10:30:00Z\",\"labels\":{\"value\":\"1\",\"timestamp\":\"t\"},"
     "\"value\":1,\"rule\":\"\\u00e9\"}",
     "{\"timestamp\":\"1970-01-01T00:00:01Z\",\"labels\":{\"value\":\"1\",\"timestamp\":\"t\"},"
     "\"value\":0.25,\"rule\":\"\\u00e9\"}"},
    {"{\"timestamp\":\"2024-01-15T10:30:00Z\",\"value\":1.5}", NULL},
    {" {\"timestamp\":\"2024-01-15T10:30:00Z\"}", NULL},
    {" {\"value\":1,\"timestamp\":\"2024-01-15T10:30:00Z\"}", NULL},
    {" {\"timestamp\":\"2024-01-15T10:30:00Z\",\"value\":\"NaN\"}", NULL},
    {" []", NULL},
    {" {", NULL},
    {GOOD, NULL},
    {"", NULL},
};

static void a_model_becomes_what_it_stands_for(void **state)
{
    const struct short_line s = {INT64_C(1000000000), 0.25, 0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(expansions); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        AUTO(arena_release) struct arena a;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        bool ok = short_line_expand(str_of(expansions[i].model), &s, &a, &out, &e);
        assert_int_equal(ok, expansions[i].want != NULL);
        if (ok) {
            assert_string_equal(buf_text(&out), expansions[i].want);
        } else {
            assert_int_equal(e.code, ERR_PARSE);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(a_model_becomes_what_it_stands_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
