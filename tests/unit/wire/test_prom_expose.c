/* Pages of last values: what stands on them, that our own strict reader takes them, and who gets which form. */
#include "wire/prom_expose.h"

#include "base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct labels *set(struct str name, struct str label, struct str value)
{
    struct labels_builder b;
    struct labels *ret = NULL;
    struct err e = ERR_INIT;

    labels_builder_init(&b);
    labels_builder_set(&b, STR("__name__"), name);
    labels_builder_set(&b, label, value);
    assert_true(labels_build(&b, &ret, &e));
    labels_builder_release(&b);
    return ret;
}

struct row {
    struct str name;
    struct str value_of_a;
    struct series_meta meta;
    double value;
};

static const struct row rows[] = {
    {STR_INIT("up"), STR_INIT("2"), {0}, 1},
    {STR_INIT("jobs_total"),
     STR_INIT(""),
     {SERIES_COUNTER, STR_INIT("A \"b\" \\ c\nd"), STR_INIT("")},
     5},
    {STR_INIT("up"), STR_INIT("1\n\"\\"), {0}, NAN},
    {STR_INIT("wait_seconds"),
     STR_INIT(""),
     {SERIES_GAUGE, STR_INIT(""), STR_INIT("seconds")},
     INFINITY},
    {STR_INIT("wait_ms"), STR_INIT(""), {SERIES_RATE, STR_INIT(""), STR_INIT("seconds")}, 1e21},
    {STR_INIT("bad_total"), STR_INIT(""), {SERIES_COUNTER, STR_INIT(""), STR_INIT("")}, -1},
    {STR_INIT("both_total"), STR_INIT(""), {SERIES_COUNTER, STR_INIT(""), STR_INIT("")}, 1},
    {STR_INIT("both"), STR_INIT(""), {SERIES_GAUGE, STR_INIT(""), STR_INIT("")}, 1},
    {STR_INIT("count"), STR_INIT(""), {SERIES_COUNTER, STR_INIT(""), STR_INIT("")}, 1},
};

static void print(enum prom_text_form form, struct buf *out)
{
    struct prom_point points[ARRAY_LEN(rows)];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        points[i] = (struct prom_point){.labels = set(rows[i].name, STR("a"), rows[i].value_of_a),
                                        .meta = &rows[i].meta,
                                        .value = rows[i].value};
    }
    prom_points_sort(points, ARRAY_LEN(points));
    prom_expose(points, ARRAY_LEN(points), form, out);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        labels_unref(points[i].labels);
    }
}

static void test_plain(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);

    print(PROM_TEXT_PLAIN, &out);
    assert_string_equal(buf_text(&out), "# TYPE bad_total counter\nbad_total -1\n"
                                        "# TYPE both gauge\nboth 1\n"
                                        "# TYPE both_total counter\nboth_total 1\n"
                                        "# TYPE count counter\ncount 1\n"
                                        "# HELP jobs_total A \"b\" \\\\ c\\nd\n"
                                        "# TYPE jobs_total counter\njobs_total 5\n"
                                        "up{a=\"1\\n\\\"\\\\\"} NaN\nup{a=\"2\"} 1\n"
                                        "# TYPE wait_ms gauge\nwait_ms 1e+21\n"
                                        "# TYPE wait_seconds gauge\nwait_seconds +Inf\n");
}

static bool count_sample(void *arg, const struct prom_sample *s, struct err *e)
{
    (void)e;
    assert_false(s->has_time);
    ++*(size_t *)arg;
    return true;
}

static void test_openmetrics(void **state)
{
    (void)state;
    AUTO(buf_release) struct buf out = BUF_INIT(BUF_SMALL);
    AUTO(arena_release) struct arena a;
    struct err e = ERR_INIT;
    size_t count = 0;
    const struct prom_lines lines = {.sample = count_sample, .arg = &count};

    print(PROM_TEXT_OPENMETRICS, &out);
    assert_string_equal(buf_text(&out), "bad_total -1\n"
                                        "# TYPE both gauge\nboth 1\n"
                                        "both_total 1\n"
                                        "count 1\n"
                                        "# HELP jobs A \\\"b\\\" \\\\ c\\nd\n"
                                        "# TYPE jobs counter\njobs_total 5\n"
                                        "up{a=\"1\\n\\\"\\\\\"} NaN\nup{a=\"2\"} 1\n"
                                        "# TYPE wait_ms gauge\nwait_ms 1e+21\n"
                                        "# TYPE wait_seconds gauge\n# UNIT wait_seconds seconds\n"
                                        "wait_seconds +Inf\n# EOF\n");
    arena_init(&a, ARENA_UNLIMITED);
    if (!prom_text_read(buf_str(&out), PROM_TEXT_OPENMETRICS, &a, &lines, &e)) {
        fail_msg("%s", e.message);
    }
    assert_int_equal(count, ARRAY_LEN(rows));
}

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *label;
        bool is_fine;
    } cases[] = {{"a:b", "c", true}, {"", "c", false},    {"a b", "c", false},
                 {"1a", "c", false}, {"a", "c:d", false}, {"a", "größe", false}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(labels_autounref) struct labels *l =
            set(str_of(cases[i].name), str_of(cases[i].label), STR("1"));
        assert_int_equal(prom_expose_refusal(l) == NULL, cases[i].is_fine);
    }
}

static void test_accept(void **state)
{
    (void)state;
    static const struct {
        const char *accept;
        enum prom_text_form form;
    } cases[] = {
        {"", PROM_TEXT_PLAIN},
        {"*/*", PROM_TEXT_PLAIN},
        {"text/html, */*;q=0.1", PROM_TEXT_PLAIN},
        {"application/openmetrics-text", PROM_TEXT_OPENMETRICS},
        {"application/openmetrics-text; version=1.0.0; charset=utf-8", PROM_TEXT_OPENMETRICS},
        {"application/openmetrics-text;version=2.0.0", PROM_TEXT_PLAIN},
        {"application/openmetrics-text;q=0", PROM_TEXT_PLAIN},
        {"application/openmetrics-text;q=x", PROM_TEXT_PLAIN},
        {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.8",
         PROM_TEXT_PLAIN},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         PROM_TEXT_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
         "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
         "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
         PROM_TEXT_OPENMETRICS},
        {"Text/Plain;q=0.1,APPLICATION/OpenMetrics-Text", PROM_TEXT_OPENMETRICS},
        {";;,,q=", PROM_TEXT_PLAIN},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (prom_text_accepted(str_of(cases[i].accept)) != cases[i].form) {
            fail_msg("%s", cases[i].accept);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_openmetrics),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_accept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
