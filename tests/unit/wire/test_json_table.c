/* Lines of JSON as a table: columns, their types, rows; and the table as CSV. */
#include "wire/json_table.h"

#include "base/attr.h"
#include "wire/table_csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* A line as samples have it. */
#define S(TIME, HOST, VALUE) \
    "{\"timestamp\":\"" TIME "\",\"l\":{\"h\":\"" HOST "\"},\"value\":" VALUE "}\n"

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
    /* lines of one shape, and what only looks like it */
    {S("2024-01-15T10:30:00Z", "a", "1") S("2024-01-15T10:30:15Z", "a", "2")
         S("2024-01-15T10:30:30Z", "b", "3") S("2024-01-15T10:30:45Z", "a", "4"),
     "Tti|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1\r\n2024-01-15T10:30:15Z,a,2\r\n"
     "2024-01-15T10:30:30Z,b,3\r\n2024-01-15T10:30:45Z,a,4\r\n"},
    {S("2024-01-15T10:30:00Z", "a", "1") S("2024-01-15T10:30:15Z", "a", "-2.5e-3"),
     "Ttn|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1\r\n2024-01-15T10:30:15Z,a,-2.5e-3\r\n"},
    {S("2024-01-15T10:30:00Z", "a", "1") S("2024-01-15T10:30:15Z", "a", "\"NaN\""),
     "Ttn|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1\r\n2024-01-15T10:30:15Z,a,NaN\r\n"},
    {S("2024-01-15T10:30:00Z", "a", "1.5") S("2024-01-15T10:30:15Z", "a", "1e999"),
     "Ttt|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1.5\r\n2024-01-15T10:30:15Z,a,1e999\r\n"},
    {S("2024-01-15T10:30:00Z", "a", "1") S("not a time", "a", "2"),
     "tti|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1\r\nnot a time,a,2\r\n"},
    {S("2024-01-15T10:30:00Z", "a", "1") S("\\u0032024", "a", "2"),
     "tti|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,a,1\r\n2024,a,2\r\n"},
    {S("2024-01-15T10:30:00Z", "}},\\\"value\\\":7", "1") S("2024-01-15T10:30:15Z", "a", "2"),
     "Tti|timestamp,l.h,value\r\n2024-01-15T10:30:00Z,\"}},\"\"value\"\":7\",1\r\n"
     "2024-01-15T10:30:15Z,a,2\r\n"},
    {"{\"timestamp\":\"x\",\"l\":{\"value\":\"y\"},\"value\":1,\"m\":2}\n"
     "{\"timestamp\":\"x\",\"l\":{\"value\":\"y\"},\"value\":1,\"m\":3}\n"
     "{\"timestamp\":\"x\",\"l\":{\"value\":\"y\"},\"value\":2,\"m\":2}\n",
     "ttii|timestamp,l.value,value,m\r\nx,y,1,2\r\nx,y,1,3\r\nx,y,2,2\r\n"},
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

/* A line that begins like one that was understood is refused both times, or neither. */
static void looking_and_reading_agree(void **state)
{
    static const char *const values[] = {"01",  "1.", ".5", "+1",  "1e",
                                         "--1", "1 ", "",   "0x1", "1,2"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        AUTO(json_table_release) struct json_table t;
        AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
        struct str good = STR("{\"timestamp\":\"2024-01-15T10:30:00Z\",\"value\":1}");
        struct err e = ERR_INIT;
        buf_addf(&line, "{\"timestamp\":\"2024-01-15T10:30:15Z\",\"value\":%s}", values[i]);
        json_table_init(&t);
        assert_true(json_table_look(&t, good, &e));
        bool seen = json_table_look(&t, buf_str(&line), &e);
        assert_true(seen == (strcmp(values[i], "1 ") == 0));
        json_table_settle(&t);
        assert_true(json_table_row(&t, good, &e));
        assert_true(json_table_row(&t, good, &e));
        assert_int_equal(json_table_row(&t, buf_str(&line), &e), seen);
    }
}

/* A line that is known but for its time may be the first with nanoseconds. */
static void any_line_may_have_nanoseconds(void **state)
{
    static const char *const lines[] = {
        S("2024-01-15T10:30:00Z", "a", "1"),
        S("2024-01-15T10:30:00.000001Z", "a", "1"),
        S("2024-01-15T10:30:00.000000456Z", "a", "1"),
    };
    AUTO(json_table_release) struct json_table t;
    struct err e = ERR_INIT;

    (void)state;
    json_table_init(&t);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        assert_true(json_table_look(&t, str_of(lines[i]), &e));
    }
    json_table_settle(&t);
    assert_int_equal(t.columns.items[0].type, CELL_TIME);
    assert_true(t.columns.items[0].has_nanos);
}

/* Members past the limit are together in one column. */
static void columns_have_a_limit(void **state)
{
    static const char *const others[] = {
        S("2024-01-15T10:30:00Z", "a", "1"),
        S("2024-01-15T10:30:15Z", "a", "2"),
        S("2024-01-15T10:30:30Z", "b", "3"),
        "{\"c0\":1,\"o\":{\"x\":[1,true],\"y\":null,\"z\":\"q\"}}",
        "{\"c0\":1}",
    };
    static const char *const rests[] = {
        "{\"l.h\":\"a\"}",
        "{\"l.h\":\"a\"}",
        "{\"l.h\":\"b\"}",
        "{\"o.x\":[1,true],\"o.z\":\"q\"}",
        "",
    };
    AUTO(json_table_release) struct json_table t;
    AUTO(buf_release) struct buf line = BUF_INIT(BUF_UNLIMITED);
    struct err e = ERR_INIT;

    (void)state;
    json_table_init(&t);
    buf_add_text(&line, "{\"timestamp\":\"2024-01-15T10:29:00Z\",\"value\":1,\"rest\":2");
    for (int i = 0; i < JSON_TABLE_COLUMNS_MAX - 3; i++) {
        buf_addf(&line, ",\"c%d\":%d", i, i);
    }
    buf_add_byte(&line, '}');
    assert_true(json_table_look(&t, buf_str(&line), &e));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_true(json_table_look(&t, str_of(others[i]), &e));
    }
    json_table_settle(&t);
    assert_int_equal(t.columns.len, JSON_TABLE_COLUMNS_MAX + 1);
    assert_true(str_eq(t.columns.items[JSON_TABLE_COLUMNS_MAX].name, STR("rest_")));
    assert_true(json_table_row(&t, buf_str(&line), &e));
    assert_int_equal(t.row.items[JSON_TABLE_COLUMNS_MAX].type, CELL_NONE);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        assert_true(json_table_row(&t, str_of(others[i]), &e));
        const struct cell *rest = &t.row.items[JSON_TABLE_COLUMNS_MAX];
        assert_int_equal(rest->type, rests[i][0] != '\0' ? CELL_TEXT : CELL_NONE);
        assert_true(str_eq(rest->text, str_of(rests[i])));
    }
    assert_int_equal(t.rest_rows, 4);
}

static void few_columns_have_no_rest(void **state)
{
    AUTO(json_table_release) struct json_table t;
    struct err e = ERR_INIT;

    (void)state;
    json_table_init(&t);
    assert_true(json_table_look(&t, STR("{\"a\":1}"), &e));
    json_table_settle(&t);
    assert_true(json_table_row(&t, STR("{\"a\":1}"), &e));
    assert_int_equal(t.columns.len, 1);
    assert_int_equal(t.rest_rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_tables),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(looking_and_reading_agree),
        cmocka_unit_test(any_line_may_have_nanoseconds),
        cmocka_unit_test(columns_have_a_limit),
        cmocka_unit_test(few_columns_have_no_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
