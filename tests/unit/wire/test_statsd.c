/* Lines of StatsD taken apart. */
#include "wire/statsd.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct {
    const char *line;
    enum statsd_result result;
    enum statsd_type type;
    double rate;
    const char *name;
    const char *values; /* with spaces between */
    const char *tags;
} rows[] = {
    {"a.b:1|c", STATSD_TAKEN, STATSD_COUNTER, 1, "a.b", "1", ""},
    {"a:1.5|g", STATSD_TAKEN, STATSD_GAUGE, 1, "a", "1.5", ""},
    {"a:1:2:3|ms|@0.1", STATSD_TAKEN, STATSD_TIMER, 0.1, "a", "1 2 3", ""},
    {"a:1|h|#x:y,z,w:1:2", STATSD_TAKEN, STATSD_TIMER, 1, "a", "1", "x=y z=true w=1:2"},
    {"a:1|d|@1|#x:y|c:abc|T17", STATSD_TAKEN, STATSD_TIMER, 1, "a", "1", "x=y"},
    {"a,x=y,z=:1|c", STATSD_TAKEN, STATSD_COUNTER, 1, "a", "1", "x=y z="},
    {"a:u:v|s", STATSD_TAKEN, STATSD_SET, 1, "a", "u:v", ""},
    {"_e{1,1}:a|b", STATSD_OTHER, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"_sc|a|0", STATSD_OTHER, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a|c", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {":1|c", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a:|c", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a:1|x", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a:1|c|@0", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
    {"a:1|c|@2", STATSD_BAD, STATSD_COUNTER, 1, NULL, NULL, NULL},
};

static void check_parts(struct statsd_line line, size_t row)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_SMALL);
    struct str name;
    struct str value;

    while (statsd_next_value(&line, &value)) {
        buf_addf(&text, "%s%.*s", text.len > 0 ? " " : "", STR_FMT(value));
    }
    assert_string_equal(buf_text(&text), rows[row].values);
    buf_clear(&text);
    while (statsd_next_tag(&line, &name, &value)) {
        buf_addf(&text, "%s%.*s=%.*s", text.len > 0 ? " " : "", STR_FMT(name), STR_FMT(value));
    }
    assert_string_equal(buf_text(&text), rows[row].tags);
}

static void lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct statsd_line line;
        assert_int_equal(statsd_read(str_of(rows[i].line), &line), rows[i].result);
        if (rows[i].result == STATSD_TAKEN) {
            assert_int_equal(line.type, rows[i].type);
            assert_true(line.rate == rows[i].rate);
            assert_true(str_eq(line.name, str_of(rows[i].name)));
            check_parts(line, i);
        }
    }
}

static void datagrams(void **state)
{
    struct str rest = STR("a:1|c\n\n b:2|c \r\n");
    struct str line;

    (void)state;
    assert_true(statsd_next_line(&rest, &line));
    assert_true(str_eq(line, STR("a:1|c")));
    assert_true(statsd_next_line(&rest, &line));
    assert_true(str_eq(line, STR("b:2|c")));
    assert_false(statsd_next_line(&rest, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(datagrams),
    };

    return cmocka_run_group_tests_name("wire/statsd", tests, NULL, NULL);
}
