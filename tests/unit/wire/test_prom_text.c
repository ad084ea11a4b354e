#include "wire/prom_text.h"

#include "base/mem.h"
#include "base/number.h"
#include "fake/shared_data.h"
#include "wire/json.h"

#include <dirent.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool print_sample(void *arg, const struct prom_sample *s, struct err *e)
{
    struct buf *out = arg;

    (void)e;
    buf_add_str(out, s->name);
    for (size_t i = 0; i < s->label_count; i++) {
        buf_addf(out, "[%.*s][%.*s]", STR_FMT(s->labels[i].name), STR_FMT(s->labels[i].value));
    }
    buf_add_byte(out, ' ');
    buf_add_double(out, s->value);
    if (s->has_time) {
        buf_addf(out, " @%lld", (long long)s->time_ns);
    }
    if (s->has_exemplar) {
        buf_addf(out, " #%zu ", s->exemplar.label_count);
        buf_add_double(out, s->exemplar.value);
        if (s->exemplar.has_time) {
            buf_addf(out, " @%lld", (long long)s->exemplar.time_ns);
        }
    }
    buf_add_byte(out, ';');
    return true;
}

static bool print_meta(void *arg, const struct prom_meta *m, struct err *e)
{
    (void)e;
    buf_addf(arg, "<%d %.*s %.*s %d>", (int)m->kind, STR_FMT(m->name), STR_FMT(m->text),
             (int)m->type);
    return true;
}

static bool read_text(struct str text, enum prom_text_form form, struct buf *out, struct err *e)
{
    AUTO(arena_release) struct arena a;
    AUTO(mem_autofree) char *copy = mem_dup(text.ptr, text.len);
    const struct prom_lines lines = {print_sample, print_meta, out};

    arena_init(&a, ARENA_UNLIMITED);
    return prom_text_read(str_make(copy, text.len), form, &a, &lines, e);
}

static void test_plain(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *seen;
    } rows[] = {
        {STR_INIT(""), ""},
        {STR_INIT("up 1\n"), "up 1;"},
        {STR_INIT("up 1"), "up 1;"},
        {STR_INIT("\n  \t\r\n# a comment\n#\n#x\n"), ""},
        {STR_INIT(" a_b:c {\t} -1.5e3   1395066363000 \r\n"), "a_b:c -1500 @1395066363000000000;"},
        {STR_INIT("m{a=\"1\",b = \"x\\\\\\n\\\"\\z\" , } NaN -1\n"),
         "m[a][1][b][x\\\n\"\\z] NaN @-1000000;"},
        {STR_INIT("m{\"my.label\"=\"1\"} +Inf\n{\"my metric\",a=\"b\"} -Inf\n"),
         "m[my.label][1] +Inf;my metric[a][b] -Inf;"},
        {STR_INIT("#HELP m a\\\\b\\nc\\\"d  \n# TYPE  m\tcounter\n# HELP n\n# UNIT m x\nm 1"),
         "<0 m a\\b\nc\\\"d 0><1 m counter 1><0 n  0>m 1;"},
        {STR_INIT("m 0x1p3\nm 9223372036854775808\nm 1 9223372036854775807\n"),
         "m 8;m 9223372036854776000;m 1 @9223372036854775807;"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        if (!read_text(rows[i].text, PROM_TEXT_PLAIN, &out, &e)) {
            fail_msg("%s: %s", rows[i].seen, e.message);
        }
        assert_string_equal(buf_text(&out), rows[i].seen);
    }
}

static void test_plain_refused(void **state)
{
    (void)state;
    static const struct {
        struct str text;
        const char *message;
        uint32_t line, column;
    } rows[] = {
        {STR_INIT("up 1\n0a 1\n"), "expected a metric name", 2, 1},
        {STR_INIT("up\n"), "expected a value, found \"\"", 1, 3},
        {STR_INIT("up one\n"), "expected a value, found \"one\"", 1, 4},
        {STR_INIT("up 1 1.5\n"), "expected a time in ms, found \"1.5\"", 1, 6},
        {STR_INIT("up 1 1 1\n"), "expected the end of the line", 1, 8},
        {STR_INIT("up 1 # {} 1\n"), "expected a time in ms, found \"#\"", 1, 6},
        {STR_INIT("a-b 1\n"), "expected a value, found \"-b\"", 1, 2},
        {STR_INIT("a{b} 1\n"), "expected '=' behind a label name", 1, 4},
        {STR_INIT("a{b=c} 1\n"), "expected a label value in quotes", 1, 5},
        {STR_INIT("a{b=\"c} 1\n"), "expected a quote that ends the text", 1, 5},
        {STR_INIT("a{b=\"c\\\"} 1\n"), "expected a quote that ends the text", 1, 5},
        {STR_INIT("a{b=\"c\" d=\"e\"} 1\n"), "expected ',' or '}'", 1, 9},
        {STR_INIT("a{b=\"c\"\n"), "expected ',' or '}'", 1, 8},
        {STR_INIT("a{=\"c\"} 1\n"), "expected a label name", 1, 3},
        {STR_INIT("a{,} 1\n"), "expected a label name", 1, 3},
        {STR_INIT("a{b=\"1\",b=\"2\"} 1\n"), "label \"b\" stands twice", 1, 2},
        {STR_INIT("a{b=\"\xff\"} 1\n"), "text that is not UTF-8", 1, 5},
        {STR_INIT("{a=\"b\"} 1\n"), "expected a metric name", 1, 1},
        {STR_INIT("m{\"n\"} 1\n"), "expected '=' behind a label name", 1, 6},
        {STR_INIT("# TYPE m info\n"), "unknown metric type \"info\"", 1, 10},
        {STR_INIT("# TYPE\n"), "expected a space and a metric name", 1, 7},
        {STR_INIT("# TYPE m\n"), "unknown metric type \"\"", 1, 9},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        assert_false(read_text(rows[i].text, PROM_TEXT_PLAIN, &out, &e));
        assert_string_equal(e.message, rows[i].message);
        assert_int_equal(e.pos.line, rows[i].line);
        assert_int_equal(e.pos.column, rows[i].column);
    }
}

static void test_openmetrics(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    struct err e = ERR_INIT;

    assert_true(read_text(STR("# TYPE a_s counter\n# UNIT a_s s\n# HELP a_s x\\\"y\n"
                              "a_s_total{b=\"c\"} 1 1.5 # {t=\"1\",u=\"2\"} 0.5 2\n# EOF\n"),
                          PROM_TEXT_OPENMETRICS, &out, &e));
    assert_string_equal(buf_text(&out), "<1 a_s counter 1><2 a_s s 0><0 a_s x\"y 0>"
                                        "a_s_total[b][c] 1 @1500000000 #2 0.5 @2000000000;");
}

/* Histograms, order and names: what no single line shows. */
static void test_openmetrics_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *message;
    } rows[] = {
        {"a 1\n", "expected \"# EOF\" as the last line"},
        {"a 1\n# EOF\n\n", "expected nothing behind \"# EOF\""},
        {"# TYPE a histogram\na_bucket{le=\"1\"} 1\na_count 1\na_sum 1\n# EOF\n",
         "histogram without a bucket le=\"+Inf\""},
        {"# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 2\na_sum 1\n# EOF\n",
         "histogram whose count is not that of its bucket le=\"+Inf\""},
        {"# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_bucket{b=\"c\",le=\"1\"} 1\n# EOF\n",
         "histogram without a bucket le=\"+Inf\""},
        {"# TYPE a gauge\na{b=\"1\"} 1\na{b=\"2\"} 1\na{b=\"1\"} 1\n# EOF\n",
         "samples of one metric that do not stand together"},
        {"# TYPE a gauge\na 1 2\na 1 1\n# EOF\n", "a time before that of the sample before it"},
        {"# TYPE a counter\na_total 1\n# TYPE a_total gauge\n# EOF\n",
         "a name that an earlier metric family has taken"},
        {"# TYPE a gauge\nb 1\n# HELP a x\n# EOF\n",
         "a name that an earlier metric family has taken"},
        {"# TYPE a gauge\na 1 # {} 1\n# EOF\n", "an exemplar where none may be"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        assert_false(read_text(str_of(rows[i].text), PROM_TEXT_OPENMETRICS, &out, &e));
        assert_string_equal(e.message, rows[i].message);
    }
}

static void check_case(const char *name)
{
    AUTO(buf_release) struct buf text = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf about = BUF_INIT(BUF_UNLIMITED);
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_UNLIMITED);
    AUTO(arena_release) struct arena a;
    struct json_node *root = NULL;
    struct err e = ERR_INIT;

    arena_init(&a, ARENA_UNLIMITED);
    buf_addf(&path, "openmetrics/%s/test.json", name);
    assert_true(shared_data_read(buf_text(&path), &about));
    assert_true(json_parse(buf_str(&about), &a, &root, &e));
    buf_clear(&path);
    buf_addf(&path, "openmetrics/%s/metrics", name);
    assert_true(shared_data_read(buf_text(&path), &text));
    bool want = json_get(root, STR("shouldParse"))->kind == JSON_TRUE;
    bool ok = read_text(buf_str(&text), PROM_TEXT_OPENMETRICS, &out, &e);
    if (ok != want) {
        fail_msg("%s: %s", name, ok ? "accepted" : e.message);
    }
}

static void test_public_cases(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf path = BUF_INIT(BUF_SMALL);
    size_t count = 0;

    shared_data_path("openmetrics", &path);
    DIR *folder = opendir(buf_text(&path));
    if (folder == NULL) {
        buf_release(&path); /* skip() does not come back */
        skip();
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            check_case(entry->d_name);
            count++;
        }
    }
    (void)closedir(folder);
    assert_true(count > 50);
}

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

static void test_written(void **state)
{
    (void)state;
    static const struct {
        const char *labels[6];
        double value;
        int64_t time_ns; /* 0: none */
        const char *line;
    } rows[] = {
        {{"__name__", "up"}, 1, 0, "up 1\n"},
        {{"__name__", "up", "a", "x\\y\"z\n"},
         0.5,
         1500999999,
         "up{a=\"x\\\\y\\\"z\\n\"} 0.5 1500\n"},
        {{"__name__", "a.b", "c d", "\xff"}, 1, -1, "{\"a.b\",\"c d\"=\"\xef\xbf\xbd\"} 1 -1\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        AUTO(labels_autounref) struct labels *l = make_set(rows[i].labels);
        AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
        AUTO(buf_release) struct buf seen = BUF_INIT(BUF_SMALL);
        struct err e = ERR_INIT;
        prom_text_add_sample(&out, l, rows[i].value,
                             rows[i].time_ns != 0 ? &rows[i].time_ns : NULL);
        assert_string_equal(buf_text(&out), rows[i].line);
        assert_true(read_text(buf_str(&out), PROM_TEXT_PLAIN, &seen, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),        cmocka_unit_test(test_plain_refused),
        cmocka_unit_test(test_openmetrics),  cmocka_unit_test(test_openmetrics_refused),
        cmocka_unit_test(test_public_cases), cmocka_unit_test(test_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
