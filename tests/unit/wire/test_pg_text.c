/* What becomes of PostgreSQL's texts. */
#include "wire/pg_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum oids {
    BOOL = 16,
    BYTEA = 17,
    INT8 = 20,
    JSON = 114,
    FLOAT8 = 701,
    TEXT = 25,
    TIMESTAMP = 1114,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    JSONB = 3802,
    BOOLS = 1000,
    BYTEAS = 1001,
    INT4S = 1007,
    TEXTS = 1009,
    TIMESTAMPTZS = 1185,
    FLOAT8S = 1022,
    JSONBS = 3807,
    BOX = 603,
    USERS = 20000
};

struct value_case {
    uint32_t oid;
    const char *text;
    enum pg_form form;
    const char *value;
};

static void expect_values(const struct value_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct value_case *c = &cases[i];
        struct str value = STR_NONE;
        struct arena a;
        arena_init(&a, ARENA_UNLIMITED);
        enum pg_form form = pg_text_value(pg_form_type_of(c->oid), str_of(c->text), &a, &value);
        if (form != c->form || !str_eq(value, str_of(c->value))) {
            fail_msg("%u %s: %d '%.*s'", c->oid, c->text, (int)form, STR_FMT(value));
        }
        arena_release(&a);
    }
}

static void test_single(void **state)
{
    static const struct value_case cases[] = {
        {INT8, "-9223372036854775808", PG_FORM_NUMBER, "-9223372036854775808"},
        {FLOAT8, "1.5e-07", PG_FORM_NUMBER, "1.5e-07"},
        {FLOAT8, "1e+20", PG_FORM_NUMBER, "1e+20"},
        {FLOAT8, "NaN", PG_FORM_TEXT, "NaN"},
        {FLOAT8, "-Infinity", PG_FORM_TEXT, "-Infinity"},
        {FLOAT8, "-0", PG_FORM_NUMBER, "-0"},
        {NUMERIC, "0.000", PG_FORM_NUMBER, "0.000"},
        {NUMERIC, "012", PG_FORM_TEXT, "012"},
        {NUMERIC, "1.", PG_FORM_TEXT, "1."},
        {NUMERIC, "1e", PG_FORM_TEXT, "1e"},
        {NUMERIC, "", PG_FORM_TEXT, ""},
        {NUMERIC, "-", PG_FORM_TEXT, "-"},
        {BOOL, "t", PG_FORM_FLAG, "true"},
        {BOOL, "f", PG_FORM_FLAG, "false"},
        {BYTEA, "\\x", PG_FORM_BYTES, ""},
        {BYTEA, "\\x416263", PG_FORM_BYTES, "Abc"},
        {BYTEA, "\\x4", PG_FORM_TEXT, "\\x4"},
        {BYTEA, "\\x4g", PG_FORM_TEXT, "\\x4g"},
        {JSON, "{ \"a\": 1 }", PG_FORM_JSON, "{ \"a\": 1 }"},
        {JSONB, "[1]", PG_FORM_JSON, "[1]"},
        {TEXT, "[1]", PG_FORM_TEXT, "[1]"},
        {BOX, "(1,1),(0,0)", PG_FORM_TEXT, "(1,1),(0,0)"},
        {USERS, "ok", PG_FORM_TEXT, "ok"},
        {TIMESTAMPTZ, "2026-01-02 03:04:05+00", PG_FORM_TEXT, "2026-01-02T03:04:05Z"},
        {TIMESTAMPTZ, "2026-01-02 03:04:05.123456+00", PG_FORM_TEXT, "2026-01-02T03:04:05.123456Z"},
        {TIMESTAMPTZ, "2026-01-02 03:04:05+01", PG_FORM_TEXT, "2026-01-02 03:04:05+01"},
        {TIMESTAMPTZ, "infinity", PG_FORM_TEXT, "infinity"},
        {TIMESTAMPTZ, "0044-03-15 12:00:00+00 BC", PG_FORM_TEXT, "0044-03-15 12:00:00+00 BC"},
        {TIMESTAMPTZ, "20260-01-02 03:04:05+00", PG_FORM_TEXT, "20260-01-02 03:04:05+00"},
        {TIMESTAMP, "2026-01-02 03:04:05.5", PG_FORM_TEXT, "2026-01-02T03:04:05.5Z"},
    };

    (void)state;
    expect_values(cases, ARRAY_LEN(cases));
}

static void test_arrays(void **state)
{
    static const struct value_case cases[] = {
        {INT4S, "{}", PG_FORM_JSON, "[]"},
        {INT4S, "{1,NULL,-3}", PG_FORM_JSON, "[1,null,-3]"},
        {INT4S, "{{1,2},{3,4}}", PG_FORM_JSON, "[[1,2],[3,4]]"},
        {INT4S, "{{{1}},{{2}}}", PG_FORM_JSON, "[[[1]],[[2]]]"},
        {INT4S, "[0:1]={7,8}", PG_FORM_JSON, "[7,8]"},
        {BOOLS, "{t,f}", PG_FORM_JSON, "[true,false]"},
        {FLOAT8S, "{1.5,NaN}", PG_FORM_JSON, "[1.5,\"NaN\"]"},
        {TEXTS, "{a,\"b c\",\"d\\\"e\\\\f\",\"\",\"NULL\",NULL}", PG_FORM_JSON,
         "[\"a\",\"b c\",\"d\\\"e\\\\f\",\"\",\"NULL\",null]"},
        {TEXTS, "{\"{,}\"}", PG_FORM_JSON, "[\"{,}\"]"},
        {JSONBS, "{\"{\\\"a\\\": 1}\",\"2\"}", PG_FORM_JSON, "[{\"a\": 1},2]"},
        {BYTEAS, "{\"\\\\x4142\"}", PG_FORM_JSON, "[\"QUI=\"]"},
        {TIMESTAMPTZS, "{\"2026-01-02 03:04:05+00\"}", PG_FORM_JSON, "[\"2026-01-02T03:04:05Z\"]"},
        {INT4S, "{1", PG_FORM_TEXT, "{1"},
        {INT4S, "{1}}", PG_FORM_TEXT, "{1}}"},
        {INT4S, "{1,}", PG_FORM_TEXT, "{1,}"},
        {INT4S, "{,1}", PG_FORM_TEXT, "{,1}"},
        {INT4S, "1", PG_FORM_TEXT, "1"},
        {INT4S, "", PG_FORM_TEXT, ""},
        {INT4S, "{1}2", PG_FORM_TEXT, "{1}2"},
        {INT4S, "{{{{{{{1}}}}}}}", PG_FORM_TEXT, "{{{{{{{1}}}}}}}"},
        {TEXTS, "{\"a}", PG_FORM_TEXT, "{\"a}"},
        {TEXTS, "{\"a\\", PG_FORM_TEXT, "{\"a\\"},
    };

    (void)state;
    expect_values(cases, ARRAY_LEN(cases));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_single),
        cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
