#include "wire/prom_answer.h"

#include "base/number.h"
#include "wire/prom_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Rows as text: "labels time value;" */
struct seen {
    struct buf out;
    unsigned stop_after; /* 0: never */
    unsigned rows;
};

static bool print_row(void *arg, struct str raw_labels, int64_t time_ns, double value,
                      struct err *e)
{
    struct seen *seen = arg;

    buf_add_str(&seen->out, raw_labels);
    buf_add_byte(&seen->out, ' ');
    buf_add_i64(&seen->out, time_ns);
    buf_add_byte(&seen->out, ' ');
    buf_add_double(&seen->out, value);
    buf_add_byte(&seen->out, ';');
    seen->rows++;
    return seen->rows != seen->stop_after || err_set(e, ERR_LIMIT, "enough");
}

/* Decodes an exact heap copy. */
static bool decode(struct str body, struct seen *seen, struct arena *a, struct prom_answer *answer,
                   struct err *e)
{
    const struct prom_rows rows = {print_row, seen};
    char *copy = arena_alloc(a, body.len);

    memcpy(copy, body.ptr, body.len);
    buf_init(&seen->out, BUF_UNLIMITED);
    return prom_answer_decode(str_make(copy, body.len), a, &rows, answer, e);
}

#define VECTOR(rows) \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[" rows "]}}"
#define RESULT(type, result) \
    "{\"status\":\"success\",\"data\":{\"resultType\":\"" type "\",\"result\":" result "}}"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        struct str body;
        const char *rows;
        enum prom_result result;
    } cases[] = {
        {STR_INIT(VECTOR("")), "", PROM_VECTOR},
        {STR_INIT(VECTOR("{\"metric\":{\"__name__\":\"up\",\"job\":\"a}b\"},"
                         "\"value\":[1435781451.781,\"1\"]},"
                         "{\"metric\":{},\"value\":[1435781451,\"NaN\"]}")),
         "{\"__name__\":\"up\",\"job\":\"a}b\"} 1435781451781000000 1;{} 1435781451000000000 NaN;",
         PROM_VECTOR},
        {STR_INIT(
             VECTOR(" { \"value\" : [ 1.5 , \"+Inf\" ] , \"metric\" : { \"a\" : \"\\\"}\" } } ")),
         "{ \"a\" : \"\\\"}\" } 1500000000 +Inf;", PROM_VECTOR},
        {STR_INIT(
             "{\"data\":{\"result\":[{\"value\":[1,\"2\"],\"metric\":{}}],\"resultType\":\"vector\"},"
             "\"status\":\"success\"}"),
         "{} 1000000000 2;", PROM_VECTOR},
        {STR_INIT(RESULT("matrix",
                         "[{\"metric\":{\"a\":\"b\"},\"values\":[[1,\"1\"],[2.001,\"-Inf\"]]},"
                         "{\"values\":[[3,\"3\"]],\"metric\":{}}]")),
         "{\"a\":\"b\"} 1000000000 1;{\"a\":\"b\"} 2001000000 -Inf;{} 3000000000 3;", PROM_MATRIX},
        {STR_INIT(RESULT("scalar", "[1.25,\"42\"]")), "{} 1250000000 42;", PROM_SCALAR},
        {STR_INIT(
             "{\"status\":\"success\",\"data\":{\"result\":[1,\"2e3\"],\"resultType\":\"scalar\"}}"),
         "{} 1000000000 2000;", PROM_SCALAR},
        {STR_INIT(RESULT("vector", "null")), "", PROM_VECTOR},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a;
        struct seen seen = {0};
        struct prom_answer answer = {0};
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        if (!decode(cases[i].body, &seen, &a, &answer, &e)) {
            fail_msg("%.*s: %s", STR_FMT(cases[i].body), e.message);
        }
        assert_string_equal(buf_text(&seen.out), cases[i].rows);
        assert_int_equal(answer.result, cases[i].result);
        assert_int_equal(answer.rows, seen.rows);
        assert_false(answer.is_error || answer.is_partial || answer.has_histograms);
        assert_int_equal(answer.series_fetched, -1);
        buf_release(&seen.out);
        arena_release(&a);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        struct str body;
        const char *message;
    } cases[] = {
        {STR_INIT("<html>"), "expected an object, found '<' at byte 0"},
        {STR_INIT("{}"),
         "answer without \"status\": \"success\" or \"error\": is this a Prometheus query "
         "API?"},
        {STR_INIT("{\"status\":\"success\"}"), "answer says \"success\" and has no \"result\""},
        {STR_INIT("{\"status\":\"success\",\"data\":null}"),
         "answer says \"success\" and has no \"result\""},
        {STR_INIT(VECTOR("{\"value\":[1,\"2\"]}")),
         "expected \"metric\" in every series at byte 77"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[\"1\",\"2\"]}")),
         "expected a number, found '\"' at byte 82"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[1,2]}")),
         "expected a string, found '2' at byte 84"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[1,\"x\"]}")),
         "\"x\" is no sample value at byte 87"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[1]}")),
         "expected [time, \"value\"] at byte 84"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[1,\"1\",1]}")),
         "expected [time, \"value\"] at byte 88"},
        {STR_INIT(VECTOR("{\"metric\":{},\"value\":[1e300,\"1\"]}")),
         "time 1e300 is out of range at byte 87"},
        {STR_INIT(VECTOR("{\"metric\":[\"a\" \"b\"],\"value\":[1,\"1\"]}")),
         "expected ',' or ']', found '\"' at byte 75"},
        {STR_INIT(VECTOR("1")), "expected [time, \"value\"] at byte 62"},
        {STR_INIT(RESULT("string", "[1,\"x\"]")),
         "the query gives a string, which is no sample at byte 59"},
        {STR_INIT(RESULT("matrix", "[{\"metric\":{},\"values\":[[1,\"1\"],[2]]}]")),
         "expected [time, \"value\"] at byte 94"},
        {STR_INIT(VECTOR("") "x"), "expected nothing more, found 'x' at byte 63"},
        {STR_INIT("{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":["),
         "expected a value or ']', found the end at byte 60"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena a;
        struct seen seen = {0};
        struct prom_answer answer = {.rows = 99};
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        assert_false(decode(cases[i].body, &seen, &a, &answer, &e));
        assert_string_equal(e.message, cases[i].message);
        assert_int_equal(e.code, ERR_PARSE);
        assert_int_equal(answer.rows, 99);
        buf_release(&seen.out);
        arena_release(&a);
    }
}

static void test_what_else_an_answer_says(void **state)
{
    (void)state;
    struct arena a;
    struct seen seen = {0};
    struct prom_answer answer = {0};
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    assert_true(
        decode(STR("{\"status\":\"success\",\"isPartial\":true,\"data\":{\"resultType\":\"vector\","
                   "\"result\":[{\"metric\":{},\"histogram\":[1,{\"count\":\"1\"}]}],"
                   "\"stats\":{\"x\":1}},\"stats\":{\"seriesFetched\":\"17\","
                   "\"executionTimeMsec\":3},\"warnings\":[\"slow\\n\",\"b\"],\"infos\":[\"c\"],"
                   "\"other\":[[]]}"),
               &seen, &a, &answer, &e));
    assert_true(answer.is_partial && answer.has_histograms);
    assert_int_equal(answer.series_fetched, 17);
    assert_int_equal(answer.warning_count, 3);
    assert_true(str_eq(answer.first_warning, STR("slow\n")));
    assert_int_equal(answer.rows, 0);
    buf_release(&seen.out);
    assert_true(decode(STR("{\"status\":\"success\",\"isPartial\":null,\"data\":{\"result\":[]},"
                           "\"stats\":{\"seriesFetched\":18},\"warnings\":null}"),
                       &seen, &a, &answer, &e));
    assert_false(answer.is_partial);
    assert_int_equal(answer.series_fetched, 18);
    buf_release(&seen.out);
    assert_true(
        decode(STR("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"no \\\"x\\\"\"}"),
               &seen, &a, &answer, &e));
    assert_true(answer.is_error);
    assert_true(str_eq(answer.error_type, STR("bad_data")));
    assert_true(str_eq(answer.error, STR("no \"x\"")));
    buf_release(&seen.out);
    arena_release(&a);
}

static void test_row_function_stops(void **state)
{
    (void)state;
    static const struct str bodies[] = {
        STR_INIT(VECTOR("{\"metric\":{},\"value\":[1,\"2\"]},{\"metric\":{},\"value\":[1,\"2\"]}")),
        STR_INIT(RESULT("matrix", "[{\"metric\":{},\"values\":[[1,\"1\"],[2,\"2\"]]}]")),
        STR_INIT(RESULT("scalar", "[1,\"1\"]")),
    };
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct arena a;
        struct seen seen = {.stop_after = 1};
        struct prom_answer answer;
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        assert_false(decode(bodies[i], &seen, &a, &answer, &e));
        assert_int_equal(seen.rows, 1);
        assert_int_equal(e.code, ERR_LIMIT);
        assert_string_equal(e.message, "enough");
        buf_release(&seen.out);
        arena_release(&a);
    }
}

static void test_times(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        int64_t ns;
    } rows[] = {
        {STR_INIT("0"), 0},
        {STR_INIT("1435781451.781"), 1435781451781000000},
        {STR_INIT("1435781451.78"), 1435781451780000000},
        {STR_INIT("1435781451.7"), 1435781451700000000},
        {STR_INIT("1435781451"), 1435781451000000000},
        {STR_INIT("1435781451.7809999"), 1435781451781000000},
        {STR_INIT("1.435781451781e9"), 1435781451781000000},
        {STR_INIT("-1.5"), -1500000000},
        {STR_INIT("0.0004"), 0},
    };
    static const struct str bad[] = {STR_INIT(""),           STR_INIT("x"),     STR_INIT("NaN"),
                                     STR_INIT("9300000000"), STR_INIT("-1e10"), STR_INIT("1e400")};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int64_t ns = 1;
        assert_true(prom_time_parse(rows[i].text, &ns));
        assert_true(ns == rows[i].ns);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        int64_t ns = 1;
        assert_false(prom_time_parse(bad[i], &ns));
        assert_int_equal(ns, 1);
    }
}

/* The quick way agrees with the careful one, wherever the object lies in its blocks. */
static void test_flat_object_end(void **state)
{
    (void)state;
    for (size_t len = 0; len < 200; len++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        buf_add_text(&text, "{\"a\":\"");
        buf_add_repeat(&text, '}', len);
        buf_add_text(&text, "\"}");
        size_t size = text.len;
        buf_add_repeat(&text, ' ', 64);
        const char *end = prom_flat_object_end(text.ptr, text.ptr + text.len);
        assert_true(end == NULL || end == text.ptr + size);
#ifdef __SSE2__
        assert_non_null(end);
#endif
        assert_null(prom_flat_object_end(text.ptr, text.ptr + size - 1));
    }
    static const char *const careful[] = {"{\"a\":{\"b\":1}}", "{\"a\":[1]}", "{\"a\":\"\\\"\"}"};
    for (size_t i = 0; i < ARRAY_LEN(careful); i++) {
        AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
        buf_add_text(&text, careful[i]);
        buf_add_repeat(&text, ' ', 64);
        assert_null(prom_flat_object_end(text.ptr, text.ptr + text.len));
    }
}

static void test_labels(void **state)
{
    (void)state;
    static const struct {
        struct str raw;
        const char *printed; /* NULL: refused */
    } rows[] = {
        {STR_INIT("{}"), "{}"},
        {STR_INIT("{\"__name__\":\"up\",\"job\":\"a\\\"b\",\"empty\":\"\"}"), "up{job=\"a\\\"b\"}"},
        {STR_INIT(" { \"z\" : \"1\" , \"a\" : \"2\" } "), "{a=\"2\", z=\"1\"}"},
        {STR_INIT("{\"a\":\"1\",\"a\":\"2\"}"), NULL},
        {STR_INIT("{\"a\":1}"), NULL},
        {STR_INIT("{\"a\" \"b\"}"), NULL},
        {STR_INIT("{\"a\":\"b\"} x"), NULL},
        {STR_INIT("[]"), NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena a;
        AUTO(labels_builder_release) struct labels_builder b;
        AUTO(labels_autounref) struct labels *l = NULL;
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        arena_init(&a, ARENA_UNLIMITED);
        labels_builder_init(&b);
        bool ok = prom_labels_parse(rows[i].raw, &a, &b, &e) && labels_build(&b, &l, &e);
        assert_int_equal(ok, rows[i].printed != NULL);
        if (ok) {
            labels_print(l, &out);
            assert_string_equal(buf_text(&out), rows[i].printed);
        }
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_what_else_an_answer_says),
        cmocka_unit_test(test_row_function_stops),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_flat_object_end),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
