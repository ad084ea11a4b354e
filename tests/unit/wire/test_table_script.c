/* Scripts of tables: every type of cell, and texts that would end a value. */
#include "wire/table_script.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    struct cell cell;
    const char *postgresql;
    const char *sqlite;
} rows[] = {
    {{.type = CELL_NULL}, "\\N", "NULL"},
    {{.type = CELL_NUMBER, .number = 2}, "2", "2.0"},
    {{.type = CELL_NUMBER, .number = -0.5}, "-0.5", "-0.5"},
    {{.type = CELL_NUMBER, .number = 1e300}, "1e+300", "1e+300"},
    {{.type = CELL_NUMBER, .number = NAN}, "NaN", "NULL"},
    {{.type = CELL_NUMBER, .number = -INFINITY}, "-Infinity", "-9e999"},
    {{.type = CELL_INTEGER, .integer = INT64_MIN}, "-9223372036854775808", "-9223372036854775808"},
    {{.type = CELL_FLAG, .integer = 1}, "t", "1"},
    {{.type = CELL_TIME, .integer = 1705314600123456789},
     "2024-01-15 10:30:00.123456+00",
     "'2024-01-15T10:30:00.123456789Z'"},
    {{.type = CELL_TIME, .integer = -1},
     "1969-12-31 23:59:59.999999+00",
     "'1969-12-31T23:59:59.999999999Z'"},
    {{.type = CELL_TEXT, .text = STR_INIT("a'b\\c\td\ne")}, "a'b\\\\c\\td\\ne", "'a''b\\c\td\ne'"},
    {{.type = CELL_TEXT, .text = STR_INIT("\\N")}, "\\\\N", "'\\N'"},
    {{.type = CELL_TEXT, .text = STR_INIT("\\.")}, "\\\\.", "'\\.'"},
    {{.type = CELL_TEXT, .text = STR_INIT("")}, "", "''"},
    {{.type = CELL_JSON, .text = STR_INIT("{\"a\":\"\\n\"}")},
     "{\"a\":\"\\\\n\"}",
     "'{\"a\":\"\\n\"}'"},
};

static void read_cell(struct cell_reader *r, uint32_t row, struct cell *ret)
{
    (void)r;
    *ret = rows[row].cell;
}

static void cells_are_texts(void **state)
{
    const struct cell_source source = {.name = "x", .read = read_cell};
    const struct table_column columns[] = {{.name = STR_INIT("a\"b"), .source = &source}};
    const struct table_layout l = {.table = STR_INIT("t"), .columns = columns, .column_count = 1};
    struct cell_reader reader = {.view = {.n = ARRAY_LEN(rows)}};

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf copy = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf insert = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf expected = BUF_INIT(BUF_SMALL);
        table_script_postgresql.row(&l, &reader, i, &copy);
        buf_addf(&expected, "%s\n", rows[i].postgresql);
        assert_string_equal(buf_text(&copy), buf_text(&expected));
        table_script_sqlite.row(&l, &reader, i, &insert);
        buf_clear(&expected);
        buf_addf(&expected, "INSERT INTO \"t\" (\"a\"\"b\") VALUES (%s);\n", rows[i].sqlite);
        assert_string_equal(buf_text(&insert), buf_text(&expected));
    }
}

static void rows_stand_between_statements(void **state)
{
    const struct table_column columns[] = {{.name = STR_INIT("a")}, {.name = STR_INIT("b")}};
    const struct table_layout l = {.schema = STR_INIT("s"),
                                   .table = STR_INIT("t"),
                                   .columns = columns,
                                   .column_count = ARRAY_LEN(columns)};
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    (void)state;
    table_script_postgresql.rows_begin(&l, &out);
    assert_string_equal(buf_text(&out), "COPY \"s\".\"t\" (\"a\", \"b\") FROM STDIN;\n");
    assert_string_equal(table_script_postgresql.rows_end, "\\.\n");
    buf_clear(&out);
    table_script_sqlite.rows_begin(&l, &out);
    assert_string_equal(buf_text(&out), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_are_texts),
        cmocka_unit_test(rows_stand_between_statements),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
