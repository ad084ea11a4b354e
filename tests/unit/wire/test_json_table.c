/* Lines of JSON as a table: columns, their types, rows; and the table as CSV. */
#include "wire/json_table.h"

#include "base/attr.h"
#include "wire/table_csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Lines, and what they are as CSV with a letter for each column's type in front. */
static const struct {
    const char *lines;
    const char *want;
} tables[] = {
    {"{\"a\":1,\"b\":\"x\"}\n{\"b\":\"y\",\"c\":true}\n", "itf|a,b,c\r\n1,x,\r\n,y,true\r\n"},
    {"{\"a\":1}\n{\"a\":1.5}\n", "n|a\r\n1\r\n1.5\r\n"},
    {"{\"a\":1}\n{\"a\":\"NaN\"}\n", "n|a\r\n1\r\nNaN\r\n"},
    {"{\"a\":\"NaN\"}\n{\"a\":\"+Inf\"}\n", "t|a\r\nNaN\r\n+Inf\r\n"},
    {"{\"a\":1}\n{\"a\":\"x\"}\n{\"a\":false}\n", "t|a\r\n1\r\nx\r\nfalse\r\n"},
    {"{\"a\":true}\n{\"a\":1}\n", "t|a\r\ntrue\r\n1\r\n"},
    {"{\"a\":99999999999999999999}\n", "n|a\r\n99999999999999999999\r\n"},
    {"{\"timestamp\":\"2024-01-15T10:30:00Z\",\"x_at\":\"2024-01-15T10:30:00Z\",\"x\":\"2024-01-15T10:"
     "30:00Z\"}\n",
     "TTt|timestamp,x_at,x\r\n2024-01-15T10:30:00Z,2024-01-15T10:30:00Z,2024-01-15T10:30:00Z\r\n"},
    {"{\"timestamp\":\"2024-01-15T10:30:00Z\"}\n{\"timestamp\":\"soon\"}\n",
     "t|timestamp\r\n2024-01-15T10:30:00Z\r\nsoon\r\n"},
    {"{\"l\":{\"a\":1,\"d\":{\"e\":{}, \"f\":\"g\"}},\"m\":[1,{\"n\":\"o\"}]}\n",
     "itt|l.a,l.d.f,m\r\n1,g,\"[1,{\"\"n\"\":\"\"o\"\"}]\"\r\n"},
    {"{\"a\":null}\n{\"a\":null}\n", "t|a\r\n\r\n\r\n"},
    {"{\"a\":\"\",\"q\\\"\":\"x,\\r\\n\\\"\"}\n", "tt|a,\"q\"\"\"\r\n\"\",\"x,\r\n\"\"\"\r\n"},
    {"{}\n", "|\r\n\r\n"},
};

static void build(const char *lines, struct buf *out)
{
    static const char letters[CELL_TYPES] = {
        [CELL_NONE] = '?',   [CELL_FLAG] = 'f', [CELL_INTEGER] = 'i',
        [CELL_NUMBER] = 'n', [CELL_TIME] = 'T', [CELL_TEXT] = 't',
    };
    AUTO(json_table_release) struct json_table t;
    struct err e = ERR_INIT;
    struct str line;

    json_table_init(&t);
    struct str rest = str_of(lines);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        assert_true(line.len == 0 || json_table_look(&t, line, &e));
    }
    json_table_settle(&t);
    for (size_t i = 0; i < t.columns.len; i++) {
        buf_add_byte(out, letters[t.columns.items[i].type]);
    }
    buf_add_byte(out, '|');
    table_csv_head(&t, out);
    rest = str_of(lines);
    while (rest.len > 0 && str_split(&rest, '\n', &line)) {
        if (line.len > 0) {
            assert_true(json_table_row(&t, line, &e));
            table_csv_row(&t, out);
        }
    }
}

static void lines_become_tables(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
        build(tables[i].lines, &out);
        assert_string_equal(buf_text(&out), tables[i].want);
    }
}

static void what_is_no_object_is_refused(void **state)
{
    static const char *const lines[] = {"[1]", "1", "{\"a\":", "x"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        AUTO(json_table_release) struct json_table t;
        struct err e = ERR_INIT;
        json_table_init(&t);
        assert_false(json_table_look(&t, str_of(lines[i]), &e));
        assert_int_equal(e.code, ERR_PARSE);
        assert_int_equal(t.rows, 0);
    }
}

static void columns_have_a_limit(void **state)
{
    AUTO(json_table_release) struct json_table t;
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    (void)state;
    json_table_init(&t);
    for (int i = 0; i < JSON_TABLE_COLUMNS_MAX + 5; i++) {
        buf_addf(&line, "%s\"c%d\":%d", i > 0 ? "," : "{", i, i);
    }
    buf_add_byte(&line, '}');
    assert_true(json_table_look(&t, buf_str(&line), &e));
    json_table_settle(&t);
    assert_int_equal(t.columns.len, JSON_TABLE_COLUMNS_MAX);
    assert_true(json_table_row(&t, buf_str(&line), &e));
    assert_int_equal(t.left_out, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_tables),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(columns_have_a_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
