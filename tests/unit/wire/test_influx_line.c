#include "wire/influx_line.h"

#include "base/mem.h"
#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct labels *make_set(const char *const *p)
{
    AUTO(labels_builder_release) struct labels_builder b;
    struct labels *l = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    for (; p[0] != NULL; p += 2) {
        labels_builder_push(&b, str_of(p[0]), str_of(p[1]));
    }
    assert_true(labels_build(&b, &l, &e));
    return l;
}

#define SET(...) make_set((const char *const[]){__VA_ARGS__, NULL})

/* The line of one sample. */
static enum influx_result sample_line(struct labels *l, double value, const char *measurement,
                                      struct buf *out)
{
    const uint32_t series_of = 0;
    const int64_t time_ns = 1705317000000000000;
    const struct samples s = {&l, 1, 1, &series_of, &time_ns, &value, NULL};
    const struct batch_info info = {.measurement = str_of(measurement)};
    AUTO(influx_writer_release) struct influx_writer w;

    influx_writer_init(&w, &info);
    return influx_add_sample(&w, &s, 0, out);
}

static void test_sample_lines(void **state)
{
    (void)state;
    static const struct {
        const char *labels[8];
        double value;
        const char *measurement;
        const char *line;
    } rows[] = {
        {{"__name__", "cpu_usage", "instance", "server-01", "export_to_datastore", "true"},
         85.4,
         "",
         "cpu_usage,export_to_datastore=true,instance=server-01 value=85.4 1705317000000000000\n"},
        {{"__name__", "cpu_usage", "a", "b"},
         1,
         "cpu alerts",
         "cpu\\ alerts,a=b value=1 1705317000000000000\n"},
        {{"__name__", "x"}, -1e-9, "", "x value=-1e-09 1705317000000000000\n"},
        {{"a", "b"}, 0, "#m", "_m,a=b value=0 1705317000000000000\n"},
        {{"__name__", "x", "path", "C:\\", "dir", "a\\b"},
         2,
         "",
         "x,dir=a\\b,path=C: value=2 1705317000000000000\n"},
        {{"__name__", "x", "only", "\\\\"}, 2, "", "x value=2 1705317000000000000\n"},
        {{"__name__", "x", "v", "a\nb\tc,d=e f"},
         2,
         "",
         "x,v=a\\ b\\ c\\,d\\=e\\ f value=2 1705317000000000000\n"},
        {{"__name__", "x", "v", "h\xc3\xa9 \xff\x7f"},
         2,
         "",
         "x,v=h\xc3\xa9\\ \xef\xbf\xbd\\  value=2 1705317000000000000\n"},
        {{"__name__", "x", "time", "now"}, 2, "", "x,time_=now value=2 1705317000000000000\n"},
        {{"__name__", "x", "long", "0123456789abcdef0123456789abcde,"},
         2,
         "",
         "x,long=0123456789abcdef0123456789abcde\\, value=2 1705317000000000000\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(labels_autounref) struct labels *l = make_set(rows[i].labels);
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        assert_int_equal(sample_line(l, rows[i].value, rows[i].measurement, &out), INFLUX_WRITTEN);
        if (strcmp(buf_text(&out), rows[i].line) != 0) {
            fail_msg("%s, wanted %s", buf_text(&out), rows[i].line);
        }
    }
}

static void test_samples_not_written(void **state)
{
    (void)state;
    const struct {
        struct labels *labels;
        double value;
        enum influx_result result;
    } rows[] = {
        {SET("__name__", "x"), (double)NAN, INFLUX_NOT_FINITE},
        {SET("__name__", "x"), (double)INFINITY, INFLUX_NOT_FINITE},
        {SET("__name__", "x"), (double)-INFINITY, INFLUX_NOT_FINITE},
        {SET("__name__", "x"), number_stale_nan(), INFLUX_STALE},
        {SET("a", "b"), 1, INFLUX_NAMELESS},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        assert_int_equal(sample_line(rows[i].labels, rows[i].value, "", &out), rows[i].result);
        assert_int_equal(out.len, 0);
        assert_int_equal(influx_refusal(rows[i].result) == NULL, rows[i].result == INFLUX_STALE);
        labels_unref(rows[i].labels);
    }
    assert_null(influx_refusal(INFLUX_WRITTEN));
}

static void test_alert_lines(void **state)
{
    (void)state;
    AUTO(labels_autounref)
    struct labels *labels = SET("alertname", "High CPU", "instance", "a", "severity", "warning");
    AUTO(labels_autounref) struct labels *row =
        SET("__name__", "cpu", "instance", "b", "mode", "idle");
    const struct alert_export exports[] = {{row, 7, 1.5}, {labels_empty(), 8, (double)NAN}};
    const struct alert plain = {
        .labels = labels, .to = ALERT_ALERTING, .time_ns = 5, .value = 85.4};
    const struct alert with_rows = {.labels = labels,
                                    .to = ALERT_RESOLVED,
                                    .time_ns = 5,
                                    .exports = exports,
                                    .export_count = 2};
    const struct batch_info info = {
        .measurement = STR("cpu"), .has_threshold = true, .threshold = 80};
    const struct batch_info bare = {.kind = RECORD_ALERT};
    AUTO(influx_writer_release) struct influx_writer w;
    AUTO(influx_writer_release) struct influx_writer v;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    influx_writer_init(&w, &info);
    influx_writer_init(&v, &bare);
    assert_int_equal(influx_alert_lines(&plain), 1);
    assert_int_equal(influx_alert_lines(&with_rows), 2);
    assert_int_equal(influx_add_alert(&w, &plain, 0, &out), INFLUX_WRITTEN);
    assert_int_equal(influx_add_alert(&v, &plain, 0, &out), INFLUX_WRITTEN);
    assert_int_equal(influx_add_alert(&w, &with_rows, 0, &out), INFLUX_WRITTEN);
    assert_int_equal(influx_add_alert(&w, &with_rows, 1, &out), INFLUX_WRITTEN);
    assert_string_equal(
        buf_text(&out),
        "cpu,alertname=High\\ CPU,instance=a,severity=warning value=85.4,threshold=80,state=\"firing\" 5\n"
        "High\\ CPU,alertname=High\\ CPU,instance=a,severity=warning value=85.4,state=\"firing\" 5\n"
        "cpu,alertname=High\\ CPU,instance=b,mode=idle,severity=warning "
        "value=1.5,threshold=80,state=\"resolved\" 7\n"
        "cpu,alertname=High\\ CPU,instance=a,severity=warning threshold=80,state=\"resolved\" 8\n");
}

/* Points as text, to compare. */
static bool print_point(void *arg, const struct influx_point *p, struct err *e)
{
    struct buf *out = arg;

    (void)e;
    buf_addf(out, "[%.*s]", STR_FMT(p->measurement));
    for (size_t i = 0; i < p->tag_count; i++) {
        buf_addf(out, "[%.*s][%.*s]", STR_FMT(p->tags[i].name), STR_FMT(p->tags[i].value));
    }
    for (size_t i = 0; i < p->field_count; i++) {
        const struct influx_field *f = &p->fields[i];
        buf_addf(out, " [%.*s]=%d:", STR_FMT(f->key), (int)f->type);
        if (f->type == INFLUX_STRING) {
            buf_add_str(out, f->text);
        } else if (f->type == INFLUX_FLOAT) {
            buf_add_double(out, f->real);
        } else if (f->type == INFLUX_INT) {
            buf_add_i64(out, f->whole);
        } else {
            buf_add_u64(out, f->type == INFLUX_BOOL ? f->truth : f->natural);
        }
    }
    if (p->has_time) {
        buf_addf(out, " %lld", (long long)p->time_ns);
    }
    buf_add_byte(out, ';');
    return true;
}

static bool read_text(struct str text, struct buf *out, struct err *e)
{
    AUTO(arena_release) struct arena a;
    AUTO(mem_autofree) char *copy = mem_dup(text.ptr, text.len);
    const struct influx_points points = {print_point, out};

    arena_init(&a, ARENA_UNLIMITED);
    return influx_read(str_make(copy, text.len), &a, &points, e);
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *points;
    } rows[] = {
        {STR_INIT(""), ""},
        {STR_INIT("# comment\n\n  \r\n#"), ""},
        {STR_INIT("m f=1"), "[m] [f]=0:1;"},
        {STR_INIT("m,b=2,a=1 f=1i,g=2u,h=t,i=FALSE 12\nn f=.5\r\n"),
         "[m][a][1][b][2] [f]=1:1 [g]=2:2 [h]=3:1 [i]=3:0 12;[n] [f]=0:0.5;"},
        {STR_INIT("a\\,b\\ c\\=d,k\\=1=v\\,\\ x\\\\y f\\ g=\"s \\\" \\\\ \\n,\n\" -1"),
         "[a,b c\\=d][k=1][v, x\\\\y] [f g]=4:s \" \\ \\n,\n -1;"},
        {STR_INIT("m\\ f=1 f=1"), "[m f=1] [f]=0:1;"},
        {STR_INIT("m   f=1   5  \n"), "[m] [f]=0:1 5;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        if (!read_text(rows[i].text, &out, &e)) {
            fail_msg("%s: %s", rows[i].points, e.message);
        }
        assert_string_equal(buf_text(&out), rows[i].points);
    }
}

static void test_read_refuses(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *message;
        uint32_t line, column;
    } rows[] = {
        {STR_INIT("m f=1\nm"), "expected a space and fields", 2, 2},
        {STR_INIT("m "), "expected a field key", 1, 3},
        {STR_INIT("m f"), "expected '=' behind a field key", 1, 4},
        {STR_INIT("m f="), "expected a field value, found \"\"", 1, 5},
        {STR_INIT("m f=1,"), "expected a field key", 1, 7},
        {STR_INIT("m,a f=1"), "expected '=' behind a tag key", 1, 4},
        {STR_INIT("m,a= f=1"), "expected a tag value", 1, 5},
        {STR_INIT("m,=b f=1"), "expected a tag key", 1, 3},
        {STR_INIT(",a=b f=1"), "expected a measurement", 1, 1},
        {STR_INIT("m,a=1,a=2 f=1"), "tag \"a\" stands twice", 1, 1},
        {STR_INIT("m f=NaN"), "expected a field value, found \"NaN\"", 1, 5},
        {STR_INIT("m f=+1"), "expected a field value, found \"+1\"", 1, 5},
        {STR_INIT("m f=1e400"), "expected a field value, found \"1e400\"", 1, 5},
        {STR_INIT("m f=0x10"), "expected a field value, found \"0x10\"", 1, 5},
        {STR_INIT("m f=9223372036854775808i"),
         "expected a field value, found \"9223372036854775808i\"", 1, 5},
        {STR_INIT("m f=-1u"), "expected a field value, found \"-1u\"", 1, 5},
        {STR_INIT("m f=\"x"), "a string without an end", 1, 5},
        {STR_INIT("m f=\"x\"y"), "expected ',' or a space behind a field", 1, 8},
        {STR_INIT("m f=1 1.5"), "expected a time in ns, found \"1.5\"", 1, 7},
        {STR_INIT("m f=1 1 2"), "expected the end of the line", 1, 9},
        {STR_INIT("m\x01 f=1"), "expected a space and fields", 1, 2},
        {STR_INIT("m\xff f=1"), "a measurement is not UTF-8", 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        assert_false(read_text(rows[i].text, &out, &e));
        assert_string_equal(e.message, rows[i].message);
        assert_int_equal(e.pos.line, rows[i].line);
        assert_int_equal(e.pos.column, rows[i].column);
    }
}

/* Whatever stands in a label, its line can be read, and says what the header promises. */
static void test_every_byte_in_a_label(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        const char value[4] = {'a', (char)c, 'b', '\0'};
        const char last[3] = {'a', (char)c, '\0'};
        AUTO(labels_autounref) struct labels *l =
            SET("__name__", value, "first", value, "last", last);
        AUTO(buf_release) struct buf line = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        assert_int_equal(sample_line(l, 1, "", &line), INFLUX_WRITTEN);
        if (!read_text(buf_str(&line), &out, &e)) {
            fail_msg("byte %d: %s", c, e.message);
        }
        const char plain[2] = {(char)c, '\0'};
        const char *mid = c >= 0x80 ? "\xef\xbf\xbd" : c < 0x20 || c == 0x7f ? " " : plain;
        AUTO(buf_release) struct buf want = BUF_INIT(BUF_SMALL);
        buf_addf(&want, "[a%sb][first][a%sb][last][a%s] [value]=0:1 1705317000000000000;", mid, mid,
                 c == '\\' ? "" : mid);
        assert_string_equal(buf_text(&out), buf_text(&want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sample_lines), cmocka_unit_test(test_samples_not_written),
        cmocka_unit_test(test_alert_lines),  cmocka_unit_test(test_read),
        cmocka_unit_test(test_read_refuses), cmocka_unit_test(test_every_byte_in_a_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
