/* Binary COPY: golden bytes of the stream and of each type, and what does not go into a type. */
#include "wire/pg_copy.h"

#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    BOOL = 16,
    INT8 = 20,
    INT2 = 21,
    INT4 = 23,
    TEXT = 25,
    JSON = 114,
    FLOAT4 = 700,
    FLOAT8 = 701,
    VARCHAR = 1043,
    TIMESTAMPTZ = 1184,
    NUMERIC = 1700,
    JSONB = 3802
};

#define NUMBER(v)                          \
    {                                      \
        .type = CELL_NUMBER, .number = (v) \
    }
#define INTEGER(v)                           \
    {                                        \
        .type = CELL_INTEGER, .integer = (v) \
    }
#define FLAG(v)                           \
    {                                     \
        .type = CELL_FLAG, .integer = (v) \
    }
#define TIME(v)                           \
    {                                     \
        .type = CELL_TIME, .integer = (v) \
    }
#define WORDS(v)                               \
    {                                          \
        .type = CELL_TEXT, .text = STR_INIT(v) \
    }
#define OBJECT(v)                              \
    {                                          \
        .type = CELL_JSON, .text = STR_INIT(v) \
    }

/* The cell with its length in hex, or NULL: the type refuses it. */
static const struct {
    uint32_t oid;
    struct cell cell;
    const char *hex;
} rows[] = {
    {FLOAT8, {.type = CELL_NULL}, "ffffffff"},
    {FLOAT8, NUMBER(1.5), "000000083ff8000000000000"},
    {FLOAT8, NUMBER(-INFINITY), "00000008fff0000000000000"},
    {FLOAT8, INTEGER(2), "000000084000000000000000"},
    {FLOAT8, FLAG(1), "000000083ff0000000000000"},
    {FLOAT8, WORDS("1e3"), "00000008408f400000000000"},
    {FLOAT8, WORDS("x"), NULL},
    {FLOAT8, TIME(1), NULL},
    {FLOAT4, NUMBER(1.5), "000000043fc00000"},
    {FLOAT4, NUMBER(INFINITY), "000000047f800000"},
    {FLOAT4, NUMBER(1e39), NULL},
    {INT8, INTEGER(INT64_MIN), "000000088000000000000000"},
    {INT8, NUMBER(9007199254740992.0), "000000080020000000000000"},
    {INT8, NUMBER(1.5), NULL},
    {INT8, NUMBER(NAN), NULL},
    {INT8, NUMBER(0x1p63), NULL},
    {INT8, NUMBER(-0x1p63), "000000088000000000000000"},
    {INT8, WORDS("-7"), "00000008fffffffffffffff9"},
    {INT8, OBJECT("{}"), NULL},
    {INT4, INTEGER(-1), "00000004ffffffff"},
    {INT4, INTEGER(INT64_C(2147483648)), NULL},
    {INT2, INTEGER(-2), "00000002fffe"},
    {INT2, INTEGER(40000), NULL},
    {BOOL, FLAG(1), "0000000101"},
    {BOOL, INTEGER(0), "0000000100"},
    {BOOL, INTEGER(2), NULL},
    {TEXT, WORDS("a\tb"), "00000003610962"},
    {TEXT, NUMBER(0.5), "00000003302e35"},
    {TEXT, FLAG(0), "0000000566616c7365"},
    {VARCHAR, WORDS(""), "00000000"},
    {JSONB, OBJECT("{\"a\":1}"), "00000008017b2261223a317d"},
    {JSONB, WORDS("a\"b"),
     "0000000701226"
     "15c226222"},
    {JSONB, NUMBER(NAN), "0000000601224e614e22"},
    {JSON, NUMBER(2), "0000000132"},
    {TIMESTAMPTZ, TIME(INT64_C(946684800) * NS_PER_S), "000000080000000000000000"},
    {TIMESTAMPTZ, TIME(INT64_C(946684800) * NS_PER_S + 1999), "000000080000000000000001"},
    {TIMESTAMPTZ, TIME(INT64_C(946684800) * NS_PER_S - 1), "00000008ffffffffffffffff"},
    {TIMESTAMPTZ, TIME(-1), "00000008fffca2fec4c81fff"},
    {TIMESTAMPTZ, NUMBER(1), NULL},
    {NUMERIC, INTEGER(0), "0000000a00010000000000000000"},
    {NUMERIC, INTEGER(-123456), "0000000c0002000140000000000c0d80"},
    {NUMERIC, NUMBER(12.5), "0000000c0002000000000001000c1388"},
    {NUMERIC, NUMBER(0.00012),
     "0000000e0003000000000005000000010"
     "7d0"},
    {NUMERIC, NUMBER(NAN), "0000000800000000c0000000"},
    {NUMERIC, NUMBER(INFINITY), "0000000800000000d0000000"},
    {NUMERIC, NUMBER(-INFINITY), "0000000800000000f0000000"},
};

static void print_hex(const struct buf *bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes->len; i++) {
        buf_addf(out, "%02x", (unsigned char)bytes->ptr[i]);
    }
}

static void test_cells(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf hex = BUF_INIT(BUF_SMALL);
        const struct pg_type *type = pg_type_find(rows[i].oid);
        struct err e = ERR_INIT;
        assert_non_null(type);
        bool ok = pg_copy_cell(type, &rows[i].cell, &out, &e);
        print_hex(&out, &hex);
        if (ok != (rows[i].hex != NULL) || (ok && strcmp(buf_text(&hex), rows[i].hex) != 0) ||
            (!ok && out.len != 0)) {
            fail_msg("row %zu (%s): %s %s", i, type->name, ok ? "gave" : "refused", buf_text(&hex));
        }
        assert_true(ok || strstr(e.message, "does not go into") != NULL);
    }
}

static void test_stream(void **state)
{
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf hex = BUF_INIT(BUF_SMALL);

    (void)state;
    pg_copy_begin(&out);
    pg_copy_row(&out, 3);
    pg_copy_end(&out);
    print_hex(&out, &hex);
    assert_string_equal(buf_text(&hex), "5047434f50590aff0d0a00"
                                        "00000000"
                                        "00000000"
                                        "0003"
                                        "ffff");
}

static void test_unknown_types(void **state)
{
    enum { BYTEA = 17, POINT = 600 };

    (void)state;
    assert_null(pg_type_find(BYTEA));
    assert_null(pg_type_find(POINT));
    assert_null(pg_type_find(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_unknown_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
